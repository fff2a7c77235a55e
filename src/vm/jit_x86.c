/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Machine code for x86-64. Every register of eBPF has one of the machine for good:
 *
 *      r0    r1    r2    r3    r4   r5   r6    r7    r8    r9    r10
 *      rax   rsi   rdx   rcx   r8   r9   rbx   r13   r14   r15   rbp
 *
 * so r0 is where functions in C return, r1 to r5 are where they take their second to sixth argument (the first, rdi, is the
 * struct vm_run of a helper), and r6 to r9 are registers that they preserve: a call of a helper is a call. rdi, r10 and r11 are free
 * within an instruction; r12 holds the struct vm_run where something needs it. The program's stack is not the machine's: rbp points
 * above the frame of VM_STACK_SIZE bytes, the callee's frame lies above. Return addresses and saved registers are on the
 * machine's stack, where no address of the program leads.
 *
 * All arithmetic on 32 bits clears the upper half by itself. Flags mean nothing between instructions.
 */
#include <stddef.h>
#include <string.h>

#include "vm/jit_x86.h"

#if defined(__x86_64__)

/* ---- jumps --------------------------------------------------------------------------------------------------------- */

/*
 * The jump of instruction pc to `target`. Backward the distance is known. Forward it is at most what the first pass saw between the
 * end of this instruction and where it goes, and `behind`, the most bytes that this instruction has behind the jump.
 */
void
x86_jump(struct gen *g, uint32_t pc, uint32_t target, unsigned cc, uint32_t behind)
{
	const struct jit_insn *insns = g->f->insns;
	struct jit_buf *b = g->b;
	bool is_short, is_back = target <= pc;

	if (is_back)
		is_short = b->n + 2 - insns[target].off <= 128;
	else
		is_short = !g->jit->first_pass && insns[target].off - insns[pc + 1].off + behind <= INT8_MAX;
	if (is_short) {
		put8(b, cc == CC_ALWAYS ? SKIP_ALWAYS : SKIP_IF(cc));
		put8(b, is_back ? insns[target].off - (b->n + 1) : 0);
	} else {
		if (cc != CC_ALWAYS)
			put8(b, 0x0f);
		put8(b, cc == CC_ALWAYS ? 0xe9 : 0x80 | cc);
		put32(b, is_back ? insns[target].off - (b->n + 4) : 0);
	}
	if (!is_back) {
		g->f->insns[pc].fix = b->n;
		g->f->insns[pc].fix_is_short = is_short;
	}
}

/* Sets the flags for a comparison. */
void
x86_compare(struct gen *g, const struct bpf_insn *insn, uint32_t w)
{
	unsigned dst = x86_reg_of[insn->dst_reg];
	bool is_test = BPF_OP(insn->code) == BPF_JSET;
	struct jit_buf *b = g->b;

	if (!has_imm(insn)) {
		put_rr(b, w | (is_test ? OP_TEST : OP_CMP), dst, x86_reg_of[insn->src_reg]);
	} else if (!is_test && insn->imm) {
		put_imm(b, w, G1_CMP, dst, insn->imm);
	} else if (!is_test) {
		put_rr(b, w | OP_TEST, dst, dst); /* as a comparison with 0 */
	} else if (insn->imm >= 0 && insn->imm <= INT8_MAX) {
		put_rr(b, OP_BRM | 0xf6, G3_TEST, dst);
		put8(b, (uint8_t)insn->imm);
	} else {
		if (insn->imm >= 0)
			w = 0;
		put_rr(b, w | 0xf7, G3_TEST, dst);
		put32(b, (uint32_t)insn->imm);
	}
}

enum x86_cc
x86_condition(const struct bpf_insn *insn)
{
	static const uint8_t conditions[16] = {
		[BPF_JEQ >> 4] = CC_E, [BPF_JNE >> 4] = CC_NE, [BPF_JGT >> 4] = CC_A, [BPF_JGE >> 4] = CC_AE, [BPF_JLT >> 4] = CC_B,
		[BPF_JLE >> 4] = CC_BE, [BPF_JSET >> 4] = CC_NE, [BPF_JSGT >> 4] = CC_G, [BPF_JSGE >> 4] = CC_GE,
		[BPF_JSLT >> 4] = CC_L, [BPF_JSLE >> 4] = CC_LE,
	};

	return conditions[BPF_OP(insn->code) >> 4];
}

