/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Our half of user stacks that the kernel does not take as we want them (kernel_ustack.h): what comes through the ring becomes frames,
 * kept by number as long as they may be asked for.
 *
 * Of copied stacks each has a number of its own, which a handler may have used as a key. Equal ones are one key to the script: tables are
 * looked through (at the end, when one is read, and now and then), and what stands at the numbers of equal stacks is put together at the
 * one number that all of them share, which no program ever uses:
 *
 *     added to, statistics   the sum, CPU by CPU
 *     assigned               the value that was assigned last
 *
 * A handler that has got its number may still be running, so numbers younger than SETTLE_MS are left alone until the end.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/btf.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "source/kernel_ustack.h"

#define STACKS_TAKEN    (1u << 20)  /* numbers that are remembered */
#define SETTLE_EVERY    16384
#define SETTLE_MS       100
#define STACKS_DIFFERENT (1u << 20) /* of copies */
#define WALKS_DIFFERENT (1u << 16)  /* as many as the kernel's own table holds */
#define STACKS_A_PUMP   64          /* unwinding each takes 10 to 100 us */
#define RING_MIN        (4u << 20)
#define KERNEL_TYPES    "/sys/kernel/btf/vmlinux"
#define WAIT_MS         100         /* for a record that another CPU has not finished */

/* What belongs to a number; id 0: nothing. */
struct taken {
	uint32_t id, frames; /* index; UINT32_MAX: no memory was left for them */
	uint32_t ms;         /* when it came */
};

struct frames {
	uint64_t *addrs;
	uint32_t n, hash;
};

static uint32_t
now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint32_t)((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000);
}

/* ---- frames ---------------------------------------------------------------------------------- */

static uint32_t
hash_frames(const uint64_t *addrs, uint32_t n)
{
	uint64_t hash = n;

	for (uint32_t i = 0; i < n; i++) {
		hash = (hash ^ addrs[i]) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 32;
	}
	return (uint32_t)hash;
}

/* Where the frames are among the buckets, or the empty one where they belong. */
static uint32_t *
bucket_of(const struct kernel_stacks *stacks, const struct frames *frames)
{
	uint32_t at = frames->hash & (stacks->n_buckets - 1);

	for (;; at = (at + 1) & (stacks->n_buckets - 1)) {
		const struct frames *other = stacks->buckets[at] ? &stacks->frames[stacks->buckets[at] - 1] : NULL;

		if (!other || (other->hash == frames->hash && other->n == frames->n &&
			       memcmp(other->addrs, frames->addrs, frames->n * sizeof(*frames->addrs)) == 0))
			return &stacks->buckets[at];
	}
}

/* At most half of the buckets are in use. */
static bool
grow(struct kernel_stacks *stacks)
{
	uint32_t cap = stacks->cap_frames ? 2 * stacks->cap_frames : 256, *buckets;
	struct frames *frames;

	if (stacks->n_frames < stacks->cap_frames)
		return true;
	if (cap > STACKS_DIFFERENT)
		return false;
	frames = mem_realloc(stacks->frames, cap * sizeof(*frames));
	if (!frames)
		return false;
	stacks->frames = frames;
	buckets = mem_alloc(2 * cap * sizeof(*buckets));
	if (!buckets)
		return false;
	free(stacks->buckets);
	stacks->buckets = buckets;
	stacks->n_buckets = 2 * cap;
	stacks->cap_frames = cap;
	for (uint32_t i = 0; i < stacks->n_frames; i++)
		*bucket_of(stacks, &frames[i]) = i + 1;
	return true;
}

