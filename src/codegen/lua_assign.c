/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Assignments and declarations as Lua text. Targets are of three sorts: what Lua assigns to with `=`,
 * elements with keys of several parts (K.set_index), and tables that probes use (K.reset).
 */
#include "codegen/lua_int.h"

/* ---- assignments -------------------------------------------------------- */

/* Can Lua assign to it with `=`? */
static bool
is_plain_target(const struct node *target)
{
	if (target->kind == NODE_INDEX)
		return !target->b->next;
	return !chunk_is_shared_table(target->var) && !chunk_is_shared_stat(target->var);
}

static bool
has_call(const struct node *node)
{
	for (; node; node = node->next)
		if (node->kind == NODE_CALL || node->kind == NODE_METHOD || has_call(node->a) || has_call(node->b) || has_call(node->c))
			return true;
	return false;
}

/* target = value, where `value` is one node. */
static void
emit_assign_one(struct chunk *chunk, const struct node *target, const struct node *value)
{
	if (is_plain_target(target)) {
		chunk_expr(chunk, target);
		chunk_puts(chunk, " = ");
		chunk_expr(chunk, value);
	} else if (target->kind == NODE_INDEX) {
		chunk_puts(chunk, "K.set_index(");
		chunk_expr(chunk, target->a);
		chunk_puts(chunk, ", ");
		chunk_expr(chunk, value);
		chunk_puts(chunk, ", ");
		chunk_keys(chunk, target->b);
		chunk_putc(chunk, ')');
	} else {
		chunk_printf(chunk, chunk_is_shared_stat(target->var) ? "K.reset_stat(%u, " : "K.reset(%u, ", target->var->index);
		chunk_expr(chunk, value);
		chunk_putc(chunk, ')');
	}
	chunk_puts(chunk, "; ");
}

static const struct node *
hoist_expr(struct chunk *chunk, const struct node *node, struct node *next)
{
	struct node *name = chunk_temporary(chunk, "t");

	name->next = next;
	name->span = node->span;
	chunk_puts(chunk, "local ");
	chunk_puts(chunk, chunk_access(chunk, name->var));
	chunk_puts(chunk, " = ");
	chunk_expr(chunk, node);
	chunk_puts(chunk, "; ");
	return name;
}

/*
 * The same target with its object and keys held in locals, so that they are evaluated once, and before any
 * assignment.
 */
static const struct node *
hoist_target(struct chunk *chunk, const struct node *target)
{
	struct node *copy, **last;

	if (target->kind != NODE_INDEX)
		return target;
	copy = arena_alloc(chunk->arena, sizeof(*copy));
	*copy = *target;
	copy->next = NULL;
	copy->a = (struct node *)hoist_expr(chunk, target->a, NULL);
	last = &copy->b;
	for (const struct node *key = target->b; key; key = key->next) {
		*last = (struct node *)hoist_expr(chunk, key, NULL);
		last = &(*last)->next;
	}
	return copy;
}

/* Any targets: object and keys first, then the values, then one assignment after the other. */
static void
emit_assign_many(struct chunk *chunk, const struct node *targets, const struct node *values)
{
	const struct node **held = NULL, **temps = NULL;
	uint32_t n = 0, cap = 0, cap_temps = 0;
	unsigned n_locals = chunk->function.n_locals;

	chunk_puts(chunk, "do ");
	for (const struct node *target = targets; target; target = target->next) {
		held = arena_grow(chunk->arena, held, n, &cap, sizeof(*held));
		temps = arena_grow(chunk->arena, temps, n, &cap_temps, sizeof(*temps));
		held[n++] = hoist_target(chunk, target);
	}
	chunk_puts(chunk, "local ");
	for (uint32_t i = 0; i < n; i++) {
		temps[i] = chunk_temporary(chunk, "t");
		chunk_puts(chunk, i ? ", " : "");
		chunk_puts(chunk, chunk_access(chunk, temps[i]->var));
	}
	chunk_puts(chunk, " = ");
	chunk_list(chunk, values);
	chunk_puts(chunk, "; ");
	for (uint32_t i = n; i-- > 0;) /* the last target first, as Lua does it */
		emit_assign_one(chunk, held[i], temps[i]);
	chunk_puts(chunk, "end; ");
	chunk->function.n_locals = n_locals;
}

