/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The verifier's judgement of memory: loads, stores and atomic operations, and the memory that helpers are given. Promises
 * that every byte touched lies in the memory that the address belongs to, that bytes read from the stack were written, and
 * that addresses are kept nowhere but in the stack.
 */
#include <endian.h>
#include <errno.h>
#include <inttypes.h>

#include "vm/vm_int.h"

/* Offsets from the least to the one behind the greatest byte that an access can touch. */
struct extent {
	int64_t from, to;
};

static uint32_t
region_size(const struct verifier *v, const struct reg *reg)
{
	if (reg->kind == REG_KEY)
		return reg_table(v, reg->index)->key_size;
	return reg->kind == REG_VALUE ? reg_table(v, reg->index)->value_size : reg->size;
}

/* Where `size` bytes at reg + off can lie. Refuses offsets that nothing bounds. */
static bool
access_extent(struct verifier *v, uint32_t regno, int16_t off, uint32_t size, struct extent *extent)
{
	const struct reg *reg = &frame_top(v)->regs[regno];

	/* What is added may be negative on the stack alone: a rule of the kernel. */
	if (reg->s.r64.smin <= -VM_OFFSET_MAX || reg->s.r64.smax >= VM_OFFSET_MAX ||
	    (reg->kind != REG_STACK && reg->s.r64.umax >= VM_OFFSET_MAX))
		return refuse_reg(v, (int)regno, "uses an address whose offset is not bounded; compare the offset with a limit first");
	extent->from = reg->s.r64.smin + reg->off + off;
	extent->to = reg->s.r64.smax + reg->off + off + size;
	return true;
}

static bool
check_bounds(struct verifier *v, uint32_t regno, int16_t off, uint32_t size)
{
	uint32_t region = region_size(v, &frame_top(v)->regs[regno]);
	struct extent extent = { 0, 0 };

	if (!access_extent(v, regno, off, size, &extent))
		return false;
	if (extent.from < 0)
		return refuse_reg(v, (int)regno, "may touch memory before its beginning: offset %" PRId64, extent.from);
	if (extent.to > region)
		return refuse_reg(v, (int)regno, "may touch memory behind its end: %" PRIu32 " bytes up to offset %" PRId64 " of %" PRIu32,
				  size, extent.to, region);
	return check_beside_lock(v, regno, extent.from, extent.to);
}

bool
check_alignment(struct verifier *v, uint32_t regno, int16_t off, uint32_t size)
{
	const struct reg *reg = &frame_top(v)->regs[regno];
	uint64_t low = size - 1;

	if (reg->s.bits.mask & low || (reg->s.bits.value + (uint64_t)((int64_t)reg->off + off)) & low)
		return refuse_reg(v, (int)regno, "address is not a multiple of %" PRIu32 ", the size of the access", size);
	return true;
}

uint8_t
address_low_bits(const struct reg *reg)
{
	uint64_t bits = reg->s.bits.mask | (reg->s.bits.value + (uint64_t)(int64_t)reg->off) | (reg->kind == REG_DATA ? reg->index : 0);

	return 7 & (uint8_t)-(bits & -bits);
}

/* The same of an atomic operation, where memory itself may begin anywhere: there are processors that cannot do it, and the program would end in a signal. */
static bool
check_atomic_alignment(struct verifier *v, uint32_t regno, int16_t off, uint32_t size)
{
	const struct reg *reg = &frame_top(v)->regs[regno];

	if (!check_alignment(v, regno, off, size))
		return false;
	if (reg->kind == REG_DATA && reg->index & (size - 1))
		return refuse_reg(v, (int)regno, "an atomic operation in memory of a dynptr which may begin at no multiple of %" PRIu32, size);
	return reg->kind != REG_PASSED || check_passed_alignment(v, regno, size);
}

/* ---- the stack ------------------------------------------------------------------------------------------- */

