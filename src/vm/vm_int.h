/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What the files of this room share: tables in memory, the helper table, the memory that a run may touch.
 */
#ifndef KTAP_VM_INT_H
#define KTAP_VM_INT_H

#include "vm/lock.h"
#include "vm/vm.h"

#define VM_STACK_SIZE 512   /* bytes that a chain of frames may use, and the distance between two frames */
#define VM_FRAMES_MAX 8
#define VM_TAIL_CALLS_MAX 33 /* in a run, as in the kernel */
#define VM_LOOPS_MAX (1u << 23) /* of the helper loop, as in the kernel */
#define VM_REFS_MAX 8       /* records that a program holds at once */
#define VM_KEY_MAX 512      /* bytes of a key: it has to fit into a program's stack */
#define VM_TABLES_BYTES_MAX (4ull << 30) /* of all tables of a machine that take their memory at once */
#define VM_TABLE_BYTES_MAX (1ull << 30) /* of a table that takes its memory at once, and of one value */

/* ---- tables ------------------------------------------------------------------------------------- */

struct table_ops;
struct hash;
struct array;
struct ringbuf;
struct stacks;
struct lru;
struct lpm;
struct queue;
struct bloom;
struct outer;
struct programs;

/* A table of a running machine. Its address is what programs hold in a register after ld_imm64. */
struct vm_table {
	const struct table *table;
	struct vm *vm;       /* the machine that it is one of */
	bool shared;         /* what is in it is another machine's */
	const struct table_ops *ops;
	uint32_t n_cpus;     /* values in an entry: 1, or the machine's CPUs for per-CPU kinds */
	uint32_t stride;     /* bytes from the value of one CPU to the next: value_size rounded up to 8 */
	union {
		struct hash *hash;
		struct array *array;
		struct ringbuf *ringbuf;
		struct stacks *stacks;
		struct lru *lru;
		struct lpm *lpm;
		struct queue *queue;
		struct bloom *bloom;
		struct outer *outer;
		struct programs *programs;
	};
};

/* Where a walk over a table is, all zero at first. */
struct table_walk {
	uint32_t index;            /* of what comes next, in tables whose entries have places */
	void *next;                /* the entry, in those that are lists, which know of all walks: */
	struct table_walk *others;
};

/* One row a kind of table (table.c). Keys and values are as the table says; errno values as in bpf(2). */
struct table_ops {
	int (*init)(struct vm_table *t);  /* 0 or -ENOMEM */
	void (*fini)(struct vm_table *t);
	/* Address of CPU 0's value, or NULL: no such entry. The address is good as long as the table. */
	void *(*find)(struct vm_table *t, const void *key);
	/*
	 * `len` bytes of the value at `off`, the others kept, or 0 where the entry is new: which nobody sees before it is filled. 0, -EEXIST,
	 * -ENOENT, -E2BIG (of a trie -ENOSPC), -ENOMEM, -EINVAL.
	 */
	int (*update)(struct vm_table *t, const void *key, const void *value, size_t off, size_t len, uint64_t flags);
	/* Instead of find and a copy, where the entry may become another's meanwhile: 0 or -ENOENT. No use, to a table that counts uses. */
	int (*read)(struct vm_table *t, const void *key, void *value, size_t len);
	int (*remove)(struct vm_table *t, const void *key);
	int (*next)(struct vm_table *t, const void *key, void *next);
	/* Entries that there are; NULL: as many as there can be. */
	uint32_t (*count)(const struct vm_table *t);
	/*
	 * Of kinds that programs walk over: entries that are there from beginning to end of the walk are met, each once. walk_next gives the
	 * address as find does, and the key; NULL at the end. The others are NULL where there is nothing to do.
	 */
	void (*walk_begin)(struct vm_table *t, struct table_walk *walk);
	void *(*walk_next)(struct vm_table *t, struct table_walk *walk, void *key);
	void (*walk_end)(struct vm_table *t, struct table_walk *walk);
	/* Of kinds without keys, else NULL. `value` of peek in a bloom filter is what is asked for. */
	int (*push)(struct vm_table *t, const void *value, uint64_t flags);
	int (*pop)(struct vm_table *t, void *value);
	int (*peek)(struct vm_table *t, void *value);
};

extern const struct table_ops hash_ops, array_ops, stacks_ops, lru_ops, lpm_ops, queue_ops, bloom_ops, outer_ops, programs_ops;

/* For kinds that lack an operation: no such entry, -EINVAL. */
void *
nothing_find(struct vm_table *t, const void *key);

int
nothing_update(struct vm_table *t, const void *key, const void *value, size_t off, size_t len, uint64_t flags);

int
nothing_remove(struct vm_table *t, const void *key);

int
nothing_next(struct vm_table *t, const void *key, void *next);

/* Of a key or any bytes; for buckets, never for an order that shows. */
uint64_t
hash_key(const void *key, size_t len);

#define HASH_SEED   0x9e3779b97f4a7c15u /* exclusive-or the key's length: what hash_key begins with */
#define HASH_FACTOR 0xff51afd7ed558ccdu /* h = (h ^ word) * factor; h ^= h >> 32 */

/* ---- hash.c: for code that looks up by itself, as find_entry there does ---- */

/* Of a hash table: where it is, and where what a lookup touches lies in it, in its buckets and in an entry. */
struct hash_layout {
	const void *hash;
	uint32_t buckets, generation; /* in the table: address of the buckets; 32 bits that are even, and after a lookup what they were before */
	uint32_t n, heads;            /* in the buckets: 32 bits, their number; the first entries */
	uint32_t chain, key_hash, key, value; /* in an entry */
};

