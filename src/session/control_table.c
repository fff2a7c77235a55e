/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * control_table: what probes and the control half share, as Lua sees it.
 *
 *     G       userdata whose [i] is global i, in the memory that programs use, 8 bytes at a time
 *     table   userdata (struct shared) whose [key] goes to the source's table, through lookup, update and remove
 *     t[a]    where elements are tables, likewise; it knows the keys that lead to it, and is made anew each time
 *
 * Keys and values are laid out by the shapes of struct table. A table of a per-CPU kind reads as the sum
 * over the CPUs; writing puts the value into the first CPU's place and zeros into the others. An entry of an
 * array table that only counts is absent while it is 0.
 */
#include <errno.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "session/session_int.h"

static const char table_meta, globals_meta, tables_cache; /* addresses serve as registry keys */

static const struct table *
table_at(lua_State *L, uint32_t index)
{
	return control_of(L)->object->tables[index];
}

/* ---- keys --------------------------------------------------------------- */

/* An array's key in bytes: 4, the index. False: outside of the array. */
static bool
store_index(lua_State *L, const struct table *table, int index, char *key, const char *what)
{
	int64_t number;
	uint32_t at;

	if (!control_to_number(L, index, table->key[0].kind, &number))
		control_wrong_kind(L, index, table->key[0].kind, what);
	if (number < 0 || number >= table->max_entries)
		return false;
	at = (uint32_t)number;
	memcpy(key, &at, sizeof(at));
	return true;
}

/* An array's whole key: its 4 bytes. */
static enum stored
store_array_key(lua_State *L, const struct table *table, int index, char *key, const char *what)
{
	if (lua_isnil(L, index))
		return STORED_NIL;
	return store_index(L, table, index, key, what) ? STORED : STORED_TOO_LONG;
}

/* The part of the key behind those that `shared` gives: where it ends. */
static uint32_t
key_end(lua_State *L, const struct shared *shared)
{
	return table_key_end(table_at(L, shared->table), shared->n_parts);
}

/* Are its elements tables? */
static bool
holds_tables(lua_State *L, const struct shared *shared)
{
	return key_end(L, shared) < table_at(L, shared->table)->n_key_parts;
}

/*
 * Lays out the key that begins with the parts of `shared` and goes on with the n values from `first` on. Anything but STORED: the table cannot
 * hold such a key.
 */
static enum stored
store_key(lua_State *L, const struct shared *shared, int first, int n, char *key)
{
	const struct table *table = table_at(L, shared->table);
	const char *what = lua_pushfstring(L, "the key of '%s'", table->name);
	uint32_t part = shared->n_parts, end = key_end(L, shared);
	enum stored worst = STORED;

	if ((uint32_t)n != end - part)
		luaL_error(L, "the keys of '%s' have %d parts, not %d", table->name, (int)(end - part), n);
	if (entry_has_index(table)) {
		worst = store_array_key(L, table, first, key, what);
		lua_pop(L, 1);
		return worst;
	}
	memset(key, 0, table->key_size);
	memcpy(key, shared->prefix, shared->prefix_size);
	key += shared->prefix_size;
	for (; part < end; part++, first++) {
		enum stored stored = control_store_value(L, first, &table->key[part], key, what);

		if (stored == STORED_NIL && table->key[part].nullable)
			stored = STORED;
		worst = stored > worst ? stored : worst;
		key += shape_size(&table->key[part]);
	}
	lua_pop(L, 1);
	return worst;
}

/* Pushes what a key has behind the parts of `shared`, up to an inner table's, as one Lua value. */
static void
push_key(lua_State *L, const struct shared *shared, const char *key)
{
	const struct table *table = table_at(L, shared->table);
	uint32_t end = key_end(L, shared);

	luaL_checkstack(L, TABLE_KEY_PARTS_MAX + 4, "key of too many parts");
	for (uint32_t i = shared->n_parts; i < end; i++) {
		struct value value = entry_part(table, key, i);

		control_push_value(L, &value);
	}
	box_tuple(L, (int)(end - shared->n_parts));
}

/* ---- entries ------------------------------------------------------------ */

