/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The interpreter, and the way to it: vm_load and vm_run, which prefer machine code (jit.c). A program is verified, then decoded
 * once: wide instructions become one, jumps count decoded instructions, tables and helpers become addresses, and two that often follow each other
 * are taken in one step (pairs.def). Running is a chain of computed jumps from the code of one step to that of the next; that code is made from
 * the rows of insn.def, so that what an instruction does is said in one place.
 *
 * Relies on the verifier: nothing is checked while running. Every frame has VM_STACK_SIZE bytes of stack.
 */
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vm/lock.h"
#include "vm/vm_int.h"

/* A decoded instruction. */
struct op {
	uint8_t id;           /* enum insn_id, or OP_ */
	uint8_t dst, src;
	union {
		int32_t off;
		int32_t jump; /* in ops, from the next one */
	};
	union {
		int64_t imm;
		helper_fn *helper;
		const struct vm_func *callee;
	};
};

/* What decoding adds to the instructions: of programs that have a budget, and for what is no call like others. */
enum {
	OP_CHARGE = N_INSNS, /* before a jump backward: pays for it or ends the run */
	OP_TAIL_CALL,        /* in place of a call of that helper */
	OP_CHECK,            /* behind a helper that calls back: ends the run where the budget was used up there */
#define PAIR(kind, a, b) OP_##a##_##b, /* these two */
#include "vm/pairs.def"
	N_OPS
};

struct vm_func {
	struct vm_func *next;
	const struct func *func;
	struct op *ops;
};

bool
insn_jumps_back(const struct bpf_insn *insn)
{
	const struct insn_info *info = insn_info(insn);

	if (info->shape != SHAPE_JUMP && info->shape != SHAPE_COND)
		return false;
	return (info->id == INSN_JA32 ? insn->imm : insn->off) < 0;
}

/* ---- decoding -------------------------------------------------------------------------------------------- */

static void
program_free(struct vm_program *program)
{
	for (struct vm_func *f = program->funcs, *next; f; f = next) {
		next = f->next;
		free(f->ops);
		free(f);
	}
	jit_free(program->code);
	free(program->functions);
	free(program);
}

void
vm_programs_free(struct vm_program *programs)
{
	for (struct vm_program *next; programs; programs = next) {
		next = programs->next;
		program_free(programs);
	}
}

/* 64 bits of ld_imm64: a number, the handle of a table or function, or the address of a value. */
static int64_t
wide_imm(struct vm *vm, const struct func *func, uint32_t pc)
{
	const struct bpf_insn *insn = &func->insns[pc];
	const struct reloc *reloc = func_reloc(func, pc);
	size_t len;

	if (!reloc)
		return (int64_t)((uint32_t)insn->imm | (uint64_t)(uint32_t)insn[1].imm << 32);
	if (reloc->kind == RELOC_TABLE)
		return (intptr_t)&vm->tables[reloc->index];
	if (reloc->kind == RELOC_FUNC_ADDR)
		return (int64_t)func_handle(reloc->index);
	return (intptr_t)array_memory(&vm->tables[reloc->index], &len) + reloc->addend;
}

static const struct vm_func *
decode_func(struct vm *vm, struct vm_program *program, const struct func *func);

/* Ops that stand before and behind the instruction at pc, in a program that has a budget. */
static uint32_t
n_before(const struct vm_program *program, const struct func *func, uint32_t pc)
{
	return program->budget && insn_jumps_back(&func->insns[pc]);
}

static uint32_t
n_behind(const struct vm_program *program, const struct func *func, uint32_t pc)
{
	return program->budget && insn_calls_back(&func->insns[pc]);
}

/*
 * Decodes the instruction at pc. index[pc] is the number of the first op of each instruction, `at` of its own one. False: out of
 * memory.
 */
static bool
decode_insn(struct vm *vm, struct vm_program *program, const struct func *func, uint32_t pc, const uint32_t *index, uint32_t at,
	    struct op *op)
{
	const struct bpf_insn *insn = &func->insns[pc];
	const struct insn_info *info = insn_info(insn);

