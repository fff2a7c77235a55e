/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Types of expressions of the probe half.
 */
#include <string.h>

#include "lang/infer_int.h"
#include "lang/lex.h"

static struct type *
infer_name(struct infer *infer, struct node *node)
{
	if (node->builtin)
		return infer_builtin_value(infer, node);
	if (!node->var || node->var->constant)
		return infer_settle(infer, node, infer_type(infer, TYPE_UNKNOWN, node->span), false);
	return infer_settle(infer, node, infer_variable(infer, node->var), node->var->nullable);
}

static void
report_word(struct infer *infer, const struct node *word, const struct type *left)
{
	struct diag *diag = diag_error(infer->diags, word->span, "filter-word", "'%s' is neither a variable nor a field of these events, so it is text, "
				       "but it is compared with %s", word->s, type_name(left));

	if (foreign_is_constant(word->s))
		diag_help(infer->diags, diag, FOREIGN_CONSTANT, word->s);
	else
		diag_help(infer->diags, diag, "a number is compared with a number; a text with what is one, as in comm == %s", word->s);
}

static bool
is_literal(const struct node *node)
{
	while (node->kind == NODE_PAREN)
		node = node->a;
	return node->kind == NODE_STR;
}

/* What is equal to nothing of the other kind. A kernel structure is its address. */
static bool
may_be_equal(enum type_kind a, enum type_kind b)
{
	a = a == TYPE_KERNEL ? TYPE_INT : a;
	b = b == TYPE_KERNEL ? TYPE_INT : b;
	return a == b || a == TYPE_UNKNOWN || b == TYPE_UNKNOWN;
}

static void
warn_never_equal(struct infer *infer, const struct node *node, enum type_kind left, enum type_kind right)
{
	bool text = left == TYPE_STR || right == TYPE_STR, number = left == TYPE_INT || right == TYPE_INT;
	struct diag *diag = diag_warning(infer->diags, node->span, "never-equal", "%s and %s are never equal", type_name(node->a->type),
					 type_name(node->b->type));

	if (text && number)
		diag_help(infer->diags, diag, "a number is compared with a number, without quotes; stringof(x) makes a text of one");
}

/* == and !=: values of different types are unequal; a literal name meets an event. */
static void
infer_equal(struct infer *infer, struct node *node)
{
	struct type *left, *right, *part, *other;

	if (is_literal(node->a)) {
		right = infer_exp(infer, node->b);
		left = infer_against(infer, node->a, right);
	} else {
		left = infer_exp(infer, node->a);
		right = infer_against(infer, node->b, left);
	}
	if (node->b->word && node->b->kind == NODE_STR && (type_find(left)->kind == TYPE_INT || type_find(left)->kind == TYPE_BOOL))
		report_word(infer, node->b, left);
	else if (infer->settled && !may_be_equal(type_find(left)->kind, type_find(right)->kind))
		warn_never_equal(infer, node, type_find(left)->kind, type_find(right)->kind);
	type_unify(left, right, &part, &other);
	for (struct node *side = node->a; side; side = side == node->a ? node->b : NULL) {
		enum type_kind kind = type_find(side->type)->kind;

		if (kind == TYPE_TABLE || kind == TYPE_ARGSTR)
			diag_error(infer->diags, side->span, "compare", "a probe cannot compare a %s", type_name(side->type));
	}
}

/* A string, or an event, whose name is looked up. */
static void
infer_text(struct infer *infer, struct node *node, const char *what)
{
	if (type_find(infer_exp(infer, node))->kind != TYPE_EVENT)
		infer_require(infer, node, TYPE_STR, what);
}

/* < and its like: two numbers, or two texts. Where neither side is known yet, a later walk sees. */
static void
infer_order(struct infer *infer, struct node *node)
{
	static const char what[] = "comparison by order";
	enum type_kind left = type_find(infer_exp(infer, node->a))->kind, right = type_find(infer_exp(infer, node->b))->kind;
	struct type *part, *other;

	if (left == TYPE_STR || right == TYPE_STR || left == TYPE_EVENT || right == TYPE_EVENT) {
		infer_text(infer, node->a, what);
		infer_text(infer, node->b, what);
	} else if (left == TYPE_UNKNOWN && right == TYPE_UNKNOWN) {
		type_unify(node->a->type, node->b->type, &part, &other);
	} else {
		infer_require(infer, node->a, TYPE_INT, what);
		infer_require(infer, node->b, TYPE_INT, what);
	}
}

