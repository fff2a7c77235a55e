/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * A second, slow interpreter that trusts nobody, for tests of verifier and interpreter on random programs. While it runs an
 * accepted program it checks that
 *
 *   - every load and store lies in memory that the program was given, and loads from the stack read what was written;
 *   - whatever an instruction reads (numbers, and offsets of addresses) is what the verifier said it could be in one of the
 *     states in which it looked at that instruction. The usual pruning compares only numbers that matter (verify_precise.c), so
 *     of the others any value may come by: there, what must be foreseen is addresses, numbers added to them, sizes, and
 *     numbers that decide a branch of which the verifier followed one way only. With PRUNE_EXACT it is every number;
 *
 * and afterwards that the fast interpreter and, where it exists, the machine code got the same result. And without running:
 * whatever way paths are pruned, the verdict is that of following every path to its end (as long as those are not too many).
 * Anything else aborts, with the program on stderr.
 */
#ifndef VM_REFERENCE_H
#define VM_REFERENCE_H

#include <assert.h>
#include <errno.h>

#include "vm_fixture.h"

#include "vm/vm_int.h"

#define VISITS_MAX 64 /* states kept an instruction; where there are more, the check is left out */
#define VISITS_FUNCS_MAX 8
#define RINGBUF_BYTES (1u << 15)

/* A state in which the verifier looked at an instruction. */
struct visit {
	uint32_t next;  /* number of another one, counted from 1; 0: none */
	uint32_t known; /* where the registers that the instruction reads begin among all `known`, in their order */
};

/* Those of the instructions of a function; arrays of func->n_insns. */
struct visits {
	const struct func *func;
	uint32_t *n, *last;
};

/* What the verifier foresaw when it followed the paths in one way. */
struct foreseen {
	struct arena *arena;
	bool strict;              /* every number was to be foreseen */
	struct visits visits[VISITS_FUNCS_MAX];
	/* In pieces that grow: an allocation each would cost a sanitized run more than all the rest. */
	struct visit *all;
	struct reg *known;
	uint32_t n, cap, n_known, cap_known;
};

/* A program to be tried: the entry, of an object, and what it is called with. */
struct reference_program {
	struct object *object;
	const struct func *entry;
	const struct vm_signature *signature; /* r1 a record, r3 a number, scratch memory or nothing behind, as a handler's */
	uint64_t seed; /* of a program of chance, which alone gives it again, and the way it is tried */
};

struct reference {
	struct reference_program program;
	struct foreseen foreseen[2]; /* by checkpoints that cover all numbers, and those that matter */
	bool calls_back;          /* may take longer than anybody waits for */
	bool abandoned;           /* it did */
	bool depends_on_address;  /* compares or reads what differs from run to run */
	uint64_t args[5];
	/* running */
	struct vm_run run;
	uint64_t reg[11];
	char *stack;
	char stack_set[VM_FRAMES_MAX * VM_STACK_SIZE]; /* not 0: this byte was written */
	uint32_t depth;
	uint64_t n_steps, n_checked;
};

static inline void
reference_fail(const struct reference *ref, const struct func *func, uint32_t pc, const char *what)
{
	fprintf(stderr, "seed %llu: %s, at %s:%u, r3 = %#llx\n", (unsigned long long)ref->program.seed, what, func->name, (unsigned)pc,
		(unsigned long long)ref->args[2]);
	for (uint32_t i = 0; i < 11; i++)
		fprintf(stderr, "r%u = %#llx\n", (unsigned)i, (unsigned long long)ref->reg[i]);
	for (uint32_t i = 0; i < ref->program.object->n_funcs; i++)
		disasm_func(ref->program.object->funcs[i], NULL, stderr);
	abort();
}

/* ---- what instructions read ----------------------------------------------------------------------------- */

/* Arguments of a helper that are looked at, all or sizes only. */
static inline uint32_t
reference_call_reads(const struct bpf_insn *insn, bool sizes)
{
	bool by_register = insn_info(insn)->id == INSN_CALLX;
	const struct helper *helper = by_register || insn->src_reg == BPF_PSEUDO_CALL ? NULL : helper_find(insn->imm);
	uint32_t reads = by_register ? 1u << insn->dst_reg : 0;

	for (uint32_t i = 0; helper && i < 5; i++) {
		enum helper_arg arg = helper->args[i];
		bool is_size = arg == HARG_SIZE || arg == HARG_SIZE_OR_ZERO || arg == HARG_ALLOC_SIZE || arg == HARG_COUNT;

		if (sizes ? is_size : arg != HARG_NONE)
			reads |= 2u << i;
	}
	return reads;
}

