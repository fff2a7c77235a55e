/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Calls of static and global functions that stand behind each other in one section, which compilers refer to in several ways.
 *
 * run: getppid 3
 * prints: firsts = 3
 * prints: fourths = 15
 * prints: seconds = 6
 * prints: thirds = 12
 */
#include "prelude.h"

u64 firsts, seconds, thirds, fourths;

static __noinline int
first(int n)
{
	firsts += n;
	return n;
}

static __noinline int
second(int n)
{
	seconds += 2 * n;
	return n;
}

__noinline int
third(int n)
{
	thirds += 4 * n;
	return n;
}

__noinline int
fourth(int n)
{
	fourths += 5 * n;
	return n;
}

SEC("tp/syscalls/sys_enter_getppid")
int
on_call(struct enter *ctx)
{
	if (!is_target())
		return 0;
	return first(1) + second(1) + third(1) + fourth(1);
}
