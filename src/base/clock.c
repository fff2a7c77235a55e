/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The monotonic clock, and what -d time shows of it.
 */
#include <time.h>

#include "base/base.h"

uint64_t
clock_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now); /* in the vDSO, and async-signal-safe */
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void
step_time(const char *step, uint64_t *since)
{
	uint64_t now = clock_now();

	if (debug_on(DEBUG_TIME))
		fprintf(stderr, "time: %-14s %8.3f ms\n", step, (double)(now - *since) / 1e6);
	*since = now;
}
