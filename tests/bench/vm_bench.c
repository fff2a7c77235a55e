/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Runs the programs of vm_kernels.c side by side: in our interpreter, as our machine code, as the kernel's (where bpf(2) is
 * permitted), as uBPF's (where that is installed), and as gcc -O2 made them from the same text. Started by tests/bench/vm, which compiles
 * vm_kernels.bpf.o.
 *
 *      vm_bench OBJECT [--json] [PROGRAM...]
 *
 * A time is the least of ROUNDS rounds, in which the engines take turns, so that a busy moment of the machine meets all. What
 * programs return is compared: a wrong result ends the run with status 1.
 */
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "vm/vm_int.h"
#include "vm_kernels.h"
#include "vm_steps.h"
#include "vm_ubpf.h"

#define ROUNDS 15
#define ROUND_NS 1000000 /* an engine's turn takes about so long */

enum engine { INTERP, JIT, KERNEL, UBPF, NATIVE, N_ENGINES };

struct kernel {
	const char *name, *what;
	int (*native)(void *ctx);
	bool compared;
	/* measured */
	uint64_t steps;         /* instructions of one run */
	double ns[N_ENGINES];   /* of one run; 0: was not run */
};

#define KERNEL(name, what, compared) int kernel_##name(void *ctx);
BENCH_KERNELS
#undef KERNEL

static struct kernel kernels[] = {
#define KERNEL(name, what, compared) { #name, what, kernel_##name, compared },
	BENCH_KERNELS
#undef KERNEL
};

static const struct vm_signature signature = { .args = { { VM_ARG_CTX, 0 } } };

static void die(const char *format, ...) PRINTF_LIKE(1, 2);

static void
die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("vm_bench: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	exit(1);
}

static uint64_t
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

/* ---- input ------------------------------------------------------------------------------------------------- */

static void
fill(struct bench_memory *memory)
{
	uint32_t x = 12345;

	memory->len = BENCH_DATA;
	memory->times = 1000;
	memory->seed = 0x123456789abcdef1u;
	for (int i = 0; i < BENCH_DATA; i++) {
		x = x * 1103515245 + 12345;
		memory->data[i] = (unsigned char)(x >> 16);
	}
	/* The same again and again, so that no engine's luck with guessing branches decides. */
	for (int i = 0; i < BENCH_DATA; i++)
		memory->text[i] = "1 23 456 7890 "[i % 14];
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t crc = i;

		for (int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? 0xedb88320 : 0);
		memory->crc_table[i] = crc;
	}
}

/* Every second key is in the hash table. */
static bool
is_in_hash(uint32_t key)
{
	return key % 2 == 0;
}

/* ---- our engine ---------------------------------------------------------------------------------------------- */

/* An object with tables of its own, loaded for one way of running. */
struct ours {
	struct arena *arena;
	struct object *object;
	struct vm *vm;
	struct vm_program *programs[ARRAY_SIZE(kernels)];
};

static uint32_t
table_of(const struct object *object, const char *name)
{
	for (uint32_t i = 0; i < object->n_tables; i++)
		if (!strcmp(object->tables[i]->name, name))
			return i;
	die("the object has no table %s", name);
	return 0;
}

static const struct func *
func_of(const struct object *object, const char *kernel)
{
	for (uint32_t i = 0; i < object->n_funcs; i++)
		if (!strncmp(object->funcs[i]->name, "kernel_", 7) && !strcmp(object->funcs[i]->name + 7, kernel))
			return object->funcs[i];
	die("the object has no program kernel_%s", kernel);
	return NULL;
}

static void
ours_open(struct ours *ours, const char *path)
{
	struct text why = { 0 };

	ours->arena = arena_new();
	ours->object = elf_read(ours->arena, path, &why);
	if (!ours->object)
		die("%s", why.s);
	ours->vm = vm_new(ours->object, (uint32_t)sysconf(_SC_NPROCESSORS_ONLN), &why);
	if (!ours->vm)
		die("%s", why.s);
}

