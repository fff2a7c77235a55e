/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * halves: which code runs in a probe, which in the control half, and what neither can do.
 *
 * Reachability: the control half begins at the main chunk, the probe half at each handler that the control half registers; from there
 * code goes on wherever a function is named. A function may be in both halves: it is then compiled twice.
 *
 *     main --names--> f, g            control half
 *     main --registers--> handler 0 --calls--> g     probe half
 *
 * Both walks keep a queue of functions, so their depth does not follow the script's.
 *
 * Needs: names. Leaves: in_probe, in_control, used_in_probe, used_in_control, handler, and kind, patterns, period_ns, by_name of functions
 * that are registered by a call.
 */
#include <string.h>

#include "lang/lex.h"

/* A call of a function of the script, from the probe half. */
struct edge {
	struct function *to;
	struct span span;
	struct edge *next;
};

/* What is known of a function beside struct function. */
struct reach {
	struct function *function;
	struct edge *calls, **last_call;   /* in the probe half */
	struct function *caller;           /* who first brought it into the probe half; NULL: a handler */
	struct span call;
	bool registered, computed_event;   /* by a call; not under a literal name */
	enum { UNSEEN, OPEN, DONE } state; /* of the search for recursion */
};

struct halves {
	struct tree *tree;
	struct diags *diags;
	struct reach *reach;               /* by function->index */
	struct function **queue;
	uint32_t n_queue, cap_queue;
	struct function *function;         /* whose code is being walked */
	unsigned n_loops;                  /* around the node, in the probe half */
};

static struct reach *
reach_of(const struct halves *halves, const struct function *function)
{
	return &halves->reach[function->index];
}

static void
enqueue(struct halves *halves, struct function *function)
{
	halves->queue = arena_grow(halves->tree->arena, halves->queue, halves->n_queue, &halves->cap_queue, sizeof(*halves->queue));
	halves->queue[halves->n_queue++] = function;
}

/* ---- registering by a call ---- */

static const struct builtin *
called_builtin(const struct node *call)
{
	return call->kind == NODE_CALL ? call->a->builtin : NULL;
}

/* kdebug.tracepoint, kdebug.kprobe, timer.profile: their second argument becomes a handler of the probe half. */
static bool
registers_handler(const struct builtin *builtin)
{
	return builtin && (builtin->id == BUILTIN_KDEBUG_TRACEPOINT || builtin->id == BUILTIN_KDEBUG_KPROBE ||
			   builtin->id == BUILTIN_TIMER_PROFILE);
}

static struct node *
strip_parens(struct node *node)
{
	while (node && node->kind == NODE_PAREN)
		node = node->a;
	return node;
}

/* The function that an expression is, if that can be seen: a literal, or the name of a function that never changes. */
static struct function *
known_function(struct node *node)
{
	node = strip_parens(node);
	if (node && node->kind == NODE_FUNCTION)
		return node->function;
	return node && node->kind == NODE_NAME && node->var ? node->var->constant : NULL;
}

static void
add_pattern(struct halves *halves, struct function *handler, const struct node *name)
{
	struct node *pattern = arena_alloc(halves->tree->arena, sizeof(*pattern));

	*pattern = *name;
	pattern->next = handler->patterns;
	handler->patterns = pattern;
}

static void
report_kinds_differ(struct halves *halves, const struct node *call)
{
	struct diag *diag = diag_error(halves->diags, call->span, "handler-kinds", "this function is a handler of another kind already");

	diag_help(halves->diags, diag, "a handler serves either events or one timer: write a function for each, which may call a third");
}

static void
set_profile(struct halves *halves, struct function *handler, const struct node *call)
{
	const struct node *interval = strip_parens(call->b);
	uint64_t ns = 0;
	const char *wrong;
	struct diag *diag;

	if (interval->kind != NODE_STR) {
		diag = diag_error(halves->diags, interval->span, "computed-interval", "the interval of timer.profile must be written out");
		diag_help(halves->diags, diag, "for example timer.profile(\"10ms\", f); the handler is compiled for it");
		return;
	}
	wrong = interval_parse(interval->s, interval->len, &ns);
	if (wrong)
		interval_report(halves->diags, interval->span, interval->s, wrong);
	if (reach_of(halves, handler)->registered && (handler->kind != FUNCTION_PROFILE || handler->period_ns != ns))
		report_kinds_differ(halves, call);
	handler->kind = FUNCTION_PROFILE;
	handler->period_ns = ns;
}

