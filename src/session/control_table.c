/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * control_table: what probes and the control half share, as Lua sees it.
 *
 *     G       userdata whose [i] is global i, in the memory that programs use, 8 bytes at a time
 *     table   userdata whose [key] goes to the source's table, through lookup, update and remove
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

static const char table_meta, globals_meta, tables_cache,
	event_numbers; /* addresses serve as registry keys */

static const struct table *
table_at(lua_State *L, uint32_t index)
{
	return control_of(L)->object->tables[index];
}

static bool
is_array(const struct table *table)
{
	return table->kind == TABLE_ARRAY || table->kind == TABLE_PERCPU_ARRAY;
}

/* ---- values -> Lua ------------------------------------------------------ */

static void
push_value(lua_State *L, const struct value *value)
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

static const char *
kind_name(enum value_kind kind)
{
	switch (kind) {
	case VALUE_INT: return "a number";
	case VALUE_BOOL: return "a boolean";
	case VALUE_STR: return "a string";
	case VALUE_EVENT: return "an event's name";
	case VALUE_STACK:
	case VALUE_USTACK: return "a stack";
	case VALUE_KSYM: return "a kernel address";
	case VALUE_STAT: return "a statistic";
	case VALUE_NONE:
	case VALUE_ARGSTR: break;
	}
	return "nothing";
}

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

static void
store64(char *bytes, int64_t number)
{
	memcpy(bytes, &number, sizeof(number));
}

/* The number that a cell of this kind holds for the Lua value; false: the value is of another type. */
static bool
to_number(lua_State *L, int index, enum value_kind kind, int64_t *number)
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

enum stored { STORED, STORED_NIL, STORED_TOO_LONG };

/* Lays a Lua value out by a shape. Values of a wrong type are a Lua error that names `what`. */
static enum stored
store_value(lua_State *L, int index, const struct shape *shape, char *bytes, const char *what)
{
	int64_t number;
	size_t len;
	const char *s;

	memset(bytes, 0, shape_size(shape));
	if (lua_isnil(L, index))
		return STORED_NIL;
	if (shape->nullable) {
		store64(bytes, 1);
		bytes += 8;
	}
	if (shape->kind == VALUE_STR && lua_type(L, index) == LUA_TSTRING) {
		s = lua_tolstring(L, index, &len);
		if (len >= shape->size)
			return STORED_TOO_LONG;
		memcpy(bytes, s, len);
	} else if (to_number(L, index, shape->kind, &number)) {
		store64(bytes, number);
	} else {
		luaL_error(L, "%s is %s in the probes, not a %s", what, kind_name(shape->kind),
			   luaL_typename(L, index));
	}
	return STORED;
}

/* ---- keys --------------------------------------------------------------- */

/* An array's key in bytes: 4, the index. False: outside of the array. */
static bool
store_index(lua_State *L, const struct table *table, int index, char *key, const char *what)
{
	int64_t number;
	uint32_t at;

	if (!to_number(L, index, table->key[0].kind, &number))
		luaL_error(L, "%s is %s in the probes, not a %s", what, kind_name(table->key[0].kind),
			   luaL_typename(L, index));
	if (number < 0 || number >= table->max_entries)
		return false;
	at = (uint32_t)number;
	memcpy(key, &at, sizeof(at));
	return true;
}

/* Lays the n values from `first` on out as a key. Anything but STORED: the table cannot hold such a key. */
static enum stored
store_key(lua_State *L, const struct table *table, int first, int n, char *key)
{
	const char *what = lua_pushfstring(L, "the key of '%s'", table->name);
	enum stored worst = STORED;

	if ((uint32_t)n != table->n_key_parts)
		luaL_error(L, "the keys of '%s' have %d parts, not %d", table->name, (int)table->n_key_parts,
			   n);
	if (is_array(table) && table->key_size == 4) {
		if (lua_isnil(L, first))
			worst = STORED_NIL;
		else if (!store_index(L, table, first, key, what))
			worst = STORED_TOO_LONG;
		lua_pop(L, 1);
		return worst;
	}
	memset(key, 0, table->key_size);
	for (int i = 0; i < n; i++) {
		enum stored stored = store_value(L, first + i, &table->key[i], key, what);

		if (stored == STORED_NIL && table->key[i].nullable)
			stored = STORED;
		worst = stored > worst ? stored : worst;
		key += shape_size(&table->key[i]);
	}
	lua_pop(L, 1);
	return worst;
}

/* Pushes a key as one Lua value. */
static void
push_key(lua_State *L, const struct table *table, const char *key)
{
	struct value value;
	uint32_t at;

	luaL_checkstack(L, TABLE_KEY_PARTS_MAX + 4, "key of too many parts");
	if (is_array(table) && table->key_size == 4) {
		memcpy(&at, key, sizeof(at));
		value = (struct value){ .kind = table->key[0].kind, .number = at };
		push_value(L, &value);
		return;
	}
	for (uint32_t i = 0; i < table->n_key_parts; i++) {
		value = value_load(&table->key[i], key);
		push_value(L, &value);
		key += shape_size(&table->key[i]);
	}
	box_tuple(L, (int)table->n_key_parts);
}