static void
ours_fill(struct ours *ours)
{
	uint32_t array = table_of(ours->object, "array"), hash = table_of(ours->object, "hash");

	fill(vm_table_memory(ours->vm, table_of(ours->object, ".bss")));
	for (uint32_t i = 0; i < BENCH_ENTRIES; i++) {
		uint64_t key = i, value = i * 3;

		vm_table_update(ours->vm, array, &i, &value, BPF_ANY);
		if (is_in_hash(i))
			vm_table_update(ours->vm, hash, &key, &value, BPF_ANY);
	}
}

static void
ours_load(struct ours *ours, enum vm_exec exec)
{
	struct text why = { 0 };
	int err;

	vm_set_exec(ours->vm, exec);
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
		ours->programs[i] = vm_load(ours->vm, func_of(ours->object, kernels[i].name), &signature, &why, &err);
		if (!ours->programs[i])
			die("%s", why.s);
	}
}

static void
ours_close(struct ours *ours)
{
	vm_free(ours->vm);
	arena_free(ours->arena);
}

static int
run_ours(const struct ours *ours, size_t kernel)
{
	static const uint64_t args[5];

	return (int)vm_run(ours->vm, ours->programs[kernel], NULL, args);
}

/* ---- gcc's code: the same tables by a call ---------------------------------------------------------------------- */

static struct ours behind_native;
static uint64_t native_cpu, native_random = 88172645463325252u;
extern struct bench_memory bench;

/* What tables are for native code: handles, of which only the address counts. */
char array, hash;
void *map_lookup_elem(void *map, const void *key);
long map_update_elem(void *map, const void *key, const void *value, unsigned long long flags);

static struct vm_table *native_tables[2];

void *
map_lookup_elem(void *map, const void *key)
{
	return map == &array ? array_ops.find(native_tables[0], key) : hash_ops.find(native_tables[1], key);
}

long
map_update_elem(void *map, const void *key, const void *value, unsigned long long flags)
{
	return table_update(native_tables[map != &array], key, value, flags, 0);
}

/* As helper_get_prandom_u32. */
uint32_t
get_prandom_u32(void)
{
	uint64_t x = native_random;

	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	native_random = x;
	return (uint32_t)(x >> 32);
}

uint32_t
get_smp_processor_id(void)
{
	return (uint32_t)*(volatile uint64_t *)&native_cpu;
}

static void
native_open(const char *path)
{
	ours_open(&behind_native, path);
	ours_fill(&behind_native);
	native_tables[0] = &behind_native.vm->tables[table_of(behind_native.object, "array")];
	native_tables[1] = &behind_native.vm->tables[table_of(behind_native.object, "hash")];
	fill(&bench);
}

/* ---- the kernel ---------------------------------------------------------------------------------------------------- */

static int kernel_fds[ARRAY_SIZE(kernels)];

static int
quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return 0;
}

static void
kernel_fill(struct bpf_object *object)
{
	int array_fd = bpf_object__find_map_fd_by_name(object, "array"), hash_fd = bpf_object__find_map_fd_by_name(object, "hash");

	for (uint32_t i = 0; i < BENCH_ENTRIES; i++) {
		uint64_t key = i, value = i * 3;

		bpf_map_update_elem(array_fd, &i, &value, BPF_ANY);
		if (is_in_hash(i))
			bpf_map_update_elem(hash_fd, &key, &value, BPF_ANY);
	}
}

