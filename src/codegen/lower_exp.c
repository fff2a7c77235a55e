/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Expressions of the probe half.
 */
#include <string.h>

#include "codegen/lower_int.h"

enum type_kind
val_kind(struct type *type)
{
	enum type_kind kind = type_find(type)->kind;

	return kind == TYPE_UNKNOWN ? TYPE_NIL : kind == TYPE_KERNEL ? TYPE_INT : kind;
}

struct val
val_number(enum type_kind kind, int reg)
{
	return (struct val){ .kind = kind, .present = NO_VREG, .reg = reg };
}

struct val
val_const(enum type_kind kind, int64_t imm)
{
	return (struct val){ .kind = kind, .present = NO_VREG, .reg = NO_VREG, .is_const = true, .imm = imm };
}

struct val
val_nil(void)
{
	return (struct val){ .kind = TYPE_NIL, .present = NO_VREG, .reg = NO_VREG };
}

int
val_reg(struct lowering *l, const struct val *val)
{
	return val->is_const || val->kind == TYPE_NIL ? ir_const(&l->ir, val->imm) : val->reg;
}

void
val_require(struct lowering *l, const struct val *val, enum counter_kind kind)
{
	if (val->kind == TYPE_NIL)
		ir_jump(&l->ir, lower_failure(l, kind));
	else if (val->present != NO_VREG)
		ir_branch_imm(&l->ir, BPF_JEQ, val->present, 0, lower_failure(l, kind));
}

uint32_t
lower_zeros(struct lowering *l)
{
	if (l->object->zeros_off == UINT32_MAX)
		l->object->zeros_off = globals_alloc(l->object, 8);
	return l->object->zeros_off;
}

void
number_set(struct lowering *l, int dst, int64_t number)
{
	l->ir.varies = true;
	ir_set(&l->ir, dst, number);
	l->ir.varies = false;
}

int
number_hidden(struct lowering *l, int64_t number)
{
	struct ir *ir = &l->ir;
	int address = ir_pointer(ir), zero;

	ir_add(ir, (struct ir_insn){ .op = IR_GLOBAL, .dst = address, .a = NO_VREG, .b = NO_VREG, .imm = lower_zeros(l) });
	zero = ir_load(ir, BPF_DW, address, 0);
	return number ? ir_alu_imm(ir, BPF_ADD, zero, number) : zero;
}

struct val
lower_present(struct lowering *l, struct node *node)
{
	struct val val = lower_exp(l, node);
	struct span outer = l->ir.span;

	l->ir.span = node->span;
	val_require(l, &val, COUNTER_NIL_VALUE);
	l->ir.span = outer;
	val.present = NO_VREG;
	if (val.kind == TYPE_NIL)
		val = val_const(TYPE_INT, 0);
	return val;
}

int
lower_number(struct lowering *l, struct node *node)
{
	struct val val = lower_present(l, node);

	return val_reg(l, &val);
}

struct val
lower_event_text(struct lowering *l, enum event_text text, int number)
{
	struct ir *ir = &l->ir;
	uint32_t size = l->typed->event_text_size, none = ir_label(ir), done = ir_label(ir), table = place_event_text(l->object, text, size);
	struct val val = { .kind = TYPE_STR, .present = NO_VREG, .reg = NO_VREG, .str_size = size, .mem = memory_new(l, size) };
	struct mem key = memory_new(l, 8);
	int element;

	ir_store(ir, BPF_W, key.base, key.off, number);
	element = table_lookup(l, table, key);
	ir_branch_imm(ir, BPF_JEQ, element, 0, none);
	memory_copy(l, val.mem, (struct mem){ .base = element }, size);
	ir_jump(ir, done);
	ir_bind(ir, none);
	memory_zero(l, val.mem, size);
	ir_bind(ir, done);
	return val;
}

struct val
lower_name_of(struct lowering *l, const struct val *val)
{
	struct val text;

	if (val->kind != TYPE_EVENT)
		return *val;
	text = lower_event_text(l, EVENT_TEXT_NAME, val_reg(l, val));
	text.present = val->present;
	return text;
}

