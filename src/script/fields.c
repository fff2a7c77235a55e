/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The fields of a host's events: checked, and made what scripts know of tracepoints. The host's struct stands in a record behind the 8 bytes that
 * every record begins with:
 *
 *     | common_*, 8 | struct request { char verb[8]; unsigned size; ... } |
 *                     ^ HOST_HEADER_SIZE
 */
#include <errno.h>
#include <string.h>

#include "script/script_int.h"
#include "source/host.h"

#define FIELDS_MAX 64
#define OFFSET_MAX 16000 /* of fields that can be read: an instruction's offset has 15 bits, and some bytes behind are read, too */

/* ---- checks -------------------------------------------------------------------------------------------------------------------------- */

static bool
is_word(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') || s[i] == '_' || (i && s[i] >= '0' && s[i] <= '9')))
			return false;
	return len > 0;
}

/* "SYSTEM/NAME", two words, and no such system that a script means something else by it. */
static int
check_name(const char *name)
{
	const char *slash = strchr(name, '/');
	struct text pattern = { 0 };
	bool is_ours;

	if (!is_word(name, (size_t)(slash - name)) || !is_word(slash + 1, strlen(slash + 1)))
		return host_fail(-EINVAL, "event '%s': scripts know it by two words, for example server/request", name);
	text_printf(&pattern, "%.*s:%s", (int)(slash - name), name, slash + 1);
	is_ours = events_is_definition(pattern.s) || strncmp(pattern.s, "syscalls:", 9) == 0 || strncmp(pattern.s, "signal:", 7) == 0;
	text_fini(&pattern);
	return is_ours ? host_fail(-EINVAL, "event '%s': to scripts '%.*s:' is something else; choose another first word", name, (int)(slash - name),
				   name) : 0;
}

static bool
has_size(const struct ktap_field *field)
{
	switch (field->kind) {
	case KTAP_FIELD_SIGNED:
	case KTAP_FIELD_UNSIGNED:
		return field->size == 1 || field->size == 2 || field->size == 4 || field->size == 8;
	case KTAP_FIELD_TEXT_POINTER:
		return field->size == sizeof(char *);
	case KTAP_FIELD_TEXT:
	case KTAP_FIELD_BYTES:
		return field->size > 0;
	}
	return false;
}

static int
check_field(const struct ktap_event *event, const struct ktap_field *fields, size_t n)
{
	const struct ktap_field *field = &fields[n];

	if (!field->name || !is_word(field->name, strlen(field->name)) || strncmp(field->name, "common_", 7) == 0)
		return host_fail(-EINVAL, "event '%s': '%s' is no name for a field: letters, digits and '_', and not common_...", event->name,
				 field->name ? field->name : "(null)");
	for (size_t i = 0; i < n; i++)
		if (strcmp(fields[i].name, field->name) == 0)
			return host_fail(-EINVAL, "event '%s' has two fields '%s'", event->name, field->name);
	if (!has_size(field))
		return host_fail(-EINVAL, "event '%s': field '%s' of kind %d has %zu bytes: numbers have 1, 2, 4 or 8, addresses %zu", event->name,
				 field->name, (int)field->kind, field->size, sizeof(char *));
	if (field->size > event->size || field->offset > event->size - field->size)
		return host_fail(-EINVAL, "event '%s': field '%s' is not within the %u bytes of the context", event->name, field->name, event->size);
	if (field->kind != KTAP_FIELD_BYTES && field->offset + field->size > OFFSET_MAX)
		return host_fail(-EINVAL, "event '%s': field '%s' ends behind the first %d bytes of the context", event->name, field->name, OFFSET_MAX);
	return 0;
}

/* ---- making -------------------------------------------------------------------------------------------------------------------------- */

