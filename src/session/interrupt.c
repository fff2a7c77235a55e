/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * interrupt: Ctrl-C as a descriptor, see session_int.h.
 *
 * A signalfd and not a handler: a handler would need a global, and the loop has to poll anyway. Code that
 * runs long without polling (a loop in main) asks interrupt_seen now and then.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "session/session_int.h"

static void
signal_set(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
}

static int
mask(int how)
{
	sigset_t set;

	signal_set(&set);
	return -pthread_sigmask(how, &set, NULL);
}

int
interrupt_open(struct interrupt *interrupt)
{
	sigset_t set;

	*interrupt = (struct interrupt){ .fd = -1 };
	signal_set(&set);
	interrupt->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return interrupt->fd < 0 ? -errno : mask(SIG_BLOCK);
}

/* timeout(1) signals the process and then its group: what comes so soon is the same wish, and no impatient second one. */
enum { SAME_WISH_MS = 50 };

static void
forget_twins(int fd)
{
	struct signalfd_siginfo info;
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	if (poll(&poll_fd, 1, SAME_WISH_MS) > 0)
		while (read(fd, &info, sizeof(info)) == sizeof(info))
			;
}

bool
interrupt_seen(struct interrupt *interrupt)
{
	struct signalfd_siginfo info;

	if (!interrupt->seen && read(interrupt->fd, &info, sizeof(info)) == sizeof(info)) {
		interrupt->seen = true;
		forget_twins(interrupt->fd);
		interrupt_release(interrupt);
	}
	return interrupt->seen;
}

void
interrupt_release(struct interrupt *interrupt)
{
	mask(SIG_UNBLOCK);
}

void
interrupt_take(struct interrupt *interrupt)
{
	if (!interrupt->seen)
		mask(SIG_BLOCK);
}

void
interrupt_close(struct interrupt *interrupt)
{
	if (interrupt->fd < 0)
		return;
	interrupt_release(interrupt);
	close(interrupt->fd);
	interrupt->fd = -1;
}
