/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The kernel source: hand-written handlers over events of programs whose calls are known. The traced
 * programs are this file itself, started as `test_kernel act NAME`. Needs the privilege to load
 * programs; without, every test is skipped and says why.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "source/kernel_int.h"
#include "source_fixture.h"

/* ---- the traced programs --------------------------------------------------------------------- */

/* 1000 + 2 threads of 500 + a child of 300 = 2300 calls of getppid. */
static int
child_tree(void)
{
	pthread_t threads[2];
	pid_t pid;
	int i;

	calls(1000);
	for (i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, thread_calls, NULL);
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	pid = fork();
	if (pid == 0) {
		calls(300);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	return 7;
}

static int
child_open(void)
{
	syscall(SYS_openat, -100, "/nonexistent/of-test-kernel", O_RDONLY | O_CLOEXEC, 0);
	return 0;
}

static void *
many_calls(void *arg)
{
	calls(100000);
	return arg;
}

static int
child_two_cpus(void)
{
	pthread_t threads[4];
	int i;

	for (i = 0; i < 4; i++)
		pthread_create(&threads[i], NULL, many_calls, NULL);
	for (i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	return 0;
}

static int
child_spin(void)
{
	clock_t end = clock() + CLOCKS_PER_SEC / 5;
	char buf[4096];
	int fd = open("/dev/zero", O_RDONLY);

	while (clock() < end)
		if (read(fd, buf, sizeof(buf)) < 0)
			return 1;
	return 0;
}

#define SLEEP_S 100

static int
child_sleep(void)
{
	sleep(SLEEP_S);
	return 0;
}

static int
child_nanosleep(void)
{
	const struct timespec moment = { .tv_nsec = 1000 };
	int i;

	for (i = 0; i < 5; i++)
		nanosleep(&moment, NULL);
	return 0;
}

static int
child_true(void)
{
	return 0;
}

static const struct scenario scenarios[] = {
	{ "tree", child_tree }, { "open", child_open },   { "two_cpus", child_two_cpus },
	{ "spin", child_spin }, { "sleep", child_sleep }, { "nanosleep", child_nanosleep },
	{ "true", child_true },
};

/* ---- an object by hand ----------------------------------------------------------------------- */

enum { GLOBALS = COUNTS + 1, RECORDS, STACKS }; /* the other tables */

struct sink {
	int n;
	size_t len;
	uint8_t last[256];
};

static double since; /* the test's start */

static int
setup(void **state)
{
	struct run *run = calloc(1, sizeof(*run));
	struct object *object;

	if (!run)
		return -1;
	run_init(run, EVENTS_KERNEL);
	object = run->object;
	object->table_globals =
		run_add_table(run, &(struct table){ .name = ".globals", .kind = TABLE_ARRAY, .key_size = 4, .value_size = 64, .max_entries = 1, .mappable = true });
	object->table_records = run_add_table(run, &(struct table){ .name = ".records", .kind = TABLE_RINGBUF, .max_entries = 1 << 20 });
	object->stacks[STACKS_KERNEL].first = run_add_table(
		run, &(struct table){ .name = ".stacks", .kind = TABLE_STACK_TRACE, .key_size = 4, .value_size = 8 * 127, .max_entries = 1024 });
	since = now_ms();
	*state = run;
	return 0;
}

static int
teardown(void **state)
{
	struct run *run = *state;

	run_fini(run);
	free(run);
	return 0;
}

static void
begin(struct run *run)
{
	code_init(&run->code, run->arena);
}

/* Ends a handler and adds it as a program of a handler of its own. */
static struct program *
end(struct run *run, enum handler_kind kind, uint32_t record_size)
{
	struct program *program = arena_alloc(run->arena, sizeof(*program));
	struct handler *handler = arena_alloc(run->arena, sizeof(*handler));

	emit(run, insn_mov_imm(0, 0));
	emit(run, insn_exit());
	assert_int_equal(code_finish(&run->code), 0);
	handler->kind = kind;
	handler->any_program = UINT32_MAX;
	program->func = object_add_func(run->object, func_from_code(&run->code, "handler", ".text"));
	program->handler = object_add_handler(run->object, handler);
	program->record_size = record_size;
	program->stack_size = program->frame_size = 128;
	program->params = (1u << N_PARAMS) - 1;
	program->record_words = record_size ? UINT64_MAX : 0;
	object_add_program(run->object, program);
	return program;
}

/* counts[event] += 1 */
static struct program *
counting_program(struct run *run)
{
	uint32_t out;

	begin(run);
	out = code_label(&run->code);
	emit_count(run, out);
	code_bind(&run->code, out);
	return end(run, HANDLER_TRACE, 0);
}

/* globals[off] += 1 */
static struct program *
global_program(struct run *run, uint32_t off)
{
	begin(run);
	code_table_value(&run->code, 1, GLOBALS, off);
	emit(run, insn_mov_imm(2, 1));
	emit(run, insn_atomic(BPF_DW, BPF_ADD, 1, 2, 0));
	return end(run, HANDLER_TRACE, 0);
}

/*
 * Sends the first `size` bytes of the record, from byte 8 on (a perf tracepoint's first 8 cannot be read),
 * by the scratch memory.
 */
static struct program *
sending_program(struct run *run, uint32_t size)
{
	struct program *program;
	int16_t off;

	begin(run);
	emit(run, insn_store_imm(BPF_DW, 5, 0, 0));
	for (off = 8; off < (int16_t)size; off += 4) {
		emit(run, insn_load(BPF_W, 4, 1, off));
		emit(run, insn_store(BPF_W, 5, 4, off));
	}
	emit(run, insn_mov(2, 5));
	emit_send(run, RECORDS, size);
	program = end(run, HANDLER_TRACE, size);
	program->scratch_size = size;
	return program;
}

/* Sends the id of the kernel stack. */
static struct program *
stack_program(struct run *run, enum handler_kind kind)
{
	struct program *program;

	begin(run);
	emit(run, insn_mov(1, 2));
	code_table(&run->code, 2, STACKS);
	emit(run, insn_mov_imm(3, 0));
	emit(run, insn_call(BPF_FUNC_get_stackid));
	emit(run, insn_store(BPF_DW, 10, 0, -8));
	emit(run, insn_mov(2, 10));
	emit(run, insn_alu_imm(BPF_ADD, 2, -8));
	emit_send(run, RECORDS, 8);
	program = end(run, kind, 0);
	program->uses_context = true;
	return program;
}

/* ---- running it ------------------------------------------------------------------------------ */

static void
open_source(struct run *run, const char *child)
{
	struct target target = { 0 };
	int err;

	if (source_kernel_permitted(&run->why) < 0) {
		print_message("# skipped: %s\n", run->why.s);
		skip();
	}
	if (child) {
		run->argv[0] = SELF;
		run->argv[1] = "act";
		run->argv[2] = (char *)child;
		target.argv = run->argv;
	}
	err = source_kernel_open(&run->source, run->object, run->events, &target, &run->why);
	if (err < 0)
		print_message("# %s\n", run->why.s);
	assert_int_equal(err, 0);
}

static void
wait_end(struct run *run)
{
	struct pollfd fds[4];
	int fd[4], i, n = run->source->ops->poll_fds(run->source, fd, 4);
	double give_up = now_ms() + 20000;

	assert_true(n >= 1);
	for (i = 0; i < n; i++)
		fds[i] = (struct pollfd){ .fd = fd[i], .events = POLLIN };
	while (!run->source->ops->ended(run->source)) {
		assert_true(now_ms() < give_up);
		poll(&fds[n - 1], 1, 1000); /* the process */
	}
	run->source->ops->stop(run->source);
}

static void
sink_record(void *arg, const void *record, size_t len)
{
	struct sink *sink = arg;

	sink->n++;
	sink->len = len;
	memcpy(sink->last, record, len < sizeof(sink->last) ? len : sizeof(sink->last));
}

static struct sink
drain(struct run *run)
{
	struct sink sink = { 0 };

	while (run->source->ops->pump(run->source, sink_record, &sink) > 0)
		;
	return sink;
}

static uint64_t
u64_at(const struct sink *sink, size_t off)
{
	uint64_t value;

	memcpy(&value, sink->last + off, sizeof(value));
	return value;
}

/* ---- tests ----------------------------------------------------------------------------------- */

/* Events for which a handler did not run, since one was running already. */
static uint64_t
skipped(struct run *run)
{
	struct nested *by_handler = arena_alloc(run->arena, (run->object->n_handlers + 1) * sizeof(*by_handler));

	return run->source->ops->nested(run->source, by_handler);
}

static void
follows_threads_and_children(void **state)
{
	struct run *run = *state;
	const struct program *program;
	struct source_stats stats;

	open_source(run, "tree");
	program = counting_program(run);
	assert_true(attach(run, program, "syscalls:*") > 600);
	start(run);
	wait_end(run);
	assert_int_equal(count_of(run, "syscalls", "sys_enter_getppid"), 2300);
	assert_int_equal(count_of(run, "syscalls", "sys_exit_getppid"), 2300);
	assert_int_equal(count_of(run, "syscalls", "sys_enter_execve"), 1);
	assert_int_equal(count_of(run, "syscalls", "sys_exit_execve"), 1);
	assert_int_equal(count_of(run, "syscalls", "sys_enter_read"), count_of(run, "syscalls", "sys_exit_read"));
	run->source->ops->stats(run->source, &stats);
	assert_true(stats.command_ended);
	assert_int_equal(WEXITSTATUS(stats.exit_status), 7);
	assert_int_equal(skipped(run), 0);
}

static void
loses_no_update_on_two_cpus(void **state)
{
	struct run *run = *state;
	uint64_t *globals;

	open_source(run, "two_cpus");
	attach(run, global_program(run, 16), "syscalls:sys_enter_getppid");
	start(run);
	wait_end(run);
	globals = run->source->ops->globals(run->source);
	assert_int_equal(globals[2], 400000);
	assert_int_equal(skipped(run), 0);
}

static void
several_handlers_in_order_of_registration(void **state)
{
	struct run *run = *state;
	const struct program *first, *second;
	uint64_t *globals;

	open_source(run, "tree");
	first = global_program(run, 0);
	/* The second notes what the first has counted by then, and counts itself. */
	begin(run);
	code_table_value(&run->code, 1, GLOBALS, 0);
	emit(run, insn_load(BPF_DW, 2, 1, 0));
	emit(run, insn_store(BPF_DW, 1, 2, 8));
	emit(run, insn_mov_imm(2, 1));
	emit(run, insn_atomic(BPF_DW, BPF_ADD, 1, 2, 16));
	second = end(run, HANDLER_TRACE, 0);
	attach(run, first, "syscalls:sys_exit_execve");
	attach(run, second, "syscalls:sys_exit_execve");
	attach(run, second, "syscalls:sys_enter_wait4");
	start(run);
	wait_end(run);
	globals = run->source->ops->globals(run->source);
	assert_int_equal(globals[0], 1);
	assert_int_equal(globals[1], 1);
	assert_int_equal(globals[2], 2);
}

static void
more_programs_than_a_stub_holds(void **state)
{
	struct run *run = *state;
	uint64_t *globals;
	int i;

	open_source(run, "tree");
	for (i = 0; i < 40; i++)
		attach(run, global_program(run, 0), "syscalls:sys_enter_getppid");
	start(run);
	wait_end(run);
	globals = run->source->ops->globals(run->source);
	assert_int_equal(globals[0], 40 * 2300);
}

static void
record_of_a_system_call(void **state)
{
	static const char *const names[] = { "syscalls:sys_enter_openat", "syscalls:sys_exit_openat" };
	struct run *run = *state;
	struct sink sink;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		open_source(run, "open");
		attach(run, sending_program(run, RECORD_SYSCALL_LEN), names[i]);
		start(run);
		wait_end(run);
		sink = drain(run);
		assert_true(sink.n >= 1);
		assert_int_equal(sink.len, RECORD_SYSCALL_LEN);
		assert_int_equal(u64_at(&sink, 8), SYS_openat);
		if (i == 0) {
			assert_int_equal((int32_t)u64_at(&sink, 16), -100);
			assert_true(u64_at(&sink, 24) != 0);
			assert_int_equal((uint32_t)u64_at(&sink, 32), O_RDONLY | O_CLOEXEC);
		} else {
			assert_int_equal((int64_t)u64_at(&sink, 16), -ENOENT);
			assert_int_equal(u64_at(&sink, 56), 0);
		}
		run->source->ops->close(run->source);
		run->source = NULL;
	}
}

static void
raw_tracepoint_of_a_command(void **state)
{
	struct run *run = *state;

	open_source(run, "tree");
	assert_true(attach(run, counting_program(run), "sched:sched_process_*") > 5);
	start(run);
	wait_end(run);
	assert_int_equal(count_of(run, "sched", "sched_process_exec"), 1);
	assert_int_equal(count_of(run, "sched", "sched_process_fork"), 3);
	assert_int_equal(count_of(run, "sched", "sched_process_exit"), 4);
}

static void
fields_of_a_tracepoint(void **state)
{
	struct run *run = *state;
	struct event *event = events_find(run->events, "sched", "sched_process_exec");
	const struct field *field;
	struct sink sink;
	uint32_t pid;

	open_source(run, "true");
	assert_non_null(event);
	assert_int_equal(event_load_fields(run->events, event), 0);
	field = event_field(event, "pid");
	assert_non_null(field);
	attach(run, sending_program(run, event->record_size), "sched:sched_process_exec");
	start(run);
	wait_end(run);
	sink = drain(run);
	assert_int_equal(sink.n, 1);
	memcpy(&pid, sink.last + field->offset, sizeof(pid));
	assert_true(pid > 1 && pid != (uint32_t)getpid());
}

/* Two tracepoints with fields: one program, told apart by cookie where there is one. */
static void
two_perf_tracepoints_one_program(void **state)
{
	struct run *run = *state;
	struct program *program;

	open_source(run, "tree");
	program = counting_program(run);
	program->uses_dynamic = true; /* not true of this one: forces perf tracepoints */
	attach(run, program, "sched:sched_process_exec");
	attach(run, program, "sched:sched_process_fork");
	start(run);
	wait_end(run);
	assert_int_equal(count_of(run, "sched", "sched_process_exec"), 1);
	assert_int_equal(count_of(run, "sched", "sched_process_fork"), 3);
}

static void
profile_takes_stacks(void **state)
{
	struct run *run = *state;
	struct event *event = events_profile(run->events, 1000000);
	uint64_t addrs[127];
	struct sink sink;
	int32_t id;

	open_source(run, "spin");
	event->index = object_add_event(run->object, event);
	assert_int_equal(
		run->source->ops->attach(run->source, stack_program(run, HANDLER_PROFILE), event, &run->why),
		0);
	start(run);
	wait_end(run);
	sink = drain(run);
	print_message("# %d samples of 200 ms each millisecond\n", sink.n);
	assert_true(sink.n > 100 && sink.n < 1000);
	/* A stack of the last sample that was in the kernel; samples in user mode have none. */
	id = (int32_t)u64_at(&sink, 0);
	if (id >= 0) {
		assert_int_equal(run->source->ops->lookup(run->source, STACKS, &id, addrs), 0);
		assert_true(addrs[0] >> 63);
	}
}

/* Stacks from each kind of attachment; the innermost address is the kernel's. */
static void
stacks_of_events(void **state)
{
	static const char *const patterns[] = { "syscalls:sys_enter_getppid", "sched:sched_process_exec",
						"sched:sched_process_exec" };
	struct run *run = *state;
	struct program *program;
	uint64_t addrs[127];
	struct sink sink;
	int32_t id;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(patterns); i++) {
		open_source(run, "tree");
		program = stack_program(run, HANDLER_TRACE);
		program->uses_dynamic = i == 2; /* a perf tracepoint, not a raw one */
		attach(run, program, patterns[i]);
		start(run);
		wait_end(run);
		sink = drain(run);
		assert_true(sink.n >= 1);
		id = (int32_t)u64_at(&sink, 0);
		assert_true(id >= 0);
		assert_int_equal(run->source->ops->lookup(run->source, STACKS, &id, addrs), 0);
		assert_true(addrs[0] >> 63);
		run->source->ops->close(run->source);
		run->source = NULL;
	}
}

