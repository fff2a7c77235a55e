/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What the files of the kernel source share.
 *
 *     kernel.c        life of the source: open, attach, start, pump, stop, close; the list of steps
 *     kernel_command.c  the traced command, from fork to execve
 *     kernel_table.c  the object's tables as BPF maps
 *     kernel_pin.c    tables kept in bpffs, with types
 *     kernel_plan.c   which registered events are served by which loaded program (unit)
 *     kernel_direct.c probes that are served by direct calls, fentry and fexit
 *     kernel_stub.c   the entry stub of a unit, with its handler in place or calls of several
 *     kernel_image.c  a unit as eBPF: entry stub, what it calls behind it
 *     kernel_load.c   loading; refusals of the verifier with the script's line
 *     kernel_needs.c  what this kernel has and lacks, found by trying
 *     kernel_refusal.c  refusals in the user's terms
 *     kernel_attach.c attaching units to tracepoints, functions, timers
 *     kernel_ring.c   the ring buffer of records
 *     kernel_spaces.c what processes load, for the names of user stacks
 *     kernel_ustack.c user stacks that the kernel does not take as we want them: the function that programs call,
 *     kernel_stacks.c and what becomes of what it sends
 *     kernel_multi.c  one attachment for many functions
 *     kernel_object.c   objects of C compilers, a source of their own
 *     kernel_printk.c   what their programs print
 *     kernel_pids.c   process ids in a pid namespace
 *     kernel_privilege.c  giving up what is not needed any more
 *     kernel_btf.c    the few type numbers and offsets that stubs need from the kernel's BTF
 */
#ifndef KTAP_KERNEL_INT_H
#define KTAP_KERNEL_INT_H

#include <sys/types.h>

#include "source/source.h"

/*
 * Too few rows for a file of their own: UNIT(id, "name", program type, raw tracepoint that it is for or
 * NULL)
 */
#define UNITS(UNIT)                                                                                     \
	UNIT(SYS_ENTER, "sys_enter", BPF_PROG_TYPE_RAW_TRACEPOINT, "sys_enter")                         \
	UNIT(SYS_EXIT, "sys_exit", BPF_PROG_TYPE_RAW_TRACEPOINT, "sys_exit")                            \
	UNIT(RAW, "raw tracepoint", BPF_PROG_TYPE_RAW_TRACEPOINT, NULL)                                 \
	UNIT(TRACEPOINT, "perf tracepoint", BPF_PROG_TYPE_TRACEPOINT, NULL)                             \
	UNIT(KPROBE, "kprobe", BPF_PROG_TYPE_KPROBE, NULL)                                              \
	UNIT(KRETPROBE, "kretprobe", BPF_PROG_TYPE_KPROBE, NULL)                                        \
	UNIT(UPROBE, "uprobe", BPF_PROG_TYPE_KPROBE, NULL)                                              \
	UNIT(URETPROBE, "uretprobe", BPF_PROG_TYPE_KPROBE, NULL)                                        \
	UNIT(FENTRY, "fentry", BPF_PROG_TYPE_TRACING, NULL)                                             \
	UNIT(FEXIT, "fexit", BPF_PROG_TYPE_TRACING, NULL)                                               \
	UNIT(RAWTP, "typed raw tracepoint", BPF_PROG_TYPE_TRACING, NULL)                                \
	UNIT(COUNTER, "counter", BPF_PROG_TYPE_PERF_EVENT, NULL)                                        \
	UNIT(PROFILE, "profile", BPF_PROG_TYPE_PERF_EVENT, NULL)                                        \
	UNIT(INIT, "init", BPF_PROG_TYPE_RAW_TRACEPOINT, NULL)                                          \
	UNIT(FINI, "fini", BPF_PROG_TYPE_RAW_TRACEPOINT, NULL)                                          \
	UNIT(FORK, "follow fork", BPF_PROG_TYPE_TRACEPOINT, "sched_process_fork")                          \
	UNIT(FREE, "follow exit", BPF_PROG_TYPE_TRACEPOINT, "sched_process_free")

enum unit_kind {
#define UNIT(id, name, type, point) UNIT_##id,
	UNITS(UNIT)
#undef UNIT
	N_UNIT_KINDS
};

struct unit_info {
	const char *name;
	enum bpf_prog_type type;
	const char *point;
};

extern const struct unit_info unit_infos[N_UNIT_KINDS];

