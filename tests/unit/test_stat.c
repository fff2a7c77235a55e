/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Statistics (ebpf/stat.c) against sums over the samples themselves, and against the definition of a bucket.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ebpf/ebpf.h"

static const struct stat_layout all = { .keep = (1u << N_STAT_PARTS) - 1, .lo = -100, .hi = 1005, .step = 10 };

static uint64_t seed = 88172645463325252u;

static int64_t
random_sample(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (int64_t)seed >> (seed >> 20) % 64;
}

/* Each bucket counts the samples from its first to its last value, and buckets cover all numbers without gaps. */
static void
check_buckets(const struct stat_layout *layout, const uint64_t *cell, enum stat_part part, const int64_t *samples, uint32_t n)
{
	int64_t next = INT64_MIN, first, last;

	for (uint32_t i = 0; i < stat_words(layout, part); i++) {
		uint64_t count = 0;

		stat_bucket(layout, part, i, &first, &last);
		assert_int_equal(first, next);
		for (uint32_t k = 0; k < n; k++)
			count += samples[k] >= first && samples[k] <= last;
		assert_int_equal(cell[stat_word(layout, part) + i], count);
		next = (int64_t)((uint64_t)last + 1);
	}
	assert_int_equal(last, INT64_MAX);
}

static void
test_random(void **state)
{
	uint64_t cells[3][256] = { 0 };
	int64_t samples[500], sum = 0, min = INT64_MAX, max = INT64_MIN, read;

	assert_true(stat_size(&all) <= sizeof(cells[0]));
	for (uint32_t i = 0; i < ARRAY_SIZE(samples); i++) {
		samples[i] = random_sample();
		sum = (int64_t)((uint64_t)sum + (uint64_t)samples[i]);
		min = samples[i] < min ? samples[i] : min;
		max = samples[i] > max ? samples[i] : max;
		stat_add(&all, cells[i % 3], samples[i]);
	}
	stat_merge(&all, cells[0], cells[1]);
	stat_merge(&all, cells[0], cells[2]);
	assert_int_equal(stat_count(&all, cells[0]), ARRAY_SIZE(samples));
	assert_int_equal(stat_sum(&all, cells[0]), sum);
	assert_true(stat_min(&all, cells[0], &read));
	assert_int_equal(read, min);
	assert_true(stat_max(&all, cells[0], &read));
	assert_int_equal(read, max);
	check_buckets(&all, cells[0], STAT_LOG2, samples, ARRAY_SIZE(samples));
	check_buckets(&all, cells[0], STAT_LINEAR, samples, ARRAY_SIZE(samples));
}

/* Steps across all numbers: no difference between two bounds fits into 63 bits. */
static void
test_widest(void **state)
{
	static const int64_t samples[] = { INT64_MIN, INT64_MIN + 1, -1, 0, 1, 1ll << 62, INT64_MAX - 1, INT64_MAX };
	static const struct {
		int64_t lo, hi, step;
		uint32_t words;
	} cases[] = {
		{ INT64_MIN + 1, INT64_MAX, 1ll << 62, 4 + 2 }, { INT64_MIN + 1, INT64_MAX, INT64_MAX, 2 + 2 }, { -1, INT64_MAX, INT64_MAX, 2 + 2 },
		{ 0, INT64_MAX, INT64_MAX, 1 + 2 },             { INT64_MIN + 1, INT64_MIN + 2, 5, 1 + 2 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct stat_layout layout = { 1u << STAT_LINEAR, cases[i].lo, cases[i].hi, cases[i].step };
		uint64_t cell[8] = { 0 };

		assert_int_equal(stat_words(&layout, STAT_LINEAR), cases[i].words);
		for (size_t k = 0; k < ARRAY_SIZE(samples); k++)
			stat_add(&layout, cell, samples[k]);
		check_buckets(&layout, cell, STAT_LINEAR, samples, ARRAY_SIZE(samples));
	}
}

/* 0 to 2n have the average n and the variance n (n + 1) / 3, wherever they begin. */
static void
test_deviation(void **state)
{
	static const int64_t starts[] = { 0, -1000, 1000000000000, -4000000000000000, 1ll << 53 };

	for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
		uint64_t cell[256] = { 0 };

		for (int64_t k = 0; k <= 2 * 147; k++)
			stat_add(&all, cell, starts[i] + k);
		assert_int_equal(stat_stddev(&all, cell), 85); /* sqrt(7252) */
	}
}

static void
test_empty(void **state)
{
	uint64_t cell[256] = { 0 };
	int64_t read;

	assert_int_equal(stat_count(&all, cell), 0);
	assert_false(stat_min(&all, cell, &read));
	assert_false(stat_max(&all, cell, &read));
	assert_int_equal(stat_stddev(&all, cell), 0);
}

/* What each reader says of no samples, of -2, 3 and 8, and where its part is not kept. */
static void
test_read(void **state)
{
	static const struct {
		enum stat_reader reader;
		int empty;
		int64_t number;
	} rows[] = {
		{ READ_COUNT, 0, 3 }, { READ_SUM, 0, 9 }, { READ_AVG, -ENODATA, 3 }, { READ_MIN, -ENODATA, -2 }, { READ_MAX, -ENODATA, 8 },
		{ READ_STDDEV, -ENODATA, 4 }, /* sqrt((25 + 0 + 25) / 3) = 4.08 */
	};
	const struct stat_layout log2 = { .keep = 1u << STAT_LOG2 }, sum_only = { .keep = 1u << STAT_SUM };
	uint64_t empty[256] = { 0 }, cell[256] = { 0 }, buckets[256] = { 0 };

	for (int64_t sample = -2; sample <= 8; sample += 5) {
		stat_add(&all, cell, sample);
		stat_add(&log2, buckets, sample);
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int64_t number = 0;

		assert_int_equal(stat_read(&all, empty, rows[i].reader, &number), rows[i].empty);
		assert_int_equal(stat_read(&all, cell, rows[i].reader, &number), 0);
		assert_int_equal(number, rows[i].number);
		number = 0;
		assert_int_equal(stat_read(&log2, buckets, rows[i].reader, &number), rows[i].reader == READ_COUNT ? 0 : -ENOTSUP);
		assert_int_equal(number, rows[i].reader == READ_COUNT ? 3 : 0);
		assert_int_equal(stat_read(&sum_only, cell, rows[i].reader, &number),
				 rows[i].reader == READ_SUM ? 0 : rows[i].reader == READ_AVG ? -ENODATA : -ENOTSUP);
	}
}

/* What no samples make, a program that is not of our compiler can: a division that has no result. */
static void
test_forged(void **state)
{
	uint64_t cell[256] = { UINT64_MAX, 1ull << 63 };
	int64_t number;

	assert_int_equal(stat_word(&all, STAT_COUNT), 0);
	assert_int_equal(stat_word(&all, STAT_SUM), 1);
	assert_int_equal(stat_read(&all, cell, READ_AVG, &number), -ENODATA);
	assert_int_equal(stat_read(&all, cell, READ_STDDEV, &number), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_widest),
		cmocka_unit_test(test_deviation),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_read),
		cmocka_unit_test(test_forged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
