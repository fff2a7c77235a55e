/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Raw tracepoints of system calls, for programs of C compilers: what the kernel hands to a raw_tp/sys_enter program,
 *
 *     args[0]  address of the thread's registers, struct pt_regs     args[1]  number (sys_exit: what the call returns)
 *
 * The registers are a copy in our memory, which helpers that read kernel memory find at that address. On x86-64 struct pt_regs is the
 * beginning of struct user_regs_struct, on AArch64 struct user_pt_regs is what ptrace gives.
 */
#include <elf.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "source/ptrace_int.h"

const void *
raw_context(struct tracer *tracer, const struct task *task, int64_t second)
{
	struct iovec regs = { .iov_base = tracer->regs, .iov_len = sizeof(tracer->regs) };

	memset(tracer->regs, 0, sizeof(tracer->regs));
	memset(tracer->raw_args, 0, sizeof(tracer->raw_args));
	ptrace(PTRACE_GETREGSET, task->tid, (void *)NT_PRSTATUS, &regs); /* of a thread that was killed: zeros */
	tracer->raw_args[0] = (uintptr_t)tracer->regs;
	tracer->raw_args[1] = (uint64_t)second;
	return tracer->raw_args;
}
