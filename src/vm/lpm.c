/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * LPM tries: a lookup finds the entry whose key is the longest prefix of the key asked for. A key is struct bpf_lpm_trie_key: the
 * number of bits of the prefix, then the bits, the first the highest of the first byte.
 *
 * The trie holds one node an entry, and one without a value where two entries part. Below a node are the keys that begin with its
 * prefix; its two children tell by the bit behind it.
 *
 *            10/8                       n nodes with values need at most n - 1 without: memory is taken as it is needed, in
 *           /    \                      slabs that are given back with the table, so that the value which a lookup returned stays
 *     10.0/16    10.128/9 (no value)    memory of this table whatever happens to its entry
 *                 /      \
 *          10.129/16    10.200/16
 *
 * Safe for many threads: each operation holds the table's lock, an update until the node is filled, a read until it is copied.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vm/lock.h"
#include "vm/vm_int.h"

#define PREFIX_BYTES 4 /* of prefixlen, before the bits */
#define SLAB_NODES 64

struct lpm_node {
	struct lpm_node *children[2]; /* of an unused node, children[0] is the next one */
	uint32_t prefix_len;
	bool has_value;
	uint8_t bits[];               /* of the key, to a multiple of 8, then the value */
};

struct lpm_slab {
	struct lpm_slab *next;
	_Alignas(8) char nodes[];
};

struct lpm {
	struct lock lock;
	struct lpm_node *root, *unused;
	struct lpm_slab *slabs;
	uint32_t n; /* entries */
};

static uint32_t
key_bytes(const struct vm_table *t)
{
	return t->table->key_size - PREFIX_BYTES;
}

static size_t
node_size(const struct vm_table *t)
{
	return round_up(sizeof(struct lpm_node) + key_bytes(t), 8) + t->stride;
}

static char *
node_value(const struct vm_table *t, struct lpm_node *node)
{
	return (char *)node + node_size(t) - t->stride;
}

static uint32_t
key_prefix(const void *key)
{
	uint32_t len;

	memcpy(&len, key, sizeof(len));
	return len;
}

static const uint8_t *
key_bits(const void *key)
{
	return (const uint8_t *)key + PREFIX_BYTES;
}

static unsigned
bit_at(const uint8_t *bits, uint32_t n)
{
	return bits[n / 8] >> (7 - n % 8) & 1;
}

/* How many bits of the node's prefix the key shares, `max` at most. */
static uint32_t
shared_bits(const struct lpm_node *node, const uint8_t *bits, uint32_t max)
{
	uint32_t n = 0;

	if (max > node->prefix_len)
		max = node->prefix_len;
	while (n + 8 <= max && node->bits[n / 8] == bits[n / 8])
		n += 8;
	while (n < max && bit_at(node->bits, n) == bit_at(bits, n))
		n++;
	return n;
}

/* ---- made and freed ---------------------------------------------------------------------------------------------- */

static int
lpm_init(struct vm_table *t)
{
	t->lpm = mem_alloc(sizeof(*t->lpm));
	if (!t->lpm)
		return -ENOMEM;
	return 0;
}

static void
lpm_fini(struct vm_table *t)
{
	if (!t->lpm)
		return;
	for (struct lpm_slab *slab = t->lpm->slabs, *next; slab; slab = next) {
		next = slab->next;
		free(slab);
	}
	free(t->lpm);
	t->lpm = NULL;
}

static void
node_free(struct lpm *lpm, struct lpm_node *node)
{
	node->children[0] = lpm->unused;
	lpm->unused = node;
}

static bool
add_slab(const struct vm_table *t)
{
	struct lpm *lpm = t->lpm;
	struct lpm_slab *slab = mem_alloc(sizeof(*slab) + SLAB_NODES * node_size(t));

	if (!slab)
		return false;
	slab->next = lpm->slabs;
	lpm->slabs = slab;
	for (uint32_t i = 0; i < SLAB_NODES; i++)
		node_free(lpm, (struct lpm_node *)(slab->nodes + i * node_size(t)));
	return true;
}

