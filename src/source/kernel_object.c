/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * An object of a C compiler in the kernel: libbpf loads it and attaches each program by the name of its section. A source like
 * kernel.c's; its programs see the whole system, so that they choose themselves whom to trace:
 *
 *     const volatile int ktap_target;     is set to the process id of the command or process, where the object has it
 *
 * Sections init and fini, which libbpf does not know, hold programs that are run once, before and after. What programs print with
 * bpf_trace_printk is read from a tracefs instance of our own (kernel_printk.c).
 */
#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "source/kernel_int.h"

#define LOG_SIZE      (1u << 20)
#define SAYS_MAX      (1u << 16) /* kept of what libbpf says */
#define LOG_LINES     12
#define TARGET_NAME   "ktap_target"
#define TIMER_PREFIX  "perf_event/"
#define SAMPLE_HZ     99 /* of perf_event programs */
#define PERF_PAGES    64 /* of each CPU's perf buffer */

struct kernel_object {
	struct source source;
	struct arena *arena;
	struct target target;
	struct bpf_object *bpf;
	struct bpf_map **maps;    /* by table */
	struct bpf_link **links;
	uint32_t n_links, cap_links;
	struct command command;   /* pid 0: none */
	int pidfd;                /* of the traced process; -1: none */
	bool gone;                /* the command was waited for */
	int status;
	struct ring_buffer *ring;
	struct perf_buffer **perf;
	uint32_t n_perf, cap_perf;
	struct printk *printk;    /* NULL: no program prints */
	struct pump_call *call;   /* in progress */
	uint64_t n_lost;
	char *log;
	const char *hint;         /* what the error's number does not say; NULL: it says all */
};

struct pump_call {
	void (*fn)(void *arg, const void *record, size_t len);
	void *arg;
	int n;
};

static struct kernel_object *
of(struct source *source)
{
	return (struct kernel_object *)source; /* its first member */
}

/* What libbpf says while a call of it is made; there is one such call at a time (libbpf's printer has no argument). */
static struct text *libbpf_says;

static int
keep_words(enum libbpf_print_level level, const char *format, va_list args)
{
	if (debug_on(DEBUG_KERNEL))
		vfprintf(stderr, format, args);
	else if (libbpf_says && level == LIBBPF_WARN && libbpf_says->len < SAYS_MAX)
		text_vprintf(libbpf_says, format, args);
	return 0;
}

/* ---- refusals ------------------------------------------------------------------------------------------------------------------- */

/* The last lines of a log, before the verifier's statistics. */
static const char *
log_end(const char *log, size_t *len)
{
	const char *end = strstr(log, "\nprocessed "), *start;
	int lines = 0;

	if (!end)
		end = log + strlen(log);
	for (start = end; start > log && lines < LOG_LINES; start--)
		lines += start[-1] == '\n' && start != end;
	*len = (size_t)(end - start);
	return *start == '\n' ? ++start : start;
}

/* "cannot X 'NAME' (SECTION): cause", and what the kernel's verifier or libbpf has to say. */
static void
explain(struct kernel_object *ko, const char *what, const struct bpf_program *prog, int err, const struct text *says, struct text *why)
{
	size_t len;
	bool of_libbpf = err <= -__LIBBPF_ERRNO__START; /* its own, whatever stands in the log */
	const char *end = ko->log && *ko->log && !of_libbpf ? log_end(ko->log, &len) : NULL;
	char cause[128];

	libbpf_strerror(err, cause, sizeof(cause));
	text_printf(why, "%s cannot be %s", ko->source.object->name, what);
	if (prog)
		text_printf(why, ": program '%s' (%s)", bpf_program__name(prog), bpf_program__section_name(prog));
	text_printf(why, ": %s", ko->hint ? ko->hint : cause);
	if (end)
		text_printf(why, "\nthe kernel's verifier says:\n%.*s", (int)len, end);
	else if (says->len)
		text_printf(why, "\nlibbpf says:\n%.*s", (int)(says->s[says->len - 1] == '\n' ? says->len - 1 : says->len), says->s);
}

/* libbpf's numbers are those of files and processes, which these are none of. */
static void
hint_missing(struct kernel_object *ko, int err)
{
	if (err == -ENOENT || err == -ESRCH)
		ko->hint = ko->source.object->btf ? "it refers to what is not there" : "it has no BTF: compile with -g";
}

/* ---- opening --------------------------------------------------------------------------------------------------------------------- */

