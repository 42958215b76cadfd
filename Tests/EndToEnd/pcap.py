"""Writes datagrams as a capture that tshark reads, each in a packet of IPv4 and UDP."""

import struct

RAW_IP = 101


def write(path, datagrams):
    """`datagrams` are (from, to, bytes), an address being (host, port)."""
    with open(path, "wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, RAW_IP))
        for number, (source, target, data) in enumerate(datagrams):
            udp = struct.pack(">HHHH", source[1], target[1], 8 + len(data), 0) + data
            ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), number & 0xFFFF, 0, 64, 17, 0,
                             octets(source[0]), octets(target[0]))
            file.write(struct.pack("<IIII", number, 0, len(ip + udp), len(ip + udp)) + ip + udp)


def octets(host):
    return bytes(int(part) for part in host.split("."))
