/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * A unit as the kernel loads it: one array of instructions.
 *
 *     stub            with the handler in place, or
 *     handler 0       called by the stub
 *     handler 1
 *     ...
 *     functions that these call, or that helpers call back for them
 *     functions of ours that all of those call in place of a helper
 *
 * Tables of the object become descriptors, functions distances.
 */
#include <errno.h>
#include <string.h>

#include "source/kernel_ustack.h"

#define STACK_MAX   512 /* of all frames together, each rounded up to STACK_ROUND; kernel/bpf/verifier.c */
#define STACK_ROUND 32

/* A program that is `in_place` has its own frame in the stub's. */
static int
check_stack(const struct kernel *kernel, const struct program *program, bool in_place, struct text *why)
{
	uint32_t shared = in_place ? program->frame_size : 0;
	uint64_t all = round_up(STUB_STACK + shared, STACK_ROUND) + round_up(program->stack_size - shared, STACK_ROUND);

	if (all <= STACK_MAX)
		return 0;
	text_printf(
		why,
		"handler '%s' wants %u bytes of stack: %llu bytes with its caller's, the kernel allows %u",
		kernel->object->funcs[program->func]->name, program->stack_size, (unsigned long long)all,
		STACK_MAX);
	return -E2BIG;
}

/*
 * Resolves a function's references; `start` of the function in the image, `starts` of the object's
 * functions.
 */
static void
resolve(const struct kernel *kernel, const struct func *func, struct bpf_insn *image, uint32_t start,
	const uint32_t *starts)
{
	const struct reloc *reloc;
	struct bpf_insn *insn;
	uint32_t i;

	for (i = 0; i < func->n_relocs; i++) {
		reloc = &func->relocs[i];
		insn = &image[start + reloc->pc];
		switch (reloc->kind) {
		case RELOC_TABLE:
			insn[0].src_reg = BPF_PSEUDO_MAP_FD;
			insn[0].imm = kernel->tables[reloc->index];
			insn[1].imm = 0;
			break;
		case RELOC_TABLE_VALUE:
			insn[0].src_reg = BPF_PSEUDO_MAP_VALUE;
			insn[0].imm = kernel->tables[reloc->index];
			insn[1].imm = (int32_t)reloc->addend;
			break;
		case RELOC_FUNC:
			insn->src_reg = BPF_PSEUDO_CALL;
			insn->imm = (int32_t)(starts[reloc->index] - (start + reloc->pc) - 1);
			break;
		case RELOC_FUNC_ADDR: /* as a call: counted from the instruction */
			insn[0].src_reg = BPF_PSEUDO_FUNC;
			insn[0].imm = (int32_t)(starts[reloc->index] - (start + reloc->pc) - 1);
			insn[1].imm = 0;
			break;
		}
	}
}

static bool
is_call_of(const struct bpf_insn *insn, int32_t helper)
{
	return insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == 0 && insn->imm == helper;
}

/* A function of ours that handlers call in place of a helper, laid behind all others. */
struct stand_in {
	int32_t helper;
	uint32_t first, end;     /* in the stub calls from the first of these instructions to before the other; in other functions all */
	const struct func *func; /* NULL: the helper does */
	uint32_t start;
};

enum { STAND_IN_STACKS, STAND_IN_IDS, N_STAND_INS }; /* the first may call the second */

static const struct stand_in helpers_replaced[N_STAND_INS] = {
	[STAND_IN_STACKS] = { .helper = BPF_FUNC_get_stackid, .end = UINT32_MAX }, [STAND_IN_IDS] = { .helper = BPF_FUNC_get_current_pid_tgid },
};

/* Does function i of the image, at its instruction pc, call what the stand-in is for? */
static bool
is_replaced(const struct image *image, uint32_t i, uint32_t pc, const struct stand_in *stand_in)
{
	return is_call_of(&image->funcs[i]->insns[pc], stand_in->helper) && (i > 0 || (pc >= stand_in->first && pc < stand_in->end));
}

/* Not in itself: there the helper is meant. */
static void
redirect(const struct image *image, uint32_t i, uint32_t start, const struct stand_in *stand_in)
{
	struct bpf_insn *insn;

	for (uint32_t pc = 0; stand_in->func && image->funcs[i] != stand_in->func && pc < image->funcs[i]->n_insns; pc++) {
		insn = &image->insns[start + pc];
		if (!is_replaced(image, i, pc, stand_in))
			continue;
		insn->src_reg = BPF_PSEUDO_CALL;
		insn->imm = (int32_t)(stand_in->start - (start + pc) - 1);
	}
}

