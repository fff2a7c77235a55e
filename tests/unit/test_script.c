/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * libktap-script, through its header alone and the shared library: events with fields, what scripts see of them, many threads that fire at
 * once, scripts that end, scripts that are refused. What is expected was counted by hand, or is what the test fired.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "ktap-script.h"

#define THREADS 8
#define ROUNDS  5000

/* Members that are not where their size would have them, too: hosts have packed structs. */
struct request {
	char verb[8];
	char key[32];
	uint32_t size;
	int16_t delta;
	uint64_t id;
	const char *path;
	unsigned char digest[20];
} __attribute__((packed));

static const struct ktap_field fields[] = {
	KTAP_FIELD(struct request, verb, KTAP_FIELD_TEXT),     KTAP_FIELD(struct request, key, KTAP_FIELD_TEXT),
	KTAP_FIELD(struct request, size, KTAP_FIELD_UNSIGNED), KTAP_FIELD(struct request, delta, KTAP_FIELD_SIGNED),
	KTAP_FIELD(struct request, id, KTAP_FIELD_UNSIGNED),   KTAP_FIELD(struct request, path, KTAP_FIELD_TEXT_POINTER),
	KTAP_FIELD(struct request, digest, KTAP_FIELD_BYTES),
};

#define N_FIELDS (sizeof(fields) / sizeof(fields[0]))

struct fixture {
	struct ktap *engine;
	const struct ktap_event *request, *done;
	struct ktap_script *script;
	char *printed, *reported;
};

static void
append(char **to, const char *text, size_t len)
{
	size_t old = *to ? strlen(*to) : 0;

	*to = realloc(*to, old + len + 1);
	memcpy(*to + old, text, len);
	(*to)[old + len] = '\0';
}

static void
take_print(void *arg, const char *text, size_t len)
{
	append(&((struct fixture *)arg)->printed, text, len);
}

static void
take_report(void *arg, const char *text, size_t len)
{
	append(&((struct fixture *)arg)->reported, text, len);
}

static int
setup(void **state)
{
	static const struct ktap_field number[] = { { "n", KTAP_FIELD_SIGNED, 0, 8 } };
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(ktap_new(&f->engine), 0);
	assert_int_equal(ktap_add_event(f->engine, "server/request", sizeof(struct request), KTAP_CONTEXT_READ), 0);
	assert_int_equal(ktap_add_event(f->engine, "server/done", 8, KTAP_CONTEXT_READ), 0);
	assert_int_equal(ktap_add_event(f->engine, "hidden/event", 8, KTAP_CONTEXT_READ), 0);
	if (ktap_add_fields(f->engine, "server/request", fields, N_FIELDS) < 0 || ktap_add_fields(f->engine, "server/done", number, 1) < 0)
		fail_msg("%s", ktap_error());
	f->request = ktap_event_find(f->engine, "server/request");
	f->done = ktap_event_find(f->engine, "server/done");
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	ktap_script_close(f->script);
	ktap_free(f->engine);
	free(f->printed);
	free(f->reported);
	free(f);
	return 0;
}

static int
try_open(struct fixture *f, const char *text, const struct ktap_script_options *options)
{
	struct ktap_script_options with = options ? *options : (struct ktap_script_options){ 0 };

	with.print = take_print;
	with.report = take_report;
	with.arg = f;
	free(f->printed);
	free(f->reported);
	f->printed = f->reported = NULL;
	return ktap_script_open(f->engine, "t.kp", text, strlen(text), &with, &f->script);
}

static void
open_script(struct fixture *f, const char *text, const struct ktap_script_options *options)
{
	if (try_open(f, text, options) < 0)
		fail_msg("%s", ktap_error());
}

/* Closes, and compares what was printed and reported since it was opened. */
static void
close_script(struct fixture *f, int status, const char *printed, const char *reported)
{
	assert_int_equal(ktap_script_close(f->script), status);
	f->script = NULL;
	assert_string_equal(f->printed ? f->printed : "", printed);
	assert_string_equal(f->reported ? f->reported : "", reported);
}

