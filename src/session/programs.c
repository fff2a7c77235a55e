/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * programs: one run of a C compiler's object, step by step. Like session.c, without a control half:
 *
 *     attach -> init -> start -> loop -> stop, drain -> fini -> tables
 *
 * In the kernel the source attaches by itself; in the user engine each program meets here the event that its section names. What
 * programs print goes to the output as it comes; records of ring buffers and perf buffers are in a form that only the object's author
 * knows, and are counted.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "session/session_int.h"

#define LOOK_MS 50 /* how often flags are looked at that have no descriptor */

struct run {
	struct object *object;
	struct events *events;
	struct source *source;
	struct output *out;
	struct interrupt interrupt;
	uint64_t n_records, n_bytes;
	enum exit_status status;
};

static void
take_record(void *arg, const void *record, size_t len)
{
	struct run *run = arg;

	(void)record;
	run->n_records++;
	run->n_bytes += len;
}

static void
take_line(void *arg, const char *line, size_t len)
{
	struct run *run = arg;

	output_write(run->out, line, len);
}

static void
fail(struct run *run, enum exit_status status, const char *why, int err)
{
	complain("%s", why ? why : strerror(-err));
	run->status = status;
}

/* "WHAT: cause" */
static void
fail_with(struct run *run, const char *what, int err)
{
	complain("%s: %s", what, strerror(-err));
	run->status = STATUS_WORLD;
}

/* ---- attaching in the user engine ------------------------------------------------------------------------------------------------ */

/* The event for the user engine that stands for any system call: raw tracepoints have no other there. */
static struct event *
raw_event(struct run *run, const char *name)
{
	bool enter = strcmp(name, "sys_enter") == 0;
	struct event *event;

	if (!enter && strcmp(name, "sys_exit") != 0)
		return NULL;
	event = arena_alloc(run->object->arena, sizeof(*event));
	*event = (struct event){
		.kind = EVENT_TRACEPOINT, .system = "raw_syscalls", .name = enter ? "sys_enter" : "sys_exit", .number = -1, .id = -1,
		.fields_loaded = true, .record_size = enter ? RECORD_SYSCALL_LEN : RECORD_SYSCALL_EXIT_LEN, .index = UINT32_MAX,
	};
	return event;
}

static struct event *
event_of(struct run *run, const struct section *section, const char *rest)
{
	const char *slash = strchr(rest, '/');

	if (section->context == CONTEXT_ARGS)
		return raw_event(run, rest);
	if (section->target != SECTION_EVENT || !slash)
		return NULL;
	if (strncmp(rest, "raw_syscalls/", strlen("raw_syscalls/")) == 0)
		return raw_event(run, slash + 1);
	return events_find(run->events, arena_strndup(run->object->arena, rest, (size_t)(slash - rest)), slash + 1);
}

static int
attach_one(struct run *run, const struct func *func, const struct section *section, const char *rest, const struct program *program,
	   struct text *why)
{
	struct event *event = event_of(run, section, rest);

	if (!event) {
		text_printf(why, "program '%s' (%s): the user engine has no such event; it has tp/syscalls/sys_enter_NAME, sys_exit_NAME, "
			    "tp/sched/sched_process_fork, exec and exit, tp/signal/signal_deliver, raw_tp/sys_enter and sys_exit",
			    func->name, func->section);
		return -EOPNOTSUPP;
	}
	if (event->index == UINT32_MAX)
		event->index = object_add_event(run->object, event);
	return run->source->ops->attach(run->source, program, event, why);
}

static const struct program *
program_of(struct run *run, uint32_t func, const struct section *section)
{
	struct program *program = arena_alloc(run->object->arena, sizeof(*program));

	*program = (struct program){ .shape = PROGRAM_C, .func = func, .context_size = section_context_size(section),
				     .uses_context = section->context == CONTEXT_ARGS };
	object_add_program(run->object, program);
	return program;
}

/* Only tail calls reach it: its section ("raw_tp") names no event. */
static bool
has_no_event(const struct section *section, const char *rest)
{
	return section->target != SECTION_NOTHING && !*rest;
}

static int
put_program(struct run *run, uint32_t table, const struct held *held, struct text *why)
{
	const struct func *func = run->object->funcs[held->index];
	const char *rest;
	const struct section *section = section_find(func->section, &rest);

	if (!section)
		text_printf(why, "program '%s': ktap knows no section '%s'", func->name, func->section);
	else if (section_is_optional(func->section))
		text_printf(why, "table '%s': program '%s' is not loaded, as the '?' of its section says", run->object->tables[table]->name, func->name);
	else
		return run->source->ops->put(run->source, program_of(run, held->index, section), table, held->key, why);
	return -EINVAL;
}

/* What the object says is in its tables of programs. */
static int
put_programs(struct run *run, struct text *why)
{
	int err = 0;

	for (uint32_t t = 0; t < run->object->n_tables && err == 0; t++) {
		const struct table *table = run->object->tables[t];

		for (uint32_t i = 0; table->kind == TABLE_PROGRAMS && i < table->n_held && err == 0; i++) {
			err = put_program(run, t, &table->held[i], why);
		}
	}
	return err;
}

