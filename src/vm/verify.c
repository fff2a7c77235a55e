/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The verifier: follows every path through a program with what is known of each register and of the stack, one instruction
 * at a time, and refuses the program at the first thing that is not sure to be right. Paths fork at branches that can go both
 * ways; they end at exit, or at a jump target where a path that knew no more was followed before (verify_state.c).
 *
 * Relies on verify_func.c for what needs no paths, on scalar.c for numbers, verify_mem.c for memory, verify_call.c for
 * helpers, verify_callx.c for calls by a register. Promises soundness and that it ends: at most VM_INSNS_MAX instructions are looked at.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vm/vm_int.h"

static const struct scalar *
imm_scalar(const struct bpf_insn *insn, struct scalar *s)
{
	*s = scalar_const((uint64_t)(int64_t)insn->imm);
	return s;
}

/* Size in bytes of a load, store or atomic operation. */
static uint32_t
access_size(uint8_t code)
{
	switch (BPF_SIZE(code)) {
	case BPF_B:
		return 1;
	case BPF_H:
		return 2;
	case BPF_W:
		return 4;
	default:
		return 8;
	}
}

/*
 * Copies of a number share an id, so that a comparison of one tells of all. A copy to which a constant was added once is further by `off` (as
 * the kernel has it since 6.10); what is copied from that shares an id of its own.
 */
static void
share_id(struct verifier *v, struct reg *reg)
{
	if (reg->kind == REG_SCALAR && reg->off)
		reg->id = 0, reg->off = 0;
	if (reg->kind == REG_SCALAR && !reg->id && !scalar_is_const(&reg->s))
		reg->id = ++v->last_id;
}

/* ---- arithmetic --------------------------------------------------------------------------------------------- */

static bool
is_pointer(const struct reg *reg)
{
	return reg->kind != REG_SCALAR && reg->kind != REG_UNSET;
}

/* An address that numbers may be added to. */
static bool
check_moves(struct verifier *v, uint32_t regno, const struct reg *reg)
{
	if (reg->nullable)
		return refuse_reg(v, (int)regno, "computes with an address that may be null; compare it with 0 first");
	if (reg->kind == REG_TABLE || reg->kind == REG_CTX || reg->kind == REG_FUNC)
		return refuse_reg(v, (int)regno, "computes with what is not the address of memory");
	return true;
}

/*
 * pointer += number, pointer -= number. A number of a register may lead out of all memory as long as nothing is accessed there, for a range of numbers
 * that reaches so far and begins nearer is not refused here either (the kernel refuses the one and not the other): what is
 * accepted may not hang on how much is known. Ranges so wide that they might wrap around are.
 */
static bool
move_pointer(struct verifier *v, const struct bpf_insn *insn, uint32_t regno, const struct reg *pointer, const struct scalar *by)
{
	struct reg result = *pointer;
	bool is_sub = BPF_OP(insn->code) == BPF_SUB;
	int64_t constant = (int64_t)by->bits.value, off = (int64_t)((uint64_t)pointer->off + (uint64_t)(is_sub ? -constant : constant));
	bool is_small = scalar_is_const(by) && constant > -VM_OFFSET_MAX && constant < VM_OFFSET_MAX && off > -VM_OFFSET_MAX && off < VM_OFFSET_MAX;

	if (!check_moves(v, regno, pointer))
		return false;
	if (pointer->kind == REG_STACK && is_sub)
		return refuse_reg(v, (int)regno, "subtracts from an address of the stack; add a negative number instead");
	if (!is_small && BPF_SRC(insn->code) == BPF_K)
		return refuse(v, -EACCES, "moves an address further than any memory reaches");
	if (is_small) {
		result.off = (int32_t)off;
	} else {
		result.s = scalar_alu(insn, &pointer->s, by);
		if (by->r64.smin == INT64_MIN || result.s.r64.smin <= -VM_OFFSET_MAX)
			return refuse(v, -EACCES, "moves an address by a number that is not bounded; compare it with limits first");
	}
	*reg_write(v, insn->dst_reg) = result;
	return true;
}