/* A node of the first `prefix_len` bits, without value and children. NULL: out of memory. */
static struct lpm_node *
node_new(const struct vm_table *t, const uint8_t *bits, uint32_t prefix_len)
{
	struct lpm_node *node;

	if (!t->lpm->unused && !add_slab(t))
		return NULL;
	node = t->lpm->unused;
	t->lpm->unused = node->children[0];
	*node = (struct lpm_node){ .prefix_len = prefix_len };
	memcpy(node->bits, bits, key_bytes(t));
	return node;
}

/* ---- lookup ----------------------------------------------------------------------------------------------------------- */

/* Under the lock: the longest prefix of the key that has a value; NULL: none. */
static struct lpm_node *
find_node(const struct vm_table *t, const void *key)
{
	uint32_t max = key_prefix(key);
	const uint8_t *bits = key_bits(key);
	struct lpm_node *node = max <= key_bytes(t) * 8 ? t->lpm->root : NULL, *found = NULL;

	while (node && shared_bits(node, bits, max) == node->prefix_len) {
		if (node->has_value)
			found = node;
		if (node->prefix_len == max)
			break;
		node = node->children[bit_at(bits, node->prefix_len)];
	}
	return found;
}

static void *
lpm_find(struct vm_table *t, const void *key)
{
	struct lpm_node *node;

	lock_take(&t->lpm->lock);
	node = find_node(t, key);
	lock_give(&t->lpm->lock);
	return node ? node_value(t, node) : NULL;
}

static int
lpm_read(struct vm_table *t, const void *key, void *value, size_t len)
{
	struct lpm_node *node;

	lock_take(&t->lpm->lock);
	node = find_node(t, key);
	if (node)
		value_read(t, value, node_value(t, node), len);
	lock_give(&t->lpm->lock);
	return node ? 0 : -ENOENT;
}

/* Where the node of exactly this prefix hangs or would hang: under it is that node, one that parts from it, or none. */
static struct lpm_node **
find_link(struct lpm *lpm, const uint8_t *bits, uint32_t prefix_len)
{
	struct lpm_node **link = &lpm->root;

	while (*link && (*link)->prefix_len < prefix_len && shared_bits(*link, bits, prefix_len) == (*link)->prefix_len)
		link = &(*link)->children[bit_at(bits, (*link)->prefix_len)];
	return link;
}

static bool
is_node_of(const struct lpm_node *node, const uint8_t *bits, uint32_t prefix_len)
{
	return node && node->prefix_len == prefix_len && shared_bits(node, bits, prefix_len) == prefix_len;
}

/* ---- update -------------------------------------------------------------------------------------------------------------- */

/* Hangs a new node into the link, above or beside what is there. NULL: out of memory. */
static struct lpm_node *
insert_node(const struct vm_table *t, struct lpm_node **link, const uint8_t *bits, uint32_t prefix_len)
{
	struct lpm_node *node = node_new(t, bits, prefix_len), *below = *link, *fork;
	uint32_t shared = below ? shared_bits(below, bits, prefix_len) : 0;

	if (!node || !below) {
		*link = node ? node : below;
	} else if (shared == prefix_len) {
		node->children[bit_at(below->bits, shared)] = below;
		*link = node;
	} else {
		fork = node_new(t, bits, shared);
		if (!fork) {
			node_free(t->lpm, node);
			return NULL;
		}
		fork->children[bit_at(bits, shared)] = node;
		fork->children[bit_at(below->bits, shared)] = below;
		*link = fork;
	}
	return node;
}

/* Under the lock: the node of exactly this key, whose value is to be written. */
static int
claim_node(struct vm_table *t, const void *key, uint64_t flags, struct lpm_node **claimed)
{
	struct lpm *lpm = t->lpm;
	const uint8_t *bits = key_bits(key);
	struct lpm_node **link = find_link(lpm, bits, key_prefix(key)), *node = *link;
	bool is_node = is_node_of(node, bits, key_prefix(key)), exists = is_node && node->has_value;

	if (exists && flags == BPF_NOEXIST)
		return -EEXIST;
	if (!exists && flags == BPF_EXIST)
		return -ENOENT;
	if (!exists && lpm->n == t->table->max_entries)
		return -ENOSPC;
	if (!is_node && !(node = insert_node(t, link, bits, key_prefix(key))))
		return -ENOMEM;
	lpm->n += !exists;
	node->has_value = true;
	memcpy(node->bits, bits, key_bytes(t)); /* those behind the prefix too: iteration gives back the whole key */
	*claimed = node;
	return 0;
}

