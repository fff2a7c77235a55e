/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * .BTF.ext of an ELF file: what its BTF has to do with its code. Three lists of the same form:
 *
 *     bytes of a record | for each code section: its name, number of records, the records
 *
 * A record begins with the byte of the section that it is about. Functions get their types and lines, and the CO-RE relocations that
 * core_apply (core.c) needs. Records about bytes where no function is say nothing to us, save for CO-RE relocations: these are refused.
 * Layout: Documentation/bpf/btf.rst of the kernel.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ebpf/elf_int.h"

#define RECORDS_MAX (1u << 20) /* in a list, of one section */

/* One of the lists, while it is read. */
struct ext_list {
	const char *what; /* for messages */
	uint32_t off, len;
	uint32_t min_size; /* of a record */
	int (*read)(struct reader *r, const struct placed *placed, uint32_t pc, const void *record);
	bool everywhere; /* a record must be about an instruction of a function */
};

static int
read_func_info(struct reader *r, const struct placed *placed, uint32_t pc, const void *record)
{
	struct bpf_func_info info;

	memcpy(&info, record, sizeof(info));
	if (pc == 0 && typeinfo_kind(r->types, info.type_id) == BTF_KIND_FUNC)
		r->object->funcs[placed->func]->type = info.type_id;
	return 0;
}

/* A text of line information; those that follow each other mostly have the same, which is kept once. */
static const char *
kept_text(struct reader *r, struct kept_text *last, uint32_t off, const char *(*copy)(struct reader *r, uint32_t off))
{
	if (!last->text || last->off != off)
		*last = (struct kept_text){ off, copy(r, off) };
	return last->text;
}

static const char *
copy_name(struct reader *r, uint32_t off)
{
	return arena_strdup(r->arena, elf_type_string(r, off));
}

static int
read_line_info(struct reader *r, const struct placed *placed, uint32_t pc, const void *record)
{
	struct func *func = r->object->funcs[placed->func];
	struct bpf_line_info info;

	memcpy(&info, record, sizeof(info));
	func->lines = elf_grow(r, func->lines, func->n_lines, sizeof(*func->lines));
	func->lines[func->n_lines++] = (struct source_line){
		.pc = pc,
		.file = kept_text(r, &r->last_file, info.file_name_off, copy_name),
		.text = kept_text(r, &r->last_line, info.line_off, elf_type_line),
		.line = BPF_LINE_INFO_LINE_NUM(info.line_col),
		.column = BPF_LINE_INFO_LINE_COL(info.line_col),
	};
	return 0;
}

static int
read_core_info(struct reader *r, const struct placed *placed, uint32_t pc, const void *record)
{
	struct func *func = r->object->funcs[placed->func];
	struct bpf_core_relo info;

	memcpy(&info, record, sizeof(info));
	if (!typeinfo_type(r->types, info.type_id) || !info.type_id)
		return elf_fail(r, "function %s, instruction %u: its CO-RE relocation names type %u, which is not there", func->name, pc,
				info.type_id);
	func->cores = elf_grow(r, func->cores, func->n_cores, sizeof(*func->cores));
	func->cores[func->n_cores++] = (struct core_reloc){
		.pc = pc,
		.kind = info.kind,
		.type = info.type_id,
		.access = copy_name(r, info.access_str_off),
	};
	return 0;
}

static uint32_t
word_at(const uint8_t *data)
{
	uint32_t word;

	memcpy(&word, data, sizeof(word));
	return word;
}

/* The records about one code section. */
static int
read_records(struct reader *r, const struct ext_list *list, const struct section *section, const uint8_t *records, uint32_t n,
	     uint32_t size)
{
	int err = 0;

	for (uint32_t i = 0; i < n && !err; i++) {
		const uint8_t *record = records + (size_t)i * size;
		uint32_t off = word_at(record);
		const struct placed *placed = elf_placed_at(r, (uint32_t)(section - r->sections), off);
		bool is_insn = placed && (off - placed->start) % sizeof(struct bpf_insn) == 0;

		if (is_insn)
			err = list->read(r, placed, (off - placed->start) / sizeof(struct bpf_insn), record);
		else if (list->everywhere)
			err = elf_fail(r, ".BTF.ext is damaged: byte %u of section %s, which a %s names, is no instruction", off,
				       section->name, list->what);
	}
	return err;
}

