/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * fmt: the layout of a script (`ktap fmt`).
 *
 * Tokens and comments are written as they are, in their order; only the white space between them is made anew, and semicolons go where a
 * line ends anyway. So the result means what the script meant. The layout is that of the house's samples:
 *
 *     trace syscalls:*, sched:sched_switch /pid != 1/ {      a statement a line, one tab a level; `{` ends its line
 *             if (retval < 0) { failed[probename] += 1 }     a block on one line stays there
 *     }
 *                                                            one empty line at most
 *
 * Needs: a tree without errors. It says where statements and blocks begin and which operators have one operand: marks, one byte for each
 * byte of the text. Promises: linear in the text; formatting what is formatted changes nothing.
 */
#include <string.h>

#include "lang/lex.h"

enum mark {
	MARK_STATEMENT = 1, /* first token of a statement of a block */
	MARK_BLOCK = 2,     /* `{` of a block that takes several lines */
	MARK_LINE = 4,      /* `{` of a block on one line */
	MARK_UNARY = 8,     /* operator with one operand */
};

/* What is open around a token; the lowest stands for the whole text. */
struct open {
	enum token_kind token;
	bool is_block;
	bool on_one_line;  /* a block that stays on its line */
	unsigned indent;   /* of lines inside */
	uint32_t line;     /* of the output, where it was opened */
	unsigned choices;  /* `?` whose `:` is still to come */
};

struct format {
	struct arena *arena;
	struct script *script;
	struct text *out;
	uint8_t *marks;
	struct lexer lex, gap;  /* gap: reads the comments between tokens */
	struct token token, prev;
	bool unary, method, filter_mark;   /* what prev is: unary operator, ':' of a method, '/' that opens a filter */
	bool in_filter;
	bool must_break;        /* behind a comment to the end of the line */
	unsigned newlines;      /* in the script, in front of the token */
	struct open *stack;
	uint32_t depth, cap;
	uint32_t line;          /* of the output */
	unsigned indent;        /* of that line */
};

/* ---- marks ---- */

static void
mark_tree(struct format *f, const struct node *list);

static void
mark_block(struct format *f, const struct node *block)
{
	const char *s = f->script->text + block->span.off;

	for (const struct node *stat = block->a; stat; stat = stat->next)
		f->marks[stat->span.off] |= MARK_STATEMENT;
	if (*s == '{')
		f->marks[block->span.off] |= memchr(s, '\n', block->span.len) || memchr(s, '\r', block->span.len) ? MARK_BLOCK
														   : MARK_LINE;
}

static void
mark_tree(struct format *f, const struct node *list)
{
	for (const struct node *node = list; node; node = node->next) {
		if (node->kind == NODE_BLOCK)
			mark_block(f, node);
		else if (node->kind == NODE_UNARY)
			f->marks[node->span.off] |= MARK_UNARY;
		mark_tree(f, node->a);
		mark_tree(f, node->b);
		mark_tree(f, node->c);
		mark_tree(f, node->d);
		if (node->function) {
			mark_tree(f, node->function->filter);
			mark_tree(f, node->function->body);
		}
	}
}

static unsigned
mark_of(const struct format *f, const struct token *token)
{
	return f->marks[token->span.off];
}

/* ---- what is open ---- */

static struct open *
top(struct format *f)
{
	return &f->stack[f->depth - 1];
}

static void
push(struct format *f, struct open open)
{
	f->stack = arena_grow(f->arena, f->stack, f->depth, &f->cap, sizeof(*f->stack));
	f->stack[f->depth++] = open;
}

static struct token
next_token(const struct format *f)
{
	struct lexer ahead = f->lex;
	struct token token;

	lex_next(&ahead, &token);
	return token;
}

/* `repeat` and `do` open a block when no brace does it for them. */
static bool
opens_block(const struct format *f)
{
	switch ((int)f->token.kind) {
	case TOKEN_LBRACE:
		return mark_of(f, &f->token) & (MARK_BLOCK | MARK_LINE);
	case TOKEN_REPEAT:
		return next_token(f).kind != TOKEN_LBRACE;
	default:
		return f->token.kind == TOKEN_DO;
	}
}

static bool
opens(const struct format *f)
{
	switch ((int)f->token.kind) {
	case TOKEN_LPAREN:
	case TOKEN_LBRACKET:
	case TOKEN_LBRACE:
		return true;
	default:
		return opens_block(f);
	}
}

