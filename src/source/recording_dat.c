/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Reads trace.dat, versions 6 and 7 (trace-cmd.dat.v6(5), trace-cmd.dat.v7(5)), from the mapped file. Of version 7 the packed parts are
 * unpacked into memory of their own.
 *
 *     6: magic, page size, header, formats, kallsyms, printk, cmdlines, CPUs, options, "flyrecord", offset and size a CPU | pages
 *     7: magic, page size, packing, offset of the options | sections in any order, to which the options point
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "source/recording_dat.h"

#define PAGE_SIZE_MAX  (1u << 26)
#define STREAMS_MAX    (4 * RECORDED_CPUS_MAX) /* of several instances */
#define SECTIONS_MAX   1024         /* options sections, each of which points to the next */
#define NAME_LEN       10           /* "options  ", "flyrecord" */
#define SECTION_PACKED 1
#define LOOK_FOR_STACKS 1000 /* events of each CPU */

struct dat {
	struct pages *pages;      /* one a stream */
	uint32_t page_size;
	bool is_64_bit;           /* the kernel that recorded */
	const char *packing;      /* version 7 */
	unsigned char **unpacked; /* owned */
	uint32_t n_unpacked, cap_unpacked;
	uint64_t unpacked_len;    /* of all */
	uint32_t cap_pages;
};

/* ---- streams ----------------------------------------------------------------------------------------------- */

static uint32_t
stack_event(const struct recording *recording, const char *name)
{
	const struct event *event = events_find(recording->events, "ftrace", name);

	return event && event->id >= 0 ? (uint32_t)event->id : UINT32_MAX;
}

/* Adds the pages of a CPU. Returns 0 or -ENOMEM. */
static int
add_pages(struct recording *recording, uint32_t cpu, struct bytes data, uint32_t page_size)
{
	struct dat *dat = recording->format;
	struct pages *pages;

	if (recording->n_streams == STREAMS_MAX) {
		recording_damage(recording, "there are more than %u streams of events", STREAMS_MAX);
		return 0;
	}
	pages = mem_grow(dat->pages, recording->n_streams, &dat->cap_pages, sizeof(*pages));
	if (!pages)
		return -ENOMEM;
	dat->pages = pages;
	pages[recording->n_streams] = (struct pages){
		.recording = recording,
		.stream = recording->n_streams,
		.cpu = cpu,
		.data = data.at,
		.len = bytes_left(&data),
		.page_size = page_size,
	};
	recording->n_streams++;
	return 0;
}

/* The part of the file from an offset on; what lies behind its end is damage. */
static struct bytes
part(struct recording *recording, uint64_t offset, uint64_t len, const char *what)
{
	struct bytes file = bytes_of(recording->data, recording->len);

	take_block(&file, offset);
	if (len > bytes_left(&file)) {
		recording_damage(recording, "%s: the file ends before it does", what);
		len = bytes_left(&file);
	}
	return take_block(&file, len);
}

/* ---- version 6 ------------------------------------------------------------------------------------------------ */

static int
streams_6(struct recording *recording, struct bytes *in, uint32_t n_cpus)
{
	struct dat *dat = recording->format;
	int err = 0;

	if (!take_bytes(in, "flyrecord", NAME_LEN) || n_cpus > RECORDED_CPUS_MAX) {
		recording_damage(recording, "the list of CPUs is not where it should be");
		return 0;
	}
	for (uint32_t cpu = 0; cpu < n_cpus && err == 0 && !in->is_short; cpu++) {
		uint64_t offset = take_u64(in), len = take_u64(in);

		if (!in->is_short && len)
			err = add_pages(recording, cpu, part(recording, offset, len, "the events of a CPU"), dat->page_size);
	}
	return err;
}

/* Option BUFFER: where the list of an instance's CPUs is, its name, and how many they are where that is another number. */
static int
instance_6(struct recording *recording, struct bytes option, uint32_t n_cpus)
{
	uint64_t offset = take_u64(&option);
	struct bytes in = bytes_of(recording->data, recording->len);

	take_block(&in, offset);
	take_cstring(&option);
	if (bytes_left(&option) >= 4)
		n_cpus = take_u32(&option);
	return streams_6(recording, &in, n_cpus);
}

