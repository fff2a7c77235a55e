/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What each stop of a traced thread means (ptrace(2), "Stopped states", for threads attached by PTRACE_SEIZE):
 *
 *     SIGTRAP | 0x80                a call's entry or exit (PTRACE_SYSCALL)
 *     PTRACE_EVENT_SECCOMP          a call's entry, which the filter let us see
 *     PTRACE_EVENT_FORK/VFORK/CLONE a child is made; the child itself comes by PTRACE_EVENT_STOP, before or after
 *     PTRACE_EVENT_EXEC             inside execve, the new program is in place
 *     PTRACE_EVENT_EXIT             a thread is about to end
 *     PTRACE_EVENT_STOP             birth (SIGTRAP), or job control stopped the process (SIGSTOP, ...)
 *     any other signal              it is about to be delivered, and is delivered as we go on
 *
 * A thread may be killed at any moment, even while it is stopped: every request may fail with ESRCH, which means that its end is
 * about to be reported. So failures are not looked at here, and nothing waits for a thread.
 */
#include <errno.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "source/ptrace_int.h"

/* ---- going on ----------------------------------------------------------------------------------------------------- */

/*
 * Lets a thread run to its next stop, with a signal (0: none). Stops at every call where no filter tells them apart; else at
 * the exit of the call in progress where somebody wants that, or where it may change who the thread is.
 */
static void
resume(struct tracer *tracer, struct task *task, int signal)
{
	bool at_exit = task->in_call && (task->is_stale || task->clone_args || wants_exit(tracer, task->number));
	bool calls = (tracer->use_filter ? at_exit : tracer->n_hooks > 0) && !tracer->over;

	ptrace(calls ? PTRACE_SYSCALL : PTRACE_CONT, task->tid, NULL, (void *)(intptr_t)signal);
}

/* ---- calls ---------------------------------------------------------------------------------------------------------- */

/* The path that execve was given: once it succeeded, the memory that holds it is gone. */
static void
remember_path(struct tracer *tracer, struct task *task, uint64_t addr)
{
	char path[4096];
	int64_t n;

	free(task->exec_path);
	task->exec_path = NULL;
	tracer->engine.env.tid = (uint32_t)task->tid;
	n = task_read_memory(tracer, addr, path, sizeof(path));
	if (n > 0)
		task->exec_path = strndup(path, (size_t)n);
}

/*
 * A child made with CLONE_UNTRACED would not be ours, but have the filter, which then fails its calls (ENOSYS): so the flag is taken
 * away, from the register of clone, or from the memory that clone3 was given, where it is put back at the exit. The flag is in the lower
 * half of the flags' 64 bits, and is all that this word is changed by.
 */
static void
keep_child_traced(struct tracer *tracer, struct task *task, uint64_t number, const uint64_t args[6])
{
	uint64_t flags = args[0];

	if (number == SYS_clone && flags & CLONE_UNTRACED) {
		ptrace(PTRACE_POKEUSER, task->tid, (void *)offsetof(struct user_regs_struct, rdi), (void *)(uintptr_t)(flags & ~(uint64_t)CLONE_UNTRACED));
		return;
	}
	tracer->engine.env.tid = (uint32_t)task->tid;
	if (number != SYS_clone3 || task_read_memory(tracer, args[0], &flags, sizeof(flags)) != sizeof(flags) || !(flags & CLONE_UNTRACED))
		return;
	if (ptrace(PTRACE_POKEDATA, task->tid, (void *)(uintptr_t)args[0], (void *)(uintptr_t)(flags & ~(uint64_t)CLONE_UNTRACED)) == 0)
		task->clone_args = args[0];
}

static void
give_back_flag(struct tracer *tracer, struct task *task)
{
	uint64_t flags;

	tracer->engine.env.tid = (uint32_t)task->tid;
	if (task->clone_args && task_read_memory(tracer, task->clone_args, &flags, sizeof(flags)) == sizeof(flags))
		ptrace(PTRACE_POKEDATA, task->tid, (void *)(uintptr_t)task->clone_args, (void *)(uintptr_t)(flags | CLONE_UNTRACED));
	task->clone_args = 0;
}