static void
set_event(struct halves *halves, struct function *handler, const struct node *call, bool literal)
{
	if (handler->kind == FUNCTION_PROFILE)
		report_kinds_differ(halves, call);
	handler->by_name = true;
	if (literal)
		add_pattern(halves, handler, strip_parens(call->b));
	else
		reach_of(halves, handler)->computed_event = true;
}

static void
report_no_handler(struct halves *halves, const struct node *call, const struct node *handler)
{
	struct diag *diag = diag_error(halves->diags, handler->span, "handler-not-constant", "the handler of %s must be a function that is "
				       "known before the script runs", call->a->builtin->name);

	diag_help(halves->diags, diag, "write function () { ... } here, or the name of a function that is never assigned again");
}

static void
check_handler(struct halves *halves, const struct function *handler)
{
	struct diag *diag;

	if (!handler->n_params && !handler->is_vararg)
		return;
	diag = diag_error(halves->diags, handler->span, "handler-params", "a handler is called without arguments");
	diag_help(halves->diags, diag, "the event is in argstr, arg0 ... arg9 and args.NAME");
}

static void
register_handler(struct halves *halves, const struct node *call)
{
	struct node *second = call->b ? call->b->next : NULL;
	struct function *handler = known_function(second);
	enum builtin_id id = call->a->builtin->id;

	if (!second)
		return; /* the missing argument was reported */
	if (!handler) {
		report_no_handler(halves, call, second);
		return;
	}
	check_handler(halves, handler);
	if (id == BUILTIN_TIMER_PROFILE)
		set_profile(halves, handler, call);
	else
		set_event(halves, handler, call, id == BUILTIN_KDEBUG_TRACEPOINT && strip_parens(call->b)->kind == NODE_STR);
	reach_of(halves, handler)->registered = true;
	handler->in_probe = true;
}

/* ---- the control half ---- */

static void
control_list(struct halves *halves, struct node *node);

static void
need_in_control(struct halves *halves, struct function *function)
{
	if (function->in_control)
		return;
	function->in_control = true;
	enqueue(halves, function);
}

static void
report_event_only(struct halves *halves, const struct node *node, const char *what)
{
	struct diag *diag = diag_error(halves->diags, node->span, "event-only", "%s has a meaning only in a probe", what);

	if (halves->function->kind == FUNCTION_MAIN)
		diag_help(halves->diags, diag, "the main chunk runs once, before any event: use it inside trace ... { }");
	else if (halves->function->kind == FUNCTION_PLAIN)
		diag_help(halves->diags, diag, "this function is called from the main chunk, tick or trace_end, where there is no event");
	else
		diag_help(halves->diags, diag, "keep it in a variable or a table inside trace ... { } and use that here");
}

static void
control_builtin(struct halves *halves, const struct node *node)
{
	if (!(node->builtin->halves & HALF_CONTROL))
		report_event_only(halves, node, node->builtin->name);
}

static void
check_tick_interval(struct halves *halves, const struct node *call)
{
	const struct node *interval = strip_parens(call->b);
	const char *wrong;
	uint64_t ns;

	if (!interval || interval->kind != NODE_STR)
		return;
	wrong = interval_parse(interval->s, interval->len, &ns);
	if (wrong)
		interval_report(halves->diags, interval->span, interval->s, wrong);
}

/* Of a call that registers a handler, only the name and what else is evaluated. */
static void
control_call(struct halves *halves, struct node *node)
{
	const struct builtin *builtin = called_builtin(node);

	if (!registers_handler(builtin)) {
		if (builtin && builtin->id == BUILTIN_TIMER_TICK)
			check_tick_interval(halves, node);
		control_list(halves, node->a);
		control_list(halves, node->b);
		return;
	}
	register_handler(halves, node);
	for (struct node *arg = node->b, *next; arg; arg = next) {
		next = arg->next;
		arg->next = NULL;
		if (!known_function(arg))
			control_list(halves, arg);
		arg->next = next;
	}
}

/* A declaration with a value is a use, since main sets it; without one it is not. */
static void
control_declaration(const struct node *node)
{
	for (const struct node *name = node->a; name; name = name->next)
		if (name->kind == NODE_VAR_NAME && name->var)
			name->var->used_in_control |= node->kind != NODE_VAR || node->b;
}

