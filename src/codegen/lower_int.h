/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * For lower*.c only: typed tree to IR.
 */
#ifndef KTAP_LOWER_INT_H
#define KTAP_LOWER_INT_H

#include "codegen/codegen_int.h"

#define LOOP_MAX 100000       /* rounds of all loops in one call of a handler, as in ktap 0.4 */
#define LOOP_COUNTED_MAX 1024 /* rounds of one loop that is not called back and whose number is not known when it is compiled */

/* Bytes in memory: `off` from a vreg that holds an address (the frame pointer, the scratch parameter, a table's value). */
struct mem {
	int base;
	int32_t off;
};

/*
 * A value while it is computed. Numbers (all kinds but strings and argstr) are in a vreg or constant. Strings are bytes in memory, padded
 * with zeros to str_size, or a literal that is not in memory yet.
 */
struct val {
	enum type_kind kind;  /* TYPE_NIL: the literal nil, or a variable that is never anything else */
	int present;          /* NO_VREG: there; else nil exactly when this vreg is 0 */
	int reg;              /* number */
	bool is_const;
	int64_t imm;          /* constant number */
	const char *literal;  /* string literal, literal_len bytes */
	uint32_t literal_len;
	struct mem mem;       /* string */
	uint32_t str_size;    /* bytes at mem, a multiple of 8 */
};

/* A variable of the probe half while its block is lowered. */
struct local {
	int reg;              /* number */
	int present;          /* NO_VREG when never nil */
	struct mem mem;       /* string */
	/* Captured (loops.c): a number is in memory, its presence behind it. */
	bool in_memory, nullable;
};

/* Code out of line: counts what went wrong at a place, ends the handler. */
struct failure {
	uint32_t label;
	uint32_t counter;
	struct failure *next;
};

struct loop {
	uint32_t on_break, on_continue;
	struct loop *outer;
};

/* The function whose body is being lowered in place of a call. */
struct inlining {
	uint32_t on_return;
	struct local result;
	const struct inlined *inlined;
};

struct lowering {
	struct arena *arena;
	struct object *object;
	const struct typed *typed;
	const struct typed_program *program;
	struct diags *diags;
	struct ir ir;
	uint32_t end;                 /* label: the handler returns */
	struct failure *failures;
	uint32_t failures_since;      /* instruction of the first of them */
	struct loop *loop;
	struct inlining *inlining;
	bool uses_dynamic;
	bool uses_context;
	uint64_t record_words;        /* as in struct program */
	uint32_t record_size;         /* bytes of the record that are read, */
	uint32_t fixed_size;          /* those of them whose place is the same everywhere */
	struct program_field *fields; /* the others */
	uint32_t n_fields, cap_fields;
	bool too_large;
	/* lower_known.c */
	struct known_read *known_reads;
	bool keeps_comm, known_comm;  /* the process's name is wanted several times; it is in `comm` */
	struct mem comm;
	const char *name;             /* of the handler's function */
	/* Loops that are called back. */
	uint32_t n_callbacks;
	unsigned params_read;         /* by their functions: bit PARAM_x */
	struct mem parameters;        /* block in the handler's frame */
	struct mem rounds;            /* of all loops so far, in scratch memory */
};

/* A function that a helper calls back, while it is lowered: the code around it, to go back to. */
struct callback {
	struct ir outer;
	struct failure *failures;
	uint32_t failures_since;
	struct loop *loop;
	uint32_t end, on_return;
	struct mem exit;
	bool ends, returns;           /* leaves for the end of the handler, of the function of the script around it */
	uint32_t func;                /* index in the object */
};

/* ---- lower.c: statements ---- */

void
lower_stat(struct lowering *l, struct node *node);

/* Counter of a kind at ir->span; each kind and place has one. */
uint32_t
lower_counter(struct lowering *l, enum counter_kind kind);

/* Label of code that counts and ends the handler. */
uint32_t
lower_failure(struct lowering *l, enum counter_kind kind);

/* The code for what went wrong since l->failures was empty. */
void
lower_failures(struct lowering *l);

/* Registers and instructions for l->ir: a new function of the object. Returns its index; *stack: bytes of its stack. */
uint32_t
lower_func(struct lowering *l, const char *name, uint32_t *stack);

