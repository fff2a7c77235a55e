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
	uint8_t target;    /* how many jumps arrive here, 255: or more */
	uint8_t ahead;     /* a conditional jump: how many moves at its target are done before it, which then goes to `to`, behind them */
	bool never, always; /* a conditional jump that is never taken, or each time */
	bool unseen;       /* unreachable, as the verifier saw */
	uint8_t pin;       /* ld_imm64: the register that holds the address all the time, 0: none */
	uint32_t to;       /* of a jump: where it goes, jumps to jumps followed */
	uint32_t loop_end; /* jumps backward arrive here, the last from the instruction before that; 0: none */
	uint16_t reads;    /* bit n: it reads register n */
	uint16_t live;     /* bit n: register n is read from here on before it is written */
};

#define JIT_PINS_MAX 4

/* A register that holds an address from the beginning of a function to its end. */
struct jit_pin {
	uint64_t address;
	uint8_t reg;
};

/* A function of the program. */
struct jit_func {
	struct jit_func *next;  /* callees stand before their callers */
	const struct func *func;
	struct jit_insn *insns; /* one an instruction, and one for the end */
	uint32_t start;         /* offset of its code */
	uint32_t callback;      /* offset of a jit_callback that calls it, where is_addressed */
	bool is_addressed;      /* its address is taken */
	uint32_t next_reloc;    /* where the relocation for the next instruction that has one is expected */
	uint16_t writes;        /* bit n: register n */
	bool uses_stack;        /* it, or what it calls, touches r10 */
	bool calls;             /* its code has calls in it: after the first pass it is known */
	bool memory_operands;   /* the machine's arithmetic and comparisons take numbers from memory */
	bool drops;             /* a jump that is never taken was found after liveness */
	uint8_t n_pins;
	struct jit_pin pins[JIT_PINS_MAX];
};

struct jit {
	struct vm *vm;
	const struct vm_signature *signature;
	const struct vm_facts *facts;
	struct jit_func *funcs, *last, *entry;
	uint32_t n_functions;   /* in its tables of functions (jit.c): all of the object, or none */
	struct jit_buf buf;
	uint64_t address;       /* of buf.out */
	bool memory_operands;   /* of the backend */
	bool first_pass;
	uint64_t random;        /* 0: not yet */
	bool uses_run;          /* code needs struct vm_run: after the first pass it is known */
};

/* What a helper does that only fetches a number: 64 bits at `off` of the run, or of its env. */
struct jit_fetch {
	int32_t helper;
	bool is_env;
	bool swaps;     /* its halves change places */
	uint8_t off;
};

/* A function in the making. */
struct gen {
	struct jit *jit;
	struct jit_func *f;
	struct jit_buf *b;
	bool is_entry;
	bool hides;      /* constants are not to be seen: no short cuts then */
	bool has_budget;
	bool has_bmi2;   /* x86-64: there are shifts and multiplications with three operands */
	bool is_far;     /* AArch64: a jump may have to go farther than one under a condition can */
	const struct vm_table *known[11]; /* the table whose handle a register holds for certain */
};

struct jit_op;