static void
control_node(struct halves *halves, struct node *node)
{
	switch ((int)node->kind) {
	case NODE_TRACE:
	case NODE_PROFILE:
		node->function->in_probe = true;
		return;
	case NODE_TICK:
	case NODE_SIGNAL:
	case NODE_TRACE_END:
	case NODE_FUNCTION:
		need_in_control(halves, node->function);
		return;
	case NODE_FUNCTION_STAT:
		if (!node->a->var->constant) /* a variable that holds it at first */
			need_in_control(halves, node->b->function);
		return; /* else only if something names it */
	case NODE_ARG:
		report_event_only(halves, node, "argN");
		return;
	case NODE_ARGS:
		report_event_only(halves, node, "args");
		return;
	case NODE_CALL:
		control_call(halves, node);
		return;
	case NODE_VAR:
		/* A function that never changes is there only if something names it, as with FUNCTION_STAT. */
		if (node->a->var && node->a->var->constant && !node->a->next && node->b && !node->b->next)
			return;
		break;
	case NODE_NAME:
		if (node->var && node->var->constant)
			need_in_control(halves, node->var->constant);
		else if (node->var)
			node->var->used_in_control = true;
		break;
	}
	if (node->builtin) {
		control_builtin(halves, node);
		return; /* below a library's function there are only its names */
	}
	control_declaration(node);
	control_list(halves, node->a);
	control_list(halves, node->b);
	control_list(halves, node->c);
	control_list(halves, node->d);
}

static void
control_list(struct halves *halves, struct node *node)
{
	for (; node; node = node->next)
		control_node(halves, node);
}

static void
walk_control_half(struct halves *halves)
{
	need_in_control(halves, halves->tree->main);
	for (uint32_t i = 0; i < halves->n_queue; i++) {
		halves->function = halves->queue[i];
		control_list(halves, halves->function->body);
	}
	halves->n_queue = 0;
}

/* ---- the probe half ---- */

static void
probe_list(struct halves *halves, struct node *node);

/* Why is this function in the probe half? */
static void
note_caller(struct halves *halves, struct diag *diag)
{
	const struct reach *reach = reach_of(halves, halves->function);

	if (reach->caller)
		diag_note(halves->diags, diag, reach->call, "'%s' runs in a probe since it is called here", halves->function->name);
}

static struct diag *
refuse(struct halves *halves, struct span span, const char *slug, const char *what)
{
	struct diag *diag = diag_error(halves->diags, span, slug, "%s", what);

	note_caller(halves, diag);
	return diag;
}

static void
refuse_with(struct halves *halves, const struct node *node, const char *slug, const char *what, const char *cure)
{
	struct diag *diag = refuse(halves, node->span, slug, what);

	diag_help(halves->diags, diag, "%s", cure);
}

/* What the probe half does not have at all. Its code is compiled before the script runs and checked to end, in fixed memory. */
static const struct refusal {
	enum node_kind kind;
	const char *slug, *what, *cure;
} refusals[] = {
	{ NODE_FUNCTION, "function-in-probe", "a probe cannot make a function", "declare it in the main chunk; a probe can call it there" },
	{ NODE_FUNCTION_STAT, "function-in-probe", "a probe cannot make a function",
	  "declare it in the main chunk; a probe can call it there" },
	{ NODE_TABLE, "table-in-probe", "a probe cannot make a table",
	  "declare one in the main chunk, var t = {}; its elements may be tables, which need no making: t[pid][name] = 1" },
	{ NODE_TRACE, "register-in-probe", "a probe cannot register a handler",
	  "register it in the main chunk, and let the handler test a variable" },
	{ NODE_PROFILE, "register-in-probe", "a probe cannot register a timer",
	  "register it in the main chunk, and let the handler test a variable" },
	{ NODE_TICK, "register-in-probe", "a probe cannot register a timer",
	  "register it in the main chunk, and let the handler test a variable" },
	{ NODE_SIGNAL, "register-in-probe", "a probe cannot register a handler",
	  "register it in the main chunk, and let the handler test a variable" },
	{ NODE_TRACE_END, "register-in-probe", "a probe cannot register trace_end",
	  "register it in the main chunk, and let it test a variable" },
	{ NODE_VARARG, "vararg-in-probe", "'...' cannot be used in a probe", "give the function as many parameters as it needs" },
	{ NODE_METHOD, "method-in-probe", "a probe cannot call a method", "call a function by its name and pass the table to it" },
};

static const struct refusal *
find_refusal(enum node_kind kind)
{
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++)
		if (refusals[i].kind == kind)
			return &refusals[i];
	return NULL;
}

static void
probe_builtin(struct halves *halves, const struct node *node, bool called)
{
	const struct builtin *builtin = node->builtin;
	struct diag *diag;

	if (!(builtin->halves & HALF_PROBE)) {
		diag = refuse(halves, node->span, "control-only",
			      arena_printf(halves->tree->arena, "'%s' cannot be used in a probe", builtin->name));
		if (builtin->id == BUILTIN_ARG)
			diag_help(halves->diags, diag, "args.NAME is a field of the event, arg0 ... arg9 likewise; an argument of the script is kept in a "
				  "variable of the main chunk: var x = arg[1]");
		else
			diag_help(halves->diags, diag, "it works in the main chunk, in tick and in trace_end: keep what it needs in a variable or table");
	} else if (builtin->is_call && !called) {
		diag = refuse(halves, node->span, "function-value",
			      arena_printf(halves->tree->arena, "'%s' is a function; a probe can only call it", builtin->name));
		diag_help(halves->diags, diag, "write %s()", builtin->name);
	}
}

