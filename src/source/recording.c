/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * A recording, whatever its format: opened by what its first bytes say, mapped into memory as a whole, its streams merged by the time
 * of their events. Of events at one time, that of the lower stream comes first.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source/recording_dat.h"
#include "source/recording_perf.h"

static int
map_file(struct recording *recording, struct text *why)
{
	int err, fd = open(recording->path, O_RDONLY | O_CLOEXEC);
	void *data = MAP_FAILED;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		err = -errno;
		text_printf(why, "recording '%s' cannot be read: %s", recording->path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return err;
	}
	recording->len = S_ISREG(st.st_mode) ? (size_t)st.st_size : 0;
	if (recording->len)
		data = mmap(NULL, recording->len, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (data == MAP_FAILED) {
		text_printf(why, "recording '%s' cannot be read: %s", recording->path,
			    recording->len ? "it cannot be mapped into memory" : "it is empty, or no regular file");
		recording->len = 0;
		return -EINVAL;
	}
	recording->data = data;
	recording->is_mapped = true;
	return 0;
}

/* The format that the first bytes say. */
static const struct recording_ops *
format_of(const struct recording *recording)
{
	if (recording->len > DAT_MAGIC_LEN && memcmp(recording->data, DAT_MAGIC, DAT_MAGIC_LEN) == 0)
		return &recording_dat_ops;
	if (recording->len > PERF_MAGIC_LEN && memcmp(recording->data, PERF_MAGIC, PERF_MAGIC_LEN) == 0)
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
	if (err < 0)
		recording_close(recording);
	else
		tasks_watch(&recording->tasks, recording->events);
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

void
recording_close(struct recording *recording)
{
	if (recording->ops)
		recording->ops->close(recording);
	if (recording->is_mapped)
		munmap((void *)(uintptr_t)recording->data, recording->len);
	free(recording->tasks.slots);
	free(recording->streams);
	text_fini(&recording->damage);
	free(recording);
}

void
recording_damage(struct recording *recording, const char *format, ...)
{
	va_list args;

	if (recording->n_damaged++)
		return;
	text_clear(&recording->damage);
	va_start(args, format);
	text_vprintf(&recording->damage, format, args);
	va_end(args);
}

void
recording_stats(const struct recording *recording, struct source_stats *stats)
{
	*stats = (struct source_stats){
		.recording = recording->path,
		.n_lost = recording->n_lost,
		.n_damaged = recording->n_damaged,
		.damage = recording->damage.s,
	};
}

/* ---- merging ---------------------------------------------------------------------------------------- */

static bool
is_before(const struct stream *a, const struct stream *b)
{
	return a->head.time_ns != b->head.time_ns ? a->head.time_ns < b->head.time_ns : a->number < b->number;
}

/* Moves the first stream, whose head is new, to its place among the others, which are in order. */
static void
sift_first(struct recording *recording)
{
	struct stream first = recording->streams[0];
	uint32_t i = 0;

	if (recording->n_open < 2 || !is_before(&recording->streams[1], &first))
		return;
	for (; i + 1 < recording->n_open && is_before(&recording->streams[i + 1], &first); i++)
		recording->streams[i] = recording->streams[i + 1];
	recording->streams[i] = first;
}

/* Reads the head of a stream and puts it before the streams that are open, if it has one. */
static void
open_stream(struct recording *recording, uint32_t number)
{
	struct stream stream = { .recording = recording, .number = number };

	if (!recording->ops->next(recording, number, &stream.head))
		return;
	memmove(recording->streams + 1, recording->streams, recording->n_open * sizeof(stream));
	recording->streams[0] = stream;
	recording->n_open++;
	sift_first(recording);
}

int
recording_rewind(struct recording *recording)
{
	free(recording->streams);
	recording->n_open = 0;
	recording->is_handed_out = false;
	recording->streams = mem_alloc((recording->n_streams + 1) * sizeof(*recording->streams));
	if (!recording->streams)
		return -ENOMEM;
	recording->ops->rewind(recording);
	for (uint32_t i = 0; i < recording->n_streams; i++)
		open_stream(recording, i);
	return 0;
}

void
recording_reopen(struct recording *recording, uint32_t stream)
{
	if (recording->is_handed_out)
		return;
	for (uint32_t i = 0; i < recording->n_open; i++)
		if (recording->streams[i].number == stream)
			return;
	open_stream(recording, stream);
}

/* Replaces the event that was handed out last by the next one of its stream. */
static void
advance(struct recording *recording)
{
	struct stream *first = &recording->streams[0];

	if (recording->ops->next(recording, first->number, &first->head)) {
		sift_first(recording);
		return;
	}
	recording->n_open--;
	memmove(first, first + 1, recording->n_open * sizeof(*first));
}

bool
recording_next(struct recording *recording, struct recorded *event)
{
	if (recording->is_handed_out)
		advance(recording);
	recording->is_handed_out = recording->n_open > 0;
	if (recording->n_open)
		*event = recording->streams[0].head;
	return recording->n_open > 0;
}

int
recording_learn_names(struct recording *recording)
{
	uint64_t n_damaged = recording->n_damaged, n_lost = recording->n_lost;
	struct recorded event;
	int err;

	if (recording->tasks.rename_id == UINT32_MAX)
		return 0;
	err = recording_rewind(recording);
	while (err == 0 && recording_next(recording, &event))
		err = tasks_learn_first(&recording->tasks, &event);
	recording->n_damaged = n_damaged; /* it is met again */
	recording->n_lost = n_lost;
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
