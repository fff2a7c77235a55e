/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * perf.data: how it is recognised; recording_perf.c reads it.
 */
#ifndef KTAP_RECORDING_PERF_H
#define KTAP_RECORDING_PERF_H

#include "source/recording.h"

#define PERF_MAGIC "PERFILE2" /* little-endian */
#define PERF_MAGIC_LEN 8

extern const struct recording_ops recording_perf_ops;

#endif
