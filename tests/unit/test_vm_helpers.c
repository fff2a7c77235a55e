/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Helpers, called by programs: results and errors as <linux/bpf.h> has them; reads of wild addresses; a traced process made of two
 * pages, of which the second ends early.
 */
#include <ctype.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "vm_fixture.h"

#include "vm/vm_int.h"

#define ERR(e) ((uint64_t)-(int64_t)(e))

/* The process: readable from 0x10000 to 0x11ff0, where memory ends within what a page-wise reader would ask for. */
#define USER_BASE 0x10000u
#define USER_LEN 0x1ff0u

static char user_memory[USER_LEN];

/* A stack of three frames. */
static int64_t
unwind(void *arg, uint64_t *addrs, uint32_t max)
{
	uint32_t n = 0;

	for (; n < max && n < 3; n++)
		addrs[n] = 0x10 * (n + 1);
	return n;
}

static int64_t
read_user(void *arg, uint64_t addr, void *dst, size_t len)
{
	if (addr < USER_BASE || addr >= USER_BASE + USER_LEN)
		return -EFAULT;
	if (len > USER_BASE + USER_LEN - addr)
		len = USER_BASE + USER_LEN - addr;
	memcpy(dst, user_memory + (addr - USER_BASE), len);
	return (int64_t)len;
}

struct test_helper {
	const char *name;
	const char *source; /* r3 is the number, r4 scratch, all bytes 0xaa */
	uint64_t r3, r0;
	const char *callee; /* function 1; may be NULL */
};

#define LOAD8 "r0 = *(u64 *)(r6 + 0)\nexit"
#define READ(helper, size) "r6 = r4\nr1 = r4\nr2 = " size "\ncall " helper "\n"
#define STACK(flags, size) "r6 = r4\nr1 = r2\nr2 = r4\nr3 = " size "\nr4 = " flags "\ncall 67\n"
#define STACK_ID(flags) "r1 = r8\nr2 = table 6 ll\nr3 = " flags "\ncall 27\n"
#define RESULT "exit"
#define LOOP(n, flags) "*(u64 *)(r10 - 8) = 0\nr1 = " n "\nr2 = function 1 ll\nr3 = r10\nr3 += -8\nr4 = " flags "\ncall 181\n"
#define EACH(table) "*(u64 *)(r10 - 8) = 0\nr1 = table " table " ll\nr2 = function 1 ll\nr3 = r10\nr3 += -8\nr4 = 0\ncall 164\n"
#define PUT(key, value) \
	"*(u64 *)(r10 - 8) = " key "\n*(u64 *)(r10 - 24) = " value "\n*(u64 *)(r10 - 16) = 0\nr2 = r10\nr2 += -8\nr3 = r10\nr3 += -24\nr1 = table 0 ll\n" \
	"r4 = 0\ncall 2\n"
#define PUSH(table, value, flags) "*(u64 *)(r10 - 8) = " value "\nr2 = r10\nr2 += -8\nr1 = table " table " ll\nr3 = " flags "\ncall 87\n"
#define POP(table) "r2 = r10\nr2 += -8\nr1 = table " table " ll\ncall 88\n"
#define PEEK(table) "r2 = r10\nr2 += -8\nr1 = table " table " ll\ncall 89\n"
#define TOP "r0 = *(u64 *)(r10 - 8)\nexit"
#define LPM_KEY(prefix, address) "*(u32 *)(r10 - 8) = " prefix "\n*(u32 *)(r10 - 4) = " address "\nr2 = r10\nr2 += -8\nr1 = table 11 ll\n"
#define LPM_PUT(prefix, address, value) \
	"*(u64 *)(r10 - 16) = " value "\nr3 = r10\nr3 += -16\n" LPM_KEY(prefix, address) "r4 = 0\ncall 2\n"
