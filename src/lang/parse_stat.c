/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Statements, and how parsing goes on behind an error.
 */
#include <string.h>

#include "lang/parse_int.h"

#define DEFAULT_PROFILE_NS 10000000 /* `time.profile { }` without an interval */

static struct node *
parse_stat(struct parser *p);

/* ---- behind an error ---- */

static bool
begins_statement(const struct parser *p)
{
	switch ((int)p->token.kind) {
	case TOKEN_TRACE:
	case TOKEN_TRACE_END:
	case TOKEN_PROFILE:
	case TOKEN_TICK:
	case TOKEN_VAR:
	case TOKEN_RETURN:
	case TOKEN_IF:
	case TOKEN_WHILE:
	case TOKEN_REPEAT:
	case TOKEN_FOR:
	case TOKEN_BREAK:
	case TOKEN_CONTINUE:
	case TOKEN_SEMICOLON:
		return true;
	case TOKEN_FUNCTION: /* elsewhere it may be an argument */
	case TOKEN_DO:
	case TOKEN_NAME:
		return at_new_line(p);
	default:
		return false;
	}
}

/*
 * Skips what belongs to a statement with an error. A block on the way (the condition before it was wrong) is skipped whole, so that its
 * '}' closes nothing else, and so is what belongs to it behind: `else`, or the rest of a call. `start` is where the statement began: at least one token goes.
 */
static void
sync(struct parser *p, uint32_t start)
{
	bool first = p->token.span.off == start;

	p->panic = false;
	p->lex.unfinished = false;
	for (; p->token.kind != TOKEN_EOF; first = false) {
		if (p->token.kind == TOKEN_RBRACE || p->token.kind == TOKEN_UNTIL || p->token.kind == TOKEN_END)
			return;
		if (!first && begins_statement(p))
			return;
		if (p->token.kind != TOKEN_LBRACE) {
			advance(p);
			continue;
		}
		advance(p);
		skip_braces(p);
		if (p->token.kind == TOKEN_NAME)
			return;
	}
}

/* ---- blocks ---- */

static bool
at_chunk_end(const struct parser *p, enum token_kind close)
{
	switch ((int)p->token.kind) {
	case TOKEN_EOF:
		return true;
	case TOKEN_RBRACE:
		return close != TOKEN_EOF;
	case TOKEN_ELSE:
	case TOKEN_ELSEIF:
		return close == TOKEN_ELSE;
	case TOKEN_END:
		return close == TOKEN_END || close == TOKEN_ELSE;
	default:
		return p->token.kind == close;
	}
}

/* A token that ends something which did not begin. Consumed, or the chunk would never come past it. */
static void
report_stray(struct parser *p)
{
	diag_error(p->diags, p->token.span, "expected-statement", "'%s' ends nothing that began before", token_text(p->token.kind));
	advance(p);
}

static bool
at_stray(const struct parser *p)
{
	return p->token.kind == TOKEN_RBRACE || p->token.kind == TOKEN_UNTIL || p->token.kind == TOKEN_END;
}

/* chunk := { stat [';'] } */
struct node *
parse_chunk(struct parser *p, enum token_kind close)
{
	struct node *block = new_node(p, NODE_BLOCK, p->token.span), **last = &block->a;

	while (!p->panic && !at_chunk_end(p, close)) {
		uint32_t start = p->token.span.off;

		if (accept(p, TOKEN_SEMICOLON))
			continue;
		if (at_stray(p)) {
			report_stray(p);
			continue;
		}
		*last = parse_stat(p);
		last = &(*last)->next;
		if (p->panic)
			sync(p, start);
	}
	close_span(p, block);
	return block;
}

/* Statements up to `else` or `end`, as Lua has them. */
static struct node *
parse_lua_chunk(struct parser *p)
{
	struct node *block = enter(p) ? parse_chunk(p, TOKEN_ELSE) : new_node(p, NODE_BLOCK, p->token.span);

	leave(p);
	accept(p, TOKEN_END);
	return block;
}

/* Lua's `then ... end`: understood, reported once. */
static struct node *
parse_lua_block(struct parser *p)
{
	struct diag *diag = diag_error(p->diags, p->token.span, "lua-block", "blocks stand in braces here");

	diag_help(p->diags, diag, "write { ... } in place of then ... end");
	advance(p);
	return parse_lua_chunk(p);
}

