/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Locks in values and in a variable. The kernel has them for programs that do not trace, so only the user engine runs these.
 *
 * engines: user
 * run: getppid 5 getpid 3
 * prints: sums (hash, 2 entries):
 * prints:   39 = { n: 3, lock: { val: 0 }, sum: 117 }
 * prints:   110 = { n: 5, lock: { val: 0 }, sum: 550 }
 * prints: total = 8
 */
#include "prelude.h"

struct sum {
	u64 n;
	struct bpf_spin_lock lock;
	u64 sum;
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, int);
	__type(value, struct sum);
	__uint(max_entries, 99);
} sums SEC(".maps");

struct bpf_spin_lock guard;
long total;

static __attribute__((noinline)) void
count(int nr)
{
	struct sum none = { 0 }, *sum;

	bpf_map_update_elem(&sums, &nr, &none, BPF_NOEXIST);
	sum = bpf_map_lookup_elem(&sums, &nr);
	if (!sum)
		return;
	bpf_spin_lock(&sum->lock);
	sum->n++;
	sum->sum += nr;
	bpf_spin_unlock(&sum->lock);
	bpf_spin_lock(&guard);
	total++;
	bpf_spin_unlock(&guard);
}

SEC("tp/syscalls/sys_enter_getppid")
int
on_getppid(struct enter *ctx)
{
	count(ctx->nr);
	return 0;
}

SEC("tp/syscalls/sys_enter_getpid")
int
on_getpid(struct enter *ctx)
{
	count(ctx->nr);
	return 0;
}
