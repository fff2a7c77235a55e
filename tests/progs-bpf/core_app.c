/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Relocations of every kind, against the types of core_target.c: compiled for eBPF by tests/unit/test_core.c, which compares what
 * our core_apply makes of it with what libbpf makes of it. Only the instructions matter; nothing here is run.
 */
#include "core_prelude.h"

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

enum mode { MODE_OFF = 1, MODE_ON = 2, MODE_GONE = 3 };
enum wide { WIDE_HIGH = 1, WIDE_LOW = 2 };
enum gone { GONE_A = 1 };

struct inner {
	int x, y;
};

typedef struct {
	int first, second;
} plain_t;

struct thing {
	int pid;
	char comm[8];
	struct inner list[3];
	struct {
		long deep;
		union {
			int left;
			int right;
		};
	};
	struct inner *link;
	unsigned count;
	int negative;
	unsigned low : 3, high : 20;
	int small : 5;
	enum mode mode;
	plain_t plain;
	unsigned char byte;
	int tail[];
};

struct lost {
	int a;
};

/* Three descriptions of one type: the name ends before "___". */
struct other___old {
	int old_name;
};

struct other___new {
	int new_name;
};

struct resized {
	unsigned int grows;
	unsigned long shrinks;
	int is_signed;
	void *pointer;
};

struct changed {
	int became_pointer;
	int became_array;
	struct inner became_number;
};

typedef int (*callback_t)(struct thing *, int);
struct matching { int a; struct inner *in; };
struct mismatching { int a; long b; };
struct same_name { int a; };

#pragma clang attribute pop

PROGRAM(offsets)
{
	struct thing *t = (void *)ctx[0];

	keep(&t->pid);
	keep(&t->comm[3]);
	keep(&t->list[2].y);
	keep(&t->deep);
	keep(&t->right);
	keep(&t->link);
	keep(&t->tail[4]);
	keep(&t[2].count);
	keep(&t->plain.second);
	return 0;
}

PROGRAM(loads)
{
	struct thing *t = (void *)ctx[0];
	struct resized *r = (void *)ctx[1];

	keep((void *)(long)t->pid);
	keep((void *)(long)t->count);
	keep((void *)(long)t->list[1].x);
	keep((void *)(long)t->byte);
	keep((void *)(long)r->grows);
	keep((void *)r->shrinks);
	keep(r->pointer);
	t->count = 7;
	return 0;
}

/* A number with a sign in another size cannot be loaded; one that does not exist neither. */
PROGRAM(unresolved)
{
	struct resized *r = (void *)ctx[1];
	struct changed *c = (void *)ctx[0];
	struct other___old *o = (void *)ctx[0];

	keep((void *)(long)r->is_signed);
	keep((void *)(long)c->became_pointer);
	keep(&c->became_array);
	keep(&c->became_number);
	keep(&o->old_name);
	keep((void *)(long)((struct lost *)ctx[0])->a);
	return 0;
}

PROGRAM(exists)
{
	return FIELD((struct thing *)0, pid, EXISTS) + FIELD((struct other___old *)0, old_name, EXISTS) * 2 +
	       FIELD((struct other___new *)0, new_name, EXISTS) * 4 + FIELD((struct lost *)0, a, EXISTS) * 8 +
	       FIELD((struct changed *)0, became_pointer, EXISTS) * 16 + FIELD((plain_t *)0, second, EXISTS) * 32;
}

PROGRAM(bit_fields)
{
	struct thing *t = (void *)ctx[0];

	return FIELD(t, low, OFFSET) + FIELD(t, low, SIZE) + FIELD(t, low, LSHIFT) + FIELD(t, low, RSHIFT) + FIELD(t, low, SIGNED) +
	       FIELD(t, high, OFFSET) + FIELD(t, high, SIZE) + FIELD(t, high, LSHIFT) + FIELD(t, high, RSHIFT) +
	       FIELD(t, small, OFFSET) + FIELD(t, small, SIZE) + FIELD(t, small, LSHIFT) + FIELD(t, small, RSHIFT) +
	       FIELD(t, small, SIGNED);
}

PROGRAM(whole_fields)
{
	struct thing *t = (void *)ctx[0];

	return FIELD(t, comm, SIZE) + FIELD(t, list, SIZE) + FIELD(t, negative, SIGNED) + FIELD(t, count, SIGNED) +
	       FIELD(t, mode, SIGNED) + FIELD(t, byte, LSHIFT) + FIELD(t, byte, RSHIFT) + FIELD(t, pid, LSHIFT) +
	       FIELD(t, link, SIZE) + FIELD(t, list[1].y, OFFSET);
}

PROGRAM(types)
{
	return TYPE(struct thing, EXISTS) + TYPE(struct lost, EXISTS) * 2 + TYPE(struct thing, SIZE) + TYPE(plain_t, EXISTS) * 4 +
	       TYPE(callback_t, EXISTS) * 8 + TYPE(enum mode, EXISTS) * 16 + TYPE(enum gone, EXISTS) * 32 + TYPE(struct resized, SIZE) +
	       TYPE_ID(struct thing, 0) + TYPE_ID(struct thing, 1) + TYPE_ID(enum mode, 1);
}

/* clang 14 cannot ask whether types match: the test makes it of these questions. */
PROGRAM(matches)
{
	return TYPE(struct matching, EXISTS) + TYPE(struct mismatching, EXISTS) * 2 + TYPE(struct inner, EXISTS) * 4 +
	       TYPE(enum mode, EXISTS) * 8 + TYPE(struct same_name, EXISTS) * 16 + TYPE(callback_t, EXISTS) * 32;
}

PROGRAM(enumerators)
{
	return ENUMERATOR(enum mode, MODE_ON, VALUE) + ENUMERATOR(enum mode, MODE_ON, EXISTS) * 2 +
	       ENUMERATOR(enum mode, MODE_GONE, EXISTS) * 4 + ENUMERATOR(enum wide, WIDE_HIGH, VALUE) +
	       ENUMERATOR(enum gone, GONE_A, EXISTS);
}

PROGRAM(lost_numbers)
{
	return TYPE(struct lost, SIZE) + ENUMERATOR(enum mode, MODE_GONE, VALUE) + FIELD((struct lost *)0, a, SIZE) +
	       TYPE_ID(struct lost, 1);
}
