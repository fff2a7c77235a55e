/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The intermediate code: building and printing it. Constant operands are folded here, so that no pass needs to.
 */
#include <inttypes.h>

#include "codegen/codegen_int.h"

static const char *const op_names[] = {
#define OP(id, name, doc) [IR_##id] = name,
#include "codegen/ir_ops.def"
#undef OP
};

static void
init(struct ir *ir, struct arena *arena)
{
	*ir = (struct ir){ .arena = arena, .frame_limit = FRAME_OBJECTS_MAX, .stack_max = STACK_MAX, .context = NO_VREG,
			   .element_key = NO_VREG, .element_value = NO_VREG };
	for (int i = 0; i <= FP_VREG; i++)
		ir_vreg(ir);
	ir->vregs[FP_VREG] = (struct vreg){ .is_pointer = true, .place = PLACE_REG, .reg = BPF_REG_10 };
	for (int i = 0; i < N_PARAMS; i++) {
		ir->params[i] = i;
		ir->vregs[ir->params[i]].is_pointer = i != PARAM_EVENT && i != PARAM_IDS;
	}
}

static int
param(struct ir *ir, unsigned n)
{
	int dst = ir_pointer(ir);

	ir_add(ir, (struct ir_insn){ .op = IR_PARAM, .dst = dst, .a = NO_VREG, .b = NO_VREG, .imm = n });
	return dst;
}

void
ir_init_callback(struct ir *ir, struct arena *arena, unsigned context)
{
	init(ir, arena);
	if (context == CONTEXT_OF_EACH) {
		ir->element_key = param(ir, 1);
		ir->element_value = param(ir, 2);
	}
	ir->context = param(ir, context);
	/* Scratch memory first, where the others may be spilled to. */
	for (int i = N_PARAMS; i-- > 0;)
		ir_add(ir, (struct ir_insn){ .op = IR_LOAD, .size = BPF_DW, .dst = ir->params[i], .a = ir->context, .b = NO_VREG,
					     .off = 8 * i });
}

void
ir_init(struct ir *ir, struct arena *arena)
{
	init(ir, arena);
	for (int i = 0; i < N_PARAMS; i++) {
		ir_add(ir, (struct ir_insn){ .op = IR_PARAM, .dst = ir->params[i], .a = NO_VREG, .b = NO_VREG, .imm = i });
	}
}

struct ir_insn *
ir_add(struct ir *ir, struct ir_insn insn)
{
	insn.span = ir->span;
	insn.varies = ir->varies;
	ir->insns = arena_grow(ir->arena, ir->insns, ir->n, &ir->cap, sizeof(*ir->insns));
	ir->insns[ir->n] = insn;
	return &ir->insns[ir->n++];
}

int
ir_vreg(struct ir *ir)
{
	ir->vregs = arena_grow(ir->arena, ir->vregs, ir->n_vregs, &ir->cap_vregs, sizeof(*ir->vregs));
	return (int)ir->n_vregs++;
}

int
ir_pointer(struct ir *ir)
{
	int vreg = ir_vreg(ir);

	ir->vregs[vreg].is_pointer = true;
	return vreg;
}

uint32_t
ir_label(struct ir *ir)
{
	return ir->n_labels++;
}

void
ir_bind(struct ir *ir, uint32_t label)
{
	ir_add(ir, (struct ir_insn){ .op = IR_LABEL, .dst = NO_VREG, .a = NO_VREG, .b = NO_VREG, .label = label });
}

void
ir_jump(struct ir *ir, uint32_t label)
{
	ir_add(ir, (struct ir_insn){ .op = IR_JUMP, .dst = NO_VREG, .a = NO_VREG, .b = NO_VREG, .label = label });
}

void
ir_set(struct ir *ir, int dst, int64_t value)
{
	ir_add(ir, (struct ir_insn){ .op = IR_CONST, .dst = dst, .a = NO_VREG, .b = NO_VREG, .imm = value });
}

int
ir_const(struct ir *ir, int64_t value)
{
	int dst = ir_vreg(ir);

	ir->vregs[dst].is_followed = true;
	ir_set(ir, dst, value);
	return dst;
}

void
ir_move(struct ir *ir, int dst, int src)
{
	ir_add(ir, (struct ir_insn){ .op = IR_MOVE, .dst = dst, .a = src, .b = NO_VREG });
}