static bool
alu_pointers(struct verifier *v, const struct bpf_insn *insn, const struct reg *dst, const struct reg *src,
	     const struct scalar *imm)
{
	uint8_t op = BPF_OP(insn->code);
	uint16_t dst_loc = loc_top(v, insn->dst_reg), src_loc = loc_top(v, insn->src_reg);

	if (src && !(is_pointer(dst) && is_pointer(src)))
		rely_on(v, is_pointer(dst) ? src_loc : dst_loc, LOC_NONE);
	trail_define(v, dst_loc, LOC_NONE, LOC_NONE);
	if (BPF_CLASS(insn->code) != BPF_ALU64 || (op != BPF_ADD && op != BPF_SUB))
		return refuse_reg(v, is_pointer(dst) ? insn->dst_reg : insn->src_reg,
				  "computes with an address; only 64-bit addition and subtraction are possible");
	if (is_pointer(dst) && (!src || !is_pointer(src)))
		return move_pointer(v, insn, insn->dst_reg, dst, src ? &src->s : imm);
	if (op == BPF_ADD && src && !is_pointer(dst))
		return move_pointer(v, insn, insn->src_reg, src, &dst->s);
	if (op == BPF_SUB && src && dst->kind == src->kind && (dst->index == src->index || dst->kind == REG_DATA) && dst->ref == src->ref) {
		if (!check_moves(v, insn->dst_reg, dst) || !check_moves(v, insn->src_reg, src))
			return false;
		reg_set_scalar(reg_write(v, insn->dst_reg), scalar_unknown());
		return true;
	}
	return refuse_reg(v, insn->src_reg, "adds or subtracts addresses that have nothing to do with each other");
}

static bool
step_move(struct verifier *v, const struct bpf_insn *insn, struct reg *src, const struct scalar *imm)
{
	bool is_plain = BPF_CLASS(insn->code) == BPF_ALU64 && !insn->off;
	struct reg copy;

	trail_define(v, loc_top(v, insn->dst_reg), src ? loc_top(v, insn->src_reg) : LOC_NONE, LOC_NONE);
	if (src && is_pointer(src) && !is_plain)
		return refuse_reg(v, insn->src_reg, "takes a part of an address");
	if (src && is_plain) {
		share_id(v, src);
		copy = *src;
		*reg_write(v, insn->dst_reg) = copy;
		return true;
	}
	reg_set_scalar(reg_write(v, insn->dst_reg), scalar_alu(insn, imm, src ? &src->s : imm));
	return true;
}

/* How much further a copy is from the others after this, or 0: it is no copy any more. */
static int32_t
copy_distance(const struct bpf_insn *insn, const struct reg *dst, const struct scalar *src)
{
	uint8_t op = BPF_OP(insn->code);
	int64_t by = (int64_t)src->bits.value;

	if (BPF_CLASS(insn->code) != BPF_ALU64 || (op != BPF_ADD && op != BPF_SUB) || !dst->id || dst->off || !scalar_is_const(src) ||
	    by > INT32_MAX || by < -INT32_MAX)
		return 0;
	return (int32_t)(op == BPF_ADD ? by : -by);
}

static bool
step_alu(struct verifier *v, const struct bpf_insn *insn, const struct insn_info *info)
{
	bool has_src = info->shape == SHAPE_ALU && BPF_SRC(insn->code) == BPF_X;
	struct reg *dst, *src = NULL;
	struct scalar imm;
	int32_t distance;
	uint32_t id;

	imm_scalar(insn, &imm);
	if (has_src && !(src = reg_read(v, insn->src_reg)))
		return false;
	if (BPF_OP(insn->code) == BPF_MOV && info->shape == SHAPE_ALU)
		return step_move(v, insn, src, &imm);
	dst = reg_read(v, insn->dst_reg);
	if (!dst)
		return false;
	if (is_pointer(dst) || (src && is_pointer(src)))
		return alu_pointers(v, insn, dst, src, &imm);
	trail_define(v, loc_top(v, insn->dst_reg), loc_top(v, insn->dst_reg), src ? loc_top(v, insn->src_reg) : LOC_NONE);
	distance = info->shape == SHAPE_ALU ? copy_distance(insn, dst, src ? &src->s : &imm) : 0;
	id = distance ? dst->id : 0;
	reg_set_scalar(reg_write(v, insn->dst_reg), scalar_alu(insn, &dst->s, src ? &src->s : &imm));
	dst->id = id;
	dst->off = distance;
	return true;
}

