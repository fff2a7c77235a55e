/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Recordings as text, in the form of ftrace's `trace` file, which people can read and write:
 *
 *     # comment
 *     event demo:step { s32 level; char name[16]; string path; u64 addr; }
 *     make-412 [001] 17.000250: syscalls:sys_enter_openat: dfd=-100 filename="Makefile" flags=0x80000 mode=0
 *     make-413 (412) [000] 17.000300: demo:step: level=3 name="all" path="/tmp" addr=0xffff800012345678
 *      => 0xffffffff81234567
 *
 * COMM-TID, the process in parentheses where it is another number, CPU, time in seconds, event, fields as NAME=VALUE in any order. A
 * field that is not given is 0. Strings are quoted as in C; a pointer to a string that was recorded with it is ADDRESS:"TEXT", the
 * address of a string alone is made up. Lines that begin with `=>` are the kernel's stack of the event above, innermost first.
 *
 * `event` lines define fields: u8 to u64, s8 to s64, char NAME[SIZE], string. They are not needed for system calls, processes and
 * signals, whose fields ktap knows, nor where the fields of an event's first line tell them: numbers are s64, the rest strings.
 *
 * Everything is read twice: at opening, to know which events there are and where the text is damaged, and when it is replayed. A
 * record is laid out as ftrace would: common fields, fixed part, texts. Of system calls: 64 bytes, a __data_loc for each string
 * argument, texts.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "event/event.h"
#include "source/recording.h"

#define TEXT_MAX       (1u << 30) /* bytes of a recording as text */
#define FIELDS_MAX     64
#define FIXED_MAX      16384 /* bytes of fields: those behind no program reaches */
#define STACK_MAX      128
#define COMMON_SIZE    8
#define MADE_UP        0x10000    /* addresses of strings given without one begin here */
#define TEXT_EVENTS_MAX 4096

struct text_recording {
	struct event *by_id[TEXT_EVENTS_MAX]; /* events met so far; their id is the index */
	uint32_t n_events;
	bool is_first_reading;   /* definitions are made, damage is counted */
	const char *at, *end;
	uint32_t line;
	unsigned char *record;   /* RECORDED_MAX bytes, of the event read last */
	uint32_t tail;           /* where the next text goes in it */
	uint64_t stack[STACK_MAX];
	char comm[16];
	char *scratch;           /* RECORDED_MAX bytes, for a string */
	char wrong[200];         /* message on the line read last */
};

/* What is left of a line. */
struct reading {
	const char *at, *end;
};

/* ---- pieces ------------------------------------------------------------------------------------------- */

static void
skip_blanks(struct reading *line)
{
	while (line->at < line->end && (*line->at == ' ' || *line->at == '\t' || *line->at == '\r'))
		line->at++;
}

static bool
take(struct reading *line, char c)
{
	skip_blanks(line);
	if (line->at == line->end || *line->at != c)
		return false;
	line->at++;
	return true;
}

static bool
is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' || c == '-';
}

/* A name of letters, digits, `_`, `.`, `-`: its length, 0 for none. */
static uint32_t
take_name(struct reading *line, const char **name)
{
	skip_blanks(line);
	*name = line->at;
	while (line->at < line->end && is_name_char(*line->at))
		line->at++;
	return (uint32_t)(line->at - *name);
}

/* Decimal with a sign, or hexadecimal with 0x; wraps at 64 bits like the fields that it goes into. */
static bool
take_number(struct reading *line, uint64_t *value)
{
	char digits[32] = { 0 }, *rest;
	size_t n = 0, len;
	int base;

	skip_blanks(line);
	len = (size_t)(line->end - line->at);
	while (n < len && n < sizeof(digits) - 1 && (is_name_char(line->at[n]) || line->at[n] == '+')) {
		digits[n] = line->at[n];
		n++;
	}
	errno = 0;
	base = digits[*digits == '-'] == '0' && digits[(*digits == '-') + 1] == 'x' ? 16 : 10;
	*value = *digits == '-' ? (uint64_t)strtoll(digits, &rest, base) : strtoull(digits, &rest, base);
	if (errno || rest == digits)
		return false;
	line->at += rest - digits;
	return true;
}

