/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Machine code: every arithmetic and jump row of insn.def, with every pair of registers and operands at the edges, leaves what
 * insn_eval_* says, and nothing else changes; every load, store and atomic row does as the interpreter; jumps of all lengths
 * arrive; lookups that the compiler knows are those of the helper; and no page of the process is ever writable and executable.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "vm_fixture.h"

#include "vm/vm_int.h"

#define N_REGS 10

static const uint64_t edges[] = { 0, 1, 2, 7, 31, 32, 63, 64, 0x7f, 0x80, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000001,
				  0x7fffffffffffffff, 0x8000000000000000, 0xffffffff80000000, 0xfffffffffffffffe, 0xffffffffffffffff };

static const int32_t imms[] = { 0, 1, 2, 3, 5, 7, 8, 9, 10, 31, 641, 1000, 1000000007, 127, 128, -1, -2, -128, -129, 255, 256, 65535, 65536, 1 << 30, INT32_MAX, INT32_MIN };

static const struct vm_signature signature = { .args = {
	{ VM_ARG_SCALAR, 0 }, { VM_ARG_SCALAR, 0 }, { VM_ARG_NONE, 0 }, { VM_ARG_MEM, SCRATCH_SIZE },
} };

/* Machine code for which processor, and how. */
enum mode {
	MODE_USUAL,
	MODE_OLD,    /* a processor without BMI2 */
	MODE_HIDING, /* constants blinded */
};

/* A machine and programs for it, one after the other. */
struct bench {
	struct arena *arena;
	struct object *object;
	struct vm *vm;
};

static void
bench_open(struct bench *bench, enum vm_exec exec, enum mode mode)
{
	struct text why = { 0 };

	bench->arena = arena_new();
	bench->object = fixture_object(bench->arena);
	bench->vm = vm_new(bench->object, 2, &why);
	assert_non_null(bench->vm);
	vm_set_exec(bench->vm, exec);
	bench->vm->no_bmi2 = mode == MODE_OLD;
	vm_set_constants(bench->vm, mode == MODE_HIDING ? VM_CONSTANTS_BLINDED : VM_CONSTANTS_PLAIN);
}

static void
bench_close(struct bench *bench)
{
	vm_free(bench->vm);
	arena_free(bench->arena);
}

/* NULL: the verifier does not want it (shifts and divisions by constants that the kernel refuses). */
static struct vm_program *
load(struct bench *bench, struct code *code)
{
	struct text why = { 0 };
	struct vm_program *program;
	struct func *func;
	int err;

	assert_int_equal(code_finish(code), 0);
	func = func_from_code(code, "test", "raw_tp/test");
	func->spans = NULL;
	program = vm_load(bench->vm, func, &signature, &why, &err);
	if (!program && err != -EINVAL && err != -EACCES)
		fail_msg("%s", why.s);
	text_fini(&why);
	return program;
}

static uint64_t
initial(unsigned reg)
{
	return 0x1111111100000000u * (reg + 1) + reg;
}

/*
 * Registers r0 to r9 get their initial values, dst and src r1 and r2; then the instruction; then all are written to scratch, the
 * address of which is kept in the stack. A jump that is taken skips a store.
 */
static void
around(struct code *code, const struct bpf_insn *insn, unsigned dst, unsigned src)
{
	code_emit(code, insn_store(BPF_DW, 10, 1, -88));
	code_emit(code, insn_store(BPF_DW, 10, 2, -96));
	code_emit(code, insn_store(BPF_DW, 10, 4, -104));
	code_emit(code, insn_store_imm(BPF_DW, 10, -112, 0));
	for (uint8_t r = 0; r < N_REGS; r++)
		code_const(code, r, (int64_t)initial(r));
	code_emit(code, insn_load(BPF_DW, (uint8_t)src, 10, -96));
	code_emit(code, insn_load(BPF_DW, (uint8_t)dst, 10, -88));
	code_emit(code, *insn);
	if (insn_info(insn)->shape == SHAPE_COND)
		code_emit(code, insn_store_imm(BPF_DW, 10, -112, 1));
	for (uint8_t r = 0; r < N_REGS; r++)
		code_emit(code, insn_store(BPF_DW, 10, r, (int16_t)(-8 * (r + 1))));
	code_emit(code, insn_load(BPF_DW, 1, 10, -104));
	for (int16_t r = 0; r < N_REGS; r++) {
		code_emit(code, insn_load(BPF_DW, 2, 10, (int16_t)(-8 * (r + 1))));
		code_emit(code, insn_store(BPF_DW, 1, 2, (int16_t)(8 * r)));
	}
	code_emit(code, insn_load(BPF_DW, 0, 10, -112));
	code_emit(code, insn_exit());
}

