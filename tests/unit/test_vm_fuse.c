/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Instructions that become one in machine code (jit_fuse.c), jumps that go elsewhere, addresses that stay in registers and what the verifier saw
 * (jit_look.c): each pattern is found where it may be, and not where somebody still reads what would be left out; and either way the machine code
 * leaves in all registers and in memory what the interpreter leaves, for operands at the edges.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vm_fixture.h"

#include "vm/jit.h"

static const uint64_t edges[] = { 0, 1, 2, 63, 64, 0x7f, 0x80, 0xff, 0x100, 0x8000, 0x7fffffff, 0x80000000, 0xffffffff, 0x123456789abcdef0,
				  0x7fffffffffffffff, 0x8000000000000000, 0xffffffff80000000, 0xffffffffffffffff };

#define NOT_FUSED (-1)

/* By the rules of the RFC, which permit shifts by any constant. */
static const struct vm_signature signature = { .policy = VM_POLICY_RFC, .args = {
	{ VM_ARG_SCALAR, 0 }, { VM_ARG_SCALAR, 0 }, { VM_ARG_NONE, 0 }, { VM_ARG_MEM, SCRATCH_SIZE },
} };

/*
 * r1 and r2 hold the operands, r4 the address of scratch; r3 is r1 & 7. `reads`: bit n: register n is read afterwards. What begins at the
 * first instruction is of this kind and takes `n` instructions.
 */
