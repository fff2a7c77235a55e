/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Each kind of table against the kernel's: the same sequence of random operations through bpf(2) and through ours must give the
 * same errors and values. Where order is the kernel's secret (hash tables), contents are compared at the end instead. What the kernel
 * decides by the number of CPUs and free lists (which entry of an LRU table goes) is tested by what must hold. Needs the right to make
 * tables; without it that part is skipped.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "vm_fixture.h"

#include "vm/vm_int.h"

#define OPERATIONS 20000
#define VALUE_BYTES_MAX 4096

static uint64_t seed;

static uint32_t
below(uint32_t n)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33) % n;
}

/* ---- both ---------------------------------------------------------------------------------------------------- */

struct both {
	struct table table;
	struct arena *arena;
	struct vm *vm;
	int fd;
	size_t value_bytes; /* as user space sees a value */
};

/* False: the kernel does not let us. */
static bool
both_open(struct both *both, const struct table *table)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = table->kind == TABLE_LPM_TRIE ? BPF_F_NO_PREALLOC : 0);
	int n_cpus = libbpf_num_possible_cpus();
	struct text why = { 0 };
	struct object *object;

	both->table = *table;
	both->fd = bpf_map_create(table_kind_map_type(table->kind), "ktap_kinds", table->key_size, table->value_size, table->max_entries, &opts);
	if (both->fd < 0) {
		print_message("# the kernel does not let us: %s\n", strerror(-both->fd));
		return false;
	}
	both->arena = arena_new();
	object = object_new(both->arena, "kinds", NULL);
	object_add_table(object, &both->table);
	both->vm = vm_new(object, (uint32_t)n_cpus, &why);
	assert_non_null(both->vm);
	both->value_bytes = table->value_size;
	if (table_kind_is_per_cpu(table->kind))
		both->value_bytes = (size_t)n_cpus * ((table->value_size + 7) / 8 * 8);
	assert_true(both->value_bytes <= VALUE_BYTES_MAX);
	return true;
}

static void
both_close(struct both *both)
{
	close(both->fd);
	vm_free(both->vm);
	arena_free(both->arena);
}

/* ---- one operation on both -------------------------------------------------------------------------------------- */

struct kind {
	struct table table;
	void (*key)(const struct both *both, unsigned char *key); /* makes a key; NULL: none */
	bool ordered;                                              /* the order of keys is the kernel's */
};

static void
number_key(const struct both *both, unsigned char *key)
{
	uint32_t n = below(24);

	memset(key, 0, both->table.key_size);
	memcpy(key, &n, sizeof(n));
}

/* Prefixes that often contain each other: few bits differ, at any place. */
static void
prefix_key(const struct both *both, unsigned char *key)
{
	uint32_t bits = (both->table.key_size - 4) * 8, len = below(bits + (below(40) ? 1 : 3));

	memcpy(key, &len, sizeof(len));
	memset(key + 4, below(2) ? 0 : 0xaa, both->table.key_size - 4);
	for (uint32_t n = below(3); n; n--)
		key[4 + below(bits / 8)] ^= (unsigned char)(1u << below(8));
}

static void
fill_value(const struct both *both, unsigned char *value)
{
	for (size_t i = 0; i < both->value_bytes; i++)
		value[i] = (unsigned char)(i % 8 < both->table.value_size || i < both->table.value_size ? below(both->table.kind == TABLE_BLOOM ? 4 : 256) : 0);
}

static void
fail_operation(const struct both *both, const char *what, int n, int theirs, int ours)
{
	fail_msg("%s, operation %d, %s: the kernel says %d, we say %d", table_kind_name(both->table.kind), n, what, theirs, ours);
}

static void
update(const struct both *both, int n, const void *key)
{
	unsigned char value[VALUE_BYTES_MAX];
	uint64_t flags = below(3) ? 0 : below(5);
	int theirs, ours;

	fill_value(both, value);
	if (flags == BPF_F_LOCK) /* wants a table with a lock in its values */
		flags = 3;
	theirs = bpf_map_update_elem(both->fd, key, value, flags);
	ours = vm_table_update(both->vm, 0, key, value, flags);
	if (theirs != ours)
		fail_operation(both, "update", n, theirs, ours);
}

