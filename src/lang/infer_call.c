/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Calls of the script's functions: each gets a copy of the function, typed for this use.
 */
#include "lang/infer_int.h"

#define INLINE_DEPTH_MAX 64
#define INLINED_MAX 4096 /* copies of functions in one script */

/* Does control reach the end of this block? Unsure counts as yes. */
static bool
falls_through(const struct node *block)
{
	const struct node *last = block->a;

	if (!last)
		return true;
	while (last->next)
		last = last->next;
	if (last->kind == NODE_RETURN)
		return false;
	if (last->kind == NODE_IF && last->c)
		return falls_through(last->b) || (last->c->kind == NODE_IF ? falls_through(&(struct node){ .a = last->c }) :
									     falls_through(last->c));
	return true;
}

static struct node *
new_node(struct infer *infer, enum node_kind kind, struct span span)
{
	struct node *node = arena_alloc(infer->arena, sizeof(*node));

	node->kind = kind;
	node->span = span;
	return node;
}

/* `return f(x, y)` in f becomes { a, b = x, y  continue }. A table that is handed on as it came stays. */
static void
make_round(struct infer *infer, struct node *node, const struct inlined *inlined)
{
	struct node *assign = new_node(infer, NODE_ASSIGN, node->span), *arg = node->a->b, *next;
	struct node **target = &assign->a, **value = &assign->b;

	for (uint32_t i = 0; i < inlined->n_params; i++, arg = next) {
		next = arg ? arg->next : NULL;
		if (arg && arg->kind == NODE_NAME && arg->var == inlined->params[i])
			continue;
		*target = new_node(infer, NODE_NAME, arg ? arg->span : node->span);
		(*target)->s = inlined->params[i]->name;
		(*target)->var = inlined->params[i];
		target = &(*target)->next;
		*value = arg ? arg : new_node(infer, NODE_NIL, node->span);
		(*value)->next = NULL;
		value = &(*value)->next;
	}
	node->kind = NODE_BLOCK;
	node->a = assign->a ? assign : NULL;
	*(assign->a ? &assign->next : &node->a) = new_node(infer, NODE_CONTINUE, node->span);
}

static void
make_rounds(struct infer *infer, struct node *node, const struct inlined *inlined)
{
	for (; node; node = node->next) {
		if (node->kind == NODE_RETURN && node->tail_call) {
			make_round(infer, node, inlined);
			continue;
		}
		make_rounds(infer, node->a, inlined);
		make_rounds(infer, node->b, inlined);
		make_rounds(infer, node->c, inlined);
	}
}

/* A function whose last act is to call itself is a loop: while (true) { body  return }. */
static void
make_loop(struct infer *infer, struct inlined *inlined)
{
	struct node *body = inlined->body, *loop = new_node(infer, NODE_WHILE, body->span), **last = &body->a;

	make_rounds(infer, body->a, inlined);
	while (*last)
		last = &(*last)->next;
	if (inlined->result_nullable)
		*last = new_node(infer, NODE_RETURN, body->span);
	loop->a = new_node(infer, NODE_TRUE, body->span);
	loop->b = body;
	inlined->body = new_node(infer, NODE_BLOCK, body->span);
	inlined->body->a = loop;
}

