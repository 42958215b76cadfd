"""MQTT over WebSocket: with paho-mqtt, and byte by byte with clients that break the rules."""

import signal
import socket
import time

import paho.mqtt.client as mqtt
import pytest

from paho_client import PahoClient
from websocket_wire import WebSocketWire, frame, request
from wire import CONNECT_5, CONNECT_311, Wire, octets

CONFIGURATION = """\
listener 0 127.0.0.1

listener 0 127.0.0.1
protocol websockets

listener 0 127.0.0.1
protocol websockets
websockets_origin https://plant.example
max_connections 2

sys_interval 0
log_type all
connect_timeout 1
"""


@pytest.fixture
def gateway(start_gateway):
    return start_gateway(CONFIGURATION)


@pytest.fixture
def guarded(gateway):
    """The listener that lets only pages of plant.example in."""
    return gateway.addresses("MQTT over WebSocket")[1][1]


class WebSocketWitness:
    """A client that did nothing wrong: whatever others send, it is served."""

    def __init__(self, port):
        self.wire = WebSocketWire(port, connect=CONNECT_311)
        self.wire.send(frame(2, octets("82 0c 0001 0007 'witness' 00")))
        assert self.wire.frame() == (2, octets("90 03 0001 00"))

    def is_served(self):
        message = octets("30 0b 0007 'witness' 'ok'")
        self.wire.send(frame(2, message))
        return self.wire.frame() == (2, message)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.wire.close()


@pytest.mark.parametrize("version", [mqtt.MQTTv31, mqtt.MQTTv311, mqtt.MQTTv5], ids=["3.1", "3.1.1", "5.0"])
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_paho_over_websocket_and_tcp(gateway, paho, version, qos):
    """[MQTT-6.0.0-2] [MQTT-6.0.0-4] [MQTT311-6.0.0-2] [MQTT311-6.0.0-4]"""
    browser = PahoClient("browser", version=version, transport="websockets")
    browser.connect(gateway.websocket)
    plain = paho("plain", version=version)
    assert browser.subscribe("to/browser", qos) == [qos]
    assert plain.subscribe("to/plain", qos) == [qos]
    for size in (0, 1, 124, 126, 70_000, 200_000):
        payload = bytes(index & 0xFF for index in range(size))
        plain.publish("to/browser", payload, qos)
        browser.publish("to/plain", payload, qos)
        assert browser.message().payload == payload
        assert plain.message().payload == payload
    browser.disconnect()
    browser.close()


def test_log_lines(gateway):
    with WebSocketWire(gateway.websocket, connect=CONNECT_5, Origin="http://a.example") as wire:
        host, port = wire.socket.getsockname()
        gateway.wait_for_line(rf"{host}:{port} opened a WebSocket \(mqtt, from a page of http://a.example\)")
        gateway.wait_for_line(rf"connected from {host}:{port}")
        wire.send(frame(1, b"text"))
        gateway.wait_for_line(rf"from {host}:{port} ended: WebSocket closed with 1003, a text message")
    with WebSocketWire(gateway.websocket, opened=False) as wire:
        wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        gateway.wait_for_line(rf"127.0.0.1:{wire.socket.getsockname()[1]} ended: WebSocket handshake refused, 426 ")


REFUSED = {
    "no subprotocol": (request(Sec_WebSocket_Protocol=None), 400),
    "another subprotocol": (request(Sec_WebSocket_Protocol="chat"), 400),
    "no Upgrade": (request(Upgrade=None), 426),
    "another Upgrade": (request(Upgrade="h2c"), 426),
    "no Connection": (request(Connection="close"), 426),
    "another version": (request(Sec_WebSocket_Version="8"), 426),
    "no key": (request(Sec_WebSocket_Key=None), 400),
    "a short key": (request(Sec_WebSocket_Key="c2hvcnQ="), 400),
    "no Host": (request(Host=None), 400),
    "a body": (request(Content_Length="3") + b"abc", 400),
    "POST": (request("POST / HTTP/1.1"), 405),
    "HTTP/1.0": (request("GET / HTTP/1.0"), 505),
    "a blank before the colon": (request(**{"Host ": "smuggled"}), 400),
    "a header of 64 KiB": (request(X="x" * 65536), 431),
    "a thousand headers": (request(**{f"X{index}": "y" for index in range(1000)}), 431),
    "MQTT": (CONNECT_311, 400),
    "TLS": (bytes.fromhex("16030100f8010000f4"), 400),
    "line feeds alone": (b"GET / HTTP/1.1\nHost: a\n\n", 400),
}


