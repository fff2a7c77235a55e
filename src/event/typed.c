/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Events whose arguments have the names and types that the kernel's own type information (BTF) gives them:
 *
 *     fentry:FUNCTION    entry of a kernel function
 *     fexit:FUNCTION     its return: arguments, and retval
 *     rawtp:NAME         a tracepoint with the arguments that the kernel's code passes it, before any formatting
 *
 * Of a module, MODULE:NAME or, where the kernel itself and other modules have none of that name, NAME.
 *
 * The context of such a program is an array of 8-byte words, one or two an argument. A record has 8 bytes for each field:
 *
 *     0 common   8 first argument   16 second ...   then retval
 *
 * Relies on /sys/kernel/btf/vmlinux, and for what that does not know on what stands beside it for the modules that are loaded.
 */
#include <errno.h>
#include <linux/btf.h>
#include <string.h>

#include "ebpf/ebpf.h"
#include "event/event_int.h"

#define POINT_PREFIX "btf_trace_"    /* of the typedefs that say what a tracepoint passes */
#define CALL_PREFIX  "__traceiter_"  /* of the functions that call a tracepoint's programs: their parameters have names, too */
#define TYPED_MAX    10 /* fields; kernel_stub.c keeps the record on its stack */
#define STEPS_MAX    16 /* pointers, qualifiers and arrays in front of a name */

static const struct {
	const char *prefix;
	enum event_kind kind;
	const char *what;
} forms[] = {
	{ "fentry:", EVENT_FENTRY, "function" },
	{ "fexit:", EVENT_FEXIT, "function" },
	{ "rawtp:", EVENT_RAWTP, "tracepoint" },
};

/* ---- the kernel's types ---------------------------------------------------------------------- */

const struct typeinfo *
event_kernel_types(struct text *why)
{
	static struct typeinfo *types;

	if (!types)
		types = typeinfo_open(CORE_KERNEL, NULL, why);
	return types;
}

/* Those of the modules that are loaded, which take longer to read: only for what the kernel's do not have. */
static const struct modules *
module_list(const struct typeinfo *kernel)
{
	static struct modules modules;
	static bool are_read;

	if (!are_read)
		modules_read(&modules, kernel);
	are_read = true;
	return &modules;
}

/* ---- finding --------------------------------------------------------------------------------- */

/* What is being defined: a row of forms, and where in the script. */
struct request {
	struct events *events;
	size_t form;
	const char *name;   /* as the script has it */
	const char *module; /* NULL: any, or none */
	const char *symbol; /* without the module */
	struct span span;
	struct diags *diags;
};

/* Whose parameters an event's fields are, and where that is known from. */
struct prototype {
	const struct typeinfo *types;
	const char *module;          /* whose types these are; NULL: the kernel's own */
	const struct btf_type *type; /* a FUNC_PROTO */
	uint32_t id;                 /* what a program is loaded for */
};

/* The tracepoint's function, or what its typedef points to. */
static const struct btf_type *
type_of_point(const struct typeinfo *types, struct arena *arena, const char *name, uint32_t *id)
{
	const struct btf_type *type;
	uint32_t call;

	*id = typeinfo_find_own(types, arena_printf(arena, POINT_PREFIX "%s", name), BTF_KIND_TYPEDEF);
	type = *id ? typeinfo_plain(types, *id, NULL) : NULL;
	type = type && BTF_INFO_KIND(type->info) == BTF_KIND_PTR ? typeinfo_type(types, type->type) : NULL;
	call = type ? typeinfo_find_own(types, arena_printf(arena, CALL_PREFIX "%s", name), BTF_KIND_FUNC) : 0;
	return call ? typeinfo_type(types, typeinfo_type(types, call)->type) : type;
}

static const struct btf_type *
type_of_function(const struct typeinfo *types, const char *name, uint32_t *id)
{
	*id = typeinfo_find_own(types, name, BTF_KIND_FUNC);
	return *id ? typeinfo_type(types, typeinfo_type(types, *id)->type) : NULL;
}

/* False: these types, of the kernel or one module, know none of that name. */
static bool
find_in(const struct request *r, const struct typeinfo *types, struct prototype *found)
{
	struct prototype one = { .types = types };

	one.type = forms[r->form].kind == EVENT_RAWTP ? type_of_point(types, r->events->arena, r->symbol, &one.id)
						      : type_of_function(types, r->symbol, &one.id);
	if (!one.type || BTF_INFO_KIND(one.type->info) != BTF_KIND_FUNC_PROTO)
		return false;
	*found = one;
	return true;
}

