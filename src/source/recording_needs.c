/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What programs ask and a recording cannot answer, found before the run: a zero would look like an answer.
 */
#include <errno.h>
#include <string.h>

#include "source/calls.h"
#include "source/recording.h"

enum need {
	NEED_NOTHING,
	NEED_NEVER,   /* no recording has it */
	NEED_STACKS,  /* of the kernel, or of the process: the flags say which */
	NEED_STRINGS, /* the texts that arguments of system calls point to */
};

/* Calls that are not in this table ask what a live kernel alone knows. */
static const struct {
	int32_t helper;
	enum need need;
	const char *what;
} needs[] = {
	{ BPF_FUNC_map_lookup_elem, NEED_NOTHING, NULL },
	{ BPF_FUNC_map_update_elem, NEED_NOTHING, NULL },
	{ BPF_FUNC_map_delete_elem, NEED_NOTHING, NULL },
	{ BPF_FUNC_for_each_map_elem, NEED_NOTHING, NULL },
	{ BPF_FUNC_loop, NEED_NOTHING, NULL },
	{ BPF_FUNC_ktime_get_ns, NEED_NOTHING, NULL },
	{ BPF_FUNC_trace_printk, NEED_NOTHING, NULL },
	{ BPF_FUNC_get_prandom_u32, NEED_NOTHING, NULL },
	{ BPF_FUNC_get_smp_processor_id, NEED_NOTHING, NULL },
	{ BPF_FUNC_get_current_pid_tgid, NEED_NOTHING, NULL },
	{ BPF_FUNC_get_current_comm, NEED_NOTHING, NULL },
	{ BPF_FUNC_probe_read_kernel, NEED_NOTHING, NULL },     /* codegen reads the record itself so */
	{ BPF_FUNC_probe_read_kernel_str, NEED_NOTHING, NULL },
	{ BPF_FUNC_ringbuf_output, NEED_NOTHING, NULL },
	{ BPF_FUNC_ringbuf_reserve, NEED_NOTHING, NULL },
	{ BPF_FUNC_ringbuf_submit, NEED_NOTHING, NULL },
	{ BPF_FUNC_ringbuf_discard, NEED_NOTHING, NULL },
	{ BPF_FUNC_ringbuf_query, NEED_NOTHING, NULL },
	{ BPF_FUNC_strncmp, NEED_NOTHING, NULL },
	{ BPF_FUNC_get_current_uid_gid, NEED_NEVER, "user and group (uid, gid)" },
	{ BPF_FUNC_get_current_cgroup_id, NEED_NEVER, "control groups (cgroup)" },
	{ BPF_FUNC_get_stackid, NEED_STACKS, "stacks of the kernel (stack)" },
	{ BPF_FUNC_get_stack, NEED_STACKS, "stacks of the kernel (stack)" },
	{ BPF_FUNC_probe_read_user_str, NEED_STRINGS, "the texts that arguments of system calls point to" },
	{ BPF_FUNC_probe_read_user, NEED_NEVER, "memory of the process (user_int)" },
};

struct check {
	const struct recording *recording;
	struct diags *diags;
};

/* The first event of the program that has a string which was not recorded, or NULL. */
static const struct event *
event_without_strings(const struct call *call)
{
	const struct object *object = call->object;
	const struct handler *handler = object->handlers[object->programs[call->program]->handler];

	for (uint32_t i = 0; i < handler->n_bindings; i++) {
		const struct event *event = object->events[handler->bindings[i].event];

		if (handler->bindings[i].program != call->program)
			continue;
		for (uint32_t n = 0; n < event->n_fields; n++)
			if (event->fields[n].kind == FIELD_USER_STR && !event->fields[n].text_offset)
				return event;
	}
	return NULL;
}

/*
 * argstr asks the table of events first whether there are strings (event_string_args says no where they were not recorded), so the
 * calls at its place are never made in vain.
 */
static bool
is_argstr(const struct call *call)
{
	struct span place = call_span(call->func, call->pc);

	for (uint32_t i = 0; i < call->func->n_relocs; i++) {
		const struct reloc *reloc = &call->func->relocs[i];
		struct span span = call_span(call->func, reloc->pc);

		if (reloc->kind == RELOC_TABLE && reloc->index == call->object->table_event_info && span.off == place.off &&
		    span.len == place.len)
			return true;
	}
	return false;
}

static void
report(const struct check *check, const struct call *call, const char *what)
{
	diag_error(check->diags, call_span(call->func, call->pc), "not-recorded", "recording '%s' does not hold %s", check->recording->path,
		   what);
}

static void
check_call(void *arg, const struct call *call)
{
	const struct check *check = arg;
	const struct event *event;
	struct diag *diag;
	size_t i = 0;

	while (i < ARRAY_SIZE(needs) && needs[i].helper != call->helper)
		i++;
	if (i == ARRAY_SIZE(needs)) {
		report(check, call, "what is asked here: only the live kernel knows it");
		return;
	}
	switch (needs[i].need) {
	case NEED_NOTHING:
		return;
	case NEED_NEVER:
		report(check, call, needs[i].what);
		return;
	case NEED_STACKS:
		if (call_stack_flags(call) & BPF_F_USER_STACK) {
			if (!(check->recording->holds & HOLDS_USTACKS))
				report(check, call, "stacks of processes (ustack)");
		} else if (!(check->recording->holds & HOLDS_STACKS)) {
			report(check, call, needs[i].what);
		}
		return;
	case NEED_STRINGS:
		event = event_without_strings(call);
		if (!event || is_argstr(call))
			return;
		diag = diag_error(check->diags, call_span(call->func, call->pc), "not-recorded", "recording '%s' does not hold %s (%s:%s)",
				  check->recording->path, needs[i].what, event->system, event->name);
		diag_help(check->diags, diag, "the address alone is there, as argN; Linux before 6.19 records no more, `ktap record "
					      "--engine=user` does");
		return;
	}
}

void
recording_check(const struct recording *recording, const struct object *object, struct diags *diags)
{
	struct check check = { .recording = recording, .diags = diags };

	calls_each(object, check_call, &check);
}

bool
recording_remark(const struct recording *recording, const struct object *object, struct text *remark)
{
	if (recording->holds & HOLDS_PIDS || !object_asks_ids(object))
		return false;
	text_printf(remark, "recording '%s' does not say which threads form a process: pid is the thread's id where that is not known",
		    recording->path);
	return true;
}