static struct request
make_request(const char *verb, const char *key, uint32_t size)
{
	struct request request = { .size = size, .path = "/" };

	memcpy(request.verb, verb, strnlen(verb, sizeof(request.verb)));
	memcpy(request.key, key, strnlen(key, sizeof(request.key)));
	return request;
}

static int
fire(struct fixture *f, const char *verb, const char *key, uint32_t size)
{
	const struct request request = make_request(verb, key, size);

	return ktap_script_fire(f->script, f->request, &request);
}

/* ---- events -------------------------------------------------------------------------------------------------------------------------- */

static void
test_fields_refused(void **state)
{
	static const struct {
		const char *event;
		struct ktap_field fields[2];
		size_t n;
		int err;
		const char *message;
	} rows[] = {
		{ "no/event", { { "n", KTAP_FIELD_SIGNED, 0, 8 } }, 1, -ENOENT, "event 'no/event' was not added: ktap_add_event comes first" },
		{ "server/done", { { "n", KTAP_FIELD_SIGNED, 0, 8 } }, 1, -EEXIST, "event 'server/done' is described already" },
		{ "hidden/event", { { "n", KTAP_FIELD_SIGNED, 1, 8 } }, 1, -EINVAL, "event 'hidden/event': field 'n' is not within the 8 bytes of the context" },
		{ "hidden/event", { { "n", KTAP_FIELD_TEXT, SIZE_MAX, 2 } }, 1, -EINVAL, "event 'hidden/event': field 'n' is not within the 8 bytes of the context" },
		{ "hidden/event", { { "n", KTAP_FIELD_SIGNED, 0, 3 } }, 1, -EINVAL, "event 'hidden/event': field 'n' of kind 0 has 3 bytes: numbers have 1, 2, 4 or 8, addresses 8" },
		{ "hidden/event", { { "n", 77, 0, 8 } }, 1, -EINVAL, "event 'hidden/event': field 'n' of kind 77 has 8 bytes: numbers have 1, 2, 4 or 8, addresses 8" },
		{ "hidden/event", { { "2n", KTAP_FIELD_SIGNED, 0, 8 } }, 1, -EINVAL, "event 'hidden/event': '2n' is no name for a field: letters, digits and '_', and not common_..." },
		{ "hidden/event", { { "n", KTAP_FIELD_SIGNED, 0, 4 }, { "n", KTAP_FIELD_SIGNED, 4, 4 } }, 2, -EINVAL, "event 'hidden/event' has two fields 'n'" },
		{ "probe/x", { { "n", KTAP_FIELD_SIGNED, 0, 8 } }, 1, -EINVAL, "event 'probe/x': to scripts 'probe:' is something else; choose another first word" },
		{ "a/b/c", { { "n", KTAP_FIELD_SIGNED, 0, 8 } }, 1, -EINVAL, "event 'a/b/c': scripts know it by two words, for example server/request" },
	};
	struct fixture *f = *state;

	ktap_add_event(f->engine, "probe/x", 8, KTAP_CONTEXT_READ);
	ktap_add_event(f->engine, "a/b/c", 8, KTAP_CONTEXT_READ);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(ktap_add_fields(f->engine, rows[i].event, rows[i].fields, rows[i].n), rows[i].err);
		assert_string_equal(ktap_error(), rows[i].message);
	}
	assert_null(ktap_event_find(f->engine, "no/event"));
}

