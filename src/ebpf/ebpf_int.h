/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What the files of this room share and no other room needs: BTF of functions and lines (btf.c), for bpf(2) and for ELF.
 */
#ifndef KTAP_EBPF_INT_H
#define KTAP_EBPF_INT_H

#include <string.h>

#include "ebpf/ebpf.h"

struct btf;

#define UNBOUND UINT32_MAX /* the pc of a label that stands nowhere yet */

/* What a leading '.' (our own tables) becomes in the names of an ELF file, so that they are C identifiers. */
#define OWN_PREFIX "ktap_"

/* The section of pack.c, and those with the first contents of tables, behind which their names stand. */
#define PACK_SECTION ".ktap"
#define INIT_PREFIX  ".ktap.init."

/* What e_ident says of files in this machine's byte order, the only one that is read and written. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define OWN_ORDER ELFDATA2LSB
#else
#define OWN_ORDER ELFDATA2MSB
#endif

/* Begins the section .BTF.ext (Documentation/bpf/btf.rst of the kernel); core_* is there if header_len reaches that far. Offsets are from its end. */
struct ext_header {
	uint16_t magic;
	uint8_t version, flags;
	uint32_t header_len;
	uint32_t func_off, func_len, line_off, line_len, core_off, core_len;
};

/* The sections of types and of what refers to them, over which the checksum in `.ktap` goes, in the order of the file. */
static inline bool
elf_section_is_of_types(const char *name)
{
	return strcmp(name, ".BTF") == 0 || strcmp(name, ".BTF.ext") == 0;
}

/*
 * A name as C and the kernel's BTF want it: letters, digits and '_', no digit first, 1 to about 110 bytes. A leading '.' becomes
 * OWN_PREFIX; a name of the script that begins like that gets "script_" before it. Into `out`, which is emptied first.
 */
void
c_name(const char *name, struct text *out);

/* Adds a function without parameters that returns a 64-bit integer; `linkage` is BTF_FUNC_STATIC, ... Returns type id or -errno. */
int
put_func_type(struct btf *btf, const char *name, uint32_t linkage);

/* How many line infos the function gets: one at its first instruction and one wherever the span changes. */
uint32_t
line_info_count(const struct func *func);

/*
 * Fills in line_info_count() line infos, for a function that starts at instruction `start` of the program. Without a script or
 * spans they name no line. Returns 0 or -errno.
 */
int
line_info_fill(struct btf *btf, const struct script *script, const struct func *func, uint32_t start, struct bpf_line_info *out);

/* code.c: adds a relocation, at reloc.pc. */
void
code_add_reloc(struct code *code, struct reloc reloc);

/*
 * How far a jump leads in code that islands may be put in. Less than the 32,767 of the instruction: the kernel puts other instructions in the place of
 * some (calls of helpers, divisions), and refuses the program when a jump over them is too far then.
 */
#define JUMP_REACH 20000

/* islands.c: finishes code with jumps that are too far. Returns 0, or -ERANGE. */
int
code_add_islands(struct code *code);

/* ---- kinds of types ---------------------------------------------------------------------------------------------------- */

static inline bool
kind_is_enum(uint32_t kind)
{
	return kind == BTF_KIND_ENUM || kind == BTF_KIND_ENUM64;
}

static inline bool
type_is_enum(const struct btf_type *type)
{
	return kind_is_enum(BTF_INFO_KIND(type->info));
}

/* The name of constant `i` of an enumeration, of either width. */
static inline const char *
type_enumerator_name(const struct typeinfo *types, const struct btf_type *type, uint32_t i)
{
	return typeinfo_string(types, BTF_INFO_KIND(type->info) == BTF_KIND_ENUM64 ? type_enums64(type)[i].name_off : type_enums(type)[i].name_off);
}

/* ---- core.c, core_types.c: CO-RE relocations ------------------------------------------------------------------------------ */

/* A type of one BTF. */
struct type_ref {
	const struct typeinfo *types;
	uint32_t id;
};

/* A name without what follows its last "___", which tells apart several descriptions of one type; its length. */
uint32_t
core_name_len(const char *name);

/* May a local type stand for a target's of this kind? The same kind, or both enumerations. */
bool
core_kinds_agree(uint32_t local, uint32_t target);

#define CORE_STEPS_MAX 64 /* numbers in an access string */

struct core_step {
	uint32_t within;  /* the struct or union; of an array, the type of its elements */
	uint32_t index;
	const char *name; /* of the member; NULL: an element */
	uint32_t type;    /* of what is there */
};

/* A place in a type: of a field, an enumerator (one step, its index and name) or the type itself. */
struct core_path {
	struct type_ref root;
	struct core_step steps[CORE_STEPS_MAX];
	uint32_t n;
	uint64_t bit_off;
	uint32_t type; /* of what it leads to */
	uint32_t bits; /* of a bit field, else 0 */
};

/* The number that a relocation asks for. */
struct core_value {
	uint64_t number;
	bool missing;      /* there is no such number: what it is about does not exist */
	bool exact;        /* the object's instruction holds the number of its own types, which can be checked */
	uint32_t size;     /* of a field that is loaded or stored whole, bytes; else 0 */
	struct type_ref type; /* of that field */
};

bool
core_kind_is_known(enum bpf_core_relo_kind kind);

/* How two types were compared: *budget counts down, so that damaged BTF cannot take for ever. */
enum core_verdict { CORE_DIFFERS, CORE_AGREES, CORE_TOO_DEEP };

/* Can a field of the local type be read as one of the target's? Roughly: both are numbers, both pointers, both structs, ... */
enum core_verdict
core_fields_agree(struct type_ref local, struct type_ref target, uint32_t *budget);

/* The same for types that stand for themselves: kinds only, through pointers, arrays and prototypes. */
enum core_verdict
core_types_agree(struct type_ref local, struct type_ref target, uint32_t *budget);

/* Has the target's type all that the local one has: each member and enumerator, of matching types? */
enum core_verdict
core_types_match(struct type_ref local, struct type_ref target, uint32_t *budget);

/* core_path.c. The object's path; false: the relocation is damaged. */
bool
core_path_read(const struct typeinfo *types, const struct core_reloc *reloc, struct core_path *path);

/* "struct task_struct.se.vruntime", for messages. */
void
core_path_print(const struct core_path *path, struct text *out);

/* Looks for the object's path in one of the target's types. */
enum core_verdict
core_path_match(enum bpf_core_relo_kind kind, const struct core_path *local, struct type_ref root, struct core_path *out,
		uint32_t *budget);

/* The number at a place. False: a field without a size. */
bool
core_value_of(enum bpf_core_relo_kind kind, const struct core_path *path, struct core_value *value);

/* What a relocation about something that the target has not gets: "does it exist?" has an answer, "where is it?" none. */
struct core_value
core_value_of_nothing(enum bpf_core_relo_kind kind);

/* ---- elf_write_core.c: from names (struct core_number) to types of a file ------------------------------------------------------------ */

struct core_names;

/* For one file, in an arena; `kernel`: the types that names are about. */
struct core_names *
core_names_new(struct arena *arena, const struct typeinfo *kernel);

/* Notes that a path (borrowed) is used. False: the kernel has no such thing. All are to be noted before the first is put. */
bool
core_names_add(struct core_names *names, const char *path);

/* As in struct bpf_core_relo. */
struct core_place {
	uint32_t type, access_off;
};

/* Adds to the file's BTF what says where a path that was noted leads. 0 or -errno. */
int
core_names_put(struct core_names *names, struct btf *btf, const char *path, struct core_place *place);

#endif
