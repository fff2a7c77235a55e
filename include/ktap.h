/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * libktap: an eBPF engine for your C program. It reads objects of C compilers (clang -target bpf, gcc-bpf), proves their programs safe,
 * runs them as machine code where it can, and shares tables with them. No privilege, no kernel support.
 *
 *     struct ktap *engine;
 *     struct ktap_object *object;
 *     uint64_t verdict;
 *
 *     ktap_new(&engine);
 *     ktap_add_event(engine, "net/packet", sizeof(struct packet), KTAP_CONTEXT_READ);
 *     if (ktap_object_open(engine, "filter.o", NULL, &object) < 0)
 *             errx(1, "%s", ktap_error());
 *     ktap_run(ktap_program_find(object, "filter"), &packet, NULL, &verdict);
 *
 * Programs are verified when an object is opened: one that could touch memory that is not its own, or never end, is refused with a message
 * that says why. What was accepted cannot fault, and writes to no memory but its own and what your helpers write to. Reading is another matter: as in the
 * kernel, bpf_probe_read_kernel, bpf_probe_read and the like copy from any address, here of your process (bpf_probe_read_user: -EFAULT), and what is
 * printed may show addresses. Do not run programs of people who must not know what is in your memory.
 *
 * Functions that can fail return 0 or a positive number, or -errno; ktap_error() then has one message that names object, cause and cure, and what they
 * would have made is NULL.
 * Threads: an engine is set up by one thread. Then any number of threads may run the programs of its objects and use the tables at the same
 * time. Tables and variables are shared as threads share memory: what is to be counted exactly takes atomic instructions (__sync_fetch_and_add) or
 * a lock (bpf_spin_lock). Programs of objects with a table that has a value for each CPU run one behind the other: an engine has one CPU. Free an
 * object when nobody uses it any more. A run takes 32 KB of the thread's stack, and 512 KB where functions that a program calls make tail calls; what
 * your helpers take comes on top.
 *
 * Contexts and memory that programs get are aligned to 8 bytes. Where memory ends while an object is read, or text is put together (a message, or what a
 * program prints), the process ends, with a message and status 3; else a lack of memory is an error like others.
 *
 * Build with: cc host.c $(pkg-config --cflags --libs ktap)
 */
#ifndef KTAP_H
#define KTAP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- the engine ------------------------------------------------------------------------------------------------------------------ */

struct ktap;

/* New engine, owned by the caller. 0, or -ENOMEM. */
int
ktap_new(struct ktap **engine);

/* Frees the engine. Its objects must have been closed. NULL is allowed. */
void
ktap_free(struct ktap *engine);

/* Why the last call of this thread failed; "" where none did. Good until this thread's next call that fails. */
const char *
ktap_error(void);

/* "0.5.0" */
const char *
ktap_version(void);

/* ---- events: what your program has to offer --------------------------------------------------------------------------------------- */

enum ktap_context {
	KTAP_CONTEXT_READ,  /* programs read the context */
	KTAP_CONTEXT_WRITE, /* and may change it */
};

/*
 * Programs in the section `name` ("net/packet"; it must hold a '/') are for this event. When they run, r1 is the address of `context_size`
 * bytes, at most 64 KiB: your struct. With KTAP_CONTEXT_WRITE the size is a multiple of 8. 0, -EEXIST, -EINVAL, -ENOMEM.
 */
int
ktap_add_event(struct ktap *engine, const char *name, size_t context_size, enum ktap_context context);

/* ---- helpers: functions of yours that programs may call ----------------------------------------------------------------------------- */

/* What a helper takes in each of its five arguments; the verifier holds programs to it. */
enum ktap_arg {
	KTAP_ARG_NONE,      /* not looked at; all that follow are NONE, too */
	KTAP_ARG_NUMBER,    /* any value */
	KTAP_ARG_MEM_READ,  /* address of memory to read; its size is the next argument, a KTAP_ARG_SIZE */
	KTAP_ARG_MEM_WRITE, /* address of memory that the helper fills; the same */
	KTAP_ARG_SIZE,      /* bytes of the memory before, 0 or more */
	KTAP_ARG_CONTEXT,   /* the address of the context */
};

/* One run of a program, while it calls a helper. */
struct ktap_run;

typedef uint64_t ktap_helper_fn(struct ktap_run *run, uint64_t arg1, uint64_t arg2, uint64_t arg3, uint64_t arg4, uint64_t arg5);

#define KTAP_HELPER_FIRST 65536 /* numbers of helpers of yours begin here */
#define KTAP_HELPERS_MAX  256

