/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The object in memory: what a script (or a C file) becomes. Lists that live in the object's arena, and their printed form.
 */
#include <assert.h>
#include <string.h>

#include "ebpf/ebpf.h"

static const struct {
	const char *name;
	uint32_t map_type;
} table_kinds[] = {
#define TABLE(id, name, map_type, doc) [TABLE_##id] = { name, map_type },
#include "ebpf/tables.def"
#undef TABLE
};

static const struct {
	const char *slug, *text;
	bool is_error;
	const char *help;
} counter_kinds[] = {
#define COUNTER(id, slug, text, is_error, help) [COUNTER_##id] = { slug, text, is_error, help },
#include "ebpf/counters.def"
#undef COUNTER
};

static const char *const value_kinds[] = {
	[VALUE_NONE] = "none",   [VALUE_INT] = "int",       [VALUE_BOOL] = "bool",
	[VALUE_STR] = "string",  [VALUE_EVENT] = "event",   [VALUE_STACK] = "stack",
	[VALUE_USTACK] = "ustack", [VALUE_ARGSTR] = "argstr", [VALUE_KSYM] = "ksym",
	[VALUE_STAT] = "statistic",
};

static const char *const site_kinds[] = {
	[SITE_PRINT] = "print", [SITE_PRINTF] = "printf", [SITE_EXIT] = "exit",
};

const char *
table_kind_name(enum table_kind kind)
{
	return table_kinds[kind].name;
}

uint32_t
table_kind_map_type(enum table_kind kind)
{
	return table_kinds[kind].map_type;
}

const char *
table_kind_of(uint32_t map_type)
{
	for (size_t i = 0; i < ARRAY_SIZE(table_kinds); i++)
		if (table_kinds[i].map_type == map_type)
			return table_kinds[i].name;
	return NULL;
}

bool
table_kind_is_per_cpu(enum table_kind kind)
{
	return kind == TABLE_PERCPU_HASH || kind == TABLE_PERCPU_ARRAY || kind == TABLE_LRU_PERCPU_HASH;
}

bool
table_kind_is_array(enum table_kind kind)
{
	return kind == TABLE_ARRAY || kind == TABLE_PERCPU_ARRAY;
}

bool
table_kind_has_keys(enum table_kind kind)
{
	return kind != TABLE_QUEUE && kind != TABLE_STACK && kind != TABLE_BLOOM && kind != TABLE_RINGBUF;
}

bool
table_kind_holds_tables(enum table_kind kind)
{
	return kind == TABLE_ARRAY_OF_TABLES || kind == TABLE_HASH_OF_TABLES;
}

const char *
counter_slug(enum counter_kind kind)
{
	return counter_kinds[kind].slug;
}

const char *
counter_text(enum counter_kind kind)
{
	return counter_kinds[kind].text;
}

const char *
counter_help(enum counter_kind kind)
{
	return counter_kinds[kind].help;
}

bool
counter_is_error(enum counter_kind kind)
{
	return counter_kinds[kind].is_error;
}

struct object *
object_new(struct arena *arena, const char *name, struct script *script)
{
	struct object *object = arena_alloc(arena, sizeof(*object));

	object->arena = arena;
	object->name = name;
	object->script = script;
	object->table_globals = object->table_records = object->table_event_info = UINT32_MAX;
	for (unsigned of = 0; of < N_STACKS; of++)
		object->stacks[of] = (struct stack_tables){ UINT32_MAX, UINT32_MAX };
	for (unsigned text = 0; text < N_EVENT_TEXTS; text++)
		object->table_event_text[text] = UINT32_MAX;
	object->exit_flag_off = object->wall_offset_off = object->zeros_off = UINT32_MAX;
	object->control = "";
	return object;
}

/* The lists differ in type only; one macro makes the function that appends to each. */
#define DEFINE_ADD(thing)                                                                                                      \
	uint32_t object_add_##thing(struct object *object, struct thing *thing)                                               \
	{                                                                                                                      \
		object->thing##s = arena_grow(object->arena, object->thing##s, object->n_##thing##s, &object->cap_##thing##s,  \
					      sizeof(*object->thing##s));                                                      \
		object->thing##s[object->n_##thing##s] = thing;                                                                \
		return object->n_##thing##s++;                                                                                 \
	}

DEFINE_ADD(table)
DEFINE_ADD(func)
DEFINE_ADD(program)
DEFINE_ADD(handler)
DEFINE_ADD(event)
DEFINE_ADD(site)
DEFINE_ADD(counter)
DEFINE_ADD(global)

struct func *
func_from_code(const struct code *code, const char *name, const char *section)
{
	struct func *func = arena_alloc(code->arena, sizeof(*func));

	assert(code->n);
	*func = (struct func){
		.name = name, .section = section, .insns = code->insns, .spans = code->spans, .n_insns = code->n,
		.relocs = code->relocs, .n_relocs = code->n_relocs, .patches = code->patches, .n_patches = code->n_patches,
		.cores = code->cores, .n_cores = code->n_cores,
	};
	return func;
}

/* The variable in one table of data. */
static bool
variable_in(const struct typeinfo *types, const struct table *table, const char *name, uint32_t *off, uint32_t *size)
{
	const struct btf_type *type = typeinfo_type(types, table->value_type);

	if (!type || BTF_INFO_KIND(type->info) != BTF_KIND_DATASEC)
		return false;
	for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info); i++) {
		const struct btf_var_secinfo *var = &type_variables(type)[i];

		if (strcmp(typeinfo_name(types, var->type), name) != 0)
			continue;
		*off = var->offset;
		*size = var->size;
		return var->offset <= table->value_size && var->size <= table->value_size - var->offset;
	}
	return false;
}

