/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What gcc and its binutils for eBPF (12, 2.40) write otherwise than clang, made as clang has it, so that this reader and libbpf agree
 * about it: an instruction that refers to a variable or table holds the symbol's value already, which a reader adds again; so does a call of a
 * global function, in bytes where a reader takes instructions. Files of gcc are known by their .comment. Bytes may come from anywhere; what is damaged is left for the reader to refuse.
 */
#include <string.h>

#include <gelf.h>

#include "ebpf/ebpf_int.h"

#define COMMENT_GCC "GCC: ("
#define INSN_64     1 /* R_BPF_64_64, R_BPF_INSN_64 of binutils */
#define INSN_DISP32 10 /* R_BPF_64_32 */

struct mender {
	uint8_t *bytes;
	size_t len;
	Elf *elf;
	size_t names; /* section of section names */
};

/* The bytes of a section in the file; NULL: they are not there. */
static uint8_t *
contents(const struct mender *m, const Elf64_Shdr *shdr)
{
	bool inside = shdr->sh_type != SHT_NOBITS && shdr->sh_offset <= m->len && shdr->sh_size <= m->len - shdr->sh_offset;

	return inside ? m->bytes + shdr->sh_offset : NULL;
}

static const Elf64_Shdr *
header(const struct mender *m, size_t section)
{
	Elf_Scn *scn = elf_getscn(m->elf, section);

	return scn ? elf64_getshdr(scn) : NULL;
}

static bool
is_of_gcc(const struct mender *m, const Elf64_Shdr *shdr)
{
	const char *name = elf_strptr(m->elf, m->names, shdr->sh_name);
	const uint8_t *data = contents(m, shdr);

	return name && strcmp(name, ".comment") == 0 && data && memmem(data, shdr->sh_size, COMMENT_GCC, strlen(COMMENT_GCC));
}

/* Takes the symbol's value out of the instruction that one relocation is about. */
static void
mend_one(const uint8_t *symbols, uint64_t n_symbols, const Elf64_Rel *rel, uint8_t *code, uint64_t code_len)
{
	uint32_t type = (uint32_t)ELF64_R_TYPE(rel->r_info);
	struct bpf_insn insn;
	Elf64_Sym symbol;

	if ((type != INSN_64 && type != INSN_DISP32) || ELF64_R_SYM(rel->r_info) >= n_symbols || code_len < sizeof(insn) ||
	    rel->r_offset > code_len - sizeof(insn))
		return;
	memcpy(&symbol, symbols + ELF64_R_SYM(rel->r_info) * sizeof(symbol), sizeof(symbol));
	memcpy(&insn, code + rel->r_offset, sizeof(insn));
	/* A call by the symbol of the section is as clang's. */
	if (type == INSN_DISP32 && (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || insn.imm != (int32_t)((uint32_t)symbol.st_value - 1)))
		return;
	insn.imm = (int32_t)((uint32_t)insn.imm - (uint32_t)symbol.st_value);
	memcpy(code + rel->r_offset, &insn, sizeof(insn));
}

static void
mend_section(const struct mender *m, const Elf64_Shdr *rels)
{
	const Elf64_Shdr *target = header(m, rels->sh_info), *table = header(m, rels->sh_link);
	const uint8_t *data = contents(m, rels), *symbols = table ? contents(m, table) : NULL;
	uint8_t *code = target && target->sh_flags & SHF_EXECINSTR ? contents(m, target) : NULL;

	for (uint64_t i = 0; data && symbols && code && i < rels->sh_size / sizeof(Elf64_Rel); i++) {
		Elf64_Rel rel;

		memcpy(&rel, data + i * sizeof(rel), sizeof(rel));
		mend_one(symbols, table->sh_size / sizeof(Elf64_Sym), &rel, code, target->sh_size);
	}
}

static void
mend(struct mender *m)
{
	size_t n = 0;
	bool of_gcc = false;

	if (elf_kind(m->elf) != ELF_K_ELF || gelf_getclass(m->elf) != ELFCLASS64 || elf_getshdrnum(m->elf, &n) ||
	    elf_getshdrstrndx(m->elf, &m->names) || elf64_getehdr(m->elf)->e_shoff % sizeof(uint64_t))
		return;
	for (size_t i = 1; i < n && !of_gcc; i++)
		of_gcc = header(m, i) && is_of_gcc(m, header(m, i));
	for (size_t i = 1; i < n && of_gcc; i++)
		if (header(m, i) && header(m, i)->sh_type == SHT_REL)
			mend_section(m, header(m, i));
}

void
elf_mend(void *bytes, size_t len)
{
	struct mender m = { .bytes = bytes, .len = len };

	if (elf_version(EV_CURRENT) == EV_NONE)
		return;
	m.elf = elf_memory(bytes, len);
	if (m.elf)
		mend(&m);
	elf_end(m.elf);
}
