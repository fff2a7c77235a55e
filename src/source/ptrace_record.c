/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * From a stop to a program's run: builds the record of the event as ftrace lays it out, says who raised it, and runs the programs
 * that were registered for it, in the order of their registration.
 *
 * A record of a system call's entry is 64 bytes, of its exit 24 (ebpf.h); others follow the layout that event_load_fields gives.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "source/ptrace_int.h"

static const struct {
	const char *system, *name;
} process_events[N_PROCESS_EVENTS] = {
	[PROCESS_FORK] = { "sched", "sched_process_fork" },
	[PROCESS_EXEC] = { "sched", "sched_process_exec" },
	[PROCESS_EXIT] = { "sched", "sched_process_exit" },
	[PROCESS_SIGNAL] = { "signal", "signal_deliver" },
	[PROCESS_ANY_ENTER] = { "raw_syscalls", "sys_enter" },
	[PROCESS_ANY_EXIT] = { "raw_syscalls", "sys_exit" },
};

/* ---- registration --------------------------------------------------------------------------------------------- */

/* The list of hooks for an event, or NULL: not an event of this engine. */
static struct hook **
hooks_of(struct tracer *tracer, const struct event *event)
{
	size_t i;

	switch (event->kind) {
	case EVENT_SYSCALL_ENTER:
	case EVENT_SYSCALL_EXIT:
		if (event->number < 0 || event->number >= SYSCALLS_MAX)
			return NULL;
		return event->kind == EVENT_SYSCALL_ENTER ? &tracer->enter[event->number] : &tracer->exit[event->number];
	case EVENT_TRACEPOINT:
		for (i = 0; i < N_PROCESS_EVENTS; i++)
			if (strcmp(event->system, process_events[i].system) == 0 && strcmp(event->name, process_events[i].name) == 0)
				return &tracer->process[i];
		return NULL;
	case EVENT_KPROBE:
	case EVENT_KRETPROBE:
	case EVENT_UPROBE:
	case EVENT_URETPROBE:
	case EVENT_FENTRY:
	case EVENT_FEXIT:
	case EVENT_RAWTP:
	case EVENT_COUNTER:
	case EVENT_PROFILE:
	case EVENT_INIT:
	case EVENT_FINI:
	case N_EVENT_KINDS:
		break;
	}
	return NULL;
}

static int
check_event(struct tracer *tracer, uint32_t record_size, struct event *event, struct text *why)
{
	int err;

	if (!hooks_of(tracer, event)) {
		text_printf(why, "event %s:%s: only the kernel engine has it. The user engine, in use here, has system calls "
			    "(syscalls:*), sched:sched_process_fork, sched_process_exec, sched_process_exit and signal:signal_deliver",
			    event->system, event->name);
		return -EOPNOTSUPP;
	}
	err = event_load_fields(tracer->engine.events, event);
	if (err < 0) {
		text_printf(why, "event %s:%s: its fields are not known: %s", event->system, event->name, strerror(-err));
		return err;
	}
	if (record_size <= PTRACE_RECORD_MAX && event->record_size <= PTRACE_RECORD_MAX)
		return 0;
	text_printf(why, "event %s:%s: the program reads %" PRIu32 " bytes of its record, more than there can be",
		    event->system, event->name, record_size);
	return -EINVAL;
}

/* Hooks a loaded program, or the recorder (NULL), behind those that the event has. Returns 0 or -ENOMEM. */
static int
hook_append(struct tracer *tracer, struct loaded *loaded, const struct event *event)
{
	struct hook *hook = mem_alloc(sizeof(*hook)), **at;

	if (!hook)
		return -ENOMEM;
	hook->loaded = loaded;
	hook->event = event;
	for (at = hooks_of(tracer, event); *at; at = &(*at)->next)
		;
	*at = hook;
	tracer->n_hooks++;
	return 0;
}

int
hook_add(struct tracer *tracer, const struct program *program, struct event *event, struct text *why)
{
	struct loaded *loaded;
	int err = check_event(tracer, program->record_size, event, why);

	if (err < 0)
		return err;
	loaded = engine_load(&tracer->engine, program, why);
	return loaded ? hook_append(tracer, loaded, event) : -errno;
}

