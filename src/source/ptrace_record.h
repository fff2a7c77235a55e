/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The ptrace engine as a recorder: its records themselves, instead of programs that run on them.
 */
#ifndef KTAP_PTRACE_RECORD_H
#define KTAP_PTRACE_RECORD_H

#include "source/source.h"
#include "vm/vm.h"

/* Gets one event's record, `len` bytes, while the thread that raised it stands still; env says who and when, and reads its memory. */
typedef void ptrace_record_fn(void *arg, const struct event *event, const struct vm_env *env, const void *record, size_t len);

/* Like attach of a source of source_ptrace_open. One fn for all events of a source. */
int
source_ptrace_record(struct source *source, struct event *event, ptrace_record_fn *fn, void *arg, struct text *why);

/* A string of that thread's memory, cut to size - 1 bytes, with its NUL. Returns 0 or -EFAULT. */
int
read_user_string(const struct vm_env *env, uint64_t address, char *string, size_t size);

#endif
