/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * host: the source of a program that hosts scripts and fires events by itself (host.c).
 */
#ifndef KTAP_SOURCE_HOST_H
#define KTAP_SOURCE_HOST_H

#include "source/source.h"

#define HOST_EVENTS_MAX 1024 /* numbers of events (event->id) are below this */

/*
 * Makes the object's tables. Before attach source_set_exec and source_host_limit may be called. Returns 0 and a new source, or -errno with *why.
 */
int
source_host_open(struct source **source, const struct object *object, struct events *events, struct text *why);

/* What one call of a handler may use up (vm_set_budget), and how constants of programs are written. */
void
source_host_limit(struct source *source, uint32_t budget, enum vm_constants constants);

/*
 * Runs the handlers of the event with this number on a context, of which its description is true. Between start and close any number of
 * threads may call this at once; after stop it does nothing. `who`: who fires, and when; memory reads are seen to. Returns how many ran.
 */
int
source_host_fire(struct source *source, uint32_t number, const void *context, const struct vm_env *who);

/* Has the event with this number handlers, for whom it is worth to find out who fires? */
bool
source_host_has(struct source *source, uint32_t number);

/* Gives fn the keys of a table (vm_table_each), at any time between open and close, in any thread. lookup and globals can be asked so, too. */
int
source_host_each(struct source *source, uint32_t table, int (*fn)(void *arg, const void *key), void *arg);

/* How many frames of who fires it an event's handlers may ask for, by who->unwind of source_host_fire; 0: none. */
uint32_t
source_host_stack_depth(struct source *source, uint32_t number);

/* Reports what a script asks and no host can answer: stacks of the kernel, timers on every CPU, what the kernel alone knows. */
void
source_host_check(const struct object *object, struct diags *diags);

#endif
