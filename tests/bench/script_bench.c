/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What it costs a program to fire an event to a script (libktap-script): nanoseconds of CPU time for each event, least of several rounds, with one thread
 * and with two at once. Prints a table, or JSON with --json.
 */
#include <err.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ktap-script.h"

#define EVENTS      500000
#define ROUNDS      7
#define THREADS_MAX 2

struct request {
	char verb[8];
	char key[32];
	uint32_t size;
};

static const struct ktap_field fields[] = {
	KTAP_FIELD(struct request, verb, KTAP_FIELD_TEXT),
	KTAP_FIELD(struct request, key, KTAP_FIELD_TEXT),
	KTAP_FIELD(struct request, size, KTAP_FIELD_UNSIGNED),
};

static const char *const scripts[] = {
	"trace server:done { }",
	"var n = 0 trace server:request /size > 1000000/ { n += 1 }",
	"var n = 0 trace server:request { n += 1 }",
	"var sizes trace server:request { sizes <<< args.size }",
	"var n = {} trace server:request { n[args.verb] += 1 }",
	"var sizes = {} trace server:request { sizes[args.key] <<< args.size }",
};

struct bench {
	struct ktap_script *script;
	const struct ktap_event *event;
};

/* Returns the nanoseconds of this thread. */
static void *
fire(void *arg)
{
	struct request request = { .verb = "GET", .key = "some key" };
	const struct bench *bench = arg;
	struct timespec start, end;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &start);
	for (request.size = 0; request.size < EVENTS; request.size++)
		ktap_script_fire(bench->script, bench->event, &request);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
	return (void *)(uintptr_t)((end.tv_sec - start.tv_sec) * 1000000000 + end.tv_nsec - start.tv_nsec);
}

/* One round: nanoseconds of CPU time for each event. */
static double
measure(struct bench *bench, int n_threads)
{
	pthread_t threads[THREADS_MAX];
	double sum = 0;
	void *ns;

	for (int i = 0; i < n_threads; i++)
		if (pthread_create(&threads[i], NULL, fire, bench))
			errx(1, "no thread");
	for (int i = 0; i < n_threads; i++) {
		pthread_join(threads[i], &ns);
		sum += (double)(uintptr_t)ns;
	}
	return sum / n_threads / EVENTS;
}

static double
least(struct ktap *engine, const char *text, int n_threads)
{
	struct bench bench = { .event = ktap_event_find(engine, "server/request") };
	double best = 0, ns;

	if (ktap_script_open(engine, "bench", text, strlen(text), NULL, &bench.script) < 0)
		errx(1, "%s", ktap_error());
	for (int i = 0; i < ROUNDS; i++) {
		ns = measure(&bench, n_threads);
		if (i == 0 || ns < best)
			best = ns;
	}
	ktap_script_close(bench.script);
	return best;
}

int
main(int argc, char **argv)
{
	int is_json = argc > 1 && strcmp(argv[1], "--json") == 0;
	size_t n = sizeof(scripts) / sizeof(scripts[0]);
	struct ktap *engine;

	if (ktap_new(&engine) < 0 || ktap_add_event(engine, "server/request", sizeof(struct request), KTAP_CONTEXT_READ) < 0 ||
	    ktap_add_event(engine, "server/done", 8, KTAP_CONTEXT_READ) < 0 || ktap_add_fields(engine, "server/request", fields, 3) < 0 ||
	    ktap_add_fields(engine, "server/done", NULL, 0) < 0)
		errx(1, "%s", ktap_error());
	puts(is_json ? "[" : "ns, 1 thread  ns, 2 threads  script");
	for (size_t i = 0; i < n; i++) {
		double one = least(engine, scripts[i], 1), two = least(engine, scripts[i], 2);

		if (is_json)
			printf("  {\"script\": \"%s\", \"threads_1\": %.1f, \"threads_2\": %.1f}%s\n", scripts[i], one, two, i + 1 < n ? "," : "");
		else
			printf("%12.0f  %13.0f  %s\n", one, two, scripts[i]);
	}
	if (is_json)
		puts("]");
	ktap_free(engine);
	return 0;
}
