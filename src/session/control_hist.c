/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * control_hist: print_hist of tables of numbers, of statistics, and of tables of statistics.
 */
#include <stdio.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "session/session_int.h"

#define SYMBOL_WIDTH 31
#define SYMBOL_CUT   28

/* Appends a key's text. False for keys that a histogram leaves out. */
static bool
key_text(lua_State *L, int index, struct hist_row *row, struct text *out)
{
	const struct value_names *names = control_of(L)->names;
	size_t before = out->len;
	struct value value;

	if (lua_type(L, index) == LUA_TNUMBER || lua_type(L, index) == LUA_TSTRING || lua_isboolean(L, index)) {
		control_value_text(L, index, out);
		row->key_is_number = lua_type(L, index) == LUA_TNUMBER;
		return true;
	}
	if (!unbox_value(L, index, &value))
		return false;
	value_text(names, &value, NULL, out);
	row->key_is_block = value.kind == VALUE_STACK || value.kind == VALUE_USTACK;
	if (value.kind == VALUE_KSYM && out->len - before > SYMBOL_WIDTH) {
		out->len = before + SYMBOL_CUT;
		text_puts(out, "...");
	}
	return true;
}

/* A key of several parts is shown as `part, part`. */
static bool
tuple_text(lua_State *L, int index, struct hist_row *row, struct text *out)
{
	int n = unbox_key(L, index), first = lua_gettop(L) - n + 1;
	bool shown = n > 0;

	for (int i = 0; i < n && shown; i++) {
		if (i)
			text_puts(out, ", ");
		shown = key_text(L, first + i, row, out);
	}
	if (n > 1)
		row->key_is_number = false;
	lua_settop(L, first - 1);
	return shown;
}

/*
 * Fills rows from the snapshot whose anchor is at 2. The keys' texts go to `keys`, which may move: row.key
 * is set later.
 */
static uint32_t
fill_rows(lua_State *L, uint32_t n_entries, struct hist_row *rows, struct text *keys)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < n_entries; i++) {
		struct hist_row row = { 0 };
		size_t before = keys->len;

		control_snapshot_entry(L, 2, i);
		if (tuple_text(L, lua_gettop(L) - 1, &row, keys)) {
			if (!lua_isinteger(L, -1))
				luaL_error(L, "print_hist prints tables of numbers or of statistics only");
			row.key_len = keys->len - before;
			row.count = lua_tointeger(L, -1);
			rows[n++] = row;
		} else {
			keys->len = before;
		}
		lua_pop(L, 2);
	}
	return n;
}

static void
print_numbers(lua_State *L, uint32_t n_entries, int64_t max_rows, struct text *out)
{
	struct text *keys = &control_of(L)->text;
	struct hist_row *rows = lua_newuserdatauv(L, (n_entries + 1) * sizeof(*rows), 0);
	uint32_t n;
	size_t at = 0;

	text_clear(keys);
	n = fill_rows(L, n_entries, rows, keys);
	for (uint32_t i = 0; i < n; i++) {
		rows[i].key = keys->s + at;
		at += rows[i].key_len;
	}
	hist_text(rows, n, max_rows, out);
}

/* ---- statistics --------------------------------------------------------- */

#define HISTS_MAX 19 /* histograms of one table that are shown, unless the script says how many */

#define RANGE_WIDTH 31

/* "4 .. 7", "5", "< 0", ">= 100"; of two numbers that do not fit side by side the first, "1125899906842624 .." */
static void
range_text(int64_t first, int64_t last, struct text *out)
{
	if (first == INT64_MIN)
		text_printf(out, "< %lld", (long long)last + 1);
	else if (last == INT64_MAX && first > 0)
		text_printf(out, ">= %lld", (long long)first);
	else if (first == last)
		text_printf(out, "%lld", (long long)first);
	else if (snprintf(NULL, 0, "%lld .. %lld", (long long)first, (long long)last) > RANGE_WIDTH)
		text_printf(out, "%lld ..", (long long)first);
	else
		text_printf(out, "%lld .. %lld", (long long)first, (long long)last);
}