struct hash_layout
hash_layout(const struct vm_table *t);

/* The entry of a key, or NULL. */
void *
hash_find_entry(struct vm_table *t, const void *key);

/* The same for programs and for user space; `cpu` picks the one value that a program sees of a per-CPU table. */
void *
table_find(struct vm_table *t, const void *key, uint32_t cpu);

/*
 * Walks over a table of a kind that has walk_next. fn gets a copy of the key, as the entry may go away under it, and the value (of CPU 0); true
 * ends the walk. fn may add entries, which come last: it is given no more than there can be at a time. Returns how many.
 */
uint32_t
table_each(struct vm_table *t, bool (*fn)(void *arg, const void *key, char *value), void *arg);

int
table_update(struct vm_table *t, const void *key, const void *value, uint64_t flags, uint32_t cpu);

int
table_remove(struct vm_table *t, const void *key);

/*
 * A value as a whole, its bytes as others see them: with a lock (ebpf.h, has_lock), which is held meanwhile, is never copied, and reads as
 * zeros. `value` is that of an entry, `off` is where the `len` bytes belong in it.
 */
void
value_write(const struct vm_table *t, void *value, const void *from, size_t off, size_t len);

/*
 * Of a new entry: zeros for the CPUs that value_write gave nothing. It comes after that, as a program may make an entry from the value of one that
 * went away, whose memory it gets.
 */
void
values_zero_others(const struct vm_table *t, void *values, size_t off, size_t len);

void
value_read(const struct vm_table *t, void *to, void *value, size_t len);

/* All values of an array table lie at `base`, `len` bytes. NULL for other kinds. */
void *
array_memory(const struct vm_table *t, size_t *len);

/*
 * outer.c: puts a table into a place of one that holds tables. 0; -EINVAL: it is not like those that `t` holds; as vm_table_update else. It has
 * to live as long as `t`.
 */
int
outer_put(struct vm_table *t, const void *key, struct vm_table *inner, uint64_t flags);

/* ---- stacks.c ---- */

/*
 * The number of a stack of n (> 0) addresses, none of them 0, in a table of stacks, where it is put if it is new; cut to the
 * table's depth. -EEXIST: there is no place for it.
 */
int64_t
stacks_add(struct vm_table *t, const uint64_t *frames, uint32_t n);

/* ---- ringbuf.c ------------------------------------------------------------------------------------ */

struct ringbuf *
ringbuf_new(uint32_t size);

void
ringbuf_free(struct ringbuf *rb);

/* Room for a record of `len` bytes, zeroed, or NULL: full. Ends by ringbuf_commit. */
void *
ringbuf_reserve(struct ringbuf *rb, uint64_t len);

/* Hands over a reserved record, or drops it; flags: BPF_RB_NO_WAKEUP, BPF_RB_FORCE_WAKEUP, which counts where both are set, or 0. */
enum ringbuf_end { RINGBUF_SUBMIT, RINGBUF_DISCARD };

void
ringbuf_commit(void *record, enum ringbuf_end end, uint64_t flags);

/* As vm_ringbuf_fd. */
int
ringbuf_fd(struct ringbuf *rb);

/* BPF_RB_AVAIL_DATA, BPF_RB_RING_SIZE, BPF_RB_CONS_POS, BPF_RB_PROD_POS; others: 0. */
uint64_t
ringbuf_query(const struct ringbuf *rb, uint64_t what);

int
ringbuf_consume(struct ringbuf *rb, void (*fn)(void *arg, const void *record, size_t len), void *arg);

/* ---- the machine ------------------------------------------------------------------------------------- */

struct vm {
	const struct object *object;
	uint32_t n_cpus;
	struct vm_table *tables;       /* one for each of the object's */
	struct vm_program *programs;   /* all that were loaded, a list */
	uint64_t random;               /* state of get_prandom_u32 */
	int64_t boot_minus_monotonic, tai_minus_monotonic; /* ns */
	enum vm_exec exec;
	enum vm_constants constants;
	uint32_t budget;               /* 0: none */
	void *host;                    /* vm_set_host */
	bool no_bmi2;                  /* for tests: as if the processor were an old one */
};

/* A loaded program (interp.c). */
struct vm_program {
	struct vm_program *next;
	struct vm *vm;
	const struct func *func;
	struct jit_code *code; /* machine code; NULL: interpreted, and these are there: */
	struct vm_func *funcs; /* all that it calls or takes the address of */
	const struct vm_func *entry;
	const void **functions; /* struct vm_func by the number of the function; NULL: it takes no address of one */
	struct vm_signature signature;
	uint32_t budget;       /* 0: none */
};

/* ---- programs.c: tables of programs ---- */

struct programs {
	struct lock lock;      /* of who fits in */
	bool has_users;          /* the first one came: */
	enum vm_arg_kind kind;   /* their context */
	uint32_t size;
	bool has_budget;
	const struct vm_program *places[]; /* one for each of the table's entries */
};

/* The argument of a program that its tail calls hand on: its first context, or memory of the host's. 5: none. */
uint32_t
signature_context(const struct vm_signature *signature);

/* The program in a place; NULL: none. */
const struct vm_program *
programs_at(const struct vm_table *t, uint32_t place);

