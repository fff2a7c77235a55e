/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Sizes and offsets from outside, bounded in the ways compilers bound them: masks, comparisons, minima, division, shifts, signed
 * ones, 32-bit ones. Each program is one such way.
 */
#include "prelude.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, u32);
	__type(value, u64[64]);
	__uint(max_entries, 1);
} buffer SEC(".maps");

u64 out;
unsigned char bytes[256];

static __always_inline u64 *
values(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&buffer, &zero);
}

SEC("raw_tp/sys_enter")
int
by_mask(u64 *args)
{
	u64 *v = values();

	if (v)
		out = v[args[1] & 63];
	return 0;
}

SEC("raw_tp/sys_enter")
int
by_comparison(u64 *args)
{
	u64 *v = values(), i = args[1];

	if (v && i < 64)
		v[i]++;
	return 0;
}

SEC("raw_tp/sys_enter")
int
by_signed_comparison(u64 *args)
{
	u64 *v = values();
	s64 i = args[1];

	if (v && i >= 0 && i < 64)
		v[i]++;
	return 0;
}

SEC("raw_tp/sys_enter")
int
by_minimum(u64 *args)
{
	u64 *v = values(), i = args[1];

	i = i > 63 ? 63 : i;
	if (v)
		v[i]++;
	return 0;
}

SEC("raw_tp/sys_enter")
int
by_remainder(u64 *args)
{
	u64 *v = values();

	if (v)
		v[args[1] % 64]++;
	return 0;
}

SEC("raw_tp/sys_enter")
int
by_shift(u64 *args)
{
	u64 *v = values();

	if (v)
		v[args[1] >> 58]++;
	return 0;
}

SEC("raw_tp/sys_enter")
int
by_width(u64 *args)
{
	bytes[(unsigned char)args[1]]++;
	return 0;
}

SEC("raw_tp/sys_enter")
int
by_sum(u64 *args)
{
	u64 *v = values();
	u32 a = args[1] & 31, b = args[0] & 31;

	if (v)
		v[a + b]++;
	return 0;
}

SEC("raw_tp/sys_enter")
int
by_nested_loop(u64 *args)
{
	u64 *v = values(), sum = 0;

	if (!v)
		return 0;
#pragma GCC unroll 1
	for (u32 i = 0; i < 8; i++)
#pragma GCC unroll 1
		for (u32 j = 0; j < 8; j++)
			sum += v[i * 8 + j] * (i ^ j);
	out = sum;
	return 0;
}

SEC("raw_tp/sys_enter")
int
division(u64 *args)
{
	u64 a = args[1], b = args[0];

	out = a / (b | 1) + a % (b | 1) + (u32)a / ((u32)b | 1);
	return 0;
}
