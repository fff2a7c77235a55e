/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Machine code for x86-64. Every register of eBPF has one of the machine for good:
 *
 *      r0    r1    r2    r3    r4   r5   r6    r7    r8    r9    r10
 *      rax   rsi   rdx   rcx   r8   r9   rbx   r13   r14   r15   rbp
 *
 * so r0 is where functions in C return, r1 to r5 are where they take their second to sixth argument (the first, rdi, is the
 * struct vm_run of a helper), and r6 to r9 are registers that they preserve: a call of a helper is a call. rdi, r10 and r11 are free
 * within an instruction; r12 holds the struct vm_run where something needs it. The program's stack is not the machine's: rbp points
 * above the frame of VM_STACK_SIZE bytes, the callee's frame lies above. Return addresses and saved registers are on the
 * machine's stack, where no address of the program leads.
 *
 * All arithmetic on 32 bits clears the upper half by itself. Flags mean nothing between instructions.
 */
#include <stddef.h>
#include <string.h>

#include "vm/jit_x86_enc.h"

#if defined(__x86_64__)

#define SCRATCH RDI
#define SCRATCH2 R10
#define SCRATCH3 R11
#define RUN R12

static const uint8_t reg_of[12] = { RAX, RSI, RDX, RCX, R8, R9, RBX, R13, R14, R15, RBP, [JIT_BLIND_REG] = SCRATCH3 };

/* A function in the making. */
struct gen {
	struct jit *jit;
	struct jit_func *f;
	struct jit_buf *b;
	bool is_entry;
	bool has_bmi2;
	bool hides;      /* constants are not to be seen: no short cuts then */
	bool has_budget;
	const struct vm_table *known[11]; /* the table whose handle a register holds for certain */
};

static uint32_t
width_of(const struct bpf_insn *insn)
{
	uint8_t class = BPF_CLASS(insn->code);

	return class == BPF_ALU64 || class == BPF_JMP ? OP_W : 0;
}

static bool
has_imm(const struct bpf_insn *insn)
{
	return BPF_SRC(insn->code) == BPF_K;
}

/* Where something in memory lies from the end of an instruction of `len` bytes, if 32 bits can say it. */
static bool
reach(const struct gen *g, uint64_t to, uint32_t len, int32_t *rel)
{
	int64_t distance = (int64_t)(to - (g->jit->address + g->b->n + len));

	if (g->jit->first_pass || !fits32(distance))
		return false;
	*rel = (int32_t)distance;
	return true;
}

/* reg = address of something that does not move. */
static void
put_address(struct gen *g, unsigned reg, uint64_t address)
{
	int32_t rel;

	if (address > UINT32_MAX && reach(g, address, 7, &rel)) {
		put_op(g->b, OP_LEA, reg, 0, 0, false);
		put8(g->b, (reg & 7) << 3 | 5);
		put32(g->b, (uint32_t)rel);
	} else {
		put_const(g->b, reg, address);
	}
}

/* ---- arithmetic ------------------------------------------------------------------------------------------------- */

/* dst = 0 if the divisor is 0; modulo leaves the dividend. */
static void
put_by_zero(struct gen *g, const struct bpf_insn *insn, uint32_t w)
{
	unsigned dst = reg_of[insn->dst_reg];

	if (BPF_OP(insn->code) == BPF_DIV)
		put_const(g->b, dst, 0);
	else if (!w)
		put_mov(g->b, 0, dst, dst);
}

static void
put_by_minus_one(struct gen *g, const struct bpf_insn *insn, uint32_t w)
{
	unsigned dst = reg_of[insn->dst_reg];

	if (BPF_OP(insn->code) == BPF_DIV)
		put_rr(g->b, w | 0xf7, G3_NEG, dst);
	else
		put_const(g->b, dst, 0);
}

/* dst divided by SCRATCH, which is neither 0 nor, in a signed division, -1. */
static void
put_division(struct gen *g, const struct bpf_insn *insn, uint32_t w)
{
	unsigned dst = reg_of[insn->dst_reg], result = BPF_OP(insn->code) == BPF_DIV ? RAX : RDX;
	struct jit_buf *b = g->b;

	if (dst != RAX)
		put_mov(b, OP_W, SCRATCH2, RAX);
	if (dst != RDX)
		put_mov(b, OP_W, SCRATCH3, RDX);
	if (dst != RAX)
		put_mov(b, w, RAX, dst);
	if (insn->off)
		put_op(b, w | 0x99, 0, 0, 0, false); /* cdq, cqo */
	else
		put_const(b, RDX, 0);
	put_rr(b, w | 0xf7, insn->off ? G3_IDIV : G3_DIV, SCRATCH);
	if (dst != result)
		put_mov(b, w, dst, result);
	if (dst != RAX)
		put_mov(b, OP_W, RAX, SCRATCH2);
	if (dst != RDX)
		put_mov(b, OP_W, RDX, SCRATCH3);
}

static bool
is_power_of_two(uint64_t n)
{
	return n && !(n & (n - 1));
}

/* Unsigned division by 1 << shift. */
static void
put_division_by_power(struct gen *g, const struct bpf_insn *insn, uint32_t w, unsigned shift)
{
	unsigned dst = reg_of[insn->dst_reg];
	struct jit_buf *b = g->b;

	if (BPF_OP(insn->code) == BPF_DIV && shift)
		put_shift(b, w, G2_SHR, dst, shift);
	else if (BPF_OP(insn->code) == BPF_DIV)
		put_mov(b, w, dst, dst);
	else if (shift < 32)
		put_imm(b, 0, G1_AND, dst, (int32_t)((1u << shift) - 1));
}

