/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * foreign N: makes N system calls by numbers of x32 (whether or not the kernel knows those), each between two getppid of the usual kind:
 * N + 1 of these.
 * foreign int80 N: the same with calls by i386's number of getppid (64, in the table of 64 bits semget), as a program of 64 bits can make them.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define X32_BIT         0x40000000
#define NR_GETPPID_I386 64

static void
call_i386(void)
{
	long result;

	__asm__ volatile("int $0x80" : "=a"(result) : "0"((long)NR_GETPPID_I386) : "memory");
}

int
main(int argc, char **argv)
{
	int is_i386 = argc > 2 && strcmp(argv[1], "int80") == 0;
	long n = argc > 1 ? atol(argv[argc - 1]) : 1;

	syscall(SYS_getppid);
	while (n-- > 0) {
		if (is_i386)
			call_i386();
		else
			syscall(X32_BIT | SYS_getpid);
		syscall(SYS_getppid);
	}
	return 0;
}
