/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * The ring buffer of records (source/kernel_ring.c), on memory as Documentation/bpf/ringbuf.rst describes it: what a writer on another CPU has not
 * finished yet.
 */
#include <fcntl.h>
#include <linux/bpf.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "source/kernel_int.h"

enum { PAGE = 4096, SIZE = 4096 };

struct fixture {
	int fd;
	char *memory; /* the reader's position, the writers', the data */
	struct record_ring *ring;
	uint64_t sum; /* of what was read, a digit a record */
};

static int
setup(void **state)
{
	static struct fixture f;

	f = (struct fixture){ .fd = memfd_create("ring", MFD_CLOEXEC) };
	if (f.fd < 0 || ftruncate(f.fd, 2 * PAGE + 2 * SIZE))
		return -1;
	f.memory = mmap(NULL, 2 * PAGE + SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f.fd, 0);
	f.ring = ring_open(f.fd, SIZE);
	*state = &f;
	return f.memory == MAP_FAILED || !f.ring ? -1 : 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	ring_close(f->ring);
	munmap(f->memory, 2 * PAGE + SIZE);
	return close(f->fd);
}

/* The header of the record number i, each of 8 bytes behind 8 of header. */
static uint32_t *
header(struct fixture *f, unsigned i)
{
	return (uint32_t *)(void *)(f->memory + 2 * PAGE + 16 * i);
}

/* Record number i, whose bytes are the number `value`, as far as its header says. */
static void
put(struct fixture *f, unsigned i, uint64_t value, uint32_t bits)
{
	memcpy(header(f, i) + 2, &value, sizeof(value));
	__atomic_store_n(header(f, i), (uint32_t)sizeof(value) | bits, __ATOMIC_RELEASE);
	__atomic_store_n((uint64_t *)(void *)(f->memory + PAGE), 16 * (i + 1), __ATOMIC_RELEASE);
}

static void
take(void *arg, const void *record, size_t len)
{
	struct fixture *f = arg;
	uint64_t value;

	assert_int_equal(len, sizeof(value));
	memcpy(&value, record, sizeof(value));
	f->sum = 10 * f->sum + value;
}

/* The writer, some time later. */
static void *
finish_second(void *arg)
{
	struct fixture *f = arg;

	usleep(1000);
	put(f, 3, 4, 0); /* another one, begun before the second was whole */
	__atomic_store_n(header(f, 1), (uint32_t)sizeof(uint64_t), __ATOMIC_RELEASE);
	return NULL;
}

/* A reader stops at what is not finished, and goes on when it is. */
static void
busy_ends_a_reading(void **state)
{
	struct fixture *f = *state;

	put(f, 0, 1, 0);
	put(f, 1, 2, BPF_RINGBUF_BUSY_BIT);
	put(f, 2, 3, 0);
	assert_int_equal(ring_read(f->ring, 10, take, f), 1);
	put(f, 1, 2, 0);
	put(f, 2, 3, 0);
	assert_int_equal(ring_read(f->ring, 10, take, f), 2);
	assert_int_equal(f->sum, 123);
}

/* The last reading waits for what is being written, and has what is behind it. */
static void
complete_waits(void **state)
{
	struct fixture *f = *state;
	pthread_t writer;

	put(f, 0, 1, 0);
	put(f, 1, 2, BPF_RINGBUF_BUSY_BIT);
	put(f, 2, 3, BPF_RINGBUF_DISCARD_BIT);
	assert_int_equal(pthread_create(&writer, NULL, finish_second, f), 0);
	ring_complete(f->ring);
	assert_int_equal(ring_read(f->ring, 10, take, f), 3);
	assert_int_equal(f->sum, 124);
	pthread_join(writer, NULL);
}

/* A writer that never finishes is not waited for, for ever. */
static void
complete_gives_up(void **state)
{
	struct fixture *f = *state;

	put(f, 0, 1, 0);
	put(f, 1, 2, BPF_RINGBUF_BUSY_BIT);
	ring_complete(f->ring);
	assert_int_equal(ring_read(f->ring, 10, take, f), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(busy_ends_a_reading, setup, teardown),
		cmocka_unit_test_setup_teardown(complete_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(complete_gives_up, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
