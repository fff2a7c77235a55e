/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The layout of scripts: what each rule of src/lang/fmt.c makes of a script, written down by hand; and of every row, that formatting
 * it again changes nothing, that the tree is the same and no comment is lost.
 */
#include "lang_fixture.h"

/* Formats; the text lives in the arena. */
static const char *
format(struct lang *lang, const char *script)
{
	struct text out = { 0 };
	const char *result;

	lang_parse(lang, script, strlen(script));
	if (lang->diags.n_errors)
		fail_msg("%s: %s", script, lang_slugs(lang));
	script_format(lang->arena, lang->tree, &out);
	result = arena_strdup(lang->arena, out.s ? out.s : "");
	text_fini(&out);
	return result;
}

static const struct format_row {
	const char *script, *formatted;
} rows[] = {
	{ "", "" },
	{ "\n\n", "" },
	/* statements and blocks */
	{ "var s={} trace a:b{s[pid]+=1} trace_end{print(s)}", "var s = {}\ntrace a:b { s[pid] += 1 }\ntrace_end { print(s) }\n" },
	{ "x=1;y=2;", "x = 1\ny = 2\n" },
	{ "trace a:b {\nx=1; y=2\n}", "trace a:b {\n\tx = 1\n\ty = 2\n}\n" },
	{ "trace a:b { x=1; y=2; }", "trace a:b { x = 1; y = 2 }\n" },
	{ "trace_end\n{\nif(a)\n{\nb()\n}\nelse\n{\nc()\n}\n}",
	  "trace_end {\n\tif (a) {\n\t\tb()\n\t} else {\n\t\tc()\n\t}\n}\n" },
	{ "if (a) { b() } elseif(c){d()} else if (e) {} else { }", "if (a) { b() } elseif (c) { d() } else if (e) {} else {}\n" },
	{ "a()\n\n\n\nb()\n", "a()\n\nb()\n" },
	{ "trace a:b {\n\n a()\n\n}\n", "trace a:b {\n\ta()\n}\n" },
	{ "repeat a() until(x)\nrepeat { a() } until (x)", "repeat\n\ta()\nuntil (x)\nrepeat { a() } until (x)\n" },
	{ "do a() b() end", "do\n\ta()\n\tb()\nend\n" },
	{ "for(i=0,10,2){a(i)} for(k,v in pairs(t)){} for(var i=0;i<9;i++){}",
	  "for (i = 0, 10, 2) { a(i) }\nfor (k, v in pairs(t)) {}\nfor (var i = 0; i < 9; i++) {}\n" },
	{ "function f(a,b,...){return a,b}", "function f(a, b, ...) { return a, b }\n" },
	{ "var f=function(n){return n}", "var f = function (n) { return n }\n" },
	{ "trace_end { return; }", "trace_end { return; }\n" },
	/* a semicolon that keeps two statements apart */
	{ "x = f;\n(g)()", "x = f;\n(g)()\n" },
	{ "x = f;;;\ny = 1", "x = f\ny = 1\n" },
	/* events, filters, intervals */
	{ "trace  syscalls:sys_enter_*  ,sched:* /pid==1/{}", "trace syscalls:sys_enter_*, sched:* /pid == 1/ {}\n" },
	{ "trace probe:/bin/sh:main x=%di / a/2 > 1 / {}", "trace probe:/bin/sh:main x=%di /a / 2 > 1/ {}\n" },
	{ "trace  signal:SIGUSR1{}", "trace signal:SIGUSR1 {}\n" },
	{ "tick-1s{} profile-99hz { } time.profile{}", "tick-1s {}\nprofile-99hz {}\ntime.profile {}\n" },
	/* expressions */
	{ "x=-a- -b- - -c+!d&~e", "x = -a - -b - - -c + !d & ~e\n" },
	{ "x=a?b:c?d:e", "x = a ? b : c ? d : e\n" },
	{ "x=s:len()..'a'", "x = s:len() .. 'a'\n" },
	{ "t[a,b].c[1](2)[3]=f'x'", "t[a, b].c[1](2)[3] = f 'x'\n" },
	{ "t={1,2,[3]=4,x=5,{}}", "t = { 1, 2, [3] = 4, x = 5, {} }\n" },
	{ "t={1;2}", "t = { 1; 2 }\n" },
	{ "t[ [[a]] ]=1", "t[ [[a]]] = 1\n" },
	{ "x=0x1F+1_000+10ms", "x = 0x1F + 1_000 + 10ms\n" },
	{ "lat[pid]<<<nsecs>>3<<1", "lat[pid] <<< nsecs >> 3 << 1\n" },
	/* lines that the writer broke */
	{ "x = a +\n b +\nc", "x = a +\n\tb +\n\tc\n" },
	{ "f(a,\nb)", "f(a,\n\tb)\n" },
	{ "t = {\n1,\n2\n}", "t = {\n\t1,\n\t2\n}\n" },
	{ "if (a &&\nb) {\nc()\n}", "if (a &&\n\tb) {\n\tc()\n}\n" },
	{ "kdebug.kprobe('f', function(){\nprint(pid)\n})", "kdebug.kprobe('f', function () {\n\tprint(pid)\n})\n" },
	{ "trace a:b,\nc:d {}", "trace a:b,\n\tc:d {}\n" },
	/* comments */
	{ "#!/usr/bin/env ktap\n#  two\n\n\nx=1 # end\n   # own\ny=2", "#!/usr/bin/env ktap\n#  two\n\nx = 1 # end\n# own\ny = 2\n" },
	{ "trace a:b {\n# first\na() -- one\n\n# last\n}", "trace a:b {\n\t# first\n\ta() -- one\n\n\t# last\n}\n" },
	{ "x=1 --[[ in ]] y=2", "x = 1 --[[ in ]]\ny = 2\n" },
	{ "f(a, # first\nb)", "f(a, # first\n\tb)\n" },
	{ "trace a:b # all\n{ x() }", "trace a:b # all\n\t{ x() }\n" },
	{ "--[[ a\n   b ]]\nx=1", "--[[ a\n   b ]]\nx = 1\n" },
	{ "# alone", "# alone\n" },
	{ "x=[[\na\n  b]]", "x = [[\na\n  b]]\n" },
	{ "x=1\r\ny=2\r\n", "x = 1\ny = 2\n" },
};

