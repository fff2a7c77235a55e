/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Calls through pointers to functions, of which compilers make calls by a register: one of two functions as it comes, called where it was
 * chosen and by another function; one of a table by an index, a step of a little machine; those of a structure of operations. (gcc 12 makes such calls with -mxbpf alone, and then saves registers that nobody has set.)
 *
 * options: --callx
 * compilers: clang
 * engines: user
 * run: getppid 5 getpid 3
 * prints: applied = 1233
 * prints: both = 1475
 * prints: chosen = 1220
 * prints: dispatched = 9760
 */
#include "prelude.h"

typedef u64 operation(u64 n);

u64 applied, both, chosen, dispatched;

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

static operation *const steps[] = { twice, plus_one, 0 };

/* 110: 220, 440, 880, 1760; 39: 40, 80, 160, 320 */
static __noinline u64
dispatch(u64 n)
{
	for (int i = 0; i < 4; i++) {
		operation *step = steps[n >> i & 1];

		if (step)
			n = step(n);
	}
	return n;
}

static const struct operations {
	operation *first, *second;
	u64 more;
} sets[] = { { plus_one, twice, 10 }, { twice, plus_one, 20 } };

/* 110: 220 + 1 + 20; 39: 2 * 40 + 10 */
static __noinline u64
do_both(const struct operations *set, u64 n)
{
	return set->second(set->first(n)) + set->more;
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
	__sync_fetch_and_add(&dispatched, dispatch(nr));
	__sync_fetch_and_add(&both, do_both(&sets[nr == 110], nr));
	return 0;
}
