/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * foreign N: makes N system calls by numbers of x32 (whether or not the kernel knows those), each between two getppid of the usual kind:
 * N + 1 of these.
 */
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#define X32_BIT 0x40000000

int
main(int argc, char **argv)
{
	long n = argc > 1 ? atol(argv[1]) : 1;

	syscall(SYS_getppid);
	while (n-- > 0) {
		syscall(X32_BIT | SYS_getpid);
		syscall(SYS_getppid);
	}
	return 0;
}
