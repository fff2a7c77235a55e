/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What the control half says of shared variables and tables, where its text shows a type at once.
 */
#include "lang/infer_int.h"

/* The type of an expression of the control half where it can be seen at once; NULL: known when it runs. */
static struct type *
literal_type(struct infer *infer, const struct node *node)
{
	struct type *type = NULL;

	while (node->kind == NODE_PAREN)
		node = node->a;
	if (node->kind == NODE_INT || (node->kind == NODE_UNARY && node->op == TOKEN_MINUS && node->a->kind == NODE_INT)) {
		type = infer_type(infer, TYPE_INT, node->span);
	} else if (node->kind == NODE_TRUE || node->kind == NODE_FALSE) {
		type = infer_type(infer, TYPE_BOOL, node->span);
	} else if (node->kind == NODE_STR) {
		type = infer_type(infer, TYPE_STR, node->span);
		type->str_size = type_str_size(node->len);
	} else if (node->kind == NODE_TABLE) {
		type = infer_type(infer, TYPE_TABLE, node->span);
	} else if (node->kind == NODE_CALL && node->a->builtin && node->a->builtin->id == BUILTIN_OPTION) {
		/* An option has the type of its default; a text may be of any length. */
		type = node->b && node->b->next ? literal_type(infer, node->b->next) : NULL;
		if (type && type->kind == TYPE_STR)
			type->str_size = STR_SIZE_MAX;
	} else if (node->kind == NODE_CALL && node->a->builtin) {
		type = infer_builtin_type(infer, node->a->builtin, node->span);
		if (type->kind == TYPE_UNKNOWN)
			return NULL;
		if (node->a->builtin->id == BUILTIN_TABLE_NEW)
			for (const struct node *arg = node->b; arg; arg = arg->next)
				type->max_records += arg->kind == NODE_INT && arg->number > 0 ? arg->number : 0;
	} else if (node->kind == NODE_NAME && node->builtin) {
		type = infer_builtin_type(infer, node->builtin, node->span);
	}
	return type;
}

static void
hint_variable(struct infer *infer, struct variable *var, const struct node *value, struct span span)
{
	struct type *type, *literal;
	struct diag *diag;

	if (!var || !variable_is_shared(var))
		return;
	type = infer_variable(infer, var);
	if (!value || value->kind == NODE_NIL) {
		if (type_find(type)->kind == TYPE_STAT)
			return;
		if (type_find(type)->kind != TYPE_TABLE)
			infer_nullable(infer, var);
		else if (value) {
			diag = diag_error(infer->diags, value->span, "table-nil", "%s is a table that probes use; it cannot become nil",
					  var->name);
			diag_help(infer->diags, diag, "%s = {} empties it", var->name);
		}
		return;
	}
	literal = literal_type(infer, value);
	if (literal)
		infer_unify(infer, type, literal, value->span, var->name);
	else if (type_find(type)->kind == TYPE_TABLE) {
		diag = diag_error(infer->diags, value->span, "table-alias", "%s is a table that probes use; it cannot be set to "
				  "another table", var->name);
		diag_help(infer->diags, diag, "assign its entries one by one, or a table constructor");
	} else if (type_find(type)->kind == TYPE_STR) {
		type_find(type)->str_size = STR_SIZE_MAX;
	}
}

static void
hint_fields(struct infer *infer, struct type *table, const struct node *constructor);

/* The keys of t[KEY]. Names given to events stay text. */
static void
hint_keys(struct infer *infer, struct type *table, const struct node *keys)
{
	struct type *literal, *left, *right;
	uint32_t n = 0;

	for (const struct node *key = keys; key && n < ARRAY_SIZE(table->key); key = key->next, n++) {
		literal = literal_type(infer, key);
		if (!literal)
			continue;
		if (!table->key[n] && !table->n_keys)
			table->key[n] = infer_type(infer, TYPE_UNKNOWN, key->span);
		if (table->key[n] && !infer_is_event((struct node *)key, table->key[n]) &&
		    !type_unify(table->key[n], literal, &left, &right))
			infer_unify(infer, table->key[n], literal, key->span, "table key");
	}
	if (!table->n_keys && n && table->key[n - 1])
		table->n_keys = n;
}

/* t[KEY] = VALUE with literals: tells what a table holds that probes only read. */
static void
hint_element(struct infer *infer, struct type *table, const struct node *keys, const struct node *value)
{
	struct type *literal = value ? literal_type(infer, value) : NULL;

	table = type_find(table);
	if (table->kind != TYPE_TABLE)
		return;
	hint_keys(infer, table, keys);
	if (!literal)
		return;
	if (!table->value)
		table->value = infer_type(infer, TYPE_UNKNOWN, value->span);
	if (!infer_is_event((struct node *)value, table->value))
		infer_unify_element(infer, table->value, literal, value->span);
	if (value->kind == NODE_TABLE)
		hint_fields(infer, table->value, value);
}

static void
hint_fields(struct infer *infer, struct type *table, const struct node *constructor)
{
	for (const struct node *field = constructor->a; field; field = field->next)
		hint_element(infer, table, field->a, field->b);
}

static void
hint_constructor(struct infer *infer, struct variable *var, const struct node *constructor)
{
	if (var && variable_is_shared(var) && constructor && constructor->kind == NODE_TABLE)
		hint_fields(infer, var->type, constructor);
}

/* The table in whose elements something is put: a shared one, or one in it, which this makes known. NULL: another. */
static struct type *
hinted_table(struct infer *infer, const struct node *node)
{
	struct type *table;

	if (node->kind == NODE_NAME)
		return node->var && variable_is_shared(node->var) ? type_find(node->var->type) : NULL;
	table = node->kind == NODE_INDEX ? hinted_table(infer, node->a) : NULL;
	if (!table || table->kind != TYPE_TABLE)
		return NULL;
	hint_keys(infer, table, node->b);
	if (!table->value)
		table->value = infer_type(infer, TYPE_UNKNOWN, node->span);
	if (infer_unify_element(infer, table->value, infer_type(infer, TYPE_TABLE, node->span), node->span))
		return type_find(table->value);
	return NULL;
}

/* t[KEY] = VALUE, t[KEY] += VALUE. */
static void
hint_target(struct infer *infer, const struct node *target, const struct node *value)
{
	struct type *table = target->kind == NODE_INDEX ? hinted_table(infer, target->a) : NULL;

	if (table)
		hint_element(infer, table, target->b, value);
}

static void
hint_assign(struct infer *infer, const struct node *targets, const struct node *values)
{
	for (; targets; targets = targets->next) {
		bool known = values && values->kind != NODE_CALL && values->kind != NODE_VARARG;

		if (targets->kind == NODE_NAME || targets->kind == NODE_VAR_NAME) {
			hint_variable(infer, targets->var, values, targets->span);
			hint_constructor(infer, targets->var, values);
		} else {
			hint_target(infer, targets, values);
		}
		if (values && (known || values->next))
			values = values->next;
	}
}

static void
hint_node(struct infer *infer, const struct node *node)
{
	for (; node; node = node->next) {
		if (node->kind == NODE_VAR || node->kind == NODE_ASSIGN)
			hint_assign(infer, node->a, node->b);
		else if (node->kind == NODE_OP_ASSIGN)
			hint_target(infer, node->a, node->b);
		hint_node(infer, node->a);
		hint_node(infer, node->b);
		hint_node(infer, node->c);
		hint_node(infer, node->d);
	}
}

void
infer_hints(struct infer *infer)
{
	for (struct function *function = infer->typed->tree->functions; function; function = function->next) {
		if (function->in_control)
			hint_node(infer, function->body);
	}
}
