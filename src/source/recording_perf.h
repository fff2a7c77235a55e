/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * perf.data: what its reader's files share.
 *
 *     recording_perf.c           the file's order, and that of `perf record -o -`; the streams
 *     recording_perf_records.c   a record: which event's it is, what a sample holds
 *     recording_header.c         the formats of events, as in trace.dat
 *     recording_unpack.c         packed records (perf record -z)
 */
#ifndef KTAP_RECORDING_PERF_H
#define KTAP_RECORDING_PERF_H

#include <linux/perf_event.h>

#include "source/recording.h"
#include "source/recording_bytes.h"

#define PERF_MAGIC     "PERFILE2"     /* little-endian */
#define PERF_MAGIC_BIG "2ELIFREP"
#define PERF_MAGIC_LEN 8

#define PERF_CHAIN_MAX   128
#define PERF_LAYOUTS_MAX 64

/* Records that perf adds to the kernel's (tools/perf: perf_event.h of its library). */
enum perf_own_record {
	PERF_OWN_ATTR = 64,
	PERF_OWN_TRACING_DATA = 66,
	PERF_OWN_AUXTRACE = 71,
	PERF_OWN_COMPRESSED = 81,
	PERF_OWN_COMPRESSED2 = 83,
};

/* What the records of an event hold, which its attribute says. */
struct perf_layout {
	uint64_t sample_type, read_format;
	bool has_trailer; /* sample_id_all */
	bool is_read;     /* the samples are of a tracepoint, with time, thread and raw data */
};

struct perf {
	struct bytes records;  /* of the file, */
	struct bytes unpacked; /* and those that were packed, */
	struct unpacker *unpacker; /* whose they are; NULL: none were */
	struct perf_layout layouts[PERF_LAYOUTS_MAX];
	uint32_t n_layouts;
	struct perf_id { uint64_t id; uint32_t layout; } *ids; /* of events: in order, when all are there */
	uint32_t n_ids, cap_ids;
	struct perf_cpu *cpus; /* one a stream */
};

struct perf_record {
	uint32_t type;
	struct bytes body, behind; /* which its size does not count */
};

/* Takes the next record; false at the end, or where it is cut. */
bool
perf_take(struct bytes *in, struct perf_record *record);

enum perf_parsed {
	PERF_EVENT,
	PERF_OTHER,  /* nothing that ktap reads */
	PERF_BROKEN, /* a sample that cannot be read */
};

/* What a record tells; `chain` is room for its call chain. */
enum perf_parsed
perf_parse(const struct perf *perf, const struct perf_record *record, uint64_t chain[PERF_CHAIN_MAX], struct recorded *event);

extern const struct recording_ops recording_perf_ops;

#endif
