/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * ELF files: what we write, we read back the same; libbpf and bpftool load it into the kernel (needs the right to, else
 * skipped); what clang writes, we read (where clang is installed); and damaged files are refused without harm.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>

#include "ebpf/ebpf.h"

static const char script_text[] = "var n = 41\n"
				  "trace syscalls:sys_enter_read { n += 1 }\n"
				  "trace syscalls:sys_enter_write { seen[pid] = 1 }\n";

static const uint64_t globals_init[2] = { 41, 7 };
static const uint64_t powers_init[4] = { 1, 10, 100, 1000 };
static const char greeting[8] = "hello";

struct fixture {
	struct arena *arena;
	struct script script;
	struct object *object;
	struct text why;
	char path[64]; /* of a scratch file */
};

static void
add_func(struct fixture *fixture, const char *name, const char *section, const char *source,
	 uint32_t line_off)
{
	struct func *func;
	struct code code;

	code_init(&code, fixture->arena);
	if (asm_text(&code, source, &fixture->why))
		fail_msg("%s", fixture->why.s);
	func = func_from_code(&code, name, section);
	for (uint32_t pc = 0; pc < func->n_insns; pc++)
		func->spans[pc] = (struct span){ line_off + 2 * (pc > 4), 5 };
	object_add_func(fixture->object, func);
}

/* A little of everything. Table and function numbers in the assembly are indices of these lists. */
static void
fill(struct fixture *fixture)
{
	static struct table tables[] = {
		{ .name = "seen", .kind = TABLE_HASH, .key_size = 8, .value_size = 8, .max_entries = 128 },
		{ .name = ".globals",
		  .kind = TABLE_ARRAY,
		  .key_size = 4,
		  .value_size = 16,
		  .max_entries = 1,
		  .mappable = true,
		  .init = globals_init },
		{ .name = ".records", .kind = TABLE_RINGBUF, .max_entries = 4096 },
		{ .name = "powers",
		  .kind = TABLE_ARRAY,
		  .key_size = 4,
		  .value_size = 8,
		  .max_entries = 4,
		  .read_only = true,
		  .init = powers_init },
		{ .name = "greeting",
		  .kind = TABLE_ARRAY,
		  .key_size = 4,
		  .value_size = 8,
		  .max_entries = 1,
		  .mappable = true,
		  .read_only = true,
		  .init = greeting },
		{ .name = "per_cpu",
		  .kind = TABLE_PERCPU_ARRAY,
		  .key_size = 4,
		  .value_size = 24,
		  .max_entries = 3 },
		{ .name = ".stacks",
		  .kind = TABLE_STACK_TRACE,
		  .key_size = 4,
		  .value_size = 8 * 16,
		  .max_entries = 64 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		object_add_table(fixture->object, &tables[i]);
	add_func(fixture, "on_enter", "raw_tp/sys_enter",
		 "r1 = table_value 1 + 8 ll\n"
		 "r2 = 1\n"
		 "lock *(u64 *)(r1 + 0) += r2\n"
		 "r1 = 7\n"
		 "call function 2\n"
		 "r6 = r0\n"
		 "r1 = table_value 4 + 1 ll\n"
		 "r0 = *(u8 *)(r1 + 0)\n"
		 "if r0 == 101 goto good\n"
		 "r0 = 0\n"
		 "good: exit\n",
		 11);
	add_func(fixture, "on_exit", "raw_tp/sys_exit",
		 "*(u32 *)(r10 - 4) = 3\n"
		 "r2 = r10\n"
		 "r2 += -4\n"
		 "r1 = table 3 ll\n"
		 "call 1\n"
		 "if r0 == 0 goto out\n"
		 "r0 = *(u64 *)(r0 + 0)\n"
		 "out: r0 = 0\n"
		 "exit\n",
		 52);
	add_func(fixture, "twice", ".text",
		 "*(u64 *)(r10 - 8) = r1\n"
		 "*(u64 *)(r10 - 16) = 1\n"
		 "r2 = r10\n"
		 "r2 += -8\n"
		 "r3 = r10\n"
		 "r3 += -16\n"
		 "r4 = 0\n"
		 "r1 = table 0 ll\n"
		 "call 2\n"
		 "call function 4\n"
		 "exit\n",
		 52);
	add_func(fixture, "on_exit_too", "raw_tp/sys_exit",
		 "r1 = table 6 ll\nr1 = table 5 ll\nr1 = table 2 ll\nr0 = 0\nexit\n", 52);
	add_func(fixture, "leaf", ".text", "r0 = 2\nexit\n", 52);
}

static int
setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	fixture->arena = arena_new();
	script_init(&fixture->script, fixture->arena, "demo.kp", script_text, sizeof(script_text) - 1);
	fixture->object = object_new(fixture->arena, "demo", &fixture->script);
	fill(fixture);
	strcpy(fixture->path, "/tmp/ktap-test-XXXXXX");
	close(mkstemp(fixture->path));
	*state = fixture;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *fixture = *state;

	unlink(fixture->path);
	text_fini(&fixture->why);
	arena_free(fixture->arena);
	free(fixture);
	return 0;
}

static void
write_it(struct fixture *fixture)
{
	if (elf_write(fixture->object, fixture->path, &fixture->why))
		fail_msg("%s", fixture->why.s);
}

static struct object *
read_it(struct fixture *fixture)
{
	struct object *object = elf_read(fixture->arena, fixture->path, &fixture->why);

	if (!object)
		fail_msg("%s", fixture->why.s);
	return object;
}

static void
assert_same_table(const struct table *a, const struct table *b)
{
	assert_string_equal(a->name, b->name);
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->key_size, b->key_size);
	assert_int_equal(a->value_size, b->value_size);
	assert_int_equal(a->max_entries, b->max_entries);
	assert_int_equal(a->mappable, b->mappable);
	assert_int_equal(a->read_only, b->read_only);
	assert_int_equal(a->init == NULL, b->init == NULL);
	if (a->init)
		assert_memory_equal(a->init, b->init, a->value_size * a->max_entries);
}

