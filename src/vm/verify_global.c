/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The verifier's judgement of global functions (ebpf.h, struct func). A call is checked against what the function's type says, and gives any
 * number; the function is followed once by itself, with any arguments of its type, when the paths of the program have been. So
 * neither rests on what the other happens to do, and many calls cost no more than one.
 *
 * The rules are the kernel's: memory that is handed over must be there whole, to be read and written; afterwards anything may be in it.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "vm/vm_int.h"

static bool
is_program_context(const struct verifier *v, const struct reg *reg)
{
	uint32_t context = signature_context(v->signature);

	if (reg->kind == REG_CTX)
		return reg->index == context;
	return (reg->kind == REG_MEM || reg->kind == REG_RDONLY) && reg->index == context && reg->off == 0 && scalar_is_const(&reg->s) &&
	       reg->s.bits.value == 0;
}

/* ---- alignment: of memory that is handed over, only who calls knows where it begins, only who is called whether it matters ------------------ */

/* Argument `from` of a function is argument `to` of another that it calls. */
struct handed_on {
	struct handed_on *next;
	struct func_info *callee;
	uint32_t from, to;
};

/* Bits that may be set in the address of an argument, on some path that led here. Ends, since it goes on only with bits that are new. */
static bool
add_low_bits(struct verifier *v, struct func_info *info, uint32_t arg, uint8_t bits)
{
	if (!(bits & ~info->low_bits[arg]))
		return true;
	info->low_bits[arg] |= bits;
	if (info->low_bits[arg] & info->zero_bits[arg])
		return refuse(v, -EACCES, "hands over memory at no multiple of %d to global function \"%s\", which does an atomic operation there",
			      info->zero_bits[arg] + 1, info->func->name ? info->func->name : "?");
	for (const struct handed_on *on = info->handed_on; on; on = on->next)
		if (on->from == arg && !add_low_bits(v, on->callee, on->to, bits))
			return false;
	return true;
}

static void
note_handed_on(struct verifier *v, struct func_info *info, uint32_t from, struct func_info *callee, uint32_t to)
{
	struct handed_on *on = info->handed_on;

	while (on && (on->callee != callee || on->from != from || on->to != to))
		on = on->next;
	if (on)
		return;
	on = arena_alloc(v->arena, sizeof(*on));
	*on = (struct handed_on){ .next = info->handed_on, .callee = callee, .from = from, .to = to };
	info->handed_on = on;
}

/* The address in a register is handed over. */
static bool
note_alignment(struct verifier *v, uint32_t regno, struct func_info *callee)
{
	const struct reg *reg = &frame_top(v)->regs[regno];
	struct func_info *own = func_info_seen(v, v->entry);
	uint8_t bits = address_low_bits(reg);

	if (reg->kind == REG_PASSED) {
		note_handed_on(v, own, reg->index, callee, regno - 1);
		bits |= own->low_bits[reg->index];
	}
	return add_low_bits(v, callee, regno - 1, bits);
}

bool
check_passed_alignment(struct verifier *v, uint32_t regno, uint32_t size)
{
	const struct reg *reg = &frame_top(v)->regs[regno];
	struct func_info *own = func_info_seen(v, v->entry);

	own->zero_bits[reg->index] |= (uint8_t)(size - 1);
	if (own->low_bits[reg->index] & (size - 1))
		return refuse_reg(v, (int)regno, "an atomic operation in memory that is handed over at no multiple of %" PRIu32, size);
	return true;
}

/* ---- calls ------------------------------------------------------------------------------------------------------------------ */