/* A variable of the code around the probe. */
static void
probe_capture(struct halves *halves, const struct node *node)
{
	struct variable *var = node->var;
	struct diag *diag;

	if (var->function == halves->function)
		return;
	var->used_in_probe = true;
	if (!var->in_loop)
		return;
	diag = refuse(halves, node->span, "captured-loop-variable",
		      arena_printf(halves->tree->arena, "a probe cannot use '%s', of which there are several", var->name));
	diag_note(halves->diags, diag, var->span, "it is declared here, in a loop or a function, anew each time");
	diag_help(halves->diags, diag, "declare it in the main chunk, outside of loops; or a table there, with an entry each time");
}

static void
probe_name(struct halves *halves, const struct node *node)
{
	struct diag *diag;

	if (node->builtin) {
		probe_builtin(halves, node, false);
	} else if (node->var && node->var->constant) {
		diag = refuse(halves, node->span, "function-value",
			      arena_printf(halves->tree->arena, "'%s' is a function; a probe can only call it", node->s));
		diag_help(halves->diags, diag, "functions cannot be stored or passed there");
	} else if (node->var) {
		probe_capture(halves, node);
	}
}

static void
probe_call_function(struct halves *halves, const struct node *call, struct function *callee)
{
	struct reach *from = reach_of(halves, halves->function), *to = reach_of(halves, callee);
	struct edge *edge = arena_alloc(halves->tree->arena, sizeof(*edge));

	edge->to = callee;
	edge->span = call->span;
	*from->last_call = edge;
	from->last_call = &edge->next;
	if (callee->in_probe)
		return;
	callee->in_probe = true;
	to->caller = halves->function;
	to->call = call->span;
	enqueue(halves, callee);
}

/* Is what is called, or gives what is called, an unknown name? Then that was reported, and all else follows from it. */
static bool
is_unknown(const struct node *callee)
{
	while (callee->kind == NODE_CALL)
		callee = callee->a;
	return callee->kind == NODE_ERROR || (callee->kind == NODE_NAME && !callee->var && !callee->builtin);
}

static void
probe_call(struct halves *halves, struct node *call)
{
	struct node *callee = call->a;

	if (callee->builtin)
		probe_builtin(halves, callee, true);
	else if (callee->kind == NODE_NAME && callee->var && callee->var->constant)
		probe_call_function(halves, call, callee->var->constant);
	else if (is_unknown(callee))
		return;
	else
		refuse_with(halves, callee, "call-of-value", "a probe cannot call a function that is found only when it runs",
			    "it can call what `function NAME` declares and nothing assigns later");
	probe_list(halves, call->b);
}

/* for (k, v in pairs(t)) and no other form. */
static void
probe_for_in(struct halves *halves, struct node *node)
{
	const struct builtin *builtin = called_builtin(node->b);

	if (!builtin || builtin->id != BUILTIN_PAIRS || node->b->next)
		refuse_with(halves, node->b, "for-in-probe", "a probe walks a table by pairs(t) only",
			    "by value, or what is no table, it is walked in tick or trace_end");
	else
		probe_list(halves, node->b->b);
	probe_list(halves, node->c);
}

/* `return f(x)` in f, outside of loops: f goes on with another x. */
static bool
probe_tail_call(struct halves *halves, struct node *node)
{
	const struct node *call = node->a;
	struct function *function = halves->function;

	if (halves->n_loops || !call || call->next || call->kind != NODE_CALL || function->kind != FUNCTION_PLAIN || function->is_vararg)
		return false;
	if (call->a->kind != NODE_NAME || !call->a->var || call->a->var->constant != function)
		return false;
	node->tail_call = function->tail_calls_itself = true;
	probe_list(halves, call->b);
	return true;
}

static bool
is_loop(const struct node *node)
{
	return node->kind == NODE_WHILE || node->kind == NODE_REPEAT || node->kind == NODE_FOR_RANGE || node->kind == NODE_FOR_STEP ||
	       node->kind == NODE_FOR_IN;
}

