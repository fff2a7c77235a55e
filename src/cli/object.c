/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * object: `ktap run FILE.o` and `ktap check FILE.o` for what a C compiler made for eBPF. Read, fitted to the kernel's types (--btf FILE: to
 * those of a file), then run, or shown to our verifier.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"
#include "vm/vm.h"

/* A file that was read, and the object in it. */
struct opened {
	struct arena *arena;
	char *bytes;
	size_t len;
	struct object *object;
};

/* Puts the kernel's numbers into the object, where it asks for some. */
static enum exit_status
fit(struct object *object, const char *btf, struct text *why)
{
	struct core_target *target = NULL;
	enum exit_status status = STATUS_OK;

	if (!core_is_needed(object))
		return STATUS_OK;
	target = core_target_open(btf, why);
	if (!target)
		status = STATUS_WORLD;
	else if (core_apply(object, target, why) < 0)
		status = STATUS_SCRIPT;
	core_target_free(target);
	return status;
}

/* What is to be done with an object: the kernel may run what we cannot read whole. */
enum purpose { PURPOSE_WHOLE, PURPOSE_KERNEL };

static enum exit_status
open_object(struct opened *o, const char *path, enum purpose purpose, struct text *why)
{
	struct text outline_why = { 0 };
	enum exit_status status = STATUS_OK;

	o->arena = arena_new();
	o->bytes = file_read(path, OBJECT_FILE_MAX, &o->len);
	if (!o->bytes || o->len > OBJECT_FILE_MAX) {
		text_printf(why, "object '%s' cannot be read: %s", path, strerror(o->bytes ? EFBIG : errno));
		return STATUS_WORLD;
	}
	o->object = elf_read_memory(o->arena, path, o->bytes, o->len, why);
	if (!o->object && purpose == PURPOSE_KERNEL)
		o->object = elf_read_outline(o->arena, path, o->bytes, o->len, &outline_why);
	if (!o->object)
		status = STATUS_SCRIPT;
	elf_mend(o->bytes, o->len); /* for libbpf */
	text_fini(&outline_why);
	return status;
}

static void
close_object(struct opened *o)
{
	free(o->bytes);
	arena_free(o->arena);
}

bool
is_object_file(const char *path)
{
	char magic[SELFMAG] = "";
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool is = fd >= 0 && pread(fd, magic, sizeof(magic), 0) == sizeof(magic) && memcmp(magic, ELFMAG, SELFMAG) == 0;

	if (fd >= 0)
		close(fd);
	return is;
}

static enum vm_callx
callx_of(const struct args *args)
{
	return args->callx ? VM_CALLX_PERMITTED : VM_CALLX_REFUSED;
}

/* ---- check ------------------------------------------------------------------------------------------------------------------------ */

#define TYPED_NOTE "this verifier does not follow typed pointers of the kernel; the kernel's does"

/* The object as a whole is refused. As of scripts, what the world refuses is no diagnostic. */
static void
say_object(const struct args *args, enum exit_status status, const struct text *why, struct diag_list *list)
{
	const struct diag diag = { .slug = "bad-object", .message = why->s };

	if (list && status == STATUS_SCRIPT)
		diag_list_add_whole(list, args->file, &diag);
	else
		complain("%s", why->s);
}

/* `line` is where, NULL: that is not known. */
static void
say_program(const struct object *object, const struct func *func, const struct section *section, const struct source_line *line,
	    const struct text *why, struct diag_list *list)
{
	struct remark typed = { .kind = "note", .message = TYPED_NOTE };
	struct diag diag = { .slug = "program-refused" };
	struct text message = { 0 };

	text_printf(&message, "program '%s' (%s) is refused: %s", func->name, func->section, why->s);
	diag.message = message.s;
	diag.remarks = section && section->context == CONTEXT_TYPED ? &typed : NULL;
	if (list && line)
		diag_list_add_line(list, object->name, line, &diag);
	else if (list)
		diag_list_add_whole(list, object->name, &diag);
	else
		fprintf(stderr, "%s: %s\n%s", object->name, diag.message, diag.remarks ? "note: " TYPED_NOTE "\n" : "");
	text_fini(&message);
}

/* Shows one program to the verifier. */
static enum exit_status
check_program(const struct object *object, const struct func *func, enum vm_callx callx, struct diag_list *list)
{
	const char *rest;
	const struct section *section = section_find(func->section, &rest);
	struct vm_signature signature = { .callx = callx, .args = { { .kind = VM_ARG_NONE } } };
	const struct source_line *line = NULL;
	struct text why = { 0 };
	int err = -EINVAL;

	if (section) {
		signature.args[0].size = section_context_size(section);
		signature.args[0].kind = signature.args[0].size ? VM_ARG_CTX : VM_ARG_NONE;
		err = vm_verify(object, func, &signature, &line, &why);
	} else {
		text_puts(&why, "ktap knows no such section");
	}
	if (err < 0)
		say_program(object, func, section, line ? line : func_line(func, 0), &why, list);
	text_fini(&why);
	return err < 0 ? STATUS_SCRIPT : STATUS_OK;
}

