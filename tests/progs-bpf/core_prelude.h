/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/* What the programs about CO-RE are written with: clang's builtins under short names. */
#ifndef CORE_PRELUDE_H
#define CORE_PRELUDE_H

#define SEC(name) __attribute__((section(name), used))

/* A program of its own. */
#define PROGRAM(name) SEC("raw_tp/" #name) int name(unsigned long *ctx)

/* enum bpf_core_relo_kind, as clang's builtins count it. */
enum { FIELD_OFFSET, FIELD_SIZE, FIELD_EXISTS, FIELD_SIGNED, FIELD_LSHIFT, FIELD_RSHIFT };
enum { TYPE_EXISTS, TYPE_SIZE };
enum { ENUMERATOR_EXISTS, ENUMERATOR_VALUE };

#define FIELD(pointer, field, what) __builtin_preserve_field_info((pointer)->field, FIELD_##what)
#define TYPE(type, what)            __builtin_preserve_type_info(*(typeof(type) *)0, TYPE_##what)
#define TYPE_ID(type, of_target)    __builtin_btf_type_id(*(typeof(type) *)0, of_target)
#define ENUMERATOR(type, name, what) __builtin_preserve_enum_value(*(typeof(type) *)name, ENUMERATOR_##what)

/* Makes the compiler compute an address or value. */
static inline __attribute__((always_inline)) void
keep(const volatile void *value)
{
	asm volatile("r0 = %0" : : "r"(value) : "r0");
}

#endif
