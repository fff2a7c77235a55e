/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The verifier's judgement of functions that a helper calls back, again and again. The call of the helper is like the head of a loop:
 *
 *      state at the call ---> r0 = result, on behind it         (the helper calls back no more)
 *         ^          \
 *         |           `-----> function(...) --- return --.     (it calls once more)
 *          `------------------------------------------- -'
 *
 * Both ways are followed from every state that arrives at the call, the first one and those that the function leaves. A state that one
 * before it on the path covers is not followed again (verify_state.c): the helper finds nothing then that was not seen. So that this
 * comes to an end, numbers that differ from round to round and on which nothing has rested so far are forgotten. What rests on a
 * number that differs is looked at round by round; bounded by how often the helper calls back, where that is known.
 *
 * Promises that what is accepted is right for every number of rounds, none included.
 */
#include <errno.h>
#include <string.h>

#include "vm/vm_int.h"

bool
callback_push(struct verifier *v, const struct helper *helper)
{
	struct frame *frame = frame_top(v);
	uint64_t most = helper->args[0] == HARG_COUNT ? frame->regs[1].s.r64.umax : UINT64_MAX;
	bool pushed = frame->n_calls_back >= most || state_push(v, v->state.pc);

	frame->n_calls_back = 0;
	return pushed;
}

/* ---- into the function ----------------------------------------------------------------------------------- */

static void
pass_context(struct verifier *v, uint32_t to, const struct reg *context)
{
	frame_top(v)->regs[to] = *context;
	trail_define(v, loc_top(v, to), loc_reg(v->state.n_frames - 2, 3), LOC_NONE);
}

/* function (index, context) */
static void
pass_loop_args(struct verifier *v, const struct frame *caller)
{
	reg_set_scalar(&frame_top(v)->regs[1], scalar_unknown());
	trail_define(v, loc_top(v, 1), LOC_NONE, LOC_NONE);
	pass_context(v, 2, &caller->regs[3]);
}

/* function (table, key, value, context). Of values that have locks each is another's, like those that lookups return. */
static void
pass_elem_args(struct verifier *v, const struct frame *caller)
{
	struct reg *regs = frame_top(v)->regs;
	uint32_t table = caller->regs[1].index, id = reg_table(v, table)->has_lock ? ++v->last_id : 0;

	regs[1] = caller->regs[1];
	regs[2] = (struct reg){ .kind = REG_KEY, .index = table, .s = scalar_const(0) };
	regs[3] = (struct reg){ .kind = REG_VALUE, .index = table, .id = id, .s = scalar_const(0) };
	pass_context(v, 4, &caller->regs[3]);
}

bool
callback_enter(struct verifier *v)
{
	struct frame *caller = frame_top(v), *callee;
	const struct helper *helper = helper_find(caller->func->insns[v->state.pc].imm);
	uint32_t arg = helper_callback(helper);

	if (v->state.n_frames == VM_FRAMES_MAX)
		return refuse(v, -E2BIG, "calls are nested more than %d deep", VM_FRAMES_MAX);
	caller->n_calls_back++;
	if (!frame_push(v, v->object->funcs[caller->regs[arg].index], v->state.pc))
		return false;
	callee = frame_top(v);
	callee->called_back = true;
	callee->n_refs = v->state.n_refs;
	if (helper->args[arg - 1] == HARG_LOOP_FN)
		pass_loop_args(v, caller);
	else
		pass_elem_args(v, caller);
	v->state.pc = 0;
	return true;
}

/* ---- back to the helper ----------------------------------------------------------------------------------- */

/* The state in which this path came to the call the last time. */
static const struct checkpoint *
round_before(const struct verifier *v)
{
	const struct checkpoint *cp = v->state.parent;

	while (cp && !checkpoint_is_here(v, cp))
		cp = cp->state.parent;
	return cp;
}

static void
forget_if_changed(struct verifier *v, const struct reg *before, struct reg *now, bool precise, uint16_t loc)
{
	if (precise || before->kind != REG_SCALAR || now->kind != REG_SCALAR)
		return;
	if (scalar_covers(&before->s, &now->s) && before->id == now->id && before->off == now->off)
		return;
	reg_set_scalar(now, scalar_unknown());
	trail_define(v, loc, LOC_NONE, LOC_NONE);
}

static void
forget_what_changed(struct verifier *v, uint32_t f, const struct frame *before)
{
	struct frame *now = v->state.frames[f];

	for (uint32_t i = 0; i < 10; i++)
		forget_if_changed(v, &before->regs[i], &now->regs[i], before->precise[PRECISE_RELIED].regs >> i & 1, loc_reg(f, i));
	for (uint32_t i = 0; i < now->n_slots && i < before->n_slots; i++)
		if (before->slots[i].spilled && before->slots[i].spilled == now->slots[i].spilled)
			forget_if_changed(v, &before->slots[i].reg, &now->slots[i].reg, before->precise[PRECISE_RELIED].slots >> i & 1, loc_slot(f, i));
}

/* What the helper expects of the function: 0 to go on, 1 to stop. */
static bool
check_result(struct verifier *v)
{
	const struct reg *r0 = reg_read(v, 0);

	if (!r0)
		return false;
	if (r0->kind != REG_SCALAR)
		return refuse_reg(v, 0, "returns an address; a function that is called back returns 0 to go on or 1 to stop");
	rely_on(v, loc_top(v, 0), LOC_NONE);
	if (r0->s.r64.umax > 1)
		return refuse_reg(v, 0, "a function that is called back returns 0 to go on or 1 to stop");
	return true;
}

bool
callback_return(struct verifier *v)
{
	struct frame *callee = frame_top(v);
	const struct checkpoint *before;

	if (!check_result(v))
		return false;
	if (v->state.n_refs > callee->n_refs)
		return refuse(v, -EACCES, "the function that is called back ends while a record is reserved in it; hand it to "
			      "ringbuf_submit or ringbuf_discard");
	if (!check_no_lock(v, "the function that is called back ends"))
		return false;
	v->state.pc = callee->return_pc;
	v->state.came_back = true;
	frame_pop(v);
	before = round_before(v);
	for (uint32_t f = 0; before && f < v->state.n_frames; f++)
		forget_what_changed(v, f, before->state.frames[f]);
	return true;
}
