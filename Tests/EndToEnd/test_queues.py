"""Queues that are full, what comes again after a break, what expires, and figures that add up."""

import time

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from mosquitto import Subscriber, offline_session, publish
from mqttsn_device import Datagrams
from wire import CONNECT_5, CONNECT_311, Wire, frame, octets

CONFIGURATION = """\
listener 0 127.0.0.1
listener 0 127.0.0.1
protocol mqttsn
sys_interval 1
"""


def connect_5(client_id, clean=False, expiry=100):
    """CONNECT of a session that stays."""
    flags = "02" if clean else "00"
    return frame(0x10, f"0004 'MQTT' 05 {flags} 003c 05 11 {expiry:08x} {len(client_id):04x} '{client_id}'")


@pytest.fixture
def full(start_gateway):
    """A gateway with this policy, and a session that is away and has no room left."""

    def start(policy):
        gateway = start_gateway(f"queue_full_policy {policy}\nmax_queued_messages 3\n{CONFIGURATION}")
        offline_session(gateway, "away", "queue", "qq")
        for number in (1, 2, 3):
            publish(gateway, "queue", str(number), qos=1)
        return gateway

    return start


def kept(gateway):
    """What the session has when its client is back."""
    with Subscriber(gateway, "queue", client_id="away", options=["-c"]) as back:
        return [message.payload for message in back.messages(3)]


@pytest.mark.parametrize("policy, left", [("drop_newest", [b"1", b"2", b"3"]), ("drop_oldest", [b"3", b"4", b"5"])])
def test_a_full_queue_drops_and_the_publisher_hears_success(full, paho, policy, left):
    """[attack 73]"""
    gateway = full(policy)
    publisher = paho("publisher", to=gateway)
    assert publisher.publish("queue", "4", 1) == 0
    with Wire(gateway.tcp, connect=CONNECT_311) as wire:
        wire.send("32 0a 0005 'queue' 0007 '5'")
        assert wire.packet() == octets("40 02 0007")
    gateway.wait_for_line("warning: the queue of away is full")
    assert kept(gateway) == left
    gateway.wait_for_line("warning: the queue of away is empty again; 2 messages found it full")


def test_a_full_queue_refuses_the_publisher_by_reason_code(full, paho):
    """[attack 73]"""
    gateway = full("refuse")
    witness = paho("witness", to=gateway)
    witness.subscribe("queue", 1)
    assert paho("publisher", to=gateway).publish("queue", "4", 1, retain=True) == 0x97
    with Wire(gateway.tcp, connect=CONNECT_5) as wire:
        wire.send("32 0b 0005 'queue' 0007 00 '5'")
        # Behind the reason code there is a Reason String.
        assert (answer := wire.packet())[0] == 0x40 and answer[2:5] == octets("0007 97")
        wire.send("34 0b 0005 'queue' 0008 00 '6'")
        assert (answer := wire.packet())[0] == 0x50 and answer[2:5] == octets("0008 97")
        # At QoS 0 there is no answer, and who has room gets it.
        wire.send("30 09 0005 'queue' 00 '7'")
    message = witness.message()
    assert (message.payload, message.retain) == (b"7", False)
    assert kept(gateway) == [b"1", b"2", b"3"]
    with Wire(gateway.tcp, connect=CONNECT_5) as wire:
        wire.send("34 0b 0005 'queue' 0008 00 '6'")
        assert wire.packet() == octets("50 02 0008")


@pytest.mark.parametrize("first", [0x32, 0x34], ids=["QoS 1", "QoS 2"])
def test_before_mqtt_5_a_refused_message_is_not_acknowledged(full, first):
    """[M-05]"""
    gateway = full("refuse")
    with Wire(gateway.tcp, connect=CONNECT_311) as wire:
        wire.send(frame(first, "0005 'queue' 0007 '4'"))
        assert wire.rest() == b""
    assert kept(gateway) == [b"1", b"2", b"3"]
    # The client has kept it, and brings it again.
    with Wire(gateway.tcp, connect=CONNECT_311) as wire:
        wire.send(frame(first | 0x08, "0005 'queue' 0007 '4'"))
        assert wire.packet()[1:] == octets("02 0007")


def test_a_device_hears_of_congestion(full):
    gateway = full("refuse")
    with Datagrams(gateway.udp) as device:
        assert device.ask(octets("0a 04 04 01 003c 'node'")) == octets("03 05 00")
        assert device.ask(octets("08 0c 22 'qq' 0001 'x'")) == octets("07 0d 'qq' 0001 01")
        assert device.ask(octets("08 0c 42 'qq' 0002 'x'")) == octets("07 0d 'qq' 0002 01")
        assert kept(gateway) == [b"1", b"2", b"3"]
        assert device.ask(octets("08 0c 22 'qq' 0003 'x'")) == octets("07 0d 'qq' 0003 00")


def test_the_room_of_all_queues(start_gateway, paho):
    gateway = start_gateway(f"queue_full_policy refuse\nmax_queued_total_messages 5\n{CONFIGURATION}")
    offline_session(gateway, "one", "queue")
    offline_session(gateway, "two", "queue")
    publisher = paho("publisher", to=gateway)
    assert [publisher.publish("queue", "x", 1) for _ in range(3)] == [0, 0, 0x97]
    gateway.wait_for_line("warning: the room for all queues together is used up")


