/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * spin MILLISECONDS: uses so much time of a CPU, however long it has to wait for it, inside a known path of the kernel: read(2) of the
 * zero device into a large buffer, so that nearly every sample of its kernel stack goes through read_zero or read_iter_zero, vfs_read and ksys_read.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static double
now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
	return time.tv_sec * 1e3 + time.tv_nsec / 1e6;
}

int
main(int argc, char **argv)
{
	enum { SIZE = 8 << 20 };
	int fd = open("/dev/zero", O_RDONLY);
	char *buffer = malloc(SIZE);
	double end = now() + (argc > 1 ? atof(argv[1]) : 100);

	if (fd < 0 || !buffer)
		return 1;
	while (now() < end)
		if (read(fd, buffer, SIZE) != SIZE)
			return 1;
	return 0;
}
