/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Fuzz target: object files. Whatever bytes come, elf_read must refuse them with a message or return an object that can be
 * shown and written.
 *
 *     clang -fsanitize=fuzzer,address,undefined ... fuzz_object.c ...   and run it on a directory of seeds; or
 *     gcc -DFUZZ_REPLAY ... fuzz_object.c ...                           and run it on files, each is tried once.
 */
#include <assert.h>
#include <stdlib.h>

#include <bpf/libbpf.h>

#include "ebpf/ebpf.h"
#include "fuzz_replay.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct text why = { 0 };
	struct object *object;
	FILE *out = fopen("/dev/null", "w");

	libbpf_set_print(NULL); /* what is wrong is told by `why` */
	object = elf_read_memory(arena, "fuzz.o", data, size, &why);
	assert(object || why.len > 0);
	for (uint32_t i = 0; object && i < object->n_funcs; i++)
		disasm_func(object->funcs[i], NULL, out);
	if (object)
		elf_write(object, "/dev/null", &why);
	fclose(out);
	text_fini(&why);
	arena_free(arena);
	return 0;
}
