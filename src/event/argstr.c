/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The record of an event as text: what `argstr` prints.
 *
 *     sys_openat(dfd: -100, filename: "/etc/passwd", flags: 0x80000, mode: 0)
 *     sys_openat -> -2 (ENOENT)
 *     sched_process_exec: filename=/bin/ls pid=12 old_pid=12
 *
 * System calls are written here; tracepoints by their print format through libtraceevent; events of the user engine, and
 * tracepoints whose format is not known, field by field. The bytes come from a program and are never trusted: what is not
 * there is written as `...`, text is cut at the end of the record.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <traceevent/event-parse.h>
#include <traceevent/trace-seq.h>

#include "ebpf/ebpf.h"
#include "event/event_int.h"

/* ---- which numbers are written how ---------------------------------------------------------------------- */

/* Globs over call, type and name of an argument; the first row that fits decides. Otherwise: decimal. */
static const struct {
	const char *syscall, *type, *name;
	enum show show;
} shows[] = {
	{ "*", "*[*]*", "*", SHOW_HEX }, /* pointers */
	{ "*", "umode_t", "*", SHOW_OCTAL },
	{ "umask", "*", "mask", SHOW_OCTAL },
	{ "*", "*", "*fd", SHOW_FD },
	{ "*", "*", "fildes", SHOW_FD },
	{ "*", "uid_t", "*", SHOW_ID },
	{ "*", "gid_t", "*", SHOW_ID },
	{ "*", "*", "*flag*", SHOW_HEX },
	{ "*", "*", "*flg", SHOW_HEX },
	{ "*", "*", "*mask*", SHOW_HEX },
	{ "*", "*", "prot", SHOW_HEX },
	{ "ioctl", "*", "cmd", SHOW_HEX },
	{ "personality", "*", "personality", SHOW_HEX },
	{ "ptrace", "long", "request", SHOW_HEX },
	{ "*", "unsigned*", "dev", SHOW_HEX },
	{ "mbind", "*", "mode", SHOW_DECIMAL },
	{ "*", "unsigned long", "*len*", SHOW_DECIMAL },
	{ "*", "unsigned long", "*size*", SHOW_DECIMAL },
	{ "*", "unsigned long", "*cnt*", SHOW_DECIMAL },
	{ "*", "unsigned long", "*count*", SHOW_DECIMAL },
	{ "*", "unsigned long", "nr_*", SHOW_DECIMAL },
	{ "*", "unsigned long", "*node", SHOW_DECIMAL },
	{ "*", "unsigned long", "num", SHOW_DECIMAL },
	{ "kcmp", "unsigned long", "idx*", SHOW_DECIMAL },
	{ "*", "unsigned long", "pos_*", SHOW_DECIMAL },
	{ "*", "unsigned long", "*", SHOW_HEX }, /* addresses, and words of many meanings */
	{ "*", "aio_context_t", "*", SHOW_HEX },
};

/* Calls that return an address. */
static const char *const address_calls[] = { "mmap", "mremap", "brk", "shmat" };

/* What the kernel returns to itself, and shows to tracers, when a signal interrupts a call. */
static const struct {
	int number;
	const char *name;
} restarts[] = {
	{ 512, "ERESTARTSYS" },
	{ 513, "ERESTARTNOINTR" },
	{ 514, "ERESTARTNOHAND" },
	{ 516, "ERESTART_RESTARTBLOCK" },
};

#define ERRNO_MAX 4095 /* returns from -4095 to -1 are errors */

enum show
argstr_show(const struct syscall *syscall, unsigned n)
{
	const struct syscall_arg *arg = &syscall->args[n];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(shows); i++)
		if (glob_match(shows[i].type, arg->type) && glob_match(shows[i].name, arg->name) &&
		    glob_match(shows[i].syscall, syscall->name))
			return shows[i].show;
	return SHOW_DECIMAL;
}

/* ---- pieces ------------------------------------------------------------------------------------------------- */

/* The record, and how far it has been read. */
struct bytes {
	const unsigned char *at;
	size_t len;
};

/* Reads a little-endian number of 1, 2, 4 or 8 bytes; false where the record ends before it. */
static bool
read_number(const struct bytes *record, size_t off, uint32_t size, bool is_signed, uint64_t *value)
{
	unsigned shift = 64 - 8 * size;
	uint64_t number = 0;

	if (size == 0 || size > 8 || off > record->len || record->len - off < size)
		return false;
	memcpy(&number, record->at + off, size);
	*value = is_signed ? (uint64_t)((int64_t)(number << shift) >> shift) : number;
	return true;
}

static void
put_number(struct text *out, uint64_t value, const struct field *field)
{
	uint64_t low = field->value_size == 4 ? (uint32_t)value : value;

	switch ((enum show)field->show) {
	case SHOW_FD:
		text_printf(out, "%d", (int)(uint32_t)value);
		return;
	case SHOW_ID:
		text_printf(out, (uint32_t)value == UINT32_MAX ? "-1" : "%" PRIu32, (uint32_t)value);
		return;
	case SHOW_HEX:
		text_printf(out, "0x%" PRIx64, low);
		return;
	case SHOW_OCTAL:
		text_printf(out, value ? "0%" PRIo64 : "0", low);
		return;
	case SHOW_DECIMAL:
	case SHOW_NOT:
		break;
	}
	text_printf(out, field->is_signed ? "%" PRId64 : "%" PRIu64, value);
}

