/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * An index that may be one too large: the message quotes the line.
 *
 * refused: may touch memory behind its end
 * quotes: values[args[1] & 64] = 1;
 */
#include "prelude.h"

u64 values[64];

SEC("raw_tp/sys_enter")
int
refused(u64 *args)
{
	values[args[1] & 64] = 1;
	return 0;
}
