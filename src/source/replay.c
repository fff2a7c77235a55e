/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * A recording as an event source: its events, in the order of their time, run the same programs in the user engine as they would live,
 * with the time, CPU, thread, name and stacks of the recording. Time is the recording's: it stands still between events.
 *
 * A program reads record_size bytes of its record. Where the recording has as many, it reads them where they lie, else a copy with zeros
 * behind.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "source/replay_int.h"

#define EVENTS_A_DRAIN 64   /* then records are taken out of the ring buffer */
#define PADDED_SIZE    (3 * RECORDED_MAX) /* 16 bits of offset and 16 of length never lead out of it */

static struct replay *
of(struct source *source)
{
	return (struct replay *)((char *)source - offsetof(struct replay, engine.source));
}

/* ---- attach, start ---------------------------------------------------------------------------------------- */

int
replay_hook(struct replay *replay, const struct program *program, struct event *event, struct text *why)
{
	struct hook *hook, **at;

	if (program->record_size > RECORDED_MAX) {
		text_printf(why, "the program reads %" PRIu32 " bytes of its record, more than there can be", program->record_size);
		return -EINVAL;
	}
	hook = mem_alloc(sizeof(*hook));
	if (!hook)
		return -ENOMEM;
	hook->event = event;
	hook->loaded = engine_load(&replay->engine, program, why);
	if (!hook->loaded) {
		free(hook);
		return -errno;
	}
	for (at = &replay->hooks[event->id]; *at; at = &(*at)->next)
		;
	*at = hook;
	replay->n_hooks++;
	return 0;
}

static int
replay_attach(struct source *source, const struct program *program, struct event *event, struct text *why)
{
	if (!event_has_record(event) || event_is_probe(event)) {
		text_puts(why, "a recording has no timers and probes of its own: profile and probe: are for live systems");
		return -EOPNOTSUPP;
	}
	if (event->id < 0 || event->id >= RECORDED_IDS)
		return 0; /* known by name, but it does not occur */
	return replay_hook(of(source), program, event, why);
}

static int
replay_start(struct source *source, struct text *why)
{
	struct replay *replay = of(source);

	bool needs_names = object_calls(source->object, BPF_FUNC_get_current_comm);

	if (needs_names && recording_learn_names(replay->recording) < 0) {
		text_puts(why, "no memory for the names of the recording's threads");
		return -ENOMEM;
	}
	recording_rewind(replay->recording);
	replay_advance(replay);
	replay->now = replay->event.time_ns;
	return 0;
}

/* ---- one event ------------------------------------------------------------------------------------------------ */

static void
set_env(struct replay *replay)
{
	const struct recorded *event = &replay->event;
	struct vm_env *env = &replay->engine.env;
	struct recorded_task who;

	tasks_identify(&replay->recording->tasks, event, &who);
	env->tid = who.tid;
	env->pid = who.pid;
	env->cpu = event->cpu;
	env->ktime_ns = event->time_ns;
	memcpy(env->comm, who.comm, sizeof(env->comm));
}

/* The record, readable for as many bytes as the program reads. */
static const void *
record_for(struct replay *replay, const struct program *program)
{
	const struct recorded *event = &replay->event;

	if (event->len >= program->record_size && !program->uses_dynamic)
		return event->record;
	memcpy(replay->padded, event->record, event->len);
	if (event->len < replay->padded_len)
		memset(replay->padded + event->len, 0, replay->padded_len - event->len);
	replay->padded_len = event->len;
	return replay->padded;
}

static void
handle(struct replay *replay)
{
	const struct hook *hook = replay->hooks[replay->event.id];

	tasks_learn(&replay->recording->tasks, &replay->event);
	if (!hook)
		return;
	set_env(replay);
	for (; hook && !replay->over; hook = hook->next) {
		engine_run(&replay->engine, hook->loaded, hook->event, record_for(replay, hook->loaded->program));
		replay->over = engine_exited(&replay->engine);
	}
}

/* vm_env.read_user: the strings that were recorded with the event, at the addresses that point to them. */
static int64_t
read_string(void *arg, uint64_t addr, void *dst, size_t len)
{
	const struct replay *replay = arg;
	const struct recorded *event = &replay->event;
	const struct hook *hook = replay->hooks[event->id];
	uint64_t pointer;
	const char *text;
	size_t text_len;

	for (uint32_t i = 0; hook && i < hook->event->n_fields; i++) {
		const struct field *field = &hook->event->fields[i];

		if (field->kind != FIELD_USER_STR || field->offset + sizeof(pointer) > event->len)
			continue;
		memcpy(&pointer, event->record + field->offset, sizeof(pointer));
		text = recorded_string(event, field, &text_len);
		if (!text || addr < pointer || addr - pointer >= text_len)
			continue;
		text += addr - pointer;
		text_len -= addr - pointer;
		memset(dst, 0, len); /* whoever reads a string stops at its NUL */
		memcpy(dst, text, len < text_len ? len : text_len);
		return (int64_t)len;
	}
	return -EFAULT;
}

