/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Events that a counter makes, of the kernel or of the processor, on every CPU:
 *
 *     perf:NAME[:PERIOD]             one in PERIOD of what perf.def names
 *     watch:0xADDRESS[:LEN[:MODE]]   every access to LEN (1, 2, 4, 8) bytes of memory; MODE is r (not on x86), w, rw or x, rw unless given
 *
 * The processor has four watchpoints; one for `x` is of 8 bytes for perf_event_open(2), whatever is executed there. These events
 * have no record.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/hw_breakpoint.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>

#include "event/event_int.h"

static const struct {
	const char *name;
	uint32_t type;
	uint64_t config, period;
} counters[] = {
#define PERF(name, type, config, period) { name, type, config, period },
#include "event/perf.def"
#undef PERF
};

static const struct {
	const char *text;
	uint32_t type;
} modes[] = {
	{ "r", HW_BREAKPOINT_R }, /* x86 has none for reading alone: the kernel refuses */
	{ "w", HW_BREAKPOINT_W },
	{ "rw", HW_BREAKPOINT_RW },
	{ "x", HW_BREAKPOINT_X },
};

struct request {
	struct events *events;
	struct diags *diags;
	struct span span;
	const char *pattern;
	const char *parts[3]; /* behind the prefix, NULL: not given */
};

/* The parts of a definition, separated by colons. False: more than there may be. */
static bool
split(struct request *r, uint32_t max)
{
	char *rest = arena_strdup(r->events->arena, strchr(r->pattern, ':') + 1), *part;
	uint32_t n = 0;

	while ((part = strsep(&rest, ":"))) {
		if (n == max)
			return false;
		r->parts[n++] = part;
	}
	return true;
}

static bool
read_number(const char *text, uint64_t *number)
{
	char *end;

	errno = 0;
	*number = strtoull(text, &end, 0);
	return *text >= '0' && *text <= '9' && *end == 0 && errno == 0;
}

static int
refuse(const struct request *r, const char *message, const char *help)
{
	struct diag *diag = diag_error(r->diags, r->span, "bad-counter", "'%s': %s", r->pattern, message);

	diag_help(r->diags, diag, "%s", help);
	return -EINVAL;
}

static int
refuse_engine(const struct request *r)
{
	struct diag *diag = diag_error(r->diags, r->span, "unsupported-event", "'%s': %s no counters", r->pattern,
				       events_owner_has(r->events));

	events_help_kernel(r->events, r->diags, diag);
	return -EOPNOTSUPP;
}

/* The event of that name and system; `counter` is copied. */
static struct event *
make_event(struct events *events, const char *system, const char *name, const struct perf_counter *counter)
{
	struct event *event = events_find_made(events, system, name);
	struct perf_counter *copy;

	if (event)
		return event;
	copy = arena_alloc(events->arena, sizeof(*copy));
	*copy = *counter;
	event = events_make(events, EVENT_COUNTER, system, arena_strdup(events->arena, name));
	event->counter = copy;
	event->fields_loaded = true;
	return event;
}

/* ---- perf: ----------------------------------------------------------------------------------- */

static int
refuse_name(const struct request *r)
{
	struct diag *diag = diag_error(r->diags, r->span, "bad-counter", "'%s': there is no counter '%s'", r->pattern, r->parts[0]);
	unsigned best = (unsigned)strlen(r->parts[0]) / 3 + 2, distance;
	const char *near = NULL;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(counters) && best > 1; i++) {
		distance = text_distance(r->parts[0], counters[i].name, best - 1);
		if (distance < best) {
			best = distance;
			near = counters[i].name;
		}
	}
	if (near)
		diag_help(r->diags, diag, "did you mean 'perf:%s'?", near);
	diag_help(r->diags, diag, "`ktap list 'perf:*'` shows what can be counted");
	return -ENOENT;
}