/* More records than one pump takes: none is lost or seen twice. */
static void
pumps_in_portions(void **state)
{
	struct run *run = *state;
	struct sink sink = { 0 };
	int n;

	run->object->tables[RECORDS]->max_entries = 16 << 20;
	open_source(run, "two_cpus");
	attach(run, sending_program(run, RECORD_SYSCALL_LEN), "syscalls:sys_enter_getppid");
	start(run);
	while (!run->source->ops->ended(run->source)) {
		n = run->source->ops->pump(run->source, sink_record, &sink);
		assert_true(n >= 0 && n <= 16384);
	}
	run->source->ops->stop(run->source);
	do
		n = run->source->ops->pump(run->source, sink_record, &sink);
	while (n > 0);
	assert_int_equal(n, 0);
	assert_int_equal(sink.n, 400000);
}

static void
all_system_calls_start_to_exit(void **state)
{
	struct run *run = *state;

	since = now_ms();
	open_source(run, "true");
	attach(run, counting_program(run), "syscalls:sys_enter_*");
	start(run);
	wait_end(run);
	assert_int_equal(count_of(run, "syscalls", "sys_enter_execve"), 1);
	run->source->ops->close(run->source);
	run->source = NULL;
	print_message("# all sys_enter events counted, start to exit: %.1f ms\n", now_ms() - since);
}

