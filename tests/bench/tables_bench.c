/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Lookups, updates and deletions a second by native code, with one thread and with two: our hash table through vm.h, uthash (with a
 * mutex where there are two threads: it has no locks of its own), and the kernel's through bpf(2), in one run. Keys and values of 8
 * bytes, N_KEYS keys in random order. A figure is the best of ROUNDS rounds, in which all take turns.
 *
 *      tables_bench [--json]
 */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <bpf/bpf.h>
#include <uthash.h>

#include "vm/vm.h"

#define N_KEYS 32768u
#define ROUNDS 7
#define THREADS_MAX 2

enum operation { LOOKUP, COPY, UPDATE, DELETE, N_OPERATIONS };

static const char *const operation_names[] = { "lookup", "lookup, copying", "update", "delete and insert" };

enum engine { OURS, UTHASH, KERNEL, N_ENGINES };

static const char *const engine_names[] = { "ktap", "uthash", "kernel" };

struct pair {
	uint64_t key, value;
	UT_hash_handle hh;
};

static struct vm *vm;
static struct pair *uthash;
static pthread_mutex_t uthash_lock = PTHREAD_MUTEX_INITIALIZER;
static int kernel_fd = -1;
static uint64_t keys[N_KEYS];
static uint32_t n_threads;

static void
die(const char *what)
{
	fprintf(stderr, "tables_bench: %s\n", what);
	exit(1);
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* ---- one operation on one key; each says whether all went well ------------------------------------------------ */

static bool
ours(enum operation operation, uint64_t key)
{
	uint64_t value = key;
	const uint64_t *found;

	switch (operation) {
	case LOOKUP:
		found = vm_table_find(vm, 0, &key);
		return found && *found == key;
	case COPY:
		return !vm_table_lookup(vm, 0, &key, &value) && value == key;
	case UPDATE:
		return !vm_table_update(vm, 0, &key, &value, BPF_ANY);
	case DELETE:
		return !vm_table_delete(vm, 0, &key) && !vm_table_update(vm, 0, &key, &value, BPF_ANY);
	case N_OPERATIONS:
		break;
	}
	return false;
}

static bool
uthash_unlocked(enum operation operation, uint64_t key)
{
	struct pair *pair;

	HASH_FIND(hh, uthash, &key, sizeof(key), pair);
	if (!pair)
		return false;
	switch (operation) {
	case LOOKUP:
	case COPY:
		return pair->value == key;
	case UPDATE:
		pair->value = key;
		return true;
	case DELETE:
		HASH_DEL(uthash, pair);
		HASH_ADD(hh, uthash, key, sizeof(key), pair);
		return true;
	case N_OPERATIONS:
		break;
	}
	return false;
}

static bool
with_uthash(enum operation operation, uint64_t key)
{
	bool ok;

	if (n_threads == 1)
		return uthash_unlocked(operation, key);
	pthread_mutex_lock(&uthash_lock);
	ok = uthash_unlocked(operation, key);
	pthread_mutex_unlock(&uthash_lock);
	return ok;
}

static bool
kernel(enum operation operation, uint64_t key)
{
	uint64_t value = key;

	switch (operation) {
	case LOOKUP:
	case COPY:
		return !bpf_map_lookup_elem(kernel_fd, &key, &value) && value == key;
	case UPDATE:
		return !bpf_map_update_elem(kernel_fd, &key, &value, BPF_ANY);
	case DELETE:
		return !bpf_map_delete_elem(kernel_fd, &key) && !bpf_map_update_elem(kernel_fd, &key, &value, BPF_ANY);
	case N_OPERATIONS:
		break;
	}
	return false;
}

static bool (*const engines[])(enum operation operation, uint64_t key) = { ours, with_uthash, kernel };

/* ---- measuring ---------------------------------------------------------------------------------------------------- */

struct worker {
	pthread_t thread;
	enum engine engine;
	enum operation operation;
	uint32_t first, n;    /* of the keys: threads delete none that others count on */
	bool failed;
	char apart[64];       /* threads that write into one line of the cache wait for each other */
};

static void *
work(void *arg)
{
	struct worker *w = arg;

	for (uint32_t i = 0; i < w->n; i++)
		w->failed |= !engines[w->engine](w->operation, keys[w->first + i]);
	return NULL;
}

/* Operations a second of all threads together. */
static double
measure(enum engine engine, enum operation operation, uint32_t threads)
{
	struct worker workers[THREADS_MAX];
	double start;

	n_threads = threads;
	for (uint32_t i = 0; i < threads; i++)
		workers[i] = (struct worker){ .engine = engine, .operation = operation, .first = i * (N_KEYS / threads), .n = N_KEYS / threads };
	start = now();
	for (uint32_t i = 1; i < threads; i++)
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			die("no threads");
	work(&workers[0]);
	for (uint32_t i = 1; i < threads; i++)
		pthread_join(workers[i].thread, NULL);
	for (uint32_t i = 0; i < threads; i++)
		if (workers[i].failed)
			die("an operation failed");
	return N_KEYS / (now() - start);
}

static void
open_tables(void)
{
	static struct table table = { .name = "bench", .kind = TABLE_HASH, .key_size = 8, .value_size = 8, .max_entries = 2 * N_KEYS };
	struct object *object = object_new(arena_new(), "bench", NULL);
	struct text why = { 0 };

	object_add_table(object, &table);
	vm = vm_new(object, 1, &why);
	if (!vm)
		die(why.s);
	kernel_fd = bpf_map_create(BPF_MAP_TYPE_HASH, "ktap_bench", 8, 8, 2 * N_KEYS, NULL);
	if (kernel_fd < 0)
		fprintf(stderr, "tables_bench: without the kernel: %s\n", strerror(errno));
	for (uint32_t i = 0; i < N_KEYS; i++) {
		struct pair *pair = malloc(sizeof(*pair));

		if (!pair)
			die("out of memory");
		keys[i] = (uint64_t)i * 0x9e3779b97f4a7c15u; /* each once, in no order */
		*pair = (struct pair){ .key = keys[i], .value = keys[i] };
		HASH_ADD(hh, uthash, key, sizeof(pair->key), pair);
		vm_table_update(vm, 0, &keys[i], &keys[i], BPF_ANY);
		if (kernel_fd >= 0)
			bpf_map_update_elem(kernel_fd, &keys[i], &keys[i], BPF_ANY);
	}
}

/* ---- the report --------------------------------------------------------------------------------------------------- */

/* The best rate of each engine; 0: it is not there. */
static void
measure_all(enum operation operation, uint32_t threads, double best[N_ENGINES])
{
	for (int round = 0; round < ROUNDS; round++) {
		for (enum engine engine = OURS; engine < N_ENGINES; engine++) {
			double rate = engine == KERNEL && kernel_fd < 0 ? 0 : measure(engine, operation, threads);

			if (rate > best[engine])
				best[engine] = rate;
		}
	}
}

static void
print_row(enum operation operation, uint32_t threads, const double best[N_ENGINES])
{
	printf("%-18s %8u | %9.2f %9.2f %9.2f | %11.2f ", operation_names[operation], (unsigned)threads, best[OURS] / 1e6,
	       best[UTHASH] / 1e6, best[KERNEL] / 1e6, best[OURS] / best[UTHASH]);
	if (best[KERNEL] > 0)
		printf("%11.1f\n", best[OURS] / best[KERNEL]);
	else
		puts("          -");
}

static void
print_json(enum operation operation, uint32_t threads, const double best[N_ENGINES])
{
	printf("%s{\"operation\": \"%s\", \"threads\": %u", operation == LOOKUP && threads == 1 ? "[\n" : ",\n", operation_names[operation],
	       (unsigned)threads);
	for (enum engine engine = OURS; engine < N_ENGINES; engine++)
		if (best[engine] > 0)
			printf(", \"%s_per_s\": %.0f", engine_names[engine], best[engine]);
	putchar('}');
}

int
main(int argc, char **argv)
{
	bool is_json = argc > 1 && !strcmp(argv[1], "--json");

	open_tables();
	if (!is_json)
		printf("%-18s %8s | %9s %9s %9s | %11s %11s\n", "million a second", "threads", "ktap", "uthash", "kernel", "ktap/uthash",
		       "ktap/kernel");
	for (uint32_t threads = 1; threads <= THREADS_MAX; threads++) {
		for (enum operation operation = LOOKUP; operation < N_OPERATIONS; operation++) {
			double best[N_ENGINES] = { 0 };

			measure_all(operation, threads, best);
			(is_json ? print_json : print_row)(operation, threads, best);
		}
	}
	if (is_json)
		puts("\n]");
	return 0;
}
