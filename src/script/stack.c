/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The stack of who fires, for ustack(): by backtrace(3) of the C library, which reads the call frame information that all code of compilers has. It is
 * taken before the handlers run, since they are machine code of ours, which has none and which no walk gets past. The frames of this library stand
 * above the host's and are left out:
 *
 *     script_stack_take | fire_with_stack | ktap_script_fire | the host's function that fired | its caller | ...
 *                                                              ^ first
 */
#include <errno.h>
#include <execinfo.h>

#include "script/script_int.h"

void
script_stack_prepare(void)
{
	void *frame;

	backtrace(&frame, 1); /* loads libgcc_s */
}

void
script_stack_take(struct script_stack *stack, uint32_t depth, void *caller)
{
	uint32_t max = depth + STACK_OWN_MAX < STACK_MAX ? depth + STACK_OWN_MAX : STACK_MAX;

	stack->n = backtrace(stack->frames, (int)max);
	for (stack->first = 0; stack->first < stack->n; stack->first++)
		if (stack->frames[stack->first] == caller)
			return;
	/* The walk did not come as far. */
	stack->frames[0] = caller;
	stack->first = 0;
	stack->n = 1;
}

int64_t
script_stack_give(void *arg, uint64_t *addrs, uint32_t max)
{
	const struct script_stack *stack = arg;
	uint32_t n = (uint32_t)(stack->n - stack->first);

	if (n > max)
		n = max;
	for (uint32_t i = 0; i < n; i++)
		addrs[i] = (uintptr_t)stack->frames[stack->first + (int)i];
	return n;
}
