/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * A loop in a loop, both a helper's, with sums that differ from round to round: of 0 to i - 1 each, for i from 0 to 9, which are 120; and 10 rounds.
 *
 * run: getppid 2
 * prints: sum = 260
 * compilers: clang
 */
#include "prelude.h"

u64 sum = 0;

static int
inner(u32 i, u64 *s)
{
	*s += i;
	return 0;
}

static int
outer(u32 i, u64 *s)
{
	u64 own = 0;

	bpf_loop(i, inner, &own, 0);
	*s += own;
	return 0;
}

SEC("tp/syscalls/sys_enter_getppid")
int
on_call(struct enter *ctx)
{
	u64 s = 0;
	long rounds;

	if (!is_target())
		return 0;
	rounds = bpf_loop(10, outer, &s, 0);
	sum += s + rounds;
	return 0;
}