/* The value of an escape behind its backslash; moves *at behind it. */
static char
unescape(const char **at, const char *end)
{
	static const char letters[] = "n\nt\tr\r";
	char c = *(*at)++;
	unsigned value = 0, i;

	if (c >= '0' && c <= '7') {
		--*at;
		for (i = 0; i < 3 && *at < end && **at >= '0' && **at <= '7'; i++)
			value = 8 * value + (unsigned)(*(*at)++ - '0');
		return (char)value;
	}
	for (i = 0; i + 1 < sizeof(letters) - 1; i += 2)
		if (letters[i] == c)
			return letters[i + 1];
	return c;
}

/* A quoted string, or a bare word, into `out` (RECORDED_MAX bytes, NUL-terminated). Returns its length or -1. */
static int
take_string(struct reading *line, char *out)
{
	uint32_t n = 0;

	if (!take(line, '"')) {
		while (line->at < line->end && *line->at != ' ' && n < RECORDED_MAX - 1)
			out[n++] = *line->at++;
		out[n] = 0;
		return (int)n;
	}
	while (line->at < line->end && *line->at != '"' && n < RECORDED_MAX - 1) {
		char c = *line->at++;

		if (c == '\\' && line->at < line->end)
			c = unescape(&line->at, line->end);
		out[n++] = c;
	}
	out[n] = 0;
	return line->at < line->end && *line->at++ == '"' ? (int)n : -1;
}

/* ---- events --------------------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	uint32_t size;
	bool is_signed;
} types[] = {
	{ "u8", 1, false }, { "u16", 2, false }, { "u32", 4, false }, { "u64", 8, false },
	{ "s8", 1, true },  { "s16", 2, true },  { "s32", 4, true },  { "s64", 8, true },
};

/* Lays out the next field behind those before it, each at a multiple of its size. */
static void
place(struct field *fields, uint32_t n)
{
	uint32_t end = n ? fields[n - 1].offset + fields[n - 1].size : COMMON_SIZE;
	uint32_t align = fields[n].kind == FIELD_CHARS ? 1 : fields[n].size;

	fields[n].offset = (end + align - 1) / align * align;
	fields[n].value_size = fields[n].size;
}

static void
string_field(struct field *field)
{
	field->type = "__data_loc char[]";
	field->kind = FIELD_DATA_LOC;
	field->size = 4;
}

static void
number_field(struct field *field, size_t type)
{
	field->type = types[type].name;
	field->kind = FIELD_INT;
	field->size = types[type].size;
	field->is_signed = types[type].is_signed;
}

/* "TYPE NAME" or "char NAME[SIZE]". */
static bool
parse_declaration(struct recording *recording, struct reading *line, struct field *field)
{
	const char *type, *name;
	uint32_t type_len = take_name(line, &type), len = take_name(line, &name);
	uint64_t size;
	size_t i;

	*field = (struct field){ .name = arena_strndup(recording->arena, name, len) };
	if (!len)
		return false;
	for (i = 0; i < ARRAY_SIZE(types); i++)
		if (strlen(types[i].name) == type_len && memcmp(types[i].name, type, type_len) == 0)
			number_field(field, i);
	if (type_len == 6 && memcmp(type, "string", 6) == 0)
		string_field(field);
	if (type_len == 4 && memcmp(type, "char", 4) == 0) {
		if (!take(line, '[') || !take_number(line, &size) || !size || size > 4096 || !take(line, ']'))
			return false;
		field->kind = FIELD_CHARS;
		field->size = (uint32_t)size;
		field->type = arena_printf(recording->arena, "char[%u]", field->size);
	}
	return field->size != 0;
}

struct event_name {
	char system[128], name[128]; /* system "": not given */
};

/* "SYSTEM:NAME" or "NAME". False: too long, or nothing. */
static bool
split_name(const char *s, size_t len, struct event_name *name)
{
	const char *colon = memchr(s, ':', len);
	size_t system_len = colon ? (size_t)(colon - s) : 0, start = colon ? system_len + 1 : 0;

	if (system_len >= sizeof(name->system) || len - start >= sizeof(name->name) || len == start)
		return false;
	memset(name, 0, sizeof(*name));
	memcpy(name->system, s, system_len);
	memcpy(name->name, s + start, len - start);
	return true;
}

