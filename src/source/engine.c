/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What all sources of the user engine do alike: make tables and machine, load programs, run them, hand on their records, give
 * access to tables. Relies on vm.h alone; knows nothing of where events come from.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

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
	vm_set_exec(of(source)->vm, exec);
}

void
engine_fini(struct engine *engine)
{
	struct loaded *loaded;

	while ((loaded = engine->loaded)) {
		engine->loaded = loaded->next;
		free(loaded->scratch);
		free(loaded);
	}
	vm_free(engine->vm);
	engine->vm = NULL;
}

struct loaded *
engine_load(struct engine *engine, const struct program *program, struct text *why)
{
	struct vm_signature signature = vm_handler_signature(program);
	const struct func *func = engine->source.object->funcs[program->func];
	struct text reason = { 0 };
	struct loaded *loaded;
	int err = 0;

	for (loaded = engine->loaded; loaded; loaded = loaded->next)
		if (loaded->program == program)
			return loaded;
	loaded = mem_alloc(sizeof(*loaded));
	if (!loaded)
		return NULL;
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
		text_printf(why, "the program '%s' that ktap made of this script was refused by ktap's own verifier. "
			    "This is a bug of ktap: please report it with the script and this message.\n%s",
			    func->name, reason.s ? reason.s : "");
	text_fini(&reason);
	free(loaded->scratch);
	free(loaded);
	errno = err ? -err : ENOMEM;
	return NULL;
}

void
engine_run(struct engine *engine, const struct loaded *loaded, const struct event *event, const void *record)
{
	const uint64_t args[5] = { (uintptr_t)record, 0, event->index, (uintptr_t)loaded->scratch, 0 };
	uint64_t result = vm_run(engine->vm, loaded->run, &engine->env, args);

	engine->n_events++;
	if (debug_on(DEBUG_VM))
		fprintf(stderr, "vm: %s: tid %" PRIu32 " (%s): %s -> %" PRIu64 "\n", event->name, engine->env.tid, engine->env.comm,
			engine->source.object->funcs[loaded->program->func]->name, result);
}

bool
engine_exited(const struct engine *engine)
{
	return engine->exit_flag && __atomic_load_n(engine->exit_flag, __ATOMIC_ACQUIRE);
}

void
engine_drain(struct engine *engine, struct sink *sink)
{
	uint32_t table = engine->source.object->table_records;

	if (table != UINT32_MAX)
		sink->n += vm_ringbuf_consume(engine->vm, table, sink->fn, sink->arg);
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
