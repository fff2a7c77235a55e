/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The kernel as event source: programs run in the kernel, at its tracepoints, functions and timers.
 *
 * kernel_start is the list of all steps. Tables exist from open on, so that main can use them; programs
 * are made only at start, when it is known what was registered. Uses libbpf's calls for bpf(2), not its
 * objects: a run that traces system calls loads two programs and reads no more of the kernel's 5 MB of BTF
 * than it needs.
 *
 * Who is traced: with a command or process, that and what it forks from then on. Without, every process
 * but ktap itself, whose own output would otherwise be events that make output.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "source/kernel_int.h"

#define BATCH_RING_MIN (256u << 10) /* bytes: a smaller ring buffer may be full within the millisecond that a batch takes */
#define PUMP_MAX 16384 /* records handed over by one pump: a flood must not keep the session from its ticks */

static struct kernel *
of(struct source *source)
{
	return (struct kernel *)source; /* its first member */
}

/* ---- whom to trace --------------------------------------------------------------------------- */

static int
open_target(struct kernel *kernel, struct text *why)
{
	int err = 0;

	if (!kernel->has_target)
		return 0;
	if (kernel->target.argv)
		err = kernel_command_start(kernel, why);
	if (err < 0)
		return err;
	kernel->pidfd = (int)syscall(SYS_pidfd_open,
				     kernel->command.pid ? kernel->command.pid : kernel->target.pid, 0);
	if (kernel->pidfd >= 0 && kernel->target.pid)
		return pid_space_host(&kernel->pids, kernel->target.pid, &kernel->target_on_host, why);
	if (kernel->command.pid)
		return 0;
	err = -errno;
	if (err == -EINVAL || err == -ENOENT)
		text_printf(why, "process %d: this is a thread, not a process", (int)kernel->target.pid);
	else
		text_printf(why, "process %d: %s", (int)kernel->target.pid, strerror(-err));
	return err;
}

static void
reap_command(struct kernel *kernel, int flags)
{
	pid_t pid;

	if (!kernel->command.pid || kernel->command_gone)
		return;
	do
		pid = waitpid(kernel->command.pid, &kernel->command_status, flags);
	while (pid < 0 && errno == EINTR);
	kernel->command_gone = pid == kernel->command.pid || (pid < 0 && errno == ECHILD);
}

static bool
kernel_ended(struct source *source)
{
	struct kernel *kernel = of(source);
	struct pollfd poll_one = { .fd = kernel->pidfd, .events = POLLIN };

	if (kernel->command.pid) {
		reap_command(kernel, WNOHANG);
		return kernel->command_gone;
	}
	return kernel->has_target && poll(&poll_one, 1, 0) > 0;
}

/* ---- attach, start, stop --------------------------------------------------------------------- */

static int
kernel_attach(struct source *source, const struct program *program, struct event *event, struct text *why)
{
	struct kernel *kernel = of(source);
	int err = kernel_attachable(event, why);

	if (err < 0)
		return err;
	kernel->registrations = arena_grow(kernel->arena, kernel->registrations, kernel->n_registrations,
					   &kernel->cap_registrations, sizeof(*kernel->registrations));
	kernel->registrations[kernel->n_registrations++] = (struct registration){ program, event };
	return 0;
}

/* The kernel's type information is read only where a stub is better for it. */
static bool
needs_types(const struct kernel *kernel)
{
	uint32_t i;

	for (i = 0; i < kernel->n_registrations; i++)
		if (kernel->registrations[i].event->number >= 0)
			return true;
	return kernel->has_target;
}

/* Runs the programs of init or fini, in the order of their registration. */
static int
run_moment(const struct kernel *kernel, enum unit_kind kind, struct text *why)
{
	int err;

	for (uint32_t i = 0; i < kernel->n_units; i++) {
		LIBBPF_OPTS(bpf_test_run_opts, run);

		if (kernel->units[i]->kind != kind)
			continue;
		err = bpf_prog_test_run_opts(kernel->units[i]->fd, &run);
		if (err < 0) {
			text_printf(why, "trace %s: its program cannot be run: %s%s", unit_infos[kind].name, strerror(-err),
				    err == -EINVAL || err == -KERNEL_ENOTSUPP ? " (the kernel runs such programs since Linux 5.10)" : "");
			return err;
		}
	}
	return 0;
}

