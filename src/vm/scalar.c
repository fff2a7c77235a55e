/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What is known of a number at some point of a program: its known bits, and its bounds as an unsigned and as a signed number
 * of 64 and of 32 bits. Promises soundness: the result of an operation stands for at least every number that the operation
 * gives on numbers that the operands stand for (tests/unit/test_vm_scalar.c tries that on all operations).
 *
 * Constants are computed by insn_eval_alu, so there is one arithmetic. The rest is meant to know no more than the kernel's
 * verifier does (kernel/bpf/verifier.c, tnum.c): what is accepted here should be accepted there.
 */
#include <inttypes.h>
#include <string.h>

#include "vm/vm_int.h"

typedef __int128 wide; /* holds every sum, difference and signed product of two 64-bit numbers */

static uint64_t
width_mask(int width)
{
	return width == 64 ? UINT64_MAX : (1ull << width) - 1;
}

static int64_t
sign_extend(uint64_t value, int width)
{
	return (int64_t)(value << (64 - width)) >> (64 - width);
}

/* ---- known bits (Vishwanathan et al., "Sound, Precise, and Fast Abstract Interpretation with Tristate Numbers", CGO 2022) --- */

static struct bits
bits_const(uint64_t value)
{
	return (struct bits){ .value = value };
}

static struct bits
bits_make(uint64_t value, uint64_t mask)
{
	return (struct bits){ .value = value & ~mask, .mask = mask };
}

/* Numbers from min to max share the bits above the highest in which the two differ. */
static struct bits
bits_between(uint64_t min, uint64_t max)
{
	uint64_t differ = min ^ max;

	if (!differ)
		return bits_const(min);
	return bits_make(min, UINT64_MAX >> __builtin_clzll(differ));
}

/* A bit of the sum is known where both operands know it and the carry into it is the same in the least and the greatest sum. */
static struct bits
bits_add(struct bits a, struct bits b)
{
	uint64_t least = a.value + b.value, greatest = least + a.mask + b.mask;

	return bits_make(least, (least ^ greatest) | a.mask | b.mask);
}

static struct bits
bits_sub(struct bits a, struct bits b)
{
	uint64_t middle = a.value - b.value, greatest = middle + a.mask, least = middle - b.mask;

	return bits_make(middle, (least ^ greatest) | a.mask | b.mask);
}

static struct bits
bits_and(struct bits a, struct bits b)
{
	uint64_t can = (a.value | a.mask) & (b.value | b.mask), must = a.value & b.value;

	return bits_make(must, can & ~must);
}

static struct bits
bits_or(struct bits a, struct bits b)
{
	uint64_t must = a.value | b.value;

	return bits_make(must, (a.mask | b.mask) & ~must);
}

static struct bits
bits_xor(struct bits a, struct bits b)
{
	return bits_make(a.value ^ b.value, a.mask | b.mask);
}

/* Only the zeros at the low end are kept. */
static struct bits
bits_mul(struct bits a, struct bits b)
{
	uint64_t any_a = a.value | a.mask, any_b = b.value | b.mask;
	int zeros;

	if (!any_a || !any_b)
		return bits_const(0);
	zeros = __builtin_ctzll(any_a) + __builtin_ctzll(any_b);
	return zeros > 63 ? bits_const(0) : bits_make(0, UINT64_MAX << zeros);
}

/* False: the two contradict each other. */
static bool
bits_meet(struct bits *a, struct bits b)
{
	if ((a->value ^ b.value) & ~a->mask & ~b.mask)
		return false;
	*a = bits_make(a->value | b.value, a->mask & b.mask);
	return true;
}

/* ---- bounds --------------------------------------------------------------------------------------------- */

static struct range
range_full(int width)
{
	return (struct range){ .umin = 0, .umax = width_mask(width),
			       .smin = sign_extend(1ull << (width - 1), width), .smax = (int64_t)(width_mask(width) >> 1) };
}

static void
range_meet_unsigned(struct range *r, uint64_t min, uint64_t max)
{
	if (min > r->umin)
		r->umin = min;
	if (max < r->umax)
		r->umax = max;
}

static void
range_meet_signed(struct range *r, int64_t min, int64_t max)
{
	if (min > r->smin)
		r->smin = min;
	if (max < r->smax)
		r->smax = max;
}

static bool
range_is_empty(const struct range *r)
{
	return r->umin > r->umax || r->smin > r->smax;
}