static unsigned
count_comments(const char *s)
{
	unsigned n = 0;

	for (; *s; s++)
		n += *s == '#' || strncmp(s, "--", 2) == 0;
	return n;
}

static void
test_layout(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct lang before, after;
		const char *formatted;

		formatted = format(&before, rows[i].script);
		assert_string_equal(formatted, rows[i].formatted);
		assert_string_equal(format(&after, formatted), formatted);
		assert_string_equal(lang_ast(&after), lang_ast(&before));
		assert_int_equal(count_comments(formatted), count_comments(rows[i].script));
		lang_fini(&before);
		lang_fini(&after);
	}
}

/* Random scripts of the words below, where they parse: the same promises. Whatever they hold, nothing is read outside (ASan). */
static const char *const words[] = {
	"x", "f(", ")", "{", "}", "}", "\n", "\n", " ", ";", "= 1", "+", "- -y", "-", "var a = ", "[1]", "t", ".b", "if (x) {", "else {",
	"while (y) {", "repeat ", "until (z)", "trace a:b /x/ {", "trace c:d {", "tick-1s {", "trace_end {", "# c\n", "--[[ d ]]", "'s'",
	"return ", "function (n) {", "? 1 : 2", ",", "{1, 2}", "print(pid)", "print(x)\n", "x = 1\n", "x += 2 ", "[[s]]", "!", "in pairs(t)",
};

static void
test_random(void **state)
{
	unsigned n_parsed = 0, seed = 1;

	for (unsigned round = 0; round < 60000; round++) {
		struct lang lang, before, after;
		struct text script = { 0 };
		unsigned n = 1 + rand_r(&seed) % 14;
		const char *formatted;

		for (unsigned i = 0; i < n; i++)
			text_puts(&script, words[(unsigned)rand_r(&seed) % ARRAY_SIZE(words)]);
		lang_parse(&lang, script.s, script.len);
		if (!lang.diags.n_errors) {
			n_parsed++;
			formatted = format(&before, script.s);
			if (strcmp(format(&after, formatted), formatted) != 0 || strcmp(lang_ast(&after), lang_ast(&before)) != 0)
				fail_msg("not kept:\n%s\nformatted:\n%s\nagain:\n%s", script.s, formatted, format(&after, formatted));
			lang_fini(&before);
			lang_fini(&after);
		}
		lang_fini(&lang);
		text_fini(&script);
	}
	assert_in_range(n_parsed, 1000, 60000);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
