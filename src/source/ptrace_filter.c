/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The seccomp filter of a traced command (seccomp(2)): calls that somebody wants stop for the tracer, all others pass. It looks at
 * architecture and number alone, so the kernel (5.11+) keeps its answer "pass" in a bitmap and the other calls cost nothing. Calls
 * through the tables of i386 and x32 stop, where calls are traced at all: to be counted (ptrace_call.c).
 *
 *     not x86-64? stop
 *     clone with CLONE_UNTRACED? stop              a child that nobody traces would not get past the filter: see ptrace_stop.c
 *     number < k1?  -> left half | right half      a binary tree over the borders between stop and pass
 *
 * A process without the privilege to install filters has to give up gaining any by execve (no_new_privs): a set-user-ID
 * program then runs as the caller, as it does under any tracer.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "source/ptrace_int.h"

bool
filter_available(void)
{
	uint32_t action = SECCOMP_RET_TRACE;

	/* The one road without a filter has to stay tested on kernels that have them. */
	if (getenv("KTAP_NO_SECCOMP"))
		return false;
	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

bool
changes_identity(int32_t number)
{
	switch (number) {
	case SYS_setuid:
	case SYS_setgid:
	case SYS_setreuid:
	case SYS_setregid:
	case SYS_setresuid:
	case SYS_setresgid:
	case SYS_prctl: /* PR_SET_NAME */
		return true;
	}
	return false;
}

bool
filter_stops_at(const struct tracer *tracer, int32_t number)
{
	if (wants_enter(tracer, number) || wants_exit(tracer, number) || changes_identity(number))
		return true;
	if (number == SYS_clone3) /* its flags are in memory, where the filter does not see them: CLONE_UNTRACED */
		return true;
	return tracer->process[PROCESS_EXEC] && (number == SYS_execve || number == SYS_execveat);
}

/* ---- the tree ---------------------------------------------------------------------------------------------------- */

/* The numbers from `from` on, up to the next border, stop or pass. */
struct border {
	uint32_t from;
	bool stops;
};

static void
emit(struct filter_page *page, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
	page->insns[page->n_insns++] = (struct sock_filter){ .code = code, .jt = jt, .jf = jf, .k = k };
}

static void
emit_return(struct filter_page *page, bool stops)
{
	emit(page, BPF_RET | BPF_K, stops ? SECCOMP_RET_TRACE : SECCOMP_RET_ALLOW, 0, 0);
}

/* Conditional jumps reach 255 instructions only, so the right half is reached by a long one. */
static void
emit_tree(struct filter_page *page, const struct border *borders, uint32_t n)
{
	uint32_t middle = n / 2;
	uint16_t jump;

	if (n == 1) {
		emit_return(page, borders->stops);
		return;
	}
	emit(page, BPF_JMP | BPF_JGE | BPF_K, borders[middle].from, 0, 1);
	jump = page->n_insns;
	emit(page, BPF_JMP | BPF_JA, 0, 0, 0);
	emit_tree(page, borders, middle);
	page->insns[jump].k = page->n_insns - jump - 1u;
	emit_tree(page, borders + middle, n - middle);
}

void
filter_write(const struct tracer *tracer, struct filter_page *page)
{
	struct border borders[SYSCALLS_MAX + 2];
	uint32_t n = 0, number;
	bool stops, foreign = tracer->traces_calls;

	for (number = 0; number <= SYSCALLS_MAX; number++) {
		stops = number < SYSCALLS_MAX && filter_stops_at(tracer, (int32_t)number);
		if (!n || borders[n - 1].stops != stops)
			borders[n++] = (struct border){ number, stops };
	}
	if (foreign)
		borders[n++] = (struct border){ X32_BIT, true };
	page->n_insns = 0;
	emit(page, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch), 0, 0);
	emit(page, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
	emit_return(page, foreign);
	emit(page, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
	emit(page, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 4);
	emit(page, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args), 0, 0);
	emit(page, BPF_JMP | BPF_JSET | BPF_K, CLONE_UNTRACED, 0, 1);
	emit_return(page, true);
	emit(page, BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr), 0, 0);
	emit_tree(page, borders, n);
}

/* Every border but the last needs a jump of two instructions and a leaf of one. */
_Static_assert(10 + 3 * (SYSCALLS_MAX + 2) <= FILTER_INSNS_MAX, "the largest filter fits");

void
filter_install(void *arg)
{
	struct filter_page *page = arg;
	struct sock_fprog filter = { .len = page->n_insns, .filter = page->insns };

	if (!page->n_insns || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0)
		return;
	if (errno == EACCES && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0)
		return;
	page->error = errno;
}
