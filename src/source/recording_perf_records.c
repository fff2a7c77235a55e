/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The records of perf.data (perf_event_open(2); perf.data-file-format.txt of perf for those that perf adds): samples of tracepoints with their
 * raw data and call chains, names and processes of threads.
 *
 * What a record holds, its event's attribute says. Where the attributes differ, every record has the number of its event (PERF_SAMPLE_IDENTIFIER):
 * a sample at its begin, others at their end.
 */
#include <stdlib.h>
#include <string.h>

#include "source/recording_perf.h"

#define CONTEXT_MIN ((uint64_t)-4095) /* addresses above are marks of a call chain */
#define NO_ID       UINT32_MAX        /* perf says -1 of a task that is being released */
#define COMMON_PID  4

/* Data that stands behind a record. */
static uint64_t
size_behind(uint32_t type, struct bytes body)
{
	return type == PERF_OWN_TRACING_DATA ? take_u32(&body) : type == PERF_OWN_AUXTRACE ? take_u64(&body) : 0;
}

bool
perf_take(struct bytes *in, struct perf_record *record)
{
	struct perf_event_header header;
	struct bytes body;

	if (bytes_left(in) < sizeof(header))
		return false;
	memcpy(&header, in->at, sizeof(header));
	if (header.size < sizeof(header)) {
		in->is_short = true;
		return false;
	}
	take_block(in, sizeof(header));
	body = take_block(in, header.size - sizeof(header));
	*record = (struct perf_record){ header.type, body, take_block(in, size_behind(header.type, body)) };
	return !in->is_short;
}

/* ---- layouts ---------------------------------------------------------------------------------------------------- */

static int
compare_id(const void *key, const void *entry)
{
	uint64_t a = *(const uint64_t *)key, b = ((const struct perf_id *)entry)->id;

	return a < b ? -1 : a > b;
}

/* The layout of a record; one that holds nothing, if its event is not known. Records that perf makes up have 0, and the first layout. */
static const struct perf_layout *
layout_of(const struct perf *perf, const struct perf_record *record)
{
	static const struct perf_layout nothing;
	struct bytes body = record->body;
	const struct perf_id *found;
	uint64_t id;

	if (perf->n_layouts == 1)
		return perf->layouts;
	if (record->type != PERF_RECORD_SAMPLE && bytes_left(&body) > sizeof(id))
		take_block(&body, bytes_left(&body) - sizeof(id));
	id = take_u64(&body);
	if (!id)
		return perf->layouts;
	found = perf->n_ids ? bsearch(&id, perf->ids, perf->n_ids, sizeof(*perf->ids), compare_id) : NULL;
	return found ? &perf->layouts[found->layout] : &nothing;
}

/* ---- samples ---------------------------------------------------------------------------------------------------- */

static void
skip_read(struct bytes *in, uint64_t format)
{
	uint64_t n = 1, words = 1;

	if (format & PERF_FORMAT_GROUP)
		n = take_u64(in);
	else
		take_u64(in);
	if (format & PERF_FORMAT_TOTAL_TIME_ENABLED)
		take_u64(in);
	if (format & PERF_FORMAT_TOTAL_TIME_RUNNING)
		take_u64(in);
	if (!(format & PERF_FORMAT_GROUP))
		words = 0;
	words += !!(format & PERF_FORMAT_ID) + !!(format & PERF_FORMAT_LOST);
	take_block(in, n > UINT32_MAX ? UINT64_MAX : 8 * n * words);
}

/* Splits a call chain at its marks into the kernel's part and the process's, each in one piece. */
static void
take_chain(struct bytes *in, uint64_t addresses[PERF_CHAIN_MAX], struct recorded *event)
{
	uint64_t n = take_u64(in), address, context = PERF_CONTEXT_KERNEL;
	struct bytes chain = take_block(in, n > UINT32_MAX ? UINT64_MAX : 8 * n);
	uint32_t n_all = 0;

	event->stack = event->ustack = addresses;
	while (bytes_left(&chain) && n_all < PERF_CHAIN_MAX) {
		address = take_u64(&chain);
		if (address >= CONTEXT_MIN) {
			context = address;
			if (context == PERF_CONTEXT_KERNEL) {
				event->stack = addresses + n_all;
				event->n_stack = 0;
			} else if (context == PERF_CONTEXT_USER) {
				event->ustack = addresses + n_all;
				event->n_ustack = 0;
			}
			continue;
		}
		addresses[n_all++] = address;
		event->n_stack += context == PERF_CONTEXT_KERNEL;
		event->n_ustack += context == PERF_CONTEXT_USER;
	}
}

