/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * libktap-script, through its header alone and the shared library: events with fields, what scripts see of them, many threads that fire at
 * once, scripts that end, scripts that are refused. What is expected was counted by hand, or is what the test fired.
 */
#include <dlfcn.h>
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

/* Texts that fill their places, of any size, end before the last byte: what stands behind is none of theirs. */
static void
test_full_texts(void **state)
{
	static const struct ktap_field texts[] = {
		{ "one", KTAP_FIELD_TEXT, 0, 1 },   { "two", KTAP_FIELD_TEXT, 1, 2 },      { "five", KTAP_FIELD_TEXT, 3, 5 },
		{ "nine", KTAP_FIELD_TEXT, 8, 9 },  { "large", KTAP_FIELD_TEXT, 17, 255 }, { "larger", KTAP_FIELD_TEXT, 272, 400 },
		{ "last", KTAP_FIELD_TEXT, 697, 3 },
	};
	struct fixture *f = *state;
	char context[700];

	memset(context, 'x', sizeof(context));
	assert_int_equal(ktap_add_event(f->engine, "full/texts", sizeof(context), KTAP_CONTEXT_READ), 0);
	assert_int_equal(ktap_add_fields(f->engine, "full/texts", texts, sizeof(texts) / sizeof(texts[0])), 0);
	open_script(f, "trace full:texts { print(\"[\" .. args.one .. \"]\", args.two, args.five, args.nine, len(args.large), len(args.larger), args.last) }\n"
		       "trace full:texts /one == \"\" && two == \"x\" && five ~ xxxx && last != \"xxx\"/ { print(\"filter\") }", NULL);
	assert_int_equal(ktap_script_fire(f->script, ktap_event_find(f->engine, "full/texts"), context), 2);
	assert_int_equal(ktap_script_close(f->script), 0);
	f->script = NULL;
	assert_string_equal(f->printed, "[]\tx\txxxx\txxxxxxxx\t254\t255\txx\nfilter\n");
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
	open_script(f, "print(\"hello\")", NULL); /* registers nothing: who waits for it is told at once that it is over */
	waiting.fd = ktap_script_fd(f->script);
	assert_int_equal(poll(&waiting, 1, 0), 1);
	assert_int_equal(ktap_script_poll(f->script, -1), 0);
	assert_int_equal(fire(f, "GET", "a", 1), 0);
	close_script(f, 0, "hello\n", "");
}

/* ---- what scripts hold ---------------------------------------------------------------------------------------------------------------------- */

/* Writes a value as the tests expect it: "nil", 5, true, "text", of a statistic count, sum, avg, min and max. */
static void
write_value(FILE *out, const struct ktap_value *value)
{
	int64_t number;

	switch (value->kind) {
	case KTAP_VALUE_NIL: fputs("nil", out); break;
	case KTAP_VALUE_INT: fprintf(out, "%lld", (long long)value->number); break;
	case KTAP_VALUE_BOOL: fputs(value->number ? "true" : "false", out); break;
	case KTAP_VALUE_TEXT:
		assert_int_equal(strlen(value->text), value->len);
		fprintf(out, "\"%s\"", value->text);
		break;
	case KTAP_VALUE_STACK: fputs("stack", out); break;
	case KTAP_VALUE_STAT:
		for (int what = KTAP_COUNT; what <= KTAP_MAX; what++)
			if (ktap_stat_read(value->stat, what, &number) == 0)
				fprintf(out, "%s%lld", what ? " " : "<", (long long)number);
			else
				fputs(" -", out);
		fputc('>', out);
	}
}

static int
write_entry(void *arg, const struct ktap_value *key, size_t n_parts, const struct ktap_value *value)
{
	for (size_t i = 0; i < n_parts; i++) {
		write_value(arg, &key[i]);
		fputs(i + 1 < n_parts ? "," : "=", arg);
	}
	write_value(arg, value);
	fputc('\n', arg);
	return 0;
}

static void
check_walk_from(struct fixture *f, const char *name, const struct ktap_value *key, size_t n_parts, int n, const char *expected)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(ktap_script_walk(f->script, name, key, n_parts, write_entry, out), n);
	fclose(out);
	assert_string_equal(text, expected);
	free(text);
}

static void
check_walk(struct fixture *f, const char *name, int n, const char *expected)
{
	check_walk_from(f, name, NULL, 0, n, expected);
}