/* What the stub of sys_enter and sys_exit looks up by system call number. */
struct syscall_entry {
	uint32_t event; /* index in object.events */
	uint32_t slots; /* bit n: slot n of the unit serves it */
};

#define UNIT_SLOTS 32

#define KERNEL_ENOTSUPP 524 /* include/linux/errno.h: not for users, but some parts of the kernel let it out */

#define GUARD_THREADS 64 /* a power of two */

/*
 * Of one CPU; shared by all programs of a run. A program that the kernel may preempt is no obstacle for the thread that runs instead: such ones
 * are counted by the number of their thread. That two threads have the same place costs a run, no more.
 */
struct guard {
	uint64_t n_running;                    /* programs that are between their first instruction and their last */
	uint64_t n_preemptible[GUARD_THREADS]; /* of those that may be preempted, by thread */
	uint64_t n_skipped[];                  /* by handler: runs that were not made, because one was running */
};

/* Behind a scratch memory that is claimed for each run: see kernel_plan.c, plan_scratch. */
struct scratch_claim {
	uint64_t is_taken;  /* by a run that is not over */
	uint64_t n_skipped; /* runs that found none, counted in the last one that they tried */
};

#define SCRATCH_CLAIMED 4 /* memories a CPU that a unit claims from: as many of its runs may be under way there */

/* Handlers whose skipped runs are counted apart: the kernel's per-CPU values have at most 32 kB. Those behind share the last place. */
#define GUARD_HANDLERS_MAX 4000

/* Bytes: process ids are below 1 << 22 (include/linux/threads.h, PID_MAX_LIMIT). */
#define TARGETS_SIZE (1u << 22 >> 3)

/*
 * One loaded program: an entry stub and the handlers that it calls. The two units of system calls serve
 * any number of events and up to UNIT_SLOTS programs (past that there are more units); the other kinds
 * serve one program.
 */
struct unit {
	enum unit_kind kind;
	const struct program *slots[UNIT_SLOTS]; /* called in this order; none in FORK and FREE */
	uint32_t n_slots;
	struct event **events;    /* to attach to; not of system calls */
	uint32_t n_events, cap_events;
	bool multi;               /* probes of functions: attached by kernel_multi.c */
	bool by_cookie;           /* the attachment says which event it is; else the unit serves one event */
	uint32_t btf_id;          /* attached through BTF, for this type: arguments are pointers that may be followed; 0: not */
	const char *btf_module;   /* whose type that is; NULL: the kernel's own */
	bool at_entry;            /* its events are first instructions of user functions: the caller's address is on top of the stack */
	bool is_direct;           /* the script says probe:, a direct call serves it: kernel_direct.c */
	const char *not_direct;   /* of kprobes: why none does */
	const struct field *fields;   /* of the record, and how each is fetched, in place of the event's; NULL: the event's */
	const struct fetch *fetches;
	bool may_nest;            /* its events can happen inside a program that holds a lock of the kernel's: see kernel_plan.c */
	bool counts_foreign;      /* system calls: those by the numbers of 32-bit programs, which none of the units sees */
	bool is_preemptible;      /* another thread may come into its program on a CPU that the first has not left */
	uint32_t scratch_slot;    /* in the scratch table */
	uint32_t n_scratch;       /* memories from there on: none, one, or those that each run claims one of */
	struct syscall_entry *syscalls; /* [SYSCALLS_MAX]; of system calls only */
	uint32_t n_syscalls;      /* entries that are set */
	int syscalls_fd;
	int fd;                   /* the loaded program */
};

/* What of a handler could be attached. */
struct handler_account {
	uint32_t n_attached, n_failed;
	char *first_failure;      /* event and cause */
};

struct registration {
	const struct program *program;
	struct event *event;
};

/* From the kernel's BTF; ids are 0 where it does not know them. */
struct kernel_types {
	uint32_t point_ids[N_UNIT_KINDS]; /* typedef btf_trace_POINT of unit_infos */
	uint32_t task_pid_off, task_tgid_off; /* bytes in struct task_struct; 0: not known */
	uint32_t task_status_off; /* of thread_info.status, which on x86 says how the call in progress was made */
};

/* Bytes from the start of the kernel's structures: see kernel_pids.c. */
struct pid_offsets {
	uint32_t task_pid, task_signal, task_tgid, task_parent; /* struct task_struct: thread_pid, signal, tgid, real_parent */
	uint32_t signal_pids;
	uint32_t level, numbers;                   /* struct pid */
	uint32_t nr, space, upid_size;             /* struct upid: nr, ns */
	uint32_t inum;                             /* struct pid_namespace: ns.inum */
};