static const struct pattern {
	const char *text;
	unsigned reads;
	int kind;
	uint32_t n;
} patterns[] = {
	/* rotations, in a copy and in place, both directions, both widths */
	{ "r5 = r1\n r5 >>= 51\n r0 = r1\n r0 <<= 13\n r0 |= r5\n", 0x3, JIT_ROTATE, 5 },
	{ "r5 = r1\n r5 >>= 51\n r0 = r1\n r0 <<= 13\n r0 |= r5\n", 0x23, JIT_THREE, 2 },
	{ "r5 = r1\n r5 <<= 13\n r0 = r1\n r0 >>= 51\n r0 += r5\n", 0x3, JIT_ROTATE, 5 },
	{ "r5 = r1\n r5 >>= 60\n r1 <<= 4\n r1 ^= r5\n", 0x6, JIT_ROTATE, 4 },
	{ "r5 = r1\n r5 <<= 4\n r1 >>= 60\n r1 |= r5\n", 0x6, JIT_ROTATE, 4 },
	{ "r5 = r1\n r5 >>= 60\n r1 <<= 5\n r1 |= r5\n", 0x6, JIT_THREE, 2 },
	{ "r5 = r1\n r5 >>= 60\n r1 <<= 4\n r1 &= r5\n", 0x6, JIT_THREE, 2 },
	{ "w5 = w1\n w5 >>= 19\n w0 = w1\n w0 <<= 13\n w0 |= w5\n", 0x3, JIT_ROTATE, 5 },
	{ "w5 = w1\n w5 >>= 19\n w1 <<= 13\n w1 |= w5\n", 0x6, JIT_ROTATE, 4 },
	{ "r5 = r1\n w5 >>= 19\n w1 <<= 13\n r1 |= r5\n", 0x6, JIT_ROTATE, 4 },
	{ "r5 = r1\n r5 >>= 19\n w1 <<= 13\n w1 |= w5\n", 0x6, JIT_THREE, 2 },
	{ "w5 = w1\n r5 >>= 51\n r1 <<= 13\n r1 |= r5\n", 0x6, NOT_FUSED, 0 },
	{ "r5 = r1\n r5 >>= 65\n r1 <<= -1\n r1 |= r5\n", 0x6, JIT_THREE, 2 },
	{ "w5 = w1\n w5 >>= 32\n w1 <<= 0\n w1 |= w5\n", 0x6, JIT_THREE, 2 },
	/* the low bits */
	{ "r0 = r1\n r0 <<= 32\n r0 >>= 32\n", 0x3, JIT_ZERO_EXTEND, 3 },
	{ "r1 <<= 32\n r1 >>= 32\n", 0x2, JIT_ZERO_EXTEND, 2 },
	{ "r0 = r1\n r0 <<= 48\n r0 >>= 48\n", 0x3, JIT_ZERO_EXTEND, 3 },
	{ "r1 <<= 56\n r1 >>= 56\n", 0x2, JIT_ZERO_EXTEND, 2 },
	{ "r0 = r1\n r0 <<= 32\n r0 s>>= 32\n", 0x3, JIT_SIGN_EXTEND, 3 },
	{ "r1 <<= 48\n r1 s>>= 48\n", 0x2, JIT_SIGN_EXTEND, 2 },
	{ "r5 = r1\n r5 <<= 56\n r5 s>>= 56\n", 0x22, JIT_SIGN_EXTEND, 3 },
	{ "r1 <<= 32\n r1 >>= 31\n", 0x2, NOT_FUSED, 0 },
	{ "r1 <<= 32\n r2 >>= 32\n", 0x6, NOT_FUSED, 0 },
	/* three operands */
	{ "r0 = r1\n r0 += r2\n", 0x7, JIT_THREE, 2 },
	{ "w0 = w1\n w0 += w2\n", 0x7, JIT_THREE, 2 },
	{ "r0 = r1\n w0 += w2\n", 0x7, JIT_THREE, 2 },
	{ "w0 = w1\n r0 += r2\n", 0x7, NOT_FUSED, 0 },
	{ "r0 = r1\n r0 += r0\n", 0x7, JIT_THREE, 2 },
	{ "r0 = r1\n r0 *= r0\n", 0x7, JIT_THREE, 2 },
	{ "r0 = r1\n r0 += -100000\n", 0x7, JIT_THREE, 2 },
	{ "r0 = r1\n r0 -= 7\n", 0x7, JIT_THREE, 2 },
	{ "w0 = w1\n w0 -= 7\n", 0x7, JIT_THREE, 2 },
	{ "r0 = r1\n r0 -= -2147483648\n", 0x7, JIT_THREE, 2 },
	{ "r0 = r1\n r0 -= r2\n", 0x7, JIT_THREE, 2 },
	{ "r0 = r1\n r0 *= 12\n", 0x7, JIT_THREE, 2 },
	{ "r0 = r1\n r0 *= 1025\n", 0x7, JIT_THREE, 2 },
	{ "r0 = r1\n r0 *= 64\n", 0x7, JIT_THREE, 2 },
	{ "w0 = w1\n w0 *= 10\n", 0x7, JIT_THREE, 2 },
	{ "r0 = r1\n r0 *= 0\n", 0x7, JIT_THREE, 2 },
	{ "r0 = r1\n r0 <<= 1\n", 0x7, JIT_THREE, 2 },
	{ "r0 = r1\n r0 <<= r2\n", 0x7, JIT_THREE, 2 },
	{ "w0 = w1\n w0 s>>= w2\n", 0x7, JIT_THREE, 2 },
	{ "r0 = r1\n r0 &= 255\n", 0x7, JIT_THREE, 2 },
	{ "r0 = r1\n r0 &= 65535\n", 0x7, JIT_THREE, 2 },
	{ "r0 = r1\n r0 &= -256\n", 0x7, JIT_THREE, 2 },
	{ "r0 = r1\n r0 /= r2\n", 0x7, JIT_THREE, 2 },
	{ "w0 = w1\n w0 %= w2\n", 0x7, JIT_THREE, 2 },
	{ "r0 = r1\n r0 = -r0\n", 0x7, NOT_FUSED, 0 },
	/* multiply and add */
	{ "r1 *= 10\n r1 += r2\n", 0x6, JIT_MULTIPLY_ADD, 2 },
	{ "w1 *= 10\n w1 += w2\n", 0x6, JIT_MULTIPLY_ADD, 2 },
	{ "r1 *= 24\n r1 += r2\n", 0x6, JIT_MULTIPLY_ADD, 2 },
	{ "r1 <<= 3\n r1 += r2\n", 0x6, JIT_MULTIPLY_ADD, 2 },
	{ "w1 <<= 2\n w1 += w2\n", 0x6, JIT_MULTIPLY_ADD, 2 },
	{ "r1 <<= 5\n r1 += r2\n", 0x6, JIT_MULTIPLY_ADD, 2 },
	{ "r1 *= 1\n r1 += r2\n", 0x6, JIT_MULTIPLY_ADD, 2 },
	{ "r1 *= -3\n r1 += r2\n", 0x6, JIT_MULTIPLY_ADD, 2 },
	{ "r1 *= 7\n r1 += r2\n", 0x6, JIT_MULTIPLY_ADD, 2 },
	{ "r1 <<= -1\n r1 += r2\n", 0x6, NOT_FUSED, 0 },
	{ "w1 <<= -32\n w1 += w2\n", 0x6, NOT_FUSED, 0 },
	{ "r1 *= 10\n r1 += r1\n", 0x6, NOT_FUSED, 0 },
	{ "w1 *= 10\n r1 += r2\n", 0x6, NOT_FUSED, 0 },
	/* a condition as a number */
	{ "r0 = 1\n if r1 > r2 goto +1\n r0 = 0\n", 0x7, JIT_BOOL, 3 },
	{ "w0 = 0\n if w1 s< w2 goto +1\n w0 = 1\n", 0x7, JIT_BOOL, 3 },
	{ "r5 = 1\n if r1 & 128 goto +1\n r5 = 0\n", 0x26, JIT_BOOL, 3 },
	{ "r0 = 2\n if r1 > r2 goto +1\n r0 = 0\n", 0x7, NOT_FUSED, 0 },
	{ "r1 = 1\n if r1 > r2 goto +1\n r1 = 0\n", 0x6, NOT_FUSED, 0 },
	/* a jump over a move */
	{ "if r1 > r2 goto +1\n r1 = r2\n", 0x6, JIT_SELECT, 2 },
	{ "if w1 s<= 5 goto +1\n r1 = r2\n", 0x6, JIT_SELECT, 2 },
	{ "if r1 & 1 goto +1\n r2 = r1\n", 0x6, JIT_SELECT, 2 },
	{ "if r1 > r2 goto +1\n w1 = w2\n", 0x6, NOT_FUSED, 0 },
	{ "if r1 > r2 goto +1\n r1 = 5\n", 0x6, NOT_FUSED, 0 },
	/* a jump over a jump */
	{ "if r1 > r2 goto +1\n goto +1\n r1 = 7\n", 0x6, JIT_JUMP_UNLESS, 2 },
	{ "if r1 & 1 goto +1\n goto +2\n r1 = 7\n r2 = 8\n", 0x6, JIT_JUMP_UNLESS, 2 },
	{ "if w1 s<= -1 goto +1\n goto +1\n r1 = 7\n", 0x6, JIT_JUMP_UNLESS, 2 },
	/* the low 8 bits compared */
	{ "r1 &= 255\n if r1 < 10 goto +1\n r2 = 7\n", 0x4, JIT_JUMP_BYTE, 2 },
	{ "w1 &= 255\n if w1 != 0 goto +1\n r2 = 7\n", 0x4, JIT_JUMP_BYTE, 2 },
	{ "r1 &= 255\n if r1 & 128 goto +1\n r2 = 7\n", 0x4, JIT_JUMP_BYTE, 2 },
	{ "r1 &= 255\n if w1 > 254 goto +1\n r2 = 7\n", 0x4, JIT_JUMP_BYTE, 2 },
	{ "r1 &= 255\n if r1 < 10 goto +1\n r2 = 7\n", 0x6, NOT_FUSED, 0 },
	{ "r1 &= 255\n if r1 < 256 goto +1\n r2 = 7\n", 0x4, NOT_FUSED, 0 },
	{ "r1 &= 255\n if r1 s< 10 goto +1\n r2 = 7\n", 0x4, NOT_FUSED, 0 },
	{ "r1 &= 127\n if r1 < 10 goto +1\n r2 = 7\n", 0x4, NOT_FUSED, 0 },
	{ "r1 &= 255\n if r1 < r2 goto +1\n r2 = 7\n", 0x4, NOT_FUSED, 0 },
	/* addresses */
	{ "r5 = r4\n r5 += r3\n r0 = *(u8 *)(r5 + 16)\n", 0x1f, JIT_ACCESS, 3 },
	{ "r5 = r4\n r5 += r3\n r5 = *(u16 *)(r5 + 16)\n", 0x3f, JIT_ACCESS, 3 },
	{ "r5 = r4\n r5 += r3\n r0 = *(u8 *)(r5 + 16)\n r5 = *(u8 *)(r5 + 17)\n", 0x3f, JIT_THREE, 2 },
	{ "r5 = r3\n r5 <<= 3\n r0 = r4\n r0 += r5\n r0 = *(u64 *)(r0 + 64)\n", 0x1f, JIT_ACCESS, 5 },
	{ "r3 <<= 3\n r0 = r4\n r0 += r3\n r0 = *(u64 *)(r0 + 0)\n", 0x17, JIT_ACCESS, 4 },
	{ "r3 <<= 3\n r0 = r4\n r0 += r3\n r0 = *(u64 *)(r0 + 0)\n", 0x1f, NOT_FUSED, 0 },
	{ "r3 <<= 2\n r3 += r4\n r0 = *(u32 *)(r3 + 128)\n", 0x17, JIT_ACCESS, 3 },
	{ "r3 += r4\n r0 = *(s8 *)(r3 + 1)\n", 0x17, JIT_ACCESS, 2 },
	{ "r3 += r4\n *(u32 *)(r3 + 1) = r1\n", 0x17, JIT_ACCESS, 2 },
	{ "r3 <<= 3\n r3 += r4\n *(u64 *)(r3 + 8) = r2\n", 0x17, JIT_ACCESS, 3 },
	{ "r3 <<= 1\n r3 += r4\n *(u16 *)(r3 + 8) = -2\n", 0x17, JIT_ACCESS, 3 },
	{ "r5 = r3\n r5 <<= 3\n r0 = r4\n r0 += r5\n *(u64 *)(r0 + 8) = r5\n", 0x3e, JIT_THREE, 2 },
	{ "r5 = 2 ll\n r5 += r3\n r5 = r1\n", 0x3e, JIT_NOTHING, 2 },
	{ "r0 = table_value 2 + 8 ll\n r0 += r3\n r0 = *(u8 *)(r0 + 16)\n", 0x1f, JIT_ACCESS, 4 },
	{ "r3 <<= 2\n r0 = table_value 2 + 0 ll\n r0 += r3\n *(u32 *)(r0 + 16) = r1\n r0 = table_value 2 + 0 ll\n r0 = *(u64 *)(r0 + 16)\n", 0x17,
	  JIT_ACCESS, 5 },
	/* variables */
	{ "r0 = table_value 2 + 8 ll\n r0 = *(u32 *)(r0 + 16)\n", 0x7, JIT_ACCESS, 3 },
	{ "r0 = table_value 2 + 8 ll\n r5 = *(u32 *)(r0 + 16)\n r0 = *(u8 *)(r0 + 17)\n", 0x27, NOT_FUSED, 0 },
	{ "r0 = table_value 2 + 8 ll\n *(u64 *)(r0 + 16) = -3\n r0 = 0\n", 0x7, JIT_ACCESS, 3 },
	{ "r0 = table_value 2 + 8 ll\n *(u16 *)(r0 + 16) = r1\n r0 = 0\n", 0x7, JIT_ACCESS, 3 },
	/* arithmetic with memory */
	{ "r5 = *(u64 *)(r4 + 16)\n r1 += r5\n", 0x1f, JIT_LOAD_ALU, 2 },
	{ "r5 = *(u64 *)(r4 + 16)\n w1 -= w5\n", 0x1f, JIT_LOAD_ALU, 2 },
	{ "r5 = *(u32 *)(r4 + 16)\n w1 ^= w5\n", 0x1f, JIT_LOAD_ALU, 2 },
	{ "r5 = *(u64 *)(r4 + 16)\n r1 *= r5\n", 0x1f, JIT_LOAD_ALU, 2 },
	{ "r5 = *(u64 *)(r4 + 16)\n r1 += r5\n", 0x3f, NOT_FUSED, 0 },
	{ "r5 = *(u32 *)(r4 + 16)\n r1 += r5\n", 0x1f, NOT_FUSED, 0 },
	{ "r5 = *(s32 *)(r4 + 16)\n w1 += w5\n", 0x1f, NOT_FUSED, 0 },
	{ "r5 = *(u8 *)(r4 + 16)\n w1 += w5\n", 0x1f, NOT_FUSED, 0 },
	{ "r5 = *(u64 *)(r4 + 16)\n r1 /= r5\n", 0x1f, NOT_FUSED, 0 },
	{ "r5 = r4\n r5 += r3\n r5 = *(u64 *)(r5 + 16)\n r1 |= r5\n", 0x1f, JIT_LOAD_ALU, 4 },
	{ "r5 = table_value 2 + 8 ll\n r5 = *(u64 *)(r5 + 16)\n r1 &= r5\n", 0x1f, JIT_LOAD_ALU, 4 },
	/* memory compared */
	{ "r5 = *(u64 *)(r4 + 16)\n if r5 > r1 goto +1\n r2 = 7\n", 0x1f, JIT_LOAD_JUMP, 2 },
	{ "r5 = *(u64 *)(r4 + 16)\n if r1 s< r5 goto +1\n r2 = 7\n", 0x1f, JIT_LOAD_JUMP, 2 },
	{ "r5 = *(u32 *)(r4 + 16)\n if w1 & w5 goto +1\n r2 = 7\n", 0x1f, JIT_LOAD_JUMP, 2 },
	{ "r5 = *(u64 *)(r4 + 16)\n if w5 == -5 goto +1\n r2 = 7\n", 0x1f, JIT_LOAD_JUMP, 2 },
	{ "r5 = *(u64 *)(r4 + 16)\n if r5 & -256 goto +1\n r2 = 7\n", 0x1f, JIT_LOAD_JUMP, 2 },
	{ "r5 = *(u32 *)(r4 + 16)\n if r5 > 1985229327 goto +1\n r2 = 7\n", 0x1f, JIT_LOAD_JUMP, 2 },
	{ "r5 = *(u32 *)(r4 + 16)\n if r5 > -1 goto +1\n r2 = 7\n", 0x1f, NOT_FUSED, 0 },
	{ "r5 = *(u32 *)(r4 + 16)\n if r5 s> 5 goto +1\n r2 = 7\n", 0x1f, NOT_FUSED, 0 },
	{ "r5 = *(u8 *)(r4 + 16)\n if r5 >= 205 goto +1\n r2 = 7\n", 0x1f, JIT_LOAD_JUMP, 2 },
	{ "r5 = *(u8 *)(r4 + 16)\n if r5 & 2 goto +1\n r2 = 7\n", 0x1f, JIT_LOAD_JUMP, 2 },
	{ "r5 = *(u8 *)(r4 + 16)\n if w5 < 256 goto +1\n r2 = 7\n", 0x1f, NOT_FUSED, 0 },
	{ "r5 = *(u16 *)(r4 + 16)\n if r5 < 9 goto +1\n r2 = 7\n", 0x1f, NOT_FUSED, 0 },
	{ "r5 = *(u8 *)(r4 + 16)\n if r5 == 0 goto +1\n r2 = 7\n", 0x3f, NOT_FUSED, 0 },
	{ "r5 = *(u64 *)(r4 + 16)\n if r5 > r5 goto +1\n r2 = 7\n", 0x1f, NOT_FUSED, 0 },
	{ "r5 = table_value 2 + 8 ll\n r5 = *(u8 *)(r5 + 16)\n if r5 != 0 goto +1\n r2 = 7\n", 0x1f, JIT_LOAD_JUMP, 4 },
	/* memory changed */
	{ "r5 = *(u64 *)(r4 + 16)\n r5 += 1\n *(u64 *)(r4 + 16) = r5\n", 0x1f, JIT_UPDATE, 3 },
	{ "r5 = *(u64 *)(r4 + 16)\n r5 &= -1000\n *(u64 *)(r4 + 16) = r5\n", 0x1f, JIT_UPDATE, 3 },
	{ "r5 = *(u32 *)(r4 + 20)\n r5 -= r1\n *(u32 *)(r4 + 20) = r5\n", 0x1f, JIT_UPDATE, 3 },
	{ "r5 = *(u16 *)(r4 + 20)\n r5 ^= -3\n *(u16 *)(r4 + 20) = r5\n", 0x1f, JIT_UPDATE, 3 },
	{ "r5 = *(u16 *)(r4 + 20)\n w5 |= w2\n *(u16 *)(r4 + 20) = r5\n", 0x1f, JIT_UPDATE, 3 },
	{ "r5 = *(u16 *)(r4 + 20)\n r5 += 300\n *(u16 *)(r4 + 20) = r5\n", 0x1f, NOT_FUSED, 0 },
	{ "r5 = *(u8 *)(r4 + 21)\n r5 += 511\n *(u8 *)(r4 + 21) = r5\n", 0x1f, JIT_UPDATE, 3 },
	{ "r5 = *(u8 *)(r4 + 21)\n r5 += r1\n *(u8 *)(r4 + 21) = r5\n", 0x1f, JIT_UPDATE, 3 },
	{ "r5 = *(u64 *)(r4 + 16)\n w5 += 1\n *(u64 *)(r4 + 16) = r5\n", 0x1f, NOT_FUSED, 0 },
	{ "r5 = *(u64 *)(r4 + 16)\n r5 += r5\n *(u64 *)(r4 + 16) = r5\n", 0x1f, NOT_FUSED, 0 },
	{ "r5 = *(u64 *)(r4 + 16)\n r5 += 1\n *(u64 *)(r4 + 24) = r5\n", 0x1f, NOT_FUSED, 0 },
	{ "r5 = *(u64 *)(r4 + 16)\n r5 += 1\n *(u32 *)(r4 + 16) = r5\n", 0x1f, NOT_FUSED, 0 },
	{ "r5 = *(u64 *)(r4 + 16)\n r5 += 1\n *(u64 *)(r4 + 16) = r5\n", 0x3f, NOT_FUSED, 0 },
	{ "r5 = table_value 2 + 8 ll\n r0 = *(u64 *)(r5 + 8)\n r0 += 7\n *(u64 *)(r5 + 8) = r0\n r0 = table_value 2 + 16 ll\n r0 = *(u64 *)(r0 + 0)\n", 0x1f,
	  JIT_UPDATE, 5 },
	{ "r5 = table_value 2 + 8 ll\n r0 = *(u64 *)(r5 + 8)\n r0 += 7\n *(u64 *)(r5 + 8) = r0\n r0 = *(u64 *)(r5 + 0)\n", 0x1f, NOT_FUSED, 0 },
	/* what nobody reads */
	{ "r5 = *(u64 *)(r4 + 0)\n r5 = 3\n", 0x3e, JIT_NOTHING, 1 },
	{ "r5 = r1\n r1 += 1\n", 0x6, JIT_NOTHING, 1 },
	{ "r5 = r1\n r1 += 1\n", 0x26, NOT_FUSED, 0 },
};

