/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Reads that never fault: of our own memory (probe_read_kernel) and of the traced process (probe_read_user). Any 64-bit
 * number may come as an address. What lies in memory that the run knows is copied; everything else is asked of the
 * operating system, which answers EFAULT where we would crash: process_vm_readv(2) or, where containers forbid it or there is none
 * (qemu-user), write(2) into a pipe.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "vm/vm_int.h"

#define PAGE 4096u /* the least page size there is: strings are read up to a multiple of it */

static bool
range_holds(const void *base, size_t range_len, uint64_t addr, size_t len)
{
	uint64_t start = (uintptr_t)base;

	return addr >= start && len <= range_len && addr - start <= range_len - len;
}

bool
memory_is_known(const struct vm_run *run, uint64_t addr, size_t len)
{
	for (uint32_t i = 0; i < run->n_ranges; i++)
		if (range_holds(run->ranges[i].base, run->ranges[i].len, addr, len))
			return true;
	for (uint32_t i = 0; i < run->vm->object->n_tables; i++) {
		size_t table_len;
		void *base = array_memory(&run->vm->tables[i], &table_len);

		if (base && range_holds(base, table_len, addr, len))
			return true;
	}
	return false;
}

/* A page at a time, which every pipe takes. By the system call itself, since AddressSanitizer looks into what write() is given. */
static int
read_by_pipe(char *dst, uint64_t addr, size_t len)
{
	int fds[2], err = 0;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -EFAULT;
	while (len && !err) {
		long n = syscall(SYS_write, fds[1], addr, len < PAGE ? len : PAGE);

		if (n <= 0 || read(fds[0], dst, (size_t)n) != n) {
			err = -EFAULT;
		} else {
			dst += n;
			addr += (uint64_t)n;
			len -= (size_t)n;
		}
	}
	close(fds[0]);
	close(fds[1]);
	return err;
}

int
memory_read_own(const struct vm_run *run, void *dst, uint64_t addr, size_t len)
{
	struct iovec local = { .iov_base = dst, .iov_len = len };
	struct iovec remote = { .iov_base = ptr(addr), .iov_len = len };
	ssize_t n;

	if (!len)
		return 0;
	if (memory_is_known(run, addr, len)) {
		memmove(dst, ptr(addr), len);
		return 0;
	}
	n = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
	if (n < 0 && (errno == ENOSYS || errno == EPERM))
		return read_by_pipe(dst, addr, len);
	return n == (ssize_t)len ? 0 : -EFAULT;
}

int
memory_read_user(const struct vm_run *run, void *dst, uint64_t addr, size_t len)
{
	const struct vm_env *env = run->env;

	if (!len)
		return 0;
	if (!env->read_user)
		return -EFAULT;
	return env->read_user(env->arg, addr, dst, len) == (int64_t)len ? 0 : -EFAULT;
}

typedef int read_fn(const struct vm_run *run, void *dst, uint64_t addr, size_t len);

/*
 * In pieces that do not cross a page, so that a string that ends before memory does is read whole; by way of a buffer, so that what
 * is behind the NUL in dst stays as it was.
 */
static int64_t
read_str(read_fn *read, const struct vm_run *run, char *dst, uint64_t addr, size_t size)
{
	char piece[256];
	size_t got = 0;

	while (got < size) {
		size_t n = PAGE - (addr + got) % PAGE;
		const char *nul;

		if (n > size - got)
			n = size - got;
		if (n > sizeof(piece))
			n = sizeof(piece);
		if (read(run, piece, addr + got, n))
			return -EFAULT;
		nul = memchr(piece, '\0', n);
		if (nul) {
			memcpy(dst + got, piece, (size_t)(nul - piece) + 1);
			return (int64_t)got + (nul - piece) + 1;
		}
		memcpy(dst + got, piece, n);
		got += n;
	}
	if (size)
		dst[size - 1] = '\0';
	return (int64_t)size;
}

int64_t
memory_read_own_str(const struct vm_run *run, char *dst, uint64_t addr, size_t size)
{
	return read_str(memory_read_own, run, dst, addr, size);
}

int64_t
memory_read_user_str(const struct vm_run *run, char *dst, uint64_t addr, size_t size)
{
	return read_str(memory_read_user, run, dst, addr, size);
}
