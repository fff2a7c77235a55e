/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What an object needs of a kernel: helpers that its functions call, kinds of tables, instructions of newer versions of the instruction set.
 * Found in the object itself, so it is true of every object, a C compiler's too. The list of versions is from the kernel's history; it is
 * what people are told, and nothing is decided by it: kernels are asked (source/kernel_needs.c).
 */
#include <string.h>

#include "ebpf/ebpf.h"

/* The kernel's own list of its helpers' names. */
static const char *const helper_names[] = {
#define NAME(name, ...) #name
	__BPF_FUNC_MAPPER(NAME)
#undef NAME
};

/* Linux that brought them, where that is later than 4.9: of what our own programs call and the user engine has (vm/helpers.def). */
static const struct {
	int32_t helper;
	const char *since;
} helper_versions[] = {
	{ BPF_FUNC_get_numa_node_id, "4.10" },      { BPF_FUNC_probe_read_str, "4.11" },
	{ BPF_FUNC_get_stack, "4.18" },             { BPF_FUNC_get_current_cgroup_id, "4.18" },
	{ BPF_FUNC_map_push_elem, "4.20" },         { BPF_FUNC_map_pop_elem, "4.20" },
	{ BPF_FUNC_map_peek_elem, "4.20" },         { BPF_FUNC_spin_lock, "5.1" },
	{ BPF_FUNC_spin_unlock, "5.1" },            { BPF_FUNC_strtol, "5.2" },
	{ BPF_FUNC_strtoul, "5.2" },                { BPF_FUNC_probe_read_user, "5.5" },
	{ BPF_FUNC_probe_read_kernel, "5.5" },      { BPF_FUNC_probe_read_user_str, "5.5" },
	{ BPF_FUNC_probe_read_kernel_str, "5.5" },  { BPF_FUNC_get_ns_current_pid_tgid, "5.7" },
	{ BPF_FUNC_ktime_get_boot_ns, "5.8" },      { BPF_FUNC_ringbuf_output, "5.8" },
	{ BPF_FUNC_ringbuf_reserve, "5.8" },        { BPF_FUNC_ringbuf_submit, "5.8" },
	{ BPF_FUNC_ringbuf_discard, "5.8" },        { BPF_FUNC_ringbuf_query, "5.8" },
	{ BPF_FUNC_copy_from_user, "5.10" },        { BPF_FUNC_get_current_task_btf, "5.11" },
	{ BPF_FUNC_ktime_get_coarse_ns, "5.11" },   { BPF_FUNC_for_each_map_elem, "5.13" },
	{ BPF_FUNC_snprintf, "5.13" },              { BPF_FUNC_get_func_ip, "5.15" },
	{ BPF_FUNC_get_attach_cookie, "5.15" },     { BPF_FUNC_task_pt_regs, "5.15" },
	{ BPF_FUNC_trace_vprintk, "5.16" },         { BPF_FUNC_loop, "5.17" },
	{ BPF_FUNC_strncmp, "5.17" },               { BPF_FUNC_map_lookup_percpu_elem, "5.19" },
	{ BPF_FUNC_dynptr_from_mem, "5.19" },       { BPF_FUNC_ringbuf_reserve_dynptr, "5.19" },
	{ BPF_FUNC_ringbuf_submit_dynptr, "5.19" }, { BPF_FUNC_ringbuf_discard_dynptr, "5.19" },
	{ BPF_FUNC_dynptr_read, "5.19" },           { BPF_FUNC_dynptr_write, "5.19" },
	{ BPF_FUNC_dynptr_data, "5.19" },           { BPF_FUNC_ktime_get_tai_ns, "6.1" },
};

static const char *const table_versions[N_TABLE_KINDS] = {
	[TABLE_LRU_HASH] = "4.10",        [TABLE_LRU_PERCPU_HASH] = "4.10", [TABLE_LPM_TRIE] = "4.11", [TABLE_ARRAY_OF_TABLES] = "4.12",
	[TABLE_HASH_OF_TABLES] = "4.12",  [TABLE_QUEUE] = "4.20",           [TABLE_STACK] = "4.20",    [TABLE_RINGBUF] = "5.8",
	[TABLE_BLOOM] = "5.16",
};

const char *
helper_name(int32_t helper)
{
	return helper >= 0 && (size_t)helper < ARRAY_SIZE(helper_names) ? helper_names[helper] : NULL;
}