/* The entry of control->key; VALUE_NONE: there is none. Strings of the value live until the next call. */
static struct value
lookup(lua_State *L, uint32_t index)
{
	struct control *control = control_of(L);
	const struct table *table = table_at(L, index);
	int err = control->source->ops->lookup(control->source, index, control->key, control->value);

	if (err == -ENOENT)
		return (struct value){ .kind = VALUE_NONE };
	if (err < 0)
		luaL_error(L, "table '%s' cannot be read: %s", table->name, strerror(-err));
	return entry_value(control->source, table, control->value);
}

static void
push_entry(lua_State *L, uint32_t index, const struct value *value)
{
	if (value->kind == VALUE_STAT)
		control_push_stat(L, &table_at(L, index)->stat, value->s);
	else
		control_push_value(L, value);
}

/* Pushes the table whose keys begin with the `n_parts` parts that stand in `prefix`. */
static struct shared *
push_shared(lua_State *L, uint32_t table, uint32_t n_parts, const char *prefix, uint32_t prefix_size)
{
	struct shared *shared = lua_newuserdatauv(L, sizeof(*shared) + prefix_size, 0);

	*shared = (struct shared){ .table = table, .n_parts = n_parts, .prefix_size = prefix_size };
	if (prefix_size)
		memcpy(shared->prefix, prefix, prefix_size);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &table_meta);
	lua_setmetatable(L, -2);
	return shared;
}

/* Pushes the table in a table that the key in control->key leads to. */
static const struct shared *
push_inner(lua_State *L, const struct shared *outer)
{
	uint32_t end = key_end(L, outer);

	return push_shared(L, outer->table, end, control_of(L)->key, entry_parts_size(table_at(L, outer->table), end));
}

static void
store_own_key(lua_State *L, const struct shared *shared, int first, int n);

void
shared_get(lua_State *L, const struct shared *shared, int first, int n)
{
	struct value value = { .kind = VALUE_NONE };

	if (holds_tables(L, shared)) {
		store_own_key(L, shared, first, n);
		push_inner(L, shared);
		return;
	}
	if (store_key(L, shared, first, n, control_of(L)->key) == STORED)
		value = lookup(L, shared->table);
	push_entry(L, shared->table, &value);
}

static void
update(lua_State *L, uint32_t index)
{
	struct control *control = control_of(L);
	const struct table *table = table_at(L, index);
	int err = control->source->ops->update(control->source, index, control->key, control->value, BPF_ANY);

	if (err == -E2BIG)
		luaL_error(L, "table '%s' is full, it holds %d entries; table.new(0, N) makes a larger one",
			   table->name, (int)table->max_entries);
	if (err < 0)
		luaL_error(L, "table '%s' cannot be written: %s", table->name, strerror(-err));
}

/* Removes the entry of control->key; an array's entry becomes zeros. */
static void
erase(lua_State *L, uint32_t index)
{
	struct control *control = control_of(L);
	const struct table *table = table_at(L, index);
	int err;

	if (table_kind_is_array(table->kind)) {
		memset(control->value, 0, entry_size(control->source, table));
		update(L, index);
		return;
	}
	err = control->source->ops->remove(control->source, index, control->key);
	if (err < 0 && err != -ENOENT)
		luaL_error(L, "table '%s': an entry cannot be removed: %s", table->name, strerror(-err));
}

/* Lays the n values from `first` on out as the key of an entry to be written. */
static void
store_own_key(lua_State *L, const struct shared *shared, int first, int n)
{
	const struct table *table = table_at(L, shared->table);
	struct control *control = control_of(L);

	switch (store_key(L, shared, first, n, control->key)) {
	case STORED: break;
	case STORED_NIL: luaL_error(L, "nil as key of table '%s'", table->name); break;
	case STORED_TOO_LONG:
		luaL_error(L,
			   table_kind_is_array(table->kind) ? "key outside of table '%s', which holds %d entries"
					   : "key of table '%s' is too long, its keys are %d bytes at most",
			   table->name, (int)(table_kind_is_array(table->kind) ? table->max_entries : table->key_size - 1));
		break;
	}
}

