/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Expressions as Lua text. Operands get parentheses wherever they are no atoms: no table of precedences is
 * needed, save that chains of equal operators stay flat.
 */
#include <string.h>

#include "codegen/lua_int.h"

/* ---- expressions -------------------------------------------------------- */

static void
event_only(struct chunk *chunk, const struct node *node, const char *what)
{
	diag_error(chunk->diags, node->span, "event-only", "%s has a meaning only in a probe", what);
	chunk_puts(chunk, "nil");
}

/* Does the expression's text need no parentheses as an operand? */
static bool
is_atom(const struct node *node)
{
	switch (node->kind) {
	case NODE_NIL:
	case NODE_TRUE:
	case NODE_FALSE:
	case NODE_STR:
	case NODE_NAME:
	case NODE_INDEX:
	case NODE_CALL:
	case NODE_METHOD:
	case NODE_PAREN:
	case NODE_VARARG: return true;
	case NODE_INT: return node->number >= 0;
	default: /* of the many kinds of node, these alone are atoms */ return false;
	}
}

static void
emit_operand(struct chunk *chunk, const struct node *node)
{
	bool atom = is_atom(node);

	if (!atom)
		chunk_putc(chunk, '(');
	chunk_expr(chunk, node);
	if (!atom)
		chunk_putc(chunk, ')');
}

/* What may stand before `.`, `[`, `(` and `:` in Lua. */
static void
emit_prefix(struct chunk *chunk, const struct node *node)
{
	bool plain = node->kind == NODE_NAME || node->kind == NODE_INDEX || node->kind == NODE_CALL ||
		     node->kind == NODE_METHOD || node->kind == NODE_PAREN;

	if (!plain)
		chunk_putc(chunk, '(');
	chunk_expr(chunk, node);
	if (!plain)
		chunk_putc(chunk, ')');
}

void
chunk_list(struct chunk *chunk, const struct node *list)
{
	for (const struct node *node = list; node; node = node->next) {
		if (node != list)
			chunk_puts(chunk, ", ");
		chunk_expr(chunk, node);
	}
}

/* What Lua would take several values of, in the last place of a list. */
static bool
is_open(const struct node *node)
{
	return node->kind == NODE_CALL || node->kind == NODE_METHOD || node->kind == NODE_VARARG;
}

/* One value, whatever stands in the last place. */
static void
emit_single(struct chunk *chunk, const struct node *node)
{
	bool open = is_open(node);

	chunk_puts(chunk, open ? "(" : "");
	chunk_expr(chunk, node);
	chunk_puts(chunk, open ? ")" : "");
}

void
chunk_check_count(struct chunk *chunk, const struct node *list, const char *what, const char *parts)
{
	unsigned n = 0;

	for (; list; list = list->next)
		if (++n > ARGS_MAX) {
			diag_error(chunk->diags, list->span, "too-many-arguments", "%s can have at most %d %s", what, ARGS_MAX, parts);
			return;
		}
}

void
chunk_keys(struct chunk *chunk, const struct node *keys)
{
	chunk_check_count(chunk, keys, "a key", "parts");
	for (const struct node *key = keys; key; key = key->next) {
		chunk_puts(chunk, key != keys ? ", " : "");
		emit_single(chunk, key);
	}
}

static void
emit_int(struct chunk *chunk, int64_t number)
{
	if (number == INT64_MIN) /* its digits alone would be a float */
		chunk_puts(chunk, "0x8000000000000000");
	else
		chunk_printf(chunk, "%lld", (long long)number);
}

static void
put_builtin(struct chunk *chunk, const struct builtin *builtin)
{
	chunk_puts(chunk, "B.");
	for (const char *at = builtin->name; *at; at++)
		chunk_putc(chunk, *at == '.' ? '_' : *at);
}

