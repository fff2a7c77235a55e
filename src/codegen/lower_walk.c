/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Walks over tables in the probe half: for (k, v in pairs(t)), len(t), t[a] = nil and delete(t). Each is a function that the helper calls back with every
 * element's key and value. Of a table in a table, t[a], the elements are those whose keys begin with a: the function passes over the
 * others, so that such a walk takes as long as one over all of t.
 *
 *     key of t[a, b][c]   | a | b | c |
 *                         prefix   ^ where the element's own key begins
 */
#include "codegen/lower_int.h"

struct walk {
	uint32_t index;             /* of the table */
	uint32_t n_parts;           /* of keys, in the prefix */
	uint32_t next, done, none;  /* labels: the next element; leave; there are no elements, behind the walk */
	struct mem key;             /* the element's, behind the prefix */
	struct callback callback;
};

/* What follows runs for each element, to use it so (enum use); `node`: a table's NAME, or the INDEX of a table in it. */
static void
walk_begin(struct lowering *l, struct walk *walk, const struct node *node, unsigned use, uint32_t on_nil)
{
	struct mem prefix;
	uint32_t size;

	walk->index = table_of(l, node, use);
	prefix = table_prefix(l, l->object->tables[walk->index], node, on_nil, &size, &walk->n_parts);
	callback_begin(l, &walk->callback, CONTEXT_OF_EACH);
	walk->next = ir_label(&l->ir);
	walk->done = ir_label(&l->ir);
	walk->key = (struct mem){ .base = l->ir.element_key };
	for (uint32_t i = 0; i < size; i += 8)
		ir_branch(&l->ir, BPF_JNE, ir_load(&l->ir, BPF_DW, prefix.base, prefix.off + (int32_t)i),
			  ir_load(&l->ir, BPF_DW, walk->key.base, (int32_t)i), walk->next);
	walk->key.off += (int32_t)size;
}

static void
walk_end(struct lowering *l, struct walk *walk)
{
	ir_bind(&l->ir, walk->next);
	callback_exit(l, 0);
	ir_bind(&l->ir, walk->done);
	callback_exit(l, 1);
	callback_end(l, &walk->callback);
	callback_call(l, &walk->callback, BPF_FUNC_for_each_map_elem, table_handle(l, walk->index));
}

/* Gives a variable the part of a key, or the value, that stands at `at` of an element. */
static void
assign_part(struct lowering *l, struct variable *var, const struct shape *shape, struct mem at)
{
	struct type *type = type_find(var->type);
	struct val val = { .kind = val_kind(type), .present = NO_VREG, .reg = NO_VREG, .mem = at, .str_size = shape->size };

	if (type->kind != TYPE_STR)
		val.reg = ir_load(&l->ir, shape->size == 4 ? BPF_W : BPF_DW, at.base, at.off);
	variable_declare(l, var);
	variable_assign(l, var, &val);
}

void
lower_for_in(struct lowering *l, struct node *node)
{
	struct memory_mark mark = memory_mark(l);
	struct node *name = node->a;
	struct val nil = val_nil();
	const struct table *table;
	struct walk walk = { .none = ir_label(&l->ir) };

	walk_begin(l, &walk, node->b->b, USE_READ, walk.none);
	table = l->object->tables[walk.index];
	loop_count(l, NO_VREG);
	for (uint32_t i = walk.n_parts; name && i < table->n_key_parts; i++, name = name->next) {
		assign_part(l, name->var, &table->key[i], walk.key);
		walk.key = memory_at(walk.key, (int32_t)table->key[i].size);
	}
	if (name)
		assign_part(l, name->var, &table->value, (struct mem){ .base = l->ir.element_value });
	for (name = name ? name->next : NULL; name; name = name->next) {
		variable_declare(l, name->var);
		variable_assign(l, name->var, &nil);
	}
	lower_body(l, node->c, walk.done, walk.next);
	walk_end(l, &walk);
	ir_bind(&l->ir, walk.none);
	memory_release(l, mark);
}

struct val
lower_table_len(struct lowering *l, struct node *node)
{
	struct walk walk = { .none = ir_label(&l->ir) };
	struct mem n = memory_scratch(l, 8);
	struct ir *ir = &l->ir;

	ir_store_imm(ir, BPF_DW, n.base, n.off, 0);
	walk_begin(l, &walk, node, USE_READ, walk.none);
	ir_store(ir, BPF_DW, n.base, n.off, ir_alu_imm(ir, BPF_ADD, ir_load(ir, BPF_DW, n.base, n.off), 1));
	walk_end(l, &walk);
	ir_bind(ir, walk.none);
	return val_number(TYPE_INT, ir_load(ir, BPF_DW, n.base, n.off));
}

void
lower_empty(struct lowering *l, struct node *node)
{
	struct walk walk;

	walk_begin(l, &walk, node, USE_SET, lower_failure(l, COUNTER_NIL_KEY));
	element_remove(l, walk.index, (struct mem){ .base = l->ir.element_key });
	walk_end(l, &walk);
}
