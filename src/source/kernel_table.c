/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The object's tables as BPF maps, access to them from user space, and the source's own: whom to trace,
 * scratch memory, and what serves which system call.
 *
 * Hash tables are not preallocated: a table with room for a million entries is made in microseconds and
 * costs memory as it is filled. Kernels before 6.1 refuse such tables to timer programs; there, and only
 * for scripts with a profile, they are preallocated.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "source/kernel_int.h"

/* The kernel allows letters, digits, '_' and '.' in names, at most 15. */
static void
map_name(const char *from, char name[BPF_OBJ_NAME_LEN])
{
	size_t i;

	for (i = 0; i < BPF_OBJ_NAME_LEN - 1 && from[i]; i++)
		name[i] = isalnum((unsigned char)from[i]) || from[i] == '.' ? from[i] : '_';
	name[i] = 0;
}

static int
create_typed(const char *name, enum bpf_map_type type, uint32_t key, uint32_t value, uint32_t n, struct bpf_map_create_opts opts)
{
	char short_name[BPF_OBJ_NAME_LEN];
	int fd;

	map_name(name, short_name);
	fd = bpf_map_create(type, short_name, key, value, n, &opts);
	if (debug_on(DEBUG_KERNEL))
		fprintf(stderr,
			"kernel: BPF_MAP_CREATE %s type %d key %u value %u entries %u flags 0x%x: %d\n", name,
			type, key, value, n, opts.map_flags, fd);
	return fd;
}

static int
create(const char *name, enum bpf_map_type type, uint32_t key, uint32_t value, uint32_t n, uint32_t flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags);

	return create_typed(name, type, key, value, n, opts);
}

static bool
is_hash(enum table_kind kind)
{
	return kind == TABLE_HASH || kind == TABLE_PERCPU_HASH;
}

/* Does this kernel let timer programs use tables that are not preallocated? */
static bool
timers_take_growing_tables(void)
{
	struct bpf_insn insns[6] = {
		insn_make(BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_MAP_FD, 0, 0),
		insn_make(0, 0, 0, 0, 0),
		insn_mov_imm(0, 0),
		insn_exit(),
	};
	int err, map = create("ktap_probe", BPF_MAP_TYPE_HASH, 4, 4, 1, BPF_F_NO_PREALLOC);

	if (map < 0)
		return true; /* the real tables will say what is wrong */
	insns[0].imm = map;
	err = kernel_try_program(BPF_PROG_TYPE_PERF_EVENT, insns, 4, NULL);
	close(map);
	return err == 0;
}

static bool
wants_preallocation(const struct object *object)
{
	bool timer = false, hash = false;
	uint32_t i;

	for (i = 0; i < object->n_handlers; i++)
		timer |= object->handlers[i]->kind == HANDLER_PROFILE;
	for (i = 0; i < object->n_events; i++)
		timer |= object->events[i]->kind == EVENT_COUNTER; /* a program of the same type */
	for (i = 0; i < object->n_tables; i++)
		hash |= is_hash(object->tables[i]->kind);
	return timer && hash && !timers_take_growing_tables();
}

static uint32_t
table_flags(const struct table *table, bool preallocate)
{
	uint32_t flags = 0;

	if (is_hash(table->kind) && !preallocate)
		flags |= BPF_F_NO_PREALLOC;
	if (table->mappable)
		flags |= BPF_F_MMAPABLE;
	if (table->read_only)
		flags |= BPF_F_RDONLY_PROG;
	if (table->write_only)
		flags |= BPF_F_WRONLY_PROG;
	if (table->kind == TABLE_LPM_TRIE)
		flags |= BPF_F_NO_PREALLOC;
	return flags;
}

/* A power of two, in pages. */
uint32_t
kernel_ring_size(const struct table *table)
{
	uint32_t size = (uint32_t)sysconf(_SC_PAGESIZE);

	while (size < table->max_entries && size < 1u << 30)
		size *= 2;
	return size;
}

static int
write_init(int fd, const struct table *table)
{
	const char *bytes = table->init;
	uint32_t i;
	int err = 0;

	for (i = 0; i < table->max_entries && err == 0; i++)
		err = bpf_map_update_elem(fd, &i, bytes + (size_t)i * table->value_size, BPF_ANY);
	return err;
}

/* With types for those who look from outside. Kinds whose entries have none (ring buffers, stacks) the kernel takes only without. */
static int
create_for_others(const struct kernel *kernel, const struct table *table, uint32_t n, uint32_t flags)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags);
	int fd, btf = kernel_table_types(kernel, table, &opts.btf_key_type_id, &opts.btf_value_type_id);

	if (btf < 0)
		return btf;
	opts.btf_fd = (uint32_t)btf;
	fd = create_typed(table->name, table_kind_map_type(table->kind), table->key_size, table->value_size, n, opts);
	close(btf);
	return fd;
}