static int
options_6(struct recording *recording, struct bytes *in, uint32_t n_cpus)
{
	uint32_t option;
	int err = 0;

	while ((option = take_u16(in)) != DAT_OPTION_DONE && !in->is_short && err == 0) {
		struct bytes block = take_block(in, take_u32(in));

		if (option == DAT_OPTION_TGIDS)
			header_tgids(recording, block);
		else if (option == DAT_OPTION_BUFFER)
			err = instance_6(recording, block, n_cpus);
	}
	return err;
}

static int
read_6(struct recording *recording, struct bytes *in, struct text *why)
{
	struct dat *dat = recording->format;
	uint32_t n_cpus;
	int err = 0;

	dat->is_64_bit = header_page(recording, in);
	header_ftrace_formats(recording, in);
	header_event_formats(recording, in);
	header_kallsyms(recording, take_block(in, take_u32(in)));
	take_block(in, take_u32(in)); /* formats of trace_printk */
	header_cmdlines(recording, take_block(in, take_u64(in)));
	n_cpus = take_u32(in);
	if (take_bytes(in, "options  ", NAME_LEN))
		err = options_6(recording, in, n_cpus);
	if (take_bytes(in, "latency  ", NAME_LEN)) {
		text_printf(why, "recording '%s' holds text of a latency tracer and no events", recording->path);
		return -EINVAL;
	}
	return err < 0 ? err : streams_6(recording, in, n_cpus);
}

/* ---- version 7 ------------------------------------------------------------------------------------------------ */

/* Memory that lives as long as the recording; NULL: there is none, or that much is a lie. */
static unsigned char *
room(const struct recording *recording, uint64_t len)
{
	struct dat *dat = recording->format;
	unsigned char **unpacked, *bytes;

	if (!unpack_is_plausible(recording->len, dat->unpacked_len + len))
		return NULL;
	unpacked = mem_grow(dat->unpacked, dat->n_unpacked, &dat->cap_unpacked, sizeof(*unpacked));
	if (!unpacked)
		return NULL;
	dat->unpacked = unpacked;
	bytes = mem_alloc(len + 1);
	if (!bytes)
		return NULL;
	unpacked[dat->n_unpacked++] = bytes;
	dat->unpacked_len += len;
	return bytes;
}

/* Gives back what was taken last. */
static void
give_back(struct dat *dat, uint64_t len)
{
	free(dat->unpacked[--dat->n_unpacked]);
	dat->unpacked_len -= len;
}

/* A chunk: packed and unpacked size, bytes. */
static struct bytes
unpack_chunk(struct recording *recording, struct bytes *in)
{
	struct dat *dat = recording->format;
	uint32_t packed_len = take_u32(in), len = take_u32(in);
	struct bytes packed = take_block(in, packed_len);
	unsigned char *out = in->is_short ? NULL : room(recording, len);

	if (!out || unpack(dat->packing, packed, out, len) < 0) {
		if (out)
			give_back(dat, len);
		recording_damage(recording, "a packed part cannot be unpacked");
		return bytes_of("", 0);
	}
	return bytes_of(out, len);
}

/* The contents of the section at an offset; empty where there is none of this kind. */
static struct bytes
section(struct recording *recording, uint64_t offset, uint32_t kind)
{
	struct bytes in = part(recording, offset, 16, "a section");
	uint32_t found = take_u16(&in), flags = take_u16(&in);
	uint64_t len;

	take_u32(&in); /* its description */
	len = take_u64(&in);
	if (in.is_short || found != kind) {
		recording_damage(recording, "section %u is not where it should be", kind);
		return bytes_of("", 0);
	}
	in = part(recording, offset + 16, len, "a section");
	return flags & SECTION_PACKED ? unpack_chunk(recording, &in) : in;
}

/* The head of a chunk of packed pages, and the chunk. False: it is cut. */
static bool
take_chunk(struct bytes *in, struct bytes *packed, uint32_t *len)
{
	uint32_t packed_len = take_u32(in);

	*len = take_u32(in);
	*packed = take_block(in, packed_len);
	return !in->is_short;
}

/*
 * The chunks of packed pages stand where the CPU's pages would; one behind the other in memory. Their unpacked sizes are summed up before
 * memory is asked for, which a file that is changed meanwhile does not get more of. Each is some pages, so one that cannot be unpacked takes no
 * other with it.
 */