/* Each view tells of the other where it does not cross the point at which the other breaks. */
static void
range_settle(struct range *r, int width)
{
	int64_t low = sign_extend(r->umin, width), high = sign_extend(r->umax, width);

	if (low <= high && (low < 0) == (high < 0))
		range_meet_signed(r, low, high);
	if (r->smin <= r->smax && (r->smin < 0) == (r->smax < 0))
		range_meet_unsigned(r, (uint64_t)r->smin & width_mask(width), (uint64_t)r->smax & width_mask(width));
}

static void
range_meet_bits(struct range *r, struct bits bits, int width)
{
	uint64_t sign = 1ull << (width - 1);

	bits = bits_make(bits.value & width_mask(width), bits.mask & width_mask(width));
	range_meet_unsigned(r, bits.value, bits.value | bits.mask);
	range_meet_signed(r, sign_extend(bits.value | (bits.mask & sign), width),
			  sign_extend(bits.value | (bits.mask & ~sign), width));
}

/* ---- the whole -------------------------------------------------------------------------------------------- */

/* The halves tell of each other: the whole of its low half where the high half is fixed, and back. */
static void
settle_halves(struct scalar *s)
{
	uint64_t high = s->r64.umin & ~(uint64_t)UINT32_MAX;

	if (high == (s->r64.umax & ~(uint64_t)UINT32_MAX)) {
		range_meet_unsigned(&s->r32, (uint32_t)s->r64.umin, (uint32_t)s->r64.umax);
		range_meet_unsigned(&s->r64, high | s->r32.umin, high | s->r32.umax);
	}
	if (s->r64.smin >= INT32_MIN && s->r64.smax <= INT32_MAX) {
		range_meet_signed(&s->r32, s->r64.smin, s->r64.smax);
		range_meet_signed(&s->r64, s->r32.smin, s->r32.smax);
	}
}

/* Lets everything that is known tell of everything else. False: there is no such number. */
static bool
scalar_settle(struct scalar *s)
{
	for (int i = 0; i < 3; i++) {
		const struct scalar before = *s;
		struct bits low;

		range_meet_bits(&s->r64, s->bits, 64);
		range_meet_bits(&s->r32, s->bits, 32);
		range_settle(&s->r64, 64);
		range_settle(&s->r32, 32);
		if (range_is_empty(&s->r64) || range_is_empty(&s->r32))
			return false;
		settle_halves(s);
		if (range_is_empty(&s->r64) || range_is_empty(&s->r32))
			return false;
		low = bits_between(s->r32.umin, s->r32.umax);
		low.mask |= ~(uint64_t)UINT32_MAX;
		if (!bits_meet(&s->bits, bits_between(s->r64.umin, s->r64.umax)) || !bits_meet(&s->bits, low))
			return false;
		if (memcmp(&before, s, sizeof(before)) == 0) /* nothing to tell any more */
			break;
	}
	return true;
}

struct scalar
scalar_unknown(void)
{
	return (struct scalar){ .bits = { .mask = UINT64_MAX }, .r64 = range_full(64), .r32 = range_full(32) };
}

struct scalar
scalar_const(uint64_t value)
{
	int64_t low = (int32_t)(uint32_t)value;

	return (struct scalar){
		.bits = bits_const(value),
		.r64 = { value, value, (int64_t)value, (int64_t)value },
		.r32 = { (uint32_t)value, (uint32_t)value, low, low },
	};
}

struct scalar
scalar_between(int64_t smin, int64_t smax)
{
	struct scalar s = scalar_unknown();

	range_meet_signed(&s.r64, smin, smax);
	scalar_settle(&s);
	return s;
}

struct scalar
scalar_loaded(uint32_t size, bool is_signed)
{
	struct scalar s = scalar_unknown();
	int width = (int)size * 8;

	if (width == 64)
		return s;
	if (is_signed)
		return scalar_between(range_full(width).smin, range_full(width).smax);
	s.bits = bits_make(0, width_mask(width));
	scalar_settle(&s);
	return s;
}

bool
scalar_is_const(const struct scalar *s)
{
	return !s->bits.mask;
}

static bool
range_covers(const struct range *r, const struct range *in)
{
	return r->umin <= in->umin && r->umax >= in->umax && r->smin <= in->smin && r->smax >= in->smax;
}