static int
lpm_update(struct vm_table *t, const void *key, const void *value, size_t off, size_t len, uint64_t flags)
{
	struct lpm_node *node;
	int err;

	if (key_prefix(key) > key_bytes(t) * 8)
		return -EINVAL;
	lock_take(&t->lpm->lock);
	err = claim_node(t, key, flags, &node);
	if (!err)
		value_write(t, node_value(t, node), value, off, len);
	lock_give(&t->lpm->lock);
	return err;
}

/* ---- delete ---------------------------------------------------------------------------------------------------------------- */

/* Takes out a node without value that has at most one child, and then the one above, if it is left with no reason to be. */
static void
prune(struct lpm *lpm, const uint8_t *bits, uint32_t prefix_len)
{
	struct lpm_node **link = &lpm->root, **above = NULL, *node;

	while ((node = *link)->prefix_len != prefix_len) {
		above = link;
		link = &node->children[bit_at(bits, node->prefix_len)];
	}
	if (node->has_value || (node->children[0] && node->children[1]))
		return;
	*link = node->children[0] ? node->children[0] : node->children[1];
	node_free(lpm, node);
	if (above && !*link && !(*above)->has_value)
		prune(lpm, bits, (*above)->prefix_len);
}

static int
lpm_remove(struct vm_table *t, const void *key)
{
	struct lpm *lpm = t->lpm;
	uint32_t prefix_len = key_prefix(key);
	struct lpm_node *node;
	int err = -ENOENT;

	if (prefix_len > key_bytes(t) * 8)
		return -EINVAL;
	lock_take(&lpm->lock);
	node = *find_link(lpm, key_bits(key), prefix_len);
	if (is_node_of(node, key_bits(key), prefix_len) && node->has_value) {
		node->has_value = false;
		lpm->n--;
		prune(lpm, key_bits(key), prefix_len);
		err = 0;
	}
	lock_give(&lpm->lock);
	return err;
}

/* ---- iteration: what is below a node before the node, so longer prefixes first; the order of the kernel --------------------- */

/* The first node with a value of a subtree, in that order. Where there is none below, it is the node itself. */
static struct lpm_node *
first_below(struct lpm_node *node)
{
	while (node && (node->children[0] || node->children[1]))
		node = node->children[0] ? node->children[0] : node->children[1];
	return node;
}

/* What follows the entry of exactly this prefix; the first of all where there is no such entry. */
static struct lpm_node *
node_after(struct lpm *lpm, const uint8_t *bits, uint32_t prefix_len)
{
	struct lpm_node *node = *find_link(lpm, bits, prefix_len), *parent, *after = NULL;

	if (!is_node_of(node, bits, prefix_len) || !node->has_value)
		return first_below(lpm->root);
	node = lpm->root;
	while (node->prefix_len != prefix_len) {
		parent = node;
		node = parent->children[bit_at(bits, parent->prefix_len)];
		/* Behind the subtree of child 0 comes that of child 1, behind both the node, if it is an entry. */
		if (node == parent->children[0] && parent->children[1])
			after = first_below(parent->children[1]);
		else if (parent->has_value)
			after = parent;
	}
	return after;
}

static int
lpm_next(struct vm_table *t, const void *key, void *next)
{
	struct lpm *lpm = t->lpm;
	struct lpm_node *node;

	lock_take(&lpm->lock);
	node = key && key_prefix(key) <= key_bytes(t) * 8 ? node_after(lpm, key_bits(key), key_prefix(key)) : first_below(lpm->root);
	if (node) {
		memcpy(next, &node->prefix_len, PREFIX_BYTES);
		memcpy((char *)next + PREFIX_BYTES, node->bits, key_bytes(t));
	}
	lock_give(&lpm->lock);
	return node ? 0 : -ENOENT;
}

const struct table_ops lpm_ops = {
	.init = lpm_init,
	.fini = lpm_fini,
	.find = lpm_find,
	.read = lpm_read,
	.update = lpm_update,
	.remove = lpm_remove,
	.next = lpm_next,
};
