/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Time between a call's entry and its exit, by thread, as a histogram of powers of two, and the calls that fail by their error.
 *
 * run: missing 6 badclose 2
 * prints: errors (hash, 2 entries):
 * prints:   2 = 6
 * prints:   9 = 2
 * prints: n = 8
 */
#include "prelude.h"

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, u32);
	__type(value, u64);
	__uint(max_entries, 1024);
} started SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, int);
	__type(value, u64);
	__uint(max_entries, 200);
} errors SEC(".maps");

static u64 slots[32]; /* of histogram: how long is not ours to say */
u64 n;

static __always_inline int
enter(void)
{
	u32 tid = bpf_get_current_pid_tgid();
	u64 now = bpf_ktime_get_ns();

	if (is_target())
		bpf_map_update_elem(&started, &tid, &now, BPF_ANY);
	return 0;
}

static __always_inline u32
log2_of(u64 v)
{
	u32 r = 0;

	if (v >> 16) {
		v >>= 16;
		r += 16;
	}
	if (v >> 8) {
		v >>= 8;
		r += 8;
	}
	if (v >> 4) {
		v >>= 4;
		r += 4;
	}
	if (v >> 2) {
		v >>= 2;
		r += 2;
	}
	return r + (v >> 1 != 0);
}

static __always_inline int
leave(struct leave *ctx)
{
	u32 tid = bpf_get_current_pid_tgid(), slot;
	u64 *from = bpf_map_lookup_elem(&started, &tid), one = 1, *count;
	int error = -ctx->ret;

	if (!from)
		return 0;
	slot = log2_of(bpf_ktime_get_ns() - *from);
	__sync_fetch_and_add(&slots[slot & 31], 1);
	bpf_map_delete_elem(&started, &tid);
	if (error <= 0)
		return 0;
	__sync_fetch_and_add(&n, 1);
	count = bpf_map_lookup_elem(&errors, &error);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&errors, &error, &one, BPF_NOEXIST);
	return 0;
}

SEC("tp/syscalls/sys_enter_openat")
int
enter_openat(struct enter *ctx)
{
	char name[8] = "";

	bpf_probe_read_user_str(name, sizeof(name), (void *)ctx->args[1]);
	return name[1] == 'n' && name[2] == 'o' && name[3] == 'n' ? enter() : 0;
}

SEC("tp/syscalls/sys_exit_openat")
int
exit_openat(struct leave *ctx)
{
	return leave(ctx);
}

SEC("tp/syscalls/sys_enter_close")
int
enter_close(struct enter *ctx)
{
	return enter();
}

SEC("tp/syscalls/sys_exit_close")
int
exit_close(struct leave *ctx)
{
	return leave(ctx);
}
