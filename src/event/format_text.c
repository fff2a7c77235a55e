/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The `format` file of an event whose layout is ours, for recordings that others read too. Strings that arguments of system calls point
 * to stand in the record as Linux 6.19 has them: a field `__data_loc char[] __NAME_val` for each, behind the arguments.
 */
#include <string.h>

#include "ebpf/ebpf.h"
#include "event/event_int.h"

#define STRING_LOC_SIZE 4

uint32_t
event_recorded_size(const struct event *event)
{
	uint32_t n_strings = 0, end = event->record_size;

	if (event->kind != EVENT_SYSCALL_ENTER)
		return end;
	end = SYSCALL_ARG_OFFSET;
	for (uint32_t i = 0; i < event->n_fields; i++) {
		const struct field *field = &event->fields[i];

		n_strings += field->kind == FIELD_USER_STR;
		if (field->offset + field->size > end)
			end = field->offset + field->size;
	}
	return end + n_strings * STRING_LOC_SIZE;
}

uint32_t
event_recorded_string(const struct event *event, const struct field *string)
{
	uint32_t n_behind = 0;

	for (const struct field *field = string; field < event->fields + event->n_fields; field++)
		n_behind += field->kind == FIELD_USER_STR;
	return event_recorded_size(event) - n_behind * STRING_LOC_SIZE;
}

static void
put_line(struct text *out, const char *type, const char *name, uint32_t offset, uint32_t size, int is_signed)
{
	const char *bracket = strncmp(type, "__data_loc", 10) == 0 ? NULL : strchr(type, '[');
	int len = bracket ? (int)(bracket - type) : (int)strlen(type);

	text_printf(out, "\tfield:%.*s %s%s;\toffset:%u;\tsize:%u;\tsigned:%d;\n", len, type, name, bracket ? bracket : "", offset, size,
		    is_signed);
}

static void
put_fields(struct text *out, const struct event *event)
{
	char name[128];

	put_line(out, "unsigned short", "common_type", 0, 2, 0);
	put_line(out, "unsigned char", "common_flags", 2, 1, 0);
	put_line(out, "unsigned char", "common_preempt_count", 3, 1, 0);
	put_line(out, "int", "common_pid", 4, 4, 1);
	text_putc(out, '\n');
	for (uint32_t i = 0; i < event->n_fields; i++) {
		const struct field *field = &event->fields[i];

		put_line(out, field->type, field->name, field->offset, field->size, field->is_signed);
	}
	for (uint32_t i = 0; i < event->n_fields && event->kind == EVENT_SYSCALL_ENTER; i++) {
		if (event->fields[i].kind != FIELD_USER_STR)
			continue;
		snprintf(name, sizeof(name), "__%s_val", event->fields[i].name);
		put_line(out, "__data_loc char[]", name, event_recorded_string(event, &event->fields[i]), STRING_LOC_SIZE, 0);
	}
}

/* How libtraceevent shall print a field: in the format, and as its argument. */
static void
put_print(struct text *format, struct text *args, const struct event *event, const struct field *field)
{
	bool is_syscall = event->kind != EVENT_TRACEPOINT;

	text_printf(format, "%s%s%s", format->len ? (is_syscall ? ", " : " ") : "", field->name, is_syscall ? ": " : "=");
	switch (field->kind) {
	case FIELD_INT:
		if (event_type_is_ipv4(field->type)) {
			text_puts(format, "%pI4");
			text_printf(args, ", REC->%s", field->name);
			return;
		}
		text_puts(format, is_syscall ? "0x%08lx" : field->size < 8 ? "%d" : field->is_signed ? "%lld" : "0x%llx");
		text_printf(args, is_syscall ? ", ((unsigned long)(REC->%s))" : ", REC->%s", field->name);
		return;
	case FIELD_USER_STR:
		text_puts(format, "0x%08lx \\\"%s\\\"");
		text_printf(args, ", ((unsigned long)(REC->%s)), __get_str(__%s_val)", field->name, field->name);
		return;
	case FIELD_CHARS:
		text_puts(format, "%s");
		text_printf(args, ", REC->%s", field->name);
		return;
	case FIELD_DATA_LOC:
		text_puts(format, "%s");
		text_printf(args, ", __get_str(%s)", field->name);
		return;
	case FIELD_ANY_STR:
	case FIELD_OTHER:
		break;
	}
	text_puts(format, "...");
}

void
event_format_file(const struct event *event, struct text *out)
{
	struct text format = { 0 }, args = { 0 };

	text_printf(out, "name: %s\nID: %d\nformat:\n", event->name, event->id);
	put_fields(out, event);
	for (uint32_t i = 0; i < event->n_fields; i++)
		if (event->kind == EVENT_TRACEPOINT || event->fields[i].offset != SYSCALL_NR_OFFSET)
			put_print(&format, &args, event, &event->fields[i]);
	text_printf(out, "\nprint fmt: \"%s\"%s\n", format.s ? format.s : "", args.s ? args.s : "");
	text_fini(&format);
	text_fini(&args);
}
