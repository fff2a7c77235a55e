/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What each instruction does, by the text of RFC 9669, at the edges of its operands: in the interpreter, as machine code, and in this
 * machine's kernel (skipped without the right to load programs). Expected numbers are written out here, not computed, so that insn.def
 * itself is under test. That no instruction is forgotten is a test too.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vm_kernel.h"

struct test_insn {
	const char *source; /* r1 and r2 are the numbers, r4 scratch: 256 bytes 0, 1, 2, ... ; result in r0 */
	uint64_t r1, r2, r0;
	const char *callee;
};

#define OP(op) "r0 = r1\nr0 " op " r2\nexit"
#define OP32(op) "r0 = r1\nw0 " op " w2\nexit"
#define JUMP(cond) "r0 = 1\nif r1 " cond " r2 goto +1\nr0 = 0\nexit"
#define JUMP32(cond) "r0 = 1\nif w1 " cond " w2 goto +1\nr0 = 0\nexit"

#define MIN64 0x8000000000000000u
#define MAX64 0x7fffffffffffffffu
#define ONES UINT64_MAX

static const struct test_insn insns[] = {
	/* 4.1: the low half alone, zero-extended */
	{ OP("+="), ONES, 2, 1 },
	{ OP32("+="), 0x1ffffffff, 0x500000002, 1 },
	{ OP("-="), 0, 1, ONES },
	{ OP32("-="), 0, 1, 0xffffffff },
	{ OP("*="), 1ull << 63, 2, 0 },
	{ OP("*="), ONES, ONES, 1 },
	{ OP32("*="), 0x100000003, 0x80000000, 0x80000000 },
	{ "r0 = r1\nr0 += -1\nexit", 0, 0, ONES },
	{ "r0 = r1\nw0 += -1\nexit", 0, 0, 0xffffffff },
	{ "r0 = r1\nr0 &= -2\nexit", ONES, 0, 0xfffffffffffffffe },
	{ "r0 = r1\nw0 &= -2\nexit", ONES, 0, 0xfffffffe },
	/* division: by zero gives 0, modulo by zero the dividend */
	{ OP("/="), 7, 0, 0 },
	{ OP("/="), ONES, 2, MAX64 },
	{ OP("/="), 0x1ffffffff, ONES, 0 },
	{ OP32("/="), 0x700000007, 0x100000000, 0 },
	{ OP32("/="), 0x1ffffffff, 2, 0x7fffffff },
	{ OP("%="), 7, 0, 7 },
	{ OP("%="), ONES, 10, 5 },
	{ OP32("%="), 0x700000007, 0x100000000, 7 },
	{ "r0 = r1\nr0 /= -1\nexit", ONES, 0, 1 },
	{ "r0 = r1\nw0 /= -1\nexit", 0xffffffff, 0, 1 },
	{ OP("s/="), (uint64_t)-7, 2, (uint64_t)-3 },
	{ OP("s/="), MIN64, ONES, MIN64 },
	{ OP("s/="), 5, 0, 0 },
	{ OP32("s/="), 0x80000000, 0xffffffff, 0x80000000 },
	{ OP32("s/="), 0xfffffff9, 2, 0xfffffffd },
	{ OP("s%="), (uint64_t)-7, 2, ONES },
	{ OP("s%="), MIN64, ONES, 0 },
	{ OP("s%="), (uint64_t)-13, 0, (uint64_t)-13 },
	{ OP32("s%="), 0xfffffff3, 3, 0xffffffff },
	{ OP32("s%="), 0x1fffffff3, 0, 0xfffffff3 },
	/* shifts: the count is masked to the width */
	{ OP("<<="), 1, 63, MIN64 },
	{ OP("<<="), 1, 64, 1 },
	{ OP("<<="), 1, 65, 2 },
	{ OP32("<<="), 1, 31, 0x80000000 },
	{ OP32("<<="), 0x100000001, 33, 2 },
	{ OP(">>="), MIN64, 63, 1 },
	{ OP(">>="), MIN64, 64, MIN64 },
	{ OP32(">>="), 0xf80000000, 31, 1 },
	{ OP32(">>="), 0x80000000, 32, 0x80000000 },
	{ OP("s>>="), MIN64, 63, ONES },
	{ OP("s>>="), MIN64, 64, MIN64 },
	{ OP32("s>>="), 0x80000000, 31, 0xffffffff },
	{ OP32("s>>="), 0x180000000, 33, 0xc0000000 },
	{ OP("|="), 0xf0, 0x0f, 0xff },
	{ OP("&="), 0xf0, 0x3c, 0x30 },
	{ OP("^="), 0xff, 0x0f, 0xf0 },
	{ OP32("^="), 0xf000000ff, 0x0f, 0xf0 },
	{ "r0 = r1\nr0 = -r0\nexit", 1, 0, ONES },
	{ "r0 = r1\nr0 = -r0\nexit", MIN64, 0, MIN64 },
	{ "r0 = r1\nw0 = -w0\nexit", 0x100000001, 0, 0xffffffff },
	{ "w0 = w1\nexit", 0x1fffffffe, 0, 0xfffffffe },
	{ "r0 = -1\nexit", 0, 0, ONES },
	{ "w0 = -1\nexit", 0, 0, 0xffffffff },
	{ "r0 = (s8)r1\nexit", 0x80, 0, 0xffffffffffffff80 },
	{ "r0 = (s16)r1\nexit", 0x18000, 0, 0xffffffffffff8000 },
	{ "r0 = (s32)r1\nexit", 0x180000000, 0, 0xffffffff80000000 },
	{ "w0 = (s8)w1\nexit", 0x80, 0, 0xffffff80 },
	{ "w0 = (s16)w1\nexit", 0x7fff, 0, 0x7fff },
	{ "r0 = 0x123456789abcdef0 ll\nexit", 0, 0, 0x123456789abcdef0 },
	/* 4.2: byte swaps */
	{ "r0 = r1\nr0 = be16 r0\nexit", 0x1122334455667788, 0, 0x8877 },
	{ "r0 = r1\nr0 = be32 r0\nexit", 0x1122334455667788, 0, 0x88776655 },
	{ "r0 = r1\nr0 = be64 r0\nexit", 0x1122334455667788, 0, 0x8877665544332211 },
	{ "r0 = r1\nr0 = le16 r0\nexit", 0x1122334455667788, 0, 0x7788 },
	{ "r0 = r1\nr0 = le32 r0\nexit", 0x1122334455667788, 0, 0x55667788 },
	{ "r0 = r1\nr0 = le64 r0\nexit", 0x1122334455667788, 0, 0x1122334455667788 },
	{ "r0 = r1\nr0 = bswap16 r0\nexit", 0x1122334455667788, 0, 0x8877 },
	{ "r0 = r1\nr0 = bswap32 r0\nexit", 0x1122334455667788, 0, 0x88776655 },
	{ "r0 = r1\nr0 = bswap64 r0\nexit", 0x1122334455667788, 0, 0x8877665544332211 },
	/* 4.3: jumps */
	{ JUMP("=="), 5, 5, 1 },
	{ JUMP("=="), 0x100000005, 5, 0 },
	{ JUMP32("=="), 0x100000005, 5, 1 },
	{ JUMP("!="), 5, 5, 0 },
	{ JUMP(">"), ONES, 1, 1 },
	{ JUMP("s>"), ONES, 1, 0 },
	{ JUMP32("s>"), 0x7fffffff, 0x80000000, 1 },
	{ JUMP(">="), 5, 5, 1 },
	{ JUMP("s>="), MIN64, MAX64, 0 },
	{ JUMP32("s>="), 0xffffffff, 0, 0 },
	{ JUMP("<"), 1, ONES, 1 },
	{ JUMP("s<"), 1, ONES, 0 },
	{ JUMP32("<"), 0x100000001, 2, 1 },
	{ JUMP("<="), 6, 5, 0 },
	{ JUMP("s<="), MIN64, 0, 1 },
	{ JUMP32("s<="), 0x80000000, 0, 1 },
	{ JUMP("&"), 6, 1, 0 },
	{ JUMP("&"), 6, 2, 1 },
	{ JUMP32("&"), 0x100000000, 0x100000000, 0 },
	{ "r0 = 1\nif r1 == -1 goto +1\nr0 = 0\nexit", ONES, 0, 1 },
	{ "r0 = 1\nif r1 == -1 goto +1\nr0 = 0\nexit", 0xffffffff, 0, 0 },
	{ "r0 = 1\nif w1 == -1 goto +1\nr0 = 0\nexit", 0xffffffff, 0, 1 },
	{ "r0 = 1\nif r1 > -2 goto +1\nr0 = 0\nexit", ONES, 0, 1 },
	{ "goto +1\nexit\nr0 = 3\ngoto -3", 0, 0, 3 },
	{ "r0 = 7\ngotol +1\nexit\ngoto -2", 0, 0, 7 },
	{ "r0 = r1\nif r1 == 0 goto a\nr2 = 5 ll\nr0 += r2\na: exit", 1, 0, 6 },
	/* 5.1, 5.2: loads and stores; scratch holds 0, 1, 2, ... and byte 200 is 200 */
	{ "r0 = *(u8 *)(r4 + 200)\nexit", 0, 0, 200 },
	{ "r0 = *(s8 *)(r4 + 200)\nexit", 0, 0, (uint64_t)(int64_t)(int8_t)200 },
	{ "r0 = *(u16 *)(r4 + 254)\nexit", 0, 0, 0xfffe },
	{ "r0 = *(s16 *)(r4 + 254)\nexit", 0, 0, 0xfffffffffffffffe },
	{ "r0 = *(u32 *)(r4 + 252)\nexit", 0, 0, 0xfffefdfc },
	{ "r0 = *(s32 *)(r4 + 252)\nexit", 0, 0, 0xfffffffffffefdfc },
	{ "r0 = *(u64 *)(r4 + 1)\nexit", 0, 0, 0x0807060504030201 },
	{ "*(u64 *)(r4 + 8) = -2\nr0 = *(u64 *)(r4 + 8)\nexit", 0, 0, 0xfffffffffffffffe },
	{ "*(u32 *)(r4 + 8) = -2\nr0 = *(u64 *)(r4 + 8)\nexit", 0, 0, 0x0f0e0d0cfffffffe },
	{ "*(u16 *)(r4 + 8) = r1\nr0 = *(u64 *)(r4 + 8)\nexit", 0x12345, 0, 0x0f0e0d0c0b0a2345 },
	{ "*(u8 *)(r4 + 8) = r1\nr0 = *(u64 *)(r4 + 8)\nexit", 0x1ff, 0, 0x0f0e0d0c0b0a09ff },
	{ "*(u64 *)(r10 - 8) = r1\n*(u8 *)(r10 - 5) = 0\nr0 = *(u64 *)(r10 - 8)\nexit", ONES, 0, 0xffffffff00ffffff },
	/* 5.3: atomic operations; the old value, zero-extended */
	{ "*(u64 *)(r4 + 0) = r1\nlock *(u64 *)(r4 + 0) += r2\nr0 = *(u64 *)(r4 + 0)\nexit", ONES, 2, 1 },
	{ "*(u64 *)(r4 + 0) = r1\nlock *(u32 *)(r4 + 0) += r2\nr0 = *(u64 *)(r4 + 0)\nexit", ONES, 2, 0xffffffff00000001 },
	{ "*(u64 *)(r4 + 0) = r1\nlock *(u64 *)(r4 + 0) |= r2\nr0 = *(u64 *)(r4 + 0)\nexit", 0xf0, 0xf, 0xff },
	{ "*(u64 *)(r4 + 0) = r1\nlock *(u64 *)(r4 + 0) &= r2\nr0 = *(u64 *)(r4 + 0)\nexit", 0xf0, 0x3c, 0x30 },
	{ "*(u64 *)(r4 + 0) = r1\nlock *(u64 *)(r4 + 0) ^= r2\nr0 = *(u64 *)(r4 + 0)\nexit", 0xff, 0xf, 0xf0 },
	{ "*(u64 *)(r4 + 0) = r1\nr2 = atomic64_fetch_add((u64 *)(r4 + 0), r2)\nr0 = r2\nexit", 40, 2, 40 },
	{ "*(u64 *)(r4 + 0) = r1\nr2 = atomic_fetch_add((u32 *)(r4 + 0), r2)\nr0 = r2\nexit", 0x500000028, ONES, 0x28 },
	{ "*(u64 *)(r4 + 0) = r1\nr2 = atomic64_fetch_or((u64 *)(r4 + 0), r2)\nr0 = *(u64 *)(r4 + 0)\nr0 += r2\nexit", 1, 2, 4 },
	{ "*(u64 *)(r4 + 0) = r1\nr2 = atomic64_fetch_and((u64 *)(r4 + 0), r2)\nr0 = *(u64 *)(r4 + 0)\nr0 += r2\nexit", 3, 2, 5 },
	{ "*(u64 *)(r4 + 0) = r1\nr2 = atomic64_fetch_xor((u64 *)(r4 + 0), r2)\nr0 = *(u64 *)(r4 + 0)\nr0 += r2\nexit", 3, 2, 4 },
	{ "*(u64 *)(r4 + 0) = r1\nr2 = atomic64_xchg((u64 *)(r4 + 0), r2)\nr0 = *(u64 *)(r4 + 0)\nr0 -= r2\nexit", 10, 100, 90 },
	{ "*(u64 *)(r4 + 0) = r1\nr0 = 7\nr0 = atomic64_cmpxchg((u64 *)(r4 + 0), r0, r2)\nexit", 9, 5, 9 },
	{ "*(u64 *)(r4 + 0) = r1\nr0 = 9\nr0 = atomic64_cmpxchg((u64 *)(r4 + 0), r0, r2)\nr0 = *(u64 *)(r4 + 0)\nexit", 9, 5, 5 },
	{ "*(u64 *)(r4 + 0) = r1\nr0 = 7\nr0 = atomic64_cmpxchg((u64 *)(r4 + 0), r0, r2)\nr0 = *(u64 *)(r4 + 0)\nexit", 9, 5, 9 },
	{ "*(u64 *)(r4 + 0) = r1\nr0 = r1\nr0 = atomic_cmpxchg((u32 *)(r4 + 0), r0, r2)\nexit", 0x900000009, 5, 9 },
	/* on 32 bits the other half of the memory stays, and of src only the low half counts */
	{ "*(u16 *)(r4 + 8) = -2\nr0 = *(u64 *)(r4 + 8)\nexit", 0, 0, 0x0f0e0d0c0b0afffe },
	{ "*(u32 *)(r4 + 8) = r1\nr0 = *(u64 *)(r4 + 8)\nexit", 0x123456789, 0, 0x0f0e0d0c23456789 },
	{ "*(u64 *)(r4 + 0) = r1\nlock *(u32 *)(r4 + 0) |= r2\nr0 = *(u64 *)(r4 + 0)\nexit", 0x10000000f0, 0x20000000f, 0x10000000ff },
	{ "*(u64 *)(r4 + 0) = r1\nlock *(u32 *)(r4 + 0) &= r2\nr0 = *(u64 *)(r4 + 0)\nexit", 0x10000000f0, 0x3c, 0x1000000030 },
	{ "*(u64 *)(r4 + 0) = r1\nlock *(u32 *)(r4 + 0) ^= r2\nr0 = *(u64 *)(r4 + 0)\nexit", 0x10000000ff, 0xf, 0x10000000f0 },
	{ "*(u64 *)(r4 + 0) = r1\nr2 = atomic_fetch_or((u32 *)(r4 + 0), r2)\nr0 = *(u64 *)(r4 + 0)\nr0 += r2\nexit", 0x500000001, 2, 0x500000004 },
	{ "*(u64 *)(r4 + 0) = r1\nr2 = atomic_fetch_and((u32 *)(r4 + 0), r2)\nr0 = *(u64 *)(r4 + 0)\nr0 += r2\nexit", 0x500000003, 2, 0x500000005 },
	{ "*(u64 *)(r4 + 0) = r1\nr2 = atomic_fetch_xor((u32 *)(r4 + 0), r2)\nr0 = *(u64 *)(r4 + 0)\nr0 += r2\nexit", 0x500000003, 2, 0x500000004 },
	{ "*(u64 *)(r4 + 0) = r1\nr2 = atomic_xchg((u32 *)(r4 + 0), r2)\nr0 = *(u64 *)(r4 + 0)\nr0 += r2\nexit", 0x50000000a, 0x100000064, 0x50000006e },
	/* calls: r6 to r9 and the stack of the caller are kept, the callee has its own */
	{ "r6 = 10\n*(u64 *)(r10 - 8) = 1\ncall function 1\nr0 += r6\nr1 = *(u64 *)(r10 - 8)\nr0 += r1\nexit", 100, 0, 111,
	  "r6 = 99\n*(u64 *)(r10 - 8) = 77\nr0 = r1\nexit" },
	{ "*(u64 *)(r10 - 8) = 5\nr2 = r10\nr2 += -8\ncall function 1\nr0 = *(u64 *)(r10 - 8)\nexit", 3, 0, 8,
	  "*(u64 *)(r10 - 8) = r2\nr0 = 0\nr3 = *(u64 *)(r10 - 8)\nr2 = *(u64 *)(r3 + 0)\nr2 += r1\n*(u64 *)(r3 + 0) = r2\nexit" },
	{ "r6 = 3\nr7 = 0\nagain: r1 = r7\ncall function 1\nr7 = r0\nr6 -= 1\nif r6 != 0 goto again\nr0 = r7\nexit", 0, 0, 21,
	  "r0 = r1\nr0 *= 2\nr0 += 3\nexit" },
	/* the same by a register: a function, and a helper by its number (get_smp_processor_id is 0 here) */
	{ "r6 = 10\n*(u64 *)(r10 - 8) = 1\nr9 = function 1 ll\ncallx r9\nr0 += r6\nr1 = *(u64 *)(r10 - 8)\nr0 += r1\nexit", 100, 0, 111,
	  "r6 = 99\nr9 = 98\n*(u64 *)(r10 - 8) = 77\nr0 = r1\nexit" },
	{ "r6 = r1\nr0 = 8\ncallx r0\nr0 += r6\nexit", 5, 0, 5 },
	/* loops */
	{ "r0 = 0\nr3 = 0\nagain: r0 += r3\nr3 += 1\nif r3 <= 100 goto again\nexit", 0, 0, 5050 },
};

