/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The Lua text itself, the names in it, and how it reaches the script's variables.
 */
#include <assert.h>
#include <string.h>

#include "codegen/lua_int.h"

/* ---- text --------------------------------------------------------------- */

void
chunk_putc(struct chunk *chunk, char c)
{
	chunk->s = arena_grow(chunk->arena, chunk->s, chunk->n, &chunk->cap, 1);
	chunk->s[chunk->n++] = c;
}

void
chunk_puts(struct chunk *chunk, const char *s)
{
	while (*s)
		chunk_putc(chunk, *s++);
}

void
chunk_printf(struct chunk *chunk, const char *format, ...)
{
	char buffer[160];
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(buffer, sizeof(buffer), format, args);
	va_end(args);
	assert(n >= 0 && (size_t)n < sizeof(buffer));
	chunk_puts(chunk, buffer);
}

/*
 * Newlines up to the script's line of `span`. Order in the text is that of the script, so lines never go
 * back.
 */
void
chunk_sync_line(struct chunk *chunk, struct span span)
{
	uint32_t line = script_line(chunk->script, span.off);

	chunk->span = span;
	for (; chunk->line < line; chunk->line++)
		chunk_putc(chunk, '\n');
}

/* Exact bytes, all on one line. */
void
chunk_string(struct chunk *chunk, const char *s, uint32_t len)
{
	chunk_putc(chunk, '"');
	for (uint32_t i = 0; i < len; i++) {
		unsigned char c = s[i];

		if (c < ' ' || c > '~')
			chunk_printf(chunk, "\\%03u", c);
		else if (c == '"' || c == '\\')
			chunk_printf(chunk, "\\%c", c);
		else
			chunk_putc(chunk, c);
	}
	chunk_putc(chunk, '"');
}

/* Counts nesting; false, and one diagnostic, where Lua would give up. */
bool
chunk_enter(struct chunk *chunk, const struct node *node)
{
	if (++chunk->depth <= DEPTH_MAX)
		return true;
	if (!chunk->too_deep)
		diag_error(chunk->diags, node->span, "too-complex", "nested more than %d levels deep",
			   DEPTH_MAX);
	chunk->too_deep = true;
	return false;
}

/* ---- names -------------------------------------------------------------- */

static const char *const reserved[] = {
	"and",  "break", "do",    "else",  "elseif", "end", "false", "for",    "function",
	"goto", "if",    "in",    "local", "nil",    "not", "or",    "repeat", "return",
	"then", "true",  "until", "while", "K",      "G",   "B",
};

/* Slot that holds `name`, or the free slot where it belongs. */
static struct lua_name *
name_slot(struct lua_name *names, uint32_t cap, const char *name)
{
	uint32_t i = text_hash(name, strlen(name)) & (cap - 1);

	while (names[i].s && strcmp(names[i].s, name) != 0)
		i = (i + 1) & (cap - 1);
	return &names[i];
}

static void
names_add(struct chunk *chunk, const char *name)
{
	if (chunk->n_names * 2 >= chunk->cap_names) {
		uint32_t cap = chunk->cap_names ? chunk->cap_names * 2 : 256;
		struct lua_name *names = arena_alloc(chunk->arena, cap * sizeof(*names));

		for (uint32_t i = 0; i < chunk->cap_names; i++)
			if (chunk->names[i].s)
				*name_slot(names, cap, chunk->names[i].s) = chunk->names[i];
		chunk->names = names;
		chunk->cap_names = cap;
	}
	*name_slot(chunk->names, chunk->cap_names, name) = (struct lua_name){ .s = name, .next = 2 };
	chunk->n_names++;
}

bool
chunk_is_lua_name(const char *s, uint32_t len)
{
	if (len == 0 || (*s >= '0' && *s <= '9'))
		return false;
	for (uint32_t i = 0; i < len; i++)
		if (!((s[i] >= 'a' && s[i] <= 'z') || (s[i] >= 'A' && s[i] <= 'Z') ||
		      (s[i] >= '0' && s[i] <= '9') || s[i] == '_'))
			return false;
	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
		if (strlen(reserved[i]) == len && memcmp(reserved[i], s, len) == 0)
			return false;
	return true;
}

/*
 * A Lua name not used before, as near to `name` as can be; bytes that Lua does not take become '_'. Each name remembers how far it was
 * counted up, or a script with thousands of temporaries would try thousands of names for each.
 */
