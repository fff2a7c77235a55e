/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * What the fuzz targets of recordings share: open, go through all events twice (names, then as text), close. Whatever bytes come, they
 * are refused with a message, or read as far as they can be read.
 *
 * Where files are replayed, each is also tried cut at many places and with bits turned over, the same ones each time.
 */
#ifndef FUZZ_RECORDING_H
#define FUZZ_RECORDING_H

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "source/record.h"

static inline void
try_recording(const uint8_t *data, size_t size)
{
	struct arena *arena = arena_new();
	struct recording *recording = NULL;
	struct text why = { 0 };
	struct source_stats stats;
	FILE *out = fopen("/dev/null", "w");
	int err = recording_open_memory(&recording, arena, "fuzz", data, size, &why);

	assert((err == 0) == (recording != NULL) && (recording || why.len));
	if (recording) {
		recording_to_text(recording, out);
		recording_stats(recording, &stats);
		assert(!stats.n_damaged == !stats.damage);
		recording_close(recording);
	}
	fclose(out);
	text_fini(&why);
	arena_free(arena);
}

#ifdef FUZZ_REPLAY
#define TRIES 60

static inline void
try_damaged(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + 1);
	uint64_t x = 88172645463325252u;

	assert(copy);
	for (int i = 0; i < TRIES && size; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(copy, data, size);
		copy[x % size] ^= (uint8_t)(1u << (x >> 40) % 8);
		try_recording(copy, i % 3 ? size : x % size);
	}
	free(copy);
}
#endif

/* Of other formats another target is in charge. */
static inline int
fuzz_recording(const uint8_t *data, size_t size, const char *magic, size_t magic_len)
{
	if (size < magic_len || memcmp(data, magic, magic_len) != 0)
		return 0;
	try_recording(data, size);
#ifdef FUZZ_REPLAY
	try_damaged(data, size);
#endif
	return 0;
}

#endif