/*
 * Calls fn for the function and all that it calls or takes the address of, each once, until fn says true. True: it did, or memory ran out.
 */
bool
any_func(const struct object *object, const struct func *entry, bool (*fn)(const struct func *func, void *arg), void *arg);

/* For any_func, `arg` is the object: does it take the address of a function, or refer to a table of them? */
bool
func_takes_address(const struct func *func, void *arg);

/* A program that was verified joins the tables of programs that it calls through. 0, or -EINVAL with *why: it does not fit in. */
int
programs_join(const struct vm_program *program, struct text *why);

/* Frees the programs (interp.c). */
void
vm_programs_free(struct vm_program *programs);

#define VM_CALLBACK_ARGS 4

/* Which of a per-CPU table's values a run has. */
static inline uint32_t
env_index(const struct vm_env *env, uint32_t n_cpus)
{
	uint32_t index = env->lane ? env->lane - 1 : env->cpu;

	return index < n_cpus ? index : 0;
}

/* One run of a program: what helpers see. */
struct vm_run {
	struct vm *vm;
	/*
	 * For helpers that call back: r10 of the program that called the helper (above it the frames of those that it calls begin), and
	 * how a function whose handle the program gave is called with a frame that begins there. Returns its r0. The functions of the
	 * program by number are struct vm_func or jit_callback.
	 */
	uint64_t frame;
	uint64_t (*call_back)(struct vm_run *run, uint64_t function, uint64_t frame, const uint64_t args[VM_CALLBACK_ARGS]);
	const void *const *functions;
	uint64_t called;               /* by machine code through helper_by_number: the helper's number */
	const struct vm_env *env;      /* of vm_run, never NULL */
	uint64_t cpu;                  /* index into per-CPU tables: env's, 0 where the machine has not as many (64 bits: machine code loads it whole) */
	uint64_t processor;            /* env's, as programs are told */
	/* Memory of the engine that this run knows to be readable: stack, record, scratch. The rest is read by system call. */
	struct vm_range { const void *base; size_t len; } ranges[7];
	uint32_t n_ranges;
	uint32_t n_tail_calls;
	uint64_t tail_args[5];         /* what machine code enters another program with */
	/* Of programs that have a budget: */
	bool has_budget;
	int64_t budget;                /* what is left; below 0: used up, everybody returns */
	void *held[VM_REFS_MAX];       /* records reserved and not yet given back */
	struct lock *locked;           /* taken by spin_lock and not yet given back */
};

/*
 * interp.c: a program in place of a function that another called, or one that runs in another way than who calls: on frames of its
 * own, since what is left of those may not suffice. Returns its r0; the budget may be used up then.
 */
uint64_t
enter_by_tail_call(struct vm_run *run, const struct vm_program *program, uint64_t context);

/* Pays for a call back. False: it may not happen. */
static inline bool
run_may_call_back(struct vm_run *run)
{
	return !run->has_budget || --run->budget >= 0;
}

/* ---- jit.c: programs as machine code ------------------------------------------------------------------- */

/* Code of a program. args: r1 to r5; frame: r10 of the entry, with room for all frames from VM_STACK_SIZE below to above. */
typedef uint64_t jit_entry(struct vm_run *run, const uint64_t args[5], void *frame);

struct jit_code {
	void *map;          /* the pages of the code and a guard before and behind them */
	size_t map_len;
	uint8_t *text;
	uint32_t len;
	bool uses_run;      /* entry looks at `run` */
	jit_entry *entry;
};

struct vm_facts;

/*
 * Compiles a verified function and all that it calls; of the facts that the verifier found, some may be missing. 0 and *code for jit_free, or
 * -EOPNOTSUPP (not for this machine), -ENOMEM or what the system says to executable memory, with *why set.
 */
int
jit_compile(struct vm *vm, const struct func *entry, const struct vm_signature *signature, const struct vm_facts *facts, struct jit_code **code,
	    struct text *why);

void
jit_free(struct jit_code *code);

/* call_back of a run (struct vm_run) of machine code. */
uint64_t
jit_call_back(struct vm_run *run, uint64_t function, uint64_t frame, const uint64_t args[VM_CALLBACK_ARGS]);

/* ---- memory.c: reads that never fault ------------------------------------------------------------------ */

/* Copies `len` bytes of our own memory. Returns 0 or -EFAULT; dst may then be partly written. */
int
memory_read_own(const struct vm_run *run, void *dst, uint64_t addr, size_t len);

/* Copies a string of our own memory, at most size - 1 bytes and a NUL. Returns its length with NUL, or -EFAULT. */
int64_t
memory_read_own_str(const struct vm_run *run, char *dst, uint64_t addr, size_t size);

/* The same from the traced process. */
int
memory_read_user(const struct vm_run *run, void *dst, uint64_t addr, size_t len);

int64_t
memory_read_user_str(const struct vm_run *run, char *dst, uint64_t addr, size_t size);

/* True if the range is memory of the engine that this run knows. */
bool
memory_is_known(const struct vm_run *run, uint64_t addr, size_t len);

/* ---- helpers.c ------------------------------------------------------------------------------------------- */

/* A helper's result that is an error, and an argument of its that is an address. */
#define ERRNO(e) ((uint64_t)(int64_t)-(e))

static inline void *
ptr(uint64_t value)
{
	return (void *)(uintptr_t)value;
}

