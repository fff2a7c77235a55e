/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What a compiled script needs of a kernel, for its file: what its programs and tables need (ebpf/needs.c), and how its events are attached.
 */
#include "ebpf/ebpf.h"
#include "event/event_int.h"

/* How source/kernel_plan.c attaches an event. */
static enum attach_kind
attach_of(const struct event *event, const struct program *program)
{
	switch (event->kind) {
	case EVENT_TRACEPOINT:
		return program->record_size || program->uses_dynamic ? ATTACH_TRACEPOINT : ATTACH_RAW_TRACEPOINT;
	case EVENT_SYSCALL_ENTER:
	case EVENT_SYSCALL_EXIT:
	case EVENT_INIT:
	case EVENT_FINI:
		return ATTACH_RAW_TRACEPOINT;
	case EVENT_KPROBE:
	case EVENT_KRETPROBE:
		return ATTACH_KPROBE;
	case EVENT_UPROBE:
	case EVENT_URETPROBE:
		return ATTACH_UPROBE;
	case EVENT_FENTRY:
	case EVENT_FEXIT:
	case EVENT_RAWTP:
		return ATTACH_TYPED;
	case EVENT_COUNTER:
	case EVENT_PROFILE:
	case N_EVENT_KINDS:
		break;
	}
	return ATTACH_PERF;
}

void
bind_needs(struct object *object)
{
	bool attaches[N_ATTACH_KINDS] = { false };

	for (uint32_t h = 0; h < object->n_handlers; h++)
		for (uint32_t i = 0; i < object->handlers[h]->n_bindings; i++) {
			const struct binding *binding = &object->handlers[h]->bindings[i];

			attaches[attach_of(object->events[binding->event], object->programs[binding->program])] = true;
		}
	object->n_needs = object_needs(object, object->arena, attaches, &object->needs);
}
