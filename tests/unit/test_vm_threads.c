/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Many threads on one machine: no lookup finds the value of another key or half a key while entries come, go and move; no update,
 * no atomic addition of a program, no addition under a lock and no record of a ring buffer is lost; what is there afterwards is what the threads put there.
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
#define ROUNDS 300000
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
};

static void
open_shared(struct shared *shared, struct arena *arena, const char *text)
{
	struct object *object = object_new(arena, "threads", NULL);
	struct text why = { 0 };
	int err;

	*shared = (struct shared){ 0 };
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		object_add_table(object, &tables[i]);
	shared->vm = vm_new(object, N_THREADS, &why);
	assert_non_null(shared->vm);
	if (!text)
		return;
	shared->program = vm_load(shared->vm, fixture_func(object, "program", text), &(struct vm_signature){ .args = { { VM_ARG_SCALAR, 0 } } },
				  &why, &err);
	if (!shared->program)
		fail_msg("%s", why.s);
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

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_come_and_go), cmocka_unit_test(test_stay), cmocka_unit_test(test_grow), cmocka_unit_test(test_count), cmocka_unit_test(test_ringbuf),
		cmocka_unit_test(test_lock), cmocka_unit_test(test_stop_in_lock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
