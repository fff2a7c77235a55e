/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * ktap-conformance-plugin: the user engine behind the interface of the public bpf_conformance suite, so that anybody can run it on us.
 *
 *     ktap-conformance-plugin ["HEX BYTES OF MEMORY"] [--interpret | --jit]  < hex bytes of the program, one line
 *
 * r1 is the address of the memory and r2 its length, both 0 without memory. Prints r0 in hex. The program is verified like every
 * other, by the rules of RFC 9669 where they differ from the kernel's. Helper 5 is the suite's own: it returns its argument, and if
 * that is 0, the program ends with 0. Calls by a register (callx) are permitted. Exit status: 0 fine, 1 the program was refused, 2 wrong usage.
 */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "vm/vm.h"

#define MEMORY_MAX (1u << 20)
#define INSNS_MAX (1u << 16)
#define HELPER_UNWIND 5

static int
fail(int status, const char *format, ...) PRINTF_LIKE(2, 3);

static int
fail(int status, const char *format, ...)
{
	va_list args;

	fputs("ktap-conformance-plugin: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	return status;
}

/* ---- hex ---------------------------------------------------------------------------------------------------- */

/* Bytes written as pairs of hex digits, white space between them or not. Returns how many, or -1: something else, or too many. */
static long
parse_hex(const char *s, uint8_t *bytes, size_t max)
{
	size_t n = 0;

	for (;; s += 2) {
		char pair[3] = { 0 };

		while (isspace((unsigned char)*s))
			s++;
		if (!*s)
			return (long)n;
		if (!isxdigit((unsigned char)s[0]) || !isxdigit((unsigned char)s[1]) || n == max)
			return -1;
		memcpy(pair, s, 2);
		bytes[n++] = (uint8_t)strtoul(pair, NULL, 16);
	}
}

/* ---- the program: a flat sequence of instructions becomes functions ------------------------------------------- */

struct flat {
	const struct bpf_insn *insns;
	uint32_t n;
	uint32_t *labels; /* one an instruction */
	bool *starts;     /* a function begins here */
	bool has_addresses; /* of functions */
};

static bool
is_local_call(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL;
}

static bool
is_address(const struct bpf_insn *insn)
{
	return insn_is_wide(insn) && insn->src_reg == BPF_PSEUDO_FUNC;
}

static bool
is_jump(const struct bpf_insn *insn)
{
	const struct insn_info *info = insn_info(insn);

	return info && (info->shape == SHAPE_JUMP || info->shape == SHAPE_COND);
}

static int64_t
target_of(const struct bpf_insn *insn, uint32_t pc)
{
	bool far = is_local_call(insn) || is_address(insn) || insn->code == (BPF_JMP32 | BPF_JA);

	return (int64_t)pc + 1 + (far ? insn->imm : insn->off);
}

/* Marks the beginnings of functions. False: a call or an address leads nowhere. */
static bool
find_functions(struct flat *flat)
{
	flat->starts[0] = true;
	for (uint32_t pc = 0; pc < flat->n; pc++) {
		const struct bpf_insn *insn = &flat->insns[pc];
		int64_t to = target_of(insn, pc);
		bool names_function = is_local_call(insn) || is_address(insn);

		if (names_function && (to < 0 || to >= flat->n))
			return false;
		if (names_function)
			flat->starts[to] = true;
		flat->has_addresses |= is_address(insn);
		pc += insn_is_wide(insn);
	}
	return true;
}

static uint32_t
func_at(const struct flat *flat, uint32_t pc)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < pc; i++)
		n += flat->starts[i];
	return n;
}

/* A jump within the function; one that leaves it stays as it is, for the verifier to refuse. */
static void
add_jump(struct code *code, const struct flat *flat, uint32_t pc, uint32_t start, uint32_t end)
{
	const struct bpf_insn *insn = &flat->insns[pc];
	int64_t to = target_of(insn, pc);

	if (to < start || to >= end) {
		code_emit(code, *insn);
		return;
	}
	code_jump(code, flat->labels[to]);
	/* A far jump of 32 bits reaches no further than a near one here: INSNS_MAX. */
	if (insn->code != (BPF_JMP32 | BPF_JA)) {
		code->insns[code->n - 1] = *insn;
		code->insns[code->n - 1].off = 0;
	}
}

/* r0 = r1; if r0 == 0 goto the program's end */
static void
add_unwind(struct code *code)
{
	uint32_t on = code_label(code);

	code_emit(code, insn_mov(0, 1));
	code_branch_imm(code, BPF_JNE, 0, 0, on);
	code_emit(code, insn_exit());
	code_bind(code, on);
}

/* Helper 5 by a register. An address cannot be compared with a number: where there are any, what is called is left to the engine. */
static void
add_callx(struct code *code, const struct flat *flat, const struct bpf_insn *insn)
{
	uint32_t other = code_label(code), end = code_label(code);

	if (!flat->has_addresses) {
		code_branch_imm(code, BPF_JNE, insn->dst_reg, HELPER_UNWIND, other);
		add_unwind(code);
		code_jump(code, end);
	}
	code_bind(code, other);
	code_emit(code, *insn);
	code_bind(code, end);
}