/* False, with a word to stderr, where the kernel does not take the programs. */
static bool
kernel_open(const char *path)
{
	struct bpf_object *object;
	struct bpf_map *map;
	size_t size;

	libbpf_set_print(quiet);
	object = bpf_object__open_file(path, NULL);
	if (!object)
		return false;
	map = bpf_object__find_map_by_name(object, ".bss");
	if (map && bpf_map__initial_value(map, &size) && size >= sizeof(struct bench_memory)) {
		struct bench_memory memory;

		fill(&memory);
		bpf_map__set_initial_value(map, &memory, sizeof(memory));
	}
	if (bpf_object__load(object)) {
		fprintf(stderr, "vm_bench: without the kernel: %s\n", strerror(errno));
		bpf_object__close(object);
		return false;
	}
	kernel_fill(object);
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
		char name[64];

		snprintf(name, sizeof(name), "kernel_%s", kernels[i].name);
		kernel_fds[i] = bpf_program__fd(bpf_object__find_program_by_name(object, name));
	}
	return true; /* the object lives as long as we do */
}

/* Nanoseconds of a run, as the kernel measures them; *retval: what it returned. */
static double
run_kernel(size_t kernel, uint32_t repeat, int *retval)
{
	static char packet[64];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet), .repeat = (int)repeat);

	if (bpf_prog_test_run_opts(kernel_fds[kernel], &opts))
		die("kernel_%s: BPF_PROG_TEST_RUN: %s", kernels[kernel].name, strerror(errno));
	*retval = (int)opts.retval;
	return opts.duration;
}

static void
count_steps(struct ours *ours)
{
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++)
		kernels[i].steps = steps_of(ours->object, ours->vm, func_of(ours->object, kernels[i].name));
}

/* ---- uBPF ----------------------------------------------------------------------------------------------------------------- */

static struct ours behind_ubpf;
static ubpf_code ubpf_codes[ARRAY_SIZE(kernels)];

/* Where there is none, no program has code of it. */
static void
peer_open(const char *path)
{
	if (!ubpf_open())
		return;
	ours_open(&behind_ubpf, path);
	ours_fill(&behind_ubpf);
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++)
		ubpf_codes[i] = ubpf_make(behind_ubpf.object, behind_ubpf.vm, func_of(behind_ubpf.object, kernels[i].name));
}

/* ---- measuring ------------------------------------------------------------------------------------------------------------ */

struct engines {
	struct ours ours[2]; /* INTERP, JIT */
	bool has_kernel;
};

static bool
is_run(const struct engines *engines, enum engine engine, size_t kernel)
{
	return (engine != KERNEL || engines->has_kernel) && (engine != UBPF || ubpf_codes[kernel]);
}

static int
run(const struct engines *engines, enum engine engine, size_t kernel)
{
	switch (engine) {
	case NATIVE:
		return kernels[kernel].native(NULL);
	case UBPF:
		return (int)ubpf_codes[kernel](NULL, 0);
	default:
		return run_ours(&engines->ours[engine], kernel);
	}
}

/* Nanoseconds a run, from `repeat` runs. *retval: what the last returned. */
static double
measure(struct engines *engines, enum engine engine, size_t kernel, uint32_t repeat, int *retval)
{
	uint64_t start = now();

	if (engine == KERNEL)
		return run_kernel(kernel, repeat, retval);
	for (uint32_t i = 0; i < repeat; i++)
		*retval = run(engines, engine, kernel);
	return (double)(now() - start) / repeat;
}

static void
compare(const struct engines *engines, size_t kernel, const int *first)
{
	for (enum engine e = JIT; kernels[kernel].compared && e < N_ENGINES; e++)
		if (is_run(engines, e, kernel) && first[e] != first[INTERP])
			die("kernel_%s gives %d in the interpreter and %d in engine %d", kernels[kernel].name, first[INTERP], first[e], e);
}

