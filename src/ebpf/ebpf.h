/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * ebpf: eBPF as data. Instructions (RFC 9669), code under construction, the object that a script becomes, and its
 * form as text (assembler, disassembler), ELF and BTF.
 *
 * The instruction word is the kernel's `struct bpf_insn`; opcode constants (BPF_ALU64, BPF_ADD, ...) are those of
 * <linux/bpf.h>. insn.def holds one row an instruction: everything that needs to know instructions reads it.
 */
#ifndef KTAP_EBPF_H
#define KTAP_EBPF_H

#include <linux/bpf.h>
#include <linux/btf.h>

#include "base/base.h"

/* What <linux/bpf.h> of older systems lacks. */
#ifndef BPF_MEMSX
#define BPF_MEMSX 0x80 /* mode of BPF_LDX: load and extend the sign */
#endif

/* ---- insn.c: the instruction table --------------------------------------------------------------- */

/* What a row of insn.def says of the operands; see the head of insn.def. */
struct insn_info {
	const char *name;     /* as the assembler writes it, e.g. "add64" */
	const char *format;   /* assembly with operands, see insn.def */
	uint8_t group;        /* conformance group, enum insn_group */
	uint8_t version;      /* cpu version that introduced it: 1 to 4 */
	uint8_t shape;        /* enum insn_shape: which operands it has and what it does with them */
	uint8_t id;           /* enum insn_id: the row */
	uint8_t code;         /* opcode */
	uint8_t select;       /* enum insn_select: the field that tells rows of this opcode apart, */
	int32_t value;        /* and what it holds */
};

/* One for each row of insn.def: INSN_ADD64_K, INSN_ADD64_X, ... */
enum insn_id {
#define INSN(id, name, code, select, value, shape, group, version, format) INSN_##id,
#include "ebpf/insn.def"
	N_INSNS
};

enum insn_select { SELECT_ANY, SELECT_OFF, SELECT_IMM, SELECT_SRC, N_SELECTS };

/* The groups of RFC 9669, and that of calls by a register, which it does not have: the public suite bpf_conformance names it so. */
enum insn_group { GROUP_BASE32, GROUP_BASE64, GROUP_ATOMIC32, GROUP_ATOMIC64, GROUP_DIVMUL32, GROUP_DIVMUL64, GROUP_PACKET, GROUP_CALLX };

enum insn_shape {
	SHAPE_ALU,    /* dst op= src or imm (mov: dst = ...) */
	SHAPE_UNARY,  /* dst = op dst: neg, byte swaps */
	SHAPE_LD64,   /* two words: dst = 64-bit imm, table or address */
	SHAPE_LOAD,   /* dst = *(size *)(src + off) */
	SHAPE_STORE,  /* *(size *)(dst + off) = src or imm */
	SHAPE_ATOMIC, /* lock *(size *)(dst + off) op= src, imm names the operation */
	SHAPE_JUMP,   /* unconditional */
	SHAPE_COND,   /* if (dst cmp src or imm) goto off */
	SHAPE_CALL,
	SHAPE_EXIT,
	SHAPE_PACKET, /* legacy LD_ABS, LD_IND: known, refused */
};

/*
 * The row for an instruction word, chosen by opcode, and where the opcode is shared by off or imm (signed division,
 * sign-extending moves, byte swap width, atomic operation). NULL: no such instruction.
 */
const struct insn_info *
insn_info(const struct bpf_insn *insn);

/* The row by its id. */
const struct insn_info *
insn_info_of(enum insn_id id);

/*
 * The name of the first field ("dst", "src", "off", "imm") that the instruction does not use and that is not zero as it
 * must be (RFC 9669 section 3), or NULL: all is well, or there is no such instruction.
 */
const char *
insn_reserved(const struct bpf_insn *insn);

/*
 * The value that an arithmetic instruction (SHAPE_ALU, SHAPE_UNARY) leaves in dst, given the values of its registers
 * before, per RFC 9669 section 4.1. Where the second operand is an immediate, it is taken from the instruction and `src` is not
 * looked at. Returns false, *result untouched, for other instructions. Never traps.
 */
bool
insn_eval_alu(const struct bpf_insn *insn, uint64_t dst, uint64_t src, uint64_t *result);

/* True if the jump (SHAPE_COND, SHAPE_JUMP) is taken, given the values of its registers; immediates as above. */
bool
insn_eval_jump(const struct bpf_insn *insn, uint64_t dst, uint64_t src);

/* True for the first word of the two-word ld_imm64. */
static inline bool
insn_is_wide(const struct bpf_insn *insn)
{
	return insn->code == (BPF_LD | BPF_IMM | BPF_DW);
}

/* Constructors. Registers are 0..10; `size` is BPF_B, BPF_H, BPF_W or BPF_DW; `op` is BPF_ADD..., `cmp` BPF_JEQ... */
static inline struct bpf_insn
insn_make(uint8_t code, uint8_t dst, uint8_t src, int16_t off, int32_t imm)
{
	return (struct bpf_insn){ .code = code, .dst_reg = dst, .src_reg = src, .off = off, .imm = imm };
}

static inline struct bpf_insn
insn_alu(uint8_t op, uint8_t dst, uint8_t src)
{
	return insn_make(BPF_ALU64 | op | BPF_X, dst, src, 0, 0);
}

static inline struct bpf_insn
insn_alu_imm(uint8_t op, uint8_t dst, int32_t imm)
{
	return insn_make(BPF_ALU64 | op | BPF_K, dst, 0, 0, imm);
}

static inline struct bpf_insn
insn_mov(uint8_t dst, uint8_t src)
{
	return insn_alu(BPF_MOV, dst, src);
}

static inline struct bpf_insn
insn_mov_imm(uint8_t dst, int32_t imm)
{
	return insn_alu_imm(BPF_MOV, dst, imm);
}

static inline struct bpf_insn
insn_load(uint8_t size, uint8_t dst, uint8_t src, int16_t off)
{
	return insn_make(BPF_LDX | BPF_MEM | size, dst, src, off, 0);
}

static inline struct bpf_insn
insn_store(uint8_t size, uint8_t dst, uint8_t src, int16_t off)
{
	return insn_make(BPF_STX | BPF_MEM | size, dst, src, off, 0);
}

