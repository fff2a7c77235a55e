/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * A recording, whatever its format: opened by what its first bytes say, mapped into memory as a whole, its streams merged by the time
 * of their events. Of events at one time, that of the lower stream comes first.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source/recording_dat.h"
#include "source/recording_perf.h"

#define CUT_SHORT "was cut short while it was read"

static int
map_file(struct recording *recording, struct text *why)
{
	int err, fd = open(recording->path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	size_t len;

	if (fd < 0 || fstat(fd, &st) < 0) {
		err = -errno;
		text_printf(why, "recording '%s' cannot be read: %s", recording->path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return err;
	}
	len = S_ISREG(st.st_mode) ? (size_t)st.st_size : 0;
	if (!len) {
		close(fd);
		text_printf(why, "recording '%s' cannot be read: it is empty, or no regular file", recording->path);
		return -EINVAL;
	}
	if (filemap_open(&recording->map, fd, len) < 0) {
		text_printf(why, "recording '%s' cannot be read: it cannot be mapped into memory", recording->path);
		return -EINVAL;
	}
	recording->data = recording->map.data;
	recording->len = len;
	return 0;
}

/* The format that the first bytes say. */
static const struct recording_ops *
format_of(const struct recording *recording)
{
	if (recording->len > DAT_MAGIC_LEN && memcmp(recording->data, DAT_MAGIC, DAT_MAGIC_LEN) == 0)
		return &recording_dat_ops;
	if (recording->len > PERF_MAGIC_LEN && (memcmp(recording->data, PERF_MAGIC, PERF_MAGIC_LEN) == 0 ||
						memcmp(recording->data, PERF_MAGIC_BIG, PERF_MAGIC_LEN) == 0))
		return &recording_perf_ops;
	return &recording_text_ops;
}

static struct recording *
recording_new(struct arena *arena, const char *path, struct text *why)
{
	struct recording *recording = mem_alloc(sizeof(*recording));

	if (!recording) {
		text_puts(why, "no memory for a recording");
		return NULL;
	}
	recording->path = path;
	recording->arena = arena;
	recording->events = events_new(arena, EVENTS_RECORDED);
	return recording;
}

/* Reads what stands before the events. Frees the recording on failure. */
static int
read_head(struct recording *recording, struct text *why)
{
	int err;

	recording->ops = format_of(recording);
	err = recording->ops->open(recording, why);
	filemap_check(&recording->map);
	if (err < 0 && filemap_is_cut(&recording->map)) {
		text_clear(why);
		text_printf(why, "recording '%s' " CUT_SHORT, recording->path);
		err = -EINVAL;
	}
	if (err == 0) {
		tasks_watch(&recording->tasks, recording->events);
		err = recording_init_streams(recording);
		if (err < 0)
			text_puts(why, "no memory for the streams of a recording");
	}
	if (err < 0)
		recording_close(recording);
	return err;
}

int
recording_open(struct recording **opened, struct arena *arena, const char *path, struct text *why)
{
	struct recording *recording = recording_new(arena, path, why);
	int err = recording ? map_file(recording, why) : -ENOMEM;

	if (err < 0 && recording)
		recording_close(recording);
	if (err == 0)
		err = read_head(recording, why);
	if (err == 0)
		*opened = recording;
	return err;
}

int
recording_open_memory(struct recording **opened, struct arena *arena, const char *name, const void *data, size_t len,
		      struct text *why)
{
	struct recording *recording = recording_new(arena, name, why);
	int err = recording ? 0 : -ENOMEM;

	if (recording) {
		recording->data = data;
		recording->len = len;
		err = read_head(recording, why);
	}
	if (err == 0)
		*opened = recording;
	return err;
}

int
recording_init_streams(struct recording *recording)
{
	recording->streams = mem_alloc((recording->n_streams + 1) * sizeof(*recording->streams));
	for (uint32_t i = 0; recording->streams && i < recording->n_streams; i++)
		recording->streams[i].number = i;
	return recording->streams ? merge_init(&recording->merge, recording) : -ENOMEM;
}

void
recording_fini(struct recording *recording)
{
	for (uint32_t i = 0; recording->streams && i < recording->n_streams; i++)
		text_fini(&recording->streams[i].gaps.damage);
	free(recording->streams);
	merge_fini(&recording->merge);
	free(recording->tasks.slots);
	text_fini(&recording->gaps.damage);
}

void
recording_close(struct recording *recording)
{
	if (recording->ops)
		recording->ops->close(recording);
	filemap_close(&recording->map);
	recording_fini(recording);
	free(recording);
}

/* ---- what is missing --------------------------------------------------------------------------------- */

/* The text is kept of the first one only. */
static void
note_damage(struct gaps *gaps, const char *format, va_list args)
{
	if (gaps->n_damaged++)
		return;
	text_clear(&gaps->damage);
	text_vprintf(&gaps->damage, format, args);
}

void
recording_damage(struct recording *recording, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	note_damage(&recording->gaps, format, args);
	va_end(args);
}

/* A format may look into its streams before there are any: what is wrong there is met again. */
void
stream_damage(struct recording *recording, uint32_t number, const char *format, ...)
{
	struct stream *stream = recording->streams ? &recording->streams[number] : NULL;
	va_list args;

	if (!stream)
		return;
	if (!stream->gaps.n_damaged)
		stream->damaged_ns = stream->n_read ? stream->head.time_ns : 0;
	va_start(args, format);
	note_damage(&stream->gaps, format, args);
	va_end(args);
}

void
stream_lost(struct recording *recording, uint32_t number, uint64_t n)
{
	if (recording->streams)
		recording->streams[number].gaps.n_lost += n;
}

/*
 * The damage that is named is the first in time, whichever stream was read first; but that the file was cut meanwhile is why others were met.
 */
void
recording_stats(const struct recording *recording, struct source_stats *stats)
{
	const struct stream *first = NULL;

	*stats = (struct source_stats){
		.recording = recording->path,
		.n_lost = recording->gaps.n_lost,
		.n_damaged = recording->gaps.n_damaged,
	};
	for (uint32_t i = 0; i < recording->n_streams; i++) {
		const struct stream *stream = &recording->streams[i];

		stats->n_lost += stream->gaps.n_lost;
		stats->n_damaged += stream->gaps.n_damaged;
		if (stream->gaps.n_damaged && (!first || stream->damaged_ns < first->damaged_ns))
			first = stream;
	}
	if (recording->gaps.n_damaged)
		stats->damage = recording->gaps.damage.s;
	else if (first)
		stats->damage = first->gaps.damage.s;
	if (filemap_is_cut(&recording->map)) {
		stats->n_damaged++;
		stats->damage = "it " CUT_SHORT;
	}
}

/* ---- merging ---------------------------------------------------------------------------------------- */

const struct recorded *
recording_read(struct recording *recording, uint32_t number)
{
	struct stream *stream = &recording->streams[number];

	if (!recording->ops->next(recording, number, &stream->head)) {
		filemap_check(&recording->map);
		return NULL;
	}
	stream->n_read++;
	return &stream->head;
}

int
merge_init(struct merge *merge, struct recording *recording)
{
	*merge = (struct merge){ .recording = recording };
	merge->streams = mem_alloc((recording->n_streams + 1) * sizeof(struct stream *));
	return merge->streams ? 0 : -ENOMEM;
}

void
merge_fini(struct merge *merge)
{
	free(merge->streams);
	merge->streams = NULL;
}

static bool
is_before(const struct stream *a, const struct stream *b)
{
	return a->head.time_ns != b->head.time_ns ? a->head.time_ns < b->head.time_ns : a->number < b->number;
}

/* Moves the first stream, whose head is new, to its place among the others, which are in order. */
static void
sift_first(struct merge *merge)
{
	struct stream *first = merge->streams[0];
	uint32_t i = 0;

	for (; i + 1 < merge->n && is_before(merge->streams[i + 1], first); i++)
		merge->streams[i] = merge->streams[i + 1];
	merge->streams[i] = first;
}

void
merge_move(struct merge *into, struct stream *stream)
{
	into->streams[into->n++] = stream;
}

static int
compare_streams(const void *a, const void *b)
{
	const struct stream *const *p = a, *const *q = b;

	return is_before(*p, *q) ? -1 : is_before(*q, *p);
}

void
merge_sort(struct merge *merge)
{
	qsort(merge->streams, merge->n, sizeof(struct stream *), compare_streams);
}

struct moment
merge_moment(const struct merge *merge)
{
	const struct stream *first = merge->streams[0];

	return (struct moment){ first->head.time_ns, first->number, first->n_read };
}

void
merge_put_back(struct merge *merge)
{
	merge->is_handed_out = false;
}

/* Replaces the event that was handed out last by the next one of its stream. */
static void
advance(struct merge *merge)
{
	if (recording_read(merge->recording, merge->streams[0]->number)) {
		sift_first(merge);
		return;
	}
	merge->n--;
	memmove(merge->streams, merge->streams + 1, merge->n * sizeof(struct stream *));
}

const struct recorded *
merge_next(struct merge *merge)
{
	if (merge->is_handed_out)
		advance(merge);
	merge->is_handed_out = merge->n > 0;
	return merge->n ? &merge->streams[0]->head : NULL;
}

/* Reads the head of a stream and adds it to the others, if it has one. */
static void
open_stream(struct recording *recording, uint32_t number)
{
	struct merge *merge = &recording->merge;

	if (!recording_read(recording, number))
		return;
	memmove(merge->streams + 1, merge->streams, merge->n * sizeof(struct stream *));
	merge->streams[0] = &recording->streams[number];
	merge->n++;
	sift_first(merge);
}

void
recording_restart(struct recording *recording)
{
	recording->merge.n = 0;
	recording->merge.is_handed_out = false;
	for (uint32_t i = 0; i < recording->n_streams; i++) {
		struct text kept = recording->streams[i].gaps.damage; /* its memory */

		recording->streams[i] = (struct stream){ .number = i, .gaps = { .damage = kept } };
	}
	recording->ops->rewind(recording);
}

void
recording_seek(struct recording *recording, const uint64_t *events)
{
	recording_restart(recording);
	for (uint32_t i = 0; i < recording->n_streams; i++) {
		for (uint64_t n = events ? events[i] : 0; n && recording_read(recording, i); n--)
			;
		open_stream(recording, i);
	}
}

void
recording_rewind(struct recording *recording)
{
	recording_seek(recording, NULL);
}

void
recording_reopen(struct recording *recording, uint32_t number)
{
	const struct merge *merge = &recording->merge;

	for (uint32_t i = 0; i < merge->n; i++)
		if (merge->streams[i]->number == number)
			return;
	open_stream(recording, number);
}

const struct recorded *
recording_next(struct recording *recording)
{
	return merge_next(&recording->merge);
}

int
recording_learn_names(struct recording *recording)
{
	const struct recorded *event;
	int err = 0;

	if (recording->tasks.rename_id == UINT32_MAX)
		return 0;
	recording_rewind(recording);
	while (err == 0 && (event = recording_next(recording)))
		err = tasks_learn_first(&recording->tasks, event);
	return err;
}

const char *
recorded_string(const struct recorded *event, const struct field *field, size_t *len)
{
	uint32_t where, offset;

	if (!field->text_offset || field->text_offset + sizeof(where) > event->len)
		return NULL;
	memcpy(&where, event->record + field->text_offset, sizeof(where));
	offset = where & 0xffff;
	*len = where >> 16;
	if (!*len || offset > event->len || *len > event->len - offset)
		return NULL;
	return memchr(event->record + offset, 0, *len) ? (const char *)event->record + offset : NULL;
}
