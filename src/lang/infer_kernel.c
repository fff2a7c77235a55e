/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Structures of the kernel: cast("struct sock *", x).field, curtask().field. What they are made of is read from the running kernel's
 * own description of its types (BTF, /sys/kernel/btf/vmlinux), when the first of them is met; where it has no structure of a name, from those of
 * the modules that are loaded. Types are known by their numbers, which are the same in every module: a script has the structures of one.
 *
 * A value of kind TYPE_KERNEL is an address, and its type says what stands there: a structure, a union or an array. Structures inside of
 * others are addresses too; what is reached by a number, a pointer or a text is read. Where something was reported the type is 0, of which
 * nothing more is said.
 */
#include <ctype.h>
#include <linux/btf.h>
#include <string.h>

#include "lang/infer_int.h"

#define ANONYMOUS_MAX TYPEINFO_ANONYMOUS_MAX

/* Do the programs run where nothing of the kernel can be read, and the script is compiled for that? */
static bool
is_outside(const struct events *events)
{
	return events_origin(events) == EVENTS_USER || events_origin(events) == EVENTS_HOST;
}

/* The kernel's types, NULL: there are none here, which is reported. */
static const struct typeinfo *
kernel_types(struct infer *infer, const struct node *node)
{
	struct text why = { 0 };
	struct diag *diag;

	if (infer->types || infer->no_types)
		return infer->types;
	infer->no_types = true;
	if (is_outside(infer->typed->events)) {
		diag = diag_error(infer->diags, node->span, "kernel-types", "%s no access to structures of the kernel",
				  events_owner_has(infer->typed->events));
		diag_help(infer->diags, diag, "--engine=kernel has, as root");
		return NULL;
	}
	infer->types = infer->kernel = typeinfo_open(CORE_KERNEL, NULL, &why);
	if (!infer->types) {
		diag = diag_error(infer->diags, node->span, "kernel-types", "the kernel's types are not known: %s", why.s ? why.s : CORE_KERNEL);
		diag_help(infer->diags, diag, "the kernel must be built with CONFIG_DEBUG_INFO_BTF");
	}
	text_fini(&why);
	return infer->types;
}

static bool
has_places(uint32_t kind)
{
	return kind == BTF_KIND_STRUCT || kind == BTF_KIND_UNION || kind == BTF_KIND_ARRAY;
}

/*
 * The type by which to speak of what stands at a place of type `id`: the structure itself, or where that has no name the typedef that names it.
 */
static uint32_t
named_type(const struct typeinfo *types, uint32_t id)
{
	uint32_t plain, named;

	if (!typeinfo_plain(types, id, &plain) || *typeinfo_name(types, plain))
		return plain;
	for (named = plain; id != plain; id = typeinfo_type(types, id)->type)
		if (typeinfo_kind(types, id) == BTF_KIND_TYPEDEF)
			named = id;
	return named;
}

static uint32_t
plain_kind(const struct typeinfo *types, uint32_t id)
{
	uint32_t plain;

	return typeinfo_plain(types, id, &plain) ? typeinfo_kind(types, plain) : (uint32_t)BTF_KIND_UNKN;
}

/* ---- cast ---- */

/* What the text of a cast names. */
struct wanted {
	char name[128];
	uint32_t kind;
};

/* "struct sock *" -> struct, "sock". False: the text is no pointer to a structure. */
static bool
read_wanted(const char *text, struct wanted *wanted)
{
	static const struct {
		const char *word;
		uint32_t kind;
	} words[] = { { "struct ", BTF_KIND_STRUCT }, { "union ", BTF_KIND_UNION }, { "", BTF_KIND_TYPEDEF } };
	size_t len;

	text += strspn(text, " ");
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strncmp(text, words[i].word, strlen(words[i].word)))
			continue;
		text += strlen(words[i].word);
		text += strspn(text, " ");
		len = strcspn(text, " *");
		if (len >= sizeof(wanted->name) || strcmp(text + len + strspn(text + len, " "), "*"))
			return false;
		memcpy(wanted->name, text, len);
		wanted->name[len] = 0;
		wanted->kind = words[i].kind;
		return true;
	}
	return false;
}

