/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The instruction table, its evaluator, the assembler and the disassembler. Text and words must turn into each other without
 * loss, for every row of insn.def and any operands.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <cmocka.h>

#include "ebpf/ebpf.h"

/* A small generator of our own: the same numbers on every machine. */
static uint64_t
next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state * 0x2545f4914f6cdd1du;
}

/* Any operands for a row; fields that it does not use are zero. */
static void
random_insn(const struct insn_info *info, uint64_t *state, struct bpf_insn insn[2])
{
	uint64_t r = next_random(state), kind = next_random(state) % 4;

	memset(insn, 0, 2 * sizeof(*insn));
	insn->code = info->code;
	if (strstr(info->format, "%d") || strstr(info->format, "%D"))
		insn->dst_reg = r % 11;
	if (strstr(info->format, "%s") || strstr(info->format, "%S"))
		insn->src_reg = (r >> 8) % 11;
	if (strstr(info->format, "%o") || strstr(info->format, "%j"))
		insn->off = kind == 0 ? INT16_MIN : kind == 1 ? INT16_MAX : (int16_t)(r >> 16);
	if (strstr(info->format, "%i") || strstr(info->format, "%u") || strstr(info->format, "%I") ||
	    strstr(info->format, "%J"))
		insn->imm = kind == 0 ? INT32_MIN : kind == 1 ? -1 : (int32_t)(r >> 32);
	if (strstr(info->format, "%n") || strstr(info->format, "%I"))
		insn[1].imm = kind == 0 ? INT32_MIN : kind == 1 ? 0 : (int32_t)r;
	if (info->select == SELECT_OFF)
		insn->off = (int16_t)info->value;
	if (info->select == SELECT_IMM)
		insn->imm = info->value;
	if (info->select == SELECT_SRC)
		insn->src_reg = info->value & 15;
}

static void
test_rows(void **unused)
{
	uint64_t state = 1;

	for (unsigned id = 0; id < N_INSNS; id++) {
		const struct insn_info *info = insn_info_of(id);
		struct bpf_insn insn[2];

		assert_int_equal(info->id, id);
		assert_in_range(info->version, 1, 4);
		random_insn(info, &state, insn);
		assert_ptr_equal(insn_info(insn), info);
		assert_null(insn_reserved(insn));
		assert_int_equal(insn_is_wide(insn), info->shape == SHAPE_LD64);
	}
}

/* Opcodes of RFC 9669, appendix A; all others must be unknown whatever their operands. */
static void
test_unknown(void **unused)
{
	bool known[256] = { false };
	unsigned n = 0;

	for (unsigned id = 0; id < N_INSNS; id++)
		known[insn_info_of(id)->code] = true;
	for (unsigned code = 0; code < 256; code++) {
		n += known[code];
		for (int value = -1; value <= 256; value++) {
			struct bpf_insn insn = insn_make(code, 0, value & 15, value, value);

			if (!known[code])
				assert_null(insn_info(&insn));
		}
	}
	/*
	 * 2 * 12 * 2 arithmetic, 2 neg, 3 byte swaps; 11 * 2 * 2 conditions, ja, gotol, call, callx, exit; ld_imm64;
	 * 4 + 3 loads, 8 stores, 2 atomic; 6 packet.
	 */
	assert_int_equal(n, 48 + 2 + 3 + 44 + 5 + 1 + 7 + 8 + 2 + 6);
}