/* Has a probe called exit()? */
static bool
has_exited(const struct kernel *kernel)
{
	uint32_t off = kernel->object->exit_flag_off;

	return kernel->globals && off != UINT32_MAX &&
	       __atomic_load_n((const uint64_t *)(const void *)((const char *)kernel->globals + off), __ATOMIC_ACQUIRE);
}

static int
load_and_attach(struct kernel *kernel, struct text *why)
{
	uint64_t since = clock_now();
	int err;

	if (needs_types(kernel))
		kernel_types_read(&kernel->types);
	step_time("kernel types", &since);
	err = kernel_plan(kernel, why);
	if (err < 0)
		return err;
	kernel_prepare_descriptors(kernel);
	err = kernel_stacks_open(kernel, why);
	if (err < 0)
		return err;
	err = kernel_own_tables_create(kernel, why);
	if (err < 0)
		return err;
	kernel_tables_freeze(kernel);
	step_time("kernel plan", &since);
	err = kernel_load(kernel, why);
	step_time("kernel load", &since);
	if (err == 0)
		err = run_moment(kernel, UNIT_INIT, why);
	if (err < 0 || has_exited(kernel))
		return err;
	err = kernel_attach_all(kernel, why);
	step_time("kernel attach", &since);
	return err;
}

static int
kernel_start(struct source *source, struct text *why)
{
	struct kernel *kernel = of(source);
	int err = kernel->n_registrations ? kernel_spaces_open(kernel, why) : 0;

	if (err == 0 && kernel->n_registrations)
		err = load_and_attach(kernel, why);
	if (err == 0 && !has_exited(kernel))
		err = kernel_command_go(kernel, why);
	if (err < 0) {
		kernel_detach_all(kernel);
		return err;
	}
	kernel->has_begun = true;
	if (kernel->target.drops_privilege)
		kernel_drop_privilege();
	return 0;
}

static void
kernel_stop(struct source *source)
{
	struct kernel *kernel = of(source);
	uint64_t since = clock_now();

	kernel_detach_all(kernel);
	step_time("kernel detach", &since);
	if (kernel->ring)
		ring_complete(kernel->ring);
	kernel_stacks_stop(kernel);
	reap_command(kernel, WNOHANG);
	if (kernel->command.pid && !kernel->command_gone)
		kill(kernel->command.pid, SIGTERM);
}

static int
kernel_finish(struct source *source, struct text *why)
{
	return run_moment(of(source), UNIT_FINI, why);
}

/* ---- records --------------------------------------------------------------------------------- */

static int
open_ring(struct kernel *kernel, struct text *why)
{
	if (kernel->object->table_records == UINT32_MAX)
		return 0;
	kernel->ring = ring_open(kernel->tables[kernel->object->table_records],
				 kernel_ring_size(kernel->object->tables[kernel->object->table_records]));
	kernel->source.batch_ms = kernel_ring_size(kernel->object->tables[kernel->object->table_records]) >= BATCH_RING_MIN;
	if (kernel->ring)
		return 0;
	text_printf(why, "ring buffer of records: %s", strerror(errno));
	return -errno;
}

static int
kernel_pump(struct source *source, void (*fn)(void *arg, const void *record, size_t len), void *arg)
{
	struct kernel *kernel = of(source);

	kernel_spaces_pump(kernel);
	kernel_stacks_pump(kernel);
	return kernel->ring ? ring_read(kernel->ring, PUMP_MAX, fn, arg) : 0;
}

static int
kernel_poll_fds(struct source *source, int *fds, int max)
{
	struct kernel *kernel = of(source);
	int n = 0;

	if (kernel->ring && n < max) {
		ring_settle(kernel->ring);
		fds[n++] = kernel->tables[kernel->object->table_records];
	}
	if (kernel->pidfd >= 0 && n < max)
		fds[n++] = kernel->pidfd;
	if (kernel_stacks_fd(kernel) >= 0 && n < max)
		fds[n++] = kernel_stacks_fd(kernel);
	if (kernel_spaces_fd(kernel) >= 0 && n < max)
		fds[n++] = kernel_spaces_fd(kernel);
	return n;
}

/* ---- the rest -------------------------------------------------------------------------------- */

static void *
kernel_globals(struct source *source)
{
	return of(source)->globals;
}

