/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Machine code for x86-64 of what jit_fuse.c finds: several instructions of eBPF as one or two of the machine.
 */
#include "vm/jit_x86.h"

#if defined(__x86_64__)

/* ---- several instructions that are one ------------------------------------------------------------------------------- */

/* dst = a alu b where the machine has three operands; else a copy and the instruction behind it, as they stand. */
static void
emit_three(struct gen *g, uint32_t pc, const struct jit_op *op)
{
	unsigned dst = x86_reg_of[op->dst], a = x86_reg_of[op->a], b = x86_reg_of[op->b];
	uint32_t w = op->is_64 ? OP_W : 0;

	if (op->alu == BPF_ADD && !op->has_imm) {
		put_rx(g->b, w | 0x8d, dst, a, b, 0);
	} else if (op->alu == BPF_ADD) {
		put_rm(g->b, w | 0x8d, dst, a, op->imm);
	} else if (op->alu == BPF_SUB && op->has_imm && op->imm != INT32_MIN) {
		put_rm(g->b, w | 0x8d, dst, a, -op->imm);
	} else if (op->alu == BPF_LSH && op->has_imm && op->imm == 1) {
		put_rx(g->b, w | 0x8d, dst, a, a, 0);
	} else if (op->alu == BPF_MUL && op->has_imm) {
		x86_multiply_imm(g->b, w, dst, a, op->imm);
	} else if (op->alu == BPF_AND && op->has_imm && (op->imm == 0xff || op->imm == 0xffff)) {
		put_rr(g->b, OP_0F | (op->imm == 0xff ? OP_BRM | 0xb6 : 0xb7), dst, a);
	} else if (g->has_bmi2 && !op->has_imm && (op->alu == BPF_LSH || op->alu == BPF_RSH || op->alu == BPF_ARSH)) {
		put_shiftx(g->b, w, op->alu == BPF_LSH ? SHIFTX_SHL : op->alu == BPF_RSH ? SHIFTX_SHR : SHIFTX_SAR, dst, a, b);
	} else {
		put_mov(g->b, OP_W, dst, a);
		x86_alu(g, &g->f->func->insns[pc + 1]);
	}
}

/* dst = dst * imm + b: by one or two lea, if it can be. */
static void
emit_multiply_add(struct gen *g, uint32_t pc, const struct jit_op *op)
{
	unsigned dst = x86_reg_of[op->dst], b = x86_reg_of[op->b], shift = (unsigned)__builtin_ctz((unsigned)op->imm);
	int32_t factor = op->imm >> shift;
	uint32_t w = op->is_64 ? OP_W : 0;

	if (op->imm > 1 && shift <= 3 && (factor == 1 || x86_is_lea_factor(factor))) {
		if (factor != 1)
			x86_lea_factor(g->b, w, dst, dst, factor);
		put_rx(g->b, w | 0x8d, dst, b, dst, shift);
	} else {
		x86_alu(g, &g->f->func->insns[pc]);
		x86_alu(g, &g->f->func->insns[pc + 1]);
	}
}

static void
emit_rotate(struct gen *g, const struct jit_op *op)
{
	unsigned dst = x86_reg_of[op->dst], a = x86_reg_of[op->a];
	uint32_t w = op->is_64 ? OP_W : 0;

	if (dst == a) {
		put_shift(g->b, w, G2_ROL, dst, (unsigned)op->imm);
	} else if (g->has_bmi2) {
		put_rorx(g->b, w, dst, a, (op->is_64 ? 64 : 32) - (unsigned)op->imm);
	} else {
		put_mov(g->b, w, dst, a);
		put_shift(g->b, w, G2_ROL, dst, (unsigned)op->imm);
	}
}

