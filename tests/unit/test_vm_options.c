/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What a host may ask of programs: that they go back only so often (vm_set_budget), in the interpreter and as machine code alike to
 * the last jump, counted by hand below; and that the constants that they were written with do not stand in executable memory
 * (vm_set_constants). And that programs go on with each other (tail calls) whichever of them are machine code.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vm_fixture.h"

#include "vm/vm_int.h"

static const struct vm_signature signature = { .callx = VM_CALLX_PERMITTED, .args = {
	{ VM_ARG_SCALAR, 0 }, { VM_ARG_NONE, 0 }, { VM_ARG_NONE, 0 }, { VM_ARG_MEM, SCRATCH_SIZE },
} };

/* ---- budgets ------------------------------------------------------------------------------------------------ */

/* Programs that count what they do in the first word of scratch, what a run costs, and what stands there in the end. */
static const struct costly {
	const char *what, *text, *callee;
	uint32_t cost;
	uint64_t counted;
} programs[] = {
	{ "no jump back", "*(u64 *)(r4 + 0) = 1\nr0 = 7\nexit\n", NULL, 0, 1 },
	{ "a loop of 10 rounds", "r1 = 10\n"
	  "again:\nr2 = *(u64 *)(r4 + 0)\nr2 += 1\n*(u64 *)(r4 + 0) = r2\nr1 += -1\nif r1 != 0 goto again\nr0 = 7\nexit\n", NULL, 10, 10 },
	{ "a loop that ends in its middle", "r1 = 10\n"
	  "again:\nr2 = *(u64 *)(r4 + 0)\nr2 += 1\n*(u64 *)(r4 + 0) = r2\nr1 += -1\nif r1 == 0 goto +1\ngoto again\nr0 = 7\nexit\n", NULL, 9, 10 },
	{ "a loop in a loop, 3 of 4 rounds", "r1 = 3\n"
	  "outer:\nr3 = 4\n"
	  "inner:\nr2 = *(u64 *)(r4 + 0)\nr2 += 1\n*(u64 *)(r4 + 0) = r2\nr3 += -1\nif r3 != 0 goto inner\n"
	  "r1 += -1\nif r1 != 0 goto outer\nr0 = 7\nexit\n", NULL, 15, 12 },
	{ "2 calls of a function with a loop of 5 rounds", "r6 = r4\nr1 = r6\ncall function 1\nr1 = r6\ncall function 1\nr0 = 7\nexit\n",
	  "r3 = 5\nagain:\nr2 = *(u64 *)(r1 + 0)\nr2 += 1\n*(u64 *)(r1 + 0) = r2\nr3 += -1\nif r3 != 0 goto again\nr0 = 0\nexit\n", 10, 10 },
	{ "the same by a register", "r6 = r4\nr7 = function 1 ll\nr1 = r6\ncallx r7\nr1 = r6\ncallx r7\nr0 = 7\nexit\n",
	  "r3 = 5\nagain:\nr2 = *(u64 *)(r1 + 0)\nr2 += 1\n*(u64 *)(r1 + 0) = r2\nr3 += -1\nif r3 != 0 goto again\nr0 = 0\nexit\n", 10, 10 },
	{ "6 calls back", "*(u64 *)(r10 - 8) = 0\nr6 = r4\nr1 = 6\nr2 = function 1 ll\nr3 = r10\nr3 += -8\nr4 = 0\ncall 181\n"
	  "r1 = *(u64 *)(r10 - 8)\n*(u64 *)(r6 + 0) = r1\nr0 = 7\nexit\n",
	  "r1 = *(u64 *)(r2 + 0)\nr1 += 1\n*(u64 *)(r2 + 0) = r1\nr0 = 0\nexit\n", 6, 6 },
	{ "a table's entry and a comparison with null that goes back", "r6 = r4\nr7 = 3\n"
	  "again:\nr7 += -1\nif r7 == 0 goto out\nr2 = *(u64 *)(r6 + 0)\nr2 += 1\n*(u64 *)(r6 + 0) = r2\n*(u32 *)(r10 - 4) = 77\nr2 = r10\nr2 += -4\n"
	  "r1 = table 1 ll\ncall 1\nif r0 == 0 goto again\nout:\nr0 = 7\nexit\n", NULL, 2, 2 },
};

