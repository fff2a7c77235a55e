/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Many threads on one machine: no lookup finds the value of another key or half a key while entries come, go and move; no update,
 * no atomic addition of a program, no addition under a lock and no record of a ring buffer is lost; what is there afterwards is what the threads put there.
 *
 * What vm.h ("Threads") promises of each kind of table is tested here, of all kinds by the same threads. None of it depends on how fast a
 * thread is, or on luck: where a race does not happen, a test sees nothing wrong.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vm_fixture.h"

#include "vm/vm_int.h"

#define N_THREADS 4
#ifdef __SANITIZE_THREAD__
#define ROUNDS 20000 /* the thread sanitizer sees a race that did not happen, too, and needs ten times as long */
#else
#define ROUNDS 300000
#endif
#define KEYS 64 /* few, so that entries are reused at once */

/* A key of three words and a value that tells whose it is, from its first to its last word. */
struct wide_key { uint64_t a, b, c; };
struct wide_value { uint64_t words[4]; };

/* Two numbers that are the same whenever nobody holds the lock. */
struct pair { uint64_t a, b; uint32_t lock, unused; };

static struct table tables[] = {
	{ .name = "wide", .kind = TABLE_HASH, .key_size = sizeof(struct wide_key), .value_size = sizeof(struct wide_value), .max_entries = 4096 },
	{ .name = "counts", .kind = TABLE_HASH, .key_size = 8, .value_size = 8, .max_entries = 4096 },
	{ .name = "records", .kind = TABLE_RINGBUF, .max_entries = 65536 },
	{ .name = "pairs", .kind = TABLE_HASH, .key_size = 8, .value_size = sizeof(struct pair), .max_entries = 4, .has_lock = true,
	  .lock_off = offsetof(struct pair, lock) },
};

struct shared {
	struct vm *vm;
	pthread_barrier_t start;
	struct vm_program *program;
	uint32_t n_done;
};

struct worker {
	struct shared *shared;
	uint64_t number;
	uint64_t n_found, n_wrong;
	uint64_t n_stamps, sum;
	void *held;
	int made[KEYS]; /* entries of each key: those that it made less those that it took away */
};

static void
open_tables(struct shared *shared, struct arena *arena, struct table *list, size_t n, const char *text)
{
	struct object *object = object_new(arena, "threads", NULL);
	struct text why = { 0 };
	int err;

	*shared = (struct shared){ 0 };
	for (size_t i = 0; i < n; i++)
		object_add_table(object, &list[i]);
	shared->vm = vm_new(object, N_THREADS, &why);
	assert_non_null(shared->vm);
#ifdef __SANITIZE_THREAD__
	vm_set_exec(shared->vm, VM_EXEC_INTERP); /* that machine code found an entry after it was published, the thread sanitizer does not see */
#endif
	if (!text)
		return;
	shared->program = vm_load(shared->vm, fixture_func(object, "program", text), &(struct vm_signature){ .args = { { VM_ARG_SCALAR, 0 } } },
				  &why, &err);
	if (!shared->program)
		fail_msg("%s", why.s);
}

static void
open_shared(struct shared *shared, struct arena *arena, const char *text)
{
	open_tables(shared, arena, tables, ARRAY_SIZE(tables), text);
}

static void
run_threads(struct shared *shared, struct worker *workers, void *(*fn)(void *), void (*meanwhile)(struct shared *shared))
{
	pthread_t threads[N_THREADS];

	pthread_barrier_init(&shared->start, NULL, N_THREADS);
	for (uint64_t i = 0; i < N_THREADS; i++) {
		workers[i] = (struct worker){ .shared = shared, .number = i };
		assert_int_equal(pthread_create(&threads[i], NULL, fn, &workers[i]), 0);
	}
	if (meanwhile)
		meanwhile(shared);
	for (int i = 0; i < N_THREADS; i++)
		pthread_join(threads[i], NULL);
	pthread_barrier_destroy(&shared->start);
}

static struct wide_key
key_of(uint64_t n)
{
	return (struct wide_key){ n, ~n, n * 3 };
}

static uint64_t
next_random(uint64_t *x)
{
	*x ^= *x << 13;
	*x ^= *x >> 7;
	return *x ^= *x << 17;
}

/* Adds, deletes and looks up keys that all threads use; each value holds its key's number four times. */
static void *
come_and_go(void *arg)
{
	struct worker *w = arg;
	uint64_t x = w->number + 88172645463325252u;

	pthread_barrier_wait(&w->shared->start);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t n = next_random(&x) % KEYS;
		struct wide_key key = key_of(n), next;
		struct wide_value value = { { n, n, n, n } }, found = { { 0 } };

		switch (next_random(&x) % 4) {
		case 0:
			if (vm_table_update(w->shared->vm, 0, &key, &value, BPF_ANY))
				w->n_wrong++;
			break;
		case 1:
			vm_table_delete(w->shared->vm, 0, &key);
			break;
		case 2:
			if (!vm_table_next(w->shared->vm, 0, &key, &next) && next.b != ~next.a)
				w->n_wrong++;
			break;
		default:
			if (vm_table_lookup(w->shared->vm, 0, &key, &found))
				break;
			w->n_found++;
			for (int word = 0; word < 4; word++)
				w->n_wrong += found.words[word] != n;
		}
	}
	return NULL;
}

static void
test_come_and_go(void **state)
{
	struct arena *arena = arena_new();
	struct worker workers[N_THREADS];
	struct wide_key key, next;
	struct shared shared;
	uint64_t n_found = 0, n_left = 0;

	open_shared(&shared, arena, NULL);
	run_threads(&shared, workers, come_and_go, NULL);
	for (int i = 0; i < N_THREADS; i++) {
		assert_int_equal(workers[i].n_wrong, 0);
		n_found += workers[i].n_found;
	}
	assert_true(n_found > ROUNDS / 100);
	for (int err = vm_table_next(shared.vm, 0, NULL, &next); !err; err = vm_table_next(shared.vm, 0, &key, &next)) {
		key = next;
		n_left++;
	}
	for (uint64_t n = 0; n < KEYS; n++) {
		struct wide_value value;

		key = key_of(n);
		n_left -= !vm_table_lookup(shared.vm, 0, &key, &value);
	}
	assert_int_equal(n_left, 0);
	vm_free(shared.vm);
	arena_free(arena);
}

