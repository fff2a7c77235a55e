/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * event: what can happen. Kinds of event, their names and globs, their fields, and the text of a record.
 */
#ifndef KTAP_EVENT_H
#define KTAP_EVENT_H

#include "base/base.h"

enum event_kind {
	EVENT_SYSCALL_ENTER, /* syscalls:sys_enter_NAME */
	EVENT_SYSCALL_EXIT,  /* syscalls:sys_exit_NAME */
	EVENT_TRACEPOINT,    /* system:name, from tracefs */
	EVENT_KPROBE,        /* probe:SYM, probe:SYM+OFFSET, kdebug.kprobe: a place in a kernel function */
	EVENT_KRETPROBE,     /* probe:SYM%return: the return of a kernel function */
	EVENT_UPROBE,        /* probe:FILE:SYM, probe:FILE:0xOFFSET: a place in a program or library */
	EVENT_URETPROBE,     /* probe:FILE:SYM%return */
	EVENT_FENTRY,        /* fentry:FUNCTION: entry of a kernel function, arguments typed by BTF */
	EVENT_FEXIT,         /* fexit:FUNCTION: its return */
	EVENT_RAWTP,         /* rawtp:NAME: a tracepoint with its arguments as they are passed */
	/* From here on: without a record. */
	EVENT_COUNTER,       /* perf:NAME, watch:ADDRESS: a counter on every CPU */
	EVENT_PROFILE,       /* profile-N: a timer on every CPU */
	EVENT_INIT,          /* init: before the first event, once */
	EVENT_FINI,          /* fini: after the last, once */
	N_EVENT_KINDS
};

enum field_kind {
	FIELD_INT,      /* integer of 1, 2, 4, 8 bytes */
	FIELD_CHARS,    /* char x[N] in the record */
	FIELD_DATA_LOC, /* __data_loc char[]: 4 bytes, length << 16 | offset of the text in the record */
	FIELD_USER_STR, /* pointer to a string in the process (char * argument of a system call) */
	FIELD_ANY_STR,  /* pointer to a string of the kernel or of the process, as the address says (fetch arguments) */
	FIELD_OTHER,    /* anything else: shown by argstr only */
};

/* A field of a record, as the tracepoint's `format` file says. common_* fields are left out. */
struct field {
	const char *name;
	const char *type;    /* C type as written there, e.g. "const char *" */
	enum field_kind kind;
	uint32_t offset;     /* bytes from the start of the record (common_* included) */
	uint32_t size;       /* bytes */
	bool is_signed;
	/* System calls pass every argument in 8 bytes; the bytes that its C type really has (int: 4). Else equal to size. */
	uint32_t value_size;
	/* Recordings: where in the record the text stands that the pointer points to, as in a __data_loc; 0: it was not recorded. */
	uint32_t text_offset;
	uint8_t show;        /* system call arguments: how argstr writes the number, enum show (event_int.h) */
};

/* ---- probes of functions: how a value is fetched when one is hit (probe.c) ---------------------------------- */

enum fetch_from {
	FETCH_REG,   /* register, plus `value` */
	FETCH_CONST, /* `value` */
	FETCH_CONTEXT, /* word of a program's typed context, `reg` bytes behind its start; may be a pointer */
	FETCH_IP,    /* address of the instruction at which the probe is */
	FETCH_FUNC,  /* address of the function that returns; 0 where the kernel does not tell */
};

#define FETCH_STEPS_MAX  6
#define PROBE_ARGS_MAX   8  /* fetch arguments of a definition */
#define PROBE_FIELDS_MAX 12 /* with those that are always there */
#define PROBES_MAX       20000 /* functions that one pattern may fit */

struct fetch {
	enum fetch_from from;
	int16_t reg;      /* bytes in struct pt_regs, in the context */
	int16_t index;    /* FETCH_REG: of another register, which is added `scale` (1, 2, 4, 8) times; 0: there is none */
	uint8_t scale;
	uint64_t value;
	uint32_t n_steps;
	/* Then so many times: value = memory at value + offset, of the process (user) or of whoever owns the address. */
	struct fetch_step { int32_t offset; bool user; } steps[FETCH_STEPS_MAX];
	bool is_string;   /* after the last step's addition: that address is the value, a string stands there */
};

