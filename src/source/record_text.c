/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * A recording as text, in the form that recording_text.c reads (it describes it). An event's definition stands before its first line,
 * save for system calls, whose fields every ktap knows. Fields that are neither numbers nor texts (arrays of numbers, structures) have no
 * form there and are left out.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "source/record.h"

struct writing {
	struct recording *recording;
	const struct event *by_id[RECORDED_IDS]; /* tracepoints and system calls of the recording */
	bool is_defined[RECORDED_IDS];
	struct text line;
};

static void
note_event(struct event *event, void *arg)
{
	struct writing *writing = arg;

	if (event->id >= 0 && event->id < RECORDED_IDS)
		writing->by_id[event->id] = event;
}

static bool
is_syscall(const struct event *event)
{
	return event->kind == EVENT_SYSCALL_ENTER || event->kind == EVENT_SYSCALL_EXIT;
}

static void
put_definition(struct text *out, const struct event *event)
{
	text_printf(out, "event %s:%s {", event->system, event->name);
	for (uint32_t i = 0; i < event->n_fields; i++) {
		const struct field *field = &event->fields[i];

		switch (field->kind) {
		case FIELD_INT:
			text_printf(out, " %c%u %s;", field->is_signed ? 's' : 'u', 8 * field->size, field->name);
			break;
		case FIELD_CHARS:
			text_printf(out, " char %s[%u];", field->name, field->size);
			break;
		case FIELD_DATA_LOC:
			text_printf(out, " string %s;", field->name);
			break;
		case FIELD_USER_STR:
		case FIELD_ANY_STR:
		case FIELD_OTHER:
			break;
		}
	}
	text_puts(out, " }\n");
}

/* A number, as its field has it. False: the record ends before it. */
static bool
read_number(const struct recorded *event, const struct field *field, uint64_t *value)
{
	unsigned shift = 64 - 8 * field->size;
	uint64_t number = 0;

	if (field->offset + field->size > event->len || field->size > 8 || !field->size)
		return false;
	memcpy(&number, event->record + field->offset, field->size);
	*value = field->is_signed ? (uint64_t)((int64_t)(number << shift) >> shift) : number;
	return true;
}

static void
put_int(struct text *out, const struct field *field, uint64_t value)
{
	if (field->size == 8 && !field->is_signed && value > 0xffff)
		text_printf(out, "0x%" PRIx64, value);
	else
		text_printf(out, field->is_signed ? "%" PRId64 : "%" PRIu64, value);
}

static void
put_bytes(struct text *out, const struct recorded *event, uint64_t offset, uint64_t len)
{
	if (offset > event->len)
		offset = event->len;
	if (len > event->len - offset)
		len = event->len - offset;
	text_quoted(out, (const char *)event->record + offset, strnlen((const char *)event->record + offset, len));
}

static void
put_field(struct text *out, const struct recorded *event, const struct field *field)
{
	const char *string;
	uint64_t value;
	size_t len;

	if (field->kind == FIELD_OTHER || field->kind == FIELD_ANY_STR)
		return;
	if (field->kind == FIELD_CHARS) {
		text_printf(out, " %s=", field->name);
		put_bytes(out, event, field->offset, field->size);
		return;
	}
	if (!read_number(event, field, &value))
		return;
	text_printf(out, " %s=", field->name);
	if (field->kind == FIELD_DATA_LOC)
		put_bytes(out, event, value & 0xffff, value >> 16);
	else
		put_int(out, field, value);
	string = field->kind == FIELD_USER_STR ? recorded_string(event, field, &len) : NULL;
	if (!string)
		return;
	text_putc(out, ':');
	text_quoted(out, string, strlen(string));
}

/*
 * Control bytes and brackets of a name would end it too early, or make the line a definition; with some first bytes it would be a comment or
 * a part of a stack, or lose a blank.
 */
static void
put_comm(struct text *out, const char comm[16])
{
	for (size_t i = 0; i < 16 && comm[i]; i++) {
		bool is_first = i == 0 && strchr(" #=", comm[i]);

		text_putc(out, comm[i] >= ' ' && comm[i] < 0x7f && comm[i] != '[' && comm[i] != '{' && !is_first ? comm[i] : '?');
	}
}

static void
put_event(struct writing *writing, const struct recorded *recorded, const struct event *event)
{
	struct text *out = &writing->line;
	struct recorded_task who;

	tasks_identify(&writing->recording->tasks, recorded, &who);
	if (!writing->is_defined[recorded->id] && !is_syscall(event))
		put_definition(out, event);
	writing->is_defined[recorded->id] = true;
	put_comm(out, who.comm);
	text_printf(out, "-%" PRIu32, who.tid);
	if (who.pid != who.tid)
		text_printf(out, " (%" PRIu32 ")", who.pid);
	text_printf(out, " [%03" PRIu32 "] %" PRIu64 ".%09" PRIu64 ": %s:%s:", recorded->cpu, recorded->time_ns / 1000000000,
		    recorded->time_ns % 1000000000, event->system, event->name);
	for (uint32_t i = 0; i < event->n_fields; i++)
		if (!is_syscall(event) || event->fields[i].offset != 8) /* not the number: the name says it */
			put_field(out, recorded, &event->fields[i]);
	text_putc(out, '\n');
	for (uint32_t i = 0; i < recorded->n_stack; i++)
		text_printf(out, " => 0x%" PRIx64 "\n", recorded->stack[i]);
}

int
recording_to_text(struct recording *recording, FILE *out)
{
	struct writing *writing = mem_alloc(sizeof(*writing));
	const struct recorded *recorded;
	int err = writing ? recording_learn_names(recording) : -ENOMEM;

	if (err == 0)
		recording_rewind(recording);
	if (writing) {
		writing->recording = recording;
		events_match(recording->events, "*:*", note_event, writing);
		fprintf(out, "# a recording of ktap as text; docs/recordings.md\n");
	}
	while (err == 0 && (recorded = recording_next(recording))) {
		text_clear(&writing->line);
		if (writing->by_id[recorded->id])
			put_event(writing, recorded, writing->by_id[recorded->id]);
		if (writing->line.len && fwrite(writing->line.s, 1, writing->line.len, out) != writing->line.len)
			err = errno ? -errno : -EIO;
		tasks_learn(&recording->tasks, recorded);
	}
	if (writing)
		text_fini(&writing->line);
	free(writing);
	return err;
}
