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
	uint32_t table; /* SECTION_DATA, and contents of a table of .maps: index of the table, UINT32_MAX before */
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

/* A text of the BTF, and its offset there. NULL: none yet. */
struct kept_text {
	uint32_t off;
	const char *text;
};

struct reader {
	struct arena *arena; /* of the object */
	struct arena *scratch;
	struct object *object;
	const char *path;
	struct text *why;
	uint64_t n_steps; /* see elf_steps */
	bool is_outline; /* only tables of known kinds, and types; what is not known is passed over */
	Elf *elf;
	void *bytes;            /* the file */
	size_t len;
	struct typeinfo *types; /* NULL: the file has none */
	uint32_t maps_type;     /* BTF_KIND_DATASEC of .maps; 0: there is none */
	struct section *sections;
	size_t n_sections;
	struct symbol *symbols;
	size_t n_symbols;
	struct placed *placed; /* sorted by section and start */
	uint32_t n_placed;
	uint32_t n_maps;        /* variables of .maps, tables or not */
	struct kept_text last_file, last_line; /* of the last line information */
};

/* Sets *why to "FILE: message"; returns -EINVAL. */
int
elf_fail(struct reader *r, const char *format, ...) PRINTF_LIKE(2, 3);

/*
 * Counts `n` steps of work that a file can ask for more often than it has bytes: things looked at while one is searched for, bytes of names that are
 * copied. False: there were too many. The file is then refused in the end, whatever came of it.
 */
static inline bool
elf_steps(struct reader *r, uint64_t n)
{
	r->n_steps += n;
	return r->n_steps <= ELF_STEPS_MAX;
}

static inline bool
elf_step(struct reader *r)
{
	return elf_steps(r, 1);
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

/* A string of the BTF, "" where it is one that should not be shown. Its bytes are steps (elf_steps). */
const char *
elf_type_string(struct reader *r, uint32_t off);

/* The same, with a space for each byte that does not print: for lines of source text, which hold tabs. In the object's arena. */
const char *
elf_type_line(struct reader *r, uint32_t off);

/* Room for one more in a list of the object's; it grows by doubling, whenever the count is a power of two. */
void *
elf_grow(struct reader *r, void *list, uint32_t n, size_t size);

/* elf_tables.c: tables of .maps and of data sections, with their first contents. Leaves the index in symbols and sections. */
int
elf_read_tables(struct reader *r);

/* The struct that describes table `name`: the type of its variable in the BTF of .maps. NULL: there is none. */
const struct btf_type *
elf_description(struct reader *r, const char *name);

/* elf_values.c: what tables hold from the start, by the relocations of .maps, and functions in constants. Needs tables and functions. */
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
