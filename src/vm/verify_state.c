/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * States of the verifier: registers and stack of every active frame, copies of them for branches not yet followed, and
 * checkpoints, which let a path end early where one that knew less went through before.
 *
 * A checkpoint stands for the states that it covers only once all paths below it were followed to their end: until then it is
 * open, and the path that is being followed came through it. Once it is finished it is also known what those paths read: a
 * register or slot that nobody read is not compared. Reads are noted going up the path, from checkpoint to checkpoint, until one
 * before which the thing was written. Of the numbers that were read, only those on whose value something rests are compared
 * (verify_precise.c).
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vm/vm_int.h"

struct pending {
	struct pending *next;
	struct state state;
};

/* ---- frames ------------------------------------------------------------------------------------------- */

static size_t
frame_size(uint32_t n_slots)
{
	return sizeof(struct frame) + n_slots * sizeof(struct slot);
}

static bool
no_memory(struct verifier *v)
{
	return refuse(v, -ENOMEM, "out of memory while verifying");
}

struct frame *
frame_top(struct verifier *v)
{
	return v->state.frames[v->state.n_frames - 1];
}

/* The frame at this depth of the path that is followed. There is one for each depth, with room for all slots, made at its first use. */
static struct frame *
frame_at(struct verifier *v, uint32_t depth)
{
	if (!v->frames[depth])
		v->frames[depth] = mem_alloc(frame_size(VM_SLOTS));
	if (!v->frames[depth])
		no_memory(v);
	return v->frames[depth];
}

bool
frame_push(struct verifier *v, const struct func *func, uint32_t return_pc)
{
	struct frame *frame = frame_at(v, v->state.n_frames);

	if (!frame)
		return false;
	*frame = (struct frame){ .func = func, .info = func_info_seen(v, func), .return_pc = return_pc };
	/* What an earlier function left at this depth is not what this one reads. */
	frame->written_regs = UINT16_MAX;
	frame->written_slots = UINT64_MAX;
	frame->regs[10] = (struct reg){ .kind = REG_STACK, .index = v->state.n_frames, .s = scalar_const(0) };
	v->state.frames[v->state.n_frames++] = frame;
	return true;
}

void
frame_pop(struct verifier *v)
{
	v->state.n_frames--;
}

struct slot *
slot_at(struct frame *frame, uint32_t index)
{
	if (frame->n_slots <= index) {
		memset(&frame->slots[frame->n_slots], 0, (index + 1 - frame->n_slots) * sizeof(struct slot));
		frame->n_slots = index + 1;
	}
	return &frame->slots[index];
}

/* ---- states that are kept ------------------------------------------------------------------------------ */

static void
kept_free(struct state *kept)
{
	while (kept->n_frames)
		free(kept->frames[--kept->n_frames]);
}

/* The same, and it does not count any more. */
static void
kept_drop(struct verifier *v, struct state *kept)
{
	for (uint32_t i = 0; i < kept->n_frames; i++)
		v->bytes -= frame_size(kept->frames[i]->n_slots);
	kept_free(kept);
}

/* Keeps a copy of the state. False: refused, and there is nothing to free. */
static bool
state_keep(struct verifier *v, struct state *kept)
{
	*kept = v->state;
	for (kept->n_frames = 0; kept->n_frames < v->state.n_frames; kept->n_frames++) {
		const struct frame *frame = v->state.frames[kept->n_frames];
		size_t size = frame_size(frame->n_slots);
		struct frame *copy = mem_realloc(NULL, size); /* all of it is written */

		if (!copy) {
			kept_free(kept);
			return no_memory(v);
		}
		memcpy(copy, frame, size);
		kept->frames[kept->n_frames] = copy;
		v->bytes += size;
	}
	return true;
}

/* The path goes on from a state that was kept. False: refused. */
static bool
state_take_up(struct verifier *v, const struct state *kept)
{
	v->state = *kept;
	for (uint32_t i = 0; i < kept->n_frames; i++) {
		struct frame *frame = frame_at(v, i);

		if (!frame)
			return false;
		memcpy(frame, kept->frames[i], frame_size(kept->frames[i]->n_slots));
		v->state.frames[i] = frame;
	}
	return true;
}

