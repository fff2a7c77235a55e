/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What is computed once, register allocation and emission, against an interpreter of the intermediate code written here: random code with more live values
 * than there are registers and stack slots must leave the same values in memory, and the verifier must accept it. And loops as kernels without
 * bpf_loop get them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codegen/codegen.h"
#include "codegen/codegen_int.h"
#include "vm/vm.h"

#define CPU 3 /* what the helper in the random code returns */
#define BRANCHES_MAX 40

static uint32_t
random_below(uint64_t *seed, uint32_t n)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(*seed >> 33) % n;
}

static const uint8_t ops[] = { BPF_ADD, BPF_SUB, BPF_MUL, BPF_OR, BPF_AND, BPF_XOR, BPF_LSH, BPF_RSH, BPF_ARSH };
static const uint8_t cmps[] = { BPF_JEQ, BPF_JNE, BPF_JGT, BPF_JSLT, BPF_JSGE };

#define ONCE_MAX 6

/* Values that are written once, where every way to what follows leads through. */
struct once {
	int vregs[ONCE_MAX];
	uint32_t n;
};

/* What such values give, often the same again: from where it was computed already, if that was on the way. */
static int
random_once(struct ir *ir, uint64_t *seed, const struct once *once)
{
	int a = once->vregs[random_below(seed, once->n)], b = once->vregs[random_below(seed, once->n)];

	switch (random_below(seed, 4)) {
	case 0:
		return ir_call(ir, BPF_FUNC_get_smp_processor_id, NULL, 0);
	case 1:
		return ir_low(ir, a);
	case 2:
		return ir_alu_imm(ir, BPF_XOR, a, 3);
	default:
		return ir_alu(ir, random_below(seed, 2) ? BPF_MUL : BPF_SUB, a, b);
	}
}

static void
random_insn(struct ir *ir, uint64_t *seed, const int *values, uint32_t n, struct once *once, bool always)
{
	int dst = values[random_below(seed, n)], a = values[random_below(seed, n)], b = values[random_below(seed, n)], x;
	uint8_t op = ops[random_below(seed, ARRAY_SIZE(ops))];

	switch (random_below(seed, 11)) {
	case 6:
	case 7:
		x = random_once(ir, seed, once);
		ir_move(ir, dst, x);
		if (always && once->n < ONCE_MAX)
			once->vregs[once->n++] = x;
		break;
	case 0:
		ir_move(ir, dst, a);
		break;
	case 1:
		ir_set(ir, dst, (int64_t)random_below(seed, 1u << 30) * (random_below(seed, 2) ? 1 : -77777777));
		break;
	case 2:
		ir_move(ir, dst, ir_call(ir, BPF_FUNC_get_smp_processor_id, NULL, 0));
		break;
	case 3:
	case 4:
		ir_add(ir, (struct ir_insn){ .op = IR_ALU, .sub = op, .dst = dst, .a = a, .b = NO_VREG, .has_imm = true,
					     .imm = random_below(seed, 64) });
		break;
	case 5:
		ir_add(ir, (struct ir_insn){ .op = IR_LOW, .dst = dst, .a = a, .b = NO_VREG });
		break;
	default:
		op = ops[random_below(seed, 6)];
		ir_add(ir, (struct ir_insn){ .op = IR_ALU, .sub = op, .dst = dst, .a = a, .b = b });
	}
}

static void
random_code(struct ir *ir, uint64_t *seed, uint32_t n_values, uint32_t n_insns)
{
	int *values = arena_alloc(ir->arena, n_values * sizeof(*values));
	uint32_t label = 0, until = 0, n_branches = 0;
	struct once once = { .n = 1 };

	once.vregs[0] = ir_call(ir, BPF_FUNC_get_smp_processor_id, NULL, 0);
	for (uint32_t i = 0; i < n_values; i++) {
		values[i] = ir_vreg(ir);
		ir->vregs[values[i]].is_followed = i % 16 == 0;
		ir_set(ir, values[i], (int64_t)i * 1234567891011);
	}
	for (uint32_t i = 0; i < n_insns; i++) {
		if (until == i && until)
			ir_bind(ir, label);
		if (until <= i && i + 6 < n_insns && n_branches < BRANCHES_MAX && random_below(seed, 6) == 0) {
			n_branches++;
			label = ir_label(ir);
			until = i + 1 + random_below(seed, 5);
			ir_branch(ir, cmps[random_below(seed, ARRAY_SIZE(cmps))], values[random_below(seed, n_values)],
				  values[random_below(seed, n_values)], label);
		}
		random_insn(ir, seed, values, n_values, &once, until <= i);
	}
	for (uint32_t i = 0; i < n_values; i++)
		ir_store(ir, BPF_DW, ir->params[PARAM_SCRATCH], (int32_t)(8 * i), values[i]);
	ir_add(ir, (struct ir_insn){ .op = IR_END, .dst = NO_VREG, .a = NO_VREG, .b = NO_VREG });
	ir->scratch_max = 8 * n_values;
}

