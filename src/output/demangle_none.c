/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * demangle_none: takes the place of demangle.c in a build without libiberty: names stay as they are.
 */
#include "output/output_int.h"

bool
demangle(const char *name, struct text *out)
{
	return false;
}
