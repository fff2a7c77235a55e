/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * control_ops: the table K, the operators and statements that Lua does not have, or has with another meaning
 * (codegen.h lists them).
 */
#include <lauxlib.h>
#include <lua.h>

#include "session/session_int.h"

/* ---- K: arithmetic and operators ---------------------------------------- */

int64_t
control_operand(lua_State *L, int index)
{
	if (!lua_isinteger(L, index))
		luaL_error(L, "attempt to perform arithmetic on a %s value", luaL_typename(L, index));
	return lua_tointeger(L, index);
}

/* The quotient of INT64_MIN and -1 wraps, as in probes. */
static int
k_div(lua_State *L)
{
	lua_Integer a = control_operand(L, 1), b = control_operand(L, 2);

	if (b == 0)
		luaL_error(L, "division by zero");
	lua_pushinteger(L, b == -1 ? (lua_Integer)(0 - (lua_Unsigned)a) : a / b);
	return 1;
}

static int
k_mod(lua_State *L)
{
	lua_Integer a = control_operand(L, 1), b = control_operand(L, 2);

	if (b == 0)
		luaL_error(L, "division by zero (remainder)");
	lua_pushinteger(L, b == -1 ? 0 : a % b);
	return 1;
}

static int
k_band(lua_State *L)
{
	lua_pushinteger(L, control_operand(L, 1) & control_operand(L, 2));
	return 1;
}

static int
k_bor(lua_State *L)
{
	lua_pushinteger(L, control_operand(L, 1) | control_operand(L, 2));
	return 1;
}

static int
k_bxor(lua_State *L)
{
	lua_pushinteger(L, control_operand(L, 1) ^ control_operand(L, 2));
	return 1;
}

static int
k_bnot(lua_State *L)
{
	lua_pushinteger(L, ~control_operand(L, 1));
	return 1;
}

/*
 * `>>` keeps the sign. By 64 or more, or by a negative count, nothing is left of a number: 0, as in probes.
 */
static int
k_shl(lua_State *L)
{
	lua_Unsigned n = (lua_Unsigned)control_operand(L, 2);

	lua_pushinteger(L, n > 63 ? 0 : (lua_Integer)((lua_Unsigned)control_operand(L, 1) << n));
	return 1;
}

static int
k_shr(lua_State *L)
{
	lua_Unsigned n = (lua_Unsigned)control_operand(L, 2);

	lua_pushinteger(L, n > 63 ? 0 : control_operand(L, 1) >> n);
	return 1;
}

static int
k_glob(lua_State *L)
{
	if (lua_type(L, 1) != LUA_TSTRING)
		luaL_error(L, "'~' on a %s", luaL_typename(L, 1));
	lua_pushboolean(L, glob_match(luaL_checkstring(L, 2), lua_tostring(L, 1)));
	return 1;
}

static int
k_cat(lua_State *L)
{
	int n = lua_gettop(L);

	for (int i = 1; i <= n; i++)
		if (lua_type(L, i) != LUA_TSTRING)
			luaL_error(L, "cannot concatenate a %s; stringof() makes a string of it",
				   luaL_typename(L, i));
	lua_concat(L, n);
	return 1;
}

/* ---- K: tables ---------------------------------------------------------- */

static void
check_indexable(lua_State *L, int index)
{
	if (!lua_istable(L, index))
		luaL_error(L, "attempt to index a %s value", luaL_typename(L, index));
}

/* Pushes t[keys]; t is at 1, the keys begin at `first` and end at `last`. */
static void
push_element(lua_State *L, int first, int last)
{
	const struct shared *shared = shared_table(L, 1);

	if (shared) {
		shared_get(L, shared, first, last - first + 1);
		return;
	}
	check_indexable(L, 1);
	for (int i = first; i <= last; i++) {
		if (lua_isnil(L, i)) {
			lua_pushnil(L);
			return;
		}
		lua_pushvalue(L, i);
	}
	box_tuple(L, last - first + 1);
	lua_rawget(L, 1);
}

