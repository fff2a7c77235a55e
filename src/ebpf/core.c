/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * CO-RE ("compile once, run everywhere"): instructions that hold a number about a type of the kernel, where a field begins, how large it
 * is, whether it exists, get the number of the kernel that the object runs on.
 *
 * A relocation names a type of the object and a path from there, as numbers: "0:2:1" with struct s { int a; ... } is p[0], then its
 * member 2, of that element 1. With the names along that path the same place is looked for in every type of that name which the target
 * has (candidates); names end before "___", so that an object may describe one type several times. All candidates that have the
 * place must agree about the number.
 *
 *     object's path --names--> path in each candidate --value_of--> number --patch--> instruction
 *
 * Rules and meanings are libbpf's (enum bpf_core_relo_kind in <linux/bpf.h>). Nothing of the object is trusted.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ebpf/ebpf_int.h"

#define BUDGET    (1u << 22) /* steps of comparing types, for a whole object */
#define LOOKS_MAX (1u << 26) /* names that are looked at in search of types, for a whole object: about a second */

/* ---- the target --------------------------------------------------------------------------------------------------------------- */

struct core_target {
	const struct typeinfo *types; /* the kernel's */
	struct typeinfo *owned;
	bool has_modules;             /* still to be read, should a type be missing */
	struct modules modules;
	/* Types by name: heads[hash] is a type's id, next[id] the following one; 0 ends. Of the kernel only. */
	uint32_t *heads, *next;
	uint32_t n_heads; /* a power of two */
};

/* A power of two, for `n` names. */
static uint32_t
buckets_for(uint32_t n)
{
	uint32_t n_buckets = 256;

	while (n_buckets < n / 2)
		n_buckets *= 2;
	return n_buckets;
}

/* False: out of memory. */
static bool
index_names(struct core_target *target)
{
	uint32_t n = typeinfo_count(target->types);

	target->n_heads = buckets_for(n);
	target->heads = mem_alloc(target->n_heads * sizeof(*target->heads));
	target->next = mem_alloc((size_t)n * sizeof(*target->next));
	if (!target->heads || !target->next)
		return false;
	for (uint32_t id = n; id-- > 1;) { /* backwards, so that each list is in order */
		const char *name = typeinfo_name(target->types, id);
		uint32_t slot = text_hash(name, core_name_len(name)) & (target->n_heads - 1);

		if (!*name)
			continue;
		target->next[id] = target->heads[slot];
		target->heads[slot] = id;
	}
	return true;
}

static struct core_target *
target_new(const struct typeinfo *types, struct typeinfo *owned)
{
	struct core_target *target = types ? mem_alloc(sizeof(*target)) : NULL;

	if (target) {
		target->types = types;
		target->owned = owned;
		if (index_names(target))
			return target;
		core_target_free(target);
		return NULL;
	}
	typeinfo_free(owned);
	return NULL;
}

struct core_target *
core_target_of(const struct typeinfo *types)
{
	return target_new(types, NULL);
}

struct core_target *
core_target_open(const char *path, struct text *why)
{
	struct typeinfo *types = typeinfo_open(path ? path : CORE_KERNEL, NULL, why);
	struct core_target *target;

	if (!types) {
		if (!path)
			text_puts(why, ": this kernel does not describe its types; give a file that does with --btf FILE");
		return NULL;
	}
	target = target_new(types, types);
	if (!target)
		text_puts(why, "out of memory");
	else
		target->has_modules = !path;
	return target;
}

void
core_target_free(struct core_target *target)
{
	if (!target)
		return;
	modules_fini(&target->modules);
	free(target->heads);
	free(target->next);
	typeinfo_free(target->owned);
	free(target);
}

/* ---- candidates ------------------------------------------------------------------------------------------------------------------ */

/* The target's types that may be what types of the object describe, which have this name up to "___" and are of this kind. */
struct candidates {
	const char *name;
	uint32_t len, kind;
	struct type_ref *refs;
	uint32_t n, cap;
	struct candidates *next; /* with the same hash */
};