/* Bit n: the instruction reads register n. */
static inline uint32_t
reference_reads(const struct bpf_insn *insn, const struct insn_info *info)
{
	uint32_t dst = 1u << insn->dst_reg, src = BPF_SRC(insn->code) == BPF_X ? 1u << insn->src_reg : 0;

	switch ((enum insn_shape)info->shape) {
	case SHAPE_ALU:
		return BPF_OP(insn->code) == BPF_MOV ? src : dst | src;
	case SHAPE_UNARY:
		return dst;
	case SHAPE_LOAD:
		return 1u << insn->src_reg;
	case SHAPE_STORE:
		return BPF_CLASS(insn->code) == BPF_STX ? dst | 1u << insn->src_reg : dst;
	case SHAPE_ATOMIC:
		return dst | 1u << insn->src_reg | (insn->imm == BPF_CMPXCHG ? 1 : 0);
	case SHAPE_COND:
		return dst | src;
	case SHAPE_CALL:
		return reference_call_reads(insn, false);
	case SHAPE_EXIT:
		return 1;
	default:
		return 0;
	}
}

/* ---- what the verifier said ---------------------------------------------------------------------------- */

static inline struct visits *
reference_visits(struct foreseen *foreseen, const struct func *func)
{
	struct visits *visits = foreseen->visits;

	while (visits->func && visits->func != func)
		visits++;
	assert(visits < foreseen->visits + VISITS_FUNCS_MAX);
	if (!visits->func) {
		visits->func = func;
		visits->n = arena_alloc(foreseen->arena, func->n_insns * sizeof(*visits->n));
		visits->last = arena_alloc(foreseen->arena, func->n_insns * sizeof(*visits->last));
	}
	return visits;
}

static inline uint32_t
reference_record_size(const struct reference *ref)
{
	return ref->program.signature->args[0].size;
}

/* Which argument is scratch memory: the one behind the numbers. */
static inline unsigned
reference_scratch_arg(const struct reference *ref)
{
	return ref->program.signature->args[3].kind == VM_ARG_SCALAR ? 4 : 3;
}

static inline uint32_t
reference_scratch_size(const struct reference *ref)
{
	return ref->program.signature->args[reference_scratch_arg(ref)].size;
}

/* Where scratch memory is in this run. */
static inline uint64_t
reference_scratch(const struct reference *ref)
{
	return ref->args[reference_scratch_arg(ref)];
}

static inline uint32_t
reference_reads_at(const struct func *func, uint32_t pc)
{
	return reference_reads(&func->insns[pc], insn_info(&func->insns[pc]));
}

static inline void
foreseen_add_known(struct foreseen *foreseen, const struct reg *reg)
{
	foreseen->known = arena_grow(foreseen->arena, foreseen->known, foreseen->n_known, &foreseen->cap_known, sizeof(*reg));
	foreseen->known[foreseen->n_known++] = *reg;
}

static inline void
reference_visit(void *arg, const struct func *func, uint32_t pc, const struct reg *regs)
{
	struct foreseen *foreseen = arg;
	struct visits *visits = reference_visits(foreseen, func);
	uint32_t reads = reference_reads_at(func, pc);

	if (visits->n[pc]++ >= VISITS_MAX)
		return;
	foreseen->all = arena_grow(foreseen->arena, foreseen->all, foreseen->n, &foreseen->cap, sizeof(*foreseen->all));
	foreseen->all[foreseen->n] = (struct visit){ .next = visits->last[pc], .known = foreseen->n_known };
	visits->last[pc] = ++foreseen->n;
	for (uint32_t i = 0; i < 11; i++)
		if (reads >> i & 1)
			foreseen_add_known(foreseen, &regs[i]);
}

/* Of what was known of the registers that an instruction reads, what was known of one. */
static inline const struct reg *
known_reg(const struct reg *known, uint32_t reads, uint32_t regno)
{
	assert(reads >> regno & 1);
	return &known[__builtin_popcount(reads & ((1u << regno) - 1))];
}

