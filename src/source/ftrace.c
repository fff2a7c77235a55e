/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * A tracefs instance of our own (Documentation/trace/ftrace.rst, "Instances"): a directory below instances/, made and removed like any
 * other, with its own buffers and its own switches for events. Others' tracing does not see it.
 *
 * An instance outlives who made it. So a keeper is forked first: it holds one end of a pipe, whose other end only we have, and
 * removes the instance when that closes, however we end. Before it is made the keeper is told its name, as it may be another than the first one
 * that we try: an instance ktap-PID is there if the ktap of this number was killed together with its keeper, and is then removed; or if one of
 * another pid namespace has the same number, whose instance is in use and stays.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "event/event.h"
#include "source/ftrace.h"

#define CPUS_MAX       4096
#define BUFFER_KB      "4096" /* a CPU */
#define REMOVE_TRIES   100    /* the instance is busy for a moment after its files are closed */
#define REMOVE_WAIT_NS 20000000
#define NAMES_MAX      100

/* ---- the instance --------------------------------------------------------------------------------------- */

static int
write_at(int dir, const char *file, const char *text)
{
	int fd = openat(dir, file, O_WRONLY | O_CLOEXEC);
	ssize_t n;
	int err;

	if (fd < 0)
		return -errno;
	n = write(fd, text, strlen(text));
	err = n < 0 ? -errno : 0;
	close(fd);
	return err;
}

int
ftrace_write(const struct ftrace *ftrace, const char *file, const char *text)
{
	return write_at(ftrace->dir, file, text);
}

