/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The string library in the probe half: string.sub, upper, lower, find, format, and stringof.
 *
 * A number becomes text from its last digit to its first, in scratch memory, of which the verifiers do not follow the contents:
 *
 *     |  |  |  |  |  |  |- |1 |2 |3 |\0|      `start` is where the text begins, a number hidden from them: it ends each path alike
 *                        ^ start    ^ DIGITS_END
 */
#include <string.h>

#include "codegen/lower_int.h"

#define DIGITS_END 22  /* place of the last digit: a sign and 20 digits fit before it, and the NUL behind */
#define NUMBER_SIZE 24 /* of the string: 21 bytes and the NUL */
#define START_MASK 31  /* of `start`, for the verifiers */

/* Stores the digit `reg` (0 to 15) at `off` as a character. */
static void
store_digit(struct lowering *l, struct mem digits, int32_t off, int reg, int64_t base)
{
	struct ir *ir = &l->ir;
	int letter = ir_alu_imm(ir, BPF_ADD, reg, '0');

	if (base > 10) { /* 9 - digit is negative for letters: its sign chooses what 'a' is away from '0' + 10 */
		int sign = ir_alu_imm(ir, BPF_ARSH, ir_alu(ir, BPF_SUB, ir_const(ir, 9), reg), 63);

		letter = ir_alu(ir, BPF_ADD, letter, ir_alu_imm(ir, BPF_AND, sign, 'a' - '0' - 10));
	}
	ir_store(ir, BPF_B, digits.base, digits.off + off, letter);
}

/* Writes an unsigned number; returns where its text begins. */
static int
write_digits(struct lowering *l, struct mem digits, int number, int64_t base)
{
	struct ir *ir = &l->ir;
	int rest = ir_vreg(ir), start = number_hidden(l, DIGITS_END);
	uint32_t done = ir_label(ir), n = base == 10 ? 20 : 16;

	ir_move(ir, rest, number);
	for (uint32_t i = 0; i < n; i++) {
		int next = ir_alu_imm(ir, BPF_DIV, rest, base);
		int digit = ir_alu(ir, BPF_SUB, rest, ir_alu_imm(ir, BPF_MUL, next, base));

		store_digit(l, digits, DIGITS_END - (int32_t)i, digit, base);
		ir_move(ir, rest, next);
		if (i + 1 == n)
			break;
		ir_branch_imm(ir, BPF_JEQ, rest, 0, done);
		ir_update_imm(ir, BPF_SUB, start, 1);
	}
	ir_bind(ir, done);
	return start;
}

/* Puts a minus before the text where `sign` is -1. */
static void
write_sign(struct lowering *l, struct mem digits, int start, int sign)
{
	struct ir *ir = &l->ir;
	uint32_t positive = ir_label(ir);
	int at;

	ir_branch_imm(ir, BPF_JEQ, sign, 0, positive);
	ir_update_imm(ir, BPF_SUB, start, 1);
	at = ir_alu(ir, BPF_ADD, memory_address(l, digits), ir_alu_imm(ir, BPF_AND, start, START_MASK));
	ir_store_imm(ir, BPF_B, at, 0, '-');
	ir_bind(ir, positive);
}

static struct val
number_text(struct lowering *l, int number, enum format_kind kind, int64_t base)
{
	struct ir *ir = &l->ir;
	struct mem digits = memory_scratch(l, START_MASK + 1);
	struct val val = { .kind = TYPE_STR, .present = NO_VREG, .reg = NO_VREG, .str_size = NUMBER_SIZE };
	int sign = kind == FORMAT_SIGNED ? ir_alu_imm(ir, BPF_ARSH, number, 63) : NO_VREG, start, at;

	if (sign != NO_VREG)
		number = ir_alu(ir, BPF_SUB, ir_alu(ir, BPF_XOR, number, sign), sign);
	ir_store_imm(ir, BPF_B, digits.base, digits.off + DIGITS_END + 1, 0);
	start = write_digits(l, digits, number, base);
	if (sign != NO_VREG)
		write_sign(l, digits, start, sign);
	val.mem = memory_new(l, NUMBER_SIZE);
	memory_zero(l, val.mem, NUMBER_SIZE);
	at = ir_alu(ir, BPF_ADD, memory_address(l, digits), ir_alu_imm(ir, BPF_AND, start, START_MASK));
	ir_call(ir, BPF_FUNC_probe_read_kernel_str, (int[]){ memory_address(l, val.mem), ir_const(ir, NUMBER_SIZE), at }, 3);
	return val;
}

