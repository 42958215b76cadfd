"""The main paths once more, with paho-mqtt in both versions."""

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

VERSIONS = pytest.mark.parametrize("version", [mqtt.MQTTv311, mqtt.MQTTv5], ids=["3.1.1", "5.0"])


@VERSIONS
@pytest.mark.parametrize("qos", [0, 1, 2])
def test_publish_and_subscribe(paho, version, qos):
    receiver = paho("receiver", version=version)
    assert receiver.subscribe([("a/+", qos), ("b/#", 0)]) == [qos, 0]
    sender = paho("sender", version=version)
    for number in range(100):
        sender.client.publish(f"a/{number}", f"payload {number}", 2)
    for number, message in enumerate(receiver.messages(100)):
        assert (message.topic, message.payload, message.qos) == (f"a/{number}", f"payload {number}".encode(), qos)
    sender.publish("b/c/d", "x", 2)
    assert receiver.message().qos == 0


@VERSIONS
def test_unsubscribe(paho, version):
    client = paho("fickle", version=version)
    client.subscribe([("a", 1), ("b", 1)])
    client.unsubscribe("a")
    client.publish("a", "no", 1)
    client.publish("b", "yes", 1)
    assert client.message().topic == "b"


@VERSIONS
def test_retained(paho, version):
    client = paho("keeper", version=version)
    client.publish("kept", "value", 1, retain=True)
    reader = paho("reader", version=version)
    reader.subscribe("kept", 1)
    message = reader.message()
    assert (message.payload, message.retain, message.qos) == (b"value", True, 1)
    client.publish("kept", b"", 1, retain=True)
    assert reader.message().payload == b""
    late = paho("late", version=version)
    late.subscribe([("kept", 1), ("end", 1)])
    late.publish("end", "end", 1)
    assert late.message().topic == "end"


@VERSIONS
def test_session(paho, version):
    options = {"clean": False}
    if version == mqtt.MQTTv5:
        options["properties"] = Properties(PacketTypes.CONNECT)
        options["properties"].SessionExpiryInterval = 1_000
    client = paho("stayer", version=version, **options)
    assert not client.connack[0].session_present
    client.subscribe("queue/#", 2)
    client.drop()
    sender = paho("sender", version=version)
    for number in range(100):
        sender.publish(f"queue/{number % 3}", str(number), 2)
    client = paho("stayer", version=version, **options)
    assert client.connack[0].session_present
    assert [int(message.payload) for message in client.messages(100)] == list(range(100))


@VERSIONS
def test_will(paho, version):
    heir = paho("heir", version=version)
    heir.subscribe("wills/#", 2)
    mortal = paho("mortal", version=version, will={"topic": "wills/m", "payload": "gone", "qos": 2})
    mortal.drop()
    message = heir.message()
    assert (message.topic, message.payload, message.qos) == ("wills/m", b"gone", 2)


@VERSIONS
def test_a_large_message_both_ways(paho, version):
    client = paho("large", version=version)
    client.subscribe("large", 1)
    payload = bytes(range(256)) * 800
    client.publish("large", payload, 1)
    assert client.message().payload == payload


@VERSIONS
def test_topics_are_bytes(paho, version):
    client = paho("unicode", version=version)
    composed, decomposed = "caf\u00e9", "cafe\u0301"
    client.subscribe([(composed, 1), ("end", 1)])
    client.publish(decomposed, "another topic", 1)
    client.publish(composed, "this one", 1)
    assert client.message().payload == b"this one"
