/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Programs that our compiler made of scripts, and random programs (vm_random.h), with a few instructions changed at random. Most
 * become wrong, in ways close to what is right, which is where a verifier errs. What it still accepts is run with all the checks of
 * vm_reference.h. KTAP_MUTATE_PROGRAMS and KTAP_MUTATE_SEED change how many and which.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codegen/codegen.h"
#include "vm_random.h"

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

/* ---- changes ------------------------------------------------------------------------------------------------ */

static int16_t
near(int16_t off)
{
	static const int16_t steps[] = { 1, -1, 2, 4, -4, 8, -8, 16, -16 };

	return below(3) ? (int16_t)(off + steps[below(ARRAY_SIZE(steps))]) : (int16_t)(below(512) - 256);
}

static int32_t
near_imm(int32_t imm)
{
	return below(2) ? (int32_t)((uint32_t)imm + below(9) - 4) : small_imm();
}

static uint8_t
other_code(uint8_t code)
{
	uint8_t class = BPF_CLASS(code);

	if (class == BPF_ALU || class == BPF_ALU64 || class == BPF_JMP || class == BPF_JMP32)
		return below(2) ? (uint8_t)(code ^ (below(2) ? 3 : BPF_X)) : (uint8_t)(below(14) << 4 | (code & 15));
	return (uint8_t)((code & ~0x18) | random_size());
}

/* One instruction becomes another, or two change places. Words of wide instructions keep theirs. */
static void
change(struct func *func)
{
	uint32_t pc = below(func->n_insns), other = below(func->n_insns);
	struct bpf_insn *insn = &func->insns[pc], moved;

	if (func_reloc(func, pc) || (pc && func_reloc(func, pc - 1)) || insn_is_wide(insn) || (pc && insn_is_wide(insn - 1)))
		return;
	switch (below(7)) {
	case 0:
		insn->dst_reg = below(10) & 15;
		break;
	case 1:
		insn->src_reg = below(11) & 15;
		break;
	case 2:
		insn->off = near(insn->off);
		break;
	case 3:
		insn->imm = near_imm(insn->imm);
		break;
	case 4:
		insn->code = other_code(insn->code);
		break;
	case 5:
		if (func_reloc(func, other) || insn_is_wide(&func->insns[other]) || (other && insn_is_wide(&func->insns[other - 1])))
			return;
		moved = *insn;
		*insn = func->insns[other];
		func->insns[other] = moved;
		break;
	default:
		*insn = insn_make(BPF_JMP | BPF_JA, 0, 0, 0, 0); /* gone */
		break;
	}
	/* trace_printk would talk. */
	if (insn->code == (BPF_JMP | BPF_CALL) && (insn->imm == BPF_FUNC_trace_printk || insn->imm == BPF_FUNC_trace_vprintk))
		insn->imm = BPF_FUNC_ktime_get_ns;
}

static void
mutate(const struct object *object)
{
	for (uint32_t n = 1 + below(4); n; n--)
		change(object->funcs[below(3) ? 0 : below(object->n_funcs)]);
}

/* ---- tried ----------------------------------------------------------------------------------------------------- */

struct counts {
	uint64_t n, n_accepted, n_checked;
};

static void
try_program(const struct reference_program *program, struct counts *counts)
{
	uint64_t r3[2] = { random_value(), random_value() };

	counts->n++;
	counts->n_accepted += reference_try(program, r3, ARRAY_SIZE(r3), &counts->n_checked);
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
try_random(uint64_t n, struct counts *counts)
{
	struct arena *arena = arena_new();
	struct object *object = fixture_object(arena);

	make_program(object, n, true);
	mutate(object);
	try_program(&(struct reference_program){ object, object->funcs[0], &handler_signature, n }, counts);
	arena_free(arena);
}

static void
test_mutated(void **state, void (*try)(uint64_t n, struct counts *counts), uint64_t share)
{
	const char *count = getenv("KTAP_MUTATE_PROGRAMS"), *start = getenv("KTAP_MUTATE_SEED");
	uint64_t n = (count ? strtoull(count, NULL, 0) : 40000) / share, first = start ? strtoull(start, NULL, 0) : 0;
	struct counts counts = { 0 };

	for (uint64_t i = 0; i < n; i++)
		try(first + i, &counts);
	print_message("# %llu programs, %llu accepted, %llu times were registers compared with what was foreseen\n",
		      (unsigned long long)counts.n, (unsigned long long)counts.n_accepted, (unsigned long long)counts.n_checked);
	if (n >= 1000)
		assert_true(counts.n_accepted > n / 50);
}

static void
test_mutated_random(void **state)
{
	test_mutated(state, try_random, 2);
}

static void
test_mutated_compiled(void **state)
{
	test_mutated(state, try_compiled, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mutated_random),
		cmocka_unit_test(test_mutated_compiled),
	};

	return cmocka_run_group_tests(tests, compile_scripts, free_scripts);
}
