/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * functions [N]: calls each of the functions fn_* N times (3 without N), in rounds i = 1 to N, with arguments and results
 * that follow from i. Tests probe them:
 *
 *     fn_add(i, 10 i, -100 i)       returns -89 i
 *     fn_narrow(i)                  returns -i as an int: the upper half of the register is nobody's
 *     fn_greet(i, NAME)             NAME is "one" "two" "three" "one" ...; returns its length
 *     fn_point({ i, -i, NAME })     returns the structure's address
 *     fn_steps(i)                   returns 2 i + 1; 4 bytes behind its start %rax is i + 1
 *
 * `functions offset` prints where fn_add lies in the file, as the memory map says.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROBED __attribute__((noinline, noipa))

struct point {
	int32_t x, y;
	const char *label;
};

long
fn_add(long a, long b, long c);
int
fn_narrow(int n);
long
fn_greet(long n, const char *name);
const struct point *
fn_point(const struct point *point);
long
fn_steps(long n);

PROBED long
fn_add(long a, long b, long c)
{
	return a + b + c;
}

PROBED int
fn_narrow(int n)
{
	return -n;
}

PROBED long
fn_greet(long n, const char *name)
{
	return n < 0 ? n : (long)strlen(name);
}

PROBED const struct point *
fn_point(const struct point *point)
{
	return point;
}

/* Instructions of known lengths: lea is 4 bytes, add 3. */
__asm__(".text\n"
	".globl fn_steps\n"
	".type fn_steps, @function\n"
	"fn_steps:\n"
	"	leaq 1(%rdi), %rax\n"
	"	addq %rdi, %rax\n"
	"	ret\n"
	".size fn_steps, . - fn_steps\n");

static int
print_offset(void)
{
	uintptr_t address = (uintptr_t)fn_add, start, end, offset;
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];

	while (maps && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " %*s %" SCNxPTR, &start, &end, &offset) != 3 ||
		    address < start || address >= end)
			continue;
		printf("0x%" PRIxPTR "\n", address - start + offset);
		return 0;
	}
	return 1;
}

int
main(int argc, char **argv)
{
	static const char *const names[] = { "three", "one", "two" };
	long i, n = argc > 1 ? atol(argv[1]) : 3, wrong = 0;
	volatile char touched;

	if (argc > 1 && strcmp(argv[1], "offset") == 0)
		return print_offset();
	for (i = 1; i <= n; i++) {
		struct point point = { (int32_t)i, (int32_t)-i, names[i % 3] };

		touched = names[i % 3][0]; /* the kernel engine does not read what was never paged in */
		(void)touched;
		wrong += fn_add(i, 10 * i, -100 * i) != -89 * i;
		wrong += fn_narrow((int)i) != -i;
		wrong += fn_greet(i, names[i % 3]) != (long)strlen(names[i % 3]);
		wrong += fn_point(&point) != &point;
		wrong += fn_steps(i) != 2 * i + 1;
	}
	return wrong != 0;
}