void
chunk_name(struct chunk *chunk, const struct node *node)
{
	const struct variable *var = node->var;

	if (!var && node->builtin) {
		put_builtin(chunk, node->builtin);
		if (!node->builtin->is_call)
			chunk_puts(chunk, "()");
	} else if (chunk_is_shared_table(var)) {
		chunk_printf(chunk, "K.table(%u)", var->index);
	} else if (chunk_is_shared_stat(var)) {
		chunk_printf(chunk, "K.stat(%u)", var->index);
	} else if (chunk_is_shared(var)) {
		chunk_printf(chunk, "G[%u]", var->index);
	} else {
		chunk_puts(chunk, var ? chunk_access(chunk, var) : "nil");
	}
}

static void
emit_index(struct chunk *chunk, const struct node *node)
{
	if (node->builtin) {
		put_builtin(chunk, node->builtin);
		if (!node->builtin->is_call)
			chunk_puts(chunk, "()");
	} else if (node->b && node->b->next) {
		chunk_puts(chunk, "K.index(");
		chunk_expr(chunk, node->a);
		chunk_puts(chunk, ", ");
		chunk_keys(chunk, node->b);
		chunk_putc(chunk, ')');
	} else {
		emit_prefix(chunk, node->a);
		chunk_putc(chunk, '[');
		chunk_expr(chunk, node->b);
		chunk_putc(chunk, ']');
	}
}

/* The handler that an argument stands for: `function () {}` or the name of a function that never changes. */
static const struct function *
handler_of(const struct node *node)
{
	const struct function *function = NULL;

	while (node->kind == NODE_PAREN)
		node = node->a;
	if (node->kind == NODE_FUNCTION)
		function = node->function;
	else if (node->kind == NODE_NAME && node->var)
		function = node->var->constant;
	return function && function->handler != UINT32_MAX ? function : NULL;
}

/* Arguments of kdebug.kprobe and the like: in place of the function stands the number of its handler. */
static void
emit_handler_args(struct chunk *chunk, const struct node *list)
{
	for (const struct node *node = list; node; node = node->next) {
		const struct function *handler = node->next ? NULL : handler_of(node);

		if (node != list)
			chunk_puts(chunk, ", ");
		if (handler)
			chunk_printf(chunk, "%u", handler->handler);
		else
			chunk_expr(chunk, node);
	}
}

static bool
takes_handler(const struct builtin *builtin)
{
	return builtin && (builtin->id == BUILTIN_KDEBUG_TRACEPOINT || builtin->id == BUILTIN_KDEBUG_KPROBE ||
			   builtin->id == BUILTIN_TIMER_PROFILE);
}

static void
emit_call(struct chunk *chunk, const struct node *node)
{
	const struct builtin *builtin = node->a->kind == NODE_NAME && node->a->var ? NULL : node->a->builtin;

	if (builtin)
		put_builtin(chunk, builtin);
	else
		emit_prefix(chunk, node->a);
	chunk_check_count(chunk, node->b, "a call", "arguments");
	chunk_putc(chunk, '(');
	if (takes_handler(builtin))
		emit_handler_args(chunk, node->b);
	else
		chunk_list(chunk, node->b);
	chunk_putc(chunk, ')');
}

static void
emit_method(struct chunk *chunk, const struct node *node)
{
	chunk_check_count(chunk, node->b, "a call", "arguments");
	if (chunk_is_lua_name(node->s, node->len)) {
		emit_prefix(chunk, node->a);
		chunk_putc(chunk, ':');
		chunk_puts(chunk, node->s);
		chunk_putc(chunk, '(');
		chunk_list(chunk, node->b);
	} else { /* a name that Lua reserves */
		chunk_puts(chunk, "(function(o, ...) return o[");
		chunk_string(chunk, node->s, node->len);
		chunk_puts(chunk, "](o, ...) end)(");
		chunk_expr(chunk, node->a);
		if (node->b)
			chunk_puts(chunk, ", ");
		chunk_list(chunk, node->b);
	}
	chunk_putc(chunk, ')');
}

