/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Events that a program fires by itself, in any of its threads.
 *
 * A handler runs on a lane, which has what a run needs for itself: memory for the record, scratch memory, and one of the values of each
 * per-CPU table. Who fires takes a lane that is free, that of his CPU if he can, and gives it back behind the last handler; nobody
 * waits for another but where all lanes are taken, of which there are two for each CPU, for threads that lose theirs while they hold one.
 *
 *     lane   | busy | n_events |  record: 8 bytes, the host's struct as far as it is read, zeros  |  scratch  |
 *
 * Stopping needs no lock either: who fires first takes a lane and then looks whether the end has come; who stops first says so and then
 * looks at the lanes. One of the two sees the other.
 */
#include <errno.h>
#include <link.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "source/calls.h"
#include "source/engine.h"
#include "source/host.h"

#define CACHE_LINE 64
#define LANES_MAX  128

struct hook {
	struct hook *next;
	const struct loaded *loaded;
	const struct event *event;
};

/* An event of the host, by its number. */
struct target_event {
	struct hook *hooks;  /* in the order of their registration */
	uint32_t n_read;     /* bytes of its record that some handler reads, */
	uint32_t n_copied;   /* and those of them that the host's struct has; the rest is 0 */
	uint32_t n_frames;   /* of the stack: as many as some handler takes, those included that it skips */
};

struct lane {
	_Alignas(CACHE_LINE) int busy; /* 0, 1; atomic. The rest belongs to who made it 1 */
	uint32_t number;
	uint64_t n_events;
	char *record, *scratch;
};

struct host {
	struct engine engine;
	struct target_event events[HOST_EVENTS_MAX];
	struct lane *lanes;        /* engine.source.n_cpus */
	char *memory;              /* their records and scratch */
	uint32_t record_size, scratch_size; /* the most that any handler reads or uses */
	uint64_t *n_timed_out;     /* by handler; atomic */
	int stopped;               /* atomic */
	struct spaces *spaces;     /* what is mapped here, as it was when so many libraries had come and gone, in this process */
	unsigned long long n_loads;
	pid_t pid;
};

static struct host *
of(struct source *source)
{
	return (struct host *)((char *)source - offsetof(struct host, engine.source));
}

/* ---- firing -------------------------------------------------------------------------------------------------- */

static struct lane *
take_lane(struct host *host, uint32_t cpu)
{
	uint32_t n = host->engine.source.n_cpus;

	for (uint32_t i = 0;; i++) {
		struct lane *lane = &host->lanes[(cpu + i) % n];

		if (!__atomic_load_n(&lane->busy, __ATOMIC_RELAXED) && !__atomic_exchange_n(&lane->busy, 1, __ATOMIC_SEQ_CST))
			return lane;
		if (i % n == n - 1)
			sched_yield();
	}
}

static void
give_lane(struct lane *lane)
{
	__atomic_store_n(&lane->busy, 0, __ATOMIC_RELEASE);
}

/* vm_env.read_user: of our own memory, where an address that is none must do no harm. */
static int64_t
read_own(void *arg, uint64_t addr, void *dst, size_t len)
{
	struct iovec local = { .iov_base = dst, .iov_len = len }, remote = { .iov_base = (void *)(uintptr_t)addr, .iov_len = len };
	ssize_t n = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);

	(void)arg;
	return n < 0 ? -EFAULT : n;
}

static void
fill_record(const struct lane *lane, const struct target_event *event, const void *context)
{
	if (event->n_copied)
		memcpy(lane->record + HOST_HEADER_SIZE, context, event->n_copied);
	if (event->n_read > HOST_HEADER_SIZE + event->n_copied)
		memset(lane->record + HOST_HEADER_SIZE + event->n_copied, 0, event->n_read - HOST_HEADER_SIZE - event->n_copied);
}

static int
run_handlers(struct host *host, struct lane *lane, const struct target_event *event, const struct vm_env *who)
{
	struct vm_env env = *who;
	uint64_t result;
	int n = 0;

	env.lane = lane->number + 1;
	env.read_user = read_own;
	for (const struct hook *hook = event->hooks; hook && !engine_exited(&host->engine); hook = hook->next, n++) {
		const uint64_t args[5] = { (uintptr_t)lane->record, 0, hook->event->index, vm_env_ids(&env), (uintptr_t)lane->scratch };

		if (vm_run_bounded(host->engine.vm, hook->loaded->run, &env, args, &result) == -ETIME)
			__atomic_fetch_add(&host->n_timed_out[hook->loaded->program->handler], 1, __ATOMIC_RELAXED);
	}
	lane->n_events += n > 0;
	return n;
}

bool
source_host_has(struct source *source, uint32_t number)
{
	return number < HOST_EVENTS_MAX && of(source)->events[number].hooks && !__atomic_load_n(&of(source)->stopped, __ATOMIC_RELAXED);
}

uint32_t
source_host_stack_depth(struct source *source, uint32_t number)
{
	return of(source)->events[number].n_frames;
}

