/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * From IR with places to eBPF instructions. r0 and r5 are temporaries for values that live in memory.
 *
 *     r10 ->  +---------------------+
 *             | spill slots         |  n_spill_stack bytes
 *             +---------------------+
 *             | frame objects       |  frame_max bytes
 *             +---------------------+  at most STACK_MAX below r10
 */
#include <assert.h>
#include <errno.h>

#include "codegen/codegen_int.h"

#define TEMP 5   /* first temporary: addresses and first operands */
#define RESULT 0 /* second one: results and second operands */

struct emit {
	const struct ir *ir;
	struct code *code;
	uint32_t first_label; /* IR label 0 in code */
};

static void
load_place(struct emit *emit, uint8_t reg, int vreg);

/* The register that holds the scratch address: its own, or `reg`, into which it is loaded. */
static uint8_t
scratch_base(struct emit *emit, uint8_t reg)
{
	const struct vreg *base = &emit->ir->vregs[emit->ir->params[PARAM_SCRATCH]];

	if (base->place == PLACE_REG)
		return base->reg;
	load_place(emit, reg, emit->ir->params[PARAM_SCRATCH]);
	return reg;
}

static void
load_place(struct emit *emit, uint8_t reg, int vreg)
{
	const struct vreg *v = &emit->ir->vregs[vreg];

	switch (v->place) {
	case PLACE_REG:
		if (v->reg != reg)
			code_emit(emit->code, insn_mov(reg, v->reg));
		break;
	case PLACE_STACK:
		code_emit(emit->code, insn_load(BPF_DW, reg, BPF_REG_10, (int16_t)-(int)v->slot));
		break;
	case PLACE_SCRATCH:
		code_emit(emit->code, insn_load(BPF_DW, reg, scratch_base(emit, reg), (int16_t)v->slot));
		break;
	case PLACE_NONE:
		assert(!"a value without a place is read");
	}
}

/* Register to read a vreg from; memory is loaded into `temp`. */
static uint8_t
use(struct emit *emit, int vreg, uint8_t temp)
{
	if (emit->ir->vregs[vreg].place == PLACE_REG)
		return emit->ir->vregs[vreg].reg;
	load_place(emit, temp, vreg);
	return temp;
}

/* Register to compute a vreg in. */
static uint8_t
target(struct emit *emit, int vreg)
{
	return emit->ir->vregs[vreg].place == PLACE_REG ? emit->ir->vregs[vreg].reg : RESULT;
}

/* Puts a computed value where it belongs. */
static void
store_place(struct emit *emit, int vreg, uint8_t reg)
{
	const struct vreg *v = &emit->ir->vregs[vreg];

	switch (v->place) {
	case PLACE_REG:
		if (v->reg != reg)
			code_emit(emit->code, insn_mov(v->reg, reg));
		break;
	case PLACE_STACK:
		code_emit(emit->code, insn_store(BPF_DW, BPF_REG_10, reg, (int16_t)-(int)v->slot));
		break;
	case PLACE_SCRATCH:
		code_emit(emit->code, insn_store(BPF_DW, scratch_base(emit, reg == TEMP ? RESULT : TEMP), reg, (int16_t)v->slot));
		break;
	case PLACE_NONE: /* a result that nobody reads */
		break;
	}
}

/* ---- moves that happen at once ---- */

struct move { uint8_t dst, src; bool done; };

/* Register to register, all at once; a cycle is opened through r0. */
static void
parallel_moves(struct emit *emit, struct move *moves, unsigned n)
{
	unsigned left = n;

	while (left) {
		bool progress = false;

		for (unsigned i = 0; i < n; i++) {
			bool blocked = false;

			if (moves[i].done)
				continue;
			for (unsigned k = 0; k < n; k++)
				blocked |= k != i && !moves[k].done && moves[k].src == moves[i].dst;
			if (blocked && moves[i].src != moves[i].dst)
				continue;
			if (moves[i].src != moves[i].dst)
				code_emit(emit->code, insn_mov(moves[i].dst, moves[i].src));
			moves[i].done = progress = true;
			left--;
		}
		for (unsigned i = 0; i < n && left && !progress; i++) {
			uint8_t held = moves[i].src;

			if (moves[i].done)
				continue;
			code_emit(emit->code, insn_mov(RESULT, held));
			for (unsigned k = 0; k < n; k++) {
				if (!moves[k].done && moves[k].src == held)
					moves[k].src = RESULT;
			}
			progress = true;
		}
	}
}

/*
 * The parameters of the handler, from r1 to r5 to their places. Those that go to memory go first, while the address of scratch memory is in the register
 * it came in. Returns the number of instructions of IR consumed.
 */
