/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Whole files, of which procfs, sysfs and tracefs do not tell the size beforehand.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/base.h"

#define READ_FIRST (64u << 10) /* bytes of memory */

/* As read(2), of which no signal is the end. */
static ssize_t
read_on(int fd, void *to, size_t size)
{
	ssize_t n;

	do
		n = read(fd, to, size);
	while (n < 0 && errno == EINTR);
	return n;
}

void *
file_rest(int fd, size_t max, size_t *len)
{
	size_t cap = 0;
	char *bytes = NULL;
	ssize_t n;

	for (*len = 0, n = 1; n && *len <= max; *len += (size_t)n) {
		char *more = *len + 1 < cap ? bytes : mem_realloc(bytes, cap = cap ? 2 * cap : READ_FIRST);

		n = more ? read_on(fd, more + *len, cap - *len - 1) : -1;
		if (n < 0) {
			int err = errno;

			free(more ? more : bytes);
			errno = err;
			return NULL;
		}
		bytes = more;
	}
	bytes[*len] = 0;
	return bytes;
}

void *
file_read(const char *path, size_t max, size_t *len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;
	void *bytes = fd < 0 ? NULL : file_rest(fd, max, len);

	err = errno;
	if (fd >= 0)
		close(fd);
	errno = err;
	return bytes;
}
