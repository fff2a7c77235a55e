/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * How tracing begins and ends.
 *
 * A command is seized while it waits at its pipe, then let go; it installs the filter and executes. A running process can be
 * given no filter: its threads are seized one by one and stop at every call. Their children and threads follow by themselves
 * (PTRACE_O_TRACE*). At the end threads are stopped once more, since only a stopped one can be let go of.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "source/ptrace_int.h"

static long
options(const struct tracer *tracer)
{
	long set = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC;

	if (tracer->process[PROCESS_EXIT])
		set |= PTRACE_O_TRACEEXIT;
	/* Without us, calls that the filter stops at fail (ENOSYS): no process may live on so. */
	if (tracer->use_filter)
		set |= PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL;
	return set;
}

/* ---- what forbids it ----------------------------------------------------------------------------------------------- */

/* First number in a file, or `absent`. */
static long
read_number(const char *path, long absent)
{
	FILE *file = fopen(path, "re");
	long number;

	if (!file)
		return absent;
	if (fscanf(file, "%ld", &number) != 1)
		number = absent;
	fclose(file);
	return number;
}

static long
status_field(pid_t pid, const char *name)
{
	char path[64], line[256];
	size_t len = strlen(name);
	long number = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, name, len) == 0 && line[len] == ':')
			number = strtol(line + len + 1, NULL, 10);
	if (file)
		fclose(file);
	return number;
}

static void
explain(pid_t pid, int err, struct text *why)
{
	long yama = read_number("/proc/sys/kernel/yama/ptrace_scope", 0), tracer;

	text_printf(why, "process %d cannot be traced: %s", (int)pid, strerror(-err));
	if (err != -EPERM)
		return;
	tracer = status_field(pid, "TracerPid");
	if (tracer)
		text_printf(why, "; process %ld (a debugger?) traces it already", tracer);
	else if (pid == getpid())
		text_puts(why, "; this is ktap itself");
	else if (yama > 0)
		text_printf(why, "; kernel.yama.ptrace_scope is %ld, which %s", yama,
			    yama == 1 ? "permits a command that ktap starts (ktap SCRIPT -- COMMAND); for other processes run ktap as root" :
			    yama == 2 ? "permits it to root only: run ktap as root" : "permits it to nobody until the next boot");
	else
		text_puts(why, "; it belongs to another user, or this container forbids ptrace (CAP_SYS_PTRACE): "
			  "run ktap as the process's user, as root, or outside the container");
}

/* ---- a command -------------------------------------------------------------------------------------------------------- */

/* Handles stops, blocking, until the command's execve has succeeded or it has ended. */
static void
wait_for_exec(struct tracer *tracer)
{
	int status;
	pid_t tid;

	while (!tracer->executed && !tracer->ended) {
		tid = waitpid(-1, &status, __WALL);
		if (tid > 0)
			handle_report(tracer, tid, status);
		else if (errno != EINTR)
			break;
	}
}

int
trace_command(struct tracer *tracer, struct text *why)
{
	pid_t pid = tracer->command.pid;
	struct task *task;
	int err;

	if (tracer->use_filter)
		filter_write(tracer, tracer->page);
	if (ptrace(PTRACE_SEIZE, pid, NULL, (void *)options(tracer)) < 0) {
		err = -errno;
		explain(pid, err, why);
		return err;
	}
	tracer->is_traced = true;
	task = task_get(tracer, pid);
	if (!task)
		return -ENOMEM;
	task->announced = true;
	if (!tracer->use_filter)
		ptrace(PTRACE_INTERRUPT, pid, NULL, NULL); /* the stop from which we can ask for every call */
	err = command_release(&tracer->command);
	wait_for_exec(tracer);
	if (err == 0)
		err = command_result(&tracer->command);
	if (err == 0 && !tracer->executed)
		err = -ECHILD;
	if (err < 0)
		text_printf(why, "command '%s' cannot be executed: %s", tracer->target.argv[0],
			    err == -ECHILD ? "it was killed before" : strerror(-err));
	return err;
}