void
state_each_reg(struct state *state, void (*fn)(struct reg *reg, uint16_t loc, void *arg), void *arg)
{
	for (uint32_t f = 0; f < state->n_frames; f++) {
		struct frame *frame = state->frames[f];

		for (uint32_t i = 0; i < ARRAY_SIZE(frame->regs); i++)
			fn(&frame->regs[i], loc_reg(f, i), arg);
		for (uint32_t i = 0; i < frame->n_slots; i++) {
			struct slot *slot = &frame->slots[i];

			if (!slot->spilled)
				continue;
			fn(&slot->reg, loc_slot(f, i), arg);
			if (slot->reg.kind == REG_UNSET)
				*slot = (struct slot){ 0 };
		}
	}
}

/* ---- who reads what ---------------------------------------------------------------------------------------- */

void
mark_reg_read(struct verifier *v, uint32_t frame, uint32_t regno)
{
	uint16_t bit = (uint16_t)(1u << regno);

	if (v->state.frames[frame]->written_regs & bit)
		return;
	for (struct checkpoint *cp = v->state.parent; cp && frame < cp->state.n_frames; cp = cp->state.parent) {
		struct frame *f = cp->state.frames[frame];

		if (f->live_regs & bit)
			return;
		f->live_regs |= bit;
		if (f->written_regs & bit)
			return;
	}
}

void
mark_slot_read(struct verifier *v, uint32_t frame, uint32_t slot)
{
	uint64_t bit = 1ull << slot;

	if (v->state.frames[frame]->written_slots & bit)
		return;
	for (struct checkpoint *cp = v->state.parent; cp && frame < cp->state.n_frames; cp = cp->state.parent) {
		struct frame *f = cp->state.frames[frame];

		if (f->live_slots & bit)
			return;
		f->live_slots |= bit;
		if (f->written_slots & bit)
			return;
	}
}

struct reg *
reg_read(struct verifier *v, uint32_t regno)
{
	struct reg *reg = &frame_top(v)->regs[regno];

	if (reg->kind == REG_UNSET) {
		refuse(v, -EACCES,
		       reg->ref ? "reads r%u, whose record was submitted or discarded before, or whose dynptr was overwritten" :
				  "reads r%u, which has no value here",
		       (unsigned)regno);
		return NULL;
	}
	mark_reg_read(v, v->state.n_frames - 1, regno);
	return reg;
}

struct reg *
reg_write(struct verifier *v, uint32_t regno)
{
	struct frame *frame = frame_top(v);

	frame->written_regs |= (uint16_t)(1u << regno);
	return &frame->regs[regno];
}

const struct table *
reg_table(const struct verifier *v, uint32_t index)
{
	return index < v->object->n_tables ? v->object->tables[index] : v->object->tables[index - v->object->n_tables]->element;
}

void
reg_set_scalar(struct reg *reg, struct scalar s)
{
	*reg = (struct reg){ .kind = REG_SCALAR, .s = s };
}

/* ---- branches not yet followed --------------------------------------------------------------------------------- */

bool
state_push(struct verifier *v, uint32_t pc)
{
	struct pending *pending = mem_alloc(sizeof(*pending));

	if (!pending)
		return no_memory(v);
	if (!state_keep(v, &pending->state)) {
		free(pending);
		return false;
	}
	pending->state.pc = pc;
	pending->next = v->pending;
	v->pending = pending;
	if (v->state.parent)
		v->state.parent->n_paths++;
	return true;
}

bool
state_pop(struct verifier *v)
{
	struct pending *pending = v->pending;
	bool ok;

	v->state.n_frames = 0;
	if (!pending)
		return false;
	v->pending = pending->next;
	ok = state_take_up(v, &pending->state);
	kept_drop(v, &pending->state);
	free(pending);
	return ok;
}

static struct checkpoints *
checkpoints_at(const struct state *state)
{
	return &state->frames[state->n_frames - 1]->info->checkpoints[state->pc];
}

/* The branch kept last is followed first, so of the open checkpoints of an instruction the newest is the first to be finished. */
static void
checkpoint_finish(struct checkpoint *cp)
{
	struct checkpoints *here = checkpoints_at(&cp->state);

	assert(here->open == cp);
	here->open = cp->next;
	cp->next = here->finished;
	here->finished = cp;
}