/* A machine: what appends its code. Registers are eBPF's, and those below. */
struct jit_backend {
	const char *name;
	bool memory_operands; /* see struct jit_func */
	uint32_t trap; /* what fills the rest of the pages: runs into a signal */
	/* The beginning of a function; of the entry, as a jit_entry. Sets what of `g` is the machine's own. */
	void (*prologue)(struct gen *g);
	/* At pc a loop begins: brings its code to where the machine likes it. May be NULL. */
	void (*align)(struct gen *g, uint32_t pc);
	void (*exit)(struct gen *g);
	/* SHAPE_ALU and SHAPE_UNARY; SHAPE_LOAD; SHAPE_STORE; SHAPE_ATOMIC */
	void (*alu)(struct gen *g, const struct bpf_insn *insn);
	void (*load)(struct gen *g, const struct bpf_insn *insn);
	void (*store)(struct gen *g, const struct bpf_insn *insn);
	void (*atomic)(struct gen *g, const struct bpf_insn *insn);
	/* reg = a number; an address, which takes no more room in the second pass; a number that is not to be seen. */
	void (*number)(struct gen *g, unsigned reg, uint64_t number);
	void (*address)(struct gen *g, unsigned reg, uint64_t address);
	void (*hidden)(struct gen *g, unsigned reg, uint64_t number);
	/* JIT_BLIND_REG = what is not to be seen */
	void (*hidden_imm)(struct gen *g, int32_t imm);
	/* The jumps of the instruction at pc: always; where the condition of `insn` holds. */
	void (*jump)(struct gen *g, uint32_t pc);
	void (*cond)(struct gen *g, uint32_t pc, const struct bpf_insn *insn);
	/* Fills in how far the jump goes whose displacement ends at insn->fix. */
	void (*fix)(struct gen *g, const struct jit_insn *insn, uint32_t to);
	/* A call of a helper, of a table's lookup: of the instruction at pc and perhaps those behind it. Returns how many. */
	uint32_t (*call)(struct gen *g, uint32_t pc);
	void (*call_local)(struct gen *g, const struct jit_func *callee);
	/* A call of what is in register `reg`: of a function, by its handle; of a helper, by its number. */
	void (*callx)(struct gen *g, unsigned reg);
	/*
	 * The program in place r3 of the table r2 goes on with the context r1: of an entry, by a jump where it is machine code; else by
	 * enter_by_tail_call, and the function returns what it returned. Where there is none, or it is one too many, nothing happens.
	 */
	void (*tail_call)(struct gen *g);
	/* r0 = the number that a helper only fetches */
	void (*fetch)(struct gen *g, const struct jit_fetch *fetch);
	/* Before a jump backward of a program that has a budget. */
	void (*charge)(struct gen *g);
	/* Several instructions that are one, the first at pc. */
	void (*op)(struct gen *g, uint32_t pc, const struct jit_op *op);
	/* A jit_callback, which calls the function. */
	void (*callback)(struct gen *g);
};

#if defined(__x86_64__)
extern const struct jit_backend jit_x86;
#elif defined(__aarch64__)
extern const struct jit_backend jit_arm64;
#endif

/* Bit n: the instruction, or what it calls, writes register n. */
uint32_t
jit_writes(const struct bpf_insn *insn, const struct insn_info *info);

/* Bit n: the instruction, or what it calls, may read register n. */
uint16_t
jit_reads(const struct bpf_insn *insn, const struct insn_info *info);

/* ---- jit_look.c: functions before their code is made -------------------------------------------------------- */

/* All functions of a program, each once and behind those that it calls, and finds out about them. False: out of memory. */
bool
jit_add_program(struct jit *jit, const struct func *entry);

void
jit_free_func(struct jit_func *f);

/* ---- jit_fuse.c: what several instructions are together --------------------------------------------------- */

/* Fills in `live` of all instructions; `reads` is there. */
void
jit_find_live(struct jit_func *f);

/* Bit n: register n is read after the instruction at pc before it is written. */
uint16_t
jit_live_after(const struct jit_func *f, uint32_t pc);

