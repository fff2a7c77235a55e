/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * libktap: objects and their programs: read, fitted to the kernel's types where they ask for that, verified, compiled, run.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/host_int.h"

/* ---- who runs ----------------------------------------------------------------------------------------------------------------------- */

/* vm_env.print, for objects with a printer. */
static void
print_line(void *arg, const struct vm_env *env, const char *line, size_t len)
{
	const struct ktap_object *object = arg;

	(void)env;
	object->print(object->print_arg, line, len);
}

static _Thread_local struct vm_env self; /* tid 0: not known yet */

/* In the child of fork(2), whose one thread is the one that called it: it has other numbers there. */
static void
forget_thread(void)
{
	self.tid = 0;
}

static void
watch_forks(void)
{
	pthread_atfork(NULL, NULL, forget_thread); /* without memory for it, a child shows its parent's numbers */
}

/* This thread, as it was at its first run in this process. */
static const struct vm_env *
this_thread(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	if (!self.tid) {
		pthread_once(&once, watch_forks);
		self = (struct vm_env){ .pid = (uint32_t)getpid(), .tid = (uint32_t)syscall(SYS_gettid), .uid = getuid(), .gid = getgid() };
		prctl(PR_GET_NAME, self.comm);
	}
	return &self;
}

void
host_env(struct vm_env *env)
{
	*env = *this_thread();
	env->ktime_ns = clock_now();
}

/* 0 and *result, or -ETIME. */
static int
run(const struct ktap_program *program, void *context, void *host, uint64_t *result)
{
	const struct ktap_object *object = program->object;
	const uint64_t args[5] = { (uintptr_t)context };
	struct vm_env env;
	int err;

	host_env(&env);
	env.arg = host;
	if (object->print) {
		env.print = print_line;
		env.print_arg = (void *)(uintptr_t)object;
	}
	if (!object->is_serial)
		return vm_run_bounded(object->vm, program->run, &env, args, result);
	pthread_mutex_lock(&object->engine->lock);
	err = vm_run_bounded(object->vm, program->run, &env, args, result);
	pthread_mutex_unlock(&object->engine->lock);
	return err;
}

int
ktap_run(const struct ktap_program *program, void *context, void *host, uint64_t *result)
{
	uint64_t r0;
	int err = run(program, context, host, &r0);

	if (err)
		return host_fail(err, "program '%s': its budget of jumps backward and calls back is used up", program->func->name);
	if (result)
		*result = r0;
	return 0;
}

int
ktap_fire(struct ktap_object *object, const char *event, void *context, void *host)
{
	uint64_t r0;
	int n = 0;

	for (uint32_t i = 0; i < object->n_programs; i++)
		if (object->programs[i].event && strcmp(object->programs[i].event->name, event) == 0) {
			run(&object->programs[i], context, host, &r0);
			n++;
		}
	return n;
}

/* The programs of section init or fini. 0, or -ETIME: one used up its budget. */
static int
run_once(struct ktap_object *object, const char *section)
{
	int err = 0;

	for (uint32_t i = 0; i < object->n_programs; i++)
		if (strcmp(object->programs[i].func->section, section) == 0 && ktap_run(&object->programs[i], NULL, NULL, NULL))
			err = -ETIME;
	return err;
}

/* ---- opening ------------------------------------------------------------------------------------------------------------------------- */

static int
fit(struct ktap_object *object, const char *btf)
{
	struct text why = { 0 };
	struct core_target *target;
	int err;

	if (!core_is_needed(object->object))
		return 0;
	target = core_target_open(btf, &why);
	if (!target)
		return host_fail_text(-ENOENT, &why);
	err = core_apply(object->object, target, &why);
	core_target_free(target);
	return err ? host_fail_text(err, &why) : 0;
}

static int
set_constant(struct ktap_object *object, const struct ktap_constant *constant)
{
	const struct object *of = object->object;
	uint32_t table, off, size;

	if (!object_variable(of, constant->name, &table, &off, &size) || !table_is_constant(of->tables[table]))
		return host_fail(-ENOENT, "%s has no constant '%s'", of->name, constant->name);
	if (size != constant->size)
		return host_fail(-EINVAL, "%s: constant '%s' has %u bytes, not %zu", of->name, constant->name, size, constant->size);
	memcpy((char *)(uintptr_t)of->tables[table]->init + off, constant->value, size); /* the object is ours, and nobody has seen it yet */
	return 0;
}

static int
set_constants(struct ktap_object *object, const struct ktap_options *options)
{
	int err = 0;

	for (size_t i = 0; i < options->n_constants && err == 0; i++)
		err = set_constant(object, &options->constants[i]);
	return err;
}