struct core {
	struct object *object;
	struct core_target *target;
	struct typeinfo *types;    /* the object's */
	struct arena *scratch;
	struct candidates **known; /* those looked for so far, by name */
	uint32_t n_known;          /* a power of two */
	uint32_t budget, looks_left;
	struct text *why;
	/* What is being done, for messages. */
	const struct func *func;
	struct core_reloc *reloc;
};

static int
damaged(struct core *core, const char *format, ...) PRINTF_LIKE(2, 3);

static int
damaged(struct core *core, const char *format, ...)
{
	va_list args;

	text_printf(core->why, "%s: function %s, instruction %u: its CO-RE relocation is damaged: ", core->object->name, core->func->name,
		    core->reloc->pc);
	va_start(args, format);
	text_vprintf(core->why, format, args);
	va_end(args);
	return -EINVAL;
}

static bool
may_look(struct core *core)
{
	return core->looks_left && core->looks_left--;
}

/* Adds the target's type if it is a candidate. False: no more may be looked at. */
static bool
consider(struct core *core, struct candidates *c, const struct typeinfo *types, uint32_t id)
{
	const char *name = typeinfo_name(types, id);

	if (!may_look(core))
		return false;
	if (strncmp(name, c->name, c->len) != 0 || core_name_len(name) != c->len || !core_kinds_agree(c->kind, typeinfo_kind(types, id)))
		return true;
	c->refs = arena_grow(core->scratch, c->refs, c->n, &c->cap, sizeof(*c->refs));
	c->refs[c->n++] = (struct type_ref){ types, id };
	return true;
}

static void
find_candidates(struct core *core, struct candidates *c)
{
	struct core_target *target = core->target;
	uint32_t id = target->heads[text_hash(c->name, c->len) & (target->n_heads - 1)];

	while (id && consider(core, c, target->types, id))
		id = target->next[id];
	if (c->n)
		return;
	if (target->has_modules)
		modules_read(&target->modules, target->types);
	target->has_modules = false;
	for (uint32_t i = 0; i < target->modules.n; i++) {
		const struct typeinfo *module = target->modules.all[i].types;

		for (id = typeinfo_first(module); id < typeinfo_count(module) && consider(core, c, module, id);)
			id++;
	}
}

/* NULL: no more may be looked at. */
static const struct candidates *
candidates_of(struct core *core, uint32_t local)
{
	struct candidates wanted = { .name = typeinfo_name(core->types, local), .kind = typeinfo_kind(core->types, local) }, **slot, *c;

	wanted.len = core_name_len(wanted.name);
	slot = &core->known[text_hash(wanted.name, wanted.len) & (core->n_known - 1)];
	for (c = *slot; c && may_look(core); c = c->next)
		if (c->kind == wanted.kind && c->len == wanted.len && memcmp(c->name, wanted.name, wanted.len) == 0)
			return c;
	wanted.next = *slot;
	c = *slot = arena_alloc(core->scratch, sizeof(*c));
	*c = wanted;
	if (*wanted.name) /* nothing has the name of one without a name */
		find_candidates(core, c);
	return core->looks_left ? c : NULL;
}

/* ---- the instruction --------------------------------------------------------------------------------------------------------------------- */

/* The instruction cannot be given its number: it becomes one that no verifier lets pass, with the reason beside it. */
static void
poison(struct core *core, const char *format, ...) PRINTF_LIKE(2, 3);

static void
poison(struct core *core, const char *format, ...)
{
	struct bpf_insn *insn = &core->func->insns[core->reloc->pc];
	struct text text = { 0 };
	va_list args;

	va_start(args, format);
	text_vprintf(&text, format, args);
	va_end(args);
	core->reloc->unresolved = arena_strdup(core->object->arena, text.s);
	text_fini(&text);
	if (insn_is_wide(insn))
		insn[1] = insn_call(CORE_POISON);
	*insn = insn_call(CORE_POISON);
}

/* poison, with the path: "FORMAT", where %s is it. */
static void
poison_path(struct core *core, const struct core_path *path, const char *before, const char *after)
{
	struct text name = { 0 };

	core_path_print(path, &name);
	poison(core, "%s%s%s", before, name.s, after);
	text_fini(&name);
}