/*
 * A long chain whose last entries stay, and whose first come, go and are at once part of another chain: who looks for one of those
 * that stay is led astray, and must notice.
 */
#define N_STAY 6
#define N_CHURN 8

/* The n-th key whose chain is `bucket` of the 16 that a table begins with. */
static uint64_t
key_in(uint64_t bucket, int n)
{
	for (uint64_t key = 0;; key++)
		if ((hash_key(&key, sizeof(key)) & 15) == bucket && !n--)
			return key;
}

/* r1 is a key of "counts": its value, or 0. As machine code that is another lookup than the C function's. */
#define LOOK_UP "*(u64 *)(r10 - 8) = r1\nr2 = r10\nr2 += -8\nr1 = table 1 ll\ncall 1\nif r0 == 0 goto out\nr0 = *(u64 *)(r0 + 0)\nout: exit\n"

static uint64_t
look_up(const struct worker *w, uint64_t key)
{
	return vm_run(w->shared->vm, w->shared->program, NULL, (uint64_t[5]){ key });
}

static void *
stay_and_churn(void *arg)
{
	struct worker *w = arg;
	uint64_t keys[N_CHURN], stay[N_STAY], x = w->number + 1;

	for (int i = 0; i < N_STAY; i++)
		stay[i] = key_in(0, i + 1); /* the first is 0, as what is not there */
	/* Two threads change, each keys of its own, in two chains by turns; the others look. */
	for (int i = 0; i < N_CHURN / 2; i++)
		keys[i] = key_in(i % 2, 10 + 10 * (int)w->number + i);
	pthread_barrier_wait(&w->shared->start);
	for (int i = 0; i < 10 * ROUNDS; i++) {
		if (w->number < 2) {
			uint64_t key = keys[next_random(&x) % (N_CHURN / 2)];

			if (vm_table_delete(w->shared->vm, 1, &key))
				w->n_wrong += vm_table_update(w->shared->vm, 1, &key, &key, BPF_ANY) != 0;
		} else if (i % 2) {
			w->n_wrong += look_up(w, stay[i % N_STAY]) != stay[i % N_STAY];
		} else {
			const uint64_t *value = vm_table_find(w->shared->vm, 1, &stay[i % N_STAY]);

			w->n_wrong += !value || *value != stay[i % N_STAY];
		}
	}
	return NULL;
}

static void
test_stay(void **state)
{
	struct arena *arena = arena_new();
	struct worker workers[N_THREADS];
	struct shared shared;

	open_shared(&shared, arena, LOOK_UP);
	for (int i = 0; i < N_STAY; i++) {
		uint64_t key = key_in(0, i + 1);

		assert_int_equal(vm_table_update(shared.vm, 1, &key, &key, BPF_ANY), 0);
	}
	run_threads(&shared, workers, stay_and_churn, NULL);
	for (int i = 0; i < N_THREADS; i++)
		assert_int_equal(workers[i].n_wrong, 0);
	vm_free(shared.vm);
	arena_free(arena);
}

/* Each thread adds keys of its own while the table grows, and finds all that it added at any time. */
static void *
grow(void *arg)
{
	struct worker *w = arg;

	for (uint64_t i = 0; i < 1000; i++) {
		uint64_t key = w->number << 32 | i, old = w->number << 32 | i / 2, value = ~key;

		w->n_wrong += vm_table_update(w->shared->vm, 1, &key, &value, BPF_NOEXIST) != 0;
		w->n_wrong += vm_table_lookup(w->shared->vm, 1, &old, &value) != 0 || value != ~old;
		w->n_wrong += vm_table_find(w->shared->vm, 1, &old) == NULL;
		w->n_wrong += look_up(w, old) != ~old;
	}
	return NULL;
}

static void
test_grow(void **state)
{
	struct arena *arena = arena_new();
	struct worker workers[N_THREADS];
	struct shared shared;
	uint64_t one_more = UINT64_MAX, n = 0, key;

	open_shared(&shared, arena, LOOK_UP);
	run_threads(&shared, workers, grow, NULL);
	for (int i = 0; i < N_THREADS; i++)
		assert_int_equal(workers[i].n_wrong, 0);
	for (uint64_t next, *from = NULL; !vm_table_next(shared.vm, 1, from, &next); from = &key) {
		key = next;
		n++;
	}
	assert_int_equal(n, N_THREADS * 1000);
	/* 4000 of 4096: the count of entries is exact */
	for (; n < 4096; n++, one_more--)
		assert_int_equal(vm_table_update(shared.vm, 1, &one_more, &one_more, BPF_ANY), 0);
	assert_int_equal(vm_table_update(shared.vm, 1, &one_more, &one_more, BPF_ANY), -E2BIG);
	vm_free(shared.vm);
	arena_free(arena);
}

/* Runs the program: r1 is a key of "counts", to whose value it adds 1, and makes it where it is absent. */
static void *
count(void *arg)
{
	struct worker *w = arg;
	struct vm_env env = { .cpu = (uint32_t)w->number };

	for (uint64_t i = 0; i < ROUNDS; i++)
		w->n_wrong += vm_run(w->shared->vm, w->shared->program, &env, (uint64_t[5]){ i % 7 }) != 0;
	return NULL;
}

