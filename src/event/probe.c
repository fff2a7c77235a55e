/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Probes: events that a script makes by naming a function of the kernel, or a function or an address of a file.
 *
 *     probe := 'probe:' place {' ' argument}
 *     place := SYMBOL ['+' OFFSET] ['%return'] | FILE ':' (SYMBOL ['+' OFFSET] | 0xOFFSET) ['%return']
 *     argument := [NAME '='] source [':' type]
 *     source := '%' REGISTER | '$retval' | '$argN' | '$stack' | '$stackN' | '@' ADDRESS | ['+'|'-'] OFFSET '(' source ')'
 *     type := 'u8' .. 'u64' | 's8' .. 's64' | 'x8' .. 'x64' | 'string'
 *
 * The language of the kernel's kprobe_events (Documentation/trace/kprobetrace.rst, uprobetracer.rst) as ktap 0.4 passes it
 * on. Here a definition is read once, into fields and into how each is fetched; source/kernel_stub.c makes code of that.
 * SYMBOL may be a glob: an event for each function that fits.
 *
 * A record, as ftrace lays out those of kprobe_events, with 8 bytes for each value:
 *
 *     entry    0 common   8 __probe_ip    16 first value   24 second ...
 *     return   0 common   8 __probe_func  16 __probe_ret_ip   24 first value ...
 */
#include <asm/ptrace.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "event/event_int.h"

#if !defined(__x86_64__)
#error "probe.c knows the registers of x86-64 only: add those of this architecture"
#endif

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"

/* By the kernel's names (regs_query_register_offset); %rdi is %di, too. */
static const struct {
	const char *name;
	int16_t offset;
} registers[] = {
	{ "ax", offsetof(struct pt_regs, rax) },         { "bx", offsetof(struct pt_regs, rbx) },
	{ "cx", offsetof(struct pt_regs, rcx) },         { "dx", offsetof(struct pt_regs, rdx) },
	{ "si", offsetof(struct pt_regs, rsi) },         { "di", offsetof(struct pt_regs, rdi) },
	{ "bp", offsetof(struct pt_regs, rbp) },         { "sp", offsetof(struct pt_regs, rsp) },
	{ "r8", offsetof(struct pt_regs, r8) },          { "r9", offsetof(struct pt_regs, r9) },
	{ "r10", offsetof(struct pt_regs, r10) },        { "r11", offsetof(struct pt_regs, r11) },
	{ "r12", offsetof(struct pt_regs, r12) },        { "r13", offsetof(struct pt_regs, r13) },
	{ "r14", offsetof(struct pt_regs, r14) },        { "r15", offsetof(struct pt_regs, r15) },
	{ "ip", offsetof(struct pt_regs, rip) },         { "flags", offsetof(struct pt_regs, eflags) },
	{ "cs", offsetof(struct pt_regs, cs) },          { "ss", offsetof(struct pt_regs, ss) },
	{ "orig_ax", offsetof(struct pt_regs, orig_rax) },
};

/* Where the System V ABI passes a function's integer arguments. */
static const int16_t arg_registers[] = {
	offsetof(struct pt_regs, rdi), offsetof(struct pt_regs, rsi), offsetof(struct pt_regs, rdx),
	offsetof(struct pt_regs, rcx), offsetof(struct pt_regs, r8),  offsetof(struct pt_regs, r9),
};

static const char *const arg_names[] = { "arg0", "arg1", "arg2", "arg3", "arg4", "arg5" };

static const struct {
	const char *name;
	uint8_t size;
	bool is_signed;
	enum show show;
} types[] = {
	{ "u8", 1, false, SHOW_DECIMAL },  { "u16", 2, false, SHOW_DECIMAL }, { "u32", 4, false, SHOW_DECIMAL },
	{ "u64", 8, false, SHOW_DECIMAL }, { "s8", 1, true, SHOW_DECIMAL },   { "s16", 2, true, SHOW_DECIMAL },
	{ "s32", 4, true, SHOW_DECIMAL },  { "s64", 8, true, SHOW_DECIMAL },  { "x8", 1, false, SHOW_HEX },
	{ "x16", 2, false, SHOW_HEX },     { "x32", 4, false, SHOW_HEX },     { "x64", 8, false, SHOW_HEX },
};

