/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What the files of this room share and no other room needs: BTF of functions and lines (btf.c), for bpf(2) and for ELF.
 */
#ifndef KTAP_EBPF_INT_H
#define KTAP_EBPF_INT_H

#include "ebpf/ebpf.h"

struct btf;

/* What a leading '.' (our own tables) becomes in the names of an ELF file, so that they are C identifiers. */
#define OWN_PREFIX "ktap_"

/*
 * A name as C and the kernel's BTF want it: letters, digits and '_', no digit first, 1 to about 110 bytes. A leading '.' becomes
 * OWN_PREFIX; a name of the script that begins like that gets "script_" before it. Into `out`, which is emptied first.
 */
void
c_name(const char *name, struct text *out);

/* Adds a function without parameters that returns a 64-bit integer; `linkage` is BTF_FUNC_STATIC, ... Returns type id or -errno. */
int
put_func_type(struct btf *btf, const char *name, uint32_t linkage);

/* How many line infos the function gets: one at its first instruction and one wherever the span changes. */
uint32_t
line_info_count(const struct func *func);

/*
 * Fills in line_info_count() line infos, for a function that starts at instruction `start` of the program. Without a script or
 * spans they name no line. Returns 0 or -errno.
 */
int
line_info_fill(struct btf *btf, const struct script *script, const struct func *func, uint32_t start, struct bpf_line_info *out);

#endif
