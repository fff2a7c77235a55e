/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * A script's variables as its host sees them: entries and values with a kind that C knows, in memory of the walk. output/entry.c knows how they are
 * laid out. Nothing here is the session's, which another thread may be polling: the tables and the memory of globals are for any number of threads.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "output/output.h"
#include "script/script_int.h"
#include "source/host.h"

struct ktap_stat {
	const struct stat_layout *layout;
	const uint64_t *cell;
};

/* ---- which there are ----------------------------------------------------------------------------------------------------------------- */

/* Is the table a variable of the script, none of ours? */
static bool
is_variable(const struct table *table)
{
	return *table->name != '.' && (table->n_key_parts || table->value.kind == VALUE_STAT);
}

static int
compare_places(const void *a, const void *b)
{
	const struct script_variable *p = a, *q = b;

	return (p->off > q->off) - (p->off < q->off);
}

void
script_list_variables(struct ktap_script *script)
{
	const struct object *object = script->object;
	struct script_variable *list = arena_alloc(script->arena, (object->n_globals + object->n_tables + 1) * sizeof(*list));
	uint32_t n = 0;

	for (uint32_t i = 0; script->source && i < object->n_globals; i++)
		list[n++] = (struct script_variable){ .global = object->globals[i], .name = object->globals[i]->name, .off = object->globals[i]->span.off };
	for (uint32_t i = 0; script->source && i < object->n_tables; i++)
		if (is_variable(object->tables[i]))
			list[n++] = (struct script_variable){ .table = i, .name = object->tables[i]->name, .off = object->tables[i]->span.off };
	if (n)
		qsort(list, n, sizeof(*list), compare_places);
	script->variables = list;
	script->n_variables = n;
}

const char *
ktap_script_variable(const struct ktap_script *script, size_t n)
{
	return n < script->n_variables ? script->variables[n].name : NULL;
}

static const struct script_variable *
find_variable(const struct ktap_script *script, const char *name)
{
	for (uint32_t i = 0; i < script->n_variables; i++)
		if (strcmp(script->variables[i].name, name) == 0)
			return &script->variables[i];
	return NULL;
}

/* ---- values ---------------------------------------------------------------------------------------------------------------------------- */

static struct ktap_value
text_value(const char *text, size_t len)
{
	return (struct ktap_value){ .kind = KTAP_VALUE_TEXT, .text = text, .len = len };
}

/* Texts are borrowed, with their NUL: see end_text. */
static struct ktap_value
host_value(const struct ktap_script *script, const struct value *value)
{
	const struct object *object = script->object;

	switch (value->kind) {
	case VALUE_INT:
	case VALUE_KSYM: return (struct ktap_value){ .kind = KTAP_VALUE_INT, .number = value->number };
	case VALUE_BOOL: return (struct ktap_value){ .kind = KTAP_VALUE_BOOL, .number = value->number != 0 };
	case VALUE_STR: return text_value(value->s, value->len);
	case VALUE_EVENT:
		if (value->number >= 0 && value->number < object->n_events)
			return text_value(object->events[value->number]->name, strlen(object->events[value->number]->name));
		break;
	case VALUE_USTACK: return (struct ktap_value){ .kind = KTAP_VALUE_STACK, .number = value->number };
	case VALUE_STACK: /* source_host_check has refused them */
	case VALUE_NONE:
	case VALUE_STAT: /* with its layout alone */
	case VALUE_ARGSTR: break;
	}
	return (struct ktap_value){ .kind = KTAP_VALUE_NIL };
}

/* A text ends before the end of its place, whatever a program that was compiled elsewhere has written there. */
static void
end_text(const struct shape *shape, char *bytes)
{
	if (shape->kind == VALUE_STR)
		bytes[shape_size(shape) - 1] = '\0';
}

/* ---- walks ----------------------------------------------------------------------------------------------------------------------------- */

struct walk {
	struct ktap_script *script;
	const struct table *table;
	uint32_t index;
	char *wanted;         /* the parts that are given, */
	uint32_t wanted_size; /* and their bytes */
	char *key, *bytes;    /* of the entry that is looked at; the value's as lookup gives it */
	ktap_entry_fn *fn;
	void *arg;
	int n;                /* entries that fn was given */
};

