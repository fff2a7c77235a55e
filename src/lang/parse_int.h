/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * For parse.c, parse_exp.c and parse_stat.c only.
 */
#ifndef KTAP_PARSE_INT_H
#define KTAP_PARSE_INT_H

#include "lang/lex.h"

#define NESTING_MAX 200  /* levels of blocks, parentheses, else-if: the parser's recursion */
#define HEIGHT_MAX  1000 /* levels of an expression's tree: a + b + c ... nests to the left without recursion here */

/* What surrounds an expression, up to the next bracket. */
struct context {
	bool filter; /* of a trace statement: a '/' in front of '{' ends it */
	bool bare;   /* a condition without parentheses: '{' begins its block, no argument */
	bool choice; /* between '?' and ':', so ':' calls no method */
};

struct parser {
	struct arena *arena;
	struct diags *diags;
	struct lexer lex;
	struct token token, ahead; /* the current token, and the one behind it if has_ahead */
	bool has_ahead;
	uint32_t end;              /* where the token before the current one ended */
	/* A syntax error was reported: nothing is consumed or reported until the next statement (sync in parse_stat.c). */
	bool panic;
	unsigned depth;
	uint16_t height;           /* greatest height of a node in the current function */
	struct context context;
	struct tree *tree;
	struct function *function, **last_function;
};

/* ---- parse.c ---- */

void
advance(struct parser *p);

const struct token *
peek(struct parser *p);

bool
at(const struct parser *p, enum token_kind kind);

/* Is the current token this word, which is not reserved? */
bool
at_word(const struct parser *p, const char *word);

/* Is the current token the first one on its line? */
bool
at_new_line(const struct parser *p);

/* Consumes the token if it is `kind`. */
bool
accept(struct parser *p, enum token_kind kind);

/* Consumes the token, or reports that it is missing. */
bool
expect(struct parser *p, enum token_kind kind);

/* As expect; the message names the opening token that has no partner. */
void
expect_close(struct parser *p, enum token_kind kind, struct span open, const char *open_text);

/* A syntax error at the current token: "expected EXPECTED, but found TOKEN". NULL where one was reported that explains it. */
struct diag *
syntax_error(struct parser *p, const char *slug, const char *expected);

/* Adds a help unless diag is NULL. */
void
help(struct parser *p, struct diag *diag, const char *text);

/* Counts a level of nesting; false and one diagnostic at the limit. leave() is called in either case. */
bool
enter(struct parser *p);

void
leave(struct parser *p);

/* Skips to behind the bracket that closes a '{' already consumed. */
void
skip_braces(struct parser *p);

struct node *
new_node(struct parser *p, enum node_kind kind, struct span span);

/* Stretches a node's span to the end of the last consumed token. */
void
close_span(struct parser *p, struct node *node);

/* Updates node->height for a list of children, which is complete. */
void
raise_height(struct parser *p, struct node *node, const struct node *children);

struct function *
new_function(struct parser *p, enum function_kind kind, const char *name, struct span span);

/* ---- parse_exp.c ---- */

struct node *
parse_exp(struct parser *p);

/* exp {',' exp} */
struct node *
parse_exps(struct parser *p);

/* prefix: what a statement may begin with. */
struct node *
parse_prefix(struct parser *p);

/* VAR_NAME of the current token. */
struct node *
parse_var_name(struct parser *p);

/* ---- parse_stat.c ---- */

/* What the expression of a filter means where that is another thing than elsewhere: filter.c. */
void
filter_settle(struct parser *p, struct node **at);

/* { stat [';'] } up to `close`, '}' or the end. */
struct node *
parse_chunk(struct parser *p, enum token_kind close);

/* '{' chunk '}' */
struct node *
parse_block(struct parser *p);

/* What follows `function` and its name: the FUNCTION node. */
struct node *
parse_function_body(struct parser *p, const char *name, struct span span);

#endif
