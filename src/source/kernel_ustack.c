/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The programs' half of user stacks that the kernel does not take as we want them: kernel_ustack.h says when and how. The function makes
 * do with the 32 bytes of stack that codegen leaves it (lower_stack), what it remembers is in registers and in the record.
 *
 *     copy    r6 context, then the stack's number   r7 address in the process   r8 record           r9 bytes copied
 *     walk    r6 frame pointer                      r7 frames to skip           r8 hash, or record  r9 frames walked
 *
 * A stack is walked for its hash first, and only where that is new once more, into a record: the ring must not fill with what is known.
 */
#include <asm/ptrace.h>
#include <errno.h>

#include "source/kernel_ustack.h"

#define PAGE 4096 /* what can be read is whole pages; the smallest there are */
#define USER_CS 0x33
/* Of a walk, on the stack; tables take nothing from a record before Linux 6.3. */
#define OFF_KEY     (-8)
#define OFF_WORDS   (-24) /* two, just read */
#define OFF_CONTEXT (-32)
#define HASH_FACTOR 0x9e3779b97f4a7c15ll

/* By the number that the ABI gives each, as struct unwind_job has them. */
static const int16_t registers[UNWIND_REGISTERS] = {
	offsetof(struct pt_regs, rax), offsetof(struct pt_regs, rdx), offsetof(struct pt_regs, rcx), offsetof(struct pt_regs, rbx),
	offsetof(struct pt_regs, rsi), offsetof(struct pt_regs, rdi), offsetof(struct pt_regs, rbp), offsetof(struct pt_regs, rsp),
	offsetof(struct pt_regs, r8),  offsetof(struct pt_regs, r9),  offsetof(struct pt_regs, r10), offsetof(struct pt_regs, r11),
	offsetof(struct pt_regs, r12), offsetof(struct pt_regs, r13), offsetof(struct pt_regs, r14), offsetof(struct pt_regs, r15),
	offsetof(struct pt_regs, rip),
};

static bool
is_of_user(const struct unit *unit)
{
	return unit->kind == UNIT_UPROBE || unit->kind == UNIT_URETPROBE;
}

bool
kernel_ustack_wanted(const struct kernel *kernel, const struct unit *unit)
{
	return kernel->stacks && (kernel->stacks->dwarf || unit->at_entry);
}

/* ---- shared ---------------------------------------------------------------------------------- */

static void
own_table(struct code *code, uint8_t dst, int fd, uint8_t pseudo)
{
	code_emit(code, insn_make(BPF_LD | BPF_IMM | BPF_DW, dst, pseudo, 0, fd));
	code_emit(code, insn_make(0, 0, 0, 0, 0));
}

static void
leave_with(struct code *code, int32_t result)
{
	code_emit(code, insn_mov_imm(0, result));
	code_emit(code, insn_exit());
}

/*
 * The kernel's stacks are the kernel's business, and so are those of 32-bit processes where it can take them. Keeps the context in r6,
 * what is to be skipped in r7.
 */
static void
begin(struct code *code, bool dwarf)
{
	uint32_t plain = code_label(code), user = code_label(code);

	code_branch_imm(code, BPF_JSET, 3, BPF_F_USER_STACK, user);
	code_bind(code, plain);
	code_emit(code, insn_call(BPF_FUNC_get_stackid));
	code_emit(code, insn_exit());
	code_bind(code, user);
	if (!dwarf) {
		code_emit(code, insn_load(BPF_DW, 4, 1, offsetof(struct pt_regs, cs)));
		code_branch_imm(code, BPF_JNE, 4, USER_CS, plain);
	}
	code_emit(code, insn_mov(6, 1));
	code_emit(code, insn_mov(7, 3));
	code_emit(code, insn_alu_imm(BPF_AND, 7, BPF_F_SKIP_FIELD_MASK));
}

/* r8 = a record of the ring. */
static void
reserve(struct code *code, const struct kernel_stacks *stacks, uint32_t size)
{
	uint32_t reserved = code_label(code);

	own_table(code, 1, stacks->ring_fd, BPF_PSEUDO_MAP_FD);
	code_emit(code, insn_mov_imm(2, (int32_t)size));
	code_emit(code, insn_mov_imm(3, 0));
	code_emit(code, insn_call(BPF_FUNC_ringbuf_reserve));
	code_branch_imm(code, BPF_JNE, 0, 0, reserved);
	leave_with(code, -ENOSPC);
	code_bind(code, reserved);
	code_emit(code, insn_mov(8, 0));
}

