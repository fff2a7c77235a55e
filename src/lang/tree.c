/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * tree: prints trees (-d ast) and copies them.
 *
 * Relies on the parser's limits: trees are at most some hundred levels deep, lists of any length.
 */
#include <inttypes.h>
#include <string.h>

#include "lang/lex.h"

/* ---- printing ---- */

static const char *const node_names[N_NODES] = {
#define NODE(id, name, children) [NODE_##id] = name,
#include "lang/nodes.def"
#undef NODE
};

struct printer {
	FILE *out;
	unsigned depth;
};

static void
print_list(struct printer *printer, const char *label, const struct node *node);

void
text_quote(const char *s, uint32_t len, FILE *out)
{
	fputc('"', out);
	for (uint32_t i = 0; i < len; i++) {
		unsigned char c = s[i];

		if (c == '\n')
			fputs("\\n", out);
		else if (c == '"' || c == '\\')
			fprintf(out, "\\%c", c);
		else if (c < ' ' || c > '~')
			fprintf(out, "\\x%02x", c);
		else
			fputc(c, out);
	}
	fputc('"', out);
}

/* ` f(a, b, ...)`, or ` syscalls:*, sched:*`, or ` 1000000 ns`. */
static void
print_head(struct printer *printer, const struct function *function)
{
	const char *separator = "(";

	switch (function->kind) {
	case FUNCTION_TRACE:
		separator = " ";
		for (const struct node *pattern = function->patterns; pattern; pattern = pattern->next, separator = ", ")
			fprintf(printer->out, "%s%s", separator, pattern->s);
		break;
	case FUNCTION_PROFILE:
	case FUNCTION_TICK:
		fprintf(printer->out, " %" PRIu64 " ns", function->period_ns);
		break;
	case FUNCTION_SIGNAL:
		fprintf(printer->out, " %s", function->signal);
		break;
	case FUNCTION_PLAIN:
		for (uint32_t i = 0; i < function->n_params; i++, separator = ", ")
			fprintf(printer->out, "%s%s", separator, function->params[i]->name);
		if (function->is_vararg)
			fprintf(printer->out, "%s...", separator);
		else if (!function->n_params)
			fputc('(', printer->out);
		fputc(')', printer->out);
		break;
	case FUNCTION_MAIN:
	case FUNCTION_END:
		break;
	}
}

static void
print_details(struct printer *printer, const struct node *node)
{
	switch ((int)node->kind) {
	case NODE_INT:
		fprintf(printer->out, " %" PRId64, node->number);
		break;
	case NODE_ARG:
		fprintf(printer->out, " %" PRId64, node->number);
		break;
	case NODE_STR:
		fputc(' ', printer->out);
		text_quote(node->s, node->len, printer->out);
		break;
	case NODE_NAME:
	case NODE_VAR_NAME:
	case NODE_METHOD:
		fprintf(printer->out, " %s", node->s);
		break;
	case NODE_UNARY:
	case NODE_BINARY:
	case NODE_OP_ASSIGN:
		fprintf(printer->out, " %s", token_text(node->op));
		break;
	}
	if (node->builtin)
		fprintf(printer->out, " (builtin %s)", node->builtin->name);
	if (node->function)
		print_head(printer, node->function);
	fputc('\n', printer->out);
}

static void
print_node(struct printer *printer, const char *label, const struct node *node)
{
	fprintf(printer->out, "%*s%s%s", (int)printer->depth * 2, "", label, node_names[node->kind]);
	print_details(printer, node);
	printer->depth++;
	print_list(printer, "", node->a);
	print_list(printer, "b: ", node->b);
	print_list(printer, "c: ", node->c);
	print_list(printer, "d: ", node->d);
	if (node->function) {
		print_list(printer, "filter: ", node->function->filter);
		print_list(printer, "", node->function->body);
	}
	printer->depth--;
}

/* The label stands before the first of a list. */
static void
print_list(struct printer *printer, const char *label, const struct node *node)
{
	for (; node; node = node->next)
		print_node(printer, label, node);
}

void
tree_print(const struct tree *tree, FILE *out)
{
	struct printer printer = { .out = out };

	print_node(&printer, "", tree->main->body);
}

/* ---- copying ---- */

/* Variables declared in the copied part and their copies: an open hash table of 2^n slots. */
struct clone {
	struct arena *arena;
	struct { const struct variable *from; struct variable *to; } *slots;
	uint32_t n, cap;
};

static uint32_t
find_slot(const struct clone *clone, const struct variable *var)
{
	uint32_t i = (uint32_t)(((uintptr_t)var >> 4) * 2654435761u) & (clone->cap - 1);

	while (clone->slots[i].from && clone->slots[i].from != var)
		i = (i + 1) & (clone->cap - 1);
	return i;
}

static void
grow_slots(struct clone *clone)
{
	struct clone old = *clone;

	clone->cap = old.cap ? old.cap * 2 : 16;
	clone->slots = arena_alloc(clone->arena, clone->cap * sizeof(*clone->slots));
	for (uint32_t i = 0; i < old.cap; i++)
		if (old.slots[i].from)
			clone->slots[find_slot(clone, old.slots[i].from)] = old.slots[i];
}

static struct variable *
clone_declaration(struct clone *clone, const struct variable *var)
{
	struct variable *copy = arena_alloc(clone->arena, sizeof(*copy));
	uint32_t i;

	*copy = *var;
	if (clone->n * 2 >= clone->cap)
		grow_slots(clone);
	i = find_slot(clone, var);
	clone->n += !clone->slots[i].from;
	clone->slots[i].from = var;
	clone->slots[i].to = copy;
	return copy;
}

static struct variable *
clone_use(const struct clone *clone, struct variable *var)
{
	uint32_t i;

	if (!var || !clone->cap)
		return var;
	i = find_slot(clone, var);
	return clone->slots[i].from ? clone->slots[i].to : var;
}

/* Children are copied in the order of the text, so a declaration comes before its uses. */
static struct node *
clone_list(struct clone *clone, const struct node *node)
{
	struct node *first = NULL, **last = &first;

	for (; node; node = node->next) {
		struct node *copy = arena_alloc(clone->arena, sizeof(*copy));

		*copy = *node;
		copy->next = NULL;
		if (node->kind == NODE_VAR_NAME && node->var)
			copy->var = clone_declaration(clone, node->var);
		else
			copy->var = clone_use(clone, node->var);
		copy->a = clone_list(clone, node->a);
		copy->b = clone_list(clone, node->b);
		copy->c = clone_list(clone, node->c);
		copy->d = clone_list(clone, node->d);
		*last = copy;
		last = &copy->next;
	}
	return first;
}

struct node *
node_clone(struct arena *arena, const struct node *node)
{
	struct clone clone = { .arena = arena };

	return clone_list(&clone, node);
}
