/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What was computed already is not computed again: calls of helpers whose answer is the same during one run of a handler (ids, the CPU),
 * loads from the event's record, arithmetic on the results.
 *
 * An instruction is redundant when another one of the same operands stands in a block that every way to it leads through (dominates it).
 * That holds for vregs that are written once; the others, variables, are left alone. The redundant instruction goes and its result's
 * readers read the first one's.
 *
 * Not taken for the same: the time; memory that others write (variables, elements of tables); constants and addresses, which cost less
 * than the register that would keep them; masks, by which verifiers know a bound where it is wanted.
 *
 * Needs: clean IR. Leaves: IR with unused values, for clean.c.
 */
#include <string.h>

#include "codegen/codegen_int.h"

#define NOWHERE UINT32_MAX
#define LOOK_MAX 8 /* of the same expression, in blocks that do not dominate each other */

struct known {
	uint32_t insn;
	uint32_t block;
	struct known *next;
};

struct reuse {
	struct ir *ir;
	struct flow flow;
	uint32_t *n_defs;          /* by vreg */
	int *same;                 /* by vreg: the one to read instead */
	uint32_t *parent;          /* by block: its immediate dominator */
	uint32_t *order;           /* by block: place in reverse post-order; NOWHERE: not reached */
	uint32_t *in, *out;        /* by block: numbers that nest as the dominator tree does */
	struct known **buckets;
	uint32_t n_buckets;
};

/* ---- dominators (Cooper, Harvey and Kennedy, 2001) ---- */

/* Blocks in reverse post-order; returns how many are reached. */
static uint32_t
number_blocks(struct reuse *r, uint32_t *blocks)
{
	struct arena *arena = r->ir->arena;
	uint32_t n = r->flow.n_blocks, depth = 0, place = n;
	uint32_t *stack = arena_alloc(arena, (n + 1) * sizeof(*stack));
	uint8_t *seen = arena_alloc(arena, n);  /* successors that were followed, plus 1 */

	stack[depth++] = 0;
	seen[0] = 1;
	while (depth) {
		uint32_t block = stack[depth - 1], next;

		if (seen[block] == 3) {
			blocks[--place] = block;
			depth--;
			continue;
		}
		next = r->flow.blocks[block].next[seen[block]++ - 1];
		if (next != NOWHERE && !seen[next]) {
			seen[next] = 1;
			stack[depth++] = next;
		}
	}
	for (uint32_t i = 0; i < n; i++)
		r->order[i] = NOWHERE;
	for (uint32_t i = place; i < n; i++) {
		blocks[i - place] = blocks[i];
		r->order[blocks[i - place]] = i - place;
	}
	return n - place;
}

static uint32_t
common_dominator(const struct reuse *r, uint32_t a, uint32_t b)
{
	while (a != b) {
		while (r->order[a] > r->order[b])
			a = r->parent[a];
		while (r->order[b] > r->order[a])
			b = r->parent[b];
	}
	return a;
}

/* One round over all blocks. Returns whether a dominator changed. */
static bool
refine(struct reuse *r, const uint32_t *blocks, uint32_t n)
{
	bool changed = false;

	for (uint32_t i = 1; i < n; i++) {
		uint32_t block = blocks[i], dominator = NOWHERE;

		for (uint32_t k = r->flow.first_pred[block]; k < r->flow.first_pred[block + 1]; k++) {
			uint32_t pred = r->flow.preds[k];

			if (r->order[pred] == NOWHERE || r->parent[pred] == NOWHERE)
				continue;
			dominator = dominator == NOWHERE ? pred : common_dominator(r, dominator, pred);
		}
		changed |= r->parent[block] != dominator;
		r->parent[block] = dominator;
	}
	return changed;
}

/* Numbers each block so that a dominates b exactly when in[a] <= in[b] and out[b] <= out[a]. */
static void
number_tree(struct reuse *r, const uint32_t *blocks, uint32_t n)
{
	struct arena *arena = r->ir->arena;
	uint32_t *child = arena_alloc(arena, r->flow.n_blocks * sizeof(*child)), count = 0, block = 0;
	uint32_t *sibling = arena_alloc(arena, r->flow.n_blocks * sizeof(*sibling));

	for (uint32_t i = 0; i < r->flow.n_blocks; i++)
		child[i] = sibling[i] = NOWHERE;
	for (uint32_t i = n; i-- > 1;) {
		sibling[blocks[i]] = child[r->parent[blocks[i]]];
		child[r->parent[blocks[i]]] = blocks[i];
	}
	r->in[0] = count++;
	for (;;) {
		if (child[block] != NOWHERE) {
			uint32_t next = child[block];

			child[block] = sibling[next];
			block = next;
			r->in[block] = count++;
		} else {
			r->out[block] = count++;
			if (block == 0)
				return;
			block = r->parent[block];
		}
	}
}

static void
find_dominators(struct reuse *r)
{
	struct arena *arena = r->ir->arena;
	uint32_t n_blocks = r->flow.n_blocks, n, *blocks = arena_alloc(arena, n_blocks * sizeof(*blocks));

	r->parent = arena_alloc(arena, n_blocks * sizeof(*r->parent));
	r->order = arena_alloc(arena, n_blocks * sizeof(*r->order));
	r->in = arena_alloc(arena, n_blocks * sizeof(*r->in));
	r->out = arena_alloc(arena, n_blocks * sizeof(*r->out));
	n = number_blocks(r, blocks);
	for (uint32_t i = 1; i < n_blocks; i++)
		r->parent[i] = NOWHERE;
	while (refine(r, blocks, n))
		;
	number_tree(r, blocks, n);
}

