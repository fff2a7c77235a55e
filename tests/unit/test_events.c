/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Known events, globs over them, their fields. What needs tracefs is skipped where it can't be read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "event/event.h"

struct known {
	struct arena *arena;
	struct events *kernel, *user;
};

static int
setup(void **state)
{
	struct known *known = calloc(1, sizeof(*known));

	if (!known)
		return -1;
	known->arena = arena_new();
	known->kernel = events_new(known->arena, EVENTS_KERNEL);
	known->user = events_new(known->arena, EVENTS_USER);
	*state = known;
	return 0;
}

static int
teardown(void **state)
{
	struct known *known = *state;

	arena_free(known->arena);
	free(known);
	return 0;
}

struct found {
	int n;
	struct event *first, *last;
	bool ordered;
};

static bool
in_order(const struct event *a, const struct event *b)
{
	int order = strcmp(a->system, b->system);

	return order < 0 || (order == 0 && strcmp(a->name, b->name) < 0);
}

static void
note(struct event *event, void *arg)
{
	struct found *found = arg;

	if (found->n++ == 0)
		found->first = event;
	else if (event->number >= 0 && event->number < found->last->number)
		found->ordered = false;
	else if (event->number < 0 && found->last->number < 0 && !in_order(found->last, event))
		found->ordered = false;
	found->last = event;
}

static struct found
match(struct events *events, const char *pattern)
{
	struct found found = { .ordered = true };
	int n = events_match(events, pattern, note, &found);

	assert_int_equal(n, found.n);
	return found;
}

static void
need_tracefs(struct events *events)
{
	if (events_tracefs_error(events) < 0) {
		print_message("# skipped: tracefs: %s\n", strerror(-events_tracefs_error(events)));
		skip();
	}
}

/* ---- tests ----------------------------------------------------------------------------------- */

static void
patterns(void **state)
{
	static const struct {
		const char *pattern;
		int n; /* -1: more than one */
		const char *first;
	} cases[] = {
		{ "syscalls:sys_enter_openat", 1, "sys_enter_openat" },
		{ "syscalls:sys_*_getppid", 2, "sys_enter_getppid" },
		{ "syscalls:sys_enter_stat", 1, "sys_enter_newstat" }, /* unistd.h's name */
		{ "syscalls:sys_enter_*", -1, "sys_enter_read" },
		{ "syscalls:sys_e[nx]*_[r]ead", 2, "sys_enter_read" },
		{ "syscalls:no_such", 0, NULL },
		{ "syscalls:", 0, NULL },
		{ ":", 0, NULL },
		{ "sched:sched_process_fork", 1, "sched_process_fork" },
		{ "sched:sched_process_e*", 2, "sched_process_exec" },
		{ "*:signal_*", 1, "signal_deliver" },
		{ "*:*", -1, "sys_enter_read" },
	};
	struct known *known = *state;
	struct found found;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		found = match(known->user, cases[i].pattern);
		if (cases[i].n < 0)
			assert_true(found.n > 1);
		else
			assert_int_equal(found.n, cases[i].n);
		if (cases[i].first)
			assert_string_equal(found.first->name, cases[i].first);
		assert_true(found.ordered || !strchr(cases[i].pattern, '*'));
	}
	assert_int_equal(events_match(known->user, "nocolon", note, &found), -22);
}

static void
same_event_same_struct(void **state)
{
	struct known *known = *state;
	struct event *event = events_find(known->user, "syscalls", "sys_enter_read");

	assert_ptr_equal(match(known->user, "syscalls:sys_enter_read").first, event);
	assert_ptr_equal(events_find_name(known->user, "sys_enter_read"), event);
	assert_ptr_equal(match(known->user, "*:sys_enter_read").first, event);
	assert_ptr_equal(events_find(known->user, "sched", "sys_enter_read"), NULL);
	assert_ptr_equal(events_find_name(known->user, "sched_process_fork"),
			 events_find(known->user, "sched", "sched_process_fork"));
	assert_ptr_equal(events_kprobe(known->user, "vfs_read"), events_kprobe(known->user, "vfs_read"));
	assert_ptr_equal(events_find_name(known->user, "vfs_read"), events_kprobe(known->user, "vfs_read"));
}

