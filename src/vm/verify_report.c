/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What the verifier says: refusals, and its states for `-d verify`. A refusal is one message:
 *
 *     function "trace_1", instruction 12: r0 = *(u64 *)(r1 + 8)
 *       reads behind ...; r1: value of table "counts", offset 0 to 255
 *       path: 3 taken, 7 not taken
 *       script.kp:4: s[probename] += 1
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "vm/vm_int.h"

static const char *const kind_names[N_REG_KINDS] = {
	[REG_UNSET] = "no value",
	[REG_SCALAR] = "number",
	[REG_STACK] = "stack",
	[REG_TABLE] = "table",
	[REG_VALUE] = "value of table",
	[REG_MEM] = "memory of argument",
	[REG_RDONLY] = "read-only memory of argument",
	[REG_RECORD] = "ring buffer record",
	[REG_DYNPTR] = "dynptr",
	[REG_DATA] = "memory of a dynptr",
	[REG_KEY] = "key of table",
	[REG_FUNC] = "function",
	[REG_CTX] = "context",
	[REG_PASSED] = "memory of argument",
	[REG_PASSED_RDONLY] = "read-only memory of argument",
};

const char *
reg_table_name(const struct verifier *v, uint32_t index)
{
	uint32_t n = v->object->n_tables;
	const struct table *table = v->object->tables[index < n ? index : index - n];

	return table->name ? table->name : "?";
}

/* ' "counts"'; ' in "outer"' for one that a table holds. */
static void
put_table(const struct verifier *v, uint32_t index, struct text *out)
{
	text_printf(out, " %s\"%s\"", index < v->object->n_tables ? "" : "in ", reg_table_name(v, index));
}

void
reg_print(const struct verifier *v, const struct reg *reg, struct text *out)
{
	if (reg->kind == REG_SCALAR) {
		scalar_print(&reg->s, out);
		return;
	}
	text_puts(out, kind_names[reg->kind]);
	if (reg->kind == REG_TABLE || reg->kind == REG_VALUE || reg->kind == REG_KEY)
		put_table(v, reg->index, out);
	if (reg->kind == REG_TABLE && reg->nullable)
		text_puts(out, ", or null");
	if (reg->kind == REG_MEM || reg->kind == REG_RDONLY || reg->kind == REG_PASSED || reg->kind == REG_PASSED_RDONLY)
		text_printf(out, " %" PRIu32, reg->index + 1);
	if (reg->kind == REG_FUNC)
		text_printf(out, " \"%s\"", v->object->funcs[reg->index]->name ? v->object->funcs[reg->index]->name : "?");
	if (reg->kind == REG_STACK && reg->index + 1 != v->state.n_frames)
		text_printf(out, " of frame %" PRIu32, reg->index);
	if (reg->kind == REG_UNSET || reg->kind == REG_TABLE || reg->kind == REG_CTX || reg->kind == REG_FUNC ||
	    reg->kind == REG_DYNPTR)
		return;
	text_puts(out, ", offset ");
	if (reg->off || scalar_is_const(&reg->s))
		text_printf(out, "%" PRId32 "%s", reg->off, scalar_is_const(&reg->s) && !reg->s.bits.value ? "" : " + ");
	if (!scalar_is_const(&reg->s) || reg->s.bits.value)
		scalar_print(&reg->s, out);
	if (reg->kind == REG_VALUE)
		text_printf(out, " of %" PRIu32, reg_table(v, reg->index)->value_size);
	else if (reg->kind == REG_KEY)
		text_printf(out, " of %" PRIu32, reg_table(v, reg->index)->key_size);
	else if (reg->kind != REG_STACK)
		text_printf(out, " of %" PRIu32, reg->size);
	if (reg->nullable)
		text_puts(out, ", or null");
}

/* The last branches of the path, oldest first. */
#define PATH_SHOWN 12

/* Which way it went: "taken", "not taken"; a helper that called back. */
static const char *
way_name(const struct branch *branch)
{
	if (insn_calls_back(&branch->func->insns[branch->pc]))
		return "calls back";
	if (insn_is_tail_call(&branch->func->insns[branch->pc]))
		return "goes on in another program";
	return branch->taken ? "taken" : "not taken";
}