/* May a load or store of the object's field be made one of the target's size? Of numbers without sign and pointers. */
static bool
is_resizable(struct type_ref ref)
{
	const struct btf_type *type = typeinfo_plain(ref.types, ref.id, NULL);

	return type && (BTF_INFO_KIND(type->info) == BTF_KIND_PTR ||
			(BTF_INFO_KIND(type->info) == BTF_KIND_INT && !(BTF_INT_ENCODING(type_int(type)) & BTF_INT_SIGNED)));
}

/* BPF_B and so on; -1: nothing is loaded in so many bytes. */
static int
size_code(uint32_t bytes)
{
	return bytes == 1 ? BPF_B : bytes == 2 ? BPF_H : bytes == 4 ? BPF_W : bytes == 8 ? BPF_DW : -1;
}

static uint32_t
bytes_of_code(uint8_t code)
{
	return BPF_SIZE(code) == BPF_B ? 1 : BPF_SIZE(code) == BPF_H ? 2 : BPF_SIZE(code) == BPF_W ? 4 : 8;
}

/* A load or store: the number is its offset. */
static int
patch_access(struct core *core, const struct core_path *path, struct bpf_insn *insn, const struct core_value *local, const struct core_value *target)
{
	if (local->exact && insn->off != (int64_t)local->number)
		return damaged(core, "the offset is %d, not %llu", insn->off, (unsigned long long)local->number);
	if (target->number > INT16_MAX) {
		poison_path(core, path, "the kernel has ", " too far from its struct's begin for this instruction");
		return 0;
	}
	insn->off = (int16_t)target->number;
	if (local->size == target->size)
		return 0;
	if (!is_resizable(local->type) || !is_resizable(target->type) || typeinfo_kind(local->type.types, local->type.id) == BTF_KIND_UNKN ||
	    BPF_MODE(insn->code) != BPF_MEM || size_code(target->size) < 0) {
		poison_path(core, path, "the kernel has ", " in another size, which this instruction cannot read");
		return 0;
	}
	if (bytes_of_code(insn->code) != local->size)
		return damaged(core, "%u bytes are read of a field of %u", bytes_of_code(insn->code), local->size);
	insn->code = (uint8_t)((insn->code & ~(BPF_B | BPF_H | BPF_DW)) | size_code(target->size));
	return 0;
}

static int
patch_wide(struct core *core, struct bpf_insn *insn, const struct core_value *local, const struct core_value *target)
{
	uint64_t number = (uint64_t)(uint32_t)insn[1].imm << 32 | (uint32_t)insn[0].imm;

	if (insn->src_reg)
		return damaged(core, "the instruction refers to a table");
	if (local->exact && number != local->number)
		return damaged(core, "the constant is %llu, not %llu", (unsigned long long)number, (unsigned long long)local->number);
	insn[0].imm = (int32_t)target->number;
	insn[1].imm = (int32_t)(target->number >> 32);
	return 0;
}

static int
patch_alu(struct core *core, struct bpf_insn *insn, const struct core_value *local, const struct core_value *target)
{
	if (BPF_SRC(insn->code) != BPF_K)
		return damaged(core, "the instruction has no constant");
	if (local->exact && insn->imm != (int32_t)local->number)
		return damaged(core, "the constant is %d, not %lld", insn->imm, (long long)local->number);
	insn->imm = (int32_t)target->number;
	return 0;
}

static int
patch(struct core *core, const struct core_path *path, const struct core_value *local, const struct core_value *target)
{
	struct bpf_insn *insn = &core->func->insns[core->reloc->pc];

	switch (BPF_CLASS(insn->code)) {
	case BPF_LDX:
	case BPF_ST:
	case BPF_STX:
		return patch_access(core, path, insn, local, target);
	case BPF_LD:
		if (insn_is_wide(insn))
			return patch_wide(core, insn, local, target);
		break;
	case BPF_ALU:
	case BPF_ALU64:
		return patch_alu(core, insn, local, target);
	}
	return damaged(core, "the instruction is none that holds a number");
}