/* Pushes a Lua table with what a table holds, and tables in it likewise, which are views of what may change. */
static void
push_copy(lua_State *L, int index)
{
	uint32_t n;
	int copy;

	luaL_checkstack(L, 8, "tables in tables");
	n = control_snapshot(L, index); /* pushes two values */
	lua_newtable(L);
	copy = lua_gettop(L);
	for (uint32_t i = 0; i < n; i++) {
		control_snapshot_entry(L, copy - 2, i);
		if (lua_istable(L, -1) || shared_table(L, -1)) {
			push_copy(L, lua_gettop(L));
			lua_replace(L, -2);
		}
		lua_rawset(L, copy);
	}
	lua_replace(L, copy - 2);
	lua_settop(L, copy - 2);
}

/* `shared` shall hold what the Lua table at `contents` holds. */
static void
assign_entries(lua_State *L, const struct shared *shared, int contents)
{
	shared_clear(L, shared);
	lua_pushnil(L);
	while (lua_next(L, contents)) {
		int top = lua_gettop(L), n = unbox_key(L, top - 1);

		shared_set(L, shared, top + 1, n, top);
		lua_settop(L, top - 1);
	}
}

/* t[keys] = a table, or nil, where elements are tables. */
static void
set_inner(lua_State *L, const struct shared *outer, int value)
{
	const struct shared *inner = push_inner(L, outer);

	if (lua_isnil(L, value)) {
		shared_clear(L, inner);
	} else if (lua_istable(L, value) || shared_table(L, value)) {
		push_copy(L, value);
		assign_entries(L, inner, lua_gettop(L));
		lua_pop(L, 1);
	} else {
		luaL_error(L, "the elements of '%s' are tables in the probes, not a %s", table_at(L, outer->table)->name,
			   luaL_typename(L, value));
	}
	lua_pop(L, 1);
}

void
shared_set(lua_State *L, const struct shared *shared, int first, int n, int value)
{
	struct control *control = control_of(L);
	uint32_t index = shared->table;
	const struct table *table = table_at(L, index);
	const char *what;

	store_own_key(L, shared, first, n);
	if (holds_tables(L, shared)) {
		set_inner(L, shared, value);
		return;
	}
	if (lua_isnil(L, value)) {
		erase(L, index);
		return;
	}
	what = lua_pushfstring(L, "the value of '%s'", table->name);
	memset(control->value, 0, entry_size(control->source, table));
	if (control_store_value(L, value, &table->value, control->value, what) == STORED_TOO_LONG)
		luaL_error(L, "%s is too long, it can have %d bytes", what, (int)table->value.size - 1);
	lua_pop(L, 1);
	update(L, index);
}

/* ---- statistics --------------------------------------------------------- */

/*
 * Adds a sample to the entry of control->key, in the cell of the first CPU. A probe that samples the same entry on that CPU between
 * reading and writing loses its sample; so the control half should not sample what busy probes sample.
 */
static void
sample(lua_State *L, uint32_t index, int64_t number)
{
	struct control *control = control_of(L);
	const struct table *table = table_at(L, index);
	int err = control->source->ops->lookup(control->source, index, control->key, control->value);

	if (err == -ENOENT)
		memset(control->value, 0, entry_size(control->source, table));
	else if (err < 0)
		luaL_error(L, "table '%s' cannot be read: %s", table->name, strerror(-err));
	stat_add(&table->stat, (uint64_t *)(void *)control->value, number);
	update(L, index);
}

void
shared_sample(lua_State *L, const struct shared *shared, int first, int n, int value)
{
	const struct table *table = table_at(L, shared->table);

	if (holds_tables(L, shared))
		luaL_error(L, "the elements of '%s' are tables in the probes, not statistics", table->name);
	if (table->value.kind != VALUE_STAT)
		luaL_error(L, "the elements of '%s' are %s in the probes, not a statistic", table->name, value_kind_name(table->value.kind));
	store_own_key(L, shared, first, n);
	sample(L, shared->table, control_operand(L, value));
}

