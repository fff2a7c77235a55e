/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * session_int: for the files of session/ only.
 *
 * The control half is spread over control*.c: control.c (its life, registration), control_ops.c (operators), control_lib.c
 * (built-ins), control_table.c (variables and tables shared with probes), control_value.c (their values), control_stat.c (statistics), control_string.c (strings),
 * control_option.c (options of scripts), control_box.c (values that
 * Lua has no type for), control_order.c (walks in a fixed order), control_hist.c (print_hist). These alone know Lua.
 */
#ifndef KTAP_SESSION_INT_H
#define KTAP_SESSION_INT_H

#include "session/session.h"

struct lua_State;

/* Where what goes wrong is told. */
static inline FILE *
session_messages(const struct session_options *options)
{
	return options->messages ? options->messages : stderr;
}

/* ---- interrupt.c: Ctrl-C ------------------------------------------------ */

/*
 * SIGINT and SIGTERM arrive at a descriptor. The first is taken; from then on a second Ctrl-C ends the process at once, whatever
 * it is doing. So does a signal that a process sends, but only a second later: until then it belongs to the first.
 */
struct interrupt {
	int fd; /* -1: the signals are not ours (a guest's run): none is ever seen, and they are neither blocked nor released */
	bool seen;
};

/* Returns 0 or -errno. */
int
interrupt_open(struct interrupt *interrupt);

/* Has a signal come? Asks the descriptor, does not block. */
bool
interrupt_seen(struct interrupt *interrupt);

/* Waits until a descriptor takes output or a signal comes, which counts as seen. output_set_wait's; arg: struct interrupt. */
void
interrupt_wait_for_room(void *arg, int fd);

/*
 * While something runs that never asks (attaching, detaching), the signals are released: they then end the
 * process at once. interrupt_take undoes that, unless one was seen.
 */
void
interrupt_release(struct interrupt *interrupt);

void
interrupt_take(struct interrupt *interrupt);

void
interrupt_close(struct interrupt *interrupt);

/* ---- loop.c, programs.c, record.c: waiting -------------------------------- */

#define SOURCE_FDS_MAX 64

/* ---- tables.c: the tables of a C compiler's object ------------------------ */

/* Adds all of them as text. Returns 0 or -errno. */
int
tables_text(struct source *source, struct text *out);

/* ---- control.c ---------------------------------------------------------- */

/* A handler that main registered. */
struct registration {
	uint32_t handler;
	struct event *event; /* named at run time; NULL: the events that the script's text names */
};

#define TICKS_MAX 64

struct tick {
	uint64_t period_ns;
	int function; /* reference of Lua's registry */
	uint64_t n_done; /* in a source's own time: how often it ran */
};

/* A handler of a signal to ktap itself. */
struct signal_handler {
	int signal;   /* by number */
	int function; /* reference of Lua's registry */
};

enum control_phase { PHASE_MAIN, PHASE_RUNNING, PHASE_END };

struct control {
	struct lua_State *L;
	/* Borrowed. */
	struct object *object;
	struct events *events;
	struct source *source; /* NULL: the script has no probes */
	struct output *out;
	const struct value_names *names;
	const struct session_options *options;
	struct interrupt *interrupt;
	/* What main registered. */
	enum control_phase phase;
	struct registration *registrations;
	uint32_t n_registrations, cap_registrations;
	struct tick *ticks;
	uint32_t n_ticks, cap_ticks;
	struct signal_handler *signal_handlers;
	uint32_t n_signal_handlers, cap_signal_handlers;
	int trace_end; /* reference of Lua's registry */
	/*
	 * Room for one key, the next key and one value of any table, values of per-CPU tables for all CPUs.
	 */
	char *key, *next_key, *value;
	/* Options of the script: control_option.c. */
	struct text help;    /* a line for each that main declared */
	bool wants_help;     /* --help was given: nothing else is printed */
	bool bad_usage;      /* a complaint was made about an option */
	bool has_arg;        /* the table `arg` was made */
	size_t memory;       /* bytes that Lua has, where they are counted */
	uint64_t n_steps;    /* of the part that runs, counted by hundreds of thousands */
	/* Scratch of built-ins, and what print_hist makes: stay allocated when an error unwinds them. */
	struct text text, hist;
};