/* ---- one relocation --------------------------------------------------------------------------------------------------------------------------- */

/* The target's number, on which all its candidates agree. 1: found; 0: the instruction was poisoned; -errno. */
static int
resolve(struct core *core, const struct core_path *local, struct core_value *out)
{
	const struct candidates *c = candidates_of(core, core->reloc->type);
	uint64_t bit_off = 0;
	uint32_t n = 0;

	for (uint32_t i = 0; c && i < c->n && may_look(core); i++) {
		struct core_path path;
		struct core_value value;
		enum core_verdict verdict = core_path_match(core->reloc->kind, local, c->refs[i], &path, &core->budget);

		if (verdict == CORE_TOO_DEEP)
			return damaged(core, "comparing the types takes too long");
		if (verdict == CORE_DIFFERS)
			continue;
		if (!core_value_of(core->reloc->kind, &path, &value))
			return damaged(core, "the kernel's field has no size");
		if (n++ && (value.number != out->number || path.bit_off != bit_off)) {
			poison_path(core, local, "the kernel has several types of this name, which disagree about ", "");
			return 0;
		}
		*out = value;
		bit_off = path.bit_off;
	}
	if (!core->looks_left)
		return damaged(core, "looking for the types takes too long");
	if (n == 0)
		*out = core_value_of_nothing(core->reloc->kind);
	if (out->missing)
		poison_path(core, local, c->n ? "the kernel has the type, but not " : "the kernel has no ", "");
	return !out->missing;
}

static int
apply_one(struct core *core)
{
	struct core_path path;
	struct core_value local, target = { 0 };
	int found = 1;

	if (!core_kind_is_known(core->reloc->kind))
		return damaged(core, "kind %u is not known", core->reloc->kind);
	if (core->reloc->pc >= core->func->n_insns || core->reloc->type >= typeinfo_count(core->types) ||
	    !core_path_read(core->types, core->reloc, &path))
		return damaged(core, "type %u has no \"%s\"", core->reloc->type, core->reloc->access);
	if (!core_value_of(core->reloc->kind, &path, &local))
		return damaged(core, "the field has no size");
	if (core->reloc->kind == BPF_CORE_TYPE_ID_LOCAL)
		target = local;
	else
		found = resolve(core, &path, &target);
	return found > 0 ? patch(core, &path, &local, &target) : found;
}

bool
core_is_needed(const struct object *object)
{
	for (uint32_t i = 0; i < object->n_funcs; i++)
		if (object->funcs[i]->n_cores)
			return true;
	return false;
}

int
core_apply(struct object *object, struct core_target *target, struct text *why)
{
	struct core core = { .object = object, .target = target, .budget = BUDGET, .looks_left = LOOKS_MAX, .why = why };
	struct text inner = { 0 };
	int err = 0;

	if (!core_is_needed(object))
		return 0;
	core.types = typeinfo_new(object->btf, object->btf_len, NULL, &inner);
	if (!core.types)
		text_printf(why, "%s: .BTF is damaged: %s", object->name, inner.s);
	text_fini(&inner);
	if (!core.types)
		return -EINVAL;
	core.scratch = arena_new();
	core.n_known = buckets_for(typeinfo_count(core.types));
	core.known = arena_alloc(core.scratch, core.n_known * sizeof(*core.known));
	for (uint32_t f = 0; f < object->n_funcs && !err; f++)
		for (uint32_t i = 0; i < object->funcs[f]->n_cores && !err; i++) {
			core.func = object->funcs[f];
			core.reloc = &object->funcs[f]->cores[i];
			err = apply_one(&core);
		}
	arena_free(core.scratch);
	typeinfo_free(core.types);
	return err;
}

const struct core_reloc *
func_core_reloc(const struct func *func, uint32_t pc)
{
	uint32_t from = 0, to = func->n_cores;

	while (from < to) { /* in order of their places */
		uint32_t middle = from + (to - from) / 2;

		if (func->cores[middle].pc == pc)
			return &func->cores[middle];
		if (func->cores[middle].pc < pc)
			from = middle + 1;
		else
			to = middle;
	}
	return NULL;
}
