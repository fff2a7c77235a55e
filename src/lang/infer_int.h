/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * For infer*.c only: the walk that gives every node of the typed programs its type.
 */
#ifndef KTAP_INFER_INT_H
#define KTAP_INFER_INT_H

#include "lang/types_int.h"

struct infer {
	struct arena *arena;
	struct diags *diags;
	struct typed *typed;
	struct typed_program *program;
	const struct event *layout;  /* any event of the program's group; NULL: named at run time */
	struct inlined *inlined;     /* function whose copy is being walked; NULL: the handler itself */
	unsigned depth;
	uint32_t n_inlined;
	/* All until inference is done. */
	struct typeinfo *kernel;     /* the kernel's types, NULL: not needed so far */
	struct modules modules;      /* theirs, where a structure was none of the kernel's */
	const struct typeinfo *types; /* the kernel's, or those of the one module that structures were taken from, which continue them */
	bool no_types;               /* they were asked for; if there are none this was reported */
	bool in_filter;              /* or in a function that the filter calls */
	bool changed;                /* something was learnt: the walk is repeated */
	bool settled;                /* nothing more will be: what is strange about the types can be said */
};

/* What a script does with an element of a table. */
enum access { ACCESS_READ, ACCESS_SET, ACCESS_ADD, ACCESS_SAMPLE, ACCESS_INNER /* of a table in it */ };

/* ---- infer_merge.c ---- */

/* A new type, in the arena. */
struct type *
infer_type(struct infer *infer, enum type_kind kind, struct span span);

/* "int because of this": says where a type was decided, unless that is `here`. */
void
infer_note_origin(struct infer *infer, struct diag *diag, const struct type *type, struct span here);

/* Says that two types that `what` should share differ: `right` at `span`, `left` elsewhere. */
struct diag *
infer_report_conflict(struct infer *infer, const struct type *left, const struct type *right, struct span span, const char *what);

/* Makes both one type; reports a conflict at `span`, where `what` meets the other type, and returns false. */
bool
infer_unify(struct infer *infer, struct type *a, struct type *b, struct span span, const char *what);

/* The same for the type of a table's elements and that of one more. */
bool
infer_unify_element(struct infer *infer, struct type *element, struct type *type, struct span span);

/* Infers expression `node`, which must have this kind; reports it, naming `what`, when it has another. */
void
infer_require(struct infer *infer, struct node *node, enum type_kind kind, const char *what);

/* Gives the node its type, or merges it with the one that it has from the last walk. Returns the node's type. */
struct type *
infer_settle(struct infer *infer, struct node *node, struct type *type, bool nullable);

/* The type of a variable, made when it has none yet. */
struct type *
infer_variable(struct infer *infer, struct variable *var);

/* Notes that a variable may hold nil. */
void
infer_nullable(struct infer *infer, struct variable *var);

/* True for a string literal that meets an event: it is the event of that name. */
bool
infer_is_event(struct node *node, struct type *other);

/* Infers `node` where it meets a value of type `other`. */
struct type *
infer_against(struct infer *infer, struct node *node, struct type *other);

/* ---- infer_exp.c, infer_stat.c: each walks a node and what is below it ---- */

struct type *
infer_exp(struct infer *infer, struct node *node);

/* An expression of which only the truth counts: the sides of && and || need not agree. */
void
infer_condition(struct infer *infer, struct node *node);

void
infer_stat(struct infer *infer, struct node *node);

/* Statements or expressions, chained by `next`. */
void
infer_list(struct infer *infer, struct node *list);

/* ---- infer_field.c: ARG, INDEX of ARGS, NAME of a builtin; each settles the node and returns its type ---- */

struct type *
infer_arg(struct infer *infer, struct node *node);

struct type *
infer_args_name(struct infer *infer, struct node *node);

struct type *
infer_retval(struct infer *infer, struct node *node);

struct type *
infer_func(struct infer *infer, struct node *node);

struct type *
infer_argstr(struct infer *infer, struct node *node);

/* ---- infer_builtin.c ---- */

/* A new type of the builtin's result; TYPE_UNKNOWN: it has none, or it depends. */
struct type *
infer_builtin_type(struct infer *infer, const struct builtin *builtin, struct span span);

struct type *
infer_builtin_value(struct infer *infer, struct node *node);

struct type *
infer_builtin_call(struct infer *infer, struct node *node, const struct builtin *builtin);

/* ---- infer_call.c, infer_table.c ---- */

struct type *
infer_call(struct infer *infer, struct node *node);

/* INDEX of a table or of ARGS; `access` is noted in the table's type. */
struct type *
infer_index(struct infer *infer, struct node *node, enum access access);

/* The table that `what` reads whole in a probe; NULL: it is none, which is reported. */
struct type *
infer_table(struct infer *infer, struct node *node, const char *what);

/* The table that a probe walks: infer_table. */
struct type *
infer_walked(struct infer *infer, struct node *node);

/* Reports a table where a value is wanted. */
void
infer_check_no_table(struct infer *infer, const struct node *node);

/* ---- infer_kernel.c ---- */

/* CALL of cast and curtask. */
struct type *
infer_cast(struct infer *infer, struct node *node);

struct type *
infer_curtask(struct infer *infer, struct node *node);

/* CALL of in_iowait, of net.ip_sock_saddr and the like; curr_taskinfo. */
struct type *
infer_in_iowait(struct infer *infer, struct node *node);

struct type *
infer_sock_addr(struct infer *infer, struct node *node, const char *name);

struct type *
infer_taskinfo(struct infer *infer, struct node *node);

/* What a member is asked of: args.sk of a typed event is from here on cast("struct sock *", args.sk). */
void
infer_follow(struct infer *infer, struct node *node);

/* NAME of ppid, of cgroup. */
struct type *
infer_ppid(struct infer *infer, struct node *node);

struct type *
infer_cgroup(struct infer *infer, struct node *node);

/* INDEX of a value of kind TYPE_KERNEL. */
struct type *
infer_member(struct infer *infer, struct node *node);

/* ---- infer_sample.c ---- */

/* target <<< value */
void
infer_sample(struct infer *infer, struct node *node);

/* Reports an expression of a probe that is a statistic. */
void
infer_check_no_stat(struct infer *infer, const struct node *node);

/* Decides what each statistic keeps, once all types are known. */
void
infer_statistics(struct infer *infer);

/* ---- infer_hint.c ---- */

/* Merges what the control half says by literals into the types of shared variables. */
void
infer_hints(struct infer *infer);

#endif
