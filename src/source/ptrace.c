/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The user engine as an event source: a command with all its children and threads, or a running process, traced by ptrace(2);
 * programs run in our own machine (vm.h). Needs no privilege.
 *
 * The kernel tells of stops by SIGCHLD, which a signalfd makes pollable; the reports themselves are fetched by waitpid(2). pump
 * fetches them until there are none, looks again for a moment, since the next stop of a busy thread comes within microseconds, and
 * then goes back to the session's poll.
 *
 * One CPU: all programs run here, in one thread, so tables have one CPU's values and `cpu` is 0. A program never sees the effect
 * of half a program; records come in the order of their events.
 *
 * While a command runs with a seccomp filter, set-user-ID programs that it starts run without their privilege, unless ktap itself
 * may install filters without no_new_privs (CAP_SYS_ADMIN).
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "source/ptrace_int.h"

/*
 * How long a pump goes on while there always is another stop; then the session looks at its clocks, signals and Ctrl-C. In time and
 * not in stops: on a busy machine each may have cost us a turn of the scheduler.
 */
#define PUMP_NS 5000000
#define LOOK_AGAIN_NS 30000
#define TERM_MS 200        /* how long the end of a command that we ask to end is waited for */

static struct tracer *
of(struct source *source)
{
	return (struct tracer *)((char *)source - offsetof(struct tracer, engine.source));
}

/* ---- attach, start ------------------------------------------------------------------------------------------------- */

static int
ptrace_attach(struct source *source, const struct program *program, struct event *event, struct text *why)
{
	int err = event_is_moment(event) ? engine_add_moment(&of(source)->engine, program, event, why)
					 : hook_add(of(source), program, event, why);

	if (err == -ENOMEM)
		text_printf(why, "event %s:%s: no memory", event->system, event->name);
	return err;
}

static int
go_untraced(struct tracer *tracer, struct text *why)
{
	int err = command_go(&tracer->command);

	tracer->executed = err == 0;
	if (err < 0)
		text_printf(why, "command '%s' cannot be executed: %s", tracer->target.argv[0], strerror(-err));
	return err;
}

static int
ptrace_start(struct source *source, struct text *why)
{
	struct tracer *tracer = of(source);

	engine_run_moments(&tracer->engine, EVENT_INIT);
	tracer->over = engine_exited(&tracer->engine);
	if (tracer->over)
		return 0;
	tracer->traces_calls = wants_calls(tracer);
	if (tracer->target.pid)
		return trace_process(tracer, why);
	if (tracer->command.pid)
		return tracer->n_hooks ? trace_command(tracer, why) : go_untraced(tracer, why);
	if (!tracer->n_hooks)
		return 0;
	text_puts(why, "the user engine traces a command or a process: name one (ktap SCRIPT -- COMMAND, or -p PID)");
	return -EINVAL;
}

/* ---- pump ----------------------------------------------------------------------------------------------------------------- */

static void
forget_signals(const struct tracer *tracer)
{
	struct signalfd_siginfo info[4];

	while (read(tracer->signal_fd, info, sizeof(info)) == sizeof(info))
		;
}

/* Room for a report of each thread, and of some that are not known yet; where there is no memory, the room that there is. */
static uint32_t
room(struct tracer *tracer)
{
	uint32_t cap = 2 * tracer->n_tasks + 32;
	struct report *reports = tracer->cap_reports < tracer->n_tasks + 16 ? mem_realloc(tracer->reports, cap * sizeof(*reports)) : NULL;

	if (reports) {
		tracer->reports = reports;
		tracer->cap_reports = cap;
	}
	return tracer->cap_reports;
}

/*
 * Fetches the reports that there are. The kernel reports the youngest thread first: were each one let go at once, busy young ones
 * would never let an old one be heard. So all are fetched before any is handled.
 */
static uint32_t
fetch(struct tracer *tracer)
{
	struct report *report = tracer->reports;
	uint32_t n = 0, max = tracer->cap_reports;

	for (; n < max && (report->tid = waitpid(-1, &report->status, __WALL | WNOHANG)) > 0; report++)
		n++;
	return n;
}

/*
 * An execve of another thread may meanwhile have ended this one, and taken its thread id: then there is a newer report for it. Happens
 * to the first thread of a process only.
 */