/*
 * Programs may call `fn` by this number, in every engine of this process:
 *
 *     static long (*load)(void *ctx, unsigned off, void *to, unsigned size) = (void *)65536;
 *
 * What `args` says is true of every call. `name` is copied. To be called before objects are opened, by one thread. 0, -EINVAL,
 * -EEXIST, -ENOSPC (KTAP_HELPERS_MAX are there), -ENOMEM.
 */
int
ktap_add_helper(uint32_t number, const char *name, ktap_helper_fn *fn, const enum ktap_arg args[5]);

/* The `host` of the ktap_run call that this is a part of. */
void *
ktap_run_host(const struct ktap_run *run);

/* ---- objects ----------------------------------------------------------------------------------------------------------------------- */

struct ktap_object;
struct ktap_program;
struct ktap_table;

enum ktap_exec {
	KTAP_EXEC_AUTO,        /* machine code where this machine and the system permit it, else the interpreter */
	KTAP_EXEC_INTERPRETER,
	KTAP_EXEC_JIT,         /* machine code, or the object is refused */
};

/* A const variable of the C file that gets another value before its programs are verified, which may rely on it: how they are configured. */
struct ktap_constant {
	const char *name;
	const void *value;
	size_t size; /* the variable's */
};

/* How an object is opened; all zero: the defaults. */
struct ktap_options {
	enum ktap_exec exec;
	const char *btf;                    /* file of types for CO-RE relocations; NULL: the running kernel's */
	struct ktap_table *const *tables;   /* tables of yours, which stand for those of the same name in the object; */
	size_t n_tables;                    /* they must be of the same kind and sizes; of several of one name the last stands */
	/* Takes the lines that programs print (bpf_printk), with newline; NULL: they go to stderr. May be called by any thread that runs programs. */
	void (*print)(void *arg, const char *line, size_t len);
	void *print_arg;
	/*
	 * What a run of a program may use up: one for each jump backward, taken or not, and for each function called back by a helper. 0: as
	 * much as it wants; every accepted program ends, but bpf_loop may go round 8 million times.
	 */
	uint32_t budget;
	/* Not 0: the constants of programs do not stand in executable memory as they were written. Costs speed. */
	int hides_constants;
	/*
	 * Not 0: programs may call by a register (callx), which compilers make of calls through function pointers: a static function, or a
	 * helper by its number, that is known on each path, also from constants, which must stay what they are then. Linux refuses it before 7.4.
	 */
	int callx;
	const struct ktap_constant *constants;
	size_t n_constants;
};

/*
 * Reads an object, makes its tables and verifies its programs: those in sections of events of the engine and in "init" and "fini". Programs
 * of section init run now, those of fini in ktap_object_close. A section with a '?' before its name is passed over, as libbpf does. `options` may be
 * NULL. 0 and *object for the caller to close; -ENOENT, -EACCES (a program is refused; it may also be -EINVAL, or -E2BIG: it is too
 * complex), -EINVAL (a file that is damaged, a section that no event has), -ETIME (a program of section init used up its budget), -ENOTSUP (a script of
 * `ktap compile`), -ENOMEM, ...
 */
int
ktap_object_open(struct ktap *engine, const char *path, const struct ktap_options *options, struct ktap_object **object);

/* The same from memory (borrowed for the call); `name` stands for the file in messages. */
int
ktap_object_open_memory(struct ktap *engine, const char *name, const void *bytes, size_t len, const struct ktap_options *options,
			struct ktap_object **object);

/* Frees the object, its programs and tables. NULL is allowed. */
void
ktap_object_close(struct ktap_object *object);

/* ---- programs ------------------------------------------------------------------------------------------------------------------------ */

/* By the name of its C function; NULL: there is none. Owned by the object. */
const struct ktap_program *
ktap_program_find(const struct ktap_object *object, const char *name);

/* The n-th of the programs that are for `event` (NULL: all), from 0, in the order of the file; NULL: there are no more. */
const struct ktap_program *
ktap_program_of_event(const struct ktap_object *object, const char *event, size_t n);

const char *
ktap_program_name(const struct ktap_program *program);

/* Does it run as machine code? 1 or 0. */
int
ktap_program_is_compiled(const struct ktap_program *program);

/*
 * Runs a program on a context of its event's size. `host` is for helpers of yours (ktap_run_host). *result (may be NULL) is what the
 * program returns. 0; or -ETIME, *result untouched: the budget of the options was used up. What the program did up to there stays.
 */
int
ktap_run(const struct ktap_program *program, void *context, void *host, uint64_t *result);

/* Runs all programs of the object that are for this event, in order, each with its own budget. How many. */
int
ktap_fire(struct ktap_object *object, const char *event, void *context, void *host);

/* ---- tables ---------------------------------------------------------------------------------------------------------------------------- */