/* The pid namespace that we are in. */
struct pid_space {
	bool is_inner;        /* not the host's: numbers differ */
	uint64_t device, inode;
	uint32_t self;        /* our own process id on the host; we are never traced */
	bool knows_levels;    /* the next two are set */
	struct pid_offsets offsets;
	uint32_t level;       /* 0: the host's */
	uint32_t iterator;    /* type id of the kernel's iterator over tasks; 0: it has none */
};

enum feature { FEATURE_UNTRIED, FEATURE_NO, FEATURE_YES };

struct kernel {
	struct source source;
	struct arena *arena;      /* everything below that has no owner of its own */
	const struct object *object;
	struct events *events;
	struct target target;
	bool has_target;
	uint32_t target_on_host;  /* -p: the process's number that programs see; 0: none */

	struct command command;   /* pid 0: none */
	struct gate *gate;        /* where it waits last, see kernel_command.c; NULL: none */
	bool command_gone;        /* waited for */
	int command_status;
	int pidfd;                /* of the traced process; -1: none */
	struct pid_space pids;

	int *tables;              /* descriptors, by index in object.tables */
	const char *pin_dir;      /* made by us in bpffs, with the tables; NULL: none */
	bool has_begun;           /* all is attached, the command runs */
	void *globals;            /* shared memory of the globals table */
	size_t globals_len;
	struct record_ring *ring; /* NULL: no records */
	struct kernel_spaces *spaces; /* NULL: no user stacks */
	struct kernel_stacks *stacks; /* NULL: user stacks are as the kernel takes them */
	int cgroup_fd;            /* table of one control group; -1: all */
	int targets_fd;           /* array of one value: a bit for each process id; -1: no target */
	int scratch_fd;
	uint32_t scratch_size;    /* bytes of one memory, a multiple of 8 */
	uint32_t n_scratch;
	bool guarded;             /* programs say that they run, so that no program of a unit that may_nest runs inside one */
	bool guards_preemptible;  /* some of them is_preemptible */
	int guard_fd;             /* per CPU: struct guard */
	int foreign_fd;           /* array of one u64, what a unit that counts_foreign has counted; -1: none does */
	uint32_t guard_size;      /* bytes of one */

	struct registration *registrations;
	uint32_t n_registrations, cap_registrations;
	struct unit **units;
	uint32_t n_units, cap_units;
	struct handler_account *accounts; /* by handler */
	struct kernel_types types;
	enum feature raw_cookie, perf_cookie, kprobe_multi, uprobe_multi;

	int *links;               /* descriptors whose closing detaches */
	uint32_t n_links, cap_links;
};

/* ---- kernel_table.c -------------------------------------------------------------------------- */

/* Makes the object's tables, with their first contents. Returns 0 or -errno with *why set. */
int
kernel_tables_create(struct kernel *kernel, struct text *why);

/* Bytes of data that a ring buffer table is made with. */
uint32_t
kernel_ring_size(const struct table *table);

/* Makes tables that programs only read final. */
void
kernel_tables_freeze(struct kernel *kernel);

/* Tables of the source itself. Need the plan. */
int
kernel_own_tables_create(struct kernel *kernel, struct text *why);

/* Where in the guard's value a handler's skipped runs are counted. */
uint32_t
kernel_guard_offset(const struct kernel *kernel, uint32_t handler);

/* System calls that were not seen, since they were made by the numbers of 32-bit programs. */
uint64_t
kernel_foreign_calls(const struct kernel *kernel);

/* Adds the runs that our own programs skipped, on all CPUs, by handler: for the guard, and for want of scratch memory. Returns their number. */
uint64_t
kernel_skipped(const struct kernel *kernel, struct nested *by_handler);

/* A process's bit among the targets, mapped so that setting it is one instruction. */
struct target_bit {
	void *page;
	size_t len;
	uint64_t *word; /* NULL: nothing is traced */
	uint64_t mask;
};

/* Returns 0, or -errno with nothing to unmap. */
int
kernel_target_map(const struct kernel *kernel, uint32_t pid, struct target_bit *bit);

/* From now on the process is traced. */
void
kernel_target_set(const struct target_bit *bit);

