/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Code under construction: instructions with their places in the script, labels, and references to tables and functions.
 */
#include <assert.h>
#include <errno.h>

#include "ebpf/ebpf_int.h"

void
code_init(struct code *code, struct arena *arena)
{
	*code = (struct code){ .arena = arena };
}

void
code_emit(struct code *code, struct bpf_insn insn)
{
	code->insns = arena_grow(code->arena, code->insns, code->n, &code->cap, sizeof(*code->insns));
	code->spans = arena_grow(code->arena, code->spans, code->n, &code->cap_spans, sizeof(*code->spans));
	code->insns[code->n] = insn;
	code->spans[code->n++] = code->span;
}

/* Both words of ld_imm64 (RFC 9669 section 5.4). */
static void
emit_wide(struct code *code, uint8_t dst, uint8_t src, uint32_t low, uint32_t high)
{
	code_emit(code, insn_make(BPF_LD | BPF_IMM | BPF_DW, dst, src, 0, (int32_t)low));
	code_emit(code, insn_make(0, 0, 0, 0, (int32_t)high));
}

void
code_const(struct code *code, uint8_t dst, int64_t value)
{
	if (value == (int32_t)value)
		code_emit(code, insn_mov_imm(dst, (int32_t)value));
	else
		emit_wide(code, dst, 0, (uint32_t)value, (uint32_t)((uint64_t)value >> 32));
}

void
code_add_reloc(struct code *code, struct reloc reloc)
{
	code->relocs = arena_grow(code->arena, code->relocs, code->n_relocs, &code->cap_relocs, sizeof(*code->relocs));
	code->relocs[code->n_relocs++] = reloc;
}

void
code_table(struct code *code, uint8_t dst, uint32_t table)
{
	code_add_reloc(code, (struct reloc){ .pc = code->n, .kind = RELOC_TABLE, .index = table });
	emit_wide(code, dst, BPF_PSEUDO_MAP_FD, 0, 0);
}

void
code_table_value(struct code *code, uint8_t dst, uint32_t table, uint32_t addend)
{
	code_add_reloc(code, (struct reloc){ .pc = code->n, .kind = RELOC_TABLE_VALUE, .index = table, .addend = addend });
	emit_wide(code, dst, BPF_PSEUDO_MAP_VALUE, 0, addend);
}

void
code_call_func(struct code *code, uint32_t func)
{
	code_add_reloc(code, (struct reloc){ .pc = code->n, .kind = RELOC_FUNC, .index = func });
	code_emit(code, insn_make(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, -1));
}

void
code_func_addr(struct code *code, uint8_t dst, uint32_t func)
{
	code_add_reloc(code, (struct reloc){ .pc = code->n, .kind = RELOC_FUNC_ADDR, .index = func });
	emit_wide(code, dst, BPF_PSEUDO_FUNC, UINT32_MAX, 0);
}

void
code_patch(struct code *code, uint32_t field)
{
	code->patches = arena_grow(code->arena, code->patches, code->n_patches, &code->cap_patches, sizeof(*code->patches));
	code->patches[code->n_patches++] = (struct patch){ .pc = code->n - 1, .field = field };
}

void
code_core(struct code *code, const struct core_number *number)
{
	code->cores = arena_grow(code->arena, code->cores, code->n_cores, &code->cap_cores, sizeof(*code->cores));
	code->cores[code->n_cores++] = (struct core_reloc){ .pc = code->n - 1, .kind = number->kind, .path = number->path };
}

uint32_t
code_label(struct code *code)
{
	code->labels = arena_grow(code->arena, code->labels, code->n_labels, &code->cap_labels, sizeof(*code->labels));
	code->labels[code->n_labels] = UNBOUND;
	return code->n_labels++;
}

void
code_bind_at(struct code *code, uint32_t label, uint32_t pc)
{
	assert(label < code->n_labels && code->labels[label] == UNBOUND);
	code->labels[label] = pc;
}

void
code_bind(struct code *code, uint32_t label)
{
	code_bind_at(code, label, code->n);
}

static void
add_fixup(struct code *code, uint32_t pc, uint32_t label)
{
	code->fixups = arena_grow(code->arena, code->fixups, code->n_fixups, &code->cap_fixups, sizeof(*code->fixups));
	code->fixups[code->n_fixups++] = (struct fixup){ .pc = pc, .label = label };
}

void
code_make_jump(struct code *code, uint32_t pc, uint32_t label)
{
	code->insns[pc] = insn_make(BPF_JMP | BPF_JA, 0, 0, 0, 0);
	add_fixup(code, pc, label);
}

static void
emit_jump(struct code *code, struct bpf_insn insn, uint32_t label)
{
	add_fixup(code, code->n, label);
	code_emit(code, insn);
}

void
code_jump(struct code *code, uint32_t label)
{
	emit_jump(code, insn_make(BPF_JMP | BPF_JA, 0, 0, 0, 0), label);
}

void
code_branch(struct code *code, uint8_t cmp, uint8_t dst, uint8_t src, uint32_t label)
{
	emit_jump(code, insn_make(BPF_JMP | cmp | BPF_X, dst, src, 0, 0), label);
}

void
code_branch_imm(struct code *code, uint8_t cmp, uint8_t dst, int32_t imm, uint32_t label)
{
	emit_jump(code, insn_make(BPF_JMP | cmp | BPF_K, dst, 0, 0, imm), label);
}

void
code_branch32_imm(struct code *code, uint8_t cmp, uint8_t dst, int32_t imm, uint32_t label)
{
	emit_jump(code, insn_make(BPF_JMP32 | cmp | BPF_K, dst, 0, 0, imm), label);
}

uint32_t
code_append(struct code *code, const struct func *func)
{
	uint32_t first = code->n;

	for (uint32_t i = 0; i < func->n_relocs; i++) {
		struct reloc reloc = func->relocs[i];

		reloc.pc += first;
		code_add_reloc(code, reloc);
	}
	for (uint32_t i = 0; i < func->n_insns; i++) {
		if (func->spans)
			code->span = func->spans[i];
		code_emit(code, func->insns[i]);
	}
	return first;
}

/* False where a jump leads farther than `reach`. */
static bool
set_offsets(struct code *code, int64_t reach)
{
	for (uint32_t i = 0; i < code->n_fixups; i++) {
		const struct fixup *fixup = &code->fixups[i];
		int64_t off;

		assert(code->labels[fixup->label] != UNBOUND);
		off = (int64_t)code->labels[fixup->label] - fixup->pc - 1;
		if (off > reach || off < -reach)
			return false;
		code->insns[fixup->pc].off = (int16_t)off;
	}
	return true;
}

int
code_finish(struct code *code)
{
	return set_offsets(code, INT16_MAX) ? 0 : -ERANGE;
}

int
code_finish_long(struct code *code)
{
	return set_offsets(code, JUMP_REACH) ? 0 : code_add_islands(code);
}
