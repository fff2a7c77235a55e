/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Random programs over the tables of vm_fixture.h, made of pieces that look a little like a compiler's work, so that a good part
 * of them is accepted by the verifier. The same seed gives the same program.
 */
#ifndef VM_RANDOM_H
#define VM_RANDOM_H

#include "vm_reference.h"

static uint64_t seed;

static inline uint64_t
random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed * 0x2545f4914f6cdd1du;
}

static inline uint32_t
below(uint32_t n)
{
	return (uint32_t)((random64() >> 32) % n);
}

static const uint64_t edges[] = { 0, 1, 7, 8, 63, 64, 255, 256, 4095, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000,
				  0x7fffffffffffffff, 0x8000000000000000, 0xffffffffffffffff, 0xffffffff80000000 };

static inline uint64_t
random_value(void)
{
	uint64_t value = edges[below(ARRAY_SIZE(edges))];

	return below(4) ? value + below(3) - 1 : random64() >> below(64);
}

/* ---- pieces ------------------------------------------------------------------------------------------------- */

/* Registers for numbers and for addresses, so that most instructions get what they can work with. */
static inline uint8_t
number_reg(void)
{
	static const uint8_t regs[] = { 0, 3, 5, 6, 7 };

	return regs[below(ARRAY_SIZE(regs))];
}

static inline uint8_t
any_reg(void)
{
	return below(12) ? number_reg() : (uint8_t)below(11);
}

static inline int32_t
small_imm(void)
{
	return below(3) ? (int32_t)below(64) : (int32_t)random_value();
}

static inline void
piece_alu(struct code *code)
{
	static const uint8_t ops[] = { BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_OR, BPF_AND, BPF_LSH, BPF_RSH, BPF_MOD, BPF_XOR, BPF_MOV, BPF_ARSH };
	uint8_t op = ops[below(ARRAY_SIZE(ops))], class = below(3) ? BPF_ALU64 : BPF_ALU;
	bool shifts = op == BPF_LSH || op == BPF_RSH || op == BPF_ARSH;
	int16_t off = (op == BPF_DIV || op == BPF_MOD) && !below(2) ? 1 : 0;
	int32_t imm = shifts ? (int32_t)below(class == BPF_ALU ? 32 : 64) : small_imm();

	if (below(2))
		code_emit(code, insn_make(class | op | BPF_X, any_reg(), any_reg(), off, 0));
	else
		code_emit(code, insn_make(class | op | BPF_K, any_reg(), 0, off, (op == BPF_DIV || op == BPF_MOD) && !imm ? 3 : imm));
}

static inline void
piece_unary(struct code *code)
{
	static const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_NEG }, { .code = BPF_ALU | BPF_NEG },
		{ .code = BPF_ALU | BPF_END | BPF_TO_BE, .imm = 16 }, { .code = BPF_ALU | BPF_END | BPF_TO_LE, .imm = 32 },
		{ .code = BPF_ALU64 | BPF_END, .imm = 64 },
	};
	static const int16_t widths[] = { 8, 16, 32 };
	struct bpf_insn insn = insns[below(ARRAY_SIZE(insns))];

	insn.dst_reg = number_reg();
	if (below(2))
		insn = insn_make(BPF_ALU64 | BPF_MOV | BPF_X, number_reg(), number_reg(), widths[below(3)], 0);
	code_emit(code, insn);
}

static inline void
piece_bound(struct code *code)
{
	code_emit(code, insn_alu_imm(BPF_AND, number_reg(), (1 << below(9)) - 1));
}

static inline uint8_t
random_size(void)
{
	static const uint8_t sizes[] = { BPF_B, BPF_H, BPF_W, BPF_DW };

	return sizes[below(4)];
}

static inline int16_t
stack_off(uint8_t size)
{
	int16_t bytes = (int16_t)reference_size(size);

	return (int16_t)(-bytes * (1 + (int)below(64 / (uint32_t)bytes)));
}

static inline void
piece_stack(struct code *code)
{
	uint8_t size = below(2) ? BPF_DW : random_size();

	if (below(3))
		code_emit(code, insn_store(size, 10, below(8) ? number_reg() : (uint8_t)below(10), stack_off(size)));
	else
		code_emit(code, insn_load(size, any_reg(), 10, stack_off(size)));
}

