/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What a compiled script is beside programs and tables, as bytes: the section `.ktap` of its file. docs/objects.md describes it.
 *
 *      0       4         8      12       16
 *     +-------+---------+------+--------+-----------------------------------------------------------
 *     | "KTAP"| version | size | CRC-32 | body: `size` bytes, over which, the programs and their types the CRC is
 *     +-------+---------+------+--------+-----------------------------------------------------------
 *
 * One walk over the object serves both directions: each pack_* function either appends its value to the body or reads it from there, so the
 * writer and the reader cannot disagree. Numbers are 32 or 64 bits, in the file's byte order; a string is its length, its bytes and a NUL, its
 * length UINT32_MAX where there is none; a list is its length and its elements.
 *
 * The reader trusts nothing: lengths are checked against what is left before anything is allocated, and check_* see that what refers to
 * something else refers to something that is there. What programs do with it is the verifiers' business.
 */
#include <errno.h>
#include <string.h>
#include <zlib.h>

#include "ebpf/ebpf_int.h"

#define MAGIC       "KTAP"
#define HEADER_SIZE 16
#define NO_STRING   UINT32_MAX

struct pack {
	struct text *out;       /* writing; NULL: reading */
	const uint8_t *at, *end;
	struct arena *arena;    /* of what is read */
	bool bad;               /* the bytes ended early, or hold what cannot be */
};

/* ---- numbers, strings, lists ---- */

static void
pack_bytes(struct pack *p, void *bytes, size_t len)
{
	if (p->out) {
		text_add(p->out, bytes, len);
	} else if (p->bad || (size_t)(p->end - p->at) < len) {
		p->bad = true;
		memset(bytes, 0, len);
	} else {
		memcpy(bytes, p->at, len);
		p->at += len;
	}
}

static void
pack_u32(struct pack *p, uint32_t *value)
{
	pack_bytes(p, value, sizeof(*value));
}

static void
pack_u64(struct pack *p, uint64_t *value)
{
	pack_bytes(p, value, sizeof(*value));
}

/* A number below `limit`, of an enum or a small type. */
static uint32_t
pack_below(struct pack *p, uint32_t value, uint32_t limit)
{
	pack_u32(p, &value);
	if (value < limit)
		return value;
	p->bad = true;
	return 0;
}

static bool
pack_bool(struct pack *p, bool value)
{
	return pack_below(p, value, 2);
}

/* An index, or UINT32_MAX for none. */
static void
pack_index(struct pack *p, uint32_t *index, uint32_t n)
{
	pack_u32(p, index);
	if (!p->out && *index != UINT32_MAX && *index >= n)
		p->bad = true;
}

/* `*len` bytes, which may hold NULs. */
static void
pack_text(struct pack *p, const char **s, uint32_t *len)
{
	pack_u32(p, len);
	if (p->out) {
		text_add(p->out, *s, *len);
		text_putc(p->out, '\0');
	} else if (p->bad || (size_t)(p->end - p->at) <= *len || p->at[*len]) {
		p->bad = true;
		*s = "";
		*len = 0;
	} else {
		*s = arena_strndup(p->arena, (const char *)p->at, *len);
		p->at += *len + 1;
	}
}

/* A string without NULs, or NULL. */
static void
pack_string(struct pack *p, const char **s)
{
	uint32_t len = *s ? (uint32_t)strlen(*s) : NO_STRING;

	if (p->out && !*s) {
		pack_u32(p, &len);
		return;
	}
	if (!p->out && !p->bad && (size_t)(p->end - p->at) >= sizeof(len) && memcmp(p->at, &(uint32_t){ NO_STRING }, sizeof(len)) == 0) {
		p->at += sizeof(len);
		*s = NULL;
		return;
	}
	pack_text(p, s, &len);
	if (!p->out && strlen(*s) != len)
		p->bad = true;
}

/* A string that must be there. */
static void
pack_name(struct pack *p, const char **s)
{
	pack_string(p, s);
	if (!*s) {
		p->bad = true;
		*s = "";
	}
}

/* Length of a list each of whose elements takes `min` bytes at least; when reading, memory for it at *list. */
static void
pack_count(struct pack *p, uint32_t *n, size_t min, void *list, size_t size)
{
	pack_u32(p, n);
	if (p->out)
		return;
	if (*n > (size_t)(p->end - p->at) / min) {
		p->bad = true;
		*n = 0;
	}
	*(void **)list = arena_alloc(p->arena, *n * size);
}

