/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The history of a recording's threads: what its events tell of them (recording_tasks.c), from all streams, in one order. Who reads some of
 * the streams only follows it to know at each of its events what was true then, whichever stream told it.
 *
 * It is read stream by stream, each by one thread. That the events of a stream are in order is checked on the way: only then is an event's
 * moment all that must be known to say what came before it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "source/replay_int.h"

#define MUCH (4u << 20) /* bytes of a recording that are worth several threads */

static bool
is_later(const struct moment *a, const struct moment *b)
{
	if (a->time_ns != b->time_ns)
		return a->time_ns > b->time_ns;
	return a->stream != b->stream ? a->stream > b->stream : a->n > b->n;
}

bool
history_is_due(const struct history *history, uint32_t n, const struct moment *now)
{
	return n < history->n && is_later(now, &history->told[n].at);
}

void
history_fini(struct history *history)
{
	free(history->told);
	*history = (struct history){ 0 };
}

static int
history_add(struct history *history, const struct told *told, uint32_t n)
{
	uint64_t cap = history->cap ? history->cap : 64;
	struct told *more;

	while (cap < (uint64_t)history->n + n)
		cap *= 2;
	if (cap > UINT32_MAX)
		return -ENOMEM;
	if (cap != history->cap) {
		more = mem_realloc(history->told, cap * sizeof(*more));
		if (!more)
			return -ENOMEM;
		history->told = more;
		history->cap = (uint32_t)cap;
	}
	if (n)
		memcpy(history->told + history->n, told, n * sizeof(*told));
	history->n += n;
	return 0;
}

static int
read_stream(struct history *history, struct recording *recording, uint32_t stream)
{
	const struct recorded *event;
	uint64_t last = 0;

	while ((event = recording_read(recording, stream))) {
		struct told told = { .at = { event->time_ns, stream, recording->streams[stream].n_read } };

		if (event->time_ns < last)
			return -ERANGE;
		last = event->time_ns;
		if (tasks_read(&recording->tasks, event, &told.change) && history_add(history, &told, 1) < 0)
			return -ENOMEM;
	}
	return 0;
}

/* ---- several threads ---- */

struct scan {
	struct recording *recording;
	uint32_t next;            /* stream that nobody has taken yet; atomic */
	struct scanner { struct scan *scan; struct history history; pthread_t thread; bool has_thread; int err; } scanners[REPLAY_JOBS_MAX];
};

static void *
scan_streams(void *arg)
{
	struct scanner *scanner = arg;
	struct scan *scan = scanner->scan;
	uint32_t stream;

	while (scanner->err == 0 && (stream = __atomic_fetch_add(&scan->next, 1, __ATOMIC_RELAXED)) < scan->recording->n_streams)
		scanner->err = read_stream(&scanner->history, scan->recording, stream);
	return NULL;
}

static int
compare_told(const void *a, const void *b)
{
	const struct told *p = a, *q = b;

	return is_later(&p->at, &q->at) ? 1 : is_later(&q->at, &p->at) ? -1 : 0;
}

/* The first scanner is the calling thread. One that finds no thread for itself leaves its work to the others. */
static int
run_scan(struct scan *scan, struct history *history, uint32_t jobs)
{
	int err = 0;

	for (uint32_t i = 0; i < jobs; i++) {
		scan->scanners[i].scan = scan;
		scan->scanners[i].has_thread = i && thread_start(&scan->scanners[i].thread, scan_streams, &scan->scanners[i]) == 0;
	}
	scan_streams(&scan->scanners[0]);
	for (uint32_t i = 0; i < jobs; i++) {
		struct scanner *scanner = &scan->scanners[i];

		if (scanner->has_thread)
			pthread_join(scanner->thread, NULL);
		if (err == 0)
			err = scanner->err;
		if (err == 0)
			err = history_add(history, scanner->history.told, scanner->history.n);
		history_fini(&scanner->history);
	}
	return err;
}

int
history_read(struct history *history, struct recording *recording, uint32_t jobs)
{
	struct scan *scan = mem_alloc(sizeof(*scan));
	int err = scan ? 0 : -ENOMEM;

	*history = (struct history){ 0 };
	if (scan) {
		scan->recording = recording;
		recording_restart(recording);
		err = run_scan(scan, history, recording->len < MUCH ? 1 : jobs);
	}
	free(scan);
	if (err < 0)
		history_fini(history);
	else if (history->n)
		qsort(history->told, history->n, sizeof(*history->told), compare_told);
	return err;
}