static void
assert_same_func(const struct func *a, const struct func *b)
{
	assert_string_equal(a->name, b->name);
	assert_string_equal(a->section, b->section);
	assert_int_equal(a->n_insns, b->n_insns);
	assert_memory_equal(a->insns, b->insns, a->n_insns * sizeof(*a->insns));
	assert_int_equal(a->n_relocs, b->n_relocs);
	assert_memory_equal(a->relocs, b->relocs, a->n_relocs * sizeof(*a->relocs));
}

static void
test_round_trip(void **state)
{
	struct fixture *fixture = *state;
	struct object *object;

	fixture->object->is_script = true; /* its tables have names of ours */
	fixture->object->n_own_funcs = fixture->object->n_funcs;
	fixture->object->n_own_tables = fixture->object->n_tables;
	write_it(fixture);
	object = read_it(fixture);
	assert_int_equal(object->n_tables, fixture->object->n_tables);
	for (uint32_t i = 0; i < object->n_tables; i++)
		assert_same_table(object->tables[i], fixture->object->tables[i]);
	assert_int_equal(object->n_funcs, fixture->object->n_funcs);
	for (uint32_t i = 0; i < object->n_funcs; i++)
		assert_same_func(object->funcs[i], fixture->object->funcs[i]);
	assert_int_equal(object->table_globals, 1);
	assert_int_equal(object->table_records, 2);
	assert_int_equal(object->stacks[STACKS_KERNEL].first, 6);
	assert_int_equal(object->table_event_info, UINT32_MAX);
}

