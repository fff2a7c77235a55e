/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * loop: from the start of tracing to its end. Waits on the source's descriptors, a timerfd a tick, the
 * signals and the watched process; records come before ticks and signals, so that their handlers see what happened before.
 *
 * Where records keep coming, the source is not waited for but looked at every millisecond, so that nobody is woken for
 * each one, and output is written in large blocks. A pause, or a tenth of a second, has it written at once.
 *
 * A source with a time of its own (a recording) drives the ticks by that: every tick runs, between the events before it and after.
 *
 * session_turn is one round of this, without the waiting for more records to come together: who calls it waits as it likes.
 *
 * Timers run without drift; of several periods that passed while something else ran, a tick sees one.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "session/session_int.h"

#define LOOK_MS 50 /* how often flags are looked at that have no descriptor */

/* ---- records ------------------------------------------------------------ */

static void
take_record(void *arg, const void *record, size_t len)
{
	struct session *session = arg;
	uint32_t site = record_site(session->object, record, len);
	int kind;

	if (site != UINT32_MAX)
		session->n_delivered[site]++;
	text_clear(&session->text);
	kind = record_text(&session->names, record, len, &session->text);
	if (kind < 0)
		session->n_bad_records++;
	else if (kind == 1)
		session->is_over = true;
	else
		output_write(session->out, session->text.s, session->text.len);
}

static int
pump(struct session *session)
{
	int n = session->source->ops->pump(session->source, take_record, session);

	if (n >= 0)
		return n;
	complain_to(session_messages(session->options), "events cannot be read: %s", strerror(-n));
	session_fail(session, STATUS_WORLD);
	session->is_over = true;
	return 0;
}

void
session_drain(struct session *session)
{
	while (session->source && session->status != STATUS_WORLD && pump(session) > 0)
		;
}

/* ---- ticks -------------------------------------------------------------- */

static void
take_tick(struct session *session, uint32_t n)
{
	uint64_t n_periods;

	if (read(session->tick_fds[n], &n_periods, sizeof(n_periods)) != sizeof(n_periods))
		return;
	if (!session_goes_on(session, control_tick(&session->control, &session->control.ticks[n])))
		session->is_over = true;
}

/* ---- ticks in the source's own time --------------------------------------- */

bool
session_has_own_time(const struct session *session)
{
	return session->source && session->source->ops->time;
}

/* When a tick is due; UINT64_MAX: never, as far as 64 bits of nanoseconds go. */
static uint64_t
tick_due(const struct session *session, const struct tick *tick)
{
	uint64_t passed;

	if (__builtin_mul_overflow(tick->period_ns, tick->n_done + 1, &passed) || passed > UINT64_MAX - session->tick_start)
		return UINT64_MAX;
	return session->tick_start + passed;
}

/* The tick that is due first, of several the one registered first; NULL: there is none. */
static struct tick *
first_tick(struct session *session)
{
	struct control *control = &session->control;
	struct tick *first = NULL;

	for (uint32_t i = 0; i < control->n_ticks; i++)
		if (!first || tick_due(session, &control->ticks[i]) < tick_due(session, first))
			first = &control->ticks[i];
	return first;
}

/* Hands on events up to the next tick, and runs that when its time has come. Returns how many records came. */
static int
pump_own_time(struct session *session)
{
	struct source *source = session->source;
	struct tick *tick = first_tick(session);
	int n;

	source->until = tick ? tick_due(session, tick) : UINT64_MAX;
	n = pump(session);
	if (!tick || session->is_over || source->ops->time(source) < source->until)
		return n;
	tick->n_done++;
	if (!session_goes_on(session, control_tick(&session->control, tick)))
		session->is_over = true;
	return n;
}

/* ---- the end ------------------------------------------------------------ */

/* What ends tracing without a descriptor of its own. */
static bool
is_over(struct session *session)
{
	const struct object *object = session->object;
	const char *globals;

	if (session->is_over || output_error(session->out))
		return true;
	if (!session->source)
		return false;
	if (session->source->ops->ended(session->source))
		return true;
	globals = object->exit_flag_off == UINT32_MAX ? NULL : session->source->ops->globals(session->source);
	return globals && __atomic_load_n((const uint64_t *)(const void *)(globals + object->exit_flag_off),
					  __ATOMIC_ACQUIRE);
}

