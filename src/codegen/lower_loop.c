/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Loops of the probe half. Each has two forms (loops.c chooses): jumps in place, or a function that the helper calls for each round. In
 * the second form the rounds of all loops of one call of the handler are counted in scratch memory, up to LOOP_MAX; in the first,
 * where the number of rounds is not known, each loop counts its own, up to LOOP_COUNTED_MAX, since the verifiers follow every round.
 */
#include "codegen/lower_int.h"

/* A round of a loop in the making: where its parts go on. */
struct round {
	bool called_back;
	uint32_t top, next, done;
	int counter;              /* in place: rounds so far, NO_VREG where the number is known */
	struct callback callback;
};

void
loop_count(struct lowering *l, int counter)
{
	struct ir *ir = &l->ir;
	int n;

	if (counter != NO_VREG) {
		ir_branch_imm(ir, BPF_JGE, counter, LOOP_COUNTED_MAX, lower_failure(l, COUNTER_LOOP_LIMIT));
		ir_update_imm(ir, BPF_ADD, counter, 1);
		return;
	}
	n = ir_load(ir, BPF_DW, l->rounds.base, l->rounds.off);
	ir_branch_imm(ir, BPF_JGE, n, LOOP_MAX, lower_failure(l, COUNTER_LOOP_LIMIT));
	ir_store(ir, BPF_DW, l->rounds.base, l->rounds.off, ir_alu_imm(ir, BPF_ADD, n, 1));
}

/* The code that follows runs each round. */
static void
round_begin(struct lowering *l, struct round *round, const struct node *loop, int counter)
{
	known_drop(l);
	round->called_back = loop->called_back;
	round->counter = counter;
	if (round->called_back) {
		callback_begin(l, &round->callback, CONTEXT_OF_LOOP);
		round->counter = NO_VREG;
	}
	round->top = ir_label(&l->ir);
	round->next = ir_label(&l->ir);
	round->done = ir_label(&l->ir);
	ir_bind(&l->ir, round->top);
}

static void
round_count(struct lowering *l, const struct round *round)
{
	if (round->called_back || round->counter != NO_VREG)
		loop_count(l, round->counter);
}

/* Here the round is over; the loop goes on with the next one, or where the code jumped to `done`, behind this. */
static void
round_end(struct lowering *l, struct round *round)
{
	known_drop(l);
	if (!round->called_back) {
		ir_jump(&l->ir, round->top);
		ir_bind(&l->ir, round->done);
		return;
	}
	callback_exit(l, 0);
	ir_bind(&l->ir, round->done);
	callback_exit(l, 1);
	callback_end(l, &round->callback);
	callback_call(l, &round->callback, BPF_FUNC_loop, ir_const(&l->ir, LOOP_MAX + 1));
}

void
lower_body(struct lowering *l, struct node *body, uint32_t on_break, uint32_t on_continue)
{
	struct loop loop = { .on_break = on_break, .on_continue = on_continue, .outer = l->loop };
	struct known_mark known = known_mark(l);

	l->loop = &loop;
	lower_stat(l, body);
	l->loop = loop.outer;
	known_release(l, known); /* `continue` has gone round it */
}

/* Counts in place, starting with 0. */
static int
new_counter(struct lowering *l, const struct node *loop)
{
	return loop->called_back ? NO_VREG : ir_const(&l->ir, 0);
}

void
lower_while(struct lowering *l, struct node *node)
{
	struct round round;

	round_begin(l, &round, node, new_counter(l, node));
	lower_condition(l, node->a, round.done, false);
	round_count(l, &round);
	lower_body(l, node->b, round.done, round.next);
	ir_bind(&l->ir, round.next);
	round_end(l, &round);
}

void
lower_repeat(struct lowering *l, struct node *node)
{
	struct round round;
	struct memory_mark mark;
	struct known_mark known;
	struct loop loop = { .outer = l->loop };

	round_begin(l, &round, node, new_counter(l, node));
	mark = memory_mark(l);
	known = known_mark(l);
	round_count(l, &round);
	loop = (struct loop){ .on_break = round.done, .on_continue = round.next, .outer = l->loop };
	l->loop = &loop;
	/* The condition sees the block's variables, so their memory stays until it is done. */
	for (struct node *stat = node->a->a; stat; stat = stat->next)
		lower_stat(l, stat);
	l->loop = loop.outer;
	known_release(l, known);
	ir_bind(&l->ir, round.next);
	lower_condition(l, node->b, round.done, true);
	memory_release(l, mark);
	round_end(l, &round);
}

void
lower_for_step(struct lowering *l, struct node *node)
{
	struct memory_mark mark = memory_mark(l);
	struct round round;

	if (node->a)
		lower_stat(l, node->a);
	round_begin(l, &round, node, new_counter(l, node));
	if (node->b)
		lower_condition(l, node->b, round.done, false);
	round_count(l, &round);
	lower_body(l, node->d, round.done, round.next);
	ir_bind(&l->ir, round.next);
	if (node->c)
		lower_stat(l, node->c);
	round_end(l, &round);
	memory_release(l, mark);
}

/* ---- for (i = init, limit, step) ---- */

static bool
is_small(const struct val *val)
{
	return val->is_const && val->imm == (int32_t)val->imm;
}

/* Known and small: such a loop needs no counter. */
static bool
is_short(const struct val *init, const struct val *limit, int64_t step)
{
	return is_small(init) && is_small(limit) && (limit->imm - init->imm) / step < LOOP_COUNTED_MAX;
}

