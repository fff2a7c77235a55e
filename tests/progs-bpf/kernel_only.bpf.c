/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What only the kernel has: a value of the kernel's configuration; beside a perf buffer without a size and a table of tables. `ktap run` runs it
 * there all the same, and shows the tables.
 *
 * compilers: clang
 * engines: kernel
 * unreadable: "LINUX_KERNEL_VERSION" is in .kconfig: only the kernel engine has the kernel's configuration
 * run: getppid 4
 * prints: inner (array, 1 entry):
 * prints:   0 = 4
 * prints: has_version = 1
 * prints: n = 4
 * prints: 4 records, 48 bytes
 */
#include "prelude.h"

#define NR_GETPPID 110

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} samples SEC(".maps");

struct inner {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, int);
	__type(value, long);
	__uint(max_entries, 4);
} inner SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(key_size, 4);
	__uint(max_entries, 2);
	__array(values, struct inner);
} outer SEC(".maps") = { .values = { [0] = &inner } };

extern int LINUX_KERNEL_VERSION __kconfig;

long n, has_version;

SEC("raw_tp/sys_enter")
int
on_enter(u64 *args)
{
	int zero = 0;
	long *value;
	void *table;

	if (args[1] != NR_GETPPID || !is_target())
		return 0;
	n++;
	has_version = LINUX_KERNEL_VERSION >= 0x50000; /* raw tracepoints with all of this are of Linux 5 */
	table = bpf_map_lookup_elem(&outer, &zero);
	value = table ? bpf_map_lookup_elem(table, &zero) : NULL;
	if (value)
		++*value;
	bpf_perf_event_output(args, &samples, BPF_F_CURRENT_CPU, &n, sizeof(n));
	return 0;
}
