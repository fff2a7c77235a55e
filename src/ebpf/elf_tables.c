/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Tables of an ELF file: those that variables in .maps describe through their BTF, and one for each section of data. What is
 * written there is checked against what bpf(2) takes, so that a wrong table is refused here, by its name.
 */
#include <errno.h>
#include <string.h>
#include <sys/sysinfo.h>

#include "ebpf/elf_int.h"

#define CONTENTS_MAX (16u << 20) /* bytes of a data section; .bss takes none in the file */
#define ENTRY_MAX    (1u << 20)  /* bytes of a key or value */
#define TABLES_MAX   4096

#define RINGBUF_SIZE_MIN 4096u

static bool
starts_with(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* A number in the description of a table: a pointer to an array of so many elements. */
static int
number_of_type(struct reader *r, const char *table, const char *field, uint32_t id, uint32_t *value)
{
	const struct btf_type *type = typeinfo_plain(r->types, id, NULL);

	if (type && BTF_INFO_KIND(type->info) == BTF_KIND_PTR)
		type = typeinfo_plain(r->types, type->type, NULL);
	else
		type = NULL;
	if (!type || BTF_INFO_KIND(type->info) != BTF_KIND_ARRAY)
		return elf_fail(r, "table %s: field %s is not written with __uint()", table, field);
	*value = type_array(type)->nelems;
	return 0;
}

/* The type that a pointer points to, and its bytes. */
static int
type_of_pointee(struct reader *r, const char *table, const char *field, uint32_t id, uint32_t *size, uint32_t *pointee)
{
	const struct btf_type *type = typeinfo_plain(r->types, id, NULL);
	bool is_pointer = type && BTF_INFO_KIND(type->info) == BTF_KIND_PTR;
	int64_t n = is_pointer ? typeinfo_size(r->types, type->type) : -EINVAL;

	if (n < 0 || n > ENTRY_MAX)
		return elf_fail(r, "table %s: the type of its %s has no size, or one above %u bytes", table,
			    field, ENTRY_MAX);
	*size = (uint32_t)n;
	*pointee = type->type;
	return 0;
}

/* What a field of a table's description sets. */
struct description {
	uint32_t type, key_size, value_size, max_entries, map_flags;
	uint32_t key_type, value_type;
	const struct btf_member *values; /* what it holds; NULL: nothing */
};

static int
read_field(struct reader *r, const char *table, const struct btf_member *member, struct description *out)
{
	const struct {
		const char *name;
		uint32_t *value;
		uint32_t *type; /* it is the size of a type, which goes here; NULL: a number */
	} fields[] = {
		{ "type", &out->type, NULL },
		{ "key_size", &out->key_size, NULL },
		{ "value_size", &out->value_size, NULL },
		{ "max_entries", &out->max_entries, NULL },
		{ "map_flags", &out->map_flags, NULL },
		{ "key", &out->key_size, &out->key_type },
		{ "value", &out->value_size, &out->value_type },
	};
	const char *name = elf_type_string(r, member->name_off);

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		if (strcmp(fields[i].name, name) != 0)
			continue;
		if (fields[i].type)
			return type_of_pointee(r, table, name, member->type, fields[i].value, fields[i].type);
		return number_of_type(r, table, name, member->type, fields[i].value);
	}
	if (strcmp(name, "values") == 0) {
		out->values = member;
		out->value_size = 4; /* of what bpf(2) has for a table: the number of a descriptor */
		return 0;
	}
	if (strcmp(name, "pinning") == 0 || strcmp(name, "numa_node") == 0 || strcmp(name, "map_extra") == 0)
		return 0; /* where it lives, or how (a bloom filter's number of hashes), not what it is */
	if (strncmp(name, "inner_map", strlen("inner_map")) == 0)
		return elf_fail(r, "table %s: field \"%s\" is the old way to say what a table holds: write __array(values, struct ...)", table, name);
	return elf_fail(r, "table %s: its description has the field \"%s\", which ktap does not know", table,
		    name);
}

/* Those of enum bpf_map_type that tables.def does not have. The last are newer than the oldest <linux/bpf.h> that we are built with. */
static const char *const other_kinds[] = {
#define KIND(id) [BPF_MAP_TYPE_##id] = "BPF_MAP_TYPE_" #id
	KIND(CGROUP_ARRAY), KIND(DEVMAP), KIND(SOCKMAP), KIND(CPUMAP), KIND(XSKMAP), KIND(SOCKHASH), KIND(CGROUP_STORAGE),
	KIND(REUSEPORT_SOCKARRAY), KIND(PERCPU_CGROUP_STORAGE), KIND(SK_STORAGE), KIND(DEVMAP_HASH), KIND(STRUCT_OPS), KIND(INODE_STORAGE),
	KIND(TASK_STORAGE),
#undef KIND
	[31] = "BPF_MAP_TYPE_USER_RINGBUF", [32] = "BPF_MAP_TYPE_CGRP_STORAGE", [33] = "BPF_MAP_TYPE_ARENA", [34] = "BPF_MAP_TYPE_INSN_ARRAY"
};

