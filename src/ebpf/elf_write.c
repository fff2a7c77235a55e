/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Writes an object as a relocatable ELF file for eBPF, in the form that clang makes and that libbpf 1.x and bpftool load:
 *
 *     raw_tp/sys_enter, ...    one section for each func->section: instructions, functions behind each other
 *     .text                    functions that others call (func->section ".text")
 *     .rel*                    for each of them: references to tables and functions, addends in the instructions
 *     .maps                    tables, described by BTF: a variable of an anonymous struct for each
 *     .data.ktap_globals, ...  array tables whose address programs take (RELOC_TABLE_VALUE), see below
 *     .ktap.init.NAME          first contents of other array tables; ours, other loaders leave such tables zero
 *     license                  "Dual BSD/GPL"
 *     .BTF, .BTF.ext           types of tables and functions; lines of the script
 *     .symtab, .strtab         tables, then functions, in the order of the object
 *
 * A loader of this kind gives programs the address of a value only for data sections, which it turns into array tables of
 * one entry. So a table with a RELOC_TABLE_VALUE becomes a data section of its own: `.data.NAME`, or `.rodata.NAME` when
 * read_only; its contents are the table's. Such a table has one entry (the kernel wants that too), and cannot be
 * referred to by its handle (RELOC_TABLE) as well: elf_write refuses that.
 *
 * Names become C identifiers (c_name); one that is taken gets a number. What such a file has no place for (shapes of keys and values,
 * events, sites, counters, the control half) stands in `.ktap` (pack.c), for scripts.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/btf.h>
#include <gelf.h>
#include <zlib.h>

#include "ebpf/elf_write.h"

#define LICENSE   "Dual BSD/GPL"
#define FUNCS_MAX 8192 /* two sections for each of them, and ELF numbers sections in 16 bits */

/* Relocation types of eBPF (LLVM's R_BPF_64_64 and R_BPF_64_32). */
enum { R_LD64 = 1, R_CALL = 10 };

int
elf_write_fail(struct writer *w, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_vprintf(w->why, format, args);
	va_end(args);
	return err;
}

int
elf_write_fail_btf(struct writer *w, int err)
{
	return elf_write_fail(w, err, "object %s: cannot build BTF: %s", w->object->name, strerror(-err));
}

static uint32_t
add_section(struct writer *w, const char *name, uint32_t type, uint64_t flags, uint32_t align)
{
	w->sections =
		arena_grow(w->arena, w->sections, w->n_sections, &w->cap_sections, sizeof(*w->sections));
	w->sections[w->n_sections] =
		(struct section){ .name = name, .type = type, .flags = flags, .align = align };
	return w->n_sections++;
}

void
elf_write_bytes(struct writer *w, const char *name, uint64_t flags, uint32_t align, const void *bytes, size_t len)
{
	uint32_t section = add_section(w, name, SHT_PROGBITS, flags, align);

	text_add(&w->sections[section].data, bytes, len);
}

/* ---- checks and names ------------------------------------------------------------------------------------------------ */

static bool
is_referred(const struct object *object, enum reloc_kind kind, uint32_t index)
{
	for (uint32_t i = 0; i < object->n_funcs; i++)
		for (uint32_t r = 0; r < object->funcs[i]->n_relocs; r++)
			if (object->funcs[i]->relocs[r].kind == kind &&
			    object->funcs[i]->relocs[r].index == index)
				return true;
	return false;
}

/* True if the table becomes a data section (see the head of this file). */
static bool
is_data(const struct object *object, uint32_t table)
{
	return is_referred(object, RELOC_TABLE_VALUE, table);
}

static int
check_data_table(struct writer *w, uint32_t index)
{
	const struct table *table = w->object->tables[index];

	if (table->kind != TABLE_ARRAY || table->max_entries != 1)
		return elf_write_fail(
			w, -EINVAL,
			"table %s: programs take the address of its value, which only an array of one entry has",
			table->name);
	if (is_referred(w->object, RELOC_TABLE, index))
		return elf_write_fail(
			w, -EINVAL,
			"table %s: programs use both its handle and the address of its value; an ELF file can "
			"express one of them",
			table->name);
	return 0;
}

static bool
refers_to_func(const struct reloc *reloc)
{
	return reloc->kind == RELOC_FUNC || reloc->kind == RELOC_FUNC_ADDR;
}

