/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The verifier's judgement of helper calls: arguments against the helper's row in helpers.def, records that must be given
 * back, and what is known of the result.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "vm/vm_int.h"

/* What the arguments of one call told. */
struct call {
	const struct helper *helper;
	const struct table *table; /* of HARG_TABLE */
	uint32_t table_index;
	uint32_t size_max;         /* of the last size argument */
	uint32_t alloc_size;
	uint32_t released;         /* ref of HARG_RECORD */
	uint32_t slice_ref;        /* ref of what HRET_DATA_OR_NULL gives */
	uint32_t new_dynptr;       /* register of HARG_DYNPTR_NEW; made when all arguments are checked */
	uint8_t low_bits;          /* of the address that the new dynptr describes, or of the data that are asked for */
};

static bool
refuse_arg(struct verifier *v, const struct call *call, uint32_t regno, const char *what)
{
	return refuse_reg(v, (int)regno, "argument %" PRIu32 " of %s: %s", regno, call->helper->name, what);
}

/* ---- arguments --------------------------------------------------------------------------------------------- */

static bool
takes_table(enum helper_tables tables, const struct table *table)
{
	switch (tables) {
	case HTAB_NONE:
		return false;
	case HTAB_PROGRAMS:
		return table->kind == TABLE_PROGRAMS;
	case HTAB_FOUND:
		return table_kind_holds_tables(table->kind) || takes_table(HTAB_KEYED, table);
	case HTAB_KEYED:
		return table_kind_has_keys(table->kind) && table->kind != TABLE_PROGRAMS && table->kind != TABLE_STACK_TRACE && table->kind != TABLE_PERF_EVENTS &&
		       !table_kind_holds_tables(table->kind);
	case HTAB_WALKED:
		return table->kind == TABLE_HASH || table->kind == TABLE_ARRAY || table->kind == TABLE_LRU_HASH ||
		       table_kind_is_per_cpu(table->kind);
	case HTAB_PER_CPU:
		return table_kind_is_per_cpu(table->kind);
	case HTAB_PUSHED:
		return table->kind == TABLE_QUEUE || table->kind == TABLE_STACK || table->kind == TABLE_BLOOM;
	case HTAB_POPPED:
		return table->kind == TABLE_QUEUE || table->kind == TABLE_STACK;
	case HTAB_PERF:
		return table->kind == TABLE_PERF_EVENTS;
	case HTAB_RINGBUF:
		return table->kind == TABLE_RINGBUF;
	case HTAB_STACK:
		return table->kind == TABLE_STACK_TRACE;
	}
	return false;
}

static bool
check_table_arg(struct verifier *v, struct call *call, uint32_t regno, const struct reg *reg)
{
	if (reg->kind != REG_TABLE)
		return refuse_arg(v, call, regno, "must be a table");
	if (reg->nullable)
		return refuse_arg(v, call, regno, "the table may be null; compare it with 0 first");
	call->table_index = reg->index;
	call->table = reg_table(v, reg->index);
	if (!takes_table(call->helper->tables, call->table))
		return refuse_arg(v, call, regno, "the helper does not work on this kind of table");
	if (call->helper->writes_table && call->table->read_only)
		return refuse_arg(v, call, regno, "programs may only read this table");
	return true;
}

static bool
is_null(const struct reg *reg)
{
	return reg->kind == REG_SCALAR && scalar_is_const(&reg->s) && !reg->s.bits.value;
}

/* The memory before a size of `max` bytes at most (exact: always). */
static bool
check_sized_memory(struct verifier *v, uint32_t regno, enum helper_arg kind, uint32_t max, bool exact)
{
	bool nullable = kind == HARG_VALUES_OR_NULL || kind == HARG_MEM_PART_OR_NULL, writes = kind == HARG_MEM_PART_OR_NULL || kind == HARG_VALUE_MEM;

	if (nullable && !max && is_null(&frame_top(v)->regs[regno])) {
		rely_on(v, loc_top(v, regno), LOC_NONE);
		return reg_read(v, regno);
	}
	if (kind == HARG_VALUE_MEM && frame_top(v)->regs[regno].kind != REG_VALUE)
		return refuse_reg(v, (int)regno, "the memory of a dynptr must be in the value of a table");
	if (kind == HARG_VALUES_OR_NULL)
		return check_values_memory(v, regno, max);
	return check_helper_memory(v, regno, max, kind == HARG_MEM_OUT || writes, exact && kind == HARG_MEM_OUT);
}

