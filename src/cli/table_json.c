/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * `ktap table dump --json`: one document,
 *
 *     { "table": "calls", "id": 12, "entries": [ { "key": 3, "value": 17 }, { "key": { "pid": 1, "comm": "sh" }, "value": [1, 0] } ] }
 *
 * Numbers are numbers, but for unsigned ones from 2^63 on, which jansson cannot write: they are their digits as text. Truth is true or
 * false, arrays of characters are texts, other arrays lists; structs and unions are objects, with the members of members without a name as
 * their own. All else is the text that typed_text shows: names of enums, addresses, and what has no type in hex. Per-CPU numbers are summed;
 * other per-CPU values are a list, one a CPU.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/json_int.h"
#include "output/output.h"
#include "source/outside.h"

#define DEPTH_MAX 16

/* A value whose parts are made into JSON. */
struct json_maker {
	const struct typeinfo *types;
	const uint8_t *bytes;
	size_t len;
	unsigned depth;
};

/* A part of the value: a type, at a bit; `bits`: of a bit field, else 0. */
struct part {
	uint32_t id;
	uint64_t bit_off;
	uint32_t bits;
};

static json_t *
make(struct json_maker *maker, struct part part);

static json_t *
make_text(const struct json_maker *maker, struct part part)
{
	struct text text = { 0 };
	json_t *json;

	typed_part_text(maker->types, part.id, maker->bytes, maker->len, part.bit_off, part.bits, &text);
	json = json_text(text.s ? text.s : "");
	text_fini(&text);
	return json;
}

/* One that jansson cannot write is its digits. */
static json_t *
make_integer(const struct typed_sum *sum)
{
	char digits[24];

	if (sum->is_signed || sum->number >= 0)
		return json_integer(sum->number);
	snprintf(digits, sizeof(digits), "%" PRIu64, (uint64_t)sum->number);
	return json_string(digits);
}

static json_t *
make_number(const struct json_maker *maker, const struct btf_type *type, struct part part)
{
	uint32_t encoding = BTF_INT_ENCODING(type_int(type));
	int64_t number;

	if (!typed_bits(maker->bytes, maker->len, part.bit_off, part.bits ? part.bits : type->size * 8, encoding & BTF_INT_SIGNED, &number))
		return json_null();
	if (encoding & BTF_INT_BOOL)
		return json_boolean(number);
	return make_integer(&(struct typed_sum){ .number = number, .is_signed = encoding & BTF_INT_SIGNED });
}

static void
add_members(struct json_maker *maker, const struct btf_type *type, struct part part, json_t *json)
{
	maker->depth++;
	for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info); i++) {
		const struct btf_member *member = &type_members(type)[i];
		const struct btf_type *inner = typeinfo_plain(maker->types, member->type, NULL);
		const char *name = typeinfo_string(maker->types, member->name_off);
		const struct part at = { member->type, part.bit_off + member_bit_off(type, member), member_bits(type, member) };

		if (*name)
			json_object_set_new(json, name, make(maker, at));
		else if (inner && type_has_members(inner) && maker->depth < DEPTH_MAX)
			add_members(maker, inner, at, json);
	}
	maker->depth--;
}

static json_t *
make_chars(const struct json_maker *maker, uint64_t off, uint32_t n)
{
	char *copy = off <= maker->len && n <= maker->len - off ? mem_alloc((size_t)n + 1) : NULL;
	json_t *json = copy ? json_text(memcpy(copy, maker->bytes + off, n)) : json_null();

	free(copy);
	return json;
}

static json_t *
make_array(struct json_maker *maker, const struct btf_type *type, struct part part)
{
	const struct btf_array *array = type_array(type);
	int64_t size = typeinfo_size(maker->types, array->type);
	json_t *json;

	if (typed_is_char(maker->types, array->type))
		return make_chars(maker, part.bit_off / 8, array->nelems);
	if (size <= 0)
		return make_text(maker, part);
	json = json_array();
	for (uint32_t i = 0; i < array->nelems && part.bit_off / 8 < maker->len; i++, part.bit_off += 8 * (uint64_t)size)
		json_array_append_new(json, make(maker, (struct part){ array->type, part.bit_off, 0 }));
	return json;
}

static json_t *
make(struct json_maker *maker, struct part part)
{
	const struct btf_type *type = typeinfo_plain(maker->types, part.id, NULL);
	uint32_t kind = type && maker->depth < DEPTH_MAX ? BTF_INFO_KIND(type->info) : BTF_KIND_UNKN;
	json_t *json;

	maker->depth++;
	if (kind == BTF_KIND_INT && type->size <= 8) {
		json = make_number(maker, type, part);
	} else if (kind == BTF_KIND_ARRAY) {
		json = make_array(maker, type, part);
	} else if (kind != BTF_KIND_UNKN && type_has_members(type)) {
		json = json_object();
		add_members(maker, type, part, json);
	} else {
		json = make_text(maker, part);
	}
	maker->depth--;
	return json;
}

/* A key or a value; one whose type does not fit it is its bytes. */
static json_t *
make_whole(const struct typeinfo *types, uint32_t id, const uint8_t *bytes, size_t len)
{
	struct json_maker maker = { .types = types, .bytes = bytes, .len = len };
	struct text text = { 0 };
	json_t *json;

	if (types && id && typeinfo_size(types, id) == (int64_t)len)
		return make(&maker, (struct part){ .id = id });
	typed_text(types, id, bytes, len, &text);
	json = json_text(text.s ? text.s : "");
	text_fini(&text);
	return json;
}

static json_t *
make_value(const struct outside_table *table, const uint8_t *value)
{
	struct typed_sum sum;
	json_t *json;

	if (table->n_values == 1)
		return make_whole(table->types, table->value_type, value, table->value_size);
	if (typed_sum(table->types, table->value_type, value, table->value_size, table->n_values, &sum))
		return make_integer(&sum);
	json = json_array();
	for (uint32_t i = 0; i < table->n_values; i++)
		json_array_append_new(json, make_whole(table->types, table->value_type, value + (size_t)i * table->stride, table->value_size));
	return json;
}

enum exit_status
table_json(const struct outside_table *table, const struct table_row *rows, uint32_t n)
{
	json_t *entries = json_array(), *entry, *json;

	for (uint32_t i = 0; i < n; i++) {
		entry = json_object();
		json_object_set_new(entry, "key", make_whole(table->types, table->key_type, rows[i].key, table->key_size));
		json_object_set_new(entry, "value", make_value(table, rows[i].value));
		json_array_append_new(entries, entry);
	}
	json = json_pack("{s:s, s:I, s:o}", "table", table->name, "id", (json_int_t)table->id, "entries", entries);
	if (!json) {
		complain("table: no memory for JSON");
		return STATUS_WORLD;
	}
	json_dumpf(json, stdout, JSON_INDENT(2)); /* whether it arrived, main() asks */
	putchar('\n');
	json_decref(json);
	return STATUS_OK;
}
