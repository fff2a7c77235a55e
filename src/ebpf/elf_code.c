/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Functions of an ELF file and the references in them: to tables, to data, to other functions. Each becomes a `struct reloc`, in order
 * of pc; calls inside a section, which compilers resolve themselves, become relocations like all others.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ebpf/elf_int.h"

#define FUNCS_MAX 16384

static int
read_func(struct reader *r, struct symbol *symbol, struct section *section)
{
	uint64_t start = symbol->sym.st_value, size = symbol->sym.st_size;
	uint32_t section_index = (uint32_t)(section - r->sections);
	struct func *func;

	if (start % sizeof(struct bpf_insn) || size % sizeof(struct bpf_insn) || size == 0 ||
	    start > section->size || size > section->size - start || !section->data)
		return elf_fail(r, "function %s: bytes %llu to %llu are not instructions inside section %s",
			    symbol->name, (unsigned long long)start, (unsigned long long)(start + size),
			    section->name);
	func = arena_alloc(r->arena, sizeof(*func));
	func->name = arena_strdup(r->arena, symbol->name);
	func->section = arena_strdup(r->arena, section->name);
	func->n_insns = (uint32_t)(size / sizeof(struct bpf_insn));
	func->insns = arena_alloc(r->arena, size);
	memcpy(func->insns, section->data + start, size);
	symbol->index = object_add_func(r->object, func);
	r->placed[r->n_placed++] = (struct placed){
		.section = section_index,
		.start = (uint32_t)start,
		.end = (uint32_t)(start + size),
		.func = symbol->index,
	};
	return 0;
}

static int
compare_placed(const void *a, const void *b)
{
	const struct placed *p = a, *q = b;

	if (p->section != q->section)
		return p->section < q->section ? -1 : 1;
	return p->start < q->start ? -1 : p->start > q->start;
}

static int
check_overlap(struct reader *r)
{
	for (uint32_t i = 1; i < r->n_placed; i++) {
		const struct placed *a = &r->placed[i - 1], *b = &r->placed[i];

		if (a->section == b->section && a->end > b->start)
			return elf_fail(r, "functions %s and %s overlap", r->object->funcs[a->func]->name,
				    r->object->funcs[b->func]->name);
	}
	return 0;
}

static int
read_funcs(struct reader *r)
{
	int err = 0;

	r->placed = arena_alloc(r->scratch, FUNCS_MAX * sizeof(*r->placed));
	for (size_t i = 1; i < r->n_symbols && !err; i++) {
		struct symbol *symbol = &r->symbols[i];
		struct section *section = elf_symbol_section(r, symbol);

		if (!section || section->kind != SECTION_CODE ||
		    ELF64_ST_TYPE(symbol->sym.st_info) != STT_FUNC)
			continue;
		if (r->n_placed == FUNCS_MAX)
			return elf_fail(r, "more than %d functions", FUNCS_MAX);
		err = read_func(r, symbol, section);
	}
	if (err)
		return err;
	if (r->n_placed)
		qsort(r->placed, r->n_placed, sizeof(*r->placed), compare_placed);
	return check_overlap(r);
}

/* The function in which a byte of a section lies; NULL: none. */
const struct placed *
elf_placed_at(const struct reader *r, uint32_t section, uint64_t off)
{
	uint32_t low = 0, high = r->n_placed;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		const struct placed *placed = &r->placed[mid];

		if (placed->section < section || (placed->section == section && placed->end <= off))
			low = mid + 1;
		else
			high = mid;
	}
	if (low == r->n_placed || r->placed[low].section != section || r->placed[low].start > off)
		return NULL;
	return &r->placed[low];
}

/* ---- relocations ------------------------------------------------------------------------------------------------------------------ */

static void
add_reloc(struct reader *r, struct func *func, struct reloc reloc)
{
	func->relocs = elf_grow(r, func->relocs, func->n_relocs, sizeof(*func->relocs));
	func->relocs[func->n_relocs++] = reloc;
}