int
source_host_fire(struct source *source, uint32_t number, const void *context, const struct vm_env *who)
{
	struct host *host = of(source);
	const struct target_event *event = &host->events[number];
	struct lane *lane;
	int n = 0;

	if (!source_host_has(source, number))
		return 0;
	lane = take_lane(host, who->cpu);
	if (!__atomic_load_n(&host->stopped, __ATOMIC_SEQ_CST)) {
		fill_record(lane, event, context);
		n = run_handlers(host, lane, event, who);
	}
	give_lane(lane);
	return n;
}

/* ---- attaching ------------------------------------------------------------------------------------------------ */

static uint32_t
larger(uint32_t a, uint32_t b)
{
	return a > b ? a : b;
}

static void
note_sizes(struct host *host, struct target_event *target, const struct program *program, const struct event *event)
{
	uint32_t all = larger(program->record_size, HOST_HEADER_SIZE);

	if (program->uses_dynamic) /* argstr: reads on behind record_size */
		all = larger(all, event->record_size);
	target->n_read = larger(target->n_read, all);
	target->n_copied = (target->n_read < event->record_size ? target->n_read : event->record_size) - HOST_HEADER_SIZE;
	host->record_size = larger(host->record_size, target->n_read);
	host->scratch_size = larger(host->scratch_size, program->scratch_size);
}

/* calls_each: the stacks that a program takes. */
struct taker {
	const struct program *program;
	uint32_t n_frames;
};

static void
note_call(void *arg, const struct call *call)
{
	const struct object *object = call->object;
	struct taker *taker = arg;

	if (call->helper == BPF_FUNC_get_stackid && object->programs[call->program] == taker->program && object->stacks[STACKS_USER].first != UINT32_MAX)
		taker->n_frames = larger(taker->n_frames, object->tables[object->stacks[STACKS_USER].first]->value_size / 8 +
							  (call_stack_flags(call) & BPF_F_SKIP_FIELD_MASK));
}

static void
note_stacks(struct target_event *target, const struct object *object, const struct program *program)
{
	struct taker taker = { .program = program };

	calls_each(object, note_call, &taker);
	target->n_frames = larger(target->n_frames, taker.n_frames);
}

static int
host_attach(struct source *source, const struct program *program, struct event *event, struct text *why)
{
	struct host *host = of(source);
	struct hook *hook, **at;

	if (event_is_moment(event))
		return engine_add_moment(&host->engine, program, event, why);
	if (event->kind != EVENT_TRACEPOINT || event->id < 0 || event->id >= HOST_EVENTS_MAX) {
		text_puts(why, "only the events of the program that runs this script can be traced here");
		return -EOPNOTSUPP;
	}
	hook = mem_alloc(sizeof(*hook));
	if (!hook)
		return -ENOMEM;
	*hook = (struct hook){ .loaded = engine_load(&host->engine, program, why), .event = event };
	if (!hook->loaded) {
		free(hook);
		return -errno;
	}
	for (at = &host->events[event->id].hooks; *at; at = &(*at)->next)
		;
	*at = hook;
	note_sizes(host, &host->events[event->id], program, event);
	note_stacks(&host->events[event->id], source->object, program);
	return 0;
}

/* ---- start, pump, stop ------------------------------------------------------------------------------------------ */

static int
make_lanes(struct host *host)
{
	uint32_t n = host->engine.source.n_cpus;
	size_t record = round_up(host->record_size, CACHE_LINE), scratch = round_up(host->scratch_size, CACHE_LINE);

	host->memory = mem_alloc(n * (record + scratch) + CACHE_LINE); /* not 0 */
	if (host->memory)
		host->lanes = aligned_alloc(CACHE_LINE, n * sizeof(*host->lanes));
	if (!host->lanes)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		host->lanes[i] = (struct lane){ .number = i, .record = host->memory + i * (record + scratch) };
		host->lanes[i].scratch = host->lanes[i].record + record;
	}
	return 0;
}

static int
host_start(struct source *source, struct text *why)
{
	struct host *host = of(source);

	if (make_lanes(host) < 0) {
		text_puts(why, "no memory for the records of events");
		return -ENOMEM;
	}
	engine_run_moments(&host->engine, EVENT_INIT);
	return 0;
}

static bool
host_ended(struct source *source)
{
	(void)source;
	return false;
}

static void
host_stop(struct source *source)
{
	struct host *host = of(source);

	__atomic_store_n(&host->stopped, 1, __ATOMIC_SEQ_CST);
	for (uint32_t i = 0; host->lanes && i < source->n_cpus; i++)
		while (__atomic_load_n(&host->lanes[i].busy, __ATOMIC_SEQ_CST))
			sched_yield();
}

static void
host_stats(struct source *source, struct source_stats *stats)
{
	const struct host *host = of(source);

	engine_stats(source, stats);
	for (uint32_t i = 0; host->lanes && i < source->n_cpus; i++)
		stats->n_events += host->lanes[i].n_events;
}