/* The index of these frames, kept from now on. UINT32_MAX: there is no room for another stack. */
static uint32_t
frames_index(struct kernel_stacks *stacks, const uint64_t *addrs, uint32_t n)
{
	struct frames frames = { .addrs = (uint64_t *)(uintptr_t)addrs, .n = n, .hash = hash_frames(addrs, n) };
	uint32_t *bucket;

	if (!grow(stacks))
		return UINT32_MAX;
	bucket = bucket_of(stacks, &frames);
	if (*bucket)
		return *bucket - 1;
	frames.addrs = mem_alloc((n ? n : 1) * sizeof(*addrs));
	if (!frames.addrs)
		return UINT32_MAX;
	memcpy(frames.addrs, addrs, n * sizeof(*addrs));
	stacks->frames[stacks->n_frames++] = frames;
	*bucket = stacks->n_frames;
	return stacks->n_frames - 1;
}

/* ---- what comes through the ring --------------------------------------------------------------- */

static struct taken *
taken_at(const struct kernel_stacks *stacks, uint32_t id)
{
	return &stacks->taken[id & (STACKS_TAKEN - 1)];
}

static void
remember(struct kernel_stacks *stacks, uint32_t id, const uint64_t *addrs, uint32_t n)
{
	*taken_at(stacks, id) = (struct taken){ id, frames_index(stacks, addrs, n), now_ms() };
	stacks->n_new++;
}

/* struct unwind_job: from the copy. Behind it the stack may go on. */
static bool
read_copy(void *arg, uint64_t addr, uint64_t *word)
{
	struct kernel_stacks *stacks = arg;
	const struct stack_copy *copy = stacks->copy;
	uint64_t at = addr - copy->regs[7]; /* the stack pointer */

	for (const struct hijacked *hijacked = copy->returns; hijacked->slot; hijacked++) {
		if (hijacked->slot != addr)
			continue;
		*word = hijacked->address;
		return true;
	}
	if (at < copy->len && copy->len - at >= sizeof(*word)) {
		memcpy(word, copy->bytes + at, sizeof(*word));
		return true;
	}
	stacks->is_cut |= copy->len > stacks->copy_max - 4096 && at < 64u << 20;
	return false;
}

/* What it has mapped since the last look, or had before we came. */
static void
learn(void *arg)
{
	struct kernel_stacks *stacks = arg;
	struct kernel *kernel = stacks->kernel;

	kernel_spaces_pump(kernel);
	if (!spaces_know(kernel_spaces(&kernel->source), stacks->copy->pid))
		spaces_read(kernel_spaces(&kernel->source), stacks->copy->pid);
}

static void
take_copy(struct kernel_stacks *stacks, const struct stack_copy *copy)
{
	uint64_t addrs[2 * USTACK_FRAMES_MAX];
	struct unwind_job job = { .pid = copy->pid, .spaces = kernel_spaces(&stacks->kernel->source), .read = read_copy, .learn = learn,
				  .arg = stacks, .addrs = addrs };
	uint32_t n;

	memcpy(job.regs, copy->regs, sizeof(job.regs));
	job.max = stacks->depth + copy->skip;
	job.max = job.max > ARRAY_SIZE(addrs) ? ARRAY_SIZE(addrs) : job.max;
	stacks->copy = copy;
	stacks->is_cut = false;
	n = unwinder_walk(stacks->unwinder, &job);
	stacks->n_cut += stacks->is_cut;
	remember(stacks, copy->id, addrs + (copy->skip < n ? copy->skip : n), copy->skip < n ? n - copy->skip : 0);
}

/* Of several functions that end by jumping to the next one (tail calls) the kernel remembers one address at one place. */
static void
take_walk(struct kernel_stacks *stacks, struct stack_walk *walk)
{
	const struct hijacked *hijacked = walk->returns;
	struct spaces *spaces = kernel_spaces(&stacks->kernel->source);
	struct place place;
	uint32_t skip = walk->skip < walk->n ? walk->skip : walk->n;

	for (uint32_t i = 1; i < walk->n && hijacked->slot; i++) {
		if (!spaces_find(spaces, walk->pid, walk->frames[i], &place) || strcmp(place.file->path, "[uprobes]") != 0)
			continue;
		walk->frames[i] = hijacked->address;
		do
			hijacked++;
		while (hijacked->slot && hijacked->slot == hijacked[-1].slot);
	}
	remember(stacks, walk->id, walk->frames + skip, walk->n - skip);
}