/* The host's table takes the place of the object's. */
static int
share(struct ktap_object *object, const struct ktap_table *table)
{
	struct text why = { 0 };
	int err;

	for (uint32_t i = 0; i < object->object->n_tables; i++) {
		if (strcmp(object->object->tables[i]->name, table->table->name) != 0)
			continue;
		err = vm_table_share(object->vm, i, table->vm, table->index, &why);
		return err ? host_fail_text(err, &why) : 0;
	}
	return host_fail(-ENOENT, "%s has no table '%s'", object->object->name, table->table->name);
}

static int
make_tables(struct ktap_object *object, const struct ktap_options *options)
{
	struct text why = { 0 };
	int err = 0;

	object->vm = vm_new(object->object, 1, &why);
	if (!object->vm)
		return host_fail_text(-errno, &why);
	for (size_t i = 0; i < options->n_tables && err == 0; i++)
		err = share(object, options->tables[i]);
	object->tables = arena_alloc(object->arena, (object->object->n_tables + 1) * sizeof(*object->tables));
	vm_set_host(object->vm, object->tables);
	for (uint32_t i = 0; i < object->object->n_tables; i++) {
		const struct table *table = object->object->tables[i];

		object->is_serial |= !host_table_is_shared(table) || (table->element && !host_table_is_shared(table->element));
		host_table_init(&object->tables[i], object, i);
	}
	return err;
}

static bool
is_once(const char *section)
{
	return strcmp(section, "init") == 0 || strcmp(section, "fini") == 0;
}

static int
load_program(struct ktap_object *object, const struct func *func, enum vm_callx callx)
{
	const struct ktap_event *event = host_event_find(object->engine, func->section);
	struct vm_signature signature = { .callx = callx, .args = { { .kind = VM_ARG_NONE } } };
	struct ktap_program *program = &object->programs[object->n_programs];
	struct text why = { 0 };
	int err = 0;

	if (!event && !is_once(func->section))
		return host_fail(-EINVAL, "%s: program '%s' is in section '%s', which is no event of this engine", object->object->name, func->name,
				 func->section);
	if (event) {
		signature.args[0].kind = event->context == KTAP_CONTEXT_WRITE ? VM_ARG_MEM : VM_ARG_CTX;
		signature.args[0].size = event->size;
	}
	*program = (struct ktap_program){ .object = object, .func = func, .event = event };
	program->run = vm_load(object->vm, func, &signature, &why, &err);
	if (!program->run) {
		host_fail(err ? err : -ENOMEM, "%s: program '%s' (%s) is refused: %s", object->object->name, func->name, func->section,
			  why.s ? why.s : "no memory");
		text_fini(&why);
		return err ? err : -ENOMEM;
	}
	text_fini(&why);
	object->n_programs++;
	return 0;
}

static int
load_programs(struct ktap_object *object, const struct ktap_options *options)
{
	enum vm_exec exec;
	int err = host_exec(options->exec, &exec);

	if (err < 0)
		return err;
	vm_set_exec(object->vm, exec);
	vm_set_budget(object->vm, options->budget);
	vm_set_constants(object->vm, options->hides_constants ? VM_CONSTANTS_BLINDED : VM_CONSTANTS_PLAIN);
	object->programs = arena_alloc(object->arena, (object->object->n_funcs + 1) * sizeof(*object->programs));
	for (uint32_t i = 0; i < object->object->n_funcs && err == 0; i++)
		if (strcmp(object->object->funcs[i]->section, ".text") != 0 && !section_is_optional(object->object->funcs[i]->section))
			err = load_program(object, object->object->funcs[i], options->callx ? VM_CALLX_PERMITTED : VM_CALLX_REFUSED);
	return err;
}

static const struct vm_program *
program_of_func(const struct ktap_object *object, uint32_t index)
{
	for (uint32_t i = 0; i < object->n_programs; i++)
		if (object->programs[i].func == object->object->funcs[index])
			return object->programs[i].run;
	return NULL;
}

static int
put_program(struct ktap_object *object, uint32_t table, const struct held *held)
{
	const struct vm_program *program = program_of_func(object, held->index);
	struct text why = { 0 };
	int err;

	if (!program)
		return host_fail(-EINVAL, "%s: table '%s': program '%s' is not loaded, as the '?' of its section says", object->object->name,
				 object->object->tables[table]->name, object->object->funcs[held->index]->name);
	err = vm_table_put_program(object->vm, table, held->key, program, &why);
	return err ? host_fail_text(err, &why) : 0;
}

/* What the object says is in its tables of programs. */
static int
put_programs(struct ktap_object *object)
{
	int err = 0;

	for (uint32_t t = 0; t < object->object->n_tables && err == 0; t++) {
		const struct table *table = object->object->tables[t];

		for (uint32_t i = 0; table->kind == TABLE_PROGRAMS && i < table->n_held && err == 0; i++)
			err = put_program(object, t, &table->held[i]);
	}
	return err;
}

