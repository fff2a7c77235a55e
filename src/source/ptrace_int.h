/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What the files of the user engine's source share.
 *
 *     ptrace.c         life of the source: open, attach, start, pump, stop, close; reads as the list of all steps
 *     ptrace_attach.c  beginning and ending to trace: the command, a running process
 *     ptrace_stop.c    what each stop of a traced thread means
 *     ptrace_call.c    what a stop at a system call says
 *     ptrace_task.c    the traced threads, and who they are
 *     ptrace_record.c  records of events, and the programs that are run on them
 *     ptrace_stack.c   stacks of the traced threads, and what their processes have loaded
 *     ptrace_raw.c     what a raw tracepoint of system calls hands to a program
 *     ptrace_filter.c  the seccomp filter: stops at the system calls that somebody wants, full speed at the others
 *     ptrace_front.c   how ktap ends while processes with the filter live on
 */
#ifndef KTAP_PTRACE_INT_H
#define KTAP_PTRACE_INT_H

#include <linux/filter.h>
#include <sys/types.h>
#include <sys/user.h>

#include "source/engine.h"
#include "source/ptrace_record.h"
#include "source/unwind.h"

/* Traced threads; one that is known from its parent's fork, or from its own first stop, whichever comes first. */
struct task {
	struct task *next;        /* of the same hash */
	pid_t tid, tgid;
	uint32_t uid, gid;        /* real ones */
	char comm[16];
	bool knows_tgid, knows_ids, knows_comm;
	bool is_stale;            /* the call in progress changes ids or comm: they are read anew after it */
	bool in_call;             /* between the stops of a call's entry and exit */
	bool is_inside;           /* the same, of any call: the next stop at one is its exit, unless the filter makes it */
	int32_t number;           /* of the call in progress; -1: not known */
	bool announced;           /* its parent's fork was seen, or it has none that we trace */
	bool is_held;             /* stopped at its birth until its parent's fork is seen, */
	uint64_t held_since;      /* or too long ago (ns, CLOCK_MONOTONIC) */
	uint64_t clone_args;      /* where clone3 in progress was given CLONE_UNTRACED, which was taken away; 0: nowhere */
	int32_t born_in;          /* number of the call that made it, whose exit it returns from too; -1: none */
	char *exec_path;          /* what execve in progress was given, where somebody asks */
};

#define TASK_BUCKETS 256

/* One registered program for one event, in the order of registration. */
struct hook {
	struct hook *next;
	struct loaded *loaded;    /* NULL: the record itself is wanted, by tracer.record_fn */
	const struct event *event;
};

/* Events other than system calls that this engine makes; the rows of event/user_events.def. */
enum process_event {
	PROCESS_FORK, PROCESS_EXEC, PROCESS_EXIT, PROCESS_SIGNAL,
	PROCESS_ANY_ENTER, PROCESS_ANY_EXIT, /* of any system call, whichever it is; for programs of C compilers */
	N_PROCESS_EVENTS
};

#define FILTER_INSNS_MAX 2048

/* What the command's process has to know before it executes; in memory shared with it, since it is forked before main runs. */
struct filter_page {
	struct sock_filter insns[FILTER_INSNS_MAX];
	uint16_t n_insns;         /* 0: no filter is wanted */
	int error;                /* set by the child: why there is no filter after all */
};

/* What waitpid(2) reports of a thread. */
struct report {
	pid_t tid;
	int status;
};

#define PTRACE_RECORD_MAX 8192 /* bytes of a record */

struct tracer {
	struct engine engine;
	struct target target;
	struct hook *enter[SYSCALLS_MAX], *exit[SYSCALLS_MAX], *process[N_PROCESS_EVENTS];
	uint32_t n_hooks;
	struct task *tasks[TASK_BUCKETS];
	struct report *reports;   /* fetched and not yet handled; room for one a task */
	uint32_t cap_reports;
	uint32_t n_tasks, n_held;
	struct command command;
	struct filter_page *page;
	pid_t leader;             /* first process: the command, or that of -p; 0: none */
	bool is_traced;           /* threads of the leader are traced; without programs nothing is */
	bool traces_calls;        /* system calls are of interest */
	bool no_call_info;        /* the kernel has no PTRACE_GET_SYSCALL_INFO */
	uint64_t n_foreign;       /* calls through the tables of i386 and x32 */
	bool use_filter;          /* seccomp tells the calls; else every call stops twice */
	bool going;               /* the command has come to its execve: programs run */
	bool executed;            /* its execve succeeded */
	bool over;                /* no program runs any more */
	bool ended;               /* the leader has */
	int exit_status;
	ptrace_record_fn *record_fn;
	void *record_arg;
	uint32_t record_len;      /* of the record being built */
	int signal_fd;
	bool signal_was_blocked;  /* SIGCHLD, before us */
	struct spaces *spaces;    /* NULL: no user stacks are taken */
	struct unwinder *unwinder; /* NULL: stacks are taken by frame pointers */
	uint64_t no_code;         /* an address of a stack that is none */
	uint64_t regs[64], raw_args[12]; /* ptrace_raw.c */
	/* The record being built; PTRACE_RECORD_MAX bytes. */
	unsigned char record[PTRACE_RECORD_MAX] __attribute__((aligned(16)));
};

/* ---- ptrace_task.c ------------------------------------------------------------------------------------ */

struct task *
task_find(struct tracer *tracer, pid_t tid);

/* The task of this thread, made where it is not known. NULL: no memory. */
struct task *
task_get(struct tracer *tracer, pid_t tid);

void
task_remove(struct tracer *tracer, struct task *task);