/* All ways to read a field, in both ways of running; a text that fills its place ends before the last byte. */
static void
test_fields(void **state)
{
	struct fixture *f = *state;

	for (int exec = KTAP_EXEC_AUTO; exec <= KTAP_EXEC_JIT; exec++) {
		const struct ktap_script_options options = { .exec = exec };
		struct request request = make_request("DELETE!!", "a", 7);

		open_script(f, "trace server:request { print(probename, args.verb, args.key, args.size, args.delta, args.id, args.path) print(arg2, arg3, arg4) }\n"
			       "trace server:* { print(probename) }\n"
			       "trace server:request /size > 7 && key == \"b\"/ { print(\"large b\") }\n"
			       "trace server:done { print(argstr) }\n", &options);
		request.delta = -3;
		request.id = 0x8000000000000001;
		request.path = "/some/where";
		assert_int_equal(ktap_script_fire(f->script, f->request, &request), 3);
		request = make_request("GET", "b", 8);
		assert_int_equal(ktap_script_fire(f->script, f->request, &request), 3);
		assert_int_equal(ktap_script_fire(f->script, f->done, &(int64_t){ -12 }), 2);
		assert_int_equal(ktap_script_fire(f->script, ktap_event_find(f->engine, "hidden/event"), &(int64_t){ 0 }), 0);
		assert_int_equal(ktap_script_poll(f->script, 0), 1);
		close_script(f, 0, "request\tDELETE!\ta\t7\t-3\t-9223372036854775807\t/some/where\n7\t-3\t-9223372036854775807\n"
				   "request\n"
				   "request\tGET\tb\t8\t0\t0\t/\n8\t0\t0\n"
				   "request\nlarge b\n"
				   "done\ndone: n=-12\n", "");
	}
}

/* The calling thread is who does it. */
static void *
fire_once(void *arg)
{
	struct fixture *f = arg;

	prctl(PR_SET_NAME, "the-worker");
	fire(f, "GET", "k", 1);
	return (void *)(uintptr_t)syscall(SYS_gettid);
}

static void
test_who(void **state)
{
	struct fixture *f = *state;
	pthread_t thread;
	char expected[100];
	void *tid;

	open_script(f, "var num = num_cpus()\ntrace server:request { print(execname, pid, tid, uid, cpu < num) }", NULL);
	pthread_create(&thread, NULL, fire_once, f);
	pthread_join(thread, &tid);
	snprintf(expected, sizeof(expected), "the-worker\t%d\t%d\t%d\ttrue\n", (int)getpid(), (int)(uintptr_t)tid, (int)getuid());
	close_script(f, 0, expected, "");
}

/* ---- many threads ------------------------------------------------------------------------------------------------------------------------ */

static void *
fire_many(void *arg)
{
	static const char *const keys[] = { "zero", "one", "two", "three", "four" };
	struct fixture *f = arg;

	for (uint32_t i = 0; i < ROUNDS; i++)
		fire(f, i % 2 ? "SET" : "GET", keys[i % 5], i);
	return NULL;
}

static void
run_threads(struct fixture *f, void *(*body)(void *arg))
{
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, body, f), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
}

/*
 * Every kind of shared state, exact: a number, a table of sums (per lane), a table that is assigned to, a statistic, one that is read by its key. Of each
 * thread's 5,000 rounds each of the 5 keys has 1,000, half of the rounds are SET, and the sizes add up to 5000 * 4999 / 2.
 */
static void
test_threads(void **state)
{
	struct fixture *f = *state;

	open_script(f, "var n, sums, last, sizes = 0, {}, {}, {}\nvar all\n"
		       "trace server:request { n += 1 sums[args.key] += 1 last[args.verb] = args.verb sizes[args.verb] <<< args.size all <<< args.size }\n"
		       "trace server:request /size >= 4000/ { sums[\"large\"] += args.size - args.size + 1 }\n"
		       "trace_end { print(n) for (k, v in pairs(sums)) { print(k, v) } for (k, v in pairs(last)) { print(k, v) }\n"
		       "print(count(sizes[\"SET\"]), count(all), sum(all), min(all), max(all)) }", NULL);
	run_threads(f, fire_many);
	close_script(f, 0, "40000\nfour\t8000\nlarge\t8000\none\t8000\nthree\t8000\ntwo\t8000\nzero\t8000\nGET\tGET\nSET\tSET\n"
			   "20000\t40000\t99980000\t0\t4999\n", "");
}

/* While threads fire, another polls: what they send is printed once each, and what does not fit is counted. */
static void *
poll_script(void *arg)
{
	struct fixture *f = arg;

	while (ktap_script_poll(f->script, 10) > 0)
		;
	return NULL;
}

