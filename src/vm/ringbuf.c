/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The ring buffer: records of any length in the order in which they were reserved.
 *
 * Positions count bytes from the beginning and never wrap; the place in memory is position modulo size. A record that begins
 * before the end of the ring runs on behind it: the memory is twice the ring, so records are in one piece, and the part at
 * the start of the ring that such a record would have taken stays unused. What fits is therefore exactly what fits in the
 * kernel's, which maps the same pages twice; pages that no record reaches take no memory.
 *
 *     +--------------+-----------------+---------------------+
 *     | header, 8    | record          | padding to 8        |
 *     +--------------+-----------------+---------------------+
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vm/vm_int.h"

enum record_state { RECORD_BUSY, RECORD_READY, RECORD_DISCARDED };

struct record_header {
	uint32_t len;
	uint32_t state; /* enum record_state */
};

struct ringbuf {
	uint64_t size;     /* a power of two */
	uint64_t produced, consumed;
	_Alignas(16) char data[];
};

struct ringbuf *
ringbuf_new(uint32_t size)
{
	struct ringbuf *rb = mem_alloc(sizeof(*rb) + 2 * (size_t)size);

	if (rb)
		rb->size = size;
	return rb;
}

void
ringbuf_free(struct ringbuf *rb)
{
	free(rb);
}

static struct record_header *
header_at(struct ringbuf *rb, uint64_t position)
{
	return (struct record_header *)(rb->data + (position & (rb->size - 1)));
}

static uint64_t
record_size(uint64_t len)
{
	return round_up(sizeof(struct record_header) + len, 8);
}

void *
ringbuf_reserve(struct ringbuf *rb, uint64_t len)
{
	struct record_header *header;

	/* The kernel's rule: at least one byte stays free. */
	if (len > UINT32_MAX / 4 || rb->produced + record_size(len) - rb->consumed > rb->size - 1)
		return NULL;
	header = header_at(rb, rb->produced);
	rb->produced += record_size(len);
	header->len = (uint32_t)len;
	header->state = RECORD_BUSY;
	memset(header + 1, 0, len);
	return header + 1;
}

void
ringbuf_commit(void *record, bool discard)
{
	struct record_header *header = (struct record_header *)record - 1;

	header->state = discard ? RECORD_DISCARDED : RECORD_READY;
}

uint64_t
ringbuf_query(const struct ringbuf *rb, uint64_t what)
{
	switch (what) {
	case BPF_RB_AVAIL_DATA:
		return rb->produced - rb->consumed;
	case BPF_RB_RING_SIZE:
		return rb->size;
	case BPF_RB_CONS_POS:
		return rb->consumed;
	case BPF_RB_PROD_POS:
		return rb->produced;
	default:
		return 0;
	}
}

int
ringbuf_consume(struct ringbuf *rb, void (*fn)(void *arg, const void *record, size_t len), void *arg)
{
	int n = 0;

	while (rb->consumed < rb->produced) {
		struct record_header *header = header_at(rb, rb->consumed);
		uint64_t size = record_size(header->len);

		if (header->state == RECORD_BUSY)
			break;
		if (header->state == RECORD_READY) {
			fn(arg, header + 1, header->len);
			n++;
		}
		rb->consumed += size;
	}
	return n;
}
