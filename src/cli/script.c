/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * script: a run: load, open the source, run.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "source/recording.h"

/* What a run holds, in the order in which it comes to be. */
struct run {
	struct load load;
	struct source *source; /* NULL: no probes */
	int out_fd;
	FILE *losses; /* of --losses; NULL: not wanted */
};

static enum exit_status
open_source(struct run *run, const struct target *target)
{
	bool in_kernel = run->load.origin == EVENTS_KERNEL && run->load.args->engine != ENGINE_FTRACE;
	struct text why = { 0 };
	int err;

	if (run->load.object->n_handlers == 0)
		return STATUS_OK;
	if (run->load.args->buffer && run->load.object->table_records != UINT32_MAX)
		run->load.object->tables[run->load.object->table_records]->max_entries = run->load.args->buffer;
	if (run->load.recording && recording_remark(run->load.recording, run->load.object, &why)) {
		complain("%s", why.s);
		text_clear(&why);
	}
	if (run->load.origin == EVENTS_USER)
		say_not_kernel(&run->load);
	if (target->pin && !in_kernel) {
		complain("--pin %s: only tables of the kernel engine can be kept", target->pin);
		return STATUS_WORLD;
	}
	if (in_kernel && run->load.args->exec != VM_EXEC_AUTO) {
		complain("--exec %s is for the user engine, the kernel decides by itself: add --engine=user", exec_names[run->load.args->exec]);
		return STATUS_USAGE;
	}
	if (run->load.recording)
		err = source_replay_open(&run->source, run->load.object, run->load.recording, run->load.args->jobs, &why);
	else if (run->load.args->engine == ENGINE_FTRACE)
		err = source_ftrace_open(&run->source, run->load.object, run->load.events, target, &why);
	else if (run->load.origin == EVENTS_USER)
		err = source_ptrace_open(&run->source, run->load.object, run->load.events, target, &why);
	else
		err = source_kernel_open(&run->source, run->load.object, run->load.events, target, &why);
	if (err < 0)
		complain("%s", why.s ? why.s : strerror(-err));
	else if (!in_kernel)
		source_set_exec(run->source, run->load.args->exec);
	text_fini(&why);
	return err < 0 ? STATUS_WORLD : STATUS_OK;
}

/* ---- the run ------------------------------------------------------------ */

static enum exit_status
open_losses(struct run *run)
{
	const char *path = run->load.args->losses;

	run->losses = path ? fopen(path, "we") : NULL;
	if (!path || run->losses)
		return STATUS_OK;
	complain("--losses: '%s' cannot be written: %s", path, strerror(errno));
	return STATUS_WORLD;
}

int
output_open(const struct args *args)
{
	int fd = args->output ? open(args->output, O_WRONLY | O_CREAT | O_CLOEXEC, 0666) : STDOUT_FILENO;

	if (fd < 0)
		complain("output file '%s' cannot be written: %s", args->output, strerror(errno));
	return fd;
}

static enum exit_status
open_output(struct run *run)
{
	const struct args *args = run->load.args;

	if (destroys_recording(args, args->output) || destroys_recording(args, args->losses))
		return STATUS_USAGE;
	run->out_fd = output_open(args);
	return run->out_fd < 0 ? STATUS_WORLD : open_losses(run);
}

/* To the file of --losses, which is opened before anything runs. */
static enum exit_status
write_losses(const struct run *run, const struct losses *losses)
{
	int err = losses_print(losses, run->load.object, run->losses);

	if (fflush(run->losses) != 0 && err == 0)
		err = -errno;
	if (err == 0)
		return STATUS_OK;
	complain("--losses: '%s' cannot be written: %s", run->load.args->losses, strerror(-err));
	return STATUS_WORLD;
}

static enum exit_status
run_session(struct run *run, const struct target *target)
{
	struct losses losses = { 0 };
	enum exit_status status, written;
	const struct session_options options = {
		.target = *target,
		.script_name = run->load.script.name,
		.script_args = run->load.args->script_args,
		.out_fd = run->out_fd,
		.replaces = run->load.args->output,
		.quiet = run->load.args->quiet,
		.mangled = run->load.args->mangled,
		.unsafe = run->load.args->unsafe,
		.losses = run->losses ? &losses : NULL,
	};

	status = session_run(run->load.object, run->load.events, run->source, &options);
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
	if (run->load.args->output && run->out_fd >= 0)
		close(run->out_fd);
	if (run->losses)
		fclose(run->losses);
	load_close(&run->load);
}

/* -d ast and the like ask to see how the script is compiled; it runs only where something is named to run it on. */
static bool
is_only_shown(const struct args *args)
{
	return debug_compiles_only() && !args->command && !args->pid && !args->from;
}

enum exit_status
script_run(const struct args *args)
{
	const struct target target = { .argv = args->command, .pid = args->pid, .pin = args->pin, .cpu = args->on_one_cpu ? &args->cpu : NULL,
				       .cgroup = args->cgroup, .unwind = args->unwind, .stack_bytes = args->stack_bytes, .drops_privilege = true };
	struct run run = { .out_fd = -1 };
	enum exit_status status = load_open(&run.load, args);
	uint64_t time = run.load.time;

	if (status == STATUS_OK && is_only_shown(args)) {
		load_close(&run.load);
		return STATUS_OK;
	}
	if (status == STATUS_OK)
		status = open_output(&run);
	if (status == STATUS_OK) {
		status = open_source(&run, &target);
		step_time("source", &time);
	}
	if (status == STATUS_OK)
		status = run_session(&run, &target);
	time = clock_now();
	close_run(&run);
	step_time("close", &time);
	return status;
}