static struct field
make_field(struct arena *arena, const struct ktap_field *from)
{
	static const enum field_kind kinds[] = {
		[KTAP_FIELD_SIGNED] = FIELD_INT,  [KTAP_FIELD_UNSIGNED] = FIELD_INT,         [KTAP_FIELD_TEXT] = FIELD_CHARS,
		[KTAP_FIELD_BYTES] = FIELD_OTHER, [KTAP_FIELD_TEXT_POINTER] = FIELD_USER_STR,
	};
	struct field field = { .name = arena_strdup(arena, from->name), .kind = kinds[from->kind], .is_signed = from->kind == KTAP_FIELD_SIGNED };

	field.offset = (uint32_t)(HOST_HEADER_SIZE + from->offset);
	field.size = field.value_size = (uint32_t)from->size;
	switch (from->kind) {
	case KTAP_FIELD_SIGNED:
	case KTAP_FIELD_UNSIGNED:
		field.type = arena_printf(arena, "%c%zu", from->kind == KTAP_FIELD_SIGNED ? 's' : 'u', 8 * from->size);
		break;
	case KTAP_FIELD_TEXT:
		field.type = arena_printf(arena, "char[%zu]", from->size);
		break;
	case KTAP_FIELD_TEXT_POINTER:
		field.type = HOST_POINTER_TYPE;
		break;
	case KTAP_FIELD_BYTES:
		field.type = arena_printf(arena, "u8[%zu]", from->size);
		break;
	}
	return field;
}

int
ktap_add_fields(struct ktap *engine, const char *name, const struct ktap_field *fields, size_t n_fields)
{
	struct ktap_event *event = host_event_find(engine, name);
	const char *slash = strchr(name, '/');
	int err;

	if (!event)
		return host_fail(-ENOENT, "event '%s' was not added: ktap_add_event comes first", name);
	if (event->fields)
		return host_fail(-EEXIST, "event '%s' is described already", name);
	if (event->number >= HOST_EVENTS_MAX)
		return host_fail(-ENOSPC, "event '%s': scripts know the first %d events of an engine", name, HOST_EVENTS_MAX);
	if (n_fields > FIELDS_MAX)
		return host_fail(-EINVAL, "event '%s' has %zu fields: %d at most", name, n_fields, FIELDS_MAX);
	err = check_name(name);
	for (size_t i = 0; i < n_fields && err == 0; i++)
		err = check_field(event, fields, i);
	if (err < 0)
		return err;
	event->arena = arena_new();
	event->system = arena_strndup(event->arena, name, (size_t)(slash - name));
	event->own_name = arena_strdup(event->arena, slash + 1);
	event->n_fields = (uint32_t)n_fields;
	event->fields = arena_alloc(event->arena, (n_fields + 1) * sizeof(*event->fields));
	for (size_t i = 0; i < n_fields; i++)
		event->fields[i] = make_field(event->arena, &fields[i]);
	return 0;
}

const struct ktap_event *
ktap_event_find(const struct ktap *engine, const char *name)
{
	return host_event_find(engine, name);
}

/* ---- for scripts ------------------------------------------------------------------------------------------------------------------------ */

struct events *
script_events(const struct ktap *engine, struct arena *arena)
{
	struct events *events = events_new(arena, EVENTS_HOST);

	for (const struct ktap_event *from = engine->events; from; from = from->next)
		if (from->fields)
			events_add_fields(events, from->system, from->own_name, from->fields, from->n_fields)->id = (int32_t)from->number;
	return events;
}

int
ktap_events_write(const struct ktap *engine, const char *path)
{
	struct arena *arena = arena_new();
	struct text text = { 0 };
	FILE *file = fopen(path, "we");
	int err = file ? 0 : -errno;

	events_write_formats(script_events(engine, arena), &text);
	if (file && text.len && fwrite(text.s, text.len, 1, file) != 1)
		err = -EIO;
	if (file && fclose(file) && err == 0)
		err = -errno;
	text_fini(&text);
	arena_free(arena);
	return err ? host_fail(err, "events cannot be written into '%s': %s", path, strerror(-err)) : 0;
}