static struct bytes
unpack_pages(struct recording *recording, struct bytes in)
{
	struct dat *dat = recording->format;
	uint32_t n = take_u32(&in), n_bad = 0, len;
	struct bytes count = in, packed;
	uint64_t total = 0, at = 0;
	unsigned char *out;

	for (uint32_t i = 0; i < n && take_chunk(&count, &packed, &len); i++)
		total += unpack_is_plausible(bytes_left(&packed), len) ? len : 0;
	out = room(recording, total);
	for (uint32_t i = 0; out && i < n && take_chunk(&in, &packed, &len); i++) {
		if (unpack_is_plausible(bytes_left(&packed), len) && len <= total - at && unpack(dat->packing, packed, out + at, len) == 0)
			at += len;
		else
			n_bad++;
	}
	n_bad += count.is_short || !out;
	while (n_bad--)
		recording_damage(recording, "packed events cannot be unpacked");
	return bytes_of(out ? out : (const unsigned char *)"", at);
}

/* Option BUFFER: where the events of an instance are. */
static int
read_buffer(struct recording *recording, struct bytes option)
{
	uint64_t offset = take_u64(&option);
	struct bytes in = part(recording, offset, 16, "the events");
	uint32_t kind = take_u16(&in), flags = take_u16(&in), page_size, n_cpus;
	int err = 0;

	take_cstring(&option); /* name of the instance */
	take_cstring(&option); /* clock */
	page_size = take_u32(&option);
	n_cpus = take_u32(&option);
	if (option.is_short || kind != DAT_OPTION_BUFFER || page_size <= 16 || page_size > PAGE_SIZE_MAX ||
	    n_cpus > RECORDED_CPUS_MAX) {
		recording_damage(recording, "the list of CPUs cannot be read");
		return 0;
	}
	for (uint32_t i = 0; i < n_cpus && err == 0 && !option.is_short; i++) {
		uint32_t cpu = take_u32(&option);
		uint64_t at = take_u64(&option), len = take_u64(&option);
		bool is_packed = flags & SECTION_PACKED;
		/* The number of chunks, which stands before them, is not counted in. */
		struct bytes data = part(recording, at, is_packed && len ? len + 4 : len, "the events of a CPU");

		if (cpu >= RECORDED_CPUS_MAX)
			recording_damage(recording, "events of CPU %u: there are at most %u", cpu, RECORDED_CPUS_MAX);
		if (cpu >= RECORDED_CPUS_MAX || !bytes_left(&data))
			continue;
		if (is_packed)
			data = unpack_pages(recording, data);
		err = add_pages(recording, cpu, data, page_size);
	}
	return err;
}

static int
read_option(struct recording *recording, uint32_t option, struct bytes value)
{
	struct bytes in = { 0 };

	if (option == DAT_OPTION_BUFFER)
		return read_buffer(recording, value);
	if (option == DAT_OPTION_TGIDS)
		header_tgids(recording, value);
	if (option < DAT_OPTION_HEADER_INFO || option > DAT_OPTION_CMDLINES)
		return 0;
	in = section(recording, take_u64(&value), option);
	switch (option) {
	case DAT_OPTION_HEADER_INFO:
		((struct dat *)recording->format)->is_64_bit = header_page(recording, &in);
		break;
	case DAT_OPTION_FTRACE_EVENTS:
		header_ftrace_formats(recording, &in);
		break;
	case DAT_OPTION_EVENT_FORMATS:
		header_event_formats(recording, &in);
		break;
	case DAT_OPTION_KALLSYMS:
		header_kallsyms(recording, take_block(&in, take_u32(&in)));
		break;
	case DAT_OPTION_CMDLINES:
		header_cmdlines(recording, take_block(&in, take_u64(&in)));
		break;
	}
	return 0;
}

static int
read_7(struct recording *recording, struct bytes *in, struct text *why)
{
	struct dat *dat = recording->format;
	uint64_t offset;
	int err = 0;

	dat->packing = take_cstring(in);
	take_cstring(in); /* version of the packer */
	offset = take_u64(in);
	if (!unpack_knows(dat->packing)) {
		text_printf(why, "recording '%s' is packed by '%s', which this ktap cannot unpack; `trace-cmd convert --compression none` "
			    "does", recording->path, dat->packing);
		return -EOPNOTSUPP;
	}
	for (uint32_t i = 0; offset && err == 0 && i < SECTIONS_MAX; i++) {
		struct bytes options = section(recording, offset, 0);

		offset = 0;
		while (bytes_left(&options) && err == 0) {
			uint32_t option = take_u16(&options);
			struct bytes value = take_block(&options, take_u32(&options));

			if (option == DAT_OPTION_DONE) {
				offset = take_u64(&value);
				break;
			}
			err = read_option(recording, option, value);
		}
	}
	return err;
}

