/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What stands before the handlers of a unit: an entry stub that turns the attachment's context into what handlers expect
 * (ebpf.h, struct program). A unit with one handler has it in place of a call, in the same frame; several are static functions behind.
 *
 *     stub                            r6 context, r7 registers of the process or event number, r8 system call number,
 *                                     r9 what serves it; where one handler follows, only what is used
 *       is this call, this process traced?  no: return
 *       build the record on the stack: the words that are read
 *       for each program of the event: handler(record, context, event, ids, scratch); what it does not read is not set
 *
 * The stub of a system call, which runs most, asks first what costs least: two loads say whether the call
 * is of interest at all (where only one call is traced: one, and its number is in the code), then one whether it came through the
 * 32-bit table (with BTF such calls are counted, for which the others are asked it, too), only then a helper and a bit whether the process is. Measured on a call of 117 ns: entering the program adds 73 ns,
 * the filter 6, counting by event in an array 20. With the kernel's type information (BTF) registers are plain loads;
 * without, each is a helper call: 20 ns more, 180 for a whole record.
 *
 * A handler that stands in the stub of a system call and reads nothing but fields reads them where they are, in the registers of the process:
 * these are its record, and the places in its loads are theirs.
 *
 *     frame   of the handler that is in place, if any   -8 key   -16 value read   -24 scratch   -32 guard   -128..-33 record
 */
#include <asm/ptrace.h>
#include <assert.h>
#include <string.h>
#include <sys/syscall.h>

#include "source/kernel_int.h"

#if !defined(__x86_64__)
#error "kernel_stub.c knows the registers of system calls on x86-64 only: add those of this architecture"
#endif

/* Places on the stack, below the frame of the handler that is in place. */
#define OFF_KEY     (-8)
#define OFF_READ    (-16)
#define OFF_SCRATCH (-24)
#define OFF_GUARD   (-32)
#define OFF_RECORD  (OFF_GUARD - STUB_RECORD_MAX)
_Static_assert(STUB_STACK == -OFF_RECORD, "the record is the last");

/* Registers of the ids: the handler's own parameter, where no helper is called between the filter and the handler. */
#define KEPT_IDS  (PARAM_IDS + 1)
#define ASKED_IDS 8

#define INLINE_MAX 30000 /* instructions of a handler in place of its call: jumps over it stay within their distance */

/* struct pt_regs, in which raw sys_enter and sys_exit pass the process's registers. */
static const int16_t arg_regs[6] = {
	offsetof(struct pt_regs, rdi), offsetof(struct pt_regs, rsi), offsetof(struct pt_regs, rdx),
	offsetof(struct pt_regs, r10), offsetof(struct pt_regs, r8),  offsetof(struct pt_regs, r9),
};

struct stub {
	const struct kernel *kernel;
	const struct unit *unit;
	const struct program *inlined; /* the only handler, in place of a call; NULL: they are called */
	int16_t frame;                 /* bytes of its frame, a multiple of 8 */
	bool in_regs;                  /* its record is struct pt_regs, r7 */
	bool knows_compat;             /* the task can be asked how the system call in progress was made */
	uint8_t ids;                   /* register of the process's and the thread's id, for handlers that want them */
	uint32_t scripts, scripts_end; /* instructions between these ask for ids on behalf of the script */
	struct code code;
	uint32_t out;                  /* label of the return */
	uint32_t leave;                /* where the handler in place goes to at its end, when there is more to do */
};

static void
emit(struct stub *stub, struct bpf_insn insn)
{
	code_emit(&stub->code, insn);
}

/* Offset from r10 of a place of the stub. */
static int16_t
place(const struct stub *stub, int off)
{
	return (int16_t)(off - stub->frame);
}

/* dst = address of a place of the stub. */
static void
emit_place(struct stub *stub, uint8_t dst, int off)
{
	emit(stub, insn_mov(dst, 10));
	emit(stub, insn_alu_imm(BPF_ADD, dst, place(stub, off)));
}

/* ld_imm64 of one of the source's own tables, which the object does not know. */
static void
emit_own_table(struct stub *stub, uint8_t dst, int fd, uint8_t pseudo)
{
	emit(stub, insn_make(BPF_LD | BPF_IMM | BPF_DW, dst, pseudo, 0, fd));
	emit(stub, insn_make(0, 0, 0, 0, 0));
}

/* Bytes of an access of the size BPF_x. */
static uint32_t
bytes_of(uint8_t size)
{
	static const uint8_t bytes[] = {
		[BPF_B >> 3] = 1, [BPF_H >> 3] = 2, [BPF_W >> 3] = 4, [BPF_DW >> 3] = 8
	};

	return bytes[size >> 3];
}

/* dst = the value of `size` at src + off, read by a helper. Clobbers r0 to r5. */
static void
emit_read_by(struct stub *stub, int32_t helper, uint8_t size, uint8_t dst, uint8_t src, int32_t off)
{
	emit_place(stub, 1, OFF_READ);
	emit(stub, insn_mov_imm(2, (int32_t)bytes_of(size)));
	emit(stub, insn_mov(3, src));
	emit(stub, insn_alu_imm(BPF_ADD, 3, off));
	emit(stub, insn_call(helper));
	emit(stub, insn_load(size, dst, 10, place(stub, OFF_READ))); /* zeros where it could not be read */
}

/* dst = the value of `size` at src + off in kernel memory. Clobbers r0 to r5 where types are not known. */
static void
emit_read(struct stub *stub, uint8_t size, uint8_t dst, uint8_t src, int16_t off)
{
	if (stub->unit->btf_id)
		emit(stub, insn_load(size, dst, src, off));
	else
		emit_read_by(stub, BPF_FUNC_probe_read_kernel, size, dst, src, off);
}

