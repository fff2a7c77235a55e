/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The kernel tells of address spaces: every mmap of code, execve, fork and exit, as perf_event_open(2) reports them, from
 * before the first program is attached. So a stack of a process that was born and has died between two looks of ours still has
 * its names. Only for objects that take user stacks.
 *
 * One event a CPU, each with a ring of its own. Records are put in order by their time over all CPUs; those that are younger than
 * the beginning of a look wait for the next, since an older one may come from a CPU that was looked at first.
 */
#include <dirent.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "source/kernel_int.h"

/* One page and 512 kB: what perf_event_mlock_kb permits a CPU, as the kernel is delivered. */
#define RING_BYTES (512u << 10)

/*
 * Bytes in a ring that wake us. When a command is followed, the first: its file shall be opened before it may be removed. When the
 * whole system is watched, that would be too often.
 */
#define WAKE_FOLLOWING 1
#define WAKE_WATCHING  (RING_BYTES / 4)

struct ring {
	int fd;
	struct perf_event_mmap_page *page; /* NULL: none */
	const char *data;
};

/* A record with its time, on its way to be put in order. */
struct pending {
	uint64_t time;
	uint32_t order;  /* in which it was read; tells equal times apart */
	size_t at;       /* in `bytes` */
};

struct kernel_spaces {
	struct spaces *spaces;
	bool follows;    /* only processes that are known, and their children */
	size_t page_size;
	struct ring *rings;
	uint32_t n_rings;
	int epoll_fd;
	uint64_t n_lost;
	struct text bytes; /* of what is pending, one record behind the other, each at a multiple of 8 */
	struct pending *pending;
	uint32_t n_pending, cap_pending;
};

/* ---- open -------------------------------------------------------------------------------------- */

static int
open_event(const struct kernel_spaces *ks, int cpu, bool build_ids)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_DUMMY,
		.sample_type = PERF_SAMPLE_TIME,
		.sample_id_all = 1,
		.mmap = 1,
		.mmap2 = 1,
		.comm = 1,
		.comm_exec = 1,
		.task = 1,
		.build_id = build_ids,
		.use_clockid = 1,
		.clockid = CLOCK_MONOTONIC,
		.watermark = 1,
		.wakeup_watermark = ks->follows ? WAKE_FOLLOWING : WAKE_WATCHING,
	};

	return (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

/* Kernels before 5.12 do not tell build ids. */
static int
open_ring(struct kernel_spaces *ks, struct ring *ring, int cpu)
{
	struct epoll_event event = { .events = EPOLLIN };
	void *memory;

	ring->fd = open_event(ks, cpu, true);
	if (ring->fd < 0 && errno == EINVAL)
		ring->fd = open_event(ks, cpu, false);
	if (ring->fd < 0)
		return errno == ENODEV ? 0 : -errno; /* the CPU is offline */
	memory = mmap(NULL, ks->page_size + RING_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	ring->page = memory;
	ring->data = (const char *)memory + ks->page_size;
	return epoll_ctl(ks->epoll_fd, EPOLL_CTL_ADD, ring->fd, &event) < 0 ? -errno : 0;
}

static int
open_rings(struct kernel_spaces *ks, uint32_t n_cpus)
{
	int err = 0;

	ks->rings = mem_alloc(n_cpus * sizeof(*ks->rings));
	ks->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!ks->rings || ks->epoll_fd < 0)
		return ks->rings ? -errno : -ENOMEM;
	for (; ks->n_rings < n_cpus; ks->n_rings++)
		ks->rings[ks->n_rings].fd = -1;
	for (uint32_t cpu = 0; cpu < n_cpus && err == 0; cpu++)
		err = open_ring(ks, &ks->rings[cpu], (int)cpu);
	return err;
}

/* What runs already. The kernel's own threads have no maps. */
static void
read_all_processes(struct kernel_spaces *ks)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;
	uint32_t pid;

	while (proc && (entry = readdir(proc))) {
		pid = (uint32_t)strtoul(entry->d_name, NULL, 10);
		if (pid)
			spaces_read(ks->spaces, pid);
	}
	if (proc)
		closedir(proc);
}

