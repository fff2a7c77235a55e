/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Live events from ftrace into the user engine: for kernels without BPF, and for very many events at once. The kernel records them in an
 * instance of ours (ftrace.h); what it has recorded is taken out now and then, merged by time and handled as a recording is (replay.c).
 *
 * An event may be taken out after a later one of another CPU. So only events from before the last look at all CPUs are handled: all of
 * those have been seen by then. Buffers that were taken out are kept, a queue a CPU, until their last event is handled.
 *
 * Programs run a moment after the event: they have its record, time, CPU, thread and name, but not the memory of the process.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "source/ftrace.h"
#include "source/recording_dat.h"
#include "source/replay_int.h"

#define PAGES_A_CHUNK 256
#define BATCH_MS      20

/* Pages of a CPU, as they were taken out. */
struct chunk {
	struct chunk *next;
	size_t len;
	unsigned char data[];
};

struct cpu_queue {
	struct pages pages;    /* reads the first chunk */
	struct chunk *first, **last;
};

struct ftrace_source {
	struct replay replay;
	struct recording recording;
	struct ftrace ftrace;
	struct cpu_queue *queues;
	struct target target;
	struct followed followed;
	bool stopped;
};

static struct ftrace_source *
of(struct source *source)
{
	return (struct ftrace_source *)((char *)source - offsetof(struct ftrace_source, replay.player.engine.source));
}

/* ---- the stream as a recording ------------------------------------------------------------------------------------ */

static void
stream_rewind(struct recording *recording)
{
}

static void
begin_chunk(struct cpu_queue *queue)
{
	queue->pages.data = queue->first ? queue->first->data : NULL;
	queue->pages.len = queue->first ? queue->first->len : 0;
	pages_rewind(&queue->pages);
}

static bool
stream_next(struct recording *recording, uint32_t stream, struct recorded *event)
{
	struct cpu_queue *queue = &((struct ftrace_source *)recording->format)->queues[stream];
	struct chunk *done;

	while (queue->first && !pages_next(&queue->pages, event)) {
		done = queue->first;
		queue->first = done->next;
		if (!queue->first)
			queue->last = &queue->first;
		free(done);
		begin_chunk(queue);
	}
	return queue->first != NULL;
}

static void
stream_close(struct recording *recording)
{
}

static const struct recording_ops stream_ops = {
	.name = "ftrace",
	.rewind = stream_rewind,
	.next = stream_next,
	.close = stream_close,
};

/* Takes out what a CPU has. Returns the number of pages, or -errno. */
static int
fill_queue(struct ftrace_source *f, uint32_t cpu)
{
	struct cpu_queue *queue = &f->queues[cpu];
	size_t room = PAGES_A_CHUNK * (size_t)f->ftrace.page_size;
	struct chunk *chunk = mem_alloc(sizeof(*chunk) + room);
	int got = 0;

	if (!chunk)
		return -ENOMEM;
	while (chunk->len < room && (got = ftrace_read_page(&f->ftrace, cpu, chunk->data + chunk->len)) > 0)
		chunk->len += f->ftrace.page_size;
	if (!chunk->len) {
		free(chunk);
		return got;
	}
	got = (int)(chunk->len / f->ftrace.page_size);
	*queue->last = chunk;
	queue->last = &chunk->next;
	if (queue->first == chunk)
		begin_chunk(queue);
	return got;
}

/* Looks at all CPUs. Returns the time before which nothing is missing, or 0 with *err. */
static uint64_t
fill_queues(struct ftrace_source *f, int *err)
{
	uint64_t seen = f->stopped ? UINT64_MAX : clock_now();
	int got;

	for (uint32_t cpu = 0; cpu < f->ftrace.n_cpus; cpu++) {
		do
			got = fill_queue(f, cpu);
		while (got == PAGES_A_CHUNK && f->stopped);
		if (got < 0) {
			*err = got;
			return 0;
		}
		if (got == PAGES_A_CHUNK)
			seen = 0; /* there is more: what is missing of this CPU has an unknown time */
	}
	return seen;
}

