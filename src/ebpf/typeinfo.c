/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * BTF, read: the types of an object of a C compiler, of the running kernel or of one of its modules. Without libbpf, so that
 * libktap needs none, and because the bytes may come from anywhere:
 *
 *     header | types, one behind the other: struct btf_type and what its kind adds | strings, each with its NUL
 *
 * All is checked once, when the bytes come in: every type lies inside, every name is a string that ends, every reference to a type
 * names one. Afterwards only cycles are left to beware of: what follows references here and elsewhere counts its steps.
 *
 * A module's BTF continues its kernel's: its first type has the number that comes after the kernel's last, its strings likewise.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ebpf/ebpf_int.h"

#define BYTES_MAX   (256u << 20)
#define TYPES_MAX   (1u << 24)
#define NAME_LEN_MAX 1023 /* the kernel takes half as much */
#define MEMBERS_MAX (1u << 20) /* that are looked at for one, in structures without a name in each other */
#define STEPS_MAX   64  /* typedefs and qualifiers before a type, arrays in arrays */
#define POINTER_SIZE 8         /* of eBPF and of the kernels that have it */

struct typeinfo {
	const struct typeinfo *base; /* what it continues; NULL: nothing */
	uint8_t *data;               /* all of it, owned */
	const char *strings;
	uint32_t strings_len, strings_start; /* start: offset of the first string, after those of the base */
	bool has_texts;              /* strings that are too long for names, of its own or the base's */
	size_t len;                  /* of data */
	uint32_t *offs;              /* of the types, in data; owned */
	uint32_t n, cap, first;      /* types first to first + n - 1 are here; 0 is void and nowhere */
};

static int
bad(struct text *why, const char *format, ...) PRINTF_LIKE(2, 3);

static int
bad(struct text *why, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	text_vprintf(why, format, args);
	va_end(args);
	return -EINVAL;
}

/* ---- asking -------------------------------------------------------------------------------------------------------------- */

uint32_t
typeinfo_count(const struct typeinfo *info)
{
	return info->first + info->n;
}

uint32_t
typeinfo_first(const struct typeinfo *info)
{
	return info->first;
}

static const struct btf_type *
type_here(const struct typeinfo *info, uint32_t id)
{
	return (const struct btf_type *)(info->data + info->offs[id - info->first]);
}

const struct btf_type *
typeinfo_type(const struct typeinfo *info, uint32_t id)
{
	static const struct btf_type nothing;

	if (id == 0)
		return &nothing;
	while (info && id < info->first)
		info = info->base;
	return info && id - info->first < info->n ? type_here(info, id) : NULL;
}

const char *
typeinfo_string(const struct typeinfo *info, uint32_t off)
{
	while (info && off < info->strings_start)
		info = info->base;
	return info && off - info->strings_start < info->strings_len ? info->strings + (off - info->strings_start) : "";
}

const char *
typeinfo_name(const struct typeinfo *info, uint32_t id)
{
	const struct btf_type *type = typeinfo_type(info, id);

	return type ? typeinfo_string(info, type->name_off) : "";
}

void *
typeinfo_bytes(struct typeinfo *info, size_t *len)
{
	*len = info->len;
	return info->data;
}

static bool
is_transparent(uint32_t kind)
{
	return kind == BTF_KIND_TYPEDEF || kind == BTF_KIND_CONST || kind == BTF_KIND_VOLATILE || kind == BTF_KIND_RESTRICT ||
	       kind == BTF_KIND_TYPE_TAG;
}

const struct btf_type *
typeinfo_plain(const struct typeinfo *info, uint32_t id, uint32_t *plain)
{
	for (int steps = 0; steps < STEPS_MAX; steps++) {
		const struct btf_type *type = typeinfo_type(info, id);

		if (!type || !is_transparent(BTF_INFO_KIND(type->info))) {
			if (plain)
				*plain = id;
			return type;
		}
		id = type->type;
	}
	return NULL;
}

uint32_t
typeinfo_kind(const struct typeinfo *info, uint32_t id)
{
	const struct btf_type *type = typeinfo_type(info, id);

	return type ? BTF_INFO_KIND(type->info) : BTF_KIND_UNKN;
}

