/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * stream: what the run prints, on its way to a descriptor.
 *
 * Bytes collect in one block of 64 kB, so that a million lines cost a few hundred writes; a terminal gets
 * every write at once. The first error of the descriptor is kept, what comes after it is dropped. A reader
 * that has gone is an error (EPIPE) like any other, never a signal: the run must still detach and tell its
 * losses.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "output/output.h"

#define BLOCK (64 * 1024)
#define OLD_NS 100000000

struct output {
	int fd;       /* -1: take has the bytes */
	void (*take)(void *arg, const char *bytes, size_t len);
	void *take_arg;
	bool at_once; /* a person is looking */
	int error;    /* first -errno, 0 before */
	uint64_t last; /* time of the last flush that output_flush_old looked after */
	size_t len;
	char block[BLOCK];
	bool is_file;                            /* never makes anybody wait */
	bool replaces;                           /* the file holds what is older than this run */
	void (*wait)(void *arg, int fd);         /* NULL: writing waits */
	void *wait_arg;
};

struct output *
output_new(int fd)
{
	struct output *out = mem_alloc(sizeof(*out));
	struct stat st;

	if (!out)
		return NULL;
	out->fd = fd;
	out->at_once = isatty(fd) == 1;
	out->is_file = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	return out;
}

struct output *
output_new_to(void (*fn)(void *arg, const char *bytes, size_t len), void *arg)
{
	struct output *out = mem_alloc(sizeof(*out));

	if (!out)
		return NULL;
	out->fd = -1;
	out->take = fn;
	out->take_arg = arg;
	return out;
}

void
output_replace(struct output *out)
{
	out->replaces = true;
}

void
output_begin(struct output *out)
{
	if (out->replaces && ftruncate(out->fd, 0) < 0 && errno != EINVAL && !out->error) /* EINVAL: no file, nothing to keep */
		out->error = -errno;
	out->replaces = false;
}

void
output_set_wait(struct output *out, void (*fn)(void *arg, int fd), void *arg)
{
	out->wait = fn;
	out->wait_arg = arg;
}

/*
 * How much may be written without waiting inside of write(2), where nobody hears a signal: a pipe that is ready takes as much as is written in one
 * piece. Files are always ready.
 */
static size_t
wait_for_room(struct output *out, size_t len)
{
	struct pollfd room = { .fd = out->fd, .events = POLLOUT };

	if (out->is_file || !out->wait)
		return len;
	while (poll(&room, 1, 0) == 0)
		out->wait(out->wait_arg, out->fd);
	return len < PIPE_BUF ? len : PIPE_BUF;
}

/*
 * write(2) that reports a closed pipe as EPIPE without SIGPIPE. The signal is blocked for this thread around
 * the write only and taken away when it came, since ignoring it for the process would be inherited by the
 * command that is traced.
 */
static ssize_t
write_no_signal(int fd, const char *bytes, size_t len)
{
	const struct timespec now = { 0, 0 };
	sigset_t pipe, pending, old;
	ssize_t n;
	int error;

	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	sigpending(&pending);
	pthread_sigmask(SIG_BLOCK, &pipe, &old);
	n = write(fd, bytes, len);
	error = errno;
	if (n < 0 && error == EPIPE && !sigismember(&pending, SIGPIPE))
		while (sigtimedwait(&pipe, NULL, &now) < 0 && errno == EINTR)
			;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	errno = error;
	return n;
}

static void
write_all(struct output *out, const char *bytes, size_t len)
{
	if (out->take && len) {
		out->take(out->take_arg, bytes, len);
		return;
	}
	if (len)
		output_begin(out);
	while (len && !out->error) {
		ssize_t n = write_no_signal(out->fd, bytes, wait_for_room(out, len));

		if (n >= 0) {
			bytes += n;
			len -= n;
		} else if (errno == EAGAIN) { /* a descriptor that someone made non-blocking */
			struct pollfd wait = { .fd = out->fd, .events = POLLOUT };

			poll(&wait, 1, -1);
		} else if (errno != EINTR) {
			out->error = -errno;
		}
	}
}

int
output_flush(struct output *out)
{
	write_all(out, out->block, out->len);
	out->len = 0;
	return out->error;
}

void
output_flush_old(struct output *out, uint64_t now)
{
	if (now - out->last < OLD_NS)
		return;
	out->last = now;
	output_flush(out);
}

int
output_error(const struct output *out)
{
	return out->error;
}

void
output_write(struct output *out, const void *bytes, size_t len)
{
	if (out->len + len > BLOCK)
		output_flush(out);
	if (len >= BLOCK) {
		write_all(out, bytes, len);
		return;
	}
	if (len)
		memcpy(out->block + out->len, bytes, len);
	out->len += len;
	if (out->at_once)
		output_flush(out);
}

int
output_free(struct output *out)
{
	int error;

	if (!out)
		return 0;
	error = output_flush(out);
	free(out);
	return error;
}