static void
test_count(void **state)
{
	struct arena *arena = arena_new();
	struct worker workers[N_THREADS];
	struct shared shared;
	uint64_t sum = 0;

	open_shared(&shared, arena,
		"*(u64 *)(r10 - 8) = r1\n*(u64 *)(r10 - 16) = 0\n"
		"r2 = r10\nr2 += -8\nr3 = r10\nr3 += -16\nr4 = 1\nr1 = table 1 ll\ncall 2\n" /* made by one of them */
		"r2 = r10\nr2 += -8\nr1 = table 1 ll\ncall 1\nif r0 == 0 goto out\nr1 = 1\nlock *(u64 *)(r0 + 0) += r1\nr0 = 0\nexit\nout:\nr0 = 1\nexit\n");
	run_threads(&shared, workers, count, NULL);
	for (int i = 0; i < N_THREADS; i++)
		assert_int_equal(workers[i].n_wrong, 0);
	for (uint64_t key = 0; key < 7; key++) {
		uint64_t value;

		assert_int_equal(vm_table_lookup(shared.vm, 1, &key, &value), 0);
		sum += value;
	}
	assert_int_equal(sum, (uint64_t)N_THREADS * ROUNDS);
	vm_free(shared.vm);
	arena_free(arena);
}

/* ---- the ring buffer ------------------------------------------------------------------------------------------------ */

/* r1 goes out as a record; what does not fit is tried again. */
static void *
send(void *arg)
{
	struct worker *w = arg;

	for (uint64_t i = 0; i < ROUNDS; i++)
		while (vm_run(w->shared->vm, w->shared->program, NULL, (uint64_t[5]){ w->number << 32 | i }))
			sched_yield();
	__atomic_add_fetch(&w->shared->n_done, 1, __ATOMIC_RELEASE);
	return NULL;
}

static uint64_t next_of[N_THREADS], n_out_of_order;

static void
receive(void *arg, const void *record, size_t len)
{
	uint64_t number = *(const uint64_t *)record;

	n_out_of_order += len != 8 || number >> 32 >= N_THREADS || next_of[number >> 32]++ != (uint32_t)number;
}

static void
receive_all(struct shared *shared)
{
	while (__atomic_load_n(&shared->n_done, __ATOMIC_ACQUIRE) < N_THREADS)
		if (!vm_ringbuf_consume(shared->vm, 2, receive, NULL))
			sched_yield();
	vm_ringbuf_consume(shared->vm, 2, receive, NULL);
}

static void
test_ringbuf(void **state)
{
	struct arena *arena = arena_new();
	struct worker workers[N_THREADS];
	struct shared shared;

	open_shared(&shared, arena,
		"*(u64 *)(r10 - 8) = r1\nr1 = table 2 ll\nr2 = r10\nr2 += -8\nr3 = 8\nr4 = 0\ncall 130\nexit\n");
	run_threads(&shared, workers, send, receive_all);
	assert_int_equal(n_out_of_order, 0);
	for (int i = 0; i < N_THREADS; i++)
		assert_int_equal(next_of[i], ROUNDS);
	vm_free(shared.vm);
	arena_free(arena);
}

/* ---- locks ---------------------------------------------------------------------------------------------------------- */

#define PAIR_ROUNDS 20000

/* r6 = the pair of key 0, locked. */
#define LOCK_PAIR \
	"*(u64 *)(r10 - 8) = 0\nr1 = table 3 ll\nr2 = r10\nr2 += -8\ncall 1\nif r0 == 0 goto out\n" \
	"r6 = r0\nr1 = r6\nr1 += 16\ncall 93\n"
#define UNLOCK_PAIR "r1 = r6\nr1 += 16\ncall 94\nout: r0 = 0\nexit\n"

/* Both numbers one up, by instructions that are not atomic; and now and then user space looks at them, or writes both. */
static void *
count_pairs(void *arg)
{
	struct worker *w = arg;
	uint64_t key = 0;
	struct pair pair;

	pthread_barrier_wait(&w->shared->start);
	for (int i = 0; i < PAIR_ROUNDS; i++) {
		vm_run(w->shared->vm, w->shared->program, NULL, (uint64_t[5]){ 0 });
		w->n_wrong += vm_table_lookup(w->shared->vm, 3, &key, &pair) || pair.a != pair.b || pair.lock;
	}
	return NULL;
}

static void *
write_pairs(void *arg)
{
	struct worker *w = arg;
	uint64_t key = 0;

	pthread_barrier_wait(&w->shared->start);
	for (uint64_t i = 0; i < PAIR_ROUNDS; i++) {
		struct pair pair = { i << 8 | w->number, i << 8 | w->number, UINT32_MAX, 0 };

		vm_run(w->shared->vm, w->shared->program, NULL, (uint64_t[5]){ 0 });
		w->n_wrong += vm_table_update(w->shared->vm, 3, &key, &pair, i & 1 ? BPF_F_LOCK : BPF_ANY) != 0;
		w->n_wrong += vm_table_lookup(w->shared->vm, 3, &key, &pair) || pair.a != pair.b;
	}
	return NULL;
}

static void
load_pairs(struct shared *shared, struct arena *arena, enum vm_exec exec, const char *text)
{
	const struct pair pair = { 0 };
	struct text why = { 0 };
	uint64_t key = 0;
	int err;

	open_shared(shared, arena, NULL);
	vm_set_exec(shared->vm, exec);
	shared->program = vm_load(shared->vm, fixture_func((struct object *)(uintptr_t)shared->vm->object, "program", text),
				  &(struct vm_signature){ .args = { { VM_ARG_SCALAR, 0 } } }, &why, &err);
	if (!shared->program)
		fail_msg("%s", why.s);
	assert_int_equal(vm_table_update(shared->vm, 3, &key, &pair, BPF_ANY), 0);
}

