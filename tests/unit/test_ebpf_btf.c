/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * BTF of programs: what it says, and that the kernel takes it and quotes the script by it (needs the right to load programs,
 * else skipped).
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
#include <cmocka.h>

#include "ebpf/ebpf.h"

static const char script_text[] = "trace syscalls:sys_enter_read {\n"
				  "\tbase = 10 ** 3 # not ktap\n"
				  "\tresult = helper(base)\n"
				  "}\n";

struct fixture {
	struct arena *arena;
	struct script script;
	struct func *funcs[2];
};

static struct func *
make_func(struct fixture *fixture, const char *name, const char *section, const char *source,
	  const struct span *spans)
{
	struct text why = { 0 };
	struct code code;
	struct func *func;

	code_init(&code, fixture->arena);
	assert_int_equal(asm_text(&code, source, &why), 0);
	func = func_from_code(&code, name, section);
	for (uint32_t pc = 0; pc < func->n_insns; pc++)
		func->spans[pc] = spans[pc];
	text_fini(&why);
	return func;
}

static int
setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	/* Line 2, then line 3 from its second instruction on. */
	const struct span entry[] = { { 33, 4 }, { 33, 4 }, { 33, 4 }, { 60, 6 }, { 60, 6 } };
	const struct span callee[] = { { 69, 6 }, { 69, 6 } };

	fixture->arena = arena_new();
	script_init(&fixture->script, fixture->arena, "demo.kp", script_text, sizeof(script_text) - 1);
	fixture->funcs[0] = make_func(fixture, "trace:1", "raw_tp/sys_enter",
				      "r0 = 1000 ll\nr1 = 5\ncall pc+1\nexit\n", entry);
	fixture->funcs[1] = make_func(fixture, "2nd", ".text", "r0 = 0\nexit\n", callee);
	*state = fixture;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *fixture = *state;

	arena_free(fixture->arena);
	free(fixture);
	return 0;
}

static void
test_contents(void **state)
{
	struct fixture *fixture = *state;
	struct btf_info info;
	const struct bpf_func_info *funcs;
	const struct bpf_line_info *lines;
	const struct btf_type *type;
	struct btf *btf;

	assert_int_equal(
		btf_for_program(&fixture->script, (const struct func *const *)fixture->funcs, 2, &info), 0);
	btf = btf__new(info.btf, info.btf_len);
	assert_non_null(btf);
	funcs = info.func_infos;
	lines = info.line_infos;
	assert_int_equal(info.n_func_infos, 2);
	assert_int_equal(funcs[0].insn_off, 0);
	assert_int_equal(funcs[1].insn_off, 5);
	type = btf__type_by_id(btf, funcs[0].type_id);
	assert_string_equal(btf__name_by_offset(btf, type->name_off), "trace_1");
	assert_int_equal(btf_vlen(type), BTF_FUNC_GLOBAL);
	type = btf__type_by_id(btf, funcs[1].type_id);
	assert_string_equal(btf__name_by_offset(btf, type->name_off), "_2nd");
	assert_int_equal(btf_vlen(type), BTF_FUNC_STATIC);

	assert_int_equal(info.n_line_infos, 3);
	assert_int_equal(lines[0].insn_off, 0);
	assert_int_equal(lines[0].line_col, 2 << 10 | 2);
	assert_int_equal(lines[1].insn_off, 3);
	assert_int_equal(lines[1].line_col, 3 << 10 | 2);
	assert_int_equal(lines[2].insn_off, 5);
	assert_string_equal(btf__name_by_offset(btf, lines[1].line_off), "\tresult = helper(base)");
	assert_string_equal(btf__name_by_offset(btf, lines[1].file_name_off), "demo.kp");
	btf__free(btf);
	btf_info_fini(&info);
}

/* No script, no spans: one empty line info a function, as the kernel wants all functions to have one or none. */
static void
test_without_script(void **state)
{
	struct fixture *fixture = *state;
	struct btf_info info;

	fixture->funcs[1]->spans = NULL;
	assert_int_equal(btf_for_program(NULL, (const struct func *const *)fixture->funcs, 2, &info), 0);
	assert_int_equal(((struct bpf_line_info *)info.line_infos)[0].line_col, 0);
	btf_info_fini(&info);
}

/* A script of one very long line is quoted from the span on. */
static void
test_long_line(void **state)
{
	struct fixture *fixture = *state;
	struct btf_info info;
	char *text = malloc(100001);
	const struct bpf_line_info *lines;
	struct btf *btf;

	memset(text, 'x', 100000);
	memcpy(text + 60, "HERE", 5);
	text[64] = 'x';
	text[100000] = '\0';
	script_init(&fixture->script, fixture->arena, "long", text, 100000);
	assert_int_equal(
		btf_for_program(&fixture->script, (const struct func *const *)fixture->funcs, 1, &info), 0);
	btf = btf__new(info.btf, info.btf_len);
	lines = info.line_infos;
	assert_int_equal(strlen(btf__name_by_offset(btf, lines[1].line_off)), 200);
	assert_memory_equal(btf__name_by_offset(btf, lines[1].line_off), "HEREx", 5);
	btf__free(btf);
	btf_info_fini(&info);
	free(text);
}

static int
load(const struct fixture *fixture, const struct btf_info *info, int btf_fd, char *log, uint32_t log_size)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_btf_fd = btf_fd, .func_info = info->func_infos,
		    .func_info_cnt = info->n_func_infos, .func_info_rec_size = sizeof(struct bpf_func_info),
		    .line_info = info->line_infos, .line_info_cnt = info->n_line_infos,
		    .line_info_rec_size = sizeof(struct bpf_line_info), .log_buf = log, .log_size = log_size,
		    .log_level = 2);
	struct bpf_insn insns[7];

	memcpy(insns, fixture->funcs[0]->insns, 5 * sizeof(*insns));
	memcpy(insns + 5, fixture->funcs[1]->insns, 2 * sizeof(*insns));
	insns[3] = insn_make(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, 1);
	return bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "demo", "GPL", insns, 7, &opts);
}

static void
test_kernel(void **state)
{
	struct fixture *fixture = *state;
	static char log[1 << 16];
	struct btf_info info;
	int btf_fd, fd;

	assert_int_equal(
		btf_for_program(&fixture->script, (const struct func *const *)fixture->funcs, 2, &info), 0);
	btf_fd = bpf_btf_load(info.btf, info.btf_len, NULL);
	if (btf_fd == -EPERM || btf_fd == -ENOSYS) {
		print_message("# kernel: loading BTF is not permitted here (%s)\n", strerror(-btf_fd));
		btf_info_fini(&info);
		skip();
	}
	assert_true(btf_fd >= 0);
	fd = load(fixture, &info, btf_fd, log, sizeof(log));
	if (fd < 0)
		fail_msg("not loaded: %s\n%s", strerror(-fd), log);
	if (!strstr(log, "base = 10 ** 3 # not ktap @ demo.kp:2") &&
	    !strstr(log, "; \tbase = 10 ** 3 # not ktap"))
		fail_msg("the verifier's log does not quote line 2:\n%s", log);
	if (!strstr(log, "result = helper(base)"))
		fail_msg("the verifier's log does not quote line 3:\n%s", log);
	close(fd);
	close(btf_fd);
	btf_info_fini(&info);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_contents, setup, teardown),
		cmocka_unit_test_setup_teardown(test_without_script, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_line, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kernel, setup, teardown),
	};

	return cmocka_run_group_tests_name("ebpf_btf", tests, NULL, NULL);
}