const struct ktap_program *
host_program(const struct ktap_object *object, const struct vm_program *run)
{
	for (uint32_t i = 0; i < object->n_programs; i++)
		if (object->programs[i].run == run)
			return &object->programs[i];
	return NULL;
}

static void
free_object(struct ktap_object *object)
{
	for (uint32_t i = 0; object->tables && i < object->object->n_tables; i++)
		host_table_fini(&object->tables[i]);
	vm_free(object->vm);
	arena_free(object->arena);
	free(object);
}

/* Makes an object of one that was read into its arena; frees both on failure. */
static int
open_read(struct ktap_object *object, const struct ktap_options *options, struct ktap_object **out)
{
	static const struct ktap_options usual;
	int err;

	if (!options)
		options = &usual;
	object->print = options->print;
	object->print_arg = options->print_arg;
	err = fit(object, options->btf);
	if (err == 0)
		err = set_constants(object, options);
	if (err == 0)
		err = make_tables(object, options);
	if (err == 0)
		err = load_programs(object, options);
	if (err == 0)
		err = put_programs(object);
	if (err == 0)
		err = run_once(object, "init");
	if (err < 0) {
		free_object(object);
		return err;
	}
	*out = object;
	return 0;
}

static struct ktap_object *
object_alloc(struct ktap *engine)
{
	struct ktap_object *object = mem_alloc(sizeof(*object));

	if (!object)
		return NULL;
	object->engine = engine;
	object->arena = arena_new();
	return object;
}

/* The object was read, or (NULL) refused with *why. */
static int
open_or_fail(struct ktap_object *object, struct text *why, const struct ktap_options *options, struct ktap_object **out)
{
	int err = -EINVAL;

	if (object->object && !object->object->is_script) {
		text_fini(why);
		return open_read(object, options, out);
	}
	if (object->object) { /* its handlers want records of the kernel's events and what their main makes, of which nothing is here */
		text_printf(why, "%s is a compiled script, which 'ktap run' runs, and ktap_script_open of libktap-script: this runs objects of C compilers", object->object->name);
		err = -ENOTSUP;
	}
	arena_free(object->arena);
	free(object);
	return host_fail_text(err, why);
}

int
ktap_object_open(struct ktap *engine, const char *path, const struct ktap_options *options, struct ktap_object **out)
{
	struct ktap_object *object = object_alloc(engine);
	struct text why = { 0 };

	*out = NULL;
	if (!object)
		return host_fail(-ENOMEM, "no memory for %s", path);
	object->object = elf_read(object->arena, path, &why);
	if (!object->object && access(path, R_OK)) {
		int err = -errno;

		arena_free(object->arena);
		free(object);
		return host_fail_text(err, &why);
	}
	return open_or_fail(object, &why, options, out);
}

int
ktap_object_open_memory(struct ktap *engine, const char *name, const void *bytes, size_t len, const struct ktap_options *options,
			struct ktap_object **out)
{
	struct ktap_object *object = object_alloc(engine);
	struct text why = { 0 };

	*out = NULL;
	if (!object)
		return host_fail(-ENOMEM, "no memory for %s", name);
	object->object = elf_read_memory(object->arena, name, bytes, len, &why);
	return open_or_fail(object, &why, options, out);
}

void
ktap_object_close(struct ktap_object *object)
{
	if (!object)
		return;
	run_once(object, "fini");
	free_object(object);
}

/* ---- asking --------------------------------------------------------------------------------------------------------------------------- */

const struct ktap_program *
ktap_program_find(const struct ktap_object *object, const char *name)
{
	for (uint32_t i = 0; i < object->n_programs; i++)
		if (strcmp(object->programs[i].func->name, name) == 0)
			return &object->programs[i];
	return NULL;
}

const struct ktap_program *
ktap_program_of_event(const struct ktap_object *object, const char *event, size_t n)
{
	for (uint32_t i = 0; i < object->n_programs; i++) {
		const struct ktap_program *program = &object->programs[i];

		if ((!event || (program->event && strcmp(program->event->name, event) == 0)) && n-- == 0)
			return program;
	}
	return NULL;
}

const char *
ktap_program_name(const struct ktap_program *program)
{
	return program->func->name;
}

int
ktap_program_is_compiled(const struct ktap_program *program)
{
	return vm_program_exec(program->run) == VM_EXEC_JIT;
}

void *
ktap_variable(struct ktap_object *object, const char *name, size_t *size)
{
	uint32_t table, off, bytes;
	char *memory;

	if (!object_variable(object->object, name, &table, &off, &bytes))
		return NULL;
	memory = vm_table_memory(object->vm, table);
	if (size)
		*size = bytes;
	return memory ? memory + off : NULL;
}