/* vm_env.unwind_kernel and unwind. -EFAULT, as the kernel's helper says it: there are no frames. */
static int64_t
copy_stack(const uint64_t *stack, uint32_t n, uint64_t *addrs, uint32_t max)
{
	if (n > max)
		n = max;
	if (n)
		memcpy(addrs, stack, 8 * n);
	return n ? (int64_t)n : -EFAULT;
}

static int64_t
unwind_kernel(void *arg, uint64_t *addrs, uint32_t max)
{
	const struct replay *replay = arg;

	return copy_stack(replay->event.stack, replay->event.n_stack, addrs, max);
}

static int64_t
unwind_user(void *arg, uint64_t *addrs, uint32_t max)
{
	const struct replay *replay = arg;

	return copy_stack(replay->event.ustack, replay->event.n_ustack, addrs, max);
}

/* ---- pump ------------------------------------------------------------------------------------------------------- */

void
replay_advance(struct replay *replay)
{
	replay->has_event = recording_next(replay->recording, &replay->event);
}

void
replay_events(struct replay *replay, uint64_t until, int max, struct sink *sink)
{
	for (int n = 0; n < max && replay->has_event && !replay->over; n++) {
		if (replay->event.time_ns >= until) {
			replay->now = until;
			break;
		}
		if (replay->event.time_ns > replay->now)
			replay->now = replay->event.time_ns;
		handle(replay);
		replay_advance(replay);
		if (n % EVENTS_A_DRAIN == EVENTS_A_DRAIN - 1)
			engine_drain(&replay->engine, sink);
	}
	engine_drain(&replay->engine, sink);
}

static int
replay_pump(struct source *source, void (*fn)(void *arg, const void *record, size_t len), void *arg)
{
	struct replay *replay = of(source);
	struct sink sink = { fn, arg, 0 };

	replay_events(replay, source->until, EVENTS_A_PUMP, &sink);
	replay->ended = !replay->has_event;
	return sink.n;
}

static int
replay_poll_fds(struct source *source, int *fds, int max)
{
	if (max < 1)
		return 0;
	fds[0] = of(source)->ready_fd;
	return 1;
}

static bool
replay_ended(struct source *source)
{
	return of(source)->ended;
}

static uint64_t
replay_time(struct source *source)
{
	return of(source)->now;
}

struct spaces *
replay_spaces(struct source *source)
{
	return NULL;
}

static void
replay_stop(struct source *source)
{
	of(source)->over = true;
}

void
replay_stats(struct source *source, struct source_stats *stats)
{
	recording_stats(of(source)->recording, stats);
	engine_stats(source, stats);
}

void
replay_fini(struct replay *replay)
{
	struct hook *hook;

	for (uint32_t i = 0; i < RECORDED_IDS && replay->n_hooks; i++)
		while ((hook = replay->hooks[i])) {
			replay->hooks[i] = hook->next;
			replay->n_hooks--;
			free(hook);
		}
	engine_fini(&replay->engine);
	free(replay->padded);
}

static void
replay_close(struct source *source)
{
	struct replay *replay = of(source);

	replay_fini(replay);
	if (replay->ready_fd >= 0)
		close(replay->ready_fd);
	free(replay);
}

static const struct source_ops replay_ops = {
	.name = "recording",
	.attach = replay_attach,
	.start = replay_start,
	.poll_fds = replay_poll_fds,
	.pump = replay_pump,
	.ended = replay_ended,
	.time = replay_time,
	.spaces = replay_spaces,
	.stop = replay_stop,
	.lookup = engine_lookup,
	.update = engine_update,
	.remove = engine_remove,
	.next = engine_next,
	.globals = engine_globals,
	.stats = replay_stats,
	.close = replay_close,
};

int
replay_init(struct replay *replay, const struct source_ops *ops, const struct object *object, struct recording *recording,
	    struct text *why)
{
	int err;

	replay->recording = recording;
	replay->ready_fd = -1;
	err = engine_init(&replay->engine, ops, object, recording->events, recording->n_cpus, why);
	if (err < 0)
		return err;
	replay->engine.source.until = UINT64_MAX;
	replay->engine.env.read_user = read_string;
	replay->engine.env.unwind_kernel = unwind_kernel;
	replay->engine.env.unwind = unwind_user;
	replay->engine.env.arg = replay;
	replay->padded = mem_alloc(PADDED_SIZE);
	if (!replay->padded)
		text_puts(why, "no memory for a record");
	return replay->padded ? 0 : -ENOMEM;
}

int
source_replay_open(struct source **source, const struct object *object, struct recording *recording, struct text *why)
{
	struct replay *replay = mem_alloc(sizeof(*replay));
	int err;

	if (!replay) {
		text_puts(why, "no memory for the user engine");
		return -ENOMEM;
	}
	err = replay_init(replay, &replay_ops, object, recording, why);
	if (err == 0) {
		replay->ready_fd = eventfd(1, EFD_CLOEXEC);
		err = replay->ready_fd < 0 ? -errno : 0;
	}
	if (err < 0) {
		if (!why->len)
			text_printf(why, "recording '%s' cannot be replayed: %s", recording->path, strerror(-err));
		replay_close(&replay->engine.source);
		return err;
	}
	*source = &replay->engine.source;
	return 0;
}
