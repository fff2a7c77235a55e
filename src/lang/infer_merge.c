/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Merging types, with messages that show both places. Literals decide types most often, and their place is the best explanation.
 */
#include "lang/infer_int.h"

struct type *
infer_type(struct infer *infer, enum type_kind kind, struct span span)
{
	return type_new(infer->arena, kind, span);
}

void
infer_note_origin(struct infer *infer, struct diag *diag, const struct type *type, struct span here)
{
	if (type->span.off != here.off && type->span.len)
		diag_note(infer->diags, diag, type->span, "%s because of this", type_name(type));
}

struct diag *
infer_report_conflict(struct infer *infer, const struct type *left, const struct type *right, struct span span, const char *what)
{
	struct diag *diag;

	if (left->kind == TYPE_TABLE && right->kind == TYPE_TABLE) {
		diag = diag_error(infer->diags, span, "key-count", "%s: a table has %u keys here and %u there", what,
				  left->n_keys, right->n_keys);
	} else {
		diag = diag_error(infer->diags, span, "type-conflict", "%s: %s here, but %s elsewhere", what, type_name(right),
				  type_name(left));
		if (left->kind == TYPE_KERNEL || right->kind == TYPE_KERNEL)
			diag_help(infer->diags, diag, "a place holds the addresses of one kind of structure, or numbers; cast() it where it is used");
		if ((left->kind == TYPE_STAT && right->kind == TYPE_TABLE) || (left->kind == TYPE_TABLE && right->kind == TYPE_STAT))
			diag_help(infer->diags, diag, "a single statistic is declared without a value, `var s`; a table holds several: t[k] <<< x");
		if ((left->kind == TYPE_EVENT && right->kind == TYPE_STR) || (left->kind == TYPE_STR && right->kind == TYPE_EVENT))
			diag_help(infer->diags, diag, "probename is a number that is printed as a name; give it a variable or "
						      "table of its own");
	}
	infer_note_origin(infer, diag, left, span);
	infer_note_origin(infer, diag, right, span);
	return diag;
}

bool
infer_unify(struct infer *infer, struct type *a, struct type *b, struct span span, const char *what)
{
	struct type *left, *right;

	if (type_unify(a, b, &left, &right))
		return true;
	infer_report_conflict(infer, left, right, span, what);
	return false;
}

static bool
is_number_or_text(const struct type *type)
{
	return type->kind == TYPE_INT || type->kind == TYPE_STR || type->kind == TYPE_BOOL;
}

bool
infer_unify_element(struct infer *infer, struct type *element, struct type *type, struct span span)
{
	struct type *left, *right;
	struct diag *diag;

	if (type_unify(element, type, &left, &right))
		return true;
	diag = infer_report_conflict(infer, left, right, span, "table element");
	if (is_number_or_text(left) && is_number_or_text(right))
		diag_help(infer->diags, diag, "all elements of a table, and of tables in it, have one type: keep the others in a table of their own, "
					      "names[pid] = execname");
	return false;
}

void
infer_require(struct infer *infer, struct node *node, enum type_kind kind, const char *what)
{
	struct type *type = infer_exp(infer, node), *needed = infer_type(infer, kind, node->span), *left, *right;
	struct diag *diag;

	if (kind == TYPE_INT && type_find(type)->kind == TYPE_KERNEL)
		return; /* its address */
	if (type_unify(needed, type, &left, &right))
		return;
	diag = diag_error(infer->diags, node->span, "type-conflict", "%s must be %s, but this is %s", what, type_name(needed),
			  type_name(type));
	infer_note_origin(infer, diag, right, node->span);
	if (kind == TYPE_STR && (type_find(type)->kind == TYPE_INT || type_find(type)->kind == TYPE_EVENT || type_find(type)->kind == TYPE_BOOL))
		diag_help(infer->diags, diag, "stringof(x) makes a text of it");
	else if (kind == TYPE_INT && type_find(type)->kind == TYPE_STR)
		diag_help(infer->diags, diag, "texts are joined by `..`; stringof(x) makes one of a number");
}

struct type *
infer_settle(struct infer *infer, struct node *node, struct type *type, bool nullable)
{
	if (!node->type)
		node->type = type;
	else if (type_find(node->type) != type_find(type))
		infer_unify(infer, node->type, type, node->span, "expression");
	if (nullable && !node->nullable) {
		node->nullable = true;
		infer->changed = true;
	}
	return node->type;
}

struct type *
infer_variable(struct infer *infer, struct variable *var)
{
	if (!var->type) {
		var->type = infer_type(infer, TYPE_UNKNOWN, var->span);
		infer->changed = true;
	}
	return var->type;
}

void
infer_nullable(struct infer *infer, struct variable *var)
{
	if (!var->nullable) {
		var->nullable = true;
		infer->changed = true;
	}
}

bool
infer_is_event(struct node *node, struct type *other)
{
	while (node->kind == NODE_PAREN)
		node = node->a;
	return node->kind == NODE_STR && type_find(other)->kind == TYPE_EVENT;
}

struct type *
infer_against(struct infer *infer, struct node *node, struct type *other)
{
	struct type *type;

	if (!infer_is_event(node, other))
		return infer_exp(infer, node);
	type = infer_type(infer, TYPE_EVENT, node->span);
	for (node->type = type; node->kind == NODE_PAREN; node->type = type)
		node = node->a;
	return type;
}
