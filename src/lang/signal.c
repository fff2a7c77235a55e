/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * signal: which signals a script handles with `trace signal:SIGUSR1 { }`. The kernel's tracepoints of the group `signal`
 * (signal:signal_generate, signal:signal_deliver) are written alike; "signal:SIG" in front tells the two apart.
 */
#include <string.h>

#include "lang/lex.h"

static const struct signal {
	const char *name;
	const char *refused; /* why a script cannot handle it; NULL: it can */
} signals[] = {
#define SIGNAL_HANDLED(name)         { #name, NULL },
#define SIGNAL_REFUSED(name, reason) { #name, reason },
#include "lang/signals.def"
#undef SIGNAL_HANDLED
#undef SIGNAL_REFUSED
};

const char signal_choices[] =
#define SIGNAL_HANDLED(name) " " #name
#define SIGNAL_REFUSED(name, reason)
#include "lang/signals.def"
#undef SIGNAL_HANDLED
#undef SIGNAL_REFUSED
	;

const char *
signal_of_event(const char *pattern)
{
	static const char group[] = "signal:";

	if (strncmp(pattern, "signal:SIG", strlen("signal:SIG")) != 0)
		return NULL;
	return pattern + strlen(group);
}

const char *
signal_refusal(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		if (strcmp(signals[i].name, name) == 0)
			return signals[i].refused;
	return "it is unknown here";
}