/* Arithmetic in its four forms: with b in a register or as the immediate, on 64 and on 32 bits. */
static const struct {
	const char *op;
	uint64_t a;
	int32_t b;
	uint64_t r64;
	uint32_t r32;
} alus[] = {
	{ "+=", MAX64, 1, MIN64, 0 },
	{ "+=", 5, -6, ONES, 0xffffffff },
	{ "-=", 0, 1, ONES, 0xffffffff },
	{ "-=", MIN64, 1, MAX64, 0xffffffff },
	{ "*=", 0x100000001, 3, 0x300000003, 3 },
	{ "*=", ONES, -1, 1, 1 },
	{ "/=", ONES, 2, MAX64, 0x7fffffff },
	{ "/=", 7, -1, 0, 0 },
	{ "/=", ONES, -1, 1, 1 },
	{ "%=", ONES, 16, 15, 15 },
	{ "%=", 7, -1, 7, 7 },
	{ "s/=", MIN64, -1, MIN64, 0 },
	{ "s/=", 0x80000000, -1, 0xffffffff80000000, 0x80000000 },
	{ "s/=", (uint64_t)-7, 2, (uint64_t)-3, 0xfffffffd },
	{ "s%=", MIN64, -1, 0, 0 },
	{ "s%=", 0x80000000, -1, 0, 0 },
	{ "s%=", (uint64_t)-7, 2, ONES, 0xffffffff },
	{ "s%=", 7, -2, 1, 1 },
	{ "|=", 0xf0, 15, 0xff, 0xff },
	{ "|=", 0, -1, ONES, 0xffffffff },
	{ "&=", ONES, -2, 0xfffffffffffffffe, 0xfffffffe },
	{ "&=", 0x1000000ff, 15, 15, 15 },
	{ "^=", ONES, -1, 0, 0 },
	{ "^=", 0xff, 15, 0xf0, 0xf0 },
	{ "<<=", 1, 31, 0x80000000, 0x80000000 },
	{ "<<=", 0x180000000, 1, 0x300000000, 0 },
	{ "<<=", 3, 0, 3, 3 },
	{ ">>=", 0x8000000080000000, 31, 0x100000001, 1 },
	{ ">>=", ONES, 0, ONES, 0xffffffff },
	{ "s>>=", 0x80000000, 31, 1, 0xffffffff },
	{ "s>>=", MIN64, 31, 0xffffffff00000000, 0 },
	{ "=", 9, -5, (uint64_t)-5, 0xfffffffb },
	{ "=", ONES, 0x7fffffff, 0x7fffffff, 0x7fffffff },
};