bool
scalar_covers(const struct scalar *s, const struct scalar *in)
{
	return range_covers(&s->r64, &in->r64) && range_covers(&s->r32, &in->r32) && !(in->bits.mask & ~s->bits.mask) &&
	       !((in->bits.value ^ s->bits.value) & ~s->bits.mask);
}

bool
scalar_has(const struct scalar *s, uint64_t value)
{
	struct scalar c = scalar_const(value);

	return scalar_covers(s, &c);
}

bool
scalar_meet(struct scalar *s, const struct scalar *other)
{
	range_meet_unsigned(&s->r64, other->r64.umin, other->r64.umax);
	range_meet_signed(&s->r64, other->r64.smin, other->r64.smax);
	range_meet_unsigned(&s->r32, other->r32.umin, other->r32.umax);
	range_meet_signed(&s->r32, other->r32.smin, other->r32.smax);
	return bits_meet(&s->bits, other->bits) && scalar_settle(s);
}

/* ---- arithmetic ---------------------------------------------------------------------------------------------- */

static struct bits
bits_shift(uint8_t op, struct bits a, unsigned by, int width)
{
	uint64_t mask = width_mask(width);

	if (op == BPF_LSH)
		return bits_make((a.value << by) & mask, (a.mask << by) & mask);
	if (op == BPF_RSH)
		return bits_make((a.value & mask) >> by, (a.mask & mask) >> by);
	return bits_make((uint64_t)(sign_extend(a.value, width) >> by) & mask, (uint64_t)(sign_extend(a.mask, width) >> by) & mask);
}

static struct bits
bits_alu(uint8_t op, struct bits a, struct bits b)
{
	switch (op) {
	case BPF_ADD:
		return bits_add(a, b);
	case BPF_SUB:
		return bits_sub(a, b);
	case BPF_MUL:
		return bits_mul(a, b);
	case BPF_AND:
		return bits_and(a, b);
	case BPF_OR:
		return bits_or(a, b);
	case BPF_XOR:
		return bits_xor(a, b);
	case BPF_MOV:
		return b;
	default:
		return (struct bits){ .mask = UINT64_MAX };
	}
}

/* Bounds of a result that wraps if it leaves the width: then nothing is known. */
static void
set_unsigned(struct range *r, wide min, wide max, int width)
{
	if (min >= 0 && max <= (wide)width_mask(width))
		range_meet_unsigned(r, (uint64_t)min, (uint64_t)max);
}

static void
set_signed(struct range *r, wide min, wide max, int width)
{
	struct range full = range_full(width);

	if (min >= full.smin && max <= full.smax)
		range_meet_signed(r, (int64_t)min, (int64_t)max);
}

/* Shifts by a constant below the width. */
static void
range_shift(uint8_t op, struct range *r, const struct range *a, int by, int width)
{
	if (op == BPF_LSH) {
		if (a->umax <= width_mask(width) >> by)
			range_meet_unsigned(r, a->umin << by, a->umax << by);
		set_signed(r, (wide)a->smin * ((wide)1 << by), (wide)a->smax * ((wide)1 << by), width);
	} else if (op == BPF_RSH) {
		range_meet_unsigned(r, a->umin >> by, a->umax >> by);
	} else {
		range_meet_signed(r, a->smin >> by, a->smax >> by);
	}
}

static struct range
range_alu(uint8_t op, const struct range *a, const struct range *b, int width)
{
	struct range r = range_full(width);

	switch (op) {
	case BPF_ADD:
		set_unsigned(&r, (wide)a->umin + b->umin, (wide)a->umax + b->umax, width);
		set_signed(&r, (wide)a->smin + b->smin, (wide)a->smax + b->smax, width);
		break;
	case BPF_SUB:
		set_unsigned(&r, (wide)a->umin - b->umax, (wide)a->umax - b->umin, width);
		set_signed(&r, (wide)a->smin - b->smax, (wide)a->smax - b->smin, width);
		break;
	case BPF_MUL:
		/* Of negative or large numbers the kernel keeps nothing. */
		if (a->smin >= 0 && b->smin >= 0 && a->umax <= width_mask(width / 2) && b->umax <= width_mask(width / 2))
			range_meet_unsigned(&r, a->umin * b->umin, a->umax * b->umax);
		break;
	case BPF_AND:
		range_meet_unsigned(&r, 0, a->umax < b->umax ? a->umax : b->umax);
		break;
	case BPF_OR:
		range_meet_unsigned(&r, a->umin > b->umin ? a->umin : b->umin, r.umax);
		break;
	case BPF_MOV:
		return *b;
	case BPF_LSH:
	case BPF_RSH:
	case BPF_ARSH:
		range_shift(op, &r, a, (int)b->umin, width);
		break;
	default: /* the bits say what there is to say (xor), or nothing is known (division) */
		break;
	}
	return r;
}