int
ir_alu(struct ir *ir, uint8_t op, int a, int b)
{
	int dst = ir_vreg(ir);

	ir->vregs[dst].is_pointer = ir->vregs[a].is_pointer || (op == BPF_ADD && ir->vregs[b].is_pointer);
	ir_add(ir, (struct ir_insn){ .op = IR_ALU, .sub = op, .dst = dst, .a = a, .b = b });
	return dst;
}

int
ir_alu_imm(struct ir *ir, uint8_t op, int a, int64_t imm)
{
	int dst;

	if (imm != (int32_t)imm)
		return ir_alu(ir, op, a, ir_const(ir, imm));
	dst = ir_vreg(ir);
	ir->vregs[dst].is_pointer = ir->vregs[a].is_pointer;
	ir->vregs[dst].is_followed = op == BPF_AND; /* a mask says a bound */
	ir_add(ir, (struct ir_insn){ .op = IR_ALU, .sub = op, .dst = dst, .a = a, .b = NO_VREG, .has_imm = true, .imm = imm });
	return dst;
}

int
ir_low(struct ir *ir, int a)
{
	int dst = ir_vreg(ir);

	ir_add(ir, (struct ir_insn){ .op = IR_LOW, .dst = dst, .a = a, .b = NO_VREG });
	return dst;
}

void
ir_update_imm(struct ir *ir, uint8_t op, int dst, int64_t imm)
{
	ir_add(ir, (struct ir_insn){ .op = IR_ALU, .sub = op, .dst = dst, .a = dst, .b = NO_VREG, .has_imm = true, .imm = imm });
}

int
ir_address(struct ir *ir, int a, int32_t off)
{
	return off ? ir_alu_imm(ir, BPF_ADD, a, off) : a;
}

int
ir_load(struct ir *ir, uint8_t size, int base, int32_t off)
{
	int dst = ir_vreg(ir);

	ir_add(ir, (struct ir_insn){ .op = IR_LOAD, .size = size, .dst = dst, .a = base, .b = NO_VREG, .off = off });
	return dst;
}

void
ir_store(struct ir *ir, uint8_t size, int base, int32_t off, int value)
{
	ir_add(ir, (struct ir_insn){ .op = IR_STORE, .size = size, .dst = NO_VREG, .a = base, .b = value, .off = off });
}

void
ir_store_imm(struct ir *ir, uint8_t size, int base, int32_t off, int64_t value)
{
	if (size == BPF_DW && value != (int32_t)value) {
		ir_store(ir, size, base, off, ir_const(ir, value));
		return;
	}
	ir_add(ir, (struct ir_insn){ .op = IR_STORE, .size = size, .dst = NO_VREG, .a = base, .b = NO_VREG, .off = off,
				     .has_imm = true, .imm = (int32_t)value });
}

void
ir_branch(struct ir *ir, uint8_t cmp, int a, int b, uint32_t label)
{
	ir_add(ir, (struct ir_insn){ .op = IR_BRANCH, .sub = cmp, .dst = NO_VREG, .a = a, .b = b, .label = label });
}

void
ir_branch_imm(struct ir *ir, uint8_t cmp, int a, int64_t imm, uint32_t label)
{
	if (imm != (int32_t)imm) {
		ir_branch(ir, cmp, a, ir_const(ir, imm), label);
		return;
	}
	ir_add(ir, (struct ir_insn){ .op = IR_BRANCH, .sub = cmp, .dst = NO_VREG, .a = a, .b = NO_VREG, .has_imm = true,
				     .imm = imm, .label = label });
}

void
ir_branch32_imm(struct ir *ir, uint8_t cmp, int a, int32_t imm, uint32_t label)
{
	ir_add(ir, (struct ir_insn){ .op = IR_BRANCH, .sub = cmp, .dst = NO_VREG, .a = a, .b = NO_VREG, .has_imm = true, .is_32 = true,
				     .imm = imm, .label = label });
}

int
ir_call(struct ir *ir, int32_t helper, const int *args, unsigned n_args)
{
	int dst = helper == BPF_FUNC_map_lookup_elem ? ir_pointer(ir) : ir_vreg(ir);

	ir_call_into(ir, dst, helper, args, n_args);
	return dst;
}