static uint32_t
emit_params(struct emit *emit)
{
	const struct ir *ir = emit->ir;
	struct move moves[N_PARAMS];
	unsigned n_moves = 0;
	uint32_t n = 0;

	for (; n < ir->n && ir->insns[n].op == IR_PARAM; n++) {
		const struct vreg *v = &ir->vregs[ir->insns[n].dst];
		uint8_t arrives = (uint8_t)(BPF_REG_1 + ir->insns[n].imm);

		if (v->place == PLACE_REG)
			moves[n_moves++] = (struct move){ .dst = v->reg, .src = arrives };
		else if (v->place == PLACE_SCRATCH)
			code_emit(emit->code, insn_store(BPF_DW, BPF_REG_1 + PARAM_SCRATCH, arrives, (int16_t)v->slot));
		else
			store_place(emit, ir->insns[n].dst, arrives);
	}
	parallel_moves(emit, moves, n_moves);
	return n;
}

static void
emit_call(struct emit *emit, const struct ir_insn *insn)
{
	struct move moves[5];
	unsigned n_moves = 0;

	for (unsigned i = 0; i < insn->n_args; i++) {
		const struct vreg *v = &emit->ir->vregs[insn->args[i]];

		if (v->place == PLACE_REG)
			moves[n_moves++] = (struct move){ .dst = (uint8_t)(BPF_REG_1 + i), .src = v->reg };
	}
	parallel_moves(emit, moves, n_moves);
	for (unsigned i = 0; i < insn->n_args; i++) {
		if (emit->ir->vregs[insn->args[i]].place != PLACE_REG)
			load_place(emit, (uint8_t)(BPF_REG_1 + i), insn->args[i]);
	}
	code_emit(emit->code, insn_call((int32_t)insn->imm));
	store_place(emit, insn->dst, BPF_REG_0);
}

/* ---- one instruction ---- */

/* The instruction just emitted holds the place of a field, or a number about a type of the kernel's. */
static void
note_place(struct emit *emit, const struct ir_insn *insn)
{
	if (insn->field)
		code_patch(emit->code, insn->field - 1);
	if (insn->core)
		code_core(emit->code, insn->core);
}

static bool
is_commutative(uint8_t op)
{
	return op == BPF_ADD || op == BPF_MUL || op == BPF_OR || op == BPF_AND || op == BPF_XOR;
}

static void
emit_alu(struct emit *emit, const struct ir_insn *insn)
{
	uint8_t dst = target(emit, insn->dst), b;

	if (insn->has_imm) {
		load_place(emit, dst, insn->a);
		code_emit(emit->code, insn_alu_imm(insn->sub, dst, (int32_t)insn->imm));
		note_place(emit, insn);
	} else {
		b = use(emit, insn->b, TEMP);
		if (b == dst && insn->a != insn->dst && is_commutative(insn->sub)) {
			code_emit(emit->code, insn_alu(insn->sub, dst, use(emit, insn->a, RESULT)));
		} else if (b == dst && insn->a != insn->dst) {
			load_place(emit, RESULT, insn->a);
			code_emit(emit->code, insn_alu(insn->sub, RESULT, b));
			dst = RESULT;
		} else {
			load_place(emit, dst, insn->a);
			code_emit(emit->code, insn_alu(insn->sub, dst, b));
		}
	}
	store_place(emit, insn->dst, dst);
}

/* Offset of a load or store: frame objects lie below the spill slots. */
static int16_t
memory_off(const struct emit *emit, const struct ir_insn *insn)
{
	return (int16_t)(insn->a == FP_VREG ? insn->off - (int32_t)emit->ir->n_spill_stack : insn->off);
}

static void
emit_store(struct emit *emit, const struct ir_insn *insn)
{
	uint8_t base = use(emit, insn->a, TEMP);

	if (insn->has_imm)
		code_emit(emit->code, insn_store_imm(insn->size, base, memory_off(emit, insn), (int32_t)insn->imm));
	else
		code_emit(emit->code, insn_store(insn->size, base, use(emit, insn->b, RESULT), memory_off(emit, insn)));
}

static void
emit_branch(struct emit *emit, const struct ir_insn *insn)
{
	uint8_t a = use(emit, insn->a, TEMP);
	uint32_t label = emit->first_label + insn->label;

	if (insn->is_32)
		code_branch32_imm(emit->code, insn->sub, a, (int32_t)insn->imm, label);
	else if (insn->has_imm)
		code_branch_imm(emit->code, insn->sub, a, (int32_t)insn->imm, label);
	else
		code_branch(emit->code, insn->sub, a, use(emit, insn->b, RESULT), label);
}

