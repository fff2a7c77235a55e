/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * libktap, through its header alone and the shared library: what is refused and how that is said, contexts that are written, tables of the host's,
 * both ways to run, several threads. The programs are compiled here; without clang these tests are skipped.
 */
#include <elf.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "ktap.h"

#define THREADS 4
#define ROUNDS  20000

struct context {
	uint64_t in, out;
};

struct fixture {
	struct ktap *engine;
	struct ktap_object *object;
	char path[64];
	unsigned n_lines;
	char line[128]; /* the last one printed */
};

static const char prelude[] = "#include <linux/bpf.h>\n"
			      "#include <bpf/bpf_helpers.h>\n"
			      "struct context { unsigned long long in, out; };\n";

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(ktap_new(&f->engine), 0);
	strcpy(f->path, "/tmp/ktap-test-XXXXXX");
	close(mkstemp(f->path));
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	ktap_object_close(f->object);
	ktap_free(f->engine);
	unlink(f->path);
	free(f);
	return 0;
}

static void
compile_c(const struct fixture *f, const char *source)
{
	char *command;
	FILE *clang;

	if (system("command -v clang >/dev/null && clang --print-targets | grep -q bpf")) {
		print_message("# clang with its bpf target is not installed\n");
		skip();
	}
	if (asprintf(&command, "clang -target bpf -mcpu=v3 -O2 -g -c -w -I/usr/include/x86_64-linux-gnu -I/usr/include/aarch64-linux-gnu -x c - -o %s",
		     f->path) < 0)
		fail();
	clang = popen(command, "w");
	free(command);
	fputs(prelude, clang);
	fputs(source, clang);
	assert_int_equal(pclose(clang), 0);
}

static void
open_object(struct fixture *f, const struct ktap_options *options)
{
	if (ktap_object_open(f->engine, f->path, options, &f->object) < 0)
		fail_msg("%s", ktap_error());
}

static void
test_refused(void **state)
{
	struct fixture *f = *state;
	static const enum ktap_arg half[5] = { KTAP_ARG_MEM_READ }, ok[5] = { KTAP_ARG_NUMBER };
	struct ktap_table *table;

	assert_int_equal(ktap_add_event(f->engine, "plain", 8, KTAP_CONTEXT_READ), -EINVAL);
	assert_string_equal(ktap_error(), "event 'plain': its name must hold a '/', as sections of programs do");
	assert_int_equal(ktap_add_event(f->engine, "a/b", 0, KTAP_CONTEXT_READ), -EINVAL);
	assert_int_equal(ktap_add_event(f->engine, "a/b", 12, KTAP_CONTEXT_WRITE), -EINVAL);
	assert_int_equal(ktap_add_event(f->engine, "a/b", 16, (enum ktap_context)7), -EINVAL);
	assert_int_equal(ktap_add_event(f->engine, "a/b", 16, KTAP_CONTEXT_WRITE), 0);
	assert_int_equal(ktap_add_event(f->engine, "a/b", 16, KTAP_CONTEXT_WRITE), -EEXIST);
	assert_int_equal(ktap_add_helper(1, "low", NULL, ok), -EINVAL);
	assert_int_equal(ktap_add_helper(70000, "half", NULL, half), -EINVAL);
	assert_string_equal(ktap_error(), "helper 'half': memory is followed by its size, and nothing else is; no argument stands behind none");
	table = (struct ktap_table *)f;
	assert_int_equal(ktap_table_new(f->engine, "t", KTAP_TABLE_ARRAY, 8, 8, 1, &table), -EINVAL);
	assert_null(table);
	assert_int_equal(ktap_table_new(f->engine, "t", KTAP_TABLE_HASH, 513, 8, 1, &table), -EINVAL);
	assert_non_null(strstr(ktap_error(), "keys must have 1 to 512 bytes"));
	f->object = (struct ktap_object *)f;
	assert_int_equal(ktap_object_open(f->engine, "/nonexistent/x.o", NULL, &f->object), -ENOENT);
	assert_null(f->object);
	assert_string_equal(ktap_error(), "cannot read /nonexistent/x.o: No such file or directory");
	assert_int_equal(ktap_object_open_memory(f->engine, "bytes", "not ELF", 7, NULL, &f->object), -EINVAL);
	assert_non_null(strstr(ktap_error(), "bytes: not an ELF file"));
}

/* In a process whose n-th allocation fails (KTAP_FAIL_ALLOC). 0: all is there; 1: the error was told; 2: not as the header has it. */
static int
make_all(void)
{
	struct ktap *engine;
	struct ktap_table *table = NULL;
	int err = ktap_new(&engine);

	if (!err)
		err = ktap_add_event(engine, "a/b", 16, KTAP_CONTEXT_READ);
	if (!err)
		err = ktap_table_new(engine, "t", KTAP_TABLE_HASH, 8, 8, 16, &table);
	if (err && (err != -ENOMEM || table || !*ktap_error()))
		return 2;
	ktap_table_free(table);
	ktap_free(engine);
	return err != 0;
}