/* r0 = address of the value for the u32 key at OFF_KEY, or 0. */
static void
emit_lookup(struct stub *stub, int fd)
{
	emit_own_table(stub, 1, fd, BPF_PSEUDO_MAP_FD);
	emit_place(stub, 2, OFF_KEY);
	emit(stub, insn_call(BPF_FUNC_map_lookup_elem));
}

/* r1 = address of the word with the bit of process `pid` in the targets. Clobbers r2; `pid` is kept. */
static void
emit_target_word(struct stub *stub, uint8_t pid)
{
	emit(stub, insn_mov(2, pid));
	emit(stub, insn_alu_imm(BPF_RSH, 2, 3));
	emit(stub, insn_alu_imm(BPF_AND, 2, TARGETS_SIZE - 8)); /* of whole words, and provably inside */
	emit_own_table(stub, 1, stub->kernel->targets_fd, BPF_PSEUDO_MAP_VALUE);
	emit(stub, insn_alu(BPF_ADD, 1, 2));
}

/* The same, and r2 = that bit; leaves for `out` where it is set (BPF_JNE) or clear (BPF_JEQ). Clobbers r0 and r3. */
static void
emit_target_bit(struct stub *stub, uint8_t pid, uint8_t leaves)
{
	emit_target_word(stub, pid);
	emit(stub, insn_mov_imm(2, 1));
	emit(stub, insn_mov(0, pid));
	emit(stub, insn_alu_imm(BPF_AND, 0, 63));
	emit(stub, insn_alu(BPF_LSH, 2, 0));
	emit(stub, insn_load(BPF_DW, 3, 1, 0));
	emit(stub, insn_alu(BPF_AND, 3, 2));
	code_branch_imm(&stub->code, leaves, 3, 0, stub->out);
}

/* Leaves for `out` on other CPUs and in other control groups than those asked for. */
static void
emit_where(struct stub *stub)
{
	const struct kernel *kernel = stub->kernel;

	if (kernel->target.cpu) {
		emit(stub, insn_call(BPF_FUNC_get_smp_processor_id));
		code_branch_imm(&stub->code, BPF_JNE, 0, (int32_t)*kernel->target.cpu, stub->out);
	}
	if (kernel->cgroup_fd >= 0) {
		emit_own_table(stub, 1, kernel->cgroup_fd, BPF_PSEUDO_MAP_FD);
		emit(stub, insn_mov_imm(2, 0));
		emit(stub, insn_call(BPF_FUNC_current_task_under_cgroup));
		code_branch_imm(&stub->code, BPF_JNE, 0, 1, stub->out);
	}
}

/* Leaves for `out` unless the current process is traced. Without a target that is every process but ktap. */
static void
emit_filter(struct stub *stub)
{
	emit_where(stub);
	emit(stub, insn_call(BPF_FUNC_get_current_pid_tgid));
	if (stub->ids == KEPT_IDS)
		emit(stub, insn_mov(KEPT_IDS, 0));
	emit(stub, insn_alu_imm(BPF_RSH, 0, 32));
	if (!stub->kernel->has_target) {
		code_branch_imm(&stub->code, BPF_JEQ, 0, (int32_t)stub->kernel->pids.self, stub->out);
	} else {
		emit_target_word(stub, 0);
		emit(stub, insn_load(BPF_DW, 1, 1, 0));
		emit(stub, insn_alu(BPF_RSH, 1, 0)); /* by the lower six bits */
		emit(stub, insn_alu_imm(BPF_AND, 1, 1));
		code_branch_imm(&stub->code, BPF_JEQ, 1, 0, stub->out);
	}
}

/* r0 = address of the scratch memory `slot`; it is there. */
static void
emit_scratch_address(struct stub *stub, uint32_t slot)
{
	emit(stub, insn_store_imm(BPF_W, 10, place(stub, OFF_KEY), (int32_t)slot));
	emit_lookup(stub, stub->kernel->scratch_fd);
	code_branch_imm(&stub->code, BPF_JEQ, 0, 0, stub->out);
}

/* Where in a scratch memory a word of its claim is. */
static int16_t
claim_word(const struct stub *stub, size_t off)
{
	return (int16_t)(stub->kernel->scratch_size + off);
}

/* r0 = address of one of the unit's scratch memories that no other run has, and the claim to it; leaves for `out` when there is none. */
static void
emit_claim(struct stub *stub)
{
	const struct unit *unit = stub->unit;
	uint32_t i, claimed = code_label(&stub->code);

	for (i = 0; i < unit->n_scratch; i++) {
		emit_scratch_address(stub, unit->scratch_slot + i);
		emit(stub, insn_mov_imm(1, 1));
		emit(stub, insn_atomic(BPF_DW, BPF_XCHG, 0, 1, claim_word(stub, offsetof(struct scratch_claim, is_taken))));
		code_branch_imm(&stub->code, BPF_JEQ, 1, 0, claimed);
	}
	emit(stub, insn_mov_imm(1, 1));
	emit(stub, insn_atomic(BPF_DW, BPF_ADD, 0, 1, claim_word(stub, offsetof(struct scratch_claim, n_skipped))));
	code_jump(&stub->code, stub->out);
	code_bind(&stub->code, claimed);
}

