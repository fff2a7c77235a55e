/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * libktap-script: libktap (ktap.h) and the ktap language. Your program fires events of its own to scripts that come and go while it runs.
 *
 *     static const struct ktap_field fields[] = {
 *             KTAP_FIELD(struct request, verb, KTAP_FIELD_TEXT),
 *             KTAP_FIELD(struct request, size, KTAP_FIELD_UNSIGNED),
 *     };
 *     const struct ktap_event *event;
 *     struct ktap_script *script;
 *
 *     ktap_new(&engine);
 *     ktap_add_event(engine, "server/request", sizeof(struct request), KTAP_CONTEXT_READ);
 *     ktap_add_fields(engine, "server/request", fields, 2);
 *     event = ktap_event_find(engine, "server/request");
 *     if (ktap_script_open(engine, "top.kp", text, strlen(text), NULL, &script) < 0)
 *             errx(1, "%s", ktap_error());
 *     ktap_script_fire(script, event, &request);                      any thread, whenever it happens
 *     ktap_script_walk(script, "sizes", NULL, 0, show, NULL);         any thread: gets what the script has counted
 *     while (ktap_script_poll(script, 1000) > 0) { }                  one thread: prints, ticks
 *     ktap_script_close(script);
 *
 * and the script says, as it would of a tracepoint:
 *
 *     var sizes = {}
 *     trace server:request /size > 0/ { sizes[args.verb] <<< args.size }
 *     tick-10s { print_hist(sizes) }
 *
 * Scripts may use all of the language but what only a kernel has: probes of functions, profile-N, stack(), structures of the kernel. Signals
 * stay yours. Commands are not started. A script can read any text in your memory (user_string); it writes to none but its own.
 * ustack() is the stack of the thread that fires, down to its call of ktap_script_fire; it goes by call frame information, so frame pointers are not
 * needed (code that your program makes at run time, without such, ends it), and names of C++ functions are as the compiler writes them.
 *
 * Threads. An engine is set up by one thread. Then scripts are independent of each other. One script is opened, polled and closed by one thread at a
 * time, while any number of threads fire events to it, and look at its variables (ktap_script_walk): from when ktap_script_open has returned until
 * ktap_script_close is called. Handlers run in the thread that fires, at the same time as in others, and what they count is exact: n += 1,
 * t[key] += 1, s <<< x. They wait for each other only for the moment in which an entry of a table is made. Do not fire from handlers of signals.
 *
 * Build with: cc host.c $(pkg-config --cflags --libs ktap-script). It holds all of libktap: link with one of the two, not with both.
 */
#ifndef KTAP_SCRIPT_H
#define KTAP_SCRIPT_H

#include <ktap.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- events with fields --------------------------------------------------------------------------------------------------------------- */

enum ktap_field_kind {
	KTAP_FIELD_SIGNED,       /* a number of 1, 2, 4 or 8 bytes */
	KTAP_FIELD_UNSIGNED,
	KTAP_FIELD_TEXT,         /* char x[N]: a text that ends with a NUL, of N - 1 bytes at most */
	KTAP_FIELD_TEXT_POINTER, /* const char *x: of the text up to 255 bytes are read, at the moment when the handler reads it; argstr shows the address */
	KTAP_FIELD_BYTES,        /* anything else: named, but not read */
};

struct ktap_field {
	const char *name;        /* as scripts call it: args.name; in filters name alone */
	enum ktap_field_kind kind;
	size_t offset, size;     /* in the event's context */
};

/* A member of a struct. */
#define KTAP_FIELD(type, member, kind) { #member, kind, offsetof(type, member), sizeof(((type *)NULL)->member) }

/* An event of an engine; lives as long as that. */
struct ktap_event;

/*
 * Describes an event that was added with ktap_add_event, once, before scripts are opened: "server/request" is server:request to scripts then. All is
 * copied. The fields stand in the order in which arg0, arg1, ... name them. 0, -ENOENT, -EEXIST, -EINVAL (a name that is no word of letters, digits
 * and '_', a field that is not within the context, one to be read behind its first 16,000 bytes, more than 64 fields), -ENOSPC (scripts know the
 * first 1,024 events of an engine), -ENOMEM.
 */
