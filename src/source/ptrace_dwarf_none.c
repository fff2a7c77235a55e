/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * ptrace_dwarf_none: takes the place of ptrace_dwarf.c in a build without libdw: says that it is not there.
 */
#include <errno.h>

#include "source/ptrace_int.h"

struct dwarf *
dwarf_open(struct tracer *tracer, struct text *why)
{
	text_puts(why, "--unwind=dwarf: this ktap was built without libdw (libdw-dev), which reads call frame information");
	return NULL;
}

void
dwarf_close(struct dwarf *dwarf)
{
}

void
dwarf_forget(struct dwarf *dwarf, pid_t pid)
{
}

int64_t
dwarf_unwind(struct dwarf *dwarf, pid_t pid, pid_t tid, const struct user_regs_struct *regs, uint64_t *addrs, uint32_t max)
{
	return -ENOSYS;
}
