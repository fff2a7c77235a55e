/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * run: `ktap run FILE` runs a script like `ktap FILE`, an object of a C compiler (object.c), or what `ktap compile` made of one; `ktap dump` shows either.
 */
#include "cli/cli.h"

enum exit_status
run_run(const struct args *args)
{
	return args->file && is_object_file(args->file) ? object_run(args) : script_run(args);
}

enum exit_status
compile_run(const struct args *args)
{
	complain("compile: scripts cannot be compiled to files yet");
	return STATUS_WORLD;
}

enum exit_status
dump_run(const struct args *args)
{
	complain("dump: objects cannot be shown yet; 'ktap -d object,insn,lua SCRIPT' shows what a script becomes");
	return STATUS_WORLD;
}
