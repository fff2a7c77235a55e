/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Names of C++ and Rust functions as their programmers wrote them, through libiberty (the demangler of binutils and gdb), which knows the
 * Itanium C++ ABI and both of Rust's manglings. Without parameters: behind a name the stack's line says where in the function.
 *
 *     _ZN3app6Engine3runEi                     app::Engine::run
 *     _ZN3app3run17h0123456789abcdefE          app::run
 *     _RNvNtCs1_3app5tasks4work                app::tasks::work
 *
 * Names come from files that are not trusted: libiberty bounds its recursion, and longer ones than NAME_BYTES_MAX stay as they are.
 */
#include <libiberty/demangle.h>
#include <stdlib.h>
#include <string.h>

#undef ARRAY_SIZE /* libiberty.h has it, too */
#include "output/output_int.h"

#define NAME_BYTES_MAX 4096

bool
demangle(const char *name, struct text *out)
{
	char *readable;

	if ((strncmp(name, "_Z", 2) && strncmp(name, "_R", 2)) || strnlen(name, NAME_BYTES_MAX) == NAME_BYTES_MAX)
		return false;
	readable = rust_demangle(name, DMGL_NO_OPTS); /* first: its older names are those of C++ with a hash */
	if (!readable)
		readable = cplus_demangle_v3(name, DMGL_NO_OPTS);
	if (!readable)
		return false;
	text_puts(out, readable);
	free(readable);
	return true;
}