/* The entry of walk->key, if it is there. Returns what fn does. */
static int
give_entry(struct walk *walk)
{
	const struct table *table = walk->table;
	struct source *source = walk->script->source;
	struct ktap_value parts[TABLE_KEY_PARTS_MAX], own;
	const struct ktap_stat stat = { &table->stat, (const uint64_t *)(void *)walk->bytes };
	struct value value;
	char *at = walk->key;

	if (source->ops->lookup(source, walk->index, walk->key, walk->bytes) < 0)
		return 0;
	end_text(&table->value, walk->bytes);
	value = entry_value(source, table, walk->bytes);
	if (value.kind == VALUE_NONE && table->n_key_parts)
		return 0;
	for (uint32_t i = 0; i < table->n_key_parts; at += shape_size(&table->key[i++])) {
		struct value part;

		end_text(&table->key[i], at);
		part = entry_part(table, walk->key, i);
		parts[i] = host_value(walk->script, &part);
	}
	own = table->value.kind == VALUE_STAT ? (struct ktap_value){ .kind = KTAP_VALUE_STAT, .stat = &stat } : host_value(walk->script, &value);
	walk->n++;
	return walk->fn(walk->arg, parts, table->n_key_parts, &own);
}

/* vm_table_each */
static int
take_key(void *arg, const void *key)
{
	struct walk *walk = arg;

	if (memcmp(key, walk->wanted, walk->wanted_size) != 0)
		return 0;
	memcpy(walk->key, key, walk->table->key_size);
	return give_entry(walk);
}

static bool
find_event(const struct object *object, const char *name, size_t len, int64_t *number)
{
	for (uint32_t i = 0; i < object->n_events; i++) {
		*number = i;
		if (strlen(object->events[i]->name) == len && memcmp(object->events[i]->name, name, len) == 0)
			return true;
	}
	return false;
}

/* The kind of a key's part that a value of C is given for; VALUE_NONE: none has it. */
static enum value_kind
kind_of(const struct ktap_value *given, enum value_kind wanted)
{
	switch (given->kind) {
	case KTAP_VALUE_INT: return wanted == VALUE_KSYM ? wanted : VALUE_INT;
	case KTAP_VALUE_BOOL: return VALUE_BOOL;
	case KTAP_VALUE_TEXT: return wanted == VALUE_EVENT ? wanted : VALUE_STR;
	case KTAP_VALUE_STACK: return VALUE_USTACK;
	case KTAP_VALUE_NIL:
	case KTAP_VALUE_STAT: break;
	}
	return VALUE_NONE;
}

/* Puts a part of the wanted key at its place. 1; 0: no key of the table can have it; -EINVAL. */
static int
want_part(struct walk *walk, uint32_t n, const struct ktap_value *given, char *at)
{
	const struct shape *shape = &walk->table->key[n];
	struct value value = { .kind = kind_of(given, shape->kind), .number = given->number };

	if (value.kind != shape->kind)
		return host_fail(-EINVAL, "table '%s' of script '%s': part %u of its keys is %s, not %s", walk->table->name, walk->script->text.name, n + 1,
				 value_kind_name(shape->kind), value_kind_name(value.kind));
	if (shape->kind == VALUE_BOOL)
		value.number = value.number != 0;
	if (shape->kind == VALUE_EVENT)
		return find_event(walk->script->object, given->text, given->len, &value.number) && value_store(shape, &value, at);
	if (shape->kind == VALUE_STR) {
		value.s = given->text;
		value.len = given->len < shape->size ? (uint32_t)given->len : shape->size; /* which is too long */
	}
	return value_store(shape, &value, at);
}

/* The same with all parts that are given. */
static int
want(struct walk *walk, const struct ktap_value *key, size_t n_parts)
{
	int can_be = 1;

	if (n_parts > walk->table->n_key_parts)
		return host_fail(-EINVAL, "table '%s' of script '%s': its keys have %u parts, not %zu", walk->table->name, walk->script->text.name,
				 walk->table->n_key_parts, n_parts);
	for (uint32_t i = 0; i < n_parts; i++) {
		int result = want_part(walk, i, &key[i], walk->wanted + walk->wanted_size);

		if (result < 0)
			return result;
		can_be &= result;
		walk->wanted_size += shape_size(&walk->table->key[i]);
	}
	return can_be;
}

static int
walk_table(struct walk *walk, const struct ktap_value *key, size_t n_parts)
{
	int result = want(walk, key, n_parts);

	if (result <= 0)
		return result;
	if (n_parts < walk->table->n_key_parts) {
		source_host_each(walk->script->source, walk->index, take_key, walk);
	} else { /* also of a statistic that is a variable: the one of an array whose key is 0 */
		memcpy(walk->key, walk->wanted, walk->table->key_size);
		give_entry(walk);
	}
	return walk->n;
}

/* The walk's memory: two keys and a value. */
static int
walk_in_memory(struct walk *walk, const struct ktap_value *key, size_t n_parts)
{
	size_t key_room = round_up(walk->table->key_size, 8);
	int result;

	walk->bytes = mem_alloc(entry_size(walk->script->source, walk->table) + 2 * key_room);
	if (!walk->bytes)
		return host_fail(-ENOMEM, "no memory to look at table '%s' of script '%s'", walk->table->name, walk->script->text.name);
	walk->key = walk->bytes + entry_size(walk->script->source, walk->table);
	walk->wanted = walk->key + key_room;
	result = walk_table(walk, key, n_parts);
	free(walk->bytes);
	return result;
}

