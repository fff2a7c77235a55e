/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Variables of the probe half, and the statements that assign them.
 */
#include "codegen/lower_int.h"

struct local *
local_new(struct lowering *l, struct type *type, bool nullable, enum local_place place)
{
	struct local *local = arena_alloc(l->arena, sizeof(*local));
	uint32_t size;

	type = type_find(type);
	size = type->kind == TYPE_STR ? type->str_size : 8;
	*local = (struct local){ .reg = NO_VREG, .present = NO_VREG, .in_memory = place == LOCAL_CAPTURED, .nullable = nullable };
	if (place == LOCAL_CAPTURED) {
		local->mem = memory_scratch(l, size + 8);
		return local;
	}
	local->present = nullable ? ir_vreg(&l->ir) : NO_VREG;
	if (type->kind == TYPE_STR)
		local->mem = memory_new(l, size);
	else
		local->reg = ir_vreg(&l->ir);
	return local;
}

/* Presence of a captured variable stands behind its value. */
static int32_t
presence_off(const struct local *local, const struct type *type)
{
	return local->mem.off + (int32_t)(type->kind == TYPE_STR ? type->str_size : 8);
}

struct val
local_value(struct lowering *l, const struct local *local, struct type *type)
{
	struct val val = { .present = local->present, .reg = local->reg, .mem = local->mem };

	type = type_find(type);
	val.kind = val_kind(type);
	val.str_size = type->str_size;
	if (!local->in_memory)
		return val;
	if (local->nullable)
		val.present = ir_load(&l->ir, BPF_DW, local->mem.base, presence_off(local, type));
	if (type->kind != TYPE_STR)
		val.reg = ir_load(&l->ir, BPF_DW, local->mem.base, local->mem.off);
	return val;
}

void
variable_declare(struct lowering *l, struct variable *var)
{
	if (type_find(var->type)->kind != TYPE_TABLE)
		var->lowered = local_new(l, var->type, var->nullable, var->captured ? LOCAL_CAPTURED : LOCAL_REGISTERS);
}

static void
set_presence(struct lowering *l, int present, const struct val *val)
{
	if (val->kind == TYPE_NIL)
		number_set(l, present, 0);
	else if (val->present == NO_VREG)
		number_set(l, present, 1);
	else
		ir_move(&l->ir, present, val->present);
}

static void
assign_captured(struct lowering *l, const struct local *local, const struct type *type, const struct val *val)
{
	struct ir *ir = &l->ir;
	int present;

	if (type->kind != TYPE_STR && val->kind != TYPE_ARGSTR)
		ir_store(ir, BPF_DW, local->mem.base, local->mem.off, val_reg(l, val));
	if (!local->nullable)
		return;
	present = ir_vreg(ir);
	set_presence(l, present, val);
	ir_store(ir, BPF_DW, local->mem.base, presence_off(local, type), present);
}

void
local_assign(struct lowering *l, const struct local *local, const struct type *type, const struct val *val)
{
	if (local->in_memory)
		assign_captured(l, local, type, val);
	else if (local->present != NO_VREG)
		set_presence(l, local->present, val);
	if (type->kind == TYPE_STR) {
		l->ir.varies = true;
		if (val->kind == TYPE_STR)
			string_store(l, local->mem, type->str_size, val);
		else
			memory_zero(l, local->mem, type->str_size);
		l->ir.varies = false;
	} else if (local->in_memory) {
		return;
	} else if (val->is_const || val->kind == TYPE_NIL) {
		number_set(l, local->reg, val->imm);
	} else if (val->kind != TYPE_ARGSTR) {
		ir_move(&l->ir, local->reg, val->reg);
	}
}

static int
global_address(struct lowering *l, struct global *global, unsigned use)
{
	int address = ir_pointer(&l->ir);

	global->use |= use;
	ir_add(&l->ir, (struct ir_insn){ .op = IR_GLOBAL, .dst = address, .a = NO_VREG, .b = NO_VREG, .imm = global->off });
	return address;
}

