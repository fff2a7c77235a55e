/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Which numbers matter: the verdict on a path rests on the values of few numbers only (those added to addresses, sizes, those that
 * decided a branch so that its other way was never looked at). A checkpoint has to compare these alone with the state that
 * comes later; for any other number any number does. Without that, each `if` that sets a variable would double the paths.
 *
 * Each path keeps its trail: what every instruction computed from what, newest first, the older part shared between paths.
 *
 *     r6 = r7          DEFINES  r6 <- r7
 *     r6 += r3         DEFINES  r6 <- r6, r3
 *     r0 = call ...    DEFINES  r0 <-
 *     if r6 < r7       TIES     r6, r7 and all copies of either: what is known of one now rests on what was known of all
 *
 * Where the verifier relies on a number, the trail is followed back and the places that the number was computed from are marked
 * precise in each checkpoint passed, up to where it came from nothing, or to a checkpoint in which the place is marked already: then
 * all before it was done at that time. What the trail says is only ever too much, so too much is marked, never too little.
 *
 * Where a helper's round ends at a checkpoint whose paths are still followed, what they rest on is not yet known, and all numbers are marked as to be
 * compared (rely_on_all). What is forgotten of a round (verify_callback.c) goes by what is really relied on, which is noted apart: else one round that
 * ends so would have the next ones looked at one by one.
 *
 * Why this is sound: take a finished checkpoint and a later state whose precise numbers, addresses, references and kinds of slots
 * it covers. A run from the later state goes ways that were followed from the checkpoint (a branch not followed both ways rests on
 * precise numbers), and wherever a number is relied on it is, step by step along the trail, within what was known of it there.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vm/vm_int.h"

/* One step of the trail. There is about one an instruction looked at, so they stand in one piece of memory and name each other by their place in it. */
struct trail {
	uint32_t prev;   /* 0: none */
	uint16_t n;
	bool ties;       /* all of locs depend on each other; else locs[0] was set from the others */
	uint16_t locs[];
};

_Static_assert(VM_STATE_BYTES_MAX <= UINT32_MAX / 4, "places of trails, and what is set aside for them, fit into 32 bits");

/* ---- places: frame << 7 | register, or | LOC_SLOT | slot ------------------------------------------------- */

#define LOC_SLOT 64u

_Static_assert(VM_SLOTS <= LOC_SLOT, "a slot has 6 bits in a place");

uint16_t
loc_reg(uint32_t frame, uint32_t regno)
{
	return (uint16_t)(frame << 7 | regno);
}

uint16_t
loc_slot(uint32_t frame, uint32_t slot)
{
	return (uint16_t)(frame << 7 | LOC_SLOT | slot);
}

uint16_t
loc_top(const struct verifier *v, uint32_t regno)
{
	return loc_reg(v->state.n_frames - 1, regno);
}

void
mark_loc_read(struct verifier *v, uint16_t loc)
{
	if (loc & LOC_SLOT)
		mark_slot_read(v, loc >> 7, loc & 63);
	else
		mark_reg_read(v, loc >> 7, loc & 63);
}

/* ---- the trail -------------------------------------------------------------------------------------------- */

static struct trail *
trail_at(const struct verifier *v, uint32_t place)
{
	return (struct trail *)(void *)(v->trails.bytes + place);
}

void
trails_free(struct trails *trails)
{
	free(trails->bytes);
}

/* Makes room for `size` bytes more. False: refused. */
static bool
trails_grow(struct verifier *v, uint32_t size)
{
	struct trails *trails = &v->trails;
	uint32_t cap = trails->cap ? trails->cap * 2 : 4096;
	char *bytes;

	if (trails->cap - trails->len >= size)
		return true;
	bytes = mem_realloc(trails->bytes, cap);
	if (!bytes)
		return refuse(v, -ENOMEM, "out of memory while verifying");
	trails->bytes = bytes;
	trails->cap = cap;
	if (!trails->len)
		trails->len = sizeof(struct trail); /* 0 is no place */
	return true;
}

static void
trail_add(struct verifier *v, bool ties, const uint16_t *locs, uint32_t n)
{
	uint32_t size = (uint32_t)round_up(sizeof(struct trail) + n * sizeof(*locs), _Alignof(struct trail));
	struct trail *trail;

	if (!trails_grow(v, size))
		return;
	trail = trail_at(v, v->trails.len);
	*trail = (struct trail){ .prev = v->state.trail, .n = (uint16_t)n, .ties = ties };
	memcpy(trail->locs, locs, n * sizeof(*locs));
	v->state.trail = v->trails.len;
	v->trails.len += size;
	v->bytes_kept += size;
}

void
trail_define(struct verifier *v, uint16_t loc, uint16_t from, uint16_t from_too)
{
	uint16_t locs[3] = { loc };
	uint32_t n = 1;

	if (from != LOC_NONE)
		locs[n++] = from;
	if (from_too != LOC_NONE && from_too != from)
		locs[n++] = from_too;
	trail_add(v, false, locs, n);
}

void
trail_tie(struct verifier *v, const uint16_t *locs, uint32_t n)
{
	if (n > 1)
		trail_add(v, true, locs, n);
}

