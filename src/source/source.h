/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * source: where events come from. One small interface, and its implementations: the kernel (kernel.c), our own engine fed by
 * ptrace (ptrace.c), by a recording (replay.c, recording.h) or by a program that hosts scripts (host.c, host.h).
 *
 * Life: source_kernel_open or source_ptrace_open (makes the object's tables) -> attach... -> start -> pump... -> stop -> pump
 * the rest -> table access -> close.
 */
#ifndef KTAP_SOURCE_H
#define KTAP_SOURCE_H

#include <sys/types.h>

#include "ebpf/ebpf.h"
#include "event/event.h"
#include "vm/vm.h"

struct source {
	const struct source_ops *ops;
	const struct object *object;
	uint32_t n_cpus;      /* CPUs of per-CPU tables */
	uint32_t batch_ms;    /* how long after a pump that found records more may be left to come together; 0: not at all */
	uint64_t until;       /* sources with a time of their own: pump handles no event of this time or later; set by the session */
	/* Takes a line that a program of a C compiler's object prints (bpf_trace_printk); set before start, NULL: there are none. */
	void (*print)(void *arg, const char *line, size_t len);
	void *print_arg;
};

/* How user stacks are taken: by the chain of frame pointers, or by call frame information. */
enum unwind { UNWIND_FP, UNWIND_DWARF };

#define STACK_BYTES_DEFAULT 16384
#define STACK_BYTES_MIN     8192
#define STACK_BYTES_MAX     65536

/* What is traced, and how. */
struct target {
	char **argv;          /* command to start and follow with its children and threads; NULL: none */
	pid_t pid;            /* -p: process to follow, with what it starts from now on; 0: none */
	const char *pin;      /* --pin: name under which the kernel engine keeps the tables in bpffs; NULL: not kept */
	const uint32_t *cpu;  /* -C: only what happens on this CPU; NULL: on all. Kernel */
	const char *cgroup;   /* --cgroup: only in this control group (a folder of cgroup v2) and those below it; NULL: in all. Kernel */
	bool drops_privilege; /* kernel: once all is attached, this process gives up what it does not need any more */
	enum unwind unwind;
	uint32_t stack_bytes; /* UNWIND_DWARF in the kernel engine: how much of a stack is copied at most, whole pages; 0: STACK_BYTES_DEFAULT */
};

/* How x86-64 tells the system calls of other tables: both engines leave them out, and count them. */
#define COMPAT_CS 0x23       /* __USER32_CS, arch/x86/include/asm/segment.h: of a 32-bit program */
#define X32_BIT   0x40000000 /* __X32_SYSCALL_BIT, in the number: those of x32 */

struct source_stats {
	uint64_t n_events;    /* handled, where the source knows; else 0 */
	uint64_t n_maps_lost; /* reports of what processes loaded that were lost: names may be missing in user stacks */
	uint64_t n_stacks_cut; /* user stacks that went on behind the stack_bytes that were copied */
	uint32_t stack_bytes;
	uint64_t n_foreign_calls; /* system calls of traced processes through the tables of i386 and x32, which are not seen */
	uint64_t n_stacks_dropped; /* entries of full tables that were lost when equal stacks were put together */
	uint64_t n_lost;      /* events that a recording says it lost; records of a C object that a full perf buffer lost */
	const char *recording; /* its file; NULL: live */
	uint64_t n_damaged;   /* parts of it that could not be read, */
	const char *damage;   /* and where and what the first one was */
	int exit_status;      /* of the command, as from wait(2); valid once command_ended */
	bool command_ended;
};

/* Events for which a handler did not run, because a program was running on that CPU already. */
struct nested {
	uint64_t n;
	bool is_most;         /* a program that serves other handlers, too, was skipped: at most so many would have been this one's */
};

struct source_ops {
	const char *name;     /* "kernel", "user" */
	/*
	 * Registers a program for an event; called while main runs, before start. Returns 0 or -errno with *why set: the event
	 * cannot be served here.
	 */
	int (*attach)(struct source *source, const struct program *program, struct event *event, struct text *why);
	/*
	 * Loads what was registered, runs what init is attached to, attaches the rest, and lets the command go, unless a program of init has called
	 * exit(). Returns 0 or -errno with *why set.
	 */
	int (*start)(struct source *source, struct text *why);
	/* Puts a program into a place of a table of programs. Returns 0 or -errno with *why set. NULL: the source does it by itself. */
	int (*put)(struct source *source, const struct program *program, uint32_t table, uint32_t place, struct text *why);
	/* Runs a program once that no event is for (sections init and fini). Returns 0 or -errno with *why set. NULL: not here. */
	int (*once)(struct source *source, const struct program *program, struct text *why);
	/*
	 * Descriptors to poll for POLLIN until pump has something to do; returns how many were stored (at most max). To be called each
	 * time: they tell of nothing that comes between a pump and this call.
	 */
	int (*poll_fds)(struct source *source, int *fds, int max);
	/*
	 * Moves events and hands finished records to fn, in order. Does not block. Returns the number of records, or -errno.
	 * The user engine does its work here.
	 */
	int (*pump)(struct source *source, void (*fn)(void *arg, const void *record, size_t len), void *arg);
	/* True once the command or process that is traced has ended. Always false without a target. */
	bool (*ended)(struct source *source);
	/*
	 * NULL: events happen while we look on. Else the source's own time in ns, which passes with its events: that of the event
	 * handled last, or `until` once no earlier event is left; before the first pump, that of the first event. Ticks follow it.
	 */
	uint64_t (*time)(struct source *source);
	/* No event reaches a program after this returns. The traced command, if it still runs, goes on (started by us: gets SIGTERM). */
	void (*stop)(struct source *source);
	/* Runs what fini is attached to. After stop and the last pump; what it sends takes one more. Returns 0 or -errno with *why set. NULL: nothing. */
	int (*finish)(struct source *source, struct text *why);
	/* Table access with the meanings of vm.h: keys and values as laid out in the object; per-CPU values CPU after CPU. */
	int (*lookup)(struct source *source, uint32_t table, const void *key, void *value);
	int (*update)(struct source *source, uint32_t table, const void *key, const void *value, uint64_t flags);
	int (*remove)(struct source *source, uint32_t table, const void *key);
	int (*next)(struct source *source, uint32_t table, const void *key, void *next);
	/* Address of the globals' memory, shared with programs; NULL when the object has none. */
	void *(*globals)(struct source *source);
	void (*stats)(struct source *source, struct source_stats *stats);
	/*
	 * Adds what was skipped to by_handler, one for each of the object's handlers; returns how many events that were, each counted once.
	 * NULL: programs never run inside others here.
	 */
	uint64_t (*nested)(struct source *source, struct nested *by_handler);
	/* Adds to by_handler how many calls of each handler ended since their budget was used up. NULL: there are no budgets here. */
	void (*timed_out)(struct source *source, uint64_t *by_handler);
	/*
	 * What is known by now of the address spaces of traced processes, borrowed; NULL: the object takes no user stacks. The operation NULL: nothing
	 * is known here, and frames of programs are shown as addresses.
	 */
	struct spaces *(*spaces)(struct source *source);
	void (*close)(struct source *source);
};

/* Both return 0 and a new source, or -errno with *why naming cause and cure. -EPERM and -ENOSYS mean: not here. */
int
source_kernel_open(struct source **source, const struct object *object, struct events *events, const struct target *target, struct text *why);

int
source_ptrace_open(struct source **source, const struct object *object, struct events *events, const struct target *target, struct text *why);

/* How a source of the user engine runs its programs; before attach. engine.c. */
void
source_set_exec(struct source *source, enum vm_exec exec);

/* May its programs make calls by a register? Before attach. engine.c. */
void
source_set_callx(struct source *source, enum vm_callx callx);

/* The file that an object of a C compiler was read from. */
struct object_file {
	const void *bytes;
	size_t len;
	const char *btf; /* file of the types to fit it to; NULL: the running kernel's */
};

/*
 * An object of a C compiler in the kernel: start loads all of it through libbpf, attaches its programs by the names of their sections and
 * runs those of section init; stop runs those of fini. attach is not for it.
 */
int
source_kernel_object_open(struct source **source, const struct object *object, const struct object_file *file, const struct target *target,
			  struct text *why);

/*
 * Can programs be loaded into this kernel by us? 0, or -errno with *why saying what is missing ("no CAP_BPF ...").
 * Cheap: one attempt.
 */
int
source_kernel_permitted(struct text *why);

/*
 * What a script's object needs and this kernel has not, appended to *list: "helper loop (Linux 5.17), ...". How many; 0 where programs are not permitted
 * anyway.
 */
uint32_t
source_kernel_lacks(const struct object *object, struct text *list);

/* The same for the user engine. */
uint32_t
source_user_lacks(const struct object *object, struct text *list);

/* Does this kernel have the helper BPF_FUNC_x, for tracing? One attempt. */
bool
source_kernel_has_helper(int32_t helper);

/* ---- spaces.c: which file's code was where in which process ---------------------------------------------- */

struct spaces;

/* What tells a file from another that had the same name. What is not known is 0. */
struct file_identity {
	uint8_t build_id[20];
	uint32_t build_id_len;
	uint64_t device, inode;
};

/* A file that a process has mapped; lives as long as its struct spaces. */
struct mapped_file {
	const char *path;     /* as the process sees it; "[vdso]", "//anon" (no file: code made at run time) */
	uint32_t pid;         /* where it was seen first */
	int fd;               /* opened then; negative: it could not be, or there is none */
	struct file_identity identity;
};

struct place {
	const struct mapped_file *file;
	uint64_t offset;      /* in the file */
};

/* NULL: no memory. */
struct spaces *
spaces_new(void);

void
spaces_free(struct spaces *spaces);

/* Executable memory that was mapped. */
struct mapping_seen {
	uint64_t start, len, offset;
	const char *path;     /* copied */
	struct file_identity identity;
};

/* What a source tells, in the order in which it happened. Where there is no memory, names will be missing. */
void
spaces_map(struct spaces *spaces, uint32_t pid, const struct mapping_seen *seen);

void
spaces_exec(struct spaces *spaces, uint32_t pid);

void
spaces_fork(struct spaces *spaces, uint32_t pid, uint32_t parent);

/* Remembered all the same, until very many have ended. */
void
spaces_exit(struct spaces *spaces, uint32_t pid);

/* Takes over what /proc/PID/maps says now. Returns 0 or -errno. */
int
spaces_read(struct spaces *spaces, uint32_t pid);

/* Was anything told of this process? */
bool
spaces_know(struct spaces *spaces, uint32_t pid);

/* The file and the place in it of an address of a process; false: not known. */
bool
spaces_find(struct spaces *spaces, uint32_t pid, uint64_t addr, struct place *place);

/* Opens it anew, for reading. Returns a descriptor or -errno. */
int
mapped_file_open(const struct mapped_file *file);

/* ---- command.c: the traced command, for both sources ------------------------------------------------------ */

#define EXIT_NOT_STARTED 127 /* of the child when it does not come to exec; as a shell says it */

/*
 * Forks a child that waits until command_go, then executes argv (searched in PATH). Returns its pid or -errno. A command that
 * is not found is reported here, before anything else starts (-ENOENT, -EACCES, *why set).
 */
struct command {
	pid_t pid;
	int go_fd;   /* written by command_go */
	int err_fd;  /* errno of a failed exec arrives here */
};

int
command_start(struct command *command, char **argv, struct text *why);

/* The same, with prepare(arg) called in the child just before it executes argv; it may do what is async-signal-safe. */
int
command_start_prepared(struct command *command, char **argv, void (*prepare)(void *arg), void *arg, struct text *why);

/* Lets it execute. Returns 0 once exec succeeded, or -errno of exec. */
int
command_go(struct command *command);

/*
 * The two halves of command_go, for a tracer that has work to do before exec succeeds: lets it execute, without waiting; then,
 * blocking until exec succeeded or failed, tells which.
 */
int
command_release(struct command *command);

int
command_result(struct command *command);

#endif
