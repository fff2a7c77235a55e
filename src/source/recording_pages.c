/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Pages of the kernel's ring buffer (include/linux/ring_buffer.h, kernel/trace/ring_buffer.c; events/header_page and header_event of
 * tracefs):
 *
 *     0 time of the page, ns   8 bytes of events, flags   16 events ...
 *
 *     event: 5 bits type and length, 27 bits time since the event before
 *       1 to 28: so many words of record      29: padding, to the end of the page or as long as the next word says
 *       0: the next word has the length       30: more bits of time       31: the time itself
 *
 * Every length is checked against the page, and every page against the file; what does not fit ends the page and is damage.
 */
#include <string.h>

#include "source/recording_dat.h"

#define PAGE_HEADER   16
#define LEN_MASK      ((1u << 27) - 1)
#define MISSED_EVENTS (1u << 31) /* some were lost before this page; */
#define MISSED_STORED (1u << 30) /* how many stands behind its events */

#define TYPE_PADDING 29
#define TYPE_EXTEND  30
#define TYPE_STAMP   31
#define TIME_SHIFT   27
#define TIME_TOP     (0x1full << 59) /* bits that a stamp has no room for */

#define COMMON_PID 4
#define COMMON_SIZE 8
#define STACK_AT 16 /* of the addresses in an event that is a stack, behind its depth or its process */

static uint32_t
word_at(const unsigned char *at)
{
	uint32_t word;

	memcpy(&word, at, sizeof(word));
	return word;
}

static uint64_t
long_at(const unsigned char *at)
{
	uint64_t number;

	memcpy(&number, at, sizeof(number));
	return number;
}

void
pages_rewind(struct pages *pages)
{
	pages->page = NULL;
	pages->at = pages->end = NULL;
	pages->is_pending = false;
}

/* Of a page that is cut it is known that something is missing at its end. */
static void
damaged(struct pages *pages, const char *what)
{
	if (pages->page_left < pages->page_size) {
		pages->at = pages->end;
		return;
	}
	stream_damage(pages->recording, pages->stream, "CPU %u, page %zu, byte %zu: %s", pages->cpu,
		      (size_t)(pages->page - pages->data) / pages->page_size, (size_t)(pages->at - pages->page), what);
	pages->at = pages->end;
}

static void
count_lost(struct pages *pages, uint32_t commit, uint32_t len)
{
	uint64_t lost = 0;

	if (!(commit & MISSED_EVENTS))
		return;
	if ((commit & MISSED_STORED) && len + PAGE_HEADER + sizeof(lost) <= pages->page_left)
		lost = long_at(pages->page + PAGE_HEADER + len);
	stream_lost(pages->recording, pages->stream, lost ? lost : 1);
}

/* Begins the next page that has events. False: there is none. */
static bool
next_page(struct pages *pages)
{
	const unsigned char *end = pages->data + pages->len;
	uint32_t commit, len;

	do {
		pages->page = pages->page ? pages->page + pages->page_size : pages->data;
		if (pages->page >= end)
			return false;
		pages->page_left = (size_t)(end - pages->page) < pages->page_size ? (size_t)(end - pages->page) : pages->page_size;
		if (pages->page_left < pages->page_size)
			stream_damage(pages->recording, pages->stream, "CPU %u: the last page is cut", pages->cpu);
		if (pages->page_left < PAGE_HEADER)
			return false;
		pages->time = long_at(pages->page);
		commit = word_at(pages->page + 8);
		len = commit & LEN_MASK;
		pages->at = pages->end = pages->page + PAGE_HEADER;
		if (len > pages->page_size - PAGE_HEADER)
			damaged(pages, "the page says that it is longer than pages are");
		else
			pages->end += len < pages->page_left - PAGE_HEADER ? len : pages->page_left - PAGE_HEADER;
		count_lost(pages, commit, len);
	} while (pages->at == pages->end);
	return true;
}

/* Takes the length of an event that has it in a word of its own: `payload_len` without that word. False: damaged. */
static bool
take_long(struct pages *pages)
{
	uint32_t len;

	if ((size_t)(pages->end - pages->at) < 4)
		return false;
	len = word_at(pages->at);
	if (len < 4 || len - 4 > (size_t)(pages->end - pages->at) - 4)
		return false;
	pages->payload = pages->at + 4;
	pages->payload_len = len - 4;
	pages->at += 4 + ((len - 4 + 3) & ~3u);
	if (pages->at > pages->end)
		pages->at = pages->end;
	return true;
}

