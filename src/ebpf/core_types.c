/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * CO-RE: when two types, one of an object, one of the target, are taken for the same. The rules are libbpf's (its documentation of
 * bpf_core_type_exists, bpf_core_type_matches and bpf_core_field_exists), so that an object finds the same fields whoever loads it.
 *
 * BTF may have cycles, through pointers or, where it is damaged, through anything. Each comparison takes one from a budget; when it is
 * used up, the answer is CORE_TOO_DEEP.
 */
#include <string.h>

#include "ebpf/ebpf_int.h"

#define DEPTH_MAX 32

uint32_t
core_name_len(const char *name)
{
	size_t len = strlen(name);

	for (size_t i = len; i-- > 4;)
		if (name[i] != '_' && name[i - 1] == '_' && name[i - 2] == '_' && name[i - 3] == '_' && name[i - 4] != '_')
			return (uint32_t)(i - 3);
	return (uint32_t)len;
}

static bool
names_agree(const char *a, const char *b)
{
	uint32_t len = core_name_len(a);

	return len == core_name_len(b) && memcmp(a, b, len) == 0;
}

static bool
is_composite(uint32_t kind)
{
	return kind == BTF_KIND_STRUCT || kind == BTF_KIND_UNION;
}

bool
core_kinds_agree(uint32_t local, uint32_t target)
{
	return local == target || (kind_is_enum(local) && kind_is_enum(target));
}

static enum core_verdict
verdict(bool agrees)
{
	return agrees ? CORE_AGREES : CORE_DIFFERS;
}

/* Both types without typedefs; false: one of them has too many, or the budget is used up. */
static bool
both_plain(struct type_ref *local, struct type_ref *target, const struct btf_type **l, const struct btf_type **t, uint32_t *budget)
{
	if (*budget == 0)
		return false;
	--*budget;
	*l = typeinfo_plain(local->types, local->id, &local->id);
	*t = typeinfo_plain(target->types, target->id, &target->id);
	return *l && *t;
}

static bool
is_plain_int(const struct btf_type *type)
{
	return BTF_INT_OFFSET(type_int(type)) == 0;
}

enum core_verdict
core_fields_agree(struct type_ref local, struct type_ref target, uint32_t *budget)
{
	const struct btf_type *l, *t;
	const char *l_name, *t_name;

	while (both_plain(&local, &target, &l, &t, budget)) {
		uint32_t l_kind = BTF_INFO_KIND(l->info), t_kind = BTF_INFO_KIND(t->info);

		if (is_composite(l_kind) && is_composite(t_kind))
			return CORE_AGREES;
		if (!core_kinds_agree(l_kind, t_kind))
			return CORE_DIFFERS;
		switch (l_kind) {
		case BTF_KIND_PTR:
		case BTF_KIND_FLOAT:
			return CORE_AGREES;
		case BTF_KIND_FWD:
		case BTF_KIND_ENUM:
		case BTF_KIND_ENUM64:
			l_name = typeinfo_string(local.types, l->name_off);
			t_name = typeinfo_string(target.types, t->name_off);
			return verdict(!*l_name || !*t_name || names_agree(l_name, t_name));
		case BTF_KIND_INT:
			return verdict(is_plain_int(l) && is_plain_int(t));
		case BTF_KIND_ARRAY:
			local.id = type_array(l)->type;
			target.id = type_array(t)->type;
			continue;
		default: /* kinds of the kernel's that fields do not have */
			return CORE_DIFFERS;
		}
	}
	return CORE_TOO_DEEP;
}

typedef enum core_verdict compare_fn(struct type_ref local, struct type_ref target, bool behind_pointer, int depth, uint32_t *budget);

