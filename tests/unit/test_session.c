/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * session: control halves written by hand as Lua, on objects made by hand, with a source of ours whose
 * tables are in memory. Output and messages are files that are read back.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "fake_source.h"
#include "session/session.h"

/* ---- the object that all tests use -------------------------------------- */

enum { T_HASH, T_COUNTS, T_PAIRS, T_NAMES, T_STRINGS, N_TABLES };
enum { G_INT, G_STR, G_MAYBE };

#define INT                         \
	{                           \
		VALUE_INT, false, 8 \
	}

static struct table tables[N_TABLES] = {
	[T_HASH] = { .name = "h",
		     .kind = TABLE_HASH,
		     .key_size = 8,
		     .value_size = 8,
		     .max_entries = 50,
		     .key = { INT },
		     .n_key_parts = 1,
		     .value = INT },
	[T_COUNTS] = { .name = "c",
		       .kind = TABLE_PERCPU_ARRAY,
		       .key_size = 4,
		       .value_size = 8,
		       .max_entries = 10,
		       .key = { INT },
		       .n_key_parts = 1,
		       .value = INT,
		       .counter = true },
	[T_PAIRS] = { .name = "p",
		      .kind = TABLE_PERCPU_HASH,
		      .key_size = 24,
		      .value_size = 8,
		      .max_entries = 50,
		      .key = { INT, { VALUE_STR, false, 16 } },
		      .n_key_parts = 2,
		      .value = INT },
	[T_NAMES] = { .name = "n",
		      .kind = TABLE_HASH,
		      .key_size = 8,
		      .value_size = 16,
		      .max_entries = 50,
		      .key = { { VALUE_EVENT, false, 8 } },
		      .n_key_parts = 1,
		      .value = { VALUE_INT, true, 8 } },
	[T_STRINGS] = { .name = "s",
			.kind = TABLE_HASH,
			.key_size = 16,
			.value_size = 16,
			.max_entries = 50,
			.key = { { VALUE_STR, false, 16 } },
			.n_key_parts = 1,
			.value = { VALUE_STR, false, 16 } },
};

static const struct global globals[] = {
	[G_INT] = { .name = "i", .shape = INT, .off = 16 },
	[G_STR] = { .name = "text", .shape = { VALUE_STR, false, 16 }, .off = 32 },
	[G_MAYBE] = { .name = "maybe", .shape = { VALUE_INT, true, 8 }, .off = 48 },
};

struct world {
	struct arena *arena;
	struct script script;
	struct object *object;
	struct events *events;
	struct fake fake;
	struct program program;
	struct handler handler;
	struct binding bindings[2];
	struct counter counter;
	struct site site;
	char *out, *err; /* what was printed */
};

static const char script_text[] = "line one\ntrace syscalls:sys_enter_open* { n = 1 / x }\n";

static void
add_handler(struct world *w)
{
	struct event *open, *openat;

	open = events_find(w->events, "syscalls", "sys_enter_open");
	openat = events_find(w->events, "syscalls", "sys_enter_openat");
	open->index = object_add_event(w->object, open);
	openat->index = object_add_event(w->object, openat);
	w->program = (struct program){ .handler = 0 };
	object_add_program(w->object, &w->program);
	w->bindings[0] = (struct binding){ open->index, 0 };
	w->bindings[1] = (struct binding){ openat->index, 0 };
	w->handler = (struct handler){
		.kind = HANDLER_TRACE, .span = { 9, 46 }, .bindings = w->bindings, .n_bindings = 2
	};
	object_add_handler(w->object, &w->handler);
}

