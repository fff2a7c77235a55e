/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The plan: which loaded programs (units) serve the registered events, and how they are attached.
 *
 *     event              program reads the record     unit
 *     system calls       any                          one for all entries, one for all exits
 *     tracepoint         no                           raw tracepoint: detaches in 0.1 to 1 ms
 *     tracepoint         yes                          perf tracepoint, whose context is the record: detaches in 50 ms
 *     kernel function    what BTF knows               fentry, fexit: kernel_direct.c; a program for that function, called without a breakpoint
 *     kernel function    any                          kprobe, kretprobe: the stub builds the record from the registers
 *     fentry, fexit      any                          a program for that function, called without a breakpoint
 *     rawtp              any                          a program for that tracepoint
 *     user function      any                          uprobe, uretprobe: likewise
 *                                                     (many of them: through one attachment, kernel_multi.c, where the kernel has that)
 *     profile, counters  no                           perf event on every CPU
 *     init, fini         no                           a program that is run once, in ktap's own process
 *
 * A unit serves all events of its kind and program (raw tracepoints: and system) where an attachment can
 * carry a number (cookie) that says which event it is: perf attachments since Linux 5.15, raw tracepoints
 * since 6.10. Elsewhere there is a unit for each event, which has the number as a constant. What the
 * kernel has is found by trying.
 */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "source/kernel_int.h"

const struct unit_info unit_infos[N_UNIT_KINDS] = {
#define UNIT(id, name, type, point) [UNIT_##id] = { name, type, point },
	UNITS(UNIT)
#undef UNIT
};

bool
kernel_has_unit(const struct kernel *kernel, enum unit_kind kind)
{
	uint32_t i;

	for (i = 0; i < kernel->n_units; i++)
		if (kernel->units[i]->kind == kind)
			return true;
	return false;
}

static struct unit *
add_unit(struct kernel *kernel, enum unit_kind kind)
{
	struct unit *unit = arena_alloc(kernel->arena, sizeof(*unit));

	unit->kind = kind;
	unit->fd = -1;
	unit->syscalls_fd = -1;
	/*
	 * With the kernel's type information arguments are plain pointers; without, they are read through
	 * a helper.
	 */
	unit->btf_id = kernel->types.point_ids[kind];
	kernel->units = arena_grow(kernel->arena, kernel->units, kernel->n_units, &kernel->cap_units,
				   sizeof(*kernel->units));
	kernel->units[kernel->n_units++] = unit;
	return unit;
}

static struct unit *
last_unit(const struct kernel *kernel, enum unit_kind kind)
{
	uint32_t i;

	for (i = kernel->n_units; i > 0; i--)
		if (kernel->units[i - 1]->kind == kind)
			return kernel->units[i - 1];
	return NULL;
}

/* ---- system calls ---------------------------------------------------------------------------- */

/*
 * A slot of the unit that calls `program` behind all slots that `used` holds already (programs run in the
 * order of their registration); a new one if need be. -1: the unit is full.
 */
static int
find_slot(struct unit *unit, const struct program *program, uint32_t used)
{
	uint32_t slot = used ? 32 - (uint32_t)__builtin_clz(used) : 0;

	for (; slot < unit->n_slots; slot++)
		if (unit->slots[slot] == program)
			return (int)slot;
	if (unit->n_slots == UNIT_SLOTS)
		return -1;
	unit->slots[unit->n_slots] = program;
	return (int)unit->n_slots++;
}

static struct unit *
add_syscall_unit(struct kernel *kernel, enum unit_kind kind)
{
	struct unit *unit = add_unit(kernel, kind);

	unit->syscalls = arena_alloc(kernel->arena, SYSCALLS_MAX * sizeof(*unit->syscalls));
	return unit;
}

