/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The events that exist where we run, their names and globs.
 *
 * System calls come from our own table and never touch tracefs; tracepoints are read from tracefs's
 * available_events at the first question that can concern them. Everything lives in the arena of
 * events_new. The same event is always the same struct.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "event/event_int.h"

static const struct {
	const char *system, *name;
} user_events[] = {
#define USER_EVENT(id, system, name, size) { system, name },
#define USER_FIELD(id, name, type, kind, offset, size, is_signed)
#include "event/user_events.def"
#undef USER_EVENT
#undef USER_FIELD
};

struct events *
events_new(struct arena *arena, enum events_origin origin)
{
	struct events *events = arena_alloc(arena, sizeof(*events));

	events->arena = arena;
	events->origin = origin;
	return events;
}

enum events_origin
events_origin(const struct events *events)
{
	return events->origin;
}

const char *
events_owner_has(const struct events *events)
{
	static const char *const owners[] = {
		[EVENTS_KERNEL] = "the kernel engine has", [EVENTS_USER] = "the user engine has",
		[EVENTS_RECORDED] = "recordings have",     [EVENTS_HOST] = "programs that host scripts have",
	};

	return owners[events->origin];
}

void
events_help_kernel(const struct events *events, struct diags *diags, struct diag *diag)
{
	diag_help(diags, diag, "the kernel engine has them (%s, as root)",
		  events->origin == EVENTS_RECORDED ? "on the live system, without --from" : "--engine=kernel");
}

/* Is it empty but for what is added? */
static bool
is_given(const struct events *events)
{
	return events->origin == EVENTS_RECORDED || events->origin == EVENTS_HOST;
}

/* By the name without its system. */
static struct entry **
bucket(struct events *events, const char *name)
{
	return &events->buckets[text_hash(name, strlen(name)) % NAME_BUCKETS];
}

static void
list_add(struct events *events, struct event_list *list, struct entry *entry)
{
	struct entry **first = bucket(events, entry->event.name);

	list->entries = arena_grow(events->arena, list->entries, list->n, &list->cap, sizeof(*list->entries));
	list->entries[list->n++] = entry;
	entry->next = *first;
	*first = entry;
}

static void
entry_init(struct entry *entry, enum event_kind kind, const char *system, const char *name)
{
	entry->event = (struct event){
		.kind = kind, .system = system, .name = name, .number = -1, .id = -1, .index = UINT32_MAX
	};
}

/* ---- system calls ---------------------------------------------------------------------------- */

static void
add_syscall(struct events *events, struct entry *entry, enum event_kind kind, const struct syscall *syscall)
{
	const char *prefix = kind == EVENT_SYSCALL_ENTER ? "sys_enter_" : "sys_exit_";

	entry_init(entry, kind, "syscalls", arena_printf(events->arena, "%s%s", prefix, syscall->name));
	entry->event.number = syscall->number;
	list_add(events, &events->syscalls, entry);
}

static void
need_syscalls(struct events *events)
{
	const struct syscall *syscall;
	struct entry *entries;
	int32_t number;

	if (events->syscalls.n || (is_given(events) && !events->has_known))
		return;
	entries = arena_alloc(events->arena, 2 * SYSCALLS_MAX * sizeof(*entries));
	for (number = 0; number < SYSCALLS_MAX; number++) {
		syscall = syscall_by_number(number);
		if (!syscall)
			continue;
		add_syscall(events, entries++, EVENT_SYSCALL_ENTER, syscall);
		add_syscall(events, entries++, EVENT_SYSCALL_EXIT, syscall);
	}
}

/* ---- tracepoints ----------------------------------------------------------------------------- */

static int
compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int order = strcmp(x->event.system, y->event.system);

	return order ? order : strcmp(x->event.name, y->event.name);
}

static size_t
count_lines(const char *s)
{
	size_t n = 0;

	for (; (s = strchr(s, '\n')); s++)
		n++;
	return n;
}

/* Adds "system:name" lines; the text is cut up in place and must live as long as the events. */
static void
add_tracepoints(struct events *events, char *text)
{
	struct entry *entries = arena_alloc(events->arena, (count_lines(text) + 1) * sizeof(*entries));
	char *line, *colon, *rest = text;
	size_t i, n = 0;

	while ((line = strsep(&rest, "\n"))) {
		colon = strchr(line, ':');
		if (!colon)
			continue;
		*colon = 0;
		if (strcmp(line, "syscalls") != 0) /* ours, from the table */
			entry_init(&entries[n++], EVENT_TRACEPOINT, line, colon + 1);
	}
	qsort(entries, n, sizeof(*entries), compare_entries);
	for (i = 0; i < n; i++)
		list_add(events, &events->tracepoints, &entries[i]);
}

