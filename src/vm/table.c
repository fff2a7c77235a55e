/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The machine and its tables: makes them from the object, and gives user space access by index, with the meanings of bpf(2).
 *
 * Tables may be used by many threads (vm.h says how); each kind sees to that itself.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "vm/lock.h"
#include "vm/shared.h"
#include "vm/vm_int.h"

/* ---- kinds that only exist --------------------------------------------------------------------------- */

/* The kernel lets user space say how large the buffers of perf events are; this is what ours hold together. */
#define PERF_BYTES (1u << 20)

static int
ring_init(struct vm_table *t)
{
	t->ringbuf = ringbuf_new(t->table->kind == TABLE_RINGBUF ? t->table->max_entries : PERF_BYTES);
	return t->ringbuf ? 0 : -ENOMEM;
}

static void
ring_fini(struct vm_table *t)
{
	ringbuf_free(t->ringbuf);
	t->ringbuf = NULL;
}

void *
nothing_find(struct vm_table *t, const void *key)
{
	return NULL;
}

int
nothing_update(struct vm_table *t, const void *key, const void *value, size_t off, size_t len, uint64_t flags)
{
	return -EINVAL;
}

int
nothing_remove(struct vm_table *t, const void *key)
{
	return -EINVAL;
}

int
nothing_next(struct vm_table *t, const void *key, void *next)
{
	return -EINVAL;
}

static const struct table_ops ring_ops = {
	.init = ring_init,
	.fini = ring_fini,
	.find = nothing_find,
	.update = nothing_update,
	.remove = nothing_remove,
	.next = nothing_next,
};

static const struct table_ops *const ops_of_kind[N_TABLE_KINDS] = {
	[TABLE_HASH] = &hash_ops,
	[TABLE_ARRAY] = &array_ops,
	[TABLE_PERCPU_HASH] = &hash_ops,
	[TABLE_PERCPU_ARRAY] = &array_ops,
	[TABLE_RINGBUF] = &ring_ops,
	[TABLE_PERF_EVENTS] = &ring_ops,
	[TABLE_STACK_TRACE] = &stacks_ops,
	[TABLE_LRU_HASH] = &lru_ops,
	[TABLE_LRU_PERCPU_HASH] = &lru_ops,
	[TABLE_LPM_TRIE] = &lpm_ops,
	[TABLE_QUEUE] = &queue_ops,
	[TABLE_STACK] = &queue_ops,
	[TABLE_BLOOM] = &bloom_ops,
	[TABLE_ARRAY_OF_TABLES] = &outer_ops,
	[TABLE_HASH_OF_TABLES] = &outer_ops,
	[TABLE_PROGRAMS] = &programs_ops,
};

/* ---- new and free --------------------------------------------------------------------------------------- */

static int
bad_table(const struct table *table, struct text *why, const char *cause)
{
	text_printf(why, "table \"%s\" (%s): %s", table->name ? table->name : "?",
		    table->kind < N_TABLE_KINDS ? table_kind_name(table->kind) : "unknown kind", cause);
	return -EINVAL;
}

static bool
is_array(const struct table *table)
{
	return table_kind_is_array(table->kind) || table->kind == TABLE_PROGRAMS;
}

static int
check_table(const struct table *table, uint32_t n_cpus, struct text *why);

static int
check_outer(const struct table *table, uint32_t n_cpus, struct text *why)
{
	if (table->value_size != 4)
		return bad_table(table, why, "values of a table of tables must have 4 bytes");
	if (table->kind == TABLE_ARRAY_OF_TABLES && table->key_size != 4)
		return bad_table(table, why, "keys of an array must have 4 bytes");
	if (table->n_held && table->key_size != 4)
		return bad_table(table, why, "keys must have 4 bytes, where it holds tables from the start");
	if (!table->element || table_kind_holds_tables(table->element->kind))
		return bad_table(table, why, "what it holds must be described, and be no tables of tables");
	return check_table(table->element, n_cpus, why);
}

static bool
can_have_lock(const struct table *table)
{
	return (table->kind == TABLE_HASH || table->kind == TABLE_ARRAY) && !table->read_only && !table->write_only && table->lock_off % 4 == 0 &&
	       table->value_size >= sizeof(struct lock) && table->lock_off <= table->value_size - sizeof(struct lock);
}

