/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Structures of the kernel: an address, an offset, and a read that never faults. Unreadable memory is counted and taken as 0.
 */
#include "codegen/lower_int.h"

static int
read_number(struct lowering *l, const struct member *member, int address)
{
	static const uint8_t codes[] = { [1] = BPF_B, [2] = BPF_H, [4] = BPF_W, [8] = BPF_DW };
	struct mem copy = memory_new(l, 8);
	uint32_t readable = ir_label(&l->ir), bits = member->bits ? member->bits : 8 * member->size;
	struct ir *ir = &l->ir;
	int result;

	result = ir_call(ir, BPF_FUNC_probe_read_kernel, (int[]){ memory_address(l, copy), ir_const(ir, member->size), address }, 3);
	ir_branch_imm(ir, BPF_JEQ, result, 0, readable);
	ir_store_imm(ir, BPF_DW, copy.base, copy.off, 0);
	lower_count(l, COUNTER_READ_FAULT);
	ir_bind(ir, readable);
	result = ir_load(ir, codes[member->size], copy.base, copy.off);
	if (bits == 64 || (!member->bits && !member->is_signed))
		return result;
	result = ir_alu_imm(ir, BPF_LSH, result, 64 - member->bit - bits);
	return ir_alu_imm(ir, member->is_signed ? BPF_ARSH : BPF_RSH, result, 64 - bits);
}

struct val
lower_member(struct lowering *l, struct node *node)
{
	const struct member *member = node->member;
	int address = lower_number(l, node->a);
	struct ir *ir = &l->ir;

	if (member->element_size) {
		/* An element of numbers has one size everywhere. */
		l->object->kernel_offsets |= member->kind != MEMBER_NUMBER;
		address = ir_alu(ir, BPF_ADD, address, ir_alu_imm(ir, BPF_MUL, lower_number(l, node->b), member->element_size));
	} else if (member->name) {
		address = ir_alu_imm(ir, BPF_ADD, address, member->off);
		ir->insns[ir->n - 1].field = lower_member_number(l, member);
	} else {
		l->object->kernel_offsets = true;
		address = ir_alu_imm(ir, BPF_ADD, address, member->off);
	}
	switch (member->kind) {
	case MEMBER_PLACE:
		return val_number(TYPE_INT, address);
	case MEMBER_TEXT:
		return string_read(l, BPF_FUNC_probe_read_kernel_str, address, type_find(node->type)->str_size);
	case MEMBER_NUMBER:
		break;
	}
	return val_number(TYPE_INT, read_number(l, member, address));
}
