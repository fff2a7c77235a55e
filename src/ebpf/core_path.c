/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * CO-RE: the place in a type that a relocation names ("0:2:1"), the same place in a type of the target, and the number that is asked for.
 *
 * The object's BTF and access strings are not trusted: numbers are checked against the types on the way, and what compares types has
 * a budget. core.c tells the story.
 */
#include <stdlib.h>
#include <string.h>

#include "ebpf/ebpf_int.h"

#define PRINTED_MAX 2000 /* bytes of a path in a message, after which no further name begins */
#define DEPTH_MAX 32 /* unnamed structs in unnamed structs */

/* ---- paths ----------------------------------------------------------------------------------------------------------------------- */

enum topic { TOPIC_FIELD, TOPIC_TYPE, TOPIC_ENUM };

/* What a relocation is about; -1: there is no such kind. */
static int
topic_of(enum bpf_core_relo_kind kind)
{
	switch (kind) {
	case BPF_CORE_FIELD_BYTE_OFFSET:
	case BPF_CORE_FIELD_BYTE_SIZE:
	case BPF_CORE_FIELD_EXISTS:
	case BPF_CORE_FIELD_SIGNED:
	case BPF_CORE_FIELD_LSHIFT_U64:
	case BPF_CORE_FIELD_RSHIFT_U64:
		return TOPIC_FIELD;
	case BPF_CORE_TYPE_ID_LOCAL:
	case BPF_CORE_TYPE_ID_TARGET:
	case BPF_CORE_TYPE_EXISTS:
	case BPF_CORE_TYPE_SIZE:
	case BPF_CORE_TYPE_MATCHES:
		return TOPIC_TYPE;
	case BPF_CORE_ENUMVAL_EXISTS:
	case BPF_CORE_ENUMVAL_VALUE:
		return TOPIC_ENUM;
	}
	return -1;
}

bool
core_kind_is_known(enum bpf_core_relo_kind kind)
{
	return topic_of(kind) >= 0;
}

/* The next of the numbers "12:3:0"; false: there is none. *at goes behind it. */
static bool
next_number(const char **at, uint32_t *number)
{
	char *end;
	unsigned long n;

	if (**at < '0' || **at > '9')
		return false;
	n = strtoul(*at, &end, 10);
	if (n > INT32_MAX || (*end != ':' && *end != '\0') || (*end == ':' && end[1] == '\0'))
		return false;
	*number = (uint32_t)n;
	*at = *end ? end + 1 : end;
	return true;
}

static bool
path_add(struct core_path *path, struct core_step step)
{
	if (path->n == CORE_STEPS_MAX)
		return false;
	path->steps[path->n++] = step;
	path->type = step.type;
	return true;
}

/* Goes to element `index` of things of type `type`. */
static bool
path_element(struct core_path *path, uint32_t index, uint32_t type)
{
	int64_t size = typeinfo_size(path->root.types, type);

	if (size < 0)
		return false;
	path->bit_off += (uint64_t)index * (uint64_t)size * 8;
	path->bits = 0;
	return path_add(path, (struct core_step){ .within = type, .index = index, .type = type });
}

/* An array without a stated end: the last member of a struct, with 0 elements. */
static bool
is_open_array(const struct core_path *path, const struct btf_type *array)
{
	const struct core_step *last = path->n ? &path->steps[path->n - 1] : NULL;

	return type_array(array)->nelems == 0 && last && last->name &&
	       last->index + 1 == BTF_INFO_VLEN(typeinfo_type(path->root.types, last->within)->info);
}

static bool
path_array_element(struct core_path *path, const struct btf_type *array, uint32_t index)
{
	if (!is_open_array(path, array) && index >= type_array(array)->nelems)
		return false;
	return path_element(path, index, type_array(array)->type);
}

