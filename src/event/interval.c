/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * interval: how often a timer fires, as scripts write it: tick-2s, profile-10ms, profile-99hz, timer.tick("1sec", f).
 */
#include <string.h>

#include "event/event.h"

#define NS_PER_SECOND 1000000000u

static const struct unit {
	const char *name;
	uint64_t ns;   /* 0: the number is a frequency */
} units[] = {
	{ "s", NS_PER_SECOND }, { "sec", NS_PER_SECOND },
	{ "ms", 1000000 }, { "msec", 1000000 },
	{ "us", 1000 }, { "usec", 1000 },
	{ "hz", 0 },
};

static const struct unit *
find_unit(const char *s, uint32_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (strlen(units[i].name) == len && memcmp(units[i].name, s, len) == 0)
			return &units[i];
	return NULL;
}

const char *
interval_parse(const char *s, uint32_t len, uint64_t *ns)
{
	const struct unit *unit;
	uint64_t n = 0;
	uint32_t i;

	for (i = 0; i < len && s[i] >= '0' && s[i] <= '9'; i++) {
		n = n * 10 + (uint64_t)(s[i] - '0');
		if (n > UINT32_MAX)
			return "the number is above 4294967295";
	}
	if (i == 0)
		return "a number is needed";
	if (i == len)
		return "a unit is needed";
	unit = find_unit(s + i, len - i);
	if (!unit)
		return "the unit is unknown";
	if (n == 0)
		return "it must be more than 0";
	if (!unit->ns && n > 1000000)
		return "at most 1000000hz is possible";
	*ns = unit->ns ? n * unit->ns : NS_PER_SECOND / n;
	return NULL;
}

void
interval_report(struct diags *diags, struct span span, const char *s, const char *wrong)
{
	struct diag *diag = diag_error(diags, span, "bad-interval", "'%s' is not an interval: %s", s, wrong);

	diag_help(diags, diag, "a number and one of s, sec, ms, msec, us, usec, hz: tick-1s, profile-10ms, profile-99hz");
}