static int
check_func(struct writer *w, const struct func *func)
{
	for (uint32_t i = 0; i < func->n_relocs; i++) {
		const struct reloc *reloc = &func->relocs[i];

		if (refers_to_func(reloc) &&
		    strcmp(w->object->funcs[reloc->index]->section, ".text") != 0)
			return elf_write_fail(
				w, -EINVAL,
				"function %s %s %s, which is a program in section %s: only functions in .text "
				"can be called",
				func->name, reloc->kind == RELOC_FUNC ? "calls" : "has called back", w->object->funcs[reloc->index]->name,
				w->object->funcs[reloc->index]->section);
	}
	return 0;
}

static int
check_object(struct writer *w)
{
	int err = 0;

	for (uint32_t i = 0; i < w->object->n_tables && !err; i++)
		if (is_data(w->object, i))
			err = check_data_table(w, i);
	for (uint32_t i = 0; i < w->object->n_funcs && !err; i++)
		err = check_func(w, w->object->funcs[i]);
	return err;
}

static bool
name_taken(const struct writer *w, const char *name)
{
	for (uint32_t i = 0; i < w->n_placed; i++)
		if (strcmp(w->placed[i].name, name) == 0)
			return true;
	return false;
}

/* The next table or function, under a name of its own. */
static void
place(struct writer *w, const char *name)
{
	struct text clean = { 0 };
	const char *unique;

	c_name(name, &clean);
	unique = arena_strdup(w->arena, clean.s);
	for (unsigned n = 2; name_taken(w, unique); n++)
		unique = arena_printf(w->arena, "%s_%u", clean.s, n);
	text_fini(&clean);
	w->placed[w->n_placed++] = (struct placed){ .name = unique };
}

/* ---- code ------------------------------------------------------------------------------------------------------------- */

static uint32_t
code_section(struct writer *w, const char *name)
{
	for (uint32_t i = 0; i < w->n_code; i++)
		if (strcmp(w->sections[i].name, name) == 0)
			return i;
	w->n_code++;
	return add_section(w, name, SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR, 8);
}

/*
 * The instruction as it stands in the file: what a reference points to is said by the relocation alone, and an addend
 * stands in imm.
 */
static void
unresolve(struct bpf_insn *insns, const struct reloc *reloc)
{
	struct bpf_insn *insn = &insns[reloc->pc];

	if (reloc->kind == RELOC_FUNC) {
		insn->imm = -1;
		return;
	}
	insn[0].src_reg = 0;
	insn[0].imm = reloc->kind == RELOC_TABLE_VALUE ? (int32_t)reloc->addend : 0;
	insn[1].imm = 0;
}

static void
put_func(struct writer *w, const struct func *func, struct placed *placed)
{
	uint32_t section = code_section(w, func->section);
	struct text *data = &w->sections[section].data;

	placed->section = section;
	placed->is_code = true;
	placed->off = (uint32_t)data->len;
	placed->len = func->n_insns * (uint32_t)sizeof(struct bpf_insn);
	text_add(data, (const char *)func->insns, placed->len);
	for (uint32_t i = 0; i < func->n_relocs; i++)
		unresolve((struct bpf_insn *)(data->s + placed->off), &func->relocs[i]);
}

/* Relocations of all functions in a code section. */
static void
put_relocs(struct writer *w, uint32_t code, uint32_t symtab)
{
	uint32_t section = UINT32_MAX;

	for (uint32_t i = 0; i < w->object->n_funcs; i++) {
		const struct func *func = w->object->funcs[i];

		if (elf_placed_func(w, i)->section != code)
			continue;
		for (uint32_t r = 0; r < func->n_relocs; r++) {
			const struct reloc *reloc = &func->relocs[r];
			bool is_call = reloc->kind == RELOC_FUNC;
			uint32_t symbol = 1 + reloc->index + (refers_to_func(reloc) ? w->object->n_tables : 0);
			Elf64_Rel rel = {
				.r_offset = elf_placed_func(w, i)->off + reloc->pc * sizeof(struct bpf_insn),
				.r_info = ELF64_R_INFO((uint64_t)symbol, is_call ? R_CALL : R_LD64),
			};

			if (section == UINT32_MAX)
				section = add_section(
					w, arena_printf(w->arena, ".rel%s", w->sections[code].name), SHT_REL,
					0, 8);
			text_add(&w->sections[section].data, (const char *)&rel, sizeof(rel));
		}
	}
	if (section == UINT32_MAX)
		return;
	w->sections[section].entsize = sizeof(Elf64_Rel);
	w->sections[section].link = symtab + 1;
	w->sections[section].info = code + 1;
}