static void
every_event_there_is(void **state)
{
	struct run *run = *state;
	double t1, t2, t3;
	int n;

	open_source(run, NULL);
	n = attach(run, counting_program(run), "*:*");
	t1 = now_ms();
	start(run);
	t2 = now_ms();
	calls(10);
	usleep(100000);
	t3 = now_ms();
	run->source->ops->stop(run->source);
	print_message("# %d events of *:*: attached in %.0f ms, detached in %.0f ms\n", n, t2 - t1,
		      now_ms() - t3);
	assert_true(n > 1000);
	/* Our own calls don't count without a target. */
	assert_true(count_of(run, "sched", "sched_switch") > 0);
	assert_true(now_ms() - t1 < 60000); /* one by one, detaching takes two minutes on a machine that has nothing else to do */
}

static void
kernel_function(void **state)
{
	struct run *run = *state;
	struct event *event = events_kprobe(run->events, "hrtimer_nanosleep");
	int err;

	open_source(run, "nanosleep");
	event->index = object_add_event(run->object, event);
	err = run->source->ops->attach(run->source, counting_program(run), event, &run->why);
	if (err == -EOPNOTSUPP) {
		assert_non_null(strstr(run->why.s, "no kprobes (CONFIG_KPROBES)"));
		return;
	}
	assert_int_equal(err, 0);
	start(run);
	wait_end(run);
	assert_int_equal(count_of(run, "probe", "hrtimer_nanosleep"), 5);
}