static void
pack_span(struct pack *p, struct span *span)
{
	pack_u32(p, &span->off);
	pack_u32(p, &span->len);
}

static void
pack_shape(struct pack *p, struct shape *shape)
{
	shape->kind = (enum value_kind)pack_below(p, shape->kind, VALUE_KINDS);
	shape->nullable = pack_bool(p, shape->nullable);
	pack_u32(p, &shape->size);
}

static void
pack_stat(struct pack *p, struct stat_layout *stat)
{
	stat->keep = pack_below(p, stat->keep, 1u << N_STAT_PARTS);
	pack_u64(p, (uint64_t *)&stat->lo); /* signed; the bytes are the same */
	pack_u64(p, (uint64_t *)&stat->hi);
	pack_u64(p, (uint64_t *)&stat->step);
}

/* ---- the parts of an object ---- */

static void
pack_table(struct pack *p, struct table *table)
{
	pack_name(p, &table->name);
	table->kind = (enum table_kind)pack_below(p, table->kind, N_TABLE_KINDS);
	pack_u32(p, &table->key_size);
	pack_u32(p, &table->value_size);
	pack_u32(p, &table->max_entries);
	table->mappable = pack_bool(p, table->mappable);
	table->read_only = pack_bool(p, table->read_only);
	table->write_only = pack_bool(p, table->write_only);
	table->counter = pack_bool(p, table->counter);
	table->use = pack_below(p, table->use, USE_ALL + 1);
	table->n_key_parts = pack_below(p, table->n_key_parts, TABLE_KEY_PARTS_MAX + 1);
	for (uint32_t i = 0; i < table->n_key_parts; i++)
		pack_shape(p, &table->key[i]);
	table->inner = pack_below(p, table->inner, 1u << table->n_key_parts) & ~1u;
	pack_shape(p, &table->value);
	if (table->value.kind == VALUE_STAT)
		pack_stat(p, &table->stat);
	pack_span(p, &table->span);
}

/* Places of the script, as runs of instructions with the same one. */
static void
pack_spans(struct pack *p, struct func *func)
{
	uint32_t pc = 0, run;

	if (!p->out) {
		func->spans = arena_alloc(p->arena, func->n_insns * sizeof(*func->spans));
		func->n_lines = 0; /* which the file's line information gave: spans say more */
	}
	while (pc < func->n_insns && !p->bad) {
		struct span span = func->spans[pc];

		for (run = 1; p->out && pc + run < func->n_insns && !memcmp(&func->spans[pc + run], &span, sizeof(span));)
			run++;
		pack_u32(p, &run);
		pack_span(p, &span);
		if (!run || run > func->n_insns - pc)
			p->bad = true;
		for (; run && !p->bad; run--)
			func->spans[pc++] = span;
	}
}

static void
pack_func(struct pack *p, struct func *func)
{
	pack_name(p, &func->name);
	pack_spans(p, func);
	pack_count(p, &func->n_patches, 8, &func->patches, sizeof(*func->patches));
	for (uint32_t i = 0; i < func->n_patches; i++) {
		pack_index(p, &func->patches[i].pc, func->n_insns);
		pack_u32(p, &func->patches[i].field);
		p->bad |= func->patches[i].pc >= func->n_insns;
	}
}

static void
pack_field(struct pack *p, struct program_field *field)
{
	field->by = (enum field_by)pack_below(p, field->by, N_FIELD_BYS);
	pack_string(p, &field->name);
	pack_u32(p, &field->number);
	field->offset = pack_below(p, field->offset, 1u << 16);
	field->size = pack_below(p, field->size, 1u << 16);
	p->bad |= field->by == FIELD_BY_NAME && !field->name;
}

static void
pack_program(struct pack *p, struct program *program)
{
	pack_u32(p, &program->func);
	pack_u32(p, &program->handler);
	program->params = pack_below(p, program->params, 1u << N_PARAMS);
	pack_u32(p, &program->record_size);
	pack_u64(p, &program->record_words);
	pack_u32(p, &program->fixed_size);
	pack_u32(p, &program->scratch_size);
	pack_u32(p, &program->stack_size);
	pack_u32(p, &program->frame_size);
	program->uses_context = pack_bool(p, program->uses_context);
	program->uses_dynamic = pack_bool(p, program->uses_dynamic);
	pack_string(p, &program->signature);
	pack_count(p, &program->n_fields, 20, &program->fields, sizeof(*program->fields));
	for (uint32_t i = 0; i < program->n_fields; i++)
		pack_field(p, &program->fields[i]);
}

