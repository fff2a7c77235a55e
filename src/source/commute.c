/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Is it the same to a script in which order its handlers see events? It is where they only add (+=, -=, <<<) and read what none of them
 * changes: sums, counts and extremes come out alike. What a handler sends, in which order stacks are numbered, what it stores and what
 * it reads of what it changes depends on the order.
 *
 * How tables and variables are used is in the object (enum use, from the compiler); the rest can only be done by calling a helper.
 */
#include "source/replay_int.h"

/* Helpers whose results depend on the event alone, or on what no handler changes. */
static bool
helper_commutes(int32_t helper)
{
	switch (helper) {
	case BPF_FUNC_map_lookup_elem:
	case BPF_FUNC_map_update_elem: /* a cell that is not there yet; what else it would change is told by `use` */
	case BPF_FUNC_map_delete_elem: /* likewise */
	case BPF_FUNC_for_each_map_elem:
	case BPF_FUNC_loop:
	case BPF_FUNC_ktime_get_ns:
	case BPF_FUNC_get_smp_processor_id:
	case BPF_FUNC_get_current_pid_tgid:
	case BPF_FUNC_get_current_comm:
	case BPF_FUNC_probe_read_kernel:
	case BPF_FUNC_probe_read_kernel_str:
	case BPF_FUNC_probe_read_user:
	case BPF_FUNC_probe_read_user_str:
	case BPF_FUNC_strncmp:
		return true;
	}
	return false;
}

static bool
use_commutes(unsigned use, const char *name, struct text *why)
{
	if (use & USE_SET)
		text_printf(why, "probes change '%s' otherwise than by adding", name);
	else if ((use & USE_ADD) && (use & USE_READ))
		text_printf(why, "probes read '%s', which they add to", name);
	else
		return true;
	return false;
}

static bool
calls_commute(const struct func *func, struct text *why)
{
	for (uint32_t pc = 0; pc < func->n_insns; pc++) {
		const struct bpf_insn *insn = &func->insns[pc];

		if (insn->code != (BPF_JMP | BPF_CALL) || insn->src_reg || helper_commutes(insn->imm))
			continue;
		text_printf(why, "the result of a probe's call of %s may depend on it", helper_name(insn->imm) ? helper_name(insn->imm) : "a helper");
		return false;
	}
	return true;
}

/* A table that handlers add to is one whose cells can be added up; others the compiler does not make. */
static bool
table_commutes(const struct table *table, struct text *why)
{
	bool is_known = table->kind == TABLE_HASH || table->kind == TABLE_ARRAY || table->kind == TABLE_PERCPU_HASH || table->kind == TABLE_PERCPU_ARRAY;

	if (use_commutes(table->use, table->name, why) && (is_known || !table->use))
		return true;
	if (!why->len)
		text_printf(why, "'%s' is no table whose cells can be added up", table->name);
	return false;
}

static bool
keeps_no_order(const struct object *object, struct text *why)
{
	if (!object->is_script || object->table_globals == UINT32_MAX)
		text_puts(why, "nothing is known of what its programs do");
	else if (object->n_sites)
		text_puts(why, "probes print or exit");
	else if (object->stacks[STACKS_KERNEL].first != UINT32_MAX || object->stacks[STACKS_USER].first != UINT32_MAX)
		text_puts(why, "probes take stacks, which are numbered as they come");
	return !why->len;
}

bool
object_commutes(const struct object *object, struct text *why)
{
	bool commutes = keeps_no_order(object, why);

	for (uint32_t i = 0; i < object->n_tables && commutes; i++)
		commutes = table_commutes(object->tables[i], why);
	for (uint32_t i = 0; i < object->n_globals && commutes; i++)
		commutes = use_commutes(object->globals[i]->use, object->globals[i]->name, why);
	for (uint32_t i = 0; i < object->n_funcs && commutes; i++)
		commutes = calls_commute(object->funcs[i], why);
	return commutes;
}