/* Counts and goes on. */
void
lower_count(struct lowering *l, enum counter_kind kind);

/* ---- lower_known.c: what was read already ---- */

#define COMM_SIZE 16 /* TASK_COMM_LEN of the kernel */

struct known_mark { struct known_read *reads; bool comm; };

/* Before code that does not always run, */
struct known_mark
known_mark(const struct lowering *l);

/* and behind it: what was read there is not known any more. */
void
known_release(struct lowering *l, struct known_mark mark);

/* Nothing is known any more. */
void
known_drop(struct lowering *l);

/* The number t[k], where it was read already. `index`: the INDEX. */
bool
known_read(const struct lowering *l, uint32_t table, const struct node *index, struct val *val);

/* It was read. */
void
known_note(struct lowering *l, uint32_t table, const struct node *index, const struct val *val);

/* The handler writes to the table here, to the variable. */
void
known_written(struct lowering *l, uint32_t table);

void
known_assigned(struct lowering *l, const struct variable *var);

/* Before the first statement: memory for the process's name, if the handler asks for it more than once. */
void
known_prepare(struct lowering *l);

/* ---- lower_var.c: variables ---- */

/* A new place for values of a type, without a value yet. In the arena. */
enum local_place { LOCAL_REGISTERS, LOCAL_CAPTURED };

struct local *
local_new(struct lowering *l, struct type *type, bool nullable, enum local_place place);

/* Its value now. */
struct val
local_value(struct lowering *l, const struct local *local, struct type *type);

/* Assigns to a variable, or to any place of its kind. */
void
local_assign(struct lowering *l, const struct local *local, const struct type *type, const struct val *val);

/* Gives a variable of the probe its place. */
void
variable_declare(struct lowering *l, struct variable *var);

void
variable_assign(struct lowering *l, const struct variable *var, const struct val *val);

/* A copy that later assignments of the same statement do not change. */
struct val
val_hold(struct lowering *l, const struct val *val);

/* targets = values, lists as in NODE_ASSIGN and NODE_VAR. */
void
lower_assign(struct lowering *l, struct node *targets, struct node *values);

void
lower_var(struct lowering *l, struct node *node);

void
lower_op_assign(struct lowering *l, struct node *node);

/* ---- lower_call.c ---- */

struct val
lower_call(struct lowering *l, struct node *node);

void
lower_return(struct lowering *l, struct node *node);

/* ---- lower_loop.c ---- */

void
lower_while(struct lowering *l, struct node *node);

void
lower_repeat(struct lowering *l, struct node *node);

void
lower_for_step(struct lowering *l, struct node *node);

void
lower_for_range(struct lowering *l, struct node *node);

/* A round of a loop begins, of which at most so many run. `counter`: a vreg with those so far; NO_VREG: counted with those of all loops. */
void
loop_count(struct lowering *l, int counter);

/* The statements of a loop, with where `break` and `continue` lead. */
void
lower_body(struct lowering *l, struct node *body, uint32_t on_break, uint32_t on_continue);

/* ---- lower_walk.c: a table's elements, one after the other ---- */

void
lower_for_in(struct lowering *l, struct node *node);

/* len(t), len(t[a]) */
struct val
lower_table_len(struct lowering *l, struct node *node);

/* t[a] = nil, where t[a] is a table; delete(t) */
void
lower_empty(struct lowering *l, struct node *node);

/* ---- loops.c, lower_callback.c ---- */

/* Loops whose rounds are not few and known: functions that are called back, or jumps with a low limit of rounds. */
enum loop_form { LOOPS_CALLED_BACK, LOOPS_COUNTED };

/* See the file. Returns how deep functions that are called back are nested; 0: there are none. */
unsigned
loops_find(const struct typed_program *program, enum loop_form form);

/* What is lowered from here on goes into a function of its own; `context`: CONTEXT_OF_x. */
void
callback_begin(struct lowering *l, struct callback *callback, unsigned context);

/* The function returns. */
void
callback_exit(struct lowering *l, int64_t result);

/* Ends the function, adds it to the object, and goes back to the code around it. */
void
callback_end(struct lowering *l, struct callback *callback);