/* What a helper takes in one of r1 to r5. */
enum helper_arg {
	HARG_NONE,      /* not looked at */
	HARG_VARARG,    /* handed over as it is, set or not: how many the helper uses, its other arguments say */
	HARG_ANY,       /* any value that was set */
	HARG_TABLE,     /* handle of a table; the arguments KEY and VALUE are of its sizes */
	HARG_KEY,       /* readable memory of key_size bytes */
	HARG_VALUE,     /* readable memory of value_size bytes */
	HARG_VALUE_OUT, /* memory of value_size bytes that the helper fills; of a bloom filter, that it reads */
	HARG_MEM,       /* readable memory; its size is the next argument, HARG_SIZE or HARG_SIZE_OR_ZERO */
	HARG_MEM_OUT,   /* memory that the helper fills whatever happens; size in the next argument */
	HARG_VALUES_OR_NULL,  /* values for a format: as MEM, but there may be addresses on the stack, for %s; or 0, if the size is the constant 0 */
	HARG_MEM_PART_OR_NULL, /* as MEM or, if the size is 0, 0; to write, where the helper may leave some as it was */
	HARG_LONG_OUT,  /* 8 bytes that the helper fills, at an address that is a multiple of 8 */
	HARG_FORMAT,    /* as CONST_STR: a format for the values in the next argument, whose size is the one behind it, a constant */
	HARG_SIZE,      /* 1 to ... bytes of the memory before */
	HARG_SIZE_OR_ZERO,
	HARG_CTX,
	HARG_ALLOC_SIZE, /* a constant: bytes of the record that is returned */
	HARG_RECORD,    /* a record of ringbuf_reserve, given back here */
	HARG_CONST_STR, /* address of a NUL-terminated string in a read-only array table */
	HARG_VALUE_MEM, /* memory in a value of a table, to read and write; its size is the next argument */
	HARG_DYNPTR_NEW, /* 16 bytes of stack, where the helper makes a dynptr */
	HARG_DYNPTR,    /* a dynptr */
	HARG_DYNPTR_RECORD, /* a dynptr of a reserved record, given back here */
	HARG_COUNT,     /* a number: how often a HARG_LOOP_FN is called at most */
	HARG_LOOP_FN,   /* function (index, context), called back */
	HARG_ELEM_FN,   /* function (table, address of key, address of value, context), called back */
	HARG_LOCK,      /* the lock of a table's value */
	HARG_STACK_OR_NULL, /* what a function that is called back gets as its context */
};

enum helper_ret {
	HRET_INT,
	HRET_LEN,       /* -4095 to the size argument */
	HRET_VALUE_OR_NULL,
	HRET_RECORD_OR_NULL,
	HRET_DYNPTR,    /* a number; the DYNPTR_NEW argument is one of a record that has to be given back */
	HRET_DATA_OR_NULL, /* memory of ALLOC_SIZE bytes of a dynptr */
	HRET_VOID,
};

/* Which tables a helper takes: each kind of helper has its own. */
enum helper_tables { HTAB_NONE, HTAB_PROGRAMS, HTAB_FOUND, HTAB_KEYED, HTAB_WALKED, HTAB_PER_CPU, HTAB_RINGBUF, HTAB_STACK, HTAB_PUSHED, HTAB_POPPED, HTAB_PERF };

typedef uint64_t helper_fn(struct vm_run *run, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5);

struct helper {
	const char *name;
	int32_t number;        /* BPF_FUNC_x */
	helper_fn *fn;
	enum helper_ret ret;
	enum helper_tables tables;
	enum helper_arg args[5];
	bool writes_table;     /* refused on a read-only table */
};

/* All of them, helper_NAME. */
#define HELPER(name, ...) helper_fn helper_##name;
#include "vm/helpers.def"

/* helpers_text.c: formats as the kernel's helpers take them. 0, or -EINVAL: not such a format, or it asks for more than n_values. */
#define FORMAT_VALUES_MAX 12

int
format_check(const char *format, uint32_t n_values);

/* The same, and appends the text. Strings are read at the addresses that `values` has for them; what cannot be read is empty. */
int
format_text(struct vm_run *run, struct text *out, const char *format, const uint64_t *values, uint32_t n_values);

/* By BPF_FUNC_x, or NULL. */
const struct helper *
helper_find(int32_t number);

/* helper_host.c: one that the host added, or NULL. helper_find asks it last. */
const struct helper *
helper_host_find(int32_t number);

/* What is run for a call of it. Of one that is not there, which may stand where no path leads: what never runs. */
helper_fn *
helper_code(int32_t number);

/* For machine code: a call of the helper that run->called says. */
helper_fn helper_by_number;

/* The register (1 to 5) in which the helper takes a function to call back; 0: none. */
uint32_t
helper_callback(const struct helper *helper);

/* True if the instruction is a tail call. */
bool
insn_is_tail_call(const struct bpf_insn *insn);

/* True if the instruction is a call of a helper that calls back. */
bool
insn_calls_back(const struct bpf_insn *insn);

/* ---- scalar.c: what is known of a number ------------------------------------------------------------------------ */

/* Known bits: where `mask` has a 0 the number has the bit of `value`; value & mask == 0. */
struct bits {
	uint64_t value, mask;
};

/* Bounds of a number of 64 or 32 bits, seen unsigned and signed; both hold. 32-bit bounds are kept as 64-bit numbers. */
struct range {
	uint64_t umin, umax;
	int64_t smin, smax;
};