static void
add_user_events(struct events *events)
{
	struct entry *entry;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(user_events); i++) {
		entry = arena_alloc(events->arena, sizeof(*entry));
		entry_init(entry, EVENT_TRACEPOINT, user_events[i].system, user_events[i].name);
		list_add(events, &events->tracepoints, entry);
	}
}

static void
need_tracepoints(struct events *events)
{
	char *text;
	size_t len;

	if (events->tracefs_read || is_given(events))
		return;
	events->tracefs_read = true;
	if (events->origin == EVENTS_USER) {
		add_user_events(events);
		return;
	}
	text = tracefs_read("available_events", &len);
	if (!text) {
		events->tracefs_error = -errno;
		return;
	}
	add_tracepoints(events, arena_strndup(events->arena, text, len));
	free(text);
}

void
events_add_known(struct events *events)
{
	events->has_known = true;
	need_syscalls(events);
	add_user_events(events);
}

int
events_tracefs_error(struct events *events)
{
	need_tracepoints(events);
	return events->tracefs_error;
}

/* ---- questions ------------------------------------------------------------------------------- */

/* The entry of this name, of any system where `system` is NULL. */
static struct event *
find(struct events *events, const char *system, const char *name)
{
	for (struct entry *entry = *bucket(events, name); entry; entry = entry->next)
		if (strcmp(entry->event.name, name) == 0 &&
		    (!system || strcmp(entry->event.system, system) == 0))
			return &entry->event;
	return NULL;
}

/* A system call's event, also under the name that unistd.h gives the call (stat: newstat). */
static struct event *
find_syscall(struct events *events, const char *name)
{
	static const char *const prefixes[] = { "sys_enter_", "sys_exit_" };
	const struct syscall *syscall;
	struct event *event;
	char full[80];
	size_t i, len;

	need_syscalls(events);
	event = find(events, "syscalls", name);
	for (i = 0; !event && i < ARRAY_SIZE(prefixes); i++) {
		len = strlen(prefixes[i]);
		if (strncmp(name, prefixes[i], len) != 0)
			continue;
		syscall = syscall_by_name(name + len);
		if (!syscall)
			continue;
		snprintf(full, sizeof(full), "%s%s", prefixes[i], syscall->name);
		event = find(events, "syscalls", full);
	}
	return event;
}

struct search {
	const char *system, *name;
	bool skip_ftrace; /* the system is a glob: ftrace:* are internals of the tracer, no events */
	bool any_name;
	void (*fn)(struct event *event, void *arg);
	void *arg;
};

static int
match_list(const struct event_list *list, const struct search *match)
{
	const char *last = NULL;
	bool system_fits = false;
	struct event *event;
	uint32_t i;
	int n = 0;

	for (i = 0; i < list->n; i++) {
		event = &list->entries[i]->event;
		if (!last || strcmp(last, event->system) != 0) {
			last = event->system;
			system_fits = glob_match(match->system, last) &&
				      !(match->skip_ftrace && strcmp(last, "ftrace") == 0);
		}
		if (!system_fits || !(match->any_name || glob_match(match->name, event->name)))
			continue;
		match->fn(event, match->arg);
		n++;
	}
	return n;
}

int
events_match(struct events *events, const char *pattern, void (*fn)(struct event *event, void *arg),
	     void *arg)
{
	const char *colon = strchr(pattern, ':');
	struct search match = { .fn = fn, .arg = arg };
	struct event *alias;
	char *system;
	int n = 0;

	if (!colon)
		return -EINVAL;
	system = arena_strndup(events->arena, pattern, (size_t)(colon - pattern));
	match.system = system;
	match.name = colon + 1;
	match.any_name = strcmp(match.name, "*") == 0;
	match.skip_ftrace = name_is_glob(system);
	if (glob_match(system, "syscalls")) {
		need_syscalls(events);
		n += match_list(&events->syscalls, &match);
	}
	if (strcmp(system, "syscalls") == 0) {
		alias = n ? NULL : find_syscall(events, match.name);
		if (alias)
			fn(alias, arg);
		return alias ? 1 : n;
	}
	need_tracepoints(events);
	return n + match_list(&events->tracepoints, &match);
}

struct event *
events_find(struct events *events, const char *system, const char *name)
{
	if (strcmp(system, "syscalls") == 0)
		return find_syscall(events, name);
	need_tracepoints(events);
	return find(events, system, name);
}