/* Keeps the address of the unit's scratch memory at OFF_SCRATCH. What is claimed emit_end gives back. */
static void
emit_scratch(struct stub *stub)
{
	if (!stub->unit->n_scratch)
		return;
	if (unit_claims(stub->unit))
		emit_claim(stub);
	else
		emit_scratch_address(stub, stub->unit->scratch_slot);
	emit(stub, insn_store(BPF_DW, 10, 0, place(stub, OFF_SCRATCH)));
}

/* r0, the guard's address, goes on to this thread's count in it. Clobbers r1 to r5; keeps the guard's address at OFF_GUARD. */
static void
emit_thread_count(struct stub *stub)
{
	emit(stub, insn_store(BPF_DW, 10, 0, place(stub, OFF_GUARD)));
	emit(stub, insn_call(BPF_FUNC_get_current_pid_tgid));
	emit(stub, insn_alu_imm(BPF_AND, 0, GUARD_THREADS - 1));
	emit(stub, insn_alu_imm(BPF_LSH, 0, 3)); /* words of 8 bytes */
	emit(stub, insn_load(BPF_DW, 1, 10, place(stub, OFF_GUARD)));
	emit(stub, insn_alu(BPF_ADD, 0, 1));
	emit(stub, insn_alu_imm(BPF_ADD, 0, offsetof(struct guard, n_preemptible)));
}

/* Leaves for `out`, counting that, where a program runs that this one may have come into. Keeps the guard's address, r0. */
static void
emit_not_inside(struct stub *stub)
{
	uint32_t enter = code_label(&stub->code), skip = code_label(&stub->code);

	emit(stub, insn_load(BPF_DW, 2, 0, offsetof(struct guard, n_running)));
	if (stub->kernel->guards_preemptible) {
		code_branch_imm(&stub->code, BPF_JNE, 2, 0, skip);
		emit_thread_count(stub);
		emit(stub, insn_load(BPF_DW, 2, 0, 0));
		emit(stub, insn_load(BPF_DW, 0, 10, place(stub, OFF_GUARD)));
	}
	code_branch_imm(&stub->code, BPF_JEQ, 2, 0, enter);
	code_bind(&stub->code, skip);
	/* None of the units of several handlers may nest: it is the only one's. */
	emit(stub, insn_mov_imm(1, 1));
	emit(stub,
	     insn_atomic(BPF_DW, BPF_ADD, 0, 1, (int16_t)kernel_guard_offset(stub->kernel, stub->unit->slots[0]->handler)));
	code_jump(&stub->code, stub->out);
	code_bind(&stub->code, enter);
}

/*
 * Says that a program runs on this CPU, or leaves for `out` where this one may not run inside another; keeps the address of what it has counted up
 * at OFF_GUARD. Every way from here to the end leads through emit_end. Clobbers r0 to r5.
 */
static void
emit_guard(struct stub *stub)
{
	_Static_assert(offsetof(struct guard, n_running) == 0, "the guard's address is that of the count");

	if (!stub->kernel->guarded)
		return;
	emit(stub, insn_store_imm(BPF_W, 10, place(stub, OFF_KEY), 0));
	emit_lookup(stub, stub->kernel->guard_fd);
	code_branch_imm(&stub->code, BPF_JEQ, 0, 0, stub->out);
	if (stub->unit->may_nest)
		emit_not_inside(stub);
	if (stub->unit->is_preemptible)
		emit_thread_count(stub);
	emit(stub, insn_mov_imm(1, 1));
	emit(stub, insn_atomic(BPF_DW, BPF_ADD, 0, 1, 0));
	emit(stub, insn_store(BPF_DW, 10, 0, place(stub, OFF_GUARD)));
}

/* Is there anything to do behind the handlers? */
static bool
has_end(const struct stub *stub)
{
	return stub->kernel->guarded || unit_claims(stub->unit);
}

/* Takes back what emit_guard has counted, and gives back what emit_scratch has claimed. */
static void
emit_end(struct stub *stub)
{
	if (stub->kernel->guarded) {
		emit(stub, insn_load(BPF_DW, 1, 10, place(stub, OFF_GUARD)));
		emit(stub, insn_mov_imm(2, -1));
		emit(stub, insn_atomic(BPF_DW, BPF_ADD, 1, 2, 0));
	}
	if (unit_claims(stub->unit)) {
		emit(stub, insn_load(BPF_DW, 1, 10, place(stub, OFF_SCRATCH)));
		emit(stub, insn_store_imm(BPF_DW, 1, claim_word(stub, offsetof(struct scratch_claim, is_taken)), 0));
	}
}

/* Does it follow targets by the records of perf tracepoints? */
static bool
is_format_follower(const struct unit *unit)
{
	return (unit->kind == UNIT_FORK || unit->kind == UNIT_FREE) && !unit->btf_id;
}

/*
 * Of a perf tracepoint 0 would hide the event from all other users of perf; elsewhere 0 means no more work
 * for perf.
 */
static int32_t
result(const struct stub *stub)
{
	return stub->unit->kind == UNIT_TRACEPOINT || is_format_follower(stub->unit);
}

/* Ends the stub. A handler in place has returned already, where nothing is left to do. */
static void
emit_return(struct stub *stub)
{
	if (stub->inlined && !has_end(stub))
		return;
	code_bind(&stub->code, stub->out);
	emit(stub, insn_mov_imm(0, result(stub)));
	emit(stub, insn_exit());
}

/* ---- what handlers read ---------------------------------------------------------------------- */

/* Does the handler read this parameter? */
static bool
wants(const struct program *program, enum program_param param)
{
	return program->params >> param & 1;
}

/* Is word n of the record, bytes 8n to 8n + 7, read by a program of the unit? */
static bool
wants_word(const struct unit *unit, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < unit->n_slots; i++)
		if (unit->slots[i]->uses_dynamic || unit->slots[i]->record_words >> (n < 63 ? n : 63) & 1)
			return true;
	return false;
}

