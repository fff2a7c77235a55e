/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Expressions, by binding powers (Pratt): bindings[] is the whole of precedence and associativity.
 */
#include <string.h>

#include "lang/parse_int.h"

/*
 * Powers with which an operator binds its left and right operand; an operand goes to the side that binds it more. Left-associative: left
 * below right. Bit operators stand where Lua 5.4 puts them, so `flags & 1 == 1` is `(flags & 1) == 1`.
 */
static const struct binary {
	uint8_t left, right;
} bindings[N_TOKENS] = {
	[TOKEN_QUESTION] = { 2, 1 },
	[TOKEN_OR] = { 3, 4 },
	[TOKEN_AND] = { 5, 6 },
	[TOKEN_EQ] = { 7, 8 }, [TOKEN_NE] = { 7, 8 }, [TOKEN_LT] = { 7, 8 },
	[TOKEN_LE] = { 7, 8 }, [TOKEN_GT] = { 7, 8 }, [TOKEN_GE] = { 7, 8 },
	[TOKEN_PIPE] = { 9, 10 },
	[TOKEN_TILDE] = { 7, 8 }, /* s ~ "pattern"; other operands are reported, with xor() in the help */
	[TOKEN_AMP] = { 13, 14 },
	[TOKEN_SHL] = { 15, 16 }, [TOKEN_SHR] = { 15, 16 },
	[TOKEN_CONCAT] = { 18, 17 },
	[TOKEN_PLUS] = { 19, 20 }, [TOKEN_MINUS] = { 19, 20 },
	[TOKEN_STAR] = { 21, 22 }, [TOKEN_SLASH] = { 21, 22 }, [TOKEN_PERCENT] = { 21, 22 },
	[TOKEN_CARET] = { 25, 24 }, /* likewise */
};

#define UNARY_BINDING 23

static struct node *
parse_operators(struct parser *p, uint8_t binding);

/* ---- lists ---- */

struct node *
parse_exps(struct parser *p)
{
	struct node *first = NULL, **last = &first;

	do {
		*last = parse_exp(p);
		last = &(*last)->next;
	} while (accept(p, TOKEN_COMMA));
	return first;
}

struct node *
parse_var_name(struct parser *p)
{
	struct node *node = new_node(p, NODE_VAR_NAME, p->token.span);

	node->s = at(p, TOKEN_NAME) ? p->token.s : "?";
	node->len = strlen(node->s);
	if (!p->panic && token_is_keyword(p->token.kind))
		help(p, syntax_error(p, "expected-token", "a name"), "this word is reserved");
	expect(p, TOKEN_NAME);
	return node;
}

/* Inside of brackets an expression's surroundings have no meaning. */
static struct context
enter_brackets(struct parser *p)
{
	struct context outer = p->context;

	p->context = (struct context){ 0 };
	return outer;
}

/* ---- tables ---- */

static bool
at_field_name(struct parser *p)
{
	if (p->panic || (p->token.kind != TOKEN_NAME && !token_is_keyword(p->token.kind)))
		return false;
	/* Behind these the text follows other rules, so there is no looking ahead. */
	if (p->token.kind == TOKEN_TRACE || p->token.kind == TOKEN_TICK || p->token.kind == TOKEN_PROFILE)
		return false;
	return peek(p)->kind == TOKEN_ASSIGN;
}

/* field := '[' exp ']' '=' exp | name '=' exp | exp */
static struct node *
parse_field(struct parser *p)
{
	struct node *field = new_node(p, NODE_TABLE_FIELD, p->token.span);

	if (accept(p, TOKEN_LBRACKET)) {
		field->a = parse_exp(p);
		expect_close(p, TOKEN_RBRACKET, field->span, "[");
		expect(p, TOKEN_ASSIGN);
	} else if (at_field_name(p)) {
		field->a = new_node(p, NODE_STR, p->token.span);
		field->a->s = p->token.kind == TOKEN_NAME ? p->token.s : token_text(p->token.kind);
		field->a->len = strlen(field->a->s);
		advance(p);
		expect(p, TOKEN_ASSIGN);
	}
	field->b = parse_exp(p);
	raise_height(p, field, field->a);
	raise_height(p, field, field->b);
	close_span(p, field);
	return field;
}