static void
emit_divide_imm(struct gen *g, const struct bpf_insn *insn, uint32_t w)
{
	uint64_t divisor = w ? (uint64_t)(int64_t)insn->imm : (uint32_t)insn->imm;

	if (!divisor) {
		put_by_zero(g, insn, w);
	} else if (insn->off && insn->imm == -1) {
		put_by_minus_one(g, insn, w);
	} else if (!insn->off && is_power_of_two(divisor) && divisor <= 1u << 31) {
		put_division_by_power(g, insn, w, (unsigned)__builtin_ctzll(divisor));
	} else {
		put_const(g->b, SCRATCH, divisor);
		put_division(g, insn, w);
	}
}

static void
emit_divide(struct gen *g, const struct bpf_insn *insn, uint32_t w)
{
	struct jit_buf *b = g->b;
	uint32_t skip, done[2];

	if (has_imm(insn)) {
		emit_divide_imm(g, insn, w);
		return;
	}
	put_mov(b, w, SCRATCH, reg_of[insn->src_reg]);
	put_rr(b, w | OP_TEST, SCRATCH, SCRATCH);
	skip = put_skip(b, SKIP_IF(CC_NE));
	put_by_zero(g, insn, w);
	done[0] = done[1] = put_skip(b, SKIP_ALWAYS);
	land(b, skip);
	if (insn->off) {
		put_imm(b, w, G1_CMP, SCRATCH, -1);
		skip = put_skip(b, SKIP_IF(CC_NE));
		put_by_minus_one(g, insn, w);
		done[1] = put_skip(b, SKIP_ALWAYS);
		land(b, skip);
	}
	put_division(g, insn, w);
	land(b, done[0]);
	land(b, done[1]);
}

/* Is it 3, 5 or 9? These a lea multiplies by. */
static bool
is_lea_factor(int32_t factor)
{
	return factor == 3 || factor == 5 || factor == 9;
}

/* dst = src * factor */
static void
put_lea_factor(struct jit_buf *b, uint32_t w, unsigned dst, unsigned src, int32_t factor)
{
	put_rx(b, w | 0x8d, dst, src, src, (unsigned)__builtin_ctz((unsigned)factor - 1));
}

/* dst = src * imm */
static void
put_multiply_imm(struct jit_buf *b, uint32_t w, unsigned dst, unsigned src, int32_t imm)
{
	if (is_lea_factor(imm)) {
		put_lea_factor(b, w, dst, src, imm);
	} else if (imm == 10) {
		put_lea_factor(b, w, dst, src, 5);
		put_rr(b, w | 0x03, dst, dst);
	} else if (imm > 1 && is_power_of_two((uint64_t)imm)) {
		if (dst != src)
			put_mov(b, w, dst, src);
		put_shift(b, w, G2_SHL, dst, (unsigned)__builtin_ctz((unsigned)imm));
	} else if (imm > 1 && is_power_of_two((uint64_t)imm - 1)) { /* hashes like it: two steps of one cycle, not one of three */
		put_mov(b, w, SCRATCH, src);
		put_shift(b, w, G2_SHL, SCRATCH, (unsigned)__builtin_ctz((unsigned)imm - 1));
		put_rx(b, w | 0x8d, dst, src, SCRATCH, 0);
	} else if (fits8(imm)) {
		put_rr(b, w | 0x6b, dst, src);
		put8(b, (uint8_t)imm);
	} else {
		put_rr(b, w | 0x69, dst, src);
		put32(b, (uint32_t)imm);
	}
}

static void
emit_multiply(struct gen *g, const struct bpf_insn *insn, uint32_t w)
{
	unsigned dst = reg_of[insn->dst_reg];

	if (has_imm(insn))
		put_multiply_imm(g->b, w, dst, dst, insn->imm);
	else
		put_rr(g->b, w | OP_IMUL, dst, reg_of[insn->src_reg]);
}

/* Without BMI2 the count has to be in cl, which is r3. */
static void
put_shift_by_cl(struct gen *g, uint32_t w, enum x86_group group, unsigned dst, unsigned src)
{
	struct jit_buf *b = g->b;
	unsigned at = dst == RCX ? SCRATCH : dst;

	if (src == RCX && dst != RCX) {
		put_rr(b, w | 0xd3, group, dst);
		return;
	}
	put_mov(b, OP_W, SCRATCH, RCX);
	if (src != RCX)
		put_mov(b, 0, RCX, src);
	put_rr(b, w | 0xd3, group, at);
	put_mov(b, OP_W, RCX, SCRATCH);
}

static void
emit_shift(struct gen *g, const struct bpf_insn *insn, uint32_t w)
{
	uint8_t op = BPF_OP(insn->code);
	enum x86_group group = op == BPF_LSH ? G2_SHL : op == BPF_RSH ? G2_SHR : G2_SAR;
	enum x86_shiftx shiftx = op == BPF_LSH ? SHIFTX_SHL : op == BPF_RSH ? SHIFTX_SHR : SHIFTX_SAR;
	unsigned dst = reg_of[insn->dst_reg], src = reg_of[insn->src_reg], count = (unsigned)insn->imm & (w ? 63 : 31);

	if (!has_imm(insn) && g->has_bmi2)
		put_shiftx(g->b, w, shiftx, dst, dst, src);
	else if (!has_imm(insn))
		put_shift_by_cl(g, w, group, dst, src);
	else if (count)
		put_shift(g->b, w, group, dst, count);
	else if (!w)
		put_mov(g->b, 0, dst, dst);
}

