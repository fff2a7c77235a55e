/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * User stacks by call frame information (.eh_frame, DWARF 5 section 6.4), which programs have whether they were made with frame
 * pointers or not: for both engines, over whatever registers and memory they have of a thread. unwind.c does it with libdw;
 * unwind_none.c takes its place in a build without.
 */
#ifndef KTAP_UNWIND_H
#define KTAP_UNWIND_H

#include "source/source.h"

#define UNWIND_REGISTERS 17 /* of x86-64, in the order of its ABI supplement, the instruction pointer last */

/* One stack. */
struct unwind_job {
	uint32_t pid;
	uint64_t regs[UNWIND_REGISTERS];
	struct spaces *spaces;
	/* The word at an address of the process; false: it cannot be read. */
	bool (*read)(void *arg, uint64_t addr, uint64_t *word);
	/* Looks again what the process has mapped: an address of code was in nothing that the spaces know. */
	void (*learn)(void *arg);
	void *arg;            /* of both */
	uint64_t *addrs;      /* where the frames go, innermost first, */
	uint32_t max;         /* at most so many, > 0 */
};

struct unwinder;

/* NULL with *why set: no memory, or built without libdw. */
struct unwinder *
unwinder_open(struct text *why);

void
unwinder_close(struct unwinder *unwinder);

/* Returns how many frames there are, at least one. */
uint32_t
unwinder_walk(struct unwinder *unwinder, const struct unwind_job *job);

#endif