/* ---- a running process -------------------------------------------------------------------------------------------------- */

/* Seizes the threads that are not yet; returns how many were, or -errno when the process itself can't be. */
static int
seize_threads(struct tracer *tracer, pid_t pid)
{
	struct dirent *entry;
	struct task *task;
	char path[64];
	int n = 0, err = 0;
	pid_t tid;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	while (err == 0 && (entry = readdir(dir))) {
		tid = (pid_t)strtol(entry->d_name, NULL, 10);
		if (tid <= 0 || task_find(tracer, tid))
			continue;
		if (ptrace(PTRACE_SEIZE, tid, NULL, (void *)options(tracer)) < 0) {
			/* A thread may end, or be attached by its parent's clone, before we come to it. */
			err = tid == pid ? -errno : 0;
			continue;
		}
		task = task_get(tracer, tid);
		if (!task) {
			err = -ENOMEM;
			continue;
		}
		task->announced = true;
		ptrace(PTRACE_INTERRUPT, tid, NULL, NULL);
		n++;
	}
	closedir(dir);
	return err < 0 ? err : n;
}

int
trace_process(struct tracer *tracer, struct text *why)
{
	long tgid = status_field(tracer->target.pid, "Tgid");
	int n;

	if (tgid > 0)
		tracer->leader = (pid_t)tgid;
	tracer->going = tracer->executed = tracer->is_traced = true;
	/* A thread may make others until it is seized: look again until there are no new ones. */
	do
		n = seize_threads(tracer, tracer->leader);
	while (n > 0);
	if (n == 0)
		return 0;
	explain(tracer->leader, n, why);
	untrace_all(tracer);
	return n;
}

/* ---- the end ----------------------------------------------------------------------------------------------------------------- */

#define UNTRACE_NS 2000000000 /* a thread in an uninterruptible sleep does not stop; the kernel lets go of it when we exit */

static void
let_go(struct tracer *tracer, struct task *task, int signal)
{
	ptrace(PTRACE_DETACH, task->tid, NULL, (void *)(intptr_t)signal);
	task_remove(tracer, task);
}

static void
let_go_at(struct tracer *tracer, pid_t tid, int status)
{
	int signal = WSTOPSIG(status), event = status >> 16;
	unsigned long message = 0;
	struct task *task;

	if (!WIFSTOPPED(status)) {
		handle_report(tracer, tid, status);
		return;
	}
	ptrace(PTRACE_GETEVENTMSG, tid, NULL, &message);
	if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE)
		task_get(tracer, (pid_t)message); /* attached: it will stop, too */
	if (event == PTRACE_EVENT_EXEC)
		task = task_take_over(tracer, (pid_t)message, tid);
	else
		task = task_get(tracer, tid);
	/* A signal that was about to be delivered still is; events and calls carry none. */
	if (task)
		let_go(tracer, task, event || signal == (SIGTRAP | 0x80) ? 0 : signal);
}

static void
stop_all(struct tracer *tracer)
{
	struct task *task, *next;
	size_t i;

	for (i = 0; i < TASK_BUCKETS; i++) {
		for (task = tracer->tasks[i]; task; task = next) {
			next = task->next;
			if (task->is_held) /* stopped already: no other stop will be reported */
				let_go(tracer, task, 0);
			else
				ptrace(PTRACE_INTERRUPT, task->tid, NULL, NULL);
		}
	}
}

void
untrace_all(struct tracer *tracer)
{
	uint64_t until = clock_now() + UNTRACE_NS;
	struct pollfd ready = { .fd = tracer->signal_fd, .events = POLLIN };
	int status;
	pid_t tid;

	tracer->over = true;
	stop_all(tracer);
	while (tracer->n_tasks && clock_now() < until) {
		tid = waitpid(-1, &status, __WALL | WNOHANG);
		if (tid > 0)
			let_go_at(tracer, tid, status);
		else if (tid < 0 && errno != EINTR)
			break;
		else
			poll(&ready, 1, 1);
	}
	tracer->is_traced = false;
}