/* Refers ld_imm64 at `pc` to a table's handle or value; leaves the instruction as relocs.def says. */
static void
refer(struct reader *r, struct func *func, uint32_t pc, enum reloc_kind kind, uint32_t table, uint32_t addend)
{
	struct bpf_insn *insn = &func->insns[pc];

	insn[0].src_reg = kind == RELOC_TABLE ? BPF_PSEUDO_MAP_FD : BPF_PSEUDO_MAP_VALUE;
	insn[0].imm = 0;
	insn[1].imm = (int32_t)addend;
	add_reloc(r, func, (struct reloc){ .pc = pc, .kind = kind, .index = table, .addend = addend });
}

static int
refer_to_map(struct reader *r, struct func *func, uint32_t pc, const struct symbol *symbol)
{
	const struct symbol *map = symbol->index != UINT32_MAX ? symbol : NULL;

	/* By the symbol of the section: the table that begins there. */
	for (size_t i = 1; i < r->n_symbols && !map && elf_step(r); i++)
		if (r->symbols[i].index != UINT32_MAX && r->symbols[i].sym.st_shndx == symbol->sym.st_shndx &&
		    r->symbols[i].sym.st_value == symbol->sym.st_value + (uint32_t)func->insns[pc].imm)
			map = &r->symbols[i];
	if (!map || (map == symbol && func->insns[pc].imm))
		return elf_fail(r, "function %s, instruction %u: refers into .maps, but not to a table",
			    func->name, pc);
	refer(r, func, pc, RELOC_TABLE, map->index, 0);
	return 0;
}

static int
refer_to_data(struct reader *r, struct func *func, uint32_t pc, const struct symbol *symbol,
	      const struct section *section)
{
	uint64_t addend = symbol->sym.st_value + (uint32_t)func->insns[pc].imm;

	if (section->table == UINT32_MAX || addend >= section->size)
		return elf_fail(r,
			    "function %s, instruction %u: refers to byte %llu of section %s, which has %llu",
			    func->name, pc, (unsigned long long)addend, section->name,
			    (unsigned long long)section->size);
	refer(r, func, pc, RELOC_TABLE_VALUE, section->table, (uint32_t)addend);
	return 0;
}

/* Makes the call at `pc` one of the function that begins at byte `target` of a section. */
static int
refer_to_func(struct reader *r, struct func *func, uint32_t pc, uint32_t section, int64_t target)
{
	const struct placed *callee = target >= 0 ? elf_placed_at(r, section, (uint64_t)target) : NULL;

	if (!callee || callee->start != target)
		return elf_fail(
			r,
			"function %s, instruction %u: calls byte %lld of section %s, where no function begins",
			func->name, pc, (long long)target, r->sections[section].name);
	func->insns[pc].imm = -1;
	add_reloc(r, func, (struct reloc){ .pc = pc, .kind = RELOC_FUNC, .index = callee->func });
	return 0;
}

/* Makes the ld_imm64 at `pc` the address of the function that begins at byte `target` of a section. */
static int
refer_to_func_addr(struct reader *r, struct func *func, uint32_t pc, uint32_t section, uint64_t target)
{
	const struct placed *callee = elf_placed_at(r, section, target);

	if (!callee || callee->start != target)
		return elf_fail(r,
			    "function %s, instruction %u: takes the address of byte %llu of section %s, where no function begins",
			    func->name, pc, (unsigned long long)target, r->sections[section].name);
	func->insns[pc].src_reg = BPF_PSEUDO_FUNC;
	func->insns[pc].imm = -1;
	add_reloc(r, func, (struct reloc){ .pc = pc, .kind = RELOC_FUNC_ADDR, .index = callee->func });
	return 0;
}

static bool
is_local_call(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL;
}