static void
add_insn(struct code *code, const struct flat *flat, uint32_t pc, uint32_t start, uint32_t end)
{
	const struct bpf_insn *insn = &flat->insns[pc];
	bool is_entry = !start;

	if (is_local_call(insn))
		code_call_func(code, func_at(flat, (uint32_t)target_of(insn, pc)));
	else if (is_address(insn))
		code_func_addr(code, insn->dst_reg, func_at(flat, (uint32_t)target_of(insn, pc)));
	else if (is_jump(insn))
		add_jump(code, flat, pc, start, end);
	else if (is_entry && insn->code == (BPF_JMP | BPF_CALL) && !insn->src_reg && insn->imm == HELPER_UNWIND)
		add_unwind(code);
	else if (is_entry && insn->code == (BPF_JMP | BPF_CALL | BPF_X))
		add_callx(code, flat, insn);
	else
		code_emit(code, *insn);
}

static struct func *
make_func(struct arena *arena, const struct flat *flat, uint32_t start, uint32_t end)
{
	struct code code;

	code_init(&code, arena);
	for (uint32_t pc = start; pc < end; pc++)
		flat->labels[pc] = code_label(&code);
	for (uint32_t pc = start; pc < end; pc++) {
		const struct bpf_insn *insn = &flat->insns[pc];

		code_bind(&code, flat->labels[pc]);
		add_insn(&code, flat, pc, start, end);
		if (insn_is_wide(insn) && pc + 1 < end) {
			code_bind(&code, flat->labels[++pc]);
			if (!is_address(insn)) /* of which both words are there */
				code_emit(&code, flat->insns[pc]);
		}
	}
	return code_finish(&code) ? NULL : func_from_code(&code, start ? "function" : "entry", ".text");
}

/* The object of the program. NULL: a call or a jump leads nowhere. */
static struct object *
make_object(struct arena *arena, const struct bpf_insn *insns, uint32_t n)
{
	struct flat flat = { .insns = insns, .n = n };
	struct object *object = object_new(arena, "program", NULL);

	flat.labels = arena_alloc(arena, n * sizeof(*flat.labels));
	flat.starts = arena_alloc(arena, n * sizeof(*flat.starts));
	if (!find_functions(&flat))
		return NULL;
	for (uint32_t start = 0, end; start < n; start = end) {
		struct func *func;

		for (end = start + 1; end < n && !flat.starts[end];)
			end++;
		func = make_func(arena, &flat, start, end);
		if (!func)
			return NULL;
		object_add_func(object, func);
	}
	return object;
}

/* ---- running --------------------------------------------------------------------------------------------------- */

static int
run(struct object *object, enum vm_exec exec, const void *memory, size_t len)
{
	struct vm_signature signature = { .policy = VM_POLICY_RFC, .callx = VM_CALLX_PERMITTED, .args = {
		{ len ? VM_ARG_MEM : VM_ARG_SCALAR, (uint32_t)len }, { VM_ARG_SCALAR, 0 },
	} };
	uint64_t args[5] = { len ? (uintptr_t)memory : 0, len };
	struct vm_program *program;
	struct text why = { 0 };
	struct vm *vm = vm_new(object, 1, &why);
	int err;

	if (!vm)
		return fail(1, "%s", why.s);
	vm_set_exec(vm, exec);
	program = vm_load(vm, object->funcs[0], &signature, &why, &err);
	if (!program)
		fail(1, "%s", why.s);
	else
		printf("%llx\n", (unsigned long long)vm_run(vm, program, NULL, args));
	text_fini(&why);
	vm_free(vm);
	return program ? 0 : 1;
}

static int
run_line(const char *line, enum vm_exec exec, const void *memory, size_t len)
{
	struct bpf_insn *insns = calloc(INSNS_MAX, sizeof(*insns));
	struct arena *arena = arena_new();
	long n = insns ? parse_hex(line, (uint8_t *)insns, INSNS_MAX * sizeof(*insns)) : -1;
	struct object *object;
	int status;

	if (n <= 0 || n % (long)sizeof(*insns)) {
		status = fail(2, "standard input: not the hex bytes of 1 to %u instructions of 8 bytes", INSNS_MAX);
	} else {
		object = make_object(arena, insns, (uint32_t)(n / (long)sizeof(*insns)));
		status = object ? run(object, exec, memory, len) : fail(1, "a jump or a call leads to no instruction");
	}
	arena_free(arena);
	free(insns);
	return status;
}

int
main(int argc, char **argv)
{
	enum vm_exec exec = VM_EXEC_AUTO;
	const char *hex = "";
	uint64_t *memory;
	char *line = NULL;
	size_t cap = 0;
	long len;
	int status;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--interpret") == 0)
			exec = VM_EXEC_INTERP;
		else if (strcmp(argv[i], "--jit") == 0)
			exec = VM_EXEC_JIT;
		else if (argv[i][0] == '-')
			return fail(2, "no option \"%s\": usage: ktap-conformance-plugin [\"HEX MEMORY\"] [--interpret | --jit]", argv[i]);
		else
			hex = argv[i];
	}
	memory = calloc(1, MEMORY_MAX);
	len = memory ? parse_hex(hex, (uint8_t *)memory, MEMORY_MAX) : -1;
	if (len < 0)
		status = fail(2, "the memory \"%.40s\" is not hex bytes, %u at most", hex, MEMORY_MAX);
	else if (getline(&line, &cap, stdin) < 0)
		status = fail(2, "no program on standard input");
	else
		status = run_line(line, exec, memory, (size_t)len);
	free(line);
	free(memory);
	return status;
}
