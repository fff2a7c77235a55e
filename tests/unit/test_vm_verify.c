/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The verifier: a table of programs, each with what must be said of it, and the same programs given to this machine's kernel:
 * what we accept, it must accept too. Where the kernel accepts and we refuse, the list of those is printed. Needs the right to load
 * programs; without it that half is skipped.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vm_kernel.h"

struct test_program {
	const char *name;
	const char *refused; /* part of the message; NULL: accepted */
	const char *source;
	const char *callee;  /* function 1, called by `call function 1`; may be NULL */
};

#define KEY8 "r0 = 0\n*(u64 *)(r10 - 8) = 7\nr2 = r10\nr2 += -8\n"
#define LOOKUP KEY8 "r1 = table 0 ll\ncall 1\n"
#define WAIT "r7 = 1\nr7 = 2\nr7 = 3\nr7 = 4\nr7 = 5\nr7 = 6\nr7 = 7\nr7 = 8\n" /* enough for a checkpoint at the label that follows */
#define END "r0 = 0\nexit\n"
/* Calls function 1 back, with an address of 8 bytes of stack that hold 0. */
#define LOOP(base, n) \
	"*(u64 *)(r10 - 8) = 0\nr1 = " n "\nr2 = function 1 ll\nr3 = " base "\nr3 += -8\nr4 = 0\ncall 181\nr0 = *(u64 *)(r10 - 8)\nexit"
#define EACH(table) \
	"*(u64 *)(r10 - 8) = 0\nr1 = table " table " ll\nr2 = function 1 ll\nr3 = r10\nr3 += -8\nr4 = 0\ncall 164\nr0 = *(u64 *)(r10 - 8)\nexit"

