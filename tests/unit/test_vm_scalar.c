/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What the verifier knows of numbers is true: for random abstract numbers and concrete ones that they stand for, the abstract result
 * of every operation and branch stands for the concrete one. Also a few results that programs depend on being exact.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vm_fixture.h"

#include "vm/vm_int.h"

static uint64_t seed = 0x2545f4914f6cdd1du;

static uint64_t
random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1du;
}

/* Numbers near the edges of every width, mostly. */
static uint64_t
random_value(void)
{
	static const uint64_t edges[] = { 0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000,
					  0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff, 0xffffffff80000000, 31, 32, 63, 64 };
	uint64_t value = edges[random64() % ARRAY_SIZE(edges)];

	switch (random64() % 4) {
	case 0:
		return random64() >> random64() % 64;
	case 1:
		return value + random64() % 5 - 2;
	default:
		return value;
	}
}

struct insn_row {
	struct bpf_insn insn;
	uint8_t shape;
};

static struct insn_row rows[N_INSNS];
static size_t n_rows;

static void
collect_rows(void)
{
	for (int id = 0; id < N_INSNS; id++) {
		const struct insn_info *info = insn_info_of((enum insn_id)id);
		struct bpf_insn insn = insn_make(info->code, 0, 0, 0, 0);

		if (info->shape != SHAPE_ALU && info->shape != SHAPE_UNARY && info->shape != SHAPE_COND)
			continue;
		/* The field that selects the row; off of arithmetic, imm of byte swaps. */
		if (info->shape == SHAPE_UNARY)
			insn.imm = info->value;
		else if (info->shape == SHAPE_ALU)
			insn.off = (int16_t)info->value;
		assert_ptr_equal(insn_info(&insn), info);
		rows[n_rows].insn = insn;
		rows[n_rows++].shape = info->shape;
	}
}

/* Immediate forms take their operand from the instruction. */
static uint64_t
give_operand(struct bpf_insn *insn, uint8_t shape, uint64_t src)
{
	if (shape == SHAPE_UNARY || BPF_SRC(insn->code) == BPF_X)
		return src;
	insn->imm = (int32_t)src;
	return (uint64_t)(int64_t)insn->imm;
}

/* An abstract number that stands for `value`, made by narrowing with random true comparisons. */
static struct scalar
random_scalar(uint64_t value)
{
	struct scalar s = scalar_unknown();

	if (random64() % 8 == 0)
		return scalar_const(value);
	for (int n = (int)(random64() % 5); n > 0; n--) {
		const struct insn_row *row = &rows[random64() % n_rows];
		struct bpf_insn insn = row->insn;
		uint64_t other = random64() % 2 ? random_value() : value + random64() % 65 - 32;
		struct scalar c;

		if (row->shape != SHAPE_COND)
			continue;
		other = give_operand(&insn, row->shape, other);
		c = scalar_const(other);
		assert_true(scalar_refine(&insn, insn_eval_jump(&insn, value, other), &s, &c));
	}
	if (!scalar_has(&s, value))
		fail_msg("narrowing lost %lx", (unsigned long)value);
	return s;
}

static void
expect(const struct scalar *s, uint64_t value, const struct bpf_insn *insn, uint64_t dst, uint64_t src)
{
	struct text text = { 0 };

	if (scalar_has(s, value))
		return;
	disasm_insn(insn, &text);
	text_puts(&text, ": ");
	scalar_print(s, &text);
	fail_msg("%s: %lx, %lx give %lx", text.s, (unsigned long)dst, (unsigned long)src, (unsigned long)value);
}

static void
try_insn(const struct insn_row *row)
{
	struct bpf_insn insn = row->insn;
	uint64_t dst = random_value(), src = give_operand(&insn, row->shape, random64() % 8 ? random_value() : dst), value;
	struct scalar a = random_scalar(dst), b = random_scalar(src), result;
	int way;

	if (row->shape != SHAPE_UNARY && BPF_SRC(insn.code) == BPF_K)
		b = scalar_const(src);
	if (insn_eval_alu(&insn, dst, src, &value)) {
		result = scalar_alu(&insn, &a, &b);
		expect(&result, value, &insn, dst, src);
		return;
	}
	way = scalar_branch(&insn, &a, &b);
	if (way >= 0 && way != insn_eval_jump(&insn, dst, src)) {
		expect(&a, dst, &insn, dst, src);
		fail_msg("opcode %x decided wrongly: %lx, %lx", insn.code, (unsigned long)dst, (unsigned long)src);
	}
	assert_true(scalar_refine(&insn, insn_eval_jump(&insn, dst, src), &a, &b));
	expect(&a, dst, &insn, dst, src);
	expect(&b, src, &insn, dst, src);
}

static void
test_sound(void **state)
{
	collect_rows();
	for (int i = 0; i < 20000; i++)
		for (size_t r = 0; r < n_rows; r++)
			try_insn(&rows[r]);
}

/* Extremes of an operation over all pairs of small ranges: exact where the kernel's is. */
static void
test_exact(void **state)
{
	struct scalar a = scalar_loaded(1, false), b = scalar_const(12), r;
	struct bpf_insn add = insn_alu(BPF_ADD, 0, 1), mul = insn_alu(BPF_MUL, 0, 1), lsh = insn_alu_imm(BPF_LSH, 0, 3);
	struct bpf_insn sub = insn_alu(BPF_SUB, 0, 1), and = insn_alu_imm(BPF_AND, 0, -16);

	r = scalar_alu(&add, &a, &b);
	assert_int_equal(r.r64.umin, 12);
	assert_int_equal(r.r64.umax, 267);
	assert_int_equal(r.r32.smax, 267);
	r = scalar_alu(&mul, &a, &b);
	assert_int_equal(r.r64.umax, 255 * 12);
	b = scalar_const(3);
	r = scalar_alu(&lsh, &a, &b);
	assert_int_equal(r.r64.umax, 255 * 8);
	assert_int_equal(r.bits.mask & 7, 0);
	r = scalar_alu(&sub, &a, &b);
	assert_int_equal(r.r64.smin, -3);
	assert_int_equal(r.r64.smax, 252);
	b = scalar_const((uint64_t)-16);
	r = scalar_alu(&and, &a, &b);
	assert_int_equal(r.r64.umax, 240);
	r = scalar_between(-4095, 64);
	assert_int_equal(r.r64.smin, -4095);
	assert_int_equal(r.r64.smax, 64);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sound),
		cmocka_unit_test(test_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