/* ---- names ---- */

static int
helper_value(struct lowering *l, int32_t helper)
{
	return ir_call(&l->ir, helper, NULL, 0);
}

static struct val
lower_execname(struct lowering *l)
{
	bool keep = l->keeps_comm && l->ir.context == NO_VREG; /* functions that are called back have frames of their own */
	struct val val = { .kind = TYPE_STR, .present = NO_VREG, .str_size = COMM_SIZE, .mem = keep ? l->comm : memory_new(l, COMM_SIZE) };

	if (l->known_comm)
		return val;
	/* The kernel pads the name with zeros only since 5.19. */
	memory_zero(l, val.mem, COMM_SIZE);
	ir_call(&l->ir, BPF_FUNC_get_current_comm, (int[]){ memory_address(l, val.mem), ir_const(&l->ir, COMM_SIZE) }, 2);
	l->known_comm = keep;
	return val;
}

static struct val
lower_builtin_value(struct lowering *l, struct node *node)
{
	struct ir *ir = &l->ir;
	int reg;

	switch ((int)node->builtin->id) {
	case BUILTIN_PID:
		reg = ir_alu_imm(ir, BPF_RSH, ir->params[PARAM_IDS], 32);
		return val_number(TYPE_INT, reg);
	case BUILTIN_TID:
		return val_number(TYPE_INT, ir_low(ir, ir->params[PARAM_IDS]));
	case BUILTIN_UID:
		return val_number(TYPE_INT, ir_low(ir, helper_value(l, BPF_FUNC_get_current_uid_gid)));
	case BUILTIN_GID:
		return val_number(TYPE_INT, ir_alu_imm(ir, BPF_RSH, helper_value(l, BPF_FUNC_get_current_uid_gid), 32));
	case BUILTIN_CGROUP:
		return val_number(TYPE_INT, helper_value(l, BPF_FUNC_get_current_cgroup_id));
	case BUILTIN_PPID:
		return lower_ppid(l, node);
	case BUILTIN_CPU:
		return val_number(TYPE_INT, helper_value(l, BPF_FUNC_get_smp_processor_id));
	case BUILTIN_NSECS:
		return val_number(TYPE_INT, helper_value(l, BPF_FUNC_ktime_get_ns));
	case BUILTIN_EXECNAME:
	case BUILTIN_COMM:
		return lower_execname(l);
	case BUILTIN_PROBENAME:
		return val_number(TYPE_EVENT, ir->params[PARAM_EVENT]);
	case BUILTIN_FUNC:
		return lower_event_text(l, EVENT_TEXT_FUNCTION, ir->params[PARAM_EVENT]);
	case BUILTIN_RETVAL:
		return lower_field(l, node);
	case BUILTIN_ARGSTR:
		return (struct val){ .kind = TYPE_ARGSTR, .present = NO_VREG, .reg = NO_VREG };
	default: /* infer.c and halves.c let no other through */
		return val_nil();
	}
}

static struct val
lower_global(struct lowering *l, const struct variable *var)
{
	struct global *global = l->object->globals[var->index];
	struct val val = { .kind = val_kind(var->type), .present = NO_VREG, .reg = NO_VREG };
	struct mem mem = { .base = ir_pointer(&l->ir) };

	global->use |= USE_READ;
	ir_add(&l->ir, (struct ir_insn){ .op = IR_GLOBAL, .dst = mem.base, .a = NO_VREG, .b = NO_VREG, .imm = global->off });
	if (global->shape.nullable) {
		val.present = ir_load(&l->ir, BPF_DW, mem.base, 0);
		mem.off = 8;
	}
	if (val.kind == TYPE_STR) {
		val.mem = mem;
		val.str_size = global->shape.size;
		if (var->assigned_by_call)
			val = val_hold(l, &val);
	} else {
		val.reg = ir_load(&l->ir, BPF_DW, mem.base, mem.off);
	}
	return val;
}