/* Written again, what was read is the same file: without a script, the first of them is one without lines. */
static void
test_fixed_point(void **state)
{
	struct fixture *fixture = *state;
	static char first[1 << 16], second[1 << 16];
	size_t len[2];
	FILE *f;

	write_it(fixture);
	fixture->object = read_it(fixture);
	write_it(fixture);
	f = fopen(fixture->path, "r");
	len[0] = fread(first, 1, sizeof(first), f);
	fclose(f);
	fixture->object = read_it(fixture);
	write_it(fixture);
	f = fopen(fixture->path, "r");
	len[1] = fread(second, 1, sizeof(second), f);
	fclose(f);
	assert_int_equal(len[0], len[1]);
	assert_memory_equal(first, second, len[0]);
}

/* Names that collide, and names that look like our own. */
static void
test_names(void **state)
{
	struct fixture *fixture = *state;
	static struct table tables[] = {
		{ .name = "a.b", .kind = TABLE_HASH, .key_size = 8, .value_size = 8, .max_entries = 1 },
		{ .name = "a:b", .kind = TABLE_HASH, .key_size = 8, .value_size = 8, .max_entries = 1 },
		{ .name = "ktap_globals",
		  .kind = TABLE_HASH,
		  .key_size = 8,
		  .value_size = 8,
		  .max_entries = 1 },
	};
	struct object *object;

	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		object_add_table(fixture->object, &tables[i]);
	write_it(fixture);
	object = read_it(fixture);
	assert_string_equal(object->tables[7]->name, "a_b");
	assert_string_equal(object->tables[8]->name, "a_b_2");
	assert_string_equal(object->tables[9]->name, "script_ktap_globals");
	assert_string_equal(object->tables[1]->name, ".data.ktap_globals"); /* ".globals" in a script's alone */
	assert_int_equal(object->table_globals, UINT32_MAX);
}

static int
quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return 0;
}

static bool
may_load(void)
{
	const struct bpf_insn insns[] = { insn_mov_imm(0, 0), insn_exit() };
	int fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "probe", "GPL", insns, 2, NULL);

	if (fd < 0) {
		print_message("# loading programs is not permitted here (%s)\n", strerror(-fd));
		return false;
	}
	close(fd);
	return true;
}

static void
test_libbpf(void **state)
{
	struct fixture *fixture = *state;
	static char log[1 << 16];
	LIBBPF_OPTS(bpf_object_open_opts, opts, .kernel_log_buf = log, .kernel_log_size = sizeof(log),
		    .kernel_log_level = 2);
	struct bpf_object *bpf;
	const struct bpf_map *map;
	uint64_t value[2] = { 0 };
	uint32_t zero = 0;
	int err;

	write_it(fixture);
	bpf = bpf_object__open_file(fixture->path, &opts);
	assert_non_null(bpf);
	assert_non_null(bpf_object__find_program_by_name(bpf, "on_exit_too"));
	assert_int_equal(bpf_map__max_entries(bpf_object__find_map_by_name(bpf, "seen")), 128);
	if (!may_load()) {
		bpf_object__close(bpf);
		skip();
	}
	err = bpf_object__load(bpf);
	if (err)
		fail_msg("not loaded: %s\n%s", strerror(-err), log);
	map = bpf_object__find_map_by_name(bpf, ".data.ktap_globals");
	assert_non_null(map);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(map), &zero, value), 0);
	assert_memory_equal(value, globals_init, sizeof(value));
	bpf_object__close(bpf);
}

/* The verifier quotes the script's line by the BTF in the file. */
static void
test_lines(void **state)
{
	struct fixture *fixture = *state;
	static char log[1 << 16];
	LIBBPF_OPTS(bpf_object_open_opts, opts, .kernel_log_buf = log, .kernel_log_size = sizeof(log),
		    .kernel_log_level = 2);
	struct bpf_object *bpf;

	if (!may_load())
		skip();
	write_it(fixture);
	bpf = bpf_object__open_file(fixture->path, &opts);
	for (struct bpf_program *p = bpf_object__next_program(bpf, NULL); p;
	     p = bpf_object__next_program(bpf, p))
		bpf_program__set_autoload(p, strcmp(bpf_program__name(p), "on_enter") == 0);
	assert_int_equal(bpf_object__load(bpf), 0);
	if (!strstr(log, "trace syscalls:sys_enter_read { n += 1 }"))
		fail_msg("the script's line is not in the verifier's log:\n%s", log);
	bpf_object__close(bpf);
}

