/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Where the fields of a tracepoint's record are by the kernel's types, so that entries for other loaders (entry.c) find them on every kernel. The
 * record of an event is a struct trace_event_raw_CLASS:
 *
 *     struct trace_entry ent;             common_*
 *     pid_t parent_pid;                   a field
 *     u32 __data_loc_parent_comm;         a text behind the record
 *     char __data[];                      its end
 *
 * CLASS is the event's name, or that of what several events have in common (DECLARE_EVENT_CLASS), which nothing in the kernel's types says: then it
 * is the one class with these fields at these places whose function takes the arguments that the tracepoint passes. Where two fit, none is taken:
 * a kernel on which they differ would be misread.
 */
#include <string.h>

#include "ebpf/ebpf.h"
#include "event/event_int.h"

#define CLASS_PREFIX "trace_event_raw_"       /* of structures; */
#define CALL_PREFIX  "trace_event_raw_event_" /* of the functions that fill them in */
#define POINT_PREFIX "btf_trace_"             /* of the typedefs that say what a tracepoint passes */
#define END_MEMBER   "__data"

/* What precedes a field's name in the structure. */
static const char *const prefixes[] = { "", "__data_loc_", "__rel_loc_" };

/* The member that a field is, and its name (in `arena`); NULL: there is none of its size. */
static const char *
member_of(const struct typeinfo *types, uint32_t id, struct arena *arena, const struct field *field, struct typeinfo_member *member)
{
	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		const char *name = arena_printf(arena, "%s%s", prefixes[i], field->name);

		if (typeinfo_member(types, id, name, member) && !member->bits && typeinfo_size(types, member->type) == field->size)
			return name;
	}
	return NULL;
}

/* Has the structure just these fields, at these places? */
static bool
is_record(const struct typeinfo *types, uint32_t id, struct arena *arena, const struct event *event)
{
	const struct btf_type *type = typeinfo_type(types, id);
	struct typeinfo_member member;

	if (BTF_INFO_VLEN(type->info) != event->n_fields + 2 || !typeinfo_member(types, id, END_MEMBER, &member))
		return false;
	for (uint32_t i = 0; i < event->n_fields; i++)
		if (!member_of(types, id, arena, &event->fields[i], &member) || member.bit_off != 8 * event->fields[i].offset)
			return false;
	return true;
}

/* ---- classes of several events ------------------------------------------------------------------------------------------------- */

/* The prototype behind a typedef of a pointer to a function, or of a function; NULL: there is none of that name. */
static const struct btf_type *
prototype(const struct typeinfo *types, const char *name, uint32_t kind)
{
	uint32_t id = typeinfo_find(types, name, kind);
	const struct btf_type *type = !id ? NULL : kind == BTF_KIND_FUNC ? typeinfo_type(types, id) : typeinfo_plain(types, id, NULL);

	type = type ? typeinfo_type(types, type->type) : NULL;
	return type && BTF_INFO_KIND(type->info) == BTF_KIND_FUNC_PROTO ? type : NULL;
}

/* Does the class's function take what the tracepoint passes? The first parameter is each one's own. */
static bool
takes_same(const struct typeinfo *types, struct arena *arena, const char *class, const struct btf_type *point)
{
	const struct btf_type *call = prototype(types, arena_printf(arena, CALL_PREFIX "%s", class), BTF_KIND_FUNC);
	uint32_t n = call ? BTF_INFO_VLEN(call->info) : 0;

	if (!call || !point || n != BTF_INFO_VLEN(point->info))
		return false;
	for (uint32_t i = 1; i < n; i++)
		if (type_params(call)[i].type != type_params(point)[i].type)
			return false;
	return true;
}

/* The one class that fits; 0: none, or several. */
static uint32_t
find_class(const struct typeinfo *types, struct arena *arena, const struct event *event)
{
	const struct btf_type *point = prototype(types, arena_printf(arena, POINT_PREFIX "%s", event->name), BTF_KIND_TYPEDEF);
	uint32_t found = 0;

	for (uint32_t id = 1; id < typeinfo_count(types); id++) {
		const char *name = typeinfo_name(types, id);

		if (typeinfo_kind(types, id) != BTF_KIND_STRUCT || strncmp(name, CLASS_PREFIX, strlen(CLASS_PREFIX)) != 0 ||
		    !is_record(types, id, arena, event) || !takes_same(types, arena, name + strlen(CLASS_PREFIX), point))
			continue;
		if (found)
			return 0;
		found = id;
	}
	return found;
}

/*
 * The structure of an event's records; 0: not known. Records of the user engine have their fields elsewhere, and are only of events whose
 * classes have their names.
 */
static uint32_t
record_of(const struct typeinfo *types, struct arena *arena, const struct event *event, enum events_origin origin)
{
	uint32_t id = typeinfo_find(types, arena_printf(arena, CLASS_PREFIX "%s", event->name), BTF_KIND_STRUCT);

	if (id && (origin == EVENTS_USER || is_record(types, id, arena, event)))
		return id;
	return origin == EVENTS_KERNEL ? find_class(types, arena, event) : 0;
}

/* ---- places ------------------------------------------------------------------------------------------------------------------------ */

/* The event's field that a program reads; NULL: it is none (the record's end, a result). */
static const struct field *
field_of(const struct program_field *field, const struct event *event)
{
	switch (field->by) {
	case FIELD_BY_NAME:
		return event_field(event, field->name);
	case FIELD_BY_NUMBER:
		return field->number < event->n_fields ? &event->fields[field->number] : NULL;
	case FIELD_BY_TEXT:
		return event_text_field(event, field->number);
	case FIELD_BY_RETURN:
	case FIELD_BY_END:
	case N_FIELD_BYS:
		break;
	}
	return NULL;
}

bool
entry_places(const struct typeinfo *types, struct arena *arena, const struct event *event, enum events_origin origin,
	     const struct program *program, struct entry_place *places)
{
	uint32_t id = types ? record_of(types, arena, event, origin) : 0;

	for (uint32_t i = 0; i < program->n_fields && id; i++) {
		const struct field *field = field_of(&program->fields[i], event);
		struct typeinfo_member member;
		const char *name = END_MEMBER;

		if (field)
			name = member_of(types, id, arena, field, &member);
		else if (program->fields[i].by != FIELD_BY_END || !typeinfo_member(types, id, END_MEMBER, &member))
			return false;
		if (!name || (!field && member.bit_off / 8 > RECORD_DYNAMIC_MAX)) /* programs cut longer records */
			return false;
		places[i].offset = member.bit_off / 8;
		places[i].path = arena_printf(arena, "struct %s.%s", typeinfo_name(types, id), name);
	}
	return id != 0;
}
