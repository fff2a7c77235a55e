/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * A source whose tables are in memory and whose events a test makes up: for tests of the session without a
 * kernel and without programs.
 */
#ifndef KTAP_FAKE_SOURCE_H
#define KTAP_FAKE_SOURCE_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "source/source.h"

#define N_CPUS      3
#define ENTRIES_MAX 100000

struct entry {
	unsigned char *key, *value;
};

/* Entries in the order of insertion; removing keeps that order. */
struct fake_table {
	struct entry *entries;
	uint32_t n;
};

struct fake {
	struct source base;
	struct fake_table tables[8];
	_Alignas(8) unsigned char globals[4096];
	bool started, stopped, ended;
	struct {
		const struct program *program;
		struct event *event;
	} attached[16];
	uint32_t n_attached;
	const char *refused;         /* name of an event that cannot be attached */
	const unsigned char *record; /* handed out by each pump until n_records are gone */
	size_t record_len;
	unsigned n_records;
	unsigned n_nested;           /* what nested says */
	void (*on_pump)(struct fake *fake);
};

/* All that was written to a temporary file, which is closed; free() it. */
static char *
read_back(FILE *file)
{
	long len = (fseek(file, 0, SEEK_END), ftell(file));
	char *s = calloc(1, (size_t)len + 1);

	rewind(file);
	assert_int_equal(fread(s, 1, (size_t)len, file), (size_t)len);
	fclose(file);
	return s;
}

static struct fake *
fake_of(struct source *source)
{
	return (struct fake *)(void *)source;
}

static size_t
value_len(const struct table *table)
{
	return round_up(table->value_size, 8) * (table_kind_is_per_cpu(table->kind) ? N_CPUS : 1);
}

static bool
is_array(const struct table *table)
{
	return table->kind == TABLE_ARRAY || table->kind == TABLE_PERCPU_ARRAY;
}

static struct entry *
fake_find(struct source *source, uint32_t index, const void *key)
{
	const struct table *table = source->object->tables[index];
	struct fake_table *fake = &fake_of(source)->tables[index];

	for (uint32_t i = 0; i < fake->n; i++)
		if (memcmp(fake->entries[i].key, key, table->key_size) == 0)
			return &fake->entries[i];
	return NULL;
}

static int
fake_lookup(struct source *source, uint32_t index, const void *key, void *value)
{
	const struct table *table = source->object->tables[index];
	struct entry *entry = fake_find(source, index, key);

	if (!entry && !is_array(table))
		return -ENOENT;
	if (entry)
		memcpy(value, entry->value, value_len(table));
	else
		memset(value, 0, value_len(table));
	return 0;
}

static void *
copy_of(const void *bytes, size_t len)
{
	return memcpy(malloc(len), bytes, len);
}

static int
fake_update(struct source *source, uint32_t index, const void *key, const void *value, uint64_t flags)
{
	const struct table *table = source->object->tables[index];
	struct fake_table *fake = &fake_of(source)->tables[index];
	struct entry *entry = fake_find(source, index, key);

	if (entry) {
		memcpy(entry->value, value, value_len(table));
		return 0;
	}
	if (fake->n == table->max_entries || fake->n == ENTRIES_MAX)
		return -E2BIG;
	if (!fake->entries)
		fake->entries = calloc(ENTRIES_MAX, sizeof(*fake->entries));
	fake->entries[fake->n++] =
		(struct entry){ copy_of(key, table->key_size), copy_of(value, value_len(table)) };
	return 0;
}

static int
fake_remove(struct source *source, uint32_t index, const void *key)
{
	struct fake_table *fake = &fake_of(source)->tables[index];
	struct entry *entry = fake_find(source, index, key);

	if (!entry)
		return -ENOENT;
	free(entry->key);
	free(entry->value);
	memmove(entry, entry + 1, (char *)(fake->entries + fake->n) - (char *)(entry + 1));
	fake->n--;
	return 0;
}

static int
fake_next(struct source *source, uint32_t index, const void *key, void *next)
{
	const struct table *table = source->object->tables[index];
	struct fake_table *fake = &fake_of(source)->tables[index];
	struct entry *entry = key ? fake_find(source, index, key) : NULL;
	uint32_t at = 0;

	if (is_array(table)) {
		if (key)
			memcpy(&at, key, 4);
		at = key ? at + 1 : 0;
		memcpy(next, &at, 4);
		return at < table->max_entries ? 0 : -ENOENT;
	}
	at = entry ? (uint32_t)(entry - fake->entries) + 1 : 0;
	if (at >= fake->n)
		return -ENOENT;
	memcpy(next, fake->entries[at].key, table->key_size);
	return 0;
}

static int
fake_attach(struct source *source, const struct program *program, struct event *event, struct text *why)
{
	struct fake *fake = fake_of(source);

	if (fake->refused && strcmp(fake->refused, event->name) == 0) {
		text_puts(why, "the fake refuses it");
		return -EOPNOTSUPP;
	}
	if (fake->n_attached < ARRAY_SIZE(fake->attached)) { /* the first ones are kept to look at */
		fake->attached[fake->n_attached].program = program;
		fake->attached[fake->n_attached].event = event;
	}
	fake->n_attached++;
	return 0;
}

static int
fake_start(struct source *source, struct text *why)
{
	fake_of(source)->started = true;
	return 0;
}

static int
fake_poll_fds(struct source *source, int *fds, int max)
{
	return 0;
}

static int
fake_pump(struct source *source, void (*fn)(void *arg, const void *record, size_t len), void *arg)
{
	struct fake *fake = fake_of(source);

	if (fake->on_pump)
		fake->on_pump(fake);
	if (fake->n_records == 0)
		return 0;
	fake->n_records--;
	fn(arg, fake->record, fake->record_len);
	return 1;
}

static bool
fake_ended(struct source *source)
{
	return fake_of(source)->ended;
}

static void
fake_stop(struct source *source)
{
	fake_of(source)->stopped = true;
}

static void *
fake_globals(struct source *source)
{
	return fake_of(source)->globals;
}

static void
fake_stats(struct source *source, struct source_stats *stats)
{
	(void)source;
	*stats = (struct source_stats){ 0 };
}

/* All of them the first handler's. */
static uint64_t
fake_nested(struct source *source, struct nested *by_handler)
{
	by_handler[0].n += fake_of(source)->n_nested;
	return fake_of(source)->n_nested;
}

static const struct source_ops fake_ops = {
	.name = "fake",
	.attach = fake_attach,
	.start = fake_start,
	.poll_fds = fake_poll_fds,
	.pump = fake_pump,
	.ended = fake_ended,
	.stop = fake_stop,
	.lookup = fake_lookup,
	.update = fake_update,
	.remove = fake_remove,
	.next = fake_next,
	.globals = fake_globals,
	.stats = fake_stats,
	.nested = fake_nested,
};

static void
fake_fini(struct fake *fake)
{
	for (size_t i = 0; i < ARRAY_SIZE(fake->tables); i++) {
		for (uint32_t j = 0; j < fake->tables[i].n; j++) {
			free(fake->tables[i].entries[j].key);
			free(fake->tables[i].entries[j].value);
		}
		free(fake->tables[i].entries);
	}
}

#endif