static void
suggestions(void **state)
{
	struct known *known = *state;
	struct event *event = events_suggest(known->user, "sched:sched_proces_frok");

	assert_non_null(event);
	assert_string_equal(event->name, "sched_process_fork");
	event = events_suggest(known->user, "syscall:sys_enter_opennat");
	assert_non_null(event);
	assert_string_equal(event->name, "sys_enter_openat");
	assert_null(events_suggest(known->user, "completely:different_thing_altogether"));
}

static void
profile_names(void **state)
{
	struct known *known = *state;

	assert_string_equal(events_profile(known->user, 10000000)->name, "profile-10ms");
	assert_string_equal(events_profile(known->user, 2000000000)->name, "profile-2s");
	assert_string_equal(events_profile(known->user, 1500)->name, "profile-1500ns");
	assert_int_equal(events_profile(known->user, 1500)->period_ns, 1500);
}

static void
fields_of_system_calls(void **state)
{
	static const struct {
		const char *event, *field;
		uint32_t offset, size, value_size;
		enum field_kind kind;
		bool is_signed;
	} cases[] = {
		{ "sys_enter_openat", "__syscall_nr", 8, 4, 4, FIELD_INT, true },
		{ "sys_enter_openat", "dfd", 16, 8, 4, FIELD_INT, true },
		{ "sys_enter_openat", "filename", 24, 8, 8, FIELD_USER_STR, false },
		{ "sys_enter_openat", "mode", 40, 8, 2, FIELD_INT, false },
		{ "sys_enter_read", "buf", 24, 8, 8, FIELD_INT, false },
		{ "sys_enter_write", "buf", 24, 8, 8, FIELD_INT, false },
		{ "sys_enter_sethostname", "name", 16, 8, 8, FIELD_INT, false },
		{ "sys_enter_mount", "dir_name", 24, 8, 8, FIELD_USER_STR, false },
		{ "sys_exit_openat", "ret", 16, 8, 8, FIELD_INT, true },
	};
	struct known *known = *state;
	const struct field *field;
	struct event *event;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		event = events_find(known->kernel, "syscalls", cases[i].event);
		assert_non_null(event);
		assert_int_equal(event_load_fields(known->kernel, event), 0);
		field = event_field(event, cases[i].field);
		assert_non_null(field);
		assert_int_equal(field->offset, cases[i].offset);
		assert_int_equal(field->size, cases[i].size);
		assert_int_equal(field->value_size, cases[i].value_size);
		assert_int_equal(field->kind, cases[i].kind);
		assert_int_equal(field->is_signed, cases[i].is_signed);
	}
	assert_int_equal(event_string_args(events_find(known->kernel, "syscalls", "sys_enter_openat")),
			 1 << 1);
	assert_int_equal(event_string_args(events_find(known->kernel, "syscalls", "sys_enter_renameat")),
			 1 << 1 | 1 << 3);
	assert_int_equal(event_string_args(events_find(known->kernel, "syscalls", "sys_enter_read")), 0);
	assert_int_equal(event_string_args(events_find(known->kernel, "syscalls", "sys_exit_openat")), 0);
}

/* string_args and the kinds of fields say the same, for every call. */
static void
string_args_agree(void **state)
{
	struct known *known = *state;
	struct event *event;
	uint32_t i, mask;
	int32_t nr;
	char name[80];

	for (nr = 0; nr < SYSCALLS_MAX; nr++) {
		if (!syscall_by_number(nr))
			continue;
		snprintf(name, sizeof(name), "sys_enter_%s", syscall_by_number(nr)->name);
		event = events_find(known->kernel, "syscalls", name);
		assert_non_null(event);
		assert_int_equal(event_load_fields(known->kernel, event), 0);
		for (mask = 0, i = 1; i < event->n_fields; i++)
			if (event->fields[i].kind == FIELD_USER_STR)
				mask |= 1u << (i - 1);
		assert_int_equal(mask, event_string_args(event));
	}
}

static void
fields_of_user_events(void **state)
{
	struct known *known = *state;
	struct event *event = events_find(known->user, "sched", "sched_process_fork");

	assert_int_equal(event_load_fields(known->user, event), 0);
	assert_int_equal(event_load_fields(known->user, event), 0); /* again: nothing twice */
	assert_int_equal(event->n_fields, 4);
	assert_int_equal(event->record_size, 48);
	assert_int_equal(event_field(event, "child_pid")->offset, 44);
	assert_int_equal(event_field(event, "child_comm")->kind, FIELD_CHARS);
	assert_null(event_field(event, "common_pid"));
	event = events_find(known->user, "sched", "sched_process_exec");
	assert_int_equal(event_load_fields(known->user, event), 0);
	assert_int_equal(event_field(event, "filename")->kind, FIELD_DATA_LOC);
}

