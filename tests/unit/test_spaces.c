/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Address spaces (source/spaces.c): what an address of a process means after forks, execve and the end, as
 * those system calls are described in fork(2), execve(2), mmap(2). Each story is a list of steps in words.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "source/source.h"

/* One letter names a file: it is mapped for 0x1000 bytes at 0x1000 times the digit behind it, from its own offset 0x500. */
static void
map(struct spaces *spaces, uint32_t pid, char file, char page)
{
	const char path[] = { '[', file, ']', 0 };
	struct mapping_seen seen = { .start = 0x1000u * (uint64_t)(page - '0'), .len = 0x1000, .offset = 0x500, .path = path };

	spaces_map(spaces, pid, &seen);
}

/*
 * A step: "1+a3" process 1 maps a at page 3; "1>2" process 1 forks 2; "1!" execve; "1." ends; "1?3a" page 3 of process 1 is a;
 * "1?3-" it is nothing.
 */
static void
step(struct spaces *spaces, const char *s)
{
	uint32_t pid = (uint32_t)(s[0] - '0');
	struct place place;
	bool found;

	switch (s[1]) {
	case '+': map(spaces, pid, s[2], s[3]); break;
	case '>': spaces_fork(spaces, (uint32_t)(s[2] - '0'), pid); break;
	case '!': spaces_exec(spaces, pid); break;
	case '.': spaces_exit(spaces, pid); break;
	case '?':
		found = spaces_find(spaces, pid, 0x1000u * (uint64_t)(s[2] - '0') + 0x10, &place);
		assert_int_equal(found, s[3] != '-');
		if (found)
			assert_int_equal(place.file->path[1], s[3]);
		if (found)
			assert_int_equal(place.offset, 0x510);
		break;
	default: fail_msg("no such step: %s", s);
	}
}

static void
stories(void **state)
{
	static const char *const all[] = {
		"1+a3 1?3a 1?2- 1?4- 2?3-",
		"1+a3 1+b3 1?3b",                     /* mapped over */
		"1+a3 1! 1?3a 1+b3 1?3b",             /* a stack from before the execve is still found, */
		"1+a3 1! 1+b4 1?3a 1?4b",             /* but what is there now wins */
		"1+a3 1>2 2?3a 2+b4 1?4- 2?4b",       /* a child has what its parent had, */
		"1+a3 1>2 1+b4 2?4- 1?4b",            /* not what the parent maps later */
		"1+a3 1>2 1+b3 2?3a 1?3b",
		"1+a3 1>2 2! 2+b3 1?3a 2?3b 1. 2?3b 1?3a", /* the dead are remembered */
		"1+a3 1>2 1. 2>3 2. 3+c4 3?3a 3?4c",  /* over generations */
		"1+a3 1. 2>1 1?3-",                   /* a new process with an old number, of a parent that has nothing */
		"1. 1! 1>2 2.",                       /* nobody that we know */
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		struct spaces *spaces = spaces_new();

		for (const char *s = all[i]; *s; s += strcspn(s, " "), s += strspn(s, " "))
			step(spaces, s);
		spaces_free(spaces);
	}
}

/* Our own: the address of a function of this program is in this program's file. */
static void
own_maps(void **state)
{
	struct spaces *spaces = spaces_new();
	uint32_t pid = (uint32_t)getpid();
	struct place place;
	char path[4096] = "";

	assert_int_equal(spaces_read(spaces, pid), 0);
	assert_int_equal(spaces_read(spaces, pid), 0); /* once more changes nothing */
	assert_true(spaces_find(spaces, pid, (uintptr_t)own_maps, &place));
	assert_true(readlink("/proc/self/exe", path, sizeof(path) - 1) > 0);
	assert_string_equal(place.file->path, path);
	assert_true(place.file->fd >= 0);
	assert_false(spaces_find(spaces, pid, 0x10, &place));
	assert_true(spaces_read(spaces, 1u << 23) < 0); /* above the highest process id there can be */
	spaces_free(spaces);
}

/* More than are remembered: the oldest goes, the youngest stays. */
static void
many_ended(void **state)
{
	struct spaces *spaces = spaces_new();
	struct place place;
	uint32_t n = (1u << 16) + 10;

	for (uint32_t pid = 1; pid <= n; pid++) {
		map(spaces, pid, 'a', '3');
		spaces_exit(spaces, pid);
	}
	assert_false(spaces_find(spaces, 1, 0x3010, &place));
	assert_false(spaces_find(spaces, 10, 0x3010, &place));
	assert_true(spaces_find(spaces, 11, 0x3010, &place));
	assert_true(spaces_find(spaces, n, 0x3010, &place));
	spaces_free(spaces);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stories),
		cmocka_unit_test(own_maps),
		cmocka_unit_test(many_ended),
	};

	return cmocka_run_group_tests_name("spaces", tests, NULL, NULL);
}
