/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What is wrong with the user's input, collected and printed with the script's line and a caret.
 */
#include <stdlib.h>
#include <string.h>

#include "base/base.h"

#define QUOTE_MAX 160 /* bytes of a line that are shown */

void
diags_init(struct diags *diags, struct arena *arena, const struct script *script)
{
	*diags = (struct diags){ .arena = arena, .script = script };
	diags->last = &diags->first;
}

static const char *
format_message(struct arena *arena, const char *format, va_list args)
{
	struct text text = { 0 };
	const char *message;

	text_vprintf(&text, format, args);
	message = arena_strndup(arena, text.s, text.len);
	text_fini(&text);
	return message;
}

static bool
is_said(const struct diags *diags, struct span span, const char *slug)
{
	for (const struct diag *diag = diags->first; diag; diag = diag->next)
		if (diag->span.off == span.off && !strcmp(diag->slug, slug))
			return true;
	return false;
}

static struct diag *
add_diag(struct diags *diags, bool is_warning, struct span span, const char *slug, const char *format, va_list args)
{
	struct diag *diag = arena_alloc(diags->arena, sizeof(*diag));
	unsigned *n = is_warning ? &diags->n_warnings : &diags->n_errors;

	/* The repeated one gets a struct, too, but no place for remarks, so that its notes go nowhere. */
	if (is_said(diags, span, slug))
		return diag;
	diag->last_remark = &diag->remarks;
	if ((*n)++ >= DIAGS_MAX) {
		diags->n_dropped++;
		return diag;
	}
	diag->is_warning = is_warning;
	diag->span = span;
	diag->slug = slug;
	diag->message = format_message(diags->arena, format, args);
	*diags->last = diag;
	diags->last = &diag->next;
	return diag;
}

struct diag *
diag_error(struct diags *diags, struct span span, const char *slug, const char *format, ...)
{
	struct diag *diag;
	va_list args;

	va_start(args, format);
	diag = add_diag(diags, false, span, slug, format, args);
	va_end(args);
	return diag;
}

struct diag *
diag_warning(struct diags *diags, struct span span, const char *slug, const char *format, ...)
{
	struct diag *diag;
	va_list args;

	va_start(args, format);
	diag = add_diag(diags, true, span, slug, format, args);
	va_end(args);
	return diag;
}

static void
add_remark(struct diags *diags, struct diag *diag, struct remark remark)
{
	if (!diag->last_remark)
		return;
	*diag->last_remark = arena_alloc(diags->arena, sizeof(remark));
	**diag->last_remark = remark;
	diag->last_remark = &(*diag->last_remark)->next;
}

void
diag_note(struct diags *diags, struct diag *diag, struct span span, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_remark(diags, diag, (struct remark){ .has_span = true, .span = span, .kind = "note",
						  .message = format_message(diags->arena, format, args) });
	va_end(args);
}

void
diag_help(struct diags *diags, struct diag *diag, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	add_remark(diags, diag, (struct remark){ .kind = "help", .message = format_message(diags->arena, format, args) });
	va_end(args);
}

void
script_print_text(const char *s, uint32_t len, FILE *out)
{
	for (uint32_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];

		putc(c == '\t' || (c >= 0x20 && c != 0x7f) ? c : '.', out);
	}
}

/* A byte of a character in UTF-8 that is not its first: it takes no column of its own. */
static bool
is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

/* What stands below a quoted line: blanks (and the line's own tabs) up to `column`, a caret, tildes below the rest of the `under` bytes. */
static void
print_caret(const char *s, uint32_t column, uint32_t under, FILE *out)
{
	for (uint32_t i = 0; i < column; i++)
		if (!is_continuation(s[i]))
			putc(s[i] == '\t' ? '\t' : ' ', out);
	putc('^', out);
	for (uint32_t i = 1; i < under; i++)
		if (!is_continuation(s[column + i]))
			putc('~', out);
}

void
script_print_quote(const struct script *script, struct span span, FILE *out)
{
	uint32_t line = script_line(script, span.off), column = script_column(script, span.off) - 1, len, skip = 0;
	const char *s = script_line_text(script, line, &len);
	uint32_t under = span.len ? span.len : 1;

	if (column > len)
		column = len;
	if (column > QUOTE_MAX / 2) {
		skip = column - QUOTE_MAX / 2;
		while (skip < column && is_continuation(s[skip]))
			skip++;
	}
	s += skip;
	len -= skip;
	column -= skip;
	if (len > QUOTE_MAX)
		len = QUOTE_MAX;
	if (under > len - column)
		under = len > column ? len - column : 1;
	fprintf(out, "%5u | ", line);
	script_print_text(s, len, out);
	fputs("\n      | ", out);
	print_caret(s, column, under, out);
	putc('\n', out);
}

void
script_print_place(const struct script *script, struct span span, FILE *out)
{
	fprintf(out, "%s:%u:%u: ", script->name, script_line(script, span.off), script_column(script, span.off));
}

static void
print_diag(const struct script *script, const struct diag *diag, FILE *out)
{
	if (script)
		script_print_place(script, diag->span, out);
	fputs(diag->is_warning ? "warning: " : "error: ", out);
	script_print_text(diag->message, (uint32_t)strlen(diag->message), out);
	fprintf(out, " [%s]\n", diag->slug);
	if (script)
		script_print_quote(script, diag->span, out);
	for (const struct remark *remark = diag->remarks; remark; remark = remark->next) {
		if (script && remark->has_span)
			script_print_place(script, remark->span, out);
		fprintf(out, "%s: ", remark->kind);
		script_print_text(remark->message, (uint32_t)strlen(remark->message), out);
		putc('\n', out);
		if (script && remark->has_span)
			script_print_quote(script, remark->span, out);
	}
}

bool
diags_have(const struct diags *diags, const char *slug_end)
{
	size_t len = strlen(slug_end);

	for (const struct diag *diag = diags->first; diag; diag = diag->next) {
		size_t slug_len = strlen(diag->slug);

		if (slug_len >= len && !strcmp(diag->slug + slug_len - len, slug_end))
			return true;
	}
	return false;
}

static int
compare_places(const void *a, const void *b)
{
	const struct diag *x = *(struct diag *const *)a, *y = *(struct diag *const *)b;

	return x->span.off < y->span.off ? -1 : x->span.off > y->span.off;
}

size_t
diags_sort(const struct diags *diags, const struct diag **sorted)
{
	size_t n = 0;

	for (const struct diag *diag = diags->first; diag && n < DIAGS_SORTED_MAX; diag = diag->next)
		sorted[n++] = diag;
	qsort(sorted, n, sizeof(sorted[0]), compare_places);
	return n;
}

void
diags_print(const struct diags *diags, FILE *out)
{
	const struct diag *sorted[DIAGS_SORTED_MAX];
	size_t n = diags_sort(diags, sorted);

	for (size_t i = 0; i < n; i++)
		print_diag(diags->script, sorted[i], out);
	if (diags->n_dropped)
		fprintf(out, "and %u more %s\n", diags->n_dropped, diags->n_errors ? "errors" : "warnings");
}

static void
put_complaint(FILE *out, const char *format, va_list args)
{
	fputs("ktap: ", out);
	vfprintf(out, format, args);
	fputc('\n', out);
}

void
complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_complaint(stderr, format, args);
	va_end(args);
}

void
complain_to(FILE *out, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	put_complaint(out, format, args);
	va_end(args);
}
