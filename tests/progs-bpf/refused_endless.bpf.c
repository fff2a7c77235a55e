/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * A loop without an end.
 *
 * refused: a loop that never ends
 * quotes: while (*p != 5)
 */
#include "prelude.h"

u64 n;

SEC("raw_tp/sys_enter")
int
refused(u64 *args)
{
	volatile u64 *p = &n;

	while (*p != 5)
		;
	return 0;
}
