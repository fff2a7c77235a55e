/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * names: what each name stands for.
 *
 * Variables are lexical, as in Lua: a name means the last declaration before it in the blocks around it; there are no globals. A name
 * that no variable has may be a builtin, a library in front of a dot, `args`, or, in the filter of a trace statement, a field of the event.
 *
 * Each name that the script uses is a symbol, found by hashing; a symbol's variables form a stack, innermost on top, and leaving a block
 * pops what it declared: so the whole is linear in the script.
 *
 * Needs: a parsed tree. Leaves: var or builtin set on every NAME and on INDEX nodes that name a builtin (kdebug.kprobe);
 * function, constant, is_assigned, in_loop of variables.
 */
#include <limits.h>
#include <string.h>

#include "lang/lex.h"

struct symbol {
	const char *name;
	struct declared *top;
	struct diag *reported;   /* that it is unknown: once is enough */
	bool declared_late;      /* and that was noted */
	struct symbol *next;     /* in the slot */
};

/* A variable that is visible. */
struct declared {
	struct variable *var;
	struct symbol *symbol;
	struct declared *outer;   /* the variable of the same name that it hides */
	struct declared *before;  /* declared before this one, anywhere */
};

/* `function f` and `var f = function`: constant unless the variable is assigned later. */
struct candidate {
	struct variable *var;
	struct function *function;
	struct candidate *next;
};

/* x += 1 of a variable. */
struct addition {
	const struct node *target;
	struct addition *next;
};

struct names {
	struct arena *arena;
	struct diags *diags;
	struct symbol **slots;
	uint32_t n_symbols, cap;
	struct declared *visible; /* all, the last one first */
	struct function *function;
	unsigned n_loops;        /* around the statement, in this function */
	bool in_filter;
	const struct node *callee; /* what the call that is looked at calls */
	const struct node *word;   /* in a filter, right of == or !=: may be a word */
	const struct node *table;  /* what an index or `.` is looked for in */
	struct candidate *candidates;
	struct addition *additions, **last_addition;
};

static void
resolve_list(struct names *names, struct node *node);

static void
resolve_block(struct names *names, struct node *block);

/* ---- symbols ---- */

static void
grow_slots(struct names *names)
{
	uint32_t cap = names->cap ? names->cap * 2 : 64;
	struct symbol **slots = arena_alloc(names->arena, cap * sizeof(*slots));

	for (uint32_t i = 0; i < names->cap; i++)
		for (struct symbol *symbol = names->slots[i], *next; symbol; symbol = next) {
			struct symbol **slot = &slots[text_hash(symbol->name, strlen(symbol->name)) & (cap - 1)];

			next = symbol->next;
			symbol->next = *slot;
			*slot = symbol;
		}
	names->slots = slots;
	names->cap = cap;
}

static struct symbol *
find_symbol(struct names *names, const char *name)
{
	struct symbol *symbol, **slot;

	if (names->n_symbols >= names->cap)
		grow_slots(names);
	slot = &names->slots[text_hash(name, strlen(name)) & (names->cap - 1)];
	for (symbol = *slot; symbol; symbol = symbol->next)
		if (strcmp(symbol->name, name) == 0)
			return symbol;
	symbol = arena_alloc(names->arena, sizeof(*symbol));
	symbol->name = name;
	symbol->next = *slot;
	*slot = symbol;
	names->n_symbols++;
	return symbol;
}

/* ---- variables ---- */

static struct variable *
find_variable(struct names *names, const char *name)
{
	struct declared *top = find_symbol(names, name)->top;

	return top ? top->var : NULL;
}

/* A name that was reported as unknown is declared after all, but later. */
static void
note_late(struct names *names, struct symbol *symbol, const struct variable *var)
{
	if (!symbol->reported || symbol->declared_late || var->is_param)
		return;
	symbol->declared_late = true;
	diag_note(names->diags, symbol->reported, var->span, "a declaration counts from here on, not before");
}

static void
bind(struct names *names, struct variable *var)
{
	struct declared *binding = arena_alloc(names->arena, sizeof(*binding));

	binding->var = var;
	binding->symbol = find_symbol(names, var->name);
	binding->outer = binding->symbol->top;
	binding->symbol->top = binding;
	binding->before = names->visible;
	names->visible = binding;
	note_late(names, binding->symbol, var);
}

