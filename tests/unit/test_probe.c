/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Definitions of probes: which are taken, what they become, and what is said of the others. Functions of files are those of
 * this program. Nothing is attached: tests/cases/probes does that.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "event/event.h"

#define SELF "probe:/proc/self/exe:"

struct seen {
	struct arena *arena;
	struct events *events;
	struct diags diags;
	struct event *first;
	int n;
};

static void
see(struct event *event, void *arg)
{
	struct seen *seen = arg;

	if (seen->n++ == 0)
		seen->first = event;
}

static void
define(struct seen *seen, enum events_origin origin, const char *pattern)
{
	*seen = (struct seen){ .arena = arena_new() };
	seen->events = events_new(seen->arena, origin);
	diags_init(&seen->diags, seen->arena, NULL);
	events_define(seen->events, pattern, (struct span){ 0, 1 }, &seen->diags, see, seen);
}

int
known_function(int n);

__attribute__((noinline)) int
known_function(int n)
{
	return n + 1;
}

static const struct {
	const char *pattern, *slug; /* of the error, or NULL */
	enum event_kind kind;
	const char *name;
	const char *fields; /* those that argstr may show and the implicit ones, each with a space behind */
} definitions[] = {
	{ "probe:vfs_read", NULL, EVENT_KPROBE, "vfs_read", "arg0 arg1 arg2 arg3 arg4 arg5 __probe_ip " },
	{ "probe:vfs_read+0x10", NULL, EVENT_KPROBE, "vfs_read_0x10", "arg0 arg1 arg2 arg3 arg4 arg5 __probe_ip " },
	{ "probe:f.isra.0", NULL, EVENT_KPROBE, "f_isra_0", "arg0 arg1 arg2 arg3 arg4 arg5 __probe_ip " },
	{ "probe:vfs_read%return", NULL, EVENT_KRETPROBE, "ret_vfs_read", "__probe_func __probe_ret_ip retval " },
	{ "probe:vfs_read+0%return", NULL, EVENT_KRETPROBE, "ret_vfs_read_0", "__probe_func __probe_ret_ip retval " },
	{ "probe:f%return $retval", NULL, EVENT_KRETPROBE, "ret_f", "__probe_func __probe_ret_ip arg1 retval " },
	{ "probe:f%return retval=$retval:s8", NULL, EVENT_KRETPROBE, "ret_f", "__probe_func __probe_ret_ip retval " },
	{ "probe:f a=%di\tb=%rsi:u8  c=-8(%bp):x64", NULL, EVENT_KPROBE, "f", "__probe_ip a b c " },
	{ "probe:f a=+0(+8(-4($stack12))):string", NULL, EVENT_KPROBE, "f", "__probe_ip a " },
	{ "probe:f a=+u0(%si):ustring b=@0x1000:u16 ", NULL, EVENT_KPROBE, "f", "__probe_ip a b " },
	{ SELF "known_function", NULL, EVENT_UPROBE, "known_function", "arg0 arg1 arg2 arg3 arg4 arg5 __probe_ip " },
	{ SELF "known_fun[c]*on%return", NULL, EVENT_URETPROBE, "ret_known_function",
	  "__probe_func __probe_ret_ip retval " },
	{ "probe:", "bad-probe" },
	{ "probe: a=%di", "bad-probe" },
	{ "probe::", "bad-probe" },
	{ "probe:%return", "bad-probe" },
	{ "probe:+4", "bad-probe" },
	{ "probe:f+", "bad-probe" },
	{ "probe:f+99999999999999999999", "bad-probe" },
	{ "probe:f+1%return", "bad-probe" },
	{ "probe:f%", "bad-probe" },
	{ "probe:f%returns", "bad-probe" },
	{ "probe:f=", "bad-probe" },
	{ "probe:f a=", "bad-fetch-argument" },
	{ "probe:f =%di", "bad-fetch-argument" },
	{ "probe:f 1a=%di", "bad-fetch-argument" },
	{ "probe:f a=%", "bad-fetch-argument" },
	{ "probe:f a=%r", "bad-fetch-argument" },
	{ "probe:f a=%rr8", "bad-fetch-argument" },
	{ "probe:f a=%di:", "bad-fetch-argument" },
	{ "probe:f a=%di:u", "bad-fetch-argument" },
	{ "probe:f a=%di:u8x", "bad-fetch-argument" },
	{ "probe:f a=%di,", "bad-fetch-argument" },
	{ "probe:f a=+(%di)", "bad-fetch-argument" },
	{ "probe:f a=+8%di", "bad-fetch-argument" },
	{ "probe:f a=+8(%di", "bad-fetch-argument" },
	{ "probe:f a=+99999999999(%di)", "bad-fetch-argument" },
	{ "probe:f a=@", "bad-fetch-argument" },
	{ "probe:f a=$", "bad-fetch-argument" },
	{ "probe:f a=$arg0", "bad-fetch-argument" },
	{ "probe:f a=$arg7", "bad-fetch-argument" },
	{ "probe:f a=$stack9999", "bad-fetch-argument" },
	{ "probe:f a=$comm", "bad-fetch-argument" },
	{ "probe:f a=$retval", "bad-fetch-argument" },
	{ "probe:f%return a=$arg1", "bad-fetch-argument" },
	{ "probe:f a=%di:string", "bad-fetch-argument" },
	{ "probe:f a=%di a=%si", "bad-fetch-argument" },
	{ "probe:f %di %di %di %di %di %di %di %di %di", "bad-fetch-argument" },
	{ SELF "known_functoin", "unknown-function" },
	{ SELF "nosuch*", "unknown-function" },
	{ SELF "0x1", "unreadable-program" },
	{ "probe:/nonexistent:f", "unreadable-program" },
	{ "probe:/:f", "unreadable-program" },
	{ "probe:/dev/null:f", "unreadable-program" },
	{ "probe:nosuchlibrary:f", "unreadable-program" },
};

