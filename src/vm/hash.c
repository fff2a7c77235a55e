/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Hash tables, with one value an entry or one a CPU.
 *
 * Entries are cut from slabs that grow with use and are given back only with the table: the address of a value stays good
 * while its entry lives, and a program that still holds the address of an entry it deleted touches memory of this table and
 * nothing else, as in the kernel. Live entries are on a list in order of insertion, which is the order of iteration.
 *
 *      buckets ---> chain of entries        first <-> ... <-> last        unused -> ...
 *     +------------------------+------------+------------------------------+
 *     | struct entry           | key, to 8  | values, n_cpus * stride      |
 *     +------------------------+------------+------------------------------+
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vm/vm_int.h"

struct entry {
	struct entry *chain;       /* next in the bucket, or next unused */
	struct entry *prev, *next; /* in order of insertion */
	uint64_t hash;
};

struct slab {
	struct slab *next;
};

struct hash {
	struct entry **buckets;
	uint32_t n_buckets;        /* a power of two */
	uint32_t n;
	struct entry *first, *last;
	struct entry *unused;
	struct slab *slabs;
	uint32_t n_slab;           /* entries of the next slab */
	/* The last key that `next` handed out and what follows it, so that deleting that key does not lose the place. */
	char *cursor_key;
	bool has_cursor;
	struct entry *cursor_next;
};

#define SLAB_ENTRIES_MAX 1024

static size_t
entry_key_size(const struct vm_table *t)
{
	return round_up(t->table->key_size, 8);
}

static size_t
entry_size(const struct vm_table *t)
{
	return sizeof(struct entry) + entry_key_size(t) + (size_t)t->n_cpus * t->stride;
}

static void *
entry_key(struct entry *entry)
{
	return entry + 1;
}

static void *
entry_value(const struct vm_table *t, struct entry *entry)
{
	return (char *)(entry + 1) + entry_key_size(t);
}

/* Eight bytes at a time, mixed by multiplication and a fold of the high half (any good mixing does: order never depends on it). */
uint64_t
hash_key(const void *key, size_t len)
{
	const unsigned char *p = key;
	uint64_t h = 0x9e3779b97f4a7c15u ^ len;

	while (len) {
		size_t n = len < 8 ? len : 8;
		uint64_t word = 0;

		memcpy(&word, p, n);
		h = (h ^ word) * 0xff51afd7ed558ccdu;
		h ^= h >> 32;
		p += n;
		len -= n;
	}
	return h;
}

static int
hash_init(struct vm_table *t)
{
	struct hash *hash = mem_alloc(sizeof(*hash));

	if (!hash)
		return -ENOMEM;
	t->hash = hash;
	hash->n_buckets = 16;
	hash->n_slab = 8;
	hash->buckets = mem_alloc(hash->n_buckets * sizeof(*hash->buckets));
	hash->cursor_key = mem_alloc(t->table->key_size);
	return hash->buckets && hash->cursor_key ? 0 : -ENOMEM;
}

static void
hash_fini(struct vm_table *t)
{
	struct hash *hash = t->hash;

	if (!hash)
		return;
	for (struct slab *slab = hash->slabs, *next; slab; slab = next) {
		next = slab->next;
		free(slab);
	}
	free(hash->buckets);
	free(hash->cursor_key);
	free(hash);
	t->hash = NULL;
}

static struct entry *
find_entry(const struct vm_table *t, const void *key, uint64_t h)
{
	const struct hash *hash = t->hash;
	struct entry *entry = hash->buckets[h & (hash->n_buckets - 1)];

	while (entry && (entry->hash != h || memcmp(entry_key(entry), key, t->table->key_size)))
		entry = entry->chain;
	return entry;
}

static void *
hash_find(struct vm_table *t, const void *key)
{
	struct entry *entry = find_entry(t, key, hash_key(key, t->table->key_size));

	return entry ? entry_value(t, entry) : NULL;
}

/* Doubles the buckets. Without memory for that, chains merely grow longer. */
static void
grow_buckets(struct hash *hash)
{
	uint32_t n = hash->n_buckets * 2;
	struct entry **buckets = n ? mem_alloc(n * sizeof(*buckets)) : NULL;

	if (!buckets)
		return;
	for (struct entry *entry = hash->first; entry; entry = entry->next) {
		struct entry **bucket = &buckets[entry->hash & (n - 1)];

		entry->chain = *bucket;
		*bucket = entry;
	}
	free(hash->buckets);
	hash->buckets = buckets;
	hash->n_buckets = n;
}