/* Returns how many have it: of several modules' the first is *found. */
static int
find(const struct request *r, const struct typeinfo *kernel, struct prototype *found)
{
	const struct modules *modules;
	struct prototype one;
	int n = 0;

	if (!r->module && find_in(r, kernel, found))
		return 1;
	modules = module_list(kernel);
	for (uint32_t i = 0; i < modules->n; i++) {
		const struct module *module = &modules->all[i];

		if ((r->module && strcmp(r->module, module->name) != 0) || !find_in(r, module->types, &one))
			continue;
		one.module = module->name;
		if (n++ == 0)
			*found = one;
	}
	return n;
}

/* A type as C writes it, so far as it is read from left to right: of a pointer to a function that is "function *". */
static const char *
type_text(struct arena *arena, const struct typeinfo *types, uint32_t id)
{
	const char *behind = "", *front = "";
	const struct btf_type *type;
	int step;

	for (step = 0; step < STEPS_MAX; step++) {
		type = typeinfo_type(types, id);
		switch (typeinfo_kind(types, id)) {
		case BTF_KIND_PTR:
			behind = arena_printf(arena, "%s*%s", *behind == '*' || !*behind ? "" : " ", behind);
			break;
		case BTF_KIND_CONST:
			front = "const ";
			break;
		case BTF_KIND_VOLATILE:
		case BTF_KIND_RESTRICT:
		case BTF_KIND_TYPE_TAG:
			break;
		case BTF_KIND_STRUCT:
		case BTF_KIND_FWD:
			return arena_printf(arena, "%sstruct %s%s%s", front, typeinfo_name(types, id), *behind ? " " : "", behind);
		case BTF_KIND_UNION:
			return arena_printf(arena, "%sunion %s%s%s", front, typeinfo_name(types, id), *behind ? " " : "", behind);
		case BTF_KIND_ENUM:
		case BTF_KIND_ENUM64:
			return arena_printf(arena, "%senum %s%s%s", front, typeinfo_name(types, id), *behind ? " " : "", behind);
		case BTF_KIND_FUNC_PROTO:
			return arena_printf(arena, "function %s", behind);
		default: /* of another room's numbers: all that is left has a name, or is void */
			return arena_printf(arena, "%s%s%s%s", front, id ? typeinfo_name(types, id) : "void", *behind ? " " : "", behind);
		}
		id = type->type;
	}
	return "?";
}

/* ---- fields ---------------------------------------------------------------------------------- */

static bool
is_char_pointer(const struct typeinfo *types, const struct btf_type *pointer)
{
	const struct btf_type *to = typeinfo_plain(types, pointer->type, NULL);

	return to && BTF_INFO_KIND(to->info) == BTF_KIND_INT && to->size == 1 &&
	       strcmp(typeinfo_string(types, to->name_off), "char") == 0;
}

/* Fills in what follows from the type. Returns the words of the context that a value takes, 0: it has none (void). */
static uint32_t
describe(const struct typeinfo *types, uint32_t id, struct field *field)
{
	const struct btf_type *type = typeinfo_plain(types, id, NULL);
	uint32_t kind = type ? BTF_INFO_KIND(type->info) : BTF_KIND_UNKN;

	field->kind = FIELD_INT;
	field->size = field->value_size = 8;
	field->show = SHOW_DECIMAL;
	switch (kind) {
	case BTF_KIND_PTR:
		field->kind = is_char_pointer(types, type) ? FIELD_ANY_STR : FIELD_INT;
		field->show = SHOW_HEX;
		return 1;
	case BTF_KIND_INT:
		field->is_signed = BTF_INT_ENCODING(type_int(type)) & BTF_INT_SIGNED;
		break;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		field->is_signed = BTF_INFO_KFLAG(type->info);
		break;
	case BTF_KIND_UNKN:
		return 0;
	default: /* a structure by value */
		field->kind = FIELD_OTHER;
		return type->size > 8 ? 2 : 1;
	}
	if (type->size == 1 || type->size == 2 || type->size == 4)
		field->value_size = type->size;
	else if (type->size != 8)
		field->kind = FIELD_OTHER;
	return type->size > 8 ? 2 : 1;
}

struct typed {
	struct event *event;
	struct fetch *fetches;
	const struct typeinfo *types;
	struct arena *arena;
	uint32_t word; /* of the context, the next argument's */
};

static void
add_field(struct typed *t, uint32_t type, const char *name)
{
	struct event *event = t->event;
	struct field *field = &event->fields[event->n_fields];
	struct fetch *fetch = &t->fetches[event->n_fields];
	uint32_t words = describe(t->types, type, field);

	if (!words)
		return;
	field->name = arena_strdup(t->arena, name);
	field->type = type_text(t->arena, t->types, type);
	field->offset = 8 + 8 * event->n_fields;
	fetch->from = FETCH_CONTEXT;
	fetch->reg = (int16_t)(8 * t->word);
	t->word += words;
	event->n_fields++;
	event->record_size = 8 + 8 * event->n_fields;
}

