/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Elements of tables: t[k], t[k] = v, t[k] += v, in the probe half. Of tables in tables, t[a][b], there is one table of the object, with
 * the keys one behind the other.
 */
#include <errno.h>

#include "codegen/lower_int.h"

uint32_t
table_of(struct lowering *l, const struct node *node, unsigned use)
{
	const struct variable *var;
	struct diag *diag;

	while (node->kind == NODE_INDEX)
		node = node->a;
	var = node->var->table ? node->var->table : node->var;
	if (variable_is_shared(var)) {
		l->object->tables[var->index]->use |= use;
		return var->index;
	}
	diag = diag_error(l->diags, node->span, "not-a-table", "'%s' is not a table here", var->name);
	diag_help(l->diags, diag, "a probe cannot make one: declare it in the main chunk, var %s = {}", var->name);
	return l->object->table_event_info; /* any table, so that the rest is looked at */
}

int
table_handle(struct lowering *l, uint32_t index)
{
	int handle = ir_pointer(&l->ir);

	ir_add(&l->ir, (struct ir_insn){ .op = IR_TABLE, .dst = handle, .a = NO_VREG, .b = NO_VREG, .imm = index });
	return handle;
}

/* The parts of a key in the order of the text, outer tables' first. Returns how many. */
static uint32_t
key_parts(struct lowering *l, const struct table *table, const struct node *node, struct val *parts)
{
	uint32_t n = 0;

	if (node->kind != NODE_INDEX)
		return 0;
	n = key_parts(l, table, node->a, parts);
	for (struct node *key = node->b; key && n < table->n_key_parts; key = key->next, n++)
		parts[n] = lower_exp(l, key);
	return n;
}

static void
store_key(struct lowering *l, const struct table *table, const struct val *parts, uint32_t n, struct mem mem, uint32_t on_nil)
{
	for (uint32_t i = 0; i < n; i++) {
		const struct shape *shape = &table->key[i];

		if (parts[i].kind == TYPE_NIL)
			ir_jump(&l->ir, on_nil);
		else if (parts[i].present != NO_VREG)
			ir_branch_imm(&l->ir, BPF_JEQ, parts[i].present, 0, on_nil);
		if (shape->kind == VALUE_STR && parts[i].kind == TYPE_STR)
			string_store(l, mem, shape->size, &parts[i]);
		else if (parts[i].is_const || parts[i].kind == TYPE_NIL)
			ir_store_imm(&l->ir, shape->size == 4 ? BPF_W : BPF_DW, mem.base, mem.off, parts[i].imm);
		else
			ir_store(&l->ir, shape->size == 4 ? BPF_W : BPF_DW, mem.base, mem.off, parts[i].reg);
		mem = memory_at(mem, (int32_t)shape->size);
	}
}

struct mem
table_key(struct lowering *l, const struct table *table, const struct node *node, uint32_t on_nil)
{
	struct val parts[TABLE_KEY_PARTS_MAX];
	uint32_t n = key_parts(l, table, node, parts);
	struct mem mem = memory_new(l, table->key_size);

	store_key(l, table, parts, n, mem, on_nil);
	return mem;
}

struct mem
table_prefix(struct lowering *l, const struct table *table, const struct node *node, uint32_t on_nil, uint32_t *size, uint32_t *n)
{
	struct val parts[TABLE_KEY_PARTS_MAX];
	struct mem mem;

	*n = key_parts(l, table, node, parts);
	*size = 0;
	for (uint32_t i = 0; i < *n; i++)
		*size += table->key[i].size;
	mem = memory_scratch(l, *size);
	store_key(l, table, parts, *n, mem, on_nil);
	return mem;
}

int
table_lookup(struct lowering *l, uint32_t index, struct mem key)
{
	return ir_call(&l->ir, BPF_FUNC_map_lookup_elem, (int[]){ table_handle(l, index), memory_address(l, key) }, 2);
}

/* Up to Linux 6.2 the helper returns an int whose upper half is not defined, so only the lower one may be looked at. */
static int
update(struct lowering *l, uint32_t index, struct mem key, struct mem value, uint64_t flags)
{
	return ir_call(&l->ir, BPF_FUNC_map_update_elem,
		       (int[]){ table_handle(l, index), memory_address(l, key), memory_address(l, value), ir_const(&l->ir, (int64_t)flags) }, 4);
}

