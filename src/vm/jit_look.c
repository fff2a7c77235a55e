/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What is found out about a function before its code is made, the same for all machines: which functions it calls, which instructions are
 * jump targets, where jumps to jumps go in the end (jump threading), which registers are live, and which addresses a loop should not have to
 * put together each time.
 *
 * Relies on the function being verified. Takes one walk over the instructions for each of these, and no memory beside what
 * struct jit_insn has for each.
 */
#include <stdlib.h>
#include <string.h>

#include "vm/jit.h"

/* ---- jumps ------------------------------------------------------------------------------------------------- */

#define HOPS_MAX 8      /* of jumps to jumps that are followed */
#define AHEAD_MAX 2     /* moves that a jump takes along */

/* A jump backward is paid for where a budget is, so none is left out there. */
static bool
may_leave_out(const struct jit *jit, const struct bpf_insn *insn)
{
	return !jit->vm->budget || !insn_jumps_back(insn);
}

/* Where a jump to `to` arrives in the end. */
static uint32_t
follow_jumps(const struct jit *jit, const struct jit_func *f, uint32_t to)
{
	for (int hops = 0; hops < HOPS_MAX; hops++) {
		const struct bpf_insn *insn = &f->func->insns[to];

		if (insn_info(insn)->shape != SHAPE_JUMP || !may_leave_out(jit, insn))
			break;
		to = jit_target(f, to);
	}
	return to;
}

static bool
is_move(const struct bpf_insn *insn)
{
	const struct insn_info *info = insn_info(insn);

	return info->shape == SHAPE_ALU && BPF_OP(insn->code) == BPF_MOV;
}

/*
 * Compilers for eBPF, which has no conditional move, make two choices under one condition of two jumps:
 *
 *      if r1 > 9 goto A                        r2 = 0
 *      r3 = 0                                  if r1 > 9 goto B
 *      A: r2 = 0                becomes        r3 = 0
 *      if r1 > 9 goto B                        A: r2 = 0
 *      r2 = r4                                 if r1 > 9 goto B
 *      B:                                      ...
 *
 * where r2 is dead if the first jump is not taken: it is set anew. Returns how many moves the jump at pc takes along; *to: where it then
 * goes.
 */
static uint32_t
moves_ahead(const struct jit *jit, const struct jit_func *f, uint32_t pc, uint32_t *to)
{
	const struct bpf_insn *cond = &f->func->insns[pc], *same;
	uint32_t at = jit_target(f, pc), n = 0;
	uint16_t kept = f->insns[pc].reads | f->insns[pc + 1].live; /* must not change before the jump */

	if (at <= pc || f->insns[pc].always || jit->vm->constants != VM_CONSTANTS_PLAIN)
		return 0;
	while (n <= AHEAD_MAX && at + n < f->func->n_insns - 1 && is_move(&f->func->insns[at + n]) && !(kept >> f->func->insns[at + n].dst_reg & 1))
		n++;
	same = &f->func->insns[at + n];
	if (!n || n > AHEAD_MAX || same->code != cond->code || same->dst_reg != cond->dst_reg || same->src_reg != cond->src_reg ||
	    same->imm != cond->imm || !may_leave_out(jit, same))
		return 0;
	*to = follow_jumps(jit, f, jit_target(f, at + n));
	return n;
}

static void
arrive(struct jit_func *f, uint32_t pc)
{
	if (f->insns[pc].target < UINT8_MAX)
		f->insns[pc].target++;
}

/*
 * The jump at pc takes moves along, to behind the jump at `same`, which has the same condition. Where all paths to that one come from the
 * first, not taken, it is never taken.
 */
static void
drop_repeated(struct jit_func *f, uint32_t pc, uint32_t same)
{
	uint32_t at = jit_target(f, pc);

	if (f->insns[at].target != 1)
		return;
	for (uint32_t between = pc + 1; between < same; between++) {
		const struct bpf_insn *insn = &f->func->insns[between];
		const struct insn_info *info = insn_info(insn);

		if ((f->insns[between].target && between != at) || info->shape == SHAPE_JUMP || info->shape == SHAPE_COND || info->shape == SHAPE_EXIT ||
		    jit_writes(insn, info) & f->insns[pc].reads)
			return;
		between += insn_is_wide(insn);
	}
	if (f->insns[same].target)
		return;
	f->insns[at].target = 0;
	f->insns[same].to = same + 1;
	f->insns[same].never = true;
	f->insns[same].reads = 0;
	f->drops = true;
}