/* ---- open, close --------------------------------------------------------------------------------------------------- */

static int
read_file(struct recording *recording, struct text *why)
{
	struct bytes in = bytes_of(recording->data + DAT_MAGIC_LEN, recording->len - DAT_MAGIC_LEN);
	struct dat *dat = recording->format;
	const char *version = take_cstring(&in);
	bool is_big = take_uint(&in, 1);
	int err;

	take_uint(&in, 1); /* bytes of a long in user space */
	dat->page_size = take_u32(&in);
	if (strcmp(version, "6") != 0 && strcmp(version, "7") != 0) {
		text_printf(why, "recording '%s' has version '%s' of trace.dat; versions 6 and 7 are read", recording->path, version);
		return -EOPNOTSUPP;
	}
	if (is_big) {
		text_printf(why, "recording '%s' comes from a big-endian machine, whose records ktap does not read", recording->path);
		return -EOPNOTSUPP;
	}
	if (in.is_short || dat->page_size <= 16 || dat->page_size > PAGE_SIZE_MAX) {
		text_printf(why, "recording '%s' is damaged at its very beginning", recording->path);
		return -EINVAL;
	}
	dat->is_64_bit = true;
	err = *version == '6' ? read_6(recording, &in, why) : read_7(recording, &in, why);
	if (err == 0 && !dat->is_64_bit) {
		text_printf(why, "recording '%s' comes from a 32-bit machine, whose pages of events ktap does not read", recording->path);
		return -EOPNOTSUPP;
	}
	return err;
}

/* Whether events have stacks is not said anywhere: the first ones with a stack are looked for. */
static void
note_stacks(struct recording *recording)
{
	struct dat *dat = recording->format;
	struct recorded event;

	for (uint32_t i = 0; i < recording->n_streams; i++) {
		pages_rewind(&dat->pages[i]);
		for (uint32_t n = 0; n < LOOK_FOR_STACKS && pages_next(&dat->pages[i], &event); n++)
			recording->holds |= (event.n_stack ? HOLDS_STACKS : 0) | (event.n_ustack ? HOLDS_USTACKS : 0);
	}
}

static int
dat_open(struct recording *recording, struct text *why)
{
	struct dat *dat = mem_alloc(sizeof(*dat));
	int err = dat ? 0 : -ENOMEM;

	recording->format = dat;
	if (dat)
		err = read_file(recording, why);
	if (err == -ENOMEM)
		text_printf(why, "no memory for recording '%s'", recording->path);
	if (err < 0)
		return err;
	for (uint32_t i = 0; i < recording->n_streams; i++) {
		dat->pages[i].stack_id = stack_event(recording, "kernel_stack");
		dat->pages[i].ustack_id = stack_event(recording, "user_stack");
	}
	note_stacks(recording);
	return 0;
}

static void
dat_rewind(struct recording *recording)
{
	struct dat *dat = recording->format;

	for (uint32_t i = 0; i < recording->n_streams; i++)
		pages_rewind(&dat->pages[i]);
}

static bool
dat_next(struct recording *recording, uint32_t stream, struct recorded *event)
{
	return pages_next(&((struct dat *)recording->format)->pages[stream], event);
}

static uint64_t
dat_size(const struct recording *recording, uint32_t stream)
{
	return ((const struct dat *)recording->format)->pages[stream].len;
}

static void
dat_close(struct recording *recording)
{
	struct dat *dat = recording->format;

	if (!dat)
		return;
	for (uint32_t i = 0; i < dat->n_unpacked; i++)
		free(dat->unpacked[i]);
	free(dat->unpacked);
	free(dat->pages);
	free(dat);
}

const struct recording_ops recording_dat_ops = {
	.name = "trace.dat",
	.open = dat_open,
	.rewind = dat_rewind,
	.next = dat_next,
	.size = dat_size,
	.close = dat_close,
};
