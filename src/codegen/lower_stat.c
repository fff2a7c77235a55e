/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Statistics: s <<< value, t[k] <<< value. One search for the CPU's own cell (ebpf/stat.c says what is in it), then an addition for each
 * part that is kept. No locks: counts and sums are added atomically, as a program that interrupts this one on the same CPU may sample too;
 * of two extremes that meet in this way one may be lost.
 *
 * A number's size is found by halving, six comparisons. What is counted on the way begins as a number from memory, 0 though the verifiers
 * cannot know it: so both sides of each comparison are the same to them where they meet, instead of 64 cases.
 */
#include <errno.h>

#include "codegen/lower_int.h"

static void
add_one(struct lowering *l, int address, int32_t off)
{
	ir_add(&l->ir, (struct ir_insn){ .op = IR_ATOMIC_ADD, .dst = NO_VREG, .a = address, .b = ir_const(&l->ir, 1), .off = off });
}

static void
add_to(struct lowering *l, int address, int32_t off, int amount)
{
	ir_add(&l->ir, (struct ir_insn){ .op = IR_ATOMIC_ADD, .dst = NO_VREG, .a = address, .b = amount, .off = off });
}

/* cell = max(cell, word), unsigned. */
static void
raise_to(struct lowering *l, int address, int32_t off, int word)
{
	struct ir *ir = &l->ir;
	uint32_t done = ir_label(ir);

	ir_branch(ir, BPF_JGE, ir_load(ir, BPF_DW, address, off), word, done);
	ir_store(ir, BPF_DW, address, off, word);
	ir_bind(ir, done);
}

/* v * v in words of 32, 32 and 64 bits: with |v| = a * 2^32 + b it is a * a * 2^64 + 2 * a * b * 2^32 + b * b. */
static void
add_square(struct lowering *l, int cell, int32_t off, int value)
{
	struct ir *ir = &l->ir;
	int sign = ir_alu_imm(ir, BPF_ARSH, value, 63);
	int size = ir_alu(ir, BPF_SUB, ir_alu(ir, BPF_XOR, value, sign), sign);
	int a = ir_alu_imm(ir, BPF_RSH, size, 32), b = ir_low(ir, size);
	int mixed = ir_alu(ir, BPF_MUL, a, b), low = ir_alu(ir, BPF_MUL, b, b);

	mixed = ir_alu_imm(ir, BPF_LSH, mixed, 1);
	add_to(l, cell, off, ir_low(ir, low));
	add_to(l, cell, off + 8, ir_alu_imm(ir, BPF_RSH, low, 32));
	add_to(l, cell, off + 8, ir_low(ir, mixed));
	add_to(l, cell, off + 16, ir_alu_imm(ir, BPF_RSH, mixed, 32));
	add_to(l, cell, off + 16, ir_alu(ir, BPF_MUL, a, a));
}

/* Number of bits that `value`, not negative, takes: 0 to 63. */
static int
bit_length(struct lowering *l, int value)
{
	static const uint8_t steps[] = { 31, 16, 8, 4, 2, 1 };
	struct ir *ir = &l->ir;
	int rest = ir_vreg(ir), length = number_hidden(l, 0);

	ir_move(ir, rest, value);
	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		uint32_t small = ir_label(ir);

		ir_branch_imm(ir, BPF_JLE, rest, (int64_t)((1u << steps[i]) - 1), small);
		ir_update_imm(ir, BPF_RSH, rest, steps[i]);
		ir_update_imm(ir, BPF_ADD, length, steps[i]);
		ir_bind(ir, small);
	}
	ir_add(ir, (struct ir_insn){ .op = IR_ALU, .sub = BPF_ADD, .dst = length, .a = length, .b = rest });
	return ir_alu_imm(ir, BPF_AND, length, 63);
}

/* Adds 1 to the bucket that `bucket` numbers, of those that begin at `off`. */
static void
add_bucket(struct lowering *l, int cell, int32_t off, int bucket)
{
	struct ir *ir = &l->ir;
	int address = ir_alu(ir, BPF_ADD, cell, ir_alu_imm(ir, BPF_LSH, bucket, 3));

	add_one(l, address, off);
}