static void
emit_cond(struct gen *g, uint32_t pc, const struct bpf_insn *insn)
{
	uint32_t target = jit_target(g->f, pc);

	if (target == pc + 1)
		return;
	x86_compare(g, insn, width_of(insn));
	x86_jump(g, pc, target, x86_condition(insn), 0);
}

/* ---- prologue and epilogue ---------------------------------------------------------------------------------------- */

/* Does the entry keep `run`? Before that is known, it does. */
static bool
keeps_run(const struct gen *g)
{
	return g->is_entry && (g->jit->uses_run || g->jit->first_pass);
}

/* The registers that the function has to give back as they were, in the order in which they are pushed. */
static unsigned
saved_regs(const struct gen *g, uint8_t saved[8])
{
	unsigned n = 0;

	for (unsigned r = 6; r <= 9; r++)
		if (g->f->writes >> r & 1)
			saved[n++] = x86_reg_of[r];
	if (g->is_entry && g->f->uses_stack)
		saved[n++] = RBP;
	if (keeps_run(g))
		saved[n++] = RUN;
	return n;
}

/* Calls want a stack of 16 bytes' alignment: with the return address an odd number of registers. */
static bool
needs_padding(const struct gen *g, unsigned n_saved)
{
	return g->jit->first_pass || (g->f->calls && n_saved % 2 == 0);
}

static void
emit_args(struct gen *g)
{
	/* r1 is where the arguments come from, so it is the last. */
	static const uint8_t order[] = { 1, 2, 3, 4, 0 };

	if (keeps_run(g))
		put_mov(g->b, OP_W, RUN, RDI);
	if (g->f->uses_stack)
		put_mov(g->b, OP_W, RBP, RDX);
	for (unsigned i = 0; i < ARRAY_SIZE(order); i++)
		if (g->jit->signature->args[order[i]].kind != VM_ARG_NONE)
			put_rm(g->b, OP_W | OP_MOV, x86_reg_of[order[i] + 1], RSI, order[i] * 8);
}

static void
emit_prologue(struct gen *g)
{
	uint8_t saved[8];
	unsigned n = saved_regs(g, saved);

	for (unsigned i = 0; i < n; i++)
		put_push(g->b, saved[i]);
	if (needs_padding(g, n))
		put_push(g->b, RAX);
	if (g->is_entry)
		emit_args(g);
}

static void
emit_exit(struct gen *g)
{
	uint8_t saved[8];
	unsigned n = saved_regs(g, saved);

	if (needs_padding(g, n))
		put_pop(g->b, SCRATCH);
	while (n)
		put_pop(g->b, saved[--n]);
	put8(g->b, 0xc3);
}

/* ---- a budget --------------------------------------------------------------------------------------------------------- */

/* The function returns if the flags say that the budget is below 0. Its caller then finds it so, too. */
static void
put_exit_if_spent(struct gen *g)
{
	uint32_t skip = put_skip(g->b, SKIP_IF(CC_NS));

	emit_exit(g);
	land(g->b, skip);
}

/* Before a jump backward. */
static void
put_charge(struct gen *g)
{
	g->jit->uses_run = true;
	put_rm(g->b, OP_W | 0x83, G1_SUB, RUN, offsetof(struct vm_run, budget));
	put8(g->b, 1);
	put_exit_if_spent(g);
}

/* Behind a call of a function of the program, be it by a helper. */
static void
put_check_budget(struct gen *g)
{
	if (!g->has_budget)
		return;
	g->jit->uses_run = true;
	put_rm(g->b, OP_W | 0x83, G1_CMP, RUN, offsetof(struct vm_run, budget));
	put8(g->b, 0);
	put_exit_if_spent(g);
}

static bool
is_charged(const struct gen *g, uint32_t pc)
{
	return g->has_budget && insn_jumps_back(&g->f->func->insns[pc]);
}

/* ---- calls ---------------------------------------------------------------------------------------------------------- */

static void
put_call(struct gen *g, uint64_t address)
{
	int32_t rel;

	g->f->calls = true;
	if (reach(g, address, 5, &rel)) {
		put8(g->b, 0xe8);
		put32(g->b, (uint32_t)rel);
	} else {
		/* rax is free: it is about to be overwritten. */
		put_const(g->b, RAX, g->jit->first_pass ? UINT64_MAX >> 1 : address);
		put_rr(g->b, 0xff, 2, RAX);
	}
}

