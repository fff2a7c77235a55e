/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The programs of tests/vm: what the verifier must accept or refuse, with the reason, and the same given to this machine's kernel.
 * What we accept, it must accept, or the program says why it does not; what it accepts and we refuse is printed. What both accept is run on both, in our interpreter and as
 * machine code, on the same numbers and memory, and must leave the same r0 and memory. Form of the files:
 *
 *     ; comment                          why: REASON         of the programs that follow, up to the next reason
 *     == NAME                            accept  |  refuse: MESSAGE|MESSAGE    a part of what must be said
 *     r3: NUMBER                         what r3 holds (else several numbers are tried)
 *     result: NUMBER                     what r0 must be
 *     stricter: REASON                   why we refuse what the kernel accepts
 *     weaker: REASON                     why the kernel refuses what we accept, which is safe all the same
 *     differs: REASON                    kernel and we need not give the same
 *     callx                              calls by a register are permitted; the kernels of today do not know them
 *     instructions, of vm_fixture.h's handler, and behind "-- function N" those of another, or, behind "-- function N: RESULT
 *     (ARGUMENTS)", of a global one: "int (int, ctx, mem 8, nonnull 8, const 8)"; behind "-- program N" those of a program that
 *     tail calls find at place N of the table of programs
 *
 * Needs the right to load programs; without it the kernel's half is skipped.
 */
#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vm_kernel.h"
#include "vm_reference.h"

struct corpus_program {
	const char *file, *name, *why, *refused, *stricter, *weaker, *differs;
	bool has_r3, has_result, calls_by_register;
	uint64_t r3, result;
	const char *sources[KERNEL_FUNCS_MAX];
	const char *types[KERNEL_FUNCS_MAX]; /* of global functions */
	uint32_t n_sources;
	uint32_t n_funcs; /* of these; the others are programs, for places 0, 1, ... */
};

static struct corpus_program *programs;
static uint32_t n_programs, cap_programs;
static struct arena *arena;

/* ---- reading ------------------------------------------------------------------------------------------------ */

