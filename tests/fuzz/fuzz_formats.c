/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Any bytes as a file that describes the events of a host (ktap compile --events): every event has a record with room for its fields, and of
 * a script for them that compiles, our verifier accepts every program.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/codegen.h"
#include "fuzz_replay.h"
#include "vm/vm.h"

static void
check_event(struct event *event, void *arg)
{
	(void)arg;
	for (uint32_t i = 0; i < event->n_fields; i++)
		if (event->fields[i].offset + event->fields[i].size > event->record_size)
			abort();
}

static void
check_programs(const struct object *object)
{
	struct text why = { 0 };

	for (uint32_t i = 0; i < object->n_programs; i++) {
		const struct program *program = object->programs[i];
		struct vm_signature signature = vm_handler_signature(program);

		if (vm_verify(object, object->funcs[program->func], &signature, NULL, &why) == 0)
			continue;
		fprintf(stderr, "%s\n", why.s);
		abort();
	}
	text_fini(&why);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char text[] = "trace *:* { print(probename, argstr, arg0, arg1) }";
	struct arena *arena = arena_new();
	struct events *events = events_new(arena, EVENTS_HOST);
	struct text why = { 0 }, again = { 0 };
	struct object *object;
	struct script script;
	struct diags diags;

	events_add_formats(events, (const char *)data, size, &why);
	events_match(events, "*:*", check_event, NULL);
	events_write_formats(events, &again);
	script_init(&script, arena, "all", text, sizeof(text) - 1);
	diags_init(&diags, arena, &script);
	object = compile(arena, &script, events, &diags);
	if (object)
		check_programs(object);
	text_fini(&again);
	text_fini(&why);
	arena_free(arena);
	return 0;
}