static unsigned
count_lines(const char *s)
{
	unsigned n = 0;

	for (; s && (s = strchr(s, '\n')); s++)
		n++;
	return n;
}

static void
test_prints(void **state)
{
	const struct ktap_script_options options = { .buffer = 4096 };
	struct fixture *f = *state;
	unsigned n_lost = 0, n_lines;
	pthread_t poller;
	const char *lost;

	open_script(f, "trace server:request { print(args.key, args.size) }\ntrace server:done { exit() }", &options);
	pthread_create(&poller, NULL, poll_script, f);
	run_threads(f, fire_many);
	assert_int_equal(ktap_script_fire(f->script, f->done, &(int64_t){ 0 }), 1);
	pthread_join(poller, NULL);
	assert_int_equal(fire(f, "GET", "late", 1), 0);
	assert_int_equal(ktap_script_close(f->script), 0); /* a loss is no mistake */
	f->script = NULL;
	n_lines = count_lines(f->printed);
	lost = f->reported ? strstr(f->reported, "ring buffer full, ") : NULL;
	if (lost)
		n_lost = (unsigned)strtoul(lost + strlen("ring buffer full, "), NULL, 10);
	assert_int_equal(n_lines + n_lost, THREADS * ROUNDS);
	assert_null(f->printed ? strstr(f->printed, "late") : NULL);
}

/* A handler calls exit() while all fire: from then on no handler runs, whoever fires. */
static void
test_exit_while_threads_fire(void **state)
{
	struct fixture *f = *state;
	pthread_t poller;
	long n;

	open_script(f, "var n = 0\ntrace server:request { n += 1 if (n >= 1000) { exit() } }\n"
		       "trace_end { print(n) }", NULL);
	pthread_create(&poller, NULL, poll_script, f);
	run_threads(f, fire_many);
	pthread_join(poller, NULL);
	assert_int_equal(fire(f, "GET", "late", 1), 0);
	assert_int_equal(ktap_script_poll(f->script, 0), 0);
	assert_int_equal(ktap_script_close(f->script), 0);
	f->script = NULL;
	n = strtol(f->printed, NULL, 10);
	assert_in_range(n, 1000, 1000 + THREADS); /* those that were running then */
}

/* ---- the control half ---------------------------------------------------------------------------------------------------------------------- */

static void
test_control(void **state)
{
	static const char *const args[] = { "--rows=3", "first", NULL };
	const struct ktap_script_options options = { .args = args };
	struct fixture *f = *state;
	struct pollfd waiting = { .events = POLLIN };

	open_script(f, "var rows, n = option(\"rows\", 10, \"rows\"), 0\nprint(\"main\", rows, arg[1])\n"
		       "trace init { print(\"init\") }\ntrace fini { print(\"fini\") }\n"
		       "kdebug.tracepoint(\"server:done\", function () { print(\"named at run time\") })\n"
		       "tick-20ms { n += 1 if (n == 2) { print(\"tick\") exit() } }\ntrace_end { print(\"end\") }", &options);
	assert_string_equal(f->printed, "main\t3\tfirst\n");
	assert_int_equal(ktap_script_fire(f->script, f->done, &(int64_t){ 0 }), 1);
	waiting.fd = ktap_script_fd(f->script);
	assert_true(waiting.fd >= 0);
	assert_int_equal(ktap_script_fd(f->script), waiting.fd);
	assert_int_equal(poll(&waiting, 1, 5000), 1);
	while (ktap_script_poll(f->script, -1) > 0)
		;
	assert_int_equal(ktap_script_poll(f->script, -1), 0);
	close_script(f, 0, "main\t3\tfirst\ninit\nnamed at run time\ntick\nfini\nend\n", "");
	open_script(f, "print(\"hello\")", NULL); /* registers nothing */
	assert_int_equal(ktap_script_poll(f->script, -1), 0);
	assert_int_equal(fire(f, "GET", "a", 1), 0);
	close_script(f, 0, "hello\n", "");
}