/* ---- tables ------------------------------------------------------------------------------------------------------------ */

static size_t
contents_len(const struct table *table)
{
	return (size_t)table->value_size * table->max_entries;
}

/* A table's first contents, in a section of their own. Returns the section. */
static uint32_t
put_contents(struct writer *w, const struct table *table, const char *name, uint64_t flags)
{
	uint32_t section = add_section(w, name, SHT_PROGBITS, flags, 8);
	struct text *data = &w->sections[section].data;

	if (table->init)
		text_add(data, table->init, contents_len(table));
	while (data->len < contents_len(table))
		text_putc(data, '\0');
	return section;
}

/* Type id of a pointer to an array of `value` ints: how a number is written in the BTF of a table. */
static int
type_of_number(struct writer *w, int int_type, uint32_t value)
{
	int array = btf__add_array(w->btf, int_type, int_type, value);

	return array < 0 ? array : btf__add_ptr(w->btf, array);
}

/* The anonymous struct that describes a table to libbpf; its type id, *len its size in bytes. */
static int
type_of_table(struct writer *w, const struct table *table, int int_type, uint32_t *len)
{
	const struct {
		const char *name;
		uint32_t value;
	} fields[] = {
		{ "type", table_kind_map_type(table->kind) },
		{ "key_size", table->key_size },
		{ "value_size", table->value_size },
		{ "max_entries", table->max_entries },
		{ "map_flags", (table->mappable ? BPF_F_MMAPABLE : 0u) | (table->read_only ? BPF_F_RDONLY_PROG : 0u) |
				       (table->write_only ? BPF_F_WRONLY_PROG : 0u) },
	};
	int types[ARRAY_SIZE(fields)], id, err;
	uint32_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		types[i] = fields[i].value ? type_of_number(w, int_type, fields[i].value) : 0;
		if (types[i] < 0)
			return types[i];
		n += fields[i].value != 0;
	}
	*len = 8 * n;
	id = btf__add_struct(w->btf, NULL, *len);
	n = 0;
	for (size_t i = 0; i < ARRAY_SIZE(fields) && id > 0; i++) {
		if (!fields[i].value)
			continue;
		err = btf__add_field(w->btf, fields[i].name, types[i], 64 * n++, 0);
		if (err)
			return err;
	}
	return id;
}

/* A table in .maps; `var` receives the type id of its variable. */
static int
put_map(struct writer *w, const struct table *table, struct placed *placed, uint32_t section, int int_type,
	int *var)
{
	struct text *data = &w->sections[section].data;
	int type = type_of_table(w, table, int_type, &placed->len);

	if (type < 0)
		return elf_write_fail_btf(w, type);
	*var = btf__add_var(w->btf, placed->name, BTF_VAR_GLOBAL_ALLOCATED, type);
	if (*var < 0)
		return elf_write_fail_btf(w, *var);
	placed->section = section;
	placed->off = (uint32_t)data->len;
	while (data->len < placed->off + placed->len)
		text_putc(data, '\0');
	if (table->init)
		put_contents(w, table, arena_printf(w->arena, INIT_PREFIX "%s", placed->name), 0);
	return 0;
}

/* A table as data section. One that was read from the file of another compiler is named so already. */
static int
put_data(struct writer *w, const struct table *table, struct placed *placed, int int_type)
{
	const char *prefix = table->read_only ? ".rodata." : ".data.";
	bool is_named = strncmp(table->name, prefix, strlen(prefix)) == 0;
	const char *name = is_named ? table->name : arena_printf(w->arena, "%s%s", prefix, placed->name);
	int byte_type, array, var, err;

	placed->section = put_contents(w, table, name, SHF_ALLOC | (table->read_only ? 0 : SHF_WRITE));
	placed->len = (uint32_t)contents_len(table);
	byte_type = btf__add_int(w->btf, "unsigned char", 1, 0);
	array = byte_type < 0 ? byte_type : btf__add_array(w->btf, int_type, byte_type, placed->len);
	var = array < 0 ? array : btf__add_var(w->btf, placed->name, BTF_VAR_GLOBAL_ALLOCATED, array);
	err = var < 0 ? var : btf__add_datasec(w->btf, name, placed->len);
	if (err > 0)
		err = btf__add_datasec_var_info(w->btf, var, 0, placed->len);
	return err < 0 ? elf_write_fail_btf(w, err) : 0;
}