/* The result of an update: full and busy are counted apart. */
static void
check_update(struct lowering *l, int result)
{
	struct ir *ir = &l->ir;

	ir_branch32_imm(ir, BPF_JEQ, result, -E2BIG, lower_failure(l, COUNTER_TABLE_FULL));
	ir_branch32_imm(ir, BPF_JSLT, result, 0, lower_failure(l, COUNTER_TABLE_BUSY));
}

/* table_lookup into a vreg that there is. */
static void
lookup_into(struct lowering *l, int dst, uint32_t index, struct mem key)
{
	ir_call_into(&l->ir, dst, BPF_FUNC_map_lookup_elem, (int[]){ table_handle(l, index), memory_address(l, key) }, 2);
}

/*
 * The element, or nil. Its bytes are copied: the element may change or go while the handler runs. A jump to `absent` before this gives
 * nil too.
 */
static struct val
read_element(struct lowering *l, uint32_t index, struct mem key, uint32_t absent, enum type_kind kind)
{
	const struct table *table = l->object->tables[index];
	struct ir *ir = &l->ir;
	struct val val = { .kind = kind, .reg = NO_VREG, .present = ir_vreg(ir) };
	uint32_t done = ir_label(ir);
	int element;

	if (kind == TYPE_STR) {
		val.mem = memory_new(l, table->value.size);
		val.str_size = table->value.size;
	} else {
		val.reg = ir_vreg(ir);
	}
	element = table_lookup(l, index, key);
	ir_branch_imm(ir, BPF_JEQ, element, 0, absent);
	if (kind == TYPE_STR)
		memory_copy(l, val.mem, (struct mem){ .base = element }, table->value.size);
	else
		ir_move(ir, val.reg, ir_load(ir, BPF_DW, element, 0));
	number_set(l, val.present, 1);
	ir_jump(ir, done);
	ir_bind(ir, absent);
	number_set(l, val.present, 0);
	if (kind == TYPE_STR)
		memory_empty(l, val.mem, table->value.size);
	else
		number_set(l, val.reg, 0);
	ir_bind(ir, done);
	return val;
}

struct val
lower_index(struct lowering *l, struct node *node)
{
	uint32_t index = table_of(l, node, USE_READ), absent = ir_label(&l->ir);
	struct val val;

	if (known_read(l, index, node, &val))
		return val;
	val = read_element(l, index, table_key(l, l->object->tables[index], node, absent), absent, val_kind(node->type));
	known_note(l, index, node, &val);
	return val;
}

void
element_remove(struct lowering *l, uint32_t index, struct mem key)
{
	known_written(l, index);
	ir_call(&l->ir, BPF_FUNC_map_delete_elem, (int[]){ table_handle(l, index), memory_address(l, key) }, 2);
}

/* Assigning nil removes. */
static void
write_element(struct lowering *l, uint32_t index, struct mem key, const struct val *val)
{
	const struct table *table = l->object->tables[index];
	uint32_t remove = ir_label(&l->ir), done = ir_label(&l->ir);
	struct ir *ir = &l->ir;
	struct mem value;

	known_written(l, index);
	if (val->kind == TYPE_NIL) {
		element_remove(l, index, key);
		return;
	}
	if (val->present != NO_VREG)
		ir_branch_imm(ir, BPF_JEQ, val->present, 0, remove);
	value = memory_new(l, table->value.size);
	if (val->kind == TYPE_STR)
		string_store(l, value, table->value.size, val);
	else if (val->is_const)
		ir_store_imm(ir, BPF_DW, value.base, value.off, val->imm);
	else
		ir_store(ir, BPF_DW, value.base, value.off, val->reg);
	check_update(l, update(l, index, key, value, BPF_ANY));
	if (val->present != NO_VREG) {
		ir_jump(ir, done);
		ir_bind(ir, remove);
		element_remove(l, index, key);
	}
	ir_bind(ir, done);
}

struct mem
element_key(struct lowering *l, struct node *node)
{
	uint32_t index = table_of(l, node, USE_SET);

	if (type_find(node->type)->kind == TYPE_TABLE)
		return (struct mem){ 0 };
	return table_key(l, l->object->tables[index], node, lower_failure(l, COUNTER_NIL_KEY));
}