static bool
is_once(const char *section)
{
	return strcmp(section, "init") == 0 || strcmp(section, "fini") == 0;
}

/* Of sections that libbpf does not know: programs that are run, not attached, are of the kind that can be; "perf_event/HZ". */
static void
prepare_programs(struct kernel_object *ko)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, ko->bpf) {
		const char *section = bpf_program__section_name(prog);

		if (is_once(section))
			bpf_program__set_type(prog, BPF_PROG_TYPE_RAW_TRACEPOINT);
		else if (strncmp(section, TIMER_PREFIX, strlen(TIMER_PREFIX)) == 0)
			bpf_program__set_type(prog, BPF_PROG_TYPE_PERF_EVENT);
	}
}

static void
find_maps(struct kernel_object *ko)
{
	const struct object *object = ko->source.object;

	ko->maps = arena_alloc(ko->arena, (object->n_tables + 1) * sizeof(*ko->maps));
	for (uint32_t i = 0; i < object->n_tables; i++)
		ko->maps[i] = bpf_object__find_map_by_name(ko->bpf, object->tables[i]->name);
}

/* Tells the object whom to trace, where it asks: by the number that programs see. Returns 0 or -errno with *why set. */
static int
set_target(struct kernel_object *ko, pid_t pid, struct text *why)
{
	const struct object *object = ko->source.object;
	uint32_t table, off, size, host;
	struct pid_space pids;
	size_t len;
	char *value;
	int err;

	if (!object_variable(object, TARGET_NAME, &table, &off, &size) || size != sizeof(host) || !ko->maps[table])
		return 0;
	pid_space_open(&pids);
	err = pid_space_host(&pids, pid, &host, why);
	if (err < 0)
		return err;
	value = (char *)(uintptr_t)bpf_map__initial_value(ko->maps[table], &len); /* ours to write before loading */
	if (value && off + sizeof(host) <= len)
		memcpy(value + off, &host, sizeof(host));
	return 0;
}

static int
open_target(struct kernel_object *ko, struct text *why)
{
	pid_t pid = ko->target.pid;
	int err;

	if (ko->target.argv) {
		err = command_start(&ko->command, ko->target.argv, why);
		if (err < 0)
			return err;
		pid = ko->command.pid;
	}
	if (!pid)
		return 0;
	ko->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (ko->pidfd >= 0)
		return set_target(ko, pid, why);
	err = -errno;
	text_printf(why, "process %d: %s", (int)pid, strerror(-err));
	return err;
}

static int
open_object(struct kernel_object *ko, const struct object_file *file, struct text *why)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .object_name = "ktap", .btf_custom_path = file->btf, .kernel_log_buf = ko->log,
		    .kernel_log_size = LOG_SIZE, .kernel_log_level = 0);
	struct text says = { 0 };
	int err = 0;

	libbpf_says = &says;
	ko->bpf = bpf_object__open_mem(file->bytes, file->len, &opts);
	libbpf_says = NULL;
	if (!ko->bpf) {
		err = -errno;
		hint_missing(ko, err);
		explain(ko, "opened", NULL, err, &says, why);
	} else {
		prepare_programs(ko);
		find_maps(ko);
	}
	text_fini(&says);
	return err;
}

/* ---- loading and attaching --------------------------------------------------------------------------------------------------------- */

static int
add_link(struct kernel_object *ko, struct bpf_link *link)
{
	if (!link)
		return -errno;
	ko->links = arena_grow(ko->arena, ko->links, ko->n_links, &ko->cap_links, sizeof(*ko->links));
	ko->links[ko->n_links++] = link;
	return 0;
}

/* Timers on every CPU for section "perf_event", or "perf_event/HZ". */
static int
attach_timers(struct kernel_object *ko, const struct bpf_program *prog)
{
	const char *hz = strchr(bpf_program__section_name(prog), '/');
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.config = PERF_COUNT_SW_CPU_CLOCK,
		.size = sizeof(attr),
		.freq = 1,
		.sample_freq = hz && atoi(hz + 1) > 0 ? (uint64_t)atoi(hz + 1) : SAMPLE_HZ,
	};
	int n_cpus = libbpf_num_possible_cpus(), err = -ENODEV;

	for (int cpu = 0; cpu < n_cpus; cpu++) {
		long fd = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);

		if (fd < 0 && errno == ENODEV)
			continue; /* a CPU that is off */
		err = fd < 0 ? -errno : add_link(ko, bpf_program__attach_perf_event(prog, (int)fd));
		if (err < 0) {
			if (fd >= 0)
				close((int)fd);
			return err;
		}
	}
	return err;
}