struct probe {
	const char *definition; /* as written behind "probe:" (or "fentry:", ...); of a glob, for this function */
	const char *symbol;     /* function; of a place in a file its offset, as written */
	const char *path;       /* of the program or library; NULL: the kernel */
	uint64_t offset;        /* kernel: bytes behind the symbol; else the instruction's place in the file */
	uint64_t semaphore;     /* file: where the count of those who watch the place lies; 0: there is none */
	bool at_entry;          /* file: that is a function's first instruction */
	const char *args;       /* fetch arguments as written; equal texts: equal fetches */
	const struct fetch *fetches; /* one a field of the event */
	uint32_t btf_id;        /* typed events: the type that their program is loaded for; 0: another kind */
	const char *module;     /* typed events: whose types have that number; NULL: the kernel's own */
};

/* What perf_event_open(2) is asked to count; the numbers are its. */
struct perf_counter {
	uint32_t type;
	uint64_t config, period;
	uint64_t watch_address, watch_len; /* PERF_TYPE_BREAKPOINT */
	uint32_t watch_mode;
};

struct event {
	enum event_kind kind;
	const char *system;  /* "syscalls", "sched"; kprobes: "probe" */
	const char *name;    /* "sys_enter_openat"; what probename shows */
	int32_t number;      /* system call number; others -1 */
	int32_t id;          /* tracefs id (perf_event_attr.config); -1 until event_load_fields of a tracepoint */
	uint64_t period_ns;  /* profile */
	const struct probe *probe; /* probes of functions; NULL: another kind */
	const struct perf_counter *counter; /* counters; NULL: another kind */
	const char *format;  /* of a recorded event: its format file; NULL: the machine's own */
	/* Set by event_load_fields. */
	bool fields_loaded;
	struct field *fields;
	uint32_t n_fields;
	uint32_t record_size; /* bytes of the fixed part of the record */
	uint32_t index;       /* in struct object.events, UINT32_MAX before */
};

/* ---- tracefs.c ------------------------------------------------------------------------------------ */

/*
 * A descriptor of the tracefs root: where it is mounted (/sys/kernel/tracing, /sys/kernel/debug/tracing), else, with the
 * privilege to, a private detached mount (fsopen(2), fsmount(2)) that no other process sees and that ends with us.
 * Opened once, kept for the life of the process. Returns the descriptor, or -errno.
 */
int
tracefs_dir(void);

/* Is the kernel locked down for confidentiality (lockdown=confidentiality)? Then it shows no tracefs, and programs read none of its memory. */
bool
kernel_is_locked_down(void);

/* Whole contents of a file below the tracefs root, malloc'ed, NUL-terminated; NULL with errno set. */
char *
tracefs_read(const char *path, size_t *len);

/* ---- events.c: the events that exist where we run -------------------------------------------------------- */

struct events;

enum events_origin {
	EVENTS_KERNEL, /* system calls from our table, all others from tracefs (none of them where it can't be read) */
	EVENTS_USER,   /* what the user engine makes: system calls, process fork/exec/exit, signals */
	EVENTS_RECORDED, /* those of a recording, which who reads it adds (recorded.c) */
	EVENTS_HOST,     /* those of a program that hosts scripts, which it adds (recorded.c) */
};

/* Never fails: where tracefs can't be read, tracepoints are unknown and events_tracefs_error says why. */
struct events *
events_new(struct arena *arena, enum events_origin origin);

enum events_origin
events_origin(const struct events *events);

/* "the user engine has": whose events these are, for messages that say what he has not. */
const char *
events_owner_has(const struct events *events);

/* 0, or the -errno that reading tracefs gave (so that "unknown event" can say why). Tries to read it. */
int
events_tracefs_error(struct events *events);

/*
 * Calls fn for each event that matches a pattern "system:name" (both parts globs; `*:*` leaves out "ftrace:*"), in a
 * fixed order: system calls by number (enter before exit), then tracepoints by system and name. The same event is always
 * the same struct. Returns the number of matches, or -EINVAL when the pattern has no ':'.
 */
int
events_match(struct events *events, const char *pattern, void (*fn)(struct event *event, void *arg), void *arg);

/* The event with exactly this system and name, or NULL. */
struct event *
events_find(struct events *events, const char *system, const char *name);

/* The event whose name (without system) is `name`, or NULL; for table keys that the script writes as text. */
struct event *
events_find_name(struct events *events, const char *name);

