/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * server [PORT]: a small server of names and values on 127.0.0.1 that fires an event of its own, "server/request", to eBPF programs, which come and
 * go while it runs. A thread a client; a line a request:
 *
 *     SET KEY VALUE      GET KEY                  what it is for
 *     LOAD FILE.o        UNLOAD                   programs, from now on; none
 *     SHOW TABLE KEY     VAR NAME                 a number in a table or variable of theirs
 *     QUIT                                        ends the server
 *
 * PORT 0 (or none): any that is free. The first line printed is "port N".
 *
 * Build: cc server.c -o server $(pkg-config --cflags --libs ktap) -lpthread
 */
#include <arpa/inet.h>
#include <err.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <ktap.h>

#include "request.h"

#define PAIRS_MAX 1024

static struct pair {
	char key[32], value[128];
} pairs[PAIRS_MAX];
static unsigned n_pairs;
static pthread_mutex_t pairs_lock = PTHREAD_MUTEX_INITIALIZER;

/* Requests fire with the lock held for reading, so that no object goes away under them. */
static struct ktap *engine;
static struct ktap_object *object;
static pthread_rwlock_t object_lock = PTHREAD_RWLOCK_INITIALIZER;

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

static void
handle(char *line, unsigned client, FILE *out)
{
	char *rest = line, *verb = strsep(&rest, " "), *key = rest ? strsep(&rest, " ") : NULL;

	if (strcmp(verb, "QUIT") == 0)
		exit(0);
	if (strcmp(verb, "UNLOAD") == 0) {
		load(NULL, out);
	} else if (!key) {
		fputs("ERROR what?\n", out);
	} else if (strcmp(verb, "SET") == 0 || strcmp(verb, "GET") == 0) {
		fire(verb, key, rest ? strlen(rest) : 0, client);
		serve(key, *verb == 'S' ? rest : NULL, out);
	} else if (strcmp(verb, "LOAD") == 0) {
		load(key, out);
	} else if (strcmp(verb, "SHOW") == 0 && rest) {
		show(key, rest, out);
	} else if (strcmp(verb, "VAR") == 0) {
		show_variable(key, out);
	} else {
		fputs("ERROR what?\n", out);
	}
	fflush(out);
}

static void *
client_thread(void *arg)
{
	int fd = (int)(intptr_t)arg;
	struct sockaddr_in peer = { 0 };
	socklen_t len = sizeof(peer);
	FILE *in = fdopen(fd, "r"), *out = fdopen(dup(fd), "w");
	char line[256];

	getpeername(fd, (struct sockaddr *)&peer, &len);
	while (in && out && fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\r\n")] = '\0';
		handle(line, ntohs(peer.sin_port), out);
	}
	if (in)
		fclose(in);
	if (out)
		fclose(out);
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

	if (ktap_new(&engine) < 0 || ktap_add_event(engine, "server/request", sizeof(struct request), KTAP_CONTEXT_READ) < 0)
		errx(1, "%s", ktap_error());
	fd = listen_on(argc > 1 ? (unsigned short)atoi(argv[1]) : 0);
	while ((client = accept(fd, NULL, NULL)) >= 0) {
		pthread_t thread;

		if (pthread_create(&thread, NULL, client_thread, (void *)(intptr_t)client) == 0)
			pthread_detach(thread);
		else
			close(client);
	}
	return 1;
}
