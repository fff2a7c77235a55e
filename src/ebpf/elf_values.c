/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What the values of a table are more than bytes, by their types in the BTF: locks in them.
 */
#include <string.h>

#include "ebpf/elf_int.h"

#define LOCK_DEPTH_MAX 8 /* structures in structures */

/* Where locks are in a type: how many, and the offset of the last. */
struct locks {
	uint32_t n, off;
};

static void
find_locks(struct reader *r, uint32_t id, uint64_t off, unsigned depth, struct locks *locks)
{
	const struct btf_type *type = typeinfo_plain(r->types, id, &id);
	const struct btf_member *members = type ? type_members(type) : NULL;

	if (!type || BTF_INFO_KIND(type->info) != BTF_KIND_STRUCT || depth == LOCK_DEPTH_MAX)
		return;
	if (strcmp(typeinfo_name(r->types, id), "bpf_spin_lock") == 0) {
		*locks = (struct locks){ .n = locks->n + 1, .off = off > UINT32_MAX ? UINT32_MAX : (uint32_t)off };
		return;
	}
	for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info) && elf_step(r); i++)
		find_locks(r, members[i].type, off + member_bit_off(type, &members[i]) / 8, depth + 1, locks);
}

static void
find_locks_of_variables(struct reader *r, const struct btf_type *section, struct locks *locks)
{
	for (uint32_t i = 0; i < BTF_INFO_VLEN(section->info) && elf_step(r); i++) {
		const struct btf_var_secinfo *var = &type_variables(section)[i];
		const struct btf_type *type = typeinfo_type(r->types, var->type);

		if (type && BTF_INFO_KIND(type->info) == BTF_KIND_VAR)
			find_locks(r, type->type, var->offset, 0, locks);
	}
}

int
elf_find_lock(struct reader *r, struct table *table)
{
	const struct btf_type *type = r->types && table->value_type ? typeinfo_type(r->types, table->value_type) : NULL;
	struct locks locks = { 0 };

	if (!type)
		return 0;
	if (BTF_INFO_KIND(type->info) == BTF_KIND_DATASEC)
		find_locks_of_variables(r, type, &locks);
	else
		find_locks(r, table->value_type, 0, 0, &locks);
	if (locks.n > 1)
		return elf_fail(r, "table %s: its values have %u locks (struct bpf_spin_lock); there can be one", table->name, locks.n);
	table->has_lock = locks.n;
	table->lock_off = locks.off;
	return 0;
}
