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
 *
 * Threads. A lookup takes no lock: it follows a chain, and does so anew if an entry was taken out of the table meanwhile, for that
 * entry may by now be part of another chain. What it reads on the way is written by shared.h, after the generation was changed, so that
 * whoever read what is not to be trusted finds the generation changed behind it. After some failures it takes the lock of the
 * writers, so that it ends whatever they do. Whoever changes the table holds the stripe of the key's hash, which keeps the chain as it is,
 * and, where entries come or go, the table's lock behind it. Growing takes all of them. Buckets that were outgrown are kept until the end,
 * because a lookup may still be in them (all together they are as many as those in use).
 *
 * An entry is filled, then seen. A value is written in place, so that its address stays the key's as long as the key is there; copies
 * of values longer than a word watch the stripe's version, and are old or new as a whole.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "vm/lock.h"
#include "vm/shared.h"
#include "vm/vm_int.h"

struct entry {
	struct entry *chain;       /* next in the bucket, or next unused */
	struct entry *prev, *next; /* in order of insertion */
	uint64_t hash;
};

struct slab {
	struct slab *next;
};

struct buckets {
	struct buckets *outgrown;  /* those before */
	uint32_t n;                /* a power of two */
	struct entry *heads[];
};

#define STRIPES 16 /* a power of two, and never more than buckets: all of a chain is of one stripe */
#define CACHE_LINE 64 /* what threads write by turns stands apart by as much from what others read or write */
#define READ_TRIES 16 /* looks without a lock, before one with it */

struct stripe {
	struct lock lock;
	uint32_t version;          /* two more with each long value that is written in place; odd: one is being written */
	char apart[CACHE_LINE - sizeof(struct lock) - sizeof(uint32_t)];
};