#define DEFAULT_TYPE (ARRAY_SIZE(types) - 1) /* x64, as in the kernel */

/* A definition while it is read. */
struct definition {
	struct events *events;
	struct diags *diags;
	struct span span;    /* of the whole pattern */
	const char *pattern; /* "probe:..." */
	const char *file;    /* as written; NULL: the kernel */
	const char *symbol;  /* NULL: `offset` is one of the file */
	const char *target;  /* place without file and %return */
	const char *target_at; /* where that is in the pattern */
	uint64_t offset;
	const char *args;    /* behind the place */
	bool is_return;
	struct field *fields;
	struct fetch *fetches;
	uint32_t n_fields, record_size;
	void (*fn)(struct event *event, void *arg);
	void *arg;
	int n_events;
};

/* ---- places and messages --------------------------------------------------------------------- */

/* Where in the script a part of the pattern stands, when the pattern is a piece of the script as it is. */
static struct span
place(const struct definition *d, const char *at, size_t len)
{
	if (d->span.len != strlen(d->pattern) || at < d->pattern || at > d->pattern + d->span.len)
		return d->span;
	return (struct span){ d->span.off + (uint32_t)(at - d->pattern), (uint32_t)len };
}

/* ---- fetch arguments ------------------------------------------------------------------------- */

/* A stretch of a definition that is being read. */
struct argument {
	struct definition *d;
	const char *start, *at, *end;
	uint32_t nested; /* brackets that `at` is in */
	struct fetch fetch;
};

static int
refuse_argument(const struct argument *a, const char *message)
{
	struct diag *diag = diag_error(a->d->diags, place(a->d, a->start, (size_t)(a->end - a->start)),
				       "bad-fetch-argument", "'%.*s': %s", (int)(a->end - a->start), a->start, message);

	diag_help(a->d->diags, diag, "for example `fd=%%di name=+0(%%si):string size=%%dx:u32`, and `result=$retval` at a return");
	return -EINVAL;
}

/* Does the rest begin so? Then it is passed over. */
static bool
accept_text(struct argument *a, const char *text)
{
	size_t len = strlen(text);

	if ((size_t)(a->end - a->at) < len || strncmp(a->at, text, len) != 0)
		return false;
	a->at += len;
	return true;
}

static bool
accept_number(struct argument *a, uint64_t *number)
{
	char *end;

	if (a->at == a->end || *a->at < '0' || *a->at > '9')
		return false;
	errno = 0;
	*number = strtoull(a->at, &end, 0);
	a->at = end;
	return errno == 0 && end <= a->end;
}

bool
probe_register(const char *name, size_t len, int16_t *offset)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(registers); i++) {
		if (strlen(registers[i].name) != len || strncmp(name, registers[i].name, len) != 0)
			continue;
		*offset = registers[i].offset;
		return true;
	}
	return false;
}

static int
fetch_register(struct argument *a)
{
	size_t len = strspn(a->at, NAME_CHARS);
	const char *name = a->at;

	a->at += len;
	if (probe_register(name, len, &a->fetch.reg) ||
	    (len > 2 && name[0] == 'r' && name[1] != 'r' && probe_register(name + 1, len - 1, &a->fetch.reg)))
		return 0;
	return refuse_argument(a, "there is no such register; those of x86-64 are ax bx cx dx si di bp sp r8 to r15 ip flags");
}

static int
refuse_steps(struct argument *a)
{
	return refuse_argument(a, "too many steps through memory");
}

static int
add_step(struct argument *a, int64_t offset, bool user)
{
	struct fetch *fetch = &a->fetch;

	if (offset < INT32_MIN || offset > INT32_MAX)
		return refuse_argument(a, "the offset is too big");
	if (fetch->n_steps == FETCH_STEPS_MAX)
		return refuse_steps(a);
	fetch->steps[fetch->n_steps++] = (struct fetch_step){ .offset = (int32_t)offset, .user = user };
	return 0;
}

