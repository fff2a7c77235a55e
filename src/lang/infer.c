/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Type inference of the probe half: which programs there are, and the walk over them.
 *
 * Each handler is copied once for each layout of its events, and each call of a function gets a copy of the function, so every node
 * has one type. Kinds are merged by unification; whether a value may be nil is a flag that only ever turns on. Both are monotone, so
 * the whole walk is repeated until nothing changes.
 *
 *     infer_merge.c  merging types           infer_exp.c      expressions    infer_call.c  functions of the script
 *     infer_hint.c   the control half's say  infer_stat.c     statements     infer_table.c elements of tables
 *     infer_sample.c statistics              infer_builtin.c  built-ins      infer_field.c event fields
 *
 * Needs: halves. Leaves: node->type, node->nullable, node->field, node->inlined in all typed programs, variable->type of shared
 * variables.
 */
#include <string.h>

#include "lang/infer_int.h"

static void
add_program(struct infer *infer, struct function *handler, struct layout_group *group, struct typed_program ***last)
{
	struct typed_program *program = arena_alloc(infer->arena, sizeof(*program));
	/* Filter and body are cloned in one, so that they share nothing with the other copies. */
	struct node pair = { .kind = NODE_BLOCK, .a = handler->filter, .b = handler->body };
	struct node *copy = node_clone(infer->arena, &pair);

	program->function = handler;
	program->filter = copy->a;
	program->body = copy->b;
	if (group) {
		program->events = group->events;
		program->n_events = group->n_events;
		program->signature = group->signature;
	} else {
		program->any_event = true;
	}
	**last = program;
	*last = &program->next;
}

static struct layout_group *
profile_group(struct infer *infer, const struct function *handler)
{
	struct layout_group *group = arena_alloc(infer->arena, sizeof(*group));

	group->events = arena_alloc(infer->arena, sizeof(*group->events));
	group->events[0] = events_profile(infer->typed->events, handler->period_ns);
	group->n_events = 1;
	group->signature = event_signature(infer->arena, group->events[0], handler->use);
	return group;
}

static void
make_programs(struct infer *infer)
{
	struct typed_program **last = &infer->typed->programs;

	for (struct function *function = infer->typed->tree->functions; function; function = function->next) {
		struct layout_group *group = NULL;

		if (function->handler == UINT32_MAX || !function->in_probe)
			continue;
		filter_words(infer->arena, infer->typed->events, function);
		function->use = find_event_use(infer->arena, function);
		if (function->kind == FUNCTION_PROFILE)
			group = profile_group(infer, function);
		else
			group = group_events(infer->arena, infer->typed->events, function, infer->diags);
		if (function->by_name && !function->patterns)
			add_program(infer, function, NULL, &last);
		for (; group; group = group->next)
			add_program(infer, function, group, &last);
	}
}

static void
number_events(struct infer *infer)
{
	struct typed *typed = infer->typed;
	uint32_t cap = 0;

	for (struct typed_program *program = typed->programs; program; program = program->next) {
		for (uint32_t i = 0; i < program->n_events; i++) {
			if (program->events[i]->index != UINT32_MAX)
				continue;
			program->events[i]->index = typed->n_used_events;
			typed->used_events = arena_grow(infer->arena, typed->used_events, typed->n_used_events, &cap,
							sizeof(*typed->used_events));
			typed->used_events[typed->n_used_events++] = program->events[i];
		}
	}
}

/* Events named at run time may have longer names than those that are known. */
#define EVENT_TEXT_MIN 64

static void
measure_events(struct typed *typed)
{
	typed->event_text_size = EVENT_TEXT_MIN;
	for (uint32_t i = 0; i < typed->n_used_events; i++) {
		const struct event *event = typed->used_events[i];
		const char *function = event_function(event);
		size_t len = strlen(event->name), function_len = function ? strlen(function) : 0;
		uint32_t size = type_str_size((uint32_t)(len > function_len ? len : function_len));

		if (size > typed->event_text_size)
			typed->event_text_size = size;
	}
}

static void
infer_programs(struct infer *infer)
{
	for (struct typed_program *program = infer->typed->programs; program; program = program->next) {
		infer->program = program;
		infer->layout = program->any_event ? NULL : program->events[0];
		infer->inlined = NULL;
		infer->depth = 0;
		infer->in_filter = true;
		if (program->filter)
			infer_condition(infer, program->filter);
		infer->in_filter = false;
		infer_stat(infer, program->body);
	}
}