/* Where memory is short while an engine, an event, a table is made, the process goes on. */
static void
test_memory(void **state)
{
	unsigned n_told = 0;
	int status = 1;

	(void)state;
	for (unsigned n = 1; status; n++) {
		char number[16];
		pid_t pid;

		snprintf(number, sizeof(number), "%u", n);
		pid = fork();
		if (!pid) {
			setenv("KTAP_FAIL_ALLOC", number, 1);
			execl("/proc/self/exe", "test_host", "make", (char *)NULL);
			_exit(99);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		if (status && (!WIFEXITED(status) || WEXITSTATUS(status) != 1))
			fail_msg("allocation %u fails: status %#x", n, (unsigned)status);
		n_told += status != 0;
	}
	assert_true(n_told > 5);
}

/* Programs are refused for what they do, with the C line, and for the section they are in. */
static void
test_refused_programs(void **state)
{
	struct fixture *f = *state;

	ktap_add_event(f->engine, "my/event", sizeof(struct context), KTAP_CONTEXT_READ);
	compile_c(f, "SEC(\"my/event\") int wild(struct context *c) {\n return c[1].in;\n }\n");
	assert_int_equal(ktap_object_open(f->engine, f->path, NULL, &f->object), -EACCES);
	assert_non_null(strstr(ktap_error(), "program 'wild' (my/event) is refused"));
	assert_non_null(strstr(ktap_error(), "<stdin>:5:")); /* three lines stand before; clang keeps no text of a pipe */
	compile_c(f, "SEC(\"my/event\") int writes(struct context *c) {\n c->out = 1; return 0;\n }\n");
	assert_int_equal(ktap_object_open(f->engine, f->path, NULL, &f->object), -EACCES);
	compile_c(f, "SEC(\"your/event\") int elsewhere(struct context *c) { return 0; }\n");
	assert_int_equal(ktap_object_open(f->engine, f->path, NULL, &f->object), -EINVAL);
	assert_non_null(strstr(ktap_error(), "program 'elsewhere' is in section 'your/event', which is no event of this engine"));
	f->object = NULL;
}

static void
take_line(void *arg, const char *line, size_t len)
{
	struct fixture *f = arg;

	f->n_lines++;
	snprintf(f->line, sizeof(f->line), "%.*s", (int)len, line);
}

/* r1 + 3 * r2, and one more where it is called from this host. */
static uint64_t
combine(struct ktap_run *run, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
	return a + 3 * b + (ktap_run_host(run) ? 1 : 0);
}

static const char worker[] =
	"static long (*combine)(unsigned long long a, unsigned long long b) = (void *)65537;\n"
	"struct { __uint(type, BPF_MAP_TYPE_HASH); __type(key, int); __type(value, unsigned long long); __uint(max_entries, 64); } mine SEC(\".maps\");\n"
	"struct { __uint(type, BPF_MAP_TYPE_ARRAY); __type(key, int); __type(value, unsigned long long); __uint(max_entries, 4); } shared SEC(\".maps\");\n"
	"struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } ring SEC(\".maps\");\n"
	"unsigned long long calls, begun; const volatile int unused = 3;\n"
	"SEC(\"init\") int begin(void *none) { begun = 7; return 0; }\n"
	"SEC(\"my/event\") int work(struct context *c) {\n"
	"	int two = 2, key = c->in & 15; unsigned long long zero = 0, *n = bpf_map_lookup_elem(&shared, &two);\n"
	"	if (n) __sync_fetch_and_add(n, 1);\n"
	"	n = bpf_map_lookup_elem(&mine, &key);\n"
	"	if (!n) { bpf_map_update_elem(&mine, &key, &zero, BPF_NOEXIST); n = bpf_map_lookup_elem(&mine, &key); }\n"
	"	if (n) __sync_fetch_and_add(n, 1);\n"
	"	__sync_fetch_and_add(&calls, 1);\n"
	"	c->out = combine(c->in, 2);\n"
	"	if (c->in == 1000) { bpf_printk(\"a thousand\"); bpf_ringbuf_output(&ring, &c->in, 8, 0); }\n"
	"	return c->in + 1;\n"
	"}\n";

static void
take_record(void *arg, const void *record, size_t len)
{
	uint64_t *sum = arg, value;

	assert_int_equal(len, sizeof(value));
	memcpy(&value, record, sizeof(value));
	*sum += value;
}

static void
use(struct fixture *f, struct ktap_table *shared)
{
	_Alignas(8) struct context context = { .in = 1000 };
	uint32_t two = 2;
	uint64_t result = 0, value = 0, sum = 0, *variable;
	size_t size;

	assert_int_equal(ktap_run(ktap_program_find(f->object, "work"), &context, f, &result), 0);
	assert_int_equal(result, 1001);
	assert_int_equal(context.out, 1000 + 3 * 2 + 1);
	assert_int_equal(f->n_lines, 1);
	assert_string_equal(f->line, "a thousand\n");
	assert_int_equal(ktap_table_consume(ktap_table_find(f->object, "ring"), take_record, &sum), 1);
	assert_int_equal(sum, 1000);
	assert_int_equal(ktap_fire(f->object, "my/event", &context, NULL), 1);
	assert_int_equal(ktap_fire(f->object, "no/event", &context, NULL), 0);
	/* The host's table is the object's. */
	assert_int_equal(ktap_table_lookup(shared, &two, &value), 0);
	assert_int_equal(value, 2);
	assert_int_equal(ktap_table_lookup(ktap_table_find(f->object, "shared"), &two, &value), 0);
	assert_int_equal(value, 2);
	assert_ptr_equal(ktap_table_memory(shared, &size), ktap_table_memory(ktap_table_find(f->object, "shared"), NULL));
	assert_int_equal(size, 4 * 8);
	variable = ktap_variable(f->object, "calls", &size);
	assert_int_equal(size, 8);
	assert_int_equal(*variable, 2);
	assert_int_equal(*(uint64_t *)ktap_variable(f->object, "begun", NULL), 7);
	assert_null(ktap_variable(f->object, "nothing", NULL));
	assert_null(ktap_table_find(f->object, "nothing"));
	assert_string_equal(ktap_program_name(ktap_program_of_event(f->object, "my/event", 0)), "work");
	assert_null(ktap_program_of_event(f->object, "my/event", 1));
}

static void
walk(struct fixture *f)
{
	struct ktap_table *mine = ktap_table_find(f->object, "mine");
	int key, n = 0, *last = NULL;
	uint64_t value = 5;

	for (int i = 20; i < 25; i++)
		assert_int_equal(ktap_table_update(mine, &i, &value), 0);
	key = 22;
	assert_int_equal(ktap_table_delete(mine, &key), 0);
	assert_int_equal(ktap_table_delete(mine, &key), -ENOENT);
	for (; ktap_table_next(mine, last, &key) == 0; last = &key)
		n++;
	assert_int_equal(n, 1 + 4); /* key 1000 & 15, and four of five */
}

static void
run_with(struct fixture *f, enum ktap_exec exec)
{
	struct ktap_table *shared = NULL;
	struct ktap_options options = { .exec = exec, .tables = &shared, .n_tables = 1, .print = take_line, .print_arg = f };

	f->n_lines = 0;
	assert_int_equal(ktap_table_new(f->engine, "shared", KTAP_TABLE_ARRAY, 4, 8, 4, &shared), 0);
	open_object(f, &options);
	if (exec == KTAP_EXEC_INTERPRETER)
		assert_false(ktap_program_is_compiled(ktap_program_find(f->object, "work")));
	use(f, shared);
	walk(f);
	ktap_object_close(f->object);
	f->object = NULL;
	ktap_table_free(shared);
}

static void
add_helper(void)
{
	static const enum ktap_arg args[5] = { KTAP_ARG_NUMBER, KTAP_ARG_NUMBER };
	int err = ktap_add_helper(65537, "combine", combine, args);

	assert_true(err == 0 || err == -EEXIST); /* the process's, from a test before */
}

static void
test_run(void **state)
{
	struct fixture *f = *state;
	struct ktap_table *wrong = NULL;
	struct ktap_options options = { .tables = &wrong, .n_tables = 1 };

	add_helper();
	ktap_add_event(f->engine, "my/event", sizeof(struct context), KTAP_CONTEXT_WRITE);
	compile_c(f, worker);
	run_with(f, KTAP_EXEC_AUTO);
	run_with(f, KTAP_EXEC_INTERPRETER);
	assert_int_equal(ktap_table_new(f->engine, "shared", KTAP_TABLE_ARRAY, 4, 8, 5, &wrong), 0);
	assert_int_equal(ktap_object_open(f->engine, f->path, &options, &f->object), -EINVAL);
	assert_non_null(strstr(ktap_error(), "table \"shared\""));
	ktap_table_free(wrong);
	f->object = NULL;
}

/* Of several tables of one name the last stands, and none of them is the object's to free. */
static void
test_shared_twice(void **state)
{
	struct fixture *f = *state;
	struct ktap_table *tables[3] = { 0 };
	struct ktap_options options = { .tables = tables, .n_tables = 3 };
	struct context context = { 0 };
	uint32_t two = 2;
	uint64_t value;

	add_helper();
	ktap_add_event(f->engine, "my/event", sizeof(struct context), KTAP_CONTEXT_WRITE);
	compile_c(f, worker);
	assert_int_equal(ktap_table_new(f->engine, "shared", KTAP_TABLE_ARRAY, 4, 8, 4, &tables[0]), 0);
	assert_int_equal(ktap_table_new(f->engine, "shared", KTAP_TABLE_ARRAY, 4, 8, 4, &tables[1]), 0);
	tables[2] = tables[1];
	open_object(f, &options);
	assert_int_equal(ktap_run(ktap_program_find(f->object, "work"), &context, NULL, NULL), 0);
	ktap_object_close(f->object);
	f->object = NULL;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(ktap_table_lookup(tables[i], &two, &value), 0);
		assert_int_equal(value, i);
		ktap_table_free(tables[i]);
	}
}

