/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * An object as text for people: `ktap dump`. What it is, what it needs, what attaches to what, data, programs with the lines they come from, the
 * control half, types. No addresses and no order by chance: equal objects, equal text.
 */
#include <linux/btf.h>
#include <string.h>

#include "ebpf/ebpf_int.h"

static void
dump_needs(const struct object *object, FILE *out)
{
	struct arena *arena = arena_new();
	struct text text = { 0 };
	struct object_need *needs;
	uint32_t n = object->n_needs;

	needs = object->needs;
	if (!object->is_script)
		n = object_needs(object, arena, NULL, &needs);

	fputs("\nneeds\n", out);
	for (uint32_t i = 0; i < n; i++) {
		text_clear(&text);
		need_print(&needs[i], &text);
		fprintf(out, "    %s\n", text.s);
	}
	text_fini(&text);
	arena_free(arena);
}

/* ---- attachments ---- */

static void
dump_fields(const struct program *program, FILE *out)
{
	for (uint32_t i = 0; i < program->n_fields; i++) {
		const struct program_field *field = &program->fields[i];

		fputs(i ? ", " : " reads ", out);
		switch (field->by) {
		case FIELD_BY_NAME:
			fputs(field->name, out);
			break;
		case FIELD_BY_NUMBER:
			fprintf(out, "field %u", field->number);
			break;
		case FIELD_BY_TEXT:
			fprintf(out, "text %u", field->number);
			break;
		case FIELD_BY_RETURN:
			fputs("the result", out);
			break;
		case FIELD_BY_END:
			fputs("the whole, which ends", out);
			break;
		case N_FIELD_BYS:
			break;
		}
		fprintf(out, " at %u", field->offset);
	}
}

static void
dump_handler(const struct object *object, uint32_t index, FILE *out)
{
	const struct handler *handler = object->handlers[index];

	fprintf(out, "    handler %u, line %u:", index, script_line(object->script, handler->span.off));
	for (uint32_t i = 0; i < handler->n_patterns; i++)
		fprintf(out, "%s %s", i ? "," : "", handler->patterns[i].text);
	if (handler->kind == HANDLER_PROFILE)
		fprintf(out, " every %llu ns on each CPU", (unsigned long long)handler->period_ns);
	fputc('\n', out);
	for (uint32_t i = 0; i < handler->n_bindings; i++) {
		const struct binding *binding = &handler->bindings[i];
		const struct known_event *event = &object->event_names[binding->event];

		fprintf(out, "        %s:%s, event %u: program %u", event->system, event->name, binding->event, binding->program);
		dump_fields(object->programs[binding->program], out);
		fputc('\n', out);
	}
	if (handler->any_program != UINT32_MAX)
		fprintf(out, "        events named at run time: program %u\n", handler->any_program);
}

static void
dump_attachments(const struct object *object, FILE *out)
{
	if (!object->n_handlers)
		return;
	fputs("\nattachments, by the events of the machine that compiled it\n", out);
	for (uint32_t i = 0; i < object->n_handlers; i++)
		dump_handler(object, i, out);
}

/* ---- programs, control half ---- */

static void
dump_entries(const struct object *object, FILE *out)
{
	if (object->n_entries)
		fputs("\nentries for other loaders\n", out);
	for (uint32_t i = object->n_funcs; i < object->n_funcs + object->n_entries; i++)
		if (strcmp(object->funcs[i]->section, ".text") != 0) /* that is one which an entry calls */
			fprintf(out, "    %s in section %s, %u instructions\n", object->funcs[i]->name, object->funcs[i]->section,
			object->funcs[i]->n_insns);
}

static void
dump_functions(const struct object *object, FILE *out)
{
	for (uint32_t i = 0; i < object->n_funcs; i++) {
		fputc('\n', out);
		disasm_func(object->funcs[i], object->script, out);
	}
}

/* ---- numbers of the kernel's types ---- */

static const char *
core_kind_name(enum bpf_core_relo_kind kind)
{
	static const char *const names[] = {
		[BPF_CORE_FIELD_BYTE_OFFSET] = "offset of", [BPF_CORE_FIELD_BYTE_SIZE] = "size of",
		[BPF_CORE_FIELD_EXISTS] = "existence of",   [BPF_CORE_FIELD_SIGNED] = "sign of",
		[BPF_CORE_FIELD_LSHIFT_U64] = "left shift of", [BPF_CORE_FIELD_RSHIFT_U64] = "right shift of",
		[BPF_CORE_TYPE_ID_LOCAL] = "number here of", [BPF_CORE_TYPE_ID_TARGET] = "number there of",
		[BPF_CORE_TYPE_EXISTS] = "existence of",    [BPF_CORE_TYPE_SIZE] = "size of",
		[BPF_CORE_ENUMVAL_EXISTS] = "existence of", [BPF_CORE_ENUMVAL_VALUE] = "value of",
		[BPF_CORE_TYPE_MATCHES] = "likeness of",
	};

	return (size_t)kind < ARRAY_SIZE(names) && names[kind] ? names[kind] : "?";
}