/* The meaning of the code, straight from ir_ops.def; only what random_code makes. */
static void
interpret(const struct ir *ir, uint64_t *memory)
{
	uint64_t *v = calloc(ir->n_vregs, sizeof(*v));
	uint32_t pc = 0;

	while (ir->insns[pc].op != IR_END) {
		const struct ir_insn *insn = &ir->insns[pc++];
		uint64_t b = insn->has_imm ? (uint64_t)insn->imm : insn->b != NO_VREG ? v[insn->b] : 0;
		struct bpf_insn word = insn_make((insn->op == IR_BRANCH ? BPF_JMP : BPF_ALU64) | insn->sub | BPF_X, 0, 1, 0, 0);

		if (insn->op == IR_CONST)
			v[insn->dst] = (uint64_t)insn->imm;
		else if (insn->op == IR_MOVE)
			v[insn->dst] = v[insn->a];
		else if (insn->op == IR_LOW)
			v[insn->dst] = (uint32_t)v[insn->a];
		else if (insn->op == IR_ALU)
			insn_eval_alu(&word, v[insn->a], b, &v[insn->dst]);
		else if (insn->op == IR_CALL)
			v[insn->dst] = CPU;
		else if (insn->op == IR_STORE)
			memory[insn->off / 8] = v[insn->b];
		else if (insn->op == IR_BRANCH && insn_eval_jump(&word, v[insn->a], b))
			while (!(ir->insns[pc].op == IR_LABEL && ir->insns[pc].label == insn->label))
				pc++;
	}
	free(v);
}

static void
run_once(uint64_t seed, uint32_t n_values, uint32_t n_insns)
{
	struct arena *arena = arena_new();
	struct object *object = object_new(arena, "random", NULL);
	uint64_t *expected = calloc(n_values, 8), *memory, scratch_size;
	struct vm_env env = { .cpu = 0 };
	struct vm_program *loaded;
	struct text why = { 0 };
	struct program program = { 0 };
	struct vm_signature signature;
	struct code code;
	struct ir ir;
	struct vm *vm;
	int err = 0;

	env.cpu = CPU;
	ir_init(&ir, arena);
	random_code(&ir, &seed, n_values, n_insns);
	interpret(&ir, expected);
	ir_clean(&ir);
	ir_reuse(&ir);
	ir_clean(&ir);
	ir_allocate(&ir);
	for (uint32_t i = 0; i < ir.n_vregs; i++)
		assert_false(ir.vregs[i].is_followed && ir.vregs[i].place == PLACE_SCRATCH);
	ir_keep_results(&ir);
	code_init(&code, arena);
	program.stack_size = (uint32_t)ir_emit(object, &ir, &code);
	assert_in_range(program.stack_size, 0, STACK_MAX);
	scratch_size = ir.scratch_max + ir.n_spill_scratch;
	program.scratch_size = (uint32_t)scratch_size;
	program.func = object_add_func(object, func_from_code(&code, "random", ".text"));
	signature = vm_handler_signature(&program);
	vm = vm_new(object, CPU + 1, &why);
	assert_non_null(vm);
	loaded = vm_load(vm, object->funcs[0], &signature, &why, &err);
	if (!loaded)
		fail_msg("refused: %s", why.s);
	memory = calloc(1, scratch_size);
	vm_run(vm, loaded, &env, (uint64_t[5]){ 0, 0, 0, 0, (uint64_t)(uintptr_t)memory });
	assert_memory_equal(memory, expected, 8 * n_values);
	vm_free(vm);
	free(memory);
	free(expected);
	text_fini(&why);
	arena_free(arena);
}

