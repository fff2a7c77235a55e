/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What the patterns of several instructions (jit_fuse.c, and of those that touch memory jit_fuse_mem.c) share: how one goes through a
 * function.
 */
#ifndef KTAP_VM_JIT_FUSE_H
#define KTAP_VM_JIT_FUSE_H

#include "vm/jit.h"

/* A place in the function that a pattern has come to. */
struct cursor {
	const struct jit_func *f;
	uint32_t start, pc;
};

/* The instruction that a pattern wants next. NULL: the function ends, or jumps arrive here. */
static inline const struct bpf_insn *
peek(const struct cursor *c)
{
	if (c->pc >= c->f->func->n_insns || (c->pc != c->start && c->f->insns[c->pc].target))
		return NULL;
	return &c->f->func->insns[c->pc];
}

static inline bool
is_alu(const struct bpf_insn *insn, uint8_t op, uint8_t source)
{
	return insn && (BPF_CLASS(insn->code) == BPF_ALU64 || BPF_CLASS(insn->code) == BPF_ALU) && BPF_OP(insn->code) == op &&
	       BPF_SRC(insn->code) == source && !insn->off;
}

static inline bool
is_64(const struct bpf_insn *insn)
{
	return BPF_CLASS(insn->code) == BPF_ALU64;
}

static inline bool
is_alu64(const struct bpf_insn *insn, uint8_t op, uint8_t source)
{
	return is_alu(insn, op, source) && is_64(insn);
}

/* Is the conditional jump that comes next known to be taken each time, or never? What it compares may not be there then. */
static inline bool
goes_one_way(const struct cursor *c)
{
	return c->f->insns[c->pc].never || c->f->insns[c->pc].always;
}

/* Is it a comparison of numbers with a sign? */
static inline bool
is_signed(const struct bpf_insn *cond)
{
	uint8_t op = BPF_OP(cond->code);

	return op == BPF_JSGT || op == BPF_JSGE || op == BPF_JSLT || op == BPF_JSLE;
}

/* Is the register not read after instruction pc? */
static inline bool
is_dead(const struct jit_func *f, uint32_t pc, uint8_t reg)
{
	return !(jit_live_after(f, pc) >> reg & 1);
}

static inline uint32_t
matched(const struct cursor *c, struct jit_op *op, enum jit_op_kind kind)
{
	op->kind = kind;
	op->n = c->pc - c->start;
	return op->n;
}

/* A copy of a register, if there is one here: *of. */
static inline const struct bpf_insn *
take_copy(struct cursor *c)
{
	const struct bpf_insn *insn = peek(c);

	if (!is_alu(insn, BPF_MOV, BPF_X) || insn->dst_reg == insn->src_reg)
		return NULL;
	c->pc++;
	return insn;
}

/* ---- jit_fuse_mem.c ----------------------------------------------------------------------------------------- */

/* Each returns op->n, or 0: it is something else. */
uint32_t
match_access(struct cursor c, struct jit_op *op);

#endif
