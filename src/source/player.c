/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * A player runs the hooked programs on one recorded event after another, out of the streams that it is given, with the time, CPU, thread, name and
 * stacks of the recording.
 *
 * A program reads record_size bytes of its record. Where the recording has as many, it reads them where they lie, else a copy with zeros
 * behind.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "source/replay_int.h"

#define PADDED_SIZE (3 * RECORDED_MAX) /* 16 bits of offset and 16 of length never lead out of it */

/* ---- who, and when ---------------------------------------------------------------------------------------------- */

/* Takes over what is told of threads before this event; memory that is not there costs a name. */
static void
learn(struct player *player)
{
	const struct history *history = &player->replay->history;
	struct moment now;

	if (player->n_told == history->n)
		return;
	now = merge_moment(player->merge);
	while (history_is_due(history, player->n_told, &now))
		tasks_apply(player->tasks, &history->told[player->n_told++].change);
}

static void
set_env(struct player *player)
{
	const struct recorded *event = player->event;
	struct vm_env *env = &player->engine.env;
	struct recorded_task who;

	env->tid = env->pid = event->tid;
	env->cpu = event->cpu;
	env->ktime_ns = event->time_ns;
	if (!player->replay->names_threads)
		return;
	tasks_identify(player->tasks, event, &who);
	env->pid = who.pid;
	memcpy(env->comm, who.comm, sizeof(env->comm));
}

/* ---- one event --------------------------------------------------------------------------------------------------- */

/* The record, readable for as many bytes as the program reads. */
static const void *
record_for(struct player *player, const struct program *program)
{
	const struct recorded *event = player->event;

	if (event->len >= program->record_size && !program->uses_dynamic)
		return event->record;
	memcpy(player->padded, event->record, event->len);
	if (event->len < player->padded_len)
		memset(player->padded + event->len, 0, player->padded_len - event->len);
	player->padded_len = event->len;
	return player->padded;
}

static void
run_programs(struct player *player, const struct hook *hook)
{
	set_env(player);
	for (; hook && !player->over; hook = hook->next) {
		const struct loaded *loaded = player->loaded[hook->program];

		engine_run(&player->engine, loaded, hook->event, record_for(player, loaded->program));
		player->over = engine_exited(&player->engine);
	}
}

/* A thread that is being renamed has its old name at that event, as it has live. */
static void
handle(struct player *player)
{
	const struct replay *replay = player->replay;
	const struct hook *hook = replay->hooks[player->event->id];

	if (replay->names_threads && replay->has_history)
		learn(player);
	if (hook)
		run_programs(player, hook);
	if (replay->names_threads && !replay->has_history)
		tasks_learn(player->tasks, player->event);
}

/* vm_env.read_user: the strings that were recorded with the event, at the addresses that point to them. */
static int64_t
read_string(void *arg, uint64_t addr, void *dst, size_t len)
{
	const struct player *player = arg;
	const struct recorded *event = player->event;
	const struct hook *hook = player->replay->hooks[event->id];
	uint64_t pointer;
	const char *text;
	size_t text_len;

	for (uint32_t i = 0; hook && i < hook->event->n_fields; i++) {
		const struct field *field = &hook->event->fields[i];

		if (field->kind != FIELD_USER_STR || field->offset + sizeof(pointer) > event->len)
			continue;
		memcpy(&pointer, event->record + field->offset, sizeof(pointer));
		text = recorded_string(event, field, &text_len);
		if (!text || addr < pointer || addr - pointer >= text_len)
			continue;
		text += addr - pointer;
		text_len -= addr - pointer;
		memset(dst, 0, len); /* whoever reads a string stops at its NUL */
		memcpy(dst, text, len < text_len ? len : text_len);
		return (int64_t)len;
	}
	return -EFAULT;
}

/* vm_env.unwind_kernel and unwind. -EFAULT, as the kernel's helper says it: there are no frames. */
static int64_t
copy_stack(const uint64_t *stack, uint32_t n, uint64_t *addrs, uint32_t max)
{
	if (n > max)
		n = max;
	if (n)
		memcpy(addrs, stack, 8 * n);
	return n ? (int64_t)n : -EFAULT;
}

static int64_t
unwind_kernel(void *arg, uint64_t *addrs, uint32_t max)
{
	const struct player *player = arg;

	return copy_stack(player->event->stack, player->event->n_stack, addrs, max);
}

static int64_t
unwind_user(void *arg, uint64_t *addrs, uint32_t max)
{
	const struct player *player = arg;

	return copy_stack(player->event->ustack, player->event->n_ustack, addrs, max);
}

/* ---- one event after another -------------------------------------------------------------------------------------- */

void
player_advance(struct player *player)
{
	player->event = merge_next(player->merge);
}

uint32_t
player_play(struct player *player, uint64_t until, uint32_t max)
{
	uint32_t n = 0;

	for (; n < max && player->event && player->event->time_ns < until && !player->over; n++) {
		if (player->event->time_ns > player->now)
			player->now = player->event->time_ns;
		handle(player);
		player_advance(player);
	}
	return n;
}

/* ---- open, close --------------------------------------------------------------------------------------------------- */

int
player_load(struct player *player, uint32_t number, struct text *why)
{
	struct loaded **more = mem_realloc(player->loaded, (number + 1) * sizeof(struct loaded *));

	if (!more)
		return -ENOMEM;
	player->loaded = more;
	player->loaded[number] = engine_load(&player->engine, player->replay->programs[number], why);
	return player->loaded[number] ? 0 : -errno;
}

int
player_init(struct player *player, const struct source_ops *ops, const struct object *object, const struct replay *replay,
	    struct text *why)
{
	struct recording *recording = replay->recording;
	/* No two threads write to a player's tables, so per-CPU tables need one value only, however many CPUs there were. */
	int err = engine_init(&player->engine, ops, object, recording->events, 1, why);

	player->replay = replay;
	player->merge = &recording->merge;
	player->tasks = &recording->tasks;
	if (err < 0)
		return err;
	player->engine.env.read_user = read_string;
	player->engine.env.unwind_kernel = unwind_kernel;
	player->engine.env.unwind = unwind_user;
	player->engine.env.arg = player;
	player->padded = mem_alloc(PADDED_SIZE);
	if (!player->padded)
		text_puts(why, "no memory for a record");
	player->engine.env.record = player->padded;
	player->engine.env.record_len = PADDED_SIZE;
	return player->padded ? 0 : -ENOMEM;
}

void
player_fini(struct player *player)
{
	engine_fini(&player->engine);
	free(player->loaded);
	free(player->padded);
}
