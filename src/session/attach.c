/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * attach: the handlers that main registered meet their events.
 *
 * An event that the script names in full and that cannot be served ends the run before it begins. Of the
 * events that only match a pattern, those that cannot be served are left out and counted, as long as one is
 * left.
 */
#include <errno.h>
#include <string.h>

#include "session/session_int.h"

struct failures {
	unsigned n_attached, n_failed;
	struct text first; /* why the first one failed */
};

static int
attach(struct session *session, uint32_t program, struct event *event, struct failures *failures)
{
	struct source *source = session->source;
	struct text why = { 0 };
	int err = source->ops->attach(source, session->object->programs[program], event, &why);

	if (err < 0 && failures->n_failed++ == 0)
		text_printf(&failures->first, "%s:%s cannot be traced: %s", event->system, event->name,
			    why.s ? why.s : strerror(-err));
	if (err >= 0)
		failures->n_attached++;
	text_fini(&why);
	return err;
}

/* Does a part of a pattern follow, so that what stands before is no full name? */
static bool
is_pattern_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("_*?[\\", c));
}

/* Does the trace statement's head name this event in full? */
static bool
is_named(const struct object *object, const struct handler *handler, const struct event *event)
{
	const struct script *script = object->script;
	struct text name = { 0 };
	const char *at, *end;
	bool named = false;

	if (!script || handler->kind == HANDLER_PROFILE || handler->span.off >= script->len)
		return handler->n_bindings == 1;
	at = script->text + handler->span.off;
	end = memchr(at, '{', script->len - handler->span.off);
	text_printf(&name, "%s:%s", event->system, event_is_probe(event) ? event->probe->definition : event->name);
	while (end && !named && (at = memmem(at, end - at, name.s, name.len))) {
		at += name.len;
		named = !is_pattern_char(*at);
	}
	text_fini(&name);
	return named;
}

/* Says "script.kp:3: TEXT". */
static void
report_at(const struct session *session, struct span span, const char *what)
{
	const struct object *object = session->object;
	FILE *messages = session_messages(session->options);

	if (object->script)
		complain_to(messages, "%s:%u: %s", object->script->name, script_line(object->script, span.off), what);
	else
		complain_to(messages, "%s: %s", object->name, what);
}

static bool
attach_bindings(struct session *session, const struct handler *handler, struct failures *skipped)
{
	struct failures failures = { 0 };
	bool fatal = false;

	for (uint32_t i = 0; i < handler->n_bindings && !fatal; i++) {
		struct event *event = session->object->events[handler->bindings[i].event];

		if (attach(session, handler->bindings[i].program, event, &failures) < 0)
			fatal = is_named(session->object, handler, event);
	}
	fatal = fatal || (failures.n_failed && !failures.n_attached);
	if (fatal)
		report_at(session, handler->span, failures.first.s);
	else if (failures.n_failed && !skipped->first.s)
		text_puts(&skipped->first, failures.first.s);
	skipped->n_failed += failures.n_failed;
	text_fini(&failures.first);
	return !fatal;
}

/* ---- events named at run time ------------------------------------------- */

static int
set_event_text(struct session *session, const struct event *event, unsigned text)
{
	uint32_t key = event->index, table = session->object->table_event_text[text];
	char bytes[VALUE_STR_MAX];

	if (table == UINT32_MAX || session->object->tables[table]->value_size > sizeof(bytes))
		return 0;
	bind_text(session->object, text, event, bytes);
	return session->source->ops->update(session->source, table, &key, bytes, BPF_ANY);
}

/* Tells programs what they look up by event number. */
static int
set_event_info(struct session *session, const struct event *event)
{
	struct event_info info = { .string_args = event_string_args(event),
				   .record_size = event->record_size };
	uint32_t key = event->index, table = session->object->table_event_info;
	int err = 0;

	for (unsigned text = 0; text < N_EVENT_TEXTS && !err; text++)
		err = set_event_text(session, event, text);
	if (table == UINT32_MAX || err)
		return err;
	return session->source->ops->update(session->source, table, &key, &info, BPF_ANY);
}

/* Gives the event a number in the object. */
static int
add_event(struct session *session, struct event *event, uint32_t n_compiled)
{
	struct object *object = session->object;

	if (event->index < object->n_events && object->events[event->index] == event)
		return 0;
	if (object->n_events - n_compiled >= OBJECT_EVENTS_SPARE)
		return -E2BIG;
	if (!event->fields_loaded)
		event_load_fields(session->events, event); /* an event without fields still happens */
	bind_number(object, event);
	return set_event_info(session, event);
}

/*
 * The program of a handler for an event named by a call: made for that event where the name is a literal in the script, else the one
 * that reads no fields. UINT32_MAX: none.
 */
static uint32_t
program_for(const struct object *object, const struct handler *handler, const struct event *event)
{
	for (uint32_t i = 0; i < handler->n_bindings; i++) {
		if (object->events[handler->bindings[i].event] == event)
			return handler->bindings[i].program;
	}
	return handler->any_program;
}

static bool
attach_named(struct session *session, const struct registration *registration, uint32_t n_compiled)
{
	const struct handler *handler = session->object->handlers[registration->handler];
	uint32_t program = program_for(session->object, handler, registration->event);
	struct failures failures = { 0 };
	int err = add_event(session, registration->event, n_compiled);

	if (program == UINT32_MAX) {
		text_puts(&failures.first,
			  "this handler was not compiled for events that are named at run time");
		err = -EINVAL;
	} else if (err < 0) {
		text_printf(
			&failures.first, "%s:%s cannot be traced: %s", registration->event->system,
			registration->event->name,
			err == -E2BIG
				? "too many events are named at run time; a pattern in a trace statement has no limit"
				: strerror(-err));
	} else {
		err = attach(session, program, registration->event, &failures);
	}
	if (err < 0)
		report_at(session, handler->span, failures.first.s);
	text_fini(&failures.first);
	return err >= 0;
}

bool
session_attach(struct session *session)
{
	const struct control *control = &session->control;
	uint32_t n_compiled = session->object->n_events;
	struct failures skipped = { 0 };
	bool ok = true;

	for (uint32_t i = 0; i < control->n_registrations && ok; i++) {
		const struct registration *registration = &control->registrations[i];

		if (registration->event)
			ok = attach_named(session, registration, n_compiled);
		else
			ok = attach_bindings(session, session->object->handlers[registration->handler],
					     &skipped);
	}
	if (ok && skipped.n_failed)
		complain_to(session_messages(session->options), "%u event%s of the script's patterns cannot be traced here; the first: %s",
		       skipped.n_failed, skipped.n_failed == 1 ? "" : "s", skipped.first.s);
	if (!ok)
		session_fail(session, STATUS_WORLD);
	text_fini(&skipped.first);
	return ok;
}
