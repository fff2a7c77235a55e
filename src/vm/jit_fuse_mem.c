/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What several instructions of eBPF are together, of those that touch memory: an address that is put together for one access, and
 * machines' instructions that take a number right from memory, or change it there.
 */
#include "vm/jit_fuse.h"

/* ---- addresses ---------------------------------------------------------------------------------------------- */

/* Index of an address: a register, perhaps shifted in place or as a copy, which must be dead then. */
struct index {
	uint8_t reg, temp;
	uint8_t scale;
};

static bool
take_index(struct cursor *c, struct index *index)
{
	struct cursor start = *c;
	const struct bpf_insn *copy = take_copy(c), *shift = peek(c);

	if (!is_alu64(shift, BPF_LSH, BPF_K) || shift->imm < 1 || shift->imm > 3 ||
	    (copy && (copy->dst_reg != shift->dst_reg || !is_64(copy)))) {
		*c = start;
		return false;
	}
	*index = (struct index){ copy ? copy->src_reg : shift->dst_reg, shift->dst_reg, (uint8_t)shift->imm };
	c->pc++;
	return true;
}

/* A constant that goes to a register, for op's base: to one that holds it all the time, or to its own. */
static bool
take_wide(struct cursor *c, struct jit_op *op)
{
	const struct bpf_insn *insn = peek(c);
	uint8_t pin;

	if (!insn || !insn_is_wide(insn))
		return false;
	pin = c->f->insns[c->pc].pin;
	op->has_wide = !pin;
	op->wide = c->pc;
	op->a = pin ? pin : insn->dst_reg;
	c->pc += 2;
	return true;
}

/* The base of an address goes to its register: a constant, or a copy. UINT8_MAX: it is there already. */
static uint8_t
take_base(struct cursor *c, struct jit_op *op)
{
	const struct bpf_insn *insn = peek(c);

	if (take_wide(c, op))
		return insn->dst_reg;
	if (insn && is_64(insn) && (insn = take_copy(c))) {
		op->a = insn->src_reg;
		return insn->dst_reg;
	}
	return UINT8_MAX;
}

/* Memory access through register `base`: a load, or a store of something else. */
static bool
is_access(const struct bpf_insn *insn, uint8_t base)
{
	if (!insn)
		return false;
	switch ((enum insn_shape)insn_info(insn)->shape) {
	case SHAPE_LOAD:
		return insn->src_reg == base;
	case SHAPE_STORE:
		return insn->dst_reg == base && (BPF_CLASS(insn->code) == BPF_ST || insn->src_reg != base);
	case SHAPE_ALU:
	case SHAPE_UNARY:
	case SHAPE_LD64:
	case SHAPE_ATOMIC:
	case SHAPE_JUMP:
	case SHAPE_COND:
	case SHAPE_CALL:
	case SHAPE_EXIT:
	case SHAPE_PACKET:
		break;
	}
	return false;
}

/* Is what the register would have held dead after the access at pc? */
static bool
is_spare(const struct jit_func *f, uint32_t pc, uint8_t reg)
{
	const struct bpf_insn *insn = &f->func->insns[pc];

	if (insn_info(insn)->shape == SHAPE_LOAD ? insn->dst_reg == reg : BPF_CLASS(insn->code) == BPF_STX && insn->src_reg == reg)
		return insn_info(insn)->shape == SHAPE_LOAD;
	return is_dead(f, pc, reg);
}

/* Is the register that the constant of op would be put into in use for something else by the access at pc? */
static bool
wide_collides(const struct cursor *c, const struct jit_op *op)
{
	const struct bpf_insn *insn = peek(c);

	return op->has_wide && (op->b == op->a || (insn_info(insn)->shape == SHAPE_STORE && insn->src_reg == op->a));
}

/*
 *      t <<= 3                         (perhaps of a copy; perhaps not at all)
 *      p = table value, or a copy      (perhaps not at all)
 *      p += t
 *      x = *(u64 *)(p + off)           x = *(u64 *)(base + index * 8 + off), or a store
 */