static void
check_lock(enum vm_exec exec, void *(*fn)(void *), uint64_t sum)
{
	struct arena *arena = arena_new();
	struct worker workers[N_THREADS];
	struct shared shared;
	struct pair pair;
	uint64_t key = 0;

	load_pairs(&shared, arena, exec, LOCK_PAIR "r7 = *(u64 *)(r6 + 0)\nr7 += 1\n*(u64 *)(r6 + 0) = r7\nr7 = *(u64 *)(r6 + 8)\nr7 += 1\n"
						   "*(u64 *)(r6 + 8) = r7\n" UNLOCK_PAIR);
	run_threads(&shared, workers, fn, NULL);
	for (int i = 0; i < N_THREADS; i++)
		assert_int_equal(workers[i].n_wrong, 0);
	assert_int_equal(vm_table_lookup(shared.vm, 3, &key, &pair), 0);
	assert_int_equal(pair.a, pair.b);
	if (sum)
		assert_int_equal(pair.a, sum);
	vm_free(shared.vm);
	arena_free(arena);
}

static void
test_lock(void **state)
{
	check_lock(VM_EXEC_INTERP, count_pairs, (uint64_t)N_THREADS * PAIR_ROUNDS);
	check_lock(VM_EXEC_AUTO, count_pairs, (uint64_t)N_THREADS * PAIR_ROUNDS);
	check_lock(VM_EXEC_AUTO, write_pairs, 0);
}

/* The budget ends where the lock is held: it is given back, and the next run gets it. */
static void *
stop_in_lock(void *arg)
{
	struct worker *w = arg;
	uint64_t r0;

	pthread_barrier_wait(&w->shared->start);
	for (int i = 0; i < 100; i++)
		w->n_wrong += vm_run_bounded(w->shared->vm, w->shared->program, NULL, (uint64_t[5]){ 0 }, &r0) != -ETIME;
	return NULL;
}

static void
check_stop_in_lock(enum vm_exec exec)
{
	struct arena *arena = arena_new();
	struct worker workers[N_THREADS];
	struct shared shared;
	struct pair *pair;
	uint64_t key = 0;

	load_pairs(&shared, arena, exec, "r0 = 0\nexit\n");
	vm_set_budget(shared.vm, 5);
	shared.program = vm_load(shared.vm, fixture_func((struct object *)(uintptr_t)shared.vm->object, "program",
				 LOCK_PAIR "r7 = 0\nagain: r8 = *(u64 *)(r6 + 0)\nr8 += 1\n*(u64 *)(r6 + 0) = r8\nr7 += 1\nif r7 < 10 goto again\n" UNLOCK_PAIR),
				 &(struct vm_signature){ .args = { { VM_ARG_SCALAR, 0 } } }, NULL, &(int){ 0 });
	assert_non_null(shared.program);
	run_threads(&shared, workers, stop_in_lock, NULL);
	for (int i = 0; i < N_THREADS; i++)
		assert_int_equal(workers[i].n_wrong, 0);
	pair = vm_table_find(shared.vm, 3, &key);
	assert_int_equal(pair->lock, 0);
	assert_int_equal(pair->a, N_THREADS * 100 * 6); /* the sixth jump back is not paid for */
	vm_free(shared.vm);
	arena_free(arena);
}

static void
test_stop_in_lock(void **state)
{
	check_stop_in_lock(VM_EXEC_INTERP);
	check_stop_in_lock(VM_EXEC_AUTO);
}

/* ---- each kind: an entry is filled when it is seen, and one of two threads makes it --------------------------------------- */

/* A key of every kind that has keys: a number, or a prefix of 32 bits. Arrays look at its first four bytes. */
struct any_key { uint32_t len, n; };

static const void *
key_for(const struct table *table, const struct any_key *key)
{
	return table->kind == TABLE_ARRAY ? &key->n : &key->len;
}

static struct any_key
any_key(uint64_t n)
{
	return (struct any_key){ 32, (uint32_t)n };
}

/* Entries of an array are always there, and of its values words alone are whole. */
static struct table kinds[] = {
	{ .name = "hash", .kind = TABLE_HASH, .key_size = 8, .value_size = sizeof(struct wide_value), .max_entries = KEYS },
	{ .name = "lru", .kind = TABLE_LRU_HASH, .key_size = 8, .value_size = sizeof(struct wide_value), .max_entries = KEYS },
	{ .name = "lpm", .kind = TABLE_LPM_TRIE, .key_size = 8, .value_size = sizeof(struct wide_value), .max_entries = KEYS },
	{ .name = "array", .kind = TABLE_ARRAY, .key_size = 4, .value_size = sizeof(struct wide_value), .max_entries = KEYS },
};

/* Values hold the number of their key in the lowest digit, to the base of KEYS; above it a number that no other update has. */
static struct wide_value
stamp(struct worker *w, uint64_t n)
{
	uint64_t s = (++w->n_stamps * N_THREADS + w->number) * KEYS + n;

	return (struct wide_value){ { s, s, s, s } };
}

static bool
is_stamp(const struct table *table, const struct wide_value *value, uint64_t n)
{
	bool is_array = table->kind == TABLE_ARRAY;

	for (int i = 0; i < 4; i++)
		if (!(is_array && !value->words[i]) && (value->words[i] % KEYS != n || value->words[i] < KEYS || (!is_array && value->words[i] != value->words[0])))
			return false;
	return true;
}

static void
look_whole(struct worker *w, const struct table *table, const void *key, uint64_t n)
{
	struct wide_value found;

	if (vm_table_lookup(w->shared->vm, 0, key, &found))
		return;
	w->n_found++;
	w->n_wrong += !is_stamp(table, &found, n);
}

