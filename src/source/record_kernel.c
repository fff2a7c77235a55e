/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Records from the kernel: an instance of ftrace with the events that are asked for, its pages copied into trace.dat as they are. With a
 * command or a process, only that and what it starts. task:task_newtask and task:task_rename are recorded in any case: they tell
 * whose thread is whose, and its name at each moment (recording_tasks.c).
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "source/ftrace.h"
#include "source/record.h"

struct kernel_recorder {
	struct recorder recorder;
	const struct record_request *request;
	struct events *events;
	struct ftrace ftrace;
	struct dat_writer *writer;
	struct dat_contents contents;
	struct followed followed;
	unsigned char *page;
};

static struct kernel_recorder *
of(struct recorder *recorder)
{
	return (struct kernel_recorder *)((char *)recorder - offsetof(struct kernel_recorder, recorder));
}

/* ---- events ------------------------------------------------------------------------------------------------- */

/* Adds the event's format, under the name of a system that may be another. */
static int
add_format(struct kernel_recorder *k, const char *system, const char *name, const char *as_system)
{
	char path[256];
	char *format;
	size_t len;
	int err;

	snprintf(path, sizeof(path), "events/%s/%s/format", system, name);
	format = tracefs_read(path, &len);
	if (!format)
		return -errno;
	err = dat_add_format(&k->contents, as_system, format, len);
	free(format);
	return err;
}

static int
add_event(struct kernel_recorder *k, const char *system, const char *name, const char *as_system)
{
	int err = ftrace_enable(&k->ftrace, system, name);

	return err < 0 ? err : add_format(k, system, name, as_system);
}

static bool
is_asked_for(const struct record_request *request, const char *system, const char *name)
{
	for (uint32_t i = 0; i < request->n_events; i++)
		if (strcmp(request->events[i]->system, system) == 0 && strcmp(request->events[i]->name, name) == 0)
			return true;
	return false;
}

/* System calls that our table has and this kernel has not are passed over, as long as something is left. */
static int
add_events(struct kernel_recorder *k, struct text *why)
{
	static const char *const always[] = { "task_newtask", "task_rename" };
	const struct record_request *request = k->request;
	uint32_t i, n = 0;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(always) && err == 0; i++)
		if (!is_asked_for(request, "task", always[i]))
			err = add_event(k, "task", always[i], "ftrace"); /* no glob finds it there */
	for (i = 0; i < request->n_events; i++) {
		err = add_event(k, request->events[i]->system, request->events[i]->name, request->events[i]->system);
		n += err == 0;
		if (err < 0 && request->n_events == 1)
			text_printf(why, "event %s:%s cannot be recorded: %s", request->events[0]->system,
				    request->events[0]->name, strerror(-err));
	}
	if (n)
		return 0;
	if (!why->len)
		text_printf(why, "none of the events can be recorded: %s", strerror(err ? -err : ENOENT));
	return err ? err : -ENOENT;
}

