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
 * What the object cannot express is refused by name: undefined symbols, kinds of tables that we do not know. Functions have
 * lines (struct func, `lines`) instead of spans, and CO-RE relocations wait for core_apply (core.c).
 *
 * Nothing in the file is trusted: libelf checks the outer shape, typeinfo.c the BTF; every offset, size, index and name that is
 * taken from it is checked here before use. Sections take together no more than the file, so that what is copied out of them does not either:
 * a byte of the file is in one section, one function, one table's contents. What a file can ask for more often than it has bytes is
 * counted (elf_steps).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#include "ebpf/elf_int.h"

#define SECTIONS_MAX 65535u /* libelf takes some hundred bytes for each */
#define SYMBOLS_MAX  (1u << 18)
#define NAME_LEN_MAX 1023

int
elf_fail(struct reader *r, const char *format, ...)
{
	va_list args;

	text_printf(r->why, "%s: ", r->path);
	va_start(args, format);
	text_vprintf(r->why, format, args);
	va_end(args);
	return -EINVAL;
}

bool
elf_in_family(const char *name, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncmp(name, prefix, len) == 0 && (name[len] == '\0' || name[len] == '.');
}

void *
elf_grow(struct reader *r, void *list, uint32_t n, size_t size)
{
	void *more = list;

	if ((n & (n - 1)) == 0) {
		more = arena_alloc(r->arena, (n ? 2 * (size_t)n : 1) * size);
		if (n)
			memcpy(more, list, n * size);
	}
	return more;
}

/* ---- sections and symbols ------------------------------------------------------------------------------------------------ */

static bool
is_printing(char c)
{
	return (unsigned char)c >= ' ' && c != 0x7f;
}

static bool
is_printable(const char *s)
{
	for (; *s; s++)
		if (!is_printing(*s))
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
		return elf_fail(r, "not an ELF file");
	if (ident[EI_CLASS] != ELFCLASS64 || ident[EI_DATA] != OWN_ORDER)
		return elf_fail(
			r,
			"an ELF file, but not 64-bit in this machine's byte order: compile with -target bpf");
	ehdr = elf64_getehdr(r->elf);
	if (!ehdr)
		return elf_fail(r, "damaged ELF header: %s", elf_errmsg(-1));
	if (ehdr->e_machine != EM_BPF || ehdr->e_type != ET_REL)
		return elf_fail(r,
			    "an ELF file, but not a relocatable one for eBPF: compile with -target bpf -c");
	if (ehdr->e_shoff > r->len || (uint64_t)ehdr->e_shnum * sizeof(Elf64_Shdr) > r->len - ehdr->e_shoff)
		return elf_fail(r, "ends before the end of its table of sections: was it cut off?");
	if (ehdr->e_shoff % sizeof(uint64_t)) /* libelf would hand out pointers to it */
		return elf_fail(r, "the table of sections is damaged: it is not aligned to 8 bytes");
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
	    (elf_in_family(section->name, ".data") || elf_in_family(section->name, ".rodata")))
		return SECTION_DATA;
	if (shdr->sh_type == SHT_NOBITS && elf_in_family(section->name, ".bss"))
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
		return elf_fail(r, "section %zu is damaged: %s", i, elf_errmsg(-1));
	section->shdr = *shdr;
	section->name = name_at(r, names, shdr->sh_name);
	if (!section->name)
		return elf_fail(r, "section %zu has no valid name", i);
	section->table = UINT32_MAX;
	section->kind = section_kind(section);
	section->size = shdr->sh_size;
	if (shdr->sh_type == SHT_NOBITS || shdr->sh_type == SHT_NULL || shdr->sh_size == 0)
		return 0;
	data = elf_rawdata(scn, NULL);
	if (!data || !data->d_buf || data->d_size != shdr->sh_size)
		return elf_fail(r, "section %s (%zu) reaches past the end of the file", section->name, i);
	section->data = data->d_buf;
	return 0;
}