const char *
chunk_fresh_name(struct chunk *chunk, const char *name)
{
	char *base = arena_strdup(chunk->arena, name);
	const char *fresh = base;
	unsigned n;

	for (char *at = base; *at; at++)
		if (!chunk_is_lua_name(at, 1) && !(*at >= '0' && *at <= '9') && *at != 'K' && *at != 'G' &&
		    *at != 'B')
			*at = '_';
	n = name_slot(chunk->names, chunk->cap_names, base)->next;
	while (name_slot(chunk->names, chunk->cap_names, fresh)->s)
		fresh = arena_printf(chunk->arena, "%s_%u", base, n++);
	names_add(chunk, fresh);
	if (fresh != base)
		name_slot(chunk->names, chunk->cap_names, base)->next = n;
	return fresh;
}

void
chunk_names_init(struct chunk *chunk)
{
	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
		names_add(chunk, reserved[i]);
}

/* ---- variables ---------------------------------------------------------- */

static struct lua_var *
var_slot(struct lua_var *vars, uint32_t cap, const struct variable *var)
{
	uint32_t i = (uint32_t)(((uintptr_t)var >> 4) * 2654435761u) & (cap - 1);

	while (vars[i].var && vars[i].var != var)
		i = (i + 1) & (cap - 1);
	return &vars[i];
}

void
chunk_define(struct chunk *chunk, const struct variable *var, const char *access, bool declared)
{
	struct lua_var *slot;

	if (chunk->n_vars * 2 >= chunk->cap_vars) {
		uint32_t cap = chunk->cap_vars ? chunk->cap_vars * 2 : 64;
		struct lua_var *vars = arena_alloc(chunk->arena, cap * sizeof(*vars));

		for (uint32_t i = 0; i < chunk->cap_vars; i++)
			if (chunk->vars[i].var)
				*var_slot(vars, cap, chunk->vars[i].var) = chunk->vars[i];
		chunk->vars = vars;
		chunk->cap_vars = cap;
	}
	slot = var_slot(chunk->vars, chunk->cap_vars, var);
	chunk->n_vars += !slot->var;
	*slot = (struct lua_var){ .var = var, .access = access, .declared = declared };
}

const struct lua_var *
chunk_find(const struct chunk *chunk, const struct variable *var)
{
	const struct lua_var *slot = chunk->cap_vars ? var_slot(chunk->vars, chunk->cap_vars, var) : NULL;

	return slot && slot->var ? slot : NULL;
}

bool
chunk_is_shared(const struct variable *var)
{
	return var && variable_is_shared(var) && !var->is_param;
}

bool
chunk_is_shared_table(const struct variable *var)
{
	return chunk_is_shared(var) && type_find(var->type)->kind == TYPE_TABLE;
}

bool
chunk_is_shared_stat(const struct variable *var)
{
	return chunk_is_shared(var) && type_find(var->type)->kind == TYPE_STAT;
}

void
chunk_count_locals(struct chunk *chunk, unsigned n)
{
	struct diag *diag;

	chunk->function.n_locals += n;
	chunk->function.n_declared += n;
	if (chunk->function.n_declared <= DECLARED_MAX || chunk->too_many)
		return;
	diag = diag_error(chunk->diags, chunk->span, "too-many-locals", "a function can declare at most about %d variables", DECLARED_MAX);
	diag_help(chunk->diags, diag, "put parts of it into functions of their own");
	chunk->too_many = true;
}

/* Declares a variable as a local of the Lua function and returns its name. */
const char *
chunk_local(struct chunk *chunk, const struct variable *var)
{
	const char *name = chunk_fresh_name(chunk, var->name);

	chunk_define(chunk, var, name, false);
	chunk_count_locals(chunk, 1);
	return name;
}

/* A name node for something that the script has no name for. */
struct node *
chunk_temporary(struct chunk *chunk, const char *hint)
{
	struct variable *var = arena_alloc(chunk->arena, sizeof(*var));
	struct node *node = arena_alloc(chunk->arena, sizeof(*node));

	var->name = arena_strdup(chunk->arena, hint);
	node->kind = NODE_NAME;
	node->s = var->name;
	node->var = var;
	chunk_local(chunk, var);
	return node;
}

const char *
chunk_access(struct chunk *chunk, const struct variable *var)
{
	const struct lua_var *found = chunk_find(chunk, var);

	return found ? found->access : "nil"; /* a function that only probes use */
}

bool
chunk_declares(const struct node *name)
{
	return name && name->var && !chunk_is_shared(name->var);
}
