/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What the files that make machine code for x86-64 share: which register is which, a function in the making.
 *
 *      jit_x86.c       functions: jumps, calls, entry and exit
 *      jit_x86_alu.c   arithmetic and memory access
 *      jit_x86_op.c    what several instructions are together
 */
#ifndef KTAP_VM_JIT_X86_H
#define KTAP_VM_JIT_X86_H

#include "vm/jit_x86_enc.h"

#define SCRATCH RDI
#define SCRATCH2 R10
#define SCRATCH3 R11
#define RUN R12

/* The machine's register of each of eBPF's. */
static const uint8_t x86_reg_of[JIT_REGS] = {
	RAX, RSI, RDX, RCX, R8, R9, RBX, R13, R14, R15, RBP, [JIT_BLIND_REG] = SCRATCH3, [JIT_RUN_REG] = RUN,
};

static inline uint32_t
width_of(const struct bpf_insn *insn)
{
	uint8_t class = BPF_CLASS(insn->code);

	return class == BPF_ALU64 || class == BPF_JMP ? OP_W : 0;
}

static inline bool
has_imm(const struct bpf_insn *insn)
{
	return BPF_SRC(insn->code) == BPF_K;
}

/* Where something in memory lies from the end of an instruction of `len` bytes, if 32 bits can say it. */
static inline bool
reach(const struct gen *g, uint64_t to, uint32_t len, int32_t *rel)
{
	int64_t distance = (int64_t)(to - (g->jit->address + g->b->n + len));

	if (g->jit->first_pass || !fits32(distance))
		return false;
	*rel = (int32_t)distance;
	return true;
}

/* reg = address of something that does not move. */
static inline void
x86_address(struct gen *g, unsigned reg, uint64_t address)
{
	int32_t rel;

	if (address > UINT32_MAX && reach(g, address, 7, &rel)) {
		put_op(g->b, OP_LEA, reg, 0, 0, false);
		put8(g->b, (reg & 7) << 3 | 5);
		put32(g->b, (uint32_t)rel);
	} else {
		put_const(g->b, reg, address);
	}
}

static inline bool
is_power_of_two(uint64_t n)
{
	return n && !(n & (n - 1));
}

/* ---- jit_x86_alu.c ------------------------------------------------------------------------------------- */

/* The code of an instruction: SHAPE_ALU and SHAPE_UNARY; SHAPE_LOAD; SHAPE_STORE; SHAPE_ATOMIC. */
void
x86_alu(struct gen *g, const struct bpf_insn *insn);

void
x86_load(struct gen *g, const struct bpf_insn *insn);

void
x86_store(struct gen *g, const struct bpf_insn *insn);

void
x86_atomic(struct gen *g, const struct bpf_insn *insn);

/* dst = src * imm, in 64 bits (w is OP_W) or 32 (0). */
void
x86_multiply_imm(struct jit_buf *b, uint32_t w, unsigned dst, unsigned src, int32_t imm);

/* Is it 3, 5 or 9? By these a lea multiplies: */
bool
x86_is_lea_factor(int32_t factor);

/* dst = src * factor */
void
x86_lea_factor(struct jit_buf *b, uint32_t w, unsigned dst, unsigned src, int32_t factor);

/* The opcode of a load; of a store, the register that it stores, and the constant that stands behind it. */
uint32_t
x86_load_op(const struct bpf_insn *insn);

uint32_t
x86_store_op(const struct bpf_insn *insn);

unsigned
x86_stored_reg(const struct bpf_insn *insn);

/* How many bytes that is. */
uint32_t
x86_stored_bytes(const struct bpf_insn *insn);

void
x86_put_stored(struct jit_buf *b, const struct bpf_insn *insn);

/* ---- jit_x86.c ------------------------------------------------------------------------------------------- */

#define CC_ALWAYS 16u

/* The jump of instruction pc to `target`; `behind`: the most bytes that the instruction has behind the jump. */
void
x86_jump(struct gen *g, uint32_t pc, uint32_t target, unsigned cc, uint32_t behind);

/* Sets the flags for the comparison of a conditional jump, which is taken if they say x86_condition. */
void
x86_compare(struct gen *g, const struct bpf_insn *insn, uint32_t w);

enum x86_cc
x86_condition(const struct bpf_insn *insn);

/* ---- jit_x86_op.c ---------------------------------------------------------------------------------------- */

/* The code of several instructions that are one, the first at pc. */
void
x86_op(struct gen *g, uint32_t pc, const struct jit_op *op);

#endif