static bool
take_indexed(struct cursor *c, struct jit_op *op)
{
	struct index index = { 0 };
	bool shifts = take_index(c, &index);
	uint8_t to = take_base(c, op);
	const struct bpf_insn *add = peek(c);

	if (!is_alu64(add, BPF_ADD, BPF_X) || add->dst_reg == add->src_reg || (to != UINT8_MAX && add->dst_reg != to) ||
	    (to != UINT8_MAX && shifts && op->a == index.temp))
		return false;
	if (to == UINT8_MAX && shifts && add->dst_reg == index.temp) {
		op->a = add->src_reg; /* the base is added to the index */
	} else if (shifts && add->src_reg != index.temp) {
		return false;
	} else {
		if (to == UINT8_MAX)
			op->a = add->dst_reg;
		if (!shifts)
			index = (struct index){ add->src_reg, add->dst_reg, 0 };
	}
	c->pc++;
	op->has_index = true;
	op->b = index.reg;
	op->scale = index.scale;
	if (!is_access(peek(c), add->dst_reg) || !is_spare(c->f, c->pc, add->dst_reg) || !is_spare(c->f, c->pc, index.temp) ||
	    wide_collides(c, op))
		return false;
	op->at = c->pc++;
	return true;
}

/* ---- numbers in memory ---------------------------------------------------------------------------------------- */

static bool
is_plain_load(const struct bpf_insn *insn)
{
	return insn && BPF_CLASS(insn->code) == BPF_LDX && BPF_MODE(insn->code) == BPF_MEM;
}

/* Arithmetic of which machines have a form with a number in memory. */
static bool
is_common_alu(const struct bpf_insn *insn, bool multiplies)
{
	uint8_t class = insn ? BPF_CLASS(insn->code) : BPF_LD;

	if ((class != BPF_ALU && class != BPF_ALU64) || insn->off)
		return false;
	switch (BPF_OP(insn->code)) {
	case BPF_ADD:
	case BPF_SUB:
	case BPF_AND:
	case BPF_OR:
	case BPF_XOR:
		return true;
	case BPF_MUL:
		return multiplies;
	default:
		return false;
	}
}

/* Is what the load gives what an operation on 64 or 32 bits finds in memory? */
static bool
has_width(const struct bpf_insn *load, bool is_64)
{
	return BPF_SIZE(load->code) == BPF_DW || (BPF_SIZE(load->code) == BPF_W && !is_64);
}

/* t = load; d += t; t is dead: d += what is in memory. */
static uint32_t
match_load_alu(struct cursor c, struct jit_op *op)
{
	const struct bpf_insn *load = &c.f->func->insns[op->at], *alu = peek(&c);

	if (!is_common_alu(alu, true) || BPF_SRC(alu->code) != BPF_X || alu->src_reg != load->dst_reg || alu->dst_reg == load->dst_reg ||
	    !has_width(load, is_64(alu)) || !is_dead(c.f, c.pc, load->dst_reg))
		return 0;
	op->with = c.pc++;
	return matched(&c, op, JIT_LOAD_ALU);
}

/* Does the comparison with a constant say of what is in memory what it says of what was loaded? */
static bool
compares_imm(const struct bpf_insn *load, const struct bpf_insn *cond)
{
	switch (BPF_SIZE(load->code)) {
	case BPF_DW:
		return true;
	case BPF_W:
		return BPF_CLASS(cond->code) == BPF_JMP32 || (cond->imm >= 0 && !is_signed(cond));
	case BPF_B:
		return cond->imm >= 0 && cond->imm <= 0xff && !is_signed(cond);
	default:
		return false; /* processors are slow at constants of 16 bits */
	}
}

