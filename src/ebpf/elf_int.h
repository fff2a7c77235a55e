/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What the files that read ELF share (elf_read.c tells the story; elf_tables.c, elf_code.c and elf_ext.c are its parts): the file in
 * pieces, and how a part says what is wrong with it.
 */
#ifndef KTAP_ELF_INT_H
#define KTAP_ELF_INT_H

#include <gelf.h>

#include "ebpf/ebpf_int.h"

/* A hundred times what the largest objects of compilers take; a second at most. */
#define ELF_STEPS_MAX (1u << 27)

enum section_kind { SECTION_OTHER, SECTION_CODE, SECTION_MAPS, SECTION_DATA };

struct section {
	const char *name;
	enum section_kind kind;
	Elf64_Shdr shdr;
	const uint8_t *data; /* size bytes, in libelf's memory; NULL for .bss */
	uint64_t size;
	uint32_t table; /* SECTION_DATA: index of the table, UINT32_MAX before */
};

struct symbol {
	const char *name;
	Elf64_Sym sym;
	uint32_t index; /* of the table or function that it names; UINT32_MAX: none */
};

/* Where a function stands in the file. */
struct placed {
	uint32_t section, start, end; /* bytes */
	uint32_t func;
};

struct reader {
	struct arena *arena; /* of the object */
	struct arena *scratch;
	struct object *object;
	const char *path;
	struct text *why;
	uint64_t n_steps; /* of looking for a name or place among many, see elf_step */
	bool is_outline; /* only tables of known kinds, and types; what is not known is passed over */
	Elf *elf;
	struct typeinfo *types; /* NULL: the file has none */
	uint32_t maps_type;     /* BTF_KIND_DATASEC of .maps; 0: there is none */
	struct section *sections;
	size_t n_sections;
	struct symbol *symbols;
	size_t n_symbols;
	struct placed *placed; /* sorted by section and start */
	uint32_t n_placed;
};

/* Sets *why to "FILE: message"; returns -EINVAL. */
int
elf_fail(struct reader *r, const char *format, ...) PRINTF_LIKE(2, 3);

/*
 * To be asked for each thing that is looked at while one is searched for. False: there were too many in this file, which is then refused in
 * the end, whatever the search found.
 */
static inline bool
elf_step(struct reader *r)
{
	return ++r->n_steps <= ELF_STEPS_MAX;
}

/* The section of that name; NULL: there is none. */
struct section *
elf_section(struct reader *r, const char *name);

/* The section in which a symbol is defined; NULL: none (undefined, absolute, ...). */
struct section *
elf_symbol_section(const struct reader *r, const struct symbol *symbol);

/* True for "prefix" and "prefix.anything". */
bool
elf_in_family(const char *name, const char *prefix);

/* A string of the BTF, "" where it is one that should not be shown. */
const char *
elf_type_string(const struct reader *r, uint32_t off);

/* Room for one more in a list of the object's; it grows by doubling, whenever the count is a power of two. */
void *
elf_grow(struct reader *r, void *list, uint32_t n, size_t size);

/* elf_tables.c: tables of .maps and of data sections, with their first contents. Leaves the index in symbols and sections. */
int
elf_read_tables(struct reader *r);

/* The struct that describes table `name`: the type of its variable in the BTF of .maps. NULL: there is none. */
const struct btf_type *
elf_description(struct reader *r, const char *name);

/* elf_values.c: what tables hold from the start, by the relocations of .maps. Needs tables and functions. */
int
elf_read_held(struct reader *r);

/* Sets has_lock where the type of the table's values has a struct bpf_spin_lock. */
int
elf_find_lock(struct reader *r, struct table *table);

/* elf_code.c: functions, and the references in them. Needs the tables. */
int
elf_read_code(struct reader *r);

/* The function in which byte `off` of a section lies; NULL: none. */
const struct placed *
elf_placed_at(const struct reader *r, uint32_t section, uint64_t off);

/* elf_proto.c: what global functions take, by their types. Needs those. */
void
elf_read_protos(struct reader *r);

/* elf_ext.c: .BTF.ext: the C line of each instruction, CO-RE relocations. Needs the functions. */
int
elf_read_ext(struct reader *r);

#endif