static uint64_t
tgid_seen_by_program(struct fixture *f)
{
	struct context context = { 0 };

	assert_int_equal(ktap_run(ktap_program_find(f->object, "who"), &context, NULL, NULL), 0);
	return context.out >> 32;
}

/* A process that forks after its first run is itself, and its child is another. */
static void
test_fork(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t child;

	ktap_add_event(f->engine, "my/event", sizeof(struct context), KTAP_CONTEXT_WRITE);
	compile_c(f, "SEC(\"my/event\") int who(struct context *c) { c->out = bpf_get_current_pid_tgid(); return 0; }\n");
	open_object(f, NULL);
	assert_int_equal(tgid_seen_by_program(f), getpid());
	child = fork();
	if (!child)
		_exit(tgid_seen_by_program(f) != (uint64_t)getpid());
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_int_equal(tgid_seen_by_program(f), getpid());
}

/* 100 rounds cost 99 or 100 jumps back, as clang turns the loop; no less, no more. */
static const char looper[] = "SEC(\"my/event\") int work(struct context *c)\n"
			     "{ for (int i = 0; i < 100; i++) { c->out += c->in; asm volatile(\"\" ::: \"memory\"); } return 3; }\n"
			     "char _license[] SEC(\"license\") = \"GPL\";\n";

static int
run_bounded(struct fixture *f, uint32_t budget, struct context *context, uint64_t *result)
{
	int err;

	open_object(f, &(struct ktap_options){ .budget = budget, .hides_constants = 1 });
	err = ktap_run(ktap_program_find(f->object, "work"), context, NULL, result);
	ktap_object_close(f->object);
	f->object = NULL;
	return err;
}

static void
test_budget(void **state)
{
	struct fixture *f = *state;
	_Alignas(8) struct context context = { .in = 7 };
	uint64_t result = 99;

	ktap_add_event(f->engine, "my/event", sizeof(struct context), KTAP_CONTEXT_WRITE);
	compile_c(f, looper);
	assert_int_equal(run_bounded(f, 98, &context, &result), -ETIME);
	assert_int_equal(result, 99);
	assert_string_equal(ktap_error(), "program 'work': its budget of jumps backward and calls back is used up");
	assert_in_range(context.out, 98 * 7, 100 * 7);
	context.out = 0;
	assert_int_equal(run_bounded(f, 100, &context, &result), 0);
	assert_int_equal(result, 3);
	assert_int_equal(context.out, 100 * 7);
}

/* What begins only in part is not opened. */
static void
test_budget_of_init(void **state)
{
	struct fixture *f = *state;
	struct ktap_options options = { .budget = 99 };

	compile_c(f, "static int step(unsigned i, void *context) { return 0; }\n"
		     "SEC(\"init\") int begin(void *none) { return bpf_loop(100, step, 0, 0); }\n");
	assert_int_equal(ktap_object_open(f->engine, f->path, &options, &f->object), -ETIME);
	assert_string_equal(ktap_error(), "program 'begin': its budget of jumps backward and calls back is used up");
	options.budget = 100;
	open_object(f, &options);
}

static void *
run_many(void *arg)
{
	const struct ktap_program *work = arg;

	for (uint64_t i = 0; i < ROUNDS; i++) {
		_Alignas(8) struct context context = { .in = i & 255 };
		uint64_t result;

		ktap_run(work, &context, NULL, &result);
		if (result != context.in + 1 || context.out != context.in + 6)
			return (void *)1;
	}
	return NULL;
}

/* Program "work" by all threads at once. */
static void
work_in_threads(const struct fixture *f)
{
	void *work = (void *)(uintptr_t)ktap_program_find(f->object, "work"), *wrong;
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, run_many, work), 0);
	for (int i = 0; i < THREADS; i++) {
		pthread_join(threads[i], &wrong);
		assert_null(wrong);
	}
}