enum ktap_table_kind {
	KTAP_TABLE_HASH,
	KTAP_TABLE_ARRAY,  /* keys are uint32_t, below max_entries */
};

/* A table of yours, to be used from C and by programs (ktap_options, tables). Freed after the objects that use it, before the engine. 0, -EINVAL, -ENOMEM. */
int
ktap_table_new(struct ktap *engine, const char *name, enum ktap_table_kind kind, uint32_t key_size, uint32_t value_size, uint32_t max_entries,
	       struct ktap_table **table);

void
ktap_table_free(struct ktap_table *table);

/* A table of the object's by its name: a variable in ".maps", or ".data", ".rodata", ".bss", which are arrays of one value. NULL: none. */
struct ktap_table *
ktap_table_find(struct ktap_object *object, const char *name);

uint32_t
ktap_table_key_size(const struct ktap_table *table);

/* Bytes of what ktap_table_lookup stores: of a table with a value for each CPU, all of them. */
uint32_t
ktap_table_value_size(const struct ktap_table *table);

/*
 * As bpf(2) has them: 0; -ENOENT: there is no such entry; -E2BIG: the table is full (of an LPM trie: -ENOSPC), or an array has no such place; -EPERM: it
 * is constant; -EINVAL, -EOPNOTSUPP: such a table is not used so. Queues, stacks and bloom filters have values without keys: `key` is not looked at
 * there, an update adds a value, a lookup gives the value that comes next, or says whether *value may have been added to a bloom filter.
 */
int
ktap_table_lookup(struct ktap_table *table, const void *key, void *value);

int
ktap_table_update(struct ktap_table *table, const void *key, const void *value);

int
ktap_table_delete(struct ktap_table *table, const void *key);

/* Takes the value that comes next out of a queue or stack. 0; -ENOENT: it is empty, and *value zeros; -EINVAL, -EOPNOTSUPP: it is neither. */
int
ktap_table_pop(struct ktap_table *table, void *value);

/* The key behind `key` (NULL: the first), into `next`; -ENOENT: there are no more. Entries keep their order. */
int
ktap_table_next(struct ktap_table *table, const void *key, void *next);

/*
 * Tables that hold tables (BPF_MAP_TYPE_ARRAY_OF_MAPS, BPF_MAP_TYPE_HASH_OF_MAPS) are not updated with bytes: this puts a table into the place of a
 * key, one of the same object or one of yours, which must live as long. 0; -EINVAL: it is not like those that the table holds (kind, sizes,
 * and of arrays the number of entries); as ktap_table_update else.
 */
int
ktap_table_put(struct ktap_table *table, const void *key, struct ktap_table *inner);

/* The table in the place of a key; NULL: there is none. */
struct ktap_table *
ktap_table_held(struct ktap_table *table, const void *key);

/*
 * Tables of programs (BPF_MAP_TYPE_PROG_ARRAY), which programs go on in by bpf_tail_call: puts one of the same object there, whose event has the same
 * context. 0, -EINVAL, -E2BIG. ktap_table_delete empties a place.
 */
int
ktap_table_put_program(struct ktap_table *table, uint32_t place, const struct ktap_program *program);

/* The program in a place; NULL: there is none. */
const struct ktap_program *
ktap_table_program(struct ktap_table *table, uint32_t place);

/*
 * Hands all records that wait in a ring buffer, or in a perf event array (one buffer for all CPUs), to fn, in order. How many; -EINVAL: it is neither. Of
 * several threads one does so at a time, the others wait for it. fn may run programs and use all tables, but for taking records of this one: -EDEADLK.
 */
int
ktap_table_consume(struct ktap_table *table, void (*fn)(void *arg, const void *record, size_t len), void *arg);

/*
 * A descriptor that can be read (poll, epoll) when records may be waiting, until they are taken; as the programs' flags say (BPF_RB_NO_WAKEUP,
 * BPF_RB_FORCE_WAKEUP). It is the table's. -EINVAL: it has no records.
 */
int
ktap_table_fd(struct ktap_table *table);

/*
 * Memory that programs and you see at once: the values of an array, each value_size rounded up to 8 bytes, one behind the other, as long as the
 * table lives. *len (may be NULL): how many bytes. NULL: the table is no array.
 */
void *
ktap_table_memory(struct ktap_table *table, size_t *len);

/*
 * Where a variable of the C file is, and its bytes in *size (may be NULL); NULL: there is none, or the object was compiled without -g. A const one must stay
 * what it is: programs were proved safe with it.
 */
void *
ktap_variable(struct ktap_object *object, const char *name, size_t *size);

#ifdef __cplusplus
}
#endif

#endif
