/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * lang: from the text of a script to a typed program.
 *
 *     text --lex--> tokens --parse--> tree --names--> tree with variables --halves--> --types--> typed programs
 *
 * Everything lives in the arena of the compilation. Errors go to `diags`; a pass that reports an error still leaves a
 * tree that the next one can walk, so that one run shows several errors.
 */
#ifndef KTAP_LANG_H
#define KTAP_LANG_H

#include "base/base.h"
#include "ebpf/ebpf.h"
#include "event/event.h"

/* ---- token.c, lex.c ---------------------------------------------------------------------------------- */

/* tokens.def: KEYWORD(id, "text"), SYMBOL(id, "text"), TOKEN(id, "description") */
enum token_kind {
#define KEYWORD(id, text) TOKEN_##id,
#define SYMBOL(id, text) TOKEN_##id,
#define TOKEN(id, text) TOKEN_##id,
#include "lang/tokens.def"
#undef KEYWORD
#undef SYMBOL
#undef TOKEN
	N_TOKENS
};

/* Does a binary operator compare its sides (~: a text with a pattern), so that true or false comes out? && and || give one of their sides. */
bool
token_gives_truth(enum token_kind op);

struct token {
	enum token_kind kind;
	struct span span;
	int64_t number;       /* TOKEN_NUMBER */
	const char *s;        /* NAME, STRING (unescaped), RAW (event text after trace, tick-, profile-); NUL-terminated */
	uint32_t len;
};

/* ---- the tree --------------------------------------------------------------------------------------------- */

/*
 * One struct serves all nodes: up to four children a, b, c, d, and `next` where nodes form lists. nodes.def says for each
 * kind what they are; it is the documentation of the tree and what `-d ast` prints by.
 */
enum node_kind {
#define NODE(id, name, children) NODE_##id,
#include "lang/nodes.def"
#undef NODE
	N_NODES
};

struct node {
	enum node_kind kind;
	struct span span;
	struct node *next;
	struct node *a, *b, *c, *d;
	enum token_kind op;             /* BINARY, UNARY, OP_ASSIGN: the operator's token (TOKEN_PLUS, ...) */
	int64_t number;                 /* INT; ARG: n of argN */
	const char *s;                  /* STR, METHOD's name, NAME as written; NUL-terminated */
	uint32_t len;
	uint16_t height;                /* levels of expressions below, for the parser's limit */
	struct variable *var;           /* NAME, VAR_NAME: set by names.c; NULL: builtin, or unknown (already reported) */
	const struct builtin *builtin;  /* NAME, and INDEX of a library by name (kdebug.kprobe), when it names a builtin */
	struct function *function;      /* FUNCTION, TRACE, PROFILE, TICK, SIGNAL, TRACE_END */
	struct type *type;              /* probe half: set by infer.c */
	bool nullable;                  /* probe half: the value may be nil at run time; set by infer.c */
	const struct field *field;      /* event field that an ARG or args.NAME reads: set by types.c; NULL: absent, nil */
	struct member *member;          /* INDEX of a kernel structure: what is read; set by infer_kernel.c */
	struct inlined *inlined;        /* CALL of a function of the script in the probe half: set by types.c */
	bool tail_call;                 /* RETURN of a call of the function itself: in the probe half another round of it; set by halves.c */
	bool word;                      /* field of a filter, right of == or !=: a string if there is no such field; set by names.c */
	bool called_back;               /* loop of the probe half: becomes a function of its own; codegen's */
};

struct variable {
	const char *name;
	struct span span;               /* its declaration */
	struct function *function;      /* that declares it */
	struct function *constant;      /* `function f` or `var f = function ...` that is never assigned: that function */
	bool is_param;
	bool is_assigned;               /* after its declaration */
	bool is_set;                    /* there or by a plain assignment: it is not nil for ever */
	bool assigned_by_call;          /* in a plain function: a call in the middle of an expression may change it */
	bool in_loop;                   /* declared inside a loop or a function that is not main: several instances exist */
	bool used_in_probe, used_in_control; /* by halves.c; `constant` functions do not count */
	struct type *type;              /* by infer.c, for shared variables and those of the probe half */
	bool nullable;                  /* may hold nil; by infer.c */
	struct variable *table;         /* parameter of an inlined call that stands for a table of the script: that table's variable */
	uint32_t index;                 /* shared: index of the global or table in the object; codegen's */
	void *lowered;                  /* codegen's */
	const struct node *home;        /* loop that becomes a function, in which it is declared; NULL: the handler; codegen's */
	bool captured;                  /* used by a function other than its home; codegen's */
};

