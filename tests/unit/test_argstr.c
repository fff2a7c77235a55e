/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Records as text: system calls, their strings, errors, and what becomes of records that are cut or false. Also the table
 * of system calls itself. Needs neither tracefs nor privilege.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ebpf/ebpf.h"
#include "event/event.h"

struct record {
	unsigned char bytes[512];
	size_t len;
};

/* Formats with the bytes in a block of their exact size, so that AddressSanitizer sees a read past them. */
static char *
format(const char *system, const char *name, const void *bytes, size_t len)
{
	struct arena *arena = arena_new();
	struct events *events = events_new(arena, EVENTS_USER);
	struct event *event = events_find(events, system, name);
	struct text out = { 0 };
	void *copy = malloc(len ? len : 1);

	assert_non_null(event);
	assert_non_null(copy);
	memcpy(copy, bytes, len);
	event_format(events, event, copy, len, &out);
	free(copy);
	arena_free(arena);
	return out.s;
}

static void
put_string(struct record *record, enum record_string status, const char *s)
{
	record->bytes[record->len++] = (unsigned char)status;
	memcpy(record->bytes + record->len, s, strlen(s) + 1);
	record->len += strlen(s) + 1;
}

static const struct enter_case {
	const char *name;
	uint64_t args[6];
	struct { enum record_string status; const char *s; } strings[2];
	const char *text;
} enter_cases[] = {
	{ "sys_enter_openat", { (uint32_t)-100, 0x1000, 0x80000, 0 }, { { RECORD_STRING_READ, "/etc/passwd" } },
	  "sys_openat(dfd: -100, filename: \"/etc/passwd\", flags: 0x80000, mode: 0)" },
	{ "sys_enter_openat", { (uint64_t)-100, 0xdead, 0x41, 0644 }, { { RECORD_STRING_FAULT, "" } },
	  "sys_openat(dfd: -100, filename: 0xdead, flags: 0x41, mode: 0644)" },
	{ "sys_enter_open", { 0x1000, 0, 0 }, { { RECORD_STRING_CUT, "/very/lo" } },
	  "sys_open(filename: \"/very/lo\"..., flags: 0x0, mode: 0)" },
	{ "sys_enter_open", { 0, 0, 0 }, { { RECORD_STRING_FAULT, "" } }, "sys_open(filename: 0x0, flags: 0x0, mode: 0)" },
	{ "sys_enter_rename", { 1, 2 }, { { RECORD_STRING_READ, "a\"b\\c" }, { RECORD_STRING_READ, "\t\n\r\033[1m\303\244" } },
	  "sys_rename(oldname: \"a\\\"b\\\\c\", newname: \"\\t\\n\\r\\033[1m\\303\\244\")" },
	{ "sys_enter_rename", { 1, 2 }, { { RECORD_STRING_FAULT, "" }, { RECORD_STRING_READ, "" } },
	  "sys_rename(oldname: 0x1, newname: \"\")" },
	{ "sys_enter_read", { 3, 0x7ffc00001000, 832 }, { { 0 } }, "sys_read(fd: 3, buf: 0x7ffc00001000, count: 832)" },
	{ "sys_enter_close", { 0xffffffff }, { { 0 } }, "sys_close(fd: -1)" },
	{ "sys_enter_mmap", { 0, 8192, 3, 0x22, (uint64_t)-1, 0 }, { { 0 } },
	  "sys_mmap(addr: 0x0, len: 8192, prot: 0x3, flags: 0x22, fd: -1, off: 0x0)" },
	{ "sys_enter_chown", { 1, 0xffffffff, 100 }, { { RECORD_STRING_READ, "f" } },
	  "sys_chown(filename: \"f\", user: -1, group: 100)" },
	{ "sys_enter_umask", { 022 }, { { 0 } }, "sys_umask(mask: 022)" },
	{ "sys_enter_lseek", { 3, (uint64_t)-5, 2 }, { { 0 } }, "sys_lseek(fd: 3, offset: -5, whence: 2)" },
	{ "sys_enter_getpid", { 0 }, { { 0 } }, "sys_getpid()" },
	{ "sys_enter_exit_group", { 0xffffffffffffffff }, { { 0 } }, "sys_exit_group(error_code: -1)" },
	{ "sys_enter_stat", { 5, 0 }, { { RECORD_STRING_READ, "x" } }, "sys_newstat(filename: \"x\", statbuf: 0x0)" },
	{ "sys_enter_sethostname", { 5, 4 }, { { 0 } }, "sys_sethostname(name: 0x5, len: 4)" },
};

