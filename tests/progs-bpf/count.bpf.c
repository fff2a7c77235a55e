/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Tables of several kinds, variables, printing, init and fini: what `ktap run` prints of them.
 *
 * run: getppid 5 getpid 3
 * prints: begin
 * prints: the second call has number 110
 * prints: end 5
 * prints: calls (hash, 2 entries):
 * prints:   { pid: 7, nr: 39 } = 3
 * prints:   { pid: 7, nr: 110 } = 5
 * prints: per_cpu (percpu_array, 1 entry):
 * prints:   2 = 5
 * prints: name = "calls"
 * prints: total = 5
 */
#include "prelude.h"

struct key {
	int pid, nr;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct key);
	__type(value, long);
	__uint(max_entries, 99);
} calls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__type(key, int);
	__type(value, long);
	__uint(max_entries, 4);
} per_cpu SEC(".maps");

long total;
char name[16];

static __attribute__((noinline)) void
count(int nr)
{
	struct key key = { 7, nr };
	long one = 1, *value = bpf_map_lookup_elem(&calls, &key);

	if (value)
		++*value;
	else
		bpf_map_update_elem(&calls, &key, &one, 0);
}

SEC("tp/syscalls/sys_enter_getppid")
int
on_getppid(struct enter *ctx)
{
	int two = 2;
	long *value;

	if (!is_target())
		return 0;
	count(ctx->nr);
	value = bpf_map_lookup_elem(&per_cpu, &two);
	if (value)
		++*value;
	__sync_fetch_and_add(&total, 1);
	bpf_get_current_comm(name, sizeof(name));
	if (total == 2)
		bpf_printk("the second call has number %d", (int)ctx->nr);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_getpid")
int
on_getpid(struct enter *ctx)
{
	if (is_target())
		count(ctx->nr);
	return 0;
}

SEC("init")
int
first(void *ctx)
{
	bpf_printk("begin");
	return 0;
}

SEC("fini")
int
last(void *ctx)
{
	bpf_printk("end %d", (int)total);
	return 0;
}
