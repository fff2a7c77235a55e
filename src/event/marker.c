/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Markers: places that a program's author has marked in it (<sys/sdt.h>, "user static defined tracing"), with a provider's name, a
 * name of their own, and arguments.
 *
 *     marker   := 'sdt:' FILE ':' [PROVIDER ':'] NAME      PROVIDER and NAME may be globs
 *     argument := ['-'] SIZE ['f'] '@' operand             as the compiler writes it into the note, one for each
 *     operand  := '%' REGISTER | '$' NUMBER | [NUMBER] '(' '%' REGISTER [',' '%' REGISTER [',' SCALE]] ')'
 *
 * A marker is an instruction that does nothing; the note says where it is, and where each argument lies at that instant. One marker
 * often stands at several places (inlined functions): an event for each, of one name. A record is that of a probe (probe.c):
 *
 *     0 common   8 __probe_ip   16 arg0   24 arg1 ...
 *
 * What cannot be fetched (floating point, addresses relative to the instruction) is a field without a value in the language, whose
 * type is the operand as written. Format of the notes: "UserSpaceProbeImplementation" of SystemTap's wiki.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "event/event_int.h"

#define MARKER_ARGS_MAX 10 /* what the record on the stub's stack has room for */

static const char *const arg_names[MARKER_ARGS_MAX] = { "arg0", "arg1", "arg2", "arg3", "arg4",
							"arg5", "arg6", "arg7", "arg8", "arg9" };

/* ---- arguments ------------------------------------------------------------------------------- */

/*
 * The kernel's name of the register of which an assembler's name (%eax, %dil, %r8d) names some of the lower bits; "" where it does not (%ah).
 */
static void
plain_register(const char *name, size_t len, char plain[4])
{
	size_t n = len;

	*plain = 0;
	if (len < 2 || len > 4)
		return;
	if (name[0] == 'r' && name[1] >= '0' && name[1] <= '9') { /* r8, r8d, r8w, r8b */
		if (strchr("dwb", name[n - 1]))
			n--;
	} else if (len == 3 && (name[0] == 'r' || name[0] == 'e')) { /* rax, eax, rsi */
		name++;
		n = 2;
	} else if (len == 3 && name[2] == 'l') { /* sil */
		n = 2;
	} else if (len == 2 && name[1] == 'l') { /* al */
		memcpy(plain, (char[]){ name[0], 'x', 0 }, 3);
		return;
	}
	if (n > 3)
		return;
	memcpy(plain, name, n);
	plain[n] = 0;
}

/* Reads %REGISTER at *at. */
static bool
accept_register(const char **at, const char *end, int16_t *reg)
{
	char plain[4];
	size_t len;

	if (*at == end || **at != '%')
		return false;
	++*at;
	for (len = 0; *at + len < end && strchr("abcdefghijklmnopqrstuvwxyz0123456789", (*at)[len]); len++)
		;
	plain_register(*at, len, plain);
	*at += len;
	return probe_register(plain, strlen(plain), reg);
}

static bool
accept_char(const char **at, const char *end, char c)
{
	if (*at == end || **at != c)
		return false;
	++*at;
	return true;
}

static int64_t
accept_number(const char **at)
{
	char *behind;
	int64_t number = strtoll(*at, &behind, 0);

	*at = behind;
	return number;
}

/* [NUMBER] '(' ... ')' */
static bool
fetch_memory(const char **at, const char *end, struct fetch *fetch)
{
	int64_t offset = **at == '(' ? 0 : accept_number(at), scale = 1;

	if (offset < INT32_MIN || offset > INT32_MAX || !accept_char(at, end, '(') || !accept_register(at, end, &fetch->reg))
		return false;
	if (accept_char(at, end, ',')) {
		if (!accept_register(at, end, &fetch->index))
			return false;
		if (accept_char(at, end, ','))
			scale = accept_number(at);
		if (scale != 1 && scale != 2 && scale != 4 && scale != 8)
			return false;
		fetch->scale = (uint8_t)scale;
	}
	fetch->steps[fetch->n_steps++] = (struct fetch_step){ .offset = (int32_t)offset, .user = true };
	return accept_char(at, end, ')');
}

