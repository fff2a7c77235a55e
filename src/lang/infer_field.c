/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Types of what a handler reads of its event: argN, args.NAME, retval, argstr.
 */
#include "lang/infer_int.h"

static void
report_no_fields(struct infer *infer, const struct node *node)
{
	struct diag *diag = diag_error(infer->diags, node->span, "no-event-fields", "this handler's event has no fields that can be "
				       "read here");

	if (node->kind == NODE_INDEX && (!node->b || node->b->kind != NODE_STR))
		diag_help(infer->diags, diag, "fields are read by name, args.NAME, or by number, arg0 ... arg9; print(args) shows them all");
	else if (infer->program->any_event)
		diag_help(infer->diags, diag, "the event is named when the script runs, so its fields are not known when it is compiled; "
					      "a `trace` statement has them: for kdebug.kprobe(\"FUNCTION\", ...) write `trace probe:FUNCTION { ... }`, "
					      "for kdebug.tracepoint(\"SYSTEM:NAME\", ...) `trace SYSTEM:NAME { ... }`");
}

static struct type *
infer_field(struct infer *infer, struct node *node, const struct field *field)
{
	struct type *type = field_type(infer->arena, field, node->span);
	struct diag *diag;

	node->field = field;
	if (type->kind == TYPE_UNKNOWN) {
		diag = diag_error(infer->diags, node->span, "field-type", "field '%s' of type '%s' has no value in the language",
				  field->name, field->type);
		diag_help(infer->diags, diag, "print(argstr) shows the whole event");
	}
	return infer_settle(infer, node, type, false);
}

struct type *
infer_arg(struct infer *infer, struct node *node)
{
	const struct event *event = infer->layout;

	if (!event || !event_has_record(event))
		report_no_fields(infer, node);
	else if ((uint64_t)node->number < event->n_fields) {
		const struct field *field = &event->fields[node->number];

		/* As in 0.4, argN of a pointer is the number; args.NAME reads the string. */
		if (field->kind != FIELD_USER_STR && field->kind != FIELD_ANY_STR)
			return infer_field(infer, node, field);
		node->field = field;
	} else {
		node->field = NULL;
		return infer_settle(infer, node, infer_type(infer, TYPE_INT, node->span), true);
	}
	return infer_settle(infer, node, infer_type(infer, TYPE_INT, node->span), false);
}

struct type *
infer_args_name(struct infer *infer, struct node *node)
{
	const struct field *field = infer->layout ? event_field(infer->layout, node->b->s) : NULL;

	if (field)
		return infer_field(infer, node, field);
	if (!infer->layout || !infer->layout->n_fields)
		report_no_fields(infer, node);
	return infer_settle(infer, node, infer_type(infer, TYPE_UNKNOWN, node->span), false); /* missing ones: reported by layout.c */
}

struct type *
infer_retval(struct infer *infer, struct node *node)
{
	struct diag *diag;

	node->field = infer->layout ? event_retval(infer->layout) : NULL;
	if (!node->field) {
		diag = diag_error(infer->diags, node->span, "no-retval", "retval has a value only when a system call or a function "
				  "returns");
		diag_help(infer->diags, diag, "trace syscalls:sys_exit_NAME, or probe:FUNCTION%%return");
	}
	return infer_settle(infer, node, infer_type(infer, TYPE_INT, node->span), false);
}

/* Of events in one handler that are in no function it is empty. */
struct type *
infer_func(struct infer *infer, struct node *node)
{
	struct type *type = infer_type(infer, TYPE_STR, node->span);
	bool any = infer->program->any_event;
	struct diag *diag;

	for (uint32_t i = 0; i < infer->program->n_events && !any; i++)
		any = event_function(infer->program->events[i]) != NULL;
	if (!any) {
		diag = diag_error(infer->diags, node->span, "no-function", "func has a value only in probes of functions");
		diag_help(infer->diags, diag, "probename is the name of this event");
	}
	type->str_size = infer->typed->event_text_size;
	return infer_settle(infer, node, type, false);
}

struct type *
infer_argstr(struct infer *infer, struct node *node)
{
	if (!infer->layout || !event_has_record(infer->layout))
		report_no_fields(infer, node);
	return infer_settle(infer, node, infer_type(infer, TYPE_ARGSTR, node->span), false);
}