static int
table_create(const struct kernel *kernel, const struct table *table, bool preallocate, int *fd)
{
	bool ring = table->kind == TABLE_RINGBUF;
	/* A script without shared variables has globals of no bytes, which the kernel does not make. */
	uint32_t value_size = ring || table->value_size ? table->value_size : 8;

	*fd = kernel->target.pin && !ring && table->kind != TABLE_STACK_TRACE && table->value_size ?
		      create_for_others(kernel, table, table->max_entries, table_flags(table, preallocate)) :
		      -1;
	if (*fd < 0)
		*fd = create(table->name, table_kind_map_type(table->kind), table->key_size, value_size,
		     ring ? kernel_ring_size(table) : table->max_entries,
		     table_flags(table, preallocate));
	if (*fd < 0)
		return *fd;
	return table->init && table->kind == TABLE_ARRAY ? write_init(*fd, table) : 0;
}

static int
map_globals(struct kernel *kernel)
{
	const struct table *table;
	void *memory;

	if (kernel->object->table_globals == UINT32_MAX)
		return 0;
	table = kernel->object->tables[kernel->object->table_globals];
	kernel->globals_len =
		round_up((table->value_size ? round_up(table->value_size, 8) : 8) * table->max_entries,
			 (uint64_t)sysconf(_SC_PAGESIZE));
	memory = mmap(NULL, kernel->globals_len, PROT_READ | PROT_WRITE, MAP_SHARED,
		      kernel->tables[kernel->object->table_globals], 0);
	if (memory == MAP_FAILED)
		return -errno;
	kernel->globals = memory;
	return 0;
}

int
kernel_tables_create(struct kernel *kernel, struct text *why)
{
	const struct object *object = kernel->object;
	bool preallocate = wants_preallocation(object);
	char what[128];
	uint32_t i;
	int err;

	kernel->tables = arena_alloc(kernel->arena, (object->n_tables + 1) * sizeof(*kernel->tables));
	for (i = 0; i < object->n_tables; i++)
		kernel->tables[i] = -1;
	for (i = 0; i < object->n_tables; i++) {
		err = table_create(kernel, object->tables[i], preallocate, &kernel->tables[i]);
		if (err < 0) {
			snprintf(what, sizeof(what), "table '%s' (%s, %u entries)", object->tables[i]->name,
				 table_kind_name(object->tables[i]->kind), object->tables[i]->max_entries);
			kernel_explain(err, what, why);
			return err;
		}
	}
	err = map_globals(kernel);
	if (err < 0)
		text_printf(why, "table of globals: cannot be mapped: %s", strerror(-err));
	return err < 0 || !kernel->target.pin ? err : kernel_pin(kernel, why);
}

void
kernel_tables_freeze(struct kernel *kernel)
{
	uint32_t i;

	/* Only a chance for the verifier to know more: a refusal changes nothing. */
	for (i = 0; i < kernel->object->n_tables; i++)
		if (kernel->object->tables[i]->read_only && !kernel->object->tables[i]->mappable)
			bpf_map_freeze(kernel->tables[i]);
}

/* ---- the source's own tables ----------------------------------------------------------------- */

int
kernel_target_map(const struct kernel *kernel, uint32_t pid, struct target_bit *bit)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), off = pid / 64 * sizeof(uint64_t);

	*bit = (struct target_bit){ .len = page, .mask = 1ull << pid % 64 };
	if (kernel->targets_fd < 0)
		return 0; /* nothing is traced */
	bit->page = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_SHARED, kernel->targets_fd, (off_t)(off / page * page));
	if (bit->page == MAP_FAILED) {
		bit->page = NULL;
		return -errno;
	}
	bit->word = (uint64_t *)bit->page + off % page / sizeof(uint64_t);
	return 0;
}

void
kernel_target_set(const struct target_bit *bit)
{
	/* Programs that follow forks may set others of the same word. */
	if (bit->word)
		__atomic_fetch_or(bit->word, bit->mask, __ATOMIC_SEQ_CST);
}

void
kernel_target_unmap(struct target_bit *bit)
{
	if (bit->page)
		munmap(bit->page, bit->len);
	bit->page = NULL;
}

static int
set_target(const struct kernel *kernel, uint32_t pid)
{
	struct target_bit bit;
	int err = kernel_target_map(kernel, pid, &bit);

	if (err == 0)
		kernel_target_set(&bit);
	kernel_target_unmap(&bit);
	return err;
}

/*
 * One bit for each process id there can be: a look-up is a load, without a helper, and following forks
 * never fails.
 */