static const struct test_program programs[] = {
	/* ---- whole programs of the kind that our compiler makes ---- */
	{ "return a number", NULL, END },
	{ "read the record", NULL, "r0 = *(u64 *)(r1 + 56)\nexit" },
	{ "write scratch", NULL, "*(u64 *)(r4 + 248) = 1\n" END },
	{ "spill and fill all", NULL,
	  "r5 = 9\n*(u64 *)(r10 - 8) = r1\n*(u64 *)(r10 - 16) = r2\n*(u64 *)(r10 - 24) = r3\n*(u64 *)(r10 - 32) = r4\n"
	  "*(u64 *)(r10 - 40) = r5\nr1 = 0\nr4 = *(u64 *)(r10 - 32)\nr1 = *(u64 *)(r10 - 8)\nr0 = *(u64 *)(r1 + 8)\n"
	  "*(u64 *)(r4 + 0) = r0\nr0 = *(u64 *)(r10 - 40)\nexit" },
	{ "lookup, null check, atomic add", NULL,
	  LOOKUP "if r0 == 0 goto out\nr1 = 1\nlock *(u64 *)(r0 + 8) += r1\nout: " END },
	{ "check of a copy tells of the other", NULL,
	  LOOKUP "r6 = r0\nif r6 == 0 goto out\nr1 = *(u64 *)(r0 + 0)\nout: " END },
	{ "check of a spilled copy", NULL,
	  LOOKUP "*(u64 *)(r10 - 16) = r0\nif r0 != 0 goto there\n" END "there: r1 = *(u64 *)(r10 - 16)\nr0 = *(u64 *)(r1 + 8)\nexit" },
	{ "update from scratch", NULL,
	  "*(u64 *)(r10 - 8) = 1\n*(u64 *)(r4 + 0) = 1\n*(u64 *)(r4 + 8) = 2\nr2 = r10\nr2 += -8\nr3 = r4\nr1 = table 0 ll\nr4 = 0\ncall 2\nexit" },
	{ "key of bytes", NULL,
	  "*(u32 *)(r10 - 8) = 1\n*(u16 *)(r10 - 4) = 2\n*(u8 *)(r10 - 2) = 3\n*(u8 *)(r10 - 1) = 4\nr2 = r10\nr2 += -8\nr1 = table 0 ll\n"
	  "call 3\nexit" },
	{ "globals by direct value", NULL, "r1 = table_value 2 + 16 ll\nr2 = 1\nlock *(u64 *)(r1 + 40) += r2\n" END },
	{ "bounded offset into scratch", NULL, "r3 &= 127\nr4 += r3\n*(u64 *)(r4 + 120) = 1\n" END },
	{ "offset bounded by a branch", NULL, "if r3 > 248 goto out\nr4 += r3\n*(u64 *)(r4 + 0) = 1\nout: " END },
	{ "offset bounded by a signed pair", NULL,
	  "if r3 s< 0 goto out\nif r3 s> 56 goto out\nr1 += r3\nr0 = *(u64 *)(r1 + 0)\nout: " END },
	{ "32-bit bound", NULL, "w3 = w3\nif w3 >= 57 goto out\nr1 += r3\nr0 = *(u64 *)(r1 + 0)\nout: " END },
	{ "bound of a copy", NULL, "r5 = r3\nif r5 > 100 goto out\nr4 += r3\n*(u8 *)(r4 + 0) = 1\nout: " END },
	{ "bound of a spilled number", NULL,
	  "*(u64 *)(r10 - 8) = r3\nif r3 > 100 goto out\nr5 = *(u64 *)(r10 - 8)\nr4 += r5\n*(u8 *)(r4 + 0) = 1\nout: " END },
	{ "size bounded for a helper", NULL,
	  "r6 = r4\nif r3 > 256 goto out\nr1 = r4\nr2 = r3\nr3 = 0\ncall 113\nout: " END },
	{ "string read, its length used", NULL,
	  "r6 = r4\nr3 = *(u64 *)(r1 + 8)\nr1 = r4\nr2 = 128\ncall 114\nif r0 s<= 0 goto out\nr6 += r0\n*(u8 *)(r6 + 127) = 0\nout: " END },
	{ "record out with a variable length", NULL,
	  "r6 = r4\nr3 &= 255\nr2 = r4\nr1 = table 3 ll\nr4 = 0\ncall 130\nexit" },
	{ "stack filled by a helper", NULL, "r1 = r10\nr1 += -16\nr2 = 16\ncall 16\nr0 = *(u64 *)(r10 - 8)\nexit" },
	{ "loop with a counter", NULL, "r0 = 0\nagain: r0 += 1\nif r0 < 200 goto again\n" END },
	{ "loop over scratch", NULL,
	  "r1 = 0\nagain: r2 = r4\nr2 += r1\n*(u8 *)(r2 + 0) = 0\nr1 += 1\nif r1 != 256 goto again\n" END },
	{ "loop over stack bytes", NULL,
	  "*(u64 *)(r10 - 8) = 0\n*(u64 *)(r10 - 16) = 0\nr1 = 0\nagain: r2 = r10\nr2 += -16\nr2 += r1\nr3 = *(u8 *)(r2 + 0)\n"
	  "r3 += 1\n*(u8 *)(r2 + 0) = r3\nr1 += 1\nif r1 < 16 goto again\nr0 = *(u64 *)(r10 - 8)\nexit" },
	{ "many branches join", NULL,
	  "r0 = 0\nif r3 & 1 goto a\nr0 += 1\na: if r3 & 2 goto b\nr0 += 2\nb: if r3 & 4 goto c\nr0 += 4\nc: if r3 & 8 goto d\nr0 += 8\n"
	  "d: if r3 & 16 goto e\nr0 += 16\ne: if r3 & 32 goto f\nr0 += 32\nf: exit" },
	{ "record of the ring buffer", NULL,
	  "r1 = table 3 ll\nr2 = 16\nr3 = 0\ncall 131\nif r0 == 0 goto out\n*(u64 *)(r0 + 8) = 1\nr1 = r0\nr2 = 0\ncall 132\nout: " END },
	{ "record discarded on one way, submitted on the other", NULL,
	  "r6 = r3\nr1 = table 3 ll\nr2 = 16\nr3 = 0\ncall 131\nif r0 == 0 goto out\nr1 = r0\nr2 = 0\nif r6 == 0 goto no\ncall 132\ngoto out\n"
	  "no: call 133\nout: " END },
	{ "compare-exchange on a value", NULL,
	  LOOKUP "if r0 == 0 goto out\nr6 = r0\nr0 = 0\nr1 = 1\nr0 = atomic64_cmpxchg((u64 *)(r6 + 0), r0, r1)\nout: " END },
	{ "fetch-add on stack", NULL,
	  "*(u64 *)(r10 - 8) = 5\nr1 = 1\nr1 = atomic64_fetch_add((u64 *)(r10 - 8), r1)\nr0 = *(u64 *)(r10 - 8)\nexit" },
	{ "percpu array as scratch", NULL,
	  "*(u32 *)(r10 - 4) = 0\nr2 = r10\nr2 += -4\nr1 = table 5 ll\ncall 1\nif r0 == 0 goto out\n*(u64 *)(r0 + 504) = 1\nout: " END },
	{ "get_stackid", NULL, "r1 = r2\nr2 = table 6 ll\nr3 = 0\ncall 27\nexit" },
	{ "data_loc through probe_read", NULL,
	  "r6 = r1\nr5 = *(u32 *)(r1 + 8)\nr5 &= 65535\nr3 = r6\nr3 += r5\nr1 = r4\nr2 = 64\ncall 115\nexit" },
	{ "division by an unknown number", NULL, "r0 = 100\nr0 /= r3\nr0 %= r3\nexit" },
	{ "function called", NULL, "r1 = 5\nr2 = r4\ncall function 1\nexit", "*(u64 *)(r2 + 0) = r1\nr0 = r1\nexit" },
	{ "function that reads stack of its caller", NULL,
	  "*(u64 *)(r10 - 8) = 3\nr1 = r10\nr1 += -8\ncall function 1\nexit", "r0 = *(u64 *)(r1 + 0)\nexit" },
	{ "function that fills stack of its caller", NULL,
	  "r1 = r10\nr1 += -8\ncall function 1\nr0 = *(u64 *)(r10 - 8)\nexit", "*(u64 *)(r1 + 0) = 9\nr0 = 0\nexit" },
	{ "registers 6 to 9 survive a call", NULL, "r6 = r4\ncall function 1\n*(u8 *)(r6 + 0) = 1\n" END, "r6 = 0\nr0 = 0\nexit" },
	{ "function called twice from the same state", NULL, "r1 = 0\ncall function 1\nr1 = 0\ncall function 1\nexit",
	  WAIT "if r1 == 5 goto a\na: r0 = 0\nexit" },
	{ "difference of two addresses", NULL, "r0 = r4\nr0 += 8\nr0 -= r4\n" END },
	{ "loop that calls back", NULL, LOOP("r10", "1000"), "r0 = 0\nexit" },
	{ "loop that counts in its caller's stack", NULL, LOOP("r10", "1000"),
	  "r3 = *(u64 *)(r2 + 0)\nr3 += r1\n*(u64 *)(r2 + 0) = r3\nr0 = 0\nif r3 < 99 goto out\nr0 = 1\nout: exit" },
	{ "loop whose number nobody knows", NULL,
	  "*(u64 *)(r10 - 8) = 0\nr1 = r3\nr2 = function 1 ll\nr3 = r10\nr3 += -8\nr4 = 0\ncall 181\nr0 = *(u64 *)(r10 - 8)\nexit",
	  "r3 = *(u64 *)(r2 + 0)\nr3 += 1\n*(u64 *)(r2 + 0) = r3\nr0 = 0\nexit" },
	{ "loop without a context", NULL, "r1 = 5\nr2 = function 1 ll\nr3 = 0\nr4 = 0\ncall 181\nexit", "r0 = r2\nexit" },
	{ "loop that walks memory, its index bounded by the number of rounds", NULL,
	  "*(u64 *)(r10 - 8) = 0\n*(u64 *)(r10 - 16) = r4\nr1 = 10\nr2 = function 1 ll\nr3 = r10\nr3 += -16\nr4 = 0\ncall 181\nr0 = 0\nexit",
	  "r3 = *(u64 *)(r2 + 8)\nr4 = *(u64 *)(r2 + 0)\nr4 += r3\n*(u8 *)(r4 + 246) = 1\nr3 += 1\n*(u64 *)(r2 + 8) = r3\nr0 = 0\nexit" },
	{ "loop, the index compared", NULL,
	  "*(u64 *)(r10 - 8) = r4\nr1 = 1000\nr2 = function 1 ll\nr3 = r10\nr3 += -8\nr4 = 0\ncall 181\nexit",
	  "if r1 > 255 goto out\nr3 = *(u64 *)(r2 + 0)\nr3 += r1\n*(u8 *)(r3 + 0) = 1\nout: r0 = 0\nexit" },
	{ "every element of a hash table", NULL, EACH("0"), "r0 = *(u64 *)(r2 + 0)\n*(u64 *)(r3 + 8) = r0\nlock *(u64 *)(r4 + 0) += r0\nr0 = 0\nexit" },
	{ "every element of an array", NULL, EACH("1"), "r0 = *(u32 *)(r2 + 0)\n*(u64 *)(r3 + 0) = r0\nr0 = 0\nexit" },
	{ "every element deleted", NULL, EACH("0"), "call 3\nr0 = 0\nexit" },
	{ "loop in which a record is sent", NULL, LOOP("r10", "10"),
	  "r1 = table 3 ll\nr2 = 16\nr3 = 0\ncall 131\nif r0 == 0 goto out\nr1 = r0\nr2 = 0\ncall 132\nout: r0 = 0\nexit" },
	{ "a record is held over a loop", NULL,
	  "r1 = table 3 ll\nr2 = 16\nr3 = 0\ncall 131\nif r0 == 0 goto out\nr6 = r0\n*(u64 *)(r10 - 8) = r0\nr1 = 4\nr2 = function 1 ll\nr3 = r10\n"
	  "r3 += -8\nr4 = 0\ncall 181\nr1 = r6\nr2 = 0\ncall 132\nout: " END,
	  "r1 = *(u64 *)(r2 + 0)\n*(u64 *)(r1 + 8) = 1\nr0 = 0\nexit" },
	{ "a queue", NULL, KEY8 "r1 = table 8 ll\nr3 = 0\ncall 87\nr2 = r10\nr2 += -16\nr1 = table 8 ll\ncall 88\nr0 = *(u64 *)(r10 - 16)\nexit" },
	{ "a bloom filter", NULL, KEY8 "r1 = table 10 ll\ncall 89\nexit" },
	{ "an LPM trie", NULL, KEY8 "r1 = table 11 ll\ncall 1\nif r0 == 0 goto out\nr0 = *(u64 *)(r0 + 0)\nout: " END },
	{ "a table that is only written", NULL, "r1 = table_value 13 + 0 ll\n*(u64 *)(r1 + 0) = 5\n" END },
	{ "a key found in an LRU table", NULL, KEY8 "r1 = table 12 ll\ncall 1\nif r0 == 0 goto out\nr1 = 1\nlock *(u64 *)(r0 + 0) += r1\nout: " END },
	{ "strncmp with a constant", NULL,
	  "r1 = r4\nr2 = 16\nr3 = table_value 7 + 6 ll\ncall 182\nexit" },
	{ "nothing read from null", "not the address of memory", "r6 = r2\nr1 = 0\nr2 = 0\nr3 = 0\ncall 113\nexit" },
	{ "sign-extending load", NULL, "r0 = *(s8 *)(r1 + 1)\nexit" },
	{ "both ways of a signed 32-bit compare", NULL, "r0 = 0\nif w3 s> -5 goto +1\nr0 = 1\nexit" },
	{ "overwrite of a spilled address, then a number", NULL,
	  "*(u64 *)(r10 - 8) = r4\n*(u64 *)(r10 - 8) = 5\nr0 = *(u64 *)(r10 - 8)\nexit" },
	{ "helper fills over a spilled address", NULL,
	  "*(u64 *)(r10 - 8) = r4\nr1 = r10\nr1 += -8\nr2 = 8\ncall 16\nr0 = *(u64 *)(r10 - 8)\nexit" },
	{ "known bits prove alignment and bound", NULL,
	  "*(u64 *)(r10 - 8) = 0\n*(u64 *)(r10 - 16) = 0\nr3 &= 8\nr1 = r10\nr1 += -16\nr1 += r3\nr0 = *(u64 *)(r1 + 0)\nexit" },

	/* ---- registers ---- */
	{ "r0 never set", "reads r0", "exit" },
	{ "r5 is no argument", "reads r5", "r0 = r5\nexit" },
	{ "r1 to r5 are lost by a call", "reads r1", "call 5\nr0 = r1\nexit" },
	{ "set on one way only", "reads r6", "if r3 == 0 goto +1\nr6 = 1\nr0 = r6\nexit" },
	{ "r10 written", "writes r10", "r10 = 1\n" END },
	{ "address returned", "returns an address", "r0 = r4\nexit" },
	{ "void helper's result", "reads r0",
	  "r1 = table 3 ll\nr2 = 8\nr3 = 0\ncall 131\nif r0 == 0 goto out\nr1 = r0\nr2 = 0\ncall 132\nexit\nout: " END },

	/* ---- memory ---- */
	{ "record read behind its end", "behind its end", "r0 = *(u64 *)(r1 + 57)\nexit" },
	{ "record read before its beginning", "before its beginning", "r0 = *(u8 *)(r1 - 1)\nexit" },
	{ "record written", "may only be read", "*(u8 *)(r1 + 0) = 1\n" END },
	{ "scratch written behind its end", "behind its end", "*(u32 *)(r4 + 253) = 1\n" END },
	{ "unbounded offset", "not bounded", "r4 += r3\n*(u8 *)(r4 + 0) = 1\n" END },
	{ "offset bounded above only", "not bounded", "if r3 s> 10 goto out\nr4 += r3\n*(u8 *)(r4 + 0) = 1\nout: " END },
	{ "bound one too large", "behind its end", "if r3 > 249 goto out\nr4 += r3\n*(u64 *)(r4 + 0) = 1\nout: " END },
	{ "32-bit bound of a 64-bit number", "not bounded", "if w3 > 10 goto out\nr4 += r3\n*(u8 *)(r4 + 0) = 1\nout: " END },
	{ "number as an address", "not the address of memory", "r0 = *(u64 *)(r3 + 0)\nexit" },
	{ "context read", "not the address of memory", "r0 = *(u64 *)(r2 + 0)\nexit" },
	{ "value not checked for null", "may be null", LOOKUP "r0 = *(u64 *)(r0 + 0)\nexit" },
	{ "value read where it is null", "not the address of memory", LOOKUP "if r0 != 0 goto out\nr1 = *(u64 *)(r0 + 0)\nout: " END },
	{ "check of another lookup's value", "may be null",
	  LOOKUP "r6 = r0\nr2 = r10\nr2 += -8\nr1 = table 0 ll\ncall 1\nif r0 == 0 goto out\nr0 = *(u64 *)(r6 + 0)\nout: " END },
	{ "value behind its end", "behind its end", LOOKUP "if r0 == 0 goto out\n*(u64 *)(r0 + 9) = 1\nout: " END },
	{ "arithmetic before the null check", "may be null", LOOKUP "r0 += 8\n" END },
	{ "read-only table written", "may only read", "r1 = table_value 7 + 0 ll\n*(u8 *)(r1 + 0) = 1\n" END },
	{ "read-only table updated", "may only read",
	  "*(u32 *)(r10 - 4) = 0\nr2 = r10\nr2 += -4\nr3 = r4\nr1 = table 7 ll\nr4 = 0\ncall 2\nexit" },
	{ "address stored into scratch", "stores an address", "*(u64 *)(r4 + 0) = r2\n" END },
	{ "address stored into a value", "stores an address", LOOKUP "if r0 == 0 goto out\n*(u64 *)(r0 + 0) = r10\nout: " END },
	{ "atomic off its alignment", "not a multiple", "r1 = 1\nlock *(u64 *)(r4 + 4) += r1\n" END },
	{ "atomic on the record", "may only be read", "r5 = 1\nlock *(u64 *)(r1 + 0) += r5\n" END },
	{ "direct value behind its end", "behind the end", "r1 = table_value 2 + 64 ll\n" END },
	{ "direct value, variable offset too large", "behind its end",
	  "r1 = table_value 2 + 8 ll\nr3 &= 63\nr1 += r3\nr0 = *(u8 *)(r1 + 0)\nexit" },

	/* ---- the stack ---- */
	{ "stack never written", "not written", "r0 = *(u64 *)(r10 - 8)\nexit" },
	{ "half of it written", "not written", "*(u32 *)(r10 - 8) = 1\nr0 = *(u64 *)(r10 - 8)\nexit" },
	{ "stack written on one way", "not written", "if r3 == 0 goto +1\n*(u64 *)(r10 - 8) = 1\nr0 = *(u64 *)(r10 - 8)\nexit" },
	{ "below the stack", "touches stack", "*(u64 *)(r10 - 520) = 1\n" END },
	{ "above the stack", "touches stack", "*(u64 *)(r10 + 0) = 1\n" END },
	{ "stack off its alignment", "not a multiple", "*(u64 *)(r10 - 12) = 1\n" END },
	{ "part of a spilled address read", "part of an address", "*(u64 *)(r10 - 8) = r4\nr0 = *(u32 *)(r10 - 8)\nexit" },
	{ "address with a byte overwritten", "not written", "*(u64 *)(r10 - 8) = r4\n*(u8 *)(r10 - 8) = 1\nr0 = *(u64 *)(r10 - 8)\nexit" },
	{ "key with an address in it", "part of an address", "*(u64 *)(r10 - 8) = r4\nr2 = r10\nr2 += -8\nr1 = table 0 ll\ncall 1\n" END },
	{ "key not written", "not written", "r2 = r10\nr2 += -8\nr1 = table 0 ll\ncall 1\n" END },
	{ "key too short", "touches stack", "*(u32 *)(r10 - 4) = 1\nr2 = r10\nr2 += -4\nr1 = table 0 ll\ncall 1\n" END },
	{ "variable store over an address", "may overwrite an address",
	  "*(u64 *)(r10 - 8) = r4\n*(u64 *)(r10 - 16) = 0\nr3 &= 15\nr1 = r10\nr1 += -16\nr1 += r3\n*(u8 *)(r1 + 0) = 1\n" END },
	{ "variable store does not initialise", "not written",
	  "r3 &= 7\nr1 = r10\nr1 += -8\nr1 += r3\n*(u8 *)(r1 + 0) = 1\nr0 = *(u64 *)(r10 - 8)\nexit" },
	{ "variable size leaves stack unset", "not written",
	  "r1 = r10\nr1 += -16\nr2 = r3\nr2 &= 15\nr3 = 0\ncall 113\nr0 = *(u64 *)(r10 - 16)\nexit" },

	/* ---- helpers ---- */
	{ "unknown helper", "does not have", "call 9999\n" END },
	{ "size not bounded", "not bounded", "r1 = r4\nr2 = r3\nr2 <<= 1\nr2 >>= 1\nr3 = 0\ncall 113\n" END },
	{ "size may be negative", "may be negative", "r1 = r4\nr2 = r3\nr3 = 0\ncall 113\n" END },
	{ "size too large", "behind its end", "r1 = r4\nr2 = 257\nr3 = 0\ncall 113\n" END },
	{ "size 0 where it must not be", "may be 0", "r1 = r4\nr2 = r3\nr2 &= 7\ncall 16\n" END },
	{ "helper writes into the record", "may only be read", "r2 = 8\nr3 = 0\ncall 113\n" END },
	{ "table argument is no table", "must be a table", "*(u64 *)(r10 - 8) = 0\nr2 = r10\nr2 += -8\nr1 = r4\ncall 1\n" END },
	{ "lookup in a ring buffer", "does not work", KEY8 "r1 = table 3 ll\ncall 1\n" END },
	{ "lookup in a stack table", "does not work", KEY8 "r1 = table 6 ll\ncall 1\n" END },
	{ "output into a hash", "does not work", "r1 = table 0 ll\nr2 = r4\nr3 = 8\nr4 = 0\ncall 130\n" END },
	{ "table dereferenced", "not the address of memory", "r1 = table 0 ll\nr0 = *(u64 *)(r1 + 0)\nexit" },
	{ "context missing", "must be the context", "r1 = r4\nr2 = table 6 ll\nr3 = 0\ncall 27\nexit" },
	{ "record never given back", "while a record is reserved",
	  "r1 = table 3 ll\nr2 = 16\nr3 = 0\ncall 131\nif r0 == 0 goto out\n*(u64 *)(r0 + 0) = 1\nout: " END },
	{ "record given back twice", "reads r6",
	  "r1 = table 3 ll\nr2 = 16\nr3 = 0\ncall 131\nif r0 == 0 goto out\nr6 = r0\nr1 = r0\nr2 = 0\ncall 132\nr1 = r6\nr2 = 0\ncall 132\nout: " END },
	{ "record used after it was given back", "reads r6",
	  "r1 = table 3 ll\nr2 = 16\nr3 = 0\ncall 131\nif r0 == 0 goto out\nr6 = r0\nr1 = r0\nr2 = 0\ncall 132\n*(u8 *)(r6 + 0) = 1\nout: " END },
	{ "record submitted from its middle", "beginning of the record",
	  "r1 = table 3 ll\nr2 = 16\nr3 = 0\ncall 131\nif r0 == 0 goto out\nr1 = r0\nr1 += 8\nr2 = 0\ncall 132\nout: " END },
	{ "record written behind its end", "behind its end",
	  "r1 = table 3 ll\nr2 = 16\nr3 = 0\ncall 131\nif r0 == 0 goto out\n*(u64 *)(r0 + 16) = 1\nr1 = r0\nr2 = 0\ncall 132\nout: " END },
	{ "record of a size that varies", "constant size", "r1 = table 3 ll\nr2 = r3\nr3 = 0\ncall 131\n" END },
	{ "constant string from scratch", "read-only array", "r1 = r4\nr2 = 8\nr3 = r4\ncall 182\nexit" },

	/* ---- functions that are called back ---- */
	{ "what is called back returns any number", "0 to go on or 1 to stop", LOOP("r10", "10"), "r0 = r1\nexit" },
	{ "what is called back returns 2", "0 to go on or 1 to stop", LOOP("r10", "10"), "r0 = 2\nexit" },
	{ "what is called back returns nothing", "reads r0", LOOP("r10", "10"), "r1 = 0\nexit" },
	{ "what is called back reads a third argument", "reads r3", LOOP("r10", "10"), "r0 = r3\nexit" },
	{ "the index of a loop is not bounded", "not bounded",
	  "*(u64 *)(r10 - 8) = r4\nr1 = 10\nr2 = function 1 ll\nr3 = r10\nr3 += -8\nr4 = 0\ncall 181\nexit",
	  "r3 = *(u64 *)(r2 + 0)\nr3 += r1\n*(u8 *)(r3 + 0) = 1\nr0 = 0\nexit" },
	{ "one round more than memory has bytes", "behind its end",
	  "*(u64 *)(r10 - 8) = 0\n*(u64 *)(r10 - 16) = r4\nr1 = 11\nr2 = function 1 ll\nr3 = r10\nr3 += -16\nr4 = 0\ncall 181\nr0 = 0\nexit",
	  "r3 = *(u64 *)(r2 + 8)\nr4 = *(u64 *)(r2 + 0)\nr4 += r3\n*(u8 *)(r4 + 246) = 1\nr3 += 1\n*(u64 *)(r2 + 8) = r3\nr0 = 0\nexit" },
	{ "a number that the function changed, used behind the loop", "not bounded",
	  "r6 = r4\n*(u64 *)(r10 - 8) = 0\nr1 = r3\nr2 = function 1 ll\nr3 = r10\nr3 += -8\nr4 = 0\ncall 181\nr0 = *(u64 *)(r10 - 8)\nr6 += r0\n"
	  "*(u8 *)(r6 + 0) = 1\n" END,
	  "r3 = *(u64 *)(r2 + 0)\nr3 *= 3\nr3 += r1\n*(u64 *)(r2 + 0) = r3\nr0 = 0\nexit" },
	{ "the second round finds what the first left", "uses as an address", "*(u64 *)(r10 - 8) = r4\nr1 = 2\nr2 = function 1 ll\nr3 = r10\nr3 += -8\nr4 = 0\ncall 181\nr0 = 0\nexit",
	  "r1 = *(u64 *)(r2 + 0)\n*(u64 *)(r1 + 0) = 1\n*(u64 *)(r2 + 0) = 0\nr0 = 0\nexit" },
	{ "no round at all leaves nothing", "not written", "r1 = r3\nr2 = function 1 ll\nr3 = r10\nr3 += -8\nr4 = 0\ncall 181\nr0 = *(u64 *)(r10 - 8)\nexit",
	  "*(u64 *)(r2 + 0) = 1\nr0 = 0\nexit" },
	{ "a record is left reserved in a loop", "ends while a record", LOOP("r10", "10"),
	  "r1 = table 3 ll\nr2 = 16\nr3 = 0\ncall 131\nr0 = 0\nexit" },
	{ "the key of an element is written", "writes into the key", EACH("0"), "*(u64 *)(r2 + 0) = 1\nr0 = 0\nexit" },
	{ "behind the key of an element", "behind its end", EACH("1"), "r0 = *(u64 *)(r2 + 0)\nr0 = 0\nexit" },
	{ "behind the value of an element", "behind its end", EACH("0"), "r0 = *(u64 *)(r3 + 16)\nr0 = 0\nexit" },
	{ "every element of a ring buffer", "does not work on this kind", EACH("3"), "r0 = 0\nexit" },
	{ "a number for a function", "must be a function", "r1 = 1\nr2 = 5\nr3 = 0\nr4 = 0\ncall 181\nexit" },
	{ "a context that is no stack", "address of the stack", "r1 = 1\nr2 = function 1 ll\nr3 = r4\nr4 = 0\ncall 181\nexit", "r0 = 0\nexit" },
	{ "a function's address is moved", "not the address of memory", "r2 = function 1 ll\nr2 += 8\n" END, "r0 = 0\nexit" },
	{ "a function's address is read", "not the address of memory", "r2 = function 1 ll\nr0 = *(u64 *)(r2 + 0)\nexit", "r0 = 0\nexit" },
	{ "a function that calls itself back", "nested more than", LOOP("r10", "2"),
	  "r1 = 2\nr2 = function 1 ll\nr3 = 0\nr4 = 0\ncall 181\nr0 = 0\nexit" },
	{ "what the callback reads of its caller's registers", "reads r6", LOOP("r10", "2"), "r0 = r6\nexit" },

	/* ---- kinds of tables ---- */
	{ "lookup in a queue", "does not work on this kind", KEY8 "r1 = table 8 ll\ncall 1\n" END },
	{ "pop of a hash table", "does not work on this kind", KEY8 "r1 = table 0 ll\ncall 88\n" END },
	{ "pop of a bloom filter", "does not work on this kind", KEY8 "r1 = table 10 ll\ncall 88\n" END },
	{ "push of what was not written", "not written", "r2 = r10\nr2 += -8\nr1 = table 8 ll\nr3 = 0\ncall 87\n" END },
	{ "question to a bloom filter that was not written", "not written", "r2 = r10\nr2 += -8\nr1 = table 10 ll\ncall 89\n" END },
	{ "read of a table that is only written", "may only write", "r1 = table_value 13 + 0 ll\nr0 = *(u64 *)(r1 + 0)\nexit" },
	{ "atomic addition to a table that is only written", "may only write", "r1 = table_value 13 + 0 ll\nr2 = 1\nlock *(u64 *)(r1 + 0) += r2\n" END },
	{ "update of a table that is only read", "may only read", "*(u32 *)(r10 - 4) = 0\nr2 = r10\nr2 += -4\nr3 = r4\nr1 = table 7 ll\nr4 = 0\ncall 2\n" END },

	/* ---- arithmetic on addresses ---- */
	{ "addresses multiplied", "only 64-bit addition", "r4 *= 2\n" END },
	{ "half of an address", "part of an address", "w0 = w4\nexit" },
	{ "sum of addresses", "nothing to do with each other", "r4 += r10\n" END },
	{ "difference of unrelated addresses", "nothing to do with each other", "r4 -= r10\n" END },
	{ "context moved", "not the address of memory", "r2 += 8\n" END },
	{ "32-bit addition on an address", "only 64-bit addition", "w4 += 1\n" END },
	{ "number minus address", "nothing to do", "r3 -= r4\n" END },

	/* ---- control ---- */
	{ "endless loop", "never ends", "r0 = 0\nagain: r1 = 1\nr1 = 1\nr1 = 1\nr1 = 1\nr1 = 1\nr1 = 1\nr1 = 1\nif r0 == 0 goto again\nexit" },
	{ "endless loop that changes", "too complex", "r0 = 0\nagain: r0 += 1\nif r0 != 0 goto again\nexit" },
	{ "unreachable instruction", "no path leads", "r0 = 0\nexit\nr0 = 1\nexit" },
	{ "runs out", "runs out", "r0 = 0" },
	{ "jumps out", "runs out", "r0 = 0\nif r0 == 1 goto +5\nexit" },
	{ "jumps into a wide instruction", "middle of an instruction", "r0 = 0\nif r3 == 1 goto +1\nr0 = 1 ll\nexit" },
	{ "division by the constant 0", "constant 0", "r0 = 1\nr0 /= 0\nexit" },
	{ "shift by 64", "below the width", "r0 = 1\nr0 <<= 64\nexit" },
	{ "32-bit shift by 32", "below the width", "r0 = 1\nw0 >>= 32\nexit" },
	{ "unknown opcode", "not an instruction", ".insn 0xff 0 0 0 0\n" END },
	{ "reserved field", "is not zero", ".insn 0xb7 0 3 0 0\nexit" },
	{ "packet access", "network packet", ".insn 0x30 0 0 0 0\nexit" },
	{ "recursion", "calls itself", "r1 = 1\ncall function 1\nexit", "if r1 == 0 goto +1\nr0 = 0\nif r1 != 0 goto out\ncall function 1\nout: r0 = 0\nexit" },
	{ "endless recursion", "nested more than", "call function 1\nexit", "call function 1\nr0 = 0\nexit" },
	{ "too much stack together", "more than 512 bytes", "*(u64 *)(r10 - 304) = 1\ncall function 1\nexit",
	  "*(u64 *)(r10 - 256) = 1\nr0 = 0\nexit" },
	{ "function returns its stack", "stack that ends", "call function 1\n" END, "r0 = r10\nexit" },
	{ "function leaves its stack in the caller's", "stack of the caller", "r1 = r10\nr1 += -8\ncall function 1\n" END,
	  "*(u64 *)(r1 + 0) = r10\nr0 = 0\nexit" },
	{ "function without a result", "reads r0", "call function 1\nexit", "r1 = 0\nexit" },
	{ "pruning must not lose an uninitialised slot", "not written",
	  "r6 = 0\nif r3 == 0 goto a\n*(u32 *)(r10 - 8) = 1\n*(u32 *)(r10 - 4) = 1\na: " WAIT "if r6 == 1 goto b\n"
	  "b: r0 = *(u64 *)(r10 - 8)\nexit" },
	{ "pruning must not lose the bytes beside one that is written", "not written",
	  "r6 = 0\nif r3 == 0 goto a\n*(u32 *)(r10 - 8) = 1\n*(u32 *)(r10 - 4) = 1\na: " WAIT "if r6 == 1 goto b\n"
	  "b: *(u8 *)(r10 - 8) = 1\nr0 = *(u64 *)(r10 - 8)\nexit" },
	{ "pruning must not lose that two numbers are one", "not bounded",
	  "r6 = r3\nr5 = *(u64 *)(r1 + 0)\nif r5 != 0 goto a\ngoto j\na: r6 = *(u64 *)(r1 + 8)\nj: " WAIT
	  "if r7 == 9 goto b\nb: if r3 > 100 goto out\nr4 += r6\n*(u8 *)(r4 + 0) = 0\nout: " END },
	{ "pruning must not lose that two values are one", "may be null",
	  "r8 = *(u64 *)(r1 + 0)\n" LOOKUP "r6 = r0\nr2 = r10\nr2 += -8\nr1 = table 0 ll\ncall 1\nif r8 != 0 goto a\nr6 = r0\na: " WAIT
	  "if r7 == 9 goto b\nb: if r0 == 0 goto out\nr1 = *(u64 *)(r6 + 0)\nout: " END },
	{ "pruning must not take an address for a number", "address",
	  "r6 = 0\n*(u32 *)(r10 - 8) = 1\n*(u32 *)(r10 - 4) = 1\nif r3 == 0 goto a\ngoto b\na: *(u64 *)(r10 - 8) = r4\nb: " WAIT
	  "if r6 == 1 goto c\nc: r0 = *(u64 *)(r10 - 8)\nexit" },
	{ "pruning must not lose where a function returns to", "reads r9",
	  "r6 = 0\nr1 = 0\nif r3 == 0 goto a\ncall function 1\n" END "a: call function 1\nr0 = r9\nexit", WAIT "if r1 == 5 goto a\na: r0 = 0\nexit" },
	{ "pruning must not lose a wide range", "behind its end",
	  "r6 = 0\nif r3 != 0 goto a\nr6 = 300\na: r7 = 1\nr7 = 2\nr7 = 3\nr7 = 4\nr7 = 5\nr7 = 6\nr7 = 7\nr7 = 8\nif r7 == 9 goto b\n"
	  "b: r4 += r6\n*(u8 *)(r4 + 0) = 0\n" END },
};

