/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Machine code for x86-64: arithmetic, loads and stores, atomic operations. One instruction of eBPF, in the shortest form that does it;
 * SCRATCH and its like are free within it, flags mean nothing behind it.
 */
#include "vm/jit_x86.h"

#if defined(__x86_64__)

/* ---- arithmetic ------------------------------------------------------------------------------------------------- */

/* dst = 0 if the divisor is 0; modulo leaves the dividend. */
static void
put_by_zero(struct gen *g, const struct bpf_insn *insn, uint32_t w)
{
	unsigned dst = x86_reg_of[insn->dst_reg];

	if (BPF_OP(insn->code) == BPF_DIV)
		put_const(g->b, dst, 0);
	else if (!w)
		put_mov(g->b, 0, dst, dst);
}

static void
put_by_minus_one(struct gen *g, const struct bpf_insn *insn, uint32_t w)
{
	unsigned dst = x86_reg_of[insn->dst_reg];

	if (BPF_OP(insn->code) == BPF_DIV)
		put_rr(g->b, w | 0xf7, G3_NEG, dst);
	else
		put_const(g->b, dst, 0);
}

/* dst divided by SCRATCH, which is neither 0 nor, in a signed division, -1. */
static void
put_division(struct gen *g, const struct bpf_insn *insn, uint32_t w)
{
	unsigned dst = x86_reg_of[insn->dst_reg], result = BPF_OP(insn->code) == BPF_DIV ? RAX : RDX;
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

/* Unsigned division by 1 << shift. */
static void
put_division_by_power(struct gen *g, const struct bpf_insn *insn, uint32_t w, unsigned shift)
{
	unsigned dst = x86_reg_of[insn->dst_reg];
	struct jit_buf *b = g->b;

	if (BPF_OP(insn->code) == BPF_DIV && shift)
		put_shift(b, w, G2_SHR, dst, shift);
	else if (BPF_OP(insn->code) == BPF_DIV)
		put_mov(b, w, dst, dst);
	else if (shift < 32)
		put_imm(b, 0, G1_AND, dst, (int32_t)((1u << shift) - 1));
}

/*
 * Unsigned division of numbers of `bits` by a constant, as a multiplication (Granlund and Montgomery, "Division by Invariant Integers
 * using Multiplication", 1994): x / divisor = (x * factor) >> (bits + shift), where the factor may have one bit more than fits.
 */
struct reciprocal {
	uint64_t factor; /* without its bit number `bits`, if `adds` */
	bool adds;
	unsigned shift;
};

/* The divisor is no power of two and less than 1 << 32. */
static struct reciprocal
reciprocal_of(uint32_t divisor, unsigned bits)
{
	unsigned shift = 31 - (unsigned)__builtin_clz(divisor);
	unsigned __int128 power = (unsigned __int128)1 << (bits + shift);
	uint64_t factor = (uint64_t)(power / divisor) + 1; /* less than 1 << bits, for the divisor is more than 1 << shift */

	/* Good if the error of the factor, times the divisor, is at most 1 << shift. */
	if ((unsigned __int128)factor * divisor - power <= (unsigned __int128)1 << shift)
		return (struct reciprocal){ factor, false, shift };
	power <<= 1;
	return (struct reciprocal){ (uint64_t)(power / divisor + 1 - ((unsigned __int128)1 << bits)), true, shift + 1 };
}

/* SCRATCH2 = the high half of SCRATCH * factor */
static void
put_high_product(struct gen *g, uint32_t w, uint64_t factor)
{
	struct jit_buf *b = g->b;

	if (w) {
		put_mov(b, OP_W, SCRATCH3, RDX);
		put_const(b, RDX, factor);
		put_mulx(b, SCRATCH2, RDX, SCRATCH);
		put_mov(b, OP_W, RDX, SCRATCH3);
	} else {
		put_const(b, SCRATCH2, factor);
		put_rr(b, OP_W | OP_IMUL, SCRATCH2, SCRATCH);
		put_shift(b, OP_W, G2_SHR, SCRATCH2, 32);
	}
}

static void
put_division_by_constant(struct gen *g, const struct bpf_insn *insn, uint32_t w, uint32_t divisor)
{
	struct reciprocal r = reciprocal_of(divisor, w ? 64 : 32);
	unsigned dst = x86_reg_of[insn->dst_reg];
	struct jit_buf *b = g->b;

	put_mov(b, w, SCRATCH, dst);
	put_high_product(g, w, r.factor);
	if (r.adds) { /* (x + product) >> shift, in whose sum no bit is lost */
		put_mov(b, w, SCRATCH3, SCRATCH);
		put_rr(b, w | 0x2b, SCRATCH3, SCRATCH2);
		put_shift(b, w, G2_SHR, SCRATCH3, 1);
		put_rr(b, w | 0x03, SCRATCH2, SCRATCH3);
		r.shift--;
	}
	if (r.shift)
		put_shift(b, w, G2_SHR, SCRATCH2, r.shift);
	if (BPF_OP(insn->code) == BPF_DIV) {
		put_mov(b, w, dst, SCRATCH2);
	} else {
		put_rr(b, w | 0x69, SCRATCH2, SCRATCH2);
		put32(b, divisor);
		put_mov(b, w, dst, SCRATCH);
		put_rr(b, w | 0x2b, dst, SCRATCH2);
	}
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
	} else if (!insn->off && (w ? g->has_bmi2 && divisor <= INT32_MAX : divisor <= UINT32_MAX)) {
		put_division_by_constant(g, insn, w, (uint32_t)divisor);
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
	put_mov(b, w, SCRATCH, x86_reg_of[insn->src_reg]);
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
bool
x86_is_lea_factor(int32_t factor)
{
	return factor == 3 || factor == 5 || factor == 9;
}

/* dst = src * factor */
void
x86_lea_factor(struct jit_buf *b, uint32_t w, unsigned dst, unsigned src, int32_t factor)
{
	put_rx(b, w | 0x8d, dst, src, src, (unsigned)__builtin_ctz((unsigned)factor - 1));
}

/* dst = src * imm */
void
x86_multiply_imm(struct jit_buf *b, uint32_t w, unsigned dst, unsigned src, int32_t imm)
{
	if (x86_is_lea_factor(imm)) {
		x86_lea_factor(b, w, dst, src, imm);
	} else if (imm == 10) {
		x86_lea_factor(b, w, dst, src, 5);
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
	unsigned dst = x86_reg_of[insn->dst_reg];

	if (has_imm(insn))
		x86_multiply_imm(g->b, w, dst, dst, insn->imm);
	else
		put_rr(g->b, w | OP_IMUL, dst, x86_reg_of[insn->src_reg]);
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
	unsigned dst = x86_reg_of[insn->dst_reg], src = x86_reg_of[insn->src_reg], count = (unsigned)insn->imm & (w ? 63 : 31);

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
	unsigned dst = x86_reg_of[insn->dst_reg], src = x86_reg_of[insn->src_reg];
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
	unsigned dst = x86_reg_of[insn->dst_reg];

	if (!has_imm(insn))
		put_rr(g->b, w | (uint32_t)group << 3 | 3, dst, x86_reg_of[insn->src_reg]);
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
	unsigned dst = x86_reg_of[insn->dst_reg];
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

void
x86_alu(struct gen *g, const struct bpf_insn *insn)
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
		put_rr(g->b, w | 0xf7, G3_NEG, x86_reg_of[insn->dst_reg]);
		break;
	case BPF_END:
		emit_swap(g, insn);
		break;
	default:
		assert(!"an operation without code");
	}
}

/* ---- memory ----------------------------------------------------------------------------------------------------- */

uint32_t
x86_load_op(const struct bpf_insn *insn)
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
uint32_t
x86_store_op(const struct bpf_insn *insn)
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

uint32_t
x86_stored_bytes(const struct bpf_insn *insn)
{
	if (BPF_CLASS(insn->code) == BPF_STX)
		return 0;
	return BPF_SIZE(insn->code) == BPF_B ? 1 : BPF_SIZE(insn->code) == BPF_H ? 2 : 4;
}

/* The constant behind a store of one. */
void
x86_put_stored(struct jit_buf *b, const struct bpf_insn *insn)
{
	uint32_t n = x86_stored_bytes(insn);

	for (uint32_t i = 0; i < n; i++)
		put8(b, (uint32_t)insn->imm >> 8 * i & 0xff);
}

unsigned
x86_stored_reg(const struct bpf_insn *insn)
{
	return BPF_CLASS(insn->code) == BPF_STX ? x86_reg_of[insn->src_reg] : 0;
}

void
x86_load(struct gen *g, const struct bpf_insn *insn)
{
	put_rm(g->b, x86_load_op(insn), x86_reg_of[insn->dst_reg], x86_reg_of[insn->src_reg], insn->off);
}

void
x86_store(struct gen *g, const struct bpf_insn *insn)
{
	put_rm(g->b, x86_store_op(insn), x86_stored_reg(insn), x86_reg_of[insn->dst_reg], insn->off);
	x86_put_stored(g->b, insn);
}

/* and, or, xor that give back what was there: the machine has no such instruction, so compare and exchange until no other thread came between. */
static void
emit_fetch(struct gen *g, const struct bpf_insn *insn, enum x86_group group)
{
	uint32_t w = BPF_SIZE(insn->code) == BPF_DW ? OP_W : 0, again;
	unsigned src = x86_reg_of[insn->src_reg], value = src == RAX ? SCRATCH2 : src;
	unsigned base = insn->dst_reg ? x86_reg_of[insn->dst_reg] : SCRATCH2;
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

void
x86_atomic(struct gen *g, const struct bpf_insn *insn)
{
	uint32_t w = BPF_SIZE(insn->code) == BPF_DW ? OP_W : 0;
	unsigned src = x86_reg_of[insn->src_reg], base = x86_reg_of[insn->dst_reg];
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

#endif
