/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * table: `ktap table list|dump|get|set|delete|watch`, on tables of the running kernel, whoever made them; keys and values as their types (BTF) say.
 *
 *     ktap table list                  number, kind, sizes and name of each
 *     ktap table dump WHICH            all entries, by key
 *     ktap table get WHICH KEY         one value
 *     ktap table set WHICH KEY VALUE   (per-CPU tables: the first CPU has the value, the others 0)
 *     ktap table delete WHICH KEY
 *     ktap table watch WHICH [N]       each second, N times, the entries that have changed
 *
 * WHICH is NAME/TABLE (of --pin NAME), a path in bpffs, or a number. Keys and values are written as they are shown: numbers, texts, names of an
 * enum; several members, or anything else, as bytes in hex, "0x01ff".
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "output/output.h"
#include "source/outside.h"

#define ENTRIES_MAX (1u << 20) /* shown of a table */

struct rows {
	struct arena *arena;
	const struct outside_table *table;
	struct table_row *list;
	uint32_t n, cap;
};

/* ---- values ------------------------------------------------------------- */

static const struct btf_type *
plain(const struct outside_table *table, uint32_t id)
{
	return table->types && id ? typeinfo_plain(table->types, id, NULL) : NULL;
}

static bool
is_number(const struct outside_table *table, uint32_t id)
{
	const struct btf_type *type = plain(table, id);

	return type && BTF_INFO_KIND(type->info) == BTF_KIND_INT && type->size == 8;
}

/* Of a number per CPU: their sum, into the first. */
static void
sum_up(const struct outside_table *table, uint8_t *value)
{
	uint64_t sum = 0, one;

	for (uint32_t i = 0; i < table->n_values; i++) {
		memcpy(&one, value + (size_t)i * table->stride, sizeof(one));
		sum += one;
	}
	memcpy(value, &sum, sizeof(sum));
}

static bool
is_summed(const struct outside_table *table)
{
	return table->n_values > 1 && is_number(table, table->value_type);
}

static void
value_show(const struct outside_table *table, const uint8_t *value, struct text *out)
{
	uint32_t n = is_summed(table) ? 1 : table->n_values;

	for (uint32_t i = 0; i < n; i++) {
		if (n > 1)
			text_printf(out, "%scpu %u: ", i ? ", " : "", i);
		typed_text(table->types, table->value_type, value + (size_t)i * table->stride, table->value_size, out);
	}
}

static int
read_value(const struct outside_table *table, const void *key, uint8_t *value)
{
	int err = outside_lookup(table, key, value);

	if (err == 0 && is_summed(table))
		sum_up(table, value);
	return err;
}

/* ---- words of the command line ------------------------------------------ */

static bool
parse_hex(const char *word, uint8_t *bytes, uint32_t size)
{
	if (strncmp(word, "0x", 2) != 0 || strlen(word) != 2 + 2 * (size_t)size)
		return false;
	for (uint32_t i = 0; i < size; i++) {
		unsigned byte;

		if (!isxdigit((unsigned char)word[2 + 2 * i]) || sscanf(word + 2 + 2 * i, "%2x", &byte) != 1)
			return false;
		bytes[i] = (uint8_t)byte;
	}
	return true;
}

/* As numbers stand in memory here; false: it does not fit. */
static bool
parse_number(const char *word, uint8_t *bytes, uint32_t size)
{
	char *end;
	long long number;
	unsigned long long magnitude;

	errno = 0;
	number = strtoll(word, &end, 0);
	if (errno == ERANGE && *word != '-') {
		errno = 0;
		magnitude = strtoull(word, &end, 0);
		number = (long long)magnitude;
	}
	if (errno || *end || end == word || size > sizeof(number))
		return false;
	if (size < sizeof(number) && (number >= 1ll << (8 * size) || number < -(1ll << (8 * size - 1))))
		return false;
	memcpy(bytes, &number, size); /* of little-endian machines, which all are that we run on */
	return true;
}

static bool
parse_enum(const struct outside_table *table, const struct btf_type *type, const char *word, uint8_t *bytes, uint32_t size)
{
	const struct btf_enum *names = type_enums(type);

	for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info); i++) {
		int64_t number = names[i].val;

		if (strcmp(typeinfo_string(table->types, names[i].name_off), word) != 0)
			continue;
		memcpy(bytes, &number, size < sizeof(number) ? size : sizeof(number));
		return true;
	}
	return parse_number(word, bytes, size);
}

static bool
is_text(const struct outside_table *table, const struct btf_type *type)
{
	const struct btf_type *element = type && BTF_INFO_KIND(type->info) == BTF_KIND_ARRAY ? plain(table, type_array(type)->type) : NULL;

	return element && BTF_INFO_KIND(element->info) == BTF_KIND_INT && element->size == 1;
}