static void
enter_call(struct tracer *tracer, struct task *task, uint64_t number, const uint64_t args[6])
{
	if (number >= SYSCALLS_MAX) /* none at all */
		return;
	task->in_call = true;
	task->number = (int32_t)number;
	if (number == SYS_execve || number == SYS_execveat) {
		tracer->going = true;
		if (tracer->process[PROCESS_EXEC] && !tracer->over)
			remember_path(tracer, task, args[number == SYS_execveat]);
	}
	emit_enter(tracer, task, task->number, args);
	if (tracer->use_filter)
		keep_child_traced(tracer, task, number, args);
	/* Only now: at its entry the thread still is who it was. */
	task->is_stale = changes_identity(task->number) && (number != SYS_prctl || args[0] == PR_SET_NAME);
}

/* A call of which we did not see the entry, since we came while it ran: its number is still in its register. */
static int32_t
number_in_register(pid_t tid)
{
	long number;

	errno = 0;
	number = ptrace(PTRACE_PEEKUSER, tid, (void *)offsetof(struct user_regs_struct, orig_rax), NULL);
	return errno || number < 0 || number >= SYSCALLS_MAX ? -1 : (int32_t)number;
}

static void
exit_call(struct tracer *tracer, struct task *task, int64_t ret)
{
	int32_t number = task->in_call ? task->number : number_in_register(task->tid);

	task->in_call = false;
	give_back_flag(tracer, task);
	if (task->is_stale)
		task_forget(task);
	task->is_stale = false;
	emit_exit(tracer, task, number, ret);
}

static void
call_stop(struct tracer *tracer, struct task *task, bool by_filter)
{
	struct call_stop stop;

	if (!call_read(tracer, task, by_filter, &stop))
		task->in_call = false;
	else if (stop.is_exit && (task->in_call || !stop.is_foreign)) /* the execve of a 32-bit program began as one of ours */
		exit_call(tracer, task, stop.result);
	else if (stop.is_foreign)
		tracer->n_foreign += !stop.is_exit && tracer->traces_calls && tracer->going && !tracer->over;
	else
		enter_call(tracer, task, stop.number, stop.args);
	resume(tracer, task, 0);
}

/* ---- births -------------------------------------------------------------------------------------------------------------- */

/*
 * A child returns from the call that made it, too, with 0, which no stop shows: it was not yet traced at that moment. The kernel's
 * tracepoint shows it, and so do we.
 */
static void
release_child(struct tracer *tracer, struct task *child)
{
	if (child->born_in >= 0)
		emit_exit(tracer, child, child->born_in, 0);
	child->born_in = -1;
	tracer->n_held -= child->is_held;
	child->is_held = false;
	resume(tracer, child, 0);
}

#define HOLD_NS 100000000

void
release_overdue(struct tracer *tracer)
{
	uint64_t now = clock_now();
	struct task *task;
	size_t i;

	for (i = 0; tracer->n_held && i < TASK_BUCKETS; i++)
		for (task = tracer->tasks[i]; task; task = task->next)
			if (task->is_held && now - task->held_since > HOLD_NS)
				release_child(tracer, task);
}

/* CLONE_THREAD in the flags of clone or clone3, which for PTRACE_EVENT_CLONE alone is a question. */
static bool
is_thread(const struct task *parent, pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)(parent->knows_tgid ? parent->tgid : parent->tid), (int)tid);
	return access(path, F_OK) == 0;
}

static void
fork_stop(struct tracer *tracer, struct task *parent, int event)
{
	unsigned long tid = 0;
	struct task *child;

	if (ptrace(PTRACE_GETEVENTMSG, parent->tid, NULL, &tid) == 0 && (child = task_get(tracer, (pid_t)tid))) {
		if (!child->knows_tgid)
			task_inherit(child, parent, event == PTRACE_EVENT_CLONE && is_thread(parent, child->tid));
		child->announced = true;
		emit_fork(tracer, parent, child);
		if (parent->in_call && wants_exit(tracer, parent->number))
			child->born_in = parent->number;
		if (child->is_held)
			release_child(tracer, child);
	}
	resume(tracer, parent, 0);
}

