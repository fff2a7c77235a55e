/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Names, builtins and halves: scripts against the slugs they earn, and against what the passes find out.
 */
#include <limits.h>

#include "lang_fixture.h"

/* ---- diagnostics ---- */

static const struct slug_row {
	const char *script, *slugs;
} slug_rows[] = {
	/* names */
	{ "var x = 1 x += 1 print(x)", "" },
	{ "x = 1 x = 2", "1:1 undeclared-variable" },
	{ "x += 1", "1:1 undeclared-variable" },
	{ "x[1] = 2", "1:1 unknown-name" },
	{ "print(foo, foo)", "1:7 unknown-name" },
	{ "{ var a = 1 } print(a)", "1:21 unknown-name" },
	{ "var a = a", "1:9 unknown-name" },
	{ "for (i = i, 2) { } print(i)", "1:10 unknown-name" },
	{ "repeat var a = 1 until (a)", "" },
	{ "for (var i = 0; i < 2; i++) { print(i) }", "" },
	{ "for (i = 0; i < 2; i++) { }", "1:6 undeclared-variable" },
	{ "function f() { f() } f()", "" },
	{ "var f = function () { f() }", "1:23 unknown-name" },
	{ "function f(a) { } print(a)", "1:25 unknown-name" },
	{ "pid = 1 args = 2 kdebug = 3", "1:1 assign-builtin, 1:9 assign-builtin, 1:18 assign-builtin" },
	{ "var pid = 1 pid = 2 print(pid)", "" },
	{ "kdebug.foo() print(kdebug)", "1:1 unknown-name, 1:20 unknown-name" },
	{ "var timer = {} timer.foo = 1", "" },
	{ "break", "1:1 no-loop" },
	{ "while (true) { var f = function () { continue } }", "1:38 no-loop" },
	{ "while (true) { if (true) { break } }", "" },
	{ "print(...)", "1:7 no-vararg" },
	{ "function f(...) { print(...) }", "" },
	{ "len() len(1, 2) len(1)", "1:1 wrong-argument-count, 1:7 wrong-argument-count" },
	{ "function f(...) { len(...) } f()", "" },
	{ "function f(a) { } f() f(1, 2)", "" },
	{ "exit(1) print() printf()", "1:1 wrong-argument-count, 1:17 wrong-argument-count" },
	{ "pid()", "1:1 not-a-function" },
	/* filters */
	{ "trace a:b / foo == 1 && pid == 2 / { }", "" },
	{ "trace a:b / foo == 1 / { print(foo) }", "1:32 unknown-name" },
	/* what belongs to events */
	{ "print(probename, arg1, args, retval)", "1:7 event-only, 1:18 event-only, 1:24 event-only, 1:30 event-only" },
	{ "tick-1s { print(argstr) }", "1:17 event-only" },
	{ "trace signal:SIGHUP { print(argstr) }", "1:29 event-only" },
	{ "trace a:b { trace signal:SIGHUP { } }", "1:13 register-in-probe" },
	{ "function f() { print(argstr) } trace a:b { f() }", "" },
	{ "function f() { print(argstr) } trace a:b { f() } f()", "1:22 event-only" },
	{ "function f() { print(argstr) }", "" },
	/* what a probe cannot do */
	{ "trace a:b { var t = {} }", "1:21 table-in-probe" },
	{ "trace a:b { var f = function () { } function g() { } }", "1:21 function-in-probe, 1:37 function-in-probe" },
	{ "trace a:b { trace c:d { } tick-1s { } trace_end { } profile-1s { } }",
	  "1:13 register-in-probe, 1:27 register-in-probe, 1:39 register-in-probe, 1:53 register-in-probe" },
	{ "var t = {} trace a:b { t:m() t.f() }", "1:24 method-in-probe, 1:30 call-of-value" },
	{ "var t = {} trace a:b { for (k in sorted(t)) { print(arch()) } }", "1:34 for-in-probe, 1:53 control-only" },
	{ "var t = {} trace a:b { print_hist(t) delete(t) table.new(1, 2) }",
	  "1:24 control-only, 1:48 control-only" },
	{ "function f() { } var g g = f trace a:b { g() }", "1:42 call-of-value" },
	{ "function f() { } trace a:b { var g = f print(stack) }", "1:38 function-value, 1:46 function-value" },
	{ "function f(...) { print(...) } trace a:b { f(1) }", "1:25 vararg-in-probe" },
	{ "function f() { f() } f()", "" },
	{ "function f() { f() } trace a:b { f() }", "1:16 recursive-probe-function" },
	{ "for (i = 1, 3) { trace a:b { print(i) } }", "1:36 captured-loop-variable" },
	{ "function f(x) { trace a:b { print(x) } } f(1)", "1:35 captured-loop-variable" },
	{ "for (i = 1, 3) { tick-1s { print(i) } }", "" },
	/* registering by a call */
	{ "kdebug.kprobe('f', function () { print(argstr) })", "" },
	{ "function h() { print(pid) } kdebug.tracepoint('a:b', h) timer.profile('1s', function () { })", "" },
	{ "var h h = function () { } kdebug.kprobe('f', h)", "1:46 handler-not-constant" },
	{ "kdebug.kprobe('f', function (x) { })", "1:20 handler-params" },
	{ "var i = '1s' timer.profile(i, function () { })", "1:28 computed-interval" },
	{ "timer.profile('1', function () { }) timer.tick('2x', function () { })", "1:15 bad-interval, 1:48 bad-interval" },
	{ "function h() { } kdebug.kprobe('f', h) timer.profile('1s', h)", "1:40 handler-kinds" },
	{ "timer.tick('1s', function () { var t = {} }) kdebug.trace_end(function () { for (k in pairs({})) { } })", "" },
};

