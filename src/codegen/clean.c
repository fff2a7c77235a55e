/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Removes intermediate code without effect: instructions behind a jump that no label leads to, jumps to what follows anyway, values
 * that nobody uses. Lowering may then be generous with both. The kernel refuses unreachable instructions, so this is not a
 * luxury.
 */
#include <string.h>

#include "codegen/codegen_int.h"

static bool
has_effect(const struct ir_insn *insn)
{
	switch (insn->op) {
	case IR_PARAM:
	case IR_CONST:
	case IR_MOVE:
	case IR_ALU:
	case IR_LOW:
	case IR_SWAP:
	case IR_LOAD:
	case IR_FRAME:
	case IR_SCRATCH:
	case IR_TABLE:
	case IR_GLOBAL:
	case IR_FUNC:
	case IR_CALL_FUNC:
		return false;
	case IR_CALL:
		return !ir_is_constant_helper((int32_t)insn->imm) && insn->imm != BPF_FUNC_ktime_get_ns;
	case IR_STORE:
	case IR_ATOMIC_ADD:
	case IR_LABEL:
	case IR_JUMP:
	case IR_BRANCH:
	case IR_END:
	case N_IR_OPS:
		break;
	}
	return true;
}

static void
remove_marked(struct ir *ir, const bool *dead)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < ir->n; i++) {
		if (!dead[i])
			ir->insns[n++] = ir->insns[i];
	}
	ir->n = n;
}

/* Marks what control can reach, by a walk from the start. */
static bool
remove_unreachable(struct ir *ir)
{
	uint32_t *labels = arena_alloc(ir->arena, ir->n_labels * sizeof(*labels));
	uint32_t *todo = arena_alloc(ir->arena, (ir->n + 1) * sizeof(*todo)), n_todo = 0, n_dead = 0;
	bool *dead = arena_alloc(ir->arena, ir->n);

	memset(dead, true, ir->n);
	for (uint32_t i = 0; i < ir->n; i++) {
		if (ir->insns[i].op == IR_LABEL)
			labels[ir->insns[i].label] = i;
	}
	todo[n_todo++] = 0;
	while (n_todo) {
		for (uint32_t i = todo[--n_todo]; i < ir->n && dead[i]; i++) {
			const struct ir_insn *insn = &ir->insns[i];

			dead[i] = false;
			if ((insn->op == IR_JUMP || insn->op == IR_BRANCH) && dead[labels[insn->label]])
				todo[n_todo++] = labels[insn->label];
			if (insn->op == IR_JUMP || insn->op == IR_END)
				break;
		}
	}
	for (uint32_t i = 0; i < ir->n; i++)
		n_dead += dead[i];
	remove_marked(ir, dead);
	return n_dead > 0;
}

/* A jump (or branch) to a label that follows with nothing but labels in between. */
static bool
jumps_to_next(const struct ir *ir, uint32_t i)
{
	for (uint32_t k = i + 1; k < ir->n && ir->insns[k].op == IR_LABEL; k++) {
		if (ir->insns[k].label == ir->insns[i].label)
			return true;
	}
	return false;
}

static bool
remove_idle_jumps(struct ir *ir)
{
	bool *dead = arena_alloc(ir->arena, ir->n), *used = arena_alloc(ir->arena, ir->n_labels), any = false;

	for (uint32_t i = 0; i < ir->n; i++) {
		bool jumps = ir->insns[i].op == IR_JUMP || ir->insns[i].op == IR_BRANCH;

		dead[i] = jumps && jumps_to_next(ir, i);
		any |= dead[i];
		if (jumps && !dead[i])
			used[ir->insns[i].label] = true;
	}
	for (uint32_t i = 0; i < ir->n; i++) {
		if (ir->insns[i].op == IR_LABEL && !used[ir->insns[i].label])
			dead[i] = any = true;
	}
	remove_marked(ir, dead);
	return any;
}

/* Counts what an instruction reads once more, or, by -1, once less. What it changes in place it does not read. */
static void
count_reads(const struct ir_insn *insn, uint32_t *n_reads, int by)
{
	if (insn->a != NO_VREG && !(insn->op == IR_ALU && insn->a == insn->dst))
		n_reads[insn->a] += (uint32_t)by;
	if (insn->b != NO_VREG)
		n_reads[insn->b] += (uint32_t)by;
	for (unsigned n = 0; n < insn->n_args; n++)
		n_reads[insn->args[n]] += (uint32_t)by;
}

/* Backward, so that what only an unused value needs goes with it. */
static bool
remove_unused(struct ir *ir)
{
	uint32_t *n_reads = arena_alloc(ir->arena, ir->n_vregs * sizeof(*n_reads));
	bool *dead = arena_alloc(ir->arena, ir->n), any = false;

	for (uint32_t i = 0; i < ir->n; i++)
		count_reads(&ir->insns[i], n_reads, 1);
	for (uint32_t i = ir->n; i-- > 0;) {
		dead[i] = !has_effect(&ir->insns[i]) && !n_reads[ir->insns[i].dst];
		if (dead[i])
			count_reads(&ir->insns[i], n_reads, -1);
		any |= dead[i];
	}
	remove_marked(ir, dead);
	return any;
}

void
ir_clean(struct ir *ir)
{
	bool changed;

	do {
		changed = remove_unreachable(ir);
		changed |= remove_idle_jumps(ir);
		changed |= remove_unused(ir);
	} while (changed);
}
