/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Statistics: `s <<< value`, and what of the samples is kept.
 *
 * A statistic keeps what the script reads of it, no more. Only the control half reads: by count(s), avg(t[k]), print_hist(t) and the
 * like, where the argument's text names the statistic or a variable that a walk, `for (k, s in pairs(t))`, or `var s = t[k]` gave it. One
 * that is handed on in another way keeps whatever is read anywhere of what is not known by name. One that is read nowhere is there for others: who hosts
 * the script, or looks at its pinned tables.
 *
 * Needs: the types of the probe half. Leaves: `stat` in all types of kind STAT.
 */
#include "lang/infer_int.h"

#define KEEP(part) (1u << STAT_##part)
#define KEEP_NUMBERS (KEEP(COUNT) | KEEP(SUM) | KEEP(MIN) | KEEP(MAX)) /* what costs a word each */

/* ---- s <<< value ---- */

static struct type *
infer_sampled_variable(struct infer *infer, struct node *target)
{
	struct variable *var = target->var;
	struct type *type = infer_variable(infer, var);
	struct diag *diag;

	if (!variable_is_shared(var)) {
		diag = diag_error(infer->diags, target->span, "statistic-in-probe", "'%s' is a variable of the probe and ends with it",
				  var->name);
		diag_help(infer->diags, diag, "declare the statistic in the main chunk: var %s", var->name);
	}
	return infer_settle(infer, target, type, false);
}

void
infer_sample(struct infer *infer, struct node *node)
{
	struct type *stat = infer_type(infer, TYPE_STAT, node->span), *type;

	infer_require(infer, node->b, TYPE_INT, "sample of '<<<'");
	if (node->a->kind == NODE_NAME && node->a->var) {
		type = infer_sampled_variable(infer, node->a);
		infer_unify(infer, stat, type, node->a->span, node->a->s);
	} else if (node->a->kind == NODE_INDEX && node->a->a->kind != NODE_ARGS) {
		type = infer_index(infer, node->a, ACCESS_SAMPLE);
		if (node->a->member)
			diag_error(infer->diags, node->a->span, "assign-field", "structures of the kernel cannot be assigned");
		infer_unify(infer, stat, type, node->a->span, "target of '<<<'");
	} else {
		diag_error(infer->diags, node->a->span, "assign-field", "fields of an event cannot be assigned");
	}
}

void
infer_check_no_stat(struct infer *infer, const struct node *node)
{
	struct diag *diag;

	if (!node->type || type_find(node->type)->kind != TYPE_STAT)
		return;
	diag = diag_error(infer->diags, node->span, "statistic-in-probe", "a probe cannot read a statistic");
	diag_help(infer->diags, diag, "each CPU has its own part of it; read it in the main chunk, in tick or in trace_end");
}

/* ---- what the control half reads ---- */

/* What the probes know of the type of an expression of the control half: a variable, or an element. NULL: nothing. */
static struct type *
known_type(const struct node *node)
{
	struct type *type = NULL;

	while (node->kind == NODE_PAREN)
		node = node->a;
	if (node->kind == NODE_INDEX) {
		type = known_type(node->a);
		type = type && type->kind == TYPE_TABLE ? type->value : NULL;
	} else if (node->kind == NODE_NAME && node->var) {
		type = node->var->type;
	}
	return type ? type_find(type) : NULL;
}

/* The statistic that an expression of the control half stands for, NULL: none, or not known from its text. */
static struct type *
stat_of(const struct node *node)
{
	struct type *type = known_type(node);

	return type && type->kind == TYPE_STAT ? type : NULL;
}

/* The statistics in the table that is named here, or in tables in it; NULL: it is something else. */
static struct type *
elements_of(const struct node *node)
{
	struct type *type = node ? known_type(node) : NULL;

	if (!type || type->kind != TYPE_TABLE)
		return NULL;
	while (type && type->kind == TYPE_TABLE)
		type = type->value ? type_find(type->value) : NULL;
	return type && type->kind == TYPE_STAT ? type : NULL;
}

