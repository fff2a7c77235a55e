#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-or-later
"""make_pcap.py OUT: a pcap file whose contents are known: 30 UDP packets to port 53, 20 to port 9999, of which 12 carry "ktap", 15 TCP packets,
5 that are cut short, 4 of IPv6. Some IP headers have options."""
import struct
import sys


def ethernet(kind, payload):
    return bytes(6) + bytes(6) + struct.pack(">H", kind) + payload


def ipv4(protocol, payload, options=b""):
    words = 5 + len(options) // 4
    head = struct.pack(">BBHHHBBH4s4s", 0x40 | words, 0, words * 4 + len(payload), 0, 0, 64, protocol, 0, bytes([127, 0, 0, 1]), bytes([127, 0, 0, 1]))
    return ethernet(0x0800, head + options + payload)


def udp(port, text, options=b""):
    return ipv4(17, struct.pack(">HHHH", 40000, port, 8 + len(text), 0) + text, options)


def main():
    packets = [udp(53, b"question %d" % i) for i in range(30)]
    packets += [udp(9999, b"ktap %d" % i, bytes(4 * (i % 3))) for i in range(12)]
    packets += [udp(9999, b"other %d" % i) for i in range(8)]
    packets += [ipv4(6, bytes(20)) for _ in range(15)]
    packets += [udp(9999, b"ktap")[:30] for _ in range(5)]
    packets += [ethernet(0x86dd, bytes(40)) for _ in range(4)]
    with open(sys.argv[1], "wb") as out:
        out.write(struct.pack("=IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for n, packet in enumerate(packets):
            out.write(struct.pack("=IIII", n, 0, len(packet), len(packet)) + packet)


main()