struct node *
parse_block(struct parser *p)
{
	struct span open = p->token.span;
	struct node *block;

	if (at_word(p, "then") || at(p, TOKEN_DO))
		return parse_lua_block(p);
	if (!at(p, TOKEN_LBRACE)) {
		if (!p->panic)
			help(p, syntax_error(p, "expected-token", "'{'"), "statements stand in braces here: { ... }");
		return new_node(p, NODE_BLOCK, open);
	}
	advance(p);
	if (enter(p)) {
		block = parse_chunk(p, TOKEN_RBRACE);
		expect_close(p, TOKEN_RBRACE, open, "{");
	} else {
		block = new_node(p, NODE_BLOCK, open);
		skip_braces(p);
	}
	leave(p);
	block->span.off = open.off;
	close_span(p, block);
	return block;
}

/* ---- functions and handlers ---- */

static const char *
place_name(struct parser *p, const char *what, struct span span)
{
	return arena_printf(p->arena, "%s at line %u", what, script_line(p->lex.script, span.off));
}

/* Lua's `function f(x) ... end`: understood, reported once. */
static struct node *
parse_lua_body(struct parser *p)
{
	struct node *block;

	help(p, syntax_error(p, "expected-token", "'{'"), "statements stand in braces here: { ... }");
	p->panic = false;
	block = parse_lua_chunk(p);
	accept(p, TOKEN_RBRACE);
	return block;
}

/* A body within `function`, whatever surrounds it. */
static struct node *
parse_body_of(struct parser *p, struct function *function)
{
	struct function *outer = p->function;
	struct context context = p->context;
	struct node *block;

	p->function = function;
	p->context = (struct context){ 0 };
	block = function->kind == FUNCTION_PLAIN && !p->panic && !at(p, TOKEN_LBRACE) ? parse_lua_body(p) : parse_block(p);
	p->function = outer;
	p->context = context;
	return block;
}

static struct variable *
new_param(struct parser *p, struct function *function)
{
	struct variable *var = arena_alloc(p->arena, sizeof(*var));

	var->name = p->token.s;
	var->span = p->token.span;
	var->function = function;
	var->is_param = true;
	return var;
}

/* params := '(' [name {',' name} [',' '...'] | '...'] ')' */
static void
parse_params(struct parser *p, struct function *function)
{
	struct span open = p->token.span;
	uint32_t cap = 0;

	if (!expect(p, TOKEN_LPAREN))
		return;
	while (!at(p, TOKEN_RPAREN) && !p->panic) {
		if (accept(p, TOKEN_ELLIPSIS)) {
			function->is_vararg = true;
			break;
		}
		if (!at(p, TOKEN_NAME)) {
			syntax_error(p, "expected-token", "the name of a parameter, or '...'");
			break;
		}
		function->params = arena_grow(p->arena, function->params, function->n_params, &cap, sizeof(*function->params));
		function->params[function->n_params++] = new_param(p, function);
		advance(p);
		if (!accept(p, TOKEN_COMMA))
			break;
	}
	expect_close(p, TOKEN_RPAREN, open, "(");
}

/* body := params '{' chunk '}' */
struct node *
parse_function_body(struct parser *p, const char *name, struct span span)
{
	struct node *node = new_node(p, NODE_FUNCTION, span);
	uint16_t height = p->height;

	node->function = new_function(p, FUNCTION_PLAIN, name ? name : place_name(p, "function", span), span);
	parse_params(p, node->function);
	close_span(p, node);
	node->function->span = node->span;
	p->height = 0;
	node->function->body = parse_body_of(p, node->function);
	node->height = p->height;
	p->height = height;
	raise_height(p, node, NULL);
	return node;
}

/* 'function' name body */
static struct node *
parse_function_stat(struct parser *p, struct node *stat)
{
	struct diag *diag;

	advance(p);
	stat->kind = NODE_FUNCTION_STAT;
	stat->a = parse_var_name(p);
	if (at(p, TOKEN_DOT) || at(p, TOKEN_COLON)) {
		diag = syntax_error(p, "expected-token", "'('");
		help(p, diag, "the name of a function has no dots; write t.name = function () { ... }");
	}
	stat->b = parse_function_body(p, stat->a->s, stat->span);
	return stat;
}

