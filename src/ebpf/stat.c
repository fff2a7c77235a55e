/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Statistics: the cell that a statistic is in memory, and what can be read of it. Programs fill cells (codegen/lower_stat.c); user
 * space merges those of all CPUs and reads them here.
 *
 *     +-------+-----+-----+-----+----------------+------------------+-------------------+
 *     | count | sum | min | max | squares, three | log2 buckets, 65 | linear buckets, n |   only the parts that are kept
 *     +-------+-----+-----+-----+----------------+------------------+-------------------+
 */
#include <errno.h>

#include "ebpf/ebpf.h"

enum merge { MERGE_ADD, MERGE_MAX };

static const struct stat_row {
	const char *name;
	uint32_t words;
	enum merge merge;
} rows[] = {
#define STAT(id, name, words, merge) [STAT_##id] = { name, words, MERGE_##merge },
#include "ebpf/stats.def"
#undef STAT
};

const char *
stat_part_name(enum stat_part part)
{
	return rows[part].name;
}

uint32_t
stat_words(const struct stat_layout *layout, enum stat_part part)
{
	if (!stat_keeps(layout, part))
		return 0;
	if (part == STAT_LINEAR) /* the last bucket may be a part of a step; in this order nothing overflows */
		return (uint32_t)(((uint64_t)layout->hi - (uint64_t)layout->lo - 1) / (uint64_t)layout->step) + 1 + 2;
	return rows[part].words;
}

uint32_t
stat_word(const struct stat_layout *layout, enum stat_part part)
{
	uint32_t word = 0;

	for (unsigned before = 0; before < part; before++)
		word += stat_words(layout, before);
	return word;
}

uint32_t
stat_size(const struct stat_layout *layout)
{
	return 8 * stat_word(layout, N_STAT_PARTS);
}

void
stat_merge(const struct stat_layout *layout, uint64_t *into, const uint64_t *from)
{
	for (unsigned part = 0; part < N_STAT_PARTS; part++) {
		for (uint32_t n = stat_words(layout, part); n; n--, into++, from++) {
			if (rows[part].merge == MERGE_ADD)
				*into += *from;
			else if (*from > *into)
				*into = *from;
		}
	}
}

/* ---- adding a sample ---- */

#define SIGN (1ull << 63)

static uint32_t
log2_bucket(int64_t value)
{
	if (value < 0)
		return 0;
	return value ? 65 - (uint32_t)__builtin_clzll((uint64_t)value) : 1;
}

static uint32_t
linear_bucket(const struct stat_layout *layout, int64_t value)
{
	if (value < layout->lo)
		return 0;
	if (value >= layout->hi)
		return stat_words(layout, STAT_LINEAR) - 1;
	return (uint32_t)(((uint64_t)value - (uint64_t)layout->lo) / (uint64_t)layout->step) + 1;
}

static void
add_square(uint64_t *words, int64_t value)
{
	uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
	unsigned __int128 square = (unsigned __int128)size * size;

	words[0] += (uint32_t)square;
	words[1] += (uint32_t)(square >> 32);
	words[2] += (uint64_t)(square >> 64);
}

void
stat_add(const struct stat_layout *layout, uint64_t *cell, int64_t value)
{
	uint64_t low = (uint64_t)INT64_MAX - (uint64_t)value, high = (uint64_t)value ^ SIGN;

	for (unsigned part = 0; part < N_STAT_PARTS; cell += stat_words(layout, part++)) {
		if (!stat_keeps(layout, part))
			continue;
		switch ((enum stat_part)part) {
		case STAT_COUNT:
			cell[0]++;
			break;
		case STAT_SUM:
			cell[0] += (uint64_t)value;
			break;
		case STAT_MIN:
			cell[0] = low > cell[0] ? low : cell[0];
			break;
		case STAT_MAX:
			cell[0] = high > cell[0] ? high : cell[0];
			break;
		case STAT_SQUARES:
			add_square(cell, value);
			break;
		case STAT_LOG2:
			cell[log2_bucket(value)]++;
			break;
		case STAT_LINEAR:
			cell[linear_bucket(layout, value)]++;
			break;
		case N_STAT_PARTS:
			break;
		}
	}
}

/* ---- reading ---- */

static const uint64_t *
part_of(const struct stat_layout *layout, const uint64_t *cell, enum stat_part part)
{
	return cell + stat_word(layout, part);
}

uint64_t
stat_count(const struct stat_layout *layout, const uint64_t *cell)
{
	enum stat_part part = stat_keeps(layout, STAT_COUNT) ? STAT_COUNT : stat_keeps(layout, STAT_LOG2) ? STAT_LOG2 : STAT_LINEAR;
	const uint64_t *words = part_of(layout, cell, part);
	uint64_t n = 0;

	for (uint32_t i = 0; i < stat_words(layout, part); i++)
		n += words[i];
	return n;
}

