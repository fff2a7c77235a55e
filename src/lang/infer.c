/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Type inference of the probe half.
 *
 * Each handler is copied once for each layout of its events, and each call of a function gets a copy of the function, so every node
 * has one type. Kinds are merged by unification; whether a value may be nil is a flag that only ever turns on. Both are monotone, so
 * the whole walk is repeated until nothing changes.
 *
 * Needs: halves. Leaves: node->type, node->nullable, node->field, node->inlined in all typed programs, variable->type of shared
 * variables.
 */
#include <limits.h>
#include <string.h>

#include "lang/types_int.h"

#define INLINE_DEPTH_MAX 64
#define INLINED_MAX 4096 /* copies of functions in one script */

struct infer {
	struct arena *arena;
	struct diags *diags;
	struct typed *typed;
	struct typed_program *program;
	const struct event *layout;  /* any event of the program's group; NULL: named at run time */
	struct inlined *inlined;     /* function whose copy is being walked; NULL: the handler itself */
	unsigned depth;
	uint32_t n_inlined;
	bool changed;
};

static struct type *
infer_exp(struct infer *infer, struct node *node);

static void
infer_list(struct infer *infer, struct node *list);

/* ---- merging, with messages ---- */

static struct type *
make(struct infer *infer, enum type_kind kind, struct span span)
{
	return type_new(infer->arena, kind, span);
}

/*
 * "int (since line 3)": says what and where from. Literals decide types most often, and their place is the best explanation.
 */
static void
note_origin(struct infer *infer, struct diag *diag, const struct type *type, struct span here)
{
	if (type->span.off != here.off && type->span.len)
		diag_note(infer->diags, diag, type->span, "%s because of this", type_name(type));
}

static bool
unify(struct infer *infer, struct type *a, struct type *b, struct span span, const char *what)
{
	struct type *left, *right;
	struct diag *diag;

	if (type_unify(a, b, &left, &right))
		return true;
	if (left->kind == TYPE_TABLE && right->kind == TYPE_TABLE) {
		diag = diag_error(infer->diags, span, "key-count", "%s: a table has %u keys here and %u there", what,
				  left->n_keys, right->n_keys);
	} else {
		diag = diag_error(infer->diags, span, "type-conflict", "%s: %s here, but %s elsewhere", what, type_name(right),
				  type_name(left));
		if ((left->kind == TYPE_EVENT && right->kind == TYPE_STR) || (left->kind == TYPE_STR && right->kind == TYPE_EVENT))
			diag_help(infer->diags, diag, "probename is a number that is printed as a name; give it a variable or "
						      "table of its own");
	}
	note_origin(infer, diag, left, span);
	note_origin(infer, diag, right, span);
	return false;
}

/* Expression `node` must have this kind. */
static void
require(struct infer *infer, struct node *node, enum type_kind kind, const char *what)
{
	struct type *type = infer_exp(infer, node), *needed = make(infer, kind, node->span), *left, *right;
	struct diag *diag;

	if (type_unify(needed, type, &left, &right))
		return;
	diag = diag_error(infer->diags, node->span, "type-conflict", "%s must be %s, but this is %s", what, type_name(needed),
			  type_name(type));
	note_origin(infer, diag, right, node->span);
}

static struct type *
settle(struct infer *infer, struct node *node, struct type *type, bool nullable)
{
	if (!node->type)
		node->type = type;
	else if (type_find(node->type) != type_find(type))
		unify(infer, node->type, type, node->span, "expression");
	if (nullable && !node->nullable) {
		node->nullable = true;
		infer->changed = true;
	}
	return node->type;
}

static struct type *
variable_type(struct infer *infer, struct variable *var)
{
	if (!var->type) {
		var->type = make(infer, TYPE_UNKNOWN, var->span);
		infer->changed = true;
	}
	return var->type;
}

static void
make_nullable(struct infer *infer, struct variable *var)
{
	if (!var->nullable) {
		var->nullable = true;
		infer->changed = true;
	}
}

/* A string literal that meets an event is the event of that name. */
static bool
is_event_literal(struct node *node, struct type *other)
{
	return node->kind == NODE_STR && type_find(other)->kind == TYPE_EVENT;
}

static struct type *
infer_against(struct infer *infer, struct node *node, struct type *other)
{
	if (is_event_literal(node, other)) {
		node->type = make(infer, TYPE_EVENT, node->span);
		return node->type;
	}
	return infer_exp(infer, node);
}

/* ---- event fields ---- */

static void
report_no_fields(struct infer *infer, const struct node *node)
{
	struct diag *diag = diag_error(infer->diags, node->span, "no-event-fields", "this handler's event has no fields that can be "
				       "read here");

	if (infer->program->any_event)
		diag_help(infer->diags, diag, "the event is named when the script runs, so its fields are not known when it is compiled; "
					      "name it in a `trace` statement or by a literal string");
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
	return settle(infer, node, type, false);
}

static struct type *
infer_arg(struct infer *infer, struct node *node)
{
	const struct event *event = infer->layout;

	if (!event || event->kind == EVENT_PROFILE)
		report_no_fields(infer, node);
	else if ((uint64_t)node->number < event->n_fields) {
		const struct field *field = &event->fields[node->number];

		/* As in 0.4, argN of a pointer is the number; args.NAME reads the string. */
		if (field->kind != FIELD_USER_STR && field->kind != FIELD_ANY_STR)
			return infer_field(infer, node, field);
		node->field = field;
	} else {
		node->field = NULL;
		return settle(infer, node, make(infer, TYPE_INT, node->span), true);
	}
	return settle(infer, node, make(infer, TYPE_INT, node->span), false);
}