static struct val
lower_name(struct lowering *l, struct node *node)
{
	if (node->builtin)
		return lower_builtin_value(l, node);
	if (!node->var || node->var->constant || type_find(node->type)->kind == TYPE_TABLE)
		return val_nil();
	return node->var->lowered ? local_value(l, node->var->lowered, node->var->type) : lower_global(l, node->var);
}

/* ---- arithmetic ---- */

static uint8_t
alu_op(enum token_kind op)
{
	switch ((int)op) {
	case TOKEN_PLUS:
		return BPF_ADD;
	case TOKEN_MINUS:
		return BPF_SUB;
	case TOKEN_STAR:
		return BPF_MUL;
	case TOKEN_AMP:
		return BPF_AND;
	case TOKEN_PIPE:
		return BPF_OR;
	case TOKEN_TILDE:
		return BPF_XOR;
	case TOKEN_SHL:
		return BPF_LSH;
	default: /* the language's numbers are signed: >> keeps the sign */
		return BPF_ARSH;
	}
}

/* Magnitude of a signed number, as unsigned. */
static int
magnitude(struct lowering *l, int reg)
{
	struct ir *ir = &l->ir;
	int sign = ir_alu_imm(ir, BPF_ARSH, reg, 63); /* 0 or -1 */

	return ir_alu(ir, BPF_SUB, ir_alu(ir, BPF_XOR, reg, sign), sign);
}

/* x where sign is 0, -x where it is -1. */
static int
with_sign(struct lowering *l, int reg, int sign)
{
	return ir_alu(&l->ir, BPF_SUB, ir_alu(&l->ir, BPF_XOR, reg, sign), sign);
}

/*
 * C division on signed numbers. eBPF divides unsigned ones only, before version 4; so divide magnitudes and mend the sign. The smallest
 * number by -1 wraps to itself, as it should.
 */
static struct val
lower_division(struct lowering *l, bool modulo, const struct val *a, const struct val *b)
{
	struct ir *ir = &l->ir;
	int left = val_reg(l, a), result, sign;

	if (b->is_const && b->imm > 0 && b->imm <= INT32_MAX) {
		result = ir_alu_imm(ir, modulo ? BPF_MOD : BPF_DIV, magnitude(l, left), b->imm);
		return val_number(TYPE_INT, with_sign(l, result, ir_alu_imm(ir, BPF_ARSH, left, 63)));
	}
	if (b->is_const && b->imm == 0)
		ir_jump(ir, lower_failure(l, COUNTER_DIVIDE_BY_ZERO));
	else if (!b->is_const)
		ir_branch_imm(ir, BPF_JEQ, b->reg, 0, lower_failure(l, COUNTER_DIVIDE_BY_ZERO));
	result = ir_alu(ir, modulo ? BPF_MOD : BPF_DIV, magnitude(l, left), magnitude(l, val_reg(l, b)));
	sign = modulo ? left : ir_alu(ir, BPF_XOR, left, val_reg(l, b));
	return val_number(TYPE_INT, with_sign(l, result, ir_alu_imm(ir, BPF_ARSH, sign, 63)));
}

/* A shift by less than 0 or more than 63 gives 0; eBPF would take the count modulo 64. */
static struct val
lower_shift(struct lowering *l, uint8_t op, const struct val *a, const struct val *b)
{
	struct ir *ir = &l->ir;
	uint32_t done = ir_label(ir);
	int result;

	if (b->is_const && (uint64_t)b->imm > 63)
		return val_const(TYPE_INT, 0);
	if (b->is_const)
		return val_number(TYPE_INT, ir_alu_imm(ir, op, val_reg(l, a), b->imm));
	result = ir_vreg(ir);
	number_set(l, result, 0);
	ir_branch_imm(ir, BPF_JGT, b->reg, 63, done);
	ir_move(ir, result, ir_alu(ir, op, val_reg(l, a), b->reg));
	ir_bind(ir, done);
	return val_number(TYPE_INT, result);
}