static struct inlined *
make_inlined(struct infer *infer, struct function *function, struct span span)
{
	struct inlined *inlined = arena_alloc(infer->arena, sizeof(*inlined));
	struct node *wrapper = arena_alloc(infer->arena, sizeof(*wrapper)), **last = &wrapper->a;

	/* Parameters are cloned together with the body, so that the body's names follow. */
	wrapper->kind = NODE_BLOCK;
	for (uint32_t i = 0; i < function->n_params; i++) {
		struct node *name = arena_alloc(infer->arena, sizeof(*name));

		name->kind = NODE_VAR_NAME;
		name->span = function->params[i]->span;
		name->s = function->params[i]->name;
		name->var = function->params[i];
		*last = name;
		last = &name->next;
	}
	*last = function->body;
	wrapper = node_clone(infer->arena, wrapper);
	inlined->function = function;
	inlined->n_params = function->n_params;
	inlined->params = arena_alloc(infer->arena, function->n_params * sizeof(*inlined->params));
	inlined->body = wrapper->a;
	for (uint32_t i = 0; i < function->n_params; i++, inlined->body = inlined->body->next)
		inlined->params[i] = inlined->body->var;
	inlined->result = infer_type(infer, TYPE_UNKNOWN, span);
	inlined->result_nullable = falls_through(inlined->body);
	if (function->tail_calls_itself)
		make_loop(infer, inlined);
	infer->changed = true;
	return inlined;
}

/* A table is handed to a function by name: the parameter stands for the table itself. */
static void
bind_table(struct infer *infer, struct variable *param, struct node *arg)
{
	struct variable *table = arg->kind == NODE_NAME && arg->var ? (arg->var->table ? arg->var->table : arg->var) : NULL;

	if (!table) {
		struct diag *diag = diag_error(infer->diags, arg->span, "table-value", "only a table's name can be passed to a function in a probe");

		if (arg->kind == NODE_INDEX)
			diag_help(infer->diags, diag, "pass the table and the key: f(t, k)");
	}
	param->table = table;
}

static void
infer_params(struct infer *infer, struct inlined *inlined, struct node *args)
{
	for (uint32_t i = 0; i < inlined->n_params; i++) {
		struct variable *param = inlined->params[i];
		struct type *type = infer_variable(infer, param);

		if (!args) {
			infer_nullable(infer, param);
			continue;
		}
		infer_unify(infer, type, args->type, args->span, "argument");
		if (args->nullable)
			infer_nullable(infer, param);
		if (type_find(type)->kind == TYPE_TABLE)
			bind_table(infer, param, args);
		args = args->next;
	}
}

static bool
has_room(struct infer *infer, const struct node *call)
{
	if (infer->depth >= INLINE_DEPTH_MAX)
		diag_error(infer->diags, call->span, "too-large", "calls of functions within each other are more than %d deep here", INLINE_DEPTH_MAX);
	else if (infer->n_inlined >= INLINED_MAX)
		diag_error(infer->diags, call->span, "too-large", "probes call too many functions: each call is a copy, and a script has %d at most",
			   INLINED_MAX);
	else
		return true;
	return false;
}

static struct type *
infer_function_call(struct infer *infer, struct node *node, struct function *function)
{
	struct inlined *outer = infer->inlined, *inlined;

	infer_list(infer, node->b);
	if (!node->inlined) {
		if (!has_room(infer, node))
			return infer_settle(infer, node, infer_type(infer, TYPE_UNKNOWN, node->span), true);
		infer->n_inlined++;
		node->inlined = make_inlined(infer, function, node->span);
	}
	inlined = node->inlined;
	infer_params(infer, inlined, node->b);
	infer->inlined = inlined;
	infer->depth++;
	infer_list(infer, inlined->body);
	infer->depth--;
	infer->inlined = outer;
	return infer_settle(infer, node, inlined->result, inlined->result_nullable);
}

struct type *
infer_call(struct infer *infer, struct node *node)
{
	struct node *callee = node->a;
	struct diag *diag;

	if (callee->var && callee->var->constant)
		return infer_function_call(infer, node, callee->var->constant);
	if (callee->builtin)
		return infer_builtin_call(infer, node, callee->builtin);
	infer_list(infer, node->b);
	diag = diag_error(infer->diags, callee->span, "not-a-function", "this is not a function that a probe can call");
	diag_help(infer->diags, diag, "probes call functions declared by `function NAME` and never assigned again");
	return infer_settle(infer, node, infer_type(infer, TYPE_UNKNOWN, node->span), true);
}
