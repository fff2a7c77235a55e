/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Which events a handler serves, and in which groups: one group is compiled to one program, so its events must agree in where the
 * fields lie that the handler reads. A handler that reads no field has one group, however many events it serves.
 */
#include <string.h>

#include "ebpf/ebpf.h"
#include "lang/types_int.h"

/* ---- what a handler reads ---- */

#define FUNCTIONS_MAX 256 /* functions visited from one handler; recursion is reported by halves.c */

struct walk {
	struct arena *arena;
	struct event_use *use;
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
	struct event_use *use = walk->use;

	for (uint32_t i = 0; i < use->n_names; i++) {
		if (!strcmp(use->names[i].name, node->b->s))
			return;
	}
	use->names = arena_grow(walk->arena, use->names, use->n_names, &use->cap_names, sizeof(*use->names));
	use->names[use->n_names++] = (struct used_name){ node->b->s, node->b->span };
}

static void
note_use(struct walk *walk, const struct node *node)
{
	struct event_use *use = walk->use;
	bool any = event_is_read(use);

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

struct event_use *
find_event_use(struct arena *arena, const struct function *handler)
{
	struct event_use *use = arena_alloc(arena, sizeof(*use));
	struct walk walk = { .arena = arena, .use = use };

	walk_function(&walk, handler);
	return use;
}

/* ---- the events of a handler, in groups ---- */

struct event_pattern *
function_patterns(struct arena *arena, const struct function *function, uint32_t *n)
{
	struct event_pattern *patterns;

	*n = 0;
	for (const struct node *node = function->patterns; node; node = node->next)
		++*n;
	patterns = arena_alloc(arena, *n * sizeof(*patterns));
	*n = 0;
	for (const struct node *node = function->patterns; node; node = node->next)
		patterns[(*n)++] = (struct event_pattern){ node->s, node->span };
	return patterns;
}

/* argN stands for the field of its name, where that is one name: so it is the same field wherever an object runs. */
static void
name_args(struct event_use *use, const struct matches *matches)
{
	for (uint32_t n = 0; n < EVENT_ARGS; n++) {
		const char *name = NULL;

		if (!(use->args & (1u << n)))
			continue;
		for (uint32_t i = 0; i < matches->n; i++) {
			const struct event *event = matches->list[i].event;

			if (n >= event->n_fields || (name && strcmp(name, event->fields[n].name))) {
				name = NULL;
				break;
			}
			name = event->fields[n].name;
		}
		use->arg_names[n] = name;
	}
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

struct layout_group *
group_events(struct arena *arena, struct events *events, const struct function *handler, struct diags *diags)
{
	struct event_use *use = handler->use;
	struct layout_group *first = NULL;
	uint32_t n_patterns;
	const struct event_pattern *patterns = function_patterns(arena, handler, &n_patterns);
	struct matches matches = events_of_patterns(events, arena, patterns, n_patterns, diags);
	uint32_t n = 0;

	/* Those that cannot be used are reported and go; one that lacks a named field stays, so that more can be said of the handler. */
	for (uint32_t i = 0; i < matches.n; i++) {
		event_prepare(events, matches.list[i].event, use, diags);
		if (!event_is_read(use) || matches.list[i].event->fields_loaded)
			matches.list[n++] = matches.list[i];
	}
	matches.n = n;
	name_args(use, &matches);
	for (uint32_t i = 0; i < matches.n; i++)
		add_to_group(arena, &first, matches.list[i].event, event_signature(arena, matches.list[i].event, use));
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