int64_t
typeinfo_size(const struct typeinfo *info, uint32_t id)
{
	uint64_t count = 1, size;

	for (int steps = 0; steps < STEPS_MAX; steps++) {
		const struct btf_type *type = typeinfo_plain(info, id, NULL);

		if (!type)
			return -EINVAL;
		switch (BTF_INFO_KIND(type->info)) {
		case BTF_KIND_INT:
		case BTF_KIND_STRUCT:
		case BTF_KIND_UNION:
		case BTF_KIND_ENUM:
		case BTF_KIND_ENUM64:
		case BTF_KIND_FLOAT:
		case BTF_KIND_DATASEC:
			size = type->size;
			break;
		case BTF_KIND_PTR:
			size = POINTER_SIZE;
			break;
		case BTF_KIND_VAR:
			id = type->type;
			continue;
		case BTF_KIND_ARRAY:
			id = type_array(type)->type;
			if (__builtin_mul_overflow(count, type_array(type)->nelems, &count) || count > UINT32_MAX)
				return -E2BIG;
			continue;
		default: /* void, functions, forward declarations: the kinds are the kernel's, not ours */
			return -EINVAL;
		}
		if (__builtin_mul_overflow(count, size, &size) || size > UINT32_MAX)
			return -E2BIG;
		return (int64_t)size;
	}
	return -EINVAL;
}

uint32_t
typeinfo_find_own(const struct typeinfo *info, const char *name, uint32_t kind)
{
	for (uint32_t i = 0; i < info->n; i++) {
		const struct btf_type *type = type_here(info, info->first + i);

		if (BTF_INFO_KIND(type->info) == kind && strcmp(typeinfo_string(info, type->name_off), name) == 0)
			return info->first + i;
	}
	return 0;
}

uint32_t
typeinfo_find(const struct typeinfo *info, const char *name, uint32_t kind)
{
	uint32_t id = info->base ? typeinfo_find(info->base, name, kind) : 0;

	return id ? id : typeinfo_find_own(info, name, kind);
}

/* ---- reading --------------------------------------------------------------------------------------------------------------- */

/* Bytes that follow struct btf_type; UINT64_MAX: there is no such kind. */
static uint64_t
extra_bytes(const struct btf_type *type)
{
	static const struct {
		bool known;
		uint8_t fixed, each;
	} kinds[] = {
		[BTF_KIND_INT] = { true, sizeof(uint32_t), 0 },
		[BTF_KIND_PTR] = { true, 0, 0 },
		[BTF_KIND_ARRAY] = { true, sizeof(struct btf_array), 0 },
		[BTF_KIND_STRUCT] = { true, 0, sizeof(struct btf_member) },
		[BTF_KIND_UNION] = { true, 0, sizeof(struct btf_member) },
		[BTF_KIND_ENUM] = { true, 0, sizeof(struct btf_enum) },
		[BTF_KIND_FWD] = { true, 0, 0 },
		[BTF_KIND_TYPEDEF] = { true, 0, 0 },
		[BTF_KIND_VOLATILE] = { true, 0, 0 },
		[BTF_KIND_CONST] = { true, 0, 0 },
		[BTF_KIND_RESTRICT] = { true, 0, 0 },
		[BTF_KIND_FUNC] = { true, 0, 0 },
		[BTF_KIND_FUNC_PROTO] = { true, 0, sizeof(struct btf_param) },
		[BTF_KIND_VAR] = { true, sizeof(struct btf_var), 0 },
		[BTF_KIND_DATASEC] = { true, 0, sizeof(struct btf_var_secinfo) },
		[BTF_KIND_FLOAT] = { true, 0, 0 },
		[BTF_KIND_DECL_TAG] = { true, sizeof(struct btf_decl_tag), 0 },
		[BTF_KIND_TYPE_TAG] = { true, 0, 0 },
		[BTF_KIND_ENUM64] = { true, 0, sizeof(struct btf_enum64) },
	};
	uint32_t kind = BTF_INFO_KIND(type->info);

	if (kind >= ARRAY_SIZE(kinds) || !kinds[kind].known)
		return UINT64_MAX;
	return kinds[kind].fixed + (uint64_t)kinds[kind].each * BTF_INFO_VLEN(type->info);
}

static int
add_type(struct typeinfo *info, uint32_t off, struct text *why)
{
	uint32_t *offs = mem_grow(info->offs, info->n, &info->cap, sizeof(*offs));

	if (!offs) {
		text_puts(why, "out of memory");
		return -ENOMEM;
	}
	info->offs = offs;
	offs[info->n++] = off;
	return 0;
}

