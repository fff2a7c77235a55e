/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Statements of the probe half, variables, calls; and the way of one typed program from tree to function.
 *
 * Functions of the script are lowered in place of each call (infer.c made a typed copy for each). Errors at run time leave by
 * code behind the end of the handler, so that the usual path stays straight.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "codegen/lower_int.h"

static void
lower_stat(struct lowering *l, struct node *node);

/* ---- failures ---- */

uint32_t
lower_counter(struct lowering *l, enum counter_kind kind)
{
	struct object *object = l->object;
	struct counter *counter;

	for (uint32_t i = 0; i < object->n_counters; i++) {
		if (object->counters[i]->kind == kind && object->counters[i]->span.off == l->ir.span.off)
			return i;
	}
	counter = arena_alloc(l->arena, sizeof(*counter));
	*counter = (struct counter){ .kind = kind, .span = l->ir.span, .off = globals_alloc(object, 8) };
	return object_add_counter(object, counter);
}

static void
add_one(struct lowering *l, uint32_t global_off)
{
	int address = ir_pointer(&l->ir);

	ir_add(&l->ir, (struct ir_insn){ .op = IR_GLOBAL, .dst = address, .a = NO_VREG, .b = NO_VREG, .imm = global_off });
	ir_add(&l->ir, (struct ir_insn){ .op = IR_ATOMIC_ADD, .dst = NO_VREG, .a = address, .b = ir_const(&l->ir, 1) });
}

void
lower_count(struct lowering *l, enum counter_kind kind)
{
	uint32_t counter = lower_counter(l, kind); /* may move the list */

	add_one(l, l->object->counters[counter]->off);
}

uint32_t
lower_failure(struct lowering *l, enum counter_kind kind)
{
	uint32_t counter = lower_counter(l, kind);
	struct failure *failure;

	for (failure = l->failures; failure; failure = failure->next) {
		if (failure->counter == counter)
			return failure->label;
	}
	failure = arena_alloc(l->arena, sizeof(*failure));
	*failure = (struct failure){ .label = ir_label(&l->ir), .counter = counter, .next = l->failures };
	l->failures = failure;
	return failure->label;
}

static void
lower_failures(struct lowering *l)
{
	for (struct failure *failure = l->failures; failure; failure = failure->next) {
		l->ir.span = l->object->counters[failure->counter]->span;
		ir_bind(&l->ir, failure->label);
		add_one(l, l->object->counters[failure->counter]->off);
		ir_jump(&l->ir, l->end);
	}
}

/* ---- variables ---- */

static struct local *
local_new(struct lowering *l, struct type *type, bool nullable)
{
	struct local *local = arena_alloc(l->arena, sizeof(*local));

	type = type_find(type);
	*local = (struct local){ .reg = NO_VREG, .present = nullable ? ir_vreg(&l->ir) : NO_VREG };
	if (type->kind == TYPE_STR)
		local->mem = memory_new(l, type->str_size);
	else
		local->reg = ir_vreg(&l->ir);
	return local;
}

static void
declare(struct lowering *l, struct variable *var)
{
	if (type_find(var->type)->kind != TYPE_TABLE)
		var->lowered = local_new(l, var->type, var->nullable);
}

static void
set_presence(struct lowering *l, int present, const struct val *val)
{
	if (val->kind == TYPE_NIL)
		ir_set(&l->ir, present, 0);
	else if (val->present == NO_VREG)
		ir_set(&l->ir, present, 1);
	else
		ir_move(&l->ir, present, val->present);
}

void
local_assign(struct lowering *l, const struct local *local, const struct type *type, const struct val *val)
{
	if (local->present != NO_VREG)
		set_presence(l, local->present, val);
	if (type->kind == TYPE_STR) {
		if (val->kind == TYPE_STR)
			string_store(l, local->mem, type->str_size, val);
		else
			memory_zero(l, local->mem, type->str_size);
	} else if (val->is_const || val->kind == TYPE_NIL) {
		ir_set(&l->ir, local->reg, val->imm);
	} else if (val->kind != TYPE_ARGSTR) {
		ir_move(&l->ir, local->reg, val->reg);
	}
}

static int
global_address(struct lowering *l, const struct global *global)
{
	int address = ir_pointer(&l->ir);

	ir_add(&l->ir, (struct ir_insn){ .op = IR_GLOBAL, .dst = address, .a = NO_VREG, .b = NO_VREG, .imm = global->off });
	return address;
}

