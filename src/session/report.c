/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * report: what went wrong while probes ran, and what was lost: counted at the end, told with the line of the script that did it.
 *
 *     script.kp:3: error: division by zero, 12 times [divide-by-zero]
 *         3 | trace syscalls:* { n = 1 / x }
 *           |                        ^~~~~
 *     script.kp:4: warning: output lost, ring buffer full, 20 of 100 times [record-lost]
 *
 * Counters sit in the globals' memory, one a place and kind, counted by the probes themselves. What was delivered is counted by us, when
 * it is read: a record is either in the ring buffer or in its counter, so both together are what was produced. Events that a handler was
 * skipped for are the source's to count, and stand at the handler.
 */
#include <stdlib.h>
#include <string.h>

#include "session/session_int.h"

/* ---- the account -------------------------------------------------------- */

static uint64_t
delivered_at(const struct session *session, struct span span)
{
	const struct object *object = session->object;
	uint64_t n = 0;

	for (uint32_t i = 0; i < object->n_sites; i++)
		if (object->sites[i]->span.off == span.off)
			n += session->n_delivered[i];
	return n;
}

static void
add_row(const struct session *session, struct losses *losses, const struct counter *counter, uint64_t n)
{
	struct loss *row = &losses->rows[losses->n_rows++];

	*row = (struct loss){ .kind = counter->kind, .span = counter->span, .n = n };
	if (counter->kind != COUNTER_RECORD_LOST)
		return;
	row->n_delivered = delivered_at(session, counter->span);
	losses->n_lost += n;
}

static int
compare_rows(const void *a, const void *b)
{
	const struct loss *x = a, *y = b;

	if (x->span.off != y->span.off)
		return x->span.off < y->span.off ? -1 : 1;
	return (int)x->kind - (int)y->kind;
}

static void
count_rows(const struct session *session, const char *globals, struct losses *losses)
{
	const struct object *object = session->object;

	for (uint32_t i = 0; globals && losses->rows && i < object->n_counters; i++) {
		uint64_t n;

		memcpy(&n, globals + object->counters[i]->off, sizeof(n));
		if (n)
			add_row(session, losses, object->counters[i], n);
	}
}

static void
count_nested(const struct session *session, struct losses *losses)
{
	const struct object *object = session->object;
	struct nested *nested = mem_alloc((object->n_handlers + 1) * sizeof(*nested));

	if (nested)
		losses->n_nested = session->source->ops->nested(session->source, nested);
	for (uint32_t i = 0; nested && losses->rows && i < object->n_handlers; i++)
		if (nested[i].n)
			losses->rows[losses->n_rows++] = (struct loss){ .kind = COUNTER_NESTED_RUN, .span = object->handlers[i]->span,
									.n = nested[i].n, .is_most = nested[i].is_most };
	free(nested);
}

static void
count_timed_out(const struct session *session, struct losses *losses)
{
	const struct object *object = session->object;
	uint64_t *n = mem_alloc((object->n_handlers + 1) * sizeof(*n));

	if (n)
		session->source->ops->timed_out(session->source, n);
	for (uint32_t i = 0; n && losses->rows && i < object->n_handlers; i++)
		if (n[i])
			losses->rows[losses->n_rows++] =
				(struct loss){ .kind = COUNTER_BUDGET_USED, .span = object->handlers[i]->span, .n = n[i] };
	free(n);
}

void
session_count(struct session *session, struct losses *losses)
{
	struct source_stats stats = { 0 };

	*losses = (struct losses){ .n_misfits = session->n_bad_records };
	for (uint32_t i = 0; session->n_delivered && i < session->object->n_sites; i++)
		losses->n_delivered += session->n_delivered[i];
	if (!session->source)
		return;
	losses->rows = mem_alloc((session->object->n_counters + 2 * session->object->n_handlers + 1) * sizeof(*losses->rows));
	count_rows(session, session->source->ops->globals(session->source), losses);
	if (session->source->ops->nested)
		count_nested(session, losses);
	if (session->source->ops->timed_out)
		count_timed_out(session, losses);
	if (losses->n_rows)
		qsort(losses->rows, losses->n_rows, sizeof(*losses->rows), compare_rows);
	session->source->ops->stats(session->source, &stats);
	losses->n_maps_lost = stats.n_maps_lost;
	losses->n_stacks_cut = stats.n_stacks_cut;
	losses->n_stacks_dropped = stats.n_stacks_dropped;
	losses->stack_bytes = stats.stack_bytes;
	losses->n_foreign_calls = stats.n_foreign_calls;
}