static struct type *
infer_args_name(struct infer *infer, struct node *node)
{
	const struct field *field = infer->layout ? event_field(infer->layout, node->b->s) : NULL;

	if (field)
		return infer_field(infer, node, field);
	if (!infer->layout || !infer->layout->n_fields)
		report_no_fields(infer, node);
	return settle(infer, node, make(infer, TYPE_UNKNOWN, node->span), false); /* missing ones: reported by layout.c */
}

static struct type *
infer_retval(struct infer *infer, struct node *node)
{
	struct diag *diag;

	node->field = infer->layout ? event_retval(infer->layout) : NULL;
	if (!node->field) {
		diag = diag_error(infer->diags, node->span, "no-retval", "retval has a value only when a system call or a function "
				  "returns");
		diag_help(infer->diags, diag, "trace syscalls:sys_exit_NAME, or probe:FUNCTION%%return");
	}
	return settle(infer, node, make(infer, TYPE_INT, node->span), false);
}

static struct type *
infer_argstr(struct infer *infer, struct node *node)
{
	if (!infer->layout || infer->layout->kind == EVENT_PROFILE)
		report_no_fields(infer, node);
	return settle(infer, node, make(infer, TYPE_ARGSTR, node->span), false);
}

/* ---- builtins ---- */

static enum type_kind
result_kind(const struct builtin *builtin)
{
	static const struct {
		const char *name;
		enum type_kind kind;
	} kinds[] = {
		{ "int", TYPE_INT },	 { "bool", TYPE_BOOL },	  { "string", TYPE_STR }, { "event", TYPE_EVENT },
		{ "stack", TYPE_STACK }, { "argstr", TYPE_ARGSTR }, { "table", TYPE_TABLE },
	};
	const char *name = builtin_result(builtin);

	for (size_t i = 0; name && i < ARRAY_SIZE(kinds); i++) {
		if (!strcmp(kinds[i].name, name))
			return kinds[i].kind;
	}
	return TYPE_UNKNOWN;
}

static struct type *
builtin_type(struct infer *infer, const struct builtin *builtin, struct span span)
{
	struct type *type = make(infer, result_kind(builtin), span);

	if (type->kind == TYPE_STR)
		type->str_size = builtin->id == BUILTIN_EXECNAME || builtin->id == BUILTIN_COMM ? 16 : STR_SIZE_MAX;
	return type;
}

static struct type *
infer_builtin_value(struct infer *infer, struct node *node)
{
	if (node->builtin->id == BUILTIN_RETVAL)
		return infer_retval(infer, node);
	if (node->builtin->id == BUILTIN_ARGSTR)
		return infer_argstr(infer, node);
	return settle(infer, node, builtin_type(infer, node->builtin, node->span), false);
}

/* stack(depth, skip): the kernel needs both when the program is made. */
static void
check_stack_args(struct infer *infer, struct node *node)
{
	for (struct node *arg = node->b; arg; arg = arg->next) {
		require(infer, arg, TYPE_INT, "argument of stack()");
		if (arg->kind != NODE_INT || arg->number < 0 || arg->number > 100)
			diag_error(infer->diags, arg->span, "stack-argument", "stack() takes constant numbers from 0 to 100");
	}
}

/* A letter of a format and the value for it; `arg` NULL: there is none. */
static void
check_format_arg(struct infer *infer, struct node *format, const struct format_spec *spec, struct node *arg)
{
	enum type_kind kind = arg ? type_find(arg->type)->kind : TYPE_NIL;
	bool wants_string = spec->letter->kind == FORMAT_STRING, fits;

	if (!arg) {
		diag_error(infer->diags, format->span, "printf-format", "there is no value for '%%%c'", spec->letter->letter);
		return;
	}
	if (kind == TYPE_UNKNOWN || arg->kind == NODE_NIL)
		return;
	fits = wants_string ? kind != TYPE_INT && kind != TYPE_BOOL && kind != TYPE_TABLE : kind == TYPE_INT || kind == TYPE_KSYM;
	if (!fits)
		diag_error(infer->diags, arg->span, "printf-format", "'%%%c' cannot show this %s", spec->letter->letter,
			   type_name(arg->type));
}

/* What output/printf.c would refuse is refused before anything runs. */
static void
check_format(struct infer *infer, struct node *format)
{
	const char *at = format->s, *end = format->s + format->len;
	struct node *arg = format->next;
	struct format_spec spec;
	struct text why = { 0 };

	while (at && at < end && (at = memchr(at, '%', (size_t)(end - at)))) {
		if (at + 1 < end && at[1] == '%') {
			at += 2;
			continue;
		}
		at = format_parse(at + 1, end, &spec, &why);
		if (!at) {
			diag_error(infer->diags, format->span, "printf-format", "%s", why.s);
			break;
		}
		check_format_arg(infer, format, &spec, arg);
		if (arg)
			arg = arg->next;
	}
	text_fini(&why);
}

static void
check_printf(struct infer *infer, struct node *node)
{
	infer_list(infer, node->b);
	if (node->b && node->b->kind == NODE_STR) {
		check_format(infer, node->b);
	} else if (node->b) {
		struct diag *diag = diag_error(infer->diags, node->b->span, "printf-format", "the format of printf must be a literal "
					       "string in a probe");

		diag_help(infer->diags, diag, "printf(\"%%s\", x) prints a variable");
	}
}