/* Behind '$'. */
static int
fetch_variable(struct argument *a)
{
	uint64_t n = 0;

	if (accept_text(a, "retval")) {
		if (!a->d->is_return)
			return refuse_argument(a, "there is a return value only where a function returns: write %return after its name");
		a->fetch.reg = offsetof(struct pt_regs, rax);
		return 0;
	}
	if (accept_text(a, "stack")) {
		a->fetch.reg = offsetof(struct pt_regs, rsp);
		if (!accept_number(a, &n))
			return 0;
		return n > 4095 ? refuse_argument(a, "too far up the stack") : add_step(a, 8 * (int64_t)n, a->d->file);
	}
	if (accept_text(a, "arg") && accept_number(a, &n)) {
		if (n < 1 || n > ARRAY_SIZE(arg_registers))
			return refuse_argument(a, "$arg1 to $arg6 are in registers; others are not known");
		if (a->d->is_return)
			return refuse_argument(a, "a function's arguments are gone when it returns");
		a->fetch.reg = arg_registers[n - 1];
		return 0;
	}
	if (accept_text(a, "comm"))
		return refuse_argument(a, "$comm is not known here; the built-in variable execname is the same");
	return refuse_argument(a, "only $retval, $stack, $stackN and $argN are known");
}

static int
fetch_source(struct argument *a);

/* ['+'|'-'] ['u'] OFFSET '(' source ')': memory at an offset from what the source points to. */
static int
fetch_memory(struct argument *a)
{
	bool minus = *a->at == '-', user;
	uint64_t offset;
	int err;

	if (a->nested++ == FETCH_STEPS_MAX) /* here, not when the steps are added on the way back: brackets are recursion */
		return refuse_steps(a);
	a->at++;
	user = accept_text(a, "u") || a->d->file;
	if (!accept_number(a, &offset) || offset > INT32_MAX || !accept_text(a, "("))
		return refuse_argument(a, "memory is written +OFFSET(ADDRESS), for example +0(%si)");
	err = fetch_source(a);
	if (err < 0)
		return err;
	if (!accept_text(a, ")"))
		return refuse_argument(a, "a ')' is missing");
	return add_step(a, minus ? -(int64_t)offset : (int64_t)offset, user);
}

static int
fetch_source(struct argument *a)
{
	if (accept_text(a, "%"))
		return fetch_register(a);
	if (accept_text(a, "$"))
		return fetch_variable(a);
	if (accept_text(a, "@")) {
		a->fetch.from = FETCH_CONST;
		if (!accept_number(a, &a->fetch.value))
			return refuse_argument(a, "an address must follow @, for example @0xffffffff81000000");
		return add_step(a, 0, a->d->file);
	}
	if (a->at < a->end && (*a->at == '+' || *a->at == '-'))
		return fetch_memory(a);
	return refuse_argument(a, "a register (%di), $retval, $stackN, @ADDRESS or memory (+8(%di)) is needed");
}

static int
fetch_type(struct argument *a, struct field *field)
{
	size_t i, len = (size_t)(a->end - a->at);

	for (i = 0; i < ARRAY_SIZE(types); i++)
		if (strlen(types[i].name) == len && strncmp(a->at, types[i].name, len) == 0)
			break;
	if (i < ARRAY_SIZE(types)) {
		field->type = types[i].name;
		field->value_size = types[i].size;
		field->is_signed = types[i].is_signed;
		field->show = types[i].show;
		return 0;
	}
	if (len < 6 || strncmp(a->end - 6, "string", 6) != 0 || (len > 6 && strncmp(a->at, "ustring", len) != 0))
		return refuse_argument(a, "the types are u8 u16 u32 u64, s8 ... s64, x8 ... x64 and string");
	if (a->fetch.n_steps == 0)
		return refuse_argument(a, "a string is in memory: +0(%si):string is the one that %si points to");
	field->type = "string";
	field->kind = len > 6 || a->fetch.steps[a->fetch.n_steps - 1].user ? FIELD_USER_STR : FIELD_ANY_STR;
	a->fetch.is_string = true;
	return 0;
}

static const struct field plain_field = {
	.type = "x64", .kind = FIELD_INT, .size = 8, .value_size = 8, .show = SHOW_HEX
};

static void
add_field(struct definition *d, const struct field *field, const struct fetch *fetch, uint32_t offset)
{
	d->fields[d->n_fields] = *field;
	d->fields[d->n_fields].offset = offset;
	d->fetches[d->n_fields++] = *fetch;
	if (offset + 8 > d->record_size)
		d->record_size = offset + 8;
}

