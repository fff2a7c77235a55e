/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * BTF of functions: their types, and which line of the script each instruction comes from, so that the kernel's verifier,
 * bpftool and our own tools quote the script. Types are made through libbpf's btf__ functions.
 *
 * All functions have the type `unsigned long f(void)`. The kernel looks at parameters only to check calls against them; what
 * our functions take is checked when they are verified together with their callers.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>

#include "ebpf/ebpf_int.h"

#define NAME_MAX_LEN  110  /* with a number behind it, below KSYM_NAME_LEN of older kernels */
#define QUOTE_MAX_LEN 200  /* longer lines are quoted from the span on */
#define COLUMN_MAX    1023 /* BPF_LINE_INFO_LINE_COL */

void
c_name(const char *name, struct text *out)
{
	text_clear(out);
	if (*name == '.') {
		text_puts(out, OWN_PREFIX);
		name++;
	} else if (strncmp(name, OWN_PREFIX, strlen(OWN_PREFIX)) == 0) {
		text_puts(out, "script_");
	} else if (!*name || isdigit((unsigned char)*name)) {
		text_putc(out, '_');
	}
	for (; *name && out->len < NAME_MAX_LEN; name++)
		text_putc(out, isalnum((unsigned char)*name) ? *name : '_');
}

/* Id of `unsigned long (void)`. */
static int
put_proto(struct btf *btf)
{
	int id = btf__find_by_name_kind(btf, "unsigned long", BTF_KIND_INT);

	if (id < 0)
		id = btf__add_int(btf, "unsigned long", 8, 0);
	return id < 0 ? id : btf__add_func_proto(btf, id);
}

int
put_func_type(struct btf *btf, const char *name, uint32_t linkage)
{
	struct text clean = { 0 };
	int id = put_proto(btf);

	c_name(name, &clean);
	if (id >= 0)
		id = btf__add_func(btf, clean.s, (enum btf_func_linkage)linkage, id);
	text_fini(&clean);
	return id;
}

static bool
span_changes(const struct func *func, uint32_t pc)
{
	const struct span *spans = func->spans;

	if (pc == 0)
		return true;
	return spans && (spans[pc].off != spans[pc - 1].off || spans[pc].len != spans[pc - 1].len);
}

uint32_t
line_info_count(const struct func *func)
{
	uint32_t n = 0;

	for (uint32_t pc = 0; pc < func->n_insns; pc++) {
		n += span_changes(func, pc);
		if (insn_is_wide(&func->insns[pc]))
			pc++; /* the kernel wants none at the second word */
	}
	return n;
}

/* The line's text as a BTF string; offset or -errno. */
static int
put_quote(struct btf *btf, const struct script *script, struct span span)
{
	uint32_t line = script_line(script, span.off), column = script_column(script, span.off), len;
	const char *s = script_line_text(script, line, &len);
	char quote[QUOTE_MAX_LEN + 1];

	if (len > QUOTE_MAX_LEN && column - 1 < len) {
		s += column - 1;
		len -= column - 1;
	}
	if (len > QUOTE_MAX_LEN)
		len = QUOTE_MAX_LEN;
	memcpy(quote, s, len);
	quote[len] = '\0';
	return btf__add_str(btf, quote);
}

/* One line info; spans[pc] gives the place. */
static int
line_info_at(struct btf *btf, const struct script *script, const struct span *span, struct bpf_line_info *out)
{
	uint32_t column;
	int name, quote;

	if (!script || !span)
		return 0;
	name = btf__add_str(btf, script->name);
	if (name < 0)
		return name;
	quote = put_quote(btf, script, *span);
	if (quote < 0)
		return quote;
	column = script_column(script, span->off);
	out->file_name_off = (uint32_t)name;
	out->line_off = (uint32_t)quote;
	out->line_col = script_line(script, span->off) << 10 | (column < COLUMN_MAX ? column : COLUMN_MAX);
	return 0;
}

int
line_info_fill(struct btf *btf, const struct script *script, const struct func *func, uint32_t start,
	       struct bpf_line_info *out)
{
	for (uint32_t pc = 0; pc < func->n_insns; pc++) {
		if (span_changes(func, pc)) {
			int err;

			*out = (struct bpf_line_info){ .insn_off = start + pc };
			err = line_info_at(btf, script, func->spans ? &func->spans[pc] : NULL, out);
			if (err)
				return err;
			out++;
		}
		if (insn_is_wide(&func->insns[pc]))
			pc++;
	}
	return 0;
}

static int
fill_program(struct btf *btf, const struct script *script, const struct func *const *funcs, uint32_t n,
	     struct btf_info *info)
{
	struct bpf_func_info *func_infos = info->func_infos;
	struct bpf_line_info *line_infos = info->line_infos;
	uint32_t start = 0;

	for (uint32_t i = 0; i < n; i++) {
		int id = put_func_type(btf, funcs[i]->name, i == 0 ? BTF_FUNC_GLOBAL : BTF_FUNC_STATIC);
		int err;

		if (id < 0)
			return id;
		func_infos[i] = (struct bpf_func_info){ .insn_off = start, .type_id = (uint32_t)id };
		err = line_info_fill(btf, script, funcs[i], start, line_infos);
		if (err)
			return err;
		line_infos += line_info_count(funcs[i]);
		start += funcs[i]->n_insns;
	}
	return 0;
}

static int
copy_btf(const struct btf *btf, struct btf_info *info)
{
	uint32_t len;
	const void *raw = btf__raw_data(btf, &len);

	if (!raw)
		return -ENOMEM;
	info->btf = mem_alloc(len);
	if (!info->btf)
		return -ENOMEM;
	memcpy(info->btf, raw, len);
	info->btf_len = len;
	return 0;
}

int
btf_for_program(const struct script *script, const struct func *const *funcs, uint32_t n,
		struct btf_info *info)
{
	struct btf *btf = btf__new_empty();
	int err = -ENOMEM;

	*info = (struct btf_info){ .n_func_infos = n };
	for (uint32_t i = 0; i < n; i++)
		info->n_line_infos += line_info_count(funcs[i]);
	info->func_infos = mem_alloc(n * sizeof(struct bpf_func_info));
	info->line_infos = mem_alloc(info->n_line_infos * sizeof(struct bpf_line_info));
	if (btf && info->func_infos && info->line_infos)
		err = fill_program(btf, script, funcs, n, info);
	if (!err)
		err = copy_btf(btf, info);
	btf__free(btf);
	if (err)
		btf_info_fini(info);
	return err;
}

void
btf_info_fini(struct btf_info *info)
{
	free(info->btf);
	free(info->func_infos);
	free(info->line_infos);
	*info = (struct btf_info){ 0 };
}