/* Makes all variables declared since `until` invisible again. */
static void
unbind(struct names *names, struct declared *until)
{
	for (; names->visible != until; names->visible = names->visible->before)
		names->visible->symbol->top = names->visible->outer;
}

static void
declare(struct names *names, struct node *name)
{
	struct variable *var = arena_alloc(names->arena, sizeof(*var));

	var->name = name->s;
	var->span = name->span;
	var->function = names->function;
	var->in_loop = names->n_loops > 0 || names->function->kind != FUNCTION_MAIN;
	var->is_set = true;
	name->var = var;
	bind(names, var);
}

static void
declare_list(struct names *names, struct node *list)
{
	for (; list; list = list->next)
		declare(names, list);
}

static void
add_candidate(struct names *names, struct variable *var, struct function *function)
{
	struct candidate *candidate = arena_alloc(names->arena, sizeof(*candidate));

	*candidate = (struct candidate){ var, function, names->candidates };
	names->candidates = candidate;
}

/* ---- unknown names ---- */

static unsigned
suggestion_limit(const char *name)
{
	size_t len = strlen(name);

	return len < 3 ? 0 : len < 6 ? 1 : 2;
}

struct nearest {
	const char *name;
	unsigned distance;
};

static void
consider(struct nearest *nearest, const char *name, const char *other)
{
	unsigned limit = nearest->distance, distance;

	if (limit == 0)
		return;
	distance = text_distance(name, other, limit - 1);
	if (distance < limit) {
		nearest->name = other;
		nearest->distance = distance;
	}
}

static const char *
suggest(const struct names *names, const char *name, bool with_builtins)
{
	struct nearest nearest = { NULL, suggestion_limit(name) + 1 };

	if (names->diags->n_errors > DIAGS_MAX)
		return NULL; /* nobody will see it */
	for (const struct declared *binding = names->visible; binding; binding = binding->before)
		consider(&nearest, name, binding->var->name);
	for (unsigned id = 0; with_builtins && id < N_BUILTINS; id++)
		consider(&nearest, name, builtin_get(id)->name);
	return nearest.name;
}

/* "kdebug" where there are builtins kdebug.SOMETHING. */
static bool
is_library(const char *name)
{
	size_t len = strlen(name);

	for (unsigned id = 0; id < N_BUILTINS; id++)
		if (strncmp(builtin_get(id)->name, name, len) == 0 && builtin_get(id)->name[len] == '.')
			return true;
	return false;
}

static void
report_unknown(struct names *names, const struct node *node)
{
	struct symbol *symbol = find_symbol(names, node->s);
	const char *near, *instead = foreign_name(node->s);
	struct diag *diag;

	if (symbol->reported)
		return;
	if (is_library(node->s)) {
		diag_error(names->diags, node->span, "unknown-name", "'%s' is a library; its functions are called as %s.NAME()",
				  node->s, node->s);
		return;
	}
	diag = diag_error(names->diags, node->span, "unknown-name", "unknown name '%s'", node->s);
	symbol->reported = diag;
	near = suggest(names, node->s, true);
	if (instead)
		diag_help(names->diags, diag, "%s", instead);
	else if (near)
		diag_help(names->diags, diag, "did you mean '%s'?", near);
	else if (foreign_is_constant(node->s))
		diag_help(names->diags, diag, FOREIGN_CONSTANT, node->s);
	else if (node == names->table)
		diag_help(names->diags, diag, "tables are declared in front of the handlers that use them: var %s = {}", node->s);
	else if (names->function->kind == FUNCTION_TRACE)
		diag_help(names->diags, diag, "variables are declared with var before they are used; a field of the event is args.%s", node->s);
	else
		diag_help(names->diags, diag, "variables are declared with var before they are used");
}

