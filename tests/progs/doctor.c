/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * doctor FILE OUT HELPER NUMBER: a compiled script whose calls of HELPER are calls of another one, as the compiler would have written it: for
 * what no kernel has.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ebpf/ebpf.h"

int
main(int argc, char **argv)
{
	struct arena *arena = arena_new();
	struct text why = { 0 };
	struct object *object = argc == 5 ? elf_read(arena, argv[1], &why) : NULL;
	int err = object ? 0 : 1;

	for (uint32_t i = 0; object && i < object->n_funcs; i++)
		for (uint32_t pc = 0; pc < object->funcs[i]->n_insns; pc++) {
			struct bpf_insn *insn = &object->funcs[i]->insns[pc];

			if (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == 0 && insn->imm == atoi(argv[3]))
				insn->imm = atoi(argv[4]);
		}
	for (uint32_t i = 0; object && i < object->n_needs; i++)
		if (object->needs[i].kind == NEED_HELPER && object->needs[i].number == atoi(argv[3]))
			object->needs[i] = (struct object_need){ NEED_HELPER, atoi(argv[4]), "walk_on_water", "99.1" };
	if (object)
		err = elf_write(object, argv[2], &why);
	if (err)
		fprintf(stderr, "%s\n", why.s ? why.s : "usage: doctor FILE OUT HELPER NUMBER");
	text_fini(&why);
	arena_free(arena);
	return err != 0;
}
