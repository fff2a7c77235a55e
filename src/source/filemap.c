/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Pages of a mapped file that lie behind its end raise SIGBUS when they are read (mmap(2)): so would a file that is cut short meanwhile. While one is
 * mapped, a handler puts pages of zeros in their place, and the read goes on. Readers trust no size that they read, and a zero is one.
 */
#include <errno.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "source/filemap.h"

/* What is mapped, and the action of SIGBUS before. A handler has no other argument. */
static struct filemap *first;
static struct sigaction before;

/*
 * Zeros from the page of this address on. False: it is none of ours, or there is no memory. The system call itself: what stands before it may be
 * not for handlers, and a sanitizer would take it for a write to all these bytes.
 */
static bool
replace_rest(const unsigned char *address)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE), off;
	struct filemap *map = first;

	while (map && (address < map->data || address >= map->data + map->len))
		map = map->next;
	if (!map)
		return false;
	off = (size_t)(address - map->data) / page * page;
	__atomic_store_n(&map->is_cut, true, __ATOMIC_RELAXED);
	return syscall(SYS_mmap, map->data + off, map->len - off, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0l) != -1;
}

/* Any thread. What is not ours is met again as if this handler had never been; a signal that was sent is sent again for that. */
static void
take_fault(int number, siginfo_t *info, void *context)
{
	int error = errno;

	if (info->si_code != BUS_ADRERR || !replace_rest(info->si_addr)) {
		sigaction(number, &before, NULL);
		if (info->si_code <= 0)
			raise(number);
	}
	errno = error;
}

int
filemap_open(struct filemap *map, int fd, size_t len)
{
	const struct sigaction action = { .sa_sigaction = take_fault, .sa_flags = SA_SIGINFO | SA_RESTART };
	void *data = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);

	if (data == MAP_FAILED) {
		int err = -errno;

		close(fd);
		return err;
	}
	if (!first)
		sigaction(SIGBUS, &action, &before);
	*map = (struct filemap){ .data = data, .len = len, .fd = fd, .next = first };
	first = map;
	return 0;
}

void
filemap_check(struct filemap *map)
{
	struct stat st;

	if (map->len && fstat(map->fd, &st) == 0 && (uint64_t)st.st_size < map->len)
		__atomic_store_n(&map->is_cut, true, __ATOMIC_RELAXED);
}

bool
filemap_is_cut(const struct filemap *map)
{
	return __atomic_load_n(&map->is_cut, __ATOMIC_RELAXED);
}

void
filemap_close(struct filemap *map)
{
	struct filemap **at = &first;

	if (!map->len)
		return;
	while (*at != map)
		at = &(*at)->next;
	*at = map->next;
	if (!first)
		sigaction(SIGBUS, &before, NULL);
	munmap((void *)(uintptr_t)map->data, map->len);
	close(map->fd);
	map->len = 0;
}