static struct val
literal(const char *s, size_t len)
{
	return (struct val){ .kind = TYPE_STR, .present = NO_VREG, .reg = NO_VREG, .literal = s, .literal_len = (uint32_t)len,
			     .str_size = (uint32_t)round_up(len + 1, 8) };
}

/* ---- stringof ---- */

static struct val
truth_text(struct lowering *l, const struct val *truth)
{
	static const char *const texts[] = { "false", "true" };
	struct val val = { .kind = TYPE_STR, .present = NO_VREG, .reg = NO_VREG, .str_size = 8, .mem = memory_new(l, 8) };
	uint32_t no = ir_label(&l->ir), done = ir_label(&l->ir);

	ir_branch_imm(&l->ir, BPF_JEQ, val_reg(l, truth), 0, no);
	for (int i = 1; i >= 0; i--) {
		struct val text = literal(texts[i], strlen(texts[i]));

		string_store(l, val.mem, 8, &text);
		if (i) {
			ir_jump(&l->ir, done);
			ir_bind(&l->ir, no);
		}
	}
	ir_bind(&l->ir, done);
	return val;
}

/* infer_builtin.c has let only these kinds through. */
static struct val
value_text(struct lowering *l, const struct val *val)
{
	if (val->kind == TYPE_STR)
		return *val;
	if (val->kind == TYPE_EVENT)
		return lower_name_of(l, val);
	if (val->kind == TYPE_BOOL)
		return truth_text(l, val);
	return number_text(l, val_reg(l, val), FORMAT_SIGNED, 10);
}

struct val
lower_stringof(struct lowering *l, struct node *node)
{
	struct val val = lower_exp(l, node->b);

	val_require(l, &val, COUNTER_NIL_VALUE);
	return value_text(l, &val);
}

/* ---- string.format ---- */

struct joined {
	struct lowering *l;
	struct val so_far; /* kind TYPE_NIL: nothing yet */
};

static void
add_text(struct joined *text, const struct val *more)
{
	uint32_t size = text->so_far.str_size + more->str_size;

	if (text->so_far.kind == TYPE_NIL)
		text->so_far = *more;
	else
		text->so_far = string_concat(text->l, &text->so_far, more, size > STR_SIZE_MAX ? STR_SIZE_MAX : size);
}

static struct val
argument_text(struct lowering *l, const struct format_spec *spec, const struct val *val)
{
	val_require(l, val, COUNTER_NIL_VALUE);
	if (spec->letter->kind == FORMAT_STRING)
		return value_text(l, val);
	return number_text(l, val_reg(l, val), spec->letter->kind, spec->letter->base);
}

struct val
lower_format(struct lowering *l, struct node *node)
{
	const char *at = node->b->s, *end = at + node->b->len, *start;
	struct joined text = { .l = l, .so_far = val_nil() };
	struct node *arg = node->b->next;
	struct format_spec spec;
	struct val part, val;
	bool has_spec;
	size_t len;

	while (at < end) {
		start = at;
		has_spec = format_literal(&at, end, &len);
		part = literal(start, len);
		if (len)
			add_text(&text, &part);
		if (!has_spec)
			continue;
		at = format_parse(at, end, &spec, NULL);
		val = lower_exp(l, arg);
		part = argument_text(l, &spec, &val);
		add_text(&text, &part);
		arg = arg->next;
	}
	part = literal("", 0);
	return text.so_far.kind == TYPE_NIL ? part : text.so_far;
}