/* Execve of a thread that is not the first: it takes the thread id of the first, whose task ends. Returns the one task that stays. */
struct task *
task_take_over(struct tracer *tracer, pid_t old_tid, pid_t tid);

void
tasks_free(struct tracer *tracer);

/* What a new task inherits. */
void
task_inherit(struct task *child, const struct task *parent, bool same_process);

/* Forgets what may have changed: ids and comm. */
void
task_forget(struct task *task);

/* Fills in ids and comm from /proc where they are not known. */
void
task_identify(struct task *task);

/* A mask of signals by the name it has in /proc/TID/status ("SigIgn"); 0 where it can't be read. */
uint64_t
task_signal_mask(pid_t tid, const char *name);

/* Reads memory of a thread's process; see vm_env.read_user. `arg` is the tracer, env.tid the thread. */
int64_t
task_read_memory(void *arg, uint64_t addr, void *dst, size_t len);

/* ---- ptrace_call.c ------------------------------------------------------------------------------------ */

struct call_stop {
	bool is_exit;
	bool is_foreign;      /* of another table than x86-64's own */
	uint64_t number, args[6]; /* at the entry */
	int64_t result;       /* at the exit */
};

/* What a stop says; `by_filter`: it is the filter's. False: nothing, the thread was killed. */
bool
call_read(struct tracer *tracer, struct task *task, bool by_filter, struct call_stop *stop);

/* May the kernel be asked? */
bool
call_info_available(void);

/* ---- ptrace_raw.c ---------------------------------------------------------------------------------------- */

/* The arguments of the raw tracepoint, good until the next call. The thread is stopped. */
const void *
raw_context(struct tracer *tracer, const struct task *task, int64_t second);

/* ---- ptrace_record.c ------------------------------------------------------------------------------------ */

/* Loads a program where that was not done, and hooks it to an event. Returns 0 or -errno with *why set. */
int
hook_add(struct tracer *tracer, const struct program *program, struct event *event, struct text *why);

void
hooks_free(struct tracer *tracer);

/* True if somebody wants the entry, or the exit, of this call. */
bool
wants_enter(const struct tracer *tracer, int32_t number);

bool
wants_exit(const struct tracer *tracer, int32_t number);

/* The same of any call. */
bool
wants_calls(const struct tracer *tracer);

/* Each builds the record of the event and runs its programs. */
void
emit_enter(struct tracer *tracer, struct task *task, int32_t number, const uint64_t args[6]);

void
emit_exit(struct tracer *tracer, struct task *task, int32_t number, int64_t ret);

void
emit_fork(struct tracer *tracer, struct task *parent, struct task *child);

void
emit_exec(struct tracer *tracer, struct task *task, pid_t old_tid);

void
emit_process_exit(struct tracer *tracer, struct task *task);

struct signal_event { int number, error, code; };

void
emit_signal(struct tracer *tracer, struct task *task, const struct signal_event *signal);

/* ---- ptrace_stack.c ------------------------------------------------------------------------------------- */

/* See vm_env.unwind. `arg` is the tracer, env.tid the thread, which is stopped. */
int64_t
task_unwind(void *arg, uint64_t *addrs, uint32_t max);

/* See source_ops.spaces. */
struct spaces *
ptrace_spaces(struct source *source);

/* The task's process has a new program in place. */
void
stack_exec(struct tracer *tracer, const struct task *task);

/* ---- ptrace_filter.c -------------------------------------------------------------------------------------- */

/* True if the kernel has filters that hand a call to a tracer, and nothing forbids them to us. */
bool
filter_available(void);

/* The calls that stop: those with programs, and those that change what we remember of a thread. */
bool
filter_stops_at(const struct tracer *tracer, int32_t number);

/* A call after which a thread's ids or comm may be others. */
bool
changes_identity(int32_t number);

/* Writes the filter for the registered events into the shared page. */
void
filter_write(const struct tracer *tracer, struct filter_page *page);

/* In the command's process, before execve: installs it. Async-signal-safe. Matches command_start_prepared. */
void
filter_install(void *page);

/* ---- ptrace_stop.c ---------------------------------------------------------------------------------------- */

/* Handles one report of waitpid(2) on a thread, and lets it go on. */
void
handle_report(struct tracer *tracer, pid_t tid, int status);

/*
 * Lets children go whose parent's fork was not seen for a while: it was killed before it could tell. To be called now and then
 * while tracer->n_held is not 0.
 */
void
release_overdue(struct tracer *tracer);

/* ---- ptrace_attach.c ---------------------------------------------------------------------------------------- */

/* Traces the waiting command from its execve on, and lets it go. Returns 0, or -errno with *why set. */
int
trace_command(struct tracer *tracer, struct text *why);

/* Traces all threads of a running process. Returns 0, or -errno with *why set. */
int
trace_process(struct tracer *tracer, struct text *why);

/* Lets go of all threads, which run on by themselves. Does not wait for one that cannot be stopped. */
void
untrace_all(struct tracer *tracer);

/* ---- ptrace.c ---------------------------------------------------------------------------------------------------- */

/* Handles all reports that there are. Returns how many. Does not block. */
uint32_t
handle_reports(struct tracer *tracer);

/* ---- ptrace_front.c ------------------------------------------------------------------------------------------ */

/*
 * Splits ktap into a front, that whoever started ktap waits for, and the tracer behind it, in which this returns. Once in the life of
 * the program. Returns 0 or -errno.
 */
int
front_make(void);

/* Makes the tracer, when it exits, release the front at once and stay in the background until its last thread has ended. Takes it. */
void
front_keep(struct tracer *tracer);

#endif