/* NAME '='; without one it is argN, as the kernel names it. */
static int
argument_name(struct argument *a, struct field *field, uint32_t number)
{
	size_t len = strcspn(a->at, "=");
	uint32_t i;

	if (len >= (size_t)(a->end - a->at)) {
		field->name = arena_printf(a->d->events->arena, "arg%" PRIu32, number);
	} else {
		field->name = arena_strndup(a->d->events->arena, a->at, len);
		if (len == 0 || strspn(field->name, NAME_CHARS) != len || (*field->name >= '0' && *field->name <= '9'))
			return refuse_argument(a, "the name in front of = has letters, digits and _");
		a->at += len + 1;
	}
	for (i = 0; i < a->d->n_fields; i++)
		if (strcmp(a->d->fields[i].name, field->name) == 0)
			return refuse_argument(a, "there are two arguments of this name");
	return 0;
}

static int
read_argument(struct definition *d, const char *start, const char *end, uint32_t number)
{
	struct argument a = { .d = d, .start = start, .at = start, .end = end };
	struct field field = plain_field;
	int err = argument_name(&a, &field, number);

	if (err == 0)
		err = fetch_source(&a);
	if (err == 0 && a.at < end && !accept_text(&a, ":"))
		return refuse_argument(&a, "a type (:u32, :string) or a space is expected after this");
	if (err == 0 && a.at > start && a.at[-1] == ':')
		err = fetch_type(&a, &field);
	if (err == 0)
		add_field(d, &field, &a.fetch, d->record_size);
	return err;
}

static int
read_arguments(struct definition *d)
{
	const char *at, *end;
	uint32_t number = 1;
	int err = 0;

	for (at = d->args; *at && err == 0; at = end + strspn(end, " \t")) {
		end = at + strcspn(at, " \t");
		if (number > PROBE_ARGS_MAX) {
			diag_error(d->diags, place(d, at, (size_t)(end - at)), "bad-fetch-argument",
				   "a probe has at most %d arguments", PROBE_ARGS_MAX);
			return -E2BIG;
		}
		err = read_argument(d, at, end, number++);
	}
	return err;
}

/* ---- fields that are there without being asked for ------------------------------------------- */

static void
add_implicit(struct definition *d, const char *name, const struct fetch *fetch, uint32_t offset)
{
	struct field field = plain_field;

	field.name = name;
	field.show = SHOW_NOT;
	add_field(d, &field, fetch, offset);
}

static void
add_ip(struct definition *d)
{
	add_implicit(d, "__probe_ip", &(struct fetch){ .from = FETCH_IP }, 8);
}

static void
add_plain_arguments(struct definition *d)
{
	struct field field = plain_field;
	uint32_t i;

	field.type = "long";
	field.is_signed = true;
	field.show = SHOW_NOT; /* how many of them the function has is not known */
	for (i = 0; i < ARRAY_SIZE(arg_registers); i++) {
		field.name = arg_names[i];
		add_field(d, &field, &(struct fetch){ .reg = arg_registers[i] }, 16 + 8 * i);
	}
}

static void
add_retval(struct definition *d, bool is_shown)
{
	struct field field = plain_field;
	uint32_t i;

	for (i = 0; i < d->n_fields; i++)
		if (strcmp(d->fields[i].name, "retval") == 0)
			return;
	field.name = "retval";
	field.type = "long";
	field.is_signed = true;
	field.show = is_shown ? SHOW_DECIMAL : SHOW_NOT;
	add_field(d, &field, &(struct fetch){ .reg = offsetof(struct pt_regs, rax) }, d->record_size);
}

static int
read_fields(struct definition *d)
{
	struct arena *arena = d->events->arena;
	int err;

	d->fields = arena_alloc(arena, PROBE_FIELDS_MAX * sizeof(*d->fields));
	d->fetches = arena_alloc(arena, PROBE_FIELDS_MAX * sizeof(*d->fetches));
	if (d->is_return) {
		add_implicit(d, "__probe_func", &(struct fetch){ .from = FETCH_FUNC }, 8);
		add_implicit(d, "__probe_ret_ip", &(struct fetch){ .reg = offsetof(struct pt_regs, rip) }, 16);
		err = read_arguments(d);
		add_retval(d, !*d->args);
		return err;
	}
	if (!*d->args) {
		add_plain_arguments(d);
		add_ip(d);
		return 0;
	}
	add_ip(d);
	return read_arguments(d);
}

