/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Queues and stacks: values without keys, pushed at one end, taken from the other or from the same. All of their memory is taken at
 * once: max_entries values, a ring. Safe for many threads: each operation holds the table's lock and copies the value.
 *
 *      +---------+---------+---------+---------+
 *      |         | oldest  |  ...    | newest  |      `first` counts from the start of the ring; a queue is taken from there,
 *      +---------+---------+---------+---------+      a stack from the other end
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vm/lock.h"
#include "vm/vm_int.h"

struct queue {
	struct lock lock;
	uint32_t first, n;
	_Alignas(16) char values[];
};

static int
queue_init(struct vm_table *t)
{
	t->queue = mem_alloc(sizeof(*t->queue) + (size_t)t->table->max_entries * t->stride);
	if (!t->queue)
		return -ENOMEM;
	return 0;
}

static void
queue_fini(struct vm_table *t)
{
	if (!t->queue)
		return;
	free(t->queue);
	t->queue = NULL;
}

/* The n-th value from the oldest on. */
static char *
queue_value(const struct vm_table *t, uint32_t n)
{
	return t->queue->values + ((uint64_t)t->queue->first + n) % t->table->max_entries * t->stride;
}

static int
queue_push(struct vm_table *t, const void *value, uint64_t flags)
{
	struct queue *queue = t->queue;
	int err = 0;

	if (flags != BPF_ANY && flags != BPF_EXIST)
		return -EINVAL;
	lock_take(&queue->lock);
	if (queue->n == t->table->max_entries && flags == BPF_EXIST) {
		queue->first = (queue->first + 1) % t->table->max_entries;
		queue->n--;
	}
	if (queue->n == t->table->max_entries)
		err = -E2BIG;
	else
		memcpy(queue_value(t, queue->n++), value, t->table->value_size);
	lock_give(&queue->lock);
	return err;
}

/* The value that comes next, which goes away if `takes`. */
static int
queue_get(struct vm_table *t, void *value, bool takes)
{
	struct queue *queue = t->queue;
	bool is_stack = t->table->kind == TABLE_STACK, empty;

	lock_take(&queue->lock);
	empty = !queue->n;
	if (empty)
		memset(value, 0, t->table->value_size);
	else
		memcpy(value, queue_value(t, is_stack ? queue->n - 1 : 0), t->table->value_size);
	if (!empty && takes) {
		queue->n--;
		if (!is_stack)
			queue->first = (queue->first + 1) % t->table->max_entries;
	}
	lock_give(&queue->lock);
	return empty ? -ENOENT : 0;
}

static int
queue_pop(struct vm_table *t, void *value)
{
	return queue_get(t, value, true);
}

static int
queue_peek(struct vm_table *t, void *value)
{
	return queue_get(t, value, false);
}

const struct table_ops queue_ops = {
	.init = queue_init,
	.fini = queue_fini,
	.find = nothing_find,
	.update = nothing_update,
	.remove = nothing_remove,
	.next = nothing_next,
	.push = queue_push,
	.pop = queue_pop,
	.peek = queue_peek,
};
