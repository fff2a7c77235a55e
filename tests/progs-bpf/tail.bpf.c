/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Tail calls: a program that is only reached so, one that goes on itself where a place is empty, and 33 in a row.
 *
 * run: getppid 5 getpid 3
 * prints: empty = 5
 * prints: n_parents = 5
 * prints: n_rounds = 99
 * prints: rounds_ended = 3
 */
#include "prelude.h"

#define NR_GETPID  39
#define NR_GETPPID 110

int rounds(u64 *args);
int parents(u64 *args);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 8);
	__uint(key_size, 4);
	__array(values, int (void *));
} programs SEC(".maps") = {
	.values = { [2] = (void *)&parents, [5] = (void *)&rounds },
};

long empty, n_parents, n_rounds, rounds_ended;

SEC("raw_tp")
int
parents(u64 *args)
{
	if (args[1] == NR_GETPPID)
		n_parents++;
	return 0;
}

SEC("raw_tp")
int
rounds(u64 *args)
{
	n_rounds++;
	bpf_tail_call(args, &programs, 5);
	rounds_ended++;
	return 0;
}

SEC("raw_tp/sys_enter")
int
on_enter(u64 *args)
{
	if (!is_target())
		return 0;
	if (args[1] == NR_GETPID)
		bpf_tail_call(args, &programs, 5);
	if (args[1] != NR_GETPPID)
		return 0;
	bpf_tail_call(args, &programs, 3);
	empty++;
	bpf_tail_call(args, &programs, 2);
	return 0;
}
