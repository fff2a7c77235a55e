/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * host_int: what the files of libktap share. The room has no header of its own in src: what it offers is include/ktap.h.
 */
#ifndef KTAP_HOST_INT_H
#define KTAP_HOST_INT_H

#include <pthread.h>

#include "ktap.h"
#include "event/event.h"
#include "vm/vm.h"

/* An event of the host. */
struct ktap_event {
	struct ktap_event *next;
	const struct ktap *engine;
	char *name;
	uint32_t size;
	enum ktap_context context;
	uint32_t number;       /* from 0, in the order in which they were added */
	/* What scripts know of it (ktap-script.h); all lives in the arena. NULL: it was not described. */
	struct arena *arena;
	const char *system, *own_name;
	struct field *fields;  /* as in a record: HOST_HEADER_SIZE bytes stand before the context */
	uint32_t n_fields;
};

/*
 * Tables are for many threads by themselves, save those with a value for each CPU, of which an engine has one. `lock` is held while a program of an
 * object with such a table runs, or such a table is used; a helper of the host's may take it again.
 */
struct ktap {
	pthread_mutex_t lock;
	struct ktap_event *events; /* in order */
};

/* A table as the host sees it: of an object, or with a machine of its own. */
struct ktap_table {
	struct ktap *engine;
	struct vm *vm;
	uint32_t index;
	const struct table *table;
	struct ktap_object *object; /* NULL: it is one of the host's */
	struct own_table *own; /* of a table of the host's; NULL: the object owns it */
	pthread_mutex_t reader; /* of a ring buffer: held by the one thread that consumes */
};

struct ktap_program {
	struct ktap_object *object;
	const struct func *func;
	const struct ktap_event *event; /* NULL: init or fini */
	struct vm_program *run;
};

struct ktap_object {
	struct ktap *engine;
	struct arena *arena;
	struct object *object;
	struct vm *vm;
	struct ktap_program *programs;
	uint32_t n_programs;
	bool is_serial;            /* it has tables that are not for many threads */
	struct ktap_table *tables; /* by index */
	void (*print)(void *arg, const char *line, size_t len);
	void *print_arg;
};

/* Sets this thread's message; returns err. */
int
host_fail(int err, const char *format, ...) PRINTF_LIKE(2, 3);

/* The same with a message that is there; it is emptied. */
int
host_fail_text(int err, struct text *why);

/* 0 and how programs shall run; -EINVAL: the options say what there is not. */
int
host_exec(enum ktap_exec wanted, enum vm_exec *exec);

/* May many threads use such a table at once? (The one value that a per-CPU table has here is not for several.) */
bool
host_table_is_shared(const struct table *table);

/* What an object's table needs of its own, beside what the machine has. */
void
host_table_init(struct ktap_table *table, struct ktap_object *object, uint32_t index);

void
host_table_fini(struct ktap_table *table);

/* The object's program that was loaded so; NULL: none. */
const struct ktap_program *
host_program(const struct ktap_object *object, const struct vm_program *run);

/* Who runs programs, this thread, and when: now. The thread as it was at its first run. */
void
host_env(struct vm_env *env);

struct ktap_event *
host_event_find(const struct ktap *engine, const char *name);

#endif
