/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * counted pages N      touches N fresh pages of memory, between two calls of getppid
 * counted writes N     writes 1 to N into a variable, and reads it as often, between two calls of getppid
 * counted address      prints where that variable is
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096

volatile long counted;

static void
touch(long n)
{
	char *memory = mmap(NULL, (size_t)n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	long i;

	if (memory == MAP_FAILED)
		exit(1);
	madvise(memory, (size_t)n * PAGE, MADV_NOHUGEPAGE);
	getppid();
	for (i = 0; i < n; i++)
		memory[i * PAGE] = 1;
	getppid();
}

static void
change(long n)
{
	long i;

	getppid();
	for (i = 1; i <= n; i++) {
		counted = i;
		(void)counted;
	}
	getppid();
}

int
main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "address") == 0)
		printf("%p\n", (void *)&counted);
	else if (argc == 3 && strcmp(argv[1], "pages") == 0)
		touch(atol(argv[2]));
	else if (argc == 3 && strcmp(argv[1], "writes") == 0)
		change(atol(argv[2]));
	else
		return 2;
	return 0;
}