static void
pack_use(struct pack *p, struct event_use *use)
{
	use->args = (uint16_t)pack_below(p, use->args, 1u << EVENT_ARGS);
	for (uint32_t i = 0; i < EVENT_ARGS; i++)
		pack_string(p, &use->arg_names[i]);
	pack_count(p, &use->n_names, 13, &use->names, sizeof(*use->names));
	for (uint32_t i = 0; i < use->n_names; i++) {
		pack_name(p, &use->names[i].name);
		pack_span(p, &use->names[i].span);
	}
	use->argstr = pack_bool(p, use->argstr);
	use->retval = pack_bool(p, use->retval);
	pack_span(p, &use->span);
}

static void
pack_handler(struct pack *p, struct handler *handler)
{
	struct event_use none = { 0 }, *use = p->out ? &none : arena_alloc(p->arena, sizeof(*use));

	handler->kind = (enum handler_kind)pack_below(p, handler->kind, HANDLER_PROFILE + 1);
	pack_u64(p, &handler->period_ns);
	pack_span(p, &handler->span);
	pack_count(p, &handler->n_patterns, 13, &handler->patterns, sizeof(*handler->patterns));
	for (uint32_t i = 0; i < handler->n_patterns; i++) {
		pack_name(p, &handler->patterns[i].text);
		pack_span(p, &handler->patterns[i].span);
	}
	if (p->out && handler->use)
		none = *handler->use;
	pack_use(p, use);
	if (!p->out)
		handler->use = use;
	pack_count(p, &handler->n_bindings, 8, &handler->bindings, sizeof(*handler->bindings));
	for (uint32_t i = 0; i < handler->n_bindings; i++) {
		pack_u32(p, &handler->bindings[i].event);
		pack_u32(p, &handler->bindings[i].program);
	}
	pack_u32(p, &handler->any_program);
}

static void
pack_site(struct pack *p, struct site *site)
{
	site->kind = (enum site_kind)pack_below(p, site->kind, N_SITE_KINDS);
	pack_span(p, &site->span);
	if (pack_bool(p, site->format != NULL))
		pack_text(p, &site->format, &site->format_len);
	pack_count(p, &site->n_args, 12, &site->args, sizeof(*site->args));
	for (uint32_t i = 0; i < site->n_args; i++)
		pack_shape(p, &site->args[i]);
}

static void
pack_counter(struct pack *p, struct counter *counter)
{
	counter->kind = (enum counter_kind)pack_below(p, counter->kind, N_COUNTER_KINDS);
	pack_span(p, &counter->span);
	pack_u32(p, &counter->off);
}

static void
pack_global(struct pack *p, struct global *global)
{
	pack_name(p, &global->name);
	pack_shape(p, &global->shape);
	pack_u32(p, &global->off);
	global->use = pack_below(p, global->use, USE_ALL + 1);
	pack_span(p, &global->span);
}

static void
pack_event(struct pack *p, struct known_event *event)
{
	pack_u32(p, &event->kind);
	pack_name(p, &event->system);
	pack_name(p, &event->name);
}

static void
pack_need(struct pack *p, struct object_need *need)
{
	uint32_t number = (uint32_t)need->number;

	need->kind = (enum need_kind)pack_below(p, need->kind, N_NEED_KINDS);
	pack_u32(p, &number);
	need->number = (int32_t)number;
	p->bad |= need->kind == NEED_ATTACH && number >= N_ATTACH_KINDS;
	pack_string(p, &need->name);
	pack_string(p, &need->since);
}

static void
pack_script(struct pack *p, struct object *object)
{
	const char *name = object->script ? object->script->name : object->name, *text = object->script ? object->script->text : "";
	uint32_t len = object->script ? object->script->len : 0;

	pack_name(p, &name);
	pack_text(p, &text, &len);
	pack_text(p, &object->control, &object->control_len);
	if (p->out)
		return;
	p->bad |= len > SCRIPT_MAX_LEN;
	object->script = arena_alloc(p->arena, sizeof(*object->script));
	script_init(object->script, p->arena, name, text, p->bad ? 0 : len);
}

/* ---- the whole ---- */

/*
 * A list of the object that holds pointers: when writing they are there; when reading each element is made. `min`: bytes that one takes at
 * least, so that a wrong length is seen before memory is taken for it.
 */