/* `form` is what follows the name where it is declared. */
static void
report_undeclared(struct names *names, const struct node *node, const char *form)
{
	struct symbol *symbol = find_symbol(names, node->s);
	const char *near;
	struct diag *diag;

	if (symbol->reported)
		return;
	near = suggest(names, node->s, false);
	diag = diag_error(names->diags, node->span, "undeclared-variable", "'%s' is assigned but not declared", node->s);
	symbol->reported = diag;
	if (near)
		diag_help(names->diags, diag, "did you mean '%s'?", near);
	else
		diag_help(names->diags, diag, "declare it where all that use it can see it: var %s%s", node->s, form);
}

/* ---- names ---- */

/* Turns a NAME of a filter into args.NAME. */
static void
make_field(struct names *names, struct node *node)
{
	struct node *object = arena_alloc(names->arena, sizeof(*object));
	struct node *key = arena_alloc(names->arena, sizeof(*key));

	object->kind = NODE_ARGS;
	object->span = node->span;
	key->kind = NODE_STR;
	key->span = node->span;
	key->s = node->s;
	key->len = node->len;
	node->kind = NODE_INDEX;
	node->a = object;
	node->b = key;
}

/* Names that the kernel's filters have beside fields: the built-in of the same meaning, NULL: it is none. */
static const struct builtin *
filter_name(const char *name)
{
	static const struct {
		const char *name;
		enum builtin_id id;
	} known[] = { { "COMM", BUILTIN_COMM }, { "CPU", BUILTIN_CPU }, { "common_pid", BUILTIN_TID } };

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (!strcmp(known[i].name, name))
			return builtin_get(known[i].id);
	return NULL;
}

static void
resolve_name(struct names *names, struct node *node)
{
	node->var = find_variable(names, node->s);
	if (node->var)
		return;
	node->builtin = builtin_find(node->s);
	if (!node->builtin && names->in_filter)
		node->builtin = filter_name(node->s);
	/* In a filter, `count` is a field and `count()` the function. */
	if (node->builtin && !(names->in_filter && node->builtin->is_call && node != names->callee))
		return;
	node->builtin = NULL;
	if (strcmp(node->s, "args") == 0)
		node->kind = NODE_ARGS;
	else if (names->in_filter && (node == names->word || !is_library(node->s)))
		make_field(names, node);
	else
		report_unknown(names, node);
}

/* LIBRARY.name, where no variable is called LIBRARY. */
static bool
resolve_library(struct names *names, struct node *node)
{
	const struct node *object = node->a, *key = node->b;
	struct nearest nearest;
	const char *name;
	struct diag *diag;

	if (object->kind != NODE_NAME || !key || key->next || key->kind != NODE_STR)
		return false;
	if (find_variable(names, object->s) || !is_library(object->s))
		return false;
	name = arena_printf(names->arena, "%s.%s", object->s, key->s);
	node->builtin = builtin_find(name);
	if (node->builtin)
		return true;
	nearest = (struct nearest){ NULL, 4 };
	for (unsigned id = 0; id < N_BUILTINS; id++)
		if (strncmp(builtin_get(id)->name, name, strlen(object->s) + 1) == 0)
			consider(&nearest, name, builtin_get(id)->name);
	diag = diag_error(names->diags, node->span, "unknown-name", "the library '%s' has no '%s'", object->s, key->s);
	if (nearest.name)
		diag_help(names->diags, diag, "did you mean '%s'?", nearest.name);
	return true;
}

/*
 * field.ustring of the kernel's filters: the string that the field points to, which args.field is anyway. field.function compares with where a
 * function of the kernel lies.
 */
static void
resolve_filter_suffix(struct names *names, struct node *node)
{
	const struct node *key = node->b;
	struct diag *diag;

	if (node->a->kind != NODE_INDEX || node->a->a->kind != NODE_ARGS || key->next || key->kind != NODE_STR)
		return;
	if (!strcmp(key->s, "ustring")) {
		key = node->a;
		node->a = key->a;
		node->b = key->b;
	} else if (!strcmp(key->s, "function")) {
		diag = diag_error(names->diags, node->span, "no-operator", "'.function' is not part of a filter here");
		diag_help(names->diags, diag, "ipof(args.%s) is printed as the name of the function, also as the key of a table", node->a->b->s);
	}
}