static void
kernel_function_that_is_not(void **state)
{
	struct run *run = *state;
	struct event *event = events_kprobe(run->events, "no_such_function");

	open_source(run, "true");
	event->index = object_add_event(run->object, event);
	if (run->source->ops->attach(run->source, counting_program(run), event, &run->why) < 0)
		return;
	assert_true(run->source->ops->start(run->source, &run->why) < 0);
	assert_non_null(strstr(run->why.s, "no_such_function"));
}

static void
refusal_names_the_cause(void **state)
{
	struct run *run = *state;
	const char *text = "var i = 0\ntrace syscalls:* {\n\tthe_line_that_is_wrong\n}\n";
	const struct program *program;
	struct script script;

	script_init(&script, run->arena, "test.kp", text, (uint32_t)strlen(text));
	run->object->script = &script;
	open_source(run, "true");
	begin(run);
	run->code.span = (struct span){ (uint32_t)(strstr(text, "the_line") - text), 8 };
	emit(run, insn_load(BPF_DW, 0, 9, 0)); /* r9 was never written */
	program = end(run, HANDLER_TRACE, 0);
	attach(run, program, "syscalls:sys_enter_getppid");
	assert_true(run->source->ops->start(run->source, &run->why) < 0);
	assert_non_null(strstr(run->why.s, "at test.kp:3: the_line_that_is_wrong\n"));
	assert_non_null(strstr(run->why.s, "the kernel says:"));
	assert_non_null(strstr(run->why.s, "R9 !read_ok"));
}