static void
take_record(void *arg, const void *record, size_t len)
{
	struct kernel_stacks *stacks = arg;

	if (stacks->dwarf) {
		take_copy(stacks, record);
	} else {
		memcpy(stacks->walk, record, len < stacks->walk_size ? len : stacks->walk_size);
		take_walk(stacks, stacks->walk);
	}
}

static int
take_records(struct kernel_stacks *stacks)
{
	return ring_read(stacks->ring, STACKS_A_PUMP, take_record, stacks);
}

/* ---- equal stacks in tables ------------------------------------------------------------------ */

/* A table's keys with numbers that have not been put together, oldest first. */
struct keys {
	unsigned char *bytes; /* each: u64 number, then the key */
	size_t stride;
	uint32_t n, cap;
};

/* Where the next stack of a process stands in a key, from part *part on; false: there is none. */
static bool
next_ustack(const struct table *table, uint32_t *part, uint32_t *off)
{
	for (; *part < table->n_key_parts; *off += table->key[(*part)++].size)
		if (table->key[*part].kind == VALUE_USTACK)
			return true;
	return false;
}

/* Puts shared numbers into a key. Returns the youngest number that was replaced, 0: nothing is to be done, or not yet. */
static uint32_t
share_numbers(const struct kernel_stacks *stacks, const struct table *table, unsigned char *key, bool at_end)
{
	uint32_t now = now_ms(), youngest = 0, part = 0, off = 0, cell[2];

	for (; next_ustack(table, &part, &off); off += table->key[part++].size) {
		const struct taken *taken;

		memcpy(cell, key + off, sizeof(cell));
		if ((int32_t)cell[0] < 0 || !(cell[0] & USTACK_TAKEN))
			continue;
		taken = taken_at(stacks, cell[0]);
		if (taken->id != cell[0] || taken->frames == UINT32_MAX || (!at_end && now - taken->ms < SETTLE_MS))
			return 0;
		youngest = cell[0] > youngest ? cell[0] : youngest;
		cell[0] = USTACK_MERGED | taken->frames;
		memcpy(key + off, cell, sizeof(cell));
	}
	return youngest;
}

static bool
keep_key(struct keys *keys, uint64_t number, const void *key, size_t len)
{
	unsigned char *at = mem_grow(keys->bytes, keys->n, &keys->cap, keys->stride);

	if (!at)
		return false;
	keys->bytes = at;
	at += keys->n++ * keys->stride;
	memcpy(at, &number, sizeof(number));
	memcpy(at + sizeof(number), key, len);
	return true;
}

static int
compare_numbers(const void *a, const void *b)
{
	uint64_t x, y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return x < y ? -1 : x > y;
}

static void
collect_keys(const struct kernel_stacks *stacks, int fd, const struct table *table, bool at_end, struct keys *keys)
{
	unsigned char *key = mem_alloc(table->key_size), *shared = mem_alloc(table->key_size);
	const void *after = NULL;
	uint32_t n = 0, number;

	while (key && shared && n++ < 2 * table->max_entries && bpf_map_get_next_key(fd, after, key) == 0) {
		memcpy(shared, key, table->key_size);
		number = share_numbers(stacks, table, shared, at_end);
		if (number && !keep_key(keys, number, key, table->key_size))
			break;
		after = key;
	}
	free(key);
	free(shared);
	if (keys->n)
		qsort(keys->bytes, keys->n, keys->stride, compare_numbers);
}