static void
one_change(struct worker *w, const struct table *table, uint64_t n, uint64_t what)
{
	struct wide_value value = stamp(w, n);
	struct any_key any = any_key(n);
	const void *key = key_for(table, &any);
	bool is_array = table->kind == TABLE_ARRAY;
	int err;

	switch (what) {
	case 0:
		err = vm_table_update(w->shared->vm, 0, key, &value, BPF_NOEXIST);
		w->n_wrong += err && err != -EEXIST;
		w->made[n] += !err;
		look_whole(w, table, key, n); /* also if it is another's, made a moment ago */
		break;
	case 1:
		err = vm_table_update(w->shared->vm, 0, key, &value, is_array ? BPF_ANY : BPF_EXIST);
		w->n_wrong += err && err != -ENOENT;
		break;
	case 2:
		w->made[n] -= !vm_table_delete(w->shared->vm, 0, key);
		break;
	default:
		look_whole(w, table, key, n);
	}
}

static void *
make_and_break(void *arg)
{
	struct worker *w = arg;
	const struct table *table = vm_table_of(w->shared->vm, 0);
	uint64_t x = w->number + 88172645463325252u;

	pthread_barrier_wait(&w->shared->start);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t n = next_random(&x) % 4 + 1; /* few: threads meet */

		one_change(w, table, n, next_random(&x) % 4);
	}
	return NULL;
}

/* Each insertion that succeeded made an entry that was not there, each deletion took one away: what is left is the difference. */
static void
check_whole(struct table *table)
{
	struct arena *arena = arena_new();
	struct worker workers[N_THREADS];
	struct wide_value value;
	struct shared shared;
	uint64_t n_found = 0;

	open_tables(&shared, arena, table, 1, NULL);
	run_threads(&shared, workers, make_and_break, NULL);
	for (int i = 0; i < N_THREADS; i++) {
		if (workers[i].n_wrong)
			fail_msg("%s: %d of %d values that were found are no value of their key", table->name, (int)workers[i].n_wrong, (int)workers[i].n_found);
		n_found += workers[i].n_found;
	}
	assert_true(n_found > ROUNDS / 10);
	for (uint64_t n = 0; n < KEYS && table->kind != TABLE_ARRAY; n++) {
		struct any_key key = any_key(n);
		int left = 0;

		for (int i = 0; i < N_THREADS; i++)
			left += workers[i].made[n];
		assert_int_equal(left, !vm_table_lookup(shared.vm, 0, &key, &value));
	}
	vm_free(shared.vm);
	arena_free(arena);
}

static void
test_whole(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		check_whole(&kinds[i]);
}

/* ---- counts of keys that no thread has seen ------------------------------------------------------------------------------- */

#define FRESH_KEYS (ROUNDS / 1000)
#define FRESH_SIZE 32768 /* of a value; the count is its last word, which is written last */

/* Look up, where it is missing make it, look up, count: what threads that come at once must not lose. */
#define FIND "r2 = r10\nr2 += -8\nr1 = table 0 ll\ncall 1\n"
#define COUNT(add) \
	"*(u64 *)(r10 - 8) = r1\n" FIND "if r0 != 0 goto there\n" \
	"r2 = r10\nr2 += -8\nr3 = table_value 1 + 0 ll\nr4 = 1\nr1 = table 0 ll\ncall 2\n" FIND "if r0 == 0 goto out\n" \
	"there:\n" add "r0 = 0\nexit\nout:\nr0 = 1\nexit\n"
#define ADD_ATOMIC "r1 = 1\nlock *(u64 *)(r0 + 32760) += r1\n"
#define ADD_PLAIN "r1 = *(u64 *)(r0 + 32760)\nr1 += 1\n*(u64 *)(r0 + 32760) = r1\n"

static const struct { enum table_kind kind; const char *text; } counted[] = {
	{ TABLE_HASH, COUNT(ADD_ATOMIC) },       { TABLE_LRU_HASH, COUNT(ADD_ATOMIC) },       { TABLE_LPM_TRIE, COUNT(ADD_ATOMIC) },
	{ TABLE_PERCPU_HASH, COUNT(ADD_PLAIN) }, { TABLE_LRU_PERCPU_HASH, COUNT(ADD_PLAIN) },
};

/* All go through the keys in one order. Who is ahead makes the entries, which takes longer: so the others come up to it. */
static void *
count_fresh(void *arg)
{
	struct worker *w = arg;
	struct vm_env env = { .cpu = (uint32_t)w->number };

	pthread_barrier_wait(&w->shared->start);
	for (uint64_t i = 0; i < FRESH_KEYS; i++)
		w->n_wrong += vm_run(w->shared->vm, w->shared->program, &env, (uint64_t[5]){ 32 | i << 32 }) != 0;
	return NULL;
}

static void
check_fresh(enum table_kind kind, const char *text)
{
	static uint64_t values[N_THREADS][FRESH_SIZE / 8];
	struct table list[] = {
		{ .name = "counts", .kind = kind, .key_size = 8, .value_size = FRESH_SIZE, .max_entries = FRESH_KEYS },
		{ .name = "zeros", .kind = TABLE_ARRAY, .key_size = 4, .value_size = FRESH_SIZE, .max_entries = 1 },
	};
	struct arena *arena = arena_new();
	struct worker workers[N_THREADS];
	struct shared shared;

	open_tables(&shared, arena, list, ARRAY_SIZE(list), text);
	run_threads(&shared, workers, count_fresh, NULL);
	for (int i = 0; i < N_THREADS; i++)
		assert_int_equal(workers[i].n_wrong, 0);
	for (uint64_t i = 0; i < FRESH_KEYS; i++) {
		uint64_t key = 32 | i << 32, sum = 0;

		assert_int_equal(vm_table_lookup(shared.vm, 0, &key, values), 0);
		for (int cpu = 0; cpu < (table_kind_is_per_cpu(kind) ? N_THREADS : 1); cpu++)
			sum += values[cpu][FRESH_SIZE / 8 - 1];
		if (sum != N_THREADS)
			fail_msg("%s: key %d was counted %d times by %d threads", table_kind_name(kind), (int)i, (int)sum, N_THREADS);
	}
	vm_free(shared.vm);
	arena_free(arena);
}

