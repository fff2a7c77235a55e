/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Structures of the kernel: an address, an offset, and a read that never faults. Unreadable memory is counted and taken as 0.
 *
 * Every number that depends on the kernel stands in an instruction of its own, with what it is about beside it (struct core_number), so that an
 * object can be fitted to another kernel: where a member is, of how many bytes; of a bit field, also by how much the bytes are shifted.
 */
#include <string.h>
#include <sys/types.h>

#include "codegen/lower_int.h"

/* The last instruction's imm is that number of the kernel's types. */
static void
note_core(struct lowering *l, enum bpf_core_relo_kind kind, const char *path)
{
	struct core_number *number;

	if (!path) {
		l->object->kernel_offsets = true;
		return;
	}
	number = arena_alloc(l->arena, sizeof(*number));
	*number = (struct core_number){ kind, path };
	l->ir.insns[l->ir.n - 1].core = number;
}

static int
core_const(struct lowering *l, enum bpf_core_relo_kind kind, const char *path, int64_t value)
{
	int reg = ir_const(&l->ir, value);

	note_core(l, kind, path);
	return reg;
}

static int
core_alu(struct lowering *l, uint8_t op, int reg, enum bpf_core_relo_kind kind, const char *path, int64_t value)
{
	reg = ir_alu_imm(&l->ir, op, reg, value);
	note_core(l, kind, path);
	return reg;
}

/* The highest bit of the field becomes the highest of 64, then the lowest the lowest: with the sign that the field has where the program runs. */
static int
extract_bits(struct lowering *l, const struct member *member, int reg)
{
	uint32_t is_signed = ir_label(&l->ir), done = ir_label(&l->ir), right = 64 - member->bits;
	struct ir *ir = &l->ir;
	int result = ir_vreg(ir);

	reg = core_alu(l, BPF_LSH, reg, BPF_CORE_FIELD_LSHIFT_U64, member->path, right - member->bit);
	ir_branch_imm(ir, BPF_JNE, core_const(l, BPF_CORE_FIELD_SIGNED, member->path, member->is_signed), 0, is_signed);
	ir_move(ir, result, core_alu(l, BPF_RSH, reg, BPF_CORE_FIELD_RSHIFT_U64, member->path, right));
	ir_jump(ir, done);
	ir_bind(ir, is_signed);
	ir_move(ir, result, core_alu(l, BPF_ARSH, reg, BPF_CORE_FIELD_RSHIFT_U64, member->path, right));
	ir_bind(ir, done);
	return result;
}

/* A number that stands in an array which nothing names: it has the same size everywhere. */
static bool
is_fixed(const struct member *member)
{
	return member->element_size && !member->path;
}

static int
extend_sign(struct lowering *l, const struct member *member, int reg)
{
	uint32_t shift = 64 - 8 * member->size;

	if (is_fixed(member))
		return ir_alu_imm(&l->ir, BPF_ARSH, ir_alu_imm(&l->ir, BPF_LSH, reg, shift), shift);
	reg = core_alu(l, BPF_LSH, reg, BPF_CORE_FIELD_LSHIFT_U64, member->path, shift);
	return core_alu(l, BPF_ARSH, reg, BPF_CORE_FIELD_RSHIFT_U64, member->path, shift);
}

/* The number is as long as it is on the kernel where this runs. */
static int
read_number(struct lowering *l, const struct member *member, int address)
{
	int size = is_fixed(member) ? ir_const(&l->ir, member->size) : core_const(l, BPF_CORE_FIELD_BYTE_SIZE, member->path, member->size);
	int result = number_read(l, BPF_FUNC_probe_read_kernel, address, size);

	if (member->bits)
		return extract_bits(l, member, result);
	return member->is_signed ? extend_sign(l, member, result) : result;
}

