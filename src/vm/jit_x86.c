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

/* Short loops begin where the processor begins to fetch; in longer ones that makes no difference. */
#define LOOP_ALIGN 32u
#define SHORT_LOOP_BYTES 64u

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
emit_jump(struct gen *g, uint32_t pc)
{
	x86_jump(g, pc, g->f->insns[pc].to, CC_ALWAYS, 0);
}

static void
emit_cond(struct gen *g, uint32_t pc, const struct bpf_insn *insn)
{
	x86_compare(g, insn, width_of(insn));
	x86_jump(g, pc, g->f->insns[pc].to, x86_condition(insn), 0);
}

static void
fix_jump(struct gen *g, const struct jit_insn *insn, uint32_t to)
{
	uint32_t distance = to - insn->fix;

	assert(!insn->fix_is_short || distance <= INT8_MAX);
	if (insn->fix_is_short)
		g->b->out[insn->fix - 1] = (uint8_t)distance;
	else
		memcpy(g->b->out + insn->fix - 4, &distance, 4);
}

/* ---- prologue and epilogue ---------------------------------------------------------------------------------------- */

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

	if (jit_keeps_run(g))
		put_mov(g->b, OP_W, RUN, RDI);
	if (g->f->uses_stack)
		put_mov(g->b, OP_W, RBP, RDX);
	for (unsigned i = 0; i < ARRAY_SIZE(order); i++)
		if (g->jit->signature->args[order[i]].kind != VM_ARG_NONE && g->f->insns[0].live >> (order[i] + 1) & 1)
			put_rm(g->b, OP_W | OP_MOV, x86_reg_of[order[i] + 1], RSI, order[i] * 8);
}

static void
emit_prologue(struct gen *g)
{
	uint8_t saved[JIT_REGS];
	unsigned n = jit_saved(g, saved);

	g->has_bmi2 = !g->jit->vm->no_bmi2 && __builtin_cpu_supports("bmi2");
	for (unsigned i = 0; i < n; i++)
		put_push(g->b, x86_reg_of[saved[i]]);
	if (needs_padding(g, n))
		put_push(g->b, RAX);
	if (g->is_entry)
		emit_args(g);
}

/* In one or two instructions that do nothing. */
static void
emit_align(struct gen *g, uint32_t pc)
{
	static const uint8_t nops[][9] = {
		{ 0 },
		{ 0x90 },
		{ 0x66, 0x90 },
		{ 0x0f, 0x1f, 0x00 },
		{ 0x0f, 0x1f, 0x40, 0x00 },
		{ 0x0f, 0x1f, 0x44, 0x00, 0x00 },
		{ 0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00 },
		{ 0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00 },
		{ 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00 },
		{ 0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00 },
	};
	const struct jit_insn *insns = g->f->insns;
	uint32_t n = g->jit->first_pass ? LOOP_ALIGN - 1 : (0u - g->b->n) % LOOP_ALIGN;

	if (!g->jit->first_pass && insns[insns[pc].loop_end].off - insns[pc].off > SHORT_LOOP_BYTES)
		return;
	while (n) {
		uint32_t len = n < ARRAY_SIZE(nops) ? n : ARRAY_SIZE(nops) - 1;

		for (uint32_t i = 0; i < len; i++)
			put8(g->b, nops[len][i]);
		n -= len;
	}
}

/* Only SCRATCH3 and what the function gives back change. */
static void
put_give_back(struct gen *g)
{
	uint8_t saved[JIT_REGS];
	unsigned n = jit_saved(g, saved);

	if (needs_padding(g, n))
		put_pop(g->b, SCRATCH3);
	while (n)
		put_pop(g->b, x86_reg_of[saved[--n]]);
}

