/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * control_lib: the table B, the built-ins of builtins.def: a row there without a function here does not compile.
 *
 * Errors are Lua errors; luaL_error puts the script's line before them.
 */
#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <lauxlib.h>
#include <lua.h>

#include "session/session_int.h"

/* ---- values as text ----------------------------------------------------- */

bool
control_value(lua_State *L, int index, struct value *value)
{
	size_t len;

	*value = (struct value){ .kind = VALUE_NONE };
	switch (lua_type(L, index)) {
	case LUA_TNIL: return true;
	case LUA_TBOOLEAN:
		value->kind = VALUE_BOOL;
		value->number = lua_toboolean(L, index);
		return true;
	case LUA_TNUMBER:
		value->kind = VALUE_INT;
		value->number = lua_tointeger(L, index);
		return true;
	case LUA_TSTRING:
		value->kind = VALUE_STR;
		value->s = lua_tolstring(L, index, &len);
		value->len = len;
		return len <= UINT32_MAX;
	default: /* tables, functions, boxes */ return unbox_value(L, index, value);
	}
}

void
control_value_text(lua_State *L, int index, struct text *out)
{
	struct value value;

	if (control_stat(L, index))
		control_stat_text(control_stat(L, index), out);
	else if (control_value(L, index, &value))
		value_text(control_of(L)->names, &value, NULL, out);
	else if (lua_isfunction(L, index))
		text_puts(out, "function");
	else
		text_puts(out, "table");
}

/* ---- B: who and when. The process is ktap itself ------------------------ */

static int
builtin_PID(lua_State *L)
{
	lua_pushinteger(L, getpid());
	return 1;
}

static int
builtin_TID(lua_State *L)
{
	lua_pushinteger(L, gettid());
	return 1;
}

static int
builtin_PPID(lua_State *L)
{
	lua_pushinteger(L, getppid());
	return 1;
}

static int
builtin_UID(lua_State *L)
{
	lua_pushinteger(L, getuid());
	return 1;
}

static int
builtin_GID(lua_State *L)
{
	lua_pushinteger(L, getgid());
	return 1;
}

static int
builtin_CPU(lua_State *L)
{
	lua_pushinteger(L, sched_getcpu());
	return 1;
}

static int
builtin_EXECNAME(lua_State *L)
{
	char name[17] = "";

	prctl(PR_GET_NAME, name);
	lua_pushstring(L, name);
	return 1;
}

static int
builtin_COMM(lua_State *L)
{
	return builtin_EXECNAME(L);
}

static int
push_time(lua_State *L, clockid_t clock, lua_Integer ns_per_unit)
{
	struct timespec now;

	clock_gettime(clock, &now);
	lua_pushinteger(L, ((lua_Integer)now.tv_sec * 1000000000 + now.tv_nsec) / ns_per_unit);
	return 1;
}

static int
builtin_NSECS(lua_State *L)
{
	return push_time(L, CLOCK_MONOTONIC, 1);
}

static int
builtin_GETTIMEOFDAY_NS(lua_State *L)
{
	return push_time(L, CLOCK_REALTIME, 1);
}

static int
builtin_GETTIMEOFDAY_US(lua_State *L)
{
	return push_time(L, CLOCK_REALTIME, 1000);
}

static int
builtin_GETTIMEOFDAY_MS(lua_State *L)
{
	return push_time(L, CLOCK_REALTIME, 1000000);
}

static int
builtin_GETTIMEOFDAY_S(lua_State *L)
{
	return push_time(L, CLOCK_REALTIME, 1000000000);
}

/* ---- B: output ---------------------------------------------------------- */

void
control_write(struct control *control, const char *s, size_t len)
{
	if (!control->wants_help)
		output_write(control->out, s, len);
}

/* Prints; a reader that has gone away ends the run. */
static int
emit(lua_State *L, const char *s, size_t len)
{
	struct control *control = control_of(L);

	control_write(control, s, len);
	return output_error(control->out) ? control_exit(L) : 0;
}

