/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The few facts that stubs need from the kernel's BTF: the type numbers of four raw tracepoints, where
 * a task keeps its ids, and what parameters some functions have; and the BTF of modules, as descriptors.
 *
 * One pass over the raw bytes that ends when all is found: 0.3 to 1 ms (mapped, Linux 6.15 and later), 4
 * ms (read). libbpf's parser takes 7 to 13 ms and indexes all 126,000 types, which is more than a whole
 * run of ktap should take. Never trusts the file's offsets.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/btf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "source/kernel_int.h"

#define BTF_PATH "/sys/kernel/btf/vmlinux"

struct raw_btf {
	void *bytes;
	size_t len;
	bool mapped;
	const char *types, *types_end;
	const char *strings;
	uint32_t strings_len;
};

/*
 * Bytes behind struct btf_type, without the part that depends on vlen; see "BTF Type Format" in the
 * kernel's btf.rst.
 */
static const uint8_t fixed_extra[NR_BTF_KINDS] = {
	[BTF_KIND_INT] = 4,
	[BTF_KIND_ARRAY] = sizeof(struct btf_array),
	[BTF_KIND_VAR] = sizeof(struct btf_var),
	[BTF_KIND_DECL_TAG] = sizeof(struct btf_decl_tag),
};

/* Bytes behind it for each of vlen members. */
static const uint8_t member_extra[NR_BTF_KINDS] = {
	[BTF_KIND_STRUCT] = sizeof(struct btf_member),       [BTF_KIND_UNION] = sizeof(struct btf_member),
	[BTF_KIND_ENUM] = sizeof(struct btf_enum),           [BTF_KIND_FUNC_PROTO] = sizeof(struct btf_param),
	[BTF_KIND_DATASEC] = sizeof(struct btf_var_secinfo), [BTF_KIND_ENUM64] = sizeof(struct btf_enum64),
};

static bool
read_bytes(int fd, struct raw_btf *btf)
{
	size_t got = 0;
	ssize_t n = 1;

	btf->bytes = mem_alloc(btf->len);
	while (btf->bytes && got < btf->len && (n = read(fd, (char *)btf->bytes + got, btf->len - got)) > 0)
		got += (size_t)n;
	return btf->bytes && got == btf->len;
}

static bool
sections(struct raw_btf *btf)
{
	const struct btf_header *header = btf->bytes;
	const char *start;
	uint64_t room;

	if (btf->len < sizeof(*header) || header->magic != BTF_MAGIC || header->hdr_len > btf->len)
		return false;
	room = btf->len - header->hdr_len;
	if ((uint64_t)header->type_off + header->type_len > room ||
	    (uint64_t)header->str_off + header->str_len > room)
		return false;
	start = (const char *)btf->bytes + header->hdr_len;
	btf->types = start + header->type_off;
	btf->types_end = btf->types + header->type_len;
	btf->strings = start + header->str_off;
	btf->strings_len = header->str_len;
	return btf->strings_len && btf->strings[btf->strings_len - 1] == 0;
}

static bool
raw_btf_open(struct raw_btf *btf)
{
	int fd = open(BTF_PATH, O_RDONLY | O_CLOEXEC);
	struct stat st;
	bool ok = false;

	*btf = (struct raw_btf){ 0 };
	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && st.st_size > 0) {
		btf->len = (size_t)st.st_size;
		btf->bytes = mmap(NULL, btf->len, PROT_READ, MAP_PRIVATE, fd, 0);
		btf->mapped = btf->bytes != MAP_FAILED;
		ok = btf->mapped || read_bytes(fd, btf);
	}
	close(fd);
	return ok && sections(btf);
}

static void
raw_btf_close(struct raw_btf *btf)
{
	if (btf->mapped)
		munmap(btf->bytes, btf->len);
	else
		free(btf->bytes);
}

static const char *
name_of(const struct raw_btf *btf, uint32_t off)
{
	return off < btf->strings_len ? btf->strings + off : "";
}

/* Offset in bytes of a member of a struct, 0 where it has none (no member that we ask for is the first). */
static uint32_t
member_offset(const struct raw_btf *btf, const struct btf_type *type, const char *name)
{
	const struct btf_member *members = (const struct btf_member *)(type + 1);
	bool bitfields = BTF_INFO_KFLAG(type->info);
	uint32_t i;

	for (i = 0; i < BTF_INFO_VLEN(type->info); i++)
		if (strcmp(name_of(btf, members[i].name_off), name) == 0)
			return (bitfields ? BTF_MEMBER_BIT_OFFSET(members[i].offset) : members[i].offset) / 8;
	return 0;
}