/* A size: bounds first, then the memory of the argument before it. */
static bool
check_size_arg(struct verifier *v, struct call *call, uint32_t regno, const struct reg *reg, bool zero_allowed)
{
	const struct range *r = &reg->s.r64;

	if (reg->kind != REG_SCALAR)
		return refuse_arg(v, call, regno, "must be a size, a number");
	rely_on(v, loc_top(v, regno), LOC_NONE);
	if (r->smin < 0)
		return refuse_arg(v, call, regno, "the size may be negative; mask it or compare it first");
	if (r->umax >= VM_OFFSET_MAX)
		return refuse_arg(v, call, regno, "the size is not bounded; compare it with a limit first");
	if (!r->umin && !zero_allowed)
		return refuse_arg(v, call, regno, "the size may be 0");
	call->size_max = (uint32_t)r->umax;
	if (call->helper->args[regno - 2] == HARG_VALUE_MEM)
		call->low_bits = address_low_bits(&frame_top(v)->regs[regno - 1]);
	return check_sized_memory(v, regno - 1, call->helper->args[regno - 2], (uint32_t)r->umax, scalar_is_const(&reg->s));
}

/* The string must stand in the table's first contents, which no program can change. */
static bool
check_string_arg(struct verifier *v, struct call *call, uint32_t regno, const struct reg *reg)
{
	const struct table *table = reg->kind == REG_VALUE ? reg_table(v, reg->index) : NULL;
	int32_t off = reg->off;

	if (!table || reg->nullable || !table_is_constant(table))
		return refuse_arg(v, call, regno, "must be a string in a read-only array table");
	if (!scalar_is_const(&reg->s) || reg->s.bits.value || off < 0 || (uint32_t)off >= table->value_size ||
	    !memchr((const char *)table->init + off, '\0', table->value_size - (uint32_t)off))
		return refuse_arg(v, call, regno, "the string has no end in its table");
	return true;
}

/* The string, and that the values behind it are as many as it asks for. */
static bool
check_format_arg(struct verifier *v, struct call *call, uint32_t regno, const struct reg *reg)
{
	const struct reg *size = &frame_top(v)->regs[regno + 2];
	const char *format;

	if (!check_string_arg(v, call, regno, reg))
		return false;
	format = (const char *)reg_table(v, reg->index)->init + reg->off;
	if (size->kind != REG_SCALAR || !scalar_is_const(&size->s) || size->s.bits.value % 8 || size->s.bits.value > FORMAT_VALUES_MAX * 8)
		return refuse_arg(v, call, regno + 2, "must be a constant, 8 bytes for each of at most 12 values");
	rely_on(v, loc_top(v, regno + 2), LOC_NONE);
	if (format_check(format, (uint32_t)size->s.bits.value / 8))
		return refuse_arg(v, call, regno, "the format has a conversion that helpers do not have, or more than there are values");
	return true;
}

static bool
check_record_arg(struct verifier *v, struct call *call, uint32_t regno, const struct reg *reg)
{
	if (reg->kind != REG_RECORD || reg->nullable)
		return refuse_arg(v, call, regno, "must be a record that ringbuf_reserve returned, compared with 0");
	if (!scalar_is_const(&reg->s) || reg->s.bits.value || reg->off)
		return refuse_arg(v, call, regno, "must be the beginning of the record");
	call->released = reg->ref;
	return true;
}

