/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * For the files of codegen only: the intermediate code (IR) of one program and the passes over it.
 *
 *     typed tree --lower--> IR --clean, reuse--> IR --regs, results--> IR with a place for each value --emit--> eBPF
 *
 * The IR is a list of instructions over any number of 64-bit values ("vregs"). A vreg may be written more than once; that is how
 * variables and the two sides of a branch meet. Memory is named by frame objects (bytes of the eBPF stack) and scratch objects (bytes
 * of the scratch memory that every run of a handler gets).
 */
#ifndef KTAP_CODEGEN_INT_H
#define KTAP_CODEGEN_INT_H

#include "codegen/codegen.h"

/* OP(id, "name"): what it does with dst, a, b, imm, off is said in ir_ops.def. */
enum ir_op {
#define OP(id, name, doc) IR_##id,
#include "codegen/ir_ops.def"
#undef OP
	N_IR_OPS
};

#define NO_VREG (-1)

struct ir_insn {
	enum ir_op op;
	uint8_t sub;      /* ALU: BPF_ADD ...; BRANCH: BPF_JEQ ... */
	uint8_t size;     /* memory: BPF_B, BPF_H, BPF_W, BPF_DW */
	bool has_imm;     /* the second operand is imm instead of b */
	bool varies;      /* CONST, STORE with imm: a value of the script, of which the verifiers need to know nothing; see hide.c */
	bool is_32;       /* BRANCH with imm: compares the lower 32 bits */
	int dst, a, b;    /* vregs or NO_VREG */
	int64_t imm;
	int32_t off;
	uint32_t label;
	uint32_t field;   /* LOAD, ALU, CONST: off or imm is the place of that field of the program, counted from 1; 0: of none */
	const struct core_number *core; /* ALU, CONST: imm is this number, of the kernel that we compile on; NULL: of none */
	uint8_t n_args;   /* CALL */
	int args[5];
	struct span span;
};

/* Where a vreg lives, decided by regs.c. */
enum place_kind { PLACE_NONE, PLACE_REG, PLACE_STACK, PLACE_SCRATCH };

struct vreg {
	/* Must not be kept in scratch memory, where verifiers forget what is known of it: an address; a number that ends a loop or is a size. */
	bool is_pointer, is_followed;
	enum place_kind place;
	uint8_t reg;           /* PLACE_REG: 0 to 9; 0 by results.c only */
	uint32_t slot;         /* PLACE_STACK: bytes below r10; PLACE_SCRATCH: byte offset in scratch */
	uint32_t start, end;   /* live interval, in instruction numbers */
	bool crosses_call;
};

/* The parameters of a handler (ebpf.h, struct program) are the first vregs. The frame pointer follows, base of frame objects; its offsets count from the top of the frame objects. */
#define FP_VREG N_PARAMS

/* The handler's part of the 512 bytes of stack; the entry stub has the rest. */
#define STACK_MAX 352
#define FRAME_OBJECTS_MAX 208
#define SCRATCH_MAX (24u * 1024)

/* The kernel takes no longer programs (BPF_COMPLEXITY_LIMIT_INSNS). */
#define INSNS_MAX 1000000

struct ir {
	struct arena *arena;
	struct ir_insn *insns;
	uint32_t n, cap;
	struct vreg *vregs;
	uint32_t n_vregs, cap_vregs;
	uint32_t n_labels;
	int params[N_PARAMS];
	struct span span;        /* given to instructions that follow */
	bool varies;             /* the same */
	uint32_t frame_now, frame_max;     /* bytes of frame objects in use, most ever in use */
	uint32_t frame_limit;              /* for them; larger ones and what is more goes to scratch memory */
	uint32_t stack_max;                /* bytes of stack for them and for spill slots */
	uint32_t callee_stack;             /* bytes of stack of the functions that are called back from here */
	/* Of a function that is called back, else NO_VREG: the address of the block with the handler's parameters; the element's key and value. */
	int context, element_key, element_value;
	uint32_t scratch_now, scratch_max;
	uint32_t n_spill_stack, n_spill_scratch; /* bytes */
};

void
ir_init(struct ir *ir, struct arena *arena);

/* Arguments of functions that helpers call back, counted from 0: where the context is. */
enum { CONTEXT_OF_LOOP = 1, CONTEXT_OF_EACH = 3 };

/*
 * The same for a function that a helper calls back. Its params are those of the handler, loaded from the block that argument `context`
 * points to, 8 bytes each.
 */
void
ir_init_callback(struct ir *ir, struct arena *arena, unsigned context);

/* Appends; the span is ir->span. */
struct ir_insn *
ir_add(struct ir *ir, struct ir_insn insn);

int
ir_vreg(struct ir *ir);

/* Vregs that hold an address. */
int
ir_pointer(struct ir *ir);

uint32_t
ir_label(struct ir *ir);

void
ir_bind(struct ir *ir, uint32_t label);

void
ir_jump(struct ir *ir, uint32_t label);

/* A number that verifiers follow, whatever is added to it later. */
int
ir_const(struct ir *ir, int64_t value);