int
source_ptrace_record(struct source *source, struct event *event, ptrace_record_fn *fn, void *arg, struct text *why)
{
	struct tracer *tracer = (struct tracer *)((char *)source - offsetof(struct tracer, engine.source));
	int err = check_event(tracer, 0, event, why);

	tracer->record_fn = fn;
	tracer->record_arg = arg;
	return err < 0 ? err : hook_append(tracer, NULL, event);
}

static void
free_list(struct hook **list)
{
	struct hook *hook;

	while ((hook = *list)) {
		*list = hook->next;
		free(hook);
	}
}

void
hooks_free(struct tracer *tracer)
{
	size_t i;

	for (i = 0; i < SYSCALLS_MAX; i++) {
		free_list(&tracer->enter[i]);
		free_list(&tracer->exit[i]);
	}
	for (i = 0; i < N_PROCESS_EVENTS; i++)
		free_list(&tracer->process[i]);
}

bool
wants_enter(const struct tracer *tracer, int32_t number)
{
	return number >= 0 && number < SYSCALLS_MAX && (tracer->enter[number] || tracer->process[PROCESS_ANY_ENTER]);
}

bool
wants_exit(const struct tracer *tracer, int32_t number)
{
	return number >= 0 && number < SYSCALLS_MAX && (tracer->exit[number] || tracer->process[PROCESS_ANY_EXIT]);
}

bool
wants_calls(const struct tracer *tracer)
{
	for (int32_t number = 0; number < SYSCALLS_MAX; number++)
		if (wants_enter(tracer, number) || wants_exit(tracer, number))
			return true;
	return false;
}

/* ---- running ------------------------------------------------------------------------------------------------------- */

static void
set_env(struct tracer *tracer, struct task *task)
{
	struct vm_env *env = &tracer->engine.env;

	task_identify(task);
	env->pid = (uint32_t)task->tgid;
	env->tid = (uint32_t)task->tid;
	env->uid = task->uid;
	env->gid = task->gid;
	memcpy(env->comm, task->comm, sizeof(env->comm));
	env->ktime_ns = clock_now();
}

int
read_user_string(const struct vm_env *env, uint64_t address, char *string, size_t size)
{
	int64_t n = env->read_user ? env->read_user(env->arg, address, string, size - 1) : -EFAULT;

	if (n < 0)
		return -EFAULT;
	string[n] = 0;
	return (size_t)n < size - 1 && strlen(string) == (size_t)n ? -EFAULT : 0;
}

/* Is the program one of a raw tracepoint? */
static bool
takes_raw(const struct hook *hook)
{
	return hook->loaded && hook->loaded->program->shape == PROGRAM_C && hook->loaded->program->uses_context;
}

/* After exit() nothing more is seen, as if we had not been there. */
static void
run_hooks(struct tracer *tracer, struct task *task, const struct hook *hook)
{
	if (tracer->over || !tracer->going || !hook)
		return;
	set_env(tracer, task);
	for (; hook && !tracer->over; hook = hook->next) {
		if (hook->loaded)
			engine_run(&tracer->engine, hook->loaded, hook->event,
				   takes_raw(hook) ? tracer->raw_args : (const void *)tracer->record);
		else
			tracer->record_fn(tracer->record_arg, hook->event, &tracer->engine.env, tracer->record, tracer->record_len);
		tracer->over = engine_exited(&tracer->engine);
	}
}

/* ---- system calls ----------------------------------------------------------------------------------------------------- */

/* The programs that take any call, raw or as the record of the call. */
static void
run_any(struct tracer *tracer, struct task *task, enum process_event which, int64_t second)
{
	const struct hook *hook;

	for (hook = tracer->process[which]; hook && !takes_raw(hook); hook = hook->next)
		;
	if (hook && tracer->going && !tracer->over)
		raw_context(tracer, task, second);
	run_hooks(tracer, task, tracer->process[which]);
}

static void
put_call(struct tracer *tracer, int32_t number, size_t len)
{
	memset(tracer->record, 0, len);
	tracer->record_len = (uint32_t)len;
	memcpy(tracer->record + SYSCALL_NR_OFFSET, &number, sizeof(number));
}

void
emit_enter(struct tracer *tracer, struct task *task, int32_t number, const uint64_t args[6])
{
	if (!wants_enter(tracer, number))
		return;
	put_call(tracer, number, RECORD_SYSCALL_LEN);
	memcpy(tracer->record + SYSCALL_ARG_OFFSET, args, 6 * sizeof(*args));
	run_any(tracer, task, PROCESS_ANY_ENTER, number);
	run_hooks(tracer, task, tracer->enter[number]);
}