static void
test_slugs(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(slug_rows); i++) {
		struct lang lang;

		lang_split(&lang, slug_rows[i].script, strlen(slug_rows[i].script));
		if (strcmp(lang_slugs(&lang), slug_rows[i].slugs) != 0)
			print_error("%s\n", slug_rows[i].script);
		assert_string_equal(lang_slugs(&lang), slug_rows[i].slugs);
		lang_fini(&lang);
	}
}

/* ---- what the user reads ---- */

static const struct words_row {
	const char *script, *words;
} words_rows[] = {
	{ "var counter = 1 print(cuonter)", "did you mean 'counter'?" },
	{ "print(exename)", "did you mean 'execname'?" },
	{ "var total = 1 totl += 1", "did you mean 'total'?" },
	{ "kdebug.kprob('x', function () { })", "did you mean 'kdebug.kprobe'?" },
	{ "print(zzz)", "declared with var" },
	{ "function f() { g() } function g() { }", "a declaration counts from here on" },
	{ "function a() { b() } trace x:y { a() }", "unknown name 'b'" },
	{ "function b() { var t = {} } function a() { b() } trace x:y { a() }", "'b' runs in a probe since it is called here" },
	{ "var g function a() { g() } trace x:y { a() }", "function NAME" },
	{ "len(1, 2)", "len takes 1 argument, but 2 are given" },
	{ "not (x)", "! is the operator" },
};

static void
test_words(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(words_rows); i++) {
		char *printed = NULL;
		size_t size;
		FILE *out = open_memstream(&printed, &size);
		struct lang lang;

		assert_non_null(out);
		lang_split(&lang, words_rows[i].script, strlen(words_rows[i].script));
		diags_print(&lang.diags, out);
		fclose(out);
		if (!strstr(printed, words_rows[i].words))
			fail_msg("no \"%s\" in:\n%s", words_rows[i].words, printed);
		free(printed);
		lang_fini(&lang);
	}
}

/* A circle of calls is shown as it is, without what leads to it. */
static void
test_recursion_names_the_chain(void **state)
{
	static const char script[] = "function f(x) { if (x) { f(x) } } function top() { f(1) } trace a:b { top() }";
	char *printed = NULL;
	size_t size;
	FILE *out = open_memstream(&printed, &size);
	struct lang lang;

	assert_non_null(out);
	lang_split(&lang, script, strlen(script));
	diags_print(&lang.diags, out);
	fclose(out);
	assert_non_null(strstr(printed, ": f -> f"));
	assert_null(strstr(printed, "top -> "));
	free(printed);
	lang_fini(&lang);
}

/* ---- which half, which handler ---- */

static const struct half_row {
	const char *script;
	const char *functions; /* for each: p, c, pc or - (in no half), and the handler's number */
} half_rows[] = {
	{ "print(1)", "c" },
	{ "function f() { } trace a:b { f() } tick-1s { } trace_end { f() }", "c pc p0 c c" },
	{ "function f() { } trace a:b { } profile-1s { } kdebug.kprobe('x', function () { })", "c - p0 p1 p2" },
	{ "function f() { } f()", "c c" },
	{ "function f() { } trace signal:SIGUSR1 { f() }", "c c c" },
	{ "function f() { } var g = f", "c c" },
	{ "function f() { } function g() { f() } trace a:b { g() }", "c p p p0" },
	{ "function f() { trace a:b { } }", "c - -" },
	{ "function f() { trace a:b { } } f()", "c c p0" },
	{ "function h() { } kdebug.tracepoint('a:b', h) trace c:d { }", "c p0 p1" },
	{ "function h() { } trace c:d { h() } kdebug.tracepoint('a:b', h) h()", "c pc0 p1" },
	{ "timer.tick('1s', function () { }) kdebug.trace_end(function () { })", "c c c" },
	{ "var t = { f = function () { } } t.f()", "c c" },
};

static const char *
halves_of(struct lang *lang)
{
	struct text text = { 0 };
	const char *result;

	for (struct function *function = lang->tree->functions; function; function = function->next) {
		text_printf(&text, "%s%s%s", text.len ? " " : "", function->in_probe ? "p" : "", function->in_control ? "c" : "");
		if (!function->in_probe && !function->in_control)
			text_putc(&text, '-');
		if (function->handler != UINT32_MAX)
			text_printf(&text, "%u", function->handler);
	}
	result = arena_strdup(lang->arena, text.s);
	text_fini(&text);
	return result;
}

