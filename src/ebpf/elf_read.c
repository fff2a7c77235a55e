/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Reads a relocatable ELF file for eBPF: ours (elf_write.c) or a C compiler's. What becomes what:
 *
 *     symbols in .maps                   tables, described by the BTF variable of the same name
 *     .data* .rodata* .bss*              array tables of one entry whose contents are the section's, one a section
 *     .ktap.init.NAME                    first contents of table NAME
 *     function symbols in code sections  functions
 *     relocations of code sections       relocs of functions, and calls inside a section that need no relocation too
 *
 * Tables and functions come in the order of the symbol table. Names of our own tables (".globals") get their dot back.
 * What the object cannot express is refused by name: undefined symbols, CO-RE relocations, tables of tables, addresses of
 * functions. Line information is not read: spans are NULL.
 *
 * Nothing in the file is trusted: libelf and libbpf's BTF parser check the outer shape; every offset, size, index and name
 * that is taken from it is checked here before use.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/btf.h>
#include <gelf.h>

#include "ebpf/ebpf_int.h"

#define FILE_MAX     (64u << 20)
#define CONTENTS_MAX (16u << 20) /* bytes of a data section; .bss takes none in the file */
#define ENTRY_MAX    (1u << 20)  /* bytes of a key or value */
#define TABLES_MAX   4096
#define FUNCS_MAX    16384
#define SYMBOLS_MAX  (1u << 18)
#define NAME_LEN_MAX 1023
#define INIT_PREFIX  ".ktap.init."

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define OWN_ORDER ELFDATA2LSB
#else
#define OWN_ORDER ELFDATA2MSB
#endif

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
	Elf *elf;
	struct btf *btf; /* NULL: the file has none */
	struct section *sections;
	size_t n_sections;
	struct symbol *symbols;
	size_t n_symbols;
	struct placed *placed; /* sorted by section and start */
	uint32_t n_placed;
};

static int
fail(struct reader *r, const char *format, ...) PRINTF_LIKE(2, 3);

static int
fail(struct reader *r, const char *format, ...)
{
	va_list args;

	text_printf(r->why, "%s: ", r->path);
	va_start(args, format);
	text_vprintf(r->why, format, args);
	va_end(args);
	return -EINVAL;
}

static bool
starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* True for "prefix" and "prefix.anything". */
static bool
in_family(const char *name, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(name, prefix, len) == 0 && (name[len] == '\0' || name[len] == '.');
}

/* ---- sections and symbols ------------------------------------------------------------------------------------------------ */

static bool
is_printable(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			return false;
	return true;
}

/* A name that may be shown, kept and copied; NULL: it is none. */
static const char *
name_at(const struct reader *r, size_t strings, size_t off)
{
	const char *s = elf_strptr(r->elf, strings, off);

	return s && strnlen(s, NAME_LEN_MAX + 1) <= NAME_LEN_MAX && is_printable(s) ? s : NULL;
}

static int
check_header(struct reader *r)
{
	const Elf64_Ehdr *ehdr;
	const char *ident = elf_getident(r->elf, NULL);

	if (elf_kind(r->elf) != ELF_K_ELF || !ident)
		return fail(r, "not an ELF file");
	if (ident[EI_CLASS] != ELFCLASS64 || ident[EI_DATA] != OWN_ORDER)
		return fail(
			r,
			"an ELF file, but not 64-bit in this machine's byte order: compile with -target bpf");
	ehdr = elf64_getehdr(r->elf);
	if (!ehdr)
		return fail(r, "damaged ELF header: %s", elf_errmsg(-1));
	if (ehdr->e_machine != EM_BPF || ehdr->e_type != ET_REL)
		return fail(r,
			    "an ELF file, but not a relocatable one for eBPF: compile with -target bpf -c");
	if (ehdr->e_shoff % sizeof(uint64_t)) /* libelf would hand out pointers to it */
		return fail(r, "the table of sections is damaged: it is not aligned to 8 bytes");
	return 0;
}

