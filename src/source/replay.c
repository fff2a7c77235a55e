/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * A recording as an event source: its events run the same programs in the user engine as they would live. Time is the recording's: it stands
 * still between events.
 *
 * Events are handled in the order of their time, by one thread. Where their order is the same to the script (commute.c), several threads take over
 * (replay_lanes.c) once there is much to do before the next tick; tables are whole again whenever a pump returns.
 */
#include <errno.h>
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "source/calls.h"
#include "source/replay_int.h"

#define EVENTS_A_PUMP  4096  /* then the session looks at Ctrl-C */
#define EVENTS_A_DRAIN 64    /* then records are taken out of the ring buffer */
#define EVENTS_ALONE   16384 /* one thread has handled them before others can have begun */

static struct replay *
of(struct source *source)
{
	return (struct replay *)((char *)source - offsetof(struct replay, player.engine.source));
}

/* ---- attach --------------------------------------------------------------------------------------------------- */

/* The number of a program, which is loaded at the first question. -errno: it cannot be. */
static int64_t
number_of(struct replay *replay, const struct program *program, struct text *why)
{
	uint32_t n = replay->n_programs;
	const struct program **programs;
	int err;

	for (uint32_t i = 0; i < n; i++)
		if (replay->programs[i] == program)
			return i;
	programs = mem_grow(replay->programs, n, &replay->cap_programs, sizeof(*programs));
	if (!programs)
		return -ENOMEM;
	replay->programs = programs;
	programs[n] = program;
	err = player_load(&replay->player, n, why);
	if (err < 0)
		return err;
	return replay->n_programs++;
}

int
replay_hook(struct replay *replay, const struct program *program, struct event *event, struct text *why)
{
	struct hook *hook, **at;
	int64_t number;

	if (program->record_size > RECORDED_MAX) {
		text_printf(why, "the program reads %" PRIu32 " bytes of its record, more than there can be", program->record_size);
		return -EINVAL;
	}
	number = number_of(replay, program, why);
	if (number < 0)
		return (int)number;
	hook = mem_alloc(sizeof(*hook));
	if (!hook)
		return -ENOMEM;
	hook->event = event;
	hook->program = (uint32_t)number;
	for (at = &replay->hooks[event->id]; *at; at = &(*at)->next)
		;
	*at = hook;
	replay->n_hooks++;
	return 0;
}

static int
replay_attach(struct source *source, const struct program *program, struct event *event, struct text *why)
{
	if (event_is_moment(event))
		return engine_add_moment(&of(source)->player.engine, program, event, why);
	if (!event_has_record(event) || event_is_probe(event)) {
		text_puts(why, "a recording has no timers and probes of its own: profile and probe: are for live systems");
		return -EOPNOTSUPP;
	}
	if (event->id < 0 || event->id >= RECORDED_IDS)
		return 0; /* known by name, but it does not occur */
	return replay_hook(of(source), program, event, why);
}

/* ---- start ------------------------------------------------------------------------------------------------------- */

static bool
names_threads(const struct source *source)
{
	const struct object *object = source->object;

	return object_calls(object, BPF_FUNC_get_current_comm) || object_asks_ids(object) ||
	       object_calls(object, BPF_FUNC_trace_printk) || debug_on(DEBUG_VM);
}

/* How many threads may work on it; *why says why one. */
static uint32_t
count_jobs(const struct replay *replay, struct text *why)
{
	const struct recording *recording = replay->recording;

	if (replay->jobs < 2)
		text_puts(why, "no more are wanted, or there is one CPU");
	else if (recording->n_streams < 2)
		text_puts(why, "the recording has its events in one order");
	else if (debug_on(DEBUG_VM))
		text_puts(why, "-d vm shows each in its order");
	else if (object_commutes(replay->player.engine.source.object, why))
		return replay->jobs < recording->n_streams ? replay->jobs : recording->n_streams;
	return 1;
}

/*
 * Who looks at some of the streams needs to know what all say of threads. Returns 0 or -ENOMEM; jobs becomes 1 where the streams are not in
 * order.
 */
static int
learn_history(struct replay *replay, struct text *why)
{
	struct recorded_tasks *tasks = &replay->recording->tasks;
	int err = history_read(&replay->history, replay->recording, replay->jobs);

	if (err == -ERANGE) {
		text_puts(why, "events of one CPU are not in order");
		replay->jobs = 1;
		return 0;
	}
	replay->has_history = err == 0;
	for (uint32_t i = 0; i < replay->history.n && err == 0; i++)
		err = tasks_apply_first(tasks, &replay->history.told[i].change);
	return err;
}

static void
tell_jobs(const struct replay *replay, const struct text *why)
{
	if (!debug_on(DEBUG_EVENTS))
		return;
	if (replay->jobs > 1)
		fprintf(stderr, "events: the recording is read by %" PRIu32 " threads: the order of events is the same to the script\n", replay->jobs);
	else
		fprintf(stderr, "events: the recording is read by one thread: %s\n", why->s ? why->s : "");
}