static void
table_access(void **state)
{
	struct run *run = *state;
	const struct source_ops *ops;
	uint32_t key = 3, next;
	uint64_t value = 42;

	open_source(run, NULL);
	ops = run->source->ops;
	assert_int_equal(ops->update(run->source, COUNTS, &key, &value, BPF_ANY), 0);
	value = 0;
	assert_int_equal(ops->lookup(run->source, COUNTS, &key, &value), 0);
	assert_int_equal(value, 42);
	assert_int_equal(ops->next(run->source, COUNTS, NULL, &next), 0);
	assert_int_equal(next, 0);
	next = COUNTED_EVENTS_MAX - 1;
	assert_int_equal(ops->next(run->source, COUNTS, &next, &next), -ENOENT);
	key = COUNTED_EVENTS_MAX;
	assert_int_equal(ops->lookup(run->source, COUNTS, &key, &value), -ENOENT);
	start(run); /* nothing registered: nothing to do */
	assert_false(ops->ended(run->source));
}

static void
command_not_found(void **state)
{
	struct run *run = *state;
	char *argv[] = { "no-such-command-of-ours", NULL };
	struct command command;

	assert_int_equal(command_start(&command, argv, &run->why), -ENOENT);
	assert_string_equal(run->why.s, "command 'no-such-command-of-ours' not found in PATH");
	text_clear(&run->why);
	argv[0] = "/";
	assert_int_equal(command_start(&command, argv, &run->why), -EISDIR);
	argv[0] = "";
	assert_int_equal(command_start(&command, argv, &run->why), -ENOENT);
}

