/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The system calls of this architecture, by number and by name, from syscalls-ARCH.def, and which of their arguments are strings.
 *
 * Relies on constant tables alone: works without tracefs and without privilege.
 */
#include <string.h>

#include "event/event.h"

static const struct syscall syscalls[SYSCALLS_MAX] = {
#define SYSCALL(number_, name_, n_args_, ...) \
	[number_] = { .name = name_, .number = number_, .n_args = n_args_, .args = { __VA_ARGS__ } },
#define ALIAS(number, name)
#include "event/syscalls-x86_64.def"
#undef SYSCALL
#undef ALIAS
};

/* Names of <asm/unistd.h> where the kernel's function, and so the event, is called otherwise. */
static const struct {
	int32_t number;
	const char *name;
} aliases[] = {
#define SYSCALL(number, name, n_args, ...)
#define ALIAS(number, name) { number, name },
#include "event/syscalls-x86_64.def"
#undef SYSCALL
#undef ALIAS
};

/*
 * Arguments whose type says string and that are none: the call fills them, or counts their bytes. `syscall` NULL: of any call.
 */
static const struct {
	const char *syscall, *arg;
} not_strings[] = {
	{ NULL, "buf" },
	{ NULL, "ubuf" },
	{ NULL, "list" },
	{ NULL, "optval" },
	{ NULL, "u_msg_ptr" },
	{ NULL, "shmaddr" },
	{ "sethostname", "name" },
	{ "setdomainname", "name" },
};

const struct syscall *
syscall_by_number(int32_t number)
{
	if (number < 0 || number >= SYSCALLS_MAX || !syscalls[number].name)
		return NULL;
	return &syscalls[number];
}

const struct syscall *
syscall_by_name(const char *name)
{
	size_t i;

	for (i = 0; i < SYSCALLS_MAX; i++)
		if (syscalls[i].name && strcmp(syscalls[i].name, name) == 0)
			return &syscalls[i];
	for (i = 0; i < ARRAY_SIZE(aliases); i++)
		if (strcmp(aliases[i].name, name) == 0)
			return syscall_by_number(aliases[i].number);
	return NULL;
}

bool
syscall_arg_is_string(const struct syscall *syscall, unsigned n)
{
	const struct syscall_arg *arg;
	size_t i;

	if (n >= syscall->n_args)
		return false;
	arg = &syscall->args[n];
	if (strcmp(arg->type, "const char *") != 0 && strcmp(arg->type, "char *") != 0)
		return false;
	for (i = 0; i < ARRAY_SIZE(not_strings); i++) {
		if (not_strings[i].syscall && strcmp(not_strings[i].syscall, syscall->name) != 0)
			continue;
		if (strcmp(not_strings[i].arg, arg->name) == 0)
			return false;
	}
	return true;
}