static void
kernel_stats(struct source *source, struct source_stats *stats)
{
	struct kernel *kernel = of(source);

	*stats = (struct source_stats){
		.n_maps_lost = kernel_spaces_lost(kernel),
		.n_foreign_calls = kernel_foreign_calls(kernel),
		.command_ended = kernel->command.pid && kernel->command_gone,
		.exit_status = kernel->command_status,
	};
	kernel_stacks_stats(kernel, stats);
}

/* How often the kernel did not run a loaded program because it was running on that CPU. */
static uint64_t
recursion_misses(int prog)
{
	struct bpf_prog_info info = { 0 };
	uint32_t len = sizeof(info);

	return prog >= 0 && bpf_obj_get_info_by_fd(prog, &info, &len) == 0 ? info.recursion_misses : 0;
}

static uint64_t
kernel_nested(struct source *source, struct nested *by_handler)
{
	struct kernel *kernel = of(source);
	uint64_t missed, n = kernel_skipped(kernel, by_handler);

	for (uint32_t i = 0; i < kernel->n_units; i++) {
		const struct unit *unit = kernel->units[i];

		missed = recursion_misses(unit->fd);
		n += missed;
		for (uint32_t slot = 0; missed && slot < unit->n_slots; slot++) {
			struct nested *nested = &by_handler[unit->slots[slot]->handler];

			nested->n += missed;
			nested->is_most |= unit->n_slots > 1;
		}
	}
	return n;
}

/* A command that was never let go is killed at its pipe. */
static void
end_command(struct kernel *kernel)
{
	if (kernel->command.pid && kernel->command.go_fd >= 0) {
		close(kernel->command.go_fd);
		close(kernel->command.err_fd);
		kill(kernel->command.pid, SIGKILL);
		reap_command(kernel, 0);
	}
	reap_command(kernel, WNOHANG);
}

static void
kernel_close(struct source *source)
{
	struct kernel *kernel = of(source);
	uint32_t i;

	kernel_detach_all(kernel);
	if (!kernel->has_begun)
		kernel_unpin(kernel);
	end_command(kernel);
	kernel_command_fini(kernel);
	ring_close(kernel->ring);
	kernel_stacks_close(kernel);
	kernel_spaces_close(kernel);
	for (i = 0; i < kernel->n_units; i++)
		if (kernel->units[i]->fd >= 0)
			close(kernel->units[i]->fd);
	kernel_tables_close(kernel);
	if (kernel->pidfd >= 0)
		close(kernel->pidfd);
	arena_free(kernel->arena);
}

static const struct source_ops kernel_ops = {
	.name = "kernel",
	.attach = kernel_attach,
	.start = kernel_start,
	.poll_fds = kernel_poll_fds,
	.pump = kernel_pump,
	.ended = kernel_ended,
	.stop = kernel_stop,
	.finish = kernel_finish,
	.lookup = kernel_lookup,
	.update = kernel_update,
	.remove = kernel_remove,
	.next = kernel_next,
	.globals = kernel_globals,
	.stats = kernel_stats,
	.nested = kernel_nested,
	.spaces = kernel_spaces,
	.close = kernel_close,
};

static struct kernel *
kernel_new(const struct object *object, struct events *events, const struct target *target)
{
	struct arena *arena = arena_new();
	struct kernel *kernel = arena_alloc(arena, sizeof(*kernel));

	kernel->source = (struct source){ .ops = &kernel_ops,
					  .object = object,
					  .n_cpus = (uint32_t)libbpf_num_possible_cpus() };
	kernel->arena = arena;
	kernel->object = object;
	kernel->events = events;
	if (target)
		kernel->target = *target;
	kernel->has_target = kernel->target.argv || kernel->target.pid;
	pid_space_open(&kernel->pids);
	kernel->pidfd = kernel->targets_fd = kernel->cgroup_fd = kernel->scratch_fd = kernel->guard_fd = kernel->foreign_fd = -1;
	return kernel;
}

int
source_kernel_open(struct source **source, const struct object *object, struct events *events,
		   const struct target *target, struct text *why)
{
	struct kernel *kernel = kernel_new(object, events, target);
	uint64_t since = clock_now();
	int err;

	libbpf_set_print(NULL); /* our messages name the user's things */
	err = open_target(kernel, why);
	if (err == 0)
		err = kernel_tables_create(kernel, why);
	if (err == 0)
		err = open_ring(kernel, why);
	step_time("kernel tables", &since);
	if (err < 0) {
		kernel_close(&kernel->source);
		return err;
	}
	*source = &kernel->source;
	return 0;
}