/* The function of the object, or what takes its place in a pid namespace. */
static const struct func *
func_here(const struct kernel *kernel, uint32_t index, struct arena *arena)
{
	const struct func *func = kernel->object->funcs[index];
	const struct func *ours = kernel->pids.is_inner && strcmp(func->name, FUNC_PPID) == 0 ? pid_space_ppid(&kernel->pids, arena) : NULL;

	return ours ? ours : func;
}

/* Appends a function of the object, if it is not there yet. */
static void
collect_func(const struct kernel *kernel, uint32_t index, struct arena *arena, struct image *image, uint32_t *starts)
{
	const struct func *func;

	if (starts[index])
		return;
	func = func_here(kernel, index, arena);
	starts[index] = image->n_insns;
	image->funcs[image->n_funcs++] = func;
	image->n_insns += func->n_insns;
}

static bool
is_called(const struct image *image, const struct stand_in *stand_in)
{
	uint32_t i, pc;

	for (i = 0; i < image->n_funcs; i++)
		for (pc = 0; pc < image->funcs[i]->n_insns; pc++)
			if (is_replaced(image, i, pc, stand_in))
				return true;
	return false;
}

static int
collect_stand_in(struct stand_in *stand_in, const struct func *func, struct image *image)
{
	if (!func)
		return -ERANGE;
	stand_in->func = func;
	stand_in->start = image->n_insns;
	image->funcs[image->n_funcs++] = func;
	image->n_insns += func->n_insns;
	return 0;
}

/* User stacks that the kernel does not take as we want them; process ids in a pid namespace. */
static int
collect_stand_ins(const struct kernel *kernel, const struct unit *unit, struct arena *arena, struct image *image,
		  struct stand_in stand_ins[N_STAND_INS])
{
	int err = 0;

	if (kernel_ustack_wanted(kernel, unit) && is_called(image, &stand_ins[STAND_IN_STACKS]))
		err = collect_stand_in(&stand_ins[STAND_IN_STACKS], kernel_ustack_func(kernel, unit, arena), image);
	if (err == 0 && kernel->pids.is_inner && is_called(image, &stand_ins[STAND_IN_IDS]))
		err = collect_stand_in(&stand_ins[STAND_IN_IDS], pid_space_func(&kernel->pids, arena), image);
	return err;
}

/* The stub, each function that it calls, once, and whatever these refer to. */
static void
collect(const struct kernel *kernel, const struct func *stub, struct arena *arena, struct image *image, uint32_t *starts)
{
	const struct func *func;
	uint32_t i, r;

	image->funcs = arena_alloc(arena, (kernel->object->n_funcs + 1 + N_STAND_INS) * sizeof(*image->funcs));
	image->funcs[image->n_funcs++] = stub;
	image->n_insns = stub->n_insns;
	for (i = 0; i < image->n_funcs; i++) {
		func = image->funcs[i];
		for (r = 0; r < func->n_relocs; r++)
			if (func->relocs[r].kind == RELOC_FUNC || func->relocs[r].kind == RELOC_FUNC_ADDR)
				collect_func(kernel, func->relocs[r].index, arena, image, starts);
	}
}

int
kernel_image(const struct kernel *kernel, const struct unit *unit, struct arena *arena, struct image *image,
	     struct text *why)
{
	struct stand_in stand_ins[N_STAND_INS];
	uint32_t i, n, start = 0, *starts = arena_alloc(arena, (kernel->object->n_funcs + 1) * sizeof(*starts));
	struct stub_parts parts;
	const struct func *stub = kernel_stub(kernel, unit, arena, &parts, why);
	int err = 0;

	*image = (struct image){ 0 };
	if (!stub)
		return -ERANGE;
	for (i = 0; i < unit->n_slots && err == 0; i++)
		err = check_stack(kernel, unit->slots[i], unit->slots[i] == parts.in_place, why);
	if (err < 0)
		return err;
	collect(kernel, stub, arena, image, starts);
	memcpy(stand_ins, helpers_replaced, sizeof(stand_ins));
	stand_ins[STAND_IN_IDS].first = parts.scripts;
	stand_ins[STAND_IN_IDS].end = parts.scripts_end;
	err = collect_stand_ins(kernel, unit, arena, image, stand_ins);
	if (err < 0)
		return err;
	image->insns = arena_alloc(arena, image->n_insns * sizeof(*image->insns));
	for (i = 0; i < image->n_funcs; i++) {
		memcpy(image->insns + start, image->funcs[i]->insns,
		       image->funcs[i]->n_insns * sizeof(*image->insns));
		resolve(kernel, image->funcs[i], image->insns, start, starts);
		for (n = 0; n < N_STAND_INS; n++)
			redirect(image, i, start, &stand_ins[n]);
		start += image->funcs[i]->n_insns;
	}
	return 0;
}