/* The pattern between what sets the registers and what stores those that are read; from instruction *first on. */
static struct func *
around(struct object *object, const struct pattern *pattern, uint32_t *first)
{
	struct text source = { 0 };
	struct func *func;

	text_puts(&source, "*(u64 *)(r10 - 8) = r4\n r3 = r1\n r3 &= 7\n r0 = 17\n r5 = 19\n r7 = 0\n");
	*first = 6;
	text_puts(&source, pattern->text);
	text_puts(&source, "r6 = *(u64 *)(r10 - 8)\n");
	for (unsigned r = 0; r < 6; r++)
		if (pattern->reads >> r & 1 && r != 4)
			text_printf(&source, "*(u64 *)(r6 + %u) = r%u\n", 192 + 8 * r, r);
	text_puts(&source, "r0 = 0\n exit\n");
	func = fixture_func(object, "pattern", source.s);
	text_fini(&source);
	return func;
}

static void
check_kind(const struct pattern *pattern, const struct func *func, uint32_t first)
{
	struct jit_func f = { .func = func, .memory_operands = true };
	struct jit_op op;
	uint32_t n;

	f.insns = calloc(func->n_insns + 1, sizeof(*f.insns));
	assert_non_null(f.insns);
	for (uint32_t pc = 0; pc < func->n_insns; pc++) {
		const struct insn_info *info = insn_info(&func->insns[pc]);

		f.insns[pc].reads = jit_reads(&func->insns[pc], info);
		if (info->shape == SHAPE_COND || info->shape == SHAPE_JUMP)
			f.insns[jit_target(&f, pc)].target = true;
		pc += insn_is_wide(&func->insns[pc]);
	}
	jit_find_live(&f);
	n = jit_fuse(&f, first, &op);
	if (pattern->kind == NOT_FUSED ? n != 0 : !n || (int)op.kind != pattern->kind || n != pattern->n)
		fail_msg("%s(reads %#x): %u instructions of kind %d", pattern->text, pattern->reads, (unsigned)n, n ? (int)op.kind : -1);
	free(f.insns);
}

