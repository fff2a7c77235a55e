/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Types of built-in values and calls, from their prototypes; and what is checked of their arguments beyond that.
 */
#include <string.h>

#include "lang/infer_int.h"

static enum type_kind
result_kind(const struct builtin *builtin)
{
	static const struct {
		const char *name;
		enum type_kind kind;
	} kinds[] = {
		{ "int", TYPE_INT },	 { "bool", TYPE_BOOL },	  { "string", TYPE_STR }, { "event", TYPE_EVENT },
		{ "stack", TYPE_STACK }, { "ustack", TYPE_USTACK }, { "argstr", TYPE_ARGSTR }, { "table", TYPE_TABLE },
		{ "ksym", TYPE_KSYM },
	};
	const char *name = builtin_result(builtin);

	for (size_t i = 0; name && i < ARRAY_SIZE(kinds); i++) {
		if (!strcmp(kinds[i].name, name))
			return kinds[i].kind;
	}
	return TYPE_UNKNOWN;
}

struct type *
infer_builtin_type(struct infer *infer, const struct builtin *builtin, struct span span)
{
	struct type *type = infer_type(infer, result_kind(builtin), span);

	if (type->kind == TYPE_STR)
		type->str_size = builtin->id == BUILTIN_EXECNAME || builtin->id == BUILTIN_COMM || builtin->id == BUILTIN_NET_FORMAT_IP_ADDR ?
					 16 : STR_SIZE_MAX;
	return type;
}

struct type *
infer_builtin_value(struct infer *infer, struct node *node)
{
	if (node->builtin->id == BUILTIN_RETVAL)
		return infer_retval(infer, node);
	if (node->builtin->id == BUILTIN_FUNC)
		return infer_func(infer, node);
	if (node->builtin->id == BUILTIN_PPID)
		return infer_ppid(infer, node);
	if (node->builtin->id == BUILTIN_CGROUP)
		return infer_cgroup(infer, node);
	if (node->builtin->id == BUILTIN_ARGSTR)
		return infer_argstr(infer, node);
	return infer_settle(infer, node, infer_builtin_type(infer, node->builtin, node->span), false);
}

/* stack(depth, skip), ustack(depth, skip): the kernel needs both when the program is made. */
static void
check_stack_args(struct infer *infer, struct node *node)
{
	for (struct node *arg = node->b; arg; arg = arg->next) {
		infer_require(infer, arg, TYPE_INT, "argument of a stack");
		if (arg->kind != NODE_INT || arg->number < 0 || arg->number > 100)
			diag_error(infer->diags, arg->span, "stack-argument", "%s() takes constant numbers from 0 to 100", node->builtin->name);
	}
}

/* A letter of a format and the value for it; `arg` NULL: there is none. %s shows whatever print does. */
static void
check_format_arg(struct infer *infer, struct node *format, const struct format_spec *spec, struct node *arg)
{
	enum type_kind kind = arg ? type_find(arg->type)->kind : TYPE_NIL;
	struct diag *diag;

	if (!arg) { /* names.c has let it pass, since calls elsewhere give several values */
		diag = diag_error(infer->diags, format->span, "printf-format", "there is no value for '%%%c'", spec->letter->letter);
		diag_help(infer->diags, diag, "a function that a probe calls gives one value");
		return;
	}
	if (kind == TYPE_UNKNOWN || arg->kind == NODE_NIL)
		return;
	if (spec->letter->kind == FORMAT_STRING ? kind != TYPE_TABLE : kind == TYPE_INT || kind == TYPE_KSYM || kind == TYPE_KERNEL)
		return;
	diag = diag_error(infer->diags, arg->span, "printf-format", "'%%%c' cannot show this %s", spec->letter->letter,
			  type_name(arg->type));
	if (kind == TYPE_TABLE)
		diag_help(infer->diags, diag, "take an element of it, or walk it: for (k, v in pairs(t))");
	else
		diag_help(infer->diags, diag, "%%s shows it");
}

/* What output/printf.c would refuse is refused before anything runs. */
static void
check_format(struct infer *infer, struct node *format)
{
	const char *at = format->s, *end = format->s + format->len;
	struct node *arg = format->next;
	struct format_spec spec;

	while ((at = format_next(at, end))) {
		at = format_parse(at, end, &spec, NULL); /* formats.c has seen that it is one */
		check_format_arg(infer, format, &spec, arg);
		if (arg)
			arg = arg->next;
	}
}

