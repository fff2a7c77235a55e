/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * One attachment for many functions: bpf(2), BPF_LINK_CREATE with BPF_TRACE_KPROBE_MULTI (Linux 5.18, through ftrace) and
 * BPF_TRACE_UPROBE_MULTI (6.6). Each function has a cookie, its event. A thousand functions come and go in milliseconds; one
 * by one each user function alone takes 0.15 s to detach (6.18).
 *
 * Whether the kernel has it is asked of it: an attachment that cannot be made is refused for another reason where it has.
 *
 * All functions of one call are attached or none. Where the kernel refuses, halves are tried, so that the ones which
 * permit no probe are found, and named, and the others are attached.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "source/kernel_int.h"

/* Of enum bpf_attach_type and union bpf_attr; the headers that we build with need not know them. */
#define ATTACH_KPROBE_MULTI 42
#define ATTACH_UPROBE_MULTI 48
#define MULTI_RETURN        1u /* in flags */

struct uprobe_multi_attr {
	uint32_t prog_fd, target_fd, attach_type, flags;
	uint64_t path, offsets, ref_ctr_offsets, cookies;
	uint32_t count, multi_flags, pid, pad;
};

struct kprobe_multi_attr {
	uint32_t prog_fd, target_fd, attach_type, flags;
	uint32_t multi_flags, count;
	uint64_t symbols, addresses, cookies;
};

static bool
is_user(enum unit_kind kind)
{
	return kind == UNIT_UPROBE || kind == UNIT_URETPROBE;
}

static bool
is_return(enum unit_kind kind)
{
	return kind == UNIT_KRETPROBE || kind == UNIT_URETPROBE;
}

uint32_t
kernel_multi_attach_type(enum unit_kind kind)
{
	return is_user(kind) ? ATTACH_UPROBE_MULTI : ATTACH_KPROBE_MULTI;
}

static int
link_create(const void *attr, size_t size)
{
	long fd = syscall(SYS_bpf, BPF_LINK_CREATE, attr, size);

	return fd < 0 ? -errno : (int)fd;
}

/* The arrays hold `n` elements; `semaphores` may be NULL: none. Returns a descriptor or -errno. */
static int
link_user(int prog, enum unit_kind kind, const char *path, const uint64_t *offsets, const uint64_t *semaphores,
	  const uint64_t *cookies, uint32_t n)
{
	struct uprobe_multi_attr attr = {
		.prog_fd = (uint32_t)prog,
		.attach_type = ATTACH_UPROBE_MULTI,
		.path = (uintptr_t)path,
		.offsets = (uintptr_t)offsets,
		.ref_ctr_offsets = (uintptr_t)semaphores,
		.cookies = (uintptr_t)cookies,
		.count = n,
		.multi_flags = is_return(kind) ? MULTI_RETURN : 0,
	};

	return link_create(&attr, sizeof(attr));
}

static int
link_kernel(int prog, enum unit_kind kind, const char *const *symbols, const uint64_t *cookies, uint32_t n)
{
	struct kprobe_multi_attr attr = {
		.prog_fd = (uint32_t)prog,
		.attach_type = ATTACH_KPROBE_MULTI,
		.multi_flags = is_return(kind) ? MULTI_RETURN : 0,
		.count = n,
		.symbols = (uintptr_t)symbols,
		.cookies = (uintptr_t)cookies,
	};

	return link_create(&attr, sizeof(attr));
}

/* ---- does the kernel have it? ---------------------------------------------------------------- */

static int
load_probe(uint32_t attach_type)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = attach_type);
	const struct bpf_insn insns[] = { insn_mov_imm(0, 0), insn_exit() };

	return bpf_prog_load(BPF_PROG_TYPE_KPROBE, "ktap_probe", PROGRAM_LICENSE, insns, ARRAY_SIZE(insns), &opts);
}