static uint32_t
parts_read_by(const struct builtin *builtin)
{
	switch ((int)builtin->id) {
	case BUILTIN_COUNT:
	case BUILTIN_SORTED:
		return KEEP(COUNT);
	case BUILTIN_SUM:
		return KEEP(SUM);
	case BUILTIN_AVG:
		return KEEP(COUNT) | KEEP(SUM);
	case BUILTIN_MIN:
		return KEEP(MIN);
	case BUILTIN_MAX:
		return KEEP(MAX);
	case BUILTIN_STDDEV:
		return KEEP(COUNT) | KEEP(SUM) | KEEP(SQUARES);
	case BUILTIN_PRINT_HIST:
		return KEEP(LOG2);
	case BUILTIN_PRINT:
	case BUILTIN_STRINGOF:
		return KEEP_NUMBERS;
	default: /* the others read nothing of a statistic */
		return 0;
	}
}

/* hist_linear(lo, hi, step) of numbers that are written out. */
static bool
linear_layout(struct infer *infer, const struct node *call, struct stat_layout *layout)
{
	int64_t numbers[3];
	unsigned n = 0;

	for (const struct node *arg = call->b; arg; arg = arg->next, n++) {
		bool minus = arg->kind == NODE_UNARY && arg->op == TOKEN_MINUS;
		const struct node *number = minus ? arg->a : arg;

		if (number->kind != NODE_INT) {
			diag_error(infer->diags, arg->span, "hist-linear", "the limits of hist_linear() must be numbers, written out");
			return false;
		}
		numbers[n] = minus ? (int64_t)(0 - (uint64_t)number->number) : number->number; /* the least number is its own negative */
	}
	if (numbers[2] <= 0 || numbers[0] >= numbers[1] ||
	    ((uint64_t)numbers[1] - (uint64_t)numbers[0] - 1) / (uint64_t)numbers[2] >= STAT_BUCKETS_MAX) {
		diag_error(infer->diags, call->span, "hist-linear",
			   "hist_linear(lo, hi, step) needs lo below hi, a step above 0, and at most %d steps", STAT_BUCKETS_MAX);
		return false;
	}
	*layout = (struct stat_layout){ .keep = KEEP(LINEAR), .lo = numbers[0], .hi = numbers[1], .step = numbers[2] };
	return true;
}

static void
keep_linear(struct infer *infer, struct stat_layout *layout, const struct stat_layout *linear, struct span span)
{
	if (stat_keeps(layout, STAT_LINEAR) && (layout->lo != linear->lo || layout->hi != linear->hi || layout->step != linear->step))
		diag_error(infer->diags, span, "hist-linear", "a statistic has one linear histogram; another one is printed elsewhere");
	layout->keep |= KEEP(LINEAR);
	layout->lo = linear->lo;
	layout->hi = linear->hi;
	layout->step = linear->step;
}

static bool
calls(const struct node *node, enum builtin_id id)
{
	return node && node->kind == NODE_CALL && node->a->builtin && node->a->builtin->id == id;
}

struct reading {
	struct infer *infer;
	struct stat_layout unknown; /* what is read of statistics that are not known by name */
};

static void
read_list(struct reading *reading, const struct node *node);

/* One argument of a builtin that reads `parts`, or the form of a linear histogram. */
static void
read_argument(struct reading *reading, const struct node *call, const struct node *arg)
{
	struct type *stat = stat_of(arg), *elements = elements_of(arg);
	uint32_t parts = parts_read_by(call->a->builtin);
	struct stat_layout linear, *layout;

	if (!stat && elements && parts)
		stat = elements;
	layout = stat ? &stat->stat : &reading->unknown;
	if (arg == call->b && calls(arg->next, BUILTIN_HIST_LINEAR)) {
		if (linear_layout(reading->infer, arg->next, &linear))
			keep_linear(reading->infer, layout, &linear, call->span);
	} else if (stat || !calls(call, BUILTIN_PRINT)) {
		layout->keep |= parts;
	}
}

static void
escape(const struct node *node)
{
	struct type *stat = stat_of(node);

	if (!stat)
		stat = elements_of(node);
	if (stat)
		stat->stat_escapes = true;
}