static void
global_assign(struct lowering *l, const struct variable *var, const struct val *val)
{
	const struct global *global = l->object->globals[var->index];
	struct mem mem = { .base = global_address(l, global) };
	struct ir *ir = &l->ir;

	if (global->shape.nullable) {
		int present = ir_vreg(ir);

		set_presence(l, present, val);
		ir_store(ir, BPF_DW, mem.base, 0, present);
		mem.off = 8;
	}
	if (val->kind == TYPE_STR)
		string_store(l, mem, global->shape.size, val);
	else if (global->shape.kind != VALUE_STR)
		ir_store(ir, BPF_DW, mem.base, mem.off, val_reg(l, val));
}

static void
assign_variable(struct lowering *l, const struct variable *var, const struct val *val)
{
	if (var->lowered)
		local_assign(l, var->lowered, type_find(var->type), val);
	else if (type_find(var->type)->kind != TYPE_TABLE)
		global_assign(l, var, val);
}

static void
assign_target(struct lowering *l, struct node *target, const struct val *val)
{
	if (target->kind == NODE_INDEX)
		lower_set_index(l, target, val);
	else if (target->var)
		assign_variable(l, target->var, val);
}

/* A copy that later assignments of the same statement do not change. */
static struct val
hold(struct lowering *l, const struct val *val)
{
	struct val copy = *val;

	if (val->kind == TYPE_STR && !val->literal) {
		copy.mem = memory_new(l, val->str_size);
		memory_copy(l, copy.mem, val->mem, val->str_size);
	} else if (val->kind != TYPE_STR && val->kind != TYPE_ARGSTR && val->kind != TYPE_NIL && !val->is_const) {
		copy.reg = ir_vreg(&l->ir);
		ir_move(&l->ir, copy.reg, val->reg);
	}
	if (val->present != NO_VREG) {
		copy.present = ir_vreg(&l->ir);
		ir_move(&l->ir, copy.present, val->present);
	}
	return copy;
}

static uint32_t
list_len(const struct node *list)
{
	uint32_t n = 0;

	for (; list; list = list->next)
		n++;
	return n;
}

static void
lower_assign(struct lowering *l, struct node *targets, struct node *values)
{
	uint32_t n = list_len(values), i = 0;
	struct val *vals = arena_alloc(l->arena, (n + 1) * sizeof(*vals));

	for (struct node *value = values; value; value = value->next, i++) {
		vals[i] = lower_exp(l, value);
		if (n > 1)
			vals[i] = hold(l, &vals[i]);
	}
	i = 0;
	for (struct node *target = targets; target; target = target->next, i++) {
		struct val nil = val_nil();

		assign_target(l, target, i < n ? &vals[i] : &nil);
	}
}

static void
lower_var(struct lowering *l, struct node *node)
{
	struct memory_mark mark;

	/* `var x = x + 1`: the value still sees the outer x, which is another variable; so declaring first does no harm. */
	for (struct node *name = node->a; name; name = name->next)
		declare(l, name->var);
	mark = memory_mark(l);
	lower_assign(l, node->a, node->b);
	memory_release(l, mark);
}

/* i += n on a variable that other CPUs see: one atomic add. */
static void
add_to_global(struct lowering *l, const struct variable *var, int amount, bool minus)
{
	const struct global *global = l->object->globals[var->index];
	struct ir *ir = &l->ir;
	int address = global_address(l, global);

	if (global->shape.nullable)
		ir_branch_imm(ir, BPF_JEQ, ir_load(ir, BPF_DW, address, 0), 0, lower_failure(l, COUNTER_NIL_VALUE));
	if (minus)
		amount = ir_alu(ir, BPF_SUB, ir_const(ir, 0), amount);
	ir_add(ir, (struct ir_insn){ .op = IR_ATOMIC_ADD, .dst = NO_VREG, .a = address, .b = amount,
				     .off = global->shape.nullable ? 8 : 0 });
}