/* What is left behind: `to`, `ahead`, `never` and `loop_end` of all instructions. */
static void
find_ways(const struct jit *jit, struct jit_func *f)
{
	for (uint32_t pc = 0; pc < f->func->n_insns; pc += 1 + insn_is_wide(&f->func->insns[pc])) {
		const struct insn_info *info = insn_info(&f->func->insns[pc]);
		struct jit_insn *insn = &f->insns[pc];

		if (info->shape != SHAPE_JUMP && info->shape != SHAPE_COND)
			continue;
		if (insn->never) {
			insn->to = pc + 1;
			continue;
		}
		insn->to = follow_jumps(jit, f, jit_target(f, pc));
		if (info->shape == SHAPE_COND)
			insn->ahead = (uint8_t)moves_ahead(jit, f, pc, &insn->to);
		if (insn->ahead)
			drop_repeated(f, pc, jit_target(f, pc) + insn->ahead);
		arrive(f, insn->to);
		if (insn->to <= pc && pc + 1 > f->insns[insn->to].loop_end)
			f->insns[insn->to].loop_end = pc + 1;
	}
}

/* ---- addresses that loops use --------------------------------------------------------------------------------- */

struct candidate {
	uint64_t address;
	uint32_t n_uses;
};

/* The address of a value that the instruction at pc puts into a register, 0: none. */
static uint64_t
value_address(struct jit *jit, struct jit_func *f, uint32_t pc)
{
	const struct reloc *reloc;

	if (!insn_is_wide(&f->func->insns[pc]))
		return 0;
	reloc = func_reloc(f->func, pc);
	return reloc && reloc->kind == RELOC_TABLE_VALUE ? jit_wide(jit, f, pc) : 0;
}

static void
count_use(struct candidate candidates[JIT_PINS_MAX], uint64_t address)
{
	for (unsigned i = 0; i < JIT_PINS_MAX; i++) {
		if (!candidates[i].n_uses)
			candidates[i].address = address;
		if (candidates[i].address == address) {
			candidates[i].n_uses++;
			return;
		}
	}
}

/* A register that the function has no use for, and that its calls, if any, leave alone. 0: none. */
static uint8_t
free_register(const struct jit_func *f, uint16_t used)
{
	/* Calls write r1 to r5, so that these are free where there is none; they need not be given back either. */
	for (uint8_t r = 5; r >= 1; r--)
		if (!(used >> r & 1))
			return r;
	for (uint8_t r = 6; r <= 9; r++)
		if (!(used >> r & 1))
			return r;
	return 0;
}

/* Gives the addresses of values that loops put together each time registers of their own, where the function leaves some over. */
static void
pin_addresses(struct jit *jit, struct jit_func *f, uint16_t used)
{
	struct candidate candidates[JIT_PINS_MAX] = { 0 };
	uint32_t end = 0;

	for (uint32_t pc = 0; pc < f->func->n_insns; pc += 1 + insn_is_wide(&f->func->insns[pc])) {
		uint64_t address = value_address(jit, f, pc);

		if (f->insns[pc].loop_end > end)
			end = f->insns[pc].loop_end;
		if (address && pc < end)
			count_use(candidates, address);
	}
	for (unsigned i = 0; i < JIT_PINS_MAX && candidates[i].n_uses; i++) {
		uint8_t reg = free_register(f, used);

		if (!reg)
			break;
		f->pins[f->n_pins++] = (struct jit_pin){ candidates[i].address, reg };
		used |= (uint16_t)(1u << reg);
		f->writes |= (uint16_t)(1u << reg);
	}
	for (uint32_t pc = 0; f->n_pins && pc < f->func->n_insns; pc += 1 + insn_is_wide(&f->func->insns[pc])) {
		uint64_t address = value_address(jit, f, pc);

		for (unsigned i = 0; address && i < f->n_pins; i++)
			if (f->pins[i].address == address)
				f->insns[pc].pin = f->pins[i].reg;
	}
}

/* ---- functions ----------------------------------------------------------------------------------------------- */

static bool
add_func(struct jit *jit, const struct func *func);

/* The function that the instruction at pc calls is added first. False: out of memory. */
static bool
look_at_callee(struct jit *jit, struct jit_func *f, uint32_t pc, const struct insn_info *info)
{
	const struct func *callee;

	/* The frame of a callee that is not known here lies above ours. */
	f->uses_stack |= info->id == INSN_CALLX || (insn_is_wide(&f->func->insns[pc]) && func_addressed(jit->vm->object, f->func, pc));
	if (info->id != INSN_CALL_LOCAL)
		return true;
	callee = jit->vm->object->funcs[jit_reloc(f, pc)->index];
	if (!add_func(jit, callee))
		return false;
	f->uses_stack |= jit_find_func(jit, callee)->uses_stack;
	return true;
}

