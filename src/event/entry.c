/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Entries: programs by which other loaders than ktap (libbpf, bpftool) run a script's programs. One for each event and the program that serves
 * it, in a section by libbpf's conventions (docs: libbpf's program types), so that what loads the file also knows where to attach:
 *
 *     tracepoint, fields are read    tp/SYSTEM/NAME               the context is the record
 *     tracepoint, no field is read   raw_tp/NAME
 *     system call                    tp/syscalls/sys_enter_NAME   the record is copied, with room for six arguments, where all are wanted
 *     kernel function                kprobe/NAME, kretprobe/NAME  no fields
 *     function of a file             uprobe/FILE:NAME, uretprobe/FILE:NAME
 *     timer, counter                 perf_event                   the loader opens it
 *     init, fini                     none: ktap alone runs them
 *
 *     entry: r1 the context
 *         scratch memory: an element of table `.scratch`, of its own: one program may interrupt another, and handlers' programs have several
 *         call handler(record, context, event, ids, scratch): of these what it reads
 *         return 1 (tp: perf sees the event, too), 0
 *
 * Nothing is filtered: every process is traced. What `ktap run` makes at load time instead (source/kernel_stub.c) is faster and follows a command.
 */
#include <assert.h>
#include <string.h>

#include "ebpf/ebpf.h"
#include "event/event_int.h"

#define ENTRIES_MAX 1024 /* more events than that are for ktap alone */

#define OFF_KEY    (-8)
#define OFF_RECORD (OFF_KEY - RECORD_SYSCALL_LEN)

struct entry_maker {
	struct object *object;
	const struct program *program;
	const struct event *event;
	uint32_t func;    /* the program's, or its copy for this event */
	uint32_t scratch; /* table */
	uint32_t n_scratch; /* elements of it that are in use */
	struct code code;
};

static bool
reads_record(const struct program *program)
{
	return program->record_size || program->uses_dynamic;
}

/* Does the handler read this parameter? */
static bool
wants(const struct program *program, enum program_param param)
{
	return program->params >> param & 1;
}

/* The section's name; NULL: no other loader can give this program what it wants. */
static const char *
section_of(struct arena *arena, const struct event *event, const struct program *program)
{
	const char *place = event_is_probe(event) && !reads_record(program) ? event->probe->symbol : NULL;
	const char *path = place ? event->probe->path : NULL;

	switch (event->kind) {
	case EVENT_SYSCALL_ENTER:
	case EVENT_SYSCALL_EXIT:
		return arena_printf(arena, "tp/%s/%s", event->system, event->name);
	case EVENT_TRACEPOINT:
		if (reads_record(program))
			return arena_printf(arena, "tp/%s/%s", event->system, event->name);
		return arena_printf(arena, "raw_tp/%s", event->name);
	case EVENT_KPROBE:
		if (place && event->probe->offset)
			return arena_printf(arena, "kprobe/%s+0x%llx", place, (unsigned long long)event->probe->offset);
		return place ? arena_printf(arena, "kprobe/%s", place) : NULL;
	case EVENT_KRETPROBE:
		return place ? arena_printf(arena, "kretprobe/%s", place) : NULL;
	case EVENT_UPROBE:
		return place ? arena_printf(arena, "uprobe/%s:%s", path, place) : NULL;
	case EVENT_URETPROBE:
		return place ? arena_printf(arena, "uretprobe/%s:%s", path, place) : NULL;
	case EVENT_FENTRY:
		return place ? arena_printf(arena, "fentry/%s", place) : NULL;
	case EVENT_FEXIT:
		return place ? arena_printf(arena, "fexit/%s", place) : NULL;
	case EVENT_RAWTP:
		return place ? arena_printf(arena, "raw_tp/%s", place) : NULL;
	case EVENT_PROFILE:
	case EVENT_COUNTER:
		return "perf_event";
	case EVENT_INIT: /* the conventions have no section that others would run by itself */
	case EVENT_FINI:
	case N_EVENT_KINDS:
		break;
	}
	return NULL;
}

/* r8 = this CPU's scratch memory for the entry. */
static void
emit_scratch(struct entry_maker *m, uint32_t out)
{
	struct code *code = &m->code;

	if (!m->program->scratch_size)
		return;
	code_emit(code, insn_store_imm(BPF_W, 10, OFF_KEY, (int32_t)m->n_scratch++));
	code_table(code, 1, m->scratch);
	code_emit(code, insn_mov(2, 10));
	code_emit(code, insn_alu_imm(BPF_ADD, 2, OFF_KEY));
	code_emit(code, insn_call(BPF_FUNC_map_lookup_elem));
	code_branch_imm(code, BPF_JEQ, 0, 0, out);
	code_emit(code, insn_mov(8, 0));
}

/* r7 = process and thread. */
static void
emit_ids(struct entry_maker *m)
{
	if (!wants(m->program, PARAM_IDS))
		return;
	code_emit(&m->code, insn_call(BPF_FUNC_get_current_pid_tgid));
	code_emit(&m->code, insn_mov(7, 0));
}

