/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What a stop at a system call says: entry or exit, of which call, through which of the kernel's tables. PTRACE_GET_SYSCALL_INFO tells
 * all of it (Linux 5.3). On older kernels it is found out as tracers always did:
 *
 *     entry or exit    by turns; where the filter stopped it, it is an entry
 *     which call       from the registers
 *     which table      32-bit code segment, or the instruction before was int $0x80: i386; a bit of the number: x32
 *
 * Calls through the tables of i386 and x32 are not traced, as the kernel's own syscalls:* do not show them: their numbers mean other calls.
 * They are counted, so that ktap says what it did not see.
 */
#include <errno.h>
#include <linux/audit.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#include "source/ptrace_int.h"

#define INT_80 0x80cd /* int $0x80, as a number */

/* The number of a call of x32; a negative one is of no call in any table. */
static bool
is_x32(uint64_t number)
{
	return (int32_t)number >= X32_BIT;
}

/* ---- the kernel tells -------------------------------------------------------------------------- */

/* The structure that the kernel fills, PTRACE_GET_SYSCALL_INFO in ptrace(2). */
static bool
take_info(const struct __ptrace_syscall_info *info, struct call_stop *stop)
{
	switch (info->op) {
	case PTRACE_SYSCALL_INFO_ENTRY:
		stop->number = info->entry.nr;
		memcpy(stop->args, info->entry.args, sizeof(stop->args));
		break;
	case PTRACE_SYSCALL_INFO_SECCOMP:
		stop->number = info->seccomp.nr;
		memcpy(stop->args, info->seccomp.args, sizeof(stop->args));
		break;
	case PTRACE_SYSCALL_INFO_EXIT:
		stop->is_exit = true;
		stop->result = info->exit.rval;
		break;
	default:
		return false;
	}
	stop->is_foreign = info->arch != AUDIT_ARCH_X86_64 || (!stop->is_exit && is_x32(stop->number));
	return true;
}

/* ---- the registers tell ------------------------------------------------------------------------ */

static bool
is_i386(pid_t tid, const struct user_regs_struct *regs)
{
	long insn;

	if (regs->cs == COMPAT_CS)
		return true;
	errno = 0;
	insn = ptrace(PTRACE_PEEKTEXT, tid, (void *)(uintptr_t)(regs->rip - 2), NULL);
	return !errno && (insn & 0xffff) == INT_80;
}

static bool
take_registers(struct task *task, bool by_filter, struct call_stop *stop)
{
	struct user_regs_struct r;

	if (ptrace(PTRACE_GETREGS, task->tid, NULL, &r) < 0)
		return false;
	stop->is_exit = !by_filter && task->is_inside;
	stop->is_foreign = is_i386(task->tid, &r);
	if (stop->is_exit) {
		stop->result = (int64_t)r.rax;
	} else {
		stop->number = r.orig_rax;
		memcpy(stop->args, (const uint64_t[]){ r.rdi, r.rsi, r.rdx, r.r10, r.r8, r.r9 }, sizeof(stop->args));
		stop->is_foreign |= is_x32(stop->number);
	}
	return true;
}

/* ---- either ------------------------------------------------------------------------------------ */

bool
call_read(struct tracer *tracer, struct task *task, bool by_filter, struct call_stop *stop)
{
	struct __ptrace_syscall_info info;
	bool known;

	*stop = (struct call_stop){ 0 };
	if (!tracer->no_call_info && ptrace(PTRACE_GET_SYSCALL_INFO, task->tid, (void *)sizeof(info), &info) > 0) {
		known = take_info(&info, stop);
	} else {
		/* A thread that was killed meanwhile has none either: ESRCH. An older kernel does not know the request. */
		tracer->no_call_info |= errno == EIO || errno == EINVAL;
		known = tracer->no_call_info && take_registers(task, by_filter, stop);
	}
	if (known)
		task->is_inside = !stop->is_exit;
	return known;
}

bool
call_info_available(void)
{
	/* The one road without has to stay tested on kernels that have it. */
	return !getenv("KTAP_NO_SYSCALL_INFO");
}
