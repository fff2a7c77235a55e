/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Several threads on one recording: lanes. Each has some of the streams for good, and a player with tables of its own, so that no two threads
 * write to the same memory; tables that programs only read are those of the replay.
 *
 * Work comes in rounds. A round deals the streams' heads out of the replay's merge to the lanes, lets each handle events up to a time or a number,
 * waits for all, adds up what they counted (replay_sum.c) and puts the heads back into one merge: between rounds, all is as if one thread had
 * done it, save that a round which ends by number has taken some CPUs further in time than others. Who runs the session's thread runs lane 0.
 *
 * Where what was counted does not find room in the tables, it depends on the order of events what is kept. Then the round never was: the streams are
 * read again up to where it began, and one thread goes on.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "source/replay_int.h"

#define ROUND_MIN (1u << 18) /* events of a lane */
#define ROUND_MAX (1u << 22)
#define ENTRY_COST 8         /* adding up an entry costs no more than so many events */

struct lane {
	struct player player;
	struct lanes *lanes;
	struct merge merge;
	struct recorded_tasks tasks;
	uint64_t size;           /* of its streams */
	pthread_t thread;
	bool has_thread;
	uint32_t rounds_done;
};

struct lanes {
	struct replay *replay;
	struct lane *lane;
	uint32_t n;
	uint32_t *lane_of;       /* stream -> lane */
	uint64_t *n_handled;     /* events of each stream, when the round began */
	struct engine **engines; /* those of the lanes */
	void *variables;         /* of the replay, when the round began */
	size_t variables_len;
	/* The round: under the lock. */
	pthread_mutex_t lock;
	pthread_cond_t begins, ends;
	uint32_t round, n_busy;
	bool is_over;            /* threads end */
	uint64_t until;
	uint32_t max;
};

/* ---- threads ---------------------------------------------------------------------------------------------------- */

