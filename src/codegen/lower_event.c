/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What a handler reads of its event: fields of the record, the record itself for argstr, the kernel's stack.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "codegen/lower_int.h"

static uint8_t
size_code(uint32_t bytes)
{
	switch (bytes) {
	case 1:
		return BPF_B;
	case 2:
		return BPF_H;
	case 4:
		return BPF_W;
	default:
		return BPF_DW;
	}
}

/* `bytes` of the record up to offset + bytes are read. */
static void
need_record(struct lowering *l, uint32_t bytes, uint32_t offset)
{
	if (l->record_size < offset + bytes)
		l->record_size = offset + bytes;
	for (uint32_t word = offset / 8; word < 64 && 8 * word < offset + bytes; word++)
		l->record_words |= 1ull << word;
	if (offset + bytes > 63 * 8)
		l->record_words |= 1ull << 63;
}

/* At a place that is the same for all events of the signature, everywhere. */
static int
load_record(struct lowering *l, uint32_t bytes, uint32_t offset)
{
	need_record(l, bytes, offset);
	if (l->fixed_size < offset + bytes)
		l->fixed_size = offset + bytes;
	return ir_load(&l->ir, size_code(bytes), l->ir.params[PARAM_RECORD], (int32_t)offset);
}

static bool
is_same_field(const struct program_field *a, const struct program_field *b)
{
	return a->by == b->by && a->number == b->number && (a->name && b->name ? !strcmp(a->name, b->name) : a->name == b->name);
}

/* The program's number of a field, from 1. */
static uint32_t
field_number(struct lowering *l, struct program_field field)
{
	for (uint32_t i = 0; i < l->n_fields; i++) {
		if (!is_same_field(&l->fields[i], &field))
			continue;
		if (l->fields[i].size < field.size)
			l->fields[i].size = field.size;
		return i + 1;
	}
	if (l->n_fields == PROGRAM_FIELDS_MAX) {
		l->too_large = true;
		return 1;
	}
	l->fields = arena_grow(l->arena, l->fields, l->n_fields, &l->cap_fields, sizeof(*l->fields));
	l->fields[l->n_fields++] = field;
	return l->n_fields;
}

/* How the field that a node reads is found in an event. */
static uint32_t
node_field(struct lowering *l, const struct node *node, uint32_t bytes)
{
	const struct event_use *use = l->program->function->use;
	struct program_field field = { .offset = node->field->offset, .size = bytes };

	if (node->kind == NODE_INDEX) {
		field.by = FIELD_BY_NAME;
		field.name = node->b->s;
	} else if (node->kind != NODE_ARG) {
		field.by = FIELD_BY_RETURN;
	} else if (use->arg_names[node->number]) {
		field.by = FIELD_BY_NAME;
		field.name = use->arg_names[node->number];
	} else {
		field.by = FIELD_BY_NUMBER;
		field.number = (uint32_t)node->number;
	}
	return field_number(l, field);
}

static int
load_field(struct lowering *l, uint32_t bytes, uint32_t offset, uint32_t number)
{
	int dst = ir_load(&l->ir, size_code(bytes), l->ir.params[PARAM_RECORD], (int32_t)offset);

	need_record(l, bytes, offset);
	l->ir.insns[l->ir.n - 1].field = number;
	return dst;
}

/* The first `bytes` of the field that a node reads. */
static int
load_node(struct lowering *l, const struct node *node, uint32_t bytes)
{
	return load_field(l, bytes, node->field->offset, node_field(l, node, bytes));
}

/* The low `bytes` bytes, whose highest bit is their sign, as a 64-bit number. */
static int
extend_sign(struct lowering *l, int reg, uint32_t bytes)
{
	uint32_t shift = 64 - 8 * bytes;

	return bytes >= 8 ? reg : ir_alu_imm(&l->ir, BPF_ARSH, ir_alu_imm(&l->ir, BPF_LSH, reg, shift), shift);
}

static struct val
load_number(struct lowering *l, const struct node *node, const struct field *field)
{
	/* argN is the whole word, as in 0.4; args.NAME has the bytes and the sign of its C type: the first ones, on the machines that we run on. */
	bool is_part = node->kind != NODE_ARG && field->value_size && field->value_size < field->size;
	uint32_t bytes = is_part ? field->value_size : field->size;
	int reg = load_node(l, node, bytes);

	if (field->is_signed)
		reg = extend_sign(l, reg, bytes);
	return val_number(TYPE_INT, reg);
}

/* bpf_probe_read_str looks at the address; the other knows. */
static int32_t
string_helper(const struct field *field)
{
	return field->kind == FIELD_ANY_STR ? BPF_FUNC_probe_read_str : BPF_FUNC_probe_read_user_str;
}

