/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The fixture's programs as this machine's kernel sees them: the same tables, and the handler's arguments set up by instructions
 * before it (record and scratch are the values of array tables, the record's a read-only one).
 */
#ifndef VM_KERNEL_H
#define VM_KERNEL_H

#include <errno.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/btf.h>

#include "vm_fixture.h"

struct kernel {
	int tables[ARRAY_SIZE(fixture_tables)];
	int record, scratch, result;
};

/* BTF of keys (bytes) and of values that have a lock, type numbers 3 and 5: the kernel finds the lock by it. */
static inline int
kernel_lock_btf(const struct table *table)
{
	uint32_t rest = table->lock_off ? 0 : 8, len;
	struct btf *btf = btf__new_empty();
	const void *raw;
	int fd;

	btf__add_int(btf, "unsigned int", 4, 0);                     /* 1 */
	btf__add_int(btf, "unsigned long", 8, 0);                    /* 2 */
	btf__add_typedef(btf, "key", table->key_size == 4 ? 1 : 2); /* 3 */
	btf__add_struct(btf, "bpf_spin_lock", 4);                    /* 4 */
	btf__add_field(btf, "val", 1, 0, 0);
	btf__add_struct(btf, "value", table->value_size);            /* 5 */
	if (rest)
		btf__add_field(btf, "lock", 4, table->lock_off * 8, 0);
	btf__add_field(btf, "number", 2, rest * 8, 0);
	if (!rest)
		btf__add_field(btf, "lock", 4, table->lock_off * 8, 0);
	raw = btf__raw_data(btf, &len);
	fd = bpf_btf_load(raw, len, NULL);
	btf__free(btf);
	return fd;
}

/* holds: what a table of tables is to hold, that place `key` has from the start where `fill` says so; -1: it is none. */
static inline int
kernel_map_of(const struct table *table, int holds, bool fill)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = (table->read_only ? BPF_F_RDONLY_PROG : 0) | (table->write_only ? BPF_F_WRONLY_PROG : 0) |
			    (table->kind == TABLE_LPM_TRIE ? BPF_F_NO_PREALLOC : 0));
	uint32_t zero = 0;
	int fd, btf = table->has_lock ? kernel_lock_btf(table) : -1;

	if (table->has_lock) {
		opts.btf_fd = (uint32_t)btf;
		opts.btf_key_type_id = 3;
		opts.btf_value_type_id = 5;
	}
	if (holds >= 0)
		opts.inner_map_fd = (uint32_t)holds;
	fd = bpf_map_create(table_kind_map_type(table->kind), "ktap_test", table->key_size, table->value_size, table->max_entries, &opts);
	if (btf >= 0)
		close(btf);
	if (fd >= 0 && table->init && (bpf_map_update_elem(fd, &zero, table->init, 0) || bpf_map_freeze(fd)))
		return -errno;
	if (fd >= 0 && holds >= 0 && fill && bpf_map_update_elem(fd, &table->held->key, &holds, 0))
		return -errno;
	return fd < 0 ? -errno : fd;
}

static inline int
kernel_map(const struct table *table)
{
	return kernel_map_of(table, -1, false);
}

/* Does the object's code name this table? */
static inline bool
object_names_table(const struct object *object, uint32_t table)
{
	for (uint32_t f = 0; f < object->n_funcs; f++)
		for (uint32_t r = 0; r < object->funcs[f]->n_relocs; r++)
			if (object->funcs[f]->relocs[r].kind == RELOC_TABLE && object->funcs[f]->relocs[r].index == table)
				return true;
	return false;
}

/*
 * Makes the tables; those of tables hold what they are to hold where the object (NULL: every one) names them, for each such update waits until no
 * program of the whole system runs that may have seen the old one. 0 or -errno: we are not allowed to.
 */