/* Its id; 0: these types have none of that name. */
static uint32_t
find_wanted(const struct typeinfo *types, const struct wanted *wanted)
{
	uint32_t id = typeinfo_find(types, wanted->name, wanted->kind);

	return id && has_places(plain_kind(types, id)) ? named_type(types, id) : 0;
}

/* The first module, by name, that has a structure of its own of that name; NULL: none. */
static const struct module *
module_with(struct infer *infer, const struct wanted *wanted)
{
	if (!infer->modules.all)
		modules_read(&infer->modules, infer->kernel);
	for (uint32_t i = 0; i < infer->modules.n; i++) {
		const struct module *module = &infer->modules.all[i];

		if (typeinfo_find_own(module->types, wanted->name, wanted->kind) && find_wanted(module->types, wanted))
			return module;
	}
	return NULL;
}

/* A structure that neither the kernel nor the module that structures were taken from so far has; 0 where no other one has it, which is not reported yet. */
static uint32_t
find_in_modules(struct infer *infer, const struct node *name, const struct wanted *wanted)
{
	const struct module *module = module_with(infer, wanted);
	struct diag *diag;

	if (!module)
		return 0;
	if (!infer->typed->kernel_module) {
		infer->typed->kernel_module = arena_strdup(infer->arena, module->name);
		infer->types = module->types;
	} else if (infer->types != module->types) {
		diag = diag_error(infer->diags, name->span, "kernel-type", "this structure is of module %s, and another one here of module %s", module->name,
				  infer->typed->kernel_module);
		diag_help(infer->diags, diag, "a script can read structures of the kernel and of one module");
	}
	return find_wanted(infer->types, wanted);
}

static struct type *
settle_kernel(struct infer *infer, struct node *node, uint32_t id)
{
	struct type *type = infer_type(infer, TYPE_KERNEL, node->span);

	type->kernel_type = id;
	return infer_settle(infer, node, type, false);
}

struct type *
infer_cast(struct infer *infer, struct node *node)
{
	const struct typeinfo *types = kernel_types(infer, node);
	uint32_t id = 0, n_errors = infer->diags->n_errors;
	struct node *name = node->b;
	struct wanted wanted;
	struct diag *diag;

	infer_require(infer, name->next, TYPE_INT, "address");
	if (types && name->kind == NODE_STR && read_wanted(name->s, &wanted)) {
		id = find_wanted(types, &wanted);
		if (!id)
			id = find_in_modules(infer, name, &wanted);
	}
	if (types && !id && infer->diags->n_errors == n_errors) {
		diag = diag_error(infer->diags, name->span, "kernel-type", name->kind == NODE_STR ?
				  "the kernel has no such structure" : "the type of a cast must be written out");
		diag_help(infer->diags, diag, "cast(\"struct sock *\", x): a pointer to a struct, a union, or a typedef of one, of the kernel or of a module that is loaded");
	}
	return settle_kernel(infer, node, id);
}

struct type *
infer_curtask(struct infer *infer, struct node *node)
{
	const struct typeinfo *types = kernel_types(infer, node);

	return settle_kernel(infer, node, types ? typeinfo_find(types, "task_struct", BTF_KIND_STRUCT) : 0);
}

/* ---- members ---- */

struct nearest {
	const char *name;
	unsigned distance;
};

static void
find_nearest(const struct typeinfo *types, uint32_t id, const char *name, unsigned depth, struct nearest *nearest)
{
	const struct btf_type *type = typeinfo_plain(types, id, &id);
	const struct btf_member *member = type ? type_members(type) : NULL;
	uint32_t kind = typeinfo_kind(types, id), n = type ? BTF_INFO_VLEN(type->info) : 0;

	if ((kind != BTF_KIND_STRUCT && kind != BTF_KIND_UNION) || depth > ANONYMOUS_MAX)
		return;
	for (; n; n--, member++) {
		const char *its = typeinfo_string(types, member->name_off);
		unsigned distance = *its ? text_distance(name, its, nearest->distance) : UINT32_MAX;

		if (distance < nearest->distance)
			*nearest = (struct nearest){ its, distance };
		if (!*its)
			find_nearest(types, member->type, name, depth + 1, nearest);
	}
}