/* The parameters of two prototypes, one by one. */
static enum core_verdict
params_agree(struct type_ref local, struct type_ref target, compare_fn *compare, int depth, uint32_t *budget)
{
	const struct btf_type *l = typeinfo_type(local.types, local.id), *t = typeinfo_type(target.types, target.id);

	if (BTF_INFO_VLEN(l->info) != BTF_INFO_VLEN(t->info))
		return CORE_DIFFERS;
	for (uint32_t i = 0; i < BTF_INFO_VLEN(l->info); i++) {
		enum core_verdict param = compare((struct type_ref){ local.types, type_params(l)[i].type },
						  (struct type_ref){ target.types, type_params(t)[i].type }, false, depth - 1, budget);

		if (param != CORE_AGREES)
			return param;
	}
	return CORE_AGREES;
}

/* core_types_agree at some depth; behind_pointer says nothing here. */
static enum core_verdict
agree(struct type_ref local, struct type_ref target, bool behind_pointer, int depth, uint32_t *budget)
{
	const struct btf_type *l, *t;
	enum core_verdict params;

	while (depth > 0 && both_plain(&local, &target, &l, &t, budget)) {
		uint32_t kind = BTF_INFO_KIND(l->info);

		if (!core_kinds_agree(kind, BTF_INFO_KIND(t->info)))
			return CORE_DIFFERS;
		switch (kind) {
		case BTF_KIND_UNKN:
		case BTF_KIND_STRUCT:
		case BTF_KIND_UNION:
		case BTF_KIND_ENUM:
		case BTF_KIND_ENUM64:
		case BTF_KIND_FWD:
			return CORE_AGREES;
		case BTF_KIND_INT:
			return verdict(is_plain_int(l) && is_plain_int(t));
		case BTF_KIND_ARRAY:
			local.id = type_array(l)->type;
			target.id = type_array(t)->type;
			continue;
		case BTF_KIND_FUNC_PROTO:
			params = params_agree(local, target, agree, depth, budget);
			if (params != CORE_AGREES)
				return params;
			local.id = l->type;
			target.id = t->type;
			continue;
		case BTF_KIND_PTR:
			local.id = l->type;
			target.id = t->type;
			continue;
		default: /* kinds of the kernel's that nothing has as its type */
			return CORE_DIFFERS;
		}
	}
	return CORE_TOO_DEEP;
}

enum core_verdict
core_types_agree(struct type_ref local, struct type_ref target, uint32_t *budget)
{
	return agree(local, target, false, DEPTH_MAX, budget);
}

/* ---- whole types ------------------------------------------------------------------------------------------------------------ */

static bool
has_enumerator(struct type_ref in, const char *name)
{
	const struct btf_type *type = typeinfo_type(in.types, in.id);

	for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info); i++)
		if (names_agree(name, type_enumerator_name(in.types, type, i)))
			return true;
	return false;
}

static enum core_verdict
enums_match(struct type_ref local, struct type_ref target, uint32_t *budget)
{
	const struct btf_type *l = typeinfo_type(local.types, local.id), *t = typeinfo_type(target.types, target.id);
	uint32_t n = BTF_INFO_VLEN(l->info);

	if (l->size != t->size || n > BTF_INFO_VLEN(t->info))
		return CORE_DIFFERS;
	if ((uint64_t)n * BTF_INFO_VLEN(t->info) > *budget)
		return CORE_TOO_DEEP;
	*budget -= n * BTF_INFO_VLEN(t->info);
	for (uint32_t i = 0; i < n; i++)
		if (!has_enumerator(target, type_enumerator_name(local.types, l, i)))
			return CORE_DIFFERS;
	return CORE_AGREES;
}

static compare_fn match;

/* Is there a member like `member` among the target's? */
static enum core_verdict
member_matches(struct type_ref local, const struct btf_member *member, struct type_ref target, int depth, uint32_t *budget)
{
	const struct btf_type *t = typeinfo_type(target.types, target.id);
	const char *name = typeinfo_string(local.types, member->name_off);

	for (uint32_t i = 0; i < BTF_INFO_VLEN(t->info); i++) {
		const struct btf_member *other = &type_members(t)[i];
		enum core_verdict same;

		if (*budget == 0)
			return CORE_TOO_DEEP;
		--*budget;
		if (!names_agree(name, typeinfo_string(target.types, other->name_off)))
			continue;
		same = match((struct type_ref){ local.types, member->type }, (struct type_ref){ target.types, other->type }, false, depth - 1,
			     budget);
		if (same != CORE_DIFFERS)
			return same;
	}
	return CORE_DIFFERS;
}

