/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The verifier: what a refusal says, and programs so long that paths must be pruned. Which programs it accepts: tests/vm and
 * test_vm_corpus.c.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vm_fixture.h"

#include "vm/vm_int.h"

#define END "r0 = 0\nexit\n"

static void
test_message(void **state)
{
	struct arena *arena = arena_new();
	struct object *object = fixture_object(arena);
	struct func *func = fixture_func(object, "trace_1", "if r3 > 300 goto out\nr4 += r3\n*(u8 *)(r4 + 0) = 1\nout: r0 = 0\nexit\n");
	static const char script_text[] = "trace a:b {\n\tx = 1\n}\n";
	struct span spans[5] = { { 13, 5 }, { 13, 5 }, { 13, 5 }, { 13, 5 }, { 13, 5 } };
	struct script script;
	struct text why = { 0 };

	script_init(&script, arena, "a.kp", script_text, sizeof(script_text) - 1);
	object->script = &script;
	func->spans = spans;
	assert_int_equal(vm_verify(object, func, &handler_signature, NULL, &why), -EACCES);
	assert_string_equal(why.s, "function \"trace_1\", instruction 2: *(u8 *)(r4 + 0) = 1\n"
				   "  may touch memory behind its end: 1 bytes up to offset 301 of 256; "
				   "r4: memory of argument 4, offset 0 to 300 of 256\n"
				   "  path: 0 not taken\n"
				   "  a.kp:2: x = 1");
	text_fini(&why);
	arena_free(arena);
}

/* Of a C compiler's object the line of the refused instruction is given, too, unless the compiler knew no file or no line. */
static void
test_line(void **state)
{
	struct source_line lines[] = { { 0, "a.c", "", 7, 1 }, { 2, "a.c", "\t*p = 1;", 9, 2 }, { 3, "a.c", "}", 10, 1 } };
	struct arena *arena = arena_new();
	struct object *object = fixture_object(arena);
	struct func *func = fixture_func(object, "on", "r1 = 1\nr1 = 2\n*(u8 *)(r1 + 0) = 1\n" END);
	const struct source_line *line;
	struct text why = { 0 };

	func->lines = lines;
	func->n_lines = ARRAY_SIZE(lines);
	assert_int_equal(vm_verify(object, func, &handler_signature, &line, &why), -EACCES);
	assert_ptr_equal(line, &lines[1]);
	assert_non_null(strstr(why.s, "\n  a.c:9: *p = 1;"));
	assert_ptr_equal(func_line(func, 1), &lines[0]);
	lines[1].line = 0;
	assert_null(func_line(func, 2));
	lines[1] = (struct source_line){ 2, "", "", 9, 2 };
	assert_null(func_line(func, 2));
	assert_ptr_equal(func_line(func, 3), &lines[2]);
	text_fini(&why);
	arena_free(arena);
}

/* Programs whose paths are without number, but whose ways join again knowing the same of all that is read later. */
static const struct {
	const char *name, *head, *piece, *tail; /* `piece` is repeated; %u in it is the number of the repetition */
	unsigned n;
	uint32_t insns_max; /* looked at; 0: as many as anybody has */
} long_programs[] = {
	{ "values that die", "r6 = r4\n",
	  "if r3 & %1$u goto a%1$u\n*(u64 *)(r10 - 8) = %1$u\ngoto b%1$u\na%1$u: *(u64 *)(r10 - 8) = 1\nb%1$u: r0 = *(u64 *)(r10 - 8)\n"
	  "*(u64 *)(r6 + 0) = r0\n", END, 300, 0 },
	{ "lookups", "r6 = r4\nr7 = 0\n",
	  "*(u64 *)(r10 - 8) = %1$u\nr2 = r10\nr2 += -8\nr1 = table 0 ll\ncall 1\nif r0 == 0 goto a%1$u\nr7 = *(u64 *)(r0 + 0)\na%1$u:\n",
	  END, 300, 0 },
	{ "loops", "",
	  "r0 = 0\na%1$u: r1 = r4\nr1 += r0\nr2 = *(u8 *)(r1 + 0)\nif r2 == 0 goto b%1$u\nr0 += 1\nif r0 < 255 goto a%1$u\nb%1$u:\n", END, 30, 0 },
	{ "loop in a loop", "r6 = 0\na: r7 = 0\n", "b: r7 += 1\nr1 = r4\nr1 += r7\n*(u8 *)(r1 + 0) = 1\nif r7 < 100 goto b\n",
	  "r6 += 1\nif r6 < 100 goto a\n" END, 1, 0 },
	/*
	 * The first path takes 4,204 instructions. Each of the 1,000 branches that it leaves comes to where it joined again, or to the next such place, 4
	 * instructions further, upon a checkpoint of its own round, and so does the one branch that it leaves on its way: 6 instructions at most.
	 */
	{ "branches in a loop", "r6 = 0\nr7 = 0\na: ", "r1 = *(u8 *)(r4 + %1$u)\nif r1 == 0 goto b%1$u\nr7 += 1\nb%1$u:\n",
	  "r6 += 1\nif r6 < 100 goto a\n" END, 10, 4204 + 1000 * 6 },
};

