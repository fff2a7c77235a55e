/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What the sources that run programs on recorded events share: replay.c on a file, ftrace_source.c on what the kernel records just now.
 */
#ifndef KTAP_REPLAY_INT_H
#define KTAP_REPLAY_INT_H

#include "source/engine.h"
#include "source/recording.h"

#define EVENTS_A_PUMP 4096 /* then the session looks at Ctrl-C */

/* A registered program for the events of a number, in the order of registration. */
struct hook {
	struct hook *next;
	const struct loaded *loaded;
	const struct event *event;
};

struct replay {
	struct engine engine;
	struct recording *recording;
	struct hook *hooks[RECORDED_IDS];
	uint32_t n_hooks;
	bool has_event;          /* `event` waits */
	struct recorded event;   /* also what read_user asks of */
	uint64_t now;            /* of the event handled last */
	int ready_fd;            /* always readable: there is always something to do */
	bool ended;
	bool over;
	unsigned char *padded;   /* PADDED_SIZE bytes: a record with zeros behind it, */
	uint32_t padded_len;     /* whose first bytes may be others */
};

/* Makes machine and buffers. `replay` is zeroed; replay_fini in either case. Returns 0 or -errno with *why. */
int
replay_init(struct replay *replay, const struct source_ops *ops, const struct object *object, struct recording *recording,
	    struct text *why);

void
replay_fini(struct replay *replay);

/* Hooks a program to the events whose number the event has. Returns 0 or -errno with *why. */
int
replay_hook(struct replay *replay, const struct program *program, struct event *event, struct text *why);

/* Reads the event after the one that waits. */
void
replay_advance(struct replay *replay);

/* Handles events before `until`, `max` at most, and hands on what programs send. */
void
replay_events(struct replay *replay, uint64_t until, int max, struct sink *sink);

/* ---- operations of struct source_ops, as they are ---- */

/* Which files processes had mapped is not known: frames of programs are shown as addresses. */
struct spaces *
replay_spaces(struct source *source);

void
replay_stats(struct source *source, struct source_stats *stats);

#endif