/* All of these hold at once: the bits and bounds of the whole, and the bounds of the low half. */
struct scalar {
	struct bits bits;
	struct range r64, r32;
};

struct scalar
scalar_const(uint64_t value);

struct scalar
scalar_unknown(void);

/* Numbers that a load of `size` bytes gives. */
struct scalar
scalar_loaded(uint32_t size, bool is_signed);

bool
scalar_is_const(const struct scalar *s);

/* True if every number that `in` stands for is one that `s` stands for. */
bool
scalar_covers(const struct scalar *s, const struct scalar *in);

bool
scalar_has(const struct scalar *s, uint64_t value);

/* Bounds the number from outside, signed: for results of helpers. */
struct scalar
scalar_between(int64_t smin, int64_t smax);

/* dst after an arithmetic instruction; src stands for the immediate too. */
struct scalar
scalar_alu(const struct bpf_insn *insn, const struct scalar *dst, const struct scalar *src);

/* Narrows the number to those that `other` stands for, too. False: there are none. */
bool
scalar_meet(struct scalar *s, const struct scalar *other);

/* Is a conditional jump taken? 1, 0, or -1: both can be. */
int
scalar_branch(const struct bpf_insn *insn, const struct scalar *dst, const struct scalar *src);

/* Narrows both by what the jump says of them. False: it cannot go this way at all. */
bool
scalar_refine(const struct bpf_insn *insn, bool taken, struct scalar *dst, struct scalar *src);

/* "5", "0..255", "-1..7, bits ...f8": what is known, shortest form. */
void
scalar_print(const struct scalar *s, struct text *out);

/* Most who meet a callx have forgotten an option of the compiler. */
#define CALLX_HINT "without -O2, clang calls helpers so"

/* ---- verify.c, verify_state.c, verify_precise.c, verify_mem.c, verify_call.c, verify_report.c ---------------------------------------- */

enum reg_kind {
	REG_UNSET,
	REG_SCALAR, /* a number: s */
	/* Addresses: of offset off + s from where the memory begins. Constants go to off, what varies to s: as in the kernel. */
	REG_STACK,  /* in the stack of frame `index`, offset from its top, r10 */
	REG_TABLE,  /* handle of table `index` (see reg_table) */
	REG_VALUE,  /* in a value of table `index` */
	REG_MEM,    /* in argument `index` of `size` bytes */
	REG_RDONLY, /* the same, not to be written */
	REG_RECORD, /* in a reserved record of `size` bytes */
	REG_DYNPTR, /* half `index` of a dynptr; in slots only */
	REG_DATA,   /* in `size` bytes of the memory that a dynptr describes */
	REG_KEY,    /* in a key of table `index`, not to be written: in the helper's copy, which is gone when its walk is over */
	REG_FUNC,   /* address of function `index` of the object */
	REG_CTX,
	REG_PASSED, /* in `size` bytes that a global function got as argument `index` */
	REG_PASSED_RDONLY, /* the same, not to be written */
	N_REG_KINDS
};

struct reg {
	enum reg_kind kind;
	bool nullable;   /* or 0; which, one check tells for all registers of the same id */
	int32_t off;     /* of numbers: how much larger this copy is than those of the same id whose `off` is 0 */
	uint32_t index; /* of REG_DATA: address_low_bits of where it begins */
	uint32_t size;  /* of REG_DYNPTR: those of what it describes */
	/* Not 0: copies of one value (numbers), one result that may be null, or one value of a table that has a lock. */
	uint32_t id;
	uint32_t ref;    /* not 0: a reserved record that must be given back; of REG_UNSET: it was, and this register pointed there */
	struct scalar s;
};

#define VM_SLOTS (VM_STACK_SIZE / 8)

/* Eight bytes of stack. Slot 0 is at r10 - 8, slot 1 at r10 - 16, ... */
struct slot {
	uint8_t init;    /* bit n: byte n was written */
	uint8_t spilled; /* how many bytes hold `reg`: 8; 4, the low half, a number; 0: there is none */
	struct reg reg;
};

enum precise { PRECISE_COMPARED, PRECISE_RELIED, N_PRECISE };

struct frame {
	const struct func *func;
	struct func_info *info; /* of func; NULL: nobody has looked at it yet */
	uint32_t return_pc;     /* in the caller */
	bool called_back;       /* by the helper that the caller calls at return_pc */
	bool by_register;       /* the call there is a callx */
	uint32_t n_refs;        /* called back: records reserved when it began */
	uint32_t n_calls_back;  /* how often the helper at the current instruction has called back on this path */
	uint32_t n_slots;       /* slots below this may hold something */
	/*
	 * Who reads what: `live` (in checkpoints) has what was read after it before being written; `written` has what was
	 * written since the checkpoint before. Bit n of regs is register n, of slots slot n.
	 */
	uint64_t live_slots, written_slots;
	uint16_t live_regs, written_regs;
	/* In checkpoints: the numbers whose values are to be compared, and of them those that what follows rests on (verify_precise.c). */
	struct {
		uint64_t slots;
		uint16_t regs;
	} precise[N_PRECISE];
	struct reg regs[11];
	struct slot slots[]; /* room for VM_SLOTS in the current state, n_slots in one that is kept */
};

