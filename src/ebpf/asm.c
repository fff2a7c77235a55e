/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The assembler. A line is tried against the format of each row of insn.def and relocs.def (the strings by which disasm.c
 * prints) until one fits from end to end; so there is no grammar besides the table, and what the disassembler prints is read
 * back as the same words. White space is free wherever it does not part two words.
 *
 *     ; a comment, also behind an instruction
 *     again:  r1 -= 1               a label, before an instruction or alone
 *             if r1 != 0 goto again a label or a distance (+3, -2) as the target of a jump or of `call pc`
 *         12: exit                  a number before a colon, as disasm_func prints it, is skipped
 *             .insn 0xff 1 2 3 4    any word at all: opcode, dst, src, off, imm
 *
 * The span of an instruction is its line in the text.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ebpf/ebpf_int.h"

static const struct reloc_form {
	enum reloc_kind kind;
	enum insn_id insn;
	int32_t imm;
	const char *format;
} reloc_forms[] = {
#define RELOC(id, insn, imm, format) { RELOC_##id, INSN_##insn, imm, format },
#include "ebpf/relocs.def"
#undef RELOC
};

#define INSN_FORMAT ".insn %c %r %q %e %i" /* words that no row describes */

/* A name for a pc. Labels that are only used, not yet bound, have pc UNBOUND. */
struct label {
	const char *name;
	size_t len;
	uint32_t pc;
};

/* A jump to a label, to be set when all labels are known. */
struct jump {
	uint32_t pc;
	uint32_t label;
	uint32_t line;
	bool in_imm; /* the distance stands in imm, not in off */
};

struct assembler {
	struct code *code;
	struct text *why;
	uint32_t line;
	struct label *labels;
	uint32_t n_labels, cap_labels;
	struct jump *jumps;
	uint32_t n_jumps, cap_jumps;
	const char *stopped; /* how far the best of the formats fitted the instruction at hand */
	const char *bad_number;
};

/* What a line says so far, while a format is tried on it. */
struct match {
	const char *p; /* what is still to be read */
	const char *end;
	struct bpf_insn insn;
	int32_t next_imm;
	uint32_t index, addend;
	bool dst_set, src_set;
	const char *label; /* target of the jump, NULL: a distance was given */
	size_t label_len;
	bool label_in_imm;
	const char *bad_number; /* a number that fits the format but not its field */
};

static bool
is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_' || c == '.';
}

static void
skip_space(struct match *m)
{
	while (m->p < m->end && isspace((unsigned char)*m->p))
		m->p++;
}

/* Reads an unsigned number, decimal or 0x.... False: none, or above 64 bits. */
static bool
read_digits(struct match *m, uint64_t *value)
{
	unsigned base = 10;
	const char *start;

	if (m->end - m->p > 2 && m->p[0] == '0' && (m->p[1] == 'x' || m->p[1] == 'X')) {
		base = 16;
		m->p += 2;
	}
	*value = 0;
	for (start = m->p; m->p < m->end && isxdigit((unsigned char)*m->p); m->p++) {
		char c = *m->p;
		unsigned digit = isdigit((unsigned char)c) ? c - '0' : (c | 0x20) - 'a' + 10;

		if (digit >= base)
			return false;
		if (__builtin_mul_overflow(*value, base, value) ||
		    __builtin_add_overflow(*value, digit, value))
			return false;
	}
	return m->p > start && (m->p == m->end || !is_word(*m->p));
}

/*
 * Reads a number with an optional sign that is at least `min` and at most `max`; the result is its low 64 bits. `signs`
 * says which signs may stand before it, with white space between.
 */
static bool
read_number(struct match *m, const char *signs, int64_t min, uint64_t max, uint64_t *value)
{
	const char *start = m->p;
	bool negative = false;

	if (m->p < m->end && (*m->p == '+' || *m->p == '-')) {
		if (!strchr(signs, *m->p))
			return false;
		negative = *m->p++ == '-';
		skip_space(m);
	}
	if (!read_digits(m, value))
		return false;
	if (negative ? *value > 0 - (uint64_t)min : *value > max) {
		m->bad_number = start;
		return false;
	}
	if (negative)
		*value = 0 - *value;
	return true;
}

