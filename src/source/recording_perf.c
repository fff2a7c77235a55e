/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Reads perf.data, as `perf record -e SYSTEM:NAME` writes it (tools/perf/Documentation/perf.data-file-format.txt; perf_event_open(2) for
 * the records): samples of tracepoints with their raw data, call chains, names and processes of threads.
 *
 *     header | attributes, each with the ids of its events | records ... | sections: among them the formats (HEADER_TRACING_DATA)
 *
 * The records of all CPUs are mixed, each CPU's in order. Opening goes through them once and notes where those of each CPU begin: one
 * stream a CPU. Samples of other events (hardware counters, timers) have no raw data and are passed over.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>

#include "source/recording_dat.h"
#include "source/recording_perf.h"

#define HEADER_SIZE       104
#define FEATURE_BITS      256
#define FEATURE_TRACING   1
#define ATTR_MIN          64  /* PERF_ATTR_SIZE_VER0 */
#define ATTRS_MAX         65536
#define RECORD_COMPRESSED 81
#define RECORD_COMPRESSED2 83
#define CONTEXT_MIN       ((uint64_t)-4095) /* addresses above are marks of a call chain */
#define CHAIN_MAX         128

/* Where the parts of a sample stand, which its attribute says; all that ktap reads has this order. */
struct layout {
	uint64_t sample_type, read_format;
};

/* The records of a CPU: places in the file, in units of 8 bytes from the start of the records. */
struct cpu_records {
	uint32_t cpu;
	uint32_t *places;
	uint32_t n, cap;
	uint32_t next;
	uint64_t chain[CHAIN_MAX]; /* of the event read last */
};

struct perf {
	struct bytes records;
	struct layout layout;
	struct cpu_records *cpus;
};

struct file_section {
	uint64_t offset, size;
};

static struct file_section
take_section(struct bytes *in)
{
	struct file_section section;

	section.offset = take_u64(in);
	section.size = take_u64(in);
	return section;
}

static struct bytes
block_at(struct recording *recording, struct file_section section, const char *what)
{
	struct bytes file = bytes_of(recording->data, recording->len);

	take_block(&file, section.offset);
	if (section.size > bytes_left(&file)) {
		recording_damage(recording, "%s: the file ends before it does", what);
		section.size = bytes_left(&file);
	}
	return take_block(&file, section.size);
}

