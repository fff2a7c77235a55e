/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * interrupt: Ctrl-C as a descriptor, see session_int.h.
 *
 * A signalfd and not a handler for the first, since the loop has to poll anyway. Code that runs long without polling (a loop in
 * main) asks interrupt_seen now and then.
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

/*
 * Who sends a signal to a group, too, as timeout(1) does, sends more than one for one wish, of which a busy machine may deliver the
 * last much later than the first. The terminal sends one for each Ctrl-C.
 */
enum { SAME_WISH_NS = 1000000000 };

/* When the first signal was seen. A handler has no other argument. */
static volatile uint64_t wish_ns;

static void
take_second(int number, siginfo_t *info, void *context)
{
	if (info->si_code != SI_KERNEL && clock_now() - wish_ns < SAME_WISH_NS)
		return;
	signal(number, SIG_DFL);
	raise(number); /* delivered when this returns */
}

/* From now on a signal ends the process, unless it belongs to the first one. What was ignored before us stays so. */
static void
await_second(void)
{
	static const int numbers[] = { SIGINT, SIGTERM };
	struct sigaction action = { .sa_sigaction = take_second, .sa_flags = SA_SIGINFO | SA_RESTART }, old;

	wish_ns = clock_now();
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		sigaction(numbers[i], NULL, &old);
		if (old.sa_handler == SIG_DFL)
			sigaction(numbers[i], &action, NULL);
	}
}

bool
interrupt_seen(struct interrupt *interrupt)
{
	struct signalfd_siginfo info;

	if (!interrupt->seen && interrupt->fd >= 0 && read(interrupt->fd, &info, sizeof(info)) == sizeof(info)) {
		interrupt->seen = true;
		await_second();
		interrupt_release(interrupt);
	}
	return interrupt->seen;
}

/* Once one was seen, the next ends the process, in poll(2) as elsewhere. */
void
interrupt_wait_for_room(void *arg, int fd)
{
	struct interrupt *interrupt = arg;
	struct pollfd fds[2] = { { .fd = fd, .events = POLLOUT }, { .fd = interrupt->fd, .events = POLLIN } };

	if (poll(fds, interrupt->seen ? 1 : 2, -1) > 0 && fds[1].revents)
		interrupt_seen(interrupt);
}

void
interrupt_release(struct interrupt *interrupt)
{
	if (interrupt->fd >= 0)
		mask(SIG_UNBLOCK);
}

void
interrupt_take(struct interrupt *interrupt)
{
	if (!interrupt->seen && interrupt->fd >= 0)
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