static void
check_len(struct infer *infer, struct node *node)
{
	struct diag *diag;

	infer_list(infer, node->b);
	if (node->b && type_find(node->b->type)->kind == TYPE_TABLE) {
		diag = diag_error(infer->diags, node->b->span, "len-of-table", "a probe cannot count a table's entries");
		diag_help(infer->diags, diag, "len(t) works in the main chunk, in tick and in trace_end");
	} else if (node->b) {
		require(infer, node->b, TYPE_STR, "argument of len()");
	}
}

static struct type *
infer_builtin_call(struct infer *infer, struct node *node, const struct builtin *builtin)
{
	node->builtin = builtin;
	switch ((int)builtin->id) {
	case BUILTIN_STACK:
		check_stack_args(infer, node);
		break;
	case BUILTIN_PRINTF:
		check_printf(infer, node);
		break;
	case BUILTIN_LEN:
		check_len(infer, node);
		break;
	case BUILTIN_PRINT:
		infer_list(infer, node->b);
		break;
	default: /* the others take numbers */
		for (struct node *arg = node->b; arg; arg = arg->next)
			require(infer, arg, TYPE_INT, builtin->name);
	}
	return settle(infer, node, builtin_type(infer, builtin, node->span), result_kind(builtin) == TYPE_UNKNOWN);
}

/* ---- functions of the script ---- */

/* Does control reach the end of this block? Unsure counts as yes. */
static bool
falls_through(const struct node *block)
{
	const struct node *last = block->a;

	if (!last)
		return true;
	while (last->next)
		last = last->next;
	if (last->kind == NODE_RETURN)
		return false;
	if (last->kind == NODE_IF && last->c)
		return falls_through(last->b) || (last->c->kind == NODE_IF ? falls_through(&(struct node){ .a = last->c }) :
									     falls_through(last->c));
	return true;
}

static struct inlined *
make_inlined(struct infer *infer, struct function *function, struct span span)
{
	struct inlined *inlined = arena_alloc(infer->arena, sizeof(*inlined));
	struct node *wrapper = arena_alloc(infer->arena, sizeof(*wrapper)), **last = &wrapper->a;

	/* Parameters are cloned together with the body, so that the body's names follow. */
	wrapper->kind = NODE_BLOCK;
	for (uint32_t i = 0; i < function->n_params; i++) {
		struct node *name = arena_alloc(infer->arena, sizeof(*name));

		name->kind = NODE_VAR_NAME;
		name->span = function->params[i]->span;
		name->s = function->params[i]->name;
		name->var = function->params[i];
		*last = name;
		last = &name->next;
	}
	*last = function->body;
	wrapper = node_clone(infer->arena, wrapper);
	inlined->function = function;
	inlined->n_params = function->n_params;
	inlined->params = arena_alloc(infer->arena, function->n_params * sizeof(*inlined->params));
	inlined->body = wrapper->a;
	for (uint32_t i = 0; i < function->n_params; i++, inlined->body = inlined->body->next)
		inlined->params[i] = inlined->body->var;
	inlined->result = make(infer, TYPE_UNKNOWN, span);
	inlined->result_nullable = falls_through(inlined->body);
	infer->changed = true;
	return inlined;
}

/* A table is handed to a function by name: the parameter stands for the table itself. */
static void
bind_table(struct infer *infer, struct variable *param, struct node *arg)
{
	struct variable *table = arg->kind == NODE_NAME && arg->var ? (arg->var->table ? arg->var->table : arg->var) : NULL;

	if (!table)
		diag_error(infer->diags, arg->span, "table-value", "only a table's name can be handed to a function in a probe");
	param->table = table;
}

static void
infer_params(struct infer *infer, struct inlined *inlined, struct node *args)
{
	for (uint32_t i = 0; i < inlined->n_params; i++) {
		struct variable *param = inlined->params[i];
		struct type *type = variable_type(infer, param);

		if (!args) {
			make_nullable(infer, param);
			continue;
		}
		unify(infer, type, args->type, args->span, "argument");
		if (args->nullable)
			make_nullable(infer, param);
		if (type_find(type)->kind == TYPE_TABLE)
			bind_table(infer, param, args);
		args = args->next;
	}
}

static struct type *
infer_function_call(struct infer *infer, struct node *node, struct function *function)
{
	struct inlined *outer = infer->inlined, *inlined;

	infer_list(infer, node->b);
	if (!node->inlined) {
		if (infer->depth >= INLINE_DEPTH_MAX || infer->n_inlined >= INLINED_MAX) {
			diag_error(infer->diags, node->span, "too-large", "the functions that this probe calls are too many (%u copies)",
				   infer->n_inlined);
			return settle(infer, node, make(infer, TYPE_UNKNOWN, node->span), true);
		}
		infer->n_inlined++;
		node->inlined = make_inlined(infer, function, node->span);
	}
	inlined = node->inlined;
	infer_params(infer, inlined, node->b);
	infer->inlined = inlined;
	infer->depth++;
	infer_list(infer, inlined->body);
	infer->depth--;
	infer->inlined = outer;
	return settle(infer, node, inlined->result, inlined->result_nullable);
}

static struct type *
infer_call(struct infer *infer, struct node *node)
{
	struct node *callee = node->a;
	struct diag *diag;

	if (callee->var && callee->var->constant)
		return infer_function_call(infer, node, callee->var->constant);
	if (callee->builtin)
		return infer_builtin_call(infer, node, callee->builtin);
	infer_list(infer, node->b);
	diag = diag_error(infer->diags, callee->span, "not-a-function", "this is not a function that a probe can call");
	diag_help(infer->diags, diag, "probes call functions declared by `function NAME` and never assigned again");
	return settle(infer, node, make(infer, TYPE_UNKNOWN, node->span), true);
}

