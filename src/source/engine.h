/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The user engine, for the sources that feed it: a machine with the object's tables, the programs loaded into it, and who raised
 * the event that is handled.
 *
 *     engine.c      this interface
 *     ptrace*.c     events of a command, while it runs
 *     replay*.c     events of a recording
 *     host.c        events that a program fires by itself
 *
 * A source embeds a struct engine as its first member, so that the operations on tables serve all of them as they are.
 */
#ifndef KTAP_ENGINE_H
#define KTAP_ENGINE_H

#include "source/source.h"
#include "vm/vm.h"

/* A program, loaded once however many events it serves. */
struct loaded {
	struct loaded *next;
	const struct program *program;
	struct vm_program *run;
	void *scratch;
};

/* A program for init or fini. */
struct own_hook {
	struct own_hook *next;
	const struct loaded *loaded;
	const struct event *event;
};

struct engine {
	struct source source;
	struct events *events;
	struct vm *vm;
	struct loaded *loaded;
	enum vm_exec exec;
	enum vm_callx callx;
	struct own_hook *moments;    /* in the order of their registration */
	const uint64_t *exit_flag; /* in the globals; NULL: no probe calls exit() */
	uint64_t n_events;
	struct vm_env env;         /* filled in by the source before engine_run */
};

/* Makes tables and machine. `engine` is zeroed; ops NULL: it helps another that is the source. Returns 0 or -errno with *why; engine_fini in either case. */
int
engine_init(struct engine *engine, const struct source_ops *ops, const struct object *object, struct events *events,
	    uint32_t n_cpus, struct text *why);

void
engine_fini(struct engine *engine);

/* The loaded form of a program, made at the first question. NULL with errno set and, where there is more to say, *why. */
struct loaded *
engine_load(struct engine *engine, const struct program *program, struct text *why);

/* Runs a program on the record of an event; `record` is readable for the program's record_size bytes. */
void
engine_run(struct engine *engine, const struct loaded *loaded, const struct event *event, const void *record);

/* Runs a program that no event is for, as ktap itself: struct source_ops, once. */
int
engine_once(struct source *source, const struct program *program, struct text *why);

/* struct source_ops, put. */
int
engine_put(struct source *source, const struct program *program, uint32_t table, uint32_t place, struct text *why);

/* Attaches a program to init or fini. Returns 0 or -errno with *why set. */
int
engine_add_moment(struct engine *engine, const struct program *program, const struct event *event, struct text *why);

/* Runs those of EVENT_INIT or EVENT_FINI, as ktap itself. */
void
engine_run_moments(struct engine *engine, enum event_kind kind);

/* struct source_ops, finish. */
int
engine_finish(struct source *source, struct text *why);

/* Has a probe called exit()? */
bool
engine_exited(const struct engine *engine);

/* Where records go: the arguments of pump, and their count. */
struct sink {
	void (*fn)(void *arg, const void *record, size_t len);
	void *arg;
	int n;
};

/* Hands the records that programs have sent to the sink. */
void
engine_drain(struct engine *engine, struct sink *sink);

/* ---- operations of struct source_ops, as they are ---------------------------------------------------- */

/* Where programs run by themselves, and no events wait: records do. */
int
engine_poll_fds(struct source *source, int *fds, int max);

int
engine_pump(struct source *source, void (*fn)(void *arg, const void *record, size_t len), void *arg);

int
engine_lookup(struct source *source, uint32_t table, const void *key, void *value);

int
engine_update(struct source *source, uint32_t table, const void *key, const void *value, uint64_t flags);

int
engine_remove(struct source *source, uint32_t table, const void *key);

int
engine_next(struct source *source, uint32_t table, const void *key, void *next);

void *
engine_globals(struct source *source);

/* Adds what the engine knows to the rest of the statistics. */
void
engine_stats(const struct source *source, struct source_stats *stats);

#endif