/* ---- where jumps go, and what loops hold in registers ------------------------------------------------------ */

#define AT(n) (6 + (n)) /* `around` puts so much before a pattern */

/* Of the jump `pc` of a pattern: how many moves it takes along, where it goes; the jump `never` is never taken. */
static const struct way {
	struct pattern pattern;
	uint32_t pc, ahead, to, never;
} ways[] = {
	/* jumps to jumps */
	{ { "if r1 > 5 goto +2\n r0 = 1\n if r2 > 5 goto +1\n goto +1\n r0 = 2\n", 0x7, NOT_FUSED, 0 }, 0, 0, 5, 0 },
	{ { "if r1 > r2 goto +1\n goto +2\n goto +0\n goto +0\n r0 = 2\n", 0x7, JIT_JUMP_UNLESS, 2 }, 0, 0, 4, 0 },
	/* two choices under one condition, as constants and between registers */
	{ { "if r1 > 9 goto +1\n r0 = 0\n r5 = 1\n if r1 > 9 goto +1\n r5 = r2\n", 0x27, NOT_FUSED, 0 }, 0, 1, 5, 3 },
	{ { "if r1 > 9 goto +1\n r0 = 0\n r5 = r2\n w3 = 7\n if r1 > 9 goto +2\n r5 = r1\n r3 = r5\n", 0x2f, NOT_FUSED, 0 }, 0, 2, 7, 4 },
	{ { "if w1 s< w2 goto +1\n r0 = 0\n w5 = w1\n if w1 s< w2 goto +1\n r5 = 3\n", 0x27, NOT_FUSED, 0 }, 0, 1, 5, 3 },
	{ { "r1 &= 255\n if r1 < 10 goto +1\n r0 = 0\n r5 = 0\n if r1 < 10 goto +1\n r5 = r2\n", 0x25, JIT_JUMP_BYTE, 2 }, 1, 1, 6, 4 },
	{ { "r1 &= 255\n if r1 > 9 goto +1\n r0 = 0\n r5 = 0\n if r1 > 9 goto +1\n r5 = r2\n", 0x25, JIT_JUMP_BYTE, 2 }, 1, 1, 6, 4 },
	{ { "r1 &= 255\n if r1 < 10 goto +1\n r0 = 0\n r5 = r1\n if r1 < 10 goto +1\n r5 = r2\n", 0x25, NOT_FUSED, 0 }, 1, 1, 6, 4 },
	/* the first would be a number, a move or the other way round otherwise */
	{ { "r0 = 0\n if r1 > 9 goto +1\n r0 = 1\n r5 = 1\n if r1 > 9 goto +1\n r5 = r2\n", 0x27, NOT_FUSED, 0 }, 1, 1, 6, 4 },
	{ { "if r1 > 9 goto +1\n r0 = r2\n r5 = 1\n if r1 > 9 goto +1\n r5 = r2\n", 0x27, NOT_FUSED, 0 }, 0, 1, 5, 3 },
	{ { "if r1 > 9 goto +1\n goto +3\n r5 = 1\n if r1 > 9 goto +1\n r5 = r2\n r0 = 1\n", 0x27, JIT_JUMP_UNLESS, 2 }, 0, 0, 2, 0 },
	/* the move is of what is compared; of what is read on the other way; the condition is another; the register was changed */
	{ { "if r1 > 9 goto +1\n r0 = 0\n r1 = 1\n if r1 > 9 goto +1\n r5 = r2\n", 0x27, NOT_FUSED, 0 }, 0, 0, 2, 0 },
	{ { "if r1 > 9 goto +1\n r0 = r5\n r5 = 1\n if r1 > 9 goto +1\n r5 = r2\n", 0x27, NOT_FUSED, 0 }, 0, 0, 2, 0 },
	{ { "if r1 > 9 goto +1\n r0 = 0\n r5 = 1\n if r1 > 8 goto +1\n r5 = r2\n", 0x27, NOT_FUSED, 0 }, 0, 0, 2, 0 },
	{ { "if r1 > 9 goto +1\n r1 = 10\n r5 = 1\n if r1 > 9 goto +1\n r5 = r2\n", 0x27, NOT_FUSED, 0 }, 0, 1, 5, 0 },
	/* somebody else comes to the second */
	{ { "if r2 > 5 goto +2\n if r1 > 9 goto +1\n r0 = 0\n r5 = 1\n if r1 > 9 goto +1\n r5 = r2\n", 0x27, NOT_FUSED, 0 }, 1, 1, 6, 0 },
	{ { "if r1 > 9 goto +2\n if r2 > 5 goto +2\n r0 = 0\n r5 = 1\n if r1 > 9 goto +1\n r5 = r2\n", 0x27, NOT_FUSED, 0 }, 0, 0, 3, 0 },
};