/* Finds where each type begins. */
static int
index_types(struct typeinfo *info, uint32_t start, uint32_t len, struct text *why)
{
	uint32_t at = 0;

	while (at < len) {
		const struct btf_type *type = (const struct btf_type *)(info->data + start + at);
		uint64_t extra = len - at >= sizeof(*type) ? extra_bytes(type) : UINT64_MAX;
		int err;

		if (extra > len - at - sizeof(*type))
			return bad(why, "type %u, at byte %u, is of an unknown kind or does not end", typeinfo_count(info), at);
		if (typeinfo_count(info) >= TYPES_MAX)
			return bad(why, "more than %u types", TYPES_MAX);
		err = add_type(info, start + at, why);
		if (err)
			return err;
		at += (uint32_t)(sizeof(*type) + extra);
	}
	return 0;
}

static bool
is_string(const struct typeinfo *info, uint32_t off)
{
	return off < info->strings_start + info->strings_len;
}

/* A name that can be compared and shown without further thought. */
static bool
is_name(const struct typeinfo *info, uint32_t off)
{
	return is_string(info, off) && (!info->has_texts || strnlen(typeinfo_string(info, off), NAME_LEN_MAX + 1) <= NAME_LEN_MAX);
}

static bool
is_type(const struct typeinfo *info, uint32_t id)
{
	return id < typeinfo_count(info);
}

static bool
members_are_good(const struct typeinfo *info, const struct btf_type *type)
{
	const struct btf_member *members = type_members(type);

	for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info); i++)
		if (!is_name(info, members[i].name_off) || !is_type(info, members[i].type))
			return false;
	return true;
}

static bool
params_are_good(const struct typeinfo *info, const struct btf_type *type)
{
	const struct btf_param *params = type_params(type);

	for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info); i++)
		if (!is_name(info, params[i].name_off) || !is_type(info, params[i].type))
			return false;
	return is_type(info, type->type);
}

static bool
variables_are_good(const struct typeinfo *info, const struct btf_type *type)
{
	const struct btf_var_secinfo *vars = type_variables(type);

	for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info); i++)
		if (!is_type(info, vars[i].type))
			return false;
	return true;
}

static bool
enumerators_are_good(const struct typeinfo *info, const struct btf_type *type)
{
	bool wide = BTF_INFO_KIND(type->info) == BTF_KIND_ENUM64;

	for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info); i++)
		if (!is_name(info, wide ? type_enums64(type)[i].name_off : type_enums(type)[i].name_off))
			return false;
	return true;
}

/* Are all names and types that it refers to there? */
static bool
refers_well(const struct typeinfo *info, const struct btf_type *type)
{
	uint32_t kind = BTF_INFO_KIND(type->info);

	/* The text of a tag is no name. */
	if (kind == BTF_KIND_DECL_TAG || kind == BTF_KIND_TYPE_TAG ? !is_string(info, type->name_off) : !is_name(info, type->name_off))
		return false;
	switch (kind) {
	case BTF_KIND_PTR:
	case BTF_KIND_TYPEDEF:
	case BTF_KIND_VOLATILE:
	case BTF_KIND_CONST:
	case BTF_KIND_RESTRICT:
	case BTF_KIND_FUNC:
	case BTF_KIND_VAR:
	case BTF_KIND_DECL_TAG:
	case BTF_KIND_TYPE_TAG:
		return is_type(info, type->type);
	case BTF_KIND_ARRAY:
		return is_type(info, type_array(type)->type) && is_type(info, type_array(type)->index_type);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return members_are_good(info, type);
	case BTF_KIND_FUNC_PROTO:
		return params_are_good(info, type);
	case BTF_KIND_DATASEC:
		return variables_are_good(info, type);
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return enumerators_are_good(info, type);
	default: /* int, float, fwd: index_types let no other kind in */
		return true;
	}
}

static int
check_types(const struct typeinfo *info, struct text *why)
{
	for (uint32_t i = 0; i < info->n; i++)
		if (!refers_well(info, type_here(info, info->first + i)))
			return bad(why, "type %u refers to a name or type that is not there, or to a name of more than %u bytes", info->first + i, NAME_LEN_MAX);
	return 0;
}

static bool
lies_inside(uint64_t start, uint64_t len, uint64_t size)
{
	return start <= size && len <= size - start;
}

/* One look at all strings, so that of most files no name has to be looked at. */
static bool
has_texts(const char *strings, uint32_t len)
{
	for (uint32_t at = 0, n; at < len; at += n + 1) {
		n = (uint32_t)strlen(strings + at);
		if (n > NAME_LEN_MAX)
			return true;
	}
	return false;
}

