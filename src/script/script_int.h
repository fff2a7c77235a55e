/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * script_int: what the files of libktap-script share. As src/host, the room has no header of its own in src: what it offers is include/ktap-script.h.
 */
#ifndef KTAP_SCRIPT_INT_H
#define KTAP_SCRIPT_INT_H

#include "host/host_int.h"
#include "ktap-script.h"
#include "session/session.h"

/* A variable that the script's handlers use: a table, or one in the memory of globals. */
struct script_variable {
	const struct global *global; /* NULL: table number `table` */
	uint32_t table;
	const char *name;
	uint32_t off;                /* in the script's text */
};

struct ktap_script {
	struct ktap *engine;
	struct arena *arena;
	struct script text;
	struct events *events;   /* of this script alone: it numbers them */
	struct object *object;
	struct source *source;   /* NULL: it has no handlers */
	struct session *session;
	struct session_options how;
	struct ktap_script_options options;
	FILE *messages;          /* what goes wrong: while the script is opened it comes together in `said`, later report gets it */
	struct text said;
	bool is_open;
	bool is_over;
	struct script_variable *variables; /* in the order of the text */
	uint32_t n_variables;
	int wait_fd;             /* -1 until it is asked for */
};

/* The described events of an engine, in `arena`. */
struct events *
script_events(const struct ktap *engine, struct arena *arena);

/* Finds the variables of a script with a source. */
void
script_list_variables(struct ktap_script *script);

/* ---- stack.c ---- */

#define STACK_OWN_MAX 4 /* frames of ours, above the host's: the three that stack.c shows, and a sanitizer's */
#define STACK_MAX     (VM_STACK_DEPTH_MAX + BPF_F_SKIP_FIELD_MASK + STACK_OWN_MAX)

/* The stack of a thread that fires: frames[first] is where its call of ktap_script_fire returns to. */
struct script_stack {
	void *frames[STACK_MAX];
	int first, n;
};

/* To be called once before threads fire, so that the first of them need not load what it takes. */
void
script_stack_prepare(void);

/* At least `depth` frames, where there are so many; `caller` is where the host goes on. */
void
script_stack_take(struct script_stack *stack, uint32_t depth, void *caller);

/* vm_env.unwind; `arg` is the struct script_stack. */
int64_t
script_stack_give(void *arg, uint64_t *addrs, uint32_t max);

#endif