/* Goes to member `index` of the struct or union with that id; one without a name is no step, what is in it is. */
static bool
path_member(struct core_path *path, uint32_t within, uint32_t index)
{
	const struct btf_type *type = typeinfo_type(path->root.types, within);
	const struct btf_member *member;
	const char *name;

	if (index >= BTF_INFO_VLEN(type->info))
		return false;
	member = &type_members(type)[index];
	name = typeinfo_string(path->root.types, member->name_off);
	path->bit_off += member_bit_off(type, member);
	path->bits = member_bits(type, member);
	path->type = member->type;
	return !*name || path_add(path, (struct core_step){ .within = within, .index = index, .name = name, .type = member->type });
}

static bool
path_field(struct core_path *path, const char *access)
{
	uint32_t index, plain;

	if (!next_number(&access, &index) || !path_element(path, index, path->root.id))
		return false;
	while (*access) {
		const struct btf_type *type = typeinfo_plain(path->root.types, path->type, &plain);

		if (!type || !next_number(&access, &index))
			return false;
		if (type_has_members(type) ? !path_member(path, plain, index) :
					 BTF_INFO_KIND(type->info) != BTF_KIND_ARRAY || !path_array_element(path, type, index))
			return false;
	}
	return true;
}

static bool
path_enumerator(struct core_path *path, const char *access)
{
	uint32_t index, plain;
	const struct btf_type *type = typeinfo_plain(path->root.types, path->root.id, &plain);

	if (!type || !type_is_enum(type) || !next_number(&access, &index) || *access || index >= BTF_INFO_VLEN(type->info))
		return false;
	return path_add(path, (struct core_step){ .within = plain, .index = index, .name = type_enumerator_name(path->root.types, type, index) });
}

bool
core_path_read(const struct typeinfo *types, const struct core_reloc *reloc, struct core_path *path)
{
	*path = (struct core_path){ .root = { types, reloc->type }, .type = reloc->type };
	switch ((enum topic)topic_of(reloc->kind)) {
	case TOPIC_FIELD:
		return path_field(path, reloc->access);
	case TOPIC_TYPE:
		return strcmp(reloc->access, "0") == 0;
	case TOPIC_ENUM:
		return path_enumerator(path, reloc->access);
	}
	return false;
}

void
core_path_print(const struct core_path *path, struct text *out)
{
	uint32_t kind = typeinfo_kind(path->root.types, path->root.id);

	text_puts(out, kind == BTF_KIND_STRUCT ? "struct " : kind == BTF_KIND_UNION ? "union " : kind == BTF_KIND_TYPEDEF ? "" : "enum ");
	text_puts(out, *typeinfo_name(path->root.types, path->root.id) ? typeinfo_name(path->root.types, path->root.id) : "(unnamed)");
	for (uint32_t i = 0; i < path->n && out->len < PRINTED_MAX; i++)
		if (path->steps[i].name)
			text_printf(out, ".%s", path->steps[i].name);
		else if (i)
			text_printf(out, "[%u]", path->steps[i].index);
	if (out->len >= PRINTED_MAX)
		text_puts(out, "...");
}

/* ---- the same place in the target ---------------------------------------------------------------------------------------------------- */

/*
 * Goes on to the member that `step` of the object names, in the target's struct or union `within` or in an unnamed one in it.
 * CORE_DIFFERS: it has none, or one of another type.
 */
static enum core_verdict
match_member(const struct core_path *local, const struct core_step *step, struct core_path *out, uint32_t within, int depth, uint32_t *budget)
{
	const struct btf_type *type = typeinfo_type(out->root.types, within);
	const struct core_path before = *out;

	for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info); i++) {
		const struct btf_member *member = &type_members(type)[i];
		const char *name = typeinfo_string(out->root.types, member->name_off);
		uint32_t inner;
		enum core_verdict verdict = CORE_DIFFERS;

		if (*budget == 0 || depth == 0)
			return CORE_TOO_DEEP;
		--*budget;
		if (*name && strcmp(name, step->name) != 0)
			continue;
		if (!path_member(out, within, i))
			return CORE_TOO_DEEP;
		if (*name)
			return core_fields_agree((struct type_ref){ local->root.types, step->type },
						 (struct type_ref){ out->root.types, member->type }, budget);
		if (typeinfo_plain(out->root.types, member->type, &inner) && type_has_members(typeinfo_type(out->root.types, inner)))
			verdict = match_member(local, step, out, inner, depth - 1, budget);
		if (verdict != CORE_DIFFERS)
			return verdict;
		*out = before;
	}
	return CORE_DIFFERS;
}