/* ---- net.format_ip_addr ---- */

#define IP_TEXT 16 /* "255.255.255.255" and the NUL */

/* The first byte of an address in network order is the lowest one of the number. */
struct val
lower_ip_address(struct lowering *l, struct node *node)
{
	int number = lower_number(l, node->b);
	struct ir *ir = &l->ir;
	struct val text = val_nil(), dot = literal(".", 1), part;

	for (int i = 0; i < 4; i++) {
		part = number_text(l, ir_alu_imm(ir, BPF_AND, ir_alu_imm(ir, BPF_RSH, number, 8 * i), 255), FORMAT_UNSIGNED, 10);
		if (i)
			text = string_concat(l, &text, &dot, IP_TEXT);
		text = i ? string_concat(l, &text, &part, IP_TEXT) : part;
	}
	return text;
}

/* ---- string.sub ---- */

/* A place in a text, from 1; counted from the end, if it is negative. */
static int
place_in(struct lowering *l, int place, int len)
{
	struct ir *ir = &l->ir;
	uint32_t positive = ir_label(ir);
	int result = ir_vreg(ir);

	ir_move(ir, result, place);
	ir_branch_imm(ir, BPF_JSGE, result, 0, positive);
	ir_add(ir, (struct ir_insn){ .op = IR_ALU, .sub = BPF_ADD, .dst = result, .a = result, .b = len });
	ir_update_imm(ir, BPF_ADD, result, 1);
	ir_bind(ir, positive);
	return result;
}

/* reg = other where `reg cmp other` is not so. */
static void
hold_within(struct lowering *l, uint8_t cmp, int reg, int other)
{
	uint32_t within = ir_label(&l->ir);

	ir_branch(&l->ir, cmp, reg, other, within);
	ir_move(&l->ir, reg, other);
	ir_bind(&l->ir, within);
}

struct val
lower_sub(struct lowering *l, struct node *node)
{
	struct val text = lower_exp(l, node->b), val;
	struct ir *ir = &l->ir;
	int first = lower_number(l, node->b->next), last = node->b->next->next ? lower_number(l, node->b->next->next) : ir_const(ir, -1);
	int len, n, at;
	struct mem source;

	val_require(l, &text, COUNTER_NIL_VALUE);
	len = string_len(l, &text);
	source = string_memory(l, &text);
	first = place_in(l, first, len);
	last = place_in(l, last, len);
	hold_within(l, BPF_JSGE, first, number_hidden(l, 1));
	hold_within(l, BPF_JSLE, first, ir_alu_imm(ir, BPF_ADD, len, 1)); /* or last - first might wrap */
	hold_within(l, BPF_JSLE, last, len);
	n = ir_alu_imm(ir, BPF_ADD, ir_alu(ir, BPF_SUB, last, first), 1);
	hold_within(l, BPF_JSGE, n, number_hidden(l, 0));
	val = (struct val){ .kind = TYPE_STR, .present = NO_VREG, .reg = NO_VREG, .str_size = text.str_size };
	val.mem = memory_scratch(l, STR_SIZE_MAX);
	memory_zero(l, val.mem, val.str_size);
	at = ir_alu(ir, BPF_ADD, memory_address(l, source), ir_alu_imm(ir, BPF_AND, ir_alu_imm(ir, BPF_SUB, first, 1), STR_SIZE_MAX - 1));
	ir_call(ir, BPF_FUNC_probe_read_kernel,
		(int[]){ memory_address(l, val.mem), ir_alu_imm(ir, BPF_AND, n, STR_SIZE_MAX - 1), at }, 3);
	return val;
}

/* ---- string.find ---- */

