/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * A unit as one eBPF program: an entry stub that turns the attachment's context into what handlers expect
 * (ebpf.h, struct program), and the handlers' functions laid behind it as static functions.
 *
 *     stub                            r6 context, r7 registers of the process or event number, r8 system call number,
 *                                     r9 what serves it
 *       is this call, this process traced?  no: return
 *       build the record on the stack
 *       for each program of the event: call handler(record, context, event, scratch)
 *     handler 0
 *     handler 1
 *     ...
 *
 * The stub of a system call, which runs most, asks first what costs least: two loads say whether the call
 * is of interest at all, then one whether it came through the 32-bit table, only then a helper and a bit
 * whether the process is. Measured on a call of 117 ns: entering the program adds 73 ns, the filter 6,
 * counting by event in an array 20. With the kernel's type information (BTF) registers are plain loads;
 * without, each is a helper call: 20 ns more, 180 for a whole record.
 *
 *     stub's stack   -8 key   -16 value read   -24 scratch   -32 guard   -128..-33 record
 */
#include <asm/ptrace.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "source/kernel_int.h"

#if !defined(__x86_64__)
#error "kernel_stub.c knows the registers of system calls on x86-64 only: add those of this architecture"
#endif

#define OFF_KEY     (-8)
#define OFF_READ    (-16)
#define OFF_SCRATCH (-24)
#define RECORD_MAX  (24 + 8 * (PROBE_ARGS_MAX + 1)) /* of a probe at a function's return; a system call's is shorter */
#define OFF_GUARD   (-32)
#define OFF_RECORD  (OFF_GUARD - RECORD_MAX)
#define STUB_STACK  (-OFF_RECORD)

#define STACK_MAX   512 /* of all frames together, each rounded up to STACK_ROUND; kernel/bpf/verifier.c */
#define STACK_ROUND 32

#define COMPAT_CS 0x23 /* __USER32_CS: the call has the numbers and arguments of 32-bit x86 */

/* struct pt_regs, in which raw sys_enter and sys_exit pass the process's registers. */
static const int16_t arg_regs[6] = {
	offsetof(struct pt_regs, rdi), offsetof(struct pt_regs, rsi), offsetof(struct pt_regs, rdx),
	offsetof(struct pt_regs, r10), offsetof(struct pt_regs, r8),  offsetof(struct pt_regs, r9),
};

struct stub {
	const struct kernel *kernel;
	const struct unit *unit;
	struct code code;
	uint32_t out; /* label of the return */
};

static void
emit(struct stub *stub, struct bpf_insn insn)
{
	code_emit(&stub->code, insn);
}

/* ld_imm64 of one of the source's own tables, which the object does not know. */
static void
emit_own_table(struct stub *stub, uint8_t dst, int fd, uint8_t pseudo)
{
	emit(stub, insn_make(BPF_LD | BPF_IMM | BPF_DW, dst, pseudo, 0, fd));
	emit(stub, insn_make(0, 0, 0, 0, 0));
}

/* dst = the value of `size` at src + off, read by a helper. Clobbers r0 to r5. */
static void
emit_read_by(struct stub *stub, int32_t helper, uint8_t size, uint8_t dst, uint8_t src, int32_t off)
{
	static const uint8_t bytes[] = {
		[BPF_B >> 3] = 1, [BPF_H >> 3] = 2, [BPF_W >> 3] = 4, [BPF_DW >> 3] = 8
	};

	emit(stub, insn_mov(1, 10));
	emit(stub, insn_alu_imm(BPF_ADD, 1, OFF_READ));
	emit(stub, insn_mov_imm(2, bytes[size >> 3]));
	emit(stub, insn_mov(3, src));
	emit(stub, insn_alu_imm(BPF_ADD, 3, off));
	emit(stub, insn_call(helper));
	emit(stub, insn_load(size, dst, 10, OFF_READ)); /* zeros where it could not be read */
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
	emit(stub, insn_mov(2, 10));
	emit(stub, insn_alu_imm(BPF_ADD, 2, OFF_KEY));
	emit(stub, insn_call(BPF_FUNC_map_lookup_elem));
}