static void
report_member(struct infer *infer, const struct node *node, uint32_t id)
{
	const struct typeinfo *types = infer->types;
	size_t len = strlen(node->b->s);
	struct nearest nearest = { NULL, len < 4 ? 2 : (unsigned)(len / 2) };
	struct diag *diag;

	diag = diag_error(infer->diags, node->b->span, "kernel-member", "%s %s of this kernel has no member '%s'",
			  plain_kind(types, id) == BTF_KIND_UNION ? "union" : "struct", typeinfo_name(types, id), node->b->s);
	find_nearest(types, id, node->b->s, 0, &nearest);
	if (nearest.name)
		diag_help(infer->diags, diag, "did you mean '%s'?", arena_printf(infer->arena, "%s", nearest.name));
}

static bool
is_char(const struct typeinfo *types, uint32_t id)
{
	const struct btf_type *type = typeinfo_plain(types, id, &id);

	return type && typeinfo_kind(types, id) == BTF_KIND_INT && type->size == 1 &&
	       strstr(typeinfo_name(types, id), "char") != NULL;
}

/* What stands at a place of type `id`: fills in the member and returns its type in the language. */
static struct type *
member_type(struct infer *infer, struct node *node, uint32_t id, struct member *member)
{
	const struct typeinfo *types = infer->types;
	uint32_t place = named_type(types, id);
	const struct btf_type *type = typeinfo_plain(types, id, &id);
	uint32_t kind = typeinfo_kind(types, id);
	struct type *result = infer_type(infer, TYPE_INT, node->span);

	member->size = (uint32_t)typeinfo_size(types, id);
	member->kind = MEMBER_NUMBER;
	if (kind == BTF_KIND_ARRAY && is_char(types, type_array(type)->type)) {
		member->kind = MEMBER_TEXT;
		result->kind = TYPE_STR;
		result->str_size = type_str_size(member->size ? member->size - 1 : STR_SIZE_MAX - 1);
	} else if (has_places(kind)) {
		member->kind = MEMBER_PLACE;
		result->kind = TYPE_KERNEL;
		result->kernel_type = place;
	} else if (kind == BTF_KIND_PTR) {
		if (has_places(plain_kind(types, type->type))) {
			result->kind = TYPE_KERNEL;
			result->kernel_type = named_type(types, type->type);
		}
	} else if (kind == BTF_KIND_INT) {
		member->is_signed = BTF_INT_ENCODING(type_int(type)) & BTF_INT_SIGNED;
	} else if (kind == BTF_KIND_ENUM || kind == BTF_KIND_ENUM64) {
		member->is_signed = BTF_INFO_KFLAG(type->info);
	} else {
		diag_error(infer->diags, node->span, "kernel-member", "this member has no value in the language");
	}
	if (member->kind == MEMBER_NUMBER && member->size != 1 && member->size != 2 && member->size != 4 && member->size != 8)
		diag_error(infer->diags, node->span, "kernel-member", "a number of %u bytes has no value in the language", member->size);
	return result;
}

/* A type alone, as a path: "struct sock"; NULL: it has no name. */
static const char *
path_of_type(struct infer *infer, uint32_t id)
{
	uint32_t kind = typeinfo_kind(infer->types, id);
	const char *name = typeinfo_name(infer->types, id);

	if (!*name || (kind != BTF_KIND_STRUCT && kind != BTF_KIND_UNION && kind != BTF_KIND_TYPEDEF))
		return NULL;
	return arena_printf(infer->arena, "%s%s", kind == BTF_KIND_STRUCT ? "struct " : kind == BTF_KIND_UNION ? "union " : "", name);
}

/*
 * The path to the place of type `id` that `node->a` stands for, and how far from the path's begin it is: none, where the type has a name, else
 * that of the member which it is.
 */
static const char *
path_to(struct infer *infer, const struct node *node, uint32_t id, struct member *member)
{
	const char *path = path_of_type(infer, id);
	const struct member *outer = node->a->kind == NODE_INDEX ? node->a->member : NULL;

	if (path || !outer || outer->kind != MEMBER_PLACE || !outer->path)
		return path;
	member->continues = true;
	member->off = outer->off;
	return outer->path;
}

