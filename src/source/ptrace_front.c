/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * How ktap ends while processes that the command left behind live on.
 *
 * Processes with the filter need their tracer: without one the calls that it stops at would fail. Nor can another process
 * take over (Yama lets ancestors only). So the process that the shell waits for is not the tracer but a front before it:
 *
 *     shell ---- front: waits, passes signals on, exits with the tracer's status
 *                  |
 *                tracer: all of ktap
 *                  |  \
 *              command  its children
 *
 * As a rule the tracer just exits, and the front with it. When traced processes are left, the tracer tells the front its status
 * and stays in the background, with no descriptor open and no program run, until the last of them has ended.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "source/ptrace_int.h"

/* Which process we are is a fact of the process, not of a source: it can't be kept anywhere else. */
static struct {
	bool is_behind;  /* we are the tracer behind a front */
	int status_fd;   /* to the front */
} this_process;

static const int passed_on[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH };

/* ---- the front ------------------------------------------------------------------------------------------------------- */

static void __attribute__((noreturn))
end_as(int status)
{
	sigset_t set;

	if (WIFSIGNALED(status)) { /* whoever waits for us shall see the same */
		signal(WTERMSIG(status), SIG_DFL);
		sigemptyset(&set);
		sigaddset(&set, WTERMSIG(status));
		raise(WTERMSIG(status));
		sigprocmask(SIG_UNBLOCK, &set, NULL);
	}
	_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

static void
take_signal(int signals, pid_t tracer)
{
	struct signalfd_siginfo info;
	int status;

	if (read(signals, &info, sizeof(info)) != sizeof(info))
		return;
	if (info.ssi_signo == SIGCHLD) {
		if (waitpid(tracer, &status, WNOHANG) == tracer && !WIFSTOPPED(status))
			end_as(status);
	} else if (info.ssi_code != SI_KERNEL) { /* the terminal sends to all of the group, so to the tracer too */
		kill(tracer, (int)info.ssi_signo);
	}
}

static void __attribute__((noreturn))
be_front(pid_t tracer, int status_fd, int signals)
{
	struct pollfd fds[] = { { .fd = signals, .events = POLLIN }, { .fd = status_fd, .events = POLLIN } };
	int status;

	for (;;) {
		poll(fds, ARRAY_SIZE(fds), -1);
		if (fds[0].revents)
			take_signal(signals, tracer);
		if (fds[1].revents & POLLIN && read(status_fd, &status, sizeof(status)) == sizeof(status))
			_exit(status);
		if (fds[1].revents)
			fds[1].fd = -1; /* the tracer has ended: its status comes by SIGCHLD */
	}
}

static void
front_signals(sigset_t *set)
{
	size_t i;

	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	for (i = 0; i < ARRAY_SIZE(passed_on); i++)
		sigaddset(set, passed_on[i]);
}

int
front_make(void)
{
	pid_t pid, front = getpid();
	sigset_t set, old;
	int fds[2], signals, err = 0;

	if (this_process.is_behind)
		return 0;
	front_signals(&set);
	signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (signals < 0)
		return -errno;
	if (pipe2(fds, O_CLOEXEC) < 0) {
		err = -errno;
		close(signals);
		return err;
	}
	fflush(NULL); /* or both would write what is buffered */
	signal(SIGCHLD, SIG_DFL); /* an inherited SIG_IGN would throw away the status of children */
	sigprocmask(SIG_BLOCK, &set, &old);
	pid = fork();
	if (pid > 0) {
		close(fds[1]);
		be_front(pid, fds[0], signals);
	}
	if (pid < 0)
		err = -errno;
	close(signals);
	close(fds[0]);
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (err < 0) {
		close(fds[1]);
		return err;
	}
	prctl(PR_SET_PDEATHSIG, SIGTERM); /* a front that is killed ends the run */
	if (getppid() != front)
		_exit(1);
	this_process.is_behind = true;
	this_process.status_fd = fds[1];
	return 0;
}

/* ---- the tracer in the background -------------------------------------------------------------------------------------- */

/* Runs when ktap exits: on_exit(3). */
static void
keep(int exit_status, void *arg)
{
	struct tracer *tracer = arg;
	siginfo_t next;
	size_t i;

	fflush(NULL);
	prctl(PR_SET_PDEATHSIG, 0);
	prctl(PR_SET_NAME, "ktap-keeper");
	for (i = 0; i < ARRAY_SIZE(passed_on); i++)
		signal(passed_on[i], SIG_IGN); /* with us the processes would die: who wants that signals them */
	setsid();
	if (write(this_process.status_fd, &exit_status, sizeof(exit_status)) < 0)
		_exit(exit_status);
	close_range(0, ~0u, 0);
	/* Waits for a report and leaves it there: all are handled together (see ptrace.c). */
	while (waitid(P_ALL, 0, &next, WEXITED | WSTOPPED | WNOWAIT | __WALL) == 0 || errno == EINTR)
		handle_reports(tracer);
	_exit(0);
}

void
front_keep(struct tracer *tracer)
{
	if (on_exit(keep, tracer) != 0)
		untrace_all(tracer);
}
