/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What stands before the events in trace.dat, and in perf.data's tracing data: how events are laid out, names of functions and threads
 * (trace-cmd.dat.v6(5), trace-cmd.dat.v7(5)). Version 6 has one part behind the other, version 7 each in a section of its own.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "source/recording_dat.h"

/* In the description of pages: "field: local_t commit;  offset:8;  size:4;" on 32-bit machines. */
static bool
says_32_bit(struct bytes text)
{
	static const char commit[] = "commit;", size[] = "size:";
	const char *at = memmem(text.at, bytes_left(&text), commit, sizeof(commit) - 1);

	if (at)
		at = memmem(at, (size_t)((const char *)text.end - at), size, sizeof(size) - 1);
	return at && (const char *)text.end - at > (long)sizeof(size) && at[sizeof(size) - 1] == '4';
}

bool
header_page(struct recording *recording, struct bytes *in)
{
	static const char page[] = "header_page", event[] = "header_event";
	bool is_32_bit = take_bytes(in, page, sizeof(page)) && says_32_bit(take_block(in, take_u64(in)));

	if (take_bytes(in, event, sizeof(event)))
		take_block(in, take_u64(in));
	else
		recording_damage(recording, "the description of pages is not where it should be");
	return !is_32_bit;
}

static void
one_format(struct recording *recording, struct bytes *in, const char *system)
{
	struct bytes format = take_block(in, take_u64(in));

	if (in->is_short)
		return;
	if (!events_add_format(recording->events, system, (const char *)format.at, bytes_left(&format)))
		recording_damage(recording, "an event of '%s' has a format that cannot be read", system);
}

void
header_ftrace_formats(struct recording *recording, struct bytes *in)
{
	uint32_t n = take_u32(in);

	for (uint32_t i = 0; i < n && !in->is_short; i++)
		one_format(recording, in, "ftrace");
	if (in->is_short)
		recording_damage(recording, "the formats of ftrace's own events are cut");
}

void
header_event_formats(struct recording *recording, struct bytes *in)
{
	uint32_t n_systems = take_u32(in), n;

	for (uint32_t i = 0; i < n_systems && !in->is_short; i++) {
		const char *system = take_cstring(in);

		n = take_u32(in);
		for (uint32_t k = 0; k < n && !in->is_short; k++)
			one_format(recording, in, system);
	}
	if (in->is_short)
		recording_damage(recording, "the formats of events are cut");
}

void
header_kallsyms(struct recording *recording, struct bytes in)
{
	recording->kallsyms = (const char *)in.at;
	recording->kallsyms_len = bytes_left(&in);
}

/* Reads a decimal number at the start of a line; the blank behind it is passed over. */
static bool
line_number(const char **at, const char *end, uint32_t *number)
{
	uint64_t value = 0;
	const char *start = *at;

	for (; *at < end && **at >= '0' && **at <= '9' && value <= INT32_MAX; ++*at)
		value = 10 * value + (uint64_t)(**at - '0');
	*number = (uint32_t)value;
	if (*at == start || *at == end || **at != ' ' || value > INT32_MAX)
		return false;
	++*at;
	return true;
}

/* Where the text of a line ends: at the newline before the next number, since names may hold newlines. */
static const char *
text_end(const char *at, const char *end)
{
	uint32_t number;

	for (; (at = memchr(at, '\n', (size_t)(end - at))); at++) {
		const char *next = at + 1;

		if (next == end || line_number(&next, end, &number))
			return at;
	}
	return end;
}

/* Lines "NUMBER TEXT". */
static void
each_line(struct recording *recording, struct bytes in, const char *what,
	  void (*fn)(struct recording *recording, uint32_t number, const char *text, size_t len))
{
	const char *at = (const char *)in.at, *end = (const char *)in.end, *newline;
	uint32_t number;

	for (; at < end; at = newline + 1) {
		newline = text_end(at, end);
		if (line_number(&at, newline, &number))
			fn(recording, number, at, (size_t)(newline - at));
		else if (newline > at && *at)
			recording_damage(recording, "a line of the %s is none", what);
	}
}

static void
one_comm(struct recording *recording, uint32_t tid, const char *comm, size_t len)
{
	char copy[16] = { 0 };

	memcpy(copy, comm, len < sizeof(copy) ? len : sizeof(copy) - 1);
	tasks_set(&recording->tasks, tid, 0, copy);
}

void
header_cmdlines(struct recording *recording, struct bytes in)
{
	each_line(recording, in, "names of threads", one_comm);
}

static void
one_pid(struct recording *recording, uint32_t tid, const char *text, size_t len)
{
	char copy[16] = { 0 };
	long pid;

	memcpy(copy, text, len < sizeof(copy) ? len : sizeof(copy) - 1);
	pid = strtol(copy, NULL, 10);
	if (pid > 0 && pid <= INT32_MAX)
		tasks_set(&recording->tasks, tid, (uint32_t)pid, NULL);
}

void
header_tgids(struct recording *recording, struct bytes in)
{
	recording->holds |= HOLDS_PIDS;
	each_line(recording, in, "processes of threads", one_pid);
}