static bool
closes(struct format *f)
{
	switch ((int)f->token.kind) {
	case TOKEN_RPAREN:
	case TOKEN_RBRACKET:
	case TOKEN_RBRACE:
	case TOKEN_END:
		return true;
	case TOKEN_UNTIL:
		return top(f)->token == TOKEN_REPEAT;
	default:
		return false;
	}
}

/* A semicolon that only ends a line. One that stands before what could go on with the statement is needed. */
static bool
is_idle_semicolon(const struct format *f)
{
	struct lexer ahead = f->lex;
	struct token next;

	if (f->token.kind != TOKEN_SEMICOLON || !f->stack[f->depth - 1].is_block || f->prev.kind == TOKEN_RETURN)
		return false;
	do
		lex_next(&ahead, &next);
	while (next.kind == TOKEN_SEMICOLON);
	if (next.kind == TOKEN_EOF || next.kind == TOKEN_RBRACE)
		return true;
	return !f->stack[f->depth - 1].on_one_line && next.kind != TOKEN_LPAREN && next.kind != TOKEN_LBRACE;
}

/* A block inside brackets that were opened on its own line belongs to that line: f(x, function () { */
static void
open_token(struct format *f)
{
	const struct open *outer = top(f);
	struct open open = { .token = f->token.kind, .is_block = opens_block(f), .line = f->line };

	open.on_one_line = open.is_block && (mark_of(f, &f->token) & MARK_LINE);
	if (open.is_block && (outer->is_block || outer->line != f->line))
		open.indent = outer->indent + 1;
	else
		open.indent = f->indent + 1;
	push(f, open);
}

/* ---- white space ---- */

static void
new_line(struct format *f, unsigned n, unsigned indent)
{
	if (f->out->len) {
		for (; n > 0; n--, f->line++)
			text_putc(f->out, '\n');
	}
	for (unsigned i = 0; i < indent; i++)
		text_putc(f->out, '\t');
	f->indent = indent;
	f->must_break = false;
}

static void
put_source(struct format *f, struct span span)
{
	const char *s = f->script->text + span.off;

	text_add(f->out, s, span.len);
	for (uint32_t i = 0; i < span.len; i++)
		f->line += s[i] == '\n';
}

/* Newlines between two places, as an editor counts them; two stand for more. */
static unsigned
count_newlines(const struct format *f, uint32_t from, uint32_t to)
{
	const char *s = f->script->text;
	unsigned n = 0;

	for (; from < to && n < 2; from++)
		n += s[from] == '\n' || (s[from] == '\r' && s[from + 1] != '\n');
	return n;
}

static bool
begins_block_line(struct format *f)
{
	return f->token.kind == TOKEN_EOF || closes(f) || is_idle_semicolon(f) || ((mark_of(f, &f->token) & MARK_STATEMENT) && top(f)->is_block);
}

static bool
just_opened(const struct format *f)
{
	return f->stack[f->depth - 1].line == f->line;
}

/* Writes the comments in front of the token, and leaves how many newlines stand behind the last of them. */
static void
put_comments(struct format *f)
{
	uint32_t end = f->gap.off;
	struct span comment;

	while (f->gap.off < f->token.span.off && lex_comment(&f->gap, &comment)) {
		unsigned n = count_newlines(f, end, comment.off), indent = top(f)->indent;

		if (top(f)->is_block && !begins_block_line(f))
			indent++;
		if (n == 0 && f->out->len && !f->must_break)
			text_putc(f->out, ' ');
		else
			new_line(f, n > 1 && !just_opened(f) ? 2 : 1, indent);
		put_source(f, comment);
		end = f->gap.off;
		f->must_break = !lex_comment_is_long(f->script, comment);
	}
	f->newlines = count_newlines(f, end, f->token.span.off);
}

/* ---- between two tokens ---- */

static bool
ends_operand(const struct token *token)
{
	switch ((int)token->kind) {
	case TOKEN_NAME:
	case TOKEN_ARG:
	case TOKEN_STRING:
	case TOKEN_NUMBER:
	case TOKEN_RPAREN:
	case TOKEN_RBRACKET:
	case TOKEN_RBRACE:
		return true;
	default:
		return false;
	}
}

static bool
closes_filter(const struct format *f)
{
	return f->in_filter && f->token.kind == TOKEN_SLASH && next_token(f).kind == TOKEN_LBRACE;
}

