/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Register allocation: linear scan (Poletto and Sarkar, 1999) over one live interval a vreg, with spilling.
 *
 *     r0       result of calls; temporary of emit.c
 *     r1 - r4  values that do not live across a call
 *     r5       temporary of emit.c; fifth argument of calls
 *     r6 - r9  values that live across a call (and others, when these are free)
 *     r10      frame pointer
 *
 * What finds no register goes to an 8-byte slot of the stack; when the stack's share is used up, numbers go on to scratch memory.
 * Addresses, and numbers by which verifiers see that a loop ends or an access is within bounds, must stay in registers or on the stack, where they keep
 * track of them.
 *
 * Needs: clean IR. Leaves: a place for each vreg that is used, n_spill_stack and n_spill_scratch.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/codegen_int.h"

#define FIRST_CALLEE_SAVED 6
#define ALLOCATABLE ((1u << 1) | (1u << 2) | (1u << 3) | (1u << 4) | (1u << 6) | (1u << 7) | (1u << 8) | (1u << 9))
#define CALLEE_SAVED ((1u << 6) | (1u << 7) | (1u << 8) | (1u << 9))

/* ---- intervals ---- */

static void
extend(struct ir *ir, int vreg, uint32_t at)
{
	struct vreg *v;

	if (vreg == NO_VREG || vreg == FP_VREG)
		return;
	v = &ir->vregs[vreg];
	if (at < v->start)
		v->start = at;
	if (at > v->end)
		v->end = at;
}

static void
extend_at_first(void *ir, int vreg, const struct block *block)
{
	extend(ir, vreg, 2 * block->first);
}

static void
extend_at_end(void *ir, int vreg, const struct block *block)
{
	extend(ir, vreg, 2 * block->end);
}

/*
 * An interval covers every instruction from the first to the last where the vreg is written, read or live. Reads of instruction i count
 * at 2i, writes at 2i + 1, so that a value may take the register of one that is read last by the same instruction.
 */
static void
find_intervals(struct ir *ir)
{
	struct flow flow;

	for (uint32_t i = 0; i < ir->n_vregs; i++) {
		ir->vregs[i].start = UINT32_MAX;
		ir->vregs[i].end = 0;
	}
	ir_flow(ir, &flow);
	ir_live(ir, &flow, &(struct live_visitor){ ir, extend_at_first, extend_at_end });
	for (uint32_t n = 0; n < ir->n; n++) {
		const struct ir_insn *insn = &ir->insns[n];

		extend(ir, insn->a, 2 * n);
		extend(ir, insn->b, 2 * n);
		for (unsigned arg = 0; arg < insn->n_args; arg++)
			extend(ir, insn->args[arg], 2 * n);
		/* All parameters arrive at once. */
		extend(ir, insn->dst, insn->op == IR_PARAM ? 0 : 2 * n + 1);
	}
}

/* One pass over the calls: a vreg crosses one that lies strictly inside its interval. `before[i]`: calls before instruction i. */
static void
find_crossings(struct ir *ir)
{
	uint32_t *before = arena_alloc(ir->arena, (ir->n + 2) * sizeof(*before));

	for (uint32_t i = 0; i < ir->n; i++)
		before[i + 1] = before[i] + ir_is_call(&ir->insns[i]);
	for (uint32_t i = 0; i < ir->n_vregs; i++) {
		struct vreg *v = &ir->vregs[i];
		uint32_t first = v->start / 2 + (v->start & 1), last = v->end / 2 + (v->end & 1);

		/* Read last by a call (end even): not crossing it. Written by a call (start odd): not crossing it. */
		if (v->start != UINT32_MAX && first < last)
			v->crosses_call = before[last] > before[first];
	}
}

/* ---- the scan ---- */

struct scan {
	struct ir *ir;
	int active[16];              /* vregs in registers now */
	uint32_t n_active;
	uint32_t free_regs;          /* bit r: free */
	uint32_t *slot_end;          /* spill slots: end of the interval that has the slot now */
	uint32_t n_slots, cap_slots;
};

