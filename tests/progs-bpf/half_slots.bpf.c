/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Numbers of 4 bytes that live in the stack, since their address is taken: the loop ends because of what is known of one.
 *
 * run: getppid 2
 * prints: last = 4
 * prints: sum = 20
 */
#include "prelude.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 4);
	__type(key, u32);
	__type(value, u64);
} places SEC(".maps");

u64 sum = 0;
u32 last = 0;

SEC("tp/syscalls/sys_enter_getppid")
int
on_call(struct enter *ctx)
{
	u32 i __attribute__((aligned(8)));

	if (!is_target())
		return 0;
	for (i = 0; i < 4; i++) {
		u64 *value = bpf_map_lookup_elem(&places, &i);

		if (value)
			sum += *value + i + 1;
	}
	last = i;
	return 0;
}