void
ir_call_into(struct ir *ir, int dst, int32_t helper, const int *args, unsigned n_args)
{
	struct ir_insn *call = ir_add(ir, (struct ir_insn){ .op = IR_CALL, .dst = dst, .a = NO_VREG, .b = NO_VREG,
							    .imm = helper, .n_args = (uint8_t)n_args });

	for (unsigned i = 0; i < n_args; i++)
		call->args[i] = args[i];
}

int
ir_call_func(struct ir *ir, uint32_t func)
{
	int dst = ir_vreg(ir);

	ir_add(ir, (struct ir_insn){ .op = IR_CALL_FUNC, .dst = dst, .a = NO_VREG, .b = NO_VREG, .imm = func });
	return dst;
}

bool
ir_is_call(const struct ir_insn *insn)
{
	return insn->op == IR_CALL || insn->op == IR_CALL_FUNC;
}

static void
print_vreg(const struct ir *ir, int vreg, FILE *out)
{
	const struct vreg *v = &ir->vregs[vreg];

	switch (v->place) {
	case PLACE_NONE:
		fprintf(out, "v%d", vreg);
		break;
	case PLACE_REG:
		if (vreg == FP_VREG)
			fputs("fp", out);
		else
			fprintf(out, "v%d:r%u", vreg, v->reg);
		break;
	case PLACE_STACK:
		fprintf(out, "v%d:stack%u", vreg, v->slot);
		break;
	case PLACE_SCRATCH:
		fprintf(out, "v%d:scratch%u", vreg, v->slot);
		break;
	}
}

static const char *
sub_name(const struct ir_insn *insn)
{
	struct bpf_insn word = insn_make((insn->op == IR_BRANCH ? BPF_JMP : BPF_ALU64) | insn->sub | BPF_X, 0, 0, 0, 0);
	const struct insn_info *info = insn_info(&word);

	return info ? info->name : "?";
}

static void
print_insn(const struct ir *ir, const struct ir_insn *insn, FILE *out)
{
	static const char *const sizes[] = { [BPF_W >> 3] = "u32", [BPF_H >> 3] = "u16", [BPF_B >> 3] = "u8", [BPF_DW >> 3] = "u64" };

	if (insn->op == IR_LABEL) {
		fprintf(out, "L%u:\n", insn->label);
		return;
	}
	putc('\t', out);
	if (insn->dst != NO_VREG) {
		print_vreg(ir, insn->dst, out);
		fputs(" = ", out);
	}
	fputs(op_names[insn->op], out);
	if (insn->op == IR_ALU || insn->op == IR_BRANCH)
		fprintf(out, " %s%s", insn->is_32 ? "lower " : "", sub_name(insn));
	if (insn->op == IR_LOAD || insn->op == IR_STORE)
		fprintf(out, " %s", sizes[insn->size >> 3]);
	if (insn->a != NO_VREG) {
		putc(' ', out);
		print_vreg(ir, insn->a, out);
	}
	if (insn->op == IR_LOAD || insn->op == IR_STORE || insn->op == IR_ATOMIC_ADD)
		fprintf(out, "+%d", insn->off);
	if (insn->b != NO_VREG) {
		fputs(", ", out);
		print_vreg(ir, insn->b, out);
	}
	if (insn->has_imm || insn->op == IR_CONST || insn->op == IR_PARAM || insn->op == IR_FRAME || insn->op == IR_SCRATCH ||
	    insn->op == IR_TABLE || insn->op == IR_FUNC || insn->op == IR_END || insn->op == IR_GLOBAL || insn->op == IR_CALL ||
	    insn->op == IR_CALL_FUNC)
		fprintf(out, " %" PRId64, insn->imm);
	for (unsigned i = 0; i < insn->n_args; i++) {
		fputs(i ? ", " : " (", out);
		print_vreg(ir, insn->args[i], out);
	}
	if (insn->n_args)
		putc(')', out);
	if (insn->op == IR_JUMP || insn->op == IR_BRANCH)
		fprintf(out, " L%u", insn->label);
	putc('\n', out);
}

void
ir_print(const struct ir *ir, FILE *out)
{
	for (uint32_t i = 0; i < ir->n; i++)
		print_insn(ir, &ir->insns[i], out);
}
