/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The life of a script in its host. ktap_script_open is the list of the steps:
 *
 *     text -> object (compiled, or read)  ->  source (source/host.c)  ->  session (main, attach, start)
 *
 * Then the host's threads fire to the source, and one of them polls the session. All that the steps have to say goes to one stream: while the script
 * is opened it becomes the message of ktap_error, afterwards it is reported.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "codegen/codegen.h"
#include "script/script_int.h"
#include "source/host.h"

#define FDS_MAX    80
#define BUFFER_MIN 4096u
#define BUFFER_MAX (1u << 30)

/* ---- what is said ------------------------------------------------------------------------------------------------------------------- */

static void
report(struct ktap_script *script, const char *text, size_t len)
{
	const struct ktap_script_options *options = &script->options;

	if (options->report)
		options->report(options->arg, text, len);
	else if (options->print)
		options->print(options->arg, text, len);
	else
		fwrite(text, len, 1, stderr);
}

/* The stream's write: fopencookie(3). */
static ssize_t
take_message(void *cookie, const char *text, size_t len)
{
	struct ktap_script *script = cookie;

	if (script->is_open)
		report(script, text, len);
	else
		text_add(&script->said, text, len);
	return (ssize_t)len;
}

static FILE *
open_messages(struct ktap_script *script)
{
	FILE *messages = fopencookie(script, "w", (cookie_io_functions_t){ .write = take_message });

	if (messages)
		setvbuf(messages, NULL, _IOLBF, 0);
	return messages;
}

/* Fails with what was said. */
static int
fail_as_said(struct ktap_script *script, int err)
{
	struct text *said = &script->said;

	fflush(script->messages);
	while (said->len && said->s[said->len - 1] == '\n')
		text_cut(said, said->len - 1);
	return said->len ? host_fail(err, "%s", said->s) : host_fail(err, "%s: %s", script->text.name, strerror(-err));
}

/* ---- to an object ---------------------------------------------------------------------------------------------------------------------- */

static int
compile_text(struct ktap_script *script, const char *name, const void *text, size_t len)
{
	struct diags diags;

	if (len > SCRIPT_MAX_LEN)
		return host_fail(-EINVAL, "script '%s' is too long: a script can have %u bytes (1 MB) at most", name, SCRIPT_MAX_LEN);
	script_init(&script->text, script->arena, arena_strdup(script->arena, name), arena_strndup(script->arena, text, len), (uint32_t)len);
	diags_init(&diags, script->arena, &script->text);
	script->object = compile(script->arena, &script->text, script->events, &diags);
	if (script->object)
		source_host_check(script->object, &diags);
	diags_print(&diags, script->messages);
	return diags.n_errors ? fail_as_said(script, -EINVAL) : 0;
}

/* The events of an object that was compiled elsewhere are found here, or not. */
static int
bind(struct ktap_script *script)
{
	struct text skipped = { 0 };
	struct diags diags;
	uint32_t n_skipped;

	diags_init(&diags, script->arena, script->object->script);
	bind_object(script->object, script->events, &diags, &n_skipped, &skipped);
	if (!diags.n_errors)
		source_host_check(script->object, &diags);
	diags_print(&diags, script->messages);
	text_fini(&skipped);
	return diags.n_errors ? fail_as_said(script, -EINVAL) : 0;
}

static int
read_object(struct ktap_script *script, const char *name, const void *bytes, size_t len)
{
	struct text why = { 0 };
	uint32_t n_lacks;

	script->object = elf_read_memory(script->arena, arena_strdup(script->arena, name), bytes, len, &why);
	if (!script->object)
		return host_fail_text(-EINVAL, &why);
	if (!script->object->is_script)
		return host_fail(-ENOTSUP, "%s is an object without a script: ktap_object_open runs it", name);
	script->text = *script->object->script;
	n_lacks = source_user_lacks(script->object, &why);
	if (n_lacks)
		host_fail(-ENOTSUP, "%s needs what this engine has not: %s; compile it for this program (ktap compile --events)", name, why.s);
	text_fini(&why);
	return n_lacks ? -ENOTSUP : bind(script);
}

