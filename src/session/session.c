/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * session: one run of a script, step by step; session_run is the list of the steps.
 *
 *     new    open
 *     begin  main -> attach -> start (init)
 *     loop   (loop.c), or turn after turn by somebody else's
 *     end    stop, drain -> fini -> trace_end -> report -> close
 *
 * Without anything registered and without a command, trace_end follows main at once. Errors of the script
 * (main, tick, signal, probes) make the status 1, refusals of the world 3; trace_end runs in every case but the one
 * that tracing could not begin.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "session/session_int.h"

void
session_fail(struct session *session, enum exit_status status)
{
	if (status > session->status)
		session->status = status;
}

bool
session_goes_on(struct session *session, enum control_result result)
{
	if (result == CONTROL_ERROR)
		session_fail(session, STATUS_SCRIPT);
	return result == CONTROL_DONE;
}

/* ---- open --------------------------------------------------------------- */

/* value_names.stack: the frames of a stack, from the tables of stacks. */
static int
stack_frames(void *arg, enum value_kind kind, uint32_t key, uint64_t *addrs, uint32_t max)
{
	struct session *session = arg;
	const struct object *object = session->object;
	uint32_t table = object_stack_table(object, kind == VALUE_STACK ? STACKS_KERNEL : STACKS_USER, &key), n = 0, len;
	uint64_t *frames;
	int err;

	if (!session->source || table == UINT32_MAX)
		return -ENOENT;
	len = object->tables[table]->value_size / 8;
	frames = mem_alloc(len * 8);
	if (!frames)
		return -ENOMEM;
	err = session->source->ops->lookup(session->source, table, &key, frames);
	while (err >= 0 && n < len && n < max && frames[n]) {
		addrs[n] = frames[n];
		n++;
	}
	free(frames);
	return err < 0 ? err : (int)n;
}

/* value_names.spaces */
static struct spaces *
address_spaces(void *arg)
{
	struct session *session = arg;

	return session->source && session->source->ops->spaces ? session->source->ops->spaces(session->source) : NULL;
}

static int
open_control(struct session *session, struct text *why)
{
	struct control *control = &session->control;

	session->formats = mem_alloc((session->object->n_sites + 1) * sizeof(*session->formats));
	session->n_delivered = mem_alloc((session->object->n_sites + 1) * sizeof(*session->n_delivered));
	if (!session->formats || !session->n_delivered)
		return -ENOMEM;
	session->names = (struct value_names){ .object = session->object,
					       .formats = session->formats,
					       .events = session->events,
					       .symbols = session->symbols,
					       .user_symbols = session->user_symbols,
					       .stack = stack_frames,
					       .spaces = address_spaces,
					       .arg = session };
	control->object = session->object;
	control->events = session->events;
	control->source = session->source;
	control->out = session->out;
	control->names = &session->names;
	control->options = session->options;
	control->interrupt = &session->interrupt;
	return control_open(control, why);
}

static bool
open_session(struct session *session)
{
	struct text why = { 0 };
	const struct session_options *options = session->options;
	int err = options->is_guest ? 0 : interrupt_open(&session->interrupt);

	session->out = options->print ? output_new_to(options->print, options->print_arg) : output_new(options->out_fd);
	if (session->out && options->replaces)
		output_replace(session->out);
	if (session->out && !options->is_guest)
		output_set_wait(session->out, interrupt_wait_for_room, &session->interrupt);
	session->symbols = symbols_new();
	session->user_symbols = user_symbols_new(options->mangled ? NAMES_MANGLED : NAMES_READABLE);
	if (err == 0 && (!session->out || !session->symbols || !session->user_symbols))
		err = -ENOMEM;
	if (err == 0 && !session->source)
		err = watch_open(&session->watch, &options->target, &why);
	if (err == 0)
		err = open_control(session, &why);
	if (err < 0) {
		complain_to(session_messages(options), "%s", why.s ? why.s : strerror(-err));
		session_fail(session, err == -EINVAL ? STATUS_SCRIPT : STATUS_WORLD);
	}
	text_fini(&why);
	return err == 0;
}

/* ---- start -------------------------------------------------------------- */

static bool
has_work(const struct session *session)
{
	const struct control *control = &session->control;

	return control->n_registrations || control->n_ticks || control->n_signal_handlers || session->options->target.argv ||
	       session->options->target.pid;
}