@pytest.mark.parametrize("data, status", REFUSED.values(), ids=REFUSED.keys())
def test_a_handshake_that_is_refused(gateway, data, status):
    """[attack 91] [MQTT-6.0.0-3] [MQTT311-6.0.0-3]"""
    with WebSocketWitness(gateway.websocket) as witness, WebSocketWire(gateway.websocket, opened=False) as wire:
        wire.send(data)
        answer = wire.rest().decode()
        assert answer.startswith(f"HTTP/1.1 {status} "), answer
        head, body = answer.split("\r\n\r\n")
        assert "Connection: close" in head and f"Content-Length: {len(body)}" in head
        assert witness.is_served()


def test_headers_that_trickle_in(gateway):
    """[attack 91] The handshake and CONNECT have their one second together."""
    with WebSocketWitness(gateway.websocket) as witness, WebSocketWire(gateway.websocket, opened=False) as wire:
        begin = time.monotonic()
        try:
            for byte in request()[:-1]:
                wire.send(bytes([byte]))
                time.sleep(0.02)
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert wire.rest() == b""
        assert 0.8 < time.monotonic() - begin < 4
        assert witness.is_served()
    with WebSocketWire(gateway.websocket) as wire:
        begin = time.monotonic()
        assert wire.close_code() == 1000
        assert 0.5 < time.monotonic() - begin < 3


def test_pages_of_other_origins(guarded):
    """[attack 91] A page of another site cannot use the browser of somebody who may connect."""
    for origin in ("https://evil.example", "http://plant.example", "null", "https://plant.example.evil.example"):
        with WebSocketWire(guarded, opened=False) as wire:
            wire.send(request(Origin=origin))
            assert wire.rest().startswith(b"HTTP/1.1 403 ")
    for fields in ({"Origin": "https://plant.example"}, {}):
        with WebSocketWire(guarded, connect=CONNECT_5, **fields) as wire:
            wire.send(frame(2, octets("c0 00")))
            assert wire.frame() == (2, octets("d0 00"))


def test_max_connections(guarded):
    with WebSocketWire(guarded, connect=CONNECT_5), WebSocketWire(guarded, connect=CONNECT_5):
        with WebSocketWire(guarded, opened=False) as third:
            assert third.rest() == b""


