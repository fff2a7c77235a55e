/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Jumps that are too far for the 16 bits of their offset (RFC 9669, section 4.3), or nearly so, go over islands: places in the code, some thousand
 * instructions apart, with jumps that lead on, one for each label that some far jump wants. Every kernel knows these jumps (the long
 * ones came with version 4 of the instruction set, Linux 6.6).
 *
 *     ...
 *     if r0 == 0 goto +20000  ---+         a label 60,000 instructions on
 *     ...                        |
 *     goto over                  |         (not behind a jump: nothing comes here by itself then)
 *     goto +30000  <-------------+  ---+
 *  over:                               |
 *     ...                              |
 *     goto +10000  <-------------------+
 *
 * Needs: a finished list of instructions whose jumps name labels. Leaves: the same with islands in it, all its places moved, each jump
 * within its distance of where it leads.
 */
#include <errno.h>
#include <string.h>

#include "ebpf/ebpf_int.h"

#define DISTANCE 8000 /* instructions between islands; the rest of JUMP_REACH is for the islands themselves */
#define NONE UINT32_MAX

struct island {
	uint32_t pc;        /* stands before this instruction of the original code */
	bool guarded;       /* begins with a jump over itself */
	uint32_t *entry;    /* by label: its entry here, NONE: no jump for it */
	uint32_t *labels;   /* by entry */
	uint32_t n_entries, cap_entries;
	uint32_t start;     /* in the new code */
};

struct islands {
	struct code *code;
	struct island *islands;
	uint32_t n;
	bool grown;
};

static bool
falls_through(const struct bpf_insn *insn)
{
	return insn->code != (BPF_JMP | BPF_JA) && insn->code != (BPF_JMP | BPF_EXIT);
}

static uint32_t
island_size(const struct island *island)
{
	return island->n_entries ? island->guarded + island->n_entries : 0;
}

/* An island each DISTANCE instructions, never inside a wide one. */
static void
place_islands(struct islands *all)
{
	const struct code *code = all->code;
	uint32_t last = 0;

	all->islands = arena_alloc(code->arena, (code->n / DISTANCE + 1) * sizeof(*all->islands));
	for (uint32_t pc = 0; pc < code->n; pc++) {
		if (pc - last >= DISTANCE) {
			struct island *island = &all->islands[all->n++];

			island->pc = last = pc;
			island->guarded = falls_through(&code->insns[pc - 1]);
			island->entry = arena_alloc(code->arena, code->n_labels * sizeof(*island->entry));
			memset(island->entry, 0xff, code->n_labels * sizeof(*island->entry));
		}
		if (insn_is_wide(&code->insns[pc]))
			pc++;
	}
}

/* Where the islands begin, from their sizes now. */
static void
lay_out(struct islands *all)
{
	uint32_t moved = 0;

	for (uint32_t i = 0; i < all->n; i++) {
		all->islands[i].start = all->islands[i].pc + moved;
		moved += island_size(&all->islands[i]);
	}
}

