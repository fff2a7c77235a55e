/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * `ktap table dump --json`: one document,
 *
 *     { "table": "calls", "id": 12, "entries": [ { "key": 3, "value": 17 }, { "key": { "pid": 1, "comm": "sh" }, "value": [1, 0] } ] }
 *
 * Numbers are numbers, texts texts, enums their names, structs objects, arrays lists; what has no type is its bytes in hex. Per-CPU numbers are summed;
 * other per-CPU values are a list, one a CPU.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/json_int.h"
#include "output/output.h"
#include "source/outside.h"

#define DEPTH_MAX 16

struct json_maker {
	const struct typeinfo *types;
	unsigned depth;
};

static json_t *
make(struct json_maker *maker, uint32_t id, const uint8_t *bytes, size_t len);

/* As `typed_text` shows it: what has no form of its own here. */
static json_t *
make_text(const struct json_maker *maker, uint32_t id, const uint8_t *bytes, size_t len)
{
	struct text text = { 0 };
	json_t *json;

	typed_text(maker->types, id, bytes, len, &text);
	json = json_text(text.s ? text.s : "");
	text_fini(&text);
	return json;
}

static json_t *
make_number(const struct btf_type *type, const uint8_t *bytes, size_t len)
{
	uint64_t number = 0;
	unsigned shift = 64 - 8 * (unsigned)len;

	memcpy(&number, bytes, len);
	if (len < 8 && BTF_INT_ENCODING(type_int(type)) & BTF_INT_SIGNED)
		number = (uint64_t)((int64_t)(number << shift) >> shift);
	return json_integer((json_int_t)number);
}

static json_t *
make_struct(struct json_maker *maker, const struct btf_type *type, const uint8_t *bytes, size_t len)
{
	const struct btf_member *members = type_members(type);
	json_t *json = json_object();

	for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info); i++) {
		uint32_t off = member_bit_off(type, &members[i]) / 8;
		int64_t size = typeinfo_size(maker->types, members[i].type);

		if (size > 0 && off <= len && (uint64_t)size <= len - off)
			json_object_set_new(json, typeinfo_string(maker->types, members[i].name_off),
					    make(maker, members[i].type, bytes + off, (size_t)size));
	}
	return json;
}

static json_t *
make_array(struct json_maker *maker, uint32_t id, const struct btf_type *type, const uint8_t *bytes, size_t len)
{
	const struct btf_array *array = type_array(type);
	const struct btf_type *element = typeinfo_plain(maker->types, array->type, NULL);
	int64_t size = typeinfo_size(maker->types, array->type);
	json_t *json;

	if (element && BTF_INFO_KIND(element->info) == BTF_KIND_INT && size == 1) {
		char *copy = mem_alloc(len + 1);

		json = copy ? json_text(memcpy(copy, bytes, len)) : json_null();
		free(copy);
		return json;
	}
	if (size <= 0)
		return make_text(maker, id, bytes, len);
	json = json_array();
	for (size_t at = 0; at + (size_t)size <= len; at += (size_t)size)
		json_array_append_new(json, make(maker, array->type, bytes + at, (size_t)size));
	return json;
}

static json_t *
make(struct json_maker *maker, uint32_t id, const uint8_t *bytes, size_t len)
{
	const struct btf_type *type = maker->types && id ? typeinfo_plain(maker->types, id, NULL) : NULL;
	uint32_t kind = type && maker->depth < DEPTH_MAX ? BTF_INFO_KIND(type->info) : BTF_KIND_UNKN;
	json_t *json;

	maker->depth++;
	if (kind == BTF_KIND_INT && len <= 8)
		json = make_number(type, bytes, len);
	else if (kind == BTF_KIND_STRUCT)
		json = make_struct(maker, type, bytes, len);
	else if (kind == BTF_KIND_ARRAY)
		json = make_array(maker, id, type, bytes, len);
	else
		json = make_text(maker, id, bytes, len);
	maker->depth--;
	return json;
}

static json_t *
make_value(struct json_maker *maker, const struct outside_table *table, const uint8_t *value, uint32_t n_values)
{
	json_t *json;

	if (n_values == 1)
		return make(maker, table->value_type, value, table->value_size);
	json = json_array();
	for (uint32_t i = 0; i < n_values; i++)
		json_array_append_new(json, make(maker, table->value_type, value + (size_t)i * table->stride, table->value_size));
	return json;
}

enum exit_status
table_json(const struct outside_table *table, const struct table_row *rows, uint32_t n, uint32_t n_values)
{
	struct json_maker maker = { .types = table->types };
	json_t *entries = json_array(), *entry, *json;
	int err;

	for (uint32_t i = 0; i < n; i++) {
		entry = json_object();
		json_object_set_new(entry, "key", make(&maker, table->key_type, rows[i].key, table->key_size));
		json_object_set_new(entry, "value", make_value(&maker, table, rows[i].value, n_values));
		json_array_append_new(entries, entry);
	}
	json = json_pack("{s:s, s:I, s:o}", "table", table->name, "id", (json_int_t)table->id, "entries", entries);
	err = json ? json_dumpf(json, stdout, JSON_INDENT(1)) : -1;
	putchar('\n');
	json_decref(json);
	if (err == 0)
		return STATUS_OK;
	complain("table: JSON cannot be written");
	return STATUS_WORLD;
}