static void
expire(struct scan *scan, uint32_t start)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < scan->n_active; i++) {
		const struct vreg *v = &scan->ir->vregs[scan->active[i]];

		if (v->end < start)
			scan->free_regs |= 1u << v->reg;
		else
			scan->active[n++] = scan->active[i];
	}
	scan->n_active = n;
}

/* Lowest free register that serves: caller-saved ones first, so that the others stay for values that need them. */
static int
pick_reg(uint32_t free_regs, bool crosses_call, int preferred)
{
	uint32_t usable = free_regs & (crosses_call ? CALLEE_SAVED : ALLOCATABLE);

	if (preferred >= 0 && usable & (1u << preferred))
		return preferred;
	return usable ? __builtin_ctz(usable) : -1;
}

/* Spilled vregs wait in a list; slots are given out at the end, to those first that need the stack. */
static void
spill(struct vreg *v)
{
	v->place = PLACE_STACK;
}

static void
take_reg(struct scan *scan, int vreg, int reg)
{
	struct vreg *v = &scan->ir->vregs[vreg];

	v->place = PLACE_REG;
	v->reg = (uint8_t)reg;
	scan->free_regs &= ~(1u << reg);
	scan->active[scan->n_active++] = vreg;
}

/* No register is free: whoever lives longest of those whose register would serve goes to memory. */
static void
spill_longest(struct scan *scan, int vreg)
{
	struct vreg *v = &scan->ir->vregs[vreg];
	int longest = -1;

	for (uint32_t i = 0; i < scan->n_active; i++) {
		const struct vreg *other = &scan->ir->vregs[scan->active[i]];

		if (v->crosses_call && other->reg < FIRST_CALLEE_SAVED)
			continue;
		if (longest < 0 || other->end > scan->ir->vregs[scan->active[longest]].end)
			longest = (int)i;
	}
	if (longest < 0 || scan->ir->vregs[scan->active[longest]].end <= v->end) {
		spill(v);
		return;
	}
	vreg = scan->active[longest];
	scan->active[longest] = scan->active[--scan->n_active];
	scan->free_regs |= 1u << scan->ir->vregs[vreg].reg;
	spill(&scan->ir->vregs[vreg]);
	take_reg(scan, (int)(v - scan->ir->vregs), scan->ir->vregs[vreg].reg);
}

/* A copy likes to share the register of its source; the argument of a call, the register it is passed in. */
static void
find_preferences(const struct ir *ir, int8_t *preferred)
{
	memset(preferred, -1, ir->n_vregs);
	for (uint32_t i = 0; i < ir->n; i++) {
		const struct ir_insn *insn = &ir->insns[i];

		for (unsigned arg = 0; arg < insn->n_args && arg < 4; arg++)
			preferred[insn->args[arg]] = (int8_t)(arg + 1);
		if (insn->op == IR_PARAM)
			preferred[insn->dst] = (int8_t)(insn->imm + 1);
	}
}

struct order { uint32_t start; int vreg; };

static int
compare_starts(const void *a, const void *b)
{
	const struct order *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->vreg < y->vreg ? -1 : x->vreg > y->vreg;
}

static struct order *
order_by_start(struct ir *ir, uint32_t *n)
{
	struct order *order = arena_alloc(ir->arena, (ir->n_vregs + 1) * sizeof(*order));

	*n = 0;
	for (uint32_t i = 0; i < ir->n_vregs; i++) {
		if (ir->vregs[i].start != UINT32_MAX)
			order[(*n)++] = (struct order){ ir->vregs[i].start, (int)i };
	}
	qsort(order, *n, sizeof(*order), compare_starts);
	return order;
}

/* First slot whose last owner's interval has ended, among those from `from` on; else a new one. */
static uint32_t
take_slot(struct scan *scan, const struct vreg *v, uint32_t from)
{
	uint32_t slot = from;

	while (slot < scan->n_slots && scan->slot_end[slot] >= v->start)
		slot++;
	while (slot >= scan->n_slots) {
		scan->slot_end = arena_grow(scan->ir->arena, scan->slot_end, scan->n_slots, &scan->cap_slots,
					    sizeof(*scan->slot_end));
		scan->slot_end[scan->n_slots++] = 0;
	}
	scan->slot_end[slot] = v->end;
	return slot;
}