static void
emit_mov(struct gen *g, const struct bpf_insn *insn, uint32_t w)
{
	unsigned dst = reg_of[insn->dst_reg], src = reg_of[insn->src_reg];
	struct jit_buf *b = g->b;

	if (has_imm(insn))
		put_const(b, dst, w ? (uint64_t)(int64_t)insn->imm : (uint32_t)insn->imm);
	else if (insn->off == 8)
		put_rr(b, w | OP_0F | OP_BRM | 0xbe, dst, src);
	else if (insn->off == 16)
		put_rr(b, w | OP_0F | 0xbf, dst, src);
	else if (insn->off == 32)
		put_rr(b, w | 0x63, dst, src);
	else if (!w || dst != src)
		put_mov(b, w, dst, src);
}

static void
emit_and_imm(struct gen *g, unsigned dst, uint32_t w, int32_t imm)
{
	struct jit_buf *b = g->b;

	/* A positive number clears the upper half anyway. */
	if (imm >= 0)
		w = 0;
	if (imm == 0xff)
		put_rr(b, OP_0F | OP_BRM | 0xb6, dst, dst);
	else if (imm == 0xffff)
		put_rr(b, OP_0F | 0xb7, dst, dst);
	else
		put_imm(b, w, G1_AND, dst, imm);
}

/* add, or, and, sub, xor */
static void
emit_simple(struct gen *g, const struct bpf_insn *insn, uint32_t w, enum x86_group group)
{
	unsigned dst = reg_of[insn->dst_reg];

	if (!has_imm(insn))
		put_rr(g->b, w | (uint32_t)group << 3 | 3, dst, reg_of[insn->src_reg]);
	else if (group == G1_AND)
		emit_and_imm(g, dst, w, insn->imm);
	else if (insn->imm == 128 && (group == G1_ADD || group == G1_SUB)) /* -128 takes one byte */
		put_imm(g->b, w, group == G1_ADD ? G1_SUB : G1_ADD, dst, -128);
	else if (insn->imm || !w)
		put_imm(g->b, w, group, dst, insn->imm);
}

static void
put_bswap(struct jit_buf *b, uint32_t w, unsigned reg)
{
	put_op(b, w | OP_0F | 0xc8 | (reg & 7), 0, 0, reg, false);
}

static void
emit_swap(struct gen *g, const struct bpf_insn *insn)
{
	bool swaps = BPF_CLASS(insn->code) == BPF_ALU64 || BPF_SRC(insn->code) == BPF_TO_BE;
	unsigned dst = reg_of[insn->dst_reg];
	struct jit_buf *b = g->b;

	if (insn->imm == 16) {
		if (swaps)
			put_shift(b, OP_16, G2_ROR, dst, 8);
		put_rr(b, OP_0F | 0xb7, dst, dst);
	} else if (swaps) {
		put_bswap(b, insn->imm == 64 ? OP_W : 0, dst);
	} else if (insn->imm == 32) {
		put_mov(b, 0, dst, dst);
	}
}

static void
emit_alu(struct gen *g, const struct bpf_insn *insn)
{
	uint32_t w = width_of(insn);

	switch (BPF_OP(insn->code)) {
	case BPF_ADD:
		emit_simple(g, insn, w, G1_ADD);
		break;
	case BPF_SUB:
		emit_simple(g, insn, w, G1_SUB);
		break;
	case BPF_OR:
		emit_simple(g, insn, w, G1_OR);
		break;
	case BPF_AND:
		emit_simple(g, insn, w, G1_AND);
		break;
	case BPF_XOR:
		emit_simple(g, insn, w, G1_XOR);
		break;
	case BPF_MUL:
		emit_multiply(g, insn, w);
		break;
	case BPF_DIV:
	case BPF_MOD:
		emit_divide(g, insn, w);
		break;
	case BPF_LSH:
	case BPF_RSH:
	case BPF_ARSH:
		emit_shift(g, insn, w);
		break;
	case BPF_MOV:
		emit_mov(g, insn, w);
		break;
	case BPF_NEG:
		put_rr(g->b, w | 0xf7, G3_NEG, reg_of[insn->dst_reg]);
		break;
	case BPF_END:
		emit_swap(g, insn);
		break;
	default:
		assert(!"an operation without code");
	}
}

/* ---- memory ----------------------------------------------------------------------------------------------------- */

static uint32_t
load_op(const struct bpf_insn *insn)
{
	static const uint32_t zero_extend[] = {
		[BPF_B >> 3] = OP_0F | 0xb6, [BPF_H >> 3] = OP_0F | 0xb7, [BPF_W >> 3] = OP_MOV, [BPF_DW >> 3] = OP_W | OP_MOV,
	};
	static const uint32_t sign_extend[] = {
		[BPF_B >> 3] = OP_W | OP_0F | 0xbe, [BPF_H >> 3] = OP_W | OP_0F | 0xbf, [BPF_W >> 3] = OP_W | 0x63,
	};

	return BPF_MODE(insn->code) == BPF_MEMSX ? sign_extend[BPF_SIZE(insn->code) >> 3] : zero_extend[BPF_SIZE(insn->code) >> 3];
}

/* The opcode of a store, whose form for 8 bits is one less than that for more. */
static uint32_t
store_op(const struct bpf_insn *insn)
{
	uint32_t op = BPF_CLASS(insn->code) == BPF_STX ? OP_STORE : 0xc7;

	switch (BPF_SIZE(insn->code)) {
	case BPF_B:
		return (op - 1) | OP_BREG;
	case BPF_H:
		return op | OP_16;
	case BPF_W:
		return op;
	default:
		return op | OP_W;
	}
}

/* The constant behind a store of one. */
static void
put_stored(struct jit_buf *b, const struct bpf_insn *insn)
{
	if (BPF_CLASS(insn->code) == BPF_STX)
		return;
	if (BPF_SIZE(insn->code) == BPF_B)
		put8(b, (uint8_t)insn->imm);
	else if (BPF_SIZE(insn->code) == BPF_H)
		put16(b, (uint16_t)insn->imm);
	else
		put32(b, (uint32_t)insn->imm);
}