/* table := '{' [field {(',' | ';') field} [',' | ';']] '}' */
static struct node *
parse_table(struct parser *p)
{
	struct node *table = new_node(p, NODE_TABLE, p->token.span), **last = &table->a;
	struct span open = p->token.span;
	struct context outer = enter_brackets(p);

	advance(p);
	while (!p->panic && !at(p, TOKEN_RBRACE)) {
		*last = parse_field(p);
		last = &(*last)->next;
		if (!accept(p, TOKEN_COMMA) && !accept(p, TOKEN_SEMICOLON))
			break;
	}
	expect_close(p, TOKEN_RBRACE, open, "{");
	if (p->panic) /* the '}' of this table must not end the block around it */
		skip_braces(p);
	raise_height(p, table, table->a);
	close_span(p, table);
	p->context = outer;
	return table;
}

/* ---- prefix expressions ---- */

static struct node *
wrap(struct parser *p, enum node_kind kind, struct node *inner)
{
	struct node *node = new_node(p, kind, inner->span);

	node->a = inner;
	raise_height(p, node, inner);
	return node;
}

/* The token at hand, a string or a name, as a node. */
static struct node *
text_node(struct parser *p, enum node_kind kind)
{
	struct node *node = new_node(p, kind, p->token.span);

	node->s = p->token.s;
	node->len = p->token.len;
	advance(p);
	return node;
}

/* '.' name */
static struct node *
parse_dot(struct parser *p, struct node *object)
{
	struct node *index = wrap(p, NODE_INDEX, object);

	index->b = new_node(p, NODE_STR, p->token.span);
	index->b->s = at(p, TOKEN_NAME) ? p->token.s : "";
	index->b->len = strlen(index->b->s);
	expect(p, TOKEN_NAME);
	close_span(p, index);
	return index;
}

/* '[' exp {',' exp} ']' */
static struct node *
parse_index(struct parser *p, struct node *object)
{
	struct node *index = wrap(p, NODE_INDEX, object);
	struct span open = p->token.span;
	struct context outer = enter_brackets(p);

	advance(p);
	index->b = parse_exps(p);
	expect_close(p, TOKEN_RBRACKET, open, "[");
	raise_height(p, index, index->b);
	close_span(p, index);
	p->context = outer;
	return index;
}

/* args := '(' [explist] ')' | string | table */
static void
parse_args(struct parser *p, struct node *call)
{
	struct span open = p->token.span;
	struct context outer = enter_brackets(p);

	if (at(p, TOKEN_STRING)) {
		call->b = text_node(p, NODE_STR);
	} else if (at(p, TOKEN_LBRACE)) {
		call->b = parse_table(p);
	} else if (accept(p, TOKEN_LPAREN)) {
		if (!at(p, TOKEN_RPAREN))
			call->b = parse_exps(p);
		expect_close(p, TOKEN_RPAREN, open, "(");
	} else {
		syntax_error(p, "expected-token", "the arguments of the call");
	}
	raise_height(p, call, call->b);
	close_span(p, call);
	p->context = outer;
}

static bool
at_args(const struct parser *p)
{
	/* A string or table on the next line begins a statement or is a mistake, never an argument. */
	return at(p, TOKEN_LPAREN) || (!at_new_line(p) && (at(p, TOKEN_STRING) || (at(p, TOKEN_LBRACE) && !p->context.bare)));
}

static struct node *
parse_call(struct parser *p, struct node *callee)
{
	struct node *call = wrap(p, NODE_CALL, callee);
	struct diag *diag;

	if (at(p, TOKEN_LPAREN) && at_new_line(p)) {
		diag = diag_error(p->diags, p->token.span, "ambiguous-call", "this could be the arguments of a call or a new statement");
		diag_help(p->diags, diag, "put '(' on the line of the function, or ';' between the statements");
	}
	parse_args(p, call);
	return call;
}

/* `tracepoint:syscalls:...`, `syscall::open:entry`: no method of anything, but an event as another tool writes it, of which one thing is to be said. */
static void
check_foreign_event(struct parser *p, struct node *object)
{
	const char *instead = object->kind == NODE_NAME ? foreign_name(object->s) : NULL;

	if (!instead || !at(p, TOKEN_COLON))
		return;
	help(p, diag_error(p->diags, object->span, "expected-statement", "expected a statement, but found '%s'", object->s), instead);
	object->kind = NODE_ERROR;
	p->panic = true;
}

/* ':' name args */
static struct node *
parse_method(struct parser *p, struct node *object)
{
	struct node *method = wrap(p, NODE_METHOD, object);

	advance(p);
	check_foreign_event(p, object);
	method->s = at(p, TOKEN_NAME) ? p->token.s : "";
	method->len = strlen(method->s);
	if (!expect(p, TOKEN_NAME))
		return method;
	check_foreign_event(p, object);
	if (!p->panic)
		parse_args(p, method);
	return method;
}

