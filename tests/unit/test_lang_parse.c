/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Lexer and parser: scripts against tokens, trees and slugs that were written down by reading the grammar.
 */
#include "lang_fixture.h"

/* ---- tokens ---- */

/* What `-d tokens` prints, without places, joined by spaces. */
static const char *
tokens_of(struct lang *lang)
{
	struct text joined = { 0 };
	char *printed = NULL, *rest, *line;
	const char *result;
	size_t size;
	FILE *out = open_memstream(&printed, &size);

	assert_non_null(out);
	lex_print(lang->arena, &lang->script, out);
	fclose(out);
	rest = printed;
	while ((line = strsep(&rest, "\n")))
		if (*line)
			text_printf(&joined, "%s%s", joined.len ? "|" : "", strchr(line, ' ') + 1);
	free(printed);
	result = arena_strdup(lang->arena, joined.s ? joined.s : "");
	text_fini(&joined);
	return result;
}

#define END "end of the script"

static const struct token_row {
	const char *script, *tokens;
} token_rows[] = {
	{ "", END },
	{ "\xef\xbb\xbf# first line\nx", "name 'x'|" END },
	{ "#!/usr/bin/ktap\r\nx\r\n", "name 'x'|" END },
	{ "a--b", "name 'a'|" END },
	{ "a - -b", "name 'a'|-|-|name 'b'|" END },
	{ "1 --[[ a\nb ]] 2 --[=[ ]] ]=] 3 # 4", "number 1|number 2|number 3|" END },
	{ "10 0x1F 010 1_000 0", "number 10|number 31|number 8|number 1000|number 0|" END },
	{ "10ms 2s 3us 7ns 4k 4K 1M 1G", "number 10000000|number 2000000000|number 3000|number 7|number 4096|number 4096|"
	  "number 1048576|number 1073741824|" END },
	{ "0xffffffffffffffff 9223372036854775807", "number -1|number 9223372036854775807|" END },
	{ "'a\\n\\x41\\065\\z  b\\\\\\''", "string \"a\\nAAb\\\\'\"|" END },
	{ "\"a\\\nb\"", "string \"a\\nb\"|" END },
	{ "[[\nx\\n]] [=[a]]b]=]", "string \"x\\\\n\"|string \"a]]b\"|" END },
	{ "<<<<<=<", "<<<|<<|=|<|" END },
	{ "a...b..c", "name 'a'|...|name 'b'|..|name 'c'|" END },
	{ "arg arg0 arg9 arg10 argstr", "name 'arg'|arg0|arg9|name 'arg10'|name 'argstr'|" END },
	{ "timer.tick kdebug.trace_end", "name 'timer'|.|name 'tick'|name 'kdebug'|.|name 'trace_end'|" END },
	{ "trace a:b, probe:/bin/sh:main x=+0(%si):string /pid / {}",
	  "trace|event description 'a:b'|,|event description 'probe:/bin/sh:main x=+0(%si):string'|/|name 'pid'|/|{|}|" END },
	{ "trace *:* # all\n{", "trace|event description '*:*'|{|" END },
	{ "tick-1s{} profile-99hz {}", "tick|-|event description '1s'|{|}|profile|-|event description '99hz'|{|}|" END },
	{ "time.profile { time.tick-2s { time.profile = 1", "profile|{|tick|-|event description '2s'|{|name 'time'|.|name 'profile'|=|"
	  "number 1|" END },
	{ "x\x01\x02$y", "name 'x'|malformed token|name 'y'|" END },
};

static void
test_tokens(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(token_rows); i++) {
		struct lang lang;

		lang_parse(&lang, token_rows[i].script, strlen(token_rows[i].script));
		assert_string_equal(tokens_of(&lang), token_rows[i].tokens);
		lang_fini(&lang);
	}
}

/* ---- expressions ---- */

static const struct token_info {
	const char *text;
} operators[N_TOKENS] = {
#define KEYWORD(id, s) [TOKEN_##id] = { s },
#define SYMBOL(id, s) [TOKEN_##id] = { s },
#define TOKEN(id, s) [TOKEN_##id] = { s },
#include "lang/tokens.def"
#undef KEYWORD
#undef SYMBOL
#undef TOKEN
};

