/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Calls through pointers to functions, of which compilers make calls by a register: one of two functions as it comes, called where it was
 * chosen and by another function. (gcc 12 makes such calls with -mxbpf alone, and then saves registers that nobody has set.)
 *
 * options: --callx
 * compilers: clang
 * engines: user
 * run: getppid 5 getpid 3
 * prints: applied = 1233
 * prints: chosen = 1220
 */
#include "prelude.h"

typedef u64 operation(u64 n);

u64 chosen, applied;

static __noinline u64
twice(u64 n)
{
	return 2 * n;
}

static __noinline u64
plus_one(u64 n)
{
	return n + 1;
}

static __noinline u64
apply(operation *f, u64 n)
{
	return f(n);
}

/* getppid, 110: 220 and 222; getpid, 39: 40 and 41 */
SEC("raw_tp/sys_enter")
int
on_enter(u64 *args)
{
	u64 nr = args[1];
	operation *f = nr == 110 ? twice : plus_one;

	if (!is_target() || (nr != 110 && nr != 39))
		return 0;
	__sync_fetch_and_add(&chosen, f(nr));
	__sync_fetch_and_add(&applied, apply(f, nr + 1));
	return 0;
}