/* A statistic that is a variable: entry 0 of its table, whose key is made here. */
static uint32_t
check_stat(lua_State *L)
{
	struct control *control = control_of(L);
	lua_Integer number = luaL_checkinteger(L, 1);

	if (!control->source || number < 0 || number >= control->object->n_tables ||
	    control->object->tables[number]->value.kind != VALUE_STAT)
		luaL_error(L, "statistic %d does not exist", (int)number);
	memset(control->key, 0, 4);
	return (uint32_t)number;
}

int
control_stat_get(lua_State *L)
{
	uint32_t index = check_stat(L);

	lookup(L, index); /* leaves the cell, zeros if there are no samples */
	control_push_stat(L, &table_at(L, index)->stat, control_of(L)->value);
	return 1;
}

int
control_stat_sample(lua_State *L)
{
	sample(L, check_stat(L), control_operand(L, 2));
	return 0;
}

int
control_stat_reset(lua_State *L)
{
	uint32_t index = check_stat(L);

	if (!lua_isnil(L, 2))
		luaL_error(L, "'%s' is a statistic that probes use: it can be set to nil, not to a %s", table_at(L, index)->name,
			   luaL_typename(L, 2));
	erase(L, index);
	return 0;
}

/* ---- walks -------------------------------------------------------------- */

/*
 * The key behind control->next_key (NULL: the first) into control->next_key and control->key. False at the
 * end. Removing entries while another walks may send a walk back to the start, so walks stop after WALK_MAX
 * steps.
 */
static bool
next_key(lua_State *L, uint32_t index, bool first)
{
	struct control *control = control_of(L);
	const struct table *table = table_at(L, index);
	int err;

	if (!first)
		memcpy(control->key, control->next_key, table->key_size);
	err = control->source->ops->next(control->source, index, first ? NULL : control->key,
					 control->next_key);
	if (err < 0 && err != -ENOENT)
		luaL_error(L, "table '%s' cannot be walked: %s", table->name, strerror(-err));
	if (err == 0)
		memcpy(control->key, control->next_key, table->key_size);
	return err == 0;
}

static uint64_t
walk_max(const struct table *table)
{
	return 2 * (uint64_t)table->max_entries + 1000;
}

/* A walk over the entries whose keys begin with the parts of `shared`. */
struct entries {
	const struct shared *shared;
	uint64_t left; /* steps */
	bool first;
};

/* The next entry's key into control->key, its value into *value. */
static bool
next_entry(lua_State *L, struct entries *entries, struct value *value)
{
	const struct shared *shared = entries->shared;
	struct control *control = control_of(L);

	while (entries->left-- && next_key(L, shared->table, entries->first)) {
		entries->first = false;
		if (memcmp(control->next_key, shared->prefix, shared->prefix_size))
			continue;
		*value = lookup(L, shared->table);
		if (value->kind != VALUE_NONE)
			return true;
	}
	return false;
}

static struct entries
entries_of(lua_State *L, const struct shared *shared)
{
	return (struct entries){ .shared = shared, .left = walk_max(table_at(L, shared->table)), .first = true };
}

/*
 * Where elements are tables: pushes the key that leads to the one that the entry of control->key is in. False, and nothing is pushed, if the
 * Lua table at `seen` has it; else it gets it.
 */
static bool
push_new_key(lua_State *L, const struct shared *shared, int seen)
{
	bool is_new;

	push_key(L, shared, control_of(L)->key);
	lua_pushvalue(L, -1);
	is_new = lua_rawget(L, seen) == LUA_TNIL;
	lua_pop(L, 1);
	if (!is_new) {
		lua_pop(L, 1);
		return false;
	}
	lua_pushvalue(L, -1);
	lua_pushboolean(L, true);
	lua_rawset(L, seen);
	return true;
}