/* The known event whose "system:name" is nearest to a misspelt one, or NULL when none is near. */
struct event *
events_suggest(struct events *events, const char *name);

/* New event for profile-N. */
struct event *
events_profile(struct events *events, uint64_t period_ns);

/* The event init or fini; NULL: it is another name. moment.c. */
struct event *
events_moment(struct events *events, const char *name);

/* ---- recorded.c: the events of a recording or a host --------------------------------------------------------------------- */

/*
 * Adds an event by the text of its `format` file (copied), with its number as id. System calls keep the fields of our own table where
 * the recording has them in the same places. Of two with one name the first stays. Returns it; NULL: this is no format.
 */
struct event *
events_add_format(struct events *events, const char *system, const char *format, size_t len);

/*
 * Adds an event with these fields (their names and types are borrowed), or gives them to one that has no number yet. NULL: there is
 * one of this name that has, or a system call.
 */
struct event *
events_add_fields(struct events *events, const char *system, const char *name, const struct field *fields, uint32_t n);

#define HOST_HEADER_SIZE  8              /* bytes of common_* before a host's struct in a record */
#define HOST_POINTER_TYPE "const char *" /* of a field that holds the address of a text in the host's memory: FIELD_USER_STR */

/*
 * Adds the events of a host: format files, a line "system: NAME" before each, as events_write_formats writes them. How many, or -EINVAL with *why
 * naming the line.
 */
int
events_add_formats(struct events *events, const char *text, size_t len, struct text *why);

/* Appends all tracepoints of a set whose fields are loaded, in that form. */
void
events_write_formats(struct events *events, struct text *out);

/* Adds all that the user engine makes, with our own layouts: system calls, processes, signals. */
void
events_add_known(struct events *events);

/* ---- format_text.c: our own layouts as format files ----------------------------------------------------------------- */

/* The format file of an event with loaded fields; event->id is its number. */
void
event_format_file(const struct event *event, struct text *out);

/* Bytes of the fixed part of its records there: of a system call's entry no more than its arguments and where their strings stand. */
uint32_t
event_recorded_size(const struct event *event);

/* Where the __data_loc of such a string stands in the record. */
uint32_t
event_recorded_string(const struct event *event, const struct field *string);

/* ---- define.c: events that a script makes -------------------------------------------------------------------- */

/* Is this the definition of an event, "probe:...", "fentry:...", and not a pattern for those that exist? */
bool
events_is_definition(const char *pattern);

/*
 * Makes the events of a definition, fields and all, and calls fn for each; the event of an equal definition is the same
 * struct. `span`: the pattern's place in the script. Returns how many, or -errno with an error in *diags.
 */
int
events_define(struct events *events, const char *pattern, struct span span, struct diags *diags,
	      void (*fn)(struct event *event, void *arg), void *arg);

/* ---- probe.c: functions of the kernel and of programs --------------------------------------------------------- */

/* The event probe:SYMBOL. The name is not checked here. */
struct event *
events_kprobe(struct events *events, const char *symbol);

static inline bool
event_is_probe(const struct event *event)
{
	return event->probe != NULL;
}

/* Has it fields, or nothing but the fact that it happened? */
static inline bool
event_has_record(const struct event *event)
{
	return event->kind < EVENT_COUNTER;
}

/* Is it made by the run itself (moment.c)? */
static inline bool
event_is_moment(const struct event *event)
{
	return event->kind == EVENT_INIT || event->kind == EVENT_FINI;
}

/* The value in the event's record that `retval` stands for; NULL: it has none. */
const struct field *
event_retval(const struct event *event);

/* The kernel function whose name is nearest to a misspelt one (lives in the arena), or NULL. Reads all of them: 30 ms. */
const char *
kernel_function_like(struct arena *arena, const char *name);

/* ---- interval.c: how often timers fire ------------------------------------------------------------------------------ */

/*
 * Nanoseconds of the N in tick-N and profile-N: a number with s, sec, ms, msec, us, usec, or hz. Returns NULL, or what is wrong
 * with it as a text that fits behind "'10' is not an interval: ".
 */
const char *
interval_parse(const char *s, uint32_t len, uint64_t *ns);