/* Both sides known: computed here, by the evaluator that the interpreter uses. Returns false where it would be an error. */
static bool
fold(enum token_kind op, int64_t a, int64_t b, int64_t *result)
{
	struct bpf_insn insn;

	switch ((int)op) {
	case TOKEN_SLASH:
	case TOKEN_PERCENT:
		if (b == 0)
			return false;
		if (b == -1)
			*result = op == TOKEN_SLASH ? (int64_t)(0 - (uint64_t)a) : 0;
		else
			*result = op == TOKEN_SLASH ? a / b : a % b;
		return true;
	case TOKEN_SHL:
	case TOKEN_SHR:
		if ((uint64_t)b > 63) {
			*result = 0;
			return true;
		}
		break;
	default:
		break;
	}
	insn = insn_alu(alu_op(op), 0, 1);
	return insn_eval_alu(&insn, (uint64_t)a, (uint64_t)b, (uint64_t *)result);
}

struct val
lower_arithmetic(struct lowering *l, enum token_kind op, const struct val *a, const struct val *b)
{
	struct ir *ir = &l->ir;
	int64_t result;

	if (a->is_const && b->is_const && fold(op, a->imm, b->imm, &result))
		return val_const(TYPE_INT, result);
	if (op == TOKEN_SLASH || op == TOKEN_PERCENT)
		return lower_division(l, op == TOKEN_PERCENT, a, b);
	if (op == TOKEN_SHL || op == TOKEN_SHR)
		return lower_shift(l, alu_op(op), a, b);
	if (b->is_const)
		return val_number(TYPE_INT, ir_alu_imm(ir, alu_op(op), val_reg(l, a), b->imm));
	if (a->is_const && op != TOKEN_MINUS)
		return val_number(TYPE_INT, ir_alu_imm(ir, alu_op(op), b->reg, a->imm));
	return val_number(TYPE_INT, ir_alu(ir, alu_op(op), val_reg(l, a), val_reg(l, b)));
}

static struct val
lower_unary_minus(struct lowering *l, struct node *node)
{
	struct val val = lower_present(l, node->a), zero = val_const(TYPE_INT, 0);

	return lower_arithmetic(l, TOKEN_MINUS, &zero, &val);
}

static struct val
lower_complement(struct lowering *l, struct node *node)
{
	struct val val = lower_present(l, node->a), ones = val_const(TYPE_INT, -1);

	return lower_arithmetic(l, TOKEN_TILDE, &val, &ones);
}

/* ---- conditions ---- */

static uint8_t
compare_op(enum token_kind op, bool when)
{
	switch ((int)op) {
	case TOKEN_LT:
		return when ? BPF_JSLT : BPF_JSGE;
	case TOKEN_LE:
		return when ? BPF_JSLE : BPF_JSGT;
	case TOKEN_GT:
		return when ? BPF_JSGT : BPF_JSLE;
	default:
		return when ? BPF_JSGE : BPF_JSLT;
	}
}

/* a < b is b > a. */
static enum token_kind
mirrored(enum token_kind op)
{
	switch ((int)op) {
	case TOKEN_LT:
		return TOKEN_GT;
	case TOKEN_LE:
		return TOKEN_GE;
	case TOKEN_GT:
		return TOKEN_LT;
	default:
		return TOKEN_LE;
	}
}

/* The same for texts, whose words are unsigned numbers. */
static uint8_t
unsigned_op(uint8_t cmp)
{
	switch (cmp) {
	case BPF_JSLT:
		return BPF_JLT;
	case BPF_JSLE:
		return BPF_JLE;
	case BPF_JSGT:
		return BPF_JGT;
	default:
		return BPF_JGE;
	}
}