void
shared_each(lua_State *L, const struct shared *shared, void (*fn)(lua_State *L, void *arg), void *arg)
{
	struct entries entries = entries_of(L, shared);
	bool inner = holds_tables(L, shared);
	struct value value;
	int seen;

	lua_newtable(L);
	seen = lua_gettop(L);
	while (next_entry(L, &entries, &value)) {
		if (!inner) {
			push_key(L, shared, control_of(L)->key);
			push_entry(L, shared->table, &value);
			fn(L, arg);
		} else if (push_new_key(L, shared, seen)) {
			push_inner(L, shared);
			fn(L, arg);
		}
	}
	lua_remove(L, seen);
}

int64_t
shared_count(lua_State *L, const struct shared *shared)
{
	struct entries entries = entries_of(L, shared);
	bool inner = holds_tables(L, shared);
	struct value value;
	int64_t n = 0;
	int seen;

	lua_newtable(L);
	seen = lua_gettop(L);
	while (next_entry(L, &entries, &value)) {
		if (inner && !push_new_key(L, shared, seen))
			continue;
		lua_settop(L, seen);
		n++;
	}
	lua_pop(L, 1);
	return n;
}

/* Of an erased entry there is no next one, so that is found before. */
void
shared_clear(lua_State *L, const struct shared *shared)
{
	struct control *control = control_of(L);
	const struct table *table = table_at(L, shared->table);
	bool more = next_key(L, shared->table, true), ours;

	for (uint64_t left = walk_max(table); more && left; left--) {
		ours = !memcmp(control->key, shared->prefix, shared->prefix_size);
		more = control->source->ops->next(control->source, shared->table, control->key, control->next_key) == 0;
		if (ours)
			erase(L, shared->table);
		memcpy(control->key, control->next_key, table->key_size);
	}
}

/* ---- the userdata of a table -------------------------------------------- */

static bool
has_meta(lua_State *L, int index, const void *meta)
{
	bool same;

	if (lua_type(L, index) != LUA_TUSERDATA || !lua_getmetatable(L, index))
		return false;
	lua_rawgetp(L, LUA_REGISTRYINDEX, meta);
	same = lua_rawequal(L, -1, -2);
	lua_pop(L, 2);
	return same;
}

const struct shared *
shared_table(lua_State *L, int index)
{
	return has_meta(L, index, &table_meta) ? lua_touserdata(L, index) : NULL;
}

static int
table_index(lua_State *L)
{
	shared_get(L, shared_table(L, 1), 2, 1);
	return 1;
}

static int
table_newindex(lua_State *L)
{
	shared_set(L, shared_table(L, 1), 2, 1, 3);
	return 0;
}

/* Two views of the same entries are one table. */
static int
table_equal(lua_State *L)
{
	const struct shared *a = shared_table(L, 1), *b = shared_table(L, 2);

	lua_pushboolean(L, a && b && a->table == b->table && a->n_parts == b->n_parts && !memcmp(a->prefix, b->prefix, a->prefix_size));
	return 1;
}

static uint32_t
check_table(lua_State *L, int index)
{
	struct control *control = control_of(L);
	lua_Integer number = luaL_checkinteger(L, index);

	if (!control->source || number < 0 || number >= control->object->n_tables ||
	    control->object->tables[number]->n_key_parts == 0)
		luaL_error(L, "table %d does not exist", (int)number);
	return (uint32_t)number;
}

/* K.table(i): one userdata a table, made when first asked for. */
int
control_table_get(lua_State *L)
{
	uint32_t index = check_table(L, 1);

	lua_rawgetp(L, LUA_REGISTRYINDEX, &tables_cache);
	if (lua_rawgeti(L, -1, index) == LUA_TUSERDATA)
		return 1;
	lua_pop(L, 1);
	push_shared(L, index, 0, NULL, 0);
	lua_pushvalue(L, -1);
	lua_rawseti(L, -3, index);
	return 1;
}

/* K.reset(i, contents): the table shall hold what the Lua table holds. */
int
control_table_reset(lua_State *L)
{
	uint32_t index = check_table(L, 1);
	const struct table *table = table_at(L, index);
	const struct shared *other;

	lua_settop(L, 2);
	other = shared_table(L, 2);
	if (other && other->table == index && !other->n_parts)
		return 0;
	if (!lua_istable(L, 2))
		luaL_error(L, "'%s' is a table that probes use: it can be assigned a new table, not a %s",
			   table->name, other ? "table of other probes" : luaL_typename(L, 2));
	if (table->inner) { /* the new one may hold tables of the old one */
		push_copy(L, 2);
		lua_replace(L, 2);
	}
	assign_entries(L, push_shared(L, index, 0, NULL, 0), 2);
	return 0;
}

