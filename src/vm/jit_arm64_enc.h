/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Instructions of AArch64 as words (Arm Architecture Reference Manual for A-profile, chapter C6), all of four bytes. Where an instruction
 * has a form of 32 and one of 64 bits, `sf` is 0 or A64_SF.
 */
#ifndef KTAP_VM_JIT_ARM64_ENC_H
#define KTAP_VM_JIT_ARM64_ENC_H

#include <assert.h>
#include <string.h>

#include "vm/jit.h"

#define A64_SF 0x80000000u
#define A64_ZR 31u /* reads as 0; in addresses and pairs it is the stack pointer where the manual says so */
#define A64_LR 30u

enum a64_cc {
	A64_EQ = 0, A64_NE = 1, A64_HS = 2, A64_LO = 3, A64_PL = 5, A64_HI = 8, A64_LS = 9, A64_GE = 10, A64_LT = 11, A64_GT = 12, A64_LE = 13
};

/* Data processing, register form; the immediate forms of the first group are at + A64_TO_IMM. */
enum a64_op {
	A64_ADD = 0x0b000000, A64_SUB = 0x4b000000, A64_SUBS = 0x6b000000, A64_ADDS = 0x2b000000,
	A64_AND = 0x0a000000, A64_ORR = 0x2a000000, A64_EOR = 0x4a000000, A64_ANDS = 0x6a000000,
	A64_UDIV = 0x1ac00800, A64_SDIV = 0x1ac00c00, A64_LSLV = 0x1ac02000, A64_LSRV = 0x1ac02400, A64_ASRV = 0x1ac02800,
};

static inline void
put_word(struct jit_buf *b, uint32_t word)
{
	if (b->out) {
		assert(b->n + 4 <= b->cap);
		memcpy(b->out + b->n, &word, 4);
	}
	b->n += 4;
}

/* op d, n, m */
static inline void
put_ddd(struct jit_buf *b, uint32_t sf, enum a64_op op, unsigned d, unsigned n, unsigned m)
{
	put_word(b, sf | (uint32_t)op | m << 16 | n << 5 | d);
}

/* d = n ^ (m >> shift) */
static inline void
put_fold(struct jit_buf *b, unsigned d, unsigned n, unsigned m, unsigned shift)
{
	put_word(b, A64_SF | A64_EOR | 1u << 22 | m << 16 | shift << 10 | n << 5 | d);
}

/* d = n + (m << shift) */
static inline void
put_add_shifted(struct jit_buf *b, uint32_t sf, unsigned d, unsigned n, unsigned m, unsigned shift)
{
	put_word(b, sf | A64_ADD | m << 16 | shift << 10 | n << 5 | d);
}

static inline void
put_move(struct jit_buf *b, uint32_t sf, unsigned d, unsigned m)
{
	put_ddd(b, sf, A64_ORR, d, A64_ZR, m);
}

/* ADD, SUB and their forms that set flags, with a constant of 12 bits. */
static inline void
put_add_imm(struct jit_buf *b, uint32_t sf, enum a64_op op, unsigned d, unsigned n, uint32_t imm12)
{
	put_word(b, sf | ((uint32_t)op + 0x06000000) | imm12 << 10 | n << 5 | d);
}

/*
 * A constant of the logical instructions: a run of ones, rotated, repeated over the width in pieces of 2 to 64 bits. Fills the fields
 * N, immr and imms, in place in *fields. False: it is none. `value` of 32-bit instructions stands in both halves.
 */
static inline bool
logical_imm(uint64_t value, uint32_t *fields)
{
	unsigned size = 64, ones, turn = 0;
	uint64_t mask = UINT64_MAX, piece;

	if (!value || value == UINT64_MAX)
		return false;
	while (size > 2 && (value >> size / 2 & mask >> (64 - size / 2)) == (value & mask >> (64 - size / 2)))
		size /= 2;
	mask >>= 64 - size;
	piece = value & mask;
	ones = (unsigned)__builtin_popcountll(piece);
	/* Turns the run down to bit 0. */
	while (turn < size && piece != mask >> (size - ones)) {
		piece = (piece >> 1 | piece << (size - 1)) & mask;
		turn++;
	}
	if (turn == size)
		return false;
	*fields = (size == 64 ? 1u << 22 : 0) | ((size - turn) & (size - 1)) << 16 | ((0u - 2 * size) & 0x3f & ~(size == 64 ? 0x3fu : 0)) << 10 |
		  (ones - 1) << 10;
	return true;
}

