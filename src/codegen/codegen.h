/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * codegen: from the typed program to the object. Probe half: typed tree -> IR -> registers -> eBPF.
 * Control half: tree -> Lua on the script's line numbers.
 */
#ifndef KTAP_CODEGEN_H
#define KTAP_CODEGEN_H

#include "ebpf/ebpf.h"
#include "lang/lang.h"

/*
 * Compiles a script for the events that exist in `events`. Returns the object (in `arena`), or NULL when diags holds errors.
 * compile.c reads as the list of all passes.
 */
struct object *
compile(struct arena *arena, struct script *script, struct events *events, struct diags *diags);

/*
 * The same for a machine that may not have every helper: has_helper(BPF_FUNC_x) is asked before one is used that can be done without. So
 * far this is bpf_loop (Linux 5.17); without it a loop whose rounds are not few and known has a low limit of rounds.
 */
struct object *
compile_for(struct arena *arena, struct script *script, struct events *events, bool (*has_helper)(int32_t helper), struct diags *diags);

/*
 * The control half as a Lua chunk (lua.c). The chunk is run with these globals only, which session/control.c provides:
 *
 *   K            library of the run, by name of the function:
 *     K.div(a, b) K.mod(a, b)                  C division on integers, error on zero
 *     K.cat(a, b, ...)                         `..`: strings only
 *     K.band K.bor K.bxor K.bnot K.shl K.shr   on integers, as probes have them
 *     K.glob(s, pattern)                       does the text fit the shell's pattern?
 *     K.index(t, k1, ...)                      t[k1, k2, ...] with several keys
 *     K.set_index(t, value, k1, ...)
 *     K.add_index(t, delta, k1, ...)           t[k1, ...] += delta, nil counts as 0; K.add_index(G, delta, i) is atomic
 *     K.trace(handler)                         a `trace` or `profile` statement was executed
 *     K.tick(ns, fn) K.signal(name, fn) K.trace_end(fn)
 *     K.table(i)                               shared table: userdata with __index, __newindex
 *     K.reset(i, contents)                     assignment of a table constructor to a shared table variable
 *     K.stat(i) K.sample_stat(i, value) K.reset_stat(i, nil)   shared variable i that is a statistic
 *     K.sample(s, value)                       s <<< value: returns s, or a new statistic where s is nil
 *     K.sample_index(t, value, k1, ...)        t[k1, ...] <<< value
 *   G            shared variables by index: G[i] reads, G[i] = v writes global i
 *   B            builtins by their name in builtins.def with '.' as '_': B.print(...), B.table_new(...), B.pid(); where
 *                kdebug.* and timer.profile take a function, the number of its handler is passed
 */
const char *
lua_emit(struct arena *arena, struct typed *typed, struct diags *diags, uint32_t *len);

#endif