static enum section_kind
section_kind(const struct section *section)
{
	const Elf64_Shdr *shdr = &section->shdr;

	if (shdr->sh_type == SHT_PROGBITS && (shdr->sh_flags & SHF_EXECINSTR))
		return SECTION_CODE;
	if (shdr->sh_type == SHT_PROGBITS && strcmp(section->name, ".maps") == 0)
		return SECTION_MAPS;
	if (shdr->sh_type == SHT_PROGBITS &&
	    (in_family(section->name, ".data") || in_family(section->name, ".rodata")))
		return SECTION_DATA;
	if (shdr->sh_type == SHT_NOBITS && in_family(section->name, ".bss"))
		return SECTION_DATA;
	return SECTION_OTHER;
}

static int
read_section(struct reader *r, size_t i, size_t names)
{
	struct section *section = &r->sections[i];
	Elf_Scn *scn = elf_getscn(r->elf, i);
	const Elf64_Shdr *shdr = scn ? elf64_getshdr(scn) : NULL;
	const Elf_Data *data;

	if (!shdr)
		return fail(r, "section %zu is damaged: %s", i, elf_errmsg(-1));
	section->shdr = *shdr;
	section->name = name_at(r, names, shdr->sh_name);
	if (!section->name)
		return fail(r, "section %zu has no valid name", i);
	section->name = arena_strdup(r->arena, section->name);
	section->table = UINT32_MAX;
	section->kind = section_kind(section);
	section->size = shdr->sh_size;
	if (shdr->sh_type == SHT_NOBITS || shdr->sh_type == SHT_NULL || shdr->sh_size == 0)
		return 0;
	data = elf_rawdata(scn, NULL);
	if (!data || !data->d_buf || data->d_size != shdr->sh_size)
		return fail(r, "section %s (%zu) reaches past the end of the file", section->name, i);
	section->data = data->d_buf;
	return 0;
}

static int
read_sections(struct reader *r)
{
	size_t names;
	int err = 0;

	if (elf_getshdrnum(r->elf, &r->n_sections) || elf_getshdrstrndx(r->elf, &names))
		return fail(r, "the table of sections is damaged: %s", elf_errmsg(-1));
	r->sections = arena_alloc(r->scratch, (r->n_sections + 1) * sizeof(*r->sections));
	for (size_t i = 1; i < r->n_sections && !err; i++)
		err = read_section(r, i, names);
	return err;
}

static struct section *
find_section(const struct reader *r, const char *name)
{
	for (size_t i = 1; i < r->n_sections; i++)
		if (strcmp(r->sections[i].name, name) == 0)
			return &r->sections[i];
	return NULL;
}

static int
read_symbol(struct reader *r, const struct section *symtab, size_t i)
{
	struct symbol *symbol = &r->symbols[i];

	memcpy(&symbol->sym, symtab->data + i * sizeof(symbol->sym), sizeof(symbol->sym));
	symbol->index = UINT32_MAX;
	symbol->name = name_at(r, symtab->shdr.sh_link, symbol->sym.st_name);
	if (!symbol->name)
		return fail(r, "symbol %zu has no valid name", i);
	return 0;
}

static int
read_symbols(struct reader *r)
{
	const struct section *symtab = NULL;
	int err = 0;

	for (size_t i = 1; i < r->n_sections && !symtab; i++)
		if (r->sections[i].shdr.sh_type == SHT_SYMTAB && r->sections[i].data)
			symtab = &r->sections[i];
	if (!symtab)
		return fail(r, "there are no symbols in this file: was it stripped?");
	r->n_symbols = symtab->size / sizeof(Elf64_Sym);
	if (r->n_symbols > SYMBOLS_MAX)
		return fail(r, "more than %u symbols", SYMBOLS_MAX);
	r->symbols = arena_alloc(r->scratch, r->n_symbols * sizeof(*r->symbols) + 1);
	for (size_t i = 0; i < r->n_symbols && !err; i++)
		err = read_symbol(r, symtab, i);
	return err;
}

/* The section in which a symbol is defined; NULL: none (undefined, absolute, ...). */
static struct section *
symbol_section(const struct reader *r, const struct symbol *symbol)
{
	uint16_t i = symbol->sym.st_shndx;

	return i > 0 && i < SHN_LORESERVE && i < r->n_sections ? &r->sections[i] : NULL;
}

/* ---- BTF ------------------------------------------------------------------------------------------------------------------- */

static int
read_btf(struct reader *r)
{
	const struct section *section = find_section(r, ".BTF");
	long err;

	if (!section || !section->data)
		return 0;
	r->btf = btf__new(section->data, (uint32_t)section->size);
	err = r->btf ? 0 : -errno;
	return err ? fail(r, ".BTF is damaged: %s", strerror((int)-err)) : 0;
}

