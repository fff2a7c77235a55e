/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * For test_lang*.c: a script taken through the passes up to the halves, and what they say of it as text.
 */
#ifndef LANG_FIXTURE_H
#define LANG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lang/lang.h"

struct lang {
	struct arena *arena;
	struct script script;
	struct diags diags;
	struct tree *tree;
};

/* Lexes and parses; `text` is borrowed. */
static inline void
lang_parse(struct lang *lang, const char *text, size_t len)
{
	lang->arena = arena_new();
	script_init(&lang->script, lang->arena, "t.kp", text, (uint32_t)len);
	diags_init(&lang->diags, lang->arena, &lang->script);
	lang->tree = parse(lang->arena, &lang->script, &lang->diags);
}

static inline void
lang_split(struct lang *lang, const char *text, size_t len)
{
	lang_parse(lang, text, len);
	resolve_names(lang->tree, &lang->diags);
	split_halves(lang->tree, &lang->diags);
}

static inline void
lang_fini(struct lang *lang)
{
	arena_free(lang->arena);
}

/* Places and slugs of all errors, "1:7 unknown-name, 2:1 no-loop", in the arena: out of what the user would see. */
static inline const char *
lang_slugs(struct lang *lang)
{
	struct text slugs = { 0 };
	char *printed = NULL, *rest, *line;
	const char *result;
	size_t size;
	FILE *out = open_memstream(&printed, &size);

	assert_non_null(out);
	diags_print(&lang->diags, out);
	fclose(out);
	rest = printed;
	while ((line = strsep(&rest, "\n"))) {
		char *slug = strrchr(line, '[');

		if (strncmp(line, "t.kp:", 5) != 0 || !slug || !strstr(line, ": error: "))
			continue;
		slug[strcspn(slug, "]")] = 0;
		text_printf(&slugs, "%s%.*s %s", slugs.len ? ", " : "", (int)(strstr(line, ": error: ") - line - 5), line + 5, slug + 1);
	}
	free(printed);
	result = arena_strdup(lang->arena, slugs.s ? slugs.s : "");
	text_fini(&slugs);
	return result;
}

/* The tree as -d ast prints it, in the arena. */
static inline const char *
lang_ast(struct lang *lang)
{
	char *printed = NULL;
	const char *result;
	size_t size;
	FILE *out = open_memstream(&printed, &size);

	assert_non_null(out);
	tree_print(lang->tree, out);
	fclose(out);
	result = arena_strdup(lang->arena, printed);
	free(printed);
	return result;
}

#endif
