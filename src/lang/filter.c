/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Filters, /.../ of a trace statement: what the kernel's filter syntax means (Documentation/trace/events.rst, "Event filtering") where it is
 * another thing than an expression of the language.
 *
 *     prev_state & 1             where truth is asked for: any of these bits, (prev_state & 1) != 0
 *     target_cpu & CPUS{1,4-7}   (target_cpu == 1 || target_cpu >= 4 && target_cpu <= 7)
 *     !comm == bash              !(comm == bash)
 *     comm == bash               comm == "bash", where no variable, built-in or field has that name
 *
 * Words behind `~` are strings already when they come from lex.c.
 */
#include <string.h>

#include "lang/parse_int.h"
#include "lang/types_int.h"

#define CPU_RANGES_MAX 64

static struct node *
binary_node(struct parser *p, enum token_kind op, struct node *a, struct node *b, struct span span)
{
	struct node *node = new_node(p, NODE_BINARY, span);

	node->op = op;
	node->a = a;
	node->b = b;
	return node;
}

static struct node *
int_node(struct parser *p, int64_t number, struct span span)
{
	struct node *node = new_node(p, NODE_INT, span);

	node->number = number;
	return node;
}

/* ---- CPUS{1,4-7}: the parser sees a call of CPUS with a table ---- */

static bool
is_cpus(const struct node *node)
{
	return node->kind == NODE_CALL && node->a->kind == NODE_NAME && !strcmp(node->a->s, "CPUS") && node->b && node->b->kind == NODE_TABLE;
}

/* One member of the list: 4, or 4-7, which is a difference to the parser. */
static bool
read_range(const struct node *field, int64_t *first, int64_t *last)
{
	const struct node *value = field->b, *from = value, *to = value;

	if (field->a)
		return false;
	if (value->kind == NODE_BINARY && value->op == TOKEN_MINUS) {
		from = value->a;
		to = value->b;
	}
	*first = from->number;
	*last = to->number;
	return from->kind == NODE_INT && to->kind == NODE_INT && *first <= *last;
}

static struct node *
within(struct parser *p, const struct node *cpu, int64_t first, int64_t last, struct span span)
{
	struct node *low = binary_node(p, TOKEN_GE, node_clone(p->arena, cpu), int_node(p, first, span), span);
	struct node *high = binary_node(p, TOKEN_LE, node_clone(p->arena, cpu), int_node(p, last, span), span);

	return binary_node(p, TOKEN_AND, low, high, span);
}

/* cpu & CPUS{...} as comparisons of cpu. */
static struct node *
one_of_cpus(struct parser *p, struct node *cpu, const struct node *cpus)
{
	struct node *any = NULL, *one;
	struct diag *diag;
	int64_t first, last;
	unsigned n = 0;

	for (const struct node *field = cpus->b->a; field; field = field->next) {
		if (!read_range(field, &first, &last) || ++n > CPU_RANGES_MAX) {
			diag = diag_error(p->diags, field->b->span, "cpu-list", "this is no list of CPUs as the kernel writes them");
			diag_help(p->diags, diag, "for example cpu & CPUS{0,4-7}; up to %d numbers and ranges", CPU_RANGES_MAX);
			break;
		}
		one = within(p, cpu, first, last, cpus->span);
		any = any ? binary_node(p, TOKEN_OR, any, one, cpus->span) : one;
	}
	return any ? any : new_node(p, NODE_FALSE, cpus->span);
}

/* ---- conditions ---- */

static bool
is_truth(const struct node *node)
{
	return node->kind == NODE_TRUE || node->kind == NODE_FALSE;
}

/* The language reads !a == b as (!a) == b, which nobody means who writes a filter. */
static struct node *
negate_all(struct node *comparison)
{
	struct node *not = comparison->a;

	comparison->a = not->a;
	not->a = comparison;
	not->span = comparison->span;
	return not;
}

void
filter_settle(struct parser *p, struct node **at)
{
	struct node *node = *at;

	if (node->kind == NODE_PAREN || (node->kind == NODE_UNARY && node->op == TOKEN_NOT)) {
		filter_settle(p, &node->a);
		return;
	}
	if (node->kind != NODE_BINARY)
		return;
	if (node->op == TOKEN_AND || node->op == TOKEN_OR) {
		filter_settle(p, &node->a);
		filter_settle(p, &node->b);
	} else if (node->op != TOKEN_AMP && !token_gives_truth(node->op)) {
		return;
	} else if (node->a->kind == NODE_UNARY && node->a->op == TOKEN_NOT && !is_truth(node->b)) {
		*at = negate_all(node);
		filter_settle(p, at);
	} else if (node->op == TOKEN_AMP) {
		*at = is_cpus(node->b) ? one_of_cpus(p, node->a, node->b) :
					 binary_node(p, TOKEN_NE, node, int_node(p, 0, node->span), node->span);
	}
}

/* ---- words ---- */

static bool
is_field(struct events *events, const struct matches *matches, const char *name)
{
	for (uint32_t i = 0; i < matches->n; i++) {
		if (event_load_fields(events, matches->list[i].event) == 0 && event_field(matches->list[i].event, name))
			return true;
	}
	return false;
}

static void
settle_words(struct events *events, const struct matches *matches, struct node *node)
{
	for (; node; node = node->next) {
		if (node->word && !is_field(events, matches, node->b->s)) {
			node->kind = NODE_STR;
			node->s = node->b->s;
			node->len = node->b->len;
			node->a = node->b = NULL;
		}
		settle_words(events, matches, node->a);
		settle_words(events, matches, node->b);
		settle_words(events, matches, node->c);
	}
}

static bool
has_words(const struct node *node)
{
	for (; node; node = node->next) {
		if (node->word || has_words(node->a) || has_words(node->b) || has_words(node->c))
			return true;
	}
	return false;
}

void
filter_words(struct arena *arena, struct events *events, const struct function *handler)
{
	const struct event_pattern *patterns;
	struct matches matches;
	struct diags ignored; /* what matches nothing is reported by group_events */
	uint32_t n;

	if (!has_words(handler->filter))
		return;
	patterns = function_patterns(arena, handler, &n);
	diags_init(&ignored, arena, NULL);
	matches = events_of_patterns(events, arena, patterns, n, &ignored);
	settle_words(events, &matches, handler->filter);
}
