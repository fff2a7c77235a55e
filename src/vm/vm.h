/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * vm: eBPF as a machine, in user space. Tables, helpers, verifier, interpreter, compiler to machine code.
 *
 * No program runs unverified: the only way to a runnable program is vm_load, which verifies.
 */
#ifndef KTAP_VM_H
#define KTAP_VM_H

#include "ebpf/ebpf.h"

struct vm;          /* tables and loaded programs of one object */
struct vm_program;  /* verified */

#define VM_STACK_DEPTH_MAX 255 /* frames of a stack in a table of stacks; helpers skip BPF_F_SKIP_FIELD_MASK more at most */

/* ---- what a program's run knows of the world ------------------------------------------------------------ */

/* Who runs, when: filled in by the event source before vm_run. Memory reads go to the process that raised the event. */
struct vm_env {
	uint32_t pid, tid, uid, gid; /* tgid, thread id */
	uint32_t cpu;                /* the index into per-CPU tables where it is below vm's n_cpus, else that is 0 */
	uint32_t lane;               /* not 0: that index is lane - 1, whatever the CPU: for threads, which may go from one to another */
	char comm[16];
	uint64_t ktime_ns;           /* CLOCK_MONOTONIC */
	uint64_t cookie;             /* of the attachment, for get_attach_cookie */
	/*
	 * Reads up to `len` bytes at an address of the traced process, never faults. Returns the number of bytes read (short where
	 * memory ends) or -EFAULT. NULL: no process memory can be read.
	 */
	int64_t (*read_user)(void *arg, uint64_t addr, void *dst, size_t len);
	/*
	 * The stack of the thread that raised the event: at most `max` instruction addresses, none of them 0, innermost first. Returns how
	 * many, or -errno. NULL: no stacks can be taken.
	 */
	int64_t (*unwind)(void *arg, uint64_t *addrs, uint32_t max);
	/* The same for its stack in the kernel, where that is known: in recordings. */
	int64_t (*unwind_kernel)(void *arg, uint64_t *addrs, uint32_t max);
	void *arg;
	/*
	 * Memory around the event's record that can be read, beyond what the program's context says: reads of it need no system call. NULL:
	 * none is known.
	 */
	const void *record;
	size_t record_len;
	/* Takes a line of trace_printk, with its newline; NULL: it goes to stderr, "COMMAND-TID: " before it. */
	void (*print)(void *print_arg, const struct vm_env *env, const char *line, size_t len);
	void *print_arg;
};

/* The value of bpf_get_current_pid_tgid. */
static inline uint64_t
vm_env_ids(const struct vm_env *env)
{
	return (uint64_t)env->pid << 32 | env->tid;
}

/* ---- table.c: the tables, by the kernel's semantics of bpf(2) and of the helpers ----------------------------- */

/*
 * New machine with the object's tables, all of n_cpus CPUs (per-CPU kinds). The object must outlive it.
 *
 * Threads. Making and freeing a machine, its settings and vm_load are for one thread at a time. Any number of threads may run its
 * programs (vm_run, each with an env of its own) and use its tables meanwhile:
 *
 *   - Lookups in arrays and hash tables take no lock (in hash tables they do where entries keep going away under them); other operations
 *     lock, for a moment. What is in a table is published: who sees a new value sees what was done before it was put there.
 *   - An entry is seen when it is filled, never before. Of threads that make the entry of one key with BPF_NOEXIST one does, the others get
 *     -EEXIST and find it. A table takes max_entries entries, neither fewer nor more.
 *   - A value is changed in place: its address is the key's as long as the key is there. Words of it (8 bytes, aligned) are old or new,
 *     never half of each, for whoever reads by the address.
 *   - vm_table_lookup copies a value of the key that was asked for. It is whole, as one update left it, in hash and LRU tables and tries; in
 *     arrays and per-CPU tables, as of addresses, each word is.
 *   - The address of a value whose key was deleted, or went to make room, stays memory of the table. Another key's value may stand there at
 *     once. A lock in it stays one: nobody is given a value whose lock is held.
 *   - A walk (for_each_map_elem, vm_table_each) meets each entry that is there from its beginning to its end, once; others once or not, each as often as it
 *     is made. vm_table_next is for one thread at a time where keys are deleted meanwhile: else it may begin anew.
 *   - Who changes a value through its address, a program or vm_table_find's caller, does so as threads do: what is to be exact takes atomic
 *     instructions, or a per-CPU table and one thread a CPU (env.cpu) or lane (env.lane), or a lock in the value.
 *
 * Where the kernel's tables do it another way, docs/engine.md ("Threads") says how.
 *
 * Returns NULL on failure, with *why and errno set: ENOMEM, or EINVAL (limits, a description that no table can have).
 */
struct vm *
vm_new(const struct object *object, uint32_t n_cpus, struct text *why);

void
vm_free(struct vm *vm);

/* The object's description of a table. */
const struct table *
vm_table_of(const struct vm *vm, uint32_t table);

/*
 * From now on table `index` is the one of another machine, which must live longer: before programs are loaded. Both must be hash tables or arrays
 * of the same kind and sizes; else -EINVAL with *why set.
 */