const char *
helper_since(int32_t helper)
{
	for (size_t i = 0; i < ARRAY_SIZE(helper_versions); i++)
		if (helper_versions[i].helper == helper)
			return helper_versions[i].since;
	return NULL;
}

static const struct attach_info {
	const char *name;
	enum bpf_prog_type type;
	const char *type_name, *since;
} attach_infos[N_ATTACH_KINDS] = {
#define ATTACH(id, name, type, type_name, since) [ATTACH_##id] = { name, type, type_name, since },
#include "ebpf/attaches.def"
#undef ATTACH
};

static bool
has_need(const struct object_need *needs, uint32_t n, const struct object_need *need)
{
	for (uint32_t i = 0; i < n; i++)
		if (needs[i].kind == need->kind && needs[i].number == need->number)
			return true;
	return false;
}

struct needs {
	struct arena *arena;
	struct object_need *list;
	uint32_t n, cap;
};

static void
add_need(struct needs *needs, struct object_need need)
{
	if (has_need(needs->list, needs->n, &need))
		return;
	needs->list = arena_grow(needs->arena, needs->list, needs->n, &needs->cap, sizeof(need));
	needs->list[needs->n++] = need;
}

static void
add_function(struct needs *needs, const struct func *func)
{
	for (uint32_t pc = 0; pc < func->n_insns; pc++) {
		const struct bpf_insn *insn = &func->insns[pc];
		const struct insn_info *info = insn_info(insn);

		if (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == 0)
			add_need(needs, (struct object_need){ NEED_HELPER, insn->imm, helper_name(insn->imm), helper_since(insn->imm) });
		if (info && info->version == 4)
			add_need(needs, (struct object_need){ NEED_CPU, 4, "instruction set v4", "6.6" });
		if (insn_is_wide(insn))
			pc++;
	}
}

static int
compare_needs(const struct object_need *a, const struct object_need *b)
{
	return a->kind != b->kind ? (int)a->kind - (int)b->kind : a->number - b->number;
}

static void
sort_needs(struct needs *needs)
{
	for (uint32_t i = 1; i < needs->n; i++)
		for (uint32_t k = i; k > 0 && compare_needs(&needs->list[k - 1], &needs->list[k]) > 0; k--) {
			struct object_need swap = needs->list[k];

			needs->list[k] = needs->list[k - 1];
			needs->list[k - 1] = swap;
		}
}

uint32_t
object_needs(const struct object *object, struct arena *arena, const bool *attaches, struct object_need **list)
{
	struct needs needs = { .arena = arena };
	bool has_cores = false;

	for (uint32_t i = 0; i < object->n_tables; i++) {
		const struct table *table = object->tables[i];

		add_need(&needs, (struct object_need){ NEED_TABLE, (int32_t)table_kind_map_type(table->kind), table_kind_name(table->kind),
						table_versions[table->kind] });
		if (table->mappable)
			add_need(&needs, (struct object_need){ NEED_MAPPABLE, 0, "arrays in shared memory", "5.5" });
	}
	for (uint32_t i = 0; i < object->n_funcs; i++) {
		add_function(&needs, object->funcs[i]);
		has_cores |= object->funcs[i]->n_cores > 0;
	}
	for (size_t i = 0; i < N_ATTACH_KINDS && attaches; i++) {
		if (!attaches[i])
			continue;
		add_need(&needs, (struct object_need){ NEED_PROGRAM, (int32_t)attach_infos[i].type, attach_infos[i].type_name, attach_infos[i].since });
		add_need(&needs, (struct object_need){ NEED_ATTACH, (int32_t)i, attach_infos[i].name, attach_infos[i].since });
	}
	if (has_cores || (attaches && attaches[ATTACH_TYPED]))
		add_need(&needs, (struct object_need){ NEED_TYPES, 0, "the kernel's types, " CORE_KERNEL, "5.4" });
	sort_needs(&needs);
	*list = needs.list;
	return needs.n;
}

void
need_print(const struct object_need *need, struct text *out)
{
	static const char *const kinds[N_NEED_KINDS] = {
		[NEED_TABLE] = "table ", [NEED_MAPPABLE] = "", [NEED_HELPER] = "helper ", [NEED_CPU] = "",
		[NEED_PROGRAM] = "programs of type ", [NEED_ATTACH] = "attaching to ", [NEED_TYPES] = "",
	};

	text_puts(out, kinds[need->kind]);
	if (need->name)
		text_puts(out, need->name);
	else
		text_printf(out, "%d", need->number);
	if (need->since)
		text_printf(out, " (Linux %s)", need->since);
}