#define PACK_LIST(p, object, thing, min)                                                                   \
	do {                                                                                               \
		uint32_t n_ = (object)->n_##thing##s;                                                      \
		pack_u32(p, &n_);                                                                          \
		if (!(p)->out && n_ > (size_t)((p)->end - (p)->at) / (min))                                \
			(p)->bad = true;                                                                   \
		for (uint32_t i_ = 0; i_ < n_ && !(p)->bad; i_++) {                                        \
			if (!(p)->out)                                                                     \
				object_add_##thing(object, arena_alloc((p)->arena, sizeof(struct thing))); \
			pack_##thing(p, (object)->thing##s[i_]);                                           \
		}                                                                                          \
	} while (0)

/* Tables and functions are in the file as such: the body holds the rest of each, in the same order. */
static void
pack_known(struct pack *p, struct object *object)
{
	uint32_t n_tables = object->n_own_tables, n_funcs = object->n_own_funcs;

	pack_u32(p, &n_tables);
	pack_u32(p, &n_funcs);
	if (n_tables > object->n_tables || n_funcs > object->n_funcs) {
		p->bad = true;
		return;
	}
	/* What follows in the file is for other loaders. */
	object->n_tables = object->n_own_tables = n_tables;
	object->n_entries = object->n_funcs - n_funcs;
	object->n_funcs = object->n_own_funcs = n_funcs;
	for (uint32_t i = 0; i < n_tables; i++)
		pack_table(p, object->tables[i]);
	for (uint32_t i = 0; i < n_funcs; i++)
		pack_func(p, object->funcs[i]);
}

static void
pack_object(struct pack *p, struct object *object)
{
	pack_u32(p, &object->origin);
	pack_count(p, &object->n_needs, 16, &object->needs, sizeof(*object->needs));
	for (uint32_t i = 0; i < object->n_needs; i++)
		pack_need(p, &object->needs[i]);
	pack_script(p, object);
	pack_known(p, object);
	pack_u32(p, &object->exit_flag_off);
	pack_u32(p, &object->wall_offset_off);
	pack_u32(p, &object->zeros_off);
	pack_count(p, &object->n_event_names, 14, &object->event_names, sizeof(*object->event_names));
	for (uint32_t i = 0; i < object->n_event_names; i++)
		pack_event(p, &object->event_names[i]);
	PACK_LIST(p, object, program, 40);
	PACK_LIST(p, object, handler, 80);
	PACK_LIST(p, object, site, 20);
	PACK_LIST(p, object, counter, 16);
	PACK_LIST(p, object, global, 29);
}

/* Over the body and the instructions of the object's own functions, and before them what else the file holds. */
static uint32_t
checksum(const struct object *object, uint32_t before, const void *body, size_t len)
{
	uLong crc = crc32(before, body, (uInt)len);

	for (uint32_t i = 0; i < object->n_own_funcs; i++)
		crc = crc32(crc, (const Bytef *)object->funcs[i]->insns, (uInt)(object->funcs[i]->n_insns * sizeof(struct bpf_insn)));
	return (uint32_t)crc;
}

void
object_pack(const struct object *object, uint32_t crc, struct text *out)
{
	struct object copy = *object; /* the walk wants one that it may write to; when it writes to `out`, it changes nothing */
	struct text body = { 0 };
	struct pack p = { .out = &body };
	uint32_t header[3] = { OBJECT_VERSION };

	pack_object(&p, &copy);
	header[1] = (uint32_t)body.len;
	header[2] = checksum(object, crc, body.s, body.len);
	text_add(out, MAGIC, 4);
	text_add(out, (const char *)header, sizeof(header));
	text_add(out, body.s, body.len);
	text_fini(&body);
}

/* ---- what was read holds together ---- */

static bool
is_shape(const struct shape *shape)
{
	if (shape->kind == VALUE_NONE || shape->kind == VALUE_STAT)
		return false;
	return shape->kind == VALUE_STR ? shape->size > 0 && shape->size <= VALUE_STR_MAX : shape->size == 8 || shape->size == 4;
}

/* As it stands in tables and globals: in whole words, which are read and written as such. */
static bool
is_cell(const struct shape *shape)
{
	return is_shape(shape) && shape->size % 8 == 0;
}

/* A part of a key is never nil; an array's key is an index. */
static bool
is_key_part(const struct table *table, const struct shape *shape)
{
	if (shape->nullable)
		return false;
	if (table_kind_is_array(table->kind))
		return shape->size == 4 && (shape->kind == VALUE_INT || shape->kind == VALUE_EVENT);
	return is_cell(shape);
}

