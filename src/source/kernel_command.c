/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * How the traced command becomes a target of the kernel engine just before its execve, so that this is the first event seen.
 *
 *     ktap                               child
 *     forks                              waits at a pipe, untraced, until all is attached
 *     writes to the pipe                 returns from read(2), says in shared memory that it did
 *     makes it a target, says so there   waits for that, without a system call
 *     waits for the result of exec       execve(2), seen by all probes
 *
 * A probe at sched_process_exec could mark it too, but the kernel runs the probes of a tracepoint in an order of its own, and
 * a handler before ours would miss the event.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "source/kernel_int.h"

struct gate {
	atomic_bool reached; /* by the child: no system call comes before execve any more */
	atomic_bool open;    /* by ktap */
	pid_t ktap;
};

#define PATIENCE_S 5 /* opening takes microseconds; on a very busy machine perhaps a second */

static time_t
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now); /* in the vDSO: no system call, where the clock is a usable one */
	return now.tv_sec;
}

/*
 * In the child. A system call made here could be seen as the command's, so there is none, unless ktap seems to have died: then the child
 * must not wait for ever.
 */
static void
wait_at_gate(void *arg)
{
	struct gate *gate = arg;
	time_t since = seconds();

	atomic_store(&gate->reached, true);
	while (!atomic_load_explicit(&gate->open, memory_order_acquire)) {
		if (seconds() - since > PATIENCE_S && getppid() != gate->ktap)
			_exit(EXIT_NOT_STARTED);
	}
}

int
kernel_command_start(struct kernel *kernel, struct text *why)
{
	struct gate *gate = mmap(NULL, sizeof(*gate), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int err;

	if (gate == MAP_FAILED) {
		err = -errno;
		text_printf(why, "command '%s': no shared memory: %s", kernel->target.argv[0], strerror(-err));
		return err;
	}
	gate->ktap = getpid();
	kernel->gate = gate;
	return command_start_prepared(&kernel->command, kernel->target.argv, wait_at_gate, gate, why);
}

/* Returns 0 once the child is at the gate, -ECHILD when it died on the way there. */
static int
await_child(const struct kernel *kernel)
{
	siginfo_t info = { 0 };

	while (!atomic_load(&kernel->gate->reached)) {
		if (waitid(P_PID, (id_t)kernel->command.pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid)
			return -ECHILD;
		sched_yield();
	}
	return 0;
}

int
kernel_command_go(struct kernel *kernel, struct text *why)
{
	struct target_bit bit = { 0 };
	uint32_t process;
	int err, result;

	if (!kernel->command.pid)
		return 0;
	err = pid_space_host(&kernel->pids, kernel->command.pid, &process, why);
	if (err == 0)
		err = kernel_target_map(kernel, process, &bit);
	if (err == 0)
		err = command_release(&kernel->command);
	if (err == 0)
		err = await_child(kernel);
	if (err == 0) {
		kernel_target_set(&bit);
		atomic_store_explicit(&kernel->gate->open, true, memory_order_release);
	} else {
		kill(kernel->command.pid, SIGKILL);
	}
	kernel_target_unmap(&bit);
	result = command_result(&kernel->command);
	if (err == 0)
		err = result;
	if (err == -ECHILD || err == -EPIPE)
		text_printf(why, "command '%s' was killed before it began", kernel->target.argv[0]);
	else if (err < 0 && !why->len)
		text_printf(why, "command '%s' cannot be executed: %s", kernel->target.argv[0], strerror(-err));
	return err;
}

void
kernel_command_fini(struct kernel *kernel)
{
	if (kernel->gate)
		munmap(kernel->gate, sizeof(*kernel->gate));
	kernel->gate = NULL;
}