static struct object *
object_of(struct arena *arena, const char *text, const char *callee)
{
	struct object *object = fixture_object(arena);

	fixture_func(object, "entry", text);
	if (callee)
		fixture_func(object, "callee", callee);
	return object;
}

/* A run with this budget: what vm_run_bounded returns, and the count. */
static int
run_costly(const struct costly *costly, enum vm_exec exec, uint32_t budget, uint64_t *counted)
{
	struct arena *arena = arena_new();
	struct object *object = object_of(arena, costly->text, costly->callee);
	_Alignas(8) uint64_t scratch[SCRATCH_SIZE / 8] = { 0 };
	struct text why = { 0 };
	struct vm *vm = vm_new(object, 1, &why);
	struct vm_program *program;
	uint64_t r0 = 99, args[5] = { 0, 0, 0, (uintptr_t)scratch, 0 };
	int err;

	assert_non_null(vm);
	vm_set_exec(vm, exec);
	vm_set_budget(vm, budget);
	program = vm_load(vm, object->funcs[0], &signature, &why, &err);
	if (!program)
		fail_msg("%s: %s", costly->what, why.s);
	vm_set_budget(vm, 1); /* the loaded program keeps its own */
	err = vm_run_bounded(vm, program, NULL, args, &r0);
	assert_int_equal(r0, err ? 99 : 7);
	*counted = scratch[0];
	vm_free(vm);
	arena_free(arena);
	return err;
}

static void
check_budget(const struct costly *costly, enum vm_exec exec)
{
	uint64_t counted;

	for (uint32_t budget = 1; budget < costly->cost + 2; budget++) {
		int err = run_costly(costly, exec, budget, &counted);

		if (err != (budget < costly->cost ? -ETIME : 0))
			fail_msg("%s, budget %u: %d", costly->what, (unsigned)budget, err);
		if (budget >= costly->cost)
			assert_int_equal(counted, costly->counted);
		else
			assert_true(counted <= costly->counted);
	}
	assert_int_equal(run_costly(costly, exec, 0, &counted), 0);
	assert_int_equal(counted, costly->counted);
}

static void
test_budget(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		check_budget(&programs[i], VM_EXEC_INTERP);
		check_budget(&programs[i], VM_EXEC_AUTO);
	}
}

/* Both ways of running stop at the same jump. */
static void
test_same_place(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		for (uint32_t budget = 1; budget < programs[i].cost; budget++) {
			uint64_t interp, jit;

			run_costly(&programs[i], VM_EXEC_INTERP, budget, &interp);
			run_costly(&programs[i], VM_EXEC_AUTO, budget, &jit);
			if (interp != jit)
				fail_msg("%s, budget %u: counted %u interpreted, %u as machine code", programs[i].what, (unsigned)budget,
					 (unsigned)interp, (unsigned)jit);
		}
	}
}

static void
ignore(void *arg, const void *record, size_t len)
{
	*(size_t *)arg += len;
}

/* A record that the program holds when it is stopped does not stand in the way of those behind it. */
static void
check_held(enum vm_exec exec)
{
	struct arena *arena = arena_new();
	struct object *object = object_of(arena,
		"r6 = r1\nr1 = table 3 ll\nr2 = 16\nr3 = 0\ncall 131\nif r0 == 0 goto out\nr7 = r0\n*(u64 *)(r7 + 0) = 1\n*(u64 *)(r7 + 8) = 2\n"
		"r6 &= 7\nagain:\nif r6 == 0 goto done\nr6 += -1\ngoto again\n"
		"done:\nr1 = r7\nr2 = 0\ncall 132\nout:\nr0 = 7\nexit\n", NULL);
	struct text why = { 0 };
	struct vm *vm = vm_new(object, 1, &why);
	struct vm_program *program;
	uint64_t r0, few[5] = { 2, 0, 0, (uintptr_t)&(uint64_t[SCRATCH_SIZE / 8]){ 0 }, 0 }, many[5] = { 7, 0, 0, few[3], 0 };
	size_t bytes = 0;
	int err;

	vm_set_exec(vm, exec);
	vm_set_budget(vm, 3);
	program = vm_load(vm, object->funcs[0], &signature, &why, &err);
	if (!program)
		fail_msg("%s", why.s);
	for (int i = 0; i < 100; i++) /* more than the ring has room for would be too many */
		assert_int_equal(vm_run_bounded(vm, program, NULL, many, &r0), -ETIME);
	assert_int_equal(vm_ringbuf_consume(vm, 3, ignore, &bytes), 0);
	assert_int_equal(bytes, 0);
	assert_int_equal(vm_run_bounded(vm, program, NULL, few, &r0), 0);
	assert_int_equal(vm_ringbuf_consume(vm, 3, ignore, &bytes), 1);
	assert_int_equal(bytes, 16);
	vm_free(vm);
	arena_free(arena);
}

