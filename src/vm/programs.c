/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Tables of programs, for tail calls. All programs that are in one, or call through it, get what they are called with from each other: so they
 * have the same context, of the same size and rights, and all have a budget or none has. The first one that comes, by being put in
 * or loaded with such a call, says which; those that come later are held to it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vm/lock.h"
#include "vm/vm_int.h"

static int
programs_init(struct vm_table *t)
{
	t->programs = mem_alloc(sizeof(*t->programs) + t->table->max_entries * sizeof(t->programs->places[0]));
	return t->programs ? 0 : -ENOMEM;
}

static void
programs_fini(struct vm_table *t)
{
	free(t->programs);
	t->programs = NULL;
}

/* What is here is no bytes: vm_table_program says it. */
static int
programs_read(struct vm_table *t, const void *key, void *value, size_t len)
{
	return -EINVAL;
}

static int
programs_remove(struct vm_table *t, const void *key)
{
	uint32_t place;

	memcpy(&place, key, sizeof(place));
	if (place >= t->table->max_entries)
		return -E2BIG;
	return __atomic_exchange_n(&t->programs->places[place], NULL, __ATOMIC_ACQ_REL) ? 0 : -ENOENT;
}

/* Every place, whether something is in it or not. */
static int
programs_next(struct vm_table *t, const void *key, void *next)
{
	return array_ops.next(t, key, next);
}

const struct table_ops programs_ops = {
	.init = programs_init,
	.fini = programs_fini,
	.find = nothing_find,
	.update = nothing_update,
	.read = programs_read,
	.remove = programs_remove,
	.next = programs_next,
};

const struct vm_program *
programs_at(const struct vm_table *t, uint32_t place)
{
	return place < t->table->max_entries ? __atomic_load_n(&t->programs->places[place], __ATOMIC_ACQUIRE) : NULL;
}

/* ---- who fits in ------------------------------------------------------------------------------------------ */

uint32_t
signature_context(const struct vm_signature *signature)
{
	for (uint32_t i = 0; i < ARRAY_SIZE(signature->args); i++)
		if (signature->args[i].kind == VM_ARG_CTX)
			return i;
	return signature->args[0].kind == VM_ARG_MEM ? 0 : ARRAY_SIZE(signature->args);
}

static int
join_locked(struct vm_table *t, const struct vm_program *program, struct text *why)
{
	uint32_t context = signature_context(&program->signature);
	struct programs *p = t->programs;
	const char *name = program->func->name ? program->func->name : "?";

	if (context == ARRAY_SIZE(program->signature.args))
		return text_printf(why, "table \"%s\": program \"%s\" has no context that tail calls could hand on", t->table->name, name), -EINVAL;
	if (!p->has_users) {
		p->has_users = true;
		p->kind = program->signature.args[context].kind;
		p->size = program->signature.args[context].size;
		p->has_budget = program->budget;
	}
	if (p->kind != program->signature.args[context].kind || p->size != program->signature.args[context].size)
		return text_printf(why, "table \"%s\": the context of program \"%s\" has %" PRIu32 " bytes; the programs that this table is for have another, "
				   "of %" PRIu32, t->table->name, name, program->signature.args[context].size, p->size), -EINVAL;
	if (p->has_budget != (program->budget != 0))
		return text_printf(why, "table \"%s\": of the programs that this table is for all have a budget, or none; program \"%s\" is the other way",
				   t->table->name, name), -EINVAL;
	return 0;
}

/* Two threads may bring the first program at once. */
static int
join(struct vm_table *t, const struct vm_program *program, struct text *why)
{
	int err;

	lock_take(&t->programs->lock);
	err = join_locked(t, program, why);
	lock_give(&t->programs->lock);
	return err;
}

/* Takes only its context: nothing else comes with a tail call. */
static bool
takes_context_only(const struct vm_signature *signature)
{
	for (uint32_t i = 1; i < ARRAY_SIZE(signature->args); i++)
		if (signature->args[i].kind != VM_ARG_NONE)
			return false;
	return true;
}