static struct event *
find_event(const struct recording *recording, const struct event_name *name)
{
	return *name->system ? events_find(recording->events, name->system, name->name)
			     : events_find_name(recording->events, name->name);
}

/* Strings that arguments of system calls point to stand behind the 64 bytes. */
static void
place_strings(struct event *event)
{
	uint32_t at = RECORD_SYSCALL_LEN;

	for (uint32_t i = 0; i < event->n_fields; i++) {
		if (event->fields[i].kind != FIELD_USER_STR)
			continue;
		event->fields[i].text_offset = at;
		at += 4;
	}
}

/* Gives an event its number, when it is met for the first time. False: too many. */
static bool
number(struct recording *recording, struct event *event)
{
	struct text_recording *text = recording->format;

	if (event->id >= 0)
		return true;
	if (text->n_events == TEXT_EVENTS_MAX || event_load_fields(recording->events, event) < 0)
		return false;
	if (event->kind == EVENT_SYSCALL_ENTER)
		place_strings(event);
	event->id = (int32_t)text->n_events;
	text->by_id[text->n_events++] = event;
	return true;
}

/* "event SYSTEM:NAME { DECLARATION; ... }"; NULL, or what is wrong. */
static const char *
parse_definition(struct recording *recording, struct reading *line)
{
	struct field fields[FIELDS_MAX];
	struct event_name name;
	struct event *event;
	const char *start;
	uint32_t n = 0;

	skip_blanks(line);
	for (start = line->at; line->at < line->end && (is_name_char(*line->at) || *line->at == ':'); line->at++)
		;
	if (!split_name(start, (size_t)(line->at - start), &name) || !*name.system || !take(line, '{'))
		return "a definition is `event SYSTEM:NAME { TYPE NAME; ... }`";
	while (!take(line, '}')) {
		if (n == FIELDS_MAX)
			return "an event has more than 64 fields";
		if (!parse_declaration(recording, line, &fields[n]) || !take(line, ';'))
			return "a field is u8 to u64, s8 to s64, `char NAME[SIZE]` or `string NAME`, and a semicolon";
		place(fields, n++);
		if (fields[n - 1].offset + fields[n - 1].size > FIXED_MAX)
			return "the fields of an event have more than 16384 bytes";
	}
	event = events_add_fields(recording->events, name.system, name.name, fields, n);
	if (!event)
		return "this event is defined already";
	return number(recording, event) ? NULL : "there are too many events";
}

/* Defines an event by the fields of its first line. */
static struct event *
infer_event(struct recording *recording, const struct event_name *name, struct reading fields_text, char *scratch)
{
	struct field fields[FIELDS_MAX];
	const char *field;
	uint32_t n = 0, len;
	uint64_t value;

	while (n < FIELDS_MAX && (len = take_name(&fields_text, &field)) && take(&fields_text, '=')) {
		struct reading number_text = fields_text;

		fields[n] = (struct field){ .name = arena_strndup(recording->arena, field, len) };
		if (take_number(&number_text, &value) && (number_text.at == number_text.end || *number_text.at == ' ')) {
			number_field(&fields[n], ARRAY_SIZE(types) - 1);
			fields_text = number_text;
		} else {
			string_field(&fields[n]);
			if (take_string(&fields_text, scratch) < 0)
				return NULL;
		}
		place(fields, n++);
	}
	return events_add_fields(recording->events, name->system, name->name, fields, n);
}

/* ---- the record ---------------------------------------------------------------------------------------------- */

static bool
put_text(struct text_recording *text, uint32_t where, const char *s, uint32_t len)
{
	uint32_t loc = (len + 1) << 16 | text->tail;

	if (len + 1 > RECORDED_MAX - 1 - text->tail)
		return false;
	memcpy(text->record + text->tail, s, len + 1);
	memcpy(text->record + where, &loc, sizeof(loc));
	text->tail += len + 1;
	return true;
}

