/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * ktap: the program. Reads the command line and hands over to the subcommand.
 */
#include <errno.h>
#include <string.h>

#include "cli/cli.h"

/* `ktap list [GLOB]`: the events that exist for the engine that would be used. */
static enum exit_status
list(const struct args *args)
{
	struct arena *arena = arena_new();
	struct events *events = events_new(arena, engine_choose(args->engine, NULL));
	const char *pattern = args->script_args[0];
	struct text why = { 0 };
	int n = events_list(events, pattern, stdout, &why),
	    err = events_origin(events) == EVENTS_KERNEL ? events_tracefs_error(events) : 0;
	enum exit_status status = STATUS_OK;

	if (n < 0) {
		fprintf(stderr, "ktap: %s\n", why.s);
		status = n == -EINVAL ? STATUS_USAGE : STATUS_WORLD;
	} else if (n == 0) {
		fprintf(stderr, "ktap: no event matches '%s'\n", pattern ? pattern : "*:*");
		status = STATUS_SCRIPT;
	}
	if (n >= 0 && err)
		fprintf(stderr, "ktap: only system calls are listed, tracefs cannot be read: %s\n",
			strerror(-err));
	if (fflush(stdout) != 0 && errno != EPIPE)
		status = STATUS_WORLD;
	text_fini(&why);
	arena_free(arena);
	return status;
}

/* A name may be up to 15 bytes, name and usage together should be up to 16 (the help's columns). */
const struct subcommand subcommands[] = {
	{ "run", OPERANDS_SCRIPT, "FILE [args]", "run a script or a compiled one (the options above; -- COMMAND)", run_run },
	{ "compile", OPERANDS_WORDS, "FILE", "compile a script to the object file -o FILE", compile_run },
	{ "dump", OPERANDS_WORDS, "FILE", "show what a script or an object file consists of", dump_run },
	{ "check", OPERANDS_WORDS, "FILE...", "say what is wrong with scripts, without running them", check_run },
	{ "fmt", OPERANDS_WORDS, "FILE...", "show scripts in the usual layout", fmt_run },
	{ "list", OPERANDS_WORDS, "[GLOB]", "the events that there are; of one event its fields", list },
	{ "generate", OPERANDS_WORDS, "WHAT", "man page, completions, editors' files; without WHAT: what there is", generate_run },
	{ NULL },
};

int
main(int argc, char **argv)
{
	struct args args;
	enum exit_status status = args_parse(&args, argc, argv);

	if (status != STATUS_OK || args.done)
		return status;
	return args.subcommand ? args.subcommand->run(&args) : script_run(&args);
}
