/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Fuzz target: any bytes as a program. It is verified, and if accepted run by both interpreters with all the checks of
 * tests/unit/vm_reference.h. Input: 8 bytes r3; then instructions of 8 bytes. An instruction of opcode 0xfe ends the first function and
 * begins the one that local calls call. References of ld_imm64 to tables get their relocations from the immediate.
 *
 *     clang -fsanitize=fuzzer,address,undefined ... tests/fuzz/fuzz_verify.c     libFuzzer
 *     gcc -DFUZZ_REPLAY ... tests/fuzz/fuzz_verify.c && ./a.out FILES...          replays a corpus
 */
#include "../unit/vm_reference.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INSNS_MAX 256
#define FUNC_BREAK 0xfe

/* The relocation that an instruction asks for. */
static void
add_reloc(struct code *code, const struct bpf_insn *insn)
{
	uint32_t table = (uint32_t)insn->imm % ARRAY_SIZE(fixture_tables);

	if (insn_is_wide(insn) && insn->src_reg == BPF_PSEUDO_MAP_FD) {
		code_table(code, insn->dst_reg & 15, table);
	} else if (insn_is_wide(insn) && insn->src_reg == BPF_PSEUDO_MAP_VALUE) {
		code_table_value(code, insn->dst_reg & 15, table, (uint8_t)insn->off);
	} else if (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL) {
		code_call_func(code, 1);
	} else {
		code_emit(code, *insn);
		if (insn_is_wide(insn))
			code_emit(code, insn_make(0, 0, 0, 0, insn->off));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena;
	struct object *object;
	struct code code;
	struct bpf_insn insn;
	uint64_t r3, n_checked = 0;

	if (size < sizeof(r3) + sizeof(insn))
		return 0;
	arena = arena_new();
	object = fixture_object(arena);
	memcpy(&r3, data, sizeof(r3));
	code_init(&code, arena);
	for (size_t at = sizeof(r3); at + sizeof(insn) <= size && code.n < INSNS_MAX; at += sizeof(insn)) {
		memcpy(&insn, data + at, sizeof(insn));
		if (insn.code == FUNC_BREAK && !object->n_funcs && code.n) {
			object_add_func(object, func_from_code(&code, "entry", "raw_tp/test"));
			code_init(&code, arena);
		} else {
			add_reloc(&code, &insn);
		}
	}
	if (!code.n) /* there are no empty functions */
		code_emit(&code, insn_exit());
	object_add_func(object, func_from_code(&code, object->n_funcs ? "callee" : "entry", "raw_tp/test"));
	reference_try(&(struct reference_program){ object, object->funcs[0], &handler_signature, 0 }, &r3, 1, &n_checked);
	arena_free(arena);
	return 0;
}

#ifdef FUZZ_REPLAY
int
main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		FILE *file = fopen(argv[i], "rb");
		uint8_t data[8 + 8 * INSNS_MAX];
		size_t n;

		if (!file) {
			perror(argv[i]);
			return 3;
		}
		n = fread(data, 1, sizeof(data), file);
		fclose(file);
		LLVMFuzzerTestOneInput(data, n);
	}
	printf("%d inputs replayed\n", argc - 1);
	return 0;
}
#endif