/* Atomic counts are exact: none is lost, in arrays, hash tables and variables. */
static void
test_threads(void **state)
{
	struct fixture *f = *state;
	uint64_t value = 0, sum = 0;
	int two = 2, key, *last = NULL;

	add_helper();
	ktap_add_event(f->engine, "my/event", sizeof(struct context), KTAP_CONTEXT_WRITE);
	compile_c(f, worker);
	open_object(f, NULL);
	work_in_threads(f);
	assert_int_equal(ktap_table_lookup(ktap_table_find(f->object, "shared"), &two, &value), 0);
	assert_int_equal(value, THREADS * ROUNDS);
	assert_int_equal(*(uint64_t *)ktap_variable(f->object, "calls", NULL), THREADS * ROUNDS);
	for (; ktap_table_next(ktap_table_find(f->object, "mine"), last, &key) == 0; last = &key) {
		assert_int_equal(ktap_table_lookup(ktap_table_find(f->object, "mine"), &key, &value), 0);
		sum += value;
	}
	assert_int_equal(sum, THREADS * ROUNDS);
}

/* Kinds of tables with a lock of their own: nothing is lost, and threads do not wait for each other's programs. */
static const char shared_kinds[] = "struct { __uint(type, BPF_MAP_TYPE_LRU_HASH); __uint(max_entries, 64); __type(key, long); __type(value, long); }\n"
				   "lru SEC(\".maps\");\n"
				   "struct { __uint(type, BPF_MAP_TYPE_QUEUE); __uint(max_entries, 100000); __type(value, long); } queue SEC(\".maps\");\n"
				   "SEC(\"my/event\") int work(struct context *c)\n"
				   "{ long key = c->in & 15, *value, one = 1; bpf_map_update_elem(&lru, &key, &(long){ 0 }, BPF_NOEXIST);\n"
				   "  value = bpf_map_lookup_elem(&lru, &key); if (value) __sync_fetch_and_add(value, 1);\n"
				   "  bpf_map_push_elem(&queue, &one, 0); c->out = c->in + 6; return c->in + 1; }\n"
				   "SEC(\"my/event\") int pop(struct context *c) { return bpf_map_pop_elem(&queue, &c->out) == 0; }\n"
				   "char _license[] SEC(\"license\") = \"GPL\";\n";

static void
test_thread_kinds(void **state)
{
	struct fixture *f = *state;
	_Alignas(8) struct context context = { 0 };
	uint64_t result = 1, value, sum = 0;
	int64_t n = -1;

	ktap_add_event(f->engine, "my/event", sizeof(struct context), KTAP_CONTEXT_WRITE);
	compile_c(f, shared_kinds);
	open_object(f, NULL);
	work_in_threads(f);
	for (; result == 1; n++)
		ktap_run(ktap_program_find(f->object, "pop"), &context, NULL, &result);
	assert_int_equal(n, THREADS * ROUNDS);
	for (uint64_t key = 0; key < 16; key++) {
		assert_int_equal(ktap_table_lookup(ktap_table_find(f->object, "lru"), &key, &value), 0);
		sum += value;
	}
	assert_int_equal(sum, THREADS * ROUNDS);
}

static const char nested[] = "struct inner { __uint(type, BPF_MAP_TYPE_ARRAY); __uint(max_entries, 2); __type(key, int); __type(value, long); }\n"
			     "first SEC(\".maps\");\n"
			     "struct { __uint(type, BPF_MAP_TYPE_HASH_OF_MAPS); __uint(max_entries, 4); __type(key, int); __array(values, struct inner); }\n"
			     "outer SEC(\".maps\") = { .values = { &first } };\n"
			     "SEC(\"my/event\") int work(struct context *c)\n"
			     "{ int key = c->in, one = 1; void *inner = bpf_map_lookup_elem(&outer, &key); long *value;\n"
			     "  if (!inner || !(value = bpf_map_lookup_elem(inner, &one))) return 0; return ++*value; }\n"
			     "char _license[] SEC(\"license\") = \"GPL\";\n";

static uint64_t
work_on(const struct fixture *f, uint64_t in)
{
	_Alignas(8) struct context context = { .in = in };
	uint64_t result = 0;

	assert_int_equal(ktap_run(ktap_program_find(f->object, "work"), &context, NULL, &result), 0);
	return result;
}

/* A table of tables: what the object says is in it, and one of the host's. */
static void
test_nested(void **state)
{
	struct fixture *f = *state;
	struct ktap_table *mine, *wrong, *outer;
	uint32_t zero = 0, five = 5, one = 1;
	uint64_t value = 41;

	ktap_add_event(f->engine, "my/event", sizeof(struct context), KTAP_CONTEXT_WRITE);
	compile_c(f, nested);
	assert_int_equal(ktap_table_new(f->engine, "mine", KTAP_TABLE_ARRAY, 4, 8, 2, &mine), 0);
	assert_int_equal(ktap_table_new(f->engine, "wrong", KTAP_TABLE_ARRAY, 4, 8, 3, &wrong), 0);
	open_object(f, NULL);
	outer = ktap_table_find(f->object, "outer");
	assert_ptr_equal(ktap_table_held(outer, &zero), ktap_table_find(f->object, "first"));
	assert_null(ktap_table_held(outer, &five));
	assert_int_equal(work_on(f, 0), 1);
	assert_int_equal(work_on(f, 5), 0);
	assert_int_equal(ktap_table_update(mine, &one, &value), 0);
	assert_int_equal(ktap_table_put(outer, &five, mine), 0);
	assert_ptr_equal(ktap_table_held(outer, &five), mine);
	assert_int_equal(work_on(f, 5), 42);
	assert_int_equal(ktap_table_put(outer, &five, wrong), -EINVAL);
	assert_non_null(strstr(ktap_error(), "'wrong' is not like"));
	assert_int_equal(ktap_table_put(mine, &five, wrong), -EINVAL);
	assert_int_equal(ktap_table_update(outer, &five, &one), -EINVAL);
	assert_int_equal(ktap_table_delete(outer, &five), 0);
	assert_int_equal(work_on(f, 5), 0);
	ktap_object_close(f->object);
	f->object = NULL;
	ktap_table_free(mine);
	ktap_table_free(wrong);
}

/* Tables with a value for each CPU, in a table of tables: of the one value that an engine has nothing is lost, though programs add without atomics. */
static const char nested_per_cpu[] =
	"struct inner { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 1); __type(key, int); __type(value, long); };\n"
	"struct { __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS); __uint(max_entries, 1); __type(key, int); __array(values, struct inner); }\n"
	"outer SEC(\".maps\");\n"
	"SEC(\"my/event\") int work(struct context *c)\n"
	"{ int zero = 0; void *inner = bpf_map_lookup_elem(&outer, &zero); long *value; c->out = c->in + 6;\n"
	"  if (inner && (value = bpf_map_lookup_elem(inner, &zero))) for (int i = 0; i < 8; i++) { ++*value; asm volatile(\"\" ::: \"memory\"); }\n"
	"  return c->in + 1; }\n";

