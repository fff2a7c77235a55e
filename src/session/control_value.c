/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * control_value: values between Lua and the memory of tables and globals, laid out there by a struct shape. What Lua has no type for is a box
 * (control_box.c); an event is the string of its name.
 */
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "session/session_int.h"

static const char event_numbers; /* its address serves as registry key */

/* ---- values -> Lua ------------------------------------------------------ */

void
control_push_value(lua_State *L, const struct value *value)
{
	const struct object *object = control_of(L)->object;

	switch (value->kind) {
	case VALUE_NONE:
	case VALUE_STAT: /* only with its layout: push_entry */
	case VALUE_ARGSTR: lua_pushnil(L); break;
	case VALUE_INT: lua_pushinteger(L, value->number); break;
	case VALUE_BOOL: lua_pushboolean(L, value->number != 0); break;
	case VALUE_STR: lua_pushlstring(L, value->s, value->len); break;
	case VALUE_EVENT:
		if (value->number >= 0 && value->number < object->n_events)
			lua_pushstring(L, object->events[value->number]->name);
		else
			lua_pushfstring(L, "event#%I", (LUAI_UACINT)value->number);
		break;
	case VALUE_STACK:
	case VALUE_USTACK:
	case VALUE_KSYM: box_value(L, value); break;
	}
}

/* ---- Lua -> values ------------------------------------------------------ */

/*
 * Pushes the table that maps names of the object's events to their numbers. [0] holds how many events it
 * knows.
 */
static void
push_event_numbers(lua_State *L)
{
	const struct object *object = control_of(L)->object;
	lua_Integer n_known = 0;

	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &event_numbers) == LUA_TTABLE) {
		lua_rawgeti(L, -1, 0);
		n_known = lua_tointeger(L, -1);
		lua_pop(L, 1);
		if (n_known == object->n_events)
			return;
	}
	lua_pop(L, 1);
	lua_createtable(L, 0, (int)object->n_events);
	for (uint32_t i = object->n_events; i-- > 0;) { /* backwards: of equal names the first stays */
		lua_pushinteger(L, i);
		lua_setfield(L, -2, object->events[i]->name);
	}
	lua_pushinteger(L, object->n_events);
	lua_rawseti(L, -2, 0);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &event_numbers);
}

static int64_t
event_number(lua_State *L, int index)
{
	int64_t number;

	push_event_numbers(L);
	lua_pushvalue(L, index);
	if (lua_rawget(L, -2) != LUA_TNUMBER)
		luaL_error(L, "no probe of this script handles an event named '%s'", lua_tostring(L, index));
	number = lua_tointeger(L, -1);
	lua_pop(L, 2);
	return number;
}

bool
control_to_number(lua_State *L, int index, enum value_kind kind, int64_t *number)
{
	struct value value;

	switch (kind) {
	case VALUE_INT: *number = lua_tointeger(L, index); return lua_isinteger(L, index);
	case VALUE_BOOL: *number = lua_toboolean(L, index); return lua_isboolean(L, index);
	case VALUE_EVENT:
		if (lua_type(L, index) != LUA_TSTRING)
			return false;
		*number = event_number(L, index);
		return true;
	case VALUE_STACK:
	case VALUE_USTACK:
	case VALUE_KSYM:
		if (!unbox_value(L, index, &value) || value.kind != kind)
			return false;
		*number = value.number;
		return true;
	case VALUE_STR:
	case VALUE_NONE:
	case VALUE_STAT:
	case VALUE_ARGSTR: break;
	}
	return false;
}

void
control_wrong_kind(lua_State *L, int index, enum value_kind kind, const char *what)
{
	const char *cure = "";

	if (kind == VALUE_INT && lua_type(L, index) == LUA_TSTRING)
		cure = "; numberof(x) makes one of it, and stringof(x) in its place tells the probes to expect a string";
	else if (kind == VALUE_STR && lua_isinteger(L, index))
		cure = "; stringof(x) makes one of it";
	luaL_error(L, "%s is %s in the probes, not a %s%s", what, value_kind_name(kind), luaL_typename(L, index), cure);
}

enum stored
control_store_value(lua_State *L, int index, const struct shape *shape, char *bytes, const char *what)
{
	struct value value = { .kind = shape->kind };
	size_t len;

	if (lua_isnil(L, index)) {
		memset(bytes, 0, shape_size(shape));
		return STORED_NIL;
	}
	if (shape->kind == VALUE_STR && lua_type(L, index) == LUA_TSTRING) {
		value.s = lua_tolstring(L, index, &len);
		value.len = len < shape->size ? (uint32_t)len : shape->size;
		if (memchr(value.s, 0, len))
			luaL_error(L, "%s holds a zero byte, at which a string ends in the probes", what);
	} else if (!control_to_number(L, index, shape->kind, &value.number)) {
		control_wrong_kind(L, index, shape->kind, what);
	}
	return value_store(shape, &value, bytes) ? STORED : STORED_TOO_LONG;
}