void
chunk_assign(struct chunk *chunk, const struct node *node)
{
	bool plain = true, is_one = !node->a->next && !node->b->next;

	chunk_check_count(chunk, node->a, "an assignment", "targets");
	chunk_check_count(chunk, node->b, "an assignment", "values");
	for (const struct node *target = node->a; target; target = target->next)
		plain = plain && is_plain_target(target);
	/* K.set_index takes the value first, which shows where the value calls what changes a key. */
	if (is_one && (plain || !has_call(node->b))) {
		emit_assign_one(chunk, node->a, node->b);
	} else if (plain) {
		chunk_list(chunk, node->a);
		chunk_puts(chunk, " = ");
		chunk_list(chunk, node->b);
		chunk_puts(chunk, "; ");
	} else {
		emit_assign_many(chunk, node->a, node->b);
	}
}

/*
 * t[k] += v and n += v where n is shared: one call each, since nil counts as 0 and an add to a shared number
 * must be atomic.
 */
static void
emit_add(struct chunk *chunk, const struct node *target, const struct node *delta, bool negate)
{
	chunk_puts(chunk, "K.add_index(");
	if (target->kind == NODE_INDEX)
		chunk_expr(chunk, target->a);
	else
		chunk_putc(chunk, 'G');
	chunk_puts(chunk, negate ? ", -(" : ", ");
	chunk_expr(chunk, delta);
	chunk_puts(chunk, negate ? "), " : ", ");
	if (target->kind == NODE_INDEX)
		chunk_keys(chunk, target->b);
	else
		chunk_printf(chunk, "%u", target->var->index);
	chunk_puts(chunk, "); ");
}

/* An element that is not there counts as 0. */
static struct node *
element_or_zero(struct chunk *chunk, const struct node *element)
{
	struct node *choice = arena_alloc(chunk->arena, sizeof(*choice)), *zero = arena_alloc(chunk->arena, sizeof(*zero));

	*zero = (struct node){ .kind = NODE_INT, .span = element->span };
	*choice = (struct node){ .kind = NODE_BINARY, .span = element->span, .op = TOKEN_OR, .a = (struct node *)element, .b = zero };
	return choice;
}

void
chunk_op_assign(struct chunk *chunk, const struct node *node)
{
	bool adds = node->op == TOKEN_PLUS || node->op == TOKEN_MINUS;
	bool indexed = node->a->kind == NODE_INDEX;
	struct node *binary = arena_alloc(chunk->arena, sizeof(*binary));
	struct node *paren = arena_alloc(chunk->arena, sizeof(*paren));
	unsigned n_locals = chunk->function.n_locals;
	const struct node *target;

	if (adds && (indexed || chunk_is_shared(node->a->var))) {
		emit_add(chunk, node->a, node->b, node->op == TOKEN_MINUS);
		return;
	}
	chunk_puts(chunk, indexed ? "do " : "");
	*binary = (struct node){ .kind = NODE_BINARY, .span = node->span, .op = node->op };
	*paren = (struct node){ .kind = NODE_PAREN, .span = node->b->span, .a = node->b };
	target = hoist_target(chunk, node->a);
	binary->a = indexed ? element_or_zero(chunk, target) : (struct node *)target;
	binary->b = paren;
	emit_assign_one(chunk, target, binary);
	chunk_puts(chunk, indexed ? "end; " : "");
	chunk->function.n_locals = n_locals;
}

/* target <<< value: an element, a statistic of the probes, or a variable that holds one of its own. */
void
chunk_sample(struct chunk *chunk, const struct node *node)
{
	const struct node *target = node->a;

	if (target->kind == NODE_INDEX) {
		chunk_puts(chunk, "K.sample_index(");
		chunk_expr(chunk, target->a);
		chunk_puts(chunk, ", ");
		chunk_expr(chunk, node->b);
		chunk_puts(chunk, ", ");
		chunk_keys(chunk, target->b);
		chunk_puts(chunk, "); ");
		return;
	}
	if (chunk_is_shared_stat(target->var)) {
		chunk_printf(chunk, "K.sample_stat(%u, ", target->var->index);
	} else {
		chunk_expr(chunk, target);
		chunk_puts(chunk, " = K.sample(");
		chunk_expr(chunk, target);
		chunk_puts(chunk, ", ");
	}
	chunk_expr(chunk, node->b);
	chunk_puts(chunk, "); ");
}

