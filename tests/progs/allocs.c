/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * allocs N BYTES: main calls allocate(), which calls malloc(BYTES) N times. Linked with the C library at run time and built with frame
 * pointers, so that `probe:libc:malloc` sees N calls with the stack allocate, main.
 */
#include <stdlib.h>

__attribute__((noinline, noipa)) void
allocate(long n, size_t size);

void
allocate(long n, size_t size)
{
	for (long i = 0; i < n; i++)
		free(malloc(size));
}

int
main(int argc, char **argv)
{
	if (argc != 3)
		return EXIT_FAILURE;
	allocate(atol(argv[1]), (size_t)atol(argv[2]));
	return EXIT_SUCCESS;
}
