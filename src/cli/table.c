/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * table: `ktap table list|dump|get|set|delete|watch`, on tables of the running kernel, whoever made them; keys and values as their types (BTF) say.
 *
 *     ktap table list                  number, kind, sizes and name of each
 *     ktap table dump WHICH            all entries, by key
 *     ktap table get WHICH KEY         one value; with --json the entry, as dump has it
 *     ktap table set WHICH KEY VALUE   (per-CPU tables: the first CPU has the value, the others 0)
 *     ktap table delete WHICH KEY
 *     ktap table watch WHICH [N]       each second, N times, the entries that have changed
 *
 * WHICH is NAME/TABLE (of --pin NAME), a path in bpffs, or a number. Keys and values are written as they are shown, or as JSON
 * (output/typed_parse.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
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

static void
shown_value(const struct outside_table *table, const uint8_t *value, struct text *out)
{
	typed_cpus_text(table->types, table->value_type, value, table->value_size, table->n_values, out);
}

/* ---- words of the command line ------------------------------------------ */

static enum exit_status
parse(const struct outside_table *table, const char *what, uint32_t type, const char *word, uint8_t *bytes, uint32_t size)
{
	struct text why = { 0 }, form = { 0 };
	int err = typed_parse(table->types, type, word, bytes, size, &why);

	if (err < 0) {
		typed_form(table->types, type, size, &form);
		complain("table: %s '%s': %s; it is written as %s", what, word, why.s, form.s);
	}
	text_fini(&why);
	text_fini(&form);
	return err < 0 ? STATUS_USAGE : STATUS_OK;
}

/* ---- reading all -------------------------------------------------------- */

static int
compare_rows(const void *a, const void *b, void *arg)
{
	const struct outside_table *table = arg;
	const struct table_row *p = a, *q = b;

	return typed_compare(table->types, table->key_type, p->key, q->key, table->key_size);
}

static bool
is_array(const struct outside_table *table)
{
	return table->map_type == BPF_MAP_TYPE_ARRAY || table->map_type == BPF_MAP_TYPE_PERCPU_ARRAY;
}

static void *
new_key(struct arena *arena, const struct outside_table *table)
{
	return arena_alloc(arena, table->key_size);
}

static size_t
value_len(const struct outside_table *table)
{
	return (size_t)table->n_values * table->stride;
}

/* All entries, by key; of arrays those that are not zero. Somebody may change the table meanwhile. */
static enum exit_status
read_rows(struct rows *rows)
{
	const struct outside_table *table = rows->table;
	size_t len = value_len(table);
	uint8_t *key = new_key(rows->arena, table), *value = arena_alloc(rows->arena, len);
	int err = outside_next_key(table, NULL, key);

	while (err == 0 && rows->n < ENTRIES_MAX) {
		if (outside_lookup(table, key, value) == 0 && !(is_array(table) && mem_is_zero(value, len))) {
			rows->list = arena_grow(rows->arena, rows->list, rows->n, &rows->cap, sizeof(*rows->list));
			rows->list[rows->n++] = (struct table_row){ key, value };
			value = arena_alloc(rows->arena, len);
		}
		key = memcpy(new_key(rows->arena, table), key, table->key_size);
		err = outside_next_key(table, key, key);
	}
	if (rows->n)
		qsort_r(rows->list, rows->n, sizeof(*rows->list), compare_rows, (void *)table);
	if (err == -ENOENT)
		return STATUS_OK;
	if (err == 0)
		complain("table: '%s' has more than %u entries: the others are not shown", table->name, ENTRIES_MAX);
	else
		complain("table: '%s' cannot be walked: %s", table->name, strerror(-err));
	return STATUS_WORLD;
}

static void
print_row(const struct outside_table *table, const struct table_row *row)
{
	struct text text = { 0 };

	typed_text(table->types, table->key_type, row->key, table->key_size, &text);
	text_puts(&text, " = ");
	shown_value(table, row->value, &text);
	puts(text.s);
	text_fini(&text);
}

/* ---- subcommands -------------------------------------------------------- */

static enum exit_status
dump(const struct args *args, struct arena *arena, struct outside_table *table, char **words)
{
	struct rows rows = { .arena = arena, .table = table };
	enum exit_status status = read_rows(&rows);

	if (args->json && table_json(table, rows.list, rows.n) != STATUS_OK)
		status = STATUS_WORLD;
	for (uint32_t i = 0; i < rows.n && !args->json; i++)
		print_row(table, &rows.list[i]);
	return status;
}

static enum exit_status
with_key(struct outside_table *table, const char *word, uint8_t *key)
{
	return parse(table, "key", table->key_type, word, key, table->key_size);
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
get(const struct args *args, struct arena *arena, struct outside_table *table, char **words)
{
	struct table_row row = { new_key(arena, table), arena_alloc(arena, value_len(table)) };
	enum exit_status status = with_key(table, words[0], row.key);
	struct text text = { 0 };
	int err = status == STATUS_OK ? outside_lookup(table, row.key, row.value) : 0;

	if (err < 0)
		return world("read", words[0], err);
	if (status != STATUS_OK || args->json)
		return status != STATUS_OK ? status : table_json(table, &row, 1);
	shown_value(table, row.value, &text);
	puts(text.s ? text.s : "");
	text_fini(&text);
	return STATUS_OK;
}

static enum exit_status
set(const struct args *args, struct arena *arena, struct outside_table *table, char **words)
{
	uint8_t *key = new_key(arena, table), *value = arena_alloc(arena, value_len(table));
	enum exit_status status = with_key(table, words[0], key);
	int err = 0;

	if (status == STATUS_OK)
		status = parse(table, "value", table->value_type, words[1], value, table->value_size);
	if (status == STATUS_OK)
		err = outside_update(table, key, value);
	return err < 0 ? world("set", words[0], err) : status;
}

static enum exit_status
delete(const struct args *args, struct arena *arena, struct outside_table *table, char **words)
{
	uint8_t *key = new_key(arena, table);
	enum exit_status status = with_key(table, words[0], key);
	int err = status == STATUS_OK ? outside_delete(table, key) : 0;

	return err < 0 ? world("deleted", words[0], err) : status;
}

/* The rows of `now` that `before` has not, or has with another value. Both are in order. */
static void
print_changes(const struct rows *before, const struct rows *now)
{
	const struct outside_table *table = now->table;
	uint32_t at = 0;

	for (uint32_t i = 0; i < now->n; i++) {
		const struct table_row *row = &now->list[i];
		int order = -1;

		while (at < before->n && (order = compare_rows(&before->list[at], row, (void *)table)) < 0)
			at++;
		if (order != 0 || memcmp(before->list[at].value, row->value, value_len(table)) != 0)
			print_row(table, row);
	}
}

static enum exit_status
watch(const struct args *args, struct arena *arena, struct outside_table *table, char **words)
{
	uint64_t rounds = UINT64_MAX; /* without N: until it is killed */
	enum exit_status status = STATUS_OK;
	struct rows before = { .table = table };

	if (words[0] && !parse_number(words[0], "", 1, UINT32_MAX, &rounds)) {
		complain("table: '%s': how often to look is a number from 1 on", words[0]);
		return STATUS_USAGE;
	}
	for (uint64_t n = 0; n < rounds && status == STATUS_OK; n++) {
		struct rows now = { .arena = arena_new(), .table = table };

		if (n)
			sleep(1);
		status = read_rows(&now);
		print_changes(&before, &now);
		fflush(stdout);
		arena_free(before.arena);
		before = now;
	}
	arena_free(before.arena);
	return status;
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
	bool has_json;
	enum exit_status (*run)(const struct args *args, struct arena *arena, struct outside_table *table, char **words);
} actions[] = {
	{ "dump", 0, 0, true, dump }, { "get", 1, 1, true, get }, { "set", 2, 2, false, set }, { "delete", 1, 1, false, delete },
	{ "watch", 0, 1, false, watch },
};

static enum exit_status
act(const struct args *args, size_t action, char **words)
{
	struct outside_table table;
	struct text why = { 0 };
	enum exit_status status = STATUS_WORLD;

	if (args->json && !actions[action].has_json) {
		complain("table: --json goes with dump and get");
		return STATUS_USAGE;
	}
	if (outside_open(&table, words[0], &why) == 0) {
		struct arena *arena = arena_new();

		status = actions[action].run(args, arena, &table, words + 1);
		arena_free(arena);
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