static void
plan_syscall(struct kernel *kernel, const struct registration *registration)
{
	const struct event *event = registration->event;
	enum unit_kind kind = event->kind == EVENT_SYSCALL_ENTER ? UNIT_SYS_ENTER : UNIT_SYS_EXIT;
	struct unit *unit = last_unit(kernel, kind);
	struct syscall_entry *entry;
	int slot;

	assert(event->number >= 0 && event->number < SYSCALLS_MAX);
	if (!unit)
		unit = add_syscall_unit(kernel, kind);
	slot = find_slot(unit, registration->program, unit->syscalls[event->number].slots);
	if (slot < 0) {
		unit = add_syscall_unit(kernel, kind);
		slot = find_slot(unit, registration->program, 0);
	}
	entry = &unit->syscalls[event->number];
	if (!entry->slots)
		unit->n_syscalls++;
	entry->event = event->index;
	entry->slots |= 1u << slot;
}

/*
 * One unit counts the calls that none sees, where it can look at the registers for next to nothing: that of entries, if there is one. The rest of what
 * it does then costs a call that is not of interest a nanosecond more.
 */
static void
plan_foreign(struct kernel *kernel)
{
	struct unit *chosen = NULL;

	for (uint32_t i = kernel->n_units; i > 0; i--) {
		struct unit *unit = kernel->units[i - 1];

		if (unit->syscalls && unit->btf_id && (!chosen || unit->kind == UNIT_SYS_ENTER))
			chosen = unit;
	}
	if (chosen)
		chosen->counts_foreign = true;
}

int
unit_only_syscall(const struct unit *unit)
{
	int number;

	if (!unit->syscalls || unit->n_syscalls != 1)
		return -1;
	for (number = 0; !unit->syscalls[number].slots; number++)
		;
	return number;
}

/* ---- the other kinds ------------------------------------------------------------------------- */

static bool
try_cookie(enum feature *feature, enum bpf_prog_type type)
{
	if (*feature == FEATURE_UNTRIED)
		*feature = kernel_has_helper(type, BPF_FUNC_get_attach_cookie) ? FEATURE_YES : FEATURE_NO;
	return *feature == FEATURE_YES;
}

static bool
has_cookie(struct kernel *kernel, enum unit_kind kind)
{
	if (kind == UNIT_RAW)
		return try_cookie(&kernel->raw_cookie, unit_infos[kind].type);
	return try_cookie(&kernel->perf_cookie, unit_infos[kind].type);
}

static enum unit_kind
kind_for(const struct registration *registration)
{
	const struct program *program = registration->program;

	switch (registration->event->kind) {
	case EVENT_SYSCALL_ENTER: return UNIT_SYS_ENTER;
	case EVENT_SYSCALL_EXIT: return UNIT_SYS_EXIT;
	case EVENT_TRACEPOINT:
		return program->record_size || program->uses_dynamic ? UNIT_TRACEPOINT : UNIT_RAW;
	case EVENT_KPROBE: return UNIT_KPROBE;
	case EVENT_KRETPROBE: return UNIT_KRETPROBE;
	case EVENT_UPROBE: return UNIT_UPROBE;
	case EVENT_URETPROBE: return UNIT_URETPROBE;
	case EVENT_FENTRY: return UNIT_FENTRY;
	case EVENT_FEXIT: return UNIT_FEXIT;
	case EVENT_RAWTP: return UNIT_RAWTP;
	case EVENT_COUNTER: return UNIT_COUNTER;
	case EVENT_PROFILE: return UNIT_PROFILE;
	case EVENT_INIT: return UNIT_INIT;
	case EVENT_FINI: return UNIT_FINI;
	case N_EVENT_KINDS: break;
	}
	assert(0);
	return UNIT_RAW;
}

static bool
is_at_entry(const struct event *event)
{
	return event->kind == EVENT_UPROBE && event->probe->at_entry;
}

/*
 * A loaded raw tracepoint program does not run while it runs on that CPU: were there one for all, an
 * interrupt's events would be lost to whatever it interrupts. With one a system (irq, sched, kmem: about a
 * hundred) `*:*` takes 15 ms longer to load and loses 20 to 50 times fewer events. The perf attachments
 * share one such guard however many programs there are.
 *
 * A stub that builds a probe's record has the probe's way to fetch values in it.
 */
