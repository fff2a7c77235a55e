/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * control_string: the string library of the control half, which is Lua's own for what both languages mean alike. Strings get no methods,
 * and nothing that makes code or fractions is reachable.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "session/session_int.h"

static const char string_library; /* its address is the registry key of Lua's library */

/* Pushes Lua's library, opened when it is first asked for. */
static void
push_library(lua_State *L)
{
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &string_library) == LUA_TTABLE)
		return;
	lua_pop(L, 1);
	lua_pushcfunction(L, luaopen_string);
	lua_call(L, 0, 1);
	lua_pushliteral(L, ""); /* the library has given all strings a metatable */
	lua_pushnil(L);
	lua_setmetatable(L, -2);
	lua_pop(L, 1);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &string_library);
}

/* In place of the built-in, not called by it: so its errors are at the script's line. */
int
control_string(lua_State *L, const char *name)
{
	lua_CFunction function;

	push_library(L);
	lua_getfield(L, -1, name);
	function = lua_tocfunction(L, -1);
	lua_pop(L, 2);
	return function(L);
}

int
control_numberof(lua_State *L)
{
	size_t len;
	const char *s = luaL_checklstring(L, 1, &len), *digits = s + strspn(s, " \t\n\v\f\r");
	char *end;
	long long number;

	errno = 0;
	number = strtoll(digits, &end, 0);
	if (errno == ERANGE && digits[0] == '0' && (digits[1] | 0x20) == 'x') { /* the bits of a hexadecimal number, as in a script */
		errno = 0;
		number = (long long)strtoull(digits, &end, 0);
	}
	if (end == digits || errno || end + strspn(end, " \t\n\v\f\r") != s + len)
		lua_pushnil(L);
	else
		lua_pushinteger(L, number);
	return 1;
}
