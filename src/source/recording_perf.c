/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Reads perf.data, as `perf record -e SYSTEM:NAME` writes it (tools/perf/Documentation/perf.data-file-format.txt).
 *
 *     a file:            header | attributes, each with the ids of its events | records ... | sections: among them the formats
 *     perf record -o -   header of 16 bytes | records ..., among them attributes and formats
 *
 * The records of all CPUs are mixed. Opening goes through them once, notes where those of each CPU are, one stream a CPU, and puts them in the
 * order of time where the file has them in another: with a buffer for each thread, or where some were packed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "source/recording_dat.h"
#include "source/recording_perf.h"

#define HEADER_SIZE     104
#define PIPE_SIZE       16  /* of the header that a pipe gets */
#define FEATURE_BITS    256
#define FEATURE_TRACING 1
#define ATTR_MIN        64  /* PERF_ATTR_SIZE_VER0 */
#define ATTRS_MAX       65536
#define MUST_HOLD       (PERF_SAMPLE_TID | PERF_SAMPLE_TIME | PERF_SAMPLE_RAW)

/* The records of a CPU: places in the file's records, behind which the unpacked ones are counted on. */
struct perf_cpu {
	uint32_t cpu;
	struct perf_place { uint64_t at, time_ns; } *places;
	uint32_t n, cap;
	bool is_mixed;       /* not in the order of time, so far */
	uint32_t next;
	uint64_t chain[PERF_CHAIN_MAX]; /* of the event read last */
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

/* ---- attributes -------------------------------------------------------------------------------------------------- */

static int
add_id(struct recording *recording, uint64_t id, uint32_t layout)
{
	struct perf *perf = recording->format;
	struct perf_id *ids = mem_grow(perf->ids, perf->n_ids, &perf->cap_ids, sizeof(*ids));

	if (!ids)
		return -ENOMEM;
	perf->ids = ids;
	ids[perf->n_ids++] = (struct perf_id){ id, layout };
	return 0;
}

/* The ids of all attributes together are no more than fit into the file. */
static int
add_ids(struct recording *recording, struct bytes ids, uint32_t layout)
{
	struct perf *perf = recording->format;
	int err = 0;

	while (bytes_left(&ids) >= 8 && err == 0) {
		if (perf->n_ids >= recording->len / 8) {
			recording_damage(recording, "there are more ids of events than the file has room for");
			break;
		}
		err = add_id(recording, take_u64(&ids), layout);
	}
	return err;
}

static bool
same_layout(const struct perf_layout *a, const struct perf_layout *b)
{
	return a->sample_type == b->sample_type && a->read_format == b->read_format && a->has_trailer == b->has_trailer && a->is_read == b->is_read;
}

static int
add_attribute(struct recording *recording, struct bytes in, struct bytes ids, struct text *why)
{
	struct perf *perf = recording->format;
	struct perf_event_attr attr = { 0 };
	struct perf_layout layout;
	uint32_t i = 0;

	memcpy(&attr, in.at, bytes_left(&in) < sizeof(attr) ? bytes_left(&in) : sizeof(attr));
	layout = (struct perf_layout){
		.sample_type = attr.sample_type,
		.read_format = attr.read_format,
		.has_trailer = attr.sample_id_all,
		.is_read = attr.type == PERF_TYPE_TRACEPOINT && (attr.sample_type & MUST_HOLD) == MUST_HOLD,
	};
	while (i < perf->n_layouts && !same_layout(&perf->layouts[i], &layout))
		i++;
	if (i == PERF_LAYOUTS_MAX) {
		text_printf(why, "recording '%s' has events of more than %u kinds of samples", recording->path, PERF_LAYOUTS_MAX);
		return -EOPNOTSUPP;
	}
	if (i == perf->n_layouts)
		perf->layouts[perf->n_layouts++] = layout;
	/* Of --call-graph dwarf the process's part is a copy of its stack, which ktap does not unwind. */
	if (layout.is_read && (layout.sample_type & PERF_SAMPLE_CALLCHAIN))
		recording->holds |= (attr.exclude_callchain_kernel ? 0 : HOLDS_STACKS) | (attr.exclude_callchain_user ? 0 : HOLDS_USTACKS);
	return add_ids(recording, ids, i);
}

static int
compare_ids(const void *a, const void *b)
{
	const struct perf_id *p = a, *q = b;

	return p->id < q->id ? -1 : p->id > q->id;
}

/* All attributes are there: can the records be told apart, and are there any to read? */
static int
check_attributes(struct recording *recording, struct text *why)
{
	struct perf *perf = recording->format;
	bool has_ids = true, is_read = false;

	for (uint32_t i = 0; i < perf->n_layouts; i++) {
		const struct perf_layout *layout = &perf->layouts[i];

		has_ids = has_ids && (layout->sample_type & PERF_SAMPLE_IDENTIFIER);
		is_read = is_read || layout->is_read;
	}
	recording->holds |= HOLDS_PIDS;
	if (!is_read) {
		text_printf(why, "recording '%s' holds no tracepoints with time and thread; `perf record -e SYSTEM:NAME` makes such",
			    recording->path);
		return -EINVAL;
	}
	if (perf->n_layouts > 1 && !has_ids) {
		text_printf(why, "recording '%s' mixes events whose samples hold different things, and do not say whose they are; record tracepoints "
			    "alone", recording->path);
		return -EOPNOTSUPP;
	}
	if (perf->n_ids)
		qsort(perf->ids, perf->n_ids, sizeof(*perf->ids), compare_ids);
	return 0;
}

/* ---- which records there are --------------------------------------------------------------------------------------- */

static struct perf_cpu *
records_of(struct recording *recording, uint32_t cpu)
{
	struct perf *perf = recording->format;
	struct perf_cpu *more;

	for (uint32_t i = 0; i < recording->n_streams; i++)
		if (perf->cpus[i].cpu == cpu)
			return &perf->cpus[i];
	more = mem_realloc(perf->cpus, (recording->n_streams + 1) * sizeof(*more));
	if (!more)
		return NULL;
	perf->cpus = more;
	perf->cpus[recording->n_streams] = (struct perf_cpu){ .cpu = cpu };
	return &perf->cpus[recording->n_streams++];
}

static int
note_place(struct recording *recording, const struct recorded *event, uint64_t at)
{
	struct perf_cpu *records;
	struct perf_place *places;

	if (event->cpu >= RECORDED_CPUS_MAX) {
		recording_damage(recording, "an event of CPU %u: there are at most %u", event->cpu, RECORDED_CPUS_MAX);
		return 0;
	}
	records = records_of(recording, event->cpu);
	if (!records)
		return -ENOMEM;
	places = mem_grow(records->places, records->n, &records->cap, sizeof(*places));
	if (!places)
		return -ENOMEM;
	records->places = places;
	records->is_mixed = records->is_mixed || (records->n && event->time_ns < places[records->n - 1].time_ns);
	places[records->n++] = (struct perf_place){ at, event->time_ns };
	return 0;
}

/* What a record tells of the recording itself. */
static void
note_loss(struct recording *recording, struct perf_record *record)
{
	switch (record->type) {
	case PERF_RECORD_LOST:
		take_u64(&record->body);
		recording->gaps.n_lost += take_u64(&record->body);
		break;
	case PERF_RECORD_LOST_SAMPLES:
		recording->gaps.n_lost += take_u64(&record->body);
		break;
	}
}

/* Notes the records of a block, which are so many bytes behind the first ones. */
static int
index_records(struct recording *recording, struct bytes in, uint64_t base, const char *what)
{
	struct perf *perf = recording->format;
	const unsigned char *start = in.at, *at = start;
	uint64_t chain[PERF_CHAIN_MAX];
	struct perf_record record;
	struct recorded event;
	int err = 0;

	for (; err == 0 && perf_take(&in, &record); at = in.at) {
		switch (perf_parse(perf, &record, chain, &event)) {
		case PERF_EVENT:
			err = note_place(recording, &event, base + (uint64_t)(at - start));
			break;
		case PERF_OTHER:
			note_loss(recording, &record);
			break;
		case PERF_BROKEN:
			recording_damage(recording, "byte %zu of %s: a sample that cannot be read", (size_t)(at - start), what);
			break;
		}
	}
	if (in.is_short)
		recording_damage(recording, "byte %zu of %s: a record says that it is longer than they are", (size_t)(at - start), what);
	return err;
}

static int
compare_places(const void *a, const void *b)
{
	const struct perf_place *p = a, *q = b;

	if (p->time_ns != q->time_ns)
		return p->time_ns < q->time_ns ? -1 : 1;
	return p->at < q->at ? -1 : p->at > q->at;
}

static void
order_records(struct recording *recording)
{
	struct perf *perf = recording->format;

	for (uint32_t i = 0; i < recording->n_streams; i++)
		if (perf->cpus[i].is_mixed)
			qsort(perf->cpus[i].places, perf->cpus[i].n, sizeof(struct perf_place), compare_places);
}

/* ---- packed records ------------------------------------------------------------------------------------------------- */

/* The packed bytes of a record; false: it has none. */
static bool
packed_in(const struct perf_record *record, struct bytes *packed)
{
	*packed = record->body;
	if (record->type == PERF_OWN_COMPRESSED2)
		*packed = take_block(packed, take_u64(packed));
	return record->type == PERF_OWN_COMPRESSED || record->type == PERF_OWN_COMPRESSED2;
}

/* Packed records are one stream, cut into pieces anywhere: what is behind a damaged one is lost. */
static int
unpack_records(struct recording *recording)
{
	struct perf *perf = recording->format;
	struct bytes in = perf->records, packed;
	struct perf_record record;
	int err = 0;

	while (err == 0 && perf_take(&in, &record)) {
		if (!packed_in(&record, &packed))
			continue;
		if (!perf->unpacker)
			err = unpacker_new(&perf->unpacker, recording->len);
		if (err == 0)
			err = unpacker_add(perf->unpacker, packed);
	}
	if (err == -EOPNOTSUPP)
		recording_damage(recording, "its records are packed (perf record -z), and this ktap was built without libzstd");
	else if (err == -EINVAL)
		recording_damage(recording, "byte %zu of the records: packed ones cannot be unpacked", (size_t)(in.at - perf->records.at));
	if (perf->unpacker)
		perf->unpacked = unpacker_bytes(perf->unpacker);
	return err == -ENOMEM ? err : 0;
}

static int
read_records(struct recording *recording)
{
	struct perf *perf = recording->format;
	int err = unpack_records(recording);

	if (err == 0)
		err = index_records(recording, perf->records, 0, "the records");
	if (err == 0)
		err = index_records(recording, perf->unpacked, bytes_left(&perf->records), "the unpacked records");
	order_records(recording);
	return err;
}

/* ---- formats -------------------------------------------------------------------------------------------------------- */

/* As in trace.dat of version 6, without what follows the names of threads. */
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

/* ---- a file --------------------------------------------------------------------------------------------------------- */

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

static int
read_attributes(struct recording *recording, struct bytes attrs, uint64_t attr_size, struct text *why)
{
	int err = 0;

	for (uint32_t n = 0; bytes_left(&attrs) >= attr_size && n < ATTRS_MAX && err == 0; n++) {
		struct bytes attr = take_block(&attrs, attr_size - sizeof(struct file_section));
		struct bytes ids = block_at(recording, take_section(&attrs), "the ids of events");

		err = add_attribute(recording, attr, ids, why);
	}
	return err;
}

static int
read_file(struct recording *recording, struct bytes in, struct text *why)
{
	struct perf *perf = recording->format;
	uint64_t attr_size = take_u64(&in);
	struct file_section attrs = take_section(&in), data = take_section(&in);
	int err;

	take_section(&in); /* types of events, in old files */
	if (in.is_short || bytes_left(&in) < FEATURE_BITS / 8) {
		text_printf(why, "recording '%s' is cut within its header", recording->path);
		return -EINVAL;
	}
	if (attr_size < ATTR_MIN + sizeof(struct file_section) || attr_size > 4096) {
		text_printf(why, "recording '%s' is damaged at its very beginning", recording->path);
		return -EINVAL;
	}
	err = read_attributes(recording, block_at(recording, attrs, "the attributes of events"), attr_size, why);
	if (err < 0)
		return err;
	perf->records = block_at(recording, data, "the records");
	if (!data.size)
		recording_damage(recording, "`perf record` was ended before it said what it holds");
	read_features(recording, data, in);
	return 0;
}

/* ---- perf record -o - ------------------------------------------------------------------------------------------------- */

/* An attribute, which says its own size, and the ids of its events. */
static int
read_pipe_attribute(struct recording *recording, struct bytes ids, struct text *why)
{
	struct bytes attr = ids;
	uint32_t size;

	take_u32(&attr); /* type */
	size = take_u32(&attr);
	attr = take_block(&ids, size ? size : ATTR_MIN);
	if (ids.is_short || bytes_left(&attr) < ATTR_MIN) {
		recording_damage(recording, "the attribute of an event cannot be read");
		return 0;
	}
	return add_attribute(recording, attr, ids, why);
}

static int
read_pipe(struct recording *recording, struct bytes in, struct text *why)
{
	struct perf *perf = recording->format;
	struct perf_record record;
	int err = 0;

	perf->records = in;
	while (err == 0 && perf_take(&in, &record)) {
		if (record.type == PERF_OWN_ATTR)
			err = read_pipe_attribute(recording, record.body, why);
		if (record.type == PERF_OWN_TRACING_DATA)
			read_tracing_data(recording, record.behind);
	}
	return err;
}

static int
perf_open(struct recording *recording, struct text *why)
{
	struct bytes in = bytes_of(recording->data + PERF_MAGIC_LEN, recording->len - PERF_MAGIC_LEN);
	int err;

	if (memcmp(recording->data, PERF_MAGIC_BIG, PERF_MAGIC_LEN) == 0) {
		text_printf(why, "recording '%s' comes from a big-endian machine, whose records ktap does not read", recording->path);
		return -EOPNOTSUPP;
	}
	recording->format = mem_alloc(sizeof(struct perf));
	err = !recording->format ? -ENOMEM : take_u64(&in) == PIPE_SIZE ? read_pipe(recording, in, why) : read_file(recording, in, why);
	if (err == 0)
		err = check_attributes(recording, why);
	if (err == 0)
		err = read_records(recording);
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

static struct bytes
records_from(const struct perf *perf, uint64_t at)
{
	struct bytes in = perf->records;

	if (at >= bytes_left(&in)) {
		at -= bytes_left(&in);
		in = perf->unpacked;
	}
	take_block(&in, at);
	return in;
}

static bool
perf_next(struct recording *recording, uint32_t stream, struct recorded *event)
{
	struct perf *perf = recording->format;
	struct perf_cpu *records = &perf->cpus[stream];
	struct perf_record record;
	struct bytes in;

	if (records->next == records->n)
		return false;
	in = records_from(perf, records->places[records->next++].at);
	return perf_take(&in, &record) && perf_parse(perf, &record, records->chain, event) == PERF_EVENT;
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
	free(perf->ids);
	if (perf->unpacker)
		unpacker_free(perf->unpacker);
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
