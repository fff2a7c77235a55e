/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Blocks, functions, branches, loops and all other statements as Lua text.
 */
#include "codegen/lua_int.h"

/* ---- blocks ------------------------------------------------------------- */

/* Calls fn for each variable that a block's own statements declare. */
static void
each_declared(struct chunk *chunk, const struct node *block,
	      void (*fn)(struct chunk *chunk, const struct variable *var, void *arg), void *arg)
{
	for (const struct node *stat = block->a; stat; stat = stat->next) {
		if (stat->kind == NODE_FUNCTION_STAT && chunk_declares(stat->a) &&
		    stat->b->function->in_control)
			fn(chunk, stat->a->var, arg);
		if (stat->kind != NODE_VAR)
			continue;
		for (const struct node *name = stat->a; name; name = name->next)
			if (chunk_declares(name))
				fn(chunk, name->var, arg);
	}
}

static void
count_variable(struct chunk *chunk, const struct variable *var, void *arg)
{
	unsigned *n = arg;

	++*n;
}

static void
spill_variable(struct chunk *chunk, const struct variable *var, void *arg)
{
	const char *table = arg;

	chunk_define(chunk, var,
		     arena_printf(chunk->arena, "%s.%s", table, chunk_fresh_name(chunk, var->name)), true);
}

static void
hoist_variable(struct chunk *chunk, const struct variable *var, void *arg)
{
	const char *name = chunk_local(chunk, var);

	chunk_define(chunk, var, name, true);
	chunk_puts(chunk, "local ");
	chunk_puts(chunk, name);
	chunk_puts(chunk, "; ");
}

static void
chunk_stats(struct chunk *chunk, const struct node *block)
{
	for (const struct node *stat = block->a; stat; stat = stat->next)
		chunk_stat(chunk, stat);
}

/* What a block declares at its head: a table for its variables when there are too many. */
static void
chunk_block_head(struct chunk *chunk, const struct node *block, bool hoist)
{
	unsigned n = 0;
	const char *table;

	each_declared(chunk, block, count_variable, &n);
	if (chunk->function.n_locals + n > LOCALS_MAX) {
		table = chunk_fresh_name(chunk, "V");
		chunk_count_locals(chunk, 1);
		chunk_puts(chunk, "local ");
		chunk_puts(chunk, table);
		chunk_puts(chunk, " = {}; ");
		each_declared(chunk, block, spill_variable, (void *)table);
	} else if (hoist) {
		each_declared(chunk, block, hoist_variable, NULL);
	}
}

void
chunk_block(struct chunk *chunk, const struct node *block)
{
	unsigned n_locals = chunk->function.n_locals;

	if (chunk_enter(chunk, block)) {
		chunk_block_head(chunk, block, false);
		chunk_stats(chunk, block);
	}
	chunk->depth--;
	chunk->function.n_locals = n_locals;
}

/*
 * `function(...) ... end`, with its parameters; the word `function` and a name may already stand before it.
 */
void
chunk_function_rest(struct chunk *chunk, const struct function *function)
{
	struct lua_function outer = chunk->function;

	chunk->function = (struct lua_function){ .is_vararg = function->is_vararg };
	if (function->n_params > LOCALS_MAX)
		diag_error(chunk->diags, function->span, "too-many-params",
			   "a function can have at most %d parameters", LOCALS_MAX);
	chunk_putc(chunk, '(');
	for (uint32_t i = 0; i < function->n_params; i++) {
		chunk_puts(chunk, i ? ", " : "");
		chunk_puts(chunk, chunk_local(chunk, function->params[i]));
	}
	if (function->is_vararg)
		chunk_puts(chunk, function->n_params ? ", ..." : "...");
	chunk_puts(chunk, ") ");
	chunk_block(chunk, function->body);
	chunk_puts(chunk, "return nil; end"); /* a call is a value in ktap, always: Lua would have none */
	chunk->function = outer;
}

void
chunk_function(struct chunk *chunk, const struct function *function)
{
	chunk_puts(chunk, "function");
	chunk_function_rest(chunk, function);
}

/* ---- loops and branches ------------------------------------------------- */

/* Does a block continue its loop, itself or in a branch? Loops and functions inside have their own. */
static bool
has_continue(const struct node *node)
{
	for (; node; node = node->next) {
		if (node->kind == NODE_CONTINUE)
			return true;
		if (node->kind == NODE_BLOCK && has_continue(node->a))
			return true;
		if (node->kind == NODE_IF && (has_continue(node->b) || has_continue(node->c)))
			return true;
	}
	return false;
}

