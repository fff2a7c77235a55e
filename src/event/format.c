/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * How the records of events are laid out: a tracepoint's `format` file through libtraceevent; system calls
 * and the events of the user engine from our own tables. The layout of a live kernel's tracepoint always
 * comes from that kernel.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <traceevent/event-parse.h>

#include "ebpf/ebpf.h"
#include "event/event_int.h"

/* ---- system calls ---------------------------------------------------------------------------- */

/*
 * C types of system call arguments that are no pointers and not 8 bytes of unsigned long. `const` is
 * looked past.
 */
static const struct {
	const char *type;
	uint8_t size;
	bool is_signed;
} arg_types[] = {
	{ "int", 4, true },          { "unsigned int", 4, false },
	{ "unsigned", 4, false },    { "u32", 4, false },
	{ "__u32", 4, false },       { "__s32", 4, true },
	{ "pid_t", 4, true },        { "uid_t", 4, false },
	{ "gid_t", 4, false },       { "qid_t", 4, false },
	{ "umode_t", 2, false },     { "mode_t", 4, false },
	{ "clockid_t", 4, true },    { "timer_t", 4, true },
	{ "mqd_t", 4, true },        { "key_t", 4, true },
	{ "key_serial_t", 4, true }, { "rwf_t", 4, true },
	{ "type", 4, false },        { "enum landlock_rule_type", 4, false },
	{ "long", 8, true },         { "loff_t", 8, true },
	{ "off_t", 8, true },
};

static void
arg_field(struct field *field, const struct syscall *syscall, uint32_t i)
{
	const struct syscall_arg *arg = &syscall->args[i];
	const char *type = strncmp(arg->type, "const ", 6) == 0 ? arg->type + 6 : arg->type;
	size_t row;

	*field = (struct field){
		.name = arg->name, .type = arg->type, .kind = FIELD_INT, .size = 8, .value_size = 8
	};
	field->offset = SYSCALL_ARG_OFFSET + 8 * i;
	field->show = argstr_show(syscall, i);
	if (syscall_arg_is_string(syscall, i))
		field->kind = FIELD_USER_STR;
	for (row = 0; row < ARRAY_SIZE(arg_types); row++) {
		if (strcmp(type, arg_types[row].type) != 0)
			continue;
		field->value_size = arg_types[row].size;
		field->is_signed = arg_types[row].is_signed;
	}
}

static const struct field nr_field = {
	.name = "__syscall_nr",
	.type = "int",
	.kind = FIELD_INT,
	.offset = SYSCALL_NR_OFFSET,
	.size = 4,
	.is_signed = true,
	.value_size = 4,
};

static const struct field ret_field = {
	.name = "ret",
	.type = "long",
	.kind = FIELD_INT,
	.offset = SYSCALL_ARG_OFFSET,
	.size = 8,
	.is_signed = true,
	.value_size = 8,
};

static void
syscall_fields(struct arena *arena, struct event *event, const struct syscall *syscall)
{
	uint32_t i, n_args = event->kind == EVENT_SYSCALL_ENTER ? syscall->n_args : 1;

	event->fields = arena_alloc(arena, (1 + n_args) * sizeof(*event->fields));
	event->fields[0] = nr_field;
	event->n_fields = 1 + n_args;
	if (event->kind == EVENT_SYSCALL_EXIT) {
		event->fields[1] = ret_field;
		event->record_size = RECORD_SYSCALL_EXIT_LEN;
		return;
	}
	for (i = 0; i < n_args; i++)
		arg_field(&event->fields[1 + i], syscall, i);
	event->record_size = RECORD_SYSCALL_LEN; /* with room for all six arguments */
}

const char *
event_function(const struct event *event)
{
	return event->probe ? event->probe->symbol : event->kind == EVENT_KPROBE ? event->name : NULL;
}

uint32_t
event_string_args(const struct event *event)
{
	const struct syscall *syscall =
		event->kind == EVENT_SYSCALL_ENTER ? syscall_by_number(event->number) : NULL;
	uint32_t i, mask = 0;

	for (i = 0; syscall && i < syscall->n_args; i++)
		if (syscall_arg_is_string(syscall, i))
			mask |= 1u << i;
	return mask;
}