/* ADDRESS, ADDRESS:"TEXT" or "TEXT". */
static const char *
put_pointer(struct text_recording *text, const struct field *field, struct reading *line, char *scratch)
{
	uint64_t address = MADE_UP + text->tail;
	int len;

	skip_blanks(line);
	if (line->at < line->end && *line->at != '"' && !take_number(line, &address))
		return "is an address or a quoted string";
	memcpy(text->record + field->offset, &address, sizeof(address));
	if (line->at < line->end && *line->at == ':')
		line->at++;
	else if (line->at == line->end || *line->at != '"')
		return NULL;
	len = take_string(line, scratch);
	if (len < 0)
		return "has no closing quote";
	return put_text(text, field->text_offset, scratch, (uint32_t)len) ? NULL : "is too long";
}

/* Stores a field's value. NULL, or what is wrong with it. */
static const char *
put_field(struct text_recording *text, const struct field *field, struct reading *line, char *scratch)
{
	uint64_t value;
	int len;

	switch (field->kind) {
	case FIELD_INT:
		if (!take_number(line, &value))
			return "is a number";
		memcpy(text->record + field->offset, &value, field->size);
		return NULL;
	case FIELD_USER_STR:
		return put_pointer(text, field, line, scratch);
	case FIELD_CHARS:
	case FIELD_DATA_LOC:
		len = take_string(line, scratch);
		if (len < 0)
			return "has no closing quote";
		if (field->kind == FIELD_DATA_LOC)
			return put_text(text, field->offset, scratch, (uint32_t)len) ? NULL : "is too long";
		if ((uint32_t)len > field->size)
			return "is longer than its array";
		memcpy(text->record + field->offset, scratch, (uint32_t)len);
		return NULL;
	case FIELD_ANY_STR:
	case FIELD_OTHER:
		break;
	}
	return "has a type that text does not hold";
}

/* Where the texts of a record begin: behind its fixed part, and behind what leads to the strings of a system call. */
static uint32_t
tail_of(const struct event *event)
{
	uint32_t tail = event->record_size;

	for (uint32_t i = 0; i < event->n_fields; i++)
		if (event->fields[i].text_offset + 4 > tail && event->fields[i].text_offset)
			tail = event->fields[i].text_offset + 4;
	return tail;
}

static const struct field *
find_field(const struct event *event, const char *name, uint32_t len)
{
	for (uint32_t i = 0; i < event->n_fields; i++)
		if (strncmp(event->fields[i].name, name, len) == 0 && event->fields[i].name[len] == 0)
			return &event->fields[i];
	return NULL;
}

static const char *
put_fields(struct text_recording *text, const struct event *event, struct reading *line, char *scratch)
{
	const struct field *field;
	const char *name, *wrong;
	uint32_t len;

	text->tail = tail_of(event);
	memset(text->record, 0, text->tail);
	memcpy(text->record, &event->id, 2);
	if (event->kind == EVENT_SYSCALL_ENTER || event->kind == EVENT_SYSCALL_EXIT)
		memcpy(text->record + event->fields[0].offset, &event->number, sizeof(event->number));
	while ((len = take_name(line, &name))) {
		field = find_field(event, name, len);
		wrong = !field ? "is none of the event's" : take(line, '=') ? put_field(text, field, line, scratch) : "has no value";
		if (!wrong)
			continue;
		snprintf(text->wrong, sizeof(text->wrong), "field '%.*s' %s", (int)len, name, wrong);
		return text->wrong;
	}
	skip_blanks(line);
	return line->at == line->end ? NULL : "fields are NAME=VALUE";
}

/* ---- lines ----------------------------------------------------------------------------------------------------- */

static bool
next_line(struct text_recording *text, struct reading *line)
{
	const char *newline;

	if (text->at >= text->end)
		return false;
	newline = memchr(text->at, '\n', (size_t)(text->end - text->at));
	*line = (struct reading){ text->at, newline ? newline : text->end };
	text->at = newline ? newline + 1 : text->end;
	text->line++;
	return true;
}

