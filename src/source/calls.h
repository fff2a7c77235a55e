/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * calls: what an object's programs ask. They can ask only by calling helpers, so a source knows before the run what it cannot answer.
 */
#ifndef KTAP_SOURCE_CALLS_H
#define KTAP_SOURCE_CALLS_H

#include "source/source.h"

/* A helper's call at an instruction. */
struct call {
	const struct object *object;
	uint32_t program;        /* the number of the program that it is a part of, perhaps in a function of it */
	const struct func *func;
	uint32_t pc;
	int32_t helper;          /* BPF_FUNC_x */
};

/*
 * Gives fn the calls of all programs, each program's functions and bodies of loops included; those of a function that several programs have once
 * for each.
 */
void
calls_each(const struct object *object, void (*fn)(void *arg, const struct call *call), void *arg);

/* The script's place of an instruction; zeros: not known. */
struct span
call_span(const struct func *func, uint32_t pc);

/* The flags of a call of get_stackid, BPF_F_x and how many frames it skips; 0: they are no constant. */
uint32_t
call_stack_flags(const struct call *call);

/* Does a program of the object call this helper? */
bool
object_calls(const struct object *object, int32_t helper);

/* Does a program of the object ask which process or thread it is that an event is of? */
bool
object_asks_ids(const struct object *object);

#endif