/* The low half of the result depends on the low halves of the operands alone. */
static bool
is_low_determined(uint8_t op)
{
	return op == BPF_ADD || op == BPF_SUB || op == BPF_MUL || op == BPF_AND || op == BPF_OR || op == BPF_XOR ||
	       op == BPF_MOV;
}

static bool
is_shift(uint8_t op)
{
	return op == BPF_LSH || op == BPF_RSH || op == BPF_ARSH;
}

/* Shift counts that are, on 64 bits, a constant below the width; of others the kernel keeps nothing. */
static bool
is_good_count(const struct range *count, int width)
{
	return count->umin == count->umax && count->umax < (uint64_t)width;
}

static struct bits
bits_result(uint8_t op, const struct scalar *dst, const struct scalar *src, int width)
{
	const struct range *count = width == 64 ? &src->r64 : &src->r32;
	struct bits bits;

	if (!is_shift(op))
		bits = bits_alu(op, dst->bits, src->bits);
	else
		bits = bits_shift(op, dst->bits, (unsigned)count->umin, width);
	return bits_make(bits.value & width_mask(width), bits.mask & width_mask(width));
}

/* (s8), (s16), (s32) before a move. */
static struct scalar
extend(const struct scalar *src, int from, int width)
{
	struct range part = range_full(from);
	const struct range *r = width == 64 ? &src->r64 : &src->r32;
	int64_t smin = part.smin, smax = part.smax;

	if (r->smin >= part.smin && r->smax <= part.smax) {
		smin = r->smin;
		smax = r->smax;
	}
	return scalar_between(smin, smax);
}

static struct scalar
cut_to_32(struct scalar s)
{
	s.bits = bits_make((uint32_t)s.bits.value, (uint32_t)s.bits.mask);
	s.r64 = range_full(64);
	scalar_settle(&s);
	return s;
}

struct scalar
scalar_alu(const struct bpf_insn *insn, const struct scalar *dst, const struct scalar *src)
{
	uint8_t op = BPF_OP(insn->code);
	bool is_64 = BPF_CLASS(insn->code) == BPF_ALU64;
	struct scalar result = scalar_unknown();
	uint64_t value;

	/* Of these the kernel keeps nothing, not even that 32 bits were cut off, or that both were constants. */
	if (op == BPF_END || op == BPF_NEG || op == BPF_DIV || op == BPF_MOD)
		return result;
	if (is_shift(op) && !is_good_count(&src->r64, is_64 ? 64 : 32))
		return result;
	if (scalar_is_const(src) && (op == BPF_MOV || scalar_is_const(dst)) &&
	    insn_eval_alu(insn, dst->bits.value, src->bits.value, &value))
		return scalar_const(value);
	if (op == BPF_MOV && insn->off)
		return is_64 ? extend(src, insn->off, 64) : cut_to_32(extend(src, insn->off, 32));
	result.bits = bits_result(op, dst, src, is_64 ? 64 : 32);
	if (is_64)
		result.r64 = range_alu(op, &dst->r64, &src->r64, 64);
	if (!is_64 || is_low_determined(op))
		result.r32 = range_alu(op, &dst->r32, &src->r32, 32);
	scalar_settle(&result);
	return result;
}

/* ---- branches -------------------------------------------------------------------------------------------------- */

static bool
is_jump32(const struct bpf_insn *insn)
{
	return BPF_CLASS(insn->code) == BPF_JMP32;
}

/* low < high surely (1), surely not (0), or perhaps (-1); `or_equal` makes it <=. */
static int
is_below(uint64_t a_min, uint64_t a_max, uint64_t b_min, uint64_t b_max, bool or_equal)
{
	if (or_equal ? a_max <= b_min : a_max < b_min)
		return 1;
	return (or_equal ? a_min > b_max : a_min >= b_max) ? 0 : -1;
}

