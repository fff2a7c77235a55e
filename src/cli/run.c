/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * run: `ktap run FILE` runs a script like `ktap FILE`, an object of a C compiler (object.c), or what `ktap compile` made of one; `ktap dump` shows either.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/cli.h"

enum exit_status
run_run(const struct args *args)
{
	return args->file && is_object_file(args->file) ? object_run(args) : script_run(args);
}

/* The arguments of a subcommand that takes one script, as FILE or by -e. False: there is none, or there are both; said. */
static bool
take_file(const struct args *args, struct args *with_file)
{
	char **words = args->script_args;

	*with_file = *args;
	with_file->file = args->text ? NULL : words[0];
	if (args->text ? !words[0] : words[0] != NULL)
		return true;
	complain("%s: one script is needed, FILE or -e TEXT; 'ktap -h' shows the usage", args->subcommand->name);
	return false;
}

static enum exit_status
write_object(struct load *load)
{
	const char *path = load->args->output;
	struct text why = { 0 };
	int err;

	if (load->object->kernel_offsets) {
		complain("compile: the script reads a structure of this kernel's that has no name and that only a pointer leads to; its places "
			 "on another kernel cannot be found: run the script itself");
		return STATUS_SCRIPT;
	}
	bind_for_file(load->object);
	err = elf_write(load->object, path, &why);
	if (err < 0)
		complain("%s", why.s);
	text_fini(&why);
	return err < 0 ? STATUS_WORLD : STATUS_OK;
}

enum exit_status
compile_run(const struct args *args)
{
	struct load load = { 0 };
	struct args with_file;
	enum exit_status status;

	if (!take_file(args, &with_file))
		return STATUS_USAGE;
	if (!args->output) {
		complain("compile: -o FILE is needed, the object file to write; 'ktap -h' shows the usage");
		return STATUS_USAGE;
	}
	status = load_open(&load, &with_file);
	if (status == STATUS_OK)
		status = write_object(&load);
	load_close(&load);
	return status;
}

/* What a script's file would hold, read back from memory: a script and its object are shown alike. */
static struct object *
compile_to_memory(struct load *load, struct text *why)
{
	int fd = memfd_create("ktap-dump", MFD_CLOEXEC);
	char path[64];
	struct object *object = NULL;

	if (fd < 0) {
		text_printf(why, "memory for the object: %s", strerror(errno));
		return NULL;
	}
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	bind_for_file(load->object);
	if (elf_write(load->object, path, why) == 0)
		object = elf_read(load->arena, path, why);
	close(fd);
	return object;
}

enum exit_status
dump_run(const struct args *args)
{
	struct load load = { 0 };
	struct args with_file;
	struct object *object = NULL;
	struct text why = { 0 };
	enum exit_status status = STATUS_OK;

	if (!take_file(args, &with_file))
		return STATUS_USAGE;
	if (load_is_object(&with_file)) {
		load.arena = arena_new();
		object = elf_read(load.arena, with_file.file, &why);
	} else {
		status = load_open(&load, &with_file);
		if (status == STATUS_OK)
			object = compile_to_memory(&load, &why);
	}
	if (object)
		object_dump(object, stdout);
	if (why.s)
		complain("%s", why.s);
	text_fini(&why);
	load_close(&load);
	return status == STATUS_OK && !object ? STATUS_SCRIPT : status;
}
