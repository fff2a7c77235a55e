/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Liveness: basic blocks of intermediate code, and which values are live where one meets the next, by the usual backward data flow
 * over bit sets.
 */
#include "codegen/codegen_int.h"

static void
set_bit(uint64_t *set, int n)
{
	set[n / 64] |= 1ull << (n % 64);
}

bool
live_get(const uint64_t *set, int n)
{
	return set[n / 64] >> (n % 64) & 1;
}

static bool
ends_block(const struct ir_insn *insn)
{
	return insn->op == IR_JUMP || insn->op == IR_BRANCH || insn->op == IR_END;
}

static void
note_use(const struct liveness *live, struct block *block, int vreg)
{
	int bit = vreg != NO_VREG ? live->bit[vreg] : NARROW;

	if (bit != NARROW && !live_get(block->def, bit))
		set_bit(block->use, bit);
}

/* Calls fn for each vreg that an instruction reads or writes. */
static void
each_vreg(const struct ir_insn *insn, void (*fn)(void *arg, int vreg), void *arg)
{
	fn(arg, insn->a);
	fn(arg, insn->b);
	for (unsigned i = 0; i < insn->n_args; i++)
		fn(arg, insn->args[i]);
	fn(arg, insn->dst);
}

struct seen {
	struct liveness *live;
	uint32_t *block_of;    /* last block that named a vreg, plus 1 */
	uint32_t block;
};

static void
see(void *arg, int vreg)
{
	struct seen *seen = arg;

	if (vreg == NO_VREG || vreg == FP_VREG)
		return;
	if (seen->block_of[vreg] && seen->block_of[vreg] != seen->block + 1 && seen->live->bit[vreg] == NARROW) {
		seen->live->bit[vreg] = (int)seen->live->n_wide;
		seen->live->wide[seen->live->n_wide++] = vreg;
	}
	seen->block_of[vreg] = seen->block + 1;
}

/* Wide: named in more than one block. (Within one block a value is written before it is read.) */
static void
find_wide(struct ir *ir, struct liveness *live)
{
	struct seen seen = { .live = live };

	live->wide = arena_alloc(ir->arena, ir->n_vregs * sizeof(*live->wide));
	live->bit = arena_alloc(ir->arena, ir->n_vregs * sizeof(*live->bit));
	seen.block_of = arena_alloc(ir->arena, ir->n_vregs * sizeof(*seen.block_of));
	for (uint32_t i = 0; i < ir->n_vregs; i++)
		live->bit[i] = NARROW;
	for (; seen.block < live->n_blocks; seen.block++) {
		for (uint32_t n = live->blocks[seen.block].first; n < live->blocks[seen.block].end; n++)
			each_vreg(&ir->insns[n], see, &seen);
	}
	live->n_words = (live->n_wide + 63) / 64;
}

static void
find_blocks(struct ir *ir, struct liveness *live)
{
	uint32_t *block_of_label = arena_alloc(ir->arena, (ir->n_labels + 1) * sizeof(*block_of_label)), cap = 0;

	for (uint32_t i = 0; i < ir->n;) {
		struct block *block;

		live->blocks = arena_grow(ir->arena, live->blocks, live->n_blocks, &cap, sizeof(*live->blocks));
		block = &live->blocks[live->n_blocks];
		block->first = i;
		for (; i < ir->n && ir->insns[i].op == IR_LABEL; i++)
			block_of_label[ir->insns[i].label] = live->n_blocks;
		while (i < ir->n && ir->insns[i].op != IR_LABEL && !ends_block(&ir->insns[i]))
			i++;
		if (i < ir->n && ends_block(&ir->insns[i]))
			i++;
		block->end = i;
		live->n_blocks++;
	}
	find_wide(ir, live);
	for (uint32_t i = 0; i < live->n_blocks; i++) {
		struct block *block = &live->blocks[i];
		const struct ir_insn *last = &ir->insns[block->end - 1];

		block->in = arena_alloc(ir->arena, live->n_words * 4 * sizeof(uint64_t));
		block->out = block->in + live->n_words;
		block->use = block->out + live->n_words;
		block->def = block->use + live->n_words;
		block->next[0] = last->op == IR_JUMP || last->op == IR_END || i + 1 == live->n_blocks ? UINT32_MAX : i + 1;
		block->next[1] = last->op == IR_JUMP || last->op == IR_BRANCH ? block_of_label[last->label] : UINT32_MAX;
		for (uint32_t n = block->first; n < block->end; n++) {
			const struct ir_insn *insn = &ir->insns[n];

			note_use(live, block, insn->a);
			note_use(live, block, insn->b);
			for (unsigned arg = 0; arg < insn->n_args; arg++)
				note_use(live, block, insn->args[arg]);
			if (insn->dst != NO_VREG && live->bit[insn->dst] != NARROW)
				set_bit(block->def, live->bit[insn->dst]);
		}
	}
}

/* Backward data flow until nothing changes: in = use | (out & ~def), out = the successors' in. */
static void
flow(struct liveness *live)
{
	bool changed;

	do {
		changed = false;
		for (uint32_t i = live->n_blocks; i-- > 0;) {
			struct block *block = &live->blocks[i];

			for (uint32_t w = 0; w < live->n_words; w++) {
				uint64_t out = 0, in;

				for (int n = 0; n < 2; n++) {
					if (block->next[n] != UINT32_MAX)
						out |= live->blocks[block->next[n]].in[w];
				}
				in = block->use[w] | (out & ~block->def[w]);
				changed |= in != block->in[w];
				block->out[w] = out;
				block->in[w] = in;
			}
		}
	} while (changed);
}

void
ir_liveness(struct ir *ir, struct liveness *live)
{
	*live = (struct liveness){ 0 };
	find_blocks(ir, live);
	flow(live);
}
