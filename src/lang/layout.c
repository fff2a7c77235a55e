/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Which events a handler serves, and in which groups: one group is compiled to one program, so its events must agree in where the
 * fields lie that the handler reads. A handler that reads no field has one group, however many events it serves.
 */
#include <string.h>

#include "lang/lex.h"
#include "lang/types_int.h"

/* ---- what a handler reads ---- */

#define FUNCTIONS_MAX 256 /* functions visited from one handler; recursion is reported by halves.c */

struct walk {
	struct arena *arena;
	struct field_use *use;
	const struct function *visited[FUNCTIONS_MAX];
	uint32_t n_visited;
};

static void
walk_node(struct walk *walk, const struct node *node);

static void
walk_function(struct walk *walk, const struct function *function)
{
	for (uint32_t i = 0; i < walk->n_visited; i++) {
		if (walk->visited[i] == function)
			return;
	}
	if (walk->n_visited == FUNCTIONS_MAX)
		return;
	walk->visited[walk->n_visited++] = function;
	walk_node(walk, function->filter);
	walk_node(walk, function->body);
}

static void
add_name(struct walk *walk, const struct node *node)
{
	struct field_use *use = walk->use;

	for (uint32_t i = 0; i < use->n_names; i++) {
		if (!strcmp(use->names[i]->b->s, node->b->s))
			return;
	}
	use->names = arena_grow(walk->arena, use->names, use->n_names, &use->cap_names, sizeof(*use->names));
	use->names[use->n_names++] = node;
}

static void
note_use(struct walk *walk, const struct node *node)
{
	struct field_use *use = walk->use;
	bool any = use->args || use->argstr || use->retval || use->n_names;

	if (node->kind == NODE_ARG)
		use->args |= (uint16_t)(1u << node->number);
	else if (node->kind == NODE_INDEX && node->a->kind == NODE_ARGS && node->b && node->b->kind == NODE_STR)
		add_name(walk, node);
	else if (node->kind == NODE_ARGS || (node->builtin && node->builtin->id == BUILTIN_ARGSTR))
		use->argstr = true;
	else if (node->builtin && node->builtin->id == BUILTIN_RETVAL)
		use->retval = true;
	else
		return;
	if (!any)
		use->span = node->span;
}

static void
walk_node(struct walk *walk, const struct node *node)
{
	for (; node; node = node->next) {
		note_use(walk, node);
		if (node->kind == NODE_NAME && node->var && node->var->constant)
			walk_function(walk, node->var->constant);
		if (node->kind == NODE_INDEX && node->a->kind == NODE_ARGS)
			continue; /* args.NAME reads one field, not all of args */
		walk_node(walk, node->a);
		walk_node(walk, node->b);
		walk_node(walk, node->c);
		walk_node(walk, node->d);
	}
}

void
find_field_use(struct arena *arena, const struct function *handler, struct field_use *use)
{
	struct walk walk = { .arena = arena, .use = use };

	memset(use, 0, sizeof(*use));
	walk_function(&walk, handler);
}

/* ---- the events of a handler ---- */

struct match {
	struct arena *arena;
	struct event **events;
	uint32_t n, cap;
};

static void
add_event(struct event *event, void *arg)
{
	struct match *match = arg;

	/* `index` marks what this handler has already: two of its patterns may match one event. */
	if (event->index != UINT32_MAX)
		return;
	event->index = match->n;
	match->events = arena_grow(match->arena, match->events, match->n, &match->cap, sizeof(*match->events));
	match->events[match->n++] = event;
}

static void
report_bad_event(const struct node *pattern, struct diags *diags)
{
	const char *foreign = foreign_event(pattern->s);
	struct diag *diag;

	diag = diag_error(diags, pattern->span, "bad-event", "'%s' is not an event: SYSTEM:NAME is needed", pattern->s);
	diag_help(diags, diag, "%s", foreign ? foreign : "for example `trace sched:sched_switch { ... }`; both parts may be globs");
}

static void
report_unknown_event(struct events *events, const struct node *pattern, struct diags *diags)
{
	struct event *near = events_suggest(events, pattern->s);
	const char *foreign = foreign_event(pattern->s);
	int err = strncmp(pattern->s, "syscalls:", 9) ? events_tracefs_error(events) : 0;
	struct diag *diag;

	diag = diag_error(diags, pattern->span, "unknown-event", "no event here matches '%s'", pattern->s);
	if (foreign && !near) {
		diag_help(diags, diag, "%s", foreign);
		return;
	}
	if (near)
		diag_help(diags, diag, "did you mean '%s:%s'?", near->system, near->name);
	if (events_origin(events) == EVENTS_RECORDED)
		diag_help(diags, diag, "the recording has no such event; `ktap list --from FILE` shows those that it has");
	else if (events_origin(events) == EVENTS_USER)
		diag_help(diags, diag, "the user engine has system calls, fork, exec, exit and signals; other events need the "
				       "kernel engine. `ktap list` shows what there is");
	else if (err)
		diag_help(diags, diag, "tracefs, which lists the events, can't be read (%s); as root, `mount -t tracefs nodev "
				       "/sys/kernel/tracing` makes it readable", strerror(-err));
	else
		diag_help(diags, diag, "`ktap list '%.*s:*'` shows what there is", (int)strcspn(pattern->s, ":"), pattern->s);
}