/* ---- entries ------------------------------------------------------------ */

static size_t
cpu_stride(const struct table *table)
{
	return round_up(table->value_size, 8);
}

static bool
is_zero(const char *bytes, size_t len)
{
	return len == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0);
}

/* The cells of all CPUs become one, the first. */
static struct value
merge_cells(const struct table *table, char *bytes, uint32_t n_cpus)
{
	struct value value = value_load(&table->value, bytes);

	for (uint32_t cpu = 1; cpu < n_cpus; cpu++)
		stat_merge(&table->stat, (uint64_t *)(void *)bytes, (uint64_t *)(void *)(bytes + cpu * cpu_stride(table)));
	if (is_array(table) && is_zero(bytes, value.len))
		value.kind = VALUE_NONE;
	return value;
}

/* The value of an entry as lookup gave it; VALUE_NONE: absent. Per-CPU numbers are summed. */
static struct value
entry_value(const struct control *control, const struct table *table, char *bytes)
{
	uint32_t n_cpus = table_kind_is_per_cpu(table->kind) ? control->source->n_cpus : 1;
	struct value sum = value_load(&table->value, bytes);

	if (sum.kind == VALUE_STAT)
		return merge_cells(table, bytes, n_cpus);
	for (uint32_t cpu = 1; cpu < n_cpus; cpu++) {
		struct value value = value_load(&table->value, bytes + cpu * cpu_stride(table));

		if (sum.kind == VALUE_NONE)
			sum = value;
		else if (value.kind == VALUE_INT)
			sum.number = (int64_t)((uint64_t)sum.number + (uint64_t)value.number);
	}
	if (table->counter && is_array(table) && sum.kind == VALUE_INT && sum.number == 0)
		sum.kind = VALUE_NONE;
	return sum;
}

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
	return entry_value(control, table, control->value);
}

static void
push_entry(lua_State *L, uint32_t index, const struct value *value)
{
	if (value->kind == VALUE_STAT)
		control_push_stat(L, &table_at(L, index)->stat, value->s);
	else
		push_value(L, value);
}

void
shared_get(lua_State *L, uint32_t table, int first, int n)
{
	struct value value = { .kind = VALUE_NONE };

	if (store_key(L, table_at(L, table), first, n, control_of(L)->key) == STORED)
		value = lookup(L, table);
	push_entry(L, table, &value);
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

	if (is_array(table)) {
		uint32_t n_cpus = table_kind_is_per_cpu(table->kind) ? control->source->n_cpus : 1;

		memset(control->value, 0, cpu_stride(table) * n_cpus);
		update(L, index);
		return;
	}
	err = control->source->ops->remove(control->source, index, control->key);
	if (err < 0 && err != -ENOENT)
		luaL_error(L, "table '%s': an entry cannot be removed: %s", table->name, strerror(-err));
}

/* Lays the n values from `first` on out as the key of an entry to be written. */
static void
store_own_key(lua_State *L, const struct table *table, int first, int n)
{
	struct control *control = control_of(L);

	switch (store_key(L, table, first, n, control->key)) {
	case STORED: break;
	case STORED_NIL: luaL_error(L, "nil as key of table '%s'", table->name); break;
	case STORED_TOO_LONG:
		luaL_error(L,
			   is_array(table) ? "key outside of table '%s', which holds %d entries"
					   : "key of table '%s' is too long, its keys are %d bytes at most",
			   table->name, (int)(is_array(table) ? table->max_entries : table->key_size - 1));
		break;
	}
}

void
shared_set(lua_State *L, uint32_t index, int first, int n, int value)
{
	struct control *control = control_of(L);
	const struct table *table = table_at(L, index);
	uint32_t n_cpus = table_kind_is_per_cpu(table->kind) ? control->source->n_cpus : 1;
	const char *what;

	store_own_key(L, table, first, n);
	if (lua_isnil(L, value)) {
		erase(L, index);
		return;
	}
	what = lua_pushfstring(L, "the value of '%s'", table->name);
	memset(control->value, 0, cpu_stride(table) * n_cpus);
	if (store_value(L, value, &table->value, control->value, what) == STORED_TOO_LONG)
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
		memset(control->value, 0, cpu_stride(table) * control->source->n_cpus);
	else if (err < 0)
		luaL_error(L, "table '%s' cannot be read: %s", table->name, strerror(-err));
	stat_add(&table->stat, (uint64_t *)(void *)control->value, number);
	update(L, index);
}