static int
give_variable(struct ktap_script *script, const struct global *global, ktap_entry_fn *fn, void *arg)
{
	uint64_t copy[VARIABLE_WORDS_MAX];
	struct value value = variable_value(global, script->source->ops->globals(script->source), copy);
	struct ktap_value own;

	end_text(&global->shape, (char *)copy);
	if (value.kind == VALUE_STR)
		value.len = (uint32_t)strlen(value.s);
	own = host_value(script, &value);
	fn(arg, NULL, 0, &own);
	return 1;
}

int
ktap_script_walk(struct ktap_script *script, const char *name, const struct ktap_value *key, size_t n_parts, ktap_entry_fn *fn, void *arg)
{
	const struct script_variable *variable = find_variable(script, name);
	struct walk walk = { .script = script, .fn = fn, .arg = arg };

	if (!variable)
		return host_fail(-ENOENT, "script '%s' has no variable '%s' that its handlers use", script->text.name, name);
	if (variable->global && n_parts)
		return host_fail(-EINVAL, "variable '%s' of script '%s' is no table: it has no keys", name, script->text.name);
	if (variable->global)
		return give_variable(script, variable->global, fn, arg);
	walk.index = variable->table;
	walk.table = script->object->tables[variable->table];
	return walk_in_memory(&walk, key, n_parts);
}

/* ---- statistics -------------------------------------------------------------------------------------------------------------------------- */

int
ktap_stat_read(const struct ktap_stat *stat, enum ktap_reader what, int64_t *number)
{
	static const enum stat_reader readers[] = {
		[KTAP_COUNT] = READ_COUNT, [KTAP_SUM] = READ_SUM, [KTAP_AVG] = READ_AVG,
		[KTAP_MIN] = READ_MIN, [KTAP_MAX] = READ_MAX, [KTAP_STDDEV] = READ_STDDEV,
	};
	int64_t read = 0;
	int err;

	if ((unsigned)what >= ARRAY_SIZE(readers))
		return host_fail(-EINVAL, "a statistic has no reader %d", (int)what);
	err = stat_read(stat->layout, stat->cell, readers[what], &read);
	if (err == -ENOTSUP)
		return host_fail(err, "the statistic keeps no %s: its script must read it", stat_part_name(stat_part_read(readers[what])));
	if (err < 0)
		return host_fail(err, "the statistic has no samples");
	*number = read;
	return 0;
}

int
ktap_stat_bucket(const struct ktap_stat *stat, enum ktap_histogram histogram, size_t n, struct ktap_bucket *bucket)
{
	static const enum stat_part parts[] = { [KTAP_LOG2] = STAT_LOG2, [KTAP_LINEAR] = STAT_LINEAR };
	enum stat_part part;

	if ((unsigned)histogram >= ARRAY_SIZE(parts))
		return host_fail(-EINVAL, "a statistic has no histogram %d", (int)histogram);
	part = parts[histogram];
	if (!stat_keeps(stat->layout, part))
		return host_fail(-ENOTSUP, "the statistic keeps no %s: its script must print it", stat_part_name(part));
	if (n >= stat_words(stat->layout, part))
		return host_fail(-ENOENT, "the statistic has no bucket %zu, but %u", n, stat_words(stat->layout, part));
	stat_bucket(stat->layout, part, (uint32_t)n, &bucket->first, &bucket->last);
	bucket->count = stat->cell[stat_word(stat->layout, part) + n];
	return 0;
}

/* ---- stacks --------------------------------------------------------------------------------------------------------------------------------- */

int
ktap_script_stack(struct ktap_script *script, const struct ktap_value *stack, const void **frames, size_t max)
{
	struct source *source = script->source;
	uint32_t key = (uint32_t)stack->number, table = object_stack_table(script->object, STACKS_USER, &key), n = 0;
	uint64_t all[VM_STACK_DEPTH_MAX] = { 0 };
	int err;

	if (stack->kind != KTAP_VALUE_STACK || !source || table == UINT32_MAX)
		return host_fail(-EINVAL, "script '%s': this value is no stack", script->text.name);
	err = stack->number < 0 ? (int)stack->number : source->ops->lookup(source, table, &key, all);
	if (err < 0)
		return host_fail(err, "script '%s': the stack was not taken: %s", script->text.name, strerror(-err));
	for (; n < VM_STACK_DEPTH_MAX && n < max && all[n]; n++)
		frames[n] = (const void *)(uintptr_t)all[n];
	return (int)n;
}
