/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Paths as they come: read, compared, split, counted by what they begin with; events in a ring buffer, reserved and output.
 *
 * gcc 12 makes code of it that the kernel refuses, too.
 *
 * compilers: clang
 * run: chdir 7 missing 2
 * prints: prefixes (hash, 1 entry):
 * prints:   { text: "/nonexis" } = 7
 * prints: last_digit = 6
 * prints: longest = 14
 * prints: slashes = 14
 * prints: 14 records, 728 bytes
 */
#include "prelude.h"

struct prefix {
	char text[8];
};

struct event {
	u32 pid;
	char comm[16];
	char path[32];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct prefix);
	__type(value, u64);
	__uint(max_entries, 16);
} prefixes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 65536);
} records SEC(".maps");

u64 slashes, longest, last_digit;

/* A loop with a bound that the compiler must not unroll. */
static __attribute__((noinline)) u32
count_slashes(const char *s)
{
	char path[32];
	u32 n = 0;

	bpf_probe_read_kernel(path, sizeof(path), s);
#pragma GCC unroll 1
	for (u32 i = 0; i < sizeof(path) && path[i]; i++)
		n += path[i] == '/';
	return n;
}

SEC("tp/syscalls/sys_enter_chdir")
int
reserve(struct enter *ctx)
{
	struct event *event;
	long len;

	if (!is_target())
		return 0;
	event = bpf_ringbuf_reserve(&records, sizeof(*event), 0);
	if (!event)
		return 0;
	event->pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(event->comm, sizeof(event->comm));
	len = bpf_probe_read_user_str(event->path, sizeof(event->path), (void *)ctx->args[0]);
	if (len < 1 || len > (long)sizeof(event->path)) {
		bpf_ringbuf_discard(event, 0);
		return 0;
	}
	if (len - 1 > longest)
		longest = len - 1;
	slashes += count_slashes(event->path);
	if (len >= 2)
		last_digit = event->path[(len - 2) & 31] - '0';
	bpf_ringbuf_submit(event, 0);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_chdir")
int
output(struct enter *ctx)
{
	struct event event;
	struct prefix prefix;
	u64 one = 1, *n;

	if (!is_target())
		return 0;
	__builtin_memset(&event, 0, sizeof(event));
	__builtin_memset(&prefix, 0, sizeof(prefix));
	bpf_probe_read_user_str(event.path, sizeof(event.path), (void *)ctx->args[0]);
	__builtin_memcpy(prefix.text, event.path, sizeof(prefix.text));
	n = bpf_map_lookup_elem(&prefixes, &prefix);
	if (n)
		++*n;
	else
		bpf_map_update_elem(&prefixes, &prefix, &one, BPF_ANY);
	bpf_ringbuf_output(&records, &event, sizeof(event), 0);
	return 0;
}
