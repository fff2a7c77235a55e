/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * Keeps UDP over IPv4 whose payload begins with "ktap", and counts UDP packets by destination port.
 *
 * Build: clang -target bpf -O2 -g -I/usr/include/x86_64-linux-gnu -c udp.bpf.c -o udp.o
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "packet.h"

static long (*packet_load)(struct packet *packet, unsigned off, void *to, unsigned size) = (void *)HELPER_PACKET_LOAD;

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__type(key, unsigned short);
	__type(value, unsigned long long);
	__uint(max_entries, 1024);
} ports SEC(".maps");

#define ETHERNET 14
#define UDP      17

static void
count(unsigned short port)
{
	unsigned long long one = 1, *n = bpf_map_lookup_elem(&ports, &port);

	if (n)
		__sync_fetch_and_add(n, 1);
	else
		bpf_map_update_elem(&ports, &port, &one, BPF_ANY);
}

SEC("net/packet")
int
keep(struct packet *packet)
{
	const unsigned char *ip = packet->head + ETHERNET;
	unsigned start = ETHERNET + (ip[0] & 15) * 4; /* of the UDP header: the IP header's length varies */
	unsigned char port[2], text[4];

	if (packet->head[12] != 0x08 || packet->head[13] != 0 || ip[9] != UDP)
		return 0;
	if (packet_load(packet, start + 2, port, sizeof(port)))
		return 0;
	count(port[0] << 8 | port[1]);
	if (packet_load(packet, start + 8, text, sizeof(text)))
		return 0;
	return text[0] == 'k' && text[1] == 't' && text[2] == 'a' && text[3] == 'p';
}
