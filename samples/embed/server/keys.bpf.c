/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * For the server: how often each key was asked for, and bytes that were stored.
 *
 * Build: clang -target bpf -O2 -g -I/usr/include/x86_64-linux-gnu -c keys.bpf.c -o keys.o
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "request.h"

struct name {
	char text[32];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, struct name);
	__type(value, unsigned long long);
	__uint(max_entries, 1024);
} asked SEC(".maps");

unsigned long long stored;

SEC("server/request")
int
on_request(struct request *request)
{
	unsigned long long one = 1, *n;
	struct name name;

	if (request->verb[0] == 'S') {
		__sync_fetch_and_add(&stored, request->size);
		return 0;
	}
	__builtin_memcpy(&name, request->key, sizeof(name));
	n = bpf_map_lookup_elem(&asked, &name);
	if (n)
		__sync_fetch_and_add(n, 1);
	else
		bpf_map_update_elem(&asked, &name, &one, BPF_ANY);
	return 0;
}
