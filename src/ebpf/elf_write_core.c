/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * CO-RE, the way out: what instructions of a compiled script say of the kernel's types by name ("struct task_struct.signal.rlim[0]") becomes what
 * readers of a file want, a type in the file's own BTF and a path of numbers from there ("0:1:0").
 *
 * Of each structure on the way the file gets a copy with the members that are used and nothing else, at the places that they have here:
 *
 *     kernel   struct task_struct { ...; 1184: pid_t pid; ...; 1616: struct signal_struct *signal; ... }        9,792 bytes
 *     file     struct task_struct { 1184: int pid; 1616: void *signal; }                                        9,792 bytes
 *
 * Who loads the file compares kinds and names of types, so those are copied; what pointers point to, typedefs and const are not. Members that are
 * copied one by one never lead back to where they came from, since only a pointer could.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/btf.h>

#include "ebpf/ebpf_int.h"

struct used_member {
	const char *name;
	struct typeinfo_member place;
};

/* A structure or union of the kernel's, and what of it is used. */
struct used_type {
	uint32_t kernel_id;
	struct used_member *members;
	uint32_t n_members, cap_members;
};

/* A step of a path: a member, or (name NULL) an element. */
struct name_step {
	const char *name;
	uint32_t within; /* kernel's id of the structure */
	uint32_t index;
};

struct name_path {
	const char *text;
	uint32_t root; /* kernel's id: of a structure, or of the typedef that names it */
	struct name_step steps[CORE_STEPS_MAX];
	uint32_t n_steps;
};

struct core_names {
	struct arena *arena;
	const struct typeinfo *kernel;
	struct used_type *used;
	uint32_t n_used, cap_used;
	struct name_path **paths;
	uint32_t n_paths, cap_paths;
	/* Types of the kernel that were copied: the copy's id in `btf`. */
	struct btf *btf;
	struct copied { uint32_t kernel_id; int id; } *copied;
	uint32_t n_copied, cap_copied;
};

struct core_names *
core_names_new(struct arena *arena, const struct typeinfo *kernel)
{
	struct core_names *names = arena_alloc(arena, sizeof(*names));

	names->arena = arena;
	names->kernel = kernel;
	return names;
}

/* ---- reading names ------------------------------------------------------------------------------------------------------------- */

static struct used_type *
use_type(struct core_names *names, uint32_t kernel_id)
{
	for (uint32_t i = 0; i < names->n_used; i++)
		if (names->used[i].kernel_id == kernel_id)
			return &names->used[i];
	names->used = arena_grow(names->arena, names->used, names->n_used, &names->cap_used, sizeof(*names->used));
	names->used[names->n_used] = (struct used_type){ .kernel_id = kernel_id };
	return &names->used[names->n_used++];
}

static void
use_member(struct core_names *names, uint32_t within, const char *name, const struct typeinfo_member *place)
{
	struct used_type *type = use_type(names, within);
	uint32_t at = type->n_members;

	for (uint32_t i = 0; i < type->n_members; i++)
		if (strcmp(type->members[i].name, name) == 0)
			return;
	type->members = arena_grow(names->arena, type->members, type->n_members, &type->cap_members, sizeof(*type->members));
	/* In the order of their places, as the kernel wants them. */
	for (; at > 0 && type->members[at - 1].place.bit_off > place->bit_off; at--)
		type->members[at] = type->members[at - 1];
	type->members[at] = (struct used_member){ name, *place };
	type->n_members++;
}

/* The type that a path begins with. *rest goes behind it. 0: there is none. */
static uint32_t
root_of(struct core_names *names, const char *path, const char **rest)
{
	static const struct { const char *word; uint32_t kind; } words[] = {
		{ "struct ", BTF_KIND_STRUCT }, { "union ", BTF_KIND_UNION }, { "", BTF_KIND_TYPEDEF }
	};
	const struct btf_type *type;
	size_t i = 0, len;
	uint32_t id;

	while (strncmp(path, words[i].word, strlen(words[i].word)) != 0)
		i++;
	path += strlen(words[i].word);
	len = strcspn(path, ".[");
	id = typeinfo_find(names->kernel, arena_strndup(names->arena, path, len), words[i].kind);
	*rest = path + len;
	type = id ? typeinfo_plain(names->kernel, id, NULL) : NULL;
	if (type && type_has_members(type))
		use_type(names, id);
	return id;
}

