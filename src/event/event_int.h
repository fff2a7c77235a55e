/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What the files of the event room share: the set of known events, and libtraceevent's view of their formats.
 */
#ifndef KTAP_EVENT_INT_H
#define KTAP_EVENT_INT_H

#include "event/event.h"

struct tep_handle;
struct tep_event;

/* One known event; entries with the same hash of their name are chained. */
struct entry {
	struct event event;
	struct entry *next;
};

#define NAME_BUCKETS 4096 /* about twice the events of a kernel */

/* A list of events in the order of events_match. */
struct event_list {
	struct entry **entries;
	uint32_t n, cap;
};

struct events {
	struct arena *arena;
	enum events_origin origin;
	struct event_list syscalls;    /* by number, enter before exit */
	struct event_list tracepoints; /* by system and name; empty until events_read_tracefs */
	struct event_list made;        /* kernel functions and timers, in the order of their making */
	bool tracefs_read;
	bool has_known;                /* recordings: events_add_known was called */
	bool has_formats;              /* recordings: events_tep was called */
	int tracefs_error;
	struct entry *buckets[NAME_BUCKETS];
	unsigned char *padded;         /* argstr.c: copy of a record with zeros behind it */
};

/*
 * libtraceevent's handle: the formats that were read so far, of the running kernel or of a recording. One recording's are kept, those of
 * the last that was asked for. NULL: no memory.
 */
struct tep_handle *
events_tep(struct events *events);

/*
 * A tracepoint's format as libtraceevent parsed it (read from tracefs at the first question), or NULL with
 * errno set. Borrowed.
 */
struct tep_event *
events_tep_event(struct events *events, const struct event *event);

/* ---- print_format.c ---- */

#define PRINT_REACH (1u << 20) /* bytes */

/* May libtraceevent parse this format of a recording: is it of a size, and nested as deep, as formats are? */
bool
print_format_is_readable(const char *text, size_t len);

/* May it print records by this format, if PRINT_REACH bytes follow the last place where a field may begin? */
bool
print_format_is_bounded(const struct tep_event *parsed);

/* ---- format.c ---- */

/*
 * The fields of system calls and, for EVENTS_USER, of the process events: event->fields, n_fields,
 * record_size. True when this event is one of those.
 */
bool
event_builtin_fields(struct events *events, struct event *event);

/* ---- events.c, for probe.c and recorded.c ---- */

/* New tracepoint of a recording; `system` and `name` live in the arena. */
struct event *
events_add(struct events *events, const char *system, const char *name);

/* New event, owned by the events. */
struct event *
events_make(struct events *events, enum event_kind kind, const char *system, const char *name);

/* The probe of this system and name whose definition and place are these, or NULL. */
struct event *
events_find_probe(struct events *events, const char *system, const char *name, const char *definition, uint64_t offset);

/* Help for what only the kernel engine has: how to come to it from where these events are. */
void
events_help_kernel(const struct events *events, struct diags *diags, struct diag *diag);

/* The event of this system and name, if it was made already, or NULL. */
struct event *
events_find_made(struct events *events, const char *system, const char *name);

/* ---- define.c ---- */

/* events_list for the pattern of a definition. */
int
events_list_definitions(struct events *events, const char *pattern, FILE *out, struct text *why);

/* ---- typed.c: as events_define and events_list, for definitions.def ---- */

int
events_typed(struct events *events, const char *pattern, struct span span, struct diags *diags,
	     void (*fn)(struct event *event, void *arg), void *arg);

int
events_list_typed(struct events *events, const char *pattern, FILE *out, struct text *why);

/* ---- probe.c ---- */

/* "probe:PLACE ARGUMENTS" (grammar in probe.c); as events_define. Symbols of files are looked up at once; those of the kernel only to expand a glob. */
int
events_probe(struct events *events, const char *pattern, struct span span, struct diags *diags,
	     void (*fn)(struct event *event, void *arg), void *arg);

/* Bytes in struct pt_regs of a register by the kernel's name ("di", "r8"). False: there is none. */
bool
probe_register(const char *name, size_t len, int16_t *offset);

/* The functions that "probe:GLOB" or "probe:FILE:GLOB" fits, one a line. Returns their number, or -errno with *why. */
int
events_list_functions(struct events *events, const char *pattern, FILE *out, struct text *why);

/* ---- functions.c ---- */

#define FUNCTION_NAME_MAX 4096 /* bytes with the NUL; names of C++ are long */

struct code_function {
	const char *name;
	uint64_t offset;   /* of its first instruction in the file; kernel: 0 */
	bool is_indirect;  /* STT_GNU_IFUNC: chooses a function when the program starts, and is none itself */
};

/* By name, in an arena. */
struct functions {
	struct code_function *functions;
	uint32_t n, cap;
	uint32_t n_known;  /* functions that the file has, whether they fit or not; 0: it was stripped */
};

bool
name_is_glob(const char *s);