int
events_perf(struct events *events, const char *pattern, struct span span, struct diags *diags,
	    void (*fn)(struct event *event, void *arg), void *arg)
{
	struct request r = { .events = events, .diags = diags, .span = span, .pattern = pattern };
	struct perf_counter counter = { 0 };
	size_t i = 0;

	if (!split(&r, 2) || (r.parts[1] && (!read_number(r.parts[1], &counter.period) || !counter.period || counter.period > INT64_MAX)))
		return refuse(&r, "a name and a number are needed", "perf:NAME:PERIOD, for example perf:page-faults:1, calls the handler once in PERIOD");
	while (i < ARRAY_SIZE(counters) && strcmp(counters[i].name, r.parts[0]) != 0)
		i++;
	if (i == ARRAY_SIZE(counters))
		return refuse_name(&r);
	if (events->origin == EVENTS_USER || events->origin == EVENTS_HOST)
		return refuse_engine(&r);
	counter.type = counters[i].type;
	counter.config = counters[i].config;
	if (!counter.period)
		counter.period = counters[i].period;
	fn(make_event(events, "perf", arena_printf(events->arena, "%s:%" PRIu64, r.parts[0], counter.period), &counter), arg);
	return 1;
}

int
events_list_perf(struct events *events, const char *pattern, FILE *out, struct text *why)
{
	size_t i;
	int n = 0;

	(void)events;
	(void)why;
	for (i = 0; i < ARRAY_SIZE(counters); i++) {
		if (!glob_match(pattern + strlen("perf:"), counters[i].name))
			continue;
		fprintf(out, "perf:%s:%" PRIu64 "\n", counters[i].name, counters[i].period);
		n++;
	}
	return n;
}

/* ---- watch: ---------------------------------------------------------------------------------- */

#define WATCH_HELP "watch:0xADDRESS:LEN:MODE, for example watch:0x601040:8:w; LEN is 1, 2, 4 or 8, MODE w, rw or x"

static int
read_watch(const struct request *r, struct perf_counter *counter)
{
	const char *mode = r->parts[1] && r->parts[2] ? r->parts[2] : "rw";
	size_t i = 0;

	*counter = (struct perf_counter){ .type = PERF_TYPE_BREAKPOINT, .period = 1, .watch_len = 8 };
	if (!r->parts[0] || !read_number(r->parts[0], &counter->watch_address))
		return refuse(r, "an address is needed", WATCH_HELP);
	if (r->parts[1] && !read_number(r->parts[1], &counter->watch_len))
		return refuse(r, "a number of bytes is needed", WATCH_HELP);
	if (counter->watch_len != 1 && counter->watch_len != 2 && counter->watch_len != 4 && counter->watch_len != 8)
		return refuse(r, "so many bytes cannot be watched", WATCH_HELP);
	while (i < ARRAY_SIZE(modes) && strcmp(modes[i].text, mode) != 0)
		i++;
	if (i == ARRAY_SIZE(modes))
		return refuse(r, "that is no mode", WATCH_HELP);
	counter->watch_mode = modes[i].type;
	if (modes[i].type == HW_BREAKPOINT_X)
		counter->watch_len = sizeof(long);
	else if (counter->watch_address % counter->watch_len)
		return refuse(r, "the address is no multiple of the number of bytes, as the processor wants it", WATCH_HELP);
	return 0;
}

int
events_watch(struct events *events, const char *pattern, struct span span, struct diags *diags,
	     void (*fn)(struct event *event, void *arg), void *arg)
{
	struct request r = { .events = events, .diags = diags, .span = span, .pattern = pattern };
	struct perf_counter counter;
	int err;

	if (!split(&r, 3))
		return refuse(&r, "too many parts", WATCH_HELP);
	err = read_watch(&r, &counter);
	if (err < 0)
		return err;
	if (events->origin == EVENTS_USER || events->origin == EVENTS_HOST)
		return refuse_engine(&r);
	fn(make_event(events, "watch", strchr(pattern, ':') + 1, &counter), arg);
	return 1;
}

int
events_list_watch(struct events *events, const char *pattern, FILE *out, struct text *why)
{
	(void)events;
	(void)out;
	text_printf(why, "'%s': any address can be watched, there is no list; " WATCH_HELP, pattern);
	return -EINVAL;
}