/* Steps over padding: a discarded event, or all that is left of the page. */
static void
skip_padding(struct pages *pages, uint32_t delta)
{
	size_t left = (size_t)(pages->end - pages->at);
	uint32_t len = left < 4 ? 0 : word_at(pages->at);

	if (!delta || left < 4 || len > left)
		pages->at = pages->end;
	else
		pages->at += len < 4 ? 4 : len;
}

/* Reads what changes the time, or nothing. True when an event was read. */
static bool
take_event(struct pages *pages)
{
	uint32_t word = word_at(pages->at), type = word & 31, delta = word >> 5;
	uint64_t time;

	pages->at += 4;
	switch (type) {
	case TYPE_PADDING:
		pages->time += delta;
		skip_padding(pages, delta);
		return false;
	case TYPE_EXTEND:
	case TYPE_STAMP:
		if ((size_t)(pages->end - pages->at) < 4) {
			damaged(pages, "a time is cut");
			return false;
		}
		time = (uint64_t)word_at(pages->at) << TIME_SHIFT | delta;
		pages->time = type == TYPE_EXTEND ? pages->time + time : (pages->time & TIME_TOP) | time;
		pages->at += 4;
		return false;
	case 0:
		if (take_long(pages))
			break;
		damaged(pages, "an event says that it is longer than its page");
		return false;
	default:
		if (4 * type > (size_t)(pages->end - pages->at)) {
			damaged(pages, "an event says that it is longer than its page");
			return false;
		}
		pages->payload = pages->at;
		pages->payload_len = 4 * type;
		pages->at += 4 * type;
	}
	pages->time += delta;
	return true;
}

/* Reads the next event of any kind into payload. False at the end. */
static bool
advance(struct pages *pages)
{
	for (;;) {
		if ((size_t)(pages->end - pages->at) < 4 && !next_page(pages))
			return false;
		if ((size_t)(pages->end - pages->at) < 4) {
			pages->at = pages->end;
			continue;
		}
		if (!take_event(pages))
			continue;
		if (pages->payload_len >= COMMON_SIZE)
			return true;
		damaged(pages, "an event is too short for its number");
	}
}

static uint32_t
payload_id(const struct pages *pages)
{
	return pages->payload[0] | (uint32_t)pages->payload[1] << 8;
}

/* Copies the addresses of a stack event: from `off` to its end or to the mark that ends it. */
static uint32_t
copy_stack(const struct pages *pages, uint32_t off, uint64_t *stack, uint32_t max)
{
	uint32_t n = 0;

	for (; n < max && off + 8 <= pages->payload_len; off += 8) {
		uint64_t address = long_at(pages->payload + off);

		if (address == UINT64_MAX || address == 0)
			break;
		stack[n++] = address;
	}
	return n;
}

/* Events that belong to the one before them: its stack in the kernel, and that in the process. */
static void
take_stacks(struct pages *pages, struct recorded *event)
{
	uint32_t id;

	while ((pages->is_pending = advance(pages))) {
		id = payload_id(pages);
		if (id == pages->stack_id) {
			event->n_stack = copy_stack(pages, STACK_AT, pages->stack, ARRAY_SIZE(pages->stack));
			event->stack = pages->stack;
		} else if (id == pages->ustack_id) {
			if (pages->payload_len >= STACK_AT)
				event->pid = word_at(pages->payload + COMMON_SIZE);
			event->n_ustack = copy_stack(pages, STACK_AT, pages->ustack, ARRAY_SIZE(pages->ustack));
			event->ustack = pages->ustack;
		} else {
			return;
		}
	}
}

bool
pages_next(struct pages *pages, struct recorded *event)
{
	if (!pages->is_pending && !advance(pages))
		return false;
	pages->is_pending = false;
	*event = (struct recorded){
		.time_ns = pages->time,
		.record = pages->payload,
		.len = pages->payload_len,
		.id = payload_id(pages),
		.cpu = pages->cpu,
		.tid = word_at(pages->payload + COMMON_PID),
	};
	if (pages->stack_id != UINT32_MAX || pages->ustack_id != UINT32_MAX)
		take_stacks(pages, event);
	return true;
}
