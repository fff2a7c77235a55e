/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * server [PORT]: a small server of names and values on 127.0.0.1 that fires an event of its own, "server/request", to ktap scripts and to eBPF
 * programs of C compilers, which come and go while it runs. A thread a client; a line a request:
 *
 *     SET KEY VALUE      GET KEY                  what it is for
 *     TRACE SCRIPT       RUN FILE      STOP       a script, from now on; one from a file, as text or compiled; none
 *     TABLE NAME [KEY]                            what is in a table or variable of the script, up to a line with a dot
 *     LOAD FILE.o        UNLOAD                   programs of a C compiler, from now on; none
 *     SHOW TABLE KEY     VAR NAME                 a number in a table or variable of theirs
 *     EVENTS FILE                                 writes what `ktap compile --events FILE` wants to know
 *     QUIT                                        ends the server
 *
 * What scripts print goes to standard output.
 *
 * PORT 0 (or none): any that is free. The first line printed is "port N".
 *
 * Build: cc server.c -o server $(pkg-config --cflags --libs ktap-script) -lpthread
 */
#include <arpa/inet.h>
#include <err.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ktap-script.h>

#include "request.h"

#define PAIRS_MAX 1024
#define POLL_MS   20

static struct pair {
	char key[32], value[128];
} pairs[PAIRS_MAX];
static unsigned n_pairs;
static pthread_mutex_t pairs_lock = PTHREAD_MUTEX_INITIALIZER;

/* Requests fire with the lock held for reading, so that neither object nor script goes away under them. */
static struct ktap *engine;
static const struct ktap_event *event;
static struct ktap_object *object;
static struct ktap_script *script;
static pthread_rwlock_t object_lock = PTHREAD_RWLOCK_INITIALIZER;

/* The script's thread polls it, and closes it when it is over or shall stop. */
static pthread_mutex_t script_lock = PTHREAD_MUTEX_INITIALIZER; /* of those who start and stop it */
static pthread_t script_thread;
static bool has_script_thread;
static atomic_bool script_stops;

static const struct ktap_field fields[] = {
	KTAP_FIELD(struct request, verb, KTAP_FIELD_TEXT),
	KTAP_FIELD(struct request, key, KTAP_FIELD_TEXT),
	KTAP_FIELD(struct request, size, KTAP_FIELD_UNSIGNED),
	KTAP_FIELD(struct request, client, KTAP_FIELD_UNSIGNED),
};

/* ---- programs -------------------------------------------------------------------------------------------------------------------- */

static void
fire(const char *verb, const char *key, size_t size, unsigned client)
{
	_Alignas(8) struct request request = { .size = (unsigned)size, .client = client };

	snprintf(request.verb, sizeof(request.verb), "%s", verb);
	snprintf(request.key, sizeof(request.key), "%s", key);
	pthread_rwlock_rdlock(&object_lock);
	if (object)
		ktap_fire(object, "server/request", &request, NULL);
	if (script)
		ktap_script_fire(script, event, &request);
	pthread_rwlock_unlock(&object_lock);
}

/* NULL: none from now on. */
static void
load(const char *path, FILE *out)
{
	struct ktap_object *new = NULL, *old;

	if (path && ktap_object_open(engine, path, NULL, &new) < 0) {
		fprintf(out, "ERROR %s\n", ktap_error());
		return;
	}
	pthread_rwlock_wrlock(&object_lock);
	old = object;
	object = new;
	pthread_rwlock_unlock(&object_lock);
	ktap_object_close(old);
	fputs("OK\n", out);
}

/* Tables of 32-byte names and 8-byte numbers. */
static void
show(const char *name, const char *key, FILE *out)
{
	char padded[32] = "";
	uint64_t value = 0;
	struct ktap_table *table;

	memcpy(padded, key, strnlen(key, sizeof(padded) - 1));
	pthread_rwlock_rdlock(&object_lock);
	table = object ? ktap_table_find(object, name) : NULL;
	if (!table || ktap_table_key_size(table) != sizeof(padded) || ktap_table_value_size(table) != sizeof(value))
		fprintf(out, "ERROR no table '%s' of numbers by name\n", name);
	else if (ktap_table_lookup(table, padded, &value) < 0)
		fputs("NONE\n", out);
	else
		fprintf(out, "%llu\n", (unsigned long long)value);
	pthread_rwlock_unlock(&object_lock);
}

static void
show_variable(const char *name, FILE *out)
{
	size_t size = 0;
	uint64_t *variable;

	pthread_rwlock_rdlock(&object_lock);
	variable = object ? ktap_variable(object, name, &size) : NULL;
	if (variable && size == sizeof(*variable))
		fprintf(out, "%llu\n", (unsigned long long)__atomic_load_n(variable, __ATOMIC_RELAXED));
	else
		fprintf(out, "ERROR no variable '%s' of 8 bytes\n", name);
	pthread_rwlock_unlock(&object_lock);
}

