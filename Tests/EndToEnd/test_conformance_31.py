"""MQTT 3.1, the protocol named MQIsdp: what it has otherwise than MQTT 3.1.1."""

import pytest

from packets import PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBACK, V5, Client, acknowledge, data, number, parse
from packets import publish as publish_
from packets import subscribe as subscribe_
from packets import unsubscribe as unsubscribe_
from wire import CONNECT_311, Wire, Witness, frame, octets

V31 = 3
ACCEPTED = octets("20 02 00 00")
IDENTIFIER_REJECTED = octets("20 02 00 02")


def connect(client_id, flags=2, rest=b"", keep_alive=60):
    return frame(0x10, data("MQIsdp") + bytes([V31, flags]) + number(keep_alive) + data(client_id) + rest)


def publish(*arguments, **options):
    return publish_(V31, *arguments, **options)


def come(broker, client_id, flags=2, rest=b""):
    """A client that was accepted; `next` hears its packets."""
    wire = Wire(broker.tcp, connect=connect(client_id, flags, rest))
    wire.next = lambda: parse(wire.packet(), V31)
    return wire


@pytest.mark.parametrize("length", [1, 22, 23])
def test_client_ids_of_1_to_23_characters(broker, mine, length):
    with Wire(broker.tcp) as wire:
        assert wire.send(connect(mine.rjust(length, "x")[-length:])).packet() == ACCEPTED


@pytest.mark.parametrize("length", [24, 256])
def test_longer_client_ids_are_taken_as_later_versions_take_them(broker, mine, length):
    """[M-71]"""
    with Wire(broker.tcp) as wire:
        assert wire.send(connect(mine.rjust(length, "x"))).packet() == ACCEPTED
    with Wire(broker.tcp) as wire:
        assert wire.send(connect("x" * 257)).rest() == IDENTIFIER_REJECTED


@pytest.mark.parametrize("flags", [0, 2], ids=["session", "clean"])
def test_a_client_has_an_id(broker, flags):
    """The server makes none up before MQTT 3.1.1."""
    with Wire(broker.tcp) as wire:
        assert wire.send(connect("", flags)).rest() == IDENTIFIER_REJECTED


def test_a_session_that_is_resumed_is_not_announced(broker, mine):
    """The byte is reserved in MQTT 3.1."""
    with come(broker, mine, 0) as wire:
        wire.send(subscribe_(V31, 1, (mine, 1)))
        assert wire.next().codes == [1]
        wire.send("e0 00")
        assert wire.rest() == b""
    with Client(broker, V5) as other:
        other.publish(mine, "waited", 1)
    with Wire(broker.tcp) as wire:
        assert wire.send(connect(mine, 0)).packet() == ACCEPTED
        assert parse(wire.packet(), V31).payload == b"waited"
    with Wire(broker.tcp) as wire:
        assert wire.send(connect(mine, 2)).packet() == ACCEPTED
        assert wire.send("c0 00").packet() == octets("d0 00")


def test_a_password_needs_a_user_name(broker, mine):
    with Wire(broker.tcp) as wire:
        assert wire.send(connect(mine, 0x42, data("secret"))).rest() == b""


@pytest.mark.parametrize("flags, rest", [
    (0x82, b""), (0xC2, b""), (0xC2, data("user")), (0xC2, data("user") + data("password"))],
    ids=["no name", "neither", "no password", "both"])
def test_user_name_and_password_may_be_announced_and_left_out(broker, mine, flags, rest):
    """The length of the packet goes before its flags."""
    with Wire(broker.tcp) as wire:
        assert wire.send(connect(mine, flags, rest)).packet() == ACCEPTED


@pytest.mark.parametrize("rest", [b"\0", b"\0\5user", data("user") + b"\0", data("user") + data("password") + b"x"],
                         ids=["half a length", "short name", "half a length behind", "too long"])
def test_user_name_and_password_are_not_cut_short(broker, mine, rest):
    with Witness(broker) as witness, Wire(broker.tcp) as wire:
        assert wire.send(connect(mine, 0xC2, rest)).rest() == b""
        assert witness.is_served()


def test_will_qos_and_retain_mean_nothing_without_a_will(broker, mine):
    with Wire(broker.tcp) as wire:
        assert wire.send(connect(mine, 0x02 | 0x38)).packet() == ACCEPTED


def test_a_will(broker, mine):
    with Client(broker, V5) as heir:
        heir.subscribe(mine)
        come(broker, mine, 0x02 | 0x04 | 0x08, data(mine) + data("gone")).close()
        found = heir.message()
        assert (found.payload, found.qos, found.retain) == (b"gone", 1, False)
        with come(broker, mine, 0x02 | 0x04, data(mine) + data("gone")) as wire:
            assert wire.send("e0 00").rest() == b""
        heir.hears_nothing()


@pytest.mark.parametrize("name, level", [("MQIsdp", 4), ("MQIsdp", 5), ("MQTT", 3), ("MQIsdp", 0), ("MQIsdp", 131)])
def test_name_and_level_belong_together(broker, name, level):
    """The answer is the one that clients of all versions read."""
    with Wire(broker.tcp) as wire:
        wire.send(frame(0x10, data(name) + bytes([level, 2]) + number(60) + data("c")))
        assert wire.rest() == octets("20 02 00 01")