/* t[keys] = the value at `value`. */
static void
set_element(lua_State *L, int first, int last, int value)
{
	const struct shared *shared = shared_table(L, 1);

	if (shared) {
		shared_set(L, shared, first, last - first + 1, value);
		return;
	}
	check_indexable(L, 1);
	for (int i = first; i <= last; i++) {
		if (lua_isnil(L, i))
			luaL_error(L, "nil as table key");
		lua_pushvalue(L, i);
	}
	box_tuple(L, last - first + 1);
	lua_pushvalue(L, value);
	lua_rawset(L, 1);
}

static int
k_index(lua_State *L)
{
	push_element(L, 2, lua_gettop(L));
	return 1;
}

static int
k_set_index(lua_State *L)
{
	set_element(L, 3, lua_gettop(L), 2);
	return 0;
}

/* t[keys] += delta: arguments t, delta, keys. t may be G, its key then is the number of a global. */
static int
k_add_index(lua_State *L)
{
	int last = lua_gettop(L);

	if (!lua_isinteger(L, 2))
		luaL_error(L, "'+=' with a %s value", luaL_typename(L, 2));
	if (is_globals(L, 1)) {
		shared_add_global(L, lua_tointeger(L, 3), lua_tointeger(L, 2));
		return 0;
	}
	push_element(L, 3, last);
	if (!lua_isnil(L, -1) && !lua_isinteger(L, -1))
		luaL_error(L, "'+=' on a %s value", luaL_typename(L, -1));
	lua_pushinteger(
		L, (lua_Integer)((lua_Unsigned)lua_tointeger(L, -1) + (lua_Unsigned)lua_tointeger(L, 2)));
	set_element(L, 3, last, lua_gettop(L));
	return 0;
}

/* t[keys] <<< value: arguments t, value, keys. */
static int
k_sample_index(lua_State *L)
{
	const struct shared *shared = shared_table(L, 1);
	int last = lua_gettop(L);

	if (shared) {
		shared_sample(L, shared, 3, last - 2, 2);
		return 0;
	}
	push_element(L, 3, last);
	control_sample(L, lua_gettop(L), 2);
	set_element(L, 3, last, lua_gettop(L));
	return 0;
}

/* ---- K: registration ---------------------------------------------------- */

static int
k_trace(lua_State *L)
{
	control_register(L, luaL_checkinteger(L, 1), NULL);
	return 0;
}

static int
k_tick(lua_State *L)
{
	control_register_tick(L, (uint64_t)luaL_checkinteger(L, 1), 2);
	return 0;
}

static int
k_signal(lua_State *L)
{
	control_register_signal(L, luaL_checkstring(L, 1), 2);
	return 0;
}

static int
k_trace_end(lua_State *L)
{
	control_register_end(L, 1);
	return 0;
}

static const luaL_Reg k_functions[] = {
	{ "div", k_div },
	{ "mod", k_mod },
	{ "cat", k_cat },
	{ "glob", k_glob },
	{ "band", k_band },
	{ "bor", k_bor },
	{ "bxor", k_bxor },
	{ "bnot", k_bnot },
	{ "shl", k_shl },
	{ "shr", k_shr },
	{ "index", k_index },
	{ "set_index", k_set_index },
	{ "add_index", k_add_index },
	{ "sample", control_k_sample },
	{ "sample_index", k_sample_index },
	{ "stat", control_stat_get },
	{ "sample_stat", control_stat_sample },
	{ "reset_stat", control_stat_reset },
	{ "table", control_table_get },
	{ "reset", control_table_reset },
	{ "trace", k_trace },
	{ "tick", k_tick },
	{ "signal", k_signal },
	{ "trace_end", k_trace_end },
	{ NULL, NULL },
};

void
control_push_operators(lua_State *L)
{
	luaL_newlib(L, k_functions);
}