/* A bit field is read as the smallest unit of its type's size, or twice that and so on, that has all of it. */
static void
place_bits(struct member *member, const struct typeinfo_member *found)
{
	uint32_t byte_off = 0;

	for (; member->size && member->size <= 8; member->size *= 2) {
		byte_off = found->bit_off / 8 / member->size * member->size;
		if (found->bit_off + found->bits <= 8 * (byte_off + member->size))
			break;
	}
	member->off += byte_off;
	member->bit = found->bit_off - 8 * byte_off;
	member->bits = found->bits;
}

/* p.name, where p points to a structure. */
static struct type *
named_member(struct infer *infer, struct node *node, uint32_t id, struct member *member)
{
	const struct typeinfo *types = infer->types;
	struct typeinfo_member found;
	const char *path;
	struct type *type;
	uint32_t plain;

	if (!typeinfo_plain(types, id, &plain) || !typeinfo_member(types, plain, node->b->s, &found)) {
		report_member(infer, node, id);
		return infer_type(infer, TYPE_KERNEL, node->span);
	}
	type = member_type(infer, node, found.type, member);
	path = path_to(infer, node, id, member);
	if (path)
		member->path = arena_printf(infer->arena, "%s.%s", path, node->b->s);
	if (found.bits)
		place_bits(member, &found);
	else
		member->off += found.bit_off / 8;
	return type;
}

/* p[i]: an element of the array at p, or of the structures that begin there. */
static struct type *
indexed_member(struct infer *infer, struct node *node, uint32_t id, struct member *member)
{
	const struct typeinfo *types = infer->types;
	const struct btf_type *type = typeinfo_plain(types, id, NULL);
	bool is_array = plain_kind(types, id) == BTF_KIND_ARRAY;
	uint32_t element = is_array ? type_array(type)->type : id;
	const char *path = is_array ? path_to(infer, node, id, member) : NULL;
	int64_t size = typeinfo_size(types, element);

	infer_require(infer, node->b, TYPE_INT, "index of an array");
	member->element_size = size > 0 ? (uint32_t)size : 0;
	member->path = path ? arena_printf(infer->arena, "%s[0]", path) : NULL;
	member->element_path = path ? member->path : path_of_type(infer, named_type(types, element));
	return member_type(infer, node, element, member);
}

struct type *
infer_member(struct infer *infer, struct node *node)
{
	uint32_t id = type_find(node->a->type)->kernel_type;
	struct member *member;
	struct type *type;

	if (node->member && node->type)
		return node->type;
	if (!id)
		return settle_kernel(infer, node, 0);
	member = arena_alloc(infer->arena, sizeof(*member));
	if (node->b->kind == NODE_STR && plain_kind(infer->types, id) != BTF_KIND_ARRAY)
		type = named_member(infer, node, id, member);
	else
		type = indexed_member(infer, node, id, member);
	node->member = member;
	return infer_settle(infer, node, type, false);
}

static struct node *
new_node(struct infer *infer, struct node node)
{
	struct node *copy = arena_alloc(infer->arena, sizeof(*copy));

	*copy = node;
	return copy;
}

/* object.names[0].names[1] ... */
static struct node *
member_of(struct infer *infer, struct node *object, const char *const *names, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct node *key = new_node(infer, (struct node){ .kind = NODE_STR, .span = object->span, .s = names[i],
								   .len = (uint32_t)strlen(names[i]) });

		object = new_node(infer, (struct node){ .kind = NODE_INDEX, .span = object->span, .a = object, .b = key });
	}
	return object;
}

static struct node *
call_of(struct infer *infer, enum builtin_id id, struct node *args, struct span span)
{
	const struct builtin *builtin = builtin_get(id);
	struct node *callee = new_node(infer, (struct node){ .kind = NODE_NAME, .span = span, .s = builtin->name, .builtin = builtin });

	return new_node(infer, (struct node){ .kind = NODE_CALL, .span = span, .a = callee, .b = args });
}

/* From here on the node is `meaning`. */
static struct type *
infer_instead(struct infer *infer, struct node *node, const struct node *meaning)
{
	struct node *next = node->next;

	*node = *meaning;
	node->next = next;
	return infer_exp(infer, node);
}

