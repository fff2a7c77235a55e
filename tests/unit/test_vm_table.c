/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Tables from outside: the errno values of bpf(2), order of iteration, deletion while iterating, stable addresses, first contents,
 * per-CPU values, the ring buffer's account of space; and machines that cannot be.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vm_fixture.h"

#include "vm/vm_int.h"

enum { HASH, ARRAY, GLOBALS, RECORDS, CPUHASH, CPUARRAY, STACKS, STRINGS, ARRAYS = 18, HASHES };

struct fixture {
	struct arena *arena;
	struct vm *vm;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct text why = { 0 };

	f->arena = arena_new();
	f->vm = vm_new(fixture_object(f->arena), 3, &why);
	assert_non_null(f->vm);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	vm_free(f->vm);
	arena_free(f->arena);
	free(f);
	return 0;
}

static int
put(struct vm *vm, uint64_t key, uint64_t value, uint64_t flags)
{
	uint64_t values[2] = { value, ~value };

	return vm_table_update(vm, HASH, &key, values, flags);
}

static void
test_hash_errno(void **state)
{
	struct vm *vm = ((struct fixture *)*state)->vm;
	uint64_t key = 1, value[2];

	assert_int_equal(vm_table_lookup(vm, HASH, &key, value), -ENOENT);
	assert_int_equal(vm_table_delete(vm, HASH, &key), -ENOENT);
	assert_int_equal(vm_table_next(vm, HASH, NULL, &key), -ENOENT);
	assert_int_equal(put(vm, 1, 5, BPF_EXIST), -ENOENT);
	assert_int_equal(put(vm, 1, 5, BPF_NOEXIST), 0);
	assert_int_equal(put(vm, 1, 6, BPF_NOEXIST), -EEXIST);
	assert_int_equal(put(vm, 1, 7, BPF_EXIST), 0);
	assert_int_equal(put(vm, 1, 8, 3), -EINVAL);
	assert_int_equal(vm_table_lookup(vm, HASH, &key, value), 0);
	assert_int_equal(value[0], 7);
	for (uint64_t k = 2; k <= 64; k++)
		assert_int_equal(put(vm, k, k, BPF_ANY), 0);
	assert_int_equal(put(vm, 65, 0, BPF_ANY), -E2BIG);
	assert_int_equal(put(vm, 64, 1, BPF_ANY), 0);
	assert_int_equal(vm_table_delete(vm, HASH, &key), 0);
	assert_int_equal(put(vm, 65, 0, BPF_ANY), 0);
}

static void
test_hash_order(void **state)
{
	struct vm *vm = ((struct fixture *)*state)->vm;
	uint64_t key, next, n = 0;
	uint64_t *last = NULL;

	for (uint64_t k = 0; k < 60; k++)
		put(vm, k * 7919 % 61, k, BPF_ANY);
	while (!vm_table_next(vm, HASH, last, &next)) {
		assert_int_equal(next, n * 7919 % 61);
		key = next;
		last = &key;
		n++;
		if (n % 2) /* the place is kept, and nothing is seen twice */
			assert_int_equal(vm_table_delete(vm, HASH, &key), 0);
	}
	assert_int_equal(n, 60);
	/* The key that was handed out, the one behind it, and a new one. */
	assert_int_equal(vm_table_next(vm, HASH, NULL, &key), 0);
	assert_int_equal(vm_table_next(vm, HASH, &key, &next), 0);
	vm_table_delete(vm, HASH, &key);
	assert_int_equal(vm_table_next(vm, HASH, &key, &next), 0);
	key = 12345;
	assert_int_equal(vm_table_next(vm, HASH, &key, &next), 0);
	assert_int_equal(vm_table_next(vm, HASH, NULL, &key), 0);
	assert_int_equal(key, next);
}

static void
test_hash_address(void **state)
{
	struct vm *vm = ((struct fixture *)*state)->vm;
	struct vm_table *t = &vm->tables[HASH];
	uint64_t key = 1000, *value;

	put(vm, key, 42, BPF_ANY);
	value = table_find(t, &key, 0);
	for (uint64_t round = 0; round < 5; round++) {
		for (uint64_t k = 0; k < 60; k++)
			put(vm, k, round, BPF_ANY);
		for (uint64_t k = round % 2; k < 60; k += 2)
			vm_table_delete(vm, HASH, &k);
	}
	assert_ptr_equal(table_find(t, &key, 0), value);
	assert_int_equal(*value, 42);
	vm_table_delete(vm, HASH, &key);
	*value = 1; /* of a deleted entry: memory of the table still */
}

