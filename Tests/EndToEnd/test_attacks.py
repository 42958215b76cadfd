"""Attack cases that need a crowd, a long packet or a shortage; the others are in test_bad_bytes.py.

Whatever one client or a thousand of them do, memory and processor time are bounded, and who did nothing wrong is
served.
"""

import contextlib
import resource
import select
import socket
import threading
import time

import pytest

from gateway import PATIENCE
from packets import (
    DISCONNECT, PINGRESP, PROPERTIES, SUBACK, V5, V311, Client, both_versions, connect, data, disconnect, keeping,
    number, parse, properties, publish, subscribe, unsubscribe, variable, will)
from wire import CONNECT_311, CONNECT_5, Wire, Witness, frame, octets

ROUNDS = 20


def seconds_of_service(witness):
    """How long the witness waits for its own message, the lower quartile of some: others may have the processor now
    and then, but whoever is starved is so each time."""
    taken = []
    for _ in range(ROUNDS):
        begin = time.monotonic()
        assert witness.is_served()
        taken.append(time.monotonic() - begin)
    return sorted(taken)[ROUNDS // 4]


def eventually(condition):
    """Whether it comes true within our patience."""
    end = time.monotonic() + PATIENCE
    while not (found := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return found


@contextlib.contextmanager
def crowd():
    """A list of sockets, all closed at the end."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 8_192)), hard))
    wires = []
    yield wires
    for wire in wires:
        wire.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


# --- framing ---

EVERY_PROPERTY = {
    "payload_format_indicator": 1, "message_expiry_interval": 9, "content_type": "c", "response_topic": "r",
    "correlation_data": b"d", "user_property": [("k", "v")], "topic_alias": 1}
LONG_PACKETS = {
    "PUBLISH": (publish(V5, "topic", "", 1, 7, **EVERY_PROPERTY), 0),
    "PUBACK": (frame(0x40, number(7) + b"\x10" + properties(V5, {"reason_string": "r", "user_property": ("k", "v")})),
               2),
    "PUBREC": (frame(0x50, number(7) + b"\x80" + properties(V5, {"reason_string": "r"})), 2),
    "PUBREL": (frame(0x62, number(7) + b"\x92" + properties(V5, {"reason_string": "r"})), 2),
    "PUBCOMP": (frame(0x70, number(7) + b"\x92" + properties(V5, {"reason_string": "r"})), 2),
    "SUBSCRIBE": (subscribe(V5, 7, ("one/+", 1), ("two/#", 2), subscription_identifier=300, user_property=("k", "v")),
                  0),
    "UNSUBSCRIBE": (unsubscribe(V5, 7, "one/+", "two/#", user_property=("k", "v")), 0),
    "DISCONNECT": (disconnect(V5, 4, reason_string="r", user_property=("k", "v")), 0),
}


@pytest.mark.parametrize("packet, shortest", LONG_PACKETS.values(), ids=LONG_PACKETS.keys())
def test_every_packet_cut_short_everywhere(broker, packet, shortest):
    """What is left of it is refused, or is another packet that is whole; it is never read on into what follows.
    [attack 8]"""
    packet, body = packet[:1], packet[2:]
    with Client(broker, V5, "victim") as witness:
        witness.subscribe("smuggled")
        for length in range(len(body)):
            behind = publish(V5, "smuggled", b"%d" % length)
            with Client(broker, V5) as client:
                client.send(frame(packet[0], body[:length]) + behind)
                if packet[0] == 0xE0:
                    client.rest()
                    witness.hears_nothing()
                    continue
                client.socket.shutdown(socket.SHUT_WR)
                rest = client.rest()
                refused = rest[:1] == b"\xe0" and parse(rest, V5).code in (0x81, 0x82)
                # Cut where the packet is whole, what follows is the next packet.
                assert refused or witness.message().payload == b"%d" % length, (length, rest.hex(" "))
                assert refused or length >= shortest
        witness.hears_nothing()


def test_a_long_packet_byte_by_byte_costs_its_length(gateway):
    """Each byte is looked at once, and not the whole packet with each byte. [attack 11]"""
    packet = publish(V311, "slow", bytes(60_000))
    with Witness(gateway) as witness, Client(gateway, V311) as client:
        client.subscribe("slow", qos=0)
        before = gateway.processor_seconds()
        for index in range(len(packet)):
            client.send(packet[index:index + 1])
            if index % 10_000 == 0:
                assert witness.is_served()
        assert client.packet() == packet
        # 60,000 reads take a tenth of a second or so, 60,000 times the packet would take ten.
        assert gateway.processor_seconds() - before < 3
        assert witness.is_served()


@pytest.mark.parametrize("receivers", [0, 50])
def test_a_flood_of_coalesced_packets_is_no_wall(gateway, receivers):
    """[attack 12]"""
    flood = publish(V311, "flood", "x") * 10_000
    with crowd() as wires, Witness(gateway) as witness, Client(gateway, V311) as sender:
        for _ in range(receivers):
            wires.append(Client(gateway, V311))
            wires[-1].subscribe("flood", qos=0)
        ends = threading.Event()

        def send():
            # The end of the test may come while it waits for room.
            with contextlib.suppress(OSError):
                while not ends.is_set():
                    sender.send(flood)

        def read():
            while not ends.is_set():
                for wire in wires:
                    if has_answered(wire):
                        wire.socket.recv(1 << 20)

        threads = [threading.Thread(target=send), threading.Thread(target=read)]
        for thread in threads:
            thread.start()
        try:
            assert seconds_of_service(witness) < 0.05
        finally:
            ends.set()
            sender.socket.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()
        assert witness.is_served()


# --- strings and properties ---


def pairs(count):
    """User properties of five bytes each, with their length before them."""
    return variable(5 * count) + b"\x26\0\0\0\0" * count


USER_PROPERTIES = {
    "PUBLISH": lambda count: frame(0x30, data("t") + pairs(count)),
    "PUBACK": lambda count: frame(0x40, number(1) + b"\0" + pairs(count)),
    "PUBREL": lambda count: frame(0x62, number(1) + b"\0" + pairs(count)),
    "SUBSCRIBE": lambda count: frame(0x82, number(1) + pairs(count) + data("t") + b"\0"),
    "UNSUBSCRIBE": lambda count: frame(0xA2, number(1) + pairs(count) + data("t")),
    "DISCONNECT": lambda count: frame(0xE0, b"\0" + pairs(count)),
}


@pytest.mark.parametrize("make", USER_PROPERTIES.values(), ids=USER_PROPERTIES.keys())
@pytest.mark.parametrize("count, code", [(33, 0x97), (10_000, 0x97), (65_536, 0x95)])
def test_a_bomb_of_user_properties(broker, make, count, code):
    """32 pairs may be, not one more; the longest bomb is longer than a packet may be. [attack 24]"""
    with Client(broker, V5) as client:
        client.send(make(32) + b"\xc0\x00")
        client.rest() if make(0)[0] == 0xE0 else client.next()
    with Witness(broker) as witness, Client(broker, V5) as client:
        before = broker.processor_seconds()
        client.send(make(count))
        assert client.end() == code
        assert broker.processor_seconds() - before < 0.1
        assert witness.is_served()


def test_a_bomb_of_user_properties_in_connect(broker):
    """Of CONNECT and of its will. [attack 24]"""
    for count, code in ((32, 0), (33, 0x97), (3_000, 0x97), (10_000, None), (65_536, None)):
        own = frame(0x10, octets("0004 'MQTT' 05 02 003c") + pairs(count) + data("c"))
        wills = frame(0x10, octets("0004 'MQTT' 05 06 003c 00") + data("c") + pairs(count) + data("w") + data("x"))
        for packet in (own, wills):
            with Witness(broker) as witness, Wire(broker.tcp) as wire:
                wire.send(packet)
                if code == 0:
                    assert parse(wire.packet(), V5).code == 0
                else:
                    # Above what may come before CONNECT is accepted, nothing is answered.
                    rest = wire.rest()
                    assert (parse(rest, V5).code if rest else None) == code
                assert witness.is_served()


# Which properties a client may send, and where: table 2-4 of MQTT 5.0.
COMMON = {"reason_string", "user_property"}
OF_A_MESSAGE = {"payload_format_indicator", "message_expiry_interval", "content_type", "response_topic",
                "correlation_data", "user_property"}
PLACES = {
    "CONNECT": {"session_expiry_interval", "authentication_method", "request_problem_information",
                "request_response_information", "receive_maximum", "topic_alias_maximum", "user_property",
                "maximum_packet_size"},
    "will": OF_A_MESSAGE | {"will_delay_interval"},
    "PUBLISH": OF_A_MESSAGE | {"topic_alias"},
    "PUBACK": COMMON,
    "SUBSCRIBE": {"subscription_identifier", "user_property"},
    "UNSUBSCRIBE": {"user_property"},
    "DISCONNECT": COMMON | {"session_expiry_interval", "server_reference"},
}
BUILD = {
    "CONNECT": lambda section: frame(0x10, octets("0004 'MQTT' 05 02 003c") + section + data("c")),
    "will": lambda section: frame(
        0x10, octets("0004 'MQTT' 05 06 003c 00") + data("c") + section + data("w") + data("x")),
    "PUBLISH": lambda section: frame(0x30, data("t") + section + b"x"),
    "PUBACK": lambda section: frame(0x40, number(9) + b"\0" + section),
    "SUBSCRIBE": lambda section: frame(0x82, number(1) + section + data("t") + b"\0"),
    "UNSUBSCRIBE": lambda section: frame(0xA2, number(1) + section + data("t")),
    "DISCONNECT": lambda section: frame(0xE0, b"\0" + section),
}
A_VALUE = {1: 1, 2: 1, 4: 1_000, "many": 1, "string": "s", "data": b"d", "pairs": ("k", "v")}


def verdict(broker, place, section):
    """The code that a packet with these properties ends its connection with; None if it goes on."""
    if place in ("CONNECT", "will"):
        with Wire(broker.tcp) as wire:
            return parse(wire.send(BUILD[place](section)).packet(), V5).code or None
    with Client(broker, V5, session_expiry_interval=9) as client:
        client.send(BUILD[place](section) + b"\xc0\x00")
        if place == "DISCONNECT":
            return client.end()
        while (found := client.next()).kind not in (DISCONNECT, PINGRESP):
            pass
        return found.code or None


@pytest.mark.parametrize("place", PLACES)
def test_every_property_in_every_packet(broker, place):
    """Where it belongs and where not, once and twice; and those that there are not. [attack 21, 22, 25]"""
    with Witness(broker) as witness:
        for name, (_, kind) in PROPERTIES.items():
            one = properties(V5, {name: A_VALUE[kind]})[1:]
            once, twice = (verdict(broker, place, variable(count * len(one)) + count * one) for count in (1, 2))
            if name in PLACES[place]:
                assert once == (0x8C if name == "authentication_method" else None), name
                assert twice == (None if name == "user_property" else 0x82), name
            else:
                assert once in (0x81, 0x82) and twice in (0x81, 0x82), name
        for identifier in {*range(256)} - {each for each, _ in PROPERTIES.values()}:
            section = variable(identifier) + b"\0" * 4
            assert verdict(broker, place, variable(len(section)) + section) in (0x81, 0x82), identifier
        assert witness.is_served()


@pytest.mark.parametrize("place, name, value", [
    ("CONNECT", "receive_maximum", 0), ("CONNECT", "maximum_packet_size", 0),
    ("CONNECT", "request_problem_information", 2), ("CONNECT", "request_problem_information", 255),
    ("CONNECT", "request_response_information", 2), ("will", "payload_format_indicator", 2),
    ("PUBLISH", "payload_format_indicator", 2), ("PUBLISH", "payload_format_indicator", 255),
    ("SUBSCRIBE", "subscription_identifier", 0)])
def test_values_of_properties_out_of_range(broker, place, name, value):
    """[attack 23, 65]"""
    with Witness(broker) as witness:
        assert verdict(broker, place, properties(V5, {name: value})) == 0x82
        assert witness.is_served()


@pytest.mark.parametrize("value", [1, 127, 128, 268_435_455])
def test_subscription_identifiers_up_to_the_highest(broker, mine, value):
    """One more, 268,435,456, would take five bytes. [attack 65]"""
    with Client(broker, V5) as client:
        client.subscribe(mine, subscription_identifier=value)
        client.send(publish(V5, mine))
        assert client.message().properties == {"subscription_identifier": [value]}
        client.send(frame(0x82, octets("0001 06 0b 80 80 80 80 01") + data(mine) + b"\0"))
        assert client.end() == 0x81


# --- CONNECT and session ---


@both_versions
def test_client_ids_up_to_the_longest_that_can_be_said(broker, version):
    """[attack 35]"""
    for length, code in ((256, 0), (257, 0x85), (2_560, 0x85), (16_000, 0x85), (65_535, None)):
        with Witness(broker) as witness, Wire(broker.tcp) as wire:
            wire.send(connect(version, "x" * length))
            if code is None:
                assert wire.rest() == b""
            else:
                expected = 2 if code and version == V311 else code
                assert parse(wire.packet(), version).code == expected
            assert witness.is_served()


@both_versions
def test_user_name_and_password_of_65535_bytes(broker, version):
    """More than may come before CONNECT is accepted. [attack 29]"""
    with Witness(broker) as witness:
        for long in ({"user": "u" * 65_535}, {"user": "u", "password": "p" * 65_535},
                     {"user": "u" * 65_535, "password": "p" * 65_535}):
            with Wire(broker.tcp) as wire:
                assert wire.send(connect(version, "c", **long)).rest() == b""
            assert witness.is_served()


@both_versions
def test_wills_at_a_takeover(broker, version, mine):
    """The old connection is lost: its will goes out, once, and the new one's will stands. [attack 38]"""
    with Client(broker, version) as heir:
        heir.subscribe(mine)
        first = Client(broker, version, mine, will=will(mine, "first"), **keeping(version))
        second = Client(broker, version, mine, will=will(mine, "second"), **keeping(version))
        assert first.end() == (0x8E if version == V5 else None)
        assert heir.message().payload == b"first"
        heir.hears_nothing()
        second.close()
        assert heir.message().payload == b"second"
        heir.hears_nothing()


def test_a_delayed_will_at_a_takeover(broker, mine):
    """It waits for a session that is lost, and this one is not. [attack 38]"""
    with Client(broker, V5) as heir:
        heir.subscribe(mine)
        first = Client(broker, V5, mine, will=will(mine, "first", will_delay_interval=1), **keeping(V5))
        with Client(broker, V5, mine, **keeping(V5)) as second:
            assert first.end() == 0x8E and second.connack.present == 1
            heir.hears_nothing()


@both_versions
def test_a_flood_of_takeovers(gateway, version):
    """Thousands a second: each ends the one before, the last one stays, and nothing is left of the others.
    [attack 40]"""
    def flood(count):
        for _ in range(count):
            client = Client(gateway, version, "one", will=will("gone", retain=True), **keeping(version))
            client.send(subscribe(version, 1, ("a/#", 1)) + publish(version, "a/b", "x", 1, 2))
            # It is not closed here: the gateway has to.
            wires.append(client)

    with crowd() as wires, Witness(gateway) as witness:
        flood(200)
        assert witness.is_served()
        before, processor = gateway.resident_kilobytes(), gateway.processor_seconds()
        thread = threading.Thread(target=flood, args=(2_000,))
        thread.start()
        assert seconds_of_service(witness) < 0.05
        thread.join()
        assert witness.is_served()
        assert gateway.processor_seconds() - processor < 3
        assert gateway.resident_kilobytes() - before < 4_000
        for wire in wires[:-1]:
            wire.rest()
        last = wires[-1]
        while last.next().kind != SUBACK:
            pass
        assert witness.is_served()


def test_a_flood_of_connections(gateway):
    """Thousands a second, most of them broken off: who is there is served, and nothing is left of them. [attack 43]"""
    def flood(count):
        for index in range(count):
            with Wire(gateway.tcp) as wire:
                if index % 3:
                    wire.send(CONNECT_311[:7 * (index % 3)])
                if index % 5 == 0:
                    wire.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with Witness(gateway) as witness:
        flood(500)
        assert witness.is_served()
        before = gateway.resident_kilobytes()
        thread = threading.Thread(target=flood, args=(4_000,))
        thread.start()
        assert seconds_of_service(witness) < 0.05
        thread.join()
        assert witness.is_served()
        assert gateway.resident_kilobytes() - before < 4_000


@pytest.mark.parametrize("hello, kilobytes", [(b"", 2), (CONNECT_311[:-1], 3), (CONNECT_5, 6)],
                         ids=["half-open", "almost connected", "idle"])
def test_a_crowd_that_says_nothing(start_gateway, hello, kilobytes):
    """Connections without CONNECT, with most of one, and clients with the longest keep-alive cost what a connection
    costs. [attack 44, 45]"""
    gateway = start_gateway("connect_timeout 60\nlistener 0 127.0.0.1\n")
    hello = connect(V5, "", keep_alive=65_535) if hello == CONNECT_5 else hello
    with crowd() as wires, Witness(gateway) as witness:
        before, processor = gateway.resident_kilobytes(), gateway.processor_seconds()
        for _ in range(1_500):
            wires.append(Wire(gateway.tcp).send(hello))
        assert witness.is_served()
        # Once it has read all that was sent before, this is what they cost.
        assert seconds_of_service(witness) < 0.05
        assert gateway.resident_kilobytes() - before < 1_500 * kilobytes + 2_000
        assert gateway.processor_seconds() - processor < 3
        assert witness.is_served()


def test_connections_have_a_limit(start_gateway):
    """One above it is closed and the others stay; who goes makes room. [attack 43, 44]"""
    gateway = start_gateway("max_clients 100\nlistener 0 127.0.0.1\n")
    with crowd() as wires, Witness(gateway) as witness:
        for _ in range(99):
            wires.append(Wire(gateway.tcp, connect=CONNECT_311))
        for _ in range(100):
            with Wire(gateway.tcp) as refused:
                assert refused.rest() == b""
        assert witness.is_served()
        wires.pop().close()
        # The end of a connection and the next one's beginning may be read in any order.
        assert eventually(lambda: is_accepted(gateway))


def is_accepted(gateway):
    """Whether one more client can come."""
    with Wire(gateway.tcp) as wire, contextlib.suppress(ConnectionError):
        return wire.send(CONNECT_311).socket.recv(4) == octets("20 02 00 00")
    return False


def test_a_keep_alive_above_the_operators(start_gateway):
    """MQTT 5 is told which is kept, MQTT 3.1.1 is refused; none at all is above every maximum. [attack 45, 46]"""
    gateway = start_gateway("max_keepalive 3600\nlistener 0 127.0.0.1\n")
    with Witness(gateway) as witness:
        for seconds in (0, 3_601, 65_535):
            with Client(gateway, V5, keep_alive=seconds) as client:
                assert client.connack.properties["server_keep_alive"] == 3_600
            with Wire(gateway.tcp) as wire:
                assert wire.send(connect(V311, "c", keep_alive=seconds)).rest() == octets("20 02 00 02")
        with Client(gateway, V311, keep_alive=3_600) as client:
            client.ping()
        assert witness.is_served()


def test_no_descriptor_is_left(start_gateway):
    """The listener rests, and does not spin; who is there is served, and as soon as one goes the next comes in.
    [attack 48]"""
    gateway = start_gateway("connect_timeout 60\nlistener 0 127.0.0.1\n")
    with crowd() as wires, Witness(gateway) as witness:
        resource.prlimit(gateway.process.pid, resource.RLIMIT_NOFILE, (40, 40))
        for _ in range(100):
            wires.append(Wire(gateway.tcp))
        gateway.wait_for_line("[Tt]oo many open files|descriptor")
        before = gateway.processor_seconds()
        begin = time.monotonic()
        while time.monotonic() - begin < 1:
            assert witness.is_served()
            # A spinning listener shows in the processor's time only.
            time.sleep(0.05)
        assert gateway.processor_seconds() - before < 0.3
        # Those in front of it go, and the last one's turn comes.
        last = wires.pop()
        while wires:
            wires.pop(0).close()
        assert last.send(CONNECT_311).packet() == octets("20 02 00 00")
        assert witness.is_served()


# --- slow senders ---


def test_slow_senders_of_large_packets(start_gateway):
    """Together they may keep 64 MiB, whatever each may send; it is the ones that keep most that are ended.
    [attack 56]"""
    gateway = start_gateway("max_packet_size 2097152\nlistener 0 127.0.0.1\n")
    beginning = publish(V5, "slow", bytes(2_000_000))[:1_500_000]
    with crowd() as wires, Witness(gateway) as witness, Client(gateway, V5) as small:
        small.send(publish(V5, "small", "a packet in two pieces", 1, 1)[:10])
        before = gateway.resident_kilobytes()
        for _ in range(80):
            wires.append(Client(gateway, V5))
            with contextlib.suppress(ConnectionError):
                wires[-1].send(beginning)
            assert witness.is_served()
        assert gateway.resident_kilobytes() - before < (64 << 10) + 12_000
        small.send(publish(V5, "small", "a packet in two pieces", 1, 1)[10:])
        assert small.next().identifier == 1
        # 80 of them send 120 MB, of which 67 MB fit.
        assert eventually(lambda: sum(map(has_answered, wires)) == 36)
        assert all(wire.end() in (0x97, None) for wire in wires if has_answered(wire))
        assert witness.is_served()
    with Witness(gateway) as witness:
        assert witness.is_served()


def has_answered(wire):
    """Whether the other side has said or done something."""
    poll = select.poll()
    poll.register(wire.socket, select.POLLIN)
    return bool(poll.poll(0))