/* A tracepoint's number, from our own tracefs: libbpf looks for it only where tracefs is usually mounted. */
static int
tracepoint_id(const char *event)
{
	char path[256];
	char *text;
	int id;

	snprintf(path, sizeof(path), "events/%s/id", event);
	text = tracefs_read(path, NULL);
	if (!text)
		return -errno;
	id = atoi(text);
	free(text);
	return id > 0 ? id : -ENOENT;
}

/* Section "tp/SYSTEM/NAME". The program hangs at the tracepoint itself, on whichever CPU the event is opened. */
static int
attach_tracepoint(struct kernel_object *ko, const struct bpf_program *prog)
{
	const char *event = strchr(bpf_program__section_name(prog), '/');
	struct perf_event_attr attr = { .type = PERF_TYPE_TRACEPOINT, .size = sizeof(attr) };
	int id = event ? tracepoint_id(event + 1) : -ENOENT, n_cpus = libbpf_num_possible_cpus(), err;
	long fd = -1;

	if (id < 0)
		return id;
	attr.config = (uint64_t)id;
	errno = ENODEV;
	for (int cpu = 0; cpu < n_cpus && fd < 0 && errno == ENODEV; cpu++)
		fd = syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	err = fd < 0 ? -errno : add_link(ko, bpf_program__attach_perf_event(prog, (int)fd));
	if (fd >= 0 && err == -EACCES) /* what perf_event_set_bpf_prog says of too large a max_ctx_offset */
		ko->hint = "it reads behind the last field of the event's record";
	if (err < 0 && fd >= 0)
		close((int)fd);
	return err;
}

/* Its section ("raw_tp") names no event: only tail calls reach the program. */
static bool
is_for_tail_calls(const char *name)
{
	const char *rest;
	const struct section *section = section_find(name, &rest);

	return section && section->target != SECTION_NOTHING && !*rest;
}

static int
attach_program(struct kernel_object *ko, const struct bpf_program *prog)
{
	const char *section = bpf_program__section_name(prog);

	if (is_once(section) || is_for_tail_calls(section) || !bpf_program__autoload(prog))
		return 0;
	if (bpf_program__type(prog) == BPF_PROG_TYPE_PERF_EVENT)
		return attach_timers(ko, prog);
	if (bpf_program__type(prog) == BPF_PROG_TYPE_TRACEPOINT)
		return attach_tracepoint(ko, prog);
	return add_link(ko, bpf_program__attach(prog));
}

static int
attach_all(struct kernel_object *ko, struct text *why)
{
	struct bpf_program *prog;
	struct text says = { 0 };
	int err = 0;

	libbpf_says = &says;
	bpf_object__for_each_program(prog, ko->bpf) {
		err = attach_program(ko, prog);
		if (err < 0) {
			explain(ko, "attached", prog, err, &says, why);
			break;
		}
	}
	libbpf_says = NULL;
	text_fini(&says);
	return err;
}

/* The line in which libbpf names the program that was not permitted. */
static void
name_program(const struct text *says, struct text *why)
{
	const char *line = says->len ? strstr(says->s, "libbpf: prog '") : NULL;

	if (line)
		text_printf(why, "\nlibbpf says:\n%.*s", (int)strcspn(line, "\n"), line);
}

static int
load(struct kernel_object *ko, struct text *why)
{
	struct text says = { 0 };
	int err;

	libbpf_says = &says;
	err = bpf_object__load(ko->bpf);
	libbpf_says = NULL;
	if (err == -EPERM) {
		kernel_explain(err, ko->source.object->name, why);
		name_program(&says, why);
	} else if (err < 0) {
		hint_missing(ko, err);
		explain(ko, "loaded", NULL, err, &says, why);
	}
	text_fini(&says);
	return err;
}

/* Runs the programs of a section once, here. */
static int
run_section(struct kernel_object *ko, const char *section, struct text *why)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, ko->bpf) {
		LIBBPF_OPTS(bpf_test_run_opts, run);
		int err;

		if (strcmp(bpf_program__section_name(prog), section) != 0)
			continue;
		err = bpf_prog_test_run_opts(bpf_program__fd(prog), &run);
		if (err < 0) {
			text_printf(why, "program '%s' (%s) cannot be run: %s", bpf_program__name(prog), section, strerror(-err));
			return err;
		}
	}
	return 0;
}

/* ---- records ------------------------------------------------------------------------------------------------------------------------ */