struct val
lower_field(struct lowering *l, const struct node *node)
{
	const struct field *field = node->field;
	struct ir *ir = &l->ir;
	int addr;

	if (!field)
		return val_nil();
	if (type_find(node->type)->kind != TYPE_STR)
		return load_number(l, node, field);
	switch (field->kind) {
	case FIELD_USER_STR:
	case FIELD_ANY_STR:
		addr = load_node(l, node, 8);
		return string_read(l, string_helper(field), addr, STR_SIZE_MAX);
	case FIELD_DATA_LOC:
		addr = ir_alu_imm(ir, BPF_AND, load_node(l, node, 4), 0xffff);
		l->uses_dynamic = true;
		addr = ir_alu(ir, BPF_ADD, ir->params[PARAM_RECORD], addr);
		return string_read(l, BPF_FUNC_probe_read_kernel_str, addr, STR_SIZE_MAX);
	case FIELD_CHARS:
		need_record(l, field->size, field->offset);
		addr = ir_alu_imm(ir, BPF_ADD, ir->params[PARAM_RECORD], field->offset);
		ir->insns[ir->n - 1].field = node_field(l, node, field->size);
		/* No more than the field: behind a text that fills it stands another one. */
		return string_read(l, BPF_FUNC_probe_read_kernel_str, addr, field->size && field->size < STR_SIZE_MAX ? field->size : STR_SIZE_MAX);
	case FIELD_INT:
	case FIELD_OTHER:
		break;
	}
	return val_nil();
}

/* ---- argstr ---- */

/* One string behind the record: a byte of status, the text, its NUL. The record has its address at `offset`. */
static void
append_string(struct lowering *l, struct mem dst, int tail, uint32_t offset, int32_t helper)
{
	struct ir *ir = &l->ir;
	uint32_t done = ir_label(ir), readable = ir_label(ir), counted = ir_label(ir), whole = ir_label(ir);
	int at, n = ir_vreg(ir);

	at = ir_alu(ir, BPF_ADD, memory_address(l, dst), tail);
	ir_move(ir, n, ir_call(ir, helper, (int[]){ ir_address(ir, at, 1), ir_const(ir, STR_SIZE_MAX),
						    load_record(l, 8, offset) }, 3));
	ir_branch_imm(ir, BPF_JSGE, n, 0, readable);
	ir_store_imm(ir, BPF_H, at, 0, RECORD_STRING_FAULT); /* the status, and a NUL */
	ir_update_imm(ir, BPF_ADD, tail, 2);
	ir_jump(ir, done);
	ir_bind(ir, readable);
	ir_store_imm(ir, BPF_B, at, 0, RECORD_STRING_READ);
	/* Linux before 6.13 returns 0, not 1, for an empty string. */
	ir_branch_imm(ir, BPF_JNE, n, 0, counted);
	ir_store_imm(ir, BPF_B, at, 1, 0);
	ir_set(ir, n, 1);
	ir_bind(ir, counted);
	ir_branch_imm(ir, BPF_JSLT, n, STR_SIZE_MAX, whole);
	ir_store_imm(ir, BPF_B, at, 0, RECORD_STRING_CUT);
	ir_bind(ir, whole);
	/* n is 1 to 256 here; the mask says so to the verifier wherever n was kept. */
	n = ir_alu_imm(ir, BPF_AND, n, 2 * STR_SIZE_MAX - 1);
	ir_add(ir, (struct ir_insn){ .op = IR_ALU, .sub = BPF_ADD, .dst = tail, .a = tail, .b = n });
	ir_update_imm(ir, BPF_ADD, tail, 1);
	ir_bind(ir, done);
}

/* The strings of a system call behind its 64 bytes, for each argument whose bit is set. */
static void
append_strings(struct lowering *l, struct mem dst, int tail, int mask)
{
	struct ir *ir = &l->ir;

	for (uint32_t arg = 0; arg < 6; arg++) {
		uint32_t next = ir_label(ir);

		ir_branch_imm(ir, BPF_JEQ, ir_alu_imm(ir, BPF_AND, mask, 1 << arg), 0, next);
		append_string(l, dst, tail, 16 + 8 * arg, BPF_FUNC_probe_read_user_str);
		ir_bind(ir, next);
	}
}

/* Which arguments of this system call are strings, from the table of events. */
static int
load_string_args(struct lowering *l)
{
	struct ir *ir = &l->ir;
	struct mem key = memory_new(l, 8);
	uint32_t none = ir_label(ir);
	int table = ir_pointer(ir), info, mask = ir_const(ir, 0);

	ir_store(ir, BPF_W, key.base, key.off, ir->params[PARAM_EVENT]);
	ir_add(ir, (struct ir_insn){ .op = IR_TABLE, .dst = table, .a = NO_VREG, .b = NO_VREG,
				     .imm = l->object->table_event_info });
	info = ir_call(ir, BPF_FUNC_map_lookup_elem, (int[]){ table, memory_address(l, key) }, 2);
	ir_branch_imm(ir, BPF_JEQ, info, 0, none);
	ir_move(ir, mask, ir_load(ir, BPF_W, info, offsetof(struct event_info, string_args)));
	ir_bind(ir, none);
	return mask;
}

