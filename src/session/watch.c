/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * watch: `ktap -e 'tick-1s { print(1) }' -- cmd`: a script without probes has no source that would start and
 * follow the command, but its run ends with the command all the same.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "session/session_int.h"

int
watch_open(struct watch *watch, const struct target *target, struct text *why)
{
	pid_t pid = target->pid;
	int err;

	*watch = (struct watch){ .pidfd = -1 };
	if (target->argv) {
		err = command_start(&watch->command, target->argv, why);
		if (err < 0)
			return err;
		watch->is_ours = true;
		pid = watch->command.pid;
	}
	if (!pid)
		return 0;
	watch->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (watch->pidfd >= 0)
		return 0;
	err = -errno;
	text_printf(why, "process %d cannot be followed: %s", (int)pid, strerror(errno));
	return err;
}

int
watch_go(struct watch *watch, struct text *why)
{
	int err = watch->is_ours ? command_go(&watch->command) : 0;

	if (err < 0)
		text_printf(why, "the command cannot be executed: %s", strerror(-err));
	return err;
}

void
watch_close(struct watch *watch)
{
	if (watch->is_ours) {
		if (waitpid(watch->command.pid, NULL, WNOHANG) == 0) {
			kill(watch->command.pid, SIGTERM);
			waitpid(watch->command.pid, NULL, WNOHANG);
		}
		watch->is_ours = false;
	}
	if (watch->pidfd >= 0)
		close(watch->pidfd);
	watch->pidfd = -1;
}