/* Sections that lie over each other would let a small file cost much: each of them is copied, looked through, summed up. */
static int
check_extent(struct reader *r)
{
	uint64_t total = 0;

	if (elf_getshdrnum(r->elf, &r->n_sections))
		return elf_fail(r, "the table of sections is damaged: %s", elf_errmsg(-1));
	if (r->n_sections > SECTIONS_MAX)
		return elf_fail(r, "more than %u sections", SECTIONS_MAX);
	for (size_t i = 1; i < r->n_sections; i++) {
		Elf_Scn *scn = elf_getscn(r->elf, i);
		const Elf64_Shdr *shdr = scn ? elf64_getshdr(scn) : NULL;

		if (!shdr)
			return elf_fail(r, "section %zu is damaged: %s", i, elf_errmsg(-1));
		if (shdr->sh_type != SHT_NOBITS && shdr->sh_type != SHT_NULL)
			total += shdr->sh_size > r->len ? r->len + 1 : shdr->sh_size;
	}
	return total > r->len ? elf_fail(r, "its sections reach past the end of the file, or lie over each other") : 0;
}

static int
read_sections(struct reader *r)
{
	size_t names;
	int err = 0;

	if (elf_getshdrstrndx(r->elf, &names))
		return elf_fail(r, "the table of sections is damaged: %s", elf_errmsg(-1));
	r->sections = arena_alloc(r->scratch, (r->n_sections + 1) * sizeof(*r->sections));
	for (size_t i = 1; i < r->n_sections && !err; i++)
		err = read_section(r, i, names);
	return err;
}

struct section *
elf_section(struct reader *r, const char *name)
{
	for (size_t i = 1; i < r->n_sections && elf_step(r); i++)
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
		return elf_fail(r, "symbol %zu has no valid name", i);
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
		return elf_fail(r, "there are no symbols in this file: was it stripped?");
	r->n_symbols = symtab->size / sizeof(Elf64_Sym);
	if (r->n_symbols > SYMBOLS_MAX)
		return elf_fail(r, "more than %u symbols", SYMBOLS_MAX);
	r->symbols = arena_alloc(r->scratch, r->n_symbols * sizeof(*r->symbols) + 1);
	for (size_t i = 0; i < r->n_symbols && !err; i++)
		err = read_symbol(r, symtab, i);
	return err;
}

struct section *
elf_symbol_section(const struct reader *r, const struct symbol *symbol)
{
	uint16_t i = symbol->sym.st_shndx;

	return i > 0 && i < SHN_LORESERVE && i < r->n_sections ? &r->sections[i] : NULL;
}

/* ---- BTF ------------------------------------------------------------------------------------------------------------------- */

/* The types, for reading the rest. */
static int
read_btf(struct reader *r)
{
	const struct section *section = elf_section(r, ".BTF");
	struct text why = { 0 };

	if (!section || !section->data)
		return 0;
	r->types = typeinfo_new(section->data, section->size, NULL, &why);
	if (!r->types)
		elf_fail(r, ".BTF is damaged: %s", why.s);
	text_fini(&why);
	if (!r->types)
		return -EINVAL;
	r->maps_type = typeinfo_find(r->types, ".maps", BTF_KIND_DATASEC);
	return 0;
}

/* Keeps the types for what reads the object later, as the parts of this reader left them. */
static void
keep_btf(struct reader *r)
{
	size_t len;
	const void *bytes = r->types ? typeinfo_bytes(r->types, &len) : NULL;
	void *copy;

	if (!bytes)
		return;
	copy = arena_alloc(r->arena, len);
	memcpy(copy, bytes, len);
	r->object->btf = copy;
	r->object->btf_len = (uint32_t)len;
}

/* As long as there are steps for its bytes: a file may name one long string a million times. */
static const char *
type_string(struct reader *r, uint32_t off)
{
	const char *s = elf_steps(r, 0) ? typeinfo_string(r->types, off) : "";

	return elf_steps(r, strlen(s)) ? s : "";
}

const char *
elf_type_string(struct reader *r, uint32_t off)
{
	const char *s = type_string(r, off);

	return is_printable(s) ? s : "";
}

const char *
elf_type_line(struct reader *r, uint32_t off)
{
	char *line = arena_strdup(r->arena, type_string(r, off));

	for (char *s = line; *s; s++)
		if (!is_printing(*s))
			*s = ' ';
	return line;
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
		{ ".stacks", &object->stacks[STACKS_KERNEL].first },
		{ ".stacks_more", &object->stacks[STACKS_KERNEL].more },
		{ ".ustacks", &object->stacks[STACKS_USER].first },
		{ ".ustacks_more", &object->stacks[STACKS_USER].more },
		{ ".event_info", &object->table_event_info },
		{ ".event_names", &object->table_event_text[EVENT_TEXT_NAME] },
		{ ".event_functions", &object->table_event_text[EVENT_TEXT_FUNCTION] },
	};

	for (uint32_t t = 0; t < object->n_tables; t++)
		for (size_t i = 0; i < ARRAY_SIZE(own); i++)
			if (strcmp(object->tables[t]->name, own[i].name) == 0)
				*own[i].index = t;
}