static void
setup(struct world *w, const char *lua)
{
	*w = (struct world){ .arena = arena_new() };
	script_init(&w->script, w->arena, "test.kp", script_text, sizeof(script_text) - 1);
	w->object = object_new(w->arena, "test.kp", &w->script);
	w->events = events_new(w->arena, EVENTS_USER);
	for (int i = 0; i < N_TABLES; i++)
		object_add_table(w->object, &tables[i]);
	for (size_t i = 0; i < ARRAY_SIZE(globals); i++)
		object_add_global(w->object, (struct global *)&globals[i]);
	add_handler(w);
	w->counter = (struct counter){ .kind = COUNTER_DIVIDE_BY_ZERO, .span = { 47, 5 }, .off = 128 };
	object_add_counter(w->object, &w->counter);
	w->site = (struct site){ .kind = SITE_PRINT };
	object_add_site(w->object, &w->site);
	w->object->control = lua;
	w->object->control_len = (uint32_t)strlen(lua);
	w->fake.base = (struct source){ .ops = &fake_ops, .object = w->object, .n_cpus = N_CPUS };
}

static void
teardown(struct world *w)
{
	fake_fini(&w->fake);
	free(w->out);
	free(w->err);
	arena_free(w->arena);
}

/* Runs the session with standard error sent to a file. */
static enum exit_status
run(struct world *w, struct source *source)
{
	static char *args[] = { "12", "x12", "-3", NULL };
	FILE *out = tmpfile(), *err = tmpfile();
	struct session_options options = { .script_name = "test.kp",
					   .script_args = args,
					   .out_fd = fileno(out) };
	int old = dup(STDERR_FILENO);
	enum exit_status status;

	fflush(stderr);
	dup2(fileno(err), STDERR_FILENO);
	status = session_run(w->object, w->events, source, &options);
	fflush(stderr);
	dup2(old, STDERR_FILENO);
	close(old);
	w->out = read_back(out);
	w->err = read_back(err);
	return status;
}

/* ---- control halves whose output is known ------------------------------- */

struct row {
	const char *lua, *out, *err; /* err: a part of it; NULL: nothing but the account of the fake */
	enum exit_status status;
};

