/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Random programs (vm_random.h), with a few instructions changed at random (vm_mutate.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vm_mutate.h"

static void
try_generated(uint64_t n, const struct vm_signature *signature, struct counts *counts)
{
	struct arena *arena = arena_new();
	struct object *object = fixture_object(arena);

	make_program(object, n, true);
	mutate(object);
	try_program(&(struct reference_program){ object, object->funcs[0], signature, n }, counts);
	arena_free(arena);
}

static void
try_random(uint64_t n, struct counts *counts)
{
	try_generated(n, &handler_signature, counts);
}

static void
test_mutated_random(void **state)
{
	test_mutated(try_random, 2);
}

static void
try_callx(uint64_t n, struct counts *counts)
{
	struct vm_signature signature = handler_signature;

	signature.callx = VM_CALLX_PERMITTED;
	try_generated(n, &signature, counts);
}

/* Those whose calls are by a register. */
static void
test_mutated_callx(void **state)
{
	calls_by_register = true;
	test_mutated(try_callx, 20);
	calls_by_register = false;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mutated_random),
		cmocka_unit_test(test_mutated_callx),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