/* ---- tables ---- */

static void
infer_keys(struct infer *infer, struct node *node, struct type *table)
{
	uint32_t n = 0;

	for (struct node *key = node->b; key; key = key->next, n++) {
		struct type *type;

		if (n == ARRAY_SIZE(table->key)) {
			diag_error(infer->diags, key->span, "key-count", "a table has at most %zu keys", ARRAY_SIZE(table->key));
			return;
		}
		if (!table->key[n]) {
			table->key[n] = make(infer, TYPE_UNKNOWN, key->span);
			infer->changed = true;
		}
		type = infer_against(infer, key, table->key[n]);
		unify(infer, table->key[n], type, key->span, "table key");
		switch (type_find(table->key[n])->kind) {
		case TYPE_TABLE:
		case TYPE_ARGSTR:
			diag_error(infer->diags, key->span, "key-type", "%s cannot be a table key in a probe", type_name(table->key[n]));
			break;
		default:
			break;
		}
	}
	if (!table->n_keys) {
		table->n_keys = n;
		infer->changed = true;
	} else if (table->n_keys != n) {
		struct diag *diag = diag_error(infer->diags, node->span, "key-count", "this table has %u key%s, not %u", table->n_keys,
					       table->n_keys == 1 ? "" : "s", n);

		note_origin(infer, diag, table->key[0], node->b->span);
	}
}

enum access { ACCESS_READ, ACCESS_SET, ACCESS_ADD };

static struct type *
infer_index(struct infer *infer, struct node *node, enum access access)
{
	struct type *table;
	struct diag *diag;

	if (node->a->kind == NODE_ARGS)
		return infer_args_name(infer, node);
	infer_exp(infer, node->a);
	table = type_find(node->a->type);
	if (table->kind == TYPE_UNKNOWN && node->a->kind == NODE_NAME) {
		table->kind = TYPE_TABLE;
		table->span = node->span;
		infer->changed = true;
	}
	if (table->kind != TYPE_TABLE || node->a->kind != NODE_NAME) {
		if (table->kind == TYPE_UNKNOWN || table->kind == TYPE_TABLE) {
			diag = diag_error(infer->diags, node->span, "nested-table", "a probe cannot look into a table inside a table");
			diag_help(infer->diags, diag, "use one table with two keys: t[a, b]");
		} else {
			diag_error(infer->diags, node->a->span, "not-a-table", "%s cannot be indexed", type_name(table));
		}
		infer_list(infer, node->b);
		return settle(infer, node, make(infer, TYPE_UNKNOWN, node->span), true);
	}
	infer_keys(infer, node, table);
	table->probe_reads |= access == ACCESS_READ;
	table->probe_sets |= access == ACCESS_SET;
	table->probe_adds |= access == ACCESS_ADD;
	if (!table->value) {
		table->value = make(infer, TYPE_UNKNOWN, node->span);
		infer->changed = true;
	}
	return settle(infer, node, table->value, access == ACCESS_READ);
}

/* ---- expressions ---- */

static struct type *
infer_name(struct infer *infer, struct node *node)
{
	if (node->builtin)
		return infer_builtin_value(infer, node);
	if (!node->var || node->var->constant)
		return settle(infer, node, make(infer, TYPE_UNKNOWN, node->span), false);
	return settle(infer, node, variable_type(infer, node->var), node->var->nullable);
}

/* == and !=: values of different types are unequal; a literal name meets an event. */
static void
infer_equal(struct infer *infer, struct node *node)
{
	struct type *left, *right, *part, *other;

	if (node->a->kind == NODE_STR) {
		right = infer_exp(infer, node->b);
		left = infer_against(infer, node->a, right);
	} else {
		left = infer_exp(infer, node->a);
		right = infer_against(infer, node->b, left);
	}
	type_unify(left, right, &part, &other);
	for (struct node *side = node->a; side; side = side == node->a ? node->b : NULL) {
		enum type_kind kind = type_find(side->type)->kind;

		if (kind == TYPE_TABLE || kind == TYPE_ARGSTR)
			diag_error(infer->diags, side->span, "compare", "a probe cannot compare a %s", type_name(side->type));
	}
}

static struct type *
infer_binary(struct infer *infer, struct node *node)
{
	struct type *left, *right;

	switch ((int)node->op) {
	case TOKEN_AND:
	case TOKEN_OR:
		left = infer_exp(infer, node->a);
		right = infer_exp(infer, node->b);
		unify(infer, left, right, node->b->span, node->op == TOKEN_AND ? "value of '&&'" : "value of '||'");
		return settle(infer, node, left, node->b->nullable || (node->op == TOKEN_AND && node->a->nullable));
	case TOKEN_EQ:
	case TOKEN_NE:
		infer_equal(infer, node);
		return settle(infer, node, make(infer, TYPE_BOOL, node->span), false);
	case TOKEN_LT:
	case TOKEN_LE:
	case TOKEN_GT:
	case TOKEN_GE:
		require(infer, node->a, TYPE_INT, "comparison by order");
		require(infer, node->b, TYPE_INT, "comparison by order");
		return settle(infer, node, make(infer, TYPE_BOOL, node->span), false);
	case TOKEN_CONCAT:
		require(infer, node->a, TYPE_STR, "operand of '..'");
		require(infer, node->b, TYPE_STR, "operand of '..'");
		left = make(infer, TYPE_STR, node->span);
		left->str_size = type_str_size(type_find(node->a->type)->str_size + type_find(node->b->type)->str_size - 2);
		return settle(infer, node, left, false);
	default:
		require(infer, node->a, TYPE_INT, "operand of an arithmetic operator");
		require(infer, node->b, TYPE_INT, "operand of an arithmetic operator");
		return settle(infer, node, make(infer, TYPE_INT, node->span), false);
	}
}

