/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Events meet programs. A handler's code depends on its events in two ways, which are kept apart:
 *
 *     signature   kinds, sizes and signs of the fields that are read: other code is needed for another one
 *     places      where the fields lie in the record: numbers in instructions (struct patch), put in here
 *
 * So a program serves every event of its signature, on every kernel: where the places differ from those that it has, a copy is made with the
 * right ones. That happens when a script is compiled (events of one machine differ among themselves) and when an object runs that was
 * compiled elsewhere (one event differs between machines); the road is the same.
 *
 * Relies on loaded fields: the kernel's `format` files, our tables of system calls, definitions of probes, or what a recording carries.
 */
#include <errno.h>
#include <string.h>

#include "ebpf/ebpf.h"
#include "event/event_int.h"

bool
event_is_read(const struct event_use *use)
{
	return use && (use->args || use->n_names || use->argstr || use->retval);
}

const struct field *
event_arg(const struct event *event, const struct event_use *use, uint32_t n)
{
	if (n < EVENT_ARGS && use->arg_names[n])
		return event_field(event, use->arg_names[n]);
	return n < event->n_fields ? &event->fields[n] : NULL;
}

/* ---- signatures ---- */

static void
sign_field(struct text *text, const struct field *field)
{
	if (field)
		text_printf(text, "%d.%u.%u.%d;", field->kind, field->size, field->value_size, field->is_signed);
	else
		text_puts(text, "-;");
}

const char *
event_points_to(const struct event *event, const struct field *field)
{
	const char *type = field->type;

	if (event->kind != EVENT_FENTRY && event->kind != EVENT_FEXIT && event->kind != EVENT_RAWTP)
		return NULL;
	if (strncmp(type, "const ", 6) == 0)
		type += 6;
	return (strncmp(type, "struct ", 7) == 0 || strncmp(type, "union ", 6) == 0) && strchr(type, '*') == strrchr(type, '*') && strchr(type, '*') ?
		       type : NULL;
}

/* Fields by name, of which members may be read. */
static void
sign_name(struct text *text, const struct event *event, const char *name)
{
	const struct field *field = event_field(event, name);
	const char *type = field ? event_points_to(event, field) : NULL;

	sign_field(text, field);
	if (type)
		text_printf(text, "%s;", type);
}

static void
sign_argstr(struct text *text, const struct event *event)
{
	text_printf(text, "a%d;", event->kind);
	if (event->kind != EVENT_TRACEPOINT)
		text_printf(text, "%u;", event->record_size);
	for (uint32_t i = 0; i < event->n_fields; i++) {
		if (event->fields[i].kind == FIELD_DATA_LOC)
			text_puts(text, "d;");
		else if (event_is_probe(event)) /* whose strings are fetched one by one */
			text_printf(text, "p%d;", event->fields[i].kind);
	}
}

char *
event_signature(struct arena *arena, const struct event *event, const struct event_use *use)
{
	struct text text = { 0 };
	char *signature;

	for (uint32_t n = 0; use && n < EVENT_ARGS; n++) {
		if (use->args & (1u << n))
			sign_field(&text, event_arg(event, use, n));
	}
	for (uint32_t i = 0; use && i < use->n_names; i++)
		sign_name(&text, event, use->names[i].name);
	if (use && use->retval)
		text_printf(&text, "r%d;", event->kind);
	if (use && use->argstr)
		sign_argstr(&text, event);
	signature = arena_strndup(arena, text.s ? text.s : "", text.len);
	text_fini(&text);
	return signature;
}

