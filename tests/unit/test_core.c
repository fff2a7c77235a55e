/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * CO-RE: what core_apply makes of clang's objects is what libbpf makes of them, instruction for instruction, for types of our own
 * (tests/progs-bpf/core_target.c) and the running kernel's. Damaged relocations are refused, missing things poisoned by name.
 *
 * libbpf relocates when it loads; whether the kernel then takes the programs does not matter here.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <cmocka.h>
#include <gelf.h>

#include "ebpf/ebpf_int.h"

struct fixture {
	struct arena *arena;
	struct text why;
	char dir[32];
	char app[64], target[64];
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->arena = arena_new();
	strcpy(f->dir, "/tmp/ktap-test-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->app, sizeof(f->app), "%s/app.o", f->dir);
	snprintf(f->target, sizeof(f->target), "%s/target.o", f->dir);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	unlink(f->app);
	unlink(f->target);
	rmdir(f->dir);
	text_fini(&f->why);
	arena_free(f->arena);
	free(f);
	return 0;
}

static void
compile_c(const char *source, const char *cpu, const char *path)
{
	char *command;

	if (system("command -v clang >/dev/null && clang --print-targets | grep -q bpf")) {
		print_message("# clang with its bpf target is not installed\n");
		skip();
	}
	if (asprintf(&command, "clang -target bpf -mcpu=%s -O2 -g -c %s/progs-bpf/%s -o %s", cpu, TESTS_DIR, source, path) < 0)
		fail();
	assert_int_equal(system(command), 0);
	free(command);
}

static struct object *
read_object(struct fixture *f)
{
	struct object *object = elf_read(f->arena, f->app, &f->why);

	if (!object)
		fail_msg("%s", f->why.s);
	return object;
}

/* The types of an ELF file, through libbpf's reader. */
static struct typeinfo *
types_of(struct fixture *f, const char *path)
{
	struct btf *btf = btf__parse_elf(path, NULL);
	uint32_t len;
	const void *raw = btf__raw_data(btf, &len);
	struct typeinfo *types = typeinfo_new(raw, len, NULL, &f->why);

	btf__free(btf);
	if (!types)
		fail_msg("%s", f->why.s);
	return types;
}

static const struct func *
find_func(const struct object *object, const char *name)
{
	for (uint32_t i = 0; i < object->n_funcs; i++)
		if (strcmp(object->funcs[i]->name, name) == 0)
			return object->funcs[i];
	fail_msg("there is no function %s", name);
	return NULL;
}

static void
show_difference(const struct func *ours, const struct bpf_insn *theirs)
{
	for (uint32_t pc = 0; pc < ours->n_insns; pc++) {
		struct text a = { 0 }, b = { 0 };

		if (memcmp(&ours->insns[pc], &theirs[pc], sizeof(*theirs)) == 0)
			continue;
		disasm_insn(&ours->insns[pc], &a);
		disasm_insn(&theirs[pc], &b);
		print_message("# %s %u: ktap: %s, libbpf: %s\n", ours->name, pc, a.s, b.s);
		text_fini(&a);
		text_fini(&b);
	}
}

/* libbpf's program after relocation; newer ones tell which relocation a poisoned call is of, which we do not compare. */
static void
assert_same(const struct func *ours, const struct bpf_program *theirs)
{
	assert_int_equal(bpf_program__insn_cnt(theirs), ours->n_insns);
	if (memcmp(bpf_program__insns(theirs), ours->insns, ours->n_insns * sizeof(struct bpf_insn)) != 0) {
		show_difference(ours, bpf_program__insns(theirs));
		fail_msg("%s differs", ours->name);
	}
}

static bool
may_load(void)
{
	const struct bpf_insn insns[] = { insn_mov_imm(0, 0), insn_exit() };
	int fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "probe", "GPL", insns, 2, NULL);

	if (fd >= 0)
		close(fd);
	else
		print_message("# loading programs is not permitted here, which libbpf wants before it relocates\n");
	return fd >= 0;
}

/* Both relocate f->app against `path` (NULL: the kernel). How many programs were compared. */
static int
compare_with_libbpf(struct fixture *f, const struct object *object, const char *path)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = path);
	struct bpf_object *bpf;
	int n = 0;

	if (!may_load())
		skip();
	bpf = bpf_object__open_file(f->app, &opts);
	assert_non_null(bpf);
	bpf_object__load(bpf);
	for (struct bpf_program *p = bpf_object__next_program(bpf, NULL); p; p = bpf_object__next_program(bpf, p), n++)
		assert_same(find_func(object, bpf_program__name(p)), p);
	bpf_object__close(bpf);
	return n;
}

