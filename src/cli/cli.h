/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * cli: the command line. args.c reads it, script.c runs a script, main.c has the table of subcommands and puts them
 * together.
 */
#ifndef KTAP_CLI_H
#define KTAP_CLI_H

#include "session/session.h"
#include "vm/vm.h"

enum engine { ENGINE_AUTO, ENGINE_KERNEL, ENGINE_USER, ENGINE_FTRACE };

struct args;

/* What may follow a subcommand's name. */
enum operands {
	OPERANDS_SCRIPT, /* as without a subcommand: options, FILE or -e TEXT, arguments of the script, command */
	OPERANDS_WORDS,  /* options and words in any order: words are args.script_args, no file is needed */
};

/* A row of the table in main.c. */
struct subcommand {
	const char *name;
	enum operands operands;
	const char *usage; /* what follows the name, for the help; GLOB in it: names of events, FILE: files */
	const char *doc;
	enum exit_status (*run)(const struct args *args);
	bool runs_command;  /* `-- COMMAND` may follow */
	unsigned max_words; /* of OPERANDS_WORDS; 0: any number */
};

/* A row of the table in args.c. */
struct option_row {
	const char *name;  /* "-e" or "--engine" */
	const char *value; /* NULL: takes none */
	/* Stores the value. Returns NULL, or what is wrong with it. NULL: a flag is all. */
	const char *(*take)(struct args *args, const char *value);
	const char *doc;
	/* The i-th of the words that the value may be, NULL behind the last; NULL: any text. */
	const char *(*word)(size_t i);
	const char *only;  /* subcommands that know it, separated by spaces; "FILE": none was given; NULL: all */
	const char *no_object; /* why an object of a C compiler cannot be run with it; NULL: it can */
	size_t flag;       /* offset of the bool in struct args that it sets; 0: none */
};

struct args {
	const struct subcommand *subcommand; /* NULL: run a script */
	const char *file;       /* the script; "-": standard input; NULL with `text` */
	const char *text;       /* -e */
	char **script_args;     /* NULL-terminated; of a subcommand with OPERANDS_WORDS: its words */
	char **command;         /* behind `--`, NULL-terminated; NULL: none */
	const char *output;     /* -o */
	const char *pin;        /* --pin */
	const char *losses;     /* --losses */
	uint32_t buffer;        /* --buffer, bytes; 0: as compiled */
	const char *from;       /* --from: a recording; NULL: what happens live */
	const char *events;     /* --events: those of a program that hosts scripts; NULL: the engine's */
	uint32_t jobs;          /* --jobs: threads on a recording, at most; 0: as many as CPUs */
	const char *btf;        /* --btf */
	pid_t pid;              /* -p */
	bool on_one_cpu;        /* -C */
	uint32_t cpu;           /* that one */
	const char *cgroup;     /* --cgroup */
	enum engine engine;
	enum unwind unwind;     /* --unwind */
	uint32_t stack_bytes;   /* --unwind=dwarf,BYTES; 0: not given */
	enum vm_exec exec;      /* --exec */
	bool callx; /* --callx */
	bool quiet; /* -q */
	bool mangled; /* --mangled */
	bool unsafe; /* --unsafe */
	bool json;  /* --json */
	bool as_text; /* --text */
	bool write; /* -w */
	bool list;  /* -l */
	uint64_t seen; /* bit n: option_rows[n] was given */
	bool done;  /* -h, -V: all has been said */
};

/*
 * Reads the command line (argv must outlive args; it is changed). Returns STATUS_OK, or STATUS_USAGE after a
 * message on stderr.
 */
enum exit_status
args_parse(struct args *args, int argc, char **argv);

/* The subcommands that there are: main.c. Ends with a row without name. */
extern const struct subcommand subcommands[];

/* What ktap does and its exit status, for help and man page. */
extern const char usage_text[], status_text[];

/* The options that there are, 64 at most: args.c. Ends with a row without name. */
extern const struct option_row option_rows[];

/* Is it only for subcommands, not for the run of a script? */
bool
option_needs_subcommand(const struct option_row *row);

/*
 * A decimal number from `min` to `max`. A letter of `units` may stand behind it: the first one means times 1,024, each further one times
 * 1,024 more ("kM"). False: the word is no such number.
 */
bool
parse_number(const char *word, const char *units, uint64_t min, uint64_t max, uint64_t *number);

/* "--engine=auto" and "--exec=auto" and so on: what there is to choose. */
extern const char *const engine_names[], *const exec_names[];

/* ---- load.c ---- */

/* The events that a script is compiled for, live ones or those of --events; NULL: that file cannot be used, and *status says how bad that is. Said on stderr. */
struct events *
events_open(struct arena *arena, const struct args *args, enum events_origin origin, enum exit_status *status);

/* An object and what it came from. */
struct load {
	const struct args *args;
	struct arena *arena;
	struct script script;
	enum events_origin origin;
	struct text not_kernel; /* why `auto` did not take the kernel */
	struct recording *recording; /* --from; NULL: live */
	struct events *events;
	struct object *object;
	uint64_t time;          /* of the last step, for -d time */
};