static void
global_assign(struct lowering *l, const struct variable *var, const struct val *val)
{
	struct global *global = l->object->globals[var->index];
	struct mem mem = { .base = global_address(l, global, USE_SET) };
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

void
variable_assign(struct lowering *l, const struct variable *var, const struct val *val)
{
	known_assigned(l, var);
	if (var->lowered)
		local_assign(l, var->lowered, type_find(var->type), val);
	else if (type_find(var->type)->kind != TYPE_TABLE)
		global_assign(l, var, val);
}

struct target {
	struct node *node;
	struct mem key; /* of an element */
};

static struct target
hold_target(struct lowering *l, struct node *node)
{
	struct target target = { .node = node };

	if (node->kind == NODE_INDEX)
		target.key = element_key(l, node);
	return target;
}

static void
assign_target(struct lowering *l, const struct target *target, const struct val *val)
{
	if (target->node->kind == NODE_INDEX)
		lower_set_index(l, target->node, target->key, val);
	else if (target->node->var)
		variable_assign(l, target->node->var, val);
}

struct val
val_hold(struct lowering *l, const struct val *val)
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

/*
 * Keys first, then values, then one assignment after the other: so `i, t[i] = i + 1, v` means the i of before. The last target is assigned
 * first, as in Lua, where this decides between two that are the same.
 */
static void
assign_many(struct lowering *l, struct node *targets, struct node *values)
{
	uint32_t n_targets = list_len(targets), n = list_len(values), i = 0;
	struct target *held = arena_alloc(l->arena, n_targets * sizeof(*held));
	struct val *vals = arena_alloc(l->arena, (n + 1) * sizeof(*vals)), nil = val_nil();
	struct known_mark known;

	for (struct node *target = targets; target; target = target->next, i++)
		held[i] = hold_target(l, target);
	i = 0;
	for (struct node *value = values; value; value = value->next, i++) {
		vals[i] = lower_exp(l, value);
		vals[i] = val_hold(l, &vals[i]);
	}
	known = known_mark(l);
	for (i = n_targets; i-- > 0;)
		assign_target(l, &held[i], i < n ? &vals[i] : &nil);
	known_release(l, known); /* of a key from before other assignments it is not known that it is what the text means now */
}

void
lower_assign(struct lowering *l, struct node *targets, struct node *values)
{
	struct val val = val_nil();
	struct target target;

	if (targets->next) {
		assign_many(l, targets, values);
		return;
	}
	target = hold_target(l, targets);
	if (values)
		val = lower_exp(l, values);
	if (values && values->next)
		val = val_hold(l, &val);
	for (struct node *more = values ? values->next : NULL; more; more = more->next)
		lower_exp(l, more);
	assign_target(l, &target, &val);
}

void
lower_var(struct lowering *l, struct node *node)
{
	struct memory_mark mark;

	/* `var x = x + 1`: the value still sees the outer x, which is another variable; so declaring first does no harm. */
	for (struct node *name = node->a; name; name = name->next)
		variable_declare(l, name->var);
	mark = memory_mark(l);
	lower_assign(l, node->a, node->b);
	memory_release(l, mark);
}

/* i += n on a variable that other CPUs see: one atomic add. */
static void
add_to_global(struct lowering *l, const struct variable *var, int amount, bool minus)
{
	struct global *global = l->object->globals[var->index];
	struct ir *ir = &l->ir;
	int address = global_address(l, global, USE_ADD);

	if (global->shape.nullable)
		ir_branch_imm(ir, BPF_JEQ, ir_load(ir, BPF_DW, address, 0), 0, lower_failure(l, COUNTER_NIL_VALUE));
	if (minus)
		amount = ir_alu(ir, BPF_SUB, ir_const(ir, 0), amount);
	ir_add(ir, (struct ir_insn){ .op = IR_ATOMIC_ADD, .dst = NO_VREG, .a = address, .b = amount,
				     .off = global->shape.nullable ? 8 : 0 });
}

void
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
	old = lower_present(l, node->a);
	by = lower_present(l, node->b);
	now = lower_arithmetic(l, node->op, &old, &by);
	variable_assign(l, node->a->var, &now);
}
