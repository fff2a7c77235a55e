/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Statements of the probe half, and the way of one typed program from tree to function. Errors at run time leave by code behind the end of
 * the handler, so that the usual path stays straight.
 */
#include <assert.h>
#include <string.h>

#include "codegen/lower_int.h"

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
	if (!l->failures)
		l->failures_since = l->ir.n;
	failure = arena_alloc(l->arena, sizeof(*failure));
	*failure = (struct failure){ .label = ir_label(&l->ir), .counter = counter, .next = l->failures };
	l->failures = failure;
	return failure->label;
}

void
lower_failures(struct lowering *l)
{
	struct ir *ir = &l->ir;
	uint32_t add;
	int address;

	if (!l->failures)
		return;
	address = ir_pointer(ir);
	add = ir_label(ir);
	for (struct failure *failure = l->failures; failure; failure = failure->next) {
		ir->span = l->object->counters[failure->counter]->span;
		ir_bind(ir, failure->label);
		ir_add(ir, (struct ir_insn){ .op = IR_GLOBAL, .dst = address, .a = NO_VREG, .b = NO_VREG,
					     .imm = l->object->counters[failure->counter]->off });
		ir_jump(ir, add);
	}
	ir_bind(ir, add);
	ir_add(ir, (struct ir_insn){ .op = IR_ATOMIC_ADD, .dst = NO_VREG, .a = address, .b = ir_const(ir, 1) });
	ir_jump(ir, l->end);
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
	struct known_mark known;

	lower_condition(l, node->a, otherwise, false);
	memory_release(l, mark);
	known = known_mark(l);
	lower_stat(l, node->b);
	known_release(l, known);
	if (node->c) {
		ir_jump(&l->ir, done);
		ir_bind(&l->ir, otherwise);
		lower_stat(l, node->c);
		known_release(l, known);
	} else {
		ir_bind(&l->ir, otherwise);
	}
	ir_bind(&l->ir, done);
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

#define FAILURES_FAR 8000 /* instructions of intermediate code */

/* In long handlers the code for what went wrong stands now and then in between, so that jumps to it are not too far. */
static void
bring_failures_near(struct lowering *l)
{
	uint32_t over;

	if (!l->failures || l->ir.n - l->failures_since < FAILURES_FAR)
		return;
	over = ir_label(&l->ir);
	ir_jump(&l->ir, over);
	lower_failures(l);
	ir_bind(&l->ir, over);
	l->failures = NULL;
}

void
lower_stat(struct lowering *l, struct node *node)
{
	struct span outer = l->ir.span;

	bring_failures_near(l);
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
	case NODE_FOR_IN:
		lower_for_in(l, node);
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

/* Room for what handler and functions that are called back share; the deeper these are nested, the less stack is left to the handler. */
static void
prepare_loops(struct lowering *l, bool (*has_helper)(int32_t helper))
{
	static const uint32_t frame_limits[] = { FRAME_OBJECTS_MAX, 160, 96, 64 };
	unsigned depth = loops_find(l->program, LOOPS_CALLED_BACK);

	if (depth && !has_helper(BPF_FUNC_loop))
		depth = loops_find(l->program, LOOPS_COUNTED);
	l->ir.frame_limit = frame_limits[depth < ARRAY_SIZE(frame_limits) ? depth : ARRAY_SIZE(frame_limits) - 1];
	if (!depth)
		return;
	l->parameters = memory_new(l, 8 * N_PARAMS);
	l->rounds = memory_scratch(l, 8);
	ir_store_imm(&l->ir, BPF_DW, l->rounds.base, l->rounds.off, 0);
}

static void
lower_handler(struct lowering *l, bool (*has_helper)(int32_t helper))
{
	const struct typed_program *program = l->program;

	l->ir.span = program->function->span;
	l->end = ir_label(&l->ir);
	prepare_loops(l, has_helper);
	known_prepare(l);
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

#define MEETINGS_SHOWN 8 /* so many of different constants the verifiers may follow, each on its own */

uint32_t
lower_func(struct lowering *l, const char *name, uint32_t *stack)
{
	struct code code;
	int used;

	ir_clean(&l->ir);
	ir_reuse(&l->ir);
	if (ir_count_meetings(&l->ir) > MEETINGS_SHOWN)
		ir_hide(&l->ir, lower_zeros(l));
	ir_clean(&l->ir);
	if (debug_on(DEBUG_IR))
		fprintf(stderr, "function %s\n", name), ir_print(&l->ir, stderr);
	ir_allocate(&l->ir);
	ir_keep_results(&l->ir);
	if (debug_on(DEBUG_REGS))
		fprintf(stderr, "function %s\n", name), ir_print(&l->ir, stderr);
	code_init(&code, l->arena);
	used = ir_emit(l->object, &l->ir, &code);
	l->too_large |= used < 0 || used > (int)l->ir.stack_max;
	*stack = used < 0 ? 0 : (uint32_t)used;
	return object_add_func(l->object, func_from_code(&code, name, ".text"));
}

static void
print_funcs(const struct object *object, uint32_t from)
{
	for (; debug_on(DEBUG_INSN) && from < object->n_funcs; from++) {
		fprintf(stderr, "function %u\n", from);
		disasm_func(object->funcs[from], object->script, stderr);
	}
}

/* Of the handler: those that cleaning has left; bits in the order of the enumeration. */
static uint32_t
params_used(const struct ir *ir)
{
	uint32_t params = 0;

	for (uint32_t i = 0; i < ir->n && ir->insns[i].op == IR_PARAM; i++)
		params |= 1u << ir->insns[i].imm;
	return params;
}

bool
lower_program(struct object *object, const struct typed *typed, const struct typed_program *typed_program, bool (*has_helper)(int32_t helper),
	      struct diags *diags)
{
	struct lowering l = { .arena = object->arena, .object = object, .typed = typed, .program = typed_program, .diags = diags };
	struct program *program = arena_alloc(object->arena, sizeof(*program));
	uint32_t first_func = object->n_funcs;

	l.name = program_name(&l);
	ir_init(&l.ir, object->arena);
	lower_handler(&l, has_helper);
	l.ir.stack_max = STACK_MAX > l.ir.callee_stack ? STACK_MAX - l.ir.callee_stack : 0;
	program->func = lower_func(&l, l.name, &program->stack_size);
	program->frame_size = program->stack_size;
	program->stack_size += l.ir.callee_stack;
	program->params = params_used(&l.ir);
	program->scratch_size = (uint32_t)round_up(l.ir.scratch_max + l.ir.n_spill_scratch, 8);
	if (l.too_large || program->scratch_size > SCRATCH_MAX) {
		report_too_large(&l);
		return false;
	}
	program->handler = typed_program->function->handler;
	program->record_size = (uint32_t)round_up(l.record_size, 8);
	program->record_words = l.record_words;
	program->uses_context = l.uses_context;
	program->uses_dynamic = l.uses_dynamic;
	program->signature = typed_program->signature;
	program->fields = l.fields;
	program->n_fields = l.n_fields;
	program->fixed_size = l.fixed_size;
	object_add_program(object, program);
	print_funcs(object, first_func);
	return diags->n_errors == 0;
}