/* AND, ORR, EOR, ANDS with such a constant. */
static inline void
put_logical_imm(struct jit_buf *b, uint32_t sf, enum a64_op op, unsigned d, unsigned n, uint32_t fields)
{
	put_word(b, sf | ((uint32_t)op + 0x08000000) | fields | n << 5 | d);
}

enum a64_wide { A64_MOVN = 0x12800000, A64_MOVZ = 0x52800000, A64_MOVK = 0x72800000 };

static inline void
put_wide(struct jit_buf *b, uint32_t sf, enum a64_wide op, unsigned d, uint32_t imm16, unsigned part)
{
	put_word(b, sf | (uint32_t)op | part << 21 | (imm16 & 0xffff) << 5 | d);
}

/* d = value, in as few instructions as its 16-bit parts take. */
static inline void
put_value(struct jit_buf *b, unsigned d, uint64_t value)
{
	unsigned zeros = 0, ones = 0;
	uint64_t rest;
	bool first = true;

	for (unsigned part = 0; part < 4; part++) {
		zeros += (value >> 16 * part & 0xffff) == 0;
		ones += (value >> 16 * part & 0xffff) == 0xffff;
	}
	rest = ones > zeros ? UINT64_MAX : 0; /* what the first instruction leaves in the other parts */
	for (unsigned part = 0; part < 4; part++) {
		uint32_t bits = (uint32_t)(value >> 16 * part & 0xffff);

		if (bits == (rest & 0xffff) && !(first && part == 3))
			continue;
		if (!first)
			put_wide(b, A64_SF, A64_MOVK, d, bits, part);
		else
			put_wide(b, A64_SF, rest ? A64_MOVN : A64_MOVZ, d, rest ? ~bits : bits, part);
		first = false;
	}
}

/* d = a * m + n, or a - m * n: the manual's MADD and MSUB. */
static inline void
put_multiply(struct jit_buf *b, uint32_t sf, bool subtracts, unsigned d, unsigned n, unsigned m, unsigned a)
{
	put_word(b, sf | 0x1b000000 | m << 16 | (subtracts ? 1u << 15 : 0) | a << 10 | n << 5 | d);
}

enum a64_field { A64_SBFM = 0x13000000, A64_UBFM = 0x53000000 };

/* Bit fields: shifts by constants and extensions. N is set with sf. */
static inline void
put_field(struct jit_buf *b, uint32_t sf, enum a64_field op, unsigned d, unsigned n, unsigned immr, unsigned imms)
{
	put_word(b, sf | (uint32_t)op | (sf ? 1u << 22 : 0) | immr << 16 | imms << 10 | n << 5 | d);
}

static inline void
put_rotate_right(struct jit_buf *b, uint32_t sf, unsigned d, unsigned n, unsigned count)
{
	put_word(b, sf | 0x13800000 | (sf ? 1u << 22 : 0) | n << 16 | count << 10 | n << 5 | d);
}

enum a64_access { A64_ST = 0, A64_LD = 1, A64_LDS = 2 }; /* a store, a load with zeros above, with the sign */

/* Access of 1 << size bytes at n + off. False, nothing put: off is not one that the instruction can say. */
static inline bool
put_access(struct jit_buf *b, unsigned size, enum a64_access access, unsigned t, unsigned n, int32_t off)
{
	uint32_t word = size << 30 | 0x38000000u | (uint32_t)access << 22 | n << 5 | t;

	if (off >= 0 && !(off & ((1 << size) - 1)) && off >> size < 4096)
		put_word(b, word | 1u << 24 | (uint32_t)off >> size << 10);
	else if (off >= -256 && off < 256)
		put_word(b, word | ((uint32_t)off & 0x1ff) << 12);
	else
		return false;
	return true;
}