/* Jumps in their four forms. */
static const struct {
	const char *op;
	uint64_t a;
	int32_t b;
	bool taken64, taken32;
} jumps[] = {
	{ "==", 5, 5, true, true },
	{ "==", 0x100000005, 5, false, true },
	{ "==", ONES, -1, true, true },
	{ "==", 0xffffffff, -1, false, true },
	{ "!=", 5, 5, false, false },
	{ "!=", 0x100000005, 5, true, false },
	{ ">", ONES, 1, true, true },
	{ ">", 0x100000000, 1, true, false },
	{ ">", ONES, -1, false, false },
	{ ">=", 5, 5, true, true },
	{ ">=", 0x100000000, 1, true, false },
	{ ">=", 4, 5, false, false },
	{ "<", 4, 5, true, true },
	{ "<", 5, 5, false, false },
	{ "<", 0x100000000, 1, false, true },
	{ "<", 1, -1, true, true },
	{ "<=", 5, 5, true, true },
	{ "<=", 6, 5, false, false },
	{ "<=", 0x100000000, 1, false, true },
	{ "s>", ONES, 1, false, false },
	{ "s>", 1, -1, true, true },
	{ "s>", 0x80000000, 1, true, false },
	{ "s>=", ONES, -1, true, true },
	{ "s>=", 0x80000000, 0, true, false },
	{ "s>=", (uint64_t)-2, -1, false, false },
	{ "s<", ONES, 0, true, true },
	{ "s<", 0x80000000, 0, false, true },
	{ "s<", 0, 0, false, false },
	{ "s<=", ONES, -1, true, true },
	{ "s<=", 0x80000000, -1, false, true },
	{ "s<=", 1, 0, false, false },
	{ "&", 6, 1, false, false },
	{ "&", 6, 2, true, true },
	{ "&", 0x100000000, -1, true, false },
	{ "&", MIN64, INT32_MIN, true, false },
};

