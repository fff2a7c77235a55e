/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Who the threads of a recording are. ftrace records the thread's id only; its process and its name stand in tables beside the
 * events, as they were when the recording ended. Where the recording has the events task:task_newtask and task:task_rename, they
 * tell what was true at each moment: a new thread takes process and name of the one that made it (clone(2) with CLONE_THREAD) or is
 * a process of its own, and execve(2) renames it.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "source/recording.h"

#define TASKS_MAX (1u << 22) /* the kernel's own limit of thread ids */

static uint32_t
slot_of(const struct recorded_tasks *tasks, uint32_t tid)
{
	uint32_t i = tid * 2654435761u & (tasks->cap - 1);

	while (tasks->slots[i].used && tasks->slots[i].tid != tid)
		i = (i + 1) & (tasks->cap - 1);
	return i;
}

static int
grow(struct recorded_tasks *tasks)
{
	struct recorded_tasks larger = *tasks;

	larger.cap = tasks->cap ? 2 * tasks->cap : 256;
	if (larger.cap > 2 * TASKS_MAX)
		return -ENOMEM;
	larger.slots = mem_alloc(larger.cap * sizeof(*larger.slots));
	if (!larger.slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < tasks->cap; i++)
		if (tasks->slots[i].used)
			larger.slots[slot_of(&larger, tasks->slots[i].tid)] = tasks->slots[i];
	free(tasks->slots);
	*tasks = larger;
	return 0;
}

int
tasks_set(struct recorded_tasks *tasks, uint32_t tid, uint32_t pid, const char *comm)
{
	struct recorded_task *task;
	int err = tasks->n >= tasks->cap / 2 ? grow(tasks) : 0;

	if (err < 0)
		return err;
	task = &tasks->slots[slot_of(tasks, tid)];
	tasks->n += !task->used;
	task->used = true;
	task->tid = tid;
	if (pid)
		task->pid = pid;
	if (comm) {
		memset(task->comm, 0, sizeof(task->comm));
		memcpy(task->comm, comm, strnlen(comm, sizeof(task->comm) - 1));
	}
	return 0;
}

const struct recorded_task *
tasks_find(const struct recorded_tasks *tasks, uint32_t tid)
{
	const struct recorded_task *task = tasks->cap ? &tasks->slots[slot_of(tasks, tid)] : NULL;

	return task && task->used ? task : NULL;
}

void
tasks_identify(const struct recorded_tasks *tasks, const struct recorded *event, struct recorded_task *who)
{
	const struct recorded_task *task = event->pid && event->comm ? NULL : tasks_find(tasks, event->tid);
	const char *comm = event->comm ? event->comm : task && *task->comm ? task->comm : event->tid ? "<...>" : "<idle>";

	who->tid = event->tid;
	who->pid = event->pid ? event->pid : task && task->pid ? task->pid : event->tid;
	memset(who->comm, 0, sizeof(who->comm));
	memcpy(who->comm, comm, strnlen(comm, sizeof(who->comm) - 1));
}

/* A field that may be used: of this kind, and within the fixed part of the record. */
static const struct field *
usable(const struct event *event, const char *name, enum field_kind kind)
{
	const struct field *field = event_field(event, name);

	return field && field->kind == kind && field->size <= 16 ? field : NULL;
}

/* Where nobody asked for them, `ktap record` puts them among ftrace's own, which no glob finds. */
static const struct event *
find_event(struct events *events, const char *name)
{
	const struct event *event = events_find(events, "task", name);

	return event ? event : events_find(events, "ftrace", name);
}

void
tasks_watch(struct recorded_tasks *tasks, struct events *events)
{
	const struct event *newtask = find_event(events, "task_newtask"), *rename = find_event(events, "task_rename");

	tasks->newtask_id = tasks->rename_id = UINT32_MAX;
	if (newtask && newtask->id >= 0) {
		tasks->newtask_pid = usable(newtask, "pid", FIELD_INT);
		tasks->newtask_comm = usable(newtask, "comm", FIELD_CHARS);
		tasks->newtask_flags = usable(newtask, "clone_flags", FIELD_INT);
		if (tasks->newtask_pid && tasks->newtask_flags)
			tasks->newtask_id = (uint32_t)newtask->id;
	}
	if (rename && rename->id >= 0) {
		tasks->rename_comm = usable(rename, "newcomm", FIELD_CHARS);
		tasks->rename_old = usable(rename, "oldcomm", FIELD_CHARS);
		if (tasks->rename_comm)
			tasks->rename_id = (uint32_t)rename->id;
	}
}

