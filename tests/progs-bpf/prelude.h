/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What the programs of this folder are written with: libbpf's definitions, and whom to trace. Each file says in its first comment what
 * it shows; tests/objects compiles, checks and runs them by the lines that follow there:
 *
 *     run: ARGUMENTS   of tests/progs/calls; without it the file is only checked
 *     options: OPTIONS of ktap, for check and run
 *     prints: LINE     in this order, of what ktap prints; other lines may stand between
 *     engines: NAMES   where it can run: kernel, user; both when not said
 *     compilers: NAMES where the others lack something
 *     refused: TEXT    by our verifier, with this in the message, and by the kernel
 *     quotes: TEXT     a line of C in that message
 *     unreadable: TEXT what `ktap check` says of the object, which only the kernel can run
 *     differs: NAMES   programs that our verifier refuses though the kernel's accepts them; the comment says why
 */
#ifndef PRELUDE_H
#define PRELUDE_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/bpf.h>

#ifdef __clang__
#include <bpf/bpf_helpers.h>
#else
#include "prelude_gcc.h"
#endif

typedef __u8 u8;
typedef __u32 u32;
typedef __u64 u64;
typedef __s64 s64;

/* ktap puts in whom it traces; 0 where it traces nobody else (the user engine). */
const volatile int ktap_target;

static __always_inline bool
is_target(void)
{
	int pid = bpf_get_current_pid_tgid() >> 32;

	return !ktap_target || pid == ktap_target;
}

/* Records of system calls as ftrace lays them out. */
struct enter {
	u64 common;
	int nr;
	u64 args[6];
};

struct leave {
	u64 common;
	int nr;
	s64 ret;
};

char LICENSE[] SEC("license") = "GPL";

#endif