	*op = (struct op){ .id = info->id, .dst = insn->dst_reg, .src = insn->src_reg, .off = insn->off, .imm = insn->imm };
	switch ((enum insn_shape)info->shape) {
	case SHAPE_LD64:
		op->id = INSN_LD64;
		op->imm = wide_imm(vm, func, pc);
		return true;
	case SHAPE_JUMP:
	case SHAPE_COND:
		op->id = info->id == INSN_JA32 ? INSN_JA : info->id;
		op->jump = (int32_t)index[pc + 1 + (uint32_t)(info->id == INSN_JA32 ? insn->imm : insn->off)] - (int32_t)at - 1;
		return true;
	case SHAPE_CALL:
		if (insn_is_tail_call(insn)) {
			op->id = OP_TAIL_CALL;
			return true;
		}
		if (info->id == INSN_CALLX)
			return true;
		if (info->id == INSN_CALL) {
			op->helper = helper_code(insn->imm);
			return true;
		}
		op->callee = decode_func(vm, program, func_callee(vm->object, func, pc));
		return op->callee;
	case SHAPE_ALU:
	case SHAPE_UNARY:
	case SHAPE_LOAD:
	case SHAPE_STORE:
	case SHAPE_ATOMIC:
	case SHAPE_EXIT:
	case SHAPE_PACKET:
		break;
	}
	return true;
}

/* Two ops as one. */
struct pair {
	uint8_t id, first, second;
	enum { PAIR_ANY, PAIR_SAME, PAIR_TEST, PAIR_BASE } kind; /* as in pairs.def */
};

/* The first row of pairs.def that the two ops from `op` on are, or NULL. Both have their own ids still. */
static const struct pair *
pair_at(const struct op *op)
{
	static const struct pair pairs[] = {
#define PAIR(kind, a, b) { OP_##a##_##b, INSN_##a, INSN_##b, PAIR_##kind },
#include "vm/pairs.def"
	};

	for (const struct pair *p = pairs; p < pairs + ARRAY_SIZE(pairs); p++)
		if (op->id == p->first && op[1].id == p->second &&
		    (p->kind == PAIR_ANY || op->dst == (p->kind == PAIR_BASE ? op[1].src : op[1].dst)))
			return p;
	return NULL;
}

/*
 * The second op of a pair stays what it was, for jumps to it, or begins a pair of its own. Where that one hands a value over and this one would
 * not, it is left to that one.
 */
static void
join_pairs(struct op *ops, uint32_t n)
{
	const struct pair *pair = n > 1 ? pair_at(&ops[0]) : NULL;

	for (uint32_t i = 0; i + 1 < n; i++) {
		const struct pair *next = i + 2 < n ? pair_at(&ops[i + 1]) : NULL;

		if (pair && (pair->kind != PAIR_ANY || !next || next->kind == PAIR_ANY))
			ops[i].id = pair->id;
		pair = next;
	}
}

static bool
decode_insns(struct vm *vm, struct vm_program *program, struct vm_func *f)
{
	const struct func *func = f->func;
	uint32_t *index = mem_alloc(func->n_insns * sizeof(*index)), n = 0;
	bool ok = index;

	for (uint32_t pc = 0; ok && pc < func->n_insns; pc++) {
		index[pc] = n;
		n += n_before(program, func, pc) + 1 + n_behind(program, func, pc);
		pc += insn_is_wide(&func->insns[pc]);
	}
	f->ops = ok ? mem_alloc(n * sizeof(*f->ops)) : NULL;
	ok = f->ops;
	for (uint32_t pc = 0; ok && pc < func->n_insns; pc++) {
		uint32_t at = index[pc] + n_before(program, func, pc);

		f->ops[index[pc]].id = OP_CHARGE;
		ok = decode_insn(vm, program, func, pc, index, at, &f->ops[at]);
		if (n_behind(program, func, pc))
			f->ops[at + 1].id = OP_CHECK;
		pc += insn_is_wide(&func->insns[pc]);
	}
	if (ok)
		join_pairs(f->ops, n);
	free(index);
	return ok;
}

/* The decoded function; each once a program. NULL: out of memory. */
static const struct vm_func *
decode_func(struct vm *vm, struct vm_program *program, const struct func *func)
{
	struct vm_func *f;

	for (f = program->funcs; f; f = f->next)
		if (f->func == func)
			return f;
	f = mem_alloc(sizeof(*f));
	if (!f)
		return NULL;
	f->func = func;
	f->next = program->funcs;
	program->funcs = f;
	return decode_insns(vm, program, f) ? f : NULL;
}

struct decoding {
	struct vm *vm;
	struct vm_program *program;
};

/* For any_func. True: out of memory. */
static bool
decode_another(const struct func *func, void *arg)
{
	const struct decoding *d = arg;

	return !decode_func(d->vm, d->program, func);
}