/*
 * Slots for what was spilled, in two rounds by start: what needs the stack, then other numbers, which take what the stack has
 * left and go on to scratch memory.
 */
static void
give_slots(struct scan *scan, const struct order *order, uint32_t n)
{
	struct ir *ir = scan->ir;
	uint32_t max_slots = ir->stack_max > ir->frame_max ? (ir->stack_max - ir->frame_max) / 8 : 0;

	for (int round = 0; round < 2; round++) {
		uint32_t first = scan->n_slots;

		for (uint32_t i = 0; i < n; i++) {
			struct vreg *v = &ir->vregs[order[i].vreg];
			uint32_t slot;

			if (v->place != PLACE_STACK || (v->is_pointer || v->is_followed) != (round == 0))
				continue;
			slot = take_slot(scan, v, first);
			if (slot >= max_slots && round == 1) {
				v->place = PLACE_SCRATCH;
				v->slot = ir->scratch_max + 8 * (slot - max_slots);
				if (ir->n_spill_scratch < 8 * (slot - max_slots + 1))
					ir->n_spill_scratch = 8 * (slot - max_slots + 1);
			} else {
				v->slot = 8 * (slot + 1);
				if (ir->n_spill_stack < v->slot)
					ir->n_spill_stack = v->slot;
			}
		}
	}
}

static void
allocate_once(struct ir *ir, bool keep_scratch)
{
	struct scan scan = { .ir = ir, .free_regs = ALLOCATABLE };
	int8_t *preferred = arena_alloc(ir->arena, ir->n_vregs + 1);
	struct order *order;
	uint32_t n;

	find_intervals(ir);
	if (keep_scratch) {
		extend(ir, ir->params[PARAM_SCRATCH], 0);
		extend(ir, ir->params[PARAM_SCRATCH], 2 * ir->n);
	}
	find_crossings(ir);
	find_preferences(ir, preferred);
	order = order_by_start(ir, &n);
	for (uint32_t i = 0; i < n; i++) {
		struct vreg *v = &ir->vregs[order[i].vreg];
		int reg;

		expire(&scan, v->start);
		reg = pick_reg(scan.free_regs, v->crosses_call, preferred[order[i].vreg]);
		if (reg >= 0)
			take_reg(&scan, order[i].vreg, reg);
		else
			spill_longest(&scan, order[i].vreg);
	}
	give_slots(&scan, order, n);
}

/* The address of scratch memory may have been cleaned away when nothing but spilling needs it. */
static void
restore_scratch_param(struct ir *ir)
{
	struct ir_insn param = { .op = IR_PARAM, .dst = ir->params[PARAM_SCRATCH], .a = NO_VREG, .b = NO_VREG,
				 .imm = PARAM_SCRATCH };

	if (ir->context != NO_VREG)
		return; /* functions that are called back load it, to count their rounds */
	for (uint32_t i = 0; i < ir->n && ir->insns[i].op == IR_PARAM; i++) {
		if (ir->insns[i].imm == PARAM_SCRATCH)
			return;
	}
	ir_add(ir, param);
	memmove(ir->insns + 1, ir->insns, (ir->n - 1) * sizeof(*ir->insns));
	ir->insns[0] = param;
}

void
ir_allocate(struct ir *ir)
{
	allocate_once(ir, false);
	if (!ir->n_spill_scratch)
		return;
	/* Spill code needs the address of scratch memory everywhere: once more, with that address alive throughout. */
	for (uint32_t i = 0; i < ir->n_vregs; i++) {
		if (i != FP_VREG)
			ir->vregs[i] = (struct vreg){ .is_pointer = ir->vregs[i].is_pointer, .is_followed = ir->vregs[i].is_followed };
	}
	ir->n_spill_stack = ir->n_spill_scratch = 0;
	restore_scratch_param(ir);
	allocate_once(ir, true);
}