static void
test_halves(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(half_rows); i++) {
		struct lang lang;

		lang_split(&lang, half_rows[i].script, strlen(half_rows[i].script));
		assert_string_equal(lang_slugs(&lang), "");
		assert_string_equal(halves_of(&lang), half_rows[i].functions);
		lang_fini(&lang);
	}
}

/* ---- variables ---- */

static const struct var_row {
	const char *script; /* its first statement declares the variable */
	bool constant, assigned, probe, control;
} var_rows[] = {
	{ "var x trace a:b { x = 1 }", false, true, true, false },
	{ "var x = 0 trace a:b { x += 1 }", false, true, true, true },
	{ "var x trace a:b { x = 1 } trace_end { print(x) }", false, true, true, true },
	{ "var x = 0 print(x)", false, false, false, true },
	{ "var x trace a:b / x == 1 / { }", false, false, true, false },
	{ "function x() { } trace a:b { x() }", true, false, false, false },
	{ "var x = function () { } trace a:b { x() }", true, false, false, false },
	{ "function x() { } x = nil", false, true, false, true },
	{ "var x = {} trace a:b { x[1] = 2 }", false, false, true, true },
	{ "var x trace a:b { var x = 1 x = 2 }", false, false, false, false },
};

static void
test_variables(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(var_rows); i++) {
		const struct var_row *row = &var_rows[i];
		struct variable *var;
		struct lang lang;

		lang_split(&lang, row->script, strlen(row->script));
		assert_string_equal(lang_slugs(&lang), "");
		var = lang.tree->main->body->a->a->var;
		if ((var->constant != NULL) != row->constant || var->is_assigned != row->assigned || var->used_in_probe != row->probe ||
		    var->used_in_control != row->control)
			fail_msg("%s: %d %d %d %d", row->script, var->constant != NULL, var->is_assigned, var->used_in_probe,
				 var->used_in_control);
		lang_fini(&lang);
	}
}

/* A computed name anywhere makes the handler one for any event. */
static void
test_patterns(void **state)
{
	static const struct { const char *script, *pattern; } rows[] = {
		{ "kdebug.tracepoint('a:b', function () { })", "a:b" },
		{ "var n = 'a:b' kdebug.tracepoint(n, function () { })", NULL },
		{ "function h() { } kdebug.tracepoint('a:b', h) kdebug.tracepoint('a' .. ':c', h)", NULL },
		{ "kdebug.kprobe('f', function () { })", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct function *handler;
		struct lang lang;

		lang_split(&lang, rows[i].script, strlen(rows[i].script));
		handler = lang.tree->functions->next;
		assert_true(handler->by_name);
		if (rows[i].pattern)
			assert_string_equal(handler->patterns->s, rows[i].pattern);
		else
			assert_null(handler->patterns);
		lang_fini(&lang);
	}
}

/* ---- builtins ---- */

static void
test_builtins(void **state)
{
	static const struct { const char *name, *result; bool is_call; unsigned min, max; } rows[] = {
		{ "pid", "int", false, 0, 0 },
		{ "print", NULL, true, 0, UINT_MAX },
		{ "printf", NULL, true, 1, UINT_MAX },
		{ "stack", "stack", true, 0, 2 },
		{ "print_hist", NULL, true, 1, 2 },
		{ "xor", "int", true, 2, 2 },
		{ "timer.tick", NULL, true, 2, 2 },
		{ "exit", NULL, true, 0, 0 },
		{ "num_cpus", "int", true, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct builtin *builtin = builtin_find(rows[i].name);

		assert_non_null(builtin);
		assert_ptr_equal(builtin_get(builtin->id), builtin);
		assert_int_equal(builtin->is_call, rows[i].is_call);
		assert_int_equal(builtin->min_args, rows[i].min);
		assert_int_equal(builtin->max_args, rows[i].max);
		if (rows[i].result)
			assert_string_equal(builtin_result(builtin), rows[i].result);
		else
			assert_null(builtin_result(builtin));
	}
	assert_null(builtin_find("nothing"));
	assert_null(builtin_find("kdebug"));
}

/* The examples of all rows are scripts; those that need an event or a table are put where they have one. */
static void
test_builtin_examples(void **state)
{
	for (unsigned id = 0; id < N_BUILTINS; id++) {
		const struct builtin *builtin = builtin_get(id);
		char script[300];
		struct lang lang;

		snprintf(script, sizeof(script), builtin->halves & HALF_CONTROL ? "var %s = {} %s" : "var %s = {} trace a:b { %s }",
			 strstr(builtin->example, "(s") ? "s" : strstr(builtin->example, "(t") ? "t" : "unused", builtin->example);
		lang_split(&lang, script, strlen(script));
		if (lang.diags.n_errors)
			fail_msg("%s: %s", script, lang_slugs(&lang));
		lang_fini(&lang);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_slugs),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_recursion_names_the_chain),
		cmocka_unit_test(test_halves),
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_patterns),
		cmocka_unit_test(test_builtins),
		cmocka_unit_test(test_builtin_examples),
	};

	return cmocka_run_group_tests_name("lang_names", tests, NULL, NULL);
}
