/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Values of C types as text, and their order, by their BTF: 5, "text", { pid: 1, comm: "cat" }, [1, 2], MODE_ON. Bytes and types may come from anywhere:
 * what does not fit is shown as hex.
 */
#include <inttypes.h>
#include <string.h>

#include "output/output.h"

#define DEPTH_MAX 16
#define ITEMS_MAX 256 /* of an array; the rest is "..." */

struct typed {
	const struct typeinfo *types;
	const uint8_t *bytes; /* the whole value */
	size_t len;
	struct text *out;
	int depth;
};

static void
put_hex(const struct typed *t, size_t off, size_t len)
{
	for (size_t i = 0; i < len && off + i < t->len; i++)
		text_printf(t->out, "%s%02x", i ? " " : "", t->bytes[off + i]);
}

bool
typed_bits(const void *bytes, size_t len, uint64_t bit_off, uint32_t bits, bool is_signed, int64_t *number)
{
	uint64_t raw = 0, first = bit_off / 8, last;

	if (!bits || bits > 64 || bit_off > UINT32_MAX)
		return false;
	last = (bit_off + bits - 1) / 8;
	if (last >= len || last - first >= 8)
		return false;
	memcpy(&raw, (const uint8_t *)bytes + first, last - first + 1); /* little-endian, as BTF counts the bits of a field there */
	raw = raw >> bit_off % 8 << (64 - bits);
	*number = is_signed ? (int64_t)raw >> (64 - bits) : (int64_t)(raw >> (64 - bits));
	return true;
}

static bool
get_bits(const struct typed *t, uint64_t bit_off, uint32_t bits, bool is_signed, int64_t *number)
{
	return typed_bits(t->bytes, t->len, bit_off, bits, is_signed, number);
}

static void put(const struct typed *t, uint32_t id, uint64_t bit_off, uint32_t bits);

bool
typed_is_char(const struct typeinfo *types, uint32_t id)
{
	const struct btf_type *type = typeinfo_plain(types, id, NULL);

	return type && BTF_INFO_KIND(type->info) == BTF_KIND_INT && type->size == 1 &&
	       (strstr(typeinfo_string(types, type->name_off), "char") || (BTF_INT_ENCODING(type_int(type)) & BTF_INT_CHAR)) &&
	       !strstr(typeinfo_string(types, type->name_off), "unsigned");
}

static void
put_text(const struct typed *t, const uint8_t *s, size_t len)
{
	text_putc(t->out, '"');
	for (size_t i = 0; i < len && s[i]; i++)
		if (s[i] == '"' || s[i] == '\\')
			text_printf(t->out, "\\%c", s[i]);
		else if (s[i] == '\n')
			text_puts(t->out, "\\n");
		else if (s[i] < ' ' || s[i] == 0x7f)
			text_printf(t->out, "\\x%02x", s[i]);
		else
			text_putc(t->out, (char)s[i]);
	text_putc(t->out, '"');
}

static void
put_array(const struct typed *t, const struct btf_type *type, uint64_t off)
{
	const struct btf_array *array = type_array(type);
	int64_t size = typeinfo_size(t->types, array->type);

	if (size <= 0 || off + (uint64_t)size * array->nelems > t->len) {
		put_hex(t, off, t->len);
	} else if (typed_is_char(t->types, array->type)) {
		put_text(t, t->bytes + off, array->nelems);
	} else {
		text_putc(t->out, '[');
		for (uint32_t i = 0; i < array->nelems && i < ITEMS_MAX; i++) {
			text_puts(t->out, i ? ", " : "");
			put(t, array->type, (off + (uint64_t)i * (uint64_t)size) * 8, 0);
		}
		text_puts(t->out, array->nelems > ITEMS_MAX ? ", ...]" : "]");
	}
}

static void
put_struct(const struct typed *t, const struct btf_type *type, uint64_t bit_off)
{
	text_puts(t->out, "{");
	for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info); i++) {
		const struct btf_member *member = &type_members(type)[i];
		const char *name = typeinfo_string(t->types, member->name_off);

		text_printf(t->out, "%s%s%s", i ? ", " : " ", name, *name ? ": " : "");
		put(t, member->type, bit_off + member_bit_off(type, member), member_bits(type, member));
	}
	text_puts(t->out, " }");
}