/* Where only truth counts, the sides of && and || need not agree. */
static void
infer_condition(struct infer *infer, struct node *node)
{
	if (node->kind == NODE_PAREN) {
		infer_condition(infer, node->a);
	} else if (node->kind == NODE_UNARY && node->op == TOKEN_NOT) {
		infer_condition(infer, node->a);
	} else if (node->kind == NODE_BINARY && (node->op == TOKEN_AND || node->op == TOKEN_OR)) {
		infer_condition(infer, node->a);
		infer_condition(infer, node->b);
	} else {
		infer_exp(infer, node);
		return;
	}
	settle(infer, node, make(infer, TYPE_BOOL, node->span), false);
}

static struct type *
infer_unary(struct infer *infer, struct node *node)
{
	if (node->op == TOKEN_NOT) {
		infer_condition(infer, node->a);
		return settle(infer, node, make(infer, TYPE_BOOL, node->span), false);
	}
	require(infer, node->a, TYPE_INT, "operand of an arithmetic operator");
	return settle(infer, node, make(infer, TYPE_INT, node->span), false);
}

static struct type *
infer_str(struct infer *infer, struct node *node)
{
	struct type *type = make(infer, TYPE_STR, node->span);

	if (node->type) /* also where a literal name was taken for an event */
		return node->type;
	type->str_size = type_str_size(node->len);
	if (node->len >= STR_SIZE_MAX)
		diag_error(infer->diags, node->span, "long-string", "a string in a probe has at most %d bytes, this one %u",
			   STR_SIZE_MAX - 1, node->len);
	return settle(infer, node, type, false);
}

static struct type *
infer_exp(struct infer *infer, struct node *node)
{
	struct type *type;

	switch (node->kind) {
	case NODE_NIL:
		return settle(infer, node, node->type ? node->type : make(infer, TYPE_UNKNOWN, node->span), true);
	case NODE_TRUE:
	case NODE_FALSE:
		return settle(infer, node, make(infer, TYPE_BOOL, node->span), false);
	case NODE_INT:
		return settle(infer, node, make(infer, TYPE_INT, node->span), false);
	case NODE_STR:
		return infer_str(infer, node);
	case NODE_NAME:
		return infer_name(infer, node);
	case NODE_ARG:
		return infer_arg(infer, node);
	case NODE_ARGS:
		return infer_argstr(infer, node);
	case NODE_INDEX:
		return infer_index(infer, node, ACCESS_READ);
	case NODE_CALL:
		return infer_call(infer, node);
	case NODE_UNARY:
		return infer_unary(infer, node);
	case NODE_BINARY:
		return infer_binary(infer, node);
	case NODE_PAREN:
		type = infer_exp(infer, node->a);
		return settle(infer, node, type, node->a->nullable);
	case NODE_COND:
		infer_condition(infer, node->a);
		type = infer_exp(infer, node->b);
		unify(infer, type, infer_exp(infer, node->c), node->c->span, "sides of '? :'");
		return settle(infer, node, type, node->b->nullable || node->c->nullable);
	default: /* statements never stand here; ERROR, tables, functions, methods and '...' were reported before */
		return settle(infer, node, make(infer, TYPE_UNKNOWN, node->span), true);
	}
}

/* ---- statements ---- */

static void
assign_variable(struct infer *infer, struct variable *var, struct node *value, struct span span)
{
	struct type *type = variable_type(infer, var);

	if (!value) {
		make_nullable(infer, var);
		return;
	}
	unify(infer, type, infer_against(infer, value, type), value->span, var->name);
	if (type_find(type)->kind == TYPE_TABLE)
		diag_error(infer->diags, span, "table-value", "a probe cannot assign a table to a variable");
	if (value->nullable)
		make_nullable(infer, var);
}

static void
infer_target(struct infer *infer, struct node *target, struct node *value)
{
	if (target->kind == NODE_NAME && target->var) {
		assign_variable(infer, target->var, value, target->span);
		settle(infer, target, target->var->type, target->var->nullable);
	} else if (target->kind == NODE_INDEX && target->a->kind == NODE_ARGS) {
		diag_error(infer->diags, target->span, "assign-field", "fields of an event cannot be assigned");
	} else if (target->kind == NODE_INDEX) {
		struct type *type = infer_index(infer, target, ACCESS_SET);

		if (value)
			unify(infer, type, infer_against(infer, value, type), value->span, "table element");
		if (value && (type_find(type)->kind == TYPE_TABLE || type_find(type)->kind == TYPE_ARGSTR))
			diag_error(infer->diags, value->span, "element-type", "a probe cannot put %s into a table",
				   type_find(type)->kind == TYPE_TABLE ? "a table" : "argstr");
	}
}

static void
infer_assign(struct infer *infer, struct node *targets, struct node *values)
{
	for (; targets; targets = targets->next) {
		if (targets->kind == NODE_VAR_NAME)
			assign_variable(infer, targets->var, values, targets->span);
		else
			infer_target(infer, targets, values);
		if (values)
			values = values->next;
	}
	infer_list(infer, values);
}

