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

/* Texts longer than the precision are cut; the text is made aside since only its length tells the padding. */
static void
put_text(struct text *out, const struct format_spec *spec, const struct value_names *names,
	 const struct value *value, const struct event *event)
{
	struct text text = { 0 };
	size_t len;

	value_text(names, value, event, &text);
	len = text.len;
	if (spec->precision >= 0 && (size_t)spec->precision < len)
		len = spec->precision;
	put_padded(out, spec, text.s ? text.s : "", len);
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
	if (spec->letter->kind == FORMAT_STRING ? value->kind == VALUE_INT || value->kind == VALUE_BOOL
						: !value_is_number(value))
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

/* ---- the whole ---------------------------------------------------------- */

static int
format_all(const struct value_names *names, const char *format, size_t len, const struct value *args,
	   uint32_t n_args, const struct event *event, struct text *out, struct text *why)
{
	const char *at = format, *end = format + len;
	uint32_t arg = 0;
	struct format_spec spec;

	while (at < end) {
		const char *percent = memchr(at, '%', end - at);

		text_add(out, at, (percent ? percent : end) - at);
		if (!percent)
			break;
		if (percent + 1 < end && percent[1] == '%') {
			text_putc(out, '%');
			at = percent + 2;
			continue;
		}
		text_puts(why, "printf: ");
		at = format_parse(percent + 1, end, &spec, why);
		if (!at)
			return -EINVAL;
		text_clear(why);
		if (arg >= n_args) {
			text_printf(why, "printf: bad argument #%u: (no value) for '%%%c'", arg + 2,
				    spec.letter->letter);
			return -EINVAL;
		}
		if (!put_value(out, &spec, names, &args[arg], event)) {
			text_printf(why, "printf: wrong type of argument %u: '%%%c' cannot show %s", arg + 2,
				    spec.letter->letter, kind_name(args[arg].kind));
			return -EINVAL;
		}
		arg++;
	}
	return 0;
}

int
printf_text(const struct value_names *names, const char *format, size_t len, const struct value *args,
	    uint32_t n_args, const struct event *event, struct text *out, struct text *why)
{
	struct text unread = { 0 };
	size_t before = out->len;
	int err = format_all(names, format, len, args, n_args, event, out, why ? why : &unread);

	if (err && out->s) {
		out->len = before;
		out->s[before] = 0;
	}
	text_fini(&unread);
	return err;
}