enum exit_status
object_check(const struct args *args, struct diag_list *list)
{
	struct opened o = { 0 };
	struct text why = { 0 };
	enum exit_status status = open_object(&o, args->file, PURPOSE_WHOLE, &why);

	if (status == STATUS_OK)
		status = fit(o.object, args->btf, &why);
	if (status != STATUS_OK)
		say_object(args, status, &why, list);
	for (uint32_t i = 0; status != STATUS_WORLD && o.object && i < o.object->n_funcs; i++)
		if (strcmp(o.object->funcs[i]->section, ".text") != 0 && check_program(o.object, o.object->funcs[i], callx_of(args), list) != STATUS_OK)
			status = STATUS_SCRIPT;
	text_fini(&why);
	close_object(&o);
	return status;
}

/* ---- run -------------------------------------------------------------------------------------------------------------------------- */

/* Options that mean something for scripts alone are refused, not passed over. */
static enum exit_status
check_options(const struct args *args)
{
	for (const struct option_row *row = option_rows; row->name; row++) {
		if (!(args->seen >> (row - option_rows) & 1) || !row->no_object)
			continue;
		complain("%s: %s is for scripts, and this is an object of a C compiler: %s", args->file, row->name, row->no_object);
		return STATUS_USAGE;
	}
	if (args->engine == ENGINE_FTRACE) {
		complain("%s: --engine=ftrace is for scripts, and this is an object of a C compiler: --engine=user runs it without BPF", args->file);
		return STATUS_USAGE;
	}
	if (*args->script_args) {
		complain("%s: arguments ('%s') are for scripts, and this is an object of a C compiler: options stand before it, a command behind '--'",
			 args->file, *args->script_args);
		return STATUS_USAGE;
	}
	return STATUS_OK;
}

static enum exit_status
open_source(const struct args *args, const struct opened *o, enum events_origin origin, struct events *events, struct source **source)
{
	const struct target target = { .argv = args->command, .pid = args->pid, .drops_privilege = true };
	const struct object_file file = { .bytes = o->bytes, .len = o->len, .btf = args->btf };
	struct text why = { 0 };
	int err;

	if (origin == EVENTS_USER && !target.argv && !target.pid) {
		complain("the user engine traces a command or a process: add '-- COMMAND' or '-p PID'");
		return STATUS_WORLD;
	}
	if (origin != EVENTS_USER && args->exec != VM_EXEC_AUTO) {
		complain("--exec %s is for the user engine, the kernel decides by itself: add --engine=user", exec_names[args->exec]);
		return STATUS_USAGE;
	}
	if (origin != EVENTS_USER && args->callx) {
		complain("--callx is for the user engine, the kernel decides by itself: add --engine=user");
		return STATUS_USAGE;
	}
	if (origin == EVENTS_USER)
		err = source_ptrace_open(source, o->object, events, &target, &why);
	else
		err = source_kernel_object_open(source, o->object, &file, &target, &why);
	if (err < 0)
		complain("%s", why.s ? why.s : strerror(-err));
	if (err == 0 && origin == EVENTS_USER) {
		source_set_exec(*source, args->exec);
		source_set_callx(*source, callx_of(args));
	}
	text_fini(&why);
	return err < 0 ? STATUS_WORLD : STATUS_OK;
}

static enum exit_status
run_opened(const struct args *args, const struct opened *o, struct text *why)
{
	enum events_origin origin = engine_choose(args->engine, NULL);
	struct events *events = events_new(o->arena, origin);
	struct session_options options = { .out_fd = STDOUT_FILENO, .replaces = args->output, .quiet = args->quiet };
	struct source *source = NULL;
	enum exit_status status = STATUS_OK;

	if (origin == EVENTS_USER) /* in the kernel libbpf does that */
		status = fit(o->object, args->btf, why);
	if (status != STATUS_OK)
		complain("%s", why->s);
	if (status == STATUS_OK) {
		options.out_fd = output_open(args);
		if (options.out_fd < 0)
			return STATUS_WORLD;
	}
	if (status == STATUS_OK)
		status = open_source(args, o, origin, events, &source);
	if (status == STATUS_OK)
		status = session_run_programs(o->object, events, source, &options);
	if (source)
		source->ops->close(source);
	if (options.out_fd != STDOUT_FILENO)
		close(options.out_fd);
	return status;
}

enum exit_status
object_run(const struct args *args)
{
	struct opened o = { 0 };
	enum purpose purpose = engine_choose(args->engine, NULL) == EVENTS_KERNEL ? PURPOSE_KERNEL : PURPOSE_WHOLE;
	struct text why = { 0 };
	enum exit_status status = open_object(&o, args->file, purpose, &why);
	bool is_script = status == STATUS_OK && o.object->is_script;

	if (status != STATUS_OK)
		complain("%s", why.s);
	if (status == STATUS_OK && !is_script)
		status = check_options(args);
	if (status == STATUS_OK && !is_script)
		status = run_opened(args, &o, &why);
	text_fini(&why);
	close_object(&o);
	return is_script ? script_run(args) : status;
}