static void
test_hash_large(void **state)
{
	struct table table = { .name = "large", .kind = TABLE_HASH, .key_size = 13, .value_size = 3, .max_entries = 100000000 };
	struct arena *arena = arena_new();
	struct object *object = object_new(arena, "large", NULL);
	struct text why = { 0 };
	struct vm *vm;
	char key[13] = { 0 }, value[3] = "ab";

	object_add_table(object, &table);
	vm = vm_new(object, 1, &why);
	assert_non_null(vm);
	for (uint32_t i = 0; i < 200000; i++) {
		memcpy(key + 5, &i, 4);
		assert_int_equal(vm_table_update(vm, 0, key, value, BPF_NOEXIST), 0);
	}
	for (uint32_t i = 0; i < 200000; i += 1000) {
		memcpy(key + 5, &i, 4);
		assert_int_equal(vm_table_lookup(vm, 0, key, value), 0);
	}
	vm_free(vm);
	arena_free(arena);
}

/* The key that a walk meets next; 0: the end. */
static uint64_t
met(struct vm_table *t, struct table_walk *walk)
{
	uint64_t key = 0;

	return t->ops->walk_next(t, walk, &key) ? key : 0;
}

/* Two walks at once, and an entry that goes just before one of them comes to it. */
static void
test_hash_walk(void **state)
{
	struct vm *vm = ((struct fixture *)*state)->vm;
	struct vm_table *t = &vm->tables[HASH];
	struct table_walk first = { 0 }, second = { 0 };
	uint64_t key;

	for (uint64_t k = 1; k <= 5; k++)
		put(vm, k, k, BPF_ANY);
	t->ops->walk_begin(t, &first);
	assert_int_equal(met(t, &first), 1);
	t->ops->walk_begin(t, &second);
	vm_table_delete(vm, HASH, &(uint64_t){ 2 });
	assert_int_equal(met(t, &first), 3);
	vm_table_delete(vm, HASH, &(uint64_t){ 1 });
	vm_table_delete(vm, HASH, &(uint64_t){ 3 });
	assert_int_equal(met(t, &second), 4);
	assert_int_equal(vm_table_next(vm, HASH, NULL, &key), 0); /* the third place in the list that is kept */
	assert_int_equal(key, 4);
	vm_table_delete(vm, HASH, &key);
	put(vm, 6, 6, BPF_ANY);
	assert_int_equal(met(t, &second), 5);
	t->ops->walk_end(t, &second);
	assert_int_equal(met(t, &first), 5);
	assert_int_equal(vm_table_next(vm, HASH, &key, &key), 0);
	assert_int_equal(key, 5);
	assert_int_equal(met(t, &first), 6);
	assert_int_equal(met(t, &first), 0);
	t->ops->walk_begin(t, &second);
	t->ops->walk_end(t, &first);
	assert_int_equal(met(t, &second), 5);
	t->ops->walk_end(t, &second);
}

struct visit {
	struct vm *vm;
	uint64_t met[16]; /* how often, by key */
	uint32_t n;
};

/* Of 1 to 8: takes 2 out when it is met, 5 before it is; puts 9 in; another walk, by vm_table_next, is at another place each time. */
static int
visit(void *arg, const void *key)
{
	struct visit *visit = arg;
	uint64_t number, gone, other;

	memcpy(&number, key, sizeof(number));
	visit->met[number]++;
	visit->n++;
	gone = number == 2 ? 2 : 5;
	if (number == 2 || number == 4)
		assert_int_equal(vm_table_delete(visit->vm, HASH, &gone), 0);
	if (number == 3)
		assert_int_equal(put(visit->vm, 9, 9, BPF_NOEXIST), 0);
	assert_int_equal(vm_table_next(visit->vm, HASH, &(uint64_t){ 7 }, &other), 0);
	return number == 9 ? 77 : 0;
}

static int
count_indexes(void *arg, const void *key)
{
	uint32_t *n = arg, index;

	memcpy(&index, key, sizeof(index));
	assert_int_equal(index, (*n)++);
	return 0;
}

