/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Constants that configure a program, as libbpf's have them: which way it goes, how often, at which place, is known when it is verified. The
 * helper that nobody has is called on no path.
 *
 * gcc 12 puts them into .data, where they are none.
 *
 * compilers: clang
 * run: getppid 3
 * prints: counts = [0, 0, 3, 3, 3, 0]
 * prints: shifted = -6
 */
#include "prelude.h"

struct range {
	signed char least;
	u32 first;
	u64 n;
};

const volatile struct range range = { -2, 2, 3 };
const volatile bool has_feature = false, is_verbose = true;

u64 counts[6];
s64 shifted;

SEC("tp/syscalls/sys_enter_getppid")
int
on_call(struct enter *ctx)
{
	if (!is_target())
		return 0;
#pragma GCC unroll 1
	for (u32 i = 0; i < range.n; i++)
		counts[range.first + i]++;
	if (has_feature || !is_verbose)
		return ((int (*)(void))(unsigned long)9999)();
	shifted += range.least;
	return 0;
}