static int
create_targets(struct kernel *kernel)
{
	if (!kernel->has_target)
		return 0;
	kernel->targets_fd =
		create(".targets", BPF_MAP_TYPE_ARRAY, sizeof(uint32_t), TARGETS_SIZE, 1, BPF_F_MMAPABLE);
	if (kernel->targets_fd < 0)
		return kernel->targets_fd;
	/* A command becomes one just before its execve: kernel_command.c. */
	return kernel->target_on_host ? set_target(kernel, kernel->target_on_host) : 0;
}

/* The control group as the kernel's helper wants it: a table with a descriptor of its folder. Says itself what is wrong. */
static int
create_cgroup(struct kernel *kernel, struct text *why)
{
	const char *path = kernel->target.cgroup;
	uint32_t zero = 0;
	int err, folder;

	if (!path)
		return 0;
	folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0) {
		err = -errno;
		text_printf(why, "control group '%s': %s", path, strerror(-err));
		return err;
	}
	kernel->cgroup_fd = create(".cgroup", BPF_MAP_TYPE_CGROUP_ARRAY, sizeof(uint32_t), sizeof(uint32_t), 1, 0);
	err = kernel->cgroup_fd < 0 ? kernel->cgroup_fd : bpf_map_update_elem(kernel->cgroup_fd, &zero, &folder, BPF_ANY);
	close(folder);
	if (err == -EBADF || err == -EINVAL)
		text_printf(why, "'%s' is not a control group of version 2 (a folder where `mount` shows the type cgroup2)", path);
	else if (err < 0)
		kernel_explain(err, "the table of the control group", why);
	return err;
}

static int
create_scratch(struct kernel *kernel)
{
	if (kernel->n_scratch == 0)
		return 0;
	kernel->scratch_fd = create(".scratch", BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(uint32_t),
				    kernel->scratch_size + (uint32_t)sizeof(struct scratch_claim), kernel->n_scratch, 0);
	return kernel->scratch_fd < 0 ? kernel->scratch_fd : 0;
}

static int
create_guard(struct kernel *kernel)
{
	if (!kernel->guarded)
		return 0;
	kernel->guard_size = kernel_guard_offset(kernel, GUARD_HANDLERS_MAX) + sizeof(uint64_t);
	kernel->guard_fd = create(".guard", BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(uint32_t), kernel->guard_size, 1, 0);
	return kernel->guard_fd < 0 ? kernel->guard_fd : 0;
}

static int
create_foreign(struct kernel *kernel)
{
	for (uint32_t i = 0; i < kernel->n_units; i++)
		if (kernel->units[i]->counts_foreign)
			kernel->foreign_fd = create(".foreign", BPF_MAP_TYPE_ARRAY, sizeof(uint32_t), sizeof(uint64_t), 1, 0);
	return kernel->foreign_fd < -1 ? kernel->foreign_fd : 0;
}

uint64_t
kernel_foreign_calls(const struct kernel *kernel)
{
	uint32_t zero = 0;
	uint64_t n = 0;

	return kernel->foreign_fd >= 0 && bpf_map_lookup_elem(kernel->foreign_fd, &zero, &n) == 0 ? n : 0;
}

uint32_t
kernel_guard_offset(const struct kernel *kernel, uint32_t handler)
{
	uint32_t last = kernel->object->n_handlers < GUARD_HANDLERS_MAX ? kernel->object->n_handlers : GUARD_HANDLERS_MAX;

	return (uint32_t)(offsetof(struct guard, n_skipped) + (handler < last ? handler : last - 1) * sizeof(uint64_t));
}

static uint64_t
guard_skipped(const struct kernel *kernel, struct nested *by_handler)
{
	const char *guards;
	uint32_t cpu, handler, zero = 0;
	uint64_t skipped, n = 0;

	if (kernel->guard_fd < 0)
		return 0;
	guards = arena_alloc(kernel->arena, (size_t)kernel->source.n_cpus * kernel->guard_size);
	if (bpf_map_lookup_elem(kernel->guard_fd, &zero, (void *)(uintptr_t)guards) < 0)
		return 0;
	for (cpu = 0; cpu < kernel->source.n_cpus; cpu++, guards += kernel->guard_size) {
		for (handler = 0; handler < kernel->object->n_handlers && handler < GUARD_HANDLERS_MAX; handler++) {
			memcpy(&skipped, guards + kernel_guard_offset(kernel, handler), sizeof(skipped));
			by_handler[handler].n += skipped;
			n += skipped;
		}
	}
	return n;
}