void
infer_follow(struct infer *infer, struct node *node)
{
	bool is_field = node->kind == NODE_INDEX && node->a->kind == NODE_ARGS && node->b->kind == NODE_STR && infer->layout;
	const struct field *field = is_field ? event_field(infer->layout, node->b->s) : NULL;
	const char *type = field ? event_points_to(infer->layout, field) : NULL;
	struct node *args;

	if (!type)
		return;
	args = new_node(infer, (struct node){ .kind = NODE_STR, .span = node->span, .s = type, .len = (uint32_t)strlen(type) });
	args->next = node_clone(infer->arena, node);
	infer_instead(infer, node, call_of(infer, BUILTIN_CAST, args, node->span));
}

/* ppid is curtask().real_parent.tgid where ktap is in no pid namespace; what it is elsewhere the source knows (ebpf.h, FUNC_PPID). */
struct type *
infer_ppid(struct infer *infer, struct node *node)
{
	static const char *const names[] = { "real_parent", "tgid" };

	if (!node->a)
		node->a = member_of(infer, call_of(infer, BUILTIN_CURTASK, NULL, node->span), names, ARRAY_SIZE(names));
	infer_exp(infer, node->a);
	return infer_settle(infer, node, infer_type(infer, TYPE_INT, node->span), false);
}

struct type *
infer_in_iowait(struct infer *infer, struct node *node)
{
	static const char *const names[] = { "in_iowait" };

	return infer_instead(infer, node, member_of(infer, call_of(infer, BUILTIN_CURTASK, NULL, node->span), names, ARRAY_SIZE(names)));
}

/* cast("struct sock *", address).__sk_common.name */
static struct node *
member_of_sock(struct infer *infer, const struct node *address, const char *name)
{
	static const char type[] = "struct sock *";
	const char *const names[] = { "__sk_common", name };
	struct node *args = new_node(infer, (struct node){ .kind = NODE_STR, .span = address->span, .s = type, .len = sizeof(type) - 1 });

	args->next = node_clone(infer->arena, address);
	return member_of(infer, call_of(infer, BUILTIN_CAST, args, address->span), names, ARRAY_SIZE(names));
}

/* A socket's address if its family is AF_INET, else nil. */
struct type *
infer_sock_addr(struct infer *infer, struct node *node, const char *name)
{
	struct node *two = new_node(infer, (struct node){ .kind = NODE_INT, .span = node->span, .number = 2 });
	struct node *test = new_node(infer, (struct node){ .kind = NODE_BINARY, .span = node->span, .op = TOKEN_EQ });
	struct node choice = { .kind = NODE_COND, .span = node->span, .a = test };

	test->a = member_of_sock(infer, node->b, "skc_family");
	test->b = two;
	choice.b = member_of_sock(infer, node->b, name);
	choice.c = new_node(infer, (struct node){ .kind = NODE_NIL, .span = node->span });
	return infer_instead(infer, node, &choice);
}

struct type *
infer_cgroup(struct infer *infer, struct node *node)
{
	if (is_outside(infer->typed->events) && !infer->no_types) {
		diag_error(infer->diags, node->span, "kernel-types", "%s no access to cgroups", events_owner_has(infer->typed->events));
		infer->no_types = true;
	}
	return infer_settle(infer, node, infer_type(infer, TYPE_INT, node->span), false);
}

/* curr_taskinfo(offset, size): the size is written out, as the code depends on it. */
struct type *
infer_taskinfo(struct infer *infer, struct node *node)
{
	const struct node *size = node->b->next;
	struct diag *diag;

	kernel_types(infer, node);
	infer_require(infer, node->b, TYPE_INT, "offset");
	if (size && (size->kind != NODE_INT || (size->number != 4 && size->number != 8))) {
		diag = diag_error(infer->diags, size->span, "kernel-type", "curr_taskinfo() reads 4 or 8 bytes");
		diag_help(infer->diags, diag, "curtask().NAME knows how many bytes a member has");
	}
	return infer_settle(infer, node, infer_type(infer, TYPE_INT, node->span), false);
}
