/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * A lock for a few instructions, of four bytes, zero when free. It costs nothing as long as the process has one thread, and does not
 * count: what takes it must not take it again.
 */
#ifndef KTAP_VM_LOCK_H
#define KTAP_VM_LOCK_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#if defined(__has_include) && __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#define LOCK_IS_ALONE __libc_single_threaded
#else
#define LOCK_IS_ALONE false
#endif

struct lock {
	uint32_t taken;
};

#define LOCK_SPINS 64 /* looks before the processor is given to whoever holds it */

static inline void
lock_take(struct lock *lock)
{
	if (LOCK_IS_ALONE)
		return;
	while (__atomic_exchange_n(&lock->taken, 1, __ATOMIC_ACQUIRE))
		for (int i = 0; __atomic_load_n(&lock->taken, __ATOMIC_RELAXED); i++)
			if (i >= LOCK_SPINS)
				sched_yield();
}

static inline void
lock_give(struct lock *lock)
{
	__atomic_store_n(&lock->taken, 0, __ATOMIC_RELEASE);
}

#endif
