/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What the control half says of shared variables and tables, where its text shows a type at once.
 */
#include "lang/infer_int.h"

static struct type *
literal_type(struct infer *infer, const struct node *node);

static struct type *
text_type(struct infer *infer, const struct node *node, uint32_t size)
{
	struct type *type = infer_type(infer, TYPE_STR, node->span);

	type->str_size = size;
	return type;
}

/* Of what is one of two: both say the same, or one says nothing. */
static struct type *
either_type(struct infer *infer, const struct node *a, const struct node *b)
{
	struct type *left = literal_type(infer, a), *right = literal_type(infer, b);

	if (!left || !right) {
		left = left ? left : right;
		return left && left->kind != TYPE_TABLE ? left : NULL; /* the other may be a table that has a name */
	}
	if (left->kind == TYPE_STR && right->kind == TYPE_STR)
		return left->str_size > right->str_size ? left : right;
	return left->kind == right->kind ? left : NULL;
}

static struct type *
operator_type(struct infer *infer, const struct node *node)
{
	switch ((int)node->op) {
	case TOKEN_AND: /* the left side only where it is nil or false */
		return literal_type(infer, node->b);
	case TOKEN_OR:
		return either_type(infer, node->a, node->b);
	case TOKEN_CONCAT:
		return text_type(infer, node, STR_SIZE_MAX);
	default:
		return infer_type(infer, token_gives_truth(node->op) ? TYPE_BOOL : TYPE_INT, node->span);
	}
}

/* The entries that table.new(narr, nrec) asks for, where they are written out; 0: not. Two numbers cannot overflow. */
static uint32_t
room_of(struct infer *infer, const struct node *call)
{
	uint64_t n = 0;

	for (const struct node *arg = call->b; arg; arg = arg->next)
		n += arg->kind == NODE_INT && arg->number > 0 ? (uint64_t)arg->number : 0;
	if (n <= TABLE_ENTRIES_MAX)
		return (uint32_t)n;
	diag_warning(infer->diags, call->span, "table-size", "a table that probes use has room for %u entries at most, which this one gets",
		     TABLE_ENTRIES_MAX);
	return TABLE_ENTRIES_MAX;
}

/* What a built-in gives. An option has the type of its default; a text may be of any length. */
static struct type *
result_type(struct infer *infer, const struct node *call)
{
	const struct builtin *builtin = call->a->builtin;
	struct type *type;

	if (builtin->id == BUILTIN_OPTION) {
		type = call->b && call->b->next ? literal_type(infer, call->b->next) : NULL;
		if (type && type->kind == TYPE_STR)
			type->str_size = STR_SIZE_MAX;
		return type;
	}
	type = infer_builtin_type(infer, builtin, call->span);
	if (builtin->id == BUILTIN_TABLE_NEW)
		type->max_records = room_of(infer, call);
	return type->kind == TYPE_UNKNOWN ? NULL : type;
}

/* The type of an expression of the control half where it can be seen at once; NULL: known when it runs. */
static struct type *
literal_type(struct infer *infer, const struct node *node)
{
	switch ((int)node->kind) {
	case NODE_PAREN:
		return literal_type(infer, node->a);
	case NODE_INT:
		return infer_type(infer, TYPE_INT, node->span);
	case NODE_TRUE:
	case NODE_FALSE:
		return infer_type(infer, TYPE_BOOL, node->span);
	case NODE_STR:
		return text_type(infer, node, type_str_size(node->len));
	case NODE_TABLE:
		return infer_type(infer, TYPE_TABLE, node->span);
	case NODE_UNARY:
		return infer_type(infer, node->op == TOKEN_NOT ? TYPE_BOOL : TYPE_INT, node->span);
	case NODE_BINARY:
		return operator_type(infer, node);
	case NODE_COND:
		return either_type(infer, node->b, node->c);
	case NODE_CALL:
		return node->a->builtin ? result_type(infer, node) : NULL;
	case NODE_NAME:
		return node->builtin ? infer_builtin_type(infer, node->builtin, node->span) : NULL;
	default:
		return NULL;
	}
}

/* Does the text show that the value may be nil? */
static bool
shows_nil(const struct node *node)
{
	switch ((int)node->kind) {
	case NODE_NIL:
		return true;
	case NODE_PAREN:
		return shows_nil(node->a);
	case NODE_COND:
		return shows_nil(node->b) || shows_nil(node->c);
	case NODE_BINARY:
		return (node->op == TOKEN_AND || node->op == TOKEN_OR) && shows_nil(node->b);
	default:
		return false;
	}
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
	if (shows_nil(value))
		infer_nullable(infer, var);
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

/* print(t) says "table", where elsewhere it shows what is in it. */
static void
warn_of_tables(struct infer *infer, const struct node *call)
{
	struct diag *diag;

	if (!call->a->builtin || call->a->builtin->id != BUILTIN_PRINT)
		return;
	for (const struct node *arg = call->b; arg; arg = arg->next) {
		if (arg->kind != NODE_NAME || !arg->var || !variable_is_shared(arg->var) || type_find(arg->var->type)->kind != TYPE_TABLE)
			continue;
		diag = diag_warning(infer->diags, arg->span, "table-printed", "print shows nothing of what is in a table");
		diag_help(infer->diags, diag, "print_hist(%s) does, or for (k, v in sorted(%s)) { print(k, v) }", arg->s, arg->s);
	}
}

/* t[k] of a table whose keys have two parts would be an error when it is reached, in trace_end after all is over. */
static void
check_key_parts(struct infer *infer, const struct node *node)
{
	const struct node *object = node->a;
	const struct type *table = object->kind == NODE_NAME && object->var && variable_is_shared(object->var) ? type_find(object->var->type) : NULL;
	uint32_t n = 0;

	if (!table || table->kind != TYPE_TABLE || !table->n_keys)
		return;
	for (const struct node *key = node->b; key; key = key->next)
		n++;
	if (n != table->n_keys)
		diag_error(infer->diags, node->span, "key-count", "this table has %u key%s, not %u", table->n_keys,
			   table->n_keys == 1 ? "" : "s", n);
}

static void
hint_node(struct infer *infer, const struct node *node)
{
	for (; node; node = node->next) {
		if (node->kind == NODE_CALL && infer->settled)
			warn_of_tables(infer, node);
		else if (node->kind == NODE_INDEX && infer->settled)
			check_key_parts(infer, node);
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
