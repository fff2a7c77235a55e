/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The verifier's judgement of locks: four bytes in the value of a table that spin_lock takes and spin_unlock gives back. A program holds
 * one at a time, for a stretch of instructions that ends on every path, and calls no helper meanwhile: whoever waits for it waits for
 * a moment. Nothing but these two helpers touches the bytes.
 *
 * Which lock it is, is known by the table and by the id of the value: what a lookup returned keeps its id (verify.c), and two lookups
 * have two, though they may find the same entry. So has each value that for_each_map_elem gives to a function; the kernel's, up to 6.18, have none,
 * and it takes the lock of one for that of another.
 */
#include <errno.h>
#include <inttypes.h>

#include "vm/lock.h"
#include "vm/vm_int.h"

static const struct table *
locked_table(const struct verifier *v, const struct reg *reg)
{
	const struct table *table = reg->kind == REG_VALUE ? reg_table(v, reg->index) : NULL;

	return table && table->has_lock ? table : NULL;
}

static bool
take(struct verifier *v, uint32_t regno)
{
	const struct reg *reg = &frame_top(v)->regs[regno];

	if (v->state.lock.held)
		return refuse_reg(v, (int)regno, "takes a lock while it holds one; a program may hold one at a time");
	v->state.lock = (struct held_lock){ .held = true, .table = reg->index, .id = reg->id };
	return true;
}

static bool
give(struct verifier *v, uint32_t regno)
{
	const struct reg *reg = &frame_top(v)->regs[regno];

	if (!v->state.lock.held)
		return refuse_reg(v, (int)regno, "gives back a lock that it does not hold");
	if (v->state.lock.table != reg->index || v->state.lock.id != reg->id)
		return refuse_reg(v, (int)regno, "gives back another lock than it holds");
	v->state.lock = (struct held_lock){ .held = false };
	return true;
}

bool
check_lock_arg(struct verifier *v, uint32_t regno, const struct helper *helper)
{
	const struct reg *reg = &frame_top(v)->regs[regno];
	const struct table *table = locked_table(v, reg);

	if (!table)
		return refuse_reg(v, (int)regno, "argument 1 of %s: must be the lock in a value of a table, a struct bpf_spin_lock by its BTF", helper->name);
	if (reg->nullable)
		return refuse_reg(v, (int)regno, "argument 1 of %s: the value may be null; compare it with 0 first", helper->name);
	if (!scalar_is_const(&reg->s) || (int64_t)reg->s.bits.value + reg->off != (int64_t)table->lock_off)
		return refuse_reg(v, (int)regno, "argument 1 of %s: the lock of these values is at offset %" PRIu32, helper->name, table->lock_off);
	return helper->number == BPF_FUNC_spin_lock ? take(v, regno) : give(v, regno);
}

bool
check_no_lock(struct verifier *v, const char *what)
{
	return !v->state.lock.held || refuse(v, -EACCES, "%s while a lock of table \"%s\" is held; call spin_unlock first", what,
					     reg_table_name(v, v->state.lock.table));
}

bool
check_beside_lock(struct verifier *v, uint32_t regno, int64_t from, int64_t to)
{
	const struct table *table = locked_table(v, &frame_top(v)->regs[regno]);

	if (!table || to <= (int64_t)table->lock_off || from >= (int64_t)table->lock_off + (int64_t)sizeof(struct lock))
		return true;
	return refuse_reg(v, (int)regno, "may touch the lock at offset %" PRIu32 " of the value, which is for spin_lock and spin_unlock alone",
			  table->lock_off);
}