/* BTF of the .maps section: which variable stands where. */
static int
put_maps_datasec(struct writer *w, uint32_t section, const int *vars)
{
	int err = btf__add_datasec(w->btf, ".maps", (uint32_t)w->sections[section].data.len);

	for (uint32_t i = 0; i < w->object->n_tables && err >= 0; i++)
		if (vars[i])
			err = btf__add_datasec_var_info(w->btf, vars[i], w->placed[i].off, w->placed[i].len);
	return err < 0 ? elf_write_fail_btf(w, err) : 0;
}

static int
put_tables(struct writer *w)
{
	const struct object *object = w->object;
	int *vars = arena_alloc(w->arena, (object->n_tables + 1) * sizeof(*vars));
	int int_type = btf__add_int(w->btf, "int", 4, BTF_INT_SIGNED);
	uint32_t maps = UINT32_MAX;
	int err = 0;

	if (int_type < 0)
		return elf_write_fail_btf(w, int_type);
	for (uint32_t i = 0; i < object->n_tables && !err; i++) {
		if (is_data(object, i)) {
			err = put_data(w, object->tables[i], &w->placed[i], int_type);
			continue;
		}
		if (maps == UINT32_MAX)
			maps = add_section(w, ".maps", SHT_PROGBITS, SHF_ALLOC | SHF_WRITE, 8);
		err = put_map(w, object->tables[i], &w->placed[i], maps, int_type, &vars[i]);
	}
	return err || maps == UINT32_MAX ? err : put_maps_datasec(w, maps, vars);
}

/* ---- symbols, and the file -------------------------------------------------------------------------------------------------- */

/* Adds a string; its offset in the string table. */
static uint32_t
put_string(struct text *strtab, const char *s)
{
	uint32_t off = (uint32_t)strtab->len;

	text_add(strtab, s, strlen(s) + 1);
	return off;
}

/* All symbols are global, so that they stand in the object's order; functions of .text are hidden, which means static to libbpf. */
static void
put_symbols(struct writer *w, uint32_t symtab, struct text *strtab)
{
	struct text *data = &w->sections[symtab].data;
	Elf64_Sym symbol = { 0 };

	text_add(data, (const char *)&symbol, sizeof(symbol));
	for (uint32_t i = 0; i < w->n_placed; i++) {
		const struct placed *placed = &w->placed[i];
		bool is_callee = placed->is_code && strcmp(w->sections[placed->section].name, ".text") == 0;

		symbol = (Elf64_Sym){
			.st_name = put_string(strtab, placed->name),
			.st_info = ELF64_ST_INFO(STB_GLOBAL, placed->is_code ? STT_FUNC : STT_OBJECT),
			.st_other = is_callee ? STV_HIDDEN : STV_DEFAULT,
			.st_shndx = (uint16_t)(placed->section + 1),
			.st_value = placed->off,
			.st_size = placed->len,
		};
		text_add(data, (const char *)&symbol, sizeof(symbol));
	}
	w->sections[symtab].entsize = sizeof(symbol);
	w->sections[symtab].info = 1; /* the first global one */
}

static bool
emit_section(Elf *elf, const struct section *section, uint32_t name_off)
{
	Elf_Scn *scn = elf_newscn(elf);
	Elf64_Shdr *shdr = scn ? elf64_getshdr(scn) : NULL;
	Elf_Data *data = shdr ? elf_newdata(scn) : NULL;

	if (!data)
		return false;
	shdr->sh_name = name_off;
	shdr->sh_type = section->type;
	shdr->sh_flags = section->flags;
	shdr->sh_link = section->link;
	shdr->sh_info = section->info;
	shdr->sh_entsize = section->entsize;
	data->d_buf = section->data.s;
	data->d_size = section->data.len;
	data->d_align = section->align;
	data->d_type = ELF_T_BYTE; /* the contents are in our byte order already, and so is the file */
	data->d_version = EV_CURRENT;
	return true;
}

static bool
emit_header(Elf *elf, uint32_t strtab)
{
	Elf64_Ehdr *ehdr = elf64_newehdr(elf);

	if (!ehdr)
		return false;
	ehdr->e_ident[EI_DATA] = OWN_ORDER;
	ehdr->e_type = ET_REL;
	ehdr->e_machine = EM_BPF;
	ehdr->e_version = EV_CURRENT;
	ehdr->e_shstrndx = (uint16_t)(strtab + 1);
	return true;
}