/* Used by both halves: lives in the globals table, or is a table of the object. */
static inline bool
variable_is_shared(const struct variable *var)
{
	return var->used_in_probe && !var->constant && var->function != NULL && var->type != NULL;
}

enum function_kind { FUNCTION_MAIN, FUNCTION_PLAIN, FUNCTION_TRACE, FUNCTION_PROFILE, FUNCTION_TICK, FUNCTION_SIGNAL, FUNCTION_END };

struct function {
	enum function_kind kind;
	uint32_t index;                 /* place in tree.functions */
	const char *name;               /* for messages; "main chunk", "function at line 3" */
	struct span span;
	struct function *parent;        /* encloses it; NULL for main */
	struct variable **params;
	uint32_t n_params;
	bool is_vararg;
	struct node *body;              /* BLOCK */
	bool in_probe, in_control;      /* by halves.c: which half needs it */
	bool tail_calls_itself;         /* by halves.c, for the probe half */
	/* TRACE, and functions given to kdebug.tracepoint and the like. */
	struct node *patterns;          /* list of STR nodes: "syscalls:sys_enter_*" */
	struct node *filter;            /* expression or NULL */
	struct event_use *use;          /* handlers of the probe half: what they read of their events; set by infer.c */
	/* PROFILE, TICK */
	uint64_t period_ns;
	/* SIGNAL */
	const char *signal;             /* by its name: "SIGUSR1" */
	uint32_t handler;               /* number of the handler, in order of the text; UINT32_MAX: not a handler of the probe half */
	/* Registered by name at run time: kdebug.kprobe(NAME, this), kdebug.tracepoint(NAME, this). */
	bool by_name;
	struct function *next;          /* in tree.functions, in order of the text */
};

struct tree {
	struct arena *arena;
	struct script *script;
	struct function *main;
	struct function *functions;     /* all, main first */
	uint32_t n_functions;
	uint32_t n_handlers;            /* of the probe half */
};

/* Parses a script. Never NULL; check diags->n_errors. */
struct tree *
parse(struct arena *arena, struct script *script, struct diags *diags);

/* Prints tokens (-d tokens) and tree (-d ast), one node a line, indented, without addresses. */
void
lex_print(struct arena *arena, struct script *script, FILE *out);

void
tree_print(const struct tree *tree, FILE *out);

/*
 * Appends the script of `tree` to `out`, laid out as the house does (fmt.c): same tokens, same comments. Needs a tree without errors.
 */
void
script_format(struct arena *arena, const struct tree *tree, struct text *out);

/* Copy of a tree below `node` (and its `next` list) in which each variable declared inside is a new one. */
struct node *
node_clone(struct arena *arena, const struct node *node);

/* ---- builtins: builtins.def ---------------------------------------------------------------------------------- */

enum builtin_id {
#define BUILTIN(id, prototype, halves, doc, example) BUILTIN_##id,
#include "lang/builtins.def"
#undef BUILTIN
	N_BUILTINS
};

enum { HALF_PROBE = 1, HALF_CONTROL = 2, HALF_BOTH = 3 };

struct builtin {
	enum builtin_id id;
	const char *name;        /* "print", "kdebug.kprobe" */
	const char *prototype;   /* in the language's own syntax: see the head of builtins.def */
	unsigned halves;
	const char *doc, *example;
	bool is_call;            /* a function; else a value such as pid */
	unsigned min_args, max_args; /* max UINT_MAX: any number */
};

/* By full name ("timer.tick" with the dot), or NULL. */
const struct builtin *
builtin_find(const char *name);

const struct builtin *
builtin_get(enum builtin_id id);

/* Type name that the prototype gives the result ("int", "string", ...), NULL: none; of parameter n likewise. */
const char *
builtin_result(const struct builtin *builtin);

/* ---- names.c, halves.c ------------------------------------------------------------------------------------------ */

/* Resolves names. Needs: a parsed tree. Leaves: var or builtin set on every NAME, functions linked to their parents. */
void
resolve_names(struct tree *tree, struct diags *diags);

/*
 * Decides what belongs to which half, by reachability from handlers and from main, tick and trace_end.
 * Needs: names. Leaves: in_probe, in_control, used_in_*, handler numbers; reports what a half cannot do (a function or a
 * table made inside a probe, tick registered in a probe, a builtin of the other half, recursion in the probe half).
 */