void
path_end(struct verifier *v)
{
	for (struct checkpoint *cp = v->state.parent; cp && --cp->n_paths == 0; cp = cp->state.parent)
		checkpoint_finish(cp);
	v->state.parent = NULL;
}

void
state_free_all(struct verifier *v)
{
	for (struct pending *pending = v->pending, *next; pending; pending = next) {
		next = pending->next;
		kept_free(&pending->state);
		free(pending);
	}
	v->pending = NULL;
	for (struct checkpoint *cp = v->checkpoints; cp; cp = cp->all)
		kept_free(&cp->state);
	v->checkpoints = NULL;
	for (uint32_t i = 0; i < VM_FRAMES_MAX; i++)
		free(v->frames[i]);
}

/* ---- does an older state cover this one? ------------------------------------------------------------------------- */

/* Ids differ from path to path; what counts is that those equal in the old state are equal in the new one, and apart stay apart. */
struct id_map {
	uint32_t n, n_singles;
	struct { uint32_t old, cur; } pairs[VM_FRAMES_MAX * (11 + VM_SLOTS)];
};

static bool
ids_match(struct id_map *map, uint32_t old, uint32_t cur)
{
	if (!old)
		return true;
	if (!cur) /* a copy of nothing else: an id of its own, out of the way of the real ones */
		cur = UINT32_MAX - map->n_singles++;
	for (uint32_t i = 0; i < map->n; i++) {
		if (map->pairs[i].old == old)
			return map->pairs[i].cur == cur;
		if (map->pairs[i].cur == cur)
			return false;
	}
	if (map->n == ARRAY_SIZE(map->pairs))
		return false;
	map->pairs[map->n].old = old;
	map->pairs[map->n++].cur = cur;
	return true;
}

/* What is compared of two states. */
enum depth {
	DEPTH_NEEDED, /* what was read; of numbers only those that something rests on */
	DEPTH_READ,   /* what was read */
	DEPTH_ALL,
};

/* precise: the value matters if it is a number; else any number will do. */
static bool
reg_covers(const struct reg *old, const struct reg *cur, struct id_map *map, bool precise)
{
	if (old->kind == REG_UNSET)
		return true;
	if (old->kind == REG_SCALAR && !precise)
		return cur->kind == REG_SCALAR;
	if (old->kind != cur->kind || old->nullable != cur->nullable || (old->off != cur->off && (old->kind != REG_SCALAR || old->id)) || old->index != cur->index ||
	    old->size != cur->size || !old->ref != !cur->ref)
		return false;
	if (!scalar_covers(&old->s, &cur->s) || !ids_match(map, old->ref, cur->ref))
		return false;
	if (old->kind == REG_VALUE && !old->id != !cur->id)
		return false;
	return ids_match(map, old->id, cur->id);
}

static bool
slot_covers(const struct slot *old, const struct slot *cur, struct id_map *map, bool precise)
{
	struct reg held = { .kind = REG_SCALAR };

	if (old->init & ~cur->init)
		return false;
	if (old->init && old->spilled < 8 && cur->spilled && cur->reg.kind != REG_SCALAR)
		return false;
	if (!old->spilled)
		return true;
	if (cur->spilled < old->spilled)
		held.s = scalar_loaded(old->spilled, false);
	else
		held = old->spilled == 4 ? reg_low_half(&cur->reg) : cur->reg;
	return reg_covers(&old->reg, &held, map, precise);
}

