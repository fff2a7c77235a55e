/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Liveness: basic blocks of intermediate code, and which values are live where one meets the next. Each value is followed on its own, from the blocks
 * that read it before they write it backward to those that write it: that takes as long as the values live, and no memory by block and value. Most are
 * written and read within one block, and there is nothing to follow.
 */
#include "codegen/codegen_int.h"

/* ---- blocks ---- */

static bool
ends_block(const struct ir_insn *insn)
{
	return insn->op == IR_JUMP || insn->op == IR_BRANCH || insn->op == IR_END;
}

static void
find_blocks(struct ir *ir, struct flow *flow)
{
	uint32_t *block_of_label = arena_alloc(ir->arena, (ir->n_labels + 1) * sizeof(*block_of_label)), cap = 0;

	for (uint32_t i = 0; i < ir->n;) {
		struct block *block;

		flow->blocks = arena_grow(ir->arena, flow->blocks, flow->n_blocks, &cap, sizeof(*flow->blocks));
		block = &flow->blocks[flow->n_blocks];
		block->first = i;
		for (; i < ir->n && ir->insns[i].op == IR_LABEL; i++)
			block_of_label[ir->insns[i].label] = flow->n_blocks;
		while (i < ir->n && ir->insns[i].op != IR_LABEL && !ends_block(&ir->insns[i]))
			i++;
		if (i < ir->n && ends_block(&ir->insns[i]))
			i++;
		block->end = i;
		flow->n_blocks++;
	}
	for (uint32_t i = 0; i < flow->n_blocks; i++) {
		struct block *block = &flow->blocks[i];
		const struct ir_insn *last = &ir->insns[block->end - 1];

		block->next[0] = last->op == IR_JUMP || last->op == IR_END || i + 1 == flow->n_blocks ? NO_BLOCK : i + 1;
		block->next[1] = last->op == IR_JUMP || last->op == IR_BRANCH ? block_of_label[last->label] : NO_BLOCK;
	}
}

static void
find_predecessors(struct ir *ir, struct flow *flow)
{
	uint32_t n = flow->n_blocks, *first = arena_alloc(ir->arena, (n + 2) * sizeof(*first));

	for (uint32_t i = 0; i < n; i++)
		for (int k = 0; k < 2; k++)
			if (flow->blocks[i].next[k] != NO_BLOCK)
				first[flow->blocks[i].next[k] + 2]++;
	for (uint32_t i = 2; i < n + 2; i++)
		first[i] += first[i - 1];
	flow->preds = arena_alloc(ir->arena, (first[n + 1] + 1) * sizeof(*flow->preds));
	for (uint32_t i = 0; i < n; i++)
		for (int k = 0; k < 2; k++)
			if (flow->blocks[i].next[k] != NO_BLOCK)
				flow->preds[first[flow->blocks[i].next[k] + 1]++] = i;
	flow->first_pred = first;
}

void
ir_flow(struct ir *ir, struct flow *flow)
{
	*flow = (struct flow){ 0 };
	find_blocks(ir, flow);
	find_predecessors(ir, flow);
}

/* ---- values ---- */

/* A block that names a value. */
struct mention {
	uint32_t block;
	bool reads;            /* before it writes it */
	bool writes;
	struct mention *next;
};

struct live {
	struct arena *arena;
	const struct flow *flow;
	const struct live_visitor *visitor;
	struct mention **mentions; /* by vreg, the last block first */
	/* By block, a vreg plus 1: the last one that was found to be live where it begins, where it ends, and that it writes. */
	uint32_t *at_first, *at_end, *writes;
	uint32_t *todo;            /* blocks */
};

static void
mention(struct live *live, uint32_t block, int vreg, bool writes)
{
	struct mention *mention;

	if (vreg == NO_VREG || vreg == FP_VREG)
		return;
	mention = live->mentions[vreg];
	if (!mention || mention->block != block) {
		mention = arena_alloc(live->arena, sizeof(*mention));
		*mention = (struct mention){ .block = block, .reads = !writes, .next = live->mentions[vreg] };
		live->mentions[vreg] = mention;
	}
	mention->writes |= writes;
}

static void
find_mentions(struct live *live, const struct ir *ir)
{
	for (uint32_t i = 0; i < live->flow->n_blocks; i++) {
		for (uint32_t n = live->flow->blocks[i].first; n < live->flow->blocks[i].end; n++) {
			const struct ir_insn *insn = &ir->insns[n];

			mention(live, i, insn->a, false);
			mention(live, i, insn->b, false);
			for (unsigned arg = 0; arg < insn->n_args; arg++)
				mention(live, i, insn->args[arg], false);
			mention(live, i, insn->dst, true);
		}
	}
}

/* The value is live where this block begins, so where those end that lead to it. Returns how many of these are to be looked at in turn. */
static uint32_t
enter(struct live *live, int vreg, uint32_t block, uint32_t n_todo)
{
	const struct flow *flow = live->flow;
	uint32_t mark = (uint32_t)vreg + 1;

	if (live->at_first[block] == mark)
		return n_todo;
	live->at_first[block] = mark;
	if (live->visitor->at_first)
		live->visitor->at_first(live->visitor->arg, vreg, &flow->blocks[block]);
	for (uint32_t i = flow->first_pred[block]; i < flow->first_pred[block + 1]; i++) {
		uint32_t pred = flow->preds[i];

		if (live->at_end[pred] == mark)
			continue;
		live->at_end[pred] = mark;
		live->visitor->at_end(live->visitor->arg, vreg, &flow->blocks[pred]);
		if (live->writes[pred] != mark)
			live->todo[n_todo++] = pred;
	}
	return n_todo;
}

static void
follow(struct live *live, int vreg)
{
	uint32_t n_todo;

	for (const struct mention *m = live->mentions[vreg]; m; m = m->next)
		if (m->writes)
			live->writes[m->block] = (uint32_t)vreg + 1;
	for (const struct mention *m = live->mentions[vreg]; m; m = m->next) {
		for (n_todo = m->reads ? enter(live, vreg, m->block, 0) : 0; n_todo;)
			n_todo = enter(live, vreg, live->todo[n_todo - 1], n_todo - 1);
	}
}

void
ir_live(struct ir *ir, const struct flow *flow, const struct live_visitor *visitor)
{
	struct live live = { .arena = ir->arena, .flow = flow, .visitor = visitor };

	live.mentions = arena_alloc(ir->arena, ir->n_vregs * sizeof(*live.mentions));
	live.at_first = arena_alloc(ir->arena, flow->n_blocks * sizeof(*live.at_first));
	live.at_end = arena_alloc(ir->arena, flow->n_blocks * sizeof(*live.at_end));
	live.writes = arena_alloc(ir->arena, flow->n_blocks * sizeof(*live.writes));
	live.todo = arena_alloc(ir->arena, flow->n_blocks * sizeof(*live.todo));
	find_mentions(&live, ir);
	for (uint32_t i = 0; i < ir->n_vregs; i++)
		follow(&live, (int)i);
}