/* Puts CPUs that had no events back among those that have. */
static void
reopen_streams(struct ftrace_source *f)
{
	struct recording *recording = &f->recording;

	if (f->replay.player.event)
		merge_put_back(&recording->merge);
	for (uint32_t cpu = 0; cpu < f->ftrace.n_cpus; cpu++)
		recording_reopen(recording, cpu);
	player_advance(&f->replay.player);
}

/* ---- source_ops ------------------------------------------------------------------------------------------------------- */

/* The number that the kernel gives an event; system calls have theirs in tracefs, too. */
static int
load_id(struct event *event)
{
	char path[256], *text;

	if (event->id >= 0)
		return 0;
	snprintf(path, sizeof(path), "events/%s/%s/id", event->system, event->name);
	text = tracefs_read(path, NULL);
	if (!text)
		return -errno;
	event->id = (int32_t)strtol(text, NULL, 10);
	free(text);
	return event->id > 0 && event->id < RECORDED_IDS ? 0 : -EINVAL;
}

static int
ftrace_attach(struct source *source, const struct program *program, struct event *event, struct text *why)
{
	struct ftrace_source *f = of(source);
	int err;

	if (event_is_moment(event))
		return engine_add_moment(&f->replay.player.engine, program, event, why);
	if (event->kind != EVENT_TRACEPOINT && event->kind != EVENT_SYSCALL_ENTER && event->kind != EVENT_SYSCALL_EXIT) {
		text_puts(why, "ftrace has tracepoints and system calls; timers and probes need the kernel engine");
		return -EOPNOTSUPP;
	}
	err = load_id(event);
	if (err == 0)
		err = ftrace_enable(&f->ftrace, event->system, event->name);
	if (err < 0) {
		text_printf(why, "ftrace cannot record it: %s", strerror(-err));
		return err;
	}
	return replay_hook(&f->replay, program, event, why);
}

static int
ftrace_start(struct source *source, struct text *why)
{
	struct ftrace_source *f = of(source);

	engine_run_moments(&f->replay.player.engine, EVENT_INIT);
	if (engine_exited(&f->replay.player.engine))
		return 0;
	return followed_go(&f->followed, &f->ftrace, why);
}

static int
ftrace_pump(struct source *source, void (*fn)(void *arg, const void *record, size_t len), void *arg)
{
	struct ftrace_source *f = of(source);
	struct sink sink = { fn, arg, 0 };
	int err = 0;
	uint64_t seen = fill_queues(f, &err);

	if (err < 0)
		return err;
	reopen_streams(f);
	if (!seen && f->replay.player.event)
		seen = f->replay.player.event->time_ns + 1; /* never stands still, however much comes */
	f->replay.player.over = engine_exited(&f->replay.player.engine);
	replay_events(&f->replay, seen, UINT32_MAX, &sink);
	return sink.n;
}

static int
ftrace_poll_fds(struct source *source, int *fds, int max)
{
	struct ftrace_source *f = of(source);

	if (!f->followed.pid || max < 1)
		return 0;
	fds[0] = f->followed.pidfd;
	return 1;
}

static bool
ftrace_ended(struct source *source)
{
	return followed_ended(&of(source)->followed);
}

/* What was recorded until now is still to be handled, by the pumps that follow. */
static void
ftrace_stop(struct source *source)
{
	struct ftrace_source *f = of(source);

	ftrace_write(&f->ftrace, "tracing_on", "0");
	f->stopped = true;
	if (f->followed.command.pid && !ftrace_ended(source))
		kill(f->followed.pid, SIGTERM);
}

static void
free_queues(struct ftrace_source *f)
{
	struct chunk *chunk;

	for (uint32_t cpu = 0; f->queues && cpu < f->ftrace.n_cpus; cpu++)
		while ((chunk = f->queues[cpu].first)) {
			f->queues[cpu].first = chunk->next;
			free(chunk);
		}
	free(f->queues);
}

static void
ftrace_source_close(struct source *source)
{
	struct ftrace_source *f = of(source);

	followed_close(&f->followed);
	replay_fini(&f->replay);
	free_queues(f);
	ftrace_close(&f->ftrace);
	recording_fini(&f->recording);
	free(f);
}