/* The same at n + m, or where `scaled` at n + (m << size). */
static inline void
put_access_indexed(struct jit_buf *b, unsigned size, enum a64_access access, unsigned t, unsigned n, unsigned m, bool scaled)
{
	put_word(b, size << 30 | 0x38200800u | (uint32_t)access << 22 | m << 16 | 3u << 13 | (scaled ? 1u << 12 : 0) | n << 5 | t);
}

/* Two registers to the stack and back. */
static inline void
put_push_pair(struct jit_buf *b, unsigned t, unsigned u)
{
	put_word(b, 0xa9bf0000u | u << 10 | 31u << 5 | t);
}

static inline void
put_pop_pair(struct jit_buf *b, unsigned t, unsigned u)
{
	put_word(b, 0xa8c10000u | u << 10 | 31u << 5 | t);
}

/* Exclusive load and store of 4 or (sf) 8 bytes at n, with the order that atomic operations have. s becomes 0 where it succeeded. */
static inline void
put_load_exclusive(struct jit_buf *b, uint32_t sf, unsigned t, unsigned n)
{
	put_word(b, (sf ? 0xc85ffc00u : 0x885ffc00u) | n << 5 | t);
}

static inline void
put_store_exclusive(struct jit_buf *b, uint32_t sf, unsigned s, unsigned t, unsigned n)
{
	put_word(b, (sf ? 0xc800fc00u : 0x8800fc00u) | s << 16 | n << 5 | t);
}

/* A load of 4 bytes at n before all that comes behind it; loads before this before those behind it. */
static inline void
put_load_acquire(struct jit_buf *b, unsigned t, unsigned n)
{
	put_word(b, 0x88dffc00u | n << 5 | t);
}

static inline void
put_fence_loads(struct jit_buf *b)
{
	put_word(b, 0xd50339bfu); /* dmb ishld */
}

/* d = cc holds ? n : m */
static inline void
put_select(struct jit_buf *b, unsigned d, unsigned n, unsigned m, unsigned cc)
{
	put_word(b, 0x9a800000u | m << 16 | cc << 12 | n << 5 | d);
}

/* d = cc holds, as 1 or 0 */
static inline void
put_set_if(struct jit_buf *b, unsigned d, unsigned cc)
{
	put_word(b, 0x1a9f07e0u | (cc ^ 1) << 12 | d);
}

/* Jumps, whose distance is filled in by set_distance. */
#define A64_B      0x14000000u
#define A64_BL     0x94000000u
#define A64_BLR    0xd63f0000u /* | register << 5 */
#define A64_B_IF(cc) (0x54000000u | (cc))
#define A64_CBZ    0x34000000u /* | sf | register */
#define A64_CBNZ   0x35000000u

/* The jump `word` with a distance in bytes from itself. */
static inline uint32_t
with_distance(uint32_t word, int64_t distance)
{
	bool is_long = (word & 0x7c000000) == A64_B;

	assert(distance % 4 == 0 && (is_long ? distance >= -(1 << 27) && distance < 1 << 27 : distance >= -(1 << 20) && distance < 1 << 20));
	return word | (is_long ? (uint32_t)(distance >> 2) & 0x3ffffff : ((uint32_t)(distance >> 2) & 0x7ffff) << 5);
}

/* A jump forward within what one instruction becomes. Returns what land_here wants. */
static inline uint32_t
put_skip_word(struct jit_buf *b, uint32_t word)
{
	put_word(b, word);
	return b->n;
}

static inline void
land_here(struct jit_buf *b, uint32_t skip)
{
	uint32_t word;

	if (!b->out)
		return;
	memcpy(&word, b->out + skip - 4, 4);
	word = with_distance(word, (int64_t)b->n - (skip - 4));
	memcpy(b->out + skip - 4, &word, 4);
}

#endif
