"""MQTT 5.0 statement by statement: answers never outgrow the client's Maximum Packet Size, whatever they could add."""

import pytest

from packets import (
    CONNACK, DISCONNECT, PUBACK, PUBCOMP, PUBREC, PUBREL, SUBACK, UNSUBACK, V5, acknowledge, connect, parse, publish,
    subscribe, unsubscribe)
from wire import Wire

# What makes the server answer with an error.
CAUSES = {
    PUBACK: publish(V5, "$SYS/forged", "", 1, 1), PUBREC: publish(V5, "$SYS/forged", "", 2, 1),
    PUBREL: acknowledge(PUBREC, 9), PUBCOMP: acknowledge(PUBREL, 9), SUBACK: subscribe(V5, 1, ("a#", 0)),
    UNSUBACK: unsubscribe(V5, 1, "a#"), DISCONNECT: b"\x00\x00",
}


def answer(broker, packet, maximum=None):
    """What answers a packet."""
    options = {"maximum_packet_size": maximum} if maximum else {}
    with Wire(broker.tcp) as wire:
        wire.send(connect(V5, "answered", **options))
        connack = wire.packet()
        assert connack[3] == 0 and len(connack) <= (maximum or 1_000)
        return wire.send(packet).packet()


@pytest.mark.parametrize("kind", CAUSES.keys(), ids=[
    "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBACK", "UNSUBACK", "DISCONNECT"])
def test_an_answer_adds_nothing_that_its_client_cannot_take(broker, kind):
    """Reason strings and user properties give way before the packet is too long.
    [MQTT-3.4.2-2] [MQTT-3.4.2-3] [MQTT-3.5.2-2] [MQTT-3.5.2-3] [MQTT-3.6.2-2] [MQTT-3.6.2-3] [MQTT-3.7.2-2]
    [MQTT-3.7.2-3] [MQTT-3.9.2-1] [MQTT-3.9.2-2] [MQTT-3.11.2-1] [MQTT-3.11.2-2] [MQTT-3.14.2-3] [MQTT-3.14.2-4]
    [MQTT-3.1.2-24]"""
    longest = answer(broker, CAUSES[kind])
    said = parse(longest, V5)
    assert said.kind == kind and "reason_string" in said.properties
    for maximum in {30, len(longest) - 1, len(longest), len(longest) + 1}:
        if maximum >= 30:
            short = parse(answer(broker, CAUSES[kind], maximum), V5)
            assert len(short.raw) <= maximum
            # All that it says is still said, but for the words.
            assert (short.kind, short.code, short.codes) == (kind, said.code, said.codes)
            assert (short.raw == longest) == (len(longest) <= maximum)


def test_a_refusal_adds_nothing_that_its_client_cannot_take(broker):
    """[MQTT-3.2.2-19] [MQTT-3.2.2-20] [MQTT-3.1.2-24]"""
    def refusal(**options):
        with Wire(broker.tcp) as wire:
            return wire.send(connect(V5, "x" * 257, **options)).rest()
    longest = refusal()
    assert "reason_string" in parse(longest, V5).properties
    for maximum in {5, 10, len(longest) - 1, len(longest), len(longest) + 1}:
        short = refusal(maximum_packet_size=maximum)
        assert len(short) <= maximum
        assert (parse(short, V5).kind, parse(short, V5).code) == (CONNACK, 0x85) if maximum >= 5 else not short
