/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What the tests of the machine share: an object with one table of each kind, programs from assembly text, and the
 * signature of a handler: r1 a record of 64 bytes, r2 the context, r3 a number, r4 scratch memory of 256 bytes.
 */
#ifndef VM_FIXTURE_H
#define VM_FIXTURE_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vm/vm.h"

#define RECORD_SIZE 64
#define SCRATCH_SIZE 256

static const struct vm_signature handler_signature = { .args = {
	{ VM_ARG_MEM_RDONLY, RECORD_SIZE }, { VM_ARG_CTX, 0 }, { VM_ARG_SCALAR, 0 }, { VM_ARG_MEM, SCRATCH_SIZE },
} };

/* What the tables of tables hold, and what is in them from the start. */
static const struct table fixture_inner[] = {
	{ .kind = TABLE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 4 },
	{ .kind = TABLE_HASH, .key_size = 8, .value_size = 16, .max_entries = 1 },
	{ .kind = TABLE_HASH, .key_size = 8, .value_size = 16, .max_entries = 64, .has_lock = true, .lock_off = 8 },
	{ .kind = TABLE_RINGBUF, .max_entries = 4096 },
};

/* Constants of C with functions 1 and 2 in them. */
static const uint64_t fixture_functions[] = { FUNC_HANDLE | 1, FUNC_HANDLE | 2, 0, 5, FUNC_HANDLE | 2 };

static struct held fixture_functions_held[] = { { 0, 1 }, { 8, 2 }, { 32, 2 } };

static struct held fixture_held[] = { { 1, 1 }, { 7, 0 }, { 0, 16 }, { 0, 3 } };

static struct table fixture_tables[] = {
	{ .name = "hash", .kind = TABLE_HASH, .key_size = 8, .value_size = 16, .max_entries = 64 },
	{ .name = "array", .kind = TABLE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 4 },
	{ .name = ".globals", .kind = TABLE_ARRAY, .key_size = 4, .value_size = 64, .max_entries = 1, .mappable = true },
	{ .name = ".records", .kind = TABLE_RINGBUF, .max_entries = 4096 },
	{ .name = "cpuhash", .kind = TABLE_PERCPU_HASH, .key_size = 8, .value_size = 8, .max_entries = 64 },
	{ .name = "cpuarray", .kind = TABLE_PERCPU_ARRAY, .key_size = 4, .value_size = 512, .max_entries = 1 },
	{ .name = ".stacks", .kind = TABLE_STACK_TRACE, .key_size = 4, .value_size = 127 * 8, .max_entries = 16 },
	{ .name = "strings", .kind = TABLE_ARRAY, .key_size = 4, .value_size = 16, .max_entries = 1, .read_only = true,
	  .init = "hello\0world\0xxx\0" },
	{ .name = "queue", .kind = TABLE_QUEUE, .value_size = 8, .max_entries = 4 },
	{ .name = "stack", .kind = TABLE_STACK, .value_size = 8, .max_entries = 4 },
	{ .name = "bloom", .kind = TABLE_BLOOM, .value_size = 8, .max_entries = 64 },
	{ .name = "lpm", .kind = TABLE_LPM_TRIE, .key_size = 8, .value_size = 8, .max_entries = 64 },
	{ .name = "lru", .kind = TABLE_LRU_HASH, .key_size = 8, .value_size = 8, .max_entries = 64 },
	{ .name = "writeonly", .kind = TABLE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1, .write_only = true },
	/* Formats, at multiples of 16. */
	{ .name = "formats", .kind = TABLE_ARRAY, .key_size = 4, .value_size = 192, .max_entries = 1, .read_only = true,
	  .init = "%d %u %x\0......." "%ld %llu %lX\0..." "[%5d] [%-5d] [%+05d]\0..........." "%c%% 100\0......." "%f\0............."
		  "100%\0..........." "plain\0.........." "%pI4 %pi4\0......" "%pI6\0..........." "%s=%d\0.........." "%px %pB\0.......\377" },
	{ .name = "perf", .kind = TABLE_PERF_EVENTS, .key_size = 4, .value_size = 4, .max_entries = 4 },
	{ .name = "locks", .kind = TABLE_HASH, .key_size = 8, .value_size = 16, .max_entries = 64, .has_lock = true, .lock_off = 8 },
	{ .name = "lock", .kind = TABLE_ARRAY, .key_size = 4, .value_size = 16, .max_entries = 1, .has_lock = true, .lock_off = 0 },
	{ .name = "arrays", .kind = TABLE_ARRAY_OF_TABLES, .key_size = 4, .value_size = 4, .max_entries = 4, .element = &fixture_inner[0],
	  .held = &fixture_held[0], .n_held = 1 },
	{ .name = "hashes", .kind = TABLE_HASH_OF_TABLES, .key_size = 4, .value_size = 4, .max_entries = 8, .element = &fixture_inner[1],
	  .held = &fixture_held[1], .n_held = 1 },
	{ .name = "lockeds", .kind = TABLE_ARRAY_OF_TABLES, .key_size = 4, .value_size = 4, .max_entries = 1, .element = &fixture_inner[2],
	  .held = &fixture_held[2], .n_held = 1 },
	{ .name = "ringbufs", .kind = TABLE_ARRAY_OF_TABLES, .key_size = 4, .value_size = 4, .max_entries = 2, .element = &fixture_inner[3],
	  .held = &fixture_held[3], .n_held = 1 },
	{ .name = "programs", .kind = TABLE_PROGRAMS, .key_size = 4, .value_size = 4, .max_entries = 4 },
	{ .name = "functions", .kind = TABLE_ARRAY, .key_size = 4, .value_size = sizeof(fixture_functions), .max_entries = 1, .read_only = true,
	  .init = fixture_functions, .held = fixture_functions_held, .n_held = ARRAY_SIZE(fixture_functions_held) },
};

#define FIXTURE_STRINGS  7
#define FIXTURE_PROGRAMS 22 /* that table */
#define FIXTURE_FUNCTIONS 23

/* Programs that tail calls reach: all that they get is the context. */
static const struct vm_signature target_signature = { .args = { { VM_ARG_CTX, 0 } } };

static inline struct object *
fixture_object(struct arena *arena)
{
	struct object *object = object_new(arena, "fixture", NULL);

	for (size_t i = 0; i < ARRAY_SIZE(fixture_tables); i++)
		object_add_table(object, &fixture_tables[i]);
	return object;
}

/* Function of assembly text, added to the object. */
static inline struct func *
fixture_func(struct object *object, const char *name, const char *source)
{
	struct text why = { 0 };
	struct code code;
	struct func *func;

	code_init(&code, object->arena);
	if (asm_text(&code, source, &why)) {
		fprintf(stderr, "%s: %s\n", name, why.s);
		abort();
	}
	func = func_from_code(&code, name, "raw_tp/test");
	func->spans = NULL;
	object_add_func(object, func);
	text_fini(&why);
	return func;
}

#endif