struct hash {
	struct buckets *buckets;
	uint32_t generation;       /* two more with each entry that goes; odd: all entries are moving to new buckets */
	char apart[CACHE_LINE];
	struct stripe stripes[STRIPES];
	struct lock lock;          /* of all that follows, and of the chains' ends */
	uint32_t n;
	struct entry *first, *last;
	struct entry *unused;
	struct slab *slabs;
	uint32_t n_slab;           /* entries of the next slab */
	struct table_walk *walks;  /* all that are under way; no entry that one of them is at goes without its knowing */
	/* The last key that `next` handed out and, as a walk, what follows it: deleting that key does not lose the place. */
	struct table_walk cursor;
	char *cursor_key;
	bool has_cursor;
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

static uint64_t
mix(uint64_t h, uint64_t word)
{
	h = (h ^ word) * HASH_FACTOR;
	return h ^ h >> 32;
}

/* Eight bytes at a time, mixed by multiplication and a fold of the high half (any good mixing does: order never depends on it). */
uint64_t
hash_key(const void *key, size_t len)
{
	const unsigned char *p = key;
	uint64_t word;
	uint64_t h = HASH_SEED ^ len;

	for (; len >= 8; p += 8, len -= 8) {
		memcpy(&word, p, 8);
		h = mix(h, word);
	}
	if (len) {
		word = 0;
		memcpy(&word, p, len);
		h = mix(h, word);
	}
	return h;
}

/* One word is what most keys and values are: without a loop or a call. */
static void
read_entry(const struct vm_table *t, struct entry *entry, void *to, size_t len)
{
	if (len == sizeof(shared_word) && !t->table->has_lock)
		shared_read(to, entry_value(t, entry), sizeof(shared_word));
	else
		value_read(t, to, entry_value(t, entry), len);
}

/* `value` may be the entry itself: a program may update an entry from its own value. */
static void
write_entry(const struct vm_table *t, struct entry *entry, const void *value, size_t off, size_t len)
{
	if (len == sizeof(shared_word) && !t->table->has_lock)
		shared_write((char *)entry_value(t, entry) + off, value, sizeof(shared_word));
	else
		value_write(t, entry_value(t, entry), value, off, len);
}

static bool
same_key(struct entry *entry, const void *key, size_t len)
{
	return len == sizeof(shared_word) ? shared_same(entry_key(entry), key, sizeof(shared_word)) : shared_same(entry_key(entry), key, len);
}

static struct buckets *
buckets_new(uint32_t n, struct buckets *outgrown)
{
	struct buckets *buckets = n ? mem_alloc(sizeof(*buckets) + n * sizeof(buckets->heads[0])) : NULL;

	if (!buckets)
		return NULL;
	buckets->n = n;
	buckets->outgrown = outgrown;
	return buckets;
}

static int
hash_init(struct vm_table *t)
{
	struct hash *hash = mem_alloc(sizeof(*hash));

	if (!hash)
		return -ENOMEM;
	t->hash = hash;
	hash->n_slab = 8;
	hash->buckets = buckets_new(STRIPES, NULL);
	hash->cursor_key = mem_alloc(t->table->key_size);
	hash->walks = &hash->cursor;
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
	for (struct buckets *buckets = hash->buckets, *outgrown; buckets; buckets = outgrown) {
		outgrown = buckets->outgrown;
		free(buckets);
	}
	free(hash->cursor_key);
	free(hash);
	t->hash = NULL;
}

/* ---- finding ---------------------------------------------------------------------------------------------- */

static struct entry **
bucket_of(struct buckets *buckets, uint64_t h)
{
	return &buckets->heads[h & (buckets->n - 1)];
}

/* One look along a chain, which may lead astray while others change the table. */
static struct entry *
follow_chain(const struct vm_table *t, const void *key, uint64_t h)
{
	struct buckets *buckets = __atomic_load_n(&t->hash->buckets, __ATOMIC_ACQUIRE);
	struct entry *entry = __atomic_load_n(bucket_of(buckets, h), __ATOMIC_ACQUIRE);

	while (entry && (shared_load(&entry->hash) != h || !same_key(entry, key, t->table->key_size)))
		entry = __atomic_load_n(&entry->chain, __ATOMIC_ACQUIRE);
	return entry;
}

static uint32_t
generation_of(const struct hash *hash)
{
	return __atomic_load_n(&hash->generation, __ATOMIC_ACQUIRE);
}

/* Is all that was read since the generation was asked for as it was then? (Such reads acquire: this one stays behind them.) */
static bool
is_generation(const struct hash *hash, uint32_t generation)
{
	return !(generation & 1) && __atomic_load_n(&hash->generation, __ATOMIC_RELAXED) == generation;
}

static struct stripe *
stripe_of(struct hash *hash, uint64_t h)
{
	return &hash->stripes[h & (STRIPES - 1)];
}

/* Not inlined, as it is seldom called. */
__attribute__((noinline)) static struct entry *
find_locked(const struct vm_table *t, const void *key, uint64_t h)
{
	struct stripe *stripe = stripe_of(t->hash, h);
	struct entry *entry;

	lock_take(&stripe->lock);
	entry = follow_chain(t, key, h);
	lock_give(&stripe->lock);
	return entry;
}

static struct entry *
find_entry(const struct vm_table *t, const void *key, uint64_t h)
{
	for (int i = 0; i < READ_TRIES; i++) {
		uint32_t generation = generation_of(t->hash);
		struct entry *entry = follow_chain(t, key, h);

		if (is_generation(t->hash, generation))
			return entry;
	}
	return find_locked(t, key, h);
}

void *
hash_find_entry(struct vm_table *t, const void *key)
{
	return find_entry(t, key, hash_key(key, t->table->key_size));
}

static void *
hash_find(struct vm_table *t, const void *key)
{
	struct entry *entry = hash_find_entry(t, key);

	return entry ? entry_value(t, entry) : NULL;
}

struct hash_layout
hash_layout(const struct vm_table *t)
{
	return (struct hash_layout){
		.hash = t->hash, .buckets = offsetof(struct hash, buckets), .generation = offsetof(struct hash, generation),
		.n = offsetof(struct buckets, n), .heads = offsetof(struct buckets, heads), .chain = offsetof(struct entry, chain),
		.key_hash = offsetof(struct entry, hash), .key = sizeof(struct entry), .value = (uint32_t)(sizeof(struct entry) + entry_key_size(t)),
	};
}

/* 0 or -ENOENT; what was copied is the key's value if neither generation nor version have changed. */
static int
copy_value(const struct vm_table *t, const void *key, uint64_t h, void *value, size_t len)
{
	struct entry *entry = follow_chain(t, key, h);

	if (entry)
		read_entry(t, entry, value, len);
	return entry ? 0 : -ENOENT;
}

/* Without a lock. False: not to be trusted. */
static bool
try_copy(const struct vm_table *t, const void *key, uint64_t h, void *value, size_t len, int *err)
{
	const struct stripe *stripe = stripe_of(t->hash, h);
	/* A word is never half of two: so who writes it does not say so. */
	const uint32_t *version = len > sizeof(shared_word) ? &stripe->version : &(uint32_t){ 0 };
	uint32_t before = __atomic_load_n(version, __ATOMIC_ACQUIRE), generation = generation_of(t->hash);

	*err = copy_value(t, key, h, value, len);
	return is_generation(t->hash, generation) && !(before & 1) && __atomic_load_n(version, __ATOMIC_RELAXED) == before;
}

__attribute__((noinline)) static int
copy_locked(const struct vm_table *t, const void *key, uint64_t h, void *value, size_t len)
{
	struct stripe *stripe = stripe_of(t->hash, h);
	int err;

	lock_take(&stripe->lock);
	err = copy_value(t, key, h, value, len);
	lock_give(&stripe->lock);
	return err;
}

static int
hash_read(struct vm_table *t, const void *key, void *value, size_t len)
{
	uint64_t h = hash_key(key, t->table->key_size);
	int err;

	for (int i = 0; i < READ_TRIES; i++)
		if (try_copy(t, key, h, value, len, &err))
			return err;
	return copy_locked(t, key, h, value, len);
}

/* ---- changing ---------------------------------------------------------------------------------------------- */

/* What is changed after it is changed by stores that release: nobody sees them and the old generation behind them. */
static void
bump_generation(struct hash *hash, uint32_t by)
{
	__atomic_store_n(&hash->generation, hash->generation + by, __ATOMIC_RELEASE);
}

/* Twice as many buckets, under all locks. Without memory for that, chains merely grow longer. */
static void
double_buckets(struct hash *hash)
{
	struct buckets *buckets = buckets_new(hash->buckets->n * 2, hash->buckets);

	if (!buckets)
		return;
	bump_generation(hash, 1);
	for (struct entry *entry = hash->first; entry; entry = entry->next) {
		struct entry **bucket = bucket_of(buckets, entry->hash);

		__atomic_store_n(&entry->chain, *bucket, __ATOMIC_RELEASE);
		*bucket = entry;
	}
	__atomic_store_n(&hash->buckets, buckets, __ATOMIC_RELEASE);
	bump_generation(hash, 1);
}

static void
grow_buckets(struct hash *hash)
{
	for (uint32_t i = 0; i < STRIPES; i++)
		lock_take(&hash->stripes[i].lock);
	lock_take(&hash->lock);
	if (hash->n >= hash->buckets->n)
		double_buckets(hash);
	lock_give(&hash->lock);
	for (uint32_t i = 0; i < STRIPES; i++)
		lock_give(&hash->stripes[i].lock);
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

/* Lookups ask for it without the lock. */
static void
set_count(struct hash *hash, uint32_t n)
{
	__atomic_store_n(&hash->n, n, __ATOMIC_RELAXED);
}

/* Puts an entry that is filled into its chain and at the end of the list. */
static void
link_entry(struct hash *hash, struct entry *entry)
{
	struct entry **bucket = bucket_of(hash->buckets, entry->hash);

	__atomic_store_n(&entry->chain, *bucket, __ATOMIC_RELEASE);
	__atomic_store_n(bucket, entry, __ATOMIC_RELEASE);
	entry->next = NULL;
	entry->prev = hash->last;
	*(hash->last ? &hash->last->next : &hash->first) = entry;
	hash->last = entry;
	for (struct table_walk *walk = hash->walks; walk; walk = walk->others)
		if (!walk->next)
			walk->next = entry;
	set_count(hash, hash->n + 1);
}

static void
unlink_entry(struct hash *hash, struct entry *entry)
{
	struct entry **link = bucket_of(hash->buckets, entry->hash);

	while (*link != entry)
		link = &(*link)->chain;
	__atomic_store_n(link, entry->chain, __ATOMIC_RELEASE);
	bump_generation(hash, 2);
	*(entry->prev ? &entry->prev->next : &hash->first) = entry->next;
	*(entry->next ? &entry->next->prev : &hash->last) = entry->prev;
	for (struct table_walk *walk = hash->walks; walk; walk = walk->others)
		if (walk->next == entry)
			walk->next = entry->next;
	__atomic_store_n(&entry->chain, hash->unused, __ATOMIC_RELEASE);
	hash->unused = entry;
	set_count(hash, hash->n - 1);
}

/*
 * A new entry with this value at `off` and zeros elsewhere, under the key's stripe and the table's lock. 0, -E2BIG, -ENOMEM. It may be
 * one that was in use, and that others still look at. A lock in its value is theirs, then: it is not set to 0.
 */
static int
add_entry(struct vm_table *t, const void *key, uint64_t h, const void *value, size_t off, size_t len)
{
	struct hash *hash = t->hash;
	struct entry *entry;

	if (hash->n >= t->table->max_entries)
		return -E2BIG;
	if (!hash->unused && !add_slab(t))
		return -ENOMEM;
	entry = hash->unused;
	hash->unused = entry->chain;
	shared_store(&entry->hash, h);
	shared_write(entry_key(entry), key, t->table->key_size);
	write_entry(t, entry, value, off, len);
	if (t->n_cpus > 1)
		values_zero_others(t, entry_value(t, entry), off, len);
	link_entry(hash, entry);
	return 0;
}

/* Under the key's stripe. */
static int
insert(struct vm_table *t, const void *key, uint64_t h, const void *value, size_t off, size_t len)
{
	int err;

	lock_take(&t->hash->lock);
	err = add_entry(t, key, h, value, off, len);
	lock_give(&t->hash->lock);
	return err;
}

/* Under the key's stripe. */
static void
overwrite(const struct vm_table *t, struct stripe *stripe, struct entry *entry, const void *value, size_t off, size_t len)
{
	if (len > sizeof(shared_word))
		__atomic_store_n(&stripe->version, stripe->version + 1, __ATOMIC_RELAXED);
	write_entry(t, entry, value, off, len);
	if (len > sizeof(shared_word))
		__atomic_store_n(&stripe->version, stripe->version + 1, __ATOMIC_RELEASE);
}

static bool
is_crowded(const struct hash *hash)
{
	return __atomic_load_n(&hash->n, __ATOMIC_RELAXED) >= __atomic_load_n(&hash->buckets, __ATOMIC_ACQUIRE)->n;
}

static int
hash_update(struct vm_table *t, const void *key, const void *value, size_t off, size_t len, uint64_t flags)
{
	uint64_t h = hash_key(key, t->table->key_size);
	struct stripe *stripe = stripe_of(t->hash, h);
	struct entry *entry;
	int err = 0;

	lock_take(&stripe->lock);
	entry = follow_chain(t, key, h);
	if (entry && flags == BPF_NOEXIST)
		err = -EEXIST;
	else if (!entry && flags == BPF_EXIST)
		err = -ENOENT;
	else if (entry)
		overwrite(t, stripe, entry, value, off, len);
	else
		err = insert(t, key, h, value, off, len);
	lock_give(&stripe->lock);
	if (!entry && is_crowded(t->hash))
		grow_buckets(t->hash);
	return err;
}

static int
hash_remove(struct vm_table *t, const void *key)
{
	uint64_t h = hash_key(key, t->table->key_size);
	struct stripe *stripe = stripe_of(t->hash, h);
	struct entry *entry;

	lock_take(&stripe->lock);
	entry = follow_chain(t, key, h);
	if (entry) {
		lock_take(&t->hash->lock);
		unlink_entry(t->hash, entry);
		lock_give(&t->hash->lock);
	}
	lock_give(&stripe->lock);
	return entry ? 0 : -ENOENT;
}

/* ---- iteration ---------------------------------------------------------------------------------------------- */

/* What follows a key. A key that is in the table no more is the cursor's, or unknown: then iteration begins anew, as bpf(2) does. */
static struct entry *
entry_after(struct vm_table *t, const void *key)
{
	struct hash *hash = t->hash;
	struct entry *entry;

	if (!key)
		return hash->first;
	entry = follow_chain(t, key, hash_key(key, t->table->key_size));
	if (entry)
		return entry->next;
	if (hash->has_cursor && !memcmp(hash->cursor_key, key, t->table->key_size))
		return hash->cursor.next;
	return hash->first;
}

/* hash_next under the table's lock. */
static int
next_locked(struct vm_table *t, const void *key, void *next)
{
	struct hash *hash = t->hash;
	struct entry *entry = entry_after(t, key);

	if (!entry)
		return -ENOENT;
	memcpy(hash->cursor_key, entry_key(entry), t->table->key_size);
	hash->has_cursor = true;
	hash->cursor.next = entry->next;
	memcpy(next, entry_key(entry), t->table->key_size);
	return 0;
}

static int
hash_next(struct vm_table *t, const void *key, void *next)
{
	int err;

	lock_take(&t->hash->lock);
	err = next_locked(t, key, next);
	lock_give(&t->hash->lock);
	return err;
}

static void
hash_walk_begin(struct vm_table *t, struct table_walk *walk)
{
	struct hash *hash = t->hash;

	lock_take(&hash->lock);
	*walk = (struct table_walk){ .others = hash->walks, .next = hash->first };
	hash->walks = walk;
	lock_give(&hash->lock);
}

static void *
hash_walk_next(struct vm_table *t, struct table_walk *walk, void *key)
{
	struct entry *entry;

	lock_take(&t->hash->lock);
	entry = walk->next;
	if (entry) {
		walk->next = entry->next;
		memcpy(key, entry_key(entry), t->table->key_size);
	}
	lock_give(&t->hash->lock);
	return entry ? entry_value(t, entry) : NULL;
}

static void
hash_walk_end(struct vm_table *t, struct table_walk *walk)
{
	struct table_walk **link = &t->hash->walks;

	lock_take(&t->hash->lock);
	while (*link != walk)
		link = &(*link)->others;
	*link = walk->others;
	lock_give(&t->hash->lock);
}

static uint32_t
hash_count(const struct vm_table *t)
{
	return __atomic_load_n(&t->hash->n, __ATOMIC_RELAXED);
}

const struct table_ops hash_ops = {
	.init = hash_init,
	.fini = hash_fini,
	.find = hash_find,
	.read = hash_read,
	.update = hash_update,
	.remove = hash_remove,
	.next = hash_next,
	.walk_begin = hash_walk_begin,
	.walk_next = hash_walk_next,
	.walk_end = hash_walk_end,
	.count = hash_count,
};