static void
check_way(const void *arg, struct vm *vm, const struct func *func)
{
	const struct way *way = arg;
	struct jit jit = { .vm = vm };
	const struct jit_insn *insns;
	bool never = false;

	assert_true(jit_add_program(&jit, func));
	insns = jit.last->insns;
	for (uint32_t pc = 0; pc < func->n_insns; pc++)
		never |= insns[pc].never;
	if (insns[AT(way->pc)].ahead != way->ahead || insns[AT(way->pc)].to != AT(way->to) || never != (way->never > 0) ||
	    (way->never && !insns[AT(way->never)].never))
		fail_msg("%s: takes %u along, to %u; %s jump is never taken", way->pattern.text, (unsigned)insns[AT(way->pc)].ahead,
			 (unsigned)insns[AT(way->pc)].to - AT(0), never ? "a" : "no");
	jit_free_func(jit.last);
}

/* What loops do with values of tables; `n` addresses are held in registers. */
static const struct pinned {
	struct pattern pattern;
	uint32_t n;
} pinned[] = {
	{ { "r3 = table_value 2 + 8 ll\n r5 = *(u64 *)(r3 + 0)\n r5 += r1\n *(u64 *)(r3 + 0) = r5\n r0 = r5\n", 0x27, NOT_FUSED, 0 }, 0 },
	{ { "r3 = 0\n r0 = table_value 2 + 8 ll\n r5 = *(u64 *)(r0 + 0)\n r5 += r1\n *(u64 *)(r0 + 0) = r5\n r3 += 1\n if r3 < 5 goto -7\n r0 = r5\n", 0x2f,
	    NOT_FUSED, 0 }, 1 },
	{ { "r3 = 0\n r0 = table_value 2 + 8 ll\n r5 = r3\n r5 += r0\n *(u8 *)(r5 + 0) = r1\n r0 = table_value 2 + 16 ll\n r0 += r3\n"
	    " r5 = *(u8 *)(r0 + 0)\n r3 += 1\n if r3 < 5 goto -11\n r0 = r5\n", 0x2f, NOT_FUSED, 0 }, 2 },
};

