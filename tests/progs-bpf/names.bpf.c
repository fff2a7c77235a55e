/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Tables as libbpf lets them be described: names that begin as ktap's own do, a ring buffer of a size that is rounded up, the number of a bloom
 * filter's hashes, how a table lives.
 *
 * compilers: clang
 * run: getppid 3
 * prints: ktap_calls (hash, 1 entry):
 * prints:   110 = 3
 * prints: added = 3
 * prints: size = 8192
 * prints: 3 records, 12 bytes
 */
#include "prelude.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, u32);
	__type(value, u64);
	__uint(max_entries, 16);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(pinning, LIBBPF_PIN_NONE);
} ktap_calls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_BLOOM_FILTER);
	__type(value, u32);
	__uint(max_entries, 16);
	__uint(map_extra, 3);
} seen SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 5000);
} ktap_records SEC(".maps");

u64 added, size;

SEC("tp/syscalls/sys_enter_getppid")
int
on_call(struct enter *ctx)
{
	u32 nr = ctx->nr;
	u64 one = 1, *n;

	if (!is_target())
		return 0;
	n = bpf_map_lookup_elem(&ktap_calls, &nr);
	if (n)
		++*n;
	else
		bpf_map_update_elem(&ktap_calls, &nr, &one, BPF_ANY);
	bpf_map_push_elem(&seen, &nr, BPF_ANY);
	added += !bpf_map_peek_elem(&seen, &nr);
	bpf_ringbuf_output(&ktap_records, &nr, sizeof(nr), 0);
	size = bpf_ringbuf_query(&ktap_records, BPF_RB_RING_SIZE);
	return 0;
}
