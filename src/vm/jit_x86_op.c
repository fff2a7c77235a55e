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

/* Bytes about an instruction that do not matter to whether it reaches something. */
#define REACH_SLACK 64

/* code reg, [what the access touches]; `behind`: bytes of a constant that the caller appends. */
static void
put_accessed(struct gen *g, const struct jit_op *op, uint32_t code, unsigned reg, uint32_t behind)
{
	int32_t off = g->f->func->insns[op->at].off, rel;
	unsigned base = x86_reg_of[op->a];
	uint64_t address;

	if (op->has_wide) {
		address = jit_wide(g->jit, g->f, op->wide);
		if (!op->has_index && reach(g, address + (uint64_t)(int64_t)off, REACH_SLACK, &rel) &&
		    reach(g, address + (uint64_t)(int64_t)off, 0u - REACH_SLACK, &rel)) {
			put_op(g->b, code, reg, 0, 0, false);
			put8(g->b, (reg & 7) << 3 | 5);
			reach(g, address + (uint64_t)(int64_t)off, 4 + behind, &rel);
			put32(g->b, (uint32_t)rel);
			return;
		}
		x86_address(g, base, address);
	}
	if (op->has_index)
		put_rxd(g->b, code, reg, base, x86_reg_of[op->b], op->scale, off);
	else
		put_rm(g->b, code, reg, base, off);
}

static void
emit_access(struct gen *g, const struct jit_op *op)
{
	const struct bpf_insn *insn = &g->f->func->insns[op->at];

	if (BPF_CLASS(insn->code) == BPF_LDX) {
		put_accessed(g, op, x86_load_op(insn), x86_reg_of[insn->dst_reg], 0);
	} else {
		put_accessed(g, op, x86_store_op(insn), x86_stored_reg(insn), x86_stored_bytes(insn));
		x86_put_stored(g->b, insn);
	}
}

/* The number of a common operation among the groups of opcodes. */
static enum x86_group
group_of(const struct bpf_insn *alu)
{
	static const uint8_t groups[16] = {
		[BPF_ADD >> 4] = G1_ADD, [BPF_SUB >> 4] = G1_SUB, [BPF_AND >> 4] = G1_AND, [BPF_OR >> 4] = G1_OR, [BPF_XOR >> 4] = G1_XOR,
	};

	return groups[BPF_OP(alu->code) >> 4];
}

static void
emit_load_alu(struct gen *g, const struct jit_op *op)
{
	const struct bpf_insn *alu = &g->f->func->insns[op->with];
	uint32_t code = BPF_OP(alu->code) == BPF_MUL ? OP_IMUL : (uint32_t)group_of(alu) << 3 | 3;

	put_accessed(g, op, width_of(alu) | code, x86_reg_of[alu->dst_reg], 0);
}

/* code [what the access touches], imm; the number of the opcode's group in `group`. */
static void
put_accessed_imm(struct gen *g, const struct jit_op *op, uint32_t w, enum x86_group group, int32_t imm)
{
	bool is_short = fits8(imm);

	put_accessed(g, op, w | (is_short ? 0x83 : 0x81), group, is_short ? 1 : 4);
	if (is_short)
		put8(g->b, (uint8_t)imm);
	else
		put32(g->b, (uint32_t)imm);
}

/* Sets the flags for a comparison of what the load gives. */
static void
put_compare_accessed(struct gen *g, const struct jit_op *op, const struct bpf_insn *load, const struct bpf_insn *cond)
{
	bool is_test = BPF_OP(cond->code) == BPF_JSET;
	uint32_t w = BPF_SIZE(load->code) == BPF_DW ? width_of(cond) : 0;

	if (!has_imm(cond) && cond->dst_reg == load->dst_reg) {
		put_accessed(g, op, w | (is_test ? OP_TEST : OP_CMP_MEM), x86_reg_of[cond->src_reg], 0);
	} else if (!has_imm(cond)) {
		put_accessed(g, op, w | (is_test ? OP_TEST : OP_CMP), x86_reg_of[cond->dst_reg], 0);
	} else if (BPF_SIZE(load->code) == BPF_B) {
		put_accessed(g, op, is_test ? 0xf6 : 0x80, is_test ? G3_TEST : G1_CMP, 1);
		put8(g->b, (uint8_t)cond->imm);
	} else if (is_test) {
		put_accessed(g, op, w | 0xf7, G3_TEST, 4);
		put32(g->b, (uint32_t)cond->imm);
	} else {
		put_accessed_imm(g, op, w, G1_CMP, cond->imm);
	}
}

static void
emit_load_jump(struct gen *g, const struct jit_op *op)
{
	const struct bpf_insn *load = &g->f->func->insns[op->at], *cond = &g->f->func->insns[op->with];

	put_compare_accessed(g, op, load, cond);
	x86_jump(g, op->with, g->f->insns[op->with].to, x86_condition(cond), 0);
}

static void
emit_update(struct gen *g, const struct jit_op *op)
{
	const struct bpf_insn *load = &g->f->func->insns[op->at], *alu = &g->f->func->insns[op->with];
	uint8_t size = BPF_SIZE(load->code);
	uint32_t w = size == BPF_DW ? OP_W : size == BPF_H ? OP_16 : 0;

	if (!has_imm(alu)) {
		put_accessed(g, op, (uint32_t)group_of(alu) << 3 | (size == BPF_B ? OP_BREG : w | 1), x86_reg_of[alu->src_reg], 0);
	} else if (size == BPF_B) {
		put_accessed(g, op, 0x80, group_of(alu), 1);
		put8(g->b, (uint8_t)alu->imm);
	} else {
		put_accessed_imm(g, op, w, group_of(alu), alu->imm);
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
	case JIT_ACCESS:
		emit_access(g, op);
		break;
	case JIT_LOAD_ALU:
		emit_load_alu(g, op);
		break;
	case JIT_LOAD_JUMP:
		emit_load_jump(g, op);
		break;
	case JIT_UPDATE:
		emit_update(g, op);
		break;
	}
}

#endif