enum control_result {
	CONTROL_DONE,
	CONTROL_EXIT,        /* exit() was called */
	CONTROL_INTERRUPTED, /* Ctrl-C */
	CONTROL_ERROR,       /* reported on stderr */
};

/*
 * Prepares the control half of control->object. Fills in the rest of the struct. Returns 0 or -errno with *why
 * set.
 */
int
control_open(struct control *control, struct text *why);

/* Run a part of it, to its end. */
enum control_result
control_main(struct control *control);

enum control_result
control_tick(struct control *control, const struct tick *tick);

enum control_result
control_signal(struct control *control, const struct signal_handler *handler);

enum control_result
control_end(struct control *control);

void
control_close(struct control *control);

/* The control of a Lua state. */
struct control *
control_of(struct lua_State *L);

/* Writes to the script's output, unless that is held back for --help. */
void
control_write(struct control *control, const char *s, size_t len);

/*
 * After main: may tracing begin? False when the user asked for --help (which is then printed) or gave options that the script has not
 * (control->bad_usage; it was said on stderr).
 */
bool
control_accepts_options(struct control *control);

int
builtin_OPTION(struct lua_State *L);

/* Unwinds the Lua code that runs, as exit() does. */
int
control_exit(struct lua_State *L);

/*
 * Registers a handler for an event named at run time, or for its own (event NULL). Raises a Lua error
 * outside of main.
 */
void
control_register(struct lua_State *L, int64_t handler, struct event *event);

/* Register the function at a place of the Lua stack. */
void
control_register_tick(struct lua_State *L, uint64_t period_ns, int function);

/* From here on the signal waits for tracing to start, and does no longer what it does by default. */
void
control_register_signal(struct lua_State *L, const char *name, int function);

void
control_register_end(struct lua_State *L, int function);

/* ---- control_ops.c ----------------------------------------------------------- */

/* Pushes K. */
void
control_push_operators(struct lua_State *L);

/* The integer at `index`, or a Lua error. */
int64_t
control_operand(struct lua_State *L, int index);

/* ---- control_lib.c ----------------------------------------------------------- */

/* Pushes B. */
void
control_push_builtins(struct lua_State *L);

/* Appends the text of a Lua value as print shows it. */
void
control_value_text(struct lua_State *L, int index, struct text *out);

/* A Lua value as a value of output. False for those that have none (tables, functions). */
bool
control_value(struct lua_State *L, int index, struct value *value);

/* ---- control_value.c ---------------------------------------------------- */

void
control_push_value(struct lua_State *L, const struct value *value);

/* The number that a cell of this kind holds for the Lua value; false: the value is of another type. */
bool
control_to_number(struct lua_State *L, int index, enum value_kind kind, int64_t *number);

/* Raises the error that `what` ("'x'", "the key of 't'") cannot be this value, with what to do. */
void
control_wrong_kind(struct lua_State *L, int index, enum value_kind kind, const char *what);

enum stored { STORED, STORED_NIL, STORED_TOO_LONG };

/* Lays a Lua value out by a shape. Values of a wrong type are a Lua error that names `what`. */
enum stored
control_store_value(struct lua_State *L, int index, const struct shape *shape, char *bytes, const char *what);

/* ---- control_table.c ---------------------------------------------------- */

/* Puts G on the Lua stack and prepares what shared tables need. */
void
control_push_globals(struct lua_State *L);

/*
 * A table that probes use, as Lua value; or one in it, t[a]: a view of the entries whose keys begin with a. There is nothing to such a view but
 * these entries, so it is there, and empty, before the first, and needs no making.
 */
struct shared {
	uint32_t table;       /* index in the object */
	uint32_t n_parts;     /* of keys, that are given already */
	uint32_t prefix_size; /* bytes of them */
	char prefix[];
};