static bool
may_share(const struct unit *unit, const struct event *event)
{
	if (unit->btf_id || unit->at_entry != is_at_entry(event) || event_is_moment(event))
		return false; /* its program is loaded for one function, takes stacks otherwise, or is run by itself */
	if (event_is_probe(event))
		return !unit->slots[0]->record_size || strcmp(unit->events[0]->probe->args, event->probe->args) == 0;
	return unit->kind != UNIT_RAW || strcmp(unit->events[0]->system, event->system) == 0;
}

/* The unit that takes one more event of this kind and program. */
static struct unit *
unit_for(struct kernel *kernel, enum unit_kind kind, const struct registration *registration)
{
	struct unit *unit;
	uint32_t i;

	for (i = kernel->n_units; i > 0; i--) {
		unit = kernel->units[i - 1];
		if (unit->kind == kind && unit->slots[0] == registration->program &&
		    may_share(unit, registration->event) && has_cookie(kernel, kind))
			return unit;
	}
	unit = add_unit(kernel, kind);
	unit->slots[0] = registration->program;
	unit->n_slots = 1;
	unit->at_entry = is_at_entry(registration->event);
	if (event_is_probe(registration->event)) {
		unit->btf_id = registration->event->probe->btf_id;
		unit->btf_module = registration->event->probe->module;
	}
	return unit;
}

static void
plan_other(struct kernel *kernel, const struct registration *registration)
{
	struct unit *unit = unit_for(kernel, kind_for(registration), registration);

	unit->events = arena_grow(kernel->arena, unit->events, unit->n_events, &unit->cap_events,
				  sizeof(*unit->events));
	unit->events[unit->n_events++] = registration->event;
	unit->by_cookie = unit->n_events > 1;
}

/* ---- followers, scratch memory --------------------------------------------------------------- */

/*
 * A unit that follows targets: with the kernel's types from the tasks that its tracepoint passes, else from the fields of the record that
 * the tracepoint's format describes, which takes longer to detach.
 */
static int
plan_follower(struct kernel *kernel, enum unit_kind kind, struct text *why)
{
	struct unit *unit = add_unit(kernel, kind);
	struct event *event;

	if (unit->btf_id && kernel->types.task_tgid_off && kernel->types.task_pid_off)
		return 0;
	unit->btf_id = 0;
	event = events_find(kernel->events, "sched", unit_infos[kind].point);
	if (!event || event_load_fields(kernel->events, event) < 0) {
		text_puts(why, "children of a process cannot be followed: this kernel has no type information "
			  "(/sys/kernel/btf/vmlinux, CONFIG_DEBUG_INFO_BTF), and tracefs, which would do instead, cannot be read; "
			  "trace without a command, or use --engine=user");
		return -EOPNOTSUPP;
	}
	unit->events = arena_alloc(kernel->arena, sizeof(struct event *));
	unit->events[0] = event;
	unit->n_events = 1;
	return 0;
}

static int
plan_followers(struct kernel *kernel, struct text *why)
{
	int err;

	if (!kernel->has_target)
		return 0;
	err = plan_follower(kernel, UNIT_FORK, why);
	return err < 0 ? err : plan_follower(kernel, UNIT_FREE, why);
}

/* ---- many functions at once ------------------------------------------------------------------ */

#define SINGLES_MAX 512 /* functions that are attached one by one: each costs two descriptors, and a user function 0.15 s in the end */

static bool
has_offset(const struct unit *unit)
{
	uint32_t i;

	for (i = 0; i < unit->n_events; i++)
		if (unit->events[i]->probe->offset)
			return true;
	return false;
}

/*
 * One function of the kernel is a kprobe, whose refusals say more, and which may be anywhere in the function. User functions are always
 * better off.
 */
static bool
wants_multi(const struct unit *unit)
{
	if (unit->kind == UNIT_KPROBE || unit->kind == UNIT_KRETPROBE)
		return unit->n_events > 1 && !has_offset(unit);
	return unit->kind == UNIT_UPROBE || unit->kind == UNIT_URETPROBE;
}

