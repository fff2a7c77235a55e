/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Peephole fusion: what several instructions of eBPF are together. Its two-operand instructions make compilers write in three or five
 * steps what a machine does in one: a rotation, a sum that goes to a third register, an indexed load, a comparison as a number. Whether
 * a step's own result may be left out depends on whether the register is dead afterwards, so liveness comes first.
 *
 * Relies on the function being verified: nothing is read that was not set, and no load whose result is dead could have faulted. Looks
 * at neighbours only, and never across a jump target. Knows nothing of machines: both backends ask here.
 */
#include "vm/jit_fuse.h"

/* ---- liveness ------------------------------------------------------------------------------------------ */

/* Rounds over a function before all counts as live. Each settles one more level of loops. */
#define LIVE_ROUNDS_MAX 16

#define ALL_REGS 0x7ffu

static uint16_t
helper_reads(const struct bpf_insn *insn)
{
	const struct helper *helper = helper_find(insn->imm); /* NULL: where no path leads */
	uint16_t reads = 0;

	for (unsigned i = 0; helper && i < ARRAY_SIZE(helper->args); i++)
		if (helper->args[i] != HARG_NONE)
			reads |= (uint16_t)(2u << i);
	return reads;
}

uint16_t
jit_reads(const struct bpf_insn *insn, const struct insn_info *info)
{
	uint16_t dst = (uint16_t)(1u << insn->dst_reg), src = (uint16_t)(1u << insn->src_reg);

	switch ((enum insn_shape)info->shape) {
	case SHAPE_ALU:
		return (BPF_OP(insn->code) == BPF_MOV ? 0 : dst) | (BPF_SRC(insn->code) == BPF_X ? src : 0);
	case SHAPE_UNARY:
		return dst;
	case SHAPE_LOAD:
		return src;
	case SHAPE_STORE:
		return dst | (BPF_CLASS(insn->code) == BPF_STX ? src : 0);
	case SHAPE_ATOMIC:
		return dst | src | (insn->imm == BPF_CMPXCHG ? 1 : 0);
	case SHAPE_COND:
		return dst | (BPF_SRC(insn->code) == BPF_X ? src : 0);
	case SHAPE_CALL:
		return info->id == INSN_CALL ? helper_reads(insn) : info->id == INSN_CALLX ? 0x3e | dst : 0x3e;
	case SHAPE_EXIT:
		return 1;
	case SHAPE_LD64:
	case SHAPE_JUMP:
		return 0;
	case SHAPE_PACKET:
		break;
	}
	return ALL_REGS;
}

static uint16_t
cond_live_after(const struct jit_func *f, uint32_t pc)
{
	uint16_t live = f->insns[pc + 1].live, ahead = f->insns[pc].ahead;
	const struct bpf_insn *move = &f->func->insns[jit_target(f, pc)];

	if (f->insns[pc].never)
		return live;
	if (f->insns[pc].always)
		return f->insns[jit_target(f, pc)].live;
	if (!ahead)
		return live | f->insns[jit_target(f, pc)].live;
	for (; ahead; ahead--, move++)
		live |= jit_reads(move, insn_info(move));
	return live | f->insns[f->insns[pc].to].live;
}

uint16_t
jit_live_after(const struct jit_func *f, uint32_t pc)
{
	const struct bpf_insn *insn = &f->func->insns[pc];

	switch ((enum insn_shape)insn_info(insn)->shape) {
	case SHAPE_EXIT:
		return 0;
	case SHAPE_JUMP:
		return f->insns[jit_target(f, pc)].live;
	case SHAPE_COND:
		return cond_live_after(f, pc);
	case SHAPE_ALU:
	case SHAPE_UNARY:
	case SHAPE_LD64:
	case SHAPE_LOAD:
	case SHAPE_STORE:
	case SHAPE_ATOMIC:
	case SHAPE_CALL:
	case SHAPE_PACKET:
		break;
	}
	return f->insns[pc + 1 + insn_is_wide(insn)].live;
}

/* Has it no effect but on a register? */
static bool
only_sets(const struct insn_info *info)
{
	return info->shape == SHAPE_ALU || info->shape == SHAPE_UNARY || info->shape == SHAPE_LOAD || info->shape == SHAPE_LD64;
}

/* One round, from the end to the beginning. True: something was added. */
static bool
live_round(struct jit_func *f)
{
	bool changed = false;

	for (uint32_t pc = f->func->n_insns; pc-- > 0;) {
		const struct bpf_insn *insn = &f->func->insns[pc];
		const struct insn_info *info;
		uint16_t live;

		if (pc && insn_is_wide(insn - 1) && !insn->code) /* the second word */
			continue;
		info = insn_info(insn);
		live = jit_live_after(f, pc);
		/* What only computes a dead result reads nothing either. */
		if (!only_sets(info) || live >> insn->dst_reg & 1)
			live = (uint16_t)((live & ~jit_writes(insn, info)) | f->insns[pc].reads);
		changed |= live != f->insns[pc].live;
		f->insns[pc].live = live;
	}
	return changed;
}