static const struct row rows[] = {
	/* operators */
	{ "B.print(K.div(-7, 2), K.mod(-7, 2), K.div(7, -2), K.mod(7, -2), K.div(math, 1))", "",
	  "test.kp:1: error: attempt to perform", 1 },
	{ "B.print(K.div(-7, 2), K.mod(-7, 2), K.div(0x8000000000000000, -1), K.mod(5, -1))",
	  "-3\t-1\t-9223372036854775808\t0\n", NULL, 0 },
	{ "\n\nB.print(K.div(1, 0))", "", "test.kp:3: error: division by zero", 1 },
	{ "B.print(K.cat('a', 'b', 'c'))", "abc\n", NULL, 0 },
	{ "B.print(K.cat('a', 1))", "", "cannot concatenate a number", 1 },
	{ "B.print(K.band(12, 10), K.bor(12, 10), K.bxor(12, 10), K.bnot(0), K.shl(1, 65), K.shl(1, 63), K.shr(-8, 1))",
	  "8\t14\t6\t-1\t0\t-9223372036854775808\t-4\n", NULL, 0 },
	/* print, printf, built-ins */
	{ "B.print(nil, true, false, 'x', 12, {}, B.print) B.print()",
	  "nil\ttrue\tfalse\tx\t12\ttable\tfunction\n\n", NULL, 0 },
	{ "B.printf('%s=%d%c', 'a', -1, 33)", "a=-1!", NULL, 0 },
	{ "B.printf('%d', 'a')", "", "test.kp:1: error: printf: wrong type of argument 2", 1 },
	{ "B.printf('%d', {})", "", "wrong type of argument 2", 1 },
	{ "local a = B.arg() B.print(a[0], a[1] + 1, a[2], a[3], a[4])", "test.kp\t13\tx12\t-3\tnil\n", NULL,
	  0 },
	{ "B.print(B.len('abc'), B.len({1, 2, x = 3}), B.stringof(12), B.xor(5, 1))", "3\t3\t12\t4\n", NULL,
	  0 },
	{ "B.ansi_set_color3(31, 40, 1) B.ansi_set_color2(31, 40) B.ansi_reset_color() B.ansi_clear_screen() B.ansi_new_line()",
	  "\033[31;40;1m\033[31;40m\033[0;0m\033[1;1H\033[J\n", NULL, 0 },
	{ "B.print(io, os, debug, load, require, pcall, string, _G)",
	  "nil\tnil\tnil\tnil\tnil\tnil\tnil\tnil\n", NULL, 0 },
	/* order of walks */
	{ "for k, v in B.pairs({ z = 1, a = 2, [300] = 3, [-5] = 4, [1] = 5, [true] = 6 }) do B.print(k, v) end",
	  "-5\t4\n1\t5\n300\t3\na\t2\nz\t1\ntrue\t6\n", NULL, 0 },
	{ "local t = { a = 1, b = 2, c = 3 } for k in B.pairs(t) do t.b = nil B.print(k) end", "a\nc\n", NULL,
	  0 },
	{ "for k, v in B.sorted({ a = 1, b = 5, c = 5, d = 9 }, 3) do B.print(k, v) end",
	  "d\t9\nb\t5\nc\t5\n", NULL, 0 },
	{ "B.pairs(3)", "", "a table is needed, not a number", 1 },
	{ "local t = {} K.set_index(t, 1, 2, 'b') K.set_index(t, 2, 2, 'a\\0') K.add_index(t, 5, 1, 'z') K.add_index(t, 5, 1, 'z') "
	  "for a, b, v in B.pairs(t) do B.print(a, B.len(b), v) end B.print(K.index(t, 1, 'z'), K.index(t, 1, 'y'), B.len(t))",
	  "1\t1\t10\n2\t2\t2\n2\t1\t1\n10\tnil\t3\n", NULL, 0 },
	/* shared tables */
	{ "local h = K.table(0) h[3] = 30 h[-1] = 10 K.add_index(h, 2, 3) K.add_index(h, 7, 9) B.print(h[3], h[4], h[nil], B.len(h)) "
	  "h[9] = nil for k, v in B.pairs(h) do B.print(k, v) end B.delete(h) B.print(B.len(h), h)",
	  "32\tnil\tnil\t3\n-1\t10\n3\t32\n0\ttable\n", NULL, 0 },
	{ "local c = K.table(1) c[2] = 5 K.add_index(c, 3, 2) c[7] = 1 B.print(c[2], c[3], c[100], B.len(c)) for k, v in B.pairs(c) do "
	  "B.print(k, v) end c[2] = nil B.print(c[2], B.len(c))",
	  "8\tnil\tnil\t2\n2\t8\n7\t1\nnil\t1\n", NULL, 0 },
	{ "local p = K.table(2) K.add_index(p, 1, 5, 'x') K.add_index(p, 1, 5, 'x') K.set_index(p, 9, 1, 'y') B.print(K.index(p, 5, 'x')) "
	  "for a, b, v in B.pairs(p) do B.print(a, b, v) end",
	  "2\n1\ty\t9\n5\tx\t2\n", NULL, 0 },
	{ "local n = K.table(3) n['sys_enter_openat'] = 4 K.add_index(n, 1, 'sys_enter_open') B.print(n.sys_enter_openat) "
	  "for k, v in B.pairs(n) do B.print(k, v) end",
	  "4\nsys_enter_open\t1\nsys_enter_openat\t4\n", NULL, 0 },
	{ "K.table(3)['sys_enter_opennt'] = 4", "",
	  "no probe of this script handles an event named 'sys_enter_opennt'", 1 },
	{ "local s = K.reset(4, { a = 'x', b = 'yy' }) s = K.table(4) B.print(s.a, s.b, s.c, s['longer than sixteen bytes'], s == K.table(4)) "
	  "K.reset(4, {}) B.print(B.len(s))",
	  "x\tyy\tnil\tnil\ttrue\n0\n", NULL, 0 },
	{ "K.table(4).a = 'longer than sixteen bytes'", "", "the value of 's' is too long", 1 },
	{ "K.table(4)['longer than sixteen bytes'] = 'a'", "", "key of table 's' is too long", 1 },
	{ "K.table(4).a = 1", "", "the value of 's' is a string in the probes, not a number", 1 },
	{ "K.table(0).a = 1", "", "the key of 'h' is a number in the probes, not a string", 1 },
	{ "K.table(2)[1] = 1", "", "the keys of 'p' have 2 parts, not 1", 1 },
	{ "K.table(1)[10] = 1", "", "key outside of table 'c', which holds 10 entries", 1 },
	{ "for i = 1, 51 do K.table(0)[i] = i end", "", "table 'h' is full, it holds 50 entries", 1 },
	{ "K.reset(0, 3)", "", "'h' is a table that probes use", 1 },
	{ "K.table(77)", "", "table 77 does not exist", 1 },
	/* globals */
	{ "G[0] = 5 K.add_index(G, 3, 0) B.print(G[0]) G[1] = 'text' B.print(G[1]) B.print(G[2]) G[2] = 1 B.print(G[2]) G[2] = nil B.print(G[2])",
	  "8\ntext\nnil\n1\nnil\n", NULL, 0 },
	{ "G[0] = nil", "", "'i' is a number in the probes and cannot become nil", 1 },
	{ "G[0] = 'a'", "", "'i' is a number in the probes, not a string", 1 },
	{ "G[1] = 'longer than sixteen bytes'", "", "the text for 'text' is too long", 1 },
	{ "K.add_index(G, 1, 2)", "", "'+=' on 'maybe', which is nil", 1 },
	/* histograms */
	{ "local h = K.table(0) h[7] = 3 h[8] = 1 B.print_hist(h)",
	  "                         value ------------- Distribution ------------- count\n"
	  "                              7 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@          3      \n"
	  "                              8 |@@@@@@@@@                             1      \n",
	  NULL, 0 },
	{ "B.print_hist({ a = 'x' })", "", "print_hist prints tables of numbers or of statistics only", 1 },
	/* the run */
	{ "K.trace_end(function() B.print('end') end) B.print('main')", "main\nend\n", NULL, 0 },
	{ "K.trace_end(function() B.print('end') end) B.exit() B.print('not')", "end\n", NULL, 0 },
	{ "K.trace_end(function() B.print('end') end)\nlocal x = nil + 1", "end\n",
	  "test.kp:2: error: attempt to perform arithmetic on a nil", 1 },
	{ "local n = 0 B.timer_tick('1ms', function() n = n + 1 if n == 3 then B.exit() end end) K.trace_end(function() B.print(n) end)",
	  "3\n", "Tracing... Hit Ctrl-C to end.", 0 },
	{ "K.signal('SIGKILL', function() end)", "", "a signal that scripts may handle is needed", 1 },
	{ "K.tick(1000000, function()\nK.trace(0) end)", "",
	  "test.kp:2: error: a handler can be registered only before tracing starts", 1 },
	{ "B.timer_tick('1', function() end)", "", "cannot parse timer interval: 1", 1 },
	{ "B.kdebug_tracepoint('nosuch:event', 0)", "", "unknown event 'nosuch:event'", 1 },
	{ "x x", "", "test.kp:1: error: ", 1 },
};