static const char *
other_kind(uint32_t map_type)
{
	const char *name = map_type < ARRAY_SIZE(other_kinds) ? other_kinds[map_type] : NULL;

	return name ? name : "enum bpf_map_type";
}

static int
kind_of_type(struct reader *r, const char *table, uint32_t map_type, enum table_kind *kind)
{
	if (!map_type)
		return elf_fail(r, "table %s: type is missing", table);
	for (int i = 0; i < N_TABLE_KINDS; i++) {
		*kind = (enum table_kind)i;
		if (table_kind_map_type(*kind) == map_type)
			return 0;
	}
	return elf_fail(r, "table %s: kind %u of the kernel's (%s) is not supported: only the kernel engine has it", table, map_type, other_kind(map_type));
}

static int
check_sizes(struct reader *r, const struct table *table)
{
	bool is_array = table_kind_is_array(table->kind);

	if (table->max_entries == 0)
		return elf_fail(r, "table %s: max_entries is missing", table->name);
	if (table->kind == TABLE_RINGBUF)
		return table->key_size || table->value_size
			       ? elf_fail(r, "table %s: a ring buffer has no keys and values", table->name)
			       : 0;
	if (!table_kind_has_keys(table->kind) && table->key_size)
		return elf_fail(r, "table %s: a %s has no keys", table->name, table_kind_name(table->kind));
	if ((table->key_size == 0 && table_kind_has_keys(table->kind)) || table->key_size > ENTRY_MAX ||
	    table->value_size == 0 || table->value_size > ENTRY_MAX)
		return elf_fail(r, "table %s: keys of %u and values of %u bytes; both must be 1 to %u",
			    table->name, table->key_size, table->value_size, ENTRY_MAX);
	if ((table_kind_holds_tables(table->kind) || table->kind == TABLE_PROGRAMS) && table->value_size != 4)
		return elf_fail(r, "table %s: values of a %s have 4 bytes, not %u", table->name, table_kind_name(table->kind), table->value_size);
	if ((is_array || table->kind == TABLE_STACK_TRACE || table->kind == TABLE_ARRAY_OF_TABLES ||
	     table->kind == TABLE_PROGRAMS) && table->key_size != 4)
		return elf_fail(r, "table %s: keys of an %s have 4 bytes, not %u", table->name,
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

static bool
is_script(struct reader *r)
{
	return elf_section(r, PACK_SECTION) != NULL;
}

/* "ktap_globals" is ".globals" again, in a script's object; in one of a C compiler's it is what its author calls it. */
static const char *
table_name(struct reader *r, const char *name)
{
	if (starts_with(name, OWN_PREFIX) && is_script(r))
		return arena_printf(r->arena, ".%s", name + strlen(OWN_PREFIX));
	return arena_strdup(r->arena, name);
}

const struct btf_type *
elf_description(struct reader *r, const char *name)
{
	const struct btf_type *maps = r->maps_type ? typeinfo_type(r->types, r->maps_type) : NULL;

	for (uint32_t i = 0; maps && i < BTF_INFO_VLEN(maps->info) && elf_step(r); i++) {
		uint32_t var = type_variables(maps)[i].type;

		if (typeinfo_kind(r->types, var) == BTF_KIND_VAR && strcmp(typeinfo_name(r->types, var), name) == 0)
			return typeinfo_plain(r->types, typeinfo_type(r->types, var)->type, NULL);
	}
	return NULL;
}

/* What libbpf makes of the size of a ring buffer that is none: the next power of two that is a number of pages. */
static uint32_t
ringbuf_size(uint32_t size)
{
	uint32_t fits = RINGBUF_SIZE_MIN;

	while (fits < size && fits <= UINT32_MAX / 2)
		fits *= 2;
	return size && fits > size ? fits : size;
}

/* The fields of a description, as a table without a name. */
static int
read_description(struct reader *r, const char *name, const struct btf_type *type, struct table *table, struct description *d)
{
	int err = 0;

	if (!type || BTF_INFO_KIND(type->info) != BTF_KIND_STRUCT)
		return elf_fail(r, "table %s: no BTF describes it: compile with -g", name);
	for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info) && !err; i++)
		err = read_field(r, name, &type_members(type)[i], d);
	*table = (struct table){
		.key_size = d->key_size,
		.value_size = d->value_size,
		.max_entries = d->max_entries,
		.mappable = d->map_flags & BPF_F_MMAPABLE,
		.read_only = d->map_flags & BPF_F_RDONLY_PROG,
		.write_only = d->map_flags & BPF_F_WRONLY_PROG,
		.key_type = d->key_type,
		.value_type = d->value_type,
	};
	if (!err)
		err = kind_of_type(r, name, d->type, &table->kind);
	if (!err && table->kind == TABLE_PERF_EVENTS && !table->max_entries)
		table->max_entries = (uint32_t)get_nprocs_conf(); /* as libbpf: a buffer a CPU */
	if (!err && table->kind == TABLE_RINGBUF)
		table->max_entries = ringbuf_size(table->max_entries);
	if (!err)
		err = elf_find_lock(r, table);
	return err;
}

