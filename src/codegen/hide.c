/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Hides constants from the verifiers where many branches meet. A verifier knows what a variable holds on each way to a place where ways meet, and
 * where that differs it follows what comes behind for each: twenty flags are a million ways, and the program is "too complex". So in code
 * with many such meetings the constants are computed from a number that the verifiers do not know: the zeros in the globals, loaded once.
 *
 *     v1 = const 1         ->      zero = load zeros          at the start
 *                                  v1 = zero ^ 1              (a copy of zero, or a sum, the kernel's verifier would remember as such)
 *
 * What such a variable gets else is hidden in the same way: of `s | 4` they would know a bit.
 *
 * Lowering says which constants are just values of the script (ir_insn.varies): all others are for the verifiers to know. What is counted up in a
 * loop is not hidden: they follow its rounds by it.
 *
 * Needs: clean IR. Leaves: clean IR.
 */
#include "codegen/codegen_int.h"

struct hide {
	struct ir *ir;
	uint32_t *n_defs;   /* by vreg */
	bool *shown;        /* by vreg: computed in a loop */
	bool *varies;       /* by vreg: it gets constants of the script */
};

/* Marks what a loop computes, not just sets: from a label to a jump back to it. */
static void
find_shown(struct hide *h)
{
	uint32_t *labels = arena_alloc(h->ir->arena, h->ir->n_labels * sizeof(*labels)), from = UINT32_MAX;

	for (uint32_t i = 0; i < h->ir->n; i++)
		if (h->ir->insns[i].op == IR_LABEL)
			labels[h->ir->insns[i].label] = i;
	for (uint32_t i = h->ir->n; i-- > 0;) {
		const struct ir_insn *insn = &h->ir->insns[i];

		if ((insn->op == IR_JUMP || insn->op == IR_BRANCH) && labels[insn->label] < i && labels[insn->label] < from)
			from = labels[insn->label];
		if (from <= i && insn->dst != NO_VREG && insn->op != IR_CONST)
			h->shown[insn->dst] = true;
	}
}

static struct hide
look(struct ir *ir)
{
	struct hide h = { ir, arena_alloc(ir->arena, ir->n_vregs * sizeof(*h.n_defs)), arena_alloc(ir->arena, ir->n_vregs),
			  arena_alloc(ir->arena, ir->n_vregs) };

	for (uint32_t i = 0; i < ir->n; i++) {
		if (ir->insns[i].dst == NO_VREG)
			continue;
		h.n_defs[ir->insns[i].dst]++;
		h.varies[ir->insns[i].dst] |= ir->insns[i].op == IR_CONST && ir->insns[i].varies;
	}
	find_shown(&h);
	return h;
}

/* A constant that meets others (in a variable that is assigned elsewhere, too, or in memory), or a value that meets constants. */
static bool
meets_others(const struct hide *h, uint32_t i)
{
	const struct ir_insn *insn = &h->ir->insns[i];

	if (insn->op == IR_MOVE)
		return h->varies[insn->dst] && !h->shown[insn->dst] && !h->ir->vregs[insn->dst].is_pointer;
	if (!insn->varies)
		return false;
	if (insn->op == IR_STORE)
		return insn->has_imm && insn->a == FP_VREG;
	if (insn->op != IR_CONST)
		return false;
	if (h->n_defs[insn->dst] > 1)
		return !h->shown[insn->dst];
	/* Eight bytes of a text, on their way to memory. */
	return i + 1 < h->ir->n && insn[1].op == IR_STORE && insn[1].varies && insn[1].a == FP_VREG && insn[1].b == insn->dst;
}

unsigned
ir_count_meetings(struct ir *ir)
{
	struct hide h = look(ir);
	unsigned n = 0;

	for (uint32_t i = 0; i < ir->n; i++) {
		if (ir->insns[i].op == IR_MOVE || !meets_others(&h, i))
			continue;
		if (ir->insns[i].op == IR_CONST && h.n_defs[ir->insns[i].dst] > 1) {
			n += h.n_defs[ir->insns[i].dst] - 1;
			h.n_defs[ir->insns[i].dst] = 1; /* counted */
		} else {
			n += i == 0 || !ir->insns[i - 1].varies; /* a text counts once */
		}
	}
	return n;
}

/* Instructions that come from nowhere in the script: parameters arrive. */
static uint32_t
prologue(const struct ir *ir)
{
	uint32_t n = 0;

	while (n < ir->n && (ir->insns[n].op == IR_PARAM || (ir->insns[n].op == IR_LOAD && ir->context != NO_VREG && ir->insns[n].a == ir->context)))
		n++;
	return n;
}

static void
add_hidden(struct ir *ir, const struct ir_insn *insn, int zero)
{
	bool is_store = insn->op == IR_STORE;
	int value = is_store ? ir_vreg(ir) : insn->dst;

	ir->span = insn->span;
	if (insn->op == IR_MOVE) {
		ir_add(ir, (struct ir_insn){ .op = IR_ALU, .sub = BPF_XOR, .dst = value, .a = insn->a, .b = zero });
	} else if (insn->imm == (int32_t)insn->imm) {
		ir_add(ir, (struct ir_insn){ .op = IR_ALU, .sub = BPF_XOR, .dst = value, .a = zero, .b = NO_VREG, .has_imm = true, .imm = insn->imm });
	} else {
		ir_set(ir, value, insn->imm);
		ir_add(ir, (struct ir_insn){ .op = IR_ALU, .sub = BPF_XOR, .dst = value, .a = value, .b = zero });
	}
	if (is_store)
		ir_store(ir, insn->size, insn->a, insn->off, value);
}

void
ir_hide(struct ir *ir, uint32_t zeros_off)
{
	struct hide h = look(ir);
	struct ir old = *ir;
	uint32_t i, start = prologue(ir);
	int zero = ir_vreg(ir), address = ir_pointer(ir);

	h.ir = &old;
	ir->insns = NULL;
	ir->n = ir->cap = 0;
	for (i = 0; i < old.n; i++) {
		if (i == start) {
			ir->span = old.insns[i].span;
			ir_add(ir, (struct ir_insn){ .op = IR_GLOBAL, .dst = address, .a = NO_VREG, .b = NO_VREG, .imm = zeros_off });
			ir_add(ir, (struct ir_insn){ .op = IR_LOAD, .size = BPF_DW, .dst = zero, .a = address, .b = NO_VREG });
		}
		if (meets_others(&h, i)) {
			add_hidden(ir, &old.insns[i], zero);
		} else {
			ir->span = old.insns[i].span;
			ir_add(ir, old.insns[i]);
		}
	}
}