static void
match_patterns(struct events *events, const struct function *handler, struct match *match, struct diags *diags)
{
	for (const struct node *pattern = handler->patterns; pattern; pattern = pattern->next) {
		int n;

		if (events_is_definition(pattern->s)) {
			events_define(events, pattern->s, pattern->span, diags, add_event, match);
			continue;
		}
		n = events_match(events, pattern->s, add_event, match);
		if (n < 0)
			report_bad_event(pattern, diags);
		else if (n == 0)
			report_unknown_event(events, pattern, diags);
	}
	for (uint32_t i = 0; i < match->n; i++)
		match->events[i]->index = UINT32_MAX;
}

/* ---- groups ---- */

static void
sign_field(struct text *text, const struct field *field)
{
	if (field)
		text_printf(text, "%d.%u.%u.%u.%d;", field->kind, field->offset, field->size, field->value_size, field->is_signed);
	else
		text_puts(text, "-;");
}

/* What of an event a handler's code depends on, as text: equal texts, one program. */
static char *
event_signature(struct arena *arena, const struct event *event, const struct field_use *use)
{
	struct text text = { 0 };
	char *signature;

	for (unsigned n = 0; n < 10; n++) {
		if (use->args & (1u << n))
			sign_field(&text, n < event->n_fields ? &event->fields[n] : NULL);
	}
	for (uint32_t i = 0; i < use->n_names; i++)
		sign_field(&text, event_field(event, use->names[i]->b->s));
	if (use->retval)
		text_printf(&text, "r%d;", event->kind);
	if (use->argstr) {
		text_printf(&text, "a%d.%u;", event->kind, event->record_size);
		for (uint32_t i = 0; i < event->n_fields; i++) {
			if (event->fields[i].kind == FIELD_DATA_LOC)
				text_printf(&text, "d%u;", event->fields[i].offset);
			else if (event_is_probe(event)) /* whose strings are fetched one by one */
				text_printf(&text, "p%d;", event->fields[i].kind);
		}
	}
	signature = arena_strndup(arena, text.s ? text.s : "", text.len);
	text_fini(&text);
	return signature;
}

static void
add_to_group(struct arena *arena, struct layout_group **first, struct event *event, char *signature)
{
	struct layout_group **group = first;

	while (*group && strcmp((*group)->signature, signature))
		group = &(*group)->next;
	if (!*group) {
		*group = arena_alloc(arena, sizeof(**group));
		(*group)->signature = signature;
	}
	(*group)->events = arena_grow(arena, (*group)->events, (*group)->n_events, &(*group)->cap_events,
				      sizeof(*(*group)->events));
	(*group)->events[(*group)->n_events++] = event;
}

/* Reports an event without a field that the handler names. */
static void
check_names(struct event *event, const struct field_use *use, struct diags *diags)
{
	for (uint32_t i = 0; i < use->n_names; i++) {
		const struct node *node = use->names[i];
		const char *nearest = NULL;
		unsigned best = 3;
		struct text list = { 0 };
		struct diag *diag;

		if (event_field(event, node->b->s))
			continue;
		for (uint32_t f = 0; f < event->n_fields; f++) {
			unsigned distance = text_distance(node->b->s, event->fields[f].name, 2);

			text_printf(&list, "%s%s", f ? ", " : "", event->fields[f].name);
			if (distance < best) {
				best = distance;
				nearest = event->fields[f].name;
			}
		}
		diag = diag_error(diags, node->b->span, "unknown-field", "event %s:%s has no field '%s'", event->system,
				  event->name, node->b->s);
		if (nearest)
			diag_help(diags, diag, "did you mean '%s'?", nearest);
		if (list.len)
			diag_help(diags, diag, "its fields are: %s", list.s);
		text_fini(&list);
	}
}

struct layout_group *
group_events(struct arena *arena, struct events *events, const struct function *handler, const struct field_use *use,
	     struct diags *diags)
{
	bool reads = use->args || use->n_names || use->argstr || use->retval;
	struct match match = { .arena = arena };
	struct layout_group *first = NULL;

	match_patterns(events, handler, &match, diags);
	for (uint32_t i = 0; i < match.n; i++) {
		struct event *event = match.events[i];
		int err = reads ? event_load_fields(events, event) : 0;

		if (err) {
			diag_error(diags, use->span, "unreadable-format", "the fields of event %s:%s can't be read: %s",
				   event->system, event->name, strerror(-err));
			continue;
		}
		check_names(event, use, diags);
		add_to_group(arena, &first, event, event_signature(arena, event, use));
	}
	return first;
}

struct type *
field_type(struct arena *arena, const struct field *field, struct span span)
{
	enum type_kind kind = TYPE_UNKNOWN;
	struct type *type;

	switch (field->kind) {
	case FIELD_INT:
		kind = TYPE_INT;
		break;
	case FIELD_CHARS:
	case FIELD_DATA_LOC:
	case FIELD_USER_STR:
	case FIELD_ANY_STR:
		kind = TYPE_STR;
		break;
	case FIELD_OTHER:
		break;
	}
	type = type_new(arena, kind, span);
	if (kind == TYPE_STR)
		type->str_size = field->kind == FIELD_CHARS ? type_str_size(field->size - 1) : STR_SIZE_MAX;
	return type;
}
