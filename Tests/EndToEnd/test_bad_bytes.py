"""Broken and hostile packets over a plain socket: each gets what the standard says, and nobody else notices.

The names begin with the number in the project's list of attack cases. MQTT 5 clients must hear the reason code named;
where there is none, the connection just ends.
"""

import socket
import time

import pytest

from mosquitto import publish
from wire import CONNECT_311, CONNECT_5, Wire, Witness, bare, frame, octets, reason_string

# Connections that begin with these bytes end without an answer.
BEFORE_CONNECT = {
    "[attack 1] remaining length of five bytes": "10 ff ff ff ff 01",
    "[attack 2] remaining length in more bytes than it needs": octets("10 8d 00") + CONNECT_5[2:],
    "[attack 3] PUBLISH comes first": "30 04 0001 'ax'",
    "[attack 3] PINGREQ comes first": "c0 00",
    "[attack 4] a huge PUBLISH comes first": "30 ff ff ff 7f",
    "[attack 5] a huge CONNECT": "10 ff ff ff 7f",
    "[attack 5] a CONNECT above 16 KiB": frame(0x10, octets("0004 'MQTT' 05 02 003c 00 4001") + b"x" * 0x4001),
    "[attack 8] CONNECT without a client id": frame(0x10, "0004 'MQTT' 04 02 003c"),
    "[attack 8] CONNECT of no byte": "10 00",
    "[attack 9] CONNECT with a byte too many, 3.1.1": frame(0x10, "0004 'MQTT' 04 02 003c 0000 78"),
    "[attack 13] CONNECT with flags": "11 0c 0004 'MQTT' 04 02 003c 0000",
    "[attack 14] type 0": "00 00",
    "[attack 14] CONNACK comes first": "20 02 0000",
    "[attack 17] NUL in the client id": frame(0x10, "0004 'MQTT' 04 02 003c 0001 00"),
    "[attack 31] reserved flag in CONNECT": frame(0x10, "0004 'MQTT' 04 03 003c 0000"),
    "[attack 31] will QoS 3": frame(0x10, "0004 'MQTT' 04 1e 003c 0001 'w' 0001 't' 0001 'x'"),
    "[attack 31] will QoS without a will": frame(0x10, "0004 'MQTT' 04 0a 003c 0001 'w'"),
    "[attack 31] will retain without a will": frame(0x10, "0004 'MQTT' 04 22 003c 0001 'w'"),
    "[attack 32] another protocol's name": frame(0x10, "0004 'MQTX' 04 02 003c 0000"),
    "[attack 33] a password without a user": frame(0x10, "0004 'MQTT' 04 42 003c 0001 'p' 0001 'x'"),
    "HTTP": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "TLS": bytes.fromhex("160301020001000001fc0303"),
}

# A CONNECT of MQTT 5 with these faults is answered by CONNACK with the reason code.
BAD_CONNECT_5 = {
    "[attack 9] CONNECT with a byte too many": (frame(0x10, "0004 'MQTT' 05 02 003c 00 0000 78"), 0x81),
    "[attack 10] property length beyond the packet": (frame(0x10, "0004 'MQTT' 05 02 003c 7f 0000"), 0x81),
    "[attack 16] surrogate in the client id": (frame(0x10, "0004 'MQTT' 05 02 003c 00 0003 eda080"), 0x81),
    "[attack 21] a property twice": (frame(0x10, "0004 'MQTT' 05 02 003c 06 21 0001 21 0001 0000"), 0x82),
    "[attack 22] an unknown property": (frame(0x10, "0004 'MQTT' 05 02 003c 02 7e 00 0000"), 0x81),
    "[attack 23] Receive Maximum 0": (frame(0x10, "0004 'MQTT' 05 02 003c 03 21 0000 0000"), 0x82),
    "[attack 23] Maximum Packet Size 0": (frame(0x10, "0004 'MQTT' 05 02 003c 05 27 00000000 0000"), 0x82),
}