/* ---- all of them ---------------------------------------------------------------------------------------------- */

static struct test_insn *all;
static size_t n_all;

static void
add_test(struct arena *arena, const char *source, uint64_t r1, uint64_t r2, uint64_t r0)
{
	all[n_all++] = (struct test_insn){ .source = arena_strdup(arena, source), .r1 = r1, .r2 = r2, .r0 = r0 };
}

static void
add_forms(struct arena *arena)
{
	for (size_t i = 0; i < ARRAY_SIZE(alus); i++) {
		uint64_t a = alus[i].a, b = (uint64_t)(int64_t)alus[i].b;
		const char *op = alus[i].op;

		add_test(arena, arena_printf(arena, "r0 = r1\nr0 %s r2\nexit", op), a, b, alus[i].r64);
		add_test(arena, arena_printf(arena, "r0 = r1\nr0 %s %d\nexit", op, alus[i].b), a, 0, alus[i].r64);
		add_test(arena, arena_printf(arena, "r0 = r1\nw0 %s w2\nexit", op), a, b, alus[i].r32);
		add_test(arena, arena_printf(arena, "r0 = r1\nw0 %s %d\nexit", op, alus[i].b), a, 0, alus[i].r32);
	}
	for (size_t i = 0; i < ARRAY_SIZE(jumps); i++) {
		uint64_t a = jumps[i].a, b = (uint64_t)(int64_t)jumps[i].b;
		const char *op = jumps[i].op, *rest = "goto +1\nr0 = 0\nexit";

		add_test(arena, arena_printf(arena, "r0 = 1\nif r1 %s r2 %s", op, rest), a, b, jumps[i].taken64);
		add_test(arena, arena_printf(arena, "r0 = 1\nif r1 %s %d %s", op, jumps[i].b, rest), a, 0, jumps[i].taken64);
		add_test(arena, arena_printf(arena, "r0 = 1\nif w1 %s w2 %s", op, rest), a, b, jumps[i].taken32);
		add_test(arena, arena_printf(arena, "r0 = 1\nif w1 %s %d %s", op, jumps[i].b, rest), a, 0, jumps[i].taken32);
	}
}