void
emit_exit(struct tracer *tracer, struct task *task, int32_t number, int64_t ret)
{
	if (!wants_exit(tracer, number))
		return;
	put_call(tracer, number, RECORD_SYSCALL_EXIT_LEN);
	memcpy(tracer->record + SYSCALL_ARG_OFFSET, &ret, sizeof(ret));
	run_any(tracer, task, PROCESS_ANY_EXIT, ret);
	run_hooks(tracer, task, tracer->exit[number]);
}

/* ---- other events ------------------------------------------------------------------------------------------------------- */

/* The one layout that all hooks of a process event share, or NULL: nobody wants it. */
static const struct event *
begin(struct tracer *tracer, enum process_event which)
{
	const struct hook *hook = tracer->process[which];

	if (!hook || tracer->over || !tracer->going)
		return NULL;
	memset(tracer->record, 0, hook->event->record_size);
	tracer->record_len = hook->event->record_size;
	return hook->event;
}

static void
put_int(struct tracer *tracer, const struct event *event, const char *name, int64_t value)
{
	const struct field *field = event_field(event, name);

	if (field && field->kind == FIELD_INT && field->size <= sizeof(value))
		memcpy(tracer->record + field->offset, &value, field->size);
}

/* Text in place, cut to leave a NUL, or behind the fixed part (one such field an event). */
static void
put_text(struct tracer *tracer, const struct event *event, const char *name, const char *s)
{
	const struct field *field = event_field(event, name);
	size_t len = strlen(s), room = PTRACE_RECORD_MAX - event->record_size - 1;
	uint32_t where;

	if (field && field->kind == FIELD_CHARS && field->size) {
		memcpy(tracer->record + field->offset, s, len < field->size ? len : field->size - 1);
	} else if (field && field->kind == FIELD_DATA_LOC) {
		if (len > room)
			len = room;
		memcpy(tracer->record + event->record_size, s, len);
		tracer->record[event->record_size + len] = 0;
		tracer->record_len = event->record_size + (uint32_t)len + 1;
		where = (uint32_t)(len + 1) << 16 | event->record_size;
		memcpy(tracer->record + field->offset, &where, sizeof(where));
	}
}

void
emit_fork(struct tracer *tracer, struct task *parent, struct task *child)
{
	const struct event *event = begin(tracer, PROCESS_FORK);

	if (!event)
		return;
	task_identify(parent);
	put_text(tracer, event, "parent_comm", parent->comm);
	put_int(tracer, event, "parent_pid", parent->tid);
	put_text(tracer, event, "child_comm", parent->comm); /* its name when the event happens */
	put_int(tracer, event, "child_pid", child->tid);
	run_hooks(tracer, parent, tracer->process[PROCESS_FORK]);
}

void
emit_exec(struct tracer *tracer, struct task *task, pid_t old_tid)
{
	const struct event *event = begin(tracer, PROCESS_EXEC);

	if (!event)
		return;
	put_text(tracer, event, "filename", task->exec_path ? task->exec_path : "");
	put_int(tracer, event, "pid", task->tid);
	put_int(tracer, event, "old_pid", old_tid);
	run_hooks(tracer, task, tracer->process[PROCESS_EXEC]);
}

#define PRIO_NICE_0 120 /* the kernel's number for nice 0 */

void
emit_process_exit(struct tracer *tracer, struct task *task)
{
	const struct event *event = begin(tracer, PROCESS_EXIT);

	if (!event)
		return;
	task_identify(task);
	put_text(tracer, event, "comm", task->comm);
	put_int(tracer, event, "pid", task->tid);
	put_int(tracer, event, "prio", PRIO_NICE_0 + getpriority(PRIO_PROCESS, (id_t)task->tid));
	run_hooks(tracer, task, tracer->process[PROCESS_EXIT]);
}

void
emit_signal(struct tracer *tracer, struct task *task, const struct signal_event *signal)
{
	const struct event *event = begin(tracer, PROCESS_SIGNAL);

	if (!event)
		return;
	put_int(tracer, event, "sig", signal->number);
	put_int(tracer, event, "errno", signal->error);
	put_int(tracer, event, "code", signal->code);
	run_hooks(tracer, task, tracer->process[PROCESS_SIGNAL]);
}