/* Reports fields that the handler names and the event lacks. */
static bool
check_names(const struct event *event, const struct event_use *use, struct diags *diags)
{
	bool ok = true;

	for (uint32_t i = 0; i < use->n_names; i++) {
		const struct used_name *used = &use->names[i];
		const char *nearest = NULL;
		unsigned best = 3;
		struct text list = { 0 };
		struct diag *diag;

		if (event_field(event, used->name))
			continue;
		ok = false;
		for (uint32_t f = 0; f < event->n_fields; f++) {
			unsigned distance = text_distance(used->name, event->fields[f].name, 2);

			text_printf(&list, "%s%s", f ? ", " : "", event->fields[f].name);
			if (distance < best) {
				best = distance;
				nearest = event->fields[f].name;
			}
		}
		diag = diag_error(diags, used->span, "unknown-field", "event %s:%s has no field '%s'", event->system, event->name,
				  used->name);
		if (nearest)
			diag_help(diags, diag, "did you mean '%s'?", nearest);
		if (list.len)
			diag_help(diags, diag, "its fields are: %s", list.s);
		text_fini(&list);
	}
	return ok;
}

bool
event_prepare(struct events *events, struct event *event, const struct event_use *use, struct diags *diags)
{
	int err = event_is_read(use) ? event_load_fields(events, event) : 0;

	if (!err)
		return !use || check_names(event, use, diags);
	diag_error(diags, use->span, "unreadable-format", "the fields of event %s:%s can't be read: %s", event->system, event->name,
		   strerror(-err));
	return false;
}

/* ---- places ---- */

const struct field *
event_text_field(const struct event *event, uint32_t n)
{
	for (uint32_t i = 0; i < event->n_fields; i++) {
		if (event->fields[i].kind == FIELD_DATA_LOC && n-- == 0)
			return &event->fields[i];
	}
	return NULL;
}

/* Where the field lies in the event's record. False: it has none. */
static bool
place_of(const struct program_field *field, const struct event *event, uint32_t *offset)
{
	const struct field *found = NULL;

	switch (field->by) {
	case FIELD_BY_NAME:
		found = event_field(event, field->name);
		break;
	case FIELD_BY_NUMBER:
		found = field->number < event->n_fields ? &event->fields[field->number] : NULL;
		break;
	case FIELD_BY_TEXT:
		found = event_text_field(event, field->number);
		break;
	case FIELD_BY_RETURN:
		found = event_retval(event);
		break;
	case FIELD_BY_END:
		*offset = event->record_size < RECORD_DYNAMIC_MAX ? event->record_size : RECORD_DYNAMIC_MAX;
		return true;
	case N_FIELD_BYS:
		break;
	}
	if (found)
		*offset = found->offset;
	return found != NULL;
}

/* The places of all of a program's fields in an event, into `offsets`. */
static bool
places_of(const struct program *program, const struct event *event, uint32_t *offsets)
{
	for (uint32_t i = 0; i < program->n_fields; i++)
		if (!place_of(&program->fields[i], event, &offsets[i]) || offsets[i] > PLACE_MAX)
			return false;
	return true;
}

static bool
has_places(const struct program *program, const uint32_t *offsets)
{
	for (uint32_t i = 0; i < program->n_fields; i++)
		if (program->fields[i].offset != offsets[i])
			return false;
	return true;
}

static void
apply_patch(struct bpf_insn *insn, uint32_t was, uint32_t is)
{
	if (BPF_CLASS(insn->code) == BPF_LDX)
		insn->off = (int16_t)(insn->off + (int32_t)(is - was));
	else
		insn->imm += (int32_t)(is - was);
}

/* A copy of a program in the making: what its functions are to be called, and which of them have a copy already. */
struct copy {
	struct object *object;
	const struct program *program;
	const struct event *event;
	const struct entry_place *places; /* of the program's fields; path NULL: it need not be told */
	uint32_t *copies;                 /* by function; UINT32_MAX: none yet */
};