void
kernel_target_unmap(struct target_bit *bit);

void
kernel_tables_close(struct kernel *kernel);

int
kernel_lookup(struct source *source, uint32_t table, const void *key, void *value);

int
kernel_update(struct source *source, uint32_t table, const void *key, const void *value, uint64_t flags);

int
kernel_remove(struct source *source, uint32_t table, const void *key);

int
kernel_next(struct source *source, uint32_t table, const void *key, void *next);

/* ---- kernel_pin.c ------------------------------------------------------------------------------ */

/*
 * Loads types (BTF) for a table's keys and values: returns their descriptor, which the caller closes, and the ids of both; or -errno.
 */
int
kernel_table_types(const struct kernel *kernel, const struct table *table, uint32_t *key, uint32_t *value);

/* Keeps the tables in bpffs under target.pin. Returns 0 or -errno with *why set. */
int
kernel_pin(struct kernel *kernel, struct text *why);

/* Takes back what kernel_pin made, be it a part: the run did not begin. */
void
kernel_unpin(const struct kernel *kernel);

/* ---- kernel_command.c ------------------------------------------------------------------------ */

/* Forks the command, which waits. Returns 0 or -errno with *why set. */
int
kernel_command_start(struct kernel *kernel, struct text *why);

/* Makes it a target and lets it execute. Does nothing without a command. Returns 0 or -errno with *why set. */
int
kernel_command_go(struct kernel *kernel, struct text *why);

void
kernel_command_fini(struct kernel *kernel);

/* ---- kernel_pids.c ------------------------------------------------------------------------------ */

/* Finds out where we are. Costs a stat(2) on the host, some milliseconds in a namespace. */
void
pid_space_open(struct pid_space *pids);

/* The host's number of a process that has `pid` in our namespace. Returns 0, or -errno with *why set. */
int
pid_space_host(const struct pid_space *pids, pid_t pid, uint32_t *host, struct text *why);

/*
 * A function without arguments that gives what bpf_get_current_pid_tgid gives, in numbers of our namespace: 0 for processes that are not
 * in it. In `arena`. NULL: our bug.
 */
const struct func *
pid_space_func(const struct pid_space *pids, struct arena *arena);

/* What takes the place of FUNC_PPID (ebpf.h) in a namespace: likewise, 0 for a parent that is not in it. */
const struct func *
pid_space_ppid(const struct pid_space *pids, struct arena *arena);

/* ---- kernel_plan.c --------------------------------------------------------------------------- */

/* Sorts the registrations into units. Needs kernel->types. Returns 0 or -errno with *why set. */
int
kernel_plan(struct kernel *kernel, struct text *why);

/* True when a unit of this kind is in the plan. */
bool
kernel_has_unit(const struct kernel *kernel, enum unit_kind kind);

/* The number of the only system call that a unit serves, or -1. Its program then needs no table to look it up. */
int
unit_only_syscall(const struct unit *unit);

/* Does it claim a scratch memory for each run? */
static inline bool
unit_claims(const struct unit *unit)
{
	return unit->n_scratch > 1;
}

/* ---- kernel_direct.c ------------------------------------------------------------------------- */

/* Turns units of kprobes that direct calls can serve into such. Part of the plan. */
void
kernel_plan_direct(struct kernel *kernel);

/* Makes a unit one of kprobes again, not loaded: the kernel has refused, with -errno, to load or attach it. */
void
kernel_direct_revert(struct unit *unit, int err);

/* ---- kernel_stub.c --------------------------------------------------------------------------- */

#define STUB_RECORD_MAX (24 + 8 * (PROBE_ARGS_MAX + 1)) /* of a probe at a function's return; a system call's is shorter */
#define STUB_STACK      (32 + STUB_RECORD_MAX)          /* bytes of the stub's part of a frame */

struct stub_parts {
	const struct program *in_place; /* the program whose code is in it, in the same frame; NULL: all are called */
	uint32_t scripts, scripts_end;  /* between these instructions process ids are asked for as the script means them, elsewhere as the filter does */
};

/* The entry stub of a unit, in `arena`; NULL with *why set. */
const struct func *
kernel_stub(const struct kernel *kernel, const struct unit *unit, struct arena *arena, struct stub_parts *parts, struct text *why);

/* ---- kernel_image.c -------------------------------------------------------------------------- */

/* A unit's loadable program. */
struct image {
	struct bpf_insn *insns;
	uint32_t n_insns;
	const struct func **funcs; /* the parts it consists of, the stub first */
	uint32_t n_funcs;
};