static void
emit_exit(struct gen *g)
{
	put_give_back(g);
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
emit_call_local(struct gen *g, const struct jit_func *callee)
{
	struct jit_buf *b = g->b;

	if (callee->uses_stack)
		put_imm(b, OP_W, G1_ADD, RBP, VM_STACK_SIZE);
	put8(b, 0xe8);
	put32(b, callee->start - (b->n + 4));
	if (callee->uses_stack)
		put_imm(b, OP_W, G1_SUB, RBP, VM_STACK_SIZE);
	put_check_budget(g);
}

static void
emit_callx(struct gen *g, unsigned reg)
{
	unsigned callee = x86_reg_of[reg];
	uint32_t by_number, over;
	struct jit_buf *b = g->b;

	put_mov(b, OP_W, SCRATCH, callee);
	put_shift(b, OP_W, G2_SHR, SCRATCH, 32);
	by_number = put_skip(b, SKIP_IF(CC_E));
	put_mov(b, 0, SCRATCH, callee);
	x86_address(g, SCRATCH2, jit_starts(g));
	put_imm(b, OP_W, G1_ADD, RBP, VM_STACK_SIZE);
	put_rx(b, 0xff, 2, SCRATCH2, SCRATCH, 3);
	put_imm(b, OP_W, G1_SUB, RBP, VM_STACK_SIZE);
	over = put_skip(b, SKIP_ALWAYS);
	land(b, by_number);
	put_rm(b, OP_W | OP_STORE, callee, RUN, offsetof(struct vm_run, called));
	put_mov(b, OP_W, RDI, RUN);
	put_call(g, (uintptr_t)helper_by_number);
	land(b, over);
	put_check_budget(g);
}

/* ---- tail calls ------------------------------------------------------------------------------------------------------ */

/* Code of the program at rdx, with the context in rsi, as a jit_entry that returns to who entered this one. */
static void
put_jump_to_program(struct gen *g)
{
	struct jit_buf *b = g->b;
	uint32_t interpreted;

	put_rm(b, OP_W | OP_MOV, RAX, RDX, offsetof(struct vm_program, code));
	put_rr(b, OP_W | OP_TEST, RAX, RAX);
	interpreted = put_skip(b, SKIP_IF(CC_E));
	put_rm(b, OP_W | OP_STORE, RSI, RUN, offsetof(struct vm_run, tail_args));
	put_rm(b, OP_LEA, RSI, RUN, offsetof(struct vm_run, tail_args));
	put_rm(b, OP_W | OP_MOV, RAX, RAX, offsetof(struct jit_code, entry));
	put_mov(b, OP_W, RDI, RUN);
	put_mov(b, OP_W, RDX, RBP);
	put_give_back(g);
	put_rr(b, 0xff, 4, RAX);
	land(b, interpreted);
}

static void
emit_tail_call(struct gen *g)
{
	struct jit_buf *b = g->b;
	uint32_t over[3];

	put_mov(b, 0, RCX, RCX);
	put_rm(b, OP_W | OP_MOV, RDI, RDX, offsetof(struct vm_table, table));
	put_rm(b, OP_CMP, RCX, RDI, offsetof(struct table, max_entries));
	over[0] = put_far_skip(b, CC_AE);
	put_rm(b, OP_W | OP_MOV, RDX, RDX, offsetof(struct vm_table, programs));
	put_rxd(b, OP_W | OP_MOV, RDX, RDX, RCX, 3, offsetof(struct programs, places));
	put_rr(b, OP_W | OP_TEST, RDX, RDX);
	over[1] = put_far_skip(b, CC_E);
	put_rm(b, 0x83, G1_CMP, RUN, offsetof(struct vm_run, n_tail_calls));
	put8(b, VM_TAIL_CALLS_MAX);
	over[2] = put_far_skip(b, CC_AE);
	put_rm(b, 0x83, G1_ADD, RUN, offsetof(struct vm_run, n_tail_calls));
	put8(b, 1);
	if (g->is_entry)
		put_jump_to_program(g);
	put_mov(b, OP_W, RDI, RUN);
	put_rr(b, OP_W | 0x87, RSI, RDX); /* they change places */
	put_call(g, (uintptr_t)enter_by_tail_call);
	emit_exit(g);
	for (unsigned i = 0; i < ARRAY_SIZE(over); i++)
		land_far(b, over[i]);
}

/* ---- lookups in arrays ------------------------------------------------------------------------------------------------ */

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
	       !g->f->insns[pc].ahead && !g->f->insns[pc].never && !g->f->insns[pc].always && !jit_is_charged(g, pc);
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
		x86_jump(g, pc + 1, g->f->insns[pc + 1].to, CC_AE, ENTRY_BYTES_MAX);
	else
		skip = put_skip(b, SKIP_IF(CC_AE));
	put_entry(g, t);
	if (!checks)
		land(b, skip);
	return checks ? 2 : 1;
}

/* ---- lookups in hash tables: what find_entry and hash_key (hash.c) do ----------------------------------------------- */

/* The machine's registers of r1 to r5, which are dead behind a call, and some that are free. */
#define KEY_AT RDX     /* address of the key: r2 */
#define HASH R8
#define WORD RCX       /* of the key, the first 4 or 8 bytes */
#define WORD2 R10      /* the next 8 */
#define FACTOR R9
#define TABLE RDI
#define BUCKETS RSI
#define GENERATION R11

