/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * forker CHILDREN THREADS CALLS: starts CHILDREN processes, each of which starts THREADS threads, each of which makes CALLS
 * getppid system calls, all at the same time; waits for all. So: CHILDREN * THREADS * CALLS getppid calls in all, none of
 * them in the first process or in a child's first thread.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_THREADS = 64 };

static void *
thread_main(void *arg)
{
	long n = *(const long *)arg;

	for (long i = 0; i < n; i++)
		syscall(SYS_getppid);
	return NULL;
}

static int
child_main(long n_threads, long n_calls)
{
	pthread_t threads[MAX_THREADS];

	for (long i = 0; i < n_threads; i++)
		if (pthread_create(&threads[i], NULL, thread_main, &n_calls))
			return 1;
	for (long i = 0; i < n_threads; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

int
main(int argc, char **argv)
{
	int status, failed = 0;

	if (argc != 4 || atol(argv[2]) > MAX_THREADS) {
		fprintf(stderr, "usage: forker CHILDREN THREADS CALLS\n");
		return 2;
	}
	for (long i = 0; i < atol(argv[1]); i++) {
		pid_t pid = fork();

		if (pid < 0)
			return 1;
		if (pid == 0)
			_exit(child_main(atol(argv[2]), atol(argv[3])));
	}
	while (wait(&status) > 0)
		failed |= status != 0;
	return failed;
}
