/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * ktap-conformance-plugin, run as the public suite runs it: the program as hex bytes on standard input, memory as an argument, r0 in
 * hex on standard output. Results are those of RFC 9669, worked out by hand. KTAP_PLUGIN names the executable.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "ebpf/ebpf.h"

struct test {
	const char *source;   /* assembly; NULL: `raw` */
	const char *raw;      /* what goes to standard input */
	const char *arguments;
	int status;
	const char *out;
};

static const struct test tests_of_plugin[] = {
	{ "r0 = 42\nexit", NULL, "", 0, "2a" },
	{ "r0 = -1\nexit", NULL, "", 0, "ffffffffffffffff" },
	{ "r0 = r1\nr0 += r2\nexit", NULL, "", 0, "0" },
	{ "r0 = r2\nexit", NULL, "'aa bb cc'", 0, "3" },
	{ "r0 = *(u16 *)(r1 + 1)\nexit", NULL, "aabbcc", 0, "ccbb" },
	{ "r0 = 0x1122334455667788 ll\nexit", NULL, "", 0, "1122334455667788" },
	{ "r0 = 0\nr0 += 1\nif r0 < 10 goto -2\nexit", NULL, "", 0, "a" },
	/* What the kernel refuses and the RFC has a meaning for. */
	{ "r0 = 1\nr0 <<= 65\nexit", NULL, "", 0, "2" },
	{ "w0 = 1\nw0 <<= 33\nexit", NULL, "", 0, "2" },
	{ "r0 = -8\nr0 s>>= 65\nexit", NULL, "", 0, "fffffffffffffffc" },
	{ "r0 = 7\nr0 /= 0\nexit", NULL, "", 0, "0" },
	{ "r0 = 7\nr0 %= 0\nexit", NULL, "", 0, "7" },
	{ "r0 = 7\nr0 s/= 0\nexit", NULL, "", 0, "0" },
	{ "r0 = 7\nexit\nr0 = 8\nexit", NULL, "", 0, "7" },
	/* Calls within the program: one function, and one that calls another behind it; (5 * 2) + 1. */
	{ "r1 = 5\ncall pc+1\nexit\nr1 *= 2\ncall pc+1\nexit\nr0 = r1\nr0 += 1\nexit", NULL, "", 0, "b" },
	{ "r1 = 5\ncall pc+9\nexit", NULL, "", 1, "" },
	/* Helper 5 ends the program when its argument is 0. */
	{ "r0 = 9\nr1 = 0\ncall 5\nr0 = 2\nexit", NULL, "", 0, "0" },
	{ "r0 = 9\nr1 = 6\ncall 5\nr0 += 2\nexit", NULL, "", 0, "8" },
	/* The same by a register: as tests/callx.data of the suite has it; where it ends the program; another helper; the address of a function. */
	{ "r1 = -1\nr2 = 5\ncallx r2\nr0 = 2\nexit", NULL, "", 0, "2" },
	{ "r0 = 9\nr1 = 0\nr2 = 5\ncallx r2\nr0 = 2\nexit", NULL, "", 0, "0" },
	{ "r0 = 9\nr1 = 6\nr0 = 5\ncallx r0\nr0 += 2\nexit", NULL, "", 0, "8" },
	{ "r9 = 14\ncallx r9\nr0 *= 0\nexit", NULL, "", 0, "0" },
	{ "r1 = 5\nr2 = function pc+3 ll\ncallx r2\nexit\nr0 = r1\nr0 += 1\nexit", NULL, "", 0, "6" },
	{ "r1 = 5\nr2 = function pc+9 ll\ncallx r2\nexit", NULL, "", 1, "" },
	{ "callx r1\nexit", NULL, "", 1, "" },
	/* Refused, or wrong. */
	{ "r0 = *(u8 *)(r1 + 3)\nexit", NULL, "aabbcc", 1, "" },
	{ "r0 = r3\nexit", NULL, "", 1, "" },
	{ NULL, "b7 00", "", 2, "" },
	{ NULL, "zz", "", 2, "" },
	{ "r0 = 0\nexit", NULL, "xyz", 2, "" },
	{ "r0 = 0\nexit", NULL, "--elf", 2, "" },
};

static const char *
hex_of(struct arena *arena, const char *source)
{
	struct text why = { 0 }, hex = { 0 };
	const char *result;
	struct code code;

	code_init(&code, arena);
	if (asm_text(&code, source, &why))
		fail_msg("%s: %s", source, why.s);
	for (size_t i = 0; i < code.n * sizeof(*code.insns); i++)
		text_printf(&hex, "%02x ", ((const uint8_t *)code.insns)[i]);
	result = arena_strdup(arena, hex.s);
	text_fini(&hex);
	return result;
}

static unsigned
check(const struct test *test, const char *option)
{
	struct arena *arena = arena_new();
	const char *in = test->source ? hex_of(arena, test->source) : test->raw;
	char line[64] = "";
	FILE *out = popen(arena_printf(arena, "echo '%s' | %s %s %s 2>/dev/null", in, getenv("KTAP_PLUGIN"), test->arguments, option), "r");
	unsigned n_bad = 0;
	int status;

	assert_non_null(out);
	if (!fgets(line, sizeof(line), out))
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	status = WEXITSTATUS(pclose(out));
	if (status != test->status || strcmp(line, test->out) != 0) {
		n_bad = 1;
		print_error("%s %s %s: status %d, \"%s\" instead of %d, \"%s\"\n", test->source ? test->source : test->raw, test->arguments, option,
			    status, line, test->status, test->out);
	}
	arena_free(arena);
	return n_bad;
}

static void
test_plugin(void **state)
{
	static const char *const options[] = { "", "--interpret" };
	unsigned n_bad = 0;

	if (!getenv("KTAP_PLUGIN"))
		fail_msg("KTAP_PLUGIN must name the plugin");
	for (size_t i = 0; i < ARRAY_SIZE(tests_of_plugin); i++)
		for (size_t o = 0; o < ARRAY_SIZE(options); o++)
			n_bad += check(&tests_of_plugin[i], options[o]);
	assert_int_equal(n_bad, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plugin),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
