/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * For types.c, layout.c and infer*.c only.
 */
#ifndef KTAP_TYPES_INT_H
#define KTAP_TYPES_INT_H

#include "lang/lang.h"

/* ---- types.c: types as sets that grow together ---- */

struct type *
type_new(struct arena *arena, enum type_kind kind, struct span span);

/*
 * Makes a and b one type. Returns false when their kinds differ and neither is unknown (nothing is changed then); *left and *right
 * are the two parts that differ (elements of tables, say), for the message.
 */
bool
type_unify(struct type *a, struct type *b, struct type **left, struct type **right);

/* Bytes of a string value that holds `len` bytes of text, its NUL included. */
uint32_t
type_str_size(uint32_t len);

/* ---- filter.c ---- */

/* Names in the handler's filter that may be words (node->word) become strings where no event of the handler has a field of that name. */
void
filter_words(struct arena *arena, struct events *events, const struct function *handler);

/* ---- layout.c: which events a handler serves, in groups of one layout ---- */

struct layout_group {
	struct event **events;
	uint32_t n_events, cap_events;
	char *signature;
	struct layout_group *next;
};

/* What a handler reads of its events, itself or in functions it calls. Lives in `arena`. */
struct event_use *
find_event_use(struct arena *arena, const struct function *handler);

/* The events of a handler's patterns, grouped by what handler->use reads of them. Reports patterns that match nothing. */
struct layout_group *
group_events(struct arena *arena, struct events *events, const struct function *handler, struct diags *diags);

/* Type of a field's value in a script; TYPE_UNKNOWN: this field has no value in the language. */
struct type *
field_type(struct arena *arena, const struct field *field, struct span span);

#endif