static inline int
kernel_open(struct kernel *kernel, const struct object *object)
{
	const struct table record = { .kind = TABLE_ARRAY, .key_size = 4, .value_size = RECORD_SIZE, .max_entries = 1, .read_only = true };
	const struct table scratch = { .kind = TABLE_ARRAY, .key_size = 4, .value_size = SCRATCH_SIZE, .max_entries = 1 };

	const struct table result = { .kind = TABLE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1 };

	kernel->result = kernel_map(&result);
	kernel->record = kernel_map(&record);
	kernel->scratch = kernel_map(&scratch);
	for (size_t i = 0; i < ARRAY_SIZE(fixture_tables); i++) {
		const struct table *table = &fixture_tables[i];

		kernel->tables[i] = kernel_map_of(table, table_kind_holds_tables(table->kind) ? kernel->tables[table->held->index] : -1,
						  !object || object_names_table(object, i));
		if (kernel->tables[i] < 0)
			return kernel->tables[i];
	}
	return kernel->record < 0 ? kernel->record : kernel->scratch < 0 ? kernel->scratch : 0;
}

static inline uint32_t
kernel_wide(struct bpf_insn *insns, uint8_t dst, uint8_t src, int32_t imm)
{
	insns[0] = insn_make(BPF_LD | BPF_IMM | BPF_DW, dst, src, 0, imm);
	insns[1] = insn_make(0, 0, 0, 0, 0);
	return 2;
}

/* The functions that `entry` refers to, itself the first: the kernel wants no function that nobody calls. */
static inline uint32_t
kernel_funcs(const struct object *object, uint32_t entry, uint32_t *funcs)
{
	uint32_t n = 1;

	funcs[0] = entry;
	for (uint32_t i = 0; i < n; i++) {
		const struct func *func = object->funcs[funcs[i]];

		for (uint32_t r = 0; r < func->n_relocs; r++) {
			uint32_t known = 0;

			if (func->relocs[r].kind != RELOC_FUNC && func->relocs[r].kind != RELOC_FUNC_ADDR)
				continue;
			while (known < n && funcs[known] != func->relocs[r].index)
				known++;
			if (known == n)
				funcs[n++] = func->relocs[r].index;
		}
	}
	return n;
}

#define KERNEL_FUNCS_MAX 10
#define KERNEL_PROLOGUE 6 /* instructions that set up the arguments */

/* Copies the functions that `entry` refers to behind the n instructions that are there, and resolves what they refer to. */
static inline uint32_t
kernel_link(const struct kernel *kernel, const struct object *object, uint32_t entry, struct bpf_insn *insns, uint32_t n)
{
	uint32_t start[KERNEL_FUNCS_MAX], funcs[KERNEL_FUNCS_MAX], n_funcs = kernel_funcs(object, entry, funcs);

	for (uint32_t i = 0; i < n_funcs; i++) {
		start[funcs[i]] = n;
		if (object->funcs[funcs[i]]->n_insns)
			memcpy(insns + n, object->funcs[funcs[i]]->insns, object->funcs[funcs[i]]->n_insns * sizeof(*insns));
		n += object->funcs[funcs[i]]->n_insns;
	}
	for (uint32_t i = 0; i < n_funcs; i++) {
		const struct func *func = object->funcs[funcs[i]];

		for (uint32_t r = 0; r < func->n_relocs; r++) {
			const struct reloc *reloc = &func->relocs[r];
			uint32_t pc = start[funcs[i]] + reloc->pc;

			if (reloc->kind == RELOC_FUNC || reloc->kind == RELOC_FUNC_ADDR) {
				insns[pc].imm = (int32_t)start[reloc->index] - (int32_t)pc - 1;
			} else {
				insns[pc].imm = kernel->tables[reloc->index];
				insns[pc + 1].imm = (int32_t)reloc->addend;
			}
		}
	}
	return n;
}

