/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * outside: tables of the running kernel that are somebody else's: of another run of ktap, of any program. Found by number or by a file in
 * bpffs, typed by the BTF that their maker gave them.
 */
#ifndef KTAP_OUTSIDE_H
#define KTAP_OUTSIDE_H

#include "ebpf/ebpf.h"

/* Name of the enum that gives names to the index of an array. */
#define OUTSIDE_KEY "ktap_key"

struct outside_table {
	int fd;
	uint32_t id;
	char name[BPF_OBJ_NAME_LEN];
	uint32_t map_type;     /* BPF_MAP_TYPE_x */
	bool is_per_cpu;
	uint32_t key_size, value_size, max_entries;
	uint32_t n_values;     /* that a look-up gives: one, or one a CPU, */
	uint32_t stride;       /* so many bytes apart */
	struct typeinfo *types; /* NULL: untyped */
	uint32_t key_type, value_type; /* ids in it, 0: untyped */
};

/*
 * Opens a table: "NAME/TABLE" as kept by --pin, a path in bpffs, or a number. Returns 0, or -errno with *why set. Closed by outside_close.
 */
int
outside_open(struct outside_table *table, const char *which, struct text *why);

void
outside_close(struct outside_table *table);

/* The table after `id` (0: the first) in the kernel, untyped. -ENOENT: there are no more. */
int
outside_next_table(struct outside_table *table, uint32_t id, struct text *why);

/* As bpf(2) has them; `value` is n_values * stride bytes. `key` NULL: the first key. 0 or -errno. */
int
outside_lookup(const struct outside_table *table, const void *key, void *value);

int
outside_update(const struct outside_table *table, const void *key, const void *value);

int
outside_delete(const struct outside_table *table, const void *key);

int
outside_next_key(const struct outside_table *table, const void *key, void *next);

#endif
