/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Tables that hold tables: an array or a hash table whose values are the addresses of other tables, all alike in what the verifier must know of
 * them. A program gets the address from a lookup and hands it to helpers; it cannot change what is where. An address that a program
 * has stays good although the place was given to another table meanwhile: whoever puts a table here keeps it as long as this one.
 */
#include <errno.h>
#include <stdlib.h>

#include "vm/vm_int.h"

struct outer {
	struct vm_table places;  /* values of 8 bytes: struct vm_table * */
	struct table table;      /* of it */
};

static int
outer_init(struct vm_table *t)
{
	struct outer *outer = t->outer = mem_alloc(sizeof(*outer));

	if (!outer)
		return -ENOMEM;
	outer->table = (struct table){
		.name = t->table->name, .kind = t->table->kind == TABLE_HASH_OF_TABLES ? TABLE_HASH : TABLE_ARRAY, .key_size = t->table->key_size,
		.value_size = sizeof(struct vm_table *), .max_entries = t->table->max_entries,
	};
	outer->places = (struct vm_table){
		.table = &outer->table, .ops = outer->table.kind == TABLE_HASH ? &hash_ops : &array_ops, .n_cpus = 1, .stride = outer->table.value_size,
	};
	return outer->places.ops->init(&outer->places);
}

static void
outer_fini(struct vm_table *t)
{
	if (!t->outer)
		return;
	t->outer->places.ops->fini(&t->outer->places);
	free(t->outer);
	t->outer = NULL;
}

/* The place itself; NULL: there is none for this key. */
static struct vm_table **
place_of(struct vm_table *t, const void *key)
{
	return t->outer->places.ops->find(&t->outer->places, key);
}

static void *
outer_find(struct vm_table *t, const void *key)
{
	struct vm_table *places = &t->outer->places, *inner = NULL, **place;

	/* The place of a hash table may be another key's by the time one looks into it: so it is read as hash tables are. */
	if (places->ops->read)
		return places->ops->read(places, key, &inner, sizeof(inner)) ? NULL : inner;
	place = place_of(t, key);
	return place ? __atomic_load_n(place, __ATOMIC_ACQUIRE) : NULL;
}

/* Is all that the verifier takes for granted of what `like` describes true of `table`? As the kernel's bpf_map_meta_equal. */
static bool
is_alike(const struct table *like, const struct table *table)
{
	return like->kind == table->kind && like->key_size == table->key_size && like->value_size == table->value_size &&
	       like->read_only == table->read_only && like->write_only == table->write_only && like->mappable == table->mappable &&
	       like->has_lock == table->has_lock && like->lock_off == table->lock_off &&
	       (like->kind != TABLE_ARRAY || like->max_entries == table->max_entries);
}

int
outer_put(struct vm_table *t, const void *key, struct vm_table *inner, uint64_t flags)
{
	struct vm_table *places = &t->outer->places;

	if (flags > BPF_EXIST || !is_alike(t->table->element, inner->table))
		return -EINVAL;
	if (table_kind_is_per_cpu(inner->table->kind) && inner->n_cpus != t->vm->n_cpus) /* a program goes by its own machine's */
		return -EINVAL;
	if (places->ops == &array_ops && flags != BPF_ANY)
		return -EINVAL;
	return places->ops->update(places, key, &inner, 0, sizeof(inner), flags);
}

static int
outer_remove(struct vm_table *t, const void *key)
{
	struct vm_table *places = &t->outer->places, **place;

	if (places->table->kind == TABLE_HASH)
		return places->ops->remove(places, key);
	place = place_of(t, key);
	if (!place)
		return -E2BIG;
	return __atomic_exchange_n(place, NULL, __ATOMIC_ACQ_REL) ? 0 : -ENOENT;
}

static int
outer_next(struct vm_table *t, const void *key, void *next)
{
	return t->outer->places.ops->next(&t->outer->places, key, next);
}

/* What is here is no bytes: vm_table_held says it. */
static int
outer_read(struct vm_table *t, const void *key, void *value, size_t len)
{
	return -EINVAL;
}

const struct table_ops outer_ops = {
	.init = outer_init,
	.fini = outer_fini,
	.find = outer_find,
	.update = nothing_update,
	.read = outer_read,
	.remove = outer_remove,
	.next = outer_next,
};