static bool
has_src(const struct insn_info *info)
{
	return BPF_SRC(info->code) == BPF_X && info->shape != SHAPE_UNARY;
}

/* The instruction of a row with these operands. */
static struct bpf_insn
insn_of(const struct insn_info *info, unsigned dst, unsigned src, int32_t imm)
{
	bool is_x = has_src(info), is_jump = info->shape == SHAPE_COND;

	return insn_make(info->code, (uint8_t)dst, is_x ? (uint8_t)src : 0,
			 (int16_t)(is_jump ? 1 : info->select == SELECT_OFF ? info->value : 0),
			 info->select == SELECT_IMM ? info->value : is_x || info->shape == SHAPE_UNARY ? 0 : imm);
}

static void
check(struct bench *bench, const struct bpf_insn *insn, const struct vm_program *program, uint64_t a, uint64_t b)
{
	_Alignas(8) uint64_t regs[SCRATCH_SIZE / 8];
	uint64_t expected[N_REGS], args[5] = { a, b, 0, (uintptr_t)regs, 0 }, not_taken;

	for (unsigned r = 0; r < N_REGS; r++)
		expected[r] = initial(r);
	if (has_src(insn_info(insn)))
		expected[insn->src_reg] = b;
	expected[insn->dst_reg] = a;
	insn_eval_alu(insn, a, expected[insn->src_reg], &expected[insn->dst_reg]);
	not_taken = vm_run(bench->vm, program, NULL, args);
	if (insn_info(insn)->shape == SHAPE_COND && not_taken != !insn_eval_jump(insn, a, expected[insn->src_reg]))
		fail_msg("%s r%u, r%u, imm %d with %#lx, %#lx goes the wrong way", insn_info(insn)->name, insn->dst_reg, insn->src_reg,
			 insn->imm, (unsigned long)a, (unsigned long)b);
	for (unsigned r = 0; r < N_REGS; r++)
		if (regs[r] != expected[r])
			fail_msg("%s r%u, r%u, imm %d with %#lx, %#lx: r%u is %#lx, not %#lx", insn_info(insn)->name, insn->dst_reg,
				 insn->src_reg, insn->imm, (unsigned long)a, (unsigned long)b, r, (unsigned long)regs[r],
				 (unsigned long)expected[r]);
}

/* One instruction on all operands. Where there is one operand, src is dst. */
static unsigned
try_insn(enum vm_exec exec, enum mode mode, const struct insn_info *info, unsigned dst, unsigned src, int32_t imm)
{
	bool is_x = has_src(info);
	struct bpf_insn insn = insn_of(info, dst, src, imm);
	const struct vm_program *program;
	struct bench bench;
	struct code code;

	bench_open(&bench, exec, mode);
	code_init(&code, bench.arena);
	around(&code, &insn, dst, src);
	program = load(&bench, &code);
	for (size_t a = 0; program && a < ARRAY_SIZE(edges); a++)
		for (size_t b = 0; b < (is_x ? ARRAY_SIZE(edges) : 1); b++)
			check(&bench, &insn, program, edges[a], dst == src ? edges[a] : edges[b]);
	bench_close(&bench);
	return program != NULL;
}

/* KTAP_JIT_STEP=n: only every n-th register, where the machine is a slow one. */
static unsigned
reg_step(void)
{
	const char *step = getenv("KTAP_JIT_STEP");

	return step ? (unsigned)atoi(step) : 1;
}