static void
lower_op_assign(struct lowering *l, struct node *node)
{
	struct val old, by, now;

	if (node->a->kind == NODE_INDEX) {
		lower_update_index(l, node->a, node->op, node->b);
		return;
	}
	if (!node->a->var->lowered && (node->op == TOKEN_PLUS || node->op == TOKEN_MINUS)) {
		add_to_global(l, node->a->var, lower_number(l, node->b), node->op == TOKEN_MINUS);
		return;
	}
	by = lower_exp(l, node->b);
	val_require(l, &by, COUNTER_NIL_VALUE);
	old = lower_exp(l, node->a);
	val_require(l, &old, COUNTER_NIL_VALUE);
	old.present = NO_VREG;
	now = lower_arithmetic(l, node->op, &old, &by);
	assign_variable(l, node->a->var, &now);
}

/* ---- calls ---- */

static struct val
lower_inlined(struct lowering *l, struct node *node)
{
	struct inlined *inlined = node->inlined;
	struct inlining *outer = l->inlining;
	struct type *type = type_find(inlined->result);
	struct inlining inlining = { .on_return = ir_label(&l->ir), .inlined = inlined };
	struct loop *outer_loop = l->loop;
	struct node *arg = node->b;
	uint32_t i = 0;

	inlining.result = *local_new(l, type, inlined->result_nullable);
	for (; arg; arg = arg->next, i++) {
		struct val val;

		if (arg->type && type_find(arg->type)->kind == TYPE_TABLE)
			continue;
		val = lower_exp(l, arg);
		if (i >= inlined->n_params)
			continue;
		declare(l, inlined->params[i]);
		assign_variable(l, inlined->params[i], &val);
	}
	for (; i < inlined->n_params; i++) {
		struct val nil = val_nil();

		declare(l, inlined->params[i]);
		assign_variable(l, inlined->params[i], &nil);
	}
	l->inlining = &inlining;
	l->loop = NULL;
	lower_stat(l, inlined->body);
	if (inlined->result_nullable)
		ir_set(&l->ir, inlining.result.present, 0);
	if (type->kind != TYPE_STR)
		ir_set(&l->ir, inlining.result.reg, 0);
	else if (inlined->result_nullable)
		memory_zero(l, inlining.result.mem, type->str_size);
	ir_bind(&l->ir, inlining.on_return);
	l->loop = outer_loop;
	l->inlining = outer;
	return (struct val){ .kind = type->kind == TYPE_UNKNOWN ? TYPE_NIL : type->kind, .present = inlining.result.present,
			     .reg = inlining.result.reg, .mem = inlining.result.mem, .str_size = type->str_size };
}

static void
lower_return(struct lowering *l, struct node *node)
{
	struct val val;

	if (!l->inlining) {
		for (struct node *value = node->a; value; value = value->next)
			lower_exp(l, value);
		ir_jump(&l->ir, l->end);
		return;
	}
	val = node->a ? lower_exp(l, node->a) : val_nil();
	local_assign(l, &l->inlining->result, type_find(l->inlining->inlined->result), &val);
	ir_jump(&l->ir, l->inlining->on_return);
}

static struct val
lower_string_at(struct lowering *l, struct node *node, int32_t helper)
{
	return string_read(l, helper, lower_number(l, node->b), STR_SIZE_MAX);
}

static struct val
lower_len(struct lowering *l, struct node *node)
{
	struct val val = lower_exp(l, node->b);

	val_require(l, &val, COUNTER_NIL_VALUE);
	return val_number(TYPE_INT, string_len(l, &val));
}

static struct val
lower_xor(struct lowering *l, struct node *node)
{
	struct val a = val_number(TYPE_INT, lower_number(l, node->b)), b = val_number(TYPE_INT, lower_number(l, node->b->next));

	return lower_arithmetic(l, TOKEN_TILDE, &a, &b);
}

/* The wall clock is the monotonic one plus an offset that user space stores when the run starts. */
static struct val
lower_wall_clock(struct lowering *l, int64_t unit)
{
	struct object *object = l->object;
	struct ir *ir = &l->ir;
	int address = ir_pointer(ir), now;

	if (object->wall_offset_off == UINT32_MAX)
		object->wall_offset_off = globals_alloc(object, 8);
	now = ir_call(ir, BPF_FUNC_ktime_get_ns, NULL, 0);
	ir_add(ir, (struct ir_insn){ .op = IR_GLOBAL, .dst = address, .a = NO_VREG, .b = NO_VREG, .imm = object->wall_offset_off });
	now = ir_alu(ir, BPF_ADD, now, ir_load(ir, BPF_DW, address, 0));
	return val_number(TYPE_INT, unit == 1 ? now : ir_alu_imm(ir, BPF_DIV, now, unit));
}