static void
all_definitions(void **state)
{
	struct text fields = { 0 };
	struct seen seen;
	uint32_t i, j;

	for (i = 0; i < ARRAY_SIZE(definitions); i++) {
		define(&seen, EVENTS_KERNEL, definitions[i].pattern);
		if (definitions[i].slug) {
			if (!diags_have(&seen.diags, definitions[i].slug) || seen.n)
				fail_msg("%s: no [%s]", definitions[i].pattern, definitions[i].slug);
		} else {
			if (seen.diags.n_errors || seen.n != 1)
				fail_msg("%s: %u errors, %d events", definitions[i].pattern, seen.diags.n_errors, seen.n);
			assert_int_equal(seen.first->kind, definitions[i].kind);
			assert_string_equal(seen.first->name, definitions[i].name);
			for (j = 0; j < seen.first->n_fields; j++)
				text_printf(&fields, "%s ", seen.first->fields[j].name);
			assert_string_equal(fields.s, definitions[i].fields);
			text_fini(&fields);
			fields = (struct text){ 0 };
		}
		arena_free(seen.arena);
	}
}

/* Equal definitions are one event, so one key in tables; others are not, though they have a name in common. */
/* However many brackets there are, it is an error of the script and not the end of our stack. */
static void
many_brackets(void **state)
{
	struct text pattern = { 0 };
	struct seen seen;

	text_puts(&pattern, "probe:f a=");
	for (int i = 0; i < 300000; i++)
		text_puts(&pattern, "+0(");
	define(&seen, EVENTS_KERNEL, pattern.s);
	assert_int_equal(seen.n, 0);
	assert_int_equal(seen.diags.n_errors, 1);
	assert_string_equal(seen.diags.first->slug, "bad-fetch-argument");
	text_fini(&pattern);
	arena_free(seen.arena);
}

static void
equal_definitions(void **state)
{
	struct event *first;
	struct seen seen;

	define(&seen, EVENTS_KERNEL, "probe:f a=%di");
	first = seen.first;
	events_define(seen.events, "probe:f a=%di", (struct span){ 0, 1 }, &seen.diags, see, &seen);
	assert_int_equal(seen.n, 2);
	seen.n = 0;
	events_define(seen.events, "probe:f a=%di", (struct span){ 0, 1 }, &seen.diags, see, &seen);
	assert_ptr_equal(seen.first, first);
	seen.n = 0;
	events_define(seen.events, "probe:f a=%si", (struct span){ 0, 1 }, &seen.diags, see, &seen);
	assert_ptr_not_equal(seen.first, first);
	arena_free(seen.arena);
}

/* The user engine tells what is wrong with a probe, and else that it has none. */
static void
in_user_engine(void **state)
{
	static const char *const cases[][2] = {
		{ "probe:vfs_read", "unsupported-event" },
		{ SELF "known_function", "unsupported-event" },
		{ SELF "known_functoin", "unknown-function" },
		{ "probe:f a=%nosuch", "bad-fetch-argument" },
	};
	struct seen seen;
	uint32_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		define(&seen, EVENTS_USER, cases[i][0]);
		assert_true(diags_have(&seen.diags, cases[i][1]));
		assert_int_equal(seen.n, 0);
		arena_free(seen.arena);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_definitions),
		cmocka_unit_test(many_brackets),
		cmocka_unit_test(equal_definitions),
		cmocka_unit_test(in_user_engine),
	};

	return known_function(0) != 1 || cmocka_run_group_tests(tests, NULL, NULL);
}