/* How many islands stand before an instruction of the original code. */
static uint32_t
islands_before(const struct islands *all, uint32_t pc)
{
	uint32_t low = 0, high = all->n;

	while (low < high) {
		uint32_t middle = (low + high) / 2;

		if (all->islands[middle].pc <= pc)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static uint32_t
new_pc(const struct islands *all, uint32_t pc)
{
	uint32_t n = islands_before(all, pc);

	return n ? pc - all->islands[n - 1].pc + all->islands[n - 1].start + island_size(&all->islands[n - 1]) : pc;
}

static bool
reaches(uint32_t from, uint32_t to)
{
	int64_t off = (int64_t)to - from - 1;

	return off <= JUMP_REACH && off >= -JUMP_REACH;
}

static void
add_entry(struct islands *all, struct island *island, uint32_t label)
{
	if (island->entry[label] != NONE)
		return;
	island->labels = arena_grow(all->code->arena, island->labels, island->n_entries, &island->cap_entries, sizeof(*island->labels));
	island->labels[island->n_entries] = label;
	island->entry[label] = island->n_entries++;
	all->grown = true;
}

static uint32_t
entry_pc(const struct island *island, uint32_t label)
{
	return island->start + island->guarded + island->entry[label];
}

/*
 * Where a jump at `from` (in the new code; `before` islands stand before it) goes to, on its way to the label: the label, or the farthest island
 * within reach in its direction, which gets an entry. NONE: there is none.
 */
static uint32_t
next_stop(struct islands *all, uint32_t from, uint32_t before, uint32_t label)
{
	uint32_t to = new_pc(all, all->code->labels[label]);
	struct island *best = NULL;

	if (reaches(from, to))
		return to;
	if (to > from) {
		for (uint32_t i = before; i < all->n && reaches(from, all->islands[i].start + island_size(&all->islands[i]) + 1); i++)
			best = &all->islands[i];
	} else {
		for (uint32_t i = before; i-- > 0 && reaches(from, all->islands[i].start);)
			best = all->islands[i].start < from ? &all->islands[i] : best;
	}
	if (!best)
		return NONE;
	add_entry(all, best, label);
	return entry_pc(best, label);
}

/* The next stop of an entry of an island. */
static uint32_t
entry_stop(struct islands *all, const struct island *island, uint32_t entry)
{
	uint32_t label = island->labels[entry], pc = island->start + island->guarded + entry, before = (uint32_t)(island - all->islands);

	/* Of the islands, those behind this one when it goes on, those in front of it when it goes back. */
	return next_stop(all, pc, before + (new_pc(all, all->code->labels[label]) > pc), label);
}

static uint32_t
jump_stop(struct islands *all, const struct fixup *fixup)
{
	return next_stop(all, new_pc(all, fixup->pc), islands_before(all, fixup->pc), fixup->label);
}

/* Makes all entries. Each lengthens its island and moves what stands behind it, so that in the end some may not be needed; these lead on, too. */
static int
route_all(struct islands *all)
{
	do {
		all->grown = false;
		lay_out(all);
		for (uint32_t i = 0; i < all->code->n_fixups; i++)
			if (jump_stop(all, &all->code->fixups[i]) == NONE)
				return -ERANGE;
		for (uint32_t i = 0; i < all->n; i++)
			for (uint32_t entry = 0; entry < all->islands[i].n_entries; entry++)
				if (entry_stop(all, &all->islands[i], entry) == NONE)
					return -ERANGE;
	} while (all->grown);
	return 0;
}

/* ---- the new code ---- */

static void
write_island(struct islands *all, const struct island *island, struct bpf_insn *insns, struct span *spans)
{
	uint32_t pc = island->start;

	for (uint32_t i = 0; i < island_size(island); i++) {
		insns[pc + i] = insn_make(BPF_JMP | BPF_JA, 0, 0, 0, 0);
		spans[pc + i] = all->code->spans[island->pc];
	}
	if (island->n_entries && island->guarded)
		insns[pc++].off = (int16_t)island->n_entries;
	for (uint32_t i = 0; i < island->n_entries; i++, pc++)
		insns[pc].off = (int16_t)(entry_stop(all, island, i) - pc - 1);
}

/* All that names an instruction by its place: struct code has no other lists of such. */
static void
move_places(struct islands *all)
{
	struct code *code = all->code;

	for (uint32_t i = 0; i < code->n_fixups; i++)
		code->fixups[i].pc = new_pc(all, code->fixups[i].pc);
	for (uint32_t i = 0; i < code->n_relocs; i++)
		code->relocs[i].pc = new_pc(all, code->relocs[i].pc);
	for (uint32_t i = 0; i < code->n_patches; i++)
		code->patches[i].pc = new_pc(all, code->patches[i].pc);
	for (uint32_t i = 0; i < code->n_cores; i++)
		code->cores[i].pc = new_pc(all, code->cores[i].pc);
	for (uint32_t i = 0; i < code->n_labels; i++)
		if (code->labels[i] != UNBOUND)
			code->labels[i] = new_pc(all, code->labels[i]);
}

static void
write_code(struct islands *all)
{
	struct code *code = all->code;
	uint32_t n = new_pc(all, code->n);
	struct bpf_insn *insns = arena_alloc(code->arena, n * sizeof(*insns));
	struct span *spans = arena_alloc(code->arena, n * sizeof(*spans));

	for (uint32_t pc = 0; pc < code->n; pc++) {
		insns[new_pc(all, pc)] = code->insns[pc];
		spans[new_pc(all, pc)] = code->spans[pc];
	}
	for (uint32_t i = 0; i < all->n; i++)
		write_island(all, &all->islands[i], insns, spans);
	for (uint32_t i = 0; i < code->n_fixups; i++) {
		uint32_t from = new_pc(all, code->fixups[i].pc);

		insns[from].off = (int16_t)(jump_stop(all, &code->fixups[i]) - from - 1);
	}
	move_places(all);
	code->insns = insns;
	code->spans = spans;
	code->n = code->cap = code->cap_spans = n;
}

int
code_add_islands(struct code *code)
{
	struct islands all = { .code = code };
	int err;

	place_islands(&all);
	err = route_all(&all);
	if (err == 0)
		write_code(&all);
	return err;
}
