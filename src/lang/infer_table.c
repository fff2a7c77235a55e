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

struct type *
infer_index(struct infer *infer, struct node *node, enum access access)
{
	struct type *table;
	struct diag *diag;

	if (node->a->kind == NODE_ARGS)
		return infer_args_name(infer, node);
	infer_exp(infer, node->a);
	table = type_find(node->a->type);
	if (table->kind == TYPE_UNKNOWN && node->a->kind == NODE_NAME) {
		table->kind = TYPE_TABLE;
		table->span = node->span;
		infer->changed = true;
	}
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