/* What an undefined symbol is: a variable of one of the sections that only the kernel fills, or nothing that we know. */
static const char *
extern_section(struct reader *r, const char *name)
{
	static const char *const sections[] = { ".kconfig", ".ksyms" };

	for (size_t s = 0; r->types && s < ARRAY_SIZE(sections); s++) {
		uint32_t id = typeinfo_find(r->types, sections[s], BTF_KIND_DATASEC);
		const struct btf_type *type = typeinfo_type(r->types, id);

		for (uint32_t i = 0; id && i < BTF_INFO_VLEN(type->info); i++)
			if (strcmp(typeinfo_name(r->types, type_variables(type)[i].type), name) == 0)
				return sections[s];
	}
	return NULL;
}

static int
refuse_extern(struct reader *r, const struct func *func, uint32_t pc, const struct symbol *symbol)
{
	const char *section = extern_section(r, symbol->name);

	if (section)
		return elf_fail(r, "function %s, instruction %u: \"%s\" is in %s: only the kernel engine has %s", func->name, pc, symbol->name, section,
				strcmp(section, ".kconfig") == 0 ? "the kernel's configuration" : "the kernel's symbols");
	return elf_fail(r, "function %s, instruction %u: refers to \"%s\", which is not defined in this file", func->name, pc, symbol->name);
}

static int
relocate(struct reader *r, struct func *func, uint32_t pc, const struct symbol *symbol)
{
	const struct bpf_insn *insn = &func->insns[pc];
	const struct section *section = elf_symbol_section(r, symbol);

	if (!section)
		return refuse_extern(r, func, pc, symbol);
	if (symbol->sym.st_value > section->size)
		return elf_fail(r, "function %s, instruction %u: refers to \"%s\", byte %llu of section %s, which has %llu", func->name, pc, symbol->name,
				(unsigned long long)symbol->sym.st_value, section->name, (unsigned long long)section->size);
	if (is_local_call(insn) && section->kind == SECTION_CODE)
		return refer_to_func(r, func, pc, symbol->sym.st_shndx, (int64_t)symbol->sym.st_value + ((int64_t)insn->imm + 1) * 8);
	if (insn_is_wide(insn) && pc + 1 < func->n_insns) {
		if (section->kind == SECTION_MAPS)
			return refer_to_map(r, func, pc, symbol);
		if (section->kind == SECTION_DATA)
			return refer_to_data(r, func, pc, symbol, section);
		if (section->kind == SECTION_CODE)
			return refer_to_func_addr(r, func, pc, symbol->sym.st_shndx, symbol->sym.st_value + (uint32_t)insn->imm);
	}
	return elf_fail(r, "function %s, instruction %u: a reference to \"%s\" in section %s cannot stand there",
		    func->name, pc, symbol->name, section->name);
}

static int
read_relocs(struct reader *r, const struct section *rels)
{
	uint32_t target = rels->shdr.sh_info;
	int err = 0;

	for (uint64_t i = 0; i < rels->size / sizeof(Elf64_Rel) && !err; i++) {
		const struct placed *placed;
		Elf64_Rel rel;

		memcpy(&rel, rels->data + i * sizeof(rel), sizeof(rel));
		placed = elf_placed_at(r, target, rel.r_offset);
		if (!placed || (rel.r_offset - placed->start) % sizeof(struct bpf_insn) ||
		    ELF64_R_SYM(rel.r_info) >= r->n_symbols)
			return elf_fail(r, "relocation %llu of section %s is damaged", (unsigned long long)i,
				    r->sections[target].name);
		err = relocate(r, r->object->funcs[placed->func],
			       (uint32_t)((rel.r_offset - placed->start) / sizeof(struct bpf_insn)),
			       &r->symbols[ELF64_R_SYM(rel.r_info)]);
	}
	return err;
}

static int
compare_relocs(const void *a, const void *b)
{
	const struct reloc *p = a, *q = b;

	return p->pc < q->pc ? -1 : p->pc > q->pc;
}