static void
emit_extend(struct gen *g, const struct jit_op *op)
{
	unsigned dst = x86_reg_of[op->dst], a = x86_reg_of[op->a];
	bool is_signed = op->kind == JIT_SIGN_EXTEND;

	if (op->imm == 8)
		put_rr(g->b, (is_signed ? OP_W | OP_0F | 0xbe : OP_0F | 0xb6) | OP_BRM, dst, a);
	else if (op->imm == 16)
		put_rr(g->b, is_signed ? OP_W | OP_0F | 0xbf : OP_0F | 0xb7, dst, a);
	else if (is_signed)
		put_rr(g->b, OP_W | 0x63, dst, a);
	else
		put_mov(g->b, 0, dst, a);
}

/* dst = a under the opposite of a condition. */
static void
emit_select(struct gen *g, const struct jit_op *op)
{
	const struct bpf_insn *cond = &g->f->func->insns[op->at];

	x86_compare(g, cond, width_of(cond));
	put_rr(g->b, OP_W | OP_0F | 0x40 | (x86_condition(cond) ^ 1), x86_reg_of[op->dst], x86_reg_of[op->a]);
}

static void
emit_bool(struct gen *g, const struct jit_op *op)
{
	const struct bpf_insn *cond = &g->f->func->insns[op->at];
	unsigned dst = x86_reg_of[op->dst];

	put_const(g->b, dst, 0);
	x86_compare(g, cond, width_of(cond));
	put_rr(g->b, OP_0F | OP_BRM | 0x90 | (x86_condition(cond) ^ (op->imm ? 0 : 1)), 0, dst);
}

static void
emit_jump_byte(struct gen *g, const struct jit_op *op)
{
	const struct bpf_insn *cond = &g->f->func->insns[op->at];
	unsigned dst = x86_reg_of[cond->dst_reg];

	if (g->f->insns[op->at].to == op->at + 1)
		return;
	jit_emit_ahead(g, op->at);
	if (BPF_OP(cond->code) == BPF_JSET)
		put_rr(g->b, OP_BRM | 0xf6, G3_TEST, dst);
	else
		put_rr(g->b, OP_BRM | 0x80, G1_CMP, dst);
	put8(g->b, (uint8_t)cond->imm);
	x86_jump(g, op->at, g->f->insns[op->at].to, x86_condition(cond), 0);
}

static void
emit_jump_unless(struct gen *g, const struct jit_op *op)
{
	const struct bpf_insn *cond = &g->f->func->insns[op->at];

	x86_compare(g, cond, width_of(cond));
	x86_jump(g, op->at + 1, g->f->insns[op->at + 1].to, x86_condition(cond) ^ 1u, 0);
}

static void
emit_indexed(struct gen *g, const struct jit_op *op)
{
	const struct bpf_insn *insn = &g->f->func->insns[op->at];
	unsigned base = x86_reg_of[op->a], index = x86_reg_of[op->b];

	if (op->has_wide)
		x86_address(g, base, jit_wide(g->jit, g->f, op->wide));
	if (BPF_CLASS(insn->code) == BPF_LDX) {
		put_rxd(g->b, x86_load_op(insn), x86_reg_of[insn->dst_reg], base, index, op->scale, insn->off);
	} else {
		put_rxd(g->b, x86_store_op(insn), x86_stored_reg(insn), base, index, op->scale, insn->off);
		x86_put_stored(g->b, insn);
	}
}

void
x86_op(struct gen *g, uint32_t pc, const struct jit_op *op)
{
	switch (op->kind) {
	case JIT_NOTHING:
		break;
	case JIT_THREE:
		emit_three(g, pc, op);
		break;
	case JIT_MULTIPLY_ADD:
		emit_multiply_add(g, pc, op);
		break;
	case JIT_ROTATE:
		emit_rotate(g, op);
		break;
	case JIT_ZERO_EXTEND:
	case JIT_SIGN_EXTEND:
		emit_extend(g, op);
		break;
	case JIT_SELECT:
		emit_select(g, op);
		break;
	case JIT_BOOL:
		emit_bool(g, op);
		break;
	case JIT_JUMP_BYTE:
		emit_jump_byte(g, op);
		break;
	case JIT_JUMP_UNLESS:
		emit_jump_unless(g, op);
		break;
	case JIT_INDEXED:
		emit_indexed(g, op);
		break;
	}
}

#endif