static void
infer_op_assign(struct infer *infer, struct node *node)
{
	bool adds = node->op == TOKEN_PLUS || node->op == TOKEN_MINUS;

	if (node->a->kind == NODE_INDEX && node->a->a->kind != NODE_ARGS) {
		struct type *type = infer_index(infer, node->a, adds ? ACCESS_ADD : ACCESS_SET);

		if (!adds)
			infer_index(infer, node->a, ACCESS_READ);
		unify(infer, make(infer, TYPE_INT, node->span), type, node->a->span, "target of an arithmetic assignment");
	} else if (node->a->kind == NODE_NAME && node->a->var) {
		unify(infer, make(infer, TYPE_INT, node->span), variable_type(infer, node->a->var), node->a->span, node->a->s);
		infer_exp(infer, node->a);
	} else {
		diag_error(infer->diags, node->a->span, "assign-field", "fields of an event cannot be assigned");
	}
	require(infer, node->b, TYPE_INT, "operand of an arithmetic assignment");
}

static void
infer_return(struct infer *infer, struct node *node)
{
	infer_list(infer, node->a);
	if (node->a && node->a->next)
		diag_error(infer->diags, node->a->next->span, "multiple-results", "a function called from a probe returns one value");
	if (!infer->inlined)
		return;
	if (node->a)
		unify(infer, infer->inlined->result, node->a->type, node->a->span, "returned value");
	if ((!node->a || node->a->nullable) && !infer->inlined->result_nullable) {
		infer->inlined->result_nullable = true;
		infer->changed = true;
	}
}

static void
infer_for_range(struct infer *infer, struct node *node)
{
	struct variable *var = node->a->var;

	for (struct node *limit = node->a->next; limit; limit = limit->next)
		require(infer, limit, TYPE_INT, "limit of a loop");
	unify(infer, make(infer, TYPE_INT, node->a->span), variable_type(infer, var), node->a->span, var->name);
	infer_list(infer, node->b);
}

static void
infer_stat(struct infer *infer, struct node *node)
{
	struct diag *diag;

	switch (node->kind) {
	case NODE_BLOCK:
		infer_list(infer, node->a);
		break;
	case NODE_VAR:
	case NODE_ASSIGN:
		infer_assign(infer, node->a, node->b);
		break;
	case NODE_OP_ASSIGN:
		infer_op_assign(infer, node);
		break;
	case NODE_CALL_STAT:
		infer_exp(infer, node->a);
		break;
	case NODE_IF:
		infer_condition(infer, node->a);
		infer_stat(infer, node->b);
		if (node->c)
			infer_stat(infer, node->c);
		break;
	case NODE_WHILE:
		infer_condition(infer, node->a);
		infer_stat(infer, node->b);
		break;
	case NODE_REPEAT:
		infer_stat(infer, node->a);
		infer_condition(infer, node->b);
		break;
	case NODE_FOR_RANGE:
		infer_for_range(infer, node);
		break;
	case NODE_FOR_STEP:
		if (node->a)
			infer_stat(infer, node->a);
		if (node->b)
			infer_condition(infer, node->b);
		if (node->c)
			infer_stat(infer, node->c);
		infer_stat(infer, node->d);
		break;
	case NODE_RETURN:
		infer_return(infer, node);
		break;
	case NODE_FOR_IN:
		diag = diag_error(infer->diags, node->span, "for-in-probe", "a probe cannot walk a table");
		diag_help(infer->diags, diag, "walk it in tick or trace_end");
		break;
	case NODE_SAMPLE:
		diag_error(infer->diags, node->span, "sample-unsupported", "'<<<' is not there yet");
		break;
	case NODE_BREAK:
	case NODE_CONTINUE:
	case NODE_ERROR:
		break;
	default: /* declarations of functions and handlers: reported by halves.c */
		break;
	}
}

static bool
is_statement(const struct node *node)
{
	return node->kind <= NODE_TRACE_END;
}

static void
infer_list(struct infer *infer, struct node *list)
{
	for (; list; list = list->next) {
		if (is_statement(list))
			infer_stat(infer, list);
		else
			infer_exp(infer, list);
	}
}

/* ---- what the control half says of shared variables ---- */

/* The type of an expression of the control half where it can be seen at once; NULL: known when it runs. */
static struct type *
literal_type(struct infer *infer, const struct node *node)
{
	struct type *type = NULL;

	while (node->kind == NODE_PAREN)
		node = node->a;
	if (node->kind == NODE_INT || (node->kind == NODE_UNARY && node->op == TOKEN_MINUS && node->a->kind == NODE_INT)) {
		type = make(infer, TYPE_INT, node->span);
	} else if (node->kind == NODE_TRUE || node->kind == NODE_FALSE) {
		type = make(infer, TYPE_BOOL, node->span);
	} else if (node->kind == NODE_STR) {
		type = make(infer, TYPE_STR, node->span);
		type->str_size = type_str_size(node->len);
	} else if (node->kind == NODE_TABLE) {
		type = make(infer, TYPE_TABLE, node->span);
	} else if (node->kind == NODE_CALL && node->a->builtin) {
		type = builtin_type(infer, node->a->builtin, node->span);
		if (type->kind == TYPE_UNKNOWN)
			return NULL;
		if (node->a->builtin->id == BUILTIN_TABLE_NEW)
			for (const struct node *arg = node->b; arg; arg = arg->next)
				type->max_records += arg->kind == NODE_INT && arg->number > 0 ? arg->number : 0;
	} else if (node->kind == NODE_NAME && node->builtin) {
		type = builtin_type(infer, node->builtin, node->span);
	}
	return type;
}

