/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The ring buffer of records, read in batches. As Documentation/bpf/ringbuf.rst has it: a page with the reader's position, a
 * page with the writers', then the data, mapped twice so that no record is cut.
 *
 *     position: bytes since the beginning      record: | length, busy and discard bits : 32 | 32 bits | bytes ... |
 *
 * Own code in place of libbpf's reader for two reasons that make the difference between one and two million records a second:
 *
 * - the reader's position is told to the kernel once a batch, not once a record: each time is a cache line that goes from one CPU
 *   to the other, and back with the next record that is written;
 * - the kernel wakes a reader when a record is written that the reader's position has come up to. So while we look at the ring again
 *   by ourselves before long, the last record read is held back: nobody is woken. ring_settle gives it back before we sleep.
 */
#include <errno.h>
#include <linux/bpf.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "source/kernel_int.h"

#define TELL_EVERY 65536     /* bytes, unless the ring is small: then a quarter of it */
#define WHOLE_NS   1000000000 /* a record takes microseconds, unless its writer's CPU is not there (of a virtual machine) */

struct record_ring {
	size_t page, size;          /* bytes */
	uint64_t *consumer;         /* ours */
	const uint64_t *producer;
	const char *data;
	uint64_t read;              /* position behind the last record read */
	uint64_t last;              /* of that record; told is never above it before ring_settle */
};

struct record_ring *
ring_open(int fd, size_t size)
{
	struct record_ring *ring = mem_alloc(sizeof(*ring));
	void *memory;

	if (!ring)
		return NULL;
	ring->page = (size_t)sysconf(_SC_PAGESIZE);
	ring->size = size;
	memory = mmap(NULL, ring->page, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		goto fail;
	ring->consumer = memory;
	memory = mmap(NULL, ring->page + 2 * size, PROT_READ, MAP_SHARED, fd, (off_t)ring->page);
	if (memory == MAP_FAILED)
		goto fail;
	ring->producer = memory;
	ring->data = (const char *)memory + ring->page;
	ring->read = ring->last = *ring->consumer;
	return ring;
fail:
	ring_close(ring);
	return NULL;
}

void
ring_close(struct record_ring *ring)
{
	int error = errno;

	if (!ring)
		return;
	if (ring->consumer)
		munmap(ring->consumer, ring->page);
	if (ring->producer)
		munmap((void *)(uintptr_t)ring->producer, ring->page + 2 * ring->size);
	free(ring);
	errno = error; /* why opening failed */
}

static void
tell(struct record_ring *ring, uint64_t position)
{
	__atomic_store_n(ring->consumer, position, __ATOMIC_RELEASE);
}

/* The record at a position; *header is what stands before it. */
static const char *
record_at(const struct record_ring *ring, uint64_t position, uint32_t *header)
{
	const char *at = ring->data + (position & (ring->size - 1));

	*header = __atomic_load_n((const uint32_t *)(const void *)at, __ATOMIC_ACQUIRE);
	return at + BPF_RINGBUF_HDR_SZ;
}

int
ring_read(struct record_ring *ring, int max, void (*fn)(void *arg, const void *record, size_t len), void *arg)
{
	uint64_t end = __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE), told = ring->last;
	uint64_t every = ring->size / 4 < TELL_EVERY ? ring->size / 4 : TELL_EVERY;
	int n = 0;

	while (ring->read < end && n < max) {
		uint32_t header, len;
		const char *record = record_at(ring, ring->read, &header);

		if (header & BPF_RINGBUF_BUSY_BIT)
			break;
		len = header & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
		if (!(header & BPF_RINGBUF_DISCARD_BIT)) {
			fn(arg, record, len);
			n++;
		}
		ring->last = ring->read;
		ring->read += round_up(len + BPF_RINGBUF_HDR_SZ, 8);
		if (ring->last - told >= every)
			tell(ring, told = ring->last);
	}
	if (ring->last != told)
		tell(ring, ring->last);
	return n;
}

void
ring_settle(struct record_ring *ring)
{
	if (ring->last != ring->read)
		tell(ring, ring->last = ring->read);
}

void
ring_complete(struct record_ring *ring)
{
	uint64_t at = ring->read, deadline = clock_now() + WHOLE_NS;

	while (at < __atomic_load_n(ring->producer, __ATOMIC_ACQUIRE)) {
		uint32_t header;

		record_at(ring, at, &header);
		if (!(header & BPF_RINGBUF_BUSY_BIT))
			at += round_up((header & ~BPF_RINGBUF_DISCARD_BIT) + BPF_RINGBUF_HDR_SZ, 8);
		else if (clock_now() < deadline)
			sched_yield();
		else
			return;
	}
}