def test_what_was_in_flight_comes_again_first_and_in_order(gateway):
    """[MQTT-4.4.0-1] [MQTT-4.6.0-1]"""
    with Wire(gateway.tcp, connect=connect_5("reader", clean=True)) as wire:
        wire.send("82 07 0001 00 0001 'a' 02")
        assert wire.packet() == octets("90 04 0001 00 02")
        publish(gateway, "a", text="1\n2\n", qos=1)
        publish(gateway, "a", text="3\n4\n", qos=2)
        sent = [wire.packet() for _ in range(4)]
        # 0a 0001 'a' id 00: the identifier stands in the same place in all of them.
        ids = [packet[5:7] for packet in sent]
        wire.send(b"\x50\x02" + ids[2])
        assert wire.packet() == b"\x62\x02" + ids[2]
    publish(gateway, "a", "5", qos=1)
    with Wire(gateway.tcp, connect=connect_5("reader")) as wire:
        again = [wire.packet() for _ in range(5)]
    assert [packet[0] for packet in again] == [0x3A, 0x3A, 0x62, 0x3C, 0x32]
    assert again[2] == b"\x62\x02" + ids[2]
    for index in (0, 1, 3):
        assert again[index][1:] == sent[index][1:]
    assert again[4][5:7] not in ids and again[4].endswith(b"5")


def test_expiry_is_counted_down_while_a_message_waits_and_is_retained(gateway, paho):
    """[MQTT-3.3.2-5] [MQTT-3.3.2-6]"""

    def lasting(seconds):
        properties = Properties(PacketTypes.PUBLISH)
        properties.MessageExpiryInterval = seconds
        return properties

    session = Properties(PacketTypes.CONNECT)
    session.SessionExpiryInterval = 100
    away = paho("away", clean=False, properties=session)
    away.subscribe("queue", 1)
    away.disconnect()
    publisher = paho("publisher")
    for topic, retain in (("queue", False), ("kept/long", True)):
        publisher.publish(topic, "long", 1, retain, lasting(60))
    for topic, retain in (("queue", False), ("kept/short", True)):
        publisher.publish(topic, "short", 1, retain, lasting(1))
    publisher.publish("queue", "last", 1)
    # Time itself is what is tested here.
    time.sleep(2.1)
    back = paho("away", clean=False, properties=session)
    long, last = back.messages(2)
    assert (long.payload, last.payload) == (b"long", b"last")
    assert 50 <= long.properties.MessageExpiryInterval <= 58
    assert not hasattr(last.properties, "MessageExpiryInterval")
    reader = paho("reader")
    reader.subscribe("kept/#", 1)
    message = reader.message()
    assert message.payload == b"long" and 50 <= message.properties.MessageExpiryInterval <= 58
    publisher.publish("kept/end", "end", 1)
    assert reader.message().payload == b"end"


def test_the_figures_of_all_deliveries_add_up(full, paho):
    gateway = full("drop_newest")
    publish(gateway, "queue", "4", qos=1)
    publish(gateway, "queue", "not kept", qos=0)
    offline_session(gateway, "forgetful", "other")
    publish(gateway, "other", "1", qos=1)
    paho("forgetful", to=gateway).disconnect()
    prefix = "$SYS/broker/deliveries/"
    monitor = paho("monitor", to=gateway)
    monitor.subscribe([(prefix + "#", 0), ("$SYS/broker/uptime", 0)])
    figures, rounds = {}, 0
    # All figures of a round come between two of the uptime, which changes every second.
    while rounds < 3:
        message = monitor.message()
        if message.topic.startswith(prefix):
            figures[message.topic.removeprefix(prefix)] = int(message.payload)
        else:
            rounds += 1
            if rounds > 1:
                assert figures["owed"] == sum(value for name, value in figures.items() if name != "owed"), figures
    assert figures["waiting"] == 3
    assert figures["dropped/queue full"] == 1
    assert figures["dropped/client away"] == 1
    assert figures["dropped/session ended"] == 1
    assert len(figures) == 14


def test_sessions_that_are_left_behind_fill_their_number(start_gateway, paho):
    """[attack 42]"""
    gateway = start_gateway("max_clients 3\nmax_devices 1\npersistent_client_expiration 1h\n" + CONFIGURATION)
    honest = paho("honest", to=gateway)
    honest.subscribe("a", 1)
    for number in range(3):
        with Wire(gateway.tcp, connect=connect_5(f"hoard{number}", expiry=0xFFFFFFFF)):
            pass
    with Wire(gateway.tcp) as wire:
        answer = wire.send(connect_5("hoard3")).packet()
        assert (answer[0], answer[3]) == (0x20, 0x97)
    with Wire(gateway.tcp) as wire:
        wire.send("10 10 0004 'MQTT' 04 00 003c 0004 'more'")
        assert wire.packet() == octets("20 02 00 03")
    with Datagrams(gateway.udp) as device:
        assert device.ask(octets("0a 04 04 01 003c 'node'")) == octets("03 05 01")
    assert honest.publish("a", "served", 1) == 0
    assert honest.message().payload == b"served"
    # Who has a session comes back to it, and it will end when the server said so: 3,600 s.
    with Wire(gateway.tcp) as wire:
        answer = wire.send(connect_5("hoard0", expiry=0xFFFFFFFF)).packet()
        assert answer[2:4] == octets("01 00") and octets("11 00000e10") in answer