/* What the pointers point to of which `values` is an array, of this kind. NULL: refused. */
static const struct btf_type *
type_of_values(struct reader *r, const char *name, const struct btf_member *values, uint32_t kind)
{
	const struct btf_type *array = typeinfo_plain(r->types, values->type, NULL), *type = NULL;

	if (array && BTF_INFO_KIND(array->info) == BTF_KIND_ARRAY)
		type = typeinfo_plain(r->types, type_array(array)->type, NULL);
	if (type && BTF_INFO_KIND(type->info) == BTF_KIND_PTR)
		type = typeinfo_plain(r->types, type->type, NULL);
	if (type && BTF_INFO_KIND(type->info) == kind)
		return type;
	elf_fail(r, "table %s: write __array(values, %s)", name, kind == BTF_KIND_STRUCT ? "struct ...), what its tables are like" : "int (void *)), its programs");
	return NULL;
}

static int
read_inner(struct reader *r, struct table *table, const struct btf_member *values)
{
	const char *name = table->name;
	struct description d = { 0 };
	const struct btf_type *type;
	struct table inner;
	int err;

	if (!values)
		return elf_fail(r, "table %s: what it holds is not described: write __array(values, struct ...)", name);
	type = type_of_values(r, name, values, BTF_KIND_STRUCT);
	if (!type)
		return -EINVAL;
	err = read_description(r, name, type, &inner, &d);
	if (err)
		return err;
	if (d.values || table_kind_holds_tables(inner.kind) || inner.kind == TABLE_PROGRAMS)
		return elf_fail(r, "table %s: it holds tables that hold tables or programs; one level is possible", name);
	inner.name = name;
	err = check_sizes(r, &inner);
	table->element = err ? NULL : memcpy(arena_alloc(r->arena, sizeof(inner)), &inner, sizeof(inner));
	return err;
}

static int
read_table(struct reader *r, const char *name, struct table *table)
{
	struct description d = { 0 };
	int err = read_description(r, name, elf_description(r, name), table, &d);

	table->name = table_name(r, name);
	if (!err && table_kind_holds_tables(table->kind))
		err = read_inner(r, table, d.values);
	else if (!err && d.values && table->kind == TABLE_PROGRAMS)
		err = type_of_values(r, name, d.values, BTF_KIND_FUNC_PROTO) ? 0 : -EINVAL;
	else if (!err && d.values)
		err = elf_fail(r, "table %s: a %s holds neither tables nor programs, but has the field values", name, table_kind_name(table->kind));
	return err ? err : check_sizes(r, table);
}

/* Leaves the symbol without an index where the outline passes over its table. */
static int
read_map(struct reader *r, struct symbol *symbol)
{
	struct table table;
	int err = read_table(r, symbol->name, &table);

	if (!err)
		symbol->index = add_table(r, table);
	if (err && r->is_outline) {
		text_clear(r->why);
		return 0;
	}
	return err;
}

/* The variable's symbol in a section; NULL: it has none. */
static const struct symbol *
variable_symbol(struct reader *r, const struct section *section, const char *name)
{
	for (size_t i = 1; i < r->n_symbols && elf_step(r); i++)
		if (elf_symbol_section(r, &r->symbols[i]) == section && strcmp(r->symbols[i].name, name) == 0)
			return &r->symbols[i];
	return NULL;
}