static void
measure_kernel(struct engines *engines, size_t kernel)
{
	int first[N_ENGINES] = { 0 }, later;

	for (int round = -1; round < ROUNDS; round++) {
		for (enum engine e = INTERP; e < N_ENGINES; e++) {
			double *best = &kernels[kernel].ns[e], ns;

			if (!is_run(engines, e, kernel))
				continue;
			if (round < 0) { /* the first run, from tables as they were filled */
				*best = measure(engines, e, kernel, 1, &first[e]);
				*best = measure(engines, e, kernel, 20, &later);
				continue;
			}
			ns = measure(engines, e, kernel, 1 + (uint32_t)(ROUND_NS / (*best + 1)), &later);
			if (ns < *best)
				*best = ns;
		}
	}
	compare(engines, kernel, first);
}

/* The least microseconds that loading a program takes: verified and, for the machine, compiled; *n its instructions. */
static double
load_time(struct engines *engines, const char *path, enum vm_exec exec, uint32_t *n)
{
	double best = INFINITY;

	for (int round = 0; round < 40; round++) {
		struct text why = { 0 };
		struct ours ours;
		const struct func *func;
		uint64_t start;
		double us;
		int err;

		ours_open(&ours, path);
		func = func_of(ours.object, "handler");
		*n = func->n_insns;
		vm_set_exec(ours.vm, exec);
		start = now();
		if (exec == VM_EXEC_AUTO)
			err = vm_verify(ours.object, func, &signature, NULL, &why);
		else
			err = vm_load(ours.vm, func, &signature, &why, &err) ? 0 : -1;
		us = (double)(now() - start) / 1e3;
		if (err)
			die("%s", why.s);
		if (us < best)
			best = us;
		ours_close(&ours);
	}
	return best;
}

/* ---- the report --------------------------------------------------------------------------------------------------------------- */

static bool
is_wanted(const char *name, char **words)
{
	bool any = !*words;

	for (; *words; words++)
		any |= !strcmp(*words, name);
	return any;
}

/* Does it compute only, or does it call tables and helpers? */
static bool
computes(const struct kernel *k)
{
	return strncmp(k->name, "array", 5) && strncmp(k->name, "hash_", 5) && strncmp(k->name, "helper", 6) && strcmp(k->name, "handler");
}

enum which { ALL, COMPUTING };

/* Geometric mean of the ratios of two engines. 0: nothing was measured. */
static double
mean_ratio(enum engine engine, enum engine to, enum which which, char **words)
{
	double sum = 0;
	int n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
		if (!is_wanted(kernels[i].name, words) || !kernels[i].ns[engine] || (which == COMPUTING && !computes(&kernels[i])))
			continue;
		sum += log(kernels[i].ns[engine] / kernels[i].ns[to]);
		n++;
	}
	return n ? exp(sum / n) : 0;
}

/* Nanoseconds that the interpreter takes for an instruction of programs that compute. */
static double
ns_per_insn(char **words)
{
	double sum = 0;
	int n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
		if (!is_wanted(kernels[i].name, words) || !computes(&kernels[i]))
			continue;
		sum += log(kernels[i].ns[INTERP] / (double)kernels[i].steps);
		n++;
	}
	return n ? exp(sum / n) : 0;
}

/* Those whose machine code is compared with gcc's, in the order of columns. */
static const enum engine compared_to_gcc[] = { JIT, KERNEL, UBPF };

/* 0: there is none. */
static void
print_ratio(double ratio)
{
	if (ratio > 0)
		printf(" %8.2f", ratio);
	else
		printf(" %8s", "-");
}

static void
print_mean(const char *what, enum which which, char **words)
{
	printf("%-13s %-31s %8s | %9s %9s %9s %9s %9s |", "mean ratio", what, "", "", "", "", "", "");
	print_ratio(which == COMPUTING ? ns_per_insn(words) : 0);
	for (size_t i = 0; i < ARRAY_SIZE(compared_to_gcc); i++)
		print_ratio(mean_ratio(compared_to_gcc[i], NATIVE, which, words));
	puts("");
}

