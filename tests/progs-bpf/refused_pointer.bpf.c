/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * A pointer of the kernel's that is followed without a helper.
 *
 * refused: uses as an address what is not the address of memory
 * quotes: return *(u64 *)args[0];
 */
#include "prelude.h"

SEC("raw_tp/sys_enter")
int
refused(u64 *args)
{
	return *(u64 *)args[0];
}