/* t = load; if t < 10 goto; t is dead: what is in memory is compared. */
static uint32_t
match_load_jump(struct cursor c, struct jit_op *op)
{
	const struct bpf_insn *load = &c.f->func->insns[op->at], *cond = peek(&c);
	uint8_t t = load->dst_reg;

	if (!cond || insn_info(cond)->shape != SHAPE_COND || c.f->insns[c.pc].ahead || goes_one_way(&c) || !cond->off ||
	    !is_dead(c.f, c.pc, t))
		return 0;
	if (BPF_SRC(cond->code) == BPF_K ? cond->dst_reg != t || !compares_imm(load, cond) :
	    (cond->dst_reg == t) == (cond->src_reg == t) || !has_width(load, BPF_CLASS(cond->code) == BPF_JMP))
		return 0;
	op->with = op->jump = c.pc++;
	return matched(&c, op, JIT_LOAD_JUMP);
}

/* t = load; t += 1; store t where it came from, through register `base`; t is dead: memory += 1. */
static uint32_t
match_update(struct cursor c, struct jit_op *op, uint8_t base)
{
	const struct bpf_insn *load = peek(&c), *alu, *store;
	uint8_t t = load->dst_reg;

	op->at = c.pc++;
	alu = peek(&c);
	if (t == base || !is_common_alu(alu, false) || alu->dst_reg != t || (BPF_SRC(alu->code) == BPF_X && alu->src_reg == t) ||
	    (BPF_SIZE(load->code) == BPF_DW && !is_64(alu)) ||
	    (BPF_SIZE(load->code) == BPF_H && BPF_SRC(alu->code) == BPF_K && alu->imm != (int8_t)alu->imm))
		return 0;
	op->with = c.pc++;
	store = peek(&c);
	if (!store || BPF_CLASS(store->code) != BPF_STX || BPF_MODE(store->code) != BPF_MEM || BPF_SIZE(store->code) != BPF_SIZE(load->code) ||
	    store->dst_reg != base || store->off != load->off || store->src_reg != t || !is_dead(c.f, c.pc, t) ||
	    (op->a != base && !is_dead(c.f, c.pc, base)) || (op->has_wide && !is_dead(c.f, c.pc, base)) ||
	    (op->has_wide && BPF_SRC(alu->code) == BPF_X && alu->src_reg == base))
		return 0;
	c.pc++;
	return matched(&c, op, JIT_UPDATE);
}

/* What the load at op->at, behind which c stands, is with what follows it. */
static uint32_t
match_loaded(struct cursor c, struct jit_op *op)
{
	uint32_t n;

	if (!c.f->memory_operands || !is_plain_load(&c.f->func->insns[op->at]))
		return 0;
	n = match_load_alu(c, op);
	return n ? n : match_load_jump(c, op);
}

/* An access of a variable, by its address. */
static uint32_t
match_variable(struct cursor c, struct jit_op *op)
{
	uint8_t base = c.f->func->insns[c.pc].dst_reg;
	uint32_t n = 0;

	if (!take_wide(&c, op) || !is_access(peek(&c), base))
		return 0;
	if (c.f->memory_operands && is_plain_load(peek(&c)))
		n = match_update(c, op, base);
	if (n || !is_spare(c.f, c.pc, base))
		return n;
	op->at = c.pc++;
	n = match_loaded(c, op);
	return n ? n : matched(&c, op, JIT_ACCESS);
}

uint32_t
match_access(struct cursor c, struct jit_op *op)
{
	const struct bpf_insn *insn = peek(&c);
	struct cursor at = c;
	uint32_t n;

	if (take_indexed(&at, op)) {
		n = match_loaded(at, op);
		return n ? n : matched(&at, op, JIT_ACCESS);
	}
	*op = (struct jit_op){ 0 };
	if (insn_is_wide(insn))
		return match_variable(c, op);
	if (!c.f->memory_operands || !is_plain_load(insn))
		return 0;
	op->a = insn->src_reg;
	n = match_update(c, op, insn->src_reg);
	if (n)
		return n;
	op->at = c.pc++;
	return match_loaded(c, op);
}