/*
 * The functions of an ELF file of this architecture whose names fit a name or glob; NULL: all. Returns 0, or -errno with *why.
 */
int
functions_of_file(struct arena *arena, const char *path, const char *pattern, struct functions *list, struct text *why);

/* Is this a place in the file that is executed? 0, or -errno with *why. */
int
check_code_offset(const char *path, uint64_t offset, struct text *why);

/* Likewise those of the running kernel and its modules. */
int
functions_of_kernel(struct arena *arena, const char *pattern, struct functions *list, struct text *why);

/* The name that is nearest to a misspelt one, or NULL. */
const char *
functions_nearest(const struct functions *list, const char *name);

/* A marker's place in a file, from a note of the section .note.stapsdt. */
struct marker {
	const char *provider, *name;
	const char *args;    /* as in the note: "-4@%edi 8@-8(%rbp)" */
	uint64_t offset;     /* of the instruction in the file */
	uint64_t semaphore;  /* where the file has the count of those who watch; 0: the marker has none */
};

/* By provider, name and offset, in an arena. */
struct markers {
	struct marker *markers;
	uint32_t n, cap;
};

/* All markers of an ELF file of this architecture. Returns 0, or -errno with *why. */
int
markers_of_file(struct arena *arena, const char *path, struct markers *list, struct text *why);

/* ---- marker.c: as events_define and events_list, for definitions.def ---- */

int
events_marker(struct events *events, const char *pattern, struct span span, struct diags *diags,
	      void (*fn)(struct event *event, void *arg), void *arg);

int
events_list_markers(struct events *events, const char *pattern, FILE *out, struct text *why);

/* ---- counter.c: as events_define and events_list, for definitions.def ---- */

int
events_perf(struct events *events, const char *pattern, struct span span, struct diags *diags,
	    void (*fn)(struct event *event, void *arg), void *arg);

int
events_list_perf(struct events *events, const char *pattern, FILE *out, struct text *why);

int
events_watch(struct events *events, const char *pattern, struct span span, struct diags *diags,
	     void (*fn)(struct event *event, void *arg), void *arg);

int
events_list_watch(struct events *events, const char *pattern, FILE *out, struct text *why);

/* ---- library.c ---- */

/* The absolute path of the library or program that is meant by a name or path; NULL with *why set. */
const char *
find_binary(struct arena *arena, const char *name, struct text *why);

/* How argstr.c writes the number in an argument of a system call, or its result. */
enum show {
	SHOW_DECIMAL, /* signed or not, as its type is */
	SHOW_FD,      /* a descriptor: signed, whatever its type says */
	SHOW_ID,      /* a user or group: -1 means "leave it" */
	SHOW_HEX,
	SHOW_OCTAL,   /* permissions */
	SHOW_NOT,     /* not in argstr: what a probe has without being asked for it */
};

enum show
argstr_show(const struct syscall *syscall, unsigned n);

/* The running kernel's types, read at the first question and kept for the life of the process; NULL with *why set: it tells none. */
const struct typeinfo *
event_kernel_types(struct text *why);

#define PLACE_MAX 16384 /* of a field that is read: an instruction's offset has 15 bits, and some bytes behind it are read, too; pack.c has room for no more */

/* ---- bind_needs.c, entry.c, bind_types.c, bind.c, entry_place.c ---- */

/* Fills in object->needs: what it needs of a kernel. Needs bindings. */
void
bind_needs(struct object *object);

/*
 * Adds functions by which other loaders run the object's programs, and what tables those need, behind the object's own
 * (n_own_funcs, n_own_tables). Needs bindings.
 */
void
bind_entries(struct object *object);

/* Puts the numbers of this kernel's types into an object that was compiled elsewhere; diagnostics for what is not here. */
void
bind_types(struct object *object, struct events *events, struct diags *diags);

/* Four bytes as addresses of IPv4 are declared, `__u8 saddr[4]`: a number as it lies in memory, as net.format_ip_addr wants it. */
bool
event_type_is_ipv4(const char *type);

struct program;

/* Where a field is that a program reads, in the record of one event; `path`: what says so on other kernels (struct core_number). */
struct entry_place {
	uint32_t offset;
	const char *path;
};

/*
 * The places of all fields of a program in a tracepoint's record, by the kernel's types (NULL: not known). False: those do not tell. Needs loaded
 * fields.
 */
bool
entry_places(const struct typeinfo *types, struct arena *arena, const struct event *event, enum events_origin origin,
	     const struct program *program, struct entry_place *places);

/* A copy of a program's function with its fields at these places, with what says where they are elsewhere. Its index in object.funcs. */
uint32_t
bind_copy(struct object *object, const struct program *program, const struct event *event, const struct entry_place *places);

/* The `n`-th field whose text stands behind the record; NULL: there are fewer. */
const struct field *
event_text_field(const struct event *event, uint32_t n);

#endif