static void
emit_address(struct emit *emit, const struct ir_insn *insn)
{
	uint8_t dst = target(emit, insn->dst);
	int64_t add = insn->imm;

	if (insn->op == IR_FRAME) {
		code_emit(emit->code, insn_mov(dst, BPF_REG_10));
		add -= (int64_t)emit->ir->n_spill_stack;
	} else {
		load_place(emit, dst, insn->a);
	}
	if (add)
		code_emit(emit->code, insn_alu_imm(BPF_ADD, dst, (int32_t)add));
	store_place(emit, insn->dst, dst);
}

static void
emit_insn(struct emit *emit, const struct object *object, const struct ir_insn *insn)
{
	uint8_t reg;

	emit->code->span = insn->span;
	switch (insn->op) {
	case IR_CONST:
		reg = target(emit, insn->dst);
		code_const(emit->code, reg, insn->imm);
		note_place(emit, insn);
		store_place(emit, insn->dst, reg);
		break;
	case IR_MOVE:
		if (emit->ir->vregs[insn->dst].place == PLACE_REG)
			load_place(emit, emit->ir->vregs[insn->dst].reg, insn->a);
		else
			store_place(emit, insn->dst, use(emit, insn->a, RESULT));
		break;
	case IR_ALU:
		emit_alu(emit, insn);
		break;
	case IR_LOW:
		reg = target(emit, insn->dst);
		code_emit(emit->code, insn_make(BPF_ALU | BPF_MOV | BPF_X, reg, use(emit, insn->a, TEMP), 0, 0));
		store_place(emit, insn->dst, reg);
		break;
	case IR_SWAP: /* to big-endian, which every version of the instruction set has */
		reg = target(emit, insn->dst);
		load_place(emit, reg, insn->a);
		code_emit(emit->code, insn_make(BPF_ALU | BPF_END | BPF_TO_BE, reg, 0, 0, 64));
		store_place(emit, insn->dst, reg);
		break;
	case IR_LOAD:
		reg = target(emit, insn->dst);
		code_emit(emit->code, insn_load(insn->size, reg, use(emit, insn->a, TEMP), memory_off(emit, insn)));
		note_place(emit, insn);
		store_place(emit, insn->dst, reg);
		break;
	case IR_STORE:
		emit_store(emit, insn);
		break;
	case IR_ATOMIC_ADD:
		reg = use(emit, insn->a, TEMP);
		code_emit(emit->code, insn_atomic(BPF_DW, BPF_ADD, reg, use(emit, insn->b, RESULT), (int16_t)insn->off));
		break;
	case IR_FRAME:
	case IR_SCRATCH:
		emit_address(emit, insn);
		break;
	case IR_TABLE:
		reg = target(emit, insn->dst);
		code_table(emit->code, reg, (uint32_t)insn->imm);
		store_place(emit, insn->dst, reg);
		break;
	case IR_GLOBAL:
		reg = target(emit, insn->dst);
		code_table_value(emit->code, reg, object->table_globals, (uint32_t)insn->imm);
		store_place(emit, insn->dst, reg);
		break;
	case IR_FUNC:
		reg = target(emit, insn->dst);
		code_func_addr(emit->code, reg, (uint32_t)insn->imm);
		store_place(emit, insn->dst, reg);
		break;
	case IR_CALL:
		emit_call(emit, insn);
		break;
	case IR_CALL_FUNC:
		code_call_func(emit->code, (uint32_t)insn->imm);
		store_place(emit, insn->dst, BPF_REG_0);
		break;
	case IR_LABEL:
		code_bind(emit->code, emit->first_label + insn->label);
		break;
	case IR_JUMP:
		code_jump(emit->code, emit->first_label + insn->label);
		break;
	case IR_BRANCH:
		emit_branch(emit, insn);
		break;
	case IR_END:
		code_emit(emit->code, insn_mov_imm(BPF_REG_0, (int32_t)insn->imm));
		code_emit(emit->code, insn_exit());
		break;
	case IR_PARAM: /* all at the start, by emit_params */
	case N_IR_OPS:
		break;
	}
}

int
ir_emit(const struct object *object, struct ir *ir, struct code *code)
{
	struct emit emit = { .ir = ir, .code = code, .first_label = code->n_labels };
	uint32_t first = 0;
	int err;

	for (uint32_t i = 0; i < ir->n_labels; i++)
		code_label(code);
	while (first < ir->n && ir->insns[first].op == IR_PARAM) /* which come from nowhere in the script */
		first++;
	code->span = first < ir->n ? ir->insns[first].span : code->span;
	for (uint32_t i = emit_params(&emit); i < ir->n; i++)
		emit_insn(&emit, object, &ir->insns[i]);
	err = code->n > INSNS_MAX ? -ERANGE : code_finish_long(code);
	return err ? err : (int)(ir->n_spill_stack + ir->frame_max);
}
