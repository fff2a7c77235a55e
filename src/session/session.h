/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * session: one run of an object. Runs the control half, attaches what it registered, pumps records, ticks,
 * ends.
 */
#ifndef KTAP_SESSION_H
#define KTAP_SESSION_H

#include "ebpf/ebpf.h"
#include "output/output.h"
#include "source/source.h"

struct session_options {
	struct target target;
	const char *script_name; /* arg[0] */
	char **script_args;      /* arg[1..], NULL-terminated */
	int out_fd;
	bool quiet;     /* no banner */
	bool show_time; /* -T, reserved */
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

/* -d time: prints the milliseconds since *since behind the step's name on stderr, and sets *since to now. */
void
step_time(const char *step, uint64_t *since);

/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t
clock_now(void);

#endif