enum jit_op_kind {
	JIT_NOTHING,      /* its result is dead */
	JIT_THREE,        /* dst = a alu b, or imm where has_imm */
	JIT_MULTIPLY_ADD, /* dst = dst * imm + b; imm is not 0 */
	JIT_ROTATE,       /* dst = a rotated left by imm, 1 to 31 or 63 */
	JIT_ZERO_EXTEND,  /* dst = the low imm bits (32, 16 or 8) of a */
	JIT_SIGN_EXTEND,
	JIT_SELECT,       /* dst = the condition at `at` holds ? dst : a */
	JIT_BOOL,         /* dst = the condition at `at` holds ? imm : 1 - imm */
	JIT_JUMP_BYTE,    /* the jump at `at`, taken where its condition, which is unsigned, holds of the low 8 bits of its dst */
	JIT_JUMP_UNLESS,  /* the jump at `at` + 1, taken where the condition at `at` does not hold */
	/*
	 * Memory: the load or store at `at`, of address a + its offset, has_index: + (b << scale). has_wide: a is the constant of the
	 * ld_imm64 at `wide`, and the register is free.
	 */
	JIT_ACCESS,
	JIT_LOAD_ALU,     /* the arithmetic at `with`, of what the load gives */
	JIT_LOAD_JUMP,    /* the jump at `with`, which compares what the load gives */
	JIT_UPDATE,       /* the arithmetic at `with`, done in memory, where the load is from */
};

/* Several instructions that are one. */
struct jit_op {
	enum jit_op_kind kind;
	uint32_t n;       /* instructions, counted in words */
	bool is_64;       /* of arithmetic; else 32 bits, and the upper half becomes 0 */
	bool has_imm, has_wide, has_index;
	uint8_t alu;      /* BPF_ADD, ... */
	uint8_t dst, a, b, scale;
	int32_t imm;
	uint32_t at, wide, with;
	uint32_t jump;    /* the jump among them, 0: none */
};

/* What begins at pc as more than one instruction, or as nothing. Returns op->n; 0: an instruction as any other. */
uint32_t
jit_fuse(const struct jit_func *f, uint32_t pc, struct jit_op *op);

/* ---- jit.c: constants that are not to be seen (vm_set_constants) ------------------------------------------- */

/* Registers that eBPF has not, for which a backend has some: of constants that are not to be seen, free between instructions; of the run. */
#define JIT_BLIND_REG 11
#define JIT_RUN_REG 12
#define JIT_REGS 13

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

/* Where the jump at pc says that it goes; where it is sent, `to` of struct jit_insn tells. */
uint32_t
jit_target(const struct jit_func *f, uint32_t pc);

/* The function of the compilation that is `func`, or NULL. */
struct jit_func *
jit_find_func(const struct jit *jit, const struct func *func);

/* The function of the program that the local call at pc calls. */
struct jit_func *
jit_callee(struct jit *jit, struct jit_func *f, uint32_t pc);

/* A function of the program as helpers call it: `frame` goes to r10, args to r1 to r4. */
typedef uint64_t jit_callback(struct vm_run *run, uint64_t frame, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4);

/* Addresses of the tables of functions, 8 bytes for each: where its code begins, and its jit_callback. */
uint64_t
jit_starts(const struct gen *g);

uint64_t
jit_callbacks(const struct gen *g);

/* Are lookups in the hash table done in place? Those in any table without the way through the helper? */
static inline bool
jit_knows_hash(const struct vm_table *t)
{
	return t->ops == &hash_ops && (t->table->key_size == 4 || t->table->key_size == 8 || t->table->key_size == 16);
}

static inline bool
jit_knows_lookup(const struct vm_table *t)
{
	return t->ops == &array_ops || t->n_cpus == 1 || jit_knows_hash(t);
}

/* Does the function keep the struct vm_run in JIT_RUN_REG? Before it is known whether its code needs it, it does. */
bool
jit_keeps_run(const struct gen *g);

/* The registers that the function has to give back as they were. Returns how many. */
unsigned
jit_saved(const struct gen *g, uint8_t saved[JIT_REGS]);

/* The moves that the conditional jump at pc takes along. */
void
jit_emit_ahead(struct gen *g, uint32_t pc);

/* Is the instruction at pc a jump backward that is paid for? */
bool
jit_is_charged(const struct gen *g, uint32_t pc);

/* The 64 bits of the ld_imm64 at pc: a number, the handle of a table or function, or the address of a value. */
uint64_t
jit_wide(struct jit *jit, struct jit_func *f, uint32_t pc);

#endif
