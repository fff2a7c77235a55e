/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Fuzz target: objects of C compilers, fitted to types and shown to the verifier. The types are the object's own, so that what one
 * byte changes is on both sides. Whatever comes must be refused with a message or leave an object that can be verified.
 *
 *     clang -fsanitize=fuzzer,address,undefined ... fuzz_core.c ...   and run it on a directory of seeds; or
 *     gcc -DFUZZ_REPLAY ... fuzz_core.c ...                           and run it on files, each is tried once.
 */
#include <assert.h>
#include <stdlib.h>

#include "event/event.h"
#include "vm/vm_int.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INSNS_MAX 20000 /* looked at, of a function */

/* core_apply against the object's own types. */
static void
fit(struct object *object)
{
	struct text why = { 0 };
	struct typeinfo *types = object->btf ? typeinfo_new(object->btf, object->btf_len, NULL, &why) : NULL;
	struct core_target *target = types ? core_target_of(types) : NULL;

	if (target && core_apply(object, target, &why))
		assert(why.len > 0);
	core_target_free(target);
	typeinfo_free(types);
	text_fini(&why);
}

static void
verify(const struct object *object, const struct func *func)
{
	const char *rest;
	const struct section *section = section_find(func->section, &rest);
	struct vm_signature signature = { .args = { { .kind = section ? VM_ARG_CTX : VM_ARG_NONE,
						      .size = section ? section_context_size(section) : 0 } } };
	const struct verify_watch watch = { .insns_max = INSNS_MAX };
	struct text why = { 0 };

	if (verify_watched(object, func, &signature, &watch, &why))
		assert(why.len > 0);
	text_fini(&why);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct text why = { 0 };
	struct object *object = elf_read_memory(arena, "fuzz.o", data, size, &why);
	uint32_t table, off, len;

	assert(object || why.len > 0);
	if (object) {
		fit(object);
		for (uint32_t i = 0; i < object->n_funcs; i++)
			verify(object, object->funcs[i]);
		if (object_variable(object, "ktap_target", &table, &off, &len))
			assert(off <= object->tables[table]->value_size && len <= object->tables[table]->value_size - off);
	}
	elf_read_outline(arena, "fuzz.o", data, size, &why);
	text_fini(&why);
	arena_free(arena);
	return 0;
}

#ifdef FUZZ_REPLAY
#include "fuzz_replay.h"
#endif
