/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * read: the text of a script, from a file, standard input or the command line.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

char *
file_text(const char *path, size_t *len)
{
	return strcmp(path, "-") == 0 ? file_rest(STDIN_FILENO, SCRIPT_MAX_LEN, len) : file_read(path, SCRIPT_MAX_LEN, len);
}

/* The name that messages show. */
static const char *
shown_name(const struct args *args)
{
	if (args->text)
		return "(command line)";
	return strcmp(args->file, "-") == 0 ? "(standard input)" : args->file;
}

/* `text` NULL: with errno set. */
static enum exit_status
check_text(const struct args *args, const char *text, size_t len)
{
	if (!text) {
		complain("script '%s' cannot be read: %s", args->file, strerror(errno));
		return STATUS_WORLD;
	}
	if (len > SCRIPT_MAX_LEN) {
		complain("script '%s' is too long: a script can have %u bytes (1 MB) at most", shown_name(args), SCRIPT_MAX_LEN);
		return STATUS_SCRIPT;
	}
	if (len >= SELFMAG && memcmp(text, ELFMAG, SELFMAG) == 0) {
		complain("'%s' is an object file, not a script", shown_name(args));
		return STATUS_SCRIPT;
	}
	return STATUS_OK;
}

enum exit_status
script_read(struct arena *arena, const struct args *args, struct script *script)
{
	size_t len = args->text ? strlen(args->text) : 0;
	char *file = args->text ? NULL : file_text(args->file, &len);
	const char *text = args->text ? args->text : file;
	enum exit_status status = check_text(args, text, len);

	if (status == STATUS_OK)
		script_init(script, arena, shown_name(args), arena_strndup(arena, text, len), (uint32_t)len);
	free(file);
	return status;
}

enum exit_status
scripts_each(const struct args *args, enum exit_status (*one)(const struct args *args, void *data), void *data)
{
	struct args file = *args;
	enum exit_status status = STATUS_OK, last;

	if (!args->text && !*args->script_args) {
		complain("%s: a script is needed ('-' for standard input); 'ktap -h' shows the usage", args->subcommand->name);
		return STATUS_USAGE;
	}
	if (args->text)
		status = one(args, data);
	file.text = NULL;
	for (char **word = args->script_args; *word; word++) {
		file.file = *word;
		last = one(&file, data);
		status = last > status ? last : status;
	}
	return status;
}