/* The tracepoint NAME of a typedef btf_trace_NAME: notes its number for the unit that it is for. */
static uint32_t
note_point(struct kernel_types *types, const char *name, uint32_t id)
{
	uint32_t kind, found = 0;

	if (strncmp(name, "btf_trace_s", 11) != 0)
		return 0;
	for (kind = 0; kind < N_UNIT_KINDS; kind++) {
		if (!unit_infos[kind].point || types->point_ids[kind] ||
		    strcmp(name + 10, unit_infos[kind].point) != 0)
			continue;
		types->point_ids[kind] = id;
		found++;
	}
	return found;
}

/* A struct that is wanted. thread_info is the first member of task_struct, so its offsets are those in that. */
static uint32_t
note_struct(struct kernel_types *types, const struct raw_btf *btf, const struct btf_type *type)
{
	const char *name = name_of(btf, type->name_off);

	if (!types->task_status_off && strcmp(name, "thread_info") == 0) {
		types->task_status_off = member_offset(btf, type, "status");
		return types->task_status_off != 0;
	}
	if (types->task_tgid_off || strcmp(name, "task_struct") != 0)
		return 0;
	types->task_pid_off = member_offset(btf, type, "pid");
	types->task_tgid_off = member_offset(btf, type, "tgid");
	return 1;
}

static uint32_t
count_wanted(void)
{
	uint32_t kind, n = 2; /* the structs */

	for (kind = 0; kind < N_UNIT_KINDS; kind++)
		n += unit_infos[kind].point != NULL;
	return n;
}

static void
scan(struct kernel_types *types, const struct raw_btf *btf)
{
	uint32_t kind, id, wanted = count_wanted();
	const char *p = btf->types;
	const struct btf_type *type;
	size_t len;

	for (id = 1; wanted && (size_t)(btf->types_end - p) >= sizeof(*type); id++, p += len) {
		type = (const struct btf_type *)p;
		kind = BTF_INFO_KIND(type->info);
		if (kind >= NR_BTF_KINDS)
			return; /* newer than we know: its length is not known either */
		len = sizeof(*type) + fixed_extra[kind] +
		      (size_t)member_extra[kind] * BTF_INFO_VLEN(type->info);
		if (len > (size_t)(btf->types_end - p))
			return;
		if (kind == BTF_KIND_TYPEDEF)
			wanted -= note_point(types, name_of(btf, type->name_off), id);
		else if (kind == BTF_KIND_STRUCT)
			wanted -= note_struct(types, btf, type);
	}
}

void
kernel_types_read(struct kernel_types *types)
{
	struct raw_btf btf;

	*types = (struct kernel_types){ 0 };
	if (raw_btf_open(&btf))
		scan(types, &btf);
	raw_btf_close(&btf);
}

/* ---- modules --------------------------------------------------------------------------------- */

/* Is this object the types of a module of that name? Programs and tables have some, too, which are the user's. */
static bool
is_of_module(int fd, const char *module)
{
	char name[64] = ""; /* MODULE_NAME_LEN is less: include/linux/module.h */
	struct bpf_btf_info info = { .name = (uintptr_t)name, .name_len = sizeof(name) };
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &len) == 0 && info.kernel_btf && strcmp(name, module) == 0;
}

