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
 * Any number of threads may reserve and commit at once, and one may consume meanwhile. Reserving takes a lock; a record that is
 * reserved and not yet committed holds up the consumer, not the other producers. The consumer can sleep on a descriptor: a commit
 * wakes it if it is the record that the consumer waits for, as in the kernel.
 */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vm/lock.h"
#include "vm/vm_int.h"

enum record_state { RECORD_BUSY, RECORD_READY, RECORD_DISCARDED };

/* `where` is the place of the header in the data, in units of 8 bytes, times 4, plus its enum record_state. */
struct record_header {
	uint32_t len;
	uint32_t where;
};

struct ringbuf {
	struct lock lock;  /* of those who reserve */
	uint64_t size;     /* a power of two */
	uint64_t produced; /* written under the lock */
	uint64_t consumed; /* written by the consumer */
	int event;         /* eventfd that wakes the consumer; -1 until somebody asks for it */
	_Alignas(16) char data[];
};

struct ringbuf *
ringbuf_new(uint32_t size)
{
	struct ringbuf *rb = mem_alloc(sizeof(*rb) + 2 * (size_t)size);

	if (!rb)
		return NULL;
	rb->size = size;
	rb->event = -1;
	return rb;
}

void
ringbuf_free(struct ringbuf *rb)
{
	if (!rb)
		return;
	if (rb->event >= 0)
		close(rb->event);
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

/* Of the consumer, who may ask for it at any time; -1: not yet. */
static int
event_of(const struct ringbuf *rb)
{
	return __atomic_load_n(&rb->event, __ATOMIC_ACQUIRE);
}

/* ---- producers --------------------------------------------------------------------------------------------- */

void *
ringbuf_reserve(struct ringbuf *rb, uint64_t len)
{
	struct record_header *header = NULL;
	uint64_t size = record_size(len);

	lock_take(&rb->lock);
	/* The kernel's rule: at least one byte stays free. */
	if (len <= UINT32_MAX / 4 && rb->produced + size - __atomic_load_n(&rb->consumed, __ATOMIC_ACQUIRE) <= rb->size - 1) {
		header = header_at(rb, rb->produced);
		header->len = (uint32_t)len;
		header->where = (uint32_t)(((char *)header - rb->data) / 8) << 2 | RECORD_BUSY;
		__atomic_store_n(&rb->produced, rb->produced + size, __ATOMIC_SEQ_CST);
	}
	lock_give(&rb->lock);
	if (!header)
		return NULL;
	memset(header + 1, 0, len);
	return header + 1;
}

void
ringbuf_commit(void *record, enum ringbuf_end end, uint64_t flags)
{
	struct record_header *header = (struct record_header *)record - 1;
	uint64_t off = (uint64_t)(header->where >> 2) * 8;
	struct ringbuf *rb = (struct ringbuf *)((char *)header - off - offsetof(struct ringbuf, data));
	uint32_t state = end == RINGBUF_DISCARD ? RECORD_DISCARDED : RECORD_READY;
	int event;
	bool awaited;

	/* First the state, then the look at the consumer, who does it the other way round: one of the two sees the other. */
	__atomic_store_n(&header->where, (header->where & ~3u) | state, __ATOMIC_SEQ_CST);
	event = event_of(rb);
	if (event < 0)
		return;
	awaited = (__atomic_load_n(&rb->consumed, __ATOMIC_SEQ_CST) & (rb->size - 1)) == off;
	if (flags & BPF_RB_FORCE_WAKEUP || (awaited && !(flags & BPF_RB_NO_WAKEUP)))
		(void)!write(event, &(uint64_t){ 1 }, sizeof(uint64_t)); /* it can only be full, and then it wakes anyway */
}

uint64_t
ringbuf_query(const struct ringbuf *rb, uint64_t what)
{
	uint64_t produced = __atomic_load_n(&rb->produced, __ATOMIC_ACQUIRE), consumed = __atomic_load_n(&rb->consumed, __ATOMIC_ACQUIRE);

	switch (what) {
	case BPF_RB_AVAIL_DATA:
		return produced - consumed;
	case BPF_RB_RING_SIZE:
		return rb->size;
	case BPF_RB_CONS_POS:
		return consumed;
	case BPF_RB_PROD_POS:
		return produced;
	default:
		return 0;
	}
}

/* ---- the consumer --------------------------------------------------------------------------------------------- */

int
ringbuf_fd(struct ringbuf *rb)
{
	int event = event_of(rb), made;

	if (event >= 0)
		return event;
	made = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK); /* what came before it existed may wait already */
	if (made < 0)
		return -errno;
	if (__atomic_compare_exchange_n(&rb->event, &event, made, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return made;
	close(made); /* another thread was first */
	return event;
}

int
ringbuf_consume(struct ringbuf *rb, void (*fn)(void *arg, const void *record, size_t len), void *arg)
{
	int event = event_of(rb), n = 0;
	uint64_t woken;

	if (event >= 0)
		(void)!read(event, &woken, sizeof(woken)); /* whatever it says, we look */
	while (rb->consumed < __atomic_load_n(&rb->produced, __ATOMIC_SEQ_CST)) {
		struct record_header *header = header_at(rb, rb->consumed);
		uint32_t state = __atomic_load_n(&header->where, __ATOMIC_SEQ_CST) & 3;

		if (state == RECORD_BUSY)
			break;
		if (state == RECORD_READY) {
			fn(arg, header + 1, header->len);
			n++;
		}
		__atomic_store_n(&rb->consumed, rb->consumed + record_size(header->len), __ATOMIC_SEQ_CST);
	}
	return n;
}
