/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Records from ptrace: a command and all that it starts, without any privilege. The records that programs would run on are packed into
 * pages as the kernel's ring buffer packs them (recording_pages.c), together with the strings that system calls point to.
 *
 * One CPU, for the ptrace engine handles one stop at a time. The processes of threads and their last names stand in tables at the end;
 * earlier names are told by events.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "source/ptrace_record.h"
#include "source/record.h"

#define PAGE_SIZE    4096
#define PAGE_HEADER  16
#define FIRST_ID     100  /* lower numbers are ftrace's own events */
#define RECORD_MAX   2048 /* bytes of a record; longer texts are cut */
#define STRING_MAX   256
#define DELTA_BITS   27
#define TYPE_EXTEND  30

struct user_recorder {
	struct recorder recorder;
	const struct record_request *request;
	struct arena *arena;
	struct source *source;
	struct dat_writer *writer;
	struct dat_contents contents;
	struct recorded_tasks tasks;
	unsigned char page[PAGE_SIZE];
	uint32_t at;       /* behind the last event of the page; 0: the page has none */
	uint64_t time;     /* of that event */
	int error;         /* of writing a page */
};

static struct user_recorder *
of(struct recorder *recorder)
{
	return (struct user_recorder *)((char *)recorder - offsetof(struct user_recorder, recorder));
}

/* ---- pages ------------------------------------------------------------------------------------------------- */

static void
put_word(struct user_recorder *u, uint32_t word)
{
	memcpy(u->page + u->at, &word, sizeof(word));
	u->at += sizeof(word);
}

static void
flush_page(struct user_recorder *u)
{
	uint64_t commit = u->at - PAGE_HEADER;
	int err;

	if (!u->at)
		return;
	memcpy(u->page + 8, &commit, sizeof(commit));
	memset(u->page + u->at, 0, PAGE_SIZE - u->at);
	err = dat_writer_page(u->writer, 0, u->page);
	if (err < 0 && !u->error)
		u->error = err;
	u->at = 0;
}

static void
begin_page(struct user_recorder *u, uint64_t time)
{
	memcpy(u->page, &time, sizeof(time));
	u->time = time;
	u->at = PAGE_HEADER;
}

/* Appends a record, whose length is a multiple of 4, and the time that passed before it. */
static void
put_record(struct user_recorder *u, uint64_t time, const unsigned char *record, uint32_t len)
{
	uint64_t delta;

	if (u->at && u->at + 16 + len > PAGE_SIZE)
		flush_page(u);
	if (!u->at)
		begin_page(u, time);
	delta = time - u->time;
	if (delta >> DELTA_BITS) {
		put_word(u, (uint32_t)(delta << 5) | TYPE_EXTEND);
		put_word(u, (uint32_t)(delta >> DELTA_BITS));
		delta = 0;
	}
	put_word(u, (uint32_t)delta << 5);
	put_word(u, len + 4);
	memcpy(u->page + u->at, record, len);
	u->at += len;
	u->time = time;
}

/* ---- records -------------------------------------------------------------------------------------------------- */

/* The strings that arguments point to, behind the fixed part; returns the new length. */
static uint32_t
put_strings(const struct event *event, const struct vm_env *env, unsigned char *record, uint32_t len)
{
	for (uint32_t i = 0; i < event->n_fields; i++) {
		const struct field *field = &event->fields[i];
		char *string = (char *)record + len;
		uint64_t address;
		uint32_t loc;

		if (field->kind != FIELD_USER_STR)
			continue;
		memcpy(&address, record + field->offset, sizeof(address));
		if (!address || read_user_string(env, address, string, STRING_MAX) < 0)
			continue;
		loc = (uint32_t)(strlen(string) + 1) << 16 | len;
		memcpy(record + event_recorded_string(event, field), &loc, sizeof(loc));
		len += (uint32_t)strlen(string) + 1;
	}
	return len;
}

