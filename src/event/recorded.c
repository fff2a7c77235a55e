/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The events of a recording, or of a program that hosts scripts. Whoever reads it adds them: by the text of their `format` files, which trace.dat and perf.data hold, or
 * field by field. The layout of a recorded record always comes from the recording.
 *
 *     name: sched_wakeup
 *     ID: 73
 *     format:
 *             field:unsigned short common_type;  offset:0;  size:2;  signed:0;
 *             ...
 *             field:char comm[16];  offset:8;  size:16;  signed:0;
 *     print fmt: "comm=%s ...", REC->comm
 *
 * Those of a host are written down so, too, a line "system: NAME" before one or more of them, for `ktap compile --events`.
 *
 * Formats are read here and not by libtraceevent, which trusts them; it is asked only for the text of a record (argstr.c).
 * Promises that every field lies within RECORD_MAX bytes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ebpf/ebpf.h"
#include "event/event_int.h"

#define RECORD_MAX  65536 /* bytes of a record: offsets of __data_loc have 16 bits */
#define FIELDS_MAX  256
#define COMMON_SIZE 8     /* common_type, flags, preempt_count, pid */

/* What is left of a format's text. */
struct reading {
	const char *at, *end;
};

/* The next line, without its newline; false at the end. */
static bool
next_line(struct reading *text, struct reading *line)
{
	const char *newline;

	if (text->at >= text->end)
		return false;
	newline = memchr(text->at, '\n', (size_t)(text->end - text->at));
	line->at = text->at;
	line->end = newline ? newline : text->end;
	text->at = line->end + 1;
	while (line->at < line->end && (*line->at == ' ' || *line->at == '\t'))
		line->at++;
	return true;
}

/* Steps over `word` at the start of the rest of the line. */
static bool
take_word(struct reading *line, const char *word)
{
	size_t len = strlen(word);

	while (line->at < line->end && (*line->at == ' ' || *line->at == '\t'))
		line->at++;
	if ((size_t)(line->end - line->at) < len || memcmp(line->at, word, len) != 0)
		return false;
	line->at += len;
	return true;
}

static bool
take_number(struct reading *line, uint32_t max, uint32_t *value)
{
	const char *start;
	uint64_t number = 0;

	while (line->at < line->end && *line->at == ' ')
		line->at++;
	for (start = line->at; line->at < line->end && *line->at >= '0' && *line->at <= '9'; line->at++) {
		number = 10 * number + (uint64_t)(*line->at - '0');
		if (number > max)
			return false;
	}
	*value = (uint32_t)number;
	return line->at > start;
}

/* "char comm[16]" is a field comm of type "char[16]"; "__data_loc char[] name" one of "__data_loc char[]". */
static bool
split_declaration(struct arena *arena, const char *s, size_t len, struct field *field)
{
	const char *name, *bracket, *end = s + len;

	while (end > s && end[-1] == ' ')
		end--;
	for (name = end; name > s && name[-1] != ' ' && name[-1] != '*'; name--)
		;
	bracket = memchr(name, '[', (size_t)(end - name));
	if (!bracket)
		bracket = end;
	len = (size_t)(name - s);
	while (len && s[len - 1] == ' ')
		len--;
	if (bracket == name || !len)
		return false;
	field->name = arena_strndup(arena, name, (size_t)(bracket - name));
	field->type = arena_printf(arena, "%.*s%.*s", (int)len, s, (int)(end - bracket), bracket);
	return true;
}

static bool
starts_with(const char *s, const char *start)
{
	return strncmp(s, start, strlen(start)) == 0;
}

static enum field_kind
kind_of(const struct field *field)
{
	const char *type = starts_with(field->type, "const ") ? field->type + 6 : field->type;

	if (strcmp(type, "__data_loc char[]") == 0)
		return field->size == 4 ? FIELD_DATA_LOC : FIELD_OTHER;
	if (event_type_is_ipv4(type))
		return FIELD_INT;
	if (strchr(type, '['))
		return starts_with(type, "char[") ? FIELD_CHARS : FIELD_OTHER;
	if (field->size == 1 || field->size == 2 || field->size == 4 || field->size == 8)
		return FIELD_INT;
	return FIELD_OTHER;
}