static void
test_each(void **state)
{
	struct fixture *f = *state;
	struct visit seen = { .vm = f->vm };
	uint32_t n = 0;

	for (uint64_t key = 1; key <= 8; key++)
		assert_int_equal(put(f->vm, key, key, BPF_ANY), 0);
	assert_int_equal(vm_table_each(f->vm, HASH, visit, &seen), 77);
	for (uint64_t key = 1; key <= 9; key++)
		assert_int_equal(seen.met[key], key != 5);
	assert_int_equal(seen.n, 8);
	assert_int_equal(vm_table_each(f->vm, ARRAY, count_indexes, &n), 0);
	assert_int_equal(n, vm_table_of(f->vm, ARRAY)->max_entries);
	assert_int_equal(vm_table_each(f->vm, RECORDS, count_indexes, &n), -EINVAL);
}

/* Evictions move entries to the end of the list, where a walk does not meet them once more. */
static void
test_lru_walk(void **state)
{
	struct table table = { .name = "lru", .kind = TABLE_LRU_HASH, .key_size = 8, .value_size = 8, .max_entries = 8 };
	struct arena *arena = arena_new();
	struct object *object = object_new(arena, "lru", NULL);
	struct table_walk walk = { 0 };
	uint32_t n_met[10] = { 0 };
	struct text why = { 0 };
	struct vm *vm;

	object_add_table(object, &table);
	vm = vm_new(object, 1, &why);
	for (uint64_t k = 1; k <= 8; k++) {
		assert_int_equal(vm_table_update(vm, 0, &k, &k, BPF_ANY), 0);
		assert_non_null(vm_table_find(vm, 0, &k));
	}
	for (int i = 0; i < 3; i++)
		n_met[met(&vm->tables[0], &walk)]++;
	/* All were used: each loses its mark and goes to the end, then the first goes away. */
	assert_int_equal(vm_table_update(vm, 0, &(uint64_t){ 9 }, &(uint64_t){ 9 }, BPF_ANY), 0);
	for (uint64_t k; (k = met(&vm->tables[0], &walk));)
		n_met[k]++;
	for (uint64_t k = 1; k <= 9; k++)
		if (vm_table_lookup(vm, 0, &k, &(uint64_t){ 0 }) == 0 && k != 9)
			assert_int_equal(n_met[k], 1);
	assert_int_equal(vm_table_lookup(vm, 0, &(uint64_t){ 1 }, &(uint64_t){ 0 }), -ENOENT);
	assert_in_range(n_met[9], 0, 1);
	vm_free(vm);
	arena_free(arena);
}

static void
test_array(void **state)
{
	struct vm *vm = ((struct fixture *)*state)->vm;
	uint32_t key = 3, next;
	uint64_t value = 9;
	char text[16];

	assert_int_equal(vm_table_update(vm, ARRAY, &key, &value, BPF_ANY), 0);
	assert_int_equal(vm_table_update(vm, ARRAY, &key, &value, BPF_NOEXIST), -EEXIST);
	assert_int_equal(vm_table_delete(vm, ARRAY, &key), -EINVAL);
	assert_int_equal(vm_table_next(vm, ARRAY, &key, &next), -ENOENT);
	key = 4;
	assert_int_equal(vm_table_update(vm, ARRAY, &key, &value, BPF_ANY), -E2BIG);
	assert_int_equal(vm_table_lookup(vm, ARRAY, &key, &value), -ENOENT);
	assert_int_equal(vm_table_next(vm, ARRAY, &key, &next), 0);
	assert_int_equal(next, 0);
	assert_int_equal(vm_table_next(vm, ARRAY, NULL, &next), 0);
	assert_int_equal(next, 0);
	assert_int_equal(vm_table_next(vm, ARRAY, &next, &next), 0);
	assert_int_equal(next, 1);
	assert_int_equal(((uint64_t *)vm_table_memory(vm, ARRAY))[3], 9);
	assert_null(vm_table_memory(vm, HASH));
	key = 0;
	assert_int_equal(vm_table_lookup(vm, STRINGS, &key, text), 0);
	assert_memory_equal(text, "hello\0world", 12);
	assert_int_equal(vm_table_update(vm, STRINGS, &key, text, BPF_ANY), -EPERM);
}

static void
test_percpu(void **state)
{
	struct vm *vm = ((struct fixture *)*state)->vm;
	struct vm_table *t = &vm->tables[CPUHASH];
	uint64_t key = 5, value = 11, all[3] = { 1, 2, 3 };

	assert_int_equal(table_update(t, &key, &value, BPF_ANY, 1), 0);
	assert_int_equal(vm_table_lookup(vm, CPUHASH, &key, all), 0);
	assert_int_equal(all[0], 0);
	assert_int_equal(all[1], 11);
	assert_int_equal(all[2], 0);
	all[2] = 7;
	assert_int_equal(vm_table_update(vm, CPUHASH, &key, all, BPF_EXIST), 0);
	assert_int_equal(*(uint64_t *)table_find(t, &key, 2), 7);
}

