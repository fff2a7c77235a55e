/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * formats: printf and string.format whose format is written out have as many values as it shows. In either half, so that a mistake in
 * trace_end does not wait until there. Of what type the values are only the probe half knows (infer_builtin.c).
 */
#include "lang/lex.h"

/* May the value in the last place be several, or none? */
static bool
is_open(const struct node *value)
{
	const struct builtin *builtin = value->a ? value->a->builtin : NULL;

	if (value->kind != NODE_CALL)
		return value->kind == NODE_VARARG || value->kind == NODE_METHOD;
	return !builtin || builtin->id == BUILTIN_STRING_FIND || builtin->id == BUILTIN_STRING_MATCH || builtin->id == BUILTIN_STRING_GSUB;
}

static void
report_missing(struct diags *diags, const struct node *format, const struct format_spec *spec)
{
	struct diag *diag = diag_error(diags, format->span, "printf-format", "there is no value for '%%%c'", spec->letter->letter);

	diag_help(diags, diag, "each %% of the format takes a value, %%%% is a percent sign");
}

static void
report_surplus(struct diags *diags, const struct node *value, unsigned n)
{
	struct diag *diag = diag_warning(diags, value->span, "printf-surplus", "the format shows %u value%s, not this one", n, n == 1 ? "" : "s");

	diag_help(diags, diag, "each %% of the format takes a value, %%%% is a percent sign");
}

void
check_format_values(struct diags *diags, const struct node *call)
{
	const struct node *format = call->b, *value, *last = format;
	const char *at, *end;
	struct format_spec spec;
	struct text why = { 0 };
	unsigned n = 0;

	if (!format || format->kind != NODE_STR)
		return;
	while (last->next)
		last = last->next;
	value = format->next;
	end = format->s + format->len;
	for (at = format->s; (at = format_next(at, end));) {
		at = format_parse(at, end, &spec, &why);
		if (!at) {
			diag_error(diags, format->span, "printf-format", "%s", why.s);
			break;
		}
		if (!value && !is_open(last))
			report_missing(diags, format, &spec);
		n++;
		value = value ? value->next : NULL;
	}
	if (value && !why.s)
		report_surplus(diags, value, n);
	text_fini(&why);
}
