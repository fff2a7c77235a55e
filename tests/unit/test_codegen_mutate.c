/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Programs that our compiler made of scripts, with a few instructions changed at random (vm_mutate.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codegen/codegen.h"
#include "vm_mutate.h"

/* ---- seeds ------------------------------------------------------------------------------------------------ */

static const char *const scripts[] = {
	"var s = {}\ntrace syscalls:sys_enter_* { s[probename] += 1 }",
	"var s = {}\ntrace syscalls:sys_enter_openat { s[args.filename] += 1 }",
	"var s = {}\ntrace syscalls:sys_enter_read { s[pid, execname] += args.count }",
	"var t = {}\nvar d = {}\ntrace syscalls:sys_enter_read { t[tid] = nsecs }\ntrace syscalls:sys_exit_read { if (t[tid]) { d[execname] += nsecs - t[tid] "
	"t[tid] = nil } }",
	"trace syscalls:sys_enter_write { print(pid, execname, args.count) }",
	"trace syscalls:sys_enter_* { print(argstr) }",
	"trace syscalls:sys_exit_read { if (retval < 0) { printf(\"%s %d\\n\", execname, retval) } }",
	"var i = 0\ntrace syscalls:sys_enter_read { i += 1 if (i > 10) { exit() } }",
	"var s = {}\nfunction p(n) { var x = 1 while (x < n) { x *= 2 } return x }\ntrace syscalls:sys_exit_read { s[p(retval)] += 1 }",
	"var s = {}\ntrace syscalls:sys_enter_read { var x = args.count / args.fd s[x % 7] = x }",
	"var s = {}\ntrace syscalls:sys_enter_openat { if (args.filename == \"/etc/passwd\") { s[pid] += 1 } }",
	"var s = {}\ntrace syscalls:sys_enter_read { for (i = 1, 10, 1) { s[i] += args.count } }",
};

static struct object *compiled[ARRAY_SIZE(scripts)];
static struct arena *arenas[ARRAY_SIZE(scripts)];

static int
compile_scripts(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
		struct arena *arena = arena_new();
		struct script *script = arena_alloc(arena, sizeof(*script));
		struct diags diags;

		script_init(script, arena, "seed.kp", scripts[i], (uint32_t)strlen(scripts[i]));
		diags_init(&diags, arena, script);
		compiled[i] = compile(arena, script, events_new(arena, EVENTS_USER), &diags);
		diags_print(&diags, stderr);
		if (!compiled[i])
			return -1;
		arenas[i] = arena;
	}
	return 0;
}

static int
free_scripts(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++)
		arena_free(arenas[i]);
	return 0;
}

/* A copy of one compiled program, whose functions may be changed; its tables are those of the original. */
static void
try_compiled(uint64_t n, struct counts *counts)
{
	const struct object *original = compiled[n % ARRAY_SIZE(scripts)];
	const struct program *program;
	struct vm_signature signature;
	struct arena *arena = arena_new();
	struct object object = *original;

	seed = (n + 1) * 0x9e3779b97f4a7c15u;
	program = original->programs[below(original->n_programs)];
	signature = vm_handler_signature(program);
	object.funcs = arena_alloc(arena, sizeof(*object.funcs));
	object.funcs[0] = arena_alloc(arena, sizeof(**object.funcs));
	object.n_funcs = 1;
	*object.funcs[0] = *original->funcs[program->func];
	object.funcs[0]->insns = arena_alloc(arena, object.funcs[0]->n_insns * sizeof(struct bpf_insn));
	memcpy(object.funcs[0]->insns, original->funcs[program->func]->insns, object.funcs[0]->n_insns * sizeof(struct bpf_insn));
	if (n >= ARRAY_SIZE(scripts))
		mutate(&object);
	try_program(&(struct reference_program){ &object, object.funcs[0], &signature, n }, counts);
	arena_free(arena);
}

static void
test_mutated_compiled(void **state)
{
	test_mutated(try_compiled, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mutated_compiled),
	};

	return cmocka_run_group_tests(tests, compile_scripts, free_scripts);
}
