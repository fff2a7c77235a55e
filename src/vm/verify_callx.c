/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The verifier's judgement of calls by a register, callx. Paths are followed one by one, so on each of them a register holds one thing:
 *
 *      r2 = function 1 ll                    r2 = function 1 ll, or function 2       r2 = 5
 *      callx r2                              callx r2                                callx r2
 *      is followed into function 1           is followed into each, on its path      is a call of helper 5
 *
 * Where the function comes from a table of constants (`ops[i](x)`), the path forks at the load into one for each that can be there. What is in
 * the register is judged as a call that names it. Addresses are compared whenever states are, and a number that is called is relied on
 * (verify_precise.c): pruning never takes one callee for another.
 *
 * The rules are those of Linux 7.4, the first that knows callx: a static function, by its address, and no tail calls in it. Helpers by
 * their numbers, which the public suite bpf_conformance calls and clang without optimisation writes, are ours.
 */
#include <errno.h>
#include <string.h>

#include "vm/vm_int.h"

/* ---- what is called ------------------------------------------------------------------------------------------------ */

static bool
call_by_address(struct verifier *v, uint32_t regno)
{
	const struct func *callee = v->object->funcs[frame_top(v)->regs[regno].index];
	struct func_info *caller = func_info_of(v, frame_top(v)->func), *info = func_info_of(v, callee);

	if (!info)
		return false;
	if (callee->is_global) /* from a table; bad_wide looks at addresses */
		return refuse(v, -EINVAL, "calls the global function \"%s\" by its address; one that is called so must be static (a rule of the kernel)", callee->name);
	call_edge_add(v, caller, info);
	if (!enter_function(v, callee))
		return false;
	frame_top(v)->by_register = true;
	return true;
}

/* What takes the place of the program, or calls it back, is an instruction of its own to all who look at a program. */
static bool
is_more_than_a_call(const struct helper *helper)
{
	return helper->number == BPF_FUNC_tail_call || helper_callback(helper);
}

static bool
call_by_number(struct verifier *v, uint32_t regno)
{
	const struct scalar *s = &frame_top(v)->regs[regno].s;
	const struct bpf_insn call = insn_call((int32_t)s->bits.value);
	const struct helper *helper = helper_find(call.imm);

	rely_on(v, loc_top(v, regno), LOC_NONE);
	if (helper && is_more_than_a_call(helper))
		return refuse(v, -EINVAL, "calls %s by a register; write the call with its number", helper->name);
	if (!check_helper_call(v, &call))
		return false;
	v->state.pc++;
	return true;
}

bool
check_callx(struct verifier *v, const struct bpf_insn *insn)
{
	const struct reg *reg = reg_read(v, insn->dst_reg);

	if (!reg)
		return false;
	if (reg->kind == REG_FUNC)
		return call_by_address(v, insn->dst_reg);
	if (reg->kind == REG_SCALAR && scalar_is_const(&reg->s) && reg->s.bits.value <= INT32_MAX)
		return call_by_number(v, insn->dst_reg);
	return refuse_reg(v, insn->dst_reg, "calls by a register that holds neither the address of a function nor a known number of a helper; "
			  CALLX_HINT);
}

/* ---- where addresses come from --------------------------------------------------------------------------------------- */

/* A load that can give one of more is not looked through: that is no table of functions that a program has use for. */
#define SPAN_MAX  4096 /* bytes */
#define FOUND_MAX 256

/* What a load can give: functions, and, from other places in the table, a number. */
struct found {
	uint32_t funcs[FOUND_MAX];
	uint32_t n;
	bool has_number, is_known; /* known: it is the same wherever it stands */
	uint64_t number;
};

static const struct held *
function_at(const struct table *table, uint32_t off)
{
	uint32_t low = 0, high = table->n_held;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (table->held[mid].key < off)
			low = mid + 1;
		else
			high = mid;
	}
	return low < table->n_held && table->held[low].key == off ? &table->held[low] : NULL;
}

/* Adds what stands at a byte of the table. False: too many functions. */
static bool
find_at(struct found *found, const struct table *table, uint32_t off)
{
	const struct held *held = function_at(table, off);
	uint64_t number;

	for (uint32_t i = 0; held && i < found->n; i++)
		if (found->funcs[i] == held->index)
			return true;
	if (held && found->n == FOUND_MAX)
		return false;
	if (held) {
		found->funcs[found->n++] = held->index;
		return true;
	}
	memcpy(&number, (const uint8_t *)table->init + off, sizeof(number));
	found->is_known = !found->has_number || (found->is_known && found->number == number);
	found->has_number = true;
	found->number = number;
	return true;
}

/* False: what a load at base + off gives is any number, as far as anybody cares. */
static bool
find_all(struct verifier *v, const struct reg *base, int16_t off, struct found *found)
{
	const struct table *table = reg_table(v, base->index);
	int64_t zero = (int64_t)base->off + off, from = zero + base->s.r64.smin, to = zero + base->s.r64.smax;

	if (to - from > SPAN_MAX)
		return false;
	v->n_followed += (uint64_t)(to - from);
	for (int64_t at = from; at <= to; at++)
		if (scalar_has(&base->s, (uint64_t)(at - zero)) && !find_at(found, table, (uint32_t)at))
			return false;
	return true;
}

bool
load_of_functions(struct verifier *v, const struct bpf_insn *insn, const struct reg *base)
{
	struct reg *dst = reg_write(v, insn->dst_reg);
	struct found found;

	found.n = 0;
	found.has_number = found.is_known = false;
	found.number = 0;
	trail_define(v, loc_top(v, insn->dst_reg), LOC_NONE, LOC_NONE); /* which there can be rests on an address, and those are always compared */
	if (!find_all(v, base, insn->off, &found)) {
		reg_set_scalar(dst, scalar_unknown());
		return true;
	}
	for (uint32_t i = 0; i < found.n; i++) {
		*dst = (struct reg){ .kind = REG_FUNC, .index = found.funcs[i], .s = scalar_const(0) };
		if ((i + 1 < found.n || found.has_number) && !state_push(v, v->state.pc))
			return false;
	}
	if (found.has_number)
		reg_set_scalar(dst, found.is_known ? scalar_const(found.number) : scalar_unknown());
	return true;
}