static bool
step_wide(struct verifier *v, const struct bpf_insn *insn)
{
	const struct reloc *reloc = func_reloc(frame_top(v)->func, v->state.pc);
	struct reg *dst = reg_write(v, insn->dst_reg);

	trail_define(v, loc_top(v, insn->dst_reg), LOC_NONE, LOC_NONE);
	if (!reloc)
		reg_set_scalar(dst, scalar_const((uint32_t)insn->imm | (uint64_t)(uint32_t)insn[1].imm << 32));
	else if (reloc->kind == RELOC_TABLE)
		*dst = (struct reg){ .kind = REG_TABLE, .index = reloc->index, .s = scalar_const(0) };
	else if (reloc->kind == RELOC_FUNC_ADDR)
		*dst = (struct reg){ .kind = REG_FUNC, .index = reloc->index, .s = scalar_const(0) };
	else
		*dst = (struct reg){ .kind = REG_VALUE, .index = reloc->index, .off = (int32_t)reloc->addend,
				      .s = scalar_const(0) };
	v->state.pc++;
	return true;
}

/* ---- memory ----------------------------------------------------------------------------------------------------- */

/* A load at a known place of constants gives what stands there. */
static void
load_constant(const struct verifier *v, const struct bpf_insn *insn, const struct reg *base, uint32_t size, struct reg *loaded)
{
	const struct table *table = base->kind == REG_VALUE ? reg_table(v, base->index) : NULL;
	unsigned unused = 64 - 8 * size;
	uint64_t number = 0;

	if (!table || !table_is_constant(table) || table_has_functions(table) || !scalar_is_const(&base->s))
		return;
	memcpy(&number, (const uint8_t *)table->init + base->off + insn->off + (int64_t)base->s.bits.value, size);
	if (BPF_MODE(insn->code) == BPF_MEMSX)
		number = (uint64_t)((int64_t)(number << unused) >> unused);
	reg_set_scalar(loaded, scalar_const(number));
}

static bool
step_load(struct verifier *v, const struct bpf_insn *insn)
{
	const struct reg base = frame_top(v)->regs[insn->src_reg];
	uint32_t size = access_size(insn->code);
	struct value loaded;

	if (!check_access(v, insn->src_reg, insn->off, size, ACCESS_READ, &loaded, NULL))
		return false;
	if (size == sizeof(uint64_t) && base.kind == REG_VALUE && table_has_functions(reg_table(v, base.index)) &&
	    v->signature->callx == VM_CALLX_PERMITTED)
		return load_of_functions(v, insn, &base);
	if (BPF_MODE(insn->code) == BPF_MEMSX)
		reg_set_scalar(&loaded.reg, scalar_loaded(size, true));
	load_constant(v, insn, &base, size, &loaded.reg);
	*reg_write(v, insn->dst_reg) = loaded.reg;
	trail_define(v, loc_top(v, insn->dst_reg), loaded.loc, LOC_NONE);
	return true;
}

static bool
step_store(struct verifier *v, const struct bpf_insn *insn)
{
	struct value stored = { .loc = LOC_NONE };
	struct reg *src;
	struct scalar s;

	reg_set_scalar(&stored.reg, *imm_scalar(insn, &s));
	if (BPF_CLASS(insn->code) == BPF_STX) {
		src = reg_read(v, insn->src_reg);
		if (!src)
			return false;
		share_id(v, src);
		stored = (struct value){ .reg = *src, .loc = loc_top(v, insn->src_reg) };
	}
	return check_access(v, insn->dst_reg, insn->off, access_size(insn->code), ACCESS_WRITE, NULL, &stored);
}

static bool
step_atomic(struct verifier *v, const struct bpf_insn *insn)
{
	struct reg *src = reg_read(v, insn->src_reg), *r0 = NULL;
	struct value loaded, stored;
	uint8_t result = insn->imm == BPF_CMPXCHG ? 0 : insn->src_reg;

	if (!src || (insn->imm == BPF_CMPXCHG && !(r0 = reg_read(v, 0))))
		return false;
	if (is_pointer(src) || (r0 && is_pointer(r0)))
		return refuse_reg(v, is_pointer(src) ? insn->src_reg : 0, "an atomic operation on an address");
	stored = (struct value){ .reg = *src, .loc = LOC_NONE };
	if (!check_access(v, insn->dst_reg, insn->off, access_size(insn->code), ACCESS_BOTH, &loaded, &stored))
		return false;
	if (!(insn->imm & BPF_FETCH))
		return true;
	*reg_write(v, result) = loaded.reg;
	trail_define(v, loc_top(v, result), LOC_NONE, LOC_NONE);
	return true;
}