/* An address with a number added, then used. */
static inline void
piece_access(struct code *code)
{
	static const uint8_t bases[] = { 1, 4, 4, 8, 10 };
	uint8_t base = bases[below(ARRAY_SIZE(bases))], size = random_size(), number = number_reg();
	int16_t off = (int16_t)((base == 10 ? -(int)below(72) : (int)below(80)));

	code_emit(code, insn_mov(9, base));
	if (below(3)) {
		if (below(4))
			code_emit(code, insn_alu_imm(BPF_AND, number, below(2) ? (1 << below(6)) - 1 : (int32_t)(below(8) * 8)));
		code_emit(code, below(6) ? insn_alu(BPF_ADD, 9, number) : insn_alu(BPF_SUB, 9, number));
	}
	if (below(2))
		code_emit(code, insn_store(size, 9, number_reg(), off));
	else if (below(3))
		code_emit(code, insn_load(size, number_reg(), 9, off));
	else
		code_emit(code, insn_make(BPF_LDX | BPF_MEMSX | (size == BPF_DW ? BPF_W : size), number_reg(), 9, off, 0));
}

static inline void
piece_atomic(struct code *code)
{
	static const int32_t ops[] = { BPF_ADD, BPF_OR, BPF_AND, BPF_XOR, BPF_ADD | BPF_FETCH, BPF_XOR | BPF_FETCH, BPF_XCHG, BPF_CMPXCHG };
	uint8_t size = below(2) ? BPF_DW : BPF_W, base = below(3) ? 4 : 10;

	code_emit(code, insn_atomic(size, ops[below(ARRAY_SIZE(ops))], base, number_reg(),
				    base == 10 ? stack_off(size) : (int16_t)(below(32) * 8)));
}

/* Forward jumps, to a label that is bound a few pieces later; sometimes a short loop. */
static inline void
piece_branch(struct code *code, uint32_t label)
{
	static const uint8_t ops[] = { BPF_JEQ, BPF_JNE, BPF_JGT, BPF_JGE, BPF_JLT, BPF_JLE, BPF_JSET, BPF_JSGT, BPF_JSGE, BPF_JSLT, BPF_JSLE };
	uint8_t op = ops[below(ARRAY_SIZE(ops))];

	if (below(2))
		code_branch_imm(code, op, number_reg(), small_imm(), label);
	else
		code_branch(code, op, number_reg(), number_reg(), label);
	if (!below(3))
		code->insns[code->n - 1].code = (uint8_t)((code->insns[code->n - 1].code & ~7) | BPF_JMP32);
}

/* A variable of the program, read or written, or both, by an index or not. */
static inline void
piece_variable(struct code *code)
{
	uint8_t size = random_size(), reg = number_reg();
	int16_t off = (int16_t)(below(4) * 8);
	bool changes = below(2);

	code_table_value(code, 9, 2, below(3) * 8);
	if (below(2)) {
		code_emit(code, insn_mov(5, 6));
		code_emit(code, insn_alu_imm(BPF_AND, 5, 7));
		size = BPF_B;
		code_emit(code, insn_alu(BPF_ADD, 9, 5));
	}
	if (!changes && below(2)) {
		code_emit(code, insn_store(size, 9, reg, off));
		return;
	}
	code_emit(code, insn_load(size, reg, 9, off));
	if (below(2))
		piece_alu(code);
	else
		code_emit(code, insn_alu_imm(below(2) ? BPF_ADD : BPF_OR, reg, small_imm()));
	if (changes)
		code_emit(code, insn_store(size, 9, reg, off));
	else if (below(2))
		code_emit(code, insn_alu(below(2) ? BPF_ADD : BPF_XOR, number_reg(), reg));
}

static inline void
piece_loop(struct code *code)
{
	uint32_t again = code_label(code);

	code_emit(code, insn_mov_imm(7, 0));
	code_bind(code, again);
	piece_alu(code);
	if (below(2))
		below(2) ? piece_access(code) : piece_variable(code);
	code_emit(code, insn_alu_imm(BPF_ADD, 7, 1 + (int32_t)below(3)));
	code_branch_imm(code, BPF_JLT, 7, (int32_t)below(20), again);
}

/* r1 to r5 are lost by calls: the handler's arguments are kept in the stack, far down, and fetched again. */
static inline void
fetch_args(struct code *code)
{
	code_emit(code, insn_load(BPF_DW, 1, 10, -80));
	code_emit(code, insn_load(BPF_DW, 3, 10, -88));
	code_emit(code, insn_load(BPF_DW, 4, 10, -96));
	code_emit(code, insn_mov_imm(5, small_imm()));
}

