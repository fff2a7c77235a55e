/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * value: cells of tables, globals and records -> values -> text.
 *
 * Records come from programs through shared memory and perhaps from a file: every offset is checked against
 * the record's length before it is used, and numbers that index something are checked against it.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "output/output.h"

#define STACK_FRAMES_MAX 128

static int64_t
load64(const void *bytes)
{
	int64_t number;

	memcpy(&number, bytes, sizeof(number));
	return number;
}

const char *
value_kind_name(enum value_kind kind)
{
	switch (kind) {
	case VALUE_INT: return "a number";
	case VALUE_BOOL: return "a boolean";
	case VALUE_STR: return "a string";
	case VALUE_EVENT: return "an event's name";
	case VALUE_STACK:
	case VALUE_USTACK: return "a stack";
	case VALUE_KSYM: return "a kernel address";
	case VALUE_STAT: return "a statistic";
	case VALUE_NONE:
	case VALUE_ARGSTR: break;
	}
	return "nothing";
}

struct value
value_load(const struct shape *shape, const void *bytes)
{
	const char *at = bytes;
	struct value value = { .kind = shape->kind };

	if (shape->nullable) {
		if (load64(at) == 0)
			return (struct value){ .kind = VALUE_NONE };
		at += 8;
	}
	if (shape->kind == VALUE_STR) {
		value.s = at;
		value.len = strnlen(at, shape->size);
	} else if (shape->kind == VALUE_STAT) {
		value.s = at;
		value.len = shape->size;
	} else if (shape->size >= 8) {
		value.number = load64(at);
	}
	return value;
}

bool
value_store(const struct shape *shape, const struct value *value, void *bytes)
{
	char *at = bytes;

	if (shape->kind == VALUE_STR && value->len >= shape->size)
		return false;
	memset(at, 0, shape_size(shape));
	if (shape->nullable) {
		memcpy(at, &(uint64_t){ 1 }, 8);
		at += 8;
	}
	if (shape->kind != VALUE_STR)
		memcpy(at, &value->number, shape->size < sizeof(value->number) ? shape->size : sizeof(value->number));
	else if (value->len)
		memcpy(at, value->s, value->len);
	return true;
}

/* ---- text --------------------------------------------------------------- */

/* By hand: records of many numbers spend most of their time here. */
static void
number_text(int64_t number, struct text *out)
{
	uint64_t rest = number < 0 ? 0 - (uint64_t)number : (uint64_t)number;
	char digits[21];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + rest % 10);
		rest /= 10;
	} while (rest);
	if (number < 0)
		digits[--at] = '-';
	text_add(out, digits + at, sizeof(digits) - at);
}

static void
event_text(const struct value_names *names, int64_t number, struct text *out)
{
	const struct object *object = names->object;

	if (object && number >= 0 && number < object->n_events)
		text_puts(out, object->events[number]->name);
	else
		text_printf(out, "event#%lld", (long long)number);
}

static void
address_text(const struct value_names *names, uint64_t addr, struct text *out)
{
	if (names->symbols)
		symbols_text(names->symbols, addr, out);
	else
		text_printf(out, "0x%llx", (unsigned long long)addr);
}

/* Is this frame part of what runs our programs, rather than of what is traced? */
static bool
is_own_frame(const struct value_names *names, uint64_t addr)
{
	static const char *const machinery[] = { "bpf_prog_",      "bpf_trace_run",        "__bpf_trace_",
						 "__traceiter_",   "trace_event_raw_event_",   "bpf_overflow_handler", "perf_trace_",
						 "trace_call_bpf", "perf_call_bpf_enter" };
	struct text symbol = { 0 };
	bool found = false;

	if (!names->symbols)
		return false;
	symbols_text(names->symbols, addr, &symbol);
	for (size_t i = 0; i < ARRAY_SIZE(machinery) && !found; i++)
		found = !strncmp(symbol.s, machinery[i], strlen(machinery[i]));
	text_fini(&symbol);
	return found;
}