@pytest.mark.parametrize("name", ["MQISDP", "mqisdp", "MQIsdp\u0301", "MQIsd", "MQIsdpp"])
def test_the_name_is_compared_byte_by_byte(broker, name):
    with Wire(broker.tcp) as wire:
        wire.send(frame(0x10, data(name) + bytes([3, 2]) + number(60) + data("c")))
        assert wire.rest() == b""


def test_requests_may_carry_dup(broker, mine):
    """SUBSCRIBE, UNSUBSCRIBE and PUBREL that are sent again; MQTT 3.1.1 has no such flag any more."""
    again = [bytes([packet[0] | 8]) + packet[1:] for packet in (
        subscribe_(V31, 1, (mine, 2)), acknowledge(PUBREL, 2), unsubscribe_(V31, 3, mine))]
    with come(broker, mine) as wire:
        wire.send(again[0])
        assert wire.next().codes == [2]
        wire.send(publish(mine, "x", 2, 2))
        assert wire.next().kind == PUBREC
        wire.send(again[1])
        # The message may come before PUBCOMP or behind it.
        assert {wire.next().kind for _ in range(2)} == {PUBCOMP, PUBLISH}
        assert wire.send(again[2]).packet() == octets("b0 02 0003")
    for packet in again:
        with Wire(broker.tcp, connect=CONNECT_311) as wire:
            assert wire.send(packet).rest() == b""


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_messages_at_every_qos(broker, mine, qos):
    with come(broker, mine) as wire, Client(broker, V5) as other:
        wire.send(subscribe_(V31, 1, (mine, 2)))
        answer = wire.next()
        assert (answer.kind, answer.identifier, answer.codes) == (SUBACK, 1, [2])
        other.subscribe(mine + "/5")
        assert other.publish(mine, "from 5", qos, content_type="text/plain", user_property=[("k", "v")]) in (None, 0)
        found = wire.next()
        assert (found.payload, found.qos, found.retain) == (b"from 5", qos, False)
        if qos == 1:
            wire.send(acknowledge(PUBACK, found.identifier))
        if qos == 2:
            wire.send(acknowledge(PUBREC, found.identifier))
            assert wire.next().kind == PUBREL
            wire.send(acknowledge(PUBCOMP, found.identifier))
        wire.send(publish(mine + "/5", "from 3.1", qos, 9))
        if qos:
            assert wire.packet() == octets("40 02 0009" if qos == 1 else "50 02 0009")
        if qos == 2:
            assert wire.send(acknowledge(PUBREL, 9)).packet() == octets("70 02 0009")
        assert other.message().payload == b"from 3.1"
        assert wire.send("c0 00").packet() == octets("d0 00")


def test_what_is_unacknowledged_comes_again_with_dup(broker, mine):
    with come(broker, mine, 0) as wire, Client(broker, V5) as other:
        wire.send(subscribe_(V31, 1, (mine, 1)))
        wire.next()
        other.publish(mine, "once", 1)
        first = wire.next()
    with come(broker, mine, 0) as wire:
        again = wire.next()
        assert (again.identifier, again.payload, again.dup) == (first.identifier, b"once", True)
        wire.send(acknowledge(PUBACK, again.identifier))
        assert wire.send("c0 00").packet() == octets("d0 00")
    come(broker, mine).close()


def test_a_second_client_of_the_same_id_ends_the_first(broker, mine):
    with come(broker, mine) as first, come(broker, mine) as second:
        assert first.rest() == b""
        assert second.send("c0 00").packet() == octets("d0 00")


def test_silence_of_one_and_a_half_keep_alives_ends_the_connection(broker, mine):
    with Wire(broker.tcp) as wire:
        assert wire.send(connect(mine, keep_alive=1)).packet() == ACCEPTED
        assert wire.rest() == b""


@pytest.mark.parametrize("packet", [
    publish("a/#", "x"), publish("", "x"), publish("t", "x", 3, 1), publish("t", "x", 1, 0), connect("twice"),
    octets("82 02 0001"), octets("a2 02 0001"), octets("f0 00"), octets("00 00"), octets("20 02 0000"),
    frame(0x30, data(b"\xed\xa0\x80")), frame(0x30, data(b"a\0")),
], ids=["wildcard", "no topic", "QoS 3", "identifier 0", "second CONNECT", "no filter", "no filter either", "AUTH",
        "type 0", "CONNACK", "surrogate", "NUL"])
def test_a_violation_ends_the_connection_in_silence(broker, mine, packet):
    with Witness(broker) as witness, come(broker, mine) as wire:
        assert wire.send(packet).rest() == b""
        assert witness.is_served()


def test_a_filter_that_is_refused_says_so(broker, mine):
    """MQTT 3.1 has no word for it; 0x80, of MQTT 3.1.1, is no QoS that could be taken for granted. [M-72]"""
    with come(broker, mine) as wire:
        wire.send(subscribe_(V31, 1, (mine, 1), ("a#", 1)))
        assert wire.next().codes == [1, 0x80]