static int
builtin_PRINT(lua_State *L)
{
	struct text *text = &control_of(L)->text;
	int n = lua_gettop(L);

	text_clear(text);
	for (int i = 1; i <= n; i++) {
		if (i > 1)
			text_putc(text, '\t');
		control_value_text(L, i, text);
	}
	text_putc(text, '\n');
	return emit(L, text->s, text->len);
}

/* The format at 1 with its values; leaves the text in control->text. */
static const struct text *
format_text(lua_State *L, const char *who)
{
	struct control *control = control_of(L);
	struct text *text = &control->text, why = { 0 };
	int n = lua_gettop(L) - 1, err;
	size_t len;
	const char *format = luaL_checklstring(L, 1, &len);
	struct value *values = lua_newuserdatauv(L, (size_t)(n + 1) * sizeof(*values), 0);

	for (int i = 0; i < n; i++)
		if (!control_value(L, i + 2, &values[i]))
			luaL_error(L, "%s: wrong type of argument %d: a %s cannot be printed", who, i + 2,
				   luaL_typename(L, i + 2));
	text_clear(text);
	err = printf_text(control->names, format, len, values, (uint32_t)n, NULL, text, &why);
	lua_pushstring(L, why.s ? why.s : "");
	text_fini(&why);
	if (err)
		luaL_error(L, "%s", lua_tostring(L, -1));
	return text;
}

static int
builtin_PRINTF(lua_State *L)
{
	const struct text *text = format_text(L, "printf");

	return emit(L, text->s ? text->s : "", text->len);
}

static int
builtin_PRINT_HIST(lua_State *L)
{
	control_print_hist(L);
	return emit(L, "", 0);
}

static int
builtin_PRINT_TRACE_CLOCK(lua_State *L)
{
	struct timespec now;
	char line[64];
	int len;

	clock_gettime(CLOCK_MONOTONIC, &now);
	len = snprintf(line, sizeof(line), "%5llu.%06llu\n", (unsigned long long)now.tv_sec,
		       (unsigned long long)now.tv_nsec / 1000);
	return emit(L, line, len);
}

/* ---- B: values and tables ----------------------------------------------- */

static int
builtin_PAIRS(lua_State *L)
{
	return control_pairs(L);
}

static int
builtin_SORTED(lua_State *L)
{
	return control_sorted(L);
}

static lua_Integer
count_entries(lua_State *L, int index)
{
	lua_Integer n = 0;

	lua_pushnil(L);
	for (; lua_next(L, index); lua_pop(L, 1))
		n++;
	return n;
}

static int
builtin_LEN(lua_State *L)
{
	const struct shared *shared = shared_table(L, 1);

	if (lua_type(L, 1) == LUA_TSTRING)
		lua_pushinteger(L, (lua_Integer)lua_rawlen(L, 1));
	else if (shared)
		lua_pushinteger(L, shared_count(L, shared));
	else if (lua_istable(L, 1))
		lua_pushinteger(L, count_entries(L, 1));
	else
		luaL_error(L, "cannot get length of a %s", luaL_typename(L, 1));
	return 1;
}

static int
builtin_DELETE(lua_State *L)
{
	const struct shared *shared = shared_table(L, 1);

	lua_settop(L, 1);
	if (shared) {
		shared_clear(L, shared);
		return 0;
	}
	if (!lua_istable(L, 1))
		luaL_error(L, "delete() empties a table, and this is a %s; assigning nil removes an element: t[k] = nil", luaL_typename(L, 1));
	lua_pushnil(L);
	while (lua_next(L, 1)) { /* clearing fields does not disturb lua_next */
		lua_pop(L, 1);
		lua_pushvalue(L, -1);
		lua_pushnil(L);
		lua_rawset(L, 1);
	}
	return 0;
}

