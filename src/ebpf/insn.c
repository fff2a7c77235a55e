/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The instruction table: insn.def as data, the row of an instruction word, and the evaluator of arithmetic and comparisons
 * that constant folder, verifier and interpreter share. Everything here is generated from the rows; nothing allocates.
 */
#include <endian.h>
#include <string.h>

#include "ebpf/ebpf.h"

static const struct insn_info insns[N_INSNS] = {
#define INSN(id_, name_, code_, select_, value_, shape_, group_, version_, format_) \
	[INSN_##id_] = { .name = name_, .format = format_, .group = group_, .version = version_, .shape = shape_, \
			 .id = INSN_##id_, .code = code_, .select = SELECT_##select_, .value = value_ },
#include "ebpf/insn.def"
};

/* Of opcodes that are one instruction whatever the other fields hold, as most are: 1 + its id. */
static const uint8_t id_of_code[256] = {
#define ID_IF_ANY(code, id) [code] = 1 + (id),
#define ID_IF_OFF(code, id)
#define ID_IF_IMM(code, id)
#define ID_IF_SRC(code, id)
#define INSN(id, name, code, select, value, shape, group, version, format) ID_IF_##select(code, INSN_##id)
#include "ebpf/insn.def"
};

_Static_assert(N_INSNS < UINT8_MAX, "ids, and one more, fit into bytes");

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

	if (id_of_code[insn->code])
		return &insns[id_of_code[insn->code] - 1];
	for (int select = SELECT_ANY + 1; select < N_SELECTS; select++) {
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

enum { FIELD_DST = 1, FIELD_SRC = 2, FIELD_OFF = 4, FIELD_IMM = 8 };

/* The fields that a row's format shows. */
static unsigned
fields_shown(const char *format)
{
	unsigned shown = 0;

	for (const char *p = strchr(format, '%'); p; p = strchr(p + 2, '%')) {
		switch (p[1]) {
		case 'd':
		case 'D':
			shown |= FIELD_DST;
			break;
		case 's':
		case 'S':
			shown |= FIELD_SRC;
			break;
		case 'o':
		case 'j':
			shown |= FIELD_OFF;
			break;
		case 'i':
		case 'u':
		case 'I':
		case 'J':
			shown |= FIELD_IMM;
			break;
		}
	}
	return shown;
}

const char *
insn_reserved(const struct bpf_insn *insn)
{
	static const unsigned selecting[N_SELECTS] = { [SELECT_OFF] = FIELD_OFF, [SELECT_IMM] = FIELD_IMM, [SELECT_SRC] = FIELD_SRC };
	const struct insn_info *info = insn_info(insn);
	unsigned used;

	if (!info)
		return NULL;
	used = fields_shown(info->format) | selecting[info->select];
	if (insn->dst_reg && !(used & FIELD_DST))
		return "dst";
	if (insn->src_reg && !(used & FIELD_SRC))
		return "src";
	if (insn->off && !(used & FIELD_OFF))
		return "off";
	if (insn->imm && !(used & FIELD_IMM))
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