/* Cells are as large as their layout says, and the layout has a size. */
static bool
is_stat(const struct table *table)
{
	const struct stat_layout *stat = &table->stat;

	if (stat_keeps(stat, STAT_LINEAR) &&
	    (stat->step <= 0 || stat->hi <= stat->lo || ((uint64_t)stat->hi - (uint64_t)stat->lo - 1) / (uint64_t)stat->step >= STAT_BUCKETS_MAX))
		return false;
	return stat_size(stat) == table->value_size && table->value.size == table->value_size && !table->value.nullable;
}

static bool
check_table(const struct table *table)
{
	uint32_t size = 0;

	for (uint32_t i = 0; i < table->n_key_parts; i++) {
		if (!is_key_part(table, &table->key[i]))
			return false;
		size += table->key[i].size;
	}
	if (!table->n_key_parts)
		return table->value.kind != VALUE_STAT || is_stat(table);
	if (table->value.kind == VALUE_STAT)
		return size == table->key_size && is_stat(table);
	return size == table->key_size && is_cell(&table->value) && shape_size(&table->value) == table->value_size;
}

#define WALK_MAX (1u << 27) /* relocations that are looked at, of all programs together: about a second */

/* A walk over the functions that a program leads to. */
struct walk {
	const struct object *object;
	uint32_t n_fields;      /* of the program */
	uint32_t *seen, stamp;  /* by function: the stamp of the program that led there last */
	uint64_t n_steps;
};

/* Fields that are patched into a function and into those that it leads to are fields of the program. */
static bool
check_patches(struct walk *walk, uint32_t index)
{
	const struct func *func = walk->object->funcs[index];

	walk->seen[index] = walk->stamp;
	walk->n_steps += func->n_patches + func->n_relocs + 1;
	if (walk->n_steps > WALK_MAX)
		return false;
	for (uint32_t i = 0; i < func->n_patches; i++)
		if (func->patches[i].field >= walk->n_fields)
			return false;
	for (uint32_t i = 0; i < func->n_relocs; i++) {
		const struct reloc *reloc = &func->relocs[i];

		if ((reloc->kind == RELOC_FUNC || reloc->kind == RELOC_FUNC_ADDR) && reloc->index < walk->object->n_funcs &&
		    walk->seen[reloc->index] != walk->stamp && !check_patches(walk, reloc->index))
			return false;
	}
	return true;
}

static bool
check_program(struct walk *walk, const struct program *program)
{
	const struct object *object = walk->object;

	if (program->func >= object->n_funcs || program->handler >= object->n_handlers || program->n_fields > PROGRAM_FIELDS_MAX)
		return false;
	walk->n_fields = program->n_fields;
	walk->stamp++;
	if (!check_patches(walk, program->func))
		return false;
	return program->record_size <= PROGRAM_RECORD_MAX && program->scratch_size <= PROGRAM_SCRATCH_MAX && program->stack_size <= PROGRAM_STACK_MAX &&
	       program->frame_size <= program->stack_size;
}

static bool
check_programs(const struct object *object)
{
	struct walk walk = { .object = object, .seen = arena_alloc(object->arena, object->n_funcs * sizeof(*walk.seen)) };

	for (uint32_t i = 0; i < object->n_programs; i++)
		if (!check_program(&walk, object->programs[i]))
			return false;
	return true;
}

static bool
check_handler(const struct object *object, const struct handler *handler)
{
	for (uint32_t i = 0; i < handler->n_bindings; i++)
		if (handler->bindings[i].event >= object->n_event_names || handler->bindings[i].program >= object->n_programs)
			return false;
	if (handler->kind == HANDLER_PROFILE && !handler->period_ns)
		return false;
	return handler->any_program == UINT32_MAX || handler->any_program < object->n_programs;
}

static bool
check_site(const struct site *site)
{
	for (uint32_t i = 0; i < site->n_args; i++)
		if (!is_shape(&site->args[i]))
			return false;
	return site->kind != SITE_PRINTF || site->format;
}

/* Do `size` bytes at `off` lie in the globals, as numbers do? */
static bool
is_global(const struct object *object, uint32_t off, uint32_t size)
{
	uint32_t all = object->table_globals == UINT32_MAX ? 0 : object->tables[object->table_globals]->value_size;

	return off % 8 == 0 && off <= all && size <= all - off;
}

/* A number that the object may do without. */
static bool
is_global_or_none(const struct object *object, uint32_t off)
{
	return off == UINT32_MAX || is_global(object, off, 8);
}