/* Assembles a unit, tables resolved to descriptors, in `arena`. Returns 0 or -errno with *why set. */
int
kernel_image(const struct kernel *kernel, const struct unit *unit, struct arena *arena, struct image *image,
	     struct text *why);

/* ---- kernel_load.c --------------------------------------------------------------------------- */

/* Loads all units. Returns 0 or -errno; *why then holds the refusal with the script's line. */
int
kernel_load(struct kernel *kernel, struct text *why);

/* Loads one unit, likewise. */
int
kernel_load_unit(struct kernel *kernel, struct unit *unit, struct text *why);

/* ---- kernel_needs.c -------------------------------------------------------------------------- */

#define PROGRAM_LICENSE "Dual BSD/GPL" /* helpers that read memory want a licence compatible with the GPL */

struct bpf_prog_load_opts;

/* Does the kernel take a program? Loads it and lets it go. `opts` may be NULL. Returns 0 or -errno. */
int
kernel_try_program(enum bpf_prog_type type, const struct bpf_insn *insns, size_t n_insns, struct bpf_prog_load_opts *opts);

/*
 * Can programs of this type call this helper? One attempt. Where programs are refused for other reasons the answer is yes: loading will tell.
 */
bool
kernel_has_helper(enum bpf_prog_type type, int32_t helper);

/*
 * May another thread come into a uprobe's program on a CPU that the first has not left? Since Linux 6.0 they all run where they may be preempted, for
 * the sake of those that sleep (bpf_prog_run_array_uprobe): what takes the latter does the former. One attempt to load two instructions.
 */
bool
kernel_preempts_uprobes(void);

/* Says what a script's programs need and this kernel has not. False: it has all, and nothing was said. */
bool
kernel_explain_lack(const struct object *object, struct text *why);

/* ---- kernel_refusal.c ------------------------------------------------------------------------ */

/*
 * Explains a refusal by the kernel to do `what`: which privilege is missing, lockdown, the limit of locked memory, no eBPF, or the
 * error's own text.
 */
void
kernel_explain(int err, const char *what, struct text *why);

/* What stands behind a refusal by the verifier, by its log, where that is no fault of the program; else NULL. */
const char *
kernel_log_cause(const char *log);

/* Why attaching is not permitted (EPERM, EACCES): the cause, and the way out. May live in `arena`. */
const char *
kernel_attach_cause(struct arena *arena);

/* ---- kernel_attach.c ------------------------------------------------------------------------- */

/* Attaches all units; a handler that nothing could be attached for is an error. */
int
kernel_attach_all(struct kernel *kernel, struct text *why);

/* Raises the limit of open files where the plan wants many. Needs the plan, before anything is loaded. */
void
kernel_prepare_descriptors(const struct kernel *kernel);

/* Detaches everything. */
void
kernel_detach_all(struct kernel *kernel);

/* Has the kernel several functions of this probe's name, none of which is meant more than the others? Older kernels take the first. */
bool
kernel_is_ambiguous(const struct event *event);

/* Checks, before start, whether an event can be served at all. */
int
kernel_attachable(const struct event *event, struct text *why);

/* ---- kernel_ring.c --------------------------------------------------------------------------- */

/* Maps a ring buffer of `size` bytes of data. Borrows fd. NULL with errno set. */
struct record_ring *
ring_open(int fd, size_t size);

void
ring_close(struct record_ring *ring);

/* Hands at most `max` records to fn. Returns how many. Nobody is woken by the next record until ring_settle. */
int
ring_read(struct record_ring *ring, int max, void (*fn)(void *arg, const void *record, size_t len), void *arg);

/*
 * Waits, for a second at most, until all records that were begun are whole. For the last reading: what is being written on another CPU, when its
 * program has been detached, would end it, and hide what stands behind.
 */
void
ring_complete(struct record_ring *ring);

/* From now on the table's descriptor is ready to read when there is a record. */
void
ring_settle(struct record_ring *ring);

/* ---- kernel_spaces.c ------------------------------------------------------------------------- */

/* Begins to watch, where the object takes user stacks. Call before the command goes and programs are attached. */
int
kernel_spaces_open(struct kernel *kernel, struct text *why);

/* Takes over what the kernel has told since the last call. Costs little where that is nothing. */
void
kernel_spaces_pump(struct kernel *kernel);

