/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Fuzz target: BTF. Whatever bytes come, typeinfo_new must refuse them with a message or give types about which everything may be asked:
 * names, sizes, what is behind typedefs, whether two of them agree, a value as text. Cycles must end.
 *
 *     clang -fsanitize=fuzzer,address,undefined ... fuzz_typeinfo.c ...   and run it on a directory of seeds; or
 *     gcc -DFUZZ_REPLAY ... fuzz_typeinfo.c ...                           and run it on files, each is tried once.
 */
#include <assert.h>
#include <stdlib.h>

#include "ebpf/ebpf_int.h"
#include "output/output.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TYPES_MAX 512 /* asked about, of a file */

static void
ask(const struct typeinfo *types, uint32_t id)
{
	static const uint8_t zeros[4096];
	struct type_ref ref = { types, id }, other = { types, id / 2 + 1 };
	uint32_t budget = 4096, plain;
	int64_t bytes = typeinfo_size(types, id);
	struct text out = { 0 };

	assert(typeinfo_name(types, id));
	assert(typeinfo_type(types, id));
	typeinfo_plain(types, id, &plain);
	core_fields_agree(ref, other, &budget);
	core_types_agree(ref, other, &budget);
	core_types_match(ref, ref, &budget);
	if (bytes > 0 && bytes <= (int64_t)sizeof(zeros))
		typed_text(types, id, zeros, (size_t)bytes, &out);
	text_fini(&out);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct text why = { 0 };
	struct typeinfo *types = typeinfo_new(data, size, NULL, &why), *module;

	assert(types || why.len > 0);
	for (uint32_t id = 1; types && id < typeinfo_count(types) && id < TYPES_MAX; id++)
		ask(types, id);
	module = types ? typeinfo_new(data, size, types, &why) : NULL; /* it continues itself */
	for (uint32_t id = module ? typeinfo_first(module) : 0; module && id < typeinfo_count(module) && id < TYPES_MAX; id++)
		ask(module, id);
	typeinfo_free(module);
	typeinfo_free(types);
	text_fini(&why);
	return 0;
}

#ifdef FUZZ_REPLAY
#include "fuzz_replay.h"
#endif