int
vm_table_put_program(struct vm *vm, uint32_t table, uint32_t place, const struct vm_program *program, struct text *why)
{
	struct vm_table *t = &vm->tables[table];
	int err;

	if (t->ops != &programs_ops)
		return text_printf(why, "table \"%s\" holds no programs", t->table->name), -EINVAL;
	if (program->vm != vm || !takes_context_only(&program->signature))
		return text_printf(why, "table \"%s\": program \"%s\" %s", t->table->name, program->func->name ? program->func->name : "?",
				   program->vm != vm ? "is of another object" : "takes more than its context"), -EINVAL;
	if (place >= t->table->max_entries)
		return text_printf(why, "table \"%s\" has %" PRIu32 " places", t->table->name, t->table->max_entries), -E2BIG;
	err = join(t, program, why);
	if (!err)
		__atomic_store_n(&t->programs->places[place], program, __ATOMIC_RELEASE);
	return err;
}

const struct vm_program *
vm_table_program(struct vm *vm, uint32_t table, uint32_t place)
{
	return vm->tables[table].ops == &programs_ops ? programs_at(&vm->tables[table], place) : NULL;
}

/* ---- what a program refers to ------------------------------------------------------------------------------- */

/* What any_func has still to look at, and which functions and tables of functions it has seen. */
struct referred {
	const struct object *object;
	const struct func **work;
	uint32_t n;
	bool *funcs, *tables;
};

static void
add_referred(struct referred *r, const struct reloc *reloc)
{
	bool is_table = !reloc_names_function(reloc);

	if (is_table && r->tables[reloc->index])
		return;
	if (is_table)
		r->tables[reloc->index] = true;
	for (uint32_t k = 0; k < reloc_n_funcs(r->object, reloc); k++) {
		uint32_t index = reloc_func(r->object, reloc, k);

		if (!r->funcs[index])
			r->work[r->n++] = r->object->funcs[index];
		r->funcs[index] = true;
	}
}

bool
any_func(const struct object *object, const struct func *entry, bool (*fn)(const struct func *func, void *arg), void *arg)
{
	struct referred r = {
		.object = object, .work = mem_alloc((object->n_funcs + 1) * sizeof(*r.work)), .funcs = mem_alloc(object->n_funcs * sizeof(*r.funcs)),
		.tables = mem_alloc(object->n_tables * sizeof(*r.tables)),
	};
	bool found = !r.work || !r.funcs || !r.tables; /* out of memory: as if there were one */

	if (!found)
		r.work[r.n++] = entry;
	while (r.n && !found) {
		const struct func *func = r.work[--r.n];

		found = fn(func, arg);
		for (uint32_t i = 0; i < func->n_relocs; i++)
			add_referred(&r, &func->relocs[i]);
	}
	free(r.work);
	free(r.funcs);
	free(r.tables);
	return found;
}

bool
func_takes_address(const struct func *func, void *arg)
{
	for (uint32_t i = 0; i < func->n_relocs; i++)
		if (func->relocs[i].kind != RELOC_FUNC && reloc_n_funcs(arg, &func->relocs[i]))
			return true;
	return false;
}

struct joining {
	const struct vm_program *program;
	struct text *why;
	int err;
};

static bool
join_tables(const struct func *func, void *arg)
{
	struct joining *joining = arg;

	for (uint32_t i = 0; i < func->n_relocs && !joining->err; i++) {
		const struct reloc *reloc = &func->relocs[i];
		struct vm_table *t = reloc->kind == RELOC_TABLE ? &joining->program->vm->tables[reloc->index] : NULL;

		if (t && t->ops == &programs_ops)
			joining->err = join(t, joining->program, joining->why);
	}
	return joining->err;
}

int
programs_join(const struct vm_program *program, struct text *why)
{
	struct joining joining = { .program = program, .why = why };

	if (any_func(program->vm->object, program->func, join_tables, &joining) && !joining.err)
		return text_puts(why, "out of memory"), -ENOMEM;
	return joining.err;
}
