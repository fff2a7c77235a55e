/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Functions that helpers call back: the body of a loop, lowered into code of its own.
 *
 * The handler's frame holds a block with its parameters, whose address the helper hands on; all else that both sides know lives in scratch
 * memory, at the same place for both:
 *
 *     handler's frame   | record | context | event | scratch |      stored before the call, as far as functions read them
 *     scratch memory    | captured variables ... | exit |
 *
 * The function returns 0 to be called again, 1 to stop. Where it leaves for more than the loop, for the end of the handler or of
 * a function of the script, it says so in `exit`, and the code behind the call goes on from there.
 */
#include "codegen/lower_int.h"

enum exit { EXIT_LOOP, EXIT_HANDLER, EXIT_FUNCTION };

#define CALLBACK_STACK 96      /* bytes that one such function may take, of the handler's STACK_MAX */
#define CALLBACK_FRAME_MAX 48  /* and of those, for frame objects */

void
callback_begin(struct lowering *l, struct callback *callback, unsigned context)
{
	struct inlining *inlining = l->inlining;
	struct span span = l->ir.span;

	known_drop(l);
	callback->exit = memory_scratch(l, 8);
	ir_store_imm(&l->ir, BPF_DW, callback->exit.base, callback->exit.off, EXIT_LOOP);
	callback->outer = l->ir;
	callback->failures = l->failures;
	callback->failures_since = l->failures_since;
	callback->loop = l->loop;
	callback->end = l->end;
	callback->on_return = inlining ? inlining->on_return : 0;
	ir_init_callback(&l->ir, l->arena, context);
	l->ir.span = span;
	l->ir.frame_limit = CALLBACK_FRAME_MAX;
	l->ir.scratch_now = l->ir.scratch_max = callback->outer.scratch_now;
	l->failures = NULL;
	l->loop = NULL;
	l->end = ir_label(&l->ir);
	if (inlining)
		inlining->on_return = ir_label(&l->ir);
}

void
callback_exit(struct lowering *l, int64_t result)
{
	ir_add(&l->ir, (struct ir_insn){ .op = IR_END, .dst = NO_VREG, .a = NO_VREG, .b = NO_VREG, .imm = result });
}

/* What leads to `label` stops the loop and says why. False: nothing does. */
static bool
leave(struct lowering *l, const struct callback *callback, uint32_t label, enum exit exit)
{
	bool used = false;

	for (uint32_t i = 0; i < l->ir.n && !used; i++)
		used = (l->ir.insns[i].op == IR_JUMP || l->ir.insns[i].op == IR_BRANCH) && l->ir.insns[i].label == label;
	if (!used)
		return false;
	ir_bind(&l->ir, label);
	ir_store_imm(&l->ir, BPF_DW, callback->exit.base, callback->exit.off, exit);
	callback_exit(l, 1);
	return true;
}

/* Parameters of the handler that the function reads: bits in the order of the enumeration. */
static unsigned
params_read(const struct ir *ir)
{
	unsigned params = 0;

	for (uint32_t i = 0; i < ir->n; i++) {
		const struct ir_insn *insn = &ir->insns[i];

		for (int param = 0; insn->op == IR_LOAD && param < N_PARAMS; param++)
			params |= (unsigned)(insn->dst == ir->params[param] && insn->a == ir->context) << param;
	}
	return params;
}

void
callback_end(struct lowering *l, struct callback *callback)
{
	struct inlining *inlining = l->inlining;
	struct ir *ir = &l->ir;
	uint32_t stack;

	known_drop(l);
	lower_failures(l);
	callback->returns = inlining && leave(l, callback, inlining->on_return, EXIT_FUNCTION);
	callback->ends = leave(l, callback, l->end, EXIT_HANDLER);
	ir->stack_max = CALLBACK_STACK;
	callback->func = lower_func(l, arena_printf(l->arena, "%s_loop%u", l->name, l->n_callbacks++), &stack);
	l->params_read |= params_read(ir);
	stack = (uint32_t)round_up(stack, 32) + ir->callee_stack; /* the kernel rounds each function's part up so */
	if (callback->outer.callee_stack < stack)
		callback->outer.callee_stack = stack;
	if (callback->outer.scratch_max < ir->scratch_max + ir->n_spill_scratch)
		callback->outer.scratch_max = (uint32_t)round_up(ir->scratch_max + ir->n_spill_scratch, 8);
	l->ir = callback->outer;
	l->failures = callback->failures;
	l->failures_since = callback->failures_since;
	l->loop = callback->loop;
	l->end = callback->end;
	if (inlining)
		inlining->on_return = callback->on_return;
}

/* The address of the block with the handler's parameters. */
static int
parameter_block(struct lowering *l)
{
	struct ir *ir = &l->ir;

	if (ir->context != NO_VREG)
		return ir->context;
	for (int param = 0; param < N_PARAMS; param++) {
		if (l->params_read >> param & 1)
			ir_store(ir, BPF_DW, l->parameters.base, l->parameters.off + 8 * param, ir->params[param]);
	}
	return memory_address(l, l->parameters);
}

void
callback_call(struct lowering *l, const struct callback *callback, int32_t helper, int first)
{
	struct ir *ir = &l->ir;
	int func = ir_pointer(ir), why;

	ir_add(ir, (struct ir_insn){ .op = IR_FUNC, .dst = func, .a = NO_VREG, .b = NO_VREG, .imm = callback->func });
	ir_call(ir, helper, (int[]){ first, func, parameter_block(l), ir_const(ir, 0) }, 4);
	if (!callback->ends && !callback->returns)
		return;
	why = ir_load(ir, BPF_DW, callback->exit.base, callback->exit.off);
	if (callback->ends)
		ir_branch_imm(ir, BPF_JEQ, why, EXIT_HANDLER, l->end);
	if (callback->returns)
		ir_branch_imm(ir, BPF_JEQ, why, EXIT_FUNCTION, l->inlining->on_return);
}
