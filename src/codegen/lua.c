/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * lua: the control half (main, tick, trace_end and the functions they call) as Lua 5.4 text.
 *
 * Each statement and expression is written on the line it has in the script, so a run-time error's line
 * needs no translation. The text uses the names K, G and B of codegen.h and no others that it does not
 * declare itself.
 *
 * What Lua does otherwise than ktap, and how it is met:
 *
 *   names          every variable gets a Lua name of its own (the script's, with _2, _3 ... where taken), so
 *                  declarations can be moved to the head of a block without catching another variable
 *   no result      functions end with `return nil`: a call is always a value
 *   / and %        truncate as in C: K.div, K.mod
 *   ? :            `(c and a or b)` where a is always true, else a function called on the spot
 *   continue       goto a label behind the body; a repeat loop declares its variables first, since its condition
 *                  sees them
 *   200 locals     a block that would bring a function over LOCALS_MAX keeps its variables in a table
 *   shared         variables that probes use are G[index]; tables K.table(index), and assigning to one is
 *                  K.reset(index, ...)
 */
#include "codegen/lua_int.h"

const char *
lua_emit(struct arena *arena, struct typed *typed, struct diags *diags, uint32_t *len)
{
	struct chunk chunk = { .arena = arena, .script = typed->tree->script, .diags = diags, .line = 1 };

	chunk_names_init(&chunk);
	chunk_puts(&chunk, "local K, G, B = K, G, B; ");
	chunk.function = (struct lua_function){ .n_locals = 3, .is_vararg = typed->tree->main->is_vararg };
	chunk_block(&chunk, typed->tree->main->body);
	chunk_putc(&chunk, '\n');
	chunk_putc(&chunk, 0);
	*len = chunk.n - 1;
	return chunk.s;
}