/* ---- what goes wrong ------------------------------------------------------------------------------------------------------------------------ */

static void
test_scripts_refused(void **state)
{
	static const struct {
		const char *text;
		const char *messages[3]; /* parts of it */
	} rows[] = {
		{ "trace server:request { print(", { "t.kp:1:30: error:", "1 | trace server:request { print(" } },
		{ "trace server:reqest { }", { "[unknown-event]", "did you mean 'server:request'?", "the host's events are: server:request, server:done" } },
		{ "trace hidden:event { }", { "no event here matches 'hidden:event' [unknown-event]" } },
		{ "trace server:request { print(args.kex) }", { "event server:request has no field 'kex' [unknown-field]", "did you mean 'key'?",
								 "its fields are: verb, key, size, delta, id, path, digest" } },
		{ "trace syscalls:sys_enter_openat { }", { "[unknown-event]" } },
		{ "trace probe:vfs_read { }", { "programs that host scripts have no probes of functions [unsupported-event]" } },
		{ "trace perf:page-faults { }", { "programs that host scripts have no counters [unsupported-event]" } },
		{ "trace fentry:vfs_read { }", { "programs that host scripts have no probes of the kernel [unsupported-event]" } },
		{ "profile-10ms { print(1) }", { "programs that host scripts have no timer on every CPU [not-in-host]" } },
		{ "trace server:request { print(ustack()) }", { "programs that host scripts have no stacks [not-in-host]" } },
		{ "trace server:request { print(cgroup) }", { "programs that host scripts have no access to cgroups [kernel-types]" } },
		{ "trace server:request { print(ppid) }", { "programs that host scripts have no access to structures of the kernel [kernel-types]" } },
		{ "trace signal:SIGUSR1 { print(1) }", { "t.kp:1: error: SIGUSR1 belongs to the program that runs this script" } },
		{ "var t = {}\nprint(t.x.y)", { "t.kp:2: error:" } },
		{ "system(\"true\")", { "t.kp:1: error: system() starts programs" } },
		{ "trace server:request { print(1 }\ntrace server:done { print(2 }", { "t.kp:1:32: error:", "t.kp:2:29: error:" } },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int err = try_open(f, rows[i].text, NULL);

		if (err != -EINVAL)
			fail_msg("%s: %d", rows[i].text, err);
		f->script = NULL;
		for (int m = 0; m < 3 && rows[i].messages[m]; m++)
			if (!strstr(ktap_error(), rows[i].messages[m]))
				fail_msg("%s\n---\n%s\n---\n%s", rows[i].text, ktap_error(), rows[i].messages[m]);
		assert_null(f->printed);
		assert_null(f->reported);
	}
	assert_int_equal(ktap_script_open_file(f->engine, "/nonexistent/t.kp", NULL, &f->script), -ENOENT);
	assert_string_equal(ktap_error(), "cannot read /nonexistent/t.kp: No such file or directory");
	assert_int_equal(try_open(f, "\177ELF and nothing", NULL), -EINVAL);
	assert_non_null(strstr(ktap_error(), "t.kp: "));
	assert_int_equal(try_open(f, "print(1)", &(struct ktap_script_options){ .buffer = 5000 }), -EINVAL);
	f->script = NULL;
}