/* Appends the rows of a histogram, from its first bucket with samples to its last one. */
static void
buckets_text(lua_State *L, const struct stat *stat, enum stat_part part, struct text *out)
{
	uint32_t n_buckets = stat_words(&stat->layout, part), from = 0, n = 0;
	const uint64_t *buckets = stat->cell + stat_word(&stat->layout, part);
	struct hist_row *rows = lua_newuserdatauv(L, (n_buckets + 1) * sizeof(*rows), 0);
	struct text *keys = &control_of(L)->text;
	size_t at = 0;
	int64_t first, last;

	while (n_buckets && !buckets[n_buckets - 1])
		n_buckets--;
	while (from < n_buckets && !buckets[from])
		from++;
	text_clear(keys);
	for (; from < n_buckets; from++) {
		size_t before = keys->len;

		stat_bucket(&stat->layout, part, from, &first, &last);
		range_text(first, last, keys);
		rows[n++] = (struct hist_row){ .key_len = keys->len - before, .count = (int64_t)buckets[from] };
	}
	for (uint32_t i = 0; i < n; at += rows[i++].key_len)
		rows[i].key = keys->s + at;
	hist_rows_text(rows, n, out);
	lua_pop(L, 1);
}

/* The limits that hist_linear() returned stand at `form`; else rows by powers of two. */
static void
print_stat(lua_State *L, int index, int form, struct text *out)
{
	const struct stat *stat = control_stat(L, index);
	enum stat_part part = STAT_LOG2;

	if (control_is_linear(L, form)) {
		stat = control_linear(L, index, form);
		part = STAT_LINEAR;
	}
	if (!stat_keeps(&stat->layout, part))
		luaL_error(L, "this statistic keeps no such histogram: print_hist must name it where it is printed");
	buckets_text(L, stat, part, out);
}

static void
print_stats(lua_State *L, uint32_t n, int form, struct text *out)
{
	int64_t max = lua_isinteger(L, form) ? lua_tointeger(L, form) : HISTS_MAX;

	for (uint32_t i = 0; i < n && i < max; i++) {
		struct hist_row row = { 0 };

		control_snapshot_entry(L, 2, i);
		if (!control_stat(L, -1))
			luaL_error(L, "print_hist prints tables of numbers or of statistics only");
		if (tuple_text(L, lua_gettop(L) - 1, &row, out)) {
			text_puts(out, out->len && out->s[out->len - 1] == '\n' ? "" : "\n");
			print_stat(L, lua_gettop(L), form, out);
			text_puts(out, i + 1 < n ? "\n" : "");
		}
		lua_pop(L, 2);
	}
	if (n > max)
		text_puts(out, "...\n");
}

/* Called with the table or statistic at 1 and the form at 2. */
int
control_print_hist(lua_State *L)
{
	struct control *control = control_of(L);
	struct text *out = &control->hist;
	int64_t max_rows = 0;
	bool of_stats = false;
	uint32_t n;

	text_clear(out);
	lua_settop(L, 2);
	if (!lua_isnil(L, 2) && !control_is_linear(L, 2))
		max_rows = luaL_checkinteger(L, 2);
	lua_insert(L, 1); /* form, table */
	if (control_stat(L, 2)) {
		print_stat(L, 2, 1, out);
	} else if (lua_isnil(L, 2)) { /* a statistic without samples */
		hist_rows_text(NULL, 0, out);
	} else {
		n = control_snapshot(L, 2);
		lua_remove(L, 2); /* form, anchor, order */
		if (n) {
			control_snapshot_entry(L, 2, 0);
			of_stats = control_stat(L, -1) != NULL;
			lua_pop(L, 2);
		}
		if (of_stats)
			print_stats(L, n, 1, out);
		else
			print_numbers(L, n, max_rows, out);
	}
	control_write(control, out->s ? out->s : "", out->len);
	return 0;
}