/* ---- samples --------------------------------------------------------------------------------------------------- */

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
take_chain(struct bytes *in, uint64_t addresses[CHAIN_MAX], struct recorded *event)
{
	uint64_t n = take_u64(in), address, context = PERF_CONTEXT_KERNEL;
	struct bytes chain = take_block(in, n > UINT32_MAX ? UINT64_MAX : 8 * n);
	uint32_t n_all = 0;

	event->stack = event->ustack = addresses;
	while (bytes_left(&chain) && n_all < CHAIN_MAX) {
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

/* Reads the parts of a sample up to its raw data. False: it has none, or is cut. */
static bool
parse_sample(const struct perf *perf, struct bytes in, uint64_t addresses[CHAIN_MAX], struct recorded *event)
{
	uint64_t type = perf->layout.sample_type;
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
		skip_read(&in, perf->layout.read_format);
	if (type & PERF_SAMPLE_CALLCHAIN)
		take_chain(&in, addresses, event);
	if (!(type & PERF_SAMPLE_RAW) || in.is_short)
		return false;
	raw = take_block(&in, take_u32(&in));
	event->record = raw.at;
	event->len = (uint32_t)bytes_left(&raw);
	event->id = (uint32_t)take_u16(&raw);
	return !raw.is_short && !in.is_short && event->len >= 8 && event->len <= RECORDED_MAX && event->id != RECORDED_THREAD;
}

/* ---- records that tell of threads ------------------------------------------------------------------------------- */

/* The time and CPU that stand at the end of records that are no samples (sample_id_all). */
static void
take_trailer(const struct perf *perf, struct bytes in, struct recorded *event)
{
	static const uint64_t in_order[] = { PERF_SAMPLE_TID,       PERF_SAMPLE_TIME, PERF_SAMPLE_ID,
					     PERF_SAMPLE_STREAM_ID, PERF_SAMPLE_CPU,  PERF_SAMPLE_IDENTIFIER };
	uint64_t type = perf->layout.sample_type;
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
static bool
parse_thread(const struct perf *perf, uint32_t type, struct bytes in, struct recorded *event)
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
	take_trailer(perf, whole, event);
	return !in.is_short;
}

/* A record of the file, with room for its call chain; false: none that ktap reads. */
static bool
parse_record(const struct perf *perf, const struct perf_event_header *header, struct bytes body, uint64_t addresses[CHAIN_MAX],
	     struct recorded *event)
{
	*event = (struct recorded){ 0 };
	switch (header->type) {
	case PERF_RECORD_SAMPLE:
		return parse_sample(perf, body, addresses, event);
	case PERF_RECORD_COMM:
	case PERF_RECORD_FORK:
		return parse_thread(perf, header->type, body, event);
	}
	return false;
}

/* Takes the next record of the file; false at its end, or where it is cut. */
static bool
take_record(struct bytes *in, struct perf_event_header *header, struct bytes *body)
{
	struct bytes at = *in;

	if (bytes_left(in) < sizeof(*header))
		return false;
	memcpy(header, in->at, sizeof(*header));
	if (header->size < sizeof(*header) || header->size > bytes_left(in)) {
		in->is_short = true;
		return false;
	}
	take_block(in, header->size);
	at.end = in->at;
	take_block(&at, sizeof(*header));
	*body = at;
	return true;
}

/* ---- opening ----------------------------------------------------------------------------------------------------- */

static struct cpu_records *
records_of(struct recording *recording, uint32_t cpu)
{
	struct perf *perf = recording->format;
	struct cpu_records *more;

	for (uint32_t i = 0; i < recording->n_streams; i++)
		if (perf->cpus[i].cpu == cpu)
			return &perf->cpus[i];
	more = mem_realloc(perf->cpus, (recording->n_streams + 1) * sizeof(*more));
	if (!more)
		return NULL;
	perf->cpus = more;
	perf->cpus[recording->n_streams] = (struct cpu_records){ .cpu = cpu };
	return &perf->cpus[recording->n_streams++];
}

static int
note_place(struct recording *recording, uint32_t cpu, const unsigned char *at)
{
	struct perf *perf = recording->format;
	struct cpu_records *records;
	uint32_t cap, *more;

	if (cpu >= RECORDED_CPUS_MAX) {
		recording_damage(recording, "byte %zu: an event of CPU %u: there are at most %u", (size_t)(at - recording->data), cpu,
				 RECORDED_CPUS_MAX);
		return 0;
	}
	records = records_of(recording, cpu);
	if (!records)
		return -ENOMEM;
	if (records->n == records->cap) {
		cap = records->cap ? 2 * records->cap : 1024;
		more = mem_realloc(records->places, cap * sizeof(*more));
		if (!more)
			return -ENOMEM;
		records->places = more;
		records->cap = cap;
	}
	records->places[records->n++] = (uint32_t)((size_t)(at - perf->records.at) / 8);
	return 0;
}

/* What a record tells of the recording itself. */
static void
note_loss(struct recording *recording, const struct perf_event_header *header, struct bytes body)
{
	switch (header->type) {
	case PERF_RECORD_LOST:
		take_u64(&body);
		recording->gaps.n_lost += take_u64(&body);
		break;
	case PERF_RECORD_LOST_SAMPLES:
		recording->gaps.n_lost += take_u64(&body);
		break;
	case RECORD_COMPRESSED:
	case RECORD_COMPRESSED2:
		recording_damage(recording, "its records are packed (perf record -z), which ktap does not read");
		break;
	}
}

static int
index_records(struct recording *recording)
{
	struct perf *perf = recording->format;
	struct bytes in = perf->records, body;
	struct perf_event_header header;
	uint64_t addresses[CHAIN_MAX];
	struct recorded event;
	const unsigned char *at = in.at;
	int err = 0;

	for (; err == 0 && take_record(&in, &header, &body); at = in.at) {
		if (parse_record(perf, &header, body, addresses, &event))
			err = note_place(recording, event.cpu, at);
		else if (header.type == PERF_RECORD_SAMPLE && perf->layout.sample_type & PERF_SAMPLE_RAW)
			recording_damage(recording, "byte %zu: a sample that cannot be read", (size_t)(at - recording->data));
		else
			note_loss(recording, &header, body);
	}
	if (in.is_short)
		recording_damage(recording, "byte %zu: a record says that it is longer than the file", (size_t)(at - recording->data));
	return err;
}

/* HEADER_TRACING_DATA: the formats, as in trace.dat of version 6 (without what follows the names of threads). */
static void
read_tracing_data(struct recording *recording, struct bytes in)
{
	const char *version;
	bool has_cmdlines;

	if (!take_bytes(&in, DAT_MAGIC, DAT_MAGIC_LEN)) {
		recording_damage(recording, "the formats of events are not where they should be");
		return;
	}
	version = take_cstring(&in);
	has_cmdlines = strcmp(version, "0.6") >= 0;
	take_block(&in, 2); /* order of bytes, bytes of a long */
	take_u32(&in);      /* size of a page */
	header_page(recording, &in);
	header_ftrace_formats(recording, &in);
	header_event_formats(recording, &in);
	header_kallsyms(recording, take_block(&in, take_u32(&in)));
	take_block(&in, take_u32(&in));
	if (has_cmdlines)
		header_cmdlines(recording, take_block(&in, take_u64(&in)));
}

/* The sections of features stand behind the records, one for each bit that is set. */
static void
read_features(struct recording *recording, struct file_section data, struct bytes bits)
{
	struct file_section where = { data.offset + data.size, 0 };
	struct bytes table;

	for (uint32_t i = 0; i < FEATURE_BITS / 8; i++)
		where.size += 16 * (uint64_t)__builtin_popcount(bits.at[i]);
	table = block_at(recording, where, "the list of what follows the records");
	for (uint32_t bit = 0; bit < FEATURE_BITS; bit++) {
		struct file_section section;

		if (!(bits.at[bit / 8] >> bit % 8 & 1))
			continue;
		section = take_section(&table);
		if (bit == FEATURE_TRACING && !table.is_short)
			read_tracing_data(recording, block_at(recording, section, "the formats of events"));
	}
}

/* All attributes must lay out samples alike, as those of one perf record do that records tracepoints alone. */
static int
read_attributes(struct recording *recording, struct bytes attrs, uint64_t attr_size, struct text *why)
{
	struct perf *perf = recording->format;
	uint32_t n = 0;

	for (; bytes_left(&attrs) >= attr_size && n < ATTRS_MAX; n++) {
		struct bytes block = take_block(&attrs, attr_size);
		struct perf_event_attr attr = { 0 };
		struct layout layout;

		memcpy(&attr, block.at, attr_size - 16 < sizeof(attr) ? attr_size - 16 : sizeof(attr));
		layout = (struct layout){ attr.sample_type, attr.read_format };
		if (n && memcmp(&layout, &perf->layout, sizeof(layout)) != 0) {
			text_printf(why, "recording '%s' mixes events whose samples hold different things; record tracepoints alone",
				    recording->path);
			return -EOPNOTSUPP;
		}
		perf->layout = layout;
	}
	if (n && (perf->layout.sample_type & (PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_RAW)) ==
			 (PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_RAW))
		return 0;
	text_printf(why, "recording '%s' holds no tracepoints with time and thread; `perf record -e SYSTEM:NAME` makes such", recording->path);
	return -EINVAL;
}

static int
read_file(struct recording *recording, struct text *why)
{
	struct perf *perf = recording->format;
	struct bytes in = bytes_of(recording->data + 8, HEADER_SIZE - 8);
	uint64_t attr_size;
	struct file_section attrs, data;
	int err;

	take_u64(&in); /* size of the header */
	attr_size = take_u64(&in);
	attrs = take_section(&in);
	data = take_section(&in);
	take_section(&in); /* types of events, in old files */
	if (attr_size < ATTR_MIN + 16 || attr_size > 4096 || data.offset % 8) {
		text_printf(why, "recording '%s' is damaged at its very beginning", recording->path);
		return -EINVAL;
	}
	err = read_attributes(recording, block_at(recording, attrs, "the attributes of events"), attr_size, why);
	if (err < 0)
		return err;
	perf->records = block_at(recording, data, "the records");
	recording->holds = HOLDS_PIDS;
	if (perf->layout.sample_type & PERF_SAMPLE_CALLCHAIN)
		recording->holds |= HOLDS_STACKS | HOLDS_USTACKS;
	read_features(recording, data, in);
	return index_records(recording);
}

static int
perf_open(struct recording *recording, struct text *why)
{
	int err;

	if (recording->len < HEADER_SIZE) {
		text_printf(why, "recording '%s' is cut within its header", recording->path);
		return -EINVAL;
	}
	recording->format = mem_alloc(sizeof(struct perf));
	err = recording->format ? read_file(recording, why) : -ENOMEM;
	if (err == -ENOMEM)
		text_printf(why, "no memory for recording '%s'", recording->path);
	return err;
}

/* ---- reading ------------------------------------------------------------------------------------------------------ */

static void
perf_rewind(struct recording *recording)
{
	struct perf *perf = recording->format;

	for (uint32_t i = 0; i < recording->n_streams; i++)
		perf->cpus[i].next = 0;
}

static bool
perf_next(struct recording *recording, uint32_t stream, struct recorded *event)
{
	struct perf *perf = recording->format;
	struct cpu_records *records = &perf->cpus[stream];
	struct perf_event_header header;
	struct bytes in, body;

	if (records->next == records->n)
		return false;
	in = perf->records;
	take_block(&in, 8 * (uint64_t)records->places[records->next++]);
	return take_record(&in, &header, &body) && parse_record(perf, &header, body, records->chain, event);
}

static uint64_t
perf_size(const struct recording *recording, uint32_t stream)
{
	return ((const struct perf *)recording->format)->cpus[stream].n;
}

static void
perf_close(struct recording *recording)
{
	struct perf *perf = recording->format;

	if (!perf)
		return;
	for (uint32_t i = 0; i < recording->n_streams; i++)
		free(perf->cpus[i].places);
	free(perf->cpus);
	free(perf);
}

const struct recording_ops recording_perf_ops = {
	.name = "perf.data",
	.open = perf_open,
	.rewind = perf_rewind,
	.next = perf_next,
	.size = perf_size,
	.close = perf_close,
};