static void
hint_variable(struct infer *infer, struct variable *var, const struct node *value, struct span span)
{
	struct type *type, *literal;
	struct diag *diag;

	if (!var || !variable_is_shared(var))
		return;
	type = variable_type(infer, var);
	if (!value || value->kind == NODE_NIL) {
		if (type_find(type)->kind != TYPE_TABLE)
			make_nullable(infer, var);
		else if (value) {
			diag = diag_error(infer->diags, value->span, "table-nil", "%s is a table that probes use; it cannot become nil",
					  var->name);
			diag_help(infer->diags, diag, "%s = {} empties it", var->name);
		}
		return;
	}
	literal = literal_type(infer, value);
	if (literal)
		unify(infer, type, literal, value->span, var->name);
	else if (type_find(type)->kind == TYPE_TABLE) {
		diag = diag_error(infer->diags, value->span, "table-alias", "%s is a table that probes use; it cannot be set to "
				  "another table", var->name);
		diag_help(infer->diags, diag, "give it its entries one by one, or a table constructor");
	} else if (type_find(type)->kind == TYPE_STR) {
		type_find(type)->str_size = STR_SIZE_MAX;
	}
}

/* t[KEY] = VALUE with literals: tells what a table holds that probes only read. Names given to events stay text. */
static void
hint_element(struct infer *infer, struct type *table, const struct node *keys, const struct node *value)
{
	struct type *literal, *left, *right;
	uint32_t n = 0;

	table = type_find(table);
	if (table->kind != TYPE_TABLE)
		return;
	for (const struct node *key = keys; key && n < ARRAY_SIZE(table->key); key = key->next, n++) {
		literal = literal_type(infer, key);
		if (!literal)
			continue;
		if (!table->key[n] && !table->n_keys)
			table->key[n] = make(infer, TYPE_UNKNOWN, key->span);
		if (table->key[n] && !is_event_literal((struct node *)key, table->key[n]) &&
		    !type_unify(table->key[n], literal, &left, &right))
			unify(infer, table->key[n], literal, key->span, "table key");
	}
	if (!table->n_keys && n && table->key[n - 1])
		table->n_keys = n;
	literal = value ? literal_type(infer, value) : NULL;
	if (!literal || literal->kind == TYPE_TABLE)
		return;
	if (!table->value)
		table->value = make(infer, TYPE_UNKNOWN, value->span);
	if (!is_event_literal((struct node *)value, table->value))
		unify(infer, table->value, literal, value->span, "table element");
}

static void
hint_constructor(struct infer *infer, struct variable *var, const struct node *constructor)
{
	if (!var || !variable_is_shared(var) || !constructor || constructor->kind != NODE_TABLE)
		return;
	for (const struct node *field = constructor->a; field; field = field->next)
		hint_element(infer, var->type, field->a, field->b);
}

static void
hint_assign(struct infer *infer, const struct node *targets, const struct node *values)
{
	for (; targets; targets = targets->next) {
		bool known = values && values->kind != NODE_CALL && values->kind != NODE_VARARG;

		if (targets->kind == NODE_NAME || targets->kind == NODE_VAR_NAME) {
			hint_variable(infer, targets->var, values, targets->span);
			hint_constructor(infer, targets->var, values);
		} else if (targets->kind == NODE_INDEX && targets->a->kind == NODE_NAME && targets->a->var &&
			   variable_is_shared(targets->a->var)) {
			hint_element(infer, targets->a->var->type, targets->b, values);
		}
		if (values && (known || values->next))
			values = values->next;
	}
}

static void
hint_node(struct infer *infer, const struct node *node)
{
	for (; node; node = node->next) {
		if (node->kind == NODE_VAR || node->kind == NODE_ASSIGN)
			hint_assign(infer, node->a, node->b);
		else if (node->kind == NODE_OP_ASSIGN && node->a->kind == NODE_INDEX && node->a->a->kind == NODE_NAME &&
			 node->a->a->var && variable_is_shared(node->a->a->var))
			hint_element(infer, node->a->a->var->type, node->a->b, node->b);
		hint_node(infer, node->a);
		hint_node(infer, node->b);
		hint_node(infer, node->c);
		hint_node(infer, node->d);
	}
}

static void
hint_control_half(struct infer *infer)
{
	for (struct function *function = infer->typed->tree->functions; function; function = function->next) {
		if (function->in_control)
			hint_node(infer, function->body);
	}
}

/* ---- the whole script ---- */

static void
add_program(struct infer *infer, struct function *handler, struct layout_group *group, struct typed_program ***last)
{
	struct typed_program *program = arena_alloc(infer->arena, sizeof(*program));
	/* Filter and body are cloned in one, so that they share nothing with the other copies. */
	struct node pair = { .kind = NODE_BLOCK, .a = handler->filter, .b = handler->body };
	struct node *copy = node_clone(infer->arena, &pair);

	program->function = handler;
	program->filter = copy->a;
	program->body = copy->b;
	if (group) {
		program->events = group->events;
		program->n_events = group->n_events;
	} else {
		program->any_event = true;
	}
	**last = program;
	*last = &program->next;
}