/* A string that grows from walk to walk is joined to itself, in a loop or from event to event: it gets the largest size. */
static struct type *
infer_concat(struct infer *infer, struct node *node)
{
	struct type *type = infer_type(infer, TYPE_STR, node->span);
	uint32_t before = node->type ? type_find(node->type)->str_size : 0;

	infer_require(infer, node->a, TYPE_STR, "operand of '..'");
	infer_require(infer, node->b, TYPE_STR, "operand of '..'");
	type->str_size = type_str_size(type_find(node->a->type)->str_size + type_find(node->b->type)->str_size - 2);
	if (before && before < type->str_size)
		type->str_size = STR_SIZE_MAX;
	infer_settle(infer, node, type, false);
	infer->changed |= type_find(node->type)->str_size != before;
	return node->type;
}

/* a && b || c of Lua is a ? b : c. */
static void
infer_both_sides(struct infer *infer, struct node *node)
{
	struct type *left = infer_exp(infer, node->a), *right = infer_exp(infer, node->b), *part, *other;
	struct diag *diag;

	if (type_unify(left, right, &part, &other))
		return;
	diag = infer_report_conflict(infer, part, other, node->b->span, node->op == TOKEN_AND ? "value of '&&'" : "value of '||'");
	diag_help(infer->diags, diag, "c ? x : y is x where c is true, else y");
}

static struct type *
infer_binary(struct infer *infer, struct node *node)
{

	switch ((int)node->op) {
	case TOKEN_AND:
	case TOKEN_OR:
		infer_both_sides(infer, node);
		return infer_settle(infer, node, node->a->type, node->b->nullable || (node->op == TOKEN_AND && node->a->nullable));
	case TOKEN_EQ:
	case TOKEN_NE:
		infer_equal(infer, node);
		return infer_settle(infer, node, infer_type(infer, TYPE_BOOL, node->span), false);
	case TOKEN_LT:
	case TOKEN_LE:
	case TOKEN_GT:
	case TOKEN_GE:
		infer_order(infer, node);
		return infer_settle(infer, node, infer_type(infer, TYPE_BOOL, node->span), false);
	case TOKEN_CONCAT:
		return infer_concat(infer, node);
	case TOKEN_TILDE:
		infer_text(infer, node->a, "text that a pattern is compared with");
		infer_exp(infer, node->b);
		return infer_settle(infer, node, infer_type(infer, TYPE_BOOL, node->span), false);
	default:
		infer_require(infer, node->a, TYPE_INT, "operand of an arithmetic operator");
		infer_require(infer, node->b, TYPE_INT, "operand of an arithmetic operator");
		return infer_settle(infer, node, infer_type(infer, TYPE_INT, node->span), false);
	}
}

/*
 * Who writes if (retval), or /retval/, thinks of C, where 0 is false. In a filter it would let all through. Of a value that may be nil it is a
 * question, and while (1) is none; what one call of a function gives it, another may not.
 */
static void
check_truth(struct infer *infer, const struct node *node)
{
	enum type_kind kind = type_find(node->type)->kind;
	struct diag *diag;

	if (kind == TYPE_UNKNOWN || kind == TYPE_BOOL || kind == TYPE_TABLE || node->nullable || node->kind == NODE_INT || node->kind == NODE_STR ||
	    (node->kind == NODE_NAME && node->var && node->var->is_param))
		return;
	if (kind == TYPE_INT && infer->in_filter && !infer->inlined)
		diag = diag_error(infer->diags, node->span, "filter-number", "a number is always true, even 0");
	else
		diag = diag_warning(infer->diags, node->span, "always-true", "%s is always true: only nil and false are not",
				    type_name(node->type));
	if (kind == TYPE_INT || kind == TYPE_KERNEL || kind == TYPE_STR)
		diag_help(infer->diags, diag, "compare it: != %s", kind == TYPE_STR ? "\"\"" : "0");
}

