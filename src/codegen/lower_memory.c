/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Memory of a program: frame objects, scratch objects, and strings in them.
 *
 * A string is `size` bytes, a multiple of 8: text, NUL, zeros to the end. The zeros make strings equal byte for byte when their texts
 * are, which hash tables need; and they let comparison work on whole words.
 */
#include <string.h>

#include "codegen/lower_int.h"

#define FRAME_OBJECT_MAX 64   /* larger ones go to scratch memory */
#define INLINE_COPY_MAX 64    /* longer copies are a helper's work */

struct mem
memory_new(struct lowering *l, uint32_t size)
{
	struct ir *ir = &l->ir;

	size = (uint32_t)round_up(size, 8);
	if (size <= FRAME_OBJECT_MAX && ir->frame_now + size <= ir->frame_limit) {
		ir->frame_now += size;
		if (ir->frame_now > ir->frame_max)
			ir->frame_max = ir->frame_now;
		return (struct mem){ .base = FP_VREG, .off = -(int32_t)ir->frame_now };
	}
	return memory_scratch(l, size);
}

struct mem
memory_scratch(struct lowering *l, uint32_t size)
{
	struct ir *ir = &l->ir;
	struct mem mem;

	size = (uint32_t)round_up(size, 8);
	mem = (struct mem){ .base = ir->params[PARAM_SCRATCH], .off = (int32_t)ir->scratch_now };
	ir->scratch_now += size;
	if (ir->scratch_now > ir->scratch_max)
		ir->scratch_max = ir->scratch_now;
	if (ir->scratch_now > SCRATCH_MAX) {
		l->too_large = true;
		ir->scratch_now = ir->scratch_max = 0;
	}
	return mem;
}

struct memory_mark
memory_mark(const struct lowering *l)
{
	return (struct memory_mark){ l->ir.frame_now, l->ir.scratch_now };
}

void
memory_release(struct lowering *l, struct memory_mark mark)
{
	l->ir.frame_now = mark.frame;
	l->ir.scratch_now = mark.scratch;
}

int
memory_address(struct lowering *l, struct mem mem)
{
	struct ir *ir = &l->ir;
	int dst;

	if (mem.base != FP_VREG && mem.base != ir->params[PARAM_SCRATCH])
		return ir_address(ir, mem.base, mem.off);
	dst = ir_pointer(ir);
	ir_add(ir, (struct ir_insn){ .op = mem.base == FP_VREG ? IR_FRAME : IR_SCRATCH, .dst = dst,
				     .a = mem.base == FP_VREG ? NO_VREG : mem.base, .b = NO_VREG, .imm = mem.off });
	return dst;
}

struct mem
memory_at(struct mem mem, int32_t off)
{
	mem.off += off;
	return mem;
}

void
memory_zero(struct lowering *l, struct mem mem, uint32_t size)
{
	for (uint32_t i = 0; i < size; i += 8)
		ir_store_imm(&l->ir, BPF_DW, mem.base, mem.off + (int32_t)i, 0);
}

void
memory_empty(struct lowering *l, struct mem mem, uint32_t size)
{
	l->ir.varies = true;
	memory_zero(l, mem, size);
	l->ir.varies = false;
}

void
memory_copy(struct lowering *l, struct mem dst, struct mem src, uint32_t size)
{
	struct ir *ir = &l->ir;

	if (size > INLINE_COPY_MAX) {
		int args[] = { memory_address(l, dst), ir_const(ir, size), memory_address(l, src) };

		ir_call(ir, BPF_FUNC_probe_read_kernel, args, 3);
		return;
	}
	for (uint32_t i = 0; i < size; i += 8)
		ir_store(ir, BPF_DW, dst.base, dst.off + (int32_t)i, ir_load(ir, BPF_DW, src.base, src.off + (int32_t)i));
}

/* Eight bytes of a literal from `at` on, zeros behind its end, as memory would hold them. */
static int64_t
literal_word(const struct val *val, uint32_t at)
{
	char bytes[8] = { 0 };
	int64_t word;

	if (at < val->literal_len)
		memcpy(bytes, val->literal + at, val->literal_len - at < 8 ? val->literal_len - at : 8);
	memcpy(&word, bytes, 8);
	return word;
}