static void
lookup(const struct both *both, int n, const void *key, bool takes)
{
	unsigned char a[VALUE_BYTES_MAX], b[VALUE_BYTES_MAX];
	int theirs, ours;

	fill_value(both, a);
	memcpy(b, a, sizeof(b));
	theirs = takes ? bpf_map_lookup_and_delete_elem(both->fd, key, a) : bpf_map_lookup_elem(both->fd, key, a);
	ours = takes ? vm_table_pop(both->vm, 0, b) : vm_table_lookup(both->vm, 0, key, b);
	/* A wrong "yes" of a bloom filter is ours or the kernel's own. */
	if (both->table.kind == TABLE_BLOOM)
		return;
	if (theirs != ours)
		fail_operation(both, "lookup", n, theirs, ours);
	if (!theirs && memcmp(a, b, both->value_bytes))
		fail_operation(both, "value", n, a[0], b[0]);
}

static void
remove_key(const struct both *both, int n, const void *key)
{
	int theirs = bpf_map_delete_elem(both->fd, key), ours = vm_table_delete(both->vm, 0, key);

	if (theirs != ours)
		fail_operation(both, "delete", n, theirs, ours);
}

static void
next_key(const struct both *both, int n, const void *key)
{
	unsigned char a[512] = { 0 }, b[512] = { 0 };
	int theirs = bpf_map_get_next_key(both->fd, key, a), ours = vm_table_next(both->vm, 0, key, b);

	if (theirs != ours)
		fail_operation(both, "next", n, theirs, ours);
	if (!theirs && memcmp(a, b, both->table.key_size))
		fail_operation(both, "next key", n, a[0], b[0]);
}

/* Every key of the kernel's is one of ours with the same value, and there are no more. */
static void
compare_contents(const struct both *both)
{
	unsigned char key[512], a[VALUE_BYTES_MAX], b[VALUE_BYTES_MAX];
	int n = 0, m = 0;

	for (int err = bpf_map_get_next_key(both->fd, NULL, key); !err; err = bpf_map_get_next_key(both->fd, key, key), n++) {
		assert_int_equal(bpf_map_lookup_elem(both->fd, key, a), 0);
		assert_int_equal(vm_table_lookup(both->vm, 0, key, b), 0);
		assert_memory_equal(a, b, both->value_bytes);
	}
	for (int err = vm_table_next(both->vm, 0, NULL, key); !err; err = vm_table_next(both->vm, 0, key, key))
		m++;
	assert_int_equal(n, m);
}

static void
run_operations(const struct both *both, const struct kind *kind)
{
	unsigned char bytes[512], *key = kind->key ? bytes : NULL;

	for (int n = 0; n < OPERATIONS; n++) {
		if (key)
			kind->key(both, key);
		switch (below(8)) {
		case 0:
		case 1:
		case 2:
			update(both, n, key);
			break;
		case 3:
		case 4:
			lookup(both, n, key, false);
			break;
		case 5:
			if (!key && both->table.kind != TABLE_BLOOM)
				lookup(both, n, key, true);
			break;
		case 6:
			if (key)
				remove_key(both, n, key);
			break;
		default:
			if (kind->ordered)
				next_key(both, n, below(8) ? key : NULL);
		}
	}
}