static void
emit_table(struct chunk *chunk, const struct node *node)
{
	chunk_putc(chunk, '{');
	for (const struct node *field = node->a; field; field = field->next) {
		bool expands = !field->next && !field->a &&
			       (field->b->kind == NODE_CALL || field->b->kind == NODE_METHOD);

		if (field->a) {
			chunk_putc(chunk, '[');
			chunk_expr(chunk, field->a);
			chunk_puts(chunk, "] = ");
		}
		chunk_puts(chunk, expands ? "(" : ""); /* a call at the end is one value, as in 0.4 */
		chunk_expr(chunk, field->b);
		chunk_puts(chunk, expands ? ")" : "");
		chunk_puts(chunk, field->next ? ", " : "");
	}
	chunk_putc(chunk, '}');
}

/* ---- operators */

static const struct lua_op {
	const char *infix; /* Lua's operator, or */
	const char *call;  /* function of K */
	char chain;        /* operators of one letter chain: a op b op c needs no parentheses on the left */
} lua_ops[N_TOKENS] = {
	[TOKEN_OR] = { .infix = " or ", .chain = 'o' },
	[TOKEN_AND] = { .infix = " and ", .chain = 'a' },
	[TOKEN_EQ] = { .infix = " == " },
	[TOKEN_NE] = { .infix = " ~= " },
	[TOKEN_LT] = { .infix = " < " },
	[TOKEN_LE] = { .infix = " <= " },
	[TOKEN_GT] = { .infix = " > " },
	[TOKEN_GE] = { .infix = " >= " },
	[TOKEN_PLUS] = { .infix = " + ", .chain = '+' },
	[TOKEN_MINUS] = { .infix = " - ", .chain = '+' },
	[TOKEN_STAR] = { .infix = " * ", .chain = '*' },
	[TOKEN_SLASH] = { .call = "K.div(" },
	[TOKEN_PERCENT] = { .call = "K.mod(" },
	[TOKEN_CONCAT] = { .call = "K.cat(" },
	[TOKEN_AMP] = { .call = "K.band(" },
	[TOKEN_PIPE] = { .call = "K.bor(" },
	[TOKEN_TILDE] = { .call = "K.glob(" },
	[TOKEN_SHL] = { .call = "K.shl(" },
	[TOKEN_SHR] = { .call = "K.shr(" },
};

/* a .. (b .. (c .. d)) as one call, so that long texts do not nest. */
static void
emit_concat(struct chunk *chunk, const struct node *node)
{
	unsigned n = 1;

	chunk_puts(chunk, "K.cat(");
	for (; node->kind == NODE_BINARY && node->op == TOKEN_CONCAT && n < CONCAT_MAX; node = node->b, n++) {
		chunk_expr(chunk, node->a);
		chunk_puts(chunk, ", ");
	}
	emit_single(chunk, node);
	chunk_putc(chunk, ')');
}

/* The left operand of a chain is written without nesting: a sum of thousands of terms is flat in Lua. */
static void
emit_chain(struct chunk *chunk, const struct node *node)
{
	char chain = lua_ops[node->op].chain;
	const struct node *first = node;
	const struct node **links = NULL;
	uint32_t n = 0, cap = 0;

	do {
		links = arena_grow(chunk->arena, links, n, &cap, sizeof(*links));
		links[n++] = first;
		first = first->a;
	} while (chain && first->kind == NODE_BINARY && lua_ops[first->op].chain == chain);
	emit_operand(chunk, first);
	while (n--) {
		chunk_puts(chunk, lua_ops[links[n]->op].infix);
		emit_operand(chunk, links[n]->b);
	}
}

static void
emit_binary(struct chunk *chunk, const struct node *node)
{
	const struct lua_op *op = &lua_ops[node->op];

	if (node->op == TOKEN_CONCAT) {
		emit_concat(chunk, node);
	} else if (op->call) {
		chunk_puts(chunk, op->call);
		chunk_expr(chunk, node->a);
		chunk_puts(chunk, ", ");
		chunk_expr(chunk, node->b);
		chunk_putc(chunk, ')');
	} else if (op->infix) {
		emit_chain(chunk, node);
	} else {
		diag_error(chunk->diags, node->span, "no-operator",
			   "this operator does not exist in the control half");
		chunk_puts(chunk, "nil");
	}
}

