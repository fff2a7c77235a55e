/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * ktap: the program. Reads the command line and hands over to the subcommand.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "source/recording.h"

/* `ktap list [GLOB]` */
static enum exit_status
list_matching(struct events *events, const char *pattern)
{
	struct text why = { 0 };
	int n = events_list(events, pattern, stdout, &why),
	    err = events_origin(events) == EVENTS_KERNEL ? events_tracefs_error(events) : 0;
	enum exit_status status = STATUS_OK;

	if (n < 0) {
		complain("%s", why.s);
		status = n == -EINVAL ? STATUS_USAGE : STATUS_WORLD;
	} else if (n == 0) {
		complain("no event matches '%s'", pattern ? pattern : "*:*");
		status = STATUS_SCRIPT;
	}
	if (n >= 0 && err)
		complain("only system calls are listed, tracefs cannot be read: %s", strerror(-err));
	text_fini(&why);
	return status;
}

static enum exit_status
list(const struct args *args)
{
	struct arena *arena = arena_new();
	struct recording *recording = NULL;
	struct source_stats stats;
	enum exit_status status = args->from ? recording_load(arena, args->from, &recording) : STATUS_OK, damage;

	/* A recording's events, or those of the engine that would be used. */
	if (status == STATUS_OK)
		status = list_matching(recording ? recording->events : events_new(arena, engine_choose(args->engine, NULL)),
				       args->script_args[0]);
	if (recording) {
		recording_stats(recording, &stats);
		damage = report_recording(&stats, stderr);
		status = damage > status ? damage : status;
		recording_close(recording);
	}
	arena_free(arena);
	return status;
}

/* A name may be up to 15 bytes, name and usage together should be up to 16 (the help's columns). */
const struct subcommand subcommands[] = {
	{ "run", OPERANDS_SCRIPT, "FILE [args]", "run a script or a compiled one (the options above; -- COMMAND)", run_run, .runs_command = true },
	{ "compile", OPERANDS_WORDS, "FILE", "compile a script to the object file -o FILE", compile_run, .max_words = 1 },
	{ "dump", OPERANDS_WORDS, "FILE", "show what a script or an object file consists of", dump_run, .max_words = 1 },
	{ "check", OPERANDS_WORDS, "FILE...", "say what is wrong with scripts, without running them", check_run },
	{ "fmt", OPERANDS_WORDS, "FILE...", "show scripts in the usual layout", fmt_run },
	{ "record", OPERANDS_WORDS, "EVENT...", "write events (patterns, a script, -e TEXT) to -o FILE; -- COMMAND", record_run,
	  .runs_command = true },
	{ "table", OPERANDS_WORDS, "ACTION...", "look at and change tables of the kernel: list, dump, get, set, delete, watch", table_run },
	{ "list", OPERANDS_WORDS, "[GLOB]", "list the events that match; of a single one its fields", list, .max_words = 1 },
	{ "generate", OPERANDS_WORDS, "WHAT", "man page, completions, editors' files; without WHAT: what there is", generate_run, .max_words = 1 },
	{ NULL },
};

/* What was printed on standard output has to arrive there. What fails with STATUS_WORLD has said why already. */
static enum exit_status
close_output(enum exit_status status)
{
	errno = 0;
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (status != STATUS_WORLD)
		complain("standard output cannot be written: %s", strerror(errno ? errno : EIO));
	return STATUS_WORLD;
}

/*
 * A standard descriptor that is closed would be given to the next file that is opened, and messages would go into that. So it is opened, but the
 * wrong way round, for its use to fail as it would have.
 */
static bool
fill_standard_descriptors(void)
{
	static const int modes[] = { [STDIN_FILENO] = O_WRONLY, [STDOUT_FILENO] = O_RDONLY, [STDERR_FILENO] = O_RDONLY };

	for (int fd = 0; fd < (int)ARRAY_SIZE(modes); fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", modes[fd]) != fd)
			return false;
	return true;
}

int
main(int argc, char **argv)
{
	struct args args;
	enum exit_status status;

	if (!fill_standard_descriptors())
		return STATUS_WORLD;
	status = args_parse(&args, argc, argv);

	if (status == STATUS_OK && !args.done)
		status = args.subcommand ? args.subcommand->run(&args) : script_run(&args);
	return close_output(status);
}
