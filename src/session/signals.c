/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * signals: `trace signal:SIGUSR1 { }`, signals to ktap itself that the script handles. A signalfd, like that of interrupt.c and
 * for the same reasons. A signal is blocked from its registration on, so that none is lost while tracing starts; of several of
 * one kind that come meanwhile the kernel keeps one (signal(7)).
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "session/session_int.h"

static const struct {
	const char *name;
	int number;
} signals[] = {
#define SIGNAL_HANDLED(name) { #name, name },
#define SIGNAL_REFUSED(name, reason)
#include "lang/signals.def"
#undef SIGNAL_HANDLED
#undef SIGNAL_REFUSED
};

int
signal_number(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (strcmp(signals[i].name, name) == 0)
			return signals[i].number;
	return -ENOENT;
}

int
signal_block(int signal)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	return -pthread_sigmask(SIG_BLOCK, &set, NULL);
}

bool
signals_open(struct session *session)
{
	const struct control *control = &session->control;
	sigset_t set;

	if (!control->n_signal_handlers)
		return true;
	sigemptyset(&set);
	for (uint32_t i = 0; i < control->n_signal_handlers; i++)
		sigaddset(&set, control->signal_handlers[i].signal);
	session->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (session->signal_fd >= 0)
		return true;
	complain_to(session_messages(session->options), "signals cannot be waited for: %s", strerror(errno));
	session_fail(session, STATUS_WORLD);
	return false;
}

/* In the order of registration. */
static void
run_handlers(struct session *session, uint32_t signal)
{
	struct control *control = &session->control;

	for (uint32_t i = 0; i < control->n_signal_handlers && !session->is_over; i++)
		if (control->signal_handlers[i].signal == (int)signal &&
		    !session_goes_on(session, control_signal(control, &control->signal_handlers[i])))
			session->is_over = true;
}

void
signals_take(struct session *session)
{
	struct signalfd_siginfo infos[ARRAY_SIZE(signals)]; /* all that can wait: who floods us gets no more than its turn */
	ssize_t n = read(session->signal_fd, infos, sizeof(infos));

	for (ssize_t i = 0; i < n / (ssize_t)sizeof(infos[0]); i++)
		run_handlers(session, infos[i].ssi_signo);
}
