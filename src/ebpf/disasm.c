/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The disassembler: instructions as text, in the C-like form of the kernel's and LLVM's disassemblers. It prints by the
 * formats of insn.def and relocs.def; asm.c reads by the same, so that assembling what it prints gives the same words. The one
 * exception: reserved fields that are not zero are shown in a comment, which the assembler skips.
 */
#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>

#include "ebpf/ebpf.h"

static const char *const reloc_formats[] = {
#define RELOC(id, insn, imm, format) [RELOC_##id] = format,
#include "ebpf/relocs.def"
#undef RELOC
};

/* One directive of a format, for the letter after '%'. */
static void
print_operand(char letter, const struct bpf_insn *insn, const struct reloc *reloc, struct text *out)
{
	uint64_t wide;

	switch (letter) {
	case 'd': text_printf(out, "r%u", insn->dst_reg); break;
	case 's': text_printf(out, "r%u", insn->src_reg); break;
	case 'D': text_printf(out, "w%u", insn->dst_reg); break;
	case 'S': text_printf(out, "w%u", insn->src_reg); break;
	case 'i': text_printf(out, "%" PRId32, insn->imm); break;
	case 'u': text_printf(out, "%" PRIu32, (uint32_t)insn->imm); break;
	case 'n': text_printf(out, "%" PRIu32, (uint32_t)insn[1].imm); break;
	case 'I':
		wide = (uint64_t)(uint32_t)insn[1].imm << 32 | (uint32_t)insn->imm;
		text_printf(out, wide >> 32 ? "0x%" PRIx64 : "%" PRIu64, wide);
		break;
	case 'o': text_printf(out, "%c %d", insn->off < 0 ? '-' : '+', abs(insn->off)); break;
	case 'j': text_printf(out, "%+d", insn->off); break;
	case 'J': text_printf(out, "%+" PRId32, insn->imm); break;
	case 'x': text_printf(out, "%" PRIu32, reloc->index); break;
	case 'a': text_printf(out, "%" PRIu32, reloc->addend); break;
	case '%': text_putc(out, '%'); break;
	default: assert(!"directive of insn.def without a case");
	}
}

static void
print_format(const char *format, const struct bpf_insn *insn, const struct reloc *reloc, struct text *out)
{
	for (const char *p = format; *p; p++) {
		if (*p == '%')
			print_operand(*++p, insn, reloc, out);
		else
			text_putc(out, *p);
	}
}

void
disasm_insn(const struct bpf_insn *insn, struct text *out)
{
	const struct insn_info *info = insn_info(insn);
	const char *reserved = insn_reserved(insn);

	if (!info) {
		text_printf(out, ".insn 0x%02x %u %u %d %" PRId32, insn->code, insn->dst_reg, insn->src_reg,
			    insn->off, insn->imm);
		return;
	}
	print_format(info->format, insn, NULL, out);
	if (reserved)
		text_printf(out, " ; %s is not used here and not 0", reserved);
}

/* The relocation at `pc`, or NULL; they are in order of their places. *next: the first that was not passed yet. */
static const struct reloc *
reloc_at(const struct func *func, uint32_t pc, uint32_t *next)
{
	while (*next < func->n_relocs && func->relocs[*next].pc < pc)
		++*next;
	return *next < func->n_relocs && func->relocs[*next].pc == pc ? &func->relocs[*next] : NULL;
}

/* "; 12: text of the line" */
static void
print_script_line(const struct script *script, uint32_t line, FILE *out)
{
	uint32_t len;
	const char *s = script_line_text(script, line, &len);

	fprintf(out, "; %u: ", line);
	script_print_text(s, len, out);
	fputc('\n', out);
}

void
disasm_func(const struct func *func, const struct script *script, FILE *out)
{
	struct text text = { 0 };
	uint32_t line = 0, next_reloc = 0;

	fprintf(out, "%s (%s):\n", func->name, func->section);
	for (uint32_t pc = 0; pc < func->n_insns; pc++) {
		const struct bpf_insn *insn = &func->insns[pc];
		const struct reloc *reloc = reloc_at(func, pc, &next_reloc);
		bool cut = insn_is_wide(insn) && pc + 1 == func->n_insns;

		if (script && func->spans && script_line(script, func->spans[pc].off) != line) {
			line = script_line(script, func->spans[pc].off);
			print_script_line(script, line, out);
		}
		text_clear(&text);
		if (cut)
			text_puts(&text, "; first half of an ld_imm64, cut off");
		else if (reloc)
			print_format(reloc_formats[reloc->kind], insn, reloc, &text);
		else
			disasm_insn(insn, &text);
		if (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == 0 && helper_name(insn->imm))
			text_printf(&text, " ; %s", helper_name(insn->imm));
		fprintf(out, "%4u: %s\n", pc, text.s);
		if (insn_is_wide(insn))
			pc++;
	}
	text_fini(&text);
}