static int
builtin_STRINGOF(lua_State *L)
{
	struct text *text = &control_of(L)->text;

	luaL_checkany(L, 1);
	text_clear(text);
	control_value_text(L, 1, text);
	lua_pushlstring(L, text->s ? text->s : "", text->len);
	return 1;
}

static int
builtin_STRING_FORMAT(lua_State *L)
{
	const struct text *text = format_text(L, "string.format");

	lua_pushlstring(L, text->s ? text->s : "", text->len);
	return 1;
}

static int
builtin_NUMBEROF(lua_State *L)
{
	return control_numberof(L);
}

/* What Lua's library does as well. */
#define STRING_FUNCTION(id, name)              \
	static int                             \
	builtin_STRING_##id(lua_State *L)      \
	{                                      \
		return control_string(L, name); \
	}

STRING_FUNCTION(SUB, "sub")
STRING_FUNCTION(UPPER, "upper")
STRING_FUNCTION(LOWER, "lower")
STRING_FUNCTION(REP, "rep")
STRING_FUNCTION(REVERSE, "reverse")
STRING_FUNCTION(BYTE, "byte")
STRING_FUNCTION(CHAR, "char")
STRING_FUNCTION(FIND, "find")
STRING_FUNCTION(MATCH, "match")
STRING_FUNCTION(GMATCH, "gmatch")
STRING_FUNCTION(GSUB, "gsub")

static int
builtin_IPOF(lua_State *L)
{
	const struct value address = { .kind = VALUE_KSYM, .number = control_operand(L, 1) };

	box_value(L, &address);
	return 1;
}

static int
builtin_NET_FORMAT_IP_ADDR(lua_State *L)
{
	lua_Unsigned n = (lua_Unsigned)control_operand(L, 1);

	lua_pushfstring(L, "%d.%d.%d.%d", (int)(n & 255), (int)(n >> 8 & 255), (int)(n >> 16 & 255), (int)(n >> 24 & 255));
	return 1;
}

static int
builtin_XOR(lua_State *L)
{
	lua_pushinteger(L, control_operand(L, 1) ^ control_operand(L, 2));
	return 1;
}

#define PREALLOC_MAX 65536 /* entries given room in advance; tables grow past it */

static int
clamp_size(lua_Integer n)
{
	return n < 0 ? 0 : n > PREALLOC_MAX ? PREALLOC_MAX : (int)n;
}

static int
builtin_TABLE_NEW(lua_State *L)
{
	lua_createtable(L, clamp_size(luaL_optinteger(L, 1, 0)), clamp_size(luaL_optinteger(L, 2, 0)));
	return 1;
}

/* ---- B: statistics ------------------------------------------------------ */

static int
builtin_COUNT(lua_State *L)
{
	return control_read_stat(L, READ_COUNT);
}

static int
builtin_SUM(lua_State *L)
{
	return control_read_stat(L, READ_SUM);
}

static int
builtin_AVG(lua_State *L)
{
	return control_read_stat(L, READ_AVG);
}

static int
builtin_MIN(lua_State *L)
{
	return control_read_stat(L, READ_MIN);
}

static int
builtin_MAX(lua_State *L)
{
	return control_read_stat(L, READ_MAX);
}

static int
builtin_STDDEV(lua_State *L)
{
	return control_read_stat(L, READ_STDDEV);
}

static int
builtin_HIST_LINEAR(lua_State *L)
{
	return control_hist_linear(L);
}

/* ---- B: the run --------------------------------------------------------- */

static int
builtin_EXIT(lua_State *L)
{
	return control_exit(L);
}

/* In the child: as any program begins, whatever ktap does with signals; what it prints goes where the script's output goes. */
static _Noreturn void
exec_shell(const char *command, int out_fd)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (out_fd != STDOUT_FILENO)
		dup2(out_fd, STDOUT_FILENO);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