/* `memories`: room for one of each CPU. */
static uint64_t
unit_scratch_skipped(const struct kernel *kernel, const struct unit *unit, char *memories)
{
	size_t one = kernel->scratch_size + sizeof(struct scratch_claim);
	uint32_t last = unit->scratch_slot + unit->n_scratch - 1;
	struct scratch_claim claim;
	uint64_t n = 0;

	if (bpf_map_lookup_elem(kernel->scratch_fd, &last, memories) < 0)
		return 0;
	for (uint32_t cpu = 0; cpu < kernel->source.n_cpus; cpu++) {
		memcpy(&claim, memories + cpu * one + kernel->scratch_size, sizeof(claim));
		n += claim.n_skipped;
	}
	return n;
}

static uint64_t
scratch_skipped(const struct kernel *kernel, struct nested *by_handler)
{
	char *memories;
	uint64_t skipped, n = 0;

	if (kernel->scratch_fd < 0)
		return 0;
	memories = arena_alloc(kernel->arena, kernel->source.n_cpus * (kernel->scratch_size + sizeof(struct scratch_claim)));
	for (uint32_t i = 0; i < kernel->n_units; i++) {
		const struct unit *unit = kernel->units[i];

		if (!unit_claims(unit))
			continue;
		skipped = unit_scratch_skipped(kernel, unit, memories);
		by_handler[unit->slots[0]->handler].n += skipped;
		n += skipped;
	}
	return n;
}

uint64_t
kernel_skipped(const struct kernel *kernel, struct nested *by_handler)
{
	return guard_skipped(kernel, by_handler) + scratch_skipped(kernel, by_handler);
}

/* One value holds all entries: a program then reads it by address and index, without a lookup. */
static int
create_syscalls(struct unit *unit)
{
	uint32_t zero = 0, size = SYSCALLS_MAX * sizeof(*unit->syscalls);
	int err;

	unit->syscalls_fd = create(".syscalls", BPF_MAP_TYPE_ARRAY, sizeof(zero), size, 1, BPF_F_RDONLY_PROG);
	if (unit->syscalls_fd < 0)
		return unit->syscalls_fd;
	err = bpf_map_update_elem(unit->syscalls_fd, &zero, unit->syscalls, BPF_ANY);
	return err < 0 ? err : bpf_map_freeze(unit->syscalls_fd);
}

int
kernel_own_tables_create(struct kernel *kernel, struct text *why)
{
	int err = create_cgroup(kernel, why);
	uint32_t i;

	if (err < 0)
		return err;
	err = create_targets(kernel);
	if (err == 0)
		err = create_scratch(kernel);
	if (err == 0)
		err = create_guard(kernel);
	if (err == 0)
		err = create_foreign(kernel);
	for (i = 0; i < kernel->n_units && err == 0; i++)
		if (kernel->units[i]->syscalls && unit_only_syscall(kernel->units[i]) < 0)
			err = create_syscalls(kernel->units[i]);
	if (err < 0)
		kernel_explain(err, "the tables of ktap's own programs", why);
	return err;
}

static void
close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void
kernel_tables_close(struct kernel *kernel)
{
	uint32_t i;

	if (kernel->globals)
		munmap(kernel->globals, kernel->globals_len);
	for (i = 0; kernel->tables && i < kernel->object->n_tables; i++)
		close_fd(kernel->tables[i]);
	close_fd(kernel->cgroup_fd);
	close_fd(kernel->targets_fd);
	close_fd(kernel->scratch_fd);
	close_fd(kernel->guard_fd);
	close_fd(kernel->foreign_fd);
	for (i = 0; i < kernel->n_units; i++)
		close_fd(kernel->units[i]->syscalls_fd);
}

/* ---- access from user space ------------------------------------------------------------------ */

static int
table_fd(struct source *source, uint32_t table)
{
	return ((struct kernel *)source)->tables[table]; /* the source is the kernel's first member */
}

int
kernel_lookup(struct source *source, uint32_t table, const void *key, void *value)
{
	struct kernel *kernel = (struct kernel *)source;
	uint32_t id;

	if (!kernel_stacks_has(kernel, table, key))
		return bpf_map_lookup_elem(table_fd(source, table), key, value);
	memcpy(&id, key, sizeof(id));
	return kernel_stacks_lookup(kernel, id, value);
}

int
kernel_update(struct source *source, uint32_t table, const void *key, const void *value, uint64_t flags)
{
	return bpf_map_update_elem(table_fd(source, table), key, value, flags);
}

int
kernel_remove(struct source *source, uint32_t table, const void *key)
{
	return bpf_map_delete_elem(table_fd(source, table), key);
}

int
kernel_next(struct source *source, uint32_t table, const void *key, void *next)
{
	if (!key)
		kernel_stacks_settle((struct kernel *)source);
	return bpf_map_get_next_key(table_fd(source, table), key, next);
}
