/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The verifier's judgement of calls by a register, callx. Paths are followed one by one, so on each of them a register holds one thing:
 *
 *      r2 = function 1 ll                    r2 = function 1 ll, or function 2       r2 = 5
 *      callx r2                              callx r2                                callx r2
 *      is followed into function 1           is followed into each, on its path      is a call of helper 5
 *
 * and what is in it is judged as a call that names it. Addresses are compared whenever states are, and a number that is called is relied on
 * (verify_precise.c): pruning never takes one callee for another.
 *
 * The rules are those of Linux 7.4, the first that knows callx: a static function, by its own address, and no tail calls in it. Helpers by
 * their numbers, which the public suite bpf_conformance calls and clang without optimisation writes, are ours.
 */
#include <errno.h>

#include "vm/vm_int.h"

static bool
call_by_address(struct verifier *v, uint32_t regno)
{
	const struct func *callee = v->object->funcs[frame_top(v)->regs[regno].index];
	struct func_info *caller = func_info_of(v, frame_top(v)->func), *info = func_info_of(v, callee);

	if (!info)
		return false;
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
	return refuse_reg(v, insn->dst_reg, "calls by a register that holds neither the address of a function nor a known number of a helper");
}