static int
builtin_SYSTEM(lua_State *L)
{
	struct control *control = control_of(L);
	const char *command = luaL_checkstring(L, 1);
	pid_t pid, done;
	int status;

	if (!control->options->unsafe)
		return luaL_error(L, "system() starts programs, which ktap does only when it is run with --unsafe");
	output_begin(control->out);
	output_flush(control->out); /* what was printed before comes before */
	pid = fork();
	if (pid == 0)
		exec_shell(command, control->options->out_fd);
	if (pid < 0)
		return luaL_error(L, "system(): no new process: %s", strerror(errno));
	do
		done = waitpid(pid, &status, 0);
	while (done < 0 && errno == EINTR);
	if (done < 0)
		return luaL_error(L, "system(): %s", strerror(errno));
	lua_pushinteger(L, WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
	return 1;
}

static int
builtin_NUM_CPUS(lua_State *L)
{
	lua_pushinteger(L, sysconf(_SC_NPROCESSORS_ONLN));
	return 1;
}

static int
builtin_ARCH(lua_State *L)
{
	struct utsname name;

	uname(&name);
	lua_pushstring(L, name.machine);
	return 1;
}

static int
builtin_KERNEL_V(lua_State *L)
{
	struct utsname name;

	uname(&name);
	lua_pushstring(L, name.release);
	return 1;
}

/* An argument that is a whole decimal 32-bit number becomes a number. */
static void
push_argument(lua_State *L, const char *s)
{
	char *end;
	long number = strtol(s, &end, 10);
	const char *digits = *s == '-' ? s + 1 : s;

	if (*digits >= '0' && *digits <= '9' && *end == 0 && number >= INT32_MIN && number <= INT32_MAX)
		lua_pushinteger(L, number);
	else
		lua_pushstring(L, s);
}

static const char arg_table; /* its address is the registry key of the table `arg` */

static int
builtin_ARG(lua_State *L)
{
	const struct session_options *options = control_of(L)->options;

	if (lua_rawgetp(L, LUA_REGISTRYINDEX, &arg_table) == LUA_TTABLE)
		return 1;
	control_of(L)->has_arg = true;
	lua_newtable(L);
	lua_pushstring(L, options->script_name);
	lua_rawseti(L, -2, 0);
	for (int i = 0; options->script_args && options->script_args[i]; i++) {
		push_argument(L, options->script_args[i]);
		lua_rawseti(L, -2, i + 1);
	}
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &arg_table);
	return 1;
}

/* ---- B: registering by a function call ---------------------------------- */

static void
collect_event(struct event *event, void *arg)
{
	lua_State *L = arg;

	lua_pushlightuserdata(L, event);
	lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}

static int
unknown_event(lua_State *L, const char *name)
{
	struct control *control = control_of(L);
	const struct event *near = events_suggest(control->events, name);
	int err = events_tracefs_error(control->events);

	if (err)
		return luaL_error(L, "unknown event '%s' (tracefs cannot be read: %s)", name, strerror(-err));
	if (near)
		return luaL_error(L, "unknown event '%s'; do you mean '%s:%s'?", name, near->system,
				  near->name);
	return luaL_error(L, "unknown event '%s'; 'ktap list' shows what there is", name);
}

/* The number of a handler, which the compiler has put in place of the function. */
static lua_Integer
check_handler(lua_State *L, int index)
{
	if (!lua_isinteger(L, index))
		luaL_error(L, "the handler must be written out as a function, or be the name of one");
	return lua_tointeger(L, index);
}

static int
builtin_KDEBUG_TRACEPOINT(lua_State *L)
{
	const char *name = luaL_checkstring(L, 1);
	lua_Integer handler = check_handler(L, 2);
	int n;

	lua_newtable(L);
	n = events_match(control_of(L)->events, name, collect_event, L);
	if (n < 0)
		return luaL_error(L, "cannot parse event '%s': 'system:name' is needed", name);
	if (n == 0)
		return unknown_event(L, name);
	for (int i = 1; i <= n; i++) {
		lua_rawgeti(L, -1, i);
		control_register(L, handler, lua_touserdata(L, -1));
		lua_pop(L, 1);
	}
	return 0;
}

