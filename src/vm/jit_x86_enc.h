/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Instructions of x86-64 as bytes, in their shortest form (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2).
 * An opcode is a number of flags and the last byte:
 *
 *      prefixes       REX      escape    opcode    ModRM [SIB] [displacement]    immediate
 *      F0, 66         40-4F    0F        byte      from the operands             appended by the caller
 */
#ifndef KTAP_VM_JIT_X86_ENC_H
#define KTAP_VM_JIT_X86_ENC_H

#include <assert.h>
#include <string.h>

#include "vm/jit.h"

enum x86_reg { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

/* Conditions of jumps and moves: the low four bits of their opcodes. cc ^ 1 is the opposite. */
enum x86_cc {
	CC_B = 2, CC_AE = 3, CC_E = 4, CC_NE = 5, CC_BE = 6, CC_A = 7, CC_NS = 9, CC_L = 12, CC_GE = 13, CC_LE = 14, CC_G = 15
};

#define OP_0F   0x0100u  /* behind the escape byte */
#define OP_W    0x0200u  /* 64 bits */
#define OP_16   0x0400u  /* 16 bits */
#define OP_LOCK 0x0800u
#define OP_BREG 0x1000u  /* the register operand has 8 bits */
#define OP_BRM  0x2000u  /* the register or memory operand has 8 bits */

#define OP_LEA   (OP_W | 0x8d)
#define OP_MOV   0x8bu /* register from register or memory */
#define OP_STORE 0x89u /* memory from register */
#define OP_TEST  0x85u
#define OP_CMP   0x3bu
#define OP_CMP_MEM 0x39u /* memory with a register */
#define OP_IMUL  (OP_0F | 0xaf)

/* Opcodes with a number instead of a register operand. */
enum x86_group {
	G1_ADD = 0, G1_OR = 1, G1_AND = 4, G1_SUB = 5, G1_XOR = 6, G1_CMP = 7, /* 81, 83 */
	G2_ROL = 0, G2_ROR = 1, G2_SHL = 4, G2_SHR = 5, G2_SAR = 7,            /* c1, d1, d3 */
	G3_TEST = 0, G3_NEG = 3, G3_DIV = 6, G3_IDIV = 7,                      /* f7 */
};

static inline bool
fits8(int64_t value)
{
	return value == (int8_t)value;
}

static inline bool
fits32(int64_t value)
{
	return value == (int32_t)value;
}

static inline void
put8(struct jit_buf *b, uint32_t byte)
{
	if (b->out) {
		assert(b->n < b->cap);
		b->out[b->n] = (uint8_t)byte;
	}
	b->n++;
}

static inline void
put16(struct jit_buf *b, uint32_t value)
{
	put8(b, value & 0xff);
	put8(b, value >> 8 & 0xff);
}

static inline void
put32(struct jit_buf *b, uint32_t value)
{
	put16(b, value & 0xffff);
	put16(b, value >> 16);
}

static inline void
put64(struct jit_buf *b, uint64_t value)
{
	put32(b, (uint32_t)value);
	put32(b, (uint32_t)(value >> 32));
}

/* Prefixes and opcode; the registers tell whether there has to be a REX. */
static inline void
put_op(struct jit_buf *b, uint32_t op, unsigned reg, unsigned index, unsigned rm, bool rm_is_reg)
{
	unsigned rex = (op & OP_W ? 8 : 0) | (reg >> 3) << 2 | (index >> 3) << 1 | rm >> 3;

	/* Without a REX, 8-bit operands 4 to 7 would be ah, ch, dh, bh. */
	if ((op & OP_BREG && reg >= 4) || (op & OP_BRM && rm_is_reg && rm >= 4))
		rex |= 0x40;
	if (op & OP_LOCK)
		put8(b, 0xf0);
	if (op & OP_16)
		put8(b, 0x66);
	if (rex)
		put8(b, 0x40 | rex);
	if (op & OP_0F)
		put8(b, 0x0f);
	put8(b, op & 0xff);
}

/* op reg, rm: both registers. */
static inline void
put_rr(struct jit_buf *b, uint32_t op, unsigned reg, unsigned rm)
{
	put_op(b, op, reg, 0, rm, true);
	put8(b, 0xc0 | (reg & 7) << 3 | (rm & 7));
}

/* op reg, [base + disp] */
static inline void
put_rm(struct jit_buf *b, uint32_t op, unsigned reg, unsigned base, int32_t disp)
{
	/* rbp and r13 have no form without displacement; rsp and r12 need a SIB byte. */
	unsigned mod = !disp && (base & 7) != RBP ? 0 : fits8(disp) ? 1 : 2;

	put_op(b, op, reg, 0, base, false);
	put8(b, mod << 6 | (reg & 7) << 3 | (base & 7));
	if ((base & 7) == RSP)
		put8(b, 0x24);
	if (mod == 1)
		put8(b, (uint8_t)disp);
	else if (mod == 2)
		put32(b, (uint32_t)disp);
}

/* op reg, [base + index << scale + disp] */
static inline void
put_rxd(struct jit_buf *b, uint32_t op, unsigned reg, unsigned base, unsigned index, unsigned scale, int32_t disp)
{
	unsigned mod = !disp && (base & 7) != RBP ? 0 : fits8(disp) ? 1 : 2;

	put_op(b, op, reg, index, base, false);
	put8(b, mod << 6 | (reg & 7) << 3 | 4);
	put8(b, scale << 6 | (index & 7) << 3 | (base & 7));
	if (mod == 1)
		put8(b, (uint8_t)disp);
	else if (mod == 2)
		put32(b, (uint32_t)disp);
}

/* op reg, [base + index << scale] */
static inline void
put_rx(struct jit_buf *b, uint32_t op, unsigned reg, unsigned base, unsigned index, unsigned scale)
{
	put_rxd(b, op, reg, base, index, scale, 0);
}

/* op reg, imm with an opcode of the first group. */
static inline void
put_imm(struct jit_buf *b, uint32_t w, enum x86_group group, unsigned reg, int32_t imm)
{
	if (fits8(imm)) {
		put_rr(b, w | 0x83, group, reg);
		put8(b, (uint8_t)imm);
	} else if (reg == RAX) {
		put_op(b, w | group << 3 | 5, 0, 0, 0, false);
		put32(b, (uint32_t)imm);
	} else {
		put_rr(b, w | 0x81, group, reg);
		put32(b, (uint32_t)imm);
	}
}

/* Shift or rotation by a constant. */
static inline void
put_shift(struct jit_buf *b, uint32_t w, enum x86_group group, unsigned reg, unsigned count)
{
	if (count == 1) {
		put_rr(b, w | 0xd1, group, reg);
	} else {
		put_rr(b, w | 0xc1, group, reg);
		put8(b, count);
	}
}

static inline void
put_mov(struct jit_buf *b, uint32_t w, unsigned dst, unsigned src)
{
	put_rr(b, w | OP_MOV, dst, src);
}

/* reg = value, 64 bits. Leaves no meaning in the flags. */
static inline void
put_const(struct jit_buf *b, unsigned reg, uint64_t value)
{
	if (!value) {
		put_rr(b, 0x33, reg, reg);
	} else if (value <= UINT32_MAX) {
		put_op(b, 0xb8 | (reg & 7), 0, 0, reg, false);
		put32(b, (uint32_t)value);
	} else if (fits32((int64_t)value)) {
		put_rr(b, OP_W | 0xc7, 0, reg);
		put32(b, (uint32_t)value);
	} else {
		put_op(b, OP_W | 0xb8 | (reg & 7), 0, 0, reg, false);
		put64(b, value);
	}
}

static inline void
put_push(struct jit_buf *b, unsigned reg)
{
	put_op(b, 0x50 | (reg & 7), 0, 0, reg, false);
}

static inline void
put_pop(struct jit_buf *b, unsigned reg)
{
	put_op(b, 0x58 | (reg & 7), 0, 0, reg, false);
}

/* A short jump forward within what one instruction becomes. Returns what `land` wants. */
static inline uint32_t
put_skip(struct jit_buf *b, uint32_t op)
{
	put8(b, op);
	put8(b, 0);
	return b->n;
}

/* The skip arrives here. */
static inline void
land(struct jit_buf *b, uint32_t skip)
{
	assert(b->n - skip <= INT8_MAX);
	if (b->out)
		b->out[skip - 1] = (uint8_t)(b->n - skip);
}

/* The same as far as it has to be. */
static inline uint32_t
put_far_skip(struct jit_buf *b, enum x86_cc cc)
{
	put8(b, 0x0f);
	put8(b, 0x80 | cc);
	put32(b, 0);
	return b->n;
}

static inline void
land_far(struct jit_buf *b, uint32_t skip)
{
	uint32_t distance = b->n - skip;

	if (b->out)
		memcpy(b->out + skip - 4, &distance, 4);
}

/* dst = src rotated right by count: a rotation into another register, of BMI2. Flags stay. */
static inline void
put_rorx(struct jit_buf *b, uint32_t w, unsigned dst, unsigned src, unsigned count)
{
	put8(b, 0xc4);
	put8(b, (dst & 8 ? 0 : 0x80) | 0x40 | (src & 8 ? 0 : 0x20) | 3);
	put8(b, (w ? 0x80 : 0) | 0x7b);
	put8(b, 0xf0);
	put8(b, 0xc0 | (dst & 7) << 3 | (src & 7));
	put8(b, count);
}

/* hi:lo = rdx * src, of BMI2. Flags stay. */
static inline void
put_mulx(struct jit_buf *b, unsigned hi, unsigned lo, unsigned src)
{
	put8(b, 0xc4);
	put8(b, (hi & 8 ? 0 : 0x80) | 0x40 | (src & 8 ? 0 : 0x20) | 2);
	put8(b, 0x80 | (~lo & 15) << 3 | 3);
	put8(b, 0xf6);
	put8(b, 0xc0 | (hi & 7) << 3 | (src & 7));
}

#define SKIP_ALWAYS 0xebu
#define SKIP_IF(cc) (0x70u | (cc))

/* Shifts of BMI2 by a count in any register: dst = src shifted by the low bits of count. Flags stay. */
enum x86_shiftx { SHIFTX_SHL = 1, SHIFTX_SAR = 2, SHIFTX_SHR = 3 }; /* the "pp" of VEX */

static inline void
put_shiftx(struct jit_buf *b, uint32_t w, enum x86_shiftx kind, unsigned dst, unsigned src, unsigned count)
{
	put8(b, 0xc4);
	put8(b, (dst & 8 ? 0 : 0x80) | 0x40 | (src & 8 ? 0 : 0x20) | 2);
	put8(b, (w ? 0x80 : 0) | (~count & 15) << 3 | kind);
	put8(b, 0xf7);
	put8(b, 0xc0 | (dst & 7) << 3 | (src & 7));
}

#endif
