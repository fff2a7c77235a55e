/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * uBPF takes one block of instructions, where helpers are numbers and addresses are what they are; so functions are put one behind the
 * other here, and references to tables and variables become addresses. Of its interface (vm/inc/ubpf.h there) only what is used is declared.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm_ubpf.h"

#define FUNCS_MAX 16

struct ubpf_vm;

static struct {
	struct ubpf_vm *(*create)(void);
	int (*add)(struct ubpf_vm *vm, unsigned index, const char *name, void *fn);
	int (*load)(struct ubpf_vm *vm, const void *code, uint32_t len, char **error);
	ubpf_code (*compile)(struct ubpf_vm *vm, char **error);
} ubpf;

bool
ubpf_open(void)
{
	const char *path = getenv("UBPF");
	void *library = dlopen(path ? path : "libubpf.so", RTLD_NOW);
	const struct {
		const char *name;
		void *function;
	} wanted[] = {
		{ "ubpf_create", &ubpf.create }, { "ubpf_register", &ubpf.add }, { "ubpf_load", &ubpf.load }, { "ubpf_compile", &ubpf.compile },
	};

	for (size_t i = 0; library && i < ARRAY_SIZE(wanted); i++) {
		void *found = dlsym(library, wanted[i].name);

		if (!found)
			library = NULL;
		memcpy(wanted[i].function, &found, sizeof(found));
	}
	if (!library && path)
		fprintf(stderr, "vm_bench: without uBPF: %s\n", dlerror());
	return library;
}

/* ---- helpers ----------------------------------------------------------------------------------------------- */

static uint64_t
lookup(uint64_t table, uint64_t key)
{
	struct vm_table *t = (struct vm_table *)(uintptr_t)table;

	return (uint64_t)(uintptr_t)t->ops->find(t, (const void *)(uintptr_t)key);
}

static uint64_t
update(uint64_t table, uint64_t key, uint64_t value, uint64_t flags)
{
	return (uint64_t)table_update((struct vm_table *)(uintptr_t)table, (const void *)(uintptr_t)key, (const void *)(uintptr_t)value, flags, 0);
}

static uint64_t
prandom(void)
{
	return get_prandom_u32();
}

static uint64_t
processor_id(void)
{
	return get_smp_processor_id();
}

static struct ubpf_vm *
make_vm(void)
{
	const struct {
		enum bpf_func_id helper;
		const char *name;
		void *function;
	} helpers[] = {
		{ BPF_FUNC_map_lookup_elem, "map_lookup_elem", lookup },
		{ BPF_FUNC_map_update_elem, "map_update_elem", update },
		{ BPF_FUNC_get_prandom_u32, "get_prandom_u32", prandom },
		{ BPF_FUNC_get_smp_processor_id, "get_smp_processor_id", processor_id },
	};
	struct ubpf_vm *vm = ubpf.create();

	for (size_t i = 0; vm && i < ARRAY_SIZE(helpers); i++)
		if (ubpf.add(vm, helpers[i].helper, helpers[i].name, helpers[i].function))
			return NULL;
	return vm;
}

/* ---- one block of instructions ------------------------------------------------------------------------------ */

struct block {
	const struct object *object;
	struct vm *vm;
	const struct func *funcs[FUNCS_MAX];
	uint32_t starts[FUNCS_MAX], n_funcs;
	struct bpf_insn *insns;
	uint32_t n;
};

/* Where a function begins; it and what it calls are added. False: there are too many. */
static bool
place(struct block *block, const struct func *func, uint32_t *start)
{
	uint32_t i = 0, unused;

	while (i < block->n_funcs && block->funcs[i] != func)
		i++;
	if (i == FUNCS_MAX)
		return false;
	if (i < block->n_funcs) {
		*start = block->starts[i];
		return true;
	}
	block->funcs[block->n_funcs] = func;
	*start = block->starts[block->n_funcs++] = block->n;
	block->n += func->n_insns;
	for (uint32_t r = 0; r < func->n_relocs; r++)
		if (func->relocs[r].kind == RELOC_FUNC && !place(block, block->object->funcs[func->relocs[r].index], &unused))
			return false;
	return true;
}

static void
set_address(struct bpf_insn *insn, const void *address)
{
	insn[0].src_reg = 0;
	insn[0].imm = (int32_t)(uint32_t)(uintptr_t)address;
	insn[1].imm = (int32_t)(uint32_t)((uintptr_t)address >> 32);
}

static bool
resolve(struct block *block, const struct reloc *reloc, uint32_t pc)
{
	struct bpf_insn *insn = &block->insns[pc];
	uint32_t start;

	switch (reloc->kind) {
	case RELOC_TABLE:
		set_address(insn, &block->vm->tables[reloc->index]);
		return true;
	case RELOC_TABLE_VALUE:
		set_address(insn, (const char *)vm_table_memory(block->vm, reloc->index) + reloc->addend);
		return true;
	case RELOC_FUNC:
		insn->src_reg = BPF_PSEUDO_CALL;
		if (!place(block, block->object->funcs[reloc->index], &start))
			return false;
		insn->imm = (int32_t)start - (int32_t)pc - 1;
		return true;
	case RELOC_FUNC_ADDR:
		break;
	}
	return false;
}

static bool
fill_block(struct block *block)
{
	bool ok = true;

	block->insns = mem_alloc(block->n * sizeof(*block->insns));
	for (uint32_t i = 0; i < block->n_funcs && block->insns; i++) {
		const struct func *func = block->funcs[i];

		memcpy(block->insns + block->starts[i], func->insns, func->n_insns * sizeof(*func->insns));
		for (uint32_t r = 0; r < func->n_relocs && ok; r++)
			ok = resolve(block, &func->relocs[r], block->starts[i] + func->relocs[r].pc);
	}
	return ok && block->insns;
}

ubpf_code
ubpf_make(const struct object *object, struct vm *vm, const struct func *func)
{
	struct block block = { .object = object, .vm = vm };
	struct ubpf_vm *peer = make_vm();
	ubpf_code code = NULL;
	char *error = NULL;
	uint32_t start;

	if (peer && place(&block, func, &start) && fill_block(&block) &&
	    ubpf.load(peer, block.insns, (uint32_t)(block.n * sizeof(*block.insns)), &error) == 0)
		code = ubpf.compile(peer, &error);
	if (!code)
		fprintf(stderr, "vm_bench: %s: without uBPF: %s\n", func->name, error ? error : "it does not take this");
	free(error);
	free(block.insns);
	return code;
}