static bool
wants_context(const struct unit *unit)
{
	uint32_t i;

	for (i = 0; i < unit->n_slots; i++)
		if (wants(unit->slots[i], PARAM_CONTEXT))
			return true;
	return false;
}

static bool
wants_record(const struct unit *unit)
{
	uint32_t n;

	for (n = 0; n < RECORD_SYSCALL_LEN / 8; n++)
		if (wants_word(unit, n))
			return true;
	return false;
}

/* What the handler returns is the stub's result. Its end is also where the stub goes that has nothing to do. */
static void
end_inlined(struct stub *stub, uint32_t end)
{
	struct code *code = &stub->code;

	assert(code->insns[end - 1].code == (BPF_ALU64 | BPF_MOV | BPF_K) && code->insns[end - 1].dst_reg == 0);
	if (has_end(stub)) {
		code_make_jump(code, end, stub->leave);
		return;
	}
	code->insns[end - 1].imm = result(stub);
	if (code->labels[stub->out] == UINT32_MAX)
		code_bind_at(code, stub->out, end - 1);
}

/* ---- records that are registers -------------------------------------------------------------- */

static bool
is_syscall(const struct unit *unit)
{
	return unit->kind == UNIT_SYS_ENTER || unit->kind == UNIT_SYS_EXIT;
}

/* Where struct pt_regs has the `size` bytes at `off` of a system call's record; -1: nowhere. Of the number only the lower half is its. */
static int
place_in_regs(const struct unit *unit, uint32_t off, uint32_t size)
{
	uint32_t word = off / 8, byte = off % 8;

	if (word == 1 && byte + size <= 4)
		return (int)(offsetof(struct pt_regs, orig_rax) + byte);
	if (word == 2 && unit->kind == UNIT_SYS_EXIT)
		return (int)(offsetof(struct pt_regs, rax) + byte);
	if (word >= 2 && word < 8 && unit->kind == UNIT_SYS_ENTER)
		return arg_regs[word - 2] + (int)byte;
	return -1;
}

/* A function with callbacks may read fields in these, too. */
static bool
has_callbacks(const struct func *func)
{
	for (uint32_t i = 0; i < func->n_relocs; i++)
		if (func->relocs[i].kind == RELOC_FUNC_ADDR)
			return true;
	return false;
}

/* Does the program read its record by loads of fields that the registers have, and in no other way? */
static bool
fits_regs(const struct unit *unit, const struct program *program, const struct func *func)
{
	uint64_t words = 0;

	if (program->uses_dynamic || program->fixed_size || has_callbacks(func))
		return false;
	for (uint32_t i = 0; i < func->n_patches; i++) {
		const struct bpf_insn *insn = &func->insns[func->patches[i].pc];

		if (BPF_CLASS(insn->code) != BPF_LDX || place_in_regs(unit, (uint32_t)insn->off, bytes_of(BPF_SIZE(insn->code))) < 0)
			return false;
		words |= 1ull << insn->off / 8;
	}
	return words && words == program->record_words;
}

static void
read_regs(struct stub *stub, const struct func *func, uint32_t start)
{
	for (uint32_t i = 0; i < func->n_patches; i++) {
		struct bpf_insn *insn = &stub->code.insns[start + func->patches[i].pc];

		insn->off = (int16_t)place_in_regs(stub->unit, (uint32_t)insn->off, bytes_of(BPF_SIZE(insn->code)));
	}
}

/* ---- calling handlers ------------------------------------------------------------------------ */

static void
emit_inlined(struct stub *stub, const struct program *program)
{
	const struct func *func = stub->kernel->object->funcs[program->func];
	uint32_t pc = code_append(&stub->code, func);

	if (stub->in_regs)
		read_regs(stub, func, pc);
	for (; pc < stub->code.n; pc++) {
		if (insn_is_wide(&stub->code.insns[pc]))
			pc++;
		else if (stub->code.insns[pc].code == (BPF_JMP | BPF_EXIT))
			end_inlined(stub, pc);
	}
	code_bind(&stub->code, stub->leave);
}

/* Does anything between the filter and the only handler call a helper, by which r1 to r5 are lost? */
static bool
calls_behind_filter(const struct kernel *kernel, const struct unit *unit)
{
	return unit->n_scratch || kernel->guarded || unit->by_cookie ||
	       (is_syscall(unit) ? wants_record(unit) && !unit->btf_id : event_is_probe(unit->events[0]) && unit->slots[0]->record_words);
}

/*
 * The filter has the ids in its hands; a single handler that comes soon gets them from there. Not so in a pid namespace: a script means
 * other numbers (kernel_pids.c).
 */
static uint8_t
register_of_ids(const struct kernel *kernel, const struct unit *unit)
{
	bool is_filtered = unit->kind != UNIT_INIT && unit->kind != UNIT_FINI;
	bool kept = is_filtered && unit->n_slots == 1 && wants(unit->slots[0], PARAM_IDS) && !kernel->pids.is_inner &&
		    !calls_behind_filter(kernel, unit);

	return kept ? KEPT_IDS : ASKED_IDS;
}

/* The ids where the filter's are not kept. What comes behind calls handlers only, and r8 is free. */
static void
emit_ids(struct stub *stub)
{
	bool wanted = false;

	stub->scripts = stub->code.n;
	for (uint32_t i = 0; i < stub->unit->n_slots; i++)
		wanted |= wants(stub->unit->slots[i], PARAM_IDS);
	if (!wanted || stub->ids == KEPT_IDS)
		return;
	emit(stub, insn_call(BPF_FUNC_get_current_pid_tgid));
	emit(stub, insn_mov(stub->ids, 0));
}

