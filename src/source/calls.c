/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * calls: see calls.h. Instructions are read as the compiler, or a file, has them; functions are found by their relocations.
 */
#include "source/calls.h"

struct walk {
	struct call call; /* the one that is looked at */
	bool *seen;       /* functions of the program, by number */
	void (*fn)(void *arg, const struct call *call);
	void *arg;
};

static bool
is_helper_call(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == 0;
}

/* A function and those that it calls, or has helpers call back. */
static void
walk_func(struct walk *walk, uint32_t index)
{
	const struct object *object = walk->call.object;
	const struct func *func = object->funcs[index];

	walk->seen[index] = true;
	walk->call.func = func;
	for (uint32_t pc = 0; pc < func->n_insns; pc++) {
		if (!is_helper_call(&func->insns[pc]))
			continue;
		walk->call.pc = pc;
		walk->call.helper = func->insns[pc].imm;
		walk->fn(walk->arg, &walk->call);
	}
	for (uint32_t i = 0; i < func->n_relocs; i++) {
		const struct reloc *reloc = &func->relocs[i];

		if ((reloc->kind == RELOC_FUNC || reloc->kind == RELOC_FUNC_ADDR) && reloc->index < object->n_funcs && !walk->seen[reloc->index])
			walk_func(walk, reloc->index);
	}
}

void
calls_each(const struct object *object, void (*fn)(void *arg, const struct call *call), void *arg)
{
	for (uint32_t i = 0; i < object->n_programs; i++) {
		struct walk walk = { .call = { .object = object, .program = i }, .seen = arena_alloc(object->arena, object->n_funcs), .fn = fn, .arg = arg };

		walk_func(&walk, object->programs[i]->func);
	}
}

struct span
call_span(const struct func *func, uint32_t pc)
{
	return func->spans ? func->spans[pc] : (struct span){ 0 };
}

/* They are in r3, loaded last before the call. */
uint32_t
call_stack_flags(const struct call *call)
{
	for (uint32_t pc = call->pc; pc-- > 0;) {
		const struct bpf_insn *insn = &call->func->insns[pc];

		if (insn->code == (BPF_ALU64 | BPF_MOV | BPF_K) && insn->dst_reg == BPF_REG_3)
			return (uint32_t)insn->imm;
	}
	return 0;
}

struct wanted {
	int32_t helper;
	bool found;
};

static void
compare(void *arg, const struct call *call)
{
	struct wanted *wanted = arg;

	wanted->found |= call->helper == wanted->helper;
}

bool
object_calls(const struct object *object, int32_t helper)
{
	struct wanted wanted = { .helper = helper };

	calls_each(object, compare, &wanted);
	return wanted.found;
}

bool
object_asks_ids(const struct object *object)
{
	for (uint32_t i = 0; i < object->n_programs; i++)
		if (object->programs[i]->params >> PARAM_IDS & 1)
			return true;
	return object_calls(object, BPF_FUNC_get_current_pid_tgid);
}
