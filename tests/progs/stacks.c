/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * stacks [N]: main calls outer(), which calls middle() and side() N times each (1 without N); both call leaf(), which calls getppid(2)
 * itself, without a library between. So the stacks of its getppid calls are
 *
 *     leaf middle outer main      N times
 *     leaf side   outer main      N times
 *
 * `stacks deep N`: recurse() calls itself until N of it are on the stack, then leaf().
 * `stacks wide N`: the same with a kilobyte of variables in each, by recurse_wide().
 * `stacks paths N`: fork_path() calls itself N deep from two places, then leaf(): 2^N different stacks.
 * `stacks gone N`: the same as `stacks N`, once its own file, as it was called, has been removed.
 * `stacks jit N`: leaf() is called N times by code that is made at run time, called made_code in /tmp/perf-PID.map.
 *
 * Built twice: with frame pointers (stacks), and without (stacks-nofp).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "frames.h"

void
leaf(void);
void
middle(void);
void
side(void);
void
outer(long n);
void
recurse(long n);
void
recurse_wide(long n);
void
fork_path(long n);

FRAME void
leaf(void)
{
	call_getppid();
}

FRAME void
middle(void)
{
	leaf();
	KEEP_FRAME();
}

FRAME void
side(void)
{
	leaf();
	KEEP_FRAME();
}

FRAME void
outer(long n)
{
	while (n-- > 0) {
		middle();
		side();
	}
	KEEP_FRAME();
}

FRAME void
recurse(long n)
{
	if (n > 1)
		recurse(n - 1);
	else
		leaf();
	KEEP_FRAME();
}

FRAME void
recurse_wide(long n)
{
	volatile char variables[1000] __attribute__((unused));

	variables[n] = 0;
	if (n > 1)
		recurse_wide(n - 1);
	else
		leaf();
	KEEP_FRAME();
}

FRAME void
fork_path(long n)
{
	if (n == 0) {
		leaf();
		KEEP_FRAME();
		return;
	}
	fork_path(n - 1);
	KEEP_FRAME();
	fork_path(n - 1);
	KEEP_FRAME();
}

/* push %rbp; mov %rsp,%rbp; mov $leaf,%rax; call *%rax; pop %rbp; ret */
static FRAME int
call_made_code(long n)
{
	unsigned char code[] = { 0x55, 0x48, 0x89, 0xe5, 0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xd0, 0x5d, 0xc3 };
	void (*target)(void) = leaf, (*made)(void);
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char path[64];
	FILE *map;

	if (page == MAP_FAILED)
		return 1;
	memcpy(code + 6, &target, sizeof(target));
	memcpy(page, code, sizeof(code));
	if (mprotect(page, 4096, PROT_READ | PROT_EXEC) < 0)
		return 1;
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", (int)getpid());
	map = fopen(path, "w");
	if (!map)
		return 1;
	fprintf(map, "%" PRIxPTR " %zx made_code\n", (uintptr_t)page, sizeof(code));
	fclose(map);
	memcpy(&made, &page, sizeof(made));
	while (n-- > 0)
		made();
	return 0;
}

int
main(int argc, char **argv)
{
	const char *how = argc > 2 ? argv[1] : "";
	long n = argc > 1 ? atol(argv[argc - 1]) : 1;

	if (strcmp(how, "jit") == 0)
		return call_made_code(n);
	if (strcmp(how, "deep") == 0) {
		recurse(n);
		return 0;
	}
	if (strcmp(how, "wide") == 0) {
		recurse_wide(n);
		return 0;
	}
	if (strcmp(how, "paths") == 0) {
		fork_path(n);
		return 0;
	}
	while (strcmp(how, "gone") == 0 && access(argv[0], F_OK) == 0)
		usleep(10000);
	outer(n);
	KEEP_FRAME();
	return 0;
}