/* Adds `from` to `into`, one CPU's value of each. */
static void
add_value(const struct table *table, void *into, const void *from)
{
	uint64_t a, b;

	if (table->value.kind == VALUE_STAT) {
		stat_merge(&table->stat, into, from);
		return;
	}
	memcpy(&a, into, sizeof(a));
	memcpy(&b, from, sizeof(b));
	a += b;
	memcpy(into, &a, sizeof(a));
}

/* `values`: room for two values of the table, all CPUs. */
static void
move_value(struct kernel_stacks *stacks, int fd, const struct table *table, const void *key, const void *shared, char *values)
{
	size_t one = round_up(table->value_size, 8), all = table_kind_is_per_cpu(table->kind) ? one * stacks->kernel->source.n_cpus : one;
	char *from = values, *into = values + all;

	if (bpf_map_lookup_elem(fd, key, from) < 0)
		return;
	if (!table->counter || bpf_map_lookup_elem(fd, shared, into) < 0)
		memset(into, 0, all);
	if (!table->counter)
		memcpy(into, from, all);
	for (size_t at = 0; table->counter && at < all; at += one)
		add_value(table, into + at, from + at);
	bpf_map_delete_elem(fd, key); /* first, so that there is room */
	if (bpf_map_update_elem(fd, shared, into, BPF_ANY) < 0)
		stacks->n_dropped++;
}

static void
settle_table(struct kernel_stacks *stacks, int fd, const struct table *table, bool at_end)
{
	struct keys keys = { .stride = round_up(sizeof(uint64_t) + table->key_size, 8) };
	size_t all = round_up(table->value_size, 8) * (table_kind_is_per_cpu(table->kind) ? stacks->kernel->source.n_cpus : 1);
	unsigned char *shared = mem_alloc(table->key_size);
	char *values = mem_alloc(2 * all);

	if (shared && values)
		collect_keys(stacks, fd, table, at_end, &keys);
	for (uint32_t i = 0; i < keys.n; i++) {
		const unsigned char *key = keys.bytes + i * keys.stride + sizeof(uint64_t);

		memcpy(shared, key, table->key_size);
		if (share_numbers(stacks, table, shared, at_end))
			move_value(stacks, fd, table, key, shared, values);
	}
	free(keys.bytes);
	free(shared);
	free(values);
}

static void
settle(struct kernel_stacks *stacks, bool at_end)
{
	const struct object *object = stacks->kernel->object;

	if (!stacks->dwarf || !stacks->n_new)
		return;
	for (uint32_t i = 0; i < object->n_tables; i++) {
		const struct table *table = object->tables[i];
		uint32_t part = 0, off = 0;

		if ((table->kind == TABLE_HASH || table->kind == TABLE_PERCPU_HASH) && next_ustack(table, &part, &off))
			settle_table(stacks, stacks->kernel->tables[i], table, at_end);
	}
	stacks->n_new = 0;
}

/* ---- what the source calls --------------------------------------------------------------------- */

void
kernel_stacks_pump(struct kernel *kernel)
{
	struct kernel_stacks *stacks = kernel->stacks;

	if (!stacks)
		return;
	take_records(stacks);
	if (stacks->n_new >= SETTLE_EVERY)
		settle(stacks, false);
}

void
kernel_stacks_stop(struct kernel *kernel)
{
	struct kernel_stacks *stacks = kernel->stacks;

	if (!stacks || !stacks->ring)
		return;
	ring_complete(stacks->ring);
	while (take_records(stacks) > 0)
		;
	settle(stacks, true);
	stacks->stopped = true;
}

void
kernel_stacks_settle(struct kernel *kernel)
{
	struct kernel_stacks *stacks = kernel->stacks;

	if (!stacks)
		return;
	while (take_records(stacks) == STACKS_A_PUMP)
		;
	settle(stacks, stacks->stopped);
}

