/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What can be said of a function without following its paths: every word is an instruction, jumps and calls arrive at one,
 * every instruction can be reached and none runs out of the function, calls neither recurse nor take more stack than there is.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "vm/vm_int.h"

const struct reloc *
func_reloc(const struct func *func, uint32_t pc)
{
	uint32_t from = 0, to = func->n_relocs;

	while (from < to) {
		uint32_t middle = from + (to - from) / 2;

		if (func->relocs[middle].pc == pc)
			return &func->relocs[middle];
		if (func->relocs[middle].pc < pc)
			from = middle + 1;
		else
			to = middle;
	}
	return NULL;
}

bool
reloc_names_function(const struct reloc *reloc)
{
	return reloc->kind == RELOC_FUNC || reloc->kind == RELOC_FUNC_ADDR;
}

uint32_t
reloc_n_funcs(const struct object *object, const struct reloc *reloc)
{
	const struct table *table = reloc_names_function(reloc) ? NULL : object->tables[reloc->index];

	return !table ? 1 : table_has_functions(table) ? table->n_held : 0;
}

uint32_t
reloc_func(const struct object *object, const struct reloc *reloc, uint32_t k)
{
	return reloc_names_function(reloc) ? reloc->index : object->tables[reloc->index]->held[k].index;
}

/* The function that a relocation of this kind at `pc` names. */
static const struct func *
func_named(const struct object *object, const struct func *func, uint32_t pc, enum reloc_kind kind)
{
	const struct reloc *reloc = func_reloc(func, pc);

	return reloc && reloc->kind == kind && reloc->index < object->n_funcs ? object->funcs[reloc->index] : NULL;
}

const struct func *
func_callee(const struct object *object, const struct func *func, uint32_t pc)
{
	return func_named(object, func, pc, RELOC_FUNC);
}

const struct func *
func_addressed(const struct object *object, const struct func *func, uint32_t pc)
{
	return func_named(object, func, pc, RELOC_FUNC_ADDR);
}

/* Where a jump (SHAPE_JUMP, SHAPE_COND) at pc goes. */
static int64_t
jump_target(const struct bpf_insn *insn, uint32_t pc)
{
	bool is_long = insn->code == (BPF_JMP32 | BPF_JA);

	return (int64_t)pc + 1 + (is_long ? insn->imm : insn->off);
}

/* ---- one instruction ------------------------------------------------------------------------------------- */

/* Refuses at an instruction before paths are followed. */
static bool
refuse_at(struct verifier *v, const struct func *func, uint32_t pc, const char *what)
{
	struct frame *frame = frame_top(v);

	frame->func = func;
	v->state.pc = pc;
	return refuse(v, -EINVAL, "%s", what);
}

static bool
writes_r10(const struct bpf_insn *insn, const struct insn_info *info)
{
	switch (info->shape) {
	case SHAPE_ALU:
	case SHAPE_UNARY:
	case SHAPE_LD64:
	case SHAPE_LOAD:
		return insn->dst_reg == 10;
	case SHAPE_ATOMIC:
		return insn->src_reg == 10 && insn->imm & BPF_FETCH;
	default:
		return false;
	}
}

/* Immediates that the kernel refuses although the RFC gives them a meaning. */
static const char *
bad_immediate(const struct verifier *v, const struct bpf_insn *insn, const struct insn_info *info)
{
	uint8_t op = BPF_OP(insn->code);
	int32_t width = BPF_CLASS(insn->code) == BPF_ALU64 ? 64 : 32;

	if (info->shape != SHAPE_ALU || BPF_SRC(insn->code) != BPF_K || v->signature->policy == VM_POLICY_RFC)
		return NULL;
	if ((op == BPF_DIV || op == BPF_MOD) && !insn->imm)
		return "divides by the constant 0 (a rule of the kernel; by RFC 9669 it gives 0, or leaves the number)";
	if ((op == BPF_LSH || op == BPF_RSH || op == BPF_ARSH) && (insn->imm < 0 || insn->imm >= width))
		return "shifts by a constant that is not below the width of the number (a rule of the kernel; RFC 9669 masks the constant)";
	return NULL;
}

/* Of tables of functions, which many instructions may refer to: what was done once need not be done for each. */
enum { TABLE_CHECKED = 1, TABLE_LOOKED_AT = 2 };