static void
control_halves(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world w;
		enum exit_status status;

		setup(&w, rows[i].lua);
		status = run(&w, &w.fake.base);
		if (status != rows[i].status || strcmp(w.out, rows[i].out) != 0 ||
		    (rows[i].err && !strstr(w.err, rows[i].err)) || (!rows[i].err && strstr(w.err, "error")))
			fail_msg("%s\nstatus %d\n%s\n%s", rows[i].lua, status, w.out, w.err);
		teardown(&w);
	}
}

/* Without probes there is no source: the same language, no shared variables. */
static void
without_source(void **state)
{
	struct world w;

	setup(&w, "B.print('hello world')");
	assert_int_equal(run(&w, NULL), STATUS_OK);
	assert_string_equal(w.out, "hello world\n");
	assert_string_equal(w.err, "");
	teardown(&w);
	setup(&w, "K.table(0)");
	assert_int_equal(run(&w, NULL), STATUS_SCRIPT);
	teardown(&w);
}

/* ---- tracing ------------------------------------------------------------ */

static void
end_after_two(struct fake *fake)
{
	if (fake->n_records <= 1) {
		fake->ended = true;
		fake->globals[128] = 12; /* divisions by zero */
	}
}

static void
records_are_pumped_and_losses_told(void **state)
{
	static const unsigned char record[8];
	struct world w;

	setup(&w, "K.trace(0) K.trace_end(function() B.print('end') end)");
	w.fake.record = record; /* print() without arguments: an empty line */
	w.fake.record_len = 8;
	w.fake.n_records = 3;
	w.fake.n_nested = 2;
	w.fake.on_pump = end_after_two;
	assert_int_equal(run(&w, &w.fake.base), STATUS_SCRIPT);
	assert_string_equal(w.out, "\n\n\nend\n");
	assert_true(w.fake.started && w.fake.stopped);
	assert_int_equal(w.fake.n_attached, 2);
	assert_non_null(strstr(w.err, "test.kp:2:39: error: division by zero, 12 times [divide-by-zero]\n"
				      "    2 | trace syscalls:sys_enter_open* { n = 1 / x }\n"
				      "      |                                       ^~~~~\n"));
	assert_non_null(strstr(w.err, "warning: event skipped, a probe was running already on that CPU, 2 times [nested-run]\n"));
	teardown(&w);
}