/* The function of a trace, profile, tick or trace_end statement. */
static void
parse_handler_body(struct parser *p, struct node *stat)
{
	uint16_t height = p->height;

	close_span(p, stat);
	stat->function->span = stat->span;
	stat->function->body = parse_body_of(p, stat->function);
	p->height = height;
}

/* At the raw text of an event description. */
static void
parse_pattern(struct parser *p, struct node *pattern)
{
	struct diag *diag;

	pattern->s = p->token.s;
	pattern->len = p->token.len;
	if (p->token.kind != TOKEN_RAW || !p->token.len) {
		pattern->s = "";
		diag = syntax_error(p, "expected-token", "an event");
		help(p, diag, "for example `trace syscalls:sys_enter_open* { ... }`; `ktap list` shows all events");
		return;
	}
	if (*p->token.s == '"' || *p->token.s == '\'') {
		diag = diag_error(p->diags, p->token.span, "quoted-event", "events stand without quotes");
		diag_help(p->diags, diag, "write trace %.*s", p->token.len > 2 ? (int)p->token.len - 2 : 0, p->token.s + 1);
	}
	advance(p);
}

static const struct node *
find_signal(const struct node *patterns)
{
	for (const struct node *pattern = patterns; pattern; pattern = pattern->next)
		if (signal_of_event(pattern->s))
			return pattern;
	return NULL;
}

/* `trace signal:SIGUSR1`, its head read: a signal to ktap itself is no event, and its handler is one of the control half, as a tick's is. */
static void
settle_signal(struct parser *p, struct node *stat, const struct node *pattern)
{
	struct function *function = stat->function;
	const char *signal = signal_of_event(pattern->s), *refusal = signal_refusal(signal);
	struct diag *diag;

	if (refusal) {
		diag = diag_error(p->diags, pattern->span, "bad-signal", "a script cannot handle %s: %s", signal, refusal);
		diag_help(p->diags, diag, "it can handle%s; the tracepoints are signal:signal_generate, signal:signal_deliver", signal_choices);
	}
	if (function->patterns->next || function->filter) {
		diag = diag_error(p->diags, pattern->span, "signal-alone", "signal:%s stands alone, without other events and without a filter", signal);
		diag_help(p->diags, diag, "write a handler of its own, trace signal:SIGUSR1 { ... }, and test with if in it");
	}
	stat->kind = NODE_SIGNAL;
	function->kind = FUNCTION_SIGNAL;
	function->signal = signal;
	function->patterns = NULL;
	function->filter = NULL;
}

/* 'trace' pattern {',' pattern} ['/' exp '/'] '{' chunk '}' */
static struct node *
parse_trace(struct parser *p, struct node *stat)
{
	struct function *outer = p->function;
	const struct node *signal;
	struct node **last;
	struct span open;

	advance(p);
	stat->kind = NODE_TRACE;
	stat->function = new_function(p, FUNCTION_TRACE, place_name(p, "trace", stat->span), stat->span);
	last = &stat->function->patterns;
	do {
		*last = new_node(p, NODE_STR, p->token.span);
		parse_pattern(p, *last);
		last = &(*last)->next;
	} while (accept(p, TOKEN_COMMA));
	open = p->token.span;
	if (accept(p, TOKEN_SLASH)) {
		struct context context = p->context;

		p->context = (struct context){ .filter = true };
		p->function = stat->function;
		stat->function->filter = parse_exp(p);
		filter_settle(p, &stat->function->filter);
		expect_close(p, TOKEN_SLASH, open, "/");
		p->function = outer;
		p->context = context;
	}
	signal = find_signal(stat->function->patterns);
	if (signal)
		settle_signal(p, stat, signal);
	parse_handler_body(p, stat);
	return stat;
}

/* N of tick-N. */
static void
parse_interval(struct parser *p, struct function *function)
{
	const char *wrong;

	if (!at(p, TOKEN_RAW)) {
		syntax_error(p, "expected-token", "an interval");
		return;
	}
	wrong = interval_parse(p->token.s, p->token.len, &function->period_ns);
	if (wrong)
		interval_report(p->diags, p->token.span, p->token.s, wrong);
	advance(p);
}