void
jit_find_live(struct jit_func *f)
{
	for (int round = 0; round < LIVE_ROUNDS_MAX; round++)
		if (!live_round(f))
			return;
	/* Loops too deep: all is taken to be live. */
	for (uint32_t pc = 0; pc <= f->func->n_insns; pc++)
		f->insns[pc].live = ALL_REGS;
}

/* ---- patterns --------------------------------------------------------------------------------------------- */

/* A jump over one instruction that becomes something else than a jump: not one that takes moves along, on whose going others rely. */
static const struct bpf_insn *
take_jump_over_one(struct cursor *c)
{
	const struct bpf_insn *cond = peek(c);

	if (!cond || insn_info(cond)->shape != SHAPE_COND || cond->off != 1 || c->f->insns[c->pc].ahead || goes_one_way(c))
		return NULL;
	c->pc++;
	return cond;
}

/* Is the shift by a constant that need not be masked? The RFC permits others. */
static bool
is_below_width(const struct bpf_insn *shift)
{
	return shift->imm >= 0 && shift->imm < (is_64(shift) ? 64 : 32);
}

/* Half of a rotation: a register shifted by a constant, in place or of a copy. */
struct half {
	uint8_t reg, of; /* reg = of << or >> count */
	bool left, is_64;
	uint32_t count;
};

static bool
take_half(struct cursor *c, struct half *half)
{
	const struct bpf_insn *copy = take_copy(c), *shift = peek(c);

	if ((!is_alu(shift, BPF_LSH, BPF_K) && !is_alu(shift, BPF_RSH, BPF_K)) || !is_below_width(shift))
		return false;
	if (copy && (copy->dst_reg != shift->dst_reg || (is_64(shift) && !is_64(copy))))
		return false;
	*half = (struct half){
		.reg = shift->dst_reg, .of = copy ? copy->src_reg : shift->dst_reg, .left = BPF_OP(shift->code) == BPF_LSH,
		.is_64 = is_64(shift), .count = (uint32_t)shift->imm,
	};
	c->pc++;
	return true;
}

/*
 *      t = x                           t = x
 *      t >>= 64 - n                    t >>= 64 - n
 *      d = x             or            x <<= n
 *      d <<= n                         x |= t
 *      d |= t
 *
 * and the same with left and right exchanged, or on 32 bits. t must be dead afterwards.
 */
static uint32_t
match_rotate(struct cursor c, struct jit_op *op)
{
	const struct bpf_insn *join;
	struct half first, second;

	if (!take_half(&c, &first) || first.reg == first.of || !take_half(&c, &second) || second.of != first.of ||
	    second.reg == first.reg || first.left == second.left || first.is_64 != second.is_64 ||
	    first.count + second.count != (first.is_64 ? 64 : 32) || !first.count || !second.count)
		return 0;
	join = peek(&c);
	if ((!is_alu(join, BPF_OR, BPF_X) && !is_alu(join, BPF_ADD, BPF_X) && !is_alu(join, BPF_XOR, BPF_X)) ||
	    is_64(join) < first.is_64 || join->dst_reg != second.reg || join->src_reg != first.reg || !is_dead(c.f, c.pc, first.reg))
		return 0;
	c.pc++;
	op->is_64 = first.is_64;
	op->dst = second.reg;
	op->a = first.of;
	op->imm = (int32_t)(first.left ? first.count : second.count);
	return matched(&c, op, JIT_ROTATE);
}

/* dst <<= n, dst >>= n, perhaps of a copy: the low 32, 16 or 8 bits. */
static uint32_t
match_extend(struct cursor c, struct jit_op *op)
{
	const struct bpf_insn *copy = take_copy(&c), *left = peek(&c), *right;

	if (!is_alu64(left, BPF_LSH, BPF_K) || (copy && copy->dst_reg != left->dst_reg) ||
	    (left->imm != 32 && left->imm != 48 && left->imm != 56))
		return 0;
	c.pc++;
	right = peek(&c);
	if ((!is_alu64(right, BPF_RSH, BPF_K) && !is_alu64(right, BPF_ARSH, BPF_K)) || right->dst_reg != left->dst_reg ||
	    right->imm != left->imm)
		return 0;
	c.pc++;
	op->dst = left->dst_reg;
	op->a = copy ? copy->src_reg : left->dst_reg;
	op->imm = 64 - left->imm;
	return matched(&c, op, BPF_OP(right->code) == BPF_RSH ? JIT_ZERO_EXTEND : JIT_SIGN_EXTEND);
}

/* A copy, then arithmetic on it: dst = a op b, or with a constant. */
static uint32_t
match_three(struct cursor c, struct jit_op *op)
{
	const struct bpf_insn *copy = take_copy(&c), *insn = peek(&c);

	if (!copy || !insn || (BPF_CLASS(insn->code) != BPF_ALU64 && BPF_CLASS(insn->code) != BPF_ALU) || insn->off ||
	    BPF_OP(insn->code) == BPF_MOV || BPF_OP(insn->code) == BPF_NEG || BPF_OP(insn->code) == BPF_END ||
	    insn->dst_reg != copy->dst_reg || is_64(copy) < is_64(insn))
		return 0;
	c.pc++;
	op->is_64 = is_64(insn);
	op->dst = copy->dst_reg;
	op->a = copy->src_reg;
	op->alu = BPF_OP(insn->code);
	op->has_imm = BPF_SRC(insn->code) == BPF_K;
	op->b = insn->src_reg == insn->dst_reg && !op->has_imm ? op->a : insn->src_reg;
	op->imm = insn->imm;
	return matched(&c, op, JIT_THREE);
}

