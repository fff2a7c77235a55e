/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Types of what statements of the probe half assign, return and count.
 */
#include "lang/infer_int.h"

static void
infer_assign_variable(struct infer *infer, struct variable *var, struct node *value, struct span span)
{
	struct type *type = infer_variable(infer, var);

	if (!value) {
		infer_nullable(infer, var);
		return;
	}
	infer_unify(infer, type, infer_against(infer, value, type), value->span, var->name);
	if (type_find(type)->kind == TYPE_TABLE)
		diag_error(infer->diags, span, "table-value", "a probe cannot assign a table to a variable");
	if (value->nullable)
		infer_nullable(infer, var);
}

/* t[a] = nil empties an element that is a table; there is no other way to assign one. */
static void
infer_element(struct infer *infer, struct type *type, struct node *value)
{
	enum type_kind kind = type_find(infer_against(infer, value, type))->kind;
	struct diag *diag;

	if (kind == TYPE_ARGSTR) {
		diag_error(infer->diags, value->span, "element-type", "a probe cannot put argstr into a table");
	} else if (kind != TYPE_TABLE || value->kind == NODE_NIL) {
		infer_unify_element(infer, type, value->type, value->span);
	} else {
		diag = diag_error(infer->diags, value->span, "element-type", "a probe cannot put a table into a table");
		diag_help(infer->diags, diag, "assign the elements: t[a][b] = v; the table t[a] needs no making. t[a] = nil empties it");
	}
}

static void
infer_target(struct infer *infer, struct node *target, struct node *value)
{
	if (target->kind == NODE_NAME && target->var) {
		infer_assign_variable(infer, target->var, value, target->span);
		infer_settle(infer, target, target->var->type, target->var->nullable);
	} else if (target->kind == NODE_INDEX && target->a->kind == NODE_ARGS) {
		diag_error(infer->diags, target->span, "assign-field", "fields of an event cannot be assigned");
	} else if (target->kind == NODE_INDEX) {
		struct type *type = infer_index(infer, target, ACCESS_SET);

		if (target->member)
			diag_error(infer->diags, target->span, "assign-field", "structures of the kernel cannot be assigned");

		if (value)
			infer_element(infer, type, value);
	}
}

static void
infer_assign(struct infer *infer, struct node *targets, struct node *values)
{
	for (; targets; targets = targets->next) {
		if (targets->kind == NODE_VAR_NAME)
			infer_assign_variable(infer, targets->var, values, targets->span);
		else
			infer_target(infer, targets, values);
		if (values)
			values = values->next;
	}
	infer_list(infer, values);
}

static void
infer_op_assign(struct infer *infer, struct node *node)
{
	bool adds = node->op == TOKEN_PLUS || node->op == TOKEN_MINUS;

	if (node->a->kind == NODE_INDEX && node->a->a->kind != NODE_ARGS) {
		struct type *type = infer_index(infer, node->a, adds ? ACCESS_ADD : ACCESS_SET);

		if (node->a->member)
			diag_error(infer->diags, node->a->span, "assign-field", "structures of the kernel cannot be assigned");
		if (!adds)
			infer_index(infer, node->a, ACCESS_READ);
		infer_unify(infer, infer_type(infer, TYPE_INT, node->span), type, node->a->span, "target of an arithmetic assignment");
	} else if (node->a->kind == NODE_NAME && node->a->var) {
		infer_unify(infer, infer_type(infer, TYPE_INT, node->span), infer_variable(infer, node->a->var), node->a->span, node->a->s);
		infer_exp(infer, node->a);
	} else {
		diag_error(infer->diags, node->a->span, "assign-field", "fields of an event cannot be assigned");
	}
	infer_require(infer, node->b, TYPE_INT, "operand of an arithmetic assignment");
}

static void
infer_return(struct infer *infer, struct node *node)
{
	infer_list(infer, node->a);
	if (node->a && node->a->next)
		diag_error(infer->diags, node->a->next->span, "multiple-results", "a function called from a probe returns one value");
	if (!infer->inlined)
		return;
	if (node->a)
		infer_unify(infer, infer->inlined->result, node->a->type, node->a->span, "returned value");
	if ((!node->a || node->a->nullable) && !infer->inlined->result_nullable) {
		infer->inlined->result_nullable = true;
		infer->changed = true;
	}
}

static void
infer_for_range(struct infer *infer, struct node *node)
{
	struct variable *var = node->a->var;

	for (struct node *limit = node->a->next; limit; limit = limit->next)
		infer_require(infer, limit, TYPE_INT, "limit of a loop");
	infer_unify(infer, infer_type(infer, TYPE_INT, node->a->span), infer_variable(infer, var), node->a->span, var->name);
	infer_list(infer, node->b);
}

/* for (k1, k2, v in pairs(t)): a variable a part of the key, and one for the value; fewer leave the rest out. */
static void
infer_for_in(struct infer *infer, struct node *node)
{
	struct type *table = infer_walked(infer, node->b->b);
	uint32_t n = 0;

	for (struct node *name = node->a; name && table; name = name->next, n++) {
		struct type *type = infer_variable(infer, name->var);

		if (n < table->n_keys)
			infer_unify(infer, table->key[n], type, name->span, name->s);
		else if (n == table->n_keys && table->value)
			infer_unify(infer, table->value, type, name->span, name->s);
		else if (n > table->n_keys && table->n_keys)
			infer_nullable(infer, name->var);
	}
	infer_list(infer, node->c);
}

void
infer_stat(struct infer *infer, struct node *node)
{
	switch (node->kind) {
	case NODE_BLOCK:
		infer_list(infer, node->a);
		break;
	case NODE_VAR:
	case NODE_ASSIGN:
		infer_assign(infer, node->a, node->b);
		break;
	case NODE_OP_ASSIGN:
		infer_op_assign(infer, node);
		break;
	case NODE_CALL_STAT:
		infer_exp(infer, node->a);
		break;
	case NODE_IF:
		infer_condition(infer, node->a);
		infer_stat(infer, node->b);
		if (node->c)
			infer_stat(infer, node->c);
		break;
	case NODE_WHILE:
		infer_condition(infer, node->a);
		infer_stat(infer, node->b);
		break;
	case NODE_REPEAT:
		infer_stat(infer, node->a);
		infer_condition(infer, node->b);
		break;
	case NODE_FOR_RANGE:
		infer_for_range(infer, node);
		break;
	case NODE_FOR_STEP:
		if (node->a)
			infer_stat(infer, node->a);
		if (node->b)
			infer_condition(infer, node->b);
		if (node->c)
			infer_stat(infer, node->c);
		infer_stat(infer, node->d);
		break;
	case NODE_RETURN:
		infer_return(infer, node);
		break;
	case NODE_FOR_IN:
		infer_for_in(infer, node);
		break;
	case NODE_SAMPLE:
		infer_sample(infer, node);
		break;
	case NODE_BREAK:
	case NODE_CONTINUE:
	case NODE_ERROR:
		break;
	default: /* declarations of functions and handlers: reported by halves.c */
		break;
	}
}

static bool
is_statement(const struct node *node)
{
	return node->kind <= NODE_TRACE_END;
}

void
infer_list(struct infer *infer, struct node *list)
{
	for (; list; list = list->next) {
		if (is_statement(list))
			infer_stat(infer, list);
		else
			infer_exp(infer, list);
	}
}