/* Adds the diagnostic for what interval_parse returned. */
void
interval_report(struct diags *diags, struct span span, const char *s, const char *wrong);

/* ---- format.c -------------------------------------------------------------------------------------------------- */

/* Fills in fields, record_size and id (libtraceevent for tracepoints). Returns 0 or -errno. */
int
event_load_fields(struct events *events, struct event *event);

/* A typed event's argument that is a pointer to a structure or a union: its type, "struct sock *"; NULL: it is none. */
const char *
event_points_to(const struct event *event, const struct field *field);

/* Field by name, or NULL. Needs loaded fields. */
const struct field *
event_field(const struct event *event, const char *name);

/* The function that a probe is in, "vfs_read" (of a marker its name); NULL: an event of another kind. */
const char *
event_function(const struct event *event);

/* Bit n set: argument n (0 to 5) of this system call's entry is a string. 0 for other events. */
uint32_t
event_string_args(const struct event *event);

/*
 * One line an event that matches `pattern` (NULL: all): "system:name"; with a pattern that names one event, its fields too.
 * Of "probe:..." the functions that can be probed. Returns the number of lines, or -errno with *why (-EINVAL: no pattern).
 */
int
events_list(struct events *events, const char *pattern, FILE *out, struct text *why);

/* ---- section.c: sections of C compilers' objects ------------------------------------------------------------------ */

enum section_target {
	SECTION_EVENT,    /* "SYSTEM/NAME" */
	SECTION_POINT,    /* "NAME" of a tracepoint */
	SECTION_FUNCTION, /* a place in code */
	SECTION_NOTHING,
};

enum section_context {
	CONTEXT_NONE,
	CONTEXT_RECORD, /* the event's record, as ftrace lays it out */
	CONTEXT_ARGS,   /* arguments of the tracepoint, 8 bytes each */
	CONTEXT_TYPED,  /* the same, with the kernel's types: its verifier lets them be followed */
	CONTEXT_REGS,   /* registers, struct pt_regs of this machine */
	CONTEXT_PERF,   /* the same, then period and address: struct bpf_perf_event_data */
};

/* Bytes of what the kernel shows programs as registers: struct pt_regs of x86-64, struct user_pt_regs of AArch64. */
#if defined(__x86_64__)
#define SECTION_REGS_SIZE (21 * 8)
#else
#define SECTION_REGS_SIZE (34 * 8)
#endif

/* A row of sections.def. */
struct section {
	const char *prefix;
	enum section_target target;
	enum section_context context;
	const char *doc;
};

/* Begins with libbpf's mark for a program that is not loaded but when somebody asks for it. */
bool
section_is_optional(const char *name);

/* The row for a section's name, and what follows its '/' ("": nothing). NULL: no programs of ours are in such a section. */
const struct section *
section_find(const char *name, const char **rest);

/* Bytes of context that a program in such a section may read at most. */
uint32_t
section_context_size(const struct section *section);

/* ---- pattern.c, bind.c: which events a handler serves, and by which program ------------------------------------ */

struct event_pattern;
struct event_use;
struct object;

/* The events of a handler, in the order of its patterns, each once, with the pattern that brought it. */
struct matches {
	struct match { struct event *event; const struct event_pattern *pattern; } *list;
	uint32_t n, cap;
};

/*
 * The events that the patterns of a handler ("sched:*", "probe:...") stand for, in `arena`. What matches nothing or is no pattern is an error in
 * *diags.
 */
struct matches
events_of_patterns(struct events *events, struct arena *arena, const struct event_pattern *patterns, uint32_t n, struct diags *diags);

/* Loads an event's fields if the handler reads any, and checks that it has those that are named. False: an error is in *diags. */
bool
event_prepare(struct events *events, struct event *event, const struct event_use *use, struct diags *diags);

/* Is anything read of the record? */
bool
event_is_read(const struct event_use *use);

/* The field that argN stands for; NULL: the event has none. Needs loaded fields. */
const struct field *
event_arg(const struct event *event, const struct event_use *use, uint32_t n);

/*
 * What of an event the code of a handler depends on, beside places in the record, as text: equal texts, one program. Needs loaded fields
 * where anything is read.
 */
char *
event_signature(struct arena *arena, const struct event *event, const struct event_use *use);