/* Signed numbers compare as unsigned ones do once the sign bit is turned. */
static uint64_t
turned(int64_t value)
{
	return (uint64_t)value ^ (1ull << 63);
}

static int
is_below_unsigned(const struct range *a, const struct range *b, bool or_equal)
{
	return is_below(a->umin, a->umax, b->umin, b->umax, or_equal);
}

static int
is_below_signed(const struct range *a, const struct range *b, bool or_equal)
{
	return is_below(turned(a->smin), turned(a->smax), turned(b->smin), turned(b->smax), or_equal);
}

static int
is_equal(const struct range *a, const struct range *b, struct bits bits_a, struct bits bits_b)
{
	if (a->umin == a->umax && b->umin == b->umax && a->umin == b->umin)
		return 1;
	if (a->umax < b->umin || a->umin > b->umax || a->smax < b->smin || a->smin > b->smax)
		return 0;
	return bits_meet(&bits_a, bits_b) ? -1 : 0;
}

static int
has_common_bit(struct bits a, struct bits b)
{
	if (a.mask && b.mask) /* of two numbers that vary the kernel does not say */
		return -1;
	if (a.value & b.value)
		return 1;
	return (a.value | a.mask) & (b.value | b.mask) ? -1 : 0;
}

static int
negate(int answer)
{
	return answer < 0 ? answer : !answer;
}

int
scalar_branch(const struct bpf_insn *insn, const struct scalar *dst, const struct scalar *src)
{
	const struct range *a = is_jump32(insn) ? &dst->r32 : &dst->r64, *b = is_jump32(insn) ? &src->r32 : &src->r64;
	uint64_t mask = width_mask(is_jump32(insn) ? 32 : 64);
	struct bits bits_a = { dst->bits.value & mask, dst->bits.mask & mask };
	struct bits bits_b = { src->bits.value & mask, src->bits.mask & mask };

	if (!bits_a.mask && !bits_b.mask)
		return insn_eval_jump(insn, bits_a.value, bits_b.value);
	switch (BPF_OP(insn->code)) {
	case BPF_JEQ:
		return is_equal(a, b, bits_a, bits_b);
	case BPF_JNE:
		return negate(is_equal(a, b, bits_a, bits_b));
	case BPF_JSET:
		return has_common_bit(bits_a, bits_b);
	case BPF_JGT:
		return is_below_unsigned(b, a, false);
	case BPF_JGE:
		return is_below_unsigned(b, a, true);
	case BPF_JLT:
		return is_below_unsigned(a, b, false);
	case BPF_JLE:
		return is_below_unsigned(a, b, true);
	case BPF_JSGT:
		return is_below_signed(b, a, false);
	case BPF_JSGE:
		return is_below_signed(b, a, true);
	case BPF_JSLT:
		return is_below_signed(a, b, false);
	case BPF_JSLE:
		return is_below_signed(a, b, true);
	default:
		return -1;
	}
}

/* a < b or a <= b holds. False: it cannot. */
static bool
refine_unsigned(struct range *a, struct range *b, bool or_equal)
{
	uint64_t one = or_equal ? 0 : 1;

	if (b->umax < one || a->umin > UINT64_MAX - one)
		return false;
	range_meet_unsigned(a, 0, b->umax - one);
	range_meet_unsigned(b, a->umin + one, UINT64_MAX);
	return true;
}

static bool
refine_signed(struct range *a, struct range *b, bool or_equal)
{
	int64_t one = or_equal ? 0 : 1;

	if (b->smax < INT64_MIN + one || a->smin > INT64_MAX - one)
		return false;
	range_meet_signed(a, INT64_MIN, b->smax - one);
	range_meet_signed(b, a->smin + one, INT64_MAX);
	return true;
}

static bool
refine_equal(struct scalar *dst, struct scalar *src, struct range *a, struct range *b, uint64_t mask)
{
	struct bits low_a = { dst->bits.value & mask, dst->bits.mask | ~mask };
	struct bits low_b = { src->bits.value & mask, src->bits.mask | ~mask };

	range_meet_unsigned(a, b->umin, b->umax);
	range_meet_signed(a, b->smin, b->smax);
	range_meet_unsigned(b, a->umin, a->umax);
	range_meet_signed(b, a->smin, a->smax);
	return bits_meet(&dst->bits, low_b) && bits_meet(&src->bits, low_a);
}