/* In a mount namespace of its own, so that no other process sees the bpf file system or what is pinned there. */
static void
test_bpftool(void **state)
{
	struct fixture *fixture = *state;
	char *command;
	int status;

	if (!may_load())
		skip();
	if (system("command -v bpftool >/dev/null && unshare -m true 2>/dev/null")) {
		print_message("# needs bpftool and the right to make a mount namespace\n");
		skip();
	}
	write_it(fixture);
	if (asprintf(
		    &command,
		    "unshare -m sh -c 'd=$(mktemp -d) && mount -t bpf none $d && bpftool prog loadall %s $d/x >%s.log 2>&1; s=$?; "
		    "ls $d/x | tr \"\\n\" \" \" | grep -q \"on_enter on_exit on_exit_too\" || s=9; umount $d; rmdir $d; "
		    "[ $s = 0 ] || sed \"s/^/# /\" %s.log; rm -f %s.log; exit $s'",
		    fixture->path, fixture->path, fixture->path, fixture->path) < 0)
		fail();
	status = system(command);
	free(command);
	assert_int_equal(status, 0);
}

static void
test_write_refused(void **state)
{
	static const struct {
		const char *source, *message;
	} cases[] = {
		{ "r1 = table 1 ll\nr1 = table_value 1 + 0 ll\nr0 = 0\nexit\n",
		  "table .globals: programs use both its handle and the address of its value; an ELF file can express one of them" },
		{ "r1 = table_value 3 + 0 ll\nr0 = 0\nexit\n",
		  "table powers: programs take the address of its value, which only an array of one entry has" },
		{ "call function 0\nexit\n",
		  "function bad calls on_enter, which is a program in section raw_tp/sys_enter: only functions in .text can be called" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture *fixture;
		void *own;

		setup(&own);
		fixture = own;
		add_func(fixture, "bad", "raw_tp/sys_enter", cases[i].source, 11);
		assert_int_equal(elf_write(fixture->object, fixture->path, &fixture->why), -EINVAL);
		assert_string_equal(fixture->why.s, cases[i].message);
		teardown(&own);
	}
}

static void
test_no_such_path(void **state)
{
	struct fixture *fixture = *state;

	assert_int_equal(elf_write(fixture->object, "/nonexistent/x.o", &fixture->why), -ENOENT);
	assert_string_equal(fixture->why.s, "cannot write /nonexistent/x.o: No such file or directory");
	text_clear(&fixture->why);
	assert_null(elf_read(fixture->arena, "/nonexistent/x.o", &fixture->why));
	assert_string_equal(fixture->why.s, "cannot read /nonexistent/x.o: No such file or directory");
	text_clear(&fixture->why);
	assert_null(elf_read(fixture->arena, "/tmp", &fixture->why));
	assert_string_equal(fixture->why.s, "cannot read /tmp: not a file of at most 64 MiB");
	text_clear(&fixture->why);
	assert_null(elf_read(fixture->arena, fixture->path, &fixture->why));
	text_clear(&fixture->why);
	assert_null(elf_read(fixture->arena, "/proc/self/exe", &fixture->why));
	assert_string_equal(
		fixture->why.s,
		"/proc/self/exe: an ELF file, but not a relocatable one for eBPF: compile with -target bpf -c");
}

/* ---- files that clang makes --------------------------------------------------------------------------------------------- */

/* The few definitions that C programs take from libbpf's headers. */
#define C_PRELUDE                                                     \
	"#define SEC(n) __attribute__((section(n), used))\n"          \
	"#define __uint(n, v) int (*n)[v]\n"                          \
	"#define __type(n, t) typeof(t) *n\n"                         \
	"typedef unsigned u32; typedef unsigned long long u64;\n"     \
	"static void *(*lookup)(void *, const void *) = (void *)1;\n" \
	"char _license[] SEC(\"license\") = \"GPL\";\n"

/* Compiles C into fixture->path, from a file, whose lines the object then quotes. Skips the test where there is no clang. */
static void
compile_c(const struct fixture *fixture, const char *source)
{
	char *path, *command;
	FILE *out;

	if (system("command -v clang >/dev/null && clang --print-targets | grep -q bpf")) {
		print_message("# clang with its bpf target is not installed\n");
		skip();
	}
	if (asprintf(&path, "%s.c", fixture->path) < 0 || asprintf(&command, "clang -target bpf -O2 -g -c -w %s -o %s", path, fixture->path) < 0)
		fail();
	out = fopen(path, "w");
	fputs(C_PRELUDE, out);
	fputs(source, out);
	fclose(out);
	assert_int_equal(system(command), 0);
	unlink(path);
	free(command);
	free(path);
}

static const struct table *
find_table(const struct object *object, const char *name)
{
	for (uint32_t i = 0; i < object->n_tables; i++)
		if (strcmp(object->tables[i]->name, name) == 0)
			return object->tables[i];
	fail_msg("there is no table %s", name);
	return NULL;
}

static void
test_clang(void **state)
{
	struct fixture *fixture = *state;
	const struct table *table;
	struct object *object;
	char *s = NULL;
	size_t len;
	FILE *out;

	compile_c(
		fixture,
		"struct key { u32 a, b; };\n"
		"struct { __uint(type, 1); __type(key, struct key); __type(value, u64); __uint(max_entries, 99); } h SEC(\".maps\");\n"
		"u64 counter = 5;\n"
		"u64 zero;\n"
		"const volatile u64 limit = 77;\n"
		"static __attribute__((noinline)) u64 square(u64 x) { asm volatile(\"\"); return x * x; }\n"
		"__attribute__((noinline)) u64 next(u64 x) { return square(x) + 1; }\n"
		"SEC(\"raw_tp/sys_enter\") int on_enter(u64 *ctx)\n"
		"{\n"
		"	struct key key = { 1, 2 };\n"
		"	u64 *value = lookup(&h, &key);\n"
		"	if (!value || *value > limit)\n"
		"		return 0;\n"
		"	zero += next(*value);\n"
		"	__sync_fetch_and_add(&counter, 1);\n"
		"	return 0;\n"
		"}\n");
	object = read_it(fixture);
	assert_int_equal(object->n_tables, 4);
	table = find_table(object, "h");
	assert_int_equal(table->kind, TABLE_HASH);
	assert_int_equal(table->key_size, 8);
	assert_int_equal(table->value_size, 8);
	assert_int_equal(table->max_entries, 99);
	table = find_table(object, ".data");
	assert_int_equal(*(const uint64_t *)table->init, 5);
	table = find_table(object, ".rodata");
	assert_true(table->read_only);
	assert_int_equal(*(const uint64_t *)table->init, 77);
	table = find_table(object, ".bss");
	assert_int_equal(table->value_size, 8);
	assert_null(table->init);

	assert_int_equal(object->n_funcs, 3);
	out = open_memstream(&s, &len);
	for (uint32_t i = 0; i < object->n_funcs; i++)
		disasm_func(object->funcs[i], NULL, out);
	fclose(out);
	assert_non_null(strstr(s, "on_enter (raw_tp/sys_enter):\n"));
	assert_non_null(strstr(s, "call 1 ; map_lookup_elem\n"));
	assert_non_null(strstr(s, "call function "));
	assert_non_null(strstr(s, "lock *(u64 *)("));
	assert_non_null(strstr(s, "square (.text):\n"));
	free(s);
}

static void
test_clang_refused(void **state)
{
	static const struct {
		const char *source, *message;
	} cases[] = {
		{ "extern u64 elsewhere;\nSEC(\"raw_tp/x\") int f(void *ctx) { return elsewhere; }\n",
		  "refers to \"elsewhere\", which is not defined in this file" },
		{ "struct { __uint(type, 24); __uint(max_entries, 99); } m SEC(\".maps\");\n"
		  "SEC(\"raw_tp/x\") int f(void *ctx) { return (long)lookup(&m, ctx); }\n",
		  "table m: kind 24 of the kernel's (BPF_MAP_TYPE_SK_STORAGE) is not supported: only the kernel engine has it" },
		{ "struct { __uint(type, 33); __uint(max_entries, 99); } m SEC(\".maps\");\n"
		  "SEC(\"raw_tp/x\") int f(void *ctx) { return (long)lookup(&m, ctx); }\n",
		  "table m: kind 33 of the kernel's (BPF_MAP_TYPE_ARENA) is not supported: only the kernel engine has it" },
		{ "struct { __uint(type, 4000); __uint(max_entries, 99); } m SEC(\".maps\");\n"
		  "SEC(\"raw_tp/x\") int f(void *ctx) { return (long)lookup(&m, ctx); }\n",
		  "table m: kind 4000 of the kernel's (enum bpf_map_type) is not supported: only the kernel engine has it" },
		{ "struct { __uint(type, 1); __type(key, u32); __type(value, u32); } m SEC(\".maps\");\n"
		  "SEC(\"raw_tp/x\") int f(void *ctx) { return (long)lookup(&m, ctx); }\n",
		  "table m: max_entries is missing" },
		{ "int nothing;\n", "there are no programs in this file" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture *fixture = *state;

		compile_c(fixture, cases[i].source);
		text_clear(&fixture->why);
		assert_null(elf_read(fixture->arena, fixture->path, &fixture->why));
		if (!strstr(fixture->why.s, cases[i].message))
			fail_msg("'%s' does not say '%s'", fixture->why.s, cases[i].message);
	}
}

/* More variables than can be looked for in a second (each among all symbols) are refused, and not after minutes; fewer are read. */
static void
test_too_many(void **state)
{
	static const struct {
		int n;
		bool is_read;
	} cases[] = { { 1000, true }, { 20000, false } };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *source = NULL;
		size_t len;
		FILE *out = open_memstream(&source, &len);
		time_t since = time(NULL);
		const struct object *object;

		for (int v = 0; v < cases[i].n; v++)
			fprintf(out, "int v%d;\n", v);
		fputs("SEC(\"raw_tp/x\") int f(void *ctx) { return v0; }\n", out);
		fclose(out);
		compile_c(fixture, source);
		free(source);
		text_clear(&fixture->why);
		since = time(NULL);
		object = elf_read(fixture->arena, fixture->path, &fixture->why);
		assert_true(time(NULL) - since < 60); /* a second, on a machine that is free */
		assert_int_equal(object != NULL, cases[i].is_read);
		if (!object)
			assert_non_null(strstr(fixture->why.s, "too many sections, symbols, types and lines refer to each other"));
	}
}

/*
 * Line information of 2,000 instructions that names two lines in turn, each of `width` bytes, by two functions on those lines which stand in place
 * of their calls. What a file makes its reader copy is limited, though the file itself is small.
 */
static void
test_long_lines(void **state)
{
	static const struct {
		int width;
		bool is_read;
	} cases[] = { { 1000, true }, { 100000, false } };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct object *object;
		char *source = NULL;
		size_t len;
		FILE *out = open_memstream(&source, &len);

		fputs("static volatile int v;\n", out);
		for (char name = 'a'; name <= 'b'; name++)
			fprintf(out, "static inline __attribute__((always_inline)) void %c(void) { v = '%c'; } /* %*s */\n", name, name, cases[i].width, "");
		fputs("SEC(\"raw_tp/x\") int f(void *ctx) {", out);
		for (int n = 0; n < 1000; n++)
			fputs(" a(); b();", out);
		fputs(" return 0; }\n", out);
		fclose(out);
		compile_c(fixture, source);
		free(source);
		text_clear(&fixture->why);
		object = elf_read(fixture->arena, fixture->path, &fixture->why);
		assert_int_equal(object != NULL, cases[i].is_read);
		if (object)
			assert_in_range(object->funcs[0]->n_lines, 2000, 10000);
		else
			assert_non_null(strstr(fixture->why.s, "too many sections, symbols, types and lines refer to each other"));
	}
}