static void
bad_records_are_counted(void **state)
{
	static const unsigned char record[8] = { 99 };
	struct world w;

	setup(&w, "K.trace(0)");
	w.fake.record = record;
	w.fake.record_len = 8;
	w.fake.n_records = 2;
	w.fake.ended = true;
	assert_int_equal(run(&w, &w.fake.base), STATUS_OK);
	assert_non_null(strstr(w.err, "2 records do not fit"));
	teardown(&w);
}

/* sys_enter_open* matches both events; neither is named in full. */
static void
events_of_a_pattern_may_be_refused(void **state)
{
	struct world w;

	setup(&w, "K.trace(0)");
	w.fake.refused = "sys_enter_open";
	w.fake.ended = true;
	assert_int_equal(run(&w, &w.fake.base), STATUS_OK);
	assert_int_equal(w.fake.n_attached, 1);
	assert_non_null(strstr(
		w.err,
		"1 event of the script's patterns cannot be traced here; the first: syscalls:sys_enter_open"));
	teardown(&w);
	setup(&w, "K.trace(0) K.trace_end(function() B.print('end') end)");
	w.fake.refused = "sys_enter_open";
	w.handler.n_bindings = 1; /* all that it has is refused */
	assert_int_equal(run(&w, &w.fake.base), STATUS_WORLD);
	assert_non_null(
		strstr(w.err, "test.kp:2: syscalls:sys_enter_open cannot be traced: the fake refuses it"));
	assert_string_equal(w.out, "");
	assert_false(w.fake.started);
	teardown(&w);
}

static void
events_are_named_at_run_time(void **state)
{
	struct world w;

	setup(&w,
	      "B.kdebug_tracepoint('syscalls:sys_enter_cl' .. 'ose', 0) B.kdebug_tracepoint('syscalls:sys_enter_open', 0)");
	w.fake.ended = true;
	assert_int_equal(run(&w, &w.fake.base), STATUS_OK);
	assert_int_equal(w.fake.n_attached, 2);
	assert_string_equal(w.fake.attached[0].event->name, "sys_enter_close");
	assert_int_equal(w.fake.attached[0].event->index, 2); /* new in the object */
	assert_int_equal(w.fake.attached[1].event->index, 0);
	assert_int_equal(w.object->n_events, 3);
	teardown(&w);
}