/* "field:TYPE NAME;  offset:N;  size:N;  signed:N;" */
static bool
parse_field(struct arena *arena, struct reading *line, struct field *field)
{
	const char *semicolon, *start;
	uint32_t is_signed = 0;

	if (!take_word(line, "field:"))
		return false;
	start = line->at;
	semicolon = memchr(start, ';', (size_t)(line->end - start));
	if (!semicolon || !split_declaration(arena, start, (size_t)(semicolon - start), field))
		return false;
	line->at = semicolon + 1;
	if (!take_word(line, "offset:") || !take_number(line, RECORD_MAX, &field->offset) || !take_word(line, ";") ||
	    !take_word(line, "size:") || !take_number(line, RECORD_MAX, &field->size) || !take_word(line, ";") ||
	    field->offset + field->size > RECORD_MAX)
		return false;
	if (take_word(line, "signed:"))
		take_number(line, 1, &is_signed);
	field->is_signed = is_signed;
	field->value_size = field->size;
	field->kind = kind_of(field);
	return true;
}

struct format {
	const char *name;
	uint32_t id;
	struct field fields[FIELDS_MAX];
	uint32_t n_fields;
};

/* Fields beyond FIELDS_MAX are not known. False: this is no format. */
static bool
parse_format(struct arena *arena, const char *s, size_t len, struct format *format)
{
	struct reading text = { s, s + len }, line;
	struct field field;
	bool has_id = false;

	while (next_line(&text, &line)) {
		if (take_word(&line, "name: ")) {
			format->name = arena_strndup(arena, line.at, (size_t)(line.end - line.at));
		} else if (take_word(&line, "ID: ")) {
			has_id = take_number(&line, UINT16_MAX, &format->id);
		} else if (take_word(&line, "print fmt:")) {
			break;
		} else {
			field = (struct field){ 0 };
			if (parse_field(arena, &line, &field) && !starts_with(field.name, "common_") &&
			    field.offset >= COMMON_SIZE && format->n_fields < FIELDS_MAX)
				format->fields[format->n_fields++] = field;
		}
	}
	return format->name && *format->name && has_id;
}

/* ---- system calls: our fields, and the texts that Linux 6.19 records with them --------------------------- */

static const struct field *
find_field(const struct format *format, const char *name)
{
	for (uint32_t i = 0; i < format->n_fields; i++)
		if (strcmp(format->fields[i].name, name) == 0)
			return &format->fields[i];
	return NULL;
}

/* Are all fields of our table where the recording has them? */
static bool
has_our_layout(const struct event *event, const struct format *format)
{
	for (uint32_t i = 0; i < event->n_fields; i++) {
		const struct field *ours = &event->fields[i], *theirs = find_field(format, ours->name);

		if (!theirs && ours->offset == SYSCALL_NR_OFFSET)
			theirs = find_field(format, "nr"); /* before Linux 4.11 */
		if (!theirs || theirs->offset != ours->offset)
			return false;
	}
	return true;
}

/* "__filename_val" is where the text of `filename` stands. */
static void
find_texts(struct event *event, const struct format *format)
{
	char name[128];

	for (uint32_t i = 0; i < event->n_fields; i++) {
		const struct field *text;

		if (event->fields[i].kind != FIELD_USER_STR)
			continue;
		snprintf(name, sizeof(name), "__%s_val", event->fields[i].name);
		text = find_field(format, name);
		if (text && text->kind == FIELD_DATA_LOC)
			event->fields[i].text_offset = text->offset;
	}
}

/* True if `event` is a system call that we know, laid out as we know it. */
static bool
load_syscall(struct events *events, struct event *event, const struct format *format)
{
	bool is_enter = starts_with(event->name, "sys_enter_");
	const struct syscall *syscall;

	if (strcmp(event->system, "syscalls") != 0 || (!is_enter && !starts_with(event->name, "sys_exit_")))
		return false;
	syscall = syscall_by_name(event->name + strlen(is_enter ? "sys_enter_" : "sys_exit_"));
	if (!syscall)
		return false;
	event->kind = is_enter ? EVENT_SYSCALL_ENTER : EVENT_SYSCALL_EXIT;
	event->number = syscall->number;
	event_builtin_fields(events, event);
	if (has_our_layout(event, format)) {
		find_texts(event, format);
		return true;
	}
	*event = (struct event){ .kind = EVENT_TRACEPOINT, .system = event->system, .name = event->name, .number = -1,
				 .index = UINT32_MAX };
	return false;
}