/* The arguments are set up by instructions before the program, in the same function: its jumps are relative and stay right. */
static inline uint32_t
kernel_program(const struct kernel *kernel, const struct object *object, struct bpf_insn *insns)
{
	uint32_t n = 0;

	insns[n++] = insn_mov(2, 1);
	insns[n++] = insn_load(BPF_DW, 3, 2, 0);
	n += kernel_wide(insns + n, 1, BPF_PSEUDO_MAP_VALUE, kernel->record);
	n += kernel_wide(insns + n, 4, BPF_PSEUDO_MAP_VALUE, kernel->scratch);
	return kernel_link(kernel, object, 0, insns, n);
}

static inline int
kernel_arg_type(struct btf *btf, const struct func_arg *arg, int number, int byte)
{
	int id;

	if (arg->kind == FUNC_ARG_NUMBER)
		return number;
	if (arg->kind == FUNC_ARG_CONTEXT)
		id = btf__add_struct(btf, "bpf_raw_tracepoint_args", 0);
	else
		id = btf__add_array(btf, number, byte, arg->size);
	if (arg->read_only)
		id = btf__add_const(btf, id);
	return btf__add_ptr(btf, id);
}

/* The types of global functions, in place of those that btf_for_program gives to all. */
static inline void
kernel_global_types(const struct func *const *funcs, uint32_t n, struct btf_info *info)
{
	struct btf *btf = btf__new(info->btf, info->btf_len);
	struct bpf_func_info *infos = info->func_infos;
	int number = btf__add_int(btf, "int", 4, BTF_INT_SIGNED), byte = btf__add_int(btf, "byte", 1, 0);
	const void *raw;
	uint32_t len;

	for (uint32_t f = 0; f < n; f++) {
		int types[FUNC_ARGS_MAX], proto, id;
		char name[16];

		if (!funcs[f]->is_global)
			continue;
		for (int i = 0; i < FUNC_ARGS_MAX; i++)
			types[i] = kernel_arg_type(btf, &funcs[f]->args[i], number, byte);
		proto = btf__add_func_proto(btf, funcs[f]->returns_number ? number : 0);
		for (int i = 0; i < FUNC_ARGS_MAX && funcs[f]->args[i].kind != FUNC_ARG_NONE; i++)
			btf__add_func_param(btf, "p", types[i]);
		snprintf(name, sizeof(name), "global_%u", (unsigned)f);
		id = btf__add_func(btf, name, BTF_FUNC_GLOBAL, proto);
		for (int i = 0; i < FUNC_ARGS_MAX; i++)
			if (funcs[f]->args[i].kind == FUNC_ARG_MEMORY && !funcs[f]->args[i].nullable)
				btf__add_decl_tag(btf, "arg:nonnull", id, i);
		infos[f].type_id = (uint32_t)id;
	}
	raw = btf__raw_data(btf, &len);
	free(info->btf);
	info->btf = malloc(len);
	memcpy(info->btf, raw, len);
	info->btf_len = len;
	btf__free(btf);
}

/* Names and linkage of the functions: the kernel wants to know that a function that is called back is a static one. */
static inline int
kernel_btf(const struct object *object, uint32_t entry, uint32_t prologue, struct btf_info *info)
{
	uint32_t order[KERNEL_FUNCS_MAX], n = kernel_funcs(object, entry, order);
	const struct func *funcs[KERNEL_FUNCS_MAX] = { NULL };
	struct bpf_func_info *infos;

	for (uint32_t i = 0; i < n; i++)
		funcs[i] = object->funcs[order[i]];
	if (btf_for_program(NULL, funcs, n, info))
		return -1;
	kernel_global_types(funcs, n, info);
	infos = info->func_infos;
	for (uint32_t i = 1; i < n; i++)
		infos[i].insn_off += prologue;
	return bpf_btf_load(info->btf, info->btf_len, NULL);
}