static const char per_cpu[] = "struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 1); __type(key, int); __type(value, long); }\n"
			      "cells SEC(\".maps\");\n"
			      "SEC(\"my/other\") int use_cells(struct context *c) { int zero = 0; return !bpf_map_lookup_elem(&cells, &zero); }\n";

static void
test_nested_per_cpu(void **state)
{
	struct fixture *f = *state;
	struct ktap_object *holder;
	uint32_t zero = 0;
	uint64_t value;

	ktap_add_event(f->engine, "my/event", sizeof(struct context), KTAP_CONTEXT_WRITE);
	ktap_add_event(f->engine, "my/other", sizeof(struct context), KTAP_CONTEXT_READ);
	compile_c(f, per_cpu);
	open_object(f, NULL);
	holder = f->object;
	compile_c(f, nested_per_cpu);
	open_object(f, NULL);
	assert_int_equal(ktap_table_put(ktap_table_find(f->object, "outer"), &zero, ktap_table_find(holder, "cells")), 0);
	work_in_threads(f);
	assert_int_equal(ktap_table_lookup(ktap_table_find(holder, "cells"), &zero, &value), 0);
	assert_int_equal(value, 8 * THREADS * ROUNDS);
	ktap_object_close(f->object);
	f->object = holder;
}

/* ---- records ---- */

static const char sender[] = "struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } ring SEC(\".maps\");\n"
			     "struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } other SEC(\".maps\");\n"
			     "struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 1); __type(key, int); __type(value, long); }\n"
			     "cells SEC(\".maps\");\n"
			     "SEC(\"my/event\") int work(struct context *c)\n"
			     "{ int zero = 0; long *cell = bpf_map_lookup_elem(&cells, &zero); if (cell) ++*cell;\n"
			     "  if (c->in) bpf_ringbuf_output(&ring, &c->in, 8, 0); else bpf_ringbuf_output(&other, &zero, 4, 0); return 0; }\n"
			     "char _license[] SEC(\"license\") = \"GPL\";\n";

struct taking {
	struct fixture *f;
	uint64_t sum;
	unsigned n_refused, n_others;
};

static void
count_record(void *arg, const void *record, size_t len)
{
	++*(unsigned *)arg;
}

static void *
work_once(void *arg)
{
	_Alignas(8) struct context context = { .in = 0 };

	return (void *)(intptr_t)ktap_run(ktap_program_find(((struct fixture *)arg)->object, "work"), &context, NULL, NULL);
}

/* All that a taker of records may do, and what it may not. */
static void
take_and_use(void *arg, const void *record, size_t len)
{
	struct taking *taking = arg;
	struct ktap_object *object = taking->f->object;
	uint64_t value;
	pthread_t thread;
	void *err;

	memcpy(&value, record, sizeof(value));
	taking->sum += value;
	/* The programs of the object run one behind the other, and this other thread's must not wait for us, who wait for it. */
	assert_int_equal(pthread_create(&thread, NULL, work_once, taking->f), 0);
	pthread_join(thread, &err);
	assert_null(err);
	assert_int_equal(ktap_table_lookup(ktap_table_find(object, "cells"), &(uint32_t){ 0 }, &value), 0);
	assert_int_equal(ktap_table_consume(ktap_table_find(object, "other"), count_record, &taking->n_others), 1);
	taking->n_refused += ktap_table_consume(ktap_table_find(object, "ring"), take_and_use, taking) == -EDEADLK;
	assert_string_equal(ktap_error(), "table 'ring': this thread is handing out its records: what takes them cannot ask for them, too");
}

static void
test_consume(void **state)
{
	struct fixture *f = *state;
	struct taking taking = { .f = f };

	ktap_add_event(f->engine, "my/event", sizeof(struct context), KTAP_CONTEXT_READ);
	compile_c(f, sender);
	open_object(f, NULL);
	work_on(f, 40);
	work_on(f, 2);
	assert_int_equal(ktap_table_consume(ktap_table_find(f->object, "ring"), take_and_use, &taking), 2);
	assert_int_equal(taking.sum, 42);
	assert_int_equal(taking.n_refused, 2);
	assert_int_equal(taking.n_others, 2);
	assert_int_equal(ktap_table_consume(ktap_table_find(f->object, "ring"), take_and_use, &taking), 0);
	assert_int_equal(ktap_table_consume(ktap_table_find(f->object, "cells"), take_and_use, &taking), -EINVAL);
	assert_string_equal(ktap_error(), "table 'cells' is no ring buffer");
}

static const char keyless[] = "struct { __uint(type, BPF_MAP_TYPE_QUEUE); __type(value, int); __uint(max_entries, 2); } queue SEC(\".maps\");\n"
			      "struct { __uint(type, BPF_MAP_TYPE_STACK); __type(value, int); __uint(max_entries, 2); } stack SEC(\".maps\");\n"
			      "struct { __uint(type, BPF_MAP_TYPE_BLOOM_FILTER); __type(value, int); __uint(max_entries, 8); } bloom SEC(\".maps\");\n"
			      "struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } ring SEC(\".maps\");\n"
			      "struct { __uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY); __uint(key_size, 4); __uint(value_size, 4); } perf SEC(\".maps\");\n"
			      "struct { __uint(type, BPF_MAP_TYPE_HASH); __type(key, int); __type(value, int); __uint(max_entries, 1); } hash SEC(\".maps\");\n"
			      "const volatile int seven = 7;\n"
			      "SEC(\"my/event\") int work(struct context *c) {\n"
			      "	int n = c->in;\n"
			      "	bpf_ringbuf_output(&ring, &n, sizeof(n), 0);\n"
			      "	bpf_perf_event_output(c, &perf, BPF_F_CURRENT_CPU, &n, sizeof(n));\n"
			      "	bpf_map_push_elem(&queue, &n, 0); bpf_map_push_elem(&stack, &n, 0); bpf_map_push_elem(&bloom, &n, 0);\n"
			      "	return seven;\n"
			      "}\n"
			      "char _license[] SEC(\"license\") = \"GPL\";\n";

static bool
is_readable(int fd)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };

	return poll(&poll_fd, 1, 0) == 1;
}

static void
add_record(void *arg, const void *record, size_t len)
{
	int n;

	assert_true(len >= sizeof(n));
	memcpy(&n, record, sizeof(n));
	*(int *)arg += n;
}