static int
open_tick(uint64_t period_ns)
{
	struct itimerspec timer = { 0 };
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK), err;

	timer.it_interval.tv_sec = period_ns / 1000000000;
	timer.it_interval.tv_nsec = period_ns % 1000000000;
	timer.it_value = timer.it_interval;
	if (fd >= 0 && timerfd_settime(fd, 0, &timer, NULL) == 0)
		return fd;
	err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

static bool
open_ticks(struct session *session)
{
	uint32_t n = session->control.n_ticks;
	bool ok = n <= TICKS_MAX;

	if (!ok)
		complain_to(session_messages(session->options), "%u ticks are registered; there can be %d", n, TICKS_MAX);
	session->tick_fds = n ? mem_alloc(n * sizeof(int)) : NULL;
	ok = ok && (n == 0 || session->tick_fds);
	for (uint32_t i = 0; session->tick_fds && i < n; i++)
		session->tick_fds[i] = -1;
	session->tick_start = session_has_own_time(session) ? session->source->ops->time(session->source) : 0;
	for (uint32_t i = 0; ok && i < n && !session_has_own_time(session); i++) {
		session->tick_fds[i] = open_tick(session->control.ticks[i].period_ns);
		ok = session->tick_fds[i] >= 0;
		if (!ok)
			complain_to(session_messages(session->options), "a timer for tick cannot be made: %s", strerror(-session->tick_fds[i]));
	}
	if (!ok)
		session_fail(session, STATUS_WORLD);
	return ok;
}

#define WALL_TRIES 10

/* The wall clock less the monotonic one. Between two looks at clocks we may lose the CPU: the closest of several counts. */
static uint64_t
wall_offset(void)
{
	uint64_t offset = 0, closest = UINT64_MAX, before, after;
	struct timespec wall;

	for (int i = 0; i < WALL_TRIES; i++) {
		before = clock_now();
		clock_gettime(CLOCK_REALTIME, &wall);
		after = clock_now();
		if (after - before < closest) {
			closest = after - before;
			offset = (uint64_t)wall.tv_sec * 1000000000 + (uint64_t)wall.tv_nsec - before;
		}
	}
	return offset;
}

/* What gettimeofday_ns() adds to the monotonic clock in a probe. A recording's time is all the time it has. */
static void
set_wall_clock(struct session *session)
{
	const struct object *object = session->object;
	struct source_stats stats = { 0 };
	uint64_t offset;
	char *globals;

	if (object->wall_offset_off == UINT32_MAX)
		return;
	session->source->ops->stats(session->source, &stats);
	globals = session->source->ops->globals(session->source);
	if (stats.recording || !globals)
		return;
	offset = wall_offset();
	memcpy(globals + object->wall_offset_off, &offset, sizeof(offset));
}

static bool
start(struct session *session)
{
	struct text why = { 0 };
	int err;

	if (session->source)
		set_wall_clock(session);
	if (session->source)
		err = session->source->ops->start(session->source, &why);
	else
		err = watch_go(&session->watch, &why);
	if (err < 0) {
		complain_to(session_messages(session->options), "%s", why.s ? why.s : strerror(-err));
		session_fail(session, STATUS_WORLD);
	}
	text_fini(&why);
	return err >= 0;
}

/* The banner goes to stderr, so that output stays what the script prints. */
static void
print_banner(const struct session *session)
{
	if (!session->options->quiet && !session_has_own_time(session))
		fputs("Tracing... Hit Ctrl-C to end.\n", stderr);
}

/* ---- the end ------------------------------------------------------------ */

/* Handlers do nothing once one has called exit(): those of fini are not meant by that. */
static void
forget_exit(struct session *session)
{
	uint32_t off = session->object->exit_flag_off;
	char *globals = off == UINT32_MAX ? NULL : session->source->ops->globals(session->source);

	if (globals)
		__atomic_store_n((uint64_t *)(void *)(globals + off), 0, __ATOMIC_RELEASE);
}

/* What is attached to fini, and what that sends. */
static void
finish(struct session *session)
{
	struct text why = { 0 };

	if (!session->source || !session->source->ops->finish || session->status == STATUS_WORLD)
		return;
	forget_exit(session);
	if (session->source->ops->finish(session->source, &why) < 0) {
		complain_to(session_messages(session->options), "%s", why.s ? why.s : "the programs of fini cannot be run");
		session_fail(session, STATUS_WORLD);
	}
	text_fini(&why);
	session_drain(session);
}