# A connected MQTT 5 client that sends these bytes hears the reason code and is disconnected.
CONNECTED = {
    "[attack 1] remaining length of five bytes": ("30 ff ff ff ff 01", 0x81),
    "[attack 7] a packet above the maximum": ("30 81 80 10", 0x95),
    "[attack 7] the longest that can be said": ("30 ff ff ff 7f", 0x95),
    "[attack 8] topic longer than the packet": ("30 04 0010 'ab'", 0x81),
    "[attack 8] PUBLISH of no byte": ("30 00", 0x81),
    "[attack 8] PUBLISH without an id": ("32 03 0001 'a'", 0x81),
    "[attack 8] PUBACK of one byte": ("40 01 00", 0x81),
    "[attack 8] SUBSCRIBE of an id alone": ("82 02 0001", 0x81),
    "[attack 8] filter longer than the packet": ("82 07 0001 00 0010 'a' 00", 0x81),
    "[attack 9] PINGREQ with a byte": ("c0 01 78", 0x81),
    "[attack 9] SUBSCRIBE with a byte too many": ("82 08 0001 00 0001 'a' 00 78", 0x81),
    "[attack 10] property length beyond the packet": ("30 05 0001 'a' 7f 00", 0x81),
    "[attack 10] property cut off": ("30 06 0001 'a' 02 23 00", 0x81),
    "[attack 10] property length of five bytes": ("30 08 0001 'a' ff ff ff ff 01", 0x81),
    "[attack 14] type 0": ("00 00", 0x82),
    "[attack 14] CONNACK": ("20 03 00 00 00", 0x82),
    "[attack 14] SUBACK": ("90 04 0001 00 00", 0x82),
    "[attack 14] UNSUBACK": ("b0 04 0001 00 00", 0x82),
    "[attack 14] PINGRESP": ("d0 00", 0x82),
    "[attack 15] a packet inside one that lies": ("82 ff ff ff ff 05 30 0f 0007 'witness' 00 'smuggled'", 0x81),
    "[attack 16] surrogate in a topic": ("30 06 0003 eda080 00", 0x81),
    "[attack 16] overlong form in a topic": ("30 05 0002 c0af 00", 0x81),
    "[attack 17] NUL in a topic": ("30 04 0001 00 00", 0x81),
    "[attack 17] NUL in a user property": ("30 0b 0001 'a' 07 26 0001 00 0001 'v'", 0x81),
    "[attack 21] a property twice": ("30 08 0001 'a' 04 01 00 01 00", 0x82),
    "[attack 22] a property of another packet": ("30 07 0001 'a' 03 21 0001", 0x81),
    "[attack 23] payload format 2": ("30 06 0001 'a' 02 01 02", 0x82),
    "[attack 25] subscription identifier from a client": ("30 06 0001 'a' 02 0b 01", 0x82),
    "[attack 26] wildcard in the response topic": ("30 08 0001 'a' 04 08 0001 '#'", 0x82),
    "[attack 27] expiry given to a session without": ("e0 07 00 05 11 0000000a", 0x82),
    "[attack 28] AUTH without a method": ("f0 00", 0x82),
    "[attack 30] a second CONNECT": (CONNECT_5, 0x82),
    "[attack 49] wildcard in a topic": ("30 04 0001 '#' 00", 0x81),
    "[attack 50] no topic and no alias": ("30 04 0000 00 'x'", 0x82),
    "[attack 52] alias 0": ("30 07 0001 'a' 03 23 0000", 0x94),
    "[attack 52] alias above the maximum": ("30 07 0001 'a' 03 23 0011", 0x94),
    "[attack 52] an alias never set": ("30 06 0000 03 23 0001", 0x82),
    "[attack 53] QoS 3": ("36 07 0001 'a' 0001 00 'x'", 0x81),
    "[attack 53] DUP at QoS 0": ("38 05 0001 'a' 00 'x'", 0x81),
    "[attack 53] packet identifier 0": ("32 07 0001 'a' 0000 00 'x'", 0x82),
    "[attack 57] no filter": ("82 03 0001 00", 0x82),
    "[attack 57] reserved subscription options": ("82 07 0001 00 0001 'a' c0", 0x81),
    "[attack 57] subscription QoS 3": ("82 07 0001 00 0001 'a' 03", 0x82),
    "[attack 57] retain handling 3": ("82 07 0001 00 0001 'a' 30", 0x82),
    "[attack 57] packet identifier 0": ("82 07 0000 00 0001 'a' 00", 0x82),
    "[attack 65] subscription identifier 0": ("82 09 0001 02 0b 00 0001 'a' 00", 0x82),
    "[attack 65] subscription identifier of five bytes": ("82 0d 0001 06 0b ffffffff01 0001 'a' 00", 0x81),
}

# These are refused in their answer; the connection goes on.
REFUSED = {
    "[attack 54] PUBLISH below $SYS": ("32 0a 0004 '$SYS' 0001 00 'x'", "40 03 0001 87"),
    "[attack 58] filter a#": ("82 08 0001 00 0002 'a#' 00", "90 04 0001 00 8f"),
    "[attack 58] filter a/#/b": ("82 0b 0001 00 0005 'a/#/b' 00", "90 04 0001 00 8f"),
    "[attack 58] filter +a": ("82 08 0001 00 0002 '+a' 00", "90 04 0001 00 8f"),
    "[attack 59] shared subscription without a filter": ("82 0e 0001 00 0008 '$share/g' 00", "90 04 0001 00 8f"),
    "[attack 70] PUBREL of an id never used": ("62 02 0999", "70 03 0999 92"),
}


