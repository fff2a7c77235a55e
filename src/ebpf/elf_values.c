/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What the values of a table are more than bytes: locks in them, by their types in the BTF; tables and programs, by the relocations of the
 * variable that describes the table:
 *
 *     struct { ...; __array(values, struct inner); } outer SEC(".maps") = { .values = { [3] = &some } };
 *
 * is a relocation at the place of the fourth pointer of `values` in `outer`, with the symbol `some`. And where constants hold the addresses of
 * functions, `const op ops[] = { add, sub };`, their handles are put in.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ebpf/elf_int.h"

#define LOCK_DEPTH_MAX 8 /* structures in structures */

/* Where locks are in a type: how many, and the offset of the last. */
struct locks {
	uint32_t n, off;
};

static void
find_locks(struct reader *r, uint32_t id, uint64_t off, unsigned depth, struct locks *locks)
{
	const struct btf_type *type = typeinfo_plain(r->types, id, &id);
	const struct btf_member *members = type ? type_members(type) : NULL;

	if (!type || BTF_INFO_KIND(type->info) != BTF_KIND_STRUCT || depth == LOCK_DEPTH_MAX)
		return;
	if (strcmp(typeinfo_name(r->types, id), "bpf_spin_lock") == 0) {
		*locks = (struct locks){ .n = locks->n + 1, .off = off > UINT32_MAX ? UINT32_MAX : (uint32_t)off };
		return;
	}
	for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info) && elf_step(r); i++)
		find_locks(r, members[i].type, off + member_bit_off(type, &members[i]) / 8, depth + 1, locks);
}

static void
find_locks_of_variables(struct reader *r, const struct btf_type *section, struct locks *locks)
{
	for (uint32_t i = 0; i < BTF_INFO_VLEN(section->info) && elf_step(r); i++) {
		const struct btf_var_secinfo *var = &type_variables(section)[i];
		const struct btf_type *type = typeinfo_type(r->types, var->type);

		if (type && BTF_INFO_KIND(type->info) == BTF_KIND_VAR)
			find_locks(r, type->type, var->offset, 0, locks);
	}
}

int
elf_find_lock(struct reader *r, struct table *table)
{
	const struct btf_type *type = r->types && table->value_type ? typeinfo_type(r->types, table->value_type) : NULL;
	struct locks locks = { 0 };

	if (!type)
		return 0;
	if (BTF_INFO_KIND(type->info) == BTF_KIND_DATASEC)
		find_locks_of_variables(r, type, &locks);
	else
		find_locks(r, table->value_type, 0, 0, &locks);
	if (locks.n > 1)
		return elf_fail(r, "table %s: its values have %u locks (struct bpf_spin_lock); there can be one", table->name, locks.n);
	table->has_lock = locks.n;
	table->lock_off = locks.off;
	return 0;
}

/* ---- what tables hold ------------------------------------------------------------------------------------------------------------------ */

/* The table whose variable has byte `off` of .maps in it; NULL: none. */
static const struct symbol *
table_at(struct reader *r, uint32_t section, uint64_t off)
{
	for (size_t i = 1; i < r->n_symbols && elf_step(r); i++) {
		const struct symbol *symbol = &r->symbols[i];

		if (symbol->index != UINT32_MAX && symbol->sym.st_shndx == section && ELF64_ST_TYPE(symbol->sym.st_info) == STT_OBJECT &&
		    off >= symbol->sym.st_value && off - symbol->sym.st_value < symbol->sym.st_size)
			return symbol;
	}
	return NULL;
}

/* The place in the field `values` of `outer` that byte `off` of its variable is: *key. */
static int
place_of(struct reader *r, const struct symbol *outer, uint64_t off, uint32_t *key)
{
	const struct btf_type *type = elf_description(r, outer->name);

	for (uint32_t i = 0; type && i < BTF_INFO_VLEN(type->info) && elf_step(r); i++) {
		const struct btf_member *member = &type_members(type)[i];
		uint64_t start = member_bit_off(type, member) / 8, place = (off - start) / 8;

		if (strcmp(elf_type_string(r, member->name_off), "values") != 0 || off < start || (off - start) % 8 || place > UINT32_MAX)
			continue;
		*key = (uint32_t)place;
		return 0;
	}
	return elf_fail(r, "table %s: byte %llu of it refers to something, but is none of its values", outer->name, (unsigned long long)off);
}

/*
 * Where what the relocation names stands: in section *in, at byte *off. By its own symbol, the bytes in place being 0 (clang) or the symbol's
 * place once more (gcc); or by the symbol of the section, the bytes in place being where it is.
 */
static bool
place_named(const struct reader *r, const struct section *maps, const Elf64_Rel *rel, const struct section **in, uint64_t *off)
{
	const struct symbol *symbol = &r->symbols[ELF64_R_SYM(rel->r_info)];
	uint64_t addend;

	*in = elf_symbol_section(r, symbol);
	if (!maps->data || !*in)
		return false;
	memcpy(&addend, maps->data + rel->r_offset, sizeof(addend));
	*off = ELF64_ST_TYPE(symbol->sym.st_info) == STT_SECTION ? addend : symbol->sym.st_value;
	return ELF64_ST_TYPE(symbol->sym.st_info) == STT_SECTION || !addend || addend == symbol->sym.st_value;
}

static int
table_named(struct reader *r, const struct section *maps, const Elf64_Rel *rel, uint32_t *index)
{
	const struct section *in;
	const struct symbol *table;
	uint64_t off;

	if (!place_named(r, maps, rel, &in, &off) || in != maps)
		return -EINVAL;
	table = table_at(r, (uint32_t)(in - r->sections), off);
	if (!table || table->sym.st_value != off)
		return -EINVAL;
	*index = table->index;
	return 0;
}

