/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * generate_editor: what editors need to colour scripts: a syntax file of Vim, a TextMate grammar (VS Code and others).
 *
 * Words come from the tables; the rules for comments, strings, numbers and event descriptions follow lang/lex.c.
 */
#include <string.h>

#include "cli/cli.h"
#include "lang/lang.h"

static const char *const keywords[] = {
#define KEYWORD(id, text) text,
#define SYMBOL(id, text)
#define TOKEN(id, text)
#include "lang/tokens.def"
#undef KEYWORD
#undef SYMBOL
#undef TOKEN
};

static bool
is_library(const struct builtin *builtin)
{
	return strchr(builtin->name, '.') != NULL;
}

/* ---- Vim ---- */

static void
put_vim_builtins(FILE *out)
{
	for (unsigned id = 0; id < N_BUILTINS; id++) {
		const struct builtin *builtin = builtin_get((enum builtin_id)id);
		const char *dot = strchr(builtin->name, '.');

		if (!dot)
			fprintf(out, "syn keyword ktapBuiltin %s\n", builtin->name);
		else
			fprintf(out, "syn match ktapBuiltin \"\\<%.*s\\.%s\\>\"\n", (int)(dot - builtin->name), builtin->name, dot + 1);
	}
}

void
generate_vim(FILE *out)
{
	fputs("\" SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later\n"
	      "\" Vim syntax file of the ktap tracing language, written by `ktap generate vim`.\n"
	      "if exists(\"b:current_syntax\")\n  finish\nendif\n"
	      "syn case match\n", out);
	for (size_t i = 0; i < ARRAY_SIZE(keywords); i++)
		fprintf(out, "syn keyword ktapKeyword %s\n", keywords[i]);
	put_vim_builtins(out);
	fputs("syn match ktapArg \"\\<arg[0-9]\\>\"\n"
	      "syn match ktapNumber \"\\<0[xX][0-9a-fA-F_]\\+\\>\"\n"
	      "syn match ktapNumber \"\\<[0-9][0-9_]*\\%(ns\\|us\\|ms\\|s\\|k\\|K\\|M\\|G\\)\\?\\>\"\n"
	      "syn match ktapEvent \"\\%(\\<trace\\s\\+\\)\\@<=[^ \\t{/][^{,]\\{-}\\ze\\s*\\%(/\\|{\\|,\\|$\\)\"\n"
	      "syn match ktapInterval \"\\%(\\<\\%(tick\\|profile\\)-\\)\\@<=[0-9a-z]\\+\"\n"
	      "syn match ktapEscape contained \"\\\\\\%(x\\x\\x\\|\\d\\{1,3}\\|.\\)\"\n"
	      "syn region ktapString start=+\"+ skip=+\\\\\\\\\\|\\\\\"+ end=+\"+ contains=ktapEscape oneline\n"
	      "syn region ktapString start=+'+ skip=+\\\\\\\\\\|\\\\'+ end=+'+ contains=ktapEscape oneline\n"
	      "syn region ktapString start=+\\[\\z(=*\\)\\[+ end=+\\]\\z1\\]+\n"
	      "syn match ktapComment \"#.*$\"\n"
	      "syn match ktapComment \"--.*$\"\n"
	      "syn region ktapComment start=+--\\[\\z(=*\\)\\[+ end=+\\]\\z1\\]+\n"
	      "hi def link ktapKeyword Keyword\n"
	      "hi def link ktapBuiltin Function\n"
	      "hi def link ktapArg Identifier\n"
	      "hi def link ktapNumber Number\n"
	      "hi def link ktapEvent Type\n"
	      "hi def link ktapInterval Number\n"
	      "hi def link ktapEscape SpecialChar\n"
	      "hi def link ktapString String\n"
	      "hi def link ktapComment Comment\n"
	      "setlocal commentstring=#\\ %s\n"
	      "let b:current_syntax = \"ktap\"\n", out);
}

/* ---- TextMate ---- */

/* "first|second|..." */
static void
put_keywords(FILE *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(keywords); i++)
		fprintf(out, "%s%s", i ? "|" : "", keywords[i]);
}