/* ---- Ctrl-C ------------------------------------------------------------- */

/* Does the process wait for SIGINT to come, in the state `state` (proc(5))? */
static bool
awaits_interrupt(pid_t pid, char state)
{
	char path[64], line[256];
	unsigned long long blocked = 0;
	char now = 0;
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	status = fopen(path, "re");
	while (status && fgets(line, sizeof(line), status)) {
		sscanf(line, "State: %c", &now);
		sscanf(line, "SigBlk: %llx", &blocked);
	}
	if (status)
		fclose(status);
	return now == state && blocked >> (SIGINT - 1) & 1;
}

/*
 * In a child of its own, which gets the signal when it loops in main (state R) or has nothing to do (S); `again`: and again until it ends, for what
 * comes soon is the same wish.
 */
static int
run_interrupted(const char *lua, char state, bool again)
{
	pid_t pid = fork();
	struct world w;
	int status;

	if (pid == 0) {
		signal(SIGINT, SIG_DFL);
		setup(&w, lua);
		_exit(run(&w, NULL) | (strcmp(w.out, "end\n") == 0 ? 16 : 0));
	}
	while (!awaits_interrupt(pid, state))
		usleep(10000);
	do {
		kill(pid, SIGINT);
		usleep(200000);
	} while (again && waitpid(pid, &status, WNOHANG) == 0);
	if (!again)
		waitpid(pid, &status, 0);
	return status;
}

static void
interrupts(void **state)
{
	int status = run_interrupted("K.trace_end(function() B.print('end') end) while true do end", 'R', false);

	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 16); /* main ends, trace_end runs */
	status = run_interrupted(
		"K.tick(1000000000, function() end) K.trace_end(function() B.print('end') end)", 'S', false);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 16);
	status = run_interrupted("K.trace_end(function() while true do end end) while true do end", 'R', true);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT); /* the second ends all */
}

static void
command_ends_the_run(void **state)
{
	static char *argv[] = { "sleep", "0.1", NULL }, *missing[] = { "ktap-no-such-command", NULL };
	struct session_options options = { .script_name = "test.kp", .out_fd = STDERR_FILENO, .quiet = true };
	struct world w;
	int old = dup(STDERR_FILENO);

	options.target.argv = argv;
	setup(&w, "K.tick(1000000000000, function() end)");
	assert_int_equal(session_run(w.object, w.events, NULL, &options), STATUS_OK);
	options.target.argv = missing;
	dup2(fileno(tmpfile()), STDERR_FILENO);
	assert_int_equal(session_run(w.object, w.events, NULL, &options), STATUS_WORLD);
	dup2(old, STDERR_FILENO);
	close(old);
	teardown(&w);
}

/* ---- as another program's guest, step by step ----------------------------- */

struct heard {
	char text[400];
};

static void
hear(void *arg, const char *text, size_t len)
{
	struct heard *heard = arg;

	strncat(heard->text, text, len);
}