/* An expression with all its parentheses. */
static void
write_exp(struct text *out, const struct node *node)
{
	const char *separator = "";

	switch ((int)node->kind) {
	case NODE_INT:
		text_printf(out, "%lld", (long long)node->number);
		break;
	case NODE_NAME:
		text_puts(out, node->s);
		break;
	case NODE_STR:
		text_printf(out, "'%s'", node->s);
		break;
	case NODE_ARG:
		text_printf(out, "arg%lld", (long long)node->number);
		break;
	case NODE_PAREN:
		write_exp(out, node->a);
		break;
	case NODE_UNARY:
		text_printf(out, "(%s", operators[node->op].text);
		write_exp(out, node->a);
		text_putc(out, ')');
		break;
	case NODE_BINARY:
		text_putc(out, '(');
		write_exp(out, node->a);
		text_printf(out, " %s ", operators[node->op].text);
		write_exp(out, node->b);
		text_putc(out, ')');
		break;
	case NODE_COND:
		text_putc(out, '(');
		write_exp(out, node->a);
		text_puts(out, " ? ");
		write_exp(out, node->b);
		text_puts(out, " : ");
		write_exp(out, node->c);
		text_putc(out, ')');
		break;
	case NODE_INDEX:
	case NODE_CALL:
	case NODE_METHOD:
		write_exp(out, node->a);
		if (node->kind == NODE_METHOD)
			text_printf(out, ":%s", node->s);
		text_putc(out, node->kind == NODE_INDEX ? '[' : '(');
		for (const struct node *child = node->b; child; child = child->next, separator = ", ") {
			text_puts(out, separator);
			write_exp(out, child);
		}
		text_putc(out, node->kind == NODE_INDEX ? ']' : ')');
		break;
	default:
		text_puts(out, "?");
	}
}

static const struct exp_row {
	const char *exp, *meaning;
} exp_rows[] = {
	{ "1 + 2 * 3 - 4", "((1 + (2 * 3)) - 4)" },
	{ "a .. b .. c", "(a .. (b .. c))" },
	{ "a .. 1 + 2", "(a .. (1 + 2))" },
	{ "a || b && c == d", "(a || (b && (c == d)))" },
	{ "a < b == c", "((a < b) == c)" },
	{ "!a == b", "((!a) == b)" },
	{ "-a * b", "((-a) * b)" },
	{ "- -a", "(-(-a))" },
	{ "flags & 1 == 1", "((flags & 1) == 1)" },
	{ "a | b & c << d .. e", "(a | (b & (c << (d .. e))))" },
	{ "a >> 1 + 2", "(a >> (1 + 2))" },
	{ "~a & b", "((~a) & b)" },
	{ "a ? b : c ? d : e", "(a ? b : (c ? d : e))" },
	{ "a == 1 ? b + 1 : c || d", "((a == 1) ? (b + 1) : (c || d))" },
	{ "a ? b ? 1 : 2 : 3", "(a ? (b ? 1 : 2) : 3)" },
	{ "a ? b : f(c)", "(a ? b : f(c))" },
	{ "a ? (b:m(1)) : c", "(a ? b:m(1) : c)" },
	{ "a.b[1, c].d(2)", "a['b'][1, c]['d'](2)" },
	{ "t:m 'x'", "t:m('x')" },
	{ "f 'x'", "f('x')" },
	{ "args.filename == arg1", "(args['filename'] == arg1)" },
	{ "1 - 2 - 3", "((1 - 2) - 3)" },
	{ "8 / 4 / 2 % 3", "(((8 / 4) / 2) % 3)" },
	{ "a.end", "a['end']" },
};

static void
test_precedence(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(exp_rows); i++) {
		char script[200];
		struct text out = { 0 };
		struct lang lang;

		snprintf(script, sizeof(script), "var x = %s", exp_rows[i].exp);
		lang_parse(&lang, script, strlen(script));
		assert_string_equal(lang_slugs(&lang), "");
		write_exp(&out, lang.tree->main->body->a->b);
		assert_string_equal(out.s, exp_rows[i].meaning);
		text_fini(&out);
		lang_fini(&lang);
	}
}

/* ---- statements ---- */

