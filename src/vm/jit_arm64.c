/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Machine code for AArch64. Every register of eBPF has one of the machine for good:
 *
 *      r0   r1   r2   r3   r4   r5   r6    r7    r8    r9    r10
 *      x0   x1   x2   x3   x4   x5   x19   x20   x21   x22   x25
 *
 * so r0 is where functions in C return, r1 to r5 are where they take their second to sixth argument (the first, x0, is the struct
 * vm_run of a helper), and r6 to r9 are registers that they preserve. x9 to x11 are free within an instruction, x12 holds constants that
 * are not to be seen, x26 the struct vm_run where something needs it. The program's stack is not the machine's: x25 points above
 * the frame of VM_STACK_SIZE bytes, the callee's frame lies above.
 *
 * All instructions have four bytes and three operands, and those on 32 bits clear the upper half: an instruction of eBPF and what
 * jit_fuse.c makes of several are mostly one. Division by zero gives 0 and the smallest number by -1 itself, as RFC 9669 wants it.
 */
#include <stddef.h>

#include "vm/jit_arm64_enc.h"

#if defined(__aarch64__)

#define SCRATCH 9
#define SCRATCH2 10
#define SCRATCH3 11
#define HIDDEN 12
#define STATUS 13
#define RUN 26

static const uint8_t reg_of[JIT_REGS] = { 0, 1, 2, 3, 4, 5, 19, 20, 21, 22, 25, [JIT_BLIND_REG] = HIDDEN, [JIT_RUN_REG] = RUN };

/* Jumps under a condition reach so far; in functions that are longer, a jump that reaches everywhere stands behind a short one. */
#define NEAR_BYTES (1u << 20)

static uint32_t
sf_of(const struct bpf_insn *insn)
{
	uint8_t class = BPF_CLASS(insn->code);

	return class == BPF_ALU64 || class == BPF_JMP ? A64_SF : 0;
}

static bool
has_imm(const struct bpf_insn *insn)
{
	return BPF_SRC(insn->code) == BPF_K;
}

/* An immediate as the register that would hold it. */
static uint64_t
imm_value(uint32_t sf, int32_t imm)
{
	return sf ? (uint64_t)(int64_t)imm : (uint32_t)imm;
}

/* d = address: as long in both passes, whatever it is. */
static void
put_address(struct gen *g, unsigned d, uint64_t address)
{
	put_wide(g->b, A64_SF, A64_MOVZ, d, (uint32_t)address, 0);
	put_wide(g->b, A64_SF, A64_MOVK, d, (uint32_t)(address >> 16), 1);
	put_wide(g->b, A64_SF, A64_MOVK, d, (uint32_t)(address >> 32), 2);
	if (g->jit->first_pass || address >> 48)
		put_wide(g->b, A64_SF, A64_MOVK, d, (uint32_t)(address >> 48), 3);
}

/* ---- arithmetic ------------------------------------------------------------------------------------------------- */

/* The second operand: a register, or a constant. */
struct operand {
	bool is_imm;
	unsigned reg;
	int32_t imm;
};

static struct operand
operand_of(const struct bpf_insn *insn)
{
	return (struct operand){ .is_imm = has_imm(insn), .reg = has_imm(insn) ? 0 : reg_of[insn->src_reg], .imm = insn->imm };
}

/* The operand in a register, SCRATCH if it is a constant. */
static unsigned
in_register(struct gen *g, uint32_t sf, const struct operand *o)
{
	if (!o->is_imm)
		return o->reg;
	if (!o->imm)
		return A64_ZR;
	put_value(g->b, SCRATCH, imm_value(sf, o->imm));
	return SCRATCH;
}

/* d = a + o, or a - o; with the ops that set flags, a comparison. */
static void
put_sum(struct gen *g, uint32_t sf, bool subtracts, bool flags, unsigned d, unsigned a, const struct operand *o)
{
	static const enum a64_op ops[2][2] = { { A64_ADD, A64_ADDS }, { A64_SUB, A64_SUBS } };
	int64_t imm = o->imm;

	if (o->is_imm && imm >= 0 && imm < 4096)
		put_add_imm(g->b, sf, ops[subtracts][flags], d, a, (uint32_t)imm);
	else if (o->is_imm && imm < 0 && imm > -4096)
		put_add_imm(g->b, sf, ops[!subtracts][flags], d, a, (uint32_t)-imm);
	else
		put_ddd(g->b, sf, ops[subtracts][flags], d, a, in_register(g, sf, o));
}

static void
put_logical(struct gen *g, uint32_t sf, enum a64_op op, unsigned d, unsigned a, const struct operand *o)
{
	uint64_t value = sf ? (uint64_t)(int64_t)o->imm : (uint32_t)o->imm * 0x100000001u;
	uint32_t fields;

	if (o->is_imm && logical_imm(value, &fields))
		put_logical_imm(g->b, sf, op, d, a, fields);
	else
		put_ddd(g->b, sf, op, d, a, in_register(g, sf, o));
}

static void
put_shift_imm(struct gen *g, uint32_t sf, uint8_t op, unsigned d, unsigned a, unsigned count)
{
	unsigned top = sf ? 63 : 31;

	count &= top;
	if (op == BPF_LSH)
		put_field(g->b, sf, A64_UBFM, d, a, (0u - count) & top, top - count);
	else
		put_field(g->b, sf, op == BPF_RSH ? A64_UBFM : A64_SBFM, d, a, count, top);
}

