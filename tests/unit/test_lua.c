/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The control half from text to output: scripts are compiled, their Lua runs in a session, with the fake
 * source where they have probes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "codegen/codegen.h"
#include "fake_source.h"
#include "session/session.h"

struct result {
	enum exit_status status;
	char *out, *err;
};

static enum exit_status
compile_and_run(const char *text, FILE *out)
{
	struct arena *arena = arena_new();
	struct events *events = events_new(arena, EVENTS_USER);
	struct session_options options = { .script_name = "test.kp", .out_fd = fileno(out), .quiet = true };
	struct fake fake = { .ended = true };
	enum exit_status status = STATUS_SCRIPT;
	struct object *object;
	struct script script;
	struct diags diags;

	script_init(&script, arena, "test.kp", text, (uint32_t)strlen(text));
	diags_init(&diags, arena, &script);
	object = compile(arena, &script, events, &diags);
	diags_print(&diags, stderr);
	if (object) {
		fake.base = (struct source){ .ops = &fake_ops, .object = object, .n_cpus = N_CPUS };
		status = session_run(object, events, object->n_handlers ? &fake.base : NULL, &options);
	}
	fake_fini(&fake);
	arena_free(arena);
	return status;
}

static struct result
run(const char *text)
{
	FILE *out = tmpfile(), *err = tmpfile();
	int old = dup(STDERR_FILENO);
	struct result result;

	fflush(stderr);
	dup2(fileno(err), STDERR_FILENO);
	result.status = compile_and_run(text, out);
	fflush(stderr);
	dup2(old, STDERR_FILENO);
	close(old);
	result.out = read_back(out);
	result.err = read_back(err);
	return result;
}

static void
check(const char *text, const char *out, const char *err)
{
	struct result result = run(text);

	if (strcmp(result.out, out) != 0 || (err ? !strstr(result.err, err) : result.err[0] != 0))
		fail_msg("%.2000s\nprints (status %d)\n%s\nand says\n%s", text, result.status, result.out,
			 result.err);
	assert_int_equal(result.status, err ? STATUS_SCRIPT : STATUS_OK);
	free(result.out);
	free(result.err);
}

struct row {
	const char *script, *out;
	const char *err; /* part of the message; NULL: none */
};

static void
check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		check(rows[i].script, rows[i].out, rows[i].err);
}

/* ---- expressions -------------------------------------------------------- */

