/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Fuzz target: perf.data (fuzz_recording.h).
 */
#include "fuzz_recording.h"
#include "fuzz_replay.h"
#include "source/recording_perf.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_recording(data, size, PERF_MAGIC, PERF_MAGIC_LEN);
}