static void
put_shift(struct gen *g, uint32_t sf, uint8_t op, unsigned d, unsigned a, const struct operand *o)
{
	if (o->is_imm)
		put_shift_imm(g, sf, op, d, a, (unsigned)o->imm);
	else
		put_ddd(g->b, sf, op == BPF_LSH ? A64_LSLV : op == BPF_RSH ? A64_LSRV : A64_ASRV, d, a, o->reg);
}

static void
put_division(struct gen *g, uint32_t sf, bool is_signed, bool is_modulo, unsigned d, unsigned a, const struct operand *o)
{
	unsigned by = in_register(g, sf, o);

	put_ddd(g->b, sf, is_signed ? A64_SDIV : A64_UDIV, is_modulo ? SCRATCH2 : d, a, by);
	if (is_modulo)
		put_multiply(g->b, sf, true, d, SCRATCH2, by, a);
}

/* d = a alu o */
static void
put_alu(struct gen *g, uint32_t sf, uint8_t alu, bool is_signed, unsigned d, unsigned a, const struct operand *o)
{
	switch (alu) {
	case BPF_ADD:
	case BPF_SUB:
		put_sum(g, sf, alu == BPF_SUB, false, d, a, o);
		break;
	case BPF_OR:
		put_logical(g, sf, A64_ORR, d, a, o);
		break;
	case BPF_AND:
		put_logical(g, sf, A64_AND, d, a, o);
		break;
	case BPF_XOR:
		put_logical(g, sf, A64_EOR, d, a, o);
		break;
	case BPF_MUL:
		put_multiply(g->b, sf, false, d, a, in_register(g, sf, o), A64_ZR);
		break;
	case BPF_DIV:
	case BPF_MOD:
		put_division(g, sf, is_signed, alu == BPF_MOD, d, a, o);
		break;
	case BPF_LSH:
	case BPF_RSH:
	case BPF_ARSH:
		put_shift(g, sf, alu, d, a, o);
		break;
	default:
		assert(!"an operation without code");
	}
}

/* d = the low `bits` of a. */
static void
put_extend(struct jit_buf *b, uint32_t sf, bool is_signed, unsigned d, unsigned a, unsigned bits)
{
	if (!is_signed && bits == 32)
		put_move(b, 0, d, a);
	else
		put_field(b, is_signed ? sf : 0, is_signed ? A64_SBFM : A64_UBFM, d, a, 0, bits - 1);
}

static void
emit_mov(struct gen *g, const struct bpf_insn *insn, uint32_t sf)
{
	unsigned dst = reg_of[insn->dst_reg];

	if (has_imm(insn))
		put_value(g->b, dst, imm_value(sf, insn->imm));
	else if (insn->off)
		put_extend(g->b, sf, true, dst, reg_of[insn->src_reg], (unsigned)insn->off);
	else if (!sf || insn->dst_reg != insn->src_reg)
		put_move(g->b, sf, dst, reg_of[insn->src_reg]);
}

static void
emit_swap(struct gen *g, const struct bpf_insn *insn)
{
	bool swaps = BPF_CLASS(insn->code) == BPF_ALU64 || BPF_SRC(insn->code) == BPF_TO_BE;
	unsigned dst = reg_of[insn->dst_reg];

	if (swaps) /* REV16 and REV on 32 bits, REV on 64 */
		put_word(g->b, (insn->imm == 64 ? 0xdac00c00u : insn->imm == 32 ? 0x5ac00800u : 0x5ac00400u) | dst << 5 | dst);
	if (insn->imm != 64 && !(swaps && insn->imm == 32))
		put_extend(g->b, 0, false, dst, dst, (unsigned)insn->imm);
}

static void
emit_alu(struct gen *g, const struct bpf_insn *insn)
{
	unsigned dst = reg_of[insn->dst_reg];
	struct operand o = operand_of(insn);
	uint32_t sf = sf_of(insn);

	switch (BPF_OP(insn->code)) {
	case BPF_MOV:
		emit_mov(g, insn, sf);
		break;
	case BPF_NEG:
		put_ddd(g->b, sf, A64_SUB, dst, A64_ZR, dst);
		break;
	case BPF_END:
		emit_swap(g, insn);
		break;
	default:
		put_alu(g, sf, BPF_OP(insn->code), insn->off, dst, dst, &o);
	}
}

/* ---- memory ----------------------------------------------------------------------------------------------------- */

/* 1 << size bytes are accessed. */
static unsigned
size_of(const struct bpf_insn *insn)
{
	static const uint8_t sizes[] = { [BPF_B >> 3] = 0, [BPF_H >> 3] = 1, [BPF_W >> 3] = 2, [BPF_DW >> 3] = 3 };

	return sizes[BPF_SIZE(insn->code) >> 3];
}

/* Where a load or store of the instruction finds its register; of a constant, SCRATCH2 or the one that is 0. */
static unsigned
accessed_reg(struct gen *g, const struct bpf_insn *insn)
{
	if (BPF_CLASS(insn->code) == BPF_LDX)
		return reg_of[insn->dst_reg];
	if (BPF_CLASS(insn->code) == BPF_STX)
		return reg_of[insn->src_reg];
	if (!insn->imm)
		return A64_ZR;
	put_value(g->b, SCRATCH2, (uint64_t)(int64_t)insn->imm);
	return SCRATCH2;
}

