/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Fuzz target: trace.dat (fuzz_recording.h).
 */
#include "fuzz_recording.h"
#include "fuzz_replay.h"
#include "source/recording_dat.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	return fuzz_recording(data, size, DAT_MAGIC, DAT_MAGIC_LEN);
}
