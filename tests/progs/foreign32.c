/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * foreign32: a program of 32 bits, which makes four system calls by i386's numbers (arch/x86/entry/syscalls/syscall_32.tbl): getppid (64, in the table of 64
 * bits semget) three times, and exit (1, there write).
 */
#define NR_EXIT    1
#define NR_GETPPID 64

static void
call(int number)
{
	int result;

	__asm__ volatile("int $0x80" : "=a"(result) : "0"(number), "b"(0) : "memory");
}

void
_start(void);

void
_start(void)
{
	for (int i = 0; i < 3; i++)
		call(NR_GETPPID);
	call(NR_EXIT);
}