int
kernel_module_types(const char *module)
{
	uint32_t id = 0;
	int fd;

	while (bpf_btf_get_next_id(id, &id) == 0) {
		fd = bpf_btf_get_fd_by_id(id);
		if (fd >= 0 && is_of_module(fd, module))
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return -ENOENT;
}

/* ---- functions ------------------------------------------------------------------------------- */

#define TYPES_MAX (1u << 22) /* as many as the kernel takes; kernel/bpf/btf.c, BTF_MAX_TYPE is less */
#define STEPS_MAX 32         /* typedefs and qualifiers in front of a type */

/* Where each type begins, by its number. */
struct type_index {
	const struct raw_btf *btf;
	uint32_t *offsets;
	uint32_t n, cap;
};

static bool
index_add(struct type_index *index, uint32_t offset)
{
	uint32_t *offsets = index->n < TYPES_MAX ? mem_grow(index->offsets, index->n, &index->cap, sizeof(*offsets)) : NULL;

	if (!offsets)
		return false;
	index->offsets = offsets;
	offsets[index->n++] = offset;
	return true;
}

/* All of the types whose length is known; numbers the functions that are asked for. */
static void
index_types(struct type_index *index, struct function_types *functions, uint32_t n)
{
	const struct raw_btf *btf = index->btf;
	const struct btf_type *type;
	size_t len;

	index_add(index, 0); /* void */
	for (const char *p = btf->types; (size_t)(btf->types_end - p) >= sizeof(*type); p += len) {
		type = (const struct btf_type *)p;
		if (BTF_INFO_KIND(type->info) >= NR_BTF_KINDS)
			return;
		len = sizeof(*type) + fixed_extra[BTF_INFO_KIND(type->info)] +
		      (size_t)member_extra[BTF_INFO_KIND(type->info)] * BTF_INFO_VLEN(type->info);
		if (len > (size_t)(btf->types_end - p) || !index_add(index, (uint32_t)(p - btf->types)))
			return;
		for (uint32_t i = 0; i < n && BTF_INFO_KIND(type->info) == BTF_KIND_FUNC; i++)
			if (strcmp(name_of(btf, type->name_off), functions[i].name) == 0)
				functions[i].id = functions[i].id ? UINT32_MAX : index->n - 1; /* of two neither is known to be meant */
	}
}

static const struct btf_type *
type_of(const struct type_index *index, uint32_t id)
{
	return id && id < index->n ? (const struct btf_type *)(index->btf->types + index->offsets[id]) : NULL;
}

/* Fills in size and sign, where the type is a number or a pointer. Returns the words of a context that it takes; 0: none, it is void. */
static uint32_t
describe(const struct type_index *index, uint32_t id, struct function_value *value)
{
	const struct btf_type *type = type_of(index, id);
	uint32_t kind = type ? BTF_INFO_KIND(type->info) : BTF_KIND_UNKN;

	for (int step = 0; type && step < STEPS_MAX && (kind == BTF_KIND_TYPEDEF || kind == BTF_KIND_CONST || kind == BTF_KIND_VOLATILE ||
							kind == BTF_KIND_RESTRICT || kind == BTF_KIND_TYPE_TAG); step++) {
		type = type_of(index, type->type);
		kind = type ? BTF_INFO_KIND(type->info) : BTF_KIND_UNKN;
	}
	if (!type)
		return 0;
	if (kind == BTF_KIND_PTR) {
		value->size = 8;
		return 1;
	}
	if (kind != BTF_KIND_INT && kind != BTF_KIND_ENUM && kind != BTF_KIND_ENUM64)
		return type->size > 8 ? 2 : 1;
	if (type->size != 1 && type->size != 2 && type->size != 4 && type->size != 8)
		return 2;
	value->size = (uint8_t)type->size;
	value->is_signed = kind == BTF_KIND_INT ? BTF_INT_ENCODING(*(const uint32_t *)(type + 1)) & BTF_INT_SIGNED : BTF_INFO_KFLAG(type->info);
	return 1;
}

static void
describe_function(const struct type_index *index, struct function_types *function)
{
	const struct btf_type *type = type_of(index, function->id), *prototype = type ? type_of(index, type->type) : NULL;
	const struct btf_param *params;
	struct function_value rest;
	uint32_t i, word = 0;

	if (!prototype || BTF_INFO_KIND(prototype->info) != BTF_KIND_FUNC_PROTO) {
		function->id = 0;
		return;
	}
	params = (const struct btf_param *)(prototype + 1);
	for (i = 0; i < BTF_INFO_VLEN(prototype->info); i++) {
		struct function_value *value = i < FUNCTION_PARAMS_MAX ? &function->params[i] : &rest;

		value->word = word;
		word += describe(index, params[i].type, value);
	}
	/* Behind a structure that takes two words, registers and words are no longer the same. */
	function->n_params = word == i ? (i < FUNCTION_PARAMS_MAX ? i : FUNCTION_PARAMS_MAX) : 0;
	function->result.word = word;
	describe(index, prototype->type, &function->result);
}

void
kernel_functions_read(struct function_types *functions, uint32_t n)
{
	struct raw_btf btf;
	struct type_index index = { .btf = &btf };

	for (uint32_t i = 0; i < n; i++)
		functions[i] = (struct function_types){ .name = functions[i].name };
	if (raw_btf_open(&btf))
		index_types(&index, functions, n);
	for (uint32_t i = 0; i < n; i++)
		if (functions[i].id)
			describe_function(&index, &functions[i]);
	free(index.offsets);
	raw_btf_close(&btf);
}