/* Async-signal-safe. */
static void
remove_instance(const char *name, int tries)
{
	const struct timespec wait = { .tv_nsec = REMOVE_WAIT_NS };
	int instances = openat(tracefs_dir(), "instances", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	for (int i = 0; instances >= 0 && i < tries; i++) {
		if (unlinkat(instances, name, AT_REMOVEDIR) == 0 || errno != EBUSY)
			break;
		nanosleep(&wait, NULL);
	}
	close(instances);
}

/* ---- the keeper ------------------------------------------------------------------------------------------- */

/* In the keeper: nothing is left open but the pipe and tracefs, or our output would seem unfinished to who reads it. */
static void
close_others(int pipe_fd)
{
	int low = pipe_fd < tracefs_dir() ? pipe_fd : tracefs_dir();
	int high = pipe_fd < tracefs_dir() ? tracefs_dir() : pipe_fd;

	if (low > 0)
		close_range(0, (unsigned)low - 1, 0);
	if (high > low + 1)
		close_range((unsigned)low + 1, (unsigned)high - 1, 0);
	close_range((unsigned)high + 1, ~0u, 0);
}

/* Names come one after the other; the last one is that of the instance, and an empty one of none. */
static void __attribute__((noreturn))
keep(int pipe_fd)
{
	char name[sizeof(((struct ftrace *)0)->name)] = "", next[sizeof(name)];
	ssize_t n;

	setsid(); /* Ctrl-C is for those in front */
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	close_others(pipe_fd);
	while ((n = read(pipe_fd, next, sizeof(next))) > 0 || (n < 0 && errno == EINTR))
		if (n == sizeof(next))
			memcpy(name, next, sizeof(name));
	if (*name)
		remove_instance(name, REMOVE_TRIES);
	_exit(0);
}

static int
start_keeper(struct ftrace *ftrace, struct text *why)
{
	int fds[2], err;

	if (pipe2(fds, O_CLOEXEC) < 0) {
		err = -errno;
		text_printf(why, "no pipe: %s", strerror(-err));
		return err;
	}
	fflush(NULL);
	ftrace->keeper = fork();
	err = ftrace->keeper < 0 ? -errno : 0;
	if (ftrace->keeper == 0) {
		close(fds[1]);
		keep(fds[0]);
	}
	close(fds[0]);
	ftrace->keeper_fd = fds[1];
	if (err < 0)
		text_printf(why, "no new process: %s", strerror(-err));
	return err;
}

/* ---- open --------------------------------------------------------------------------------------------------- */

static int
make_named(struct ftrace *ftrace, const char *name)
{
	char path[96];

	memset(ftrace->name, 0, sizeof(ftrace->name));
	memcpy(ftrace->name, name, strlen(name));
	if (write(ftrace->keeper_fd, ftrace->name, sizeof(ftrace->name)) < 0)
		return -errno;
	snprintf(path, sizeof(path), "instances/%s", ftrace->name);
	if (mkdirat(tracefs_dir(), path, 0700) < 0)
		return -errno;
	ftrace->dir = openat(tracefs_dir(), path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return ftrace->dir < 0 ? -errno : 0;
}

static int
make_instance(struct ftrace *ftrace)
{
	char name[sizeof(ftrace->name)];
	int err = -EEXIST;

	for (int i = 0; err == -EEXIST && i < NAMES_MAX; i++) {
		snprintf(name, sizeof(name), i ? "ktap-%d-%d" : "ktap-%d", (int)getpid(), i);
		err = make_named(ftrace, name);
		if (err == -EEXIST) {
			remove_instance(name, 1);
			err = make_named(ftrace, name);
		}
	}
	if (err < 0 && ftrace->dir < 0)
		make_named(ftrace, ""); /* another's is not for our keeper */
	return err;
}

int
ftrace_open_instance(struct ftrace *ftrace, struct text *why)
{
	int err, tracefs = tracefs_dir();

	ftrace->dir = ftrace->keeper_fd = -1;
	if (tracefs < 0) {
		text_printf(why, "tracefs, which records events, cannot be opened: %s; root can", strerror(-tracefs));
		return tracefs;
	}
	err = start_keeper(ftrace, why);
	if (err < 0)
		return err;
	err = make_instance(ftrace);
	if (err < 0)
		text_printf(why, "no instance of ftrace can be made (instances/ktap-%d of tracefs): %s", (int)getpid(), strerror(-err));
	return err;
}

static int
open_pages(struct ftrace *ftrace)
{
	char path[64];
	int fd, *more;

	for (uint32_t cpu = 0; cpu < CPUS_MAX; cpu++) {
		snprintf(path, sizeof(path), "per_cpu/cpu%u/trace_pipe_raw", cpu);
		fd = openat(ftrace->dir, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0)
			return errno == ENOENT && cpu ? 0 : -errno;
		more = mem_realloc(ftrace->page_fds, (cpu + 1) * sizeof(*more));
		if (!more) {
			close(fd);
			return -ENOMEM;
		}
		ftrace->page_fds = more;
		ftrace->page_fds[ftrace->n_cpus++] = fd;
	}
	return 0;
}

/* Sub-buffers are a page each, and larger where somebody asks (Linux 6.8); we don't. */
static int
prepare(struct ftrace *ftrace)
{
	int err;

	ftrace->page_size = (uint32_t)sysconf(_SC_PAGESIZE);
	ftrace_write(ftrace, "tracing_on", "0");
	ftrace_write(ftrace, "buffer_size_kb", BUFFER_KB); /* a smaller one does as well */
	err = ftrace_write(ftrace, "trace_clock", "mono");
	if (err == 0)
		err = open_pages(ftrace);
	return err;
}

int
ftrace_open(struct ftrace *ftrace, struct text *why)
{
	int err = ftrace_open_instance(ftrace, why);

	if (err < 0)
		return err;
	err = prepare(ftrace);
	if (err < 0)
		text_printf(why, "instance %s of ftrace cannot be used: %s", ftrace->name, strerror(-err));
	return err;
}

/* ---- events --------------------------------------------------------------------------------------------------- */

int
ftrace_enable(const struct ftrace *ftrace, const char *system, const char *name)
{
	char path[256];

	if (snprintf(path, sizeof(path), "events/%s/%s/enable", system, name) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	return ftrace_write(ftrace, path, "1");
}

/* Adds each thread that a process has now to those that are followed. Returns how many there are, or -errno. */
static int
follow_threads(const struct ftrace *ftrace, pid_t pid)
{
	struct dirent *entry;
	char path[64];
	int n = 0, err = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	while (err == 0 && (entry = readdir(dir))) {
		if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
			continue;
		err = ftrace_write(ftrace, "set_event_pid", entry->d_name);
		if (err == -ESRCH) /* it has ended meanwhile */
			err = 0;
		n++;
	}
	closedir(dir);
	return err < 0 ? err : n;
}

/*
 * set_event_pid takes ids of threads. What a thread that is followed starts is followed by itself; one that is not yet may start others
 * while we read, so it is looked again until there are no more than the time before.
 */
int
ftrace_follow(const struct ftrace *ftrace, pid_t pid)
{
	int n = ftrace_write(ftrace, "options/event-fork", "1"), before;

	do {
		before = n;
		if (n >= 0)
			n = follow_threads(ftrace, pid);
	} while (n > before);
	return n < 0 ? n : 0;
}

int
ftrace_read_page(const struct ftrace *ftrace, uint32_t cpu, unsigned char *page)
{
	ssize_t n;

	do
		n = read(ftrace->page_fds[cpu], page, ftrace->page_size);
	while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n == 0 || errno == EAGAIN ? 0 : -errno;
	memset(page + n, 0, ftrace->page_size - (size_t)n);
	return 1;
}

void
ftrace_close(struct ftrace *ftrace)
{
	for (uint32_t i = 0; i < ftrace->n_cpus; i++)
		close(ftrace->page_fds[i]);
	free(ftrace->page_fds);
	if (ftrace->dir >= 0) {
		ftrace_write(ftrace, "events/enable", "0");
		close(ftrace->dir);
		remove_instance(ftrace->name, REMOVE_TRIES);
	}
	if (ftrace->keeper_fd >= 0)
		close(ftrace->keeper_fd);
	if (ftrace->keeper > 0)
		waitpid(ftrace->keeper, NULL, 0);
	*ftrace = (struct ftrace){ .dir = -1, .keeper_fd = -1 };
}

/* ---- what is followed ------------------------------------------------------------------------------------------- */

int
followed_open(struct followed *followed, const struct target *target, const struct ftrace *ftrace, struct text *why)
{
	int err = target->argv ? command_start(&followed->command, target->argv, why) : 0;

	followed->target = target;
	followed->pidfd = -1;
	if (err < 0)
		return err;
	followed->pid = target->argv ? followed->command.pid : target->pid;
	if (!followed->pid)
		return 0;
	followed->pidfd = pidfd_open(followed->pid, 0);
	err = followed->pidfd < 0 ? -errno : ftrace_follow(ftrace, followed->pid);
	if (err < 0)
		text_printf(why, "process %d cannot be followed: %s", followed->pid, strerror(-err));
	return err;
}

int
followed_go(struct followed *followed, const struct ftrace *ftrace, struct text *why)
{
	int err = ftrace_write(ftrace, "tracing_on", "1");

	if (err < 0) {
		text_printf(why, "ftrace cannot be switched on: %s", strerror(-err));
	} else if (followed->command.pid) {
		err = command_go(&followed->command);
		if (err < 0)
			text_printf(why, "command '%s' cannot be executed: %s", followed->target->argv[0], strerror(-err));
	}
	return err;
}

bool
followed_ended(const struct followed *followed)
{
	struct pollfd ended = { .fd = followed->pidfd, .events = POLLIN };

	return followed->pid && poll(&ended, 1, 0) > 0;
}

void
followed_close(struct followed *followed)
{
	struct command *command = &followed->command;
	bool is_waiting = command->go_fd > 0;

	if (followed->pid && followed->pidfd >= 0)
		close(followed->pidfd);
	if (!command->pid)
		return;
	if (is_waiting)
		close(command->go_fd);
	if (command->err_fd > 0)
		close(command->err_fd);
	if (is_waiting)
		kill(command->pid, SIGKILL);
	waitpid(command->pid, NULL, is_waiting ? 0 : WNOHANG);
}
