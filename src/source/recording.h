/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * recording: a file of events, whatever its format, as streams of records that are laid out as ftrace lays them out.
 *
 *     recording.c        opening, damage, the streams merged by time
 *     recording_text.c   our text form
 *     recording_dat.c    trace.dat (recording_dat.h)
 *     recording_perf.c   perf.data
 *     recording_tasks.c  which thread belongs to which process, and what it is called
 *     recording_needs.c  what a script asks and a recording cannot answer
 *     replay.c           the source that feeds a recording to the user engine
 *
 * Recordings come from other machines and may be damaged, cut or forged: what can be read is read, the rest is counted, and the
 * first such place is named.
 */
#ifndef KTAP_RECORDING_H
#define KTAP_RECORDING_H

#include "source/source.h"

#define RECORDED_MAX      65536 /* bytes of a record */
#define RECORDED_IDS      65536 /* numbers of events: common_type has 16 bits */
#define RECORDED_CPUS_MAX 4096
#define RECORDED_THREAD   65535 /* no event: tells of the thread `tid`, its process and its name */

/* One event. What it points to is good until the next one is asked of the same stream. */
struct recorded {
	uint64_t time_ns;
	const unsigned char *record;
	uint32_t len;          /* bytes that may be read there */
	uint32_t id;           /* of struct event, below RECORDED_IDS */
	uint32_t cpu;
	uint32_t tid;
	uint32_t pid;          /* process; 0: ask the tasks */
	const char *comm;      /* NULL: ask the tasks */
	uint32_t parent;       /* of RECORDED_THREAD: the thread whose name it takes; 0: `comm` is its name */
	const uint64_t *stack; /* return addresses in the kernel, innermost first */
	const uint64_t *ustack; /* and in the process */
	uint32_t n_stack, n_ustack;
};

/* What a recording may hold or lack; bits of recording.holds. */
enum recording_holds {
	HOLDS_STACKS = 1,  /* kernel stacks */
	HOLDS_USTACKS = 2, /* user stacks */
	HOLDS_PIDS = 4,    /* which process a thread belongs to */
};

/* ---- recording_tasks.c ----------------------------------------------------------------------------------- */

struct recorded_task {
	uint32_t tid, pid;
	char comm[16];
	bool used;
	bool has_first_name; /* by tasks_learn_first */
};

/* Threads by tid: open addressing, a power of two. */
struct recorded_tasks {
	struct recorded_task *slots;
	uint32_t n, cap;
	/* Events that tell of threads; UINT32_MAX: not in this recording. */
	uint32_t newtask_id, rename_id;
	const struct field *newtask_pid, *newtask_comm, *newtask_flags, *rename_comm, *rename_old;
};

/* Sets what the recording says of a thread; pid 0, comm NULL: not said. Returns 0 or -ENOMEM. */
int
tasks_set(struct recorded_tasks *tasks, uint32_t tid, uint32_t pid, const char *comm);

/* The thread, or NULL: nothing is known of it. Good until the next tasks_set. */
const struct recorded_task *
tasks_find(const struct recorded_tasks *tasks, uint32_t tid);

/* Finds the events that tell of threads (task:task_newtask, task:task_rename) among a recording's. */
void
tasks_watch(struct recorded_tasks *tasks, struct events *events);

/* Who raised an event: tid, pid, comm, from the event or from what is known of its thread; "<...>" where no name is. */
void
tasks_identify(const struct recorded_tasks *tasks, const struct recorded *event, struct recorded_task *who);

/*
 * The table has names as they were at the end. Of a thread that was renamed, this gives it back the one it had before; called for all
 * events, in the order of time, before any is learned from. Returns 0 or -ENOMEM.
 */
int
tasks_learn_first(struct recorded_tasks *tasks, const struct recorded *event);

/* Learns from an event, which must come in the order of time. Returns 0 or -ENOMEM. */
int
tasks_learn(struct recorded_tasks *tasks, const struct recorded *event);

/* ---- recording.c ------------------------------------------------------------------------------------------- */

struct recording;

/* Events of one CPU, or of all of them where the file has them in one order: the next of them. */
struct stream {
	uint32_t number;
	struct recorded head;
};

/* Streams of a recording that are not at their end, by the time of their heads: read as one. */
struct merge {
	struct recording *recording;
	struct stream *streams;
	uint32_t n;
	bool is_handed_out;   /* the first stream's head was returned by merge_next */
};

/* What is missing in a recording, or in a part of it. */
struct gaps {
	uint64_t n_damaged;   /* parts that could not be read */
	struct text damage;   /* the first of them: where and what */
	uint64_t n_lost;      /* events that who recorded them lost */
};

/* How far a stream has been read, and what was missing in it up to there. One thread at a time reads a stream. */
struct reader {
	uint64_t n_read;      /* events */
	uint64_t time_ns;     /* of the last one */
	struct gaps gaps;
	uint64_t damaged_ns;  /* the time of the event before the first damage */
};