/* Gives the record up, or lets it be read. */
static void
end_record(struct code *code, int32_t helper)
{
	code_emit(code, insn_mov(1, 8));
	code_emit(code, insn_mov_imm(2, helper == BPF_FUNC_ringbuf_discard ? BPF_RB_NO_WAKEUP : 0));
	code_emit(code, insn_call(helper));
}

/* `dst` = a number that no stack had before, for long. Clobbers r1. */
static void
new_number(struct code *code, const struct kernel_stacks *stacks, uint8_t dst)
{
	own_table(code, 1, stacks->counter_fd, BPF_PSEUDO_MAP_VALUE);
	code_emit(code, insn_mov_imm(dst, 1));
	code_emit(code, insn_atomic(BPF_DW, BPF_ADD | BPF_FETCH, 1, dst, 0));
	code_emit(code, insn_alu_imm(BPF_AND, dst, USTACK_NUMBER));
	code_emit(code, insn_alu_imm(BPF_OR, dst, USTACK_TAKEN));
}

/* dst = address of record + r9 * scale + off. */
static void
record_address(struct code *code, uint8_t dst, int shift, int32_t off)
{
	code_emit(code, insn_mov(dst, 9));
	if (shift)
		code_emit(code, insn_alu_imm(BPF_LSH, dst, shift));
	code_emit(code, insn_alu(BPF_ADD, dst, 8));
	code_emit(code, insn_alu_imm(BPF_ADD, dst, off));
}

/* Reads 8 bytes of the kernel's memory at r9 + `from` to where `base`, the record or the stack, has `to`. */
static void
read_kernel(struct code *code, uint32_t from, uint8_t base, int32_t to)
{
	code_emit(code, insn_mov(1, base));
	code_emit(code, insn_alu_imm(BPF_ADD, 1, to));
	code_emit(code, insn_mov_imm(2, 8));
	code_emit(code, insn_mov(3, 9));
	code_emit(code, insn_alu_imm(BPF_ADD, 3, (int32_t)from));
	code_emit(code, insn_call(BPF_FUNC_probe_read_kernel)); /* zeros where it cannot be read */
}

/* r9 = the pointer at r9 + `from`, by way of the same place. */
static void
follow(struct code *code, uint32_t from, uint8_t base, int32_t scratch)
{
	read_kernel(code, from, base, scratch);
	code_emit(code, insn_load(BPF_DW, 9, base, (int16_t)scratch));
}

/* r9 = the first of the addresses that the kernel has taken from the stack. */
static void
first_return(struct code *code, const struct return_offsets *offsets, uint8_t base, int32_t scratch)
{
	code_emit(code, insn_call(BPF_FUNC_get_current_task));
	code_emit(code, insn_mov(9, 0));
	follow(code, offsets->task_utask, base, scratch);
	follow(code, offsets->utask_instances, base, scratch);
}

/* Puts all of them into the record's list at `at`. Clobbers r9. */
static void
copy_returns(struct code *code, const struct return_offsets *offsets, int32_t at)
{
	uint32_t end = code_label(code);

	if (offsets->known)
		first_return(code, offsets, 8, at);
	for (unsigned i = 0; offsets->known && i < USTACK_RETURNS; i++, at += (int32_t)sizeof(struct hijacked)) {
		code_emit(code, insn_store_imm(BPF_DW, 8, (int16_t)at, 0));
		code_branch_imm(code, BPF_JEQ, 9, 0, end);
		read_kernel(code, offsets->slot, 8, at);
		read_kernel(code, offsets->address, 8, at + 8);
		follow(code, offsets->next, 8, at + 16);
	}
	code_emit(code, insn_store_imm(BPF_DW, 8, (int16_t)at, 0));
	code_bind(code, end);
}

/* ---- copies ---------------------------------------------------------------------------------- */

/*
 * Puts the process's registers into the record and its stack pointer into r7. A probe of a user function is given them; anywhere else
 * they lie where the process entered the kernel.
 */