/* What says of a copy's fields where they are on other kernels, among what it says of the kernel's types; in the order of instructions. */
static void
add_cores(struct copy *copy, struct func *func)
{
	const struct core_reloc *old = func->cores;
	uint32_t n_old = func->n_cores, i = 0;

	if (!func->n_patches || !copy->places[func->patches[0].field].path)
		return;
	func->cores = arena_alloc(copy->object->arena, (n_old + func->n_patches) * sizeof(*func->cores));
	func->n_cores = 0;
	for (uint32_t p = 0; p < func->n_patches; p++) {
		const struct patch *patch = &func->patches[p];

		for (; i < n_old && old[i].pc < patch->pc; i++)
			func->cores[func->n_cores++] = old[i];
		func->cores[func->n_cores++] = (struct core_reloc){ .pc = patch->pc, .kind = BPF_CORE_FIELD_BYTE_OFFSET,
								    .path = copy->places[patch->field].path };
	}
	for (; i < n_old; i++)
		func->cores[func->n_cores++] = old[i];
}

/* The function, and with it the functions that it calls or hands to helpers: the bodies of loops read fields, too. */
static uint32_t
copy_func(struct copy *copy, uint32_t index)
{
	struct object *object = copy->object;
	const struct func *from = object->funcs[index];
	struct func *func = arena_alloc(object->arena, sizeof(*func));

	*func = *from;
	func->name = arena_printf(object->arena, "%.60s_p%u_%.32s", from->name, object->n_programs, copy->event->name);
	func->insns = arena_alloc(object->arena, from->n_insns * sizeof(*func->insns));
	memcpy(func->insns, from->insns, from->n_insns * sizeof(*func->insns));
	for (uint32_t i = 0; i < func->n_patches; i++) {
		const struct patch *patch = &func->patches[i];

		apply_patch(&func->insns[patch->pc], copy->program->fields[patch->field].offset, copy->places[patch->field].offset);
	}
	add_cores(copy, func);
	copy->copies[index] = object_add_func(object, func);
	func->relocs = arena_alloc(object->arena, (from->n_relocs + 1) * sizeof(*func->relocs));
	for (uint32_t i = 0; i < from->n_relocs; i++) {
		struct reloc *reloc = &func->relocs[i];

		*reloc = from->relocs[i];
		if (reloc->kind != RELOC_FUNC && reloc->kind != RELOC_FUNC_ADDR)
			continue;
		if (copy->copies[reloc->index] == UINT32_MAX)
			copy_func(copy, reloc->index);
		reloc->index = copy->copies[reloc->index];
	}
	return copy->copies[index];
}

uint32_t
bind_copy(struct object *object, const struct program *program, const struct event *event, const struct entry_place *places)
{
	struct copy copy = { object, program, event, places, arena_alloc(object->arena, object->n_funcs * sizeof(*copy.copies)) };

	memset(copy.copies, 0xff, object->n_funcs * sizeof(*copy.copies));
	return copy_func(&copy, program->func);
}

static uint32_t
copy_program(struct object *object, const struct program *from, const struct event *event, const uint32_t *offsets)
{
	struct program *program = arena_alloc(object->arena, sizeof(*program));
	struct entry_place *places = arena_alloc(object->arena, (from->n_fields + 1) * sizeof(*places));
	uint32_t size = from->fixed_size;

	for (uint32_t i = 0; i < from->n_fields; i++)
		places[i].offset = offsets[i];
	*program = *from;
	program->func = bind_copy(object, from, event, places);
	program->fields = arena_alloc(object->arena, from->n_fields * sizeof(*program->fields));
	for (uint32_t i = 0; i < from->n_fields; i++) {
		program->fields[i] = from->fields[i];
		program->fields[i].offset = offsets[i];
		if (offsets[i] + from->fields[i].size > size && from->fields[i].size)
			size = offsets[i] + from->fields[i].size;
	}
	program->record_size = (uint32_t)round_up(size, 8);
	program->record_words = UINT64_MAX; /* any of them */
	return object_add_program(object, program);
}