static void
order_branch(struct lowering *l, const struct node *node, uint32_t target, bool when)
{
	struct val a = lower_present(l, node->a), b = lower_present(l, node->b);
	enum token_kind op = node->op;

	a = lower_name_of(l, &a);
	b = lower_name_of(l, &b);
	if (a.kind == TYPE_STR || b.kind == TYPE_STR) {
		if (a.kind == b.kind) /* else one is nil, and the handler has ended */
			string_order(l, &a, &b, unsigned_op(compare_op(op, when)), target);
		return;
	}
	if (a.is_const && !b.is_const) {
		struct val swap = a;

		a = b;
		b = swap;
		op = mirrored(op);
	}
	if (b.is_const)
		ir_branch_imm(&l->ir, compare_op(op, when), val_reg(l, &a), b.imm, target);
	else
		ir_branch(&l->ir, compare_op(op, when), a.reg, b.reg, target);
}

static bool
is_nil_kind(const struct val *val)
{
	return val->kind == TYPE_NIL || val->kind == TYPE_UNKNOWN;
}

/* Jumps to `unequal` unless both are there, or to `equal` when both are nil. Falls through when both are there. */
static void
presence_branch(struct lowering *l, const struct val *a, const struct val *b, uint32_t equal, uint32_t unequal)
{
	struct ir *ir = &l->ir;
	uint32_t a_is_nil = ir_label(ir), both = ir_label(ir);

	if (a->present == NO_VREG) {
		if (b->present != NO_VREG)
			ir_branch_imm(ir, BPF_JEQ, b->present, 0, unequal);
		return;
	}
	ir_branch_imm(ir, BPF_JEQ, a->present, 0, a_is_nil);
	if (b->present != NO_VREG)
		ir_branch_imm(ir, BPF_JEQ, b->present, 0, unequal);
	ir_jump(ir, both);
	ir_bind(ir, a_is_nil);
	if (b->present != NO_VREG)
		ir_branch_imm(ir, BPF_JEQ, b->present, 0, equal);
	ir_jump(ir, unequal);
	ir_bind(ir, both);
}

/* Always jumps: to `equal` or to `unequal`. */
static void
equal_branch(struct lowering *l, const struct val *a, const struct val *b, uint32_t equal, uint32_t unequal)
{
	struct ir *ir = &l->ir;

	if (is_nil_kind(a) || is_nil_kind(b)) {
		const struct val *other = is_nil_kind(a) ? b : a;

		if (is_nil_kind(other))
			ir_jump(ir, equal);
		else if (other->present != NO_VREG)
			ir_branch_imm(ir, BPF_JEQ, other->present, 0, equal);
		ir_jump(ir, unequal);
		return;
	}
	presence_branch(l, a, b, equal, unequal);
	if (a->kind != b->kind)
		ir_jump(ir, unequal); /* values of different types are unequal */
	else if (a->kind == TYPE_STR)
		string_compare(l, a, b, unequal);
	else if (a->is_const && b->is_const)
		ir_jump(ir, a->imm == b->imm ? equal : unequal);
	else if (a->is_const || b->is_const)
		ir_branch_imm(ir, BPF_JNE, a->is_const ? b->reg : a->reg, a->is_const ? a->imm : b->imm, unequal);
	else
		ir_branch(ir, BPF_JNE, a->reg, b->reg, unequal);
	ir_jump(ir, equal);
}

/* The most frequent comparison in one instruction: numbers that are there. Returns false when it is not that. */
static bool
simple_equal_branch(struct lowering *l, const struct val *a, const struct val *b, uint32_t target, bool when)
{
	if (a->kind != b->kind || a->kind == TYPE_STR || is_nil_kind(a) || a->present != NO_VREG || b->present != NO_VREG)
		return false;
	if (a->is_const && b->is_const)
		return false;
	if (a->is_const || b->is_const)
		ir_branch_imm(&l->ir, when ? BPF_JEQ : BPF_JNE, a->is_const ? b->reg : a->reg, a->is_const ? a->imm : b->imm,
			      target);
	else
		ir_branch(&l->ir, when ? BPF_JEQ : BPF_JNE, a->reg, b->reg, target);
	return true;
}