/* HASH = (HASH ^ word) * FACTOR, folded. */
static void
put_mix(struct jit_buf *b, unsigned word)
{
	put_rr(b, OP_W | 0x33, HASH, word);
	put_rr(b, OP_W | OP_IMUL, HASH, FACTOR);
	put_mov(b, OP_W, BUCKETS, HASH);
	put_shift(b, OP_W, G2_SHR, BUCKETS, 32);
	put_rr(b, OP_W | 0x33, HASH, BUCKETS);
}

static void
put_hash(struct jit_buf *b, uint32_t key_size)
{
	put_rm(b, (key_size == 4 ? 0 : OP_W) | OP_MOV, WORD, KEY_AT, 0);
	put_const(b, HASH, HASH_SEED ^ key_size);
	put_const(b, FACTOR, HASH_FACTOR);
	put_mix(b, WORD);
	if (key_size == 16) {
		put_rm(b, OP_W | OP_MOV, WORD2, KEY_AT, 8);
		put_mix(b, WORD2);
	}
}

/* rax = the entry that has the key, or 0, along the chain of its bucket. */
static void
put_chain(struct jit_buf *b, const struct hash_layout *l, uint32_t key_size)
{
	uint32_t again, end, found, other[3], n_other = 0;

	put_rm(b, OP_MOV, RAX, BUCKETS, (int32_t)l->n);
	put_imm(b, 0, G1_SUB, RAX, 1);
	put_rr(b, 0x23, RAX, HASH);
	put_rxd(b, OP_W | OP_MOV, RAX, BUCKETS, RAX, 3, (int32_t)l->heads);
	again = b->n;
	put_rr(b, OP_W | OP_TEST, RAX, RAX);
	end = put_skip(b, SKIP_IF(CC_E));
	put_rm(b, OP_W | OP_CMP, HASH, RAX, (int32_t)l->key_hash);
	other[n_other++] = put_skip(b, SKIP_IF(CC_NE));
	if (key_size == 16) {
		put_rm(b, OP_W | OP_CMP, WORD2, RAX, (int32_t)l->key + 8);
		other[n_other++] = put_skip(b, SKIP_IF(CC_NE));
	}
	put_rm(b, (key_size == 4 ? 0 : OP_W) | OP_CMP, WORD, RAX, (int32_t)l->key);
	found = put_skip(b, SKIP_IF(CC_E));
	while (n_other)
		land(b, other[--n_other]);
	put_rm(b, OP_W | OP_MOV, RAX, RAX, (int32_t)l->chain);
	put8(b, SKIP_ALWAYS);
	put8(b, again - (b->n + 1));
	land(b, found);
	land(b, end);
}

/* rax += distance of the value that a program sees from the entry. */
static void
put_value_of_entry(struct gen *g, const struct vm_table *t, const struct hash_layout *l)
{
	put_imm(g->b, OP_W, G1_ADD, RAX, (int32_t)l->value);
	if (t->n_cpus == 1)
		return;
	g->jit->uses_run = true;
	put_rm(g->b, OP_W | OP_MOV, SCRATCH, RUN, offsetof(struct vm_run, cpu));
	put_rr(g->b, OP_W | 0x69, SCRATCH, SCRATCH);
	put32(g->b, t->stride);
	put_rr(g->b, OP_W | 0x03, RAX, SCRATCH);
}

/*
 * rax = value of the entry whose key r2 points to, or 0. A null check behind it becomes part of it. If an entry went away or all moved
 * meanwhile, hash.c looks once more.
 */
static uint32_t
emit_hash_lookup(struct gen *g, uint32_t pc, const struct vm_table *t)
{
	const struct hash_layout l = hash_layout(t);
	bool checks = is_null_check(g, pc + 1);
	uint32_t changed, same, skip = 0;
	struct jit_buf *b = g->b;

	put_hash(b, t->table->key_size);
	x86_address(g, TABLE, (uintptr_t)l.hash);
	/* This processor loads in the order of the program, as hash.c asks for by its acquiring loads and its fence. */
	put_rm(b, OP_MOV, GENERATION, TABLE, (int32_t)l.generation);
	put_rm(b, OP_W | OP_MOV, BUCKETS, TABLE, (int32_t)l.buckets);
	put_chain(b, &l, t->table->key_size);
	put_rm(b, OP_CMP, GENERATION, TABLE, (int32_t)l.generation);
	changed = put_skip(b, SKIP_IF(CC_NE));
	put_rr(b, OP_BRM | 0xf6, G3_TEST, GENERATION);
	put8(b, 1);
	same = put_skip(b, SKIP_IF(CC_E));
	land(b, changed);
	x86_address(g, RDI, (uintptr_t)t);
	put_mov(b, OP_W, RSI, KEY_AT);
	put_call(g, (uintptr_t)hash_find_entry);
	land(b, same);
	put_rr(b, OP_W | OP_TEST, RAX, RAX);
	if (checks)
		x86_jump(g, pc + 1, g->f->insns[pc + 1].to, CC_E, ENTRY_BYTES_MAX);
	else
		skip = put_skip(b, SKIP_IF(CC_E));
	put_value_of_entry(g, t, &l);
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
	if (jit_knows_hash(t))
		return emit_hash_lookup(g, pc, t);
	x86_address(g, RDI, (uintptr_t)t);
	put_mov(g->b, OP_W, RSI, RDX);
	put_call(g, (uintptr_t)t->ops->find);
	return 1;
}

