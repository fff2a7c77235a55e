/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Sections of many kinds, as tracing programs have them; some can be attached nowhere on this machine, all must pass the verifier as the
 * kernel's does.
 */
#include "prelude.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__type(key, u32);
	__type(value, u64);
	__uint(max_entries, 512);
} counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(key_size, 4);
	__uint(value_size, 20 * 8);
	__uint(max_entries, 128);
} stacks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__type(key, u64);
	__type(value, u64);
	__uint(max_entries, 64);
} recent SEC(".maps");

static __always_inline void
count(u32 key)
{
	u64 one = 1, *n = bpf_map_lookup_elem(&counts, &key);

	if (n)
		++*n;
	else
		bpf_map_update_elem(&counts, &key, &one, BPF_ANY);
}

SEC("tp/sched/sched_process_exec")
int
on_exec(void *ctx)
{
	count(bpf_get_current_pid_tgid() >> 32);
	return 0;
}

/* A string behind the record's fixed part, at the offset that the record says. */
SEC("tp/sched/sched_process_exec")
int
on_exec_name(u32 *ctx)
{
	char name[64];

	if (bpf_probe_read_kernel_str(name, sizeof(name), (char *)ctx + (ctx[2] & 0xffff)) > 0)
		count(name[0]);
	return 0;
}

SEC("tp/sched/sched_process_fork")
int
on_fork(void *ctx)
{
	u64 key = bpf_get_current_uid_gid(), now = bpf_ktime_get_ns();

	bpf_map_update_elem(&recent, &key, &now, BPF_ANY);
	return 0;
}

SEC("tp/signal/signal_deliver")
int
on_signal(u32 *ctx)
{
	count(ctx[2]);
	return 0;
}

SEC("perf_event")
int
on_sample(u64 *ctx)
{
	count(bpf_get_stackid(ctx, &stacks, 0));
	return 0;
}

SEC("perf_event")
int
on_sample_user(u64 *ctx)
{
	u64 frames[8];
	long len;

	__builtin_memset(frames, 0, sizeof(frames));
	len = bpf_get_stack(ctx, frames, sizeof(frames), 1 << 8);
	if (len > 0)
		count(frames[0]);
	return 0;
}

SEC("kprobe/do_unlinkat")
int
on_kprobe(u64 *regs)
{
	char name[32];

	bpf_probe_read_kernel_str(name, sizeof(name), (void *)regs[13]);
	count(name[0]);
	return 0;
}

SEC("kretprobe/do_unlinkat")
int
on_kretprobe(u64 *regs)
{
	count(regs[10]);
	return 0;
}

SEC("uprobe")
int
on_uprobe(u64 *regs)
{
	u64 arg = 0;

	bpf_probe_read_user(&arg, sizeof(arg), (void *)regs[14]);
	count(arg);
	return 0;
}

SEC("uretprobe")
int
on_uretprobe(u64 *regs)
{
	count(regs[10]);
	return 0;
}

SEC("raw_tp/sched_switch")
int
on_sched_switch(u64 *args)
{
	count(bpf_get_smp_processor_id());
	return 0;
}

/* One in eight. */
SEC("raw_tp/sys_exit")
int
on_sampled(u64 *args)
{
	if ((bpf_get_prandom_u32() & 7) == 0)
		count(args[1]);
	return 0;
}