/* ('tick' | 'profile') '-' interval '{' chunk '}'; 'time.profile' '{' chunk '}' */
static struct node *
parse_timer(struct parser *p, struct node *stat)
{
	bool tick = p->token.kind == TOKEN_TICK;
	struct diag *diag;

	advance(p);
	stat->kind = tick ? NODE_TICK : NODE_PROFILE;
	stat->function = new_function(p, tick ? FUNCTION_TICK : FUNCTION_PROFILE,
				      place_name(p, tick ? "tick" : "profile", stat->span), stat->span);
	stat->function->period_ns = DEFAULT_PROFILE_NS;
	if (accept(p, TOKEN_MINUS)) {
		parse_interval(p, stat->function);
	} else if (tick || !at(p, TOKEN_LBRACE)) {
		diag = syntax_error(p, "expected-token", "'-' and an interval");
		help(p, diag, "for example tick-1s or profile-10ms; the library's functions are timer.tick and timer.profile");
	}
	parse_handler_body(p, stat);
	return stat;
}

/* 'trace_end' '{' chunk '}' */
static struct node *
parse_trace_end(struct parser *p, struct node *stat)
{
	advance(p);
	stat->kind = NODE_TRACE_END;
	stat->function = new_function(p, FUNCTION_END, place_name(p, "trace_end", stat->span), stat->span);
	parse_handler_body(p, stat);
	return stat;
}

/* ---- branches and loops ---- */

/* A condition whose parentheses are missing: reported, and read up to where its block begins. */
static struct node *
parse_bare_condition(struct parser *p)
{
	struct diag *diag = syntax_error(p, "expected-token", "'('");
	struct context context = p->context;
	struct node *condition;

	help(p, diag, "conditions stand in parentheses: if (x > 1) { ... }");
	p->panic = false;
	p->context = (struct context){ .bare = true };
	condition = parse_exp(p);
	p->context = context;
	return condition;
}

/* '(' exp ')' */
static struct node *
parse_condition(struct parser *p)
{
	struct span open = p->token.span;
	struct node *condition;

	if (p->panic)
		return new_node(p, NODE_ERROR, open);
	if (!at(p, TOKEN_LPAREN))
		return parse_bare_condition(p);
	advance(p);
	condition = parse_exp(p);
	expect_close(p, TOKEN_RPAREN, open, "(");
	return condition;
}

/* if := 'if' '(' exp ')' block { ('elseif' | 'else' 'if') '(' exp ')' block } [ 'else' block ] */
static struct node *
parse_if(struct parser *p, struct node *stat)
{
	struct node *branch = stat;
	unsigned depth = p->depth;

	advance(p);
	for (;;) {
		bool lua;

		branch->kind = NODE_IF;
		branch->a = parse_condition(p);
		lua = at_word(p, "then");
		branch->b = parse_block(p);
		if (!enter(p) || (!at(p, TOKEN_ELSE) && !at(p, TOKEN_ELSEIF)))
			break;
		if (accept(p, TOKEN_ELSE) && !at(p, TOKEN_IF)) {
			branch->c = lua ? parse_lua_chunk(p) : parse_block(p);
			break;
		}
		branch->c = new_node(p, NODE_IF, p->token.span);
		branch = branch->c;
		advance(p);
	}
	p->depth = depth;
	return stat;
}

/* 'while' '(' exp ')' block */
static struct node *
parse_while(struct parser *p, struct node *stat)
{
	advance(p);
	stat->kind = NODE_WHILE;
	stat->a = parse_condition(p);
	stat->b = parse_block(p);
	return stat;
}

/* 'repeat' chunk 'until' '(' exp ')' */
static struct node *
parse_repeat(struct parser *p, struct node *stat)
{
	struct span open = p->token.span;

	advance(p);
	stat->kind = NODE_REPEAT;
	stat->a = new_node(p, NODE_BLOCK, open);
	if (enter(p)) {
		if (at(p, TOKEN_LBRACE)) /* repeat { ... } until (x) */
			stat->a = parse_block(p);
		else
			stat->a = parse_chunk(p, TOKEN_UNTIL);
	}
	leave(p);
	expect_close(p, TOKEN_UNTIL, open, "repeat");
	stat->b = p->panic ? new_node(p, NODE_ERROR, open) : parse_condition(p);
	return stat;
}

