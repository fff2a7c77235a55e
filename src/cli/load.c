/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * load: from a file to an object whose events are those of this machine. The file is a script, which is compiled, or what `ktap compile` made
 * of one (its first bytes tell), which is read and bound to the events that there are. With --events they are those of another program, for
 * which a script is compiled but cannot be run.
 *
 * The events that a script may name depend on the engine, so it is chosen before; whether it is needed at all is known after: a script without
 * probes touches neither the kernel nor a process.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/cli.h"
#include "codegen/codegen.h"
#include "source/host.h"
#include "source/recording.h"

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

void
say_not_kernel(const struct load *load)
{
	if (load->args->engine == ENGINE_AUTO && load->not_kernel.s)
		complain("using the user engine, the kernel is not available: %s", load->not_kernel.s);
}

enum exit_status
recording_load(struct arena *arena, const char *path, struct recording **recording)
{
	struct text why = { 0 };
	int err = recording_open(recording, arena, path, &why);

	if (err < 0)
		complain("%s", why.s);
	text_fini(&why);
	return err == 0 ? STATUS_OK : err == -EINVAL ? STATUS_SCRIPT : STATUS_WORLD;
}

bool
destroys_recording(const struct args *args, const char *path)
{
	struct stat from, to;

	if (!args->from || !path || stat(args->from, &from) < 0 || stat(path, &to) < 0 || from.st_dev != to.st_dev || from.st_ino != to.st_ino)
		return false;
	complain("'%s' is the recording that is read (--from): write to another file", path);
	return true;
}

/* What is traced: a recording, or what the engine that is asked for can see. */
static enum exit_status
choose_origin(struct load *load)
{
	if (load->args->events) {
		load->origin = EVENTS_HOST;
		return STATUS_OK;
	}
	load->origin = load->args->from ? EVENTS_RECORDED : engine_choose(load->args->engine, &load->not_kernel);
	return load->args->from ? recording_load(load->arena, load->args->from, &load->recording) : STATUS_OK;
}

/* The events that a host wrote into a file. */
static enum exit_status
read_events(const char *path, struct events *events)
{
	struct text why = { 0 };
	size_t len;
	char *text = file_text(path, &len);
	int err = !text ? -errno : len > SCRIPT_MAX_LEN ? -EFBIG : 0, n = err;

	if (err == 0)
		n = events_add_formats(events, text, len, &why);
	if (n < 0)
		complain("--events: '%s' %s: %s", path, err < 0 ? "cannot be read" : "does not describe events", err < 0 ? strerror(-err) : why.s);
	free(text);
	text_fini(&why);
	return err < 0 ? STATUS_WORLD : n < 0 ? STATUS_SCRIPT : STATUS_OK;
}

struct events *
events_open(struct arena *arena, const struct args *args, enum events_origin origin, enum exit_status *status)
{
	struct events *events = events_new(arena, origin);

	*status = args->events ? read_events(args->events, events) : STATUS_OK;
	return *status == STATUS_OK ? events : NULL;
}

void
check_answers(const struct args *args, const struct recording *recording, const struct object *object, struct diags *diags)
{
	if (recording)
		recording_check(recording, object, diags);
	else if (args->events)
		source_host_check(object, diags);
	else if (args->engine == ENGINE_FTRACE)
		source_ftrace_check(object, diags);
}

struct object *
script_compile(const struct args *args, struct arena *arena, struct script *script, struct events *events, struct diags *diags)
{
	bool in_kernel = events_origin(events) == EVENTS_KERNEL && args->engine != ENGINE_FTRACE;

	return in_kernel ? compile_for(arena, script, events, source_kernel_has_helper, diags) : compile(arena, script, events, diags);
}