static void
stop(struct session *session)
{
	/* A signal to the whole group, as Ctrl-C is, may have ended the command, and by that the loop, before that looked for ours. */
	if (interrupt_seen(&session->interrupt) && isatty(STDERR_FILENO))
		fputc('\n', stderr); /* behind the terminal's ^C */
	interrupt_release(&session->interrupt);
	if (session->source)
		session->source->ops->stop(session->source);
	watch_close(&session->watch);
	session_drain(session);
	finish(session);
	interrupt_take(&session->interrupt);
}

static void
report_losses(struct session *session)
{
	struct source_stats stats = { 0 };
	struct losses losses;

	session_count(session, &losses);
	if (session_report(session, &losses))
		session_fail(session, STATUS_SCRIPT);
	if (session->source)
		session->source->ops->stats(session->source, &stats);
	session_fail(session, report_recording(&stats, session_messages(session->options)));
	if (session->options->losses)
		*session->options->losses = losses;
	else
		losses_fini(&losses);
}

/* Frees the run. Returns its status. */
static enum exit_status
close_session(struct session *session)
{
	enum exit_status status;
	int err = session->out ? output_free(session->out) : 0;

	if (err < 0 && err != -EPIPE) {
		complain_to(session_messages(session->options), "output cannot be written: %s", strerror(-err));
		session_fail(session, STATUS_WORLD);
	}
	control_close(&session->control);
	symbols_free(session->symbols);
	user_symbols_free(session->user_symbols);
	watch_close(&session->watch);
	interrupt_close(&session->interrupt);
	for (uint32_t i = 0; session->tick_fds && i < session->control.n_ticks; i++)
		if (session->tick_fds[i] >= 0)
			close(session->tick_fds[i]);
	free(session->tick_fds);
	if (session->signal_fd >= 0)
		close(session->signal_fd);
	for (uint32_t i = 0; session->formats && i < session->object->n_sites; i++)
		printf_format_free(session->formats[i]);
	free(session->formats);
	free(session->n_delivered);
	text_fini(&session->text);
	status = session->status;
	free(session);
	return status;
}

/* ---- the steps ---------------------------------------------------------- */

/* False: tracing could not begin. */
static bool
begin_tracing(struct session *session)
{
	bool started;

	interrupt_release(&session->interrupt);
	started = session_attach(session);
	step_time("attach", &session->time);
	started = started && start(session);
	interrupt_take(&session->interrupt);
	step_time("start", &session->time);
	if (!started || !open_ticks(session) || !signals_open(session))
		return false;
	output_begin(session->out);
	print_banner(session);
	return true;
}

/* Returns whether tracing follows. */
static bool
run_main(struct session *session)
{
	bool goes_on = session_goes_on(session, control_main(&session->control));

	session->ends = control_accepts_options(&session->control);
	if (session->control.bad_usage)
		session_fail(session, STATUS_USAGE);
	return goes_on && session->ends;
}

struct session *
session_new(struct object *object, struct events *events, struct source *source, const struct session_options *options)
{
	struct session *session = mem_alloc(sizeof(*session));

	if (!session)
		return NULL;
	session->object = object;
	session->events = events;
	session->source = source;
	session->options = options;
	session->interrupt.fd = session->watch.pidfd = session->signal_fd = -1;
	session->time = clock_now();
	session->ends = open_session(session);
	step_time("open", &session->time);
	return session;
}

bool
session_begin(struct session *session)
{
	if (!session->ends || !run_main(session) || !has_work(session)) {
		if (session->out)
			output_flush(session->out);
		return false;
	}
	step_time("main", &session->time);
	output_flush(session->out);
	session->traces = session->ends = begin_tracing(session);
	return session->traces;
}

enum exit_status
session_status(const struct session *session)
{
	return session->status;
}

enum exit_status
session_end(struct session *session)
{
	if (session->traces) {
		step_time("trace", &session->time);
		stop(session);
		step_time("stop", &session->time);
	}
	if (session->ends)
		session_goes_on(session, control_end(&session->control));
	if (session->out && session->status == STATUS_OK)
		output_begin(session->out); /* it may have printed nothing */
	if (session->out)
		output_flush(session->out);
	report_losses(session);
	step_time("end", &session->time);
	return close_session(session);
}

enum exit_status
session_run(struct object *object, struct events *events, struct source *source,
	    const struct session_options *options)
{
	struct session *session = session_new(object, events, source, options);

	if (!session) {
		complain_to(session_messages(options), "no memory for a run");
		return STATUS_WORLD;
	}
	if (session_begin(session))
		session_loop(session);
	return session_end(session);
}
