/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * check: `ktap check [--json] FILE...` compiles scripts, shows objects of C compilers to the verifier (object.c), and says what is wrong with them.
 * Nothing runs, nothing is attached.
 *
 * The events that a script may name are those of the engine that would run it, on this machine, or those of --events.
 */
#include "cli/cli.h"

/* Compiles one script. `list` (may be NULL) takes its diagnostics, else they are printed. */
static enum exit_status
compile_one(const struct args *args, struct diag_list *list)
{
	struct arena *arena = arena_new();
	struct object *object;
	struct script script;
	struct diags diags;
	struct events *events = NULL;
	enum exit_status status = script_read(arena, args, &script);

	if (status == STATUS_OK)
		events = events_open(arena, args, args->events ? EVENTS_HOST : engine_choose(args->engine, NULL), &status);
	if (events) {
		diags_init(&diags, arena, &script);
		object = script_compile(args, arena, &script, events, &diags);
		if (object)
			check_answers(args, NULL, object, &diags);
		status = diags.n_errors ? STATUS_SCRIPT : STATUS_OK;
		if (list)
			diag_list_add(list, &diags);
		else
			diags_print(&diags, stderr);
	}
	arena_free(arena);
	return status;
}

/* One file: a script, or an object. */
static enum exit_status
check_script(const struct args *args, void *data)
{
	struct diag_list *list = data;

	return !args->text && is_object_file(args->file) ? object_check(args, list) : compile_one(args, list);
}

enum exit_status
check_run(const struct args *args)
{
	struct diag_list *list = NULL;
	enum exit_status status;

	if (args->json) {
		list = diag_list_new();
		if (!list)
			return STATUS_WORLD;
	}
	status = scripts_each(args, check_script, list);
	if (list)
		diag_list_print(list, stdout);
	return status;
}