/* Runs one handler; of its parameters r3, the event, is set by the caller, r1, the record, too. */
static void
emit_handler(struct stub *stub, const struct program *program)
{
	if (wants(program, PARAM_IDS) && stub->ids != KEPT_IDS)
		emit(stub, insn_mov(KEPT_IDS, stub->ids));
	if (wants(program, PARAM_CONTEXT))
		emit(stub, insn_mov(2, 6));
	if (wants(program, PARAM_SCRATCH))
		emit(stub, insn_load(BPF_DW, 5, 10, place(stub, OFF_SCRATCH)));
	if (stub->inlined)
		emit_inlined(stub, program);
	else
		code_call_func(&stub->code, program->func);
	stub->scripts_end = stub->code.n;
}

/* ---- system calls ---------------------------------------------------------------------------- */

static void
emit_store_record(struct stub *stub, int off, uint8_t reg)
{
	emit(stub, insn_store(BPF_DW, 10, reg, place(stub, OFF_RECORD + off)));
}

/* r1 = the record's address. */
static void
emit_record_address(struct stub *stub)
{
	emit_place(stub, 1, OFF_RECORD);
}

/*
 * The words that are read of the record, as the format files of syscalls:* lay it out: common 8, number (int) at 8, arguments or
 * result from 16. `number`: of the only system call, -1: it is in r8, below SYSCALLS_MAX. Its upper half, padding, is 0.
 */
static void
emit_record(struct stub *stub, int number)
{
	bool enter = stub->unit->kind == UNIT_SYS_ENTER;
	uint32_t n;

	for (n = 0; n < RECORD_SYSCALL_LEN / 8; n++) {
		int off = 8 * (int)n;

		if (!wants_word(stub->unit, n))
			continue;
		if (n == 1 && number < 0) {
			emit_store_record(stub, off, 8);
		} else if (n < 2 || (n > 2 && !enter)) {
			emit(stub, insn_store_imm(BPF_DW, 10, place(stub, OFF_RECORD + off), n == 1 ? number : 0));
		} else {
			if (enter)
				emit_read(stub, BPF_DW, 1, 7, arg_regs[n - 2]);
			else
				emit(stub, insn_load(BPF_DW, 1, 6, 8));
			emit_store_record(stub, off, 1);
		}
	}
}

/* `only`: the entry of the only system call that is traced; NULL: r9 is the address of this one's. */
static void
emit_slot(struct stub *stub, uint32_t slot, const struct syscall_entry *only)
{
	const struct program *program = stub->unit->slots[slot];
	uint32_t next = code_label(&stub->code);

	if (stub->unit->n_slots > 1 && !only) {
		emit(stub, insn_load(BPF_W, 1, 9, offsetof(struct syscall_entry, slots)));
		emit(stub, insn_alu_imm(BPF_RSH, 1, (int32_t)slot));
		emit(stub, insn_alu_imm(BPF_AND, 1, 1));
		code_branch_imm(&stub->code, BPF_JEQ, 1, 0, next);
	}
	if (wants(program, PARAM_EVENT) && only)
		emit(stub, insn_mov_imm(3, (int32_t)only->event));
	else if (wants(program, PARAM_EVENT))
		emit(stub, insn_load(BPF_W, 3, 9, offsetof(struct syscall_entry, event)));
	if (stub->in_regs)
		emit(stub, insn_mov(1, 7));
	else if (wants(program, PARAM_RECORD))
		emit_record_address(stub);
	emit_handler(stub, program);
	code_bind(&stub->code, next);
}

/* r9 = what serves the system call whose number is in r8; leaves for `other` when nothing does. */
static void
emit_find_entry(struct stub *stub, uint32_t other)
{
	code_branch_imm(&stub->code, BPF_JGT, 8, SYSCALLS_MAX - 1, other);
	emit(stub, insn_mov(1, 8));
	emit(stub, insn_alu_imm(BPF_LSH, 1, 3)); /* sizeof(struct syscall_entry) */
	emit_own_table(stub, 9, stub->unit->syscalls_fd, BPF_PSEUDO_MAP_VALUE);
	emit(stub, insn_alu(BPF_ADD, 9, 1));
	emit(stub, insn_load(BPF_W, 1, 9, offsetof(struct syscall_entry, slots)));
	code_branch_imm(&stub->code, BPF_JEQ, 1, 0, other);
}

#define TS_COMPAT 2 /* arch/x86/include/asm/thread_info.h */

/*
 * Leaves for `doubt` with a call that may be by the numbers of 32-bit x86: one that was not made by the instruction `syscall` of 64 bits, which leaves its
 * address in rcx. Where there is nobody to ask, the code segment tells programs of 32 bits, and int $0x80 in others is not seen. The
 * registers are in r7. Clobbers r1 and r2.
 */
static void
emit_check_compat(struct stub *stub, uint32_t doubt)
{
	if (!stub->knows_compat) {
		emit_read(stub, BPF_H, 1, 7, offsetof(struct pt_regs, cs));
		code_branch_imm(&stub->code, BPF_JEQ, 1, COMPAT_CS, doubt);
		return;
	}
	emit(stub, insn_load(BPF_DW, 1, 7, offsetof(struct pt_regs, rcx)));
	emit(stub, insn_load(BPF_DW, 2, 7, offsetof(struct pt_regs, rip)));
	code_branch(&stub->code, BPF_JNE, 1, 2, doubt);
}