static void
equality_condition(struct lowering *l, struct node *node, uint32_t target, bool when)
{
	bool wanted = (node->op == TOKEN_EQ) == when; /* jump to target when equal? */
	struct val a = lower_exp(l, node->a), b = lower_exp(l, node->b);
	uint32_t through = ir_label(&l->ir);

	if (simple_equal_branch(l, &a, &b, target, wanted))
		return;
	equal_branch(l, &a, &b, wanted ? target : through, wanted ? through : target);
	ir_bind(&l->ir, through);
}

static void
truth_branch(struct lowering *l, const struct val *val, uint32_t target, bool when)
{
	struct ir *ir = &l->ir;
	uint32_t through = ir_label(ir);

	if (is_nil_kind(val) || (val->kind == TYPE_BOOL && val->is_const)) {
		if ((val->kind == TYPE_BOOL && val->imm != 0) == when)
			ir_jump(ir, target);
		return;
	}
	if (val->present != NO_VREG)
		ir_branch_imm(ir, BPF_JEQ, val->present, 0, when ? through : target);
	if (val->kind == TYPE_BOOL)
		ir_branch_imm(ir, when ? BPF_JNE : BPF_JEQ, val->reg, 0, target);
	else if (when)
		ir_jump(ir, target);
	ir_bind(ir, through);
}

void
lower_condition(struct lowering *l, struct node *node, uint32_t target, bool when)
{
	struct span outer = l->ir.span;
	struct known_mark known;
	uint32_t through;
	struct val val;

	l->ir.span = node->span;
	if (node->kind == NODE_PAREN) {
		lower_condition(l, node->a, target, when);
	} else if (node->kind == NODE_UNARY && node->op == TOKEN_NOT) {
		lower_condition(l, node->a, target, !when);
	} else if (node->kind == NODE_BINARY && (node->op == TOKEN_AND || node->op == TOKEN_OR)) {
		/* && decides early for false, || for true. */
		bool early = node->op == TOKEN_OR;

		through = ir_label(&l->ir);
		lower_condition(l, node->a, when == early ? target : through, early);
		known = known_mark(l);
		lower_condition(l, node->b, target, when);
		known_release(l, known);
		ir_bind(&l->ir, through);
	} else if (node->kind == NODE_BINARY && (node->op == TOKEN_EQ || node->op == TOKEN_NE)) {
		equality_condition(l, node, target, when);
	} else if (node->kind == NODE_BINARY && node->op == TOKEN_TILDE) {
		lower_glob(l, node, target, when);
	} else if (node->kind == NODE_BINARY && node->op >= TOKEN_LT && node->op <= TOKEN_GE) {
		order_branch(l, node, target, when);
	} else {
		val = lower_exp(l, node);
		truth_branch(l, &val, target, when);
	}
	l->ir.span = outer;
}

static struct val
lower_truth(struct lowering *l, struct node *node)
{
	uint32_t done = ir_label(&l->ir);
	int result = ir_vreg(&l->ir);

	number_set(l, result, 0);
	lower_condition(l, node, done, false);
	number_set(l, result, 1);
	ir_bind(&l->ir, done);
	return val_number(TYPE_BOOL, result);
}

/* ---- values that come from one of two places ---- */

/* Where they meet: a variable without a name. */
static struct local
meeting_place(struct lowering *l, const struct node *node)
{
	struct type *type = type_find(node->type);
	struct local local = { .reg = NO_VREG, .present = node->nullable ? ir_vreg(&l->ir) : NO_VREG };

	if (type->kind == TYPE_STR)
		local.mem = memory_new(l, type->str_size);
	else
		local.reg = ir_vreg(&l->ir);
	return local;
}

static struct val
meet(const struct node *node, const struct local *local)
{
	struct type *type = type_find(node->type);

	return (struct val){ .kind = val_kind(type), .present = local->present, .reg = local->reg, .mem = local->mem,
			     .str_size = type->str_size };
}