static void
probe_node(struct halves *halves, struct node *node)
{
	const struct refusal *refusal = find_refusal(node->kind);
	bool loops = is_loop(node);

	if (refusal)
		refuse_with(halves, node, refusal->slug, refusal->what, refusal->cure);
	if (node->kind == NODE_FUNCTION_STAT || node->kind == NODE_FUNCTION)
		return;
	if (node->kind == NODE_RETURN && probe_tail_call(halves, node))
		return;
	halves->n_loops += loops;
	if (node->kind == NODE_FOR_IN) {
		probe_for_in(halves, node);
		halves->n_loops--;
		return;
	}
	if (node->kind == NODE_CALL) {
		probe_call(halves, node);
		return;
	}
	if (node->kind == NODE_NAME)
		probe_name(halves, node);
	else if (node->builtin)
		probe_builtin(halves, node, false);
	if (node->builtin)
		return;
	probe_list(halves, node->a);
	probe_list(halves, node->b);
	probe_list(halves, node->c);
	probe_list(halves, node->d);
	halves->n_loops -= loops;
}

static void
probe_list(struct halves *halves, struct node *node)
{
	for (; node; node = node->next)
		probe_node(halves, node);
}

/* Numbers the handlers in the order of the text and walks what they reach. */
static void
walk_probe_half(struct halves *halves)
{
	for (struct function *function = halves->tree->functions; function; function = function->next) {
		if (!function->in_probe)
			continue;
		function->handler = halves->tree->n_handlers++;
		enqueue(halves, function);
	}
	for (uint32_t i = 0; i < halves->n_queue; i++) {
		halves->function = halves->queue[i];
		probe_list(halves, halves->function->filter);
		probe_list(halves, halves->function->body);
	}
}

/* ---- recursion in the probe half ---- */

/* The functions from edge->to on to path[n - 1] call each other in turn, and the last one, by `edge`, the first. */
static void
report_recursion(struct halves *halves, struct reach *const *path, uint32_t n, const struct edge *edge)
{
	uint32_t from = n - 1;
	struct diag *diag;
	struct text chain = { 0 };

	if (halves->diags->n_errors > DIAGS_MAX)
		return; /* nobody would see it */
	while (path[from]->function != edge->to)
		from--;
	for (uint32_t i = from; i < n && i < from + 8; i++)
		text_printf(&chain, "%s -> ", path[i]->function->name);
	diag = diag_error(halves->diags, edge->span, "recursive-probe-function", "a probe cannot call a function that calls itself: %s%s%s",
			  chain.s, n > from + 8 ? "... -> " : "", edge->to->name);
	diag_help(halves->diags, diag, "use a loop, or `return f(...)` outside of loops, which is one; or do it in tick or trace_end");
	text_fini(&chain);
}

/*
 * Depth-first search with a path of its own: path[n - 1] is looked at, its `calls` are the ones not yet followed. A call of a function
 * that is still on the path closes a circle.
 */
static void
find_recursion_from(struct halves *halves, struct reach *start, struct reach **path)
{
	uint32_t n = 0;

	path[n++] = start;
	start->state = OPEN;
	while (n) {
		struct reach *reach = path[n - 1], *to;
		struct edge *edge = reach->calls;

		if (!edge) {
			reach->state = DONE;
			n--;
			continue;
		}
		reach->calls = edge->next;
		to = reach_of(halves, edge->to);
		if (to->state == OPEN) {
			report_recursion(halves, path, n, edge);
		} else if (to->state == UNSEEN) {
			to->state = OPEN;
			path[n++] = to;
		}
	}
}

static void
find_recursion(struct halves *halves)
{
	struct reach **path = arena_alloc(halves->tree->arena, halves->tree->n_functions * sizeof(*path));

	for (struct function *function = halves->tree->functions; function; function = function->next)
		if (function->in_probe && reach_of(halves, function)->state == UNSEEN)
			find_recursion_from(halves, reach_of(halves, function), path);
}

/* ---- */

/* A handler that is registered under a computed name too serves any event: what it is named elsewhere does not matter. */
static void
settle_patterns(struct halves *halves)
{
	for (struct function *function = halves->tree->functions; function; function = function->next)
		if (reach_of(halves, function)->computed_event)
			function->patterns = NULL;
}

void
split_halves(struct tree *tree, struct diags *diags)
{
	struct halves halves = { .tree = tree, .diags = diags };

	halves.reach = arena_alloc(tree->arena, tree->n_functions * sizeof(*halves.reach));
	for (struct function *function = tree->functions; function; function = function->next) {
		struct reach *reach = reach_of(&halves, function);

		reach->function = function;
		reach->last_call = &reach->calls;
	}
	walk_control_half(&halves);
	settle_patterns(&halves);
	walk_probe_half(&halves);
	find_recursion(&halves);
}