/*
 * Takes one string from the tail of a system call's record: status byte, text, NUL. Writes it, or the address where it could
 * not be read. A string that the end of the record cuts is shown as cut.
 */
static void
put_string(struct text *out, struct bytes *tail, uint64_t address)
{
	const unsigned char *s, *nul;
	size_t len;

	if (tail->len < 2) {
		text_printf(out, "0x%" PRIx64, address);
		tail->len = 0;
		return;
	}
	s = tail->at + 1;
	nul = memchr(s, 0, tail->len - 1);
	len = nul ? (size_t)(nul - s) : tail->len - 1;
	if (*tail->at == RECORD_STRING_FAULT)
		text_printf(out, "0x%" PRIx64, address);
	else
		text_quoted(out, (const char *)s, len);
	if (!nul || *tail->at == RECORD_STRING_CUT)
		text_puts(out, "...");
	len += 1 + (nul != NULL);
	tail->at += len;
	tail->len -= len;
}

/* ---- system calls --------------------------------------------------------------------------------------------- */

/* "openat" of "sys_enter_openat". */
static const char *
call_name(const struct event *event)
{
	const char *prefix = event->kind == EVENT_SYSCALL_ENTER ? "sys_enter_" : "sys_exit_";
	size_t len = strlen(prefix);

	return strncmp(event->name, prefix, len) == 0 ? event->name + len : event->name;
}

static void
format_enter(const struct event *event, const struct bytes *record, struct text *out)
{
	struct bytes tail = { 0 };
	const struct field *field;
	const char *comma = "";
	uint64_t value;
	uint32_t i;

	if (record->len > RECORD_SYSCALL_LEN)
		tail = (struct bytes){ record->at + RECORD_SYSCALL_LEN, record->len - RECORD_SYSCALL_LEN };
	text_printf(out, "sys_%s(", call_name(event));
	for (i = 0; i < event->n_fields; i++) {
		field = &event->fields[i];
		if (field->offset < SYSCALL_ARG_OFFSET)
			continue;
		if (!read_number(record, field->offset, field->value_size, field->is_signed, &value)) {
			text_printf(out, "%s...", comma);
			break;
		}
		text_printf(out, "%s%s: ", comma, field->name);
		comma = ", ";
		if (field->kind == FIELD_USER_STR)
			put_string(out, &tail, value);
		else
			put_number(out, value, field);
	}
	text_putc(out, ')');
}

static const char *
error_name(int64_t number)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(restarts); i++)
		if (restarts[i].number == number)
			return restarts[i].name;
	return strerrorname_np((int)number);
}

static bool
returns_address(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(address_calls); i++)
		if (strcmp(address_calls[i], name) == 0)
			return true;
	return false;
}

static void
format_exit(const struct event *event, const struct bytes *record, struct text *out)
{
	const char *name = call_name(event), *error;
	uint64_t value;
	int64_t ret;

	text_printf(out, "sys_%s -> ", name);
	if (!read_number(record, SYSCALL_ARG_OFFSET, 8, true, &value)) {
		text_puts(out, "...");
		return;
	}
	ret = (int64_t)value;
	if (ret < 0 && ret >= -ERRNO_MAX) {
		error = error_name(-ret);
		text_printf(out, error ? "%" PRId64 " (%s)" : "%" PRId64, ret, error);
	} else if (returns_address(name)) {
		text_printf(out, "0x%" PRIx64, value);
	} else {
		text_printf(out, "%" PRId64, ret);
	}
}

/* ---- other events ------------------------------------------------------------------------------------------------ */

/* Text inside the record, up to its NUL or `len` bytes or the record's end. */
static void
put_text(struct text *out, const struct bytes *record, size_t off, size_t len)
{
	const unsigned char *nul;

	if (off > record->len) {
		text_puts(out, "...");
		return;
	}
	if (len > record->len - off)
		len = record->len - off;
	nul = memchr(record->at + off, 0, len);
	text_add(out, (const char *)record->at + off, nul ? (size_t)(nul - (record->at + off)) : len);
}

static void
put_field(struct text *out, const struct bytes *record, const struct field *field)
{
	uint64_t value;

	switch (field->kind) {
	case FIELD_CHARS:
		put_text(out, record, field->offset, field->size);
		return;
	case FIELD_DATA_LOC:
		if (!read_number(record, field->offset, 4, false, &value))
			break;
		put_text(out, record, value & 0xffff, value >> 16);
		return;
	case FIELD_INT:
	case FIELD_USER_STR:
	case FIELD_ANY_STR:
		if (!read_number(record, field->offset, field->size, field->is_signed, &value))
			break;
		if (field->size == 8 && !field->is_signed)
			text_printf(out, "0x%" PRIx64, value); /* addresses and masks, as the kernel's own formats have it */
		else
			text_printf(out, "%" PRId64, (int64_t)value);
		return;
	case FIELD_OTHER:
		break;
	}
	text_puts(out, "...");
}