/* A load or store at base + its offset. */
static void
put_memory(struct gen *g, const struct bpf_insn *insn, unsigned base)
{
	enum a64_access access = BPF_CLASS(insn->code) != BPF_LDX ? A64_ST : BPF_MODE(insn->code) == BPF_MEMSX ? A64_LDS : A64_LD;
	unsigned reg = accessed_reg(g, insn);

	if (put_access(g->b, size_of(insn), access, reg, base, insn->off))
		return;
	put_value(g->b, SCRATCH3, (uint64_t)(int64_t)insn->off);
	put_access_indexed(g->b, size_of(insn), access, reg, base, SCRATCH3, false);
}

/* What an atomic operation that fetches or not stores: d = old op src. */
static void
put_combined(struct jit_buf *b, uint32_t sf, int32_t op, unsigned d, unsigned old, unsigned src)
{
	switch (op & ~BPF_FETCH) {
	case BPF_ADD:
		put_ddd(b, sf, A64_ADD, d, old, src);
		break;
	case BPF_OR:
		put_ddd(b, sf, A64_ORR, d, old, src);
		break;
	case BPF_AND:
		put_ddd(b, sf, A64_AND, d, old, src);
		break;
	case BPF_XOR:
		put_ddd(b, sf, A64_EOR, d, old, src);
		break;
	case BPF_XCHG & ~BPF_FETCH:
		put_move(b, sf, d, src);
		break;
	default:
		assert(!"an atomic operation without code");
	}
}

/* Back to offset `to`. */
static void
put_back(struct jit_buf *b, uint32_t word, uint32_t to)
{
	put_word(b, with_distance(word, (int64_t)to - b->n));
}

/* Load exclusive, change, store exclusive, until no other thread came between. The address goes to SCRATCH. */
static void
emit_atomic(struct gen *g, const struct bpf_insn *insn)
{
	uint32_t sf = BPF_SIZE(insn->code) == BPF_DW ? A64_SF : 0, again, differs = 0;
	const struct operand off = { .is_imm = true, .imm = insn->off };
	unsigned src = reg_of[insn->src_reg];
	struct jit_buf *b = g->b;

	put_sum(g, A64_SF, false, false, SCRATCH, reg_of[insn->dst_reg], &off);
	again = b->n;
	put_load_exclusive(b, sf, SCRATCH2, SCRATCH);
	if (insn->imm == BPF_CMPXCHG) {
		put_ddd(b, sf, A64_SUBS, A64_ZR, SCRATCH2, reg_of[0]);
		differs = put_skip_word(b, A64_B_IF(A64_NE));
		put_store_exclusive(b, sf, STATUS, src, SCRATCH);
	} else {
		put_combined(b, sf, insn->imm, SCRATCH3, SCRATCH2, src);
		put_store_exclusive(b, sf, STATUS, SCRATCH3, SCRATCH);
	}
	put_back(b, A64_CBNZ | STATUS, again);
	if (insn->imm == BPF_CMPXCHG) {
		land_here(b, differs);
		put_move(b, A64_SF, reg_of[0], SCRATCH2);
	} else if (insn->imm & BPF_FETCH) {
		put_move(b, A64_SF, src, SCRATCH2);
	}
}

/* ---- jumps --------------------------------------------------------------------------------------------------------- */

/* The jump `word` of instruction pc to `target`; forward, its distance is filled in by fix_jump. */
static void
put_jump(struct gen *g, uint32_t pc, uint32_t target, uint32_t word)
{
	struct jit_buf *b = g->b;

	if (target <= pc) {
		put_word(b, b->out ? with_distance(word, (int64_t)g->f->insns[target].off - b->n) : 0);
		return;
	}
	put_word(b, word);
	g->f->insns[pc].fix = b->n;
}

/* Under a condition, that `word` jumps on and `opposite` does not. */
static void
put_jump_if(struct gen *g, uint32_t pc, uint32_t target, uint32_t word, uint32_t opposite)
{
	uint32_t skip;

	if (!g->is_far) {
		put_jump(g, pc, target, word);
		return;
	}
	skip = put_skip_word(g->b, opposite);
	put_jump(g, pc, target, A64_B);
	land_here(g->b, skip);
}

/* Sets the flags for a comparison. */
static void
put_compare(struct gen *g, const struct bpf_insn *insn)
{
	struct operand o = operand_of(insn);

	if (BPF_OP(insn->code) == BPF_JSET)
		put_logical(g, sf_of(insn), A64_ANDS, A64_ZR, reg_of[insn->dst_reg], &o);
	else
		put_sum(g, sf_of(insn), true, true, A64_ZR, reg_of[insn->dst_reg], &o);
}