/* 'do' chunk 'end' */
static struct node *
parse_do(struct parser *p, struct node *stat)
{
	struct span open = p->token.span;

	advance(p);
	if (enter(p))
		stat->a = parse_chunk(p, TOKEN_END)->a;
	leave(p);
	expect_close(p, TOKEN_END, open, "do");
	stat->kind = NODE_BLOCK;
	return stat;
}

/* `for (name = init, limit [, step])`, at the comma. */
static void
parse_range(struct parser *p, struct node *stat, struct node *name, struct node *init)
{
	stat->kind = NODE_FOR_RANGE;
	name->kind = NODE_VAR_NAME;
	stat->a = name;
	name->next = init;
	advance(p);
	init->next = parse_exp(p);
	if (accept(p, TOKEN_COMMA))
		init->next->next = parse_exp(p);
}

static struct node *
parse_simple_stat(struct parser *p);

/* `for (init; [exp]; [stat])`, behind init. */
static void
parse_step(struct parser *p, struct node *stat, struct node *init)
{
	stat->kind = NODE_FOR_STEP;
	stat->a = init;
	expect(p, TOKEN_SEMICOLON);
	if (!at(p, TOKEN_SEMICOLON))
		stat->b = parse_exp(p);
	expect(p, TOKEN_SEMICOLON);
	if (!at(p, TOKEN_RPAREN) && !p->panic)
		stat->c = parse_simple_stat(p);
}

/* `name {',' name} 'in' explist` */
static void
parse_in(struct parser *p, struct node *stat)
{
	struct node **last = &stat->a;

	stat->kind = NODE_FOR_IN;
	do {
		*last = parse_var_name(p);
		last = &(*last)->next;
	} while (accept(p, TOKEN_COMMA));
	expect(p, TOKEN_IN);
	stat->b = parse_exps(p);
}

/* `name = exp`, which begins a range or is the first part of the three. */
static void
parse_for_assign(struct parser *p, struct node *stat)
{
	struct node *assign = new_node(p, NODE_ASSIGN, p->token.span);

	assign->a = parse_var_name(p);
	assign->a->kind = NODE_NAME;
	advance(p);
	assign->b = parse_exp(p);
	close_span(p, assign);
	if (at(p, TOKEN_COMMA))
		parse_range(p, stat, assign->a, assign->b);
	else
		parse_step(p, stat, assign);
}

static struct node **
for_block(struct node *stat)
{
	return stat->kind == NODE_FOR_RANGE ? &stat->b : stat->kind == NODE_FOR_IN ? &stat->c : &stat->d;
}

/*
 * for := 'for' '(' name '=' exp ',' exp [',' exp] ')' block
 *      | 'for' '(' name {',' name} 'in' explist ')' block
 *      | 'for' '(' [stat] ';' [exp] ';' [stat] ')' block
 */
static struct node *
parse_for(struct parser *p, struct node *stat)
{
	struct span open;
	enum token_kind behind;

	advance(p);
	open = p->token.span;
	if (!at(p, TOKEN_LPAREN)) {
		if (!p->panic)
			help(p, syntax_error(p, "expected-token", "'('"),
			     "the head of a loop stands in parentheses: for (i = 1, 10) { ... }, for (k, v in pairs(t)) { ... }");
		return stat;
	}
	advance(p);
	behind = at(p, TOKEN_NAME) ? peek(p)->kind : TOKEN_EOF;
	if (behind == TOKEN_COMMA || behind == TOKEN_IN)
		parse_in(p, stat);
	else if (behind == TOKEN_ASSIGN)
		parse_for_assign(p, stat);
	else
		parse_step(p, stat, at(p, TOKEN_SEMICOLON) ? NULL : parse_simple_stat(p));
	expect_close(p, TOKEN_RPAREN, open, "(");
	close_span(p, stat);
	*for_block(stat) = parse_block(p);
	return stat;
}

/* ---- declarations, assignments, calls ---- */