/* Mistakes of handlers are told by line when the script is closed; so is a handler that was ended by its budget. What runs for ever in Lua is ended, too. */
static void
test_mistakes(void **state)
{
	struct fixture *f = *state;

	open_script(f, "trace server:request { print(10 / args.size) }", NULL);
	fire(f, "GET", "a", 0);
	fire(f, "GET", "a", 5);
	fire(f, "GET", "a", 0);
	close_script(f, 1, "2\n", "t.kp:1:30: error: division by zero, 2 times [divide-by-zero]\n"
				  "    1 | trace server:request { print(10 / args.size) }\n"
				  "      |                              ^~~~~~~~~~~~~~\n");
	open_script(f, "var n = 0\ntrace server:request { for (i = 1, args.size, 1) { n += 1 } print(\"whole\") }", &(struct ktap_script_options){ .budget = 100 });
	fire(f, "GET", "a", 50);
	fire(f, "GET", "a", 10000);
	assert_int_equal(ktap_script_close(f->script), 1);
	f->script = NULL;
	assert_string_equal(f->printed, "whole\n");
	assert_non_null(strstr(f->reported, "t.kp:2:1: error: the handler took too long, and its call was ended, 1 time [budget-used]"));
	assert_int_equal(try_open(f, "var t = {}\nfor (i = 1, 1000000, 1) { t[i] = i }", &(struct ktap_script_options){ .memory_max = 1000000 }), -EINVAL);
	assert_string_equal(ktap_error(), "t.kp: error: not enough memory");
	open_script(f, "tick-1ms { while (true) { } }\ntrace_end { print(\"end\") }", &(struct ktap_script_options){ .steps_max = 300000 });
	while (ktap_script_poll(f->script, -1) > 0)
		;
	close_script(f, 1, "end\n", "t.kp:1: error: this takes too long: about 300000 steps are allowed at a time\n");
}

/* Addresses that are none do no harm, and are told. */
static void
test_bad_addresses(void **state)
{
	struct request request = make_request("GET", "a", 1);
	struct fixture *f = *state;

	open_script(f, "trace server:request { print(\"[\" .. args.path .. \"]\", user_string(args.id)) }", NULL);
	request.path = (const char *)(uintptr_t)0xdead00000000;
	request.id = (uintptr_t)"a text of the host";
	assert_int_equal(ktap_script_fire(f->script, f->request, &request), 1);
	request.path = "ok";
	request.id = UINT64_MAX - 2;
	assert_int_equal(ktap_script_fire(f->script, f->request, &request), 1);
	assert_int_equal(ktap_script_close(f->script), 0);
	f->script = NULL;
	assert_string_equal(f->printed, "[]\ta text of the host\n[ok]\t\n");
	assert_non_null(strstr(f->reported, "t.kp:1:37: warning: memory not readable, 0 or an empty string taken, 1 time [read-fault]"));
	assert_non_null(strstr(f->reported, "t.kp:1:55: warning: memory not readable, 0 or an empty string taken, 1 time [read-fault]"));
}

/* Two scripts at once, one closed while the other goes on. */
static void
test_two(void **state)
{
	struct fixture *f = *state;
	struct ktap_script *first;
	struct ktap *other;

	open_script(f, "var n = 0 trace server:* { n += 1 } trace_end { print(\"first\", n) }", NULL);
	first = f->script;
	open_script(f, "var n = 0 trace server:request { n += 1 } trace_end { print(\"second\", n) }", NULL);
	ktap_script_fire(first, f->done, &(int64_t){ 1 });
	assert_int_equal(fire(f, "GET", "a", 1), 1);
	assert_int_equal(ktap_script_fire(f->script, f->done, &(int64_t){ 1 }), 0);
	assert_int_equal(ktap_script_close(first), 0);
	assert_int_equal(fire(f, "GET", "a", 1), 1);
	assert_int_equal(ktap_new(&other), 0); /* whose events would be smaller than the script believes */
	assert_int_equal(ktap_add_event(other, "a/b", 1, KTAP_CONTEXT_READ), 0);
	assert_int_equal(ktap_script_fire(f->script, ktap_event_find(other, "a/b"), ""), -EINVAL);
	assert_string_equal(ktap_error(), "event 'a/b' is another engine's than script 't.kp'");
	ktap_free(other);
	close_script(f, 0, "first\t1\nsecond\t2\n", "");
}

int
main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_fields_refused), T(test_fields),          T(test_who),      T(test_threads),       T(test_prints), T(test_exit_while_threads_fire),
		T(test_control),        T(test_scripts_refused), T(test_mistakes), T(test_bad_addresses), T(test_two),
	};
#undef T

	return cmocka_run_group_tests_name("script", tests, NULL, NULL);
}