static enum a64_cc
condition_of(const struct bpf_insn *insn)
{
	static const uint8_t conditions[16] = {
		[BPF_JEQ >> 4] = A64_EQ, [BPF_JNE >> 4] = A64_NE, [BPF_JGT >> 4] = A64_HI, [BPF_JGE >> 4] = A64_HS, [BPF_JLT >> 4] = A64_LO,
		[BPF_JLE >> 4] = A64_LS, [BPF_JSET >> 4] = A64_NE, [BPF_JSGT >> 4] = A64_GT, [BPF_JSGE >> 4] = A64_GE,
		[BPF_JSLT >> 4] = A64_LT, [BPF_JSLE >> 4] = A64_LE,
	};

	return conditions[BPF_OP(insn->code) >> 4];
}

/* The jump at pc to `target` where the condition of `insn`, or (`opposite` is 1) its opposite, holds. */
static void
put_conditional(struct gen *g, uint32_t pc, uint32_t target, const struct bpf_insn *insn, uint32_t opposite)
{
	uint8_t op = BPF_OP(insn->code);
	uint32_t word, cc;

	if (has_imm(insn) && !insn->imm && (op == BPF_JEQ || op == BPF_JNE)) {
		word = ((op == BPF_JNE) ^ opposite ? A64_CBNZ : A64_CBZ) | sf_of(insn) | reg_of[insn->dst_reg];
		put_jump_if(g, pc, target, word, word ^ A64_CBZ ^ A64_CBNZ);
		return;
	}
	put_compare(g, insn);
	cc = condition_of(insn) ^ opposite;
	put_jump_if(g, pc, target, A64_B_IF(cc), A64_B_IF(cc ^ 1));
}

/* ---- prologue and epilogue ---------------------------------------------------------------------------------------- */

/* The registers that the function has to give back as they were, two by two. Returns how many pairs. */
static unsigned
saved_pairs(const struct gen *g, uint8_t saved[JIT_REGS + 2])
{
	uint8_t regs[JIT_REGS];
	unsigned n = 0, n_regs = jit_saved(g, regs);

	if (g->f->calls || g->jit->first_pass)
		saved[n++] = A64_LR;
	for (unsigned i = 0; i < n_regs; i++)
		saved[n++] = reg_of[regs[i]];
	if (n % 2)
		saved[n++] = A64_ZR;
	return n / 2;
}

static void
emit_args(struct gen *g)
{
	/* r1 is where the arguments come from, and r2 where the frame does, so they are the last. */
	static const uint8_t order[] = { 2, 3, 4, 1, 0 };

	if (jit_keeps_run(g))
		put_move(g->b, A64_SF, RUN, 0);
	if (g->f->uses_stack)
		put_move(g->b, A64_SF, reg_of[10], 2);
	for (unsigned i = 0; i < ARRAY_SIZE(order); i++)
		if (g->jit->signature->args[order[i]].kind != VM_ARG_NONE && g->f->insns[0].live >> (order[i] + 1) & 1)
			put_access(g->b, 3, A64_LD, reg_of[order[i] + 1], 1, order[i] * 8);
}

static void
emit_prologue(struct gen *g)
{
	uint8_t saved[JIT_REGS + 2];
	unsigned n = saved_pairs(g, saved);

	g->is_far = g->jit->first_pass || g->f->insns[g->f->func->n_insns].off - g->f->start >= NEAR_BYTES;
	for (unsigned i = 0; i < n; i++)
		put_push_pair(g->b, saved[2 * i], saved[2 * i + 1]);
	if (g->is_entry)
		emit_args(g);
}

static void
put_give_back(struct gen *g)
{
	uint8_t saved[JIT_REGS + 2];

	for (unsigned n = saved_pairs(g, saved); n; n--)
		put_pop_pair(g->b, saved[2 * n - 2], saved[2 * n - 1]);
}

static void
emit_exit(struct gen *g)
{
	put_give_back(g);
	put_word(g->b, 0xd65f03c0); /* ret */
}

/* ---- a budget --------------------------------------------------------------------------------------------------------- */

/* The function returns if the flags say that the budget is below 0. Its caller then finds it so, too. */
static void
put_exit_if_spent(struct gen *g)
{
	uint32_t skip = put_skip_word(g->b, A64_B_IF(A64_PL));

	emit_exit(g);
	land_here(g->b, skip);
}

/* Pays `cost`, which is 1 before a jump backward and 0 behind a call. */
static void
put_charge(struct gen *g, uint32_t cost)
{
	if (!g->has_budget)
		return;
	g->jit->uses_run = true;
	put_access(g->b, 3, A64_LD, SCRATCH, RUN, offsetof(struct vm_run, budget));
	put_add_imm(g->b, A64_SF, A64_SUBS, SCRATCH, SCRATCH, cost);
	if (cost)
		put_access(g->b, 3, A64_ST, SCRATCH, RUN, offsetof(struct vm_run, budget));
	put_exit_if_spent(g);
}

/* ---- calls ---------------------------------------------------------------------------------------------------------- */

static void
put_call(struct gen *g, uint64_t address)
{
	int64_t distance = (int64_t)(address - (g->jit->address + g->b->n));

	g->f->calls = true;
	if (!g->jit->first_pass && distance >= -(1 << 27) && distance < 1 << 27) {
		put_word(g->b, with_distance(A64_BL, distance));
	} else {
		put_address(g, SCRATCH, address);
		put_word(g->b, A64_BLR | SCRATCH << 5);
	}
}

static void
put_frame(struct gen *g, bool down)
{
	put_add_imm(g->b, A64_SF, down ? A64_SUB : A64_ADD, reg_of[10], reg_of[10], VM_STACK_SIZE);
}