static int
builtin_KDEBUG_KPROBE(lua_State *L)
{
	const char *symbol = luaL_checkstring(L, 1);
	lua_Integer handler = check_handler(L, 2);

	control_register(L, handler, events_kprobe(control_of(L)->events, symbol));
	return 0;
}

static int
builtin_KDEBUG_TRACE_END(lua_State *L)
{
	control_register_end(L, 1);
	return 0;
}

static uint64_t
check_interval(lua_State *L, int index)
{
	size_t len;
	const char *s = luaL_checklstring(L, index, &len), *wrong;
	uint64_t ns = 0;

	wrong = interval_parse(s, (uint32_t)len, &ns);
	if (wrong)
		luaL_error(L, "cannot parse timer interval: %s: %s", s, wrong);
	return ns;
}

static int
builtin_TIMER_TICK(lua_State *L)
{
	control_register_tick(L, check_interval(L, 1), 2);
	return 0;
}

static int
builtin_TIMER_PROFILE(lua_State *L)
{
	check_interval(L, 1);
	control_register(L, check_handler(L, 2), NULL);
	return 0;
}

/* ---- B: the terminal ---------------------------------------------------- */

static int
emit_colors(lua_State *L, int n)
{
	char sequence[96];
	int len = snprintf(sequence, sizeof(sequence), "\033[");

	for (int i = 1; i <= n; i++)
		len += snprintf(sequence + len, sizeof(sequence) - len, i > 1 ? ";%lld" : "%lld",
				luaL_checkinteger(L, i));
	len += snprintf(sequence + len, sizeof(sequence) - len, "m");
	return emit(L, sequence, len);
}

static int
builtin_ANSI_CLEAR_SCREEN(lua_State *L)
{
	const char sequence[] = "\033[1;1H\033[J";

	return emit(L, sequence, sizeof(sequence) - 1);
}

static int
builtin_ANSI_SET_COLOR(lua_State *L)
{
	return emit_colors(L, 1);
}

static int
builtin_ANSI_SET_COLOR2(lua_State *L)
{
	return emit_colors(L, 2);
}

static int
builtin_ANSI_SET_COLOR3(lua_State *L)
{
	return emit_colors(L, luaL_checkinteger(L, 3) ? 3 : 2);
}

static int
builtin_ANSI_RESET_COLOR(lua_State *L)
{
	const char sequence[] = "\033[0;0m";

	return emit(L, sequence, sizeof(sequence) - 1);
}

static int
builtin_ANSI_NEW_LINE(lua_State *L)
{
	return emit(L, "\n", 1);
}

/* ---- the two tables ----------------------------------------------------- */

#define ROW_HALF_PROBE(id, prototype)
#define ROW_HALF_CONTROL(id, prototype) { prototype, builtin_##id },
#define ROW_HALF_BOTH(id, prototype)    { prototype, builtin_##id },

static const struct {
	const char *prototype;
	lua_CFunction function;
} b_functions[] = {
#define BUILTIN(id, prototype, halves, doc, example) ROW_##halves(id, prototype)
#include "lang/builtins.def"
#undef BUILTIN
};

/* "timer.tick(interval: string, ...)" -> timer_tick */
static void
push_builtin_name(lua_State *L, const char *prototype)
{
	lua_pushlstring(L, prototype, strcspn(prototype, "(:"));
	luaL_gsub(L, lua_tostring(L, -1), ".", "_");
	lua_remove(L, -2);
}

void
control_push_builtins(lua_State *L)
{
	lua_createtable(L, 0, ARRAY_SIZE(b_functions));
	for (size_t i = 0; i < ARRAY_SIZE(b_functions); i++) {
		push_builtin_name(L, b_functions[i].prototype);
		lua_pushcfunction(L, b_functions[i].function);
		lua_rawset(L, -3);
	}
}
