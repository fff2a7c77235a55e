/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Helpers of the program that hosts the engine: rows like those of helpers.def, added while it runs. They are the process's, since the
 * verifier, the interpreter and machine code all find helpers by number alone; what was added stays. One thread adds, before programs
 * are loaded.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vm/vm_int.h"

static struct helper added[VM_HOST_HELPERS_MAX];
static uint32_t n_added;

const struct helper *
helper_host_find(int32_t number)
{
	for (uint32_t i = 0; i < n_added; i++)
		if (added[i].number == number)
			return &added[i];
	return NULL;
}

/* Memory is followed by its size, a size follows memory, behind the last argument is none. */
static bool
args_are_sound(const enum vm_host_arg args[5])
{
	for (int i = 0; i < 5; i++) {
		bool memory = args[i] == VM_HOST_MEM_READ || args[i] == VM_HOST_MEM_WRITE;
		bool after_memory = i > 0 && (args[i - 1] == VM_HOST_MEM_READ || args[i - 1] == VM_HOST_MEM_WRITE);

		if ((memory && (i == 4 || args[i + 1] != VM_HOST_SIZE)) || (args[i] == VM_HOST_SIZE) != after_memory)
			return false;
		if (i > 0 && args[i - 1] == VM_HOST_NONE && args[i] != VM_HOST_NONE)
			return false;
	}
	return true;
}

int
vm_helper_add(int32_t number, const char *name, vm_host_fn *fn, const enum vm_host_arg args[5], struct text *why)
{
	static const enum helper_arg kinds[] = {
		[VM_HOST_NONE] = HARG_NONE,         [VM_HOST_NUMBER] = HARG_ANY,        [VM_HOST_MEM_READ] = HARG_MEM,
		[VM_HOST_MEM_WRITE] = HARG_MEM_OUT, [VM_HOST_SIZE] = HARG_SIZE_OR_ZERO, [VM_HOST_CONTEXT] = HARG_CTX,
	};
	struct helper *helper = &added[n_added];

	if (!args_are_sound(args)) {
		text_printf(why, "helper '%s': memory is followed by its size, and nothing else is; no argument stands behind none", name);
		return -EINVAL;
	}
	if (helper_find(number)) {
		text_printf(why, "helper '%s': number %d is taken by '%s'", name, number, helper_find(number)->name);
		return -EEXIST;
	}
	if (n_added == VM_HOST_HELPERS_MAX) {
		text_printf(why, "helper '%s': there are %d already", name, VM_HOST_HELPERS_MAX);
		return -ENOSPC;
	}
	*helper = (struct helper){ .name = strdup(name), .number = number, .fn = fn, .ret = HRET_INT, .tables = HTAB_NONE };
	if (!helper->name) {
		text_printf(why, "helper '%s': no memory", name);
		return -ENOMEM;
	}
	for (int i = 0; i < 5; i++)
		helper->args[i] = kinds[args[i]];
	n_added++;
	return 0;
}

void *
vm_run_arg(const struct vm_run *run)
{
	return run->env->arg;
}