/* Bytes of a stack from `from` (negative, from r10) to `to`, within one frame. */
static bool
stack_extent(struct verifier *v, uint32_t regno, int16_t off, uint32_t size, struct extent *extent)
{
	const struct reg *reg = &frame_top(v)->regs[regno];
	struct func_info *info;

	if (!access_extent(v, regno, off, size, extent))
		return false;
	if (extent->from < -VM_STACK_SIZE || extent->from >= 0 || extent->to > 0)
		return refuse_reg(v, (int)regno, "touches stack from offset %" PRId64 " to %" PRId64 "; there is -%d to 0", extent->from,
				  extent->to, VM_STACK_SIZE);
	info = v->state.frames[reg->index]->info;
	if (info->depth < (uint32_t)-extent->from)
		info->depth = (uint32_t)-extent->from;
	return true;
}

static uint32_t
slot_of(int64_t off)
{
	return (uint32_t)(-off - 1) / 8;
}

static uint8_t
byte_bit(int64_t off)
{
	return (uint8_t)(1u << ((uint64_t)off & 7));
}

/* The half of a slot that is the low one of a number. */
#if __BYTE_ORDER == __LITTLE_ENDIAN
#define LOW_HALF 0
#else
#define LOW_HALF 4
#endif

struct reg
reg_low_half(const struct reg *reg)
{
	const struct bpf_insn mov32 = insn_make(BPF_ALU | BPF_MOV | BPF_X, 0, 0, 0, 0);
	struct reg half;

	if (reg->s.r64.umax <= UINT32_MAX)
		return *reg; /* and still a copy, if it was one */
	reg_set_scalar(&half, scalar_alu(&mov32, &reg->s, &reg->s));
	return half;
}

/* The slot that an access of this exact place is to, if it is one to all of it, or to its low half. */
static bool
is_slot(struct extent extent, uint32_t size)
{
	if (extent.to - extent.from != size)
		return false;
	return size == 8 || (size == 4 && ((uint64_t)extent.from & 7) == LOW_HALF);
}

enum contents { CONTENTS_NUMBERS, CONTENTS_ADDRESSES_TOO };

/* What to do, where more than one register's worth begins as if it were filled. */
static const char *
contents_gap(struct extent extent, int64_t off)
{
	bool is_gap = off > extent.from && extent.to - extent.from > 8;

	return is_gap ? "; between members of a structure? set all of it to zero first, with __builtin_memset" : "";
}

/* Every byte was written, and none is part of what must not be read so. */
static bool
check_stack_initialised(struct verifier *v, uint32_t regno, struct extent extent, enum contents contents)
{
	uint32_t index = frame_top(v)->regs[regno].index;
	struct frame *frame = v->state.frames[index];

	for (int64_t off = extent.from; off < extent.to; off++) {
		struct slot *slot = &frame->slots[slot_of(off)];

		mark_slot_read(v, index, slot_of(off));
		if (slot_of(off) >= frame->n_slots || !(slot->init & byte_bit(off)))
			return refuse_reg(v, (int)regno, "reads stack that was not written: the byte at offset %" PRId64 "%s", off,
					  contents_gap(extent, off));
		if (slot->spilled && slot->reg.kind != REG_SCALAR && (contents == CONTENTS_NUMBERS || slot->reg.kind == REG_DYNPTR))
			return refuse_reg(v, (int)regno, "reads part of an address that is kept in the stack at offset %" PRId64, off & -8);
	}
	return true;
}

/* Any number may now stand in these bytes; certain: they surely were all written. */
static void
stack_overwrite(struct verifier *v, uint32_t frame_index, struct extent extent, bool certain)
{
	struct frame *frame = v->state.frames[frame_index];

	for (int64_t off = extent.from; off < extent.to; off++) {
		struct slot *slot = slot_at(frame, slot_of(off));

		dynptr_end(v, frame_index, slot_of(off));
		/* Of an address of which a part is overwritten, nothing can be read any more. */
		if (slot->spilled && slot->reg.kind != REG_SCALAR)
			slot->init = 0;
		slot->spilled = 0;
		if (certain)
			slot->init |= byte_bit(off);
		if (certain && !(off & 7) && off + 8 <= extent.to)
			frame->written_slots |= 1ull << slot_of(off);
	}
}