/* Might the index go beyond what a number can be, behind the last round that the limit lets through? */
static bool
may_wrap(const struct val *limit, const struct val *step)
{
	if (!limit->is_const || !step->is_const)
		return true;
	return step->imm > 0 ? limit->imm > INT64_MAX - step->imm : limit->imm < INT64_MIN - step->imm;
}

static void
lower_range_in_place(struct lowering *l, struct node *node, const struct val *init, const struct val *limit, const struct val *step)
{
	struct ir *ir = &l->ir;
	struct val value;
	struct round round;
	int index, next;

	if (!step->is_const || step->imm == 0 || step->imm != (int32_t)step->imm) {
		diag_error(l->diags, node->a->next->next->next->span, "loop-step",
			   "the step of a loop in a probe must be a constant, not 0");
		return;
	}
	index = init->is_const ? ir_const(ir, init->imm) : val_hold(l, init).reg;
	variable_declare(l, node->a->var);
	round_begin(l, &round, node, is_short(init, limit, step->imm) ? NO_VREG : new_counter(l, node));
	if (limit->is_const)
		ir_branch_imm(ir, step->imm > 0 ? BPF_JSGT : BPF_JSLT, index, limit->imm, round.done);
	else
		ir_branch(ir, step->imm > 0 ? BPF_JSGT : BPF_JSLT, index, limit->reg, round.done);
	round_count(l, &round);
	value = val_number(TYPE_INT, index);
	variable_assign(l, node->a->var, &value);
	lower_body(l, node->b, round.done, round.next);
	ir_bind(ir, round.next);
	if (may_wrap(limit, step)) {
		next = ir_alu_imm(ir, BPF_ADD, index, step->imm);
		ir_branch(ir, step->imm > 0 ? BPF_JSGT : BPF_JSLT, index, next, round.done);
		ir_move(ir, index, next);
	} else {
		ir_update_imm(ir, BPF_ADD, index, step->imm);
	}
	round_end(l, &round);
}

/* Jumps to `done` when `index` is past the limit, in the direction of the step. */
static void
range_test(struct lowering *l, int index, int limit, int step, uint32_t done)
{
	struct ir *ir = &l->ir;
	uint32_t down = ir_label(ir), through = ir_label(ir);

	ir_branch_imm(ir, BPF_JSLT, step, 0, down);
	ir_branch(ir, BPF_JSGT, index, limit, done);
	ir_jump(ir, through);
	ir_bind(ir, down);
	ir_branch(ir, BPF_JSLT, index, limit, done);
	ir_bind(ir, through);
}

static struct mem
keep(struct lowering *l, const struct val *val)
{
	struct mem mem = memory_scratch(l, 8);

	ir_store(&l->ir, BPF_DW, mem.base, mem.off, val_reg(l, val));
	return mem;
}

static int
load(struct lowering *l, struct mem mem)
{
	return ir_load(&l->ir, BPF_DW, mem.base, mem.off);
}

/* Index, limit and step are kept in scratch memory from round to round. A step of 0 runs into the limit of rounds. */
static void
lower_range_called_back(struct lowering *l, struct node *node, const struct val *init, const struct val *limit, const struct val *step)
{
	struct mem index = keep(l, init), last = keep(l, limit), by = { 0 };
	struct ir *ir = &l->ir;
	struct val value;
	struct round round;
	int now, next;

	if (!step->is_const)
		by = keep(l, step);
	round_begin(l, &round, node, NO_VREG);
	value = val_number(TYPE_INT, load(l, index));
	if (!step->is_const)
		range_test(l, value.reg, load(l, last), load(l, by), round.done);
	else
		ir_branch(ir, step->imm >= 0 ? BPF_JSGT : BPF_JSLT, value.reg, load(l, last), round.done);
	round_count(l, &round);
	variable_declare(l, node->a->var);
	variable_assign(l, node->a->var, &value);
	lower_body(l, node->b, round.done, round.next);
	ir_bind(ir, round.next);
	now = load(l, index);
	next = step->is_const ? ir_alu_imm(ir, BPF_ADD, now, step->imm) : ir_alu(ir, BPF_ADD, now, load(l, by));
	if (!step->is_const)
		range_test(l, now, next, load(l, by), round.done);
	else if (may_wrap(limit, step))
		ir_branch(ir, step->imm >= 0 ? BPF_JSGT : BPF_JSLT, now, next, round.done);
	ir_store(ir, BPF_DW, index.base, index.off, next);
	round_end(l, &round);
}

void
lower_for_range(struct lowering *l, struct node *node)
{
	struct node *init_node = node->a->next, *limit_node = init_node->next, *step_node = limit_node->next;
	struct memory_mark mark = memory_mark(l);
	struct val init = lower_exp(l, init_node), limit = lower_exp(l, limit_node);
	struct val step = step_node ? lower_exp(l, step_node) : val_const(TYPE_INT, 1);

	val_require(l, &init, COUNTER_NIL_VALUE);
	val_require(l, &limit, COUNTER_NIL_VALUE);
	val_require(l, &step, COUNTER_NIL_VALUE);
	limit = val_hold(l, &limit);
	if (node->called_back)
		lower_range_called_back(l, node, &init, &limit, &step);
	else
		lower_range_in_place(l, node, &init, &limit, &step);
	memory_release(l, mark);
}