struct spaces *
kernel_spaces(struct source *source);

/* A descriptor to poll, so that the kernel's rings do not get full; -1: none. */
int
kernel_spaces_fd(const struct kernel *kernel);

/* How many of the kernel's records were lost: names may be missing. */
uint64_t
kernel_spaces_lost(const struct kernel *kernel);

void
kernel_spaces_close(struct kernel *kernel);

/* ---- kernel_stacks.c ------------------------------------------------------------------------- */

/* Makes ready to take user stacks as they are wanted, where that is not as the kernel takes them. Needs the plan. */
int
kernel_stacks_open(struct kernel *kernel, struct text *why);

/* Takes what programs have sent. */
void
kernel_stacks_pump(struct kernel *kernel);

/* All programs are detached: takes the rest, and puts equal stacks together in tables. */
void
kernel_stacks_stop(struct kernel *kernel);

/* A table is about to be read: puts equal stacks together as far as no program may use them. */
void
kernel_stacks_settle(struct kernel *kernel);

/* Is this the number of a stack of ours? */
bool
kernel_stacks_has(const struct kernel *kernel, uint32_t table, const void *key);

/* The frames of such a one, as the table of stacks would give them. 0 or -ENOENT. */
int
kernel_stacks_lookup(struct kernel *kernel, uint32_t id, void *value);

/* A descriptor to poll; -1: none. */
int
kernel_stacks_fd(const struct kernel *kernel);

void
kernel_stacks_stats(const struct kernel *kernel, struct source_stats *stats);

void
kernel_stacks_close(struct kernel *kernel);

/* ---- kernel_multi.c -------------------------------------------------------------------------- */

/* Can functions of this kind be attached to many at once? Asks the kernel the first time. */
bool
kernel_has_multi(struct kernel *kernel, enum unit_kind kind);

/* The expected_attach_type (bpf(2)) with which a unit of this kind is loaded for it. */
uint32_t
kernel_multi_attach_type(enum unit_kind kind);

/* What became of some of a unit's events: `fd`, which the receiver then owns, or -errno. */
struct multi_result {
	struct kernel *kernel;
	const struct unit *unit;
	struct event **events;
	uint32_t n_events;
	int fd;
};

/* Attaches a unit that is `multi` to all its events; tells `note` of each once, those refused one by one. */
void
kernel_multi_attach(struct kernel *kernel, const struct unit *unit, void (*note)(const struct multi_result *result));

/* ---- kernel_printk.c: what programs print with bpf_trace_printk, for kernel_object.c ----------- */

struct printk;

/* Does a program print? */
bool
printk_is_used(const struct bpf_insn *insns, size_t n);

/* Returns 0 and a new reader, or -errno with *why set. */
int
printk_open(struct printk **out, struct text *why);

int
printk_fd(const struct printk *printk);

/* Hands all lines that are there to fn, "COMMAND-TID: TEXT" and a newline; how many. */
int
printk_pump(struct printk *printk, void (*fn)(void *arg, const char *line, size_t len), void *arg);

void
printk_close(struct printk *printk);

/* ---- kernel_privilege.c ---------------------------------------------------------------------- */

/* Gives up the capabilities that only loading and attaching needed. The command, forked before, keeps its own. */
void
kernel_drop_privilege(void);

/* ---- kernel_btf.c ---------------------------------------------------------------------------- */

/* The descriptor of a loaded module's types, for programs that are loaded for one of them; the caller closes it. -errno: there are none. */
int
kernel_module_types(const char *module);

/* Looks up what struct kernel_types holds in /sys/kernel/btf/vmlinux. What is missing stays 0. */
void
kernel_types_read(struct kernel_types *types);

#define FUNCTION_PARAMS_MAX 6 /* those that registers pass */

struct function_value {
	uint8_t size;         /* bytes: 1, 2, 4, 8; 0: there is none, or it is no number and no pointer */
	bool is_signed;
	uint32_t word;        /* of a direct call's context, from 0 */
};

/* What BTF says of a kernel function. */
struct function_types {
	const char *name;     /* asked for */
	uint32_t id;          /* 0: it is not known, and nothing else is */
	uint32_t n_params;    /* of the function, as far as there is room */
	struct function_value params[FUNCTION_PARAMS_MAX], result;
};

/* Fills in all but the names. */
void
kernel_functions_read(struct function_types *functions, uint32_t n);

#endif
