/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Memory that fails: the n-th allocation of a whole run (tables, verification, loading, a run that fills a table) fails, for each n.
 * Each time the program must say so or end with status 3 (base's arenas), never crash. Each n is a process of its own: this program,
 * run with KTAP_FAIL_ALLOC=n and an argument.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "vm_fixture.h"

enum { ENDED_WELL = 0, ARENA_FAILED = 3, TOLD = 10, TOLD_NOTHING = 11 };

#define PUT "*(u64 *)(r10 - 8) = r6\nr2 = r10\nr2 += -8\nr3 = r7\nr1 = table 0 ll\nr4 = 0\ncall 2\n"

/* Puts 20 keys into the hash table: slabs, more buckets. Branches and a call make states for the verifier to keep. */
static const char source[] = "r7 = r4\nr6 = 0\nr8 = r3\nagain: r1 = r6\ncall function 1\nif r0 == 5 goto more\nmore: if r8 == 3 goto next\nnext:\n"
			     PUT "if r0 != 0 goto out\nr6 += 1\nif r6 < 20 goto again\nr0 = 0\nout: exit\n";

static int
whole_run(void)
{
	struct arena *arena = arena_new();
	struct object *object = fixture_object(arena);
	struct func *func = fixture_func(object, "entry", source);
	_Alignas(8) char record[RECORD_SIZE] = { 0 }, scratch[SCRATCH_SIZE] = { 0 };
	uint64_t args[5] = { (uintptr_t)record, 0, 0, (uintptr_t)scratch, 0 }, r0;
	struct text why = { 0 };
	struct vm_program *program = NULL;
	struct vm *vm;
	int result = TOLD, err;

	fixture_func(object, "callee", "r0 = r1\nexit\n");
	vm = vm_new(object, 2, &why);
	if (vm)
		program = vm_load(vm, func, &handler_signature, &why, &err);
	if (program) {
		r0 = vm_run(vm, program, NULL, args);
		result = r0 == 0 ? ENDED_WELL : r0 == (uint64_t)-ENOMEM ? TOLD : TOLD_NOTHING;
	} else if (!why.len) {
		result = TOLD_NOTHING;
	}
	vm_free(vm);
	text_fini(&why);
	arena_free(arena);
	return result;
}

static int
run_failing(unsigned n)
{
	char number[16];
	pid_t pid;
	int status;

	snprintf(number, sizeof(number), "%u", n);
	pid = fork();
	if (!pid) {
		setenv("KTAP_FAIL_ALLOC", number, 1);
		if (!freopen("/dev/null", "w", stderr))
			_exit(99);
		execl("/proc/self/exe", "test_vm_alloc", "run", (char *)NULL);
		_exit(99);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void
test_alloc(void **state)
{
	unsigned n_told = 0, n_well = 0;

	/* A failure that is survived (chains grow longer) ends well too: so the end is where several in a row do. */
	for (unsigned n = 1; n_well < 8; n++) {
		int result = run_failing(n);

		if (result != ENDED_WELL && result != ARENA_FAILED && result != TOLD)
			fail_msg("allocation %u fails: status %d", n, result);
		n_told += result == TOLD;
		n_well = result == ENDED_WELL ? n_well + 1 : 0;
		assert_true(n < 10000);
	}
	assert_true(n_told > 10);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alloc),
	};

	return argc > 1 ? whole_run() : cmocka_run_group_tests(tests, NULL, NULL);
}
