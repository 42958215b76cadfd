"""What MQTT 5 clients are told: aliases, reasons in words, response information, payload formats, other servers."""

import queue
import signal

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway import PATIENCE
from mosquitto import publish
from wire import CONNECT_311, CONNECT_5, Wire, bare, frame, octets, reason_string

LISTENER = "listener 0 127.0.0.1\n"
TOO_MANY_LEVELS = "a/" * 64 + "a"


def connecting(properties, name=b"p"):
    section = octets(properties)
    return frame(0x10, octets("0004 'MQTT' 05 02 003c") + bytes([len(section)]) + section + octets("0001") + name)


def subscribed(gateway, topic_filter, properties, client_id=b"p"):
    wire = Wire(gateway.tcp, connect=connecting(properties, client_id))
    name = topic_filter.encode()
    wire.send(frame(0x82, b"\0\1\0" + len(name).to_bytes(2, "big") + name + b"\1"))
    assert wire.packet()[-1] == 1
    return wire


def without_identifier(packet):
    """A PUBLISH as (topic, alias, payload): at QoS 1, with no property but an alias."""
    length = int.from_bytes(packet[2:4], "big")
    rest = packet[4 + length + 2:]
    alias = int.from_bytes(rest[2:4], "big") if rest[0] == 3 else None
    assert rest[0] in (0, 3) and (alias is None or rest[1] == 0x23)
    return packet[4:4 + length].decode(), alias, rest[1 + rest[0]:].decode()


def test_topic_aliases_towards_a_client(gateway):
    """[MQTT-3.1.2-26]: no alias above the client's maximum, and each is told before it is used."""
    with subscribed(gateway, "long/#", "22 0002") as wire:
        for topic in ("long/one", "long/one", "long/two", "long/three", "long/two", "long/one"):
            publish(gateway, topic, topic[5:], qos=1)
        assert [without_identifier(wire.packet()) for _ in range(6)] == [
            ("long/one", 1, "one"), ("", 1, "one"), ("long/two", 2, "two"), ("long/three", None, "three"),
            ("", 2, "two"), ("", 1, "one")]


def test_no_alias_for_a_client_that_takes_none(gateway):
    """[MQTT-3.1.2-27]: neither without Topic Alias Maximum nor with 0."""
    with subscribed(gateway, "long/#", "", b"a") as one, subscribed(gateway, "long/#", "22 0000", b"b") as other:
        for _ in range(3):
            publish(gateway, "long/one", "x", qos=1)
        for wire in (one, other):
            assert [without_identifier(wire.packet()) for _ in range(3)] == [("long/one", None, "x")] * 3


def test_the_operator_allows_fewer_aliases(start_gateway):
    gateway = start_gateway(LISTENER + "max_topic_alias_broker 1\n")
    with subscribed(gateway, "long/#", "22 ffff") as wire:
        for topic in ("long/one", "long/two"):
            publish(gateway, topic, "x", qos=1)
        assert [without_identifier(wire.packet())[:2] for _ in range(2)] == [("long/one", 1), ("long/two", None)]


def test_reasons_in_words(paho):
    client = paho("curious")
    heard = queue.Queue()
    client.client.on_subscribe = lambda *arguments: heard.put(arguments[4].ReasonString)
    client.client.subscribe([("fine", 1), (TOO_MANY_LEVELS, 1)])
    assert heard.get(timeout=PATIENCE).startswith("filter 2: the topic filter has a wildcard out of place or too many")


def test_words_are_kept_from_who_does_not_want_them(gateway):
    """[MQTT-3.1.2-29]: with Request Problem Information 0 only CONNACK and DISCONNECT have them."""
    below_sys = octets("32 0a 0004 '$SYS' 0001 00 'x'")
    with Wire(gateway.tcp, connect=connecting("17 00")) as wire:
        wire.send(below_sys)
        assert wire.packet() == octets("40 03 0001 87")
        wire.send("f0 00")
        assert reason_string(wire.rest()) == "the packet has no place here"
    with Wire(gateway.tcp, connect=connecting("17 01")) as wire:
        assert reason_string(wire.send(below_sys).packet()) == "this client may not publish to the topic"


def test_words_are_left_out_where_they_do_not_fit(gateway):
    """[MQTT-3.4.2-2] [MQTT-3.14.2-3]: a small Maximum Packet Size."""
    with Wire(gateway.tcp, connect=connecting("27 00000020")) as wire:
        wire.send("32 0a 0004 '$SYS' 0001 00 'x'")
        assert wire.packet() == octets("40 03 0001 87")
        wire.send("f0 00")
        assert wire.rest() == octets("e0 01 82")


def test_response_information(start_gateway, paho):
    """[MQTT-3.1.2-28]: only who asks hears it."""
    gateway = start_gateway(LISTENER + "response_information replies/%c/\n")
    asking = Properties(PacketTypes.CONNECT)
    asking.RequestResponseInformation = 1
    assert paho("me", to=gateway, properties=asking).connack[2].ResponseInformation == "replies/me/"
    assert not hasattr(paho("silent", to=gateway).connack[2], "ResponseInformation")


