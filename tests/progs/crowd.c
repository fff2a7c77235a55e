/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * crowd THREADS CALLS: that many threads, all on one CPU, call crowd_call(n), with the thread's number from 1, that often each. Tests
 * probe it by handlers that take long: where the kernel preempts one, another thread comes into it on the same CPU. Meanwhile the first thread
 * calls getppid over and over, on that CPU, too; it prints how often.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define THREADS_MAX 64

static long n_calls;
static atomic_long n_done;

long
crowd_call(long n);

__attribute__((noinline, noipa)) long
crowd_call(long n)
{
	return n;
}

static void *
call(void *arg)
{
	for (long i = 0; i < n_calls; i++)
		crowd_call((long)arg);
	atomic_fetch_add(&n_done, 1);
	return NULL;
}

static int
stay_here(void)
{
	cpu_set_t here;
	int cpu = sched_getcpu();

	if (cpu < 0)
		return -1;
	CPU_ZERO(&here);
	CPU_SET((unsigned)cpu, &here);
	return sched_setaffinity(0, sizeof(here), &here);
}

int
main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 4, n_getppid = 0;
	pthread_t threads[THREADS_MAX];

	n_calls = argc > 2 ? atol(argv[2]) : 1000;
	if (n < 1 || n > THREADS_MAX || stay_here() < 0)
		return 1;
	for (long i = 0; i < n; i++)
		if (pthread_create(&threads[i], NULL, call, (void *)(i + 1)))
			return 1;
	for (; atomic_load(&n_done) < n; n_getppid++)
		syscall(SYS_getppid);
	for (long i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	printf("%ld\n", n_getppid);
	return 0;
}
