/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later */
/*
 * filter OBJECT.o IN.pcap OUT.pcap: a packet filter. Shows each packet of a pcap file to the program "keep" of an eBPF object and writes those to
 * OUT for which it does not return 0. Then prints the object's table "ports", if it has one.
 *
 * Build: cc filter.c -o filter $(pkg-config --cflags --libs ktap)
 * The file format: https://datatracker.ietf.org/doc/draft-ietf-opsawg-pcap/
 */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <ktap.h>

#include "packet.h"

#define PCAP_MAGIC 0xa1b2c3d4u
#define SNAPLEN    262144

struct file_header {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, sigfigs, snaplen, network;
};

struct packet_header {
	uint32_t seconds, microseconds, caplen, len;
};

/* The packet at hand; ktap_run's `host`. */
struct bytes {
	unsigned char data[SNAPLEN];
	uint32_t len;
};

/* The verifier has seen to it that `to` has room for `size` bytes. */
static uint64_t
packet_load(struct ktap_run *run, uint64_t context, uint64_t off, uint64_t to, uint64_t size, uint64_t unused)
{
	const struct bytes *bytes = ktap_run_host(run);

	if (off > bytes->len || size > bytes->len - off) {
		memset((void *)(uintptr_t)to, 0, size);
		return (uint64_t)-1;
	}
	memcpy((void *)(uintptr_t)to, bytes->data + off, size);
	return 0;
}

static void
set_up(struct ktap **engine, const char *path, struct ktap_object **object)
{
	static const enum ktap_arg args[5] = { KTAP_ARG_CONTEXT, KTAP_ARG_NUMBER, KTAP_ARG_MEM_WRITE, KTAP_ARG_SIZE };

	if (ktap_new(engine) < 0 || ktap_add_event(*engine, "net/packet", sizeof(struct packet), KTAP_CONTEXT_READ) < 0 ||
	    ktap_add_helper(HELPER_PACKET_LOAD, "packet_load", packet_load, args) < 0 || ktap_object_open(*engine, path, NULL, object) < 0)
		errx(1, "%s", ktap_error());
}

static FILE *
open_file(const char *path, const char *mode)
{
	FILE *file = fopen(path, mode);

	if (!file)
		err(1, "%s", path);
	return file;
}

/* The next packet; 0: there is none. */
static int
next_packet(FILE *in, struct packet_header *header, struct bytes *bytes)
{
	if (fread(header, sizeof(*header), 1, in) != 1)
		return 0;
	if (header->caplen > SNAPLEN || fread(bytes->data, 1, header->caplen, in) != header->caplen)
		errx(1, "the file ends in the middle of a packet");
	bytes->len = header->caplen;
	return 1;
}

static void
filter(const struct ktap_program *keep, FILE *in, FILE *out)
{
	static struct bytes bytes;
	struct packet_header header;
	unsigned n = 0, n_kept = 0;

	for (; next_packet(in, &header, &bytes); n++) {
		_Alignas(8) struct packet packet = { .len = header.len, .caplen = header.caplen };
		uint64_t verdict;

		memcpy(packet.head, bytes.data, bytes.len < PACKET_HEAD ? bytes.len : PACKET_HEAD);
		if (ktap_run(keep, &packet, &bytes, &verdict) < 0)
			errx(1, "%s", ktap_error());
		if (!verdict)
			continue;
		n_kept++;
		if (fwrite(&header, sizeof(header), 1, out) != 1 || fwrite(bytes.data, 1, bytes.len, out) != bytes.len)
			err(1, "writing");
	}
	printf("%u of %u packets kept\n", n_kept, n);
}

static void
show_ports(struct ktap_object *object)
{
	struct ktap_table *ports = ktap_table_find(object, "ports");
	uint64_t count;
	uint16_t port, *key = NULL;

	if (!ports || ktap_table_key_size(ports) != sizeof(port) || ktap_table_value_size(ports) != sizeof(count))
		return;
	for (; ktap_table_next(ports, key, &port) == 0; key = &port)
		if (ktap_table_lookup(ports, &port, &count) == 0)
			printf("port %u: %llu\n", port, (unsigned long long)count);
}

int
main(int argc, char **argv)
{
	const struct ktap_program *keep;
	struct file_header header;
	struct ktap_object *object;
	struct ktap *engine;
	FILE *in, *out;

	if (argc != 4)
		errx(2, "usage: filter OBJECT.o IN.pcap OUT.pcap");
	set_up(&engine, argv[1], &object);
	keep = ktap_program_find(object, "keep");
	if (!keep)
		errx(1, "%s: no program \"keep\"", argv[1]);
	in = open_file(argv[2], "r");
	if (fread(&header, sizeof(header), 1, in) != 1 || header.magic != PCAP_MAGIC)
		errx(1, "%s: not a pcap file of this machine's byte order", argv[2]);
	out = open_file(argv[3], "w");
	if (fwrite(&header, sizeof(header), 1, out) != 1)
		err(1, "%s", argv[3]);
	filter(keep, in, out);
	show_ports(object);
	if (fclose(out))
		err(1, "%s", argv[3]);
	fclose(in);
	ktap_object_close(object);
	ktap_free(engine);
	return 0;
}