/* The shared table that the value at `index` is; NULL for other values. Lives as long as the value. */
const struct shared *
shared_table(struct lua_State *L, int index);

/* Is the value G itself? */
bool
is_globals(struct lua_State *L, int index);

/* t[keys] <<< the sample at `value`, the keys being the n values from `first` on. */
void
shared_sample(struct lua_State *L, const struct shared *shared, int first, int n, int value);

/* Functions of K: see codegen.h. */
int
control_stat_get(struct lua_State *L); /* K.stat */

int
control_stat_sample(struct lua_State *L); /* K.sample_stat */

int
control_stat_reset(struct lua_State *L); /* K.reset_stat */

int
control_table_get(struct lua_State *L); /* K.table */

int
control_table_reset(struct lua_State *L); /* K.reset */

/* Pushes t[keys], the keys being the n values from `first` on. */
void
shared_get(struct lua_State *L, const struct shared *shared, int first, int n);

/* t[keys] = value at `value`; nil removes the entry. A table in the table gets the entries of the one at `value`. */
void
shared_set(struct lua_State *L, const struct shared *shared, int first, int n, int value);

/* G[global] += delta, atomically. */
void
shared_add_global(struct lua_State *L, int64_t global, int64_t delta);

void
shared_clear(struct lua_State *L, const struct shared *shared);

int64_t
shared_count(struct lua_State *L, const struct shared *shared);

/*
 * Calls fn for every entry of a table with the entry's key (one Lua value: see box_tuple) and value on top
 * of the stack.
 */
void
shared_each(struct lua_State *L, const struct shared *shared, void (*fn)(struct lua_State *L, void *arg), void *arg);

/* ---- control_stat.c ------------------------------------------------------ */

/*
 * A statistic as a Lua value: of the probes, a copy of what it was when it was read; of the control half itself, the only one, which also
 * keeps how often each value was sampled, in a Lua table, its user value.
 */
struct stat {
	struct stat_layout layout;
	uint64_t cell[];
};

/* The statistic at `index`, or NULL. */
const struct stat *
control_stat(struct lua_State *L, int index);

/* Pushes a copy of a cell. */
void
control_push_stat(struct lua_State *L, const struct stat_layout *layout, const void *cell);

/* Appends "count 3, sum 12, min 1, max 8", of what it keeps. */
void
control_stat_text(const struct stat *stat, struct text *out);

/* Is there at `index` what hist_linear() gives? The statistic at `index` in that form; a Lua error if it does not keep it. */
bool
control_is_linear(struct lua_State *L, int index);

const struct stat *
control_linear(struct lua_State *L, int index, int form);

/* Pushes `old` (a statistic of the control half at that index, or nil) with the sample at `value` added. */
void
control_sample(struct lua_State *L, int old, int value);

/* Functions of K and B: see codegen.h and builtins.def. */
int
control_k_sample(struct lua_State *L);

int
control_hist_linear(struct lua_State *L);

/* Pushes what a reader gives for the statistic at 1; nil has no samples. Returns 1. */
int
control_read_stat(struct lua_State *L, enum stat_reader what);

/* ---- control_string.c ---------------------------------------------------- */

/* The function of Lua's string library on the arguments of the built-in that runs. Returns how many values it pushed. */
int
control_string(struct lua_State *L, const char *name);

/* Pushes the number that the text at 1 is, or nil. Returns 1. */
int
control_numberof(struct lua_State *L);

/* ---- control_box.c ------------------------------------------------------ */

/*
 * A box is a Lua value for what Lua has no type for: a key of several parts, a stack, a kernel address.
 * Boxes of the same contents are the same userdata, so they compare equal and serve as keys of Lua tables.
 */

/* Pushes the box of a value of kind STACK, USTACK or KSYM. */
void
box_value(struct lua_State *L, const struct value *value);

/* Replaces the n values on top of the stack by one key: itself where n is 1, else the box of all. */
void
box_tuple(struct lua_State *L, int n);

/* Pushes the parts of a key, one value for those that are no tuple. Returns how many. */
int
unbox_key(struct lua_State *L, int index);