static bool
is_outdated(struct tracer *tracer, const struct report *report)
{
	siginfo_t newer = { 0 };
	struct task *task = tracer->n_tasks > 1 ? task_find(tracer, report->tid) : NULL;

	return task && task->tgid == task->tid && WIFSTOPPED(report->status) &&
	       waitid(P_PID, (id_t)report->tid, &newer, WEXITED | WSTOPPED | WNOHANG | WNOWAIT | __WALL) == 0 && newer.si_pid;
}

uint32_t
handle_reports(struct tracer *tracer)
{
	uint32_t i, n = room(tracer) ? fetch(tracer) : 0;

	for (i = 0; i < n; i++)
		if (i == 0 || !is_outdated(tracer, &tracer->reports[i]))
			handle_report(tracer, tracer->reports[i].tid, tracer->reports[i].status);
	return n;
}

/* The same, but looks again for a moment when there are none. */
static uint32_t
handle_soon(struct tracer *tracer)
{
	uint64_t until = 0;
	uint32_t n;

	while (!(n = handle_reports(tracer)) && tracer->is_traced && !tracer->ended) {
		if (!until)
			until = clock_now() + LOOK_AGAIN_NS;
		else if (clock_now() >= until)
			break;
		sched_yield(); /* with one CPU, the traced thread needs ours */
	}
	return n;
}

static int
ptrace_pump(struct source *source, void (*fn)(void *arg, const void *record, size_t len), void *arg)
{
	struct tracer *tracer = of(source);
	struct sink sink = { fn, arg, 0 };
	bool was_over = tracer->over;
	uint64_t until = clock_now() + PUMP_NS;
	uint32_t n = 0;

	forget_signals(tracer); /* before looking: what stops later signals again */
	if (tracer->n_held)
		release_overdue(tracer);
	do {
		n = was_over || !tracer->over ? handle_soon(tracer) : 0;
		engine_drain(&tracer->engine, &sink);
	} while (n && clock_now() < until);
	if (n)
		kill(getpid(), SIGCHLD); /* there may be more, of which the descriptor knows no longer */
	return sink.n;
}

static int
ptrace_poll_fds(struct source *source, int *fds, int max)
{
	if (max < 1)
		return 0;
	fds[0] = of(source)->signal_fd;
	return 1;
}

/* ---- the end --------------------------------------------------------------------------------------------------------------- */

static bool
ptrace_ended(struct source *source)
{
	return of(source)->ended;
}

/* Goes on handling stops, in which no program runs any more, until the leader has ended or the time is over. */
static void
wait_for_end(struct tracer *tracer)
{
	uint64_t until = clock_now() + TERM_MS * 1000000ull;
	struct pollfd ready = { .fd = tracer->signal_fd, .events = POLLIN };

	while (!tracer->ended && clock_now() < until) {
		forget_signals(tracer);
		release_overdue(tracer);
		while (clock_now() < until && handle_reports(tracer))
			;
		if (!tracer->ended)
			poll(&ready, 1, 10);
	}
}

static void
ptrace_stop(struct source *source)
{
	struct tracer *tracer = of(source);

	tracer->over = true;
	if (tracer->is_traced && !tracer->use_filter)
		untrace_all(tracer);
	if (tracer->command.pid && tracer->executed && !tracer->ended) {
		kill(tracer->command.pid, SIGTERM);
		wait_for_end(tracer);
	}
}

/* A command that was never let go. */
static void
end_waiting_command(struct tracer *tracer)
{
	if (!tracer->command.pid || tracer->executed)
		return;
	if (tracer->command.go_fd >= 0)
		close(tracer->command.go_fd);
	if (tracer->command.err_fd >= 0)
		close(tracer->command.err_fd);
	if (tracer->ended)
		return;
	kill(tracer->command.pid, SIGKILL);
	waitpid(tracer->command.pid, NULL, __WALL);
}