/* Leaves for `fails` where the search would begin behind the text. */
static void
begin_search(struct lowering *l, int position, struct node *init, const struct val *text, uint32_t fails)
{
	struct ir *ir = &l->ir;
	int len, first;

	if (!init) {
		ir_move(ir, position, number_hidden(l, 0));
		return;
	}
	first = lower_number(l, init);
	len = string_len(l, text);
	first = place_in(l, first, len);
	hold_within(l, BPF_JSGE, first, number_hidden(l, 1));
	ir_move(ir, position, ir_alu_imm(ir, BPF_SUB, first, 1));
	ir_branch(ir, BPF_JSGT, position, len, fails);
}

/* The place where the text begins, or nil. */
struct val
lower_find(struct lowering *l, struct node *node)
{
	struct node *wanted = node->b->next;
	struct val text = lower_exp(l, node->b), piece = literal(wanted->s, wanted->len);
	struct ir *ir = &l->ir;
	struct val val = { .kind = TYPE_INT, .reg = ir_vreg(ir), .present = ir_vreg(ir) };
	uint32_t fails = ir_label(ir), done = ir_label(ir);
	int position = ir_vreg(ir);

	val_require(l, &text, COUNTER_NIL_VALUE);
	begin_search(l, position, wanted->next, &text, fails);
	glob_find(l, &text, &piece, position, fails);
	ir_move(ir, val.reg, ir_alu_imm(ir, BPF_SUB, position, (int64_t)wanted->len - 1));
	number_set(l, val.present, 1);
	ir_jump(ir, done);
	ir_bind(ir, fails);
	number_set(l, val.present, 0);
	number_set(l, val.reg, 0);
	ir_bind(ir, done);
	return val;
}

/* ---- string.upper, string.lower ---- */

#define EACH_BYTE 0x0101010101010101ull

/*
 * Eight bytes, of which the letters from `first` on change their case. Of bytes below 128 the sums have their highest bits set where a byte is
 * `first` or more, and where it is behind the last letter; 0x20 is what capitals and small letters differ in.
 */
static int
change_case(struct lowering *l, int word, uint8_t first)
{
	struct ir *ir = &l->ir;
	int low = ir_alu(ir, BPF_AND, word, ir_const(ir, (int64_t)(EACH_BYTE * 0x7f)));
	int from = ir_alu(ir, BPF_ADD, low, ir_const(ir, (int64_t)(EACH_BYTE * (0x80u - first))));
	int behind = ir_alu(ir, BPF_ADD, low, ir_const(ir, (int64_t)(EACH_BYTE * (0x80u - first - 26))));
	int letters = ir_alu(ir, BPF_AND, ir_alu(ir, BPF_XOR, from, behind), ir_alu_imm(ir, BPF_XOR, word, -1));

	letters = ir_alu(ir, BPF_AND, letters, ir_const(ir, (int64_t)(EACH_BYTE * 0x80)));
	return ir_alu(ir, BPF_XOR, word, ir_alu_imm(ir, BPF_RSH, letters, 2));
}

/* A loop that the verifiers follow, 32 rounds at most. Behind the text all is zeros. */
struct val
lower_case(struct lowering *l, struct node *node, uint8_t first)
{
	struct val text = lower_exp(l, node->b);
	struct val val = { .kind = TYPE_STR, .present = NO_VREG, .reg = NO_VREG, .str_size = text.str_size };
	struct ir *ir = &l->ir;
	uint32_t top = ir_label(ir), done = ir_label(ir);
	int off, at, word;

	val_require(l, &text, COUNTER_NIL_VALUE);
	val.mem = memory_new(l, val.str_size);
	string_store(l, val.mem, val.str_size, &text);
	off = ir_const(ir, 0);
	ir_bind(ir, top);
	at = ir_alu(ir, BPF_ADD, memory_address(l, val.mem), off);
	word = ir_load(ir, BPF_DW, at, 0);
	ir_branch_imm(ir, BPF_JEQ, word, 0, done);
	ir_store(ir, BPF_DW, at, 0, change_case(l, word, first));
	ir_update_imm(ir, BPF_ADD, off, 8);
	ir_branch_imm(ir, BPF_JLT, off, val.str_size, top);
	ir_bind(ir, done);
	return val;
}