static const struct kind kinds[] = {
	{ { .kind = TABLE_HASH, .key_size = 8, .value_size = 12, .max_entries = 16 }, number_key, false },
	{ { .kind = TABLE_HASH, .key_size = 5, .value_size = 3, .max_entries = 64 }, number_key, false },
	{ { .kind = TABLE_ARRAY, .key_size = 4, .value_size = 7, .max_entries = 20 }, number_key, true },
	{ { .kind = TABLE_PERCPU_HASH, .key_size = 8, .value_size = 8, .max_entries = 32 }, number_key, false },
	{ { .kind = TABLE_PERCPU_ARRAY, .key_size = 4, .value_size = 16, .max_entries = 20 }, number_key, true },
	/* Never full, so that nobody chooses what goes. */
	{ { .kind = TABLE_LRU_HASH, .key_size = 8, .value_size = 24, .max_entries = 4096 }, number_key, false },
	{ { .kind = TABLE_LRU_PERCPU_HASH, .key_size = 4, .value_size = 8, .max_entries = 4096 }, number_key, false },
	{ { .kind = TABLE_LPM_TRIE, .key_size = 8, .value_size = 4, .max_entries = 40 }, prefix_key, true },
	{ { .kind = TABLE_LPM_TRIE, .key_size = 5, .value_size = 9, .max_entries = 1000 }, prefix_key, true },
	{ { .kind = TABLE_LPM_TRIE, .key_size = 4 + 16, .value_size = 8, .max_entries = 200 }, prefix_key, true },
	{ { .kind = TABLE_QUEUE, .value_size = 8, .max_entries = 7 }, NULL, false },
	{ { .kind = TABLE_QUEUE, .value_size = 3, .max_entries = 1 }, NULL, false },
	{ { .kind = TABLE_STACK, .value_size = 13, .max_entries = 9 }, NULL, false },
	{ { .kind = TABLE_BLOOM, .value_size = 4, .max_entries = 100 }, NULL, false },
};

static void
test_operations(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct both both;

		if (!both_open(&both, &kinds[i].table))
			skip();
		seed = i;
		run_operations(&both, &kinds[i]);
		if (kinds[i].key)
			compare_contents(&both);
		both_close(&both);
	}
}

/* ---- ours alone ----------------------------------------------------------------------------------------------------- */

static struct vm *
machine(struct arena *arena, struct table *table)
{
	struct object *object = object_new(arena, "kinds", NULL);
	struct text why = { 0 };
	struct vm *vm;

	object_add_table(object, table);
	vm = vm_new(object, 2, &why);
	if (!vm)
		fail_msg("%s", why.s);
	return vm;
}

/* A full table takes every new key, stays full, and keeps what a program looked up. */
static void
test_lru(void **state)
{
	struct table table = { .name = "t", .kind = TABLE_LRU_HASH, .key_size = 4, .value_size = 4, .max_entries = 10 };
	struct arena *arena = arena_new();
	struct vm *vm = machine(arena, &table);
	uint32_t in_use = 3, value, n = 0;

	for (uint32_t key = 0; key < 1000; key++) {
		assert_int_equal(vm_table_update(vm, 0, &key, &key, BPF_NOEXIST), 0);
		assert_int_equal(vm_table_lookup(vm, 0, &key, &value), 0);
		assert_int_equal(value, key);
		if (key >= in_use)
			assert_non_null(table_find(&vm->tables[0], &in_use, 0));
	}
	for (int err = vm_table_next(vm, 0, NULL, &value); !err; err = vm_table_next(vm, 0, &value, &value))
		n++;
	assert_int_equal(n, 10);
	/* A lookup from outside is no use: the oldest of the rest goes. */
	value = 991;
	assert_int_equal(vm_table_lookup(vm, 0, &value, &value), 0);
	value = 5000;
	assert_int_equal(vm_table_update(vm, 0, &value, &value, 0), 0);
	value = 991;
	assert_int_equal(vm_table_lookup(vm, 0, &value, &value), -ENOENT);
	vm_free(vm);
	arena_free(arena);
}

/* No added value is ever denied, and of 10,000 others few are not. */
static void
test_bloom(void **state)
{
	struct table table = { .name = "t", .kind = TABLE_BLOOM, .value_size = 8, .max_entries = 1000 };
	struct arena *arena = arena_new();
	struct vm *vm = machine(arena, &table);
	unsigned n_wrong = 0;

	for (uint64_t i = 0; i < 1000; i++)
		assert_int_equal(vm_table_update(vm, 0, NULL, &i, 0), 0);
	for (uint64_t i = 0; i < 1000; i++)
		assert_int_equal(vm_table_lookup(vm, 0, NULL, &i), 0);
	for (uint64_t i = 1000; i < 11000; i++)
		n_wrong += !vm_table_lookup(vm, 0, NULL, &i);
	assert_true(n_wrong < 500);
	vm_free(vm);
	arena_free(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_operations),
		cmocka_unit_test(test_lru),
		cmocka_unit_test(test_bloom),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
