/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * recording: a file of events, whatever its format, as streams of records that are laid out as ftrace lays them out.
 *
 *     recording.c        opening, damage, the streams merged by time
 *     filemap.c          the file in memory, which others may cut short meanwhile
 *     recording_text.c   our text form
 *     recording_dat.c    trace.dat (recording_dat.h)
 *     recording_perf*.c  perf.data (recording_perf.h)
 *     recording_tasks.c  which thread belongs to which process, and what it is called
 *     recording_history.c  all that is told of that, for threads that read streams apart from each other
 *     recording_needs.c  what a script asks and a recording cannot answer
 *     replay*.c          the source that feeds a recording to the user engine
 *
 * Recordings come from other machines and may be damaged, cut or forged: what can be read is read, the rest is counted, and the
 * first such place is named.
 */
#ifndef KTAP_RECORDING_H
#define KTAP_RECORDING_H

#include "source/filemap.h"
#include "source/source.h"

#define RECORDED_MAX      65536 /* bytes of a record */
#define RECORDED_IDS      65536 /* numbers of events: common_type has 16 bits */
#define RECORDED_CPUS_MAX 4096
#define RECORDED_THREAD   65535 /* no event: tells of the thread `tid`, its process and its name */

/* One event. What it points to is good until the next one of the same stream is read. */
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

/* What an event tells of a thread. */
struct task_change {
	uint32_t tid;
	uint32_t pid;        /* its process from now on; 0: not told */
	uint32_t process_of; /* its process is that of this thread, or `pid` where that is not known; 0: `pid` */
	uint32_t name_of;    /* its name is that of this thread, or `comm` where that is not known; 0: `comm` */
	bool has_name, has_old_name;
	char comm[16];
	char old_comm[16];   /* its name until now */
};

/* False: the event tells nothing. */
bool
tasks_read(const struct recorded_tasks *tasks, const struct recorded *event, struct task_change *change);

/* Takes over a change; changes must come in the order of time. Returns 0 or -ENOMEM. */
int
tasks_apply(struct recorded_tasks *tasks, const struct task_change *change);

/*
 * The table has names as they were at the end. Of a thread that was renamed, this gives it back the one it had before; called for all
 * changes, in the order of time, before any is applied. Returns 0 or -ENOMEM.
 */
int
tasks_apply_first(struct recorded_tasks *tasks, const struct task_change *change);

/* Both for the change that an event tells, if it tells one. */
int
tasks_learn_first(struct recorded_tasks *tasks, const struct recorded *event);

int
tasks_learn(struct recorded_tasks *tasks, const struct recorded *event);

/* A table of its own, to be freed: its slots. Returns 0 or -ENOMEM. */
int
tasks_copy(struct recorded_tasks *copy, const struct recorded_tasks *tasks);

/* ---- recording_history.c ----------------------------------------------------------------------------------- */

/* Where an event stands: events of one time come in the order of their streams' numbers. */
struct moment {
	uint64_t time_ns;
	uint32_t stream;
	uint64_t n;          /* of the stream's events, from 1 */
};

/* All that a recording tells of threads, in order. */
struct history {
	struct told { struct moment at; struct task_change change; } *told;
	uint32_t n, cap;
};

struct recording;

/*
 * Goes through all streams, with several threads where there is much to read, and leaves the recording to be rewound. Returns 0; -ERANGE: the
 * events of a stream are not in the order of time, so what is true at an event depends on more than its moment; -ENOMEM.
 */
int
history_read(struct history *history, struct recording *recording, uint32_t jobs);

/* Is what is told as number `n` of the history true at this moment: was it told before? */
bool
history_is_due(const struct history *history, uint32_t n, const struct moment *now);

void
history_fini(struct history *history);

/* ---- recording.c ------------------------------------------------------------------------------------------- */

/* What is missing in a recording, or in a part of it. */
struct gaps {
	uint64_t n_damaged;   /* parts that could not be read */
	struct text damage;   /* the first of them: where and what */
	uint64_t n_lost;      /* events that who recorded them lost */
};

/* Events of one CPU, or of all of them where the file has them in one order. One thread at a time reads a stream. */
struct stream {
	uint32_t number;
	struct recorded head; /* read last */
	uint64_t n_read;      /* events */
	struct gaps gaps;     /* up to there */
	uint64_t damaged_ns;  /* the time of the event before the first damage */
	char apart[64];       /* another thread may read the next one */
};

/* Streams of a recording that are not at their end, by the time of their heads: read as one. */
struct merge {
	struct recording *recording;
	struct stream **streams;
	uint32_t n;
	bool is_handed_out;   /* the first stream's head was returned by merge_next */
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
	uint32_t n_streams;
	const unsigned char *data;    /* the file, mapped or in memory of others */
	size_t len;
	struct filemap map;
	void *format;                 /* what recording_FORMAT.c keeps */
	const char *kallsyms;         /* /proc/kallsyms of the machine; not NUL-terminated; NULL: not recorded */
	size_t kallsyms_len;
	struct gaps gaps;             /* met while it was opened */
	struct stream *streams;
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

/* The next event of all streams in the order of time, good until the next call; NULL at the end. */
const struct recorded *
recording_next(struct recording *recording);

/* Starts again, each stream at its event of that number from 0. */
void
recording_seek(struct recording *recording, const uint64_t *events);

/* Starts again, no stream being merged yet: for recording_read. */
void
recording_restart(struct recording *recording);

/* The next event of one stream, its new head; NULL at its end. Not for streams that are merged. */
const struct recorded *
recording_read(struct recording *recording, uint32_t stream);

/* Makes the n_streams streams of a recording that is opened. Returns 0 or -ENOMEM. */
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
const struct recorded *
merge_next(struct merge *merge);

/* The event handed out last comes once more. */
void
merge_put_back(struct merge *merge);

/* Where the event that was handed out last stands. */
struct moment
merge_moment(const struct merge *merge);

/* Moves a stream to the end of another merge, whose order is made by merge_sort then. */
void
merge_move(struct merge *into, struct stream *stream);

void
merge_sort(struct merge *merge);

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

#define REPLAY_JOBS_MAX 256

/*
 * Opens a source that runs the programs on the recording (borrowed), in up to `jobs` threads where the order of events is the same to them;
 * 0: as many as there are CPUs for us. Returns 0 or -errno with *why.
 */
int
source_replay_open(struct source **source, const struct object *object, struct recording *recording, uint32_t jobs, struct text *why);

#endif