static void
check_printf(struct infer *infer, struct node *node)
{
	/* Of a format that is only printed a probe has no copy: it may be of any length. */
	if (node->builtin->id == BUILTIN_PRINTF && node->b->kind == NODE_STR) {
		node->b->type = infer_type(infer, TYPE_STR, node->b->span);
		infer_list(infer, node->b->next);
	} else {
		infer_list(infer, node->b);
	}
	if (node->b->kind == NODE_STR) {
		check_format(infer, node->b);
	} else {
		struct diag *diag = diag_error(infer->diags, node->b->span, "printf-format", "the format of printf must be a literal "
					       "string in a probe");

		diag_help(infer->diags, diag, "printf(\"%%s\", x) prints a variable");
	}
}

/* What a probe can make a text of; all else becomes text only when it is printed. */
static void
check_text(struct infer *infer, struct node *node)
{
	enum type_kind kind = type_find(node->type)->kind;
	struct diag *diag;

	if (kind == TYPE_INT || kind == TYPE_STR || kind == TYPE_BOOL || kind == TYPE_EVENT || kind == TYPE_UNKNOWN)
		return;
	diag = diag_error(infer->diags, node->span, "text-in-probe", "a probe cannot make a text of this %s", type_name(node->type));
	diag_help(infer->diags, diag, "it becomes text when it is printed: print and printf show it");
}

/* string.format: the letters that a probe can do, without width and flags. */
static void
check_string_format(struct infer *infer, struct node *node)
{
	const char *at, *end;
	struct node *arg;

	check_printf(infer, node);
	if (infer->diags->n_errors || node->b->kind != NODE_STR)
		return;
	arg = node->b->next;
	end = node->b->s + node->b->len;
	for (at = node->b->s; at < end && (at = memchr(at, '%', (size_t)(end - at))); at += 2) {
		if (at[1] == '%')
			continue;
		if (!strchr("diuxs", at[1])) {
			diag_error(infer->diags, node->b->span, "printf-format",
				   "string.format knows %%d %%i %%u %%x %%s %%%% in a probe, without width and flags");
			return;
		}
		if (at[1] == 's')
			check_text(infer, arg);
		arg = arg->next;
	}
}

static const char *
argument_of(struct infer *infer, const struct node *call)
{
	return arena_printf(infer->arena, "argument of %s()", call->builtin->name);
}

/* string.sub, string.upper, string.lower: a text no longer than the one they are given. */
static struct type *
infer_part(struct infer *infer, struct node *node)
{
	struct type *type = infer_type(infer, TYPE_STR, node->span);

	infer_require(infer, node->b, TYPE_STR, argument_of(infer, node));
	for (struct node *place = node->b->next; place; place = place->next)
		infer_require(infer, place, TYPE_INT, "place in a string");
	type->str_size = type_find(node->b->type)->str_size;
	return infer_settle(infer, node, type, false);
}

/* Is the text one for string.find to look for as it is? The `plain` argument says so, or that there is nothing in it that means more to Lua. */
static bool
is_plain(const struct node *text)
{
	const struct node *plain = text->next ? text->next->next : NULL;

	if (plain)
		return plain->kind == NODE_TRUE;
	for (uint32_t i = 0; i < text->len; i++)
		if (text->s[i] && strchr("^$*+?.([%-", text->s[i]))
			return false;
	return true;
}

/* Lua's patterns are not for probes: what is looked for is a text, and known when the probe is compiled. */
static void
infer_find(struct infer *infer, struct node *node)
{
	struct node *text = node->b->next;
	struct diag *diag;

	infer_require(infer, node->b, TYPE_STR, argument_of(infer, node));
	if (text->next)
		infer_require(infer, text->next, TYPE_INT, "place in a string");
	if (text->kind != NODE_STR) {
		diag = diag_error(infer->diags, text->span, "find-in-probe", "what string.find() looks for in a probe must be a text that is written out");
		diag_help(infer->diags, diag, "tick and trace_end search for any: keep both texts in a table until then");
	} else if (!is_plain(text)) {
		diag = diag_error(infer->diags, text->span, "find-in-probe", "patterns of Lua are for the control half only");
		diag_help(infer->diags, diag, "string.find(s, text, 1, true) looks for the text as it is, s ~ \"*[0-9].c\" compares with a shell's pattern");
	}
}

