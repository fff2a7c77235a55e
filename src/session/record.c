/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * record: the run of `ktap record`, from start to Ctrl-C or the end of what is traced.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "session/session_int.h"

#define LOOK_MS 20 /* how often the kernel's buffers are emptied that have no descriptor */

/* Waits for something to do. True: Ctrl-C. */
static bool
wait_for_events(struct recorder *recorder, struct interrupt *interrupt)
{
	struct pollfd ready[1 + SOURCE_FDS_MAX] = { { .fd = interrupt->fd, .events = POLLIN } };
	int fds[SOURCE_FDS_MAX], n = recorder->ops->poll_fds(recorder, fds, SOURCE_FDS_MAX);

	for (int i = 0; i < n; i++)
		ready[1 + i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
	poll(ready, (nfds_t)n + 1, LOOK_MS);
	return ready[0].revents && interrupt_seen(interrupt);
}

static int
run(struct recorder *recorder, struct interrupt *interrupt, struct text *why)
{
	int err = recorder->ops->start(recorder, why);

	while (err >= 0 && !recorder->ops->ended(recorder) && !wait_for_events(recorder, interrupt))
		err = recorder->ops->pump(recorder);
	return err < 0 ? err : recorder->ops->finish(recorder, why);
}

enum exit_status
session_record(struct recorder *recorder)
{
	struct interrupt interrupt;
	struct text why = { 0 };
	int err = interrupt_open(&interrupt);

	if (err == 0)
		err = run(recorder, &interrupt, &why);
	if (err < 0)
		complain("%s", why.s ? why.s : strerror(-err));
	if (recorder->n_lost)
		complain("warning: %llu event%s lost: they came faster than they could be written", (unsigned long long)recorder->n_lost,
			 recorder->n_lost == 1 ? " was" : "s were");
	interrupt_close(&interrupt);
	text_fini(&why);
	return err < 0 ? STATUS_WORLD : STATUS_OK;
}
