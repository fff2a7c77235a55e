/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * lua: the control half (main, tick, trace_end and the functions they call) as Lua 5.4 text.
 *
 * Each statement and expression is written on the line it has in the script, so a run-time error's line needs no translation.
 * The text uses the names K, G and B of codegen.h and no others that it does not declare itself.
 *
 * What Lua does otherwise than ktap, and how it is met:
 *
 *   names          every variable gets a Lua name of its own (the script's, with _2, _3 ... where taken), so declarations can be
 *                  moved to the head of a block without catching another variable
 *   / and %        truncate as in C: K.div, K.mod
 *   ? :            `(c and a or b)` where a is always true, else a function called on the spot
 *   continue       goto a label behind the body; a repeat loop declares its variables first, since its condition sees them
 *   200 locals     a block that would bring a function over LOCALS_MAX keeps its variables in a table of its own
 *   shared         variables that probes use are G[index]; tables K.table(index), and assigning to one is K.reset(index, ...)
 */
#include <assert.h>
#include <string.h>

#include "codegen/codegen.h"

#define LOCALS_MAX 120 /* of Lua's 200 locals and 255 registers a function; the rest is for temporaries */
#define DEPTH_MAX 180  /* of Lua's 200 nested levels */
#define CONCAT_MAX 50  /* operands of one K.cat */

/* How Lua text reaches a variable. */
struct lua_var {
	const struct variable *var; /* NULL: free slot */
	const char *access;         /* an expression that can be assigned to: `n`, `V2.n` */
	bool declared;              /* exists already where its `var` statement stands: no `local` there */
};

/* What is being written of one Lua function. */
struct lua_function {
	unsigned n_locals;
	bool is_vararg;
	unsigned loop; /* label of the innermost loop */
};

struct emit {
	struct arena *arena;
	const struct script *script;
	struct diags *diags;
	char *s;
	uint32_t n, cap;
	uint32_t line;  /* where the text has got to */
	unsigned depth;
	bool too_deep;  /* reported */
	struct lua_function function;
	unsigned n_labels;
	struct lua_var *vars; /* open hash table of 2^n slots */
	uint32_t n_vars, cap_vars;
	const char **names;   /* open hash table of the Lua names in use */
	uint32_t n_names, cap_names;
};

static void
emit_expr(struct emit *e, const struct node *node);

static void
emit_stat(struct emit *e, const struct node *node);

static void
emit_function(struct emit *e, const struct function *function);

/* ---- text ----------------------------------------------------------------------------------------------- */

static void
put_char(struct emit *e, char c)
{
	e->s = arena_grow(e->arena, e->s, e->n, &e->cap, 1);
	e->s[e->n++] = c;
}

static void
put(struct emit *e, const char *s)
{
	while (*s)
		put_char(e, *s++);
}

static void PRINTF_LIKE(2, 3)
putf(struct emit *e, const char *format, ...)
{
	char buffer[160];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(buffer, sizeof(buffer), format, args);
	va_end(args);
	assert(n >= 0 && (size_t)n < sizeof(buffer));
	put(e, buffer);
}

/* Newlines up to the script's line of `span`. Order in the text is that of the script, so lines never go back. */
static void
sync_line(struct emit *e, struct span span)
{
	uint32_t line = script_line(e->script, span.off);

	for (; e->line < line; e->line++)
		put_char(e, '\n');
}

/* Exact bytes, all on one line. */
static void
put_string(struct emit *e, const char *s, uint32_t len)
{
	put_char(e, '"');
	for (uint32_t i = 0; i < len; i++) {
		unsigned char c = s[i];

		if (c < ' ' || c > '~')
			putf(e, "\\%03u", c);
		else if (c == '"' || c == '\\')
			putf(e, "\\%c", c);
		else
			put_char(e, c);
	}
	put_char(e, '"');
}

/* ---- names ------------------------------------------------------------------------------------------------- */

static const char *const reserved[] = {
	"and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if", "in", "local", "nil", "not", "or",
	"repeat", "return", "then", "true", "until", "while", "K", "G", "B",
};

static uint32_t
hash_name(const char *s)
{
	uint32_t hash = 2166136261u;

	while (*s)
		hash = (hash ^ (unsigned char)*s++) * 16777619u;
	return hash;
}

/* Slot that holds `name`, or the free slot where it belongs. */
static const char **
name_slot(const char **names, uint32_t cap, const char *name)
{
	uint32_t i = hash_name(name) & (cap - 1);

	while (names[i] && strcmp(names[i], name) != 0)
		i = (i + 1) & (cap - 1);
	return &names[i];
}

static void
names_add(struct emit *e, const char *name)
{
	if (e->n_names * 2 >= e->cap_names) {
		uint32_t cap = e->cap_names ? e->cap_names * 2 : 256;
		const char **names = arena_alloc(e->arena, cap * sizeof(*names));

		for (uint32_t i = 0; i < e->cap_names; i++)
			if (e->names[i])
				*name_slot(names, cap, e->names[i]) = e->names[i];
		e->names = names;
		e->cap_names = cap;
	}
	*name_slot(e->names, e->cap_names, name) = name;
	e->n_names++;
}

static bool
is_lua_name(const char *s, uint32_t len)
{
	if (len == 0 || (*s >= '0' && *s <= '9'))
		return false;
	for (uint32_t i = 0; i < len; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') || (s[i] >= '0' && s[i] <= '9') || s[i] == '_'))
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
		if (strlen(reserved[i]) == len && memcmp(reserved[i], s, len) == 0)
			return false;
	return true;
}

/* A Lua name not used before, as near to `name` as can be; bytes that Lua does not take become '_'. */
static const char *
fresh_name(struct emit *e, const char *name)
{
	char *base = arena_strdup(e->arena, name);
	const char *fresh = base;

	for (char *at = base; *at; at++)
		if (!is_lua_name(at, 1) && !(*at >= '0' && *at <= '9') && *at != 'K' && *at != 'G' && *at != 'B')
			*at = '_';
	for (unsigned n = 2; *name_slot(e->names, e->cap_names, fresh); n++)
		fresh = arena_printf(e->arena, "%s_%u", base, n);
	names_add(e, fresh);
	return fresh;
}

static void
names_init(struct emit *e)
{
	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
		names_add(e, reserved[i]);
}

/* ---- variables ------------------------------------------------------------------------------------------------ */

static struct lua_var *
var_slot(struct lua_var *vars, uint32_t cap, const struct variable *var)
{
	uint32_t i = (uint32_t)(((uintptr_t)var >> 4) * 2654435761u) & (cap - 1);

	while (vars[i].var && vars[i].var != var)
		i = (i + 1) & (cap - 1);
	return &vars[i];
}

static void
var_define(struct emit *e, const struct variable *var, const char *access, bool declared)
{
	struct lua_var *slot;

	if (e->n_vars * 2 >= e->cap_vars) {
		uint32_t cap = e->cap_vars ? e->cap_vars * 2 : 64;
		struct lua_var *vars = arena_alloc(e->arena, cap * sizeof(*vars));

		for (uint32_t i = 0; i < e->cap_vars; i++)
			if (e->vars[i].var)
				*var_slot(vars, cap, e->vars[i].var) = e->vars[i];
		e->vars = vars;
		e->cap_vars = cap;
	}
	slot = var_slot(e->vars, e->cap_vars, var);
	e->n_vars += !slot->var;
	*slot = (struct lua_var){ .var = var, .access = access, .declared = declared };
}

static const struct lua_var *
var_find(const struct emit *e, const struct variable *var)
{
	const struct lua_var *slot = e->cap_vars ? var_slot(e->vars, e->cap_vars, var) : NULL;

	return slot && slot->var ? slot : NULL;
}

static bool
is_shared(const struct variable *var)
{
	return var && variable_is_shared(var) && !var->is_param;
}

static bool
is_shared_table(const struct variable *var)
{
	return is_shared(var) && type_find(var->type)->kind == TYPE_TABLE;
}

/* Declares a variable as a local of the Lua function and returns its name. */
static const char *
var_local(struct emit *e, const struct variable *var)
{
	const char *name = fresh_name(e, var->name);

	var_define(e, var, name, false);
	e->function.n_locals++;
	return name;
}

/* A name node for something that the script has no name for. */
static struct node *
temporary(struct emit *e, const char *hint)
{
	struct variable *var = arena_alloc(e->arena, sizeof(*var));
	struct node *node = arena_alloc(e->arena, sizeof(*node));

	var->name = arena_strdup(e->arena, hint);
	node->kind = NODE_NAME;
	node->s = var->name;
	node->var = var;
	var_local(e, var);
	return node;
}

static const char *
access_of(struct emit *e, const struct variable *var)
{
	const struct lua_var *found = var_find(e, var);

	return found ? found->access : "nil"; /* a function that only probes use */
}

/* ---- expressions ------------------------------------------------------------------------------------------------- */

/* Counts nesting; false, and one diagnostic, where Lua would give up. */
static bool
enter(struct emit *e, const struct node *node)
{
	if (++e->depth <= DEPTH_MAX)
		return true;
	if (!e->too_deep)
		diag_error(e->diags, node->span, "too-complex", "nested more than %d levels deep", DEPTH_MAX);
	e->too_deep = true;
	return false;
}

static void
event_only(struct emit *e, const struct node *node, const char *what)
{
	diag_error(e->diags, node->span, "event-only", "%s has a meaning in a probe only", what);
	put(e, "nil");
}

/* Does the expression's text need no parentheses as an operand? */
static bool
is_atom(const struct node *node)
{
	switch (node->kind) {
	case NODE_NIL:
	case NODE_TRUE:
	case NODE_FALSE:
	case NODE_STR:
	case NODE_NAME:
	case NODE_INDEX:
	case NODE_CALL:
	case NODE_METHOD:
	case NODE_PAREN:
	case NODE_VARARG:
		return true;
	case NODE_INT:
		return node->number >= 0;
	default: /* of the many kinds of node, these alone are atoms */
		return false;
	}
}

static void
emit_operand(struct emit *e, const struct node *node)
{
	bool atom = is_atom(node);

	if (!atom)
		put_char(e, '(');
	emit_expr(e, node);
	if (!atom)
		put_char(e, ')');
}

/* What may stand before `.`, `[`, `(` and `:` in Lua. */
static void
emit_prefix(struct emit *e, const struct node *node)
{
	bool plain = node->kind == NODE_NAME || node->kind == NODE_INDEX || node->kind == NODE_CALL || node->kind == NODE_METHOD ||
		     node->kind == NODE_PAREN;

	if (!plain)
		put_char(e, '(');
	emit_expr(e, node);
	if (!plain)
		put_char(e, ')');
}

static void
emit_list(struct emit *e, const struct node *list)
{
	for (const struct node *node = list; node; node = node->next) {
		if (node != list)
			put(e, ", ");
		emit_expr(e, node);
	}
}

static void
emit_int(struct emit *e, int64_t number)
{
	if (number == INT64_MIN) /* its digits alone would be a float */
		put(e, "0x8000000000000000");
	else
		putf(e, "%lld", (long long)number);
}

static void
put_builtin(struct emit *e, const struct builtin *builtin)
{
	put(e, "B.");
	for (const char *at = builtin->name; *at; at++)
		put_char(e, *at == '.' ? '_' : *at);
}

static void
emit_name(struct emit *e, const struct node *node)
{
	const struct variable *var = node->var;

	if (!var && node->builtin) {
		put_builtin(e, node->builtin);
		if (!node->builtin->is_call)
			put(e, "()");
	} else if (is_shared_table(var)) {
		putf(e, "K.table(%u)", var->index);
	} else if (is_shared(var)) {
		putf(e, "G[%u]", var->index);
	} else {
		put(e, var ? access_of(e, var) : "nil");
	}
}

static void
emit_index(struct emit *e, const struct node *node)
{
	if (node->builtin) {
		put_builtin(e, node->builtin);
		if (!node->builtin->is_call)
			put(e, "()");
	} else if (node->b && node->b->next) {
		put(e, "K.index(");
		emit_expr(e, node->a);
		put(e, ", ");
		emit_list(e, node->b);
		put_char(e, ')');
	} else {
		emit_prefix(e, node->a);
		put_char(e, '[');
		emit_expr(e, node->b);
		put_char(e, ']');
	}
}

/* The handler that an argument stands for: `function () {}` or the name of a function that never changes. */
static const struct function *
handler_of(const struct node *node)
{
	const struct function *function = NULL;

	while (node->kind == NODE_PAREN)
		node = node->a;
	if (node->kind == NODE_FUNCTION)
		function = node->function;
	else if (node->kind == NODE_NAME && node->var)
		function = node->var->constant;
	return function && function->handler != UINT32_MAX ? function : NULL;
}

/* Arguments of kdebug.kprobe and the like: in place of the function stands the number of its handler. */
static void
emit_handler_args(struct emit *e, const struct node *list)
{
	for (const struct node *node = list; node; node = node->next) {
		const struct function *handler = node->next ? NULL : handler_of(node);

		if (node != list)
			put(e, ", ");
		if (handler)
			putf(e, "%u", handler->handler);
		else
			emit_expr(e, node);
	}
}

static bool
takes_handler(const struct builtin *builtin)
{
	return builtin && (builtin->id == BUILTIN_KDEBUG_TRACEPOINT || builtin->id == BUILTIN_KDEBUG_KPROBE ||
			   builtin->id == BUILTIN_TIMER_PROFILE);
}

static void
emit_call(struct emit *e, const struct node *node)
{
	const struct builtin *builtin = node->a->kind == NODE_NAME && node->a->var ? NULL : node->a->builtin;

	if (builtin)
		put_builtin(e, builtin);
	else
		emit_prefix(e, node->a);
	put_char(e, '(');
	if (takes_handler(builtin))
		emit_handler_args(e, node->b);
	else
		emit_list(e, node->b);
	put_char(e, ')');
}

static void
emit_method(struct emit *e, const struct node *node)
{
	if (is_lua_name(node->s, node->len)) {
		emit_prefix(e, node->a);
		put_char(e, ':');
		put(e, node->s);
		put_char(e, '(');
		emit_list(e, node->b);
	} else { /* a name that Lua reserves */
		put(e, "(function(o, ...) return o[");
		put_string(e, node->s, node->len);
		put(e, "](o, ...) end)(");
		emit_expr(e, node->a);
		if (node->b)
			put(e, ", ");
		emit_list(e, node->b);
	}
	put_char(e, ')');
}

static void
emit_table(struct emit *e, const struct node *node)
{
	put_char(e, '{');
	for (const struct node *field = node->a; field; field = field->next) {
		bool expands = !field->next && !field->a && (field->b->kind == NODE_CALL || field->b->kind == NODE_METHOD);

		if (field->a) {
			put_char(e, '[');
			emit_expr(e, field->a);
			put(e, "] = ");
		}
		put(e, expands ? "(" : ""); /* a call at the end is one value, as in 0.4 */
		emit_expr(e, field->b);
		put(e, expands ? ")" : "");
		put(e, field->next ? ", " : "");
	}
	put_char(e, '}');
}

/* ---- operators */

static const struct lua_op {
	const char *infix; /* Lua's operator, or */
	const char *call;  /* function of K */
	char chain;        /* operators of one letter chain: a op b op c needs no parentheses on the left */
} lua_ops[N_TOKENS] = {
	[TOKEN_OR] = { .infix = " or ", .chain = 'o' },
	[TOKEN_AND] = { .infix = " and ", .chain = 'a' },
	[TOKEN_EQ] = { .infix = " == " },
	[TOKEN_NE] = { .infix = " ~= " },
	[TOKEN_LT] = { .infix = " < " },
	[TOKEN_LE] = { .infix = " <= " },
	[TOKEN_GT] = { .infix = " > " },
	[TOKEN_GE] = { .infix = " >= " },
	[TOKEN_PLUS] = { .infix = " + ", .chain = '+' },
	[TOKEN_MINUS] = { .infix = " - ", .chain = '+' },
	[TOKEN_STAR] = { .infix = " * ", .chain = '*' },
	[TOKEN_SLASH] = { .call = "K.div(" },
	[TOKEN_PERCENT] = { .call = "K.mod(" },
	[TOKEN_CONCAT] = { .call = "K.cat(" },
	[TOKEN_AMP] = { .call = "K.band(" },
	[TOKEN_PIPE] = { .call = "K.bor(" },
	[TOKEN_SHL] = { .call = "K.shl(" },
	[TOKEN_SHR] = { .call = "K.shr(" },
};

/* a .. (b .. (c .. d)) as one call, so that long texts do not nest. */
static void
emit_concat(struct emit *e, const struct node *node)
{
	unsigned n = 1;

	put(e, "K.cat(");
	for (; node->kind == NODE_BINARY && node->op == TOKEN_CONCAT && n < CONCAT_MAX; node = node->b, n++) {
		emit_expr(e, node->a);
		put(e, ", ");
	}
	emit_expr(e, node);
	put_char(e, ')');
}

/* The left operand of a chain is written without nesting: a sum of thousands of terms is flat in Lua. */
static void
emit_chain(struct emit *e, const struct node *node)
{
	char chain = lua_ops[node->op].chain;
	const struct node *first = node;
	const struct node **links = NULL;
	uint32_t n = 0, cap = 0;

	do {
		links = arena_grow(e->arena, links, n, &cap, sizeof(*links));
		links[n++] = first;
		first = first->a;
	} while (chain && first->kind == NODE_BINARY && lua_ops[first->op].chain == chain);
	emit_operand(e, first);
	while (n--) {
		put(e, lua_ops[links[n]->op].infix);
		emit_operand(e, links[n]->b);
	}
}

static void
emit_binary(struct emit *e, const struct node *node)
{
	const struct lua_op *op = &lua_ops[node->op];

	if (node->op == TOKEN_CONCAT) {
		emit_concat(e, node);
	} else if (op->call) {
		put(e, op->call);
		emit_expr(e, node->a);
		put(e, ", ");
		emit_expr(e, node->b);
		put_char(e, ')');
	} else if (op->infix) {
		emit_chain(e, node);
	} else {
		diag_error(e->diags, node->span, "no-operator", "this operator does not exist in the control half");
		put(e, "nil");
	}
}

static void
emit_unary(struct emit *e, const struct node *node)
{
	put(e, node->op == TOKEN_MINUS ? "-" : node->op == TOKEN_NOT ? "not " : "K.bnot");
	put_char(e, '('); /* always, since `--` begins a comment */
	emit_expr(e, node->a);
	put_char(e, ')');
}

/* Can the value not be nil or false? */
static bool
is_always_true(const struct node *node)
{
	switch (node->kind) {
	case NODE_INT:
	case NODE_STR:
	case NODE_TRUE:
	case NODE_TABLE:
		return true;
	case NODE_PAREN:
		return is_always_true(node->a);
	case NODE_UNARY:
		return node->op != TOKEN_NOT;
	case NODE_BINARY:
		return lua_ops[node->op].call || node->op == TOKEN_PLUS || node->op == TOKEN_MINUS || node->op == TOKEN_STAR;
	default: /* of the many kinds of node, only these are known */
		return false;
	}
}

static void
emit_cond(struct emit *e, const struct node *node)
{
	const char *args = e->function.is_vararg ? "..." : "";

	e->depth += 4; /* that many more of Lua's levels than of ours */
	if (is_always_true(node->b)) {
		put_char(e, '(');
		emit_operand(e, node->a);
		put(e, " and ");
		emit_operand(e, node->b);
		put(e, " or ");
		emit_operand(e, node->c);
		put_char(e, ')');
	} else {
		putf(e, "(function(%s) if ", args);
		emit_expr(e, node->a);
		put(e, " then return (");
		emit_expr(e, node->b);
		put(e, ") else return (");
		emit_expr(e, node->c);
		putf(e, ") end end)(%s)", args);
	}
	e->depth -= 4;
}

/* A handler stands for its number; other functions of the probe half are not there. */
static void
emit_function_value(struct emit *e, const struct function *function)
{
	if (function->handler != UINT32_MAX)
		putf(e, "%u", function->handler);
	else if (function->in_control)
		emit_function(e, function);
	else
		put(e, "nil");
}

static void
emit_expr_kind(struct emit *e, const struct node *node)
{
	switch (node->kind) {
	case NODE_NIL:
		put(e, "nil");
		break;
	case NODE_TRUE:
		put(e, "true");
		break;
	case NODE_FALSE:
		put(e, "false");
		break;
	case NODE_INT:
		emit_int(e, node->number);
		break;
	case NODE_STR:
		put_string(e, node->s, node->len);
		break;
	case NODE_VARARG:
		put(e, "...");
		break;
	case NODE_TABLE:
		emit_table(e, node);
		break;
	case NODE_FUNCTION:
		emit_function_value(e, node->function);
		break;
	case NODE_NAME:
		emit_name(e, node);
		break;
	case NODE_INDEX:
		emit_index(e, node);
		break;
	case NODE_CALL:
		emit_call(e, node);
		break;
	case NODE_METHOD:
		emit_method(e, node);
		break;
	case NODE_UNARY:
		emit_unary(e, node);
		break;
	case NODE_BINARY:
		emit_binary(e, node);
		break;
	case NODE_COND:
		emit_cond(e, node);
		break;
	case NODE_PAREN:
		put_char(e, '(');
		emit_expr(e, node->a);
		put_char(e, ')');
		break;
	case NODE_ARG:
		event_only(e, node, "argN");
		break;
	case NODE_ARGS:
		event_only(e, node, "args");
		break;
	default: /* statements, and NODE_ERROR, which was reported */
		put(e, "nil");
		break;
	}
}

static void
emit_expr(struct emit *e, const struct node *node)
{
	sync_line(e, node->span);
	if (enter(e, node))
		emit_expr_kind(e, node);
	else
		put(e, "nil");
	e->depth--;
}

/* ---- blocks ------------------------------------------------------------------------------------------------------ */

static bool
declares(const struct node *name)
{
	return name && name->var && !is_shared(name->var);
}

/* Calls fn for each variable that a block's own statements declare. */
static void
each_declared(struct emit *e, const struct node *block, void (*fn)(struct emit *e, const struct variable *var, void *arg), void *arg)
{
	for (const struct node *stat = block->a; stat; stat = stat->next) {
		if (stat->kind == NODE_FUNCTION_STAT && declares(stat->a) && stat->b->function->in_control)
			fn(e, stat->a->var, arg);
		if (stat->kind != NODE_VAR)
			continue;
		for (const struct node *name = stat->a; name; name = name->next)
			if (declares(name))
				fn(e, name->var, arg);
	}
}

static void
count_variable(struct emit *e, const struct variable *var, void *arg)
{
	unsigned *n = arg;

	++*n;
}

static void
spill_variable(struct emit *e, const struct variable *var, void *arg)
{
	const char *table = arg;

	var_define(e, var, arena_printf(e->arena, "%s.%s", table, fresh_name(e, var->name)), true);
}

static void
hoist_variable(struct emit *e, const struct variable *var, void *arg)
{
	const char *name = var_local(e, var);

	var_define(e, var, name, true);
	put(e, "local ");
	put(e, name);
	put(e, "; ");
}

static void
emit_stats(struct emit *e, const struct node *block)
{
	for (const struct node *stat = block->a; stat; stat = stat->next)
		emit_stat(e, stat);
}

/* What a block declares at its head: a table for its variables when there are too many. */
static void
emit_block_head(struct emit *e, const struct node *block, bool hoist)
{
	unsigned n = 0;
	const char *table;

	each_declared(e, block, count_variable, &n);
	if (e->function.n_locals + n > LOCALS_MAX) {
		table = fresh_name(e, "V");
		e->function.n_locals++;
		put(e, "local ");
		put(e, table);
		put(e, " = {}; ");
		each_declared(e, block, spill_variable, (void *)table);
	} else if (hoist) {
		each_declared(e, block, hoist_variable, NULL);
	}
}

static void
emit_block(struct emit *e, const struct node *block)
{
	unsigned n_locals = e->function.n_locals;

	if (enter(e, block)) {
		emit_block_head(e, block, false);
		emit_stats(e, block);
	}
	e->depth--;
	e->function.n_locals = n_locals;
}

/* `function(...) ... end`, with its parameters; the word `function` and a name may already stand before it. */
static void
emit_function_rest(struct emit *e, const struct function *function)
{
	struct lua_function outer = e->function;

	e->function = (struct lua_function){ .is_vararg = function->is_vararg };
	if (function->n_params > LOCALS_MAX)
		diag_error(e->diags, function->span, "too-many-params", "a function can have at most %d parameters", LOCALS_MAX);
	put_char(e, '(');
	for (uint32_t i = 0; i < function->n_params; i++) {
		put(e, i ? ", " : "");
		put(e, var_local(e, function->params[i]));
	}
	if (function->is_vararg)
		put(e, function->n_params ? ", ..." : "...");
	put(e, ") ");
	emit_block(e, function->body);
	put(e, "return nil; end"); /* a call is a value in ktap, always: Lua would have none */
	e->function = outer;
}

static void
emit_function(struct emit *e, const struct function *function)
{
	put(e, "function");
	emit_function_rest(e, function);
}

/* ---- assignments --------------------------------------------------------------------------------------------------- */

/* Can Lua assign to it with `=`? */
static bool
is_plain_target(const struct node *target)
{
	if (target->kind == NODE_INDEX)
		return !target->b->next;
	return !is_shared_table(target->var);
}

/* target = value, where `value` is one node. */
static void
emit_assign_one(struct emit *e, const struct node *target, const struct node *value)
{
	if (is_plain_target(target)) {
		emit_expr(e, target);
		put(e, " = ");
		emit_expr(e, value);
	} else if (target->kind == NODE_INDEX) {
		put(e, "K.set_index(");
		emit_expr(e, target->a);
		put(e, ", ");
		emit_expr(e, value);
		put(e, ", ");
		emit_list(e, target->b);
		put_char(e, ')');
	} else {
		putf(e, "K.reset(%u, ", target->var->index);
		emit_expr(e, value);
		put_char(e, ')');
	}
	put(e, "; ");
}

static const struct node *
hoist_expr(struct emit *e, const struct node *node, struct node *next)
{
	struct node *name = temporary(e, "t");

	name->next = next;
	name->span = node->span;
	put(e, "local ");
	put(e, access_of(e, name->var));
	put(e, " = ");
	emit_expr(e, node);
	put(e, "; ");
	return name;
}

/* The same target with its object and keys held in locals, so that they are evaluated once, and before any assignment. */
static const struct node *
hoist_target(struct emit *e, const struct node *target)
{
	struct node *copy, **last;

	if (target->kind != NODE_INDEX)
		return target;
	copy = arena_alloc(e->arena, sizeof(*copy));
	*copy = *target;
	copy->next = NULL;
	copy->a = (struct node *)hoist_expr(e, target->a, NULL);
	last = &copy->b;
	for (const struct node *key = target->b; key; key = key->next) {
		*last = (struct node *)hoist_expr(e, key, NULL);
		last = &(*last)->next;
	}
	return copy;
}

/* Any targets: object and keys first, then the values, then one assignment after the other. */
static void
emit_assign_many(struct emit *e, const struct node *targets, const struct node *values)
{
	const struct node **held = NULL, **temps = NULL;
	uint32_t n = 0, cap = 0, cap_temps = 0;
	unsigned n_locals = e->function.n_locals;

	put(e, "do ");
	for (const struct node *target = targets; target; target = target->next) {
		held = arena_grow(e->arena, held, n, &cap, sizeof(*held));
		temps = arena_grow(e->arena, temps, n, &cap_temps, sizeof(*temps));
		held[n++] = hoist_target(e, target);
	}
	put(e, "local ");
	for (uint32_t i = 0; i < n; i++) {
		temps[i] = temporary(e, "t");
		put(e, i ? ", " : "");
		put(e, access_of(e, temps[i]->var));
	}
	put(e, " = ");
	emit_list(e, values);
	put(e, "; ");
	for (uint32_t i = 0; i < n; i++)
		emit_assign_one(e, held[i], temps[i]);
	put(e, "end; ");
	e->function.n_locals = n_locals;
}

static void
emit_assign(struct emit *e, const struct node *node)
{
	bool plain = true;

	for (const struct node *target = node->a; target; target = target->next)
		plain = plain && is_plain_target(target);
	if (!node->a->next && !node->b->next) {
		emit_assign_one(e, node->a, node->b);
	} else if (plain) {
		emit_list(e, node->a);
		put(e, " = ");
		emit_list(e, node->b);
		put(e, "; ");
	} else {
		emit_assign_many(e, node->a, node->b);
	}
}

/* t[k] += v and n += v where n is shared: one call each, since nil counts as 0 and an add to a shared number must be atomic. */
static void
emit_add(struct emit *e, const struct node *target, const struct node *delta, bool negate)
{
	put(e, "K.add_index(");
	if (target->kind == NODE_INDEX)
		emit_expr(e, target->a);
	else
		put_char(e, 'G');
	put(e, negate ? ", -(" : ", ");
	emit_expr(e, delta);
	put(e, negate ? "), " : ", ");
	if (target->kind == NODE_INDEX)
		emit_list(e, target->b);
	else
		putf(e, "%u", target->var->index);
	put(e, "); ");
}

static void
emit_op_assign(struct emit *e, const struct node *node)
{
	bool adds = node->op == TOKEN_PLUS || node->op == TOKEN_MINUS;
	bool indexed = node->a->kind == NODE_INDEX;
	struct node *binary = arena_alloc(e->arena, sizeof(*binary));
	struct node *paren = arena_alloc(e->arena, sizeof(*paren));
	unsigned n_locals = e->function.n_locals;

	if (adds && (indexed || is_shared(node->a->var))) {
		emit_add(e, node->a, node->b, node->op == TOKEN_MINUS);
		return;
	}
	put(e, indexed ? "do " : "");
	*binary = (struct node){ .kind = NODE_BINARY, .span = node->span, .op = node->op };
	*paren = (struct node){ .kind = NODE_PAREN, .span = node->b->span, .a = node->b };
	binary->a = (struct node *)hoist_target(e, node->a);
	binary->b = paren;
	emit_assign_one(e, binary->a, binary);
	put(e, indexed ? "end; " : "");
	e->function.n_locals = n_locals;
}

/* ---- declarations ---------------------------------------------------------------------------------------------------- */

/* `local a, b`, for those of a statement that are new Lua locals. Returns how many. */
static unsigned
emit_locals(struct emit *e, const struct node *names)
{
	unsigned n = 0;

	for (const struct node *name = names; name; name = name->next) {
		if (!declares(name) || (var_find(e, name->var) && var_find(e, name->var)->declared))
			continue;
		put(e, n++ ? ", " : "local ");
		put(e, var_local(e, name->var));
	}
	return n;
}

static bool
are_all_new(struct emit *e, const struct node *names)
{
	for (const struct node *name = names; name; name = name->next)
		if (!declares(name) || (var_find(e, name->var) && var_find(e, name->var)->declared))
			return false;
	return true;
}

/* `var a, b = x, y` of new locals: the values are written before the names exist. */
static void
emit_new_locals(struct emit *e, const struct node *node)
{
	uint32_t n = 0, cap = 0;
	const char **fresh = NULL;
	const struct node *name;

	put(e, "local ");
	for (name = node->a; name; name = name->next) {
		fresh = arena_grow(e->arena, fresh, n, &cap, sizeof(*fresh));
		fresh[n] = fresh_name(e, name->var->name);
		put(e, n ? ", " : "");
		put(e, fresh[n++]);
	}
	if (node->b) {
		put(e, " = ");
		emit_list(e, node->b);
	}
	put(e, "; ");
	n = 0;
	for (name = node->a; name; name = name->next)
		var_define(e, name->var, fresh[n++], false);
	e->function.n_locals += n;
}

/* VAR_NAME nodes as the NAME nodes of an assignment. */
static struct node *
names_as_targets(struct emit *e, const struct node *names)
{
	struct node *first = NULL, **last = &first;

	for (const struct node *name = names; name; name = name->next) {
		*last = arena_alloc(e->arena, sizeof(**last));
		**last = *name;
		(*last)->kind = NODE_NAME;
		(*last)->next = NULL;
		last = &(*last)->next;
	}
	return first;
}

static void
emit_var(struct emit *e, const struct node *node)
{
	struct node assign = { .kind = NODE_ASSIGN, .span = node->span, .b = node->b };
	struct node nil = { .kind = NODE_NIL, .span = node->span };

	if (are_all_new(e, node->a)) {
		emit_new_locals(e, node);
		return;
	}
	if (emit_locals(e, node->a))
		put(e, "; ");
	/* Without values there is nothing to do for shared variables, which begin as nil; others may be in a loop. */
	if (!node->b) {
		for (const struct node *name = node->a; name; name = name->next)
			if (declares(name)) {
				struct node *target = names_as_targets(e, name);

				target->next = NULL;
				emit_assign_one(e, target, &nil);
			}
		return;
	}
	assign.a = names_as_targets(e, node->a);
	emit_assign(e, &assign);
}

static void
emit_function_stat(struct emit *e, const struct node *node)
{
	const struct function *function = node->b->function;
	const struct lua_var *var;

	if (!function->in_control)
		return;
	var = var_find(e, node->a->var);
	if (var && var->declared) {
		put(e, var->access);
		put(e, " = function");
	} else if (is_shared(node->a->var)) {
		emit_name(e, node->a);
		put(e, " = function");
	} else {
		put(e, "local function ");
		put(e, var_local(e, node->a->var));
	}
	emit_function_rest(e, function);
	put(e, "; ");
}

/* ---- loops and branches ------------------------------------------------------------------------------------------------- */

/* Does a block continue its loop, itself or in a branch? Loops and functions inside have their own. */
static bool
has_continue(const struct node *node)
{
	for (; node; node = node->next) {
		if (node->kind == NODE_CONTINUE)
			return true;
		if (node->kind == NODE_BLOCK && has_continue(node->a))
			return true;
		if (node->kind == NODE_IF && (has_continue(node->b) || has_continue(node->c)))
			return true;
	}
	return false;
}

/* The body of a loop: BODY, or `do BODY end ::label::` so that no local's scope is entered by the jump. */
static void
emit_body(struct emit *e, const struct node *block)
{
	bool continues = has_continue(block->a);
	unsigned outer = e->function.loop;

	if (continues) {
		e->function.loop = ++e->n_labels;
		put(e, "do ");
	}
	emit_block(e, block);
	if (continues)
		putf(e, "end; ::continue_%u:: ", e->function.loop);
	e->function.loop = outer;
}

static void
emit_if(struct emit *e, const struct node *node)
{
	put(e, "if ");
	for (;;) {
		emit_expr(e, node->a);
		put(e, " then ");
		emit_block(e, node->b);
		node = node->c;
		if (!node || node->kind != NODE_IF)
			break;
		put(e, "elseif ");
	}
	if (node) {
		put(e, "else ");
		emit_block(e, node);
	}
	put(e, "end; ");
}

static void
emit_while(struct emit *e, const struct node *node)
{
	put(e, "while ");
	emit_expr(e, node->a);
	put(e, " do ");
	emit_body(e, node->b);
	put(e, "end; ");
}

static void
emit_repeat(struct emit *e, const struct node *node)
{
	bool continues = has_continue(node->a->a);
	unsigned n_locals = e->function.n_locals, outer = e->function.loop;

	put(e, "repeat ");
	emit_block_head(e, node->a, continues);
	if (continues) {
		e->function.loop = ++e->n_labels;
		put(e, "do ");
	}
	emit_stats(e, node->a);
	if (continues)
		putf(e, "end; ::continue_%u:: ", e->function.loop);
	put(e, "until ");
	emit_expr(e, node->b);
	put(e, "; ");
	e->function.n_locals = n_locals;
	e->function.loop = outer;
}

static void
emit_for_range(struct emit *e, const struct node *node)
{
	unsigned n_locals = e->function.n_locals;
	const char *name = fresh_name(e, node->a->var ? node->a->var->name : "_");

	put(e, "for ");
	put(e, name);
	put(e, " = ");
	emit_list(e, node->a->next);
	put(e, " do ");
	if (node->a->var)
		var_define(e, node->a->var, name, false);
	e->function.n_locals += 4; /* Lua keeps three of its own */
	emit_body(e, node->b);
	put(e, "end; ");
	e->function.n_locals = n_locals;
}

/* The step stands before the condition and is left out once, so that both keep their lines. */
static void
emit_for_step(struct emit *e, const struct node *node)
{
	unsigned n_locals = e->function.n_locals;
	const char *again = fresh_name(e, "again");

	put(e, "do ");
	if (node->a)
		emit_stat(e, node->a);
	put(e, "local ");
	put(e, again);
	put(e, " = false; while true do ");
	e->function.n_locals++;
	put(e, "if ");
	put(e, again);
	put(e, " then ");
	if (node->c)
		emit_stat(e, node->c);
	put(e, "end; ");
	put(e, again);
	put(e, " = true; ");
	if (node->b) {
		put(e, "if not (");
		emit_expr(e, node->b);
		put(e, ") then break; end; ");
	}
	emit_body(e, node->d);
	put(e, "end; end; ");
	e->function.n_locals = n_locals;
}

static void
emit_for_in(struct emit *e, const struct node *node)
{
	unsigned n_locals = e->function.n_locals, n = 0;
	uint32_t cap = 0;
	const char **names = NULL;
	const struct node *name;

	put(e, "for ");
	for (name = node->a; name; name = name->next) {
		names = arena_grow(e->arena, names, n, &cap, sizeof(*names));
		names[n] = fresh_name(e, name->s);
		put(e, n ? ", " : "");
		put(e, names[n++]);
	}
	if (n > LOCALS_MAX)
		diag_error(e->diags, node->span, "too-many-locals", "a loop can have at most %d variables", LOCALS_MAX);
	put(e, " in ");
	emit_list(e, node->b);
	put(e, " do ");
	n = 0;
	for (name = node->a; name; name = name->next, n++)
		if (name->var)
			var_define(e, name->var, names[n], false);
	e->function.n_locals += n + 4; /* Lua keeps four of its own */
	emit_body(e, node->c);
	put(e, "end; ");
	e->function.n_locals = n_locals;
}

/* ---- statements -------------------------------------------------------------------------------------------------------------- */

/* A built-in that is called last would leave no line for its errors if Lua made it a tail call. */
static void
emit_return(struct emit *e, const struct node *node)
{
	const struct node *value = node->a;
	bool builtin = value && !value->next && value->kind == NODE_CALL && !value->a->var && value->a->builtin;

	put(e, builtin ? "do return (" : "do return ");
	emit_list(e, value);
	put(e, value ? "" : "nil");
	put(e, builtin ? "); end; " : "; end; ");
}

static void
emit_registration(struct emit *e, const struct node *node, const char *call)
{
	put(e, call);
	if (node->kind == NODE_TICK)
		putf(e, "%llu, ", (unsigned long long)node->function->period_ns);
	emit_function(e, node->function);
	put(e, "); ");
}

static void
emit_stat_kind(struct emit *e, const struct node *node)
{
	switch (node->kind) {
	case NODE_BLOCK:
		put(e, "do ");
		emit_block(e, node);
		put(e, "end; ");
		break;
	case NODE_VAR:
		emit_var(e, node);
		break;
	case NODE_ASSIGN:
		emit_assign(e, node);
		break;
	case NODE_OP_ASSIGN:
		emit_op_assign(e, node);
		break;
	case NODE_SAMPLE:
		diag_error(e->diags, node->span, "event-only", "'<<<' adds a sample in a probe only");
		break;
	case NODE_CALL_STAT:
		emit_expr(e, node->a);
		put(e, "; ");
		break;
	case NODE_IF:
		emit_if(e, node);
		break;
	case NODE_WHILE:
		emit_while(e, node);
		break;
	case NODE_REPEAT:
		emit_repeat(e, node);
		break;
	case NODE_FOR_RANGE:
		emit_for_range(e, node);
		break;
	case NODE_FOR_STEP:
		emit_for_step(e, node);
		break;
	case NODE_FOR_IN:
		emit_for_in(e, node);
		break;
	case NODE_BREAK:
		put(e, "break; ");
		break;
	case NODE_CONTINUE:
		putf(e, "goto continue_%u; ", e->function.loop);
		break;
	case NODE_RETURN:
		emit_return(e, node);
		break;
	case NODE_FUNCTION_STAT:
		emit_function_stat(e, node);
		break;
	case NODE_TRACE:
	case NODE_PROFILE:
		putf(e, "K.trace(%u); ", node->function->handler);
		break;
	case NODE_TICK:
		emit_registration(e, node, "K.tick(");
		break;
	case NODE_TRACE_END:
		emit_registration(e, node, "K.trace_end(");
		break;
	default: /* expressions are no statements; NODE_ERROR was reported */
		break;
	}
}

static void
emit_stat(struct emit *e, const struct node *node)
{
	sync_line(e, node->span);
	if (enter(e, node))
		emit_stat_kind(e, node);
	e->depth--;
}

const char *
lua_emit(struct arena *arena, struct typed *typed, struct diags *diags, uint32_t *len)
{
	struct emit e = { .arena = arena, .script = typed->tree->script, .diags = diags, .line = 1 };

	names_init(&e);
	put(&e, "local K, G, B = K, G, B; ");
	e.function = (struct lua_function){ .n_locals = 3, .is_vararg = typed->tree->main->is_vararg };
	emit_block(&e, typed->tree->main->body);
	put_char(&e, '\n');
	put_char(&e, 0);
	*len = e.n - 1;
	return e.s;
}
