/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Names of sections in objects of C compilers ("tp/syscalls/sys_enter_openat"): which event a program is for and what its context is.
 * Relies on sections.def; the names are libbpf's.
 */
#include <string.h>

#include "event/event.h"

#define TRACEPOINT_CONTEXT 8192 /* the most that a record can have: PERF_MAX_TRACE_SIZE of the kernel */
#define RAW_ARGS           12   /* MAX_BPF_FUNC_ARGS: arguments that a raw tracepoint can have */
#define PERF_TAIL          16   /* struct bpf_perf_event_data behind the registers: period, address */

static const struct section sections[] = {
#define SECTION(prefix, target, context, doc) { prefix, target, context, doc },
#include "event/sections.def"
#undef SECTION
};

bool
section_is_optional(const char *name)
{
	return *name == '?';
}

const struct section *
section_find(const char *name, const char **rest)
{
	if (section_is_optional(name))
		name++;
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		size_t len = strlen(sections[i].prefix);

		if (strncmp(name, sections[i].prefix, len) != 0 || (name[len] != '/' && name[len] != '\0'))
			continue;
		*rest = name[len] == '/' ? name + len + 1 : "";
		return &sections[i];
	}
	return NULL;
}

uint32_t
section_context_size(const struct section *section)
{
	switch (section->context) {
	case CONTEXT_NONE:
		return 0;
	case CONTEXT_RECORD:
		return TRACEPOINT_CONTEXT;
	case CONTEXT_ARGS:
	case CONTEXT_TYPED:
		return RAW_ARGS * sizeof(uint64_t);
	case CONTEXT_REGS:
		return SECTION_REGS_SIZE;
	case CONTEXT_PERF:
		return SECTION_REGS_SIZE + PERF_TAIL;
	}
	return 0;
}