/* ---- declarations ------------------------------------------------------- */

/* `local a, b`, for those of a statement that are new Lua locals. Returns how many. */
static unsigned
emit_locals(struct chunk *chunk, const struct node *names)
{
	unsigned n = 0;

	for (const struct node *name = names; name; name = name->next) {
		if (!chunk_declares(name) ||
		    (chunk_find(chunk, name->var) && chunk_find(chunk, name->var)->declared))
			continue;
		chunk_puts(chunk, n++ ? ", " : "local ");
		chunk_puts(chunk, chunk_local(chunk, name->var));
	}
	return n;
}

static bool
are_all_new(struct chunk *chunk, const struct node *names)
{
	for (const struct node *name = names; name; name = name->next)
		if (!chunk_declares(name) ||
		    (chunk_find(chunk, name->var) && chunk_find(chunk, name->var)->declared))
			return false;
	return true;
}

/* `var a, b = x, y` of new locals: the values are written before the names exist. */
static void
emit_new_locals(struct chunk *chunk, const struct node *node)
{
	uint32_t n = 0, cap = 0;
	const char **fresh = NULL;
	const struct node *name;

	chunk_puts(chunk, "local ");
	for (name = node->a; name; name = name->next) {
		fresh = arena_grow(chunk->arena, fresh, n, &cap, sizeof(*fresh));
		fresh[n] = chunk_fresh_name(chunk, name->var->name);
		chunk_puts(chunk, n ? ", " : "");
		chunk_puts(chunk, fresh[n++]);
	}
	if (node->b) {
		chunk_puts(chunk, " = ");
		chunk_list(chunk, node->b);
	}
	chunk_puts(chunk, "; ");
	n = 0;
	for (name = node->a; name; name = name->next)
		chunk_define(chunk, name->var, fresh[n++], false);
	chunk_count_locals(chunk, n);
}

/* VAR_NAME nodes as the NAME nodes of an assignment. */
static struct node *
names_as_targets(struct chunk *chunk, const struct node *names)
{
	struct node *first = NULL, **last = &first;

	for (const struct node *name = names; name; name = name->next) {
		*last = arena_alloc(chunk->arena, sizeof(**last));
		**last = *name;
		(*last)->kind = NODE_NAME;
		(*last)->next = NULL;
		last = &(*last)->next;
	}
	return first;
}

void
chunk_var(struct chunk *chunk, const struct node *node)
{
	struct node assign = { .kind = NODE_ASSIGN, .span = node->span, .b = node->b };
	struct node nil = { .kind = NODE_NIL, .span = node->span };

	if (are_all_new(chunk, node->a)) {
		emit_new_locals(chunk, node);
		return;
	}
	if (emit_locals(chunk, node->a))
		chunk_puts(chunk, "; ");
	/*
	 * Without values there is nothing to do for shared variables, which begin as nil; others may be in a
	 * loop.
	 */
	if (!node->b) {
		for (const struct node *name = node->a; name; name = name->next)
			if (chunk_declares(name)) {
				struct node *target = names_as_targets(chunk, name);

				target->next = NULL;
				emit_assign_one(chunk, target, &nil);
			}
		return;
	}
	assign.a = names_as_targets(chunk, node->a);
	chunk_assign(chunk, &assign);
}

void
chunk_function_stat(struct chunk *chunk, const struct node *node)
{
	const struct function *function = node->b->function;
	const struct lua_var *var;

	if (!function->in_control)
		return;
	var = chunk_find(chunk, node->a->var);
	if (var && var->declared) {
		chunk_puts(chunk, var->access);
		chunk_puts(chunk, " = function");
	} else if (chunk_is_shared(node->a->var)) {
		chunk_name(chunk, node->a);
		chunk_puts(chunk, " = function");
	} else {
		chunk_puts(chunk, "local function ");
		chunk_puts(chunk, chunk_local(chunk, node->a->var));
	}
	chunk_function_rest(chunk, function);
	chunk_puts(chunk, "; ");
}