static int
make_tests(void **state)
{
	struct arena *arena = arena_new();

	all = arena_alloc(arena, (ARRAY_SIZE(insns) + 4 * ARRAY_SIZE(alus) + 4 * ARRAY_SIZE(jumps)) * sizeof(*all));
	memcpy(all, insns, sizeof(insns));
	n_all = ARRAY_SIZE(insns);
	add_forms(arena);
	*state = arena;
	return 0;
}

static int
free_tests(void **state)
{
	arena_free(*state);
	return 0;
}

static struct object *
object_of(const struct test_insn *test, struct arena *arena)
{
	struct object *object = fixture_object(arena);

	fixture_func(object, "entry", test->source);
	if (test->callee)
		fixture_func(object, "callee", test->callee);
	return object;
}

static unsigned
check_result(const struct test_insn *test, uint64_t r0, const char *where)
{
	if (r0 == test->r0)
		return 0;
	print_error("%s\n with %lx, %lx %s: %lx instead of %lx\n", test->source, (unsigned long)test->r1, (unsigned long)test->r2, where,
		    (unsigned long)r0, (unsigned long)test->r0);
	return 1;
}

static void
check_insns(enum vm_exec exec)
{
	static const struct vm_signature signature = { .callx = VM_CALLX_PERMITTED, .args = {
		{ VM_ARG_SCALAR, 0 }, { VM_ARG_SCALAR, 0 }, { VM_ARG_NONE, 0 }, { VM_ARG_MEM, SCRATCH_SIZE },
	} };
	unsigned n_bad = 0;

	for (size_t i = 0; i < n_all; i++) {
		struct arena *arena = arena_new();
		struct object *object = object_of(&all[i], arena);
		_Alignas(8) uint8_t scratch[SCRATCH_SIZE];
		uint64_t args[5] = { all[i].r1, all[i].r2, 0, (uintptr_t)scratch, 0 };
		struct text why = { 0 };
		struct vm_program *program;
		struct vm *vm;
		int err;

		for (int b = 0; b < SCRATCH_SIZE; b++)
			scratch[b] = (uint8_t)b;
		vm = vm_new(object, 2, &why);
		assert_non_null(vm);
		vm_set_exec(vm, exec);
		program = vm_load(vm, object->funcs[0], &signature, &why, &err);
		if (!program)
			fail_msg("%s: %s", all[i].source, why.s);
		n_bad += check_result(&all[i], vm_run(vm, program, NULL, args), exec == VM_EXEC_INTERP ? "in the interpreter" : "as machine code");
		vm_free(vm);
		arena_free(arena);
	}
	assert_int_equal(n_bad, 0);
}

