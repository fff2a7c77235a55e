/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/* For programs of known stacks: functions that have a frame each, the innermost of which calls getppid(2). */
#ifndef KTAP_TESTS_FRAMES_H
#define KTAP_TESTS_FRAMES_H

#include <sys/syscall.h>

#define FRAME __attribute__((noinline, noipa))

/* What follows each call keeps it from becoming a jump. */
#define KEEP_FRAME() __asm__ volatile("" ::: "memory")

FRAME static void
nothing(void)
{
	KEEP_FRAME();
}

/* In a function of its own frame: what calls none has no frame, whatever the compiler is told. Without a library between. */
static inline __attribute__((always_inline)) void
call_getppid(void)
{
	long result;

	nothing();
	__asm__ volatile("syscall" : "=a"(result) : "0"(SYS_getppid) : "rcx", "r11", "memory");
	KEEP_FRAME();
}

#endif