static inline bool
reference_reg_fits(const struct reference *ref, const struct reg *reg, uint64_t value)
{
	uint64_t off = (uint64_t)(int64_t)reg->off;
	size_t len;

	if (reg->nullable && !value)
		return true;
	if ((reg->kind == REG_TABLE || reg->kind == REG_VALUE) && reg->index >= ref->program.object->n_tables)
		return true; /* of a table that another holds */
	switch (reg->kind) {
	case REG_UNSET:
		return false;
	case REG_SCALAR:
		return scalar_has(&reg->s, value);
	case REG_STACK:
		return scalar_has(&reg->s, value - (uintptr_t)ref->stack - (reg->index + 1) * VM_STACK_SIZE - off);
	case REG_MEM:
	case REG_RDONLY:
		return scalar_has(&reg->s, value - ref->args[reg->index] - off);
	case REG_FUNC:
		return value == func_handle(reg->index);
	case REG_TABLE:
		return value == (uintptr_t)&ref->run.vm->tables[reg->index];
	case REG_VALUE:
		if (ref->program.object->tables[reg->index]->max_entries > 1 || ref->program.object->tables[reg->index]->kind != TABLE_ARRAY)
			return true;
		return scalar_has(&reg->s, value - (uintptr_t)array_memory(&ref->run.vm->tables[reg->index], &len) - off);
	default:
		return true;
	}
}

/* Bit n: what follows from this state at this instruction rests on the number in register n. */
static inline uint32_t
reference_relies(const struct bpf_insn *insn, const struct insn_info *info, const struct reg *known, uint32_t reads)
{
	bool has_src = BPF_SRC(insn->code) == BPF_X;
	struct scalar imm = scalar_const((uint64_t)(int64_t)insn->imm);
	const struct reg *dst, *src;

	if (info->shape == SHAPE_CALL)
		return reference_call_reads(insn, true);
	if (info->shape != SHAPE_COND && (info->shape != SHAPE_ALU || BPF_OP(insn->code) == BPF_MOV || !has_src))
		return 0;
	dst = known_reg(known, reads, insn->dst_reg);
	src = has_src ? known_reg(known, reads, insn->src_reg) : NULL;
	if (info->shape == SHAPE_ALU)
		return (dst->kind == REG_SCALAR) != (src->kind == REG_SCALAR) ? reads : 0;
	if (dst->kind != REG_SCALAR || (src && src->kind != REG_SCALAR))
		return 0;
	return scalar_branch(insn, &dst->s, src ? &src->s : &imm) >= 0 ? reads : 0;
}

/* `needed`: of the registers that the instruction reads, those that matter here. */
static inline bool
reference_state_fits(const struct reference *ref, const struct foreseen *foreseen, const struct bpf_insn *insn, const struct reg *known, uint32_t reads,
		     uint32_t needed)
{
	uint32_t relies = foreseen->strict ? UINT32_MAX : reference_relies(insn, insn_info(insn), known, reads);

	for (uint32_t i = 0; i < 11; i++) {
		const struct reg *reg = needed >> i & 1 ? known_reg(known, reads, i) : NULL;

		if (reg && (reg->kind != REG_SCALAR || relies >> i & 1) && !reference_reg_fits(ref, reg, ref->reg[i]))
			return false;
	}
	return true;
}

/* Two addresses are compared, or subtracted from each other: where tables and records lie differs from run to run. */
static inline bool
reference_is_address_met(const struct bpf_insn *insn, const struct reg *known, uint32_t reads)
{
	bool is_subtraction = BPF_CLASS(insn->code) == BPF_ALU64 && BPF_OP(insn->code) == BPF_SUB;

	if (BPF_SRC(insn->code) != BPF_X || (insn_info(insn)->shape != SHAPE_COND && !is_subtraction))
		return false;
	return known_reg(known, reads, insn->src_reg)->kind != REG_SCALAR;
}

static inline void
reference_check_foreseen(struct reference *ref, struct foreseen *foreseen, const struct func *func, uint32_t pc)
{
	const struct bpf_insn *insn = &func->insns[pc];
	struct visits *visits = reference_visits(foreseen, func);
	uint32_t reads = reference_reads_at(func, pc);
	uint32_t needed = insn_info(insn)->shape == SHAPE_EXIT && ref->depth ? 0 : reads; /* a function need not return anything */
	const struct reg *known;

	if (visits->n[pc] > VISITS_MAX)
		return;
	if (!visits->n[pc])
		reference_fail(ref, func, pc, "runs an instruction that the verifier did not look at");
	for (uint32_t i = visits->last[pc]; i; i = foreseen->all[i - 1].next) {
		known = foreseen->known + foreseen->all[i - 1].known;
		if (!reference_state_fits(ref, foreseen, insn, known, reads, needed))
			continue;
		ref->depends_on_address |= reference_is_address_met(insn, known, reads);
		ref->n_checked++;
		return;
	}
	reference_fail(ref, func, pc, "a register holds what the verifier excluded");
}

static inline void
reference_check(struct reference *ref, const struct func *func, uint32_t pc)
{
	for (size_t i = 0; i < ARRAY_SIZE(ref->foreseen); i++)
		if (ref->foreseen[i].arena)
			reference_check_foreseen(ref, &ref->foreseen[i], func, pc);
}