static void
test_fresh(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(counted); i++)
		check_fresh(counted[i].kind, counted[i].text);
}

/* ---- full, and never more than that ------------------------------------------------------------------------------------- */

#define FULL 1000

static void *
fill(void *arg)
{
	struct worker *w = arg;
	bool never_full = vm_table_of(w->shared->vm, 0)->kind == TABLE_LRU_HASH;

	pthread_barrier_wait(&w->shared->start);
	for (uint64_t i = 0; i < FULL; i++) {
		struct any_key key = any_key(w->number * FULL + i);
		struct wide_value value = stamp(w, i % KEYS);
		int err = vm_table_update(w->shared->vm, 0, &key, &value, BPF_NOEXIST);

		w->made[0] += !err;
		w->n_wrong += err && (never_full || (err != -E2BIG && err != -ENOSPC));
	}
	return NULL;
}

static void
check_full(const struct table *table)
{
	struct arena *arena = arena_new();
	struct worker workers[N_THREADS];
	struct table copy = *table;
	struct any_key key, next;
	struct shared shared;
	int made = 0, n = 0;

	copy.max_entries = FULL;
	open_tables(&shared, arena, &copy, 1, NULL);
	run_threads(&shared, workers, fill, NULL);
	for (int i = 0; i < N_THREADS; i++) {
		assert_int_equal(workers[i].n_wrong, 0);
		made += workers[i].made[0];
	}
	assert_int_equal(made, table->kind == TABLE_LRU_HASH ? N_THREADS * FULL : FULL);
	for (int err = vm_table_next(shared.vm, 0, NULL, &next); !err; err = vm_table_next(shared.vm, 0, &key, &next), n++)
		key = next;
	assert_int_equal(n, FULL);
	vm_free(shared.vm);
	arena_free(arena);
}

static void
test_full(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (kinds[i].kind != TABLE_ARRAY)
			check_full(&kinds[i]);
}

/* ---- eviction ------------------------------------------------------------------------------------------------------------- */

/* Entries of a small table are given from key to key all the time; a copy is of the key that was asked for all the same. */
static void *
crowd(void *arg)
{
	struct worker *w = arg;
	const struct table *table = vm_table_of(w->shared->vm, 0);
	uint64_t x = w->number + 1;

	pthread_barrier_wait(&w->shared->start);
	for (int i = 0; i < ROUNDS; i++) {
		uint64_t n = next_random(&x) % KEYS;
		struct wide_value value = stamp(w, n);
		struct any_key key = any_key(n);

		if (i % 2)
			look_whole(w, table, &key, n);
		else
			w->n_wrong += vm_table_update(w->shared->vm, 0, &key, &value, BPF_ANY) != 0;
		/* Who holds an address, as a program does, may write there whatever becomes of the entry. It is no key's business. */
		if (w->number == 0 && (w->held = vm_table_find(w->shared->vm, 0, &key)))
			w->n_wrong += (uintptr_t)w->held % 8;
	}
	return NULL;
}

static void
test_evict(void **state)
{
	struct table table = { .name = "lru", .kind = TABLE_LRU_HASH, .key_size = 8, .value_size = sizeof(struct wide_value), .max_entries = 8 };
	struct arena *arena = arena_new();
	struct worker workers[N_THREADS];
	struct shared shared;

	open_tables(&shared, arena, &table, 1, NULL);
	run_threads(&shared, workers, crowd, NULL);
	for (int i = 0; i < N_THREADS; i++)
		assert_int_equal(workers[i].n_wrong, 0);
	vm_free(shared.vm);
	arena_free(arena);
}

/* ---- walks ---------------------------------------------------------------------------------------------------------------- */

#define WALKED_STAY 40
#define CHURN_FROM 1000

/* r0 = how many keys below CHURN_FROM a walk meets. */
#define WALK \
	"*(u64 *)(r10 - 8) = 0\nr1 = table 0 ll\nr2 = function 1 ll\nr3 = r10\nr3 += -8\nr4 = 0\ncall 164\nr0 = *(u64 *)(r10 - 8)\nexit\n"
#define MEET \
	"r2 = *(u64 *)(r2 + 0)\nif r2 >= 1000 goto out\nr1 = *(u64 *)(r4 + 0)\nr1 += 1\n*(u64 *)(r4 + 0) = r1\nout: r0 = 0\nexit\n"

/* Half of the threads walk, the others insert and delete keys of their own between those that stay. */
static void *
walk_and_churn(void *arg)
{
	struct worker *w = arg;

	pthread_barrier_wait(&w->shared->start);
	for (uint64_t i = 0; i < ROUNDS / 20; i++) {
		uint64_t key = CHURN_FROM + w->number * 100 + i % 30;

		if (w->number % 2) {
			w->n_wrong += vm_run(w->shared->vm, w->shared->program, NULL, (uint64_t[5]){ 0 }) != WALKED_STAY;
			continue;
		}
		for (uint64_t n = 0; n < 4; n++, key += 7)
			if (vm_table_delete(w->shared->vm, 0, &key))
				w->n_wrong += vm_table_update(w->shared->vm, 0, &key, &key, BPF_ANY) != 0;
	}
	return NULL;
}

/* A program of two functions, the second of which is called back. */
static struct vm_program *
load_two(struct shared *shared, const char *text, const char *callback)
{
	struct object *object = (struct object *)(uintptr_t)shared->vm->object;
	struct func *func = fixture_func(object, "walks", text);
	struct text why = { 0 };
	struct vm_program *program;
	int err;

	fixture_func(object, "meets", callback);
	program = vm_load(shared->vm, func, &(struct vm_signature){ .args = { { VM_ARG_SCALAR, 0 } } }, &why, &err);
	if (!program)
		fail_msg("%s", why.s);
	return program;
}

