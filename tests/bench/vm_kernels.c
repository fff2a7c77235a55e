/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The programs that tests/bench/vm measures. This one text is compiled by clang to eBPF, which our engine and the kernel run, and
 * by gcc -O2 to the code that runs next to them: there the tables are the engine's own, reached by a call (vm_bench.c).
 *
 * Loops have bounds that verifiers can follow; trip counts and data are variables, so that no compiler computes beforehand.
 */
#include "vm_kernels.h"

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long long u64;

#define NOINLINE __attribute__((noinline))

#ifdef __bpf__

#define SEC(name) __attribute__((section(name), used))
#define __uint(name, value) int (*name)[value]
#define __type(name, type) type *name

static void *(*const map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*const map_update_elem)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static u32 (*const get_prandom_u32)(void) = (void *)7;
static u32 (*const get_smp_processor_id)(void) = (void *)8;

struct { __uint(type, 2); __uint(max_entries, BENCH_ENTRIES); __type(key, u32); __type(value, u64); } array SEC(".maps");
struct { __uint(type, 1); __uint(max_entries, BENCH_ENTRIES); __type(key, u64); __type(value, u64); } hash SEC(".maps");

char bench_license[] SEC("license") = "Dual BSD/GPL";

#else

#define SEC(name)

void *map_lookup_elem(void *map, const void *key);
long map_update_elem(void *map, const void *key, const void *value, u64 flags);
u32 get_prandom_u32(void);
u32 get_smp_processor_id(void);
extern char array, hash; /* only their addresses are used */

#endif

struct bench_memory bench;

#define KERNEL(name, what, compared) int kernel_##name(void *ctx);
BENCH_KERNELS
#undef KERNEL

#define AT_MOST(n, max) ((n) < (max) ? (n) : (max))

SEC("socket") int
kernel_loop(void *ctx)
{
	u64 x = bench.seed, sum = 0;

	for (u32 i = 0, n = AT_MOST(bench.times, 1000); i < n; i++) {
		x = x * 6364136223846793005ull + 1442695040888963407ull;
		sum += x >> 33 ^ i;
	}
	return (int)sum;
}

SEC("socket") int
kernel_collatz(void *ctx)
{
	u64 x = bench.seed | 1;
	u32 odd = 0;

	for (u32 i = 0, n = AT_MOST(bench.times, 1000); i < n; i++) {
		if (x & 1) {
			x = x * 3 + 1;
			odd++;
		} else {
			x >>= 1;
		}
		if (x == 1)
			x = bench.seed + i;
	}
	return (int)(odd + x);
}

SEC("socket") int
kernel_primes(void *ctx)
{
	u32 n = (u32)bench.seed | 1, divisors = 0;

	for (u32 i = 2, end = AT_MOST(bench.times, 1000); i < end; i++)
		divisors += n % i == 0;
	return (int)divisors;
}

SEC("socket") int
kernel_fnv(void *ctx)
{
	u64 h = 0xcbf29ce484222325ull;

	for (u32 i = 0, n = AT_MOST(bench.len, BENCH_DATA); i < n; i++)
		h = (h ^ bench.data[i]) * 0x100000001b3ull;
	return (int)(h ^ h >> 32);
}

SEC("socket") int
kernel_jenkins(void *ctx)
{
	u32 h = 0;

	for (u32 i = 0, n = AT_MOST(bench.len, BENCH_DATA); i < n; i++) {
		h += bench.data[i];
		h += h << 10;
		h ^= h >> 6;
	}
	h += h << 3;
	h ^= h >> 11;
	return (int)(h + (h << 15));
}

#define ROTATE32(x, n) ((x) << (n) | (x) >> (32 - (n)))
#define ROTATE64(x, n) ((x) << (n) | (x) >> (64 - (n)))

SEC("socket") int
kernel_murmur(void *ctx)
{
	u32 h = (u32)bench.seed;

	for (u32 i = 0, n = AT_MOST(bench.len, BENCH_DATA); i + 3 < n; i += 4) {
		u32 k = *(const u32 *)(bench.data + i) * 0xcc9e2d51;

		h ^= ROTATE32(k, 15) * 0x1b873593;
		h = ROTATE32(h, 13) * 5 + 0xe6546b64;
	}
	h ^= h >> 16;
	h *= 0x85ebca6b;
	h ^= h >> 13;
	h *= 0xc2b2ae35;
	return (int)(h ^ h >> 16);
}

#define SIPROUND do { \
		v0 += v1; v1 = ROTATE64(v1, 13) ^ v0; v0 = ROTATE64(v0, 32); \
		v2 += v3; v3 = ROTATE64(v3, 16) ^ v2; \
		v0 += v3; v3 = ROTATE64(v3, 21) ^ v0; \
		v2 += v1; v1 = ROTATE64(v1, 17) ^ v2; v2 = ROTATE64(v2, 32); \
	} while (0)

SEC("socket") int
kernel_siphash(void *ctx)
{
	u64 v0 = bench.seed ^ 0x736f6d6570736575ull, v1 = bench.seed ^ 0x646f72616e646f6dull;
	u64 v2 = bench.seed ^ 0x6c7967656e657261ull, v3 = bench.seed ^ 0x7465646279746573ull;

	for (u32 i = 0, n = AT_MOST(bench.len, BENCH_DATA); i + 7 < n; i += 8) {
		u64 m = *(const u64 *)(bench.data + i);

		v3 ^= m;
		SIPROUND;
		SIPROUND;
		v0 ^= m;
	}
	v2 ^= 0xff;
	SIPROUND;
	SIPROUND;
	SIPROUND;
	SIPROUND;
	return (int)(v0 ^ v1 ^ v2 ^ v3);
}