/* ---- branches ------------------------------------------------------------------------------------------------------ */

/* The branch at pc goes this way on some path. */
static void
mark_way(struct verifier *v, bool taken)
{
	frame_top(v)->info->marks[v->state.pc] |= taken ? MARK_TAKEN : MARK_NOT_TAKEN;
}

static void
note_branch(struct verifier *v, bool taken)
{
	struct branch *branch = arena_alloc(v->arena, sizeof(*branch));

	v->bytes_kept += sizeof(*branch);
	branch->prev = v->state.path;
	branch->func = frame_top(v)->func;
	branch->pc = v->state.pc;
	branch->taken = taken;
	v->state.path = branch;
}

struct null_check {
	uint32_t id;
	bool is_null;
	bool keeps_id; /* a lock is known by the id of its value */
};

static void
settle_null(struct reg *reg, uint16_t loc, void *arg)
{
	const struct null_check *check = arg;

	(void)loc; /* that it is null was known from an address, and those are always compared */
	if (!reg->nullable || reg->id != check->id)
		return;
	if (check->is_null) {
		reg_set_scalar(reg, scalar_const(0));
	} else {
		reg->nullable = false;
		if (!check->keeps_id)
			reg->id = 0;
	}
}

static void
apply_null_check(struct verifier *v, uint32_t regno, bool is_null)
{
	struct reg *reg = &frame_top(v)->regs[regno];
	bool has_lock = reg->kind == REG_VALUE && reg_table(v, reg->index)->has_lock;
	struct null_check check = { .id = reg->id, .is_null = is_null, .keeps_id = has_lock };

	/* No record was reserved: nothing to give back. */
	for (uint32_t i = 0; is_null && reg->kind == REG_RECORD && i < v->state.n_refs; i++)
		if (v->state.refs[i] == reg->ref)
			v->state.refs[i--] = v->state.refs[--v->state.n_refs];
	state_each_reg(&v->state, settle_null, &check);
}

/* What a comparison said of its operands, and the places that were told. */
struct compared {
	struct reg dst, src; /* as narrowed; of an immediate, src is of no kind */
	bool contradicts;    /* what one who was told knew already */
	uint32_t n;
	uint16_t locs[LOCS_MAX];
};

/*
 * `known` was narrowed: so is its copy, as much further as it is. What it knew itself it keeps: whoever knows that two numbers are copies must not know
 * less in the end than who takes them for strangers, or the verdict would hang on which of the two a checkpoint has seen.
 */
static void
tell_from(struct compared *c, struct reg *reg, const struct reg *known)
{
	const struct bpf_insn add = insn_alu(BPF_ADD, 0, 1); /* of an immediate, the instruction's would count */
	struct scalar further = scalar_const((uint64_t)((int64_t)reg->off - known->off));
	struct scalar told = reg->off == known->off ? known->s : scalar_alu(&add, &known->s, &further);

	c->contradicts |= !scalar_meet(&reg->s, &told);
}

static void
tell_copy(struct reg *reg, uint16_t loc, void *arg)
{
	struct compared *c = arg;
	bool is_dst = c->dst.id && reg->id == c->dst.id, is_src = c->src.id && reg->id == c->src.id;

	if (reg->kind != REG_SCALAR || (!is_dst && !is_src))
		return;
	if (is_dst)
		tell_from(c, reg, &c->dst);
	if (is_src)
		tell_from(c, reg, &c->src);
	c->locs[c->n++] = loc;
}

/* Tells both registers and their copies. */
static void
tell_compared(struct verifier *v, const struct bpf_insn *insn, struct compared *c)
{
	struct reg *regs = frame_top(v)->regs;

	if (c->dst.id || c->src.id)
		state_each_reg(&v->state, tell_copy, c);
	/* Those without an id have no copies, but each was narrowed by the other. */
	if (!c->dst.id) {
		regs[insn->dst_reg].s = c->dst.s;
		c->locs[c->n++] = loc_top(v, insn->dst_reg);
	}
	if (!c->src.id && c->src.kind == REG_SCALAR) {
		regs[insn->src_reg].s = c->src.s;
		c->locs[c->n++] = loc_top(v, insn->src_reg);
	}
	trail_tie(v, c->locs, c->n);
	/* Copies that speak against this way are what its being left out rests on, read by an instruction or not. */
	for (uint32_t i = 0; c->contradicts && i < c->n; i++)
		mark_loc_read(v, c->locs[i]);
}