/* False: it was before; now it was. */
static bool
mark_table(const struct verifier *v, uint32_t table, uint8_t mark)
{
	bool is_new = !(v->tables[table] & mark);

	v->tables[table] |= mark;
	return is_new;
}

/* Where the table says that a function's handle stands, it does, and is one of the object's: programs will call what they find there. */
static bool
functions_are_there(const struct object *object, const struct table *table)
{
	for (uint32_t i = 0; i < table->n_held; i++) {
		const struct held *held = &table->held[i];
		uint64_t handle;

		if (held->index >= object->n_funcs || !table->init || !table->read_only || held->key > table->value_size - sizeof(handle))
			return false;
		memcpy(&handle, (const uint8_t *)table->init + held->key, sizeof(handle));
		if (handle != func_handle(held->index) || (i && held->key < held[-1].key + sizeof(handle)))
			return false;
	}
	return true;
}

/* The second word of ld_imm64, and what the first refers to. */
static const char *
bad_wide(const struct verifier *v, const struct func *func, uint32_t pc)
{
	const struct bpf_insn *insn = &func->insns[pc];
	const struct reloc *reloc = func_reloc(func, pc);
	const struct table *table;

	if (pc + 1 >= func->n_insns || insn[1].code || insn[1].dst_reg || insn[1].src_reg || insn[1].off)
		return "ld_imm64 without a proper second word";
	if (!reloc)
		return insn->src_reg ? "refers to something for which the object has no relocation" : NULL;
	if (reloc->kind == RELOC_FUNC)
		return "calls a function with an instruction that is no call";
	if (reloc->kind == RELOC_FUNC_ADDR && reloc->index < v->object->n_funcs && v->object->funcs[reloc->index]->is_global)
		return "takes the address of a global function; one that is called by its address must be static (a rule of the kernel)";
	if (reloc->kind == RELOC_FUNC_ADDR)
		return reloc->index < v->object->n_funcs ? NULL : "refers to a function that the object does not have";
	if (reloc->index >= v->object->n_tables)
		return "refers to a table that the object does not have";
	table = v->object->tables[reloc->index];
	if (table_has_functions(table) && mark_table(v, reloc->index, TABLE_CHECKED) && !functions_are_there(v->object, table))
		return "refers to a table of functions that the object does not have";
	if (table_kind_holds_tables(table->kind) && !table->element)
		return "refers to a table of tables of which nothing says what they are like";
	if (reloc->kind == RELOC_TABLE)
		return NULL;
	if (table->kind != TABLE_ARRAY || table->max_entries != 1)
		return "takes the address of the value of a table that is not an array of one entry";
	return reloc->addend < table->value_size ? NULL : "takes an address behind the end of a table's value";
}

static const char *
bad_insn(const struct verifier *v, const struct func *func, uint32_t pc, const struct insn_info *info)
{
	const struct bpf_insn *insn = &func->insns[pc];

	if (!info)
		return "not an instruction of eBPF";
	if (insn->dst_reg > 10 || (insn->src_reg > 10 && info->shape != SHAPE_LD64))
		return "names a register that does not exist";
	if (insn_reserved(insn))
		return "a field that the instruction does not use is not zero";
	if (writes_r10(insn, info))
		return "writes r10, the frame pointer, which may only be read";
	if (info->shape == SHAPE_PACKET)
		return "accesses a network packet the old way (ABS, IND); there is none here, and RFC 9669 counts these as deprecated";
	if (info->id == INSN_CALL_BTF)
		return "calls a function of the kernel, which this engine does not have";
	if (info->id == INSN_CALL_LOCAL && !func_callee(v->object, func, pc))
		return "calls a function that the object does not have";
	if (info->id == INSN_CALLX && v->signature->callx == VM_CALLX_REFUSED)
		return "calls by a register (callx), which Linux before 7.4 refuses (a rule of the kernel; the option callx permits it); " CALLX_HINT;
	if (info->shape == SHAPE_LD64)
		return bad_wide(v, func, pc);
	return bad_immediate(v, insn, info);
}

/* ---- the whole function ----------------------------------------------------------------------------------------- */

static bool
check_insns(struct verifier *v, struct func_info *info)
{
	const struct func *func = info->func;

	for (uint32_t pc = 0; pc < func->n_insns; pc++) {
		const char *bad;

		info->rows[pc] = insn_info(&func->insns[pc]);
		bad = bad_insn(v, func, pc, info->rows[pc]);
		if (bad)
			return refuse_at(v, func, pc, bad);
		info->marks[pc] |= MARK_START;
		pc += insn_is_wide(&func->insns[pc]);
	}
	return true;
}