/* The program and what it takes the addresses of. False: out of memory. */
static bool
decode_program(struct vm *vm, struct vm_program *program)
{
	struct decoding d = { vm, program };

	program->entry = decode_func(vm, program, program->func);
	if (!program->entry)
		return false;
	if (!any_func(vm->object, program->func, func_takes_address, (void *)(uintptr_t)vm->object))
		return true;
	program->functions = mem_alloc(vm->object->n_funcs * sizeof(*program->functions));
	if (!program->functions || any_func(vm->object, program->func, decode_another, &d))
		return false;
	for (const struct vm_func *f = program->funcs; f; f = f->next)
		for (uint32_t i = 0; i < vm->object->n_funcs; i++)
			if (vm->object->funcs[i] == f->func)
				program->functions[i] = f;
	return true;
}

void
vm_set_exec(struct vm *vm, enum vm_exec exec)
{
	vm->exec = exec;
}

void
vm_set_constants(struct vm *vm, enum vm_constants constants)
{
	vm->constants = constants;
}

void
vm_set_budget(struct vm *vm, uint32_t budget)
{
	vm->budget = budget;
}

enum vm_exec
vm_program_exec(const struct vm_program *program)
{
	return program->code ? VM_EXEC_JIT : VM_EXEC_INTERP;
}

const struct func *
vm_program_func(const struct vm_program *program)
{
	return program->func;
}

static int
out_of_memory(const struct func *func, struct text *why)
{
	text_printf(why, "function \"%s\": out of memory", func->name ? func->name : "?");
	return -ENOMEM;
}

/* Machine code or decoded instructions, as the machine says. 0 or -errno with *why set. */
static int
prepare(struct vm *vm, struct vm_program *program, const struct vm_facts *facts, struct text *why)
{
	struct text reason = { 0 };
	int err = -EOPNOTSUPP;

	if (vm->exec != VM_EXEC_INTERP)
		err = jit_compile(vm, program->func, &program->signature, facts, &program->code, &reason);
	if (err && vm->exec == VM_EXEC_JIT)
		text_puts(why, reason.s ? reason.s : "out of memory");
	text_fini(&reason);
	if (!err || vm->exec == VM_EXEC_JIT)
		return err;
	return decode_program(vm, program) ? 0 : out_of_memory(program->func, why);
}

/* Of a function that was accepted. */
static struct vm_program *
load_accepted(struct vm *vm, const struct func *func, const struct vm_signature *signature, const struct vm_facts *facts, struct text *why, int *err)
{
	struct vm_program *program = mem_alloc(sizeof(*program));

	if (!program) {
		*err = out_of_memory(func, why);
		return NULL;
	}
	program->vm = vm;
	program->func = func;
	program->signature = *signature;
	program->budget = vm->budget;
	*err = programs_join(program, why);
	if (!*err)
		*err = prepare(vm, program, facts, why);
	if (*err) {
		program_free(program);
		return NULL;
	}
	program->next = vm->programs;
	vm->programs = program;
	return program;
}

struct vm_program *
vm_load(struct vm *vm, const struct func *func, const struct vm_signature *signature, struct text *why, int *err)
{
	struct vm_facts *facts = NULL;
	const struct verify_watch watch = { .facts = vm->exec == VM_EXEC_INTERP ? NULL : &facts };
	struct vm_program *program;

	*err = verify_watched(vm->object, func, signature, &watch, why);
	program = *err ? NULL : load_accepted(vm, func, signature, facts, why, err);
	vm_facts_free(facts);
	return program;
}

/* ---- running ------------------------------------------------------------------------------------------------- */

/* What a call keeps for the return. */
struct saved {
	const struct op *op;
	uint64_t regs[5]; /* r6 to r10 */
};

static inline void *
address(uint64_t base, int32_t off)
{
	return (void *)(uintptr_t)(base + (uint64_t)(int64_t)off);
}

/*
 * What each row of insn.def does, as functions: value_ID gives what goes to dst, of `first`, which is what dst holds (of a load: src); holds_ID
 * whether a jump is taken, dst holding `first`; step_ID does all of it and gives the next op.
 */
#define INLINE static inline __attribute__((always_inline))
#define OPERAND(code) (BPF_SRC(code) == BPF_X ? reg[op->src] : (uint64_t)op->imm)