/* What elf_write adds for a script. */
static int
read_pack(struct reader *r)
{
	const struct section *section = elf_section(r, PACK_SECTION);
	struct text why = { 0 };
	uLong crc = 0;
	int err;

	if (!section)
		return r->n_placed || r->is_outline ? 0 : elf_fail(r, "there are no programs in this file");
	for (size_t i = 1; i < r->n_sections; i++)
		if (elf_section_is_of_types(r->sections[i].name) && r->sections[i].data)
			crc = crc32(crc, r->sections[i].data, (uInt)r->sections[i].size);
	err = object_unpack(r->object, (uint32_t)crc, section->data, section->data ? section->size : 0, &why);
	if (err)
		elf_fail(r, "%s", why.s);
	text_fini(&why);
	r->object->is_script = err == 0;
	return err;
}

static int
read_object(struct reader *r)
{
	int err = check_header(r);

	if (!err)
		err = check_extent(r);
	if (!err) {
		elf_mend(r->bytes, r->len);
		err = read_sections(r);
	}
	if (!err)
		err = read_symbols(r);
	if (!err)
		err = read_btf(r);
	if (!err)
		err = elf_read_tables(r);
	if (!err && !r->is_outline)
		err = elf_read_code(r);
	if (!err && !r->is_outline)
		err = elf_read_held(r);
	if (!err && !r->is_outline)
		err = elf_read_ext(r);
	if (!err && !r->is_outline)
		elf_read_protos(r);
	if (r->n_steps > ELF_STEPS_MAX) {
		text_clear(r->why);
		err = elf_fail(r, "too many sections, symbols, types and lines refer to each other: reading it would take too long");
	}
	if (!err) {
		find_own_tables(r->object);
		keep_btf(r);
		err = read_pack(r);
	}
	return err;
}

/* Reads what `r` wants: arena, path, why and is_outline are set. */
static struct object *
read_bytes(struct reader r, const void *data, size_t len)
{
	int err;

	r.scratch = arena_new();
	r.bytes = arena_alloc(r.scratch, len + 1); /* libelf wants memory that it may write to */
	r.len = len;
	memcpy(r.bytes, data, len);
	r.object = object_new(r.arena, arena_strdup(r.arena, r.path), NULL);
	if (elf_version(EV_CURRENT) == EV_NONE)
		err = elf_fail(&r, "libelf is too old for this program");
	else if (!(r.elf = elf_memory(r.bytes, len)))
		err = elf_fail(&r, "not an ELF file: %s", elf_errmsg(-1));
	else
		err = read_object(&r);
	typeinfo_free(r.types);
	elf_end(r.elf);
	arena_free(r.scratch);
	return err ? NULL : r.object;
}

struct object *
elf_read_memory(struct arena *arena, const char *name, const void *data, size_t len, struct text *why)
{
	return read_bytes((struct reader){ .arena = arena, .path = name, .why = why }, data, len);
}

struct object *
elf_read_outline(struct arena *arena, const char *name, const void *data, size_t len, struct text *why)
{
	return read_bytes((struct reader){ .arena = arena, .path = name, .why = why, .is_outline = true }, data, len);
}

static struct object *
read_fd(struct arena *arena, const char *path, int fd, struct text *why)
{
	struct object *object = NULL;
	struct stat st;
	size_t len;
	char *buf;

	if (fstat(fd, &st)) {
		text_printf(why, "cannot read %s: %s", path, strerror(errno));
		return NULL;
	}
	if (!S_ISREG(st.st_mode) || st.st_size > (off_t)OBJECT_FILE_MAX) {
		text_printf(why, "cannot read %s: not a file of at most %u MiB", path, OBJECT_FILE_MAX >> 20);
		return NULL;
	}
	buf = file_rest(fd, OBJECT_FILE_MAX, &len);
	if (!buf || len > OBJECT_FILE_MAX) /* it may grow while it is read */
		text_printf(why, "cannot read %s: %s", path, strerror(buf ? EFBIG : errno));
	else
		object = elf_read_memory(arena, path, buf, len, why);
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
