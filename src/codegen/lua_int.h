/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * For lua.c and lua_*.c only: the control half as Lua text.
 */
#ifndef KTAP_LUA_INT_H
#define KTAP_LUA_INT_H

#include "codegen/codegen.h"

#define LOCALS_MAX 120 /* of Lua's 200 locals and 255 registers a function; the rest is for temporaries */
#define DECLARED_MAX 32000 /* of 32767 in all blocks of a function */
#define ARGS_MAX   100 /* of a call, a key or an assignment: each takes a register */
#define DEPTH_MAX  180 /* of Lua's 200 nested levels */
#define CONCAT_MAX 50  /* operands of one K.cat */

/* How Lua text reaches a variable. */
struct lua_var {
	const struct variable *var; /* NULL: free slot */
	const char *access;         /* an expression that can be assigned to: `n`, `V2.n` */
	bool declared;              /* exists already where its `var` statement stands: no `local` there */
};

/* What is being written of one Lua function. */
struct lua_function {
	unsigned n_locals;   /* in scope */
	unsigned n_declared; /* so far */
	bool is_vararg;
	unsigned loop; /* label of the innermost loop */
};

/* A Lua name in use, and the number that the next name made of it gets: t, t_2, t_3. */
struct lua_name {
	const char *s;
	unsigned next;
};

/* A Lua chunk in the making. */
struct chunk {
	struct arena *arena;
	const struct script *script;
	struct diags *diags;
	char *s;
	uint32_t n, cap;
	uint32_t line; /* where the text has got to */
	unsigned depth;
	bool too_deep, too_many; /* reported */
	struct span span;        /* of what is being written */
	struct lua_function function;
	unsigned n_labels;
	struct lua_var *vars; /* open hash table of 2^n slots */
	uint32_t n_vars, cap_vars;
	struct lua_name *names; /* open hash table of the Lua names in use */
	uint32_t n_names, cap_names;
};

/* ---- lua_text.c: text, names, variables ---- */

void
chunk_putc(struct chunk *chunk, char c);

void
chunk_puts(struct chunk *chunk, const char *s);

/* At most 159 bytes. */
void
chunk_printf(struct chunk *chunk, const char *format, ...) PRINTF_LIKE(2, 3);

/*
 * Newlines up to the script's line of `span`. Order in the text is that of the script, so lines never go
 * back.
 */
void
chunk_sync_line(struct chunk *chunk, struct span span);

/* A string literal of exactly these bytes, all on one line. */
void
chunk_string(struct chunk *chunk, const char *s, uint32_t len);

/*
 * Enters a level of nesting; the caller leaves it by --chunk->depth. False, and one diagnostic, where Lua
 * would give up.
 */
bool
chunk_enter(struct chunk *chunk, const struct node *node);

/* Makes the names known that a script's variables must not have. */
void
chunk_names_init(struct chunk *chunk);

bool
chunk_is_lua_name(const char *s, uint32_t len);

/* A Lua name not used before, as near to `name` as can be; bytes that Lua does not take become '_'. */
const char *
chunk_fresh_name(struct chunk *chunk, const char *name);

/* Says how a variable is reached, and whether it exists before its `var` statement. */
void
chunk_define(struct chunk *chunk, const struct variable *var, const char *access, bool declared);

/* That many more of Lua's locals come into scope here; reports when the function has declared too many. */
void
chunk_count_locals(struct chunk *chunk, unsigned n);

/* Defines a variable as a local of the Lua function and returns its name. */
const char *
chunk_local(struct chunk *chunk, const struct variable *var);

/* NULL before the variable is defined. */
const struct lua_var *
chunk_find(const struct chunk *chunk, const struct variable *var);

/* Lua text that reaches a variable that is not shared; "nil" for a function that only probes use. */
const char *
chunk_access(struct chunk *chunk, const struct variable *var);

/* A NAME node for a local that the script has no name for. */
struct node *
chunk_temporary(struct chunk *chunk, const char *hint);

/* Do probes use the variable, too? */
bool
chunk_is_shared(const struct variable *var);

bool
chunk_is_shared_table(const struct variable *var);

bool
chunk_is_shared_stat(const struct variable *var);

/* Does this VAR_NAME make a variable of Lua? */
bool
chunk_declares(const struct node *name);

/* ---- lua_exp.c: expressions ---- */

void
chunk_expr(struct chunk *chunk, const struct node *node);

/* Expressions separated by commas. */
void
chunk_list(struct chunk *chunk, const struct node *list);

/* Reports a list that is too long for Lua's registers: "a call can have at most 100 arguments". */
void
chunk_check_count(struct chunk *chunk, const struct node *list, const char *what, const char *parts);

/* As chunk_list, where a call in the last place gives one value. */
void
chunk_keys(struct chunk *chunk, const struct node *keys);

void
chunk_name(struct chunk *chunk, const struct node *node);

/* ---- lua_assign.c: assignments and declarations ---- */

void
chunk_assign(struct chunk *chunk, const struct node *node);

void
chunk_op_assign(struct chunk *chunk, const struct node *node);

void
chunk_sample(struct chunk *chunk, const struct node *node);

void
chunk_var(struct chunk *chunk, const struct node *node);

void
chunk_function_stat(struct chunk *chunk, const struct node *node);

/* ---- lua_stat.c: blocks, functions, all other statements ---- */

void
chunk_block(struct chunk *chunk, const struct node *block);

/* `function(...) ... end` */
void
chunk_function(struct chunk *chunk, const struct function *function);

/* The same from the parameters on; the word `function`, and perhaps a name, stand before them. */
void
chunk_function_rest(struct chunk *chunk, const struct function *function);

void
chunk_stat(struct chunk *chunk, const struct node *node);

#endif
