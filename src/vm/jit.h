/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What jit.c and the machine code generators (jit_x86.c) share: a compilation in progress.
 *
 * Code is made in two passes over the same instructions. The first writes nothing and takes the longest form of whatever is not
 * yet known: jumps forward, addresses, what the prologue has to save. It leaves the offset of each instruction. The second takes
 * the shortest form that these offsets permit and writes. No instruction is longer in the second pass than in the first, so
 * whatever distance the first pass saw is an upper bound for the second.
 */
#ifndef KTAP_VM_JIT_H
#define KTAP_VM_JIT_H

#include "vm/vm_int.h"

/* Where code goes; out == NULL: it is only measured. */
struct jit_buf {
	uint8_t *out;
	uint32_t n, cap;
};

/* What is kept of an instruction. */
struct jit_insn {
	uint32_t off;      /* of its code, in the pass before or, up to where this pass has come, in this one */
	uint32_t fix;      /* end of a displacement that is to be filled in, 0: none */
	bool fix_is_short; /* it has one byte, not four */
	bool target;       /* jumps arrive here */
	uint16_t reads;    /* bit n: it reads register n */
	uint16_t live;     /* bit n: register n is read from here on before it is written */
};

/* A function of the program. */
struct jit_func {
	struct jit_func *next;  /* callees stand before their callers, so the entry is the last */
	const struct func *func;
	struct jit_insn *insns; /* one an instruction, and one for the end */
	uint32_t start;         /* offset of its code */
	uint32_t callback;      /* offset of a jit_callback that calls it, where is_callback */
	bool is_callback;       /* its address is taken */
	uint32_t next_reloc;    /* where the relocation for the next instruction that has one is expected */
	uint16_t writes;        /* bit n: register n */
	bool uses_stack;        /* it, or what it calls, touches r10 */
	bool calls;             /* its code has calls in it: after the first pass it is known */
};

struct jit {
	struct vm *vm;
	const struct vm_signature *signature;
	struct jit_func *funcs, *last;
	struct jit_buf buf;
	uint64_t address;       /* of buf.out */
	bool first_pass;
	uint64_t random;        /* 0: not yet */
	bool uses_run;          /* code needs struct vm_run: after the first pass it is known */
};

struct jit_backend {
	const char *name;
	uint32_t trap; /* what fills the rest of the pages: runs into a signal */
	/* Appends the code of a function to jit->buf; of the entry, as a jit_entry. */
	void (*func)(struct jit *jit, struct jit_func *f);
};

#if defined(__x86_64__)
extern const struct jit_backend jit_x86;
#elif defined(__aarch64__)
extern const struct jit_backend jit_arm64;
#endif

/* Bit n: the instruction (or, of a call, whoever is called) writes register n. */
uint32_t
jit_writes(const struct bpf_insn *insn, const struct insn_info *info);

/* Bit n: the instruction (or, of a call, whoever is called) may read register n. */
uint16_t
jit_reads(const struct bpf_insn *insn, const struct insn_info *info);

/* ---- jit_fuse.c: what several instructions are together --------------------------------------------------- */

/* Fills in `live` of all instructions; `reads` is there. */
void
jit_find_live(struct jit_func *f);

/* Bit n: register n is read after the instruction at pc before it is written. */
uint16_t
jit_live_after(const struct jit_func *f, uint32_t pc);

enum jit_op_kind {
	JIT_NOTHING,      /* all that it sets is read by nobody */
	JIT_THREE,        /* dst = a alu b, or imm where has_imm */
	JIT_MULTIPLY_ADD, /* dst = dst * imm + b; imm is not 0 */
	JIT_ROTATE,       /* dst = a rotated left by imm, 1 to 31 or 63 */
	JIT_ZERO_EXTEND,  /* dst = the low imm bits (32, 16 or 8) of a */
	JIT_SIGN_EXTEND,
	JIT_SELECT,       /* dst = the condition at `at` holds ? dst : a */
	JIT_BOOL,         /* dst = the condition at `at` holds ? imm : 1 - imm */
	JIT_JUMP_UNLESS,  /* the jump at `at` + 1, taken where the condition at `at` does not hold */
	JIT_INDEXED,      /* the load or store at `at`, of address a + (b << scale) + its offset; has_wide: a is first set by the
	                     ld_imm64 at `wide` (and free for that) */
};

/* Several instructions that are one. */
struct jit_op {
	enum jit_op_kind kind;
	uint32_t n;       /* instructions, counted in words */
	bool is_64;       /* of arithmetic; else 32 bits, and the upper half becomes 0 */
	bool has_imm, has_wide;
	uint8_t alu;      /* BPF_ADD, ... */
	uint8_t dst, a, b, scale;
	int32_t imm;
	uint32_t at, wide;
};

/* What begins at pc as more than one instruction, or as nothing. Returns op->n; 0: an instruction as any other. */
uint32_t
jit_fuse(const struct jit_func *f, uint32_t pc, struct jit_op *op);

/* ---- jit.c: constants that are not to be seen (vm_set_constants) ------------------------------------------- */

#define JIT_BLIND_REG 11 /* a register that eBPF has not: the backend has one for it, free between instructions */

/* Has the instruction a constant that must not stand in the code? Those of ld_imm64 neither: without relocation, they too. */
bool
jit_hides_constant(const struct jit *jit, const struct bpf_insn *insn);

/* The instruction with JIT_BLIND_REG in the place of its constant. */
struct bpf_insn
jit_with_register(const struct bpf_insn *insn);

/* A random number to hide a constant with. */
uint64_t
jit_random(struct jit *jit);

/* ---- jit.c ------------------------------------------------------------------------------------------------ */

/* The relocation at pc, or NULL; quick when asked in order. */
const struct reloc *
jit_reloc(struct jit_func *f, uint32_t pc);

/* Where the jump at pc goes. */
uint32_t
jit_target(const struct jit_func *f, uint32_t pc);

/* The function of the program that the local call at pc calls. */
struct jit_func *
jit_callee(struct jit *jit, struct jit_func *f, uint32_t pc);

/* A function of the program as helpers call it: `frame` goes to r10, args to r1 to r4. */
typedef uint64_t jit_callback(struct vm_run *run, uint64_t frame, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4);

/* The function whose address the ld_imm64 at pc takes, or NULL. */
struct jit_func *
jit_addressed(struct jit *jit, struct jit_func *f, uint32_t pc);

/*
 * The table whose handle the register that the instruction at pc wrote holds for certain, or NULL; `known` is the same of all registers
 * before. To be asked right after the instruction was looked at.
 */
const struct vm_table *
jit_known_table(const struct jit *jit, const struct jit_func *f, uint32_t pc, const struct vm_table *const known[11]);

/* The 64 bits of the ld_imm64 at pc: a number, the handle of a table, or the address of a value. */
uint64_t
jit_wide(struct jit *jit, struct jit_func *f, uint32_t pc);

#endif
