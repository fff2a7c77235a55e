/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * With -DFUZZ_REPLAY a fuzz target is an ordinary program, that tries each file it is given once.
 */
#ifndef KTAP_FUZZ_REPLAY_H
#define KTAP_FUZZ_REPLAY_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#ifdef FUZZ_REPLAY

static int
replay(const char *path)
{
	static uint8_t data[1 << 20];
	FILE *f = fopen(path, "r");
	size_t size;

	if (!f) {
		perror(path);
		return 1;
	}
	size = fread(data, 1, sizeof(data), f);
	fclose(f);
	LLVMFuzzerTestOneInput(data, size);
	return 0;
}

int
main(int argc, char **argv)
{
	int status = 0;

	for (int i = 1; i < argc; i++)
		status |= replay(argv[i]);
	printf("%d files replayed\n", argc - 1);
	return status;
}

#endif
#endif