static char *
long_program(size_t i)
{
	struct text text = { 0 };

	text_puts(&text, long_programs[i].head);
	for (unsigned n = 0; n < long_programs[i].n; n++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		text_printf(&text, long_programs[i].piece, n + 1);
#pragma GCC diagnostic pop
	}
	text_puts(&text, long_programs[i].tail);
	return text.s;
}

static void
test_long(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(long_programs); i++) {
		char *source = long_program(i);
		struct arena *arena = arena_new();
		struct object *object = fixture_object(arena);
		const struct verify_watch watch = { .insns_max = long_programs[i].insns_max };
		struct text why = { 0 };

		if (verify_watched(object, fixture_func(object, "entry", source), &handler_signature, &watch, &why))
			fail_msg("%s: %s", long_programs[i].name, why.s);
		arena_free(arena);
		free(source);
	}
}

/* A hundred rounds of a helper, each of which finds another number that a branch rests on: each state is compared with those of all rounds before. */
static void
test_compared(void **state)
{
	static const struct verify_watch few = { .compared_max = 1000 }, many = { .compared_max = 100 * 100 };
	struct arena *arena = arena_new();
	struct object *object = fixture_object(arena);
	struct func *func = fixture_func(object, "entry", "*(u64 *)(r10 - 8) = 0\nr1 = 100\nr2 = function 1 ll\nr3 = r10\nr3 += -8\nr4 = 0\ncall 181\n" END);
	struct text why = { 0 };

	fixture_func(object, "again", "r1 = *(u64 *)(r2 + 0)\nr1 += 1\n*(u64 *)(r2 + 0) = r1\nr0 = 0\nif r1 < 1000 goto out\nr0 = 1\nout: exit");
	assert_int_equal(verify_watched(object, func, &handler_signature, &many, &why), 0);
	assert_int_equal(verify_watched(object, func, &handler_signature, &few, &why), -E2BIG);
	assert_non_null(strstr(why.s, "too complex: a helper calls back too often"));
	text_fini(&why);
	arena_free(arena);
}

/* Every instruction rests on a number from the beginning, with nothing but computing between: what each costs grows with its place. */
static void
test_affordable(void **state)
{
	struct arena *arena = arena_new();
	struct object *object = fixture_object(arena);
	struct text why = { 0 };
	struct code code;
	uint32_t again;

	code_init(&code, arena);
	code_emit(&code, insn_mov(5, 3));
	code_emit(&code, insn_alu_imm(BPF_AND, 5, 63));
	for (int i = 0; i < 8; i++)
		code_emit(&code, insn_mov_imm(0, 0));
	again = code_label(&code);
	code_bind(&code, again);
	code_emit(&code, insn_alu_imm(BPF_ADD, 0, 1));
	code_branch_imm(&code, BPF_JLT, 0, 2, again);
	for (int i = 0; i < 100000; i++) {
		code_emit(&code, insn_mov(6, 4));
		code_emit(&code, insn_alu(BPF_ADD, 6, 5));
	}
	code_emit(&code, insn_exit());
	assert_int_equal(code_finish(&code), 0);
	assert_int_equal(vm_verify(object, func_from_code(&code, "entry", "raw_tp/test"), &handler_signature, NULL, &why), -E2BIG);
	assert_non_null(strstr(why.s, "too complex: too much depends on numbers that were computed too long ago"));
	text_fini(&why);
	arena_free(arena);
}

/*
 * A large table of functions, to which many instructions refer: what is in it is looked at once, by the verifier, the compiler and the interpreter. Else
 * this would take hours.
 */
static void
test_large_table(void **state)
{
	enum { ENTRIES = 1 << 17, REFERENCES = 1 << 18 };
	struct arena *arena = arena_new();
	struct object *object = object_new(arena, "large", NULL);
	struct held *held = arena_alloc(arena, ENTRIES * sizeof(*held));
	uint64_t *handles = arena_alloc(arena, ENTRIES * sizeof(*handles));
	struct table table = { .name = ".rodata", .kind = TABLE_ARRAY, .key_size = 4, .value_size = ENTRIES * sizeof(*handles), .max_entries = 1,
			       .read_only = true, .init = handles, .held = held, .n_held = ENTRIES };
	struct text why = { 0 };
	struct code code;
	struct vm *vm;
	int err;

	for (uint32_t i = 0; i < ENTRIES; i++) {
		held[i] = (struct held){ .key = 8 * i, .index = 1 };
		handles[i] = FUNC_HANDLE | 1;
	}
	object_add_table(object, &table);
	code_init(&code, arena);
	for (uint32_t i = 0; i < REFERENCES; i++)
		code_table_value(&code, 1, 0, 0);
	code_emit(&code, insn_alu_imm(BPF_MOV, 0, 0));
	code_emit(&code, insn_exit());
	assert_int_equal(code_finish(&code), 0);
	object_add_func(object, func_from_code(&code, "entry", "raw_tp/test"));
	fixture_func(object, "callee", END);
	vm = vm_new(object, 1, &why);
	for (int i = 0; i < 2; i++) {
		vm_set_exec(vm, i ? VM_EXEC_INTERP : VM_EXEC_AUTO);
		if (!vm_load(vm, object->funcs[0], &handler_signature, &why, &err))
			fail_msg("%s", why.s);
	}
	vm_free(vm);
	arena_free(arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_message),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_compared),
		cmocka_unit_test(test_affordable),
		cmocka_unit_test(test_large_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