/* ---- exec, ends, signals ---------------------------------------------------------------------------------------------------- */

static void
exec_stop(struct tracer *tracer, pid_t tid)
{
	unsigned long old_tid = (unsigned long)tid;
	struct task *task;

	ptrace(PTRACE_GETEVENTMSG, tid, NULL, &old_tid);
	task = task_take_over(tracer, (pid_t)old_tid, tid);
	if (!task)
		return;
	task->tgid = tid;
	task->knows_tgid = task->announced = true;
	task_forget(task);
	if (tid == tracer->leader) {
		tracer->going = true;
		if (!tracer->executed && tracer->page && tracer->page->error)
			tracer->use_filter = false; /* there is none: every call stops */
		tracer->executed = true;
	}
	stack_exec(tracer, task);
	emit_exec(tracer, task, (pid_t)old_tid);
	free(task->exec_path);
	task->exec_path = NULL;
	resume(tracer, task, 0);
}

/* Signals that do nothing where there is no handler; without a tracer they are dropped before they are delivered. */
static bool
ignored_by_default(int signal)
{
	return signal == SIGCHLD || signal == SIGURG || signal == SIGWINCH || signal == SIGCONT;
}

static void
signal_stop(struct tracer *tracer, struct task *task, int number)
{
	struct signal_event event = { .number = number };
	uint64_t bit = 1ull << (number - 1);
	siginfo_t info;

	if (tracer->process[PROCESS_SIGNAL] && ptrace(PTRACE_GETSIGINFO, task->tid, NULL, &info) == 0) {
		event.error = info.si_errno;
		event.code = info.si_code;
		if (!(task_signal_mask(task->tid, "SigIgn") & bit) &&
		    !(ignored_by_default(number) && !(task_signal_mask(task->tid, "SigCgt") & bit)))
			emit_signal(tracer, task, &event);
	}
	resume(tracer, task, number);
}

/* PTRACE_EVENT_STOP: a thread begins, or the process is stopped by job control and stays so, but can be continued by SIGCONT. */
static void
event_stop(struct tracer *tracer, struct task *task, int signal)
{
	if (signal != SIGTRAP) {
		ptrace(PTRACE_LISTEN, task->tid, NULL, NULL);
	} else if (!task->announced && !tracer->over) {
		task->is_held = true;
		task->held_since = clock_now();
		tracer->n_held++;
	} else {
		release_child(tracer, task);
	}
}

static void
task_ended(struct tracer *tracer, pid_t tid, int status)
{
	struct task *task = task_find(tracer, tid);

	if (task)
		task_remove(tracer, task);
	if (tid == tracer->leader) {
		tracer->ended = true;
		tracer->exit_status = status;
	}
}

void
handle_report(struct tracer *tracer, pid_t tid, int status)
{
	struct task *task;
	int signal = WSTOPSIG(status), event = status >> 16;

	if (WIFEXITED(status) || WIFSIGNALED(status)) {
		task_ended(tracer, tid, status);
		return;
	}
	if (!WIFSTOPPED(status))
		return;
	if (event == PTRACE_EVENT_EXEC) {
		exec_stop(tracer, tid);
		return;
	}
	task = task_get(tracer, tid);
	if (!task) { /* no memory: let it run, unseen */
		ptrace(PTRACE_CONT, tid, NULL, (void *)(intptr_t)(event ? 0 : signal));
		return;
	}
	switch (event) {
	case PTRACE_EVENT_SECCOMP:
		call_stop(tracer, task, true);
		break;
	case PTRACE_EVENT_FORK:
	case PTRACE_EVENT_VFORK:
	case PTRACE_EVENT_CLONE:
		fork_stop(tracer, task, event);
		break;
	case PTRACE_EVENT_EXIT:
		emit_process_exit(tracer, task);
		resume(tracer, task, 0);
		break;
	case PTRACE_EVENT_STOP:
		event_stop(tracer, task, signal);
		break;
	case 0:
		if (signal == (SIGTRAP | 0x80))
			call_stop(tracer, task, false);
		else
			signal_stop(tracer, task, signal);
		break;
	}
}
