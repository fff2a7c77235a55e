/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/* Kernel addresses as symbols, against /proc/kallsyms itself; skipped where it hides the addresses. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "output/output.h"

static struct symbols *
open_symbols(void)
{
	struct symbols *symbols = symbols_new();
	struct text why = { 0 };

	assert_non_null(symbols);
	if (symbols_error(symbols, &why) < 0) {
		print_message("# skipped: %s\n", why.s);
		text_fini(&why);
		symbols_free(symbols);
		skip();
	}
	return symbols;
}

static uint64_t
address_of(const char *name)
{
	FILE *file = fopen("/proc/kallsyms", "r");
	char line[512], found[256];
	uint64_t addr, result = 0;

	assert_non_null(file);
	while (!result && fgets(line, sizeof(line), file))
		if (sscanf(line, "%" SCNx64 " %*c %255s", &addr, found) == 2 && strcmp(found, name) == 0)
			result = addr;
	fclose(file);
	return result;
}

static void
known_function(void **state)
{
	struct symbols *symbols = open_symbols();
	uint64_t addr = address_of("vfs_read");
	struct text text = { 0 };
	uint64_t size = 0;

	assert_true(addr != 0);
	symbols_text(symbols, addr + 5, &text);
	assert_int_equal(sscanf(text.s, "vfs_read+0x5/0x%" SCNx64, &size), 1);
	assert_true(size > 5);
	text_clear(&text);
	symbols_text(symbols, addr, &text);
	assert_int_equal(strncmp(text.s, "vfs_read+0x0/", 13), 0);
	text_fini(&text);
	symbols_free(symbols);
}

static void
unknown_addresses(void **state)
{
	struct symbols *symbols = open_symbols();
	struct text text = { 0 };

	symbols_text(symbols, 0, &text);
	assert_string_equal(text.s, "0x0");
	text_clear(&text);
	symbols_text(symbols, 0x401000, &text);
	assert_string_equal(text.s, "0x401000");
	text_clear(&text);
	symbols_text(symbols, UINT64_MAX, &text);
	assert_string_equal(text.s, "0xffffffffffffffff");
	text_fini(&text);
	symbols_free(symbols);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(known_function),
		cmocka_unit_test(unknown_addresses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