static uint64_t
number_in(const struct recorded *event, const struct field *field)
{
	uint64_t number = 0;

	if (field->offset + field->size <= event->len && field->size <= sizeof(number))
		memcpy(&number, event->record + field->offset, field->size);
	return number;
}

static const char *
chars_in(const struct recorded *event, const struct field *field, char comm[17])
{
	memset(comm, 0, 17);
	if (!field || field->offset + field->size > event->len)
		return NULL;
	memcpy(comm, event->record + field->offset, field->size);
	return comm;
}

/* What perf.data says of a thread. */
static void
read_thread(const struct recorded *event, struct task_change *change)
{
	change->tid = event->tid;
	change->pid = event->pid;
	change->name_of = event->comm ? 0 : event->parent;
	change->has_name = true;
	if (event->comm)
		memcpy(change->comm, event->comm, strnlen(event->comm, sizeof(change->comm) - 1));
}

static void
read_newtask(const struct recorded_tasks *tasks, const struct recorded *event, struct task_change *change)
{
	char comm[17];

	change->tid = (uint32_t)number_in(event, tasks->newtask_pid);
	change->pid = change->tid;
	if (number_in(event, tasks->newtask_flags) & CLONE_THREAD)
		change->process_of = change->pid = event->tid;
	change->has_name = chars_in(event, tasks->newtask_comm, comm);
	if (change->has_name)
		memcpy(change->comm, comm, sizeof(change->comm));
}

static void
read_rename(const struct recorded_tasks *tasks, const struct recorded *event, struct task_change *change)
{
	char comm[17];

	change->tid = event->tid;
	change->has_name = chars_in(event, tasks->rename_comm, comm);
	if (change->has_name)
		memcpy(change->comm, comm, sizeof(change->comm));
	change->has_old_name = chars_in(event, tasks->rename_old, comm);
	if (change->has_old_name)
		memcpy(change->old_comm, comm, sizeof(change->old_comm));
}

bool
tasks_read(const struct recorded_tasks *tasks, const struct recorded *event, struct task_change *change)
{
	if (event->id != RECORDED_THREAD && event->id != tasks->newtask_id && event->id != tasks->rename_id)
		return false;
	*change = (struct task_change){ 0 };
	if (event->id == RECORDED_THREAD)
		read_thread(event, change);
	else if (event->id == tasks->newtask_id)
		read_newtask(tasks, event, change);
	else
		read_rename(tasks, event, change);
	return event->id != tasks->newtask_id || change->tid;
}

int
tasks_apply(struct recorded_tasks *tasks, const struct task_change *change)
{
	const struct recorded_task *other = change->process_of ? tasks_find(tasks, change->process_of) : NULL;
	uint32_t pid = other && other->pid ? other->pid : change->pid;
	char comm[16];

	memcpy(comm, change->comm, sizeof(comm));
	other = change->name_of ? tasks_find(tasks, change->name_of) : NULL;
	if (other)
		memcpy(comm, other->comm, sizeof(comm));
	return tasks_set(tasks, change->tid, pid, change->has_name ? comm : NULL);
}

int
tasks_apply_first(struct recorded_tasks *tasks, const struct task_change *change)
{
	const struct recorded_task *task = tasks_find(tasks, change->tid);
	int err;

	if (!change->has_old_name || (task && task->has_first_name))
		return 0;
	err = tasks_set(tasks, change->tid, 0, change->old_comm);
	if (err == 0)
		tasks->slots[slot_of(tasks, change->tid)].has_first_name = true;
	return err;
}

int
tasks_learn_first(struct recorded_tasks *tasks, const struct recorded *event)
{
	struct task_change change;

	return tasks_read(tasks, event, &change) ? tasks_apply_first(tasks, &change) : 0;
}

int
tasks_learn(struct recorded_tasks *tasks, const struct recorded *event)
{
	struct task_change change;

	return tasks_read(tasks, event, &change) ? tasks_apply(tasks, &change) : 0;
}

int
tasks_copy(struct recorded_tasks *copy, const struct recorded_tasks *tasks)
{
	*copy = *tasks;
	copy->slots = mem_alloc((tasks->cap + 1) * sizeof(*copy->slots));
	if (!copy->slots)
		return -ENOMEM;
	if (tasks->cap)
		memcpy(copy->slots, tasks->slots, tasks->cap * sizeof(*copy->slots));
	return 0;
}
