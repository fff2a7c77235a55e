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

static void
report_counter(const struct object *object, const struct counter *counter, uint64_t n)
{
	const char *severity = counter_is_error(counter->kind) ? "error" : "warning";
	const struct script *script = object->script;

	if (script)
		script_print_place(script, counter->span, stderr);
	else
		fprintf(stderr, "%s: ", object->name);
	fprintf(stderr, "%s: %s, %llu time%s [%s]\n", severity, counter_text(counter->kind),
		(unsigned long long)n, n == 1 ? "" : "s", counter_slug(counter->kind));
	if (script)
		script_print_quote(script, counter->span, stderr);
}

unsigned
report_counters(const struct object *object, const void *globals)
{
	unsigned n_errors = 0;

	for (uint32_t i = 0; i < object->n_counters; i++) {
		const struct counter *counter = object->counters[i];
		uint64_t n;

		memcpy(&n, (const char *)globals + counter->off, sizeof(n));
		if (n == 0)
			continue;
		n_errors += counter_is_error(counter->kind);
		report_counter(object, counter, n);
	}
	return n_errors;
}