static bool
at_arrow(struct parser *p)
{
	return at(p, TOKEN_MINUS) && peek(p)->kind == TOKEN_GT && p->ahead.span.off == p->token.span.off + 1;
}

static void
skip_arrow(struct parser *p)
{
	struct diag *diag = diag_error(p->diags, (struct span){ p->token.span.off, 2 }, "arrow", "'->' does not exist here");

	diag_help(p->diags, diag, "fields are reached with a dot: args.filename");
	advance(p);
	advance(p);
}

/* '(' exp ')' */
static struct node *
parse_paren(struct parser *p)
{
	struct node *paren = new_node(p, NODE_PAREN, p->token.span);
	struct span open = p->token.span;
	struct context outer = enter_brackets(p);

	advance(p);
	paren->a = parse_exp(p);
	expect_close(p, TOKEN_RPAREN, open, "(");
	raise_height(p, paren, paren->a);
	close_span(p, paren);
	p->context = outer;
	return paren;
}

/* Lua's #t: what stands behind the token before begins a comment. */
static bool
behind_length(const struct parser *p)
{
	const char *text = p->lex.script->text + p->end;

	text += strspn(text, " ");
	return *text == '#' && (text[1] == '(' || text[1] == '_' || ((text[1] | 0x20) >= 'a' && (text[1] | 0x20) <= 'z'));
}

static struct node *
expected_expression(struct parser *p)
{
	struct node *node = new_node(p, NODE_ERROR, p->token.span);
	struct diag *diag;

	if (p->panic)
		return node;
	diag = syntax_error(p, "expected-expression", "an expression");
	if (p->token.kind == TOKEN_INCREMENT)
		help(p, diag, "x++ is a statement of its own, with ++ after the name");
	else if (p->token.kind == TOKEN_LBRACKET)
		help(p, diag, "a table's elements stand in braces: { 1, 2, 3 }");
	else if (behind_length(p))
		help(p, diag, "# begins a comment; len(t) is the length of a table or text");
	else if (token_is_keyword(p->token.kind) && !at_new_line(p))
		help(p, diag, "this word is reserved");
	return node;
}

/* prefix := name | '(' exp ')' | prefix '.' name | prefix '[' exp {',' exp} ']' | prefix [':' name] args */
struct node *
parse_prefix(struct parser *p)
{
	struct node *node;

	if (at(p, TOKEN_NAME))
		node = text_node(p, NODE_NAME);
	else if (at(p, TOKEN_LPAREN))
		node = parse_paren(p);
	else
		return expected_expression(p);
	while (!p->panic) {
		if (at_arrow(p)) {
			skip_arrow(p);
			node = parse_dot(p, node);
		} else if (accept(p, TOKEN_DOT)) {
			node = parse_dot(p, node);
		} else if (at(p, TOKEN_LBRACKET)) {
			node = parse_index(p, node);
		} else if (at(p, TOKEN_COLON) && !p->context.choice) {
			node = parse_method(p, node);
		} else if (at_args(p)) {
			node = parse_call(p, node);
		} else {
			break;
		}
	}
	return node;
}

/* ---- operands ---- */

static struct node *
constant_node(struct parser *p, enum node_kind kind)
{
	struct node *node = new_node(p, kind, p->token.span);

	node->number = p->token.number;
	advance(p);
	return node;
}

static struct node *
unary_node(struct parser *p, enum token_kind op)
{
	struct node *node = new_node(p, NODE_UNARY, p->token.span);

	node->op = op;
	advance(p);
	node->a = parse_operators(p, UNARY_BINDING);
	raise_height(p, node, node->a);
	close_span(p, node);
	return node;
}