static void
sort_relocs(struct func *func)
{
	if (func->n_relocs)
		qsort(func->relocs, func->n_relocs, sizeof(*func->relocs), compare_relocs);
}

static int
check_relocs_once(struct reader *r, const struct func *func)
{
	for (uint32_t i = 1; i < func->n_relocs; i++)
		if (func->relocs[i].pc == func->relocs[i - 1].pc)
			return elf_fail(r, "function %s, instruction %u: two relocations for one instruction",
				    func->name, func->relocs[i].pc);
	return 0;
}

/* Clang before 19 writes the register of a call by register into imm; gcc and later ones, as the kernel reads it, into dst. */
static void
mend_callx(struct bpf_insn *insn)
{
	if (insn->code != (BPF_JMP | BPF_CALL | BPF_X) || insn->dst_reg || insn->imm < 1 || insn->imm > BPF_REG_10)
		return;
	insn->dst_reg = (uint8_t)insn->imm & 15;
	insn->imm = 0;
}

/* What an instruction without relocation must be: whole, and no reference by a number that only its compiler knew. */
static int
check_unrelocated(struct reader *r, const struct placed *placed, uint32_t pc)
{
	struct func *func = r->object->funcs[placed->func];
	struct bpf_insn *insn = &func->insns[pc];

	mend_callx(insn);
	/* Compilers resolve calls to functions of the same section themselves; here they are relocations like all others. */
	if (is_local_call(insn))
		return refer_to_func(r, func, pc, placed->section,
				     placed->start + ((int64_t)pc + 1 + insn->imm) * 8);
	if (insn_is_wide(insn) && insn->src_reg)
		return elf_fail(r,
			    "function %s, instruction %u: refers to a table or variable without a relocation",
			    func->name, pc);
	return 0;
}

/* Walks over a function: each relocation must stand at the start of an instruction. */
static int
check_insns(struct reader *r, const struct placed *placed)
{
	struct func *func = r->object->funcs[placed->func];
	uint32_t n_known = func->n_relocs, known = 0;
	int err = 0;

	for (uint32_t pc = 0; pc < func->n_insns && !err; pc++) {
		if (known < n_known && func->relocs[known].pc < pc)
			return elf_fail(r, "function %s: a relocation in the middle of instruction %u",
				    func->name, func->relocs[known].pc - 1);
		if (insn_is_wide(&func->insns[pc]) && pc + 1 == func->n_insns)
			return elf_fail(r, "function %s ends in the middle of instruction %u", func->name, pc);
		if (known < n_known && func->relocs[known].pc == pc)
			known++;
		else
			err = check_unrelocated(r, placed, pc);
		if (insn_is_wide(&func->insns[pc]))
			pc++;
	}
	if (!err && known < n_known)
		return elf_fail(r, "function %s: a relocation in the middle of instruction %u", func->name,
			    func->relocs[known].pc - 1);
	sort_relocs(func);
	return err;
}

int
elf_read_code(struct reader *r)
{
	int err = read_funcs(r);

	for (size_t i = 1; i < r->n_sections && !err; i++) {
		const struct section *rels = &r->sections[i];
		uint32_t target = rels->shdr.sh_info;
		bool is_code = target < r->n_sections && r->sections[target].kind == SECTION_CODE;

		if (rels->shdr.sh_type == SHT_RELA && is_code)
			return elf_fail(r, "section %s: relocations with addends (RELA) are not eBPF's",
				    rels->name);
		if (rels->shdr.sh_type == SHT_REL && is_code && rels->data)
			err = read_relocs(r, rels);
	}
	for (uint32_t i = 0; i < r->n_placed && !err; i++) {
		sort_relocs(r->object->funcs[r->placed[i].func]);
		err = check_relocs_once(r, r->object->funcs[r->placed[i].func]);
		if (!err)
			err = check_insns(r, &r->placed[i]);
	}
	return err;
}
