"""What MQTT 5 adds, seen by paho-mqtt and mosquitto."""

import time

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

from mosquitto import Subscriber, offline_session, publish
from wire import CONNECT_5, Wire, bare, frame, octets, reason_string


def properties(packet, **values):
    result = Properties(packet)
    for name, value in values.items():
        setattr(result, name, value)
    return result


def with_properties(**values):
    return properties(PacketTypes.PUBLISH, **values)


def test_connack_says_what_the_gateway_offers(paho):
    flags, code, offered = paho("asking").connack
    assert not flags.session_present and code.value == 0
    assert offered.ReceiveMaximum == 20
    assert offered.MaximumPacketSize == 256 << 10
    assert offered.TopicAliasMaximum == 16
    # What is not said has the standard's default: wildcards, subscription identifiers, QoS 2, retained messages, sharing.
    assert getattr(offered, "RetainAvailable", 1) == 1
    assert getattr(offered, "MaximumQoS", 2) == 2
    assert getattr(offered, "WildcardSubscriptionAvailable", 1) == 1
    assert getattr(offered, "SubscriptionIdentifierAvailable", 1) == 1
    assert getattr(offered, "SharedSubscriptionAvailable", 1) == 1
    assert not hasattr(offered, "AssignedClientIdentifier")


def test_a_client_without_a_name_hears_the_one_it_got(paho):
    first, second = paho(), paho()
    names = {client.connack[2].AssignedClientIdentifier for client in (first, second)}
    assert len(names) == 2 and all(name.startswith("auto-") for name in names)


def test_all_properties_of_a_message_pass_through(gateway, paho):
    pairs = [("b", "1"), ("a", "2"), ("b", "1"), ("ü", "ß"), ("", "")]
    receiver = paho("receiver")
    receiver.subscribe("request", 2)
    sent = with_properties(
        PayloadFormatIndicator=1, ContentType="application/json", ResponseTopic="reply/to/me",
        CorrelationData=bytes(range(256)), UserProperty=pairs, MessageExpiryInterval=1_000)
    for qos in (0, 1, 2):
        assert paho().publish("request", "{}", qos, properties=sent) == 0
        got = receiver.message().properties
        assert got.PayloadFormatIndicator == 1
        assert got.ContentType == "application/json"
        assert got.ResponseTopic == "reply/to/me"
        assert got.CorrelationData == bytes(range(256))
        assert got.UserProperty == pairs
        assert 995 <= got.MessageExpiryInterval <= 1_000
    # A client of 3.1.1 gets the same message without them.
    with Subscriber(gateway, "request") as old:
        paho().publish("request", "{}", 1, properties=sent)
        assert old.message().payload == b"{}"


def test_properties_between_mosquitto_clients_and_on_retained_messages(gateway):
    options = []
    for name, *value in [
            ("content-type", "text/plain"), ("correlation-data", "abc"), ("message-expiry-interval", "500"),
            ("payload-format-indicator", "1"), ("response-topic", "r/t"), ("user-property", "k", "v"),
            ("user-property", "k", "w")]:
        options += ["-D", "publish", name, *value]
    publish(gateway, "kept", "hé", retain=True, version="mqttv5", options=options)
    identified = ["-D", "subscribe", "subscription-identifier", "77"]
    with Subscriber(gateway, "kept", version="mqttv5", options=identified) as subscriber:
        message = subscriber.message()
    assert message.content_type == "text/plain"
    assert message.correlation_data == "abc"
    assert 495 <= int(message.expiry) <= 500
    assert message.payload_format == "1"
    assert message.response_topic == "r/t"
    assert message.user_properties == "k:v k:w"
    assert message.identifiers == "77"
    assert message.retain


def test_the_properties_of_a_will_pass_through(gateway, paho):
    receiver = paho("receiver")
    receiver.subscribe("wills/p", 2)
    will = properties(
        PacketTypes.WILLMESSAGE, ContentType="text/plain", UserProperty=[("why", "power")], CorrelationData=b"\0\1",
        ResponseTopic="r", PayloadFormatIndicator=1, MessageExpiryInterval=300)
    paho("mortal", will={"topic": "wills/p", "payload": "gone", "qos": 1, "properties": will}).drop()
    got = receiver.message().properties
    assert (got.ContentType, got.UserProperty, got.CorrelationData, got.ResponseTopic, got.PayloadFormatIndicator) == (
        "text/plain", [("why", "power")], b"\0\1", "r", 1)
    assert got.MessageExpiryInterval <= 300


