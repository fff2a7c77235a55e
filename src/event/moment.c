/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The two events that the run itself makes, each once, in ktap's own process:
 *
 *     init    programs are loaded, nothing is attached yet
 *     fini    nothing is attached any more, and what had been sent has been read
 *
 * They have no record. Every engine and every recording has them.
 */
#include <string.h>

#include "event/event_int.h"

#define SYSTEM "ktap"

static const struct {
	const char *name;
	enum event_kind kind;
} moments[] = {
	{ "init", EVENT_INIT },
	{ "fini", EVENT_FINI },
};

struct event *
events_moment(struct events *events, const char *name)
{
	struct event *event;

	for (size_t i = 0; i < ARRAY_SIZE(moments); i++) {
		if (strcmp(moments[i].name, name) != 0)
			continue;
		event = events_find_made(events, SYSTEM, name);
		if (!event) {
			event = events_make(events, moments[i].kind, SYSTEM, moments[i].name);
			event->fields_loaded = true;
		}
		return event;
	}
	return NULL;
}