/* By the token behind the gap. Returns -1: the one before decides. */
static int
space_before(struct format *f)
{
	switch ((int)f->token.kind) {
	case TOKEN_RPAREN:
	case TOKEN_RBRACKET:
	case TOKEN_COMMA:
	case TOKEN_SEMICOLON:
	case TOKEN_INCREMENT:
	case TOKEN_DOT:
		return false;
	case TOKEN_RBRACE:
		return f->prev.kind != TOKEN_LBRACE;
	case TOKEN_COLON:
		return top(f)->choices > 0;
	case TOKEN_LPAREN:
	case TOKEN_LBRACKET:
		return ends_operand(&f->prev) ? 0 : -1;
	case TOKEN_MINUS:
		return f->prev.kind == TOKEN_TICK || f->prev.kind == TOKEN_PROFILE ? 0 : -1;
	case TOKEN_SLASH:
		return closes_filter(f) ? 0 : -1;
	default:
		return -1;
	}
}

static bool
space_between(struct format *f)
{
	int before = space_before(f);

	if (f->prev.kind == TOKEN_EOF || f->method || f->filter_mark)
		return false;
	if (before >= 0)
		return before;
	switch ((int)f->prev.kind) {
	case TOKEN_LBRACKET: /* t[ [[text]] ]: three brackets would be read otherwise */
		return f->script->text[f->token.span.off] == '[';
	case TOKEN_LPAREN:
	case TOKEN_DOT:
		return false;
	case TOKEN_MINUS:
		if (f->token.kind == TOKEN_RAW)
			return false;
		return !f->unary || f->token.kind == TOKEN_MINUS; /* two would begin a comment */
	default:
		return !f->unary;
	}
}

/* A block's brace and what goes on behind one stay on the line. */
static bool
joins(const struct format *f)
{
	switch ((int)f->token.kind) {
	case TOKEN_LBRACE:
		return opens_block(f) && !(mark_of(f, &f->token) & MARK_STATEMENT);
	case TOKEN_ELSE:
	case TOKEN_ELSEIF:
	case TOKEN_UNTIL:
		return f->prev.kind == TOKEN_RBRACE;
	default:
		return false;
	}
}

static void
put_gap(struct format *f)
{
	const struct open *open = top(f);
	bool closing = closes(f), statement = (mark_of(f, &f->token) & MARK_STATEMENT) && f->token.kind != TOKEN_EOF;
	unsigned indent = open->indent - closing;

	if (f->prev.kind == TOKEN_EOF || (open->is_block && !open->on_one_line && (closing || statement))) {
		new_line(f, f->newlines > 1 && !closing && !just_opened(f) ? 2 : 1, indent);
	} else if (f->must_break || (f->newlines > 0 && !joins(f))) {
		new_line(f, 1, indent + (open->is_block && !closing && !statement));
	} else if (space_between(f)) {
		text_putc(f->out, ' ');
	}
}

/* ---- one token after the other ---- */

static void
note_token(struct format *f)
{
	bool opens_filter = f->token.kind == TOKEN_SLASH && f->prev.kind == TOKEN_RAW;

	f->unary = mark_of(f, &f->token) & MARK_UNARY && f->token.kind != TOKEN_EOF;
	f->method = f->token.kind == TOKEN_COLON && top(f)->choices == 0;
	f->in_filter = opens_filter || (f->in_filter && !closes_filter(f));
	f->filter_mark = opens_filter;
	if (f->token.kind == TOKEN_QUESTION)
		top(f)->choices++;
	else if (f->token.kind == TOKEN_COLON && !f->method)
		top(f)->choices--;
}

static void
put_token(struct format *f)
{
	put_gap(f);
	if (closes(f))
		f->depth--;
	put_source(f, f->token.span);
	note_token(f);
	if (opens(f))
		open_token(f);
	f->prev = f->token;
}

void
script_format(struct arena *arena, const struct tree *tree, struct text *out)
{
	struct format f = { .arena = arena, .script = tree->script, .out = out, .prev = { .kind = TOKEN_EOF } };
	struct diags ignored;

	f.marks = arena_alloc(arena, tree->script->len + 1);
	mark_tree(&f, tree->main->body);
	diags_init(&ignored, arena, tree->script);
	lex_init(&f.lex, arena, tree->script, &ignored);
	lex_init(&f.gap, arena, tree->script, &ignored);
	f.gap.off = strncmp(tree->script->text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0; /* a first line `#!` is a comment here */
	push(&f, (struct open){ .token = TOKEN_EOF, .is_block = true, .line = UINT32_MAX });
	do {
		lex_next(&f.lex, &f.token);
		put_comments(&f);
		if (f.token.kind != TOKEN_EOF && !is_idle_semicolon(&f))
			put_token(&f);
		f.gap.off = f.token.span.off + f.token.span.len;
	} while (f.token.kind != TOKEN_EOF);
	if (out->len)
		text_putc(out, '\n');
}