static void
copy_registers(struct code *code, const struct unit *unit)
{
	uint32_t user = code_label(code);

	if (is_of_user(unit)) {
		code_emit(code, insn_mov(7, 6));
	} else {
		code_emit(code, insn_call(BPF_FUNC_get_current_task_btf));
		code_emit(code, insn_mov(1, 0));
		code_emit(code, insn_call(BPF_FUNC_task_pt_regs));
		code_emit(code, insn_mov(7, 0));
	}
	code_emit(code, insn_load(BPF_DW, 1, 7, offsetof(struct pt_regs, cs)));
	code_branch_imm(code, BPF_JEQ, 1, USER_CS, user);
	end_record(code, BPF_FUNC_ringbuf_discard); /* a thread of the kernel, or a 32-bit process */
	leave_with(code, -EFAULT);
	code_bind(code, user);
	for (unsigned i = 0; i < UNWIND_REGISTERS; i++) {
		code_emit(code, insn_load(BPF_DW, 1, 7, registers[i]));
		code_emit(code, insn_store(BPF_DW, 8, 1, (int16_t)(offsetof(struct stack_copy, regs) + 8 * i)));
	}
	code_emit(code, insn_load(BPF_DW, 7, 7, offsetof(struct pt_regs, rsp)));
}

/* dst = bytes from r7 to the end of its page. */
static void
rest_of_page(struct code *code, uint8_t dst, uint8_t scratch)
{
	code_emit(code, insn_mov(scratch, 7));
	code_emit(code, insn_alu_imm(BPF_AND, scratch, PAGE - 1));
	code_emit(code, insn_mov_imm(dst, PAGE));
	code_emit(code, insn_alu(BPF_SUB, dst, scratch));
}

/* Reads r2 bytes at r7 into the record, behind the r9 that are there. */
static void
copy_piece(struct code *code, uint32_t end)
{
	record_address(code, 1, 0, offsetof(struct stack_copy, bytes));
	code_emit(code, insn_mov(3, 7));
	code_emit(code, insn_call(BPF_FUNC_probe_read_user));
	code_branch_imm(code, BPF_JNE, 0, 0, end);
}

/* One helper call reads all or nothing, and behind the stack's last page there is nothing: so page by page. */
static void
copy_bytes(struct code *code, uint32_t max)
{
	uint32_t end = code_label(code);

	code_emit(code, insn_mov_imm(9, 0));
	rest_of_page(code, 2, 1);
	copy_piece(code, end);
	rest_of_page(code, 9, 1);
	code_emit(code, insn_alu(BPF_ADD, 7, 9));
	for (uint32_t done = PAGE; done < max; done += PAGE) {
		code_emit(code, insn_mov_imm(2, PAGE));
		copy_piece(code, end);
		code_emit(code, insn_alu_imm(BPF_ADD, 7, PAGE));
		code_emit(code, insn_alu_imm(BPF_ADD, 9, PAGE));
	}
	code_bind(code, end);
	code_emit(code, insn_store(BPF_W, 8, 9, offsetof(struct stack_copy, len)));
}

static void
emit_copy(struct code *code, const struct kernel_stacks *stacks, const struct unit *unit)
{
	reserve(code, stacks, (uint32_t)sizeof(struct stack_copy) + stacks->copy_max);
	code_emit(code, insn_store(BPF_W, 8, 7, offsetof(struct stack_copy, skip)));
	copy_returns(code, &stacks->returns, offsetof(struct stack_copy, returns));
	copy_registers(code, unit);
	copy_bytes(code, stacks->copy_max);
	code_emit(code, insn_call(BPF_FUNC_get_current_pid_tgid));
	code_emit(code, insn_alu_imm(BPF_RSH, 0, 32));
	code_emit(code, insn_store(BPF_W, 8, 0, offsetof(struct stack_copy, pid)));
	new_number(code, stacks, 6);
	code_emit(code, insn_store(BPF_W, 8, 6, offsetof(struct stack_copy, id)));
	end_record(code, BPF_FUNC_ringbuf_submit);
	code_emit(code, insn_mov(0, 6));
	code_emit(code, insn_exit());
}

/* ---- walks ----------------------------------------------------------------------------------- */