/* ---- ours ------------------------------------------------------------------------------------------------- */

struct loaded {
	struct arena *arena;
	struct object *object;
	struct func *func;
};

static struct loaded
load(const struct test_program *program)
{
	struct loaded l = { .arena = arena_new() };

	l.object = fixture_object(l.arena);
	l.func = fixture_func(l.object, "entry", program->source);
	if (program->callee)
		fixture_func(l.object, "callee", program->callee);
	return l;
}

static void
test_programs(void **state)
{
	unsigned n_bad = 0;

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		struct loaded l = load(&programs[i]);
		struct text why = { 0 };
		int err = vm_verify(l.object, l.func, &handler_signature, &why);
		bool fine = programs[i].refused ? err && strstr(why.s ? why.s : "", programs[i].refused) : !err;

		if (!fine) {
			n_bad++;
			print_error("%s: expected %s, got %d: %s\n", programs[i].name, programs[i].refused ? programs[i].refused : "accepted",
				    err, why.s ? why.s : "accepted");
		}
		text_fini(&why);
		arena_free(l.arena);
	}
	assert_int_equal(n_bad, 0);
}

static void
test_message(void **state)
{
	struct arena *arena = arena_new();
	struct object *object = fixture_object(arena);
	struct func *func = fixture_func(object, "trace_1", "if r3 > 300 goto out\nr4 += r3\n*(u8 *)(r4 + 0) = 1\nout: r0 = 0\nexit\n");
	static const char script_text[] = "trace a:b {\n\tx = 1\n}\n";
	struct span spans[5] = { { 13, 5 }, { 13, 5 }, { 13, 5 }, { 13, 5 }, { 13, 5 } };
	struct script script;
	struct text why = { 0 };

	script_init(&script, arena, "a.kp", script_text, sizeof(script_text) - 1);
	object->script = &script;
	func->spans = spans;
	assert_int_equal(vm_verify(object, func, &handler_signature, &why), -EACCES);
	assert_string_equal(why.s, "function \"trace_1\", instruction 2: *(u8 *)(r4 + 0) = 1\n"
				   "  may touch memory behind its end: 1 bytes up to offset 301 of 256; "
				   "r4: memory of argument 4, offset 0 to 300 of 256\n"
				   "  path: 0 not taken\n"
				   "  a.kp:2: x = 1");
	text_fini(&why);
	arena_free(arena);
}