/* The frames of a number that a program has given; it may be on its way still. */
static const struct frames *
find_frames(struct kernel_stacks *stacks, uint32_t id)
{
	const struct taken *taken = taken_at(stacks, id);
	uint32_t start = now_ms();

	if (id & USTACK_MERGED)
		return (id & USTACK_NUMBER) < stacks->n_frames ? &stacks->frames[id & USTACK_NUMBER] : NULL;
	while (taken->id != id && (take_records(stacks) > 0 || now_ms() - start < WAIT_MS))
		if (taken->id != id)
			sched_yield();
	return taken->id == id && taken->frames != UINT32_MAX ? &stacks->frames[taken->frames] : NULL;
}

int
kernel_stacks_lookup(struct kernel *kernel, uint32_t id, void *value)
{
	const struct frames *frames = find_frames(kernel->stacks, id);
	uint32_t n;

	if (!frames)
		return -ENOENT;
	n = frames->n < kernel->stacks->depth ? frames->n : kernel->stacks->depth;
	memset(value, 0, kernel->stacks->depth * sizeof(uint64_t));
	memcpy(value, frames->addrs, n * sizeof(uint64_t));
	return 0;
}

bool
kernel_stacks_has(const struct kernel *kernel, uint32_t table, const void *key)
{
	uint32_t id;

	if (!kernel->stacks || table != kernel->object->stacks[STACKS_USER].first)
		return false;
	memcpy(&id, key, sizeof(id));
	return id & (USTACK_TAKEN | USTACK_MERGED);
}

int
kernel_stacks_fd(const struct kernel *kernel)
{
	if (!kernel->stacks || !kernel->stacks->ring)
		return -1;
	ring_settle(kernel->stacks->ring);
	return kernel->stacks->ring_fd;
}

/* ---- open, close ----------------------------------------------------------------------------- */

static bool
has_entries(const struct kernel *kernel)
{
	for (uint32_t i = 0; i < kernel->n_units; i++)
		if (kernel->units[i]->at_entry)
			return true;
	return false;
}

/* Does the kernel have atomic operations that give the value before (Linux 5.12)? */
static bool
has_fetch(void)
{
	const struct bpf_insn insns[] = {
		insn_mov_imm(0, 0), insn_store(BPF_DW, 10, 0, -8), insn_mov(1, 10),
		insn_atomic(BPF_DW, BPF_ADD | BPF_FETCH, 1, 0, -8), insn_exit(),
	};

	return kernel_try_program(BPF_PROG_TYPE_KPROBE, insns, ARRAY_SIZE(insns), NULL) == 0;
}

static int
open_tables(struct kernel_stacks *stacks)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);
	uint32_t record = (uint32_t)sizeof(struct stack_copy) + stacks->copy_max, size = RING_MIN;

	while (stacks->dwarf && size < 128 * record)
		size *= 2;
	stacks->ring_fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, ".stack_ring", 0, 0, size, NULL);
	stacks->counter_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, ".stack_number", 4, 8, 1, NULL);
	if (stacks->ring_fd < 0 || stacks->counter_fd < 0)
		return -errno;
	if (!stacks->dwarf) {
		stacks->walk_size = (uint32_t)sizeof(*stacks->walk) + 8 * (stacks->depth + USTACK_FRAMES_MAX + 2);
		stacks->walk = arena_alloc(stacks->kernel->arena, stacks->walk_size);
		stacks->known_fd = bpf_map_create(BPF_MAP_TYPE_HASH, ".stack_walks", 8, 4, WALKS_DIFFERENT, &opts);
		if (stacks->known_fd < 0)
			return -errno;
	}
	stacks->ring = ring_open(stacks->ring_fd, size);
	stacks->taken = stacks->ring ? mem_alloc(STACKS_TAKEN * sizeof(*stacks->taken)) : NULL;
	return stacks->taken ? 0 : -ENOMEM;
}

