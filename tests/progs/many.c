/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * many [N]: has a thousand functions many_000 to many_999 and calls each N times (once without N), in the order of their numbers.
 * many_XYZ(n) gets and returns its number. Tests probe all of them by one pattern. edge_plain is called as often; edge_locked
 * begins with an instruction that the kernel lets no probe be put at.
 */
#include <stdlib.h>

#define PROBED __attribute__((noinline, noipa))

#define TEN(M, x)     M(x##0) M(x##1) M(x##2) M(x##3) M(x##4) M(x##5) M(x##6) M(x##7) M(x##8) M(x##9)
#define HUNDRED(M, x) TEN(M, x##0) TEN(M, x##1) TEN(M, x##2) TEN(M, x##3) TEN(M, x##4) TEN(M, x##5) TEN(M, x##6) TEN(M, x##7) TEN(M, x##8) TEN(M, x##9)
#define THOUSAND(M) \
	HUNDRED(M, 0) HUNDRED(M, 1) HUNDRED(M, 2) HUNDRED(M, 3) HUNDRED(M, 4) \
	HUNDRED(M, 5) HUNDRED(M, 6) HUNDRED(M, 7) HUNDRED(M, 8) HUNDRED(M, 9)

/* 1##x - 1000: a number that begins with 0 would be octal. */
#define DEFINE(x)                        \
	static PROBED long many_##x(long n) \
	{                                \
		return n;                \
	}
#define CALL(x) sum += many_##x(1##x - 1000);

THOUSAND(DEFINE)

void
edge_plain(void);
void
edge_locked(void);

__asm__(".type edge_plain, @function\n"
	"edge_plain: nop; ret\n"
	".size edge_plain, .-edge_plain\n"
	".type edge_locked, @function\n"
	"edge_locked: lock orl $0, (%rsp); ret\n"
	".size edge_locked, .-edge_locked\n");

int
main(int argc, char **argv)
{
	int i, rounds = argc > 1 ? atoi(argv[1]) : 1;
	long sum = 0;

	for (i = 0; i < rounds; i++) {
		THOUSAND(CALL)
		edge_plain();
		edge_locked();
	}
	return sum != 499500L * rounds; /* 0 + 1 + ... + 999 */
}
