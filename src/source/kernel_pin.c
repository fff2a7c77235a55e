/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * --pin NAME: a run's tables are kept in bpffs, under /sys/fs/bpf/ktap/NAME/TABLE, where other programs find them while the run lasts and after
 * it. They are made with types (BTF), so that `ktap table`, bpftool and C programs show keys and values as what they are:
 *
 *     number, address, stack    long long            event    enum of the events' names
 *     text                      char [size]          statistic    struct of its parts
 *     several keys              struct key           shared variables    struct globals
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <ctype.h>
#include <errno.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "source/kernel_int.h"
#include "source/outside.h"

#define ROOT "/sys/fs/bpf"

/* ---- types --------------------------------------------------------------------------------- */

/* A C identifier. */
static const char *
clean(struct arena *arena, const char *name)
{
	char *copy = arena_printf(arena, "%s%s", isdigit((unsigned char)*name) ? "_" : "", *name == '.' ? name + 1 : name);

	for (char *c = copy; *c; c++)
		if (!isalnum((unsigned char)*c))
			*c = '_';
	return copy;
}

static int
number_type(struct btf *btf, uint32_t size, bool is_signed)
{
	return btf__add_int(btf, size == 4 ? "int" : is_signed ? "long long" : "unsigned long long", size, is_signed ? BTF_INT_SIGNED : 0);
}

static int
text_type(struct btf *btf, uint32_t size)
{
	int index = btf__add_int(btf, "unsigned int", 4, 0), letter = btf__add_int(btf, "char", 1, BTF_INT_SIGNED);

	return index < 0 || letter < 0 ? -EINVAL : btf__add_array(btf, index, letter, size);
}

static int
event_type(const struct kernel *kernel, struct btf *btf, const char *name, uint32_t size)
{
	int id = btf__add_enum(btf, name, size);

	for (uint32_t i = 0; i < kernel->object->n_events && id > 0; i++)
		btf__add_enum_value(btf, clean(kernel->arena, kernel->object->events[i]->name), i);
	return id;
}

static int
shape_type(const struct kernel *kernel, struct btf *btf, const struct shape *shape)
{
	if (shape->kind == VALUE_STR)
		return text_type(btf, shape->size);
	if (shape->kind == VALUE_EVENT)
		return event_type(kernel, btf, NULL, shape->size);
	return number_type(btf, shape->size, shape->kind == VALUE_INT || shape->kind == VALUE_BOOL);
}

/* Members one behind the other; a nullable one has its presence cell before it. */
static int
add_member(const struct kernel *kernel, struct btf *btf, const char *name, int type, const struct shape *shape, uint32_t off)
{
	int cell = 0, err = type < 0 ? type : 0;

	if (!err && shape->nullable) {
		cell = number_type(btf, 8, false);
		err = cell < 0 ? cell : btf__add_field(btf, arena_printf(kernel->arena, "%s_is_there", name), cell, off * 8, 0);
	}
	return err ? err : btf__add_field(btf, name, type, (off + (shape->nullable ? 8 : 0)) * 8, 0);
}

static int
key_type(const struct kernel *kernel, struct btf *btf, const struct table *table)
{
	int types[TABLE_KEY_PARTS_MAX], id, err = 0;
	uint32_t i, off = 0;

	if (table->n_key_parts == 0)
		return number_type(btf, table->key_size, table->key_size == 4);
	if (table_kind_is_array(table->kind)) {
		/* The kernel takes nothing but an int for the index; outside_open finds what it stands for. */
		if (event_type(kernel, btf, OUTSIDE_KEY, 4) < 0)
			return -EINVAL;
		return number_type(btf, 4, true);
	}
	for (i = 0; i < table->n_key_parts; i++)
		types[i] = shape_type(kernel, btf, &table->key[i]);
	if (table->n_key_parts == 1)
		return types[0];
	id = btf__add_struct(btf, "key", table->key_size);
	for (i = 0; i < table->n_key_parts && !err && id > 0; i++) {
		err = add_member(kernel, btf, arena_printf(kernel->arena, "key%u", i + 1), types[i], &table->key[i], off);
		off += table->key[i].size;
	}
	return err ? err : id;
}

static int
stat_type(struct btf *btf, const struct table *table)
{
	int types[N_STAT_PARTS] = { 0 }, word = number_type(btf, 8, true), index = btf__add_int(btf, "unsigned int", 4, 0), id, err = 0;

	for (int part = 0; part < N_STAT_PARTS; part++) {
		uint32_t words = stat_words(&table->stat, (enum stat_part)part);

		types[part] = words > 1 ? btf__add_array(btf, index, word, words) : word;
	}
	id = btf__add_struct(btf, "statistic", table->value_size);
	for (int part = 0; part < N_STAT_PARTS && !err && id > 0; part++)
		if (stat_words(&table->stat, (enum stat_part)part))
			err = btf__add_field(btf, stat_part_name((enum stat_part)part), types[part],
					     64 * stat_word(&table->stat, (enum stat_part)part), 0);
	return err ? err : id;
}

