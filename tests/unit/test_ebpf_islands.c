/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Jumps that are too far: followed from island to island, each leads where its label stands, and what is no jump follows as it was written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "ebpf/ebpf.h"

/* Unit n of a made program: r1 = n as one instruction or two, referred to in each way there is, then perhaps a branch to another unit. */
struct unit {
	bool wide, branches;
	uint32_t to;
};

static uint32_t
random_below(uint64_t *seed, uint32_t n)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(*seed >> 33) % n;
}

static void
make(struct code *code, const struct unit *units, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		code_label(code);
	for (uint32_t i = 0; i < n; i++) {
		code->span = (struct span){ .off = i };
		code_bind(code, i);
		if (units[i].wide)
			code_table(code, 1, i);
		else
			code_emit(code, insn_mov_imm(1, (int32_t)i));
		code_patch(code, i);
		code_core(code, &(struct core_number){ BPF_CORE_FIELD_BYTE_OFFSET, "struct s.m" });
		if (units[i].branches)
			code_branch_imm(code, BPF_JEQ, 1, 0, units[i].to);
	}
	code_emit(code, insn_exit());
}

/* Over islands to the next instruction that is none. */
static uint32_t
follow(const struct code *code, uint32_t pc)
{
	while (code->insns[pc].code == (BPF_JMP | BPF_JA)) {
		pc = (uint32_t)((int64_t)pc + 1 + code->insns[pc].off);
		assert_in_range(pc, 0, code->n - 1);
	}
	return pc;
}

static void
check(const struct code *code, const struct unit *units, uint32_t n, uint32_t n_relocs)
{
	uint32_t *at = calloc(n, sizeof(*at)), pc = 0, seen = 0;

	for (uint32_t i = 0; i < n; i++) { /* first as they follow each other, then the branches */
		pc = follow(code, pc);
		at[i] = pc;
		assert_int_equal(code->labels[i], pc);
		assert_int_equal(code->spans[pc].off, i);
		assert_int_equal(code->patches[i].pc, pc + units[i].wide);
		assert_int_equal(code->cores[i].pc, pc + units[i].wide);
		if (units[i].wide) {
			assert_true(insn_is_wide(&code->insns[pc]));
			assert_int_equal(code->relocs[seen].pc, pc);
			assert_int_equal(code->relocs[seen++].index, i);
			pc++;
		} else {
			assert_int_equal(code->insns[pc].code, BPF_ALU64 | BPF_MOV | BPF_K);
			assert_int_equal(code->insns[pc].imm, i);
		}
		pc++;
		if (units[i].branches) {
			pc = follow(code, pc);
			assert_int_equal(code->insns[pc].code, BPF_JMP | BPF_JEQ | BPF_K);
			pc++;
		}
	}
	assert_int_equal(seen, n_relocs);
	pc = follow(code, pc);
	assert_int_equal(code->insns[pc].code, BPF_JMP | BPF_EXIT);
	assert_int_equal(pc, code->n - 1);
	for (uint32_t i = 0; i < n; i++) {
		if (!units[i].branches)
			continue;
		pc = follow(code, at[i] + 1 + units[i].wide);
		assert_int_equal(follow(code, (uint32_t)((int64_t)pc + 1 + code->insns[pc].off)), at[units[i].to]);
	}
	free(at);
}

static void
try(const struct unit *units, uint32_t n)
{
	struct arena *arena = arena_new();
	struct code code;
	uint32_t n_relocs;

	code_init(&code, arena);
	make(&code, units, n);
	n_relocs = code.n_relocs;
	assert_int_equal(code_finish_long(&code), 0);
	check(&code, units, n, n_relocs);
	arena_free(arena);
}

static void
near(void **state)
{
	struct unit units[] = { { .branches = true, .to = 2 }, { .wide = true }, { .branches = true, .to = 0 } };

	try(units, 3);
}

static void
forward_and_back(void **state)
{
	uint32_t n = 100000;
	struct unit *units = calloc(n, sizeof(*units));

	units[0] = (struct unit){ .branches = true, .to = n - 1 };
	units[1] = (struct unit){ .branches = true, .to = 50000 };
	units[50000] = (struct unit){ .branches = true, .to = 0 };
	units[n - 1] = (struct unit){ .branches = true, .to = 1 };
	try(units, n);
	free(units);
}

/* From everywhere to the end and to the start, as the errors of a long handler and its loops go. */
static void
many_to_few(void **state)
{
	uint32_t n = 60000;
	struct unit *units = calloc(n, sizeof(*units));

	for (uint32_t i = 0; i < n; i++)
		units[i] = (struct unit){ .branches = true, .to = i % 2 ? n - 1 : 0 };
	try(units, n);
	free(units);
}

static void
at_random(void **state)
{
	for (uint64_t seed = 1; seed <= 12; seed++) {
		uint64_t s = seed;
		uint32_t n = 20000 + random_below(&s, 100000), rare = 20 + random_below(&s, 200);
		struct unit *units = calloc(n, sizeof(*units));

		for (uint32_t i = 0; i < n; i++)
			units[i] = (struct unit){ random_below(&s, 3) == 0, random_below(&s, rare) == 0, random_below(&s, n) };
		try(units, n);
		free(units);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(near),
		cmocka_unit_test(forward_and_back),
		cmocka_unit_test(many_to_few),
		cmocka_unit_test(at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