static bool
read_imm(struct match *m, int32_t *imm)
{
	uint64_t value;

	if (!read_number(m, "-", INT32_MIN, UINT32_MAX, &value))
		return false;
	*imm = (int32_t)(uint32_t)value;
	return true;
}

static bool
read_u32(struct match *m, uint32_t *number)
{
	uint64_t value;

	if (!read_number(m, "", 0, UINT32_MAX, &value))
		return false;
	*number = (uint32_t)value;
	return true;
}

static bool
read_off(struct match *m, int16_t *off)
{
	uint64_t value;

	if (!read_number(m, "+-", INT16_MIN, INT16_MAX, &value))
		return false;
	*off = (int16_t)value;
	return true;
}

/* Reads "r5" or "w5"; the same register must stand wherever a format names it twice. */
static bool
read_register(struct match *m, char prefix, bool is_src)
{
	bool *set = is_src ? &m->src_set : &m->dst_set;
	uint64_t number;

	if (m->p == m->end || *m->p != prefix)
		return false;
	m->p++;
	if (!read_number(m, "", 0, 10, &number))
		return false;
	if (*set && number != (is_src ? m->insn.src_reg : m->insn.dst_reg))
		return false;
	*set = true;
	if (is_src)
		m->insn.src_reg = number & 15;
	else
		m->insn.dst_reg = number & 15;
	return true;
}

/* Reads a distance with its sign, or a label. */
static bool
read_target(struct match *m, bool in_imm)
{
	uint64_t value;

	if (m->p == m->end)
		return false;
	if (*m->p == '+' || *m->p == '-') {
		if (!read_number(m, "+-", in_imm ? INT32_MIN : INT16_MIN, in_imm ? INT32_MAX : INT16_MAX,
				 &value))
			return false;
		if (in_imm)
			m->insn.imm = (int32_t)value;
		else
			m->insn.off = (int16_t)value;
		return true;
	}
	m->label = m->p;
	while (m->p < m->end && is_word(*m->p))
		m->p++;
	m->label_len = m->p - m->label;
	m->label_in_imm = in_imm;
	return m->label_len > 0 && !isdigit((unsigned char)*m->label);
}

static bool
read_wide(struct match *m)
{
	uint64_t value;

	if (!read_number(m, "-", INT64_MIN, UINT64_MAX, &value))
		return false;
	m->insn.imm = (int32_t)(uint32_t)value;
	m->next_imm = (int32_t)(uint32_t)(value >> 32);
	return true;
}

/* A field of INSN_FORMAT that is a plain number up to max. */
static bool
read_field(struct match *m, char letter)
{
	uint64_t value;

	if (!read_number(m, "", 0, letter == 'c' ? UINT8_MAX : 15, &value))
		return false;
	if (letter == 'c')
		m->insn.code = value & 255;
	else if (letter == 'r')
		m->insn.dst_reg = value & 15;
	else
		m->insn.src_reg = value & 15;
	return true;
}

/* One directive of a format, for the letter after '%'. */
static bool
match_operand(struct match *m, char letter)
{
	uint32_t number;
	bool ok;

	switch (letter) {
	case 'd':
	case 'D': return read_register(m, letter == 'd' ? 'r' : 'w', false);
	case 's':
	case 'S': return read_register(m, letter == 's' ? 'r' : 'w', true);
	case 'i': return read_imm(m, &m->insn.imm);
	case 'u':
		ok = read_u32(m, &number);
		m->insn.imm = ok ? (int32_t)number : 0;
		return ok;
	case 'n':
		ok = read_u32(m, &number);
		m->next_imm = ok ? (int32_t)number : 0;
		return ok;
	case 'I': return read_wide(m);
	case 'o': /* "(r1)" is short for "(r1 + 0)" */
		return (m->p < m->end && *m->p == ')') || read_off(m, &m->insn.off);
	case 'e': return read_off(m, &m->insn.off);
	case 'j': return read_target(m, false);
	case 'J': return read_target(m, true);
	case 'x': return read_u32(m, &m->index);
	case 'a': return read_u32(m, &m->addend);
	case '%': return m->p < m->end && *m->p++ == '%';
	default: return read_field(m, letter);
	}
}

