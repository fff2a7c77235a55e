/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Records: what print, printf and exit send to user space (ebpf.h, "the record").
 *
 * Cells have fixed offsets; long strings and argstr follow them, each just as long as it is, so the record's length is known only when
 * it is sent. Their lengths are masked to a power of two, which changes nothing but tells the verifier a bound.
 */
#include "codegen/lower_int.h"

#define ARGS_MAX 64
#define LONG_ROOM (2 * STR_SIZE_MAX) /* bytes that the verifier must believe a long string may take */

static struct shape
shape_of_val(const struct val *val)
{
	static const enum value_kind kinds[] = {
		[TYPE_BOOL] = VALUE_BOOL,     [TYPE_STR] = VALUE_STR,	    [TYPE_EVENT] = VALUE_EVENT,
		[TYPE_STACK] = VALUE_STACK,   [TYPE_USTACK] = VALUE_USTACK, [TYPE_ARGSTR] = VALUE_ARGSTR,
		[TYPE_KSYM] = VALUE_KSYM,
	};
	struct shape shape = { .kind = VALUE_INT, .nullable = val->present != NO_VREG || val->kind == TYPE_NIL, .size = 8 };

	if (val->kind < ARRAY_SIZE(kinds) && kinds[val->kind] != VALUE_NONE)
		shape.kind = kinds[val->kind];
	if (shape.kind == VALUE_STR)
		shape.size = val->str_size;
	return shape;
}

static bool
is_long(const struct shape *shape)
{
	return shape->kind == VALUE_ARGSTR || (shape->kind == VALUE_STR && shape->size > RECORD_SHORT_STR);
}

static uint32_t
cell_size(const struct shape *shape)
{
	return (shape->nullable ? 8 : 0) + (is_long(shape) ? 8 : shape->size);
}

static struct site *
add_site(struct lowering *l, enum site_kind kind, const struct node *format, const struct val *vals, uint32_t n, uint32_t *index)
{
	struct site *site = arena_alloc(l->arena, sizeof(*site));

	site->kind = kind;
	site->span = l->ir.span;
	if (format) {
		site->format = format->s;
		site->format_len = format->len;
	}
	site->n_args = n;
	site->args = arena_alloc(l->arena, n * sizeof(*site->args));
	for (uint32_t i = 0; i < n; i++)
		site->args[i] = shape_of_val(&vals[i]);
	*index = object_add_site(l->object, site);
	return site;
}

static bool
names_event(const struct site *site)
{
	for (uint32_t i = 0; i < site->n_args; i++)
		if (site->args[i].kind == VALUE_ARGSTR)
			return true;
	return false;
}

/* Only whoever reads an argstr needs the event: one store is cheaper than two and a register that keeps the number. */
static void
store_header(struct lowering *l, struct mem record, const struct site *site, uint32_t index)
{
	if (!names_event(site)) {
		ir_store_imm(&l->ir, BPF_DW, record.base, record.off, index);
		return;
	}
	ir_store_imm(&l->ir, BPF_W, record.base, record.off, index);
	ir_store(&l->ir, BPF_W, record.base, record.off + 4, l->ir.params[PARAM_EVENT]);
}

static void
send(struct lowering *l, struct mem record, int size)
{
	struct ir *ir = &l->ir;
	uint32_t sent = ir_label(ir);
	int table = ir_pointer(ir), result;

	ir_add(ir, (struct ir_insn){ .op = IR_TABLE, .dst = table, .a = NO_VREG, .b = NO_VREG,
				     .imm = l->object->table_records });
	result = ir_call(ir, BPF_FUNC_ringbuf_output, (int[]){ table, memory_address(l, record), size, ir_const(ir, 0) }, 4);
	ir_branch_imm(ir, BPF_JEQ, result, 0, sent);
	lower_count(l, COUNTER_RECORD_LOST);
	ir_bind(ir, sent);
}

/* The presence cell; after it, code for a nil value goes to `absent`. */
static void
store_presence(struct lowering *l, struct mem cell, const struct val *val)
{
	if (val->kind == TYPE_NIL)
		ir_store_imm(&l->ir, BPF_DW, cell.base, cell.off, 0);
	else
		ir_store(&l->ir, BPF_DW, cell.base, cell.off, val->present);
}

/* Copies a long string behind the record; its length goes to the cell. */
static void
store_long_string(struct lowering *l, struct mem record, struct mem cell, int tail, const struct val *val)
{
	struct ir *ir = &l->ir;
	int at, n;

	at = ir_alu(ir, BPF_ADD, memory_address(l, record), tail);
	n = ir_call(ir, BPF_FUNC_probe_read_kernel_str,
		    (int[]){ at, ir_const(ir, val->str_size), memory_address(l, val->mem) }, 3);
	n = ir_alu_imm(ir, BPF_AND, n, LONG_ROOM - 1);
	ir_store(ir, BPF_DW, cell.base, cell.off, n);
	ir_add(ir, (struct ir_insn){ .op = IR_ALU, .sub = BPF_ADD, .dst = tail, .a = tail, .b = n });
}

