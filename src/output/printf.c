/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * printf: the language's formatted output, for records of probes and for the control half alike.
 *
 *     %[flags][width][.precision]letter      flags: - + space # 0; width and precision: at most two digits
 *
 * It means what C means, on 64-bit integers. `nil` is printed as the word for every letter. Nothing is
 * written when any part of the format or any argument is wrong. Argument numbers in messages count the
 * format as the first.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "output/output.h"

/* ---- writing a value ---------------------------------------------------- */

static void
pad(struct text *out, char c, size_t n)
{
	while (n--)
		text_putc(out, c);
}

static void
put_padded(struct text *out, const struct format_spec *spec, const char *s, size_t len)
{
	size_t fill = len < spec->width ? spec->width - len : 0;

	if (!spec->minus)
		pad(out, ' ', fill);
	text_add(out, s, len);
	if (spec->minus)
		pad(out, ' ', fill);
}

static const char *
sign_of(const struct format_spec *spec, bool negative)
{
	if (spec->letter->kind != FORMAT_SIGNED)
		return "";
	return negative ? "-" : spec->plus ? "+" : spec->space ? " " : "";
}

/* C11 7.21.6.1, for integers of 64 bits. */
static void
put_number(struct text *out, const struct format_spec *spec, int64_t number)
{
	const struct format_letter *letter = spec->letter;
	bool negative = letter->kind == FORMAT_SIGNED && number < 0;
	uint64_t rest = negative ? -(uint64_t)number : (uint64_t)number;
	const char *sign = sign_of(spec, negative), *prefix = spec->alt && number ? letter->prefix : "";
	char digits[24]; /* 22 octal digits at most */
	size_t n = 0, zeros = 0, len;

	for (; rest; rest /= letter->base)
		digits[sizeof(digits) - ++n] = letter->digits[rest % letter->base];
	if (spec->precision < 0 && n == 0)
		zeros = 1;
	else if (spec->precision > (int)n)
		zeros = spec->precision - n;
	if (spec->alt && letter->base == 8 && zeros == 0)
		zeros = 1;
	len = strlen(sign) + strlen(prefix) + zeros + n;
	if (spec->zero && !spec->minus && spec->precision < 0 && len < spec->width) {
		zeros += spec->width - len;
		len = spec->width;
	}
	if (!spec->minus && len < spec->width)
		pad(out, ' ', spec->width - len);
	text_puts(out, sign);
	text_puts(out, prefix);
	pad(out, '0', zeros);
	text_add(out, digits + sizeof(digits) - n, n);
	if (spec->minus && len < spec->width)
		pad(out, ' ', spec->width - len);
}

/* Texts longer than the precision are cut. */
static void
put_cut(struct text *out, const struct format_spec *spec, const char *s, size_t len)
{
	if (spec->precision >= 0 && (size_t)spec->precision < len)
		len = spec->precision;
	put_padded(out, spec, s, len);
}

/* What is no string yet is made one aside, since only its length tells the padding. */
static void
put_text(struct text *out, const struct format_spec *spec, const struct value_names *names,
	 const struct value *value, const struct event *event)
{
	struct text text = { 0 };

	if (value->kind == VALUE_STR) {
		put_cut(out, spec, value->s, value->len);
		return;
	}
	value_text(names, value, event, &text);
	put_cut(out, spec, text.s ? text.s : "", text.len);
	text_fini(&text);
}

static bool
value_is_number(const struct value *value)
{
	return value->kind == VALUE_INT || value->kind == VALUE_KSYM;
}

static const char *
kind_name(enum value_kind kind)
{
	switch (kind) {
	case VALUE_NONE: return "nil";
	case VALUE_INT:
	case VALUE_KSYM: return "a number";
	case VALUE_BOOL: return "a boolean";
	case VALUE_STR: return "a string";
	case VALUE_EVENT: return "an event's name";
	case VALUE_STACK:
	case VALUE_USTACK: return "a stack";
	case VALUE_ARGSTR: return "argstr";
	case VALUE_STAT: return "a statistic";
	}
	return "?";
}

