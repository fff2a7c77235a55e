/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * record: events of a live system into a file. Nothing runs on them; `--from` does later.
 *
 *     record_kernel.c    from the kernel, through an instance of ftrace (ftrace.h)
 *     record_user.c      from ptrace, without privilege
 *     record_dat.c       the file: trace.dat, version 6
 *     record_text.c      a recording of any format as text
 *
 * Life: record_kernel_open or record_user_open -> start -> pump ... -> finish -> close.
 */
#ifndef KTAP_RECORD_H
#define KTAP_RECORD_H

#include "source/recording.h"

struct record_request {
	const char *path;        /* the file to write */
	struct target target;
	struct event **events;   /* what to record */
	uint32_t n_events;
	bool wants_stacks;       /* the kernel's stack with each event */
};

struct recorder;

struct recorder_ops {
	/* Begins to record, then lets the command go. Returns 0 or -errno with *why. */
	int (*start)(struct recorder *recorder, struct text *why);
	/* Descriptors to poll for POLLIN, beside a look 50 times a second; returns how many were stored (at most max). */
	int (*poll_fds)(struct recorder *recorder, int *fds, int max);
	/* Moves what there is into the file. Does not block. Returns 0 or -errno. */
	int (*pump)(struct recorder *recorder);
	/* Has the command ended? */
	bool (*ended)(struct recorder *recorder);
	/* Ends recording and writes the file to its end. Returns 0 or -errno with *why. */
	int (*finish)(struct recorder *recorder, struct text *why);
	void (*close)(struct recorder *recorder);
};

struct recorder {
	const struct recorder_ops *ops;
	uint64_t n_lost; /* events, after finish */
};

/* Both return 0 and a new recorder, or -errno with *why naming cause and cure. The request is borrowed. */
int
record_kernel_open(struct recorder **recorder, struct events *events, const struct record_request *request, struct text *why);

int
record_user_open(struct recorder **recorder, struct events *events, const struct record_request *request, struct text *why);

/* ---- record_text.c ------------------------------------------------------------------------------------------ */

/* Writes a recording as text (docs/recordings.md). Returns 0 or -errno of writing. */
int
recording_to_text(struct recording *recording, FILE *out);

/* ---- record_dat.c ------------------------------------------------------------------------------------------- */

/* The parts before the events, as they are in the file, without their sizes. */
struct dat_contents {
	struct text header_page, header_event; /* tracefs: events/header_page and events/header_event */
	struct text ftrace_formats;            /* each with 8 bytes of length before it */
	uint32_t n_ftrace_formats;
	struct dat_system {
		const char *name;              /* borrowed */
		struct text formats;
		uint32_t n_formats;
	} *systems;
	uint32_t n_systems;
	struct text kallsyms, cmdlines, tgids;
};

/* Adds the format of an event. Returns 0 or -ENOMEM. */
int
dat_add_format(struct dat_contents *contents, const char *system, const char *format, size_t len);

void
dat_contents_fini(struct dat_contents *contents);

struct dat_writer;

/* Creates the file, and one without a name for each CPU beside it. Returns 0 or -errno with *why. */
int
dat_writer_open(struct dat_writer **writer, const char *path, uint32_t n_cpus, uint32_t page_size, struct text *why);

/* Appends a page to a CPU's. Returns 0 or -errno. */
int
dat_writer_page(struct dat_writer *writer, uint32_t cpu, const void *page);

/* Writes the file. Returns 0 or -errno with *why. */
int
dat_writer_finish(struct dat_writer *writer, const struct dat_contents *contents, struct text *why);

/* Frees it; without finish, the file is left empty. */
void
dat_writer_close(struct dat_writer *writer);

#endif
