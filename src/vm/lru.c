/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Hash tables that never are full: where a new key finds no room, the entry goes that no program has looked up for long (a second
 * chance for each that was looked up since it was last considered: the clock algorithm). Which entry that is, the kernel decides
 * otherwise; that there is always room, and that what is in use stays, is the same.
 *
 * All entries are made at once. They are on a list, from the next candidate for eviction to the last, which is the order of
 * iteration. Each operation holds the table's lock, an update until the entry is filled, a read until it is copied. The value that a
 * lookup returned is not locked: its entry may be given to another key meanwhile, as in the kernel; it stays memory of this table.
 *
 *     +------------------+-----------+-------------------------+
 *     | struct lru_entry | key, to 8 | values, n_cpus * stride |
 *     +------------------+-----------+-------------------------+
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vm/lock.h"
#include "vm/shared.h"
#include "vm/vm_int.h"

struct lru_entry {
	struct lru_entry *chain;       /* next in the bucket, or next unused */
	struct lru_entry *prev, *next; /* in the order of eviction */
	uint64_t hash;
	bool live;                     /* in the table */
	bool used;                     /* looked up by a program since it was last considered */
};

struct lru {
	struct lock lock;
	struct lru_entry **buckets;
	uint32_t n_buckets;            /* a power of two */
	struct lru_entry *first, *last;
	struct lru_entry *unused;
	char *entries;
	/* The place of an iteration whose key was deleted, as in hash.c. */
	char *cursor_key;
	bool has_cursor;
	struct lru_entry *cursor_next;
};

static size_t
entry_size(const struct vm_table *t)
{
	return sizeof(struct lru_entry) + round_up(t->table->key_size, 8) + (size_t)t->n_cpus * t->stride;
}

static char *
entry_key(struct lru_entry *entry)
{
	return (char *)(entry + 1);
}

static char *
entry_value(const struct vm_table *t, struct lru_entry *entry)
{
	return entry_key(entry) + round_up(t->table->key_size, 8);
}

static struct lru_entry *
entry_at(const struct vm_table *t, uint32_t index)
{
	return (struct lru_entry *)(t->lru->entries + index * entry_size(t));
}

/* ---- made and freed ------------------------------------------------------------------------------------------ */

static int
lru_init(struct vm_table *t)
{
	struct lru *lru = t->lru = mem_alloc(sizeof(*lru));
	uint32_t n = t->table->max_entries;

	if (!lru)
		return -ENOMEM;
	for (lru->n_buckets = 1; lru->n_buckets < n && lru->n_buckets < 1u << 30;)
		lru->n_buckets *= 2;
	lru->buckets = mem_alloc(lru->n_buckets * sizeof(*lru->buckets));
	lru->entries = mem_alloc(n * entry_size(t));
	lru->cursor_key = mem_alloc(t->table->key_size);
	if (!lru->buckets || !lru->entries || !lru->cursor_key)
		return -ENOMEM;
	while (n-- > 0) {
		struct lru_entry *entry = entry_at(t, n);

		entry->chain = lru->unused;
		lru->unused = entry;
	}
	return 0;
}

static void
lru_fini(struct vm_table *t)
{
	if (!t->lru)
		return;
	free(t->lru->buckets);
	free(t->lru->entries);
	free(t->lru->cursor_key);
	free(t->lru);
	t->lru = NULL;
}

/* ---- under the lock -------------------------------------------------------------------------------------------- */

static struct lru_entry *
lru_entry(const struct vm_table *t, const void *key, uint64_t hash)
{
	struct lru_entry *entry = t->lru->buckets[hash & (t->lru->n_buckets - 1)];

	while (entry && (entry->hash != hash || memcmp(entry_key(entry), key, t->table->key_size)))
		entry = entry->chain;
	return entry;
}

static void
list_remove(struct lru *lru, struct lru_entry *entry)
{
	*(entry->prev ? &entry->prev->next : &lru->first) = entry->next;
	*(entry->next ? &entry->next->prev : &lru->last) = entry->prev;
	if (lru->cursor_next == entry)
		lru->cursor_next = entry->next;
}

static void
list_append(struct lru *lru, struct lru_entry *entry)
{
	entry->next = NULL;
	entry->prev = lru->last;
	*(lru->last ? &lru->last->next : &lru->first) = entry;
	lru->last = entry;
	if (lru->has_cursor && !lru->cursor_next)
		lru->cursor_next = entry;
}

static void
drop_entry(struct lru *lru, struct lru_entry *entry)
{
	struct lru_entry **link = &lru->buckets[entry->hash & (lru->n_buckets - 1)];

	while (*link != entry)
		link = &(*link)->chain;
	*link = entry->chain;
	entry->live = false;
	list_remove(lru, entry);
	entry->chain = lru->unused;
	lru->unused = entry;
}

