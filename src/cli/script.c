/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * script: from a file to a finished run: read, choose the engine, compile, open the source, run.
 *
 * The events that a script may name depend on the engine, so it is chosen before compiling; whether it is
 * needed at all is known after: a script without probes touches neither the kernel nor a process.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "codegen/codegen.h"
#include "source/recording.h"

/* What a run holds, in the order in which it comes to be. */
struct run {
	const struct args *args;
	struct arena *arena;
	struct script script;
	enum events_origin origin;
	struct text not_kernel; /* why `auto` did not take the kernel */
	struct recording *recording; /* --from; NULL: live */
	struct events *events;
	struct object *object;
	struct source *source; /* NULL: no probes */
	int out_fd;
	FILE *losses; /* of --losses; NULL: not wanted */
	uint64_t time;
};

/* ---- the engine --------------------------------------------------------- */

enum events_origin
engine_choose(enum engine engine, struct text *not_kernel)
{
	struct text why = { 0 };

	if (engine == ENGINE_AUTO && source_kernel_permitted(&why) < 0) {
		engine = ENGINE_USER;
		if (not_kernel)
			text_add(not_kernel, why.s ? why.s : "?", why.s ? why.len : 1);
	}
	text_fini(&why);
	return engine == ENGINE_USER ? EVENTS_USER : EVENTS_KERNEL;
}

/* One line on why it is the user engine, where that was not asked for. */
static void
say_not_kernel(const struct run *run)
{
	if (run->args->engine == ENGINE_AUTO && run->not_kernel.s)
		complain("using the user engine, the kernel is not available: %s", run->not_kernel.s);
}

/* What is traced: a recording, or what the engine that is asked for can see. */
static enum exit_status
choose_origin(struct run *run)
{
	struct text why = { 0 };
	int err;

	if (!run->args->from) {
		run->origin = engine_choose(run->args->engine, &run->not_kernel);
		return STATUS_OK;
	}
	run->origin = EVENTS_RECORDED;
	err = recording_open(&run->recording, run->arena, run->args->from, &why);
	if (err < 0)
		complain("%s", why.s);
	text_fini(&why);
	return err == 0 ? STATUS_OK : err == -EINVAL ? STATUS_SCRIPT : STATUS_WORLD;
}

static enum exit_status
compile_script(struct run *run)
{
	struct diags diags;

	diags_init(&diags, run->arena, &run->script);
	run->events = run->recording ? run->recording->events : events_new(run->arena, run->origin);
	run->object = run->origin == EVENTS_KERNEL ?
			      compile_for(run->arena, &run->script, run->events, source_kernel_has_helper, &diags) :
			      compile(run->arena, &run->script, run->events, &diags);
	if (run->object && run->recording)
		recording_check(run->recording, run->object, &diags);
	if (!diags.n_errors)
		return STATUS_OK;
	/* When an event is to blame, the line on the engine that does not have it goes before. */
	if (diags_have(&diags, "-event"))
		say_not_kernel(run);
	diags_print(&diags, stderr);
	return STATUS_SCRIPT;
}

static enum exit_status
open_source(struct run *run, const struct target *target)
{
	struct text why = { 0 };
	int err;

	if (run->object->n_handlers == 0)
		return STATUS_OK;
	if (run->args->buffer && run->object->table_records != UINT32_MAX)
		run->object->tables[run->object->table_records]->max_entries = run->args->buffer;
	if (run->recording && recording_remark(run->recording, run->object, &why)) {
		complain("%s", why.s);
		text_clear(&why);
	}
	if (run->origin == EVENTS_USER)
		say_not_kernel(run);
	if (run->origin == EVENTS_KERNEL && run->args->exec != VM_EXEC_AUTO) {
		complain("--exec %s is for the user engine, the kernel decides by itself: add --engine=user", exec_names[run->args->exec]);
		return STATUS_USAGE;
	}
	if (run->recording)
		err = source_replay_open(&run->source, run->object, run->recording, &why);
	else if (run->origin == EVENTS_USER)
		err = source_ptrace_open(&run->source, run->object, run->events, target, &why);
	else
		err = source_kernel_open(&run->source, run->object, run->events, target, &why);
	if (err < 0)
		complain("%s", why.s ? why.s : strerror(-err));
	else if (run->origin == EVENTS_USER)
		source_set_exec(run->source, run->args->exec);
	text_fini(&why);
	return err < 0 ? STATUS_WORLD : STATUS_OK;
}

/* ---- the run ------------------------------------------------------------ */

static enum exit_status
open_losses(struct run *run)
{
	const char *path = run->args->losses;

	run->losses = path ? fopen(path, "we") : NULL;
	if (!path || run->losses)
		return STATUS_OK;
	complain("--losses: '%s' cannot be written: %s", path, strerror(errno));
	return STATUS_WORLD;
}

static enum exit_status
open_output(struct run *run)
{
	const char *path = run->args->output;

	run->out_fd = path ? open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666) : STDOUT_FILENO;
	if (run->out_fd >= 0)
		return open_losses(run);
	complain("output file '%s' cannot be written: %s", path, strerror(errno));
	return STATUS_WORLD;
}

/* To the file of --losses, which is opened before anything runs. */
static enum exit_status
write_losses(const struct run *run, const struct losses *losses)
{
	int err = losses_print(losses, run->object, run->losses);

	if (fflush(run->losses) != 0 && err == 0)
		err = -errno;
	if (err == 0)
		return STATUS_OK;
	complain("--losses: '%s' cannot be written: %s", run->args->losses, strerror(-err));
	return STATUS_WORLD;
}

static enum exit_status
run_session(struct run *run, const struct target *target)
{
	struct losses losses = { 0 };
	enum exit_status status, written;
	const struct session_options options = {
		.target = *target,
		.script_name = run->script.name,
		.script_args = run->args->script_args,
		.out_fd = run->out_fd,
		.quiet = run->args->quiet,
		.losses = run->losses ? &losses : NULL,
	};

	status = session_run(run->object, run->events, run->source, &options);
	if (run->losses) {
		written = write_losses(run, &losses);
		status = written > status ? written : status;
		losses_fini(&losses);
	}
	return status;
}

static void
close_run(struct run *run)
{
	if (run->source)
		run->source->ops->close(run->source);
	if (run->recording)
		recording_close(run->recording);
	if (run->args->output && run->out_fd >= 0)
		close(run->out_fd);
	if (run->losses)
		fclose(run->losses);
	text_fini(&run->not_kernel);
	arena_free(run->arena);
}

enum exit_status
script_run(const struct args *args)
{
	const struct target target = { .argv = args->command, .pid = args->pid };
	struct run run = { .args = args, .arena = arena_new(), .out_fd = -1, .time = clock_now() };
	enum exit_status status = script_read(run.arena, args, &run.script);

	step_time("read", &run.time);
	if (status == STATUS_OK)
		status = choose_origin(&run);
	if (status == STATUS_OK) {
		status = compile_script(&run);
		step_time("compile", &run.time);
	}
	if (status == STATUS_OK)
		status = open_output(&run);
	if (status == STATUS_OK) {
		status = open_source(&run, &target);
		step_time("source", &run.time);
	}
	if (status == STATUS_OK)
		status = run_session(&run, &target);
	run.time = clock_now();
	close_run(&run);
	step_time("close", &run.time);
	return status;
}