def test_a_message_loses_what_it_waited_and_one_that_waited_too_long_is_gone(gateway, paho):
    publish(gateway, "kept/long", "x", retain=True, version="mqttv5",
            options=["-D", "publish", "message-expiry-interval", "100"])
    publish(gateway, "kept/short", "x", retain=True, version="mqttv5",
            options=["-D", "publish", "message-expiry-interval", "1"])
    offline_session(gateway, "waiting", "queue", version="mqttv5")
    publish(gateway, "queue", "too late", qos=1, version="mqttv5",
            options=["-D", "publish", "message-expiry-interval", "1"])
    publish(gateway, "queue", "in time", qos=1, version="mqttv5",
            options=["-D", "publish", "message-expiry-interval", "100"])
    # Only the clock can make a message old [MQTT-3.3.2-5] [MQTT-3.3.2-6].
    time.sleep(2.1)
    back = paho("waiting", clean=False, properties=properties(PacketTypes.CONNECT, SessionExpiryInterval=10))
    message = back.message()
    assert message.payload == b"in time"
    assert 90 <= message.properties.MessageExpiryInterval <= 98
    reader = paho("reader")
    reader.subscribe("kept/+")
    message = reader.message()
    assert message.topic == "kept/long"
    assert 90 <= message.properties.MessageExpiryInterval <= 98
    reader.publish("kept/end", "end")
    assert reader.message().topic == "kept/end"


def test_subscription_identifiers(paho):
    client = paho("identified")
    client.subscribe("a/+", 1, properties=properties(PacketTypes.SUBSCRIBE, SubscriptionIdentifier=1))
    client.subscribe("a/#", 1, properties=properties(PacketTypes.SUBSCRIBE, SubscriptionIdentifier=268_435_455))
    client.subscribe("b", 1)
    client.publish("a/x", "x", 1)
    identifiers = []
    while sorted(identifiers) != [1, 268_435_455]:
        identifiers += client.message().properties.SubscriptionIdentifier
    client.publish("b", "x", 1)
    assert not hasattr(client.message().properties, "SubscriptionIdentifier")


def test_no_local(paho):
    client, other = paho("talker"), paho("other")
    client.subscribe("chat", options=SubscribeOptions(qos=1, noLocal=True))
    client.publish("chat", "mine", 1)
    other.publish("chat", "theirs", 1)
    assert client.message().payload == b"theirs"


def test_retain_as_published_and_retain_handling(paho):
    publisher = paho("publisher")
    publisher.publish("state", "old", 1, retain=True)
    keeping = paho("keeping")
    keeping.subscribe("state", options=SubscribeOptions(qos=1, retainAsPublished=True))
    dropping = paho("dropping")
    dropping.subscribe("state", options=SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND))
    only_new = SubscribeOptions(qos=1, retainHandling=SubscribeOptions.RETAIN_SEND_IF_NEW_SUB)
    once = paho("once")
    once.subscribe("state", options=only_new)
    once.subscribe("state", options=only_new)
    assert keeping.message().retain
    assert once.message().payload == b"old"
    publisher.publish("state", "new", 1, retain=True)
    assert (lambda m: (m.payload, m.retain))(keeping.message()) == (b"new", True)
    assert (lambda m: (m.payload, m.retain))(dropping.message()) == (b"new", False)
    assert (lambda m: (m.payload, m.retain))(once.message()) == (b"new", False)


def test_topic_aliases_towards_the_gateway(paho):
    receiver, sender = paho("receiver"), paho("sender")
    receiver.subscribe("long/#", 1)
    for qos in (0, 1, 2):
        assert sender.publish("long/name", "first", qos, properties=with_properties(TopicAlias=16)) == 0
        assert sender.publish("", "by alias", qos, properties=with_properties(TopicAlias=16)) == 0
        assert sender.publish("long/other", "changed", qos, properties=with_properties(TopicAlias=16)) == 0
        assert sender.publish("", "by alias", qos, properties=with_properties(TopicAlias=16)) == 0
        messages = receiver.messages(4)
        assert [message.topic for message in messages] == ["long/name"] * 2 + ["long/other"] * 2
        assert not any(hasattr(message.properties, "TopicAlias") for message in messages)


@pytest.mark.parametrize("alias", [17, 65_535])
def test_a_topic_alias_above_the_maximum(paho, alias):
    client = paho("overreaching")
    client.client.publish("a", "x", 0, properties=with_properties(TopicAlias=alias))
    assert client.wait_for_disconnect() == 0x94


def test_receive_maximum_of_the_client_is_a_window(gateway):
    connect = octets("10 10 0004 'MQTT' 05 02 003c 03 21 0003 0000")
    with Wire(gateway.tcp, connect=connect) as wire:
        wire.send("82 09 0001 00 0003 'win' 01")
        assert wire.packet() == octets("90 04 0001 00 01")
        publish(gateway, "win", text="1\n2\n3\n4\n5\n6\n", qos=1)
        window = [wire.packet() for _ in range(3)]
        assert [packet[-1:] for packet in window] == [b"1", b"2", b"3"]
        # The next thing to come is the answer to this ping: no fourth message.
        wire.send("c0 00")
        assert wire.packet() == octets("d0 00")
        wire.send(b"\x40\x02" + window[0][7:9])
        assert wire.packet()[-1:] == b"4"
        wire.send("c0 00")
        assert wire.packet() == octets("d0 00")
        wire.send(b"\x40\x02" + window[1][7:9] + b"\x40\x02" + window[2][7:9])
        assert [wire.packet()[-1:] for _ in range(2)] == [b"5", b"6"]