static bool
emit(const struct writer *w, int fd, uint32_t strtab, const uint32_t *names)
{
	Elf *elf = elf_begin(fd, ELF_C_WRITE, NULL);
	bool ok = elf && emit_header(elf, strtab);

	for (uint32_t i = 0; i < w->n_sections && ok; i++)
		ok = emit_section(elf, &w->sections[i], names[i]);
	ok = ok && elf_update(elf, ELF_C_WRITE) >= 0;
	elf_end(elf);
	return ok;
}

static int
write_file(struct writer *w, const char *path, uint32_t strtab, const uint32_t *names)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	struct stat st;
	bool ok;

	if (fd < 0)
		return elf_write_fail(w, -errno, "cannot write %s: %s", path, strerror(errno));
	elf_errno(); /* forget older errors */
	ok = emit(w, fd, strtab, names);
	if (!ok)
		elf_write_fail(w, 0, "cannot write %s: %s", path, elf_errmsg(-1));
	if (close(fd) && ok)
		elf_write_fail(w, 0, "cannot write %s: %s", path, strerror(errno));
	else if (ok)
		return 0;
	if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
		unlink(path); /* half a file helps nobody */
	return -EIO;
}

/* What only ktap knows of a script. */
static void
put_pack(struct writer *w)
{
	struct text pack = { 0 };
	uLong crc = 0;

	for (uint32_t i = 0; i < w->n_sections; i++)
		if (elf_section_is_of_types(w->sections[i].name))
			crc = crc32(crc, (const Bytef *)w->sections[i].data.s, (uInt)w->sections[i].data.len);
	object_pack(w->object, (uint32_t)crc, &pack);
	elf_write_bytes(w, PACK_SECTION, 0, 8, pack.s, pack.len);
	text_fini(&pack);
}

/* Contents of all sections, then the file. */
static int
write_object(struct writer *w, const char *path)
{
	const struct object *object = w->object;
	uint32_t symtab, strtab, *names;
	struct text strings = { 0 };
	int err;

	if (object->n_funcs > FUNCS_MAX || object->n_tables > FUNCS_MAX)
		return elf_write_fail(w, -E2BIG, "object %s: an ELF file holds at most %d functions and as many tables",
			    object->name, FUNCS_MAX);
	for (uint32_t i = 0; i < object->n_tables; i++)
		place(w, object->tables[i]->name);
	for (uint32_t i = 0; i < object->n_funcs; i++)
		place(w, object->funcs[i]->name);
	for (uint32_t i = 0; i < object->n_funcs; i++)
		put_func(w, object->funcs[i], &w->placed[object->n_tables + i]);
	err = put_tables(w);
	if (!err)
		err = elf_write_types(w);
	if (err)
		return err;
	if (object->is_script)
		put_pack(w);
	elf_write_bytes(w, "license", SHF_ALLOC | SHF_WRITE, 1, LICENSE, sizeof(LICENSE));
	symtab = add_section(w, ".symtab", SHT_SYMTAB, 0, 8);
	for (uint32_t code = 0; code < w->n_code; code++)
		put_relocs(w, code, symtab);
	strtab = add_section(w, ".strtab", SHT_STRTAB, 0, 1);
	w->sections[symtab].link = strtab + 1;
	text_putc(&strings, '\0');
	put_symbols(w, symtab, &strings);
	names = arena_alloc(w->arena, w->n_sections * sizeof(*names));
	for (uint32_t i = 0; i < w->n_sections; i++)
		names[i] = put_string(&strings, w->sections[i].name);
	w->sections[strtab].data = strings; /* freed with the sections */
	return write_file(w, path, strtab, names);
}

int
elf_write(const struct object *object, const char *path, struct text *why)
{
	struct writer w = { .object = object, .arena = arena_new(), .why = why, .btf = btf__new_empty() };
	int err;

	w.placed = arena_alloc(w.arena, (object->n_tables + object->n_funcs + 1) * sizeof(*w.placed));
	if (!w.btf)
		err = elf_write_fail(&w, -ENOMEM, "object %s: no memory for BTF", object->name);
	else if (elf_version(EV_CURRENT) == EV_NONE)
		err = elf_write_fail(&w, -ENOTSUP, "libelf is too old for this program");
	else
		err = check_object(&w);
	if (!err)
		err = write_object(&w, path);
	btf__free(w.btf);
	for (uint32_t i = 0; i < w.n_sections; i++)
		text_fini(&w.sections[i].data);
	arena_free(w.arena);
	return err;
}
