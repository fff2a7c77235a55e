/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * record: `ktap record [EVENT...|SCRIPT|-e TEXT] -o FILE [-- COMMAND]` writes events into a file, for --from. The events are named by
 * patterns, or are those that a script asks for, which then runs on the recording as it would have run live.
 *
 * A recording is made as trace.dat; --text turns it into text at the end. With --from an old one is turned.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "codegen/codegen.h"
#include "source/record.h"

#define DEFAULT_PATH "trace.dat"

/* What is recorded: request.events and what they live in. */
struct plan {
	const struct args *args;
	struct arena *arena;
	struct events *events;
	struct record_request request;
	uint32_t cap_events;
};

/* ---- which events ------------------------------------------------------------------------------------------ */

static void
add_event(struct event *event, void *arg)
{
	struct plan *plan = arg;
	struct record_request *request = &plan->request;

	for (uint32_t i = 0; i < request->n_events; i++)
		if (request->events[i] == event)
			return;
	request->events = arena_grow(plan->arena, request->events, request->n_events, &plan->cap_events, sizeof(*request->events));
	request->events[request->n_events++] = event;
}

static enum exit_status
add_pattern(struct plan *plan, const char *pattern)
{
	if (events_match(plan->events, pattern, add_event, plan) > 0)
		return STATUS_OK;
	complain("no event here matches '%s'; 'ktap list' shows what there is", pattern);
	return STATUS_SCRIPT;
}

/* All that the script's probes are attached to. */
static enum exit_status
add_script(struct plan *plan, const struct args *args)
{
	struct script script;
	struct object *object;
	struct diags diags;
	enum exit_status status = script_read(plan->arena, args, &script);

	if (status != STATUS_OK)
		return status;
	diags_init(&diags, plan->arena, &script);
	object = compile(plan->arena, &script, plan->events, &diags);
	diags_print(&diags, stderr);
	if (!object)
		return STATUS_SCRIPT;
	for (uint32_t i = 0; i < object->n_events; i++) {
		enum event_kind kind = object->events[i]->kind;

		if (kind == EVENT_TRACEPOINT || kind == EVENT_SYSCALL_ENTER || kind == EVENT_SYSCALL_EXIT)
			add_event(object->events[i], plan);
		else
			complain("%s:%s is not recorded: it exists only while its script runs", object->events[i]->system,
				 object->events[i]->name);
	}
	plan->request.wants_stacks |= object->stacks[STACKS_KERNEL].first != UINT32_MAX; /* of several scripts one may */
	return STATUS_OK;
}

static enum exit_status
add_all(struct plan *plan)
{
	struct args script = *plan->args;
	enum exit_status status = STATUS_OK;
	char **word = plan->args->script_args;

	if (script.text)
		status = add_script(plan, &script);
	for (; *word && status == STATUS_OK; word++) {
		script.file = *word;
		status = strchr(*word, ':') ? add_pattern(plan, *word) : add_script(plan, &script);
	}
	if (status == STATUS_OK && !plan->request.n_events) {
		complain("record: events are needed, for example 'syscalls:*', or a script; 'ktap -h' shows the usage");
		return STATUS_USAGE;
	}
	return status;
}

/* ---- recording -------------------------------------------------------------------------------------------------- */

static enum exit_status
record_with(struct plan *plan, enum events_origin origin)
{
	struct recorder *recorder = NULL;
	struct text why = { 0 };
	enum exit_status status;
	int err;

	plan->events = events_new(plan->arena, origin);
	status = add_all(plan);
	if (status != STATUS_OK)
		return status;
	if (origin == EVENTS_USER)
		err = record_user_open(&recorder, plan->events, &plan->request, &why);
	else
		err = record_kernel_open(&recorder, plan->events, &plan->request, &why);
	if (err < 0)
		complain("%s", why.s ? why.s : strerror(-err));
	else
		status = session_record(recorder);
	if (recorder)
		recorder->ops->close(recorder);
	text_fini(&why);
	return err < 0 ? STATUS_WORLD : status;
}

static enum exit_status
record_live(const struct args *args, const char *path)
{
	struct plan plan = { .args = args, .arena = arena_new() };
	enum events_origin origin = args->engine == ENGINE_USER ? EVENTS_USER : EVENTS_KERNEL;
	enum exit_status status;

	plan.request = (struct record_request){ .path = path, .target = { .argv = args->command, .pid = args->pid } };
	if (args->engine == ENGINE_AUTO && tracefs_dir() < 0 && (args->command || args->pid)) {
		complain("recording from the user engine, the kernel's is not available: %s", strerror(-tracefs_dir()));
		origin = EVENTS_USER;
	}
	if (origin == EVENTS_USER && !args->command && !args->pid) {
		complain("the user engine records a command or a process: add '-- COMMAND' or '-p PID'");
		status = STATUS_WORLD;
	} else {
		status = record_with(&plan, origin);
	}
	arena_free(plan.arena);
	return status;
}

/* ---- as text ------------------------------------------------------------------------------------------------------ */

static int
write_text(struct recording *recording, const char *path)
{
	FILE *out = strcmp(path, "-") == 0 ? stdout : fopen(path, "we");
	int err = out ? recording_to_text(recording, out) : -errno;

	if (out && fflush(out) != 0 && err == 0)
		err = -errno;
	if (out && out != stdout)
		fclose(out);
	if (err < 0)
		complain("recording '%s' cannot be written: %s", path, strerror(-err));
	return err;
}

static enum exit_status
turn_into_text(const char *from, const char *path)
{
	struct arena *arena = arena_new();
	struct recording *recording = NULL;
	struct source_stats stats;
	enum exit_status status = recording_load(arena, from, &recording);

	if (status == STATUS_OK && write_text(recording, path) < 0) {
		status = STATUS_WORLD;
	} else if (status == STATUS_OK) {
		recording_stats(recording, &stats);
		status = report_recording(&stats, stderr);
	}
	if (recording)
		recording_close(recording);
	arena_free(arena);
	return status;
}

static enum exit_status
record_as_text(const struct args *args, const char *path)
{
	struct text name = { 0 };
	enum exit_status status = STATUS_WORLD;
	int fd;

	text_printf(&name, "%s.XXXXXX", strcmp(path, "-") == 0 ? "/tmp/ktap-record" : path);
	fd = mkstemp(name.s);
	if (fd < 0) {
		complain("recording '%s' cannot be written: %s", path, strerror(errno));
	} else {
		close(fd);
		status = record_live(args, name.s);
		if (status == STATUS_OK)
			status = turn_into_text(name.s, path);
		unlink(name.s);
	}
	text_fini(&name);
	return status;
}

enum exit_status
record_run(const struct args *args)
{
	const char *path = args->output ? args->output : DEFAULT_PATH;

	if (args->from && !args->as_text) {
		complain("record: with --from a recording is turned into text: add --text");
		return STATUS_USAGE;
	}
	if (destroys_recording(args, args->output))
		return STATUS_USAGE;
	if (args->from)
		return turn_into_text(args->from, args->output ? args->output : "-");
	return args->as_text ? record_as_text(args, path) : record_live(args, path);
}