/* Of the address of what dynptr_data gives: r2 is the offset in what the dynptr describes. */
static uint8_t
data_low_bits(struct verifier *v, const struct reg *dynptr)
{
	const struct reg *off = &frame_top(v)->regs[2];
	uint8_t low_bits = off->kind == REG_SCALAR ? address_low_bits(off) : 7;

	if (low_bits != 7)
		rely_on(v, loc_top(v, 2), LOC_NONE);
	return low_bits | (uint8_t)dynptr->size;
}

static bool
check_dynptr_arg(struct verifier *v, struct call *call, uint32_t regno, enum helper_arg kind)
{
	const struct reg *dynptr = dynptr_at(v, regno);

	if (!dynptr)
		return false;
	if (kind == HARG_DYNPTR_RECORD && !dynptr->ref)
		return refuse_arg(v, call, regno, "must be a dynptr of a reserved record");
	call->slice_ref = dynptr->ref ? dynptr->ref : dynptr->id;
	if (call->helper->ret == HRET_DATA_OR_NULL)
		call->low_bits = data_low_bits(v, dynptr);
	if (kind == HARG_DYNPTR_RECORD)
		call->released = dynptr->ref;
	return true;
}

static bool
check_alloc_arg(struct verifier *v, struct call *call, uint32_t regno, const struct reg *reg)
{
	if (reg->kind != REG_SCALAR || !scalar_is_const(&reg->s) || reg->s.bits.value >= VM_OFFSET_MAX)
		return refuse_arg(v, call, regno, "must be a constant size");
	rely_on(v, loc_top(v, regno), LOC_NONE);
	call->alloc_size = (uint32_t)reg->s.bits.value;
	return true;
}

static bool
check_context_arg(struct verifier *v, struct call *call, uint32_t regno, const struct reg *reg)
{
	if (reg->kind == REG_STACK)
		return true;
	if (reg->kind != REG_SCALAR || !scalar_is_const(&reg->s) || reg->s.bits.value)
		return refuse_arg(v, call, regno, "must be an address of the stack, or 0");
	rely_on(v, loc_top(v, regno), LOC_NONE);
	return true;
}

static bool
check_count_arg(struct verifier *v, struct call *call, uint32_t regno, const struct reg *reg)
{
	if (reg->kind != REG_SCALAR)
		return refuse_arg(v, call, regno, "must be a number");
	rely_on(v, loc_top(v, regno), LOC_NONE);
	return true;
}

/* The context itself, not an address in it. */
static bool
is_context(const struct verifier *v, const struct reg *reg)
{
	if (reg->kind == REG_CTX)
		return true;
	/* A host's context that may be written is the memory of the first argument. */
	if (reg->kind == REG_MEM && reg->index == 0)
		return reg->off == 0 && scalar_is_const(&reg->s) && reg->s.bits.value == 0;
	return reg->kind == REG_RDONLY && v->signature->args[reg->index].kind == VM_ARG_CTX && reg->off == 0 &&
	       scalar_is_const(&reg->s) && reg->s.bits.value == 0;
}