/* 'var' name {',' name} ['=' explist] | 'var' 'function' name body */
static struct node *
parse_var(struct parser *p, struct node *stat)
{
	struct node **last = &stat->a;

	advance(p);
	if (at(p, TOKEN_FUNCTION))
		return parse_function_stat(p, stat);
	stat->kind = NODE_VAR;
	do {
		*last = parse_var_name(p);
		last = &(*last)->next;
	} while (accept(p, TOKEN_COMMA));
	if (accept(p, TOKEN_ASSIGN))
		stat->b = parse_exps(p);
	if (at(p, TOKEN_ASSIGN) && stat->b && stat->b->next && !p->panic) {
		help(p, syntax_error(p, "expected-statement", "a statement"), "names come first, then values: var a, b = 1, 2");
		for (last = &stat->b; (*last)->next; last = &(*last)->next)
			;
		(*last)->kind = NODE_ERROR; /* the next variable's name, meant as such */
	}
	close_span(p, stat);
	return stat;
}

static void
check_target(struct parser *p, const struct node *target)
{
	struct diag *diag;

	if (target->kind == NODE_NAME || target->kind == NODE_INDEX || target->kind == NODE_ERROR || p->panic)
		return;
	diag = diag_error(p->diags, target->span, "bad-target", "this cannot be assigned to");
	if (target->kind == NODE_CALL)
		diag_help(p->diags, diag, "a call gives a value; assign to a variable or to an element of a table");
	else
		diag_help(p->diags, diag, "assign to a variable or to an element of a table");
}

static const struct op_assign {
	enum token_kind token, op;
} op_assigns[] = {
	{ TOKEN_ADD_ASSIGN, TOKEN_PLUS }, { TOKEN_SUB_ASSIGN, TOKEN_MINUS }, { TOKEN_MUL_ASSIGN, TOKEN_STAR },
	{ TOKEN_DIV_ASSIGN, TOKEN_SLASH }, { TOKEN_MOD_ASSIGN, TOKEN_PERCENT }, { TOKEN_INCREMENT, TOKEN_PLUS },
};

static const struct op_assign *
current_op_assign(const struct parser *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(op_assigns); i++)
		if (at(p, op_assigns[i].token))
			return &op_assigns[i];
	return NULL;
}

/* target ('+=' | ...) exp | target '++' */
static void
parse_op_assign(struct parser *p, struct node *stat, const struct op_assign *op)
{
	stat->kind = NODE_OP_ASSIGN;
	stat->op = op->op;
	check_target(p, stat->a);
	if (op->token == TOKEN_INCREMENT) {
		stat->b = new_node(p, NODE_INT, p->token.span);
		stat->b->number = 1;
		advance(p);
		return;
	}
	advance(p);
	stat->b = parse_exp(p);
}

/* target {',' target} '=' explist */
static void
parse_assign(struct parser *p, struct node *stat)
{
	struct node **last = &stat->a->next;

	stat->kind = NODE_ASSIGN;
	check_target(p, stat->a);
	while (accept(p, TOKEN_COMMA)) {
		*last = parse_prefix(p);
		check_target(p, *last);
		last = &(*last)->next;
	}
	expect(p, TOKEN_ASSIGN);
	stat->b = parse_exps(p);
}

/* target '<<<' exp */
static void
parse_sample(struct parser *p, struct node *stat)
{
	stat->kind = NODE_SAMPLE;
	check_target(p, stat->a);
	advance(p);
	stat->b = parse_exp(p);
}

static void
report_no_statement(struct parser *p, struct node *stat)
{
	const char *behind = p->lex.script->text + p->end;
	struct diag *diag;

	stat->kind = NODE_ERROR;
	if (p->panic)
		return;
	if (p->end == stat->span.off || p->token.kind == TOKEN_EOF || at_new_line(p)) {
		close_span(p, stat);
		diag = diag_error(p->diags, stat->span, "expected-statement", "this alone does nothing");
		if (strncmp(behind, "--", 2) == 0)
			help(p, diag, "-- begins a comment; to subtract one, write -= 1");
		help(p, diag, "a statement is a declaration, an assignment, a call, a loop, a branch or a handler");
		return;
	}
	diag = syntax_error(p, "expected-statement", "an assignment or a call");
	if (stat->a && stat->a->kind == NODE_NAME && foreign_name(stat->a->s))
		help(p, diag, foreign_name(stat->a->s));
	else if (p->token.kind == TOKEN_EQ)
		help(p, diag, "= assigns, == compares");
	else if (stat->a && stat->a->kind == NODE_NAME && builtin_find(stat->a->s) && builtin_find(stat->a->s)->is_call)
		help(p, diag, arena_printf(p->arena, "a call has parentheses: %s()", stat->a->s));
	else if (p->token.kind == TOKEN_NAME && p->token.span.off == p->end + 1)
		help(p, diag, "statements begin with var, if, for, while, trace ... or with the name that is assigned or called");
}