static int
plan_multi(struct kernel *kernel, struct text *why)
{
	struct unit *unit;
	uint32_t i;

	for (i = 0; i < kernel->n_units; i++) {
		unit = kernel->units[i];
		unit->multi = wants_multi(unit) && kernel_has_multi(kernel, unit->kind);
		if (unit->multi || unit->n_events <= SINGLES_MAX || !event_is_probe(unit->events[0]))
			continue;
		text_printf(why, "%u functions at once (%s:%s and others): this kernel attaches to each one by one, which takes long from %d on; "
			    "a narrower pattern will do", unit->n_events, unit->events[0]->system, unit->events[0]->name, SINGLES_MAX);
		return -E2BIG;
	}
	return 0;
}

static bool
is_of_user_function(const struct unit *unit)
{
	return unit->kind == UNIT_UPROBE || unit->kind == UNIT_URETPROBE;
}

/*
 * Tracepoints, kprobes and perf events call programs where nothing preempts them, and fentry and fexit skip a program that runs on the CPU already
 * (and count that): kernel/trace/bpf_trace.c, kernel/bpf/trampoline.c. Programs of uprobes alone have neither.
 */
static void
plan_preemption(struct kernel *kernel)
{
	bool is_preempted = (kernel_has_unit(kernel, UNIT_UPROBE) || kernel_has_unit(kernel, UNIT_URETPROBE)) && kernel_preempts_uprobes();

	for (uint32_t i = 0; i < kernel->n_units; i++)
		kernel->units[i]->is_preemptible = is_preempted && is_of_user_function(kernel->units[i]);
}

/*
 * A loaded program never runs inside itself on a CPU, so a memory a unit is enough, and units of which one interrupts the other have memories of their
 * own. Of one that may be preempted each run claims one of several: the thread that runs meanwhile may call the probed function, too. So may
 * more threads, one after the other; runs that find no memory are skipped and counted. Threads that are preempted just there, on one CPU, are few.
 */
static void
plan_scratch(struct kernel *kernel)
{
	struct unit *unit;
	uint32_t i, slot, size;

	for (i = 0; i < kernel->n_units; i++) {
		unit = kernel->units[i];
		size = 0;
		for (slot = 0; slot < unit->n_slots; slot++)
			if (unit->slots[slot]->scratch_size > size)
				size = unit->slots[slot]->scratch_size;
		if (size > kernel->scratch_size)
			kernel->scratch_size = (uint32_t)round_up(size, 8);
		unit->n_scratch = !size ? 0 : unit->is_preemptible ? SCRATCH_CLAIMED : 1;
		unit->scratch_slot = kernel->n_scratch;
		kernel->n_scratch += unit->n_scratch;
	}
}

/*
 * Programs take locks of the kernel's (ring buffer, elements of tables). An event that happens while such a lock is taken would, if a
 * program ran there that takes the same one, stop the CPU for good: the kernel keeps a program from running inside itself, not
 * inside another, and only since 6.15 its locks notice. These are the tracepoints of locks and those of every change of the interrupt and preemption
 * state; functions of the kernel may be anything.
 */
static bool
may_nest(const struct unit *unit)
{
	const char *system = unit->n_events ? unit->events[0]->system : "";

	switch (unit->kind) {
	case UNIT_RAW:
	case UNIT_TRACEPOINT: return strcmp(system, "lock") == 0 || strcmp(system, "preemptirq") == 0;
	case UNIT_RAWTP: /* it may be one of them */
	case UNIT_FENTRY:
	case UNIT_FEXIT:
	case UNIT_KPROBE:
	case UNIT_KRETPROBE: return true;
	case UNIT_SYS_ENTER:
	case UNIT_SYS_EXIT:
	case UNIT_UPROBE:
	case UNIT_URETPROBE:
	case UNIT_COUNTER:
	case UNIT_PROFILE:
	case UNIT_INIT:
	case UNIT_FINI:
	case UNIT_FORK:
	case UNIT_FREE:
	case N_UNIT_KINDS: break;
	}
	return false;
}

