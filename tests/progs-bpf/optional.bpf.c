/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * A '?' before a section: the program is passed over, be it for an event that is there or for one that nobody knows.
 *
 * run: getppid 2
 * prints: n = 2
 * differs: nowhere
 */
#include "prelude.h"

u64 n;

SEC("tp/syscalls/sys_enter_getppid")
int
on_call(struct enter *ctx)
{
	if (is_target())
		__sync_fetch_and_add(&n, 1);
	return 0;
}

SEC("?tp/syscalls/sys_enter_getppid")
int
not_on_call(struct enter *ctx)
{
	if (is_target())
		__sync_fetch_and_add(&n, 100);
	return 0;
}

SEC("?nobody/knows")
int
nowhere(void *ctx)
{
	return 0;
}