/* CO-RE relocations would have to be applied to the instructions; without that the program would read wrong offsets. */
static int
check_core(struct reader *r)
{
	/* <linux/btf.h> has no name for this: bytes from the start of .BTF.ext */
	enum { HDR_LEN_OFF = 4, CORE_RELO_LEN_OFF = 28, HDR_LEN_WITH_CORE = 32 };
	const struct section *section = find_section(r, ".BTF.ext");
	uint32_t hdr_len, core_len;

	if (!section || !section->data || section->size < HDR_LEN_WITH_CORE)
		return 0;
	memcpy(&hdr_len, section->data + HDR_LEN_OFF, sizeof(hdr_len));
	memcpy(&core_len, section->data + CORE_RELO_LEN_OFF, sizeof(core_len));
	if (hdr_len < HDR_LEN_WITH_CORE || core_len == 0)
		return 0;
	return fail(
		r,
		"needs CO-RE relocations, which ktap does not apply yet: compile without preserve_access_index");
}

/* Type `id` without typedefs and qualifiers; NULL when there is none. */
static const struct btf_type *
plain_type(const struct reader *r, uint32_t id)
{
	for (int depth = 0; depth < 32; depth++) {
		const struct btf_type *type = btf__type_by_id(r->btf, id);

		if (!type || !(btf_is_mod(type) || btf_is_typedef(type)))
			return type;
		id = type->type;
	}
	return NULL;
}

static const char *
btf_string(const struct reader *r, uint32_t off)
{
	const char *s = btf__name_by_offset(r->btf, off);

	return s && is_printable(s) ? s : "";
}

/* ---- tables ----------------------------------------------------------------------------------------------------------------- */

/* A number in the description of a table: a pointer to an array of so many elements. */
static int
number_of_type(struct reader *r, const char *table, const char *field, uint32_t id, uint32_t *value)
{
	const struct btf_type *type = plain_type(r, id);

	if (type && btf_is_ptr(type))
		type = plain_type(r, type->type);
	else
		type = NULL;
	if (!type || !btf_is_array(type))
		return fail(r, "table %s: field %s is not written with __uint()", table, field);
	*value = btf_array(type)->nelems;
	return 0;
}

/* Bytes of the type that a pointer points to. */
static int
size_of_pointee(struct reader *r, const char *table, const char *field, uint32_t id, uint32_t *size)
{
	const struct btf_type *type = plain_type(r, id);
	int64_t n = type && btf_is_ptr(type) ? btf__resolve_size(r->btf, type->type) : -1;

	if (n < 0 || n > ENTRY_MAX)
		return fail(r, "table %s: the type of its %s has no size, or one above %u bytes", table,
			    field, ENTRY_MAX);
	*size = (uint32_t)n;
	return 0;
}

/* What a field of a table's description sets. */
struct description {
	uint32_t type, key_size, value_size, max_entries, map_flags;
};

static int
read_field(struct reader *r, const char *table, const struct btf_member *member, struct description *out)
{
	const struct {
		const char *name;
		uint32_t *value;
		bool is_type; /* the size of a type, else a number */
	} fields[] = {
		{ "type", &out->type, false },
		{ "key_size", &out->key_size, false },
		{ "value_size", &out->value_size, false },
		{ "max_entries", &out->max_entries, false },
		{ "map_flags", &out->map_flags, false },
		{ "key", &out->key_size, true },
		{ "value", &out->value_size, true },
	};
	const char *name = btf_string(r, member->name_off);

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		if (strcmp(fields[i].name, name) != 0)
			continue;
		if (fields[i].is_type)
			return size_of_pointee(r, table, name, member->type, fields[i].value);
		return number_of_type(r, table, name, member->type, fields[i].value);
	}
	if (strcmp(name, "pinning") == 0 || strcmp(name, "numa_node") == 0)
		return 0; /* where it lives, not what it is */
	return fail(r, "table %s: its description has the field \"%s\", which ktap does not know", table,
		    name);
}

static int
kind_of_type(struct reader *r, const char *table, uint32_t map_type, enum table_kind *kind)
{
	for (int i = 0; i < N_TABLE_KINDS; i++) {
		*kind = (enum table_kind)i;
		if (table_kind_map_type(*kind) == map_type)
			return 0;
	}
	return fail(r, "table %s: kind %u of the kernel's (enum bpf_map_type) is not supported", table,
		    map_type);
}