#define ALU(id, name, opcode, select, value, shape, group, version, format, type, expr) \
INLINE uint8_t first_##id(const struct op *op) { return op->dst; } \
INLINE uint64_t value_##id(const struct op *op, const uint64_t reg[11], uint64_t first) \
{ \
	type dst = (type)first, src = (type)OPERAND(opcode); \
	(void)dst, (void)src, (void)reg; \
	return (type)(expr); \
} \
INLINE const struct op *step_##id(const struct op *op, uint64_t reg[11]) \
{ \
	reg[op->dst] = value_##id(op, reg, reg[op->dst]); \
	return op + 1; \
}
#define COND(id, name, opcode, select, value, shape, group, version, format, type, expr) \
INLINE bool holds_##id(const struct op *op, const uint64_t reg[11], uint64_t first) \
{ \
	type dst = (type)first, src = (type)OPERAND(opcode); \
	(void)reg; \
	return expr; \
} \
INLINE const struct op *step_##id(const struct op *op, uint64_t reg[11]) \
{ \
	return op + (holds_##id(op, reg, reg[op->dst]) ? op->jump + 1 : 1); \
}
#define LOAD(id, name, opcode, select, value, shape, group, version, format, type) \
INLINE uint8_t first_##id(const struct op *op) { return op->src; } \
INLINE uint64_t value_##id(const struct op *op, const uint64_t reg[11], uint64_t first) \
{ \
	type loaded; \
	(void)reg; \
	memcpy(&loaded, address(first, op->off), sizeof(loaded)); \
	return (uint64_t)loaded; \
} \
INLINE const struct op *step_##id(const struct op *op, uint64_t reg[11]) \
{ \
	reg[op->dst] = value_##id(op, reg, reg[op->src]); \
	return op + 1; \
}
#define STORE(id, name, opcode, select, value, shape, group, version, format, type) \
INLINE const struct op *step_##id(const struct op *op, uint64_t reg[11]) \
{ \
	type stored = (type)(BPF_CLASS(opcode) == BPF_STX ? reg[op->src] : (uint64_t)op->imm); \
	memcpy(address(reg[op->dst], op->off), &stored, sizeof(stored)); \
	return op + 1; \
}
#define ATOMIC(id, name, opcode, select, value, shape, group, version, format, type, function) \
INLINE const struct op *step_##id(const struct op *op, uint64_t reg[11]) \
{ \
	type *at = address(reg[op->dst], op->off); \
	type old = __atomic_##function(at, (type)reg[op->src], __ATOMIC_SEQ_CST); \
	if ((value) & BPF_FETCH) \
		reg[op->src] = old; \
	return op + 1; \
}
#define CMPXCHG(id, name, opcode, select, value, shape, group, version, format, type) \
INLINE const struct op *step_##id(const struct op *op, uint64_t reg[11]) \
{ \
	type *at = address(reg[op->dst], op->off); \
	type old = (type)reg[0]; \
	__atomic_compare_exchange_n(at, &old, (type)reg[op->src], false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST); \
	reg[0] = old; \
	return op + 1; \
}
#include "ebpf/insn.def"

INLINE uint8_t
first_LD64(const struct op *op)
{
	return op->dst;
}

INLINE uint64_t
value_LD64(const struct op *op, const uint64_t reg[11], uint64_t first)
{
	(void)reg, (void)first;
	return (uint64_t)op->imm;
}

INLINE const struct op *
step_LD64(const struct op *op, uint64_t reg[11])
{
	reg[op->dst] = (uint64_t)op->imm;
	return op + 1;
}

INLINE const struct op *
step_JA(const struct op *op, uint64_t reg[11])
{
	(void)reg;
	return op + op->jump + 1;
}

#define NEXT() goto *code[op->id]

static uint64_t
execute(struct vm_run *run, const struct op *op, uint64_t reg[11])
{
	static const void *const code[N_OPS] = {
#define ALU(id, ...) [INSN_##id] = &&do_##id,
#define COND(id, ...) [INSN_##id] = &&do_##id,
#define LOAD(id, ...) [INSN_##id] = &&do_##id,
#define STORE(id, ...) [INSN_##id] = &&do_##id,
#define ATOMIC(id, ...) [INSN_##id] = &&do_##id,
#define CMPXCHG(id, ...) [INSN_##id] = &&do_##id,
#include "ebpf/insn.def"
		[INSN_LD64] = &&do_LD64,
		[INSN_JA] = &&do_JA,
		[INSN_CALL] = &&do_CALL,
		[INSN_CALL_LOCAL] = &&do_CALL_LOCAL,
		[INSN_CALLX] = &&do_CALLX,
		[INSN_EXIT] = &&do_EXIT,
		[OP_TAIL_CALL] = &&do_TAIL_CALL,
		[OP_CHARGE] = &&do_CHARGE,
		[OP_CHECK] = &&do_CHECK,
#define PAIR(kind, a, b) [OP_##a##_##b] = &&do_##a##_##b,
#include "vm/pairs.def"
	};
	const struct vm_func *callee;
	struct saved saved[VM_FRAMES_MAX];
	uint32_t depth = 0;

	NEXT();

#define STEP(id) \
do_##id: \
	op = step_##id(op, reg); \
	NEXT();
#define ALU(id, ...) STEP(id)
#define COND(id, ...) STEP(id)
#define LOAD(id, ...) STEP(id)
#define STORE(id, ...) STEP(id)
#define ATOMIC(id, ...) STEP(id)
#define CMPXCHG(id, ...) STEP(id)
#include "ebpf/insn.def"
	STEP(LD64)
	STEP(JA)

#define PAIR(kind, a, b) \
do_##a##_##b: \
	JOIN_##kind(a, b) \
	NEXT();
#define JOIN_ANY(a, b) \
	op = step_##a(op, reg); \
	op = step_##b(op, reg);
#define JOIN_SAME(a, b) { \
		uint64_t *dst = &reg[op->dst]; \
		*dst = value_##a(op, reg, reg[first_##a(op)]); \
		*dst = value_##b(op + 1, reg, *dst); \
		op += 2; \
	}
#define JOIN_TEST(a, b) { \
		uint64_t made = value_##a(op, reg, reg[first_##a(op)]); \
		reg[op->dst] = made; \
		op++; \
		op += holds_##b(op, reg, made) ? op->jump + 1 : 1; \
	}