/*
 * The questions of program "matches" become those that clang 14 cannot ask: kind BPF_CORE_TYPE_MATCHES, in the file's .BTF.ext. All of its
 * records are found by what they are: 16 bytes with that kind, behind the name of its section.
 */
static void
ask_for_matches(struct fixture *f)
{
	struct object *object = read_object(f);
	const struct func *func = find_func(object, "matches");
	static uint8_t data[1 << 17];
	FILE *file = fopen(f->app, "r+");
	size_t len = fread(data, 1, sizeof(data), file);

	for (uint32_t i = 0; i < func->n_cores; i++) {
		const struct core_reloc *reloc = &func->cores[i];
		uint32_t n = 0;

		for (size_t at = 0; at + 16 <= len; at++) {
			uint32_t record[4];

			memcpy(record, data + at, sizeof(record));
			if (record[0] != reloc->pc * 8 || record[1] != reloc->type || record[3] != BPF_CORE_TYPE_EXISTS)
				continue;
			record[3] = BPF_CORE_TYPE_MATCHES;
			fseek(file, (long)at, SEEK_SET);
			fwrite(record, sizeof(record), 1, file);
			n++;
		}
		assert_int_equal(n, 1);
	}
	fclose(file);
}

static void
test_own_types(void **state)
{
	static const char *const cpus[] = { "v1", "v2", "v3" };
	struct fixture *f = *state;

	compile_c("core_target.c", "v3", f->target);
	for (size_t i = 0; i < ARRAY_SIZE(cpus); i++) {
		struct object *object;
		struct typeinfo *types;
		struct core_target *target;

		compile_c("core_app.c", cpus[i], f->app);
		ask_for_matches(f);
		object = read_object(f);
		types = types_of(f, f->target);
		target = core_target_of(types);
		assert_true(core_is_needed(object));
		if (core_apply(object, target, &f->why))
			fail_msg("%s", f->why.s);
		core_target_free(target);
		typeinfo_free(types);
		assert_int_equal(compare_with_libbpf(f, object, f->target), 10);
	}
}

static void
test_kernel_types(void **state)
{
	struct fixture *f = *state;
	struct core_target *target = core_target_open(NULL, &f->why);
	struct object *object;

	if (!target) {
		print_message("# %s\n", f->why.s);
		skip();
	}
	compile_c("core_kernel.c", "v3", f->app);
	object = read_object(f);
	if (core_apply(object, target, &f->why))
		fail_msg("%s", f->why.s);
	core_target_free(target);
	assert_int_equal(compare_with_libbpf(f, object, NULL), 2);
}

/* What is missing is named, in the order of the source. */
static void
test_unresolved(void **state)
{
	static const char *const messages[] = {
		"the kernel has struct resized.is_signed in another size, which this instruction cannot read",
		"the kernel has the type, but not struct changed.became_pointer",
		"the kernel has the type, but not struct changed.became_array",
		"the kernel has the type, but not struct changed.became_number",
		"the kernel has the type, but not struct other___old.old_name",
		"the kernel has no struct lost.a",
	};
	struct fixture *f = *state;
	const struct func *func;
	struct core_target *target;
	struct typeinfo *types;
	struct object *object;
	uint32_t n = 0;

	compile_c("core_target.c", "v3", f->target);
	compile_c("core_app.c", "v3", f->app);
	object = read_object(f);
	types = types_of(f, f->target);
	target = core_target_of(types);
	assert_int_equal(core_apply(object, target, &f->why), 0);
	func = find_func(object, "unresolved");
	for (uint32_t i = 0; i < func->n_cores; i++) {
		if (!func->cores[i].unresolved)
			continue;
		assert_true(n < ARRAY_SIZE(messages));
		assert_string_equal(func->cores[i].unresolved, messages[n++]);
		assert_int_equal(func->insns[func->cores[i].pc].imm, CORE_POISON);
	}
	assert_int_equal(n, ARRAY_SIZE(messages));
	core_target_free(target);
	typeinfo_free(types);
}