static enum core_verdict
composites_match(struct type_ref local, struct type_ref target, int depth, uint32_t *budget)
{
	const struct btf_type *l = typeinfo_type(local.types, local.id);

	if (BTF_INFO_VLEN(l->info) > BTF_INFO_VLEN(typeinfo_type(target.types, target.id)->info))
		return CORE_DIFFERS;
	for (uint32_t i = 0; i < BTF_INFO_VLEN(l->info); i++) {
		enum core_verdict member = member_matches(local, &type_members(l)[i], target, depth, budget);

		if (member != CORE_AGREES)
			return member;
	}
	return CORE_AGREES;
}

/* A forward declaration and what it may stand for: a struct, or with the flag a union, declared or not. */
static bool
forwards_match(const struct btf_type *fwd, const struct btf_type *type)
{
	bool is_union = BTF_INFO_KFLAG(fwd->info);
	uint32_t kind = BTF_INFO_KIND(type->info);

	if (kind == BTF_KIND_FWD)
		return is_union == BTF_INFO_KFLAG(type->info);
	return kind == (is_union ? BTF_KIND_UNION : BTF_KIND_STRUCT);
}

static bool
ints_match(const struct btf_type *l, const struct btf_type *t)
{
	return l->size == t->size && (BTF_INT_ENCODING(type_int(l)) & BTF_INT_SIGNED) == (BTF_INT_ENCODING(type_int(t)) & BTF_INT_SIGNED);
}

/* core_types_match at some depth: behind a pointer a struct's name is enough. */
static enum core_verdict
match(struct type_ref local, struct type_ref target, bool behind_pointer, int depth, uint32_t *budget)
{
	const struct btf_type *l, *t;
	enum core_verdict params;

	while (depth > 0 && both_plain(&local, &target, &l, &t, budget)) {
		uint32_t kind = BTF_INFO_KIND(l->info);
		bool same_kind = kind == BTF_INFO_KIND(t->info);

		if (!names_agree(typeinfo_string(local.types, l->name_off), typeinfo_string(target.types, t->name_off)))
			return CORE_DIFFERS;
		if (kind == BTF_KIND_FWD)
			return verdict(forwards_match(l, t));
		if (is_composite(kind) && behind_pointer)
			return verdict(same_kind || (BTF_INFO_KIND(t->info) == BTF_KIND_FWD && forwards_match(t, l)));
		if (!core_kinds_agree(kind, BTF_INFO_KIND(t->info)))
			return CORE_DIFFERS;
		switch (kind) {
		case BTF_KIND_UNKN:
			return CORE_AGREES;
		case BTF_KIND_ENUM:
		case BTF_KIND_ENUM64:
			return enums_match(local, target, budget);
		case BTF_KIND_STRUCT:
		case BTF_KIND_UNION:
			return composites_match(local, target, depth, budget);
		case BTF_KIND_INT:
			return verdict(ints_match(l, t));
		case BTF_KIND_ARRAY:
			if (type_array(l)->nelems != type_array(t)->nelems)
				return CORE_DIFFERS;
			local.id = type_array(l)->type;
			target.id = type_array(t)->type;
			continue;
		case BTF_KIND_FUNC_PROTO:
			params = params_agree(local, target, match, depth, budget);
			if (params != CORE_AGREES)
				return params;
			local.id = l->type;
			target.id = t->type;
			continue;
		case BTF_KIND_PTR:
			behind_pointer = true;
			local.id = l->type;
			target.id = t->type;
			continue;
		default: /* kinds of the kernel's that libbpf does not compare either */
			return CORE_DIFFERS;
		}
	}
	return CORE_TOO_DEEP;
}

enum core_verdict
core_types_match(struct type_ref local, struct type_ref target, uint32_t *budget)
{
	return match(local, target, false, DEPTH_MAX, budget);
}