enum pass { FOR_HASH, FOR_RECORD };

/* Takes r1 into the hash. Clobbers r2. */
static void
take_into_hash(struct code *code)
{
	code_emit(code, insn_alu(BPF_XOR, 8, 1));
	code_const(code, 2, HASH_FACTOR);
	code_emit(code, insn_alu(BPF_MUL, 8, 2));
	code_emit(code, insn_mov(2, 8));
	code_emit(code, insn_alu_imm(BPF_RSH, 2, 32));
	code_emit(code, insn_alu(BPF_XOR, 8, 2));
}

/* On the stack all addresses that the kernel has taken look alike. */
static void
hash_returns(struct code *code, const struct return_offsets *offsets)
{
	uint32_t end = code_label(code);

	if (offsets->known)
		first_return(code, offsets, 10, OFF_WORDS);
	for (unsigned i = 0; offsets->known && i < USTACK_RETURNS; i++) {
		code_branch_imm(code, BPF_JEQ, 9, 0, end);
		read_kernel(code, offsets->address, 10, OFF_WORDS);
		code_emit(code, insn_load(BPF_DW, 1, 10, OFF_WORDS));
		take_into_hash(code);
		follow(code, offsets->next, 10, OFF_WORDS);
	}
	code_bind(code, end);
}

/* Takes r1, which is frame r9, unless it is to be skipped, and counts it. Leaves for `done` behind the last one wanted. */
static void
take_frame(struct code *code, enum pass pass, uint32_t depth, uint32_t done)
{
	uint32_t skipped = code_label(code);

	if (pass == FOR_HASH) {
		code_branch(code, BPF_JLT, 9, 7, skipped);
		take_into_hash(code);
	} else {
		record_address(code, 2, 3, offsetof(struct stack_walk, frames));
		code_emit(code, insn_store(BPF_DW, 2, 1, 0));
	}
	code_bind(code, skipped);
	code_emit(code, insn_alu_imm(BPF_ADD, 9, 1));
	code_emit(code, insn_mov(1, 7));
	code_emit(code, insn_alu_imm(BPF_ADD, 1, (int32_t)depth));
	code_branch(code, BPF_JGE, 9, 1, done);
}

/* Reads `len` bytes at r3 to OFF_WORDS; leaves for `done` where that fails. */
static void
read_words(struct code *code, int32_t len, uint32_t done)
{
	code_emit(code, insn_mov(1, 10));
	code_emit(code, insn_alu_imm(BPF_ADD, 1, OFF_WORDS));
	code_emit(code, insn_mov_imm(2, len));
	code_emit(code, insn_call(BPF_FUNC_probe_read_user));
	code_branch_imm(code, BPF_JNE, 0, 0, done);
}

/* The function itself, its caller, and those that the frame pointers lead to: | caller's frame pointer | return address |. */
static void
walk_frames(struct code *code, enum pass pass, uint32_t depth)
{
	uint32_t done = code_label(code), next = code_label(code);

	code_emit(code, insn_mov_imm(9, 0));
	code_emit(code, insn_load(BPF_DW, 6, 10, OFF_CONTEXT));
	code_emit(code, insn_load(BPF_DW, 1, 6, offsetof(struct pt_regs, rip)));
	take_frame(code, pass, depth, done);
	code_emit(code, insn_load(BPF_DW, 3, 6, offsetof(struct pt_regs, rsp)));
	code_emit(code, insn_load(BPF_DW, 6, 6, offsetof(struct pt_regs, rbp)));
	read_words(code, 8, done);
	code_emit(code, insn_load(BPF_DW, 1, 10, OFF_WORDS));
	take_frame(code, pass, depth, done);
	code_bind(code, next);
	code_branch_imm(code, BPF_JGE, 9, (int32_t)(depth + USTACK_FRAMES_MAX), done); /* never: for the verifier */
	code_emit(code, insn_mov(3, 6));
	read_words(code, 16, done);
	code_emit(code, insn_load(BPF_DW, 6, 10, OFF_WORDS));
	code_emit(code, insn_load(BPF_DW, 1, 10, OFF_WORDS + 8));
	code_branch_imm(code, BPF_JEQ, 1, 0, done);
	take_frame(code, pass, depth, done);
	code_jump(code, next);
	code_bind(code, done);
}