static unsigned
try_row(enum mode mode, const struct insn_info *info)
{
	bool is_x = has_src(info);
	unsigned n = 0, step = reg_step();

	for (unsigned dst = 0; dst < N_REGS; dst += step) {
		for (unsigned src = 0; is_x && src < N_REGS; src += step)
			n += try_insn(VM_EXEC_JIT, mode, info, dst, src, 0);
		for (size_t i = 0; !is_x && i < (info->shape == SHAPE_UNARY ? 1 : ARRAY_SIZE(imms)); i++)
			n += try_insn(VM_EXEC_JIT, mode, info, dst, dst, imms[i]);
	}
	return n;
}

static void
test_rows(void **state)
{
	for (unsigned id = 0; id < N_INSNS; id++) {
		const struct insn_info *info = insn_info_of(id);
		uint8_t op = BPF_OP(info->code);

		if (info->shape != SHAPE_ALU && info->shape != SHAPE_UNARY && info->shape != SHAPE_COND)
			continue;
		assert_true(try_row(MODE_USUAL, info) >= N_REGS / reg_step());
		if (BPF_SRC(info->code) == BPF_K && info->shape != SHAPE_UNARY)
			assert_true(try_row(MODE_HIDING, info) >= N_REGS / reg_step());
		if (info->shape == SHAPE_ALU && (op == BPF_LSH || op == BPF_RSH || op == BPF_ARSH))
			assert_true(try_row(MODE_OLD, info) >= N_REGS / reg_step());
	}
}

/* ---- memory: as the interpreter ------------------------------------------------------------------------------------ */

/* r0 and all of scratch after the instruction on scratch + 64, from both ways of running. */
static void
try_memory(const struct insn_info *info, unsigned dst, unsigned src, int16_t off, int32_t imm)
{
	bool loads = info->shape == SHAPE_LOAD, has_src = loads || BPF_CLASS(info->code) == BPF_STX;
	struct bpf_insn insn = insn_make(info->code, (uint8_t)dst, has_src ? (uint8_t)src : 0, off,
					 info->select == SELECT_IMM ? info->value : loads || has_src ? 0 : imm);
	_Alignas(8) uint8_t memory[2][SCRATCH_SIZE];
	uint64_t r0[2] = { 0, 0 };
	bool loaded[2];

	for (int exec = 0; exec < 2; exec++) {
		struct vm_program *program;
		struct bench bench;
		struct code code;

		bench_open(&bench, exec ? VM_EXEC_JIT : VM_EXEC_INTERP, MODE_USUAL);
		code_init(&code, bench.arena);
		code_emit(&code, insn_store(BPF_DW, 10, 4, -104));
		for (uint8_t r = 0; r < N_REGS; r++)
			code_const(&code, r, (int64_t)initial(r));
		code_emit(&code, insn_load(BPF_DW, (uint8_t)(loads ? src : dst), 10, -104));
		code_emit(&code, insn_alu_imm(BPF_ADD, (uint8_t)(loads ? src : dst), 64));
		code_emit(&code, insn);
		code_emit(&code, insn_load(BPF_DW, loads && dst == 1 ? 2 : 1, 10, -104));
		for (uint8_t r = 0; r < N_REGS; r++)
			if (r != (loads && dst == 1 ? 2 : 1) && r != (loads ? src : dst))
				code_emit(&code, insn_store(BPF_DW, loads && dst == 1 ? 2 : 1, r, (int16_t)(168 + 8 * r)));
		code_emit(&code, insn_mov_imm(0, 1));
		code_emit(&code, insn_exit());
		for (int i = 0; i < SCRATCH_SIZE; i++)
			memory[exec][i] = (uint8_t)(i * 29 + 130);
		program = load(&bench, &code);
		loaded[exec] = program;
		if (program)
			r0[exec] = vm_run(bench.vm, program, NULL, (uint64_t[5]){ 5, 6, 0, (uintptr_t)memory[exec], 0 });
		bench_close(&bench);
	}
	assert_true(loaded[0] == loaded[1]);
	if (r0[0] != r0[1] || memcmp(memory[0], memory[1], SCRATCH_SIZE))
		fail_msg("%s r%u, r%u, off %d, imm %d: interpreter and machine code differ", info->name, dst, src, off, imm);
}