/* A thread that ends has no number any more when it is switched away from, but the record still tells it. */
static void
mend_ids(struct recorded *event)
{
	if (event->tid == NO_ID)
		memcpy(&event->tid, event->record + COMMON_PID, sizeof(event->tid));
	if (event->pid == NO_ID)
		event->pid = 0;
}

/* All that ktap reads stands in this order, and before the rest. */
static enum perf_parsed
parse_sample(const struct perf_layout *layout, struct bytes in, uint64_t addresses[PERF_CHAIN_MAX], struct recorded *event)
{
	uint64_t type = layout->sample_type;
	struct bytes raw;

	take_block(&in, 8 * (!!(type & PERF_SAMPLE_IDENTIFIER) + !!(type & PERF_SAMPLE_IP)));
	if (type & PERF_SAMPLE_TID) {
		event->pid = take_u32(&in);
		event->tid = take_u32(&in);
	}
	if (type & PERF_SAMPLE_TIME)
		event->time_ns = take_u64(&in);
	take_block(&in, 8 * (!!(type & PERF_SAMPLE_ADDR) + !!(type & PERF_SAMPLE_ID) + !!(type & PERF_SAMPLE_STREAM_ID)));
	if (type & PERF_SAMPLE_CPU) {
		event->cpu = take_u32(&in);
		take_u32(&in);
	}
	if (type & PERF_SAMPLE_PERIOD)
		take_u64(&in);
	if (type & PERF_SAMPLE_READ)
		skip_read(&in, layout->read_format);
	if (type & PERF_SAMPLE_CALLCHAIN)
		take_chain(&in, addresses, event);
	raw = take_block(&in, take_u32(&in));
	event->record = raw.at;
	event->len = (uint32_t)bytes_left(&raw);
	event->id = (uint32_t)take_u16(&raw);
	if (raw.is_short || in.is_short || event->len < 8 || event->len > RECORDED_MAX || event->id == RECORDED_THREAD)
		return PERF_BROKEN;
	mend_ids(event);
	return PERF_EVENT;
}

/* ---- records that tell of threads ------------------------------------------------------------------------------- */

/* The time and CPU that stand at the end of records that are no samples (sample_id_all). */
static void
take_trailer(const struct perf_layout *layout, struct bytes in, struct recorded *event)
{
	static const uint64_t in_order[] = { PERF_SAMPLE_TID,       PERF_SAMPLE_TIME, PERF_SAMPLE_ID,
					     PERF_SAMPLE_STREAM_ID, PERF_SAMPLE_CPU,  PERF_SAMPLE_IDENTIFIER };
	uint64_t type = layout->has_trailer ? layout->sample_type : 0;
	size_t len = 0;

	for (size_t i = 0; i < ARRAY_SIZE(in_order); i++)
		len += type & in_order[i] ? 8 : 0;
	if (len > bytes_left(&in))
		return;
	take_block(&in, bytes_left(&in) - len);
	for (size_t i = 0; i < ARRAY_SIZE(in_order); i++) {
		uint64_t word = type & in_order[i] ? take_u64(&in) : 0;

		if ((type & in_order[i]) == PERF_SAMPLE_TIME)
			event->time_ns = word;
		else if ((type & in_order[i]) == PERF_SAMPLE_CPU)
			event->cpu = (uint32_t)word;
	}
}

/* PERF_RECORD_COMM: pid, tid, name. PERF_RECORD_FORK: pid, ppid, tid, ptid, time. */
static enum perf_parsed
parse_thread(const struct perf_layout *layout, uint32_t type, struct bytes in, struct recorded *event)
{
	struct bytes whole = in;

	event->id = RECORDED_THREAD;
	event->pid = take_u32(&in);
	if (type == PERF_RECORD_COMM) {
		event->tid = take_u32(&in);
		event->comm = take_cstring(&in);
	} else {
		take_u32(&in);
		event->tid = take_u32(&in);
		event->parent = take_u32(&in);
		event->time_ns = take_u64(&in);
	}
	take_trailer(layout, whole, event);
	return in.is_short ? PERF_OTHER : PERF_EVENT;
}

enum perf_parsed
perf_parse(const struct perf *perf, const struct perf_record *record, uint64_t chain[PERF_CHAIN_MAX], struct recorded *event)
{
	const struct perf_layout *layout;

	*event = (struct recorded){ 0 };
	switch (record->type) {
	case PERF_RECORD_SAMPLE:
		layout = layout_of(perf, record);
		if (!layout->sample_type)
			return PERF_BROKEN;
		return layout->is_read ? parse_sample(layout, record->body, chain, event) : PERF_OTHER;
	case PERF_RECORD_COMM:
	case PERF_RECORD_FORK:
		return parse_thread(layout_of(perf, record), record->type, record->body, event);
	}
	return PERF_OTHER;
}