static void
resolve_index(struct names *names, struct node *node)
{
	if (resolve_library(names, node))
		return;
	names->table = node->a;
	resolve_list(names, node->a);
	resolve_list(names, node->b);
	if (names->in_filter)
		resolve_filter_suffix(names, node);
}

/* A comparison in a filter: a name on the right may be a word, comm == bash. */
static void
resolve_binary(struct names *names, struct node *node)
{
	bool compares = names->in_filter && (node->op == TOKEN_EQ || node->op == TOKEN_NE);
	struct node *right = node->b;

	resolve_list(names, node->a);
	names->word = compares && right->kind == NODE_NAME ? right : NULL;
	resolve_list(names, right);
	right->word = names->word && right->kind == NODE_INDEX;
	names->word = NULL;
}

/* ---- calls ---- */

static const char *
plural(unsigned n)
{
	return n == 1 ? "" : "s";
}

static const char *
is_or_are(unsigned n)
{
	return n == 1 ? "is" : "are";
}

/* False: there are too few or too many, which is reported. */
static bool
check_arguments(struct names *names, const struct node *call, const struct builtin *builtin)
{
	unsigned n = 0;
	bool open = false; /* `...` at the end: any number */
	struct diag *diag;

	for (const struct node *arg = call->b; arg; arg = arg->next, n++)
		open = arg->kind == NODE_VARARG;
	if ((n >= builtin->min_args || open) && n <= builtin->max_args) {
		if (builtin->id == BUILTIN_PRINTF || builtin->id == BUILTIN_STRING_FORMAT)
			check_format_values(names->diags, call);
		return true;
	}
	if (builtin->min_args == builtin->max_args)
		diag = diag_error(names->diags, call->span, "wrong-argument-count", "%s takes %u argument%s, but %u %s given",
				  builtin->name, builtin->min_args, plural(builtin->min_args), n, is_or_are(n));
	else if (builtin->max_args == UINT_MAX)
		diag = diag_error(names->diags, call->span, "wrong-argument-count", "%s takes at least %u argument%s, but %u %s given",
				  builtin->name, builtin->min_args, plural(builtin->min_args), n, is_or_are(n));
	else
		diag = diag_error(names->diags, call->span, "wrong-argument-count", "%s takes %u to %u arguments, but %u %s given",
				  builtin->name, builtin->min_args, builtin->max_args, n, is_or_are(n));
	if (!n && foreign_call(builtin))
		diag_help(names->diags, diag, "%s", foreign_call(builtin));
	else
		diag_help(names->diags, diag, "its prototype: %s", builtin->prototype);
	return false;
}

static void
resolve_call(struct names *names, struct node *node)
{
	const struct builtin *builtin;
	struct diag *diag;

	names->callee = node->a;
	resolve_list(names, node->a);
	resolve_list(names, node->b);
	builtin = node->a->builtin;
	if (!builtin)
		return;
	if (builtin->is_call) {
		if (!check_arguments(names, node, builtin) && node->a->kind == NODE_NAME)
			node->a->builtin = NULL; /* unknown, and reported: nothing more is said of it */
		return;
	}
	diag = diag_error(names->diags, node->a->span, "not-a-function", "'%s' is a value, not a function", builtin->name);
	diag_help(names->diags, diag, "write %s without parentheses", builtin->name);
}

/* ---- functions ---- */

/* Code of another function: loops around it are not its own. */
static void
resolve_function(struct names *names, struct function *function)
{
	struct function *outer = names->function;
	struct declared *until = names->visible;
	unsigned n_loops = names->n_loops;
	bool in_filter = names->in_filter;

	names->function = function;
	names->n_loops = 0;
	for (uint32_t i = 0; i < function->n_params; i++) {
		function->params[i]->in_loop = true;
		bind(names, function->params[i]);
	}
	names->in_filter = true;
	resolve_list(names, function->filter);
	names->in_filter = false;
	resolve_block(names, function->body);
	unbind(names, until);
	names->function = outer;
	names->n_loops = n_loops;
	names->in_filter = in_filter;
}

static void
check_vararg(struct names *names, const struct node *node)
{
	struct diag *diag;

	if (names->function->is_vararg)
		return;
	diag = diag_error(names->diags, node->span, "no-vararg", "'...' outside of a function that takes it");
	diag_help(names->diags, diag, "function f(...) takes any number of arguments; those of the script are arg[1], arg[2] ...");
}