/* Adds an instruction to those to look at. */
static bool
reach(struct verifier *v, struct func_info *info, uint32_t from, int64_t to, uint8_t mark, uint32_t *work, uint32_t *n)
{
	if (to < 0 || to >= info->func->n_insns)
		return refuse_at(v, info->func, from, "control runs out of the function here");
	if (!(info->marks[to] & MARK_START))
		return refuse_at(v, info->func, from, "jumps into the middle of an instruction");
	if (!(info->marks[to] & MARK_REACHED))
		work[(*n)++] = (uint32_t)to;
	info->marks[to] |= mark | MARK_REACHED;
	return true;
}

static bool
reach_from(struct verifier *v, struct func_info *info, uint32_t pc, uint32_t *work, uint32_t *n)
{
	const struct bpf_insn *insn = &info->func->insns[pc];
	const struct insn_info *row = info->rows[pc];

	if (row->shape == SHAPE_EXIT)
		return true;
	if ((row->shape == SHAPE_JUMP || row->shape == SHAPE_COND) &&
	    !reach(v, info, pc, jump_target(insn, pc), MARK_TARGET, work, n))
		return false;
	if (row->shape == SHAPE_JUMP)
		return true;
	return reach(v, info, pc, (int64_t)pc + 1 + insn_is_wide(insn), 0, work, n);
}

/* All that can be reached from an instruction, by whatever way. */
static bool
reach_all_from(struct verifier *v, struct func_info *info, uint32_t pc, uint32_t *work)
{
	uint32_t n = 0;

	if (!reach(v, info, pc, pc, 0, work, &n))
		return false;
	while (n)
		if (!reach_from(v, info, work[--n], work, &n))
			return false;
	return true;
}

/* Dead code, where it is permitted, is made into machine code too: it has to be in order. */
static bool
check_reach(struct verifier *v, struct func_info *info)
{
	const struct func *func = info->func;
	uint32_t *work = arena_alloc(v->arena, func->n_insns * sizeof(*work));

	if (!reach_all_from(v, info, 0, work))
		return false;
	for (uint32_t pc = 0; pc < func->n_insns; pc++) {
		if (!(info->marks[pc] & MARK_START) || info->marks[pc] & MARK_REACHED)
			continue;
		if (v->signature->policy == VM_POLICY_KERNEL)
			return refuse_at(v, func, pc, "no path leads to this instruction (a rule of the kernel)");
		if (!reach_all_from(v, info, pc, work))
			return false;
	}
	return true;
}

/* The function that an instruction calls, or whose address it takes for a helper to call. */
static const struct func *
func_referred(struct verifier *v, const struct func *func, uint32_t pc)
{
	const struct func *callee = func_callee(v->object, func, pc);

	return callee ? callee : func_addressed(v->object, func, pc);
}

void
call_edge_add(struct verifier *v, struct func_info *caller, struct func_info *callee)
{
	struct call_edge *edge = caller->calls;

	while (edge && edge->callee != callee)
		edge = edge->next;
	if (edge)
		return;
	edge = arena_alloc(v->arena, sizeof(*edge));
	edge->callee = callee;
	edge->next = caller->calls;
	caller->calls = edge;
}

/* The functions in a table that it refers to: they can be called, and become machine code. */
static bool
look_at_functions(struct verifier *v, const struct func *func, uint32_t pc)
{
	const struct reloc *reloc = func_reloc(func, pc);

	if (!reloc || reloc_names_function(reloc) || !mark_table(v, reloc->index, TABLE_LOOKED_AT))
		return true;
	for (uint32_t k = 0; k < reloc_n_funcs(v->object, reloc); k++)
		if (!func_info_of(v, v->object->funcs[reloc_func(v->object, reloc, k)]))
			return false;
	return true;
}

