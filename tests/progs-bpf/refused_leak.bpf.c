/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * A record of the ring buffer that one path forgets.
 *
 * refused: ends while a record is reserved
 */
#include "prelude.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} records SEC(".maps");

SEC("raw_tp/sys_enter")
int
refused(u64 *args)
{
	u64 *record = bpf_ringbuf_reserve(&records, 8, 0);

	if (!record)
		return 0;
	*record = args[1];
	if (args[1] == 7)
		return 0;
	bpf_ringbuf_submit(record, 0);
	return 0;
}
