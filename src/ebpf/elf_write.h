/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What the files that write ELF share (elf_write.c tells the story, elf_write_ext.c and elf_write_core.c are parts): the file in pieces.
 */
#ifndef KTAP_ELF_WRITE_H
#define KTAP_ELF_WRITE_H

#include "ebpf/ebpf_int.h"

struct section {
	const char *name;
	uint32_t type, align, link, info;
	uint64_t flags, entsize;
	struct text data; /* bytes */
};

/* Where a table or function went. */
struct placed {
	const char *name;
	uint32_t section; /* in writer.sections; its ELF number is one more */
	uint32_t off, len;
	bool is_code;
};

struct writer {
	const struct object *object;
	struct arena *arena;
	struct text *why;
	struct btf *btf;
	struct section *sections;
	uint32_t n_sections, cap_sections;
	uint32_t n_code;       /* the first n_code sections are code */
	struct placed *placed; /* tables, then functions; symbol number is one more */
	uint32_t n_placed;
};

/* Sets *why; returns err. */
int
elf_write_fail(struct writer *w, int err, const char *format, ...) PRINTF_LIKE(3, 4);

int
elf_write_fail_btf(struct writer *w, int err);

/* A section with these bytes and nothing else about it. */
void
elf_write_bytes(struct writer *w, const char *name, uint64_t flags, uint32_t align, const void *bytes, size_t len);

static inline const struct placed *
elf_placed_func(const struct writer *w, uint32_t func)
{
	return &w->placed[w->object->n_tables + func];
}

/* elf_write_ext.c: the sections .BTF.ext and .BTF, when all else that has types has been put. */
int
elf_write_types(struct writer *w);

#endif
