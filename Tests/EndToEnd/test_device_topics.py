"""Devices as retained topics: how applications learn when an actuator will wake [D-85] [D-86] [D-87]."""

import json
import time

from gateway import CONFIGURATION
from mosquitto import Subscriber, publish
from mqttsn_device import Datagrams
from wire import octets

TOPIC = "$SYS/broker/sn/devices/"
CONNECT = octets("0a 04 04 01 003c 'dev1'")
CONNACK = octets("03 05 00")
SLEEP = octets("04 18 012c")
DISCONNECT = octets("02 18")
SUBSCRIBE_A = octets("06 12 20 0001 'a'")


def portrait(message):
    """What a device's topic says."""
    return json.loads(message.payload)


def test_a_device_is_shown_from_connect_to_disconnect(gateway):
    with Subscriber(gateway, TOPIC + "+") as devices, Datagrams(gateway.udp) as device:
        assert device.ask(CONNECT) == CONNACK
        message = devices.message()
        assert message.topic == TOPIC + "dev1"
        host, port = device.socket.getsockname()
        assert portrait(message) == {
            "state": "active", "address": f"{host}:{port}", "queued_messages": 0, "queued_bytes": 0}
        assert device.ask(SLEEP) == DISCONNECT
        asleep = portrait(devices.message())
        assert asleep["state"] == "asleep"
        assert abs(asleep["asleep_until"] - time.time() - 300) < 30
        assert device.ask(DISCONNECT) == DISCONNECT
        # With CleanSession the session ends, and its record with it.
        assert devices.message().payload == b""


def test_who_asks_later_learns_it_too(gateway):
    with Datagrams(gateway.udp) as device:
        assert device.ask(CONNECT) == CONNACK
        with Subscriber(gateway, TOPIC + "dev1") as devices:
            message = devices.message()
            assert message.retain and portrait(message)["state"] == "active"


def test_what_waits_for_a_sleeping_device(gateway):
    with Datagrams(gateway.udp) as device:
        assert device.ask(CONNECT) == CONNACK
        assert device.ask(SUBSCRIBE_A)[1] == 0x13
        assert device.ask(SLEEP) == DISCONNECT
        with Subscriber(gateway, TOPIC + "dev1") as devices:
            assert portrait(devices.message())["queued_messages"] == 0
            publish(gateway, "a", "12345", qos=1)
            waiting = portrait(devices.message())
            assert (waiting["state"], waiting["queued_messages"], waiting["queued_bytes"]) == ("asleep", 1, 5)


def test_ids_that_are_no_level_of_a_topic(gateway):
    with Subscriber(gateway, TOPIC + "+") as devices, Datagrams(gateway.udp) as device:
        assert device.ask(octets("0d 04 04 01 003c 'a/b+c#%'")) == CONNACK
        assert devices.message().topic == TOPIC + "a%2Fb%2Bc%23%25"


def test_max_device_topics(start_gateway):
    gateway = start_gateway(CONFIGURATION + "max_device_topics 1\n")
    with Subscriber(gateway, TOPIC + "+") as devices, Datagrams(gateway.udp) as one, Datagrams(gateway.udp) as two:
        assert one.ask(CONNECT) == CONNACK
        assert two.ask(octets("0a 04 04 01 003c 'dev2'")) == CONNACK
        assert two.ask(DISCONNECT) == DISCONNECT
        assert one.ask(DISCONNECT) == DISCONNECT
        assert [(message.topic, message.payload == b"") for message in devices.messages(2)] == [
            (TOPIC + "dev1", False), (TOPIC + "dev1", True)]