/* In doubt: goes on at `native` with a call by the numbers of 64 bits, and behind this with others. Takes 20 ns. Clobbers r0 to r5. */
static void
emit_ask_task(struct stub *stub, uint32_t native)
{
	if (!stub->knows_compat)
		return; /* there was no doubt */
	emit(stub, insn_call(BPF_FUNC_get_current_task_btf));
	emit(stub, insn_load(BPF_W, 1, 0, (int16_t)stub->kernel->types.task_status_off));
	emit(stub, insn_alu_imm(BPF_AND, 1, TS_COMPAT));
	code_branch_imm(&stub->code, BPF_JEQ, 1, 0, native);
}

/*
 * Behind the stub's end: at `other` with a call whose number nothing serves, at `doubt` with one that something does; both may be by numbers which mean
 * others. Those of the processes that are traced are counted. What something serves is, if it is by 64-bit numbers, at `native`.
 */
static void
emit_foreign(struct stub *stub, uint32_t other, uint32_t doubt, uint32_t native)
{
	uint32_t foreign = code_label(&stub->code), other_doubt = code_label(&stub->code);

	if (stub->unit->counts_foreign) {
		code_bind(&stub->code, other);
		code_branch_imm(&stub->code, BPF_JSGE, 8, X32_BIT, foreign); /* -1: a return from a signal handler; no call at all */
		emit_check_compat(stub, other_doubt);
		code_jump(&stub->code, stub->out);
		code_bind(&stub->code, other_doubt);
		emit_ask_task(stub, stub->out);
		code_jump(&stub->code, foreign);
	}
	code_bind(&stub->code, doubt);
	emit_ask_task(stub, native);
	code_bind(&stub->code, foreign);
	if (stub->unit->counts_foreign) {
		stub->ids = ASKED_IDS; /* no handler follows */
		emit_filter(stub);
		emit_own_table(stub, 1, stub->kernel->foreign_fd, BPF_PSEUDO_MAP_VALUE);
		emit(stub, insn_mov_imm(2, 1));
		emit(stub, insn_atomic(BPF_DW, BPF_ADD, 1, 2, 0));
	}
	code_jump(&stub->code, stub->out);
}

/* sys_enter(regs, number), sys_exit(regs, result): include/trace/events/syscalls.h */
static void
stub_syscall(struct stub *stub)
{
	bool enter = stub->unit->kind == UNIT_SYS_ENTER;
	int number = unit_only_syscall(stub->unit);
	struct code *code = &stub->code;
	uint32_t i, other = stub->unit->counts_foreign ? code_label(code) : stub->out, doubt = code_label(code), native = code_label(code);

	stub->knows_compat = stub->unit->btf_id && stub->kernel->types.task_status_off && source_kernel_has_helper(BPF_FUNC_get_current_task_btf);
	if (wants_context(stub->unit) || (!enter && wants_word(stub->unit, 2) && !stub->in_regs))
		emit(stub, insn_mov(6, 1));
	if (enter)
		emit(stub, insn_load(BPF_DW, 8, 1, 8));
	emit(stub, insn_load(BPF_DW, 7, 1, 0));
	if (!enter)
		emit_read(stub, BPF_DW, 8, 7, offsetof(struct pt_regs, orig_rax));
	if (number < 0)
		emit_find_entry(stub, other);
	else
		code_branch_imm(code, BPF_JNE, 8, number, other);
	emit_check_compat(stub, doubt);
	code_bind(code, native);
	emit_filter(stub);
	emit_scratch(stub);
	emit_guard(stub);
	if (wants_record(stub->unit) && !stub->in_regs)
		emit_record(stub, number);
	emit_ids(stub);
	for (i = 0; i < stub->unit->n_slots; i++)
		emit_slot(stub, i, number < 0 ? NULL : &stub->unit->syscalls[number]);
	emit_end(stub);
	emit_return(stub);
	emit_foreign(stub, other, doubt, native);
}

/* ---- probes of functions --------------------------------------------------------------------- */

static uint8_t
size_code(uint32_t bytes)
{
	return bytes == 1 ? BPF_B : bytes == 2 ? BPF_H : bytes == 4 ? BPF_W : BPF_DW;
}

/* r7 = address of the function that is entered or returns, 0 where the kernel does not tell. */
static void
emit_function_ip(struct stub *stub)
{
	if (!kernel_has_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_get_func_ip)) {
		emit(stub, insn_mov_imm(7, 0));
		return;
	}
	emit(stub, insn_mov(1, 6));
	emit(stub, insn_call(BPF_FUNC_get_func_ip));
	emit(stub, insn_mov(7, 0));
}

/*
 * r7 = address of the probed instruction. A breakpoint of the kernel has run when its probe is called: ip is one byte behind its
 * place. Through ftrace (multi) ip is somewhere in the function's first instructions.
 */
static void
emit_ip(struct stub *stub)
{
	if ((stub->unit->kind == UNIT_KPROBE && stub->unit->multi) || stub->unit->kind == UNIT_FENTRY) {
		emit_function_ip(stub);
		return;
	}
	emit(stub, insn_load(BPF_DW, 7, 6, offsetof(struct pt_regs, rip)));
	if (stub->unit->kind == UNIT_KPROBE)
		emit(stub, insn_alu_imm(BPF_SUB, 7, 1));
}