#define LPM_GET(prefix, address) LPM_KEY(prefix, address) "call 1\nif r0 == 0 goto out\nr0 = *(u64 *)(r0 + 0)\nout: exit"
#define TOTAL "r0 = *(u64 *)(r10 - 8)\nexit"
#define KEY(value) "*(u64 *)(r10 - 8) = " value "\nr2 = r10\nr2 += -8\n"
#define UPDATE(flags) KEY("5") "*(u64 *)(r10 - 24) = 1\n*(u64 *)(r10 - 16) = 2\nr3 = r10\nr3 += -24\nr1 = table 0 ll\nr4 = " flags "\ncall 2\n"

static const struct test_helper tests_of_helpers[] = {
	{ "a helper that is not there, where nothing leads", "r0 = 7\nif r0 == 7 goto out\ncall 99999\nout: exit", 0, 7 },
	{ "lookup of nothing", KEY("5") "r1 = table 0 ll\ncall 1\nif r0 == 0 goto +1\nr0 = 1\nexit", 0, 0 },
	{ "update, lookup", UPDATE("0") KEY("5") "r1 = table 0 ll\ncall 1\nif r0 == 0 goto +1\nr0 = *(u64 *)(r0 + 8)\nexit", 0, 2 },
	{ "update of what is not there", UPDATE("2") RESULT, 0, ERR(ENOENT) },
	{ "update with noexist, twice", UPDATE("1") UPDATE("1") RESULT, 0, ERR(EEXIST) },
	{ "update with bad flags", UPDATE("9") RESULT, 0, ERR(EINVAL) },
	{ "delete", UPDATE("0") KEY("5") "r1 = table 0 ll\ncall 3\nr6 = r0\n" KEY("5") "r1 = table 0 ll\ncall 3\nr0 += r6\nexit", 0, ERR(ENOENT) },
	{ "delete from an array", "*(u32 *)(r10 - 4) = 1\nr2 = r10\nr2 += -4\nr1 = table 1 ll\ncall 3\nexit", 0, ERR(EINVAL) },
	{ "array index out of range", "*(u32 *)(r10 - 4) = 4\nr2 = r10\nr2 += -4\nr1 = table 1 ll\ncall 1\nif r0 == 0 goto +1\nr0 = 1\nexit", 0, 0 },
	{ "value of a deleted entry is written", UPDATE("0") KEY("5") "r1 = table 0 ll\ncall 1\nif r0 == 0 goto out\nr6 = r0\n"
	  KEY("5") "r1 = table 0 ll\ncall 3\n*(u64 *)(r6 + 0) = 1\nout: r0 = 0\nexit", 0, 0 },

	{ "read of a wild address", READ("113", "8") RESULT, 0xdead0000beef0000, ERR(EFAULT) },
	{ "a failing read leaves zeros", READ("113", "8") LOAD8, 8, 0 },
	{ "read of null", READ("113", "8") RESULT, 0, ERR(EFAULT) },
	{ "read at the end of the address space", READ("113", "16") RESULT, UINT64_MAX - 3, ERR(EFAULT) },
	{ "read of nothing", READ("113", "0") RESULT, 0, 0 },
	{ "read of the stack", "*(u64 *)(r10 - 8) = 99\nr3 = r10\nr3 += -8\n" READ("113", "8") LOAD8, 0, 99 },
	{ "read of a table's value", "r3 = table_value 7 + 0 ll\n" READ("113", "8") "r0 = *(u8 *)(r6 + 1)\nexit", 0, 'e' },
	{ "string of ours", "r3 = table_value 7 + 6 ll\n" READ("115", "32") RESULT, 0, 6 },
	{ "string of ours, cut", "r3 = table_value 7 + 6 ll\n" READ("115", "4") RESULT, 0, 4 },
	{ "a cut string has its NUL", "r3 = table_value 7 + 6 ll\n" READ("115", "4") "r0 = *(u32 *)(r6 + 0)\nexit", 0, 'w' | 'o' << 8 | 'r' << 16 },
	{ "what is behind the string stays", "r3 = table_value 7 + 12 ll\n" READ("115", "8") LOAD8, 0, 0xaaaaaaaa00787878 },
	{ "string at a wild address", READ("115", "8") RESULT, 1, ERR(EFAULT) },
	{ "zeros after it", READ("115", "8") LOAD8, 1, 0 },
	{ "string into nothing", READ("115", "0") RESULT, 1, 0 },

	{ "user memory", READ("112", "8") LOAD8, USER_BASE + 0x100, 0x7a7a7a7a7a7a7a7a },
	{ "user memory over the end", READ("112", "8") RESULT, USER_BASE + USER_LEN - 4, ERR(EFAULT) },
	{ "zeros after that", READ("112", "8") LOAD8, USER_BASE + USER_LEN - 4, 0 },
	{ "string over a page boundary", READ("114", "64") RESULT, USER_BASE + 0xffe, 5 },
	{ "string that ends before memory does", READ("114", "64") RESULT, USER_BASE + 0xff0, 3 },
	{ "string without end", READ("114", "64") RESULT, USER_BASE + 0x1f00, 64 },
	{ "old read: ours where it is known", "*(u64 *)(r10 - 8) = 98\nr3 = r10\nr3 += -8\n" READ("4", "8") LOAD8, 0, 98 },
	{ "old read: else the process's", READ("45", "64") RESULT, USER_BASE + 0xffe, 5 },

	{ "strncmp", "*(u32 *)(r4 + 0) = 0x6c726f77\n*(u32 *)(r4 + 4) = 0x64\nr1 = r4\nr2 = 16\nr3 = table_value 7 + 6 ll\ncall 182\nexit", 0, 0 },
	{ "strncmp, less", "*(u64 *)(r4 + 0) = 0x61\nr1 = r4\nr2 = 16\nr3 = table_value 7 + 6 ll\ncall 182\nr0 s>>= 63\nexit", 0, UINT64_MAX },
	{ "time", "call 5\nexit", 0, 123456 },
	{ "pid and tid", "call 14\nexit", 0, 10ull << 32 | 11 },
	{ "uid and gid", "call 15\nexit", 0, 100ull << 32 | 1000 },
	{ "cpu", "call 8\nexit", 0, 1 },
	{ "comm", "r6 = r4\nr1 = r4\nr2 = 16\ncall 16\n" LOAD8, 0, 0x646e616d6d6f63 },
	{ "comm, cut", "r6 = r4\nr1 = r4\nr2 = 4\ncall 16\n" LOAD8, 0, 0xaaaaaaaa006d6f63 },
	{ "stack id", "r1 = r2\nr2 = table 6 ll\nr3 = 0\ncall 27\nexit", 0, ERR(EOPNOTSUPP) },
	{ "stack", "r6 = r4\nr1 = r2\nr2 = r4\nr3 = 16\nr4 = 0\ncall 67\nexit", 0, ERR(EOPNOTSUPP) },
	{ "user stack", STACK("256", "16") RESULT, 0, 16 },
	{ "user stack, second frame", STACK("256", "16") "r0 = *(u64 *)(r6 + 8)\nexit", 0, 0x20 },
	{ "user stack, all of it", STACK("256", "64") RESULT, 0, 24 },
	{ "user stack, zeros behind it", STACK("256", "32") "r0 = *(u64 *)(r6 + 24)\nexit", 0, 0 },
	{ "user stack, first frame skipped", STACK("257", "16") LOAD8, 0, 0x20 },
	{ "user stack, all frames skipped", STACK("259", "16") RESULT, 0, ERR(EFAULT) },
	{ "user stack, half a frame", STACK("256", "12") RESULT, 0, ERR(EINVAL) },
	{ "equal stacks have one id", "r8 = r2\n" STACK_ID("256") "r7 = r0\n" STACK_ID("256") "r0 -= r7\nexit", 0, 0 },
	{ "different ones have two", "r8 = r2\n" STACK_ID("256") "r7 = r0\n" STACK_ID("257") "if r0 == r7 goto same\nr0 = 1\nexit\nsame: r0 = 0\nexit", 0, 1 },
	{ "stack id, all frames skipped", "r8 = r2\n" STACK_ID("259") RESULT, 0, ERR(EFAULT) },
	{ "stack id, unknown flag", "r8 = r2\n" STACK_ID("4352") RESULT, 0, ERR(EINVAL) },
	{ "cookie", "r1 = r2\ncall 174\nexit", 0, 0xc00c1e },
	{ "output too large", "r1 = table 3 ll\nr2 = r4\nr3 = 256\nr4 = 9\ncall 130\nexit", 0, ERR(EINVAL) },
	{ "output until it is full", "r6 = r4\nr7 = 0\nagain: r1 = table 3 ll\nr2 = r6\nr3 = 256\nr4 = 0\ncall 130\nr7 += 1\nif r7 < 16 goto again\nexit", 0, ERR(EAGAIN) },
	{ "query", "r1 = table 3 ll\nr2 = r4\nr3 = 8\nr4 = 0\ncall 130\nr1 = table 3 ll\nr2 = 0\ncall 134\nexit", 0, 16 },
	/* 0 + 1 + ... + 99 = 4950 */
	{ "loop: sum of the indices", LOOP("100", "0") TOTAL, 0, 4950, "lock *(u64 *)(r2 + 0) += r1\nr0 = 0\nexit" },
	{ "loop: how often it called back", LOOP("100", "0") "exit", 0, 100, "r0 = 0\nexit" },
	{ "loop that is stopped in its eighth round", LOOP("100", "0") "exit", 0, 8, "r0 = 0\nif r1 != 7 goto out\nr0 = 1\nout: exit" },
	{ "loop of no rounds", LOOP("0", "0") "exit", 0, 0, "r0 = 0\nexit" },
	{ "loop with flags", LOOP("1", "1") "exit", 0, ERR(EINVAL), "r0 = 0\nexit" },
	{ "loop of the most rounds that there may be", LOOP("r3", "0") TOTAL, 1 << 23, 1 << 23, "r3 = 1\nlock *(u64 *)(r2 + 0) += r3\nr0 = 0\nexit" },
	{ "loop of one more", LOOP("r3", "0") "exit", (1 << 23) + 1, ERR(E2BIG), "r0 = 0\nexit" },
	{ "loop: the number has 32 bits", LOOP("r3", "0") "exit", 1ull << 32 | 5, 5, "r0 = 0\nexit" },
	{ "loop: registers of the caller survive", "r6 = 1\nr7 = 2\nr8 = 3\nr9 = 4\n" LOOP("3", "0") "r0 = r6\nr0 += r7\nr0 += r8\nr0 += r9\nexit", 0, 10,
	  "r6 = 100\nr7 = 100\nr8 = 100\nr9 = 100\nr0 = 0\nexit" },
	/* 3 rounds by 4 rounds; each inner function has stack of its own. */
	{ "loop in a loop", LOOP("3", "0") TOTAL, 0, 12,
	  "r6 = r2\n*(u64 *)(r10 - 8) = r2\nr1 = 4\nr2 = function 2 ll\nr3 = r10\nr3 += -8\nr4 = 0\ncall 181\nr0 = 0\nexit" },
	{ "each: number of elements", PUT("1", "10") PUT("2", "20") PUT("3", "30") EACH("0") "exit", 0, 3, "r0 = 0\nexit" },
	{ "each: sum of values", PUT("1", "10") PUT("2", "20") PUT("3", "30") EACH("0") TOTAL, 0, 60,
	  "r0 = *(u64 *)(r3 + 0)\nlock *(u64 *)(r4 + 0) += r0\nr0 = 0\nexit" },
	{ "each: sum of keys", PUT("1", "10") PUT("2", "20") PUT("3", "30") EACH("0") TOTAL, 0, 6,
	  "r0 = *(u64 *)(r2 + 0)\nlock *(u64 *)(r4 + 0) += r0\nr0 = 0\nexit" },
	{ "each: stopped at the second", PUT("1", "10") PUT("2", "20") PUT("3", "30") EACH("0") "exit", 0, 2,
	  "r3 = 1\nlock *(u64 *)(r4 + 0) += r3\nr3 = *(u64 *)(r4 + 0)\nr0 = 0\nif r3 != 2 goto out\nr0 = 1\nout: exit" },
	{ "each: all deleted on the way", PUT("1", "10") PUT("2", "20") PUT("3", "30") EACH("0") "r6 = r0\n" EACH("0") "r6 <<= 8\nr0 += r6\nexit", 0, 3 << 8,
	  "call 3\nr0 = 0\nexit" },
	{ "each: nothing in it", EACH("0") "exit", 0, 0, "r0 = 0\nexit" },
	{ "each: indices of an array", EACH("1") TOTAL, 0, 0 + 1 + 2 + 3, "r0 = *(u32 *)(r2 + 0)\nlock *(u64 *)(r4 + 0) += r0\nr0 = 0\nexit" },
	{ "queue: the oldest comes first", PUSH("8", "5", "0") PUSH("8", "6", "0") POP("8") TOP, 0, 5 },
	{ "stack: the newest comes first", PUSH("9", "5", "0") PUSH("9", "6", "0") POP("9") TOP, 0, 6 },
	{ "queue: a look takes nothing", PUSH("8", "5", "0") PUSH("8", "6", "0") PEEK("8") PEEK("8") TOP, 0, 5 },
	{ "queue: nothing there", POP("8") "exit", 0, ERR(ENOENT) },
	{ "queue: nothing there leaves zeros", POP("8") TOP, 0, 0 },
	{ "queue: full", PUSH("8", "1", "0") PUSH("8", "2", "0") PUSH("8", "3", "0") PUSH("8", "4", "0") PUSH("8", "5", "0") "exit", 0, ERR(E2BIG) },
	{ "queue: full, the oldest goes", PUSH("8", "1", "0") PUSH("8", "2", "0") PUSH("8", "3", "0") PUSH("8", "4", "0") PUSH("8", "5", "2") POP("8") TOP, 0, 2 },
	{ "queue: flags", PUSH("8", "1", "1") "exit", 0, ERR(EINVAL) },
	{ "bloom filter: added", PUSH("10", "77", "0") "*(u64 *)(r10 - 8) = 77\n" PEEK("10") "exit", 0, 0 },
	{ "bloom filter: never added", PUSH("10", "77", "0") "*(u64 *)(r10 - 8) = 78\n" PEEK("10") "exit", 0, ERR(ENOENT) },
	/* 10.0.0.0/8 is 1, 10.1.0.0/16 is 2: as bytes in memory, prefix length first. */
	{ "LPM trie: the longer prefix", LPM_PUT("8", "0x0000000a", "1") LPM_PUT("16", "0x0000010a", "2") LPM_GET("32", "0x0302010a"), 0, 2 },
	{ "LPM trie: the shorter one", LPM_PUT("8", "0x0000000a", "1") LPM_PUT("16", "0x0000010a", "2") LPM_GET("32", "0x0302020a"), 0, 1 },
	{ "LPM trie: none", LPM_PUT("8", "0x0000000a", "1") LPM_PUT("16", "0x0000010a", "2") LPM_GET("32", "0x0302010b"), 0, 0 },
	{ "LPM trie: a lookup of a prefix", LPM_PUT("8", "0x0000000a", "1") LPM_PUT("16", "0x0000010a", "2") LPM_GET("12", "0x0302010a"), 0, 1 },
	{ "LRU: a table of 64 takes 100 keys", "r6 = 0\nagain: *(u64 *)(r10 - 8) = r6\nr2 = r10\nr2 += -8\nr3 = r2\nr1 = table 12 ll\nr4 = 1\ncall 2\n"
	  "if r0 != 0 goto out\nr6 += 1\nif r6 < 100 goto again\nout: r0 = r6\nexit", 0, 100 },
	/* CPU 1 runs. */
	{ "value of another CPU", "*(u32 *)(r10 - 4) = 0\nr2 = r10\nr2 += -4\nr1 = table 5 ll\ncall 1\nif r0 == 0 goto out\n*(u64 *)(r0 + 0) = 77\n"
	  "r2 = r10\nr2 += -4\nr1 = table 5 ll\nr3 = 2\ncall 195\nif r0 == 0 goto out\nr0 = *(u64 *)(r0 + 0)\nr0 += 1\nout: exit", 0, 1 },
	{ "value of this CPU by its number", "*(u32 *)(r10 - 4) = 0\nr2 = r10\nr2 += -4\nr1 = table 5 ll\ncall 1\nif r0 == 0 goto out\n*(u64 *)(r0 + 0) = 77\n"
	  "r2 = r10\nr2 += -4\nr1 = table 5 ll\nr3 = 1\ncall 195\nif r0 == 0 goto out\nr0 = *(u64 *)(r0 + 0)\nr0 += 1\nout: exit", 0, 78 },
	{ "value of a CPU that is not there", "*(u32 *)(r10 - 4) = 0\nr2 = r10\nr2 += -4\nr1 = table 5 ll\nr3 = 3\ncall 195\nif r0 == 0 goto out\nr0 = 1\nout: exit", 0, 0 },
	{ "perf events: a CPU that is not there", "r1 = r2\nr2 = table 15 ll\nr3 = 9\nr5 = 8\ncall 25\nexit", 0, ERR(E2BIG) },
	{ "perf events: flags", "r1 = r2\nr2 = table 15 ll\nr3 = 1\nr3 <<= 60\nr5 = 8\ncall 25\nexit", 0, ERR(EINVAL) },
	{ "perf events: a record", "r1 = r2\nr2 = table 15 ll\nr3 = -1\nw3 = w3\nr5 = 8\ncall 25\nexit", 0, 0 },
	/* "n=7" and the NUL that is not counted; "%f" is no conversion. */
	{ "trace_vprintk", "*(u32 *)(r4 + 0) = 0x64253d6e\n*(u8 *)(r4 + 4) = 0\n*(u64 *)(r10 - 8) = 7\nr1 = r4\nr2 = 5\nr3 = r10\nr3 += -8\nr4 = 8\ncall 177\nexit", 0, 3 },
	{ "trace_vprintk without values", "*(u32 *)(r4 + 0) = 0x21696821\n*(u8 *)(r4 + 4) = 0\nr1 = r4\nr2 = 5\nr3 = 0\nr4 = 0\ncall 177\nexit", 0, 4 },
	{ "trace_vprintk, too few values", "*(u32 *)(r4 + 0) = 0x64253d6e\n*(u8 *)(r4 + 4) = 0\nr1 = r4\nr2 = 5\nr3 = 0\nr4 = 0\ncall 177\nexit", 0, ERR(EINVAL) },
	{ "trace_printk, a conversion that there is not", "*(u32 *)(r4 + 0) = 0x66253d6e\n*(u8 *)(r4 + 4) = 0\nr1 = r4\nr2 = 5\nr3 = 1\ncall 6\nexit", 0, ERR(EINVAL) },
	{ "trace_printk, a format without an end", "r1 = r4\nr2 = 5\nr3 = 1\ncall 6\nexit", 0, ERR(EINVAL) },
	{ "reserve fails on flags", "r1 = table 3 ll\nr2 = 8\nr3 = 4\ncall 131\nif r0 == 0 goto out\nr1 = r0\nr2 = 0\ncall 133\nr0 = 1\nout: exit", 0, 0 },
};

