/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * libktap: the engine, its events, helpers of the host's, messages. See include/ktap.h, which says all there is to know from outside.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/host_int.h"

#define CONTEXT_MAX 65536
#define MESSAGE_MAX 16384 /* all diagnostics of a script, of which there are few dozen at most */

static _Thread_local char message[MESSAGE_MAX];

int
host_fail(int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	return err;
}

int
host_fail_text(int err, struct text *why)
{
	host_fail(err, "%s", why->s ? why->s : strerror(-err));
	text_fini(why);
	return err;
}

int
host_exec(enum ktap_exec wanted, enum vm_exec *exec)
{
	switch (wanted) {
	case KTAP_EXEC_AUTO: *exec = VM_EXEC_AUTO; return 0;
	case KTAP_EXEC_INTERPRETER: *exec = VM_EXEC_INTERP; return 0;
	case KTAP_EXEC_JIT: *exec = VM_EXEC_JIT; return 0;
	}
	return host_fail(-EINVAL, "options: exec %d is not known", (int)wanted);
}

const char *
ktap_error(void)
{
	return message;
}

const char *
ktap_version(void)
{
	return KTAP_VERSION;
}

int
ktap_new(struct ktap **engine)
{
	pthread_mutexattr_t attributes;
	struct ktap *new = mem_alloc(sizeof(*new));

	*engine = NULL;
	if (!new)
		return host_fail(-ENOMEM, "no memory for an engine");
	pthread_mutexattr_init(&attributes);
	pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&new->lock, &attributes);
	pthread_mutexattr_destroy(&attributes);
	*engine = new;
	return 0;
}

void
ktap_free(struct ktap *engine)
{
	struct ktap_event *event;

	if (!engine)
		return;
	while ((event = engine->events)) {
		engine->events = event->next;
		arena_free(event->arena);
		free(event->name);
		free(event);
	}
	pthread_mutex_destroy(&engine->lock);
	free(engine);
}

struct ktap_event *
host_event_find(const struct ktap *engine, const char *name)
{
	for (struct ktap_event *event = engine->events; event; event = event->next)
		if (strcmp(event->name, name) == 0)
			return event;
	return NULL;
}

int
ktap_add_event(struct ktap *engine, const char *name, size_t context_size, enum ktap_context context)
{
	struct ktap_event *event, **end = &engine->events;

	if (!strchr(name, '/'))
		return host_fail(-EINVAL, "event '%s': its name must hold a '/', as sections of programs do", name);
	if (context != KTAP_CONTEXT_READ && context != KTAP_CONTEXT_WRITE)
		return host_fail(-EINVAL, "event '%s': context %d is not known", name, (int)context);
	if (!context_size || context_size > CONTEXT_MAX || (context == KTAP_CONTEXT_WRITE && context_size % 8))
		return host_fail(-EINVAL, "event '%s': a context of %zu bytes: 1 to %d, and where it is written a multiple of 8", name,
				 context_size, CONTEXT_MAX);
	if (host_event_find(engine, name))
		return host_fail(-EEXIST, "event '%s' is there already", name);
	event = mem_alloc(sizeof(*event));
	if (event)
		event->name = strdup(name);
	if (!event || !event->name) {
		free(event);
		return host_fail(-ENOMEM, "no memory for event '%s'", name);
	}
	event->engine = engine;
	event->size = (uint32_t)context_size;
	event->context = context;
	for (; *end; end = &(*end)->next)
		event->number++;
	*end = event;
	return 0;
}

int
ktap_add_helper(uint32_t number, const char *name, ktap_helper_fn *fn, const enum ktap_arg args[5])
{
	static const enum vm_host_arg kinds[] = {
		[KTAP_ARG_NONE] = VM_HOST_NONE,           [KTAP_ARG_NUMBER] = VM_HOST_NUMBER,
		[KTAP_ARG_MEM_READ] = VM_HOST_MEM_READ,   [KTAP_ARG_MEM_WRITE] = VM_HOST_MEM_WRITE,
		[KTAP_ARG_SIZE] = VM_HOST_SIZE,           [KTAP_ARG_CONTEXT] = VM_HOST_CONTEXT,
	};
	enum vm_host_arg own[5];
	struct text why = { 0 };
	int err;

	_Static_assert(KTAP_HELPERS_MAX == VM_HOST_HELPERS_MAX, "what the header promises is what there is room for");
	if (number < KTAP_HELPER_FIRST || number > INT32_MAX)
		return host_fail(-EINVAL, "helper '%s': its number is %u: %d to %d", name, number, KTAP_HELPER_FIRST, INT32_MAX);
	for (int i = 0; i < 5; i++) {
		if ((unsigned)args[i] >= ARRAY_SIZE(kinds))
			return host_fail(-EINVAL, "helper '%s': argument %d is of no known kind", name, i + 1);
		own[i] = kinds[args[i]];
	}
	/* A struct ktap_run is the machine's struct vm_run, of which the host knows nothing. */
	err = vm_helper_add((int32_t)number, name, (vm_host_fn *)(void *)fn, own, &why);
	return err ? host_fail_text(err, &why) : 0;
}

void *
ktap_run_host(const struct ktap_run *run)
{
	return vm_run_arg((const struct vm_run *)run);
}