static void
few_values(void **state)
{
	for (uint64_t seed = 1; seed <= 300; seed++)
		run_once(seed, 1 + (uint32_t)(seed % 8), 40);
}

static void
stack_slots(void **state)
{
	for (uint64_t seed = 1; seed <= 100; seed++)
		run_once(seed, 12 + (uint32_t)(seed % 30), 200);
}

static void
scratch_slots(void **state)
{
	for (uint64_t seed = 1; seed <= 50; seed++)
		run_once(seed, 60 + (uint32_t)(seed % 40), 400);
}

/* ---- loops where the kernel has no helper for them ------------------------------------------------------------ */

static bool
has_no_loop(int32_t helper)
{
	return helper != BPF_FUNC_loop;
}

static struct object *
compile_without_loop(struct arena *arena, const char *text)
{
	struct script *script = arena_alloc(arena, sizeof(*script));
	struct diags diags;
	struct object *object;

	script_init(script, arena, "t.kp", text, (uint32_t)strlen(text));
	diags_init(&diags, arena, script);
	object = compile_for(arena, script, events_new(arena, EVENTS_USER), has_no_loop, &diags);
	diags_print(&diags, stderr);
	assert_non_null(object);
	return object;
}

/* Runs the only handler of a script and returns what its only shared variable holds then. */
static int64_t
run_without_loop(const char *text)
{
	struct arena *arena = arena_new();
	struct object *object = compile_without_loop(arena, text);
	const struct program *program = object->programs[0];
	const struct vm_signature signature = vm_handler_signature(program);
	uint64_t *scratch = calloc(1, program->scratch_size + 8);
	const struct vm_env env = { .pid = 1 };
	struct text why = { 0 };
	struct vm *vm = vm_new(object, 1, &why);
	struct vm_program *loaded;
	int64_t result;
	int err = 0;

	assert_non_null(vm);
	loaded = vm_load(vm, object->funcs[program->func], &signature, &why, &err);
	if (!loaded)
		fail_msg("refused: %s", why.s);
	vm_run(vm, loaded, &env, (uint64_t[5]){ 0, 0, 0, 0, (uintptr_t)scratch });
	memcpy(&result, (char *)vm_table_find(vm, object->table_globals, &(uint32_t){ 0 }) + object->globals[0]->off, sizeof(result));
	vm_free(vm);
	free(scratch);
	text_fini(&why);
	arena_free(arena);
	return result;
}

/* The verifiers follow each round by the values of its variables: these must not be kept where they do not look. */
static void
loops_without_helper(void **state)
{
	static const struct { const char *text; int64_t result; } scripts[] = {
		/* Of the right-angled triangles with whole sides up to 20: 3 4 5, 5 12 13, 6 8 10, 8 15 17, 9 12 15, 12 16 20. */
		{ "var n = 0  trace syscalls:sys_enter_getppid { for (a = 1, 20) { for (b = a, 20) { for (c = b, 20) {"
		  " if (a * a + b * b == c * c) { n += 1 }  if (a * a + b * b < c * c) { break } } } } }  trace_end { print(n) }", 6 },
		{ "var n = 0  function root(x) { for (i = 1, 100) { if (i * i >= x) { return i } }  return 0 }"
		  " trace syscalls:sys_enter_getppid { n = root(50) * 10 + root(10000) }  trace_end { print(n) }", 180 },
		{ "var n = 0  trace syscalls:sys_enter_getppid { var x = 27  while (x != 1) { if (x % 2 == 0) { x /= 2 } else { x = 3 * x + 1 }"
		  " n += 1 } }  trace_end { print(n) }", 111 }, /* steps of Collatz's sequence: OEIS A006577 */
		/* From the smallest number, left in the third round; up to the largest one, three rounds. */
		{ "var n = 0  trace syscalls:sys_enter_getppid { for (i = -9223372036854775807 - 1, 5) { n += 1  if (n == 3) { break } }"
		  " for (i = 9223372036854775805, 9223372036854775807) { n += 10 } }  trace_end { print(n) }", 33 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++)
		assert_int_equal(run_without_loop(scripts[i].text), scripts[i].result);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few_values),
		cmocka_unit_test(stack_slots),
		cmocka_unit_test(scratch_slots),
		cmocka_unit_test(loops_without_helper),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