static struct layout_group *
profile_group(struct infer *infer, const struct function *handler)
{
	struct layout_group *group = arena_alloc(infer->arena, sizeof(*group));

	group->events = arena_alloc(infer->arena, sizeof(*group->events));
	group->events[0] = events_profile(infer->typed->events, handler->period_ns);
	group->n_events = 1;
	return group;
}

static void
make_programs(struct infer *infer)
{
	struct typed_program **last = &infer->typed->programs;

	for (struct function *function = infer->typed->tree->functions; function; function = function->next) {
		struct field_use use;
		struct layout_group *group = NULL;

		if (function->handler == UINT32_MAX || !function->in_probe)
			continue;
		find_field_use(infer->arena, function, &use);
		if (function->kind == FUNCTION_PROFILE)
			group = profile_group(infer, function);
		else
			group = group_events(infer->arena, infer->typed->events, function, &use, infer->diags);
		if (function->by_name && !function->patterns)
			add_program(infer, function, NULL, &last);
		for (; group; group = group->next)
			add_program(infer, function, group, &last);
	}
}

static void
number_events(struct infer *infer)
{
	struct typed *typed = infer->typed;
	uint32_t cap = 0;

	for (struct typed_program *program = typed->programs; program; program = program->next) {
		for (uint32_t i = 0; i < program->n_events; i++) {
			if (program->events[i]->index != UINT32_MAX)
				continue;
			program->events[i]->index = typed->n_used_events;
			typed->used_events = arena_grow(infer->arena, typed->used_events, typed->n_used_events, &cap,
							sizeof(*typed->used_events));
			typed->used_events[typed->n_used_events++] = program->events[i];
		}
	}
}

static void
infer_programs(struct infer *infer)
{
	for (struct typed_program *program = infer->typed->programs; program; program = program->next) {
		infer->program = program;
		infer->layout = program->any_event ? NULL : program->events[0];
		infer->inlined = NULL;
		infer->depth = 0;
		if (program->filter)
			infer_condition(infer, program->filter);
		infer_stat(infer, program->body);
	}
}

static void
collect_shared(struct infer *infer, const struct node *node, uint32_t *cap)
{
	struct typed *typed = infer->typed;

	for (; node; node = node->next) {
		if (node->kind == NODE_VAR_NAME && node->var && variable_is_shared(node->var)) {
			typed->shared = arena_grow(infer->arena, typed->shared, typed->n_shared, cap, sizeof(*typed->shared));
			typed->shared[typed->n_shared++] = node->var;
		}
		collect_shared(infer, node->a, cap);
		collect_shared(infer, node->b, cap);
		collect_shared(infer, node->c, cap);
		collect_shared(infer, node->d, cap);
	}
}

/* What nothing decided: keys and elements of tables are numbers, as most are. */
static void
settle_table(struct infer *infer, struct type *table)
{
	if (!table->n_keys) {
		table->n_keys = 1;
		if (!table->key[0])
			table->key[0] = make(infer, TYPE_INT, table->span);
	}
	for (uint32_t i = 0; i < table->n_keys; i++) {
		if (type_find(table->key[i])->kind == TYPE_UNKNOWN)
			type_find(table->key[i])->kind = TYPE_INT;
	}
	if (!table->value)
		table->value = make(infer, TYPE_INT, table->span);
	if (type_find(table->value)->kind == TYPE_UNKNOWN)
		type_find(table->value)->kind = TYPE_INT;
}

struct typed *
infer_types(struct tree *tree, struct events *events, struct diags *diags)
{
	struct typed *typed = arena_alloc(tree->arena, sizeof(*typed));
	struct infer infer = { .arena = tree->arena, .diags = diags, .typed = typed };
	uint32_t cap = 0;

	typed->tree = tree;
	typed->events = events;
	make_programs(&infer);
	number_events(&infer);
	do {
		infer.changed = false;
		infer_programs(&infer);
		hint_control_half(&infer);
	} while (infer.changed && !diags->n_errors);
	collect_shared(&infer, tree->main->body, &cap);
	for (uint32_t i = 0; i < typed->n_shared; i++) {
		struct type *type = type_find(typed->shared[i]->type);

		if (type->kind == TYPE_TABLE)
			settle_table(&infer, type);
		else if (type->kind == TYPE_UNKNOWN)
			type->kind = TYPE_INT;
	}
	return typed;
}

static void
print_type(const struct type *type, FILE *out)
{
	while (type->same)
		type = type->same;
	fputs(type_name(type), out);
	if (type->kind == TYPE_STR)
		fprintf(out, "(%u)", type->str_size);
	if (type->kind != TYPE_TABLE)
		return;
	for (uint32_t i = 0; i < type->n_keys; i++) {
		fputs(i ? ", " : "[", out);
		print_type(type->key[i], out);
	}
	fputs("] -> ", out);
	print_type(type->value, out);
}

void
typed_print(const struct typed *typed, FILE *out)
{
	for (uint32_t i = 0; i < typed->n_shared; i++) {
		fprintf(out, "shared %s: ", typed->shared[i]->name);
		print_type(typed->shared[i]->type, out);
		fputs(typed->shared[i]->nullable ? "?\n" : "\n", out);
	}
	for (const struct typed_program *program = typed->programs; program; program = program->next) {
		fprintf(out, "program of handler %u: ", program->function->handler);
		if (program->any_event)
			fputs("any event\n", out);
		else
			fprintf(out, "%u event%s, %s:%s ...\n", program->n_events, program->n_events == 1 ? "" : "s",
				program->events[0]->system, program->events[0]->name);
	}
}
