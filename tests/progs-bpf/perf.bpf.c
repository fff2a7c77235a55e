/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Records by the older way, through a table of perf events. Their size is one that the kernel does not pad.
 *
 * compilers: clang
 * run: getppid 3
 * prints: lost = 0
 * prints: 3 records, 36 bytes
 */
#include "prelude.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(u32));
} events SEC(".maps");

u64 lost;

SEC("tp/syscalls/sys_enter_getppid")
int
on_call(struct enter *ctx)
{
	u32 record[3] = { 1, 2, 3 };

	if (is_target() && bpf_perf_event_output(ctx, &events, BPF_F_CURRENT_CPU, record, sizeof(record)))
		lost++;
	return 0;
}