/* Function 2: adds 1 where the 8 bytes at the context point to. */
#define COUNT_OF_COUNT "r3 = *(u64 *)(r2 + 0)\nr1 = 1\nlock *(u64 *)(r3 + 0) += r1\nr0 = 0\nexit"

/* How many do not do what they should. */
static int
bad_helpers(enum vm_exec exec)
{
	static const struct vm_env env = { .pid = 10, .tid = 11, .uid = 1000, .gid = 100, .cpu = 1, .comm = "command", .ktime_ns = 123456,
					   .cookie = 0xc00c1e, .read_user = read_user, .unwind = unwind };
	unsigned n_bad = 0;

	memset(user_memory, 'z', sizeof(user_memory));
	memcpy(user_memory + 0xff0, "ab\0", 3);
	memcpy(user_memory + 0xffe, "cdef\0", 5);
	for (size_t i = 0; i < ARRAY_SIZE(tests_of_helpers); i++) {
		const struct test_helper *test = &tests_of_helpers[i];
		struct arena *arena = arena_new();
		struct object *object = fixture_object(arena);
		struct func *func = fixture_func(object, test->name, test->source);
		_Alignas(8) uint8_t scratch[SCRATCH_SIZE], record[RECORD_SIZE] = { 0 };
		uint64_t args[5] = { (uintptr_t)record, 0, test->r3, (uintptr_t)scratch, 0 }, r0;
		struct text why = { 0 };
		struct vm *vm = vm_new(object, 3, &why);
		struct vm_program *program;
		int err;

		if (test->callee) {
			fixture_func(object, "callee", test->callee);
			fixture_func(object, "inner", COUNT_OF_COUNT);
		}
		memset(scratch, 0xaa, sizeof(scratch));
		vm_set_exec(vm, exec);
		program = vm_load(vm, func, &handler_signature, &why, &err);
		if (!program)
			fail_msg("%s", why.s);
		r0 = vm_run(vm, program, &env, args);
		if (r0 != test->r0) {
			print_error("%s: %#lx instead of %#lx\n", test->name, (unsigned long)r0, (unsigned long)test->r0);
			n_bad++;
		}
		vm_free(vm);
		arena_free(arena);
	}
	return n_bad;
}