static void
emit_call_local(struct gen *g, uint32_t pc)
{
	const struct jit_func *callee = jit_callee(g->jit, g->f, pc);
	struct jit_buf *b = g->b;

	g->f->calls = true;
	if (callee->uses_stack)
		put_imm(b, OP_W, G1_ADD, RBP, VM_STACK_SIZE);
	put8(b, 0xe8);
	put32(b, callee->start - (b->n + 4));
	if (callee->uses_stack)
		put_imm(b, OP_W, G1_SUB, RBP, VM_STACK_SIZE);
	put_check_budget(g);
}

/* Most bytes of put_entry. */
#define ENTRY_BYTES_MAX 48

/* rax = address of the value of entry number SCRATCH. */
static void
put_entry(struct gen *g, const struct vm_table *t)
{
	uint64_t entry = (uint64_t)t->n_cpus * t->stride; /* less than 2 GB: check_table */
	unsigned shift = is_power_of_two(entry) ? (unsigned)__builtin_ctzll(entry) : 64;
	struct jit_buf *b = g->b;
	size_t len;

	if (shift == 64) {
		put_rr(b, OP_W | 0x69, SCRATCH, SCRATCH);
		put32(b, (uint32_t)entry);
	} else if (shift > 3) {
		put_shift(b, OP_W, G2_SHL, SCRATCH, shift);
	}
	x86_address(g, RAX, (uintptr_t)array_memory(t, &len));
	put_rx(b, OP_LEA, RAX, RAX, SCRATCH, shift > 3 ? 0 : shift);
	if (t->n_cpus > 1) {
		g->jit->uses_run = true;
		put_rm(b, OP_W | OP_MOV, SCRATCH, RUN, offsetof(struct vm_run, cpu));
		put_rr(b, OP_W | 0x69, SCRATCH, SCRATCH);
		put32(b, t->stride);
		put_rr(b, OP_W | 0x03, RAX, SCRATCH);
	}
}

/* Is the instruction at pc, which nothing jumps to, a jump if r0 is null? */
static bool
is_null_check(const struct gen *g, uint32_t pc)
{
	const struct bpf_insn *insn = &g->f->func->insns[pc];

	return insn->code == (BPF_JMP | BPF_JEQ | BPF_K) && !insn->dst_reg && !insn->imm && insn->off && !g->f->insns[pc].target &&
	       !is_charged(g, pc);
}

/* rax = value of the entry whose number r2 points to, or 0. A null check behind it becomes part of it. */
static uint32_t
emit_array_lookup(struct gen *g, uint32_t pc, const struct vm_table *t)
{
	bool checks = is_null_check(g, pc + 1);
	struct jit_buf *b = g->b;
	uint32_t skip = 0;

	put_rm(b, OP_MOV, SCRATCH, RDX, 0);
	put_const(b, RAX, 0);
	put_imm(b, 0, G1_CMP, SCRATCH, (int32_t)t->table->max_entries);
	if (checks)
		x86_jump(g, pc + 1, jit_target(g->f, pc + 1), CC_AE, ENTRY_BYTES_MAX);
	else
		skip = put_skip(b, SKIP_IF(CC_AE));
	put_entry(g, t);
	if (!checks)
		land(b, skip);
	return checks ? 2 : 1;
}

/* A lookup in a table that is known here: without the way through the helper and the table's operations. */
static uint32_t
emit_lookup(struct gen *g, uint32_t pc, const struct vm_table *t)
{
	if (t->ops == &array_ops)
		return emit_array_lookup(g, pc, t);
	x86_address(g, RDI, (uintptr_t)t);
	put_mov(g->b, OP_W, RSI, RDX);
	put_call(g, (uintptr_t)t->ops->find);
	return 1;
}

/* Helpers that only fetch something: rax = 64 bits of env, at `off`. */
static bool
emit_env_helper(struct gen *g, int32_t helper)
{
	static const struct { int32_t helper; uint8_t off; bool swaps; } fetches[] = {
		{ BPF_FUNC_ktime_get_ns, offsetof(struct vm_env, ktime_ns), false },
		{ BPF_FUNC_get_current_pid_tgid, offsetof(struct vm_env, pid), true },
		{ BPF_FUNC_get_current_uid_gid, offsetof(struct vm_env, uid), false },
	};
	struct jit_buf *b = g->b;

	_Static_assert(offsetof(struct vm_env, tid) == offsetof(struct vm_env, pid) + 4, "fetched as one");
	_Static_assert(offsetof(struct vm_env, gid) == offsetof(struct vm_env, uid) + 4, "fetched as one");
	if (helper == BPF_FUNC_get_smp_processor_id) {
		put_rm(b, OP_W | OP_MOV, RAX, RUN, offsetof(struct vm_run, cpu));
		g->jit->uses_run = true;
		return true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(fetches); i++) {
		if (fetches[i].helper != helper)
			continue;
		put_rm(b, OP_W | OP_MOV, RAX, RUN, offsetof(struct vm_run, env));
		put_rm(b, OP_W | OP_MOV, RAX, RAX, fetches[i].off);
		if (fetches[i].swaps) /* pid is the upper half */
			put_shift(b, OP_W, G2_ROL, RAX, 32);
		g->jit->uses_run = true;
		return true;
	}
	return false;
}