/* r7 = what the first step starts from. The context is the registers, r6. */
static void
emit_fetch_base(struct stub *stub, const struct fetch *fetch)
{
	switch (fetch->from) {
	case FETCH_REG:
		emit(stub, insn_load(BPF_DW, 7, 6, fetch->reg));
		if (fetch->scale) {
			emit(stub, insn_load(BPF_DW, 1, 6, fetch->index));
			emit(stub, insn_alu_imm(BPF_MUL, 1, fetch->scale));
			emit(stub, insn_alu(BPF_ADD, 7, 1));
		}
		break;
	case FETCH_CONTEXT:
		emit(stub, insn_load(BPF_DW, 7, 6, fetch->reg));
		/* What the verifier knows as a pointer is a number to scripts: it forgets that here, and the value is the same. */
		emit(stub, insn_make(BPF_ALU64 | BPF_NEG, 7, 0, 0, 0));
		emit(stub, insn_make(BPF_ALU64 | BPF_NEG, 7, 0, 0, 0));
		break;
	case FETCH_CONST:
		code_const(&stub->code, 7, (int64_t)fetch->value);
		break;
	case FETCH_IP:
		emit_ip(stub);
		break;
	case FETCH_FUNC:
		emit_function_ip(stub);
		break;
	}
}

/* The record's value: all 8 bytes, as the field's type says. */
static void
emit_fetch(struct stub *stub, const struct fetch *fetch, const struct field *field)
{
	uint32_t i, n_reads = fetch->n_steps - fetch->is_string, size, shift = 64 - 8 * field->value_size;

	emit_fetch_base(stub, fetch);
	for (i = 0; i < n_reads; i++) {
		size = i + 1 == fetch->n_steps ? field->value_size : 8;
		emit_read_by(stub, fetch->steps[i].user ? BPF_FUNC_probe_read_user : BPF_FUNC_probe_read,
			     size_code(size), 7, 7, fetch->steps[i].offset);
	}
	if (fetch->is_string) {
		emit(stub, insn_alu_imm(BPF_ADD, 7, fetch->steps[n_reads].offset));
	} else if (shift) {
		emit(stub, insn_alu_imm(BPF_LSH, 7, (int32_t)shift));
		emit(stub, insn_alu_imm(field->is_signed ? BPF_ARSH : BPF_RSH, 7, (int32_t)shift));
	}
	emit_store_record(stub, (int)field->offset, 7);
}

/* As much of a probe's record as the program reads. */
static void
emit_probe_record(struct stub *stub, const struct event *event)
{
	const struct field *fields = stub->unit->fields ? stub->unit->fields : event->fields;
	const struct fetch *fetches = stub->unit->fetches ? stub->unit->fetches : event->probe->fetches;
	uint32_t i;

	if (wants_word(stub->unit, 0))
		emit(stub, insn_store_imm(BPF_DW, 10, place(stub, OFF_RECORD), 0));
	for (i = 0; i < event->n_fields; i++)
		if (wants_word(stub->unit, fields[i].offset / 8))
			emit_fetch(stub, &fetches[i], &fields[i]);
}

/* ---- other events ---------------------------------------------------------------------------- */

/* r3 = the event's number, which the attachment says where the unit serves several. */
static void
emit_event_number(struct stub *stub)
{
	if (stub->unit->by_cookie) {
		emit(stub, insn_mov(1, 6));
		emit(stub, insn_call(BPF_FUNC_get_attach_cookie));
		emit(stub, insn_mov(3, 0));
	} else {
		code_const(&stub->code, 3, stub->unit->events[0]->index);
	}
}

static void
stub_event(struct stub *stub)
{
	const struct program *program = stub->unit->slots[0];
	bool has_record = event_is_probe(stub->unit->events[0]) && program->record_words;

	/* For what follows the helpers. */
	if (has_record || wants(program, PARAM_CONTEXT) || wants(program, PARAM_RECORD) ||
	    (wants(program, PARAM_EVENT) && stub->unit->by_cookie))
		emit(stub, insn_mov(6, 1));
	emit_filter(stub);
	emit_scratch(stub);
	emit_guard(stub);
	if (has_record)
		emit_probe_record(stub, stub->unit->events[0]);
	emit_ids(stub);
	if (wants(program, PARAM_EVENT))
		emit_event_number(stub);
	if (wants(program, PARAM_RECORD) && stub->unit->kind == UNIT_TRACEPOINT)
		emit(stub, insn_mov(1, 6)); /* the context is the record */
	else if (wants(program, PARAM_RECORD))
		emit_record_address(stub);
	emit_handler(stub, program);
	emit_end(stub);
	emit_return(stub);
}

/* ---- init and fini --------------------------------------------------------------------------- */

/* Run by ktap in its own process, which no filter is for, while nothing else is attached. */
static void
stub_moment(struct stub *stub)
{
	const struct program *program = stub->unit->slots[0];

	if (wants(program, PARAM_CONTEXT))
		emit(stub, insn_mov(6, 1));
	emit_scratch(stub);
	emit_ids(stub);
	if (wants(program, PARAM_EVENT))
		emit_event_number(stub);
	emit_handler(stub, program);
	emit_return(stub);
}

/* ---- followers ------------------------------------------------------------------------------- */

/*
 * r8 = the process that forks, r9 = its child; leaves for `out` when that is a thread. From sched_process_fork(parent, child), or from the record
 * of that tracepoint: its numbers are those of threads, and that of a new thread is taken for a process's. No process bears that number
 * while the thread lives, and when it goes, stub_free forgets it.
 */