static unsigned
stored_reg(const struct bpf_insn *insn)
{
	return BPF_CLASS(insn->code) == BPF_STX ? reg_of[insn->src_reg] : 0;
}

static void
emit_load(struct gen *g, const struct bpf_insn *insn)
{
	put_rm(g->b, load_op(insn), reg_of[insn->dst_reg], reg_of[insn->src_reg], insn->off);
}

static void
emit_store(struct gen *g, const struct bpf_insn *insn)
{
	put_rm(g->b, store_op(insn), stored_reg(insn), reg_of[insn->dst_reg], insn->off);
	put_stored(g->b, insn);
}

/* and, or, xor that give back what was there: the machine has no such instruction, so try until nobody came between. */
static void
emit_fetch(struct gen *g, const struct bpf_insn *insn, enum x86_group group)
{
	uint32_t w = BPF_SIZE(insn->code) == BPF_DW ? OP_W : 0, again;
	unsigned src = reg_of[insn->src_reg], value = src == RAX ? SCRATCH2 : src;
	unsigned base = insn->dst_reg ? reg_of[insn->dst_reg] : SCRATCH2;
	struct jit_buf *b = g->b;

	put_mov(b, OP_W, SCRATCH2, RAX);
	put_rm(b, w | OP_MOV, RAX, base, insn->off);
	again = b->n;
	put_mov(b, w, SCRATCH, RAX);
	put_rr(b, w | (uint32_t)group << 3 | 3, SCRATCH, value);
	put_rm(b, OP_LOCK | w | OP_0F | 0xb1, SCRATCH, base, insn->off);
	put8(b, SKIP_IF(CC_NE));
	put8(b, again - (b->n + 1));
	if (src != RAX) {
		put_mov(b, w, src, RAX);
		put_mov(b, OP_W, RAX, SCRATCH2);
	}
}

static void
emit_atomic(struct gen *g, const struct bpf_insn *insn)
{
	uint32_t w = BPF_SIZE(insn->code) == BPF_DW ? OP_W : 0;
	unsigned src = reg_of[insn->src_reg], base = reg_of[insn->dst_reg];
	struct jit_buf *b = g->b;

	switch (insn->imm) {
	case BPF_ADD:
	case BPF_OR:
	case BPF_AND:
	case BPF_XOR:
		put_rm(b, OP_LOCK | w | (insn->imm == BPF_ADD ? G1_ADD : insn->imm == BPF_OR ? G1_OR : insn->imm == BPF_AND ? G1_AND : G1_XOR) << 3 | 1,
		       src, base, insn->off);
		break;
	case BPF_ADD | BPF_FETCH:
		put_rm(b, OP_LOCK | w | OP_0F | 0xc1, src, base, insn->off);
		break;
	case BPF_OR | BPF_FETCH:
		emit_fetch(g, insn, G1_OR);
		break;
	case BPF_AND | BPF_FETCH:
		emit_fetch(g, insn, G1_AND);
		break;
	case BPF_XOR | BPF_FETCH:
		emit_fetch(g, insn, G1_XOR);
		break;
	case BPF_XCHG:
		put_rm(b, w | 0x87, src, base, insn->off);
		break;
	case BPF_CMPXCHG:
		put_rm(b, OP_LOCK | w | OP_0F | 0xb1, src, base, insn->off);
		if (!w) /* where it was equal, rax was not written */
			put_mov(b, 0, RAX, RAX);
		break;
	default:
		assert(!"an atomic operation without code");
	}
}

/* ---- jumps --------------------------------------------------------------------------------------------------------- */

#define CC_ALWAYS 16u

/*
 * The jump of instruction pc to `target`. Backward the distance is known. Forward it is at most what the first pass saw between the
 * end of this instruction and where it goes, and `behind`, the most bytes that this instruction has behind the jump.
 */
static void
put_jump(struct gen *g, uint32_t pc, uint32_t target, unsigned cc, uint32_t behind)
{
	const struct jit_insn *insns = g->f->insns;
	struct jit_buf *b = g->b;
	bool is_short, is_back = target <= pc;

	if (is_back)
		is_short = b->n + 2 - insns[target].off <= 128;
	else
		is_short = !g->jit->first_pass && insns[target].off - insns[pc + 1].off + behind <= INT8_MAX;
	if (is_short) {
		put8(b, cc == CC_ALWAYS ? SKIP_ALWAYS : SKIP_IF(cc));
		put8(b, is_back ? insns[target].off - (b->n + 1) : 0);
	} else {
		if (cc != CC_ALWAYS)
			put8(b, 0x0f);
		put8(b, cc == CC_ALWAYS ? 0xe9 : 0x80 | cc);
		put32(b, is_back ? insns[target].off - (b->n + 4) : 0);
	}
	if (!is_back) {
		g->f->insns[pc].fix = b->n;
		g->f->insns[pc].fix_is_short = is_short;
	}
}

/* Sets the flags for a comparison. */
static void
put_compare(struct gen *g, const struct bpf_insn *insn, uint32_t w)
{
	unsigned dst = reg_of[insn->dst_reg];
	bool is_test = BPF_OP(insn->code) == BPF_JSET;
	struct jit_buf *b = g->b;

	if (!has_imm(insn)) {
		put_rr(b, w | (is_test ? OP_TEST : OP_CMP), dst, reg_of[insn->src_reg]);
	} else if (!is_test && insn->imm) {
		put_imm(b, w, G1_CMP, dst, insn->imm);
	} else if (!is_test) {
		put_rr(b, w | OP_TEST, dst, dst); /* as a comparison with 0 */
	} else if (insn->imm >= 0 && insn->imm <= INT8_MAX) {
		put_rr(b, OP_BRM | 0xf6, G3_TEST, dst);
		put8(b, (uint8_t)insn->imm);
	} else {
		if (insn->imm >= 0)
			w = 0;
		put_rr(b, w | 0xf7, G3_TEST, dst);
		put32(b, (uint32_t)insn->imm);
	}
}