SEC("socket") int
kernel_crc(void *ctx)
{
	u32 crc = 0xffffffff;

	for (u32 i = 0, n = AT_MOST(bench.len, BENCH_DATA); i < n; i++)
		crc = bench.crc_table[(crc ^ bench.data[i]) & 0xff] ^ crc >> 8;
	return (int)~crc;
}

SEC("socket") int
kernel_inet(void *ctx)
{
	u32 sum = 0;

	for (u32 i = 0, n = AT_MOST(bench.len, BENCH_DATA); i + 1 < n; i += 2)
		sum += *(const u16 *)(bench.data + i);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (int)(~sum & 0xffff);
}

SEC("socket") int
kernel_adler(void *ctx)
{
	u32 a = 1, b = 0;

	for (u32 i = 0, n = AT_MOST(bench.len, BENCH_DATA); i < n; i++) {
		a += bench.data[i];
		b += a;
	}
	return (int)(b % 65521 << 16 | a % 65521);
}

SEC("socket") int
kernel_sum(void *ctx)
{
	u64 sum = 0;

	for (u32 i = 0, n = AT_MOST(bench.len, BENCH_DATA); i + 7 < n; i += 8)
		sum += *(const u64 *)(bench.data + i);
	return (int)(sum ^ sum >> 32);
}

SEC("socket") int
kernel_decimal(void *ctx)
{
	u64 number = 0, sum = 0;

	for (u32 i = 0, n = AT_MOST(bench.len, BENCH_DATA); i < n; i++) {
		u8 digit = (u8)(bench.text[i] - '0');

		if (digit < 10) {
			number = number * 10 + digit;
		} else {
			sum += number;
			number = 0;
		}
	}
	return (int)(sum + number);
}

static NOINLINE u64
mix(u64 a, u64 b)
{
	a ^= b;
	return a * 0x9e3779b97f4a7c15ull + (b >> 7);
}

static NOINLINE u64
mix_twice(u64 a, u64 b)
{
	return mix(a, b) ^ mix(b, a);
}

SEC("socket") int
kernel_calls(void *ctx)
{
	u64 h = bench.seed;

	for (u32 i = 0, n = AT_MOST(bench.times, 200); i < n; i++)
		h += mix_twice(h, i);
	return (int)(h ^ h >> 32);
}

SEC("socket") int
kernel_array_lookup(void *ctx)
{
	u64 sum = 0;

	for (u32 i = 0, n = AT_MOST(bench.len, BENCH_DATA); i < n; i++) {
		u32 key = bench.data[i];
		const u64 *value = map_lookup_elem(&array, &key);

		if (value)
			sum += *value;
	}
	return (int)sum;
}

SEC("socket") int
kernel_array_count(void *ctx)
{
	for (u32 i = 0, n = AT_MOST(bench.len, BENCH_DATA); i < n; i++) {
		u32 key = bench.data[i];
		u64 *value = map_lookup_elem(&array, &key);

		if (value)
			*value += 1;
	}
	return 0;
}

SEC("socket") int
kernel_hash_lookup(void *ctx)
{
	u64 sum = 0;

	for (u32 i = 0, n = AT_MOST(bench.len, BENCH_DATA); i < n; i++) {
		u64 key = bench.data[i];
		const u64 *value = map_lookup_elem(&hash, &key);

		if (value)
			sum += *value;
	}
	return (int)sum;
}

SEC("socket") int
kernel_hash_update(void *ctx)
{
	u64 sum = 0;

	for (u32 i = 0, n = AT_MOST(bench.len, BENCH_DATA); i < n; i++) {
		u64 key = bench.data[i];

		sum += (u64)map_update_elem(&hash, &key, &key, 0);
	}
	return (int)sum;
}

SEC("socket") int
kernel_helper(void *ctx)
{
	u32 sum = 0;

	for (u32 i = 0, n = AT_MOST(bench.times, 1000); i < n; i++)
		sum += get_prandom_u32();
	return (int)sum;
}

SEC("socket") int
kernel_helper_cpu(void *ctx)
{
	u32 sum = 0;

	for (u32 i = 0, n = AT_MOST(bench.times, 1000); i < n; i++)
		sum += get_smp_processor_id() ^ i;
	return (int)sum;
}

/* What a tracing handler does: count by a key, and a histogram by powers of two. Timed to see what a load costs, too. */
SEC("socket") int
kernel_handler(void *ctx)
{
	u64 key = bench.seed & 63, value = bench.seed >> 8 & 0xffffffff, one = 1, *count;
	u32 slot = 0;

	count = map_lookup_elem(&hash, &key);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		map_update_elem(&hash, &key, &one, 1);
	for (u32 shift = 16; shift; shift >>= 1) {
		if (value >> shift) {
			value >>= shift;
			slot += shift;
		}
	}
	count = map_lookup_elem(&array, &slot);
	if (count)
		__sync_fetch_and_add(count, value);
	return (int)slot;
}
