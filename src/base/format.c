/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The specifications of printf formats, for those who check a format and those who obey it.
 */
#include <string.h>

#include "base/base.h"

static const struct format_letter letters[] = {
	{ 'd', FORMAT_SIGNED, 10, "0123456789", "" },
	{ 'i', FORMAT_SIGNED, 10, "0123456789", "" },
	{ 'u', FORMAT_UNSIGNED, 10, "0123456789", "" },
	{ 'o', FORMAT_UNSIGNED, 8, "01234567", "" },
	{ 'x', FORMAT_UNSIGNED, 16, "0123456789abcdef", "0x" },
	{ 'X', FORMAT_UNSIGNED, 16, "0123456789ABCDEF", "0X" },
	{ 'c', FORMAT_CHAR, 0, NULL, NULL },
	{ 'p', FORMAT_ADDRESS, 0, NULL, NULL },
	{ 's', FORMAT_STRING, 0, NULL, NULL },
};

static bool *
spec_flag(struct format_spec *spec, char c)
{
	switch (c) {
	case '-': return &spec->minus;
	case '+': return &spec->plus;
	case ' ': return &spec->space;
	case '#': return &spec->alt;
	case '0': return &spec->zero;
	}
	return NULL;
}

#define N_FLAGS 5

/* At most two digits. Returns where reading goes on; *n is 0 without digits. */
static const char *
parse_number(const char *at, const char *end, unsigned *n)
{
	*n = 0;
	for (int i = 0; i < 2 && at < end && *at >= '0' && *at <= '9'; i++)
		*n = *n * 10 + (unsigned)(*at++ - '0');
	return at;
}

static const struct format_letter *
letter_find(char c)
{
	for (size_t i = 0; i < ARRAY_SIZE(letters); i++)
		if (letters[i].letter == c)
			return &letters[i];
	return NULL;
}

bool
format_literal(const char **at, const char *end, size_t *len)
{
	const char *percent = memchr(*at, '%', (size_t)(end - *at));
	bool is_double = percent && percent + 1 < end && percent[1] == '%';

	*len = (size_t)((percent ? percent : end) - *at) + is_double;
	*at = percent ? percent + 1 + is_double : end;
	return percent && !is_double;
}

const char *
format_next(const char *at, const char *end)
{
	size_t len;

	while (at < end)
		if (format_literal(&at, end, &len))
			return at;
	return NULL;
}

const char *
format_parse(const char *at, const char *end, struct format_spec *spec, struct text *why)
{
	const char *flags = at;
	unsigned precision;
	bool *flag;

	*spec = (struct format_spec){ .precision = -1 };
	for (; at < end && (flag = spec_flag(spec, *at)); at++)
		*flag = true;
	if (at - flags > N_FLAGS) { /* as Lua's string.format counts them */
		text_puts(why, "invalid format (repeated flags)");
		return NULL;
	}
	at = parse_number(at, end, &spec->width);
	if (at < end && *at == '.') {
		at = parse_number(at + 1, end, &precision);
		spec->precision = (int)precision;
	}
	if (at < end && *at >= '0' && *at <= '9') {
		text_puts(why, "invalid format (width or precision too long)");
		return NULL;
	}
	while (at < end && (*at == 'l' || *at == 'z' || *at == 'j')) /* sizes of C: all numbers have 64 bits */
		at++;
	spec->letter = at < end ? letter_find(*at) : NULL;
	if (!spec->letter) {
		text_printf(why, "invalid option '%%%.*s' to 'printf'; it knows %%d %%i %%u %%o %%x %%X %%c %%p %%s %%%%",
			at < end, at);
		return NULL;
	}
	return at + 1;
}
