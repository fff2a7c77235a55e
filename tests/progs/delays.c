// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
/*
 * Preloaded by `tests/run --delays`: now and then a long delay at the start of a program and after a fork, in the child or in the parent, as
 * on a machine that is busy. What a case takes for granted of the order in which processes come to run is found that way.
 *
 * $DELAYS: the longest in milliseconds. No system calls, for programs that load this are traced (vdso(7) has the clock).
 */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

static uint64_t longest;

static uint64_t
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Between half the longest delay and the whole, one time of `seldom`. */
static void
delay(unsigned seldom)
{
	uint64_t start = now(), random = (start ^ start >> 17) * UINT64_C(0x9E3779B97F4A7C15) >> 16;

	if (longest == 0 || random % seldom != 0)
		return;
	while (now() - start < longest / 2 + (random >> 8) % (longest / 2))
		;
}

static void
in_parent(void)
{
	delay(8);
}

static void
in_child(void)
{
	delay(3);
}

__attribute__((constructor)) static void
start(void)
{
	const char *longest_ms = getenv("DELAYS");

	longest = longest_ms ? strtoull(longest_ms, NULL, 10) * 1000000 : 0;
	pthread_atfork(NULL, in_parent, in_child);
	delay(8);
}