/* ---- running ----------------------------------------------------------------------------------------------- */

static inline bool
reference_holds(uint64_t base, size_t base_len, uint64_t addr, size_t len)
{
	return addr >= base && addr - base + len <= base_len;
}

/* Values of hash tables and records of the ring buffer are left to AddressSanitizer: it knows their blocks. */
static inline void *
reference_memory(struct reference *ref, const struct func *func, uint32_t pc, uint64_t addr, size_t len)
{
	uint64_t stack = (uintptr_t)ref->stack;

	if (reference_holds(stack, (ref->depth + 1) * VM_STACK_SIZE, addr, len) || reference_holds(ref->args[0], reference_record_size(ref), addr, len) ||
	    reference_holds(reference_scratch(ref), reference_scratch_size(ref), addr, len))
		return (void *)(uintptr_t)addr;
	if (reference_holds(stack - 8, VM_FRAMES_MAX * VM_STACK_SIZE + 16, addr, len))
		reference_fail(ref, func, pc, "touches stack that it does not have");
	if (reference_holds(ref->args[0] - 8, reference_record_size(ref) + 16, addr, len))
		reference_fail(ref, func, pc, "touches what is beside the record");
	if (reference_holds(reference_scratch(ref) - 8, reference_scratch_size(ref) + 16, addr, len))
		reference_fail(ref, func, pc, "touches what is beside scratch");
	if (addr < 4096)
		reference_fail(ref, func, pc, "touches null");
	return (void *)(uintptr_t)addr;
}

static inline void
reference_set_stack(struct reference *ref, uint64_t addr, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (reference_holds((uintptr_t)ref->stack, sizeof(ref->stack_set), addr + i, 1))
			ref->stack_set[addr + i - (uintptr_t)ref->stack] = 1;
}

static inline void
reference_need_stack(struct reference *ref, const struct func *func, uint32_t pc, uint64_t addr, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (reference_holds((uintptr_t)ref->stack, sizeof(ref->stack_set), addr + i, 1) &&
		    !ref->stack_set[addr + i - (uintptr_t)ref->stack])
			reference_fail(ref, func, pc, "reads stack that was not written");
}

static inline size_t
reference_size(uint8_t code)
{
	static const size_t sizes[] = { [BPF_W >> 3] = 4, [BPF_H >> 3] = 2, [BPF_B >> 3] = 1, [BPF_DW >> 3] = 8 };

	return sizes[BPF_SIZE(code) >> 3];
}

static inline uint64_t
reference_cut(uint64_t value, size_t size)
{
	return size == 8 ? value : value & ((1ull << size * 8) - 1);
}

static inline void
reference_load(struct reference *ref, const struct func *func, uint32_t pc)
{
	const struct bpf_insn *insn = &func->insns[pc];
	size_t size = reference_size(insn->code);
	uint64_t value = 0, addr = ref->reg[insn->src_reg] + (uint64_t)(int64_t)insn->off;

	reference_need_stack(ref, func, pc, addr, size);
	memcpy(&value, reference_memory(ref, func, pc, addr, size), size);
	if (BPF_MODE(insn->code) == BPF_MEMSX)
		value = (uint64_t)((int64_t)(value << (64 - size * 8)) >> (64 - size * 8));
	ref->reg[insn->dst_reg] = value;
}

static inline void
reference_atomic(struct reference *ref, const struct func *func, uint32_t pc)
{
	const struct bpf_insn *insn = &func->insns[pc];
	size_t size = reference_size(insn->code);
	void *at = reference_memory(ref, func, pc, ref->reg[insn->dst_reg] + (uint64_t)(int64_t)insn->off, size);
	uint64_t old = 0, src = reference_cut(ref->reg[insn->src_reg], size), new;

	memcpy(&old, at, size);
	switch (insn->imm & ~BPF_FETCH) {
	case BPF_ADD:
		new = old + src;
		break;
	case BPF_OR:
		new = old | src;
		break;
	case BPF_AND:
		new = old & src;
		break;
	case BPF_XOR:
		new = old ^ src;
		break;
	case BPF_XCHG & ~BPF_FETCH:
		new = src;
		break;
	default: /* compare and exchange */
		new = old == reference_cut(ref->reg[0], size) ? src : old;
		break;
	}
	memcpy(at, &new, size);
	if (insn->imm == BPF_CMPXCHG)
		ref->reg[0] = old;
	else if (insn->imm & BPF_FETCH)
		ref->reg[insn->src_reg] = old;
}