static bool
frame_covers(const struct frame *old, const struct frame *cur, struct id_map *map, enum depth depth)
{
	static const struct slot empty;
	uint16_t regs = depth == DEPTH_ALL ? UINT16_MAX : old->live_regs;
	uint64_t slots = depth == DEPTH_ALL ? UINT64_MAX : old->live_slots;
	uint16_t precise_regs = depth == DEPTH_NEEDED ? old->precise[PRECISE_COMPARED].regs : UINT16_MAX;
	uint64_t precise_slots = depth == DEPTH_NEEDED ? old->precise[PRECISE_COMPARED].slots : UINT64_MAX;

	if (old->func != cur->func || old->return_pc != cur->return_pc || old->n_calls_back > cur->n_calls_back)
		return false;
	for (uint32_t i = 0; i < ARRAY_SIZE(old->regs); i++)
		if (regs >> i & 1 && !reg_covers(&old->regs[i], &cur->regs[i], map, precise_regs >> i & 1))
			return false;
	for (uint32_t i = 0; i < old->n_slots; i++)
		if (slots >> i & 1 &&
		    !slot_covers(&old->slots[i], i < cur->n_slots ? &cur->slots[i] : &empty, map, precise_slots >> i & 1))
			return false;
	return true;
}

static bool
lock_covers(const struct held_lock *old, const struct held_lock *cur, struct id_map *map)
{
	if (!old->held || !cur->held)
		return old->held == cur->held;
	return old->table == cur->table && !old->id == !cur->id && ids_match(map, old->id, cur->id);
}

static bool
state_covers(const struct state *old, const struct state *cur, enum depth depth)
{
	struct id_map map;

	map.n = map.n_singles = 0;
	if (old->n_frames != cur->n_frames || old->n_refs != cur->n_refs)
		return false;
	for (uint32_t i = 0; i < old->n_refs; i++)
		if (!ids_match(&map, old->refs[i], cur->refs[i]))
			return false;
	if (!lock_covers(&old->lock, &cur->lock, &map))
		return false;
	for (uint32_t i = 0; i < old->n_frames; i++)
		if (!frame_covers(old->frames[i], cur->frames[i], &map, depth))
			return false;
	return true;
}

/* What the old paths read, this one would have read. */
static void
inherit_reads(struct verifier *v, const struct state *old)
{
	for (uint32_t f = 0; f < old->n_frames; f++) {
		for (uint32_t i = 0; i < ARRAY_SIZE(old->frames[f]->regs); i++)
			if (old->frames[f]->live_regs >> i & 1)
				mark_reg_read(v, f, i);
		for (uint32_t i = 0; i < VM_SLOTS; i++)
			if (old->frames[f]->live_slots >> i & 1)
				mark_slot_read(v, f, i);
	}
}

/* What the paths from an unfinished state read is not yet known: all that there is. */
static void
inherit_all_reads(struct verifier *v, const struct state *old)
{
	for (uint32_t f = 0; f < old->n_frames; f++) {
		for (uint32_t i = 0; i < ARRAY_SIZE(old->frames[f]->regs); i++)
			if (old->frames[f]->regs[i].kind != REG_UNSET)
				mark_reg_read(v, f, i);
		for (uint32_t i = 0; i < old->frames[f]->n_slots; i++)
			if (old->frames[f]->slots[i].init)
				mark_slot_read(v, f, i);
	}
}

/* ---- checkpoints ------------------------------------------------------------------------------------------------- */

/* Fewer instructions than this between two checkpoints are not worth one. */
#define CHECKPOINT_DISTANCE 8

/* So many of the open checkpoints of an instruction are compared, the newest ones. */
#define OPEN_COMPARED 4

static bool
checkpoint_add(struct verifier *v, struct checkpoint **open)
{
	struct checkpoint *cp = arena_alloc(v->arena, sizeof(*cp));

	if (!state_keep(v, &cp->state))
		return false;
	for (uint32_t i = 0; i < cp->state.n_frames; i++) {
		cp->state.frames[i]->live_regs = 0;
		cp->state.frames[i]->live_slots = 0;
		memset(cp->state.frames[i]->precise, 0, sizeof(cp->state.frames[i]->precise));
		v->state.frames[i]->written_regs = 0;
		v->state.frames[i]->written_slots = 0;
	}
	v->bytes_kept += sizeof(*cp);
	cp->n_paths = 1;
	cp->next = *open;
	*open = cp;
	cp->all = v->checkpoints;
	v->checkpoints = cp;
	v->state.parent = cp;
	v->n_insns_checkpoint = v->n_insns;
	return true;
}

