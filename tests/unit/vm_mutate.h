/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Programs with a few instructions changed at random. Most become wrong, in ways close to what is right, which is where a verifier errs.
 * What it still accepts is run with all the checks of vm_reference.h. KTAP_MUTATE_PROGRAMS and KTAP_MUTATE_SEED change how many and which.
 */
#ifndef VM_MUTATE_H
#define VM_MUTATE_H

#include "vm_random.h"

/* ---- changes ------------------------------------------------------------------------------------------------ */

static inline int16_t
near(int16_t off)
{
	static const int16_t steps[] = { 1, -1, 2, 4, -4, 8, -8, 16, -16 };

	return below(3) ? (int16_t)(off + steps[below(ARRAY_SIZE(steps))]) : (int16_t)(below(512) - 256);
}

static inline int32_t
near_imm(int32_t imm)
{
	return below(2) ? (int32_t)((uint32_t)imm + below(9) - 4) : small_imm();
}

static inline uint8_t
other_code(uint8_t code)
{
	uint8_t class = BPF_CLASS(code);

	if (class == BPF_ALU || class == BPF_ALU64 || class == BPF_JMP || class == BPF_JMP32)
		return below(2) ? (uint8_t)(code ^ (below(2) ? 3 : BPF_X)) : (uint8_t)(below(14) << 4 | (code & 15));
	return (uint8_t)((code & ~0x18) | random_size());
}

/* One instruction becomes another, or two change places. Words of wide instructions keep theirs. */
static inline void
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

static inline void
mutate(const struct object *object)
{
	for (uint32_t n = 1 + below(4); n; n--)
		change(object->funcs[below(3) ? 0 : below(object->n_funcs)]);
}

/* ---- tried ----------------------------------------------------------------------------------------------------- */

struct counts {
	uint64_t n, n_accepted, n_checked;
};

static inline void
try_program(const struct reference_program *program, struct counts *counts)
{
	uint64_t r3[2] = { random_value(), random_value() };

	counts->n++;
	counts->n_accepted += reference_try(program, r3, ARRAY_SIZE(r3), &counts->n_checked);
}

/* One of `share` parts of all programs. */
static inline void
test_mutated(void (*try)(uint64_t n, struct counts *counts), uint64_t share)
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

#endif