static enum x86_cc
condition_of(const struct bpf_insn *insn)
{
	static const uint8_t conditions[16] = {
		[BPF_JEQ >> 4] = CC_E, [BPF_JNE >> 4] = CC_NE, [BPF_JGT >> 4] = CC_A, [BPF_JGE >> 4] = CC_AE, [BPF_JLT >> 4] = CC_B,
		[BPF_JLE >> 4] = CC_BE, [BPF_JSET >> 4] = CC_NE, [BPF_JSGT >> 4] = CC_G, [BPF_JSGE >> 4] = CC_GE,
		[BPF_JSLT >> 4] = CC_L, [BPF_JSLE >> 4] = CC_LE,
	};

	return conditions[BPF_OP(insn->code) >> 4];
}

static void
emit_cond(struct gen *g, uint32_t pc, const struct bpf_insn *insn)
{
	uint32_t target = jit_target(g->f, pc);

	if (target == pc + 1)
		return;
	put_compare(g, insn, width_of(insn));
	put_jump(g, pc, target, condition_of(insn), 0);
}

/* ---- prologue and epilogue ---------------------------------------------------------------------------------------- */

/* Does the entry keep `run`? Before that is known, it does. */
static bool
keeps_run(const struct gen *g)
{
	return g->is_entry && (g->jit->uses_run || g->jit->first_pass);
}

/* The registers that the function has to give back as they were, in the order in which they are pushed. */
static unsigned
saved_regs(const struct gen *g, uint8_t saved[8])
{
	unsigned n = 0;

	for (unsigned r = 6; r <= 9; r++)
		if (g->f->writes >> r & 1)
			saved[n++] = reg_of[r];
	if (g->is_entry && g->f->uses_stack)
		saved[n++] = RBP;
	if (keeps_run(g))
		saved[n++] = RUN;
	return n;
}

/* Calls want a stack of 16 bytes' alignment: with the return address an odd number of registers. */
static bool
needs_padding(const struct gen *g, unsigned n_saved)
{
	return g->jit->first_pass || (g->f->calls && n_saved % 2 == 0);
}

static void
emit_args(struct gen *g)
{
	/* r1 is where the arguments come from, so it is the last. */
	static const uint8_t order[] = { 1, 2, 3, 4, 0 };

	if (keeps_run(g))
		put_mov(g->b, OP_W, RUN, RDI);
	if (g->f->uses_stack)
		put_mov(g->b, OP_W, RBP, RDX);
	for (unsigned i = 0; i < ARRAY_SIZE(order); i++)
		if (g->jit->signature->args[order[i]].kind != VM_ARG_NONE)
			put_rm(g->b, OP_W | OP_MOV, reg_of[order[i] + 1], RSI, order[i] * 8);
}

static void
emit_prologue(struct gen *g)
{
	uint8_t saved[8];
	unsigned n = saved_regs(g, saved);

	for (unsigned i = 0; i < n; i++)
		put_push(g->b, saved[i]);
	if (needs_padding(g, n))
		put_push(g->b, RAX);
	if (g->is_entry)
		emit_args(g);
}

static void
emit_exit(struct gen *g)
{
	uint8_t saved[8];
	unsigned n = saved_regs(g, saved);

	if (needs_padding(g, n))
		put_pop(g->b, SCRATCH);
	while (n)
		put_pop(g->b, saved[--n]);
	put8(g->b, 0xc3);
}

/* ---- a budget --------------------------------------------------------------------------------------------------------- */

/* The function returns if the flags say that the budget is below 0. Its caller then finds it so, too. */
static void
put_exit_if_spent(struct gen *g)
{
	uint32_t skip = put_skip(g->b, SKIP_IF(CC_NS));

	emit_exit(g);
	land(g->b, skip);
}

/* Before a jump backward. */
static void
put_charge(struct gen *g)
{
	g->jit->uses_run = true;
	put_rm(g->b, OP_W | 0x83, G1_SUB, RUN, offsetof(struct vm_run, budget));
	put8(g->b, 1);
	put_exit_if_spent(g);
}

/* Behind a call of a function of the program, be it by a helper. */
static void
put_check_budget(struct gen *g)
{
	if (!g->has_budget)
		return;
	g->jit->uses_run = true;
	put_rm(g->b, OP_W | 0x83, G1_CMP, RUN, offsetof(struct vm_run, budget));
	put8(g->b, 0);
	put_exit_if_spent(g);
}

static bool
is_charged(const struct gen *g, uint32_t pc)
{
	return g->has_budget && insn_jumps_back(&g->f->func->insns[pc]);
}

/* ---- calls ---------------------------------------------------------------------------------------------------------- */

static void
put_call(struct gen *g, uint64_t address)
{
	int32_t rel;

	g->f->calls = true;
	if (reach(g, address, 5, &rel)) {
		put8(g->b, 0xe8);
		put32(g->b, (uint32_t)rel);
	} else {
		/* rax is free: it is about to be overwritten. */
		put_const(g->b, RAX, g->jit->first_pass ? UINT64_MAX >> 1 : address);
		put_rr(g->b, 0xff, 2, RAX);
	}
}

static void
emit_call_local(struct gen *g, uint32_t pc)
{
	const struct jit_func *callee = jit_callee(g->jit, g->f, pc);
	struct jit_buf *b = g->b;

	g->f->calls = true;
	if (callee->uses_stack)
		put_imm(b, OP_W, G1_ADD, RBP, VM_STACK_SIZE);
	put8(b, 0xe8);
	put32(b, callee->start - (b->n + 4));
	if (callee->uses_stack)
		put_imm(b, OP_W, G1_SUB, RBP, VM_STACK_SIZE);
	put_check_budget(g);
}

