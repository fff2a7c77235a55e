/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Any bytes as a program that is asked for its markers and functions: no memory is read outside of them, and every event that is made
 * has a record with room for its fields.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "event/event.h"
#include "fuzz_replay.h"

static void
check(struct event *event, void *arg)
{
	uint32_t i;

	(void)arg;
	for (i = 0; i < event->n_fields; i++)
		if (event->fields[i].offset + event->fields[i].size > event->record_size)
			abort();
}

static void
ask(const char *pattern)
{
	struct arena *arena = arena_new();
	struct events *events = events_new(arena, EVENTS_KERNEL);
	struct diags diags = { 0 };

	diags_init(&diags, arena, NULL);
	events_define(events, pattern, (struct span){ 0, 0 }, &diags, check, NULL);
	arena_free(arena);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[] = "/tmp/ktap-fuzz-XXXXXX", pattern[64];
	int fd = mkstemp(path);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	close(fd);
	snprintf(pattern, sizeof(pattern), "sdt:%s:*", path);
	ask(pattern);
	snprintf(pattern, sizeof(pattern), "probe:%s:*", path);
	ask(pattern);
	unlink(path);
	return 0;
}
