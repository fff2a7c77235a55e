/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * trace.dat, the format of trace-cmd and ktap record: what its reader's files share.
 *
 *     recording_dat.c       the file's order, versions 6 and 7
 *     recording_header.c    the parts before the events, which perf.data has too
 *     recording_pages.c     the pages of the kernel's ring buffer
 *     recording_unpack.c    compressed parts
 *     record_dat.c          writing it
 */
#ifndef KTAP_RECORDING_DAT_H
#define KTAP_RECORDING_DAT_H

#include "source/recording.h"
#include "source/recording_bytes.h"

#define DAT_MAGIC "\x17\x08\x44tracing" /* 10 bytes, then the version as text */
#define DAT_MAGIC_LEN 10

/* Options of the file; version 6 and 7 number them alike. */
enum dat_option {
	DAT_OPTION_DONE = 0,
	DAT_OPTION_BUFFER = 3,
	DAT_OPTION_HEADER_INFO = 16,
	DAT_OPTION_FTRACE_EVENTS = 17,
	DAT_OPTION_EVENT_FORMATS = 18,
	DAT_OPTION_KALLSYMS = 19,
	DAT_OPTION_PRINTK = 20,
	DAT_OPTION_CMDLINES = 21,
	/* Ours: lines "TID PID", as in the kernel's saved_tgids. Others skip what they don't know. */
	DAT_OPTION_TGIDS = 0x6b74,
};

/* ---- recording_header.c: each reads one part; what is wrong is reported as damage ------------------------------- */

/* False: the pages are those of a 32-bit kernel, whose headers are shorter. */
bool
header_page(struct recording *recording, struct bytes *in);

void
header_ftrace_formats(struct recording *recording, struct bytes *in);

void
header_event_formats(struct recording *recording, struct bytes *in);

void
header_kallsyms(struct recording *recording, struct bytes in);

void
header_cmdlines(struct recording *recording, struct bytes in);

void
header_tgids(struct recording *recording, struct bytes in);

/* ---- recording_pages.c ------------------------------------------------------------------------------------------ */

/* Events of one CPU: pages of the kernel's ring buffer, one behind the other. */
struct pages {
	struct recording *recording;
	uint32_t stream, cpu;
	const unsigned char *data;    /* the first page */
	size_t len;
	uint32_t page_size;
	/* Where the reader is. */
	const unsigned char *page;    /* the page that is read, */
	size_t page_left;             /* and the bytes of it that are there: fewer than page_size where the file is cut */
	const unsigned char *at, *end; /* the rest of its events */
	const unsigned char *payload; /* the event read last */
	uint32_t payload_len;
	uint64_t time;
	bool is_pending;              /* that one was read but not handed out */
	uint32_t stack_id, ustack_id; /* events that follow another with its stack; UINT32_MAX: not in this recording */
	uint64_t stack[128], ustack[128];
};

void
pages_rewind(struct pages *pages);

/* The next event with its stacks; false at the end. Damage is reported once a page. */
bool
pages_next(struct pages *pages, struct recorded *event);

/* ---- recording_unpack.c ------------------------------------------------------------------------------------------ */

/* Is this way of packing known here: "none", "zlib", "zstd"? */
bool
unpack_knows(const char *algorithm);

/* May so many bytes come of so many packed ones? Files that say more than any packer makes of events lie. */
bool
unpack_is_plausible(uint64_t packed_len, uint64_t len);

/* Unpacks into out, which has the unpacked size. Returns 0, or -EINVAL: damaged. */
int
unpack(const char *algorithm, struct bytes in, unsigned char *out, size_t len);

/* One stream packed by zstd, that comes in pieces. */
struct unpacker;

/* From a file of so many bytes. Returns 0 and a new one; -EOPNOTSUPP: built without zstd; -ENOMEM. */
int
unpacker_new(struct unpacker **unpacker, size_t file_len);

/* Returns 0; -EINVAL: damaged, and what comes behind it too; -ENOMEM. */
int
unpacker_add(struct unpacker *unpacker, struct bytes piece);

/* All that was unpacked: lies in the unpacker, until the next piece. */
struct bytes
unpacker_bytes(const struct unpacker *unpacker);

void
unpacker_free(struct unpacker *unpacker);

#endif
