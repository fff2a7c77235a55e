/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * A peer for tests/bench/vm: uBPF (https://github.com/iovisor/ubpf), where the user has its shared library.
 */
#ifndef BENCH_VM_UBPF_H
#define BENCH_VM_UBPF_H

#include "vm/vm_int.h"

/* Helpers as functions (vm_bench.c). */
uint32_t
get_prandom_u32(void);

uint32_t
get_smp_processor_id(void);

typedef uint64_t (*ubpf_code)(void *memory, size_t len);

/* Loads the library: the file that the variable UBPF names, or libubpf.so. False, with a word to stderr where UBPF is set: it is not there. */
bool
ubpf_open(void);

/*
 * Its machine code for a function of an object and for what that calls, with the tables of `vm`, which must outlive it; helpers are map_lookup_elem,
 * map_update_elem, get_prandom_u32 and get_smp_processor_id. NULL, with a word to stderr: uBPF does not take it.
 */
ubpf_code
ubpf_make(const struct object *object, struct vm *vm, const struct func *func);

#endif
