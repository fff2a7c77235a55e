/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Tables of a C compiler's object as text, at the end of a run: entries typed by the object's BTF, variables by name.
 *
 *     counts (hash, 2 entries):
 *       { pid: 12, call: 39 } = 5
 *     ticks = 17
 *
 * Tables come by name, then variables by name; entries by key, numbers by value; of arrays those that are not zero; of per-CPU tables the sum of the CPUs, where the value is a number.
 * Read-only tables are what the compiler put there, and left out.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "session/session_int.h"

#define ENTRIES_MAX (1u << 20) /* shown of a table */

struct entry {
	uint8_t *key;
	struct text text; /* of the value */
};

struct shown {
	struct source *source;
	const struct table *table;
	uint32_t index;
	struct typeinfo *types; /* NULL: the object has none */
	uint32_t n_cpus, stride; /* of values */
};

static int
compare_entries(const void *a, const void *b, void *arg)
{
	const struct entry *p = a, *q = b;
	const struct shown *shown = arg;

	return typed_compare(shown->types, shown->table->key_type, p->key, q->key, shown->table->key_size);
}

/* The entry as text, unless it is one of an array that holds nothing. 1: it was added; 0: not; -errno. */
static int
take_entry(const struct shown *shown, const uint8_t *key, uint8_t *values, struct entry *entry)
{
	int err = shown->source->ops->lookup(shown->source, shown->index, key, values);

	if (err == -ENOENT || (err == 0 && table_kind_is_array(shown->table->kind) && mem_is_zero(values, (size_t)shown->n_cpus * shown->stride)))
		return 0;
	if (err < 0)
		return err;
	entry->key = mem_alloc(shown->table->key_size);
	if (!entry->key)
		return -ENOMEM;
	memcpy(entry->key, key, shown->table->key_size);
	typed_cpus_text(shown->types, shown->table->value_type, values, shown->table->value_size, shown->n_cpus, &entry->text);
	return 1;
}

static void
free_entries(struct entry *entries, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		free(entries[i].key);
		text_fini(&entries[i].text);
	}
	free(entries);
}

/* All entries, for the caller to free; how many, or -errno. */
static int64_t
take_entries(const struct shown *shown, struct entry **out)
{
	uint8_t *keys = mem_alloc(2 * (size_t)shown->table->key_size), *next = keys ? keys + shown->table->key_size : NULL;
	uint8_t *values = mem_alloc((size_t)shown->n_cpus * shown->stride);
	struct entry *entries = NULL;
	uint32_t n = 0, cap = 0;
	int err = keys && values ? shown->source->ops->next(shown->source, shown->index, NULL, next) : -ENOMEM;

	while (err == 0 && n < ENTRIES_MAX) {
		struct entry *more = mem_grow(entries, n, &cap, sizeof(*more));

		if (!more) {
			err = -ENOMEM;
			break;
		}
		entries = more;
		entries[n] = (struct entry){ 0 };
		err = take_entry(shown, next, values, &entries[n]);
		if (err < 0)
			break;
		n += (uint32_t)err;
		memcpy(keys, next, shown->table->key_size);
		err = shown->source->ops->next(shown->source, shown->index, keys, next);
	}
	free(keys);
	free(values);
	*out = entries;
	if (err == 0)
		complain("table '%s' has more than %u entries: the others are not shown", shown->table->name, ENTRIES_MAX);
	if (err == 0 || err == -ENOENT)
		return n;
	free_entries(entries, n);
	return err;
}

static int
put_table(struct shown *shown, struct text *out)
{
	const struct table *table = shown->table;
	struct entry *entries = NULL;
	int64_t n = take_entries(shown, &entries);

	if (n < 0)
		return (int)n;
	if (n)
		qsort_r(entries, (size_t)n, sizeof(*entries), compare_entries, shown);
	text_printf(out, "%s (%s, %" PRId64 " entr%s)%s\n", table->name, table_kind_name(table->kind), n, n == 1 ? "y" : "ies", n ? ":" : "");
	for (int64_t i = 0; i < n; i++) {
		text_puts(out, "  ");
		typed_text(shown->types, table->key_type, entries[i].key, table->key_size, out);
		text_printf(out, " = %s\n", entries[i].text.s ? entries[i].text.s : "");
	}
	free_entries(entries, (uint32_t)n);
	return 0;
}

/* Lines of variables, to be sorted. */
struct lines {
	struct text *texts;
	uint32_t n, cap;
};

static struct text *
lines_add(struct lines *lines)
{
	struct text *texts = mem_grow(lines->texts, lines->n, &lines->cap, sizeof(*texts));

	if (!texts)
		return NULL;
	lines->texts = texts;
	texts[lines->n] = (struct text){ 0 };
	return &texts[lines->n++];
}

