/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * How many instructions a program executes: counted by doing one after the other, slowly, by the evaluator of insn.def. For
 * verified programs that do no more in memory than load, store and add.
 */
#ifndef BENCH_VM_STEPS_H
#define BENCH_VM_STEPS_H

#include <assert.h>
#include <string.h>

#include "vm/vm_int.h"

/* A machine that does one step after the other, slowly. */
struct stepper {
	const struct object *object;
	struct vm_run run;
	uint64_t steps;
	_Alignas(16) char stack[VM_FRAMES_MAX * VM_STACK_SIZE];
};

static uint64_t
wide(const struct stepper *s, const struct func *func, uint32_t pc)
{
	const struct reloc *reloc = func_reloc(func, pc);
	size_t len;

	if (!reloc)
		return (uint32_t)func->insns[pc].imm | (uint64_t)(uint32_t)func->insns[pc + 1].imm << 32;
	if (reloc->kind == RELOC_TABLE)
		return (uintptr_t)&s->run.vm->tables[reloc->index];
	return (uintptr_t)array_memory(&s->run.vm->tables[reloc->index], &len) + reloc->addend;
}

/* Loads, stores and additions to memory: all that the programs do there. */
static void
step_memory(const struct bpf_insn *insn, uint64_t *reg)
{
	static const uint8_t sizes[] = { [BPF_W >> 3] = 4, [BPF_H >> 3] = 2, [BPF_B >> 3] = 1, [BPF_DW >> 3] = 8 };
	bool loads = BPF_CLASS(insn->code) == BPF_LDX;
	char *at = (char *)(uintptr_t)(reg[loads ? insn->src_reg : insn->dst_reg] + (uint64_t)(int64_t)insn->off);
	uint64_t value = BPF_CLASS(insn->code) == BPF_ST ? (uint64_t)(int64_t)insn->imm : reg[insn->src_reg];
	size_t size = sizes[BPF_SIZE(insn->code) >> 3];

	if (BPF_CLASS(insn->code) == BPF_STX && BPF_MODE(insn->code) == BPF_ATOMIC) {
		uint64_t old = 0;

		memcpy(&old, at, size);
		value += old;
	}
	if (loads) {
		reg[insn->dst_reg] = 0;
		memcpy(&reg[insn->dst_reg], at, size);
	} else {
		memcpy(at, &value, size);
	}
}

static uint64_t
step_func(struct stepper *s, const struct func *func, uint64_t *caller, uint64_t frame)
{
	uint64_t reg[11] = { 0, caller[1], caller[2], caller[3], caller[4], caller[5], [10] = frame };

	for (uint32_t pc = 0;; pc++) {
		const struct bpf_insn *insn = &func->insns[pc];

		s->steps++;
		switch ((enum insn_shape)insn_info(insn)->shape) {
		case SHAPE_ALU:
		case SHAPE_UNARY:
			insn_eval_alu(insn, reg[insn->dst_reg], reg[insn->src_reg], &reg[insn->dst_reg]);
			break;
		case SHAPE_LD64:
			reg[insn->dst_reg] = wide(s, func, pc++);
			break;
		case SHAPE_LOAD:
		case SHAPE_STORE:
		case SHAPE_ATOMIC:
			step_memory(insn, reg);
			break;
		case SHAPE_JUMP:
		case SHAPE_COND:
			if (insn_eval_jump(insn, reg[insn->dst_reg], reg[insn->src_reg]))
				pc += (uint32_t)(int32_t)insn->off;
			break;
		case SHAPE_CALL:
			if (insn->src_reg == BPF_PSEUDO_CALL)
				reg[0] = step_func(s, func_callee(s->object, func, pc), reg, frame + VM_STACK_SIZE);
			else
				reg[0] = helper_find(insn->imm)->fn(&s->run, reg[1], reg[2], reg[3], reg[4], reg[5]);
			break;
		case SHAPE_EXIT:
			return reg[0];
		case SHAPE_PACKET:
			assert(!"packet access was verified");
		}
	}
}

/* The instructions of one run of a program without arguments, which changes the tables as any run does. */
static uint64_t
steps_of(const struct object *object, struct vm *vm, const struct func *func)
{
	static const struct vm_env nobody;
	struct stepper s = { .object = object, .run = { .vm = vm, .env = &nobody } };
	uint64_t args[11] = { 0 };

	step_func(&s, func, args, (uintptr_t)s.stack + VM_STACK_SIZE);
	return s.steps;
}

#endif
