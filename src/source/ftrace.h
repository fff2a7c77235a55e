/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * ftrace: an instance of the kernel's tracer for ourselves, in which events are recorded without any BPF. It is removed on every way out:
 * by ftrace_close, and by a process that waits for our end, should we be killed.
 */
#ifndef KTAP_FTRACE_H
#define KTAP_FTRACE_H

#include <sys/types.h>

#include "source/source.h"

struct ftrace {
	int dir;             /* of the instance */
	int keeper_fd;       /* its closing tells the keeper that we are gone */
	pid_t keeper;
	char name[64];
	uint32_t n_cpus;
	int *page_fds;       /* one a CPU: trace_pipe_raw */
	uint32_t page_size;
};

/* Makes an instance. Returns 0, or -errno with *why naming cause and cure; ftrace_close in either case; `ftrace` is zeroed. */
int
ftrace_open_instance(struct ftrace *ftrace, struct text *why);

/* The same for recording: clock CLOCK_MONOTONIC, no events, not yet switched on. */
int
ftrace_open(struct ftrace *ftrace, struct text *why);

/* Writes a file of the instance. Returns 0 or -errno. */
int
ftrace_write(const struct ftrace *ftrace, const char *file, const char *text);

/* Switches an event on. -ENOENT: the kernel has no such event. */
int
ftrace_enable(const struct ftrace *ftrace, const char *system, const char *name);

/* Restricts it to a process, and to all that it starts from now on. Returns 0 or -errno. */
int
ftrace_follow(const struct ftrace *ftrace, pid_t pid);

/*
 * The next page of a CPU's events (recording_pages.c says how they look) into `page`, page_size bytes; those that are not filled are
 * handed out too. Returns 1, 0: there is none now, or -errno. Does not block.
 */
int
ftrace_read_page(const struct ftrace *ftrace, uint32_t cpu, unsigned char *page);

void
ftrace_close(struct ftrace *ftrace);

/* ---- the command or process that is followed; whole machine: neither ------------------------------------------ */

struct followed {
	const struct target *target;
	struct command command;
	pid_t pid;           /* of either; 0: the whole machine */
	int pidfd;           /* readable once it has ended; -1 */
};

/* Starts the command, held back, or finds the process, and restricts the instance to it. Returns 0 or -errno with *why. */
int
followed_open(struct followed *followed, const struct target *target, const struct ftrace *ftrace, struct text *why);

/* Switches recording on and lets the command go. Returns 0 or -errno with *why. */
int
followed_go(struct followed *followed, const struct ftrace *ftrace, struct text *why);

bool
followed_ended(const struct followed *followed);

/* A command that was never let go is ended; one that runs on is left alone. */
void
followed_close(struct followed *followed);

#endif