/* The frames to show: without those of our own at the top, and without what was captured in their place. */
static int
trim_stack(const struct value_names *names, const uint64_t *addrs, int n, int *first)
{
	const struct object *object = names->object;
	int depth = STACK_FRAMES_MAX;

	if (object && object->stacks[STACKS_KERNEL].first != UINT32_MAX)
		depth = (int)(object->tables[object->stacks[STACKS_KERNEL].first]->value_size / 8) - STACK_OWN_FRAMES;
	for (*first = 0; *first < n && *first < STACK_OWN_FRAMES && is_own_frame(names, addrs[*first]);
	     ++*first)
		;
	return n - *first > depth ? depth : n - *first;
}

/* What stands where no frames do; `n` is -errno. */
static void
no_frames_text(enum value_kind kind, int n, struct text *out)
{
	if (n != -EFAULT) /* what the helper says of a stack without frames */
		text_printf(out, " => (not captured: %s)\n", strerror(-n));
	else
		text_puts(out, kind == VALUE_STACK ? " => (in user mode)\n" : " => (no user stack)\n");
}

static void
kernel_frames_text(const struct value_names *names, const uint64_t *addrs, int n, struct text *out)
{
	int first;

	n = trim_stack(names, addrs, n, &first);
	for (int i = first; i < first + n; i++) {
		text_puts(out, " => ");
		address_text(names, addrs[i], out);
		text_putc(out, '\n');
	}
}

/*
 * The kernel follows frame pointers; behind the first function that was made without (the C library's own, where main returns to)
 * it may find numbers that are no addresses of code. They end the stack.
 */
static void
user_frames_text(const struct value_names *names, uint32_t pid, const uint64_t *addrs, int n, struct text *out)
{
	struct spaces *spaces = names->spaces ? names->spaces(names->arg) : NULL;

	for (int i = 0; i < n; i++) {
		enum frame_kind kind = i ? FRAME_CALLER : FRAME_INNERMOST;
		size_t before = out->len;
		bool is_code = true;

		text_puts(out, " => ");
		if (names->user_symbols)
			is_code = user_symbols_text(names->user_symbols, spaces, pid, addrs[i], kind, out);
		else
			text_printf(out, "0x%" PRIx64, addrs[i]);
		if (!is_code && i > 0) {
			text_cut(out, before);
			return;
		}
		text_putc(out, '\n');
	}
}

/*
 * One line a frame, the newline included, so that print leaves a blank line behind a stack, as it always did
 * in ktap.
 */
static void
stack_text(const struct value_names *names, const struct value *value, struct text *out)
{
	uint64_t addrs[STACK_FRAMES_MAX];
	int n = value->number < 0 ? (int)value->number : -ENOENT;

	if (value->number >= 0 && names->stack)
		n = names->stack(names->arg, value->kind, (uint32_t)value->number, addrs, STACK_FRAMES_MAX);
	text_puts(out, "<stack trace>\n");
	if (n < 0)
		no_frames_text(value->kind, n, out);
	else if (value->kind == VALUE_STACK)
		kernel_frames_text(names, addrs, n, out);
	else
		user_frames_text(names, (uint32_t)(value->number >> 32), addrs, n, out);
}

void
value_text(const struct value_names *names, const struct value *value, const struct event *event,
	   struct text *out)
{
	switch (value->kind) {
	case VALUE_NONE: text_puts(out, "nil"); break;
	case VALUE_INT: number_text(value->number, out); break;
	case VALUE_BOOL: text_puts(out, value->number ? "true" : "false"); break;
	case VALUE_STR: text_add(out, value->s, value->len); break;
	case VALUE_EVENT: event_text(names, value->number, out); break;
	case VALUE_STACK:
	case VALUE_USTACK: stack_text(names, value, out); break;
	case VALUE_ARGSTR:
		if (event)
			event_format(names->events, event, value->s, value->len, out);
		break;
	case VALUE_KSYM: address_text(names, value->number, out); break;
	case VALUE_STAT: text_puts(out, "statistic"); break;
	}
}

/* ---- records ------------------------------------------------------------ */

/* A record being read: `at` walks the cells, `tail` the long values behind them. */
struct reader {
	const char *bytes;
	size_t len, at, tail;
};