static void
enter_record(const struct enter_case *c, struct record *record)
{
	size_t i;

	*record = (struct record){ .len = RECORD_SYSCALL_LEN };
	memcpy(record->bytes + 16, c->args, sizeof(c->args));
	for (i = 0; i < ARRAY_SIZE(c->strings) && c->strings[i].s; i++)
		put_string(record, c->strings[i].status, c->strings[i].s);
}

static void
test_enter(void **state)
{
	struct record record;
	char *text;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(enter_cases); i++) {
		enter_record(&enter_cases[i], &record);
		text = format("syscalls", enter_cases[i].name, record.bytes, record.len);
		assert_string_equal(text, enter_cases[i].text);
		free(text);
	}
}

/* Every prefix of every record, and the same with each byte wrong, gives some text and no fault. */
static void
test_cut_and_false(void **state)
{
	struct record record;
	size_t i, len;

	for (i = 0; i < ARRAY_SIZE(enter_cases); i++) {
		enter_record(&enter_cases[i], &record);
		for (len = 0; len <= record.len; len++)
			free(format("syscalls", enter_cases[i].name, record.bytes, len));
		for (len = 0; len < record.len; len++) {
			record.bytes[len] ^= 0xff;
			free(format("syscalls", enter_cases[i].name, record.bytes, record.len));
		}
	}
}

static void
test_cut_text(void **state)
{
	static const struct { size_t len; const char *text; } cases[] = {
		{ 0, "sys_openat(...)" },
		{ 24, "sys_openat(dfd: -100, ...)" },
		{ 64, "sys_openat(dfd: -100, filename: 0x1000, flags: 0x80000, mode: 0)" },
		{ 65, "sys_openat(dfd: -100, filename: 0x1000, flags: 0x80000, mode: 0)" },
		{ 69, "sys_openat(dfd: -100, filename: \"/etc\"..., flags: 0x80000, mode: 0)" },
	};
	struct record record;
	char *text;
	size_t i;

	enter_record(&enter_cases[0], &record);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		text = format("syscalls", "sys_enter_openat", record.bytes, cases[i].len);
		assert_string_equal(text, cases[i].text);
		free(text);
	}
}

static void
test_exit(void **state)
{
	static const struct { const char *name; int64_t ret; const char *text; } cases[] = {
		{ "sys_exit_openat", 3, "sys_openat -> 3" },
		{ "sys_exit_openat", -2, "sys_openat -> -2 (ENOENT)" },
		{ "sys_exit_read", -512, "sys_read -> -512 (ERESTARTSYS)" },
		{ "sys_exit_read", -4000, "sys_read -> -4000" },
		{ "sys_exit_mmap", 0x7f0000001000, "sys_mmap -> 0x7f0000001000" },
		{ "sys_exit_mmap", -12, "sys_mmap -> -12 (ENOMEM)" },
		{ "sys_exit_brk", 0x5000, "sys_brk -> 0x5000" },
		{ "sys_exit_lseek", -5000, "sys_lseek -> -5000" },
	};
	unsigned char bytes[24] = { 0 };
	char *text;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		memcpy(bytes + 16, &cases[i].ret, 8);
		text = format("syscalls", cases[i].name, bytes, sizeof(bytes));
		assert_string_equal(text, cases[i].text);
		free(text);
	}
	text = format("syscalls", "sys_exit_read", bytes, 20);
	assert_string_equal(text, "sys_read -> ...");
	free(text);
}

static void
test_process_event(void **state)
{
	unsigned char bytes[26] = { 0 };
	uint32_t loc = 6u << 16 | 20;
	int pid = 7, old = 9;
	char *text;

	memcpy(bytes + 8, &loc, 4);
	memcpy(bytes + 12, &pid, 4);
	memcpy(bytes + 16, &old, 4);
	memcpy(bytes + 20, "/bin/x", 6);
	text = format("sched", "sched_process_exec", bytes, sizeof(bytes));
	assert_string_equal(text, "sched_process_exec: filename=/bin/x pid=7 old_pid=9");
	free(text);
	loc = 0xffffffff;
	memcpy(bytes + 8, &loc, 4);
	text = format("sched", "sched_process_exec", bytes, sizeof(bytes));
	assert_string_equal(text, "sched_process_exec: filename=... pid=7 old_pid=9");
	free(text);
	text = format("sched", "sched_process_exec", bytes, 14);
	assert_string_equal(text, "sched_process_exec: filename=... pid=... old_pid=... ...");
	free(text);
}

static void
put_nested(struct text *format)
{
	enum { DEPTH = 100000 };

	text_puts(format, "\"%d\", ");
	for (int n = 0; n < DEPTH; n++)
		text_putc(format, '(');
	text_puts(format, "REC->x");
	for (int n = 0; n < DEPTH; n++)
		text_putc(format, ')');
}