static void
check_walk(enum table_kind kind)
{
	struct table table = { .name = "walked", .kind = kind, .key_size = 8, .value_size = 8, .max_entries = 200 };
	struct arena *arena = arena_new();
	struct worker workers[N_THREADS];
	struct shared shared;

	open_tables(&shared, arena, &table, 1, NULL);
	shared.program = load_two(&shared, WALK, MEET);
	for (uint64_t key = 0; key < WALKED_STAY; key++) {
		uint64_t other = CHURN_FROM + key;

		assert_int_equal(vm_table_update(shared.vm, 0, &key, &key, BPF_ANY), 0);
		assert_int_equal(vm_table_update(shared.vm, 0, &other, &other, BPF_ANY), 0);
	}
	run_threads(&shared, workers, walk_and_churn, NULL);
	for (int i = 0; i < N_THREADS; i++)
		if (workers[i].n_wrong)
			fail_msg("%s: %d walks of %d did not meet each of %d once", table_kind_name(kind), (int)workers[i].n_wrong, ROUNDS / 20, WALKED_STAY);
	vm_free(shared.vm);
	arena_free(arena);
}

static void
test_walk(void **state)
{
	check_walk(TABLE_HASH);
	check_walk(TABLE_LRU_HASH);
}

/* ---- locks of entries that come and go ------------------------------------------------------------------------------------ */

/* r1 is the key of a pair: both one up, slowly, under its lock. r0: whether they differed then. */
#define COUNT_SLOWLY \
	"*(u64 *)(r10 - 8) = r1\nr1 = table 3 ll\nr2 = r10\nr2 += -8\ncall 1\nif r0 == 0 goto out\nr6 = r0\nr1 = r6\nr1 += 16\ncall 93\n" \
	"r7 = *(u64 *)(r6 + 0)\nr9 = *(u64 *)(r6 + 8)\nr9 ^= r7\nr7 += 1\n*(u64 *)(r6 + 0) = r7\n" \
	"r8 = 0\nwait: r8 += 1\nif r8 < 300 goto wait\n*(u64 *)(r6 + 8) = r7\n" \
	"r1 = r6\nr1 += 16\ncall 94\nr0 = r9\nexit\nout: r0 = 0\nexit\n"

/* Whoever holds an entry's lock is alone with its value, also where the entry is deleted and given to another key meanwhile. */
static void *
lock_and_churn(void *arg)
{
	struct worker *w = arg;
	uint64_t x = w->number + 1;
	struct pair pair;

	pthread_barrier_wait(&w->shared->start);
	for (int i = 0; i < ROUNDS / 4; i++) {
		uint64_t key = next_random(&x) % 4;

		if (w->number % 2) {
			w->n_wrong += vm_run(w->shared->vm, w->shared->program, NULL, (uint64_t[5]){ key }) != 0;
		} else if (next_random(&x) % 2) {
			w->n_wrong += !vm_table_lookup(w->shared->vm, 3, &key, &pair) && pair.a != pair.b;
		} else {
			pair = (struct pair){ x, x, UINT32_MAX, 0 };
			vm_table_delete(w->shared->vm, 3, &key); /* what is free now is taken at once, by one of those who come */
			w->n_wrong += vm_table_update(w->shared->vm, 3, &key, &pair, BPF_ANY) != 0;
		}
	}
	return NULL;
}

static void
test_lock_churn(void **state)
{
	struct arena *arena = arena_new();
	struct worker workers[N_THREADS];
	struct shared shared;

	open_shared(&shared, arena, COUNT_SLOWLY);
	run_threads(&shared, workers, lock_and_churn, NULL);
	for (int i = 0; i < N_THREADS; i++)
		assert_int_equal(workers[i].n_wrong, 0);
	vm_free(shared.vm);
	arena_free(arena);
}

/* ---- kinds without keys, and stacks --------------------------------------------------------------------------------------- */

/* Each number that was pushed comes out once. */
static void *
push_and_pop(void *arg)
{
	struct worker *w = arg;
	uint64_t value;

	pthread_barrier_wait(&w->shared->start);
	for (uint64_t i = 1; i <= ROUNDS / 4; i++) {
		struct wide_value pushed = { { i, i, i, i } }, popped;

		while (vm_table_update(w->shared->vm, 0, NULL, &pushed, BPF_ANY))
			w->n_wrong++; /* there is room for all */
		value = 0;
		if (!vm_table_pop(w->shared->vm, 0, &popped))
			value = popped.words[0];
		w->n_wrong += !value || memcmp(&popped, &(struct wide_value){ { value, value, value, value } }, sizeof(popped));
		w->sum += value;
	}
	return NULL;
}

static void
check_pushed(enum table_kind kind)
{
	struct table table = { .name = "pushed", .kind = kind, .value_size = sizeof(struct wide_value), .max_entries = N_THREADS };
	struct arena *arena = arena_new();
	struct worker workers[N_THREADS];
	struct shared shared;
	uint64_t sum = 0;

	open_tables(&shared, arena, &table, 1, NULL);
	run_threads(&shared, workers, push_and_pop, NULL);
	for (int i = 0; i < N_THREADS; i++) {
		assert_int_equal(workers[i].n_wrong, 0);
		sum += workers[i].sum;
	}
	assert_int_equal(sum, (uint64_t)N_THREADS * (ROUNDS / 4) * (ROUNDS / 4 + 1) / 2);
	vm_free(shared.vm);
	arena_free(arena);
}

/* A bloom filter never forgets what was added, whoever adds beside it. */
static void *
add_and_ask(void *arg)
{
	struct worker *w = arg;

	pthread_barrier_wait(&w->shared->start);
	for (uint64_t i = 0; i < ROUNDS / 10; i++) {
		uint64_t value = w->number << 32 | i, old = w->number << 32 | i / 2;

		w->n_wrong += vm_table_update(w->shared->vm, 0, NULL, &value, BPF_ANY) != 0;
		w->n_wrong += vm_table_lookup(w->shared->vm, 0, NULL, &old) != 0;
	}
	return NULL;
}