/* New unused entries; a slab is twice the one before, up to a limit, and never more than the table can still take. */
static bool
add_slab(struct vm_table *t)
{
	struct hash *hash = t->hash;
	uint32_t n = hash->n_slab, left = t->table->max_entries - hash->n;
	size_t size = entry_size(t);
	struct slab *slab;

	if (n > left)
		n = left;
	while (n > 1 && n * size > (1u << 20))
		n /= 2;
	slab = mem_alloc(sizeof(*slab) + n * size);
	if (!slab)
		return false;
	slab->next = hash->slabs;
	hash->slabs = slab;
	for (uint32_t i = n; i-- > 0;) {
		struct entry *entry = (struct entry *)((char *)(slab + 1) + i * size);

		entry->chain = hash->unused;
		hash->unused = entry;
	}
	if (hash->n_slab < SLAB_ENTRIES_MAX)
		hash->n_slab *= 2;
	return true;
}

static struct entry *
add_entry(struct vm_table *t, const void *key, uint64_t h)
{
	struct hash *hash = t->hash;
	struct entry *entry, **bucket;

	if (!hash->unused && !add_slab(t))
		return NULL;
	if (hash->n >= hash->n_buckets)
		grow_buckets(hash);
	entry = hash->unused;
	hash->unused = entry->chain;
	bucket = &hash->buckets[h & (hash->n_buckets - 1)];
	entry->chain = *bucket;
	*bucket = entry;
	entry->hash = h;
	entry->next = NULL;
	entry->prev = hash->last;
	*(hash->last ? &hash->last->next : &hash->first) = entry;
	hash->last = entry;
	if (hash->has_cursor && !hash->cursor_next)
		hash->cursor_next = entry;
	hash->n++;
	memcpy(entry_key(entry), key, t->table->key_size);
	memset(entry_value(t, entry), 0, (size_t)t->n_cpus * t->stride);
	return entry;
}

static void *
hash_claim(struct vm_table *t, const void *key, uint64_t flags, int *err)
{
	uint64_t h = hash_key(key, t->table->key_size);
	struct entry *entry = find_entry(t, key, h);

	if (entry && flags == BPF_NOEXIST)
		*err = -EEXIST;
	else if (!entry && flags == BPF_EXIST)
		*err = -ENOENT;
	else if (!entry && t->hash->n >= t->table->max_entries)
		*err = -E2BIG;
	else if (!entry && !(entry = add_entry(t, key, h)))
		*err = -ENOMEM;
	else
		return entry_value(t, entry);
	return NULL;
}

static int
hash_remove(struct vm_table *t, const void *key)
{
	struct hash *hash = t->hash;
	uint64_t h = hash_key(key, t->table->key_size);
	struct entry *entry = find_entry(t, key, h);
	struct entry **link = &hash->buckets[h & (hash->n_buckets - 1)];

	if (!entry)
		return -ENOENT;
	while (*link != entry)
		link = &(*link)->chain;
	*link = entry->chain;
	*(entry->prev ? &entry->prev->next : &hash->first) = entry->next;
	*(entry->next ? &entry->next->prev : &hash->last) = entry->prev;
	if (hash->cursor_next == entry)
		hash->cursor_next = entry->next;
	entry->chain = hash->unused;
	hash->unused = entry;
	hash->n--;
	return 0;
}

/* What follows a key. A key that is in the table no more is the cursor's, or unknown: then iteration begins anew, as bpf(2) does. */
static struct entry *
entry_after(struct vm_table *t, const void *key)
{
	struct hash *hash = t->hash;
	struct entry *entry;

	if (!key)
		return hash->first;
	entry = find_entry(t, key, hash_key(key, t->table->key_size));
	if (entry)
		return entry->next;
	if (hash->has_cursor && !memcmp(hash->cursor_key, key, t->table->key_size))
		return hash->cursor_next;
	return hash->first;
}

static int
hash_next(struct vm_table *t, const void *key, void *next)
{
	struct hash *hash = t->hash;
	struct entry *entry = entry_after(t, key);

	if (!entry)
		return -ENOENT;
	memcpy(hash->cursor_key, entry_key(entry), t->table->key_size);
	hash->has_cursor = true;
	hash->cursor_next = entry->next;
	memcpy(next, entry_key(entry), t->table->key_size);
	return 0;
}

const struct table_ops hash_ops = {
	.init = hash_init,
	.fini = hash_fini,
	.find = hash_find,
	.claim = hash_claim,
	.remove = hash_remove,
	.next = hash_next,
	.from_program = true,
};
