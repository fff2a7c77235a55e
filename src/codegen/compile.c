/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * From the text of a script to its object: the list of all passes.
 */
#include <string.h>

#include "codegen/codegen_int.h"

/* Does any probe call exit()? Then every handler looks at the flag first. */
static bool
calls_exit(const struct node *node)
{
	for (; node; node = node->next) {
		if (node->builtin && node->builtin->id == BUILTIN_EXIT)
			return true;
		if (node->inlined && calls_exit(node->inlined->body))
			return true;
		if (calls_exit(node->a) || calls_exit(node->b) || calls_exit(node->c) || calls_exit(node->d))
			return true;
	}
	return false;
}

static void
place_exit_flag(struct object *object, const struct typed *typed)
{
	for (const struct typed_program *program = typed->programs; program; program = program->next) {
		if (calls_exit(program->filter) || calls_exit(program->body)) {
			object->exit_flag_off = globals_alloc(object, 8);
			return;
		}
	}
}

/* One handler of the object for each of the script, with no programs yet. */
static void
add_handlers(struct object *object, const struct tree *tree)
{
	for (uint32_t i = 0; i < tree->n_handlers; i++) {
		struct handler *handler = arena_alloc(object->arena, sizeof(*handler));

		handler->any_program = UINT32_MAX;
		object_add_handler(object, handler);
	}
	for (const struct function *function = tree->functions; function; function = function->next) {
		struct handler *handler;

		if (function->handler >= object->n_handlers)
			continue;
		handler = object->handlers[function->handler];
		handler->kind = function->kind == FUNCTION_PROFILE ? HANDLER_PROFILE : HANDLER_TRACE;
		handler->period_ns = function->period_ns;
		handler->span = function->span;
		handler->use = function->use;
		handler->patterns = function_patterns(object->arena, function, &handler->n_patterns);
	}
}

/* Which program serves which event; of those whose fields lie elsewhere, copies are made. */
static void
bind_program(struct object *object, const struct typed_program *typed_program)
{
	uint32_t index = typed_program->function->handler, program = object->n_programs - 1;
	struct handler *handler = object->handlers[index];
	struct binding *bindings;

	if (typed_program->any_event) {
		handler->any_program = program;
		return;
	}
	bindings = arena_alloc(object->arena, (handler->n_bindings + typed_program->n_events) * sizeof(*bindings));
	if (handler->n_bindings)
		memcpy(bindings, handler->bindings, handler->n_bindings * sizeof(*bindings));
	for (uint32_t i = 0; i < typed_program->n_events; i++) {
		struct event *event = typed_program->events[i];

		bindings[handler->n_bindings++] = (struct binding){ event->index, bind_event(object, index, event) };
	}
	handler->bindings = bindings;
}

static bool
compile_programs(struct object *object, const struct typed *typed, bool (*has_helper)(int32_t helper), struct diags *diags)
{
	bool ok = true;

	for (uint32_t i = 0; i < typed->n_used_events; i++)
		object_add_event(object, typed->used_events[i]);
	place_variables(object, typed);
	bind_tables(object);
	place_exit_flag(object, typed);
	for (const struct typed_program *program = typed->programs; program; program = program->next) {
		if (lower_program(object, typed, program, has_helper, diags))
			bind_program(object, program);
		else
			ok = false;
	}
	bind_tables(object); /* probes may have named events that no handler has */
	if (object->tables[object->table_globals]->value_size == 0)
		globals_alloc(object, 8); /* no table has values of no bytes */
	return ok;
}

static bool
has_all(int32_t helper)
{
	return true;
}

struct object *
compile(struct arena *arena, struct script *script, struct events *events, struct diags *diags)
{
	return compile_for(arena, script, events, has_all, diags);
}

struct object *
compile_for(struct arena *arena, struct script *script, struct events *events, bool (*has_helper)(int32_t helper), struct diags *diags)
{
	struct object *object = object_new(arena, script->name, script);
	uint64_t since = clock_now();
	struct typed *typed;
	struct tree *tree;

	object->is_script = true;
	object->origin = events_origin(events);
	if (debug_on(DEBUG_TOKENS))
		lex_print(arena, script, stderr);
	tree = parse(arena, script, diags);
	step_time("parse", &since);
	if (debug_on(DEBUG_AST))
		tree_print(tree, stderr);
	resolve_names(tree, diags);
	split_halves(tree, diags);
	step_time("names", &since);
	if (diags->n_errors)
		return NULL;
	typed = infer_types(tree, events, diags);
	step_time("types", &since);
	if (debug_on(DEBUG_TYPES))
		typed_print(typed, stderr);
	if (diags->n_errors)
		return NULL;
	add_handlers(object, tree);
	object->kernel_module = typed->kernel_module;
	if (typed->programs && !compile_programs(object, typed, has_helper, diags))
		return NULL;
	step_time("codegen", &since);
	object->control = lua_emit(arena, typed, diags, &object->control_len);
	step_time("lua", &since);
	if (debug_on(DEBUG_LUA))
		fprintf(stderr, "%.*s\n", (int)object->control_len, object->control);
	if (debug_on(DEBUG_OBJECT))
		object_print(object, stderr);
	return diags->n_errors ? NULL : object;
}