struct event *
events_find_name(struct events *events, const char *name)
{
	struct event *event = find_syscall(events, name);

	if (event)
		return event;
	need_tracepoints(events);
	return find(events, NULL, name);
}

/* ---- suggestions ----------------------------------------------------------------------------- */

#define SUGGEST_DISTANCE 5 /* more changes than this are another name */

static void
nearest(const struct event_list *list, const char *name, struct event **best, unsigned *best_distance)
{
	char full[256];
	struct event *event;
	unsigned distance;
	uint32_t i;

	for (i = 0; i < list->n && *best_distance; i++) {
		event = &list->entries[i]->event;
		snprintf(full, sizeof(full), "%s:%s", event->system, event->name);
		distance = text_distance(name, full, *best_distance - 1);
		if (distance >= *best_distance)
			continue;
		*best_distance = distance;
		*best = event;
	}
}

struct event *
events_suggest(struct events *events, const char *name)
{
	/* Of a short name a third may be wrong, of a long one a few letters. */
	unsigned limit = (unsigned)strlen(name) / 3 + 1;
	struct event *best = NULL;

	if (limit > SUGGEST_DISTANCE + 1)
		limit = SUGGEST_DISTANCE + 1;
	need_syscalls(events);
	need_tracepoints(events);
	nearest(&events->syscalls, name, &best, &limit);
	nearest(&events->tracepoints, name, &best, &limit);
	return best;
}

/* ---- events that the script makes ------------------------------------------------------------ */

struct event *
events_make(struct events *events, enum event_kind kind, const char *system, const char *name)
{
	struct entry *entry = arena_alloc(events->arena, sizeof(*entry));

	entry_init(entry, kind, system, name);
	list_add(events, &events->made, entry);
	return &entry->event;
}

struct event *
events_find_made(struct events *events, const char *system, const char *name)
{
	return find(events, system, name);
}

struct event *
events_add(struct events *events, const char *system, const char *name)
{
	bool is_syscall = strcmp(system, "syscalls") == 0;
	struct entry *entry = arena_alloc(events->arena, sizeof(*entry));

	entry_init(entry, EVENT_TRACEPOINT, system, name);
	list_add(events, is_syscall ? &events->syscalls : &events->tracepoints, entry);
	return &entry->event;
}

struct event *
events_find_probe(struct events *events, const char *system, const char *name, const char *definition, uint64_t offset)
{
	for (struct entry *entry = *bucket(events, name); entry; entry = entry->next) {
		struct event *event = &entry->event;

		if (event->probe && event->probe->offset == offset && strcmp(event->system, system) == 0 &&
		    strcmp(event->probe->definition, definition) == 0)
			return event;
	}
	return NULL;
}

struct event *
events_profile(struct events *events, uint64_t period_ns)
{
	static const struct {
		const char *name;
		uint64_t ns;
	} units[] = { { "s", 1000000000 }, { "ms", 1000000 }, { "us", 1000 }, { "ns", 1 } };
	struct event *event;
	const char *name;
	size_t i = 0;

	while (period_ns % units[i].ns)
		i++;
	name = arena_printf(events->arena, "profile-%" PRIu64 "%s", period_ns / units[i].ns, units[i].name);
	event = find(events, "profile", name);
	if (event)
		return event;
	event = events_make(events, EVENT_PROFILE, "profile", name);
	event->period_ns = period_ns;
	event->fields_loaded = true;
	return event;
}

/* ---- ktap list ------------------------------------------------------------------------------- */

static void
list_one(struct event *event, void *arg)
{
	fprintf(arg, "%s:%s\n", event->system, event->name);
}

static void
list_fields(struct events *events, const char *system_name, FILE *out)
{
	const char *colon = strchr(system_name, ':');
	char *system = arena_strndup(events->arena, system_name, (size_t)(colon - system_name));
	struct event *event = events_find(events, system, colon + 1);
	uint32_t i;

	if (!event || event_load_fields(events, event) < 0)
		return;
	for (i = 0; i < event->n_fields; i++)
		fprintf(out, "    %-24s %s\n", event->fields[i].name, event->fields[i].type);
}

int
events_list(struct events *events, const char *pattern, FILE *out, struct text *why)
{
	int n;

	if (pattern && events_is_definition(pattern))
		return events_list_definitions(events, pattern, out, why);
	n = events_match(events, pattern ? pattern : "*:*", list_one, out);
	if (n < 0)
		text_printf(why, "'%s' is no pattern for events: SYSTEM:NAME is needed, for example 'sched:*'", pattern);
	if (n == 1 && pattern && !name_is_glob(pattern))
		list_fields(events, pattern, out);
	return n;
}