static void
test_keyless(void **state)
{
	struct table bloom = { .name = "bloom", .kind = TABLE_BLOOM, .value_size = 8, .max_entries = N_THREADS * ROUNDS / 10 };
	struct arena *arena = arena_new();
	struct worker workers[N_THREADS];
	struct shared shared;

	check_pushed(TABLE_QUEUE);
	check_pushed(TABLE_STACK);
	open_tables(&shared, arena, &bloom, 1, NULL);
	run_threads(&shared, workers, add_and_ask, NULL);
	for (int i = 0; i < N_THREADS; i++)
		assert_int_equal(workers[i].n_wrong, 0);
	vm_free(shared.vm);
	arena_free(arena);
}

#define DEPTH 32

/* Stacks all of whose frames are the same: one of another stack's would show. */
static void *
add_and_delete_stacks(void *arg)
{
	struct worker *w = arg;
	struct vm_table *t = &w->shared->vm->tables[0];
	uint64_t x = w->number + 1, frames[DEPTH];
	int64_t added;

	pthread_barrier_wait(&w->shared->start);
	for (int i = 0; i < ROUNDS / 4; i++) {
		uint32_t id = (uint32_t)next_random(&x) % 8;

		if (!(next_random(&x) % 3)) {
			vm_table_delete(w->shared->vm, 0, &id);
			continue;
		}
		if (!vm_table_lookup(w->shared->vm, 0, &id, frames))
			for (int n = 1; n < DEPTH; n++)
				w->n_wrong += frames[n] != frames[0];
		for (int n = 0; n < DEPTH; n++)
			frames[n] = id + 1;
		added = stacks_add(t, frames, DEPTH);
		w->n_wrong += added < 0 && added != -EEXIST;
	}
	return NULL;
}

static void
test_stacks(void **state)
{
	struct table table = { .name = "stacks", .kind = TABLE_STACK_TRACE, .key_size = 4, .value_size = 8 * DEPTH, .max_entries = 8 };
	struct arena *arena = arena_new();
	struct worker workers[N_THREADS];
	struct shared shared;

	open_tables(&shared, arena, &table, 1, NULL);
	run_threads(&shared, workers, add_and_delete_stacks, NULL);
	for (int i = 0; i < N_THREADS; i++)
		assert_int_equal(workers[i].n_wrong, 0);
	vm_free(shared.vm);
	arena_free(arena);
}

/* ---- tables of tables, of programs; a descriptor --------------------------------------------------------------------------- */

/* Table 1 and 2 may be in the places of keys 1 and 2 of table 0, and nowhere else. */
static void *
put_and_take(void *arg)
{
	struct worker *w = arg;
	struct vm *vm = w->shared->vm;

	pthread_barrier_wait(&w->shared->start);
	for (uint64_t i = 0; i < ROUNDS; i++) {
		uint32_t key = 1 + (uint32_t)(i + w->number) % 2, index;

		if (w->number % 2)
			w->n_wrong += vm_table_held(vm, 0, &key, &index) && index != key;
		else if (vm_table_delete(vm, 0, &key))
			w->n_wrong += vm_table_put(vm, 0, &key, vm, key, BPF_ANY) != 0;
	}
	return NULL;
}

static void
check_outer(enum table_kind kind)
{
	static const struct table element = { .kind = TABLE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1 };
	struct table list[] = {
		{ .name = "outer", .kind = kind, .key_size = 4, .value_size = 4, .max_entries = 3, .element = &element },
		{ .name = "one", .kind = TABLE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1 },
		{ .name = "two", .kind = TABLE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1 },
	};
	struct arena *arena = arena_new();
	struct worker workers[N_THREADS];
	struct shared shared;

	open_tables(&shared, arena, list, ARRAY_SIZE(list), NULL);
	run_threads(&shared, workers, put_and_take, NULL);
	for (int i = 0; i < N_THREADS; i++)
		assert_int_equal(workers[i].n_wrong, 0);
	vm_free(shared.vm);
	arena_free(arena);
}

static void
test_outer(void **state)
{
	check_outer(TABLE_HASH_OF_TABLES);
	check_outer(TABLE_ARRAY_OF_TABLES);
}

/* Who asks for the ring buffer's descriptor gets the one there is. */
static void *
ask_fd(void *arg)
{
	struct worker *w = arg;

	pthread_barrier_wait(&w->shared->start);
	w->sum = (uint64_t)vm_ringbuf_fd(w->shared->vm, 2);
	return NULL;
}

static void
test_fd(void **state)
{
	for (int round = 0; round < 200; round++) {
		struct arena *arena = arena_new();
		struct worker workers[N_THREADS];
		struct shared shared;

		open_shared(&shared, arena, NULL);
		run_threads(&shared, workers, ask_fd, NULL);
		for (int i = 0; i < N_THREADS; i++)
			assert_int_equal(workers[i].sum, workers[0].sum);
		vm_free(shared.vm);
		arena_free(arena);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_come_and_go), cmocka_unit_test(test_stay), cmocka_unit_test(test_grow), cmocka_unit_test(test_count), cmocka_unit_test(test_ringbuf),
		cmocka_unit_test(test_lock), cmocka_unit_test(test_stop_in_lock), cmocka_unit_test(test_whole), cmocka_unit_test(test_fresh),
		cmocka_unit_test(test_full), cmocka_unit_test(test_evict), cmocka_unit_test(test_walk), cmocka_unit_test(test_lock_churn),
		cmocka_unit_test(test_keyless), cmocka_unit_test(test_stacks), cmocka_unit_test(test_outer), cmocka_unit_test(test_fd),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