#define JOIN_BASE(a, b) { \
		uint64_t made = value_##a(op, reg, reg[first_##a(op)]); \
		reg[op->dst] = made; \
		reg[op[1].dst] = value_##b(op + 1, reg, made); \
		op += 2; \
	}
#include "vm/pairs.def"

do_CALL:
	run->frame = reg[10];
	reg[0] = op->helper(run, reg[1], reg[2], reg[3], reg[4], reg[5]);
	op++;
	NEXT();

do_CALL_LOCAL:
	callee = op->callee;
enter:
	saved[depth].op = op + 1;
	memcpy(saved[depth].regs, &reg[6], sizeof(saved[depth].regs));
	depth++;
	reg[10] += VM_STACK_SIZE;
	op = callee->ops;
	NEXT();

do_CALLX:
	if (reg[op->dst] & FUNC_HANDLE) {
		callee = run->functions[(uint32_t)reg[op->dst]];
		goto enter;
	}
	reg[0] = helper_code((int32_t)reg[op->dst])(run, reg[1], reg[2], reg[3], reg[4], reg[5]);
	op++;
	NEXT();

do_EXIT:
	if (!depth)
		return reg[0];
	depth--;
	memcpy(&reg[6], saved[depth].regs, sizeof(saved[depth].regs));
	op = saved[depth].op;
	NEXT();

do_TAIL_CALL: {
		const struct vm_program *program = programs_at((const struct vm_table *)(uintptr_t)reg[2], (uint32_t)reg[3]);

		if (!program || run->n_tail_calls >= VM_TAIL_CALLS_MAX) {
			op++;
			NEXT();
		}
		run->n_tail_calls++;
		if (!depth && !program->code) {
			run->functions = program->functions;
			op = program->entry->ops; /* r1 is the context, r10 stays */
			NEXT();
		}
		reg[0] = enter_by_tail_call(run, program, reg[1]);
		if (run->budget < 0)
			return 0;
		goto do_EXIT;
	}

do_CHARGE:
	if (--run->budget < 0)
		return 0;
	op++;
	NEXT();

do_CHECK:
	if (run->budget < 0)
		return 0;
	op++;
	NEXT();
}

/* call_back of a run in the interpreter. */
static uint64_t
interp_call_back(struct vm_run *run, uint64_t function, uint64_t frame, const uint64_t args[VM_CALLBACK_ARGS])
{
	const struct vm_func *f = run->functions[(uint32_t)function];
	uint64_t reg[11] = { [10] = frame + VM_STACK_SIZE };

	if (!run_may_call_back(run))
		return 1; /* ends the helper's loop */
	memcpy(&reg[1], args, VM_CALLBACK_ARGS * sizeof(reg[1]));
	return execute(run, f->ops, reg);
}

static void
add_range(struct vm_run *run, const void *base, size_t len)
{
	run->ranges[run->n_ranges].base = base;
	run->ranges[run->n_ranges++].len = len;
}