static int
globals_type(const struct kernel *kernel, struct btf *btf, const struct table *table)
{
	const struct object *object = kernel->object;
	int *types = arena_alloc(kernel->arena, (object->n_globals + 1) * sizeof(*types)), id, err = 0;
	uint32_t i;

	for (i = 0; i < object->n_globals; i++)
		types[i] = shape_type(kernel, btf, &object->globals[i]->shape);
	id = btf__add_struct(btf, "globals", table->value_size);
	for (i = 0; i < object->n_globals && !err && id > 0; i++)
		err = add_member(kernel, btf, clean(kernel->arena, object->globals[i]->name), types[i], &object->globals[i]->shape,
				 object->globals[i]->off);
	return err ? err : id;
}

static int
value_type(const struct kernel *kernel, struct btf *btf, const struct table *table)
{
	const struct object *object = kernel->object;

	if (object->table_globals != UINT32_MAX && table == object->tables[object->table_globals])
		return globals_type(kernel, btf, table);
	if (table->value.kind == VALUE_STAT)
		return stat_type(btf, table);
	return table->value.kind == VALUE_NONE ? text_type(btf, table->value_size) : shape_type(kernel, btf, &table->value);
}

int
kernel_table_types(const struct kernel *kernel, const struct table *table, uint32_t *key, uint32_t *value)
{
	struct btf *btf = btf__new_empty();
	int key_id = btf ? key_type(kernel, btf, table) : -ENOMEM, value_id = key_id < 0 ? key_id : value_type(kernel, btf, table), fd = -EINVAL;
	const void *raw;
	uint32_t len;

	if (value_id > 0 && (raw = btf__raw_data(btf, &len)))
		fd = bpf_btf_load(raw, len, NULL);
	btf__free(btf);
	*key = (uint32_t)key_id;
	*value = (uint32_t)value_id;
	return fd;
}

/* ---- files --------------------------------------------------------------------------------- */

static int
make_directory(struct kernel *kernel, struct text *why)
{
	const char *dir, *name = kernel->target.pin;
	struct statfs fs;
	int err;

	if (!*name || strchr(name, '/') || *name == '.') {
		text_printf(why, "--pin %s: a name is needed, without '/' and not beginning with '.'", name);
		return -EINVAL;
	}
	if (statfs(ROOT, &fs) < 0 || fs.f_type != BPF_FS_MAGIC) {
		text_printf(why, "--pin %s: there is no bpffs at " ROOT ": `mount -t bpf bpf " ROOT "` as root makes one", name);
		return -EOPNOTSUPP;
	}
	dir = arena_printf(kernel->arena, ROOT "/ktap/%s", name);
	err = mkdir(ROOT "/ktap", 0700) < 0 && errno != EEXIST ? -errno : 0;
	if (err < 0) {
		text_printf(why, "--pin %s: " ROOT "/ktap: %s", name, strerror(-err));
		return err;
	}
	err = mkdir(dir, 0700) < 0 ? -errno : 0;
	if (err == 0)
		kernel->pin_dir = dir;
	else
		text_printf(why, "--pin %s: %s: %s%s", name, dir, strerror(-err),
			    err == -EEXIST ? "; those are tables of an earlier run: remove them (`rm -r`), or take another name" : "");
	return err;
}

static const char *
pin_path(const struct kernel *kernel, uint32_t table)
{
	const char *name = kernel->object->tables[table]->name;

	return arena_printf(kernel->arena, "%s/%s%s", kernel->pin_dir, *name == '.' ? "ktap_" : "", clean(kernel->arena, name));
}

int
kernel_pin(struct kernel *kernel, struct text *why)
{
	const struct object *object = kernel->object;
	int err = make_directory(kernel, why);

	for (uint32_t i = 0; i < object->n_tables && err == 0; i++) {
		err = bpf_obj_pin(kernel->tables[i], pin_path(kernel, i));
		if (err < 0)
			text_printf(why, "table '%s' cannot be kept as %s: %s", object->tables[i]->name, pin_path(kernel, i), strerror(-err));
	}
	return err;
}

void
kernel_unpin(const struct kernel *kernel)
{
	if (!kernel->pin_dir)
		return;
	for (uint32_t i = 0; i < kernel->object->n_tables; i++)
		unlink(pin_path(kernel, i));
	rmdir(kernel->pin_dir);
}
