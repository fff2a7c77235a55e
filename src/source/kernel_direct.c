/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Probes of kernel functions that are called directly (fentry, fexit) although the script says `probe:`: no breakpoint, no saving of all
 * registers. Chosen where it serves what the handler reads:
 *
 *     one function, at its entry or return       not a place behind it, not a pattern: those share one attachment
 *     whose parameters and result BTF knows      words of the context in place of registers, with their sizes and signs
 *     no fetch arguments                         they name registers
 *     no stack                                   the kernel's would begin in the code that calls the program
 *     the only function of its name              BTF does not tell which of several it means
 *
 * Handlers of one function run in the order of the script; kprobes and direct calls have no order between them. So all units of a function
 * are served directly, or none is.
 *
 * Whether the kernel calls this function directly is tried: where loading or attaching is refused, the unit is a kprobe again.
 */
#include <asm/ptrace.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "source/kernel_int.h"

#define FUNCTIONS_AT_ONCE 32 /* looked up in BTF; the others stay kprobes */

/* ---- what a unit asks for -------------------------------------------------------------------- */

static bool
is_return(const struct unit *unit)
{
	return unit->kind == UNIT_KRETPROBE;
}

/* Why it cannot be served directly, from what is known without the function's types; NULL: it may be. */
static const char *
obstacle(const struct unit *unit)
{
	const struct program *program = unit->slots[0];
	const struct probe *probe = unit->events[0]->probe;

	if (unit->n_events > 1)
		return "several functions";
	if (probe->offset)
		return "a place after the entry";
	if (*probe->args)
		return "its fetch arguments name registers";
	if (program->params >> PARAM_CONTEXT & 1)
		return "the handler takes a stack";
	if (program->uses_dynamic)
		return "the handler reads the whole record";
	return NULL;
}

static bool
reads(const struct unit *unit, const struct field *field)
{
	uint32_t word = field->offset / 8;

	return unit->slots[0]->record_words >> (word < 63 ? word : 63) & 1;
}

/* Which parameter a register passes at the entry; -1: none. */
static int
parameter_of(const struct fetch *fetch)
{
	static const int16_t passed[FUNCTION_PARAMS_MAX] = {
		offsetof(struct pt_regs, rdi), offsetof(struct pt_regs, rsi), offsetof(struct pt_regs, rdx),
		offsetof(struct pt_regs, rcx), offsetof(struct pt_regs, r8),  offsetof(struct pt_regs, r9),
	};

	for (int i = 0; i < FUNCTION_PARAMS_MAX && fetch->from == FETCH_REG; i++)
		if (passed[i] == fetch->reg)
			return i;
	return -1;
}

/* The value that a field of the unit is, or NULL: the function has no such one. */
static const struct function_value *
value_of(const struct unit *unit, const struct fetch *fetch, const struct function_types *function)
{
	int parameter = parameter_of(fetch);

	if (is_return(unit))
		return fetch->from == FETCH_REG && fetch->reg == offsetof(struct pt_regs, rax) && function->result.size ? &function->result : NULL;
	return parameter >= 0 && (uint32_t)parameter < function->n_params && function->params[parameter].size ? &function->params[parameter]
													      : NULL;
}

/* ---- turning a unit -------------------------------------------------------------------------- */

/* Fields and fetches of the unit's own, from words of the context. Returns NULL, or what is not there. */
static const char *
translate(struct kernel *kernel, struct unit *unit, const struct function_types *function)
{
	const struct event *event = unit->events[0];
	struct field *fields = arena_alloc(kernel->arena, (event->n_fields + 1) * sizeof(*fields));
	struct fetch *fetches = arena_alloc(kernel->arena, (event->n_fields + 1) * sizeof(*fetches));

	for (uint32_t i = 0; i < event->n_fields; i++) {
		const struct fetch *fetch = &event->probe->fetches[i];
		const struct function_value *value = value_of(unit, fetch, function);

		fields[i] = event->fields[i];
		fetches[i] = *fetch;
		if (!reads(unit, &fields[i]) || fetch->from == FETCH_IP || fetch->from == FETCH_FUNC)
			continue;
		if (!value)
			return "the handler reads what BTF knows no parameter or result for";
		fetches[i] = (struct fetch){ .from = FETCH_CONTEXT, .reg = (int16_t)(8 * value->word) };
		fields[i].value_size = value->size;
		fields[i].is_signed = value->is_signed;
	}
	unit->fields = fields;
	unit->fetches = fetches;
	return NULL;
}

static bool
reads_address(const struct unit *unit)
{
	const struct event *event = unit->events[0];

	for (uint32_t i = 0; i < event->n_fields; i++)
		if (reads(unit, &event->fields[i]) &&
		    (event->probe->fetches[i].from == FETCH_IP || event->probe->fetches[i].from == FETCH_FUNC))
			return true;
	return false;
}