static inline void
reference_wide(struct reference *ref, const struct func *func, uint32_t pc)
{
	const struct bpf_insn *insn = &func->insns[pc];
	const struct reloc *reloc = func_reloc(func, pc);
	uint64_t value = (uint32_t)insn->imm | (uint64_t)(uint32_t)insn[1].imm << 32;
	size_t len;

	if (reloc && reloc->kind == RELOC_TABLE)
		value = (uintptr_t)&ref->run.vm->tables[reloc->index];
	else if (reloc && reloc->kind == RELOC_FUNC_ADDR)
		value = func_handle(reloc->index);
	else if (reloc)
		value = (uintptr_t)array_memory(&ref->run.vm->tables[reloc->index], &len) + reloc->addend;
	ref->reg[insn->dst_reg] = value;
}

static uint64_t
reference_func(struct reference *ref, const struct func *func);

/* Of a program that has functions called back, in one run; then it is given up. */
#define REFERENCE_STEPS_MAX 200000

/* A function called from a program or by a helper; r10 becomes the top of a new frame. */
static inline uint64_t
reference_enter(struct reference *ref, const struct func *func)
{
	uint64_t r0;

	ref->depth++;
	ref->reg[10] += VM_STACK_SIZE;
	memset(ref->stack + ref->depth * VM_STACK_SIZE, 0, VM_STACK_SIZE);
	memset(ref->stack_set + ref->depth * VM_STACK_SIZE, 0, VM_STACK_SIZE);
	r0 = reference_func(ref, func);
	ref->depth--;
	return r0;
}

static inline uint64_t
reference_call_back(struct vm_run *run, uint64_t function, uint64_t frame, const uint64_t args[VM_CALLBACK_ARGS])
{
	struct reference *ref = (struct reference *)((char *)run - offsetof(struct reference, run));
	uint64_t saved[11], r0;

	memcpy(saved, ref->reg, sizeof(saved));
	memset(ref->reg, 0, sizeof(ref->reg));
	memcpy(&ref->reg[1], args, VM_CALLBACK_ARGS * sizeof(*args));
	ref->reg[10] = frame;
	r0 = reference_enter(ref, ref->program.object->funcs[(uint32_t)function]);
	memcpy(ref->reg, saved, sizeof(saved));
	return r0;
}

static inline void
reference_helper(struct reference *ref, const struct helper *helper)
{
	uint64_t *reg = ref->reg;

	/* What they read may be anywhere, their own addresses included. */
	if (strstr(helper->name, "probe_read"))
		ref->depends_on_address = true;
	for (int i = 0; i < 4; i++)
		if (helper->args[i] == HARG_MEM_OUT)
			reference_set_stack(ref, reg[i + 1], reg[i + 2]);
		else if (helper->args[i] == HARG_LONG_OUT)
			reference_set_stack(ref, reg[i + 1], 8);
		else if (helper->args[i] == HARG_VALUE_OUT)
			reference_set_stack(ref, reg[i + 1], ((struct vm_table *)(uintptr_t)reg[1])->table->value_size);
	ref->run.frame = reg[10];
	ref->calls_back |= helper_callback(helper);
	reg[0] = helper->fn(&ref->run, reg[1], reg[2], reg[3], reg[4], reg[5]);
}

static inline void
reference_call(struct reference *ref, const struct func *func, uint32_t pc)
{
	const struct bpf_insn *insn = &func->insns[pc];
	bool by_register = insn_info(insn)->id == INSN_CALLX;
	uint64_t *reg = ref->reg, callee = reg[insn->dst_reg], saved[5];

	if (by_register ? !(callee & FUNC_HANDLE) : insn->src_reg != BPF_PSEUDO_CALL) {
		reference_helper(ref, helper_find(by_register ? (int32_t)callee : insn->imm));
		return;
	}
	memcpy(saved, &reg[6], sizeof(saved));
	reg[0] = reference_enter(ref, by_register ? ref->program.object->funcs[(uint32_t)callee] : func_callee(ref->program.object, func, pc));
	memcpy(&reg[6], saved, sizeof(saved));
}