/* An object of a script whose `n_programs` programs all lead through the same long chain of functions. */
static void
make_chain(struct fixture *fixture, uint32_t n_programs)
{
	enum { N_FUNCS = 8000 };
	struct handler *handler = arena_alloc(fixture->arena, sizeof(*handler));
	struct object *object;

	fixture->object = object = object_new(fixture->arena, "chain", &fixture->script);
	for (int i = 0; i < N_FUNCS; i++) {
		struct text source = { 0 };

		if (i + 1 < N_FUNCS)
			text_printf(&source, "call function %d\n", i + 1);
		text_puts(&source, "r0 = 0\n exit\n");
		add_func(fixture, arena_printf(fixture->arena, "f%d", i), i ? ".text" : "raw_tp/sys_enter", source.s, 0);
		text_fini(&source);
	}
	handler->any_program = UINT32_MAX;
	object_add_handler(object, handler);
	for (uint32_t i = 0; i < n_programs; i++)
		object_add_program(object, arena_alloc(fixture->arena, sizeof(struct program)));
	object->is_script = true;
	object->n_own_funcs = object->n_funcs;
}

/* What is checked of a compiled script takes about as long as its file is, however often it says one thing. */
static void
test_many_programs(void **state)
{
	static const struct {
		uint32_t n;
		bool is_read;
	} cases[] = { { 10, true }, { 20000, false } };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		make_chain(fixture, cases[i].n);
		write_it(fixture);
		text_clear(&fixture->why);
		assert_int_equal(elf_read(fixture->arena, fixture->path, &fixture->why) != NULL, cases[i].is_read);
	}
	assert_non_null(strstr(fixture->why.s, "does not fit together"));
}