static void
command_that_fails_to_execute(void **state)
{
	struct run *run = *state;
	char path[] = "/tmp/ktap-test-XXXXXX", *argv[] = { path, NULL };
	struct command command;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, "#!/no/such/interpreter\n", 23), 23);
	assert_int_equal(fchmod(fd, 0700), 0);
	close(fd);
	assert_int_equal(command_start(&command, argv, &run->why), 0);
	assert_int_equal(command_go(&command), -ENOENT);
	waitpid(command.pid, NULL, 0);
	unlink(path);
}

static void
command_never_let_go(void **state)
{
	struct run *run = *state;

	open_source(run, "sleep");
	assert_false(run->source->ops->ended(run->source));
	run->source->ops->close(run->source); /* kills it: returns at once */
	run->source = NULL;
	assert_true(now_ms() - since < SLEEP_S * 1000);
}

static void
command_is_terminated_by_stop(void **state)
{
	struct run *run = *state;
	struct source_stats stats;
	int i;

	open_source(run, "sleep");
	attach(run, counting_program(run), "syscalls:*");
	start(run);
	run->source->ops->stop(run->source);
	for (i = 0; i < 1000 && !run->source->ops->ended(run->source); i++)
		usleep(20000);
	run->source->ops->stats(run->source, &stats);
	assert_true(stats.command_ended);
	assert_true(WIFSIGNALED(stats.exit_status) && WTERMSIG(stats.exit_status) == SIGTERM);
}