/* ---- following it back ---------------------------------------------------------------------------------------- */

/* The places whose numbers are relied on, at some point of the trail. */
struct demand {
	uint16_t regs[VM_FRAMES_MAX];
	uint64_t slots[VM_FRAMES_MAX];
};

static bool
demand_is_empty(const struct demand *d)
{
	for (uint32_t f = 0; f < VM_FRAMES_MAX; f++)
		if (d->regs[f] || d->slots[f])
			return false;
	return true;
}

static bool
demand_has(const struct demand *d, uint16_t loc)
{
	if (loc & LOC_SLOT)
		return d->slots[loc >> 7] >> (loc & 63) & 1;
	return d->regs[loc >> 7] >> (loc & 63) & 1;
}

static void
demand_add(struct demand *d, uint16_t loc)
{
	if (loc & LOC_SLOT)
		d->slots[loc >> 7] |= 1ull << (loc & 63);
	else
		d->regs[loc >> 7] |= (uint16_t)(1u << (loc & 63));
}

static void
demand_drop(struct demand *d, uint16_t loc)
{
	if (loc & LOC_SLOT)
		d->slots[loc >> 7] &= ~(1ull << (loc & 63));
	else
		d->regs[loc >> 7] &= (uint16_t)~(1u << (loc & 63));
}

/* What is relied on after this step, told in what is relied on before it. True: it changed. */
static bool
demand_step(struct demand *d, const struct trail *trail)
{
	uint32_t n = trail->n, first = trail->ties ? n : 1, i = 0;

	while (i < first && !demand_has(d, trail->locs[i]))
		i++;
	if (i == first)
		return false;
	if (!trail->ties)
		demand_drop(d, trail->locs[0]);
	for (i = trail->ties ? 0 : 1; i < n; i++)
		demand_add(d, trail->locs[i]);
	return true;
}

/* Marks in the checkpoint; keeps what was not marked there before. */
static void
demand_at_checkpoint(struct demand *d, struct checkpoint *cp, enum precise which)
{
	for (uint32_t f = 0; f < cp->state.n_frames; f++) {
		struct frame *frame = cp->state.frames[f];

		d->regs[f] &= (uint16_t)~frame->precise[which].regs;
		d->slots[f] &= ~frame->precise[which].slots;
		frame->precise[which].regs |= d->regs[f];
		frame->precise[which].slots |= d->slots[f];
	}
}

static void
demand_follow(struct verifier *v, struct demand *d, enum precise which)
{
	struct checkpoint *cp = v->state.parent;
	bool changed = true;

	for (uint32_t place = v->state.trail;; place = trail_at(v, place)->prev) {
		for (; cp && cp->state.trail == place; cp = cp->state.parent) {
			demand_at_checkpoint(d, cp, which);
			changed = true;
		}
		if (!place || !cp || (changed && demand_is_empty(d)))
			return;
		v->n_followed++;
		changed = demand_step(d, trail_at(v, place));
	}
}

/* The kinds of marks that are made: those for what is forgotten of rounds are of use where a helper calls back. */
static enum precise
n_precise(const struct verifier *v)
{
	return v->calls_back ? N_PRECISE : PRECISE_RELIED;
}

/* What is relied on is compared, too. */
static void
demand_follow_both(struct verifier *v, const struct demand *d)
{
	for (enum precise which = 0; which < n_precise(v); which++) {
		struct demand same = *d;

		demand_follow(v, &same, which);
	}
}

void
rely_on(struct verifier *v, uint16_t loc, uint16_t loc_too)
{
	struct demand d = { 0 };

	if (loc != LOC_NONE)
		demand_add(&d, loc);
	if (loc_too != LOC_NONE)
		demand_add(&d, loc_too);
	demand_follow_both(v, &d);
}

void
rely_on_same(struct verifier *v, const struct state *old)
{
	for (enum precise which = 0; which < n_precise(v); which++) {
		struct demand d = { 0 };

		for (uint32_t f = 0; f < old->n_frames; f++) {
			d.regs[f] = old->frames[f]->precise[which].regs & old->frames[f]->live_regs;
			d.slots[f] = old->frames[f]->precise[which].slots & old->frames[f]->live_slots;
		}
		demand_follow(v, &d, which);
	}
}

/* A number of which the covering state knows nothing: any will do. */
static bool
matters(const struct reg *old)
{
	struct scalar any = scalar_unknown();

	return old->kind == REG_SCALAR && (old->id || !scalar_covers(&old->s, &any));
}

void
rely_on_all(struct verifier *v, const struct state *old)
{
	struct demand d = { 0 };

	for (uint32_t f = 0; f < old->n_frames; f++) {
		const struct frame *frame = old->frames[f];

		for (uint32_t i = 0; i < ARRAY_SIZE(frame->regs); i++)
			if (matters(&frame->regs[i]))
				demand_add(&d, loc_reg(f, i));
		for (uint32_t i = 0; i < frame->n_slots; i++)
			if (frame->slots[i].spilled && matters(&frame->slots[i].reg))
				demand_add(&d, loc_slot(f, i));
	}
	demand_follow(v, &d, PRECISE_COMPARED);
}
