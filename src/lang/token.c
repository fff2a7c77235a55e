/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * token: the table of tokens, as data: texts of keywords and symbols, descriptions of the others.
 */
#include <string.h>

#include "lang/lex.h"

static const struct token_info {
	const char *text;
	bool is_keyword, is_symbol;
} infos[N_TOKENS] = {
#define KEYWORD(id, text) [TOKEN_##id] = { text, true, false },
#define SYMBOL(id, text) [TOKEN_##id] = { text, false, true },
#define TOKEN(id, text) [TOKEN_##id] = { text, false, false },
#include "lang/tokens.def"
#undef KEYWORD
#undef SYMBOL
#undef TOKEN
};

const char *
token_text(enum token_kind kind)
{
	return infos[kind].text;
}

bool
token_is_keyword(enum token_kind kind)
{
	return infos[kind].is_keyword;
}

bool
token_is_symbol(enum token_kind kind)
{
	return infos[kind].is_symbol;
}

bool
token_gives_truth(enum token_kind op)
{
	switch ((int)op) {
	case TOKEN_EQ:
	case TOKEN_NE:
	case TOKEN_LT:
	case TOKEN_LE:
	case TOKEN_GT:
	case TOKEN_GE:
	case TOKEN_TILDE:
		return true;
	default:
		return false;
	}
}

enum token_kind
token_find_keyword(const char *s, uint32_t len)
{
	for (unsigned kind = 0; kind < N_TOKENS; kind++)
		if (infos[kind].is_keyword && strlen(infos[kind].text) == len && memcmp(infos[kind].text, s, len) == 0)
			return kind;
	return TOKEN_NAME;
}

enum token_kind
token_find_symbol(const char *s, uint32_t max, uint32_t *len)
{
	enum token_kind found = TOKEN_ERROR;

	*len = 0;
	for (unsigned kind = 0; kind < N_TOKENS; kind++) {
		uint32_t n = infos[kind].is_symbol && max && *s == *infos[kind].text ? strlen(infos[kind].text) : 0;

		if (n > *len && n <= max && memcmp(infos[kind].text, s, n) == 0) {
			found = kind;
			*len = n;
		}
	}
	return found;
}
