/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * fmt: `ktap fmt [-w | -l] FILE...` shows scripts in the layout of the house (lang/fmt.c), writes them back, or lists those that differ.
 *
 * A file is written as a whole or not at all: beside it first, then in its place.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "lang/lang.h"

/* Writes all. Returns 0 or -errno. */
static int
write_all(int fd, const struct text *text)
{
	for (size_t done = 0; done < text->len;) {
		ssize_t n = write(fd, text->s + done, text->len - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* The owner and permissions of the file at `path` for the one that is open. A change of owner takes away set-user-ID: owner first. */
static int
copy_owner(int fd, const char *path)
{
	struct stat st, now;

	if (stat(path, &st) < 0 || fstat(fd, &now) < 0)
		return -errno;
	if ((st.st_uid != now.st_uid || st.st_gid != now.st_gid) && fchown(fd, st.st_uid, st.st_gid) < 0)
		return -errno;
	return fchmod(fd, st.st_mode & 07777) < 0 ? -errno : 0;
}

/* What the symbolic links at `path` lead to becomes `text`. Returns 0 or -errno; a failure leaves it as it was. */
static int
replace_file(const char *path, const struct text *text)
{
	char *file = realpath(path, NULL);
	struct text beside = { 0 };
	int fd, err;

	if (!file)
		return -errno;
	text_printf(&beside, "%s.ktap-fmt", file);
	fd = open(beside.s, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	err = fd < 0 ? -errno : write_all(fd, text);
	if (!err)
		err = copy_owner(fd, file);
	if (fd >= 0 && close(fd) < 0 && !err)
		err = -errno;
	if (!err && rename(beside.s, file) < 0)
		err = -errno;
	if (err && fd >= 0)
		unlink(beside.s);
	text_fini(&beside);
	free(file);
	return err;
}

static enum exit_status
put_formatted(const struct args *args, const struct script *script, const struct text *text)
{
	bool same = text->len == script->len && memcmp(text->s ? text->s : "", script->text, script->len) == 0;
	int err;

	if (args->list) {
		if (!same)
			printf("%s\n", script->name);
		return same ? STATUS_OK : STATUS_SCRIPT;
	}
	if (!args->write || args->text || strcmp(args->file, "-") == 0) {
		fwrite(text->s, 1, text->len, stdout);
		return STATUS_OK;
	}
	err = same ? 0 : replace_file(args->file, text);
	if (err < 0)
		complain("script '%s' cannot be written: %s", args->file, strerror(-err));
	return err < 0 ? STATUS_WORLD : STATUS_OK;
}

static enum exit_status
format_script(const struct args *args, void *data)
{
	struct arena *arena = arena_new();
	struct script script;
	struct diags diags;
	struct text text = { 0 };
	enum exit_status status = script_read(arena, args, &script);

	if (status == STATUS_OK) {
		struct tree *tree;

		diags_init(&diags, arena, &script);
		tree = parse(arena, &script, &diags);
		if (diags.n_errors) {
			diags_print(&diags, stderr);
			status = STATUS_SCRIPT;
		} else {
			script_format(arena, tree, &text);
			status = put_formatted(args, &script, &text);
		}
	}
	text_fini(&text);
	arena_free(arena);
	return status;
}

enum exit_status
fmt_run(const struct args *args)
{
	return scripts_each(args, format_script, NULL);
}