static void
test_helpers(void **state)
{
	assert_int_equal(bad_helpers(VM_EXEC_INTERP), 0);
	assert_int_equal(bad_helpers(VM_EXEC_AUTO), 0);
}

/* process_vm_readv fails with `err` from now on, as in containers. */
static bool
forbid_reads(int err)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = { .len = ARRAY_SIZE(filter), .filter = filter };

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

/* Memory that must not be read by process_vm_readv is read all the same, and wild addresses give errors all the same. */
static void
test_forbidden(void **state)
{
	static const int errors[] = { ENOSYS, EPERM };

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		pid_t pid = fork();
		int status = -1;

		if (pid == 0)
			_exit(forbid_reads(errors[i]) ? bad_helpers(VM_EXEC_INTERP) != 0 : 77);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(status, 0);
	}
}

/* Where no process's memory can be read, and where nobody says who runs. */
static void
test_no_process(void **state)
{
	struct arena *arena = arena_new();
	struct object *object = fixture_object(arena);
	struct func *func = fixture_func(object, "read", READ("112", "8") RESULT);
	_Alignas(8) uint8_t scratch[SCRATCH_SIZE], record[RECORD_SIZE] = { 0 };
	uint64_t args[5] = { (uintptr_t)record, 0, (uintptr_t)scratch, (uintptr_t)scratch, 0 };
	struct text why = { 0 };
	struct vm *vm = vm_new(object, 1, &why);
	struct vm_env env = { .cpu = 7 };
	int err;
	struct vm_program *program = vm_load(vm, func, &handler_signature, &why, &err);

	assert_int_equal(vm_run(vm, program, &env, args), ERR(EFAULT));
	assert_int_equal(vm_run(vm, program, NULL, args), ERR(EFAULT));
	vm_free(vm);
	arena_free(arena);
}