/* Programs whose paths are without number, but whose ways join again knowing the same of all that is read later. */
static const struct {
	const char *name, *head, *piece, *tail; /* `piece` is repeated; %u in it is the number of the repetition */
	unsigned n;
} long_programs[] = {
	{ "values that die", "r6 = r4\n",
	  "if r3 & %1$u goto a%1$u\n*(u64 *)(r10 - 8) = %1$u\ngoto b%1$u\na%1$u: *(u64 *)(r10 - 8) = 1\nb%1$u: r0 = *(u64 *)(r10 - 8)\n"
	  "*(u64 *)(r6 + 0) = r0\n", END, 300 },
	{ "lookups", "r6 = r4\nr7 = 0\n",
	  "*(u64 *)(r10 - 8) = %1$u\nr2 = r10\nr2 += -8\nr1 = table 0 ll\ncall 1\nif r0 == 0 goto a%1$u\nr7 = *(u64 *)(r0 + 0)\na%1$u:\n",
	  END, 300 },
	{ "loops", "",
	  "r0 = 0\na%1$u: r1 = r4\nr1 += r0\nr2 = *(u8 *)(r1 + 0)\nif r2 == 0 goto b%1$u\nr0 += 1\nif r0 < 255 goto a%1$u\nb%1$u:\n", END, 30 },
	{ "loop in a loop", "r6 = 0\na: r7 = 0\n", "b: r7 += 1\nr1 = r4\nr1 += r7\n*(u8 *)(r1 + 0) = 1\nif r7 < 100 goto b\n",
	  "r6 += 1\nif r6 < 100 goto a\n" END, 1 },
};

