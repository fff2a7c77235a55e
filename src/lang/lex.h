/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * For the files of this room that look at tokens.
 */
#ifndef KTAP_LEX_H
#define KTAP_LEX_H

#include "lang/lang.h"

/* ---- token.c ---- */

const char *
token_text(enum token_kind kind);

bool
token_is_keyword(enum token_kind kind);

bool
token_is_symbol(enum token_kind kind);

/* TOKEN_NAME where the word is not reserved. */
enum token_kind
token_find_keyword(const char *s, uint32_t len);

/* The longest symbol at the start of `max` bytes, its length in *len; TOKEN_ERROR: none. */
enum token_kind
token_find_symbol(const char *s, uint32_t max, uint32_t *len);

/* ---- lex.c ---- */

/* What comes next: `trace` is followed by event descriptions, `tick-` and `profile-` by an interval. */
enum lex_mode { LEX_NORMAL, LEX_EVENTS, LEX_DASH, LEX_INTERVAL };

struct lexer {
	struct arena *arena;
	const struct script *script;
	struct diags *diags;
	uint32_t off;
	enum lex_mode mode;
	enum token_kind last; /* the token before */
	bool in_filter;       /* of a trace statement, */
	bool glob;            /* where a pattern follows, behind `~` */
	bool unfinished;      /* a string had no end, and may have taken more in than was meant; the parser resets it */
};

void
lex_init(struct lexer *lex, struct arena *arena, const struct script *script, struct diags *diags);

/*
 * The next token; TOKEN_EOF for ever at the end. Reports what is malformed: a number or a string is then returned all the same, with
 * some value; a run of bytes that begin no token is one TOKEN_ERROR.
 */
void
lex_next(struct lexer *lex, struct token *token);

/* Moves behind the white space and the one comment at lex->off, and says where that is. Returns false, at no comment, at the token. */
bool
lex_comment(struct lexer *lex, struct span *comment);

/* --[[ ... ]], which does not end with its line. */
bool
lex_comment_is_long(const struct script *script, struct span comment);

/* ---- signal.c ---- */

/* The signal to ktap itself that an event description names: SIGUSR1, of "signal:SIGUSR1". NULL: it names an event. Lives in `pattern`. */
const char *
signal_of_event(const char *pattern);

/* The names of those that a script can handle, a space in front of each. */
extern const char signal_choices[];

/* Why a script cannot handle the signal, as a text that fits behind "a script cannot handle SIGINT: "; NULL: it can. */
const char *
signal_refusal(const char *name);

/* ---- formats.c ---- */

/* Reports a call of printf or string.format whose format, written out, is wrong or has too few values; warns of too many. */
void
check_format_values(struct diags *diags, const struct node *call);

/* ---- foreign.c: what to write instead of a word of another tool, NULL where it is none ---- */

const char *
foreign_name(const char *name);

/* Does a name look like one of C's constants, O_CREAT? FOREIGN_CONSTANT says of it what to do. */
bool
foreign_is_constant(const char *name);

#define FOREIGN_CONSTANT "names of C's constants are not known here: write the number, or declare the name, var %s = ..."

/* For a call without arguments. */
const char *
foreign_call(const struct builtin *builtin);

/* ---- tree.c ---- */

/* Bytes as a string of the language, quoted, with escapes. */
void
text_quote(const char *s, uint32_t len, FILE *out);

#endif
