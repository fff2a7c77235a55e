/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * generate_shell: completion for bash, zsh and fish: options, their values, subcommands, files, and the names of events, which
 * `ktap list` is asked for.
 */
#include <string.h>

#include "cli/cli.h"

/* Does the subcommand take names of events? */
static bool
takes_events(const struct subcommand *row)
{
	return strstr(row->usage, "GLOB") || strstr(row->usage, "EVENT");
}

static void
put_words(FILE *out, const char *(*word)(size_t i))
{
	for (size_t i = 0; word(i); i++)
		fprintf(out, "%s%s", i ? " " : "", word(i));
}

static void
put_event_commands(FILE *out, const char *separator)
{
	const char *before = "";

	for (const struct subcommand *row = subcommands; row->name; row++)
		if (takes_events(row)) {
			fprintf(out, "%s%s", before, row->name);
			before = separator;
		}
}

/* ---- bash ---- */

/* What completes the value of each option: a line of `case`. Long options come as `--name`, `=`, `value`. */
static void
put_bash_values(FILE *out)
{
	for (const struct option_row *row = option_rows; row->name; row++) {
		if (!row->value)
			continue;
		fprintf(out, "\t%s)\n", row->name);
		if (row->word) {
			fputs("\t\tCOMPREPLY=($(compgen -W '", out);
			put_words(out, row->word);
			fputs("' -- \"$cur\"))\n", out);
		} else if (strcmp(row->value, "FILE") == 0) {
			fputs("\t\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n", out);
		} else if (strcmp(row->value, "PID") == 0) {
			fputs("\t\tCOMPREPLY=($(compgen -W \"$(cd /proc && echo [0-9]*)\" -- \"$cur\"))\n", out);
		}
		fputs("\t\treturn ;;\n", out);
	}
}

/* Without a colon: the systems; behind it: the events. */
static const char bash_events[] =
	"_ktap_events() {\n"
	"\tlocal word=$cur i\n"
	"\t# bash takes a colon for the end of a word: the words are put together again,\n"
	"\t# and only what follows the last colon is replaced.\n"
	"\tfor (( i = COMP_CWORD - 1; i > 1; i-- )); do\n"
	"\t\t[[ ${COMP_WORDS[i]} == : || $word == :* ]] || break\n"
	"\t\tword=${COMP_WORDS[i]}$word\n"
	"\tdone\n"
	"\tif [[ $word == *:* ]]; then\n"
	"\t\tCOMPREPLY=($(ktap list \"$word*\" 2>/dev/null))\n"
	"\t\tCOMPREPLY=(\"${COMPREPLY[@]#\"${word%\"${word##*:}\"}\"}\")\n"
	"\telse\n"
	"\t\tCOMPREPLY=($(ktap list \"$word*:*\" 2>/dev/null | sed 's/:.*/:/' | sort -u))\n"
	"\t\tcompopt -o nospace 2>/dev/null\n"
	"\tfi\n"
	"}\n";

void
generate_bash(FILE *out)
{
	fputs("# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later\n"
	      "# Completion of ktap for bash, written by `ktap generate bash`.\n", out);
	fputs(bash_events, out);
	fputs("_ktap() {\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} sub=${COMP_WORDS[1]}\n"
	      "\tCOMPREPLY=()\n"
	      "\tif [[ $cur == = ]]; then cur=; elif [[ $prev == = ]]; then prev=${COMP_WORDS[COMP_CWORD-2]}; fi\n"
	      "\tcase $prev in\n", out);
	put_bash_values(out);
	fputs("\tesac\n"
	      "\tif [[ $cur == -* ]]; then\n"
	      "\t\tCOMPREPLY=($(compgen -W '", out);
	for (const struct option_row *row = option_rows; row->name; row++)
		fprintf(out, "%s%s%s", row == option_rows ? "" : " ", row->name, row->name[1] == '-' && row->value ? "=" : "");
	fputs("' -- \"$cur\"))\n"
	      "\t\treturn\n"
	      "\tfi\n"
	      "\tcase $sub in\n\t", out);
	put_event_commands(out, "|");
	fputs(")\n"
	      "\t\tif (( COMP_CWORD > 1 )); then _ktap_events; return; fi ;;\n"
	      "\tesac\n"
	      "\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n"
	      "\t(( COMP_CWORD == 1 )) && COMPREPLY+=($(compgen -W '", out);
	for (const struct subcommand *row = subcommands; row->name; row++)
		fprintf(out, "%s%s", row == subcommands ? "" : " ", row->name);
	fputs("' -- \"$cur\"))\n"
	      "}\n"
	      "complete -o filenames -F _ktap ktap\n", out);
}