static void
emit_call_local(struct gen *g, const struct jit_func *callee)
{
	if (callee->uses_stack)
		put_frame(g, false);
	put_back(g->b, A64_BL, callee->start);
	if (callee->uses_stack)
		put_frame(g, true);
	put_charge(g, 0);
}

static void
emit_callx(struct gen *g, unsigned reg)
{
	unsigned callee = reg_of[reg];
	uint32_t by_number, over;
	struct jit_buf *b = g->b;

	put_shift_imm(g, A64_SF, BPF_RSH, SCRATCH, callee, 32);
	by_number = put_skip_word(b, A64_CBZ | A64_SF | SCRATCH);
	put_move(b, 0, SCRATCH, callee);
	put_address(g, SCRATCH2, jit_starts(g));
	put_access_indexed(b, 3, A64_LD, SCRATCH, SCRATCH2, SCRATCH, true);
	put_frame(g, false);
	put_word(b, A64_BLR | SCRATCH << 5);
	put_frame(g, true);
	over = put_skip_word(b, A64_B);
	land_here(b, by_number);
	put_access(b, 3, A64_ST, callee, RUN, offsetof(struct vm_run, called));
	put_move(b, A64_SF, 0, RUN);
	put_call(g, (uintptr_t)helper_by_number);
	land_here(b, over);
	put_charge(g, 0);
}

/* ---- tail calls ------------------------------------------------------------------------------------------------------ */

/* Code of the program at x2, with the context in x1, as a jit_entry that returns to who entered this one. */
static void
put_jump_to_program(struct gen *g)
{
	struct jit_buf *b = g->b;
	uint32_t interpreted;

	put_access(b, 3, A64_LD, SCRATCH, 2, offsetof(struct vm_program, code));
	interpreted = put_skip_word(b, A64_CBZ | A64_SF | SCRATCH);
	put_access(b, 3, A64_ST, 1, RUN, offsetof(struct vm_run, tail_args));
	put_add_imm(b, A64_SF, A64_ADD, 1, RUN, offsetof(struct vm_run, tail_args));
	put_access(b, 3, A64_LD, SCRATCH, SCRATCH, offsetof(struct jit_code, entry));
	put_move(b, A64_SF, 0, RUN);
	put_move(b, A64_SF, 2, reg_of[10]);
	put_give_back(g);
	put_word(b, 0xd61f0000u | SCRATCH << 5); /* br */
	land_here(b, interpreted);
}

static void
emit_tail_call(struct gen *g)
{
	const struct operand most = { .is_imm = true, .imm = VM_TAIL_CALLS_MAX };
	unsigned context = reg_of[1], table = reg_of[2], place = reg_of[3];
	struct jit_buf *b = g->b;
	uint32_t over[3];

	put_move(b, 0, place, place);
	put_access(b, 3, A64_LD, SCRATCH, table, offsetof(struct vm_table, table));
	put_access(b, 2, A64_LD, SCRATCH, SCRATCH, offsetof(struct table, max_entries));
	put_ddd(b, 0, A64_SUBS, A64_ZR, place, SCRATCH);
	over[0] = put_skip_word(b, A64_B_IF(A64_HS));
	put_access(b, 3, A64_LD, table, table, offsetof(struct vm_table, programs));
	put_add_imm(b, A64_SF, A64_ADD, table, table, offsetof(struct programs, places));
	put_access_indexed(b, 3, A64_LD, table, table, place, 3);
	over[1] = put_skip_word(b, A64_CBZ | A64_SF | table);
	put_access(b, 2, A64_LD, SCRATCH, RUN, offsetof(struct vm_run, n_tail_calls));
	put_sum(g, 0, true, true, A64_ZR, SCRATCH, &most);
	over[2] = put_skip_word(b, A64_B_IF(A64_HS));
	put_add_imm(b, 0, A64_ADD, SCRATCH, SCRATCH, 1);
	put_access(b, 2, A64_ST, SCRATCH, RUN, offsetof(struct vm_run, n_tail_calls));
	if (g->is_entry)
		put_jump_to_program(g);
	put_move(b, A64_SF, SCRATCH2, context);
	put_move(b, A64_SF, 0, RUN);
	put_move(b, A64_SF, 1, table);
	put_move(b, A64_SF, 2, SCRATCH2);
	put_call(g, (uintptr_t)enter_by_tail_call);
	emit_exit(g);
	for (unsigned i = 0; i < ARRAY_SIZE(over); i++)
		land_here(b, over[i]);
}

/* r0 = value of the entry whose number r2 points to, or 0. */
static void
emit_array_lookup(struct gen *g, const struct vm_table *t)
{
	struct jit_buf *b = g->b;
	uint32_t skip;
	size_t len;

	put_access(b, 2, A64_LD, SCRATCH, reg_of[2], 0);
	put_value(b, SCRATCH2, t->table->max_entries);
	put_value(b, reg_of[0], 0);
	put_ddd(b, 0, A64_SUBS, A64_ZR, SCRATCH, SCRATCH2);
	skip = put_skip_word(b, A64_B_IF(A64_HS));
	put_address(g, reg_of[0], (uintptr_t)array_memory(t, &len));
	put_value(b, SCRATCH2, (uint64_t)t->n_cpus * t->stride);
	put_multiply(b, A64_SF, false, reg_of[0], SCRATCH, SCRATCH2, reg_of[0]);
	if (t->n_cpus > 1) {
		g->jit->uses_run = true;
		put_access(b, 3, A64_LD, SCRATCH, RUN, offsetof(struct vm_run, cpu));
		put_value(b, SCRATCH2, t->stride);
		put_multiply(b, A64_SF, false, reg_of[0], SCRATCH, SCRATCH2, reg_of[0]);
	}
	land_here(b, skip);
}