struct val
lower_call(struct lowering *l, struct node *node)
{
	if (node->inlined)
		return lower_inlined(l, node);
	if (!node->builtin)
		return val_nil();
	switch ((int)node->builtin->id) {
	case BUILTIN_PRINT:
		lower_output(l, SITE_PRINT, node->b);
		break;
	case BUILTIN_PRINTF:
		lower_output(l, SITE_PRINTF, node->b);
		break;
	case BUILTIN_EXIT:
		lower_exit(l);
		break;
	case BUILTIN_STACK:
	case BUILTIN_USTACK:
		return lower_stack(l, node);
	case BUILTIN_KERNEL_STRING:
		return lower_string_at(l, node, BPF_FUNC_probe_read_kernel_str);
	case BUILTIN_USER_STRING:
		return lower_string_at(l, node, BPF_FUNC_probe_read_user_str);
	case BUILTIN_LEN:
		return lower_len(l, node);
	case BUILTIN_XOR:
		return lower_xor(l, node);
	case BUILTIN_GETTIMEOFDAY_NS:
		return lower_wall_clock(l, 1);
	case BUILTIN_GETTIMEOFDAY_US:
		return lower_wall_clock(l, 1000);
	case BUILTIN_GETTIMEOFDAY_MS:
		return lower_wall_clock(l, 1000000);
	case BUILTIN_GETTIMEOFDAY_S:
		return lower_wall_clock(l, 1000000000);
	default: /* halves.c lets no other through */
		break;
	}
	return val_nil();
}

/* ---- control flow ---- */

static void
lower_block(struct lowering *l, struct node *block)
{
	struct memory_mark mark = memory_mark(l);

	for (struct node *stat = block->a; stat; stat = stat->next)
		lower_stat(l, stat);
	memory_release(l, mark);
}

static void
lower_if(struct lowering *l, struct node *node)
{
	uint32_t otherwise = ir_label(&l->ir), done = ir_label(&l->ir);
	struct memory_mark mark = memory_mark(l);

	lower_condition(l, node->a, otherwise, false);
	memory_release(l, mark);
	lower_stat(l, node->b);
	if (node->c) {
		ir_jump(&l->ir, done);
		ir_bind(&l->ir, otherwise);
		lower_stat(l, node->c);
	} else {
		ir_bind(&l->ir, otherwise);
	}
	ir_bind(&l->ir, done);
}

/* Iterations are counted, so that the loop provably ends; past LOOP_MAX the handler ends. */
static int
loop_counter(struct lowering *l)
{
	return ir_const(&l->ir, 0);
}

static void
count_iteration(struct lowering *l, int counter)
{
	ir_branch_imm(&l->ir, BPF_JGE, counter, LOOP_MAX, lower_failure(l, COUNTER_LOOP_LIMIT));
	ir_update_imm(&l->ir, BPF_ADD, counter, 1);
}

static void
lower_body(struct lowering *l, struct node *body, uint32_t on_break, uint32_t on_continue)
{
	struct loop loop = { .on_break = on_break, .on_continue = on_continue, .outer = l->loop };

	l->loop = &loop;
	lower_stat(l, body);
	l->loop = loop.outer;
}

static void
lower_while(struct lowering *l, struct node *node)
{
	uint32_t top = ir_label(&l->ir), done = ir_label(&l->ir);
	int counter = loop_counter(l);

	ir_bind(&l->ir, top);
	lower_condition(l, node->a, done, false);
	count_iteration(l, counter);
	lower_body(l, node->b, done, top);
	ir_jump(&l->ir, top);
	ir_bind(&l->ir, done);
}

static void
lower_repeat(struct lowering *l, struct node *node)
{
	uint32_t top = ir_label(&l->ir), test = ir_label(&l->ir), done = ir_label(&l->ir);
	struct memory_mark mark = memory_mark(l);
	struct loop loop = { .on_break = done, .on_continue = test, .outer = l->loop };
	int counter = loop_counter(l);

	ir_bind(&l->ir, top);
	count_iteration(l, counter);
	l->loop = &loop;
	/* The condition sees the block's variables, so their memory stays until it is done. */
	for (struct node *stat = node->a->a; stat; stat = stat->next)
		lower_stat(l, stat);
	l->loop = loop.outer;
	ir_bind(&l->ir, test);
	lower_condition(l, node->b, top, false);
	ir_bind(&l->ir, done);
	memory_release(l, mark);
}