def test_a_client_that_exceeds_the_receive_maximum_of_the_gateway(gateway):
    with Wire(gateway.tcp, connect=CONNECT_5) as wire:
        for identifier in range(1, 22):
            wire.send(octets("34 06 0001 'q'") + identifier.to_bytes(2, "big") + b"\0")
        received = wire.rest()
        goodbye = received[received.index(0xE0):]
        assert bare(goodbye) == octets("e0 01 93"), received.hex(" ")


def test_no_packet_is_larger_than_the_client_takes(paho):
    client = paho("small", properties=properties(PacketTypes.CONNECT, MaximumPacketSize=100))
    client.subscribe("big", 2)
    sender = paho("sender")
    for qos in (0, 1, 2):
        sender.publish("big", "x" * 200, qos)
        sender.publish("big", f"fits {qos}", qos)
    assert [message.payload for message in client.messages(3)] == [b"fits 0", b"fits 1", b"fits 2"]


def test_reason_codes(paho):
    client = paho("curious")
    assert client.publish("nobody/listens", "x", 1) == 0x10
    # At QoS 2 paho shows the code of PUBCOMP, which has no such word.
    assert client.publish("nobody/listens", "x", 2) == 0
    assert client.subscribe([("ok", 0), ("ok/+", 1), ("ok/#", 2)]) == [0, 1, 2]
    assert client.publish("ok", "x", 1) == 0
    assert client.subscribe("$share/group", 1) == [0x8F]
    assert client.unsubscribe("ok/#") == [0]
    assert client.unsubscribe(["never/was", "ok"]) == [0x11, 0]
    assert client.publish("$SYS/broker/version", "forged", 1) == 0x87
    assert client.publish("a/" * 64 + "a", "x", 1) == 0x90


@pytest.mark.parametrize("body, code", [
    ("0004 'MQTT' 05 02 003c 07 15 0004 'none' 0000", 0x8C),
    ("0004 'MQTT' 05 06 003c 00 0001 'w' 00 0003 'a/#' 0001 'x'", 0x90),
    ("0004 'MQTT' 05 06 003c 00 0001 'w' 00 0005 '$SYS/' 0001 'x'", 0x87),
    (octets("0004 'MQTT' 05 02 003c 00 0101") + b"x" * 257, 0x85),
], ids=["authentication method", "wildcard in the will's topic", "will below $SYS", "client id of 257 bytes"])
def test_connections_refused_with_a_reason(gateway, body, code):
    with Wire(gateway.tcp) as wire:
        wire.send(frame(0x10, body))
        answer = wire.packet()
        assert bare(answer) == bytes([0x20, 3, 0, code, 0]) and reason_string(answer)
        assert wire.rest() == b""


def test_the_longest_client_id(gateway):
    Wire(gateway.tcp, connect=frame(0x10, octets("0004 'MQTT' 05 02 003c 00 0100") + b"x" * 256)).close()


def test_the_server_says_which_keep_alive_it_keeps(start_gateway, paho):
    gateway = start_gateway("max_keepalive 60\nlistener 0 127.0.0.1\n")
    assert paho("patient", to=gateway, keepalive=3_600).connack[2].ServerKeepAlive == 60
    assert not hasattr(paho("modest", to=gateway, keepalive=30).connack[2], "ServerKeepAlive")


def test_the_server_says_how_long_it_keeps_a_session(start_gateway, paho):
    gateway = start_gateway("persistent_client_expiration 1h\nlistener 0 127.0.0.1\n")
    long = properties(PacketTypes.CONNECT, SessionExpiryInterval=0xFFFF_FFFF)
    assert paho("long", to=gateway, properties=long).connack[2].SessionExpiryInterval == 3_600


def test_a_listener_with_a_highest_qos_says_so(start_gateway, paho):
    gateway = start_gateway("listener 0 127.0.0.1\nmax_qos 1\nretain_available false\n")
    client = paho("limited", to=gateway)
    assert client.connack[2].MaximumQoS == 1
    assert client.connack[2].RetainAvailable == 0
    assert client.subscribe("a", 2) == [1]
    with Wire(gateway.tcp, connect=CONNECT_5) as wire:
        wire.send("34 07 0001 'a' 0001 00 'x'")
        assert bare(wire.packet()) == octets("e0 01 9b")
    with Wire(gateway.tcp, connect=CONNECT_5) as wire:
        wire.send("31 05 0001 'a' 00 'x'")
        assert bare(wire.packet()) == octets("e0 01 9a")


def test_mqtt_5_paho_client_and_311_client_share_a_session(gateway, paho):
    old = paho("mixed", version=mqtt.MQTTv311, clean=False)
    old.subscribe("kept", 1)
    old.disconnect()
    publish(gateway, "kept", "x", qos=1)
    new = paho("mixed", clean=False, properties=properties(PacketTypes.CONNECT, SessionExpiryInterval=100))
    assert new.connack[0].session_present
    assert new.message().payload == b"x"