/* An argument that names a statistic is read by the builtin; below others, and in calls of functions, there may be more. */
static void
read_call(struct reading *reading, const struct node *call)
{
	const struct builtin *builtin = call->a->builtin;
	bool reads = builtin && parts_read_by(builtin);
	bool walks = builtin && (builtin->id == BUILTIN_PAIRS || builtin->id == BUILTIN_LEN || builtin->id == BUILTIN_DELETE);

	if (!builtin)
		read_list(reading, call->a);
	for (const struct node *arg = call->b; arg; arg = arg->next) {
		struct node alone = *arg;

		alone.next = NULL;
		if (reads)
			read_argument(reading, call, arg);
		if (arg->kind == NODE_INDEX)
			read_list(reading, arg->b);
		if ((reads || walks) && (stat_of(arg) || elements_of(arg)))
			continue;
		if (arg->kind != NODE_INDEX || !stat_of(arg))
			read_list(reading, &alone);
		else
			escape(arg);
	}
}

/* A variable that is given this once: a statistic, or a table of some. */
static bool
name_value(const struct node *name, struct type *type)
{
	bool holds = type && (type->kind == TYPE_STAT || type->kind == TYPE_TABLE) && name->var && !name->var->is_assigned && !name->var->type;

	if (holds)
		name->var->type = type;
	return holds;
}

/* for (k, s in pairs(t)): s is an element; likewise var s = t[k]. */
static void
name_elements(const struct node *name, const struct node *table)
{
	struct type *type = elements_of(table) ? known_type(table) : NULL;

	while (name->next && name->next->kind == NODE_VAR_NAME)
		name = name->next;
	name_value(name, type ? type_find(type->value) : NULL);
}

static void
name_values(const struct node *names, const struct node *values)
{
	for (; names && values; names = names->next, values = values->next) {
		bool is_element = stat_of(values) || (values->kind == NODE_INDEX && elements_of(values));

		if (!name_value(names, is_element ? known_type(values) : NULL))
			escape(values);
	}
}

static void
read_node(struct reading *reading, const struct node *node)
{
	switch ((int)node->kind) {
	case NODE_CALL:
		read_call(reading, node);
		return;
	case NODE_FOR_IN:
		if (calls(node->b, BUILTIN_PAIRS) || calls(node->b, BUILTIN_SORTED))
			name_elements(node->a, node->b->b);
		read_list(reading, node->b);
		read_list(reading, node->c);
		return;
	case NODE_VAR:
		name_values(node->a, node->b);
		for (const struct node *value = node->b; value; value = value->next)
			if (!stat_of(value) && !elements_of(value))
				read_node(reading, value);
		return;
	case NODE_SAMPLE:
		if (node->a->kind == NODE_INDEX)
			read_list(reading, node->a->b);
		read_list(reading, node->b);
		return;
	case NODE_NAME:
	case NODE_INDEX:
		escape(node);
		break;
	default: /* the rest are walked */
		break;
	}
	if (node->kind == NODE_INDEX && known_type(node)) {
		for (; node->kind == NODE_INDEX; node = node->a)
			read_list(reading, node->b);
		return;
	}
	read_list(reading, node->a);
	read_list(reading, node->b);
	read_list(reading, node->c);
	read_list(reading, node->d);
}

static void
read_list(struct reading *reading, const struct node *node)
{
	for (; node; node = node->next)
		read_node(reading, node);
}

static void
settle_layout(struct reading *reading, struct type *type)
{
	if (type->stat_escapes) {
		type->stat.keep |= (reading->unknown.keep & ~KEEP(LINEAR)) | KEEP_NUMBERS;
		if (stat_keeps(&reading->unknown, STAT_LINEAR))
			keep_linear(reading->infer, &type->stat, &reading->unknown, type->span);
	}
	if (!type->stat.keep)
		type->stat.keep = KEEP_NUMBERS;
}

void
infer_statistics(struct infer *infer)
{
	struct typed *typed = infer->typed;
	struct reading reading = { .infer = infer };

	for (struct function *function = typed->tree->functions; function; function = function->next) {
		if (function->in_control)
			read_list(&reading, function->body);
	}
	for (uint32_t i = 0; i < typed->n_shared; i++) {
		struct type *type = type_find(typed->shared[i]->type);

		while (type->kind == TYPE_TABLE && type->value)
			type = type_find(type->value);
		if (type->kind == TYPE_STAT)
			settle_layout(&reading, type);
	}
}