static bool
check_globals(const struct object *object)
{
	const struct table *globals = object->table_globals == UINT32_MAX ? NULL : object->tables[object->table_globals];

	if (globals && (globals->kind != TABLE_ARRAY || globals->max_entries != 1 || !globals->mappable))
		return false;
	for (uint32_t i = 0; i < object->n_counters; i++)
		if (!is_global(object, object->counters[i]->off, 8))
			return false;
	for (uint32_t i = 0; i < object->n_globals; i++)
		if (!is_cell(&object->globals[i]->shape) ||
		    !is_global(object, object->globals[i]->off, shape_size(&object->globals[i]->shape)))
			return false;
	return is_global_or_none(object, object->exit_flag_off) && is_global_or_none(object, object->wall_offset_off) &&
	       is_global_or_none(object, object->zeros_off);
}

/* No table, or one of the script's own, of that kind. */
static bool
is_kind(const struct object *object, uint32_t table, enum table_kind kind)
{
	return table == UINT32_MAX || (table < object->n_tables && object->tables[table]->kind == kind);
}

static bool
check_object(const struct object *object)
{
	bool ok = check_globals(object) && is_kind(object, object->table_records, TABLE_RINGBUF) &&
		  is_kind(object, object->table_event_info, TABLE_ARRAY);

	for (unsigned of = 0; of < N_STACKS; of++)
		ok = ok && is_kind(object, object->stacks[of].first, TABLE_STACK_TRACE) && is_kind(object, object->stacks[of].more, TABLE_STACK_TRACE);
	for (unsigned text = 0; text < N_EVENT_TEXTS; text++)
		ok = ok && is_kind(object, object->table_event_text[text], TABLE_ARRAY);
	for (uint32_t i = 0; ok && i < object->n_tables; i++)
		ok = check_table(object->tables[i]);
	ok = ok && check_programs(object);
	for (uint32_t i = 0; ok && i < object->n_handlers; i++)
		ok = check_handler(object, object->handlers[i]);
	for (uint32_t i = 0; ok && i < object->n_sites; i++)
		ok = check_site(object->sites[i]);
	return ok;
}

/* The sizes in the file proper are what its reader checked: those of the body must be the same. */
static bool
is_same_table(const struct table *a, const struct table *b)
{
	return a->kind == b->kind && a->key_size == b->key_size && a->value_size == b->value_size && a->max_entries == b->max_entries;
}

static bool
read_body(struct object *object, const uint8_t *body, uint32_t size)
{
	struct pack p = { .at = body, .end = body + size, .arena = object->arena };
	struct table *elf = arena_alloc(object->arena, (object->n_tables + 1) * sizeof(*elf));

	for (uint32_t i = 0; i < object->n_tables; i++)
		elf[i] = *object->tables[i];
	pack_object(&p, object);
	for (uint32_t i = 0; i < object->n_tables && !p.bad; i++)
		p.bad = !is_same_table(&elf[i], object->tables[i]);
	return !p.bad && p.at == p.end && check_object(object);
}

int
object_unpack(struct object *object, uint32_t crc, const void *bytes, size_t len, struct text *why)
{
	const uint8_t *at = bytes;
	uint32_t header[3];

	if (len < HEADER_SIZE || memcmp(at, MAGIC, 4) != 0) {
		text_puts(why, "its section .ktap is damaged: it does not begin like one");
		return -EINVAL;
	}
	memcpy(header, at + 4, sizeof(header));
	if (header[0] != OBJECT_VERSION) {
		text_printf(why, "it is in version %u of the format of compiled scripts, this ktap (" KTAP_VERSION ") reads version %u: %s",
			    header[0], OBJECT_VERSION,
			    header[0] > OBJECT_VERSION ? "run it with the ktap that made it, or a newer one" : "compile the script again");
		return -EPROTO;
	}
	if (header[1] != len - HEADER_SIZE) {
		text_printf(why, "its section .ktap is damaged: it says that it has %u bytes and has %zu", header[1], len - HEADER_SIZE);
		return -EINVAL;
	}
	if (!read_body(object, at + HEADER_SIZE, header[1])) {
		text_puts(why, "its section .ktap is damaged: what it holds does not fit together");
		return -EINVAL;
	}
	if (header[2] != checksum(object, crc, at + HEADER_SIZE, header[1])) {
		text_puts(why, "it is damaged: the checksum of its programs and of section .ktap is another one");
		return -EINVAL;
	}
	return 0;
}
