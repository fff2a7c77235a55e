/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What all sources of the user engine do alike: make tables and machine, load programs, run them, hand on their records, give
 * access to tables. Relies on vm.h alone; knows nothing of where events come from.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "source/engine.h"

static struct engine *
of(struct source *source)
{
	return (struct engine *)((char *)source - offsetof(struct engine, source));
}

int
engine_init(struct engine *engine, const struct source_ops *ops, const struct object *object, struct events *events,
	    uint32_t n_cpus, struct text *why)
{
	const char *memory;

	engine->source = (struct source){ .ops = ops, .object = object, .n_cpus = n_cpus };
	engine->events = events;
	engine->vm = vm_new(object, n_cpus, why);
	if (!engine->vm)
		return -ENOMEM;
	memory = engine_globals(&engine->source);
	if (memory && object->exit_flag_off != UINT32_MAX)
		engine->exit_flag = (const uint64_t *)(const void *)(memory + object->exit_flag_off);
	return 0;
}

void
source_set_exec(struct source *source, enum vm_exec exec)
{
	of(source)->exec = exec;
	vm_set_exec(of(source)->vm, exec);
}

void
source_set_callx(struct source *source, enum vm_callx callx)
{
	of(source)->callx = callx;
}

uint32_t
source_user_lacks(const struct object *object, struct text *list)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < object->n_needs; i++) {
		const struct object_need *need = &object->needs[i];

		if ((need->kind != NEED_TABLE || table_kind_of((uint32_t)need->number)) &&
		    (need->kind != NEED_HELPER || vm_has_helper(need->number)))
			continue; /* the rest is the kernel's only */
		text_puts(list, n++ ? ", " : "");
		need_print(need, list);
	}
	return n;
}

void
engine_fini(struct engine *engine)
{
	struct loaded *loaded;
	struct own_hook *moment;

	while ((moment = engine->moments)) {
		engine->moments = moment->next;
		free(moment);
	}
	while ((loaded = engine->loaded)) {
		engine->loaded = loaded->next;
		free(loaded->scratch);
		free(loaded);
	}
	vm_free(engine->vm);
	engine->vm = NULL;
}

/* vm_env.print: on to who runs the source. */
static void
print_line(void *arg, const struct vm_env *env, const char *line, size_t len)
{
	const struct source *source = arg;
	struct text text = { 0 };

	text_printf(&text, "%.16s-%" PRIu32 ": %.*s", env->comm, env->tid, (int)len, line);
	source->print(source->print_arg, text.s, text.len);
	text_fini(&text);
}

/* What a program of a C compiler was refused for is its author's to know; one that ktap made is ktap's own mistake. */
static void
explain_refusal(const struct program *program, const struct func *func, const char *reason, struct text *why)
{
	if (program->shape == PROGRAM_C)
		text_printf(why, "program '%s' (%s) is refused: %s", func->name, func->section, reason);
	else
		text_printf(why, "the program '%s' that ktap made of this script was refused by ktap's own verifier. "
			    "This is a bug of ktap: please report it with the script and this message.\n%s", func->name, reason);
}

struct loaded *
engine_load(struct engine *engine, const struct program *program, struct text *why)
{
	struct vm_signature signature = vm_handler_signature(program);
	const struct func *func = engine->source.object->funcs[program->func];
	struct text reason = { 0 };
	struct loaded *loaded;
	int err = 0;

	signature.callx = engine->callx;
	for (loaded = engine->loaded; loaded; loaded = loaded->next)
		if (loaded->program == program)
			return loaded;
	loaded = mem_alloc(sizeof(*loaded));
	if (!loaded)
		return NULL;
	if (engine->source.print) {
		engine->env.print = print_line;
		engine->env.print_arg = &engine->source;
	}
	loaded->program = program;
	loaded->scratch = program->scratch_size ? mem_alloc(program->scratch_size) : NULL;
	if (!program->scratch_size || loaded->scratch)
		loaded->run = vm_load(engine->vm, func, &signature, &reason, &err);
	if (loaded->run) {
		loaded->next = engine->loaded;
		engine->loaded = loaded;
		return loaded;
	}
	if (err == -EINVAL || err == -EACCES || err == -E2BIG)
		explain_refusal(program, func, reason.s ? reason.s : "", why);
	text_fini(&reason);
	free(loaded->scratch);
	free(loaded);
	errno = err ? -err : ENOMEM;
	return NULL;
}

void
engine_run(struct engine *engine, const struct loaded *loaded, const struct event *event, const void *record)
{
	const uint64_t args[5] = { (uintptr_t)record, 0, event->index, vm_env_ids(&engine->env), (uintptr_t)loaded->scratch };
	uint64_t result = vm_run(engine->vm, loaded->run, &engine->env, args);

	engine->n_events++;
	if (debug_on(DEBUG_VM))
		fprintf(stderr, "vm: %s: tid %" PRIu32 " (%s): %s -> %" PRIu64 "\n", event->name, engine->env.tid, engine->env.comm,
			engine->source.object->funcs[loaded->program->func]->name, result);
}