static void
check_pins(const void *arg, struct vm *vm, const struct func *func)
{
	const struct pinned *p = arg;
	struct jit jit = { .vm = vm };

	assert_true(jit_add_program(&jit, func));
	if (jit.last->n_pins != p->n)
		fail_msg("%s: %u addresses in registers", p->pattern.text, (unsigned)jit.last->n_pins);
	jit_free_func(jit.last);
}

/* What the verifier saw: of the pattern's jumps `never` and `always`, and the instruction `unseen` to which nobody comes. */
#define NONE 1000u
static const struct fact {
	struct pattern pattern;
	uint32_t never, always, unseen;
} facts[] = {
	{ { "r1 &= 7\n if r1 > 7 goto +1\n r2 = r1\n", 0x6, NOT_FUSED, 0 }, 1, NONE, NONE },
	{ { "r1 &= 7\n if r1 > 6 goto +1\n r2 = r1\n", 0x6, NOT_FUSED, 0 }, NONE, NONE, NONE },
	{ { "r1 &= 7\n if r1 < 8 goto +1\n r2 = 8\n r2 += r1\n", 0x6, NOT_FUSED, 0 }, NONE, 1, 2 },
	{ { "r5 = 1\n if r1 > 9 goto +1\n r5 = 3\n if r5 == 2 goto +2\n r0 = 4\n goto +1\n r0 = 5\n", 0x27, NOT_FUSED, 0 }, 3, NONE, 6 },
	/* what is compared is made for that alone, and would be compared as a byte, from memory, or as a number */
	{ { "r5 = r1\n r5 &= 255\n if r5 > 255 goto +1\n r2 = 5\n", 0x6, NOT_FUSED, 0 }, 2, NONE, NONE },
	{ { "r5 = *(u8 *)(r4 + 0)\n if r5 <= 255 goto +1\n r2 = 5\n", 0x6, NOT_FUSED, 0 }, NONE, 1, 2 },
	{ { "r5 = r1\n r5 >>= 60\n r0 = 1\n if r5 > 15 goto +1\n r0 = 0\n", 0x7, NOT_FUSED, 0 }, 3, NONE, NONE },
	{ { "r5 = r1\n r5 >>= 60\n if r5 <= 15 goto +1\n r2 = r1\n", 0x6, NOT_FUSED, 0 }, NONE, 2, 3 },
	/* an address is not null; a number that comes from different ways */
	{ { "r5 = r4\n if r5 != 0 goto +1\n r2 = 5\n", 0x6, NOT_FUSED, 0 }, NONE, 1, 2 },
	{ { "r5 = 7\n if r1 > 9 goto +1\n r5 = 8\n if r5 > 7 goto +1\n r2 = 5\n", 0x6, NOT_FUSED, 0 }, NONE, NONE, NONE },
	/* each round, and in the end not */
	{ { "r5 = 0\n r5 += 1\n if r5 > 4 goto +1\n if r5 < 4 goto -3\n r2 = r5\n", 0x26, NOT_FUSED, 0 }, 2, NONE, NONE },
};