static inline struct bpf_insn
insn_store_imm(uint8_t size, uint8_t dst, int16_t off, int32_t imm)
{
	return insn_make(BPF_ST | BPF_MEM | size, dst, 0, off, imm);
}

/* lock *(size *)(dst + off) op= src; `op` is BPF_ADD, ..., or'ed with BPF_FETCH, or BPF_XCHG, BPF_CMPXCHG. */
static inline struct bpf_insn
insn_atomic(uint8_t size, int32_t op, uint8_t dst, uint8_t src, int16_t off)
{
	return insn_make(BPF_STX | BPF_ATOMIC | size, dst, src, off, op);
}

static inline struct bpf_insn
insn_call(int32_t helper)
{
	return insn_make(BPF_JMP | BPF_CALL, 0, 0, 0, helper);
}

static inline struct bpf_insn
insn_exit(void)
{
	return insn_make(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* ---- code.c: code under construction ---------------------------------------------------------------- */

enum reloc_kind {
	RELOC_TABLE,       /* ld_imm64: handle of table `index` (BPF_PSEUDO_MAP_FD) */
	RELOC_TABLE_VALUE, /* ld_imm64: address of the first value of array table `index`, plus `addend` bytes */
	RELOC_FUNC,        /* call: function `index` of the same object (BPF_PSEUDO_CALL) */
	RELOC_FUNC_ADDR,   /* ld_imm64: address of function `index`, for helpers that call back and for callx (BPF_PSEUDO_FUNC) */
};

struct reloc {
	uint32_t pc;
	enum reloc_kind kind;
	uint32_t index;
	uint32_t addend;
};

/* An instruction that holds the place of a field in the record: its `off` if it loads, else its `imm`; see struct program_field. */
struct patch {
	uint32_t pc;
	uint32_t field; /* index in program.fields */
};

struct func;

/*
 * A number that depends on the kernel, and what it is about: where a member begins, how large it is. `path`: "struct task_struct.signal.rlim[0]",
 * "union U.m", "typedef_t.m", or a type alone. Members of members without a name are named as in C, as the outer one's.
 */
struct core_number {
	enum bpf_core_relo_kind kind;
	const char *path;
};

/* Instructions in the making, in an arena. Jumps name labels; code_finish turns labels into offsets. */
struct code {
	struct arena *arena;
	struct bpf_insn *insns;
	struct span *spans; /* where in the script each instruction comes from */
	uint32_t n, cap, cap_spans;
	struct reloc *relocs;
	uint32_t n_relocs, cap_relocs;
	uint32_t *labels; /* pc of each bound label, UINT32_MAX before */
	uint32_t n_labels, cap_labels;
	struct fixup { uint32_t pc, label; } *fixups;
	uint32_t n_fixups, cap_fixups;
	struct patch *patches;
	uint32_t n_patches, cap_patches;
	struct core_reloc *cores;
	uint32_t n_cores, cap_cores;
	struct span span; /* given to the instructions that follow */
};

void
code_init(struct code *code, struct arena *arena);

void
code_emit(struct code *code, struct bpf_insn insn);

/* dst = 64-bit constant, in one word where it fits into a sign-extended 32-bit immediate. */
void
code_const(struct code *code, uint8_t dst, int64_t value);

void
code_table(struct code *code, uint8_t dst, uint32_t table);

void
code_table_value(struct code *code, uint8_t dst, uint32_t table, uint32_t addend);

void
code_call_func(struct code *code, uint32_t func);

/* dst = address of a function, for helpers that call back. */
void
code_func_addr(struct code *code, uint8_t dst, uint32_t func);

/* New label, not yet bound. */
uint32_t
code_label(struct code *code);

void
code_bind(struct code *code, uint32_t label);

void
code_jump(struct code *code, uint32_t label);

/* if (dst cmp src) goto label, on 64 bits. */
void
code_branch(struct code *code, uint8_t cmp, uint8_t dst, uint8_t src, uint32_t label);

void
code_branch_imm(struct code *code, uint8_t cmp, uint8_t dst, int32_t imm, uint32_t label);

/* The same on the lower 32 bits. */
void
code_branch32_imm(struct code *code, uint8_t cmp, uint8_t dst, int32_t imm, uint32_t label);

/*
 * Appends the instructions of a function, with its places in the script and its relocations. They end as that function does. What names fields
 * (patches) and types of the kernel (cores) is left behind: in a function that is put together to be loaded those numbers are right already.
 * Returns the pc of the first.
 */
uint32_t
code_append(struct code *code, const struct func *func);

/* Binds a label to an instruction that is there already. */
void
code_bind_at(struct code *code, uint32_t label, uint32_t pc);

/* The instruction at pc becomes a jump. */
void
code_make_jump(struct code *code, uint32_t pc, uint32_t label);

/* The last instruction holds the place of field `field` of the program (struct patch). */
void
code_patch(struct code *code, uint32_t field);

/* The last instruction holds a number about a type of the kernel's. */
void
code_core(struct code *code, const struct core_number *number);

/* Sets the offsets of all jumps. Returns 0, or -ERANGE when a jump is too far for 16 bits. */
int
code_finish(struct code *code);

/*
 * The same of code all of whose jumps name labels: those that are too far go over others (islands.c), so that places may move. Returns 0, or
 * -ERANGE: there are too many of them.
 */
int
code_finish_long(struct code *code);

/* ---- stat.c: statistics ---------------------------------------------------------------------------------- */

/* stats.def: STAT(id, "name", words, merge) */
enum stat_part {
#define STAT(id, name, words, merge) STAT_##id,
#include "ebpf/stats.def"
#undef STAT
	N_STAT_PARTS
};

#define STAT_BUCKETS_MAX 1000 /* of a linear histogram, without the two for what is outside */

/* What a statistic keeps of its samples. */
struct stat_layout {
	uint32_t keep;         /* bit STAT_x */
	int64_t lo, hi, step;  /* LINEAR: buckets [lo, lo + step), ...; lo < hi, step > 0, at most STAT_BUCKETS_MAX */
};

static inline bool
stat_keeps(const struct stat_layout *layout, enum stat_part part)
{
	return layout->keep >> part & 1;
}

const char *
stat_part_name(enum stat_part part);

/* 8-byte words of a part, 0 when it is not kept; words before it in the cell (N_STAT_PARTS: of the whole cell). */
uint32_t
stat_words(const struct stat_layout *layout, enum stat_part part);

uint32_t
stat_word(const struct stat_layout *layout, enum stat_part part);

/* Bytes of a cell. Zeros are the statistic of no samples. */
uint32_t
stat_size(const struct stat_layout *layout);

/* Adds what `from` has counted to `into`. */
void
stat_merge(const struct stat_layout *layout, uint64_t *into, const uint64_t *from);

/* Adds one sample; not atomic. */
void
stat_add(const struct stat_layout *layout, uint64_t *cell, int64_t value);

/* What follows needs the part of its name to be kept; count, one of COUNT, LOG2, LINEAR; stddev, COUNT and SUM too. */
uint64_t
stat_count(const struct stat_layout *layout, const uint64_t *cell);

int64_t
stat_sum(const struct stat_layout *layout, const uint64_t *cell);

/* False: there are no samples, or none but the one that zeros stand for: INT64_MAX of the smallest, INT64_MIN of the largest. */
bool
stat_min(const struct stat_layout *layout, const uint64_t *cell, int64_t *min);

bool
stat_max(const struct stat_layout *layout, const uint64_t *cell, int64_t *max);

/* Standard deviation of the samples (not an estimate for a larger set), rounded down. */
uint64_t
stat_stddev(const struct stat_layout *layout, const uint64_t *cell);

/* What is asked of a statistic, and the part that it takes. */
enum stat_reader { READ_COUNT, READ_SUM, READ_AVG, READ_MIN, READ_MAX, READ_STDDEV, N_STAT_READERS };

enum stat_part
stat_part_read(enum stat_reader reader);

/* The answer: 0 and *number; -ENODATA: there is none without samples; -ENOTSUP: the part is not kept, nor, for the count, a histogram. */
int
stat_read(const struct stat_layout *layout, const uint64_t *cell, enum stat_reader reader, int64_t *number);

/* The values that a bucket of LOG2 or LINEAR counts: from *first to *last. (Of the one below lo = INT64_MIN, which counts none, they mean nothing.) */
void
stat_bucket(const struct stat_layout *layout, enum stat_part part, uint32_t bucket, int64_t *first, int64_t *last);

/* ---- object.c: what a script (or a C file) becomes -------------------------------------------------- */

/* Kinds of value as they stand in tables, records and globals. */
enum value_kind {
	VALUE_NONE,    /* not a value: unused slot */
	VALUE_INT,     /* 8 bytes, signed */
	VALUE_BOOL,    /* 8 bytes, 0 or 1 */
	VALUE_STR,     /* `size` bytes, at most VALUE_STR_MAX: text, NUL, then zeros to the end */
	VALUE_EVENT,   /* 8 bytes: index of an event (struct object.events); printed as its name */
	VALUE_STACK,   /* 8 bytes: id in the table of kernel stacks, or negative: -errno of the capture */
	VALUE_USTACK,  /* 8 bytes: process id << 32 | id in the table of user stacks, or negative: -errno of the capture */
	VALUE_ARGSTR,  /* records only: the raw record of the event, see "the record" below */
	VALUE_KSYM,    /* 8 bytes: a kernel address, printed as symbol */
	VALUE_STAT,    /* values of tables only: a cell of struct table.stat, see stat.c */
};

#define VALUE_KINDS (VALUE_STAT + 1)

#define VALUE_STR_MAX 256

/* The layout of one value. Sizes are multiples of 8, save for the key of array tables: one number or event of 4 bytes. */
struct shape {
	enum value_kind kind;
	bool nullable; /* an 8-byte cell stands before the value: 1 present, 0 nil */
	uint32_t size; /* bytes of the value itself, without that cell */
};

/* Bytes a value takes, with its presence cell. */
static inline uint32_t
shape_size(const struct shape *shape)
{
	return shape->size + (shape->nullable ? 8 : 0);
}

/* tables.def: TABLE(id, "name", BPF_MAP_TYPE_x, doc) */
enum table_kind {
#define TABLE(id, name, map_type, doc) TABLE_##id,
#include "ebpf/tables.def"
#undef TABLE
	N_TABLE_KINDS
};

const char *
table_kind_name(enum table_kind kind);

/* BPF_MAP_TYPE_x of a kind. */
uint32_t
table_kind_map_type(enum table_kind kind);

bool
table_kind_is_per_cpu(enum table_kind kind);

/* Tables whose entries are all there from the start, by number. */
bool
table_kind_is_array(enum table_kind kind);

/* The name of the kind with that BPF_MAP_TYPE_x, or NULL. */
const char *
table_kind_of(uint32_t map_type);

/* False for ring buffers, queues, stacks and bloom filters: their key_size is 0. */
bool
table_kind_has_keys(enum table_kind kind);

/* Tables whose values are tables. */
bool
table_kind_holds_tables(enum table_kind kind);

#define TABLE_KEY_PARTS_MAX 8

/* What handlers do with a table or a variable, bits. */
enum use {
	USE_READ = 1,
	USE_ADD = 2,  /* +=, -=, <<<: what comes first does not matter */
	USE_SET = 4,  /* all else that changes it */
};

#define USE_ALL (USE_READ | USE_ADD | USE_SET)

/*
 * Tables of kernel stacks capture that many frames more than the script asks for: a stack may begin with those that run our
 * program, which are not shown.
 */
#define STACK_OWN_FRAMES 8

/*
 * The kernel's table of stacks has one place for a stack, which its hash leads to, and refuses one whose place is another's (-EEXIST; of
 * 4,096 stacks some 120 at 65,536 places). Those go to a second table, and their numbers are its numbers with this bit.
 */
#define STACK_IN_MORE (1u << 28)

struct table {
	const char *name;   /* the script's variable, or one of ours, beginning with '.' */
	enum table_kind kind;
	uint32_t key_size, value_size; /* bytes; ring buffer: 0, 0 and max_entries is its size in bytes */
	uint32_t max_entries;
	bool mappable;      /* array that user space maps into its memory (BPF_F_MMAPABLE) */
	bool read_only;     /* programs only read it (BPF_F_RDONLY_PROG) */
	bool write_only;    /* programs only write it (BPF_F_WRONLY_PROG) */
	bool has_lock;      /* four bytes at lock_off of a value are a struct bpf_spin_lock */
	uint32_t lock_off;
	const void *init;   /* first contents of an array table: max_entries * value_size bytes, or NULL for zeros */
	const struct table *element; /* of tables that hold tables: what each of these is like (a table that does not exist) */
	/*
	 * Of those, and of tables of programs: which table or function of the object is where at first. Of constants of C: which functions'
	 * handles stand at which bytes of the value, in order.
	 */
	struct held { uint32_t key, index; } *held;
	uint32_t n_held;
	/* How to read keys and values. n_key_parts == 0: bytes without a shape. Parts follow each other. */
	struct shape key[TABLE_KEY_PARTS_MAX];
	uint32_t n_key_parts;
	uint32_t inner;     /* tables in tables, t[a][b]: bit n set: key part n begins the key of an inner one; bit 0 never */
	struct shape value;
	struct stat_layout stat; /* of a VALUE_STAT; programs and user space alike lay cells out by it */
	/*
	 * The handler adds only, per CPU or not: a value that is absent reads as nil; an array table's entry that is all zeros and
	 * was never written counts as absent.
	 */
	bool counter;
	unsigned use;       /* by a script's handlers, bits of enum use */
	struct span span;   /* where the script makes it */
	uint32_t key_type, value_type; /* of a C compiler's: types in object.btf; 0: not known. Of data sections a BTF_KIND_DATASEC. */
};

/* Constants, as those of C: they stay what they are at first, for the verifier relies on it. */
static inline bool
table_is_constant(const struct table *table)
{
	return table->kind == TABLE_ARRAY && table->read_only && table->init && table->max_entries == 1;
}

/* Constants of C with pointers to functions in them. */
static inline bool
table_has_functions(const struct table *table)
{
	return table->kind == TABLE_ARRAY && table->n_held;
}

/* The part behind the last one of the key that begins with part `first`, of a table or one in it. */
static inline uint32_t
table_key_end(const struct table *table, uint32_t first)
{
	do
		first++;
	while (first < table->n_key_parts && !(table->inner >> first & 1));
	return first;
}

/* Where an instruction of a C compiler's object comes from; valid up to the next one. */
struct source_line {
	uint32_t pc;
	const char *file, *text; /* text: the line itself, "" where the compiler did not keep it */
	uint32_t line, column;   /* from 1; column 0: unknown */
};

/*
 * An instruction that depends on a type of the kernel's (CO-RE). It holds the number for the types that the object was compiled with
 * until core_apply replaces it by the target's.
 */
struct core_reloc {
	uint32_t pc;
	enum bpf_core_relo_kind kind;
	uint32_t type;           /* id of the type that `access` begins at, in object.btf */
	const char *access;      /* "0:1:2", see core.c */
	const char *path;        /* instead of both, in what was compiled here: as in struct core_number; elf_write makes them of it */
	const char *unresolved;  /* what the target lacks, where the instruction was poisoned; NULL: nothing */
};

/* What a global function takes in a register. */
enum func_arg_kind {
	FUNC_ARG_NONE,
	FUNC_ARG_NUMBER,
	FUNC_ARG_CONTEXT, /* that of the program */
	FUNC_ARG_MEMORY,  /* `size` bytes */
	FUNC_ARG_UNKNOWN, /* of a type that no verifier knows what to make of */
};

#define FUNC_ARGS_MAX 5

struct func_arg {
	enum func_arg_kind kind;
	uint32_t size;
	bool nullable, read_only;
};

/*
 * A function without arguments that gives the parent's process id as the host has it. Where that is another one than the user's (source/kernel_pids.c),
 * the source takes a function of its own in place of this. Both have 32 bytes of stack.
 */
#define FUNC_PPID       "ktap_ppid"
#define FUNC_PPID_STACK 32

struct func {
	const char *name;
	const char *section; /* ELF section: "raw_tp/sys_enter", ...; ".text" for functions that others call */
	struct bpf_insn *insns;
	struct span *spans;  /* one an instruction; may be NULL (objects of C compilers have lines instead) */
	uint32_t n_insns;
	struct reloc *relocs; /* in order of pc */
	uint32_t n_relocs;
	struct source_line *lines; /* in order of pc; none where there are spans */
	uint32_t n_lines;
	struct core_reloc *cores;  /* in order of pc */
	uint32_t n_cores;
	uint32_t type;             /* BTF_KIND_FUNC in object.btf, 0: not known */
	/* Verified by itself where others call it, with any arguments that fit these; else with each call. */
	bool is_global;
	bool returns_number;
	struct func_arg args[FUNC_ARGS_MAX];
	struct patch *patches;
	uint32_t n_patches;
};

/*
 * What stands for the address of function `index` of the object, in registers and in tables, in all of its programs and whichever way they
 * run. Not null, and no helper has such a number.
 */
#define FUNC_HANDLE (1ull << 32)

static inline uint64_t
func_handle(uint32_t index)
{
	return FUNC_HANDLE | index;
}

/*
 * The record: what a program sends through the ring buffer table, by bpf_ringbuf_output, little by little:
 *
 *      0        4         8                                        tail
 *     +--------+---------+--------+--------+-- ... -+------------+----------------
 *     | site   | event   | cell 0 | cell 1 |        | last cell  | long values
 *     +--------+---------+--------+--------+-- ... -+------------+----------------
 *
 * `site` indexes object.sites, `event` object.events where a value is a VALUE_ARGSTR, else it is 0. One cell a value, in order, per the site's shapes: a nullable value is
 * preceded by its presence cell; numbers, events and stacks are 8 bytes; a VALUE_STR of at most RECORD_SHORT_STR bytes
 * stands in place, `size` bytes. A longer VALUE_STR and a VALUE_ARGSTR are an 8-byte length whose bytes stand in the tail, in
 * order, without padding (a string with its NUL; length 0 for a nil one).
 *
 * The bytes of a VALUE_ARGSTR are the event's record as ftrace lays it out (the `format` file: fields at their offsets, the
 * first 8 bytes, common_*, not filled in). Of a system call's entry it is 64 bytes: common 8, number (int) at 8, six
 * arguments at 16, 24, ... 56; behind them, for each argument that is a string (event fields say which, in order): one byte,
 * 0 read, 1 unreadable, 2 cut, then the text and its NUL (unreadable: the NUL alone).
 */
#define RECORD_HEADER 8
#define RECORD_SHORT_STR 32
#define SYSCALL_NR_OFFSET  8  /* in the records of system calls: number, */
#define SYSCALL_ARG_OFFSET 16 /* first argument, result */
#define RECORD_SYSCALL_LEN 64
#define RECORD_SYSCALL_EXIT_LEN 24 /* of its exit: common 8, number at 8, what it returns at 16 */

enum record_string { RECORD_STRING_READ, RECORD_STRING_FAULT, RECORD_STRING_CUT };

enum site_kind {
	SITE_PRINT,      /* print(...) */
	SITE_PRINTF,     /* printf(format, ...) */
	SITE_EXIT,       /* exit(): the run ends */
	N_SITE_KINDS
};

/* A place in the script that sends records. */
struct site {
	enum site_kind kind;
	struct span span;
	const char *format; /* printf; `len` below, may hold NULs */
	uint32_t format_len;
	struct shape *args;
	uint32_t n_args;
};

/* counters.def: COUNTER(id, "slug", "message with what happened", is_error, "help") */
enum counter_kind {
#define COUNTER(id, slug, text, is_error, help) COUNTER_##id,
#include "ebpf/counters.def"
#undef COUNTER
	N_COUNTER_KINDS
};

/* A count of things that went wrong at one place of the script; 8 bytes in the globals table, at `off`. */
struct counter {
	enum counter_kind kind;
	struct span span;
	uint32_t off;
};

/* A variable of main that probes use too: it lives in the globals table. */
struct global {
	const char *name;
	struct shape shape;
	uint32_t off;
	unsigned use; /* by handlers, bits of enum use */
	struct span span;
};

/* What a program expects in its registers. */
enum program_shape {
	PROGRAM_HANDLER, /* the function below */
	PROGRAM_C,       /* of a C compiler: r1 is the context, of which context_size bytes can be read (0: none); nothing else */
};

/*
 * What a handler reads of its events' records, in the script's terms. With it the events of the machine that runs an object are sorted
 * among its programs, wherever it was compiled (event/bind.c).
 */
#define EVENT_ARGS 10

struct event_use {
	uint16_t args;                     /* bit n: argN */
	const char *arg_names[EVENT_ARGS]; /* the field that argN stands for, where all events agree; NULL: the n-th */
	struct used_name { const char *name; struct span span; } *names; /* args.NAME, each once */
	uint32_t n_names, cap_names;
	bool argstr, retval;
	struct span span;                  /* of the first use, for messages */
};

/* A field of the record whose place stands in instructions of a program. */
enum field_by {
	FIELD_BY_NAME,
	FIELD_BY_NUMBER,
	FIELD_BY_TEXT,   /* the `number`-th of those whose text stands behind the record (__data_loc) */
	FIELD_BY_RETURN, /* what retval stands for */
	FIELD_BY_END,    /* where the record's fixed part ends, RECORD_DYNAMIC_MAX at most */
	N_FIELD_BYS
};

struct program_field {
	enum field_by by;
	const char *name; /* FIELD_BY_NAME, else NULL */
	uint32_t number;
	uint32_t offset;  /* in the record, as the instructions have it */
	uint32_t size;    /* bytes that are read there */
};

#define PROGRAM_FIELDS_MAX 128  /* fields that one handler reads */
/* Limits of what a program may want, for objects that come from files; bytes. */
#define PROGRAM_RECORD_MAX (64u << 10)
#define PROGRAM_SCRATCH_MAX (64u << 10)
#define PROGRAM_STACK_MAX 512

#define RECORD_DYNAMIC_MAX 1024 /* bytes of a tracepoint's record that argstr keeps */

/*
 * One handler compiled for one layout of its events: an eBPF function
 *
 *     u64 handler(const void *record, void *context, u64 event, u64 ids, void *scratch)
 *
 * r1: the record of the event as ftrace lays it out, readable for record_size bytes (record_size 0: not used, may be 0).
 *     A source whose context *is* that record (a perf tracepoint) passes the context.
 * r2: the raw context of the attachment, for helpers that need one (uses_context), else not used.
 * r3: index of the event in object.events.
 * r4: process and thread, as bpf_get_current_pid_tgid gives them: who decides whether the process is traced knows them already.
 * r5: scratch_size bytes to write, private to this run of the handler; scratch_size 0: not used.
 *
 * The function, with those that helpers call back for its loops, keeps within stack_size bytes of stack.
 */
enum program_param { PARAM_RECORD, PARAM_CONTEXT, PARAM_EVENT, PARAM_IDS, PARAM_SCRATCH, N_PARAMS };

struct program {
	enum program_shape shape;
	uint32_t func;         /* index in object.funcs */
	uint32_t handler;      /* index in object.handlers */
	uint32_t params;       /* bit PARAM_x: the function reads that parameter; else it may hold anything */
	uint32_t record_size;
	uint64_t record_words; /* bit n: bytes 8n to 8n + 7 of the record are read; bit 63: those from there on */
	uint32_t context_size; /* PROGRAM_C only */
	uint32_t scratch_size;
	uint32_t stack_size;
	uint32_t frame_size;   /* of those, the bytes of the function's own frame */
	bool uses_context;     /* PROGRAM_C: the context is the raw one of a raw tracepoint, else the event's record */
	bool uses_dynamic;     /* reads record bytes past record_size (__data_loc fields, argstr) through probe_read */
	/*
	 * What an event must agree in to be served (event_signature): kinds and sizes of the fields that are read, not their places. NULL:
	 * serves events named at run time.
	 */
	const char *signature;
	struct program_field *fields; /* those whose place stands in the function's instructions (struct patch) */
	uint32_t n_fields;
	uint32_t fixed_size;   /* bytes of the record that are read at places that are the same everywhere */
};

enum handler_kind { HANDLER_TRACE, HANDLER_PROFILE };

struct handler {
	enum handler_kind kind;
	uint64_t period_ns;      /* profile */
	struct span span;        /* the trace statement */
	struct event_pattern { const char *text; struct span span; } *patterns; /* as written: "sched:*" */
	uint32_t n_patterns;
	const struct event_use *use; /* NULL: reads no records */
	/* The events that the script's text names, each with the program that serves it. Names computed at run time come later. */
	struct binding { uint32_t event, program; } *bindings;
	uint32_t n_bindings;
	/* The program for events that are named at run time (kdebug.*), which reads no fields; UINT32_MAX: none. */
	uint32_t any_program;
};

#define OBJECT_EVENTS_SPARE 512 /* room in tables indexed by event, for events named at run time */

#define OBJECT_VERSION 8 /* of what object_pack writes; goes up with every change that an older reader would misread */

/* Texts of events that programs look up by their numbers. */
enum event_text { EVENT_TEXT_NAME, EVENT_TEXT_FUNCTION, N_EVENT_TEXTS };

/* Whose stacks: the kernel's, or those of programs. */
enum stacks_of { STACKS_KERNEL, STACKS_USER, N_STACKS };

struct object {
	struct arena *arena;
	const char *name;              /* of the script */
	bool is_script;                /* compiled from a script: has both halves. Else programs and tables alone */
	uint32_t origin;               /* enum events_origin (event.h): whose events the script was compiled for */
	struct script *script;         /* for lines and quotes; NULL when the text is not known */
	struct table **tables;
	uint32_t n_tables, cap_tables;
	struct func **funcs;
	uint32_t n_funcs, cap_funcs;
	/* Of a script, before it is written: those that are its own; behind them stand entries for other loaders (event/entry.c). */
	uint32_t n_own_tables, n_own_funcs;
	uint32_t n_entries; /* of a script that was read: so many stand behind funcs[n_funcs], until a function is added */
	struct program **programs;
	uint32_t n_programs, cap_programs;
	struct handler **handlers;
	uint32_t n_handlers, cap_handlers;
	struct event **events;         /* event.h; index = the number that programs see */
	uint32_t n_events, cap_events;
	/* Their names, in the same order, for a file; bind_object makes events of them again. */
	struct known_event { uint32_t kind; const char *system, *name; } *event_names;
	uint32_t n_event_names;
	struct object_need *needs; /* of a script's file: what it needs of a kernel (bind_needs) */
	uint32_t n_needs;
	struct site **sites;
	uint32_t n_sites, cap_sites;
	struct counter **counters;
	uint32_t n_counters, cap_counters;
	struct global **globals;
	uint32_t n_globals, cap_globals;
	/* Indices of our own tables; UINT32_MAX where the script needs none. */
	uint32_t table_globals;        /* ".globals": array, 1 entry, mappable */
	uint32_t table_records;        /* ".records": ring buffer */
	struct stack_tables {
		uint32_t first;        /* ".stacks", ".ustacks": stack traces */
		uint32_t more;         /* ".stacks_more", ".ustacks_more": those whose place in the first is another's (STACK_IN_MORE); there when it is */
	} stacks[N_STACKS];
	uint32_t table_event_info;     /* ".event_info": per event 8 bytes, see struct event_info */
	uint32_t table_event_text[N_EVENT_TEXTS]; /* ".event_names", ".event_functions": per event a string, cut to what there is room for */
	uint32_t exit_flag_off;        /* in globals: 8 bytes, not 0 once the run should end; UINT32_MAX: no probe calls exit() */
	uint32_t wall_offset_off;      /* in globals: 8 bytes, CLOCK_REALTIME - CLOCK_MONOTONIC in ns, stored when the run starts; UINT32_MAX: not used */
	uint32_t zeros_off;            /* in globals: as many zeros as a cell of any statistic has, never written, at least 8; UINT32_MAX: not used */
	const struct typeinfo *kernel; /* the types that core_reloc.path is about (borrowed); NULL: the running kernel's */
	const char *kernel_module;     /* the module whose types they are about beside those; NULL: none */
	bool kernel_offsets;           /* programs hold offsets in structures of the kernel that this was compiled on which nothing names */
	const char *control;           /* the control half: a Lua chunk on the script's line numbers */
	uint32_t control_len;
	const void *btf;               /* .BTF of the file that the object was read from; NULL: none */
	uint32_t btf_len;
};

/* What handlers look up by event number (table_event_info). */
struct event_info {
	uint32_t string_args; /* system call entry: bit n set: argument n (0..5) is a string */
	uint32_t record_size; /* bytes of the fixed part of the record */
};

struct object *
object_new(struct arena *arena, const char *name, struct script *script);

/* Append one; return its index. The object borrows what lives in its arena. */
uint32_t
object_add_table(struct object *object, struct table *table);

uint32_t
object_add_func(struct object *object, struct func *func);

uint32_t
object_add_program(struct object *object, struct program *program);

uint32_t
object_add_handler(struct object *object, struct handler *handler);

uint32_t
object_add_event(struct object *object, struct event *event);

uint32_t
object_add_site(struct object *object, struct site *site);

uint32_t
object_add_counter(struct object *object, struct counter *counter);

uint32_t
object_add_global(struct object *object, struct global *global);

/*
 * Where a variable of a C file is: in which table of data, at which byte, of how many bytes. False: there is none of that name, or no BTF
 * that says so. typeinfo.c and elf_tables.c made what this reads.
 */
bool
object_variable(const struct object *object, const char *name, uint32_t *table, uint32_t *off, uint32_t *size);

/* The table of stacks that a stack's number is about; *number becomes its key there. UINT32_MAX: there is none. */
uint32_t
object_stack_table(const struct object *object, enum stacks_of of, uint32_t *number);

/* Makes a function of finished code. */
struct func *
func_from_code(const struct code *code, const char *name, const char *section);

/* "slug" and message of a kind of counter. */
const char *
counter_slug(enum counter_kind kind);

const char *
counter_text(enum counter_kind kind);

/* What to do about it; NULL: that is not to be said in general. */
const char *
counter_help(enum counter_kind kind);

/* True for run-time errors (exit status 1), false for losses that are only reported. */
bool
counter_is_error(enum counter_kind kind);

/* Prints tables, programs, sites, counters (-d object); `parts` without the object's name. */
void
object_print(const struct object *object, FILE *out);

void
object_print_parts(const struct object *object, FILE *out);

/* dump.c: all of an object that was read from a file, for people. Needs event_names where there are handlers. */
void
object_dump(const struct object *object, FILE *out);

/* ---- needs.c: what an object needs of a kernel ----------------------------------------------------------------------- */

/* attaches.def: how programs meet events. */
enum attach_kind {
#define ATTACH(id, name, type, type_name, since) ATTACH_##id,
#include "ebpf/attaches.def"
#undef ATTACH
	N_ATTACH_KINDS
};

enum need_kind { NEED_TABLE, NEED_MAPPABLE, NEED_HELPER, NEED_CPU, NEED_PROGRAM, NEED_ATTACH, NEED_TYPES, N_NEED_KINDS };

struct object_need {
	enum need_kind kind;
	int32_t number;     /* TABLE: BPF_MAP_TYPE_x; HELPER: BPF_FUNC_x; CPU: version; PROGRAM: BPF_PROG_TYPE_x; ATTACH: enum attach_kind */
	const char *name;   /* NULL: a helper of this number is not known by a name */
	const char *since;  /* the Linux that brought it, "5.8"; NULL: has been there for long */
};

/*
 * The needs, each once, by kind and number, in `arena`; returns how many. `attaches`: by enum attach_kind, which ways its programs are attached (NULL:
 * not known).
 */
uint32_t
object_needs(const struct object *object, struct arena *arena, const bool *attaches, struct object_need **needs);

/* "helper ringbuf_output (Linux 5.8)", appended. */
void
need_print(const struct object_need *need, struct text *out);

/* "map_lookup_elem"; NULL: not known. Since which Linux; NULL: for long. */
const char *
helper_name(int32_t helper);

const char *
helper_since(int32_t helper);

/* ---- asm.c, disasm.c: instructions as text -------------------------------------------------------------- */

/*
 * Assembles text, one instruction a line in the form that disasm prints, `;` comments, `label:` lines and labels as jump
 * targets, into `code` (the label's names live in `source` until it returns). `r1 = table 3 ll`, `r1 = table_value 3 + 16 ll` and
 * `call function 2` make relocations. The span of each instruction is its line in `source`. Jumps are resolved: code_finish has
 * nothing left to do. Returns 0, or -EINVAL with a message naming line and cause in *why.
 */
int
asm_text(struct code *code, const char *source, struct text *why);

/* One instruction (two words for ld_imm64), e.g. "r0 = *(u64 *)(r10 - 8)", without newline. */
void
disasm_insn(const struct bpf_insn *insn, struct text *out);

/* Whole function: pc, instruction, and the script's line above the first instruction of each (script may be NULL). */
void
disasm_func(const struct func *func, const struct script *script, FILE *out);

/* ---- typeinfo.c: BTF, read: types of an object, of the kernel, of a module --------------------------------- */

struct typeinfo;

/*
 * Reads BTF from memory (copied). `base`: what it continues, as a module's continues its kernel's; it must live longer. NULL:
 * nothing. The caller owns the result. NULL with *why set (without a name for the bytes) on damage or lack of memory; afterwards every
 * reference to a type or name in it is known to be good. Format: Documentation/bpf/btf.rst of the kernel, <linux/btf.h>.
 */
struct typeinfo *
typeinfo_new(const void *bytes, size_t len, const struct typeinfo *base, struct text *why);

/* The same from a file of plain BTF, such as /sys/kernel/btf/vmlinux; *why names it. */
struct typeinfo *
typeinfo_open(const char *path, const struct typeinfo *base, struct text *why);

void
typeinfo_free(struct typeinfo *info);

/* All of its BTF, base excluded; may be written to, where what is written leaves names and references good. */
void *
typeinfo_bytes(struct typeinfo *info, size_t *len);

/* One more than the highest id. Ids of this one begin at typeinfo_first: 1, or what the base ends at. */
uint32_t
typeinfo_count(const struct typeinfo *info);

uint32_t
typeinfo_first(const struct typeinfo *info);

/* The type by its id, 0: void. NULL: there is none. */
const struct btf_type *
typeinfo_type(const struct typeinfo *info, uint32_t id);

/* The string at an offset (name_off); "" where there is none. */
const char *
typeinfo_string(const struct typeinfo *info, uint32_t off);

/* Name and kind (BTF_KIND_x) of a type; "" and BTF_KIND_UNKN where there is none. */
const char *
typeinfo_name(const struct typeinfo *info, uint32_t id);

uint32_t
typeinfo_kind(const struct typeinfo *info, uint32_t id);

/* The type behind typedefs, const, volatile, restrict and tags, and its id in *plain (may be NULL). NULL: too many of them. */
const struct btf_type *
typeinfo_plain(const struct typeinfo *info, uint32_t id, uint32_t *plain);

/* Bytes that a value of the type takes; -EINVAL: it has no size; -E2BIG: 4 GiB or more. */
int64_t
typeinfo_size(const struct typeinfo *info, uint32_t id);

/* The first type of that name and kind, in its base, then in this one; 0: none. */
uint32_t
typeinfo_find(const struct typeinfo *info, const char *name, uint32_t kind);

/* The same in this one only. */
uint32_t
typeinfo_find_own(const struct typeinfo *info, const char *name, uint32_t kind);

#define TYPEINFO_ANONYMOUS_MAX 16 /* structures without a name in each other */

/* Where a member begins, in bits, and of how many bits it is, 0: as many as its type has. */
struct typeinfo_member {
	uint32_t type, bit_off, bits;
};

/* The member of that name of a struct or union, also inside of members without a name. False: there is none. */
bool
typeinfo_member(const struct typeinfo *info, uint32_t id, const char *name, struct typeinfo_member *found);

/* What follows a type of the kind that the name says. */
static inline const struct btf_member *
type_members(const struct btf_type *type)
{
	return (const struct btf_member *)(type + 1);
}

static inline const struct btf_array *
type_array(const struct btf_type *type)
{
	return (const struct btf_array *)(type + 1);
}

static inline const struct btf_param *
type_params(const struct btf_type *type)
{
	return (const struct btf_param *)(type + 1);
}

static inline const struct btf_enum *
type_enums(const struct btf_type *type)
{
	return (const struct btf_enum *)(type + 1);
}

static inline const struct btf_enum64 *
type_enums64(const struct btf_type *type)
{
	return (const struct btf_enum64 *)(type + 1);
}

static inline const struct btf_var_secinfo *
type_variables(const struct btf_type *type)
{
	return (const struct btf_var_secinfo *)(type + 1);
}

/* Encoding (BTF_INT_SIGNED, ...), offset and bits of a BTF_KIND_INT. */
static inline uint32_t
type_int(const struct btf_type *type)
{
	return *(const uint32_t *)(type + 1);
}

/* Is it a struct or union? */
static inline bool
type_has_members(const struct btf_type *type)
{
	return BTF_INFO_KIND(type->info) == BTF_KIND_STRUCT || BTF_INFO_KIND(type->info) == BTF_KIND_UNION;
}

/* Where a member of a struct or union begins, in bits, and of how many bits it is; 0: it is no bit field. */
static inline uint32_t
member_bit_off(const struct btf_type *type, const struct btf_member *member)
{
	return BTF_INFO_KFLAG(type->info) ? BTF_MEMBER_BIT_OFFSET(member->offset) : member->offset;
}

static inline uint32_t
member_bits(const struct btf_type *type, const struct btf_member *member)
{
	return BTF_INFO_KFLAG(type->info) ? BTF_MEMBER_BITFIELD_SIZE(member->offset) : 0;
}

/* ---- modules.c: types of the kernel's modules ------------------------------------------------------------------ */

#define CORE_FOLDER "/sys/kernel/btf/"
#define CORE_KERNEL CORE_FOLDER "vmlinux" /* the running kernel's types */

struct module {
	char *name;
	struct typeinfo *types;
};

struct modules {
	struct module *all; /* by name */
	uint32_t n;
};

/* A module's types, which continue the kernel's (borrowed); NULL: it is not loaded, or has none. The caller owns them. */
struct typeinfo *
module_types(const char *name, const struct typeinfo *kernel);

/*
 * Reads the types of all modules that are loaded; `kernel` as above. One that cannot be read (it may be gone again) is as one that is not
 * loaded.
 */
void
modules_read(struct modules *modules, const struct typeinfo *kernel);

void
modules_fini(struct modules *modules);

/* ---- core.c: CO-RE, objects that fit the kernel they run on -------------------------------------------------- */

struct core_target;

/* The call that a poisoned instruction becomes; as in libbpf, so that the kernel's log looks alike. */
#define CORE_POISON 0xbad2310

/*
 * The types to fit to: a file of BTF, or with NULL the running kernel's and, for types that it has not, its modules'. The caller owns it.
 * NULL with *why set: there is none.
 */
struct core_target *
core_target_open(const char *path, struct text *why);

/* The same from types that are there (borrowed): for tests. */
struct core_target *
core_target_of(const struct typeinfo *types);

void
core_target_free(struct core_target *target);

/* Does any instruction of the object depend on a target? */
bool
core_is_needed(const struct object *object);

/*
 * Fits the object to a target: puts the target's numbers into the instructions that have a core_reloc, and its sizes into loads and
 * stores of fields whose size differs. What the target lacks does not fail: the instruction becomes a call to CORE_POISON, which
 * every verifier refuses where it can be reached, and core_reloc.unresolved says what was missing. An object is fitted once. Returns 0, or
 * -EINVAL with *why set: a relocation is damaged or does not fit its instruction.
 */
int
core_apply(struct object *object, struct core_target *target, struct text *why);

/* The line of a C file that an instruction comes from, by the compiler's line information; NULL: not known. */
const struct source_line *
func_line(const struct func *func, uint32_t pc);

/* The CO-RE relocation of an instruction; NULL: it has none. */
const struct core_reloc *
func_core_reloc(const struct func *func, uint32_t pc);

/* ---- btf.c, elf_write.c, elf_read.c ----------------------------------------------------------------------- */

/* BTF and BTF.ext of functions and tables; see btf.c. Owned by the caller, freed by btf_info_fini. */
struct btf_info {
	void *btf;             /* .BTF section */
	uint32_t btf_len;
	void *func_infos;      /* struct bpf_func_info[n_funcs of the program] for bpf(2), of the last program asked */
	uint32_t n_func_infos;
	void *line_infos;      /* struct bpf_line_info[] likewise */
	uint32_t n_line_infos;
};

/*
 * BTF for one loadable program that consists of `n` functions laid one behind the other (funcs[0] is the entry, the others
 * static), with line information that quotes the script. Returns 0 or -errno.
 */
int
btf_for_program(const struct script *script, const struct func *const *funcs, uint32_t n, struct btf_info *info);

void
btf_info_fini(struct btf_info *info);

/*
 * Writes functions and tables as an ELF file for eBPF (EM_BPF), in the form that libbpf and bpftool load: one section a
 * program, `.text` for functions called by others, `.maps` with BTF, license, `.BTF`, `.BTF.ext`. Returns 0 or -errno; *why says
 * what failed.
 */
int
elf_write(const struct object *object, const char *path, struct text *why);

#define OBJECT_FILE_MAX (64u << 20) /* bytes of such a file */

/* Reads such a file, ours or a C compiler's. Returns a new object in `arena`, or NULL with *why set. Never trusts the file. */
struct object *
elf_read(struct arena *arena, const char *path, struct text *why);

/* The same from memory (borrowed for the call); `name` stands for the file in messages. */
struct object *
elf_read_memory(struct arena *arena, const char *name, const void *data, size_t len, struct text *why);

/*
 * Only what is needed to show an object's tables and variables: tables of kinds that we know, and types; no functions. For objects that the
 * kernel runs, and that may use what only the kernel has.
 */
struct object *
elf_read_outline(struct arena *arena, const char *name, const void *data, size_t len, struct text *why);

/*
 * Changes in place what gcc writes otherwise than clang (elf_mend.c says what), once, for readers that know clang's form only: libbpf.
 * elf_read does it by itself.
 */
void
elf_mend(void *bytes, size_t len);

/* ---- pack.c: the rest of a compiled script ------------------------------------------------------------------- */

/*
 * Appends the section `.ktap` of an object with is_script: all that is no program and no table's contents. `crc`: the CRC-32 of what else in the
 * file the programs depend on.
 */
void
object_pack(const struct object *object, uint32_t crc, struct text *out);

/*
 * Gives an object, whose tables and functions were read from a file, the rest of what it was. Returns 0; -EPROTO: another version of the
 * format; -EINVAL: damaged; *why says what. Afterwards indices in it are good, and sizes within limits; events are names only until
 * bind_object (event.h).
 */
int
object_unpack(struct object *object, uint32_t crc, const void *bytes, size_t len, struct text *why);

#endif
