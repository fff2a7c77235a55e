/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * "The kernel" of core_app.c: the same types, laid out otherwise, some changed, some gone. Compiled for its BTF.
 */
enum mode { MODE_NEW = -5, MODE_OFF = 10, MODE_ON = 20, MODE_MORE = 30 };
enum wide { WIDE_HIGH = 0x7fffffff, WIDE_LOW = -2 };

struct inner {
	long before;
	int y, x;
};

typedef struct {
	char pad[100];
	int first, second;
} plain_t;

struct thing {
	long pad;
	struct {
		char name[3];
		struct {
			int pid;
		};
	};
	unsigned long low : 5, high : 23, rest : 30;
	char small : 7;
	char comm[16];
	unsigned char byte;
	struct inner list[5];
	union {
		struct {
			long pad2[3];
			int right, left;
		};
		long nothing;
	};
	long deep;
	enum mode mode;
	unsigned count;
	short negative;
	plain_t plain;
	const volatile struct inner *const link;
	int tail[];
};

struct other {
	long pad;
	int new_name;
};

struct resized {
	unsigned long grows;
	unsigned char shrinks;
	long is_signed;
	void *pointer;
};

struct changed {
	int *became_pointer;
	int became_array[2];
	int became_number;
};

typedef int (*callback_t)(struct thing *, int);
struct matching { long more; struct inner *in; int a; };
struct mismatching { int a; int b; };
typedef struct { int a; } same_name;

/* What is used is described. */
enum mode mode;
enum wide wide;
struct thing thing;
struct other other;
struct resized resized;
struct changed changed;
callback_t callback;
struct matching matching;
struct mismatching mismatching;
same_name unlike;