static void
emit_fork_ids(struct stub *stub)
{
	int16_t tgid = (int16_t)stub->kernel->types.task_tgid_off;

	if (!stub->unit->btf_id) {
		emit(stub, insn_load(BPF_W, 9, 1, (int16_t)event_field(stub->unit->events[0], "child_pid")->offset));
		emit(stub, insn_call(BPF_FUNC_get_current_pid_tgid));
		emit(stub, insn_alu_imm(BPF_RSH, 0, 32));
		emit(stub, insn_mov(8, 0));
		return;
	}
	emit(stub, insn_load(BPF_DW, 6, 1, 0));
	emit(stub, insn_load(BPF_DW, 7, 1, 8));
	emit(stub, insn_load(BPF_W, 8, 6, tgid));
	emit(stub, insn_load(BPF_W, 9, 7, tgid));
	code_branch(&stub->code, BPF_JEQ, 8, 9, stub->out);
}

/*
 * A traced process's child is traced, before it runs. One thread at a time sets or clears a process's bit, beside those that do so with other bits
 * of the word: adding a bit that is clear, and taking away one that is set, changes no other. Kernels before 5.12 know no other atomic operation.
 */
static void
stub_fork(struct stub *stub)
{
	emit_fork_ids(stub);
	emit_target_bit(stub, 8, BPF_JEQ);
	emit_target_bit(stub, 9, BPF_JNE);
	emit(stub, insn_atomic(BPF_DW, BPF_ADD, 1, 2, 0));
	emit_return(stub);
}

/* r7 = the process whose last task goes; leaves for `out` when it is another one of its. The task that bears its number goes last. */
static void
emit_free_id(struct stub *stub)
{
	if (!stub->unit->btf_id) {
		emit(stub, insn_load(BPF_W, 7, 1, (int16_t)event_field(stub->unit->events[0], "pid")->offset));
		return;
	}
	emit(stub, insn_load(BPF_DW, 6, 1, 0));
	emit(stub, insn_load(BPF_W, 7, 6, (int16_t)stub->kernel->types.task_tgid_off));
	emit(stub, insn_load(BPF_W, 8, 6, (int16_t)stub->kernel->types.task_pid_off));
	code_branch(&stub->code, BPF_JNE, 7, 8, stub->out);
}

/*
 * sched_process_free(task), when a task's last trace goes: later than sched_process_exit, so that all that
 * a process does while it exits (closing files, signalling its parent) is still seen.
 */
static void
stub_free(struct stub *stub)
{
	emit_free_id(stub);
	emit_target_bit(stub, 7, BPF_JEQ);
	emit(stub, insn_make(BPF_ALU64 | BPF_NEG, 2, 0, 0, 0));
	emit(stub, insn_atomic(BPF_DW, BPF_ADD, 1, 2, 0));
	emit_return(stub);
}

static void (*const stubs[N_UNIT_KINDS])(struct stub *stub) = {
	[UNIT_SYS_ENTER] = stub_syscall, [UNIT_SYS_EXIT] = stub_syscall, [UNIT_RAW] = stub_event,
	[UNIT_TRACEPOINT] = stub_event,  [UNIT_KPROBE] = stub_event,     [UNIT_KRETPROBE] = stub_event,
	[UNIT_UPROBE] = stub_event,      [UNIT_URETPROBE] = stub_event,  [UNIT_PROFILE] = stub_event,
	[UNIT_FENTRY] = stub_event,      [UNIT_FEXIT] = stub_event,      [UNIT_RAWTP] = stub_event,
	[UNIT_COUNTER] = stub_event,     [UNIT_INIT] = stub_moment,      [UNIT_FINI] = stub_moment,
	[UNIT_FORK] = stub_fork,         [UNIT_FREE] = stub_free,
};

/* ---- the whole ------------------------------------------------------------------------------- */

/* Do its handlers do anything at all? What one does not do needs no finding out who is traced. */
static bool
is_idle(const struct kernel *kernel, const struct unit *unit)
{
	uint32_t i;

	for (i = 0; i < unit->n_slots; i++)
		if (kernel->object->funcs[unit->slots[i]->func]->n_insns > 2) /* r0 = 0; exit */
			return false;
	return unit->n_slots > 0;
}

/* The only handler of a unit, if it can stand in place of its call. */
static const struct program *
inlined(const struct kernel *kernel, const struct unit *unit)
{
	if (unit->n_slots != 1 || kernel->object->funcs[unit->slots[0]->func]->n_insns > INLINE_MAX)
		return NULL;
	return unit->slots[0];
}

const struct func *
kernel_stub(const struct kernel *kernel, const struct unit *unit, struct arena *arena, struct stub_parts *parts, struct text *why)
{
	struct stub stub = { .kernel = kernel, .unit = unit, .ids = register_of_ids(kernel, unit) };

	code_init(&stub.code, arena);
	stub.out = code_label(&stub.code);
	stub.leave = code_label(&stub.code);
	if (unit->n_slots)
		stub.code.span = kernel->object->handlers[unit->slots[0]->handler]->span;
	if (is_idle(kernel, unit)) {
		emit_return(&stub);
	} else {
		stub.inlined = inlined(kernel, unit);
		if (stub.inlined)
			stub.frame = (int16_t)round_up(stub.inlined->frame_size, 8);
		stub.in_regs = stub.inlined && is_syscall(unit) && unit->btf_id &&
			       fits_regs(unit, stub.inlined, kernel->object->funcs[stub.inlined->func]);
		stubs[unit->kind](&stub);
	}
	*parts = (struct stub_parts){ .in_place = stub.inlined, .scripts = stub.scripts, .scripts_end = stub.scripts_end };
	if (code_finish(&stub.code) < 0) {
		text_puts(why, "too many handlers for one event");
		return NULL;
	}
	return func_from_code(&stub.code, "ktap_entry", unit_infos[unit->kind].name);
}