static int
check_sizes(struct reader *r, const struct table *table)
{
	bool is_array = table->kind == TABLE_ARRAY || table->kind == TABLE_PERCPU_ARRAY;

	if (table->max_entries == 0)
		return fail(r, "table %s: max_entries is missing", table->name);
	if (table->kind == TABLE_RINGBUF)
		return table->key_size || table->value_size
			       ? fail(r, "table %s: a ring buffer has no keys and values", table->name)
			       : 0;
	if (table->key_size == 0 || table->key_size > ENTRY_MAX || table->value_size == 0 ||
	    table->value_size > ENTRY_MAX)
		return fail(r, "table %s: keys of %u and values of %u bytes; both must be 1 to %u",
			    table->name, table->key_size, table->value_size, ENTRY_MAX);
	if ((is_array || table->kind == TABLE_STACK_TRACE) && table->key_size != 4)
		return fail(r, "table %s: keys of an %s have 4 bytes, not %u", table->name,
			    table_kind_name(table->kind), table->key_size);
	return 0;
}

static uint32_t
add_table(struct reader *r, struct table table)
{
	struct table *copy = arena_alloc(r->arena, sizeof(*copy));

	*copy = table;
	return object_add_table(r->object, copy);
}

/* "ktap_globals" is ".globals" again. */
static const char *
table_name(const struct reader *r, const char *name)
{
	if (starts_with(name, OWN_PREFIX))
		return arena_printf(r->arena, ".%s", name + strlen(OWN_PREFIX));
	return arena_strdup(r->arena, name);
}

/* The struct that describes table `name`: the type of its variable in the BTF of .maps. */
static const struct btf_type *
description_of(const struct reader *r, const char *name)
{
	int id = r->btf ? btf__find_by_name_kind(r->btf, ".maps", BTF_KIND_DATASEC) : -1;
	const struct btf_type *maps = id > 0 ? btf__type_by_id(r->btf, (uint32_t)id) : NULL;

	for (int i = 0; maps && i < btf_vlen(maps); i++) {
		const struct btf_type *var = btf__type_by_id(r->btf, btf_var_secinfos(maps)[i].type);

		if (var && btf_is_var(var) && strcmp(btf_string(r, var->name_off), name) == 0)
			return plain_type(r, var->type);
	}
	return NULL;
}

static int
read_map(struct reader *r, struct symbol *symbol)
{
	const struct btf_type *type = description_of(r, symbol->name);
	struct description d = { 0 };
	struct table table;
	int err = 0;

	if (!type || !btf_is_struct(type))
		return fail(r, "table %s: no BTF describes it: compile with -g", symbol->name);
	for (int i = 0; i < btf_vlen(type) && !err; i++)
		err = read_field(r, symbol->name, &btf_members(type)[i], &d);
	table = (struct table){
		.name = table_name(r, symbol->name),
		.key_size = d.key_size,
		.value_size = d.value_size,
		.max_entries = d.max_entries,
		.mappable = d.map_flags & BPF_F_MMAPABLE,
		.read_only = d.map_flags & BPF_F_RDONLY_PROG,
	};
	if (!err)
		err = kind_of_type(r, symbol->name, d.type, &table.kind);
	if (!err)
		err = check_sizes(r, &table);
	if (!err)
		symbol->index = add_table(r, table);
	return err;
}

/*
 * A section of data as a table. It has the name of the section, or, where this is ".data.NAME" and symbol NAME is in it (ours),
 * that of the symbol. `symbol` is the first one in the section, NULL: none.
 */
static int
read_data(struct reader *r, struct section *section, const struct symbol *symbol)
{
	struct table table = {
		.name = section->name, .kind = TABLE_ARRAY, .key_size = 4, .max_entries = 1, .mappable = true
	};
	const char *own = strchr(section->name + 1, '.');

	if (section->size == 0)
		return 0;
	if (section->size > CONTENTS_MAX)
		return fail(r, "section %s has %llu bytes, more than %u", section->name,
			    (unsigned long long)section->size, CONTENTS_MAX);
	if (own && symbol && strcmp(own + 1, symbol->name) == 0)
		table.name = table_name(r, symbol->name);
	table.value_size = (uint32_t)section->size;
	table.read_only = in_family(section->name, ".rodata");
	if (section->data) {
		void *init = arena_alloc(r->arena, section->size);

		memcpy(init, section->data, section->size);
		table.init = init;
	}
	section->table = add_table(r, table);
	return 0;
}