/*
 * A kernel without type information: here, one that hides it from a child with mounts of its own. Returns
 * the child's status.
 */
static int
run_without_btf(struct run *run)
{
	struct target target = { .pid = getpid() };
	const struct program *program;
	struct sink sink = { 0 };
	pid_t pid;

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", "/sys/kernel/btf", "tmpfs", 0, NULL) < 0)
		return 2;
	if (source_kernel_open(&run->source, run->object, run->events, NULL, &run->why) < 0)
		return 3;
	program = counting_program(run);
	attach(run, program, "syscalls:sys_*_getppid");
	attach(run, sending_program(run, RECORD_SYSCALL_LEN), "syscalls:sys_enter_pkey_free");
	if (run->source->ops->start(run->source, &run->why) < 0)
		return 4;
	pid = fork();
	if (pid == 0) {
		calls(1234);
		syscall(SYS_pkey_free, 7777);
		_exit(0);
	}
	waitpid(pid, NULL, 0);
	run->source->ops->stop(run->source);
	if (count_of(run, "syscalls", "sys_enter_getppid") < 1234 ||
	    count_of(run, "syscalls", "sys_exit_getppid") < 1234)
		return 5;
	if (run->source->ops->pump(run->source, sink_record, &sink) != 1 ||
	    u64_at(&sink, 8) != SYS_pkey_free || u64_at(&sink, 16) != 7777)
		return 6;
	run->source->ops->close(run->source);
	if (source_kernel_open(&run->source, run->object, run->events, &target, &run->why) < 0)
		return 7;
	attach(run, program, "syscalls:sys_enter_getppid");
	if (run->source->ops->start(run->source, &run->why) < 0)
		return 8;
	calls(77);
	run->source->ops->stop(run->source);
	return count_of(run, "syscalls", "sys_enter_getppid") == 77 ? 0 : 9;
}

static void
without_type_information(void **state)
{
	struct run *run = *state;
	int status;
	pid_t pid;

	if (source_kernel_permitted(&run->why) < 0)
		skip();
	pid = fork();
	if (pid == 0)
		_exit(run_without_btf(run));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2) {
		print_message("no private mounts here, as in a chroot\n");
		skip();
	}
	assert_int_equal(status, 0);
}

/* In a pid namespace ktap has another number than programs see: it must leave itself out all the same. */
static int
run_in_pid_namespace(struct run *run)
{
	uint64_t *globals;
	pid_t pid;

	if (source_kernel_open(&run->source, run->object, run->events, NULL, &run->why) < 0)
		return 3;
	attach(run, global_program(run, 0), "syscalls:sys_enter_pkey_free");
	if (run->source->ops->start(run->source, &run->why) < 0)
		return 4;
	syscall(SYS_pkey_free, 7777);
	pid = fork();
	if (pid == 0)
		_exit((int)syscall(SYS_pkey_free, 7777) == 0);
	waitpid(pid, NULL, 0);
	run->source->ops->stop(run->source);
	globals = run->source->ops->globals(run->source);
	return globals[0] == 1 ? 0 : 5;
}

static void
in_pid_namespace(void **state)
{
	struct run *run = *state;
	int status;
	pid_t pid, inner;

	if (source_kernel_permitted(&run->why) < 0)
		skip();
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWPID) < 0)
			_exit(2);
		inner = fork();
		if (inner == 0)
			_exit(run_in_pid_namespace(run));
		waitpid(inner, &status, 0);
		_exit(WEXITSTATUS(status));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* -p: what the process does from now on, until it ends. */