/* Records of both kinds of buffers, and a descriptor that says that there are some. */
static void
take_records(struct fixture *f, const char *name)
{
	struct ktap_table *table = ktap_table_find(f->object, name);
	int fd = ktap_table_fd(table), sum = 0;

	assert_true(fd >= 0);
	assert_int_equal(ktap_table_consume(table, add_record, &sum), 0);
	assert_false(is_readable(fd));
	assert_int_equal(work_on(f, 5), 7);
	assert_int_equal(work_on(f, 6), 7);
	assert_true(is_readable(fd));
	assert_int_equal(ktap_table_consume(table, add_record, &sum), 2);
	assert_int_equal(sum, 11);
	assert_false(is_readable(fd));
}

static void
check_failed(int err, int expected, const char *message)
{
	assert_int_equal(err, expected);
	assert_string_equal(ktap_error(), message);
}

/* Each of the 33 tail calls is made as deep as calls may be: what goes on then has frames of its own. */
static const char deep[] = "int work(struct context *c);\n"
			   "struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 1); __uint(key_size, 4); __array(values, int (void *)); }\n"
			   "programs SEC(\".maps\") = { .values = { [0] = (void *)&work } };\n"
			   "struct to { void *c; };\n"
			   "int n;\n"
			   "__attribute__((noinline)) int last(void *c __attribute__((btf_decl_tag(\"arg:ctx\"))))\n"
			   "{ n++; bpf_tail_call(c, &programs, 0); return 8; }\n"
			   "static int f6(int i, struct to *to) { last(to->c); return 0; }\n"
			   "#define F(n, next) static int f##n(int i, struct to *to) { bpf_loop(1, next, to, 0); return 0; }\n"
			   "F(5, f6) F(4, f5) F(3, f4) F(2, f3) F(1, f2)\n"
			   "SEC(\"my/event\") int work(struct context *c) { struct to to = { c }; bpf_loop(1, f1, &to, 0); return n; }\n"
			   "char _license[] SEC(\"license\") = \"GPL\";\n";

static void *
run_deep(void *arg)
{
	struct fixture *f = arg;
	struct context context = { .in = 5 };
	uint64_t result = 0;

	return ktap_run(ktap_program_find(f->object, "work"), &context, NULL, &result) == 0 && result == 34 ? arg : NULL;
}

/* The header says how much stack a run takes at most. What sanitizers make of it takes more. */
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define RUN_STACK (4096 << 10)
#else
#define RUN_STACK (512 << 10)
#endif

static void
test_stack(void **state)
{
	struct fixture *f = *state;
	pthread_attr_t attributes;
	pthread_t thread;
	void *right;

	ktap_add_event(f->engine, "my/event", sizeof(struct context), KTAP_CONTEXT_WRITE);
	compile_c(f, deep);
	pthread_attr_init(&attributes);
	assert_int_equal(pthread_attr_setstacksize(&attributes, RUN_STACK), 0);
	for (int exec = KTAP_EXEC_AUTO; exec <= KTAP_EXEC_INTERPRETER; exec++) {
		open_object(f, &(struct ktap_options){ .exec = (enum ktap_exec)exec });
		assert_int_equal(pthread_create(&thread, &attributes, run_deep, f), 0);
		pthread_join(thread, &right);
		assert_ptr_equal(right, f);
		ktap_object_close(f->object);
		f->object = NULL;
	}
	pthread_attr_destroy(&attributes);
}

/* A full trie says so as the kernel's does, in words that others have, too. */
static void
test_full_trie(void **state)
{
	struct fixture *f = *state;
	const struct { uint32_t len; uint8_t bits[4]; } a = { 8, { 10 } }, b = { 8, { 11 } };
	struct ktap_table *trie;
	uint64_t value = 1;

	compile_c(f, "struct { __uint(type, BPF_MAP_TYPE_LPM_TRIE); __uint(map_flags, 1); __uint(max_entries, 1); __uint(key_size, 8); __type(value, long); }\n"
		     "trie SEC(\".maps\");\n"
		     "SEC(\"init\") int start(void *c) { return 0; }\n");
	open_object(f, NULL);
	trie = ktap_table_find(f->object, "trie");
	assert_int_equal(ktap_table_update(trie, &a, &value), 0);
	check_failed(ktap_table_update(trie, &b, &value), -ENOSPC, "table 'trie': update: it holds 1 entries, and no more");
	assert_int_equal(ktap_table_update(trie, &a, &value), 0);
}

/* What has no keys, from the host's side; and what is said of a use that a table does not have. */
static void
test_without_keys(void **state)
{
	struct fixture *f = *state;
	struct ktap_table *queue, *stack, *bloom;
	int value = 40, key = 1;
	size_t len;

	ktap_add_event(f->engine, "my/event", sizeof(struct context), KTAP_CONTEXT_READ);
	compile_c(f, keyless);
	open_object(f, NULL);
	queue = ktap_table_find(f->object, "queue");
	stack = ktap_table_find(f->object, "stack");
	bloom = ktap_table_find(f->object, "bloom");
	assert_int_equal(ktap_table_update(queue, NULL, &value), 0);
	assert_int_equal(ktap_table_update(stack, NULL, &value), 0);
	work_on(f, 30); /* pushes it behind the 40, and upon it */
	assert_int_equal(ktap_table_lookup(queue, NULL, &value), 0);
	assert_int_equal(value, 40);
	assert_int_equal(ktap_table_lookup(stack, NULL, &value), 0);
	assert_int_equal(value, 30);
	assert_int_equal(ktap_table_lookup(bloom, NULL, &value), 0);
	check_failed(ktap_table_update(queue, NULL, &value), -E2BIG, "table 'queue': update: it holds 2 entries, and no more");
	assert_int_equal(ktap_table_pop(queue, &value), 0);
	assert_int_equal(value, 40);
	assert_int_equal(ktap_table_pop(queue, &value), 0);
	assert_int_equal(value, 30);
	check_failed(ktap_table_pop(queue, &value), -ENOENT, "table 'queue': pop: there is no such entry");
	ktap_table_consume(ktap_table_find(f->object, "ring"), add_record, &value);
	ktap_table_consume(ktap_table_find(f->object, "perf"), add_record, &value);
	take_records(f, "ring");
	ktap_table_consume(ktap_table_find(f->object, "perf"), add_record, &value);
	take_records(f, "perf");
	check_failed(ktap_table_fd(queue), -EINVAL, "table 'queue' is no ring buffer");
	check_failed(ktap_table_lookup(ktap_table_find(f->object, "ring"), &key, &value), -EINVAL,
		     "table 'ring': lookup: not with a table of kind ringbuf, or not with this key");
	check_failed(ktap_table_pop(ktap_table_find(f->object, "hash"), &value), -EINVAL, "table 'hash': pop: not with a table of kind hash, or not with this key");
	check_failed(ktap_table_update(ktap_table_find(f->object, ".rodata"), &(int){ 0 }, &value), -EPERM,
		     "table '.rodata': update: constants stay what they are");
	assert_null(ktap_table_memory(queue, &len));
	assert_int_equal(len, 0);
}