/* Does this shape stand in the tail, with only its length in a cell? */
static bool
shape_is_long(const struct shape *shape)
{
	return shape->kind == VALUE_ARGSTR || (shape->kind == VALUE_STR && shape->size > RECORD_SHORT_STR);
}

static size_t
cell_size(const struct shape *shape)
{
	return (shape->nullable ? 8 : 0) +
	       (shape->kind == VALUE_STR && !shape_is_long(shape) ? shape->size : 8);
}

/* The next value's bytes in the tail, whose length is `len`. False: they are not there. */
static bool
read_long(struct reader *reader, const struct shape *shape, uint64_t len, struct value *value)
{
	if (len > reader->len - reader->tail)
		return false;
	value->s = reader->bytes + reader->tail;
	value->len = shape->kind == VALUE_STR ? strnlen(value->s, len) : len;
	reader->tail += len;
	return true;
}

/* The caller has checked that all cells are inside the record. */
static bool
read_value(struct reader *reader, const struct shape *shape, struct value *value)
{
	const char *cell = reader->bytes + reader->at;

	reader->at += cell_size(shape);
	if (!shape_is_long(shape)) {
		*value = value_load(shape, cell);
		return true;
	}
	*value = (struct value){ .kind = shape->kind };
	if (shape->nullable && load64(cell) == 0)
		value->kind = VALUE_NONE;
	return read_long(reader, shape, load64(cell + (shape->nullable ? 8 : 0)), value);
}

static bool
read_values(const struct site *site, const void *record, size_t len, struct value *values)
{
	struct reader reader = { .bytes = record, .len = len, .at = RECORD_HEADER, .tail = RECORD_HEADER };

	for (uint32_t i = 0; i < site->n_args; i++)
		reader.tail += cell_size(&site->args[i]);
	if (reader.tail > len)
		return false;
	for (uint32_t i = 0; i < site->n_args; i++)
		if (!read_value(&reader, &site->args[i], &values[i]))
			return false;
	return true;
}

static void
print_values(const struct value_names *names, const struct value *values, uint32_t n,
	     const struct event *event, struct text *out)
{
	for (uint32_t i = 0; i < n; i++) {
		if (i)
			text_putc(out, '\t');
		value_text(names, &values[i], event, out);
	}
	text_putc(out, '\n');
}

/* printf of a record; the site's format is read once, where it is kept. */
static int
print_format(const struct value_names *names, uint32_t index, const struct value *values, const struct event *event,
	     struct text *out)
{
	const struct site *site = names->object->sites[index];
	struct printf_format **format = names->formats ? &names->formats[index] : NULL;

	if (format && !*format)
		*format = printf_format_new(site->format, site->format_len, NULL);
	if (format && *format)
		return printf_format_text(names, *format, values, site->n_args, event, out, NULL);
	return printf_text(names, site->format, site->format_len, values, site->n_args, event, out, NULL);
}

#define SITE_ARGS_MAX 256

uint32_t
record_site(const struct object *object, const void *record, size_t len)
{
	uint32_t site;

	if (len < RECORD_HEADER)
		return UINT32_MAX;
	memcpy(&site, record, sizeof(site));
	return site < object->n_sites ? site : UINT32_MAX;
}

int
record_text(const struct value_names *names, const void *record, size_t len, struct text *out)
{
	struct value values[SITE_ARGS_MAX];
	const struct object *object = names->object;
	const struct event *event = NULL;
	const struct site *site;
	uint32_t header[2];

	if (record_site(object, record, len) == UINT32_MAX)
		return -EINVAL;
	memcpy(header, record, sizeof(header));
	site = object->sites[header[0]];
	if (header[1] < object->n_events)
		event = object->events[header[1]];
	if (site->kind == SITE_EXIT)
		return 1;
	if (site->n_args > SITE_ARGS_MAX || !read_values(site, record, len, values))
		return -EINVAL;
	if (site->kind == SITE_PRINT)
		print_values(names, values, site->n_args, event, out);
	else if (site->kind == SITE_PRINTF)
		return print_format(names, header[0], values, event, out);
	else
		return -EINVAL;
	return 0;
}
