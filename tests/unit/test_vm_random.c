/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Random programs: what the verifier accepts runs without touching anything else, on values that the verifier foresaw, and
 * alike in both interpreters (vm_reference.h, vm_random.h). KTAP_RANDOM_PROGRAMS and KTAP_RANDOM_SEED change how many and which.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vm_kernel.h"
#include "vm_random.h"

static uint64_t
number_of_programs(void)
{
	const char *count = getenv("KTAP_RANDOM_PROGRAMS");

	return count ? strtoull(count, NULL, 0) : 100000;
}

static void
try_programs(uint64_t n, const struct vm_signature *signature)
{
	const char *start = getenv("KTAP_RANDOM_SEED");
	uint64_t first = start ? strtoull(start, NULL, 0) : 1, n_accepted = 0, n_checked = 0;

	for (uint64_t i = 0; i < n; i++) {
		struct arena *arena = arena_new();
		struct object *object = fixture_object(arena);
		struct reference_program program = { .object = object, .signature = signature, .seed = first + i };
		uint64_t r3[3];

		make_program(object, first + i, true);
		program.entry = object->funcs[0];
		for (size_t v = 0; v < ARRAY_SIZE(r3); v++)
			r3[v] = random_value();
		n_accepted += reference_try(&program, r3, ARRAY_SIZE(r3), &n_checked);
		arena_free(arena);
	}
	print_message("# %llu programs, %llu accepted, %llu times were registers compared with what was foreseen\n",
		      (unsigned long long)n, (unsigned long long)n_accepted, (unsigned long long)n_checked);
	if (n >= 1000)
		assert_true(n_accepted > n / 20);
}

static void
test_random(void **state)
{
	try_programs(number_of_programs(), &handler_signature);
}

/* A tenth as many whose calls are by a register. */
static void
test_callx(void **state)
{
	struct vm_signature signature = handler_signature;

	signature.callx = VM_CALLX_PERMITTED;
	calls_by_register = true;
	try_programs(number_of_programs() / 10, &signature);
	calls_by_register = false;
}

/* Following every path to its end, without any pruning, accepts it too. */
static bool
is_accepted_in_full(const struct object *object)
{
	static const struct verify_watch watch = { .pruning = PRUNE_NONE };
	struct text why = { 0 };
	int err = verify_watched(object, object->funcs[0], &handler_signature, &watch, &why);

	text_fini(&why);
	return !err;
}

/*
 * What we accept, this machine's kernel accepts. With joins a difference counts only where pruning may be its cause, for there are others, where the
 * kernel (6.18) knows less than we do of a number; docs/engine.md lists them.
 */
static void
compare_with_kernel(bool joins)
{
	static char log[1 << 20];
	const char *count = getenv("KTAP_RANDOM_KERNEL"), *start = getenv("KTAP_RANDOM_SEED");
	uint64_t n = count ? strtoull(count, NULL, 0) : 3000, first = start ? strtoull(start, NULL, 0) : 1, n_accepted = 0, n_bad = 0, n_known = 0, n_bugs = 0;
	struct kernel kernel = { .record = -1 };
	int err = n ? kernel_open(&kernel, NULL) : -ECANCELED;

	if (err) {
		print_message("# the kernel does not let us: %s\n", strerror(-err));
		skip();
	}
	for (uint64_t i = 0; i < n; i++) {
		struct arena *arena = arena_new();
		struct object *object = fixture_object(arena);
		struct text why = { 0 };

		make_program(object, first + i, joins);
		if (!vm_verify(object, object->funcs[0], &handler_signature, NULL, &why)) {
			n_accepted++;
			if (!kernel_verify(&kernel, object, log, sizeof(log)))
				goto next;
			/* Its own words. 6.18 loses a function that is called back only where nothing goes. */
			if (strstr(log, "verifier bug")) {
				n_bugs++;
				goto next;
			}
			if (joins && is_accepted_in_full(object)) {
				n_known++;
			} else {
				n_bad++;
				print_error("%llu: we accept, the kernel refuses: ...%s\n", (unsigned long long)i,
					    strlen(log) > 800 ? log + strlen(log) - 800 : log);
			}
		}
next:
		text_fini(&why);
		arena_free(arena);
	}
	kernel_close(&kernel);
	print_message("# %llu programs accepted, %llu of them refused by the kernel; %llu more by a bug that it tells of itself, %llu more that we accept "
		      "without pruning too\n", (unsigned long long)n_accepted, (unsigned long long)n_bad, (unsigned long long)n_bugs,
		      (unsigned long long)n_known);
	assert_int_equal(n_bad, 0);
}

/* KTAP_RANDOM_KERNEL changes how many programs are tried. */
static void
test_kernel(void **state)
{
	compare_with_kernel(false);
}

static void
test_kernel_joins(void **state)
{
	compare_with_kernel(true);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_callx),
		cmocka_unit_test(test_kernel),
		cmocka_unit_test(test_kernel_joins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
