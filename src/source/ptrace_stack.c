/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * User stacks in the user engine: of the stopped thread whose event is handled, by frame pointers, as the kernel takes them
 * (arch/x86/events/core.c, perf_callchain_user), or where that is asked for by call frame information (unwind.h). The process stands
 * still, so what it has mapped is read from /proc when an address is not known yet: names last longer than the process.
 *
 *     %rbp -> | caller's %rbp | return address |  ...
 */
#include <errno.h>
#include <sys/ptrace.h>

#include "source/ptrace_int.h"

/* Reads the maps where the process is new, or has code at an address that was in none of them. */
static void
know_addresses(struct tracer *tracer, uint32_t pid, const uint64_t *addrs, uint32_t n)
{
	struct spaces *spaces = tracer->spaces;
	struct place place;

	if (!spaces_know(spaces, pid))
		spaces_read(spaces, pid);
	for (uint32_t i = 0; i < n; i++) {
		if (spaces_find(spaces, pid, addrs[i], &place) || addrs[i] == tracer->no_code)
			continue;
		spaces_read(spaces, pid);
		/* What still is unknown is no code, but a number behind the last frame, and may come again with each stack. */
		if (!spaces_find(spaces, pid, addrs[i], &place))
			tracer->no_code = addrs[i];
		return;
	}
}

static int64_t
unwind_frame_pointers(struct tracer *tracer, const struct user_regs_struct *regs, uint64_t *addrs, uint32_t max)
{
	uint64_t frame[2] = { regs->rbp, 0 };
	uint32_t n = 1;

	addrs[0] = regs->rip;
	while (n < max && task_read_memory(tracer, frame[0], frame, sizeof(frame)) == sizeof(frame) && frame[1])
		addrs[n++] = frame[1];
	return n;
}

/* struct unwind_job: what the stopped thread itself says. */
static bool
read_word(void *arg, uint64_t addr, uint64_t *word)
{
	return task_read_memory(arg, addr, word, sizeof(*word)) == sizeof(*word);
}

static void
read_maps(void *arg)
{
	struct tracer *tracer = arg;

	spaces_read(tracer->spaces, tracer->engine.env.pid);
}

static int64_t
unwind_dwarf(struct tracer *tracer, const struct user_regs_struct *r, uint64_t *addrs, uint32_t max)
{
	const struct unwind_job job = {
		.pid = tracer->engine.env.pid,
		.regs = { r->rax, r->rdx, r->rcx, r->rbx, r->rsi, r->rdi, r->rbp, r->rsp, r->r8, r->r9, r->r10, r->r11, r->r12, r->r13,
			  r->r14, r->r15, r->rip },
		.spaces = tracer->spaces, .read = read_word, .learn = read_maps, .arg = tracer, .addrs = addrs, .max = max,
	};

	return unwinder_walk(tracer->unwinder, &job);
}

int64_t
task_unwind(void *arg, uint64_t *addrs, uint32_t max)
{
	struct tracer *tracer = arg;
	pid_t tid = (pid_t)tracer->engine.env.tid;
	struct user_regs_struct regs;
	int64_t n;

	if (ptrace(PTRACE_GETREGS, tid, NULL, &regs) < 0)
		return -errno;
	if (!max || !regs.rip)
		return -EFAULT;
	n = tracer->unwinder && tracer->spaces ? unwind_dwarf(tracer, &regs, addrs, max) : unwind_frame_pointers(tracer, &regs, addrs, max);
	if (n > 0 && tracer->spaces)
		know_addresses(tracer, tracer->engine.env.pid, addrs, (uint32_t)n);
	return n;
}

struct spaces *
ptrace_spaces(struct source *source)
{
	struct tracer *tracer = (struct tracer *)((char *)source - offsetof(struct tracer, engine.source));

	return tracer->spaces;
}

void
stack_exec(struct tracer *tracer, const struct task *task)
{
	if (!tracer->spaces)
		return;
	spaces_exec(tracer->spaces, (uint32_t)task->tgid);
	spaces_read(tracer->spaces, (uint32_t)task->tgid);
}
