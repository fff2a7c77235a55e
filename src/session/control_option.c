/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * control_option: options that a script declares and its user gives behind the script's name.
 *
 *     var rows = option("rows", 10, "rows to show")          ktap top.kp --rows=20        rows is 20
 *     var raw = option("raw", false, "no rounding")          ktap top.kp --raw            raw is true
 *                                                            ktap top.kp --help           lists both
 *
 * An option has the type of its default. What main declares is known when it has run, so only then is it said that an option does not
 * exist, or what there is (--help); what a script with options prints until then is held back for --help.
 *
 * Options that are taken leave the arguments, so that arg[1] is the first word that belongs to none.
 */
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "session/session_int.h"

/* The rest of "--NAME" or "--NAME=VALUE", or NULL where the argument is another. */
static const char *
behind_name(const char *arg, const char *name)
{
	size_t len = strlen(name);

	if (strncmp(arg, "--", 2) != 0 || strncmp(arg + 2, name, len) != 0)
		return NULL;
	return arg[2 + len] == 0 || arg[2 + len] == '=' ? arg + 2 + len : NULL;
}

/* Takes `n` arguments out. */
static void
remove_args(char **arg, int n)
{
	do
		arg[0] = arg[n];
	while (*arg++);
}

static int
wrong_value(lua_State *L, const char *name, const char *value, const char *wanted)
{
	struct control *control = control_of(L);

	complain_to(session_messages(control->options), "%s: --%s%s%s: %s is needed", control->options->script_name, name, value ? "=" : "", value ? value : "", wanted);
	control->bad_usage = true;
	return control_exit(L);
}

static int
push_number(lua_State *L, const char *name, const char *value)
{
	if (value && lua_stringtonumber(L, value) == strlen(value) + 1 && lua_isinteger(L, -1))
		return 1;
	return wrong_value(L, name, value, "a whole number");
}

static int
push_flag(lua_State *L, const char *name, const char *value)
{
	if (value && strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
		return wrong_value(L, name, value, "true or false (or nothing, for true)");
	lua_pushboolean(L, !value || *value == 't');
	return 1;
}

/* The value that the user gave, of the default's type; the default, when none. The last one counts. */
static int
push_value(lua_State *L, const char *name)
{
	int type = lua_type(L, 2);

	lua_pushvalue(L, 2);
	for (char **arg = control_of(L)->options->script_args; arg && *arg;) {
		const char *rest = behind_name(*arg, name), *value = rest && *rest == '=' ? rest + 1 : NULL;
		bool next = rest && !value && type != LUA_TBOOLEAN;

		if (!rest) {
			arg++;
			continue;
		}
		if (next)
			value = arg[1];
		lua_pop(L, 1);
		if (type == LUA_TBOOLEAN)
			push_flag(L, name, value);
		else if (type == LUA_TNUMBER)
			push_number(L, name, value);
		else if (value)
			lua_pushstring(L, value);
		else
			wrong_value(L, name, NULL, "a text");
		remove_args(arg, 1 + (next && value));
	}
	return 1;
}

static void
add_help(lua_State *L, const char *name, const char *doc)
{
	struct control *control = control_of(L);
	struct text line = { 0 };

	text_printf(&line, "--%s", name);
	if (!lua_isboolean(L, 2)) {
		text_putc(&line, '=');
		control_value_text(L, 2, &line);
	}
	text_printf(&control->help, "  %-22s %s\n", line.s, doc);
	text_fini(&line);
}

int
builtin_OPTION(lua_State *L)
{
	struct control *control = control_of(L);
	const char *name = luaL_checkstring(L, 1), *doc = luaL_checkstring(L, 3);

	if (control->phase != PHASE_MAIN)
		return luaL_error(L, "options are declared by the main chunk");
	if (control->has_arg)
		return luaL_error(L, "option(\"%s\") comes too late: arg was used before, and may hold it", name);
	if (!lua_isboolean(L, 2) && !lua_isinteger(L, 2) && lua_type(L, 2) != LUA_TSTRING)
		return luaL_error(L, "the default of option(\"%s\") is a number, a string, true or false", name);
	if (!*name || name[strcspn(name, "= \t\n")] || *name == '-' || strcmp(name, "help") == 0)
		return luaL_error(L, "'%s' is not a valid name for an option", name);
	add_help(L, name, doc);
	for (char **arg = control->options->script_args; arg && *arg; arg++)
		control->wants_help |= strcmp(*arg, "--help") == 0;
	return push_value(L, name);
}

bool
control_accepts_options(struct control *control)
{
	struct text usage = { 0 };

	if (!control->help.s)
		return !control->bad_usage;
	if (control->wants_help) {
		text_printf(&usage, "usage: ktap %s [options] [arguments] [-- command]\n\n", control->options->script_name);
		text_add(&usage, control->help.s, control->help.len);
		control->wants_help = false;
		control_write(control, usage.s, usage.len);
		text_fini(&usage);
		return false;
	}
	for (char **arg = control->options->script_args; arg && *arg && !control->bad_usage; arg++) {
		if (strncmp(*arg, "--", 2) != 0)
			continue;
		complain_to(session_messages(control->options), "%s: there is no option %.*s; '--help' lists what there is",
			    control->options->script_name, (int)strcspn(*arg, "="), *arg);
		control->bad_usage = true;
	}
	return !control->bad_usage;
}