struct state {
	struct frame *frames[VM_FRAMES_MAX];
	uint32_t n_frames;
	uint32_t pc;
	uint32_t refs[VM_REFS_MAX]; /* records reserved and not yet given back */
	uint32_t n_refs;
	struct held_lock { bool held; uint32_t table, id; } lock; /* of the value that a register of this table and id points to */
	struct checkpoint *parent;  /* the last one passed on this path */
	struct branch *path;        /* the last branch */
	uint32_t trail;             /* what was computed from what: the last step's place (verify_precise.c); 0: none */
	bool came_back;             /* from a function that a helper called back to the helper's call; until it is looked at */
};

/* A branch of a path: the way it went. */
struct branch {
	struct branch *prev;
	const struct func *func;
	uint32_t pc;
	bool taken;
};

/* A state at a jump target, kept so that paths that come here knowing no less need not be followed again. */
struct checkpoint {
	struct state state;
	struct checkpoint *next;  /* in the same list of the instruction */
	struct checkpoint *all;   /* of the verifier */
	uint32_t n_paths;         /* below it, not yet followed to their end */
	uint32_t hits, misses;
	bool begins_call;         /* of a helper that calls back: no round came before */
};

/* Those of an instruction. */
struct checkpoints {
	struct checkpoint *open;     /* that the path came through which is being followed; the newest first */
	struct checkpoint *finished; /* n_paths is 0; the one finished last first */
};

/* What the verifier knows of a function that it has seen. */
struct func_info {
	const struct func *func;
	const struct insn_info **rows;   /* one an instruction */
	uint8_t *marks;                  /* one an instruction: MARK_x */
	struct checkpoints *checkpoints; /* one an instruction */
	uint32_t depth;                  /* bytes of stack that it uses itself */
	struct call_edge *calls;
	struct func_info *next;
	bool is_called;                  /* global, and a path led to a call of it */
	/*
	 * Global, of each argument that is memory: which of the low three bits of its address may be set, which have to be 0 for what it does there,
	 * and to whom it hands it on (verify_global.c).
	 */
	uint8_t low_bits[FUNC_ARGS_MAX], zero_bits[FUNC_ARGS_MAX];
	struct handed_on *handed_on;
	bool is_verified;
	uint32_t frames_below;           /* most functions that are called in each other from here on, itself included */
	bool has_tail_call;              /* itself */
	uint32_t depth_above;            /* most stack of those that call it */
	uint8_t visit;                   /* check of the call graph: 0 not seen, 1 being looked at, 2 done */
	uint32_t depth_below;            /* most stack that it and what it calls take */
};

struct call_edge {
	struct func_info *callee;
	struct call_edge *next;
};

/* Of a function as it stands; and, seen on paths: the instruction, and the ways that a branch went. */
enum {
	MARK_START = 1, MARK_TARGET = 2, MARK_REACHED = 4, MARK_CALLS_BACK = 8, MARK_SEEN = 16, MARK_TAKEN = 32, MARK_NOT_TAKEN = 64,
};

/*
 * What holds in each run of a program that was accepted: instructions of a function without MARK_SEEN are never come to, and branches
 * go no way without its mark. That is so of the paths that pruning left out, too: which way a branch goes rests on precise numbers.
 */
struct vm_facts {
	struct vm_facts *next;
	const struct func *func;
	uint8_t marks[]; /* one an instruction */
};

void
vm_facts_free(struct vm_facts *facts);

/* What ends a path before its end. */
enum verify_pruning {
	PRUNE_USUAL, /* a checkpoint that covers all that matters */
	PRUNE_EXACT, /* for tests: one that covers all numbers that are read, whether they matter or not */
	PRUNE_NONE,  /* for tests: nothing; loops that never end are too complex */
};

/* For tests: a look at every state in which an instruction was looked at (visit may be NULL), and how paths are followed. */
struct verify_watch {
	void (*visit)(void *arg, const struct func *func, uint32_t pc, const struct reg *regs);
	void *arg;
	enum verify_pruning pruning;
	uint32_t distance;  /* instructions between two checkpoints at least; 0: the usual */
	uint32_t insns_max; /* 0: VM_INSNS_MAX */
	uint64_t compared_max; /* 0: VM_COMPARED_MAX */
	uint32_t *n_insns;  /* how many were looked at; may be NULL */
	struct vm_facts **facts; /* of each function of an accepted program, for vm_facts_free; NULL: nobody asks */
	const struct source_line **line; /* of a refusal, as vm_verify gives it; may be NULL */
};

struct verifier {
	const struct object *object;
	const struct func *entry;    /* whose paths are being followed: the program, or a global function */
	const struct vm_signature *signature;
	const struct verify_watch *watch; /* never NULL */
	struct text *why;
	struct arena *arena;         /* paths and function infos */
	struct trails { char *bytes; uint32_t len, cap; } trails; /* of all paths (verify_precise.c) */
	struct func_info *infos;
	uint32_t n_infos;
	uint8_t *tables;             /* one for each of the object's: TABLE_x of verify_func.c */
	struct state state;          /* the path that is being followed */
	struct frame *frames[VM_FRAMES_MAX]; /* what its frames are written into, by depth; NULL: not needed so far */
	struct pending *pending;
	struct checkpoint *checkpoints;
	uint32_t n_insns;            /* looked at so far */
	uint32_t insns_max;
	bool is_global;              /* `entry` is a global function */
	bool calls_back;             /* a function that was looked at has a helper call back */
	uint32_t n_insns_checkpoint; /* at the last checkpoint */
	uint32_t last_id;
	size_t bytes;                /* of saved states */
	size_t bytes_kept;           /* of what paths leave behind: trails, branches, checkpoints */
	uint64_t n_followed;         /* steps of trails that were followed back */
	uint64_t n_compared;         /* open checkpoints that were compared with a state */
	int err;
	const struct source_line *line; /* of the refusal */
};