static void
test_selected(void **unused)
{
	static const struct {
		struct bpf_insn insn;
		const char *name; /* NULL: no such instruction */
	} cases[] = {
		{ { .code = BPF_ALU64 | BPF_DIV | BPF_X, .off = 1 }, "sdiv64" },
		{ { .code = BPF_ALU64 | BPF_DIV | BPF_X, .off = 2 }, NULL },
		{ { .code = BPF_ALU | BPF_MOD | BPF_K, .off = 1 }, "smod32" },
		{ { .code = BPF_ALU64 | BPF_MOV | BPF_X, .off = 32 }, "movsx64" },
		{ { .code = BPF_ALU | BPF_MOV | BPF_X, .off = 32 }, NULL },
		{ { .code = BPF_ALU64 | BPF_MOV | BPF_K, .off = 8 }, NULL },
		{ { .code = BPF_ALU | BPF_END | BPF_TO_BE, .imm = 32 }, "be32" },
		{ { .code = BPF_ALU | BPF_END | BPF_TO_BE, .imm = 24 }, NULL },
		{ { .code = BPF_ALU64 | BPF_END, .imm = 64 }, "bswap64" },
		{ { .code = BPF_ALU64 | BPF_END | BPF_TO_BE, .imm = 64 }, NULL },
		{ { .code = BPF_ALU64 | BPF_NEG | BPF_X }, NULL },
		{ { .code = BPF_STX | BPF_ATOMIC | BPF_DW, .imm = BPF_CMPXCHG }, "atomic_cmpxchg64" },
		{ { .code = BPF_STX | BPF_ATOMIC | BPF_W, .imm = BPF_ADD | BPF_FETCH },
		  "atomic_fetch_add32" },
		{ { .code = BPF_STX | BPF_ATOMIC | BPF_W, .imm = BPF_SUB }, NULL },
		{ { .code = BPF_STX | BPF_ATOMIC | BPF_B, .imm = BPF_ADD }, NULL },
		{ { .code = BPF_JMP | BPF_CALL, .src_reg = 3 }, NULL },
		{ { .code = BPF_JMP | BPF_CALL | BPF_X, .dst_reg = 3 }, "callx" },
		{ { .code = BPF_JMP32 | BPF_CALL | BPF_X, .dst_reg = 3 }, NULL },
		{ { .code = BPF_LD | BPF_IMM | BPF_DW, .src_reg = 7 }, NULL },
		{ { .code = 0 }, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct insn_info *info = insn_info(&cases[i].insn);

		if (cases[i].name) {
			assert_non_null(info);
			assert_string_equal(info->name, cases[i].name);
		} else {
			assert_null(info);
		}
	}
}

static void
test_reserved(void **unused)
{
	static const struct {
		struct bpf_insn insn;
		const char *field;
	} cases[] = {
		{ { .code = BPF_ALU64 | BPF_ADD | BPF_X, .dst_reg = 1, .src_reg = 2, .imm = 1 }, "imm" },
		{ { .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 1, .src_reg = 2, .imm = 1 }, "src" },
		{ { .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 1, .off = 2, .imm = 1 }, "off" },
		{ { .code = BPF_JMP | BPF_EXIT, .dst_reg = 1 }, "dst" },
		{ { .code = BPF_JMP | BPF_CALL, .src_reg = 1, .imm = 4 }, NULL },
		{ { .code = BPF_JMP | BPF_CALL | BPF_X, .dst_reg = 3 }, NULL },
		{ { .code = BPF_JMP | BPF_CALL | BPF_X, .imm = 3 }, "imm" },
		{ { .code = BPF_ALU64 | BPF_DIV | BPF_K, .off = 1, .imm = 4 }, NULL },
		{ { .code = BPF_LDX | BPF_MEM | BPF_B, .off = 1, .imm = 4 }, "imm" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *field = insn_reserved(&cases[i].insn);

		assert_int_equal(field == NULL, cases[i].field == NULL);
		if (field)
			assert_string_equal(field, cases[i].field);
	}
}

#define MIN64 ((uint64_t)INT64_MIN)
#define MIN32 ((uint64_t)(uint32_t)INT32_MIN)
#define M1    UINT64_MAX
#define HI    0xdeadbeef00000000u /* upper half that 32-bit operations must drop */

static void
test_alu(void **unused)
{
	static const struct {
		const char *insn;
		uint64_t dst, src, result;
	} cases[] = {
		{ "r1 += r2", M1, 2, 1 },
		{ "w1 += w2", HI | 0xffffffff, 2, 1 },
		{ "r1 -= r2", 1, 2, M1 },
		{ "w1 -= w2", 1, 2, 0xffffffff },
		{ "r1 *= r2", 1ull << 63, 3, 1ull << 63 },
		{ "w1 *= w2", 0xffffffff, 0xffffffff, 1 },
		{ "r1 /= r2", M1, 2, INT64_MAX },
		{ "r1 /= r2", 5, 0, 0 },
		{ "w1 /= w2", HI | 7, HI | 2, 3 },
		{ "w1 /= w2", HI | 7, HI, 0 },
		{ "r1 %= r2", HI | 7, 0, HI | 7 },
		{ "w1 %= w2", HI | 7, HI, 7 },
		{ "r1 %= r2", 17, 5, 2 },
		{ "r1 s/= r2", -17, 5, -3 },
		{ "r1 s/= r2", MIN64, M1, MIN64 },
		{ "r1 s/= r2", -17, 0, 0 },
		{ "w1 s/= w2", MIN32, M1, MIN32 },
		{ "w1 s/= w2", (uint32_t)-17, 5, (uint32_t)-3 },
		{ "r1 s%= r2", -17, 5, -2 },
		{ "r1 s%= r2", -17, 0, -17 },
		{ "r1 s%= r2", MIN64, M1, 0 },
		{ "w1 s%= w2", MIN32, M1, 0 },
		{ "w1 s%= w2", M1, 0, 0xffffffff },
		{ "r1 /= -1", M1, 0, 1 },
		{ "w1 /= -1", M1, 0, 1 },
		{ "r1 |= r2", 5, 10, 15 },
		{ "r1 |= -16", 5, 0, -11 },
		{ "w1 |= -16", 5, 0, (uint32_t)-11 },
		{ "r1 &= r2", 12, 10, 8 },
		{ "w1 &= w2", M1, M1, 0xffffffff },
		{ "r1 ^= r2", 12, 10, 6 },
		{ "r1 <<= r2", 1, 65, 2 },
		{ "w1 <<= w2", 3, 31, 0x80000000 },
		{ "w1 <<= w2", 1, 33, 2 },
		{ "r1 >>= r2", M1, 63, 1 },
		{ "w1 >>= w2", HI | 0x80000000, 31, 1 },
		{ "r1 s>>= r2", MIN64, 63, M1 },
		{ "w1 s>>= w2", MIN32, 31, 0xffffffff },
		{ "r1 = r2", 1, HI, HI },
		{ "w1 = w2", 1, HI | 3, 3 },
		{ "r1 = -5", 1, 0, -5 },
		{ "w1 = -5", 1, 0, (uint32_t)-5 },
		{ "r1 = (s8)r2", 0, 0x180, -128 },
		{ "r1 = (s16)r2", 0, 0x18000, -32768 },
		{ "r1 = (s32)r2", 0, 0x180000000, INT32_MIN },
		{ "w1 = (s8)w2", 0, 0x180, 0xffffff80 },
		{ "w1 = (s16)w2", 0, 0x7fff, 0x7fff },
		{ "r1 = -r1", 5, 0, -5 },
		{ "r1 = -r1", MIN64, 0, MIN64 },
		{ "w1 = -w1", MIN32, 0, MIN32 },
		{ "r1 = bswap16 r1", 0x1122334455667788, 0, 0x8877 },
		{ "r1 = bswap32 r1", 0x1122334455667788, 0, 0x88776655 },
		{ "r1 = bswap64 r1", 0x1122334455667788, 0, 0x8877665544332211 },
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
		{ "r1 = le16 r1", 0x1122334455667788, 0, 0x7788 },
		{ "r1 = be16 r1", 0x1122334455667788, 0, 0x8877 },
		{ "r1 = be64 r1", 0x1122334455667788, 0, 0x8877665544332211 },
#endif
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct arena *arena = arena_new();
		struct text why = { 0 };
		struct code code;
		uint64_t result;

		code_init(&code, arena);
		assert_int_equal(asm_text(&code, cases[i].insn, &why), 0);
		assert_true(insn_eval_alu(&code.insns[0], cases[i].dst, cases[i].src, &result));
		if (result != cases[i].result)
			fail_msg("%s: %#lx, not %#lx", cases[i].insn, (long)result, (long)cases[i].result);
		text_fini(&why);
		arena_free(arena);
	}
}

static void
test_jumps(void **unused)
{
	static const struct {
		const char *insn;
		uint64_t dst, src;
		bool taken;
	} cases[] = {
		{ "if r1 == r2 goto +1", HI, HI, true },
		{ "if r1 == r2 goto +1", HI, 0, false },
		{ "if w1 == w2 goto +1", HI, 0, true },
		{ "if r1 == -1 goto +1", M1, 0, true },
		{ "if w1 == -1 goto +1", 0xffffffff, 0, true },
		{ "if r1 == -1 goto +1", 0xffffffff, 0, false },
		{ "if r1 != r2 goto +1", 1, 2, true },
		{ "if r1 > r2 goto +1", M1, 0, true },
		{ "if r1 s> r2 goto +1", M1, 0, false },
		{ "if w1 s> w2 goto +1", 0x80000000, 0, false },
		{ "if w1 > w2 goto +1", 0x80000000, 0, true },
		{ "if r1 >= r2 goto +1", 5, 5, true },
		{ "if r1 s>= r2 goto +1", -1, 0, false },
		{ "if r1 < r2 goto +1", 1, M1, true },
		{ "if r1 s< r2 goto +1", 1, M1, false },
		{ "if w1 s< 0 goto +1", 0x80000000, 0, true },
		{ "if r1 <= r2 goto +1", 5, 5, true },
		{ "if r1 s<= r2 goto +1", M1, 0, true },
		{ "if r1 & r2 goto +1", 6, 9, false },
		{ "if r1 & r2 goto +1", 6, 2, true },
		{ "if w1 & w2 goto +1", HI, HI, false },
		{ "goto +1", 0, 0, true },
		{ "gotol +1", 0, 0, true },
		{ "exit", 0, 0, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct arena *arena = arena_new();
		struct text why = { 0 };
		struct code code;

		code_init(&code, arena);
		assert_int_equal(asm_text(&code, cases[i].insn, &why), 0);
		if (insn_eval_jump(&code.insns[0], cases[i].dst, cases[i].src) != cases[i].taken)
			fail_msg("%s: taken is not %d", cases[i].insn, cases[i].taken);
		text_fini(&why);
		arena_free(arena);
	}
}

/* ---- the kernel as the judge ------------------------------------------------------------------------------------------ */

/* What the program below is given and gives back. */
struct operands {
	uint64_t dst, src, result;
};

/* A program that applies one instruction, over r7 and r8, to its operands. */
static int
load_insn(const struct bpf_insn *insn, bool is_jump)
{
	const struct bpf_insn insns[] = {
		insn_mov(6, 1),
		insn_load(BPF_DW, 7, 6, offsetof(struct operands, dst)),
		insn_load(BPF_DW, 8, 6, offsetof(struct operands, src)),
		insn_store_imm(BPF_DW, 6, offsetof(struct operands, result), 1),
		*insn, /* a jump skips the next */
		is_jump ? insn_store_imm(BPF_DW, 6, offsetof(struct operands, result), 0)
			: insn_store(BPF_DW, 6, 7, offsetof(struct operands, result)),
		insn_mov_imm(0, 0),
		insn_exit(),
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = BPF_F_SLEEPABLE);

	return bpf_prog_load(BPF_PROG_TYPE_SYSCALL, "insn", "GPL", insns, ARRAY_SIZE(insns), &opts);
}

static uint64_t
run_insn(int fd, uint64_t dst, uint64_t src)
{
	struct operands operands = { dst, src, 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = &operands, .ctx_size_in = sizeof(operands));

	assert_int_equal(bpf_prog_test_run_opts(fd, &opts), 0);
	return operands.result;
}

/* One of the numbers at which arithmetic goes wrong, or any. */
static uint64_t
random_operand(uint64_t *state)
{
	static const uint64_t edges[] = { 0,  1,     2,         31,    32,        63, 64,
					  M1, MIN64, MIN64 - 1, MIN32, MIN32 - 1, HI, 0xffffffff };
	uint64_t r = next_random(state);

	return r % 3 ? edges[(r >> 8) % ARRAY_SIZE(edges)] : next_random(state);
}

static void
check_insn(int fd, const struct bpf_insn *insn, bool is_jump, uint64_t *state)
{
	for (int i = 0; i < 100; i++) {
		uint64_t dst = random_operand(state), src = random_operand(state), ours = 0,
			 theirs = run_insn(fd, dst, src);

		if (is_jump)
			ours = insn_eval_jump(insn, dst, src);
		else
			assert_true(insn_eval_alu(insn, dst, src, &ours));
		if (ours != theirs)
			fail_msg("%s (imm %d) of %#lx and %#lx: %#lx, in the kernel %#lx",
				 insn_info(insn)->name, insn->imm, (long)dst, (long)src, (long)ours,
				 (long)theirs);
	}
}

/* All arithmetic and all comparisons, as the kernel computes them. */
static void
test_kernel(void **unused)
{
	uint64_t state = 3;
	unsigned n = 0;

	for (unsigned id = 0; id < N_INSNS; id++) {
		const struct insn_info *info = insn_info_of(id);
		bool is_jump = info->shape == SHAPE_COND;
		struct bpf_insn insn[2];
		int fd;

		if (!is_jump && info->shape != SHAPE_ALU && info->shape != SHAPE_UNARY)
			continue;
		random_insn(info, &state, insn);
		insn->dst_reg = 7;
		insn->src_reg = insn->src_reg || BPF_SRC(insn->code) == BPF_X ? 8 : 0;
		if (info->shape == SHAPE_UNARY)
			insn->src_reg = 0;
		if (is_jump)
			insn->off = 1;
		if (info->shape == SHAPE_ALU && BPF_SRC(insn->code) == BPF_K)
			insn->imm =
				1 + (insn->imm &
				     15); /* the verifier refuses division by 0 and shifts past the width */
		fd = load_insn(insn, is_jump);
		if (n == 0 && fd < 0) {
			print_message("# loading programs is not permitted here (%s)\n", strerror(-fd));
			skip();
		}
		if (fd < 0 && info->version == 4)
			continue; /* Linux before 6.6 */
		if (fd < 0)
			fail_msg("%s: not loaded: %s", info->name, strerror(-fd));
		check_insn(fd, insn, is_jump, &state);
		close(fd);
		n++;
	}
	print_message("# %u instructions compute what the kernel computes\n", n);
}

/* words -> text -> words, all rows, many operands. */
static void
test_round_trip(void **unused)
{
	uint64_t state = 42;

	for (unsigned i = 0; i < 200 * N_INSNS; i++) {
		struct arena *arena = arena_new();
		struct text out = { 0 }, why = { 0 };
		struct bpf_insn insn[2];
		struct code code;

		random_insn(insn_info_of(i % N_INSNS), &state, insn);
		disasm_insn(insn, &out);
		code_init(&code, arena);
		if (asm_text(&code, out.s, &why))
			fail_msg("%s", why.s);
		assert_int_equal(code.n, insn_is_wide(insn) ? 2 : 1);
		if (memcmp(code.insns, insn, code.n * sizeof(*insn)))
			fail_msg("'%s' (%s) was read as another instruction", out.s, insn_info(insn)->name);
		text_fini(&out);
		text_fini(&why);
		arena_free(arena);
	}
}

/* Words that are no instruction keep their fields too. */
static void
test_round_trip_unknown(void **unused)
{
	uint64_t state = 7;

	for (unsigned i = 0; i < 20000; i++) {
		uint64_t r = next_random(&state);
		struct arena *arena = arena_new();
		struct text out = { 0 }, why = { 0 };
		struct bpf_insn insn[2] = { 0 };
		struct code code;

		memcpy(insn, &r, sizeof(*insn));
		code_init(&code, arena);
		disasm_insn(insn, &out);
		if (!insn_info(insn)) {
			assert_int_equal(asm_text(&code, out.s, &why), 0);
			assert_memory_equal(code.insns, insn, sizeof(*insn));
		}
		text_fini(&out);
		text_fini(&why);
		arena_free(arena);
	}
}

/* Text as people write it, and what it must become when printed. */
static void
test_spellings(void **unused)
{
	static const struct {
		const char *source, *printed;
	} cases[] = {
		{ "r0 = *(u64 *)(r10 - 8)", "r0 = *(u64 *)(r10 - 8)" },
		{ "r0=*(u64*)(r10-8)", "r0 = *(u64 *)(r10 - 8)" },
		{ " r0 = *(u8 *)(r1 +0) ; comment", "r0 = *(u8 *)(r1 + 0)" },
		{ "r0 = *(s8 *)(r1)", "r0 = *(s8 *)(r1 + 0)" },
		{ "*(u32 *)(r10 - 4) = 0x10", "*(u32 *)(r10 - 4) = 16" },
		{ "*(u32 *)(r10 - 4) = 0xffffffff", "*(u32 *)(r10 - 4) = -1" },
		{ "*(u16 *)(r10 - 4) = r3", "*(u16 *)(r10 - 4) = r3" },
		{ "if r1 == 0x0 goto pc", "line 1: label \"pc\" is not defined" },
		{ "if r1 s>= w2 goto +3",
		  "line 1: \"if r1 s>= w2 goto +3\" does not fit any instruction, from \"w2 goto +3\" on" },
		{ "if r1 == 0 goto +3", "if r1 == 0 goto +3" },
		{ "w2 += 5", "w2 += 5" },
		{ "r1 %= 5", "r1 %= 5" },
		{ "r1 s%= r5", "r1 s%= r5" },
		{ "lock *(u64 *)(r1 + 0) += r2", "lock *(u64 *)(r1 + 0) += r2" },
		{ "r2 = atomic64_fetch_add((u64 *)(r1 +0), r2)",
		  "r2 = atomic64_fetch_add((u64 *)(r1 + 0), r2)" },
		{ "r0 = atomic_cmpxchg((u32 *)(r1 - 4), r0, r2)",
		  "r0 = atomic_cmpxchg((u32 *)(r1 - 4), r0, r2)" },
		{ "call 14", "call 14" },
		{ "call pc+3", "call pc+3" },
		{ "r1 = 0x123456789abcdef0 ll", "r1 = 0x123456789abcdef0 ll" },
		{ "r1 = -1 ll", "r1 = 0xffffffffffffffff ll" },
		{ "r1 = table_fd 3 ll", "r1 = table_fd 3 ll" },
		{ "r0 = *(u32 *)skb[r1 + 14]", "r0 = *(u32 *)skb[r1 + 14]" },
		{ "exit", "exit" },
		{ "   3: exit", "exit" },
		{ ".insn 0xff 1 2 -3 4", ".insn 0xff 1 2 -3 4" },
		{ "gotox", "line 1: no instruction begins like \"gotox\"" },
		{ "frob r1", "line 1: no instruction begins like \"frob r1\"" },
		{ "r1 +=", "line 1: \"r1 +=\" is not complete" },
		{ "r11 = 5", "line 1: the number at \"r11 = 5\" is out of range here" },
		{ "r1 = 0x100000000", "line 1: the number at \"0x100000000\" is out of range here" },
		{ "r1 = *(u64 *)(r2 + 40000)", "line 1: the number at \"+ 40000)\" is out of range here" },
		{ "a:\nexit\na:", "line 3: label \"a\" is there a second time" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct arena *arena = arena_new();
		struct text out = { 0 };
		struct code code;

		code_init(&code, arena);
		if (asm_text(&code, cases[i].source, &out) == 0)
			disasm_insn(&code.insns[0], &out);
		assert_string_equal(out.s, cases[i].printed);
		text_fini(&out);
		arena_free(arena);
	}
}

/* Labels, relocations, spans; and the function printed with the script's lines is itself input again. */
static void
test_func(void **unused)
{
	static const char source[] = "        r6 = table 3 ll\n"
				     "        r7 = table_value 1 + 16 ll ; globals\n"
				     "again:  r1 -= 1\n"
				     "        if r1 == 0 goto out\n"
				     "        goto again\n"
				     "out:    call function 2\n"
				     "        gotol end\n"
				     "end:    exit\n";
	static const char printed[] = "f (.text):\n"
				      "; 1:         r6 = table 3 ll\n"
				      "   0: r6 = table 3 ll\n"
				      "; 2:         r7 = table_value 1 + 16 ll ; globals\n"
				      "   2: r7 = table_value 1 + 16 ll\n"
				      "; 3: again:  r1 -= 1\n"
				      "   4: r1 -= 1\n"
				      "; 4:         if r1 == 0 goto out\n"
				      "   5: if r1 == 0 goto +1\n"
				      "; 5:         goto again\n"
				      "   6: goto -3\n"
				      "; 6: out:    call function 2\n"
				      "   7: call function 2\n"
				      "; 7:         gotol end\n"
				      "   8: gotol +0\n"
				      "; 8: end:    exit\n"
				      "   9: exit\n";
	struct arena *arena = arena_new();
	struct text why = { 0 };
	struct script script;
	struct code code, again;
	struct func *func;
	char *s = NULL;
	size_t len;
	FILE *out = open_memstream(&s, &len);

	script_init(&script, arena, "f", source, sizeof(source) - 1);
	code_init(&code, arena);
	assert_int_equal(asm_text(&code, source, &why), 0);
	assert_int_equal(code_finish(&code), 0);
	assert_int_equal(code.n_relocs, 3);
	assert_int_equal(code.relocs[1].addend, 16);
	assert_int_equal(code.relocs[2].pc, 7);
	func = func_from_code(&code, "f", ".text");
	disasm_func(func, &script, out);
	fclose(out);
	assert_string_equal(s, printed);

	code_init(&again, arena);
	assert_int_equal(asm_text(&again, strchr(s, '\n'), &why), 0);
	assert_int_equal(again.n, code.n);
	assert_memory_equal(again.insns, code.insns, code.n * sizeof(*code.insns));
	assert_memory_equal(again.relocs, code.relocs, code.n_relocs * sizeof(*code.relocs));
	free(s);
	text_fini(&why);
	arena_free(arena);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),       cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_selected),   cmocka_unit_test(test_reserved),
		cmocka_unit_test(test_alu),        cmocka_unit_test(test_jumps),
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_round_trip_unknown),
		cmocka_unit_test(test_spellings),  cmocka_unit_test(test_func),
		cmocka_unit_test(test_kernel),
	};

	return cmocka_run_group_tests_name("ebpf_insn", tests, NULL, NULL);
}