static const char holding[] =
	"var own = 7\n"
	"var n, last, on, gone, pairs_of, t, u, ev, events = 0, \"\", false, 1, {}, {}, {}, {}, {}\n"
	"var stat\n"
	"var sizes = {}\n"
	"trace server:* { n += 1 ev[probename] += 1 events[probename] = pid }\n"
	"trace server:request {\n"
	"	last = args.key on = args.size > 5 gone = nil\n"
	"	pairs_of[args.key, args.size] += 1 t[args.id] = args.verb u[args.verb][args.size] = args.delta\n"
	"	stat <<< args.size sizes[args.verb] <<< args.delta\n"
	"}\n"
	"tick-3600s { own += 1 }\n";

static void
fire_three(struct fixture *f)
{
	static const struct { const char *verb, *key; uint32_t size; int16_t delta; uint64_t id; } rows[] = {
		{ "GET", "b", 4, -3, 1 }, { "SET", "a", 10, 100, 1ull << 63 }, { "GET", "b", 4, 8, 2 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct request request = make_request(rows[i].verb, rows[i].key, rows[i].size);

		request.delta = rows[i].delta;
		request.id = rows[i].id;
		assert_int_equal(ktap_script_fire(f->script, f->request, &request), 2);
	}
}

/* All kinds of variables, keys and values, in the order in which they were made; what was never made is not there. */
static void
check_holding(struct fixture *f)
{
	static const char *const names[] = { "n", "last", "on", "gone", "pairs_of", "t", "u", "ev", "events", "stat", "sizes" };
	char expected[64];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_string_equal(ktap_script_variable(f->script, i), names[i]);
	assert_null(ktap_script_variable(f->script, sizeof(names) / sizeof(names[0])));
	check_walk(f, "n", 1, "0\n");
	check_walk(f, "gone", 1, "1\n");
	check_walk(f, "t", 0, "");
	check_walk(f, "ev", 0, "");
	check_walk(f, "stat", 1, "<0 0 - - ->\n");
	fire_three(f);
	check_walk(f, "n", 1, "3\n");
	check_walk(f, "last", 1, "\"b\"\n");
	check_walk(f, "on", 1, "false\n");
	check_walk(f, "gone", 1, "nil\n");
	check_walk(f, "pairs_of", 2, "\"b\",4=2\n\"a\",10=1\n");
	check_walk(f, "t", 3, "1=\"GET\"\n-9223372036854775808=\"SET\"\n2=\"GET\"\n");
	check_walk(f, "u", 2, "\"GET\",4=8\n\"SET\",10=100\n");
	check_walk(f, "ev", 1, "\"request\"=3\n");
	snprintf(expected, sizeof(expected), "\"request\"=%d\n", (int)getpid());
	check_walk(f, "events", 1, expected);
	check_walk(f, "stat", 1, "<3 18 6 4 10>\n");
	check_walk(f, "sizes", 2, "\"GET\"=<2 5 2 -3 8>\n\"SET\"=<1 100 100 100 100>\n");
}

static struct ktap_value
number(int64_t n)
{
	return (struct ktap_value){ .kind = KTAP_VALUE_INT, .number = n };
}

static struct ktap_value
text(const char *s)
{
	return (struct ktap_value){ .kind = KTAP_VALUE_TEXT, .text = s, .len = strlen(s) };
}

/* By whole keys, by their first parts, and by what no key can be. */
static void
check_keys(struct fixture *f)
{
	char longest[300];

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	check_walk_from(f, "pairs_of", (struct ktap_value[]){ text("b") }, 1, 1, "\"b\",4=2\n");
	check_walk_from(f, "pairs_of", (struct ktap_value[]){ text("b"), number(4) }, 2, 1, "\"b\",4=2\n");
	check_walk_from(f, "pairs_of", (struct ktap_value[]){ text("b"), number(5) }, 2, 0, "");
	check_walk_from(f, "pairs_of", (struct ktap_value[]){ text("bb") }, 1, 0, "");
	check_walk_from(f, "pairs_of", (struct ktap_value[]){ text(longest) }, 1, 0, "");
	check_walk_from(f, "t", (struct ktap_value[]){ number(2) }, 1, 1, "2=\"GET\"\n");
	check_walk_from(f, "u", (struct ktap_value[]){ text("SET") }, 1, 1, "\"SET\",10=100\n");
	check_walk_from(f, "ev", (struct ktap_value[]){ text("request") }, 1, 1, "\"request\"=3\n");
	check_walk_from(f, "ev", (struct ktap_value[]){ text("done") }, 1, 0, "");
	check_walk_from(f, "ev", (struct ktap_value[]){ text("never") }, 1, 0, "");
	check_walk_from(f, "sizes", (struct ktap_value[]){ text("SET") }, 1, 1, "\"SET\"=<1 100 100 100 100>\n");
}

static void
check_refused(struct fixture *f, const char *name, const struct ktap_value *key, size_t n_parts, int err, const char *message)
{
	assert_int_equal(ktap_script_walk(f->script, name, key, n_parts, write_entry, NULL), err);
	assert_string_equal(ktap_error(), message);
}

static void
test_variables(void **state)
{
	const struct ktap_value parts[3] = { number(1), number(2), number(3) };
	struct fixture *f = *state;

	for (int exec = KTAP_EXEC_AUTO; exec <= KTAP_EXEC_JIT; exec++) {
		open_script(f, holding, &(struct ktap_script_options){ .exec = exec });
		check_holding(f);
		check_keys(f);
		check_refused(f, "own", NULL, 0, -ENOENT, "script 't.kp' has no variable 'own' that its handlers use");
		check_refused(f, ".globals", NULL, 0, -ENOENT, "script 't.kp' has no variable '.globals' that its handlers use");
		check_refused(f, "n", parts, 1, -EINVAL, "variable 'n' of script 't.kp' is no table: it has no keys");
		check_refused(f, "pairs_of", parts, 1, -EINVAL, "table 'pairs_of' of script 't.kp': part 1 of its keys is a string, not a number");
		check_refused(f, "t", (struct ktap_value[]){ text("1") }, 1, -EINVAL, "table 't' of script 't.kp': part 1 of its keys is a number, not a string");
		check_refused(f, "t", &(struct ktap_value){ 0 }, 1, -EINVAL, "table 't' of script 't.kp': part 1 of its keys is a number, not nothing");
		check_refused(f, "pairs_of", parts, 3, -EINVAL, "table 'pairs_of' of script 't.kp': its keys have 2 parts, not 3");
		check_refused(f, "stat", parts, 1, -EINVAL, "table 'stat' of script 't.kp': its keys have 0 parts, not 1");
		close_script(f, 0, "", "");
	}
	open_script(f, "var t = {} t[1] = 2", NULL); /* has no handlers */
	assert_null(ktap_script_variable(f->script, 0));
	check_refused(f, "t", NULL, 0, -ENOENT, "script 't.kp' has no variable 't' that its handlers use");
	close_script(f, 0, "", "");
}

struct hist {
	struct ktap_bucket buckets[2][100];
	int n[2], err[2], stddev_err;
	int64_t stddev;
};

static int
read_hist(void *arg, const struct ktap_value *key, size_t n_parts, const struct ktap_value *value)
{
	struct hist *hist = arg;

	assert_int_equal(n_parts, 0);
	for (int which = KTAP_LOG2; which <= KTAP_LINEAR; which++)
		while ((hist->err[which] = ktap_stat_bucket(value->stat, which, hist->n[which], &hist->buckets[which][hist->n[which]])) == 0)
			hist->n[which]++;
	hist->stddev_err = ktap_stat_read(value->stat, KTAP_STDDEV, &hist->stddev);
	return 0;
}

static void
check_bucket(const struct ktap_bucket *bucket, int64_t first, int64_t last, uint64_t count)
{
	assert_int_equal(bucket->first, first);
	assert_int_equal(bucket->last, last);
	assert_int_equal(bucket->count, count);
}

/* Histograms and deviations that the script reads, and that it does not. 4, 10 and 4: the variance is 24 / 3. */
static void
test_histograms(void **state)
{
	struct fixture *f = *state;
	struct hist hist = { 0 };

	open_script(f, "var s, plain\ntrace server:request { s <<< args.size plain <<< args.size }\n"
		       "trace_end { print_hist(s) print_hist(s, hist_linear(5, 11, 5)) print(stddev(s)) }", NULL);
	for (int i = 0; i < 3; i++)
		fire(f, "GET", "a", i == 1 ? 10 : 4);
	assert_int_equal(ktap_script_walk(f->script, "s", NULL, 0, read_hist, &hist), 1);
	assert_int_equal(hist.stddev_err, 0);
	assert_int_equal(hist.stddev, 2);
	assert_int_equal(hist.err[KTAP_LOG2], -ENOENT);
	assert_int_equal(hist.n[KTAP_LOG2], 65);
	check_bucket(&hist.buckets[KTAP_LOG2][0], INT64_MIN, -1, 0);
	check_bucket(&hist.buckets[KTAP_LOG2][4], 4, 7, 2);
	check_bucket(&hist.buckets[KTAP_LOG2][5], 8, 15, 1);
	assert_int_equal(hist.n[KTAP_LINEAR], 4);
	check_bucket(&hist.buckets[KTAP_LINEAR][0], INT64_MIN, 4, 2);
	check_bucket(&hist.buckets[KTAP_LINEAR][1], 5, 9, 0);
	check_bucket(&hist.buckets[KTAP_LINEAR][2], 10, 10, 1);
	check_bucket(&hist.buckets[KTAP_LINEAR][3], 11, INT64_MAX, 0);
	memset(&hist, 0, sizeof(hist));
	assert_int_equal(ktap_script_walk(f->script, "plain", NULL, 0, read_hist, &hist), 1);
	assert_int_equal(hist.stddev_err, -ENOTSUP);
	assert_int_equal(hist.err[KTAP_LOG2], -ENOTSUP);
	assert_int_equal(hist.err[KTAP_LINEAR], -ENOTSUP);
	assert_int_equal(ktap_script_close(f->script), 0);
	f->script = NULL;
}

/* A walk ends when it is told to, and may fire and walk; entries that come meanwhile do not keep it going. */
struct nested_walk {
	struct fixture *f;
	int n, n_inner, end;
};

static int
count_inner(void *arg, const struct ktap_value *key, size_t n_parts, const struct ktap_value *value)
{
	((struct nested_walk *)arg)->n_inner++;
	return 0;
}

static int
fire_and_walk(void *arg, const struct ktap_value *key, size_t n_parts, const struct ktap_value *value)
{
	struct nested_walk *walk = arg;

	fire(walk->f, "GET", "new", (uint32_t)(1000 + walk->n)); /* makes an entry */
	assert_true(ktap_script_walk(walk->f->script, "t", NULL, 0, count_inner, walk) > 0);
	return ++walk->n == walk->end;
}

static void
test_nested_walks(void **state)
{
	struct fixture *f = *state;
	struct nested_walk walk = { .f = f, .end = 3 };

	open_script(f, "var t = table.new(0, 20)\ntrace server:request { t[args.size] = true }", NULL);
	for (uint32_t i = 0; i < 5; i++)
		fire(f, "GET", "a", i);
	assert_int_equal(ktap_script_walk(f->script, "t", NULL, 0, fire_and_walk, &walk), 3);
	assert_int_equal(walk.n_inner, 6 + 7 + 8);
	walk = (struct nested_walk){ .f = f };
	assert_true(ktap_script_walk(f->script, "t", NULL, 0, fire_and_walk, &walk) <= 20);
	assert_int_equal(ktap_script_close(f->script), 1); /* the table was full: a mistake of the script's */
	f->script = NULL;
}

/*
 * Threads fire, a tick deletes and makes entries, others walk: what is there all the time is met once by each walk, and sums only grow. Entry 0 to 99 are there
 * all the time, those from 1000 on come and go.
 */
#define WALKS 300

struct walker {
	struct fixture *f;
	unsigned met[100], n_wrong;
	int64_t sum;
};

static int
meet(void *arg, const struct ktap_value *key, size_t n_parts, const struct ktap_value *value)
{
	struct walker *walker = arg;

	if (key->number < 100)
		walker->met[key->number]++;
	return 0;
}

static int
grow(void *arg, const struct ktap_value *key, size_t n_parts, const struct ktap_value *value)
{
	struct walker *walker = arg;

	walker->n_wrong += value->number < walker->sum;
	walker->sum = value->number;
	return 0;
}

static void *
walk_often(void *arg)
{
	struct walker *walker = arg;

	for (int i = 0; i < WALKS; i++) {
		memset(walker->met, 0, sizeof(walker->met));
		ktap_script_walk(walker->f->script, "t", NULL, 0, meet, walker);
		for (int k = 0; k < 100; k++)
			walker->n_wrong += walker->met[k] != 1;
		ktap_script_walk(walker->f->script, "sum", (struct ktap_value[]){ text("GET") }, 1, grow, walker);
	}
	return NULL;
}

static void *
fire_churn(void *arg)
{
	struct fixture *f = arg;

	for (uint32_t i = 0; i < ROUNDS; i++)
		fire(f, i % 2 ? "DEL" : "GET", "k", 1000 + i / 2 % 50);
	return NULL;
}

static void
test_walks_meanwhile(void **state)
{
	struct fixture *f = *state;
	struct walker walkers[2] = { { .f = f }, { .f = f } };
	pthread_t walking[2], firing[2], polling;

	open_script(f, "var t, sum = {}, {}\n"
		       "trace server:request { if (args.verb == \"DEL\") { t[args.size] = nil } else { t[args.size] = 1 } sum[\"GET\"] += 1 }\n"
		       "tick-1ms { t[5000] = 1 t[5000] = nil for (k, v in pairs(t)) { } }\n"
		       "trace server:done { exit() }", NULL);
	for (uint32_t i = 0; i < 100; i++)
		fire(f, "GET", "k", i);
	pthread_create(&polling, NULL, poll_script, f);
	for (int i = 0; i < 2; i++) {
		pthread_create(&firing[i], NULL, fire_churn, f);
		pthread_create(&walking[i], NULL, walk_often, &walkers[i]);
	}
	for (int i = 0; i < 2; i++) {
		pthread_join(walking[i], NULL);
		pthread_join(firing[i], NULL);
		assert_int_equal(walkers[i].n_wrong, 0);
	}
	ktap_script_fire(f->script, f->done, &(int64_t){ 0 });
	pthread_join(polling, NULL);
	check_walk_from(f, "sum", (struct ktap_value[]){ text("GET") }, 1, 1, "\"GET\"=10100\n"); /* also when it is over */
	close_script(f, 0, "", "");
}

/* ---- stacks --------------------------------------------------------------------------------------------------------------------------------- */

__attribute__((noinline)) static void
from_here(void *arg)
{
	struct fixture *f = arg;

	assert_int_equal(ktap_script_fire(f->script, f->done, &(int64_t){ 7 }), 1);
	__asm__ volatile("");
}

__attribute__((noinline)) static void
through(struct fixture *f)
{
	from_here(f);
	__asm__ volatile("");
}

/* The lines of the stack that was printed begin so. Returns what stands behind them. */
static const char *
check_frames(const char *printed, const char *const *names)
{
	const char *at = strstr(printed, "<stack trace>\n");

	assert_non_null(at);
	at = strchr(at, '\n') + 1;
	for (; *names; names++) {
		if (strncmp(at, " => ", 4) != 0 || strncmp(at + 4, *names, strlen(*names)) != 0)
			fail_msg("no %s in\n%s", *names, printed);
		at = strchr(at, '\n') + 1;
	}
	return at;
}

/* The host's functions by name, those of this library not, those of one that was loaded since the last stack, too. No frame pointers are needed. */
static void
test_stack(void **state)
{
	static const char *const plain[] = { "from_here", "through", "test_stack", NULL }, *const loaded[] = { "from_here", "fires+", "test_stack", NULL };
	void (*fires)(void (*fn)(void *arg), void *arg);
	struct fixture *f = *state;
	void *library;

	open_script(f, "trace server:done { print(ustack()) }\n"
		       "trace server:request { print(args.size) }", NULL);
	through(f);
	assert_int_equal(ktap_script_poll(f->script, 0), 1);
	check_frames(f->printed, plain);
	library = dlopen(FIRES, RTLD_NOW);
	assert_non_null(library);
	*(void **)&fires = dlsym(library, "fires");
	free(f->printed);
	f->printed = NULL;
	fires(from_here, f);
	assert_int_equal(ktap_script_poll(f->script, 0), 1);
	check_frames(f->printed, loaded);
	assert_non_null(strstr(f->printed, "(fires.so)\n"));
	dlclose(library);
	assert_int_equal(ktap_script_close(f->script), 0);
	f->script = NULL;
	open_script(f, "trace server:done { print(ustack(2, 1)) }", NULL);
	through(f);
	assert_int_equal(ktap_script_poll(f->script, 0), 1);
	assert_string_equal(check_frames(f->printed, plain + 1), "\n"); /* two frames, and print's own newline */
	assert_int_equal(ktap_script_close(f->script), 0);
	f->script = NULL;
}

struct stacks {
	struct fixture *f;
	struct ktap_value keys[2];
	const void *frames[2][300];
	int n, n_frames[2];
	int64_t counts[2];
};

static int
take_stack(void *arg, const struct ktap_value *key, size_t n_parts, const struct ktap_value *value)
{
	struct stacks *stacks = arg;

	assert_in_range(stacks->n, 0, 1);
	assert_int_equal(n_parts, 1);
	assert_int_equal(key->kind, KTAP_VALUE_STACK);
	stacks->keys[stacks->n] = *key;
	stacks->counts[stacks->n] = value->number;
	stacks->n_frames[stacks->n] = ktap_script_stack(stacks->f->script, key, stacks->frames[stacks->n], 300);
	stacks->n++;
	return 0;
}

/* As keys, read from C: each with its addresses, and found again. */
static void
test_stack_keys(void **state)
{
	struct fixture *f = *state;
	struct stacks stacks = { .f = f };
	volatile int three = 3; /* one place that calls, not three */
	const void *frames[1];

	open_script(f, "var n = {}\ntrace server:done { n[ustack()] += 1 }", NULL);
	for (int i = 0; i < three; i++)
		through(f);
	from_here(f);
	assert_int_equal(ktap_script_walk(f->script, "n", NULL, 0, take_stack, &stacks), 2);
	assert_int_equal(stacks.counts[0], 3);
	assert_int_equal(stacks.counts[1], 1);
	assert_true(stacks.n_frames[1] > 1);
	assert_int_equal(stacks.n_frames[0], stacks.n_frames[1] + 1);
	assert_ptr_equal(stacks.frames[0][0], stacks.frames[1][0]); /* in from_here */
	assert_ptr_not_equal(stacks.frames[0][1], stacks.frames[1][1]);
	assert_memory_equal(&stacks.frames[0][3], &stacks.frames[1][2], (stacks.n_frames[1] - 2) * sizeof(void *)); /* above this function */
	assert_int_equal(ktap_script_stack(f->script, &stacks.keys[0], frames, 1), 1);
	assert_ptr_equal(frames[0], stacks.frames[0][0]);
	stacks.n = 0;
	assert_int_equal(ktap_script_walk(f->script, "n", &(struct ktap_value){ .kind = KTAP_VALUE_STACK, .number = stacks.keys[1].number }, 1, take_stack, &stacks), 1);
	assert_int_equal(stacks.counts[0], 1);
	assert_int_equal(ktap_script_stack(f->script, &(struct ktap_value){ .kind = KTAP_VALUE_INT }, frames, 1), -EINVAL);
	assert_int_equal(ktap_script_close(f->script), 0);
	f->script = NULL;
}

/* Threads take theirs at once. Of one frame there is one, as all fire at the same place. */
static void
test_stack_threads(void **state)
{
	struct fixture *f = *state;
	struct stacks stacks = { .f = f };

	open_script(f, "var n = {}\ntrace server:request { n[ustack(1)] += 1 }", NULL);
	run_threads(f, fire_many);
	assert_int_equal(ktap_script_walk(f->script, "n", NULL, 0, take_stack, &stacks), 1);
	assert_int_equal(stacks.counts[0], THREADS * ROUNDS);
	assert_int_equal(stacks.n_frames[0], 1);
	assert_int_equal(ktap_script_close(f->script), 0);
	f->script = NULL;
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
		{ "trace server:request { print(stack()) }", { "programs that host scripts have no stacks of the kernel [not-in-host]" } },
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
	assert_int_equal(ktap_script_open_file(f->engine, "/dev/zero", NULL, &f->script), -EFBIG);
	assert_string_equal(ktap_error(), "cannot read /dev/zero: File too large");
	assert_int_equal(try_open(f, "\177ELF and nothing", NULL), -EINVAL);
	assert_non_null(strstr(ktap_error(), "t.kp: "));
	assert_int_equal(try_open(f, "print(1)", &(struct ktap_script_options){ .buffer = 5000 }), -EINVAL);
	assert_int_equal(try_open(f, "print(1)", &(struct ktap_script_options){ .exec = 3 }), -EINVAL);
	assert_string_equal(ktap_error(), "options: exec 3 is not known");
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
		T(test_fields_refused), T(test_fields),          T(test_full_texts), T(test_who),      T(test_threads),       T(test_prints), T(test_exit_while_threads_fire),
		T(test_control),        T(test_scripts_refused), T(test_mistakes), T(test_bad_addresses), T(test_two),
		T(test_variables),      T(test_histograms),      T(test_nested_walks), T(test_walks_meanwhile),
		T(test_stack),          T(test_stack_keys),      T(test_stack_threads),
	};
#undef T

	return cmocka_run_group_tests_name("script", tests, NULL, NULL);
}