/* True when all up to `end` is an operand that can be fetched. */
static bool
fetch_operand(const char *at, const char *end, struct fetch *fetch)
{
	if (*at == '%')
		return accept_register(&at, end, &fetch->reg) && at == end;
	if (accept_char(&at, end, '$')) {
		fetch->from = FETCH_CONST;
		fetch->value = (uint64_t)accept_number(&at);
		return at == end;
	}
	return fetch_memory(&at, end, fetch) && at == end;
}

static void
read_argument(struct arena *arena, const char *start, const char *end, struct field *field, struct fetch *fetch)
{
	const char *at = start;
	int64_t size = accept_number(&at);

	*field = (struct field){ .kind = FIELD_INT, .size = 8, .is_signed = size < 0, .show = SHOW_DECIMAL,
				 .type = arena_strndup(arena, start, (size_t)(end - start)) };
	field->value_size = size < -8 || size > 8 ? 0 : (uint32_t)(size < 0 ? -size : size);
	if (accept_char(&at, end, '@') && at < end && fetch_operand(at, end, fetch) &&
	    (field->value_size == 1 || field->value_size == 2 || field->value_size == 4 || field->value_size == 8))
		return;
	*fetch = (struct fetch){ .from = FETCH_CONST };
	field->kind = FIELD_OTHER;
	field->value_size = 8;
	field->show = SHOW_NOT;
}

static void
read_arguments(struct arena *arena, struct event *event, struct fetch *fetches, const char *args)
{
	const char *at, *end;
	struct field *field;

	for (at = args + strspn(args, " "); *at && event->n_fields < MARKER_ARGS_MAX; at = end + strspn(end, " ")) {
		end = at + strcspn(at, " ");
		field = &event->fields[event->n_fields];
		read_argument(arena, at, end, field, &fetches[event->n_fields]);
		field->name = arg_names[event->n_fields];
		field->offset = 16 + 8 * event->n_fields;
		event->n_fields++;
		event->record_size = field->offset + 8;
	}
}

/* ---- events ---------------------------------------------------------------------------------- */

struct request {
	struct events *events;
	struct diags *diags;
	struct span span;
	const char *pattern;  /* "sdt:..." */
	const char *file, *provider, *name; /* as written; provider "*": none was */
};

static struct event *
make_event(const struct request *r, const char *path, const struct marker *marker)
{
	struct arena *arena = r->events->arena;
	const char *definition = arena_printf(arena, "%s:%s:%s", r->file, marker->provider, marker->name);
	struct event *event = events_find_probe(r->events, "sdt", marker->name, definition, marker->offset);
	struct fetch *fetches;
	struct probe *probe;

	if (event)
		return event;
	event = events_make(r->events, EVENT_UPROBE, "sdt", marker->name);
	event->fields = arena_alloc(arena, (MARKER_ARGS_MAX + 1) * sizeof(*event->fields));
	fetches = arena_alloc(arena, (MARKER_ARGS_MAX + 1) * sizeof(*fetches));
	event->record_size = 16;
	read_arguments(arena, event, fetches, marker->args);
	event->fields[event->n_fields] = (struct field){ .name = "__probe_ip", .type = "x64", .kind = FIELD_INT, .offset = 8,
							 .size = 8, .value_size = 8, .show = SHOW_NOT };
	fetches[event->n_fields++].from = FETCH_IP; /* behind the arguments, so that argN is field N */
	probe = arena_alloc(arena, sizeof(*probe));
	*probe = (struct probe){ .definition = definition, .symbol = marker->name, .path = path, .offset = marker->offset,
				 .semaphore = marker->semaphore, .args = marker->args, .fetches = fetches };
	event->probe = probe;
	event->fields_loaded = true;
	return event;
}

static bool
fits(const struct request *r, const struct marker *marker)
{
	return glob_match(r->provider, marker->provider) && glob_match(r->name, marker->name);
}