static enum core_verdict
match_field(const struct core_path *local, struct core_path *out, uint32_t *budget)
{
	for (uint32_t i = 0; i < local->n; i++) {
		const struct core_step *step = &local->steps[i];
		uint32_t plain;
		const struct btf_type *type = typeinfo_plain(out->root.types, out->type, &plain);
		enum core_verdict verdict = CORE_AGREES;

		if (!type)
			return CORE_TOO_DEEP;
		if (step->name)
			verdict = type_has_members(type) ? match_member(local, step, out, plain, DEPTH_MAX, budget) : CORE_DIFFERS;
		else if (i == 0)
			verdict = path_element(out, step->index, out->root.id) ? CORE_AGREES : CORE_DIFFERS;
		else if (BTF_INFO_KIND(type->info) != BTF_KIND_ARRAY || !path_array_element(out, type, step->index))
			verdict = CORE_DIFFERS;
		if (verdict != CORE_AGREES)
			return verdict;
	}
	return CORE_AGREES;
}

static enum core_verdict
match_enumerator(const struct core_path *local, struct core_path *out, uint32_t *budget)
{
	const char *name = local->steps[0].name;
	uint32_t plain, len = core_name_len(name);
	const struct btf_type *type = typeinfo_plain(out->root.types, out->root.id, &plain);

	if (!type || !type_is_enum(type))
		return CORE_DIFFERS;
	for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info); i++) {
		const char *other = type_enumerator_name(out->root.types, type, i);

		if (*budget == 0)
			return CORE_TOO_DEEP;
		--*budget;
		if (core_name_len(other) == len && strncmp(other, name, len) == 0)
			return path_add(out, (struct core_step){ .within = plain, .index = i, .name = other }) ? CORE_AGREES : CORE_TOO_DEEP;
	}
	return CORE_DIFFERS;
}

enum core_verdict
core_path_match(enum bpf_core_relo_kind kind, const struct core_path *local, struct type_ref root, struct core_path *out, uint32_t *budget)
{
	*out = (struct core_path){ .root = root, .type = root.id };
	switch ((enum topic)topic_of(kind)) {
	case TOPIC_FIELD:
		return match_field(local, out, budget);
	case TOPIC_TYPE:
		if (kind == BPF_CORE_TYPE_MATCHES)
			return core_types_match(local->root, root, budget);
		return core_types_agree(local->root, root, budget);
	case TOPIC_ENUM:
		return match_enumerator(local, out, budget);
	}
	return CORE_DIFFERS;
}

/* ---- the number ----------------------------------------------------------------------------------------------------------------------- */

/* Where and in how many bytes a field is read: of a bit field, the smallest aligned unit that has all of it. */
struct unit {
	uint64_t byte_off, byte_size, bit_off, bits;
};

static bool
unit_of(const struct core_path *path, struct unit *unit)
{
	int64_t size = typeinfo_size(path->root.types, path->type);

	*unit = (struct unit){ .bit_off = path->bit_off, .byte_off = path->bit_off / 8, .byte_size = (uint64_t)size };
	if (size < 0)
		return false;
	unit->bits = unit->byte_size * 8;
	if (path->bits == 0)
		return true;
	unit->bits = path->bits;
	for (; unit->byte_size && unit->byte_size <= 8; unit->byte_size *= 2) {
		unit->byte_off = unit->bit_off / 8 / unit->byte_size * unit->byte_size;
		if (unit->bit_off + unit->bits <= (unit->byte_off + unit->byte_size) * 8)
			return true;
	}
	return false;
}