/* Contents that our writer stored for a table of .maps. */
static int
read_contents(struct reader *r, const struct symbol *symbol)
{
	struct table *table = r->object->tables[symbol->index];
	const struct section *section =
		find_section(r, arena_printf(r->scratch, INIT_PREFIX "%s", symbol->name));
	uint64_t expected = (uint64_t)table->max_entries * table->value_size;
	void *init;

	if (!section || !section->data)
		return 0;
	if (section->size != expected || table->kind != TABLE_ARRAY)
		return fail(r, "section %s has %llu bytes, the table %llu", section->name,
			    (unsigned long long)section->size, (unsigned long long)expected);
	init = arena_alloc(r->arena, section->size);
	memcpy(init, section->data, section->size);
	table->init = init;
	return 0;
}

/* Tables in the order of their symbols, then the data sections that no symbol is in. */
static int
read_tables(struct reader *r)
{
	int err = 0;

	for (size_t i = 1; i < r->n_symbols && !err; i++) {
		struct symbol *symbol = &r->symbols[i];
		struct section *section = symbol_section(r, symbol);

		if (!section || ELF64_ST_TYPE(symbol->sym.st_info) != STT_OBJECT)
			continue;
		if (r->object->n_tables == TABLES_MAX)
			return fail(r, "more than %d tables", TABLES_MAX);
		if (section->kind == SECTION_MAPS) {
			err = read_map(r, symbol);
			if (!err)
				err = read_contents(r, symbol);
		} else if (section->kind == SECTION_DATA && section->table == UINT32_MAX) {
			err = read_data(r, section, symbol);
		}
	}
	for (size_t i = 1; i < r->n_sections && !err; i++) {
		if (strcmp(r->sections[i].name, "maps") == 0)
			return fail(
				r,
				"has a section \"maps\", the old way to define tables: define them with BTF, in \".maps\"");
		if (r->object->n_tables == TABLES_MAX)
			return fail(r, "more than %d tables", TABLES_MAX);
		if (r->sections[i].kind == SECTION_DATA && r->sections[i].table == UINT32_MAX)
			err = read_data(r, &r->sections[i], NULL);
	}
	return err;
}

/* ---- functions ---------------------------------------------------------------------------------------------------------------- */

static int
read_func(struct reader *r, struct symbol *symbol, struct section *section)
{
	uint64_t start = symbol->sym.st_value, size = symbol->sym.st_size;
	uint32_t section_index = (uint32_t)(section - r->sections);
	struct func *func;

	if (start % sizeof(struct bpf_insn) || size % sizeof(struct bpf_insn) || size == 0 ||
	    start > section->size || size > section->size - start || !section->data)
		return fail(r, "function %s: bytes %llu to %llu are not instructions inside section %s",
			    symbol->name, (unsigned long long)start, (unsigned long long)(start + size),
			    section->name);
	func = arena_alloc(r->arena, sizeof(*func));
	func->name = arena_strdup(r->arena, symbol->name);
	func->section = section->name;
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
			return fail(r, "functions %s and %s overlap", r->object->funcs[a->func]->name,
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
		struct section *section = symbol_section(r, symbol);

		if (!section || section->kind != SECTION_CODE ||
		    ELF64_ST_TYPE(symbol->sym.st_info) != STT_FUNC)
			continue;
		if (r->n_placed == FUNCS_MAX)
			return fail(r, "more than %d functions", FUNCS_MAX);
		err = read_func(r, symbol, section);
	}
	if (err)
		return err;
	if (r->n_placed)
		qsort(r->placed, r->n_placed, sizeof(*r->placed), compare_placed);
	return check_overlap(r);
}

