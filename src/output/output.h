/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * output: how results look. One stream in large blocks, values as text, printf, histograms, stacks with symbols.
 */
#ifndef KTAP_OUTPUT_H
#define KTAP_OUTPUT_H

#include "ebpf/ebpf.h"
#include "event/event.h"
#include "source/source.h"

/* ---- stream.c ------------------------------------------------------------------------------------------- */

/* Buffered output to a descriptor. At once for a terminal, else in large blocks and at output_flush. */
struct output;

/* Borrows fd. */
struct output *
output_new(int fd);

/* What the descriptor's file holds is older, and stays there until something is written, or output_begin(). */
void
output_replace(struct output *out);

/* What is older goes now, whether something will be written or not. */
void
output_begin(struct output *out);

/* The same for who takes the bytes himself: fn gets blocks of whole output_write calls. */
struct output *
output_new_to(void (*fn)(void *arg, const char *bytes, size_t len), void *arg);

/*
 * From now on fn(arg, fd) is called where the descriptor takes nothing (a pipe that nobody reads): it returns once that may have changed, and sees
 * to what else there is meanwhile. Without it writing waits.
 */
void
output_set_wait(struct output *out, void (*fn)(void *arg, int fd), void *arg);

/* Flushes; returns 0 or the first -errno that writing gave (EPIPE, ENOSPC ...). */
int
output_free(struct output *out);

void
output_write(struct output *out, const void *bytes, size_t len);

/* Writes out what is buffered. Returns 0 or -errno; after an error output is dropped and the error is kept. */
int
output_flush(struct output *out);

/*
 * Writes out what is buffered if it has waited for a tenth of a second by now; `now` in nanoseconds of a clock that is always the
 * same one.
 */
void
output_flush_old(struct output *out, uint64_t now);

/* The first -errno that writing gave, 0 while all is well. Writes nothing. */
int
output_error(const struct output *out);

/* ---- value.c ------------------------------------------------------------------------------------------------ */

/* A value on its way to text. */
struct value {
	enum value_kind kind; /* VALUE_NONE: nil */
	int64_t number;       /* INT, BOOL, EVENT, STACK and USTACK (ebpf.h, enum value_kind), KSYM */
	const char *s;        /* STR, ARGSTR: bytes, borrowed */
	uint32_t len;
};

/* "a number", "a string" */
const char *
value_kind_name(enum value_kind kind);

/* What turning values into text needs to look up. */
struct value_names {
	const struct object *object;  /* events by index */
	struct printf_format **formats; /* by site, made at first use and the owner's to free; NULL: not kept */
	struct events *events;        /* argstr */
	struct symbols *symbols;      /* kernel symbols */
	struct user_symbols *user_symbols;
	/* Instruction addresses of the stack `id` (not negative), innermost first; returns their number or -errno. */
	int (*stack)(void *arg, enum value_kind kind, uint32_t id, uint64_t *addrs, uint32_t max);
	/* The address spaces of traced processes; may be NULL. */
	struct spaces *(*spaces)(void *arg);
	void *arg;
};

/*
 * Reads one value of a shape from table or globals memory (not from records). `bytes` holds shape_size(shape) bytes.
 */
struct value
value_load(const struct shape *shape, const void *bytes);

/* The reverse, of a value that is not nil, of the shape's kind. False: the text does not fit, and nothing is stored. */
bool
value_store(const struct shape *shape, const struct value *value, void *bytes);

/* The form print uses: numbers in decimal, true/false, nil, strings as they are, event names, stacks as lines of symbols. */
void
value_text(const struct value_names *names, const struct value *value, const struct event *event, struct text *out);

/*
 * Decodes a record (ebpf.h, "the record") and formats it after its site. Returns 0, 1 for a SITE_EXIT record (the run
 * ends), or -EINVAL for a record that does not fit its site (a bug or a lying source; counted, not printed).
 */
int
record_text(const struct value_names *names, const void *record, size_t len, struct text *out);

/* The number of the record's site; UINT32_MAX: the object has no such site, or the record is no record. */
uint32_t
record_site(const struct object *object, const void *record, size_t len);

/* ---- entry.c ------------------------------------------------------------------------------------------------ */

/* Bytes that a source's lookup gives of a table: the values of all CPUs, where the kind has one for each. */
size_t
entry_size(const struct source *source, const struct table *table);

/*
 * The value in these bytes, in which those of all CPUs become one: numbers are summed, statistics merged. VALUE_NONE: the entry is absent, as one of an
 * array is that only counts and has not. A text or statistic is borrowed from the bytes.
 */
struct value
entry_value(const struct source *source, const struct table *table, void *bytes);

/* Is the key not laid out by shapes, but an array's 4 bytes, the number of the event or the index that is its one part? */
bool
entry_has_index(const struct table *table);

/* Bytes of the first parts of a key that is laid out by shapes. */
uint32_t
entry_parts_size(const struct table *table, uint32_t n_parts);

/* A part of a key, counted from 0; a text is borrowed from it. */
struct value
entry_part(const struct table *table, const void *key, uint32_t part);

#define VARIABLE_WORDS_MAX (1 + VALUE_STR_MAX / 8)

/*
 * A variable in the source's memory of globals, while programs may write it: each of its words of 8 bytes is old or new. A text is borrowed from
 * `copy`, which has room for all of it.
 */
struct value
variable_value(const struct global *global, const void *memory, uint64_t copy[VARIABLE_WORDS_MAX]);

/* ---- printf.c ------------------------------------------------------------------------------------------------ */

