"""Bytes over plain sockets: for what no client library would send."""

import socket

from gateway import PATIENCE


def octets(text):
    """Bytes from hexadecimal, with text between apostrophes: "10 0c 0004 'MQTT' 04"."""
    parts = text.split("'")
    return b"".join(part.encode() if index % 2 else bytes.fromhex(part) for index, part in enumerate(parts))


def frame(first_byte, body):
    """A packet with its Remaining Length [MQTT-1.5.5-1]."""
    body = octets(body) if isinstance(body, str) else body
    length, rest = b"", len(body)
    while True:
        rest, digit = rest >> 7, rest & 0x7F
        length += bytes([digit | 0x80 if rest else digit])
        if not rest:
            return bytes([first_byte]) + length + body


def parts(packet):
    """An answer of MQTT 5 in three parts: what stands before its properties, they, and what stands behind them."""
    body = packet[2 if packet[1] < 0x80 else 3:]
    start = {0x20: 2, 0x40: 3, 0x50: 3, 0x60: 3, 0x70: 3, 0x90: 2, 0xB0: 2, 0xE0: 1}[packet[0] & 0xF0]
    if len(body) <= start:
        return body, b"", b""
    length, behind = body[start], start + 1
    if length >= 0x80:
        length, behind = length & 0x7F | body[behind] << 7, behind + 1
    return body[:start], body[behind:behind + length], body[behind + length:]


def reason_string(packet):
    """What an answer of MQTT 5 says in words, if that is all its properties say; None if it says nothing."""
    section = parts(packet)[1]
    if not section:
        return None
    assert section[0] == 0x1F and len(section) == 3 + int.from_bytes(section[1:3], "big"), packet.hex(" ")
    return section[3:].decode()


def bare(packet):
    """An answer of MQTT 5 without its Reason String."""
    if reason_string(packet) is None:
        return packet
    before, _, behind = parts(packet)
    return frame(packet[0], before + (b"\0" if packet[0] in (0x20, 0x90, 0xB0) else b"") + behind)


CONNECT_311 = octets("10 0c 0004 'MQTT' 04 02 003c 0000")
CONNECT_5 = octets("10 0d 0004 'MQTT' 05 02 003c 00 0000")


class Wire:
    """A TCP connection that speaks in bytes."""

    def __init__(self, port, host="127.0.0.1", connect=None):
        self.socket = socket.create_connection((host, port), PATIENCE)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._buffer = b""
        if connect:
            self.send(connect)
            answer = self.packet()
            assert answer[0] == 0x20 and answer[3] == 0, f"CONNACK {answer.hex(' ')}"

    def send(self, data):
        self.socket.sendall(octets(data) if isinstance(data, str) else data)
        return self

    def packet(self):
        """The next packet, whole."""
        while True:
            length = self._packet_length()
            if length and len(self._buffer) >= length:
                packet, self._buffer = self._buffer[:length], self._buffer[length:]
                return packet
            data = self.socket.recv(65536)
            assert data, f"closed, after {self._buffer.hex(' ') or 'nothing more'}"
            self._buffer += data

    def _packet_length(self):
        length = shift = 0
        for index, byte in enumerate(self._buffer[1:5]):
            length |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return length + index + 2
        return None

    def rest(self):
        """All that comes until the other side closes; a reset is a close too."""
        rest, self._buffer = self._buffer, b""
        try:
            while data := self.socket.recv(65536):
                rest += data
        except ConnectionResetError:
            pass
        return rest

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Witness:
    """A client that did nothing wrong: whatever others send, it is served."""

    def __init__(self, gateway):
        self.wire = Wire(gateway.tcp, connect=CONNECT_311)
        self.wire.send("82 0c 0001 0007 'witness' 00")
        assert self.wire.packet() == octets("90 03 0001 00")

    def is_served(self):
        message = octets("30 0b 0007 'witness' 'ok'")
        self.wire.send(message)
        return self.wire.packet() == message

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wire.close()