static void
put_enum(const struct typed *t, const struct btf_type *type, uint64_t bit_off, uint32_t bits)
{
	bool is_signed = BTF_INFO_KFLAG(type->info), wide = BTF_INFO_KIND(type->info) == BTF_KIND_ENUM64;
	int64_t number;

	if (!get_bits(t, bit_off, bits ? bits : type->size * 8, is_signed, &number))
		return;
	for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info); i++) {
		const struct btf_enum *narrow = &type_enums(type)[i];
		const struct btf_enum64 *big = &type_enums64(type)[i];
		int64_t value = wide ? (int64_t)((uint64_t)big->val_hi32 << 32 | big->val_lo32) :
				       is_signed ? narrow->val : (int64_t)(uint32_t)narrow->val;

		if (value == number) {
			text_puts(t->out, typeinfo_string(t->types, wide ? big->name_off : narrow->name_off));
			return;
		}
	}
	text_printf(t->out, "%" PRId64, number);
}

static void
put_int(const struct typed *t, const struct btf_type *type, uint64_t bit_off, uint32_t bits)
{
	uint32_t encoding = BTF_INT_ENCODING(type_int(type));
	int64_t number;

	if (type->size > 8)
		put_hex(t, bit_off / 8, type->size);
	else if (!get_bits(t, bit_off, bits ? bits : type->size * 8, encoding & BTF_INT_SIGNED, &number))
		text_puts(t->out, "?");
	else if (encoding & BTF_INT_BOOL)
		text_puts(t->out, number ? "true" : "false");
	else if (encoding & BTF_INT_SIGNED)
		text_printf(t->out, "%" PRId64, number);
	else
		text_printf(t->out, "%" PRIu64, (uint64_t)number);
}

/* The value of a type that stands at a bit of the bytes; `bits`: of a bit field, else 0. */
static void
put(const struct typed *outer, uint32_t id, uint64_t bit_off, uint32_t bits)
{
	struct typed inner = *outer, *t = &inner;
	const struct btf_type *type = typeinfo_plain(t->types, id, NULL);
	int64_t number;

	if (!type || ++t->depth > DEPTH_MAX) {
		text_puts(t->out, "...");
		return;
	}
	switch (BTF_INFO_KIND(type->info)) {
	case BTF_KIND_INT:
		put_int(t, type, bit_off, bits);
		break;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		put_enum(t, type, bit_off, bits);
		break;
	case BTF_KIND_PTR:
		if (get_bits(t, bit_off, 64, false, &number))
			text_printf(t->out, "0x%" PRIx64, (uint64_t)number);
		break;
	case BTF_KIND_ARRAY:
		put_array(t, type, bit_off / 8);
		break;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		put_struct(t, type, bit_off);
		break;
	default: /* kinds of BTF without a form of ours: floats, functions */
		put_hex(t, bit_off / 8, typeinfo_size(t->types, id) > 0 ? (size_t)typeinfo_size(t->types, id) : 0);
	}
}

void
typed_part_text(const struct typeinfo *types, uint32_t id, const void *bytes, size_t len, uint64_t bit_off, uint32_t bits, struct text *out)
{
	const struct typed whole = { .types = types, .bytes = bytes, .len = len, .out = out };

	put(&whole, id, bit_off, bits);
}

void
typed_text(const struct typeinfo *types, uint32_t id, const void *bytes, size_t len, struct text *out)
{
	struct typed t = { .types = types, .bytes = bytes, .len = len, .out = out };

	if (types && id && typeinfo_size(types, id) == (int64_t)len)
		put(&t, id, 0, 0);
	else
		put_hex(&t, 0, len);
}

/* ---- one value a CPU --------------------------------------------------------------------------------------------- */

bool
typed_sum(const struct typeinfo *types, uint32_t id, const void *bytes, size_t len, uint32_t n_cpus, struct typed_sum *sum)
{
	const struct btf_type *type = types && id ? typeinfo_plain(types, id, NULL) : NULL;
	uint64_t total = 0;
	int64_t one;

	if (!type || BTF_INFO_KIND(type->info) != BTF_KIND_INT || type->size != len)
		return false;
	sum->is_signed = BTF_INT_ENCODING(type_int(type)) & BTF_INT_SIGNED;
	for (uint32_t cpu = 0; cpu < n_cpus; cpu++) {
		if (!typed_bits((const char *)bytes + cpu * round_up(len, 8), len, 0, 8 * (uint32_t)len, sum->is_signed, &one))
			return false;
		total += (uint64_t)one;
	}
	sum->number = (int64_t)total;
	return true;
}