/* ---- events ---------------------------------------------------------------------------------- */

/* The name in ktap 0.4: what is no identifier becomes '_', a return's begins with ret_. */
static const char *
event_name(const struct definition *d, const char *target)
{
	char *name = arena_printf(d->events->arena, "%s%s", d->is_return ? "ret_" : "", target), *at;

	for (at = name; *(at += strspn(at, NAME_CHARS)); at++)
		*at = '_';
	return name;
}

static enum event_kind
event_kind(const struct definition *d)
{
	if (d->file)
		return d->is_return ? EVENT_URETPROBE : EVENT_UPROBE;
	return d->is_return ? EVENT_KRETPROBE : EVENT_KPROBE;
}

/* The event at one place; that of an equal definition before, where there is one, so that they are one key in tables. */
static struct event *
make_event(struct definition *d, const char *target, const char *symbol, const char *path, uint64_t offset)
{
	struct arena *arena = d->events->arena;
	const char *definition = arena_printf(arena, "%s%s%s%s%s%s", d->file ? d->file : "", d->file ? ":" : "", target,
					      d->is_return ? "%return" : "", *d->args ? " " : "", d->args);
	const char *name = event_name(d, target);
	struct event *event = events_find_probe(d->events, "probe", name, definition, offset);
	struct probe *probe;

	if (event)
		return event;
	probe = arena_alloc(arena, sizeof(*probe));
	*probe = (struct probe){ .definition = definition, .symbol = symbol, .path = path, .offset = offset,
				 .at_entry = d->file && d->symbol && !d->offset, .args = d->args, .fetches = d->fetches };
	event = events_make(d->events, event_kind(d), "probe", name);
	event->probe = probe;
	event->fields = d->fields;
	event->n_fields = d->n_fields;
	event->record_size = d->record_size;
	event->fields_loaded = true;
	return event;
}

struct event *
events_kprobe(struct events *events, const char *symbol)
{
	struct definition d = { .events = events, .args = "" };

	symbol = arena_strdup(events->arena, symbol);
	read_fields(&d);
	return make_event(&d, symbol, symbol, NULL, 0);
}

static int
give(struct definition *d, const char *target, const char *symbol, const char *path, uint64_t offset)
{
	d->fn(make_event(d, target, symbol, path, offset), d->arg);
	return ++d->n_events;
}

/* Gives one event for each function of a list; `offset` is counted from its start. */
static int
give_functions(struct definition *d, const struct functions *list, const char *path)
{
	const struct code_function *function;
	uint32_t i;

	if (list->n > PROBES_MAX) {
		struct diag *diag = diag_error(d->diags, place(d, d->target_at, strlen(d->symbol)), "too-many-probes",
					       "'%s' fits %" PRIu32 " functions; at most %d are probed by one pattern",
					       d->symbol, list->n, PROBES_MAX);

		diag_help(d->diags, diag, "each changes the code of what is traced; a narrower pattern, or several of them, will do");
		return -E2BIG;
	}
	for (i = 0; i < list->n; i++) {
		function = &list->functions[i];
		if (function->is_indirect)
			continue;
		give(d, name_is_glob(d->symbol) ? function->name : d->target, function->name, path,
		     function->offset + d->offset);
	}
	return d->n_events;
}

/* ---- functions of files ---------------------------------------------------------------------- */

static int
refuse_file(struct definition *d, struct text *why)
{
	diag_error(d->diags, place(d, d->pattern + strlen("probe:"), strlen(d->file)), "unreadable-program", "%s", why->s);
	return -ENOENT;
}

static int
refuse_symbol(struct definition *d, const struct functions *all, const char *path)
{
	struct span span = place(d, d->target_at, strlen(d->symbol));
	const char *nearest = name_is_glob(d->symbol) ? NULL : functions_nearest(all, d->symbol);
	struct diag *diag;

	if (!all->n_known) {
		diag = diag_error(d->diags, span, "no-symbols", "'%s' has no symbols of functions: it was stripped", path);
		diag_help(d->diags, diag, "probe:%s:0xOFFSET, a place in the file, needs none; or build it without stripping (-s, strip)",
			  d->file);
		return -ENOENT;
	}
	diag = diag_error(d->diags, span, "unknown-function", "%s has no function '%s'", path ? path : "the kernel", d->symbol);
	if (nearest)
		diag_help(d->diags, diag, "did you mean '%s'?", nearest);
	diag_help(d->diags, diag, "a function that the compiler has put into its callers (inlined) cannot be probed; "
		  "`ktap list 'probe:%s%s*'` shows those that can", path ? d->file : "", path ? ":" : "");
	return -ENOENT;
}