/* The same for func 0 and all that it refers to behind a caller of `start` instructions. */
static inline int
kernel_runner_btf(const struct object *object, uint32_t start, struct btf_info *info)
{
	struct bpf_insn exits[KERNEL_PROLOGUE * 4];
	struct func runner = { .name = "runner", .section = "raw_tp/test", .insns = exits, .n_insns = start };
	const struct func *funcs[KERNEL_FUNCS_MAX + 1] = { &runner };
	uint32_t order[KERNEL_FUNCS_MAX], n = kernel_funcs(object, 0, order);

	for (uint32_t i = 0; i < n; i++)
		funcs[i + 1] = object->funcs[order[i]];
	if (btf_for_program(NULL, funcs, n + 1, info))
		return -1;
	kernel_global_types(funcs, n + 1, info);
	return bpf_btf_load(info->btf, info->btf_len, NULL);
}

/*
 * Programs for tracing, as most of ours are, may not use locks in the kernel; those of type SYSCALL may, and see their context in the same way.
 */
static inline enum bpf_prog_type
kernel_type(const struct object *object, struct bpf_prog_load_opts *opts)
{
	for (uint32_t f = 0; f < object->n_funcs; f++)
		for (uint32_t r = 0; r < object->funcs[f]->n_relocs; r++) {
			const struct reloc *reloc = &object->funcs[f]->relocs[r];

			const struct table *table = reloc->kind <= RELOC_TABLE_VALUE ? object->tables[reloc->index] : NULL;

			if (table && (table->has_lock || (table->element && table->element->has_lock))) {
				opts->prog_flags = BPF_F_SLEEPABLE;
				return BPF_PROG_TYPE_SYSCALL;
			}
		}
	return BPF_PROG_TYPE_RAW_TRACEPOINT;
}

/* 0, or -errno of the kernel's refusal, with its log. */
static inline int
kernel_verify(const struct kernel *kernel, const struct object *object, char *log, size_t log_size)
{
	struct bpf_insn insns[1024];
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .log_level = 1, .log_buf = log, .log_size = (uint32_t)log_size);
	struct btf_info info = { 0 };
	int fd, btf = -1;

	if (object->n_funcs > 1) {
		btf = kernel_btf(object, 0, KERNEL_PROLOGUE, &info);
		opts.prog_btf_fd = (uint32_t)btf;
		opts.func_info = info.func_infos;
		opts.func_info_cnt = info.n_func_infos;
		opts.func_info_rec_size = sizeof(struct bpf_func_info);
	}
	fd = bpf_prog_load(kernel_type(object, &opts), "ktap_test", "GPL", insns, kernel_program(kernel, object, insns), &opts);
	if (fd >= 0)
		close(fd);
	if (btf >= 0)
		close(btf);
	btf_info_fini(&info);
	return fd < 0 ? fd : 0;
}

/* What a program is run on in the kernel. */
struct kernel_input {
	bool numbers;             /* r1 and r2 are the numbers in ctx, else record and context, and r3 is ctx[0] */
	uint64_t ctx[2];
	uint8_t record[RECORD_SIZE], scratch[SCRATCH_SIZE]; /* scratch: what the program left there, afterwards */
};

/* The program as a function that a small one calls, which keeps its result. */
static inline uint32_t
kernel_runner(const struct kernel *kernel, const struct object *object, bool numbers, struct bpf_insn *insns)
{
	uint32_t n = 0, call;

	insns[n++] = insn_mov(6, 1);
	if (numbers) {
		insns[n++] = insn_load(BPF_DW, 1, 6, 0);
		insns[n++] = insn_load(BPF_DW, 2, 6, 8);
	} else {
		n += kernel_wide(insns + n, 1, BPF_PSEUDO_MAP_VALUE, kernel->record);
		insns[n++] = insn_mov(2, 6);
	}
	insns[n++] = insn_load(BPF_DW, 3, 6, 0);
	n += kernel_wide(insns + n, 4, BPF_PSEUDO_MAP_VALUE, kernel->scratch);
	call = n++;
	n += kernel_wide(insns + n, 1, BPF_PSEUDO_MAP_VALUE, kernel->result);
	insns[n++] = insn_store(BPF_DW, 1, 0, 0);
	insns[n++] = insn_mov_imm(0, 0);
	insns[n++] = insn_exit();
	insns[call] = insn_make(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, (int32_t)(n - call - 1));
	return kernel_link(kernel, object, 0, insns, n);
}