/* `library`: kdebug\\.kprobe and the like, with the dot as JSON and the regular expression want it. */
static void
put_builtin_words(FILE *out, bool library)
{
	const char *separator = "";

	for (unsigned id = 0; id < N_BUILTINS; id++) {
		const struct builtin *builtin = builtin_get((enum builtin_id)id);
		const char *dot = strchr(builtin->name, '.');

		if (is_library(builtin) != library)
			continue;
		fputs(separator, out);
		separator = "|";
		if (dot)
			fprintf(out, "%.*s\\\\.%s", (int)(dot - builtin->name), builtin->name, dot + 1);
		else
			fputs(builtin->name, out);
	}
}

void
generate_vscode(FILE *out)
{
	fputs("{\n"
	      "  \"name\": \"ktap\",\n"
	      "  \"scopeName\": \"source.ktap\",\n"
	      "  \"fileTypes\": [\"kp\"],\n"
	      "  \"firstLineMatch\": \"^#!.*\\\\bktap\\\\b\",\n"
	      "  \"patterns\": [\n"
	      "    { \"name\": \"comment.block.ktap\", \"begin\": \"--\\\\[(=*)\\\\[\", \"end\": \"\\\\]\\\\1\\\\]\" },\n"
	      "    { \"name\": \"comment.line.ktap\", \"match\": \"(?:#|--).*$\" },\n"
	      "    { \"name\": \"string.quoted.other.ktap\", \"begin\": \"\\\\[(=*)\\\\[\", \"end\": \"\\\\]\\\\1\\\\]\" },\n"
	      "    { \"name\": \"string.quoted.double.ktap\", \"begin\": \"\\\"\", \"end\": \"\\\"|$\", \"patterns\": [\n"
	      "      { \"name\": \"constant.character.escape.ktap\", \"match\": \"\\\\\\\\(?:x[0-9a-fA-F]{2}|[0-9]{1,3}|.)\" } ] },\n"
	      "    { \"name\": \"string.quoted.single.ktap\", \"begin\": \"'\", \"end\": \"'|$\", \"patterns\": [\n"
	      "      { \"name\": \"constant.character.escape.ktap\", \"match\": \"\\\\\\\\(?:x[0-9a-fA-F]{2}|[0-9]{1,3}|.)\" } ] },\n"
	      "    { \"match\": \"\\\\b(trace)\\\\s+([^{/\\\\s][^{]*?)(?=\\\\s*(?:/|\\\\{|$))\",\n"
	      "      \"captures\": { \"1\": { \"name\": \"keyword.control.ktap\" }, \"2\": { \"name\": \"entity.name.type.event.ktap\" } } },\n"
	      "    { \"match\": \"\\\\b(tick|profile)-([0-9a-z]+)\",\n"
	      "      \"captures\": { \"1\": { \"name\": \"keyword.control.ktap\" }, \"2\": { \"name\": \"constant.numeric.ktap\" } } },\n"
	      "    { \"name\": \"constant.numeric.ktap\", \"match\": \"\\\\b(?:0[xX][0-9a-fA-F_]+|[0-9][0-9_]*(?:ns|us|ms|s|k|K|M|G)?)\\\\b\" },\n"
	      "    { \"name\": \"variable.language.ktap\", \"match\": \"\\\\barg[0-9]\\\\b\" },\n"
	      "    { \"name\": \"support.function.library.ktap\", \"match\": \"\\\\b(?:", out);
	put_builtin_words(out, true);
	fputs(")\\\\b\" },\n"
	      "    { \"name\": \"support.function.ktap\", \"match\": \"(?<![.\\\\w])(?:", out);
	put_builtin_words(out, false);
	fputs(")\\\\b\" },\n"
	      "    { \"name\": \"keyword.control.ktap\", \"match\": \"(?<![.\\\\w])(?:", out);
	put_keywords(out);
	fputs(")\\\\b\" }\n"
	      "  ]\n"
	      "}\n", out);
}
