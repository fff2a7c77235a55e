/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The types of the probe half. A type stands for a set of places that hold values of one kind (a variable, the elements of a table);
 * inference merges sets (union-find), so each decision is seen by all places at once.
 */
#include <assert.h>

#include "lang/types_int.h"

static const char *const names[] = {
	[TYPE_UNKNOWN] = "unknown", [TYPE_NIL] = "nil",     [TYPE_INT] = "int",       [TYPE_BOOL] = "bool",
	[TYPE_STR] = "string",	    [TYPE_EVENT] = "event", [TYPE_STACK] = "stack",   [TYPE_USTACK] = "user stack",
	[TYPE_ARGSTR] = "argstr",   [TYPE_KSYM] = "kernel address", [TYPE_STAT] = "statistic", [TYPE_KERNEL] = "kernel structure", [TYPE_TABLE] = "table",
};

struct type *
type_new(struct arena *arena, enum type_kind kind, struct span span)
{
	struct type *type = arena_alloc(arena, sizeof(*type));

	type->kind = kind;
	type->span = span;
	return type;
}

struct type *
type_find(struct type *type)
{
	while (type->same) {
		if (type->same->same)
			type->same = type->same->same;
		type = type->same;
	}
	return type;
}

const char *
type_name(const struct type *type)
{
	while (type->same)
		type = type->same;
	return names[type->kind];
}

uint32_t
type_str_size(uint32_t len)
{
	uint64_t size = round_up((uint64_t)len + 1, 8);

	return size > STR_SIZE_MAX ? STR_SIZE_MAX : (uint32_t)size;
}

static bool
unify_tables(struct type *a, struct type *b, struct type **left, struct type **right)
{
	if (a->n_keys && b->n_keys && a->n_keys != b->n_keys)
		return false;
	for (uint32_t i = 0; i < a->n_keys && i < b->n_keys; i++) {
		if (!type_unify(a->key[i], b->key[i], left, right))
			return false;
	}
	if (a->value && b->value && !type_unify(a->value, b->value, left, right))
		return false;
	for (uint32_t i = b->n_keys; i < a->n_keys; i++)
		b->key[i] = a->key[i];
	if (!b->n_keys)
		b->n_keys = a->n_keys;
	if (!b->value)
		b->value = a->value;
	b->probe_reads |= a->probe_reads;
	b->probe_sets |= a->probe_sets;
	b->probe_adds |= a->probe_adds;
	if (!b->max_records)
		b->max_records = a->max_records;
	return true;
}

/* Is `part` among the keys and elements of a table? Then it cannot be the table itself. */
static bool
is_inside(const struct type *part, struct type *table)
{
	table = type_find(table);
	if (table == part)
		return true;
	for (uint32_t i = 0; i < ARRAY_SIZE(table->key); i++) {
		if (table->key[i] && is_inside(part, table->key[i]))
			return true;
	}
	return table->value && is_inside(part, table->value);
}

bool
type_unify(struct type *a, struct type *b, struct type **left, struct type **right)
{
	a = type_find(a);
	b = type_find(b);
	if (a == b)
		return true;
	if (b->kind == TYPE_UNKNOWN) {
		struct type *swap = a;

		a = b;
		b = swap;
	}
	*left = a;
	*right = b;
	if (a->kind == TYPE_UNKNOWN && b->kind == TYPE_TABLE && is_inside(a, b))
		return false;
	if (a->kind != TYPE_UNKNOWN) {
		if (a->kind != b->kind)
			return false;
		if (a->kind == TYPE_KERNEL && a->kernel_type && b->kernel_type && a->kernel_type != b->kernel_type)
			return false;
		if (a->kind == TYPE_TABLE && !unify_tables(a, b, left, right))
			return false;
		if (a->str_size > b->str_size)
			b->str_size = a->str_size;
	}
	a->same = b;
	return true;
}
