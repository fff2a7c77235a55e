/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Which loops of a program become functions that a helper calls back (bpf_loop, bpf_for_each_map_elem), and what that asks of variables.
 *
 * A loop of a few rounds, whose number is written out, stays where it is: the verifiers follow it. Any other becomes a function,
 * verified once however often it runs. A variable that such a function uses and does not declare is captured: it lives in scratch
 * memory, which handler and function both reach. So does the result of a function of the script that returns from inside of one.
 *
 * Needs: a typed program. Leaves: called_back of loops, home and captured of variables, result_captured of inlined functions.
 */
#include "codegen/lower_int.h"

#define ROUNDS_MAX 32  /* of a loop that stays */
#define COPIES_MAX 256 /* rounds of loops in loops that stay, multiplied */

struct loops {
	const struct node *home;       /* innermost loop that becomes a function; NULL: the handler itself */
	struct inlined *inlined;       /* function of the script around, and its home */
	const struct node *inlined_home;
	uint64_t rounds;               /* of loops around that stay */
	enum loop_form form;
	unsigned depth, depth_max;     /* functions in functions */
};

static void
walk(struct loops *loops, struct node *list);

static bool
constant(const struct node *node, int64_t *number)
{
	bool minus = node->kind == NODE_UNARY && node->op == TOKEN_MINUS;

	if (minus)
		node = node->a;
	*number = minus ? (int64_t)(0 - (uint64_t)node->number) : node->number;
	return node->kind == NODE_INT;
}

/* Rounds of for (i = a, b, c) of numbers that are written out and small; 0: not known. */
static uint64_t
rounds_of(const struct node *loop)
{
	const struct node *init = loop->a->next, *limit = init->next, *step = limit->next;
	int64_t first, last, by = 1;

	if (!constant(init, &first) || !constant(limit, &last) || (step && !constant(step, &by)) || by == 0)
		return 0;
	if (first != (int32_t)first || last != (int32_t)last || by != (int32_t)by)
		return 0;
	if (by > 0 ? first > last : first < last)
		return 1;
	return (uint64_t)((last - first) / by) + 1;
}

static bool
stays(const struct loops *loops, const struct node *node)
{
	uint64_t rounds = node->kind == NODE_FOR_RANGE ? rounds_of(node) : 0;

	if (node->kind == NODE_FOR_IN)
		return false;
	return loops->form == LOOPS_COUNTED || (rounds > 0 && rounds <= ROUNDS_MAX && loops->rounds * rounds <= COPIES_MAX);
}

static void
walk_parts(struct loops *loops, struct node *const *parts, size_t n)
{
	for (size_t i = 0; i < n; i++)
		walk(loops, parts[i]);
}

/* What a loop repeats. */
static void
walk_repeated(struct loops *loops, struct node *loop, struct node *const *parts, size_t n)
{
	struct loops outer = *loops;

	loop->called_back = !stays(loops, loop);
	if (loop->called_back) {
		loops->home = loop;
		loops->rounds = 1;
		loops->depth++;
		if (loops->depth > loops->depth_max)
			loops->depth_max = loops->depth;
	} else if (loop->kind == NODE_FOR_RANGE && rounds_of(loop)) {
		loops->rounds *= rounds_of(loop);
	}
	walk_parts(loops, parts, n);
	loops->home = outer.home;
	loops->rounds = outer.rounds;
	loops->depth = outer.depth;
}

/* A walk over a table that is no loop of the script: len(t), delete(t), t[a] = nil. Its function uses no variables. */
static void
note_walk(struct loops *loops)
{
	if (loops->depth + 1 > loops->depth_max)
		loops->depth_max = loops->depth + 1;
}

static bool
is_table(const struct node *node)
{
	return node->type && type_find(node->type)->kind == TYPE_TABLE;
}

static void
walk_assign(struct loops *loops, struct node *node)
{
	for (const struct node *target = node->a; target; target = target->next) {
		if (target->kind == NODE_INDEX && is_table(target))
			note_walk(loops);
	}
	walk_parts(loops, (struct node *[]){ node->a, node->b }, 2);
}

/* A variable of this loop; whether functions capture it comes out behind, in each form of the loops anew. */
static void
declare(struct variable *var, const struct node *home)
{
	var->home = home;
	var->captured = false;
}

static void
walk_call(struct loops *loops, struct node *call)
{
	struct inlined *inlined = call->inlined, *outer = loops->inlined;
	const struct node *outer_home = loops->inlined_home;

	if (call->builtin && (call->builtin->id == BUILTIN_LEN || call->builtin->id == BUILTIN_DELETE) && is_table(call->b))
		note_walk(loops);
	walk(loops, call->b);
	if (!inlined)
		return;
	for (uint32_t i = 0; i < inlined->n_params; i++)
		declare(inlined->params[i], loops->home);
	inlined->result_captured = false;
	loops->inlined = inlined;
	loops->inlined_home = loops->home;
	walk(loops, inlined->body);
	loops->inlined = outer;
	loops->inlined_home = outer_home;
}

static void
walk_node(struct loops *loops, struct node *node)
{
	switch ((int)node->kind) {
	case NODE_VAR:
		walk(loops, node->b);
		for (struct node *name = node->a; name; name = name->next)
			declare(name->var, loops->home);
		return;
	case NODE_NAME:
		if (node->var && node->var->home != loops->home)
			node->var->captured = true;
		return;
	case NODE_CALL:
		walk_call(loops, node);
		return;
	case NODE_ASSIGN:
		walk_assign(loops, node);
		return;
	case NODE_RETURN:
		if (loops->inlined && loops->inlined_home != loops->home)
			loops->inlined->result_captured = true;
		break;
	case NODE_WHILE:
	case NODE_REPEAT:
		walk_repeated(loops, node, (struct node *[]){ node->a, node->b }, 2);
		return;
	case NODE_FOR_RANGE:
		walk(loops, node->a->next);
		node->called_back = !stays(loops, node);
		declare(node->a->var, node->called_back ? node : loops->home);
		walk_repeated(loops, node, &node->b, 1);
		return;
	case NODE_FOR_STEP:
		walk(loops, node->a);
		walk_repeated(loops, node, (struct node *[]){ node->b, node->d, node->c }, 3);
		return;
	case NODE_FOR_IN:
		walk(loops, node->b->b);
		for (struct node *name = node->a; name; name = name->next)
			declare(name->var, node);
		walk_repeated(loops, node, &node->c, 1);
		return;
	default: /* the rest are walked */
		break;
	}
	walk_parts(loops, (struct node *[]){ node->a, node->b, node->c, node->d }, 4);
}

static void
walk(struct loops *loops, struct node *list)
{
	for (; list; list = list->next)
		walk_node(loops, list);
}

unsigned
loops_find(const struct typed_program *program, enum loop_form form)
{
	struct loops loops = { .rounds = 1, .form = form };

	walk(&loops, program->filter);
	walk(&loops, program->body);
	return loops.depth_max;
}