static int
check_stacks(const struct table *table, struct text *why)
{
	if (table->key_size != 4)
		return bad_table(table, why, "keys must have 4 bytes");
	if (!table->value_size || table->value_size % 8 || table->value_size > 8 * VM_STACK_DEPTH_MAX)
		return bad_table(table, why, "values must be 1 to 255 addresses of 8 bytes");
	if (table->max_entries > VM_TABLE_BYTES_MAX / 2 / table->value_size)
		return bad_table(table, why, "it would take more than a gigabyte; make it smaller");
	return 0;
}

/* The memory for max_entries values is taken at once, in one piece. */
static bool
takes_all_memory(const struct table *table)
{
	switch (table->kind) {
	case TABLE_ARRAY:
	case TABLE_ARRAY_OF_TABLES:
	case TABLE_PROGRAMS:
	case TABLE_PERCPU_ARRAY:
	case TABLE_LRU_HASH:
	case TABLE_LRU_PERCPU_HASH:
	case TABLE_QUEUE:
	case TABLE_STACK:
	case TABLE_BLOOM:
		return true;
	case TABLE_HASH:
	case TABLE_HASH_OF_TABLES:
	case TABLE_PERCPU_HASH:
	case TABLE_LPM_TRIE:
	case TABLE_RINGBUF:
	case TABLE_PERF_EVENTS:
	case TABLE_STACK_TRACE:
	case N_TABLE_KINDS:
		break;
	}
	return false;
}

/* Bytes that a table takes when it is made, checked but for its size; UINT64_MAX: too many to say. Tables that grow with their use: 0. */
static uint64_t
table_bytes(const struct table *table, uint32_t n_cpus)
{
	uint64_t entry = round_up(table->value_size, 8) * (table_kind_is_per_cpu(table->kind) ? n_cpus : 1), bytes;

	if (table->kind == TABLE_RINGBUF)
		return table->max_entries;
	if (table->kind == TABLE_STACK_TRACE)
		return 2ull * table->max_entries * table->value_size;
	if (!takes_all_memory(table))
		return 0;
	if (table->kind == TABLE_LRU_HASH || table->kind == TABLE_LRU_PERCPU_HASH)
		entry += round_up(table->key_size, 8) + 48;
	return __builtin_mul_overflow(entry, table->max_entries, &bytes) ? UINT64_MAX : bytes;
}

/* The limits that bpf(2) has, and those of our memory. */
static int
check_table(const struct table *table, uint32_t n_cpus, struct text *why)
{
	if (table->kind >= N_TABLE_KINDS)
		return bad_table(table, why, "this engine does not know the kind");
	if (!table->max_entries)
		return bad_table(table, why, "max_entries is 0");
	if (table->has_lock && !can_have_lock(table))
		return bad_table(table, why, "only values of hash tables and arrays that programs may read and write have a lock, inside, at a multiple of 4");
	if (table->kind == TABLE_RINGBUF) {
		if (table->max_entries & (table->max_entries - 1) || table->max_entries < 4096)
			return bad_table(table, why, "its size must be a power of two of at least 4096 bytes");
		return table->max_entries > VM_TABLE_BYTES_MAX ? bad_table(table, why, "it would take more than a gigabyte; make it smaller") : 0;
	}
	if (table->kind == TABLE_STACK_TRACE)
		return check_stacks(table, why);
	if (!table_kind_has_keys(table->kind) && table->key_size)
		return bad_table(table, why, "it has no keys: their size must be 0");
	if (table_kind_has_keys(table->kind) && (!table->key_size || table->key_size > VM_KEY_MAX))
		return bad_table(table, why, "keys must have 1 to 512 bytes");
	if (table->kind == TABLE_LPM_TRIE && (table->key_size < 5 || table->key_size > 4 + 256))
		return bad_table(table, why, "its keys must have 5 to 260 bytes: 4 of the prefix' length, then the bits");
	if (!table->value_size || table->value_size > VM_TABLE_BYTES_MAX / n_cpus)
		return bad_table(table, why, "values must have at least one byte and fit into memory");
	if (table_kind_holds_tables(table->kind) && check_outer(table, n_cpus, why))
		return -EINVAL;
	if (is_array(table) && table->key_size != 4)
		return bad_table(table, why, "keys of an array must have 4 bytes");
	if (table->kind == TABLE_PROGRAMS && table->value_size != 4)
		return bad_table(table, why, "values of a table of programs must have 4 bytes");
	if (table_bytes(table, n_cpus) > VM_TABLE_BYTES_MAX)
		return bad_table(table, why, "it would take more than a gigabyte; make it smaller");
	return 0;
}

