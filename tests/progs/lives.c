/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * lives HOW N: how processes begin and end where a tracer has it hard. Each way makes known numbers of getppid system calls.
 *
 *     vfork     N children by vfork(2), one call each before the parent goes on, and one more in the parent each: 2 N
 *     untraced  N children by clone(2) and N by clone3(2) with CLONE_UNTRACED, one call each: 2 N. Exits with 1 if one of them failed
 *     storm     N process groups, each killed by SIGKILL at some moment while it forks, executes, makes threads, stops, or executes from a
 *               thread; one call in the parent for each: N. The others make none
 *     busy      0 calls, without end: what storm executes
 */
#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char *program;

static long
call(void)
{
	return syscall(SYS_getppid);
}

static void
vforks(long n)
{
	while (n-- > 0) {
		pid_t child = vfork();

		if (child == 0) {
			call();
			_exit(0);
		}
		call();
		waitpid(child, NULL, 0);
	}
}

static int
wait_for(pid_t child)
{
	int status = 0;

	return child < 0 || waitpid(child, &status, __WALL) != child || status != 0;
}

static int
untraced(long n)
{
	int n_failed = 0;

	for (; n > 0; n--) {
		struct clone_args args = { .flags = CLONE_UNTRACED, .exit_signal = SIGCHLD };
		pid_t child = (pid_t)syscall(SYS_clone, CLONE_UNTRACED | SIGCHLD, NULL, NULL, NULL, 0);

		if (child == 0)
			_exit(call() > 0 ? 0 : 1);
		n_failed += wait_for(child);
		child = (pid_t)syscall(SYS_clone3, &args, sizeof(args));
		if (child == 0)
			_exit(call() > 0 ? 0 : 1);
		n_failed += wait_for(child) + (args.flags != CLONE_UNTRACED);
	}
	return n_failed > 0;
}

/* ---- storm ---- */

static void *
nothing(void *unused)
{
	return NULL;
}

static void *
execute(void *unused)
{
	execl(program, program, "busy", "0", (char *)NULL);
	return NULL;
}

static void *
use_time(void *unused)
{
	for (;;)
		getuid();
	return NULL;
}

static void
fork_child(void)
{
	pid_t child = fork();

	if (child == 0)
		_exit(0);
	waitpid(child, NULL, 0);
}

static void
make_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, nothing, NULL) == 0)
		pthread_join(thread, NULL);
}

static void
execute_child(void)
{
	pid_t child = vfork();

	if (child == 0) {
		execl("/bin/true", "true", (char *)NULL);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

static void
execute_from_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, use_time, NULL);
	pthread_create(&thread, NULL, execute, NULL);
	for (;;)
		getuid();
}

static void
live(long how)
{
	for (;;) {
		switch (how % 6) {
		case 0: fork_child(); break;
		case 1: make_thread(); break;
		case 2: execute_child(); break;
		case 3: execute(NULL); break;
		case 4: raise(SIGSTOP); break;
		case 5: execute_from_thread(); break;
		}
	}
}

static void
storm(long n)
{
	for (long i = 0; i < n; i++) {
		struct timespec moment = { 0, i * 7919 % 3000 * 1000 };
		pid_t child = fork();

		if (child == 0) {
			setpgid(0, 0);
			live(i);
		}
		setpgid(child, child);
		nanosleep(&moment, NULL);
		if (i % 12 == 4)
			kill(-child, SIGCONT);
		kill(-child, SIGKILL);
		waitpid(child, NULL, 0);
		call();
	}
}

int
main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	long n = argc > 2 ? atol(argv[2]) : 1;

	program = argv[0];
	if (!strcmp(how, "vfork"))
		vforks(n);
	else if (!strcmp(how, "untraced"))
		return untraced(n);
	else if (!strcmp(how, "storm"))
		storm(n);
	else if (!strcmp(how, "busy"))
		use_time(NULL);
	else
		return 2;
	return 0;
}