static void
format_fields(const struct event *event, const struct bytes *record, struct text *out)
{
	uint32_t i;

	for (i = 0; i < event->n_fields; i++) {
		text_printf(out, "%s%s=", i ? " " : "", event->fields[i].name);
		put_field(out, record, &event->fields[i]);
	}
}

/* ` name=value ...` */
static void
format_values(const struct event *event, const struct bytes *record, struct text *out)
{
	struct bytes tail = { 0 };
	const struct field *field;
	uint64_t value = 0;
	uint32_t i;

	if (record->len > event->record_size)
		tail = (struct bytes){ record->at + event->record_size, record->len - event->record_size };
	for (i = 0; i < event->n_fields; i++) {
		field = &event->fields[i];
		if (field->show == SHOW_NOT)
			continue;
		text_printf(out, " %s=", field->name);
		if (!read_number(record, field->offset, 8, field->is_signed, &value))
			text_puts(out, "...");
		else if (field->kind == FIELD_ANY_STR || field->kind == FIELD_USER_STR)
			put_string(out, &tail, value);
		else
			put_number(out, value, field);
	}
}

/* `SYM: (0xADDRESS) name=value ...`; of a return `ret_SYM: (0xADDRESS <- SYM) ...`, the address that it returns to. */
static void
format_probe(const struct event *event, const struct bytes *record, struct text *out)
{
	bool is_return = event->kind == EVENT_KRETPROBE || event->kind == EVENT_URETPROBE;
	const struct field *ip = event_field(event, is_return ? "__probe_ret_ip" : "__probe_ip");
	uint64_t value = 0;

	read_number(record, ip->offset, 8, false, &value);
	text_printf(out, "%s: (0x%" PRIx64 "%s%s)", event->name, value, is_return ? " <- " : "",
		    is_return ? event->probe->symbol : "");
	format_values(event, record, out);
}

/*
 * libtraceevent may follow offsets in the record without looking at its size: 16 bits of offset and 16 of length, and what print_format.c lets through.
 * So it gets a copy with as many zeros behind it, which makes any offset harmless; pages that are not looked at take no memory.
 */
#define PADDED_RECORD (64 * 1024)
#define PADDED_SIZE   (3 * 64 * 1024 + PRINT_REACH)

static bool
format_by_kernel(struct events *events, const struct event *event, const struct bytes *record, struct text *out)
{
	struct tep_event *parsed = events_tep_event(events, event);
	struct tep_record padded = { .size = (int)record->len };
	struct trace_seq seq;
	uint16_t type;

	if (!parsed || record->len < 8 || record->len > PADDED_RECORD || (events->origin == EVENTS_RECORDED && !print_format_is_bounded(parsed)))
		return false;
	if (!events->padded)
		events->padded = arena_alloc(events->arena, PADDED_SIZE);
	memcpy(events->padded, record->at, record->len);
	type = (uint16_t)parsed->id; /* common_type: programs don't fill it in, and the record is found by it */
	memcpy(events->padded, &type, sizeof(type));
	padded.data = events->padded;
	if (record->len < event->record_size)
		padded.size = (int)event->record_size; /* the rest is zeros */
	trace_seq_init(&seq);
	tep_print_event(events_tep(events), &seq, &padded, "%s", TEP_PRINT_INFO);
	trace_seq_terminate(&seq);
	text_add(out, seq.buffer, seq.len);
	trace_seq_destroy(&seq);
	memset(events->padded, 0, record->len);
	return true;
}

static void
format_other(struct events *events, const struct event *event, const struct bytes *record, struct text *out)
{
	text_printf(out, "%s: ", event->name);
	if (events->origin == EVENTS_USER || events->origin == EVENTS_HOST || !format_by_kernel(events, event, record, out))
		format_fields(event, record, out);
	if (record->len < event->record_size)
		text_puts(out, " ...");
}

void
event_format(struct events *events, const struct event *event, const void *bytes, size_t len, struct text *out)
{
	struct bytes record = { bytes, len };

	if (!event->fields_loaded)
		event_load_fields(events, (struct event *)event); /* events own their event structs: the const is the caller's */
	switch (event->kind) {
	case EVENT_SYSCALL_ENTER:
		format_enter(event, &record, out);
		return;
	case EVENT_SYSCALL_EXIT:
		format_exit(event, &record, out);
		return;
	case EVENT_TRACEPOINT:
		format_other(events, event, &record, out);
		return;
	case EVENT_KPROBE:
	case EVENT_KRETPROBE:
	case EVENT_UPROBE:
	case EVENT_URETPROBE:
		format_probe(event, &record, out);
		return;
	case EVENT_FENTRY:
	case EVENT_FEXIT:
	case EVENT_RAWTP:
		text_printf(out, "%s:", event->name);
		format_values(event, &record, out);
		return;
	case EVENT_COUNTER:
	case EVENT_PROFILE:
	case EVENT_INIT:
	case EVENT_FINI:
	case N_EVENT_KINDS:
		break;
	}
	text_puts(out, event->name); /* no fields */
}