/* a && b is a where a is not true, else b; a || b the other way round. */
static struct val
lower_and_or(struct lowering *l, struct node *node)
{
	struct local local = meeting_place(l, node);
	uint32_t done = ir_label(&l->ir);
	struct val val = lower_exp(l, node->a);
	struct known_mark known;

	local_assign(l, &local, type_find(node->type), &val);
	truth_branch(l, &val, done, node->op == TOKEN_OR);
	known = known_mark(l);
	val = lower_exp(l, node->b);
	local_assign(l, &local, type_find(node->type), &val);
	known_release(l, known);
	ir_bind(&l->ir, done);
	return meet(node, &local);
}

static struct val
lower_choice(struct lowering *l, struct node *node)
{
	struct local local = meeting_place(l, node);
	uint32_t other = ir_label(&l->ir), done = ir_label(&l->ir);
	struct known_mark known;
	struct val val;

	lower_condition(l, node->a, other, false);
	known = known_mark(l);
	val = lower_exp(l, node->b);
	local_assign(l, &local, type_find(node->type), &val);
	known_release(l, known);
	ir_jump(&l->ir, done);
	ir_bind(&l->ir, other);
	val = lower_exp(l, node->c);
	local_assign(l, &local, type_find(node->type), &val);
	known_release(l, known);
	ir_bind(&l->ir, done);
	return meet(node, &local);
}

/* ---- all ---- */

static struct val
lower_binary(struct lowering *l, struct node *node)
{
	struct val a, b;

	switch ((int)node->op) {
	case TOKEN_AND:
	case TOKEN_OR:
		/* Where infer.c saw a condition, the type is bool whatever the sides are. */
		if (type_find(node->type)->kind == TYPE_BOOL && !node->nullable)
			return lower_truth(l, node);
		return lower_and_or(l, node);
	case TOKEN_CONCAT:
		a = lower_present(l, node->a);
		b = lower_present(l, node->b);
		return string_concat(l, &a, &b, type_find(node->type)->str_size);
	default:
		if (token_gives_truth(node->op))
			return lower_truth(l, node);
		a = lower_present(l, node->a);
		b = lower_present(l, node->b);
		return lower_arithmetic(l, node->op, &a, &b);
	}
}

static struct val
lower_str(struct lowering *l, struct node *node)
{
	if (type_find(node->type)->kind == TYPE_EVENT)
		return val_const(TYPE_EVENT, bind_name(l->object, node->s));
	return (struct val){ .kind = TYPE_STR, .present = NO_VREG, .reg = NO_VREG, .literal = node->s, .literal_len = node->len,
			     .str_size = (uint32_t)round_up(node->len + 1, 8) };
}

struct val
lower_exp(struct lowering *l, struct node *node)
{
	struct span outer = l->ir.span;
	struct val val = val_nil();

	l->ir.span = node->span;
	switch (node->kind) {
	case NODE_TRUE:
	case NODE_FALSE:
		val = val_const(TYPE_BOOL, node->kind == NODE_TRUE);
		break;
	case NODE_INT:
		val = val_const(TYPE_INT, node->number);
		break;
	case NODE_STR:
		val = lower_str(l, node);
		break;
	case NODE_NAME:
		val = lower_name(l, node);
		break;
	case NODE_ARG:
		val = lower_field(l, node);
		break;
	case NODE_ARGS:
		val = (struct val){ .kind = TYPE_ARGSTR, .present = NO_VREG, .reg = NO_VREG };
		break;
	case NODE_INDEX:
		if (node->member)
			val = lower_member(l, node);
		else
			val = node->a->kind == NODE_ARGS ? lower_field(l, node) : lower_index(l, node);
		break;
	case NODE_CALL:
		val = lower_call(l, node);
		break;
	case NODE_UNARY:
		if (node->op == TOKEN_NOT)
			val = lower_truth(l, node);
		else
			val = node->op == TOKEN_TILDE ? lower_complement(l, node) : lower_unary_minus(l, node);
		break;
	case NODE_BINARY:
		val = lower_binary(l, node);
		break;
	case NODE_COND:
		val = lower_choice(l, node);
		break;
	case NODE_PAREN:
		val = lower_exp(l, node->a);
		break;
	default: /* NIL; others were reported by infer.c */
		break;
	}
	l->ir.span = outer;
	return val;
}