static void
lower_for_step(struct lowering *l, struct node *node)
{
	uint32_t top = ir_label(&l->ir), step = ir_label(&l->ir), done = ir_label(&l->ir);
	struct memory_mark mark = memory_mark(l);
	int counter;

	if (node->a)
		lower_stat(l, node->a);
	counter = loop_counter(l);
	ir_bind(&l->ir, top);
	if (node->b)
		lower_condition(l, node->b, done, false);
	count_iteration(l, counter);
	lower_body(l, node->d, done, step);
	ir_bind(&l->ir, step);
	if (node->c)
		lower_stat(l, node->c);
	ir_jump(&l->ir, top);
	ir_bind(&l->ir, done);
	memory_release(l, mark);
}

/* Known and small: such a loop needs no counter. */
static bool
is_short(const struct val *init, const struct val *limit, int64_t step)
{
	return init->is_const && limit->is_const && llabs(init->imm) < INT32_MAX && llabs(limit->imm) < INT32_MAX &&
	       (limit->imm - init->imm) / step < LOOP_MAX;
}

static void
lower_for_range(struct lowering *l, struct node *node)
{
	struct ir *ir = &l->ir;
	struct node *init_node = node->a->next, *limit_node = init_node->next, *step_node = limit_node->next;
	struct memory_mark mark = memory_mark(l);
	struct val init = lower_exp(l, init_node), limit = lower_exp(l, limit_node);
	struct val step = step_node ? lower_exp(l, step_node) : val_const(TYPE_INT, 1), value;
	uint32_t top = ir_label(ir), next = ir_label(ir), done = ir_label(ir);
	int counter = NO_VREG, index;

	if (!step.is_const || step.imm == 0 || step.imm != (int32_t)step.imm) {
		diag_error(l->diags, step_node->span, "loop-step", "the step of a loop in a probe must be a constant, not 0");
		return;
	}
	val_require(l, &init, COUNTER_NIL_VALUE);
	val_require(l, &limit, COUNTER_NIL_VALUE);
	limit = hold(l, &limit);
	index = ir_vreg(ir);
	ir_move(ir, index, val_reg(l, &init));
	if (!is_short(&init, &limit, step.imm))
		counter = loop_counter(l);
	declare(l, node->a->var);
	ir_bind(ir, top);
	if (limit.is_const)
		ir_branch_imm(ir, step.imm > 0 ? BPF_JSGT : BPF_JSLT, index, limit.imm, done);
	else
		ir_branch(ir, step.imm > 0 ? BPF_JSGT : BPF_JSLT, index, limit.reg, done);
	if (counter != NO_VREG)
		count_iteration(l, counter);
	value = val_number(TYPE_INT, index);
	assign_variable(l, node->a->var, &value);
	lower_body(l, node->b, done, next);
	ir_bind(ir, next);
	ir_update_imm(ir, BPF_ADD, index, step.imm);
	ir_jump(ir, top);
	ir_bind(ir, done);
	memory_release(l, mark);
}

/* ---- statements ---- */

static void
lower_simple(struct lowering *l, struct node *node)
{
	struct memory_mark mark = memory_mark(l);

	switch (node->kind) {
	case NODE_ASSIGN:
		lower_assign(l, node->a, node->b);
		break;
	case NODE_OP_ASSIGN:
		lower_op_assign(l, node);
		break;
	case NODE_SAMPLE:
		lower_sample(l, node);
		break;
	case NODE_CALL_STAT:
		lower_exp(l, node->a);
		break;
	case NODE_RETURN:
		lower_return(l, node);
		break;
	case NODE_BREAK:
		ir_jump(&l->ir, l->loop->on_break);
		break;
	case NODE_CONTINUE:
		ir_jump(&l->ir, l->loop->on_continue);
		break;
	default: /* reported before */
		break;
	}
	memory_release(l, mark);
}