/*
 * printf of the ktap language (docs/language.md): %d %i %u %o %x %X on 64 bits, %c %p %s %%, flags "-+ #0", width,
 * precision. Returns 0, or -EINVAL and *why with the message for a wrong format or argument (nothing is written then).
 */
struct printf_format;

/*
 * A format that is read once and used often. Borrows the text, which may hold NULs. NULL: it is wrong, or there is no memory, and
 * *why (may be NULL) says so.
 */
struct printf_format *
printf_format_new(const char *text, size_t len, struct text *why);

void
printf_format_free(struct printf_format *format);

/* printf_text with such a format. */
int
printf_format_text(const struct value_names *names, const struct printf_format *format, const struct value *args,
		   uint32_t n_args, const struct event *event, struct text *out, struct text *why);

int
printf_text(const struct value_names *names, const char *format, size_t len, const struct value *args, uint32_t n_args,
	    const struct event *event, struct text *out, struct text *why);

/* ---- hist.c ---------------------------------------------------------------------------------------------------- */

struct hist_row {
	const char *key;   /* text of the key */
	uint32_t key_len;
	bool key_is_number;
	bool key_is_block; /* several lines (a stack): printed above its bar */
	int64_t count;
};

/*
 * The table of ktap 0.4's print_hist: sorted by count descending, then by key; at most max_rows - 1 rows
 * (max_rows is clamped to 20..1000). Sum 0 and negative counts give empty bars.
 */
void
hist_text(struct hist_row *rows, uint32_t n_rows, int64_t max_rows, struct text *out);

/* The same form, all rows in the order given. */
void
hist_rows_text(const struct hist_row *rows, uint32_t n_rows, struct text *out);

/* ---- symbols.c -------------------------------------------------------------------------------------------------- */

/* Kernel symbols from /proc/kallsyms, read at the first question. */
struct symbols;

struct symbols *
symbols_new(void);

void
symbols_free(struct symbols *symbols);

/* "vfs_read+0x1a/0x2b0" (with size where known), "[module]" behind it for modules, or "0xffff..." where unknown. */
void
symbols_text(struct symbols *symbols, uint64_t addr, struct text *out);

/* 0, or why names can't be shown (kptr_restrict hides addresses ...). */
int
symbols_error(struct symbols *symbols, struct text *why);

/* ---- user_symbols.c ------------------------------------------------------------------------------------------------ */

/* Symbols of programs and libraries, read when they are first asked for. */
struct user_symbols;

/* Functions of C++ and Rust: as their programmers wrote them, or as their compilers did. */
enum names { NAMES_READABLE, NAMES_MANGLED };

/* NULL: no memory. */
struct user_symbols *
user_symbols_new(enum names names);

void
user_symbols_free(struct user_symbols *symbols);

/* A stack's first address is that of the next instruction, the others are where calls return to. */
enum frame_kind { FRAME_INNERMOST, FRAME_CALLER };

/*
 * Text of an address in a process; user_symbols.c shows the forms. `spaces` may be NULL, and must always be the same. False: no code
 * was ever at this address, so that it is no frame (and the address is its text).
 */
bool
user_symbols_text(struct user_symbols *symbols, struct spaces *spaces, uint32_t pid, uint64_t addr, enum frame_kind kind,
		  struct text *out);

/* ---- typed.c ---------------------------------------------------------------------------------- */

/*
 * A value of a C type as text, e.g. `{ pid: 1, comm: "cat" }`; without a type (0) or where it has another size, the bytes in hex.
 * `types` may be NULL then.
 */
void
typed_text(const struct typeinfo *types, uint32_t id, const void *bytes, size_t len, struct text *out);

/* A sum of numbers of a C type: as int64_t, or, without a sign, as uint64_t. */
struct typed_sum {
	int64_t number;
	bool is_signed;
};

/* The same of a part that stands at a bit of the value's bytes; `bits`: of a bit field, else 0. */
void
typed_part_text(const struct typeinfo *types, uint32_t id, const void *bytes, size_t len, uint64_t bit_off, uint32_t bits,
		struct text *out);

/* The number in `bits` bits from bit `bit_off` of a value on, 64 at most. False: they are not all there. */
bool
typed_bits(const void *bytes, size_t len, uint64_t bit_off, uint32_t bits, bool is_signed, int64_t *number);

/* Is the type one of characters, so that an array of it is a text? Numbers of one byte are none. */
bool
typed_is_char(const struct typeinfo *types, uint32_t id);

/*
 * The reverse, also of JSON (typed_parse.c has the grammar); `text` is all of it. Returns 0, or -EINVAL with *why: a clause, to which
 * typed_form says how such a value is written: "{ pid: NUMBER, comm: TEXT }".
 */
int
typed_parse(const struct typeinfo *types, uint32_t id, const char *text, void *bytes, size_t len, struct text *why);

void
typed_form(const struct typeinfo *types, uint32_t id, size_t len, struct text *out);

/* Order of two values: numbers by value, with sign or without as their type says, members one after the other, texts by their bytes. */
int
typed_compare(const struct typeinfo *types, uint32_t id, const void *a, const void *b, size_t len);

/*
 * A table's value with one part a CPU, as bpf(2) gives it: each `len` bytes, the next at a multiple of 8. typed_sum adds numbers up; false:
 * the type is no number, or its size is not `len`. typed_cpus_text shows that sum, else each CPU's part behind "cpu N: "; of one CPU as
 * typed_text does.
 */
bool
typed_sum(const struct typeinfo *types, uint32_t id, const void *bytes, size_t len, uint32_t n_cpus, struct typed_sum *sum);

void
typed_cpus_text(const struct typeinfo *types, uint32_t id, const void *bytes, size_t len, uint32_t n_cpus, struct text *out);

#endif