static void
host_timed_out(struct source *source, uint64_t *by_handler)
{
	for (uint32_t i = 0; i < source->object->n_handlers; i++)
		by_handler[i] += __atomic_load_n(&of(source)->n_timed_out[i], __ATOMIC_RELAXED);
}

/* dl_iterate_phdr(3): how many libraries have come and gone; the first call knows. */
static int
count_loads(struct dl_phdr_info *info, size_t size, void *n)
{
	(void)size;
	*(unsigned long long *)n = info->dlpi_adds + info->dlpi_subs;
	return 1;
}

/* Of this process: read when a stack is shown, and again if a library has been loaded since. */
static struct spaces *
host_spaces(struct source *source)
{
	struct host *host = of(source);
	unsigned long long n_loads = 0;
	pid_t pid = getpid();

	if (source->object->stacks[STACKS_USER].first == UINT32_MAX)
		return NULL;
	if (!host->spaces)
		host->spaces = spaces_new();
	dl_iterate_phdr(count_loads, &n_loads);
	if (!host->spaces || (host->pid == pid && host->n_loads == n_loads))
		return host->spaces;
	spaces_read(host->spaces, (uint32_t)pid);
	host->pid = pid;
	host->n_loads = n_loads;
	return host->spaces;
}

static void
host_close(struct source *source)
{
	struct host *host = of(source);
	struct hook *hook;

	for (uint32_t i = 0; i < HOST_EVENTS_MAX; i++)
		while ((hook = host->events[i].hooks)) {
			host->events[i].hooks = hook->next;
			free(hook);
		}
	engine_fini(&host->engine);
	spaces_free(host->spaces);
	free(host->lanes);
	free(host->memory);
	free(host->n_timed_out);
	free(host);
}

static const struct source_ops host_ops = {
	.name = "host",
	.attach = host_attach,
	.start = host_start,
	.put = engine_put,
	.once = engine_once,
	.poll_fds = engine_poll_fds,
	.pump = engine_pump,
	.ended = host_ended,
	.stop = host_stop,
	.finish = engine_finish,
	.lookup = engine_lookup,
	.update = engine_update,
	.remove = engine_remove,
	.next = engine_next,
	.globals = engine_globals,
	.stats = host_stats,
	.timed_out = host_timed_out,
	.spaces = host_spaces,
	.close = host_close,
};

static uint32_t
count_lanes(void)
{
	long n = 2 * sysconf(_SC_NPROCESSORS_ONLN);

	return n < 2 ? 2 : n > LANES_MAX ? LANES_MAX : (uint32_t)n;
}

int
source_host_open(struct source **source, const struct object *object, struct events *events, struct text *why)
{
	struct host *host = mem_alloc(sizeof(*host));
	int err = -ENOMEM;

	if (host)
		host->n_timed_out = mem_alloc((object->n_handlers + 1) * sizeof(*host->n_timed_out));
	if (host && host->n_timed_out)
		err = engine_init(&host->engine, &host_ops, object, events, count_lanes(), why);
	if (err == 0) {
		*source = &host->engine.source;
		return 0;
	}
	if (!why->s)
		text_puts(why, "no memory for a script");
	if (host) {
		host->engine.source.object = object;
		host_close(&host->engine.source);
	}
	return err;
}

void
source_host_limit(struct source *source, uint32_t budget, enum vm_constants constants)
{
	vm_set_budget(of(source)->engine.vm, budget);
	vm_set_constants(of(source)->engine.vm, constants);
}

int
source_host_each(struct source *source, uint32_t table, int (*fn)(void *arg, const void *key), void *arg)
{
	return vm_table_each(of(source)->engine.vm, table, fn, arg);
}

/* ---- what no host can answer -------------------------------------------------------------------------------------- */

static const struct {
	int32_t helper;
	const char *what;
} lacks[] = {
	{ BPF_FUNC_get_stackid, "stacks of the kernel" },
	{ BPF_FUNC_get_stack, "stacks of the kernel" },
	{ BPF_FUNC_get_current_cgroup_id, "control groups" },
	{ BPF_FUNC_get_current_task, "structures of the kernel" },
	{ BPF_FUNC_get_current_task_btf, "structures of the kernel" },
};

static void
check_call(void *arg, const struct call *call)
{
	if (call->helper == BPF_FUNC_get_stackid && call_stack_flags(call) & BPF_F_USER_STACK)
		return; /* which who fires has */
	for (size_t i = 0; i < ARRAY_SIZE(lacks); i++)
		if (call->helper == lacks[i].helper)
			diag_error(arg, call_span(call->func, call->pc), "not-in-host", "programs that host scripts have no %s", lacks[i].what);
}

void
source_host_check(const struct object *object, struct diags *diags)
{
	for (uint32_t i = 0; i < object->n_handlers; i++) {
		struct diag *diag;

		if (object->handlers[i]->kind != HANDLER_PROFILE)
			continue;
		diag = diag_error(diags, object->handlers[i]->span, "not-in-host", "programs that host scripts have no timer on every CPU");
		diag_help(diags, diag, "tick-N runs in the program's own loop");
	}
	calls_each(object, check_call, diags);
}