static void
collect_shared(struct infer *infer, const struct node *node, uint32_t *cap)
{
	struct typed *typed = infer->typed;

	for (; node; node = node->next) {
		if (node->kind == NODE_VAR_NAME && node->var && variable_is_shared(node->var)) {
			typed->shared = arena_grow(infer->arena, typed->shared, typed->n_shared, cap, sizeof(*typed->shared));
			typed->shared[typed->n_shared++] = node->var;
		}
		collect_shared(infer, node->a, cap);
		collect_shared(infer, node->b, cap);
		collect_shared(infer, node->c, cap);
		collect_shared(infer, node->d, cap);
	}
}

/* What nothing decided: keys and elements of tables are numbers, as most are. */
static void
settle_table(struct infer *infer, struct type *table)
{
	if (!table->n_keys) {
		table->n_keys = 1;
		if (!table->key[0])
			table->key[0] = infer_type(infer, TYPE_INT, table->span);
	}
	for (uint32_t i = 0; i < table->n_keys; i++) {
		if (type_find(table->key[i])->kind == TYPE_UNKNOWN)
			type_find(table->key[i])->kind = TYPE_INT;
	}
	if (!table->value)
		table->value = infer_type(infer, TYPE_INT, table->span);
	if (type_find(table->value)->kind == TYPE_UNKNOWN)
		type_find(table->value)->kind = TYPE_INT;
	if (type_find(table->value)->kind == TYPE_TABLE)
		settle_table(infer, type_find(table->value));
}

/* A table and those in it make one table of the object, with the keys of all. */
static void
check_key_count(struct infer *infer, const struct variable *var)
{
	const struct type *type = type_find(var->type), *inner;
	uint32_t n = 0;

	for (inner = type; inner->kind == TYPE_TABLE; inner = type_find(inner->value))
		n += inner->n_keys;
	if (n > ARRAY_SIZE(type->key))
		diag_error(infer->diags, var->span, "key-count", "a table, with the tables in it, has at most %zu keys; %s has %u",
			   ARRAY_SIZE(type->key), var->name, n);
}

#define WALKS_AFTER_ERROR 4 /* so that what depends on other types is reported, too */

struct typed *
infer_types(struct tree *tree, struct events *events, struct diags *diags)
{
	struct typed *typed = arena_alloc(tree->arena, sizeof(*typed));
	struct infer infer = { .arena = tree->arena, .diags = diags, .typed = typed };
	uint32_t cap = 0, n_more = 0;

	typed->tree = tree;
	typed->events = events;
	make_programs(&infer);
	number_events(&infer);
	measure_events(typed);
	do {
		infer.changed = false;
		infer_programs(&infer);
		infer_hints(&infer);
	} while (infer.changed && (!diags->n_errors || n_more++ < WALKS_AFTER_ERROR));
	infer.settled = !infer.changed;
	if (infer.settled) {
		infer_programs(&infer);
		infer_hints(&infer);
	}
	collect_shared(&infer, tree->main->body, &cap);
	for (uint32_t i = 0; i < typed->n_shared; i++) {
		struct type *type = type_find(typed->shared[i]->type);

		if (type->kind == TYPE_TABLE) {
			settle_table(&infer, type);
			check_key_count(&infer, typed->shared[i]);
		} else if (type->kind == TYPE_UNKNOWN) {
			type->kind = TYPE_INT;
		}
	}
	infer_statistics(&infer);
	modules_fini(&infer.modules);
	typeinfo_free(infer.kernel);
	return typed;
}

static void
print_type(const struct type *type, FILE *out)
{
	while (type->same)
		type = type->same;
	fputs(type_name(type), out);
	if (type->kind == TYPE_STR)
		fprintf(out, "(%u)", type->str_size);
	for (unsigned part = 0; type->kind == TYPE_STAT && part < N_STAT_PARTS; part++) {
		if (stat_keeps(&type->stat, part))
			fprintf(out, " %s", stat_part_name(part));
	}
	if (type->kind != TYPE_TABLE)
		return;
	for (uint32_t i = 0; i < type->n_keys; i++) {
		fputs(i ? ", " : "[", out);
		print_type(type->key[i], out);
	}
	fputs("] -> ", out);
	print_type(type->value, out);
}

void
typed_print(const struct typed *typed, FILE *out)
{
	for (uint32_t i = 0; i < typed->n_shared; i++) {
		fprintf(out, "shared %s: ", typed->shared[i]->name);
		print_type(typed->shared[i]->type, out);
		fputs(typed->shared[i]->nullable ? "?\n" : "\n", out);
	}
	for (const struct typed_program *program = typed->programs; program; program = program->next) {
		fprintf(out, "program of handler %u: ", program->function->handler);
		if (program->any_event)
			fputs("any event\n", out);
		else
			fprintf(out, "%u event%s, %s:%s ...\n", program->n_events, program->n_events == 1 ? "" : "s",
				program->events[0]->system, program->events[0]->name);
	}
}