void
split_halves(struct tree *tree, struct diags *diags);

/* ---- types.c, layout.c, infer.c ------------------------------------------------------------------------------------------------------- */

enum type_kind { TYPE_UNKNOWN, TYPE_NIL, TYPE_INT, TYPE_BOOL, TYPE_STR, TYPE_EVENT, TYPE_STACK, TYPE_USTACK, TYPE_ARGSTR, TYPE_KSYM, TYPE_STAT, TYPE_KERNEL, TYPE_TABLE, N_TYPES };

#define STR_SIZE_MAX 256 /* bytes of a string in tables and records, with its NUL */
#define TABLE_ENTRIES_MAX (1u << 24) /* of a table that probes use */

struct type {
	enum type_kind kind;
	struct type *same;       /* union-find: unified with that one */
	uint32_t str_size;       /* STR: bytes with the NUL, multiple of 8, at most STR_SIZE_MAX */
	struct span span;        /* where the kind was decided, for messages */
	struct stat_layout stat; /* STAT: what the control half reads of it */
	bool stat_escapes;       /* STAT: it is handed on where the text does not show what is read of it */
	uint32_t kernel_type;    /* KERNEL: the id of what stands at the address, in the kernel's BTF */
	/* TABLE */
	struct type *key[8];
	uint32_t n_keys;         /* 0: not yet known */
	struct type *value;
	bool probe_reads;        /* a probe reads elements, or iterates */
	bool probe_sets;         /* a probe assigns elements (not only +=) */
	bool probe_adds;         /* a probe uses += on elements */
	uint32_t max_records;    /* table.new(_, n), up to TABLE_ENTRIES_MAX; 0: default */
};

enum member_kind { MEMBER_NUMBER, MEMBER_TEXT, MEMBER_PLACE };

/* What stands at an offset of a kernel structure: a number or pointer, an array of char, or something that is a place itself. */
struct member {
	enum member_kind kind;
	uint32_t off;          /* bytes from where `path` begins */
	uint32_t size;         /* bytes */
	uint32_t bit, bits;    /* of a bit field, read as `size` bytes: where it begins in them, how many; bits 0: no bit field */
	uint32_t element_size; /* p[i]: bytes of an element; 0: a member with a name */
	bool is_signed;
	/*
	 * By what other kernels find it (struct core_number): from the structure with a name that it is in, which may be around the one that
	 * `p` of p.x points to: then that is a member, too, and the path `continues` its. NULL: it is in nothing that has a name.
	 */
	const char *path, *element_path; /* element_path: of p[i], what has an element's size; NULL: it is the same everywhere, or see path */
	bool continues;
};

/* One handler, or its copy for the events of one layout. */
struct typed_program {
	struct function *function;  /* the handler */
	struct node *filter, *body; /* copies whose nodes carry types and fields */
	struct event **events;      /* those it serves */
	uint32_t n_events;
	bool any_event;             /* serves events named at run time: reads no fields */
	const char *signature;      /* of its events (event_signature); NULL: any_event */
	struct typed_program *next;
};

/* A call of a script's function, typed for this use: the function's body, copied. */
struct inlined {
	struct function *function;
	struct variable **params;
	uint32_t n_params;
	struct node *body;
	struct type *result;
	bool result_nullable;
	bool result_captured;   /* a loop that becomes a function returns from here; codegen's */
};

struct typed {
	struct tree *tree;
	struct events *events;
	struct typed_program *programs; /* by handler, then by layout */
	struct event **used_events;     /* all events of all programs, each once, in order */
	uint32_t n_used_events;
	uint32_t event_text_size;       /* bytes of a string that any of their names fits in, up to STR_SIZE_MAX */
	struct variable **shared;       /* variables in both halves or only in probes but outliving a call */
	uint32_t n_shared;
	const char *kernel_module;      /* one whose structures programs read; NULL: those of the kernel itself, or none */
};

/* The patterns of a handler as an array in `arena`; *n receives their number. */
struct event_pattern *
function_patterns(struct arena *arena, const struct function *function, uint32_t *n);

/* The type that stands for a unified set. */
struct type *
type_find(struct type *type);

const char *
type_name(const struct type *type);

/*
 * Matches patterns against events, groups each handler's events by the layout of the fields it reads, and infers all types.
 * Needs: halves. Leaves: struct typed; every node of a typed program has a type.
 */
struct typed *
infer_types(struct tree *tree, struct events *events, struct diags *diags);

void
typed_print(const struct typed *typed, FILE *out);

#endif