/* Of one name any: the others of that name are for programs that were linked long ago. Of a glob all. */
static bool
is_indirect(const struct definition *d, const struct functions *list)
{
	uint32_t i, n = 0;

	for (i = 0; i < list->n; i++)
		n += list->functions[i].is_indirect;
	return n > 0 && (n == list->n || !name_is_glob(d->symbol));
}

static int
match_file(struct definition *d)
{
	struct arena *arena = d->events->arena;
	struct text why = { 0 };
	const char *path = find_binary(arena, d->file, &why);
	struct functions list;
	struct diag *diag;
	int err = -ENOENT;

	if (!path) {
		refuse_file(d, &why);
	} else if (!d->symbol) {
		if (check_code_offset(path, d->offset, &why) < 0)
			refuse_file(d, &why);
		else
			err = give(d, d->target, d->target, path, d->offset);
	} else if (functions_of_file(arena, path, d->symbol, &list, &why) < 0) {
		refuse_file(d, &why);
	} else if (is_indirect(d, &list)) {
		diag = diag_error(d->diags, place(d, d->target_at, strlen(d->symbol)), "indirect-function",
				  "'%s' is not one function: which of several runs is decided when the program starts", d->symbol);
		diag_help(d->diags, diag, "probe the variant that this processor uses by its own name, for example __%s_avx2, "
			  "if the file has symbols for it", d->symbol);
	} else if (list.n == 0) {
		functions_of_file(arena, path, NULL, &list, &why);
		refuse_symbol(d, &list, path);
	} else {
		err = give_functions(d, &list, path);
	}
	text_fini(&why);
	return err;
}

/* ---- functions of the kernel ----------------------------------------------------------------- */

/*
 * A name in full is not looked up here: it takes 30 ms to read all names, and the kernel says when it is attached
 * whether there is such a function (kernel_attach.c then looks for one like it).
 */
static int
match_kernel(struct definition *d)
{
	struct text why = { 0 };
	struct functions list;
	uint32_t i, n = 0;
	int err;

	if (!name_is_glob(d->symbol))
		return give(d, d->target, d->symbol, NULL, d->offset);
	err = functions_of_kernel(d->events->arena, d->symbol, &list, &why);
	if (err < 0)
		diag_error(d->diags, d->span, "unreadable-program", "%s", why.s);
	else if (list.n == 0)
		err = refuse_symbol(d, &list, NULL);
	text_fini(&why);
	if (err < 0)
		return err;
	/* Static functions of one name: the kernel takes none of them by that name. */
	for (i = 0; i < list.n; i++)
		if (n == 0 || strcmp(list.functions[n - 1].name, list.functions[i].name) != 0)
			list.functions[n++] = list.functions[i];
	list.n = n;
	return give_functions(d, &list, NULL);
}

/* ---- the place ------------------------------------------------------------------------------- */

static int
refuse_place(struct definition *d, const char *at, size_t len, const char *message)
{
	struct diag *diag = diag_error(d->diags, place(d, at, len), "bad-probe", "'%.*s': %s", (int)len, at, message);

	diag_help(d->diags, diag, "probe:FUNCTION, probe:FUNCTION+OFFSET and probe:FUNCTION%%return are places in the kernel; "
		  "probe:FILE:FUNCTION and probe:FILE:0xOFFSET in a program or library");
	return -EINVAL;
}

static bool
read_offset(const char *s, uint64_t *offset)
{
	char *end;

	if (*s < '0' || *s > '9')
		return false;
	errno = 0;
	*offset = strtoull(s, &end, 0);
	return errno == 0 && *end == 0;
}