struct seen {
	uint64_t n, sum;
	size_t len;
};

static void
see(void *arg, const void *record, size_t len)
{
	struct seen *seen = arg;
	uint64_t value;

	assert_true(len >= 8);
	memcpy(&value, record, 8);
	seen->n++;
	seen->sum += value;
	seen->len += len;
}

static void
test_ringbuf(void **state)
{
	struct vm *vm = ((struct fixture *)*state)->vm;
	struct ringbuf *rb = vm->tables[RECORDS].ringbuf;
	struct seen seen = { 0 };
	uint64_t *busy, *record, key = 0;

	assert_int_equal(vm_ringbuf_consume(vm, RECORDS, see, &seen), 0);
	assert_null(ringbuf_reserve(rb, 4096));
	assert_null(ringbuf_reserve(rb, UINT64_MAX));
	/* 4096 bytes hold 255 records of 16: one byte must stay free. */
	for (uint64_t i = 0; i < 255; i++) {
		record = ringbuf_reserve(rb, 8);
		assert_non_null(record);
		*record = i;
		ringbuf_commit(record, i % 5 == 4 ? RINGBUF_DISCARD : RINGBUF_SUBMIT, 0);
	}
	assert_null(ringbuf_reserve(rb, 8));
	assert_int_equal(ringbuf_query(rb, BPF_RB_AVAIL_DATA), 4080);
	assert_int_equal(vm_ringbuf_consume(vm, RECORDS, see, &seen), 204);
	assert_int_equal(seen.len, 204 * 8);
	/* Records that run over the end of the ring, many rounds. */
	seen = (struct seen){ 0 };
	for (uint64_t i = 0; i < 1000; i++) {
		record = ringbuf_reserve(rb, 1000 + i % 50);
		assert_non_null(record);
		memset(record, 0, 1000 + i % 50);
		*record = i;
		ringbuf_commit(record, RINGBUF_SUBMIT, 0);
		assert_int_equal(vm_ringbuf_consume(vm, RECORDS, see, &seen), 1);
	}
	assert_int_equal(seen.sum, 999 * 1000 / 2);
	/* A record that is not ready holds up those behind it. */
	busy = ringbuf_reserve(rb, 8);
	record = ringbuf_reserve(rb, 8);
	ringbuf_commit(record, RINGBUF_SUBMIT, 0);
	assert_int_equal(vm_ringbuf_consume(vm, RECORDS, see, &seen), 0);
	ringbuf_commit(busy, RINGBUF_SUBMIT, 0);
	assert_int_equal(vm_ringbuf_consume(vm, RECORDS, see, &seen), 2);
	assert_int_equal(vm_ringbuf_consume(vm, HASH, see, &seen), 0);
	assert_int_equal(vm_table_lookup(vm, RECORDS, &key, &key), -ENOENT);
	assert_int_equal(vm_table_update(vm, RECORDS, &key, &key, 0), -EINVAL);
}

/* ---- the ring buffer, several threads --------------------------------------------------------------------- */

#define PRODUCERS 4
#define RECORDS_EACH 20000

struct producer {
	pthread_t thread;
	struct ringbuf *rb;
	uint32_t id;
};

static bool
is_dropped(uint32_t i)
{
	return i % 14 == 3;
}

/* Records (id, 0), (id, 1), ...; some are reserved and dropped. */
static void *
produce(void *arg)
{
	struct producer *producer = arg;

	for (uint32_t i = 0; i < RECORDS_EACH;) {
		uint32_t *record = ringbuf_reserve(producer->rb, 8 + i % 3 * 8);

		if (!record) {
			sched_yield();
			continue;
		}
		record[0] = producer->id;
		record[1] = i;
		ringbuf_commit(record, is_dropped(i) ? RINGBUF_DISCARD : RINGBUF_SUBMIT, 0);
		i++;
	}
	return NULL;
}

struct arrived {
	uint32_t next[PRODUCERS];
	uint32_t n;
	bool bad;
};

static void
arrive(void *arg, const void *record, size_t len)
{
	struct arrived *seen = arg;
	const uint32_t *words = record;
	uint32_t id = words[0], i = seen->next[id % PRODUCERS];

	while (is_dropped(i))
		i++;
	seen->bad |= id >= PRODUCERS || words[1] != i || len != 8 + i % 3 * 8;
	seen->next[id % PRODUCERS] = i + 1;
	seen->n++;
}