void
string_store(struct lowering *l, struct mem dst, uint32_t size, const struct val *val)
{
	uint32_t n;

	if (val->literal) {
		for (uint32_t i = 0; i < size; i += 8)
			ir_store_imm(&l->ir, BPF_DW, dst.base, dst.off + (int32_t)i, literal_word(val, i));
		return;
	}
	n = val->str_size < size ? val->str_size : size;
	memory_copy(l, dst, val->mem, n);
	memory_zero(l, memory_at(dst, (int32_t)n), size - n);
}

static void
compare_literal(struct lowering *l, const struct val *val, const struct val *literal, uint32_t unequal)
{
	/* The text and its NUL decide; the zeros behind it follow. */
	uint32_t bytes = literal->literal_len + 1;

	if (bytes > val->str_size) {
		ir_jump(&l->ir, unequal);
		return;
	}
	for (uint32_t i = 0; i < bytes; i += 8) {
		int word = ir_load(&l->ir, BPF_DW, val->mem.base, val->mem.off + (int32_t)i);

		ir_branch_imm(&l->ir, BPF_JNE, word, literal_word(literal, i), unequal);
	}
}

void
string_compare(struct lowering *l, const struct val *a, const struct val *b, uint32_t unequal)
{
	uint32_t size = a->str_size < b->str_size ? a->str_size : b->str_size;

	if (a->literal && b->literal) {
		if (a->literal_len != b->literal_len || memcmp(a->literal, b->literal, a->literal_len))
			ir_jump(&l->ir, unequal);
	} else if (a->literal || b->literal) {
		compare_literal(l, a->literal ? b : a, a->literal ? a : b, unequal);
	} else {
		/* The shorter one has its NUL within `size`, so equal words up to there are equal texts. */
		for (uint32_t i = 0; i < size; i += 8)
			ir_branch(&l->ir, BPF_JNE, ir_load(&l->ir, BPF_DW, a->mem.base, a->mem.off + (int32_t)i),
				  ir_load(&l->ir, BPF_DW, b->mem.base, b->mem.off + (int32_t)i), unequal);
	}
}

/* Is `a cmp b` for two literals? */
static bool
literal_order(const struct val *a, const struct val *b, uint8_t cmp)
{
	uint32_t len = a->literal_len < b->literal_len ? a->literal_len : b->literal_len;
	int order = memcmp(a->literal, b->literal, len);

	if (order == 0)
		order = (a->literal_len > b->literal_len) - (a->literal_len < b->literal_len);
	switch (cmp) {
	case BPF_JLT:
		return order < 0;
	case BPF_JLE:
		return order <= 0;
	case BPF_JGT:
		return order > 0;
	default:
		return order >= 0;
	}
}

/*
 * The first words that differ decide, as numbers whose first byte counts most; the shorter text's NUL is below all other bytes. A literal is
 * put where the verifiers do not know its words, for each of which they would else follow the rest anew.
 */
void
string_order(struct lowering *l, const struct val *a, const struct val *b, uint8_t cmp, uint32_t target)
{
	uint32_t size = a->str_size < b->str_size ? a->str_size : b->str_size;
	const struct val *sides[] = { a, b };
	struct ir *ir = &l->ir;
	uint32_t decide = ir_label(ir);
	struct mem at[2];
	int word[2];

	if (a->literal && b->literal) {
		if (literal_order(a, b, cmp))
			ir_jump(ir, target);
		return;
	}
	for (int side = 0; side < 2; side++) {
		word[side] = ir_vreg(ir);
		at[side] = sides[side]->mem;
		if (!sides[side]->literal)
			continue;
		at[side] = memory_scratch(l, size);
		string_store(l, at[side], size, sides[side]);
	}
	for (uint32_t i = 0; i < size; i += 8) {
		for (int side = 0; side < 2; side++)
			ir_add(ir, (struct ir_insn){ .op = IR_LOAD, .size = BPF_DW, .dst = word[side], .a = at[side].base, .b = NO_VREG,
						     .off = at[side].off + (int32_t)i });
		if (i + 8 < size)
			ir_branch(ir, BPF_JNE, word[0], word[1], decide);
	}
	ir_bind(ir, decide);
	for (int side = 0; side < 2; side++)
		ir_add(ir, (struct ir_insn){ .op = IR_SWAP, .dst = word[side], .a = word[side], .b = NO_VREG });
	ir_branch(ir, cmp, word[0], word[1], target);
}