BROKEN = {
    "without a mask": (frame(2, b"\xc0\x00", masked=False), 1002),
    "RSV1": (bytes([0xC2]) + frame(2, b"x")[1:], 1002),
    "RSV2": (bytes([0xA2]) + frame(2, b"x")[1:], 1002),
    "RSV3": (bytes([0x92]) + frame(2, b"x")[1:], 1002),
    **{f"opcode {opcode}": (frame(opcode), 1002) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "text": (frame(1, b"text"), 1003),
    "a ping of 126 bytes": (frame(9, bytes(126)), 1002),
    "a ping in fragments": (frame(9, final=False), 1002),
    "a continuation of nothing": (frame(0, b"x"), 1002),
    "a message in a message": (frame(2, b"\xc0", final=False) + frame(2, b"\x00"), 1002),
    "a length of 2^63": (bytes.fromhex("82ff8000000000000000 00000000"), 1002),
    "a length too long for itself": (bytes.fromhex("82fe0001 00000000 00"), 1002),
    "Close of one byte": (frame(8, b"x"), 1002),
    "Close with code 1005": (frame(8, b"\x03\xed"), 1002),
    "Close with code 5000": (frame(8, b"\x13\x88"), 1002),
    "Close with bad UTF-8": (frame(8, b"\x03\xe8\xff"), 1007),
    "a million empty fragments": (frame(2, final=False) + frame(0, final=False) * 1_000_000, 1008),
    "a compressed message": (bytes([0xC2]) + frame(2, bytes.fromhex("ca620000"))[1:], 1002),
}


@pytest.mark.parametrize("data, code", BROKEN.values(), ids=BROKEN.keys())
def test_frames_that_break_a_rule(gateway, data, code):
    """[attack 92] [attack 94] [MQTT-6.0.0-1] [MQTT311-6.0.0-1]"""
    with WebSocketWitness(gateway.websocket) as witness:
        with WebSocketWire(gateway.websocket, connect=CONNECT_5) as wire:
            try:
                wire.send(data)
            except (BrokenPipeError, ConnectionResetError):
                pass  # It is closed long before a million fragments are sent.
            if len(data) < 1_000:
                assert wire.close_code() == code
            else:
                gateway.wait_for_line(f"WebSocket closed with {code}")
        assert witness.is_served()


def test_the_will_goes_out_when_frames_break_a_rule_or_close_comes_alone(gateway):
    """[attack 92] [MQTT-3.1.2-8]"""
    connect = octets("10 14 0004 'MQTT' 04 06 003c 0000 0001 'w' 0003 'bye'")
    with Wire(gateway.tcp, connect=CONNECT_311) as reader:
        reader.send("82 06 0001 0001 'w' 00")
        reader.packet()
        for end in (frame(8, b"\x03\xe8"), frame(1, b"text")):
            with WebSocketWire(gateway.websocket, connect=connect) as wire:
                wire.send(end)
                assert reader.packet() == octets("30 06 0001 'w' 'bye'")


def test_no_extension_is_agreed_on(gateway):
    """[attack 94]"""
    fields = {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}
    with WebSocketWire(gateway.websocket, connect=CONNECT_5, **fields) as wire:
        assert "extensions" not in wire.answer.lower()
        assert "Sec-WebSocket-Protocol: mqtt" in wire.answer


def test_packets_split_over_frames_and_many_in_one(gateway):
    """[attack 93] [MQTT-6.0.0-2] [MQTT311-6.0.0-2]"""
    session = octets("10 10 0004 'MQTT' 05 02 003c 00 0003 'one'") + octets("82 07 0001 00 0001 'a' 01 32 08 0001 'a' 0007 00 'xy' c0 00")
    with WebSocketWire(gateway.websocket) as wire:
        wire.send(frame(2, session))
        whole = b""
        while len(whole) < 20:
            whole += wire.frame()[1]
    with WebSocketWire(gateway.websocket) as wire:
        for byte in session[:-1]:
            wire.send(frame(2, bytes([byte])) + frame(9))
        wire.send(frame(2, final=False) + frame(10, b"pong") + frame(0, session[-1:]))
        split, pongs = b"", 0
        while len(split) < len(whole) or pongs < len(session) - 1:
            opcode, payload = wire.frame()
            split += payload if opcode == 2 else b""
            pongs += opcode == 10
        assert split == whole


def test_a_remaining_length_beyond_the_frame(gateway):
    """[attack 93] The rest is waited for, not read from elsewhere (CVE-2026-25627)."""
    with WebSocketWitness(gateway.websocket) as witness:
        with WebSocketWire(gateway.websocket, connect=CONNECT_5) as wire:
            wire.send(frame(2, octets("30 7f 0001 'a' 00 'xxx'")))
            assert witness.is_served()
            wire.send(frame(2, bytes(0x7F - 7)) + frame(2, octets("c0 00")))
            assert wire.frame() == (2, octets("d0 00"))


def test_a_frame_of_16_mib_is_not_kept(gateway):
    """[attack 92] A frame of any length is passed on as it comes."""
    with WebSocketWitness(gateway.websocket) as witness:
        with WebSocketWire(gateway.websocket, connect=CONNECT_5) as wire:
            pings = octets("c0 00") * 16_384
            before = gateway.resident_kilobytes()
            wire.send(bytes.fromhex("82ff 0000000001000000 00000000"))
            for _ in range(32):
                wire.send(pings)
                answered = 0
                while answered < len(pings):
                    answered += len(wire.frame()[1])
            assert gateway.resident_kilobytes() - before < 4_000
            assert witness.is_served()


def test_a_flood_of_pings(gateway):
    """[attack 92] Pongs do not pile up for a client that does not read, and others are served meanwhile."""
    flood = frame(9, bytes(125)) * 2_000
    with WebSocketWitness(gateway.websocket) as witness:
        with WebSocketWire(gateway.websocket, connect=CONNECT_5) as wire:
            before = gateway.resident_kilobytes()
            wire.socket.settimeout(0.5)
            slowest = 0
            try:
                for _ in range(100):  # 26 MB, of which no pong is read
                    wire.send(flood)
                    begin = time.monotonic()
                    assert witness.is_served()
                    slowest = max(slowest, time.monotonic() - begin)
            except TimeoutError:
                pass
            assert slowest < 0.5
            assert gateway.resident_kilobytes() - before < 2_000
        assert witness.is_served()


def test_disconnect_and_close(gateway):
    with WebSocketWire(gateway.websocket, connect=CONNECT_5) as wire:
        wire.send(frame(2, octets("e0 00")))
        assert wire.close_code() == 1000
    with WebSocketWire(gateway.websocket, connect=CONNECT_5) as wire:
        wire.send(frame(8, b"\x0f\xa0why"))
        assert wire.close_code() == 4000
    with WebSocketWire(gateway.websocket, connect=CONNECT_5) as wire:
        wire.send(frame(2, octets("30 00")))
        opcode, payload = wire.frame()
        assert opcode == 2 and payload[:1] == b"\xe0" and payload[2] == 0x81
        assert wire.close_code() == 1000


def test_the_gateway_ends(gateway):
    with WebSocketWire(gateway.websocket, connect=CONNECT_5) as wire:
        gateway.process.send_signal(signal.SIGTERM)
        opcode, payload = wire.frame()
        assert opcode == 2 and payload[:1] == b"\xe0" and payload[2] == 0x8B
        assert wire.close_code() == 1001
    gateway.finish()


def test_a_reader_that_falls_behind_gets_whole_frames(gateway):
    """Output that is stuck in the middle of a frame goes on where it stopped."""
    with WebSocketWire(gateway.websocket, opened=False) as slow:
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.send(request() + frame(2, CONNECT_311))
        slow.head()
        assert slow.frame() == (2, octets("20 02 00 00"))
        slow.send(frame(2, octets("82 06 0001 0001 'a' 01")))
        assert slow.frame()[1][:1] == b"\x90"
        with Wire(gateway.tcp, connect=CONNECT_5) as writer:
            count = 24
            for number in range(count):
                body = octets("0001 'a'") + (number + 1).to_bytes(2, "big") + b"\0" + bytes([number]) * 10_000
                length = len(body)
                writer.send(bytes([0x32, length & 0x7F | 0x80, length >> 7]) + body)
                slow.send(frame(9, bytes([number])))
                assert writer.packet()[0] == 0x40
        stream, pongs, seen = b"", 0, 0
        while seen < count:
            opcode, payload = slow.frame()
            pongs += opcode == 10
            stream += payload if opcode == 2 else b""
            while len(stream) >= 10_008:
                packet, stream = stream[:10_008], stream[10_008:]
                assert packet[0] & 0xF6 == 0x32 and packet[8:] == bytes([seen]) * 10_000
                slow.send(frame(2, bytes([0x40, 2]) + packet[6:8]))
                seen += 1
        assert pongs > 0


def test_ipv6(start_gateway):
    gateway = start_gateway("listener 0 ::1\nprotocol websockets\nsys_interval 0\n")
    with WebSocketWire(gateway.websocket, host="::1", connect=CONNECT_5) as wire:
        wire.send(frame(2, octets("c0 00")))
        assert wire.frame() == (2, octets("d0 00"))
