/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * base: memory, text, files, places in a script, diagnostics and debug switches.
 *
 * Knows nothing of eBPF or of tracing. Every other room may include this header.
 */
#ifndef KTAP_BASE_H
#define KTAP_BASE_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

static inline uint64_t
round_up(uint64_t n, uint64_t to) /* `to` is a power of two */
{
	return (n + to - 1) & ~(to - 1);
}

/* ---- arena.c: memory that is freed all at once ------------------------------------------- */

struct arena;

/* New empty arena, owned by the caller. Never NULL: out of memory ends the program with a message and status 3. */
struct arena *
arena_new(void);

/* Frees the arena and everything allocated from it. NULL is allowed. */
void
arena_free(struct arena *arena);

/*
 * `size` zeroed bytes that live as long as the arena, aligned for any type. Never NULL (see arena_new).
 * In debug builds (KTAP_DEBUG_ARENA) each allocation is a block of its own, so that AddressSanitizer sees overflows.
 */
void *
arena_alloc(struct arena *arena, size_t size);

/* Copy of `len` bytes of `s` with a NUL behind them. */
char *
arena_strndup(struct arena *arena, const char *s, size_t len);

char *
arena_strdup(struct arena *arena, const char *s);

char *
arena_printf(struct arena *arena, const char *format, ...) PRINTF_LIKE(2, 3);

/*
 * Makes room for one more element in a growing array that lives in an arena: returns the (possibly moved) array whose
 * capacity *cap is above `n`. The old block stays in the arena. `size` is the size of one element in bytes.
 */
void *
arena_grow(struct arena *arena, void *array, uint32_t n, uint32_t *cap, size_t size);

/*
 * malloc, calloc, realloc for rooms that handle failure: as in libc, but the n-th call fails when the environment
 * says KTAP_FAIL_ALLOC=n. What they return is freed with free().
 */
void *
mem_alloc(size_t size); /* zeroed */

void *
mem_realloc(void *old, size_t size);

/*
 * Makes room for one more element in a growing array, NULL at first: returns the (possibly moved) array whose capacity *cap is above `n`, with
 * anything in the elements that are new. `size` is the size of one element in bytes. NULL: no memory, and array and *cap are as they were.
 */
void *
mem_grow(void *array, uint32_t n, uint32_t *cap, size_t size);

/* Are all bytes 0? */
bool
mem_is_zero(const void *bytes, size_t len);

/* ---- text.c: a growing string ---------------------------------------------------------------- */

struct text {
	char *s; /* NUL-terminated once something was added, else NULL */
	size_t len, cap;
};

void
text_add(struct text *text, const char *s, size_t len);

void
text_puts(struct text *text, const char *s);

void
text_putc(struct text *text, char c);

void
text_printf(struct text *text, const char *format, ...) PRINTF_LIKE(2, 3);

void
text_vprintf(struct text *text, const char *format, va_list args);

/* Takes away what is behind the first `len` bytes; it has at least so many. */
void
text_cut(struct text *text, size_t len);

/* Bytes in quotes; what does not print is escaped as in C, so that it can be pasted back, and does nothing to a terminal. */
void
text_quoted(struct text *text, const char *s, size_t len);

/* Empties the text, keeps the memory. */
void
text_clear(struct text *text);

/* Frees the memory; the struct is as new. */
void
text_fini(struct text *text);

/* FNV-1a. */
uint32_t
text_hash(const char *s, size_t len);

/* Shell glob over a whole string: `*`, `?`, `[a-z]`, `[!x]`, `\`. Patterns are as in ktap 0.4. */
bool
glob_match(const char *pattern, const char *s);

/*
 * Edit distance for "did you mean": the number of insertions, deletions, changes and swaps; at most `limit` + 1, which words of more than 64 bytes
 * always have.
 */
unsigned
text_distance(const char *a, const char *b, unsigned limit);

/* ---- format.c: %[flags][width][.precision]letter --------------------------------------------------- */

enum format_kind { FORMAT_SIGNED, FORMAT_UNSIGNED, FORMAT_CHAR, FORMAT_ADDRESS, FORMAT_STRING };

struct format_letter {
	char letter;
	enum format_kind kind;
	unsigned base;      /* of numbers */
	const char *digits;
	const char *prefix; /* of the '#' flag */
};

struct format_spec {
	bool minus, plus, space, alt, zero;
	unsigned width;
	int precision;      /* -1: not given */
	const struct format_letter *letter;
};

/*
 * Passes over text of a format, `*len` bytes from *at as they are printed. True: a specification follows, and *at stands behind its '%'. False: the
 * text goes on at *at (behind a "%%", of which the text has one), or this is the end.
 */
bool
format_literal(const char **at, const char *end, size_t *len);

/* Where the next specification of a format begins, behind its '%'. NULL: there are no more. */
const char *
format_next(const char *at, const char *end);

/*
 * Reads one specification of printf; `at` stands behind the '%', which no second '%' follows. Returns where the text goes on, or
 * NULL with the message in *why.
 */
const char *
format_parse(const char *at, const char *end, struct format_spec *spec, struct text *why);

/* ---- file.c: whole files -------------------------------------------------------------------------- */

/*
 * What there is to read from a descriptor, with a NUL behind it, for the caller to free: *len bytes; more than `max`, and not all, where there are
 * more. NULL with errno set.
 */
void *
file_rest(int fd, size_t max, size_t *len);

