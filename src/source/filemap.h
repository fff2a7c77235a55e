/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * A file in memory that somebody may cut short while it is read: what is not there any more then reads as zeros, and is remembered.
 */
#ifndef KTAP_FILEMAP_H
#define KTAP_FILEMAP_H

#include "base/base.h"

struct filemap {
	const unsigned char *data;
	size_t len;           /* 0: nothing is mapped */
	int fd;
	bool is_cut;          /* atomic */
	struct filemap *next;
};

/*
 * Maps the first `len` bytes, not none, of a file, whose descriptor it takes. Returns 0 or -errno. Any number of threads may read what is mapped;
 * filemap_open and filemap_close are for one, while no other reads.
 */
int
filemap_open(struct filemap *map, int fd, size_t len);

/* Looks whether the file is shorter by now: of a page that is cut nothing else tells. */
void
filemap_check(struct filemap *map);

/* Was it cut, as far as was read or looked? */
bool
filemap_is_cut(const struct filemap *map);

void
filemap_close(struct filemap *map);

#endif