/* The event task:task_rename, as Linux 6.1 has it; ftrace's own to `*:*`, which does not find it. */
static const char rename_format[] =
	"name: task_rename\nID: 99\nformat:\n"
	"\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n"
	"\tfield:unsigned char common_flags;\toffset:2;\tsize:1;\tsigned:0;\n"
	"\tfield:unsigned char common_preempt_count;\toffset:3;\tsize:1;\tsigned:0;\n"
	"\tfield:int common_pid;\toffset:4;\tsize:4;\tsigned:1;\n\n"
	"\tfield:pid_t pid;\toffset:8;\tsize:4;\tsigned:1;\n"
	"\tfield:char oldcomm[16];\toffset:12;\tsize:16;\tsigned:0;\n"
	"\tfield:char newcomm[16];\toffset:28;\tsize:16;\tsigned:0;\n\n"
	"print fmt: \"pid=%d oldcomm=%s newcomm=%s\", REC->pid, REC->oldcomm, REC->newcomm\n";

/* Tells of a thread whose name is another than at its last event. */
static void
note_name(struct user_recorder *u, const struct vm_env *env)
{
	const struct recorded_task *task = tasks_find(&u->tasks, env->tid);
	struct { uint16_t id, flags; uint32_t tid, pid; char oldcomm[16], newcomm[16]; } record = { .id = 99 };

	if (task && memcmp(task->comm, env->comm, sizeof(task->comm)) != 0) {
		record.tid = record.pid = env->tid;
		memcpy(record.oldcomm, task->comm, sizeof(record.oldcomm));
		memcpy(record.newcomm, env->comm, sizeof(record.newcomm));
		put_record(u, env->ktime_ns, (const unsigned char *)&record, sizeof(record));
	}
	tasks_set(&u->tasks, env->tid, env->pid, env->comm);
}

/* Matches ptrace_record_fn. */
static void
take_record(void *arg, const struct event *event, const struct vm_env *env, const void *bytes, size_t len)
{
	struct user_recorder *u = arg;
	unsigned char record[RECORD_MAX + 8 * STRING_MAX] = { 0 };
	uint32_t fixed = event_recorded_size(event), id = (uint32_t)event->id;

	if (len > RECORD_MAX)
		len = RECORD_MAX;
	memcpy(record, bytes, len);
	if (event->kind == EVENT_SYSCALL_ENTER) {
		memset(record + fixed, 0, sizeof(record) - fixed); /* arguments that the call does not have */
		for (uint32_t i = 0; i < event->n_fields; i++)
			if (event->fields[i].kind == FIELD_USER_STR)
				memset(record + event_recorded_string(event, &event->fields[i]), 0, 4);
		len = put_strings(event, env, record, fixed);
	}
	memset(record, 0, 8);
	memcpy(record, &id, 2);
	memcpy(record + 4, &env->tid, 4);
	note_name(u, env);
	put_record(u, env->ktime_ns, record, ((uint32_t)len + 3) & ~3u);
}

/* ---- running --------------------------------------------------------------------------------------------------- */

static int
user_start(struct recorder *recorder, struct text *why)
{
	struct user_recorder *u = of(recorder);

	return u->source->ops->start(u->source, why);
}

static int
user_poll_fds(struct recorder *recorder, int *fds, int max)
{
	struct user_recorder *u = of(recorder);

	return u->source->ops->poll_fds(u->source, fds, max);
}

static void
no_records(void *arg, const void *record, size_t len)
{
}

static int
user_pump(struct recorder *recorder)
{
	struct user_recorder *u = of(recorder);
	int n = u->source->ops->pump(u->source, no_records, NULL);

	return n < 0 ? n : u->error;
}

static bool
user_ended(struct recorder *recorder)
{
	struct user_recorder *u = of(recorder);

	return u->source->ops->ended(u->source);
}

