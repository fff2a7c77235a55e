/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Tables of the running kernel that others made, through bpf(2).
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "source/kernel_int.h"
#include "source/outside.h"

#define PINNED "/sys/fs/bpf/ktap/"

static bool
is_per_cpu(uint32_t type)
{
	return type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_PERCPU_ARRAY || type == BPF_MAP_TYPE_LRU_PERCPU_HASH ||
	       type == BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE;
}

static void
read_types(struct outside_table *table, const struct bpf_map_info *info)
{
	struct btf *btf = info->btf_id ? btf__load_from_kernel_by_id(info->btf_id) : NULL;
	struct text why = { 0 };
	const void *raw;
	uint32_t len;

	if (btf && (raw = btf__raw_data(btf, &len)))
		table->types = typeinfo_new(raw, len, NULL, &why);
	btf__free(btf);
	text_fini(&why);
	if (table->types) {
		table->key_type = typeinfo_find(table->types, OUTSIDE_KEY, BTF_KIND_ENUM);
		if (!table->key_type)
			table->key_type = info->btf_key_type_id;
		table->value_type = info->btf_value_type_id;
	}
}

/* Asks the kernel what the descriptor is of. */
static int
describe(struct outside_table *table, bool typed)
{
	struct bpf_map_info info = { 0 };
	uint32_t len = sizeof(info);
	int n_cpus = libbpf_num_possible_cpus(), err = bpf_obj_get_info_by_fd(table->fd, &info, &len);

	if (err < 0)
		return err;
	table->id = info.id;
	memcpy(table->name, info.name, sizeof(table->name));
	table->name[sizeof(table->name) - 1] = 0;
	table->map_type = info.type;
	table->is_per_cpu = is_per_cpu(info.type);
	table->key_size = info.key_size;
	table->value_size = info.value_size;
	table->max_entries = info.max_entries;
	table->n_values = table->is_per_cpu && n_cpus > 0 ? (uint32_t)n_cpus : 1;
	table->stride = table->is_per_cpu ? (uint32_t)round_up(info.value_size, 8) : info.value_size;
	if (typed)
		read_types(table, &info);
	return 0;
}

static int
refuse(struct text *why, const char *which, int err)
{
	if (err == -ENOENT)
		text_printf(why, "there is no table '%s': `ktap table list` shows those that there are", which);
	else
		kernel_explain(err, which, why);
	return err;
}

int
outside_open(struct outside_table *table, const char *which, struct text *why)
{
	char path[4096], *end;
	unsigned long id = strtoul(which, &end, 10);
	int err;

	*table = (struct outside_table){ .fd = -1 };
	if (*which >= '0' && *which <= '9' && !*end) {
		table->fd = id <= UINT32_MAX ? bpf_map_get_fd_by_id((uint32_t)id) : -ENOENT;
	} else {
		snprintf(path, sizeof(path), "%s%s", *which == '/' ? "" : PINNED, which);
		table->fd = bpf_obj_get(path);
	}
	if (table->fd < 0)
		return refuse(why, which, table->fd);
	err = describe(table, true);
	if (err < 0) {
		outside_close(table);
		text_printf(why, "'%s' is not a table: %s", which, strerror(-err));
	}
	return err;
}

void
outside_close(struct outside_table *table)
{
	if (table->fd >= 0)
		close(table->fd);
	typeinfo_free(table->types);
	table->fd = -1;
	table->types = NULL;
}

int
outside_next_table(struct outside_table *table, uint32_t id, struct text *why)
{
	int err = 0;

	*table = (struct outside_table){ .fd = -1 };
	do {
		err = bpf_map_get_next_id(id, &id);
		if (err == 0)
			table->fd = bpf_map_get_fd_by_id(id);
		/* One that has just gone is no error. */
	} while (err == 0 && table->fd == -ENOENT);
	if (err == -ENOENT)
		return err;
	if (err == 0)
		err = table->fd < 0 ? table->fd : describe(table, false);
	if (err < 0)
		kernel_explain(err, "the list of tables", why);
	return err;
}

int
outside_lookup(const struct outside_table *table, const void *key, void *value)
{
	return bpf_map_lookup_elem(table->fd, key, value);
}

int
outside_update(const struct outside_table *table, const void *key, const void *value)
{
	return bpf_map_update_elem(table->fd, key, value, BPF_ANY);
}

int
outside_delete(const struct outside_table *table, const void *key)
{
	return bpf_map_delete_elem(table->fd, key);
}

int
outside_next_key(const struct outside_table *table, const void *key, void *next)
{
	int err = bpf_map_get_next_key(table->fd, key, next);

	return err == -KERNEL_ENOTSUPP ? -EOPNOTSUPP : err;
}