static inline void
piece_lookup(struct code *code)
{
	static const uint32_t tables[] = { 0, 0, 1, 4, 5, 7 };
	uint32_t table = tables[below(ARRAY_SIZE(tables))], label = code_label(code);
	bool updates = !below(2);

	code_emit(code, below(2) ? insn_store_imm(BPF_DW, 10, -8, (int32_t)below(6)) : insn_store(BPF_DW, 10, number_reg(), -8));
	if (updates)
		code_emit(code, insn_mov(3, 4));
	code_emit(code, insn_mov(2, 10));
	code_emit(code, insn_alu_imm(BPF_ADD, 2, -8));
	code_table(code, 1, table);
	if (updates)
		code_emit(code, insn_mov_imm(4, (int32_t)below(4)));
	code_emit(code, insn_call(updates ? 2 : below(8) ? 1 : 3));
	fetch_args(code);
	if (updates || !below(8))
		return;
	code_branch_imm(code, BPF_JEQ, 0, 0, label);
	code_emit(code, insn_mov(8, 0));
	piece_access(code);
	code_emit(code, below(2) ? insn_store_imm(random_size(), 8, (int16_t)below(18), 1) : insn_load(random_size(), 6, 8, (int16_t)below(18)));
	code_emit(code, insn_mov_imm(0, 1));
	code_bind(code, label);
}

static inline void
piece_helper(struct code *code)
{
	static const int32_t numbers[] = { 5, 7, 8, 14, 15, 112, 113, 114, 115, 16, 130 };
	int32_t number = numbers[below(ARRAY_SIZE(numbers))];

	if (number == 130) {
		code_emit(code, insn_alu_imm(BPF_AND, 3, 127));
		code_emit(code, insn_mov(2, 4));
		code_table(code, 1, 3);
		code_emit(code, insn_mov_imm(4, 0));
	} else if (number >= 16) {
		code_emit(code, insn_mov(1, below(2) ? 4 : 10));
		code_emit(code, insn_alu_imm(BPF_ADD, 1, below(2) ? -16 : 0));
		code_emit(code, below(2) ? insn_mov_imm(2, (int32_t)below(20)) : insn_mov(2, number_reg()));
		code_emit(code, insn_alu_imm(BPF_AND, 2, 15));
		code_emit(code, insn_mov(3, below(2) ? number_reg() : 4));
	}
	code_emit(code, insn_call(number));
	fetch_args(code);
}

static inline void
piece_record(struct code *code)
{
	uint32_t label = code_label(code);

	code_table(code, 1, 3);
	code_emit(code, insn_mov_imm(2, 8 + (int32_t)below(24)));
	code_emit(code, insn_mov_imm(3, 0));
	code_emit(code, insn_call(131));
	code_emit(code, insn_mov(8, 0));
	code_branch_imm(code, BPF_JEQ, 0, 0, label);
	code_emit(code, insn_store(random_size(), 8, 6, (int16_t)below(24)));
	code_emit(code, insn_mov(1, 8));
	code_emit(code, insn_mov_imm(2, 0));
	code_emit(code, insn_call(132 + (int32_t)below(2)));
	code_bind(code, label);
	code_emit(code, insn_mov_imm(0, 0));
	fetch_args(code);
	code_emit(code, insn_mov(8, 4));
}

/* Are calls made by a register, too? Chosen for all programs of a test, so that those of others stay what they are. */
static bool calls_by_register;

/*
 * In r9 the address of one of the two functions, or of either as it comes, or the number of a helper; sometimes from the table of functions, by
 * an index that is bounded or not quite, sometimes by way of the stack.
 */
static inline void
piece_callee(struct code *code)
{
	static const int32_t helpers[] = { 5, 7, 8, 14, 15 };
	uint32_t label = code_label(code);

	if (below(3)) {
		code_func_addr(code, 9, 1 + below(2));
	} else {
		code_table_value(code, 9, FIXTURE_FUNCTIONS, below(2) * 8);
		code_emit(code, insn_mov(5, number_reg()));
		code_emit(code, insn_alu_imm(BPF_AND, 5, below(4) ? 8 : (int32_t)below(32)));
		code_emit(code, insn_alu(BPF_ADD, 9, 5));
		code_emit(code, insn_load(BPF_DW, 9, 9, below(4) ? 0 : 24));
	}
	if (below(2)) {
		code_branch_imm(code, below(2) ? BPF_JEQ : BPF_JGT, number_reg(), (int32_t)below(64), label);
		if (below(3))
			code_func_addr(code, 9, 1 + below(2));
		else
			code_emit(code, insn_mov_imm(9, below(8) ? helpers[below(ARRAY_SIZE(helpers))] : small_imm()));
	}
	code_bind(code, label);
	if (!below(3)) {
		code_emit(code, insn_store(BPF_DW, 10, 9, -104));
		code_emit(code, insn_load(BPF_DW, 9, 10, -104));
	}
}

