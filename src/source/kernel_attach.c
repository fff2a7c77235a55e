/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Attaching loaded units: to raw tracepoints, perf tracepoints, kernel functions and timers. Every
 * attachment is a descriptor; closing it detaches.
 *
 * A handler for a glob takes what permits attachment (some of tracefs's events have no tracepoint of that
 * name); only a handler that got nothing at all is an error.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "source/kernel_int.h"

#define DETACH_THREADS 15 /* beside the one that calls */

#define PMUS "/sys/bus/event_source/devices/"

static void
add_link(struct kernel *kernel, int fd)
{
	kernel->links = arena_grow(kernel->arena, kernel->links, kernel->n_links, &kernel->cap_links,
				   sizeof(*kernel->links));
	kernel->links[kernel->n_links++] = fd;
}

/* ---- raw tracepoints ------------------------------------------------------------------------- */

/*
 * bpf(2), BPF_RAW_TRACEPOINT_OPEN, with the cookie of Linux 6.10, which the headers we build with need not
 * know.
 */
static int
raw_tracepoint_open(int prog, const char *name, uint64_t cookie)
{
	struct {
		uint64_t name;
		uint32_t prog_fd, pad;
		uint64_t cookie;
	} attr = { .name = (uint64_t)(uintptr_t)name, .prog_fd = (uint32_t)prog, .cookie = cookie };
	long fd = syscall(SYS_bpf, BPF_RAW_TRACEPOINT_OPEN, &attr, sizeof(attr));

	return fd < 0 ? -errno : (int)fd;
}

static int
attach_raw(struct kernel *kernel, struct unit *unit, struct event *event)
{
	/*
	 * A typed program knows its tracepoint; the system calls' and followers' units are for one that is
	 * theirs.
	 */
	const char *name = unit->btf_id ? NULL : event ? event->name : unit_infos[unit->kind].point;
	int fd = raw_tracepoint_open(unit->fd, name, unit->by_cookie ? event->index : 0);

	if (fd < 0)
		return fd;
	add_link(kernel, fd);
	return 0;
}

/* ---- perf events ----------------------------------------------------------------------------- */

static int
perf_event_open(struct perf_event_attr *attr, int cpu)
{
	long fd;

	attr->size = sizeof(*attr);
	fd = syscall(SYS_perf_event_open, attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	return fd < 0 ? -errno : (int)fd;
}

/* Lets a unit run at a perf event, whose descriptor it takes. */
static int
attach_perf(struct kernel *kernel, const struct unit *unit, const struct event *event, int perf)
{
	LIBBPF_OPTS(bpf_link_create_opts, opts, .perf_event.bpf_cookie = event->index);
	int link = -1, err = 0;

	if (unit->by_cookie) {
		link = bpf_link_create(unit->fd, perf, BPF_PERF_EVENT, &opts);
		err = link < 0 ? link : 0;
	} else if (ioctl(perf, PERF_EVENT_IOC_SET_BPF, unit->fd) < 0) {
		err = -errno;
	}
	if (err == 0 && ioctl(perf, PERF_EVENT_IOC_ENABLE, 0) < 0)
		err = -errno;
	if (err == 0) {
		if (link >= 0)
			add_link(kernel, link);
		add_link(kernel, perf);
		return 0;
	}
	if (link >= 0)
		close(link);
	close(perf);
	return err;
}

/*
 * An event that happens on all CPUs, though opened for one: the program hangs at the tracepoint or
 * function itself.
 */
static int
open_anywhere(struct perf_event_attr *attr)
{
	int cpu, perf = -ENODEV, n_cpus = libbpf_num_possible_cpus();

	for (cpu = 0; cpu < n_cpus && perf == -ENODEV; cpu++)
		perf = perf_event_open(attr, cpu);
	return perf;
}

static int
attach_tracepoint(struct kernel *kernel, struct unit *unit, struct event *event)
{
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT };
	int perf, err = event_load_fields(kernel->events, event);

	if (err < 0)
		return err;
	attr.config = (uint64_t)event->id;
	perf = open_anywhere(&attr);
	return perf < 0 ? perf : attach_perf(kernel, unit, event, perf);
}