/* Makes room: ends, because it takes the mark from each that it leaves. */
static void
evict(struct lru *lru)
{
	struct lru_entry *entry;

	while ((entry = lru->first)->used) {
		entry->used = false;
		list_remove(lru, entry);
		list_append(lru, entry);
	}
	drop_entry(lru, entry);
}

/* It has no value yet. */
static struct lru_entry *
add_entry(struct vm_table *t, const void *key, uint64_t hash)
{
	struct lru *lru = t->lru;
	struct lru_entry *entry, **bucket = &lru->buckets[hash & (lru->n_buckets - 1)];

	if (!lru->unused)
		evict(lru);
	entry = lru->unused;
	lru->unused = entry->chain;
	entry->chain = *bucket;
	*bucket = entry;
	entry->hash = hash;
	entry->live = true;
	entry->used = false;
	list_append(lru, entry);
	memcpy(entry_key(entry), key, t->table->key_size);
	return entry;
}

/* ---- operations --------------------------------------------------------------------------------------------------- */

static void *
lru_find(struct vm_table *t, const void *key)
{
	uint64_t hash = hash_key(key, t->table->key_size);
	struct lru_entry *entry;

	lock_take(&t->lru->lock);
	entry = lru_entry(t, key, hash);
	if (entry)
		entry->used = true;
	lock_give(&t->lru->lock);
	return entry ? entry_value(t, entry) : NULL;
}

static int
lru_read(struct vm_table *t, const void *key, void *value, size_t len)
{
	uint64_t hash = hash_key(key, t->table->key_size);
	struct lru_entry *entry;

	lock_take(&t->lru->lock);
	entry = lru_entry(t, key, hash);
	if (entry)
		value_read(t, value, entry_value(t, entry), len);
	lock_give(&t->lru->lock);
	return entry ? 0 : -ENOENT;
}

static int
lru_update(struct vm_table *t, const void *key, const void *value, size_t off, size_t len, uint64_t flags)
{
	uint64_t hash = hash_key(key, t->table->key_size);
	struct lru_entry *entry;
	bool is_new;
	int err = 0;

	lock_take(&t->lru->lock);
	entry = lru_entry(t, key, hash);
	is_new = !entry;
	if (entry && flags == BPF_NOEXIST)
		err = -EEXIST;
	else if (!entry && flags == BPF_EXIST)
		err = -ENOENT;
	else if (!entry)
		entry = add_entry(t, key, hash);
	if (!err)
		value_write(t, entry_value(t, entry), value, off, len);
	if (!err && is_new)
		values_zero_others(t, entry_value(t, entry), off, len);
	lock_give(&t->lru->lock);
	return err;
}

static int
lru_remove(struct vm_table *t, const void *key)
{
	uint64_t hash = hash_key(key, t->table->key_size);
	struct lru_entry *entry;

	lock_take(&t->lru->lock);
	entry = lru_entry(t, key, hash);
	if (entry)
		drop_entry(t->lru, entry);
	lock_give(&t->lru->lock);
	return entry ? 0 : -ENOENT;
}

static struct lru_entry *
entry_after(struct vm_table *t, const void *key)
{
	struct lru_entry *entry = key ? lru_entry(t, key, hash_key(key, t->table->key_size)) : NULL;

	if (entry)
		return entry->next;
	if (key && t->lru->has_cursor && !memcmp(t->lru->cursor_key, key, t->table->key_size))
		return t->lru->cursor_next;
	return t->lru->first;
}

static int
lru_next(struct vm_table *t, const void *key, void *next)
{
	struct lru *lru = t->lru;
	struct lru_entry *entry;

	lock_take(&lru->lock);
	entry = entry_after(t, key);
	if (entry) {
		memcpy(lru->cursor_key, entry_key(entry), t->table->key_size);
		memcpy(next, entry_key(entry), t->table->key_size);
		lru->has_cursor = true;
		lru->cursor_next = entry->next;
	}
	lock_give(&lru->lock);
	return entry ? 0 : -ENOENT;
}

/* By place in memory, where an entry stays while evictions move it on the list. */
static void *
lru_walk_next(struct vm_table *t, struct table_walk *walk, void *key)
{
	struct lru_entry *entry = NULL;

	lock_take(&t->lru->lock);
	while (walk->index < t->table->max_entries && !(entry = entry_at(t, walk->index++))->live)
		entry = NULL;
	if (entry)
		memcpy(key, entry_key(entry), t->table->key_size);
	lock_give(&t->lru->lock);
	return entry ? entry_value(t, entry) : NULL;
}

const struct table_ops lru_ops = {
	.init = lru_init,
	.fini = lru_fini,
	.find = lru_find,
	.read = lru_read,
	.update = lru_update,
	.remove = lru_remove,
	.next = lru_next,
	.walk_next = lru_walk_next,
};