/* A constant that is not the number moves a bound that it stands on. */
static bool
refine_not(struct range *a, const struct range *c)
{
	if (c->umin != c->umax)
		return true;
	if (a->umin == a->umax && a->umin == c->umin)
		return false;
	if (a->umin == c->umin)
		a->umin++;
	else if (a->umax == c->umin)
		a->umax--;
	if (c->smin != c->smax || a->smin == a->smax)
		return true;
	if (a->smin == c->smin)
		a->smin++;
	else if (a->smax == c->smin)
		a->smax--;
	return true;
}

/* dst & constant is not 0 (set) or is 0. Only a constant tells anything, and not 0 only where it has one bit. */
static bool
refine_bits(struct bits *dst, uint64_t constant, bool set)
{
	if (!set)
		return bits_meet(dst, bits_make(0, ~constant));
	if (constant && !(constant & (constant - 1)))
		return bits_meet(dst, bits_make(constant, ~constant));
	return true;
}

bool
scalar_refine(const struct bpf_insn *insn, bool taken, struct scalar *dst, struct scalar *src)
{
	struct range *a = is_jump32(insn) ? &dst->r32 : &dst->r64, *b = is_jump32(insn) ? &src->r32 : &src->r64;
	uint64_t mask = width_mask(is_jump32(insn) ? 32 : 64);
	bool ok = true;

	switch (BPF_OP(insn->code)) {
	case BPF_JEQ:
	case BPF_JNE:
		if (taken == (BPF_OP(insn->code) == BPF_JEQ))
			ok = refine_equal(dst, src, a, b, mask);
		else
			ok = refine_not(a, b) && refine_not(b, a);
		break;
	case BPF_JSET:
		if (!(src->bits.mask & mask))
			ok = refine_bits(&dst->bits, src->bits.value & mask, taken);
		break;
	case BPF_JGT:
		ok = taken ? refine_unsigned(b, a, false) : refine_unsigned(a, b, true);
		break;
	case BPF_JGE:
		ok = taken ? refine_unsigned(b, a, true) : refine_unsigned(a, b, false);
		break;
	case BPF_JLT:
		ok = taken ? refine_unsigned(a, b, false) : refine_unsigned(b, a, true);
		break;
	case BPF_JLE:
		ok = taken ? refine_unsigned(a, b, true) : refine_unsigned(b, a, false);
		break;
	case BPF_JSGT:
		ok = taken ? refine_signed(b, a, false) : refine_signed(a, b, true);
		break;
	case BPF_JSGE:
		ok = taken ? refine_signed(b, a, true) : refine_signed(a, b, false);
		break;
	case BPF_JSLT:
		ok = taken ? refine_signed(a, b, false) : refine_signed(b, a, true);
		break;
	case BPF_JSLE:
		ok = taken ? refine_signed(a, b, true) : refine_signed(b, a, false);
		break;
	default:
		break;
	}
	return ok && scalar_settle(dst) && scalar_settle(src);
}

/* ---- text --------------------------------------------------------------------------------------------------------- */

void
scalar_print(const struct scalar *s, struct text *out)
{
	struct range full = range_full(64);
	bool has_s = s->r64.smin != full.smin || s->r64.smax != full.smax;
	bool has_u = s->r64.umin != full.umin || s->r64.umax != full.umax;
	struct bits shown = bits_between(s->r64.umin, s->r64.umax);

	if (scalar_is_const(s)) {
		text_printf(out, "%" PRId64, (int64_t)s->bits.value);
		return;
	}
	if (has_s)
		text_printf(out, "%" PRId64 " to %" PRId64, s->r64.smin, s->r64.smax);
	else if (has_u)
		text_printf(out, "%" PRIu64 " to %" PRIu64, s->r64.umin, s->r64.umax);
	else
		text_puts(out, "any number");
	if (has_s && has_u && (s->r64.smin < 0 || (uint64_t)s->r64.smax != s->r64.umax))
		text_printf(out, " (unsigned %" PRIu64 " to %" PRIu64 ")", s->r64.umin, s->r64.umax);
	if (s->bits.mask != shown.mask)
		text_printf(out, ", bits 0x%" PRIx64 " unknown", s->bits.mask);
	full = range_full(32);
	if (!has_s && !has_u && (s->r32.umin != full.umin || s->r32.umax != full.umax))
		text_printf(out, ", low half %" PRIu64 " to %" PRIu64, s->r32.umin, s->r32.umax);
}
