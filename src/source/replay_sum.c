/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What several engines counted, each in tables of its own, added up in those of one. For scripts whose handlers only add (commute.c):
 *
 *     variables (.globals)        each engine begins with the same; the differences of all are added, counters of errors included
 *     tables that are added to    each engine begins with empty ones; cells are added, those of statistics part by part
 *     all other tables            are read only, and shared
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "source/replay_int.h"

#define KEY_MAX 512 /* bytes: vm_new takes no longer ones */

static bool
is_summed(const struct object *object, uint32_t table)
{
	return object->tables[table]->use & USE_ADD;
}

int
sum_share(struct engine *from, const struct engine *to, struct text *why)
{
	const struct object *object = to->source.object;
	int err = 0;

	for (uint32_t i = 0; i < object->n_tables && err == 0; i++) {
		const struct table *table = object->tables[i];

		if (i != object->table_globals && !is_summed(object, i) && (table->kind == TABLE_HASH || table->kind == TABLE_ARRAY))
			err = vm_table_share(from->vm, i, to->vm, i, why);
	}
	return err;
}

/* ---- variables --------------------------------------------------------------------------------------------------- */

static uint64_t *
variables(const struct engine *engine, uint32_t *n)
{
	uint32_t table = engine->source.object->table_globals;

	*n = engine->source.object->tables[table]->value_size / 8;
	return vm_table_memory(engine->vm, table);
}

void
sum_begin(struct engine *to, const struct engine *from)
{
	uint32_t n;
	const uint64_t *words = variables(from, &n);

	memcpy(variables(to, &n), words, n * sizeof(*words));
}

static void
add_variables(const struct engine *into, const struct engine *from, const uint64_t *start)
{
	uint32_t n;
	uint64_t *sum = variables(into, &n);
	const uint64_t *words = variables(from, &n);

	for (uint32_t i = 0; i < n; i++)
		sum[i] += words[i] - start[i];
}

/* Did a program find a table full? */
static bool
was_full(const struct engine *engine, const uint64_t *start)
{
	const struct object *object = engine->source.object;
	uint32_t n;
	const uint64_t *words = variables(engine, &n);

	for (uint32_t i = 0; i < object->n_counters; i++)
		if (object->counters[i]->kind == COUNTER_TABLE_FULL && words[object->counters[i]->off / 8] != start[object->counters[i]->off / 8])
			return true;
	return false;
}

/* ---- tables ------------------------------------------------------------------------------------------------------ */

/* Calls fn for each key of a table, which fn may delete. Stops at the first error. */
static int
each_key(const struct engine *engine, uint32_t table, int (*fn)(void *arg, const void *key), void *arg)
{
	uint64_t keys[2][KEY_MAX / 8];
	const void *key = NULL;
	int err = 0;

	for (unsigned i = 0; err == 0 && vm_table_next(engine->vm, table, key, keys[i]) == 0; i = !i) {
		key = keys[i];
		err = fn(arg, key);
	}
	return err;
}

struct fit {
	const struct engine *into;
	uint32_t table;
	uint64_t n_new;
};

static int
count_new(void *arg, const void *key)
{
	struct fit *fit = arg;

	fit->n_new += !vm_table_find(fit->into->vm, fit->table, key);
	return 0;
}

/* Counts a key that several have more than once: says no too often rather than too late. */
bool
sum_fits(const struct engine *into, struct engine *const *from, uint32_t n, const void *start)
{
	const struct object *object = into->source.object;

	for (uint32_t i = 0; i < n; i++)
		if (was_full(from[i], start))
			return false;
	for (uint32_t table = 0; table < object->n_tables; table++) {
		struct fit fit = { into, table, 0 };

		if (!is_summed(object, table) || table_kind_is_array(object->tables[table]->kind))
			continue;
		for (uint32_t i = 0; i < n; i++)
			each_key(from[i], table, count_new, &fit);
		if (fit.n_new && fit.n_new + vm_table_count(into->vm, table) > object->tables[table]->max_entries)
			return false;
	}
	return true;
}

struct sum {
	struct engine *into, *from;
	uint32_t table;
	uint32_t n_cpus, n_words; /* of an entry's values */
	const void *zeros;
	int64_t n_entries;
};

static void
add_cell(const struct table *table, uint64_t *into, const uint64_t *from)
{
	if (table->value.kind == VALUE_STAT)
		stat_merge(&table->stat, into, from);
	else
		*into += *from;
}

static int
add_entry(void *arg, const void *key)
{
	struct sum *sum = arg;
	const struct table *table = sum->into->source.object->tables[sum->table];
	uint64_t *from = vm_table_find(sum->from->vm, sum->table, key), *into = vm_table_find(sum->into->vm, sum->table, key);
	int err = 0;

	if (!into) {
		err = vm_table_update(sum->into->vm, sum->table, key, sum->zeros, BPF_NOEXIST);
		into = vm_table_find(sum->into->vm, sum->table, key);
	}
	for (uint32_t cpu = 0; into && cpu < sum->n_cpus; cpu++)
		add_cell(table, into + cpu * sum->n_words, from + cpu * sum->n_words);
	sum->n_entries++;
	if (table_kind_is_array(table->kind))
		memset(from, 0, 8 * (size_t)sum->n_cpus * sum->n_words);
	else
		vm_table_delete(sum->from->vm, sum->table, key);
	return err;
}

static int
add_table(struct sum *sum)
{
	const struct table *table = sum->into->source.object->tables[sum->table];
	void *zeros;
	int err;

	sum->n_cpus = table_kind_is_per_cpu(table->kind) ? sum->into->source.n_cpus : 1;
	sum->n_words = (uint32_t)round_up(table->value_size, 8) / 8;
	sum->zeros = zeros = mem_alloc(8 * (size_t)sum->n_cpus * sum->n_words);
	err = zeros ? each_key(sum->from, sum->table, add_entry, sum) : -ENOMEM;
	free(zeros);
	return err;
}

int64_t
sum_add(struct engine *into, struct engine *from, const void *start)
{
	const struct object *object = into->source.object;
	struct sum sum = { .into = into, .from = from };
	int err = 0;

	add_variables(into, from, start);
	into->n_events += from->n_events;
	from->n_events = 0;
	for (uint32_t i = 0; i < object->n_tables && err == 0; i++) {
		sum.table = i;
		if (is_summed(object, i))
			err = add_table(&sum);
	}
	return err < 0 ? err : sum.n_entries;
}