void
typed_cpus_text(const struct typeinfo *types, uint32_t id, const void *bytes, size_t len, uint32_t n_cpus, struct text *out)
{
	struct typed_sum sum;

	if (n_cpus > 1 && typed_sum(types, id, bytes, len, n_cpus, &sum)) {
		text_printf(out, sum.is_signed ? "%" PRId64 : "%" PRIu64, sum.number);
		return;
	}
	for (uint32_t cpu = 0; cpu < n_cpus; cpu++) {
		if (n_cpus > 1)
			text_printf(out, "%scpu %u: ", cpu ? ", " : "", cpu);
		typed_text(types, id, (const char *)bytes + cpu * round_up(len, 8), len, out);
	}
}

/* ---- order ------------------------------------------------------------------------------------------------------- */

static int
compare_at(const struct typed *a, const struct typed *b, uint32_t id, uint64_t bit_off, uint32_t bits, int depth);

static int
compare_numbers(const struct typed *a, const struct typed *b, uint64_t bit_off, uint32_t bits, bool is_signed)
{
	int64_t x, y;

	if (!get_bits(a, bit_off, bits, is_signed, &x) || !get_bits(b, bit_off, bits, is_signed, &y))
		return 0;
	if (is_signed)
		return (x > y) - (x < y);
	return ((uint64_t)x > (uint64_t)y) - ((uint64_t)x < (uint64_t)y);
}

static int
compare_elements(const struct typed *a, const struct typed *b, const struct btf_type *type, uint64_t bit_off, int depth)
{
	const struct btf_array *array = type_array(type);
	int64_t size = typeinfo_size(a->types, array->type);
	int order = 0;

	for (uint32_t i = 0; size > 0 && i < array->nelems && !order && bit_off < 8 * (uint64_t)a->len; i++, bit_off += 8 * (uint64_t)size)
		order = compare_at(a, b, array->type, bit_off, 0, depth);
	return order;
}

/* Bytes are compared where there is no order of ours. */
static int
compare_at(const struct typed *a, const struct typed *b, uint32_t id, uint64_t bit_off, uint32_t bits, int depth)
{
	const struct btf_type *type = typeinfo_plain(a->types, id, NULL);
	int64_t size = typeinfo_size(a->types, id);
	uint32_t kind = type && depth < DEPTH_MAX ? BTF_INFO_KIND(type->info) : BTF_KIND_UNKN;
	int order = 0;

	if (size <= 0 || bit_off / 8 + (uint64_t)size > a->len)
		return 0;
	bits = bits ? bits : size <= 8 ? (uint32_t)size * 8 : 0;
	if (kind == BTF_KIND_INT && bits)
		return compare_numbers(a, b, bit_off, bits, BTF_INT_ENCODING(type_int(type)) & BTF_INT_SIGNED);
	if (kind == BTF_KIND_PTR || kind == BTF_KIND_ENUM || kind == BTF_KIND_ENUM64)
		return compare_numbers(a, b, bit_off, bits, BTF_INFO_KFLAG(type->info));
	if (kind == BTF_KIND_ARRAY)
		return compare_elements(a, b, type, bit_off, depth + 1);
	if (kind != BTF_KIND_STRUCT)
		return memcmp(a->bytes + bit_off / 8, b->bytes + bit_off / 8, (size_t)size);
	for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info) && !order; i++) {
		const struct btf_member *member = &type_members(type)[i];

		order = compare_at(a, b, member->type, bit_off + member_bit_off(type, member), member_bits(type, member), depth + 1);
	}
	return order;
}

int
typed_compare(const struct typeinfo *types, uint32_t id, const void *a, const void *b, size_t len)
{
	const struct typed x = { .types = types, .bytes = a, .len = len }, y = { .types = types, .bytes = b, .len = len };
	int order = 0;

	if (types && id && typeinfo_size(types, id) == (int64_t)len)
		order = compare_at(&x, &y, id, 0, 0, 0);
	else if (len <= 8)
		order = compare_numbers(&x, &y, 0, 8 * (uint32_t)len, false);
	return order ? order : memcmp(a, b, len); /* also what differs in gaps between members has an order */
}