/* helper(first, function, parameters, 0), and what follows from how the function left. */
void
callback_call(struct lowering *l, const struct callback *callback, int32_t helper, int first);

/* ---- lower_memory.c: frame objects, strings ---- */

/* `size` bytes, not initialised, on the stack if small, else in scratch memory, until the enclosing statement ends. */
struct mem
memory_new(struct lowering *l, uint32_t size);

/* The same, in scratch memory. */
struct mem
memory_scratch(struct lowering *l, uint32_t size);

struct memory_mark { uint32_t frame, scratch; };

struct memory_mark
memory_mark(const struct lowering *l);

void
memory_release(struct lowering *l, struct memory_mark mark);

/* The address as a vreg. */
int
memory_address(struct lowering *l, struct mem mem);

struct mem
memory_at(struct mem mem, int32_t off);

void
memory_zero(struct lowering *l, struct mem mem, uint32_t size);

/* The same, of a text, which is then empty: a value of the script (hide.c). */
void
memory_empty(struct lowering *l, struct mem mem, uint32_t size);

void
memory_copy(struct lowering *l, struct mem dst, struct mem src, uint32_t size);

/* Stores a string into `size` bytes, padded with zeros. Not for nil. */
void
string_store(struct lowering *l, struct mem dst, uint32_t size, const struct val *val);

/* Jumps to `unequal` when two strings (not nil) differ, else falls through. */
void
string_compare(struct lowering *l, const struct val *a, const struct val *b, uint32_t unequal);

/* Jumps to `target` when `a cmp b` (BPF_JLT, ...) by the order of their bytes, two strings (not nil), else falls through. */
void
string_order(struct lowering *l, const struct val *a, const struct val *b, uint8_t cmp, uint32_t target);

/*
 * A string read from an address by helper (probe_read_kernel_str, probe_read_user_str), its NUL among `size` bytes at most; counted when unreadable, or
 * cut at STR_SIZE_MAX.
 */
struct val
string_read(struct lowering *l, int32_t helper, int addr, uint32_t size);

/* A number of `size` bytes (a vreg: 1, 2, 4 or 8) at an address, read by helper (probe_read_kernel, probe_read_user); unreadable: 0, and counted. */
int
number_read(struct lowering *l, int32_t helper, int addr, int size);

struct val
string_concat(struct lowering *l, const struct val *a, const struct val *b, uint32_t size);

/* The string in memory, a literal too: for helpers. */
struct mem
string_memory(struct lowering *l, const struct val *val);

/* Number of bytes before the NUL. */
int
string_len(struct lowering *l, const struct val *val);

/* ---- lower_exp.c: expressions ---- */

struct val
lower_exp(struct lowering *l, struct node *node);

/* Goes to `target` when the truth of node is `when`, else falls through. */
void
lower_condition(struct lowering *l, struct node *node, uint32_t target, bool when);

/* The value. Nil: the handler ends, counted. */
struct val
lower_present(struct lowering *l, struct node *node);

/* The same of a number, as a vreg. */
int
lower_number(struct lowering *l, struct node *node);

int
val_reg(struct lowering *l, const struct val *val);

/* Ends the handler, counted, when the value is nil. */
void
val_require(struct lowering *l, const struct val *val, enum counter_kind kind);

/* The kind of values of a type: what is never decided is nil, the address of a kernel structure a number. */
enum type_kind
val_kind(struct type *type);

struct val
val_number(enum type_kind kind, int reg);

struct val
val_const(enum type_kind kind, int64_t imm);

struct val
val_nil(void);

/*
 * The number as a vreg of which the verifiers do not know what it holds. Where branches meet that left different numbers behind, they follow
 * each on its own, and each further such meeting doubles the work; numbers that they do not know are one.
 */
int
number_hidden(struct lowering *l, int64_t number);

/* The text of an event by its number. */
struct val
lower_event_text(struct lowering *l, enum event_text text, int number);

/* The value itself, of an event its name. */
struct val
lower_name_of(struct lowering *l, const struct val *val);

/* dst = number, a value of the script (hide.c). */
void
number_set(struct lowering *l, int dst, int64_t number);