static void
expressions(void **state)
{
	static const struct row rows[] = {
		{ "print(7/2, -7/2, 7%3, -7%3, 2+3*4, (2+3)*4, 10-3-2, 100/5/2, - -3, 1-(2-3), 10-2+3)",
		  "3\t-3\t1\t-1\t14\t20\t5\t10\t3\t2\t11\n" },
		{ "var z = 0 print(1)\nprint(1 / z)", "1\n", "test.kp:2: error: division by zero" },
		{ "print(0x7fffffffffffffff + 1, -9223372036854775807 - 1, 0xff, 010)",
		  "-9223372036854775808\t-9223372036854775808\t255\t8\n" },
		{ "print(nil || 5, 1 && 2, false || nil, !nil, !0, 1 == 1, 1 != 2, \"a\" == \"a\", 1 == \"1\", nil == false)",
		  "5\t2\tnil\ttrue\tfalse\ttrue\ttrue\ttrue\tfalse\tfalse\n" },
		{ "print(true ? nil : 1, false ? 1 : nil, nil ? 1 : 2, 1 ? false : 3, true ? \"a\" : \"b\", 0 ? 1 : 2)",
		  "nil\tnil\t2\tfalse\ta\t1\n" },
		{ "var n = 0 function f() { n += 1 return nil } print(true ? f() : f(), n, false ? 1 : true ? 2 : 3)",
		  "nil\t1\t2\n" },
		{ "function f(...) { return (true ? ... : 1) } print(f(7, 8))", "7\n" },
		{ "print(\"a\" .. \"b\" .. \"c\" == \"abc\", 1 < 2, 2 <= 1, 2 > 1, 1 >= 2)",
		  "true\ttrue\tfalse\ttrue\tfalse\n" },
		{ "print(\"a\" ..\n 1)", "", "cannot concatenate a number" },
		{ "print(12 & 10, 12 | 3, ~0, 1 << 4, 256 >> 4, xor(5, 1))", "8\t15\t-1\t16\t16\t4\n" },
		{ "print(len(\"\\x00\\n\\\"\\\\\xc3\\255z\"), \"tab\\there\")", "7\ttab\there\n" },
		{ "print([[line\nbreak]])\nprint(nil + 1)", "line\nbreak\n", "test.kp:3: error: " },
		{ "var x\nprint(1,\n x + 1)", "",
		  "test.kp:3: error: attempt to perform arithmetic on a nil" },
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

/* ---- statements --------------------------------------------------------- */

static void
statements(void **state)
{
	static const struct row rows[] = {
		{ "var x = 5 x += 2 x -= 1 x *= 3 x /= 4 x %= 3 x++ print(x)", "2\n" },
		{ "var t = {} t[\"n\"] += 5 t.n += 1 t.n -= 2 t.n *= 10 t[1, 2] = 3 t[1, 2] += 4 t[1, 2] *= 2 print(t.n, t[1, 2], t[2, 1])",
		  "40\t14\tnil\n" },
		{ "var n = 0 function f() { n += 1 return n } var t = { 10 } t[f()] *= 3 t[f()] += 1 print(t[1], t[2], n)",
		  "30\t1\t2\n" },
		{ "var t = { \"a\" }\nt[1] += 1", "", "test.kp:2: error: '+=' on a string value" },
		{ "var a, b = 1, 2 a, b = b, a print(a, b) var c, d = 1 print(c, d)", "2\t1\n1\tnil\n" },
		{ "var t = {} var i = 1 i, t[i, 7] = 5, 9 print(i, t[1, 7], t[5, 7])", "5\t9\tnil\n" },
		{ "var a = 1 var a = a + 1 do var a = a * 10 print(a) end print(a)", "20\n2\n" },
		{ "var local = 1 var and = 2 var not = 3 var or = 4 var K = 5 var G = 6 var B = 7 var V = 8 print(local + and + not + or + K + G + B + V)",
		  "36\n" },
		{ "var t = { 10, 20, x = 1, [\"y\"] = 2, [7] = 3 } print(t[1], t[2], t.x, t.y, t[7], len(t))",
		  "10\t20\t1\t2\t3\t5\n" },
		{ "var x = 3 if (x == 1) { print(1) } elseif (x == 2) { print(2) } else if (x == 3) { print(3) } else { print(4) }",
		  "3\n" },
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

static void
loops(void **state)
{
	static const struct row rows[] = {
		{ "for (i = 1, 5) { if (i == 2) { continue } if (i == 4) { break } print(i) }", "1\n3\n" },
		{ "for (i = 3, 1, -1) { print(i) i = 100 }", "3\n2\n1\n" },
		{ "var i = 0 while (i < 5) { i += 1 if (i % 2 == 0) { continue } print(i) }", "1\n3\n5\n" },
		{ "var i = 0 repeat var j = i * 2 i += 1 if (j == 2) { continue } print(j) until (j >= 6)",
		  "0\n4\n6\n" },
		{ "for (var i = 0; i < 4; i++) { if (i == 1) { continue } if (i == 3) { break } print(i) }",
		  "0\n2\n" },
		{ "for (k, v in pairs({ b = 1, a = 2, [5] = 3, [-1] = 4 })) { if (k == 5) { continue } print(k, v) }",
		  "-1\t4\na\t2\nb\t1\n" },
		{ "var t = {} t[2, \"x\"] = 1 t[1, \"y\"] = 2 for (a, b, v in pairs(t)) { print(a, b, v) }",
		  "1\ty\t2\n2\tx\t1\n" },
		{ "for (k, v in sorted({ a = 1, b = 3, c = 2 }, 2)) { print(k, v) }", "b\t3\nc\t2\n" },
		{ "for (i = 1, 3) { for (j = 1, 3) { if (j == 2) { continue } if (i == 2) { break } print(i, j) } }",
		  "1\t1\n1\t3\n3\t1\n3\t3\n" },
		{ "var fs = {} for (i = 1, 3) { var j = i * 10 fs[i] = function () { j += 1 return j } } print(fs[1](), fs[1](), fs[2]())",
		  "11\t12\t21\n" },
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

static void
functions(void **state)
{
	static const struct row rows[] = {
		{ "function fib(n) { if (n < 2) { return n } return fib(n - 1) + fib(n - 2) } print(fib(20))",
		  "6765\n" },
		{ "function loop(n) { if (n == 0) { return \"done\" } return loop(n - 1) } print(loop(1000000))",
		  "done\n" },
		{ "function f(a, b) { return b, a } print(f(1, 2)) print(f(1)) print((f(1, 2)))",
		  "2\t1\nnil\t1\n2\n" },
		{ "function f() { } function g() { return } print(f(), g()) print(f()) var x = f() print(x)",
		  "nil\tnil\nnil\nnil\n" },
		{ "function f(...) { return ... } print(f(1, 2, 3))", "1\t2\t3\n" },
		{ "var o = { n = 3, get = function (self, k) { return self.n + k } } print(o:get(4))",
		  "7\n" },
		{ "var o = { n = 3, and = function (self, k) { return self.n + k } } print(o:and(4))",
		  "7\n" },
		{ "var function count() { var n = 0 return function () { n += 1 return n } } var a = count() var b = count() print(a(), a(), b())",
		  "1\t2\t1\n" },
		{ "function f(x) {\n  return x.y\n}\nf(1)", "",
		  "test.kp:2: error: attempt to index a number" },
		{ "var f = 1\nf()", "", "test.kp:2: error: attempt to call a number value" },
		{ "function f(t) {\n return len(t)\n}\nprint(f(1))", "",
		  "test.kp:2: error: cannot get length of a number" },
		{ "function f() { exit() } trace_end { print(\"end\") } f() print(\"not\")", "end\n" },
		{ "var n = 0 tick-1ms { n += 1 if (n == 3) { exit() } } trace_end { print(n) }", "3\n" },
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

/* ---- sizes -------------------------------------------------------------- */

/* "head" + "item" for 1 to n + "tail"; items may hold one %d or two. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
static char *
repeat(const char *head, const char *item, int n, const char *tail)
{
	struct text text = { 0 };

	text_puts(&text, head);
	for (int i = 1; i <= n; i++)
		text_printf(&text, item, i, i);
	text_puts(&text, tail);
	return text.s;
}
#pragma GCC diagnostic pop

static void
check_owned(char *script, const char *out, const char *err)
{
	check(script, out, err);
	free(script);
}

static void
many_variables(void **state)
{
	check_owned(repeat("", "var v%d = %d ", 300, "print(v1 + v150 + v300) v300 = 7 print(v300)"),
		    "451\n7\n", NULL);
	check_owned(repeat("function f() { ", "var v%d = %d ", 300,
			   "return function () { v1 += 1 return v1 + v300 } } "
			   "var a = f() var b = f() print(a(), a(), b())"),
		    "302\t303\t302\n", NULL);
	check_owned(repeat("var fs = {} for (i = 1, 2) { ", "var v%d = %d ", 200,
			   "v200 += i fs[i] = function () { return v200 } } "
			   "print(fs[1](), fs[2]())"),
		    "201\t202\n", NULL);
	check_owned(repeat("", "var function f%d() { return %d } ", 250, "print(f1() + f250())"), "251\n",
		    NULL);
	check_owned(repeat("var i = 0 repeat ", "var v%d = %d ", 200,
			   "i += 1 if (i < 3) { continue } until (v200 == 200) print(i)"),
		    "1\n", NULL);
}

static void
long_expressions(void **state)
{
	char *closing = repeat("1", ")", 150, ")");

	check_owned(repeat("print(0", " + 1", 900, ")"), "900\n", NULL);
	check_owned(repeat("print(0", " + 1 - 1", 400, ")"), "0\n", NULL);
	check_owned(repeat("print(len(\"\"", " .. \"x\"", 150, "))"), "150\n", NULL);
	check_owned(repeat("print(", "(", 150, closing), "1\n", NULL);
	check_owned(repeat("print(", "1 > 2 ? 1 : ", 20, "5)"), "5\n", NULL);
	check_owned(repeat("print(", "1 > 2 ? nil : ", 20, "5)"), "5\n", NULL);
	free(closing);
}

static void
large_tables(void **state)
{
	check("var t = {} for (i = 1, 100000) { t[i * 7919 % 100003] = i } var n = 0 var last = -1 "
	      "for (k, v in pairs(t)) { if (k <= last) { print(\"order\") } last = k n += 1 } print(n, len(t))",
	      "100000\t100000\n", NULL);
}

/* ---- variables that probes use ------------------------------------------ */

static void
shared_variables(void **state)
{
	static const struct row rows[] = {
		{ "var s = {} var i = 5 trace syscalls:sys_enter_close { s[pid] += 1 i += 1 } i += 2 s[3] += 4 s[3] += 1 "
		  "print(i, s[3], len(s)) trace_end { print(i) s = {} print(len(s)) }",
		  "7\t5\t1\n7\n0\n" },
		{ "var a = 1 var b = 2 trace syscalls:sys_enter_close { a += 1 } a, b = b, a print(a, b) a -= 5 a *= 2 print(a)",
		  "2\t1\n-6\n" },
		{ "function f(x) { var y = x * 2 return y } trace syscalls:sys_enter_close { print(f(pid)) } print(f(4))",
		  "8\n" },
		{ "var s = {} trace syscalls:* { s[probename] += 1 } s[\"sys_enter_read\"] += 3 s[\"sys_exit_read\"] = 1 "
		  "for (k, v in pairs(s)) { print(k, v) }",
		  "sys_enter_read\t3\nsys_exit_read\t1\n" },
		{ "var s = {} trace syscalls:sys_enter_close { s[pid, execname] += 1 } s[2, \"b\"] += 1 s[1, \"c\"] += 2 s[1, \"a\"] = 7 "
		  "for (p, name, n in pairs(s)) { print(p, name, n) } s[1, \"a\"] = nil print(len(s))",
		  "1\ta\t7\n1\tc\t2\n2\tb\t1\n2\n" },
		{ "var name = \"close\" kdebug.tracepoint(\"syscalls:sys_enter_\" .. name, function () { print(pid) }) print(\"ok\")",
		  "ok\n" },
		{ "if (1 == 1) { trace syscalls:sys_enter_close { print(1) } } print(\"ok\")", "ok\n" },
	};

	check_rows(rows, ARRAY_SIZE(rows));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(expressions),    cmocka_unit_test(statements),
		cmocka_unit_test(loops),          cmocka_unit_test(functions),
		cmocka_unit_test(many_variables), cmocka_unit_test(long_expressions),
		cmocka_unit_test(large_tables),   cmocka_unit_test(shared_variables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