static const struct source_ops ftrace_ops = {
	.name = "ftrace",
	.attach = ftrace_attach,
	.start = ftrace_start,
	.poll_fds = ftrace_poll_fds,
	.pump = ftrace_pump,
	.ended = ftrace_ended,
	.stop = ftrace_stop,
	.finish = engine_finish,
	.lookup = engine_lookup,
	.update = engine_update,
	.remove = engine_remove,
	.next = engine_next,
	.globals = engine_globals,
	.stats = replay_stats,
	.close = ftrace_source_close,
};

/* ---- open ---------------------------------------------------------------------------------------------------------------- */

/* The names and processes of the threads that there are; later ones are told by events. */
static void
know_tasks(struct ftrace_source *f, struct events *events)
{
	static const struct { const char *file; void (*read)(struct recording *recording, struct bytes in); } tables[] = {
		{ "saved_tgids", header_tgids },
		{ "saved_cmdlines", header_cmdlines },
	};
	static const char *const names[] = { "task_newtask", "task_rename" };

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		size_t len;
		char *text = tracefs_read(tables[i].file, &len);

		if (text)
			tables[i].read(&f->recording, bytes_of(text, len));
		free(text);
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct event *event = events_find(events, "task", names[i]);

		if (event && event_load_fields(events, event) == 0)
			ftrace_enable(&f->ftrace, "task", names[i]);
	}
	tasks_watch(&f->recording.tasks, events);
}

static int
open_queues(struct ftrace_source *f)
{
	f->queues = mem_alloc(f->ftrace.n_cpus * sizeof(*f->queues));
	if (!f->queues || recording_init_streams(&f->recording) < 0)
		return -ENOMEM;
	for (uint32_t cpu = 0; cpu < f->ftrace.n_cpus; cpu++) {
		struct cpu_queue *queue = &f->queues[cpu];

		queue->last = &queue->first;
		queue->pages = (struct pages){ .recording = &f->recording, .stream = cpu, .cpu = cpu, .page_size = f->ftrace.page_size,
					       .stack_id = UINT32_MAX, .ustack_id = UINT32_MAX };
	}
	return 0;
}

static int
open_parts(struct ftrace_source *f, const struct object *object, struct events *events, struct text *why)
{
	int err = ftrace_open(&f->ftrace, why);

	f->recording = (struct recording){ .ops = &stream_ops, .path = "(ftrace)", .events = events, .format = f,
					   .holds = HOLDS_PIDS, .n_streams = f->ftrace.n_cpus };
	if (err == 0)
		err = open_queues(f);
	if (err == 0)
		err = replay_init(&f->replay, &ftrace_ops, object, &f->recording, why);
	if (err < 0)
		return err;
	f->replay.player.engine.source.batch_ms = BATCH_MS;
	know_tasks(f, events);
	err = followed_open(&f->followed, &f->target, &f->ftrace, why);
	if (err == 0 && f->followed.pid)
		tasks_set(&f->recording.tasks, (uint32_t)f->followed.pid, (uint32_t)f->followed.pid, NULL);
	return err;
}

int
source_ftrace_open(struct source **source, const struct object *object, struct events *events, const struct target *target,
		   struct text *why)
{
	struct ftrace_source *f = mem_alloc(sizeof(*f));
	int err;

	if (!f) {
		text_puts(why, "no memory for the user engine");
		return -ENOMEM;
	}
	*f = (struct ftrace_source){ .target = *target, .ftrace = { .dir = -1, .keeper_fd = -1 } };
	err = open_parts(f, object, events, why);
	if (err < 0) {
		if (!why->len)
			text_puts(why, strerror(-err));
		ftrace_source_close(&f->replay.player.engine.source);
		return err;
	}
	*source = &f->replay.player.engine.source;
	return 0;
}

void
source_ftrace_check(const struct object *object, struct diags *diags)
{
	static const struct recording stream = { .path = "(ftrace)", .holds = HOLDS_PIDS };

	recording_check(&stream, object, diags);
}
