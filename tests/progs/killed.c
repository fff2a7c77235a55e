/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * killed HOW: makes one getppid system call and then ends in an unfriendly way:
 *
 *     kill     by SIGKILL, sent to itself          abort    by SIGABRT
 *     segv     by reading an unmapped address       threads  by SIGKILL while three more threads make system calls, one each at least
 *     group    exit_group from a thread while the others sleep
 *     orphan   ends at once; a child, which it leaves behind, sleeps 300 ms, makes one getppid call and ends
 *     stop     stops itself by SIGSTOP; a child wakes it with SIGCONT, every 100 ms until it goes on; then one more getppid call
 */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void
sleep_ms(long ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&time, NULL);
}

static atomic_int n_calling;

static void *
call_forever(void *unused)
{
	syscall(SYS_getppid);
	atomic_fetch_add(&n_calling, 1);
	while (syscall(SYS_getppid) >= 0)
		;
	return NULL;
}

static void *
end_group(void *unused)
{
	sleep_ms(20);
	_exit(7);
}

static void
start(void *(*fn)(void *))
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, fn, NULL))
		exit(1);
}

static void
end_threads(void)
{
	for (int i = 0; i < 3; i++)
		start(call_forever);
	while (atomic_load(&n_calling) < 3)
		sleep_ms(20);
	kill(getpid(), SIGKILL);
}

static int
read_unmapped(void)
{
	volatile int *volatile address = (volatile int *)8; /* so that the compiler does not see where it points */

	return *address;
}

static void
leave_orphan(void)
{
	if (fork() > 0)
		_exit(0);
	sleep_ms(300);
	syscall(SYS_getppid);
	_exit(0);
}

/* The pipe ends when the parent goes on: a SIGCONT that came before it had stopped is followed by others. */
static void
wake(pid_t parent, int pipe_fd)
{
	struct pollfd gone = { .fd = pipe_fd };

	while (poll(&gone, 1, 100) == 0)
		kill(parent, SIGCONT);
	_exit(0);
}

static void
stop_and_go(void)
{
	pid_t parent = getpid();
	int fds[2];

	if (pipe(fds) < 0)
		exit(1);
	if (fork() == 0) {
		close(fds[1]);
		wake(parent, fds[0]);
	}
	raise(SIGSTOP);
	close(fds[1]);
	wait(NULL);
	syscall(SYS_getppid);
}

int
main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";

	syscall(SYS_getppid);
	if (!strcmp(how, "kill"))
		kill(getpid(), SIGKILL);
	else if (!strcmp(how, "abort"))
		abort();
	else if (!strcmp(how, "segv"))
		return read_unmapped();
	else if (!strcmp(how, "threads"))
		end_threads();
	else if (!strcmp(how, "group"))
		start(end_group), pause();
	else if (!strcmp(how, "orphan"))
		leave_orphan();
	else if (!strcmp(how, "stop"))
		stop_and_go();
	else
		return 2;
	return 0;
}
