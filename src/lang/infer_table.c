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

/* A name that is used as a table is one. */
static struct type *
name_table(struct infer *infer, struct node *name)
{
	struct type *table;

	infer_exp(infer, name);
	table = type_find(name->type);
	if (table->kind == TYPE_UNKNOWN && name->kind == NODE_NAME) {
		table->kind = TYPE_TABLE;
		table->span = name->span;
		infer->changed = true;
	}
	return table;
}

struct type *
infer_walked(struct infer *infer, struct node *name)
{
	struct type *table = name_table(infer, name);

	if (table->kind != TYPE_TABLE || name->kind != NODE_NAME) {
		diag_error(infer->diags, name->span, "not-a-table", "pairs() needs a table's name in a probe, not %s", type_name(table));
		return NULL;
	}
	table->probe_reads = true;
	if (!table->value) {
		table->value = infer_type(infer, TYPE_UNKNOWN, name->span);
		infer->changed = true;
	}
	return table;
}

struct type *
infer_index(struct infer *infer, struct node *node, enum access access)
{
	struct type *table;
	struct diag *diag;

	if (node->a->kind == NODE_ARGS)
		return infer_args_name(infer, node);
	table = name_table(infer, node->a);
	if (table->kind == TYPE_KERNEL)
		return infer_member(infer, node);
	if (table->kind != TYPE_TABLE || node->a->kind != NODE_NAME) {
		if (table->kind == TYPE_UNKNOWN || table->kind == TYPE_TABLE) {
			diag = diag_error(infer->diags, node->span, "nested-table", "a probe cannot look into a table inside a table");
			diag_help(infer->diags, diag, "use one table with two keys: t[a, b]");
		} else {
			diag_error(infer->diags, node->a->span, "not-a-table", "%s cannot be indexed", type_name(table));
		}
		infer_list(infer, node->b);
		return infer_settle(infer, node, infer_type(infer, TYPE_UNKNOWN, node->span), true);
	}
	infer_keys(infer, node, table);
	table->probe_reads |= access == ACCESS_READ;
	table->probe_sets |= access == ACCESS_SET;
	table->probe_adds |= access == ACCESS_ADD;
	if (!table->value) {
		table->value = infer_type(infer, TYPE_UNKNOWN, node->span);
		infer->changed = true;
	}
	return infer_settle(infer, node, table->value, access == ACCESS_READ);
}
