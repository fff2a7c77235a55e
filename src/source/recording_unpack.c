/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Compressed parts of trace.dat, version 7, by zlib, which ktap needs anyway, and by zstd where ktap was built with it; and the compressed
 * records of perf.data, one stream of zstd.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#if HAVE_ZSTD
#include <zstd.h>
#endif

#include "source/recording_dat.h"

#define UNPACKED_MAX   (1ull << 32) /* bytes, of all parts together; */
#define UNPACKED_RATIO 1100         /* and so many times the file's: more no packer makes of events */
#define STREAM_START   (1u << 17)   /* bytes, at first */

bool
unpack_is_plausible(uint64_t packed_len, uint64_t len)
{
	return len <= UNPACKED_MAX && len / UNPACKED_RATIO <= packed_len;
}

static int
unpack_none(struct bytes in, unsigned char *out, size_t len)
{
	if (bytes_left(&in) != len)
		return -EINVAL;
	memcpy(out, in.at, len);
	return 0;
}

static int
unpack_zlib(struct bytes in, unsigned char *out, size_t len)
{
	uLongf got = len;

	return uncompress(out, &got, in.at, bytes_left(&in)) == Z_OK && got == len ? 0 : -EINVAL;
}

#if HAVE_ZSTD
static int
unpack_zstd(struct bytes in, unsigned char *out, size_t len)
{
	size_t got = ZSTD_decompress(out, len, in.at, bytes_left(&in));

	return !ZSTD_isError(got) && got == len ? 0 : -EINVAL;
}
#endif

static const struct {
	const char *name;
	int (*unpack)(struct bytes in, unsigned char *out, size_t len);
} algorithms[] = {
	{ "none", unpack_none },
	{ "zlib", unpack_zlib },
#if HAVE_ZSTD
	{ "zstd", unpack_zstd },
#endif
};

bool
unpack_knows(const char *algorithm)
{
	for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++)
		if (strcmp(algorithms[i].name, algorithm) == 0)
			return true;
	return false;
}

int
unpack(const char *algorithm, struct bytes in, unsigned char *out, size_t len)
{
	for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++)
		if (strcmp(algorithms[i].name, algorithm) == 0)
			return algorithms[i].unpack(in, out, len);
	return -EINVAL;
}

/* ---- a stream ----------------------------------------------------------------------------------------------------- */

#if HAVE_ZSTD
struct unpacker {
	ZSTD_DStream *zstd;
	size_t file_len;
	unsigned char *out;
	size_t len, cap;
};

int
unpacker_new(struct unpacker **made, size_t file_len)
{
	struct unpacker *unpacker = mem_alloc(sizeof(*unpacker));

	if (!unpacker)
		return -ENOMEM;
	unpacker->file_len = file_len;
	unpacker->zstd = ZSTD_createDStream();
	if (!unpacker->zstd) {
		free(unpacker);
		return -ENOMEM;
	}
	*made = unpacker;
	return 0;
}

static int
make_room(struct unpacker *unpacker)
{
	size_t cap = unpacker->cap ? 2 * unpacker->cap : STREAM_START;
	unsigned char *more;

	if (!unpack_is_plausible(unpacker->file_len, unpacker->len))
		return -EINVAL;
	more = mem_realloc(unpacker->out, cap);
	if (!more)
		return -ENOMEM;
	unpacker->out = more;
	unpacker->cap = cap;
	return 0;
}

/* What fills the room may be not all that the piece gives. */
int
unpacker_add(struct unpacker *unpacker, struct bytes piece)
{
	ZSTD_inBuffer in = { piece.at, bytes_left(&piece), 0 };
	int err = 0;

	while (err == 0 && (in.pos < in.size || unpacker->len == unpacker->cap)) {
		ZSTD_outBuffer out = { unpacker->out, unpacker->cap, unpacker->len };

		if (unpacker->len == unpacker->cap)
			err = make_room(unpacker);
		else if (ZSTD_isError(ZSTD_decompressStream(unpacker->zstd, &out, &in)))
			err = -EINVAL;
		else
			unpacker->len = out.pos;
	}
	return err;
}

struct bytes
unpacker_bytes(const struct unpacker *unpacker)
{
	return bytes_of(unpacker->out ? unpacker->out : (const unsigned char *)"", unpacker->len);
}

void
unpacker_free(struct unpacker *unpacker)
{
	ZSTD_freeDStream(unpacker->zstd);
	free(unpacker->out);
	free(unpacker);
}
#else
int
unpacker_new(struct unpacker **made, size_t file_len)
{
	return -EOPNOTSUPP;
}

int
unpacker_add(struct unpacker *unpacker, struct bytes piece)
{
	return -EOPNOTSUPP;
}

struct bytes
unpacker_bytes(const struct unpacker *unpacker)
{
	return bytes_of("", 0);
}

void
unpacker_free(struct unpacker *unpacker)
{
}
#endif