/* Compilers leave it to the symbols where the variables of a section are; from now on the BTF says so, too. */
static void
place_variables(struct reader *r, const struct section *section, uint32_t id)
{
	const struct btf_type *type = typeinfo_type(r->types, id);
	struct btf_var_secinfo *vars = (struct btf_var_secinfo *)(uintptr_t)type_variables(type); /* typeinfo_bytes lets us */

	for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info); i++) {
		const struct symbol *symbol = variable_symbol(r, section, typeinfo_name(r->types, vars[i].type));

		if (!symbol || symbol->sym.st_value > section->size || symbol->sym.st_size > section->size - symbol->sym.st_value)
			continue;
		vars[i].offset = (uint32_t)symbol->sym.st_value;
		vars[i].size = (uint32_t)symbol->sym.st_size;
	}
}

/*
 * A section of data as a table. It has the name of the section, or, where a script's object has ".data.NAME" and symbol NAME is in it,
 * that of the symbol. `symbol` is the first one in the section, NULL: none.
 */
static int
read_data(struct reader *r, struct section *section, const struct symbol *symbol)
{
	struct table table = {
		.name = arena_strdup(r->arena, section->name), .kind = TABLE_ARRAY, .key_size = 4, .max_entries = 1, .mappable = true
	};
	const char *own = strchr(section->name + 1, '.');

	if (section->size == 0)
		return 0;
	if (section->size > CONTENTS_MAX)
		return elf_fail(r, "section %s has %llu bytes, more than %u", section->name,
			    (unsigned long long)section->size, CONTENTS_MAX);
	if (own && symbol && strcmp(own + 1, symbol->name) == 0 && is_script(r))
		table.name = table_name(r, symbol->name);
	table.value_size = (uint32_t)section->size;
	table.read_only = elf_in_family(section->name, ".rodata");
	if (r->types && elf_steps(r, typeinfo_count(r->types)))
		table.value_type = typeinfo_find(r->types, section->name, BTF_KIND_DATASEC);
	if (table.value_type)
		place_variables(r, section, table.value_type);
	if (section->data) {
		void *init = arena_alloc(r->arena, section->size);

		memcpy(init, section->data, section->size);
		table.init = init;
	}
	section->table = add_table(r, table);
	return elf_find_lock(r, r->object->tables[section->table]);
}

/* Contents that our writer stored for a table of .maps. */
static int
read_contents(struct reader *r, const struct symbol *symbol)
{
	struct table *table = r->object->tables[symbol->index];
	struct section *section = elf_section(r, arena_printf(r->scratch, INIT_PREFIX "%s", symbol->name));
	uint64_t expected = (uint64_t)table->max_entries * table->value_size;
	void *init;

	if (!section || !section->data)
		return 0;
	if (section->size != expected || table->kind != TABLE_ARRAY)
		return elf_fail(r, "section %s has %llu bytes, the table %llu", section->name,
			    (unsigned long long)section->size, (unsigned long long)expected);
	if (section->table != UINT32_MAX)
		return elf_fail(r, "section %s has the contents of two tables", section->name);
	section->table = symbol->index;
	init = arena_alloc(r->arena, section->size);
	memcpy(init, section->data, section->size);
	table->init = init;
	return 0;
}

/* Tables in the order of their symbols, then the data sections that no symbol is in. */
int
elf_read_tables(struct reader *r)
{
	int err = 0;

	for (size_t i = 1; i < r->n_symbols && !err; i++) {
		struct symbol *symbol = &r->symbols[i];
		struct section *section = elf_symbol_section(r, symbol);

		if (!section || ELF64_ST_TYPE(symbol->sym.st_info) != STT_OBJECT)
			continue;
		r->n_maps += section->kind == SECTION_MAPS;
		if (r->object->n_tables == TABLES_MAX || r->n_maps > TABLES_MAX)
			return elf_fail(r, "more than %d tables", TABLES_MAX);
		if (section->kind == SECTION_MAPS) {
			err = read_map(r, symbol);
			if (!err && symbol->index != UINT32_MAX)
				err = read_contents(r, symbol);
		} else if (section->kind == SECTION_DATA && section->table == UINT32_MAX) {
			err = read_data(r, section, symbol);
		}
	}
	for (size_t i = 1; i < r->n_sections && !err; i++) {
		if (strcmp(r->sections[i].name, "maps") == 0)
			return elf_fail(
				r,
				"has a section \"maps\", the old way to define tables: define them with BTF, in \".maps\"");
		if (r->object->n_tables == TABLES_MAX)
			return elf_fail(r, "more than %d tables", TABLES_MAX);
		if (r->sections[i].kind == SECTION_DATA && r->sections[i].table == UINT32_MAX)
			err = read_data(r, &r->sections[i], NULL);
	}
	return err;
}