/* Offset in the globals of 8 zeros that nobody writes. */
uint32_t
lower_zeros(struct lowering *l);

/* a op b for an arithmetic operator's token. */
struct val
lower_arithmetic(struct lowering *l, enum token_kind op, const struct val *a, const struct val *b);

/* ---- lower_event.c: fields, stacks ---- */

struct val
lower_field(struct lowering *l, const struct node *node);

struct val
lower_stack(struct lowering *l, const struct node *node);

/*
 * Appends the event's record in the form of VALUE_ARGSTR at `dst` + *tail, which grows. Returns the number of bytes as a vreg.
 * ARGSTR_MAX bytes must be there.
 */
#define ARGSTR_MAX 4096
int
lower_argstr(struct lowering *l, struct mem dst, int tail);

/* ---- lower_table.c ---- */

struct val
lower_index(struct lowering *l, struct node *node);

/* The key of an element that is to be assigned, laid out, before the value is computed; none, where the element is a table. A nil key fails. */
struct mem
element_key(struct lowering *l, struct node *node);

/* t[k] = val */
void
lower_set_index(struct lowering *l, struct node *node, struct mem key, const struct val *val);

void
lower_update_index(struct lowering *l, struct node *node, enum token_kind op, struct node *operand);

/*
 * The table of the object that a NAME stands for, or in which an INDEX of it looks, to be used so (enum use). A variable of the probe itself, or a parameter that got no table, stands for none: that
 * is known only now that all calls are; it is reported, and the index of any table returned.
 */
uint32_t
table_of(struct lowering *l, const struct node *node, unsigned use);

/* Its handle, as helpers take it. */
int
table_handle(struct lowering *l, uint32_t index);

/* The parts of the key of an INDEX in memory, one behind the other. A nil part goes to `on_nil`. */
struct mem
table_key(struct lowering *l, const struct table *table, const struct node *node, uint32_t on_nil);

/* The same of an element that is a table (or of a NAME, which gives none): the n parts that all keys in it begin with, in scratch memory. */
struct mem
table_prefix(struct lowering *l, const struct table *table, const struct node *node, uint32_t on_nil, uint32_t *size, uint32_t *n);

void
element_remove(struct lowering *l, uint32_t index, struct mem key);

/* Address of the element's value, as a vreg; 0: there is none. */
int
table_lookup(struct lowering *l, uint32_t index, struct mem key);

/* The same, of an element that is inserted as zeros when it is missing. Full: the handler ends, counted. */
int
table_element(struct lowering *l, uint32_t index, struct mem key);

/* ---- lower_string.c: calls of these built-ins ---- */

struct val
lower_stringof(struct lowering *l, struct node *node);

struct val
lower_format(struct lowering *l, struct node *node);

struct val
lower_sub(struct lowering *l, struct node *node);

/* string.upper, string.lower: the letters from `first` on, 'a' or 'A', change their case. */
struct val
lower_case(struct lowering *l, struct node *node, uint8_t first);

struct val
lower_find(struct lowering *l, struct node *node);

/* net.format_ip_addr(n) */
struct val
lower_ip_address(struct lowering *l, struct node *node);

/* ---- lower_stat.c ---- */

/* target <<< value */
void
lower_sample(struct lowering *l, struct node *node);

/* ---- lower_glob.c ---- */

/* Goes to `target` when it is `when` that s ~ "pattern", else falls through. */
void
lower_glob(struct lowering *l, struct node *node, uint32_t target, bool when);

/* Moves `position` (bytes from 0, of a variable of its own) behind the first place of val, from there on, where the literal stands; or goes to `fails`. */
void
glob_find(struct lowering *l, const struct val *val, const struct val *literal, int position, uint32_t fails);

/* ---- lower_kernel.c ---- */

/* INDEX of a kernel structure. */
struct val
lower_member(struct lowering *l, struct node *node);

/* ppid */
struct val
lower_ppid(struct lowering *l, struct node *node);

/* curr_taskinfo(offset, size) */
struct val
lower_taskinfo(struct lowering *l, struct node *node);

/* ---- lower_record.c: print, printf, exit ---- */

void
lower_output(struct lowering *l, enum site_kind kind, struct node *args);

void
lower_exit(struct lowering *l);

#endif