/* A system call's record with six arguments, of which the context has only those that there are. r1 = its address. */
static void
emit_copy(struct entry_maker *m)
{
	uint32_t end = SYSCALL_ARG_OFFSET + 8 * (m->event->n_fields - 1), off;

	for (off = 0; off < RECORD_SYSCALL_LEN; off += 8) {
		if (off >= SYSCALL_NR_OFFSET && off < end) {
			code_emit(&m->code, insn_load(off < SYSCALL_ARG_OFFSET ? BPF_W : BPF_DW, 1, 6, (int16_t)off));
			code_emit(&m->code, insn_store(BPF_DW, 10, 1, (int16_t)(OFF_RECORD + (int)off)));
		} else {
			code_emit(&m->code, insn_store_imm(BPF_DW, 10, (int16_t)(OFF_RECORD + (int)off), 0));
		}
	}
	code_emit(&m->code, insn_mov(1, 10));
	code_emit(&m->code, insn_alu_imm(BPF_ADD, 1, OFF_RECORD));
}

static void
emit_record(struct entry_maker *m)
{
	uint32_t context = SYSCALL_ARG_OFFSET + 8 * (m->event->n_fields - 1);

	/* The kernel refuses programs that read past the end of their context when they are attached. */
	if (m->event->number >= 0 && m->event->n_fields && m->program->record_size > context)
		emit_copy(m);
	else if (wants(m->program, PARAM_RECORD))
		code_emit(&m->code, insn_mov(1, 6));
}

static void
add_entry(struct entry_maker *m, const char *section)
{
	struct code *code = &m->code;
	uint32_t out;

	code_init(code, m->object->arena);
	code->span = m->object->handlers[m->program->handler]->span;
	out = code_label(code);
	code_emit(code, insn_mov(6, 1));
	emit_scratch(m, out);
	emit_ids(m);
	emit_record(m);
	if (wants(m->program, PARAM_CONTEXT))
		code_emit(code, insn_mov(2, 6));
	if (wants(m->program, PARAM_EVENT))
		code_const(code, 3, m->event->index);
	if (wants(m->program, PARAM_IDS))
		code_emit(code, insn_mov(4, 7));
	if (wants(m->program, PARAM_SCRATCH))
		code_emit(code, insn_mov(5, 8));
	code_call_func(code, m->func);
	code_bind(code, out);
	code_emit(code, insn_mov_imm(0, strncmp(section, "tp/", 3) == 0));
	code_emit(code, insn_exit());
	code_finish(code); /* a few jumps over a few instructions */
	object_add_func(m->object, func_from_code(code, m->event->name, section));
}

/*
 * The function for this event. A tracepoint's fields are read at places that its loader looks up: events that share a program here may differ there,
 * so each has a copy. False: where the fields are is known of the user engine's records only.
 */
static bool
choose_func(struct entry_maker *m, enum events_origin origin)
{
	struct entry_place places[PROGRAM_FIELDS_MAX] = { { 0 } };
	struct text why = { 0 };

	m->func = m->program->func;
	if (m->event->kind != EVENT_TRACEPOINT || !m->program->n_fields)
		return true;
	if (entry_places(event_kernel_types(&why), m->object->arena, m->event, origin, m->program, places))
		m->func = bind_copy(m->object, m->program, m->event, places);
	else if (origin == EVENTS_USER)
		m->func = UINT32_MAX;
	text_fini(&why);
	return m->func != UINT32_MAX;
}

static uint32_t
add_scratch(struct object *object)
{
	struct table *table = arena_alloc(object->arena, sizeof(*table));
	uint32_t size = 0, n = 0;

	for (uint32_t h = 0; h < object->n_handlers; h++) {
		for (uint32_t i = 0; i < object->handlers[h]->n_bindings; i++) {
			const struct program *program = object->programs[object->handlers[h]->bindings[i].program];

			n += program->scratch_size > 0;
			if (program->scratch_size > size)
				size = program->scratch_size;
		}
	}
	if (!size)
		return UINT32_MAX;
	*table = (struct table){ .name = ".scratch", .kind = TABLE_PERCPU_ARRAY, .key_size = 4, .value_size = (uint32_t)round_up(size, 8), .max_entries = n };
	return object_add_table(object, table);
}

void
bind_entries(struct object *object)
{
	struct entry_maker m = { .object = object };
	uint32_t n = 0;

	for (uint32_t h = 0; h < object->n_handlers; h++)
		n += object->handlers[h]->n_bindings;
	object->n_own_tables = object->n_tables;
	object->n_own_funcs = object->n_funcs;
	if (n > ENTRIES_MAX)
		return;
	m.scratch = add_scratch(object);
	for (uint32_t h = 0; h < object->n_handlers; h++) {
		const struct handler *handler = object->handlers[h];

		for (uint32_t i = 0; i < handler->n_bindings; i++) {
			const char *section;

			m.program = object->programs[handler->bindings[i].program];
			m.event = object->events[handler->bindings[i].event];
			section = section_of(object->arena, m.event, m.program);
			if (section && choose_func(&m, (enum events_origin)object->origin))
				add_entry(&m, section);
		}
	}
}