static void
test_memory(void **state)
{
	static const int16_t offs[] = { 0, 8, -8, -64, 96 };

	for (unsigned id = 0; id < N_INSNS; id++) {
		const struct insn_info *info = insn_info_of(id);

		if (info->shape != SHAPE_LOAD && info->shape != SHAPE_STORE && info->shape != SHAPE_ATOMIC)
			continue;
		for (unsigned dst = 0; dst < N_REGS; dst++)
			for (unsigned src = 0; src < N_REGS; src++)
				try_memory(info, dst, src, offs[(dst + src) % ARRAY_SIZE(offs)], imms[src * 2]);
	}
}

/* ---- jumps of all lengths --------------------------------------------------------------------------------------------- */

/* n instructions of 4 bytes each are jumped over forward, and in a loop of two rounds backward. */
static void
test_distances(void **state)
{
	for (uint32_t n = 0; n < 80; n++) {
		struct bench bench;
		struct code code;
		uint32_t over, out, again;
		uint64_t args[5] = { 0 }, scratch[SCRATCH_SIZE / 8] = { 0 };

		bench_open(&bench, VM_EXEC_JIT, MODE_USUAL);
		code_init(&code, bench.arena);
		over = code_label(&code);
		out = code_label(&code);
		again = code_label(&code);
		code_emit(&code, insn_mov_imm(0, 0));
		code_emit(&code, insn_mov_imm(6, 0));
		code_bind(&code, again);
		code_branch_imm(&code, BPF_JEQ, 1, 5, over);
		for (uint32_t i = 0; i < n; i++)
			code_emit(&code, insn_alu_imm(BPF_ADD, 0, 1));
		code_branch_imm(&code, BPF_JEQ, 2, 9, out);
		code_bind(&code, over);
		for (uint32_t i = 0; i < n / 2; i++)
			code_emit(&code, insn_alu_imm(BPF_ADD, 0, 2));
		code_bind(&code, out);
		code_emit(&code, insn_alu_imm(BPF_ADD, 6, 1));
		code_branch_imm(&code, BPF_JLT, 6, 2, again);
		code_emit(&code, insn_exit());
		struct vm_program *program = load(&bench, &code);
		assert_non_null(program);
		args[3] = (uintptr_t)scratch;
		for (unsigned way = 0; way < 4; way++) {
			args[0] = way & 1 ? 5 : 0;
			args[1] = way & 2 ? 9 : 0;
			assert_int_equal(vm_run(bench.vm, program, NULL, args),
					 2 * ((way & 1 ? 0 : n) + (way == 2 ? 0 : n / 2 * 2)));
		}
		bench_close(&bench);
	}
}

/* ---- lookups and helpers in place ---------------------------------------------------------------------------------------- */

#define KEY "*(u32 *)(r10 - 4) = r1\nr2 = r10\nr2 += -4\n"
#define KEY8 "*(u64 *)(r10 - 8) = r1\nr2 = r10\nr2 += -8\n"

static const char *const lookups[] = {
	KEY "r1 = table 1 ll\ncall 1\nif r0 == 0 goto out\nr0 = *(u64 *)(r0 + 0)\nout: exit\n",
	KEY "r1 = table 1 ll\ncall 1\nif r0 != 0 goto in\nr0 = 77\nexit\nin: r0 = *(u64 *)(r0 + 0)\nexit\n",
	KEY "r1 = table 2 ll\ncall 1\nif r0 == 0 goto out\nr0 = *(u64 *)(r0 + 56)\nout: exit\n",
	KEY "r1 = table 5 ll\ncall 1\nif r0 == 0 goto out\nr1 = 3\n*(u64 *)(r0 + 8) = r1\nr0 = *(u64 *)(r0 + 8)\nout: exit\n",
	KEY "r6 = table 1 ll\nr1 = r6\ncall 1\nif r0 == 0 goto out\nr0 = *(u64 *)(r0 + 0)\nout: exit\n",
	KEY8 "r1 = table 0 ll\ncall 1\nif r0 == 0 goto out\nr0 = *(u64 *)(r0 + 8)\nout: exit\n",
	KEY8 "r1 = table 4 ll\ncall 1\nif r0 == 0 goto out\nr0 = *(u64 *)(r0 + 0)\nout: exit\n",
	"call 5\nexit\n", "call 8\nexit\n", "call 14\nexit\n", "call 15\nexit\n",
};

