/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * As much of cmocka as the unit tests of the machine use, for processors that cmocka is not packaged for (tests/cross/arm64). A test
 * that fails says where and ends the program with status 1.
 */
#ifndef CROSS_CMOCKA_H
#define CROSS_CMOCKA_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct CMUnitTest {
	const char *name;
	void (*test)(void **state);
	int (*setup)(void **state), (*teardown)(void **state);
};

static jmp_buf cross_skip;

#define cmocka_unit_test(f) { #f, f, NULL, NULL }
#define cmocka_unit_test_setup_teardown(f, setup, teardown) { #f, f, setup, teardown }
#define cross_check(condition, ...) ((condition) ? (void)0 : (printf("%s:%d: ", __FILE__, __LINE__), printf(__VA_ARGS__), puts(""), exit(1)))
#define assert_true(c) cross_check(c, "not true: %s", #c)
#define assert_false(c) cross_check(!(c), "true: %s", #c)
#define assert_null(p) cross_check(!(p), "not null: %s", #p)
#define assert_non_null(p) cross_check((p) != NULL, "null: %s", #p)
#define assert_ptr_equal(a, b) cross_check((a) == (b), "%s is not %s", #a, #b)
#define assert_int_equal(a, b) \
	cross_check((uint64_t)(a) == (uint64_t)(b), "%s is %#llx, not %s", #a, (unsigned long long)(a), #b)
#define assert_int_not_equal(a, b) cross_check((uint64_t)(a) != (uint64_t)(b), "%s is %s", #a, #b)
#define assert_memory_equal(a, b, n) cross_check(!memcmp(a, b, n), "%s differs from %s", #a, #b)
#define assert_string_equal(a, b) cross_check(!strcmp(a, b), "'%s' is not '%s'", a, b)
#define fail_msg(...) cross_check(0, __VA_ARGS__)
#define fail() cross_check(0, "failed")
#define skip() longjmp(cross_skip, 1)
#define print_message(...) printf(__VA_ARGS__)
#define print_error(...) printf(__VA_ARGS__)

static inline int
cross_run(const struct CMUnitTest *tests, size_t n, int (*setup)(void **state), int (*teardown)(void **state))
{
	void *group = NULL;

	if (setup)
		setup(&group);
	printf("1..%zu\n", n);
	for (volatile size_t i = 0; i < n; i++) {
		void *state = group;
		int skipped = setjmp(cross_skip);

		if (!skipped) {
			if (tests[i].setup)
				tests[i].setup(&state);
			tests[i].test(&state);
			if (tests[i].teardown)
				tests[i].teardown(&state);
		}
		printf("ok %zu - %s%s\n", i + 1, tests[i].name, skipped ? " # SKIP" : "");
		fflush(stdout);
	}
	if (teardown)
		teardown(&group);
	return 0;
}

#define cmocka_run_group_tests(tests, setup, teardown) cross_run(tests, sizeof(tests) / sizeof((tests)[0]), setup, teardown)

#endif