static void
print_table(char **words)
{
	printf("%-13s %-31s %8s | %9s %9s %9s %9s %9s | %8s %8s %8s %8s\n", "ns a run", "", "insns", "interp", "jit", "kernel", "uBPF", "gcc -O2",
	       "ns/insn", "jit/gcc", "krnl/gcc", "uBPF/gcc");
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
		const struct kernel *k = &kernels[i];

		if (!is_wanted(k->name, words))
			continue;
		printf("%-13s %-31s %8llu |", k->name, k->what, (unsigned long long)k->steps);
		for (enum engine e = INTERP; e < N_ENGINES; e++)
			printf(k->ns[e] > 0 ? " %9.0f" : "         -", k->ns[e]);
		printf(" |");
		print_ratio(k->ns[INTERP] / (double)k->steps);
		for (size_t e = 0; e < ARRAY_SIZE(compared_to_gcc); e++)
			print_ratio(k->ns[compared_to_gcc[e]] / k->ns[NATIVE]);
		puts("");
	}
	print_mean("of all", ALL, words);
	print_mean("of those that only compute", COMPUTING, words);
}

static void
print_json(char **words, const double *load, uint32_t n_insns)
{
	const char *separator = "";

	puts("{\"programs\": {");
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
		const struct kernel *k = &kernels[i];

		if (!is_wanted(k->name, words))
			continue;
		printf("%s  \"%s\": {\"insns\": %llu, \"interp_ns\": %.1f, \"jit_ns\": %.1f, ", separator, k->name,
		       (unsigned long long)k->steps, k->ns[INTERP], k->ns[JIT]);
		if (k->ns[KERNEL] > 0)
			printf("\"kernel_ns\": %.1f, ", k->ns[KERNEL]);
		if (k->ns[UBPF] > 0)
			printf("\"ubpf_ns\": %.1f, ", k->ns[UBPF]);
		printf("\"gcc_ns\": %.1f}", k->ns[NATIVE]);
		separator = ",\n";
	}
	printf("\n}, \"jit_to_gcc\": %.3f, \"jit_to_gcc_computing\": %.3f, \"interp_ns_per_insn\": %.3f, ", mean_ratio(JIT, NATIVE, ALL, words),
	       mean_ratio(JIT, NATIVE, COMPUTING, words), ns_per_insn(words));
	printf("\"load\": {\"insns\": %u, \"verify_us\": %.1f, \"verify_decode_us\": %.1f, \"verify_jit_us\": %.1f}}\n", (unsigned)n_insns,
	       load[VM_EXEC_AUTO], load[VM_EXEC_INTERP], load[VM_EXEC_JIT]);
}

int
main(int argc, char **argv)
{
	static struct engines engines;
	bool is_json = argc > 2 && !strcmp(argv[2], "--json");
	char **words = argv + (is_json ? 3 : 2);
	double load[3];
	uint32_t n_insns;

	if (argc < 2)
		die("usage: vm_bench OBJECT [--json] [PROGRAM...]");
	for (int i = 0; i < 2; i++) {
		ours_open(&engines.ours[i], argv[1]);
		ours_fill(&engines.ours[i]);
		ours_load(&engines.ours[i], i ? VM_EXEC_JIT : VM_EXEC_INTERP);
	}
	native_open(argv[1]);
	engines.has_kernel = kernel_open(argv[1]);
	peer_open(argv[1]);
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++)
		if (is_wanted(kernels[i].name, words))
			measure_kernel(&engines, i);
	count_steps(&behind_native);
	for (enum vm_exec exec = VM_EXEC_AUTO; exec <= VM_EXEC_JIT; exec++)
		load[exec] = load_time(&engines, argv[1], exec, &n_insns);
	if (is_json) {
		print_json(words, load, n_insns);
		return 0;
	}
	print_table(words);
	printf("loading a program of %u instructions: verify %.1f us, verify and decode %.1f us, verify and compile %.1f us\n",
	       (unsigned)n_insns, load[VM_EXEC_AUTO], load[VM_EXEC_INTERP], load[VM_EXEC_JIT]);
	return 0;
}