static void
test_lookups(void **state)
{
	static const struct vm_env env = { .pid = 10, .tid = 11, .uid = 1000, .gid = 100, .cpu = 1, .ktime_ns = 0x123456789abc };

	for (size_t i = 0; i < ARRAY_SIZE(lookups); i++) {
		struct bench bench[2];
		struct vm_program *program[2];

		for (int exec = 0; exec < 2; exec++) {
			struct text why = { 0 };
			int err;

			bench_open(&bench[exec], exec ? VM_EXEC_JIT : VM_EXEC_INTERP, MODE_USUAL);
			for (uint32_t key = 0; key < 4; key++) {
				uint64_t key8 = key, values[2] = { key + 100, key + 200 };

				vm_table_update(bench[exec].vm, 1, &key, values, 0);
				vm_table_update(bench[exec].vm, 0, &key8, values, 0);
				vm_table_update(bench[exec].vm, 4, &key8, values, 0);
			}
			program[exec] = vm_load(bench[exec].vm, fixture_func(bench[exec].object, "lookup", lookups[i]), &signature, &why, &err);
			if (!program[exec])
				fail_msg("%s: %s", lookups[i], why.s);
		}
		for (size_t k = 0; k < ARRAY_SIZE(edges) + 6; k++) {
			uint64_t memory[SCRATCH_SIZE / 8], key = k < 6 ? k : edges[k - 6], args[5] = { key, 0, 0, (uintptr_t)memory, 0 };
			const struct vm_env *who = k % 2 ? &env : NULL;

			if (vm_run(bench[0].vm, program[0], who, args) != vm_run(bench[1].vm, program[1], who, args))
				fail_msg("%s with %#lx: interpreter and machine code differ", lookups[i], (unsigned long)key);
		}
		bench_close(&bench[0]);
		bench_close(&bench[1]);
	}
}

/* Hash tables with keys of all sizes, so full that chains are long: r1 is the address of a key. */
static const char *const hash_lookups[] = {
	"r2 = r1\nr1 = table 0 ll\ncall 1\nif r0 == 0 goto out\nr0 = *(u64 *)(r0 + 8)\nout: exit\n",
	"r2 = r1\nr1 = table 0 ll\ncall 1\nif r0 != 0 goto in\nr0 = 77\nexit\nin: r0 = *(u64 *)(r0 + 8)\nexit\n",
};

static void
check_hash_lookup(enum table_kind kind, uint32_t key_size, const char *text)
{
	struct table table = { .name = "hash", .kind = kind, .key_size = key_size, .value_size = 16, .max_entries = 300 };
	const struct vm_signature memory = { .args = { { VM_ARG_MEM_RDONLY, 24 } } };
	const struct vm_env second = { .cpu = 1 }, lane_of_cpu_7 = { .cpu = 7, .lane = 2 }, first_lane = { .cpu = 1, .lane = 1 };
	struct arena *arena = arena_new();
	struct object *object = object_new(arena, "lookups", NULL);
	struct text why = { 0 };
	struct vm_program *program;
	struct vm *vm;
	int err;

	object_add_table(object, &table);
	vm = vm_new(object, 2, &why);
	assert_non_null(vm);
	vm_set_exec(vm, VM_EXEC_JIT);
	program = vm_load(vm, fixture_func(object, "lookup", text), &memory, &why, &err);
	if (!program)
		fail_msg("%s: %s", text, why.s);
	/* Every second number is a key, in a word that changes with it. */
	for (uint64_t i = 0; i < 600; i++) {
		_Alignas(8) uint32_t key[6] = { 0 };
		uint64_t value[4] = { 1, i + 1000, 2, i + 2000 }, absent = strstr(text, "77") ? 77 : 0, args[5] = { (uintptr_t)key };

		key[i % (key_size / 4)] = (uint32_t)i + 1;
		assert_int_equal(vm_run(vm, program, NULL, args), absent);
		if (i % 2)
			continue;
		assert_int_equal(vm_table_update(vm, 0, key, value, BPF_ANY), 0);
		assert_int_equal(vm_run(vm, program, NULL, args), i + 1000);
		assert_int_equal(vm_run(vm, program, &second, args), kind == TABLE_PERCPU_HASH ? i + 2000 : i + 1000);
		assert_int_equal(vm_run(vm, program, &lane_of_cpu_7, args), kind == TABLE_PERCPU_HASH ? i + 2000 : i + 1000);
		assert_int_equal(vm_run(vm, program, &first_lane, args), i + 1000);
		if (i % 6)
			continue;
		assert_int_equal(vm_table_delete(vm, 0, key), 0);
		assert_int_equal(vm_run(vm, program, NULL, args), absent);
		assert_int_equal(vm_table_update(vm, 0, key, value, BPF_ANY), 0);
	}
	vm_free(vm);
	arena_free(arena);
}