static bool
dominates(const struct reuse *r, uint32_t a, uint32_t b)
{
	return r->in[a] <= r->in[b] && r->out[b] <= r->out[a];
}

/* ---- expressions ---- */

bool
ir_is_constant_helper(int32_t helper)
{
	return helper == BPF_FUNC_get_current_pid_tgid || helper == BPF_FUNC_get_current_uid_gid ||
	       helper == BPF_FUNC_get_current_cgroup_id || helper == BPF_FUNC_get_smp_processor_id ||
	       helper == BPF_FUNC_get_current_task;
}

static bool
is_written_once(const struct reuse *r, int vreg)
{
	return vreg == NO_VREG || r->n_defs[vreg] == 1;
}

static bool
is_repeatable(const struct reuse *r, const struct ir_insn *insn)
{
	if (insn->dst == NO_VREG || !is_written_once(r, insn->dst) || !is_written_once(r, insn->a) || !is_written_once(r, insn->b))
		return false;
	switch (insn->op) {
	case IR_ALU:
		return !(insn->sub == BPF_AND && insn->has_imm);
	case IR_LOW:
	case IR_SWAP:
		return true;
	case IR_LOAD:
		return insn->a == r->ir->params[PARAM_RECORD];
	case IR_CALL_FUNC:
		return true;
	case IR_CALL:
		return insn->n_args == 0 && ir_is_constant_helper((int32_t)insn->imm);
	default:
		return false;
	}
}

/* Two numbers of this kernel's types that are equal may differ on the kernel where the object runs. */
static bool
is_same_core(const struct core_number *x, const struct core_number *y)
{
	return x && y ? x->kind == y->kind && strcmp(x->path, y->path) == 0 : x == y;
}

static bool
is_equal(const struct ir_insn *x, const struct ir_insn *y)
{
	return x->op == y->op && x->sub == y->sub && x->size == y->size && x->has_imm == y->has_imm && x->a == y->a && x->b == y->b &&
	       x->imm == y->imm && x->off == y->off && x->field == y->field && is_same_core(x->core, y->core);
}

static uint32_t
hash(const struct reuse *r, const struct ir_insn *insn)
{
	uint64_t h = (uint64_t)insn->op << 8 | insn->sub;

	h = (h ^ (uint32_t)insn->a) * 0x9e3779b97f4a7c15u;
	h = (h ^ (uint32_t)insn->b) * 0x9e3779b97f4a7c15u;
	h = (h ^ (uint64_t)insn->imm ^ (uint64_t)insn->off << 32 ^ insn->field) * 0x9e3779b97f4a7c15u;
	return (uint32_t)(h >> 32) & (r->n_buckets - 1);
}

static void
read_instead(const struct reuse *r, struct ir_insn *insn)
{
	if (insn->a != NO_VREG)
		insn->a = r->same[insn->a];
	if (insn->b != NO_VREG)
		insn->b = r->same[insn->b];
	for (unsigned i = 0; i < insn->n_args; i++)
		insn->args[i] = r->same[insn->args[i]];
}

static void
visit(struct reuse *r, uint32_t block, uint32_t i)
{
	struct ir_insn *insn = &r->ir->insns[i];
	struct known **bucket, *known;
	unsigned looked = 0;

	read_instead(r, insn);
	if (!is_repeatable(r, insn))
		return;
	bucket = &r->buckets[hash(r, insn)];
	for (known = *bucket; known && looked < LOOK_MAX; known = known->next) {
		const struct ir_insn *first = &r->ir->insns[known->insn];

		if (!is_equal(first, insn))
			continue;
		if (dominates(r, known->block, block)) {
			r->same[insn->dst] = first->dst;
			return;
		}
		looked++;
	}
	known = arena_alloc(r->ir->arena, sizeof(*known));
	*known = (struct known){ .insn = i, .block = block, .next = *bucket };
	*bucket = known;
}

static void
prepare(struct reuse *r)
{
	struct ir *ir = r->ir;

	r->n_defs = arena_alloc(ir->arena, ir->n_vregs * sizeof(*r->n_defs));
	r->same = arena_alloc(ir->arena, ir->n_vregs * sizeof(*r->same));
	for (uint32_t i = 0; i < ir->n_vregs; i++)
		r->same[i] = (int)i;
	r->n_defs[FP_VREG] = 1;
	r->n_buckets = 64;
	for (uint32_t i = 0; i < ir->n; i++) {
		if (ir->insns[i].dst != NO_VREG)
			r->n_defs[ir->insns[i].dst]++;
		if (i > 4 * r->n_buckets)
			r->n_buckets *= 2;
	}
	r->buckets = arena_alloc(ir->arena, r->n_buckets * sizeof(*r->buckets));
}

void
ir_reuse(struct ir *ir)
{
	struct reuse r = { .ir = ir };

	ir_flow(ir, &r.flow);
	prepare(&r);
	find_dominators(&r);
	for (uint32_t block = 0; block < r.flow.n_blocks; block++) {
		for (uint32_t i = r.flow.blocks[block].first; i < r.flow.blocks[block].end && r.order[block] != NOWHERE; i++)
			visit(&r, block, i);
	}
	for (uint32_t i = 0; i < ir->n; i++) /* readers that stand before what they read */
		read_instead(&r, &ir->insns[i]);
}
