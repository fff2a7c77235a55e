/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Relocations against types of a real kernel, as tracing programs use them. The structs here are as wrong as can be: only names and
 * kinds of the members count.
 */
#include "core_prelude.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct mm_struct { unsigned long total_vm; unsigned long start_stack; };
struct nsproxy { void *uts_ns; };
struct task_struct;
struct task_struct {
	char comm[16];
	int pid, tgid;
	struct task_struct *real_parent;
	struct mm_struct *mm;
	struct nsproxy *nsproxy;
	unsigned long long start_time;
	unsigned in_execve : 1;
	unsigned long long never_was;
};

struct sock_common { unsigned short skc_family, skc_num; unsigned skc_daddr; };
struct sock { struct sock_common __sk_common; int sk_rcvbuf; };
struct file { void *f_inode; long f_pos; };
struct trace_event_raw_sys_enter { long id; unsigned long args[6]; };
enum pid_type { PIDTYPE_PID = 5, PIDTYPE_TGID, PIDTYPE_PGID };
struct no_such_struct_in_linux { int a; };
typedef struct { int counter; } atomic_t;

#pragma clang attribute pop

PROGRAM(task)
{
	struct task_struct *t = (void *)ctx[0];

	keep(&t->comm);
	keep(&t->pid);
	keep(&t->tgid);
	keep(&t->real_parent);
	keep(&t->mm->total_vm);
	keep(&t->mm->start_stack);
	keep(&t->nsproxy->uts_ns);
	keep(&t->start_time);
	return FIELD(t, in_execve, OFFSET) + FIELD(t, in_execve, LSHIFT) + FIELD(t, in_execve, RSHIFT) + FIELD(t, never_was, EXISTS) +
	       TYPE(struct task_struct, SIZE) + FIELD(t, comm, SIZE);
}

PROGRAM(others)
{
	struct sock *s = (void *)ctx[0];

	keep(&s->__sk_common.skc_daddr);
	keep(&s->sk_rcvbuf);
	keep(&((struct file *)ctx[0])->f_inode);
	keep(&((struct trace_event_raw_sys_enter *)ctx[0])->args[3]);
	keep(&((atomic_t *)ctx[0])->counter);
	return ENUMERATOR(enum pid_type, PIDTYPE_PGID, VALUE) + TYPE(struct no_such_struct_in_linux, EXISTS) + TYPE(atomic_t, EXISTS) * 2;
}