void
losses_fini(struct losses *losses)
{
	free(losses->rows);
	*losses = (struct losses){ 0 };
}

/* ---- told ------------------------------------------------------------ */

static void
report_row(const struct object *object, const struct loss *row, FILE *messages)
{
	const char *severity = counter_is_error(row->kind) ? "error" : "warning";
	const struct script *script = object->script;

	if (script)
		script_print_place(script, row->span, messages);
	else
		fprintf(messages, "%s: ", object->name);
	fprintf(messages, "%s: %s, %s%llu ", severity, counter_text(row->kind), row->is_most ? "at most " : "", (unsigned long long)row->n);
	if (row->kind == COUNTER_RECORD_LOST)
		fprintf(messages, "of %llu ", (unsigned long long)(row->n + row->n_delivered));
	fprintf(messages, "time%s [%s]\n", row->n == 1 && !row->n_delivered ? "" : "s", counter_slug(row->kind));
	if (script)
		script_print_quote(script, row->span, messages);
	if (counter_help(row->kind))
		fprintf(messages, "help: %s\n", counter_help(row->kind));
}

unsigned
session_report(const struct session *session, const struct losses *losses)
{
	FILE *messages = session_messages(session->options);
	unsigned n_errors = 0;

	for (uint32_t i = 0; i < losses->n_rows; i++) {
		n_errors += counter_is_error(losses->rows[i].kind);
		report_row(session->object, &losses->rows[i], messages);
	}
	if (losses->n_maps_lost)
		complain_to(messages, "warning: %llu reports of what processes loaded were lost: names may be missing in user stacks",
			 (unsigned long long)losses->n_maps_lost);
	if (losses->n_stacks_cut)
		complain_to(messages, "warning: %llu user stack%s went on beyond the %u bytes that were copied: their last frames are missing%s",
			 (unsigned long long)losses->n_stacks_cut, losses->n_stacks_cut == 1 ? "" : "s", losses->stack_bytes,
			 losses->stack_bytes < STACK_BYTES_MAX ? " (--unwind=dwarf,64k copies more)" : "");
	if (losses->n_stacks_dropped)
		complain_to(messages, "warning: %llu entries of full tables were lost when equal user stacks were put together",
			 (unsigned long long)losses->n_stacks_dropped);
	if (losses->n_foreign_calls)
		complain_to(messages, "warning: %llu system call%s not seen: made by the numbers of 32-bit programs (i386) or of x32, which stand for other calls",
			 (unsigned long long)losses->n_foreign_calls, losses->n_foreign_calls == 1 ? " was" : "s were");
	if (losses->n_misfits)
		complain_to(messages, "warning: %llu records do not fit their print statement and are left out",
			 (unsigned long long)losses->n_misfits);
	return n_errors;
}

enum exit_status
report_recording(const struct source_stats *stats, FILE *messages)
{
	if (stats->n_lost)
		complain_to(messages, "warning: recording '%s' lacks %llu event%s that were lost while it was made", stats->recording,
			 (unsigned long long)stats->n_lost, stats->n_lost == 1 ? "" : "s");
	if (!stats->n_damaged)
		return STATUS_OK;
	complain_to(messages, "recording '%s' is damaged: %llu part%s left out; the first: %s [%s]", stats->recording,
		 (unsigned long long)stats->n_damaged, stats->n_damaged == 1 ? " is" : "s are", stats->damage, "recording-damaged");
	return STATUS_SCRIPT;
}