struct recording_ops {
	const char *name;     /* "text", "trace.dat", "perf.data" */
	/* Reads all but the events: which there are, their fields, threads. Returns 0 or -errno with *why. */
	int (*open)(struct recording *recording, struct text *why);
	/* Back to the first events of all streams. */
	void (*rewind)(struct recording *recording);
	/* The next event of a stream; false at its end. Skips and reports what cannot be read. Other streams may be read meanwhile. */
	bool (*next)(struct recording *recording, uint32_t stream, struct recorded *event);
	/* How much there is in a stream, next to the others: in bytes or events. NULL: there is but one stream. */
	uint64_t (*size)(const struct recording *recording, uint32_t stream);
	void (*close)(struct recording *recording);
};

struct recording {
	const struct recording_ops *ops;
	const char *path;
	struct arena *arena;          /* borrowed */
	struct events *events;        /* in the arena */
	struct recorded_tasks tasks;
	unsigned holds;
	uint32_t n_cpus;
	uint32_t n_streams;
	const unsigned char *data;    /* the file, mapped */
	size_t len;
	bool is_mapped;               /* by us */
	void *format;                 /* what recording_FORMAT.c keeps */
	const char *kallsyms;         /* /proc/kallsyms of the machine; not NUL-terminated; NULL: not recorded */
	size_t kallsyms_len;
	struct gaps gaps;             /* met while it was opened */
	struct reader *readers;       /* one a stream */
	struct merge merge;           /* of all streams, for recording_next */
};

/* Adds a stream, that had ended, again once it has more events; nothing is handed out. */
void
recording_reopen(struct recording *recording, uint32_t stream);

/*
 * Opens a recording in any of the formats. `arena` outlives it. Returns 0, or -errno with *why naming file and cause; -EINVAL: the file
 * is no recording.
 */
int
recording_open(struct recording **recording, struct arena *arena, const char *path, struct text *why);

/* The same from memory, which is borrowed until recording_close; `name` stands for the file in messages. */
int
recording_open_memory(struct recording **recording, struct arena *arena, const char *name, const void *data, size_t len,
		      struct text *why);

/* Goes through all events to know what threads were called before they were renamed. Returns 0 or -ENOMEM. */
int
recording_learn_names(struct recording *recording);

/* Starts again at the beginning. */
void
recording_rewind(struct recording *recording);

/* The next event of all streams in the order of time; false at the end. */
bool
recording_next(struct recording *recording, struct recorded *event);

/* Starts again, each stream at its event of that number from 0. */
void
recording_seek(struct recording *recording, const uint64_t *events);

/* The next event of one stream; false at its end. Not for streams that are merged. */
bool
recording_read(struct recording *recording, uint32_t stream, struct recorded *event);

/* Makes what an opened recording's streams need: readers and room for the merge. Returns 0 or -ENOMEM. */
int
recording_init_streams(struct recording *recording);

/* Frees what is not the format's: the rest of recording_close. */
void
recording_fini(struct recording *recording);

/* ---- the streams of a recording, merged ---- */

/* Room for all streams of a recording. Returns 0 or -ENOMEM. */
int
merge_init(struct merge *merge, struct recording *recording);

void
merge_fini(struct merge *merge);

/* Like recording_next, for the streams that are in it. */
bool
merge_next(struct merge *merge, struct recorded *event);

/* The event handed out last comes once more. */
void
merge_put_back(struct merge *merge);

/* Adds a stream that no merge has, at its head. */
void
merge_add(struct merge *merge, const struct stream *stream);

void
recording_close(struct recording *recording);

/* What is missing in it so far, as source_ops.stats says it. */
void
recording_stats(const struct recording *recording, struct source_stats *stats);

/* Counts a part that cannot be read, and keeps the first one's place and cause for the report. While a recording is opened. */
void
recording_damage(struct recording *recording, const char *format, ...) PRINTF_LIKE(2, 3);

/* The same while a stream is read. */
void
stream_damage(struct recording *recording, uint32_t stream, const char *format, ...) PRINTF_LIKE(3, 4);

/* Counts events of a stream that were lost before they were recorded. */
void
stream_lost(struct recording *recording, uint32_t stream, uint64_t n);

/* Reports, with the slug not-recorded, what the object's programs ask and the recording does not hold. */
void
recording_check(const struct recording *recording, const struct object *object, struct diags *diags);

/* Does a program of the object call this helper? */
bool
object_calls(const struct object *object, int32_t helper);

/* Says what it is but no error: one line for complain, or false. */
bool
recording_remark(const struct recording *recording, const struct object *object, struct text *remark);

/* The text of a string that an event's field points to, where it was recorded: NULL, or its bytes with NUL in *len. */
const char *
recorded_string(const struct recorded *event, const struct field *field, size_t *len);

extern const struct recording_ops recording_text_ops, recording_dat_ops;

/* ---- ftrace_source.c ------------------------------------------------------------------------------------------ */

/*
 * Opens a source that runs the programs in the user engine on what the kernel records just now, in an instance of ftrace. `events` are
 * those of EVENTS_KERNEL. Returns 0 or -errno with *why.
 */
int
source_ftrace_open(struct source **source, const struct object *object, struct events *events, const struct target *target,
		   struct text *why);

/* Like recording_check, for such a source. */
void
source_ftrace_check(const struct object *object, struct diags *diags);

/* ---- replay.c ------------------------------------------------------------------------------------------------- */

/* Opens a source that runs the programs on the recording (borrowed). Returns 0 or -errno with *why. */
int
source_replay_open(struct source **source, const struct object *object, struct recording *recording, struct text *why);

#endif
