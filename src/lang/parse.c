/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * parse: the parser's footing: tokens in, errors and limits, nodes out. Statements are in parse_stat.c, expressions in parse_exp.c.
 *
 * Recursive descent with one token of lookahead. Promises: linear in the text; at most NESTING_MAX levels of recursion; a tree that is at
 * most NESTING_MAX blocks and HEIGHT_MAX expressions deep. Of an error and what follows from it, only the first is reported: parsing
 * functions consume nothing more (panic) until the innermost list of statements finds the start of the next one.
 */
#include <string.h>

#include "lang/parse_int.h"

#define QUOTE_MAX 30 /* bytes of a token shown in a message */

/* ---- tokens ---- */

static void
next_token(struct parser *p, struct token *token)
{
	do
		lex_next(&p->lex, token);
	while (token->kind == TOKEN_ERROR); /* was reported; as if it were not there */
}

void
advance(struct parser *p)
{
	p->end = p->token.span.off + p->token.span.len;
	if (p->has_ahead)
		p->token = p->ahead;
	else
		next_token(p, &p->token);
	p->has_ahead = false;
}

const struct token *
peek(struct parser *p)
{
	if (!p->has_ahead)
		next_token(p, &p->ahead);
	p->has_ahead = true;
	return &p->ahead;
}

bool
at(const struct parser *p, enum token_kind kind)
{
	return !p->panic && p->token.kind == kind;
}

bool
at_word(const struct parser *p, const char *word)
{
	return at(p, TOKEN_NAME) && strcmp(p->token.s, word) == 0;
}

bool
at_new_line(const struct parser *p)
{
	return memchr(p->lex.script->text + p->end, '\n', p->token.span.off - p->end) != NULL;
}

bool
accept(struct parser *p, enum token_kind kind)
{
	if (!at(p, kind))
		return false;
	advance(p);
	return true;
}

/* ---- errors ---- */

static const char *
describe_token(struct parser *p)
{
	struct span span = p->token.span;
	char *text;

	if (p->token.kind == TOKEN_EOF)
		return "the end of the script";
	if (!span.len)
		return "nothing";
	text = arena_printf(p->arena, "'%.*s%s'", span.len < QUOTE_MAX ? (int)span.len : QUOTE_MAX, p->lex.script->text + span.off,
			    span.len > QUOTE_MAX ? "..." : "");
	for (char *c = text; *c; c++) /* strings may hold what a terminal would obey */
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = '.';
	return text;
}

struct diag *
syntax_error(struct parser *p, const char *slug, const char *expected)
{
	if (p->panic)
		return NULL;
	p->panic = true;
	if (p->lex.unfinished) /* what is missing is in the string */
		return NULL;
	return diag_error(p->diags, p->token.span, slug, "expected %s, but found %s", expected, describe_token(p));
}

void
help(struct parser *p, struct diag *diag, const char *text)
{
	if (diag)
		diag_help(p->diags, diag, "%s", text);
}

static const char *
expected_text(struct parser *p, enum token_kind kind)
{
	if (token_is_keyword(kind) || token_is_symbol(kind))
		return arena_printf(p->arena, "'%s'", token_text(kind));
	return arena_printf(p->arena, "a %s", token_text(kind));
}

bool
expect(struct parser *p, enum token_kind kind)
{
	if (accept(p, kind))
		return true;
	if (!p->panic)
		syntax_error(p, "expected-token", expected_text(p, kind));
	return false;
}

void
expect_close(struct parser *p, enum token_kind kind, struct span open, const char *open_text)
{
	struct diag *diag;

	if (accept(p, kind) || p->panic)
		return;
	diag = syntax_error(p, "expected-token", expected_text(p, kind));
	if (!diag)
		return;
	diag_note(p->diags, diag, open, "it would close this '%s'", open_text);
	if (p->token.kind == TOKEN_ASSIGN && kind != TOKEN_RBRACE)
		help(p, diag, "= assigns, == compares");
	else if (kind == TOKEN_SLASH)
		help(p, diag, "the handler's statements stand in braces after the filter: /.../ { ... }");
}

bool
enter(struct parser *p)
{
	struct diag *diag;

	if (++p->depth <= NESTING_MAX)
		return true;
	if (!p->panic) {
		diag = diag_error(p->diags, p->token.span, "nested-too-deep", "nested more than %d levels deep", NESTING_MAX);
		diag_help(p->diags, diag, "use functions or variables for the inner parts");
		p->panic = true;
	}
	return false;
}

void
leave(struct parser *p)
{
	p->depth--;
}

void
skip_braces(struct parser *p)
{
	unsigned open = 1;

	for (; open && p->token.kind != TOKEN_EOF; advance(p)) {
		if (p->token.kind == TOKEN_LBRACE)
			open++;
		else if (p->token.kind == TOKEN_RBRACE)
			open--;
	}
}

/* ---- nodes ---- */

struct node *
new_node(struct parser *p, enum node_kind kind, struct span span)
{
	struct node *node = arena_alloc(p->arena, sizeof(*node));

	node->kind = kind;
	node->span = span;
	return node;
}

void
close_span(struct parser *p, struct node *node)
{
	if (p->end > node->span.off)
		node->span.len = p->end - node->span.off;
}

void
raise_height(struct parser *p, struct node *node, const struct node *children)
{
	struct diag *diag;

	for (; children; children = children->next)
		if (node->height <= children->height)
			node->height = children->height + 1;
	if (node->height > p->height)
		p->height = node->height;
	if (node->height <= HEIGHT_MAX || p->panic)
		return;
	diag = diag_error(p->diags, p->token.span, "nested-too-deep", "the expression has more than %d operations, each within the "
			  "next", HEIGHT_MAX);
	diag_help(p->diags, diag, "use variables for parts of it");
	p->panic = true;
}

struct function *
new_function(struct parser *p, enum function_kind kind, const char *name, struct span span)
{
	struct function *function = arena_alloc(p->arena, sizeof(*function));

	function->kind = kind;
	function->name = name;
	function->span = span;
	function->parent = p->function;
	function->handler = UINT32_MAX;
	function->index = p->tree->n_functions++;
	*p->last_function = function;
	p->last_function = &function->next;
	return function;
}

/* ---- the whole script ---- */

struct tree *
parse(struct arena *arena, struct script *script, struct diags *diags)
{
	struct tree *tree = arena_alloc(arena, sizeof(*tree));
	struct parser p = { .arena = arena, .diags = diags, .tree = tree, .last_function = &tree->functions };

	tree->arena = arena;
	tree->script = script;
	tree->main = p.function = new_function(&p, FUNCTION_MAIN, "main chunk", (struct span){ 0, 0 });
	p.function->parent = NULL;
	lex_init(&p.lex, arena, script, diags);
	p.end = p.lex.off;
	next_token(&p, &p.token);
	tree->main->body = parse_chunk(&p, TOKEN_EOF);
	return tree;
}
