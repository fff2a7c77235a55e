/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * generate_man: the manual page, in the macros of man(7), and the table of builtins for docs/language.md.
 */
#include <string.h>

#include "cli/cli.h"
#include "lang/lang.h"

/* ---- roff ---- */

/* Text as roff reads it literally. `at_start`: of a line, where a dot or an apostrophe would begin a request. */
static void
put_roff(FILE *out, const char *s, bool at_start)
{
	for (; *s; s++) {
		if (at_start && (*s == '.' || *s == '\''))
			fputs("\\&", out);
		if (*s == '\\')
			fputs("\\e", out);
		else if (*s == '-')
			fputs("\\-", out);
		else if (*s == '\'')
			fputs("\\(aq", out);
		else
			fputc(*s, out);
		at_start = *s == '\n';
	}
}

/* .TP, the bold term, an argument in italics, the text. */
static void
put_item(FILE *out, const char *term, const char *separator, const char *value, const char *text)
{
	fputs(".TP\n\\fB", out);
	put_roff(out, term, false);
	fputs("\\fR", out);
	if (value) {
		fprintf(out, "%s\\fI", separator);
		put_roff(out, value, false);
		fputs("\\fR", out);
	}
	fputc('\n', out);
	put_roff(out, text, true);
	fputc('\n', out);
}

static void
put_options(FILE *out)
{
	for (const struct option_row *row = option_rows; row->name; row++) {
		put_item(out, row->name, row->name[1] == '-' ? "=" : " ", row->value, row->doc);
		if (!option_needs_subcommand(row))
			continue;
		fputs("(for ", out);
		put_roff(out, row->only, false);
		fputs(")\n", out);
	}
}

static void
put_builtins(FILE *out)
{
	for (unsigned id = 0; id < N_BUILTINS; id++) {
		const struct builtin *builtin = builtin_get((enum builtin_id)id);

		put_item(out, builtin->prototype, "", NULL, builtin->doc);
	}
}

void
generate_man(FILE *out)
{
	fprintf(out, ".TH KTAP 1 \"\" \"ktap %s\" \"User Commands\"\n", KTAP_VERSION);
	fputs(".SH NAME\nktap \\- dynamic tracing with scripts, compiled to eBPF\n"
	      ".SH SYNOPSIS\n"
	      ".B ktap\n[\\fIoptions\\fR] \\fIFILE\\fR [\\fIscript args\\fR] [\\fB\\-\\-\\fR \\fIcommand args\\fR]\n.br\n"
	      ".B ktap\n[\\fIoptions\\fR] \\fB\\-e\\fR \\fITEXT\\fR [\\fIscript args\\fR] [\\fB\\-\\-\\fR \\fIcommand args\\fR]\n.br\n"
	      ".B ktap\n\\fISUBCOMMAND\\fR ...\n"
	      ".SH DESCRIPTION\n", out);
	put_roff(out, usage_text, true);
	fputs(".PP\nProbes run in the kernel where that is permitted, else in a user-space engine that follows a command by \\fBptrace\\fR(2).\n"
	      ".SH OPTIONS\n", out);
	put_options(out);
	fputs(".SH SUBCOMMANDS\n", out);
	for (const struct subcommand *row = subcommands; row->name; row++)
		put_item(out, row->name, " ", row->usage, row->doc);
	fputs(".SH BUILTINS\nWhat scripts find without declaring it.\n", out);
	put_builtins(out);
	fputs(".SH EXIT STATUS\n", out);
	put_roff(out, status_text, true);
	fputs(".SH EXAMPLES\nWhich system calls does a command make?\n.PP\n.EX\n", out);
	put_roff(out, "ktap -e 'var s = {} trace syscalls:sys_enter_* { s[probename] += 1 } trace_end { print_hist(s) }' -- ls\n", true);
	fputs(".EE\n.SH SEE ALSO\n.BR bpf (2),\n.BR \"ptrace\" (2),\n.BR strace (1),\n.BR perf (1)\n", out);
}

/* ---- Markdown ---- */

static const char *const half_names[] = { [HALF_PROBE] = "probe", [HALF_CONTROL] = "control", [HALF_BOTH] = "both" };

/* In a table's cell: a bar would end it. */
static void
put_cell(FILE *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '|')
			fputc('\\', out);
		fputc(*s, out);
	}
}

void
generate_builtins(FILE *out)
{
	fputs("| | half | | example |\n|---|---|---|---|\n", out);
	for (unsigned id = 0; id < N_BUILTINS; id++) {
		const struct builtin *builtin = builtin_get((enum builtin_id)id);

		fputs("| `", out);
		put_cell(out, builtin->prototype);
		fprintf(out, "` | %s | ", half_names[builtin->halves]);
		put_cell(out, builtin->doc);
		fputs(" | `", out);
		put_cell(out, builtin->example);
		fputs("` |\n", out);
	}
}