/*
 * `word` = address of the word with the bit of process `pid` in the targets, `bit` = that bit. `pid` is
 * kept.
 */
static void
emit_target_bit(struct stub *stub, uint8_t pid, uint8_t word, uint8_t bit)
{
	emit(stub, insn_mov(bit, pid));
	emit(stub, insn_alu_imm(BPF_RSH, bit, 6));
	emit(stub, insn_alu_imm(BPF_LSH, bit, 3));
	emit(stub,
	     insn_alu_imm(BPF_AND, bit, TARGETS_SIZE - 8)); /* for the verifier: it never changes anything */
	emit_own_table(stub, word, stub->kernel->targets_fd, BPF_PSEUDO_MAP_VALUE);
	emit(stub, insn_alu(BPF_ADD, word, bit));
	emit(stub, insn_mov_imm(bit, 1));
	emit(stub, insn_mov(0, pid));
	emit(stub, insn_alu_imm(BPF_AND, 0, 63));
	emit(stub, insn_alu(BPF_LSH, bit, 0));
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
	emit(stub, insn_alu_imm(BPF_RSH, 0, 32));
	if (!stub->kernel->has_target) {
		code_branch_imm(&stub->code, BPF_JEQ, 0, (int32_t)stub->kernel->pids.self, stub->out);
	} else {
		emit(stub, insn_mov(3, 0));
		emit_target_bit(stub, 3, 1, 2);
		emit(stub, insn_load(BPF_DW, 4, 1, 0));
		emit(stub, insn_alu(BPF_AND, 4, 2));
		code_branch_imm(&stub->code, BPF_JEQ, 4, 0, stub->out);
	}
}

/* Keeps the address of the unit's scratch memory at OFF_SCRATCH. */
static void
emit_scratch(struct stub *stub)
{
	if (stub->unit->scratch_slot == UINT32_MAX)
		return;
	emit(stub, insn_store_imm(BPF_W, 10, OFF_KEY, (int32_t)stub->unit->scratch_slot));
	emit_lookup(stub, stub->kernel->scratch_fd);
	code_branch_imm(&stub->code, BPF_JEQ, 0, 0, stub->out);
	emit(stub, insn_store(BPF_DW, 10, 0, OFF_SCRATCH));
}

/*
 * Says that a program runs on this CPU, or leaves for `out` where this one may not run inside another. Every way from here to the end
 * leads through emit_unguard. Clobbers r0 to r5.
 */
static void
emit_guard(struct stub *stub)
{
	uint32_t enter = code_label(&stub->code);

	if (!stub->kernel->guarded)
		return;
	emit(stub, insn_store_imm(BPF_W, 10, OFF_KEY, 0));
	emit_lookup(stub, stub->kernel->guard_fd);
	code_branch_imm(&stub->code, BPF_JEQ, 0, 0, stub->out);
	emit(stub, insn_mov_imm(1, 1));
	if (stub->unit->may_nest) {
		emit(stub, insn_load(BPF_DW, 2, 0, offsetof(struct guard, n_running)));
		code_branch_imm(&stub->code, BPF_JEQ, 2, 0, enter);
		/* None of the units of several handlers may nest: it is the only one's. */
		emit(stub, insn_atomic(BPF_DW, BPF_ADD, 0, 1,
				       (int16_t)kernel_guard_offset(stub->kernel, stub->unit->slots[0]->handler)));
		code_jump(&stub->code, stub->out);
	}
	code_bind(&stub->code, enter);
	emit(stub, insn_atomic(BPF_DW, BPF_ADD, 0, 1, offsetof(struct guard, n_running)));
	emit(stub, insn_store(BPF_DW, 10, 0, OFF_GUARD));
}

