/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The verifier's judgement of dynptrs: 16 bytes of stack that describe memory whose size is known at run time only. A helper makes one
 * in two slots of the stack; programs hand it to helpers and never look into it. The slots hold halves of one id, so that a dynptr of
 * which half was overwritten, or two halves of different ones, are none.
 *
 *     slot at r10 - 16   REG_DYNPTR, index 0, id n, ref of the record if there is one
 *     slot at r10 - 8    REG_DYNPTR, index 1, id n, the same ref
 *
 * Addresses of that memory (REG_DATA, slices) go with the record; where there is none, their ref is n, and they go when a part of the dynptr is
 * written over, as in the kernel.
 */
#include <errno.h>
#include <inttypes.h>

#include "vm/vm_int.h"

#define DYNPTR_SIZE 16

/* The two slots at the address in a register, and the frame that they are in. False: refused. */
static bool
find_slots(struct verifier *v, uint32_t regno, struct slot *slots[2], uint32_t *frame)
{
	const struct reg *reg = reg_read(v, regno);
	uint32_t first;

	if (!reg)
		return false;
	if (reg->kind != REG_STACK)
		return refuse_reg(v, (int)regno, "a dynptr lies in the stack");
	if (!scalar_is_const(&reg->s) || reg->s.bits.value || reg->off % 8 || reg->off < -VM_STACK_SIZE || reg->off > -DYNPTR_SIZE)
		return refuse_reg(v, (int)regno, "a dynptr takes 16 bytes of the stack, at a constant offset that is a multiple of 8");
	*frame = reg->index;
	first = (uint32_t)(-reg->off / 8) - 1;
	for (uint32_t i = 0; i < 2; i++)
		slots[i] = &v->state.frames[*frame]->slots[first - i];
	return true;
}

static uint32_t
slot_number(const struct verifier *v, uint32_t frame, const struct slot *slot)
{
	return (uint32_t)(slot - v->state.frames[frame]->slots);
}

static bool
is_half(const struct verifier *v, uint32_t frame, const struct slot *slot, uint32_t half)
{
	return slot_number(v, frame, slot) < v->state.frames[frame]->n_slots && slot->spilled && slot->reg.kind == REG_DYNPTR &&
	       slot->reg.index == half;
}

const struct reg *
dynptr_at(struct verifier *v, uint32_t regno)
{
	struct slot *slots[2];
	uint32_t frame;

	if (!find_slots(v, regno, slots, &frame))
		return NULL;
	for (uint32_t i = 0; i < 2; i++)
		mark_slot_read(v, frame, slot_number(v, frame, slots[i]));
	if (!is_half(v, frame, slots[0], 0) || !is_half(v, frame, slots[1], 1) || slots[0]->reg.id != slots[1]->reg.id) {
		refuse_reg(v, (int)regno, "there is no dynptr here");
		return NULL;
	}
	return &slots[0]->reg;
}

bool
dynptr_make(struct verifier *v, uint32_t regno, uint32_t ref, uint8_t low_bits)
{
	struct slot *slots[2];
	uint32_t frame, id = ++v->last_id;

	if (!find_slots(v, regno, slots, &frame) || !check_helper_memory(v, regno, DYNPTR_SIZE, true, true))
		return false;
	for (uint32_t i = 0; i < 2; i++) {
		slots[i]->spilled = 8;
		slots[i]->reg = (struct reg){ .kind = REG_DYNPTR, .index = i, .size = low_bits, .id = id, .ref = ref, .s = scalar_const(0) };
		trail_define(v, loc_slot(frame, slot_number(v, frame, slots[i])), LOC_NONE, LOC_NONE);
	}
	return true;
}

/* Of a record the dynptr is missed at the end of the program at the latest: without it nothing gives the record back. */
void
dynptr_end(struct verifier *v, uint32_t frame, uint32_t slot)
{
	const struct slot *s = &v->state.frames[frame]->slots[slot];

	if (!s->spilled || s->reg.kind != REG_DYNPTR || s->reg.ref)
		return;
	mark_slot_read(v, frame, slot); /* which one it was decides which slices go */
	forget_ref(v, s->reg.id);
}