/* White space may stand between the characters of a format around one of these. */
static bool
is_loose(char c)
{
	return c && strchr("()*[],%", c);
}

/* Whether the whole line fits a format. m->p is left where it stopped to fit. */
static bool
match_format(struct match *m, const char *format)
{
	for (const char *f = format; *f; f++) {
		if (*f == ' ') {
			const char *before = m->p;

			/* A blank may be left out where it does not part two words. */
			skip_space(m);
			if (m->p == before && m->p < m->end && is_word(m->p[-1]) && is_word(*m->p))
				return false;
			continue;
		}
		if (is_loose(*f) || (f > format && is_loose(f[-1])))
			skip_space(m);
		if (*f == '%') {
			if (!match_operand(m, *++f))
				return false;
		} else if (m->p == m->end || *m->p != *f) {
			return false;
		} else {
			m->p++;
		}
	}
	skip_space(m);
	return m->p == m->end;
}

static void
fail(const struct assembler *as, uint32_t line, const char *format, ...) PRINTF_LIKE(3, 4);

static void
fail(const struct assembler *as, uint32_t line, const char *format, ...)
{
	va_list args;

	text_printf(as->why, "line %u: ", line);
	va_start(args, format);
	text_vprintf(as->why, format, args);
	va_end(args);
}

/* The label's index, made when it is not yet known. */
static uint32_t
label_find(struct assembler *as, const char *name, size_t len)
{
	for (uint32_t i = 0; i < as->n_labels; i++)
		if (as->labels[i].len == len && memcmp(as->labels[i].name, name, len) == 0)
			return i;
	as->labels =
		arena_grow(as->code->arena, as->labels, as->n_labels, &as->cap_labels, sizeof(*as->labels));
	as->labels[as->n_labels] = (struct label){ .name = name, .len = len, .pc = UNBOUND };
	return as->n_labels++;
}

static void
emit_match(struct assembler *as, const struct match *m)
{
	struct code *code = as->code;

	if (m->label) {
		uint32_t label = label_find(as, m->label, m->label_len);

		as->jumps =
			arena_grow(code->arena, as->jumps, as->n_jumps, &as->cap_jumps, sizeof(*as->jumps));
		as->jumps[as->n_jumps++] = (struct jump){
			.pc = code->n, .label = label, .line = as->line, .in_imm = m->label_in_imm
		};
	}
	code_emit(code, m->insn);
	if (insn_is_wide(&m->insn))
		code_emit(code, insn_make(0, 0, 0, 0, m->next_imm));
}

/* The fields that the row, and not the line, gives. */
static void
apply_row(struct bpf_insn *insn, const struct insn_info *info)
{
	insn->code = info->code;
	if (info->select == SELECT_OFF)
		insn->off = (int16_t)info->value;
	else if (info->select == SELECT_IMM)
		insn->imm = info->value;
	else if (info->select == SELECT_SRC)
		insn->src_reg = info->value & 15;
}

static void
emit_reloc(struct assembler *as, const struct reloc_form *form, struct match *m)
{
	struct code *code = as->code;

	apply_row(&m->insn, insn_info_of(form->insn));
	m->insn.imm = form->imm;
	m->next_imm = (int32_t)m->addend;
	code_add_reloc(code, (struct reloc){ .pc = code->n, .kind = form->kind, .index = m->index, .addend = m->addend });
	emit_match(as, m);
}

/* Tries a format on the line from `s` to `end`; remembers how far it fitted, for the message when none does. */
static bool
try_format(struct assembler *as, struct match *m, const char *s, const char *end, const char *format)
{
	*m = (struct match){ .p = s, .end = end };
	if (match_format(m, format))
		return true;
	if (m->p > as->stopped)
		as->stopped = m->p;
	if (m->bad_number)
		as->bad_number = m->bad_number;
	return false;
}

