/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What the sources that run programs on recorded events share: replay.c on a file, ftrace_source.c on what the kernel records just now.
 *
 *     player.c         one event after another, out of merged streams
 *     replay.c         a recording as a source; hooks
 *     replay_lanes.c   several threads, each with streams, tables and a player of its own
 *     replay_sum.c     the tables of such threads, added up
 *     commute.c        whether a script permits it
 *     ftrace_source.c  the kernel's events as they come
 */
#ifndef KTAP_REPLAY_INT_H
#define KTAP_REPLAY_INT_H

#include <pthread.h>

#include "source/engine.h"
#include "source/recording.h"

struct replay;

/* ---- player.c ------------------------------------------------------------------------------------------------ */

/* A registered program for the events of a number, in the order of registration. */
struct hook {
	struct hook *next;
	uint32_t program;         /* index in replay.programs, and in player.loaded */
	const struct event *event;
};

/* What runs programs on the events of some streams. Of one replay there may be several, which share hooks and what they read only. */
struct player {
	struct engine engine;
	const struct replay *replay;
	struct merge *merge;
	struct loaded **loaded;  /* by number of the program */
	struct recorded_tasks *tasks;
	uint32_t n_told;         /* of replay.history: taken over by now */
	const struct recorded *event; /* waits to be handled, or is; NULL: there are no more */
	uint64_t now;            /* of the event handled last */
	bool over;
	unsigned char *padded;   /* a record with zeros behind it, */
	uint32_t padded_len;     /* whose first bytes may be others */
};

/* Makes machine and buffers. `player` is zeroed; player_fini in either case. Returns 0 or -errno with *why. */
int
player_init(struct player *player, const struct source_ops *ops, const struct object *object, const struct replay *replay,
	    struct text *why);

void
player_fini(struct player *player);

/* Loads the replay's program of that number, which comes after those that are loaded. Returns 0 or -errno with *why. */
int
player_load(struct player *player, uint32_t number, struct text *why);

/* Reads the event after the one that waits. */
void
player_advance(struct player *player);

/* Handles the waiting event and those behind it that come before `until`, `max` at most. Returns how many. */
uint32_t
player_play(struct player *player, uint64_t until, uint32_t max);

/* ---- replay.c ------------------------------------------------------------------------------------------------- */

struct lanes;

struct replay {
	struct player player;    /* its engine's tables are those of the source */
	struct recording *recording;
	struct hook *hooks[RECORDED_IDS];
	uint32_t n_hooks;
	const struct program **programs;
	uint32_t n_programs, cap_programs;
	bool names_threads;      /* programs ask for thread, process or name of an event */
	bool has_history;        /* else players learn from the events that they meet */
	struct history history;
	int ready_fd;            /* always readable: there is always something to do */
	bool ended;
	/* Several threads. */
	uint32_t jobs;           /* 1: there is one, and will be */
	uint32_t n_alone;        /* events handled by one thread since the last tick */
	struct lanes *lanes;     /* NULL: not yet */
};

/* `replay` is zeroed; replay_fini in either case. Returns 0 or -errno with *why. */
int
replay_init(struct replay *replay, const struct source_ops *ops, const struct object *object, struct recording *recording,
	    struct text *why);

void
replay_fini(struct replay *replay);

/* Hooks a program to the events whose number the event has. Returns 0 or -errno with *why. */
int
replay_hook(struct replay *replay, const struct program *program, struct event *event, struct text *why);

/* Handles events before `until`, `max` at most, and hands on what programs send. */
void
replay_events(struct replay *replay, uint64_t until, uint32_t max, struct sink *sink);

/* ---- operations of struct source_ops, as they are ---- */

void
replay_stats(struct source *source, struct source_stats *stats);

/* ---- commute.c -------------------------------------------------------------------------------------------------- */

/* Is the order of events the same to the object's programs? False with *why, a clause: it is not, or that is not known. */
bool
object_commutes(const struct object *object, struct text *why);

/* ---- replay_lanes.c --------------------------------------------------------------------------------------------- */

/* Starts a thread that no signal is delivered to, but SIGBUS where it reads what a file has no longer (filemap.h). Returns 0 or -errno. */
int
thread_start(pthread_t *thread, void *(*run)(void *arg), void *arg);

/* Up to replay->jobs lanes, with the streams shared out among them. NULL with *why: there is no memory, or no thread. */
struct lanes *
lanes_new(struct replay *replay, struct text *why);

/*
 * Handles events before `until`, in each lane a certain number at most, and adds up what came out. Returns 0; -E2BIG: a table may not have room for
 * it, so all is as it was before and one thread must do it; -ENOMEM: tables are not whole any more.
 */
int
lanes_play(struct lanes *lanes, uint64_t until);

void
lanes_free(struct lanes *lanes);

/* ---- replay_sum.c ------------------------------------------------------------------------------------------------ */

/* Programs of `from` find the tables that they only read in `to`'s machine. Before programs are loaded. Returns 0 or -errno with *why. */
int
sum_share(struct engine *from, const struct engine *to, struct text *why);

/* Gives `to` the variables of `from`: an engine's work begins there. */
void
sum_begin(struct engine *to, const struct engine *from);

/*
 * Would all that these engines counted since sum_begin find room in the tables of `into`, in whatever order it had come? `start`: the
 * variables that they began with.
 */
bool
sum_fits(const struct engine *into, struct engine *const *from, uint32_t n, const void *start);

/* Adds what an engine counted since sum_begin to `into`, and empties its tables. Returns how many entries they had, or -errno: no memory. */
int64_t
sum_add(struct engine *into, struct engine *from, const void *start);

#endif