int64_t
stat_sum(const struct stat_layout *layout, const uint64_t *cell)
{
	return (int64_t)*part_of(layout, cell, STAT_SUM);
}

bool
stat_min(const struct stat_layout *layout, const uint64_t *cell, int64_t *min)
{
	uint64_t word = *part_of(layout, cell, STAT_MIN);

	*min = (int64_t)((uint64_t)INT64_MAX - word);
	return word != 0;
}

bool
stat_max(const struct stat_layout *layout, const uint64_t *cell, int64_t *max)
{
	uint64_t word = *part_of(layout, cell, STAT_MAX);

	*max = (int64_t)(word ^ SIGN);
	return word != 0;
}

static uint64_t
square_root(unsigned __int128 number)
{
	uint64_t root = 0;

	for (uint64_t bit = SIGN; bit; bit >>= 1) {
		uint64_t next = root | bit;

		if ((unsigned __int128)next * next <= number)
			root = next;
	}
	return root;
}

/* Variance is (S - s * s / n) / n with s the sum and S that of the squares; both are exact, so near values cancel without harm. */
uint64_t
stat_stddev(const struct stat_layout *layout, const uint64_t *cell)
{
	const uint64_t *words = part_of(layout, cell, STAT_SQUARES);
	unsigned __int128 squares = words[0] + ((unsigned __int128)words[1] << 32) + ((unsigned __int128)words[2] << 64), mean;
	uint64_t n = stat_count(layout, cell);
	__int128 sum = stat_sum(layout, cell);

	if (n == 0)
		return 0;
	mean = (unsigned __int128)(sum < 0 ? -sum : sum);
	mean = mean * mean / n;
	return squares > mean ? square_root((squares - mean) / n) : 0;
}

enum stat_part
stat_part_read(enum stat_reader reader)
{
	static const enum stat_part parts[N_STAT_READERS] = {
		[READ_COUNT] = STAT_COUNT, [READ_SUM] = STAT_SUM, [READ_AVG] = STAT_SUM,
		[READ_MIN] = STAT_MIN, [READ_MAX] = STAT_MAX, [READ_STDDEV] = STAT_SQUARES,
	};

	return parts[reader];
}

static bool
keeps_count(const struct stat_layout *layout)
{
	return stat_keeps(layout, STAT_COUNT) || stat_keeps(layout, STAT_LOG2) || stat_keeps(layout, STAT_LINEAR);
}

int
stat_read(const struct stat_layout *layout, const uint64_t *cell, enum stat_reader reader, int64_t *number)
{
	int64_t n = keeps_count(layout) ? (int64_t)stat_count(layout, cell) : 0;
	bool exists = true;

	if (reader == READ_COUNT ? !keeps_count(layout) : !stat_keeps(layout, stat_part_read(reader)))
		return -ENOTSUP;
	switch (reader) {
	case READ_COUNT: *number = n; break;
	case READ_SUM: *number = stat_sum(layout, cell); break;
	case READ_AVG:
		exists = n > 0; /* a program that is not of our compiler may have written a count of -1, by which INT64_MIN cannot be divided */
		*number = exists ? stat_sum(layout, cell) / n : 0;
		break;
	case READ_MIN: exists = stat_min(layout, cell, number); break;
	case READ_MAX: exists = stat_max(layout, cell, number); break;
	case READ_STDDEV:
		exists = n != 0; /* it divides without sign */
		*number = (int64_t)stat_stddev(layout, cell);
		break;
	case N_STAT_READERS: break;
	}
	return exists ? 0 : -ENODATA;
}

/* Where the n-th step of LINEAR begins. Unsigned: from lo to hi it may be farther than an int64_t can tell. */
static uint64_t
step_start(const struct stat_layout *layout, uint32_t n)
{
	return (uint64_t)layout->lo + n * (uint64_t)layout->step;
}

void
stat_bucket(const struct stat_layout *layout, enum stat_part part, uint32_t bucket, int64_t *first, int64_t *last)
{
	uint32_t n = stat_words(layout, part);

	*first = INT64_MIN;
	*last = INT64_MAX;
	if (part == STAT_LOG2) {
		if (bucket > 0)
			*first = bucket == 1 ? 0 : (int64_t)(1ull << (bucket - 2));
		*last = bucket < 2 ? (int64_t)bucket - 1 : (int64_t)((1ull << (bucket - 1)) - 1);
		return;
	}
	if (bucket > 0)
		*first = bucket == n - 1 ? layout->hi : (int64_t)step_start(layout, bucket - 1);
	if (bucket < n - 1)
		*last = bucket == n - 2 ? layout->hi - 1 : (int64_t)(step_start(layout, bucket) - 1);
}
