/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * libktap: tables. One of the host's has a machine of its own, without programs; objects share what is in it (vm_table_share).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/host_int.h"

/* The object that is nothing but one table. In no arena, for which a lack of memory is the end of the process. */
struct own_table {
	struct object object;
	struct table table, *tables[1];
	char name[];
};

static struct own_table *
own_table_new(const char *name, enum table_kind kind, const uint32_t sizes[3])
{
	size_t size = strlen(name) + 1;
	struct own_table *own = mem_alloc(sizeof(*own) + size);

	if (!own)
		return NULL;
	memcpy(own->name, name, size);
	own->table = (struct table){ .name = own->name, .kind = kind, .key_size = sizes[0], .value_size = sizes[1], .max_entries = sizes[2] };
	own->tables[0] = &own->table;
	own->object = (struct object){ .name = own->name, .tables = own->tables, .n_tables = 1 };
	return own;
}

int
ktap_table_new(struct ktap *engine, const char *name, enum ktap_table_kind kind, uint32_t key_size, uint32_t value_size,
	       uint32_t max_entries, struct ktap_table **out)
{
	const uint32_t sizes[3] = { key_size, value_size, max_entries };
	struct ktap_table *table;
	struct text why = { 0 };

	*out = NULL;
	if (kind != KTAP_TABLE_HASH && kind != KTAP_TABLE_ARRAY)
		return host_fail(-EINVAL, "table '%s': kind %d is not known", name, (int)kind);
	if (!key_size || !value_size || !max_entries || (kind == KTAP_TABLE_ARRAY && key_size != 4))
		return host_fail(-EINVAL, "table '%s': keys of %u bytes, values of %u, %u entries: none may be 0, keys of arrays have 4 bytes", name,
				 key_size, value_size, max_entries);
	table = mem_alloc(sizeof(*table));
	if (table)
		table->own = own_table_new(name, kind == KTAP_TABLE_HASH ? TABLE_HASH : TABLE_ARRAY, sizes);
	if (!table || !table->own) {
		free(table);
		return host_fail(-ENOMEM, "no memory for table '%s'", name);
	}
	table->engine = engine;
	table->vm = vm_new(&table->own->object, 1, &why);
	if (!table->vm) {
		int err = -errno;

		free(table->own);
		free(table);
		return host_fail_text(err, &why);
	}
	table->table = vm_table_of(table->vm, 0);
	vm_set_host(table->vm, table);
	*out = table;
	return 0;
}

void
ktap_table_free(struct ktap_table *table)
{
	if (!table || !table->own)
		return;
	vm_free(table->vm);
	free(table->own);
	free(table);
}

struct ktap_table *
ktap_table_find(struct ktap_object *object, const char *name)
{
	for (uint32_t i = 0; i < object->object->n_tables; i++)
		if (strcmp(object->object->tables[i]->name, name) == 0)
			return &object->tables[i];
	return NULL;
}

uint32_t
ktap_table_key_size(const struct ktap_table *table)
{
	return table->table->key_size;
}

uint32_t
ktap_table_value_size(const struct ktap_table *table)
{
	/* A machine of libktap's has one CPU. */
	return table_kind_is_per_cpu(table->table->kind) ? (uint32_t)round_up(table->table->value_size, 8) : table->table->value_size;
}

bool
host_table_is_shared(const struct table *table)
{
	return !table_kind_is_per_cpu(table->kind);
}

/* Programs leave records in it, which one thread at a time takes out. */
static bool
has_records(const struct ktap_table *table)
{
	return table->table->kind == TABLE_RINGBUF || table->table->kind == TABLE_PERF_EVENTS;
}

void
host_table_init(struct ktap_table *table, struct ktap_object *object, uint32_t index)
{
	pthread_mutexattr_t attributes;

	*table = (struct ktap_table){
		.engine = object->engine, .object = object, .vm = object->vm, .index = index, .table = object->object->tables[index],
	};
	if (!has_records(table))
		return;
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
	pthread_mutex_init(&table->reader, &attributes);
	pthread_mutexattr_destroy(&attributes);
}

void
host_table_fini(struct ktap_table *table)
{
	if (has_records(table))
		pthread_mutex_destroy(&table->reader);
}

static void
enter(const struct ktap_table *table)
{
	if (!host_table_is_shared(table->table))
		pthread_mutex_lock(&table->engine->lock);
}