/* The function in which a byte of a section lies; NULL: none. */
static const struct placed *
placed_at(const struct reader *r, uint32_t section, uint64_t off)
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
	uint32_t cap = func->n_relocs;

	/* Rare enough to grow by doubling whenever the count is a power of two. */
	if ((cap & (cap - 1)) == 0) {
		struct reloc *more = arena_alloc(r->arena, (cap ? 2 * cap : 1) * sizeof(*more));

		if (cap)
			memcpy(more, func->relocs, cap * sizeof(*more));
		func->relocs = more;
	}
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
	for (size_t i = 1; i < r->n_symbols && !map; i++)
		if (r->symbols[i].index != UINT32_MAX && r->symbols[i].sym.st_shndx == symbol->sym.st_shndx &&
		    r->symbols[i].sym.st_value == symbol->sym.st_value + (uint32_t)func->insns[pc].imm)
			map = &r->symbols[i];
	if (!map || (map == symbol && func->insns[pc].imm))
		return fail(r, "function %s, instruction %u: refers into .maps, but not to a table",
			    func->name, pc);
	refer(r, func, pc, RELOC_TABLE, map->index, 0);
	return 0;
}

static int
refer_to_data(struct reader *r, struct func *func, uint32_t pc, const struct symbol *symbol,
	      const struct section *section)
{
	uint64_t addend = symbol->sym.st_value + (uint32_t)func->insns[pc].imm;

	if (section->table == UINT32_MAX || symbol->sym.st_value > section->size || addend >= section->size)
		return fail(r,
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
	const struct placed *callee = target >= 0 ? placed_at(r, section, (uint64_t)target) : NULL;

	if (!callee || callee->start != target)
		return fail(
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
	const struct placed *callee = placed_at(r, section, target);

	if (!callee || callee->start != target)
		return fail(r,
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

static int
relocate(struct reader *r, struct func *func, uint32_t pc, const struct symbol *symbol)
{
	const struct bpf_insn *insn = &func->insns[pc];
	const struct section *section = symbol_section(r, symbol);

	if (!section)
		return fail(
			r, "function %s, instruction %u: refers to \"%s\", which is not defined in this file",
			func->name, pc, symbol->name);
	if (is_local_call(insn) && section->kind == SECTION_CODE)
		return refer_to_func(r, func, pc, symbol->sym.st_shndx,
				     (int64_t)(symbol->sym.st_value & INT64_MAX) +
					     ((int64_t)insn->imm + 1) * 8);
	if (insn_is_wide(insn) && pc + 1 < func->n_insns) {
		if (section->kind == SECTION_MAPS)
			return refer_to_map(r, func, pc, symbol);
		if (section->kind == SECTION_DATA)
			return refer_to_data(r, func, pc, symbol, section);
		if (section->kind == SECTION_CODE)
			return refer_to_func_addr(r, func, pc, symbol->sym.st_shndx,
						  (symbol->sym.st_value & INT64_MAX) + (uint32_t)insn->imm);
	}
	return fail(r, "function %s, instruction %u: a reference to \"%s\" in section %s cannot stand there",
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
		placed = placed_at(r, target, rel.r_offset);
		if (!placed || (rel.r_offset - placed->start) % sizeof(struct bpf_insn) ||
		    ELF64_R_SYM(rel.r_info) >= r->n_symbols)
			return fail(r, "relocation %llu of section %s is damaged", (unsigned long long)i,
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
			return fail(r, "function %s, instruction %u: two relocations for one instruction",
				    func->name, func->relocs[i].pc);
	return 0;
}

/* What an instruction without relocation must be: whole, and no reference by a number that only its compiler knew. */
static int
check_unrelocated(struct reader *r, const struct placed *placed, uint32_t pc)
{
	struct func *func = r->object->funcs[placed->func];
	const struct bpf_insn *insn = &func->insns[pc];

	/* Compilers resolve calls to functions of the same section themselves; here they are relocations like all others. */
	if (is_local_call(insn))
		return refer_to_func(r, func, pc, placed->section,
				     placed->start + ((int64_t)pc + 1 + insn->imm) * 8);
	if (insn_is_wide(insn) && insn->src_reg)
		return fail(r,
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
			return fail(r, "function %s: a relocation in the middle of instruction %u",
				    func->name, func->relocs[known].pc - 1);
		if (insn_is_wide(&func->insns[pc]) && pc + 1 == func->n_insns)
			return fail(r, "function %s ends in the middle of instruction %u", func->name, pc);
		if (known < n_known && func->relocs[known].pc == pc)
			known++;
		else
			err = check_unrelocated(r, placed, pc);
		if (insn_is_wide(&func->insns[pc]))
			pc++;
	}
	if (!err && known < n_known)
		return fail(r, "function %s: a relocation in the middle of instruction %u", func->name,
			    func->relocs[known].pc - 1);
	sort_relocs(func);
	return err;
}

static int
read_all_relocs(struct reader *r)
{
	int err = 0;

	for (size_t i = 1; i < r->n_sections && !err; i++) {
		const struct section *rels = &r->sections[i];
		uint32_t target = rels->shdr.sh_info;
		bool is_code = target < r->n_sections && r->sections[target].kind == SECTION_CODE;

		if (rels->shdr.sh_type == SHT_REL && target < r->n_sections &&
		    r->sections[target].kind == SECTION_MAPS && rels->data)
			return fail(r, "tables that hold tables or programs are not supported");
		if (rels->shdr.sh_type == SHT_RELA && is_code)
			return fail(r, "section %s: relocations with addends (RELA) are not eBPF's",
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

/* ---- the whole file ----------------------------------------------------------------------------------------------------------------- */

/* The object's indices of our own tables. */
static void
find_own_tables(struct object *object)
{
	const struct {
		const char *name;
		uint32_t *index;
	} own[] = {
		{ ".globals", &object->table_globals },
		{ ".records", &object->table_records },
		{ ".stacks", &object->table_stacks },
		{ ".event_info", &object->table_event_info },
	};

	for (uint32_t t = 0; t < object->n_tables; t++)
		for (size_t i = 0; i < ARRAY_SIZE(own); i++)
			if (strcmp(object->tables[t]->name, own[i].name) == 0)
				*own[i].index = t;
}

static int
read_object(struct reader *r)
{
	int err = check_header(r);

	if (!err)
		err = read_sections(r);
	if (!err)
		err = read_symbols(r);
	if (!err)
		err = read_btf(r);
	if (!err)
		err = check_core(r);
	if (!err)
		err = read_tables(r);
	if (!err)
		err = read_funcs(r);
	if (!err)
		err = read_all_relocs(r);
	if (!err && r->n_placed == 0)
		err = fail(r, "there are no programs in this file");
	if (!err)
		find_own_tables(r->object);
	return err;
}

struct object *
elf_read_memory(struct arena *arena, const char *name, const void *data, size_t len, struct text *why)
{
	struct reader r = { .arena = arena, .scratch = arena_new(), .path = name, .why = why };
	void *copy = arena_alloc(r.scratch, len + 1); /* libelf wants memory that it may write to */
	int err;

	memcpy(copy, data, len);
	r.object = object_new(arena, arena_strdup(arena, name), NULL);
	if (elf_version(EV_CURRENT) == EV_NONE)
		err = fail(&r, "libelf is too old for this program");
	else if (!(r.elf = elf_memory(copy, len)))
		err = fail(&r, "not an ELF file: %s", elf_errmsg(-1));
	else
		err = read_object(&r);
	btf__free(r.btf);
	elf_end(r.elf);
	arena_free(r.scratch);
	return err ? NULL : r.object;
}

/* Reads up to `size` bytes; how many, or -errno. */
static int64_t
read_all(int fd, char *buf, size_t size)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = read(fd, buf + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	return (int64_t)len;
}

static struct object *
read_fd(struct arena *arena, const char *path, int fd, struct text *why)
{
	struct object *object = NULL;
	struct stat st;
	int64_t len;
	char *buf;

	if (fstat(fd, &st)) {
		text_printf(why, "cannot read %s: %s", path, strerror(errno));
		return NULL;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > (off_t)FILE_MAX) {
		text_printf(why, "cannot read %s: not a file of at most %u MiB", path, FILE_MAX >> 20);
		return NULL;
	}
	buf = mem_alloc((size_t)st.st_size + 1);
	len = buf ? read_all(fd, buf, (size_t)st.st_size) : -ENOMEM;
	if (len < 0)
		text_printf(why, "cannot read %s: %s", path, strerror((int)-len));
	else
		object = elf_read_memory(arena, path, buf, (size_t)len, why);
	free(buf);
	return object;
}

struct object *
elf_read(struct arena *arena, const char *path, struct text *why)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct object *object;

	if (fd < 0) {
		text_printf(why, "cannot read %s: %s", path, strerror(errno));
		return NULL;
	}
	object = read_fd(arena, path, fd, why);
	close(fd);
	return object;
}