/* A number that a run would read or write behind the globals; this object has none. */
static void
test_places(void **state)
{
	static const size_t members[] = { offsetof(struct object, exit_flag_off), offsetof(struct object, wall_offset_off), offsetof(struct object, zeros_off) };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		make_chain(fixture, 1);
		write_it(fixture);
		assert_non_null(elf_read(fixture->arena, fixture->path, &fixture->why));
		*(uint32_t *)((char *)fixture->object + members[i]) = 8;
		write_it(fixture);
		text_clear(&fixture->why);
		assert_null(elf_read(fixture->arena, fixture->path, &fixture->why));
		assert_non_null(strstr(fixture->why.s, "does not fit together"));
	}
}

/* Every length, and every byte changed: no crash (this runs under sanitizers too), and a message with each refusal. */
static void
test_damaged(void **state)
{
	struct fixture *fixture = *state;
	static uint8_t good[1 << 16], bad[1 << 16];
	size_t len;
	FILE *f;

	write_it(fixture);
	f = fopen(fixture->path, "r");
	len = fread(good, 1, sizeof(good), f);
	fclose(f);
	for (size_t i = 0; i < 2 * len; i++) {
		struct arena *arena = arena_new();
		struct text why = { 0 };

		memcpy(bad, good, len);
		if (i >= len)
			bad[i - len] ^= 1 << (i % 8);
		if (!elf_read_memory(arena, "bad.o", bad, i < len ? i : len, &why))
			assert_true(why.len > 0);
		else
			assert_true(i >= len);
		text_fini(&why);
		arena_free(arena);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fixed_point, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_libbpf, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bpftool, setup, teardown),
		cmocka_unit_test(test_write_refused),
		cmocka_unit_test_setup_teardown(test_no_such_path, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clang, setup, teardown),
		cmocka_unit_test_setup_teardown(test_clang_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_programs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_places, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
	};

	libbpf_set_print(quiet);
	return cmocka_run_group_tests_name("ebpf_elf", tests, NULL, NULL);
}