static void
copy_record(struct lowering *l, struct mem dst, int tail, uint32_t size)
{
	struct ir *ir = &l->ir;
	int at = ir_alu(ir, BPF_ADD, memory_address(l, dst), tail);

	ir_store_imm(ir, BPF_DW, at, 0, 0); /* common_*: not filled in */
	for (uint32_t off = 8; off < size; off += 8)
		ir_store(ir, BPF_DW, at, (int32_t)off, load_record(l, 8, off));
	ir_update_imm(ir, BPF_ADD, tail, size);
}

/* Bytes of the fixed part of a tracepoint's record. */
static int
record_end(struct lowering *l, const struct event *event)
{
	struct program_field field = { .by = FIELD_BY_END, .offset = event->record_size };
	int end;

	if (field.offset > RECORD_DYNAMIC_MAX)
		field.offset = RECORD_DYNAMIC_MAX;
	end = ir_const(&l->ir, field.offset);
	l->ir.insns[l->ir.n - 1].field = field_number(l, field);
	return end;
}

/* A tracepoint's record: its fixed part, and the texts that __data_loc fields point to, as far as RECORD_DYNAMIC_MAX. */
static void
copy_dynamic_record(struct lowering *l, struct mem dst, int tail, const struct event *event)
{
	struct ir *ir = &l->ir;
	uint32_t fits = ir_label(ir), n_texts = 0;
	int end = record_end(l, event), at, size;

	l->uses_dynamic = true;
	for (uint32_t i = 0; i < event->n_fields; i++) {
		uint32_t next = ir_label(ir);
		int loc, last;

		if (event->fields[i].kind != FIELD_DATA_LOC)
			continue;
		loc = load_field(l, 4, event->fields[i].offset,
				 field_number(l, (struct program_field){ .by = FIELD_BY_TEXT, .number = n_texts++,
									 .offset = event->fields[i].offset, .size = 4 }));
		last = ir_alu(ir, BPF_ADD, ir_alu_imm(ir, BPF_AND, loc, 0xffff), ir_alu_imm(ir, BPF_RSH, loc, 16));
		ir_branch(ir, BPF_JLE, last, end, next);
		ir_move(ir, end, last);
		ir_bind(ir, next);
	}
	ir_branch_imm(ir, BPF_JLE, end, RECORD_DYNAMIC_MAX, fits);
	ir_set(ir, end, RECORD_DYNAMIC_MAX);
	ir_bind(ir, fits);
	at = ir_alu(ir, BPF_ADD, memory_address(l, dst), tail);
	ir_store_imm(ir, BPF_DW, at, 0, 0);
	/* end - 8 is 0 to RECORD_DYNAMIC_MAX; the mask says so to the verifier wherever it was kept. */
	size = ir_alu_imm(ir, BPF_AND, ir_alu_imm(ir, BPF_SUB, end, 8), 2 * RECORD_DYNAMIC_MAX - 1);
	ir_call(ir, BPF_FUNC_probe_read_kernel,
		(int[]){ ir_address(ir, at, 8), size, ir_address(ir, ir->params[PARAM_RECORD], 8) }, 3);
	ir_add(ir, (struct ir_insn){ .op = IR_ALU, .sub = BPF_ADD, .dst = tail, .a = tail, .b = size });
	ir_update_imm(ir, BPF_ADD, tail, 8);
}

/* A probe's record, and the strings that its arguments point to. */
static void
copy_probe_record(struct lowering *l, struct mem dst, int tail, const struct event *event)
{
	copy_record(l, dst, tail, event->record_size);
	for (uint32_t i = 0; i < event->n_fields; i++) {
		const struct field *field = &event->fields[i];

		if (field->kind == FIELD_USER_STR || field->kind == FIELD_ANY_STR)
			append_string(l, dst, tail, field->offset, string_helper(field));
	}
}

int
lower_argstr(struct lowering *l, struct mem dst, int tail)
{
	const struct event *event = l->program->events[0];
	struct ir *ir = &l->ir;
	int start = ir_vreg(ir);

	ir_move(ir, start, tail);
	switch (event->kind) {
	case EVENT_SYSCALL_ENTER:
		copy_record(l, dst, tail, RECORD_SYSCALL_LEN);
		append_strings(l, dst, tail, load_string_args(l));
		break;
	case EVENT_SYSCALL_EXIT:
		copy_record(l, dst, tail, RECORD_SYSCALL_EXIT_LEN);
		break;
	case EVENT_TRACEPOINT:
		copy_dynamic_record(l, dst, tail, event);
		break;
	case EVENT_KPROBE:
	case EVENT_KRETPROBE:
	case EVENT_UPROBE:
	case EVENT_URETPROBE:
	case EVENT_FENTRY:
	case EVENT_FEXIT:
	case EVENT_RAWTP:
		copy_probe_record(l, dst, tail, event);
		break;
	case EVENT_COUNTER:
	case EVENT_PROFILE:
	case EVENT_INIT:
	case EVENT_FINI:
	case N_EVENT_KINDS:
		assert(!"infer.c refuses argstr of events without fields");
	}
	return ir_alu(ir, BPF_SUB, tail, start);
}