/* The value in a box; false when there is no such box at `index`, or a tuple. */
bool
unbox_value(struct lua_State *L, int index, struct value *value);

/* The bytes that a box is told apart by; those of tuples sort as their parts do. NULL: no box. Borrowed. */
const char *
box_bytes(struct lua_State *L, int index, uint32_t *len);

/* ---- control_order.c, control_hist.c ------------------------------------- */

/*
 * Pushes two values that hold the entries of the table at `index` (absolute), those with the largest values first. Returns how many
 * there are. An entry is read with the index of the first of the two: pushes key and value.
 */
uint32_t
control_snapshot(struct lua_State *L, int index);

void
control_snapshot_entry(struct lua_State *L, int anchor, uint32_t i);

/* Built-ins. */
int
control_pairs(struct lua_State *L);

int
control_sorted(struct lua_State *L);

int
control_print_hist(struct lua_State *L);

/* ---- watch.c: a command or process without a source that follows it ----- */

struct watch {
	struct command command;
	bool is_ours; /* we started it */
	int pidfd;    /* becomes readable when it ends; -1: nothing to watch */
};

/* Starts (held back) or finds what the target says. Returns 0 or -errno with *why set. */
int
watch_open(struct watch *watch, const struct target *target, struct text *why);

/* Lets the command execute. */
int
watch_go(struct watch *watch, struct text *why);

/* Ends a command of ours that still runs, with SIGTERM. */
void
watch_close(struct watch *watch);

/* ---- signals.c: signals that the script handles --------------------------- */

/* The number of a signal that scripts may handle, by name; -ENOENT: it is none of those. */
int
signal_number(const char *name);

/* Blocks the signal for good: one that comes as the run ends must not kill a process that has done its work. Returns 0 or -errno. */
int
signal_block(int signal);

struct session;

/* Opens session->signal_fd, which is readable when a signal came that has a handler; -1: there are no handlers. False: reported. */
bool
signals_open(struct session *session);

/* Runs the handlers of the signals that came. Without one, does nothing. */
void
signals_take(struct session *session);

/* ---- session.c, attach.c, loop.c: one run ------------------------------- */

struct session {
	/* Borrowed. */
	struct object *object;
	struct events *events;
	struct source *source; /* NULL: no probes */
	const struct session_options *options;
	/* Owned. */
	struct output *out;
	struct symbols *symbols;
	struct user_symbols *user_symbols;
	struct printf_format **formats; /* by site */
	struct value_names names;
	struct interrupt interrupt;
	struct control control;
	struct watch watch;
	struct text text; /* of one record */
	uint64_t *n_delivered; /* records read, by site */
	int *tick_fds;    /* one timerfd a tick; -1 where the source has a time of its own */
	int signal_fd;    /* of signals that have a handler; -1: none have */
	uint64_t tick_start; /* such a source's time at the start */
	bool is_over;     /* tracing shall end */
	bool traces;      /* it has begun */
	bool ends;        /* nothing forbids that trace_end runs */
	uint64_t time;    /* when the last step was done: step_time */
	uint64_t n_bad_records;
	enum exit_status status;
};

/* Attaches what main registered. False: an event cannot be served, which is reported; status is set. */
bool
session_attach(struct session *session);

/* Moves records and runs ticks until the end of tracing. */
void
session_loop(struct session *session);

/* Does the source have a time of its own, as a recording has? */
bool
session_has_own_time(const struct session *session);

/* Prints the records that are left, once no more come. */
void
session_drain(struct session *session);

/* report.c: draws up the account of the run, to be freed by losses_fini. Where there is no memory it has no rows. */
void
session_count(struct session *session, struct losses *losses);

/* Tells it on stderr. Returns how many rows are errors. */
unsigned
session_report(const struct session *session, const struct losses *losses);

/* Takes the worse of two statuses. */
void
session_fail(struct session *session, enum exit_status status);

/* What the result of a part of the control half means for the run. True: go on. */
bool
session_goes_on(struct session *session, enum control_result result);

#endif
