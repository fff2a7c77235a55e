/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Print formats of recordings, before libtraceevent gets them. It prints as many bytes behind a field as the format or the record says (__print_hex,
 * __print_array), and reads nested brackets by recursion: true of a kernel's formats, but a recording may come from anywhere.
 *
 * Promises that of a format which is let through nothing is read farther than PRINT_REACH bytes behind the place where a field may begin. Of others the
 * fields are shown one by one (argstr.c).
 */
#include <stdlib.h>
#include <traceevent/event-parse.h>

#include "event/event_int.h"

#define NESTED_MAX   256
#define TEXT_MAX     (1u << 18) /* ten times the longest of Linux */
#define ELEMENT_MAX  8          /* bytes */
#define FIELD_MAX    65536      /* as in recorded.c */

_Static_assert(PRINT_REACH >= ELEMENT_MAX * UINT16_MAX, "so much an array may have that has 16 bits for its length");

bool
print_format_is_readable(const char *text, size_t len)
{
	uint32_t nested = 0;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '(' || text[i] == '[' || text[i] == '{')
			nested++;
		else if (nested && (text[i] == ')' || text[i] == ']' || text[i] == '}'))
			nested--;
		if (nested > NESTED_MAX)
			return false;
	}
	return len <= TEXT_MAX;
}

/* A number of 16 bits, whatever the record holds; NULL: none is given. */
static bool
is_small(const struct tep_print_arg *arg)
{
	if (!arg)
		return true;
	switch (arg->type) {
	case TEP_PRINT_ATOM:
		return strtoull(arg->atom.atom, NULL, 0) <= UINT16_MAX;
	case TEP_PRINT_FIELD:
		return arg->field.field && arg->field.field->size <= (int)sizeof(uint16_t) && !(arg->field.field->flags & TEP_FIELD_IS_SIGNED);
	case TEP_PRINT_DYNAMIC_ARRAY_LEN:
		return true;
	case TEP_PRINT_TYPE:
		return is_small(arg->typecast.item);
	case TEP_PRINT_OP: /* the length of an array in elements */
		return arg->op.op && arg->op.op[0] == '/' && is_small(arg->op.left);
	default: /* the types are the library's, not ours */
		return false;
	}
}

static bool
is_element_size(const struct tep_print_arg *arg)
{
	return !arg || (arg->type == TEP_PRINT_ATOM && strtoull(arg->atom.atom, NULL, 0) <= ELEMENT_MAX);
}

/* The argument and what it is made of. */
static bool
is_bounded(const struct tep_print_arg *arg)
{
	if (!arg)
		return true;
	switch (arg->type) {
	case TEP_PRINT_HEX:
	case TEP_PRINT_HEX_STR:
		return is_small(arg->hex.size) && is_bounded(arg->hex.field);
	case TEP_PRINT_INT_ARRAY:
		return is_small(arg->int_array.count) && is_element_size(arg->int_array.el_size) && is_bounded(arg->int_array.field);
	case TEP_PRINT_TYPE:
		return is_bounded(arg->typecast.item);
	case TEP_PRINT_FLAGS:
		return is_bounded(arg->flags.field);
	case TEP_PRINT_SYMBOL:
		return is_bounded(arg->symbol.field);
	case TEP_PRINT_OP:
		return is_bounded(arg->op.left) && is_bounded(arg->op.right);
	case TEP_PRINT_DYNAMIC_ARRAY:
		return is_bounded(arg->dynarray.index);
	default: /* what has no parts, and strings, which end where the record says in 16 bits */
		return true;
	}
}

static bool
lie_in_record(const struct tep_format_field *field)
{
	for (; field; field = field->next)
		if (field->offset < 0 || field->size < 0 || field->offset > FIELD_MAX || field->size > FIELD_MAX - field->offset)
			return false;
	return true;
}

bool
print_format_is_bounded(const struct tep_event *parsed)
{
	if (!lie_in_record(parsed->format.common_fields) || !lie_in_record(parsed->format.fields))
		return false;
	for (const struct tep_print_arg *arg = parsed->print_fmt.args; arg; arg = arg->next)
		if (!is_bounded(arg))
			return false;
	return true;
}