/* The number in a file of sysfs that holds `format`, or -EOPNOTSUPP. */
static int
read_pmu(const char *path, const char *format)
{
	char buf[32] = "";
	int number, fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, buf, sizeof(buf) - 1);
	size_t skip = strlen(format);

	if (fd >= 0)
		close(fd);
	number = n > 0 && strncmp(buf, format, skip) == 0 ? atoi(buf + skip) : -1;
	return number >= 0 ? number : -EOPNOTSUPP;
}

static bool
is_user(const struct event *event)
{
	return event->kind == EVENT_UPROBE || event->kind == EVENT_URETPROBE;
}

static bool
is_return(const struct event *event)
{
	return event->kind == EVENT_KRETPROBE || event->kind == EVENT_URETPROBE;
}

static int
probe_type(const struct event *event)
{
	return read_pmu(is_user(event) ? PMUS "uprobe/type" : PMUS "kprobe/type", "");
}

/* The number of the bit of perf_event_attr.config that asks for returns. */
static int
return_bit(const struct event *event)
{
	return read_pmu(is_user(event) ? PMUS "uprobe/format/retprobe" : PMUS "kprobe/format/retprobe", "config:");
}

/* That of the lowest bit of where the place of a marker's semaphore stands; the kernel keeps its count. */
static int
semaphore_bit(const struct event *event)
{
	return event->probe->semaphore ? read_pmu(PMUS "uprobe/format/ref_ctr_offset", "config:") : 0;
}

static int
attach_probe(struct kernel *kernel, struct unit *unit, struct event *event)
{
	const struct probe *probe = event->probe;
	struct perf_event_attr attr = { 0 };
	int perf, type = probe_type(event), bit = is_return(event) ? return_bit(event) : 0, semaphore = semaphore_bit(event);

	if (type < 0 || bit < 0 || semaphore < 0)
		return -EOPNOTSUPP;
	attr.type = (uint32_t)type;
	attr.config = (is_return(event) ? 1ull << bit : 0) | probe->semaphore << semaphore;
	attr.kprobe_func = (uint64_t)(uintptr_t)(is_user(event) ? probe->path : probe->symbol); /* and uprobe_path */
	attr.probe_offset = probe->offset;
	perf = open_anywhere(&attr);
	return perf < 0 ? perf : attach_perf(kernel, unit, event, perf);
}

/*
 * Since 6.7 the kernel says first of all that there are several of a name. The place asked for is in no function, so that nothing is made that would
 * have to be taken away.
 */
bool
kernel_is_ambiguous(const struct event *event)
{
	struct perf_event_attr attr = { .kprobe_func = (uint64_t)(uintptr_t)event->probe->symbol, .probe_offset = INT32_MAX };
	int perf, type = probe_type(event);

	if (type < 0)
		return false;
	attr.type = (uint32_t)type;
	perf = open_anywhere(&attr);
	if (perf >= 0)
		close(perf);
	return perf == -EADDRNOTAVAIL;
}

/* On every CPU that is on. */
static int
attach_everywhere(struct kernel *kernel, const struct unit *unit, const struct event *event, struct perf_event_attr *attr)
{
	int cpu, perf, err, n_attached = 0, n_cpus = libbpf_num_possible_cpus();

	for (cpu = 0; cpu < n_cpus; cpu++) {
		perf = perf_event_open(attr, cpu);
		if (perf == -ENODEV)
			continue;
		err = perf < 0 ? perf : attach_perf(kernel, unit, event, perf);
		if (err < 0)
			return err;
		n_attached++;
	}
	return n_attached ? 0 : -ENODEV;
}

static int
attach_profile(struct kernel *kernel, struct unit *unit, struct event *event)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.sample_period = event->period_ns,
	};

	return attach_everywhere(kernel, unit, event, &attr);
}

static int
attach_counter(struct kernel *kernel, struct unit *unit, struct event *event)
{
	const struct perf_counter *counter = event->counter;
	struct perf_event_attr attr = {
		.type = counter->type,
		.config = counter->config,
		.sample_period = counter->period,
	};

	if (counter->type == PERF_TYPE_BREAKPOINT) {
		attr.bp_type = counter->watch_mode;
		attr.bp_addr = counter->watch_address;
		attr.bp_len = counter->watch_len;
	}
	return attach_everywhere(kernel, unit, event, &attr);
}

static int
attach_follower(struct kernel *kernel, struct unit *unit, struct event *event)
{
	return event ? attach_tracepoint(kernel, unit, event) : attach_raw(kernel, unit, event);
}

