/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Members of the kernel's structures in an object that was compiled elsewhere: cast("struct sock *", x).sk_err. Each is looked up by
 * name in the running kernel's types (BTF), and its offset put into the instructions that hold it, as CO-RE does for C.
 *
 * Relies on programs that run in the kernel only: in other engines scripts with such members are refused when they are compiled.
 */
#include <assert.h>
#include <linux/btf.h>
#include <string.h>

#include "ebpf/ebpf.h"
#include "event/event_int.h"

#define VMLINUX "/sys/kernel/btf/vmlinux"
#define MEMBER_OFFSET_MAX 65535 /* pack.c */

/* "struct sock.sk_err" in these types. False: it is not there, or is of another size. */
static bool
find_place(const struct typeinfo *types, const struct program_field *field, uint32_t *offset)
{
	bool is_union = strncmp(field->name, "union ", 6) == 0;
	const char *name = strchr(field->name, ' '), *dot = strchr(field->name, '.');
	struct typeinfo_member found;
	char structure[128];
	uint32_t id;

	if (!name || !dot || (size_t)(dot - ++name) >= sizeof(structure))
		return false;
	memcpy(structure, name, (size_t)(dot - name));
	structure[dot - name] = 0;
	id = typeinfo_find(types, structure, is_union ? BTF_KIND_UNION : BTF_KIND_STRUCT);
	if (!id || !typeinfo_member(types, id, dot + 1, &found) || found.bits || found.bit_off / 8 > MEMBER_OFFSET_MAX)
		return false;
	*offset = found.bit_off / 8;
	return !field->number || typeinfo_size(types, found.type) == field->number;
}

/* In the function and those that it calls or hands to helpers; `seen` marks functions that were met. */
static void
move_member(const struct object *object, uint32_t func_index, uint32_t field, uint32_t by, bool *seen)
{
	const struct func *func = object->funcs[func_index];

	seen[func_index] = true;
	for (uint32_t i = 0; i < func->n_patches; i++)
		if (func->patches[i].field == field)
			func->insns[func->patches[i].pc].imm += (int32_t)by;
	for (uint32_t i = 0; i < func->n_relocs; i++) {
		const struct reloc *reloc = &func->relocs[i];

		if ((reloc->kind == RELOC_FUNC || reloc->kind == RELOC_FUNC_ADDR) && !seen[reloc->index])
			move_member(object, reloc->index, field, by, seen);
	}
}

static void
bind_member(struct object *object, struct program *program, uint32_t index, const struct typeinfo *types, struct diags *diags)
{
	struct program_field *field = &program->fields[index];
	uint32_t offset;
	struct diag *diag;

	if (!find_place(types, field, &offset)) {
		diag = diag_error(diags, object->handlers[program->handler]->span, "unknown-layout",
				  "this kernel has no %s as the object knows it", field->name);
		diag_help(diags, diag, "compile the script on this kernel or one like it");
		return;
	}
	if (offset != field->offset)
		move_member(object, program->func, index, offset - field->offset, arena_alloc(object->arena, object->n_funcs));
	field->offset = offset;
}

static bool
has_members(const struct object *object)
{
	for (uint32_t i = 0; i < object->n_programs; i++)
		for (uint32_t n = 0; n < object->programs[i]->n_fields; n++)
			if (object->programs[i]->fields[n].by == FIELD_BY_MEMBER)
				return true;
	return false;
}

void
bind_members(struct object *object, struct diags *diags)
{
	struct typeinfo *types;
	struct text why = { 0 };

	if (!has_members(object))
		return;
	types = typeinfo_open(VMLINUX, NULL, &why);
	if (!types)
		diag_error(diags, object->handlers[0]->span, "kernel-types", "the kernel's types are not known: %s", why.s ? why.s : VMLINUX);
	for (uint32_t i = 0; types && i < object->n_programs; i++)
		for (uint32_t n = 0; n < object->programs[i]->n_fields; n++)
			if (object->programs[i]->fields[n].by == FIELD_BY_MEMBER)
				bind_member(object, object->programs[i], n, types, diags);
	typeinfo_free(types);
	text_fini(&why);
}
