/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * A growing string, globs, and the distance between words. Out of memory ends the program, as in an arena.
 */
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

static void
text_reserve(struct text *text, size_t more)
{
	size_t cap = text->cap ? text->cap : 64;
	char *s;

	if (text->cap - text->len > more)
		return;
	while (cap - text->len <= more)
		cap *= 2;
	s = mem_realloc(text->s, cap);
	if (!s) {
		fprintf(stderr, "ktap: out of memory (%zu bytes more were needed)\n", more);
		exit(3);
	}
	text->s = s;
	text->cap = cap;
}

void
text_add(struct text *text, const char *s, size_t len)
{
	text_reserve(text, len);
	if (len)
		memcpy(text->s + text->len, s, len);
	text->len += len;
	text->s[text->len] = 0;
}

void
text_puts(struct text *text, const char *s)
{
	text_add(text, s, strlen(s));
}

void
text_putc(struct text *text, char c)
{
	text_add(text, &c, 1);
}

void
text_vprintf(struct text *text, const char *format, va_list args)
{
	va_list again;
	int n;

	va_copy(again, args);
	n = vsnprintf(NULL, 0, format, again);
	va_end(again);
	if (n < 0)
		return;
	text_reserve(text, (size_t)n);
	vsnprintf(text->s + text->len, (size_t)n + 1, format, args);
	text->len += (size_t)n;
}

void
text_printf(struct text *text, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_vprintf(text, format, args);
	va_end(args);
}

void
text_cut(struct text *text, size_t len)
{
	text->len = len;
	if (text->s)
		text->s[len] = 0;
}

void
text_quoted(struct text *text, const char *s, size_t len)
{
	static const char escapes[] = "\"\"\\\\\nn\tt\rr";
	const char *escape;
	size_t i, j;

	text_putc(text, '"');
	for (i = 0; i < len; i++) {
		escape = NULL;
		for (j = 0; j + 1 < sizeof(escapes) - 1; j += 2)
			if (escapes[j] == s[i])
				escape = &escapes[j + 1];
		if (escape)
			text_printf(text, "\\%c", *escape);
		else if (s[i] >= ' ' && s[i] < 0x7f)
			text_putc(text, s[i]);
		else
			text_printf(text, "\\%03o", (unsigned char)s[i]);
	}
	text_putc(text, '"');
}

void
text_clear(struct text *text)
{
	text_cut(text, 0);
}

void
text_fini(struct text *text)
{
	free(text->s);
	*text = (struct text){ 0 };
}

uint32_t
text_hash(const char *s, size_t len)
{
	uint32_t hash = 2166136261u;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (unsigned char)s[i]) * 16777619u;
	return hash;
}

/* Matches one `[...]` against c; *pattern stands behind '[' and is moved behind ']'. An unclosed class matches nothing. */
static bool
class_match(const char **pattern, unsigned char c)
{
	const char *p = *pattern;
	bool negated = *p == '!' || *p == '^', found = false;

	if (negated)
		p++;
	for (bool first = true; *p && (first || *p != ']'); first = false) {
		unsigned char low = (unsigned char)*p++, high = low;

		if (*p == '-' && p[1] && p[1] != ']') {
			high = (unsigned char)p[1];
			p += 2;
		}
		if (c >= low && c <= high)
			found = true;
	}
	if (!*p)
		return false;
	*pattern = p + 1;
	return found != negated;
}

/*
 * Greedy matching with one point of return: after a `*` fails later on, it takes one more byte and the rest is tried again.
 * Earlier stars need no second try, so the time is at most the product of both lengths.
 */
bool
glob_match(const char *pattern, const char *s)
{
	const char *star = NULL, *resume = NULL;

	for (;;) {
		bool ok;

		if (*pattern == '*') {
			star = ++pattern;
			resume = s;
			continue;
		}
		if (!*s)
			return !*pattern;
		if (*pattern == '?') {
			ok = true;
			pattern++;
		} else if (*pattern == '[') {
			pattern++;
			ok = class_match(&pattern, (unsigned char)*s);
		} else {
			if (*pattern == '\\' && pattern[1])
				pattern++;
			ok = *pattern == *s;
			if (ok)
				pattern++;
		}
		if (ok) {
			s++;
		} else if (star) {
			pattern = star;
			s = ++resume;
		} else {
			return false;
		}
	}
}

static unsigned
min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;

	return m < c ? m : c;
}

/* Optimal string alignment distance, three rows at a time. */
unsigned
text_distance(const char *a, const char *b, unsigned limit)
{
	size_t la = strlen(a), lb = strlen(b);
	unsigned rows[3][65];

	if (la > 64 || lb > 64 || (la > lb ? la - lb : lb - la) > limit)
		return limit + 1;
	for (size_t j = 0; j <= lb; j++)
		rows[0][j] = (unsigned)j;
	for (size_t i = 1; i <= la; i++) {
		unsigned *row = rows[i % 3], *up = rows[(i + 2) % 3], *up2 = rows[(i + 1) % 3];

		row[0] = (unsigned)i;
		for (size_t j = 1; j <= lb; j++) {
			row[j] = min3(up[j] + 1, row[j - 1] + 1, up[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && up2[j - 2] + 1 < row[j])
				row[j] = up2[j - 2] + 1;
		}
	}
	return rows[la % 3][lb] > limit ? limit + 1 : rows[la % 3][lb];
}