/* ---- assignments and declarations ---- */

static void
report_assign_builtin(struct names *names, const struct node *target)
{
	struct diag *diag = diag_error(names->diags, target->span, "assign-builtin", "'%s' is built in and cannot be assigned", target->s);

	diag_help(names->diags, diag, "a variable of your own may have this name: var %s = ...", target->s);
}

/* `form`: of a declaration of what is assigned so. */
static void
resolve_target(struct names *names, struct node *target, const char *form)
{
	if (target->kind != NODE_NAME) {
		names->table = target->kind == NODE_INDEX ? target->a : NULL;
		resolve_list(names, target->kind == NODE_INDEX ? target->a : NULL);
		resolve_list(names, target->kind == NODE_INDEX ? target->b : NULL);
		return;
	}
	target->var = find_variable(names, target->s);
	if (target->var) {
		target->var->is_assigned = true;
		target->var->assigned_by_call |= names->function->kind == FUNCTION_PLAIN;
	} else if (builtin_find(target->s) || is_library(target->s) || strcmp(target->s, "args") == 0) {
		report_assign_builtin(names, target);
	} else {
		report_undeclared(names, target, form);
	}
}

/* Are the values of further variables from it, too? */
static bool
gives_several(const struct node *value)
{
	return value->kind == NODE_CALL || value->kind == NODE_METHOD || value->kind == NODE_VARARG;
}

static void
resolve_var(struct names *names, struct node *node)
{
	const struct node *value = node->b;

	resolve_list(names, node->b);
	declare_list(names, node->a);
	for (struct node *name = node->a; name; name = name->next) {
		name->var->is_set = value && value->kind != NODE_NIL;
		if (value && value->kind == NODE_FUNCTION)
			add_candidate(names, name->var, value->function);
		if (value && (value->next || !gives_several(value)))
			value = value->next;
	}
}

static void
resolve_assign(struct names *names, struct node *node)
{
	struct node *next;

	/* One target at a time, since each may be an element of a list. */
	for (struct node *target = node->a; target; target = next) {
		next = target->next;
		target->next = NULL;
		resolve_target(names, target, " = ...");
		if (target->kind == NODE_NAME && target->var)
			target->var->is_set = true;
		target->next = next;
	}
	resolve_list(names, node->b);
}

static void
note_addition(struct names *names, const struct node *target)
{
	struct addition *addition = arena_alloc(names->arena, sizeof(*addition));

	addition->target = target;
	*names->last_addition = addition;
	names->last_addition = &addition->next;
}

/* Nowhere in the script: then it is nil for ever, to which nothing can be added. */
static void
report_never_set(struct names *names)
{
	const struct node *target;
	struct diag *diag;

	for (const struct addition *addition = names->additions; addition; addition = addition->next) {
		target = addition->target;
		if (target->var->is_set || target->var->is_param)
			continue;
		diag = diag_error(names->diags, target->span, "never-set", "'%s' is nil, since nothing sets it: there is nothing to add to", target->s);
		diag_note(names->diags, diag, target->var->span, "it is declared here, without a value");
		diag_help(names->diags, diag, "var %s = 0", target->s);
		target->var->is_set = true; /* once is enough */
	}
}

/* ---- blocks and loops ---- */

static void
resolve_block(struct names *names, struct node *block)
{
	struct declared *until = names->visible;

	resolve_list(names, block->a);
	unbind(names, until);
}

static void
resolve_body(struct names *names, struct node *block)
{
	names->n_loops++;
	if (block)
		resolve_block(names, block);
	names->n_loops--;
}

static void
resolve_repeat(struct names *names, struct node *node)
{
	struct declared *until = names->visible;

	names->n_loops++;
	resolve_list(names, node->a->a);
	resolve_list(names, node->b);
	names->n_loops--;
	unbind(names, until);
}

/* for (i = a, b, c): the values do not see i. */
static void
resolve_for_range(struct names *names, struct node *node)
{
	struct declared *until = names->visible;

	resolve_list(names, node->a->next);
	names->n_loops++;
	declare(names, node->a);
	names->n_loops--;
	resolve_body(names, node->b);
	unbind(names, until);
}

