/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/* What the host and its programs agree on: the context of the event "net/packet", and a helper. */
#ifndef PACKET_H
#define PACKET_H

#define PACKET_HEAD 64 /* bytes of a packet that programs see at once */

struct packet {
	unsigned len;    /* of the packet on the wire */
	unsigned caplen; /* bytes of it that the file has */
	unsigned char head[PACKET_HEAD]; /* its first bytes, then zeros */
};

/* Helper: copies `size` bytes of the packet from byte `off` on. 0, or -1: they are not all there, and `to` is zeros. */
#define HELPER_PACKET_LOAD 65536

#endif