/* SYMBOL ['+' OFFSET] | 0xOFFSET, at `at` in the pattern. */
static int
read_target(struct definition *d, const char *at, size_t len)
{
	struct arena *arena = d->events->arena;
	char *symbol, *plus;

	d->target_at = at;
	d->target = arena_strndup(arena, at, len);
	symbol = arena_strndup(arena, at, len);
	if (d->file && symbol[0] == '0' && read_offset(symbol, &d->offset))
		return 0;
	plus = strchr(symbol, '+');
	if (plus) {
		*plus = 0;
		if (!read_offset(plus + 1, &d->offset))
			return refuse_place(d, at, len, "a number must follow +");
		if (d->offset && d->is_return)
			return refuse_place(d, at, len, "a return belongs to the whole function: %return takes no offset");
		if (d->offset > INT32_MAX)
			return refuse_place(d, at, len, "the offset is too big");
	}
	if (!*symbol)
		return refuse_place(d, at, len, "the name of a function is missing");
	if (!d->file && !name_is_glob(symbol) && symbol[strspn(symbol, NAME_CHARS ".")])
		return refuse_place(d, at, len, "this is no name of a function");
	d->symbol = symbol;
	return 0;
}

static int
read_place(struct definition *d)
{
	const char *at = d->pattern + strlen("probe:"), *end = at + strcspn(at, " \t"), *colon, *percent;

	d->args = end + strspn(end, " \t");
	colon = memrchr(at, ':', (size_t)(end - at));
	percent = memchr(colon ? colon : at, '%', (size_t)(end - (colon ? colon : at)));
	if (percent && ((size_t)(end - percent) != strlen("%return") || strncmp(percent, "%return", 7) != 0))
		return refuse_place(d, percent, (size_t)(end - percent), "only %return may follow a function");
	d->is_return = percent != NULL;
	if (colon == at)
		return refuse_place(d, at, (size_t)(end - at), "the name of a file is missing");
	if (colon)
		d->file = arena_strndup(d->events->arena, at, (size_t)(colon - at));
	return read_target(d, colon ? colon + 1 : at, (size_t)((percent ? percent : end) - (colon ? colon + 1 : at)));
}

static void
ignore(struct event *event, void *arg)
{
	(void)event;
	(void)arg;
}

int
events_probe(struct events *events, const char *pattern, struct span span, struct diags *diags,
	     void (*fn)(struct event *event, void *arg), void *arg)
{
	struct definition d = { .events = events, .diags = diags, .span = span, .pattern = pattern, .fn = fn, .arg = arg };
	struct diag *diag;
	int err;

	err = read_place(&d);
	if (err < 0)
		return err;
	err = read_fields(&d);
	if (err < 0)
		return err;
	d.args = arena_strdup(events->arena, d.args); /* the pattern need not live as long as events */
	if (events->origin != EVENTS_KERNEL)
		d.fn = ignore;
	err = d.file ? match_file(&d) : match_kernel(&d);
	if (err < 0 || events->origin == EVENTS_KERNEL)
		return err;
	/* Last, so that what is wrong with the probe itself is told by either engine. */
	diag = diag_error(diags, span, "unsupported-event", "'%s': %s no probes of functions", pattern,
			  events_owner_has(events));
	events_help_kernel(events, diags, diag);
	return -EOPNOTSUPP;
}

/* ---- ktap list ------------------------------------------------------------------------------- */

int
events_list_functions(struct events *events, const char *pattern, FILE *out, struct text *why)
{
	const char *place = pattern + strlen("probe:"), *colon = strrchr(place, ':'), *path = NULL;
	int file_len = colon ? (int)(colon + 1 - place) : 0, err;
	struct functions list;
	uint32_t i, n = 0;

	if (colon) {
		path = find_binary(events->arena, arena_strndup(events->arena, place, (size_t)(colon - place)), why);
		if (!path)
			return -ENOENT;
	}
	err = path ? functions_of_file(events->arena, path, colon + 1, &list, why)
		   : functions_of_kernel(events->arena, place, &list, why);
	for (i = 0; err == 0 && i < list.n; i++) {
		if (list.functions[i].is_indirect || (i && strcmp(list.functions[i - 1].name, list.functions[i].name) == 0))
			continue;
		fprintf(out, "probe:%.*s%s\n", file_len, place, list.functions[i].name);
		n++;
	}
	return err < 0 ? err : (int)n;
}