/* Programs of section `once` run now, or (NULL) those with events are attached. */
static int
user_programs(struct run *run, const char *once, struct text *why)
{
	int err = 0;

	for (uint32_t i = 0; i < run->object->n_funcs && err == 0; i++) {
		const struct func *func = run->object->funcs[i];
		const char *rest;
		const struct section *section = section_find(func->section, &rest);

		if (strcmp(func->section, ".text") == 0 || section_is_optional(func->section))
			continue;
		if (!section) {
			text_printf(why, "program '%s': ktap knows no section '%s'", func->name, func->section);
			return -EINVAL;
		}
		if (!once && has_no_event(section, rest))
			continue;
		if (once ? strcmp(section->prefix, once) == 0 : section->context != CONTEXT_NONE)
			err = once ? run->source->ops->once(run->source, program_of(run, i, section), why) :
				     attach_one(run, func, section, rest, program_of(run, i, section), why);
	}
	return err;
}

/* ---- the run ------------------------------------------------------------------------------------------------------------------------ */

static bool
pump(struct run *run)
{
	int n = run->source->ops->pump(run->source, take_record, run);

	if (n < 0)
		fail_with(run, "events cannot be read", n);
	return n > 0;
}

static void
loop(struct run *run)
{
	while (run->status == STATUS_OK && !run->source->ops->ended(run->source) && !output_error(run->out)) {
		struct pollfd fds[SOURCE_FDS_MAX + 1] = { { .fd = run->interrupt.fd, .events = POLLIN } };
		int source_fds[SOURCE_FDS_MAX], n = run->source->ops->poll_fds(run->source, source_fds, SOURCE_FDS_MAX);

		for (int i = 0; i < n; i++)
			fds[i + 1] = (struct pollfd){ .fd = source_fds[i], .events = POLLIN };
		if (poll(fds, (nfds_t)n + 1, 0) == 0) {
			output_flush(run->out);
			poll(fds, (nfds_t)n + 1, LOOK_MS);
		}
		if (interrupt_seen(&run->interrupt))
			break;
		pump(run);
	}
}

static void
drain(struct run *run)
{
	while (run->status == STATUS_OK && pump(run))
		;
}

static int
start(struct run *run, struct text *why)
{
	bool by_itself = !run->source->ops->once; /* the source attaches, and runs init and fini */
	int err = 0;

	run->source->print = take_line;
	run->source->print_arg = run;
	if (!by_itself)
		err = put_programs(run, why);
	if (err == 0 && !by_itself)
		err = user_programs(run, NULL, why);
	if (err == 0 && !by_itself)
		err = user_programs(run, "init", why);
	return err < 0 ? err : run->source->ops->start(run->source, why);
}

static void
show(struct run *run)
{
	struct text text = { 0 };
	struct source_stats stats = { 0 };
	int err = tables_text(run->source, &text);

	if (err < 0)
		fail_with(run, "the tables cannot be read", err);
	if (run->n_records)
		text_printf(&text, "%" PRIu64 " record%s, %" PRIu64 " bytes\n", run->n_records, run->n_records == 1 ? "" : "s", run->n_bytes);
	output_write(run->out, text.s ? text.s : "", text.len);
	run->source->ops->stats(run->source, &stats);
	if (stats.n_lost)
		complain("warning: %" PRIu64 " record%s lost: a perf buffer was full", stats.n_lost, stats.n_lost == 1 ? " was" : "s were");
	text_fini(&text);
}

/* By the errors of verifiers: bpf(2) has E2BIG for what is too deep or too complex. */
static bool
is_refusal(int err)
{
	return err == -EINVAL || err == -EACCES || err == -E2BIG;
}

/* Tracing, from the first program to the last. False: it could not begin. */
static bool
trace(struct run *run, bool quiet)
{
	struct text why = { 0 };
	int err = start(run, &why);

	if (err < 0) {
		fail(run, is_refusal(err) ? STATUS_SCRIPT : STATUS_WORLD, why.s, err);
		text_fini(&why);
		return false;
	}
	output_begin(run->out);
	if (!quiet)
		fputs("Tracing... Hit Ctrl-C to end.\n", stderr);
	loop(run);
	interrupt_seen(&run->interrupt); /* one that ended the command, too, and by that the loop, is the first */
	interrupt_release(&run->interrupt);
	run->source->ops->stop(run->source);
	drain(run);
	if (run->source->ops->once && user_programs(run, "fini", &why) < 0)
		fail(run, STATUS_WORLD, why.s, -EINVAL);
	interrupt_take(&run->interrupt);
	text_fini(&why);
	return true;
}

enum exit_status
session_run_programs(struct object *object, struct events *events, struct source *source, const struct session_options *options)
{
	struct run run = { .object = object, .events = events, .source = source, .out = output_new(options->out_fd) };
	int err = run.out ? interrupt_open(&run.interrupt) : -ENOMEM;

	if (run.out && options->replaces)
		output_replace(run.out);
	if (err == 0)
		output_set_wait(run.out, interrupt_wait_for_room, &run.interrupt);
	if (err < 0)
		fail(&run, STATUS_WORLD, NULL, err);
	else if (trace(&run, options->quiet))
		show(&run);
	if (run.out) {
		err = output_free(run.out);
		if (err < 0 && err != -EPIPE)
			fail_with(&run, "output cannot be written", err);
		interrupt_close(&run.interrupt);
	}
	return run.status;
}