/* ---- globals ------------------------------------------------------------ */

/* The variable, and in *memory where all are. */
static const struct global *
check_global(lua_State *L, lua_Integer number, char **memory)
{
	struct control *control = control_of(L);
	const struct object *object = control->object;

	*memory = control->source ? control->source->ops->globals(control->source) : NULL;
	if (!*memory || number < 0 || number >= object->n_globals)
		luaL_error(L, "global %d does not exist", (int)number);
	return object->globals[number];
}

static uint64_t *
words_of(const struct global *global, char *memory)
{
	return (uint64_t *)(void *)(memory + global->off);
}

static int
globals_index(lua_State *L)
{
	char *memory;
	const struct global *global = check_global(L, luaL_checkinteger(L, 2), &memory);
	uint64_t copy[VARIABLE_WORDS_MAX];
	struct value value = variable_value(global, memory, copy);

	control_push_value(L, &value);
	return 1;
}

/* The presence cell stands first and is written last, so that no probe sees it before the value. */
static int
globals_newindex(lua_State *L)
{
	char *memory;
	const struct global *global = check_global(L, luaL_checkinteger(L, 2), &memory);
	uint64_t *words = words_of(global, memory), copy[VARIABLE_WORDS_MAX];
	const char *what = lua_pushfstring(L, "'%s'", global->name);

	switch (control_store_value(L, 3, &global->shape, (char *)copy, what)) {
	case STORED: break;
	case STORED_NIL:
		if (!global->shape.nullable)
			luaL_error(L, "%s is %s in the probes and cannot become nil; x || y is y where x is nil", what,
				   value_kind_name(global->shape.kind));
		break;
	case STORED_TOO_LONG:
		luaL_error(L, "the text for %s is too long, it can have %d bytes", what,
			   (int)global->shape.size - 1);
		break;
	}
	for (uint32_t i = shape_size(&global->shape) / 8; i-- > 0;)
		__atomic_store_n(&words[i], copy[i], __ATOMIC_RELEASE);
	return 0;
}

void
shared_add_global(lua_State *L, int64_t number, int64_t delta)
{
	char *memory;
	const struct global *global = check_global(L, number, &memory);
	uint64_t *words = words_of(global, memory);

	if (global->shape.kind != VALUE_INT)
		luaL_error(L, "'+=' on '%s', which is %s", global->name, value_kind_name(global->shape.kind));
	if (global->shape.nullable && __atomic_load_n(words, __ATOMIC_ACQUIRE) == 0)
		luaL_error(L, "'+=' on '%s', which is nil", global->name);
	__atomic_fetch_add(&words[global->shape.nullable], (uint64_t)delta, __ATOMIC_RELAXED);
}

bool
is_globals(lua_State *L, int index)
{
	return has_meta(L, index, &globals_meta);
}

/* Pushes a metatable and keeps it in the registry under `key`. */
static void
push_meta(lua_State *L, const void *key, lua_CFunction get, lua_CFunction set)
{
	lua_createtable(L, 0, 3);
	lua_pushcfunction(L, get);
	lua_setfield(L, -2, "__index");
	lua_pushcfunction(L, set);
	lua_setfield(L, -2, "__newindex");
	lua_pushliteral(L, "table");
	lua_setfield(L, -2, "__name");
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

void
control_push_globals(lua_State *L)
{
	lua_newtable(L);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &tables_cache);
	push_meta(L, &table_meta, table_index, table_newindex);
	lua_pushcfunction(L, table_equal);
	lua_setfield(L, -2, "__eq");
	lua_pop(L, 1);
	lua_newuserdatauv(L, 0, 0);
	push_meta(L, &globals_meta, globals_index, globals_newindex);
	lua_setmetatable(L, -2);
}
