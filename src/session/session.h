/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * session: one run of an object. Runs the control half, attaches what it registered, pumps records, ticks,
 * ends.
 */
#ifndef KTAP_SESSION_H
#define KTAP_SESSION_H

#include "ebpf/ebpf.h"
#include "output/output.h"
#include "source/record.h"

/* What happened at one place of the script while probes ran; see counters.def. */
struct loss {
	enum counter_kind kind;
	struct span span;
	uint64_t n;
	uint64_t n_delivered; /* COUNTER_RECORD_LOST: lines of this place that did come through; else 0 */
	bool is_most;         /* COUNTER_NESTED_RUN: not more than n; it cannot be told from other handlers' */
};

/*
 * The account of a run. Every record that a probe made is either delivered or counted as lost, at the place that made it, so that
 * n_delivered and the n of all rows of COUNTER_RECORD_LOST add up to what was produced.
 */
struct losses {
	struct loss *rows;    /* in the order of the script's text, only those with n > 0 */
	uint32_t n_rows;
	uint64_t n_delivered; /* records */
	uint64_t n_lost;      /* records */
	uint64_t n_misfits;   /* of the delivered ones: that did not fit their print statement and were left out */
	uint64_t n_nested;    /* events that were skipped since a probe was running on that CPU already */
	uint64_t n_maps_lost, n_stacks_cut, n_stacks_dropped, n_foreign_calls; /* see struct source_stats */
	uint32_t stack_bytes;
};

void
losses_fini(struct losses *losses);

struct session_options {
	struct target target;
	const char *script_name; /* arg[0] */
	char **script_args;      /* arg[1..], NULL-terminated */
	int out_fd;
	bool replaces;                     /* what out_fd's file holds goes, but not before this run prints something or traces */
	/* Takes what the script prints, in place of out_fd, whole prints each time; NULL: out_fd does. */
	void (*print)(void *arg, const char *text, size_t len);
	void *print_arg;
	FILE *messages; /* takes all that is said of the run; NULL: stderr */
	bool quiet;     /* no banner */
	bool is_guest;  /* the process is another program's: its signals are left alone, and the script cannot handle them */
	size_t memory_max; /* bytes that Lua may have; 0: as many as there are */
	uint64_t steps_max; /* of Lua, about, that main, a tick or trace_end may take; 0: as many as it wants */
	bool mangled;   /* --mangled: names of C++ and Rust functions as compilers write them */
	bool unsafe;    /* --unsafe: scripts may start programs */
	struct losses *losses; /* filled in at the end, the caller's to free; NULL: not wanted */
};

enum exit_status { STATUS_OK = 0, STATUS_SCRIPT = 1, STATUS_USAGE = 2, STATUS_WORLD = 3 };

/*
 * Runs an object on an opened source (borrowed; session_run starts and stops it, the caller closes it).
 * `source` may be NULL for a script without probes; a command is then started here. Events that main names
 * at run time are appended to the object. Messages go to stderr. Returns the exit status (docs/architecture.md, "What
 * can go wrong"). session.c reads as the list of all steps.
 */
enum exit_status
session_run(struct object *object, struct events *events, struct source *source,
	    const struct session_options *options);

/* ---- the same in steps, for who has more to do than wait for it ----------------------------------------------------------- */

struct session;

/* Opens a run; all arguments are borrowed until session_end. NULL: no memory. What else goes wrong here, session_begin tells. */
struct session *
session_new(struct object *object, struct events *events, struct source *source, const struct session_options *options);

/*
 * Runs main and, where it registered anything, starts tracing. True: it goes on, session_turn is next; else session_end is. It can have come
 * to its end by itself (nothing to trace, exit()) or failed, which session_status tells.
 */
bool
session_begin(struct session *session);

/*
 * Waits until something happens that the run has to do with, for so many milliseconds at most (negative: as long as it takes), and sees to it:
 * prints records, runs ticks. False: tracing is over. Not for a source with a time of its own.
 */
bool
session_turn(struct session *session, int timeout_ms);

/* Descriptors that can be read when session_turn has something to do, at most `max`; how many. They stay the same while tracing goes on. */
int
session_fds(struct session *session, int *fds, int max);

/* The status so far. */
enum exit_status
session_status(const struct session *session);

/* Stops tracing if it goes on, prints what is left, runs trace_end unless the run failed before it began, reports, and frees it. */
enum exit_status
session_end(struct session *session);

/*
 * Records until Ctrl-C or the end of what is traced. `recorder` is opened, and closed by the caller. Messages go to stderr.
 * record.c.
 */
enum exit_status
session_record(struct recorder *recorder);

/* Says in `messages` what a recording lacks: events lost while it was made, parts that could not be read. Returns what that makes of the status. */
enum exit_status
report_recording(const struct source_stats *stats, FILE *messages);

/*
 * Runs a C compiler's object, already fitted to the kernel (core_apply), on an opened source, likewise; prints what its programs print, then
 * its tables: programs.c.
 */
enum exit_status
session_run_programs(struct object *object, struct events *events, struct source *source, const struct session_options *options);

#endif