static void
test_insns(void **state)
{
	check_insns(VM_EXEC_INTERP);
	check_insns(VM_EXEC_AUTO);
}

/* Kernels before 7.4 do not know callx. */
static bool
is_known_to_kernels(const struct test_insn *test)
{
	return !strstr(test->source, "callx");
}

static void
test_kernel(void **state)
{
	struct kernel kernel;
	unsigned n_bad = 0, n_unknown = 0;
	int err = kernel_open(&kernel, NULL);

	if (err) {
		print_message("# the kernel does not let us: %s\n", strerror(-err));
		skip();
	}
	for (size_t i = 0; i < n_all; i++) {
		struct arena *arena;
		struct kernel_input input = { .numbers = true, .ctx = { all[i].r1, all[i].r2 } };
		uint64_t r0 = 0;

		if (!is_known_to_kernels(&all[i])) {
			n_unknown++;
			continue;
		}
		arena = arena_new();
		for (int b = 0; b < SCRATCH_SIZE; b++)
			input.scratch[b] = (uint8_t)b;
		err = kernel_run(&kernel, object_of(&all[i], arena), &input, &r0);
		if (err)
			print_error("%s: the kernel does not run it: %s\n", all[i].source, strerror(-err));
		n_bad += err ? 1 : check_result(&all[i], r0, "in the kernel");
		arena_free(arena);
	}
	kernel_close(&kernel);
	print_message("# %u tests are not the kernel's: callx\n", n_unknown);
	assert_int_equal(n_bad, 0);
}