static bool
check_arg(struct verifier *v, struct call *call, uint32_t regno)
{
	enum helper_arg kind = call->helper->args[regno - 1];
	const struct reg *reg;

	if (kind == HARG_NONE || kind == HARG_VARARG)
		return true;
	reg = reg_read(v, regno);
	if (!reg)
		return false;
	switch (kind) {
	case HARG_TABLE:
		return check_table_arg(v, call, regno, reg);
	case HARG_KEY:
		return check_helper_memory(v, regno, call->table->key_size, false, true);
	case HARG_VALUE:
		return check_helper_memory(v, regno, call->table->value_size, false, true);
	case HARG_VALUE_OUT:
		return check_helper_memory(v, regno, call->table->value_size, call->table->kind != TABLE_BLOOM, true);
	case HARG_SIZE:
		return check_size_arg(v, call, regno, reg, false);
	case HARG_SIZE_OR_ZERO:
		return check_size_arg(v, call, regno, reg, true);
	case HARG_CTX:
		return is_context(v, reg) ? true : refuse_arg(v, call, regno, "must be the context of the program");
	case HARG_ALLOC_SIZE:
		return check_alloc_arg(v, call, regno, reg);
	case HARG_RECORD:
		return check_record_arg(v, call, regno, reg);
	case HARG_CONST_STR:
		return check_string_arg(v, call, regno, reg);
	case HARG_DYNPTR_NEW:
		call->new_dynptr = regno;
		return true;
	case HARG_DYNPTR:
	case HARG_DYNPTR_RECORD:
		return check_dynptr_arg(v, call, regno, kind);
	case HARG_FORMAT:
		return check_format_arg(v, call, regno, reg);
	case HARG_LONG_OUT:
		return check_helper_memory(v, regno, 8, true, true) && check_alignment(v, regno, 0, 8);
	case HARG_COUNT:
		return check_count_arg(v, call, regno, reg);
	case HARG_LOCK:
		return check_lock_arg(v, regno, call->helper);
	case HARG_LOOP_FN:
	case HARG_ELEM_FN:
		return reg->kind == REG_FUNC ? true : refuse_arg(v, call, regno, "must be a function");
	case HARG_STACK_OR_NULL:
		return check_context_arg(v, call, regno, reg);
	case HARG_NONE:
	case HARG_VARARG:
	case HARG_ANY:
	case HARG_MEM:     /* looked at with its size, the next argument */
	case HARG_MEM_OUT:
	case HARG_VALUES_OR_NULL:
	case HARG_MEM_PART_OR_NULL:
	case HARG_VALUE_MEM:
		break;
	}
	return true;
}

/* ---- effects ------------------------------------------------------------------------------------------------ */

static void
forget(struct reg *reg, uint16_t loc, void *arg)
{
	const uint32_t *ref = arg;

	(void)loc;
	if (reg->ref == *ref)
		*reg = (struct reg){ .kind = REG_UNSET, .ref = *ref };
}

void
forget_ref(struct verifier *v, uint32_t ref)
{
	state_each_reg(&v->state, forget, &ref);
}

static void
release(struct verifier *v, uint32_t ref)
{
	struct state *state = &v->state;

	for (uint32_t i = 0; i < state->n_refs; i++)
		if (state->refs[i] == ref)
			state->refs[i--] = state->refs[--state->n_refs];
	forget_ref(v, ref);
}

/* One more record to give back. 0: too many. */
static uint32_t
acquire(struct verifier *v)
{
	struct state *state = &v->state;

	if (state->n_refs == VM_REFS_MAX) {
		refuse(v, -E2BIG, "holds more than %d records at once", VM_REFS_MAX);
		return 0;
	}
	state->refs[state->n_refs++] = ++v->last_id;
	return v->last_id;
}

static bool
set_record(struct verifier *v, const struct call *call, struct reg *r0)
{
	uint32_t ref = acquire(v);

	*r0 = (struct reg){ .kind = REG_RECORD, .nullable = true, .size = call->alloc_size, .id = ref, .ref = ref, .s = scalar_const(0) };
	return ref;
}

static bool
make_dynptr(struct verifier *v, const struct call *call)
{
	uint32_t ref = call->helper->ret == HRET_DYNPTR ? acquire(v) : 0;

	return (ref || call->helper->ret != HRET_DYNPTR) && dynptr_make(v, call->new_dynptr, ref, call->low_bits);
}

