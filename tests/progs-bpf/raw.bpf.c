/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Raw tracepoints: number and registers of any call, read from the kernel's struct pt_regs. Of the exits those that failed.
 *
 * run: missing 4 badclose 3
 * prints: first_fd = -100
 * prints: n_ebadf = 3
 * prints: n_enoent = 4
 * prints: opened = 4
 * prints: path = "/nonexistent/ktap-test"
 */
#include "prelude.h"

#define NR_OPENAT 257
#define PT_RDI    14 /* in words of struct pt_regs */
#define PT_RSI    13

u64 opened;
int first_fd;
u64 n_enoent, n_ebadf;
char path[32];

SEC("raw_tp/sys_enter")
int
enter(u64 *args)
{
	const u64 *regs = (const u64 *)args[0];
	u64 fd = 0, at = 0;
	char buf[32] = "";

	if (args[1] != NR_OPENAT || !is_target())
		return 0;
	bpf_probe_read_kernel(&at, sizeof(at), &regs[PT_RSI]);
	bpf_probe_read_user_str(buf, sizeof(buf), (void *)at);
	if (buf[1] != 'n' || buf[2] != 'o' || buf[3] != 'n')
		return 0;
	bpf_probe_read_kernel(&fd, sizeof(fd), &regs[PT_RDI]);
	if (!opened)
		first_fd = fd;
	__builtin_memcpy(path, buf, sizeof(path));
	__sync_fetch_and_add(&opened, 1);
	return 0;
}

SEC("raw_tracepoint/sys_exit")
int
leave(u64 *args)
{
	s64 ret = args[1];

	if (!opened || !is_target())
		return 0;
	if (ret == -2)
		__sync_fetch_and_add(&n_enoent, 1);
	if (ret == -9)
		__sync_fetch_and_add(&n_ebadf, 1);
	return 0;
}