static const char tails[] = "int last(struct context *c);\n"
			    "struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 4); __uint(key_size, 4); __array(values, int (void *)); }\n"
			    "programs SEC(\".maps\") = { .values = { [1] = (void *)&last } };\n"
			    "SEC(\"my/event\") int last(struct context *c) { c->out += 100; return 7; }\n"
			    "SEC(\"my/event\") int again(struct context *c) { c->out++; bpf_tail_call(c, &programs, 2); return 8; }\n"
			    "SEC(\"my/other\") int other(long *c) { return *c; }\n"
			    "SEC(\"my/event\") int work(struct context *c) { bpf_tail_call(c, &programs, c->in); return 9; }\n"
			    "char _license[] SEC(\"license\") = \"GPL\";\n";

static void
run_tails(struct fixture *f, const struct ktap_options *options)
{
	_Alignas(8) struct context context = { .in = 2 };
	const struct ktap_program *again;
	struct ktap_table *programs;
	uint64_t result = 0;
	uint32_t one = 1;

	open_object(f, options);
	programs = ktap_table_find(f->object, "programs");
	again = ktap_program_find(f->object, "again");
	assert_ptr_equal(ktap_table_program(programs, 1), ktap_program_find(f->object, "last"));
	assert_null(ktap_table_program(programs, 2));
	assert_null(ktap_table_program(programs, 4));
	assert_int_equal(work_on(f, 1), 7);
	assert_int_equal(work_on(f, 2), 9);
	assert_int_equal(ktap_table_put_program(programs, 2, again), 0);
	assert_int_equal(ktap_run(ktap_program_find(f->object, "work"), &context, NULL, &result), 0);
	assert_int_equal(result, 8);
	assert_int_equal(context.out, 33);
	assert_int_equal(ktap_table_put_program(programs, 4, again), -E2BIG);
	assert_int_equal(ktap_table_put_program(programs, 0, ktap_program_find(f->object, "other")), -EINVAL);
	assert_non_null(strstr(ktap_error(), "have another, of 16"));
	assert_int_equal(ktap_table_delete(programs, &one), 0);
	assert_int_equal(work_on(f, 1), 9);
	ktap_object_close(f->object);
	f->object = NULL;
}

/* Tail calls, from what is interpreted into machine code as well. */
static void
test_tail_calls(void **state)
{
	struct fixture *f = *state;

	ktap_add_event(f->engine, "my/event", sizeof(struct context), KTAP_CONTEXT_WRITE);
	ktap_add_event(f->engine, "my/other", sizeof(long), KTAP_CONTEXT_WRITE);
	compile_c(f, tails);
	run_tails(f, NULL);
	run_tails(f, &(struct ktap_options){ .exec = KTAP_EXEC_INTERPRETER });
	run_tails(f, &(struct ktap_options){ .budget = 1000 });
}

static const char configured[] = "const volatile unsigned long long rounds = 9; const volatile _Bool is_wild = 1; unsigned long long cells[4];\n"
				 "SEC(\"my/event\") int work(struct context *c) {\n"
				 "	for (unsigned long long i = 0; i < rounds; i++) cells[i]++;\n"
				 "	return is_wild ? c[1].in : 5;\n"
				 "}\n";

/* Constants that the host sets are what programs are verified with. */
static void
test_constants(void **state)
{
	struct fixture *f = *state;
	uint64_t rounds = 4, *cells;
	const struct ktap_constant constants[] = { { "rounds", &rounds, sizeof(rounds) }, { "is_wild", "", 1 } },
				   unknown = { "cells", &rounds, sizeof(rounds) }, small = { "rounds", &rounds, 4 };
	struct ktap_options options = { .constants = constants, .n_constants = 2 };

	ktap_add_event(f->engine, "my/event", sizeof(struct context), KTAP_CONTEXT_READ);
	compile_c(f, configured);
	open_object(f, &options);
	assert_int_equal(work_on(f, 1), 5);
	cells = ktap_variable(f->object, "cells", NULL);
	assert_true(cells[0] == 1 && cells[3] == 1);
	ktap_object_close(f->object);
	assert_int_equal(ktap_object_open(f->engine, f->path, NULL, &f->object), -EACCES);
	options.n_constants = 1; /* still wild */
	assert_int_equal(ktap_object_open(f->engine, f->path, &options, &f->object), -EACCES);
	options.constants = &unknown;
	assert_int_equal(ktap_object_open(f->engine, f->path, &options, &f->object), -ENOENT);
	assert_non_null(strstr(ktap_error(), "has no constant 'cells'"));
	options.constants = &small;
	assert_int_equal(ktap_object_open(f->engine, f->path, &options, &f->object), -EINVAL);
	assert_non_null(strstr(ktap_error(), "constant 'rounds' has 8 bytes, not 4"));
}

/* What ktap.h says of reading by address: any of the process's memory, and what is none gives -EFAULT. */
static void
test_reads_of_memory(void **state)
{
	struct fixture *f = *state;
	uint64_t secret = 42;

	ktap_add_event(f->engine, "my/event", sizeof(struct context), KTAP_CONTEXT_READ);
	compile_c(f, "SEC(\"my/event\") long work(struct context *c) {\n"
		     "	long value = 0;\n"
		     "	if (bpf_probe_read_user(&value, 8, (void *)c->in) != -14) return -1;\n"
		     "	return bpf_probe_read_kernel(&value, 8, (void *)c->in) ? : value;\n"
		     "}\n");
	open_object(f, NULL);
	assert_int_equal(work_on(f, (uintptr_t)&secret), 42);
	assert_int_equal(work_on(f, 16), (uint64_t)-EFAULT);
}