static void
lower_stat(struct lowering *l, struct node *node)
{
	struct span outer = l->ir.span;

	l->ir.span = node->span;
	switch (node->kind) {
	case NODE_BLOCK:
		l->ir.span = outer;
		lower_block(l, node);
		break;
	case NODE_VAR:
		lower_var(l, node);
		break;
	case NODE_IF:
		lower_if(l, node);
		break;
	case NODE_WHILE:
		lower_while(l, node);
		break;
	case NODE_REPEAT:
		lower_repeat(l, node);
		break;
	case NODE_FOR_RANGE:
		lower_for_range(l, node);
		break;
	case NODE_FOR_STEP:
		lower_for_step(l, node);
		break;
	default:
		lower_simple(l, node);
	}
	l->ir.span = outer;
}

/* ---- one program ---- */

/* Once exit() was called anywhere, handlers do nothing more. */
static void
lower_exit_check(struct lowering *l)
{
	int flag;

	if (l->object->exit_flag_off == UINT32_MAX)
		return;
	flag = ir_pointer(&l->ir);
	ir_add(&l->ir, (struct ir_insn){ .op = IR_GLOBAL, .dst = flag, .a = NO_VREG, .b = NO_VREG,
					 .imm = l->object->exit_flag_off });
	ir_branch_imm(&l->ir, BPF_JNE, ir_load(&l->ir, BPF_DW, flag, 0), 0, l->end);
}

static void
lower_handler(struct lowering *l)
{
	const struct typed_program *program = l->program;

	l->ir.span = program->function->span;
	l->end = ir_label(&l->ir);
	lower_exit_check(l);
	if (program->filter)
		lower_condition(l, program->filter, l->end, false);
	lower_stat(l, program->body);
	l->ir.span = program->function->span;
	ir_bind(&l->ir, l->end);
	ir_add(&l->ir, (struct ir_insn){ .op = IR_END, .dst = NO_VREG, .a = NO_VREG, .b = NO_VREG });
	lower_failures(l);
}

static const char *
program_name(struct lowering *l)
{
	const struct typed_program *program = l->program;
	const char *event = program->any_event ? "any" : program->events[0]->name;
	char *name = arena_printf(l->arena, "h%u_%u_%.32s", program->function->handler, l->object->n_programs, event);

	/* Names of functions in BTF are C identifiers. */
	for (char *c = name; *c; c++) {
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9')))
			*c = '_';
	}
	return name;
}

static void
report_too_large(struct lowering *l)
{
	struct diag *diag = diag_error(l->diags, l->program->function->span, "too-large", "this handler is too large");

	diag_help(l->diags, diag, "split it into several, or call functions from it less often: each call is a copy");
}

bool
lower_program(struct object *object, const struct typed *typed, const struct typed_program *typed_program, struct diags *diags)
{
	struct lowering l = { .arena = object->arena, .object = object, .typed = typed, .program = typed_program, .diags = diags };
	struct program *program = arena_alloc(object->arena, sizeof(*program));
	struct code code;
	int stack;

	ir_init(&l.ir, object->arena);
	lower_handler(&l);
	ir_clean(&l.ir);
	if (debug_on(DEBUG_IR))
		fprintf(stderr, "program %u\n", object->n_programs), ir_print(&l.ir, stderr);
	ir_allocate(&l.ir);
	if (debug_on(DEBUG_REGS))
		fprintf(stderr, "program %u\n", object->n_programs), ir_print(&l.ir, stderr);
	code_init(&code, object->arena);
	stack = ir_emit(object, &l.ir, &code);
	program->scratch_size = (uint32_t)round_up(l.ir.scratch_max + l.ir.n_spill_scratch, 8);
	if (l.too_large || stack < 0 || stack > STACK_MAX || program->scratch_size > SCRATCH_MAX) {
		report_too_large(&l);
		return false;
	}
	program->func = object_add_func(object, func_from_code(&code, program_name(&l), ".text"));
	program->handler = typed_program->function->handler;
	program->record_size = (uint32_t)round_up(l.record_size, 8);
	program->stack_size = (uint32_t)stack;
	program->uses_context = l.uses_context;
	program->uses_dynamic = l.uses_dynamic;
	object_add_program(object, program);
	if (debug_on(DEBUG_INSN))
		fprintf(stderr, "program %u\n", object->n_programs - 1),
			disasm_func(object->funcs[program->func], object->script, stderr);
	return diags->n_errors == 0;
}