/* ---- scripts ----------------------------------------------------------------------------------------------------------------------- */

static void *
poll_script(void *arg)
{
	struct ktap_script *mine = arg;

	while (!script_stops && ktap_script_poll(mine, POLL_MS) > 0)
		;
	pthread_rwlock_wrlock(&object_lock);
	script = NULL;
	pthread_rwlock_unlock(&object_lock);
	ktap_script_close(mine);
	return NULL;
}

/* Waits for the end of the script that runs. The script lock is held. */
static void
stop_script(void)
{
	script_stops = true;
	if (has_script_thread)
		pthread_join(script_thread, NULL);
	has_script_thread = script_stops = false;
}

/* NULL: it could not be opened, which was said. Both NULL: there is none. */
static struct ktap_script *
open_script(const char *text, const char *path, FILE *out)
{
	struct ktap_script *new = NULL;
	int err = text ? ktap_script_open(engine, "TRACE", text, strlen(text), NULL, &new) : ktap_script_open_file(engine, path, NULL, &new);

	if (err < 0)
		fprintf(out, "ERROR %s\n.\n", ktap_error()); /* of several lines */
	return err < 0 ? NULL : new;
}

/* From now on the script with this text, or the one in this file; both NULL: none. */
static void
trace(const char *text, const char *path, FILE *out)
{
	struct ktap_script *new = text || path ? open_script(text, path, out) : NULL;

	if (!new && (text || path))
		return;
	pthread_mutex_lock(&script_lock);
	stop_script();
	pthread_rwlock_wrlock(&object_lock);
	script = new;
	pthread_rwlock_unlock(&object_lock);
	if (new && pthread_create(&script_thread, NULL, poll_script, new))
		errx(1, "no thread for a script");
	has_script_thread = new;
	pthread_mutex_unlock(&script_lock);
	fputs("OK\n", out);
}

static void
write_value(FILE *out, const struct ktap_value *value)
{
	int64_t count = 0, sum = 0;

	switch (value->kind) {
	case KTAP_VALUE_NIL: fputs("nil", out); break;
	case KTAP_VALUE_INT: fprintf(out, "%lld", (long long)value->number); break;
	case KTAP_VALUE_BOOL: fputs(value->number ? "true" : "false", out); break;
	case KTAP_VALUE_TEXT: fwrite(value->text, 1, value->len, out); break;
	case KTAP_VALUE_STACK: fputs("(stack)", out); break;
	case KTAP_VALUE_STAT:
		ktap_stat_read(value->stat, KTAP_COUNT, &count);
		ktap_stat_read(value->stat, KTAP_SUM, &sum);
		fprintf(out, "count %lld sum %lld", (long long)count, (long long)sum);
		break;
	}
}

/* ktap_entry_fn: "GET a = 5" */
static int
write_entry(void *arg, const struct ktap_value *key, size_t n_parts, const struct ktap_value *value)
{
	for (size_t i = 0; i < n_parts; i++) {
		write_value(arg, &key[i]);
		fputs(i + 1 < n_parts ? " " : " = ", arg);
	}
	write_value(arg, value);
	fputc('\n', arg);
	return 0;
}

/* All of a variable, or the entries whose keys begin with this text. */
static void
show_held(const char *name, const char *key, FILE *out)
{
	const struct ktap_value first = { .kind = KTAP_VALUE_TEXT, .text = key, .len = strlen(key) };

	pthread_rwlock_rdlock(&object_lock);
	if (!script)
		fputs("ERROR there is no script\n", out);
	else if (ktap_script_walk(script, name, &first, *key != '\0', write_entry, out) < 0)
		fprintf(out, "ERROR %s\n", ktap_error());
	pthread_rwlock_unlock(&object_lock);
	fputs(".\n", out);
}

static void
write_events(const char *path, FILE *out)
{
	if (ktap_events_write(engine, path) < 0)
		fprintf(out, "ERROR %s\n", ktap_error());
	else
		fputs("OK\n", out);
}

/* ---- names and values --------------------------------------------------------------------------------------------------------------- */

/* The pair of that key, made where it is not; NULL: there is no room. The lock is held. */
static struct pair *
find_pair(const char *key)
{
	for (unsigned i = 0; i < n_pairs; i++)
		if (strcmp(pairs[i].key, key) == 0)
			return &pairs[i];
	if (n_pairs == PAIRS_MAX)
		return NULL;
	snprintf(pairs[n_pairs].key, sizeof(pairs[0].key), "%s", key);
	return &pairs[n_pairs++];
}

