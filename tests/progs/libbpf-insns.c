/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * libbpf-insns OBJECT [BTF]: loads an object's programs by libbpf, fitted to the types in BTF (a file; without it the running kernel's), and prints
 * the instructions that the kernel was given, a line each: program, number, opcode, registers, offset, constant.
 */
#include <bpf/libbpf.h>
#include <stdio.h>

int
main(int argc, char **argv)
{
	LIBBPF_OPTS(bpf_object_open_opts, options, .btf_custom_path = argc > 2 ? argv[2] : NULL);
	struct bpf_object *object = argc > 1 ? bpf_object__open_file(argv[1], &options) : NULL;
	struct bpf_program *program;

	if (!object || bpf_object__load(object))
		return 1;
	bpf_object__for_each_program(program, object)
		for (size_t i = 0; i < bpf_program__insn_cnt(program); i++) {
			const struct bpf_insn *insn = &bpf_program__insns(program)[i];
			int is_table = insn->code == 0x18 && insn->src_reg; /* its number is a descriptor's */

			printf("%s %zu %02x r%u r%u %d %d\n", bpf_program__name(program), i, insn->code, insn->dst_reg, insn->src_reg, insn->off,
			       is_table ? 0 : insn->imm);
		}
	bpf_object__close(object);
	return 0;
}
