/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Where variables live that both halves use: numbers and strings in the globals table, tables as tables of the object, in the
 * representation that their use allows:
 *
 *     one event as key, only added to      array, one value a CPU: no lock, no search
 *     only added to                        hash, one value a CPU
 *     statistics                           the same
 *     a variable that is a statistic       array of one element, one value a CPU
 *     all others                           hash
 */
#include "codegen/codegen_int.h"

_Static_assert(VALUE_STR_MAX == STR_SIZE_MAX, "strings are as long in objects as in the language");

#define DEFAULT_ENTRIES (1u << 18)
#define RECORDS_SIZE (4u << 20) /* bytes of the ring buffer */
/*
 * Different stacks. The kernel's table has one place for a hash, so it has many more than are wanted; and a second, smaller one has those
 * whose place was taken: of 10,000 stacks some 50 find no place then, instead of 700.
 */
#define STACKS_MAX      (1u << 16)
#define STACKS_MORE_MAX (1u << 14)

static enum value_kind
value_kind_of(enum type_kind kind)
{
	switch (kind) {
	case TYPE_BOOL:
		return VALUE_BOOL;
	case TYPE_STR:
		return VALUE_STR;
	case TYPE_EVENT:
		return VALUE_EVENT;
	case TYPE_STACK:
		return VALUE_STACK;
	case TYPE_USTACK:
		return VALUE_USTACK;
	case TYPE_ARGSTR:
		return VALUE_ARGSTR;
	case TYPE_KSYM:
		return VALUE_KSYM;
	case TYPE_STAT:
		return VALUE_STAT;
	case TYPE_UNKNOWN:
	case TYPE_NIL:
	case TYPE_INT:
	case TYPE_KERNEL:
	case TYPE_TABLE:
	case N_TYPES:
		break;
	}
	return VALUE_INT;
}

struct shape
shape_of(struct type *type, bool nullable)
{
	type = type_find(type);
	return (struct shape){
		.kind = value_kind_of(type->kind),
		.nullable = nullable,
		.size = type->kind == TYPE_STR ? type->str_size : type->kind == TYPE_STAT ? stat_size(&type->stat) : 8,
	};
}

uint32_t
globals_alloc(struct object *object, uint32_t size)
{
	struct table *globals = object->tables[object->table_globals];
	uint32_t off = globals->value_size;

	globals->value_size += (uint32_t)round_up(size, 8);
	return off;
}

static void
place_global(struct object *object, struct variable *var)
{
	struct global *global = arena_alloc(object->arena, sizeof(*global));

	global->name = var->name;
	global->span = var->span;
	global->shape = shape_of(var->type, var->nullable);
	global->off = globals_alloc(object, shape_size(&global->shape));
	var->index = object_add_global(object, global);
}

/* The keys of a table and, behind them, of those in it. What is done with any of them counts for all. */
static struct type
join_keys(struct table *table, struct type *type)
{
	struct type joined = *type_find(type);

	for (bool inner = false;; inner = true) {
		type = type_find(type);
		if (inner)
			table->inner |= 1u << table->n_key_parts;
		for (uint32_t i = 0; i < type->n_keys; i++, table->n_key_parts++) {
			table->key[table->n_key_parts] = shape_of(type->key[i], false);
			table->key_size += table->key[table->n_key_parts].size;
		}
		joined.probe_adds |= type->probe_adds;
		joined.probe_sets |= type->probe_sets;
		joined.probe_reads |= type->probe_reads;
		if (joined.max_records < type->max_records)
			joined.max_records = type->max_records;
		joined.value = type_find(type->value);
		if (joined.value->kind != TYPE_TABLE)
			return joined;
		type = joined.value;
	}
}

static void
place_table(struct object *object, struct variable *var)
{
	struct table *table = arena_alloc(object->arena, sizeof(*table));
	const struct type type = join_keys(table, var->type);
	bool is_stat = type.value->kind == TYPE_STAT;
	bool adds_only = is_stat || (type.probe_adds && !type.probe_sets && !type.probe_reads);

	table->name = var->name;
	table->span = var->span;
	table->value = shape_of(type.value, false);
	table->value_size = table->value.size;
	table->stat = type.value->stat;
	table->max_entries = type.max_records ? type.max_records : DEFAULT_ENTRIES;
	table->counter = adds_only;
	table->kind = adds_only ? TABLE_PERCPU_HASH : TABLE_HASH;
	if (adds_only && table->n_key_parts == 1 && table->key[0].kind == VALUE_EVENT) {
		table->kind = TABLE_PERCPU_ARRAY;
		table->key_size = table->key[0].size = 4; /* the index of an array table */
		/* How many entries, bind_tables says. */
	}
	var->index = object_add_table(object, table);
}

