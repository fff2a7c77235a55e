/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * execer N [thread]: makes one getppid system call, then executes itself with N - 1, until N is 0, where it makes a last call
 * and ends: N + 1 calls in N + 1 programs, all in one process. With `thread`, a second thread executes while the first sleeps,
 * which makes the kernel end the first and give its id to the second: the hardest case for a tracer.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static char **args;

static void *
execute(void *unused)
{
	execv("/proc/self/exe", args);
	perror("execer");
	_exit(1);
}

int
main(int argc, char **argv)
{
	char number[24];
	pthread_t thread;
	long n = argc > 1 ? atol(argv[1]) : 0;

	syscall(SYS_getppid);
	if (n <= 0)
		return 0;
	snprintf(number, sizeof(number), "%ld", n - 1);
	argv[1] = number;
	args = argv;
	if (argc <= 2)
		execute(NULL);
	if (pthread_create(&thread, NULL, execute, NULL))
		return 1;
	for (;;)
		pause();
}