/* One step further from the type *at. False: it has no such thing. */
static bool
read_step(struct core_names *names, const char **text, uint32_t *at, struct name_step *step)
{
	const struct btf_type *type = typeinfo_plain(names->kernel, *at, &step->within);
	struct typeinfo_member place;
	size_t len;
	char *end;

	if (!type)
		return false;
	if (**text == '[') {
		step->name = NULL;
		step->index = (uint32_t)strtoul(*text + 1, &end, 10);
		if (*end != ']' || BTF_INFO_KIND(type->info) != BTF_KIND_ARRAY)
			return false;
		*at = type_array(type)->type;
		*text = end + 1;
		return true;
	}
	len = strcspn(*text + 1, ".[");
	step->name = arena_strndup(names->arena, *text + 1, len);
	if (!type_has_members(type) || !typeinfo_member(names->kernel, step->within, step->name, &place))
		return false;
	use_member(names, step->within, step->name, &place);
	*at = place.type;
	*text += 1 + len;
	return true;
}

static struct name_path *
find_path(const struct core_names *names, const char *text)
{
	for (uint32_t i = 0; i < names->n_paths; i++)
		if (strcmp(names->paths[i]->text, text) == 0)
			return names->paths[i];
	return NULL;
}

bool
core_names_add(struct core_names *names, const char *text)
{
	struct name_path *path;
	const char *rest;
	uint32_t at;

	if (find_path(names, text))
		return true;
	path = arena_alloc(names->arena, sizeof(*path));
	path->text = text;
	path->root = at = root_of(names, text, &rest);
	if (!at)
		return false;
	while (*rest)
		if (path->n_steps == CORE_STEPS_MAX || !read_step(names, &rest, &at, &path->steps[path->n_steps++]))
			return false;
	names->paths = arena_grow(names->arena, names->paths, names->n_paths, &names->cap_paths, sizeof(*names->paths));
	names->paths[names->n_paths++] = path;
	return true;
}

/* ---- writing types ----------------------------------------------------------------------------------------------------------------- */

/* All that return an int give a type's id, or -errno. */
static int
put_type(struct core_names *names, uint32_t kernel_id);

static int
put_composite(struct core_names *names, uint32_t kernel_id, const struct btf_type *type)
{
	const struct used_type used = *use_type(names, kernel_id); /* the list grows below */
	const char *name = typeinfo_name(names->kernel, kernel_id);
	int *types = arena_alloc(names->arena, (used.n_members + 1) * sizeof(*types)), id, err;

	for (uint32_t i = 0; i < used.n_members; i++) {
		types[i] = put_type(names, used.members[i].place.type);
		if (types[i] < 0)
			return types[i];
	}
	name = *name ? name : NULL;
	id = BTF_INFO_KIND(type->info) == BTF_KIND_STRUCT ? btf__add_struct(names->btf, name, type->size) :
							     btf__add_union(names->btf, name, type->size);
	for (uint32_t i = 0; i < used.n_members && id > 0; i++) {
		const struct used_member *member = &used.members[i];

		err = btf__add_field(names->btf, member->name, types[i], member->place.bit_off, member->place.bits);
		if (err)
			return err;
	}
	return id;
}

static int
put_array(struct core_names *names, const struct btf_type *type)
{
	int element = put_type(names, type_array(type)->type), index;

	if (element < 0)
		return element;
	index = btf__find_by_name_kind(names->btf, "int", BTF_KIND_INT);
	if (index < 0)
		index = btf__add_int(names->btf, "int", 4, BTF_INT_SIGNED);
	return index < 0 ? index : btf__add_array(names->btf, index, element, type_array(type)->nelems);
}