def reason(wire):
    """The reason code of the DISCONNECT that ends the connection, or what came in its place."""
    rest = wire.rest()
    is_disconnect = len(rest) >= 3 and rest[0] == 0xE0 and len(rest) == rest[1] + 2
    return rest[2] if is_disconnect else rest.hex(" ")


@pytest.mark.parametrize("data", BEFORE_CONNECT.values(), ids=BEFORE_CONNECT.keys())
def test_before_connect(gateway, data):
    with Witness(gateway) as witness, Wire(gateway.tcp) as wire:
        wire.send(data)
        assert wire.rest() == b""
        assert witness.is_served()


@pytest.mark.parametrize("data, code", BAD_CONNECT_5.values(), ids=BAD_CONNECT_5.keys())
def test_a_bad_connect_of_mqtt_5(gateway, data, code):
    with Witness(gateway) as witness, Wire(gateway.tcp) as wire:
        wire.send(data)
        answer = wire.rest()
        assert bare(answer) == bytes([0x20, 3, 0, code, 0]) and reason_string(answer)
        assert witness.is_served()


@pytest.mark.parametrize("data, code", CONNECTED.values(), ids=CONNECTED.keys())
def test_once_connected(gateway, data, code):
    with Witness(gateway) as witness, Wire(gateway.tcp, connect=CONNECT_5) as wire:
        wire.send(data)
        assert reason(wire) == code
        assert witness.is_served()


@pytest.mark.parametrize("data, answer", REFUSED.values(), ids=REFUSED.keys())
def test_refused_in_the_answer(gateway, data, answer):
    with Witness(gateway) as witness, Wire(gateway.tcp, connect=CONNECT_5) as wire:
        wire.send(data)
        wire.send("c0 00")
        packet = wire.packet()
        assert bare(packet).hex(" ") == octets(answer).hex(" ") and reason_string(packet)
        assert wire.packet() == octets("d0 00")
        assert witness.is_served()


def test_an_unknown_protocol_level_is_named(gateway):
    with Wire(gateway.tcp) as wire:
        wire.send(frame(0x10, "0004 'MQTT' 06 02 003c 0000"))
        assert wire.rest() == octets("20 02 00 01")  # [attack 32] [MQTT-3.1.2-2]


def test_a_311_client_without_an_id_and_with_a_session(gateway):
    with Wire(gateway.tcp) as wire:
        wire.send(frame(0x10, "0004 'MQTT' 04 00 003c 0000"))
        assert wire.rest() == octets("20 02 00 02")  # [attack 34] [MQTT311-3.1.3-8]


def test_a_body_that_stalls(start_gateway):
    """[attack 6]"""
    gateway = start_gateway("connect_timeout 1\nlistener 0 127.0.0.1\n")
    with Wire(gateway.tcp) as wire:
        before = gateway.resident_kilobytes()
        wire.send("10 80 7f 00")
        begin = time.monotonic()
        assert wire.rest() == b""
        assert 0.8 < time.monotonic() - begin < 3
        assert gateway.resident_kilobytes() - before < 1_000
    with Witness(gateway) as witness:
        assert witness.is_served()


def test_a_length_reserves_no_memory(gateway):
    """[attack 4]"""
    wires = [Wire(gateway.tcp, connect=CONNECT_5) for _ in range(50)]
    before = gateway.resident_kilobytes()
    for wire in wires:
        wire.send("30 80 80 10")  # 256 KiB, of which nothing comes
        wire.send("")
    with Witness(gateway) as witness:
        assert witness.is_served()
    assert gateway.resident_kilobytes() - before < 2_000
    for wire in wires:
        wire.close()


@pytest.mark.parametrize("packet", [
    frame(0x10, "0004 'MQTT' 05 ee 003c 05 11 00000001 0003 'cut' 05 18 00000001 0001 't' 0001 'x' 0001 'u' 0001 'p'"),
    frame(0x10, "0004 'MQTT' 04 ee 003c 0003 'cut' 0001 't' 0001 'x' 0001 'u' 0001 'p'"),
    frame(0x10, "0006 'MQIsdp' 03 02 003c 0003 'cut'"),
], ids=["5.0", "3.1.1", "3.1"])
def test_connect_cut_short_everywhere(gateway, packet):
    """[attack 8]"""
    with Witness(gateway) as witness:
        for length in range(len(packet) - 2):
            with Wire(gateway.tcp) as wire:
                wire.send(frame(0x10, packet[2:2 + length]))
                rest = wire.rest()
                # From the level on, MQTT 5 has an answer; it is a refusal in any case.
                assert rest == b"" or bare(rest) == octets("20 03 00 81 00"), (length, rest)
        assert witness.is_served()