static void
resolve_for_in(struct names *names, struct node *node)
{
	struct declared *until = names->visible;

	resolve_list(names, node->b);
	names->n_loops++;
	declare_list(names, node->a);
	names->n_loops--;
	resolve_body(names, node->c);
	unbind(names, until);
}

static void
resolve_for_step(struct names *names, struct node *node)
{
	struct declared *until = names->visible;

	resolve_list(names, node->a);
	resolve_list(names, node->b);
	resolve_list(names, node->c);
	resolve_body(names, node->d);
	unbind(names, until);
}

static void
check_loop(struct names *names, const struct node *node)
{
	if (!names->n_loops)
		diag_error(names->diags, node->span, "no-loop", "%s outside of a loop",
			   node->kind == NODE_BREAK ? "break" : "continue");
}

/* ---- all nodes ---- */

static void
resolve_node(struct names *names, struct node *node)
{
	switch (node->kind) {
	case NODE_BLOCK:
		resolve_block(names, node);
		return;
	case NODE_VAR:
		resolve_var(names, node);
		return;
	case NODE_ASSIGN:
		resolve_assign(names, node);
		return;
	case NODE_OP_ASSIGN:
	case NODE_SAMPLE:
		resolve_target(names, node->a, node->kind == NODE_SAMPLE ? "" : " = 0");
		if (node->kind == NODE_OP_ASSIGN && node->a->kind == NODE_NAME && node->a->var)
			note_addition(names, node->a);
		resolve_list(names, node->b);
		return;
	case NODE_BINARY:
		resolve_binary(names, node);
		return;
	case NODE_WHILE:
		resolve_list(names, node->a);
		resolve_body(names, node->b);
		return;
	case NODE_REPEAT:
		resolve_repeat(names, node);
		return;
	case NODE_FOR_RANGE:
		resolve_for_range(names, node);
		return;
	case NODE_FOR_STEP:
		resolve_for_step(names, node);
		return;
	case NODE_FOR_IN:
		resolve_for_in(names, node);
		return;
	case NODE_BREAK:
	case NODE_CONTINUE:
		check_loop(names, node);
		return;
	case NODE_FUNCTION_STAT:
		declare(names, node->a);
		resolve_list(names, node->b);
		add_candidate(names, node->a->var, node->b->function);
		return;
	case NODE_TRACE:
	case NODE_PROFILE:
	case NODE_TICK:
	case NODE_SIGNAL:
	case NODE_TRACE_END:
	case NODE_FUNCTION:
		resolve_function(names, node->function);
		return;
	case NODE_VARARG:
		check_vararg(names, node);
		return;
	case NODE_NAME:
		resolve_name(names, node);
		return;
	case NODE_INDEX:
		resolve_index(names, node);
		return;
	case NODE_CALL:
		resolve_call(names, node);
		return;
	case NODE_CALL_STAT:
	case NODE_IF:
	case NODE_RETURN:
	case NODE_NIL:
	case NODE_TRUE:
	case NODE_FALSE:
	case NODE_INT:
	case NODE_STR:
	case NODE_TABLE:
	case NODE_TABLE_FIELD:
	case NODE_VAR_NAME:
	case NODE_ARG:
	case NODE_ARGS:
	case NODE_METHOD:
	case NODE_UNARY:
	case NODE_COND:
	case NODE_PAREN:
	case NODE_ERROR:
	case N_NODES:
		break;
	}
	resolve_list(names, node->a);
	resolve_list(names, node->b);
	resolve_list(names, node->c);
}

static void
resolve_list(struct names *names, struct node *node)
{
	for (; node; node = node->next)
		resolve_node(names, node);
}

void
resolve_names(struct tree *tree, struct diags *diags)
{
	struct names names = { .arena = tree->arena, .diags = diags, .function = tree->main };

	names.last_addition = &names.additions;
	resolve_block(&names, tree->main->body);
	report_never_set(&names);
	for (struct candidate *candidate = names.candidates; candidate; candidate = candidate->next)
		if (!candidate->var->is_assigned)
			candidate->var->constant = candidate->function;
}