static int
fail_insn(struct assembler *as, const char *s, const char *end)
{
	const char *at = as->bad_number ? as->bad_number : as->stopped;

	while (at > s && is_word(at[-1]))
		at--;
	if (as->bad_number)
		fail(as, as->line, "the number at \"%.*s\" is out of range here", (int)(end - at), at);
	else if (at == end)
		fail(as, as->line, "\"%.*s\" is not complete", (int)(end - s), s);
	else if (at == s)
		fail(as, as->line, "no instruction begins like \"%.*s\"", (int)(end - s), s);
	else
		fail(as, as->line, "\"%.*s\" does not fit any instruction, from \"%.*s\" on", (int)(end - s),
		     s, (int)(end - at), at);
	return -EINVAL;
}

/* One instruction, from `s` up to `end`, without white space around it. */
static int
asm_insn(struct assembler *as, const char *s, const char *end)
{
	struct match m;

	as->stopped = s;
	as->bad_number = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(reloc_forms); i++) {
		if (try_format(as, &m, s, end, reloc_forms[i].format)) {
			emit_reloc(as, &reloc_forms[i], &m);
			return 0;
		}
	}
	for (unsigned id = 0; id < N_INSNS; id++) {
		const struct insn_info *info = insn_info_of((enum insn_id)id);

		if (try_format(as, &m, s, end, info->format)) {
			apply_row(&m.insn, info);
			emit_match(as, &m);
			return 0;
		}
	}
	if (try_format(as, &m, s, end, INSN_FORMAT)) {
		code_emit(as->code, m.insn);
		return 0;
	}
	return fail_insn(as, s, end);
}

/* Binds the label that ends at `colon`. */
static int
asm_label(struct assembler *as, const char *s, const char *colon)
{
	struct label *label;
	uint32_t index;

	if (isdigit((unsigned char)*s))
		return 0;                     /* a pc, as disasm_func prints it */
	index = label_find(as, s, colon - s); /* may move the labels */
	label = &as->labels[index];
	if (label->pc != UNBOUND) {
		fail(as, as->line, "label \"%.*s\" is there a second time", (int)label->len, label->name);
		return -EINVAL;
	}
	label->pc = as->code->n;
	return 0;
}

/* One line: labels, an instruction, a comment, each may be missing. */
static int
asm_line(struct assembler *as, const char *s, const char *end)
{
	const char *comment = memchr(s, ';', end - s);
	const char *word;
	int err;

	if (comment)
		end = comment;
	for (;;) {
		while (s < end && isspace((unsigned char)*s))
			s++;
		for (word = s; word < end && is_word(*word); word++)
			;
		if (word == s || word == end || *word != ':')
			break;
		err = asm_label(as, s, word);
		if (err)
			return err;
		s = word + 1;
	}
	while (end > s && isspace((unsigned char)end[-1]))
		end--;
	return s < end ? asm_insn(as, s, end) : 0;
}

/* Sets the distance of each jump to a label. */
static int
resolve_jumps(struct assembler *as)
{
	for (uint32_t i = 0; i < as->n_jumps; i++) {
		const struct jump *jump = &as->jumps[i];
		const struct label *label = &as->labels[jump->label];
		struct bpf_insn *insn = &as->code->insns[jump->pc];
		int64_t distance = (int64_t)label->pc - jump->pc - 1;

		if (label->pc == UNBOUND) {
			fail(as, jump->line, "label \"%.*s\" is not defined", (int)label->len, label->name);
			return -EINVAL;
		}
		if (jump->in_imm) {
			insn->imm = (int32_t)distance;
		} else if (distance == (int16_t)distance) {
			insn->off = (int16_t)distance;
		} else {
			fail(as, jump->line, "label \"%.*s\" is too far away, use gotol", (int)label->len,
			     label->name);
			return -EINVAL;
		}
	}
	return 0;
}

int
asm_text(struct code *code, const char *source, struct text *why)
{
	struct assembler as = { .code = code, .why = why };
	int err = 0;

	for (const char *s = source; *s && !err;) {
		size_t len = strcspn(s, "\n");

		as.line++;
		code->span = (struct span){ .off = (uint32_t)(s - source), .len = (uint32_t)len };
		err = asm_line(&as, s, s + len);
		s += len + (s[len] == '\n');
	}
	return err ? err : resolve_jumps(&as);
}
