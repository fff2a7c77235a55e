/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Global functions: those that are verified by themselves, for all arguments that their type permits, and not anew at each call. As the kernel
 * has it, a function is global by its BTF (linkage), unless its symbol is hidden, and takes
 *
 *     int, enum, ...                      any number
 *     struct bpf_raw_tracepoint_args *    the program's context, as with names alike and with the tag "arg:ctx" (__arg_ctx)
 *     T *                                 memory of sizeof(T) bytes, or null; never null with "arg:nonnull" (__arg_nonnull)
 *     const T *                           the same, and where the memory is a context that may only be read, this as well
 *
 * and returns a number. What else it takes or returns is no reason to refuse it before somebody calls it.
 */
#include <errno.h>
#include <string.h>

#include "ebpf/elf_int.h"

#define MEMORY_MAX (1 << 28) /* bytes that an argument may point to: half of what the verifier lets an offset be */

/* What the kernel calls contexts of programs that trace. */
static const char *const contexts[] = { "bpf_raw_tracepoint_args", "pt_regs", "user_pt_regs", "bpf_user_pt_regs_t", "bpf_perf_event_data" };

/* Has the parameter of a function this tag? */
static bool
has_tag(struct reader *r, uint32_t func, uint32_t parameter, const char *tag)
{
	for (uint32_t id = 1; id < typeinfo_count(r->types) && elf_step(r); id++) {
		const struct btf_type *type = typeinfo_type(r->types, id);

		if (BTF_INFO_KIND(type->info) == BTF_KIND_DECL_TAG && type->type == func &&
		    ((const struct btf_decl_tag *)(type + 1))->component_idx == (int32_t)parameter &&
		    strcmp(typeinfo_string(r->types, type->name_off), tag) == 0)
			return true;
	}
	return false;
}

/* The type's name, or that of a typedef or structure behind it, is that of a context. */
static bool
is_context(const struct reader *r, uint32_t id)
{
	for (int steps = 0; steps < 8; steps++) {
		const struct btf_type *type = typeinfo_type(r->types, id);
		uint32_t kind = type ? BTF_INFO_KIND(type->info) : BTF_KIND_UNKN;

		for (size_t i = 0; type && i < ARRAY_SIZE(contexts); i++)
			if (strcmp(typeinfo_string(r->types, type->name_off), contexts[i]) == 0)
				return true;
		if (kind != BTF_KIND_CONST && kind != BTF_KIND_VOLATILE && kind != BTF_KIND_TYPEDEF)
			return false;
		id = type->type;
	}
	return false;
}

static bool
is_const(const struct reader *r, uint32_t id)
{
	const struct btf_type *type = typeinfo_type(r->types, id);

	while (type && BTF_INFO_KIND(type->info) == BTF_KIND_VOLATILE)
		type = typeinfo_type(r->types, type->type);
	return type && BTF_INFO_KIND(type->info) == BTF_KIND_CONST;
}

static struct func_arg
argument_of(struct reader *r, uint32_t func, uint32_t parameter, uint32_t id)
{
	const struct btf_type *type = typeinfo_plain(r->types, id, NULL);
	uint32_t kind = type ? BTF_INFO_KIND(type->info) : BTF_KIND_UNKN;
	int64_t size;

	if (kind == BTF_KIND_INT || kind == BTF_KIND_ENUM || kind == BTF_KIND_ENUM64)
		return (struct func_arg){ .kind = FUNC_ARG_NUMBER };
	if (kind != BTF_KIND_PTR)
		return (struct func_arg){ .kind = FUNC_ARG_UNKNOWN };
	if (is_context(r, type->type) || has_tag(r, func, parameter, "arg:ctx"))
		return (struct func_arg){ .kind = FUNC_ARG_CONTEXT };
	size = typeinfo_size(r->types, type->type);
	if (size <= 0 || size > MEMORY_MAX)
		return (struct func_arg){ .kind = FUNC_ARG_UNKNOWN };
	return (struct func_arg){ .kind = FUNC_ARG_MEMORY, .size = (uint32_t)size, .read_only = is_const(r, type->type),
				  .nullable = !has_tag(r, func, parameter, "arg:nonnull") };
}

static void
read_proto(struct reader *r, struct func *func)
{
	const struct btf_type *type = typeinfo_type(r->types, func->type), *proto = typeinfo_type(r->types, type->type), *result;
	const struct btf_param *params = (const struct btf_param *)(proto + 1);
	uint32_t n = BTF_INFO_VLEN(proto->info), kind;

	func->is_global = true;
	result = typeinfo_plain(r->types, proto->type, NULL);
	kind = proto->type && result ? BTF_INFO_KIND(result->info) : BTF_KIND_UNKN;
	func->returns_number = kind == BTF_KIND_INT || kind == BTF_KIND_ENUM || kind == BTF_KIND_ENUM64;
	for (uint32_t i = 0; i < n && i < FUNC_ARGS_MAX; i++)
		func->args[i] = argument_of(r, func->type, i, params[i].type);
	if (n > FUNC_ARGS_MAX)
		func->args[FUNC_ARGS_MAX - 1].kind = FUNC_ARG_UNKNOWN;
}

/* Is the function's symbol one that other files do not see? It has one only: functions do not overlap. */
static bool
is_hidden(struct reader *r, uint32_t func)
{
	for (size_t i = 1; i < r->n_symbols && elf_step(r); i++) {
		const struct symbol *symbol = &r->symbols[i];
		const struct section *section = elf_symbol_section(r, symbol);

		if (section && section->kind == SECTION_CODE && symbol->index == func && ELF64_ST_TYPE(symbol->sym.st_info) == STT_FUNC)
			return ELF64_ST_VISIBILITY(symbol->sym.st_other) == STV_HIDDEN || ELF64_ST_VISIBILITY(symbol->sym.st_other) == STV_INTERNAL ||
			       ELF64_ST_BIND(symbol->sym.st_info) == STB_LOCAL;
	}
	return false;
}

void
elf_read_protos(struct reader *r)
{
	for (uint32_t i = 0; r->types && i < r->object->n_funcs; i++) {
		struct func *func = r->object->funcs[i];
		const struct btf_type *type = func->type ? typeinfo_type(r->types, func->type) : NULL, *proto;

		if (!type || BTF_INFO_KIND(type->info) != BTF_KIND_FUNC || BTF_INFO_VLEN(type->info) != BTF_FUNC_GLOBAL)
			continue;
		proto = typeinfo_type(r->types, type->type);
		if (proto && BTF_INFO_KIND(proto->info) == BTF_KIND_FUNC_PROTO && !is_hidden(r, i))
			read_proto(r, func);
	}
}