uint32_t
bind_event(struct object *object, uint32_t handler, const struct event *event)
{
	const struct event_use *use = object->handlers[handler]->use;
	const char *signature = event_signature(object->arena, event, use);
	const struct program *alike = NULL;
	uint32_t offsets[PROGRAM_FIELDS_MAX];

	for (uint32_t i = 0; i < object->n_programs; i++) {
		const struct program *program = object->programs[i];

		if (program->handler != handler || !program->signature || strcmp(program->signature, signature) ||
		    !places_of(program, event, offsets))
			continue;
		if (has_places(program, offsets))
			return i;
		alike = program;
	}
	if (!alike || !places_of(alike, event, offsets))
		return UINT32_MAX;
	return copy_program(object, alike, event, offsets);
}

/* ---- an object from elsewhere ---- */

void
bind_text(const struct object *object, unsigned text, const struct event *event, char *bytes)
{
	const char *s = text == EVENT_TEXT_NAME ? event->name : event_function(event);
	size_t size = object->tables[object->table_event_text[text]]->value_size, len = s ? strlen(s) : 0;

	memset(bytes, 0, size);
	if (len)
		memcpy(bytes, s, len < size ? len : size - 1);
}

static void
bind_texts(struct object *object, unsigned text, uint32_t n)
{
	struct table *table = object->tables[object->table_event_text[text]];
	char *bytes = arena_alloc(object->arena, (size_t)n * table->value_size);

	for (uint32_t i = 0; i < object->n_events; i++)
		bind_text(object, text, object->events[i], bytes + (size_t)i * table->value_size);
	table->max_entries = n;
	table->init = bytes;
}

void
bind_tables(struct object *object)
{
	uint32_t n = object->n_events + OBJECT_EVENTS_SPARE;
	struct event_info *infos;

	for (uint32_t i = 0; i < object->n_tables; i++) {
		struct table *table = object->tables[i];

		if (table->kind == TABLE_PERCPU_ARRAY && table->n_key_parts == 1 && table->key[0].kind == VALUE_EVENT)
			table->max_entries = n;
	}
	for (unsigned text = 0; text < N_EVENT_TEXTS; text++)
		if (object->table_event_text[text] != UINT32_MAX)
			bind_texts(object, text, n);
	if (object->table_event_info == UINT32_MAX)
		return;
	infos = arena_alloc(object->arena, n * sizeof(*infos));
	for (uint32_t i = 0; i < object->n_events; i++) {
		infos[i].string_args = event_string_args(object->events[i]);
		infos[i].record_size = object->events[i]->record_size;
	}
	object->tables[object->table_event_info]->max_entries = n;
	object->tables[object->table_event_info]->init = infos;
}

#define ANY_SYSTEM "" /* of an event whose name a script compares, and which no handler had when it was compiled */

/* Is `a` what stands for `b`, by its name? */
static bool
is_same(const struct event *a, const struct event *b)
{
	if (strcmp(a->name, b->name) != 0)
		return false;
	return !strcmp(a->system, ANY_SYSTEM) || (a->kind == b->kind && !strcmp(a->system, b->system));
}

uint32_t
bind_name(struct object *object, const char *name)
{
	struct event *event;

	for (uint32_t i = 0; i < object->n_events; i++)
		if (strcmp(object->events[i]->name, name) == 0)
			return i;
	event = arena_alloc(object->arena, sizeof(*event));
	*event = (struct event){ .kind = EVENT_TRACEPOINT, .system = ANY_SYSTEM, .name = name, .number = -1, .id = -1, .index = UINT32_MAX };
	return object_add_event(object, event);
}

void
bind_number(struct object *object, struct event *event)
{
	if (event->index < object->n_events && object->events[event->index] == event)
		return;
	for (uint32_t i = 0; i < object->n_events; i++) {
		/* A number is given once: of events with one name (probes) the first one gets the first. */
		if (is_same(object->events[i], event) && object->events[i]->index == UINT32_MAX) {
			object->events[i] = event;
			event->index = i;
			return;
		}
	}
	event->index = object_add_event(object, event);
}