static void
rely_on_operands(struct verifier *v, const struct bpf_insn *insn)
{
	rely_on(v, loc_top(v, insn->dst_reg), BPF_SRC(insn->code) == BPF_X ? loc_top(v, insn->src_reg) : LOC_NONE);
}

/* What the branch says, told to the registers compared and to all copies. False: it never goes this way. */
static bool
apply_compare(struct verifier *v, const struct bpf_insn *insn, bool taken)
{
	const struct reg *regs = frame_top(v)->regs;
	struct compared c;

	if (BPF_SRC(insn->code) == BPF_X && insn->src_reg == insn->dst_reg) /* tells nothing */
		return true;
	c.n = 0;
	c.contradicts = false;
	c.dst = regs[insn->dst_reg];
	c.src = (struct reg){ .kind = REG_UNSET };
	if (BPF_SRC(insn->code) == BPF_X)
		c.src = regs[insn->src_reg];
	else
		imm_scalar(insn, &c.src.s);
	if (scalar_refine(insn, taken, &c.dst.s, &c.src.s))
		tell_compared(v, insn, &c);
	else
		c.contradicts = true;
	if (c.contradicts)
		rely_on_operands(v, insn);
	return !c.contradicts;
}

/* `if p == 0` and `if p != 0` on an address. */
static bool
is_null_check(const struct bpf_insn *insn)
{
	uint8_t op = BPF_OP(insn->code);

	return BPF_CLASS(insn->code) == BPF_JMP && BPF_SRC(insn->code) == BPF_K && !insn->imm && (op == BPF_JEQ || op == BPF_JNE);
}

/* Narrows the state by the way that the branch at pc goes, and goes there. False: it never goes that way. */
static bool
take_branch(struct verifier *v, const struct bpf_insn *insn, bool taken)
{
	const struct reg *regs = frame_top(v)->regs, *dst = &regs[insn->dst_reg], *src = &regs[insn->src_reg];

	if (dst->kind == REG_SCALAR && (BPF_SRC(insn->code) == BPF_K || src->kind == REG_SCALAR)) {
		if (!apply_compare(v, insn, taken))
			return false;
	} else if (dst->nullable && is_null_check(insn)) {
		apply_null_check(v, insn->dst_reg, taken == (BPF_OP(insn->code) == BPF_JEQ));
	}
	note_branch(v, taken);
	mark_way(v, taken);
	v->state.pc += 1 + (taken ? insn->off : 0);
	return true;
}

/* An address within memory is not 0. */
static bool
is_never_null(const struct verifier *v, const struct reg *reg)
{
	int64_t from = reg->off, to = reg->off;

	if (reg->s.r64.smin <= -VM_OFFSET_MAX || reg->s.r64.smax >= VM_OFFSET_MAX)
		return false;
	from += reg->s.r64.smin;
	to += reg->s.r64.smax;
	switch (reg->kind) {
	case REG_TABLE:
		return !reg->nullable;
	case REG_FUNC:
		return true;
	case REG_STACK:
		return from >= -VM_STACK_SIZE && to <= 0;
	case REG_VALUE:
		return !reg->nullable && from >= 0 && to < reg_table(v, reg->index)->value_size;
	case REG_KEY:
		return from >= 0 && to < reg_table(v, reg->index)->key_size;
	case REG_MEM:
	case REG_RDONLY:
	case REG_RECORD:
	case REG_DATA:
	case REG_PASSED:
	case REG_PASSED_RDONLY:
		return !reg->nullable && from >= 0 && to < reg->size;
	default:
		return false;
	}
}

/* Which way a branch goes that looks at an address: 1, 0, -1 for both, -2 for refused. */
static int
branch_pointers(struct verifier *v, const struct bpf_insn *insn, const struct reg *dst, const struct reg *src)
{
	uint8_t op = BPF_OP(insn->code);

	if (BPF_CLASS(insn->code) == BPF_JMP32 || op == BPF_JSET) {
		refuse_reg(v, is_pointer(dst) ? insn->dst_reg : insn->src_reg, "compares a part of an address");
		return -2;
	}
	if (is_null_check(insn))
		return is_never_null(v, dst) ? op == BPF_JNE : -1;
	if (!src || !is_pointer(src) || !is_pointer(dst)) {
		refuse_reg(v, is_pointer(dst) ? insn->dst_reg : insn->src_reg,
			   "compares an address with a number; only == and != with the constant 0 are possible");
		return -2;
	}
	return -1;
}

