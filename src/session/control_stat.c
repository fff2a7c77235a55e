/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * control_stat: statistics as Lua values (struct stat).
 */
#include <errno.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "session/session_int.h"

static const char stat_meta, linear_meta; /* addresses serve as registry keys */

/* A statistic of the control half keeps all but a linear histogram, which is made of its samples when it is asked for. */
#define KEEP_ALL ((1u << STAT_LINEAR) - 1)

static void
set_meta(lua_State *L, const void *key, const char *name)
{
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, key) != LUA_TTABLE) {
		lua_pop(L, 1);
		lua_createtable(L, 0, 1);
		lua_pushstring(L, name);
		lua_setfield(L, -2, "__name");
		lua_pushvalue(L, -1);
		lua_rawsetp(L, LUA_REGISTRYINDEX, key);
	}
	lua_setmetatable(L, -2);
}

static bool
has_meta(lua_State *L, int index, const void *key)
{
	bool same;

	if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index))
		return false;
	lua_rawgetp(L, LUA_REGISTRYINDEX, key);
	same = lua_rawequal(L, -1, -2);
	lua_pop(L, 2);
	return same;
}

const struct stat *
control_stat(lua_State *L, int index)
{
	return has_meta(L, index, &stat_meta) ? lua_touserdata(L, index) : NULL;
}

static struct stat *
push_stat(lua_State *L, const struct stat_layout *layout)
{
	struct stat *stat = lua_newuserdatauv(L, sizeof(*stat) + stat_size(layout), 1);

	stat->layout = *layout;
	memset(stat->cell, 0, stat_size(layout));
	set_meta(L, &stat_meta, "statistic");
	return stat;
}

void
control_push_stat(lua_State *L, const struct stat_layout *layout, const void *cell)
{
	memcpy(push_stat(L, layout)->cell, cell, stat_size(layout));
}

/* ---- samples ------------------------------------------------------------ */

void
control_sample(lua_State *L, int old, int value)
{
	const struct stat_layout all = { .keep = KEEP_ALL };
	lua_Integer number = control_operand(L, value);
	struct stat *stat;

	if (lua_isnil(L, old)) {
		stat = push_stat(L, &all);
		lua_newtable(L);
		lua_setiuservalue(L, -2, 1);
	} else {
		lua_pushvalue(L, old);
		stat = (struct stat *)control_stat(L, -1); /* ours to change: it is no copy of a probe's if it has samples */
		if (!stat)
			luaL_error(L, "'<<<' on a %s", luaL_typename(L, old));
	}
	if (lua_getiuservalue(L, -1, 1) != LUA_TTABLE)
		luaL_error(L, "'<<<' on a copy of a statistic that probes use; write the variable or element itself");
	lua_rawgeti(L, -1, number);
	lua_pushinteger(L, lua_tointeger(L, -1) + 1);
	lua_rawseti(L, -3, number);
	lua_pop(L, 2);
	stat_add(&stat->layout, stat->cell, number);
}

int
control_k_sample(lua_State *L)
{
	control_sample(L, 1, 2);
	return 1;
}

/* ---- linear histograms -------------------------------------------------- */

int
control_hist_linear(lua_State *L)
{
	lua_Integer lo = luaL_checkinteger(L, 1), hi = luaL_checkinteger(L, 2), step = luaL_checkinteger(L, 3);
	struct stat_layout *layout;

	if (step <= 0 || lo >= hi || ((uint64_t)hi - (uint64_t)lo - 1) / (uint64_t)step >= STAT_BUCKETS_MAX)
		luaL_error(L, "hist_linear(lo, hi, step) needs lo below hi, a step above 0, and at most %d steps", STAT_BUCKETS_MAX);
	layout = lua_newuserdatauv(L, sizeof(*layout), 0);
	*layout = (struct stat_layout){ .keep = 1u << STAT_LINEAR, .lo = lo, .hi = hi, .step = step };
	set_meta(L, &linear_meta, "form of a histogram");
	return 1;
}

bool
control_is_linear(lua_State *L, int index)
{
	return has_meta(L, index, &linear_meta);
}

/* From the values that were sampled and how often; pushes the new statistic. */
static const struct stat *
push_linear(lua_State *L, int samples, const struct stat_layout *layout)
{
	struct stat *stat = push_stat(L, layout);

	lua_pushnil(L);
	while (lua_next(L, samples)) {
		for (lua_Integer n = lua_tointeger(L, -1); n; n--)
			stat_add(layout, stat->cell, lua_tointeger(L, -2));
		lua_pop(L, 1);
	}
	return stat;
}

const struct stat *
control_linear(lua_State *L, int index, int form)
{
	const struct stat_layout *layout = lua_touserdata(L, form);
	const struct stat *stat = control_stat(L, index);

	if (lua_getiuservalue(L, index, 1) == LUA_TTABLE)
		return push_linear(L, lua_gettop(L), layout); /* stays on the stack until the built-in returns */
	lua_pop(L, 1);
	if (stat_keeps(&stat->layout, STAT_LINEAR) && stat->layout.lo == layout->lo && stat->layout.hi == layout->hi &&
	    stat->layout.step == layout->step)
		return stat;
	luaL_error(L, "this statistic keeps no such histogram: print_hist must name it where it is printed");
	return NULL;
}

/* ---- readers ------------------------------------------------------------ */

int
control_read_stat(lua_State *L, enum stat_reader what)
{
	const struct stat *stat = control_stat(L, 1);
	int64_t number = 0;
	int err = what == READ_COUNT || what == READ_SUM ? 0 : -ENODATA;

	if (!lua_isnil(L, 1)) {
		if (!stat)
			luaL_error(L, "a statistic is needed, not a %s", luaL_typename(L, 1));
		err = stat_read(&stat->layout, stat->cell, what, &number);
	}
	if (err == -ENOTSUP)
		luaL_error(L, "this statistic keeps no %s: call the reader by its name, with the statistic", stat_part_name(stat_part_read(what)));
	if (err == -ENODATA)
		lua_pushnil(L);
	else
		lua_pushinteger(L, number);
	return 1;
}

void
control_stat_text(const struct stat *stat, struct text *out)
{
	const struct stat_layout *layout = &stat->layout;
	int64_t number;

	text_printf(out, "count %llu", (unsigned long long)stat_count(layout, stat->cell));
	if (stat_keeps(layout, STAT_SUM))
		text_printf(out, ", sum %lld", (long long)stat_sum(layout, stat->cell));
	if (stat_keeps(layout, STAT_MIN) && stat_min(layout, stat->cell, &number))
		text_printf(out, ", min %lld", (long long)number);
	if (stat_keeps(layout, STAT_MAX) && stat_max(layout, stat->cell, &number))
		text_printf(out, ", max %lld", (long long)number);
}