/* A lane chooses among the values of a per-CPU table, and is not what a program takes for its CPU. */
static void
test_lane(void **state)
{
	static const char text[] = "*(u32 *)(r10 - 4) = 0\nr2 = r10\nr2 += -4\nr1 = table 0 ll\ncall 1\nif r0 == 0 goto out\n"
				   "r1 = 1\nlock *(u64 *)(r0 + 0) += r1\nout: call 8\nexit\n";
	struct table table = { .name = "counts", .kind = TABLE_PERCPU_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1 };
	const struct vm_env envs[] = { { .cpu = 2 }, { .cpu = 2, .lane = 1 }, { .cpu = 9, .lane = 2 }, { .cpu = 1, .lane = 4 } };
	static const uint64_t cpus[] = { 2, 2, 9, 1 };
	const uint64_t args[5] = { 0 };
	const uint32_t first = 0;

	for (int exec = VM_EXEC_INTERP; exec <= VM_EXEC_JIT; exec++) {
		struct vm_signature none = { .args = { { VM_ARG_NONE } } };
		struct arena *arena = arena_new();
		struct object *object = object_new(arena, "lanes", NULL);
		uint64_t values[3] = { 0 };
		struct text why = { 0 };
		struct vm_program *program;
		struct vm *vm;
		int err;

		object_add_table(object, &table);
		vm = vm_new(object, 3, &why);
		vm_set_exec(vm, exec);
		program = vm_load(vm, fixture_func(object, "lanes", text), &none, &why, &err);
		for (size_t i = 0; i < ARRAY_SIZE(envs); i++)
			assert_int_equal(vm_run(vm, program, &envs[i], args), cpus[i]);
		assert_int_equal(vm_table_lookup(vm, 0, &first, values), 0);
		assert_int_equal(values[0], 2); /* its own, and that of a lane that there is not */
		assert_int_equal(values[1], 1);
		assert_int_equal(values[2], 1);
		vm_free(vm);
		arena_free(arena);
	}
}