static bool
step_branch(struct verifier *v, const struct bpf_insn *insn, bool *dead)
{
	struct reg *dst = reg_read(v, insn->dst_reg), *src = NULL;
	struct scalar imm;
	int way;

	if (!dst || (BPF_SRC(insn->code) == BPF_X && !(src = reg_read(v, insn->src_reg))))
		return false;
	if (is_pointer(dst) || (src && is_pointer(src)))
		way = branch_pointers(v, insn, dst, src);
	else
		way = scalar_branch(insn, &dst->s, src ? &src->s : imm_scalar(insn, &imm));
	if (way == -2)
		return false;
	if (way >= 0) {
		rely_on_operands(v, insn); /* the other way is not looked at */
		mark_way(v, way);
		v->state.pc += 1 + (way ? insn->off : 0);
		return true;
	}
	/* The way taken is kept as it is, at the branch; it is narrowed when its turn comes (next_path). */
	if (!state_push(v, v->state.pc))
		return false;
	*dead = !take_branch(v, insn, false);
	return true;
}

/* ---- calls and exit ---------------------------------------------------------------------------------------------- */

bool
enter_function(struct verifier *v, const struct func *callee)
{
	struct frame *caller = frame_top(v);

	if (v->state.n_frames == VM_FRAMES_MAX)
		return refuse(v, -E2BIG, "calls are nested more than %d deep", VM_FRAMES_MAX);
	if (!frame_push(v, callee, v->state.pc))
		return false;
	for (uint32_t i = 1; i <= 5; i++) {
		trail_define(v, loc_top(v, i), loc_reg(v->state.n_frames - 2, i), LOC_NONE);
		if (caller->regs[i].kind != REG_UNSET)
			mark_reg_read(v, v->state.n_frames - 2, i);
	}
	memcpy(&frame_top(v)->regs[1], &caller->regs[1], 5 * sizeof(struct reg));
	memset(caller->regs, 0, 6 * sizeof(struct reg));
	caller->written_regs |= 0x3f;
	v->state.pc = 0;
	return true;
}

static bool
step_local_call(struct verifier *v)
{
	const struct func *callee = func_callee(v->object, frame_top(v)->func, v->state.pc);

	return callee->is_global ? call_global(v, callee) : enter_function(v, callee);
}

static bool
step_return(struct verifier *v)
{
	struct frame *callee = frame_top(v);
	struct reg r0 = callee->regs[0];

	if (callee->called_back)
		return callback_return(v);
	if (r0.kind == REG_STACK)
		return refuse_reg(v, 0, r0.index == v->state.n_frames - 1 ? "returns the address of stack that ends with the function" :
				  "returns an address of its caller's stack, which the caller knows itself (a rule of the kernel)");
	if (r0.kind != REG_UNSET)
		mark_reg_read(v, v->state.n_frames - 1, 0);
	v->state.pc = callee->return_pc + 1;
	frame_pop(v);
	trail_define(v, loc_top(v, 0), loc_reg(v->state.n_frames, 0), LOC_NONE);
	*reg_write(v, 0) = r0;
	return true;
}

/* The program ends: with a number in r0 and nothing left to give back. */
static bool
check_end(struct verifier *v)
{
	const struct reg *r0 = reg_read(v, 0);

	if (!r0)
		return false;
	if (r0->kind != REG_SCALAR)
		return refuse_reg(v, 0, "returns an address; a program returns a number");
	if (v->state.n_refs)
		return refuse(v, -EACCES, "ends while a record is reserved; hand it to ringbuf_submit or ringbuf_discard");
	return check_no_lock(v, "ends");
}

/* ---- the walk --------------------------------------------------------------------------------------------------------- */

enum step { STEP_ON, STEP_END, STEP_REFUSED };

static enum step
step_result(bool ok)
{
	return ok ? STEP_ON : STEP_REFUSED;
}

