/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Writing .BTF.ext: which type and which lines each function has, and which instructions hold a number about the kernel's types (CO-RE). Then
 * .BTF, to which all three add.
 *
 *     header | record size, { section, n, n records } ... of functions | the same of lines | the same of CO-RE relocations
 */
#include <errno.h>
#include <string.h>

#include <bpf/btf.h>

#include "ebpf/elf_write.h"

/* Precedes the records of one section; <linux/btf.h> has no name for it. */
struct ext_section {
	uint32_t name_off;
	uint32_t n_records;
};

/* Appends the records of one function; how many, or -errno. */
typedef int put_records_fn(struct writer *w, uint32_t func, struct core_names *names, struct text *out);

static int
put_func_info(struct writer *w, uint32_t func, struct core_names *names, struct text *out)
{
	const struct placed *placed = elf_placed_func(w, func);
	bool is_callee = strcmp(w->object->funcs[func]->section, ".text") == 0;
	struct bpf_func_info info = { .insn_off = placed->off };
	int id = put_func_type(w->btf, placed->name, is_callee ? BTF_FUNC_STATIC : BTF_FUNC_GLOBAL);

	(void)names;
	if (id < 0)
		return id;
	info.type_id = (uint32_t)id;
	text_add(out, (const char *)&info, sizeof(info));
	return 1;
}

static int
put_line_infos(struct writer *w, uint32_t index, struct core_names *names, struct text *out)
{
	const struct func *func = w->object->funcs[index];
	uint32_t start = elf_placed_func(w, index)->off / sizeof(struct bpf_insn), n = line_info_count(func);
	struct bpf_line_info *infos = arena_alloc(w->arena, n * sizeof(*infos));
	int err = line_info_fill(w->btf, w->object->script, func, start, infos);

	(void)names;
	for (uint32_t i = 0; i < n; i++)
		infos[i].insn_off *= sizeof(struct bpf_insn); /* bytes in ELF, instructions in bpf(2) */
	text_add(out, (const char *)infos, n * sizeof(*infos));
	return err ? err : (int)n;
}

static int
put_core_relos(struct writer *w, uint32_t index, struct core_names *names, struct text *out)
{
	const struct func *func = w->object->funcs[index];

	for (uint32_t i = 0; i < func->n_cores; i++) {
		struct core_place place;
		int err = core_names_put(names, w->btf, func->cores[i].path, &place);
		struct bpf_core_relo relo;

		if (err)
			return err;
		relo = (struct bpf_core_relo){
			.insn_off = elf_placed_func(w, index)->off + func->cores[i].pc * (uint32_t)sizeof(struct bpf_insn),
			.type_id = place.type,
			.access_str_off = place.access_off,
			.kind = func->cores[i].kind,
		};
		text_add(out, (const char *)&relo, sizeof(relo));
	}
	return (int)func->n_cores;
}

/* The records of all functions of one code section, behind its head; none: nothing. */
static int
put_section(struct writer *w, uint32_t code, put_records_fn *put, struct core_names *names, struct text *out)
{
	struct ext_section section = { 0 };
	size_t at = out->len;
	int off = btf__add_str(w->btf, w->sections[code].name), n;

	if (off < 0)
		return off;
	section.name_off = (uint32_t)off;
	text_add(out, (const char *)&section, sizeof(section));
	for (uint32_t i = 0; i < w->object->n_funcs; i++) {
		if (elf_placed_func(w, i)->section != code)
			continue;
		n = put(w, i, names, out);
		if (n < 0)
			return n;
		section.n_records += (uint32_t)n;
	}
	memcpy(out->s + at, &section, sizeof(section));
	if (!section.n_records)
		out->len = at;
	return 0;
}

static int
put_list(struct writer *w, uint32_t record_size, put_records_fn *put, struct core_names *names, struct text *out)
{
	int err = 0;

	text_add(out, (const char *)&record_size, sizeof(record_size));
	for (uint32_t code = 0; code < w->n_code && !err; code++)
		err = put_section(w, code, put, names, out);
	return err;
}