/* Most bytes of put_entry. */
#define ENTRY_BYTES_MAX 48

/* rax = address of the value of entry number SCRATCH. */
static void
put_entry(struct gen *g, const struct vm_table *t)
{
	uint64_t entry = (uint64_t)t->n_cpus * t->stride; /* less than 2 GB: check_table */
	unsigned shift = is_power_of_two(entry) ? (unsigned)__builtin_ctzll(entry) : 64;
	struct jit_buf *b = g->b;
	size_t len;

	if (shift == 64) {
		put_rr(b, OP_W | 0x69, SCRATCH, SCRATCH);
		put32(b, (uint32_t)entry);
	} else if (shift > 3) {
		put_shift(b, OP_W, G2_SHL, SCRATCH, shift);
	}
	put_address(g, RAX, (uintptr_t)array_memory(t, &len));
	put_rx(b, OP_LEA, RAX, RAX, SCRATCH, shift > 3 ? 0 : shift);
	if (t->n_cpus > 1) {
		g->jit->uses_run = true;
		put_rm(b, OP_W | OP_MOV, SCRATCH, RUN, offsetof(struct vm_run, cpu));
		put_rr(b, OP_W | 0x69, SCRATCH, SCRATCH);
		put32(b, t->stride);
		put_rr(b, OP_W | 0x03, RAX, SCRATCH);
	}
}

/* Is the instruction at pc, which nothing jumps to, a jump if r0 is null? */
static bool
is_null_check(const struct gen *g, uint32_t pc)
{
	const struct bpf_insn *insn = &g->f->func->insns[pc];

	return insn->code == (BPF_JMP | BPF_JEQ | BPF_K) && !insn->dst_reg && !insn->imm && insn->off && !g->f->insns[pc].target &&
	       !is_charged(g, pc);
}

/* rax = value of the entry whose number r2 points to, or 0. A null check behind it becomes part of it. */
static uint32_t
emit_array_lookup(struct gen *g, uint32_t pc, const struct vm_table *t)
{
	bool checks = is_null_check(g, pc + 1);
	struct jit_buf *b = g->b;
	uint32_t skip = 0;

	put_rm(b, OP_MOV, SCRATCH, RDX, 0);
	put_const(b, RAX, 0);
	put_imm(b, 0, G1_CMP, SCRATCH, (int32_t)t->table->max_entries);
	if (checks)
		put_jump(g, pc + 1, jit_target(g->f, pc + 1), CC_AE, ENTRY_BYTES_MAX);
	else
		skip = put_skip(b, SKIP_IF(CC_AE));
	put_entry(g, t);
	if (!checks)
		land(b, skip);
	return checks ? 2 : 1;
}

/* A lookup in a table that is known here: without the way through the helper and the table's operations. */
static uint32_t
emit_lookup(struct gen *g, uint32_t pc, const struct vm_table *t)
{
	if (t->ops == &array_ops)
		return emit_array_lookup(g, pc, t);
	put_address(g, RDI, (uintptr_t)t);
	put_mov(g->b, OP_W, RSI, RDX);
	put_call(g, (uintptr_t)t->ops->find);
	return 1;
}

/* Helpers that only fetch something: rax = 64 bits of env, at `off`. */
static bool
emit_env_helper(struct gen *g, int32_t helper)
{
	static const struct { int32_t helper; uint8_t off; bool swaps; } fetches[] = {
		{ BPF_FUNC_ktime_get_ns, offsetof(struct vm_env, ktime_ns), false },
		{ BPF_FUNC_get_current_pid_tgid, offsetof(struct vm_env, pid), true },
		{ BPF_FUNC_get_current_uid_gid, offsetof(struct vm_env, uid), false },
	};
	struct jit_buf *b = g->b;

	_Static_assert(offsetof(struct vm_env, tid) == offsetof(struct vm_env, pid) + 4, "fetched as one");
	_Static_assert(offsetof(struct vm_env, gid) == offsetof(struct vm_env, uid) + 4, "fetched as one");
	if (helper == BPF_FUNC_get_smp_processor_id) {
		put_rm(b, OP_W | OP_MOV, RAX, RUN, offsetof(struct vm_run, cpu));
		g->jit->uses_run = true;
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(fetches); i++) {
		if (fetches[i].helper != helper)
			continue;
		put_rm(b, OP_W | OP_MOV, RAX, RUN, offsetof(struct vm_run, env));
		put_rm(b, OP_W | OP_MOV, RAX, RAX, fetches[i].off);
		if (fetches[i].swaps) /* pid is the upper half */
			put_shift(b, OP_W, G2_ROL, RAX, 32);
		g->jit->uses_run = true;
		return true;
	}
	return false;
}

static uint32_t
emit_call(struct gen *g, uint32_t pc)
{
	int32_t number = g->f->func->insns[pc].imm;
	const struct vm_table *t = g->known[1];

	if (number == BPF_FUNC_map_lookup_elem && t && !g->hides && (t->ops == &array_ops || t->n_cpus == 1))
		return emit_lookup(g, pc, t);
	if (emit_env_helper(g, number))
		return 1;
	g->jit->uses_run = true;
	if (insn_calls_back(&g->f->func->insns[pc]))
		put_rm(g->b, OP_W | OP_STORE, RBP, RUN, offsetof(struct vm_run, frame));
	put_mov(g->b, OP_W, RDI, RUN);
	put_call(g, (uintptr_t)helper_code(number));
	if (insn_calls_back(&g->f->func->insns[pc]))
		put_check_budget(g);
	return 1;
}