def test_a_session_byte_by_byte(gateway):
    """[attack 11]"""
    session = frame(0x10, "0004 'MQTT' 05 02 003c 00 0003 'one'") + octets(
        "82 07 0001 00 0001 'a' 02 34 0a 0001 'a' 0007 00 'text' 62 02 0007 c0 00")
    with Wire(gateway.tcp) as wire:
        wire.send(session)
        expected = [wire.packet() for _ in range(6)]
    with Witness(gateway) as witness, Wire(gateway.tcp) as wire:
        for byte in session:
            wire.send(bytes([byte]))
            assert witness.is_served()
        assert [wire.packet() for _ in range(6)] == expected


def test_ten_thousand_packets_at_once(gateway):
    """[attack 12]"""
    with Witness(gateway) as witness, Wire(gateway.tcp, connect=CONNECT_5) as wire:
        wire.send(octets("c0 00") * 10_000)
        begin = time.monotonic()
        assert witness.is_served()
        assert time.monotonic() - begin < 1
        answers = b""
        while len(answers) < 20_000:
            answers += wire.socket.recv(65536)
        assert answers == octets("d0 00") * 10_000


def test_flags_that_no_packet_has(gateway):
    """[attack 13]"""
    good = {kind: 2 if kind in (6, 8, 10) else 0 for kind in (2, *range(4, 16))}
    bodies = {
        2: "00 00 00", 4: "0001", 5: "0001", 6: "0001", 7: "0001", 8: "0001 00 0001 'a' 00", 9: "0001 00 00",
        10: "0001 00 0001 'a'", 11: "0001 00 00", 12: "", 13: "", 14: "", 15: ""}
    with Witness(gateway) as witness:
        for kind, right in good.items():
            for flag in set(range(16)) - {right}:
                with Wire(gateway.tcp, connect=CONNECT_5) as wire:
                    wire.send(frame(kind << 4 | flag, bodies[kind]))
                    assert reason(wire) == 0x81, (kind, flag)
        assert witness.is_served()


def test_what_follows_a_broken_packet_is_not_read(gateway):
    """[attack 15]"""
    with Witness(gateway) as witness, Wire(gateway.tcp, connect=CONNECT_311) as wire:
        wire.send(octets("82 ff ff ff ff 05") + octets("30 11 0007 'witness' 'smuggled'"))
        assert wire.rest() == b""
        assert witness.is_served()


def test_what_follows_a_refused_connect_is_not_read(gateway):
    """[attack 36]"""
    with Witness(gateway) as witness, Wire(gateway.tcp) as wire:
        wire.send(frame(0x10, "0004 'MQTT' 04 00 003c 0000") + octets("30 11 0007 'witness' 'smuggled'"))
        assert wire.rest() == octets("20 02 00 02")
        assert witness.is_served()


def test_the_same_qos_2_message_twice_is_one(gateway):
    """[attack 69]"""
    with Witness(gateway) as witness, Wire(gateway.tcp, connect=CONNECT_311) as wire:
        for dup in (0x34, 0x3C):
            wire.send(frame(dup, "0007 'witness' 0005 'once'"))
            assert wire.packet() == octets("50 02 0005")
        wire.send("62 02 0005")
        assert wire.packet() == octets("70 02 0005")
        assert witness.wire.packet() == frame(0x30, "0007 'witness' 'once'")
        assert witness.is_served()


def test_a_client_id_with_control_characters_cannot_write_the_log(gateway):
    """[attack 20]"""
    name = octets("'a' 1b 'b' 0a 'forged'")
    with Wire(gateway.tcp) as wire:
        wire.send(frame(0x10, octets("0004 'MQTT' 04 02 003c 000a") + name))
        wire.socket.recv(100)
    publish(gateway, "a", "x", options=["-i", "after"])
    gateway.wait_for_line("after connected")
    assert not any("\x1b" in line or line.startswith("forged") for line in gateway.log)


def test_half_a_packet_and_then_a_reset(gateway):
    """[attack 88]"""
    with Witness(gateway) as witness:
        for _ in range(200):
            wire = Wire(gateway.tcp, connect=CONNECT_5)
            wire.send("30 ff 01 0001 'a'")
            wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            wire.close()
        assert witness.is_served()
