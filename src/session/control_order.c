/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * control_order: walking tables in an order that depends on their contents only; and boxes, the Lua values
 * of keys that Lua has no type for.
 *
 * A walk works on a snapshot, so neither probes nor the loop's body disturb it:
 *
 *     anchor   Lua array { key 1, value 1, key 2, value 2, ... } in the order found; keeps strings alive
 *     order    userdata: one item an entry with what comparing needs, sorted
 *
 * Keys: integers ascending, strings by their bytes, booleans, boxed values, keys of several parts part by
 * part; at the end keys without an order (tables, functions) as they were found.
 */
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "session/session_int.h"

/* ---- boxes -------------------------------------------------------------- */

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

/* ---- snapshots ---------------------------------------------------------- */

enum rank { RANK_INT, RANK_STR, RANK_BOOL, RANK_BOX, RANK_TUPLE, RANK_OTHER };

/* What comparing needs of a Lua value. */
struct rankable {
	enum rank rank;
	enum value_kind kind; /* of a boxed value */
	int64_t number;
	const char *s; /* kept alive by the anchor */
	size_t len;
};

struct item {
	struct rankable key, value;
	uint32_t at; /* number of the entry in the anchor, from 0 */
};

struct order {
	struct item *items;
	uint32_t n, cap;
};

static const char order_meta;

static int
free_order(lua_State *L)
{
	struct order *order = lua_touserdata(L, 1);

	free(order->items);
	order->items = NULL;
	return 0;
}

static struct order *
push_order(lua_State *L)
{
	struct order *order = lua_newuserdatauv(L, sizeof(*order), 0);

	*order = (struct order){ 0 };
	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &order_meta) != LUA_TTABLE) {
		lua_pop(L, 1);
		lua_createtable(L, 0, 1);
		lua_pushcfunction(L, free_order);
		lua_setfield(L, -2, "__gc");
		lua_pushvalue(L, -1);
		lua_rawsetp(L, LUA_REGISTRYINDEX, &order_meta);
	}
	lua_setmetatable(L, -2);
	return order;
}

static struct rankable
rank_of(lua_State *L, int index)
{
	struct rankable r = { .rank = RANK_OTHER };
	const struct box *box;

	switch (lua_type(L, index)) {
	case LUA_TNUMBER:
		r.rank = RANK_INT;
		r.number = lua_tointeger(L, index);
		break;
	case LUA_TSTRING:
		r.rank = RANK_STR;
		r.s = lua_tolstring(L, index, &r.len);
		break;
	case LUA_TBOOLEAN:
		r.rank = RANK_BOOL;
		r.number = lua_toboolean(L, index);
		break;
	case LUA_TUSERDATA:
		box = to_box(L, index);
		if (!box)
			break;
		r = (struct rankable){ .rank = RANK_TUPLE, .s = box->bytes, .len = box->len };
		if (box->value.kind != VALUE_NONE)
			r = (struct rankable){ .rank = RANK_BOX,
					       .kind = box->value.kind,
					       .number = box->value.number };
		break;
	}
	return r;
}

static int
compare_rankable(const struct rankable *a, const struct rankable *b)
{
	size_t len = a->len < b->len ? a->len : b->len;
	int order;

	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->number != b->number)
		return a->number < b->number ? -1 : 1;
	order = len ? memcmp(a->s, b->s, len) : 0;
	return order ? order : (a->len > b->len) - (a->len < b->len);
}

static int
compare_keys(const void *one, const void *other)
{
	const struct item *a = one, *b = other;
	int order = compare_rankable(&a->key, &b->key);

	return order ? order : (a->at > b->at) - (a->at < b->at);
}

/* Largest number first; what is no number comes behind. */
static int
compare_values(const void *one, const void *other)
{
	const struct item *a = one, *b = other;
	int order = compare_rankable(&a->value, &b->value);

	if (a->value.rank == RANK_INT && b->value.rank == RANK_INT)
		order = -order;
	return order ? order : compare_keys(a, b);
}

/* A walk in progress: where its anchor is on the Lua stack. */
struct walk {
	struct order *order;
	int anchor;
};

/* Takes key and value from the top of the stack. */
static void
add_item(lua_State *L, void *arg)
{
	const struct walk *walk = arg;
	struct order *order = walk->order;
	struct item item = { .key = rank_of(L, -2), .value = rank_of(L, -1), .at = order->n };

	if (order->n == order->cap) {
		uint32_t cap = order->cap ? order->cap * 2 : 64;
		struct item *items =
			cap <= UINT32_MAX / 2 ? mem_realloc(order->items, cap * sizeof(*items)) : NULL;

		if (!items)
			luaL_error(L, "out of memory: a table of more than %d entries is walked",
				   (int)order->n);
		order->items = items;
		order->cap = cap;
	}
	order->items[order->n++] = item;
	lua_rawseti(L, walk->anchor, 2 * (lua_Integer)item.at + 2);
	lua_rawseti(L, walk->anchor, 2 * (lua_Integer)item.at + 1);
}

static void
add_lua_table(lua_State *L, int index, struct walk *walk)
{
	lua_pushnil(L);
	while (lua_next(L, index)) {
		lua_pushvalue(L, -2); /* the walk goes on from the key */
		lua_insert(L, -2);
		add_item(L, walk);
	}
}

/*
 * A walk over a table that probes change meanwhile may find a key twice. Needs items sorted by key; keeps
 * the later.
 */