struct val
string_read(struct lowering *l, int32_t helper, int addr, uint32_t size)
{
	struct ir *ir = &l->ir;
	uint32_t room = (uint32_t)round_up(size, 8), done = ir_label(ir), readable = ir_label(ir);
	struct val val = { .kind = TYPE_STR, .present = NO_VREG, .str_size = room, .mem = memory_new(l, room) };
	int n;

	memory_zero(l, val.mem, room);
	n = ir_call(ir, helper, (int[]){ memory_address(l, val.mem), ir_const(ir, size), addr }, 3);
	/* Linux before 6.13 returns 0, not 1, for an empty string of the process. */
	ir_branch_imm(ir, BPF_JSGE, n, 0, readable);
	memory_empty(l, val.mem, 8);
	lower_count(l, COUNTER_READ_FAULT);
	ir_jump(ir, done);
	ir_bind(ir, readable);
	/* A text of just size - 1 bytes looks the same as one that was cut there; only the longest size can be cut. */
	if (size == STR_SIZE_MAX) {
		ir_branch_imm(ir, BPF_JSLT, n, size, done);
		lower_count(l, COUNTER_STRING_CUT);
	}
	ir_bind(ir, done);
	return val;
}

int
number_read(struct lowering *l, int32_t helper, int addr, int size)
{
	struct mem cell = memory_new(l, 8);
	uint32_t readable = ir_label(&l->ir);
	struct ir *ir = &l->ir;
	int result;

	ir_store_imm(ir, BPF_DW, cell.base, cell.off, 0);
	result = ir_call(ir, helper, (int[]){ memory_address(l, cell), size, addr }, 3);
	ir_branch_imm(ir, BPF_JEQ, result, 0, readable);
	ir_store_imm(ir, BPF_DW, cell.base, cell.off, 0);
	lower_count(l, COUNTER_READ_FAULT);
	ir_bind(ir, readable);
	return ir_load(ir, BPF_DW, cell.base, cell.off);
}

struct mem
string_memory(struct lowering *l, const struct val *val)
{
	struct mem mem;

	if (!val->literal)
		return val->mem;
	mem = memory_new(l, val->str_size);
	string_store(l, mem, val->str_size, val);
	return mem;
}

/* Copies text and NUL to an address; returns the bytes copied without the NUL, provably below 256. */
static int
append(struct lowering *l, int dst, const struct val *val)
{
	struct ir *ir = &l->ir;
	int args[] = { dst, 0, 0 }, n;

	args[2] = memory_address(l, string_memory(l, val));
	args[1] = ir_const(ir, val->str_size);
	n = ir_call(ir, BPF_FUNC_probe_read_kernel_str, args, 3);
	return ir_alu_imm(ir, BPF_AND, ir_alu_imm(ir, BPF_SUB, n, 1), STR_SIZE_MAX - 1);
}

/* Cuts a text to what strings of `size` bytes hold, where it may be longer. Behind a shorter one all is zeros. */
static void
cut(struct lowering *l, const struct val *text, uint32_t size)
{
	struct ir *ir = &l->ir;
	int32_t last = text->mem.off + (int32_t)size - 1;
	uint32_t whole = ir_label(ir);

	if (size == STR_SIZE_MAX) { /* others are large enough */
		ir_branch_imm(ir, BPF_JEQ, ir_load(ir, BPF_B, text->mem.base, last), 0, whole);
		lower_count(l, COUNTER_STRING_CUT);
	}
	ir_store_imm(ir, BPF_B, text->mem.base, last, 0);
	ir_bind(ir, whole);
}

struct val
string_concat(struct lowering *l, const struct val *a, const struct val *b, uint32_t size)
{
	struct ir *ir = &l->ir;
	struct val val = { .kind = TYPE_STR, .present = NO_VREG, .str_size = size };
	int len, address;

	val.mem = memory_new(l, 2 * STR_SIZE_MAX);
	memory_zero(l, val.mem, size);
	len = append(l, memory_address(l, val.mem), a);
	address = ir_alu(ir, BPF_ADD, memory_address(l, val.mem), len);
	append(l, address, b);
	if (a->str_size + b->str_size - 2 >= size)
		cut(l, &val, size);
	return val;
}

int
string_len(struct lowering *l, const struct val *val)
{
	struct mem mem;

	if (val->literal)
		return ir_const(&l->ir, val->literal_len);
	mem = memory_new(l, val->str_size);
	return append(l, memory_address(l, mem), val);
}