/* The first bucket is for what is below 0, bucket n + 1 for numbers of n bits. */
static void
add_log2(struct lowering *l, int cell, int32_t off, int value)
{
	struct ir *ir = &l->ir;
	uint32_t negative = ir_label(ir), done = ir_label(ir);

	ir_branch_imm(ir, BPF_JSLT, value, 0, negative);
	add_bucket(l, cell, off + 8, bit_length(l, value));
	ir_jump(ir, done);
	ir_bind(ir, negative);
	add_one(l, cell, off);
	ir_bind(ir, done);
}

static void
add_linear(struct lowering *l, int cell, int32_t off, int value, const struct stat_layout *layout)
{
	struct ir *ir = &l->ir;
	uint32_t below = ir_label(ir), above = ir_label(ir), done = ir_label(ir);
	uint32_t n = stat_words(layout, STAT_LINEAR) - 2;
	int bucket;

	ir_branch_imm(ir, BPF_JSLT, value, layout->lo, below);
	ir_branch_imm(ir, BPF_JSGE, value, layout->hi, above);
	bucket = ir_alu_imm(ir, BPF_DIV, ir_alu_imm(ir, BPF_SUB, value, layout->lo), layout->step);
	ir_branch_imm(ir, BPF_JGE, bucket, n, done); /* never; the verifiers do not follow a division */
	add_bucket(l, cell, off + 8, bucket);
	ir_jump(ir, done);
	ir_bind(ir, below);
	add_one(l, cell, off);
	ir_jump(ir, done);
	ir_bind(ir, above);
	add_one(l, cell, off + 8 * (int32_t)(n + 1));
	ir_bind(ir, done);
}

static void
add_part(struct lowering *l, const struct stat_layout *layout, enum stat_part part, int cell, int value)
{
	int32_t off = 8 * (int32_t)stat_word(layout, part);
	struct ir *ir = &l->ir;

	switch (part) {
	case STAT_COUNT:
		add_one(l, cell, off);
		break;
	case STAT_SUM:
		add_to(l, cell, off, value);
		break;
	case STAT_MIN:
		raise_to(l, cell, off, ir_alu(ir, BPF_SUB, ir_const(ir, INT64_MAX), value));
		break;
	case STAT_MAX:
		raise_to(l, cell, off, ir_alu_imm(ir, BPF_XOR, value, INT64_MIN));
		break;
	case STAT_SQUARES:
		add_square(l, cell, off, value);
		break;
	case STAT_LOG2:
		add_log2(l, cell, off, value);
		break;
	case STAT_LINEAR:
		add_linear(l, cell, off, value, layout);
		break;
	case N_STAT_PARTS:
		break;
	}
}

/* The cell of a variable: the only element of its table. */
static int
variable_cell(struct lowering *l, uint32_t index)
{
	struct ir *ir = &l->ir;
	struct mem key = memory_new(l, 8);
	int cell;

	ir_store_imm(ir, BPF_W, key.base, key.off, 0);
	cell = table_lookup(l, index, key);
	ir_branch_imm(ir, BPF_JEQ, cell, 0, lower_failure(l, COUNTER_TABLE_BUSY)); /* never: the element is always there */
	return cell;
}

void
lower_sample(struct lowering *l, struct node *node)
{
	uint32_t index = node->a->kind == NODE_INDEX ? table_of(l, node->a, USE_ADD) : node->a->var->index;
	const struct table *table = l->object->tables[index];
	int value = lower_number(l, node->b), cell;

	if (table->value.kind != VALUE_STAT)
		return; /* no table: reported by table_of */
	l->object->tables[index]->use |= USE_ADD;
	if (node->a->kind == NODE_INDEX)
		cell = table_element(l, index, table_key(l, table, node->a, lower_failure(l, COUNTER_NIL_KEY)));
	else
		cell = variable_cell(l, index);
	for (unsigned part = 0; part < N_STAT_PARTS; part++) {
		if (stat_keeps(&table->stat, part))
			add_part(l, &table->stat, part, cell, value);
	}
}
