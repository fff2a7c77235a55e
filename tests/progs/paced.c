/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * paced call RATE N CPUS: on each of CPUS processors (the first ones that there are) a process makes N getppid(2) calls, RATE in a second.
 * paced read RATE: reads lines from standard input, RATE in a second, and prints how many there were.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Runs this process on the n-th of the processors that it may run on. */
static void
pin(int n)
{
	cpu_set_t all, one;

	sched_getaffinity(0, sizeof(all), &all);
	CPU_ZERO(&one);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
		if (CPU_ISSET(cpu, &all) && n-- == 0)
			CPU_SET(cpu, &one);
	sched_setaffinity(0, sizeof(one), &one);
}

static void
call(double rate, long n)
{
	double start = now();

	for (long i = 0; i < n; i++) {
		syscall(SYS_getppid);
		while (i % 16 == 0 && (double)i > (now() - start) * rate)
			;
	}
}

static int
call_on(double rate, long n, int n_cpus)
{
	for (int i = 0; i < n_cpus; i++)
		if (fork() == 0) {
			pin(i);
			call(rate, n);
			_exit(0);
		}
	while (wait(NULL) > 0)
		;
	return 0;
}

static int
read_lines(double rate)
{
	static char block[4096];
	double start = now();
	long lines = 0;
	ssize_t n;

	while ((n = read(STDIN_FILENO, block, sizeof(block))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			lines += block[i] == '\n';
		while ((double)lines > (now() - start) * rate)
			usleep(1000);
	}
	printf("%ld\n", lines);
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc == 5 && strcmp(argv[1], "call") == 0)
		return call_on(atof(argv[2]), atol(argv[3]), atoi(argv[4]));
	if (argc == 3 && strcmp(argv[1], "read") == 0)
		return read_lines(atof(argv[2]));
	fputs("usage: paced call RATE N CPUS | paced read RATE\n", stderr);
	return 2;
}
