/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * outer.bpf.c by gcc, in the user engine alone.
 *
 * compilers: gcc
 * engines: user
 * run: getppid 5 getpid 3
 * prints: first (array, 1 entry):
 * prints:   1 = 5
 * prints: second (array, 1 entry):
 * prints:   1 = 3
 * prints: third (hash, 1 entry):
 * prints:   110 = 5
 * prints: missing = 8
 */
#include "outer.bpf.c"
