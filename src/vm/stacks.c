/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Tables of stacks: every different stack once, found by a number. As in the kernel the number is the place that the stack's hash
 * leads to; but where that place is taken, the next is tried, for some steps, before a stack is refused. Where stacks were deleted, a free place does
 * not say that a stack is not behind it.
 *
 * An entry is value_size bytes: instruction addresses, innermost first, then zeros. An empty entry begins with a zero.
 *
 * Safe for many threads: stacks come and go under the table's lock, under which they are copied, too. Their first address is written last
 * and erased first: whoever sees it without the lock sees a whole stack behind it, as long as nobody deletes that.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vm/lock.h"
#include "vm/shared.h"
#include "vm/vm_int.h"

#define STEPS_MAX 64

struct stacks {
	struct lock lock; /* of entries that come and go */
	uint32_t n; /* entries, a power of two */
	bool has_gaps; /* one was deleted */
	uint64_t frames[]; /* n times value_size */
};

static int
stacks_init(struct vm_table *t)
{
	uint32_t n = 1;

	while (n < t->table->max_entries)
		n *= 2;
	t->stacks = mem_alloc(sizeof(*t->stacks) + (size_t)n * t->table->value_size);
	if (!t->stacks)
		return -ENOMEM;
	t->stacks->n = n;
	return 0;
}

static void
stacks_fini(struct vm_table *t)
{
	free(t->stacks);
	t->stacks = NULL;
}

static uint64_t *
entry(const struct vm_table *t, uint32_t id)
{
	return t->stacks->frames + (size_t)id * (t->table->value_size / 8);
}

static bool
is_taken(const uint64_t *at)
{
	return __atomic_load_n(at, __ATOMIC_ACQUIRE);
}

static void *
stacks_find(struct vm_table *t, const void *key)
{
	uint32_t id;

	memcpy(&id, key, sizeof(id));
	return id < t->stacks->n && is_taken(entry(t, id)) ? entry(t, id) : NULL;
}

static int
stacks_read(struct vm_table *t, const void *key, void *value, size_t len)
{
	const void *found;

	lock_take(&t->stacks->lock);
	found = stacks_find(t, key);
	if (found)
		shared_read(value, found, len);
	lock_give(&t->stacks->lock);
	return found ? 0 : -ENOENT;
}

static int
stacks_remove(struct vm_table *t, const void *key)
{
	void *found;

	lock_take(&t->stacks->lock);
	found = stacks_find(t, key);
	if (found) {
		shared_zero(found, t->table->value_size);
		t->stacks->has_gaps = true;
	}
	lock_give(&t->stacks->lock);
	return found ? 0 : -ENOENT;
}

static int
stacks_next(struct vm_table *t, const void *key, void *next)
{
	uint32_t id = 0;

	if (key) {
		memcpy(&id, key, sizeof(id));
		id = stacks_find(t, key) ? id + 1 : 0;
	}
	while (id < t->stacks->n && !is_taken(entry(t, id)))
		id++;
	if (id >= t->stacks->n)
		return -ENOENT;
	memcpy(next, &id, sizeof(id));
	return 0;
}

/* FNV-1a over the addresses, with the upper half mixed in. */
static uint32_t
hash(const uint64_t *frames, uint32_t n)
{
	uint64_t sum = 14695981039346656037u;

	for (uint32_t i = 0; i < n; i++)
		sum = (sum ^ frames[i]) * 1099511628211u;
	return (uint32_t)(sum ^ sum >> 32);
}

/* Is it this stack of n frames, as the table keeps it? Under the lock. */
static bool
holds(const struct vm_table *t, const uint64_t *at, const uint64_t *frames, uint32_t n)
{
	return memcmp(at, frames, 8 * (size_t)n) == 0 && (n == t->table->value_size / 8 || !at[n]);
}

static int64_t
find_or_add(struct vm_table *t, const uint64_t *frames, uint32_t n)
{
	uint32_t max = t->table->value_size / 8, id = hash(frames, n);
	uint64_t *gap = NULL;

	if (n > max)
		n = max;
	for (uint32_t i = 0; i < STEPS_MAX && !(gap && !t->stacks->has_gaps); i++, id++) {
		uint64_t *at = entry(t, id &= t->stacks->n - 1);

		if (is_taken(at) && holds(t, at, frames, n))
			return id;
		if (!gap && !is_taken(at))
			gap = at;
	}
	if (!gap)
		return -EEXIST;
	shared_write(gap + 1, frames + 1, 8 * ((size_t)n - 1));
	shared_store(gap, frames[0]);
	return (gap - t->stacks->frames) / max;
}

int64_t
stacks_add(struct vm_table *t, const uint64_t *frames, uint32_t n)
{
	int64_t id;

	lock_take(&t->stacks->lock);
	id = find_or_add(t, frames, n);
	lock_give(&t->stacks->lock);
	return id;
}

const struct table_ops stacks_ops = {
	.init = stacks_init,
	.fini = stacks_fini,
	.find = stacks_find,
	.read = stacks_read,
	.update = nothing_update,
	.remove = stacks_remove,
	.next = stacks_next,
};