/* A tracepoint's first parameter is the attachment's own, which programs do not get. */
static void
add_fields(struct typed *t, const struct btf_type *prototype)
{
	const struct btf_param *params = type_params(prototype);
	uint32_t i, n = BTF_INFO_VLEN(prototype->info), first = t->event->kind == EVENT_RAWTP,
		    room = TYPED_MAX - (t->event->kind == EVENT_FEXIT);
	const char *name;

	for (i = first; i < n; i++) {
		if (t->event->n_fields == room) {
			struct field rest = { 0 }; /* only where the result stands depends on it */

			t->word += describe(t->types, params[i].type, &rest);
			continue;
		}
		name = typeinfo_string(t->types, params[i].name_off);
		add_field(t, params[i].type, *name ? name : arena_printf(t->arena, "arg%u", i - first));
	}
	if (t->event->kind == EVENT_FEXIT)
		add_field(t, prototype->type, "retval");
}

/* ---- definitions ----------------------------------------------------------------------------- */

struct nearest {
	const char *name;
	unsigned distance;
};

static void
note_near(struct nearest *best, const char *known, const char *name)
{
	unsigned distance = best->distance > 1 ? text_distance(name, known, best->distance - 1) : best->distance;

	if (distance >= best->distance)
		return;
	best->distance = distance;
	best->name = known;
}

/* The name of a type's event; NULL: no event of this kind is called so. */
static const char *
event_name(const struct typeinfo *types, enum event_kind kind, uint32_t id)
{
	const char *name;

	if (typeinfo_kind(types, id) != (kind == EVENT_RAWTP ? BTF_KIND_TYPEDEF : BTF_KIND_FUNC))
		return NULL;
	name = typeinfo_name(types, id);
	if (kind != EVENT_RAWTP)
		return name;
	return strncmp(name, POINT_PREFIX, strlen(POINT_PREFIX)) == 0 ? name + strlen(POINT_PREFIX) : NULL;
}

static void
note_names(struct nearest *best, const struct request *r, const struct typeinfo *types)
{
	for (uint32_t id = typeinfo_first(types); id < typeinfo_count(types); id++) {
		const char *name = event_name(types, forms[r->form].kind, id);

		if (name)
			note_near(best, name, r->symbol);
	}
}

static const char *
nearest_name(const struct request *r, const struct typeinfo *kernel)
{
	struct nearest best = { NULL, (unsigned)strlen(r->symbol) / 4 + 2 };
	const struct modules *modules = module_list(kernel);

	note_names(&best, r, kernel);
	for (uint32_t i = 0; i < modules->n; i++)
		note_names(&best, r, modules->all[i].types);
	return best.name;
}

static int
refuse_name(const struct request *r, const struct typeinfo *kernel)
{
	const char *near = nearest_name(r, kernel);
	struct diag *diag = diag_error(r->diags, r->span, "unknown-function", "the kernel's types know no %s '%s'",
				       forms[r->form].what, r->name);

	if (near)
		diag_help(r->diags, diag, "did you mean '%s%s'?", forms[r->form].prefix, near);
	diag_help(r->diags, diag, "those of modules that are not loaded, and functions that the compiler has put into their callers, are not there; "
		  "`ktap list '%s*'` shows those that are",
		  forms[r->form].prefix);
	return -ENOENT;
}

static int
refuse_several(const struct request *r, const struct prototype *first)
{
	struct diag *diag = diag_error(r->diags, r->span, "unknown-function", "several modules have a %s '%s'", forms[r->form].what, r->name);

	diag_help(r->diags, diag, "say which one's: %s%s:%s", forms[r->form].prefix, first->module, r->name);
	return -ENOENT;
}

static struct event *
make_event(const struct request *r, const struct prototype *prototype)
{
	struct arena *arena = r->events->arena;
	const char *prefix = forms[r->form].prefix;
	const char *system = arena_strndup(arena, prefix, strlen(prefix) - 1);
	struct event *event = events_find_made(r->events, system, r->name);
	struct probe *probe;
	struct typed typed = { .types = prototype->types, .arena = arena };

	if (event)
		return event;
	event = events_make(r->events, forms[r->form].kind, system, r->name);
	typed.event = event;
	typed.fetches = arena_alloc(arena, (TYPED_MAX + 1) * sizeof(*typed.fetches));
	event->fields = arena_alloc(arena, (TYPED_MAX + 1) * sizeof(*event->fields));
	event->record_size = 8;
	add_fields(&typed, prototype->type);
	probe = arena_alloc(arena, sizeof(*probe));
	*probe = (struct probe){ .definition = r->name, .symbol = r->symbol, .args = "", .fetches = typed.fetches, .btf_id = prototype->id,
				 .module = prototype->module };
	event->probe = probe;
	event->fields_loaded = true;
	return event;
}

