/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Results of calls stay in r0 where they can, instead of moving to a register of their own first: no call follows while they are wanted, nor
 * an instruction for which emit.c needs r0 as a temporary. What is computed from such a result when that is used for the last time stays
 * there, too.
 *
 * Needs: places. Leaves: some of the places that are registers as r0. No two values are in r0 at once: a call's result gets it where no
 * other value in it is live, and a computed one takes it over.
 */
#include "codegen/codegen_int.h"

struct outlive {
	int vreg;
	struct outlive *next;
};

struct results {
	struct ir *ir;
	struct flow flow;
	struct outlive **outlive;   /* by block: the vregs in registers that are live where it ends */
	uint32_t *n_defs, *n_calls; /* by vreg: instructions that write it, calls among them */
	bool *bad;                  /* by vreg: it would lose its value in r0 */
	bool *ends;                 /* by instruction: its operand a is not live behind it */
	int *alive;                 /* vregs that are live behind an instruction, and not bad */
	uint32_t *at, n_alive;      /* by vreg: where in alive, plus 1 */
};

static bool
may_stay(const struct results *r, int vreg)
{
	return vreg != NO_VREG && vreg != FP_VREG && r->ir->vregs[vreg].place == PLACE_REG && !r->bad[vreg];
}

static void
kill(struct results *r, int vreg)
{
	if (vreg == NO_VREG || !r->at[vreg])
		return;
	r->alive[r->at[vreg] - 1] = r->alive[--r->n_alive];
	r->at[r->alive[r->n_alive]] = r->at[vreg];
	r->at[vreg] = 0;
}

static void
revive(struct results *r, int vreg)
{
	if (!may_stay(r, vreg) || r->at[vreg])
		return;
	r->alive[r->n_alive++] = vreg;
	r->at[vreg] = r->n_alive;
}

static void
spoil(struct results *r, int vreg)
{
	if (vreg == NO_VREG)
		return;
	kill(r, vreg);
	r->bad[vreg] = true;
}

static void
spoil_alive(struct results *r)
{
	while (r->n_alive)
		spoil(r, r->alive[r->n_alive - 1]);
}

static bool
in_register(const struct results *r, int vreg)
{
	return vreg == NO_VREG || r->ir->vregs[vreg].place == PLACE_REG;
}

/* Does emit.c need r0 for more than a call's result? */
static bool
needs_temporary(const struct results *r, const struct ir_insn *insn)
{
	const struct vreg *vregs = r->ir->vregs;

	if (ir_is_call(insn))
		return !in_register(r, insn->dst) && vregs[insn->dst].place != PLACE_NONE;
	if (!in_register(r, insn->dst) || !in_register(r, insn->a) || !in_register(r, insn->b))
		return true;
	/* a op b into the register of b. */
	return insn->op == IR_ALU && !insn->has_imm && insn->a != insn->dst && vregs[insn->b].reg == vregs[insn->dst].reg;
}

/* Backward over one instruction. */
static void
step(struct results *r, uint32_t i)
{
	const struct ir_insn *insn = &r->ir->insns[i];

	kill(r, insn->dst);
	if (ir_is_call(insn))
		spoil_alive(r);
	if (needs_temporary(r, insn)) {
		spoil_alive(r);
		spoil(r, insn->dst);
		spoil(r, insn->a);
		spoil(r, insn->b);
	}
	r->ends[i] = insn->a != NO_VREG && insn->a != insn->dst && !r->at[insn->a];
	revive(r, insn->a);
	revive(r, insn->b);
	for (unsigned arg = 0; arg < insn->n_args; arg++)
		revive(r, insn->args[arg]);
}

static void
note_outlive(void *results, int vreg, const struct block *block)
{
	struct results *r = results;
	struct outlive *live, **list = &r->outlive[block - r->flow.blocks];

	if (!may_stay(r, vreg))
		return;
	live = arena_alloc(r->ir->arena, sizeof(*live));
	*live = (struct outlive){ vreg, *list };
	*list = live;
}

static void
find_bad(struct results *r)
{
	for (uint32_t i = 0; i < r->flow.n_blocks; i++) {
		const struct block *block = &r->flow.blocks[i];

		while (r->n_alive)
			kill(r, r->alive[0]);
		for (const struct outlive *live = r->outlive[i]; live; live = live->next)
			revive(r, live->vreg);
		for (uint32_t n = block->end; n-- > block->first;)
			step(r, n);
	}
}

/* From a value that is in r0 and used for the last time. */
static bool
takes_over(const struct results *r, uint32_t i)
{
	const struct ir_insn *insn = &r->ir->insns[i];

	if ((insn->op != IR_ALU && insn->op != IR_LOW && insn->op != IR_SWAP) || r->n_defs[insn->dst] != 1 || !r->ends[i])
		return false;
	return r->n_calls[insn->a] == r->n_defs[insn->a] && r->n_calls[insn->a] && r->ir->vregs[insn->a].place == PLACE_REG &&
	       r->ir->vregs[insn->a].reg == BPF_REG_0;
}

static void
give(struct results *r)
{
	for (uint32_t i = 0; i < r->ir->n; i++) {
		int dst = r->ir->insns[i].dst;

		if (!may_stay(r, dst) || !r->n_defs[dst])
			continue;
		if (r->n_calls[dst] == r->n_defs[dst]) {
			r->ir->vregs[dst].reg = BPF_REG_0;
		} else if (takes_over(r, i)) {
			r->ir->vregs[dst].reg = BPF_REG_0;
			r->n_calls[dst] = 1; /* so that the next one can take over from it */
		}
	}
}

void
ir_keep_results(struct ir *ir)
{
	struct results r = { .ir = ir };

	ir_flow(ir, &r.flow);
	r.n_defs = arena_alloc(ir->arena, ir->n_vregs * sizeof(*r.n_defs));
	r.n_calls = arena_alloc(ir->arena, ir->n_vregs * sizeof(*r.n_calls));
	r.bad = arena_alloc(ir->arena, ir->n_vregs);
	r.ends = arena_alloc(ir->arena, ir->n);
	r.alive = arena_alloc(ir->arena, (ir->n_vregs + 1) * sizeof(*r.alive));
	r.at = arena_alloc(ir->arena, ir->n_vregs * sizeof(*r.at));
	for (uint32_t i = 0; i < ir->n; i++) {
		if (ir->insns[i].dst == NO_VREG)
			continue;
		r.n_defs[ir->insns[i].dst]++;
		r.n_calls[ir->insns[i].dst] += ir_is_call(&ir->insns[i]);
	}
	r.outlive = arena_alloc(ir->arena, r.flow.n_blocks * sizeof(*r.outlive));
	ir_live(ir, &r.flow, &(struct live_visitor){ &r, NULL, note_outlive });
	find_bad(&r);
	give(&r);
}