static uint32_t
submitted_each(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < RECORDS_EACH; i++)
		n += !is_dropped(i);
	return n;
}

/* Every record arrives once, those of each thread in order, and the consumer sleeps until there is one. */
static void
test_ringbuf_threads(void **state)
{
	struct vm *vm = ((struct fixture *)*state)->vm;
	struct producer producers[PRODUCERS];
	struct pollfd poll_fd = { .fd = vm_ringbuf_fd(vm, RECORDS), .events = POLLIN };
	struct arrived seen = { .n = 0 };

	assert_true(poll_fd.fd >= 0);
	for (uint32_t i = 0; i < PRODUCERS; i++) {
		producers[i] = (struct producer){ .rb = vm->tables[RECORDS].ringbuf, .id = i };
		assert_int_equal(pthread_create(&producers[i].thread, NULL, produce, &producers[i]), 0);
	}
	while (seen.n < PRODUCERS * submitted_each()) {
		assert_int_equal(poll(&poll_fd, 1, 10000), 1);
		vm_ringbuf_consume(vm, RECORDS, arrive, &seen);
	}
	for (uint32_t i = 0; i < PRODUCERS; i++)
		pthread_join(producers[i].thread, NULL);
	assert_false(seen.bad);
	assert_int_equal(vm_ringbuf_consume(vm, RECORDS, arrive, &seen), 0);
}

static bool
is_readable(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) == 1;
}

static void
commit_one(struct vm *vm, uint64_t flags)
{
	uint32_t *record = ringbuf_reserve(vm->tables[RECORDS].ringbuf, 8);

	record[0] = record[1] = 0;
	ringbuf_commit(record, RINGBUF_SUBMIT, flags);
}

/* When the consumer is woken: bpf-helpers(7), bpf_ringbuf_output. */
static void
test_ringbuf_wakeup(void **state)
{
	struct vm *vm = ((struct fixture *)*state)->vm;
	struct arrived seen = { .n = 0 };
	int fd;

	commit_one(vm, 0);
	fd = vm_ringbuf_fd(vm, RECORDS);
	assert_true(is_readable(fd)); /* what came before */
	vm_ringbuf_consume(vm, RECORDS, arrive, &seen);
	assert_false(is_readable(fd));
	commit_one(vm, BPF_RB_NO_WAKEUP);
	assert_false(is_readable(fd));
	commit_one(vm, 0); /* not the one that is waited for */
	assert_false(is_readable(fd));
	commit_one(vm, BPF_RB_FORCE_WAKEUP);
	assert_true(is_readable(fd));
	assert_int_equal(vm_ringbuf_consume(vm, RECORDS, arrive, &seen), 3);
	assert_false(is_readable(fd));
	commit_one(vm, BPF_RB_FORCE_WAKEUP | BPF_RB_NO_WAKEUP); /* the kernel looks at the first */
	assert_true(is_readable(fd));
	assert_int_equal(vm_ringbuf_consume(vm, RECORDS, arrive, &seen), 1);
	commit_one(vm, 0);
	assert_true(is_readable(fd));
	assert_int_equal(vm_ringbuf_fd(vm, HASH), -EINVAL);
}

