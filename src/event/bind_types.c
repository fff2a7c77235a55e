/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Types of the kernel in an object that was compiled elsewhere: cast("struct sock *", x).sk_err. The object says of each number that depends on
 * them what it is about, as objects of C compilers do (CO-RE, ebpf/core.c); here they become those of the running kernel.
 *
 * What the kernel lacks is an error of the script's line: scripts have no way to ask first.
 */
#include <string.h>

#include "ebpf/ebpf.h"
#include "event/event_int.h"

/* Several instructions about one member say the same at the same place. */
static bool
is_said(const struct func *func, uint32_t i)
{
	const struct core_reloc *core = &func->cores[i];

	for (uint32_t k = 0; k < i; k++)
		if (func->cores[k].unresolved && strcmp(func->cores[k].unresolved, core->unresolved) == 0 &&
		    func->spans[func->cores[k].pc].off == func->spans[core->pc].off)
			return true;
	return false;
}

static void
report_missing(const struct func *func, struct diags *diags)
{
	for (uint32_t i = 0; i < func->n_cores; i++) {
		struct diag *diag;

		if (!func->cores[i].unresolved || is_said(func, i))
			continue;
		diag = diag_error(diags, func->spans[func->cores[i].pc], "unknown-layout", "what is read here is not there: %s",
				  func->cores[i].unresolved);
		diag_help(diags, diag, "compile the script on this kernel or one like it");
	}
}

static struct span
first_use(const struct object *object)
{
	for (uint32_t i = 0; i < object->n_funcs; i++)
		if (object->funcs[i]->n_cores)
			return object->funcs[i]->spans[object->funcs[i]->cores[0].pc];
	return (struct span){ 0 };
}

void
bind_types(struct object *object, struct events *events, struct diags *diags)
{
	struct core_target *target;
	struct text why = { 0 };
	struct diag *diag;

	if (!core_is_needed(object))
		return;
	if (events_origin(events) == EVENTS_USER || events_origin(events) == EVENTS_HOST) {
		diag = diag_error(diags, first_use(object), "kernel-types", "%s no access to structures of the kernel",
				  events_owner_has(events));
		diag_help(diags, diag, "--engine=kernel has, as root");
		return;
	}
	target = core_target_open(NULL, &why);
	if (!target || core_apply(object, target, &why) < 0)
		diag_error(diags, first_use(object), "kernel-types", "the kernel's types cannot be looked up: %s", why.s ? why.s : "out of memory");
	core_target_free(target);
	text_fini(&why);
	for (uint32_t i = 0; i < object->n_funcs; i++)
		report_missing(object->funcs[i], diags);
}
