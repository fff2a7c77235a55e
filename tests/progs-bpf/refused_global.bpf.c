/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What a global function happens to return is not known to its caller.
 *
 * compilers: clang
 * refused: moves an address by a number that is not bounded
 */
#include "prelude.h"

char text[16];

__noinline int
three(void)
{
	int three = 3;

	asm volatile("" : "+r"(three));
	return three;
}

SEC("raw_tp/sys_enter")
int
on_enter(u64 *args)
{
	text[three()] = 1;
	return 0;
}
