/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Reading of a file in memory that may lie about its sizes: what is not there reads as zeros and as an empty block, and is remembered.
 * Numbers are little-endian.
 */
#ifndef KTAP_RECORDING_BYTES_H
#define KTAP_RECORDING_BYTES_H

#include <string.h>

#include "base/base.h"

struct bytes {
	const unsigned char *at, *end;
	bool is_short; /* more was asked than there is */
};

static inline struct bytes
bytes_of(const void *data, size_t len)
{
	return (struct bytes){ data, (const unsigned char *)data + len, false };
}

static inline size_t
bytes_left(const struct bytes *in)
{
	return (size_t)(in->end - in->at);
}

/* The next `len` bytes as a block of their own; where there are fewer, an empty one. */
static inline struct bytes
take_block(struct bytes *in, uint64_t len)
{
	struct bytes block = { in->at, in->at, false };

	if (len > bytes_left(in)) {
		in->is_short = true;
		in->at = in->end;
		return block;
	}
	in->at += len;
	block.end = in->at;
	return block;
}

static inline uint64_t
take_uint(struct bytes *in, size_t size)
{
	struct bytes block = take_block(in, size);
	uint64_t number = 0;

	memcpy(&number, block.at, bytes_left(&block));
	return number;
}

static inline uint16_t
take_u16(struct bytes *in)
{
	return (uint16_t)take_uint(in, 2);
}

static inline uint32_t
take_u32(struct bytes *in)
{
	return (uint32_t)take_uint(in, 4);
}

static inline uint64_t
take_u64(struct bytes *in)
{
	return take_uint(in, 8);
}

/* A string up to its NUL; "" where there is none. Lies in the file. */
static inline const char *
take_cstring(struct bytes *in)
{
	const char *s = (const char *)in->at;
	const unsigned char *nul = bytes_left(in) ? memchr(in->at, 0, bytes_left(in)) : NULL;

	if (!nul) {
		in->is_short = true;
		in->at = in->end;
		return "";
	}
	in->at = nul + 1;
	return s;
}

/* Steps over these bytes if they come next. */
static inline bool
take_bytes(struct bytes *in, const void *expected, size_t len)
{
	if (bytes_left(in) < len || memcmp(in->at, expected, len) != 0)
		return false;
	in->at += len;
	return true;
}

#endif