static int
compare_lines(const void *a, const void *b)
{
	return strcmp(((const struct text *)a)->s, ((const struct text *)b)->s);
}

static int
put_variable(const struct shown *shown, const struct btf_var_secinfo *var, const uint8_t *bytes, struct lines *lines)
{
	const struct btf_type *type = typeinfo_type(shown->types, var->type);
	struct text *line;

	if (!type || BTF_INFO_KIND(type->info) != BTF_KIND_VAR || var->offset > shown->table->value_size ||
	    var->size > shown->table->value_size - var->offset)
		return 0;
	line = lines_add(lines);
	if (!line)
		return -ENOMEM;
	text_printf(line, "%s = ", typeinfo_string(shown->types, type->name_off));
	typed_text(shown->types, type->type, bytes + var->offset, var->size, line);
	return 0;
}

/* The variables of a data section. */
static int
put_variables(const struct shown *shown, struct lines *lines)
{
	const struct btf_type *section = typeinfo_type(shown->types, shown->table->value_type);
	uint8_t *bytes = mem_alloc(shown->stride);
	uint32_t zero = 0;
	int err = bytes ? shown->source->ops->lookup(shown->source, shown->index, &zero, bytes) : -ENOMEM;

	for (uint32_t i = 0; err == 0 && i < BTF_INFO_VLEN(section->info); i++)
		err = put_variable(shown, &type_variables(section)[i], bytes, lines);
	free(bytes);
	return err;
}

static bool
is_data(const struct typeinfo *types, const struct table *table)
{
	return types && typeinfo_kind(types, table->value_type) == BTF_KIND_DATASEC;
}

/* Tables without entries that mean something by themselves. */
static bool
is_shown(const struct table *table)
{
	return !table->read_only && !table_kind_holds_tables(table->kind) && table->kind != TABLE_RINGBUF && table->kind != TABLE_PERF_EVENTS && table->kind != TABLE_PROGRAMS &&
	       table->kind != TABLE_STACK_TRACE && table->key_size;
}

static void
select_table(struct shown *shown, uint32_t index)
{
	shown->table = shown->source->object->tables[index];
	shown->index = index;
	shown->n_cpus = table_kind_is_per_cpu(shown->table->kind) ? shown->source->n_cpus : 1;
	shown->stride = (uint32_t)round_up(shown->table->value_size, 8);
}

static int
put_all_variables(struct shown *shown, struct text *out)
{
	const struct object *object = shown->source->object;
	struct lines lines = { 0 };
	int err = 0;

	for (uint32_t i = 0; i < object->n_tables && err == 0; i++)
		if (is_shown(object->tables[i]) && is_data(shown->types, object->tables[i])) {
			select_table(shown, i);
			err = put_variables(shown, &lines);
		}
	if (lines.n)
		qsort(lines.texts, lines.n, sizeof(*lines.texts), compare_lines);
	for (uint32_t i = 0; i < lines.n; i++) {
		text_printf(out, "%s\n", lines.texts[i].s);
		text_fini(&lines.texts[i]);
	}
	free(lines.texts);
	return err;
}

static int
compare_names(const void *a, const void *b, void *arg)
{
	const struct object *object = arg;

	return strcmp(object->tables[*(const uint32_t *)a]->name, object->tables[*(const uint32_t *)b]->name);
}

static int
put_all_tables(struct shown *shown, struct text *out)
{
	const struct object *object = shown->source->object;
	uint32_t *order = mem_alloc((object->n_tables + 1) * sizeof(*order));
	int err = order ? 0 : -ENOMEM;

	for (uint32_t i = 0; order && i < object->n_tables; i++)
		order[i] = i;
	if (order)
		qsort_r(order, object->n_tables, sizeof(*order), compare_names, (void *)(uintptr_t)object);
	for (uint32_t i = 0; i < object->n_tables && err == 0; i++)
		if (is_shown(object->tables[order[i]]) && !is_data(shown->types, object->tables[order[i]])) {
			select_table(shown, order[i]);
			err = put_table(shown, out);
		}
	free(order);
	return err;
}

int
tables_text(struct source *source, struct text *out)
{
	const struct object *object = source->object;
	struct text why = { 0 };
	struct shown shown = { .source = source };
	int err;

	if (object->btf)
		shown.types = typeinfo_new(object->btf, object->btf_len, NULL, &why);
	err = put_all_tables(&shown, out);
	if (err == 0)
		err = put_all_variables(&shown, out);
	typeinfo_free(shown.types);
	text_fini(&why);
	return err;
}
