/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Helpers of dynptrs, with the meanings of bpf-helpers(7): memory whose size a program decides when it runs. The verifier has seen that
 * what they are given is a struct dynptr that one of them made, and that nobody wrote into it since. One that could not be made is
 * empty: everything fails on it, and giving it back does nothing.
 */
#include <errno.h>
#include <string.h>

#include "vm/vm_int.h"

#define DYNPTR_BYTES_MAX ((1u << 24) - 1)

/* In 16 bytes of the program's stack. */
struct dynptr {
	char *data; /* NULL: empty */
	uint64_t size;
};

_Static_assert(sizeof(struct dynptr) == 16, "as the kernel's, and as the verifier believes");

static struct dynptr *
dynptr_of(uint64_t value)
{
	return ptr(value);
}

/* -EINVAL or -E2BIG where the dynptr does not hold `len` bytes at `off`. */
static int64_t
check_part(const struct dynptr *dynptr, uint64_t off, uint64_t len, uint64_t flags)
{
	if (!dynptr->data || flags)
		return -EINVAL;
	return off > dynptr->size || len > dynptr->size - off ? -E2BIG : 0;
}

uint64_t
helper_dynptr_from_mem(struct vm_run *run, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5)
{
	struct dynptr *dynptr = dynptr_of(r4);

	*dynptr = (struct dynptr){ .data = NULL };
	if (r2 > DYNPTR_BYTES_MAX)
		return ERRNO(E2BIG);
	if (r3)
		return ERRNO(EINVAL);
	*dynptr = (struct dynptr){ .data = ptr(r1), .size = r2 };
	return 0;
}

uint64_t
helper_ringbuf_reserve_dynptr(struct vm_run *run, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5)
{
	struct dynptr *dynptr = dynptr_of(r4);
	uint32_t size = (uint32_t)r2;

	*dynptr = (struct dynptr){ .data = NULL };
	if (r3)
		return ERRNO(EINVAL);
	if (size > DYNPTR_BYTES_MAX)
		return ERRNO(E2BIG);
	dynptr->data = ptr(helper_ringbuf_reserve(run, r1, size, 0, 0, 0));
	if (!dynptr->data)
		return ERRNO(EINVAL);
	dynptr->size = size;
	return 0;
}

uint64_t
helper_ringbuf_submit_dynptr(struct vm_run *run, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5)
{
	if (dynptr_of(r1)->data)
		helper_ringbuf_submit(run, (uintptr_t)dynptr_of(r1)->data, r2, 0, 0, 0);
	return 0;
}

uint64_t
helper_ringbuf_discard_dynptr(struct vm_run *run, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5)
{
	if (dynptr_of(r1)->data)
		helper_ringbuf_discard(run, (uintptr_t)dynptr_of(r1)->data, r2, 0, 0, 0);
	return 0;
}

/* What cannot be read is zeros, so that what the program then looks at is never undefined. */
uint64_t
helper_dynptr_read(struct vm_run *run, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5)
{
	int64_t err = check_part(dynptr_of(r3), (uint32_t)r4, r2, r5);

	if (err)
		memset(ptr(r1), 0, r2);
	else
		memmove(ptr(r1), dynptr_of(r3)->data + (uint32_t)r4, r2);
	return (uint64_t)err;
}

uint64_t
helper_dynptr_write(struct vm_run *run, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5)
{
	int64_t err = check_part(dynptr_of(r1), (uint32_t)r2, r4, r5);

	if (!err)
		memmove(dynptr_of(r1)->data + (uint32_t)r2, ptr(r3), r4);
	return (uint64_t)err;
}

uint64_t
helper_dynptr_data(struct vm_run *run, uint64_t r1, uint64_t r2, uint64_t r3, uint64_t r4, uint64_t r5)
{
	return check_part(dynptr_of(r1), (uint32_t)r2, r3, 0) ? 0 : (uintptr_t)(dynptr_of(r1)->data + (uint32_t)r2);
}