/* The functions that it calls, seen even where no path reaches the call: as the kernel, which looks at all of them. */
static bool
add_calls(struct verifier *v, struct func_info *info)
{
	const struct func *func = info->func;

	for (uint32_t pc = 0; pc < func->n_insns; pc++) {
		const struct func *referred;
		struct func_info *callee;

		if (!(info->marks[pc] & MARK_START) || (info->rows[pc]->shape != SHAPE_CALL && info->rows[pc]->shape != SHAPE_LD64))
			continue;
		info->has_tail_call |= insn_is_tail_call(&func->insns[pc]);
		if (insn_calls_back(&func->insns[pc])) {
			info->marks[pc] |= MARK_CALLS_BACK | MARK_TARGET;
			v->calls_back = true;
		}
		if (!look_at_functions(v, func, pc))
			return false;
		referred = func_referred(v, func, pc);
		if (!referred)
			continue;
		callee = func_info_of(v, referred);
		if (!callee)
			return false;
		call_edge_add(v, info, callee);
	}
	return true;
}

#define FUNC_INSNS_MAX (1u << 20)
#define FUNCS_MAX 256 /* that a program consists of, as in the kernel */

struct func_info *
func_info_seen(const struct verifier *v, const struct func *func)
{
	struct func_info *info = v->infos;

	while (info && info->func != func)
		info = info->next;
	return info;
}

struct func_info *
func_info_of(struct verifier *v, const struct func *func)
{
	struct func_info *info = func_info_seen(v, func);

	if (info)
		return info;
	if (!func->n_insns || func->n_insns > FUNC_INSNS_MAX) {
		refuse(v, func->n_insns ? -E2BIG : -EINVAL, "function \"%s\" has %" PRIu32 " instructions; there must be 1 to %u",
		       func->name ? func->name : "?", func->n_insns, FUNC_INSNS_MAX);
		return NULL;
	}
	if (v->n_infos++ == FUNCS_MAX) {
		refuse(v, -E2BIG, "the program consists of more than %d functions", FUNCS_MAX);
		return NULL;
	}
	info = arena_alloc(v->arena, sizeof(*info));
	info->func = func;
	info->rows = arena_alloc(v->arena, func->n_insns * sizeof(*info->rows));
	info->marks = arena_alloc(v->arena, func->n_insns);
	info->checkpoints = arena_alloc(v->arena, func->n_insns * sizeof(*info->checkpoints));
	if (!check_insns(v, info) || !check_reach(v, info))
		return NULL;
	info->next = v->infos;
	v->infos = info;
	return add_calls(v, info) ? info : NULL;
}

/* ---- calls --------------------------------------------------------------------------------------------------------- */

/* Sets depth_below. Frames are counted as the kernel does: multiples of 32 bytes, at least one. */
static bool
check_calls_of(struct verifier *v, struct func_info *info)
{
	uint32_t own = (uint32_t)round_up(info->depth ? info->depth : 1, 32), below = 0, frames = 0;

	if (info->visit == 2)
		return true;
	info->visit = 1;
	for (struct call_edge *edge = info->calls; edge; edge = edge->next) {
		if (edge->callee->visit == 1)
			return refuse_at(v, info->func, 0, "the function calls itself, directly or through others");
		if (!check_calls_of(v, edge->callee))
			return false;
		if (edge->callee->depth_below > below)
			below = edge->callee->depth_below;
		if (edge->callee->frames_below > frames)
			frames = edge->callee->frames_below;
	}
	info->visit = 2;
	info->depth_below = own + below;
	info->frames_below = 1 + frames;
	if (info->frames_below > VM_FRAMES_MAX)
		return refuse_at(v, info->func, 0, "the function calls others more than 8 deep");
	if (info->depth_below > VM_STACK_SIZE)
		return refuse_at(v, info->func, 0, "the function and those that it calls take more than 512 bytes of stack");
	return true;
}

/*
 * Where another program takes the place of a function, it needs a stack beside that of the callers: a rule of the kernel, which has so much and
 * no more. Called with more than before only, so that it ends.
 */
static bool
check_stack_above(struct verifier *v, struct func_info *info, uint32_t above)
{
	above += (uint32_t)round_up(info->depth ? info->depth : 1, 32);
	for (struct call_edge *edge = info->calls; edge; edge = edge->next) {
		struct func_info *callee = edge->callee;

		if (above <= callee->depth_above)
			continue;
		callee->depth_above = above;
		if (callee->has_tail_call && above >= VM_STACK_SIZE / 2)
			return refuse_at(v, callee->func, 0, "makes a tail call while its callers take 256 bytes of stack or more (a rule of the kernel)");
		if (!check_stack_above(v, callee, above))
			return false;
	}
	return true;
}

bool
check_call_graph(struct verifier *v)
{
	return check_calls_of(v, func_info_of(v, v->entry)) && check_stack_above(v, func_info_of(v, v->entry), 0);
}