/* The instruction at pc. Leaves pc at the one that comes next. */
static enum step
step_insn(struct verifier *v)
{
	const struct frame *frame = frame_top(v);
	const struct bpf_insn *insn = &frame->func->insns[v->state.pc];
	const struct insn_info *info = frame->info->rows[v->state.pc];
	bool ok = false, dead = false;

	switch ((enum insn_shape)info->shape) {
	case SHAPE_ALU:
	case SHAPE_UNARY:
		ok = step_alu(v, insn, info);
		break;
	case SHAPE_LD64:
		ok = step_wide(v, insn);
		break;
	case SHAPE_LOAD:
		ok = step_load(v, insn);
		break;
	case SHAPE_STORE:
		ok = step_store(v, insn);
		break;
	case SHAPE_ATOMIC:
		ok = step_atomic(v, insn);
		break;
	case SHAPE_JUMP:
		v->state.pc += 1 + (uint32_t)(info->id == INSN_JA32 ? insn->imm : insn->off);
		return STEP_ON;
	case SHAPE_COND:
		ok = step_branch(v, insn, &dead);
		return dead ? STEP_END : step_result(ok);
	case SHAPE_CALL:
		if (info->id == INSN_CALL_LOCAL)
			return step_result(step_local_call(v));
		if (info->id == INSN_CALLX)
			return step_result(check_callx(v, insn));
		ok = check_helper_call(v, insn);
		break;
	case SHAPE_EXIT:
		if (v->state.n_frames > 1)
			return step_result(step_return(v));
		return check_end(v) ? STEP_END : STEP_REFUSED;
	case SHAPE_PACKET: /* refused by verify_func.c */
		break;
	}
	v->state.pc++;
	return step_result(ok);
}

/* Instructions are not all that a program can make us spend. */
static bool
is_affordable(struct verifier *v)
{
	if (v->bytes + v->bytes_kept > VM_STATE_BYTES_MAX)
		return refuse(v, -E2BIG, "too complex: following all paths takes more than %u megabytes", VM_STATE_BYTES_MAX >> 20);
	if (v->n_followed > VM_FOLLOWED_MAX)
		return refuse(v, -E2BIG, "too complex: too much depends on numbers that were computed too long ago");
	if (v->n_compared > (v->watch->compared_max ? v->watch->compared_max : VM_COMPARED_MAX))
		return refuse(v, -E2BIG, "too complex: a helper calls back too often, and what it finds differs each time");
	return true;
}

static enum step
step(struct verifier *v)
{
	struct func_info *info = frame_top(v)->info;
	int known;

	if (v->n_insns++ >= v->insns_max) {
		refuse(v, -E2BIG, "too complex: after %" PRIu32 " instructions not all paths were followed; are all loops short?", v->insns_max);
		return STEP_REFUSED;
	}
	if (!is_affordable(v))
		return STEP_REFUSED;
	if (info->marks[v->state.pc] & MARK_TARGET) {
		known = state_visit(v);
		if (known)
			return known < 0 ? STEP_REFUSED : STEP_END;
	}
	info->marks[v->state.pc] |= MARK_SEEN;
	if (debug_on(DEBUG_VERIFY))
		state_print(v, stderr);
	if (v->watch->visit)
		v->watch->visit(v->watch->arg, frame_top(v)->func, v->state.pc, frame_top(v)->regs);
	return step_insn(v);
}

/*
 * Goes the way that was kept: the branch is taken, the helper calls back, the tail call succeeds, the load gave that function. False: it never
 * goes that way, or refused.
 */
static bool
take_way(struct verifier *v)
{
	const struct bpf_insn *insn = &frame_top(v)->func->insns[v->state.pc];

	if (insn_info(insn)->shape == SHAPE_LOAD) {
		v->state.pc++;
		return true;
	}
	if (insn_calls_back(insn)) {
		note_branch(v, true);
		return callback_enter(v);
	}
	if (!insn_is_tail_call(insn))
		return take_branch(v, insn, true);
	note_branch(v, true);
	tail_call_taken(v);
	return true;
}

/* Takes up the next way that was kept. False: none is left. */
static bool
next_path(struct verifier *v)
{
	do {
		path_end(v);
		if (v->err || !state_pop(v))
			return false;
	} while (!take_way(v));
	return true;
}

static void
set_arguments(struct verifier *v)
{
	for (uint32_t i = 0; i < 5; i++) {
		struct reg *reg = &v->state.frames[0]->regs[i + 1];

		*reg = (struct reg){ .index = i, .size = v->signature->args[i].size, .s = scalar_const(0) };
		switch (v->signature->args[i].kind) {
		case VM_ARG_NONE:
			*reg = (struct reg){ .kind = REG_UNSET };
			break;
		case VM_ARG_SCALAR:
			reg_set_scalar(reg, scalar_unknown());
			break;
		case VM_ARG_MEM:
			reg->kind = REG_MEM;
			break;
		case VM_ARG_MEM_RDONLY:
			reg->kind = REG_RDONLY;
			break;
		case VM_ARG_CTX:
			reg->kind = reg->size ? REG_RDONLY : REG_CTX;
			break;
		}
	}
}