void
lower_set_index(struct lowering *l, struct node *node, struct mem key, const struct val *val)
{
	uint32_t index = table_of(l, node, USE_SET);
	struct val held;

	if (type_find(node->type)->kind == TYPE_TABLE) {
		lower_empty(l, node);
		return;
	}
	write_element(l, index, key, val);
	if (val->kind == TYPE_STR || val->kind == TYPE_ARGSTR || val->kind != val_kind(node->type))
		return;
	held = val_hold(l, val); /* a variable may get another value meanwhile */
	known_note(l, index, node, &held);
}

/*
 * Another CPU may insert between search and insertion, then what it inserted is found when searched a second time. A third time there is none:
 * whoever deletes it at once makes this one busy.
 */
int
table_element(struct lowering *l, uint32_t index, struct mem key)
{
	struct ir *ir = &l->ir;
	uint32_t search = ir_label(ir), found = ir_label(ir);
	int element = ir_pointer(ir), inserted = ir_const(ir, 0), result;
	struct mem zeros = { .base = ir_pointer(ir) };

	ir_bind(ir, search);
	lookup_into(l, element, index, key);
	ir_branch_imm(ir, BPF_JNE, element, 0, found);
	ir_branch_imm(ir, BPF_JNE, inserted, 0, lower_failure(l, COUNTER_TABLE_BUSY));
	ir_add(ir, (struct ir_insn){ .op = IR_GLOBAL, .dst = zeros.base, .a = NO_VREG, .b = NO_VREG, .imm = lower_zeros(l) });
	result = update(l, index, key, zeros, BPF_NOEXIST);
	ir_set(ir, inserted, 1);
	ir_branch32_imm(ir, BPF_JNE, result, -E2BIG, search);
	ir_jump(ir, lower_failure(l, COUNTER_TABLE_FULL));
	ir_bind(ir, found);
	return element;
}

/*
 * t[k] += amount: one search and an atomic add in place; only the first time an insertion. Returns what the element holds then (of an array
 * of values for each CPU, this one's).
 */
static struct val
add_element(struct lowering *l, uint32_t index, struct mem key, const struct val *amount)
{
	const struct table *table = l->object->tables[index];
	struct ir *ir = &l->ir;
	int element;

	known_written(l, index);
	if (table_kind_is_array(table->kind)) {
		element = table_lookup(l, index, key);
		ir_branch_imm(ir, BPF_JEQ, element, 0, lower_failure(l, COUNTER_TABLE_FULL));
	} else {
		element = table_element(l, index, key);
	}
	ir_add(ir, (struct ir_insn){ .op = IR_ATOMIC_ADD, .dst = NO_VREG, .a = element, .b = val_reg(l, amount) });
	return val_number(TYPE_INT, ir_load(ir, BPF_DW, element, 0));
}

void
lower_update_index(struct lowering *l, struct node *node, enum token_kind op, struct node *operand)
{
	bool adds = op == TOKEN_PLUS || op == TOKEN_MINUS;
	uint32_t index = table_of(l, node, adds ? USE_ADD : USE_READ | USE_SET);
	struct val zero = val_const(TYPE_INT, 0), by, old, now;
	struct mem key;

	if (adds) {
		by = lower_present(l, operand);
		key = table_key(l, l->object->tables[index], node, lower_failure(l, COUNTER_NIL_KEY));
		if (op == TOKEN_MINUS)
			by = lower_arithmetic(l, TOKEN_MINUS, &zero, &by);
		now = add_element(l, index, key, &by);
		if (l->object->tables[index]->kind == TABLE_HASH) /* others are not read by probes */
			known_note(l, index, node, &now);
	} else {
		key = table_key(l, l->object->tables[index], node, lower_failure(l, COUNTER_NIL_KEY));
		old = read_element(l, index, key, ir_label(&l->ir), TYPE_INT); /* an absent element is 0 here */
		old.present = NO_VREG;
		by = lower_present(l, operand);
		now = lower_arithmetic(l, op, &old, &by);
		write_element(l, index, key, &now);
	}
}