/* It is run by itself: kernel.c. */
static int
attach_nowhere(struct kernel *kernel, struct unit *unit, struct event *event)
{
	(void)kernel, (void)unit, (void)event;
	return 0;
}

static int (*const attach[N_UNIT_KINDS])(struct kernel *kernel, struct unit *unit, struct event *event) = {
	[UNIT_SYS_ENTER] = attach_raw, [UNIT_SYS_EXIT] = attach_raw,
	[UNIT_RAW] = attach_raw,       [UNIT_TRACEPOINT] = attach_tracepoint,
	[UNIT_KPROBE] = attach_probe,  [UNIT_KRETPROBE] = attach_probe,
	[UNIT_UPROBE] = attach_probe,  [UNIT_URETPROBE] = attach_probe,
	[UNIT_FENTRY] = attach_raw,    [UNIT_FEXIT] = attach_raw,
	[UNIT_RAWTP] = attach_raw,     [UNIT_PROFILE] = attach_profile,
	[UNIT_COUNTER] = attach_counter,
	[UNIT_INIT] = attach_nowhere,  [UNIT_FINI] = attach_nowhere,
	[UNIT_FORK] = attach_follower, [UNIT_FREE] = attach_follower,
};

/* ---- accounts -------------------------------------------------------------------------------- */

/* Of a probe; NULL: of any event. */
static const char *
probe_cause(const struct event *event, int err)
{
	if (err == -EOPNOTSUPP)
		return is_user(event) ? "this kernel has no probes of user functions (CONFIG_UPROBES)"
				      : "this kernel has no probes of kernel functions (CONFIG_KPROBES)";
	if (is_user(event))
		return err == -EINVAL || err == -KERNEL_ENOTSUPP ? "the kernel permits no probe at this instruction" : NULL;
	if (err == -ENOENT)
		return "the kernel has no such function, or it was inlined";
	if (err == -EADDRNOTAVAIL)
		return "the kernel has several functions of this name";
	if (err == -EINVAL || err == -EILSEQ)
		return "the kernel permits no probe at this place";
	return NULL;
}

/* Of a counter; NULL: of any event. */
static const char *
counter_cause(const struct event *event, int err)
{
	bool is_watch = event->counter->type == PERF_TYPE_BREAKPOINT;

	if (is_watch && err == -ENOSPC)
		return "the processor's watchpoints, of which there are few, are all in use";
	if (is_watch && err == -EINVAL)
		return "the processor cannot watch this address in this way (x86 has no watchpoints for reading alone)";
	if (err == -ENOENT || err == -EOPNOTSUPP || err == -ENODEV)
		return "the processor, or the virtual machine that this is, does not count that";
	return NULL;
}

static const char *
cause_text(struct kernel *kernel, const struct event *event, int err)
{
	const char *cause = event && event_is_probe(event) ? probe_cause(event, err) : NULL;

	if (event && event->counter)
		cause = counter_cause(event, err);
	if (cause)
		return cause;
	if (event && event->kind == EVENT_TRACEPOINT && err == -ENOENT)
		return "the kernel has no tracepoint of this name to attach to";
	if (err == -EPERM || err == -EACCES)
		return kernel_attach_cause(kernel->arena);
	if (err == -EMFILE || err == -ENFILE)
		return "too many open files: raise the limit (`ulimit -n`)";
	return strerror(-err);
}

/* For a kernel function that is not there: " (did you mean ...?)" */
static const char *
suggestion(struct kernel *kernel, const struct event *event, int err)
{
	const char *like = event && event_is_probe(event) && !is_user(event) && err == -ENOENT
				   ? kernel_function_like(kernel->arena, event->probe->symbol)
				   : NULL;

	return like ? arena_printf(kernel->arena, " (did you mean '%s'?)", like) : "";
}

static void
note(struct kernel *kernel, const struct unit *unit, const struct event *event, int err)
{
	const char *system = event ? event->system : "syscalls",
		   *name = event ? event->name : unit_infos[unit->kind].point;
	struct handler_account *account;
	uint32_t slot;

	if (err < 0 && debug_on(DEBUG_EVENTS))
		fprintf(stderr, "events: %s:%s: not attached (%s): %s\n", system, name,
			unit_infos[unit->kind].name, cause_text(kernel, event, err));
	for (slot = 0; slot < unit->n_slots; slot++) {
		account = &kernel->accounts[unit->slots[slot]->handler];
		if (err == 0)
			account->n_attached++;
		else
			account->n_failed++;
		if (err < 0 && !account->first_failure)
			account->first_failure = arena_printf(kernel->arena, "%s:%s: %s%s", system, name,
							      cause_text(kernel, event, err), suggestion(kernel, event, err));
	}
}