static uint32_t
emit_call(struct gen *g, uint32_t pc)
{
	int32_t number = g->f->func->insns[pc].imm;
	const struct vm_table *t = g->known[1];

	if (number == BPF_FUNC_map_lookup_elem && t && !g->hides && (t->ops == &array_ops || t->n_cpus == 1))
		return emit_lookup(g, pc, t);
	if (emit_env_helper(g, number))
		return 1;
	g->jit->uses_run = true;
	if (insn_calls_back(&g->f->func->insns[pc]))
		put_rm(g->b, OP_W | OP_STORE, RBP, RUN, offsetof(struct vm_run, frame));
	put_mov(g->b, OP_W, RDI, RUN);
	put_call(g, (uintptr_t)helper_code(number));
	if (insn_calls_back(&g->f->func->insns[pc]))
		put_check_budget(g);
	return 1;
}

/* dst = where helpers call a function of the program. */
static void
emit_func_address(struct gen *g, unsigned dst, const struct jit_func *callee)
{
	if (g->jit->first_pass)
		put_const(g->b, dst, UINT64_MAX >> 1);
	else
		x86_address(g, dst, g->jit->address + callee->callback);
}

/* jit_callback: from the registers of a call in C to those of eBPF. */
static void
emit_callback(struct gen *g)
{
	static const uint8_t args[] = { RDX, RCX, R8, R9 };
	struct jit_buf *b = g->b;

	g->f->callback = b->n;
	put_push(b, RBP);
	put_push(b, RUN);
	put_push(b, RAX); /* for the alignment of the stack */
	put_mov(b, OP_W, RUN, RDI);
	put_mov(b, OP_W, RBP, RSI);
	for (unsigned i = 0; i < ARRAY_SIZE(args); i++)
		put_mov(b, OP_W, x86_reg_of[i + 1], args[i]);
	put8(b, 0xe8);
	put32(b, g->f->start - (b->n + 4));
	put_pop(b, SCRATCH);
	put_pop(b, RUN);
	put_pop(b, RBP);
	put8(b, 0xc3);
}

/* ---- a function ------------------------------------------------------------------------------------------------------ */

/* reg = value, 32 bits with their sign, put together from two that nobody knows. Always as long. */
static void
put_hidden(struct gen *g, unsigned reg, int32_t value)
{
	uint32_t key = (uint32_t)jit_random(g->jit);

	put_op(g->b, 0xb8 | (reg & 7), 0, 0, reg, false);
	put32(g->b, (uint32_t)value ^ key);
	put_rr(g->b, 0x81, G1_XOR, reg);
	put32(g->b, key);
	put_rr(g->b, OP_W | 0x63, reg, reg);
}

static void
put_hidden64(struct gen *g, unsigned reg, uint64_t value)
{
	uint64_t key = jit_random(g->jit);

	put_op(g->b, OP_W | 0xb8 | (reg & 7), 0, 0, reg, false);
	put64(g->b, value ^ key);
	put_op(g->b, OP_W | 0xb8 | (SCRATCH3 & 7), 0, 0, SCRATCH3, false);
	put64(g->b, key);
	put_rr(g->b, OP_W | 0x33, reg, SCRATCH3);
}

static void
emit_wide(struct gen *g, uint32_t pc)
{
	const struct jit_func *addressed = jit_addressed(g->jit, g->f, pc);
	unsigned dst = x86_reg_of[g->f->func->insns[pc].dst_reg];

	if (addressed)
		emit_func_address(g, dst, addressed);
	else if (g->hides && !func_reloc(g->f->func, pc))
		put_hidden64(g, dst, jit_wide(g->jit, g->f, pc));
	else
		x86_address(g, dst, jit_wide(g->jit, g->f, pc));
}

