/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * marked [N]: passes each of its markers (<sys/sdt.h>, provider ktap_test) in N rounds i = 1 to N (3 without N):
 *
 *     plain       no arguments, at two places: twice a round
 *     numbers     i, -i as an int, 300 i as an unsigned short, the number 42
 *     text        the address of "one" "two" "three" "one" ...
 *     element     element i % 4 of an array { 10, 20, 30, 40 }
 *     guarded     i, only while its semaphore is not 0; the last line printed says how often that was
 *     fraction    0.5 i, which is no integer
 */
#include <stdio.h>
#include <stdlib.h>

#define _SDT_HAS_SEMAPHORES 1
#define SDT_USE_VARIADIC
#include <sys/sdt.h>

#define SEMAPHORE(name) unsigned short ktap_test_##name##_semaphore __attribute__((section(".probes"), used))

SEMAPHORE(plain);
SEMAPHORE(numbers);
SEMAPHORE(text);
SEMAPHORE(element);
SEMAPHORE(guarded);
SEMAPHORE(fraction);

static const char *const names[] = { "three", "one", "two" };
static volatile long elements[] = { 10, 20, 30, 40 };
static long n_guarded;

static __attribute__((noinline, noipa)) void
pass(long i)
{
	volatile unsigned short small = (unsigned short)(300 * i);
	volatile double half = 0.5 * (double)i;

	DTRACE_PROBE(ktap_test, plain);
	DTRACE_PROBE4(ktap_test, numbers, i, (int)-i, small, 42);
	DTRACE_PROBE1(ktap_test, text, names[i % 3]);
	DTRACE_PROBE1(ktap_test, element, elements[i % 4]);
	if (*(volatile unsigned short *)&ktap_test_guarded_semaphore) {
		DTRACE_PROBE1(ktap_test, guarded, i);
		n_guarded++;
	}
	DTRACE_PROBE1(ktap_test, fraction, half);
	DTRACE_PROBE(ktap_test, plain);
}

int
main(int argc, char **argv)
{
	long i, n = argc > 1 ? atol(argv[1]) : 3;

	for (i = 1; i <= n; i++)
		pass(i);
	printf("%ld\n", n_guarded);
	return 0;
}