int
kernel_spaces_open(struct kernel *kernel, struct text *why)
{
	struct kernel_spaces *ks;
	int err;

	if (kernel->object->stacks[STACKS_USER].first == UINT32_MAX)
		return 0;
	ks = arena_alloc(kernel->arena, sizeof(*ks));
	ks->epoll_fd = -1;
	ks->follows = kernel->has_target;
	ks->page_size = (size_t)sysconf(_SC_PAGESIZE);
	ks->spaces = spaces_new();
	kernel->spaces = ks;
	err = ks->spaces ? open_rings(ks, kernel->source.n_cpus) : -ENOMEM;
	if (err < 0) {
		kernel_explain(err, "watching what programs load, for the names in ustack()", why);
		return err;
	}
	if (kernel->command.pid)
		spaces_exec(ks->spaces, (uint32_t)kernel->command.pid);
	else if (kernel->target.pid)
		spaces_read(ks->spaces, (uint32_t)kernel->target.pid);
	else
		read_all_processes(ks);
	return 0;
}

void
kernel_spaces_close(struct kernel *kernel)
{
	struct kernel_spaces *ks = kernel->spaces;

	if (!ks)
		return;
	for (uint32_t i = 0; i < ks->n_rings; i++) {
		if (ks->rings[i].page)
			munmap(ks->rings[i].page, ks->page_size + RING_BYTES);
		if (ks->rings[i].fd >= 0)
			close(ks->rings[i].fd);
	}
	if (ks->epoll_fd >= 0)
		close(ks->epoll_fd);
	free(ks->rings);
	free(ks->pending);
	text_fini(&ks->bytes);
	spaces_free(ks->spaces);
}

/* ---- reading ----------------------------------------------------------------------------------- */

/* Puts a record, which may go round the ring's end, among those that are pending. */
static void
keep(struct kernel_spaces *ks, const struct ring *ring, uint64_t at, uint16_t size)
{
	size_t start = at % RING_BYTES, first = RING_BYTES - start < size ? RING_BYTES - start : size;
	struct pending *pending = mem_grow(ks->pending, ks->n_pending, &ks->cap_pending, sizeof(*pending));

	if (!pending) {
		ks->n_lost++;
		return;
	}
	ks->pending = pending;
	pending += ks->n_pending;
	*pending = (struct pending){ .order = ks->n_pending, .at = ks->bytes.len };
	text_add(&ks->bytes, ring->data + start, first);
	text_add(&ks->bytes, ring->data, size - first);
	memcpy(&pending->time, ks->bytes.s + ks->bytes.len - sizeof(pending->time), sizeof(pending->time)); /* sample_id_all: at the end */
	ks->n_pending++;
}

static void
read_ring(struct kernel_spaces *ks, const struct ring *ring)
{
	uint64_t head, tail;
	struct perf_event_header header;

	if (!ring->page)
		return;
	head = __atomic_load_n(&ring->page->data_head, __ATOMIC_ACQUIRE);
	for (tail = ring->page->data_tail; tail != head; tail += header.size) {
		/* Records begin at multiples of 8, and so does the ring's end: a header is never cut. */
		memcpy(&header, ring->data + tail % RING_BYTES, sizeof(header));
		keep(ks, ring, tail, header.size);
	}
	__atomic_store_n(&ring->page->data_tail, tail, __ATOMIC_RELEASE);
}

/* ---- what a record says ------------------------------------------------------------------------ */

/* Includes the header; see perf_event_open(2), PERF_RECORD_*. */
struct mmap_record {
	struct perf_event_header header;
	uint32_t pid, tid;
	uint64_t start, len, offset;
	union {
		struct { uint32_t major, minor; uint64_t inode, generation; } file;
		struct { uint8_t len, unused[3], bytes[20]; } build_id;
	} identity;
	uint32_t protection, flags;
	char path[];
};

struct task_record { /* COMM begins with the same two */
	struct perf_event_header header;
	uint32_t pid, parent, tid, parent_tid;
};