/* "12.000250" in ns. */
static bool
take_time(struct reading *line, uint64_t *time)
{
	uint64_t unit = 1000000000, part;

	if (!take_number(line, time) || *time > UINT64_MAX / unit - 1)
		return false;
	*time *= unit;
	if (line->at == line->end || *line->at != '.')
		return true;
	for (line->at++; line->at < line->end && *line->at >= '0' && *line->at <= '9'; line->at++) {
		unit /= 10;
		part = (uint64_t)(*line->at - '0') * unit;
		*time += part;
	}
	return true;
}

/* The blank before the first "[NUMBER] ", or NULL. */
static const char *
find_bracket(const struct reading *line)
{
	const char *at = line->at, *digits;

	while ((at = memmem(at, (size_t)(line->end - at), " [", 2))) {
		for (digits = at + 2; digits < line->end && *digits >= '0' && *digits <= '9'; digits++)
			;
		if (digits > at + 2 && line->end - digits > 1 && digits[0] == ']' && digits[1] == ' ')
			return at;
		at++;
	}
	return NULL;
}

/* "COMM-TID": the last dash before the bracket of the CPU; the name may hold blanks and dashes itself. */
static bool
take_comm(struct text_recording *text, struct reading *line, struct recorded *event)
{
	const char *bracket = find_bracket(line), *dash = bracket;
	struct reading tid;
	uint64_t number;

	while (dash && dash > line->at && !(*dash == '-' && dash[1] >= '0' && dash[1] <= '9'))
		dash--;
	if (!dash || *dash != '-')
		return false;
	skip_blanks(line);
	if (line->at > dash)
		return false;
	memset(text->comm, 0, sizeof(text->comm));
	memcpy(text->comm, line->at, dash - line->at < 15 ? (size_t)(dash - line->at) : 15);
	event->comm = text->comm;
	tid = (struct reading){ dash + 1, bracket };
	if (!take_number(&tid, &number) || number > INT32_MAX)
		return false;
	event->tid = event->pid = (uint32_t)number;
	if (take(&tid, '(')) {
		if (!take_number(&tid, &number) || number > INT32_MAX || !take(&tid, ')'))
			return false;
		event->pid = (uint32_t)number;
	}
	line->at = bracket + 1;
	return true;
}

static bool
take_cpu(struct reading *line, struct recorded *event)
{
	uint64_t cpu;

	if (!take(line, '[') || !take_number(line, &cpu) || cpu >= RECORDED_CPUS_MAX || !take(line, ']'))
		return false;
	event->cpu = (uint32_t)cpu;
	return true;
}

/* The name up to ": " or the end of the line. */
static struct event *
take_event(struct recording *recording, struct reading *line)
{
	struct text_recording *text = recording->format;
	struct event_name name;
	struct event *event;
	const char *start;

	skip_blanks(line);
	for (start = line->at; line->at < line->end && *line->at != ' '; line->at++)
		;
	if (line->at == start || line->at[-1] != ':' || !split_name(start, (size_t)(line->at - 1 - start), &name))
		return NULL;
	event = find_event(recording, &name);
	if (!event && text->is_first_reading && *name.system)
		event = infer_event(recording, &name, *line, text->scratch);
	return event && number(recording, event) ? event : NULL;
}

/* One event. NULL, or what is wrong with the line. */
static const char *
parse_event(struct recording *recording, struct reading *line, struct recorded *recorded)
{
	struct text_recording *text = recording->format;
	struct event *event;
	const char *wrong;

	*recorded = (struct recorded){ .record = text->record };
	if (!take_comm(text, line, recorded) || !take_cpu(line, recorded))
		return "a line begins with COMM-TID [CPU]";
	if (!take_time(line, &recorded->time_ns) || !take(line, ':'))
		return "the time in seconds and a colon must follow the CPU";
	event = take_event(recording, line);
	if (!event)
		return "SYSTEM:EVENT: must follow the time, of a known event or of one whose first line tells its fields";
	wrong = put_fields(text, event, line, text->scratch);
	recorded->len = text->tail;
	recorded->id = (uint32_t)event->id;
	return wrong;
}

