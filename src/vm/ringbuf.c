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
 *
 * Any number of threads may reserve and commit, and one at a time consume, all at once. A record is seen by the consumer when its
 * header says that it is being written, and is read when it says that it is ready.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vm/lock.h"
#include "vm/vm_int.h"

enum record_state { RECORD_BUSY, RECORD_READY, RECORD_DISCARDED };

struct record_header {
	uint32_t len;
	uint32_t state; /* enum record_state */
};

struct ringbuf {
	uint64_t size;     /* a power of two */
	uint64_t produced; /* written by who holds the lock */
	uint64_t consumed; /* written by the consumer */
	struct lock lock;
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

/* Under the lock. NULL: full. */
static struct record_header *
next_header(struct ringbuf *rb, uint64_t len)
{
	uint64_t consumed = __atomic_load_n(&rb->consumed, __ATOMIC_ACQUIRE);
	struct record_header *header;

	/* The kernel's rule: at least one byte stays free. */
	if (rb->produced + record_size(len) - consumed > rb->size - 1)
		return NULL;
	header = header_at(rb, rb->produced);
	header->len = (uint32_t)len;
	header->state = RECORD_BUSY;
	__atomic_store_n(&rb->produced, rb->produced + record_size(len), __ATOMIC_RELEASE);
	return header;
}

void *
ringbuf_reserve(struct ringbuf *rb, uint64_t len)
{
	struct record_header *header;

	if (len > UINT32_MAX / 4)
		return NULL;
	lock_take(&rb->lock);
	header = next_header(rb, len);
	lock_give(&rb->lock);
	if (!header)
		return NULL;
	memset(header + 1, 0, len);
	return header + 1;
}

void
ringbuf_commit(void *record, bool discard)
{
	struct record_header *header = (struct record_header *)record - 1;

	__atomic_store_n(&header->state, discard ? RECORD_DISCARDED : RECORD_READY, __ATOMIC_RELEASE);
}

uint64_t
ringbuf_query(const struct ringbuf *rb, uint64_t what)
{
	switch (what) {
	case BPF_RB_AVAIL_DATA:
		return __atomic_load_n(&rb->produced, __ATOMIC_RELAXED) - __atomic_load_n(&rb->consumed, __ATOMIC_RELAXED);
	case BPF_RB_RING_SIZE:
		return rb->size;
	case BPF_RB_CONS_POS:
		return __atomic_load_n(&rb->consumed, __ATOMIC_RELAXED);
	case BPF_RB_PROD_POS:
		return __atomic_load_n(&rb->produced, __ATOMIC_RELAXED);
	default:
		return 0;
	}
}

int
ringbuf_consume(struct ringbuf *rb, void (*fn)(void *arg, const void *record, size_t len), void *arg)
{
	int n = 0;

	while (rb->consumed < __atomic_load_n(&rb->produced, __ATOMIC_ACQUIRE)) {
		struct record_header *header = header_at(rb, rb->consumed);
		uint32_t state = __atomic_load_n(&header->state, __ATOMIC_ACQUIRE);
		uint64_t size = record_size(header->len);

		if (state == RECORD_BUSY)
			break;
		if (state == RECORD_READY) {
			fn(arg, header + 1, header->len);
			n++;
		}
		__atomic_store_n(&rb->consumed, rb->consumed + size, __ATOMIC_RELEASE);
	}
	return n;
}