static uint64_t
reference_func(struct reference *ref, const struct func *func)
{
	for (uint32_t pc = 0;; pc++) {
		const struct bpf_insn *insn = &func->insns[pc];
		const struct insn_info *info = insn_info(insn);
		uint64_t *dst = &ref->reg[insn->dst_reg], src = ref->reg[insn->src_reg], stored;

		reference_check(ref, func, pc);
		if (ref->n_steps++ > 4 * VM_INSNS_MAX && !ref->calls_back)
			reference_fail(ref, func, pc, "does not end");
		ref->abandoned |= ref->calls_back && ref->n_steps > REFERENCE_STEPS_MAX;
		if (ref->abandoned)
			return 1; /* no helper calls back any more */
		switch ((enum insn_shape)info->shape) {
		case SHAPE_ALU:
		case SHAPE_UNARY:
			insn_eval_alu(insn, *dst, src, dst);
			break;
		case SHAPE_LD64:
			reference_wide(ref, func, pc++);
			break;
		case SHAPE_LOAD:
			reference_load(ref, func, pc);
			break;
		case SHAPE_STORE:
			reference_set_stack(ref, *dst + (uint64_t)(int64_t)insn->off, reference_size(insn->code));
			stored = BPF_CLASS(insn->code) == BPF_STX ? src : (uint64_t)(int64_t)insn->imm;
			memcpy(reference_memory(ref, func, pc, *dst + (uint64_t)(int64_t)insn->off, reference_size(insn->code)), &stored,
			       reference_size(insn->code));
			break;
		case SHAPE_ATOMIC:
			reference_atomic(ref, func, pc);
			break;
		case SHAPE_JUMP:
		case SHAPE_COND:
			if (insn_eval_jump(insn, *dst, src))
				pc += (uint32_t)(info->id == INSN_JA32 ? insn->imm : insn->off);
			break;
		case SHAPE_CALL:
			reference_call(ref, func, pc);
			break;
		case SHAPE_EXIT:
			return ref->reg[0];
		case SHAPE_PACKET:
			reference_fail(ref, func, pc, "packet access accepted");
		}
	}
}

/* ---- the same input to this interpreter, the fast one and machine code --------------------------------------------- */

struct reference_world {
	struct vm *vm;
	const struct vm_program *program; /* NULL: run by this interpreter */
	uint8_t *record, *scratch; /* blocks of their own, so that AddressSanitizer sees their ends */
};

/* The object's code names this table. */
static inline bool
reference_names_table(const struct object *object, uint32_t table)
{
	for (uint32_t f = 0; f < object->n_funcs; f++)
		for (uint32_t r = 0; r < object->funcs[f]->n_relocs; r++) {
			const struct reloc *reloc = &object->funcs[f]->relocs[r];

			if (reloc->index == table && (reloc->kind == RELOC_TABLE || reloc->kind == RELOC_TABLE_VALUE))
				return true;
		}
	return false;
}

/*
 * The object as it is run: making tables is most of the work, so those that no code names are as small as can be, and ring buffers are no larger than
 * the records of a few runs need.
 */
static inline struct object *
reference_object(const struct object *object, struct arena *arena)
{
	static const struct table unused = { .name = "unused", .kind = TABLE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1 };
	struct object *copy = arena_alloc(arena, sizeof(*copy));
	bool has_outer = false;

	*copy = *object;
	copy->tables = arena_alloc(arena, object->n_tables * sizeof(*copy->tables));
	for (uint32_t t = 0; t < object->n_tables; t++)
		has_outer |= reference_names_table(object, t) && table_kind_holds_tables(object->tables[t]->kind);
	for (uint32_t t = 0; t < object->n_tables; t++) {
		struct table *table = arena_alloc(arena, sizeof(*table));

		*table = has_outer || reference_names_table(object, t) ? *object->tables[t] : unused;
		if (table->kind == TABLE_RINGBUF && table->max_entries > RINGBUF_BYTES)
			table->max_entries = RINGBUF_BYTES;
		copy->tables[t] = table;
	}
	return copy;
}

static inline struct reference_world
reference_world(const struct reference *ref)
{
	struct reference_world w = { .record = malloc(reference_record_size(ref)), .scratch = malloc(reference_scratch_size(ref)) };
	struct text why = { 0 };

	w.vm = vm_new(ref->program.object, 2, &why);
	if (!w.vm)
		abort();
	w.vm->random = 12345;
	w.vm->boot_minus_monotonic = w.vm->tai_minus_monotonic = 0;
	return w;
}

static inline struct reference_world
reference_world_loaded(const struct reference *ref, enum vm_exec exec)
{
	struct reference_world w = reference_world(ref);
	struct text why = { 0 };
	int err;

	vm_set_exec(w.vm, exec);
	w.program = vm_load(w.vm, ref->program.entry, ref->program.signature, &why, &err);
	if (!w.program) {
		fprintf(stderr, "%s\n", why.s ? why.s : strerror(-err));
		reference_fail(ref, ref->program.entry, 0, "refused the second time");
	}
	return w;
}

static inline void
reference_world_fill(const struct reference *ref, struct reference_world *w, uint64_t r3)
{
	for (uint32_t i = 0; i < reference_record_size(ref); i++)
		w->record[i] = (uint8_t)(i * 37 + r3);
	for (uint32_t i = 0; i < reference_scratch_size(ref); i++)
		w->scratch[i] = (uint8_t)(i ^ r3);
}

