/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * control_box: boxes, the Lua values of what Lua has no type for: a key of several parts, a stack, a kernel address. Boxes of the same
 * contents are the same userdata.
 */
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "session/session_int.h"

struct box {
	struct value value; /* VALUE_NONE: a tuple */
	uint32_t len;
	/* What boxes are told apart by; of a tuple, the parts in a form whose order is that of the bytes. */
	char bytes[];
};

enum part { PART_INT = 1, PART_STR, PART_BOOL, PART_BOX };

static const char boxes, box_meta; /* addresses serve as registry keys */

/* Registry table of all boxes that are in use, by their bytes. */
static void
push_boxes(lua_State *L)
{
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &boxes) == LUA_TTABLE)
		return;
	lua_pop(L, 1);
	lua_newtable(L);
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "v");
	lua_setfield(L, -2, "__mode");
	lua_setmetatable(L, -2);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &boxes);
}

static void
push_box_meta(lua_State *L)
{
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &box_meta) == LUA_TTABLE)
		return;
	lua_pop(L, 1);
	lua_createtable(L, 0, 1);
	lua_pushliteral(L, "stack or address");
	lua_setfield(L, -2, "__name");
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &box_meta);
}

/* Replaces the string on top of the stack, the bytes of a box, by the box. */
static void
intern(lua_State *L, const struct value *value)
{
	size_t len;
	const char *bytes = lua_tolstring(L, -1, &len);
	struct box *box;

	push_boxes(L);
	lua_pushvalue(L, -2);
	if (lua_rawget(L, -2) != LUA_TUSERDATA) {
		lua_pop(L, 1);
		box = lua_newuserdatauv(L, sizeof(*box) + len, 0);
		box->value = *value;
		box->len = len;
		memcpy(box->bytes, bytes, len);
		push_box_meta(L);
		lua_setmetatable(L, -2);
		lua_pushvalue(L, -3);
		lua_pushvalue(L, -2);
		lua_rawset(L, -4);
	}
	lua_replace(L, -3); /* bytes, boxes, box -> box, boxes */
	lua_pop(L, 1);
}

static const struct box *
to_box(lua_State *L, int index)
{
	const struct box *box = lua_touserdata(L, index);
	bool is_box = false;

	if (!box || !lua_getmetatable(L, index))
		return NULL;
	push_box_meta(L);
	is_box = lua_rawequal(L, -1, -2);
	lua_pop(L, 2);
	return is_box ? box : NULL;
}

const char *
box_bytes(lua_State *L, int index, uint32_t *len)
{
	const struct box *box = to_box(L, index);

	*len = box ? box->len : 0;
	return box ? box->bytes : NULL;
}

bool
unbox_value(lua_State *L, int index, struct value *value)
{
	const struct box *box = to_box(L, index);

	if (!box || box->value.kind == VALUE_NONE)
		return false;
	*value = box->value;
	return true;
}

static void
add_number(luaL_Buffer *buffer, int64_t number)
{
	uint64_t bits = (uint64_t)number ^ (UINT64_C(1) << 63); /* bytes that sort as the numbers do */

	for (int shift = 56; shift >= 0; shift -= 8)
		luaL_addchar(buffer, (char)(bits >> shift));
}

void
box_value(lua_State *L, const struct value *value)
{
	luaL_Buffer buffer;

	luaL_buffinit(L, &buffer);
	luaL_addchar(&buffer, PART_BOX);
	luaL_addchar(&buffer, (char)value->kind);
	add_number(&buffer, value->number);
	luaL_pushresult(&buffer);
	intern(L, value);
}

/*
 * Strings end with two zero bytes; a zero byte inside becomes 0, 255. So a prefix sorts before what it
 * begins.
 */
static void
add_string(luaL_Buffer *buffer, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		luaL_addchar(buffer, s[i]);
		if (s[i] == 0)
			luaL_addchar(buffer, (char)255);
	}
	luaL_addlstring(buffer, "\0\0", 2);
}

static void
add_part(lua_State *L, luaL_Buffer *buffer, int index)
{
	struct value value = { 0 };
	size_t len;
	const char *s;

	switch (lua_type(L, index)) {
	case LUA_TNUMBER:
		luaL_addchar(buffer, PART_INT);
		add_number(buffer, lua_tointeger(L, index));
		break;
	case LUA_TSTRING:
		s = lua_tolstring(L, index, &len);
		luaL_addchar(buffer, PART_STR);
		add_string(buffer, s, len);
		break;
	case LUA_TBOOLEAN:
		luaL_addchar(buffer, PART_BOOL);
		luaL_addchar(buffer, (char)lua_toboolean(L, index));
		break;
	default:
		if (!unbox_value(L, index, &value))
			luaL_error(L, "a key of several parts cannot hold a %s", luaL_typename(L, index));
		luaL_addchar(buffer, PART_BOX);
		luaL_addchar(buffer, (char)value.kind);
		add_number(buffer, value.number);
		break;
	}
}

void
box_tuple(lua_State *L, int n)
{
	const struct value tuple = { .kind = VALUE_NONE };
	int first = lua_gettop(L) - n + 1;
	luaL_Buffer buffer;

	if (n == 1)
		return;
	luaL_buffinit(L, &buffer);
	for (int i = 0; i < n; i++)
		add_part(L, &buffer, first + i);
	luaL_pushresult(&buffer);
	intern(L, &tuple);
	lua_replace(L, first);
	lua_settop(L, first);
}

static int64_t
get_number(const char *bytes)
{
	uint64_t bits = 0;

	for (int i = 0; i < 8; i++)
		bits = bits << 8 | (unsigned char)bytes[i];
	return (int64_t)(bits ^ (UINT64_C(1) << 63));
}

/* Pushes a string part; returns where the next part begins. */
static const char *
push_string_part(lua_State *L, const char *at)
{
	luaL_Buffer buffer;

	luaL_buffinit(L, &buffer);
	for (; at[0] || at[1]; at++) {
		luaL_addchar(&buffer, *at);
		if (*at == 0)
			at++; /* the 255 behind it */
	}
	luaL_pushresult(&buffer);
	return at + 2;
}

static const char *
push_part(lua_State *L, const char *at)
{
	struct value value = { 0 };

	switch ((enum part) * at++) {
	case PART_INT: lua_pushinteger(L, get_number(at)); return at + 8;
	case PART_STR: return push_string_part(L, at);
	case PART_BOOL: lua_pushboolean(L, *at); return at + 1;
	case PART_BOX:
		value.kind = (enum value_kind) * at++;
		value.number = get_number(at);
		box_value(L, &value);
		return at + 8;
	}
	return NULL; /* not reached: we made the bytes */
}

int
unbox_key(lua_State *L, int index)
{
	const struct box *box = to_box(L, index);
	const char *at;
	int n = 0;

	if (!box || box->value.kind != VALUE_NONE) {
		lua_pushvalue(L, index);
		return 1;
	}
	luaL_checkstack(L, TABLE_KEY_PARTS_MAX + 4, "key of too many parts");
	for (at = box->bytes; at < box->bytes + box->len; n++)
		at = push_part(L, at);
	return n;
}