/* d *= n or d <<= n, then d += b. */
static uint32_t
match_multiply_add(struct cursor c, struct jit_op *op)
{
	const struct bpf_insn *insn = peek(&c), *add;

	if (is_alu(insn, BPF_MUL, BPF_K) && insn->imm)
		op->imm = insn->imm;
	else if (is_alu(insn, BPF_LSH, BPF_K) && is_below_width(insn) && insn->imm < 31)
		op->imm = 1 << insn->imm;
	else
		return 0;
	c.pc++;
	add = peek(&c);
	if (!is_alu(add, BPF_ADD, BPF_X) || add->dst_reg != insn->dst_reg || add->src_reg == insn->dst_reg || is_64(add) != is_64(insn))
		return 0;
	c.pc++;
	op->is_64 = is_64(insn);
	op->dst = insn->dst_reg;
	op->b = add->src_reg;
	return matched(&c, op, JIT_MULTIPLY_ADD);
}

/*
 *      d = 1
 *      if a < b goto +1        d = a < b
 *      d = 0
 */
static uint32_t
match_bool(struct cursor c, struct jit_op *op)
{
	const struct bpf_insn *before = peek(&c), *cond, *after;

	if (!is_alu(before, BPF_MOV, BPF_K))
		return 0;
	c.pc++;
	cond = take_jump_over_one(&c);
	if (!cond || jit_reads(cond, insn_info(cond)) >> before->dst_reg & 1)
		return 0;
	after = peek(&c);
	if (!is_alu(after, BPF_MOV, BPF_K) || after->dst_reg != before->dst_reg || (before->imm | after->imm) != 1 ||
	    (before->imm & after->imm) != 0)
		return 0;
	op->dst = before->dst_reg;
	op->at = c.pc - 1;
	op->imm = before->imm;
	c.pc++;
	return matched(&c, op, JIT_BOOL);
}

/*
 * A jump over one move between registers. Not so a constant: a machine that guesses the jump need not wait for what was in the register
 * before.
 */
static uint32_t
match_select(struct cursor c, struct jit_op *op)
{
	const struct bpf_insn *cond = take_jump_over_one(&c), *move = peek(&c);

	if (!cond)
		return 0;
	op->at = c.start;
	if (!is_alu64(move, BPF_MOV, BPF_X))
		return 0;
	c.pc++;
	op->dst = move->dst_reg;
	op->a = move->src_reg;
	return matched(&c, op, JIT_SELECT);
}

/* The low 8 bits of a register that is dead afterwards, compared. */
static uint32_t
match_jump_byte(struct cursor c, struct jit_op *op)
{
	const struct bpf_insn *mask = peek(&c), *cond;

	if (!is_alu(mask, BPF_AND, BPF_K) || mask->imm != 0xff)
		return 0;
	c.pc++;
	cond = peek(&c);
	if (!cond || insn_info(cond)->shape != SHAPE_COND || goes_one_way(&c) || BPF_SRC(cond->code) != BPF_K || cond->dst_reg != mask->dst_reg ||
	    cond->imm < 0 || cond->imm > 0xff || is_signed(cond) || !is_dead(c.f, c.pc, mask->dst_reg))
		return 0;
	op->at = op->jump = c.pc++;
	return matched(&c, op, JIT_JUMP_BYTE);
}

/* A jump over a jump: the other way round. */
static uint32_t
match_jump_over(struct cursor c, struct jit_op *op)
{
	const struct bpf_insn *cond = take_jump_over_one(&c), *jump = peek(&c);

	if (!cond || !jump || insn_info(jump)->shape != SHAPE_JUMP)
		return 0;
	op->at = c.start;
	op->jump = c.pc;
	c.pc++;
	return matched(&c, op, JIT_JUMP_UNLESS);
}

/* A dead result. */
static uint32_t
match_nothing(struct cursor c, struct jit_op *op)
{
	const struct bpf_insn *insn = peek(&c);

	if (!only_sets(insn_info(insn)) || !is_dead(c.f, c.pc, insn->dst_reg))
		return 0;
	c.pc += 1 + insn_is_wide(insn);
	return matched(&c, op, JIT_NOTHING);
}

uint32_t
jit_fuse(const struct jit_func *f, uint32_t pc, struct jit_op *op)
{
	/* The longest first. */
	static uint32_t (*const patterns[])(struct cursor c, struct jit_op *op) = {
		match_nothing, match_rotate, match_access, match_extend, match_bool, match_select, match_jump_over,
		match_jump_byte, match_three, match_multiply_add,
	};
	struct cursor c = { .f = f, .start = pc, .pc = pc };

	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		*op = (struct jit_op){ 0 };
		if (patterns[i](c, op))
			return op->n;
	}
	return 0;
}
