/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Variables in sections of their own, one of which has its variable's name, as ktap's writer names those of scripts; weak ones, static ones.
 *
 * run: getppid 3
 * prints: calls = 13
 * prints: others = 6
 * prints: weak = 8
 */
#include "prelude.h"

u64 calls SEC(".data.calls") = 10, others SEC(".data.calls");
const volatile int step SEC(".rodata.step") = 2;
__attribute__((weak)) int weak = 2;
static volatile int doubled = 0;

SEC("tp/syscalls/sys_enter_getppid")
int
on_call(struct enter *ctx)
{
	if (!is_target())
		return 0;
	calls++;
	doubled += step;
	others = doubled;
	weak += 2;
	return 0;
}