/* ---- lookups in hash tables: what find_entry and hash_key (hash.c) do ----------------------------------------------- */

/* r1 to r5 are nobody's behind a call, x6 to x8 never anybody's. */
#define ENTRY 0
#define BUCKETS 1
#define KEY_AT 2       /* address of the key: r2 */
#define HASH 3
#define WORD 4         /* of the key, the first 4 or 8 bytes */
#define WORD2 5        /* the next 8 */
#define FACTOR 6
#define TABLE 7
#define GENERATION 8

/* HASH = (HASH ^ word) * FACTOR, folded. */
static void
put_mix(struct jit_buf *b, unsigned word)
{
	put_ddd(b, A64_SF, A64_EOR, HASH, HASH, word);
	put_multiply(b, A64_SF, false, HASH, HASH, FACTOR, A64_ZR);
	put_fold(b, HASH, HASH, HASH, 32);
}

static void
put_hash(struct jit_buf *b, uint32_t key_size)
{
	put_access(b, key_size == 4 ? 2 : 3, A64_LD, WORD, KEY_AT, 0);
	put_value(b, HASH, HASH_SEED ^ key_size);
	put_value(b, FACTOR, HASH_FACTOR);
	put_mix(b, WORD);
	if (key_size == 16) {
		put_access(b, 3, A64_LD, WORD2, KEY_AT, 8);
		put_mix(b, WORD2);
	}
}

/* Goes to where the skip that it returns lands if what stands at `off` of the entry is not (or, A64_EQ, is) what the register holds. */
static uint32_t
put_entry_check(struct jit_buf *b, unsigned size, uint32_t off, unsigned reg, enum a64_cc cc)
{
	put_access(b, size, A64_LD, SCRATCH, ENTRY, (int32_t)off);
	put_ddd(b, size == 3 ? A64_SF : 0, A64_SUBS, A64_ZR, SCRATCH, reg);
	return put_skip_word(b, A64_B_IF(cc));
}

/* ENTRY = the entry that has the key, or 0, along the chain of its bucket. Loads at addresses that were loaded come in order by themselves. */
static void
put_chain(struct jit_buf *b, const struct hash_layout *l, uint32_t key_size)
{
	uint32_t again, end, found, other[2], n_other = 0;

	put_access(b, 2, A64_LD, SCRATCH, BUCKETS, (int32_t)l->n);
	put_add_imm(b, 0, A64_SUB, SCRATCH, SCRATCH, 1);
	put_ddd(b, 0, A64_AND, SCRATCH, SCRATCH, HASH);
	put_add_imm(b, A64_SF, A64_ADD, BUCKETS, BUCKETS, l->heads);
	put_access_indexed(b, 3, A64_LD, ENTRY, BUCKETS, SCRATCH, true);
	again = b->n;
	end = put_skip_word(b, A64_CBZ | A64_SF | ENTRY);
	other[n_other++] = put_entry_check(b, 3, l->key_hash, HASH, A64_NE);
	if (key_size == 16)
		other[n_other++] = put_entry_check(b, 3, l->key + 8, WORD2, A64_NE);
	found = put_entry_check(b, key_size == 4 ? 2 : 3, l->key, WORD, A64_EQ);
	while (n_other)
		land_here(b, other[--n_other]);
	put_access(b, 3, A64_LD, ENTRY, ENTRY, (int32_t)l->chain);
	put_back(b, A64_B, again);
	land_here(b, found);
	land_here(b, end);
}

/* x0 += distance of the value that a program sees from the entry. */
static void
put_value_of_entry(struct gen *g, const struct vm_table *t, const struct hash_layout *l)
{
	put_add_imm(g->b, A64_SF, A64_ADD, ENTRY, ENTRY, l->value);
	if (t->n_cpus == 1)
		return;
	g->jit->uses_run = true;
	put_access(g->b, 3, A64_LD, SCRATCH, RUN, offsetof(struct vm_run, cpu));
	put_value(g->b, SCRATCH2, t->stride);
	put_multiply(g->b, A64_SF, false, ENTRY, SCRATCH, SCRATCH2, ENTRY);
}

