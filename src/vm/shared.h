/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Memory that some threads read while others write it: the keys and values of tables. It is copied in words of 8 bytes, each of which is
 * old or new, never half of each. Whoever sees a word as it was written sees, too, what the writer did before: the words before it,
 * what an address in it leads to, and the count that hash.c changes first to say "do not trust what comes".
 *
 * On x86-64 these are plain loads and stores, which keep this order by themselves; AArch64 has instructions for it. memcpy promises
 * none of that, and to the thread sanitizer it is a race.
 *
 * `shared` is aligned to 8 and its room is a multiple of 8 bytes, the rest of which, behind `len`, is padding: it is written as zeros. The
 * other side need not be aligned; it may be the same memory.
 */
#ifndef KTAP_VM_SHARED_H
#define KTAP_VM_SHARED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* What stands there is of the program's types, not of this one. */
typedef uint64_t __attribute__((may_alias)) shared_word;

static inline uint64_t
shared_load(const void *shared)
{
	return __atomic_load_n((const shared_word *)shared, __ATOMIC_ACQUIRE);
}

static inline void
shared_store(void *shared, uint64_t word)
{
	__atomic_store_n((shared_word *)shared, word, __ATOMIC_RELEASE);
}

static inline void
shared_read(void *to, const void *shared, size_t len)
{
	size_t whole = len / 8 * 8;
	uint64_t word;

	for (size_t at = 0; at < whole; at += 8) {
		word = shared_load((const char *)shared + at);
		memcpy((char *)to + at, &word, 8);
	}
	if (len > whole) {
		word = shared_load((const char *)shared + whole);
		memcpy((char *)to + whole, &word, len - whole);
	}
}

static inline void
shared_write(void *shared, const void *from, size_t len)
{
	size_t whole = len / 8 * 8;
	uint64_t word;

	for (size_t at = 0; at < whole; at += 8) {
		memcpy(&word, (const char *)from + at, 8);
		shared_store((char *)shared + at, word);
	}
	if (len > whole) {
		word = 0;
		memcpy(&word, (const char *)from + whole, len - whole);
		shared_store((char *)shared + whole, word);
	}
}

static inline void
shared_zero(void *shared, size_t len)
{
	for (size_t at = 0; at < len; at += 8)
		shared_store((char *)shared + at, 0);
}

/* Does `with` stand there? */
static inline bool
shared_same(const void *shared, const void *with, size_t len)
{
	size_t whole = len / 8 * 8;
	uint64_t word;

	for (size_t at = 0; at < whole; at += 8) {
		memcpy(&word, (const char *)with + at, 8);
		if (shared_load((const char *)shared + at) != word)
			return false;
	}
	if (len == whole)
		return true;
	word = shared_load((const char *)shared + whole);
	return !memcmp(&word, (const char *)with + whole, len - whole);
}

#endif