static enum exit_status
compile_script(struct load *load)
{
	struct diags diags;

	diags_init(&diags, load->arena, &load->script);
	load->object = script_compile(load->args, load->arena, &load->script, load->events, &diags);
	if (load->object)
		check_answers(load->args, load->recording, load->object, &diags);
	/* When an event is to blame, the line on the engine that does not have it goes before. */
	if (diags_have(&diags, "-event"))
		say_not_kernel(load);
	diags_print(&diags, stderr);
	return diags.n_errors ? STATUS_SCRIPT : STATUS_OK;
}

/* ---- objects ------------------------------------------------------------ */

bool
load_is_object(const struct args *args)
{
	return !args->text && strcmp(args->file, "-") != 0 && is_object_file(args->file);
}

static enum exit_status
read_object(struct load *load)
{
	struct text why = { 0 };

	load->object = elf_read(load->arena, load->args->file, &why);
	if (load->object && !load->object->is_script)
		text_printf(&why, "%s: an object without a script: 'ktap run' runs it", load->args->file);
	if (why.s)
		complain("%s", why.s);
	text_fini(&why);
	if (!load->object || !load->object->is_script)
		return STATUS_SCRIPT;
	load->script = *load->object->script;
	return STATUS_OK;
}

/* What the object needs and is not here is said before anything is tried. */
static enum exit_status
check_needs(const struct load *load)
{
	bool in_kernel = load->origin == EVENTS_KERNEL && load->args->engine != ENGINE_FTRACE;
	struct text list = { 0 };
	struct utsname name;
	uint32_t n = 0;

	if (load->object->n_handlers)
		n = in_kernel ? source_kernel_lacks(load->object, &list) : source_user_lacks(load->object, &list);
	if (n && in_kernel)
		complain("%s needs what this kernel (Linux %s) has not: %s; compile the script again on this machine, where it does without what it "
			 "can, or run it on a newer kernel", load->args->file, uname(&name) ? "?" : name.release, list.s);
	else if (n)
		complain("%s needs what the user engine has not: %s; run it with --engine=kernel, or compile the script again with --engine=user",
			 load->args->file, list.s);
	text_fini(&list);
	return n ? STATUS_WORLD : STATUS_OK;
}

/* Finds the object's events here. */
static enum exit_status
bind(struct load *load)
{
	struct text skipped = { 0 };
	struct diags diags;
	uint32_t n_skipped;

	diags_init(&diags, load->arena, load->object->script);
	bind_object(load->object, load->events, &diags, &n_skipped, &skipped);
	if (!diags.n_errors)
		check_answers(load->args, load->recording, load->object, &diags);
	if (diags.n_errors && diags_have(&diags, "-event"))
		say_not_kernel(load);
	diags_print(&diags, stderr);
	if (!diags.n_errors && n_skipped)
		complain("%u event%s of the script's patterns cannot be traced here; the first: %s", n_skipped, n_skipped == 1 ? "" : "s",
			 skipped.s);
	text_fini(&skipped);
	return diags.n_errors ? STATUS_SCRIPT : STATUS_OK;
}

/* ---- both --------------------------------------------------------------- */

enum exit_status
load_open(struct load *load, const struct args *args)
{
	bool is_object = load_is_object(args);
	enum exit_status status;

	load->args = args;
	load->arena = arena_new();
	load->time = clock_now();
	status = is_object ? read_object(load) : script_read(load->arena, args, &load->script);
	step_time("read", &load->time);
	if (status != STATUS_OK)
		return status;
	status = choose_origin(load);
	if (status != STATUS_OK)
		return status;
	if (is_object)
		status = check_needs(load);
	if (status != STATUS_OK)
		return status;
	load->events = load->recording ? load->recording->events : events_open(load->arena, args, load->origin, &status);
	if (!load->events)
		return status;
	status = is_object ? bind(load) : compile_script(load);
	step_time(is_object ? "bind" : "compile", &load->time);
	return status;
}

void
load_close(struct load *load)
{
	if (load->recording)
		recording_close(load->recording);
	text_fini(&load->not_kernel);
	arena_free(load->arena);
}
