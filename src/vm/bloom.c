/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Bloom filters: sets of values of which one can ask whether a value was ever added; "no" is certain, "yes" nearly so. Each value sets
 * five bits, as in the kernel; there are 7 to 14 bits for each of max_entries values, so that of a filter which holds as many about one
 * answer in a hundred is a wrong "yes". Safe for many threads without locks: bits are only ever set.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vm/vm_int.h"

#define BLOOM_HASHES 5

struct bloom {
	uint64_t n_bits; /* a power of two, 64 at least */
	uint64_t words[];
};

static int
bloom_init(struct vm_table *t)
{
	uint64_t n_bits = 64;

	while (n_bits < (uint64_t)t->table->max_entries * 7)
		n_bits *= 2;
	t->bloom = mem_alloc(sizeof(*t->bloom) + n_bits / 8);
	if (!t->bloom)
		return -ENOMEM;
	t->bloom->n_bits = n_bits;
	return 0;
}

static void
bloom_fini(struct vm_table *t)
{
	free(t->bloom);
	t->bloom = NULL;
}

/* Two halves that are independent make the five. */
static uint64_t
bloom_bit(const struct vm_table *t, uint64_t hash, uint32_t n)
{
	return ((hash & UINT32_MAX) + n * (hash >> 32 | 1)) & (t->bloom->n_bits - 1);
}

static int
bloom_push(struct vm_table *t, const void *value, uint64_t flags)
{
	uint64_t hash = hash_key(value, t->table->value_size);

	if (flags != BPF_ANY)
		return -EINVAL;
	for (uint32_t i = 0; i < BLOOM_HASHES; i++) {
		uint64_t bit = bloom_bit(t, hash, i);

		__atomic_fetch_or(&t->bloom->words[bit / 64], 1ull << bit % 64, __ATOMIC_RELAXED);
	}
	return 0;
}

/* Looks at `value` and leaves it as it is. */
static int
bloom_peek(struct vm_table *t, void *value)
{
	uint64_t hash = hash_key(value, t->table->value_size);

	for (uint32_t i = 0; i < BLOOM_HASHES; i++) {
		uint64_t bit = bloom_bit(t, hash, i);

		if (!(__atomic_load_n(&t->bloom->words[bit / 64], __ATOMIC_RELAXED) >> bit % 64 & 1))
			return -ENOENT;
	}
	return 0;
}

static int
bloom_pop(struct vm_table *t, void *value)
{
	return -EOPNOTSUPP;
}

static int
bloom_remove(struct vm_table *t, const void *key)
{
	return -EOPNOTSUPP;
}

static int
bloom_next(struct vm_table *t, const void *key, void *next)
{
	return -EOPNOTSUPP;
}

const struct table_ops bloom_ops = {
	.init = bloom_init,
	.fini = bloom_fini,
	.find = nothing_find,
	.update = nothing_update,
	.remove = bloom_remove,
	.next = bloom_next,
	.push = bloom_push,
	.pop = bloom_pop,
	.peek = bloom_peek,
};