/* Emits `insn`, which stands at pc, perhaps with the next. Returns how many instructions these were. */
static uint32_t
emit_one(struct gen *g, uint32_t pc, const struct bpf_insn *insn)
{
	const struct insn_info *info = insn_info(insn);

	switch ((enum insn_shape)info->shape) {
	case SHAPE_ALU:
	case SHAPE_UNARY:
		x86_alu(g, insn);
		break;
	case SHAPE_LD64:
		emit_wide(g, pc);
		return 2;
	case SHAPE_LOAD:
		x86_load(g, insn);
		break;
	case SHAPE_STORE:
		x86_store(g, insn);
		break;
	case SHAPE_ATOMIC:
		x86_atomic(g, insn);
		break;
	case SHAPE_JUMP:
		if (jit_target(g->f, pc) != pc + 1)
			x86_jump(g, pc, jit_target(g->f, pc), CC_ALWAYS, 0);
		break;
	case SHAPE_COND:
		emit_cond(g, pc, insn);
		break;
	case SHAPE_CALL:
		if (info->id == INSN_CALL)
			return emit_call(g, pc);
		emit_call_local(g, pc);
		break;
	case SHAPE_EXIT:
		emit_exit(g);
		break;
	case SHAPE_PACKET:
		assert(!"packet access was verified");
	}
	return 1;
}

/* Emits what begins at pc. Returns how many instructions of eBPF that is. */
static uint32_t
emit_insn(struct gen *g, uint32_t pc)
{
	const struct bpf_insn *insn = &g->f->func->insns[pc];
	struct bpf_insn with;
	struct jit_op op;

	if (is_charged(g, pc))
		put_charge(g);
	if (!g->hides && jit_fuse(g->f, pc, &op) && !(op.kind == JIT_JUMP_UNLESS && is_charged(g, op.at + 1))) {
		x86_op(g, pc, &op);
		return op.n;
	}
	if (!jit_hides_constant(g->jit, insn))
		return emit_one(g, pc, insn);
	put_hidden(g, SCRATCH3, insn->imm);
	with = jit_with_register(insn);
	return emit_one(g, pc, &with);
}

/* What registers are known to hold after the instruction at pc. */
static void
learn(struct gen *g, uint32_t pc)
{
	const struct vm_table *table = jit_known_table(g->jit, g->f, pc, g->known);
	uint32_t written = jit_writes(&g->f->func->insns[pc], insn_info(&g->f->func->insns[pc]));

	for (unsigned r = 0; r < ARRAY_SIZE(g->known); r++)
		if (written >> r & 1)
			g->known[r] = table;
}

/* Fills in the displacements of jumps forward. */
static void
fix_jumps(struct gen *g)
{
	for (uint32_t pc = 0; pc < g->f->func->n_insns; pc++) {
		const struct jit_insn *insn = &g->f->insns[pc];
		uint32_t distance;

		if (!insn->fix)
			continue;
		distance = g->f->insns[jit_target(g->f, pc)].off - insn->fix;
		assert(!insn->fix_is_short || distance <= INT8_MAX);
		if (insn->fix_is_short)
			g->b->out[insn->fix - 1] = (uint8_t)distance;
		else
			memcpy(g->b->out + insn->fix - 4, &distance, 4);
	}
}

static void
x86_func(struct jit *jit, struct jit_func *f)
{
	struct gen g = {
		.jit = jit, .f = f, .b = &jit->buf, .is_entry = f == jit->last,
		.hides = jit->vm->constants != VM_CONSTANTS_PLAIN, .has_budget = jit->vm->budget,
		.has_bmi2 = !jit->vm->no_bmi2 && __builtin_cpu_supports("bmi2"),
	};

	emit_prologue(&g);
	for (uint32_t pc = 0; pc < f->func->n_insns;) {
		uint32_t n, width;

		if (f->insns[pc].target)
			memset(g.known, 0, sizeof(g.known));
		f->insns[pc].off = jit->buf.n;
		for (n = emit_insn(&g, pc); n; n -= width, pc += width) {
			width = 1 + insn_is_wide(&f->func->insns[pc]);
			learn(&g, pc);
		}
	}
	f->insns[f->func->n_insns].off = jit->buf.n;
	if (f->is_callback)
		emit_callback(&g);
	if (jit->buf.out)
		fix_jumps(&g);
}

const struct jit_backend jit_x86 = { .name = "x86-64", .trap = 0xcccccccc, .func = x86_func };

#endif