static void
step_by_step(void **state)
{
	struct heard heard = { "" };
	const struct session_options options = { .script_name = "test.kp", .out_fd = -1, .print = hear, .print_arg = &heard, .quiet = true,
						 .is_guest = true };
	struct session *session;
	sigset_t before, during;
	struct world w;
	int fds[4];

	setup(&w, "local n = 0 B.print('main') K.tick(1000000, function() n = n + 1 if n == 3 then B.print('tick') B.exit() end end) "
		  "K.trace_end(function() B.print('end') end)");
	pthread_sigmask(SIG_SETMASK, NULL, &before);
	session = session_new(w.object, w.events, NULL, &options);
	assert_true(session_begin(session));
	assert_string_equal(heard.text, "main\n");
	assert_int_equal(session_fds(session, fds, 4), 1); /* of the tick */
	while (session_turn(session, -1))
		;
	assert_string_equal(heard.text, "main\ntick\n");
	pthread_sigmask(SIG_SETMASK, NULL, &during);
	for (int number = 1; number < 32; number++)
		assert_int_equal(sigismember(&before, number), sigismember(&during, number));
	assert_int_equal(session_status(session), STATUS_OK);
	assert_int_equal(session_end(session), STATUS_OK);
	assert_string_equal(heard.text, "main\ntick\nend\n");
	teardown(&w);
}

/* What goes wrong is told where the guest's host wants it: signals are not the script's, and nothing runs for ever. */
static void
guests_have_bounds(void **state)
{
	static const struct {
		const char *lua, *message;
	} cases[] = {
		{ "\nK.signal('SIGUSR1', function() end)", "test.kp:2: error: SIGUSR1 belongs to the program that runs this script\n" },
		{ "local n = 0\n\nwhile true do n = n + 1 end", "test.kp:3: error: this takes too long: about 1000000 steps are allowed at a time\n" },
		{ "for i = 1, 200000 do end B.print('done')", "" }, /* a fifth of them */
		{ "local t = {}\nfor i = 1, 1000000 do t[i] = i end", "test.kp: error: not enough memory\n" }, /* 16 MB */
		{ "local t\nfor i = 1, 100 do t = {} for k = 1, 1000 do t[k] = k end end B.print('done')", "" }, /* 1.6 MB in all, 16 kB at a time */
	};
	struct session_options options = { .script_name = "test.kp", .out_fd = -1, .print = hear, .quiet = true, .is_guest = true,
					   .steps_max = 1000000, .memory_max = 1 << 20 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct heard heard = { "" };
		struct session *session;
		struct world w;
		size_t len;
		char *messages;

		options.print_arg = &heard;
		options.messages = open_memstream(&messages, &len);
		setup(&w, cases[i].lua);
		session = session_new(w.object, w.events, NULL, &options);
		assert_false(session_begin(session));
		assert_int_equal(session_end(session), *cases[i].message ? STATUS_SCRIPT : STATUS_OK);
		fclose(options.messages);
		assert_string_equal(messages, cases[i].message);
		assert_string_equal(heard.text, *cases[i].message ? "" : "done\n");
		free(messages);
		teardown(&w);
	}
}

/* ---- size --------------------------------------------------------------- */

static void
large_tables_are_walked_fast(void **state)
{
	uint64_t before = clock_now();
	struct world w;

	setup(&w,
	      "local t, n, last = {}, 0, -1 for i = 1, 100000 do t[i * 7919 % 100003] = i end "
	      "for k, v in B.pairs(t) do if k <= last then B.exit() end last = k n = n + 1 end B.print(n) "
	      "n = 0 last = 100001 for k, v in B.sorted(t) do if v >= last then B.exit() end last = v n = n + 1 end B.print(n)");
	assert_int_equal(run(&w, NULL), STATUS_OK);
	assert_string_equal(w.out, "100000\n100000\n");
	assert_true(clock_now() - before < UINT64_C(2000000000));
	teardown(&w);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(control_halves),
		cmocka_unit_test(without_source),
		cmocka_unit_test(records_are_pumped_and_losses_told),
		cmocka_unit_test(bad_records_are_counted),
		cmocka_unit_test(events_of_a_pattern_may_be_refused),
		cmocka_unit_test(events_are_named_at_run_time),
		cmocka_unit_test(interrupts),
		cmocka_unit_test(command_ends_the_run),
		cmocka_unit_test(step_by_step),
		cmocka_unit_test(guests_have_bounds),
		cmocka_unit_test(large_tables_are_walked_fast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