static int
user_finish(struct recorder *recorder, struct text *why)
{
	struct user_recorder *u = of(recorder);

	u->source->ops->stop(u->source);
	flush_page(u);
	if (u->error < 0) {
		text_printf(why, "recording '%s' cannot be written: %s", u->request->path, strerror(-u->error));
		return u->error;
	}
	for (uint32_t i = 0; i < u->tasks.cap; i++) {
		const struct recorded_task *task = &u->tasks.slots[i];

		if (!task->used)
			continue;
		text_printf(&u->contents.cmdlines, "%u %.16s\n", task->tid, task->comm);
		text_printf(&u->contents.tgids, "%u %u\n", task->tid, task->pid);
	}
	return dat_writer_finish(u->writer, &u->contents, why);
}

static void
user_close(struct recorder *recorder)
{
	struct user_recorder *u = of(recorder);

	if (u->source)
		u->source->ops->close(u->source);
	if (u->writer)
		dat_writer_close(u->writer);
	dat_contents_fini(&u->contents);
	free(u->tasks.slots);
	if (u->arena)
		arena_free(u->arena);
	free(u);
}

static const struct recorder_ops user_ops = {
	.start = user_start,
	.poll_fds = user_poll_fds,
	.pump = user_pump,
	.ended = user_ended,
	.finish = user_finish,
	.close = user_close,
};

/* ---- open -------------------------------------------------------------------------------------------------------- */

/* How tracefs describes pages and events of them, on a 64-bit machine. */
static const char header_page_text[] =
	"\tfield: u64 timestamp;\toffset:0;\tsize:8;\tsigned:0;\n"
	"\tfield: local_t commit;\toffset:8;\tsize:8;\tsigned:1;\n"
	"\tfield: int overwrite;\toffset:8;\tsize:1;\tsigned:1;\n"
	"\tfield: char data;\toffset:16;\tsize:4080;\tsigned:1;\n";

static const char header_event_text[] =
	"# compressed entry header\n"
	"\ttype_len    :    5 bits\n"
	"\ttime_delta  :   27 bits\n"
	"\tarray       :   32 bits\n"
	"\n"
	"\tpadding     : type == 29\n"
	"\ttime_extend : type == 30\n"
	"\ttime_stamp : type == 31\n"
	"\tdata max type_len  == 28\n";

static int
add_events(struct user_recorder *u, struct text *why)
{
	const struct record_request *request = u->request;
	struct text format = { 0 };
	uint32_t n = 0;
	int err = 0;

	for (uint32_t i = 0; i < request->n_events; i++) {
		struct event *event = request->events[i];

		text_clear(why);
		err = source_ptrace_record(u->source, event, take_record, u, why);
		if (err < 0)
			continue;
		event->id = (int32_t)(FIRST_ID + n++);
		text_clear(&format);
		event_format_file(event, &format);
		err = dat_add_format(&u->contents, event->system, format.s, format.len);
		if (err < 0)
			break;
	}
	text_fini(&format);
	return n ? 0 : err;
}

static int
open_parts(struct user_recorder *u, struct events *events, struct text *why)
{
	struct object *object = object_new(u->arena, "record", NULL);
	int err = source_ptrace_open(&u->source, object, events, &u->request->target, why);

	if (err == 0)
		err = dat_writer_open(&u->writer, u->request->path, 1, PAGE_SIZE, why);
	if (err == 0)
		err = dat_add_format(&u->contents, "ftrace", rename_format, sizeof(rename_format) - 1);
	if (err == 0)
		err = add_events(u, why);
	text_puts(&u->contents.header_page, header_page_text);
	text_puts(&u->contents.header_event, header_event_text);
	return err;
}

int
record_user_open(struct recorder **recorder, struct events *events, const struct record_request *request, struct text *why)
{
	struct user_recorder *u = mem_alloc(sizeof(*u));
	int err;

	if (!u) {
		text_puts(why, "no memory for a recorder");
		return -ENOMEM;
	}
	*u = (struct user_recorder){ .recorder.ops = &user_ops, .request = request, .arena = arena_new() };
	err = open_parts(u, events, why);
	if (err < 0) {
		if (!why->len)
			text_puts(why, strerror(-err));
		user_close(&u->recorder);
		return err;
	}
	*recorder = &u->recorder;
	return 0;
}