/* Nobody else's event: ktap itself raised it, whose memory and stack are not looked at. */
static void
set_own_env(struct engine *engine)
{
	struct vm_env *env = &engine->env;

	env->pid = env->tid = (uint32_t)getpid();
	env->uid = getuid();
	env->gid = getgid();
	env->cpu = 0;
	env->ktime_ns = engine->source.ops->time ? engine->source.ops->time(&engine->source) : clock_now();
	env->read_user = NULL;
	env->unwind = env->unwind_kernel = NULL;
	memset(env->comm, 0, sizeof(env->comm));
	memcpy(env->comm, "ktap", sizeof("ktap"));
}

int
engine_once(struct source *source, const struct program *program, struct text *why)
{
	struct engine *engine = of(source);
	const struct loaded *loaded = engine_load(engine, program, why);
	const struct vm_env saved = engine->env;
	const uint64_t args[5] = { 0 };

	if (!loaded)
		return -errno;
	set_own_env(engine);
	vm_run(engine->vm, loaded->run, &engine->env, args);
	engine->env = saved;
	return 0;
}

int
engine_put(struct source *source, const struct program *program, uint32_t table, uint32_t place, struct text *why)
{
	const struct loaded *loaded = engine_load(of(source), program, why);

	return loaded ? vm_table_put_program(of(source)->vm, table, place, loaded->run, why) : -errno;
}

int
engine_add_moment(struct engine *engine, const struct program *program, const struct event *event, struct text *why)
{
	const struct loaded *loaded = engine_load(engine, program, why);
	struct own_hook **at = &engine->moments;

	if (!loaded)
		return -errno;
	while (*at)
		at = &(*at)->next;
	*at = mem_alloc(sizeof(**at));
	if (!*at)
		return -ENOMEM;
	**at = (struct own_hook){ .loaded = loaded, .event = event };
	return 0;
}

void
engine_run_moments(struct engine *engine, enum event_kind kind)
{
	const struct vm_env saved = engine->env;

	set_own_env(engine);
	for (const struct own_hook *moment = engine->moments; moment; moment = moment->next)
		if (moment->event->kind == kind)
			engine_run(engine, moment->loaded, moment->event, NULL);
	engine->env = saved;
}

int
engine_finish(struct source *source, struct text *why)
{
	(void)why;
	engine_run_moments(of(source), EVENT_FINI);
	return 0;
}

bool
engine_exited(const struct engine *engine)
{
	return engine->exit_flag && __atomic_load_n(engine->exit_flag, __ATOMIC_ACQUIRE);
}

void
engine_drain(struct engine *engine, struct sink *sink)
{
	const struct object *object = engine->source.object;

	for (uint32_t i = 0; i < object->n_tables; i++)
		if (object->tables[i]->kind == TABLE_RINGBUF || object->tables[i]->kind == TABLE_PERF_EVENTS)
			sink->n += vm_ringbuf_consume(engine->vm, i, sink->fn, sink->arg);
}

/* Scripts have one ring buffer. */
int
engine_poll_fds(struct source *source, int *fds, int max)
{
	uint32_t records = source->object->table_records;

	if (records == UINT32_MAX || max < 1)
		return 0;
	fds[0] = vm_ringbuf_fd(of(source)->vm, records);
	return fds[0] >= 0;
}

int
engine_pump(struct source *source, void (*fn)(void *arg, const void *record, size_t len), void *arg)
{
	struct sink sink = { fn, arg, 0 };

	engine_drain(of(source), &sink);
	return sink.n;
}

int
engine_lookup(struct source *source, uint32_t table, const void *key, void *value)
{
	return vm_table_lookup(of(source)->vm, table, key, value);
}

int
engine_update(struct source *source, uint32_t table, const void *key, const void *value, uint64_t flags)
{
	return vm_table_update(of(source)->vm, table, key, value, flags);
}

int
engine_remove(struct source *source, uint32_t table, const void *key)
{
	return vm_table_delete(of(source)->vm, table, key);
}

int
engine_next(struct source *source, uint32_t table, const void *key, void *next)
{
	return vm_table_next(of(source)->vm, table, key, next);
}

void *
engine_globals(struct source *source)
{
	uint32_t table = source->object->table_globals;

	return table == UINT32_MAX ? NULL : vm_table_memory(of(source)->vm, table);
}

void
engine_stats(const struct source *source, struct source_stats *stats)
{
	stats->n_events = ((const struct engine *)((const char *)source - offsetof(struct engine, source)))->n_events;
}