/* Stores a value (NULL: none), and says which there is. */
static void
serve(const char *key, const char *value, FILE *out)
{
	struct pair *pair;

	pthread_mutex_lock(&pairs_lock);
	pair = find_pair(key);
	if (pair && value)
		snprintf(pair->value, sizeof(pair->value), "%s", value);
	fprintf(out, "%s\n", pair ? pair->value : "ERROR full");
	pthread_mutex_unlock(&pairs_lock);
}

/* ---- requests ------------------------------------------------------------------------------------------------------------------------- */

/* A line on its way: what is left of it, whose it is, where the answer goes. */
struct line {
	char *rest;
	unsigned client;
	FILE *out;
};

/* The next word; "" where there is none. */
static char *
word(struct line *line)
{
	char *next = strsep(&line->rest, " ");

	return next ? next : "";
}

static void
do_get(struct line *line)
{
	const char *key = word(line);

	fire("GET", key, 0, line->client);
	serve(key, NULL, line->out);
}

static void
do_set(struct line *line)
{
	const char *key = word(line), *value = line->rest ? line->rest : "";

	fire("SET", key, strlen(value), line->client);
	serve(key, value, line->out);
}

static void
do_trace(struct line *line)
{
	trace(line->rest ? line->rest : "", NULL, line->out);
}

static void
do_run(struct line *line)
{
	trace(NULL, word(line), line->out);
}

static void
do_stop(struct line *line)
{
	trace(NULL, NULL, line->out);
}

static void
do_table(struct line *line)
{
	const char *name = word(line);

	show_held(name, word(line), line->out);
}

static void
do_load(struct line *line)
{
	load(word(line), line->out);
}

static void
do_unload(struct line *line)
{
	load(NULL, line->out);
}

static void
do_show(struct line *line)
{
	const char *table = word(line);

	show(table, word(line), line->out);
}

static void
do_var(struct line *line)
{
	show_variable(word(line), line->out);
}

static void
do_events(struct line *line)
{
	write_events(word(line), line->out);
}

static void
do_quit(struct line *line)
{
	(void)line;
	exit(0);
}

static const struct {
	const char *verb;
	void (*fn)(struct line *line);
} verbs[] = {
	{ "GET", do_get },   { "SET", do_set },       { "TRACE", do_trace }, { "RUN", do_run }, { "STOP", do_stop },     { "LOAD", do_load },
	{ "SHOW", do_show }, { "UNLOAD", do_unload }, { "VAR", do_var },     { "QUIT", do_quit }, { "EVENTS", do_events },
	{ "TABLE", do_table },
};

static void
handle(char *text, unsigned client, FILE *out)
{
	struct line line = { .rest = text, .client = client, .out = out };
	const char *verb = word(&line);
	size_t i = 0;

	while (i < sizeof(verbs) / sizeof(verbs[0]) && strcmp(verbs[i].verb, verb) != 0)
		i++;
	if (i < sizeof(verbs) / sizeof(verbs[0]))
		verbs[i].fn(&line);
	else
		fputs("ERROR what?\n", out);
	fflush(out);
}

/* The stream; where there is none, its descriptor (-1: neither). */
static void
close_either(FILE *stream, int fd)
{
	if (stream)
		fclose(stream);
	else if (fd >= 0)
		close(fd);
}

static void *
client_thread(void *arg)
{
	int fd = (int)(intptr_t)arg, copy = dup(fd);
	struct sockaddr_in peer = { 0 };
	socklen_t len = sizeof(peer);
	FILE *in = fdopen(fd, "r"), *out = copy < 0 ? NULL : fdopen(copy, "w");
	char line[4096];

	getpeername(fd, (struct sockaddr *)&peer, &len);
	while (in && out && fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\r\n")] = '\0';
		handle(line, ntohs(peer.sin_port), out);
	}
	close_either(in, fd);
	close_either(out, copy);
	return NULL;
}

static int
listen_on(unsigned short port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) || listen(fd, 16) || getsockname(fd, (struct sockaddr *)&address, &len))
		err(1, "cannot listen on port %u", port);
	printf("port %u\n", ntohs(address.sin_port));
	fflush(stdout);
	return fd;
}

int
main(int argc, char **argv)
{
	int fd, client;

	if (ktap_new(&engine) < 0 || ktap_add_event(engine, "server/request", sizeof(struct request), KTAP_CONTEXT_READ) < 0 ||
	    ktap_add_fields(engine, "server/request", fields, sizeof(fields) / sizeof(fields[0])) < 0)
		errx(1, "%s", ktap_error());
	event = ktap_event_find(engine, "server/request");
	signal(SIGPIPE, SIG_IGN); /* a client that goes away before its answer is no reason to end */
	fd = listen_on(argc > 1 ? (unsigned short)atoi(argv[1]) : 0);
	while ((client = accept(fd, NULL, NULL)) >= 0) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, client_thread, (void *)(intptr_t)client) == 0)
			pthread_detach(thread);
		else
			close(client);
	}
	err(1, "accept");
}