/* dst = where helpers call a function of the program. */
static void
emit_func_address(struct gen *g, unsigned dst, const struct jit_func *callee)
{
	if (g->jit->first_pass)
		put_const(g->b, dst, UINT64_MAX >> 1);
	else
		put_address(g, dst, g->jit->address + callee->callback);
}

/* jit_callback: from the registers of a call in C to those of eBPF. */
static void
emit_callback(struct gen *g)
{
	static const uint8_t args[] = { RDX, RCX, R8, R9 };
	struct jit_buf *b = g->b;

	g->f->callback = b->n;
	put_push(b, RBP);
	put_push(b, RUN);
	put_push(b, RAX); /* for the alignment of the stack */
	put_mov(b, OP_W, RUN, RDI);
	put_mov(b, OP_W, RBP, RSI);
	for (unsigned i = 0; i < ARRAY_SIZE(args); i++)
		put_mov(b, OP_W, reg_of[i + 1], args[i]);
	put8(b, 0xe8);
	put32(b, g->f->start - (b->n + 4));
	put_pop(b, SCRATCH);
	put_pop(b, RUN);
	put_pop(b, RBP);
	put8(b, 0xc3);
}

/* ---- several instructions that are one ------------------------------------------------------------------------------- */

/* dst = a alu b where the machine has three operands; else a copy and the instruction behind it, as they stand. */
static void
emit_three(struct gen *g, uint32_t pc, const struct jit_op *op)
{
	unsigned dst = reg_of[op->dst], a = reg_of[op->a], b = reg_of[op->b];
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
		put_multiply_imm(g->b, w, dst, a, op->imm);
	} else if (op->alu == BPF_AND && op->has_imm && (op->imm == 0xff || op->imm == 0xffff)) {
		put_rr(g->b, OP_0F | (op->imm == 0xff ? OP_BRM | 0xb6 : 0xb7), dst, a);
	} else if (g->has_bmi2 && !op->has_imm && (op->alu == BPF_LSH || op->alu == BPF_RSH || op->alu == BPF_ARSH)) {
		put_shiftx(g->b, w, op->alu == BPF_LSH ? SHIFTX_SHL : op->alu == BPF_RSH ? SHIFTX_SHR : SHIFTX_SAR, dst, a, b);
	} else {
		put_mov(g->b, OP_W, dst, a);
		emit_alu(g, &g->f->func->insns[pc + 1]);
	}
}

/* dst = dst * imm + b: by one or two lea, if it can be. */
static void
emit_multiply_add(struct gen *g, uint32_t pc, const struct jit_op *op)
{
	unsigned dst = reg_of[op->dst], b = reg_of[op->b], shift = (unsigned)__builtin_ctz((unsigned)op->imm);
	int32_t factor = op->imm >> shift;
	uint32_t w = op->is_64 ? OP_W : 0;

	if (op->imm > 1 && shift <= 3 && (factor == 1 || is_lea_factor(factor))) {
		if (factor != 1)
			put_lea_factor(g->b, w, dst, dst, factor);
		put_rx(g->b, w | 0x8d, dst, b, dst, shift);
	} else {
		emit_alu(g, &g->f->func->insns[pc]);
		emit_alu(g, &g->f->func->insns[pc + 1]);
	}
}

static void
emit_rotate(struct gen *g, const struct jit_op *op)
{
	unsigned dst = reg_of[op->dst], a = reg_of[op->a];
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
	unsigned dst = reg_of[op->dst], a = reg_of[op->a];
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

	put_compare(g, cond, width_of(cond));
	put_rr(g->b, OP_W | OP_0F | 0x40 | (condition_of(cond) ^ 1), reg_of[op->dst], reg_of[op->a]);
}

static void
emit_bool(struct gen *g, const struct jit_op *op)
{
	const struct bpf_insn *cond = &g->f->func->insns[op->at];
	unsigned dst = reg_of[op->dst];

	put_const(g->b, dst, 0);
	put_compare(g, cond, width_of(cond));
	put_rr(g->b, OP_0F | OP_BRM | 0x90 | (condition_of(cond) ^ (op->imm ? 0 : 1)), 0, dst);
}

static void
emit_jump_unless(struct gen *g, const struct jit_op *op)
{
	const struct bpf_insn *cond = &g->f->func->insns[op->at];

	put_compare(g, cond, width_of(cond));
	put_jump(g, op->at + 1, jit_target(g->f, op->at + 1), condition_of(cond) ^ 1u, 0);
}

static void
emit_indexed(struct gen *g, const struct jit_op *op)
{
	const struct bpf_insn *insn = &g->f->func->insns[op->at];
	unsigned base = reg_of[op->a], index = reg_of[op->b];

	if (op->has_wide)
		put_address(g, base, jit_wide(g->jit, g->f, op->wide));
	if (BPF_CLASS(insn->code) == BPF_LDX) {
		put_rxd(g->b, load_op(insn), reg_of[insn->dst_reg], base, index, op->scale, insn->off);
	} else {
		put_rxd(g->b, store_op(insn), stored_reg(insn), base, index, op->scale, insn->off);
		put_stored(g->b, insn);
	}
}

static void
emit_op(struct gen *g, uint32_t pc, const struct jit_op *op)
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
	case JIT_JUMP_UNLESS:
		emit_jump_unless(g, op);
		break;
	case JIT_INDEXED:
		emit_indexed(g, op);
		break;
	}
}

/* ---- a function ------------------------------------------------------------------------------------------------------ */

/* reg = value, 32 bits with their sign, put together from two that nobody knows. Always as long. */
static void
put_hidden(struct gen *g, unsigned reg, int32_t value)
{
	uint32_t key = (uint32_t)jit_random(g->jit);

	put_op(g->b, 0xb8 | (reg & 7), 0, 0, reg, false);
	put32(g->b, (uint32_t)value ^ key);
	put_rr(g->b, 0x81, G1_XOR, reg);
	put32(g->b, key);
	put_rr(g->b, OP_W | 0x63, reg, reg);
}