/* The address is that of memory, or, where that will do, null or perhaps null. */
static bool
check_passed_memory(struct verifier *v, uint32_t regno, const struct func_arg *arg, struct func_info *callee)
{
	struct reg *reg = &frame_top(v)->regs[regno], saved = *reg;
	bool writes = !arg->read_only || (reg->kind != REG_RDONLY && reg->kind != REG_PASSED_RDONLY), ok;

	if (reg->kind == REG_SCALAR && scalar_is_const(&reg->s) && !reg->s.bits.value && arg->nullable) {
		rely_on(v, loc_top(v, regno), LOC_NONE);
		return true;
	}
	if (reg->nullable && !arg->nullable)
		return refuse_reg(v, (int)regno, "argument %" PRIu32 " of the global function may not be null; compare it with 0 first", regno);
	reg->nullable = false;
	ok = check_helper_memory(v, regno, arg->size, writes, false);
	reg->nullable = saved.nullable;
	return ok && note_alignment(v, regno, callee);
}

static bool
check_argument(struct verifier *v, uint32_t regno, const struct func_arg *arg, struct func_info *callee)
{
	const struct reg *reg = reg_read(v, regno);

	if (!reg)
		return false;
	switch (arg->kind) {
	case FUNC_ARG_NUMBER:
		return reg->kind == REG_SCALAR || refuse_reg(v, (int)regno, "argument %" PRIu32 " of the global function must be a number", regno);
	case FUNC_ARG_CONTEXT:
		return is_program_context(v, reg) ||
		       refuse_reg(v, (int)regno, "argument %" PRIu32 " of the global function must be the context of the program", regno);
	case FUNC_ARG_MEMORY:
		return check_passed_memory(v, regno, arg, callee);
	case FUNC_ARG_UNKNOWN:
		return refuse(v, -EINVAL, "calls a global function that takes what has no size, in argument %" PRIu32 "; make the function static", regno);
	case FUNC_ARG_NONE:
		break;
	}
	return true;
}

bool
call_global(struct verifier *v, const struct func *callee)
{
	struct func_info *info = func_info_of(v, callee);

	if (!info || !check_no_lock(v, "calls a global function"))
		return false;
	if (!callee->returns_number)
		return refuse(v, -EINVAL, "calls a global function that returns no number; make the function static");
	for (uint32_t i = 0; i < FUNC_ARGS_MAX; i++)
		if (callee->args[i].kind != FUNC_ARG_NONE && !check_argument(v, i + 1, &callee->args[i], info))
			return false;
	info->is_called = true;
	for (uint32_t regno = 0; regno <= 5; regno++)
		*reg_write(v, regno) = (struct reg){ .kind = REG_UNSET };
	trail_define(v, loc_top(v, 0), LOC_NONE, LOC_NONE);
	reg_set_scalar(reg_write(v, 0), scalar_unknown());
	v->state.pc++;
	return true;
}

/* The context as the program got it. */
static void
set_context(const struct verifier *v, struct reg *reg)
{
	uint32_t context = signature_context(v->signature);

	if (context == ARRAY_SIZE(v->signature->args))
		return;
	*reg = (struct reg){ .index = context, .size = v->signature->args[context].size, .s = scalar_const(0) };
	if (v->signature->args[context].kind == VM_ARG_MEM)
		reg->kind = REG_MEM;
	else
		reg->kind = reg->size ? REG_RDONLY : REG_CTX;
}

void
set_global_arguments(struct verifier *v, const struct func *func)
{
	for (uint32_t i = 0; i < FUNC_ARGS_MAX; i++) {
		const struct func_arg *arg = &func->args[i];
		struct reg *reg = &v->state.frames[0]->regs[i + 1];

		if (arg->kind == FUNC_ARG_NUMBER)
			reg_set_scalar(reg, scalar_unknown());
		else if (arg->kind == FUNC_ARG_CONTEXT)
			set_context(v, reg);
		else if (arg->kind == FUNC_ARG_MEMORY)
			*reg = (struct reg){ .kind = arg->read_only ? REG_PASSED_RDONLY : REG_PASSED, .index = i, .size = arg->size, .nullable = arg->nullable,
					     .id = arg->nullable ? ++v->last_id : 0, .s = scalar_const(0) };
	}
}