/* A folder is no file with code (-EBADF), and there is no such function (-ESRCH): elsewhere the attachment itself is not known. */
static bool
try_kind(enum unit_kind kind)
{
	static const char *const nowhere[] = { "ktap_asks_for_no_function" };
	const uint64_t zero = 0;
	int link, prog = load_probe(kernel_multi_attach_type(kind));

	if (prog < 0)
		return false;
	if (is_user(kind))
		link = link_user(prog, kind, "/", &zero, NULL, &zero, 1);
	else
		link = link_kernel(prog, kind, nowhere, &zero, 1);
	close(prog);
	if (debug_on(DEBUG_KERNEL))
		fprintf(stderr, "kernel: BPF_LINK_CREATE, has it %s for many at once? %s\n", unit_infos[kind].name, strerror(-link));
	if (link >= 0)
		close(link);
	return link == (is_user(kind) ? -EBADF : -ESRCH);
}

bool
kernel_has_multi(struct kernel *kernel, enum unit_kind kind)
{
	enum feature *feature = is_user(kind) ? &kernel->uprobe_multi : &kernel->kprobe_multi;

	if (*feature == FEATURE_UNTRIED)
		*feature = try_kind(kind) ? FEATURE_YES : FEATURE_NO;
	return *feature == FEATURE_YES;
}

/* ---- attaching ------------------------------------------------------------------------------- */

/* Events that may be one attachment: of the kernel, or of one file. */
struct batch {
	struct kernel *kernel;
	const struct unit *unit;
	struct event **events;
	uint64_t *cookies, *offsets, *semaphores;
	const char **symbols;
	bool has_semaphores;
};

static int
link_some(const struct batch *batch, uint32_t first, uint32_t n)
{
	const struct unit *unit = batch->unit;

	if (is_user(unit->kind))
		return link_user(unit->fd, unit->kind, batch->events[first]->probe->path, batch->offsets + first,
				 batch->has_semaphores ? batch->semaphores + first : NULL, batch->cookies + first, n);
	return link_kernel(unit->fd, unit->kind, batch->symbols + first, batch->cookies + first, n);
}

/* Is it the fault of a function, so that the others may do better without it? */
static bool
is_functions_fault(int err)
{
	return err != -EMFILE && err != -ENFILE && err != -ENOMEM && err != -EPERM;
}

static void
attach_some(const struct batch *batch, uint32_t first, uint32_t n, void (*note)(const struct multi_result *result))
{
	int fd = link_some(batch, first, n);

	if (fd < 0 && n > 1 && is_functions_fault(fd)) {
		attach_some(batch, first, n / 2, note);
		attach_some(batch, first + n / 2, n - n / 2, note);
		return;
	}
	note(&(struct multi_result){ batch->kernel, batch->unit, batch->events + first, n, fd });
}

static void
fill(struct batch *batch, uint32_t n)
{
	struct arena *arena = batch->kernel->arena;
	uint32_t i;

	batch->cookies = arena_alloc(arena, n * sizeof(*batch->cookies));
	batch->offsets = arena_alloc(arena, n * sizeof(*batch->offsets));
	batch->semaphores = arena_alloc(arena, n * sizeof(*batch->semaphores));
	batch->symbols = arena_alloc(arena, n * sizeof(*batch->symbols));
	for (i = 0; i < n; i++) {
		batch->cookies[i] = batch->events[i]->index;
		batch->offsets[i] = batch->events[i]->probe->offset;
		batch->semaphores[i] = batch->events[i]->probe->semaphore;
		batch->symbols[i] = batch->events[i]->probe->symbol;
		batch->has_semaphores |= batch->semaphores[i] != 0;
	}
}

static bool
is_same_file(const struct event *a, const struct event *b)
{
	return !a->probe->path || strcmp(a->probe->path, b->probe->path) == 0;
}

void
kernel_multi_attach(struct kernel *kernel, const struct unit *unit, void (*note)(const struct multi_result *result))
{
	struct batch batch = { .kernel = kernel, .unit = unit };
	uint32_t first, n;

	for (first = 0; first < unit->n_events; first += n) {
		for (n = 1; first + n < unit->n_events && is_same_file(unit->events[first], unit->events[first + n]); n++)
			;
		batch.events = unit->events + first;
		batch.has_semaphores = false;
		fill(&batch, n);
		attach_some(&batch, 0, n, note);
	}
}