/* A program, not a function that others call. */
static int
program_named(struct reader *r, const struct section *maps, const Elf64_Rel *rel, uint32_t *index)
{
	const struct section *in;
	const struct placed *placed;
	uint64_t off;

	if (!place_named(r, maps, rel, &in, &off) || in->kind != SECTION_CODE || strcmp(in->name, ".text") == 0)
		return -EINVAL;
	placed = elf_placed_at(r, (uint32_t)(in - r->sections), off);
	if (!placed || placed->start != off)
		return -EINVAL;
	*index = placed->func;
	return 0;
}

static int
read_held(struct reader *r, uint32_t section, const Elf64_Rel *rel)
{
	const struct section *maps = &r->sections[section];
	const struct symbol *outer;
	struct table *table;
	struct held held;
	int err;

	if (ELF64_R_SYM(rel->r_info) >= r->n_symbols || maps->size < 8 || rel->r_offset > maps->size - 8)
		return elf_fail(r, "a relocation of section %s is damaged", maps->name);
	outer = table_at(r, section, rel->r_offset);
	if (!outer)
		return elf_fail(r, "section %s: byte %llu refers to something, but is in no table", maps->name, (unsigned long long)rel->r_offset);
	table = r->object->tables[outer->index];
	if (!table_kind_holds_tables(table->kind) && table->kind != TABLE_PROGRAMS)
		return elf_fail(r, "table %s: a %s holds no tables or programs", outer->name, table_kind_name(table->kind));
	err = place_of(r, outer, rel->r_offset - outer->sym.st_value, &held.key);
	if (err)
		return err;
	if (table->kind == TABLE_PROGRAMS ? program_named(r, maps, rel, &held.index) : table_named(r, maps, rel, &held.index))
		return elf_fail(r, "table %s: what is in place %u is no %s of this file", outer->name, held.key,
				table->kind == TABLE_PROGRAMS ? "program" : "table");
	table->held = elf_grow(r, table->held, table->n_held, sizeof(held));
	table->held[table->n_held++] = held;
	return 0;
}

/* ---- functions in constants ------------------------------------------------------------------------------------------------------------ */

/* Of data that programs may write nobody knows what is in it later, and what is no function stays what the compiler left there. */
static int
read_function(struct reader *r, uint32_t section, const Elf64_Rel *rel)
{
	const struct section *data = &r->sections[section], *in;
	struct table *table = data->table == UINT32_MAX ? NULL : r->object->tables[data->table];
	const struct placed *placed;
	uint64_t off, handle;

	if (!table || !table->read_only)
		return 0;
	if (ELF64_R_SYM(rel->r_info) >= r->n_symbols || data->size < sizeof(handle) || rel->r_offset > data->size - sizeof(handle))
		return elf_fail(r, "a relocation of section %s is damaged", data->name);
	if (!place_named(r, data, rel, &in, &off) || in->kind != SECTION_CODE)
		return 0;
	placed = elf_placed_at(r, (uint32_t)(in - r->sections), off);
	if (!placed || placed->start != off)
		return elf_fail(r, "section %s: byte %llu is the address of byte %llu of section %s, where no function begins", data->name,
				(unsigned long long)rel->r_offset, (unsigned long long)off, in->name);
	handle = func_handle(placed->func);
	memcpy((uint8_t *)(uintptr_t)table->init + rel->r_offset, &handle, sizeof(handle)); /* read_data's own copy */
	table->held = elf_grow(r, table->held, table->n_held, sizeof(*table->held));
	table->held[table->n_held++] = (struct held){ .key = (uint32_t)rel->r_offset, .index = placed->func };
	return 0;
}

static int
compare_held(const void *a, const void *b)
{
	const struct held *p = a, *q = b;

	return p->key < q->key ? -1 : p->key > q->key;
}

/* Brings the functions of a table in order: no handle stands in another one. */
static int
sort_functions(struct reader *r, struct table *table)
{
	qsort(table->held, table->n_held, sizeof(*table->held), compare_held);
	for (uint32_t i = 1; i < table->n_held; i++)
		if (table->held[i].key - table->held[i - 1].key < sizeof(uint64_t))
			return elf_fail(r, "section %s: two relocations for byte %u", table->name, table->held[i].key);
	return 0;
}

int
elf_read_held(struct reader *r)
{
	static int (*const readers[])(struct reader *, uint32_t, const Elf64_Rel *) = {
		[SECTION_OTHER] = NULL, [SECTION_CODE] = NULL, [SECTION_MAPS] = read_held, [SECTION_DATA] = read_function,
	};
	int err = 0;

	for (size_t i = 1; i < r->n_sections && !err; i++) {
		const struct section *rels = &r->sections[i];
		uint32_t section = rels->shdr.sh_info;

		if (rels->shdr.sh_type != SHT_REL || section >= r->n_sections || !readers[r->sections[section].kind] || !rels->data)
			continue;
		for (uint64_t n = 0; n < rels->size / sizeof(Elf64_Rel) && !err; n++) {
			Elf64_Rel rel;

			memcpy(&rel, rels->data + n * sizeof(rel), sizeof(rel));
			err = readers[r->sections[section].kind](r, section, &rel);
		}
	}
	for (uint32_t i = 0; i < r->object->n_tables && !err; i++)
		if (table_has_functions(r->object->tables[i]))
			err = sort_functions(r, r->object->tables[i]);
	return err;
}