int
vm_table_share(struct vm *vm, uint32_t index, const struct vm *from, uint32_t from_index, struct text *why);

/*
 * Access from outside programs, by table index of the object. Keys and values are key_size and value_size bytes; values of
 * per-CPU kinds are n_cpus times value_size (rounded up to 8) bytes, CPU after CPU. Return 0 or -errno with the meanings
 * of bpf(2): -ENOENT, -E2BIG (full, or index out of range), -EEXIST, -EPERM (a constant: a read-only array of one entry that has
 * first contents).
 */
int
vm_table_lookup(struct vm *vm, uint32_t table, const void *key, void *value);

/* Address of the value, of CPU 0 in per-CPU kinds; NULL: no such entry. The fastest way to look up, see "Threads" above. */
void *
vm_table_find(struct vm *vm, uint32_t table, const void *key);

int
vm_table_update(struct vm *vm, uint32_t table, const void *key, const void *value, uint64_t flags);

/*
 * Takes a value out of a queue or stack. Of kinds without keys (queue, stack, bloom filter; `key` is not looked at) vm_table_update
 * pushes a value, and vm_table_lookup looks at the value that comes next, or asks a bloom filter for *value.
 */
int
vm_table_pop(struct vm *vm, uint32_t table, void *value);

int
vm_table_delete(struct vm *vm, uint32_t table, const void *key);

/*
 * Key after `key` (NULL: the first), in a fixed order, into next: arrays by index, hash tables in order of insertion. -ENOENT at
 * the end. Deleting the key that the table handed out last, to whatever thread, does not lose the place; after any other absent key it
 * starts anew.
 */
int
vm_table_next(struct vm *vm, uint32_t table, const void *key, void *next);

/*
 * Gives fn the keys of a hash table or an array, as for_each_map_elem does: see "Threads", a walk. fn may do with the table what it wants, and must
 * return; not 0 ends the walk. Returns 0, what fn returned, or -EINVAL: such a kind is not walked.
 */
int
vm_table_each(struct vm *vm, uint32_t table, int (*fn)(void *arg, const void *key), void *arg);

/*
 * Tables that hold tables (array_of_maps, hash_of_maps): puts table `inner` of machine `from`, which must live as long, into the place of a key.
 * -EINVAL: it is not like those that the table holds: kind, sizes of keys and values, what programs may do, of arrays the number of
 * entries, and of per-CPU kinds that of CPUs. vm_table_update gives -EINVAL for such kinds.
 */
int
vm_table_put(struct vm *vm, uint32_t table, const void *key, struct vm *from, uint32_t inner, uint64_t flags);

/* The machine, and by *inner the number, of the table in the place of a key. NULL: there is none. */
struct vm *
vm_table_held(struct vm *vm, uint32_t table, const void *key, uint32_t *inner);

/* What the host keeps with a machine; NULL at first. */
void
vm_set_host(struct vm *vm, void *host);

void *
vm_host(const struct vm *vm);

/* Entries of a hash table; of an array, its size. */
uint32_t
vm_table_count(const struct vm *vm, uint32_t table);

/* Address of an array table's values, to share memory with programs (globals). NULL for other kinds. */
void *
vm_table_memory(struct vm *vm, uint32_t table);

/*
 * A descriptor that can be read (poll, epoll) when records may be waiting in a ring buffer table, or -errno. Owned by the table;
 * vm_ringbuf_consume settles it. BPF_RB_NO_WAKEUP and BPF_RB_FORCE_WAKEUP of programs are heeded.
 */
int
vm_ringbuf_fd(struct vm *vm, uint32_t table);

/*
 * Hands all waiting records of a ring buffer table, or of a perf event array, to fn, in order. Returns how many. By one thread at a
 * time; programs may run in others meanwhile.
 */
int
vm_ringbuf_consume(struct vm *vm, uint32_t table, void (*fn)(void *arg, const void *record, size_t len), void *arg);

/* ---- verify.c ----------------------------------------------------------------------------------------------------- */

/* What is in a register when a program starts. */
enum vm_arg_kind {
	VM_ARG_NONE,     /* not readable */
	VM_ARG_SCALAR,   /* any number */
	VM_ARG_MEM,      /* address of `size` bytes to read and write, a multiple of 8 */
	VM_ARG_MEM_RDONLY, /* address of `size` bytes to read; may be passed on to helpers that read */
	VM_ARG_CTX,      /* to be handed to helpers that take a context; its first `size` bytes can be read (0: it is opaque) */
};

/* Where the kernel refuses what RFC 9669 permits, for no reason of safety. Refusals say so. */
enum vm_policy {
	VM_POLICY_KERNEL, /* as the kernel: no immediate shift by the width or more, no division by the immediate 0, no dead code */
	VM_POLICY_RFC,
};

/* Calls by a register (BPF_JMP | BPF_CALL | BPF_X), which RFC 9669 does not have. */
enum vm_callx {
	VM_CALLX_REFUSED,   /* as Linux before 7.4 */
	VM_CALLX_PERMITTED, /* where the register holds the address of a static function, as Linux 7.4, or the number of a helper */
};