static int
on_record(void *arg, void *record, size_t len)
{
	struct pump_call *call = of(arg)->call;

	call->n++;
	call->fn(call->arg, record, len);
	return 0;
}

static void
on_sample(void *arg, int cpu, void *record, uint32_t len)
{
	(void)cpu;
	on_record(arg, record, len);
}

static void
on_lost(void *arg, int cpu, unsigned long long n)
{
	(void)cpu;
	of(arg)->n_lost += n;
}

static int
open_ring(struct kernel_object *ko, int fd)
{
	if (ko->ring)
		return ring_buffer__add(ko->ring, fd, on_record, ko);
	ko->ring = ring_buffer__new(fd, on_record, ko, NULL);
	return ko->ring ? 0 : -errno;
}

static int
open_perf(struct kernel_object *ko, int fd)
{
	struct perf_buffer *perf = perf_buffer__new(fd, PERF_PAGES, on_sample, on_lost, ko, NULL);

	if (!perf)
		return -errno;
	ko->perf = arena_grow(ko->arena, ko->perf, ko->n_perf, &ko->cap_perf, sizeof(*ko->perf));
	ko->perf[ko->n_perf++] = perf;
	return 0;
}

static int
open_buffers(struct kernel_object *ko, struct text *why)
{
	struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map(map, ko->bpf) {
		if (bpf_map__type(map) == BPF_MAP_TYPE_RINGBUF)
			err = open_ring(ko, bpf_map__fd(map));
		else if (bpf_map__type(map) == BPF_MAP_TYPE_PERF_EVENT_ARRAY)
			err = open_perf(ko, bpf_map__fd(map));
		if (err < 0) {
			text_printf(why, "table '%s' cannot be read: %s", bpf_map__name(map), strerror(-err));
			return err;
		}
	}
	return 0;
}

static int
object_pump(struct source *source, void (*fn)(void *arg, const void *record, size_t len), void *arg)
{
	struct kernel_object *ko = of(source);
	struct pump_call call = { .fn = fn, .arg = arg };
	int err = 0;

	ko->call = &call;
	if (ko->ring)
		err = ring_buffer__consume(ko->ring);
	for (uint32_t i = 0; i < ko->n_perf && err >= 0; i++)
		err = perf_buffer__consume(ko->perf[i]);
	ko->call = NULL;
	if (ko->printk)
		call.n += printk_pump(ko->printk, ko->source.print, ko->source.print_arg);
	return err < 0 ? err : call.n;
}

static int
object_poll_fds(struct source *source, int *fds, int max)
{
	struct kernel_object *ko = of(source);
	int n = 0;

	if (ko->pidfd >= 0 && n < max)
		fds[n++] = ko->pidfd;
	if (ko->ring && n < max)
		fds[n++] = ring_buffer__epoll_fd(ko->ring);
	for (uint32_t i = 0; i < ko->n_perf && n < max; i++)
		fds[n++] = perf_buffer__epoll_fd(ko->perf[i]);
	if (ko->printk && n < max)
		fds[n++] = printk_fd(ko->printk);
	return n;
}

/* ---- life --------------------------------------------------------------------------------------------------------------------------- */

static int
object_attach(struct source *source, const struct program *program, struct event *event, struct text *why)
{
	(void)source, (void)program, (void)event;
	text_puts(why, "programs of an object are attached by their sections");
	return -EOPNOTSUPP;
}

static bool
prints(const struct kernel_object *ko)
{
	struct bpf_program *prog;

	bpf_object__for_each_program(prog, ko->bpf)
		if (printk_is_used(bpf_program__insns(prog), bpf_program__insn_cnt(prog)))
			return true;
	return false;
}

static int
object_start(struct source *source, struct text *why)
{
	struct kernel_object *ko = of(source);
	int err = load(ko, why);

	if (err == 0)
		err = open_buffers(ko, why);
	if (err == 0 && prints(ko))
		err = printk_open(&ko->printk, why);
	if (err == 0)
		err = run_section(ko, "init", why);
	if (err == 0)
		err = attach_all(ko, why);
	if (err == 0 && ko->command.pid) {
		err = command_go(&ko->command);
		if (err < 0)
			text_printf(why, "command '%s' cannot be executed: %s", ko->target.argv[0], strerror(-err));
	}
	if (err == 0 && ko->target.drops_privilege)
		kernel_drop_privilege();
	return err;
}