static int
fail(const struct ktap_table *table, int err, const char *what)
{
	const char *name = table->table->name;

	switch (err) {
	case -ENOENT:
		return host_fail(err, "table '%s': %s: there is no such entry", name, what);
	case -E2BIG:
	case -ENOSPC: /* of a trie */
		return host_fail(err, "table '%s': %s: it holds %u entries, and no more", name, what, table->table->max_entries);
	case -EPERM:
		return host_fail(err, "table '%s': %s: constants stay what they are", name, what);
	case -EINVAL:
	case -EOPNOTSUPP:
		return host_fail(err, "table '%s': %s: not with a table of kind %s, or not with this key", name, what, table_kind_name(table->table->kind));
	}
	return host_fail(err, "table '%s': %s: %s", name, what, strerror(-err));
}

static int
leave(const struct ktap_table *table, int result, const char *what)
{
	if (!host_table_is_shared(table->table))
		pthread_mutex_unlock(&table->engine->lock);
	return result < 0 ? fail(table, result, what) : result;
}

int
ktap_table_lookup(struct ktap_table *table, const void *key, void *value)
{
	enter(table);
	return leave(table, has_records(table) ? -EINVAL : vm_table_lookup(table->vm, table->index, key, value), "lookup");
}

int
ktap_table_update(struct ktap_table *table, const void *key, const void *value)
{
	enter(table);
	return leave(table, vm_table_update(table->vm, table->index, key, value, BPF_ANY), "update");
}

int
ktap_table_delete(struct ktap_table *table, const void *key)
{
	enter(table);
	return leave(table, vm_table_delete(table->vm, table->index, key), "delete");
}

int
ktap_table_next(struct ktap_table *table, const void *key, void *next)
{
	enter(table);
	return leave(table, vm_table_next(table->vm, table->index, key, next), "next key");
}

int
ktap_table_pop(struct ktap_table *table, void *value)
{
	enter(table);
	return leave(table, vm_table_pop(table->vm, table->index, value), "pop");
}

int
ktap_table_put(struct ktap_table *table, const void *key, struct ktap_table *inner)
{
	int err = vm_table_put(table->vm, table->index, key, inner->vm, inner->index, BPF_ANY);

	if (err == -EINVAL && table_kind_holds_tables(table->table->kind))
		return host_fail(err, "table '%s': table '%s' is not like those that it holds", table->table->name, inner->table->name);
	return err ? fail(table, err, "put") : 0;
}

struct ktap_table *
ktap_table_held(struct ktap_table *table, const void *key)
{
	uint32_t index;
	struct vm *vm = vm_table_held(table->vm, table->index, key, &index);
	struct ktap_table *of_vm = vm ? vm_host(vm) : NULL; /* the first of its machine's tables */

	return of_vm ? of_vm + index : NULL;
}

int
ktap_table_put_program(struct ktap_table *table, uint32_t place, const struct ktap_program *program)
{
	struct text why = { 0 };
	int err = vm_table_put_program(table->vm, table->index, place, program->run, &why);

	return err ? host_fail_text(err, &why) : 0;
}

const struct ktap_program *
ktap_table_program(struct ktap_table *table, uint32_t place)
{
	const struct vm_program *program = vm_table_program(table->vm, table->index, place);
	struct ktap_table *tables = vm_host(table->vm);

	return program ? host_program(tables->object, program) : NULL;
}

/*
 * One thread reads a ring buffer at a time, and only that one is locked: what fn does with other tables, waits for or runs is not in the way of
 * who holds the engine's lock. A record that is handed out is still in the buffer, so that fn would be given it again.
 */
int
ktap_table_consume(struct ktap_table *table, void (*fn)(void *arg, const void *record, size_t len), void *arg)
{
	int n;

	if (!has_records(table))
		return host_fail(-EINVAL, "table '%s' is no ring buffer", table->table->name);
	if (pthread_mutex_lock(&table->reader) == EDEADLK)
		return host_fail(-EDEADLK, "table '%s': this thread is handing out its records: what takes them cannot ask for them, too",
				 table->table->name);
	n = vm_ringbuf_consume(table->vm, table->index, fn, arg);
	pthread_mutex_unlock(&table->reader);
	return n;
}

int
ktap_table_fd(struct ktap_table *table)
{
	int fd = has_records(table) ? vm_ringbuf_fd(table->vm, table->index) : -EINVAL;

	if (fd == -EINVAL)
		return host_fail(fd, "table '%s' is no ring buffer", table->table->name);
	return fd < 0 ? fail(table, fd, "descriptor") : fd;
}

void *
ktap_table_memory(struct ktap_table *table, size_t *len)
{
	bool has_memory = table->table->kind == TABLE_ARRAY;

	if (len)
		*len = has_memory ? (size_t)round_up(table->table->value_size, 8) * table->table->max_entries : 0;
	return has_memory ? vm_table_memory(table->vm, table->index) : NULL;
}