static const struct ast_row {
	const char *script, *ast;
} ast_rows[] = {
	{ "var a, b = 1; a, b = b, a",
	  "block\n"
	  "  var\n    var-name a\n    var-name b\n    b: int 1\n"
	  "  assign\n    name a\n    name b\n    b: name b\n    b: name a\n" },
	{ "x++ t[1, k] -= 2",
	  "block\n"
	  "  op-assign +\n    name x\n    b: int 1\n"
	  "  op-assign -\n    index\n      name t\n      b: int 1\n      b: name k\n    b: int 2\n" },
	{ "lat[k] <<< v", "block\n  sample\n    index\n      name lat\n      b: name k\n    b: name v\n" },
	{ "if (a) { } else if (b) { } elseif (c) { } else { f() }",
	  "block\n"
	  "  if\n    name a\n    b: block\n"
	  "    c: if\n      name b\n      b: block\n"
	  "      c: if\n        name c\n        b: block\n"
	  "        c: block\n          call-stat\n            call\n              name f\n" },
	{ "while (a) { break continue }", "block\n  while\n    name a\n    b: block\n      break\n      continue\n" },
	{ "repeat var a = 1 until (a)",
	  "block\n  repeat\n    block\n      var\n        var-name a\n        b: int 1\n    b: name a\n" },
	{ "for (i = 1, 10, 2) { }", "block\n  for-range\n    var-name i\n    int 1\n    int 10\n    int 2\n    b: block\n" },
	{ "for (k, v in pairs(t)) { }",
	  "block\n  for-in\n    var-name k\n    var-name v\n    b: call\n      name pairs\n      b: name t\n    c: block\n" },
	{ "for (var i = 0; i < 3; i++) { }",
	  "block\n  for-step\n    var\n      var-name i\n      b: int 0\n    b: binary <\n      name i\n      b: int 3\n"
	  "    c: op-assign +\n      name i\n      b: int 1\n    d: block\n" },
	{ "for (;;) { }", "block\n  for-step\n    d: block\n" },
	{ "do return 1 end", "block\n  block\n    return\n      int 1\n" },
	{ "function f(a, ...) { return a, ... }",
	  "block\n  function-stat\n    var-name f\n    b: function(a, ...)\n      block\n        return\n          name a\n          vararg\n" },
	{ "var function f() { }", "block\n  function-stat\n    var-name f\n    b: function()\n      block\n" },
	{ "t = { 1, x = 2; [k] = 3, }",
	  "block\n  assign\n    name t\n    b: table\n      table-field\n        b: int 1\n"
	  "      table-field\n        str \"x\"\n        b: int 2\n      table-field\n        name k\n        b: int 3\n" },
	{ "trace sched:*, a:b /pid == 1/ { }",
	  "block\n  trace sched:*, a:b\n    filter: binary ==\n      name pid\n      b: int 1\n    block\n" },
	{ "trace a:b / x / 2 == 1 /\n{ }",
	  "block\n  trace a:b\n    filter: binary ==\n      binary /\n        name x\n        b: int 2\n      b: int 1\n    block\n" },
	{ "tick-1sec { } profile-5usec { } trace_end { }",
	  "block\n  tick 1000000000 ns\n    block\n  profile 5000 ns\n    block\n  trace-end\n    block\n" },
	{ "trace signal:SIGUSR1 { } trace signal:signal_generate { }", "block\n  signal SIGUSR1\n    block\n  trace signal:signal_generate\n    block\n" },
	{ "time.profile { } profile-100hz { }", "block\n  profile 10000000 ns\n    block\n  profile 10000000 ns\n    block\n" },
	{ ";;f();", "block\n  call-stat\n    call\n      name f\n" },
};

static void
test_trees(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(ast_rows); i++) {
		struct lang lang;

		lang_parse(&lang, ast_rows[i].script, strlen(ast_rows[i].script));
		assert_string_equal(lang_slugs(&lang), "");
		assert_string_equal(lang_ast(&lang), ast_rows[i].ast);
		lang_fini(&lang);
	}
}

/* ---- errors ---- */