static bool
parse(const struct outside_table *table, uint32_t id, const char *word, uint8_t *bytes, uint32_t size)
{
	const struct btf_type *type = plain(table, id);
	uint32_t kind = type ? BTF_INFO_KIND(type->info) : BTF_KIND_UNKN;

	memset(bytes, 0, size);
	if (is_text(table, type) && strlen(word) < size) {
		memcpy(bytes, word, strlen(word));
		return true;
	}
	if (kind == BTF_KIND_ENUM)
		return parse_enum(table, type, word, bytes, size);
	if (kind == BTF_KIND_INT || (kind == BTF_KIND_UNKN && size <= 8 && strncmp(word, "0x", 2) != 0))
		return parse_number(word, bytes, size);
	return parse_hex(word, bytes, size);
}

static enum exit_status
bad_word(const char *what, const char *word, uint32_t size)
{
	complain("table: %s '%s' is not one of %u bytes of this table: a number, a text, a name of its enum, or %u bytes in hex ('0x01ff...')", what,
		 word, size, size);
	return STATUS_USAGE;
}

/* ---- reading all -------------------------------------------------------- */

static int
compare_rows(const void *a, const void *b, void *arg)
{
	const struct outside_table *table = arg;
	const struct table_row *p = a, *q = b;
	const struct btf_type *type = plain(table, table->key_type);
	bool number = table->key_size <= 8 && !is_text(table, type);
	uint64_t x = 0, y = 0;

	if (!number)
		return memcmp(p->key, q->key, table->key_size);
	memcpy(&x, p->key, table->key_size);
	memcpy(&y, q->key, table->key_size);
	if (table->key_size == 8)
		return (int64_t)x < (int64_t)y ? -1 : (int64_t)x > (int64_t)y;
	return x < y ? -1 : x > y;
}

static bool
is_zero(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (bytes[i])
			return false;
	return true;
}

static bool
is_array(const struct outside_table *table)
{
	return table->map_type == BPF_MAP_TYPE_ARRAY || table->map_type == BPF_MAP_TYPE_PERCPU_ARRAY;
}

/* All entries, by key; of arrays those that are not zero. Somebody may change the table meanwhile. */
static void
read_rows(struct rows *rows)
{
	const struct outside_table *table = rows->table;
	size_t len = (size_t)table->n_values * table->stride;
	uint8_t *key = arena_alloc(rows->arena, table->key_size), *value = arena_alloc(rows->arena, len);
	int more = outside_next_key(table, NULL, key);

	while (more == 0 && rows->n < ENTRIES_MAX) {
		if (read_value(table, key, value) == 0 && !(is_array(table) && is_zero(value, len))) {
			rows->list = arena_grow(rows->arena, rows->list, rows->n, &rows->cap, sizeof(*rows->list));
			rows->list[rows->n++] = (struct table_row){ key, value };
			value = arena_alloc(rows->arena, len);
		}
		key = memcpy(arena_alloc(rows->arena, table->key_size), key, table->key_size);
		more = outside_next_key(table, key, key);
	}
	if (rows->n)
		qsort_r(rows->list, rows->n, sizeof(*rows->list), compare_rows, (void *)table);
}

static void
print_row(const struct outside_table *table, const struct table_row *row)
{
	struct text text = { 0 };

	typed_text(table->types, table->key_type, row->key, table->key_size, &text);
	text_puts(&text, " = ");
	value_show(table, row->value, &text);
	puts(text.s);
	text_fini(&text);
}

/* ---- subcommands -------------------------------------------------------- */

static enum exit_status
dump(const struct args *args, struct outside_table *table, char **words)
{
	struct rows rows = { .arena = arena_new(), .table = table };
	enum exit_status status = STATUS_OK;

	read_rows(&rows);
	if (args->json)
		status = table_json(table, rows.list, rows.n, is_summed(table) ? 1 : table->n_values);
	for (uint32_t i = 0; i < rows.n && !args->json; i++)
		print_row(table, &rows.list[i]);
	arena_free(rows.arena);
	return status;
}

static enum exit_status
with_key(struct outside_table *table, const char *word, uint8_t *key)
{
	return parse(table, table->key_type, word, key, table->key_size) ? STATUS_OK : bad_word("key", word, table->key_size);
}

static enum exit_status
world(const char *what, const char *key, int err)
{
	if (err == -ENOENT) {
		complain("table: there is no entry '%s'", key);
		return STATUS_SCRIPT;
	}
	complain("table: entry '%s' cannot be %s: %s", key, what, strerror(-err));
	return STATUS_WORLD;
}