/* ---- adding ------------------------------------------------------------------------------------------- */

/* A field that no instruction reaches is known by name only. */
static void
load_fields(struct arena *arena, struct event *event, const struct field *fields, uint32_t n)
{
	event->record_size = COMMON_SIZE;
	event->n_fields = n;
	event->fields = arena_alloc(arena, (n + 1) * sizeof(*fields));
	for (uint32_t i = 0; i < n; i++) {
		uint32_t end = fields[i].offset + fields[i].size;

		event->fields[i] = fields[i];
		if (fields[i].offset > PLACE_MAX)
			event->fields[i].kind = FIELD_OTHER;
		if (end > event->record_size)
			event->record_size = end;
	}
}

/* New entry of the set, or NULL: an event of this name is there, and one that occurs. */
static struct event *
add(struct events *events, const char *system, const char *name)
{
	struct event *event = events_find(events, system, name);

	if (event && event->kind == EVENT_TRACEPOINT && event->id < 0)
		return event;
	if (event)
		return NULL;
	return events_add(events, arena_strdup(events->arena, system), arena_strdup(events->arena, name));
}

struct event *
events_add_format(struct events *events, const char *system, const char *text, size_t len)
{
	struct format *format = arena_alloc(events->arena, sizeof(*format));
	struct event *event;

	if (!parse_format(events->arena, text, len, format))
		return NULL;
	event = add(events, system, format->name);
	if (!event)
		return events_find(events, system, format->name);
	if (!load_syscall(events, event, format))
		load_fields(events->arena, event, format->fields, format->n_fields);
	event->id = (int32_t)format->id;
	event->format = arena_strndup(events->arena, text, len);
	event->fields_loaded = true;
	return event;
}

struct event *
events_add_fields(struct events *events, const char *system, const char *name, const struct field *fields, uint32_t n)
{
	struct event *event = add(events, system, name);

	if (!event)
		return NULL;
	load_fields(events->arena, event, fields, n);
	event->fields_loaded = true;
	return event;
}

/* ---- the events of a host, written down ----------------------------------------------------------------------------- */

/* A pointer to text is a number in a recording, but in a host what it points to can be read. */
static void
find_pointers(struct event *event)
{
	for (uint32_t i = 0; i < event->n_fields; i++) {
		struct field *field = &event->fields[i];

		if (field->kind == FIELD_INT && field->size == 8 && !strcmp(field->type, HOST_POINTER_TYPE))
			field->kind = FIELD_USER_STR;
	}
}

/* The next "system: NAME" line, and what stands behind it up to another. False: there is none. */
static bool
next_section(struct reading *text, struct reading *system, struct reading *section)
{
	struct reading line, rest = *text;

	if (!next_line(text, system) || !take_word(system, "system: "))
		return false;
	*section = (struct reading){ text->at, text->at };
	for (rest = *text; next_line(&rest, &line); section->end = text->at = rest.at) {
		struct reading word = line;

		if (take_word(&word, "system: "))
			break;
	}
	if (section->end > text->end)
		section->end = text->end;
	return true;
}

static uint32_t
line_number(const char *text, const char *at)
{
	uint32_t n = 1;

	for (; text < at; text++)
		n += *text == '\n';
	return n;
}

int
events_add_formats(struct events *events, const char *s, size_t len, struct text *why)
{
	struct reading text = { s, s + len }, system, section;
	int n = 0;

	for (; text.at < text.end; n++) {
		const char *start = text.at;
		struct event *event = NULL;

		if (next_section(&text, &system, &section))
			event = events_add_format(events, arena_strndup(events->arena, system.at, (size_t)(system.end - system.at)), section.at,
						  (size_t)(section.end - section.at));
		if (!event) {
			text_printf(why, "line %u: no event's format begins here", line_number(s, start));
			return -EINVAL;
		}
		find_pointers(event);
	}
	return n;
}

static void
write_format(struct event *event, void *arg)
{
	struct text *out = arg;

	text_printf(out, "system: %s\n", event->system);
	event_format_file(event, out);
}

void
events_write_formats(struct events *events, struct text *out)
{
	events_match(events, "*:*", write_format, out);
}