/* The same of the file at a path. */
void *
file_read(const char *path, size_t max, size_t *len);

/* ---- clock.c --------------------------------------------------------------------------------------- */

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t
clock_now(void);

/* -d time: prints the milliseconds since *since behind the step's name on stderr. Sets *since to now. */
void
step_time(const char *step, uint64_t *since);

/* ---- script.c: the source text and places in it ------------------------------------------------ */

/* A stretch of a script's text, in bytes. `len` may be 0 (a point). Spans travel from tokens to instructions. */
struct span {
	uint32_t off, len;
};

struct script {
	const char *name; /* as shown in messages: a path or "(command line)" */
	const char *text; /* NUL-terminated; may hold NULs before text[len] */
	uint32_t len;
	uint32_t *lines; /* byte offset of the start of each line */
	uint32_t n_lines;
};

#define SCRIPT_MAX_LEN (1u << 20) /* a script may be at most a megabyte */

/* Script over `text` (borrowed; `name` too); the line index lives in `arena`. */
void
script_init(struct script *script, struct arena *arena, const char *name, const char *text, uint32_t len);

/* Line (from 1) and column (from 1, in bytes) of an offset. */
uint32_t
script_line(const struct script *script, uint32_t off);

uint32_t
script_column(const struct script *script, uint32_t off);

/* The text of a line (from 1) without its newline; *len is set. */
const char *
script_line_text(const struct script *script, uint32_t line, uint32_t *len);

/* ---- diag.c: what is wrong with the user's input ---------------------------------------------- */

/*
 * A diagnostic is printed as
 *
 *     file:line:col: error: MESSAGE [slug]          or warning: MESSAGE, after which the script runs all the same
 *       12 | the line of the script
 *          |     ^~~~~
 *     note: MESSAGE, where needed with a line and a caret of its own
 *     help: MESSAGE
 *
 * Slugs are lower-case words joined by '-', each with a test case and an entry in docs/errors.md.
 */
struct remark {
	bool has_span;
	struct span span;
	const char *kind; /* "note", "help" */
	const char *message;
	struct remark *next;
};

struct diag {
	bool is_warning;
	struct span span;
	const char *slug, *message;
	struct remark *remarks, **last_remark;
	struct diag *next;
};

struct diags {
	struct arena *arena;
	const struct script *script; /* where the spans point; may be NULL */
	struct diag *first, **last;
	unsigned n_errors, n_warnings;
	unsigned n_dropped; /* past DIAGS_MAX, counted only */
};

#define DIAGS_MAX        20 /* errors, and as many warnings */
#define DIAGS_SORTED_MAX (2 * DIAGS_MAX)

void
diags_init(struct diags *diags, struct arena *arena, const struct script *script);

/* Adds an error. Returns it for diag_note and diag_help. The same slug at the same place is added once. */
struct diag *
diag_error(struct diags *diags, struct span span, const char *slug, const char *format, ...) PRINTF_LIKE(4, 5);

/* Adds what is likely to be a mistake, though it means something. */
struct diag *
diag_warning(struct diags *diags, struct span span, const char *slug, const char *format, ...) PRINTF_LIKE(4, 5);

/* A second place that explains the error. */
void
diag_note(struct diags *diags, struct diag *diag, struct span span, const char *format, ...) PRINTF_LIKE(4, 5);

/* What to do about it; printed without a place. */
void
diag_help(struct diags *diags, struct diag *diag, const char *format, ...) PRINTF_LIKE(3, 4);

/* What the world refuses, or a remark: one line "ktap: TEXT" on stderr. */
void
complain(const char *format, ...) PRINTF_LIKE(1, 2);

/* The same elsewhere. */
void
complain_to(FILE *out, const char *format, ...) PRINTF_LIKE(2, 3);

/* Is there an error whose slug ends so? */
bool
diags_have(const struct diags *diags, const char *slug_end);

/* Puts all in order of their place into `sorted`, DIAGS_SORTED_MAX at most. Returns how many. */
size_t
diags_sort(const struct diags *diags, const struct diag **sorted);

/* Prints all in order of their place, then how many were dropped. */
void
diags_print(const struct diags *diags, FILE *out);

/* "file:line:col: " */
void
script_print_place(const struct script *script, struct span span, FILE *out);

/* The line of a span with its number and, below it, a caret and tildes. Long lines are cut around the span. */
void
script_print_quote(const struct script *script, struct span span, FILE *out);

/* Text of a script: bytes that a terminal could take as a command are shown as '.'; tabs stay, so that a line below can copy them. */
void
script_print_text(const char *s, uint32_t len, FILE *out);

/* ---- debug.c: -d STAGE[,STAGE] ------------------------------------------------------------------ */

enum debug_stage {
#define STAGE(id, name, when, doc) DEBUG_##id,
#include "base/stages.def"
#undef STAGE
	N_DEBUG_STAGES
};

/* Turns on the stages in a comma list. Returns 0, or -EINVAL with the unknown word in *bad (points into `list`). */
int
debug_enable(const char *list, const char **bad);

bool
debug_on(enum debug_stage stage);

/* Are stages turned on, and all such that nothing needs to run? */
bool
debug_compiles_only(void);

/* The word by which -d knows a stage. */
const char *
debug_name(enum debug_stage stage);

/* One line a stage: name and what it shows. */
void
debug_list(FILE *out);

#endif