/* ---- names of the kernel's types ------------------------------------------------------------------------------------------------- */

/* Notes all that instructions refer to. */
static int
note_names(struct writer *w, struct core_names *names)
{
	for (uint32_t i = 0; i < w->object->n_funcs; i++) {
		const struct func *func = w->object->funcs[i];

		for (uint32_t r = 0; r < func->n_cores; r++) {
			if (!func->cores[r].path)
				return elf_write_fail(w, -ENOTSUP, "object %s: function %s: CO-RE relocations of a file cannot be written again",
						      w->object->name, func->name);
			if (!core_names_add(names, func->cores[r].path))
				return elf_write_fail(w, -ENOENT, "object %s: function %s: the kernel's types have no %s", w->object->name,
						      func->name, func->cores[r].path);
		}
	}
	return 0;
}

/* ---- the sections ------------------------------------------------------------------------------------------------------------------ */

static int
put_ext(struct writer *w, struct core_names *names)
{
	struct text lists[3] = { { 0 }, { 0 }, { 0 } }, ext = { 0 };
	struct ext_header header = { .magic = BTF_MAGIC, .version = BTF_VERSION, .header_len = sizeof(header) };
	int err = put_list(w, sizeof(struct bpf_func_info), put_func_info, names, &lists[0]);

	if (!err && w->object->script)
		err = put_list(w, sizeof(struct bpf_line_info), put_line_infos, names, &lists[1]);
	if (!err && names)
		err = put_list(w, sizeof(struct bpf_core_relo), put_core_relos, names, &lists[2]);
	header.func_len = (uint32_t)lists[0].len;
	header.line_off = (uint32_t)lists[0].len;
	header.line_len = (uint32_t)lists[1].len;
	header.core_off = (uint32_t)(lists[0].len + lists[1].len);
	header.core_len = (uint32_t)lists[2].len;
	text_add(&ext, (const char *)&header, sizeof(header));
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		text_add(&ext, lists[i].s, lists[i].len);
		text_fini(&lists[i]);
	}
	if (!err && w->n_code)
		elf_write_bytes(w, ".BTF.ext", 0, 4, ext.s, ext.len);
	text_fini(&ext);
	return err ? elf_write_fail_btf(w, err) : 0;
}

/* With the kernel's types, when they are needed. */
static int
put_with(struct writer *w, const struct typeinfo *kernel)
{
	struct core_names *names = core_names_new(w->arena, kernel);
	int err = note_names(w, names);

	return err ? err : put_ext(w, names);
}

/* The same, where they are those of a module. */
static int
put_with_module(struct writer *w, const struct typeinfo *kernel)
{
	const char *name = w->object->kernel_module;
	struct typeinfo *module = module_types(name, kernel);
	int err = module ? put_with(w, module) : -ENOENT;

	if (!module)
		text_printf(w->why, "the types of module %s are not there any more", name);
	typeinfo_free(module);
	return err;
}

static int
put_fitted(struct writer *w)
{
	struct typeinfo *kernel;
	int err;

	if (w->object->kernel)
		return put_with(w, w->object->kernel);
	kernel = typeinfo_open(CORE_KERNEL, NULL, w->why);
	if (!kernel)
		return -ENOENT;
	err = w->object->kernel_module ? put_with_module(w, kernel) : put_with(w, kernel);
	typeinfo_free(kernel);
	return err;
}

int
elf_write_types(struct writer *w)
{
	int err = core_is_needed(w->object) ? put_fitted(w) : put_ext(w, NULL);
	const void *raw;
	uint32_t len;

	if (err)
		return err;
	raw = btf__raw_data(w->btf, &len);
	if (!raw)
		return elf_write_fail_btf(w, -ENOMEM);
	elf_write_bytes(w, ".BTF", 0, 4, raw, len);
	return 0;
}
