/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * control: the life of the control half. A Lua state that holds nothing but K, G and B (codegen.h): no
 * libraries of Lua, so no files, no processes, no code loaded from text.
 *
 * A part of the script (main, a tick, a signal's handler, trace_end) runs to its end, or until exit(), an error, or Ctrl-C,
 * which a hook looks for every HOOK_STEPS instructions, as it does for the end of the steps that a part may take (session_options.steps_max).
 * exit() and Ctrl-C unwind by lua_error with an address that no script can get hold of.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <lauxlib.h>
#include <lua.h>

#include "session/session_int.h"

#define HOOK_STEPS 100000 /* a millisecond or so */
#define CHUNK_NAME "\1"   /* stands before the line in Lua's messages; we put the script's name there */

static const char exit_mark, interrupt_mark;

struct control *
control_of(lua_State *L)
{
	struct control *control;

	memcpy(&control, lua_getextraspace(L), sizeof(control));
	return control;
}

int
control_exit(lua_State *L)
{
	lua_pushlightuserdata(L, (void *)&exit_mark);
	return lua_error(L);
}

/* An error at the line that runs: luaL_error in a hook would name its caller's. */
static void
end_of_steps(lua_State *L, lua_Debug *ar, uint64_t steps_max)
{
	lua_getinfo(L, "l", ar);
	lua_pushfstring(L, CHUNK_NAME ":%d: this takes too long: about %I steps are allowed at a time", ar->currentline, (LUAI_UACINT)steps_max);
	lua_error(L);
}

static void
look_for_end(lua_State *L, lua_Debug *ar)
{
	struct control *control = control_of(L);
	uint64_t steps_max = control->options->steps_max;

	control->n_steps += HOOK_STEPS;
	if (steps_max && control->n_steps > steps_max)
		end_of_steps(L, ar, steps_max);
	if (!interrupt_seen(control->interrupt))
		return;
	lua_pushlightuserdata(L, (void *)&interrupt_mark);
	lua_error(L);
}

/* ---- registration ------------------------------------------------------- */

static void
main_only(lua_State *L, const char *what)
{
	if (control_of(L)->phase != PHASE_MAIN)
		luaL_error(L, "%s can be registered only before tracing starts", what);
}

/* Room for one more element, or a Lua error. */
static void *
grow(lua_State *L, void *array, uint32_t n, uint32_t *cap, size_t size)
{
	array = mem_grow(array, n, cap, size);
	if (!array)
		luaL_error(L, "out of memory");
	return array;
}

void
control_register(lua_State *L, int64_t handler, struct event *event)
{
	struct control *control = control_of(L);

	main_only(L, "a handler");
	if (!control->source || handler < 0 || handler >= control->object->n_handlers)
		luaL_error(L, "handler %d does not exist", (int)handler);
	control->registrations = grow(L, control->registrations, control->n_registrations,
				      &control->cap_registrations, sizeof(*control->registrations));
	control->registrations[control->n_registrations++] =
		(struct registration){ .handler = (uint32_t)handler, .event = event };
}

void
control_register_tick(lua_State *L, uint64_t period_ns, int function)
{
	struct control *control = control_of(L);

	main_only(L, "a tick");
	luaL_argcheck(L, lua_isfunction(L, function), function, "a function is needed");
	luaL_argcheck(L, period_ns > 0, 1, "an interval cannot be 0");
	control->ticks =
		grow(L, control->ticks, control->n_ticks, &control->cap_ticks, sizeof(*control->ticks));
	lua_pushvalue(L, function);
	control->ticks[control->n_ticks++] =
		(struct tick){ .period_ns = period_ns, .function = luaL_ref(L, LUA_REGISTRYINDEX) };
}

void
control_register_signal(lua_State *L, const char *name, int function)
{
	struct control *control = control_of(L);
	int signal = signal_number(name), err;

	main_only(L, "a handler of a signal");
	luaL_argcheck(L, lua_isfunction(L, function), function, "a function is needed");
	luaL_argcheck(L, signal > 0, 1, "a signal that scripts may handle is needed");
	if (control->options->is_guest)
		luaL_error(L, "%s belongs to the program that runs this script", name);
	control->signal_handlers = grow(L, control->signal_handlers, control->n_signal_handlers,
					&control->cap_signal_handlers, sizeof(*control->signal_handlers));
	err = signal_block(signal);
	if (err < 0)
		luaL_error(L, "%s cannot be handled: %s", name, strerror(-err));
	lua_pushvalue(L, function);
	control->signal_handlers[control->n_signal_handlers++] =
		(struct signal_handler){ .signal = signal, .function = luaL_ref(L, LUA_REGISTRYINDEX) };
}

void
control_register_end(lua_State *L, int function)
{
	struct control *control = control_of(L);

	main_only(L, "trace_end");
	luaL_argcheck(L, lua_isfunction(L, function), function, "a function is needed");
	lua_pushvalue(L, function);
	luaL_unref(L, LUA_REGISTRYINDEX, control->trace_end); /* the last one wins */
	control->trace_end = luaL_ref(L, LUA_REGISTRYINDEX);
}

/* ---- messages ----------------------------------------------------------- */

/* Splits "\1:LINE: TEXT". Returns TEXT and sets *line, or the whole with *line 0. */
static const char *
split_message(const char *message, unsigned long *line)
{
	const char *prefix = CHUNK_NAME ":";
	char *end;

	*line = 0;
	if (strncmp(message, prefix, strlen(prefix)) != 0)
		return message;
	*line = strtoul(message + strlen(prefix), &end, 10);
	return strncmp(end, ": ", 2) == 0 ? end + 2 : end;
}

static void
message_text(const struct control *control, const char *message, struct text *out)
{
	unsigned long line;
	const char *text = split_message(message ? message : "unknown error", &line);

	text_puts(out, control->object->script ? control->object->script->name : control->object->name);
	if (line)
		text_printf(out, ":%lu", line);
	if (strstr(text, "(for iterator"))
		text_printf(out, ": error: %.*safter 'in'; a loop goes through pairs(t), or sorted(t)", (int)strcspn(text, "("), text);
	else
		text_printf(out, ": error: %s", text);
}

static void
print_message(struct control *control, const char *message)
{
	struct text text = { 0 };

	message_text(control, message, &text);
	output_flush(control->out); /* what was printed before the error comes before its message */
	fprintf(session_messages(control->options), "%s\n", text.s);
	text_fini(&text);
}

/* ---- running ------------------------------------------------------------ */

/* Calls the function on top of the stack without arguments. */
static enum control_result
run(struct control *control)
{
	lua_State *L = control->L;
	const void *mark;
	enum control_result result = CONTROL_ERROR;

	/* Once Ctrl-C has ended the tracing, trace_end runs all the same; a second one ends the process. */
	control->n_steps = 0;
	if (control->interrupt->seen)
		lua_sethook(L, NULL, 0, 0);
	else
		lua_sethook(L, look_for_end, LUA_MASKCOUNT, HOOK_STEPS);
	if (lua_pcall(L, 0, 0, 0) == LUA_OK)
		return CONTROL_DONE;
	mark = lua_touserdata(L, -1);
	if (mark == &exit_mark)
		result = CONTROL_EXIT;
	else if (mark == &interrupt_mark)
		result = CONTROL_INTERRUPTED;
	else
		print_message(control, lua_tostring(L, -1));
	lua_settop(L, 0);
	return result;
}

enum control_result
control_main(struct control *control)
{
	return run(control); /* control_open has left the chunk on the stack */
}

/* A handler, by its reference, while tracing goes on. */
static enum control_result
run_handler(struct control *control, int function)
{
	control->phase = PHASE_RUNNING;
	lua_rawgeti(control->L, LUA_REGISTRYINDEX, function);
	return run(control);
}

enum control_result
control_tick(struct control *control, const struct tick *tick)
{
	return run_handler(control, tick->function);
}

enum control_result
control_signal(struct control *control, const struct signal_handler *handler)
{
	return run_handler(control, handler->function);
}

enum control_result
control_end(struct control *control)
{
	control->phase = PHASE_END;
	if (control->trace_end == LUA_NOREF)
		return CONTROL_DONE;
	lua_rawgeti(control->L, LUA_REGISTRYINDEX, control->trace_end);
	return run(control);
}

/* ---- opening ------------------------------------------------------------ */

/* Leaves the chunk on the stack. Runs protected, so that want of memory is an error like others. */
static int
prepare(lua_State *L)
{
	const struct object *object = control_of(L)->object;
	const char *text = object->control ? object->control : "";

	if (luaL_loadbufferx(L, text, object->control_len, "=" CHUNK_NAME, "t") != LUA_OK)
		return lua_error(L);
	lua_newtable(L);
	control_push_operators(L);
	control_push_builtins(L);
	lua_setfield(L, -3, "B");
	lua_setfield(L, -2, "K");
	control_push_globals(L);
	lua_setfield(L, -2, "G");
	lua_setupvalue(L, -2, 1); /* _ENV */
	return 1;
}

static bool
alloc_buffers(struct control *control)
{
	const struct object *object = control->object;
	size_t key = 8, value = 8, n_cpus = control->source ? control->source->n_cpus : 1;

	for (uint32_t i = 0; i < object->n_tables; i++) {
		const struct table *table = object->tables[i];
		size_t len =
			round_up(table->value_size, 8) * (table_kind_is_per_cpu(table->kind) ? n_cpus : 1);

		if (table->n_key_parts == 0 && table->value.kind != VALUE_STAT)
			continue;
		key = table->key_size > key ? table->key_size : key;
		value = len > value ? len : value;
	}
	control->key = mem_alloc(key);
	control->next_key = mem_alloc(key);
	control->value = mem_alloc(value);
	return control->key && control->next_key && control->value;
}

/* lua_Alloc, as Lua's own, but no more than memory_max. */
static void *
allocate(void *arg, void *old, size_t old_size, size_t size)
{
	struct control *control = arg;
	size_t left, had = old ? old_size : 0; /* of new ones it says what they are for */
	void *new = NULL;

	left = control->memory - had < control->options->memory_max ? control->options->memory_max - (control->memory - had) : 0;
	if (size && (size <= left || size <= had)) /* Lua relies on it that less is never refused */
		new = realloc(old, size);
	else if (!size)
		free(old);
	if (new || !size)
		control->memory += size - had;
	return new;
}

static void
limit_memory(struct control *control)
{
	lua_State *L = control->L;

	control->memory = (size_t)lua_gc(L, LUA_GCCOUNT) * 1024 + (size_t)lua_gc(L, LUA_GCCOUNTB);
	lua_setallocf(L, allocate, control);
}

int
control_open(struct control *control, struct text *why)
{
	control->trace_end = LUA_NOREF;
	control->L = luaL_newstate();
	if (!control->L || !alloc_buffers(control)) {
		text_puts(why, "out of memory");
		return -ENOMEM;
	}
	memcpy(lua_getextraspace(control->L), &control, sizeof(control));
	if (control->options->memory_max)
		limit_memory(control);
	lua_pushcfunction(control->L, prepare);
	if (lua_pcall(control->L, 0, 1, 0) == LUA_OK)
		return 0;
	message_text(control, lua_tostring(control->L, -1), why);
	return -EINVAL;
}

void
control_close(struct control *control)
{
	if (control->L)
		lua_close(control->L);
	free(control->registrations);
	free(control->ticks);
	free(control->signal_handlers);
	free(control->key);
	free(control->next_key);
	free(control->value);
	text_fini(&control->help);
	text_fini(&control->text);
	text_fini(&control->hist);
}