static void
report_layout(const struct event *event, const struct match *match, struct diags *diags)
{
	struct diag *diag = diag_error(diags, match->pattern->span, "unknown-layout",
				       "the object has no code for event %s:%s as it is here: a field that the handler reads has another type "
				       "than where the script was compiled", event->system, event->name);

	for (uint32_t i = 0; i < event->n_fields; i++)
		diag_help(diags, diag, "here: %s %s, %u bytes", event->fields[i].type, event->fields[i].name, event->fields[i].size);
	diag_help(diags, diag, "compile the script on this kernel or one like it");
}

struct binder {
	struct object *object;
	struct events *events;
	struct diags *diags;
	uint32_t *n_skipped;
	struct text *skipped;
};

/* Events that only a glob stands for are left out where they cannot be served. */
static void
bind_match(struct binder *b, uint32_t index, const struct match *match)
{
	struct handler *handler = b->object->handlers[index];
	bool is_named = match->pattern && !name_is_glob(match->pattern->text);
	unsigned n_errors = b->diags->n_errors;
	uint32_t program = UINT32_MAX;

	if (event_prepare(b->events, match->event, handler->use, b->diags))
		program = bind_event(b->object, index, match->event);
	if (program != UINT32_MAX) {
		bind_number(b->object, match->event);
		handler->bindings[handler->n_bindings++] = (struct binding){ match->event->index, program };
	} else if (b->diags->n_errors == n_errors && is_named) {
		report_layout(match->event, match, b->diags);
	} else if (b->diags->n_errors == n_errors && (*b->n_skipped)++ == 0) {
		text_printf(b->skipped, "%s:%s: a field that is read has another type here", match->event->system, match->event->name);
	}
}

static void
bind_handler(struct binder *b, uint32_t index)
{
	struct handler *handler = b->object->handlers[index];
	struct matches matches = events_of_patterns(b->events, b->object->arena, handler->patterns, handler->n_patterns, b->diags);
	struct match timer = { 0 };

	if (handler->kind == HANDLER_PROFILE) {
		timer.event = events_profile(b->events, handler->period_ns);
		matches = (struct matches){ .list = &timer, .n = 1 };
	}
	handler->n_bindings = 0;
	handler->bindings = arena_alloc(b->object->arena, matches.n * sizeof(*handler->bindings));
	for (uint32_t i = 0; i < matches.n; i++)
		bind_match(b, index, &matches.list[i]);
}

static void
bind_names(struct object *object)
{
	object->event_names = arena_alloc(object->arena, object->n_events * sizeof(*object->event_names));
	object->n_event_names = object->n_events;
	for (uint32_t i = 0; i < object->n_events; i++) {
		const struct event *event = object->events[i];

		object->event_names[i] = (struct known_event){ event->kind, event->system, event->name };
	}
}

void
bind_for_file(struct object *object)
{
	bind_names(object);
	bind_needs(object);
	bind_entries(object);
}

/* An event for each name, so that numbers in programs and tables mean what they meant; until its like is found here, it never happens. */
static void
add_names(struct object *object)
{
	for (uint32_t i = 0; i < object->n_event_names; i++) {
		const struct known_event *name = &object->event_names[i];
		struct event *event = arena_alloc(object->arena, sizeof(*event));

		event->kind = name->kind < N_EVENT_KINDS ? (enum event_kind)name->kind : EVENT_TRACEPOINT;
		event->system = name->system;
		event->name = name->name;
		event->number = event->id = -1;
		event->index = UINT32_MAX;
		object_add_event(object, event);
	}
}

void
bind_object(struct object *object, struct events *events, struct diags *diags, uint32_t *n_skipped, struct text *skipped)
{
	struct binder b = { object, events, diags, n_skipped, skipped };

	*n_skipped = 0;
	bind_types(object, events, diags);
	add_names(object);
	for (uint32_t i = 0; i < object->n_handlers; i++)
		bind_handler(&b, i);
	bind_tables(object);
}