bool
checkpoint_is_here(const struct verifier *v, const struct checkpoint *cp)
{
	uint32_t n = v->state.n_frames;

	return cp->state.pc == v->state.pc && cp->state.n_frames == n && cp->state.frames[n - 1]->func == v->state.frames[n - 1]->func;
}

/* Does the checkpoint stand before a round of the helper's call that this path is in, not of one that it came through before? */
static bool
is_of_this_call(const struct verifier *v, const struct checkpoint *cp)
{
	for (const struct checkpoint *up = v->state.parent; up; up = up->state.parent) {
		if (up == cp)
			return true;
		if (up->begins_call && checkpoint_is_here(v, up))
			return false;
	}
	return false;
}

/* An open checkpoint: this path came through it. 1, 0, -1 as state_visit. */
static int
visit_open(struct verifier *v, const struct checkpoint *cp, bool came_back)
{
	if (!state_covers(&cp->state, &v->state, DEPTH_ALL))
		return 0;
	if (came_back && is_of_this_call(v, cp)) {
		/* A helper ends by itself, however often it calls back, and what it may find the next time was seen. */
		inherit_all_reads(v, &cp->state);
		rely_on_all(v, &cp->state);
		return 1;
	}
	if (!state_covers(&v->state, &cp->state, DEPTH_ALL))
		return 0;
	refuse(v, -EACCES, "a loop that never ends: it comes back here with nothing changed");
	return -1;
}

/*
 * A loop that never ends is refused at once where the newest few rounds show it, and else it is too complex in the end: to compare
 * more of them would cost long loops the square of their rounds. Of the rounds of a helper all are compared, since it is there that
 * their paths end.
 */
static int
visit_all_open(struct verifier *v, const struct checkpoint *open, bool calls_back, bool came_back)
{
	uint32_t n = 0;
	int known = 0;

	for (; open && !known && (calls_back || n < OPEN_COMPARED); open = open->next, n++)
		known = visit_open(v, open, came_back);
	v->n_compared += n;
	return known;
}

/* Does a finished checkpoint cover this state? */
static bool
visit_finished(struct verifier *v, struct checkpoint *cp)
{
	enum depth depth = v->watch->pruning == PRUNE_EXACT ? DEPTH_READ : DEPTH_NEEDED;

	if (v->watch->pruning == PRUNE_NONE || !state_covers(&cp->state, &v->state, depth))
		return false;
	cp->hits++;
	inherit_reads(v, &cp->state);
	rely_on_same(v, &cp->state);
	return true;
}

/*
 * One that never helps is only in the way, and is dropped (the measure is the kernel's): so there are not many more comparisons than
 * paths and checkpoints. Open ones are not judged, since they cannot help yet. A path through a loop comes by those of all rounds
 * before, and is covered by none; its branches are followed from the last round to the first, and each first comes upon the
 * checkpoint of its own round, which was finished just before. What is dropped, and which is asked first, is never a question of
 * soundness: a path ends only at one that is finished, or at the call of a helper.
 */
static bool
visit_all_finished(struct verifier *v, struct checkpoint **link)
{
	for (struct checkpoint *cp; (cp = *link);) {
		if (visit_finished(v, cp))
			return true;
		if (++cp->misses > cp->hits * 3 + 3) {
			*link = cp->next;
			kept_drop(v, &cp->state);
		} else {
			link = &cp->next;
		}
	}
	return false;
}

int
state_visit(struct verifier *v)
{
	struct checkpoints *here = checkpoints_at(&v->state);
	uint32_t distance = v->watch->distance ? v->watch->distance : CHECKPOINT_DISTANCE;
	bool calls_back = frame_top(v)->info->marks[v->state.pc] & MARK_CALLS_BACK, came_back = v->state.came_back;
	int known;

	v->state.came_back = false;
	if (v->watch->pruning == PRUNE_NONE && !calls_back)
		return 0;
	if (visit_all_finished(v, &here->finished))
		return 1;
	if (!calls_back && v->n_insns - v->n_insns_checkpoint < distance)
		return 0;
	known = visit_all_open(v, here->open, calls_back, came_back);
	if (known)
		return known;
	if (!checkpoint_add(v, &here->open))
		return -1;
	here->open->begins_call = calls_back && !came_back;
	return 0;
}