static void
restore_signals(struct tracer *tracer)
{
	sigset_t set;

	if (tracer->signal_fd < 0)
		return;
	forget_signals(tracer);
	close(tracer->signal_fd);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	if (!tracer->signal_was_blocked)
		sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void
ptrace_close(struct source *source)
{
	struct tracer *tracer = of(source);

	tracer->over = true;
	if (tracer->is_traced && !tracer->use_filter)
		untrace_all(tracer);
	end_waiting_command(tracer);
	hooks_free(tracer);
	engine_fini(&tracer->engine);
	restore_signals(tracer);
	spaces_free(tracer->spaces);
	unwinder_close(tracer->unwinder);
	tracer->unwinder = NULL;
	tracer->spaces = NULL;
	if (tracer->page)
		munmap(tracer->page, sizeof(*tracer->page));
	tracer->page = NULL;
	if (tracer->executed && tracer->use_filter && tracer->n_tasks) {
		front_keep(tracer);
		return;
	}
	tasks_free(tracer);
	free(tracer->reports);
	free(tracer);
}

static void
ptrace_stats(struct source *source, struct source_stats *stats)
{
	struct tracer *tracer = of(source);

	*stats = (struct source_stats){
		.exit_status = tracer->exit_status,
		.command_ended = tracer->command.pid && tracer->ended,
		.n_foreign_calls = tracer->n_foreign,
	};
	engine_stats(source, stats);
}

static const struct source_ops ptrace_ops = {
	.name = "user",
	.attach = ptrace_attach,
	.put = engine_put,
	.once = engine_once,
	.finish = engine_finish,
	.start = ptrace_start,
	.poll_fds = ptrace_poll_fds,
	.pump = ptrace_pump,
	.ended = ptrace_ended,
	.stop = ptrace_stop,
	.lookup = engine_lookup,
	.update = engine_update,
	.remove = engine_remove,
	.next = engine_next,
	.globals = engine_globals,
	.stats = ptrace_stats,
	.spaces = ptrace_spaces,
	.close = ptrace_close,
};

/* ---- open --------------------------------------------------------------------------------------------------------------------- */

static int
open_signals(struct tracer *tracer)
{
	sigset_t set, old;

	signal(SIGCHLD, SIG_DFL); /* an inherited SIG_IGN would throw away the status of children */
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	tracer->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (tracer->signal_fd < 0)
		return -errno;
	sigprocmask(SIG_BLOCK, &set, &old);
	tracer->signal_was_blocked = sigismember(&old, SIGCHLD);
	return 0;
}

static int
open_command(struct tracer *tracer, struct text *why)
{
	int err;

	tracer->page = mmap(NULL, sizeof(*tracer->page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (tracer->page == MAP_FAILED) {
		tracer->page = NULL;
		return -ENOMEM;
	}
	tracer->use_filter = filter_available();
	err = command_start_prepared(&tracer->command, tracer->target.argv, filter_install, tracer->page, why);
	tracer->leader = err < 0 ? 0 : tracer->command.pid;
	return err;
}

static int
open_parts(struct tracer *tracer, struct text *why)
{
	int err = open_signals(tracer);

	if (err < 0) {
		text_printf(why, "signalfd: %s", strerror(-err));
		return err;
	}
	if (tracer->target.argv)
		return open_command(tracer, why);
	tracer->leader = tracer->target.pid;
	return 0;
}

int
source_ptrace_open(struct source **source, const struct object *object, struct events *events, const struct target *target,
		   struct text *why)
{
	struct tracer *tracer;
	int err;

	if (target->cpu || target->cgroup) {
		text_printf(why, "the user engine follows processes wherever they run: %s is for the kernel engine", target->cpu ? "-C" : "--cgroup");
		return -EOPNOTSUPP;
	}
	err = target->argv ? front_make() : 0;
	if (err < 0) {
		text_printf(why, "no new process: %s", strerror(-err));
		return err;
	}
	tracer = mem_alloc(sizeof(*tracer));
	if (!tracer) {
		text_puts(why, "no memory for the user engine");
		return -ENOMEM;
	}
	tracer->target = *target;
	tracer->signal_fd = -1;
	tracer->no_call_info = !call_info_available();
	tracer->engine.env.read_user = task_read_memory;
	tracer->engine.env.unwind = task_unwind;
	tracer->engine.env.arg = tracer;
	tracer->engine.env.record = tracer->record;
	tracer->engine.env.record_len = sizeof(tracer->record);
	if (object->stacks[STACKS_USER].first != UINT32_MAX)
		tracer->spaces = spaces_new(); /* NULL: names will be missing */
	if (object->stacks[STACKS_USER].first != UINT32_MAX && target->unwind == UNWIND_DWARF) {
		tracer->unwinder = unwinder_open(why);
		if (!tracer->unwinder) {
			ptrace_close(&tracer->engine.source);
			return -ENOSYS;
		}
	}
	err = engine_init(&tracer->engine, &ptrace_ops, object, events, 1, why);
	if (err == 0)
		err = open_parts(tracer, why);
	if (err < 0) {
		ptrace_close(&tracer->engine.source);
		return err;
	}
	*source = &tracer->engine.source;
	return 0;
}
