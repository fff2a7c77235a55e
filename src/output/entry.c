/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * entry: what a script's programs and user space share, tables and variables, read. struct table and struct global say how it is laid out.
 * Of a kind with a value for each CPU all these become one:
 *
 *     | cell of CPU 0, to 8 | cell of CPU 1, to 8 | ...      as lookup gives it
 */
#include <string.h>

#include "output/output.h"

static uint32_t
count_cells(const struct source *source, const struct table *table)
{
	return table_kind_is_per_cpu(table->kind) ? source->n_cpus : 1;
}

static size_t
cell_stride(const struct table *table)
{
	return round_up(table->value_size, 8);
}

size_t
entry_size(const struct source *source, const struct table *table)
{
	return count_cells(source, table) * cell_stride(table);
}

/* The statistics of all CPUs become one, in the first cell. */
static struct value
merge_cells(const struct table *table, char *bytes, uint32_t n_cells)
{
	struct value value = value_load(&table->value, bytes);

	for (uint32_t cell = 1; cell < n_cells; cell++)
		stat_merge(&table->stat, (uint64_t *)(void *)bytes, (uint64_t *)(void *)(bytes + cell * cell_stride(table)));
	if (table_kind_is_array(table->kind) && mem_is_zero(bytes, value.len))
		value.kind = VALUE_NONE;
	return value;
}

struct value
entry_value(const struct source *source, const struct table *table, void *bytes)
{
	uint32_t n_cells = count_cells(source, table);
	struct value sum = value_load(&table->value, bytes);

	if (sum.kind == VALUE_STAT)
		return merge_cells(table, bytes, n_cells);
	for (uint32_t cell = 1; cell < n_cells; cell++) {
		struct value value = value_load(&table->value, (char *)bytes + cell * cell_stride(table));

		if (sum.kind == VALUE_NONE)
			sum = value;
		else if (value.kind == VALUE_INT)
			sum.number = (int64_t)((uint64_t)sum.number + (uint64_t)value.number);
	}
	if (table->counter && table_kind_is_array(table->kind) && sum.kind == VALUE_INT && sum.number == 0)
		sum.kind = VALUE_NONE;
	return sum;
}

bool
entry_has_index(const struct table *table)
{
	return table_kind_is_array(table->kind) && table->key_size == 4;
}

uint32_t
entry_parts_size(const struct table *table, uint32_t n_parts)
{
	uint32_t size = 0;

	for (uint32_t i = 0; i < n_parts; i++)
		size += shape_size(&table->key[i]);
	return size;
}

struct value
entry_part(const struct table *table, const void *key, uint32_t part)
{
	uint32_t index;

	if (!entry_has_index(table))
		return value_load(&table->key[part], (const char *)key + entry_parts_size(table, part));
	memcpy(&index, key, sizeof(index));
	return (struct value){ .kind = table->key[0].kind, .number = index };
}

struct value
variable_value(const struct global *global, const void *memory, uint64_t copy[VARIABLE_WORDS_MAX])
{
	const uint64_t *words = (const void *)((const char *)memory + global->off);

	for (uint32_t i = 0; i < shape_size(&global->shape) / 8; i++)
		copy[i] = __atomic_load_n(&words[i], __ATOMIC_ACQUIRE);
	return value_load(&global->shape, copy);
}