static inline uint32_t
kernel_runner_start(bool numbers)
{
	struct bpf_insn insns[KERNEL_PROLOGUE * 4];
	struct func *none[] = { &(struct func){ .insns = insns } };
	const struct kernel kernel = { .record = 0 };
	const struct object object = { .funcs = none };

	return kernel_runner(&kernel, &object, numbers, insns);
}

/* Runs func 0 in the kernel: 0, or -errno of what went wrong, a refusal of that form of the program included. */
static inline int
kernel_run(const struct kernel *kernel, const struct object *object, struct kernel_input *input, uint64_t *r0)
{
	struct bpf_insn insns[1024];
	uint32_t zero = 0, n = kernel_runner(kernel, object, input->numbers, insns);
	LIBBPF_OPTS(bpf_prog_load_opts, opts);
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = input->ctx, .ctx_size_in = sizeof(input->ctx));
	struct btf_info info = { 0 };
	int fd, btf = kernel_runner_btf(object, kernel_runner_start(input->numbers), &info), err;

	opts.prog_btf_fd = (uint32_t)btf;
	opts.func_info = info.func_infos;
	opts.func_info_cnt = info.n_func_infos;
	opts.func_info_rec_size = sizeof(struct bpf_func_info);
	fd = bpf_prog_load(kernel_type(object, &opts), "ktap_test", "GPL", insns, n, &opts);
	err = fd < 0 ? fd : 0;
	if (!input->numbers && !err)
		err = bpf_map_update_elem(kernel->record, &zero, input->record, 0);
	if (!err)
		err = bpf_map_update_elem(kernel->scratch, &zero, input->scratch, 0);
	if (!err)
		err = bpf_prog_test_run_opts(fd, &run);
	if (!err)
		err = bpf_map_lookup_elem(kernel->result, &zero, r0);
	if (!err)
		err = bpf_map_lookup_elem(kernel->scratch, &zero, input->scratch);
	if (fd >= 0)
		close(fd);
	if (btf >= 0)
		close(btf);
	btf_info_fini(&info);
	return err;
}

/* Loads function `func`, a program of its own that gets the context in r1, and puts it into a place of the table of programs. 0 or -errno. */
static inline int
kernel_put_program(const struct kernel *kernel, const struct object *object, uint32_t func, uint32_t place)
{
	struct bpf_insn insns[1024];
	LIBBPF_OPTS(bpf_prog_load_opts, opts);
	uint32_t n = kernel_link(kernel, object, func, insns, 0);
	struct btf_info info = { 0 };
	int btf = kernel_btf(object, func, 0, &info), fd, err;

	opts.prog_btf_fd = (uint32_t)btf;
	opts.func_info = info.func_infos;
	opts.func_info_cnt = info.n_func_infos;
	opts.func_info_rec_size = sizeof(struct bpf_func_info);
	fd = bpf_prog_load(kernel_type(object, &opts), "ktap_test", "GPL", insns, n, &opts);
	err = fd < 0 ? fd : bpf_map_update_elem(kernel->tables[FIXTURE_PROGRAMS], &place, &fd, 0);
	if (fd >= 0)
		close(fd); /* the table has it */
	if (btf >= 0)
		close(btf);
	btf_info_fini(&info);
	return err;
}

static inline void
kernel_close(struct kernel *kernel)
{
	for (size_t i = 0; i < ARRAY_SIZE(kernel->tables); i++)
		close(kernel->tables[i]);
	close(kernel->record);
	close(kernel->scratch);
	close(kernel->result);
}

#endif