/* False: the value does not fit the letter. */
static bool
put_value(struct text *out, const struct format_spec *spec, const struct value_names *names,
	  const struct value *value, const struct event *event)
{
	struct value address = *value;
	char c = value->number;

	if (value->kind == VALUE_NONE) {
		put_padded(out, spec, "nil", 3);
		return true;
	}
	if (spec->letter->kind != FORMAT_STRING && !value_is_number(value))
		return false;
	switch (spec->letter->kind) {
	case FORMAT_SIGNED:
	case FORMAT_UNSIGNED: put_number(out, spec, value->number); break;
	case FORMAT_CHAR: put_padded(out, spec, &c, 1); break;
	case FORMAT_ADDRESS:
		address.kind = VALUE_KSYM;
		put_text(out, spec, names, &address, event);
		break;
	case FORMAT_STRING: put_text(out, spec, names, value, event); break;
	}
	return true;
}

/* ---- a format, read once ------------------------------------------------ */

/* Text, and behind it a specification. */
struct piece {
	const char *text;
	size_t len;
	bool has_spec;
	struct format_spec spec;
};

struct printf_format {
	struct piece *pieces;
	uint32_t n, cap;
};

static int
add_piece(struct printf_format *format, const struct piece *piece)
{
	struct piece *pieces = mem_grow(format->pieces, format->n, &format->cap, sizeof(*pieces));

	if (!pieces)
		return -ENOMEM;
	format->pieces = pieces;
	pieces[format->n++] = *piece;
	return 0;
}

/* Reads the piece at `at`, which is not the end. Returns where the next begins, or NULL with *why set. */
static const char *
parse_piece(const char *at, const char *end, struct piece *piece, struct text *why)
{
	*piece = (struct piece){ .text = at };
	piece->has_spec = format_literal(&at, end, &piece->len);
	if (!piece->has_spec)
		return at;
	text_puts(why, "printf: ");
	at = format_parse(at, end, &piece->spec, why);
	if (at)
		text_clear(why);
	return at;
}

static int
parse(struct printf_format *format, const char *text, size_t len, struct text *why)
{
	const char *at = text, *end = text + len;
	struct piece piece;

	while (at < end) {
		at = parse_piece(at, end, &piece, why);
		if (!at)
			return -EINVAL;
		if (add_piece(format, &piece) < 0) {
			text_puts(why, "printf: no memory");
			return -ENOMEM;
		}
	}
	return 0;
}

struct printf_format *
printf_format_new(const char *text, size_t len, struct text *why)
{
	struct printf_format *format = mem_alloc(sizeof(*format));
	struct text unread = { 0 };

	if (format && parse(format, text, len, why ? why : &unread) < 0) {
		printf_format_free(format);
		format = NULL;
	}
	text_fini(&unread);
	return format;
}

void
printf_format_free(struct printf_format *format)
{
	if (format)
		free(format->pieces);
	free(format);
}

/* ---- the whole ---------------------------------------------------------- */

static int
put_all(const struct value_names *names, const struct printf_format *format, const struct value *args,
	uint32_t n_args, const struct event *event, struct text *out, struct text *why)
{
	uint32_t arg = 0;

	for (const struct piece *piece = format->pieces; piece < format->pieces + format->n; piece++) {
		text_add(out, piece->text, piece->len);
		if (!piece->has_spec)
			continue;
		if (arg >= n_args) {
			text_printf(why, "printf: bad argument #%u: (no value) for '%%%c'", arg + 2,
				    piece->spec.letter->letter);
			return -EINVAL;
		}
		if (!put_value(out, &piece->spec, names, &args[arg], event)) {
			text_printf(why, "printf: wrong type of argument %u: '%%%c' cannot show %s", arg + 2,
				    piece->spec.letter->letter, kind_name(args[arg].kind));
			return -EINVAL;
		}
		arg++;
	}
	return 0;
}

int
printf_format_text(const struct value_names *names, const struct printf_format *format, const struct value *args,
		   uint32_t n_args, const struct event *event, struct text *out, struct text *why)
{
	struct text unread = { 0 };
	size_t before = out->len;
	int err = put_all(names, format, args, n_args, event, out, why ? why : &unread);

	if (err)
		text_cut(out, before);
	text_fini(&unread);
	return err;
}

int
printf_text(const struct value_names *names, const char *format, size_t len, const struct value *args,
	    uint32_t n_args, const struct event *event, struct text *out, struct text *why)
{
	struct printf_format *parsed = printf_format_new(format, len, why);
	int err = parsed ? printf_format_text(names, parsed, args, n_args, event, out, why) : -EINVAL;

	printf_format_free(parsed);
	return err;
}
