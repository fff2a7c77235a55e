/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The debugging switches of `ktap -d`, read from stages.def. The flags are the one global of the program that is not constant.
 */
#include <errno.h>
#include <string.h>

#include "base/base.h"

static const struct {
	const char *name, *doc;
	enum { COMPILES, RUNS } when;
} stages[] = {
#define STAGE(id, name, when, doc) [DEBUG_##id] = { name, doc, when },
#include "base/stages.def"
#undef STAGE
};

static bool enabled[N_DEBUG_STAGES];

static int
stage_find(const char *name, size_t len)
{
	for (int i = 0; i < N_DEBUG_STAGES; i++) {
		if (strlen(stages[i].name) == len && !memcmp(stages[i].name, name, len))
			return i;
	}
	return -EINVAL;
}

int
debug_enable(const char *list, const char **bad)
{
	for (const char *word = list;; word++) {
		size_t len = strcspn(word, ",");
		int stage = stage_find(word, len);

		if (stage < 0) {
			*bad = word;
			return stage;
		}
		enabled[stage] = true;
		word += len;
		if (!*word)
			return 0;
	}
}

bool
debug_on(enum debug_stage stage)
{
	return enabled[stage];
}

bool
debug_compiles_only(void)
{
	bool any = false;

	for (int i = 0; i < N_DEBUG_STAGES; i++) {
		if (enabled[i] && stages[i].when == RUNS)
			return false;
		any |= enabled[i];
	}
	return any;
}

const char *
debug_name(enum debug_stage stage)
{
	return stages[stage].name;
}

void
debug_list(FILE *out)
{
	for (int i = 0; i < N_DEBUG_STAGES; i++)
		fprintf(out, "  %-8s %s\n", stages[i].name, stages[i].doc);
}