/* Each, and what all of them take together. */
static int
check_all_tables(const struct object *object, uint32_t n_cpus, struct text *why)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < object->n_tables; i++) {
		int err = check_table(object->tables[i], n_cpus, why);

		if (err)
			return err;
		bytes += table_bytes(object->tables[i], n_cpus);
		if (bytes > VM_TABLES_BYTES_MAX)
			return bad_table(object->tables[i], why, "with it, the tables would take more than four gigabytes together");
	}
	return 0;
}

static int
init_table(struct vm_table *t, const struct table *table, uint32_t n_cpus, struct text *why)
{
	t->table = table;
	t->ops = ops_of_kind[table->kind];
	t->n_cpus = table_kind_is_per_cpu(table->kind) ? n_cpus : 1;
	t->stride = (uint32_t)round_up(table->value_size, 8);
	if (t->ops->init(t)) {
		bad_table(table, why, "out of memory");
		return -ENOMEM;
	}
	return 0;
}

/* The tables that those of `vm` hold from the start. */
static int
put_held(struct vm *vm, struct text *why)
{
	for (uint32_t t = 0; t < vm->object->n_tables; t++) {
		const struct table *table = vm->object->tables[t];

		for (uint32_t i = 0; table_kind_holds_tables(table->kind) && i < table->n_held; i++) {
			const struct held *held = &table->held[i];
			int err = held->index < vm->object->n_tables ? outer_put(&vm->tables[t], &held->key, &vm->tables[held->index], BPF_ANY) : -EINVAL;

			if (err)
				return text_printf(why, "table \"%s\": place %" PRIu32 ": table \"%s\" cannot be there: %s", table->name, held->key,
						   held->index < vm->object->n_tables ? vm->object->tables[held->index]->name : "?",
						   err == -EINVAL ? "it is not like those that are described" : strerror(-err)), err;
		}
	}
	return 0;
}

static int64_t
clock_minus_monotonic(clockid_t clock)
{
	struct timespec there, here;

	if (clock_gettime(clock, &there) || clock_gettime(CLOCK_MONOTONIC, &here))
		return 0;
	return (there.tv_sec - here.tv_sec) * 1000000000ll + there.tv_nsec - here.tv_nsec;
}

static int
init_tables(struct vm *vm, struct text *why)
{
	int err = check_all_tables(vm->object, vm->n_cpus, why);

	for (uint32_t i = 0; i < vm->object->n_tables && !err; i++) {
		err = init_table(&vm->tables[i], vm->object->tables[i], vm->n_cpus, why);
		vm->tables[i].vm = vm;
	}
	return err ? err : put_held(vm, why);
}

struct vm *
vm_new(const struct object *object, uint32_t n_cpus, struct text *why)
{
	struct vm *vm;
	int err;

	if (!n_cpus || n_cpus > 65536) {
		text_printf(why, "a machine with %" PRIu32 " CPUs: there must be 1 to 65536", n_cpus);
		errno = EINVAL;
		return NULL;
	}
	vm = mem_alloc(sizeof(*vm));
	if (vm)
		vm->tables = mem_alloc(object->n_tables * sizeof(*vm->tables));
	if (!vm || !vm->tables) {
		text_puts(why, "out of memory for the tables of the user engine");
		free(vm);
		errno = ENOMEM;
		return NULL;
	}
	vm->object = object;
	vm->n_cpus = n_cpus;
	if (getrandom(&vm->random, sizeof(vm->random), GRND_NONBLOCK) != sizeof(vm->random) || !vm->random)
		vm->random = 88172645463325252u;
	vm->boot_minus_monotonic = clock_minus_monotonic(CLOCK_BOOTTIME);
	vm->tai_minus_monotonic = clock_minus_monotonic(CLOCK_TAI);
	err = init_tables(vm, why);
	if (!err)
		return vm;
	vm_free(vm);
	errno = -err;
	return NULL;
}

void
vm_free(struct vm *vm)
{
	if (!vm)
		return;
	vm_programs_free(vm->programs);
	for (uint32_t i = 0; i < vm->object->n_tables; i++)
		if (vm->tables[i].ops && !vm->tables[i].shared)
			vm->tables[i].ops->fini(&vm->tables[i]);
	free(vm->tables);
	free(vm);
}

const struct table *
vm_table_of(const struct vm *vm, uint32_t table)
{
	return vm->object->tables[table];
}