/*
 * Reads args->file (or takes args->text): compiles a script, or binds the events of a compiled one. What is wrong was said when the status is
 * not STATUS_OK. Closed by load_close in any case.
 */
enum exit_status
load_open(struct load *load, const struct args *args);

void
load_close(struct load *load);

/* Is the file that would be written the recording of --from? Then writing would destroy it; said. `path` NULL: none is written. */
bool
destroys_recording(const struct args *args, const char *path);

/*
 * Opens the recording of --from, for the caller to close (recording_close). STATUS_SCRIPT: the file is no recording, STATUS_WORLD: it cannot
 * be read; said.
 */
enum exit_status
recording_load(struct arena *arena, const char *path, struct recording **recording);

struct events;
struct diags;

/* Compiles for the engine that would run the script. Errors are in `diags`; then NULL. */
struct object *
script_compile(const struct args *args, struct arena *arena, struct script *script, struct events *events, struct diags *diags);

/* Adds what programs ask and their events cannot answer: those of a recording (NULL: live), of ftrace. */
void
check_answers(const struct args *args, const struct recording *recording, const struct object *object, struct diags *diags);

/* Is there a file, and an object in it? */
bool
load_is_object(const struct args *args);

/*
 * The events to compile for: those of the engine that is asked for, for `auto` those of the kernel where it
 * is permitted. *not_kernel (may be NULL) says why it is not.
 */
enum events_origin
engine_choose(enum engine engine, struct text *not_kernel);

/* One line on why it is the user engine, where that was not asked for. */
void
say_not_kernel(const struct load *load);

/*
 * The script of args->text or args->file, in `arena`: read.c. Returns STATUS_OK, or says on stderr what is wrong with the file.
 */
enum exit_status
script_read(struct arena *arena, const struct args *args, struct script *script);

/* All of a file ("-": standard input), for the caller to free; *len is above SCRIPT_MAX_LEN where it is longer than that. NULL with errno set. */
char *
file_text(const char *path, size_t *len);

/*
 * Calls `one` for the text of -e and for each script that args->script_args names, as args->file. Returns the worst status; STATUS_USAGE
 * after a message when there is none.
 */
enum exit_status
scripts_each(const struct args *args, enum exit_status (*one)(const struct args *args, void *data), void *data);

/* Reads, compiles and runs a script: script.c. */
enum exit_status
script_run(const struct args *args);

/* `ktap run`, `ktap compile`, `ktap dump`: run.c; the last two take the file from the words. */
enum exit_status
run_run(const struct args *args);

enum exit_status
compile_run(const struct args *args);

enum exit_status
dump_run(const struct args *args);

/* `ktap table`: table.c. */
enum exit_status
table_run(const struct args *args);

struct outside_table;

/* An entry; of per-CPU tables with the values of all CPUs. */
struct table_row {
	uint8_t *key, *value;
};

/* Prints a table's entries as JSON: table_json.c, or json_none.c. */
enum exit_status
table_json(const struct outside_table *table, const struct table_row *rows, uint32_t n);

/* `ktap check`: check.c. */
enum exit_status
check_run(const struct args *args);

/*
 * Diagnostics of several files as one JSON document: json.c, or json_none.c where there is no jansson; that makes NULL, and says so on
 * stderr. A list is freed by diag_list_print.
 */
struct diag_list;

struct diag_list *
diag_list_new(void);

void
diag_list_add(struct diag_list *list, const struct diags *diags);

/* An error of a file as a whole: its place is the file's begin. */
void
diag_list_add_whole(struct diag_list *list, const char *file, const struct diag *diag);

/* An error of an object at a line of the C file that it was made of. */
void
diag_list_add_line(struct diag_list *list, const char *object, const struct source_line *line, const struct diag *diag);

/* Whether it could be written, `out` tells. */
void
diag_list_print(struct diag_list *list, FILE *out);

/* The account of a run as one JSON document, on `out`; json.c, or json_none.c. Returns 0 or -errno, -ENOSYS without jansson. */
int
losses_print(const struct losses *losses, const struct object *object, FILE *out);

/* `ktap generate WHAT`: generate.c has the table of what there is. */
enum exit_status
generate_run(const struct args *args);

void
generate_man(FILE *out);

void
generate_builtins(FILE *out);

void
generate_vim(FILE *out);

void
generate_vscode(FILE *out);

void
generate_bash(FILE *out);

void
generate_zsh(FILE *out);

void
generate_fish(FILE *out);

/* Does the file begin as an ELF file does? Says nothing; one that cannot be read is none. */
bool
is_object_file(const char *path);

/* The descriptor of -o, standard output without. What its file holds is still there (session_options.replaces). -1: said why not. */
int
output_open(const struct args *args);

/* `ktap run FILE.o` and `ktap check FILE.o` for objects of C compilers, args->file: object.c. */
enum exit_status
object_run(const struct args *args);

/* list: takes what is wrong; NULL: that is printed. */
enum exit_status
object_check(const struct args *args, struct diag_list *list);

/* record.c */
enum exit_status
record_run(const struct args *args);

/* `ktap fmt`: fmt.c. */
enum exit_status
fmt_run(const struct args *args);

#endif
