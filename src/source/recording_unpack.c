/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Compressed parts of trace.dat, version 7: by zlib, which ktap needs anyway, and by zstd where ktap was built with it.
 */
#include <errno.h>
#include <string.h>
#include <zlib.h>
#if HAVE_ZSTD
#include <zstd.h>
#endif

#include "source/recording_dat.h"

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