static void
check_facts(const void *arg, struct vm *vm, const struct func *func)
{
	struct vm_facts *found = NULL;
	const struct verify_watch watch = { .facts = &found };
	const struct fact *fact = arg;
	struct jit jit = { .vm = vm };
	struct text why = { 0 };

	assert_int_equal(verify_watched(vm->object, func, &signature, &watch, &why), 0);
	jit.facts = found;
	assert_true(jit_add_program(&jit, func));
	for (uint32_t pc = 0; pc < func->n_insns; pc += 1 + insn_is_wide(&func->insns[pc])) {
		const struct jit_insn *insn = &jit.last->insns[pc];

		if (insn->never != (pc == AT(fact->never)) || insn->always != (pc == AT(fact->always)) || insn->unseen != (pc == AT(fact->unseen)))
			fail_msg("%s: instruction %d: never %d, always %d, unseen %d", fact->pattern.text, (int)pc - AT(0), insn->never, insn->always,
				 insn->unseen);
	}
	jit_free_func(jit.last);
	vm_facts_free(found);
}

/* The pattern loaded in one of three ways: interpreted, as machine code, as that of a machine without BMI2. */
struct machine {
	struct arena *arena;
	struct vm *vm;
	const struct func *func;
	struct vm_program *program;
};

#define N_WAYS 3