static void
test_held(void **state)
{
	check_held(VM_EXEC_INTERP);
	check_held(VM_EXEC_AUTO);
}

/* ---- constants --------------------------------------------------------------------------------------------------- */

#if defined(__x86_64__)
#define CONSTANTS_STAND_WHOLE true
#else
#define CONSTANTS_STAND_WHOLE false
#endif

/* Constants that cannot be there by chance; each instruction that may have one, the last with 64 bits. */
#define CHOSEN 0x3bb0c035
#define CHOSEN64 0x3c95ddf13bb0c035ll

static const char *const chosen[] = {
	"r0 = 1001439285\nexit\n", "w0 = 1001439285\nexit\n", "r0 = r1\nr0 += 1001439285\nexit\n", "r0 = r1\nr0 &= 1001439285\nexit\n",
	"r0 = r1\nr0 ^= 1001439285\nexit\n", "w0 = w1\nw0 |= 1001439285\nexit\n", "w0 = w1\nw0 += 1\nw0 -= 1001439285\nexit\n",
	"r0 = r1\nr0 *= 1001439285\nexit\n", "r0 = r1\nr0 %= 1001439285\nexit\n", "w0 = w1\nw0 %= 1001439285\nexit\n",
	"r0 = 0\nif r1 > 1001439285 goto +1\nr0 = 1\nexit\n", "r0 = 0\nif w1 s> 1001439285 goto +1\nr0 = 1\nexit\n",
	"r0 = 0\nif r1 & 1001439285 goto +1\nr0 = 1\nexit\n", "r0 = 0\n*(u32 *)(r4 + 0) = 1001439285\nexit\n",
	"r0 = 0\n*(u64 *)(r4 + 0) = 1001439285\nexit\n", "r0 = 4365639441963860021 ll\nexit\n",
};

static bool
holds(const struct jit_code *code)
{
	const uint32_t wanted = CHOSEN;

	for (uint32_t i = 0; i + sizeof(wanted) <= code->len; i++)
		if (!memcmp(code->text + i, &wanted, sizeof(wanted)))
			return true;
	return false;
}

/* Does the chosen constant stand in the code? Also looks that the result is the interpreter's. */
static bool
compile_chosen(const char *text, enum vm_constants constants)
{
	struct arena *arena = arena_new();
	struct object *object = object_of(arena, text, NULL);
	_Alignas(8) uint64_t scratch[2][SCRATCH_SIZE / 8] = { { 0 } };
	struct text why = { 0 };
	struct vm *vm = vm_new(object, 1, &why);
	struct jit_code *code;
	uint64_t r0[2];
	bool found;
	int err;

	vm_set_constants(vm, constants);
	err = jit_compile(vm, object->funcs[0], &signature, NULL, &code, &why);
	if (err == -EOPNOTSUPP)
		skip();
	assert_int_equal(err, 0);
	found = holds(code);
	jit_free(code);
	for (int i = 0; i < 2; i++) {
		struct vm_program *program;

		vm_set_exec(vm, i ? VM_EXEC_JIT : VM_EXEC_INTERP);
		program = vm_load(vm, object->funcs[0], &signature, &why, &err);
		assert_non_null(program);
		r0[i] = vm_run(vm, program, NULL, (uint64_t[5]){ 0xfedcba9876543210, 0, 0, (uintptr_t)scratch[i], 0 });
	}
	assert_int_equal(r0[0], r0[1]);
	assert_memory_equal(scratch[0], scratch[1], sizeof(scratch[0]));
	vm_free(vm);
	arena_free(arena);
	return found;
}

static void
test_constants(void **state)
{
	_Static_assert((uint32_t)CHOSEN64 == CHOSEN && CHOSEN == 1001439285 && CHOSEN64 == 4365639441963860021, "the texts hold them");
	for (size_t i = 0; i < ARRAY_SIZE(chosen); i++) {
		/* What this looks for is there when nobody hides it, save on machines whose instructions hold halves. */
		if (!compile_chosen(chosen[i], VM_CONSTANTS_PLAIN) && CONSTANTS_STAND_WHOLE)
			fail_msg("%s: the constant should be there", chosen[i]);
		for (int n = 0; n < 20; n++)
			if (compile_chosen(chosen[i], VM_CONSTANTS_BLINDED))
				fail_msg("%s: the constant is there", chosen[i]);
	}
}

