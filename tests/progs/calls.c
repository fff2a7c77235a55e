/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * calls [WHAT N]...: makes exactly N of each named system call, in the order given, and no other of that kind (the C library
 * makes none of these when a static or dynamic program starts, see the table). Tests count them.
 *
 * Also: `wait 0` prints "ready" and waits for SIGUSR1, so that a tracer can attach first; `sleep N` sleeps N milliseconds.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define MISSING "/nonexistent/ktap-test"

static void
call_getpid(long i)
{
	syscall(SYS_getpid);
}

static void
call_getppid(long i)
{
	syscall(SYS_getppid);
}

/* Fails with ENOENT (2). */
static void
call_missing(long i)
{
	syscall(SYS_openat, AT_FDCWD, MISSING, O_RDONLY, 0);
}

/* Fails with EBADF (9); the n-th call closes 1000 + n, so that arguments differ. */
static void
call_badclose(long i)
{
	syscall(SYS_close, 1000 + i);
}

/* Fails with EBADF; n-th call: lseek(-1, n * 4294967296, 0), an argument wider than an int. */
static void
call_lseek(long i)
{
	syscall(SYS_lseek, -1, i << 32, SEEK_SET);
}

/* The n-th call writes n + 1 bytes (at most 16) to the null device. */
static void
call_write(long i)
{
	static int fd = -1;

	if (fd < 0)
		fd = open("/dev/null", O_WRONLY);
	syscall(SYS_write, fd, "abcdefghijklmnop", (size_t)(i % 16 + 1));
}

/* The n-th call asks for a directory of another name: "/nonexistent/n". */
static void
call_chdir(long i)
{
	char name[32];

	snprintf(name, sizeof(name), "/nonexistent/%ld", i);
	syscall(SYS_chdir, name);
}

/* Strings that are hard to show: a bad address; an empty one; 300 bytes; a quote, a backslash, a newline, byte 255. */
static void
call_oddnames(long i)
{
	/* On the stack: a page of the file that was never touched cannot be read by a tracer in the kernel. */
	char longname[301], empty[] = "", quoted[] = "/nonexistent/\"\\\n\xff";

	memset(longname, 'x', 300);
	longname[300] = '\0';
	syscall(SYS_chdir, (const char *)8);
	syscall(SYS_chdir, empty);
	syscall(SYS_chdir, longname);
	syscall(SYS_chdir, quoted);
}

static void
on_signal(int signal)
{
}

static void
call_wait(long i)
{
	sigset_t blocked, old;
	struct sigaction action = { .sa_handler = on_signal };

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR1);
	sigprocmask(SIG_BLOCK, &blocked, &old);
	sigaction(SIGUSR1, &action, NULL);
	puts("ready");
	fflush(stdout);
	sigsuspend(&old);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static void
call_sleep(long ms)
{
	struct timespec time = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&time, &time) < 0 && errno == EINTR)
		;
}

static const struct call {
	const char *name;
	void (*fn)(long i);
	int once; /* N is not a count */
} calls[] = {
	{ "getpid", call_getpid },       { "getppid", call_getppid },   { "missing", call_missing },
	{ "badclose", call_badclose },   { "lseek", call_lseek },       { "write", call_write },
	{ "chdir", call_chdir },         { "oddnames", call_oddnames }, { "wait", call_wait, 1 },
	{ "sleep", call_sleep, 1 },
};

static const struct call *
call_find(const char *name)
{
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		if (!strcmp(calls[i].name, name))
			return &calls[i];
	return NULL;
}

int
main(int argc, char **argv)
{
	for (int a = 1; a + 1 < argc; a += 2) {
		const struct call *call = call_find(argv[a]);
		long n = atol(argv[a + 1]);

		if (!call) {
			fprintf(stderr, "calls: unknown call %s\n", argv[a]);
			return 2;
		}
		if (call->once)
			call->fn(n);
		else
			for (long i = 0; i < n; i++)
				call->fn(i);
	}
	return 0;
}
