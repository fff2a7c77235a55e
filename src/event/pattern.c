/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * From the patterns of a trace statement to events: globs over the events that exist here, definitions of probes. Used when a script is
 * compiled, and again where an object runs that was compiled elsewhere; so the messages are the same.
 */
#include <string.h>

#include "ebpf/ebpf.h"
#include "event/event.h"

struct collection {
	struct arena *arena;
	struct matches matches;
	const struct event_pattern *pattern;
	uint32_t *indices; /* of the events before they were marked */
	uint32_t cap_indices;
};

static void
add_event(struct event *event, void *arg)
{
	struct collection *c = arg;
	struct matches *matches = &c->matches;

	/* While events are collected, `index` marks those that are there: two patterns may match one event. */
	if (event->index < matches->n && matches->list[event->index].event == event)
		return;
	matches->list = arena_grow(c->arena, matches->list, matches->n, &matches->cap, sizeof(*matches->list));
	c->indices = arena_grow(c->arena, c->indices, matches->n, &c->cap_indices, sizeof(*c->indices));
	c->indices[matches->n] = event->index;
	event->index = matches->n;
	matches->list[matches->n++] = (struct match){ event, c->pattern };
}

static const struct {
	const char *prefix, *instead;
} foreign[] = {
#define FOREIGN_EVENT(prefix, instead) { prefix, instead },
#include "event/foreign.def"
#undef FOREIGN_EVENT
};

/* What to write instead of another tool's way to name events; NULL: it is none. */
static const char *
foreign_event(const char *pattern)
{
	for (size_t i = 0; i < ARRAY_SIZE(foreign); i++)
		if (strncmp(foreign[i].prefix, pattern, strlen(foreign[i].prefix)) == 0)
			return foreign[i].instead;
	return NULL;
}

static void
take_first(struct event *event, void *arg)
{
	struct event **first = arg;

	if (!*first)
		*first = event;
}

/* A system call, or its event, without what stands before it: open, sys_enter_open. */
static const struct event *
system_call(struct events *events, const char *name)
{
	struct event *found = NULL;
	struct text pattern = { 0 };

	text_printf(&pattern, strncmp(name, "sys_", 4) ? "syscalls:sys_enter_%s" : "syscalls:%s", name);
	if (pattern.s && !strchr(name, '*'))
		events_match(events, pattern.s, take_first, &found);
	text_fini(&pattern);
	return found;
}

static void
report_bad(struct events *events, const struct event_pattern *pattern, struct diags *diags)
{
	const char *instead = foreign_event(pattern->text);
	const struct event *call = instead ? NULL : system_call(events, pattern->text);
	struct diag *diag;

	diag = diag_error(diags, pattern->span, "bad-event", "'%s' is not an event: SYSTEM:NAME is needed", pattern->text);
	if (call)
		diag_help(diags, diag, "did you mean '%s:%s'?", call->system, call->name);
	diag_help(diags, diag, "%s", instead ? instead : "for example `trace sched:sched_switch { ... }`; both parts may be globs");
}

static void
add_to_list(struct event *event, void *arg)
{
	struct text *list = arg;

	text_printf(list, "%s%s:%s", list->len ? ", " : "", event->system, event->name);
}

/* A host's events are few: all are told. */
static void
help_with_all(struct events *events, struct diags *diags, struct diag *diag)
{
	struct text list = { 0 };

	events_match(events, "*:*", add_to_list, &list);
	diag_help(diags, diag, list.s ? "the host's events are: %s" : "the host has described no events%s", list.s ? list.s : "");
	text_fini(&list);
}

static void
report_unknown(struct events *events, const struct event_pattern *pattern, struct diags *diags)
{
	struct event *near = events_suggest(events, pattern->text);
	const char *instead = foreign_event(pattern->text);
	int err = strncmp(pattern->text, "syscalls:", 9) ? events_tracefs_error(events) : 0;
	struct diag *diag;

	diag = diag_error(diags, pattern->span, "unknown-event", "no event here matches '%s'", pattern->text);
	if (strpbrk(pattern->text, " (")) {
		diag_help(diags, diag, "a condition stands between slashes: trace EVENT /comm == bash/ { ... }; events are separated by commas");
		return;
	}
	if (instead && !near) {
		diag_help(diags, diag, "%s", instead);
		return;
	}
	if (near)
		diag_help(diags, diag, "did you mean '%s:%s'?", near->system, near->name);
	if (events_origin(events) == EVENTS_HOST)
		help_with_all(events, diags, diag);
	else if (events_origin(events) == EVENTS_RECORDED)
		diag_help(diags, diag, "the recording has no such event; `ktap list --from FILE` shows those that it has");
	else if (events_origin(events) == EVENTS_USER)
		diag_help(diags, diag, "the user engine has system calls, fork, exec, exit and signals; other events need the "
				       "kernel engine. `ktap list` shows what there is");
	else if (err && kernel_is_locked_down())
		diag_help(diags, diag, "tracefs, which lists the events, can't be read (%s), for the kernel is locked down for confidentiality "
				       "(boot with lockdown=integrity or none); `rawtp:NAME` needs no tracefs", strerror(-err));
	else if (err)
		diag_help(diags, diag, "tracefs, which lists the events, can't be read (%s); `rawtp:NAME` needs no tracefs; as root, `mount -t tracefs nodev "
				       "/sys/kernel/tracing` makes it readable", strerror(-err));
	else
		diag_help(diags, diag, "`ktap list '%.*s:*'` shows what there is", (int)strcspn(pattern->text, ":"), pattern->text);
}

static void
collect(struct collection *c, struct events *events, const struct event_pattern *pattern, struct diags *diags)
{
	struct event *moment = events_moment(events, pattern->text);
	int n;

	c->pattern = pattern;
	if (moment) {
		add_event(moment, c);
		return;
	}
	if (events_is_definition(pattern->text)) {
		events_define(events, pattern->text, pattern->span, diags, add_event, c);
		return;
	}
	n = events_match(events, pattern->text, add_event, c);
	if (n < 0)
		report_bad(events, pattern, diags);
	else if (n == 0)
		report_unknown(events, pattern, diags);
}

struct matches
events_of_patterns(struct events *events, struct arena *arena, const struct event_pattern *patterns, uint32_t n, struct diags *diags)
{
	struct collection c = { .arena = arena };

	for (uint32_t i = 0; i < n; i++)
		collect(&c, events, &patterns[i], diags);
	for (uint32_t i = 0; i < c.matches.n; i++)
		c.matches.list[i].event->index = c.indices[i];
	return c.matches;
}