/* The body of a loop: BODY, or `do BODY end ::label::` so that no local's scope is entered by the jump. */
static void
chunk_body(struct chunk *chunk, const struct node *block)
{
	bool continues = has_continue(block->a);
	unsigned outer = chunk->function.loop;

	if (continues) {
		chunk->function.loop = ++chunk->n_labels;
		chunk_puts(chunk, "do ");
	}
	chunk_block(chunk, block);
	if (continues)
		chunk_printf(chunk, "end; ::continue_%u:: ", chunk->function.loop);
	chunk->function.loop = outer;
}

static void
emit_if(struct chunk *chunk, const struct node *node)
{
	chunk_puts(chunk, "if ");
	for (;;) {
		chunk_expr(chunk, node->a);
		chunk_puts(chunk, " then ");
		chunk_block(chunk, node->b);
		node = node->c;
		if (!node || node->kind != NODE_IF)
			break;
		chunk_puts(chunk, "elseif ");
	}
	if (node) {
		chunk_puts(chunk, "else ");
		chunk_block(chunk, node);
	}
	chunk_puts(chunk, "end; ");
}

static void
emit_while(struct chunk *chunk, const struct node *node)
{
	chunk_puts(chunk, "while ");
	chunk_expr(chunk, node->a);
	chunk_puts(chunk, " do ");
	chunk_body(chunk, node->b);
	chunk_puts(chunk, "end; ");
}

static void
emit_repeat(struct chunk *chunk, const struct node *node)
{
	bool continues = has_continue(node->a->a);
	unsigned n_locals = chunk->function.n_locals, outer = chunk->function.loop;

	chunk_puts(chunk, "repeat ");
	chunk_block_head(chunk, node->a, continues);
	if (continues) {
		chunk->function.loop = ++chunk->n_labels;
		chunk_puts(chunk, "do ");
	}
	chunk_stats(chunk, node->a);
	if (continues)
		chunk_printf(chunk, "end; ::continue_%u:: ", chunk->function.loop);
	chunk_puts(chunk, "until ");
	chunk_expr(chunk, node->b);
	chunk_puts(chunk, "; ");
	chunk->function.n_locals = n_locals;
	chunk->function.loop = outer;
}

static void
emit_for_range(struct chunk *chunk, const struct node *node)
{
	unsigned n_locals = chunk->function.n_locals;
	const char *name = chunk_fresh_name(chunk, node->a->var ? node->a->var->name : "_");

	chunk_puts(chunk, "for ");
	chunk_puts(chunk, name);
	chunk_puts(chunk, " = ");
	chunk_list(chunk, node->a->next);
	chunk_puts(chunk, " do ");
	if (node->a->var)
		chunk_define(chunk, node->a->var, name, false);
	chunk_count_locals(chunk, 4); /* Lua keeps three of its own */
	chunk_body(chunk, node->b);
	chunk_puts(chunk, "end; ");
	chunk->function.n_locals = n_locals;
}

/* The step stands before the condition and is left out once, so that both keep their lines. */
static void
emit_for_step(struct chunk *chunk, const struct node *node)
{
	unsigned n_locals = chunk->function.n_locals;
	const char *again = chunk_fresh_name(chunk, "again");

	chunk_puts(chunk, "do ");
	if (node->a)
		chunk_stat(chunk, node->a);
	chunk_puts(chunk, "local ");
	chunk_puts(chunk, again);
	chunk_puts(chunk, " = false; while true do ");
	chunk_count_locals(chunk, 1);
	chunk_puts(chunk, "if ");
	chunk_puts(chunk, again);
	chunk_puts(chunk, " then ");
	if (node->c)
		chunk_stat(chunk, node->c);
	chunk_puts(chunk, "end; ");
	chunk_puts(chunk, again);
	chunk_puts(chunk, " = true; ");
	if (node->b) {
		chunk_puts(chunk, "if not (");
		chunk_expr(chunk, node->b);
		chunk_puts(chunk, ") then break; end; ");
	}
	chunk_body(chunk, node->d);
	chunk_puts(chunk, "end; end; ");
	chunk->function.n_locals = n_locals;
}

