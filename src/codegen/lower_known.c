/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What was read or written already and need not be read again while a handler is lowered: numbers in elements of tables, and the process's name. Two
 * readings of an element between which the handler writes nothing to that table may see the same: others that write at the same time may
 * as well have done so before or after both. The value is kept, not the address: an element may be removed meanwhile, and its memory become
 * another's.
 *
 * What is known holds where every way leads through its reading. Code is structured, so that is: to the end of the branch that the reading
 * stands in. Whoever lowers a branch brackets it with known_mark and known_release. Loops begin and end with nothing known.
 */
#include <string.h>

#include "codegen/lower_int.h"

struct known_read {
	uint32_t table;
	const struct node *index; /* INDEX as written */
	struct val val;
	bool stale;
	struct known_read *next;
};

struct known_mark
known_mark(const struct lowering *l)
{
	return (struct known_mark){ l->known_reads, l->known_comm };
}

void
known_release(struct lowering *l, struct known_mark mark)
{
	l->known_reads = mark.reads;
	l->known_comm &= mark.comm;
}

void
known_drop(struct lowering *l)
{
	for (struct known_read *read = l->known_reads; read; read = read->next)
		read->stale = true; /* for those, too, that have a mark to go back to */
	l->known_comm = false;
}

/* ---- keys that are the same ---- */

/* Values that do not change while a handler runs. */
static bool
is_constant_builtin(enum builtin_id id)
{
	return id == BUILTIN_PID || id == BUILTIN_TID || id == BUILTIN_UID || id == BUILTIN_GID || id == BUILTIN_CGROUP || id == BUILTIN_CPU ||
	       id == BUILTIN_PROBENAME || id == BUILTIN_RETVAL || id == BUILTIN_EXECNAME || id == BUILTIN_COMM;
}

static bool
is_same_name(const struct node *a, const struct node *b)
{
	if (a->builtin || b->builtin)
		return a->builtin == b->builtin && is_constant_builtin(a->builtin->id);
	return a->var == b->var && a->var && a->var->lowered; /* others may write to shared ones */
}

/* Do two expressions have the same value, as far as no variable in them is assigned in between? Lists: each of their members. */
static bool
is_same(const struct node *a, const struct node *b)
{
	for (; a && b; a = a->next, b = b->next) {
		if (a->kind != b->kind)
			return false;
		switch (a->kind) {
		case NODE_INT:
		case NODE_ARG:
			if (a->number != b->number)
				return false;
			break;
		case NODE_STR:
			if (a->len != b->len || memcmp(a->s, b->s, a->len) || type_find(a->type)->kind != type_find(b->type)->kind)
				return false;
			break;
		case NODE_NAME:
			if (!is_same_name(a, b))
				return false;
			break;
		case NODE_INDEX: /* args.NAME */
			if (a->a->kind != NODE_ARGS || b->a->kind != NODE_ARGS || a->field != b->field)
				return false;
			break;
		case NODE_PAREN:
		case NODE_UNARY:
		case NODE_BINARY:
			if (a->op != b->op || !is_same(a->a, b->a) || !is_same(a->b, b->b))
				return false;
			break;
		default:
			return false;
		}
	}
	return !a && !b;
}

/* The keys of t[k] or of t[a][b]. The table is the same. */
static bool
is_same_index(const struct node *a, const struct node *b)
{
	if (a->kind != NODE_INDEX || b->kind != NODE_INDEX)
		return a->kind == b->kind;
	return is_same(a->b, b->b) && is_same_index(a->a, b->a);
}

/* ---- elements ---- */

bool
known_read(const struct lowering *l, uint32_t table, const struct node *index, struct val *val)
{
	for (const struct known_read *read = l->known_reads; read; read = read->next) {
		if (read->stale || read->table != table || !is_same_index(read->index, index))
			continue;
		*val = read->val;
		return true;
	}
	return false;
}

void
known_note(struct lowering *l, uint32_t table, const struct node *index, const struct val *val)
{
	struct known_read *read;

	if (val->kind == TYPE_STR)
		return; /* its memory is used again behind the statement */
	read = arena_alloc(l->arena, sizeof(*read));
	*read = (struct known_read){ .table = table, .index = index, .val = *val, .next = l->known_reads };
	l->known_reads = read;
}

void
known_written(struct lowering *l, uint32_t table)
{
	for (struct known_read *read = l->known_reads; read; read = read->next)
		read->stale |= read->table == table;
}

static bool
mentions(const struct node *node, const struct variable *var)
{
	for (; node; node = node->next)
		if (node->var == var || mentions(node->a, var) || mentions(node->b, var))
			return true;
	return false;
}

void
known_assigned(struct lowering *l, const struct variable *var)
{
	for (struct known_read *read = l->known_reads; read; read = read->next)
		read->stale |= mentions(read->index->b, var) || mentions(read->index->a, var);
}

/* ---- the process's name ---- */

static unsigned
count_comm(const struct node *node)
{
	unsigned n = 0;

	for (; node; node = node->next) {
		n += node->builtin && (node->builtin->id == BUILTIN_COMM || node->builtin->id == BUILTIN_EXECNAME);
		n += count_comm(node->a) + count_comm(node->b) + count_comm(node->c) + count_comm(node->d);
		if (node->inlined)
			n += count_comm(node->inlined->body);
	}
	return n;
}

void
known_prepare(struct lowering *l)
{
	l->keeps_comm = count_comm(l->program->filter) + count_comm(l->program->body) > 1;
	if (l->keeps_comm)
		l->comm = memory_new(l, COMM_SIZE);
}