static void
emit_unguard(struct stub *stub)
{
	if (!stub->kernel->guarded)
		return;
	emit(stub, insn_load(BPF_DW, 1, 10, OFF_GUARD));
	emit(stub, insn_mov_imm(2, -1));
	emit(stub, insn_atomic(BPF_DW, BPF_ADD, 1, 2, offsetof(struct guard, n_running)));
}

/* Calls one handler; r3, the event, is set by the caller, r1, the record, too. */
static void
emit_call(struct stub *stub, const struct program *program)
{
	emit(stub, insn_mov(2, 6));
	if (program->scratch_size)
		emit(stub, insn_load(BPF_DW, 4, 10, OFF_SCRATCH));
	else
		emit(stub, insn_mov_imm(4, 0));
	code_call_func(&stub->code, program->func);
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
static void
emit_return(struct stub *stub)
{
	code_bind(&stub->code, stub->out);
	emit(stub, insn_mov_imm(0, stub->unit->kind == UNIT_TRACEPOINT || is_format_follower(stub->unit)));
	emit(stub, insn_exit());
}

/* ---- system calls ---------------------------------------------------------------------------- */

static bool
wants_record(const struct unit *unit)
{
	uint32_t i;

	for (i = 0; i < unit->n_slots; i++)
		if (unit->slots[i]->record_size || unit->slots[i]->uses_dynamic)
			return true;
	return false;
}

static void
emit_store_record(struct stub *stub, int16_t off, uint8_t reg)
{
	emit(stub, insn_store(BPF_DW, 10, reg, (int16_t)(OFF_RECORD + off)));
}

/* r1 = the record's address. */
static void
emit_record_address(struct stub *stub)
{
	emit(stub, insn_mov(1, 10));
	emit(stub, insn_alu_imm(BPF_ADD, 1, OFF_RECORD));
}

/*
 * The record as the format files of syscalls:* lay it out: common 8, number (int) at 8, arguments or
 * result from 16.
 */
static void
emit_record(struct stub *stub)
{
	bool enter = stub->unit->kind == UNIT_SYS_ENTER;
	int16_t i;

	emit(stub, insn_store_imm(BPF_DW, 10, OFF_RECORD, 0));
	emit_store_record(stub, 8, 8); /* the number, below SYSCALLS_MAX: its upper half, padding, is 0 */
	if (!enter) {
		emit(stub, insn_load(BPF_DW, 1, 6, 8));
		emit_store_record(stub, 16, 1);
	}
	for (i = 0; i < 6; i++) {
		if (enter) {
			emit_read(stub, BPF_DW, 1, 7, arg_regs[i]);
			emit_store_record(stub, (int16_t)(16 + 8 * i), 1);
		} else if (i > 0) {
			emit(stub, insn_store_imm(BPF_DW, 10, (int16_t)(OFF_RECORD + 16 + 8 * i), 0));
		}
	}
}

static void
emit_slot(struct stub *stub, uint32_t slot)
{
	const struct program *program = stub->unit->slots[slot];
	uint32_t next = code_label(&stub->code);

	if (stub->unit->n_slots > 1) {
		emit(stub, insn_load(BPF_W, 1, 9, offsetof(struct syscall_entry, slots)));
		emit(stub, insn_alu_imm(BPF_RSH, 1, (int32_t)slot));
		emit(stub, insn_alu_imm(BPF_AND, 1, 1));
		code_branch_imm(&stub->code, BPF_JEQ, 1, 0, next);
	}
	emit(stub, insn_load(BPF_W, 3, 9, offsetof(struct syscall_entry, event)));
	if (program->record_size || program->uses_dynamic) {
		emit_record_address(stub);
	} else {
		emit(stub, insn_mov_imm(1, 0));
	}
	emit_call(stub, program);
	code_bind(&stub->code, next);
}

/* sys_enter(regs, number), sys_exit(regs, result): include/trace/events/syscalls.h */
static void
stub_syscall(struct stub *stub)
{
	struct code *code = &stub->code;
	uint32_t i;

	emit(stub, insn_mov(6, 1));
	emit(stub, insn_load(BPF_DW, 7, 6, 0));
	if (stub->unit->kind == UNIT_SYS_ENTER)
		emit(stub, insn_load(BPF_DW, 8, 6, 8));
	else
		emit_read(stub, BPF_DW, 8, 7, offsetof(struct pt_regs, orig_rax));
	code_branch_imm(code, BPF_JGT, 8, SYSCALLS_MAX - 1, stub->out);
	emit(stub, insn_mov(1, 8));
	emit(stub, insn_alu_imm(BPF_LSH, 1, 3)); /* sizeof(struct syscall_entry) */
	emit_own_table(stub, 9, stub->unit->syscalls_fd, BPF_PSEUDO_MAP_VALUE);
	emit(stub, insn_alu(BPF_ADD, 9, 1));
	emit(stub, insn_load(BPF_W, 1, 9, offsetof(struct syscall_entry, slots)));
	code_branch_imm(code, BPF_JEQ, 1, 0, stub->out);
	emit_read(stub, BPF_H, 1, 7, offsetof(struct pt_regs, cs));
	code_branch_imm(code, BPF_JEQ, 1, COMPAT_CS, stub->out);
	emit_filter(stub);
	emit_scratch(stub);
	emit_guard(stub);
	if (wants_record(stub->unit))
		emit_record(stub);
	for (i = 0; i < stub->unit->n_slots; i++)
		emit_slot(stub, i);
	emit_unguard(stub);
	emit_return(stub);
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
	if (stub->unit->kind == UNIT_KPROBE && stub->unit->multi) {
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
	emit_store_record(stub, (int16_t)field->offset, 7);
}

/* As much of a probe's record as the program reads. */
static void
emit_probe_record(struct stub *stub, const struct event *event, uint32_t size)
{
	uint32_t i;

	emit(stub, insn_store_imm(BPF_DW, 10, OFF_RECORD, 0));
	for (i = 0; i < event->n_fields; i++)
		if (event->fields[i].offset < size)
			emit_fetch(stub, &event->probe->fetches[i], &event->fields[i]);
}

/* ---- other events ---------------------------------------------------------------------------- */

static void
stub_event(struct stub *stub)
{
	const struct program *program = stub->unit->slots[0];
	bool has_record = program->record_size && event_is_probe(stub->unit->events[0]);

	emit(stub, insn_mov(6, 1));
	emit_filter(stub);
	emit_scratch(stub);
	emit_guard(stub);
	if (has_record)
		emit_probe_record(stub, stub->unit->events[0], program->record_size);
	if (stub->unit->by_cookie) {
		emit(stub, insn_mov(1, 6));
		emit(stub, insn_call(BPF_FUNC_get_attach_cookie));
		emit(stub, insn_mov(3, 0));
	} else {
		code_const(&stub->code, 3, stub->unit->events[0]->index);
	}
	if (stub->unit->kind == UNIT_TRACEPOINT)
		emit(stub, insn_mov(1, 6)); /* the context is the record */
	else if (has_record)
		emit_record_address(stub);
	else
		emit(stub, insn_mov_imm(1, 0));
	emit_call(stub, program);
	emit_unguard(stub);
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

/* A traced process's child is traced, before it runs. */
static void
stub_fork(struct stub *stub)
{
	emit_fork_ids(stub);
	emit_target_bit(stub, 8, 1, 2);
	emit(stub, insn_load(BPF_DW, 1, 1, 0));
	emit(stub, insn_alu(BPF_AND, 1, 2));
	code_branch_imm(&stub->code, BPF_JEQ, 1, 0, stub->out);
	emit_target_bit(stub, 9, 1, 2);
	emit(stub, insn_atomic(BPF_DW, BPF_OR, 1, 2, 0));
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
	emit_target_bit(stub, 7, 1, 2);
	emit(stub, insn_alu_imm(BPF_XOR, 2, -1));
	emit(stub, insn_atomic(BPF_DW, BPF_AND, 1, 2, 0));
	emit_return(stub);
}

static void (*const stubs[N_UNIT_KINDS])(struct stub *stub) = {
	[UNIT_SYS_ENTER] = stub_syscall, [UNIT_SYS_EXIT] = stub_syscall, [UNIT_RAW] = stub_event,
	[UNIT_TRACEPOINT] = stub_event,  [UNIT_KPROBE] = stub_event,     [UNIT_KRETPROBE] = stub_event,
	[UNIT_UPROBE] = stub_event,      [UNIT_URETPROBE] = stub_event,  [UNIT_PROFILE] = stub_event,
	[UNIT_FENTRY] = stub_event,      [UNIT_FEXIT] = stub_event,      [UNIT_RAWTP] = stub_event,
	[UNIT_COUNTER] = stub_event,
	[UNIT_FORK] = stub_fork,         [UNIT_FREE] = stub_free,
};

/* ---- laying out ------------------------------------------------------------------------------ */

static int
check_stack(const struct kernel *kernel, const struct program *program, struct text *why)
{
	uint64_t all = round_up(STUB_STACK, STACK_ROUND) + round_up(program->stack_size, STACK_ROUND);

	if (all <= STACK_MAX)
		return 0;
	text_printf(
		why,
		"handler '%s' wants %u bytes of stack: %llu bytes with its caller's, the kernel allows %u",
		kernel->object->funcs[program->func]->name, program->stack_size, (unsigned long long)all,
		STACK_MAX);
	return -E2BIG;
}

/*
 * Resolves a function's references; `start` of the function in the image, `starts` of the object's
 * functions.
 */
static void
resolve(const struct kernel *kernel, const struct func *func, struct bpf_insn *image, uint32_t start,
	const uint32_t *starts)
{
	const struct reloc *reloc;
	struct bpf_insn *insn;
	uint32_t i;

	for (i = 0; i < func->n_relocs; i++) {
		reloc = &func->relocs[i];
		insn = &image[start + reloc->pc];
		switch (reloc->kind) {
		case RELOC_TABLE:
			insn[0].src_reg = BPF_PSEUDO_MAP_FD;
			insn[0].imm = kernel->tables[reloc->index];
			insn[1].imm = 0;
			break;
		case RELOC_TABLE_VALUE:
			insn[0].src_reg = BPF_PSEUDO_MAP_VALUE;
			insn[0].imm = kernel->tables[reloc->index];
			insn[1].imm = (int32_t)reloc->addend;
			break;
		case RELOC_FUNC:
			insn->src_reg = BPF_PSEUDO_CALL;
			insn->imm = (int32_t)(starts[reloc->index] - (start + reloc->pc) - 1);
			break;
		case RELOC_FUNC_ADDR: /* as a call: counted from the instruction */
			insn[0].src_reg = BPF_PSEUDO_FUNC;
			insn[0].imm = (int32_t)(starts[reloc->index] - (start + reloc->pc) - 1);
			insn[1].imm = 0;
			break;
		}
	}
}

static bool
is_call_of(const struct bpf_insn *insn, int32_t helper)
{
	return insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == 0 && insn->imm == helper;
}

/* In a pid namespace a handler's question for process ids goes to the function at `ids`. */
static void
redirect_ids(const struct func *func, struct bpf_insn *image, uint32_t start, uint32_t ids)
{
	uint32_t pc;

	for (pc = start; pc < start + func->n_insns; pc++) {
		if (!is_call_of(&image[pc], BPF_FUNC_get_current_pid_tgid))
			continue;
		image[pc].src_reg = BPF_PSEUDO_CALL;
		image[pc].imm = (int32_t)(ids - pc - 1);
	}
}

/* Appends a function of the object, if it is not there yet. */
static void
collect_func(const struct kernel *kernel, uint32_t index, struct image *image, uint32_t *starts)
{
	const struct func *func = kernel->object->funcs[index];

	if (starts[index])
		return;
	starts[index] = image->n_insns;
	image->funcs[image->n_funcs++] = func;
	image->n_insns += func->n_insns;
}

/* Behind all others: what gives process ids. Returns where it begins, 0 where the helper does. */
static uint32_t
collect_ids(const struct kernel *kernel, struct arena *arena, struct image *image)
{
	const struct func *ids = kernel->pids.is_inner ? pid_space_func(&kernel->pids, arena) : NULL;
	bool wanted = false;
	uint32_t i, pc, start = image->n_insns;

	for (i = 1; i < image->n_funcs && ids && !wanted; i++)
		for (pc = 0; pc < image->funcs[i]->n_insns && !wanted; pc++)
			wanted = is_call_of(&image->funcs[i]->insns[pc], BPF_FUNC_get_current_pid_tgid);
	if (!wanted)
		return 0;
	image->funcs[image->n_funcs++] = ids;
	image->n_insns += ids->n_insns;
	return start;
}

/* The stub, each function that it calls, once, and whatever these refer to. */
static void
collect(const struct kernel *kernel, const struct unit *unit, const struct func *stub, struct arena *arena,
	struct image *image, uint32_t *starts)
{
	const struct func *func;
	uint32_t i, r;

	image->funcs = arena_alloc(arena, (kernel->object->n_funcs + 2) * sizeof(*image->funcs));
	image->funcs[image->n_funcs++] = stub;
	image->n_insns = stub->n_insns;
	for (i = 0; i < unit->n_slots; i++)
		collect_func(kernel, unit->slots[i]->func, image, starts);
	for (i = 1; i < image->n_funcs; i++) {
		func = image->funcs[i];
		for (r = 0; r < func->n_relocs; r++)
			if (func->relocs[r].kind == RELOC_FUNC || func->relocs[r].kind == RELOC_FUNC_ADDR)
				collect_func(kernel, func->relocs[r].index, image, starts);
	}
}

int
kernel_stub(const struct kernel *kernel, const struct unit *unit, struct arena *arena, struct image *image,
	    struct text *why)
{
	struct stub stub = { .kernel = kernel, .unit = unit };
	uint32_t i, ids, start = 0, *starts = arena_alloc(arena, (kernel->object->n_funcs + 1) * sizeof(*starts));
	int err = 0;

	*image = (struct image){ 0 };
	for (i = 0; i < unit->n_slots && err == 0; i++)
		err = check_stack(kernel, unit->slots[i], why);
	if (err < 0)
		return err;
	code_init(&stub.code, arena);
	stub.out = code_label(&stub.code);
	stubs[unit->kind](&stub);
	err = code_finish(&stub.code);
	if (err < 0) {
		text_puts(why, "too many handlers for one event");
		return err;
	}
	collect(kernel, unit, func_from_code(&stub.code, "ktap_entry", unit_infos[unit->kind].name), arena,
		image, starts);
	ids = collect_ids(kernel, arena, image);
	image->insns = arena_alloc(arena, image->n_insns * sizeof(*image->insns));
	for (i = 0; i < image->n_funcs; i++) {
		memcpy(image->insns + start, image->funcs[i]->insns,
		       image->funcs[i]->n_insns * sizeof(*image->insns));
		resolve(kernel, image->funcs[i], image->insns, start, starts);
		if (ids && i > 0 && start < ids)
			redirect_ids(image->funcs[i], image->insns, start, ids);
		start += image->funcs[i]->n_insns;
	}
	return 0;
}