void
ir_move(struct ir *ir, int dst, int src);

void
ir_set(struct ir *ir, int dst, int64_t value);

int
ir_alu(struct ir *ir, uint8_t op, int a, int b);

int
ir_alu_imm(struct ir *ir, uint8_t op, int a, int64_t imm);

/* The lower 32 bits. */
int
ir_low(struct ir *ir, int a);

/* In place: dst op= imm. */
void
ir_update_imm(struct ir *ir, uint8_t op, int dst, int64_t imm);

/* a + off as an address. */
int
ir_address(struct ir *ir, int a, int32_t off);

int
ir_load(struct ir *ir, uint8_t size, int base, int32_t off);

void
ir_store(struct ir *ir, uint8_t size, int base, int32_t off, int value);

void
ir_store_imm(struct ir *ir, uint8_t size, int base, int32_t off, int64_t value);

void
ir_branch(struct ir *ir, uint8_t cmp, int a, int b, uint32_t label);

void
ir_branch_imm(struct ir *ir, uint8_t cmp, int a, int64_t imm, uint32_t label);

/* The same on the lower 32 bits of a. */
void
ir_branch32_imm(struct ir *ir, uint8_t cmp, int a, int32_t imm, uint32_t label);

int
ir_call(struct ir *ir, int32_t helper, const int *args, unsigned n_args);

/* The same into a vreg that there is. */
void
ir_call_into(struct ir *ir, int dst, int32_t helper, const int *args, unsigned n_args);

/* The same of a function of the object, without arguments, that has no effect but its result. The caller sees to callee_stack. */
int
ir_call_func(struct ir *ir, uint32_t func);

/* Of a helper or a function: registers 0 to 5 change. */
bool
ir_is_call(const struct ir_insn *insn);

void
ir_print(const struct ir *ir, FILE *out);

/* ---- live.c: which values are wanted later ---- */

#define NO_BLOCK UINT32_MAX

struct block {
	uint32_t first, end;   /* instructions [first, end) */
	uint32_t next[2];      /* successors, NO_BLOCK: none */
};

struct flow {
	struct block *blocks;
	uint32_t n_blocks;
	uint32_t *first_pred, *preds; /* the blocks that lead to block b: preds[first_pred[b]] to preds[first_pred[b + 1] - 1] */
};

/* The blocks of clean IR, in its arena. */
void
ir_flow(struct ir *ir, struct flow *flow);

/* Is told, once each, where a vreg is live: where a block begins (may be NULL), where one ends. */
struct live_visitor {
	void *arg;
	void (*at_first)(void *arg, int vreg, const struct block *block);
	void (*at_end)(void *arg, int vreg, const struct block *block);
};

void
ir_live(struct ir *ir, const struct flow *flow, const struct live_visitor *visitor);

/* ---- passes ---- */

/* clean.c. Removes what has no effect: unused values, code behind jumps, jumps to the next instruction. */
void
ir_clean(struct ir *ir);

/* reuse.c. What was computed already is not computed again. Needs: clean IR. Leaves: unused values. */
void
ir_reuse(struct ir *ir);

/* Does this helper, which takes nothing and does nothing, say the same during one run of a handler? */
bool
ir_is_constant_helper(int32_t helper);

/* hide.c. How many times ways meet that leave different constants behind in variables. Needs: clean IR. */
unsigned
ir_count_meetings(struct ir *ir);

/* Hides these constants from the verifiers; there are 8 zeros in the globals, which they do not know. Needs, leaves: clean IR. */
void
ir_hide(struct ir *ir, uint32_t zeros_off);

/*
 * regs.c. Linear scan with spilling. Needs: clean IR. Leaves: a place for each vreg that is used; spill slots counted.
 */
void
ir_allocate(struct ir *ir);

/* results.c. Results of calls stay in r0 where they can. Needs: places. Leaves: places. */
void
ir_keep_results(struct ir *ir);

/*
 * emit.c. Needs: places. Leaves: instructions in `code`, finished. Returns bytes of stack used, or -ERANGE: there are too many.
 */
int
ir_emit(const struct object *object, struct ir *ir, struct code *code);

/* ---- lower.c ---- */

/* Lowers one typed program to IR and on to functions and a program of the object. False: reported in diags. */
bool
lower_program(struct object *object, const struct typed *typed, const struct typed_program *program, bool (*has_helper)(int32_t helper),
	      struct diags *diags);

/* place.c: `size` bytes of the globals table, 8-byte aligned; returns their offset. */
uint32_t
globals_alloc(struct object *object, uint32_t size);

/* place.c: adds the two tables of stacks of that many frames. */
void
place_stacks(struct object *object, enum stacks_of of, uint32_t frames);

/* place.c: the table of such texts of events, added when it is not there; its values have `size` bytes. Returns its index. */
uint32_t
place_event_text(struct object *object, enum event_text text, uint32_t size);

/* place.c: decides tables and globals of shared variables; adds them, and our own tables, to the object. */
void
place_variables(struct object *object, const struct typed *typed);

/* Layout of one value of a type in memory. */
struct shape
shape_of(struct type *type, bool nullable);

#endif