static int
check_accounts(const struct kernel *kernel, struct text *why)
{
	const struct handler_account *account;
	uint32_t i;

	for (i = 0; i < kernel->object->n_handlers; i++) {
		account = &kernel->accounts[i];
		if (account->n_attached == 0 && account->n_failed == 1) {
			text_printf(why, "cannot attach to %s", account->first_failure);
			return -ENOENT;
		}
		if (account->n_attached == 0 && account->n_failed > 1) {
			text_printf(
				why,
				"cannot attach to any of %u events; the first is %s (all of them: -d events)",
				account->n_failed, account->first_failure);
			return -ENOENT;
		}
		if (account->n_failed && debug_on(DEBUG_EVENTS))
			fprintf(stderr, "events: handler %u: %u attachments, %u events that permit none\n", i,
				account->n_attached, account->n_failed);
	}
	return 0;
}

/* ---- all ------------------------------------------------------------------------------------- */

/*
 * Prefixes of x86 with which uprobes take no instruction: segments and lock (is_prefix_bad, arch/x86/kernel/uprobes.c). The kernel finds that only
 * when a process maps the file, and then leaves the place out without a word.
 */
static bool
is_refused_prefix(unsigned char byte)
{
	return byte == 0x26 || byte == 0x2e || byte == 0x36 || byte == 0x3e || byte == 0xf0;
}