/* r0 = value of the entry whose key r2 points to, or 0. If an entry went away or all moved meanwhile, hash.c looks once more. */
static void
emit_hash_lookup(struct gen *g, const struct vm_table *t)
{
	static const struct operand one = { .is_imm = true, .imm = 1 };
	const struct hash_layout l = hash_layout(t);
	uint32_t changed, same, none;
	struct jit_buf *b = g->b;

	put_hash(b, t->table->key_size);
	put_address(g, TABLE, (uintptr_t)l.hash);
	put_add_imm(b, A64_SF, A64_ADD, SCRATCH, TABLE, l.generation);
	put_load_acquire(b, GENERATION, SCRATCH);
	put_access(b, 3, A64_LD, BUCKETS, TABLE, (int32_t)l.buckets);
	put_chain(b, &l, t->table->key_size);
	put_fence_loads(b);
	put_access(b, 2, A64_LD, SCRATCH, TABLE, (int32_t)l.generation);
	put_ddd(b, 0, A64_SUBS, A64_ZR, GENERATION, SCRATCH);
	changed = put_skip_word(b, A64_B_IF(A64_NE));
	put_logical(g, 0, A64_ANDS, A64_ZR, GENERATION, &one);
	same = put_skip_word(b, A64_B_IF(A64_EQ));
	land_here(b, changed);
	put_address(g, 0, (uintptr_t)t);
	put_move(b, A64_SF, 1, KEY_AT);
	put_call(g, (uintptr_t)hash_find_entry);
	land_here(b, same);
	none = put_skip_word(b, A64_CBZ | A64_SF | ENTRY);
	put_value_of_entry(g, t, &l);
	land_here(b, none);
}

/* ---- calls of helpers ------------------------------------------------------------------------------------------------- */

/* A lookup in a table that is known here: without the way through the helper and the table's operations. */
static void
emit_lookup(struct gen *g, const struct vm_table *t)
{
	if (t->ops == &array_ops) {
		emit_array_lookup(g, t);
	} else if (jit_knows_hash(t)) {
		emit_hash_lookup(g, t);
	} else {
		put_address(g, 0, (uintptr_t)t);
		put_move(g->b, A64_SF, 1, reg_of[2]);
		put_call(g, (uintptr_t)t->ops->find);
	}
}

static void
emit_fetch(struct gen *g, const struct jit_fetch *fetch)
{
	unsigned r0 = reg_of[0];

	if (fetch->is_env)
		put_access(g->b, 3, A64_LD, r0, RUN, offsetof(struct vm_run, env));
	put_access(g->b, 3, A64_LD, r0, fetch->is_env ? r0 : RUN, fetch->off);
	if (fetch->swaps)
		put_rotate_right(g->b, A64_SF, r0, r0, 32);
}

static uint32_t
emit_call(struct gen *g, uint32_t pc)
{
	const struct bpf_insn *insn = &g->f->func->insns[pc];
	const struct vm_table *t = g->known[1];

	if (insn->imm == BPF_FUNC_map_lookup_elem && t && jit_knows_lookup(t) && !g->hides) {
		emit_lookup(g, t);
		return 1;
	}
	g->jit->uses_run = true;
	if (insn_calls_back(insn)) {
		put_access(g->b, 3, A64_ST, reg_of[10], RUN, offsetof(struct vm_run, frame));
		put_address(g, SCRATCH, jit_callbacks(g));
		put_access(g->b, 3, A64_ST, SCRATCH, RUN, offsetof(struct vm_run, functions));
	}
	put_move(g->b, A64_SF, 0, RUN);
	put_call(g, (uintptr_t)helper_code(insn->imm));
	if (insn_calls_back(insn))
		put_charge(g, 0);
	return 1;
}

/* jit_callback: from the registers of a call in C to those of eBPF. */
static void
emit_callback(struct gen *g)
{
	struct jit_buf *b = g->b;

	put_push_pair(b, A64_LR, reg_of[10]);
	put_push_pair(b, RUN, A64_ZR);
	put_move(b, A64_SF, RUN, 0);
	put_move(b, A64_SF, reg_of[10], 1);
	for (unsigned i = 1; i <= VM_CALLBACK_ARGS; i++)
		put_move(b, A64_SF, reg_of[i], i + 1);
	put_back(b, A64_BL, g->f->start);
	put_pop_pair(b, RUN, A64_ZR);
	put_pop_pair(b, A64_LR, reg_of[10]);
	put_word(b, 0xd65f03c0);
}

/* ---- several instructions that are one ------------------------------------------------------------------------------- */

static void
emit_multiply_add(struct gen *g, const struct jit_op *op)
{
	unsigned dst = reg_of[op->dst], b = reg_of[op->b];
	uint32_t sf = op->is_64 ? A64_SF : 0;

	if (op->imm > 0 && !(op->imm & (op->imm - 1))) {
		put_add_shifted(g->b, sf, dst, b, dst, (unsigned)__builtin_ctz((unsigned)op->imm));
	} else {
		put_value(g->b, SCRATCH, imm_value(sf, op->imm));
		put_multiply(g->b, sf, false, dst, dst, SCRATCH, b);
	}
}

static void
emit_access(struct gen *g, const struct jit_op *op)
{
	const struct bpf_insn *insn = &g->f->func->insns[op->at];
	enum a64_access access = BPF_CLASS(insn->code) != BPF_LDX ? A64_ST : BPF_MODE(insn->code) == BPF_MEMSX ? A64_LDS : A64_LD;
	unsigned base = reg_of[op->a], index = reg_of[op->b], size = size_of(insn);

	if (op->has_wide)
		put_address(g, base, jit_wide(g->jit, g->f, op->wide));
	if (!op->has_index) {
		put_memory(g, insn, base);
	} else if (!insn->off && (!op->scale || op->scale == size)) {
		put_access_indexed(g->b, size, access, accessed_reg(g, insn), base, index, op->scale);
	} else {
		put_add_shifted(g->b, A64_SF, SCRATCH, base, index, op->scale);
		put_memory(g, insn, SCRATCH);
	}
}

