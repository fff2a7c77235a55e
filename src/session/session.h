/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * session: one run of an object. Runs the control half, attaches what it registered, pumps records, ticks, ends.
 */
#ifndef KTAP_SESSION_H
#define KTAP_SESSION_H

#include "ebpf/ebpf.h"
#include "output/output.h"
#include "source/source.h"

struct session_options {
	struct target target;
	const char *script_name;  /* arg[0] */
	char **script_args;       /* arg[1..], NULL-terminated */
	int out_fd;
	bool quiet;               /* no banner, no line of losses (errors stay) */
	bool show_time;           /* -T, reserved */
};

enum exit_status { STATUS_OK = 0, STATUS_SCRIPT = 1, STATUS_USAGE = 2, STATUS_WORLD = 3 };

/*
 * Runs an object on an opened source (borrowed; session_run starts and stops it, the caller closes it). Messages go to
 * stderr. Returns the exit status (DESIGN.md section 9). session.c reads as the list of all steps.
 */
enum exit_status
session_run(const struct object *object, struct events *events, struct source *source, const struct session_options *options);

#endif