static int
refuse_types(const struct request *r, struct text *why)
{
	struct diag *diag = diag_error(r->diags, r->span, "no-kernel-types", "'%s%s' needs the kernel's type information: %s",
				       forms[r->form].prefix, r->name, why->s);

	diag_help(r->diags, diag, "a kernel built with CONFIG_DEBUG_INFO_BTF has it; probe:FUNCTION and SYSTEM:NAME need none");
	return -EOPNOTSUPP;
}

static int
define(const struct request *r, void (*fn)(struct event *event, void *arg), void *arg)
{
	struct text why = { 0 };
	const struct typeinfo *kernel = event_kernel_types(&why);
	struct prototype prototype;
	int n, err = kernel ? 0 : refuse_types(r, &why);

	text_fini(&why);
	if (err < 0)
		return err;
	n = find(r, kernel, &prototype);
	if (n != 1)
		return n ? refuse_several(r, &prototype) : refuse_name(r, kernel);
	fn(make_event(r, &prototype), arg);
	return 1;
}

static size_t
form_of(const char *pattern)
{
	size_t i = 0;

	while (i < ARRAY_SIZE(forms) && strncmp(pattern, forms[i].prefix, strlen(forms[i].prefix)) != 0)
		i++;
	return i;
}

/* MODULE:NAME, or NAME alone. */
static void
split_name(struct request *r, const char *name)
{
	const char *colon = strchr(name, ':');

	r->name = arena_strdup(r->events->arena, name);
	r->module = colon ? arena_strndup(r->events->arena, name, (size_t)(colon - name)) : NULL;
	r->symbol = colon ? arena_strdup(r->events->arena, colon + 1) : r->name;
}

int
events_typed(struct events *events, const char *pattern, struct span span, struct diags *diags,
	     void (*fn)(struct event *event, void *arg), void *arg)
{
	struct request r = { .events = events, .form = form_of(pattern), .span = span, .diags = diags };
	struct diag *diag;

	split_name(&r, pattern + strlen(forms[r.form].prefix));
	if (!*r.symbol || (r.module && !*r.module) || name_is_glob(r.name) || strpbrk(r.name, " \t+%") || strchr(r.symbol, ':')) {
		diag = diag_error(diags, span, "bad-probe", "'%s': the name of one %s is needed", pattern, forms[r.form].what);
		diag_help(diags, diag, "for example fentry:vfs_read, fexit:vfs_read, rawtp:sched_switch; probe:FUNCTION takes patterns");
		return -EINVAL;
	}
	if (events->origin == EVENTS_KERNEL)
		return define(&r, fn, arg);
	diag = diag_error(diags, span, "unsupported-event", "'%s': %s no probes of the kernel", pattern,
			  events_owner_has(events));
	events_help_kernel(events, diags, diag);
	return -EOPNOTSUPP;
}

/* ---- ktap list ------------------------------------------------------------------------------- */

static void
list_fields(struct events *events, const struct typeinfo *kernel, size_t form, const char *name, FILE *out)
{
	struct request r = { .events = events, .form = form };
	struct prototype prototype;
	const struct event *event;

	split_name(&r, name);
	event = find(&r, kernel, &prototype) == 1 ? make_event(&r, &prototype) : NULL;
	for (uint32_t i = 0; event && i < event->n_fields; i++)
		fprintf(out, "    %-24s %s\n", event->fields[i].name, event->fields[i].type);
}

/* Those of the kernel (`module` NULL) or of one module whose name, with or without the module's, fits. Returns how many. */
static int
list_types(const struct typeinfo *types, size_t form, const char *module, const char *glob, FILE *out)
{
	struct text line = { 0 };
	int n = 0;

	for (uint32_t id = typeinfo_first(types); id < typeinfo_count(types); id++) {
		const char *name = event_name(types, forms[form].kind, id);

		if (!name)
			continue;
		text_clear(&line);
		text_printf(&line, "%s%s%s", module ? module : "", module ? ":" : "", name);
		if (!glob_match(glob, name) && !glob_match(glob, line.s))
			continue;
		fprintf(out, "%s%s\n", forms[form].prefix, line.s);
		n++;
	}
	text_fini(&line);
	return n;
}

int
events_list_typed(struct events *events, const char *pattern, FILE *out, struct text *why)
{
	const struct typeinfo *kernel = event_kernel_types(why);
	size_t form = form_of(pattern);
	const char *glob = pattern + strlen(forms[form].prefix);
	const struct modules *modules;
	int n;

	if (!kernel)
		return -EOPNOTSUPP;
	n = list_types(kernel, form, NULL, glob, out);
	modules = module_list(kernel);
	for (uint32_t i = 0; i < modules->n; i++)
		n += list_types(modules->all[i].types, form, modules->all[i].name, glob, out);
	if (n == 1 && !name_is_glob(glob))
		list_fields(events, kernel, form, glob, out);
	return n;
}
