/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The pairs that the interpreter takes in one step (vm/pairs.def): each with every placement of its registers, entered at its first instruction
 * and at its second, does what the same instructions do one by one (a jump to the next instruction stands between them, and test_vm_interp has
 * those), and what the machine code does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vm_fixture.h"

static const struct {
	const char *name;
	enum insn_id first, second;
} pairs[] = {
#define PAIR(kind, a, b) { #a " " #b, INSN_##a, INSN_##b },
#include "vm/pairs.def"
};

/* r3 is a number, r4 memory in which each byte is another. */
static const char before[] = "*(u64 *)(r10 - 8) = r4\n"
			     "r9 = r4\n" /* an address, */
			     "r8 = *(u64 *)(r4 + 64)\n" /* any number, */
			     "r7 = r3\nr7 &= 0x38\n" /* one to be added to an address, */
			     "r6 = 5\n"; /* and whether a jump was taken */
enum way { JOINED, APART, ENTERED, N_WAYS }; /* ENTERED: at the second where r7 is 0 */

/* A pair and the registers of its two instructions; those that an instruction does not have stay unused. */
struct placed {
	size_t pair;
	uint8_t dst[2], src[2];
};

static void
emit(struct code *code, enum insn_id id, uint8_t dst, uint8_t src)
{
	const struct insn_info *info = insn_info_of(id);
	bool takes_src = info->shape == SHAPE_LOAD || strstr(info->format, "%s") || strstr(info->format, "%S");
	struct bpf_insn insn = insn_make(info->code, info->shape == SHAPE_JUMP ? 0 : dst, takes_src ? src : 0, 0, 0);

	if (strstr(info->format, "%i") || strstr(info->format, "%u"))
		insn.imm = 8;
	if (info->shape == SHAPE_COND)
		insn.off = 1;
	else if (info->shape == SHAPE_STORE)
		insn.off = 8;
	code_emit(code, insn);
}

static bool
is_load(enum insn_id id)
{
	return insn_info_of(id)->shape == SHAPE_LOAD;
}

/* A number, or where something is to be loaded from it, the address of a variable. */
static void
emit_wide(struct code *code, uint8_t dst, bool address)
{
	struct text why = { 0 };

	if (address)
		assert_int_equal(asm_text(code, arena_printf(code->arena, "r%u = table_value 2 + 0 ll", dst), &why), 0);
	else
		code_const(code, dst, 0x123456789a);
}

/* Whether r7, r8 and r9 are addresses behind the instruction. What is not named here is not for addresses, or leaves them what they are. */
static void
follow(enum insn_id id, uint8_t dst, uint8_t src, bool address[10])
{
	if (id == INSN_MOV64_X)
		address[dst] = address[src];
	else if (id == INSN_ADD64_X)
		address[dst] |= address[src];
	else if (id == INSN_LD64 || id == INSN_MOV64_K || is_load(id))
		address[dst] = false;
}

/* Puts the registers into memory; in place of an address, what is there, since only numbers may leave a program. */
static void
emit_end(struct code *code, const struct placed *p, enum way way)
{
	enum insn_id first = pairs[p->pair].first, second = pairs[p->pair].second;
	bool address[10] = { [9] = true };
	struct text why = { 0 };

	if (way != ENTERED) {
		follow(first, p->dst[0], p->src[0], address);
		address[p->dst[0]] |= first == INSN_LD64 && is_load(second);
	}
	follow(second, p->dst[1], p->src[1], address);
	assert_int_equal(asm_text(code, "r6 = 1\nr0 = *(u64 *)(r10 - 8)\n*(u64 *)(r0 + 128) = r6\n", &why), 0);
	for (unsigned r = 7; r <= 9; r++)
		assert_int_equal(asm_text(code, arena_printf(code->arena, "%s*(u64 *)(r0 + %u) = r%u\n",
							     address[r] ? arena_printf(code->arena, "r%u = *(u8 *)(r%u + 0)\n", r, r) : "",
							     80 + 8 * r, r), &why), 0);
	assert_int_equal(asm_text(code, "r0 = 0\nexit\n", &why), 0);
}