/* What this kernel says of its tracepoints. */
static void
fields_of_tracepoints(void **state)
{
	struct known *known = *state;
	const struct field *field;
	struct event *event;

	need_tracefs(known->kernel);
	event = events_find(known->kernel, "sched", "sched_process_exec");
	assert_non_null(event);
	assert_int_equal(event->id, -1);
	assert_int_equal(event_load_fields(known->kernel, event), 0);
	assert_true(event->id > 0);
	assert_int_equal(event_field(event, "filename")->kind, FIELD_DATA_LOC);
	field = event_field(event, "pid");
	assert_int_equal(field->kind, FIELD_INT);
	assert_int_equal(field->size, 4);
	assert_true(field->is_signed);
	assert_true(event->record_size >= field->offset + field->size);
	event = events_find(known->kernel, "sched", "sched_process_exit");
	assert_int_equal(event_load_fields(known->kernel, event), 0);
	assert_int_equal(event_field(event, "comm")->kind, FIELD_CHARS);
	assert_int_equal(event_field(event, "comm")->size, 16);
}

/* Layouts that are the same in all kernels so far are the same in the user engine. */
static void
user_layouts_are_the_kernels(void **state)
{
	static const struct {
		const char *system, *name, *field;
	} cases[] = {
		{ "sched", "sched_process_exec", "filename" }, { "sched", "sched_process_exec", "pid" },
		{ "sched", "sched_process_exec", "old_pid" },  { "sched", "sched_process_exit", "comm" },
		{ "sched", "sched_process_exit", "pid" },      { "signal", "signal_deliver", "sig" },
		{ "signal", "signal_deliver", "errno" },       { "signal", "signal_deliver", "code" },
		{ "signal", "signal_deliver", "sa_handler" },  { "signal", "signal_deliver", "sa_flags" },
	};
	struct known *known = *state;
	struct event *kernel, *user;
	const struct field *a, *b;
	size_t i;

	need_tracefs(known->kernel);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		kernel = events_find(known->kernel, cases[i].system, cases[i].name);
		user = events_find(known->user, cases[i].system, cases[i].name);
		assert_int_equal(event_load_fields(known->kernel, kernel), 0);
		assert_int_equal(event_load_fields(known->user, user), 0);
		a = event_field(kernel, cases[i].field);
		b = event_field(user, cases[i].field);
		assert_non_null(a);
		assert_non_null(b);
		assert_int_equal(a->offset, b->offset);
		assert_int_equal(a->size, b->size);
		assert_int_equal(a->kind, b->kind);
		assert_int_equal(a->is_signed, b->is_signed);
		assert_string_equal(a->type, b->type);
	}
}

static void
every_tracepoint_loads(void **state)
{
	struct known *known = *state;
	struct found found;
	struct timespec t0, t1;

	need_tracefs(known->kernel);
	clock_gettime(CLOCK_MONOTONIC, &t0);
	found = match(known->kernel, "*:*");
	clock_gettime(CLOCK_MONOTONIC, &t1);
	assert_true(found.n > 1000 && found.ordered);
	print_message("# %d events matched in %.2f ms\n", found.n,
		      (double)(t1.tv_sec - t0.tv_sec) * 1e3 + (double)(t1.tv_nsec - t0.tv_nsec) / 1e6);
}

static void
listing(void **state)
{
	struct known *known = *state;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(events_list(known->user, "sched:sched_process_exit", out, NULL), 1);
	fclose(out);
	assert_string_equal(text, "sched:sched_process_exit\n"
				  "    comm                     char[16]\n"
				  "    pid                      pid_t\n"
				  "    prio                     int\n");
	free(text);
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		T(patterns),
		T(same_event_same_struct),
		T(suggestions),
		T(profile_names),
		T(fields_of_system_calls),
		T(string_args_agree),
		T(fields_of_user_events),
		T(fields_of_tracepoints),
		T(user_layouts_are_the_kernels),
		T(every_tracepoint_loads),
		T(listing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