/* A recording's format comes from anywhere: what would make libtraceevent read beyond the record, or recurse without end, is not given to it. */
static void
test_recorded_format(void **state)
{
	static const struct { const char *field, *print, *text; } cases[] = {
		{ "", "\"x=%d hex=%s\", REC->x, __print_hex(REC->bytes, 4)", "made: x=7 hex=01 02 03 04" },
		{ "", "\"hex=%s\", __print_hex(REC->bytes, REC->n)", "made: hex=01 02" },
		{ "", "\"hex=%s\", __print_hex(REC->bytes, 700000000)", "made: x=7 n=2 bytes=..." },
		{ "", "\"hex=%s\", __print_hex(REC->bytes, REC->x)", "made: x=7 n=2 bytes=..." },
		{ "", "\"a=%s\", __print_array(REC->bytes, REC->x, 1)", "made: x=7 n=2 bytes=..." },
		{ "", "\"a=%d\", 1 + REC->x", "made: a=8" },
		{ "", NULL, "made: x=7 n=2 bytes=..." }, /* nested without end */
		{ "\tfield:int far;\toffset:70000000;\tsize:4;\tsigned:1;\n", "\"far=%d\", REC->far", "made: x=7 n=2 bytes=..." },
	};
	static const unsigned char record[24] = { [8] = 7, [12] = 2, [14] = 1, 2, 3, 4 };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct arena *arena = arena_new();
		struct events *events = events_new(arena, EVENTS_RECORDED);
		struct text format = { 0 }, out = { 0 };
		const struct event *event;

		text_printf(&format, "name: made\nID: 500\nformat:\n"
			    "\tfield:unsigned short common_type;\toffset:0;\tsize:2;\tsigned:0;\n\n"
			    "\tfield:int x;\toffset:8;\tsize:4;\tsigned:1;\n"
			    "\tfield:unsigned short n;\toffset:12;\tsize:2;\tsigned:0;\n"
			    "\tfield:unsigned char bytes[4];\toffset:14;\tsize:4;\tsigned:0;\n%s\nprint fmt: ", cases[i].field);
		if (cases[i].print)
			text_puts(&format, cases[i].print);
		else
			put_nested(&format);
		text_putc(&format, '\n');
		event = events_add_format(events, "sys", format.s, format.len);
		assert_non_null(event);
		event_format(events, event, record, sizeof(record), &out);
		assert_string_equal(out.s, cases[i].text);
		text_fini(&format);
		text_fini(&out);
		arena_free(arena);
	}
}

static void
test_syscalls(void **state)
{
	static const struct { const char *name; unsigned n; bool is_string; } strings[] = {
		{ "openat", 1, true },     { "openat", 0, false },      { "read", 1, false },        { "write", 1, false },
		{ "execve", 0, true },     { "execve", 1, false },      { "mount", 2, true },        { "mount", 3, false },
		{ "readlink", 0, true },   { "readlink", 1, false },    { "sethostname", 0, false }, { "umount2", 0, true },
		{ "add_key", 1, true },    { "mq_timedsend", 1, false }, { "getcwd", 0, false },     { "openat", 6, false },
		{ "setxattr", 1, true },   { "setxattr", 2, false },    { "listxattr", 1, false },   { "memfd_create", 0, true },
	};
	const struct syscall *syscall;
	int32_t number;
	size_t i;
	int n = 0;

	for (number = -1; number <= SYSCALLS_MAX; number++) {
		syscall = syscall_by_number(number);
		if (!syscall)
			continue;
		n++;
		assert_int_equal(syscall->number, number);
		assert_ptr_equal(syscall_by_name(syscall->name), syscall);
		assert_true(syscall->n_args <= 6);
	}
	assert_true(n > 350);
	assert_ptr_equal(syscall_by_name("fstat"), syscall_by_number(5));
	assert_null(syscall_by_name("no_such_call"));
	for (i = 0; i < ARRAY_SIZE(strings); i++)
		assert_int_equal(syscall_arg_is_string(syscall_by_name(strings[i].name), strings[i].n), strings[i].is_string);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_enter),
		cmocka_unit_test(test_cut_and_false),
		cmocka_unit_test(test_cut_text),
		cmocka_unit_test(test_exit),
		cmocka_unit_test(test_process_event),
		cmocka_unit_test(test_recorded_format),
		cmocka_unit_test(test_syscalls),
	};

	return cmocka_run_group_tests_name("argstr", tests, NULL, NULL);
}