static void
process_by_number(void **state)
{
	struct run *run = *state;
	struct target target = { 0 };
	int go[2];
	char byte;

	if (source_kernel_permitted(&run->why) < 0)
		skip();
	assert_int_equal(pipe(go), 0);
	target.pid = fork();
	if (target.pid == 0) {
		close(go[1]);
		if (read(go[0], &byte, 1) == 0)
			calls(77);
		_exit(0);
	}
	close(go[0]);
	assert_int_equal(source_kernel_open(&run->source, run->object, run->events, &target, &run->why), 0);
	attach(run, counting_program(run), "syscalls:*");
	start(run);
	close(go[1]);
	while (!run->source->ops->ended(run->source))
		usleep(1000);
	run->source->ops->stop(run->source);
	assert_int_equal(count_of(run, "syscalls", "sys_enter_getppid"), 77);
	waitpid(target.pid, NULL, 0);
}

static void
process_that_is_not(void **state)
{
	struct run *run = *state;
	struct target target = { .pid = 0x3ffffff };

	if (source_kernel_permitted(&run->why) < 0)
		skip();
	assert_int_equal(source_kernel_open(&run->source, run->object, run->events, &target, &run->why),
			 -ESRCH);
	assert_non_null(strstr(run->why.s, "No such process"));
}

#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

/* Which helpers are there: <linux/bpf.h> says what each is for, and most take arguments, which a question does not give them. */
static void
helpers_by_type(void **state)
{
	static const struct {
		enum bpf_prog_type type;
		int32_t helper;
		bool is_there;
	} facts[] = {
		{ BPF_PROG_TYPE_RAW_TRACEPOINT, BPF_FUNC_ktime_get_ns, true },
		{ BPF_PROG_TYPE_RAW_TRACEPOINT, BPF_FUNC_map_lookup_elem, true },
		{ BPF_PROG_TYPE_RAW_TRACEPOINT, BPF_FUNC_skb_load_bytes, false },
		{ BPF_PROG_TYPE_SOCKET_FILTER, BPF_FUNC_skb_load_bytes, true },
		{ BPF_PROG_TYPE_SOCKET_FILTER, BPF_FUNC_perf_prog_read_value, false },
		{ BPF_PROG_TYPE_PERF_EVENT, BPF_FUNC_perf_prog_read_value, true },
		{ BPF_PROG_TYPE_PERF_EVENT, 100000, false },
	};
	struct text why = { 0 };
	int permitted = source_kernel_permitted(&why);

	(void)state;
	text_fini(&why);
	if (permitted < 0)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
		assert_int_equal(kernel_has_helper(facts[i].type, facts[i].helper), facts[i].is_there);
}

int
main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		T(follows_threads_and_children),
		T(loses_no_update_on_two_cpus),
		T(several_handlers_in_order_of_registration),
		T(more_programs_than_a_stub_holds),
		T(record_of_a_system_call),
		T(raw_tracepoint_of_a_command),
		T(fields_of_a_tracepoint),
		T(two_perf_tracepoints_one_program),
		T(profile_takes_stacks),
		T(stacks_of_events),
		T(pumps_in_portions),
		T(all_system_calls_start_to_exit),
		T(every_event_there_is),
		T(kernel_function),
		T(kernel_function_that_is_not),
		T(refusal_names_the_cause),
		T(table_access),
		T(command_not_found),
		T(command_that_fails_to_execute),
		T(command_never_let_go),
		T(command_is_terminated_by_stop),
		T(without_type_information),
		T(in_pid_namespace),
		T(process_by_number),
		T(process_that_is_not),
		T(helpers_by_type),
	};

	if (argc == 3 && strcmp(argv[1], "act") == 0)
		_exit(act(scenarios, ARRAY_SIZE(scenarios), argv[2])); /* without what sanitizers do at exit: it would be counted */
	if (argc > 1)
		debug_enable(argv[1], NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