static inline void
piece_call(struct code *code)
{
	bool by_register = calls_by_register && below(4);

	if (by_register)
		piece_callee(code);
	if (below(2)) {
		code_emit(code, insn_mov(2, 10));
		code_emit(code, insn_alu_imm(BPF_ADD, 2, -8));
	} else {
		code_emit(code, insn_mov(2, 4));
	}
	code_emit(code, insn_mov(1, number_reg()));
	if (by_register)
		code_emit(code, insn_make(BPF_JMP | BPF_CALL | BPF_X, 9, 0, 0, 0));
	else
		code_call_func(code, 1);
	fetch_args(code);
}

/* Function 2 called back, with 8 bytes of our stack. */
static inline void
piece_call_back(struct code *code)
{
	code_emit(code, below(2) ? insn_mov_imm(1, (int32_t)below(12)) : insn_mov(1, number_reg()));
	code_emit(code, insn_alu_imm(BPF_AND, 1, 15)); /* few rounds: the reference is slow */
	code_func_addr(code, 2, 2);
	code_emit(code, insn_mov(3, 10));
	code_emit(code, insn_alu_imm(BPF_ADD, 3, -8 * (1 + (int32_t)below(3))));
	code_emit(code, insn_mov_imm(4, 0));
	code_emit(code, insn_call(BPF_FUNC_loop));
	fetch_args(code);
}

/* A dynptr of the globals, below the handler's arguments; a slice of it, and sometimes a copy. */
static inline void
piece_dynptr(struct code *code)
{
	uint32_t label = code_label(code);

	code_table_value(code, 1, 2, 0);
	code_emit(code, insn_mov_imm(2, (int32_t)below(68)));
	code_emit(code, insn_mov_imm(3, !below(8)));
	code_emit(code, insn_mov(4, 10));
	code_emit(code, insn_alu_imm(BPF_ADD, 4, -112));
	code_emit(code, insn_call(BPF_FUNC_dynptr_from_mem));
	if (!below(8))
		code_emit(code, insn_store(random_size(), 10, number_reg(), (int16_t)(-112 + 8 * (int)below(2))));
	code_emit(code, insn_mov(1, 10));
	code_emit(code, insn_alu_imm(BPF_ADD, 1, -112));
	code_emit(code, below(2) ? insn_mov_imm(2, (int32_t)below(70)) : insn_mov(2, 6));
	code_emit(code, insn_mov_imm(3, 1 + (int32_t)below(16)));
	code_emit(code, insn_call(BPF_FUNC_dynptr_data));
	fetch_args(code);
	code_branch_imm(code, BPF_JEQ, 0, 0, label);
	code_emit(code, insn_mov(8, 0));
	code_emit(code, below(2) ? insn_store_imm(random_size(), 8, (int16_t)below(10), 1) : insn_load(random_size(), 6, 8, (int16_t)below(10)));
	code_emit(code, insn_mov_imm(0, 1));
	code_bind(code, label);
}

/* ---- pieces whose joins know different numbers: what pruning has to keep apart ---------------------------------------- */

/* A number that differs from way to way. */
static inline void
piece_set(struct code *code)
{
	code_emit(code, insn_mov_imm(number_reg(), below(4) ? (int32_t)below(8) : (int32_t)below(300)));
}

/* One of the program's constants, of 16 bytes, at a place that is known or not. */
static inline void
piece_constant(struct code *code)
{
	uint8_t size = random_size();

	code_table_value(code, 9, FIXTURE_STRINGS, below(2) * 8);
	if (!below(3)) {
		code_emit(code, insn_mov(5, number_reg()));
		code_emit(code, insn_alu_imm(BPF_AND, 5, 7));
		code_emit(code, insn_alu(BPF_ADD, 9, 5));
	}
	code_emit(code, insn_load(size, number_reg(), 9, (int16_t)below(4)));
	if (size != BPF_DW && !below(3))
		code->insns[code->n - 1].code = (uint8_t)(BPF_LDX | BPF_MEMSX | size);
}