/* ---- stack(), ustack() ---- */

/* What differs between the two. */
struct stack_kind {
	const char *call;
	enum type_kind type;
	uint32_t depth;      /* frames where the script says no number */
	uint32_t own_frames; /* captured in addition */
	uint64_t flags;      /* of bpf_get_stackid */
};

static const struct stack_kind stack_kinds[] = {
	[STACKS_KERNEL] = { "stack", TYPE_STACK, 10, STACK_OWN_FRAMES, 0 },
	[STACKS_USER] = { "ustack", TYPE_USTACK, 32, 0, BPF_F_USER_STACK },
};

/* Makes the tables for this call's depth; another depth than that of the script's other calls is an error. */
static void
need_stacks(struct lowering *l, const struct node *node, enum stacks_of of)
{
	const struct stack_kind *kind = &stack_kinds[of];
	const struct stack_tables *tables = &l->object->stacks[of];
	uint32_t depth = node->b && node->b->number ? (uint32_t)node->b->number : kind->depth, other;

	if (tables->first == UINT32_MAX)
		place_stacks(l->object, of, depth + kind->own_frames);
	other = l->object->tables[tables->first]->value_size / 8 - kind->own_frames;
	if (other != depth)
		diag_error(l->diags, node->span, "stack-depth", "all %s() of a script must have one depth; another one has %u, this %u",
			   kind->call, other, depth);
}

/* The number of the stack in that table, or -errno, to `id`. */
static void
take_stack(struct lowering *l, uint32_t table, int64_t flags, int id)
{
	struct ir *ir = &l->ir;
	int at = ir_pointer(ir);

	ir_add(ir, (struct ir_insn){ .op = IR_TABLE, .dst = at, .a = NO_VREG, .b = NO_VREG, .imm = table });
	ir_move(ir, id, ir_call(ir, BPF_FUNC_get_stackid, (int[]){ ir->params[PARAM_CONTEXT], at, ir_const(ir, flags) }, 3));
}

/* The number of a user stack means something only together with the process. */
static void
add_process(struct lowering *l, int id)
{
	struct ir *ir = &l->ir;
	uint32_t failed = ir_label(ir);
	int process;

	ir_branch_imm(ir, BPF_JSLT, id, 0, failed);
	process = ir_alu_imm(ir, BPF_RSH, ir->params[PARAM_IDS], 32);
	ir_move(ir, id, ir_alu(ir, BPF_OR, id, ir_alu_imm(ir, BPF_LSH, process, 32)));
	ir_bind(ir, failed);
}

struct val
lower_stack(struct lowering *l, const struct node *node)
{
	const enum stacks_of of = node->builtin->id == BUILTIN_USTACK ? STACKS_USER : STACKS_KERNEL;
	const struct stack_kind *kind = &stack_kinds[of];
	const struct stack_tables *tables = &l->object->stacks[of];
	int64_t flags = (int64_t)kind->flags | (node->b && node->b->next ? node->b->next->number : 0);
	struct ir *ir = &l->ir;
	uint32_t captured = ir_label(ir), failed = ir_label(ir);
	int id = ir_vreg(ir);

	l->uses_context = true;
	need_stacks(l, node, of);
	take_stack(l, tables->first, flags, id);
	ir_branch_imm(ir, BPF_JSGE, id, 0, captured);
	ir_branch_imm(ir, BPF_JNE, id, -EEXIST, failed);
	take_stack(l, tables->more, flags, id);
	ir_branch_imm(ir, BPF_JSLT, id, 0, failed);
	ir_move(ir, id, ir_alu_imm(ir, BPF_OR, id, STACK_IN_MORE));
	ir_jump(ir, captured);
	ir_bind(ir, failed);
	ir_branch_imm(ir, BPF_JEQ, id, -EFAULT, captured); /* there are no such frames, as of a sample in user mode */
	lower_count(l, COUNTER_STACK_LOST);
	ir_bind(ir, captured);
	if (of == STACKS_USER) {
		add_process(l, id);
		/* In the kernel it may be a function's doing (source/kernel_ustack.c), whose part of the stack is this. */
		if (ir->callee_stack < 32)
			ir->callee_stack = 32;
	}
	return val_number(kind->type, id);
}