static void
test_hash_lookups(void **state)
{
	static const uint32_t sizes[] = { 4, 8, 12, 16, 24 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes) * ARRAY_SIZE(hash_lookups); i++) {
		check_hash_lookup(TABLE_HASH, sizes[i / ARRAY_SIZE(hash_lookups)], hash_lookups[i % ARRAY_SIZE(hash_lookups)]);
		check_hash_lookup(TABLE_PERCPU_HASH, sizes[i / ARRAY_SIZE(hash_lookups)], hash_lookups[i % ARRAY_SIZE(hash_lookups)]);
	}
}

/* ---- memory of the process -------------------------------------------------------------------------------------------- */

static unsigned
count_maps(const char *which)
{
	FILE *file = fopen("/proc/self/maps", "r");
	char line[512], perms[5];
	unsigned n = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%*s %4s", perms) == 1 && strchr(perms, which[0]) && strchr(perms, which[1]))
			n++;
	fclose(file);
	return n;
}

static void
test_maps(void **state)
{
	unsigned before = count_maps("rx");
	struct bench bench;
	struct code code;

	bench_open(&bench, VM_EXEC_JIT, MODE_USUAL);
	for (int i = 0; i < 5; i++) {
		code_init(&code, bench.arena);
		code_emit(&code, insn_mov_imm(0, i));
		code_emit(&code, insn_exit());
		struct vm_program *program = load(&bench, &code);
		assert_non_null(program);
		assert_int_equal(vm_program_exec(program), VM_EXEC_JIT);
		assert_int_equal(count_maps("wx"), 0);
		assert_true(count_maps("rx") > before);
	}
	bench_close(&bench);
	assert_int_equal(count_maps("rx"), before);
}

#ifndef PR_SET_MDWE
#define PR_SET_MDWE 65
#endif

/* Where the system gives no executable memory: 0 as it should be, else what was wrong; 77: this system cannot be asked to. */
static int
run_denied(void)
{
	struct arena *arena = arena_new();
	struct object *object = fixture_object(arena);
	struct text why = { 0 };
	struct vm *vm = vm_new(object, 1, &why);
	struct func *func = fixture_func(object, "f", "r0 = 3\nexit\n");
	struct vm_program *program;
	int err;

	if (prctl(PR_SET_MDWE, 1, 0, 0, 0))
		return 77;
	vm_set_exec(vm, VM_EXEC_JIT);
	if (vm_load(vm, func, &signature, &why, &err) || err != -EACCES || !strstr(why.s, "executable"))
		return 1;
	vm_set_exec(vm, VM_EXEC_AUTO);
	program = vm_load(vm, func, &signature, &why, &err);
	if (!program || vm_program_exec(program) != VM_EXEC_INTERP)
		return 2;
	return vm_run(vm, program, NULL, (uint64_t[5]){ 0 }) == 3 ? 0 : 3;
}

static void
test_denied(void **state)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(run_denied());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_distances),
		cmocka_unit_test(test_lookups),
		cmocka_unit_test(test_hash_lookups),
		cmocka_unit_test(test_maps),
		cmocka_unit_test(test_denied),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