/* Copies by move or through the stack. */
static inline void
piece_copy(struct code *code, uint8_t to, uint8_t from)
{
	int16_t off = stack_off(BPF_DW);

	if (below(2)) {
		code_emit(code, insn_mov(to, from));
		return;
	}
	code_emit(code, insn_store(BPF_DW, 10, from, off));
	if (below(2))
		piece_set(code);
	code_emit(code, insn_load(BPF_DW, to, 10, off));
}

/* One of two numbers, or what was there before. */
static inline void
piece_choice(struct code *code)
{
	uint32_t other = code_label(code), end = code_label(code);

	piece_branch(code, other);
	piece_set(code);
	if (below(2))
		code_jump(code, end);
	code_bind(code, other);
	if (below(2))
		below(2) ? piece_set(code) : piece_copy(code, number_reg(), number_reg());
	code_bind(code, end);
}

/* Two of them under one condition, as compilers choose: what code that takes jumps together has to get right. */
static inline void
piece_choices(struct code *code)
{
	uint32_t first = code_label(code), second = code_label(code);
	struct bpf_insn *same;
	uint32_t at;

	piece_branch(code, first);
	at = code->n - 1;
	piece_set(code);
	code_bind(code, first);
	for (uint32_t n = below(3); n; n--)
		below(2) ? piece_set(code) : code_emit(code, insn_mov(number_reg(), number_reg()));
	piece_branch(code, second);
	same = &code->insns[code->n - 1];
	if (below(8)) {
		same->code = code->insns[at].code;
		same->dst_reg = code->insns[at].dst_reg;
		same->src_reg = code->insns[at].src_reg;
		same->imm = code->insns[at].imm;
	}
	piece_set(code);
	code_bind(code, second);
}

/* Adds a number to an address as it is: fine only where all ways bound it. */
static inline void
piece_index(struct code *code, uint8_t number)
{
	code_emit(code, insn_mov(9, below(2) ? 1 : 4));
	code_emit(code, insn_alu(BPF_ADD, 9, number));
	code_emit(code, insn_load(BPF_B, number_reg(), 9, (int16_t)below(8)));
}

/* A limit tested on one copy and used by another; meanwhile a way may set the copy to something else. */
static inline void
piece_guard(struct code *code)
{
	static const uint8_t ops[] = { BPF_JGT, BPF_JGE, BPF_JGT, BPF_JNE, BPF_JSGT };
	uint8_t a = number_reg(), b = below(3) ? number_reg() : a;
	uint32_t skip = code_label(code);

	if (b != a)
		piece_copy(code, b, a);
	if (!below(3))
		code_emit(code, insn_alu_imm(below(3) ? BPF_ADD : BPF_SUB, below(2) ? a : b, (int32_t)below(60) - 20)); /* no copy, but as far away */
	if (!below(3))
		piece_choice(code);
	if (below(4))
		code_branch_imm(code, ops[below(ARRAY_SIZE(ops))], a, (int32_t)below(60), skip);
	else
		code_branch(code, ops[below(ARRAY_SIZE(ops))], a, number_reg(), skip);
	if (!below(4))
		piece_choice(code);
	piece_index(code, b);
	code_bind(code, skip);
}

/* A size for a helper as it is. */
static inline void
piece_size(struct code *code)
{
	code_emit(code, insn_mov(2, number_reg()));
	code_emit(code, insn_mov(1, 4));
	code_emit(code, insn_mov(3, 4));
	code_emit(code, insn_call(113));
	fetch_args(code);
}

static inline void
emit_joins(struct code *code, bool calls, uint32_t n)
{
	for (; n; n--) {
		uint32_t kind = below(30);

		if (kind >= 28)
			piece_constant(code);
		else if (kind >= 26)
			piece_choices(code);
		else if (kind >= 24)
			piece_variable(code);
		else if (kind < 7)
			piece_choice(code);
		else if (kind < 10)
			piece_set(code);
		else if (kind < 13)
			piece_copy(code, number_reg(), number_reg());
		else if (kind < 17)
			piece_guard(code);
		else if (kind < 18)
			piece_index(code, number_reg());
		else if (kind < 20)
			piece_alu(code);
		else if (kind < 21)
			piece_bound(code);
		else if (kind < 22)
			piece_stack(code);
		else if (!calls)
			piece_access(code);
		else if (kind < 23)
			piece_size(code);
		else
			piece_call(code);
	}
}

/* ---- programs ----------------------------------------------------------------------------------------------------- */