/* Where only truth counts, the sides of && and || need not agree. */
void
infer_condition(struct infer *infer, struct node *node)
{
	if (node->kind == NODE_PAREN) {
		infer_condition(infer, node->a);
	} else if (node->kind == NODE_UNARY && node->op == TOKEN_NOT) {
		infer_condition(infer, node->a);
	} else if (node->kind == NODE_BINARY && (node->op == TOKEN_AND || node->op == TOKEN_OR)) {
		infer_condition(infer, node->a);
		infer_condition(infer, node->b);
	} else {
		infer_exp(infer, node);
		infer_check_no_table(infer, node);
		if (infer->settled)
			check_truth(infer, node);
		return;
	}
	infer_settle(infer, node, infer_type(infer, TYPE_BOOL, node->span), false);
}

static struct type *
infer_unary(struct infer *infer, struct node *node)
{
	if (node->op == TOKEN_NOT) {
		infer_condition(infer, node->a);
		return infer_settle(infer, node, infer_type(infer, TYPE_BOOL, node->span), false);
	}
	infer_require(infer, node->a, TYPE_INT, "operand of an arithmetic operator");
	return infer_settle(infer, node, infer_type(infer, TYPE_INT, node->span), false);
}

static struct type *
infer_str(struct infer *infer, struct node *node)
{
	struct type *type = infer_type(infer, TYPE_STR, node->span);

	if (node->type) /* also where a literal name was taken for an event */
		return node->type;
	type->str_size = type_str_size(node->len);
	if (node->len >= STR_SIZE_MAX)
		diag_error(infer->diags, node->span, "long-string", "a string in a probe has at most %d bytes, this one %u",
			   STR_SIZE_MAX - 1, node->len);
	else if (memchr(node->s, 0, node->len))
		diag_error(infer->diags, node->span, "zero-byte", "a string in a probe ends at its first zero byte, and this one goes on");
	return infer_settle(infer, node, type, false);
}

struct type *
infer_exp(struct infer *infer, struct node *node)
{
	struct type *type;

	switch (node->kind) {
	case NODE_NIL:
		return infer_settle(infer, node, node->type ? node->type : infer_type(infer, TYPE_UNKNOWN, node->span), true);
	case NODE_TRUE:
	case NODE_FALSE:
		return infer_settle(infer, node, infer_type(infer, TYPE_BOOL, node->span), false);
	case NODE_INT:
		return infer_settle(infer, node, infer_type(infer, TYPE_INT, node->span), false);
	case NODE_STR:
		return infer_str(infer, node);
	case NODE_NAME:
		type = infer_name(infer, node);
		infer_check_no_stat(infer, node);
		return type;
	case NODE_ARG:
		return infer_arg(infer, node);
	case NODE_ARGS:
		return infer_argstr(infer, node);
	case NODE_INDEX:
		type = infer_index(infer, node, ACCESS_READ);
		infer_check_no_stat(infer, node);
		return type;
	case NODE_CALL:
		return infer_call(infer, node);
	case NODE_UNARY:
		return infer_unary(infer, node);
	case NODE_BINARY:
		return infer_binary(infer, node);
	case NODE_PAREN:
		type = infer_exp(infer, node->a);
		return infer_settle(infer, node, type, node->a->nullable);
	case NODE_COND:
		infer_condition(infer, node->a);
		type = infer_exp(infer, node->b);
		infer_unify(infer, type, infer_exp(infer, node->c), node->c->span, "sides of '? :'");
		return infer_settle(infer, node, type, node->b->nullable || node->c->nullable);
	default: /* statements never stand here; ERROR, tables, functions, methods and '...' were reported before */
		return infer_settle(infer, node, infer_type(infer, TYPE_UNKNOWN, node->span), true);
	}
}