static char *
long_program(size_t i)
{
	struct text text = { 0 };

	text_puts(&text, long_programs[i].head);
	for (unsigned n = 0; n < long_programs[i].n; n++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		text_printf(&text, long_programs[i].piece, n + 1);
#pragma GCC diagnostic pop
	}
	text_puts(&text, long_programs[i].tail);
	return text.s;
}

static void
test_long(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(long_programs); i++) {
		char *source = long_program(i);
		struct test_program program = { .source = source };
		struct loaded l = load(&program);
		struct text why = { 0 };

		if (vm_verify(l.object, l.func, &handler_signature, &why))
			fail_msg("%s: %s", long_programs[i].name, why.s);
		arena_free(l.arena);
		free(source);
	}
}

/* ---- the kernel's ------------------------------------------------------------------------------------------ */

static void
test_kernel(void **state)
{
	static char log[1 << 20];
	unsigned n_bad = 0;
	struct kernel kernel;
	int err = kernel_open(&kernel);

	if (err) {
		print_message("# the kernel does not let us: %s\n", strerror(-err));
		skip();
	}
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		struct loaded l = load(&programs[i]);
		const char *end;

		log[0] = '\0';
		err = kernel_verify(&kernel, l.object, log, sizeof(log));
		if (err && !programs[i].refused) {
			n_bad++;
			end = strlen(log) > 600 ? log + strlen(log) - 600 : log;
			print_error("%s: we accept, the kernel refuses (%s): ...%s\n", programs[i].name, strerror(-err), end);
		} else if (!err && programs[i].refused) {
			print_message("# stricter than the kernel: %s (%s)\n", programs[i].name, programs[i].refused);
		}
		arena_free(l.arena);
	}
	kernel_close(&kernel);
	assert_int_equal(n_bad, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_message),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