static int
open_unwinder(struct kernel_stacks *stacks, struct text *why)
{
	if (!source_kernel_has_helper(BPF_FUNC_task_pt_regs)) {
		text_puts(why, "--unwind=dwarf: this kernel's programs do not get at a process's registers (helper task_pt_regs, Linux 5.15, and "
			       "type information, CONFIG_DEBUG_INFO_BTF); use --engine=user, or make the program with -fno-omit-frame-pointer");
		return -EOPNOTSUPP;
	}
	stacks->unwinder = unwinder_open(why);
	return stacks->unwinder ? 0 : -ENOSYS;
}

static bool
find_member(const struct typeinfo *types, const char *owner, const char *name, uint32_t *offset)
{
	uint32_t id = typeinfo_find(types, owner, BTF_KIND_STRUCT);
	struct typeinfo_member member;

	if (!id || !typeinfo_member(types, id, name, &member))
		return false;
	*offset = member.bit_off / 8;
	return true;
}

/* Only where returns are probed, since reading the kernel's types takes milliseconds. Without them such functions end the stack. */
static void
find_returns(struct kernel_stacks *stacks)
{
	struct return_offsets *offsets = &stacks->returns;
	struct text why = { 0 };
	struct typeinfo *types = kernel_has_unit(stacks->kernel, UNIT_URETPROBE) ? typeinfo_open(KERNEL_TYPES, NULL, &why) : NULL;

	offsets->known = types && find_member(types, "task_struct", "utask", &offsets->task_utask) &&
			 find_member(types, "uprobe_task", "return_instances", &offsets->utask_instances) &&
			 find_member(types, "return_instance", "stack", &offsets->slot) &&
			 find_member(types, "return_instance", "orig_ret_vaddr", &offsets->address) &&
			 find_member(types, "return_instance", "next", &offsets->next);
	typeinfo_free(types);
	text_fini(&why);
}

int
kernel_stacks_open(struct kernel *kernel, struct text *why)
{
	bool dwarf = kernel->target.unwind == UNWIND_DWARF;
	struct kernel_stacks *stacks;
	int err = 0;

	/* Where programs cannot number what they send, a caller is missing as frame pointers have it. */
	if (kernel->object->stacks[STACKS_USER].first == UINT32_MAX || (!dwarf && (!has_entries(kernel) || !has_fetch())))
		return 0;
	stacks = arena_alloc(kernel->arena, sizeof(*stacks));
	stacks->ring_fd = stacks->counter_fd = stacks->known_fd = -1;
	stacks->dwarf = dwarf;
	stacks->copy_max = kernel->target.stack_bytes ? kernel->target.stack_bytes : STACK_BYTES_DEFAULT;
	stacks->depth = kernel->object->tables[kernel->object->stacks[STACKS_USER].first]->value_size / 8;
	stacks->kernel = kernel;
	kernel->stacks = stacks;
	find_returns(stacks);
	if (dwarf)
		err = open_unwinder(stacks, why);
	if (err < 0)
		return err;
	err = open_tables(stacks);
	if (err < 0)
		kernel_explain(err, "the tables of user stacks", why);
	return err;
}

void
kernel_stacks_stats(const struct kernel *kernel, struct source_stats *stats)
{
	if (!kernel->stacks)
		return;
	stats->n_stacks_cut = kernel->stacks->n_cut;
	stats->stack_bytes = kernel->stacks->copy_max;
	stats->n_stacks_dropped = kernel->stacks->n_dropped;
}

static void
close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void
kernel_stacks_close(struct kernel *kernel)
{
	struct kernel_stacks *stacks = kernel->stacks;

	if (!stacks)
		return;
	ring_close(stacks->ring);
	close_fd(stacks->ring_fd);
	close_fd(stacks->counter_fd);
	close_fd(stacks->known_fd);
	unwinder_close(stacks->unwinder);
	for (uint32_t i = 0; i < stacks->n_frames; i++)
		free(stacks->frames[i].addrs);
	free(stacks->frames);
	free(stacks->buckets);
	free(stacks->taken);
	kernel->stacks = NULL;
}