static inline void
reference_world_free(struct reference_world *w)
{
	vm_free(w->vm);
	free(w->record);
	free(w->scratch);
}

/* Array tables whole, hash tables entry by entry. */
static inline void
reference_compare_tables(const struct reference *ref, const struct reference_world *slow, const struct reference_world *fast)
{
	const struct object *object = ref->program.object;

	for (uint32_t t = 0; t < object->n_tables && !ref->depends_on_address; t++) {
		static uint8_t key[2][VM_KEY_MAX], value[2][1 << 18];
		uint8_t *last[2] = { NULL, NULL };
		size_t len = (object->tables[t]->value_size + 7) / 8 * 8 * 2; /* two CPUs */
		enum table_kind kind = object->tables[t]->kind;
		bool is_read = table_kind_has_keys(kind) && !table_kind_holds_tables(kind) && kind != TABLE_PROGRAMS;
		int err = is_read && len <= sizeof(value[0]) ? 0 : -ENOENT;

		for (int i = 0; i < 2 && !err; i++)
			memset(value[i], 0, len);

		while (!err) {
			err = vm_table_next(slow->vm, t, last[0], key[0]);
			if (vm_table_next(fast->vm, t, last[1], key[1]) != err)
				reference_fail(ref, ref->program.entry, 0, "a table has more entries");
			last[0] = key[0], last[1] = key[1];
			if (!err && (memcmp(key[0], key[1], object->tables[t]->key_size) ||
				     vm_table_lookup(slow->vm, t, key[0], value[0]) || vm_table_lookup(fast->vm, t, key[1], value[1]) ||
				     memcmp(value[0], value[1], len)))
				reference_fail(ref, ref->program.entry, 0, "a table has other contents");
		}
	}
}

static const struct vm_env reference_env = { .pid = 10, .tid = 11, .uid = 1000, .gid = 100, .cpu = 1, .comm = "reference", .ktime_ns = 5 };

static inline void
reference_fill_args(const struct reference *ref, const struct reference_world *w, uint64_t r3, uint64_t args[5])
{
	const uint64_t numbers[5] = { (uintptr_t)w->record, 0, r3, vm_env_ids(&reference_env), 0 };

	memcpy(args, numbers, sizeof(numbers));
	args[reference_scratch_arg(ref)] = (uintptr_t)w->scratch;
}

/* What this interpreter returns. */
static inline uint64_t
reference_run_slow(struct reference *ref, struct reference_world *slow, uint64_t r3)
{
	reference_world_fill(ref, slow, r3);
	ref->run = (struct vm_run){ .vm = slow->vm, .env = &reference_env, .cpu = reference_env.cpu, .processor = reference_env.cpu, .call_back = reference_call_back };
	memset(ref->reg, 0, sizeof(ref->reg));
	reference_fill_args(ref, slow, r3, ref->args);
	memcpy(&ref->reg[1], ref->args, sizeof(ref->args));
	memset(ref->stack, 0, VM_STACK_SIZE);
	memset(ref->stack_set, 0, VM_STACK_SIZE);
	ref->reg[10] = (uintptr_t)ref->stack + VM_STACK_SIZE;
	ref->depth = 0;
	ref->n_steps = 0;
	return reference_func(ref, ref->program.entry);
}

static inline void
reference_run_fast(const struct reference *ref, const struct reference_world *slow, struct reference_world *fast, uint64_t r3, uint64_t expected)
{
	uint64_t args[5], r0;

	reference_world_fill(ref, fast, r3);
	reference_fill_args(ref, fast, r3, args);
	r0 = vm_run(fast->vm, fast->program, &reference_env, args);
	if (!ref->depends_on_address && (r0 != expected || memcmp(slow->scratch, fast->scratch, reference_scratch_size(ref))))
		reference_fail(ref, ref->program.entry, 0, fast->vm->exec == VM_EXEC_INTERP ? "the interpreter gets another result" :
			       "machine code gets another result");
}

/* Each of the three keeps its tables from run to run. */
static inline void
reference_run(struct reference *ref, const uint64_t *r3, size_t n)
{
	struct arena *arena = arena_new();
	struct object *object = ref->program.object;
	struct reference_world slow, fast[2];

	ref->program.object = reference_object(object, arena);
	slow = reference_world(ref);
	fast[0] = reference_world_loaded(ref, VM_EXEC_INTERP);
	fast[1] = reference_world_loaded(ref, VM_EXEC_AUTO);
	ref->stack = malloc(VM_FRAMES_MAX * VM_STACK_SIZE);
	for (size_t i = 0; i < n && !ref->abandoned; i++) {
		uint64_t r0 = reference_run_slow(ref, &slow, r3[i]);

		for (size_t f = 0; f < ARRAY_SIZE(fast) && !ref->abandoned; f++)
			reference_run_fast(ref, &slow, &fast[f], r3[i], r0);
	}
	for (size_t f = 0; f < ARRAY_SIZE(fast); f++) {
		if (!ref->abandoned)
			reference_compare_tables(ref, &slow, &fast[f]);
		reference_world_free(&fast[f]);
	}
	free(ref->stack);
	reference_world_free(&slow);
	ref->program.object = object;
	arena_free(arena);
}