static void
stack_address(struct code *code, uint8_t dst, int32_t off)
{
	code_emit(code, insn_mov(dst, 10));
	code_emit(code, insn_alu_imm(BPF_ADD, dst, off));
}

/* r0 = address of the number of the hash at OFF_KEY, or 0. */
static void
look_up_walk(struct code *code, const struct kernel_stacks *stacks)
{
	own_table(code, 1, stacks->known_fd, BPF_PSEUDO_MAP_FD);
	stack_address(code, 2, OFF_KEY);
	code_emit(code, insn_call(BPF_FUNC_map_lookup_elem));
}

/* Walks into a record, whose number is in r6 then. */
static void
record_walk(struct code *code, const struct kernel_stacks *stacks)
{
	reserve(code, stacks, stacks->walk_size);
	code_emit(code, insn_store(BPF_W, 8, 7, offsetof(struct stack_walk, skip)));
	copy_returns(code, &stacks->returns, offsetof(struct stack_walk, returns));
	walk_frames(code, FOR_RECORD, stacks->depth);
	code_emit(code, insn_store(BPF_W, 8, 9, offsetof(struct stack_walk, n)));
	code_emit(code, insn_call(BPF_FUNC_get_current_pid_tgid));
	code_emit(code, insn_alu_imm(BPF_RSH, 0, 32));
	code_emit(code, insn_store(BPF_W, 8, 0, offsetof(struct stack_walk, pid)));
	new_number(code, stacks, 6);
	code_emit(code, insn_store(BPF_W, 8, 6, offsetof(struct stack_walk, id)));
}

/* Two CPUs may meet the same new stack at once: the one whose number is in the table sends its record. */
static void
emit_walk(struct code *code, const struct kernel_stacks *stacks)
{
	uint32_t known = code_label(code), lost = code_label(code), other = code_label(code);

	code_emit(code, insn_store(BPF_DW, 10, 6, OFF_CONTEXT));
	code_emit(code, insn_mov_imm(8, 0));
	hash_returns(code, &stacks->returns);
	walk_frames(code, FOR_HASH, stacks->depth);
	code_emit(code, insn_store(BPF_DW, 10, 8, OFF_KEY));
	look_up_walk(code, stacks);
	code_branch_imm(code, BPF_JNE, 0, 0, known);
	record_walk(code, stacks);
	code_emit(code, insn_store(BPF_DW, 10, 6, OFF_WORDS));
	own_table(code, 1, stacks->known_fd, BPF_PSEUDO_MAP_FD);
	stack_address(code, 2, OFF_KEY);
	stack_address(code, 3, OFF_WORDS);
	code_emit(code, insn_mov_imm(4, BPF_NOEXIST));
	code_emit(code, insn_call(BPF_FUNC_map_update_elem));
	code_branch_imm(code, BPF_JNE, 0, 0, lost);
	end_record(code, BPF_FUNC_ringbuf_submit);
	code_emit(code, insn_mov(0, 6));
	code_emit(code, insn_exit());
	code_bind(code, lost);
	look_up_walk(code, stacks);
	code_branch_imm(code, BPF_JNE, 0, 0, other);
	end_record(code, BPF_FUNC_ringbuf_discard);
	leave_with(code, -ENOSPC);
	code_bind(code, other);
	code_emit(code, insn_load(BPF_W, 6, 0, 0));
	end_record(code, BPF_FUNC_ringbuf_discard);
	code_emit(code, insn_mov(0, 6));
	code_emit(code, insn_exit());
	code_bind(code, known);
	code_emit(code, insn_load(BPF_W, 0, 0, 0));
	code_emit(code, insn_exit());
}

struct func *
kernel_ustack_func(const struct kernel *kernel, const struct unit *unit, struct arena *arena)
{
	struct code code;

	code_init(&code, arena);
	begin(&code, kernel->stacks->dwarf);
	if (kernel->stacks->dwarf)
		emit_copy(&code, kernel->stacks, unit);
	else
		emit_walk(&code, kernel->stacks);
	return code_finish(&code) < 0 ? NULL : func_from_code(&code, "ktap_ustack", unit_infos[unit->kind].name);
}