static const struct error_row {
	const char *script, *slugs;
} error_rows[] = {
	/* several errors, each once, and nothing that follows from them */
	{ "var x =\nvar y = 2 +\nif (1) { }\nprint(3", "2:1 expected-expression, 3:1 expected-expression, 4:8 expected-token" },
	{ "print(1 2)\nprint(3)\nprint(4 5)", "1:9 expected-token, 3:9 expected-token" },
	{ "if (x y) { f(1) } else { f(2) }\nvar = 3\nf(4)", "1:7 expected-token, 2:5 expected-token" },
	{ "trace a:b {\n  f(1 2)\n  g(\n}\nf() )", "2:7 expected-token, 4:1 expected-expression, 5:5 expected-statement" },
	{ "var t = {1 2}\nvar u = {3 4}", "1:12 expected-token, 2:12 expected-token" },
	{ "f({ a b, c }, function () { g(1 2) })\nh(", "1:7 expected-token, 2:3 expected-expression" },
	{ "trace a:b { if (1) { f()\n }", "2:3 expected-token" },
	{ "}\nf()\n}", "1:1 expected-statement, 3:1 expected-statement" },
	{ "f() end until", "1:5 expected-statement, 1:9 expected-statement" },
	/* lexical */
	{ "x = 1.5 y = 08 z = 0x w = 12qq", "1:5 malformed-number, 1:13 malformed-number, 1:20 malformed-number, 1:27 malformed-number" },
	{ "x = 9223372036854775808", "1:5 number-range" },
	{ "x = 0x1ffffffffffffffff", "1:5 number-range" },
	{ "x = 9000000000G", "1:5 number-range" },
	{ "x = \"abc\ny = 'd", "1:5 unfinished-string, 2:5 unfinished-string" },
	{ "print(\"abc)\nf('d\ng(1 2)", "1:7 unfinished-string, 2:3 unfinished-string, 3:5 expected-token" },
	{ "x = [[abc", "1:5 unfinished-string" },
	{ "--[[ abc", "1:1 unfinished-comment" },
	{ "x = '\\q\\xzz\\999'", "1:6 bad-escape, 1:8 bad-escape, 1:12 bad-escape" },
	{ "x = 1 $$$ @", "1:7 stray-character, 1:11 stray-character" },
	{ "/* x = = */ x = 1 // y = = \n", "1:1 c-comment, 1:19 c-comment" },
	/* habits from elsewhere */
	{ "local x = 1", "1:1 lua-local" },
	{ "x = a and b or not c", "1:7 lua-operator, 1:13 lua-operator, 1:16 lua-operator" },
	{ "x = a ~= b", "1:7 lua-operator" },
	{ "if x == 1 then f() elseif (y) then g() else h() end", "1:4 expected-token, 1:11 lua-block, 1:31 lua-block" },
	{ "while (x) do f() end", "1:11 lua-block" },
	{ "if x { f() }", "1:4 expected-token" },
	{ "x = args->f", "1:9 arrow" },
	{ "x = a ^ b ~ c", "1:7 no-operator, 1:11 no-operator" },
	{ "++x", "1:1 expected-statement" },
	{ "x--", "1:1 expected-statement" },
	{ "x == 1", "1:3 expected-statement" },
	{ "f() = 1 (a) += 2", "1:1 bad-target, 1:9 bad-target" },
	{ "arg1 = 2", "1:1 expected-statement" },
	{ "trace 'a:b' { }", "1:7 quoted-event" },
	{ "function t.f() { }", "1:11 expected-token" },
	{ "x = f\n(g)()", "2:1 ambiguous-call" },
	/* handlers */
	{ "trace { }", "1:7 expected-token" },
	{ "trace a:b, { }", "1:12 expected-token" },
	{ "trace a:b / / { }", "1:13 expected-expression" },
	{ "trace a:b\nf()", "2:1 expected-token" },
	{ "trace signal:SIGINT { } trace signal:SIGKILL { } trace signal:SIGFOO { } trace signal:SIG* { }",
	  "1:7 bad-signal, 1:31 bad-signal, 1:56 bad-signal, 1:80 bad-signal" },
	{ "trace a:b, signal:SIGHUP { } trace signal:SIGHUP, signal:SIGUSR1 { } trace signal:SIGHUP /pid/ { }",
	  "1:12 signal-alone, 1:36 signal-alone, 1:76 signal-alone" },
	{ "tick { } profile-1 { } tick-0s { } tick-5m { } profile-9999999hz { }",
	  "1:6 expected-token, 1:18 bad-interval, 1:29 bad-interval, 1:41 bad-interval, 1:56 bad-interval" },
};

static void
test_errors(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(error_rows); i++) {
		struct lang lang;

		lang_parse(&lang, error_rows[i].script, strlen(error_rows[i].script));
		assert_string_equal(lang_slugs(&lang), error_rows[i].slugs);
		lang_fini(&lang);
	}
}

/* ---- limits ---- */

static const struct deep_row {
	const char *unit;
	unsigned n;
	const char *tail, *slug; /* one of the errors has this slug */
} deep_rows[] = {
	{ "x = (", 1, "1)", "" },
	{ "(", 1000000, "", "nested-too-deep" },
	{ "!", 1, "", "expected-statement" },
	{ "if(1){", 190, "", "expected-token" },
	{ "if(1){", 100000, "", "nested-too-deep" },
	{ "if(1){}else ", 80000, "", "nested-too-deep" },
	{ "while(1)do ", 80000, "", "lua-block" },
	{ "f(function(){", 70000, "", "nested-too-deep" },
	{ "x=a..", 1, "", "expected-expression" },
	{ "x={", 100000, "", "nested-too-deep" },
	{ "x[", 100000, "", "nested-too-deep" },
	{ "\xff\x01", 500000, "", "stray-character" },
};