/* libbpf's '?': the program is not loaded, so that no table can have it. */
static void
test_optional(void **state)
{
	struct fixture *f = *state;

	ktap_add_event(f->engine, "my/event", sizeof(struct context), KTAP_CONTEXT_READ);
	compile_c(f, "SEC(\"?my/event\") int wild(struct context *c) { return c[1].in; }\n"
		     "SEC(\"my/event\") int tame(struct context *c) { return 1; }\n");
	open_object(f, NULL);
	assert_null(ktap_program_find(f->object, "wild"));
	assert_non_null(ktap_program_find(f->object, "tame"));
	ktap_object_close(f->object);
	f->object = NULL;
	compile_c(f, "int next(struct context *c);\n"
		     "struct { __uint(type, BPF_MAP_TYPE_PROG_ARRAY); __uint(max_entries, 1); __uint(key_size, 4); __array(values, int (void *)); }\n"
		     "programs SEC(\".maps\") = { .values = { (void *)&next } };\n"
		     "SEC(\"?my/event\") int next(struct context *c) { return 1; }\n"
		     "SEC(\"my/event\") int work(struct context *c) { bpf_tail_call(c, &programs, 0); return 2; }\n");
	assert_int_equal(ktap_object_open(f->engine, f->path, NULL, &f->object), -EINVAL);
	assert_non_null(strstr(ktap_error(), "table 'programs': program 'next' is not loaded, as the '?' of its section says"));
	f->object = NULL;
}

/* Calls by a register are the host's to permit. */
static void
test_callx(void **state)
{
	struct fixture *f = *state;
	const struct ktap_options permitted = { .callx = 1 };
	struct context context = { 20, 0 };
	uint64_t result;

	compile_c(f, "typedef unsigned long long u64;\n"
		     "static __noinline u64 twice(u64 n) { return 2 * n; }\n"
		     "static __noinline u64 plus_one(u64 n) { return n + 1; }\n"
		     "SEC(\"host/call\") int call(struct context *c) { u64 (*f)(u64) = c->in & 1 ? twice : plus_one; return f(c->in); }\n");
	assert_int_equal(ktap_add_event(f->engine, "host/call", sizeof(struct context), KTAP_CONTEXT_READ), 0);
	assert_int_equal(ktap_object_open(f->engine, f->path, NULL, &f->object), -EINVAL);
	if (!strstr(ktap_error(), "calls by a register (callx), which Linux before 7.4 refuses (a rule of the kernel; the option callx permits it)"))
		fail_msg("%s", ktap_error());
	open_object(f, &permitted);
	for (context.in = 20; context.in < 22; context.in++) {
		assert_int_equal(ktap_run(ktap_program_find(f->object, "call"), &context, NULL, &result), 0);
		assert_int_equal(result, context.in == 20 ? 21 : 42);
	}
}

/* The bytes of the object, for free; *rels its relocations of .rodata. */
static uint8_t *
read_object(const struct fixture *f, size_t *len, Elf64_Rel **rels)
{
	FILE *in = fopen(f->path, "r");
	uint8_t *bytes = calloc(1, 1 << 20);
	const Elf64_Ehdr *head = (const Elf64_Ehdr *)bytes;
	const Elf64_Shdr *sections, *names;

	assert_non_null(in);
	*len = fread(bytes, 1, 1 << 20, in);
	fclose(in);
	sections = (const Elf64_Shdr *)(bytes + head->e_shoff);
	names = &sections[head->e_shstrndx];
	*rels = NULL;
	for (int i = 0; i < head->e_shnum; i++)
		if (strcmp((const char *)bytes + names->sh_offset + sections[i].sh_name, ".rel.rodata") == 0)
			*rels = (Elf64_Rel *)(bytes + sections[i].sh_offset);
	assert_non_null(*rels);
	return bytes;
}

/* One handle in the place of another, or half in it, would be called as something that nobody verified. */
static void
test_damaged_functions(void **state)
{
	struct fixture *f = *state;
	const struct ktap_options permitted = { .callx = 1 };
	struct context context = { 1, 0 };
	uint64_t result;
	Elf64_Rel *rels;
	uint8_t *bytes;
	size_t len;

	compile_c(f, "typedef unsigned long long u64;\n"
		     "static __noinline u64 twice(u64 n) { return 2 * n; }\n"
		     "static __noinline u64 plus_one(u64 n) { return n + 1; }\n"
		     "static u64 (*const ops[])(u64) = { twice, plus_one };\n"
		     "SEC(\"host/op\") int op(struct context *c) { return ops[c->in & 1](20); }\n");
	assert_int_equal(ktap_add_event(f->engine, "host/op", sizeof(struct context), KTAP_CONTEXT_READ), 0);
	open_object(f, &permitted);
	assert_int_equal(ktap_run(ktap_program_find(f->object, "op"), &context, NULL, &result), 0);
	assert_int_equal(result, 21);
	ktap_object_close(f->object);
	f->object = NULL;
	bytes = read_object(f, &len, &rels);
	for (int i = 0; i < 2; i++) {
		rels[1].r_offset = rels[0].r_offset + (i ? 4 : 0);
		assert_int_equal(ktap_object_open_memory(f->engine, "damaged", bytes, len, &permitted, &f->object), -EINVAL);
		if (!strstr(ktap_error(), i ? "where no function begins" : "section .rodata: two relocations for byte 0"))
			fail_msg("%s", ktap_error());
	}
	free(bytes);
}

int
main(int argc, char **argv)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test(test_memory),
		cmocka_unit_test_setup_teardown(test_refused_programs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_run, setup, teardown),
		cmocka_unit_test_setup_teardown(test_shared_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fork, setup, teardown),
		cmocka_unit_test_setup_teardown(test_budget, setup, teardown),
		cmocka_unit_test_setup_teardown(test_budget_of_init, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_thread_kinds, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nested, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nested_per_cpu, setup, teardown),
		cmocka_unit_test_setup_teardown(test_consume, setup, teardown),
		cmocka_unit_test_setup_teardown(test_stack, setup, teardown),
		cmocka_unit_test_setup_teardown(test_full_trie, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_keys, setup, teardown),
		cmocka_unit_test_setup_teardown(test_tail_calls, setup, teardown),
		cmocka_unit_test_setup_teardown(test_constants, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reads_of_memory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_optional, setup, teardown),
		cmocka_unit_test_setup_teardown(test_callx, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged_functions, setup, teardown),
	};

	(void)argv;
	return argc > 1 ? make_all() : cmocka_run_group_tests_name("host", tests, NULL, NULL);
}