static void
emit_unary(struct chunk *chunk, const struct node *node)
{
	chunk_puts(chunk, node->op == TOKEN_MINUS ? "-" : node->op == TOKEN_NOT ? "not " : "K.bnot");
	chunk_putc(chunk, '('); /* always, since `--` begins a comment */
	chunk_expr(chunk, node->a);
	chunk_putc(chunk, ')');
}

/* Can the value not be nil or false? */
static bool
is_always_true(const struct node *node)
{
	switch (node->kind) {
	case NODE_INT:
	case NODE_STR:
	case NODE_TRUE:
	case NODE_TABLE: return true;
	case NODE_PAREN: return is_always_true(node->a);
	case NODE_UNARY: return node->op != TOKEN_NOT;
	case NODE_BINARY:
		return (lua_ops[node->op].call && node->op != TOKEN_TILDE) || node->op == TOKEN_PLUS || node->op == TOKEN_MINUS ||
		       node->op == TOKEN_STAR;
	default: /* of the many kinds of node, only these are known */ return false;
	}
}

static void
emit_cond(struct chunk *chunk, const struct node *node)
{
	const char *args = chunk->function.is_vararg ? "..." : "";

	chunk->depth += 4; /* that many more of Lua's levels than of ours */
	if (is_always_true(node->b)) {
		chunk_putc(chunk, '(');
		emit_operand(chunk, node->a);
		chunk_puts(chunk, " and ");
		emit_operand(chunk, node->b);
		chunk_puts(chunk, " or ");
		emit_operand(chunk, node->c);
		chunk_putc(chunk, ')');
	} else {
		chunk_printf(chunk, "(function(%s) if ", args);
		chunk_expr(chunk, node->a);
		chunk_puts(chunk, " then return (");
		chunk_expr(chunk, node->b);
		chunk_puts(chunk, ") else return (");
		chunk_expr(chunk, node->c);
		chunk_printf(chunk, ") end end)(%s)", args);
	}
	chunk->depth -= 4;
}

/* A handler stands for its number; other functions of the probe half are not there. */
static void
emit_function_value(struct chunk *chunk, const struct function *function)
{
	if (function->handler != UINT32_MAX)
		chunk_printf(chunk, "%u", function->handler);
	else if (function->in_control)
		chunk_function(chunk, function);
	else
		chunk_puts(chunk, "nil");
}

static void
emit_expr_kind(struct chunk *chunk, const struct node *node)
{
	switch (node->kind) {
	case NODE_NIL: chunk_puts(chunk, "nil"); break;
	case NODE_TRUE: chunk_puts(chunk, "true"); break;
	case NODE_FALSE: chunk_puts(chunk, "false"); break;
	case NODE_INT: emit_int(chunk, node->number); break;
	case NODE_STR: chunk_string(chunk, node->s, node->len); break;
	case NODE_VARARG: chunk_puts(chunk, "..."); break;
	case NODE_TABLE: emit_table(chunk, node); break;
	case NODE_FUNCTION: emit_function_value(chunk, node->function); break;
	case NODE_NAME: chunk_name(chunk, node); break;
	case NODE_INDEX: emit_index(chunk, node); break;
	case NODE_CALL: emit_call(chunk, node); break;
	case NODE_METHOD: emit_method(chunk, node); break;
	case NODE_UNARY: emit_unary(chunk, node); break;
	case NODE_BINARY: emit_binary(chunk, node); break;
	case NODE_COND: emit_cond(chunk, node); break;
	case NODE_PAREN:
		chunk_putc(chunk, '(');
		chunk_expr(chunk, node->a);
		chunk_putc(chunk, ')');
		break;
	case NODE_ARG: event_only(chunk, node, "argN"); break;
	case NODE_ARGS: event_only(chunk, node, "args"); break;
	default: /* statements, and NODE_ERROR, which was reported */ chunk_puts(chunk, "nil"); break;
	}
}

void
chunk_expr(struct chunk *chunk, const struct node *node)
{
	chunk_sync_line(chunk, node->span);
	if (chunk_enter(chunk, node))
		emit_expr_kind(chunk, node);
	else
		chunk_puts(chunk, "nil");
	chunk->depth--;
}