/* ---- zsh ---- */

/* Inside '...[...]': brackets and colons would end a part, an apostrophe the word. */
static void
put_zsh_text(FILE *out, const char *s)
{
	for (; *s; s++) {
		if (*s == '\'')
			fputs("'\\''", out);
		else if (*s == '[' || *s == ']' || *s == ':' || *s == '\\')
			fprintf(out, "\\%c", *s);
		else
			fputc(*s, out);
	}
}

static void
put_zsh_option(FILE *out, const struct option_row *row)
{
	fprintf(out, "\t\t'%s%s[", row->name, !row->value ? "" : row->name[1] == '-' ? "=" : "+");
	put_zsh_text(out, row->doc);
	fputc(']', out);
	if (row->value) {
		fprintf(out, ":%s:", row->value);
		if (row->word) {
			fputc('(', out);
			put_words(out, row->word);
			fputc(')', out);
		} else if (strcmp(row->value, "FILE") == 0) {
			fputs("_files", out);
		} else if (strcmp(row->value, "PID") == 0) {
			fputs("_pids", out);
		}
	}
	fputs("' \\\n", out);
}

void
generate_zsh(FILE *out)
{
	fputs("#compdef ktap\n"
	      "# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later\n"
	      "# Completion of ktap for zsh, written by `ktap generate zsh`.\n"
	      "_ktap_first() {\n"
	      "\tlocal -a subcommands=(\n", out);
	for (const struct subcommand *row = subcommands; row->name; row++) {
		fprintf(out, "\t\t'%s:", row->name);
		put_zsh_text(out, row->doc);
		fputs("'\n", out);
	}
	fputs("\t)\n"
	      "\t_alternative 'subcommands:subcommand:{_describe subcommand subcommands}' 'files:script:_files'\n"
	      "}\n"
	      "_ktap_rest() {\n"
	      "\tcase $words[1] in\n\t", out);
	put_event_commands(out, "|");
	fputs(") local pattern=$PREFIX'*'; [[ $pattern == *:* ]] || pattern+=':*'\n"
	      "\t\tlocal -a events=(${(f)\"$(ktap list $pattern 2>/dev/null)\"}); compadd -a events ;;\n"
	      "\t*) _files ;;\n"
	      "\tesac\n"
	      "}\n"
	      "_ktap() {\n"
	      "\t_arguments -s \\\n", out);
	for (const struct option_row *row = option_rows; row->name; row++)
		put_zsh_option(out, row);
	fputs("\t\t'1:script or subcommand:_ktap_first' \\\n"
	      "\t\t'*::argument:_ktap_rest'\n"
	      "}\n"
	      "_ktap \"$@\"\n", out);
}

/* ---- fish ---- */

static void
put_fish_text(FILE *out, const char *s)
{
	fputc('\'', out);
	for (; *s; s++) {
		if (*s == '\'' || *s == '\\')
			fputc('\\', out);
		fputc(*s, out);
	}
	fputc('\'', out);
}

static void
put_fish_option(FILE *out, const struct option_row *row)
{
	if (row->name[1] == '-')
		fprintf(out, "complete -c ktap -l %s", row->name + 2);
	else
		fprintf(out, "complete -c ktap -s %s", row->name + 1);
	if (row->value)
		fputs(" -r", out);
	if (row->word) {
		fputs(" -f -a '", out);
		put_words(out, row->word);
		fputc('\'', out);
	} else if (row->value && strcmp(row->value, "PID") == 0) {
		fputs(" -f -a '(__fish_complete_pids)'", out);
	}
	fputs(" -d ", out);
	put_fish_text(out, row->doc);
	fputc('\n', out);
}

void
generate_fish(FILE *out)
{
	fputs("# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later\n"
	      "# Completion of ktap for fish, written by `ktap generate fish`.\n", out);
	for (const struct option_row *row = option_rows; row->name; row++)
		put_fish_option(out, row);
	for (const struct subcommand *row = subcommands; row->name; row++) {
		fprintf(out, "complete -c ktap -n __fish_use_subcommand -a %s -d ", row->name);
		put_fish_text(out, row->doc);
		fputc('\n', out);
	}
	fputs("complete -c ktap -n '__fish_seen_subcommand_from ", out);
	put_event_commands(out, " ");
	fputs("' -f -a '(ktap list (commandline -ct)\"*:*\" 2>/dev/null; ktap list (commandline -ct)\"*\" 2>/dev/null)'\n", out);
}