static int
make_object(struct ktap_script *script, const char *name, const void *text, size_t len)
{
	bool is_object = len >= 4 && memcmp(text, "\177ELF", 4) == 0;

	script->events = script_events(script->engine, script->arena);
	return is_object ? read_object(script, name, text, len) : compile_text(script, name, text, len);
}

/* ---- to a run --------------------------------------------------------------------------------------------------------------------------- */

static int
open_source(struct ktap_script *script)
{
	const struct ktap_script_options *options = &script->options;
	const struct object *object = script->object;
	uint32_t buffer = options->buffer;
	struct text why = { 0 };
	enum vm_exec exec;
	int err = host_exec(options->exec, &exec);

	if (err < 0)
		return err;
	if (buffer && (buffer < BUFFER_MIN || buffer > BUFFER_MAX || (buffer & (buffer - 1))))
		return host_fail(-EINVAL, "options: a buffer of %u bytes: a power of two from %u to %u is needed", buffer, BUFFER_MIN, BUFFER_MAX);
	if (!object->n_handlers)
		return 0;
	if (buffer && object->table_records != UINT32_MAX)
		object->tables[object->table_records]->max_entries = buffer;
	err = source_host_open(&script->source, object, script->events, &why);
	if (err < 0)
		return host_fail_text(err, &why);
	source_set_exec(script->source, exec);
	source_host_limit(script->source, options->budget, options->hides_constants ? VM_CONSTANTS_BLINDED : VM_CONSTANTS_PLAIN);
	return 0;
}

/* option() takes those that it knows out of the array. */
static char **
copy_args(struct arena *arena, const char *const *args)
{
	uint32_t n = 0;
	char **copy;

	while (args && args[n])
		n++;
	copy = arena_alloc(arena, (n + 1) * sizeof(*copy));
	for (uint32_t i = 0; i < n; i++)
		copy[i] = arena_strdup(arena, args[i]);
	return copy;
}

static int
begin(struct ktap_script *script)
{
	const struct ktap_script_options *options = &script->options;

	script->how = (struct session_options){
		.script_name = script->text.name, .script_args = copy_args(script->arena, options->args), .out_fd = STDOUT_FILENO,
		.print = options->print, .print_arg = options->arg, .messages = script->messages, .quiet = true, .is_guest = true,
		.steps_max = options->steps_max, .memory_max = options->memory_max,
	};
	script->session = session_new(script->object, script->events, script->source, &script->how);
	if (!script->session)
		return host_fail(-ENOMEM, "no memory for script '%s'", script->text.name);
	script->is_over = !session_begin(script->session);
	return session_status(script->session) == STATUS_OK ? 0 : -EINVAL;
}

/* ---- opening and closing ------------------------------------------------------------------------------------------------------------------ */

static struct ktap_script *
script_new(struct ktap *engine, const struct ktap_script_options *options)
{
	struct ktap_script *script = mem_alloc(sizeof(*script));

	if (!script)
		return NULL;
	script->engine = engine;
	script->wait_fd = -1;
	if (options)
		script->options = *options;
	script->messages = open_messages(script);
	if (!script->messages) {
		free(script);
		return NULL;
	}
	script->arena = arena_new();
	return script;
}

/* Ends the run, too, where there is one. Returns its status. */
static enum exit_status
script_free(struct ktap_script *script)
{
	enum exit_status status = script->session ? session_end(script->session) : STATUS_OK;

	if (script->source)
		script->source->ops->close(script->source);
	if (script->wait_fd >= 0)
		close(script->wait_fd);
	fclose(script->messages);
	text_fini(&script->said);
	arena_free(script->arena);
	free(script);
	return status;
}

/* Whatever is said until the end of the run belongs to the message. */
static int
fail_begun(struct ktap_script *script, int err)
{
	if (!script->session)
		return err;
	session_end(script->session);
	script->session = NULL;
	return fail_as_said(script, err);
}

int
ktap_script_open(struct ktap *engine, const char *name, const void *text, size_t len, const struct ktap_script_options *options,
		 struct ktap_script **out)
{
	struct ktap_script *script = script_new(engine, options);
	int err;