/* The address from which a member's path leads on: of the structure with a name, with what indices on the way add to it. */
static int
path_start(struct lowering *l, struct node *node)
{
	const struct member *member = node->member;
	int start = member->continues ? path_start(l, node->a) : lower_number(l, node->a), size;
	struct ir *ir = &l->ir;

	if (!member->element_size)
		return start;
	size = ir_const(ir, member->element_size);
	if (member->element_path || member->kind != MEMBER_NUMBER)
		note_core(l, BPF_CORE_FIELD_BYTE_SIZE, member->element_path);
	return ir_alu(ir, BPF_ADD, start, ir_alu(ir, BPF_MUL, lower_number(l, node->b), size));
}

struct val
lower_member(struct lowering *l, struct node *node)
{
	const struct member *member = node->member;
	int address = path_start(l, node);

	if (member->path)
		address = core_alu(l, BPF_ADD, address, BPF_CORE_FIELD_BYTE_OFFSET, member->path, member->off);
	else if (!member->element_size)
		address = core_alu(l, BPF_ADD, address, BPF_CORE_FIELD_BYTE_OFFSET, NULL, member->off);
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

/* ---- ppid ---- */

#define OFF_READ (-8) /* in the function's frame */

/* r3, an address, goes on to the member; then `size` bytes there, or 0 where they cannot be read, are in `dst`. */
static void
follow(struct code *code, const struct member *member, uint8_t size, uint8_t dst)
{
	struct core_number *off = arena_alloc(code->arena, sizeof(*off));

	*off = (struct core_number){ BPF_CORE_FIELD_BYTE_OFFSET, member->path };
	code_emit(code, insn_alu_imm(BPF_ADD, 3, (int32_t)member->off));
	code_core(code, off);
	code_emit(code, insn_store_imm(BPF_DW, 10, OFF_READ, 0));
	code_emit(code, insn_mov(1, 10));
	code_emit(code, insn_alu_imm(BPF_ADD, 1, OFF_READ));
	code_emit(code, insn_mov_imm(2, size));
	code_emit(code, insn_call(BPF_FUNC_probe_read_kernel));
	code_emit(code, insn_load(BPF_DW, dst, 10, OFF_READ));
}

/* Returns its index in the object, which has one. `tgid`: curtask().real_parent.tgid. */
static uint32_t
ppid_func(struct object *object, const struct node *tgid)
{
	struct code code;

	for (uint32_t i = 0; i < object->n_funcs; i++)
		if (strcmp(object->funcs[i]->name, FUNC_PPID) == 0)
			return i;
	code_init(&code, object->arena);
	code.span = tgid->span;
	code_emit(&code, insn_call(BPF_FUNC_get_current_task));
	code_emit(&code, insn_mov(3, 0));
	follow(&code, tgid->a->member, sizeof(void *), 3);
	follow(&code, tgid->member, sizeof(pid_t), 0);
	code_emit(&code, insn_exit());
	code_finish(&code); /* no jumps */
	return object_add_func(object, func_from_code(&code, FUNC_PPID, ".text"));
}

struct val
lower_ppid(struct lowering *l, struct node *node)
{
	if (l->ir.callee_stack < FUNC_PPID_STACK)
		l->ir.callee_stack = FUNC_PPID_STACK;
	return val_number(TYPE_INT, ir_call_func(&l->ir, ppid_func(l->object, node->a)));
}

/* As in ktap 0.4, by an offset that the script knows: of the kernel that it was written for, and no other. */
struct val
lower_taskinfo(struct lowering *l, struct node *node)
{
	struct ir *ir = &l->ir;
	int task = ir_call(ir, BPF_FUNC_get_current_task, NULL, 0), offset = lower_number(l, node->b);
	int size = ir_const(ir, node->b->next ? node->b->next->number : 4);

	l->object->kernel_offsets = true;
	return val_number(TYPE_INT, number_read(l, BPF_FUNC_probe_read_kernel, ir_alu(ir, BPF_ADD, task, offset), size));
}
