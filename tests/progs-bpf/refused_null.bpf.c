/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * A lookup whose result is not checked.
 *
 * refused: uses an address that may be null
 * quotes: ++*value;
 */
#include "prelude.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, u32);
	__type(value, u64);
	__uint(max_entries, 8);
} table SEC(".maps");

SEC("raw_tp/sys_enter")
int
refused(u64 *args)
{
	u32 key = args[1];
	u64 *value = bpf_map_lookup_elem(&table, &key);

	++*value;
	return 0;
}