static void
dump_core(const struct typeinfo *types, const struct func *func, const struct core_reloc *core, FILE *out)
{
	struct text name = { 0 };
	struct core_path path;
	struct core_value value;

	if (!core_path_read(types, core, &path) || !core_value_of(core->kind, &path, &value)) {
		fprintf(out, "    %s, %u: damaged\n", func->name, core->pc);
		return;
	}
	core_path_print(&path, &name);
	fprintf(out, "    %s, %u: %s %s, %lld\n", func->name, core->pc, core_kind_name(core->kind), name.s, (long long)value.number);
	text_fini(&name);
}

static void
dump_cores(const struct object *object, FILE *out)
{
	struct text why = { 0 };
	struct typeinfo *types = object->btf ? typeinfo_new(object->btf, object->btf_len, NULL, &why) : NULL;
	uint32_t n = 0;

	for (uint32_t i = 0; i < object->n_funcs + object->n_entries && types; i++)
		for (uint32_t c = 0; c < object->funcs[i]->n_cores; c++) {
			if (n++ == 0)
				fputs("\nnumbers of the kernel's types (CO-RE), as they were where this was compiled\n", out);
			dump_core(types, object->funcs[i], &object->funcs[i]->cores[c], out);
		}
	typeinfo_free(types);
	text_fini(&why);
}

static void
dump_control(const struct object *object, FILE *out)
{
	const char *at = object->control, *end = at + object->control_len, *line_end;
	unsigned line = 1;

	fputs("\ncontrol half, in Lua\n", out);
	for (; at < end; at = line_end + 1, line++) {
		line_end = memchr(at, '\n', (size_t)(end - at));
		if (!line_end)
			line_end = end;
		if (line_end > at)
			fprintf(out, "%4u: %.*s\n", line, (int)(line_end - at), at);
	}
}

/* ---- types ---- */

static const char *
kind_name(uint32_t kind)
{
	static const char *const names[] = {
		[BTF_KIND_INT] = "int",         [BTF_KIND_PTR] = "pointer",        [BTF_KIND_ARRAY] = "array",
		[BTF_KIND_STRUCT] = "struct",   [BTF_KIND_UNION] = "union",        [BTF_KIND_ENUM] = "enum",
		[BTF_KIND_FWD] = "forward",     [BTF_KIND_TYPEDEF] = "typedef",    [BTF_KIND_VOLATILE] = "volatile",
		[BTF_KIND_CONST] = "const",     [BTF_KIND_RESTRICT] = "restrict",  [BTF_KIND_FUNC] = "function",
		[BTF_KIND_FUNC_PROTO] = "prototype", [BTF_KIND_VAR] = "variable",  [BTF_KIND_DATASEC] = "section",
		[BTF_KIND_FLOAT] = "float",     [BTF_KIND_DECL_TAG] = "tag",       [BTF_KIND_TYPE_TAG] = "type tag",
		[BTF_KIND_ENUM64] = "enum64",
	};

	return kind < ARRAY_SIZE(names) && names[kind] ? names[kind] : "?";
}

static void
dump_types(const struct object *object, FILE *out)
{
	struct text why = { 0 };
	struct typeinfo *types = object->btf ? typeinfo_new(object->btf, object->btf_len, NULL, &why) : NULL;

	if (types) {
		fputs("\ntypes (BTF)\n", out);
		for (uint32_t id = typeinfo_first(types); id < typeinfo_count(types); id++) {
			const char *name = typeinfo_name(types, id);
			int64_t size = typeinfo_size(types, id);

			fprintf(out, "%4u: %s%s%s", id, kind_name(typeinfo_kind(types, id)), *name ? " " : "", name);
			if (size >= 0)
				fprintf(out, ", %lld bytes", (long long)size);
			fputc('\n', out);
		}
	}
	typeinfo_free(types);
	text_fini(&why);
}

void
object_dump(const struct object *object, FILE *out)
{
	if (object->is_script)
		fprintf(out, "object of script %s, format %u\n", object->script->name, OBJECT_VERSION);
	else
		fputs("object without a script\n", out);
	dump_needs(object, out);
	dump_attachments(object, out);
	fputs("\nparts\n", out);
	object_print_parts(object, out);
	dump_functions(object, out);
	dump_entries(object, out);
	dump_cores(object, out);
	if (object->is_script)
		dump_control(object, out);
	dump_types(object, out);
}
