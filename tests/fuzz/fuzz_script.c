/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Fuzz target: any bytes as a script, through lexer, parser, names and halves, with all that is printed of them. Whatever the bytes: no
 * crash, no sanitizer report, and at most a second for a script of the greatest length.
 *
 *     clang -fsanitize=fuzzer,address,undefined ... tests/fuzz/fuzz_script.c     fuzzes
 *     gcc -DFUZZ_REPLAY ... tests/fuzz/fuzz_script.c                            runs files (or standard input) once
 */
#include <stdlib.h>
#include <string.h>

#include "lang/lang.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	FILE *sink = fopen("/dev/null", "w");
	struct script script;
	struct diags diags;
	struct tree *tree;
	char *text;

	if (size > SCRIPT_MAX_LEN)
		size = SCRIPT_MAX_LEN;
	text = arena_strndup(arena, (const char *)data, size);
	script_init(&script, arena, "(fuzz)", text, (uint32_t)size);
	diags_init(&diags, arena, &script);
	tree = parse(arena, &script, &diags);
	resolve_names(tree, &diags);
	split_halves(tree, &diags);
	if (sink) {
		lex_print(arena, &script, sink);
		tree_print(tree, sink);
		diags_print(&diags, sink);
		fclose(sink);
	}
	node_clone(arena, tree->main->body);
	arena_free(arena);
	return 0;
}

#ifdef FUZZ_REPLAY
static void
replay(FILE *in)
{
	uint8_t *data = malloc(SCRIPT_MAX_LEN);

	if (data)
		LLVMFuzzerTestOneInput(data, fread(data, 1, SCRIPT_MAX_LEN, in));
	free(data);
}

int
main(int argc, char **argv)
{
	if (argc < 2)
		replay(stdin);
	for (int i = 1; i < argc; i++) {
		FILE *in = fopen(argv[i], "rb");

		if (!in) {
			perror(argv[i]);
			return EXIT_FAILURE;
		}
		replay(in);
		fclose(in);
	}
	return EXIT_SUCCESS;
}
#endif