void
shared_sample(lua_State *L, uint32_t index, int first, int n, int value)
{
	const struct table *table = table_at(L, index);

	if (table->value.kind != VALUE_STAT)
		luaL_error(L, "the elements of '%s' are %s in the probes, not a statistic", table->name, kind_name(table->value.kind));
	store_own_key(L, table, first, n);
	sample(L, index, control_operand(L, value));
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

void
shared_each(lua_State *L, uint32_t index, void (*fn)(lua_State *L, void *arg), void *arg)
{
	struct control *control = control_of(L);
	const struct table *table = table_at(L, index);
	bool more = next_key(L, index, true);

	for (uint64_t left = walk_max(table); more && left; left--, more = next_key(L, index, false)) {
		struct value value = lookup(L, index);

		if (value.kind == VALUE_NONE)
			continue;
		push_key(L, table, control->next_key);
		push_entry(L, index, &value);
		fn(L, arg);
	}
}

int64_t
shared_count(lua_State *L, uint32_t index)
{
	bool more = next_key(L, index, true);
	int64_t n = 0;

	for (uint64_t left = walk_max(table_at(L, index)); more && left;
	     left--, more = next_key(L, index, false))
		n += lookup(L, index).kind != VALUE_NONE;
	return n;
}

void
shared_clear(lua_State *L, uint32_t index)
{
	const struct table *table = table_at(L, index);
	bool more = next_key(L, index, true);

	for (uint64_t left = walk_max(table); more && left;
	     left--, more = next_key(L, index, !is_array(table)))
		erase(L, index);
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

int64_t
shared_table(lua_State *L, int index)
{
	const uint32_t *table;

	if (!has_meta(L, index, &table_meta))
		return -1;
	table = lua_touserdata(L, index);
	return *table;
}

static int
table_index(lua_State *L)
{
	shared_get(L, (uint32_t)shared_table(L, 1), 2, 1);
	return 1;
}

static int
table_newindex(lua_State *L)
{
	shared_set(L, (uint32_t)shared_table(L, 1), 2, 1, 3);
	return 0;
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
	uint32_t *table, index = check_table(L, 1);

	lua_rawgetp(L, LUA_REGISTRYINDEX, &tables_cache);
	if (lua_rawgeti(L, -1, index) == LUA_TUSERDATA)
		return 1;
	lua_pop(L, 1);
	table = lua_newuserdatauv(L, sizeof(*table), 0);
	*table = index;
	lua_rawgetp(L, LUA_REGISTRYINDEX, &table_meta);
	lua_setmetatable(L, -2);
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
	int top, n;

	lua_settop(L, 2);
	if (shared_table(L, 2) == index)
		return 0;
	if (!lua_istable(L, 2))
		luaL_error(L, "'%s' is a table that probes use: it can be assigned a new table, not a %s",
			   table->name,
			   shared_table(L, 2) >= 0 ? "table of other probes" : luaL_typename(L, 2));
	shared_clear(L, index);
	lua_pushnil(L);
	while (lua_next(L, 2)) {
		top = lua_gettop(L);
		n = unbox_key(L, top - 1);
		shared_set(L, index, top + 1, n, top);
		lua_settop(L, top - 1);
	}
	return 0;
}

/* ---- globals ------------------------------------------------------------ */

#define GLOBAL_SIZE_MAX 512

static const struct global *
check_global(lua_State *L, lua_Integer number, uint64_t **words)
{
	struct control *control = control_of(L);
	const struct object *object = control->object;
	char *memory = control->source ? control->source->ops->globals(control->source) : NULL;

	if (!memory || number < 0 || number >= object->n_globals ||
	    shape_size(&object->globals[number]->shape) > GLOBAL_SIZE_MAX)
		luaL_error(L, "global %d does not exist", (int)number);
	*words = (uint64_t *)(void *)(memory + object->globals[number]->off);
	return object->globals[number];
}

static int
globals_index(lua_State *L)
{
	uint64_t *words, copy[GLOBAL_SIZE_MAX / 8];
	const struct global *global = check_global(L, luaL_checkinteger(L, 2), &words);
	struct value value;

	for (uint32_t i = 0; i < shape_size(&global->shape) / 8; i++)
		copy[i] = __atomic_load_n(&words[i], __ATOMIC_ACQUIRE);
	value = value_load(&global->shape, copy);
	push_value(L, &value);
	return 1;
}

/* The presence cell stands first and is written last, so that no probe sees it before the value. */
static int
globals_newindex(lua_State *L)
{
	uint64_t *words, copy[GLOBAL_SIZE_MAX / 8];
	const struct global *global = check_global(L, luaL_checkinteger(L, 2), &words);
	const char *what = lua_pushfstring(L, "'%s'", global->name);

	switch (store_value(L, 3, &global->shape, (char *)copy, what)) {
	case STORED: break;
	case STORED_NIL:
		if (!global->shape.nullable)
			luaL_error(L, "%s is %s in the probes and cannot become nil", what,
				   kind_name(global->shape.kind));
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
	uint64_t *words;
	const struct global *global = check_global(L, number, &words);

	if (global->shape.kind != VALUE_INT)
		luaL_error(L, "'+=' on '%s', which is %s", global->name, kind_name(global->shape.kind));
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
	lua_pop(L, 1);
	lua_newuserdatauv(L, 0, 0);
	push_meta(L, &globals_meta, globals_index, globals_newindex);
	lua_setmetatable(L, -2);
}
