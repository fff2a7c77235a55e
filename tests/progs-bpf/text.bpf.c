/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Text as tracing programs write it: values in an array on the stack, with addresses of strings and of the network among them, more than
 * registers can hold.
 *
 * compilers: clang
 * run: getppid 2
 * prints: one 1 two 2 three [ 3 ] 4
 * prints: port 53 of 127.0.0.1, 127.000.000.001, 2001:0db8:0000:0000:0000:0000:0000:0001
 * prints: [ four] [4    ] 0000000000001234 0x5
 * prints: 12: a=-1 b=0xff
 * prints: calls = 2
 */
#include "prelude.h"

u64 calls;

SEC("tp/syscalls/sys_enter_getppid")
int
on_call(struct enter *ctx)
{
	unsigned char ip4[4] = { 127, 0, 0, 1 }, ip6[16] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };
	char name[8] = "one", line[32] = "", *four = "four";
	long len;

	if (!is_target())
		return 0;
	calls++;
	bpf_printk("%s %d two %d three [%2d ] %d", name, 1, 2, 3, 4);
	bpf_printk("port %d of %pI4, %pi4, %pI6", 53, ip4, ip4, ip6);
	bpf_printk("[%5s] [%-5d] %px %pB", four, 4, (void *)0x1234, (void *)5);
	len = BPF_SNPRINTF(line, sizeof(line), "%s=%d %c=0x%x", "a", -1, 'b', 255);
	bpf_printk("%d: %s", (int)len, line);
	return 0;
}