static char *
read_file(const char *path)
{
	struct text text = { 0 };
	FILE *in = fopen(path, "r");
	char line[1024];

	if (!in)
		fail_msg("%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), in))
		text_puts(&text, line);
	fclose(in);
	return text.s;
}

static const char *
value_of(const char *line, const char *key)
{
	size_t len = strlen(key);

	return strncmp(line, key, len) ? NULL : line + len;
}

/* A line of a program's head. False: it is an instruction. */
static bool
read_head(struct corpus_program *program, const char *line)
{
	const char *value;

	if (strcmp(line, "accept") == 0) {
		program->refused = NULL;
	} else if ((value = value_of(line, "refuse: "))) {
		program->refused = arena_strdup(arena, value);
	} else if ((value = value_of(line, "differs: "))) {
		program->differs = arena_strdup(arena, value);
	} else if ((value = value_of(line, "stricter: "))) {
		program->stricter = arena_strdup(arena, value);
	} else if ((value = value_of(line, "weaker: "))) {
		program->weaker = arena_strdup(arena, value);
	} else if (strcmp(line, "callx") == 0) {
		program->calls_by_register = true;
		program->weaker = "callx is new in Linux 7.4";
	} else if ((value = value_of(line, "r3: "))) {
		program->has_r3 = true;
		program->r3 = strtoull(value, NULL, 0);
	} else if ((value = value_of(line, "result: "))) {
		program->has_result = true;
		program->result = strtoull(value, NULL, 0);
	} else {
		return false;
	}
	return true;
}

static void
read_program(const char *file, const char *why, char *block)
{
	struct text sources[KERNEL_FUNCS_MAX] = { { 0 } };
	struct corpus_program program = { .file = file, .why = why, .n_sources = 1, .n_funcs = 1 };
	char *line = strsep(&block, "\n");

	program.name = arena_strdup(arena, line);
	while ((line = strsep(&block, "\n"))) {
		if (program.n_sources == 1 && !sources[0].len && read_head(&program, line))
			continue;
		if (strncmp(line, "-- function ", 12) == 0) {
			assert_int_equal(atoi(line + 12), program.n_sources);
			program.types[program.n_sources] = strchr(line, ':') ? arena_strdup(arena, strchr(line, ':') + 1) : NULL;
			program.n_funcs = ++program.n_sources;
		} else if (strncmp(line, "-- program ", 11) == 0) {
			assert_int_equal(atoi(line + 11), program.n_sources - program.n_funcs);
			program.n_sources++;
		} else {
			text_printf(&sources[program.n_sources - 1], "%s\n", line);
		}
	}
	for (uint32_t i = 0; i < program.n_sources; i++) {
		program.sources[i] = arena_strdup(arena, sources[i].s ? sources[i].s : "");
		text_fini(&sources[i]);
	}
	programs = arena_grow(arena, programs, n_programs, &cap_programs, sizeof(*programs));
	programs[n_programs++] = program;
}

/* Blocks end at an empty line. */
static void
read_corpus_file(const char *dir, const char *name)
{
	const char *path = arena_printf(arena, "%s/%s", dir, name), *file = arena_strdup(arena, name), *why = "";
	char *text = read_file(path), *rest = text, *end;

	while (rest && *rest) {
		while (*rest == '\n')
			rest++;
		end = strstr(rest, "\n\n");
		if (end)
			*end = '\0';
		for (char *line; *rest == ';';) {
			line = strsep(&rest, "\n");
			assert_non_null(line);
			assert_non_null(rest);
		}
		if (value_of(rest, "why: "))
			why = arena_strdup(arena, rest + 5);
		else if (value_of(rest, "== "))
			read_program(file, why, rest + 3);
		else if (*rest)
			fail_msg("%s: \"%.40s\" is neither a reason nor a program", path, rest);
		rest = end ? end + 2 : NULL;
	}
	free(text);
}

static int
is_corpus_file(const struct dirent *entry)
{
	const char *dot = strrchr(entry->d_name, '.');

	return dot && strcmp(dot, ".asm") == 0;
}

static int
read_corpus(void **state)
{
	struct dirent **names;
	int n = scandir(TESTS_DIR "/vm", &names, is_corpus_file, alphasort);

	arena = arena_new();
	for (int i = 0; i < n; i++) {
		read_corpus_file(TESTS_DIR "/vm", names[i]->d_name);
		free(names[i]);
	}
	free(names);
	return n_programs ? 0 : -1;
}

static int
free_corpus(void **state)
{
	arena_free(arena);
	return 0;
}

/* "int (int, mem 8)" */
static void
set_type(struct func *func, const char *text)
{
	char *copy = strdup(text), *rest = strchr(copy, '('), *word;

	assert_non_null(rest);
	func->is_global = true;
	func->returns_number = strncmp(text, " int", 4) == 0;
	rest++;
	for (uint32_t i = 0; (word = strsep(&rest, ",)")) && *word && i < FUNC_ARGS_MAX; i++) {
		struct func_arg *arg = &func->args[i];

		word += strspn(word, " ");
		arg->kind = strcmp(word, "int") == 0 ? FUNC_ARG_NUMBER : strcmp(word, "ctx") == 0 ? FUNC_ARG_CONTEXT : FUNC_ARG_MEMORY;
		arg->read_only = strncmp(word, "const", 5) == 0;
		arg->nullable = strncmp(word, "nonnull", 7) != 0 && arg->kind == FUNC_ARG_MEMORY;
		if (arg->kind == FUNC_ARG_MEMORY)
			arg->size = (uint32_t)atoi(strchr(word, ' '));
	}
	free(copy);
}

static struct object *
object_of(const struct corpus_program *program, struct arena *in)
{
	struct object *object = fixture_object(in);

	for (uint32_t i = 0; i < program->n_sources; i++) {
		struct func *func = fixture_func(object, program->name, program->sources[i]);

		if (program->types[i])
			set_type(func, program->types[i]);
	}
	return object;
}

static struct vm_signature
signature_of(const struct corpus_program *program)
{
	struct vm_signature signature = handler_signature;

	signature.callx = program->calls_by_register ? VM_CALLX_PERMITTED : VM_CALLX_REFUSED;
	return signature;
}

/* ---- the verdict ---------------------------------------------------------------------------------------------- */

/* One of the messages, which '|' parts. */
static bool
says(const char *why, const char *messages)
{
	char *copy = strdup(messages), *rest = copy, *message;
	bool found = false;

	while (!found && (message = strsep(&rest, "|")))
		found = strstr(why, message);
	free(copy);
	return found;
}

static void
test_verdicts(void **state)
{
	unsigned n_bad = 0, n_refused = 0;

	for (uint32_t i = 0; i < n_programs; i++) {
		const struct corpus_program *program = &programs[i];
		struct arena *in = arena_new();
		struct object *object = object_of(program, in);
		struct vm_signature signature = signature_of(program);
		struct text why = { 0 };
		int err = vm_verify(object, object->funcs[0], &signature, NULL, &why);

		n_refused += err != 0;
		if (program->refused ? !err || !says(why.s ? why.s : "", program->refused) : err) {
			n_bad++;
			print_error("%s: %s: expected %s, got %d: %s\n", program->file, program->name,
				    program->refused ? program->refused : "accepted", err, why.s ? why.s : "accepted");
		}
		if (!*program->why) {
			n_bad++;
			print_error("%s: %s: without a reason\n", program->file, program->name);
		}
		text_fini(&why);
		arena_free(in);
	}
	print_message("# %u programs, %u refused\n", (unsigned)n_programs, n_refused);
	assert_int_equal(n_bad, 0);
	assert_true(n_programs >= 300);
}

/* Verdict on a program whose paths are pruned so. */
static int
verdict_of(const struct object *object, const struct vm_signature *signature, const struct reference_way *way)
{
	const struct verify_watch watch = { .pruning = way->pruning, .distance = way->distance };
	struct text why = { 0 };
	int err = verify_watched(object, object->funcs[0], signature, &watch, &why);

	text_fini(&why);
	return err;
}

/* It hangs neither on where checkpoints stand nor on how much they cover. */
static void
test_ways(void **state)
{
	unsigned n_bad = 0;

	for (uint32_t i = 0; i < n_programs; i++) {
		struct arena *in = arena_new();
		struct object *object = object_of(&programs[i], in);
		struct vm_signature signature = signature_of(&programs[i]);

		for (uint32_t w = 0; w < ARRAY_SIZE(reference_ways); w++) {
			int err = verdict_of(object, &signature, &reference_ways[w]);

			if (err == -E2BIG || !err == !programs[i].refused)
				continue;
			n_bad++;
			print_error("%s: %s: %s: %d\n", programs[i].file, programs[i].name, reference_ways[w].name, err);
		}
		arena_free(in);
	}
	assert_int_equal(n_bad, 0);
}

/* ---- the kernel's ------------------------------------------------------------------------------------------------- */

static void
test_kernel_verdicts(void **state)
{
	static char log[1 << 20];
	unsigned n_bad = 0, n_stricter = 0;
	struct kernel kernel;
	int err = kernel_open(&kernel, NULL);

	if (err) {
		print_message("# the kernel does not let us: %s\n", strerror(-err));
		skip();
	}
	for (uint32_t i = 0; i < n_programs; i++) {
		const struct corpus_program *program = &programs[i];
		struct arena *in = arena_new();

		log[0] = '\0';
		err = kernel_verify(&kernel, object_of(program, in), log, sizeof(log));
		if (err && program->weaker) {
			print_message("# the kernel is stricter than we: %s: %s\n", program->name, program->weaker);
		} else if (err && !program->refused) {
			n_bad++;
			print_error("%s: %s: we accept, the kernel refuses (%s): ...%s\n", program->file, program->name, strerror(-err),
				    strlen(log) > 600 ? log + strlen(log) - 600 : log);
		} else if (!err && program->refused) {
			n_stricter++;
			n_bad += !program->stricter;
			print_message("# stricter than the kernel: %s: %s\n", program->name,
				      program->stricter ? program->stricter : "NOBODY SAYS WHY");
		}
		arena_free(in);
	}
	print_message("# %u programs that the kernel accepts are refused by us\n", n_stricter);
	kernel_close(&kernel);
	assert_int_equal(n_bad, 0);
}

/* ---- results ------------------------------------------------------------------------------------------------------- */

static void
fill_input(struct kernel_input *input, uint64_t r3)
{
	*input = (struct kernel_input){ .ctx = { r3, 0 } };
	for (unsigned i = 0; i < RECORD_SIZE; i++)
		input->record[i] = (uint8_t)i;
	for (unsigned i = 0; i < SCRATCH_SIZE; i++)
		input->scratch[i] = (uint8_t)(i * 7);
}

/* Who we are, as the kernel tells programs that run for us. */
static struct vm_env
own_env(void)
{
	struct vm_env env = { .pid = (uint32_t)getpid(), .tid = (uint32_t)gettid(), .uid = getuid(), .gid = getgid() };
	FILE *comm = fopen("/proc/self/comm", "r");

	if (comm) {
		if (fscanf(comm, "%15s", env.comm) != 1)
			env.comm[0] = '\0';
		fclose(comm);
	}
	return env;
}

static uint64_t
run_ours(const struct corpus_program *program, enum vm_exec exec, uint64_t r3, struct kernel_input *input)
{
	struct arena *in = arena_new();
	struct object *object = object_of(program, in);
	struct vm_env env = own_env();
	_Alignas(8) uint8_t record[RECORD_SIZE], scratch[SCRATCH_SIZE];
	uint64_t args[5] = { (uintptr_t)record, 0, r3, (uintptr_t)scratch, 0 }, r0;
	struct text why = { 0 };
	struct vm *vm = vm_new(object, 1, &why);
	struct vm_signature signature = signature_of(program);
	struct vm_program *loaded;
	int err;

	fill_input(input, r3);
	memcpy(record, input->record, sizeof(record));
	memcpy(scratch, input->scratch, sizeof(scratch));
	vm_set_exec(vm, exec);
	loaded = vm_load(vm, object->funcs[0], &signature, &why, &err);
	if (!loaded)
		fail_msg("%s: %s", program->name, why.s);
	for (uint32_t i = program->n_funcs; i < program->n_sources; i++) {
		const struct vm_program *target = vm_load(vm, object->funcs[i], &target_signature, &why, &err);

		if (!target || vm_table_put_program(vm, FIXTURE_PROGRAMS, i - program->n_funcs, target, &why))
			fail_msg("%s, program %u: %s", program->name, (unsigned)(i - program->n_funcs), why.s);
	}
	r0 = vm_run(vm, loaded, &env, args);
	memcpy(input->scratch, scratch, sizeof(scratch));
	vm_free(vm);
	arena_free(in);
	return r0;
}

static const uint64_t numbers[] = { 0, 1, 77, 0x8000000080000001 };

static unsigned
check_results(const struct corpus_program *program, uint64_t r3)
{
	struct kernel_input interpreted, compiled;
	uint64_t a = run_ours(program, VM_EXEC_INTERP, r3, &interpreted), b = run_ours(program, VM_EXEC_AUTO, r3, &compiled);

	if (program->has_result && a != program->result)
		print_error("%s: %s: r0 is %#llx instead of %#llx\n", program->file, program->name, (unsigned long long)a,
			    (unsigned long long)program->result);
	else if (!program->differs && (a != b || memcmp(interpreted.scratch, compiled.scratch, SCRATCH_SIZE)))
		print_error("%s: %s: machine code gives %#llx, the interpreter %#llx\n", program->file, program->name, (unsigned long long)b,
			    (unsigned long long)a);
	else
		return 0;
	return 1;
}

static void
test_results(void **state)
{
	unsigned n_bad = 0;

	for (uint32_t i = 0; i < n_programs; i++) {
		if (programs[i].refused)
			continue;
		for (size_t n = 0; n < (programs[i].has_r3 ? 1 : ARRAY_SIZE(numbers)); n++)
			n_bad += check_results(&programs[i], programs[i].has_r3 ? programs[i].r3 : numbers[n]);
	}
	assert_int_equal(n_bad, 0);
}

/* One program on one number in both. Each run of the kernel's has tables of its own, as each of ours has. */
static unsigned
check_kernel_result(const struct corpus_program *program, uint64_t r3)
{
	struct kernel_input ours, theirs;
	uint64_t a = run_ours(program, VM_EXEC_INTERP, r3, &ours), b;
	struct arena *in = arena_new();
	struct kernel kernel;
	int err = kernel_open(&kernel, object_of(program, in));

	fill_input(&theirs, r3);
	for (uint32_t i = program->n_funcs; i < program->n_sources && !err; i++)
		err = kernel_put_program(&kernel, object_of(program, in), i, i - program->n_funcs);
	if (!err)
		err = kernel_run(&kernel, object_of(program, in), &theirs, &b);
	kernel_close(&kernel);
	arena_free(in);
	if (err)
		print_error("%s: %s: the kernel does not run it: %s\n", program->file, program->name, strerror(-err));
	else if (a != b)
		print_error("%s: %s, r3 = %#llx: the kernel's r0 is %#llx, ours %#llx\n", program->file, program->name, (unsigned long long)r3,
			    (unsigned long long)b, (unsigned long long)a);
	else if (memcmp(ours.scratch, theirs.scratch, SCRATCH_SIZE))
		print_error("%s: %s, r3 = %#llx: memory differs\n", program->file, program->name, (unsigned long long)r3);
	else
		return 0;
	return 1;
}

static void
test_kernel_results(void **state)
{
	unsigned n_bad = 0, n = 0;
	struct kernel kernel;
	int err = kernel_open(&kernel, NULL);

	if (err) {
		print_message("# the kernel does not let us: %s\n", strerror(-err));
		skip();
	}
	kernel_close(&kernel);
	for (uint32_t i = 0; i < n_programs; i++) {
		if (programs[i].refused || programs[i].differs || programs[i].weaker)
			continue;
		for (size_t v = 0; v < (programs[i].has_r3 ? 1 : ARRAY_SIZE(numbers)); v++, n++)
			n_bad += check_kernel_result(&programs[i], programs[i].has_r3 ? programs[i].r3 : numbers[v]);
	}
	print_message("# %u runs compared with the kernel's\n", n);
	assert_int_equal(n_bad, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_ways),
		cmocka_unit_test(test_results),
		cmocka_unit_test(test_kernel_verdicts),
		cmocka_unit_test(test_kernel_results),
	};

	return cmocka_run_group_tests(tests, read_corpus, free_corpus);
}
