/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * hist: a table as a histogram, in the form of ktap 0.4.
 *
 *                              value ------------- Distribution ------------- count
 *                                  7 |@@@@@@@@@@@@@@                        12
 *                                ... |
 *
 * Order is by count, largest first, then by key (numbers before texts), so the same table always prints the
 * same.
 */
#include <stdlib.h>
#include <string.h>

#include "output/output.h"

#define BAR_WIDTH   38
#define KEY_WIDTH   31
#define KEY_IN_LINE 32 /* longer keys stand above their bars */
#define ROWS_MIN    20
#define ROWS_MAX    1000

static int64_t
key_number(const struct hist_row *row)
{
	char digits[24] = { 0 };

	memcpy(digits, row->key, row->key_len < sizeof(digits) - 1 ? row->key_len : sizeof(digits) - 1);
	return strtoll(digits, NULL, 10);
}

static int
compare_keys(const struct hist_row *a, const struct hist_row *b)
{
	uint32_t len = a->key_len < b->key_len ? a->key_len : b->key_len;
	int order;

	if (a->key_is_number != b->key_is_number)
		return a->key_is_number ? -1 : 1;
	if (a->key_is_number) {
		int64_t x = key_number(a), y = key_number(b);

		return (x > y) - (x < y);
	}
	order = len ? memcmp(a->key, b->key, len) : 0;
	return order ? order : (a->key_len > b->key_len) - (a->key_len < b->key_len);
}

static int
compare_rows(const void *one, const void *other)
{
	const struct hist_row *a = one, *b = other;

	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return compare_keys(a, b);
}

/*
 * A share of the whole; nothing where a share has no meaning: negative counts, or a sum that is not
 * positive.
 */
static unsigned
bar_length(int64_t count, __int128 sum)
{
	__int128 length;

	if (count <= 0 || sum <= 0)
		return 0;
	length = (__int128)count * BAR_WIDTH / sum;
	return length > BAR_WIDTH ? BAR_WIDTH : (unsigned)length;
}

static void
row_text(const struct hist_row *row, __int128 sum, struct text *out)
{
	char bar[BAR_WIDTH + 1];
	unsigned n = bar_length(row->count, sum);

	memset(bar, '@', n);
	memset(bar + n, ' ', BAR_WIDTH - n);
	bar[BAR_WIDTH] = 0;
	if (row->key_is_block || row->key_len > KEY_IN_LINE) {
		text_add(out, row->key, row->key_len);
		if (row->key_len == 0 || row->key[row->key_len - 1] != '\n')
			text_putc(out, '\n');
		text_printf(out, "%s\n%lld\n\n", bar, (long long)row->count);
		return;
	}
	for (uint32_t i = row->key_len; i < KEY_WIDTH; i++)
		text_putc(out, ' ');
	text_add(out, row->key, row->key_len);
	text_printf(out, " |%s%-7lld\n", bar, (long long)row->count);
}

static void
header_text(struct text *out)
{
	text_printf(out, "%31s%s%s\n", "value ", "------------- Distribution -------------", " count");
}

static __int128
sum_of(const struct hist_row *rows, uint32_t n_rows)
{
	__int128 sum = 0;

	for (uint32_t i = 0; i < n_rows; i++)
		sum += rows[i].count;
	return sum;
}

void
hist_text(struct hist_row *rows, uint32_t n_rows, int64_t max_rows, struct text *out)
{
	uint32_t limit = (max_rows < ROWS_MIN ? ROWS_MIN : max_rows > ROWS_MAX ? ROWS_MAX : max_rows) - 1;
	__int128 sum = sum_of(rows, n_rows);

	if (n_rows)
		qsort(rows, n_rows, sizeof(*rows), compare_rows);
	header_text(out);
	for (uint32_t i = 0; i < n_rows && i < limit; i++)
		row_text(&rows[i], sum, out);
	if (n_rows > limit)
		text_printf(out, "%31s |\n", "...");
}

void
hist_rows_text(const struct hist_row *rows, uint32_t n_rows, struct text *out)
{
	__int128 sum = sum_of(rows, n_rows);

	header_text(out);
	for (uint32_t i = 0; i < n_rows; i++)
		row_text(&rows[i], sum, out);
}