static void
drop_doubles(struct order *order)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < order->n; i++) {
		if (n && order->items[i].key.rank != RANK_OTHER &&
		    compare_rankable(&order->items[n - 1].key, &order->items[i].key) == 0)
			n--;
		order->items[n++] = order->items[i];
	}
	order->n = n;
}

/* Pushes anchor and order, sorted by key, of the table at `index` (absolute). */
static struct order *
push_snapshot(lua_State *L, int index)
{
	int64_t shared = shared_table(L, index);
	struct walk walk;

	if (shared < 0 && !lua_istable(L, index))
		luaL_error(L, "a table is needed, not a %s", luaL_typename(L, index));
	lua_newtable(L);
	walk.anchor = lua_gettop(L);
	walk.order = push_order(L);
	if (shared >= 0)
		shared_each(L, (uint32_t)shared, add_item, &walk);
	else
		add_lua_table(L, index, &walk);
	if (walk.order->n)
		qsort(walk.order->items, walk.order->n, sizeof(*walk.order->items), compare_keys);
	if (shared >= 0)
		drop_doubles(walk.order);
	return walk.order;
}

static void
push_key(lua_State *L, int anchor, const struct item *item)
{
	lua_rawgeti(L, anchor, 2 * (lua_Integer)item->at + 1);
}

static void
push_value(lua_State *L, int anchor, const struct item *item)
{
	lua_rawgeti(L, anchor, 2 * (lua_Integer)item->at + 2);
}

/* ---- pairs and sorted --------------------------------------------------- */

enum { UP_TABLE = 1, UP_ANCHOR, UP_ORDER, UP_POSITION };

/*
 * One step of a walk: key (each part), value. A Lua table is asked for the value now, as the body may have
 * changed it; entries removed meanwhile are left out. A shared table's value is that of the snapshot.
 */
static int
walk_step(lua_State *L)
{
	const struct order *order = lua_touserdata(L, lua_upvalueindex(UP_ORDER));
	lua_Integer position = lua_tointeger(L, lua_upvalueindex(UP_POSITION));
	bool live = lua_istable(L, lua_upvalueindex(UP_TABLE));
	int n;

	lua_settop(L, 0);
	for (; position < order->n; position++) {
		const struct item *item = &order->items[position];

		push_key(L, lua_upvalueindex(UP_ANCHOR), item);
		if (live) {
			lua_pushvalue(L, 1);
			lua_rawget(L, lua_upvalueindex(UP_TABLE));
		} else {
			push_value(L, lua_upvalueindex(UP_ANCHOR), item);
		}
		if (!lua_isnil(L, 2))
			break;
		lua_settop(L, 0);
	}
	if (position >= order->n)
		return 0;
	lua_pushinteger(L, position + 1);
	lua_replace(L, lua_upvalueindex(UP_POSITION));
	n = unbox_key(L, 1);
	lua_pushvalue(L, 2);
	return n + 1;
}

/* Needs anchor and order on top; returns the iterator over the table at 1. */
static int
return_walk(lua_State *L)
{
	lua_pushvalue(L, 1);
	lua_insert(L, -3);
	lua_pushinteger(L, 0);
	lua_pushcclosure(L, walk_step, UP_POSITION);
	return 1;
}

int
control_pairs(lua_State *L)
{
	lua_settop(L, 1);
	push_snapshot(L, 1);
	return return_walk(L);
}

int
control_sorted(lua_State *L)
{
	lua_Integer rows = lua_isnoneornil(L, 2) ? UINT32_MAX : luaL_checkinteger(L, 2);
	struct order *order;

	lua_settop(L, 1);
	order = push_snapshot(L, 1);
	if (order->n)
		qsort(order->items, order->n, sizeof(*order->items), compare_values);
	if (rows < order->n)
		order->n = rows < 0 ? 0 : (uint32_t)rows;
	return return_walk(L);
}

/* ---- print_hist --------------------------------------------------------- */

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
fill_rows(lua_State *L, const struct order *order, struct hist_row *rows, struct text *keys)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < order->n; i++) {
		struct hist_row row = { 0 };
		size_t before = keys->len;

		push_key(L, 2, &order->items[i]);
		if (tuple_text(L, lua_gettop(L), &row, keys)) {
			if (order->items[i].value.rank != RANK_INT)
				luaL_error(L, "print_hist only can print number");
			row.key_len = keys->len - before;
			row.count = order->items[i].value.number;
			rows[n++] = row;
		} else {
			keys->len = before;
		}
		lua_pop(L, 1);
	}
	return n;
}

int
control_print_hist(lua_State *L)
{
	struct control *control = control_of(L);
	int64_t max_rows = lua_isnoneornil(L, 2) ? 0 : luaL_checkinteger(L, 2);
	struct text *keys = &control->text, out = { 0 };
	struct hist_row *rows;
	struct order *order;
	uint32_t n;
	size_t at = 0;

	lua_settop(L, 1);
	order = push_snapshot(L, 1);
	rows = lua_newuserdatauv(L, (order->n + 1) * sizeof(*rows), 0);
	text_clear(keys);
	n = fill_rows(L, order, rows, keys);
	for (uint32_t i = 0; i < n; i++) {
		rows[i].key = keys->s + at;
		at += rows[i].key_len;
	}
	hist_text(rows, n, max_rows, &out);
	control_write(control, out.s);
	text_fini(&out);
	return 0;
}
