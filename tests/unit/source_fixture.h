/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What the tests of sources share: the traced command is the test program itself, which acts one of its scenarios (`test_x act NAME`), and an
 * object made by hand, whose programs count events in its first table, an array by event number.
 *
 * Needs cmocka.h before it.
 */
#ifndef SOURCE_FIXTURE_H
#define SOURCE_FIXTURE_H

#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "source/source.h"

#define SELF "/proc/self/exe"

/* ---- the traced command ---------------------------------------------------------------------- */

static inline void
calls(int n)
{
	while (n-- > 0)
		syscall(SYS_getppid);
}

/* Of a thread that is one of several. */
static inline void *
thread_calls(void *arg)
{
	calls(500);
	return arg;
}

struct scenario {
	const char *name;
	int (*act)(void);
};

/* Returns the scenario's exit status; 99: there is none of this name. */
static inline int
act(const struct scenario *scenarios, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(scenarios[i].name, name) == 0)
			return scenarios[i].act();
	return 99;
}

static inline double
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* ---- an object by hand ----------------------------------------------------------------------- */

enum { COUNTS }; /* the first table of every test object */

#define COUNTED_EVENTS_MAX 4096

struct run {
	struct arena *arena;
	struct events *events;
	struct object *object;
	struct source *source;
	struct text why;
	struct code code;              /* of the program that is being made */
	char *argv[4];                 /* of the command */
	const struct program *program; /* that is being attached */
	struct source_stats stats;
};

/* Adds a table; what `form` points to is copied. Returns its index. */
static inline uint32_t
run_add_table(struct run *run, const struct table *form)
{
	struct table *table = arena_alloc(run->arena, sizeof(*table));

	*table = *form;
	return object_add_table(run->object, table);
}

/* Without a source, which stays NULL. */
static inline void
run_init(struct run *run, enum events_origin origin)
{
	*run = (struct run){ .arena = arena_new() };
	run->events = events_new(run->arena, origin);
	run->object = object_new(run->arena, "test", NULL);
	run->object->table_globals = run->object->stacks[STACKS_KERNEL].first = run->object->table_event_info = UINT32_MAX;
	run->object->exit_flag_off = UINT32_MAX;
	run_add_table(run, &(struct table){ .name = "counts", .kind = TABLE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = COUNTED_EVENTS_MAX });
}

static inline void
run_fini(struct run *run)
{
	if (run->source)
		run->source->ops->close(run->source);
	text_fini(&run->why);
	arena_free(run->arena);
}

static inline void
emit(struct run *run, struct bpf_insn insn)
{
	code_emit(&run->code, insn);
}

/* counts[event] += 1: the event's number is in r3. Goes to `out` where that cannot be. Leaves the number, the key, at r10 - 8. */
static inline void
emit_count(struct run *run, uint32_t out)
{
	emit(run, insn_store(BPF_W, 10, 3, -8));
	code_table(&run->code, 1, COUNTS);
	emit(run, insn_mov(2, 10));
	emit(run, insn_alu_imm(BPF_ADD, 2, -8));
	emit(run, insn_call(BPF_FUNC_map_lookup_elem));
	code_branch_imm(&run->code, BPF_JEQ, 0, 0, out);
	emit(run, insn_mov_imm(1, 1));
	emit(run, insn_atomic(BPF_DW, BPF_ADD, 0, 1, 0));
}

/* Sends `size` bytes from r2 on as a record. */
static inline void
emit_send(struct run *run, uint32_t records, uint32_t size)
{
	code_table(&run->code, 1, records);
	emit(run, insn_mov_imm(3, (int32_t)size));
	emit(run, insn_mov_imm(4, 0));
	emit(run, insn_call(BPF_FUNC_ringbuf_output));
}

/* ---- running it ------------------------------------------------------------------------------ */

static inline void
attach_event(struct event *event, void *arg)
{
	struct run *run = arg;
	int err;

	if (event->index == UINT32_MAX)
		event->index = object_add_event(run->object, event);
	err = run->source->ops->attach(run->source, run->program, event, &run->why);
	if (err < 0)
		fail_msg("%s", run->why.s ? run->why.s : strerror(-err));
}

/* Returns how many events it was attached to. */
static inline int
attach(struct run *run, const struct program *program, const char *pattern)
{
	run->program = program;
	return events_match(run->events, pattern, attach_event, run);
}

static inline void
start(struct run *run)
{
	if (run->source->ops->start(run->source, &run->why) < 0)
		fail_msg("%s", run->why.s);
}

static inline uint64_t
count_of(struct run *run, const char *system, const char *name)
{
	struct event *event = events_find(run->events, system, name);
	uint64_t count = 0;

	assert_non_null(event);
	if (event->index != UINT32_MAX)
		assert_int_equal(run->source->ops->lookup(run->source, COUNTS, &event->index, &count), 0);
	return count;
}

#endif