int
thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg)
{
	sigset_t all, before;
	int err;

	sigfillset(&all);
	sigdelset(&all, SIGBUS);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	err = pthread_create(thread, NULL, run, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -err;
}

static void
play_round(struct lane *lane)
{
	struct player *player = &lane->player;

	player_advance(player);
	player_play(player, lane->lanes->until, lane->lanes->max);
	merge_put_back(&lane->merge);
}

static void *
run_lane(void *arg)
{
	struct lane *lane = arg;
	struct lanes *lanes = lane->lanes;

	pthread_mutex_lock(&lanes->lock);
	for (;;) {
		while (!lanes->is_over && lane->rounds_done == lanes->round)
			pthread_cond_wait(&lanes->begins, &lanes->lock);
		if (lanes->is_over)
			break;
		lane->rounds_done = lanes->round;
		pthread_mutex_unlock(&lanes->lock);
		play_round(lane);
		pthread_mutex_lock(&lanes->lock);
		if (--lanes->n_busy == 0)
			pthread_cond_signal(&lanes->ends);
	}
	pthread_mutex_unlock(&lanes->lock);
	return NULL;
}

/* All lanes at once; returns when all are done. */
static void
run_round(struct lanes *lanes, uint64_t until)
{
	pthread_mutex_lock(&lanes->lock);
	lanes->until = until;
	lanes->n_busy = lanes->n - 1;
	lanes->round++;
	pthread_cond_broadcast(&lanes->begins);
	pthread_mutex_unlock(&lanes->lock);
	play_round(&lanes->lane[0]);
	pthread_mutex_lock(&lanes->lock);
	while (lanes->n_busy)
		pthread_cond_wait(&lanes->ends, &lanes->lock);
	pthread_mutex_unlock(&lanes->lock);
}

/* ---- a round ------------------------------------------------------------------------------------------------------ */

static void
deal(struct lanes *lanes)
{
	struct replay *replay = lanes->replay;
	struct merge *merge = &replay->recording->merge;

	merge_put_back(merge);
	for (uint32_t i = 0; i < replay->recording->n_streams; i++)
		lanes->n_handled[i] = replay->recording->streams[i].n_read;
	for (uint32_t i = 0; i < merge->n; i++) {
		uint32_t stream = merge->streams[i]->number;

		lanes->n_handled[stream]--; /* its head is read and not handled */
		merge_move(&lanes->lane[lanes->lane_of[stream]].merge, merge->streams[i]);
	}
	merge->n = 0;
	memcpy(lanes->variables, engine_globals(&replay->player.engine.source), lanes->variables_len);
	for (uint32_t i = 0; i < lanes->n; i++)
		sum_begin(lanes->engines[i], &replay->player.engine);
}

static void
collect(struct lanes *lanes)
{
	struct player *player = &lanes->replay->player;
	struct merge *merge = player->merge;

	for (uint32_t i = 0; i < lanes->n; i++) {
		struct merge *from = &lanes->lane[i].merge;

		for (uint32_t k = 0; k < from->n; k++)
			merge_move(merge, from->streams[k]);
		from->n = 0;
		if (lanes->lane[i].player.now > player->now)
			player->now = lanes->lane[i].player.now;
	}
	merge_sort(merge);
	player_advance(player);
}

/* Returns 0 or -ENOMEM. */
static int
add_up(struct lanes *lanes)
{
	uint64_t n_entries = 0, max;
	int64_t n = 0;

	for (uint32_t i = 0; i < lanes->n && n >= 0; i++) {
		n = sum_add(&lanes->replay->player.engine, lanes->engines[i], lanes->variables);
		n_entries += n < 0 ? 0 : (uint64_t)n;
	}
	max = ENTRY_COST * n_entries;
	lanes->max = max < ROUND_MIN ? ROUND_MIN : max > ROUND_MAX ? ROUND_MAX : (uint32_t)max;
	return n < 0 ? (int)n : 0;
}

int
lanes_play(struct lanes *lanes, uint64_t until)
{
	struct replay *replay = lanes->replay;

	deal(lanes);
	run_round(lanes, until);
	if (!sum_fits(&replay->player.engine, lanes->engines, lanes->n, lanes->variables)) {
		recording_seek(replay->recording, lanes->n_handled);
		player_advance(&replay->player);
		return -E2BIG;
	}
	collect(lanes);
	return add_up(lanes);
}

/* ---- new and free ------------------------------------------------------------------------------------------------- */

/* Each stream goes to the lane that has least, the largest streams first. */
static void
share_out(struct lanes *lanes)
{
	const struct recording *recording = lanes->replay->recording;

	for (uint32_t i = 0; i < recording->n_streams; i++)
		lanes->lane_of[i] = UINT32_MAX;
	for (uint32_t n = 0; n < recording->n_streams; n++) {
		struct lane *least = &lanes->lane[0];
		uint32_t stream = UINT32_MAX;
		uint64_t size = 0;

		for (uint32_t i = 0; i < recording->n_streams; i++) {
			uint64_t of = recording->ops->size(recording, i);

			if (lanes->lane_of[i] != UINT32_MAX || (stream != UINT32_MAX && of <= size))
				continue;
			stream = i;
			size = of;
		}
		for (uint32_t i = 1; i < lanes->n; i++)
			if (lanes->lane[i].size < least->size)
				least = &lanes->lane[i];
		lanes->lane_of[stream] = (uint32_t)(least - lanes->lane);
		least->size += size;
	}
}

static int
open_lane(struct lanes *lanes, struct lane *lane, struct text *why)
{
	struct replay *replay = lanes->replay;
	const struct engine *engine = &replay->player.engine;
	int err = player_init(&lane->player, NULL, engine->source.object, replay, why);

	lane->lanes = lanes;
	if (err == 0)
		err = merge_init(&lane->merge, replay->recording);
	if (err == 0)
		err = tasks_copy(&lane->tasks, &replay->recording->tasks);
	if (err == 0)
		err = sum_share(&lane->player.engine, engine, why);
	if (err < 0)
		return err;
	lane->player.merge = &lane->merge;
	lane->player.tasks = &lane->tasks;
	lane->player.n_told = replay->player.n_told;
	vm_set_exec(lane->player.engine.vm, engine->exec);
	for (uint32_t i = 0; i < replay->n_programs && err == 0; i++)
		err = player_load(&lane->player, i, why);
	return err;
}

static int
open_lanes(struct lanes *lanes, struct text *why)
{
	const struct replay *replay = lanes->replay;
	uint32_t n_streams = replay->recording->n_streams;
	int err = 0;

	lanes->lane = mem_alloc(replay->jobs * sizeof(*lanes->lane));
	lanes->engines = mem_alloc(replay->jobs * sizeof(*lanes->engines));
	lanes->lane_of = mem_alloc(n_streams * sizeof(*lanes->lane_of));
	lanes->n_handled = mem_alloc(n_streams * sizeof(*lanes->n_handled));
	lanes->variables_len = replay->player.engine.source.object->tables[replay->player.engine.source.object->table_globals]->value_size;
	lanes->variables = mem_alloc(lanes->variables_len);
	if (!lanes->lane || !lanes->engines || !lanes->lane_of || !lanes->n_handled || !lanes->variables)
		return -ENOMEM;
	for (; lanes->n < replay->jobs && err == 0; lanes->n++) {
		struct lane *lane = &lanes->lane[lanes->n];

		lanes->engines[lanes->n] = &lane->player.engine;
		err = open_lane(lanes, lane, why);
	}
	if (err < 0)
		return err;
	share_out(lanes);
	for (uint32_t i = 1; i < lanes->n && err == 0; i++) {
		err = thread_start(&lanes->lane[i].thread, run_lane, &lanes->lane[i]);
		lanes->lane[i].has_thread = err == 0;
	}
	if (err < 0)
		text_printf(why, "a thread cannot be started: %s", strerror(-err));
	return err;
}

struct lanes *
lanes_new(struct replay *replay, struct text *why)
{
	struct lanes *lanes = mem_alloc(sizeof(*lanes));

	if (!lanes) {
		text_puts(why, "there is no memory for more");
		return NULL;
	}
	*lanes = (struct lanes){ .replay = replay, .max = ROUND_MIN };
	pthread_mutex_init(&lanes->lock, NULL);
	pthread_cond_init(&lanes->begins, NULL);
	pthread_cond_init(&lanes->ends, NULL);
	if (open_lanes(lanes, why) == 0)
		return lanes;
	if (!why->len)
		text_puts(why, "there is no memory for more");
	lanes_free(lanes);
	return NULL;
}

void
lanes_free(struct lanes *lanes)
{
	if (!lanes)
		return;
	pthread_mutex_lock(&lanes->lock);
	lanes->is_over = true;
	pthread_cond_broadcast(&lanes->begins);
	pthread_mutex_unlock(&lanes->lock);
	for (uint32_t i = 0; i < lanes->n; i++) {
		struct lane *lane = &lanes->lane[i];

		if (lane->has_thread)
			pthread_join(lane->thread, NULL);
		player_fini(&lane->player);
		merge_fini(&lane->merge);
		free(lane->tasks.slots);
	}
	pthread_cond_destroy(&lanes->begins);
	pthread_cond_destroy(&lanes->ends);
	pthread_mutex_destroy(&lanes->lock);
	free(lanes->lane);
	free(lanes->engines);
	free(lanes->lane_of);
	free(lanes->n_handled);
	free(lanes->variables);
	free(lanes);
}
