"""Shared subscriptions, as MQTT 5, 3.1.1 and MQTT-SN clients have them."""

import select
import time

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway import PATIENCE
from mosquitto import VERSIONS, Subscriber, publish
from mqttsn_device import Device
from wire import CONNECT_5, Wire, bare, frame, octets


def lines(first, last):
    return "".join(f"{number}\n" for number in range(first, last + 1))


def payloads(messages):
    return [int(message.payload) for message in messages]


@pytest.mark.parametrize("version", VERSIONS)
def test_members_of_every_version_share_in_turn(gateway, version):
    """3.1 and 3.1.1 clients share as MQTT 5 clients do."""
    members = [Subscriber(gateway, "$share/g/work/#", qos=1, version=version) for _ in range(3)]
    with members[0], members[1], members[2], Subscriber(gateway, "work/#", qos=1) as everything:
        publish(gateway, "work/a", qos=1, text=lines(1, 9))
        got = [payloads(member.messages(3)) for member in members]
        assert sorted(number for part in got for number in part) == list(range(1, 10))
        assert payloads(everything.messages(9)) == list(range(1, 10))


def test_two_groups_and_a_plain_subscription_of_one_client(paho):
    reader = paho("reader")
    assert reader.subscribe([("$share/a/t", 1), ("$share/b/t", 1), ("t", 1), ("$share/a/+", 1)]) == [1, 1, 1, 1]
    assert paho().publish("t", "x", 1) == 0
    assert len(reader.messages(4)) == 4
    assert reader.unsubscribe(["$share/a/t", "$share/b/t", "$share/a/+", "$share/c/t"]) == [0, 0, 0, 0x11]
    assert paho().publish("t", "y", 1) == 0
    assert reader.message().payload == b"y"


@pytest.mark.parametrize("topic_filter", ["$share//t", "$share/g", "$share/g+/t", "$share/g/", "$share/#/t"])
def test_what_is_no_shared_filter_is_refused(gateway, topic_filter):
    """[attack 59] [MQTT-4.8.2-1] [MQTT-4.8.2-2]"""
    name = topic_filter.encode()
    with Wire(gateway.tcp) as wire:
        wire.send(CONNECT_5)
        wire.packet()
        wire.send(frame(0x82, b"\x00\x01\x00" + len(name).to_bytes(2, "big") + name + b"\x01"))
        assert bare(wire.packet()) == octets("90 04 0001 00 8f")


def test_no_local_on_a_shared_subscription_ends_the_connection(gateway):
    """[attack 59] [MQTT-3.8.3-4]"""
    with Wire(gateway.tcp) as wire:
        wire.send(CONNECT_5)
        wire.packet()
        wire.send(frame(0x82, b"\x00\x01\x00\x00\x0a$share/g/t\x05"))
        assert bare(wire.packet()) == octets("e0 01 82")


def test_a_killed_member_loses_nothing(gateway, paho):
    """[attack 82] One member never acknowledges and is killed; the others get what it had."""
    with Wire(gateway.tcp) as lazy:
        lazy.send(CONNECT_5)
        lazy.packet()
        lazy.send(frame(0x82, b"\x00\x01\x00\x00\x0f$share/g/work/#\x01"))
        lazy.packet()
        with Subscriber(gateway, "$share/g/work/#", qos=1, version="mqttv311") as old:
            new = paho("new")
            assert new.subscribe("$share/g/work/#", 1) == [1]
            device = Device(gateway, "device")
            device.subscribe("$share/g/work/#")
            device.expect("work/a")
            publish(gateway, "work/a", qos=1, text=lines(1, 100))
            # The lazy one holds what it was sent until its session ends with its connection.
            lazy.socket.close()
            got = set()
            deadline = time.monotonic() + PATIENCE
            while len(got) < 100 and time.monotonic() < deadline:
                for member in (old._messages, new._messages):
                    while not member.empty():
                        got.add(int(member.get().payload))
                if select.select([device.datagram_socket], [], [], 0.05)[0]:
                    device.polling()
                got.update(int(message.payload) for message in device.arrived)
                device.arrived.clear()
            assert got == set(range(1, 101))
            device.leave()


def test_a_member_that_stays_away_is_waited_for_until_its_session_ends(gateway, paho):
    """[MQTT-4.8.2-4] What was never sent goes to the others at once, what was in flight when the session ends."""
    expiring = Properties(PacketTypes.CONNECT)
    expiring.SessionExpiryInterval = 1
    expiring.ReceiveMaximum = 1
    away = paho("away", properties=expiring)
    away.client.manual_ack_set(True)
    assert away.subscribe("$share/g/t", 1) == [1]
    here = paho("here")
    assert here.subscribe("$share/g/t", 1) == [1]
    writer = paho("writer")
    for number in range(1, 11):
        assert writer.publish("t", str(number), 1) == 0
    held = away.message()
    away.drop()
    got = payloads(here.messages(10))
    assert sorted(got) == list(range(1, 11))
    # The one that the lost member held comes last, when its session has ended.
    assert got[-1] == int(held.payload)


def test_a_device_and_a_client_share(gateway, paho):
    device = Device(gateway, "device")
    device.subscribe("$share/g/plant/+")
    device.expect("plant/a")
    client = paho("client", version=mqtt.MQTTv311)
    assert client.subscribe("$share/g/plant/+", 1) == [1]
    writer = paho("writer")
    for round in range(3):
        assert [writer.publish("plant/a", str(number), 1) for number in (1, 2)] == [0, 0]
        got = [int(device.message().payload), int(client.message().payload)]
        assert sorted(got) == [1, 2]
    device.leave()


def test_the_operator_turns_sharing_off(start_gateway, paho):
    gateway = start_gateway("listener 0 127.0.0.1\nshared_subscriptions false\n")
    client = paho("c", to=gateway)
    assert client.connack[2].SharedSubscriptionAvailable == 0
    assert client.subscribe("$share/g/t", 1) == [0x9E]
    assert paho("d", to=gateway, version=mqtt.MQTTv311).subscribe("$share/g/t", 1) == [0x80]