static void
emit_fetch(struct gen *g, const struct jit_fetch *fetch)
{
	unsigned base = RUN;

	if (fetch->is_env) {
		put_rm(g->b, OP_W | OP_MOV, RAX, RUN, offsetof(struct vm_run, env));
		base = RAX;
	}
	put_rm(g->b, OP_W | OP_MOV, RAX, base, fetch->off);
	if (fetch->swaps)
		put_shift(g->b, OP_W, G2_ROL, RAX, 32);
}

static uint32_t
emit_call(struct gen *g, uint32_t pc)
{
	int32_t number = g->f->func->insns[pc].imm;
	const struct vm_table *t = g->known[1];

	if (number == BPF_FUNC_map_lookup_elem && t && jit_knows_lookup(t) && !g->hides)
		return emit_lookup(g, pc, t);
	g->jit->uses_run = true;
	if (insn_calls_back(&g->f->func->insns[pc])) {
		put_rm(g->b, OP_W | OP_STORE, RBP, RUN, offsetof(struct vm_run, frame));
		x86_address(g, RAX, jit_callbacks(g));
		put_rm(g->b, OP_W | OP_STORE, RAX, RUN, offsetof(struct vm_run, functions));
	}
	put_mov(g->b, OP_W, RDI, RUN);
	put_call(g, (uintptr_t)helper_code(number));
	if (insn_calls_back(&g->f->func->insns[pc]))
		put_check_budget(g);
	return 1;
}

/* jit_callback: from the registers of a call in C to those of eBPF. */
static void
emit_callback(struct gen *g)
{
	static const uint8_t args[] = { RDX, RCX, R8, R9 };
	struct jit_buf *b = g->b;

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

/* ---- constants ------------------------------------------------------------------------------------------------------- */

static void
emit_number(struct gen *g, unsigned reg, uint64_t number)
{
	x86_address(g, x86_reg_of[reg], number);
}

static void
emit_address(struct gen *g, unsigned reg, uint64_t address)
{
	x86_address(g, x86_reg_of[reg], address);
}

/* 32 bits with their sign, from two random halves: key and imm ^ key. Always of the same length. */
static void
emit_hidden_imm(struct gen *g, int32_t imm)
{
	unsigned reg = x86_reg_of[JIT_BLIND_REG];
	uint32_t key = (uint32_t)jit_random(g->jit);

	put_op(g->b, 0xb8 | (reg & 7), 0, 0, reg, false);
	put32(g->b, (uint32_t)imm ^ key);
	put_rr(g->b, 0x81, G1_XOR, reg);
	put32(g->b, key);
	put_rr(g->b, OP_W | 0x63, reg, reg);
}

static void
emit_hidden(struct gen *g, unsigned to, uint64_t number)
{
	uint64_t key = jit_random(g->jit);
	unsigned reg = x86_reg_of[to];

	put_op(g->b, OP_W | 0xb8 | (reg & 7), 0, 0, reg, false);
	put64(g->b, number ^ key);
	put_op(g->b, OP_W | 0xb8 | (SCRATCH3 & 7), 0, 0, SCRATCH3, false);
	put64(g->b, key);
	put_rr(g->b, OP_W | 0x33, reg, SCRATCH3);
}

const struct jit_backend jit_x86 = {
	.name = "x86-64", .memory_operands = true, .trap = 0xcccccccc,
	.prologue = emit_prologue, .align = emit_align, .exit = emit_exit,
	.alu = x86_alu, .load = x86_load, .store = x86_store, .atomic = x86_atomic,
	.number = emit_number, .address = emit_address, .hidden = emit_hidden, .hidden_imm = emit_hidden_imm,
	.jump = emit_jump, .cond = emit_cond, .fix = fix_jump,
	.call = emit_call, .call_local = emit_call_local, .callx = emit_callx, .tail_call = emit_tail_call, .fetch = emit_fetch, .charge = put_charge, .callback = emit_callback,
	.op = x86_op,
};

#endif