/* A single statistic: a table of one element a CPU. */
static void
place_statistic(struct object *object, struct variable *var)
{
	struct type *type = type_find(var->type);
	struct table *table = arena_alloc(object->arena, sizeof(*table));

	*table = (struct table){ .name = var->name, .span = var->span, .kind = TABLE_PERCPU_ARRAY, .key_size = 4, .max_entries = 1,
				 .value = shape_of(type, false), .stat = type->stat, .counter = true };
	table->value_size = table->value.size;
	var->index = object_add_table(object, table);
}

/* Zeros that nothing writes, for new cells of statistics: as many as the largest has. */
static void
place_zeros(struct object *object)
{
	uint32_t size = 0;

	for (uint32_t i = 0; i < object->n_tables; i++) {
		if (object->tables[i]->value.kind == VALUE_STAT && object->tables[i]->value.size > size)
			size = object->tables[i]->value.size;
	}
	if (size)
		object->zeros_off = globals_alloc(object, size);
}

static uint32_t
add_own_table(struct object *object, struct table table)
{
	struct table *copy = arena_alloc(object->arena, sizeof(*copy));

	*copy = table;
	return object_add_table(object, copy);
}

/*
 * Programs look up by event number which arguments are strings, and how long the record is. Not read-only: the kernel's verifier
 * wants to read a frozen array's values itself, and can do so only for arrays of one entry (-ENOTSUPP, kernel/bpf/arraymap.c). bind_tables
 * fills it in.
 */
static void
place_event_info(struct object *object)
{
	object->table_event_info = add_own_table(object, (struct table){
		.name = ".event_info", .kind = TABLE_ARRAY, .key_size = 4, .value_size = sizeof(struct event_info) });
}

void
place_variables(struct object *object, const struct typed *typed)
{
	object->table_globals = add_own_table(object, (struct table){
		.name = ".globals", .kind = TABLE_ARRAY, .key_size = 4, .max_entries = 1, .mappable = true });
	object->table_records = add_own_table(object, (struct table){
		.name = ".records", .kind = TABLE_RINGBUF, .max_entries = RECORDS_SIZE });
	place_event_info(object);
	for (uint32_t i = 0; i < typed->n_shared; i++) {
		enum type_kind kind = type_find(typed->shared[i]->type)->kind;

		if (kind == TYPE_TABLE)
			place_table(object, typed->shared[i]);
		else if (kind == TYPE_STAT)
			place_statistic(object, typed->shared[i]);
		else
			place_global(object, typed->shared[i]);
	}
	place_zeros(object);
}

static uint32_t
add_stacks(struct object *object, const char *name, uint32_t frames, uint32_t max)
{
	return add_own_table(object,
			     (struct table){ .name = name, .kind = TABLE_STACK_TRACE, .key_size = 4, .value_size = 8 * frames, .max_entries = max });
}

void
place_stacks(struct object *object, enum stacks_of of, uint32_t frames)
{
	static const char *const names[][2] = {
		[STACKS_KERNEL] = { ".stacks", ".stacks_more" },
		[STACKS_USER] = { ".ustacks", ".ustacks_more" },
	};

	object->stacks[of].first = add_stacks(object, names[of][0], frames, STACKS_MAX);
	object->stacks[of].more = add_stacks(object, names[of][1], frames, STACKS_MORE_MAX);
}

uint32_t
place_event_text(struct object *object, enum event_text text, uint32_t size)
{
	static const char *const names[] = { [EVENT_TEXT_NAME] = ".event_names", [EVENT_TEXT_FUNCTION] = ".event_functions" };
	uint32_t *table = &object->table_event_text[text];

	if (*table == UINT32_MAX) {
		*table = add_own_table(object, (struct table){ .name = names[text], .kind = TABLE_ARRAY, .key_size = 4, .value_size = size });
		bind_tables(object);
	}
	return *table;
}
