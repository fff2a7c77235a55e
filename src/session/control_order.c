/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * control_order: walking tables in an order that depends on their contents only.
 *
 * A walk works on a snapshot, so neither probes nor the loop's body disturb it:
 *
 *     anchor   Lua array { key 1, value 1, key 2, value 2, ... } in the order found; keeps strings alive
 *     order    userdata: one item an entry with what comparing needs, sorted
 *
 * Keys: integers ascending, strings by their bytes, booleans, boxed values, keys of several parts part by
 * part; at the end keys without an order (tables, functions) as they were found. Values: numbers and statistics (by their counts), largest
 * first.
 */
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "session/session_int.h"

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
	const struct stat *stat;
	struct value value;
	uint32_t len;

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
		stat = control_stat(L, index);
		if (stat) {
			r = (struct rankable){ .rank = RANK_INT, .number = (int64_t)stat_count(&stat->layout, stat->cell) };
		} else if (unbox_value(L, index, &value)) {
			r = (struct rankable){ .rank = RANK_BOX, .kind = value.kind, .number = value.number };
		} else {
			r.s = box_bytes(L, index, &len);
			r.len = len;
			r.rank = r.s ? RANK_TUPLE : RANK_OTHER;
		}
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
	struct item *items = mem_grow(order->items, order->n, &order->cap, sizeof(*items));

	if (!items)
		luaL_error(L, "out of memory: a table of more than %d entries is walked", (int)order->n);
	order->items = items;
	items[order->n++] = item;
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
	const struct shared *shared = shared_table(L, index);
	struct walk walk;

	if (!shared && !lua_istable(L, index))
		luaL_error(L, "a table is needed, not a %s", luaL_typename(L, index));
	lua_newtable(L);
	walk.anchor = lua_gettop(L);
	walk.order = push_order(L);
	if (shared)
		shared_each(L, shared, add_item, &walk);
	else
		add_lua_table(L, index, &walk);
	if (walk.order->n)
		qsort(walk.order->items, walk.order->n, sizeof(*walk.order->items), compare_keys);
	if (shared)
		drop_doubles(walk.order);
	return walk.order;
}

uint32_t
control_snapshot(lua_State *L, int index)
{
	struct order *order = push_snapshot(L, index);

	if (order->n)
		qsort(order->items, order->n, sizeof(*order->items), compare_values);
	return order->n;
}

void
control_snapshot_entry(lua_State *L, int anchor, uint32_t i)
{
	const struct order *order = lua_touserdata(L, anchor + 1);

	lua_rawgeti(L, anchor, 2 * (lua_Integer)order->items[i].at + 1);
	lua_rawgeti(L, anchor, 2 * (lua_Integer)order->items[i].at + 2);
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
	control_snapshot(L, 1);
	order = lua_touserdata(L, -1);
	if (rows < order->n)
		order->n = rows < 0 ? 0 : (uint32_t)rows;
	return return_walk(L);
}