/* Returns NULL when the unit is one of direct calls now, else why it is not. */
static const char *
turn(struct kernel *kernel, struct unit *unit, const struct function_types *function)
{
	const char *missing;

	if (!function->id)
		return "BTF does not know the function";
	if (reads_address(unit) && !kernel_has_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_get_func_ip))
		return "the kernel does not tell where the function is";
	if (kernel_is_ambiguous(unit->events[0]))
		return "several functions of this name";
	missing = translate(kernel, unit, function);
	if (missing)
		return missing;
	unit->kind = is_return(unit) ? UNIT_FEXIT : UNIT_FENTRY;
	unit->btf_id = function->id;
	unit->is_direct = true;
	return NULL;
}

static void
turn_back(struct unit *unit)
{
	unit->kind = unit->kind == UNIT_FEXIT ? UNIT_KRETPROBE : UNIT_KPROBE;
	unit->btf_id = 0;
	unit->is_direct = false;
	unit->fields = NULL;
	unit->fetches = NULL;
}

void
kernel_direct_revert(struct unit *unit, int err)
{
	if (debug_on(DEBUG_EVENTS))
		fprintf(stderr, "events: %s:%s: the kernel does not call this function's programs directly (%s): a kprobe\n",
			unit->events[0]->system, unit->events[0]->name, strerror(-err));
	turn_back(unit);
	if (unit->fd >= 0)
		close(unit->fd);
	unit->fd = -1;
}

/* ---- all units ------------------------------------------------------------------------------- */

static bool
is_kprobe(const struct unit *unit)
{
	return unit->kind == UNIT_KPROBE || unit->kind == UNIT_KRETPROBE;
}

static bool
is_of_function(const struct unit *unit, const char *symbol)
{
	for (uint32_t i = 0; i < unit->n_events; i++)
		if (strcmp(unit->events[i]->probe->symbol, symbol) == 0)
			return true;
	return false;
}

static const char obstacle_beside[] = "another handler of the function cannot be called directly, and their order is the script's";

/* Units of the same function at the same point that cannot be turned keep the others from it. */
static const char *
obstacle_of_others(const struct kernel *kernel, const struct unit *unit)
{
	for (uint32_t i = 0; i < kernel->n_units; i++) {
		const struct unit *other = kernel->units[i];

		if (other != unit && other->kind == unit->kind && is_of_function(other, unit->events[0]->probe->symbol) && obstacle(other))
			return obstacle_beside;
	}
	return NULL;
}

static void
note_functions(struct kernel *kernel, struct function_types *functions, uint32_t *n)
{
	*n = 0;
	for (uint32_t i = 0; i < kernel->n_units; i++) {
		struct unit *unit = kernel->units[i];

		if (!is_kprobe(unit))
			continue;
		unit->not_direct = obstacle(unit);
		if (!unit->not_direct)
			unit->not_direct = obstacle_of_others(kernel, unit);
		if (!unit->not_direct && *n == FUNCTIONS_AT_ONCE)
			unit->not_direct = "there are many probes";
		if (!unit->not_direct)
			functions[(*n)++].name = unit->events[0]->probe->symbol;
	}
}

/* Turns all units of one function at its entry, or its return, or none. `kind`: what they are, `direct`: what they become. */
static void
turn_all(struct kernel *kernel, const struct function_types *function, enum unit_kind kind, enum unit_kind direct)
{
	bool failed = false;

	for (uint32_t i = 0; i < kernel->n_units; i++) {
		struct unit *unit = kernel->units[i];

		if (unit->kind != kind || unit->not_direct || strcmp(unit->events[0]->probe->symbol, function->name) != 0)
			continue;
		unit->not_direct = failed ? obstacle_beside : turn(kernel, unit, function);
		failed = unit->not_direct != NULL;
	}
	for (uint32_t i = 0; failed && i < kernel->n_units; i++) {
		struct unit *unit = kernel->units[i];

		if (unit->kind != direct || !unit->is_direct || strcmp(unit->events[0]->probe->symbol, function->name) != 0)
			continue;
		turn_back(unit);
		unit->not_direct = obstacle_beside;
	}
}

void
kernel_plan_direct(struct kernel *kernel)
{
	struct function_types functions[FUNCTIONS_AT_ONCE] = { { 0 } };
	uint32_t n;

	note_functions(kernel, functions, &n);
	if (!n)
		return;
	kernel_functions_read(functions, n);
	for (uint32_t i = 0; i < n; i++) {
		turn_all(kernel, &functions[i], UNIT_KPROBE, UNIT_FENTRY);
		turn_all(kernel, &functions[i], UNIT_KRETPROBE, UNIT_FEXIT);
	}
}
