/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Array tables: keys are 32-bit numbers from 0, every entry exists from the start and holds zeros or the table's first
 * contents. Values lie one behind the other, each rounded up to 8 bytes; per-CPU ones CPU after CPU within an entry.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vm/vm_int.h"

struct array {
	size_t len;
	_Alignas(16) char values[];
};

/* A value's first contents. Whatever these say, nobody holds its lock. */
static void
set_value(const struct table *table, char *value, const char *contents)
{
	memcpy(value, contents, table->value_size);
	if (table->has_lock)
		memset(value + table->lock_off, 0, sizeof(struct lock));
}

static int
array_init(struct vm_table *t)
{
	const struct table *table = t->table;
	size_t entry = (size_t)t->n_cpus * t->stride;

	t->array = mem_alloc(sizeof(*t->array) + entry * table->max_entries);
	if (!t->array)
		return -ENOMEM;
	t->array->len = entry * table->max_entries;
	if (!table->init)
		return 0;
	for (uint32_t i = 0; i < table->max_entries; i++)
		for (uint32_t cpu = 0; cpu < t->n_cpus; cpu++)
			set_value(table, t->array->values + i * entry + (size_t)cpu * t->stride,
				  (const char *)table->init + (size_t)i * table->value_size);
	return 0;
}

static void
array_fini(struct vm_table *t)
{
	free(t->array);
	t->array = NULL;
}

void *
array_memory(const struct vm_table *t, size_t *len)
{
	if (t->ops != &array_ops)
		return NULL;
	*len = t->array->len;
	return t->array->values;
}

static void *
array_find(struct vm_table *t, const void *key)
{
	uint32_t index;

	memcpy(&index, key, sizeof(index));
	if (index >= t->table->max_entries)
		return NULL;
	return t->array->values + (size_t)index * t->n_cpus * t->stride;
}

static int
array_update(struct vm_table *t, const void *key, const void *value, size_t off, size_t len, uint64_t flags)
{
	void *to = array_find(t, key);

	if (!to)
		return -E2BIG;
	if (flags == BPF_NOEXIST)
		return -EEXIST;
	value_write(t, to, value, off, len);
	return 0;
}

static int
array_remove(struct vm_table *t, const void *key)
{
	return -EINVAL;
}

static int
array_next(struct vm_table *t, const void *key, void *next)
{
	uint32_t index = 0;

	if (key) {
		memcpy(&index, key, sizeof(index));
		index = index < t->table->max_entries ? index + 1 : 0;
	}
	if (index >= t->table->max_entries)
		return -ENOENT;
	memcpy(next, &index, sizeof(index));
	return 0;
}

static void *
array_walk_next(struct vm_table *t, struct table_walk *walk, void *key)
{
	if (walk->index >= t->table->max_entries)
		return NULL;
	memcpy(key, &walk->index, sizeof(walk->index));
	walk->index++;
	return array_find(t, key);
}

const struct table_ops array_ops = {
	.init = array_init,
	.fini = array_fini,
	.find = array_find,
	.update = array_update,
	.remove = array_remove,
	.next = array_next,
	.walk_next = array_walk_next,
};
