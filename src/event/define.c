/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Which code reads a definition of events, by its prefix: the rows of definitions.def.
 */
#include <string.h>

#include "event/event_int.h"

static const struct definition {
	const char *prefix;
	int (*make)(struct events *events, const char *pattern, struct span span, struct diags *diags,
		    void (*fn)(struct event *event, void *arg), void *arg);
	int (*list)(struct events *events, const char *pattern, FILE *out, struct text *why);
} definitions[] = {
#define DEFINITION(prefix, make, list) { prefix, make, list },
#include "event/definitions.def"
#undef DEFINITION
};

static const struct definition *
find(const char *pattern)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(definitions); i++)
		if (strncmp(pattern, definitions[i].prefix, strlen(definitions[i].prefix)) == 0)
			return &definitions[i];
	return NULL;
}

bool
events_is_definition(const char *pattern)
{
	return find(pattern) != NULL;
}

int
events_define(struct events *events, const char *pattern, struct span span, struct diags *diags,
	      void (*fn)(struct event *event, void *arg), void *arg)
{
	return find(pattern)->make(events, pattern, span, diags, fn, arg);
}

int
events_list_definitions(struct events *events, const char *pattern, FILE *out, struct text *why)
{
	return find(pattern)->list(events, pattern, out, why);
}