static int
read_list(struct reader *r, const uint8_t *data, const struct ext_list *list)
{
	const uint8_t *at = data + list->off, *end = at + list->len;
	uint32_t size;
	int err = 0;

	if (list->len == 0)
		return 0;
	if (list->len < sizeof(size) || (size = word_at(at)) < list->min_size || size % 4)
		return elf_fail(r, ".BTF.ext is damaged: its list of %ss has no records of a known size", list->what);
	at += sizeof(size);
	while (at < end && !err) {
		const struct section *section;
		uint32_t n;

		if (end - at < 8)
			return elf_fail(r, ".BTF.ext is damaged: its list of %ss does not end", list->what);
		section = elf_section(r, typeinfo_string(r->types, word_at(at)));
		n = word_at(at + 4);
		at += 8;
		if (n > RECORDS_MAX || (uint64_t)n * size > (uint64_t)(end - at))
			return elf_fail(r, ".BTF.ext is damaged: %u records in its list of %ss reach past its end", n, list->what);
		if (section)
			err = read_records(r, list, section, at, n, size);
		at += (size_t)n * size;
	}
	return err;
}

static int
check_lists(struct reader *r, const struct ext_list *lists, size_t n, uint64_t len)
{
	for (size_t i = 0; i < n; i++)
		if (lists[i].off % 4 || lists[i].len % 4 || lists[i].off > len || lists[i].len > len - lists[i].off)
			return elf_fail(r, ".BTF.ext is damaged: its list of %ss is not inside", lists[i].what);
	return 0;
}

static int
compare_lines(const void *a, const void *b)
{
	const struct source_line *p = a, *q = b;

	return p->pc < q->pc ? -1 : p->pc > q->pc;
}

static int
compare_cores(const void *a, const void *b)
{
	const struct core_reloc *p = a, *q = b;

	return p->pc < q->pc ? -1 : p->pc > q->pc;
}

/* Compilers write both in order; a file need not. */
static int
sort_lists(struct reader *r)
{
	for (uint32_t f = 0; f < r->object->n_funcs; f++) {
		struct func *func = r->object->funcs[f];

		if (func->n_lines)
			qsort(func->lines, func->n_lines, sizeof(*func->lines), compare_lines);
		if (func->n_cores)
			qsort(func->cores, func->n_cores, sizeof(*func->cores), compare_cores);
		for (uint32_t i = 1; i < func->n_cores; i++)
			if (func->cores[i].pc == func->cores[i - 1].pc)
				return elf_fail(r, "function %s, instruction %u: two CO-RE relocations for one instruction", func->name,
						func->cores[i].pc);
	}
	return 0;
}

/* The lists that the header says there are, in a section whose rest, behind the header, begins at `data`. */
static int
read_lists(struct reader *r, const struct ext_header *header, const uint8_t *data, uint64_t len)
{
	const struct ext_list lists[] = {
		{ "function", header->func_off, header->func_len, sizeof(struct bpf_func_info), read_func_info, false },
		{ "line", header->line_off, header->line_len, sizeof(struct bpf_line_info), read_line_info, false },
		{ "CO-RE relocation", header->core_off, header->core_len, sizeof(struct bpf_core_relo), read_core_info, true },
	};
	int err = check_lists(r, lists, ARRAY_SIZE(lists), len);

	for (size_t i = 0; i < ARRAY_SIZE(lists) && !err; i++)
		err = read_list(r, data, &lists[i]);
	return err ? err : sort_lists(r);
}

int
elf_read_ext(struct reader *r)
{
	const struct section *section = elf_section(r, ".BTF.ext");
	struct ext_header header = { 0 };
	size_t with_core = sizeof(header), without_core = offsetof(struct ext_header, core_off);

	if (!section || !section->data || !r->types)
		return 0;
	memcpy(&header, section->data, section->size < with_core ? section->size : with_core);
	if (header.magic != BTF_MAGIC || header.version != BTF_VERSION)
		return elf_fail(r, ".BTF.ext is damaged: no magic number of BTF, version 1");
	if (header.header_len < without_core || header.header_len > section->size)
		return elf_fail(r, ".BTF.ext is damaged: its header does not end");
	if (header.header_len < with_core)
		header.core_off = header.core_len = 0;
	return read_lists(r, &header, section->data + header.header_len, section->size - header.header_len);
}