static bool
is_signed(const struct core_path *path)
{
	const struct btf_type *type = typeinfo_plain(path->root.types, path->type, NULL);

	if (type && type_is_enum(type))
		return BTF_INFO_KFLAG(type->info);
	return type && BTF_INFO_KIND(type->info) == BTF_KIND_INT && (BTF_INT_ENCODING(type_int(type)) & BTF_INT_SIGNED);
}

/* How far left a value of the unit goes so that the field's highest bit is the highest of 64. */
static uint64_t
left_shift(const struct unit *unit)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return 64 - (unit->bit_off + unit->bits - unit->byte_off * 8);
#else
	return (8 - unit->byte_size) * 8 + (unit->bit_off - unit->byte_off * 8);
#endif
}

static bool
field_value(enum bpf_core_relo_kind kind, const struct core_path *path, struct core_value *value)
{
	struct unit unit;

	if (kind == BPF_CORE_FIELD_EXISTS) {
		value->number = 1;
		return true;
	}
	if (!unit_of(path, &unit))
		return false;
	value->exact = path->bits == 0 || kind == BPF_CORE_FIELD_SIGNED || kind == BPF_CORE_FIELD_RSHIFT_U64;
	if (kind == BPF_CORE_FIELD_BYTE_OFFSET) {
		value->number = unit.byte_off;
		value->size = path->bits ? 0 : (uint32_t)unit.byte_size;
		value->type = (struct type_ref){ path->root.types, path->type };
	} else if (kind == BPF_CORE_FIELD_BYTE_SIZE) {
		value->number = unit.byte_size;
	} else if (kind == BPF_CORE_FIELD_SIGNED) {
		value->number = is_signed(path);
	} else if (kind == BPF_CORE_FIELD_LSHIFT_U64) {
		value->number = left_shift(&unit);
	} else {
		value->number = 64 - unit.bits;
	}
	return true;
}

static bool
type_value(enum bpf_core_relo_kind kind, const struct core_path *path, struct core_value *value)
{
	int64_t size;

	value->exact = kind != BPF_CORE_TYPE_ID_LOCAL && kind != BPF_CORE_TYPE_ID_TARGET;
	if (kind == BPF_CORE_TYPE_EXISTS || kind == BPF_CORE_TYPE_MATCHES) {
		value->number = 1;
	} else if (kind == BPF_CORE_TYPE_SIZE) {
		size = typeinfo_size(path->root.types, path->root.id);
		value->number = (uint64_t)size;
		return size >= 0;
	} else {
		value->number = path->root.id;
	}
	return true;
}

static uint64_t
enum_value(enum bpf_core_relo_kind kind, const struct core_path *path)
{
	const struct core_step *step = &path->steps[0];
	const struct btf_type *type = typeinfo_type(path->root.types, step->within);
	const struct btf_enum64 *wide;

	if (kind == BPF_CORE_ENUMVAL_EXISTS)
		return 1;
	if (BTF_INFO_KIND(type->info) == BTF_KIND_ENUM) /* widened by its own sign */
		return BTF_INFO_KFLAG(type->info) ? (uint64_t)(int64_t)type_enums(type)[step->index].val :
						    (uint64_t)(uint32_t)type_enums(type)[step->index].val;
	wide = &type_enums64(type)[step->index];
	return (uint64_t)wide->val_hi32 << 32 | wide->val_lo32;
}

bool
core_value_of(enum bpf_core_relo_kind kind, const struct core_path *path, struct core_value *value)
{
	*value = (struct core_value){ .exact = true };
	switch ((enum topic)topic_of(kind)) {
	case TOPIC_FIELD:
		return field_value(kind, path, value);
	case TOPIC_TYPE:
		return type_value(kind, path, value);
	case TOPIC_ENUM:
		value->number = enum_value(kind, path);
		return true;
	}
	return false;
}

struct core_value
core_value_of_nothing(enum bpf_core_relo_kind kind)
{
	/* Size and number of a type that is not there are 0, as libbpf documents them. */
	return (struct core_value){
		.missing = topic_of(kind) != TOPIC_TYPE && kind != BPF_CORE_FIELD_EXISTS && kind != BPF_CORE_ENUMVAL_EXISTS,
	};
}