/* ---- events of the user engine --------------------------------------------------------------- */

enum user_event {
#define USER_EVENT(id, system, name, size) USER_EVENT_##id,
#define USER_FIELD(id, name, type, kind, offset, size, is_signed)
#include "event/user_events.def"
#undef USER_EVENT
#undef USER_FIELD
};

static const struct {
	const char *system, *name;
	uint32_t record_size;
} user_events[] = {
#define USER_EVENT(id, system, name, size) { system, name, size },
#define USER_FIELD(id, name, type, kind, offset, size, is_signed)
#include "event/user_events.def"
#undef USER_EVENT
#undef USER_FIELD
};

static const struct {
	enum user_event event;
	struct field field;
} user_fields[] = {
#define USER_EVENT(id, system, name, size)
#define USER_FIELD(id, name, type, kind, offset, size, is_signed) \
	{ USER_EVENT_##id, { name, type, kind, offset, size, is_signed, size } },
#include "event/user_events.def"
#undef USER_EVENT
#undef USER_FIELD
};

static bool
user_event_fields(struct arena *arena, struct event *event)
{
	size_t i = 0, row;

	while (i < ARRAY_SIZE(user_events) && (strcmp(user_events[i].name, event->name) != 0 ||
					       strcmp(user_events[i].system, event->system) != 0))
		i++;
	if (i == ARRAY_SIZE(user_events))
		return false;
	event->fields = arena_alloc(arena, ARRAY_SIZE(user_fields) * sizeof(*event->fields));
	for (row = 0; row < ARRAY_SIZE(user_fields); row++)
		if (user_fields[row].event == i)
			event->fields[event->n_fields++] = user_fields[row].field;
	event->record_size = user_events[i].record_size;
	return true;
}

bool
event_builtin_fields(struct events *events, struct event *event)
{
	const struct syscall *syscall;

	if (event->kind == EVENT_TRACEPOINT)
		return events->origin != EVENTS_KERNEL && user_event_fields(events->arena, event);
	syscall = event->kind == EVENT_SYSCALL_ENTER || event->kind == EVENT_SYSCALL_EXIT
			  ? syscall_by_number(event->number)
			  : NULL;
	if (!syscall)
		return false;
	syscall_fields(events->arena, event, syscall);
	return true;
}

/* ---- tracepoints, through libtraceevent ------------------------------------------------------ */

struct tep_handle *
events_tep(struct events *events)
{
	/* Kept for the life of the process: they are not the arena's. */
	static struct tep_handle *live, *recorded;
	static const struct events *recorded_of;
	struct tep_handle **tep = events->origin == EVENTS_RECORDED ? &recorded : &live;

	/* Other events may have been at the address of these. */
	if (tep == &recorded && (recorded_of != events || !events->has_formats)) {
		tep_free(recorded);
		recorded = NULL;
		recorded_of = events;
		events->has_formats = true;
	}
	if (!*tep) {
		*tep = tep_alloc();
		tep_set_loglevel(TEP_LOG_NONE);
	}
	return *tep;
}

/* The text of the format file: of the recording, or the running kernel's. Allocated; NULL with errno. */
static char *
read_format(struct events *events, const struct event *event, size_t *len)
{
	char *path;

	if (events->origin != EVENTS_RECORDED) {
		path = arena_printf(events->arena, "events/%s/%s/format", event->system, event->name);
		return tracefs_read(path, len);
	}
	if (!event->format) {
		errno = ENOENT;
		return NULL;
	}
	*len = strlen(event->format);
	return strdup(event->format);
}

struct tep_event *
events_tep_event(struct events *events, const struct event *event)
{
	struct tep_handle *tep = events_tep(events);
	struct tep_event *parsed;
	char *format;
	size_t len;

	if (!tep) {
		errno = ENOMEM;
		return NULL;
	}
	parsed = tep_find_event_by_name(tep, event->system, event->name);
	if (parsed)
		return parsed;
	format = read_format(events, event, &len);
	if (!format)
		return NULL;
	if (events->origin == EVENTS_RECORDED && !print_format_is_readable(format, len)) {
		free(format);
		errno = EINVAL;
		return NULL;
	}
	/* A print format that libtraceevent can't parse is an error to it, but the fields are there. */
	tep_parse_event(tep, format, len, event->system);
	free(format);
	parsed = tep_find_event_by_name(tep, event->system, event->name);
	if (!parsed)
		errno = EINVAL;
	return parsed;
}

bool
event_type_is_ipv4(const char *type)
{
	return strcmp(type, "__u8[4]") == 0 || strcmp(type, "u8[4]") == 0;
}

static bool
is_char_type(const char *type)
{
	return strncmp(type, "char", 4) == 0 && (type[4] == 0 || type[4] == '[' || type[4] == ' ');
}

static enum field_kind
field_kind(const struct tep_format_field *from)
{
	const char *type = from->type;

	if (strncmp(type, "const ", 6) == 0)
		type += 6;
	if (from->flags & TEP_FIELD_IS_DYNAMIC) {
		if (strncmp(type, "__data_loc ", 11) == 0)
			type += 11;
		return !(from->flags & TEP_FIELD_IS_RELATIVE) && is_char_type(type) && from->size == 4
			       ? FIELD_DATA_LOC
			       : FIELD_OTHER;
	}
	if (event_type_is_ipv4(type))
		return FIELD_INT;
	if (from->flags & TEP_FIELD_IS_ARRAY)
		return is_char_type(type) && !strchr(type, '*') ? FIELD_CHARS : FIELD_OTHER;
	if (from->size == 1 || from->size == 2 || from->size == 4 || from->size == 8)
		return FIELD_INT;
	return FIELD_OTHER;
}

static void
tracepoint_fields(struct arena *arena, struct event *event, const struct tep_event *parsed)
{
	const struct tep_format_field *from;
	struct field *field;
	uint32_t end;

	event->id = parsed->id;
	event->record_size = 8; /* common_* */
	event->fields = arena_alloc(arena, (size_t)(parsed->format.nr_fields + 1) * sizeof(*event->fields));
	for (from = parsed->format.fields; from; from = from->next) {
		field = &event->fields[event->n_fields++];
		field->name = arena_strdup(arena, from->name);
		field->type = arena_strdup(arena, from->type);
		field->kind = field_kind(from);
		field->offset = (uint32_t)from->offset;
		field->size = (uint32_t)from->size;
		field->value_size = field->size;
		field->is_signed = from->flags & TEP_FIELD_IS_SIGNED;
		end = field->offset + field->size;
		if (end > event->record_size)
			event->record_size = end;
	}
}

int
event_load_fields(struct events *events, struct event *event)
{
	struct tep_event *parsed;

	if (event->fields_loaded)
		return 0;
	if (!event_builtin_fields(events, event)) {
		parsed = events_tep_event(events, event);
		if (!parsed)
			return errno ? -errno : -EINVAL;
		tracepoint_fields(events->arena, event, parsed);
	}
	event->fields_loaded = true;
	return 0;
}

const struct field *
event_retval(const struct event *event)
{
	switch (event->kind) {
	case EVENT_SYSCALL_EXIT: return event_field(event, "ret");
	case EVENT_FEXIT:
	case EVENT_KRETPROBE:
	case EVENT_URETPROBE: return event_field(event, "retval");
	case EVENT_SYSCALL_ENTER:
	case EVENT_TRACEPOINT:
	case EVENT_KPROBE:
	case EVENT_UPROBE:
	case EVENT_FENTRY:
	case EVENT_RAWTP:
	case EVENT_COUNTER:
	case EVENT_PROFILE:
	case EVENT_INIT:
	case EVENT_FINI:
	case N_EVENT_KINDS: break;
	}
	return NULL;
}

const struct field *
event_field(const struct event *event, const char *name)
{
	uint32_t i;

	for (i = 0; i < event->n_fields; i++)
		if (strcmp(event->fields[i].name, name) == 0)
			return &event->fields[i];
	return NULL;
}