static void
emit_op(struct gen *g, uint32_t pc, const struct jit_op *op)
{
	const struct bpf_insn *at = &g->f->func->insns[op->at];
	struct operand o = { .is_imm = op->has_imm, .reg = reg_of[op->b], .imm = op->imm };
	unsigned dst = reg_of[op->dst], a = reg_of[op->a];
	uint32_t sf = op->is_64 ? A64_SF : 0;

	switch (op->kind) {
	case JIT_NOTHING:
		break;
	case JIT_THREE:
		put_alu(g, sf, op->alu, false, dst, a, &o);
		break;
	case JIT_MULTIPLY_ADD:
		emit_multiply_add(g, op);
		break;
	case JIT_ROTATE:
		put_rotate_right(g->b, sf, dst, a, (op->is_64 ? 64 : 32) - (unsigned)op->imm);
		break;
	case JIT_ZERO_EXTEND:
	case JIT_SIGN_EXTEND:
		put_extend(g->b, A64_SF, op->kind == JIT_SIGN_EXTEND, dst, a, (unsigned)op->imm);
		break;
	case JIT_SELECT:
		put_compare(g, at);
		put_select(g->b, dst, dst, a, condition_of(at));
		break;
	case JIT_BOOL:
		put_compare(g, at);
		put_set_if(g->b, dst, condition_of(at) ^ (op->imm ? 0 : 1));
		break;
	case JIT_JUMP_BYTE:
		put_extend(g->b, 0, false, reg_of[at->dst_reg], reg_of[at->dst_reg], 8);
		jit_emit_ahead(g, op->at);
		put_conditional(g, op->at, g->f->insns[op->at].to, at, 0);
		break;
	case JIT_JUMP_UNLESS:
		put_conditional(g, op->at + 1, g->f->insns[op->at + 1].to, at, 1);
		break;
	case JIT_ACCESS:
		emit_access(g, op);
		break;
	case JIT_LOAD_ALU:
	case JIT_LOAD_JUMP:
	case JIT_UPDATE:
		assert(!"only where memory_operands");
	}
}

/* ---- constants ------------------------------------------------------------------------------------------------------- */

static void
emit_number(struct gen *g, unsigned reg, uint64_t number)
{
	put_value(g->b, reg_of[reg], number);
}

static void
emit_address(struct gen *g, unsigned reg, uint64_t address)
{
	put_address(g, reg_of[reg], address);
}

/* From two random halves: key and number ^ key. */
static void
emit_hidden(struct gen *g, unsigned to, uint64_t number)
{
	uint64_t key = jit_random(g->jit), halves[] = { number ^ key, key };
	unsigned reg = reg_of[to];

	for (unsigned i = 0; i < 2; i++)
		for (unsigned part = 0; part < 4; part++)
			put_wide(g->b, A64_SF, part ? A64_MOVK : A64_MOVZ, i ? SCRATCH : reg, (uint32_t)(halves[i] >> 16 * part), part);
	put_ddd(g->b, A64_SF, A64_EOR, reg, reg, SCRATCH);
}

static void
emit_hidden_imm(struct gen *g, int32_t imm)
{
	emit_hidden(g, JIT_BLIND_REG, (uint64_t)(int64_t)imm);
}

/* ---- the table of all this -------------------------------------------------------------------------------------------- */

static void
emit_load(struct gen *g, const struct bpf_insn *insn)
{
	put_memory(g, insn, reg_of[insn->src_reg]);
}

static void
emit_store(struct gen *g, const struct bpf_insn *insn)
{
	put_memory(g, insn, reg_of[insn->dst_reg]);
}

static void
emit_jump(struct gen *g, uint32_t pc)
{
	put_jump(g, pc, g->f->insns[pc].to, A64_B);
}

static void
emit_cond(struct gen *g, uint32_t pc, const struct bpf_insn *insn)
{
	put_conditional(g, pc, g->f->insns[pc].to, insn, 0);
}

static void
fix_jump(struct gen *g, const struct jit_insn *insn, uint32_t to)
{
	uint32_t word;

	memcpy(&word, g->b->out + insn->fix - 4, 4);
	word = with_distance(word, (int64_t)to - (insn->fix - 4));
	memcpy(g->b->out + insn->fix - 4, &word, 4);
}

static void
emit_charge(struct gen *g)
{
	put_charge(g, 1);
}

const struct jit_backend jit_arm64 = {
	.name = "AArch64", .trap = 0xd4200000,
	.prologue = emit_prologue, .exit = emit_exit,
	.alu = emit_alu, .load = emit_load, .store = emit_store, .atomic = emit_atomic,
	.number = emit_number, .address = emit_address, .hidden = emit_hidden, .hidden_imm = emit_hidden_imm,
	.jump = emit_jump, .cond = emit_cond, .fix = fix_jump,
	.call = emit_call, .call_local = emit_call_local, .callx = emit_callx, .tail_call = emit_tail_call, .fetch = emit_fetch, .charge = emit_charge, .callback = emit_callback,
	.op = emit_op,
};

#endif