/* One program alone is kept from itself by the kernel; followers take no locks. */
static void
plan_guard(struct kernel *kernel)
{
	uint32_t i, n_handling = 0, n_nesting = 0, n_preemptible = 0;

	for (i = 0; i < kernel->n_units; i++) {
		kernel->units[i]->may_nest = may_nest(kernel->units[i]);
		n_nesting += kernel->units[i]->may_nest;
		n_handling += kernel->units[i]->n_slots > 0;
		n_preemptible += kernel->units[i]->is_preemptible;
	}
	kernel->guarded = n_nesting && n_handling > 1;
	kernel->guards_preemptible = n_preemptible > 0;
}

/* What -d events says of the choice. */
static const char *
reason(const struct unit *unit)
{
	switch (unit->kind) {
	case UNIT_SYS_ENTER:
	case UNIT_SYS_EXIT: return unit->btf_id ? "one program for all calls, registers by BTF" : "one program for all calls, no BTF: registers through a helper";
	case UNIT_RAW: return "no handler reads fields";
	case UNIT_TRACEPOINT: return "a handler reads fields";
	case UNIT_FENTRY:
	case UNIT_FEXIT:
	case UNIT_RAWTP: return unit->is_direct ? "in place of a kprobe: what the handler reads is known by BTF" : "asked for, arguments by BTF";
	case UNIT_KPROBE:
	case UNIT_KRETPROBE: return unit->multi         ? "kprobe.multi, one attachment"
				    : unit->n_events > 1 ? "one by one: an offset, or no kprobe.multi here"
							 : "one function";
	case UNIT_UPROBE:
	case UNIT_URETPROBE: return unit->multi ? "uprobe.multi, one attachment a file" : "one by one: no uprobe.multi here";
	case UNIT_COUNTER:
	case UNIT_PROFILE: return "a perf event on each CPU";
	case UNIT_INIT:
	case UNIT_FINI: return "run once, not attached";
	case UNIT_FORK:
	case UNIT_FREE: return unit->btf_id ? "by the tasks that BTF describes" : "no BTF: by the fields of the tracepoint's format";
	case N_UNIT_KINDS: break;
	}
	return "";
}

static void
print_unit(const struct unit *unit)
{
	uint32_t i, n = unit->syscalls ? unit->n_syscalls : unit->n_events;

	fprintf(stderr, "events: %s (%s)", unit_infos[unit->kind].name, reason(unit));
	if (unit->n_slots)
		fprintf(stderr, ": %u program%s, %u event%s, told apart by %s", unit->n_slots, unit->n_slots == 1 ? "" : "s", n,
			n == 1 ? "" : "s", unit->syscalls ? "number" : unit->by_cookie ? "cookie" : "program");
	fprintf(stderr, "%s\n", unit->may_nest ? ", never inside another" : "");
	if (unit->not_direct)
		fprintf(stderr, "events:     not called directly (fentry, fexit): %s\n", unit->not_direct);
	for (i = 0; i < unit->n_events; i++)
		fprintf(stderr, "events:     %s:%s\n", unit->events[i]->system, unit->events[i]->name);
}

static void
print_plan(const struct kernel *kernel)
{
	uint32_t i;

	for (i = 0; i < kernel->n_units; i++)
		print_unit(kernel->units[i]);
	if (kernel->guarded)
		fprintf(stderr, "events: programs are counted on each CPU, so that none of those runs inside another\n");
}

int
kernel_plan(struct kernel *kernel, struct text *why)
{
	const struct registration *registration;
	uint32_t i;
	int err = plan_followers(kernel, why);

	if (err < 0)
		return err;
	for (i = 0; i < kernel->n_registrations; i++) {
		registration = &kernel->registrations[i];
		if (registration->event->kind == EVENT_SYSCALL_ENTER ||
		    registration->event->kind == EVENT_SYSCALL_EXIT)
			plan_syscall(kernel, registration);
		else
			plan_other(kernel, registration);
	}
	plan_foreign(kernel);
	kernel_plan_direct(kernel);
	err = plan_multi(kernel, why);
	if (err < 0)
		return err;
	plan_preemption(kernel);
	plan_scratch(kernel);
	plan_guard(kernel);
	if (debug_on(DEBUG_EVENTS))
		print_plan(kernel);
	return 0;
}