/*
 * The program of a handler that serves an event: one of the object's, or a copy of one with the event's places put into the instructions.
 * Returns its index, or UINT32_MAX: the object has no code for an event like this. Needs loaded fields where anything is read.
 */
uint32_t
bind_event(struct object *object, uint32_t handler, const struct event *event);

/*
 * Makes an object whose handlers have their bindings ready for a file: the names of its events, what it needs of a kernel (object->needs), entries for
 * other loaders.
 */
void
bind_for_file(struct object *object);

/*
 * Finds the events of an object that was read from a file on this machine: fills in object->events and the handlers' bindings, sizes tables
 * that are indexed by event. What is not here, or is laid out in a way that there is no code for, is an error in *diags where the script
 * names it in full; where a glob fits it, it is left out and counted in *n_skipped, *skipped saying why of the first.
 */
void
bind_object(struct object *object, struct events *events, struct diags *diags, uint32_t *n_skipped, struct text *skipped);

/* The text of an event for the object's table of such (ebpf.h, enum event_text): as many bytes as its values have. */
void
bind_text(const struct object *object, unsigned text, const struct event *event, char *bytes);

/* The number of the event of that name. Where there is none, one that an event of the name gets when it comes to the object. */
uint32_t
bind_name(struct object *object, const char *name);

/*
 * Gives an event its number in the object (event->index): that of the event of its name when the object was compiled, on which its code may
 * depend, else a new one.
 */
void
bind_number(struct object *object, struct event *event);

/* Tells the object's tables how many events there are; tables that are indexed by event grow to that, with room for events named at run time. */
void
bind_tables(struct object *object);

/* ---- syscalls.c: the system calls of this architecture, from syscalls-ARCH.def ------------------------------ */

struct syscall_arg { const char *type, *name; };

struct syscall {
	const char *name; /* "openat" */
	int32_t number;
	uint32_t n_args;
	struct syscall_arg args[6];
};

/* By number, or NULL. */
const struct syscall *
syscall_by_number(int32_t number);

/* By the name that its events bear ("newstat"), else by that of <asm/unistd.h> ("stat"); or NULL. */
const struct syscall *
syscall_by_name(const char *name);

/* True if argument n (from 0) is a NUL-terminated string that the call reads: a path, a name; not a buffer. */
bool
syscall_arg_is_string(const struct syscall *syscall, unsigned n);

#define SYSCALLS_MAX 512 /* numbers are below this */

/* ---- argstr.c: a record as text -------------------------------------------------------------------------------- */

/*
 * Text of a record in the form of VALUE_ARGSTR (ebpf.h), e.g. `sys_openat(dfd: -100, filename: "/etc/passwd", flags: 0x80000, mode: 0)`,
 * `sys_openat -> 3`, or NAME: TEXT by the kernel's print format through libtraceevent. Never trusts the bytes.
 */
void
event_format(struct events *events, const struct event *event, const void *bytes, size_t len, struct text *out);

/* ---- image.c: the functions of an ELF file, by place ------------------------------------------------------------ */

/* What is known of a program's or library's code. Owns all it holds. */
struct image;

struct image_symbol {
	const char *name;     /* lives as long as the image; without "@VERSION" */
	uint64_t offset;      /* of the place asked for, from its start, */
	uint64_t size;        /* of it; 0: not known */
};

/*
 * Reads .symtab and .dynsym; where there is no .symtab, that of the file with debugging information that belongs to this one, found
 * by build id or debug link below /usr/lib/debug and beside `path`. Borrows fd. NULL where it is no ELF file of 64 bits. The file
 * is not trusted.
 */
struct image *
image_read(int fd, const char *path);

/* The same of a file in memory (borrowed for the call), without looking for others. */
struct image *
image_read_memory(const void *bytes, size_t len);

/* The file with debugging information that its symbols were taken from, which has no table of them itself; NULL: there is none. */
const char *
image_debug_path(const struct image *image);

void
image_free(struct image *image);

/* The function at a place in the file. False: there is none, or its name is not known. */
bool
image_find(const struct image *image, uint64_t offset, struct image_symbol *symbol);

/* The address that a place in the file has for those who read the file (nm, addr2line); the place itself where it is no code. */
uint64_t
image_address(const struct image *image, uint64_t offset);

/* Its build id; *len 0: it has none. */
const uint8_t *
image_build_id(const struct image *image, uint32_t *len);

#endif