/* Every relocation of the object changed in every part, to values at and beyond the edges: refused, or resolved, without harm. */
static void
test_hostile(void **state)
{
	static const uint32_t words[] = { 0, 1, 5, 12, 13, 40, 0x7fffffff, 0x80000000, 0xffffffff };
	static const char *const accesses[] = { "", "0", ":", "0:", "0:0", "0:99", "1:0", "4294967296", "-1", "x", "2147483647:0", "0:0:0:0:0",
		"0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0:0" };
	struct fixture *f = *state;
	struct core_target *target;
	struct typeinfo *types;
	uint32_t n_refused = 0, n_tried = 0;

	compile_c("core_target.c", "v3", f->target);
	compile_c("core_app.c", "v3", f->app);
	types = types_of(f, f->target);
	target = core_target_of(types);
	for (uint32_t i = 0; i < 4 * ARRAY_SIZE(words) * ARRAY_SIZE(accesses); i++) {
		struct object *object = read_object(f);
		struct func *func = object->funcs[i % object->n_funcs];
		struct core_reloc *reloc = &func->cores[i % func->n_cores];
		uint32_t word = words[i % ARRAY_SIZE(words)];
		int err;

		if (i % 4 == 0)
			reloc->access = accesses[i / 4 % ARRAY_SIZE(accesses)];
		else if (i % 4 == 1)
			reloc->type = word;
		else if (i % 4 == 2)
			reloc->kind = word;
		else
			reloc->pc = word;
		text_clear(&f->why);
		err = core_apply(object, target, &f->why);
		n_refused += err != 0;
		n_tried++;
		assert_true(err == 0 || (err == -EINVAL && f->why.len));
	}
	/* Most changes leave no sense; those that do (another type with such a member, the same word) are few. */
	assert_true(n_refused > n_tried / 2);
	core_target_free(target);
	typeinfo_free(types);
}

/* BTF of `n` structures without members, all of the name "s". *len: its bytes, to be freed. */
static void *
make_alike(uint32_t n, uint32_t *len)
{
	static const char names[] = "\0s";
	struct btf_header header = { .magic = BTF_MAGIC, .version = BTF_VERSION, .hdr_len = sizeof(header) };
	struct btf_type type = { .name_off = 1, .info = BTF_KIND_STRUCT << 24 };
	char *bytes;

	header.type_len = header.str_off = n * (uint32_t)sizeof(type);
	header.str_len = sizeof(names);
	*len = header.hdr_len + header.type_len + header.str_len;
	bytes = malloc(*len);
	memcpy(bytes, &header, sizeof(header));
	for (uint32_t i = 0; i < n; i++)
		memcpy(bytes + header.hdr_len + i * sizeof(type), &type, sizeof(type));
	memcpy(bytes + header.hdr_len + header.str_off, names, sizeof(names));
	return bytes;
}

/* An object asks for each of its types where it is, and each may be any of the target's: so many questions are too many at some point. */
static void
test_many_alike(void **state)
{
	static const struct {
		uint32_t n;
		int err;
	} cases[] = { { 100, 0 }, { 20000, -EINVAL } };
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct object *object = object_new(f->arena, "alike", NULL);
		struct func *func = arena_alloc(f->arena, sizeof(*func));
		struct core_target *target;
		struct typeinfo *types;

		object->btf = make_alike(cases[i].n, &object->btf_len);
		types = typeinfo_new(object->btf, object->btf_len, NULL, &f->why);
		target = core_target_of(types);
		*func = (struct func){ .name = "f", .n_insns = cases[i].n, .n_cores = cases[i].n };
		func->insns = arena_alloc(f->arena, func->n_insns * sizeof(*func->insns));
		func->cores = arena_alloc(f->arena, func->n_cores * sizeof(*func->cores));
		for (uint32_t pc = 0; pc < func->n_insns; pc++) {
			func->insns[pc] = insn_mov_imm(1, 0);
			func->cores[pc] = (struct core_reloc){ .pc = pc, .kind = BPF_CORE_FIELD_BYTE_OFFSET, .type = pc + 1, .access = "0" };
		}
		object_add_func(object, func);
		assert_int_equal(core_apply(object, target, &f->why), cases[i].err);
		if (cases[i].err)
			assert_non_null(strstr(f->why.s, "looking for the types takes too long"));
		core_target_free(target);
		typeinfo_free(types);
		free((void *)(uintptr_t)object->btf);
	}
}

static void
test_name_len(void **state)
{
	static const struct {
		const char *name;
		uint32_t len;
	} cases[] = {
		{ "task_struct", 11 }, { "task_struct___x", 11 }, { "a___b___c", 5 }, { "___x", 4 }, { "x___", 4 }, { "a____b", 6 },
		{ "", 0 },	       { "_", 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(core_name_len(cases[i].name), cases[i].len);
}

static int
quiet(enum libbpf_print_level level, const char *format, va_list args)
{
	return 0;
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_name_len),
		cmocka_unit_test_setup_teardown(test_own_types, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kernel_types, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unresolved, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hostile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_many_alike, setup, teardown),
	};

	libbpf_set_print(quiet);
	return cmocka_run_group_tests_name("core", tests, NULL, NULL);
}