/* No address may be lost to a store whose place is not exactly known. */
static bool
check_stack_no_address(struct verifier *v, uint32_t regno, struct extent extent)
{
	struct frame *frame = v->state.frames[frame_top(v)->regs[regno].index];

	for (int64_t off = extent.from; off < extent.to; off++) {
		uint32_t i = slot_of(off);

		if (i < frame->n_slots && frame->slots[i].spilled && frame->slots[i].reg.kind != REG_SCALAR)
			return refuse_reg(v, (int)regno, "may overwrite an address that is kept in the stack at offset %" PRId64, off & -8);
	}
	return true;
}

static bool
stack_load(struct verifier *v, uint32_t regno, struct extent extent, uint32_t size, struct value *loaded)
{
	uint32_t index = frame_top(v)->regs[regno].index;
	struct frame *frame = v->state.frames[index];
	struct slot *slot = &frame->slots[slot_of(extent.from)];
	bool is_kept = is_slot(extent, size) && slot_of(extent.from) < frame->n_slots && slot->spilled >= size;

	if (is_kept && size == 8 && slot->reg.kind == REG_DYNPTR)
		return refuse_reg(v, (int)regno, "reads a dynptr; only helpers look into it");
	if (is_kept && (size == 8 || slot->reg.kind == REG_SCALAR)) {
		mark_slot_read(v, index, slot_of(extent.from));
		loaded->reg = size == 8 ? slot->reg : reg_low_half(&slot->reg);
		loaded->loc = loc_slot(index, slot_of(extent.from));
		return true;
	}
	return check_stack_initialised(v, regno, extent, CONTENTS_NUMBERS);
}

static bool
stack_store(struct verifier *v, uint32_t regno, struct extent extent, uint32_t size, const struct value *stored)
{
	uint32_t index = frame_top(v)->regs[regno].index;
	bool exact = extent.to - extent.from == size, whole = exact && size == 8;
	struct frame *frame = v->state.frames[index];

	if (stored->reg.kind != REG_SCALAR && !whole)
		return refuse(v, -EACCES, "stores a part of an address, or at a place that is not known");
	if (stored->reg.kind == REG_STACK && index < v->state.n_frames - 1)
		return refuse(v, -EACCES, "leaves an address of the own stack in the stack of the caller");
	if (stored->reg.kind == REG_KEY && index < v->state.n_frames - 1) /* a copy that is there until the function returns to the helper */
		return refuse(v, -EACCES, "leaves the address of a key in the stack of the caller, where it may outlive the key; copy the key itself");
	if (!exact && !check_stack_no_address(v, regno, extent))
		return false;
	stack_overwrite(v, index, extent, exact);
	if (is_slot(extent, size)) {
		struct slot *slot = slot_at(frame, slot_of(extent.from));

		slot->spilled = (uint8_t)size;
		slot->reg = whole ? stored->reg : reg_low_half(&stored->reg);
		trail_define(v, loc_slot(index, slot_of(extent.from)), stored->loc, LOC_NONE);
	}
	return true;
}

static bool
stack_access(struct verifier *v, uint32_t regno, int16_t off, uint32_t size, enum access access, struct value *loaded,
	     const struct value *stored)
{
	struct extent extent = { 0, 0 };

	if (!stack_extent(v, regno, off, size, &extent) || !check_alignment(v, regno, off, size))
		return false;
	if (access == ACCESS_READ)
		return stack_load(v, regno, extent, size, loaded);
	if (access == ACCESS_WRITE)
		return stack_store(v, regno, extent, size, stored);
	if (!check_stack_initialised(v, regno, extent, CONTENTS_NUMBERS))
		return false;
	stack_overwrite(v, frame_top(v)->regs[regno].index, extent, false);
	return true;
}

