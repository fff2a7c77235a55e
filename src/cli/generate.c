/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * generate: `ktap generate WHAT` writes what would otherwise repeat the tables of options, subcommands, words and builtins: the manual
 * page, completions of shells, syntax files of editors, the list of builtins in docs/language.md. The build installs them.
 */
#include <string.h>

#include "cli/cli.h"

static const struct product {
	const char *name, *doc;
	void (*write)(FILE *out);
} products[] = {
	{ "man", "manual page ktap(1)", generate_man },
	{ "bash", "completion for bash", generate_bash },
	{ "zsh", "completion for zsh", generate_zsh },
	{ "fish", "completion for fish", generate_fish },
	{ "vim", "syntax file for Vim", generate_vim },
	{ "vscode", "TextMate grammar for VS Code and others", generate_vscode },
	{ "builtins", "the builtins as a table for docs/language.md", generate_builtins },
};

static void
list_products(FILE *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(products); i++)
		fprintf(out, "  %-10s %s\n", products[i].name, products[i].doc);
}

enum exit_status
generate_run(const struct args *args)
{
	const char *name = args->script_args[0];

	if (!name) {
		list_products(stdout);
		return STATUS_OK;
	}
	for (size_t i = 0; i < ARRAY_SIZE(products); i++) {
		if (strcmp(products[i].name, name) != 0)
			continue;
		products[i].write(stdout);
		return STATUS_OK;
	}
	complain("generate: there is no '%s'; what there is:", name);
	list_products(stderr);
	return STATUS_USAGE;
}