static void
machine_open(struct machine *machine, int way, const struct pattern *pattern)
{
	struct text why = { 0 };
	struct object *object;
	uint32_t first;
	int err;

	machine->arena = arena_new();
	object = fixture_object(machine->arena);
	machine->func = around(object, pattern, &first);
	machine->vm = vm_new(object, 1, &why);
	assert_non_null(machine->vm);
	vm_set_exec(machine->vm, way ? VM_EXEC_AUTO : VM_EXEC_INTERP);
	machine->vm->no_bmi2 = way == 2;
	machine->program = vm_load(machine->vm, machine->func, &signature, &why, &err);
	if (!machine->program)
		fail_msg("%s: %s", pattern->text, why.s);
}

static void
machine_close(struct machine *machine)
{
	vm_free(machine->vm);
	arena_free(machine->arena);
}

static void
run(const struct machine *machine, uint64_t a, uint64_t b, uint64_t *memory)
{
	for (unsigned i = 0; i < SCRATCH_SIZE / 8; i++)
		memory[i] = 0x0123456789abcdefu * (i + 1);
	vm_run(machine->vm, machine->program, NULL, (uint64_t[5]){ a, b, 0, (uintptr_t)memory, 0 });
}

static void
compare(const struct pattern *pattern, const struct machine *machines, uint64_t a, uint64_t b)
{
	_Alignas(8) uint64_t expected[SCRATCH_SIZE / 8], got[SCRATCH_SIZE / 8];

	run(&machines[0], a, b, expected);
	for (int way = 1; way < N_WAYS; way++) {
		run(&machines[way], a, b, got);
		for (unsigned w = 0; w < SCRATCH_SIZE / 8; w++)
			if (got[w] != expected[w])
				fail_msg("%s(reads %#x) with %#lx, %#lx: word %u is %#lx, not %#lx", pattern->text, pattern->reads,
					 (unsigned long)a, (unsigned long)b, w, (unsigned long)got[w], (unsigned long)expected[w]);
	}
}

static void
test_kinds(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		struct arena *arena = arena_new();
		uint32_t first;
		struct func *func = around(fixture_object(arena), &patterns[i], &first);

		check_kind(&patterns[i], func, first);
		arena_free(arena);
	}
}

/* All machines do alike; `look` sees the function before they do. */
static void
same_in_all(const struct pattern *pattern, const void *arg, void (*look)(const void *arg, struct vm *vm, const struct func *func))
{
	struct machine machines[N_WAYS];

	for (int way = 0; way < N_WAYS; way++)
		machine_open(&machines[way], way, pattern);
	if (look)
		look(arg, machines[1].vm, machines[1].func);
	for (size_t n = 0; n < ARRAY_SIZE(edges) * ARRAY_SIZE(edges); n++)
		compare(pattern, machines, edges[n % ARRAY_SIZE(edges)], edges[n / ARRAY_SIZE(edges)]);
	for (int way = 0; way < N_WAYS; way++)
		machine_close(&machines[way]);
}

static void
test_same(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++)
		same_in_all(&patterns[i], NULL, NULL);
}

static void
test_ways(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		same_in_all(&ways[i].pattern, &ways[i], check_way);
}

static void
test_facts(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
		same_in_all(&facts[i].pattern, &facts[i], check_facts);
}

static void
test_pins(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(pinned); i++)
		same_in_all(&pinned[i].pattern, &pinned[i], check_pins);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_ways),
		cmocka_unit_test(test_pins),
		cmocka_unit_test(test_facts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