/* Errno values of array_of_maps and hash_of_maps in bpf(2). */
static void
test_outer(void **state)
{
	struct fixture *f = *state;
	uint32_t one = 1, two = 2, four = 4, seven = 7, index = 0, next = 0;
	struct text why = { 0 };
	struct vm *other = vm_new(f->vm->object, 1, &why);

	assert_ptr_equal(vm_table_held(f->vm, ARRAYS, &one, &index), f->vm);
	assert_int_equal(index, ARRAY);
	assert_null(vm_table_held(f->vm, ARRAYS, &two, &index));
	assert_null(vm_table_held(f->vm, ARRAYS, &four, &index));
	assert_int_equal(vm_table_put(f->vm, ARRAYS, &two, other, ARRAY, BPF_ANY), 0);
	assert_ptr_equal(vm_table_held(f->vm, ARRAYS, &two, &index), other);
	assert_int_equal(vm_table_put(f->vm, ARRAYS, &four, other, ARRAY, BPF_ANY), -E2BIG);
	assert_int_equal(vm_table_put(f->vm, ARRAYS, &two, other, ARRAY, BPF_EXIST), -EINVAL);
	assert_int_equal(vm_table_put(f->vm, ARRAYS, &two, other, HASH, BPF_ANY), -EINVAL);
	assert_int_equal(vm_table_put(f->vm, ARRAYS, &two, other, GLOBALS, BPF_ANY), -EINVAL);
	assert_int_equal(vm_table_put(f->vm, ARRAY, &two, other, ARRAY, BPF_ANY), -EINVAL);
	assert_int_equal(vm_table_update(f->vm, ARRAYS, &two, &one, BPF_ANY), -EINVAL);
	assert_int_equal(vm_table_lookup(f->vm, ARRAYS, &two, &one), -EINVAL);
	assert_int_equal(vm_table_delete(f->vm, ARRAYS, &two), 0);
	assert_int_equal(vm_table_delete(f->vm, ARRAYS, &two), -ENOENT);
	assert_int_equal(vm_table_delete(f->vm, ARRAYS, &four), -E2BIG);
	assert_int_equal(vm_table_next(f->vm, ARRAYS, &one, &next), 0);
	assert_int_equal(next, 2);

	assert_ptr_equal(vm_table_held(f->vm, HASHES, &seven, &index), f->vm);
	assert_int_equal(vm_table_put(f->vm, HASHES, &seven, other, HASH, BPF_NOEXIST), -EEXIST);
	assert_int_equal(vm_table_put(f->vm, HASHES, &one, other, HASH, BPF_EXIST), -ENOENT);
	assert_int_equal(vm_table_put(f->vm, HASHES, &one, other, CPUHASH, BPF_ANY), -EINVAL);
	assert_int_equal(vm_table_put(f->vm, HASHES, &one, other, HASH, BPF_ANY), 0);
	assert_int_equal(vm_table_next(f->vm, HASHES, &seven, &next), 0);
	assert_int_equal(next, 1);
	assert_int_equal(vm_table_delete(f->vm, HASHES, &seven), 0);
	assert_int_equal(vm_table_delete(f->vm, HASHES, &seven), -ENOENT);
	assert_null(vm_table_held(f->vm, HASHES, &seven, &index));
	vm_free(f->vm);
	f->vm = other; /* the one that is put lives longer */
}

/* A program of a machine with four CPUs looks at the value of its own: one of two would be read behind its end. */
static void
test_outer_cpus(void **state)
{
	static struct table inner = { .name = "inner", .kind = TABLE_PERCPU_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1 };
	static struct table outer = { .name = "outer", .kind = TABLE_ARRAY_OF_TABLES, .key_size = 4, .value_size = 4, .max_entries = 1, .element = &inner };
	struct arena *arena = arena_new();
	struct object *object = object_new(arena, "cpus", NULL);
	uint32_t zero = 0, index;
	struct text why = { 0 };
	struct vm *four, *two;

	object_add_table(object, &inner);
	object_add_table(object, &outer);
	four = vm_new(object, 4, &why);
	two = vm_new(object, 2, &why);
	assert_int_equal(vm_table_put(four, 1, &zero, two, 0, BPF_ANY), -EINVAL);
	assert_int_equal(vm_table_put(four, 1, &zero, four, 0, BPF_ANY), 0);
	assert_ptr_equal(vm_table_held(four, 1, &zero, &index), four);
	vm_free(four);
	vm_free(two);
	arena_free(arena);
}

/* Who has tables in common has all rights to them in common. */
static void
test_share(void **state)
{
	static struct table plain = { .name = "t", .kind = TABLE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1 };
	static struct table others[] = {
		{ .name = "t", .kind = TABLE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1, .has_lock = true, .lock_off = 4 },
		{ .name = "t", .kind = TABLE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1, .read_only = true },
		{ .name = "t", .kind = TABLE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1, .write_only = true },
	};
	struct arena *arena = arena_new();
	struct object *one = object_new(arena, "one", NULL), *object = object_new(arena, "others", NULL);
	struct text why = { 0 };
	struct vm *vm, *with;

	object_add_table(one, &plain);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		object_add_table(object, &others[i]);
	object_add_table(object, &plain);
	vm = vm_new(one, 1, &why);
	with = vm_new(object, 1, &why);
	for (uint32_t i = 0; i < ARRAY_SIZE(others); i++) {
		assert_int_equal(vm_table_share(vm, 0, with, i, &why), -EINVAL);
		assert_int_equal(vm_table_share(with, i, vm, 0, &why), -EINVAL);
	}
	assert_int_equal(vm_table_share(vm, 0, with, ARRAY_SIZE(others), &why), 0);
	text_fini(&why);
	vm_free(vm);
	vm_free(with);
	arena_free(arena);
}