static void
print_path(const struct verifier *v, struct text *out)
{
	const struct branch *shown[PATH_SHOWN];
	const struct branch *branch = v->state.path;
	int n = 0;

	for (; branch && n < PATH_SHOWN; branch = branch->prev)
		shown[n++] = branch;
	if (!n)
		return;
	text_puts(out, branch ? "\n  path: ... " : "\n  path: ");
	while (n-- > 0) {
		if (shown[n]->func != v->entry)
			text_printf(out, "%s:", shown[n]->func->name ? shown[n]->func->name : "?");
		text_printf(out, "%" PRIu32 " %s%s", shown[n]->pc, way_name(shown[n]), n ? ", " : "");
	}
}

static void
print_source_line(const struct source_line *line, struct text *out)
{
	const char *s;

	if (!line)
		return;
	for (s = line->text; *s == ' ' || *s == '\t'; s++)
		;
	text_printf(out, "\n  %s:%" PRIu32 ":%s%s", line->file, line->line, *s ? " " : "", s);
}

static void
print_script_line(const struct verifier *v, const struct func *func, uint32_t pc, struct text *out)
{
	const struct script *script = v->object->script;
	uint32_t line, len;
	const char *s;

	if (!func->spans || !script || !func->spans[pc].len || func->spans[pc].off > script->len)
		return;
	line = script_line(script, func->spans[pc].off);
	s = script_line_text(script, line, &len);
	for (; len && (*s == ' ' || *s == '\t'); s++)
		len--;
	text_printf(out, "\n  %s:%" PRIu32 ": %.*s", script->name, line, (int)len, s);
}

static void
report(struct verifier *v, int err, int regno, const char *format, va_list args)
{
	const struct func *func = v->state.n_frames ? frame_top(v)->func : v->entry;
	uint32_t pc = v->state.pc;

	if (v->err)
		return;
	v->err = err;
	if (pc < func->n_insns) {
		text_printf(v->why, "function \"%s\", instruction %" PRIu32 ": ", func->name ? func->name : "?", pc);
		if (insn_info(&func->insns[pc]) && (!insn_is_wide(&func->insns[pc]) || pc + 1 < func->n_insns))
			disasm_insn(&func->insns[pc], v->why);
		else
			text_printf(v->why, "opcode 0x%02x", func->insns[pc].code);
		text_puts(v->why, "\n  ");
	}
	text_vprintf(v->why, format, args);
	if (regno >= 0) {
		text_printf(v->why, "; r%d: ", regno);
		reg_print(v, &frame_top(v)->regs[regno], v->why);
	}
	print_path(v, v->why);
	if (pc < func->n_insns) {
		v->line = func_line(func, pc);
		print_script_line(v, func, pc, v->why);
		print_source_line(v->line, v->why);
	}
}

bool
refuse(struct verifier *v, int err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report(v, err, -1, format, args);
	va_end(args);
	return false;
}

bool
refuse_reg(struct verifier *v, int regno, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	report(v, -EACCES, regno, format, args);
	va_end(args);
	return false;
}

/* One line: the instruction that comes next, and what is known before it. */
void
state_print(const struct verifier *v, FILE *out)
{
	const struct frame *frame = v->state.frames[v->state.n_frames - 1];
	struct text text = { 0 };

	text_printf(&text, "%s:%" PRIu32 ": ", frame->func->name ? frame->func->name : "?", v->state.pc);
	disasm_insn(&frame->func->insns[v->state.pc], &text);
	text_puts(&text, "  |");
	for (uint32_t i = 0; i < 10; i++) {
		if (frame->regs[i].kind == REG_UNSET)
			continue;
		text_printf(&text, " r%" PRIu32 ": ", i);
		reg_print(v, &frame->regs[i], &text);
		text_putc(&text, ';');
	}
	for (uint32_t i = 0; i < frame->n_slots; i++) {
		const struct slot *slot = &frame->slots[i];

		if (slot->spilled) {
			text_printf(&text, " [-%" PRIu32 "]: ", (i + 1) * 8);
			reg_print(v, &slot->reg, &text);
			text_putc(&text, ';');
		} else if (slot->init) {
			text_printf(&text, " [-%" PRIu32 "]: %d bytes;", (i + 1) * 8, __builtin_popcount(slot->init));
		}
	}
	fprintf(out, "%s\n", text.s ? text.s : "");
	text_fini(&text);
}
