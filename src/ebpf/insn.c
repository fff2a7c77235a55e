/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The instruction table: insn.def as data, the row of an instruction word, and the evaluator of arithmetic and comparisons
 * that constant folder, verifier and interpreter share. Everything here is generated from the rows; nothing allocates.
 */
#include <endian.h>

#include "ebpf/ebpf.h"

static const struct insn_info insns[N_INSNS] = {
#define INSN(id_, name_, code_, select_, value_, shape_, group_, version_, format_) \
	[INSN_##id_] = { .name = name_, .format = format_, .group = group_, .version = version_, .shape = shape_, \
			 .id = INSN_##id_, .code = code_, .select = SELECT_##select_, .value = value_ },
#include "ebpf/insn.def"
};

/*
 * Opcode, selecting field and its value in one number, for a switch over the rows; two rows that could not be told
 * apart do not compile.
 */
#define KEY(code, select, value) ((uint64_t)(uint8_t)(code) | (uint64_t)(select) << 8 | (uint64_t)(uint32_t)(value) << 32)

static enum insn_id
id_of_key(uint64_t key)
{
	switch (key) {
#define INSN(id, name, code, select, value, shape, group, version, format) \
	case KEY(code, SELECT_##select, value): \
		return INSN_##id;
#include "ebpf/insn.def"
	default:
		return N_INSNS;
	}
}

const struct insn_info *
insn_info(const struct bpf_insn *insn)
{
	const int32_t values[N_SELECTS] = { 0, insn->off, insn->imm, insn->src_reg };

	for (int select = 0; select < N_SELECTS; select++) {
		enum insn_id id = id_of_key(KEY(insn->code, select, values[select]));

		if (id != N_INSNS)
			return &insns[id];
	}
	return NULL;
}

const struct insn_info *
insn_info_of(enum insn_id id)
{
	return &insns[id];
}

/* True if the row's format shows one of the directives in `letters`. */
static bool
format_has(const char *format, const char *letters)
{
	for (const char *p = format; *p; p++) {
		if (*p != '%')
			continue;
		p++;
		for (const char *l = letters; *l; l++)
			if (*p == *l)
				return true;
	}
	return false;
}

const char *
insn_reserved(const struct bpf_insn *insn)
{
	const struct insn_info *info = insn_info(insn);

	if (!info)
		return NULL;
	if (insn->dst_reg && !format_has(info->format, "dD"))
		return "dst";
	if (insn->src_reg && info->select != SELECT_SRC && !format_has(info->format, "sS"))
		return "src";
	if (insn->off && info->select != SELECT_OFF && !format_has(info->format, "oj"))
		return "off";
	if (insn->imm && info->select != SELECT_IMM && !format_has(info->format, "iuIJ"))
		return "imm";
	return NULL;
}

/* Second operand: the register's value, or the immediate with its sign extended. */
static uint64_t
second_operand(const struct bpf_insn *insn, uint64_t src)
{
	return BPF_SRC(insn->code) == BPF_X ? src : (uint64_t)(int64_t)insn->imm;
}

bool
insn_eval_alu(const struct bpf_insn *insn, uint64_t dst64, uint64_t src64, uint64_t *result)
{
	const struct insn_info *info = insn_info(insn);

	src64 = second_operand(insn, src64);
	switch (info ? info->id : N_INSNS) {
#define ALU(id, name, code, select, value, shape, group, version, format, type, expr) \
	case INSN_##id: { \
		type dst = (type)dst64, src = (type)src64; \
		(void)dst, (void)src; \
		*result = (type)(expr); \
		break; \
	}
#include "ebpf/insn.def"
	default:
		return false;
	}
	return true;
}

bool
insn_eval_jump(const struct bpf_insn *insn, uint64_t dst64, uint64_t src64)
{
	const struct insn_info *info = insn_info(insn);

	src64 = second_operand(insn, src64);
	switch (info ? info->id : N_INSNS) {
#define COND(id, name, code, select, value, shape, group, version, format, type, expr) \
	case INSN_##id: { \
		type dst = (type)dst64, src = (type)src64; \
		return expr; \
	}
#include "ebpf/insn.def"
	case INSN_JA:
	case INSN_JA32:
		return true;
	default:
		return false;
	}
}