/* All that is in it programs may read and write as they like. */
static bool
is_plain(const struct table *table)
{
	return !table->read_only && !table->write_only && !table->has_lock;
}

int
vm_table_share(struct vm *vm, uint32_t index, const struct vm *from, uint32_t from_index, struct text *why)
{
	struct vm_table *t = &vm->tables[index];
	const struct vm_table *other = &from->tables[from_index];
	const struct table *mine = t->table, *theirs = other->table;

	if ((mine->kind != TABLE_HASH && mine->kind != TABLE_ARRAY) || mine->kind != theirs->kind || mine->key_size != theirs->key_size ||
	    mine->value_size != theirs->value_size || mine->max_entries != theirs->max_entries || !is_plain(mine) || !is_plain(theirs)) {
		text_printf(why, "table \"%s\": the one to be shared must be a hash table or array of the same sizes that programs may write, without locks: "
			    "%s of keys of %" PRIu32 ", values of %" PRIu32 " bytes, %" PRIu32 " entries", mine->name,
			    table_kind_name(mine->kind), mine->key_size, mine->value_size, mine->max_entries);
		return -EINVAL;
	}
	if (!t->shared) /* by an earlier call: then it is another machine's */
		t->ops->fini(t);
	*t = *other;
	t->table = mine;
	t->vm = vm;
	t->shared = true;
	return 0;
}

/* ---- as programs see a table ------------------------------------------------------------------------------- */

void *
table_find(struct vm_table *t, const void *key, uint32_t cpu)
{
	char *value = t->ops->find(t, key);

	return value && t->n_cpus > 1 ? value + (size_t)cpu * t->stride : value;
}

/* All but the lock. `from` may be the value itself: a program may update an entry from its own value. */
static void
copy_beside_lock(const struct vm_table *t, char *to, const char *from, size_t len)
{
	size_t lock = t->table->lock_off, behind = lock + sizeof(struct lock);

	memmove(to, from, len < lock ? len : lock);
	if (len > behind)
		memmove(to + behind, from + behind, len - behind);
}

static struct lock *
lock_of(const struct vm_table *t, void *value)
{
	return (struct lock *)((char *)value + t->table->lock_off);
}

void
value_write(const struct vm_table *t, void *value, const void *from, size_t off, size_t len)
{
	if (!t->table->has_lock) {
		shared_write((char *)value + off, from, len);
		return;
	}
	lock_take(lock_of(t, value));
	copy_beside_lock(t, value, from, len); /* values of one CPU: off is 0 */
	lock_give(lock_of(t, value));
}

void
values_zero_others(const struct vm_table *t, void *values, size_t off, size_t len)
{
	size_t end = off + round_up(len, 8);

	shared_zero(values, off);
	shared_zero((char *)values + end, (size_t)t->n_cpus * t->stride - end);
}

void
value_read(const struct vm_table *t, void *to, void *value, size_t len)
{
	if (!t->table->has_lock) {
		shared_read(to, value, len);
		return;
	}
	lock_take(lock_of(t, value));
	copy_beside_lock(t, to, value, len);
	lock_give(lock_of(t, value));
	memset(lock_of(t, to), 0, sizeof(struct lock));
}

/* `len` bytes of the value at `off`. BPF_F_LOCK asks for what is done to values with a lock anyway. */
static int
update_at(struct vm_table *t, const void *key, const void *value, size_t off, size_t len, uint64_t flags)
{
	if (t->table->has_lock)
		flags &= ~(uint64_t)BPF_F_LOCK;
	if (flags > BPF_EXIST)
		return -EINVAL;
	return t->ops->update(t, key, value, off, len, flags);
}

int
table_update(struct vm_table *t, const void *key, const void *value, uint64_t flags, uint32_t cpu)
{
	return update_at(t, key, value, t->n_cpus > 1 ? (size_t)cpu * t->stride : 0, t->table->value_size, flags);
}

int
table_remove(struct vm_table *t, const void *key)
{
	return t->ops->remove(t, key);
}

uint32_t
table_each(struct vm_table *t, bool (*fn)(void *arg, const void *key, char *value), void *arg)
{
	_Alignas(8) char key[VM_KEY_MAX];
	struct table_walk walk = { 0 };
	bool ends = false;
	uint32_t n = 0;
	char *value;

	if (t->ops->walk_begin)
		t->ops->walk_begin(t, &walk);
	for (; !ends && n < t->table->max_entries && (value = t->ops->walk_next(t, &walk, key)); n++)
		ends = fn(arg, key, value);
	if (t->ops->walk_end)
		t->ops->walk_end(t, &walk);
	return n;
}