static enum exit_status
get(const struct args *args, struct outside_table *table, char **words)
{
	uint8_t *key = mem_alloc(table->key_size + 1), *value = mem_alloc((size_t)table->n_values * table->stride + 1);
	enum exit_status status = key && value ? with_key(table, words[0], key) : STATUS_WORLD;
	struct text text = { 0 };
	int err = status == STATUS_OK ? read_value(table, key, value) : 0;

	if (err < 0) {
		status = world("read", words[0], err);
	} else if (status == STATUS_OK) {
		value_show(table, value, &text);
		puts(text.s);
	}
	text_fini(&text);
	free(key);
	free(value);
	return status;
}

static enum exit_status
set(const struct args *args, struct outside_table *table, char **words)
{
	uint8_t *key = mem_alloc(table->key_size + 1), *value = mem_alloc((size_t)table->n_values * table->stride + 1);
	enum exit_status status = key && value ? with_key(table, words[0], key) : STATUS_WORLD;
	int err = 0;

	if (status == STATUS_OK && !parse(table, table->value_type, words[1], value, table->value_size))
		status = bad_word("value", words[1], table->value_size);
	if (status == STATUS_OK)
		err = outside_update(table, key, value);
	if (err < 0)
		status = world("set", words[0], err);
	free(key);
	free(value);
	return status;
}

static enum exit_status
delete(const struct args *args, struct outside_table *table, char **words)
{
	uint8_t *key = mem_alloc(table->key_size + 1);
	enum exit_status status = key ? with_key(table, words[0], key) : STATUS_WORLD;
	int err = status == STATUS_OK ? outside_delete(table, key) : 0;

	if (err < 0)
		status = world("deleted", words[0], err);
	free(key);
	return status;
}

static bool
had(const struct rows *before, const struct table_row *row)
{
	const struct outside_table *table = before->table;

	for (uint32_t i = 0; i < before->n; i++)
		if (memcmp(before->list[i].key, row->key, table->key_size) == 0)
			return memcmp(before->list[i].value, row->value, (size_t)table->n_values * table->stride) == 0;
	return false;
}

static enum exit_status
watch(const struct args *args, struct outside_table *table, char **words)
{
	long rounds = words[0] ? strtol(words[0], NULL, 10) : -1;
	struct rows before = { .arena = arena_new(), .table = table };

	for (long n = 0; rounds < 0 || n < rounds; n++) {
		struct rows now = { .arena = arena_new(), .table = table };

		if (n)
			sleep(1);
		read_rows(&now);
		for (uint32_t i = 0; i < now.n; i++)
			if (!had(&before, &now.list[i]))
				print_row(table, &now.list[i]);
		fflush(stdout);
		arena_free(before.arena);
		before = now;
	}
	arena_free(before.arena);
	return STATUS_OK;
}

static enum exit_status
list(void)
{
	struct outside_table table;
	struct text why = { 0 };
	uint32_t id = 0;
	int err;

	while ((err = outside_next_table(&table, id, &why)) == 0) {
		const char *kind = table_kind_of(table.map_type);

		printf("%8u  %-12s key %u, value %u, %u entries  %s\n", table.id, kind ? kind : "?", table.key_size, table.value_size,
		       table.max_entries, table.name);
		id = table.id;
		outside_close(&table);
	}
	outside_close(&table);
	if (err != -ENOENT)
		complain("%s", why.s);
	text_fini(&why);
	return err == -ENOENT ? STATUS_OK : STATUS_WORLD;
}

static const struct {
	const char *name;
	unsigned min, max; /* words behind WHICH */
	enum exit_status (*run)(const struct args *args, struct outside_table *table, char **words);
} actions[] = {
	{ "dump", 0, 0, dump }, { "get", 1, 1, get }, { "set", 2, 2, set }, { "delete", 1, 1, delete }, { "watch", 0, 1, watch },
};

static enum exit_status
act(const struct args *args, size_t action, char **words)
{
	struct outside_table table;
	struct text why = { 0 };
	enum exit_status status = STATUS_WORLD;

	if (outside_open(&table, words[0], &why) == 0) {
		status = actions[action].run(args, &table, words + 1);
		outside_close(&table);
	} else {
		complain("%s", why.s);
	}
	text_fini(&why);
	return status;
}

enum exit_status
table_run(const struct args *args)
{
	char **words = args->script_args;
	unsigned n = 0;

	while (words[n])
		n++;
	if (n == 1 && strcmp(words[0], "list") == 0)
		return list();
	for (size_t i = 0; n >= 2 && i < ARRAY_SIZE(actions); i++)
		if (strcmp(words[0], actions[i].name) == 0 && n - 2 >= actions[i].min && n - 2 <= actions[i].max)
			return act(args, i, words + 1);
	complain("table: list, dump WHICH, get WHICH KEY, set WHICH KEY VALUE, delete WHICH KEY, or watch WHICH [N]; WHICH is NAME/TABLE, a path "
		 "in bpffs, or a number");
	return STATUS_USAGE;
}
