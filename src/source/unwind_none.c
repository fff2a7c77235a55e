/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * unwind_none: takes the place of unwind.c in a build without libdw: says that it is not there.
 */
#include "source/unwind.h"

struct unwinder *
unwinder_open(struct text *why)
{
	text_puts(why, "--unwind=dwarf: this ktap was built without libdw (libdw-dev), which reads call frame information");
	return NULL;
}

void
unwinder_close(struct unwinder *unwinder)
{
}

uint32_t
unwinder_walk(struct unwinder *unwinder, const struct unwind_job *job)
{
	job->addrs[0] = job->regs[UNWIND_REGISTERS - 1];
	return 1;
}
