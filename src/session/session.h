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
	bool quiet;     /* no banner */
	bool mangled;   /* --mangled: names of C++ and Rust functions as compilers write them */
	bool unsafe;    /* --unsafe: scripts may start programs */
	struct losses *losses; /* filled in at the end, the caller's to free; NULL: not wanted */
};

enum exit_status { STATUS_OK = 0, STATUS_SCRIPT = 1, STATUS_USAGE = 2, STATUS_WORLD = 3 };

/*
 * Runs an object on an opened source (borrowed; session_run starts and stops it, the caller closes it).
 * `source` may be NULL for a script without probes; a command is then started here. Events that main names
 * at run time are appended to the object. Messages go to stderr. Returns the exit status (DESIGN.md section
 * 9). session.c reads as the list of all steps.
 */
enum exit_status
session_run(struct object *object, struct events *events, struct source *source,
	    const struct session_options *options);

/*
 * Records until Ctrl-C or the end of what is traced. `recorder` is opened, and closed by the caller. Messages go to stderr.
 * record.c.
 */
enum exit_status
session_record(struct recorder *recorder);

/* Says what a recording lacks: events lost while it was made, parts that could not be read. Returns what that makes of the status. */
enum exit_status
report_recording(const struct source_stats *stats);

/*
 * Runs a C compiler's object, already fitted to the kernel (core_apply), on an opened source, likewise; prints what its programs print, then
 * its tables: programs.c.
 */
enum exit_status
session_run_programs(struct object *object, struct events *events, struct source *source, const struct session_options *options);

/* -d time: prints the milliseconds since *since behind the step's name on stderr, and sets *since to now. */
void
step_time(const char *step, uint64_t *since);

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t
clock_now(void);

#endif