bool
object_variable(const struct object *object, const char *name, uint32_t *table, uint32_t *off, uint32_t *size)
{
	struct text why = { 0 };
	struct typeinfo *types = object->btf ? typeinfo_new(object->btf, object->btf_len, NULL, &why) : NULL;
	bool found = false;

	for (uint32_t i = 0; types && i < object->n_tables && !found; i++) {
		found = variable_in(types, object->tables[i], name, off, size);
		*table = i;
	}
	typeinfo_free(types);
	text_fini(&why);
	return found;
}

uint32_t
object_stack_table(const struct object *object, enum stacks_of of, uint32_t *number)
{
	bool in_more = *number >> 28 == STACK_IN_MORE >> 28; /* numbers with higher bits are a source's own */

	if (in_more)
		*number &= ~STACK_IN_MORE;
	return in_more ? object->stacks[of].more : object->stacks[of].first;
}

const struct source_line *
func_line(const struct func *func, uint32_t pc)
{
	const struct source_line *found = NULL;

	for (uint32_t i = 0; i < func->n_lines && func->lines[i].pc <= pc; i++)
		found = &func->lines[i];
	return found && *found->file && found->line ? found : NULL;
}

static void
print_shape(const struct shape *shape, FILE *out)
{
	fputs(value_kinds[shape->kind], out);
	if (shape->kind == VALUE_STR)
		fprintf(out, "(%u)", shape->size);
	if (shape->nullable)
		putc('?', out);
}

static void
print_table(const struct table *table, uint32_t index, FILE *out)
{
	fprintf(out, "table %u %s: %s, key %u, value %u, %u entries", index, table->name, table_kind_name(table->kind),
		table->key_size, table->value_size, table->max_entries);
	for (uint32_t i = 0; i < table->n_key_parts; i++) {
		fputs(!i ? " [" : table->inner >> i & 1 ? "][" : ", ", out);
		print_shape(&table->key[i], out);
	}
	if (table->n_key_parts) {
		fputs("] -> ", out);
		print_shape(&table->value, out);
	}
	putc('\n', out);
}

static void
print_program(const struct object *object, uint32_t index, FILE *out)
{
	const struct program *program = object->programs[index];

	fprintf(out, "program %u %s: handler %u, %u instructions, record %u, scratch %u, stack %u%s%s\n", index,
		object->funcs[program->func]->name, program->handler, object->funcs[program->func]->n_insns,
		program->record_size, program->scratch_size, program->stack_size, program->uses_context ? ", context" : "",
		program->uses_dynamic ? ", dynamic" : "");
}

static void
print_site(const struct site *site, uint32_t index, FILE *out)
{
	fprintf(out, "site %u: %s(", index, site_kinds[site->kind]);
	for (uint32_t i = 0; i < site->n_args; i++) {
		if (i)
			fputs(", ", out);
		print_shape(&site->args[i], out);
	}
	fputs(")\n", out);
}

void
object_print(const struct object *object, FILE *out)
{
	fprintf(out, "object %s\n", object->name);
	object_print_parts(object, out);
}

void
object_print_parts(const struct object *object, FILE *out)
{
	for (uint32_t i = 0; i < object->n_globals; i++) {
		fprintf(out, "global %u %s at %u: ", i, object->globals[i]->name, object->globals[i]->off);
		print_shape(&object->globals[i]->shape, out);
		putc('\n', out);
	}
	for (uint32_t i = 0; i < object->n_tables; i++)
		print_table(object->tables[i], i, out);
	for (uint32_t i = 0; i < object->n_programs; i++)
		print_program(object, i, out);
	for (uint32_t i = 0; i < object->n_handlers; i++)
		fprintf(out, "handler %u: %u events%s\n", i, object->handlers[i]->n_bindings,
			object->handlers[i]->any_program != UINT32_MAX ? ", and events named at run time" : "");
	for (uint32_t i = 0; i < object->n_sites; i++)
		print_site(object->sites[i], i, out);
	for (uint32_t i = 0; i < object->n_counters; i++)
		fprintf(out, "counter %u: %s at global %u\n", i, counter_slug(object->counters[i]->kind),
			object->counters[i]->off);
}