static int
parse(struct typeinfo *info, size_t len, struct text *why)
{
	struct btf_header header;
	uint64_t rest;
	int err;

	if (len < sizeof(header) || len > BYTES_MAX)
		return bad(why, "%zu bytes are not BTF", len);
	memcpy(&header, info->data, sizeof(header));
	if (header.magic != BTF_MAGIC)
		return bad(why, header.magic == __builtin_bswap16(BTF_MAGIC) ? "of the other byte order" : "no magic number of BTF");
	if (header.version != BTF_VERSION)
		return bad(why, "version %u of BTF is not known", header.version);
	if (header.hdr_len < sizeof(header) || header.hdr_len > len || header.hdr_len % 4 || header.type_off % 4)
		return bad(why, "its header is damaged");
	rest = len - header.hdr_len;
	if (!lies_inside(header.type_off, header.type_len, rest) || !lies_inside(header.str_off, header.str_len, rest))
		return bad(why, "types or names reach past the end");
	info->strings = (const char *)info->data + header.hdr_len + header.str_off;
	info->strings_len = header.str_len;
	if (!header.str_len || info->strings[header.str_len - 1] || (!info->base && info->strings[0]) ||
	    header.str_len > UINT32_MAX - info->strings_start)
		return bad(why, "its table of names is damaged");
	info->has_texts = has_texts(info->strings, info->strings_len) || (info->base && info->base->has_texts);
	err = index_types(info, header.hdr_len + header.type_off, header.type_len, why);
	return err ? err : check_types(info, why);
}

/* Takes `data`, which malloc made. */
static struct typeinfo *
typeinfo_take(uint8_t *data, size_t len, const struct typeinfo *base, struct text *why)
{
	struct typeinfo *info = mem_alloc(sizeof(*info));

	if (!info) {
		free(data);
		text_puts(why, "out of memory");
		return NULL;
	}
	info->data = data;
	info->len = len;
	info->base = base;
	info->first = base ? typeinfo_count(base) : 1;
	info->strings_start = base ? base->strings_start + base->strings_len : 0;
	if (parse(info, len, why)) {
		typeinfo_free(info);
		return NULL;
	}
	return info;
}

struct typeinfo *
typeinfo_new(const void *bytes, size_t len, const struct typeinfo *base, struct text *why)
{
	uint8_t *copy = mem_alloc(len + 1);

	if (!copy) {
		text_puts(why, "out of memory");
		return NULL;
	}
	memcpy(copy, bytes, len);
	return typeinfo_take(copy, len, base, why);
}

struct typeinfo *
typeinfo_open(const char *path, const struct typeinfo *base, struct text *why)
{
	struct typeinfo *info = NULL;
	struct text inner = { 0 };
	size_t len;
	uint8_t *data = file_read(path, BYTES_MAX, &len);

	if (!data) {
		text_printf(why, "cannot read BTF from %s: %s", path, strerror(errno));
	} else {
		info = typeinfo_take(data, len, base, &inner);
		if (!info)
			text_printf(why, "%s holds no usable BTF: %s", path, inner.s);
	}
	text_fini(&inner);
	return info;
}

void
typeinfo_free(struct typeinfo *info)
{
	if (!info)
		return;
	free(info->offs);
	free(info->data);
	free(info);
}

static bool
find_member(const struct typeinfo *info, uint32_t id, const char *name, unsigned depth, uint32_t *left, struct typeinfo_member *found)
{
	const struct btf_type *type = typeinfo_plain(info, id, &id);
	const struct btf_member *member = type ? type_members(type) : NULL;
	uint32_t kind = typeinfo_kind(info, id), n = type ? BTF_INFO_VLEN(type->info) : 0;

	if (kind != BTF_KIND_STRUCT && kind != BTF_KIND_UNION)
		return false;
	for (; n && *left; n--, member++) {
		const char *its = typeinfo_string(info, member->name_off);

		--*left;
		if (strcmp(its, name) == 0) {
			*found = (struct typeinfo_member){ member->type, member_bit_off(type, member), member_bits(type, member) };
			return true;
		}
		if (!*its && depth < TYPEINFO_ANONYMOUS_MAX && find_member(info, member->type, name, depth + 1, left, found)) {
			found->bit_off += member_bit_off(type, member);
			return true;
		}
	}
	return false;
}

bool
typeinfo_member(const struct typeinfo *info, uint32_t id, const char *name, struct typeinfo_member *found)
{
	return find_member(info, id, name, 0, &(uint32_t){ MEMBERS_MAX }, found);
}