/* Those that no program of ours can run: helpers and tables have tests of their own, the rest is refused. */
static bool
is_elsewhere(enum insn_id id)
{
	const struct insn_info *info = insn_info_of(id);

	return info->shape == SHAPE_PACKET || id == INSN_CALL || id == INSN_CALL_BTF || (info->shape == SHAPE_LD64 && id != INSN_LD64);
}

static void
test_every_instruction(void **state)
{
	bool seen[N_INSNS] = { false };
	unsigned n_bad = 0;

	for (size_t i = 0; i < n_all; i++) {
		struct arena *arena = arena_new();
		const struct func *func = object_of(&all[i], arena)->funcs[0];

		for (uint32_t pc = 0; pc < func->n_insns; pc += 1 + insn_is_wide(&func->insns[pc]))
			seen[insn_info(&func->insns[pc])->id] = true;
		arena_free(arena);
	}
	for (int id = 0; id < N_INSNS; id++) {
		if (seen[id] || is_elsewhere((enum insn_id)id))
			continue;
		n_bad++;
		print_error("no test of %s, \"%s\"\n", insn_info_of((enum insn_id)id)->name, insn_info_of((enum insn_id)id)->format);
	}
	assert_int_equal(n_bad, 0);
}

static void
test_unverified(void **state)
{
	struct arena *arena = arena_new();
	struct object *object = fixture_object(arena);
	struct text why = { 0 };
	struct vm *vm = vm_new(object, 1, &why);
	int err = 0;

	assert_null(vm_load(vm, fixture_func(object, "bad", "r0 = *(u64 *)(r1 + 64)\nexit"), &handler_signature, &why, &err));
	assert_int_equal(err, -EACCES);
	assert_non_null(why.s);
	text_fini(&why);
	vm_free(vm);
	arena_free(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_insns),
		cmocka_unit_test(test_kernel),
		cmocka_unit_test(test_every_instruction),
		cmocka_unit_test(test_unverified),
	};

	return cmocka_run_group_tests(tests, make_tests, free_tests);
}
