/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * builtins: the table of builtins, read from builtins.def.
 *
 * A row gives a prototype in the language's syntax; name, number of arguments and types are taken out of that text here, once, before
 * main() runs. From then on the table is constant.
 *
 *     prototype := name [ '(' [params] ')' ] [ ':' type ]
 *     params    := param {',' param} , the optional ones in brackets: stack([depth: int [, skip: int]]): stack
 */
#include <assert.h>
#include <limits.h>
#include <string.h>

#include "lang/lang.h"

#define NAME_MAX_LEN 32
#define TYPE_MAX_LEN 12

static struct builtin builtins[N_BUILTINS] = {
#define BUILTIN(id, prototype_, halves_, doc_, example_) \
	[BUILTIN_##id] = { BUILTIN_##id, .prototype = prototype_, .halves = halves_, .doc = doc_, .example = example_ },
#include "lang/builtins.def"
#undef BUILTIN
};

/* What the prototypes' parts are copied to, to be NUL-terminated. */
static struct names {
	char name[NAME_MAX_LEN];
	char result[TYPE_MAX_LEN];
} names[N_BUILTINS];

static void
copy_part(char *to, size_t size, const char *from, size_t len)
{
	assert(len < size);
	memcpy(to, from, len);
	to[len] = 0;
}

/* Counts parameters: those outside of brackets are needed. */
static void
count_params(struct builtin *builtin, const char *params, const char *end)
{
	unsigned optional = 0;

	for (const char *at = params; at < end; at++) {
		if (*at == '[')
			optional++;
		if (*at == ':') {
			builtin->max_args++;
			builtin->min_args += optional == 0;
		}
		if (strncmp(at, "...", 3) == 0) {
			builtin->max_args = UINT_MAX;
			return;
		}
	}
}

static void
read_prototype(struct builtin *builtin, struct names *parts)
{
	const char *prototype = builtin->prototype;
	size_t len = strcspn(prototype, "(:");
	const char *close = strrchr(prototype, ')'), *colon = strchr(close ? close : prototype, ':');

	copy_part(parts->name, sizeof(parts->name), prototype, len);
	builtin->name = parts->name;
	builtin->is_call = close != NULL;
	if (close)
		count_params(builtin, prototype + len + 1, close);
	if (colon) {
		colon += strspn(colon, ": ");
		copy_part(parts->result, sizeof(parts->result), colon, strlen(colon));
	}
}

static void __attribute__((constructor))
read_prototypes(void)
{
	for (unsigned id = 0; id < N_BUILTINS; id++)
		read_prototype(&builtins[id], &names[id]);
}

const struct builtin *
builtin_find(const char *name)
{
	for (unsigned id = 0; id < N_BUILTINS; id++)
		if (strcmp(builtins[id].name, name) == 0)
			return &builtins[id];
	return NULL;
}

const struct builtin *
builtin_get(enum builtin_id id)
{
	return &builtins[id];
}

const char *
builtin_result(const struct builtin *builtin)
{
	const char *result = names[builtin->id].result;

	return *result ? result : NULL;
}