/* A new entry may get the memory of one that went away, from whose value it is made; the other CPUs' values are 0. */
static void
test_from_gone(void **state)
{
	static struct table tables[] = {
		{ .name = "hash", .kind = TABLE_PERCPU_HASH, .key_size = 8, .value_size = 12, .max_entries = 1 },
		{ .name = "lru", .kind = TABLE_LRU_PERCPU_HASH, .key_size = 8, .value_size = 12, .max_entries = 1 },
	};
	struct arena *arena = arena_new();
	struct object *object = object_new(arena, "gone", NULL);
	uint64_t one = 1, two = 2, values[3][2] = { { 1, 2 }, { 3, 4 }, { 5, 6 } };
	struct text why = { 0 };
	struct vm *vm;

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		object_add_table(object, &tables[i]);
	vm = vm_new(object, 3, &why);
	for (uint32_t i = 0; i < ARRAY_SIZE(tables); i++) {
		struct vm_table *t = &vm->tables[i];
		void *gone;

		assert_int_equal(vm_table_update(vm, i, &one, values, BPF_ANY), 0);
		gone = table_find(t, &one, 1);
		if (i == 0)
			assert_int_equal(table_remove(t, &one), 0);
		assert_int_equal(table_update(t, &two, gone, BPF_NOEXIST, 1), 0);
		assert_int_equal(vm_table_lookup(vm, i, &two, values), 0);
		assert_memory_equal(values, ((uint64_t[3][2]){ { 0, 0 }, { 3, 4 }, { 0, 0 } }), sizeof(values));
		memcpy(values, (uint64_t[3][2]){ { 1, 2 }, { 3, 4 }, { 5, 6 } }, sizeof(values));
	}
	vm_free(vm);
	arena_free(arena);
}

/* What an object says of a variable's lock is not believed: whoever wanted it would wait for ever. */
static void
test_lock_taken(void **state)
{
	struct table table = { .name = ".data", .kind = TABLE_ARRAY, .key_size = 4, .value_size = 16, .max_entries = 1, .has_lock = true, .lock_off = 4,
			       .init = (uint32_t[]){ 1, 1, 1, 1 } };
	struct arena *arena = arena_new();
	struct object *object = object_new(arena, "lock", NULL);
	struct text why = { 0 };
	struct vm *vm;

	object_add_table(object, &table);
	vm = vm_new(object, 1, &why);
	assert_memory_equal(vm_table_memory(vm, 0), ((uint32_t[]){ 1, 0, 1, 1 }), 16);
	vm_free(vm);
	arena_free(arena);
}

/* Of a stack whose place was taken when it came, the number stays what it is when that place is free again. */
static void
test_stacks_gap(void **state)
{
	struct table table = { .name = "stacks", .kind = TABLE_STACK_TRACE, .key_size = 4, .value_size = 16, .max_entries = 2 };
	struct arena *arena = arena_new();
	struct object *object = object_new(arena, "stacks", NULL);
	struct text why = { 0 };
	struct vm *vm;

	object_add_table(object, &table);
	vm = vm_new(object, 1, &why);
	for (uint64_t pc = 1; pc < 100; pc++) {
		uint64_t first[2] = { 1000, 2000 }, second[2] = { 1000, pc }, third[1] = { pc };
		uint32_t a = (uint32_t)stacks_add(&vm->tables[0], first, 2), b = (uint32_t)stacks_add(&vm->tables[0], second, 2);

		assert_int_equal(a + b, 1);
		assert_int_equal(stacks_add(&vm->tables[0], third, 1), -EEXIST);
		assert_int_equal(vm_table_delete(vm, 0, &a), 0);
		assert_int_equal(stacks_add(&vm->tables[0], second, 2), b);
		assert_int_equal(stacks_add(&vm->tables[0], third, 1), a);
		assert_int_equal(vm_table_delete(vm, 0, &a), 0);
		assert_int_equal(vm_table_delete(vm, 0, &b), 0);
	}
	vm_free(vm);
	arena_free(arena);
}

