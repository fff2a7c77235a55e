/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Elements of tables: the types of keys and values, and what probes do with them, which decides the table's representation.
 */
#include "lang/infer_int.h"

static void
infer_keys(struct infer *infer, struct node *node, struct type *table)
{
	uint32_t n = 0;

	for (struct node *key = node->b; key; key = key->next, n++) {
		struct type *type;

		if (n == ARRAY_SIZE(table->key)) {
			diag_error(infer->diags, key->span, "key-count", "a table has at most %zu keys", ARRAY_SIZE(table->key));
			return;
		}
		if (!table->key[n]) {
			table->key[n] = infer_type(infer, TYPE_UNKNOWN, key->span);
			infer->changed = true;
		}
		type = infer_against(infer, key, table->key[n]);
		infer_unify(infer, table->key[n], type, key->span, "table key");
		switch (type_find(table->key[n])->kind) {
		case TYPE_TABLE:
		case TYPE_ARGSTR:
			diag_error(infer->diags, key->span, "key-type", "%s cannot be a table key in a probe", type_name(table->key[n]));
			break;
		default:
			break;
		}
	}
	if (!table->n_keys) {
		table->n_keys = n;
		infer->changed = true;
	} else if (table->n_keys != n) {
		struct diag *diag = diag_error(infer->diags, node->span, "key-count", "this table has %u key%s, not %u", table->n_keys,
					       table->n_keys == 1 ? "" : "s", n);

		infer_note_origin(infer, diag, table->key[0], node->b->span);
	}
}

/* Of what an element is looked for: a name or an element that is used as a table is one. */
static struct type *
used_as_table(struct infer *infer, struct node *node)
{
	struct type *table = type_find(node->kind == NODE_INDEX ? infer_index(infer, node, ACCESS_INNER) : infer_exp(infer, node));

	if (table->kind == TYPE_UNKNOWN && (node->kind == NODE_NAME || node->kind == NODE_INDEX)) {
		table->kind = TYPE_TABLE;
		table->span = node->span;
		infer->changed = true;
	}
	return table;
}

/* The type of a table's elements, made when there is none yet. */
static struct type *
element_type(struct infer *infer, struct type *table, struct span span)
{
	if (!table->value) {
		table->value = infer_type(infer, TYPE_UNKNOWN, span);
		infer->changed = true;
	}
	return table->value;
}

/* Does the expression name a table, or one that is an element of a named one? */
static bool
is_table_name(const struct node *node)
{
	while (node->kind == NODE_INDEX)
		node = node->a;
	return node->kind == NODE_NAME;
}

struct type *
infer_table(struct infer *infer, struct node *node, const char *what)
{
	struct type *table = used_as_table(infer, node);
	struct diag *diag;

	if (table->kind != TYPE_TABLE || !is_table_name(node)) {
		diag = diag_error(infer->diags, node->span, "not-a-table", "%s needs a table's name in a probe, not %s", what,
				  type_name(table));
		if (node->kind == NODE_INDEX && table->kind != TYPE_TABLE)
			diag_help(infer->diags, diag, "assigning nil removes an element: t[k] = nil");
		return NULL;
	}
	table->probe_reads = true;
	element_type(infer, table, node->span);
	return table;
}

struct type *
infer_walked(struct infer *infer, struct node *node)
{
	struct type *table = infer_table(infer, node, "pairs()");
	struct diag *diag;

	if (table && type_find(table->value)->kind == TYPE_TABLE) {
		diag = diag_error(infer->diags, node->span, "for-in-probe", "a probe cannot walk a table whose elements are tables");
		diag_help(infer->diags, diag, "it can walk an element: for (k, v in pairs(t[a])); tick and trace_end walk both");
	}
	return table;
}

struct type *
infer_index(struct infer *infer, struct node *node, enum access access)
{
	struct type *table;

	if (node->a->kind == NODE_ARGS)
		return infer_args_name(infer, node);
	infer_follow(infer, node->a);
	table = used_as_table(infer, node->a);
	if (table->kind == TYPE_KERNEL)
		return infer_member(infer, node);
	if (table->kind != TYPE_TABLE || !is_table_name(node->a)) {
		diag_error(infer->diags, node->a->span, "not-a-table", "%s cannot be indexed", type_name(table));
		infer_list(infer, node->b);
		return infer_settle(infer, node, infer_type(infer, TYPE_UNKNOWN, node->span), true);
	}
	infer_keys(infer, node, table);
	table->probe_reads |= access == ACCESS_READ;
	table->probe_sets |= access == ACCESS_SET;
	table->probe_adds |= access == ACCESS_ADD;
	return infer_settle(infer, node, element_type(infer, table, node->span), access == ACCESS_READ);
}

void
infer_check_no_table(struct infer *infer, const struct node *node)
{
	struct diag *diag;

	if (!node->type || type_find(node->type)->kind != TYPE_TABLE)
		return;
	diag = diag_error(infer->diags, node->span, "table-value", "a table is not a value in a probe");
	if (node->kind == NODE_INDEX)
		diag_help(infer->diags, diag, "the elements here are tables: take an element of one, t[a][b]; len(t[a]) > 0 tells whether it has any");
	else
		diag_help(infer->diags, diag, "take an element of it, t[k], or walk it: for (k, v in pairs(t))");
}
