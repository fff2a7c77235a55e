/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * lex: the text of a script as tokens, one at a time.
 *
 * Comments are `#` and `--` to the end of the line and `--[[ ... ]]`, `--[=[ ... ]=]`. Event descriptions after `trace` and intervals
 * after `tick-` and `profile-` are read as raw text (struct lexer.mode), since they follow other rules than the language:
 *
 *     trace syscalls:sys_enter_*, probe:/bin/sh:main a=%di / arg1 > 2 / {
 *           ^~~~~~~~~~~~~~~~~~~~^ ^~~~~~~~~~~~~~~~~~~~~~~~ ^ from here on the language again
 *
 * Promises: linear in the text, whatever the text is; never reads behind it; strings it returns are NUL-terminated in the arena.
 */
#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "lang/lex.h"

static int
byte_at(const struct lexer *lex, uint32_t off)
{
	return off < lex->script->len ? (unsigned char)lex->script->text[off] : -1;
}

static int
peek_byte(const struct lexer *lex)
{
	return byte_at(lex, lex->off);
}

static bool
is_digit(int c)
{
	return c >= '0' && c <= '9';
}

static bool
is_word_start(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static bool
is_word(int c)
{
	return is_word_start(c) || is_digit(c);
}

static bool
is_space(int c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool
is_newline(int c)
{
	return c == '\n' || c == '\r';
}

static struct span
span_from(const struct lexer *lex, uint32_t start)
{
	return (struct span){ start, lex->off - start };
}

static void
skip_line(struct lexer *lex)
{
	while (peek_byte(lex) >= 0 && !is_newline(peek_byte(lex)))
		lex->off++;
}

void
lex_init(struct lexer *lex, struct arena *arena, const struct script *script, struct diags *diags)
{
	*lex = (struct lexer){ .arena = arena, .script = script, .diags = diags, .last = TOKEN_EOF };
	if (script->len >= 3 && memcmp(script->text, "\xef\xbb\xbf", 3) == 0)
		lex->off = 3;
	if (peek_byte(lex) == '#')
		skip_line(lex);
}

/* ---- long brackets ---- */

/* Level of a long bracket [[ (0), [=[ (1) ... at `off`, or -1. */
static int
long_bracket_level(const struct lexer *lex, uint32_t off)
{
	int level = 0;

	if (byte_at(lex, off) != '[')
		return -1;
	while (byte_at(lex, ++off) == '=')
		level++;
	return byte_at(lex, off) == '[' ? level : -1;
}

static bool
closes_long_bracket(const struct lexer *lex, int level)
{
	uint32_t off = lex->off;

	if (byte_at(lex, off) != ']')
		return false;
	for (; level > 0; level--)
		if (byte_at(lex, ++off) != '=')
			return false;
	return byte_at(lex, off + 1) == ']';
}

/* Moves behind a long bracket. Returns its inside; reports a missing end at `start`. */
static struct span
read_long_bracket(struct lexer *lex, uint32_t start, int level, const char *slug, const char *what)
{
	struct span inside;
	struct diag *diag;

	lex->off += 2 + (uint32_t)level;
	inside.off = lex->off;
	/* A `]==` of another level is passed byte by byte: each byte is looked at `level` times at most, once for each `]`. */
	while (peek_byte(lex) >= 0 && !closes_long_bracket(lex, level))
		lex->off++;
	inside.len = lex->off - inside.off;
	if (peek_byte(lex) >= 0) {
		lex->off += 2 + (uint32_t)level;
		return inside;
	}
	diag = diag_error(lex->diags, (struct span){ start, inside.off - start }, slug, "%s begins here and has no end", what);
	diag_help(lex->diags, diag, "it ends with ]%.*s]", level < 20 ? level : 20, "====================");
	return inside;
}

/* ---- space and comments ---- */

static bool
at_comment(const struct lexer *lex)
{
	return peek_byte(lex) == '#' || (peek_byte(lex) == '-' && byte_at(lex, lex->off + 1) == '-');
}

static void
skip_comment(struct lexer *lex)
{
	uint32_t start = lex->off;
	int level = peek_byte(lex) == '-' ? long_bracket_level(lex, lex->off + 2) : -1;

	if (level < 0) {
		skip_line(lex);
		return;
	}
	lex->off += 2;
	read_long_bracket(lex, start, level, "unfinished-comment", "the comment");
}

static void
skip_space(struct lexer *lex)
{
	for (;;) {
		if (is_space(peek_byte(lex)))
			lex->off++;
		else if (at_comment(lex))
			skip_comment(lex);
		else
			return;
	}
}

bool
lex_comment(struct lexer *lex, struct span *comment)
{
	while (is_space(peek_byte(lex)))
		lex->off++;
	if (!at_comment(lex))
		return false;
	comment->off = lex->off;
	skip_comment(lex);
	comment->len = lex->off - comment->off;
	return true;
}

bool
lex_comment_is_long(const struct script *script, struct span comment)
{
	const struct lexer lex = { .script = script };

	return script->text[comment.off] == '-' && long_bracket_level(&lex, comment.off + 2) >= 0;
}

/* ---- words ---- */

/* `time.profile` and `time.tick` in front of an interval or a body are the statements `profile` and `tick`. */
static enum token_kind
find_time_statement(const struct lexer *lex, uint32_t start, uint32_t *end)
{
	static const struct {
		const char *text;
		enum token_kind kind;
	} forms[] = { { "time.profile", TOKEN_PROFILE }, { "time.tick", TOKEN_TICK } };

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		uint32_t len = strlen(forms[i].text), off = start + len;

		if (lex->script->len - start < len || memcmp(lex->script->text + start, forms[i].text, len) != 0)
			continue;
		if (is_word(byte_at(lex, off)))
			continue;
		while (is_space(byte_at(lex, off)))
			off++;
		if (byte_at(lex, off) == '-' || byte_at(lex, off) == '{') {
			*end = start + len;
			return forms[i].kind;
		}
	}
	return TOKEN_NAME;
}

static bool
is_arg_word(const char *s, uint32_t len)
{
	return len == 4 && memcmp(s, "arg", 3) == 0 && is_digit(s[3]);
}

static void
read_word(struct lexer *lex, struct token *token)
{
	uint32_t start = lex->off;
	const char *s = lex->script->text + start;

	while (is_word(peek_byte(lex)))
		lex->off++;
	token->len = lex->off - start;
	token->s = arena_strndup(lex->arena, s, token->len);
	token->kind = TOKEN_NAME;
	if (lex->last == TOKEN_DOT)
		return; /* a word behind a dot is a name: timer.tick */
	token->kind = find_time_statement(lex, start, &lex->off);
	if (token->kind == TOKEN_NAME)
		token->kind = token_find_keyword(s, token->len);
	if (is_arg_word(s, token->len)) {
		token->kind = TOKEN_ARG;
		token->number = s[3] - '0';
	} else if (token->kind == TOKEN_TRACE) {
		lex->mode = LEX_EVENTS;
		lex->in_filter = false;
	} else if (token->kind == TOKEN_TICK || token->kind == TOKEN_PROFILE) {
		lex->mode = LEX_DASH;
	}
}

/* ---- numbers ---- */

static const struct suffix {
	const char *text;
	uint64_t factor;
} suffixes[] = {
	{ "", 1 },
	{ "ns", 1 }, { "us", 1000 }, { "ms", 1000000 }, { "s", 1000000000 },
	{ "k", 1 << 10 }, { "K", 1 << 10 }, { "M", 1 << 20 }, { "G", 1 << 30 },
};

static int
digit_value(int c, unsigned base)
{
	int value = is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : 99;

	return value < (int)base ? value : -1;
}

static struct diag *
malformed_number(struct lexer *lex, struct span span, const char *why)
{
	return diag_error(lex->diags, span, "malformed-number", "malformed number '%.*s': %s", span.len < 40 ? (int)span.len : 40,
			  lex->script->text + span.off, why);
}

/* The digits of a number, with `_` among them. */
struct digits {
	unsigned base;
	uint64_t n;
	bool overflow, any;
	uint32_t end; /* offset of what follows them */
};

static struct digits
read_digits(const struct lexer *lex, uint32_t off, uint32_t end)
{
	struct digits digits = { .base = 10 };

	if (byte_at(lex, off) == '0' && (byte_at(lex, off + 1) | 0x20) == 'x') {
		digits.base = 16;
		off += 2;
	} else if (byte_at(lex, off) == '0') {
		digits.base = 8;
	}
	for (; off < end; off++) {
		int digit = digit_value(byte_at(lex, off), digits.base);

		if (byte_at(lex, off) == '_')
			continue;
		if (digit < 0)
			break;
		digits.any = true;
		digits.overflow |= __builtin_mul_overflow(digits.n, (uint64_t)digits.base, &digits.n) ||
				   __builtin_add_overflow(digits.n, (uint64_t)digit, &digits.n);
	}
	digits.end = off;
	return digits;
}

static const struct suffix *
find_suffix(const char *text, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++)
		if (strlen(suffixes[i].text) == len && memcmp(suffixes[i].text, text, len) == 0)
			return &suffixes[i];
	return NULL;
}

static void
report_no_suffix(struct lexer *lex, struct span span, bool is_octal)
{
	struct diag *diag;

	if (is_octal) {
		malformed_number(lex, span, "a number that begins with 0 is octal and has digits up to 7");
		return;
	}
	diag = malformed_number(lex, span, "it ends in something that is no digit and no suffix");
	diag_help(lex->diags, diag, "the suffixes are ns, us, ms, s (the number becomes nanoseconds) and k, M, G (powers of 1024)");
}

/* 0x1f, 017, 1_000, 10ms; as 0.4 reads them, with separators and suffixes added. */
static void
number_value(struct lexer *lex, struct token *token)
{
	struct digits digits = read_digits(lex, token->span.off, lex->off);
	const struct suffix *suffix = find_suffix(lex->script->text + digits.end, lex->off - digits.end);

	if (!digits.any) {
		malformed_number(lex, token->span, "digits must follow 0x");
		return;
	}
	if (!suffix) {
		report_no_suffix(lex, token->span, digits.base == 8 && is_digit(byte_at(lex, digits.end)));
		return;
	}
	digits.overflow |= __builtin_mul_overflow(digits.n, suffix->factor, &digits.n) ||
			   digits.n > (digits.base == 16 ? UINT64_MAX : (uint64_t)INT64_MAX);
	if (digits.overflow)
		diag_error(lex->diags, token->span, "number-range", "the number is too large: the limit is %" PRId64 ", or "
			   "0xffffffffffffffff for the bits of a hexadecimal one", INT64_MAX);
	token->number = digits.overflow ? 0 : (int64_t)digits.n;
}

static void
read_number(struct lexer *lex, struct token *token)
{
	struct diag *diag;

	token->kind = TOKEN_NUMBER;
	while (is_word(peek_byte(lex)))
		lex->off++;
	token->span = span_from(lex, token->span.off);
	if (peek_byte(lex) == '.' && is_digit(byte_at(lex, lex->off + 1))) {
		lex->off++;
		while (is_word(peek_byte(lex)))
			lex->off++;
		diag = malformed_number(lex, span_from(lex, token->span.off), "there are only whole numbers");
		diag_help(lex->diags, diag, "use a smaller unit, such as 1500ms for 1.5 seconds");
		return;
	}
	number_value(lex, token);
}

/* ---- strings ---- */

struct buffer {
	char *s;
	uint32_t n, cap;
};

static void
buffer_add(struct lexer *lex, struct buffer *buffer, char c)
{
	buffer->s = arena_grow(lex->arena, buffer->s, buffer->n, &buffer->cap, 1);
	buffer->s[buffer->n++] = c;
}

/* \n, \r, \r\n, \n\r count as one newline. */
static void
skip_newline(struct lexer *lex)
{
	int first = peek_byte(lex);

	lex->off++;
	if (is_newline(peek_byte(lex)) && peek_byte(lex) != first)
		lex->off++;
}

static void
bad_escape(struct lexer *lex, uint32_t start, const char *why)
{
	struct diag *diag = diag_error(lex->diags, span_from(lex, start), "bad-escape", "invalid escape sequence: %s", why);

	diag_help(lex->diags, diag, "the escapes are \\a \\b \\f \\n \\r \\t \\v \\\\ \\\" \\' \\xXX \\DDD \\z; a backslash itself is \\\\");
}

static void
read_hex_escape(struct lexer *lex, struct buffer *buffer, uint32_t start)
{
	int high = digit_value(byte_at(lex, lex->off + 1), 16), low = digit_value(byte_at(lex, lex->off + 2), 16);

	lex->off++;
	if (high < 0 || low < 0) {
		bad_escape(lex, start, "\\x takes two hexadecimal digits");
		return;
	}
	lex->off += 2;
	buffer_add(lex, buffer, (char)(high * 16 + low));
}

static void
read_decimal_escape(struct lexer *lex, struct buffer *buffer, uint32_t start)
{
	unsigned value = 0;

	for (unsigned i = 0; i < 3 && is_digit(peek_byte(lex)); i++)
		value = value * 10 + (unsigned)(lex->script->text[lex->off++] - '0');
	if (value > 255)
		bad_escape(lex, start, "a byte is at most \\255");
	else
		buffer_add(lex, buffer, (char)value);
}

/* At the backslash. */
static void
read_escape(struct lexer *lex, struct buffer *buffer)
{
	static const char letters[] = "abfnrtv\\\"'", values[] = "\a\b\f\n\r\t\v\\\"'";
	uint32_t start = lex->off++;
	int c = peek_byte(lex);
	const char *letter = c > 0 ? strchr(letters, c) : NULL;

	if (letter) {
		buffer_add(lex, buffer, values[letter - letters]);
		lex->off++;
	} else if (c == 'x') {
		read_hex_escape(lex, buffer, start);
	} else if (is_digit(c)) {
		read_decimal_escape(lex, buffer, start);
	} else if (is_newline(c)) {
		skip_newline(lex);
		buffer_add(lex, buffer, '\n');
	} else if (c == 'z') {
		lex->off++;
		while (is_space(peek_byte(lex)))
			lex->off++;
	} else if (c >= 0) {
		lex->off++;
		bad_escape(lex, start, "this letter has no meaning after a backslash");
	}
}

static void
finish_string(struct lexer *lex, struct token *token, struct buffer *buffer)
{
	token->kind = TOKEN_STRING;
	token->len = buffer->n;
	buffer_add(lex, buffer, 0);
	token->s = buffer->s;
}

static void
read_string(struct lexer *lex, struct token *token)
{
	struct buffer buffer = { 0 };
	int quote = peek_byte(lex), c;

	lex->off++;
	while ((c = peek_byte(lex)) != quote && c >= 0 && !is_newline(c)) {
		if (c == '\\') {
			read_escape(lex, &buffer);
			continue;
		}
		buffer_add(lex, &buffer, (char)c);
		lex->off++;
	}
	if (c == quote) {
		lex->off++;
	} else {
		struct diag *diag = diag_error(lex->diags, span_from(lex, token->span.off), "unfinished-string", "unfinished string: "
					       "%c is missing at the end", quote);

		lex->unfinished = true;
		if (c >= 0)
			diag_help(lex->diags, diag, "a string ends on its line; write \\n for a newline, or [[...]] for several lines");
	}
	finish_string(lex, token, &buffer);
}

static void
read_long_string(struct lexer *lex, struct token *token, int level)
{
	struct buffer buffer = { 0 };
	struct span inside = read_long_bracket(lex, lex->off, level, "unfinished-string", "the string");
	uint32_t end = inside.off + inside.len;

	for (uint32_t off = inside.off; off < end; off++) {
		int c = byte_at(lex, off);

		if (is_newline(c)) {
			int second = off + 1 < end ? byte_at(lex, off + 1) : -1;

			if (off == inside.off)
				c = -1; /* a first newline is dropped */
			else
				c = '\n';
			if (is_newline(second) && second != byte_at(lex, off))
				off++;
		}
		if (c >= 0)
			buffer_add(lex, &buffer, (char)c);
	}
	finish_string(lex, token, &buffer);
}

/* ---- events and intervals ---- */

/*
 * eventdefs := pattern {',' pattern} ['/' filter '/'] '{'
 *
 * A pattern reaches to ',', '{', a newline or other control character, or a space in front of '/', '#' or '--': paths and offsets hold slashes and dashes.
 */
static void
read_pattern(struct lexer *lex, struct token *token)
{
	uint32_t start = lex->off, end = start;
	int c;

	while ((c = peek_byte(lex)) >= 0 && c != ',' && c != '{' && (c >= ' ' || c == '\t') && c != 0x7f) {
		if (is_space(byte_at(lex, lex->off - 1)) && lex->off > start && (c == '/' || at_comment(lex)))
			break;
		lex->off++;
		if (!is_space(c))
			end = lex->off;
	}
	lex->off = end;
	token->kind = TOKEN_RAW;
	token->len = end - start;
	token->s = arena_strndup(lex->arena, lex->script->text + start, token->len);
}

/* Returns false where the event descriptions have ended. */
static bool
read_event_token(struct lexer *lex, struct token *token)
{
	int c = peek_byte(lex);

	if (c == ',' && lex->last == TOKEN_RAW) {
		lex->off++;
		token->kind = TOKEN_COMMA;
	} else if (c == '/') {
		lex->off++;
		token->kind = TOKEN_SLASH;
		lex->mode = LEX_NORMAL;
		lex->in_filter = true;
	} else if (c >= 0 && c != ',' && c != '{' && lex->last != TOKEN_RAW) {
		read_pattern(lex, token);
	} else {
		lex->mode = LEX_NORMAL;
		return false;
	}
	return true;
}

static bool
read_interval_token(struct lexer *lex, struct token *token)
{
	uint32_t start = lex->off;

	if (lex->mode == LEX_DASH) {
		lex->mode = peek_byte(lex) == '-' ? LEX_INTERVAL : LEX_NORMAL;
		if (lex->mode == LEX_NORMAL)
			return false;
		lex->off++;
		token->kind = TOKEN_MINUS;
		return true;
	}
	lex->mode = LEX_NORMAL;
	while (is_word(peek_byte(lex)) || peek_byte(lex) == '.')
		lex->off++;
	token->kind = TOKEN_RAW;
	token->len = lex->off - start;
	token->s = arena_strndup(lex->arena, lex->script->text + start, token->len);
	return true;
}

/* ---- symbols and the rest ---- */

static bool
begins_token(struct lexer *lex)
{
	int c = peek_byte(lex);
	uint32_t len;

	return c < 0 || is_space(c) || is_word(c) || c == '"' || c == '\'' || at_comment(lex) ||
	       token_find_symbol(lex->script->text + lex->off, lex->script->len - lex->off, &len) != TOKEN_ERROR;
}

static void
read_garbage(struct lexer *lex, struct token *token)
{
	uint32_t start = lex->off;
	int c = peek_byte(lex);
	struct diag *diag;

	while (!begins_token(lex))
		lex->off++;
	token->kind = TOKEN_ERROR;
	if (c > ' ' && c < 0x7f)
		diag = diag_error(lex->diags, span_from(lex, start), "stray-character", "'%c' has no meaning here", c);
	else
		diag = diag_error(lex->diags, span_from(lex, start), "stray-character", "the byte 0x%02x does not belong in a script", c);
	if (c == '@')
		diag_help(lex->diags, diag, "tables are variables: `var t = {}` before the probe, then t[key] += 1");
	else if (c == '$')
		diag_help(lex->diags, diag, "variables have no $: `var x = 1`; the script's arguments are arg[1], arg[2] ...");
}

/* C's comments. Skipped as the writer meant them, so that nothing inside is reported. */
static void
read_c_comment(struct lexer *lex, struct token *token)
{
	bool block = byte_at(lex, lex->off + 1) == '*';
	struct diag *diag = diag_error(lex->diags, (struct span){ lex->off, 2 }, "c-comment", "'%s' does not begin a comment here",
				       block ? "/*" : "//");

	diag_help(lex->diags, diag, "comments are `# to the end of the line`, `-- likewise` and `--[[ several lines ]]`");
	token->kind = TOKEN_ERROR;
	if (!block) {
		skip_line(lex);
		return;
	}
	for (lex->off += 2; peek_byte(lex) >= 0; lex->off++)
		if (peek_byte(lex) == '*' && byte_at(lex, lex->off + 1) == '/') {
			lex->off += 2;
			return;
		}
}

static void
read_symbol(struct lexer *lex, struct token *token)
{
	uint32_t len;

	token->kind = token_find_symbol(lex->script->text + lex->off, lex->script->len - lex->off, &len);
	if (token->kind == TOKEN_ERROR)
		read_garbage(lex, token);
	else
		lex->off += len;
}

static void
read_normal_token(struct lexer *lex, struct token *token)
{
	int c = peek_byte(lex), next = byte_at(lex, lex->off + 1), level;

	if (c < 0)
		token->kind = TOKEN_EOF;
	else if (is_word_start(c))
		read_word(lex, token);
	else if (is_digit(c))
		read_number(lex, token);
	else if (c == '"' || c == '\'')
		read_string(lex, token);
	else if (c == '[' && (level = long_bracket_level(lex, lex->off)) >= 0)
		read_long_string(lex, token, level);
	else if (c == '/' && (next == '/' || next == '*'))
		read_c_comment(lex, token);
	else
		read_symbol(lex, token);
}

/* ---- filters ---- */

/* At a '/' that ends the filter: the handler's brace follows. */
static bool
ends_filter(const struct lexer *lex, uint32_t off)
{
	if (byte_at(lex, off) != '/')
		return false;
	do
		off++;
	while (is_space(byte_at(lex, off)));
	return byte_at(lex, off) == '{' || byte_at(lex, off) < 0;
}

/* s ~ ba*: as in the kernel's filters, a pattern needs no quotes if it has no space. */
static bool
read_glob(struct lexer *lex, struct token *token)
{
	uint32_t start = lex->off;
	int c = peek_byte(lex);

	if (c == '"' || c == '\'' || c == '=' || (c == '[' && long_bracket_level(lex, lex->off) >= 0))
		return false;
	while ((c = peek_byte(lex)) > ' ' && c != ')' && !ends_filter(lex, lex->off) &&
	       !((c == '&' || c == '|') && byte_at(lex, lex->off + 1) == c))
		lex->off++;
	if (lex->off == start)
		return false;
	token->kind = TOKEN_STRING;
	token->len = lex->off - start;
	token->s = arena_strndup(lex->arena, lex->script->text + start, token->len);
	return true;
}

/* `~` behind an operand compares with a pattern; elsewhere it is the complement. */
static void
note_filter(struct lexer *lex, const struct token *token)
{
	switch ((int)lex->last) {
	case TOKEN_NAME:
	case TOKEN_STRING:
	case TOKEN_ARG:
	case TOKEN_RPAREN:
	case TOKEN_RBRACKET:
		lex->glob = lex->in_filter && token->kind == TOKEN_TILDE;
		break;
	case TOKEN_SLASH:
		lex->in_filter = lex->in_filter && token->kind != TOKEN_LBRACE;
		/* fall through */
	default:
		lex->glob = false;
		break;
	}
}

void
lex_next(struct lexer *lex, struct token *token)
{
	bool done = false;

	skip_space(lex);
	*token = (struct token){ .span = { lex->off, 0 } };
	if (lex->glob)
		done = read_glob(lex, token);
	else if (lex->mode == LEX_EVENTS)
		done = read_event_token(lex, token);
	else if (lex->mode != LEX_NORMAL)
		done = read_interval_token(lex, token);
	if (!done)
		read_normal_token(lex, token);
	token->span = span_from(lex, token->span.off);
	note_filter(lex, token);
	lex->last = token->kind;
}

/* ---- -d tokens ---- */

static void
print_token(const struct token *token, FILE *out)
{
	switch ((int)token->kind) {
	case TOKEN_NAME:
	case TOKEN_RAW:
		fprintf(out, "%s '%s'\n", token_text(token->kind), token->s);
		break;
	case TOKEN_NUMBER:
		fprintf(out, "number %" PRId64 "\n", token->number);
		break;
	case TOKEN_STRING:
		fputs("string ", out);
		text_quote(token->s, token->len, out);
		fputc('\n', out);
		break;
	case TOKEN_ARG:
		fprintf(out, "arg%" PRId64 "\n", token->number);
		break;
	default:
		fprintf(out, "%s\n", token_text(token->kind));
	}
}

void
lex_print(struct arena *arena, struct script *script, FILE *out)
{
	struct diags ignored;
	struct lexer lex;
	struct token token;

	diags_init(&ignored, arena, script);
	lex_init(&lex, arena, script, &ignored);
	do {
		lex_next(&lex, &token);
		fprintf(out, "%u:%u ", script_line(script, token.span.off), script_column(script, token.span.off));
		print_token(&token, out);
	} while (token.kind != TOKEN_EOF);
}
