/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * report: what went wrong while probes ran, told at the end with the line of the script that did it.
 *
 *     script.kp:3: error: division by zero, 12 times [divide-by-zero]
 *         3 | trace syscalls:* { n = 1 / x }
 *           |                        ^~~~~
 *
 * Counters sit in the globals' memory, one a place and kind, counted by the probes themselves.
 */
#include <string.h>

#include "session/session_int.h"

void
report(const char *format, ...)
{
	va_list args;

	fputs("ktap: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
}

/* The line with a caret under the span; tabs stay, so that the caret stands right. */
static void
print_caret(const struct script *script, struct span span)
{
	uint32_t len, line = script_line(script, span.off), column = script_column(script, span.off);
	const char *text = script_line_text(script, line, &len);

	fprintf(stderr, "%5u | %.*s\n      | ", line, (int)len, text);
	for (uint32_t i = 0; i + 1 < column && i < len; i++)
		fputc(text[i] == '\t' ? '\t' : ' ', stderr);
	fputc('^', stderr);
	for (uint32_t i = 1; i < span.len && column - 1 + i < len; i++)
		fputc('~', stderr);
	fputc('\n', stderr);
}

static void
report_counter(const struct object *object, const struct counter *counter, uint64_t n)
{
	const char *severity = counter_is_error(counter->kind) ? "error" : "warning";
	const struct script *script = object->script;

	if (script)
		fprintf(stderr, "%s:%u:%u: ", script->name, script_line(script, counter->span.off),
			script_column(script, counter->span.off));
	else
		fprintf(stderr, "%s: ", object->name);
	fprintf(stderr, "%s: %s, %llu time%s [%s]\n", severity, counter_text(counter->kind),
		(unsigned long long)n, n == 1 ? "" : "s", counter_slug(counter->kind));
	if (script)
		print_caret(script, counter->span);
}

unsigned
report_counters(const struct object *object, const void *globals, bool quiet)
{
	unsigned n_errors = 0;

	for (uint32_t i = 0; i < object->n_counters; i++) {
		const struct counter *counter = object->counters[i];
		uint64_t n;

		memcpy(&n, (const char *)globals + counter->off, sizeof(n));
		if (n == 0)
			continue;
		n_errors += counter_is_error(counter->kind);
		if (!quiet || counter_is_error(counter->kind))
			report_counter(object, counter, n);
	}
	return n_errors;
}