/* From now on it is this program that helpers call back. */
static void
run_enter(struct vm_run *run, const struct vm_program *program)
{
	run->call_back = program->code ? jit_call_back : interp_call_back;
	run->functions = program->functions; /* machine code sets its own where it calls such a helper */
}

/* What helpers see of a run. Without an env, all that they are asked for is 0. */
static void
run_init(struct vm_run *run, struct vm *vm, const struct vm_program *program, const struct vm_env *env, const uint64_t args[5],
	 char *stack)
{
	static const struct vm_env nobody;

	run->vm = vm;
	run_enter(run, program);
	run->env = env ? env : &nobody;
	run->cpu = env_index(run->env, vm->n_cpus);
	run->processor = run->env->cpu;
	run->n_ranges = 0;
	run->has_budget = program->budget;
	run->budget = program->budget;
	memset(run->held, 0, sizeof(run->held));
	run->locked = NULL;
	run->n_tail_calls = 0;
	add_range(run, stack, VM_STACK_SIZE);
	if (run->env->record)
		add_range(run, run->env->record, run->env->record_len);
	for (int i = 0; i < 5; i++) {
		enum vm_arg_kind kind = program->signature.args[i].kind;

		assert(kind != VM_ARG_MEM || args[i] % 8 == 0);
		if (kind == VM_ARG_MEM || kind == VM_ARG_MEM_RDONLY || (kind == VM_ARG_CTX && program->signature.args[i].size))
			add_range(run, (const void *)(uintptr_t)args[i], program->signature.args[i].size);
	}
}

/* `stack`: all frames of the run. It is not cleared: no verified program reads what it did not write. */
static uint64_t
run_program(struct vm_run *run, const struct vm_program *program, const uint64_t args[5], char *stack)
{
	uint64_t reg[11] = { 0 };

	if (debug_on(DEBUG_VM))
		fprintf(stderr, "vm: run %s\n", program->func->name ? program->func->name : "?");
	if (program->code)
		return program->code->entry(run, args, stack + VM_STACK_SIZE);
	for (int i = 0; i < 5; i++)
		if (program->signature.args[i].kind != VM_ARG_NONE)
			reg[i + 1] = args[i];
	reg[10] = (uintptr_t)stack + VM_STACK_SIZE;
	return execute(run, program->entry->ops, reg);
}

/* No deeper than VM_TAIL_CALLS_MAX of these. Not inlined: only who comes here pays for the stack. */
__attribute__((noinline)) uint64_t
enter_by_tail_call(struct vm_run *run, const struct vm_program *program, uint64_t context)
{
	_Alignas(16) char stack[VM_FRAMES_MAX * VM_STACK_SIZE];
	const uint64_t args[5] = { context };
	uint64_t (*call_back)(struct vm_run *, uint64_t, uint64_t, const uint64_t[VM_CALLBACK_ARGS]) = run->call_back, r0;
	const void *const *functions = run->functions;

	run_enter(run, program);
	r0 = run_program(run, program, args, stack);
	run->call_back = call_back;
	run->functions = functions;
	return r0;
}

/* The budget was used up: what the program holds is given back for it. */
static void
run_stopped(struct vm_run *run)
{
	for (int i = 0; i < VM_REFS_MAX; i++)
		if (run->held[i])
			ringbuf_commit(run->held[i], RINGBUF_DISCARD, 0);
	if (run->locked)
		lock_give(run->locked);
}

int
vm_run_bounded(struct vm *vm, const struct vm_program *program, const struct vm_env *env, const uint64_t args[5], uint64_t *r0)
{
	_Alignas(16) char stack[VM_FRAMES_MAX * VM_STACK_SIZE];
	struct vm_run run;
	uint64_t result;

	run_init(&run, vm, program, env, args, stack);
	result = run_program(&run, program, args, stack);
	if (run.budget < 0) {
		run_stopped(&run);
		return -ETIME;
	}
	*r0 = result;
	return 0;
}

uint64_t
vm_run(struct vm *vm, const struct vm_program *program, const struct vm_env *env, const uint64_t args[5])
{
	_Alignas(16) char stack[VM_FRAMES_MAX * VM_STACK_SIZE];
	struct vm_run run;
	uint64_t r0 = 0;

	if (program->budget) {
		vm_run_bounded(vm, program, env, args, &r0);
		return r0;
	}
	if (!program->code || program->code->uses_run)
		run_init(&run, vm, program, env, args, stack);
	return run_program(&run, program, args, stack);
}
