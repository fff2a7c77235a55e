/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What programs ask and a recording cannot answer, found before the run: a zero would look like an answer. A program can ask only by
 * calling helpers, so the calls in its instructions are looked at; their spans lead to the script.
 */
#include <errno.h>
#include <string.h>

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
	const struct object *object;
	const struct program *program;
	uint32_t program_index;
	const struct func *func;
	struct diags *diags;
};

/* The first event of the program that has a string which was not recorded, or NULL. */
static const struct event *
event_without_strings(const struct check *check)
{
	const struct handler *handler = check->object->handlers[check->program->handler];

	for (uint32_t i = 0; i < handler->n_bindings; i++) {
		const struct event *event = check->object->events[handler->bindings[i].event];

		if (handler->bindings[i].program != check->program_index)
			continue;
		for (uint32_t n = 0; n < event->n_fields; n++)
			if (event->fields[n].kind == FIELD_USER_STR && !event->fields[n].text_offset)
				return event;
	}
	return NULL;
}

static struct span
span_at(const struct func *func, uint32_t pc)
{
	return func->spans ? func->spans[pc] : (struct span){ 0 };
}

/*
 * argstr asks the table of events first whether there are strings (event_string_args says no where they were not recorded), so the
 * calls at its place are never made in vain.
 */
static bool
is_argstr(const struct check *check, uint32_t pc)
{
	struct span place = span_at(check->func, pc);

	for (uint32_t i = 0; i < check->func->n_relocs; i++) {
		const struct reloc *reloc = &check->func->relocs[i];
		struct span span = span_at(check->func, reloc->pc);

		if (reloc->kind == RELOC_TABLE && reloc->index == check->object->table_event_info && span.off == place.off &&
		    span.len == place.len)
			return true;
	}
	return false;
}

static void
report(const struct check *check, uint32_t pc, const char *what)
{
	diag_error(check->diags, span_at(check->func, pc), "not-recorded", "recording '%s' does not hold %s", check->recording->path,
		   what);
}

/* The flags of get_stackid are a constant in r3, loaded last before the call. */
static bool
asks_user_stack(const struct func *func, uint32_t pc)
{
	while (pc-- > 0)
		if (func->insns[pc].code == (BPF_ALU64 | BPF_MOV | BPF_K) && func->insns[pc].dst_reg == BPF_REG_3)
			return func->insns[pc].imm & BPF_F_USER_STACK;
	return false;
}

static void
check_call(const struct check *check, uint32_t pc)
{
	const struct event *event;
	struct diag *diag;
	size_t i = 0;

	while (i < ARRAY_SIZE(needs) && needs[i].helper != check->func->insns[pc].imm)
		i++;
	if (i == ARRAY_SIZE(needs)) {
		report(check, pc, "what is asked here: only the live kernel knows it");
		return;
	}
	switch (needs[i].need) {
	case NEED_NOTHING:
		return;
	case NEED_NEVER:
		report(check, pc, needs[i].what);
		return;
	case NEED_STACKS:
		if (asks_user_stack(check->func, pc)) {
			if (!(check->recording->holds & HOLDS_USTACKS))
				report(check, pc, "stacks of processes (ustack)");
		} else if (!(check->recording->holds & HOLDS_STACKS)) {
			report(check, pc, needs[i].what);
		}
		return;
	case NEED_STRINGS:
		event = event_without_strings(check);
		if (!event || is_argstr(check, pc))
			return;
		diag = diag_error(check->diags, span_at(check->func, pc), "not-recorded", "recording '%s' does not hold %s (%s:%s)",
				  check->recording->path, needs[i].what, event->system, event->name);
		diag_help(check->diags, diag, "the address alone is there, as argN; Linux before 6.19 records no more, `ktap record "
					      "--engine=user` does");
		return;
	}
}

static bool
is_helper_call(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == 0;
}

/* A function and those that it calls, or has helpers call back: bodies of loops. `seen` marks those that were looked at. */
static void
check_func(struct check *check, uint32_t index, bool *seen)
{
	const struct func *func = check->object->funcs[index];

	seen[index] = true;
	check->func = func;
	for (uint32_t pc = 0; pc < func->n_insns; pc++)
		if (is_helper_call(&func->insns[pc]))
			check_call(check, pc);
	for (uint32_t i = 0; i < func->n_relocs; i++) {
		const struct reloc *reloc = &func->relocs[i];

		if ((reloc->kind == RELOC_FUNC || reloc->kind == RELOC_FUNC_ADDR) && reloc->index < check->object->n_funcs && !seen[reloc->index])
			check_func(check, reloc->index, seen);
	}
}

void
recording_check(const struct recording *recording, const struct object *object, struct diags *diags)
{
	struct check check = { .recording = recording, .object = object, .diags = diags };

	for (uint32_t i = 0; i < object->n_programs; i++) {
		check.program = object->programs[i];
		check.program_index = i;
		check_func(&check, check.program->func, arena_alloc(object->arena, object->n_funcs));
	}
}

bool
object_calls(const struct object *object, int32_t helper)
{
	for (uint32_t i = 0; i < object->n_funcs; i++)
		for (uint32_t pc = 0; pc < object->funcs[i]->n_insns; pc++)
			if (is_helper_call(&object->funcs[i]->insns[pc]) && object->funcs[i]->insns[pc].imm == helper)
				return true;
	return false;
}

bool
object_asks_ids(const struct object *object)
{
	for (uint32_t i = 0; i < object->n_programs; i++)
		if (object->programs[i]->params >> PARAM_IDS & 1)
			return true;
	return object_calls(object, BPF_FUNC_get_current_pid_tgid);
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