def test_payload_format_is_checked_where_asked(start_gateway, gateway, paho):
    checking = start_gateway(LISTENER + "check_payload_format true\n")
    text = Properties(PacketTypes.PUBLISH)
    text.PayloadFormatIndicator = 1
    client = paho("writer", to=checking)
    assert client.publish("a", b"\xff", 1, properties=text) == 0x99
    # paho goes on with PUBREL after a PUBREC that refuses.
    with Wire(checking.tcp, connect=CONNECT_5) as wire:
        assert bare(wire.send("34 09 0001 'a' 0007 02 0101 ff").packet()) == octets("50 03 0007 99")
    assert client.publish("a", "ü", 1, properties=text) == 0x10
    client.client.publish("a", b"\xff", 0, properties=text)
    assert client.wait_for_disconnect() == 0x99
    assert paho("unchecked", to=gateway).publish("a", b"\xff", 1, properties=text) == 0x10


@pytest.mark.parametrize("mode, code", [("use_another", 0x9C), ("moved", 0x9D)])
def test_clients_are_sent_elsewhere_when_the_gateway_ends(start_gateway, mode, code):
    gateway = start_gateway(LISTENER + f"server_reference one:1883  two\nserver_reference_mode {mode}\n")
    with Wire(gateway.tcp, connect=CONNECT_5) as wire, Wire(gateway.tcp, connect=CONNECT_311) as old:
        gateway.stop(signal.SIGTERM)
        goodbye = wire.rest()
        assert goodbye[0] == 0xE0 and goodbye[2] == code
        assert octets("1c 000c 'one:1883 two'") in goodbye
        assert old.rest() == b""


def test_clients_are_sent_elsewhere_as_they_connect(start_gateway):
    gateway = start_gateway(LISTENER + "server_reference one:1883\nredirect_clients true\n")
    with Wire(gateway.tcp) as wire:
        answer = wire.send(CONNECT_5).packet()
        assert answer[:4:3] == octets("20 9c") and octets("1c 0008 'one:1883'") in answer
        assert wire.rest() == b""
    with Wire(gateway.tcp) as wire:
        assert wire.send(CONNECT_311).packet() == octets("20 02 00 03")


def test_user_properties_keep_their_order(gateway, paho):
    """[MQTT-3.3.2-17] [MQTT-3.3.2-18]: also between an alias, an expiry and other properties, and to old aliases."""
    pairs = [("b", "1"), ("a", "2"), ("b", "1"), ("", ""), ("a", "1")]
    sent = Properties(PacketTypes.PUBLISH)
    sent.UserProperty = pairs
    sent.TopicAlias = 3
    sent.MessageExpiryInterval = 100
    receiver = paho("receiver")
    receiver.subscribe("ordered/#", 1)
    sender = paho("sender")
    for name in ("ordered/name", ""):
        assert sender.publish(name, "x", 1, properties=sent) == 0
        assert receiver.message().properties.UserProperty == pairs


def test_a_message_below_sys_has_no_words_of_the_client_in_its_answer(gateway):
    """Nothing that a client sent comes back in a Reason String."""
    with Wire(gateway.tcp, connect=CONNECT_5) as wire:
        wire.send("32 0d 0007 '$SYS/me' 0001 00 'x'")
        packet = wire.packet()
        assert bare(packet) == octets("40 03 0001 87") and b"me'" not in packet
        assert b"$SYS" not in packet


def test_old_clients_hear_no_words(gateway, paho):
    client = paho("old", version=mqtt.MQTTv311)
    assert client.subscribe(TOO_MANY_LEVELS, 1) == [0x80]


def test_a_connack_that_the_client_cannot_take_is_followed_by_nothing(gateway):
    """[MQTT-3.14.0-1] [MQTT-3.1.2-24]"""
    with Wire(gateway.tcp) as wire:
        # Maximum Packet Size 20, and no client id: the one that is assigned does not fit.
        wire.send("10 12 0004 'MQTT' 05 02 003c 05 27 00000014 0000")
        assert wire.rest() == b""


def test_response_information_is_left_out_where_it_does_not_fit(start_gateway):
    """Nobody is refused for what CONNACK may leave out."""
    gateway = start_gateway(f"listener 0 127.0.0.1\nresponse_information {'long/' * 60}\n")
    connect = "10 {} 0004 'MQTT' 05 02 003c {} 1901 {} 0001 'c'"
    with Wire(gateway.tcp) as wire:
        wire.send(connect.format("15", "07", "27 00000064"))
        answer = wire.packet()
        assert answer[0] == 0x20 and answer[3] == 0 and b"long/" not in answer
    with Wire(gateway.tcp) as wire:
        wire.send(connect.format("10", "02", ""))
        assert b"long/long/" in wire.packet()