static struct func *
make(struct object *object, const struct placed *p, enum way way)
{
	enum insn_id first = pairs[p->pair].first, second = pairs[p->pair].second;
	struct text why = { 0 };
	struct code code;
	struct func *func;

	code_init(&code, object->arena);
	assert_int_equal(asm_text(&code, before, &why), 0);
	if (way == ENTERED)
		code_emit(&code, insn_make(BPF_JMP | BPF_JEQ | BPF_K, 7, 0, first == INSN_LD64 ? 2 : 1, 0));
	if (first == INSN_LD64)
		emit_wide(&code, p->dst[0], is_load(second));
	else
		emit(&code, first, p->dst[0], p->src[0]);
	if (way == APART)
		code_emit(&code, insn_make(BPF_JMP | BPF_JA, 0, 0, 0, 0));
	if (second == INSN_LD64)
		emit_wide(&code, p->dst[1], false);
	else
		emit(&code, second, p->dst[1], p->src[1]);
	emit_end(&code, p, way);
	func = func_from_code(&code, "pair", "raw_tp/test");
	func->spans = NULL;
	object_add_func(object, func);
	return func;
}

/* False: refused. */
static bool
run(struct vm *vm, const struct func *func, enum vm_exec exec, uint64_t r3, uint8_t scratch[SCRATCH_SIZE])
{
	struct text why = { 0 };
	const struct vm_program *program;
	int err;

	vm_set_exec(vm, exec);
	program = vm_load(vm, func, &handler_signature, &why, &err);
	text_fini(&why);
	for (int i = 0; i < SCRATCH_SIZE; i++)
		scratch[i] = (uint8_t)(i * 37 + 11);
	if (program)
		vm_run(vm, program, NULL, (uint64_t[5]){ [2] = r3, [3] = (uintptr_t)scratch });
	return program;
}

/* What is left in memory is compared: it holds all registers. Of one machine, so that addresses are the same. False: refused. */
static bool
try_placed(const struct placed *p, enum way way, uint64_t r3)
{
	struct arena *arena = arena_new();
	struct object *object = fixture_object(arena);
	const struct func *apart = make(object, p, APART), *func = make(object, p, way);
	_Alignas(8) static uint8_t scratch[SCRATCH_SIZE];
	uint8_t want[SCRATCH_SIZE];
	struct text why = { 0 };
	struct vm *vm = vm_new(object, 1, &why);
	bool accepted;

	assert_non_null(vm);
	accepted = run(vm, func, VM_EXEC_AUTO, r3, scratch);
	memcpy(want, scratch, sizeof(want));
	if (accepted) {
		assert_true(run(vm, func, VM_EXEC_INTERP, r3, scratch));
		if (memcmp(want, scratch, sizeof(want)))
			fail_msg("%s, registers %u %u, %u %u, way %d, r3 %lu: machine code does another thing", pairs[p->pair].name, p->dst[0],
				 p->src[0], p->dst[1], p->src[1], way, (unsigned long)r3);
	}
	if (accepted && way == JOINED) {
		assert_true(run(vm, apart, VM_EXEC_INTERP, r3, scratch));
		if (memcmp(want, scratch, sizeof(want)))
			fail_msg("%s, registers %u %u, %u %u, r3 %lu: one by one they do another thing", pairs[p->pair].name, p->dst[0], p->src[0],
				 p->dst[1], p->src[1], (unsigned long)r3);
	}
	vm_free(vm);
	arena_free(arena);
	return accepted;
}

/* Each placement in r7, r8 and r9. An address of a variable that is not made is no address. */
static void
test_pair(size_t pair)
{
	bool needs_first = pairs[pair].first == INSN_LD64 && is_load(pairs[pair].second);
	unsigned n[N_WAYS] = { 0 };

	for (unsigned i = 0; i < 3 * 3 * 3 * 3; i++) {
		struct placed p = { pair, { (uint8_t)(7 + i % 3), (uint8_t)(7 + i / 3 % 3) }, { (uint8_t)(7 + i / 9 % 3), (uint8_t)(7 + i / 27) } };

		n[JOINED] += try_placed(&p, JOINED, 0x18) && try_placed(&p, JOINED, 0);
		n[ENTERED] += try_placed(&p, ENTERED, 0) && try_placed(&p, ENTERED, 8);
	}
	if (n[JOINED] == 0 || (n[ENTERED] == 0 && !needs_first))
		fail_msg("%s: %u and %u placements were accepted", pairs[pair].name, n[JOINED], n[ENTERED]);
}

static void
test_pairs(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(pairs); i++)
		test_pair(i);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pairs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
