/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * foreign: what to write instead of words of other tools (foreign.def), for the help of diagnostics.
 */
#include <string.h>

#include "lang/lex.h"

static const struct foreign {
	const char *word, *instead;
} names[] = {
#define FOREIGN_NAME(name, instead) { name, instead },
#define FOREIGN_CALL(builtin, instead)
#include "lang/foreign.def"
#undef FOREIGN_NAME
#undef FOREIGN_CALL
};

static const char *const calls[N_BUILTINS] = {
#define FOREIGN_NAME(name, instead)
#define FOREIGN_CALL(builtin, instead) [BUILTIN_##builtin] = instead,
#include "lang/foreign.def"
#undef FOREIGN_NAME
#undef FOREIGN_CALL
};

const char *
foreign_name(const char *name)
{
	if (strncmp(name, "arg", 3) == 0 && name[3] && strspn(name + 3, "0123456789") == strlen(name + 3))
		return "arg0 ... arg9 are the fields by number; args.NAME reads any by its name";
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i].word, name) == 0)
			return names[i].instead;
	return NULL;
}

bool
foreign_is_constant(const char *name)
{
	return name[0] && name[1] && strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == strlen(name);
}

const char *
foreign_call(const struct builtin *builtin)
{
	return calls[builtin->id];
}