/* ---- tail calls from one way of running into another ------------------------------------------------------------ */

/* Counts in its context and goes on with the program in place 0 or 1, by turns: as itself, and in a function of which it expects a result. */
static const char tails[] = "r6 = r1\nr7 = *(u64 *)(r1 + 0)\nr7 += 1\n*(u64 *)(r1 + 0) = r7\nr3 = r7\nr3 &= 1\nr2 = table 22 ll\ncall 12\n"
			    "r0 = *(u64 *)(r6 + 0)\nr0 += r7\nexit\n";
/* The same, counting through a function that it calls by a register, and once more than it should by three calls back. */
static const char by_address[] = "r6 = r1\nr7 = *(u64 *)(r1 + 0)\n*(u64 *)(r10 - 8) = r7\nr2 = r10\nr2 += -8\nr3 = function 1 ll\ncallx r3\n"
				 "r1 = 3\nr2 = function 1 ll\nr3 = r10\nr3 += -8\nr4 = 0\ncall 181\nr7 = *(u64 *)(r10 - 8)\nr7 += -3\n"
				 "*(u64 *)(r6 + 0) = r7\nr1 = r6\nr3 = r7\nr3 &= 1\nr2 = table 22 ll\ncall 12\nr0 = *(u64 *)(r6 + 0)\nr0 += r7\nexit\n";
static const char counts[] = "r0 = *(u64 *)(r2 + 0)\nr0 += 1\n*(u64 *)(r2 + 0) = r0\nr0 = 0\nexit\n";
static const char calls[] = "r6 = r1\nr7 = 1000\ncall function 1\nr0 += r7\nr1 = *(u64 *)(r6 + 8)\nr1 += 1\n*(u64 *)(r6 + 8) = r1\nexit\n";

/* Bit 0, 1, 2 of `jits`: the program in place 0, in place 1, and that which begins, are machine code. */
static void
check_tails(const char *entry, const char *callee, unsigned jits, uint32_t budget, uint64_t r0, uint64_t returned)
{
	const struct vm_signature memory = { .callx = VM_CALLX_PERMITTED, .args = { { VM_ARG_MEM, 16 } } };
	struct arena *arena = arena_new();
	struct object *object = object_of(arena, entry, callee);
	struct text why = { 0 };
	struct vm *vm = vm_new(object, 1, &why);
	_Alignas(8) uint64_t context[2] = { 0 };
	struct vm_program *program;
	int err;

	assert_non_null(vm);
	vm_set_budget(vm, budget);
	for (uint32_t i = 0; i < 3; i++) {
		vm_set_exec(vm, jits >> i & 1 ? VM_EXEC_JIT : VM_EXEC_INTERP);
		program = vm_load(vm, object->funcs[0], &memory, &why, &err);
		if (!program || (i < 2 && vm_table_put_program(vm, FIXTURE_PROGRAMS, i, program, &why)))
			fail_msg("%s: %s", entry, why.s);
	}
	for (int again = 0; again < 2; again++) {
		memset(context, 0, sizeof(context));
		assert_int_equal(vm_run(vm, program, NULL, (uint64_t[5]){ (uintptr_t)context }), r0);
		assert_int_equal(context[0], 34);
		assert_int_equal(context[1], returned);
	}
	vm_free(vm);
	arena_free(arena);
}

static void
test_tails(void **state)
{
	for (unsigned jits = 0; jits < 8; jits++) {
		check_tails(tails, NULL, jits, 0, 34 + 34, 0);
		check_tails(tails, NULL, jits, 100, 34 + 34, 0);
		check_tails(by_address, counts, jits, 0, 34 + 34, 0);
		check_tails(by_address, counts, jits, 1000, 34 + 34, 0);
		check_tails(calls, tails, jits, 0, 34 + 34 + 34 * 1000, 34);
		check_tails(calls, tails, jits, 100, 34 + 34 + 34 * 1000, 34);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_budget), cmocka_unit_test(test_same_place), cmocka_unit_test(test_held), cmocka_unit_test(test_constants),
		cmocka_unit_test(test_tails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