/* Paths of one program that are followed to their ends at most, in instructions. */
#define REFERENCE_INSNS_MAX 20000

/* Ways to follow the paths of a program, none of which may change the verdict. */
static const struct reference_way {
	const char *name;
	enum verify_pruning pruning;
	uint32_t distance; /* 0: vm_load's */
} reference_ways[] = {
	{ "nothing pruned", PRUNE_NONE, 0 },
	{ "checkpoints everywhere that cover all numbers", PRUNE_EXACT, 1 },
	{ "checkpoints everywhere that cover numbers that matter", PRUNE_USUAL, 1 },
	{ "checkpoints where vm_load has them", PRUNE_USUAL, 0 },
};

/* What is made of a program if paths are followed so: vm_verify's result. With `foreseen`, it gets the states in which instructions were looked at. */
static inline int
reference_verify(const struct reference_program *program, const struct reference_way *way, struct foreseen *foreseen)
{
	const struct verify_watch watch = { .visit = foreseen ? reference_visit : NULL, .arg = foreseen, .pruning = way->pruning,
					    .distance = way->distance, .insns_max = REFERENCE_INSNS_MAX };
	struct text why = { 0 };
	int err = verify_watched(program->object, program->entry, program->signature, &watch, &why);

	if (err && !why.s)
		reference_fail(&(struct reference){ .program = *program }, program->entry, 0, "refused without a word");
	text_fini(&why);
	return err;
}

/* The same, for a run. */
static inline int
reference_foresee(struct reference *ref, const struct reference_way *way)
{
	struct foreseen *foreseen = &ref->foreseen[way->pruning == PRUNE_EXACT ? 0 : 1];
	int err;

	foreseen->arena = arena_new();
	foreseen->strict = way->pruning == PRUNE_EXACT;
	err = reference_verify(&ref->program, way, foreseen);
	if (err) {
		arena_free(foreseen->arena);
		foreseen->arena = NULL;
	}
	return err;
}

/* One more verdict on a program is that of the ways before (-E2BIG: none of those came to an end). */
static inline int
reference_agree(const struct reference_program *program, const struct reference_way *way, int before, int verdict)
{
	if (before == -E2BIG || verdict == -E2BIG)
		return before == -E2BIG ? verdict : before;
	if (!before == !verdict)
		return before;
	fprintf(stderr, "%s, distance %u: the verdict is %d, of another way %d\n", way->name, (unsigned)way->distance, verdict, before);
	reference_fail(&(struct reference){ .program = *program }, program->entry, 0, "pruning changes the verdict");
	return 0;
}

/*
 * Verifies a program in all ways and, if it is accepted, runs it on each r3, against what was foreseen with checkpoints at some distance that cover all
 * numbers, and against what was with those that cover numbers that matter. Returns true if it was accepted.
 */
static inline bool
reference_try(const struct reference_program *program, const uint64_t *r3, size_t n, uint64_t *n_checked)
{
	uint32_t distance = 8 - (uint32_t)(program->seed % 8);
	const struct reference_way exact = { "run, all numbers", PRUNE_EXACT, distance }, usual = { "run, numbers that matter", PRUNE_USUAL, distance };
	struct reference *ref = calloc(1, sizeof(*ref));
	int verdict = -E2BIG, err;

	for (size_t i = 0; i < ARRAY_SIZE(reference_ways); i++)
		verdict = reference_agree(program, &reference_ways[i], verdict, reference_verify(program, &reference_ways[i], NULL));
	ref->program = *program;
	verdict = reference_agree(program, &exact, verdict, reference_foresee(ref, &exact));
	err = reference_foresee(ref, &usual);
	reference_agree(program, &usual, verdict, err);
	if (ref->foreseen[0].arena || ref->foreseen[1].arena)
		reference_run(ref, r3, n);
	*n_checked += ref->n_checked;
	for (size_t i = 0; i < ARRAY_SIZE(ref->foreseen); i++)
		arena_free(ref->foreseen[i].arena);
	free(ref);
	return !err;
}

#endif