static bool
set_result(struct verifier *v, const struct call *call)
{
	struct reg *r0 = reg_write(v, 0);

	trail_define(v, loc_top(v, 0), LOC_NONE, LOC_NONE); /* sizes that bound it are relied on already */
	switch (call->helper->ret) {
	case HRET_INT:
	case HRET_DYNPTR:
		reg_set_scalar(r0, scalar_unknown());
		break;
	case HRET_LEN:
		reg_set_scalar(r0, scalar_between(-4095, call->size_max));
		break;
	case HRET_VALUE_OR_NULL:
		*r0 = (struct reg){ .kind = REG_VALUE, .nullable = true, .index = call->table_index, .id = ++v->last_id,
				    .s = scalar_const(0) };
		if (table_kind_holds_tables(call->table->kind)) {
			r0->kind = REG_TABLE;
			r0->index += v->object->n_tables;
		}
		break;
	case HRET_RECORD_OR_NULL:
		return set_record(v, call, r0);
	case HRET_DATA_OR_NULL: /* goes with the record, or with the dynptr */
		*r0 = (struct reg){ .kind = REG_DATA, .nullable = true, .index = call->low_bits, .size = call->alloc_size, .id = ++v->last_id,
				    .ref = call->slice_ref, .s = scalar_const(0) };
		break;
	case HRET_VOID:
		*r0 = (struct reg){ .kind = REG_UNSET };
		break;
	}
	return true;
}

/* A call of what is no helper: core_apply leaves one where the kernel lacks what an instruction asks for. */
static bool
refuse_helper(struct verifier *v, const struct bpf_insn *insn)
{
	const struct core_reloc *core = insn->imm == CORE_POISON ? func_core_reloc(frame_top(v)->func, v->state.pc) : NULL;
	const char *name = insn->imm == BPF_FUNC_unspec ? NULL : helper_name(insn->imm);

	if (core && core->unresolved)
		return refuse(v, -EINVAL, "needs what is not there (CO-RE): %s", core->unresolved);
	return refuse(v, -EINVAL, "calls helper %" PRId32 "%s%s%s, which this engine does not have", insn->imm, name ? " (" : "", name ? name : "", name ? ")" : "");
}

/* ---- tail calls ----------------------------------------------------------------------------------------------- */

/*
 * The program goes on here, where the table has none for it; else another one begins in the place of this function, and what that returns
 * goes to whoever called the function. That way is kept, where there is a caller; the program as a whole may return any number.
 */
static bool
check_tail_call(struct verifier *v)
{
	if (v->state.n_refs)
		return refuse(v, -EACCES, "a tail call while a record is reserved; hand it to ringbuf_submit or ringbuf_discard");
	for (uint32_t i = 0; i < v->state.n_frames; i++) {
		if (v->state.frames[i]->called_back)
			return refuse(v, -EACCES, "a tail call in a function that a helper calls back");
		if (v->state.frames[i]->by_register)
			return refuse(v, -EACCES, "a tail call in a function that is called by a register (a rule of the kernel)");
	}
	if (frame_top(v)->regs[1].index != signature_context(v->signature))
		return refuse_reg(v, 1, "a tail call hands on the first context of the program");
	return v->state.n_frames == 1 || state_push(v, v->state.pc);
}

void
tail_call_taken(struct verifier *v)
{
	v->state.pc = frame_top(v)->return_pc + 1;
	frame_pop(v);
	trail_define(v, loc_top(v, 0), LOC_NONE, LOC_NONE);
	reg_set_scalar(reg_write(v, 0), scalar_unknown());
}

bool
check_helper_call(struct verifier *v, const struct bpf_insn *insn)
{
	struct call call = { .helper = helper_find(insn->imm) };

	if (!call.helper)
		return refuse_helper(v, insn);
	if (call.helper->number != BPF_FUNC_spin_unlock && call.helper->number != BPF_FUNC_spin_lock && !check_no_lock(v, "calls a helper"))
		return false;
	for (uint32_t regno = 1; regno <= 5; regno++)
		if (!check_arg(v, &call, regno))
			return false;
	if (helper_callback(call.helper) && !callback_push(v, call.helper))
		return false;
	if (call.helper->number == BPF_FUNC_tail_call && !check_tail_call(v))
		return false;
	if (call.new_dynptr && !make_dynptr(v, &call))
		return false;
	if (call.released)
		release(v, call.released);
	for (uint32_t regno = 1; regno <= 5; regno++)
		*reg_write(v, regno) = (struct reg){ .kind = REG_UNSET };
	return set_result(v, &call);
}
