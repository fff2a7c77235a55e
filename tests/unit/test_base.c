/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * base: what the tests of other rooms do not show by themselves.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/base.h"

/* ---- growing arrays ---------------------------------------------------------------------------- */

/* What is in it stays; a thousand elements cost a few moves. */
static void
array_grows(void **state)
{
	uint32_t *numbers = NULL, cap = 0, last_cap = 0, n_moves = 0;

	for (uint32_t n = 0; n < 1000; n++) {
		numbers = mem_grow(numbers, n, &cap, sizeof(*numbers));
		assert_non_null(numbers);
		assert_true(cap > n);
		n_moves += cap != last_cap;
		last_cap = cap;
		numbers[n] = n;
	}
	for (uint32_t n = 0; n < 1000; n++)
		assert_int_equal(numbers[n], n);
	assert_true(n_moves < 10);
	free(numbers);
}

/* More than 32 bits can count: the array stays as it is. */
static void
array_is_full(void **state)
{
	uint32_t cap = 1u << 31;
	char byte;

	errno = 0;
	assert_null(mem_grow(&byte, cap, &cap, 1));
	assert_int_equal(errno, ENOMEM);
	assert_int_equal(cap, 1u << 31);
	assert_ptr_equal(mem_grow(&byte, cap - 1, &cap, 1), &byte);
}

/* ---- text ------------------------------------------------------------------------------------------ */

/* Of the test vectors that the authors of FNV publish (fnv32a). */
static void
hashes(void **state)
{
	assert_int_equal(text_hash("", 0), 0x811c9dc5);
	assert_int_equal(text_hash("a", 1), 0xe40c292c);
	assert_int_equal(text_hash("foobar", 6), 0xbf9cf968);
	assert_int_equal(text_hash("foobar", 0), 0x811c9dc5);
}

/* ---- files ----------------------------------------------------------------------------------------- */

#define FILE_LEN 300000 /* more than is read at once */

/* A pipe tells no size and gives little at a time. */
static void
file_of_no_size(void **state)
{
	char expected[FILE_LEN], *bytes;
	FILE *pipe = popen("yes abcdefghi | head -c 300000", "r");
	size_t len;

	for (size_t i = 0; i < FILE_LEN; i++)
		expected[i] = "abcdefghi\n"[i % 10];
	assert_non_null(pipe);
	bytes = file_rest(fileno(pipe), FILE_LEN, &len);
	pclose(pipe);
	assert_non_null(bytes);
	assert_int_equal(len, FILE_LEN);
	assert_memory_equal(bytes, expected, FILE_LEN);
	assert_int_equal(bytes[FILE_LEN], 0);
	free(bytes);
}

static void
files(void **state)
{
	size_t len;
	char *bytes = file_read("/dev/null", 0, &len);

	assert_string_equal(bytes, "");
	assert_int_equal(len, 0);
	free(bytes);
	bytes = file_read("/dev/zero", 100, &len); /* which has no end */
	assert_non_null(bytes);
	assert_true(len > 100);
	free(bytes);
	assert_null(file_read("/nonexistent", 100, &len));
	assert_int_equal(errno, ENOENT);
	assert_null(file_read("/", 100, &len));
	assert_int_equal(errno, EISDIR);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(array_grows),
		cmocka_unit_test(array_is_full),
		cmocka_unit_test(hashes),
		cmocka_unit_test(file_of_no_size),
		cmocka_unit_test(files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