/* ---- waiting ------------------------------------------------------------ */

/* Where a descriptor of the waiting is; behind the ticks come those of the source. */
enum { INTERRUPT, WATCH, SIGNALS, FIRST_TICK };

struct waiting {
	struct pollfd fds[FIRST_TICK + TICKS_MAX + SOURCE_FDS_MAX];
	int n, n_ticks;
};

static void
waiting_add(struct waiting *waiting, int fd)
{
	waiting->fds[waiting->n++] = (struct pollfd){ .fd = fd, .events = POLLIN };
}

/* What INTERRUPT to FIRST_TICK say, in this order. poll(2) passes over a descriptor of -1. */
static void
waiting_fill(struct waiting *waiting, struct session *session)
{
	waiting->n = 0;
	waiting->n_ticks = session->control.n_ticks;
	waiting_add(waiting, session->interrupt.fd);
	waiting_add(waiting, session->watch.pidfd);
	waiting_add(waiting, session->signal_fd);
	for (int i = 0; i < waiting->n_ticks; i++)
		waiting_add(waiting, session->tick_fds[i]);
}

static void
waiting_add_source(struct waiting *waiting, struct session *session)
{
	int fds[SOURCE_FDS_MAX], n = 0;

	if (session->source)
		n = session->source->ops->poll_fds(session->source, fds, SOURCE_FDS_MAX);
	for (int i = 0; i < n; i++)
		waiting_add(waiting, fds[i]);
}

static void
waiting_poll(struct waiting *waiting, int timeout_ms)
{
	if (poll(waiting->fds, waiting->n, timeout_ms) < 0) /* interrupted: nothing is known to be ready */
		for (int i = 0; i < waiting->n; i++)
			waiting->fds[i].revents = 0;
}

/* n_records: what the last look at the source gave. */
static void
wait_for_more(struct waiting *waiting, struct session *session, int n_records)
{
	waiting_fill(waiting, session);
	if (n_records)
		output_flush_old(session->out, clock_now());
	if (n_records && session->source->batch_ms) {
		waiting_poll(waiting, (int)session->source->batch_ms);
		return;
	}
	waiting_add_source(waiting, session);
	if (n_records == 0)
		output_flush(session->out);
	waiting_poll(waiting, n_records ? 0 : LOOK_MS);
}

/* Sees to all that the waiting has found. Returns how many records that were. */
static int
take_all(struct waiting *waiting, struct session *session)
{
	int n_records;

	if (session_has_own_time(session))
		n_records = pump_own_time(session);
	else
		n_records = session->source ? pump(session) : 0;
	for (int i = 0; i < waiting->n_ticks && !session->is_over; i++)
		if (waiting->fds[FIRST_TICK + i].revents)
			take_tick(session, i);
	if (waiting->fds[SIGNALS].revents && !session->is_over)
		signals_take(session);
	return n_records;
}

void
session_loop(struct session *session)
{
	struct waiting waiting;
	int n_records = 0;

	while (!is_over(session)) {
		wait_for_more(&waiting, session, n_records);
		if (waiting.fds[INTERRUPT].revents && interrupt_seen(&session->interrupt))
			break;
		n_records = take_all(&waiting, session);
		if (waiting.fds[WATCH].revents)
			break;
	}
}

bool
session_turn(struct session *session, int timeout_ms)
{
	struct waiting waiting;

	if (is_over(session))
		return false;
	waiting_fill(&waiting, session);
	waiting_add_source(&waiting, session);
	waiting_poll(&waiting, timeout_ms);
	take_all(&waiting, session);
	output_flush(session->out);
	return !is_over(session);
}

int
session_fds(struct session *session, int *fds, int max)
{
	int n = 0;

	for (uint32_t i = 0; i < session->control.n_ticks && n < max; i++)
		fds[n++] = session->tick_fds[i];
	if (session->source && n < max)
		n += session->source->ops->poll_fds(session->source, fds + n, max - n);
	return n;
}