/* An enumeration is known by its name; that it has a sign is known by a constant below 0. */
static int
put_enum(struct core_names *names, const char *name, const struct btf_type *type)
{
	int id = btf__add_enum(names->btf, *name ? name : NULL, type->size), err;

	for (uint32_t i = 0; i < BTF_INFO_VLEN(type->info) && BTF_INFO_KFLAG(type->info) && id > 0; i++) {
		const struct btf_enum *constant = &type_enums(type)[i];

		if (constant->val >= 0)
			continue;
		err = btf__add_enum_value(names->btf, typeinfo_string(names->kernel, constant->name_off), constant->val);
		return err ? err : id;
	}
	return id;
}

static int
put_plain(struct core_names *names, uint32_t kernel_id, const struct btf_type *type)
{
	const char *name = typeinfo_name(names->kernel, kernel_id);

	switch (BTF_INFO_KIND(type->info)) {
	case BTF_KIND_INT:
		return btf__add_int(names->btf, name, type->size, (int)BTF_INT_ENCODING(type_int(type)));
	case BTF_KIND_PTR:
		return btf__add_ptr(names->btf, 0);
	case BTF_KIND_ARRAY:
		return put_array(names, type);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return put_composite(names, kernel_id, type);
	case BTF_KIND_ENUM:
		return put_enum(names, name, type);
	case BTF_KIND_ENUM64:
		return btf__add_enum64(names->btf, *name ? name : NULL, type->size, BTF_INFO_KFLAG(type->info));
	case BTF_KIND_FLOAT:
		return btf__add_float(names->btf, name, type->size);
	default: /* functions and what has no value: no member of a script */
		return -EINVAL;
	}
}

static int
put_type(struct core_names *names, uint32_t kernel_id)
{
	const struct btf_type *type = typeinfo_plain(names->kernel, kernel_id, &kernel_id);
	int id;

	if (!type)
		return -EINVAL;
	for (uint32_t i = 0; i < names->n_copied; i++)
		if (names->copied[i].kernel_id == kernel_id)
			return names->copied[i].id;
	id = put_plain(names, kernel_id, type);
	if (id < 0)
		return id;
	names->copied = arena_grow(names->arena, names->copied, names->n_copied, &names->cap_copied, sizeof(*names->copied));
	names->copied[names->n_copied++] = (struct copied){ kernel_id, id };
	return id;
}

/* The type at which a path begins: a structure, or a typedef of one. */
static int
put_root(struct core_names *names, uint32_t kernel_id)
{
	const char *name = typeinfo_name(names->kernel, kernel_id);
	int id = put_type(names, kernel_id), old;

	if (id < 0 || typeinfo_kind(names->kernel, kernel_id) != BTF_KIND_TYPEDEF)
		return id;
	old = btf__find_by_name_kind(names->btf, name, BTF_KIND_TYPEDEF);
	return old > 0 ? old : btf__add_typedef(names->btf, name, id);
}

static uint32_t
member_index(struct core_names *names, const struct name_step *step)
{
	const struct used_type *type = use_type(names, step->within);
	uint32_t i = 0;

	while (strcmp(type->members[i].name, step->name) != 0)
		i++;
	return i;
}

int
core_names_put(struct core_names *names, struct btf *btf, const char *text, struct core_place *place)
{
	const struct name_path *path = find_path(names, text);
	struct text access = { 0 };
	int id;

	names->btf = btf;
	id = put_root(names, path->root);
	if (id < 0)
		return id;
	text_puts(&access, "0");
	for (uint32_t i = 0; i < path->n_steps; i++)
		text_printf(&access, ":%u", path->steps[i].name ? member_index(names, &path->steps[i]) : path->steps[i].index);
	place->type = (uint32_t)id;
	id = btf__add_str(btf, access.s);
	text_fini(&access);
	place->access_off = (uint32_t)id;
	return id < 0 ? id : 0;
}