#define VM_INSNS_MAX 1000000u          /* looked at before a program counts as too complex */
#define VM_STATE_BYTES_MAX (512u << 20)
#define VM_FOLLOWED_MAX (1u << 29)     /* about a second */
#define VM_COMPARED_MAX (1u << 25)     /* a few seconds */
#define VM_OFFSET_MAX (1 << 29)        /* of pointers, as in the kernel */

/* verify_report.c: sets v->err, v->line and *why, once; returns false for `return refuse(...)`. */
bool
refuse(struct verifier *v, int err, const char *format, ...) PRINTF_LIKE(3, 4);

/* The same about register `regno`: what is known of it is added. */
bool
refuse_reg(struct verifier *v, int regno, const char *format, ...) PRINTF_LIKE(3, 4);

/* The name of a register's table, for messages; of one that is held by another, the other's. */
const char *
reg_table_name(const struct verifier *v, uint32_t index);

void
reg_print(const struct verifier *v, const struct reg *reg, struct text *out);

void
state_print(const struct verifier *v, FILE *out);

/* verify_state.c */
struct frame *
frame_top(struct verifier *v);

/* Adds a frame for a function, nothing set but r10. False: out of memory (refused). */
bool
frame_push(struct verifier *v, const struct func *func, uint32_t return_pc);

void
frame_pop(struct verifier *v);

/* A slot, to be overwritten: one that was not in use is empty. */
struct slot *
slot_at(struct frame *frame, uint32_t index);

/* Notes that a register or slot of a frame was read (before this path wrote it). */
void
mark_reg_read(struct verifier *v, uint32_t frame, uint32_t regno);

void
mark_slot_read(struct verifier *v, uint32_t frame, uint32_t slot);

/* The register of the current frame, for reading; refuses where it was never set. */
struct reg *
reg_read(struct verifier *v, uint32_t regno);

/* The register of the current frame, to be overwritten. */
struct reg *
reg_write(struct verifier *v, uint32_t regno);

/*
 * The table that the index of a register stands for: one of the object's, or, for indexes behind those, any that a table which holds tables
 * can hold: n_tables + the number of that one.
 */
const struct table *
reg_table(const struct verifier *v, uint32_t index);

void
reg_set_scalar(struct reg *reg, struct scalar s);

/* Calls fn for every register and spilled register of the state, with its place. */
void
state_each_reg(struct state *state, void (*fn)(struct reg *reg, uint16_t loc, void *arg), void *arg);

/* Keeps the state for later, to go on at `pc`. */
bool
state_push(struct verifier *v, uint32_t pc);

/* Takes up the state kept last. False: there is none. */
bool
state_pop(struct verifier *v);

/* At a jump target. 1: a path that covers this state was followed before; 0: go on; negative: refused. */
int
state_visit(struct verifier *v);

/* Is it of the instruction where this path is, in the same function, as deep? */
bool
checkpoint_is_here(const struct verifier *v, const struct checkpoint *cp);

/* The path ends here. */
void
path_end(struct verifier *v);

void
state_free_all(struct verifier *v);

/*
 * verify_precise.c: which numbers matter. A place is a register or a slot of one of the frames.
 */
#define LOC_NONE UINT16_MAX
#define LOCS_MAX (VM_FRAMES_MAX * (11 + VM_SLOTS))

uint16_t
loc_reg(uint32_t frame, uint32_t regno);

uint16_t
loc_slot(uint32_t frame, uint32_t slot);

/* A register of the current frame. */
uint16_t
loc_top(const struct verifier *v, uint32_t regno);

/* Notes that what is known of the number here was used, though no instruction names the place. */
void
mark_loc_read(struct verifier *v, uint16_t loc);

/* `loc` was set to what was computed from the numbers in the other two (either may be LOC_NONE) and nothing else. */
void
trail_define(struct verifier *v, uint16_t loc, uint16_t from, uint16_t from_too);

/* A comparison told of the numbers in these places what it knew from all of them. */
void
trail_tie(struct verifier *v, const uint16_t *locs, uint32_t n);

void
trails_free(struct trails *trails);

/*
 * The verdict on this path rests on what is known of the numbers here (either may be LOC_NONE). To be called wherever a refusal or
 * the ways to follow depend on bounds or bits of a number; not for addresses, which are always compared.
 */
void
rely_on(struct verifier *v, uint16_t loc, uint16_t loc_too);

/* The path ends at a checkpoint that covers it: what follows there rests on these numbers here. */
void
rely_on_same(struct verifier *v, const struct state *old);

/* What follows rests on all of these numbers, save those of which `old`, a state that covers this one, knows nothing. */
void
rely_on_all(struct verifier *v, const struct state *old);

/* verify_mem.c */
/* What is loaded or stored, and where it stands as a whole (LOC_NONE: nowhere). */
struct value {
	struct reg reg;
	uint16_t loc;
};

enum access { ACCESS_READ, ACCESS_WRITE, ACCESS_BOTH };

/* A load, store or atomic operation of `size` bytes at register regno + off. For loads, *loaded becomes what was read. */
bool
check_access(struct verifier *v, uint32_t regno, int16_t off, uint32_t size, enum access access, struct value *loaded,
	     const struct value *stored);