/* The lines `=> ADDRESS` below an event. */
static void
take_stack(struct text_recording *text, struct recorded *event)
{
	struct reading line;
	uint64_t address;

	for (;;) {
		const char *before = text->at;

		if (!next_line(text, &line))
			break;
		skip_blanks(&line);
		if (line.end - line.at < 2 || memcmp(line.at, "=>", 2) != 0) {
			text->at = before;
			text->line--;
			break;
		}
		line.at += 2;
		if (take_number(&line, &address) && event->n_stack < STACK_MAX)
			text->stack[event->n_stack++] = address;
	}
	event->stack = text->stack;
}

/* The line of a thread whose name begins like a definition has its CPU before any brace. */
static bool
is_definition(const struct reading *line)
{
	const char *bracket = find_bracket(line);
	size_t len = (size_t)((bracket ? bracket : line->end) - line->at);

	return line->end - line->at >= 6 && memcmp(line->at, "event ", 6) == 0 && (!bracket || memchr(line->at, '{', len));
}

/* Lines that are no events: blank, comments, definitions. */
static bool
is_other(struct recording *recording, struct reading *line)
{
	struct text_recording *text = recording->format;
	const char *wrong;

	skip_blanks(line);
	if (line->at == line->end || *line->at == '#')
		return true;
	if (!is_definition(line))
		return false;
	line->at += 6;
	wrong = text->is_first_reading ? parse_definition(recording, line) : NULL;
	if (wrong)
		recording_damage(recording, "line %u: %s", text->line, wrong);
	return true;
}

static bool
text_next(struct recording *recording, uint32_t stream, struct recorded *event)
{
	struct text_recording *text = recording->format;
	struct reading line;
	const char *wrong;

	while (next_line(text, &line)) {
		if (is_other(recording, &line))
			continue;
		wrong = parse_event(recording, &line, event);
		if (!wrong) {
			take_stack(text, event);
			return true;
		}
		if (text->is_first_reading)
			recording_damage(recording, "line %u: %s", text->line, wrong);
	}
	return false;
}

/* ---- open, close -------------------------------------------------------------------------------------------------- */

static void
text_rewind(struct recording *recording)
{
	struct text_recording *text = recording->format;

	text->at = (const char *)recording->data;
	text->end = text->at + recording->len;
	text->line = 0;
}

static void
text_close(struct recording *recording)
{
	struct text_recording *text = recording->format;

	if (!text)
		return;
	free(text->record);
	free(text->scratch);
	free(text);
}

/* Meets every event and definition once. */
static void
read_first(struct recording *recording)
{
	struct text_recording *text = recording->format;
	struct recorded event;

	text->is_first_reading = true;
	text_rewind(recording);
	while (text_next(recording, 0, &event))
		if (event.n_stack)
			recording->holds |= HOLDS_STACKS;
	text->is_first_reading = false;
}

static int
text_open(struct recording *recording, struct text *why)
{
	struct text_recording *text;

	if (recording->len > TEXT_MAX) {
		text_printf(why, "recording '%s' is too long: as text it can have 1 GiB at most", recording->path);
		return -EFBIG;
	}
	if (recording->len && memchr(recording->data, 0, recording->len)) {
		text_printf(why, "'%s' is no recording: neither trace.dat nor perf.data, and no text", recording->path);
		return -EINVAL;
	}
	recording->format = text = mem_alloc(sizeof(*text));
	if (text) {
		text->record = mem_alloc(RECORDED_MAX);
		text->scratch = mem_alloc(RECORDED_MAX);
	}
	if (!text || !text->record || !text->scratch) {
		text_printf(why, "no memory for recording '%s'", recording->path);
		return -ENOMEM;
	}
	recording->n_streams = 1;
	recording->holds = HOLDS_PIDS;
	events_add_known(recording->events);
	read_first(recording);
	return 0;
}

const struct recording_ops recording_text_ops = {
	.name = "text",
	.open = text_open,
	.rewind = text_rewind,
	.next = text_next,
	.close = text_close,
};