static void
take_mmap(struct kernel_spaces *ks, const struct mmap_record *record)
{
	struct mapping_seen seen = { .start = record->start, .len = record->len, .offset = record->offset, .path = record->path };

	if (!(record->protection & PROT_EXEC) || (ks->follows && !spaces_know(ks->spaces, record->pid)))
		return;
	if (record->header.misc & PERF_RECORD_MISC_MMAP_BUILD_ID) {
		seen.identity.build_id_len = record->identity.build_id.len;
		memcpy(seen.identity.build_id, record->identity.build_id.bytes, sizeof(seen.identity.build_id));
	} else {
		seen.identity.device = (uint64_t)record->identity.file.major << 32 | record->identity.file.minor;
		seen.identity.inode = record->identity.file.inode;
	}
	spaces_map(ks->spaces, record->pid, &seen);
}

/* Threads are born and end with their process's id: of no interest. */
static void
take(struct kernel_spaces *ks, const struct perf_event_header *header)
{
	const struct task_record *task = (const struct task_record *)header;
	bool known = !ks->follows || spaces_know(ks->spaces, task->pid);

	switch (header->type) {
	case PERF_RECORD_MMAP2: take_mmap(ks, (const struct mmap_record *)header); break;
	case PERF_RECORD_COMM:
		if (known && header->misc & PERF_RECORD_MISC_COMM_EXEC)
			spaces_exec(ks->spaces, task->pid);
		break;
	case PERF_RECORD_FORK:
		if (task->pid != task->parent && (!ks->follows || spaces_know(ks->spaces, task->parent)))
			spaces_fork(ks->spaces, task->pid, task->parent);
		break;
	case PERF_RECORD_EXIT:
		if (known && task->pid == task->tid)
			spaces_exit(ks->spaces, task->pid);
		break;
	case PERF_RECORD_LOST: /* id, then how many */
		ks->n_lost += ((const uint64_t *)(header + 1))[1];
		break;
	}
}

static int
compare_pending(const void *a, const void *b)
{
	const struct pending *x = a, *y = b;

	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

/* What stays pending moves to the front of `bytes`. */
static void
keep_rest(struct kernel_spaces *ks, uint32_t n_taken)
{
	struct text rest = { 0 };

	for (uint32_t i = n_taken; i < ks->n_pending; i++) {
		const struct perf_event_header *header = (const void *)(ks->bytes.s + ks->pending[i].at);

		ks->pending[i - n_taken] = (struct pending){ ks->pending[i].time, i - n_taken, rest.len };
		text_add(&rest, (const char *)header, header->size);
	}
	ks->n_pending -= n_taken;
	text_fini(&ks->bytes);
	ks->bytes = rest;
}

static bool
has_news(const struct kernel_spaces *ks)
{
	bool news = ks->n_pending > 0;

	for (uint32_t i = 0; i < ks->n_rings && !news; i++) {
		const struct perf_event_mmap_page *page = ks->rings[i].page;

		news = page && __atomic_load_n(&page->data_head, __ATOMIC_ACQUIRE) != page->data_tail;
	}
	return news;
}

void
kernel_spaces_pump(struct kernel *kernel)
{
	struct kernel_spaces *ks = kernel->spaces;
	uint64_t before;
	uint32_t n = 0;

	if (!ks || !has_news(ks))
		return;
	before = clock_now();
	for (uint32_t i = 0; i < ks->n_rings; i++)
		read_ring(ks, &ks->rings[i]);
	if (ks->n_pending)
		qsort(ks->pending, ks->n_pending, sizeof(*ks->pending), compare_pending);
	for (; n < ks->n_pending && ks->pending[n].time < before; n++)
		take(ks, (const void *)(ks->bytes.s + ks->pending[n].at));
	keep_rest(ks, n);
}

struct spaces *
kernel_spaces(struct source *source)
{
	struct kernel *kernel = (struct kernel *)source; /* its first member */

	kernel_spaces_pump(kernel);
	return kernel->spaces ? kernel->spaces->spaces : NULL;
}

int
kernel_spaces_fd(const struct kernel *kernel)
{
	return kernel->spaces ? kernel->spaces->epoll_fd : -1;
}

uint64_t
kernel_spaces_lost(const struct kernel *kernel)
{
	return kernel->spaces ? kernel->spaces->n_lost : 0;
}