/* Lua's `not x`. `not(x)` calls a function of that name, as in 0.4; names.c knows what to say when there is none. */
static bool
at_lua_not(struct parser *p)
{
	static const enum token_kind starts[] = {
		TOKEN_NAME, TOKEN_NUMBER, TOKEN_TRUE, TOKEN_FALSE, TOKEN_NIL, TOKEN_ARG,
	};

	if (!at_word(p, "not"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(starts); i++)
		if (peek(p)->kind == starts[i])
			return true;
	return false;
}

static void
report_lua_word(struct parser *p, const char *instead)
{
	struct diag *diag = diag_error(p->diags, p->token.span, "lua-operator", "'%s' is not an operator here", p->token.s);

	diag_help(p->diags, diag, "write %s", instead);
}

static struct node *
parse_function(struct parser *p)
{
	struct span span = p->token.span;

	advance(p);
	return parse_function_body(p, NULL, span);
}

static struct node *
parse_operand(struct parser *p)
{
	if (p->panic)
		return expected_expression(p);
	switch ((int)p->token.kind) {
	case TOKEN_NUMBER:
		return constant_node(p, NODE_INT);
	case TOKEN_STRING:
		return text_node(p, NODE_STR);
	case TOKEN_NIL:
		return constant_node(p, NODE_NIL);
	case TOKEN_TRUE:
		return constant_node(p, NODE_TRUE);
	case TOKEN_FALSE:
		return constant_node(p, NODE_FALSE);
	case TOKEN_ELLIPSIS:
		return constant_node(p, NODE_VARARG);
	case TOKEN_ARG:
		return constant_node(p, NODE_ARG);
	case TOKEN_LBRACE:
		return parse_table(p);
	case TOKEN_FUNCTION:
		return parse_function(p);
	case TOKEN_MINUS:
	case TOKEN_NOT:
	case TOKEN_TILDE:
		return unary_node(p, p->token.kind);
	default:
		if (!at_lua_not(p))
			return parse_prefix(p);
		report_lua_word(p, "!");
		return unary_node(p, TOKEN_NOT);
	}
}

/* ---- operators ---- */

static bool
at_not_equal_of_lua(struct parser *p)
{
	return at(p, TOKEN_TILDE) && peek(p)->kind == TOKEN_ASSIGN && p->ahead.span.off == p->token.span.off + 1;
}

/* The operator at the current token, with those of other languages understood for what they mean. */
static enum token_kind
current_operator(struct parser *p)
{
	if (p->panic)
		return TOKEN_EOF;
	if (at(p, TOKEN_SLASH) && p->context.filter && peek(p)->kind == TOKEN_LBRACE)
		return TOKEN_EOF;
	if (at_word(p, "and"))
		return TOKEN_AND;
	if (at_word(p, "or"))
		return TOKEN_OR;
	if (at_not_equal_of_lua(p))
		return TOKEN_NE;
	return p->token.kind;
}

static void
consume_operator(struct parser *p, enum token_kind op)
{
	struct diag *diag = NULL;

	if (p->token.kind == TOKEN_NAME) {
		report_lua_word(p, op == TOKEN_AND ? "&&" : "||");
	} else if (p->token.kind == TOKEN_TILDE && op == TOKEN_NE) {
		diag = diag_error(p->diags, (struct span){ p->token.span.off, 2 }, "lua-operator", "'~=' is not an operator here");
		help(p, diag, "write !=");
		advance(p);
	} else if (op == TOKEN_TILDE && peek(p)->kind != TOKEN_STRING) {
		diag = diag_error(p->diags, p->token.span, "no-operator", "'~' has one operand, as in ~x, or a pattern on its right, as in s ~ \"a*\"");
		help(p, diag, "xor(a, b) is the bitwise exclusive or; strings are compared with == and !=");
	} else if (op == TOKEN_CARET) {
		diag = diag_error(p->diags, p->token.span, "no-operator", "'^' is not an operator here");
		help(p, diag, "multiply for a power; xor(a, b) is the bitwise exclusive or");
	}
	advance(p);
}

/* cond := exp '?' exp ':' exp */
static struct node *
parse_choice(struct parser *p, struct node *condition)
{
	struct node *node = wrap(p, NODE_COND, condition);
	struct span open = p->token.span;
	struct context outer = p->context;

	advance(p);
	p->context.choice = true;
	node->b = parse_operators(p, 0);
	p->context = outer;
	expect_close(p, TOKEN_COLON, open, "?");
	node->c = parse_operators(p, bindings[TOKEN_QUESTION].right);
	raise_height(p, node, node->b);
	raise_height(p, node, node->c);
	close_span(p, node);
	return node;
}

/* exp := operand {binop exp}, of the operators that bind the operand more than `binding` */
static struct node *
parse_operators_kind(struct parser *p, uint8_t binding)
{
	struct node *left = parse_operand(p), *node;

	for (;;) {
		enum token_kind op = current_operator(p);

		if (bindings[op].left <= binding)
			return left;
		if (op == TOKEN_QUESTION) {
			left = parse_choice(p, left);
			continue;
		}
		consume_operator(p, op);
		node = wrap(p, NODE_BINARY, left);
		node->op = op;
		node->b = parse_operators(p, bindings[op].right);
		raise_height(p, node, node->b);
		close_span(p, node);
		left = node;
	}
}

static struct node *
parse_operators(struct parser *p, uint8_t binding)
{
	struct node *node;

	node = enter(p) ? parse_operators_kind(p, binding) : expected_expression(p);
	leave(p);
	return node;
}

struct node *
parse_exp(struct parser *p)
{
	return parse_operators(p, 0);
}
