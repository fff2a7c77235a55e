/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Tables of tables: an array that names what it holds, with a place left empty, and a hash table of tables without a name of their own.
 * The BTF of gcc 12 is refused by the kernel, without which libbpf makes no such tables (outer_gcc.bpf.c).
 *
 * compilers: clang
 * run: getppid 5 getpid 3
 * prints: first (array, 1 entry):
 * prints:   1 = 5
 * prints: second (array, 1 entry):
 * prints:   1 = 3
 * prints: third (hash, 1 entry):
 * prints:   110 = 5
 * prints: missing = 8
 */
#include "prelude.h"

struct counts {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 2);
	__type(key, int);
	__type(value, long);
} first SEC(".maps"), second SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, int);
	__array(values, struct counts);
} outer SEC(".maps") = {
	.values = { [0] = &first, [2] = &second },
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 9);
	__type(key, int);
	__type(value, long);
} third SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH_OF_MAPS);
	__uint(max_entries, 4);
	__type(key, int);
	__array(values, struct {
		__uint(type, BPF_MAP_TYPE_HASH);
		__uint(max_entries, 1);
		__type(key, int);
		__type(value, long);
	});
} keyed SEC(".maps") = {
	.values = { &third },
};

long missing;

static __attribute__((noinline)) void
count(int place)
{
	void *inner = bpf_map_lookup_elem(&outer, &place);
	int one = 1, empty = 1;
	long *value;

	if (!bpf_map_lookup_elem(&outer, &empty))
		__sync_fetch_and_add(&missing, 1);
	if (!inner)
		return;
	value = bpf_map_lookup_elem(inner, &one);
	if (value)
		++*value;
}

SEC("tp/syscalls/sys_enter_getppid")
int
on_getppid(struct enter *ctx)
{
	int place = 0, nr = ctx->nr;
	long one = 1, *value;
	void *inner;

	if (!is_target())
		return 0;
	count(0);
	inner = bpf_map_lookup_elem(&keyed, &place);
	if (!inner)
		return 0;
	value = bpf_map_lookup_elem(inner, &nr);
	if (value)
		++*value;
	else
		bpf_map_update_elem(inner, &nr, &one, 0);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_getpid")
int
on_getpid(struct enter *ctx)
{
	if (is_target())
		count(2);
	return 0;
}
