/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * s ~ "pattern" in the probe half: a shell's pattern, as glob_match (base) has it, unfolded into comparisons; and the search for a text, which
 * is a piece of such a pattern.
 *
 * The pattern's stars cut it into pieces. The first piece stands at the text's start and the last one at its end, unless a star is
 * there; one between stars is looked for from where the one before it ended, and the first place where it fits will do. Where a piece
 * was found is hidden from the verifiers, which else would follow each place on its own.
 */
#include <string.h>

#include "codegen/lower_int.h"

#define TEXT_ROOM (2 * STR_SIZE_MAX) /* a place below 256, and a piece from there */

struct glob {
	struct lowering *l;
	struct mem text;
	const struct val *val;
	uint32_t fails;
};

/* The end of the piece that begins at `at`: a star or the pattern's end. *n: how many bytes of text it takes. */
static const char *
piece_end(const char *at, uint32_t *n)
{
	for (*n = 0; *at && *at != '*'; ++*n) {
		if (*at == '[' && strchr(at + 2, ']'))
			at = strchr(at + (at[1] == '!' ? 3 : 2), ']') + 1;
		else
			at += *at == '\\' && at[1] ? 2 : 1;
	}
	return at;
}

/* [a-z_] or [!a-z_]: `at` stands behind the bracket. Returns where the pattern goes on. */
static const char *
match_class(struct glob *glob, const char *at, int byte, uint32_t mismatch)
{
	struct ir *ir = &glob->l->ir;
	uint32_t fits = ir_label(ir), done = ir_label(ir);
	bool negated = *at == '!';

	at += negated;
	do {
		uint32_t other = ir_label(ir);
		uint8_t first = (uint8_t)*at, last = first;

		if (at[1] == '-' && at[2] && at[2] != ']')
			last = (uint8_t)*(at += 2);
		at++;
		ir_branch_imm(ir, BPF_JLT, byte, first, other);
		ir_branch_imm(ir, BPF_JLE, byte, last, fits);
		ir_bind(ir, other);
	} while (*at && *at != ']');
	ir_jump(ir, negated ? done : mismatch);
	ir_bind(ir, fits);
	if (negated)
		ir_jump(ir, mismatch);
	ir_bind(ir, done);
	return at + 1;
}

/* Compares a piece with the bytes from `place` on; jumps to `mismatch`. */
static void
match_piece(struct glob *glob, const char *at, const char *end, int place, uint32_t mismatch)
{
	struct ir *ir = &glob->l->ir;

	for (int32_t off = 0; at < end; off++) {
		int byte = ir_load(ir, BPF_B, place, off);

		if (*at == '?') {
			ir_branch_imm(ir, BPF_JEQ, byte, 0, mismatch);
			at++;
		} else if (*at == '[' && strchr(at + 2, ']')) {
			ir_branch_imm(ir, BPF_JEQ, byte, 0, mismatch);
			at = match_class(glob, at + 1, byte, mismatch);
		} else {
			at += *at == '\\' && at[1];
			ir_branch_imm(ir, BPF_JNE, byte, (uint8_t)*at++, mismatch);
		}
	}
}

static int
place_of(struct glob *glob, int position)
{
	struct ir *ir = &glob->l->ir;

	return ir_alu(ir, BPF_ADD, memory_address(glob->l, glob->text), ir_alu_imm(ir, BPF_AND, position, STR_SIZE_MAX - 1));
}

/* Moves `position` behind the first place from there on where the piece fits. */
static void
find_piece(struct glob *glob, const char *at, const char *end, uint32_t n, int position)
{
	struct ir *ir = &glob->l->ir;
	uint32_t top = ir_label(ir), next = ir_label(ir), found = ir_label(ir);
	int rounds = ir_const(ir, 0), place;

	ir_bind(ir, top);
	ir_branch_imm(ir, BPF_JGE, rounds, glob->val->str_size, glob->fails);
	ir_update_imm(ir, BPF_ADD, rounds, 1);
	place = place_of(glob, position);
	match_piece(glob, at, end, place, next);
	ir_jump(ir, found);
	ir_bind(ir, next);
	ir_branch_imm(ir, BPF_JEQ, ir_load(ir, BPF_B, place_of(glob, position), 0), 0, glob->fails);
	ir_update_imm(ir, BPF_ADD, position, 1);
	ir_jump(ir, top);
	ir_bind(ir, found);
	ir_update_imm(ir, BPF_ADD, position, n);
}

/* The piece must end where the text does, and begin no earlier than `position`. */
static void
match_last(struct glob *glob, const char *at, const char *end, uint32_t n, int position)
{
	struct ir *ir = &glob->l->ir;
	int start = ir_alu_imm(ir, BPF_SUB, string_len(glob->l, glob->val), n);

	ir_branch(ir, BPF_JSLT, start, position, glob->fails);
	match_piece(glob, at, end, place_of(glob, start), glob->fails);
}

/* Falls through when the text fits the pattern. */
static void
match(struct glob *glob, const char *pattern)
{
	struct ir *ir = &glob->l->ir;
	int position = ir_vreg(ir);
	uint32_t n;
	const char *end = piece_end(pattern, &n);

	match_piece(glob, pattern, end, memory_address(glob->l, glob->text), glob->fails);
	if (!*end) { /* no star: that was all there may be */
		ir_branch_imm(ir, BPF_JNE, ir_load(ir, BPF_B, glob->text.base, glob->text.off + (int32_t)n), 0, glob->fails);
		return;
	}
	ir_move(ir, position, number_hidden(glob->l, n));
	for (pattern = end; *pattern; pattern = end) {
		pattern += strspn(pattern, "*");
		end = piece_end(pattern, &n);
		if (n && *end)
			find_piece(glob, pattern, end, n, position);
		else if (n)
			match_last(glob, pattern, end, n, position);
	}
}

void
lower_glob(struct lowering *l, struct node *node, uint32_t target, bool when)
{
	struct val val = lower_exp(l, node->a);
	uint32_t through = ir_label(&l->ir);
	struct glob glob = { .l = l, .val = &val, .fails = when ? through : target };

	val_require(l, &val, COUNTER_NIL_VALUE);
	val = lower_name_of(l, &val);
	if (val.kind != TYPE_STR)
		return; /* nil: the handler has ended */
	glob.text = memory_scratch(l, TEXT_ROOM);
	string_store(l, glob.text, (uint32_t)round_up(val.str_size, 8), &val);
	match(&glob, node->b->s);
	if (when)
		ir_jump(&l->ir, target);
	ir_bind(&l->ir, through);
}

/* The text as a pattern that only it fits. */
static const char *
quoted(struct arena *arena, const struct val *text)
{
	char *pattern = arena_alloc(arena, 2 * text->literal_len + 1);

	for (uint32_t i = 0; i < text->literal_len; i++) {
		pattern[2 * i] = '\\';
		pattern[2 * i + 1] = text->literal[i];
	}
	return pattern;
}

void
glob_find(struct lowering *l, const struct val *val, const struct val *literal, int position, uint32_t fails)
{
	struct glob glob = { .l = l, .val = val, .text = memory_scratch(l, TEXT_ROOM), .fails = fails };
	const char *pattern = quoted(l->arena, literal);

	if (literal->literal_len >= val->str_size || memchr(literal->literal, 0, literal->literal_len)) {
		ir_jump(&l->ir, fails);
		return;
	}
	string_store(l, glob.text, (uint32_t)round_up(val->str_size, 8), val);
	find_piece(&glob, pattern, pattern + 2 * literal->literal_len, literal->literal_len, position);
}