int
ktap_add_fields(struct ktap *engine, const char *event, const struct ktap_field *fields, size_t n_fields);

/* NULL: there is none of that name. */
const struct ktap_event *
ktap_event_find(const struct ktap *engine, const char *name);

/*
 * Writes what is described into a file, for `ktap compile --events FILE`, which compiles scripts for this program where that is not. 0 or -errno.
 */
int
ktap_events_write(const struct ktap *engine, const char *path);

/* ---- scripts ---------------------------------------------------------------------------------------------------------------------------- */

struct ktap_script;

/* How a script is opened; all zero: the defaults. */
struct ktap_script_options {
	enum ktap_exec exec;
	const char *const *args;  /* arg[1], arg[2], ... and options of the script, behind the last NULL; NULL: none */
	/*
	 * Takes what the script prints, whole prints each time, in the thread that opens, polls or closes it. NULL: standard output. `report`
	 * takes what went wrong while it ran, a line each time; NULL: print does.
	 */
	void (*print)(void *arg, const char *text, size_t len);
	void (*report)(void *arg, const char *text, size_t len);
	void *arg;
	/* What one call of a handler may use up, as in struct ktap_options; 0: no more than all loops of a handler may (100,000 rounds). */
	uint32_t budget;
	/* Steps that main, a tick or trace_end may take, counted by 100,000; 0: as many as it wants, which may be for ever. */
	uint64_t steps_max;
	size_t memory_max;        /* bytes for values of the script outside of handlers; 0: as many as there are */
	/* Bytes that wait for ktap_script_poll at most, a power of two from 4096 on; 0: 4 MiB. What does not fit is lost, and counted. */
	uint32_t buffer;
	int hides_constants;      /* as in struct ktap_options */
};

/*
 * Compiles a script, verifies its programs, runs its main chunk and, where that registers anything, begins to serve events. `text` is that of a
 * script or what `ktap compile` made of one (both borrowed for the call); `name` stands for it in messages. `options` may be NULL. 0 and
 * *script for the caller to close; -EINVAL: the script is wrong, ktap_error() has all messages with lines and carets; -ENOTSUP: it asks
 * for what this library has not; -ENOMEM, ...
 */
int
ktap_script_open(struct ktap *engine, const char *name, const void *text, size_t len, const struct ktap_script_options *options,
		 struct ktap_script **script);

/* The same from a file. */
int
ktap_script_open_file(struct ktap *engine, const char *path, const struct ktap_script_options *options, struct ktap_script **script);

/*
 * Runs the script's handlers of this event of its engine on a context. How many ran: 0 where it has none, or is over; -EINVAL: it is another
 * engine's.
 */
int
ktap_script_fire(struct ktap_script *script, const struct ktap_event *event, const void *context);

/*
 * Waits until the script has something to do, `timeout_ms` at most (0: not at all, negative: as long as it takes), and lets it: prints what handlers
 * sent, runs ticks. 1; 0: the script is over, since it called exit(), made a mistake in a tick, or registered nothing. It runs no
 * handlers any more then, and is to be closed.
 */
int
ktap_script_poll(struct ktap_script *script, int timeout_ms);

/* ---- what scripts hold ------------------------------------------------------------------------------------------------------------------ */

enum ktap_value_kind {
	KTAP_VALUE_NIL,
	KTAP_VALUE_INT,
	KTAP_VALUE_BOOL,
	KTAP_VALUE_TEXT,  /* a string, or the name of an event */
	KTAP_VALUE_STAT,  /* what <<< adds samples to */
	KTAP_VALUE_STACK, /* what ustack() gives: ktap_script_stack has its addresses */
};

/* A statistic, as it was when it was read. */
struct ktap_stat;