static void
test_impossible(void **state)
{
	static const struct { struct table table; const char *why; } cases[] = {
		{ { .name = "t", .kind = TABLE_HASH, .key_size = 8, .value_size = 8 }, "max_entries is 0" },
		{ { .name = "t", .kind = TABLE_HASH, .key_size = 0, .value_size = 8, .max_entries = 1 }, "1 to 512" },
		{ { .name = "t", .kind = TABLE_HASH, .key_size = 513, .value_size = 8, .max_entries = 1 }, "1 to 512" },
		{ { .name = "t", .kind = TABLE_HASH, .key_size = 8, .value_size = 0, .max_entries = 1 }, "at least one byte" },
		{ { .name = "t", .kind = TABLE_HASH, .key_size = 8, .value_size = UINT32_MAX, .max_entries = 1 }, "fit into memory" },
		{ { .name = "t", .kind = TABLE_ARRAY, .key_size = 8, .value_size = 8, .max_entries = 1 }, "4 bytes" },
		{ { .name = "t", .kind = TABLE_ARRAY, .key_size = 4, .value_size = 1 << 20, .max_entries = UINT32_MAX }, "gigabyte" },
		{ { .name = "t", .kind = TABLE_RINGBUF, .max_entries = 5000 }, "power of two" },
		{ { .name = "t", .kind = TABLE_RINGBUF, .max_entries = 1u << 31 }, "gigabyte" },
		{ { .name = "t", .kind = TABLE_ARRAY_OF_TABLES, .key_size = 4, .value_size = 4, .max_entries = 1 }, "must be described" },
		{ { .name = "t", .kind = TABLE_ARRAY_OF_TABLES, .key_size = 4, .value_size = 4, .max_entries = UINT32_MAX, .element = &fixture_inner[0] },
		  "gigabyte" },
		{ { .name = "t", .kind = TABLE_PROGRAMS, .key_size = 4, .value_size = 8, .max_entries = 1 }, "4 bytes" },
		{ { .name = "t", .kind = TABLE_PERCPU_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1, .has_lock = true }, "have a lock" },
		{ { .name = "t", .kind = TABLE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1, .has_lock = true, .lock_off = 8 }, "have a lock" },
		{ { .name = "t", .kind = TABLE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1, .has_lock = true, .lock_off = 2 }, "have a lock" },
		{ { .name = "t", .kind = TABLE_STACK_TRACE, .key_size = 4, .value_size = 8, .max_entries = 1, .has_lock = true, .lock_off = 1 << 20 },
		  "have a lock" },
		{ { .name = "t", .kind = TABLE_RINGBUF, .max_entries = 4096, .has_lock = true }, "have a lock" },
		{ { .name = "t", .kind = N_TABLE_KINDS, .max_entries = 5000 }, "does not know" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct arena *arena = arena_new();
		struct object *object = fixture_object(arena);
		struct text why = { 0 };

		object_add_table(object, (struct table *)&cases[i].table);
		assert_null(vm_new(object, 2, &why));
		if (!strstr(why.s, cases[i].why) || !strstr(why.s, "\"t\""))
			fail_msg("%s: %s", cases[i].why, why.s);
		text_fini(&why);
		arena_free(arena);
	}
}

/* Each is permitted, all together are not: nothing is made. */
static void
test_too_many(void **state)
{
	struct table table = { .name = "t", .kind = TABLE_LRU_HASH, .key_size = 8, .value_size = 1 << 20, .max_entries = 1000 };
	struct arena *arena = arena_new();
	struct object *object = object_new(arena, "large", NULL);
	struct text why = { 0 };

	for (int i = 0; i < 5; i++)
		object_add_table(object, &table);
	assert_null(vm_new(object, 1, &why));
	assert_non_null(strstr(why.s, "more than four gigabytes together"));
	text_fini(&why);
	arena_free(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_hash_errno, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hash_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hash_address, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hash_walk, setup, teardown),
		cmocka_unit_test_setup_teardown(test_each, setup, teardown),
		cmocka_unit_test(test_lru_walk),
		cmocka_unit_test(test_hash_large),
		cmocka_unit_test_setup_teardown(test_array, setup, teardown),
		cmocka_unit_test_setup_teardown(test_percpu, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ringbuf, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ringbuf_threads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ringbuf_wakeup, setup, teardown),
		cmocka_unit_test_setup_teardown(test_outer, setup, teardown),
		cmocka_unit_test(test_outer_cpus),
		cmocka_unit_test(test_share),
		cmocka_unit_test(test_from_gone),
		cmocka_unit_test(test_lock_taken),
		cmocka_unit_test(test_stacks_gap),
		cmocka_unit_test(test_impossible),
		cmocka_unit_test(test_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
