/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The body of section `.ktap` of a compiled script, over the tables and functions of one that is compiled here: what unpacks is bound to events
 * and shown. The checksum is made right, so that it does not stand in the way. Corpus: the body that belongs to the script, and changed ones.
 */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "codegen/codegen.h"

static const char script_text[] =
	"var n = {}\n"
	"trace syscalls:sys_exit_read, sched:sched_process_fork { n[execname, pid] += 1; print(args, probename) }\n"
	"trace_end { print(n) }\n";

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct object *
skeleton(struct arena *arena)
{
	struct script *script = arena_alloc(arena, sizeof(*script));
	struct diags diags;

	script_init(script, arena, "fuzz.kp", script_text, sizeof(script_text) - 1);
	diags_init(&diags, arena, script);
	return compile(arena, script, events_new(arena, EVENTS_USER), &diags);
}

/* As a reader of the file has it: tables and functions alone. */
static struct object *
bare(struct arena *arena, const struct object *from)
{
	struct object *object = object_new(arena, "fuzz.o", NULL);

	for (uint32_t i = 0; i < from->n_tables; i++)
		object_add_table(object, from->tables[i]);
	for (uint32_t i = 0; i < from->n_funcs; i++)
		object_add_func(object, from->funcs[i]);
	return object;
}

static void
use(struct arena *arena, struct object *object)
{
	struct diags diags;
	struct text skipped = { 0 };
	uint32_t n_skipped;
	FILE *out = fopen("/dev/null", "w");

	diags_init(&diags, arena, object->script);
	object->is_script = true;
	if (out) {
		object_dump(object, out);
		fclose(out);
	}
	bind_object(object, events_new(arena, EVENTS_USER), &diags, &n_skipped, &skipped);
	text_fini(&skipped);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct object *object = bare(arena, skeleton(arena));
	uint8_t *bytes = arena_alloc(arena, 16 + size);
	uint32_t header[3] = { OBJECT_VERSION, (uint32_t)size, (uint32_t)crc32(0, data, (uInt)size) };
	struct text why = { 0 };

	for (uint32_t i = 0; i < object->n_funcs; i++)
		header[2] = (uint32_t)crc32(header[2], (const Bytef *)object->funcs[i]->insns,
					    (uInt)(object->funcs[i]->n_insns * sizeof(struct bpf_insn)));
	memcpy(bytes, "KTAP", 4);
	memcpy(bytes + 4, header, sizeof(header));
	memcpy(bytes + 16, data, size);
	if (object_unpack(object, 0, bytes, 16 + size, &why) == 0)
		use(arena, object);
	text_fini(&why);
	arena_free(arena);
	return 0;
}

#ifdef FUZZ_REPLAY
int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		FILE *file = fopen(argv[i], "re");
		static uint8_t bytes[1 << 20];
		size_t n = file ? fread(bytes, 1, sizeof(bytes), file) : 0;

		if (file)
			fclose(file);
		LLVMFuzzerTestOneInput(bytes, n);
	}
	return 0;
}
#endif
