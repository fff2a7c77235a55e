/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What the measured programs (vm_kernels.c) and their runner (vm_bench.c) share: the programs' input and output in memory, and
 * the list of programs.
 */
#ifndef BENCH_VM_KERNELS_H
#define BENCH_VM_KERNELS_H

#define BENCH_DATA 1024 /* bytes that are hashed and summed */
#define BENCH_ENTRIES 256 /* of tables; keys 0 to BENCH_ENTRIES - 1 */

/* The one variable of the programs, `bench`: all of their .bss, so that it begins at the beginning of that section. */
struct bench_memory {
	unsigned int len;        /* BENCH_DATA: a variable, so that no compiler knows it */
	unsigned int times;      /* how often a program that computes or calls goes round */
	unsigned long long seed;
	unsigned char data[BENCH_DATA]; /* random */
	char text[BENCH_DATA];          /* numbers of 1 to 4 digits and spaces */
	unsigned int crc_table[256];
};

/*
 * KERNEL(name, what it is, compared): `compared` is 0 where what it returns differs from engine to engine.
 * Each is a function `int kernel_NAME(void *ctx)`.
 */
#define BENCH_KERNELS \
	KERNEL(loop, "integer loop, multiply and add", 1) \
	KERNEL(collatz, "integer loop with branches", 1) \
	KERNEL(primes, "integer loop with remainders", 1) \
	KERNEL(fnv, "hash of bytes, FNV-1a", 1) \
	KERNEL(jenkins, "hash of bytes, one at a time", 1) \
	KERNEL(murmur, "hash of words, rotations", 1) \
	KERNEL(siphash, "hash of words, SipHash", 1) \
	KERNEL(crc, "CRC-32 by a table", 1) \
	KERNEL(inet, "checksum of 16-bit words", 1) \
	KERNEL(adler, "checksum of bytes, Adler", 1) \
	KERNEL(sum, "sum of 64-bit words", 1) \
	KERNEL(decimal, "numbers from text", 1) \
	KERNEL(calls, "local calls", 1) \
	KERNEL(array_lookup, "lookups in an array table", 1) \
	KERNEL(array_count, "counting in an array table", 1) \
	KERNEL(hash_lookup, "lookups in a hash table", 1) \
	KERNEL(hash_update, "updates of a hash table", 1) \
	KERNEL(helper, "calls of a helper", 0) \
	KERNEL(helper_cpu, "calls of a small helper", 0) \
	KERNEL(handler, "a tracing handler", 1)

#endif