/* The address is a multiple of `size`. */
bool
check_alignment(struct verifier *v, uint32_t regno, int16_t off, uint32_t size);

/* Which of the low three bits of an address may be set, if memory (that of REG_DATA aside) begins at a multiple of 8: 0, 4, 6 or 7. */
uint8_t
address_low_bits(const struct reg *reg);

/* The number that the low half of a register is. */
struct reg
reg_low_half(const struct reg *reg);

/* Memory of `size` bytes at most that a helper reads or (out) fills; exact: it always is that size. */
bool
check_helper_memory(struct verifier *v, uint32_t regno, uint32_t size, bool out, bool exact);

/* The same for values of a format, which are read: addresses that are kept on the stack are such. */
bool
check_values_memory(struct verifier *v, uint32_t regno, uint32_t size);

/* verify_call.c */
bool
check_helper_call(struct verifier *v, const struct bpf_insn *insn);

/* verify_call.c: addresses with this ref are none any more. */
void
forget_ref(struct verifier *v, uint32_t ref);

/*
 * verify_dynptr.c: the dynptr at the address in a register, NULL: refused; and a new one there. ref: that of the record which it
 * stands for, 0: none; low_bits: of the address of what it describes.
 */
const struct reg *
dynptr_at(struct verifier *v, uint32_t regno);

bool
dynptr_make(struct verifier *v, uint32_t regno, uint32_t ref, uint8_t low_bits);

/* A part of what may be a dynptr is written over. */
void
dynptr_end(struct verifier *v, uint32_t frame, uint32_t slot);

/*
 * verify_call.c: a tail call succeeded, in a function that another called: to that one comes what the other program returns.
 */
void
tail_call_taken(struct verifier *v);

/* verify_lock.c: a call of spin_lock or spin_unlock on the lock at the address in a register. */
bool
check_lock_arg(struct verifier *v, uint32_t regno, const struct helper *helper);

/* No lock is held: `what` (the program ends, ...) is done. */
bool
check_no_lock(struct verifier *v, const char *what);

/* The bytes from `from` to `to` of a value are not its lock. */
bool
check_beside_lock(struct verifier *v, uint32_t regno, int64_t from, int64_t to);

/* verify_global.c: a call of a global function. */
bool
call_global(struct verifier *v, const struct func *callee);

/* An atomic operation of `size` bytes on memory that a global function was given, whose address must be a multiple of that. */
bool
check_passed_alignment(struct verifier *v, uint32_t regno, uint32_t size);

/* What is in the registers of a global function, when it begins. */
void
set_global_arguments(struct verifier *v, const struct func *func);

/* verify.c: goes on at the beginning of a static function, with the arguments in r1 to r5. */
bool
enter_function(struct verifier *v, const struct func *callee);

/*
 * verify_callx.c: a load of 8 bytes, which were checked, at the address `base` in a table of functions: goes on with one of those that can be
 * there, and keeps a way for each other.
 */
bool
load_of_functions(struct verifier *v, const struct bpf_insn *insn, const struct reg *base);

/* A call by a register. Leaves pc at what comes next. */
bool
check_callx(struct verifier *v, const struct bpf_insn *insn);

/* verify_callback.c */
/* At a call of a helper that calls back, arguments checked: keeps the way that goes into the function, where there is one. */
bool
callback_push(struct verifier *v, const struct helper *helper);

/* Takes that way: begins the function. */
bool
callback_enter(struct verifier *v);

/* The function returns: to the call of the helper, which may call it once more. */
bool
callback_return(struct verifier *v);

/*
 * verify_func.c: what can be said of a function without following paths: instructions exist, jumps arrive, all is reachable.
 * The info is made at the first use, and those of the functions called with it. NULL: refused.
 */
struct func_info *
func_info_of(struct verifier *v, const struct func *func);

/* The same, where it was made before; else NULL. */
struct func_info *
func_info_seen(const struct verifier *v, const struct func *func);

/* A function calls another; seen once more, it is no news. */
void
call_edge_add(struct verifier *v, struct func_info *caller, struct func_info *callee);

/* No recursion, and no chain of calls takes more than the stack. */
bool
check_call_graph(struct verifier *v);

/* As vm_verify, as `watch` wants it. */
int
verify_watched(const struct object *object, const struct func *func, const struct vm_signature *signature,
	       const struct verify_watch *watch, struct text *why);

/* Is it a jump that goes back, if it is taken? */
bool
insn_jumps_back(const struct bpf_insn *insn);

/* The relocation at an instruction, or NULL. */
const struct reloc *
func_reloc(const struct func *func, uint32_t pc);

/* Is it about a function, and not about a table? */
bool
reloc_names_function(const struct reloc *reloc);

/*
 * The functions that come with a relocation, how many and their numbers: the one that is called or whose address is taken, or those in a
 * table of functions.
 */
uint32_t
reloc_n_funcs(const struct object *object, const struct reloc *reloc);

uint32_t
reloc_func(const struct object *object, const struct reloc *reloc, uint32_t k);

/* The function that the local call at `pc` calls, by its relocation. NULL: none. */
const struct func *
func_callee(const struct object *object, const struct func *func, uint32_t pc);

/* The function whose address the ld_imm64 at `pc` takes, by its relocation. NULL: none. */
const struct func *
func_addressed(const struct object *object, const struct func *func, uint32_t pc);

#endif