static int
replay_start(struct source *source, struct text *why)
{
	struct replay *replay = of(source);
	struct text reason = { 0 };
	int err = 0;

	replay->names_threads = names_threads(source);
	replay->jobs = count_jobs(replay, &reason);
	if (replay->names_threads && replay->jobs > 1)
		err = learn_history(replay, &reason);
	if (err == 0 && !replay->has_history && object_calls(source->object, BPF_FUNC_get_current_comm))
		err = recording_learn_names(replay->recording);
	tell_jobs(replay, &reason);
	text_fini(&reason);
	if (err < 0) {
		text_puts(why, "no memory for the names of the recording's threads");
		return err;
	}
	recording_rewind(replay->recording);
	player_advance(&replay->player);
	replay->player.now = replay->player.event ? replay->player.event->time_ns : 0;
	engine_run_moments(&replay->player.engine, EVENT_INIT);
	replay->player.over = engine_exited(&replay->player.engine);
	return 0;
}

/* ---- pump --------------------------------------------------------------------------------------------------------- */

/* Has all been handled that comes before `until`? Then that is the time. */
static bool
is_until(struct replay *replay, uint64_t until)
{
	struct player *player = &replay->player;

	if (!player->event || player->event->time_ns < until)
		return false;
	player->now = until;
	return true;
}

void
replay_events(struct replay *replay, uint64_t until, uint32_t max, struct sink *sink)
{
	struct player *player = &replay->player;
	uint32_t n;

	do {
		n = player_play(player, until, max < EVENTS_A_DRAIN ? max : EVENTS_A_DRAIN);
		max -= n;
		engine_drain(&player->engine, sink);
	} while (n == EVENTS_A_DRAIN && max);
	is_until(replay, until);
}

/* Several threads have no way on: one does the rest. */
static void
go_on_alone(struct replay *replay, const char *why)
{
	lanes_free(replay->lanes);
	replay->lanes = NULL;
	replay->jobs = 1;
	if (debug_on(DEBUG_EVENTS))
		fprintf(stderr, "events: the rest of the recording is read by one thread: %s\n", why);
}

/* Returns 1 when several threads have played; 0: one must go on; -errno. */
static int
play_lanes(struct replay *replay, uint64_t until)
{
	struct text why = { 0 };
	int err;

	if (!replay->lanes) {
		replay->lanes = lanes_new(replay, &why);
		if (!replay->lanes)
			go_on_alone(replay, why.s);
		text_fini(&why);
	}
	err = replay->lanes ? lanes_play(replay->lanes, until) : -E2BIG;
	if (err == -E2BIG && replay->lanes)
		go_on_alone(replay, "a table may not have room for all, so their order decides");
	return err == 0 ? 1 : err == -E2BIG ? 0 : err;
}

/* May several threads work now? */
static bool
wants_lanes(const struct replay *replay)
{
	return replay->jobs > 1 && replay->n_alone >= EVENTS_ALONE && replay->player.event && !replay->player.over;
}

static int
replay_pump(struct source *source, void (*fn)(void *arg, const void *record, size_t len), void *arg)
{
	struct replay *replay = of(source);
	struct sink sink = { fn, arg, 0 };
	int played = wants_lanes(replay) ? play_lanes(replay, source->until) : 0;

	if (played < 0)
		return played;
	if (!played) {
		replay_events(replay, source->until, EVENTS_A_PUMP, &sink);
		replay->n_alone += EVENTS_A_PUMP;
	}
	if (is_until(replay, source->until))
		replay->n_alone = 0;
	replay->ended = !replay->player.event;
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
	return of(source)->player.now;
}

static void
replay_stop(struct source *source)
{
	of(source)->player.over = true;
}

void
replay_stats(struct source *source, struct source_stats *stats)
{
	recording_stats(of(source)->recording, stats);
	engine_stats(source, stats);
}

/* ---- open, close -------------------------------------------------------------------------------------------------- */

void
replay_fini(struct replay *replay)
{
	struct hook *hook;

	lanes_free(replay->lanes);
	for (uint32_t i = 0; i < RECORDED_IDS && replay->n_hooks; i++)
		while ((hook = replay->hooks[i])) {
			replay->hooks[i] = hook->next;
			replay->n_hooks--;
			free(hook);
		}
	player_fini(&replay->player);
	history_fini(&replay->history);
	free(replay->programs);
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
	.stop = replay_stop,
	.finish = engine_finish,
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
	replay->jobs = 1;
	replay->names_threads = true;
	err = player_init(&replay->player, ops, object, replay, why);
	replay->player.engine.source.until = UINT64_MAX;
	return err;
}

/* CPUs that this process may run on. */
static uint32_t
count_cpus(void)
{
	cpu_set_t cpus;

	return sched_getaffinity(0, sizeof(cpus), &cpus) == 0 ? (uint32_t)CPU_COUNT(&cpus) : 1;
}

int
source_replay_open(struct source **source, const struct object *object, struct recording *recording, uint32_t jobs, struct text *why)
{
	struct replay *replay = mem_alloc(sizeof(*replay));
	int err;

	if (!replay) {
		text_puts(why, "no memory for the user engine");
		return -ENOMEM;
	}
	err = replay_init(replay, &replay_ops, object, recording, why);
	if (err == 0) {
		replay->jobs = jobs ? jobs : count_cpus();
		if (replay->jobs > REPLAY_JOBS_MAX)
			replay->jobs = REPLAY_JOBS_MAX;
		replay->ready_fd = eventfd(1, EFD_CLOEXEC);
		err = replay->ready_fd < 0 ? -errno : 0;
	}
	if (err < 0) {
		if (!why->len)
			text_printf(why, "recording '%s' cannot be replayed: %s", recording->path, strerror(-err));
		replay_close(&replay->player.engine.source);
		return err;
	}
	*source = &replay->player.engine.source;
	return 0;
}