static void
put_hidden64(struct gen *g, unsigned reg, uint64_t value)
{
	uint64_t key = jit_random(g->jit);

	put_op(g->b, OP_W | 0xb8 | (reg & 7), 0, 0, reg, false);
	put64(g->b, value ^ key);
	put_op(g->b, OP_W | 0xb8 | (SCRATCH3 & 7), 0, 0, SCRATCH3, false);
	put64(g->b, key);
	put_rr(g->b, OP_W | 0x33, reg, SCRATCH3);
}

static void
emit_wide(struct gen *g, uint32_t pc)
{
	const struct jit_func *addressed = jit_addressed(g->jit, g->f, pc);
	unsigned dst = reg_of[g->f->func->insns[pc].dst_reg];

	if (addressed)
		emit_func_address(g, dst, addressed);
	else if (g->hides && !func_reloc(g->f->func, pc))
		put_hidden64(g, dst, jit_wide(g->jit, g->f, pc));
	else
		put_address(g, dst, jit_wide(g->jit, g->f, pc));
}

/* Emits `insn`, which stands at pc, perhaps with the next. Returns how many instructions these were. */
static uint32_t
emit_one(struct gen *g, uint32_t pc, const struct bpf_insn *insn)
{
	const struct insn_info *info = insn_info(insn);

	switch ((enum insn_shape)info->shape) {
	case SHAPE_ALU:
	case SHAPE_UNARY:
		emit_alu(g, insn);
		break;
	case SHAPE_LD64:
		emit_wide(g, pc);
		return 2;
	case SHAPE_LOAD:
		emit_load(g, insn);
		break;
	case SHAPE_STORE:
		emit_store(g, insn);
		break;
	case SHAPE_ATOMIC:
		emit_atomic(g, insn);
		break;
	case SHAPE_JUMP:
		if (jit_target(g->f, pc) != pc + 1)
			put_jump(g, pc, jit_target(g->f, pc), CC_ALWAYS, 0);
		break;
	case SHAPE_COND:
		emit_cond(g, pc, insn);
		break;
	case SHAPE_CALL:
		if (info->id == INSN_CALL)
			return emit_call(g, pc);
		emit_call_local(g, pc);
		break;
	case SHAPE_EXIT:
		emit_exit(g);
		break;
	case SHAPE_PACKET:
		assert(!"packet access was verified");
	}
	return 1;
}

/* Emits what begins at pc. Returns how many instructions of eBPF that is. */
static uint32_t
emit_insn(struct gen *g, uint32_t pc)
{
	const struct bpf_insn *insn = &g->f->func->insns[pc];
	struct bpf_insn with;
	struct jit_op op;

	if (is_charged(g, pc))
		put_charge(g);
	if (!g->hides && jit_fuse(g->f, pc, &op) && !(op.kind == JIT_JUMP_UNLESS && is_charged(g, op.at + 1))) {
		emit_op(g, pc, &op);
		return op.n;
	}
	if (!jit_hides_constant(g->jit, insn))
		return emit_one(g, pc, insn);
	put_hidden(g, SCRATCH3, insn->imm);
	with = jit_with_register(insn);
	return emit_one(g, pc, &with);
}

/* What registers are known to hold after the instruction at pc. */
static void
learn(struct gen *g, uint32_t pc)
{
	const struct vm_table *table = jit_known_table(g->jit, g->f, pc, g->known);
	uint32_t written = jit_writes(&g->f->func->insns[pc], insn_info(&g->f->func->insns[pc]));

	for (unsigned r = 0; r < ARRAY_SIZE(g->known); r++)
		if (written >> r & 1)
			g->known[r] = table;
}

/* Fills in the displacements of jumps forward. */
static void
fix_jumps(struct gen *g)
{
	for (uint32_t pc = 0; pc < g->f->func->n_insns; pc++) {
		const struct jit_insn *insn = &g->f->insns[pc];
		uint32_t distance;

		if (!insn->fix)
			continue;
		distance = g->f->insns[jit_target(g->f, pc)].off - insn->fix;
		assert(!insn->fix_is_short || distance <= INT8_MAX);
		if (insn->fix_is_short)
			g->b->out[insn->fix - 1] = (uint8_t)distance;
		else
			memcpy(g->b->out + insn->fix - 4, &distance, 4);
	}
}

static void
x86_func(struct jit *jit, struct jit_func *f)
{
	struct gen g = {
		.jit = jit, .f = f, .b = &jit->buf, .is_entry = f == jit->last,
		.hides = jit->vm->constants != VM_CONSTANTS_PLAIN, .has_budget = jit->vm->budget,
		.has_bmi2 = !jit->vm->no_bmi2 && __builtin_cpu_supports("bmi2"),
	};

	emit_prologue(&g);
	for (uint32_t pc = 0; pc < f->func->n_insns;) {
		uint32_t n, width;

		if (f->insns[pc].target)
			memset(g.known, 0, sizeof(g.known));
		f->insns[pc].off = jit->buf.n;
		for (n = emit_insn(&g, pc); n; n -= width, pc += width) {
			width = 1 + insn_is_wide(&f->func->insns[pc]);
			learn(&g, pc);
		}
	}
	f->insns[f->func->n_insns].off = jit->buf.n;
	if (f->is_callback)
		emit_callback(&g);
	if (jit->buf.out)
		fix_jumps(&g);
}

const struct jit_backend jit_x86 = { .name = "x86-64", .trap = 0xcccccccc, .func = x86_func };

#endif