/* Of a string, or of a table: what is not known yet a later walk sees. */
static void
infer_len(struct infer *infer, struct node *node)
{
	enum type_kind kind = type_find(infer_exp(infer, node->b))->kind;
	struct type *table;

	if (kind != TYPE_TABLE) {
		if (kind != TYPE_UNKNOWN)
			infer_require(infer, node->b, TYPE_STR, "argument of len()");
		return;
	}
	table = infer_table(infer, node->b, "len()");
	if (table && type_find(table->value)->kind == TYPE_TABLE) {
		struct diag *diag = diag_error(infer->diags, node->b->span, "len-of-table", "a probe cannot count the tables in a table");

		diag_help(infer->diags, diag, "it can count the elements of one, len(t[a]); tick and trace_end count both");
	}
}

static void
infer_delete(struct infer *infer, struct node *node)
{
	struct type *table = infer_table(infer, node->b, "delete()");

	if (table)
		table->probe_sets = true;
}

/* The size is written out, as the code depends on it. */
static void
infer_user_int(struct infer *infer, struct node *node)
{
	const struct node *size = node->b->next;

	infer_require(infer, node->b, TYPE_INT, argument_of(infer, node));
	if (size && (size->kind != NODE_INT || (size->number != 1 && size->number != 2 && size->number != 4 && size->number != 8)))
		diag_error(infer->diags, size->span, "number-size", "user_int() reads 1, 2, 4 or 8 bytes");
}

struct type *
infer_builtin_call(struct infer *infer, struct node *node, const struct builtin *builtin)
{
	struct diag *diag;

	node->builtin = builtin;
	switch ((int)builtin->id) {
	case BUILTIN_STACK:
	case BUILTIN_USTACK:
		check_stack_args(infer, node);
		break;
	case BUILTIN_PRINTF:
		check_printf(infer, node);
		break;
	case BUILTIN_LEN:
		infer_len(infer, node);
		break;
	case BUILTIN_PRINT:
		infer_list(infer, node->b);
		for (const struct node *arg = node->b; arg; arg = arg->next)
			infer_check_no_table(infer, arg);
		break;
	case BUILTIN_STRINGOF:
		infer_list(infer, node->b);
		check_text(infer, node->b);
		break;
	case BUILTIN_STRING_FORMAT:
		check_string_format(infer, node);
		break;
	case BUILTIN_CAST:
		return infer_cast(infer, node);
	case BUILTIN_CURTASK:
		return infer_curtask(infer, node);
	case BUILTIN_USER_INT:
		infer_user_int(infer, node);
		break;
	case BUILTIN_CURR_TASKINFO:
		return infer_taskinfo(infer, node);
	case BUILTIN_IN_IOWAIT:
		return infer_in_iowait(infer, node);
	case BUILTIN_NET_IP_SOCK_SADDR:
		return infer_sock_addr(infer, node, "skc_rcv_saddr");
	case BUILTIN_NET_IP_SOCK_DADDR:
		return infer_sock_addr(infer, node, "skc_daddr");
	case BUILTIN_DELETE:
		infer_delete(infer, node);
		break;
	case BUILTIN_STRING_SUB:
	case BUILTIN_STRING_UPPER:
	case BUILTIN_STRING_LOWER:
		return infer_part(infer, node);
	case BUILTIN_STRING_FIND:
		infer_find(infer, node);
		return infer_settle(infer, node, infer_builtin_type(infer, builtin, node->span), true);
	case BUILTIN_PAIRS:
		diag = diag_error(infer->diags, node->span, "for-in-probe", "pairs() is not a value in a probe");
		diag_help(infer->diags, diag, "it stands in a loop: for (k, v in pairs(t))");
		infer_list(infer, node->b);
		break;
	default: /* the others take numbers */
		for (struct node *arg = node->b; arg; arg = arg->next)
			infer_require(infer, arg, TYPE_INT, builtin->name);
	}
	return infer_settle(infer, node, infer_builtin_type(infer, builtin, node->span), result_kind(builtin) == TYPE_UNKNOWN);
}
