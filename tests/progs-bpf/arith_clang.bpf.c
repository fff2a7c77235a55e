/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * As arith.bpf.c, in the form that clang gives them. gcc ends loops by comparing addresses, which the kernel's verifier does not follow
 * either. by_switch tests one register while it uses another that is larger by a constant: the kernel follows that since 6.10.
 *
 * compilers: clang
 */
#include "prelude.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, u32);
	__type(value, u64[64]);
	__uint(max_entries, 1);
} buffer SEC(".maps");

u64 out;

static __always_inline u64 *
values(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&buffer, &zero);
}

SEC("raw_tp/sys_enter")
int
by_switch(u64 *args)
{
	u64 *v = values();

	if (!v)
		return 0;
	switch (args[1]) {
	case 0:
		v[1]++;
		break;
	case 1:
		v[2]++;
		break;
	case 2 ... 9:
		v[args[1]]++;
		break;
	default:
		v[63]++;
	}
	return 0;
}

SEC("raw_tp/sys_enter")
int
by_loop(u64 *args)
{
	u64 *v = values(), sum = 0;
	u32 n = args[1] & 31;

	if (!v)
		return 0;
#pragma GCC unroll 1
	for (u32 i = 0; i < n; i++)
		sum += v[i];
	out = sum;
	return 0;
}

SEC("raw_tp/sys_enter")
int
checksum(u64 *args)
{
	const char text[] = "what the compiler keeps in read-only data";
	u32 sum = args[1];

#pragma GCC unroll 1
	for (u32 i = 0; i < sizeof(text); i++)
		sum = sum * 31 + text[i];
	out = sum;
	return 0;
}