/* The paths of the program, or of a global function that it calls. */
static void
follow_all_paths(struct verifier *v, const struct func *entry)
{
	enum step result;

	v->entry = entry;
	v->state = (struct state){ .n_frames = 0 };
	if (!frame_push(v, entry, 0))
		return;
	frame_top(v)->info = func_info_of(v, entry);
	if (!frame_top(v)->info)
		return;
	if (v->is_global)
		set_global_arguments(v, entry);
	else
		set_arguments(v);
	do {
		do {
			result = step(v);
		} while (result == STEP_ON);
		if (result == STEP_REFUSED)
			return;
	} while (next_path(v));
	v->state.path = NULL;
}

/* A global function that is called, and of which nobody has followed the paths. */
static struct func_info *
next_global(struct verifier *v)
{
	for (struct func_info *info = v->infos; info; info = info->next)
		if (info->is_called && !info->is_verified)
			return info;
	return NULL;
}

static void
follow_all(struct verifier *v)
{
	const struct func *program = v->entry;
	struct func_info *info;

	follow_all_paths(v, program);
	v->is_global = true;
	while (!v->err && (info = next_global(v))) {
		info->is_verified = true;
		follow_all_paths(v, info->func);
	}
	v->entry = program;
	if (!v->err && frame_push(v, program, 0))
		check_call_graph(v);
}

void
vm_facts_free(struct vm_facts *facts)
{
	for (struct vm_facts *next; facts; facts = next) {
		next = facts->next;
		free(facts);
	}
}

/* Where memory is short, some stay away. */
static struct vm_facts *
facts_of(const struct verifier *v)
{
	struct vm_facts *all = NULL;

	for (const struct func_info *info = v->infos; info; info = info->next) {
		struct vm_facts *facts = mem_alloc(sizeof(*facts) + info->func->n_insns);

		if (!facts)
			continue;
		facts->func = info->func;
		memcpy(facts->marks, info->marks, info->func->n_insns);
		facts->next = all;
		all = facts;
	}
	return all;
}

int
verify_watched(const struct object *object, const struct func *func, const struct vm_signature *signature,
	       const struct verify_watch *watch, struct text *why)
{
	struct verifier v = { .object = object, .entry = func, .signature = signature, .watch = watch, .why = why };

	v.insns_max = watch->insns_max ? watch->insns_max : VM_INSNS_MAX;
	v.arena = arena_new();
	v.tables = arena_alloc(v.arena, object->n_tables + 1);
	follow_all(&v);
	if (debug_on(DEBUG_VERIFY))
		fprintf(stderr, "%s: %s, %" PRIu32 " instructions looked at\n", func->name ? func->name : "?", v.err ? "refused" : "accepted",
			v.n_insns);
	if (watch->n_insns)
		*watch->n_insns = v.n_insns;
	if (watch->line)
		*watch->line = v.line;
	if (watch->facts)
		*watch->facts = v.err ? NULL : facts_of(&v);
	state_free_all(&v);
	trails_free(&v.trails);
	arena_free(v.arena);
	return v.err;
}

int
vm_verify(const struct object *object, const struct func *func, const struct vm_signature *signature, const struct source_line **line,
	  struct text *why)
{
	const struct verify_watch watch = { .line = line };

	return verify_watched(object, func, signature, &watch, why);
}

struct vm_signature
vm_handler_signature(const struct program *program)
{
	const struct vm_signature of_c = { .args = { { .kind = program->context_size ? VM_ARG_CTX : VM_ARG_NONE,
						       .size = program->context_size } } };
	struct vm_signature signature = { .args = {
		{ .kind = VM_ARG_MEM_RDONLY, .size = program->record_size },
		{ .kind = program->uses_context ? VM_ARG_CTX : VM_ARG_NONE },
		{ .kind = VM_ARG_SCALAR },
		{ .kind = VM_ARG_SCALAR },
		{ .kind = program->scratch_size ? VM_ARG_MEM : VM_ARG_NONE, .size = program->scratch_size },
	} };

	return program->shape == PROGRAM_C ? of_c : signature;
}