/* What the verifier saw of the instruction at pc: whether anybody comes there, and which way a branch goes. It then reads nothing. */
static void
use_facts(struct jit_func *f, const struct vm_facts *facts, uint32_t pc, const struct insn_info *info)
{
	struct jit_insn *insn = &f->insns[pc];

	if (!facts)
		return;
	insn->unseen = !(facts->marks[pc] & MARK_SEEN);
	if (info->shape == SHAPE_COND && !insn->unseen) {
		insn->never = !(facts->marks[pc] & MARK_TAKEN);
		insn->always = !(facts->marks[pc] & MARK_NOT_TAKEN);
	}
	if (insn->unseen || insn->never || insn->always)
		insn->reads = 0;
}

/* What the whole function's code has to know beforehand. False: out of memory. */
static bool
look_at(struct jit *jit, struct jit_func *f)
{
	const struct vm_facts *facts = jit->facts;
	uint16_t used = 0;

	while (facts && facts->func != f->func)
		facts = facts->next;
	for (uint32_t pc = 0; pc < f->func->n_insns; pc += 1 + insn_is_wide(&f->func->insns[pc])) {
		const struct bpf_insn *insn = &f->func->insns[pc];
		const struct insn_info *info = insn_info(insn);

		f->writes |= (uint16_t)jit_writes(insn, info);
		f->insns[pc].reads = jit_reads(insn, info);
		used |= f->insns[pc].reads;
		if (insn->dst_reg == 10 || insn->src_reg == 10 || insn_is_tail_call(insn)) /* the program that goes on gets the frame */
			f->uses_stack = true;
		use_facts(f, facts, pc, info);
		if ((info->shape == SHAPE_JUMP || info->shape == SHAPE_COND) && !f->insns[pc].unseen && !f->insns[pc].never)
			arrive(f, jit_target(f, pc));
		if (!look_at_callee(jit, f, pc, info))
			return false;
	}
	jit_find_live(f);
	find_ways(jit, f);
	if (f->drops) {
		for (uint32_t pc = 0; pc < f->func->n_insns; pc++)
			f->insns[pc].live = 0;
		jit_find_live(f); /* fewer read what only the jumps that were dropped read */
	}
	pin_addresses(jit, f, used | f->writes);
	return true;
}

void
jit_free_func(struct jit_func *f)
{
	if (f)
		free(f->insns);
	free(f);
}

/* Appends a function behind those that it calls. False: out of memory. */
static bool
add_func(struct jit *jit, const struct func *func)
{
	struct jit_func *f;

	if (jit_find_func(jit, func))
		return true;
	f = mem_alloc(sizeof(*f));
	if (f) {
		f->func = func;
		f->memory_operands = jit->memory_operands;
		f->insns = mem_alloc(((size_t)func->n_insns + 1) * sizeof(*f->insns));
	}
	if (!f || !f->insns || !look_at(jit, f)) {
		jit_free_func(f);
		return false;
	}
	if (jit->last)
		jit->last->next = f;
	else
		jit->funcs = f;
	jit->last = f;
	return true;
}

/* A function whose address the program has. False: out of memory. */
static bool
add_addressed(struct jit *jit, const struct func *func)
{
	if (!add_func(jit, func))
		return false;
	jit_find_func(jit, func)->is_addressed = true;
	jit->n_functions = jit->vm->object->n_funcs;
	return true;
}

/* Those that `f` takes the addresses of, itself or in tables, come behind all others. tables: of which that was done. False: out of memory. */
static bool
add_all_addressed(struct jit *jit, const struct func *f, bool *tables)
{
	const struct object *object = jit->vm->object;

	for (uint32_t i = 0; i < f->n_relocs; i++) {
		const struct reloc *reloc = &f->relocs[i];
		bool is_table = !reloc_names_function(reloc);

		if (reloc->kind == RELOC_FUNC || (is_table && tables[reloc->index]))
			continue;
		if (is_table)
			tables[reloc->index] = true;
		for (uint32_t k = 0; k < reloc_n_funcs(object, reloc); k++)
			if (!add_addressed(jit, object->funcs[reloc_func(object, reloc, k)]))
				return false;
	}
	return true;
}

bool
jit_add_program(struct jit *jit, const struct func *entry)
{
	bool *tables = mem_alloc(jit->vm->object->n_tables * sizeof(*tables));
	bool ok = tables && add_func(jit, entry);

	jit->entry = jit->last;
	for (const struct jit_func *f = jit->funcs; ok && f; f = f->next)
		ok = add_all_addressed(jit, f->func, tables);
	free(tables);
	return ok;
}