static bool
is_refused_place(const struct probe *probe)
{
	unsigned char bytes[4] = { 0 };
	int i, fd = open(probe->path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : pread(fd, bytes, sizeof(bytes), (off_t)probe->offset);

	if (fd >= 0)
		close(fd);
	/* Operand size, address size and repeat may stand in front of them. */
	for (i = 0; i < n && (bytes[i] == 0x66 || bytes[i] == 0x67 || bytes[i] == 0xf2 || bytes[i] == 0xf3); i++)
		;
	return i < n && is_refused_prefix(bytes[i]);
}

/* Takes events out whose places the kernel would pass over. */
static void
leave_out_refused(struct kernel *kernel, struct unit *unit)
{
	uint32_t i, n = 0;

	for (i = 0; i < unit->n_events; i++) {
		if (is_user(unit->events[i]) && is_refused_place(unit->events[i]->probe))
			note(kernel, unit, unit->events[i], -KERNEL_ENOTSUPP);
		else
			unit->events[n++] = unit->events[i];
	}
	unit->n_events = n;
}

static void
note_multi(const struct multi_result *result)
{
	uint32_t i;

	if (result->fd >= 0)
		add_link(result->kernel, result->fd);
	for (i = 0; i < result->n_events; i++)
		note(result->kernel, result->unit, result->events[i], result->fd < 0 ? result->fd : 0);
}

/* A unit that has a tracepoint of its own. */
static int
attach_own(struct kernel *kernel, struct unit *unit, struct text *why)
{
	int err = attach[unit->kind](kernel, unit, unit->n_events ? unit->events[0] : NULL);

	note(kernel, unit, NULL, err);
	if (err < 0)
		text_printf(why, "cannot attach to tracepoint %s (%s): %s", unit_infos[unit->kind].point,
			    unit_infos[unit->kind].name, cause_text(kernel, NULL, err));
	return err;
}

/* The kernel does not call the function's programs directly: it gets a kprobe after all. */
static int
attach_instead(struct kernel *kernel, struct unit *unit, int err, struct text *why)
{
	kernel_direct_revert(unit, err);
	err = kernel_load_unit(kernel, unit, why);
	return err < 0 ? err : attach[unit->kind](kernel, unit, unit->events[0]);
}

static int
attach_events(struct kernel *kernel, struct unit *unit, struct text *why)
{
	uint32_t i;
	int err;

	for (i = 0; i < unit->n_events; i++) {
		err = attach[unit->kind](kernel, unit, unit->events[i]);
		if (err < 0 && unit->is_direct)
			err = attach_instead(kernel, unit, err, why);
		note(kernel, unit, unit->events[i], err);
		if (err == -EMFILE || err == -ENFILE || err == -ENOMEM) {
			/* Not the event's fault, and the rest would fare the same. */
			text_printf(why, "cannot attach to %s:%s, after %u others: %s", unit->events[i]->system,
				    unit->events[i]->name, kernel->n_links, cause_text(kernel, NULL, err));
			return err;
		}
	}
	return 0;
}

static int
attach_unit(struct kernel *kernel, struct unit *unit, struct text *why)
{
	if (unit->n_events == 0 || unit->n_slots == 0)
		return attach_own(kernel, unit, why);
	leave_out_refused(kernel, unit);
	if (!unit->multi)
		return attach_events(kernel, unit, why);
	kernel_multi_attach(kernel, unit, note_multi);
	return 0;
}

#define OTHER_DESCRIPTORS 256 /* tables, links of ktap's own, what it inherited */

/* The usual limit of 1024 is soft. The command was forked before. */
static void
raise_file_limit(uint32_t wanted)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < wanted && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

void
kernel_prepare_descriptors(const struct kernel *kernel)
{
	uint32_t i, n = OTHER_DESCRIPTORS;

	/* Each attachment and each program is one. */
	for (i = 0; i < kernel->n_units; i++)
		n += 1 + (kernel->units[i]->multi ? 2 : 2 * kernel->units[i]->n_events);
	raise_file_limit(n);
}

/*
 * Of several at one place the kernel calls the newest first (each is put in front of a list; returns of kernel
 * functions stand in a stack, which turns it round again). Handlers run in the order of the script.
 */
static bool
runs_newest_first(const struct unit *unit)
{
	return unit->kind == UNIT_KPROBE || unit->kind == UNIT_UPROBE || unit->kind == UNIT_URETPROBE ||
	       unit->kind == UNIT_FENTRY || unit->kind == UNIT_FEXIT;
}

int
kernel_attach_all(struct kernel *kernel, struct text *why)
{
	uint32_t i;
	int err = 0;

	kernel->accounts =
		arena_alloc(kernel->arena, (kernel->object->n_handlers + 1) * sizeof(*kernel->accounts));
	for (i = 0; i < kernel->n_units && err == 0; i++)
		if (!runs_newest_first(kernel->units[i]))
			err = attach_unit(kernel, kernel->units[i], why);
	for (i = kernel->n_units; i > 0 && err == 0; i--)
		if (runs_newest_first(kernel->units[i - 1]))
			err = attach_unit(kernel, kernel->units[i - 1], why);
	return err < 0 ? err : check_accounts(kernel, why);
}

/* Links that threads close together: each takes the next one, from the last. */
struct closing {
	const int *links;
	atomic_uint left;
};

static void *
close_links(void *arg)
{
	struct closing *closing = arg;
	uint32_t left = atomic_load(&closing->left);

	while (left)
		if (atomic_compare_exchange_weak(&closing->left, &left, left - 1))
			close(closing->links[left - 1]);
	return NULL;
}

/*
 * Where closing waits for the kernel to see that no CPU is in a program any more (a user function, a tracepoint with fields: tens of
 * milliseconds), several wait at once.
 */
void
kernel_detach_all(struct kernel *kernel)
{
	struct closing closing = { .links = kernel->links };
	pthread_t threads[DETACH_THREADS];
	uint32_t i, n = 0, wanted = kernel->n_links / 2 < DETACH_THREADS ? kernel->n_links / 2 : DETACH_THREADS;

	atomic_init(&closing.left, kernel->n_links);
	while (n < wanted && pthread_create(&threads[n], NULL, close_links, &closing) == 0)
		n++;
	close_links(&closing);
	for (i = 0; i < n; i++)
		pthread_join(threads[i], NULL);
	kernel->n_links = 0;
}

int
kernel_attachable(const struct event *event, struct text *why)
{
	if (!event_is_probe(event) || event->probe->btf_id || probe_type(event) >= 0)
		return 0;
	if (is_user(event))
		text_printf(why, "probe:%s: user function probes are not available: this kernel has no uprobes (CONFIG_UPROBES)",
			    event->probe->definition);
	else
		text_printf(
			why,
			"probe:%s: kernel function probes are not available: this kernel has no kprobes (CONFIG_KPROBES)",
			event->probe->definition);
	return -EOPNOTSUPP;
}