static void
reap(struct kernel_object *ko, int flags)
{
	pid_t pid;

	if (!ko->command.pid || ko->gone)
		return;
	do
		pid = waitpid(ko->command.pid, &ko->status, flags);
	while (pid < 0 && errno == EINTR);
	ko->gone = pid == ko->command.pid || (pid < 0 && errno == ECHILD);
}

static bool
object_ended(struct source *source)
{
	struct kernel_object *ko = of(source);
	struct pollfd one = { .fd = ko->pidfd, .events = POLLIN };

	reap(ko, WNOHANG);
	return ko->command.pid ? ko->gone : ko->pidfd >= 0 && poll(&one, 1, 0) > 0;
}

static void
object_stop(struct source *source)
{
	struct kernel_object *ko = of(source);
	struct text why = { 0 };

	for (uint32_t i = ko->n_links; i > 0; i--)
		bpf_link__destroy(ko->links[i - 1]);
	ko->n_links = 0;
	if (run_section(ko, "fini", &why) < 0)
		complain("%s", why.s);
	text_fini(&why);
	reap(ko, WNOHANG);
	if (ko->command.pid && !ko->gone)
		kill(ko->command.pid, SIGTERM);
}

static void
object_stats(struct source *source, struct source_stats *stats)
{
	struct kernel_object *ko = of(source);

	*stats = (struct source_stats){ .n_lost = ko->n_lost, .command_ended = ko->gone, .exit_status = ko->status };
}

static void
object_close(struct source *source)
{
	struct kernel_object *ko = of(source);

	for (uint32_t i = ko->n_links; i > 0; i--)
		bpf_link__destroy(ko->links[i - 1]);
	if (ko->command.pid && ko->command.go_fd >= 0) { /* never let go */
		close(ko->command.go_fd);
		close(ko->command.err_fd);
		kill(ko->command.pid, SIGKILL);
		reap(ko, 0);
	}
	ring_buffer__free(ko->ring);
	for (uint32_t i = 0; i < ko->n_perf; i++)
		perf_buffer__free(ko->perf[i]);
	printk_close(ko->printk);
	bpf_object__close(ko->bpf);
	if (ko->pidfd >= 0)
		close(ko->pidfd);
	free(ko->log);
	arena_free(ko->arena);
}

/* ---- tables ------------------------------------------------------------------------------------------------------------------------- */

/* -1: bpf(2) then says that there is no such table. */
static int
map_fd(struct source *source, uint32_t table)
{
	struct bpf_map *map = of(source)->maps[table];

	return map ? bpf_map__fd(map) : -1;
}

static int
object_lookup(struct source *source, uint32_t table, const void *key, void *value)
{
	return bpf_map_lookup_elem(map_fd(source, table), key, value);
}

static int
object_update(struct source *source, uint32_t table, const void *key, const void *value, uint64_t flags)
{
	return bpf_map_update_elem(map_fd(source, table), key, value, flags);
}

static int
object_remove(struct source *source, uint32_t table, const void *key)
{
	return bpf_map_delete_elem(map_fd(source, table), key);
}

static int
object_next(struct source *source, uint32_t table, const void *key, void *next)
{
	return bpf_map_get_next_key(map_fd(source, table), key, next);
}

static void *
object_globals(struct source *source)
{
	(void)source;
	return NULL;
}

static const struct source_ops object_ops = {
	.name = "kernel",
	.attach = object_attach,
	.start = object_start,
	.poll_fds = object_poll_fds,
	.pump = object_pump,
	.ended = object_ended,
	.stop = object_stop,
	.lookup = object_lookup,
	.update = object_update,
	.remove = object_remove,
	.next = object_next,
	.globals = object_globals,
	.stats = object_stats,
	.close = object_close,
};

int
source_kernel_object_open(struct source **source, const struct object *object, const struct object_file *file, const struct target *target,
			  struct text *why)
{
	struct arena *arena = arena_new();
	struct kernel_object *ko = arena_alloc(arena, sizeof(*ko));
	int err;

	ko->source = (struct source){ .ops = &object_ops, .object = object, .n_cpus = (uint32_t)libbpf_num_possible_cpus() };
	ko->arena = arena;
	ko->target = *target;
	ko->pidfd = -1;
	ko->log = mem_alloc(LOG_SIZE);
	libbpf_set_print(keep_words);
	err = ko->log ? open_object(ko, file, why) : -ENOMEM;
	if (err == 0)
		err = open_target(ko, why);
	if (err < 0) {
		object_close(&ko->source);
		return err;
	}
	*source = &ko->source;
	return 0;
}