/* ---- all memory ----------------------------------------------------------------------------------------------- */

static bool
is_memory(enum reg_kind kind)
{
	return kind == REG_STACK || kind == REG_VALUE || kind == REG_MEM || kind == REG_RDONLY || kind == REG_RECORD || kind == REG_DATA ||
	       kind == REG_KEY || kind == REG_PASSED || kind == REG_PASSED_RDONLY;
}

/* The register holds an address of memory that may be used so. */
static bool
check_address(struct verifier *v, uint32_t regno, bool writes)
{
	const struct reg *reg = reg_read(v, regno);

	if (!reg)
		return false;
	if (reg->nullable)
		return refuse_reg(v, (int)regno, "uses an address that may be null; compare it with 0 first");
	if (!is_memory(reg->kind))
		return refuse_reg(v, (int)regno, "uses as an address what is not the address of memory");
	if (writes && reg->kind == REG_KEY)
		return refuse_reg(v, (int)regno, "writes into the key of a table");
	if (writes && (reg->kind == REG_RDONLY || reg->kind == REG_PASSED_RDONLY))
		return refuse_reg(v, (int)regno, "writes into memory that may only be read");
	if (!writes && reg->kind == REG_VALUE && reg_table(v, reg->index)->write_only)
		return refuse_reg(v, (int)regno, "reads a table that programs may only write");
	if (writes && reg->kind == REG_VALUE && reg_table(v, reg->index)->read_only)
		return refuse_reg(v, (int)regno, "writes into a table that programs may only read");
	return true;
}

bool
check_access(struct verifier *v, uint32_t regno, int16_t off, uint32_t size, enum access access, struct value *loaded,
	     const struct value *stored)
{
	if (loaded) {
		reg_set_scalar(&loaded->reg, scalar_loaded(size, false));
		loaded->loc = LOC_NONE;
	}
	if ((access != ACCESS_WRITE && !check_address(v, regno, false)) || (access != ACCESS_READ && !check_address(v, regno, true)))
		return false;
	if (frame_top(v)->regs[regno].kind == REG_STACK)
		return stack_access(v, regno, off, size, access, loaded, stored);
	if (!check_bounds(v, regno, off, size))
		return false;
	if (access == ACCESS_BOTH && !check_atomic_alignment(v, regno, off, size))
		return false;
	if (stored && stored->reg.kind != REG_SCALAR)
		return refuse(v, -EACCES, "stores an address outside of the stack; only numbers may leave a program");
	return true;
}

static bool
stack_helper_memory(struct verifier *v, uint32_t regno, uint32_t size, bool out, bool exact)
{
	const struct reg *reg = &frame_top(v)->regs[regno];
	bool fills = out && exact && scalar_is_const(&reg->s);
	struct extent extent = { 0, 0 };

	if (!stack_extent(v, regno, 0, size, &extent))
		return false;
	/* What the helper may leave untouched has to be there before. */
	if (!fills && !check_stack_initialised(v, regno, extent, CONTENTS_NUMBERS))
		return false;
	if (out)
		stack_overwrite(v, reg->index, extent, fills);
	return true;
}

bool
check_helper_memory(struct verifier *v, uint32_t regno, uint32_t size, bool out, bool exact)
{
	if (!check_address(v, regno, out))
		return false;
	if (frame_top(v)->regs[regno].kind == REG_STACK)
		return stack_helper_memory(v, regno, size, out, exact);
	return check_bounds(v, regno, 0, size);
}

/* That they are printed, trace_printk permits, too, which gets its values in registers. */
bool
check_values_memory(struct verifier *v, uint32_t regno, uint32_t size)
{
	struct extent extent = { 0, 0 };

	if (frame_top(v)->regs[regno].kind != REG_STACK)
		return check_helper_memory(v, regno, size, false, true);
	return check_address(v, regno, false) && stack_extent(v, regno, 0, size, &extent) &&
	       check_stack_initialised(v, regno, extent, CONTENTS_ADDRESSES_TOO);
}