static inline void
emit_pieces(struct code *code, bool calls, uint32_t n)
{
	uint32_t open[4], n_open = 0;

	for (; n; n--) {
		uint32_t kind = below(calls ? 28 : 26);

		while (n_open && !below(3))
			code_bind(code, open[--n_open]);
		if (kind < 6) {
			piece_alu(code);
		} else if (kind < 7) {
			piece_unary(code);
		} else if (kind < 9) {
			piece_bound(code);
		} else if (kind < 12) {
			piece_stack(code);
		} else if (kind < 15) {
			piece_access(code);
		} else if (kind < 16) {
			piece_atomic(code);
		} else if (kind < 20 && n_open < ARRAY_SIZE(open)) {
			open[n_open] = code_label(code);
			piece_branch(code, open[n_open++]);
		} else if (kind < 21) {
			piece_loop(code);
		} else if (calls && kind < 23) {
			piece_lookup(code);
		} else if (calls && kind < 24) {
			piece_helper(code);
		} else if (calls && kind < 25) {
			piece_record(code);
		} else if (calls && kind < 26) {
			piece_call(code);
		} else if (calls && kind < 27) {
			piece_call_back(code);
		} else if (calls) {
			piece_dynptr(code);
		}
	}
	while (n_open)
		code_bind(code, open[--n_open]);
}

static inline void
make_entry(struct object *object, bool joins)
{
	struct code code;

	code_init(&code, object->arena);
	code_emit(&code, insn_store(BPF_DW, 10, 1, -80));
	code_emit(&code, insn_store(BPF_DW, 10, 3, -88));
	code_emit(&code, insn_store(BPF_DW, 10, 4, -96));
	code_emit(&code, insn_mov_imm(0, small_imm()));
	code_emit(&code, insn_mov_imm(5, small_imm()));
	code_emit(&code, below(2) ? insn_mov(6, 3) : insn_load(random_size(), 6, 1, (int16_t)below(56)));
	code_emit(&code, insn_load(BPF_B, 7, 1, 3));
	code_emit(&code, insn_mov(8, 4));
	for (int16_t off = -8; off >= -64; off -= 8)
		if (below(3))
			code_emit(&code, insn_store_imm(BPF_DW, 10, off, small_imm()));
	if (joins && below(2))
		emit_joins(&code, true, 1 + below(16));
	if (!joins || below(2))
		emit_pieces(&code, true, 1 + below(16));
	code_emit(&code, insn_mov(0, number_reg()));
	code_emit(&code, insn_exit());
	code_finish(&code);
	object_add_func(object, func_from_code(&code, "entry", "raw_tp/test"));
}

/* r1 a number, r2 an address, at least 8 bytes. */
static inline void
make_callee(struct object *object, bool joins)
{
	struct code code;

	code_init(&code, object->arena);
	for (uint8_t reg = 3; reg < 9; reg++)
		code_emit(&code, reg == 4 ? insn_mov(4, 2) : insn_mov(reg, 1));
	code_emit(&code, insn_mov_imm(0, 1));
	if (below(2))
		code_emit(&code, insn_store(BPF_DW, 2, 1, 0));
	joins && below(2) ? emit_joins(&code, false, below(5)) : emit_pieces(&code, false, below(6));
	code_emit(&code, insn_mov(0, number_reg()));
	code_emit(&code, insn_exit());
	code_finish(&code);
	object_add_func(object, func_from_code(&code, "callee", ".text"));
}

/* r1 a number, r2 the address of 8 bytes of the caller's stack; returns 0 or 1. */
static inline void
make_called_back(struct object *object)
{
	struct code code;

	code_init(&code, object->arena);
	for (uint8_t reg = 3; reg < 9; reg++)
		code_emit(&code, reg == 4 ? insn_mov(4, 2) : reg == 6 ? insn_load(BPF_DW, 6, 2, 0) : insn_mov(reg, 1));
	code_emit(&code, insn_mov_imm(0, 1));
	emit_pieces(&code, false, below(5));
	if (below(2))
		code_emit(&code, insn_store(BPF_DW, 4, number_reg(), 0));
	code_emit(&code, insn_mov(0, number_reg()));
	code_emit(&code, insn_alu_imm(BPF_AND, 0, 1));
	code_emit(&code, insn_exit());
	code_finish(&code);
	object_add_func(object, func_from_code(&code, "called_back", ".text"));
}

/* Func 0 to 2 of an object: the entry, a function that it may call and one that it may have called back. */
static inline void
make_program(struct object *object, uint64_t n, bool joins)
{
	seed = n * 0x9e3779b97f4a7c15u;
	make_entry(object, joins);
	make_callee(object, joins);
	make_called_back(object);
}

#endif