static void
store_cell(struct lowering *l, struct mem record, struct mem cell, int tail, const struct shape *shape, const struct val *val)
{
	struct ir *ir = &l->ir;

	if (shape->kind == VALUE_ARGSTR) {
		ir_store(ir, BPF_DW, cell.base, cell.off, lower_argstr(l, record, tail));
	} else if (is_long(shape) && val->literal) {
		struct val copy = { .kind = TYPE_STR, .present = NO_VREG, .str_size = val->str_size,
				    .mem = memory_new(l, val->str_size) };

		string_store(l, copy.mem, copy.str_size, val);
		store_long_string(l, record, cell, tail, &copy);
	} else if (is_long(shape)) {
		store_long_string(l, record, cell, tail, val);
	} else if (shape->kind == VALUE_STR) {
		string_store(l, cell, shape->size, val);
	} else if (val->is_const || val->kind == TYPE_NIL) {
		ir_store_imm(ir, BPF_DW, cell.base, cell.off, val->imm);
	} else {
		ir_store(ir, BPF_DW, cell.base, cell.off, val->reg);
	}
}

/* A nil value's cell holds zeros (a long one: length 0); strings of tables are zeros then already. */
static void
store_arg(struct lowering *l, struct mem record, struct mem cell, int tail, const struct shape *shape, const struct val *val)
{
	uint32_t absent = ir_label(&l->ir), done = ir_label(&l->ir);

	if (!shape->nullable) {
		store_cell(l, record, cell, tail, shape, val);
		return;
	}
	store_presence(l, cell, val);
	cell = memory_at(cell, 8);
	if (!is_long(shape)) {
		store_cell(l, record, cell, tail, shape, val);
		return;
	}
	ir_branch_imm(&l->ir, BPF_JEQ, val->present, 0, absent);
	store_cell(l, record, cell, tail, shape, val);
	ir_jump(&l->ir, done);
	ir_bind(&l->ir, absent);
	ir_store_imm(&l->ir, BPF_DW, cell.base, cell.off, 0);
	ir_bind(&l->ir, done);
}

static uint32_t
lower_args(struct lowering *l, struct node *args, struct val *vals)
{
	uint32_t n = 0;

	for (; args; args = args->next) {
		if (n == ARGS_MAX) {
			diag_error(l->diags, args->span, "too-many-arguments", "at most %d values can be printed at once", ARGS_MAX);
			return n;
		}
		vals[n++] = lower_exp(l, args);
	}
	return n;
}

void
lower_output(struct lowering *l, enum site_kind kind, struct node *args)
{
	struct node *format = kind == SITE_PRINTF ? args : NULL;
	struct val vals[ARGS_MAX] = { 0 };
	uint32_t n = lower_args(l, format ? args->next : args, vals), index, fixed = RECORD_HEADER, room;
	struct site *site = add_site(l, kind, format, vals, n, &index);
	struct mem record;
	int32_t off = RECORD_HEADER;
	int tail;

	for (uint32_t i = 0; i < n; i++)
		fixed += cell_size(&site->args[i]);
	room = fixed;
	for (uint32_t i = 0; i < n; i++)
		room += is_long(&site->args[i]) ? (site->args[i].kind == VALUE_ARGSTR ? ARGSTR_MAX : LONG_ROOM) : 0;
	record = memory_new(l, room);
	tail = ir_const(&l->ir, fixed);
	store_header(l, record, site, index);
	for (uint32_t i = 0; i < n; i++) {
		store_arg(l, record, memory_at(record, off), tail, &site->args[i], &vals[i]);
		off += (int32_t)cell_size(&site->args[i]);
	}
	send(l, record, room == fixed ? ir_const(&l->ir, fixed) : tail);
}

void
lower_exit(struct lowering *l)
{
	struct mem record = memory_new(l, RECORD_HEADER);
	int flag = ir_pointer(&l->ir);
	uint32_t index;
	struct site *site = add_site(l, SITE_EXIT, NULL, NULL, 0, &index);

	ir_add(&l->ir, (struct ir_insn){ .op = IR_GLOBAL, .dst = flag, .a = NO_VREG, .b = NO_VREG,
					 .imm = l->object->exit_flag_off });
	ir_store_imm(&l->ir, BPF_DW, flag, 0, 1);
	store_header(l, record, site, index);
	send(l, record, ir_const(&l->ir, RECORD_HEADER));
	ir_jump(&l->ir, l->end);
}