static void
test_depth(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(deep_rows); i++) {
		const struct deep_row *row = &deep_rows[i];
		struct text script = { 0 };
		const char *slugs;
		struct lang lang;

		for (unsigned n = 0; n < row->n; n++)
			text_puts(&script, row->unit);
		text_puts(&script, row->tail);
		lang_split(&lang, script.s, script.len);
		slugs = lang_slugs(&lang);
		assert_non_null(strstr(slugs, row->slug));
		lang_fini(&lang);
		text_fini(&script);
	}
}

static void
add_operands(struct text *script, const char *operand, unsigned n)
{
	while (n--)
		text_puts(script, operand);
}

/* Long chains of operators are cut off before they are too deep for the passes behind. */
static void
test_chains(void **state)
{
	static const struct { const char *unit; unsigned n; bool ok; } rows[] = {
		{ "1 + ", 900, true }, { "1 + ", 1100, false }, { "'a' .. ", 150, true }, { "'a' .. ", 250, false }, { "1 + ", 200000, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct text script = { 0 };
		struct lang lang;

		text_puts(&script, "var x = ");
		add_operands(&script, rows[i].unit, rows[i].n);
		text_puts(&script, "1");
		lang_split(&lang, script.s, script.len);
		assert_int_equal(lang.diags.n_errors, rows[i].ok ? 0 : 1);
		lang_fini(&lang);
		text_fini(&script);
	}
}

/* ---- anything ---- */

static uint32_t
next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static void
add_random_token(struct text *script, uint32_t *seed)
{
	static const char *const others[] = {
		"x", "y", "t", "f", "1", "10ms", "\"s\"", "'", "[[", "]]", "--", "\n", "arg1", "args", "pid", "print(", "pairs(t)", "kdebug.kprobe",
		"timer.profile(\"1s\",", "trace a:b", "/ x /", "tick-1s", "time.profile", "and", "not ", "then", "->", "@", "#", "\\", "\x01",
	};
	unsigned n = next_random(seed) % (N_TOKENS + ARRAY_SIZE(others));

	text_puts(script, n < N_TOKENS ? operators[n].text : others[n - N_TOKENS]);
	if (next_random(seed) % 4)
		text_putc(script, ' ');
}

/* No tokens in any order bring a pass down, and all that can be printed of them can be printed. */
static void
test_token_soup(void **state)
{
	uint32_t seed = 20;

	for (unsigned i = 0; i < 10000; i++) {
		struct text script = { 0 };
		unsigned n = next_random(&seed) % 60 + 1;
		struct lang lang;

		while (n--)
			add_random_token(&script, &seed);
		lang_split(&lang, script.s, script.len);
		assert_non_null(lang_ast(&lang));
		lang_slugs(&lang);
		node_clone(lang.arena, lang.tree->main->body);
		lang_fini(&lang);
		text_fini(&script);
	}
}

/* A copy prints the same, and shares no variable that is declared inside. */
static void
test_clone(void **state)
{
	static const char script[] = "var s = 1 { var a = s for (k, v in pairs(t)) { a += k } var a = a }";
	struct lang lang;
	struct node *block, *copy;
	char *before;

	lang_split(&lang, script, strlen(script));
	before = strdup(lang_ast(&lang));
	block = lang.tree->main->body->a->next;
	copy = node_clone(lang.arena, block);
	assert_ptr_not_equal(copy->a->a->var, block->a->a->var);            /* a is declared inside */
	assert_ptr_equal(copy->a->b->var, block->a->b->var);                /* s outside */
	assert_ptr_equal(copy->a->next->c->a->a->var, copy->a->a->var);     /* a += k means the copy's a */
	assert_ptr_equal(copy->a->next->next->b->var, copy->a->a->var);     /* var a = a: the first one */
	assert_ptr_not_equal(copy->a->next->next->a->var, copy->a->a->var); /* and a new one */
	copy->next = block->next;
	lang.tree->main->body->a->next = copy;
	assert_string_equal(lang_ast(&lang), before);
	free(before);
	lang_fini(&lang);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_precedence),
		cmocka_unit_test(test_trees),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_token_soup),
		cmocka_unit_test(test_clone),
	};

	return cmocka_run_group_tests_name("lang_parse", tests, NULL, NULL);
}