/* What may begin with any prefix: an assignment or a call. */
static struct node *
parse_prefix_stat(struct parser *p, struct node *stat)
{
	const struct op_assign *op;

	stat->a = parse_prefix(p);
	op = current_op_assign(p);
	if (op)
		parse_op_assign(p, stat, op);
	else if (at(p, TOKEN_ASSIGN) || at(p, TOKEN_COMMA))
		parse_assign(p, stat);
	else if (at(p, TOKEN_SAMPLE))
		parse_sample(p, stat);
	else if (stat->a->kind == NODE_CALL || stat->a->kind == NODE_METHOD)
		stat->kind = NODE_CALL_STAT;
	else
		report_no_statement(p, stat);
	if (stat->kind == NODE_ERROR)
		stat->a = NULL;
	close_span(p, stat);
	return stat;
}

/* `local x`: understood, reported. */
static bool
at_local(struct parser *p)
{
	struct diag *diag;

	if (!at_word(p, "local") || (peek(p)->kind != TOKEN_NAME && p->ahead.kind != TOKEN_FUNCTION))
		return false;
	diag = diag_error(p->diags, p->token.span, "lua-local", "'local' declares nothing here");
	diag_help(p->diags, diag, "write var");
	return true;
}

/* Statements without a block, as in the parts of a for loop. */
static struct node *
parse_simple_stat(struct parser *p)
{
	struct node *stat = new_node(p, NODE_ERROR, p->token.span);
	struct diag *diag;

	if (at(p, TOKEN_VAR) || at_local(p))
		return parse_var(p, stat);
	if (at(p, TOKEN_NAME) || at(p, TOKEN_LPAREN))
		return parse_prefix_stat(p, stat);
	diag = syntax_error(p, "expected-statement", "a statement");
	if (p->token.kind == TOKEN_INCREMENT)
		help(p, diag, "++ stands after the name: x++");
	else if (p->token.kind == TOKEN_ARG)
		help(p, diag, "argN is a value of the event and cannot be assigned");
	return stat;
}

/* 'return' [explist] */
static struct node *
parse_return(struct parser *p, struct node *stat)
{
	advance(p);
	stat->kind = NODE_RETURN;
	if (!at(p, TOKEN_SEMICOLON) && !at_stray(p) && !at(p, TOKEN_EOF) && !at(p, TOKEN_ELSE) && !at(p, TOKEN_ELSEIF))
		stat->a = parse_exps(p);
	close_span(p, stat);
	return stat;
}

static struct node *
parse_word(struct parser *p, struct node *stat, enum node_kind kind)
{
	advance(p);
	stat->kind = kind;
	return stat;
}

static struct node *
parse_stat(struct parser *p)
{
	struct node *stat = new_node(p, NODE_ERROR, p->token.span);

	switch ((int)p->token.kind) {
	case TOKEN_TRACE:
		return parse_trace(p, stat);
	case TOKEN_TICK:
	case TOKEN_PROFILE:
		return parse_timer(p, stat);
	case TOKEN_TRACE_END:
		return parse_trace_end(p, stat);
	case TOKEN_FUNCTION:
		return parse_function_stat(p, stat);
	case TOKEN_IF:
		return parse_if(p, stat);
	case TOKEN_WHILE:
		return parse_while(p, stat);
	case TOKEN_REPEAT:
		return parse_repeat(p, stat);
	case TOKEN_FOR:
		return parse_for(p, stat);
	case TOKEN_DO:
		return parse_do(p, stat);
	case TOKEN_LBRACE:
		return parse_block(p);
	case TOKEN_BREAK:
		return parse_word(p, stat, NODE_BREAK);
	case TOKEN_CONTINUE:
		return parse_word(p, stat, NODE_CONTINUE);
	case TOKEN_RETURN:
		return parse_return(p, stat);
	default:
		return parse_simple_stat(p);
	}
}