/* Does the word stand in the text by itself, not as a part of another? */
static bool
has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = text; (at = strstr(at, word)); at++)
		if (!isalnum((unsigned char)at[-1]) && at[-1] != '_' && !isalnum((unsigned char)at[len]) && at[len] != '_')
			return true;
	return false;
}

/* docs/engine.md names every helper and every kind of table. */
static void
test_documented(void **state)
{
	FILE *in = fopen(TESTS_DIR "/../docs/engine.md", "r");
	static char text[1 << 16]; /* begins with '#', so that no word does */
	size_t len = in ? fread(text, 1, sizeof(text) - 1, in) : 0;
	unsigned n_bad = 0;

	assert_true(len);
	fclose(in);
	for (int32_t number = 0; number < 1000; number++) {
		const struct helper *helper = helper_find(number);

		if (helper && !has_word(text, helper->name) && ++n_bad)
			print_error("docs/engine.md does not name the helper %s\n", helper->name);
	}
	for (int kind = 0; kind < N_TABLE_KINDS; kind++)
		if (!has_word(text, table_kind_name((enum table_kind)kind)) && ++n_bad)
			print_error("docs/engine.md does not name the table kind %s\n", table_kind_name((enum table_kind)kind));
	assert_int_equal(n_bad, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_helpers),
		cmocka_unit_test(test_forbidden),
		cmocka_unit_test(test_no_process),
		cmocka_unit_test(test_lane),
		cmocka_unit_test(test_documented),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