struct vm_signature {
	struct { enum vm_arg_kind kind; uint32_t size; } args[5]; /* r1 to r5 */
	enum vm_policy policy;
	enum vm_callx callx;
};

/* Signature of a program of an object (ebpf.h, struct program). */
struct vm_signature
vm_handler_signature(const struct program *program);

/*
 * Verifies a function: every path, every access. Sound: what it accepts never reads or writes outside what it may, never reads
 * what was not written, calls helpers with fitting arguments only, and ends. Returns 0 or -EACCES / -EINVAL / -E2BIG (too
 * complex); *why then explains in one message: instruction, what was being done, what is known of the register, the path, and the
 * script's line when the function has spans. *line (may be NULL) is the line of C of that instruction; NULL: there is none, or it is not known.
 */
int
vm_verify(const struct object *object, const struct func *func, const struct vm_signature *signature, const struct source_line **line,
	  struct text *why);

/* ---- interp.c ------------------------------------------------------------------------------------------------------- */

/* How programs run. */
enum vm_exec {
	VM_EXEC_AUTO,   /* as machine code where this machine and the system permit it, else in the interpreter */
	VM_EXEC_INTERP,
	VM_EXEC_JIT,    /* as machine code, or vm_load refuses */
};

/* What vm_load makes of programs from now on; VM_EXEC_AUTO at first. */
void
vm_set_exec(struct vm *vm, enum vm_exec exec);

/* Constants of programs in machine code. */
enum vm_constants {
	VM_CONSTANTS_PLAIN,   /* as they are */
	/*
	 * Blinded: none stands in executable memory as it was written, each is put together from two random halves, so that who
	 * chooses a program's constants does not choose bytes that can be jumped into. Costs speed.
	 */
	VM_CONSTANTS_BLINDED,
};

/* For programs that are loaded from now on; VM_CONSTANTS_PLAIN at first. */
void
vm_set_constants(struct vm *vm, enum vm_constants constants);

/*
 * What a run of a program that is loaded from now on may use up: one for each execution of a jump backward, taken or not, and one for
 * each function called back by a helper. 0, as at first: as much as it wants (every verified program ends, but not soon: bpf_loop goes
 * round 8 million times). Costs nothing where it is 0.
 */
void
vm_set_budget(struct vm *vm, uint32_t budget);

/* How a loaded program runs: VM_EXEC_INTERP or VM_EXEC_JIT. */
enum vm_exec
vm_program_exec(const struct vm_program *program);

/* Verifies and prepares a function. Owned by the vm. NULL with *why set (and *err = -errno) on refusal. */
struct vm_program *
vm_load(struct vm *vm, const struct func *func, const struct vm_signature *signature, struct text *why, int *err);

/* Runs it; args[i] goes to r(i+1): addresses as integers. Returns r0, or 0 if the budget was used up. */
uint64_t
vm_run(struct vm *vm, const struct vm_program *program, const struct vm_env *env, const uint64_t args[5]);

/*
 * The same: 0 and *r0; or -ETIME, *r0 untouched: the budget was used up. What the program did to tables and memory up to there stays;
 * records of ring buffers that it had reserved and not given back are discarded.
 */
int
vm_run_bounded(struct vm *vm, const struct vm_program *program, const struct vm_env *env, const uint64_t args[5], uint64_t *r0);

/*
 * Puts a program into a place of a prog_array, where tail calls find it. It must be of the same machine, take its context and nothing else, and
 * have the same context, and a budget or none, as all other programs that are in the table or call through it: else -EINVAL with
 * *why. -E2BIG: there is no such place.
 */
int
vm_table_put_program(struct vm *vm, uint32_t table, uint32_t place, const struct vm_program *program, struct text *why);

/* The program in a place of a prog_array. NULL: there is none. */
const struct vm_program *
vm_table_program(struct vm *vm, uint32_t table, uint32_t place);

/* The function that was loaded. */
const struct func *
vm_program_func(const struct vm_program *program);

/* Is there a helper of this number, BPF_FUNC_x? */
bool
vm_has_helper(int32_t number);

/* ---- helper_host.c: helpers of the program that hosts the engine ------------------------------------------------------- */

#define VM_HOST_HELPERS_MAX 256

enum vm_host_arg {
	VM_HOST_NONE,
	VM_HOST_NUMBER,
	VM_HOST_MEM_READ,  /* its size is the next argument, a VM_HOST_SIZE */
	VM_HOST_MEM_WRITE, /* the same; all of it is filled */
	VM_HOST_SIZE,
	VM_HOST_CONTEXT,
};

struct vm_run; /* one run of a program */

typedef uint64_t vm_host_fn(struct vm_run *run, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5);

/*
 * Adds a helper to this process, for good, before programs that call it are loaded; one thread at a time. The name is copied. Returns 0, or
 * -EINVAL, -EEXIST, -ENOSPC, -ENOMEM with *why set.
 */
int
vm_helper_add(int32_t number, const char *name, vm_host_fn *fn, const enum vm_host_arg args[5], struct text *why);

/* `arg` of the vm_env that it runs with. */
void *
vm_run_arg(const struct vm_run *run);

#endif