/* The formats of ftrace's own events: stacks are such. */
static void
add_ftrace_formats(struct kernel_recorder *k)
{
	static const char *const names[] = { "kernel_stack", "user_stack", "print", "raw_data" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		add_format(k, "ftrace", names[i], "ftrace"); /* what this kernel does not have is not needed */
}

static void
add_file(struct text *out, const char *path)
{
	size_t len;
	char *s = tracefs_read(path, &len);

	if (s)
		text_add(out, s, len);
	free(s);
}

/* ---- open ------------------------------------------------------------------------------------------------------ */

static int
open_parts(struct kernel_recorder *k, struct text *why)
{
	int err = ftrace_open(&k->ftrace, why);

	if (err == 0)
		err = dat_writer_open(&k->writer, k->request->path, k->ftrace.n_cpus, k->ftrace.page_size, why);
	if (err == 0)
		err = followed_open(&k->followed, &k->request->target, &k->ftrace, why);
	if (err < 0)
		return err;
	k->page = mem_alloc(k->ftrace.page_size);
	if (!k->page)
		return -ENOMEM;
	add_file(&k->contents.header_page, "events/header_page");
	add_file(&k->contents.header_event, "events/header_event");
	add_ftrace_formats(k);
	ftrace_write(&k->ftrace, "options/record-tgid", "1"); /* where the kernel can (4.13): saved_tgids */
	if (k->request->wants_stacks) {
		err = ftrace_write(&k->ftrace, "options/stacktrace", "1");
		if (err < 0)
			text_printf(why, "stacks cannot be recorded: %s", strerror(-err));
	}
	return err;
}

/* ---- running -------------------------------------------------------------------------------------------------- */

static int
kernel_start(struct recorder *recorder, struct text *why)
{
	struct kernel_recorder *k = of(recorder);
	int err = add_events(k, why);

	return err < 0 ? err : followed_go(&k->followed, &k->ftrace, why);
}

static int
kernel_pump(struct recorder *recorder)
{
	struct kernel_recorder *k = of(recorder);
	int err = 0;

	for (uint32_t cpu = 0; cpu < k->ftrace.n_cpus && err >= 0; cpu++)
		while ((err = ftrace_read_page(&k->ftrace, cpu, k->page)) > 0) {
			err = dat_writer_page(k->writer, cpu, k->page);
			if (err < 0)
				break;
		}
	return err;
}

static int
kernel_poll_fds(struct recorder *recorder, int *fds, int max)
{
	struct kernel_recorder *k = of(recorder);

	if (!k->followed.pid || max < 1)
		return 0;
	fds[0] = k->followed.pidfd;
	return 1;
}

static bool
kernel_ended(struct recorder *recorder)
{
	return followed_ended(&of(recorder)->followed);
}

/* Events that the kernel lost because its buffers were full, as it counts them: "overrun: N", "dropped events: N". */
static uint64_t
count_lost(const struct kernel_recorder *k)
{
	static const char *const names[] = { "\noverrun: ", "\ndropped events: " };
	uint64_t lost = 0;
	char path[128], *stats, *at;

	for (uint32_t cpu = 0; cpu < k->ftrace.n_cpus; cpu++) {
		snprintf(path, sizeof(path), "instances/%s/per_cpu/cpu%u/stats", k->ftrace.name, cpu);
		stats = tracefs_read(path, NULL);
		for (size_t i = 0; stats && i < ARRAY_SIZE(names); i++) {
			at = strstr(stats, names[i]);
			lost += at ? strtoull(at + strlen(names[i]), NULL, 10) : 0;
		}
		free(stats);
	}
	return lost;
}

static int
kernel_finish(struct recorder *recorder, struct text *why)
{
	struct kernel_recorder *k = of(recorder);
	int err;

	ftrace_write(&k->ftrace, "tracing_on", "0");
	err = kernel_pump(recorder);
	if (err < 0) {
		text_printf(why, "recording '%s' cannot be written: %s", k->request->path, strerror(-err));
		return err;
	}
	recorder->n_lost = count_lost(k);
	add_file(&k->contents.cmdlines, "saved_cmdlines");
	add_file(&k->contents.tgids, "saved_tgids");
	if (k->followed.command.pid && k->contents.tgids.len)
		text_printf(&k->contents.tgids, "%d %d\n", k->followed.pid, k->followed.pid);
	if (k->followed.command.pid && !followed_ended(&k->followed))
		kill(k->followed.pid, SIGTERM); /* as after any run of ours that ends before its command */
	return dat_writer_finish(k->writer, &k->contents, why);
}

static void
kernel_close(struct recorder *recorder)
{
	struct kernel_recorder *k = of(recorder);

	followed_close(&k->followed);
	if (k->writer)
		dat_writer_close(k->writer);
	ftrace_close(&k->ftrace);
	dat_contents_fini(&k->contents);
	free(k->page);
	free(k);
}

static const struct recorder_ops kernel_ops = {
	.start = kernel_start,
	.poll_fds = kernel_poll_fds,
	.pump = kernel_pump,
	.ended = kernel_ended,
	.finish = kernel_finish,
	.close = kernel_close,
};

int
record_kernel_open(struct recorder **recorder, struct events *events, const struct record_request *request, struct text *why)
{
	struct kernel_recorder *k = mem_alloc(sizeof(*k));
	int err;

	if (!k) {
		text_puts(why, "no memory for a recorder");
		return -ENOMEM;
	}
	*k = (struct kernel_recorder){ .recorder.ops = &kernel_ops, .request = request, .events = events,
				       .ftrace = { .dir = -1, .keeper_fd = -1 } };
	err = open_parts(k, why);
	if (err < 0) {
		if (!why->len)
			text_puts(why, strerror(-err));
		kernel_close(&k->recorder);
		return err;
	}
	*recorder = &k->recorder;
	return 0;
}