static void
emit_for_in(struct chunk *chunk, const struct node *node)
{
	unsigned n_locals = chunk->function.n_locals, n = 0;
	uint32_t cap = 0;
	const char **names = NULL;
	const struct node *name;

	chunk_puts(chunk, "for ");
	for (name = node->a; name; name = name->next) {
		names = arena_grow(chunk->arena, names, n, &cap, sizeof(*names));
		names[n] = chunk_fresh_name(chunk, name->s);
		chunk_puts(chunk, n ? ", " : "");
		chunk_puts(chunk, names[n++]);
	}
	if (n > LOCALS_MAX)
		diag_error(chunk->diags, node->span, "too-many-locals",
			   "a loop can have at most %d variables", LOCALS_MAX);
	chunk_puts(chunk, " in ");
	chunk_list(chunk, node->b);
	chunk_puts(chunk, " do ");
	n = 0;
	for (name = node->a; name; name = name->next, n++)
		if (name->var)
			chunk_define(chunk, name->var, names[n], false);
	chunk_count_locals(chunk, n + 4); /* Lua keeps four of its own */
	chunk_body(chunk, node->c);
	chunk_puts(chunk, "end; ");
	chunk->function.n_locals = n_locals;
}

/* ---- statements --------------------------------------------------------- */

/*
 * A built-in that is called last would leave no line for its errors if Lua made it a tail call; so it is called to give its results to a
 * function that returns them all.
 */
static void
emit_return(struct chunk *chunk, const struct node *node)
{
	const struct node *value = node->a;
	bool builtin =
		value && !value->next && value->kind == NODE_CALL && !value->a->var && value->a->builtin;

	chunk_puts(chunk, builtin ? "do return (function(...) return ...; end)(" : "do return ");
	chunk_list(chunk, value);
	chunk_puts(chunk, value ? "" : "nil");
	chunk_puts(chunk, builtin ? "); end; " : "; end; ");
}

static void
emit_registration(struct chunk *chunk, const struct node *node, const char *call)
{
	chunk_puts(chunk, call);
	if (node->kind == NODE_TICK)
		chunk_printf(chunk, "%llu, ", (unsigned long long)node->function->period_ns);
	else if (node->kind == NODE_SIGNAL)
		chunk_printf(chunk, "\"%s\", ", node->function->signal); /* of signals.def: nothing to escape */
	chunk_function(chunk, node->function);
	chunk_puts(chunk, "); ");
}

static void
emit_stat_kind(struct chunk *chunk, const struct node *node)
{
	switch (node->kind) {
	case NODE_BLOCK:
		chunk_puts(chunk, "do ");
		chunk_block(chunk, node);
		chunk_puts(chunk, "end; ");
		break;
	case NODE_VAR: chunk_var(chunk, node); break;
	case NODE_ASSIGN: chunk_assign(chunk, node); break;
	case NODE_OP_ASSIGN: chunk_op_assign(chunk, node); break;
	case NODE_SAMPLE: chunk_sample(chunk, node); break;
	case NODE_CALL_STAT:
		chunk_expr(chunk, node->a);
		chunk_puts(chunk, "; ");
		break;
	case NODE_IF: emit_if(chunk, node); break;
	case NODE_WHILE: emit_while(chunk, node); break;
	case NODE_REPEAT: emit_repeat(chunk, node); break;
	case NODE_FOR_RANGE: emit_for_range(chunk, node); break;
	case NODE_FOR_STEP: emit_for_step(chunk, node); break;
	case NODE_FOR_IN: emit_for_in(chunk, node); break;
	case NODE_BREAK: chunk_puts(chunk, "break; "); break;
	case NODE_CONTINUE: chunk_printf(chunk, "goto continue_%u; ", chunk->function.loop); break;
	case NODE_RETURN: emit_return(chunk, node); break;
	case NODE_FUNCTION_STAT: chunk_function_stat(chunk, node); break;
	case NODE_TRACE:
	case NODE_PROFILE: chunk_printf(chunk, "K.trace(%u); ", node->function->handler); break;
	case NODE_TICK: emit_registration(chunk, node, "K.tick("); break;
	case NODE_SIGNAL: emit_registration(chunk, node, "K.signal("); break;
	case NODE_TRACE_END: emit_registration(chunk, node, "K.trace_end("); break;
	default: /* expressions are no statements; NODE_ERROR was reported */ break;
	}
}

void
chunk_stat(struct chunk *chunk, const struct node *node)
{
	chunk_sync_line(chunk, node->span);
	if (chunk_enter(chunk, node))
		emit_stat_kind(chunk, node);
	chunk->depth--;
}
