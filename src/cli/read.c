/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * read: the text of a script, from a file, standard input or the command line.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "cli/cli.h"

/* Reads to the end, one byte more than a script may have at most. Returns 0 or -errno. */
static int
read_all(int fd, struct text *text)
{
	char block[16384];
	ssize_t n;

	while (text->len <= SCRIPT_MAX_LEN) {
		n = read(fd, block, sizeof(block));
		if (n == 0)
			return 0;
		if (n > 0)
			text_add(text, block, (size_t)n);
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

int
file_text(const char *path, struct text *text)
{
	bool is_stdin = strcmp(path, "-") == 0;
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	int err;

	if (fd < 0)
		return -errno;
	err = read_all(fd, text);
	if (!is_stdin)
		close(fd);
	return err;
}

/* The name that messages show. */
static const char *
shown_name(const struct args *args)
{
	if (args->text)
		return "(command line)";
	return strcmp(args->file, "-") == 0 ? "(standard input)" : args->file;
}

static enum exit_status
check_text(const struct args *args, const struct text *text, int err)
{
	if (err < 0) {
		complain("script '%s' cannot be read: %s", args->file, strerror(-err));
		return STATUS_WORLD;
	}
	if (text->len > SCRIPT_MAX_LEN) {
		complain("script '%s' is too long: a script can have %u bytes (1 MB) at most", shown_name(args), SCRIPT_MAX_LEN);
		return STATUS_SCRIPT;
	}
	if (text->len >= SELFMAG && memcmp(text->s, ELFMAG, SELFMAG) == 0) {
		complain("'%s' is an object file, not a script", shown_name(args));
		return STATUS_SCRIPT;
	}
	return STATUS_OK;
}

enum exit_status
script_read(struct arena *arena, const struct args *args, struct script *script)
{
	struct text text = { 0 };
	enum exit_status status;
	int err = 0;

	if (args->text)
		text_puts(&text, args->text);
	else
		err = file_text(args->file, &text);
	status = check_text(args, &text, err);
	if (status == STATUS_OK)
		script_init(script, arena, shown_name(args), arena_strndup(arena, text.s ? text.s : "", text.len), (uint32_t)text.len);
	text_fini(&text);
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