	*out = NULL;
	if (!script)
		return host_fail(-ENOMEM, "no memory for script '%s'", name);
	err = make_object(script, name, text, len);
	if (err == 0)
		err = open_source(script);
	if (err == 0)
		err = begin(script);
	if (err < 0) {
		err = fail_begun(script, err);
		script_free(script);
		return err;
	}
	script_list_variables(script);
	if (script->object->stacks[STACKS_USER].first != UINT32_MAX)
		script_stack_prepare();
	fflush(script->messages);
	script->is_open = true;
	if (script->said.len)
		report(script, script->said.s, script->said.len);
	*out = script;
	return 0;
}

int
ktap_script_open_file(struct ktap *engine, const char *path, const struct ktap_script_options *options, struct ktap_script **out)
{
	size_t len;
	char *text = file_read(path, OBJECT_FILE_MAX, &len);
	int err = !text ? -errno : len > OBJECT_FILE_MAX ? -EFBIG : 0;

	*out = NULL;
	if (err < 0)
		host_fail(err, "cannot read %s: %s", path, strerror(-err));
	else
		err = ktap_script_open(engine, path, text, len, options, out);
	free(text);
	return err;
}

int
ktap_script_close(struct ktap_script *script)
{
	return script && script_free(script) != STATUS_OK;
}

/* ---- while it runs -------------------------------------------------------------------------------------------------------------------------- */

/* By itself, as a stack takes some room of the thread's. */
__attribute__((noinline)) static int
fire_with_stack(struct ktap_script *script, const struct ktap_event *event, const void *context, struct vm_env *env, void *caller)
{
	struct script_stack stack;

	script_stack_take(&stack, source_host_stack_depth(script->source, event->number), caller);
	env->unwind = script_stack_give;
	env->arg = &stack;
	return source_host_fire(script->source, event->number, context, env);
}

int
ktap_script_fire(struct ktap_script *script, const struct ktap_event *event, const void *context)
{
	struct vm_env env;
	int cpu;

	if (event->engine != script->engine)
		return host_fail(-EINVAL, "event '%s' is another engine's than script '%s'", event->name, script->text.name);
	if (!script->source || !source_host_has(script->source, event->number))
		return 0;
	host_env(&env);
	cpu = sched_getcpu();
	env.cpu = cpu < 0 ? 0 : (uint32_t)cpu;
	if (source_host_stack_depth(script->source, event->number))
		return fire_with_stack(script, event, context, &env, __builtin_return_address(0));
	return source_host_fire(script->source, event->number, context, &env);
}

int
ktap_script_poll(struct ktap_script *script, int timeout_ms)
{
	if (script->is_over)
		return 0;
	script->is_over = !session_turn(script->session, timeout_ms);
	if (script->is_over && script->source)
		script->source->ops->stop(script->source);
	return !script->is_over;
}

/* Adds what the session waits for. 0 or -errno. */
static int
watch_session(struct ktap_script *script)
{
	int fds[FDS_MAX], n = session_fds(script->session, fds, FDS_MAX);

	for (int i = 0; i < n; i++) {
		struct epoll_event event = { .events = EPOLLIN };

		if (epoll_ctl(script->wait_fd, EPOLL_CTL_ADD, fds[i], &event))
			return -errno;
	}
	return 0;
}

/* A script that is over has one thing to say, which is to be asked for: its descriptor can be read at once. */
int
ktap_script_fd(struct ktap_script *script)
{
	int err;

	if (script->wait_fd >= 0)
		return script->wait_fd;
	script->wait_fd = script->is_over ? eventfd(1, EFD_CLOEXEC) : epoll_create1(EPOLL_CLOEXEC);
	err = script->wait_fd < 0 ? -errno : script->is_over ? 0 : watch_session(script);
	if (err == 0)
		return script->wait_fd;
	if (script->wait_fd >= 0)
		close(script->wait_fd);
	script->wait_fd = -1;
	return host_fail(err, "script '%s': no descriptor to wait for: %s", script->text.name, strerror(-err));
}