/* All that it points to is good until the function returns that was given it. */
struct ktap_value {
	enum ktap_value_kind kind;
	int64_t number;               /* INT; BOOL: 0 or 1; STACK: equal ones have the same */
	const char *text;             /* TEXT: `len` bytes, a NUL behind them; NULL else */
	size_t len;
	const struct ktap_stat *stat; /* STAT; NULL else */
};

/*
 * Takes an entry of a table: the parts of its key (of t[1, "a"] two, and also of t[1]["a"], a table in a table) and its value. Of a variable that is
 * no table: no parts. 0: goes on; else the walk ends. It must return, may fire events and walk, and not close the script.
 */
typedef int ktap_entry_fn(void *arg, const struct ktap_value *key, size_t n_parts, const struct ktap_value *value);

/*
 * Gives fn the entries of a script's table whose keys begin with the n_parts parts in `key`: with 0 all, with all parts that one, which is looked up
 * without a walk. A key's parts have the kinds of the table's; in a TEXT text and len count. Or gives it the value of a variable: n_parts is 0.
 * Those of the main chunk that its handlers use can be asked for; the others are the script's own. Of several of one name the first is meant.
 *
 * From when ktap_script_open has returned until ktap_script_close is called any thread may do so, whoever fires or polls; also when the script is
 * over. An entry that is there from the beginning of the walk to its end is met once; one that comes or goes meanwhile once or not. They come in the
 * order in which they were made. A value of a table is what it was at one moment, but for sums and statistics, to which others may add while they are
 * read: each number in them is one that it had, but they may differ by a sample. So is a text in a variable, which may be part old, part new.
 *
 * How many entries fn was given; -ENOENT: there is no such variable; -EINVAL: the key does not fit the table; -ENOMEM.
 */
int
ktap_script_walk(struct ktap_script *script, const char *name, const struct ktap_value *key, size_t n_parts, ktap_entry_fn *fn, void *arg);

/* The name of the n-th variable that can be walked, from 0, in the order of the script's text; NULL: there are no more. It is the script's. */
const char *
ktap_script_variable(const struct ktap_script *script, size_t n);

enum ktap_reader { KTAP_COUNT, KTAP_SUM, KTAP_AVG, KTAP_MIN, KTAP_MAX, KTAP_STDDEV };

/*
 * What count(), sum(), ... of the language say. 0 and *number; -ENODATA: there are no samples; -ENOTSUP: the script does not keep it. It keeps what
 * it reads itself, by such calls; of a statistic that it reads nowhere count, sum, least and largest, so all but KTAP_STDDEV.
 */
int
ktap_stat_read(const struct ktap_stat *stat, enum ktap_reader what, int64_t *number);

enum ktap_histogram {
	KTAP_LOG2,   /* by powers of two: print_hist(s) */
	KTAP_LINEAR, /* print_hist(s, hist_linear(lo, hi, step)); the first and last bucket are for what is outside */
};

struct ktap_bucket {
	int64_t first, last; /* the samples that it counts */
	uint64_t count;
};

/* The n-th bucket, from 0, the lowest. 0; -ENOENT: there are no more; -ENOTSUP: the script does not keep this histogram, since it prints none. */
int
ktap_stat_bucket(const struct ktap_stat *stat, enum ktap_histogram histogram, size_t n, struct ktap_bucket *bucket);

/*
 * The addresses of a stack, innermost first, `max` at most: the first is where ktap_script_fire returned to, each other where a call returns to. How
 * many, or -errno: it could not be taken.
 */
int
ktap_script_stack(struct ktap_script *script, const struct ktap_value *stack, const void **frames, size_t max);

/* ---- waiting and the end -------------------------------------------------------------------------------------------------------------------- */

/*
 * A descriptor that can be read (poll, epoll) when ktap_script_poll has something to do, or to say: that the script is over. It is the script's. Or
 * -errno.
 */
int
ktap_script_fd(struct ktap_script *script);

/*
 * Prints what is left, runs trace_end, reports what was lost and what went wrong in handlers, by line, and frees the script. 0; 1: something went
 * wrong. NULL is allowed.
 */
int
ktap_script_close(struct ktap_script *script);

#ifdef __cplusplus
}
#endif

#endif
