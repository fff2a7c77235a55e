/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The traced command: forked early, so that its process id is known before anything is attached, and held at a pipe until all
 * is ready, so that nothing of it is missed.
 *
 *     ktap                       child
 *     command_start  --fork-->   waits on the go pipe
 *     ...                        (end of file: ktap has gone or given up; exits)
 *     command_go     --byte-->   execve; on failure its errno goes into the error pipe, which exec closes
 *
 * The command is searched in PATH here and not in the child, so that a missing one is an error before tracing starts.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "source/source.h"

/* 0, or why this file can't be executed. */
static int
try_file(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return -errno;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	return access(path, X_OK) < 0 ? -errno : 0;
}

/* Searches PATH as execvp(3) does. Writes the path found into `path` (PATH_MAX bytes). */
static int
search_path(const char *name, char *path)
{
	const char *end, *dir = getenv("PATH");
	int err, result = -ENOENT;

	if (!dir)
		dir = "/bin:/usr/bin";
	for (;; dir = end + 1) {
		end = strchrnul(dir, ':');
		if (snprintf(path, PATH_MAX, "%.*s/%s", end > dir ? (int)(end - dir) : 1,
			     end > dir ? dir : ".", name) < PATH_MAX) {
			err = try_file(path);
			if (err == 0)
				return 0;
			if (err == -EACCES && access(path, F_OK) == 0)
				result = err; /* found, but not ours to run; a later one may be */
		}
		if (!*end)
			return result;
	}
}

static int
find_command(const char *name, char *path, struct text *why)
{
	int err;

	if (strchr(name, '/')) {
		err = strlen(name) < PATH_MAX ? try_file(name) : -ENAMETOOLONG;
		if (err == 0)
			strcpy(path, name);
	} else {
		err = *name ? search_path(name, path) : -ENOENT;
	}
	if (err == -ENOENT && !strchr(name, '/'))
		text_printf(why, "command '%s' not found in PATH", name);
	else if (err < 0)
		text_printf(why, "command '%s' cannot be executed: %s", name, strerror(-err));
	return err;
}

/* What ktap blocks must not reach the command. Its handlers end with exec; what was ignored before ktap stays so, as without ktap. */
static void
unblock_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void __attribute__((noreturn))
child(const char *path, char **argv, int go_fd, int err_fd, void (*prepare)(void *arg), void *arg)
{
	ssize_t n;
	char go;
	int err;

	unblock_signals();
	do
		n = read(go_fd, &go, 1);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		_exit(EXIT_NOT_STARTED);
	if (prepare)
		prepare(arg);
	execvp(path, argv); /* has a slash: no search; a file without #! goes to the shell */
	err = errno;
	n = write(err_fd, &err, sizeof(err));
	_exit(EXIT_NOT_STARTED);
}

static void
close_pair(const int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

int
command_start(struct command *command, char **argv, struct text *why)
{
	return command_start_prepared(command, argv, NULL, NULL, why);
}

int
command_start_prepared(struct command *command, char **argv, void (*prepare)(void *arg), void *arg,
		       struct text *why)
{
	char path[PATH_MAX];
	int go[2], error[2], err = find_command(argv[0], path, why);
	pid_t pid;

	if (err < 0)
		return err;
	if (pipe2(go, O_CLOEXEC) < 0) {
		err = -errno;
		text_printf(why, "command '%s': no pipe: %s", argv[0], strerror(errno));
		return err;
	}
	if (pipe2(error, O_CLOEXEC) < 0) {
		err = -errno;
		text_printf(why, "command '%s': no pipe: %s", argv[0], strerror(errno));
		close_pair(go);
		return err;
	}
	fflush(NULL); /* or the child would write our buffered output again, should exec fail */
	pid = fork();
	if (pid < 0) {
		err = -errno;
		text_printf(why, "command '%s': no new process: %s", argv[0], strerror(errno));
		close_pair(go);
		close_pair(error);
		return err;
	}
	if (pid == 0) {
		close(go[1]);
		close(error[0]);
		child(path, argv, go[0], error[1], prepare, arg);
	}
	close(go[0]);
	close(error[1]);
	*command = (struct command){ .pid = pid, .go_fd = go[1], .err_fd = error[0] };
	return 0;
}

int
command_release(struct command *command)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN }, old;
	int err;

	/* A child that was killed meanwhile must not kill us too. */
	sigaction(SIGPIPE, &ignore, &old);
	err = write(command->go_fd, "g", 1) == 1 ? 0 : -errno;
	sigaction(SIGPIPE, &old, NULL);
	close(command->go_fd);
	command->go_fd = -1;
	return err;
}

int
command_result(struct command *command)
{
	int err = 0;
	ssize_t n;

	do
		n = read(command->err_fd, &err, sizeof(err));
	while (n < 0 && errno == EINTR);
	close(command->err_fd);
	command->err_fd = -1;
	return n == sizeof(err) ? -err : 0;
}

int
command_go(struct command *command)
{
	int released = command_release(command), err = command_result(command);

	return released < 0 ? released : err;
}