/* ---- as user space sees it ----------------------------------------------------------------------------------- */

/* Bytes of a value as user space sees it: those of all CPUs. */
static size_t
value_len(const struct vm_table *t)
{
	return table_kind_is_per_cpu(t->table->kind) ? (size_t)t->n_cpus * t->stride : t->table->value_size;
}

int
vm_table_lookup(struct vm *vm, uint32_t table, const void *key, void *value)
{
	struct vm_table *t = &vm->tables[table];
	void *found;

	if (t->ops->peek)
		return t->ops->peek(t, value);
	if (t->ops->read)
		return t->ops->read(t, key, value, value_len(t));
	found = t->ops->find(t, key);
	if (!found)
		return -ENOENT;
	value_read(t, value, found, value_len(t));
	return 0;
}

void *
vm_table_find(struct vm *vm, uint32_t table, const void *key)
{
	struct vm_table *t = &vm->tables[table];

	return t->ops->find(t, key);
}

/* What vm_table_each was called with, and what its fn said last. */
struct each {
	int (*fn)(void *arg, const void *key);
	void *arg;
	int result;
};

static bool
give_key(void *arg, const void *key, char *value)
{
	struct each *each = arg;

	(void)value;
	each->result = each->fn(each->arg, key);
	return each->result;
}

int
vm_table_each(struct vm *vm, uint32_t table, int (*fn)(void *arg, const void *key), void *arg)
{
	struct vm_table *t = &vm->tables[table];
	struct each each = { .fn = fn, .arg = arg };

	if (!t->ops->walk_next)
		return -EINVAL;
	table_each(t, give_key, &each);
	return each.result;
}

int
vm_table_update(struct vm *vm, uint32_t table, const void *key, const void *value, uint64_t flags)
{
	struct vm_table *t = &vm->tables[table];

	if (table_is_constant(t->table))
		return -EPERM; /* like a frozen map */
	if (t->ops->push)
		return t->ops->push(t, value, flags);
	return update_at(t, key, value, 0, value_len(t), flags);
}

int
vm_table_put(struct vm *vm, uint32_t table, const void *key, struct vm *from, uint32_t inner, uint64_t flags)
{
	struct vm_table *t = &vm->tables[table];

	return t->ops == &outer_ops ? outer_put(t, key, &from->tables[inner], flags) : -EINVAL;
}

struct vm *
vm_table_held(struct vm *vm, uint32_t table, const void *key, uint32_t *inner)
{
	struct vm_table *t = &vm->tables[table], *held = t->ops == &outer_ops ? t->ops->find(t, key) : NULL;

	if (held)
		*inner = (uint32_t)(held - held->vm->tables);
	return held ? held->vm : NULL;
}

void
vm_set_host(struct vm *vm, void *host)
{
	vm->host = host;
}

void *
vm_host(const struct vm *vm)
{
	return vm->host;
}

int
vm_table_pop(struct vm *vm, uint32_t table, void *value)
{
	struct vm_table *t = &vm->tables[table];

	return t->ops->pop ? t->ops->pop(t, value) : -EINVAL;
}

int
vm_table_delete(struct vm *vm, uint32_t table, const void *key)
{
	return table_remove(&vm->tables[table], key);
}

int
vm_table_next(struct vm *vm, uint32_t table, const void *key, void *next)
{
	struct vm_table *t = &vm->tables[table];

	return t->ops->next(t, key, next);
}

uint32_t
vm_table_count(const struct vm *vm, uint32_t table)
{
	const struct vm_table *t = &vm->tables[table];

	return t->ops->count ? t->ops->count(t) : t->table->max_entries;
}

void *
vm_table_memory(struct vm *vm, uint32_t table)
{
	struct vm_table *t = &vm->tables[table];
	size_t len;

	return t->table->kind == TABLE_ARRAY ? array_memory(t, &len) : NULL;
}

int
vm_ringbuf_consume(struct vm *vm, uint32_t table, void (*fn)(void *arg, const void *record, size_t len), void *arg)
{
	struct vm_table *t = &vm->tables[table];

	return t->ops == &ring_ops ? ringbuf_consume(t->ringbuf, fn, arg) : 0;
}

int
vm_ringbuf_fd(struct vm *vm, uint32_t table)
{
	return vm->tables[table].ops == &ring_ops ? ringbuf_fd(vm->tables[table].ringbuf) : -EINVAL;
}