/* FILE ':' [PROVIDER ':'] NAME behind "sdt:". */
static bool
split(struct request *r)
{
	char *place = arena_strdup(r->events->arena, r->pattern + strlen("sdt:")), *colon = strrchr(place, ':');

	r->file = place;
	r->provider = "*";
	if (!colon)
		return false;
	*colon = 0;
	r->name = colon + 1;
	colon = strrchr(place, ':');
	if (colon) {
		*colon = 0;
		r->provider = colon + 1;
	}
	return *r->file && *r->provider && *r->name && !strpbrk(r->name, " \t");
}

static int
refuse_form(const struct request *r)
{
	struct diag *diag = diag_error(r->diags, r->span, "bad-probe", "'%s': a marker is sdt:FILE:NAME or sdt:FILE:PROVIDER:NAME", r->pattern);

	diag_help(r->diags, diag, "for example sdt:libc:setjmp; `ktap list 'sdt:FILE:*'` shows the markers of a file");
	return -EINVAL;
}

static int
refuse_file(const struct request *r, const char *why)
{
	diag_error(r->diags, r->span, "unreadable-program", "%s", why);
	return -ENOENT;
}

static int
refuse_name(const struct request *r, const struct markers *markers, const char *path)
{
	struct diag *diag;

	if (!markers->n)
		diag = diag_error(r->diags, r->span, "unknown-marker", "%s has no markers", path);
	else
		diag = diag_error(r->diags, r->span, "unknown-marker", "%s has no marker '%s'", path, r->pattern + strlen("sdt:") + strlen(r->file) + 1);
	diag_help(r->diags, diag, "`ktap list 'sdt:%s:*'` shows those that it has; a program has them where it was built with <sys/sdt.h>", r->file);
	return -ENOENT;
}

static int
define(const struct request *r, void (*fn)(struct event *event, void *arg), void *arg)
{
	struct text why = { 0 };
	const char *path = find_binary(r->events->arena, r->file, &why);
	int err = path ? 0 : -ENOENT, n = 0;
	struct markers markers;
	uint32_t i;

	if (err == 0)
		err = markers_of_file(r->events->arena, path, &markers, &why);
	if (err < 0)
		err = refuse_file(r, why.s);
	text_fini(&why);
	for (i = 0; err == 0 && i < markers.n; i++) {
		if (!fits(r, &markers.markers[i]))
			continue;
		fn(make_event(r, path, &markers.markers[i]), arg);
		n++;
	}
	if (err == 0 && n == 0)
		err = refuse_name(r, &markers, path);
	return err < 0 ? err : n;
}

int
events_marker(struct events *events, const char *pattern, struct span span, struct diags *diags,
	      void (*fn)(struct event *event, void *arg), void *arg)
{
	struct request r = { .events = events, .diags = diags, .span = span, .pattern = pattern };
	struct diag *diag;

	if (!split(&r))
		return refuse_form(&r);
	if (events->origin != EVENTS_USER && events->origin != EVENTS_HOST)
		return define(&r, fn, arg);
	diag = diag_error(diags, span, "unsupported-event", "'%s': %s no probes of programs", pattern, events_owner_has(events));
	events_help_kernel(events, diags, diag);
	return -EOPNOTSUPP;
}

int
events_list_markers(struct events *events, const char *pattern, FILE *out, struct text *why)
{
	struct request r = { .events = events, .pattern = pattern };
	struct markers markers;
	const char *path;
	const struct event *event;
	uint32_t i, field;
	int n = 0;

	if (!split(&r)) {
		text_printf(why, "'%s' is no pattern for markers: sdt:FILE:NAME is needed, for example 'sdt:libc:*'", pattern);
		return -EINVAL;
	}
	path = find_binary(events->arena, r.file, why);
	if (!path || markers_of_file(events->arena, path, &markers, why) < 0)
		return -ENOENT;
	for (i = 0; i < markers.n; i++) {
		if (!fits(&r, &markers.markers[i]))
			continue;
		n++;
		fprintf(out, "sdt:%s:%s:%s\n", r.file, markers.markers[i].provider, markers.markers[i].name);
		event = name_is_glob(r.name) ? NULL : make_event(&r, path, &markers.markers[i]);
		for (field = 0; event && field + 1 < event->n_fields; field++)
			fprintf(out, "    %-24s %s\n", event->fields[field].name, event->fields[field].type);
	}
	return n;
}
