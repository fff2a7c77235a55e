/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What the two halves of user stacks in the kernel engine share: the programs' (kernel_ustack.c) and ours (kernel_stacks.c).
 *
 * The kernel's own bpf_get_stackid follows frame pointers. Where that is not enough, a function of ours takes its place in the loaded
 * programs, with the same arguments and the same kind of result, a number. It sends what belongs to the number through a ring buffer:
 *
 *     --unwind=dwarf      registers and a copy of the stack; each has a number of its own. We unwind it, equal stacks get one number,
 *                         and take that for the first in the keys of tables (kernel_stacks.c)
 *     a user function's   the frames: the caller, whose return address is still on top of the stack, then along the frame pointers;
 *     first instruction   equal ones have the same number
 */
#ifndef KTAP_KERNEL_USTACK_H
#define KTAP_KERNEL_USTACK_H

#include "source/kernel_int.h"
#include "source/unwind.h"

/* Numbers of both kinds are told from the kernel's, which are small. */
#define USTACK_TAKEN  (1u << 30) /* by a program of ours */
#define USTACK_MERGED (1u << 29) /* of unwound stacks: equal ones have the same */
#define USTACK_NUMBER (USTACK_MERGED - 1)

#define USTACK_FRAMES_MAX 100 /* what ustack(depth, skip) takes, each */

/*
 * While a function runs whose return is probed, what stands at its return address's place is the kernel's address of its own. The kernel
 * remembers what belongs there (struct return_instance), innermost function first; slot 0 ends the list.
 */
struct hijacked {
	uint64_t slot, address;
};

#define USTACK_RETURNS 16 /* of a stack; more stay hidden */

/* Where the kernel keeps them, bytes in its structures. */
struct return_offsets {
	bool known;
	uint32_t task_utask, utask_instances, slot, address, next;
};

/* A copied stack: bytes [sp, sp + len) of the process. */
struct stack_copy {
	uint32_t id, skip, pid, len;
	uint64_t regs[UNWIND_REGISTERS];
	struct hijacked returns[USTACK_RETURNS + 1];
	unsigned char bytes[];
};

/* Frames that a program has walked; `n` of them, of which the first `skip` are not wanted. */
struct stack_walk {
	uint32_t id, n, skip, pid;
	struct hijacked returns[USTACK_RETURNS + 1];
	uint64_t frames[];
};

struct kernel_stacks {
	bool dwarf;
	bool stopped;        /* no program runs any more */
	uint32_t copy_max;   /* bytes of a stack that are copied at most */
	struct return_offsets returns; /* not known: no function's return is probed by us */
	uint32_t depth;      /* frames that a stack has at most */
	int ring_fd;
	int counter_fd;      /* array of one u64: numbers that were given */
	int known_fd;        /* walks: hash of the frames -> number */
	struct record_ring *ring;
	struct unwinder *unwinder;
	const struct stack_copy *copy; /* being unwound */
	struct stack_walk *walk; /* being read, walk_size bytes at most */
	uint32_t walk_size;
	struct kernel *kernel;
	bool is_cut;         /* that one goes on behind its copy */
	uint64_t n_cut;      /* stacks of which that is so, */
	uint64_t n_dropped;  /* and entries of tables that were lost */
	struct taken *taken; /* [STACKS_TAKEN], by number */
	struct frames *frames;
	uint32_t n_frames, cap_frames;
	uint32_t *buckets;   /* of frames, by hash: number + 1, 0 is empty */
	uint32_t n_buckets;
	uint32_t n_new;      /* taken since tables were looked through */
};

/* ---- kernel_ustack.c ------------------------------------------------------------------------- */

/* Does a unit's stack function differ from the kernel's? */
bool
kernel_ustack_wanted(const struct kernel *kernel, const struct unit *unit);

/* The function for a unit, which is called with the arguments of bpf_get_stackid. */
struct func *
kernel_ustack_func(const struct kernel *kernel, const struct unit *unit, struct arena *arena);

#endif
