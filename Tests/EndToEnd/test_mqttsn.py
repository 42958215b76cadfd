"""Devices: the package mqtt-sn-12 on one side, mosquitto's clients on the other."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from mqttsn12.client.MqttSnClientException import MqttSnClientException
from mqttsn12.MqttSnConstants import MqttSnConstants

from gateway import CONFIGURATION, PATIENCE
from mosquitto import VERSIONS, Subscriber, publish
from mqttsn_device import Datagrams
from wire import Witness, octets

QUICK = CONFIGURATION + "retry_interval 1\nretry_count 2\n"
# What waits for one device while it is slow.
ROOMY = CONFIGURATION.replace("gateway_id 7\n", "gateway_id 7\nsleep_queue_messages 300\n")

CONNECT = octets("0a 04 04 01 003c 'dev1'")
CONNACK = octets("03 05 00")


def test_connect_ping_disconnect(gateway, device):
    one = device("node-1")
    gateway.wait_for_line("device node-1 connected from 127.0.0.1")
    one.send_ping_req()
    with Subscriber(gateway, "$SYS/broker/sn/devices") as figures:
        while figures.message().payload != b"1":
            pass
        one.send_disconnect()
        while figures.message().payload != b"0":
            pass
    gateway.wait_for_line("device node-1 disconnected")


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("version", VERSIONS)
def test_up_by_normal_predefined_and_short_ids(gateway, device, version, qos):
    with Subscriber(gateway, "#", version=version) as subscriber:
        one = device("node-1")
        one.send_publish("plant/hall-1/temperature", b"21.5", qos)
        one.send_publish_predefined(1, b"22.5", qos)
        one.send_publish_predefined(10, b"23.5", qos)
        one.send_publish("ab", b"24.5", qos)
        got = [(message.topic, message.payload, message.qos) for message in subscriber.messages(4)]
        # Within one QoS the order holds.
        assert got == [
            ("plant/hall-1/temperature", b"21.5", qos), ("sensors/node-1/temperature", b"22.5", qos),
            ("plant/setpoint", b"23.5", qos), ("ab", b"24.5", qos)]


def test_up_at_qos_minus_1_without_a_connection(gateway, device):
    with Subscriber(gateway, "#") as subscriber:
        one = device("nobody", connect=False)
        one.send_publish_predefined(10, b"predefined", -1)
        message = subscriber.message()
        assert (message.topic, message.payload, message.qos) == ("plant/setpoint", b"predefined", 0)
        one.send_publish_short(0x7879, b"short", -1)
        message = subscriber.message()
        assert (message.topic, message.payload, message.qos) == ("xy", b"short", 0)


def test_up_at_qos_minus_1_is_off_by_default(start_gateway, device):
    gateway = start_gateway(CONFIGURATION.replace("allow_anonymous_publish true\n", ""))
    with Subscriber(gateway, "#") as subscriber:
        device("stranger", to=gateway, connect=False).send_publish_predefined(10, b"refused", -1)
        device("known", to=gateway).send_publish_predefined(10, b"from a connected device", -1)
        assert subscriber.message().payload == b"from a connected device"


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("topic, topic_filter", [
    ("plant/hall-1/setpoint", "plant/hall-1/setpoint"),
    ("plant/hall-1/setpoint", "plant/+/setpoint"),
    ("plant/hall-1/setpoint", "plant/#"),
    ("plant/hall-1/setpoint", "#"),
    ("ab", "ab"),
    ("sensors/dev-1/command", 2),
    ("plant/setpoint", 10),
])
def test_down_by_every_kind_of_subscription(gateway, device, topic, topic_filter, qos):
    one = device()
    one.subscribe(topic_filter, qos)
    for sent in (0, 1, 2):
        publish(gateway, topic, f"sent at {sent}", qos=sent)
        message = one.message()
        assert message.payload == f"sent at {sent}".encode()
        assert message.qos == min(sent, qos)
        if topic_filter not in ("ab", 2, 10):
            assert message.topic_name == topic


def test_messages_of_many_topics_arrive_in_order(start_gateway, device):
    gateway = start_gateway(ROOMY)
    one = device(to=gateway)
    one.subscribe("many/#", 1)
    for number in range(100):
        publish(gateway, f"many/{number % 10}", str(number), qos=1)
    for number, message in enumerate(one.messages(100)):
        assert (message.topic_name, message.payload) == (f"many/{number % 10}", str(number).encode())


def test_a_burst_for_a_slow_device(start_gateway, device):
    gateway = start_gateway(ROOMY)
    one = device(to=gateway)
    one.subscribe("burst", 1)
    publish(gateway, "burst", text="".join(f"{n}\n" for n in range(200)), qos=1)
    assert [int(message.payload) for message in one.messages(200)] == list(range(200))


def test_retained_messages_both_ways(gateway, device):
    one = device()
    one.send_publish("state/valve", b"open", 1, True)
    with Subscriber(gateway, "state/#") as subscriber:
        message = subscriber.message()
        assert (message.topic, message.payload, message.retain) == ("state/valve", b"open", True)
    publish(gateway, "state/pump", "on", qos=1, retain=True)
    two = device("dev-2")
    two.subscribe("state/pump", 1)
    message = two.message()
    assert (message.payload, message.retain) == (b"on", True)
    one.send_publish("state/valve", b"", 1, True)
    with Subscriber(gateway, "state/#") as subscriber:
        assert subscriber.message().topic == "state/pump"
        publish(gateway, "state/end", "end")
        assert subscriber.message().topic == "state/end"


def test_unsubscribe(gateway, device):
    one = device()
    for topic in ("gone/a", "ab", "gone/+"):
        one.subscribe(topic)
        one.send_unsubscribe(topic)
    one.subscribe(10)
    one.send_unsubscribe_predefined(10)
    one.subscribe("stays")
    for topic in ("gone/a", "ab", "gone/b", "plant/setpoint", "stays"):
        publish(gateway, topic, topic, qos=1)
    assert one.message().payload == b"stays"


@pytest.mark.parametrize("retain", [False, True])
def test_the_will_of_a_device_that_vanishes(start_gateway, device, retain):
    gateway = start_gateway(QUICK)
    with Subscriber(gateway, "wills/#") as heir:
        device("mortal", to=gateway, will=("wills/mortal", "gone", 1, retain), keep_alive=1).vanish()
        message = heir.message()
        assert (message.topic, message.payload, message.qos, message.retain) == ("wills/mortal", b"gone", 1, False)
    gateway.wait_for_line("device mortal is lost")
    with Subscriber(gateway, "wills/#") as later:
        publish(gateway, "wills/end", "end")
        assert later.message().topic == ("wills/mortal" if retain else "wills/end")


def test_a_will_can_be_changed(start_gateway, device):
    gateway = start_gateway(QUICK)
    with Subscriber(gateway, "wills/#") as heir:
        one = device("undecided", to=gateway, will=("wills/first", "first", 1, False), keep_alive=1)
        one.send_will_topic_update("wills/second")
        one.send_will_message_update("second")
        one.vanish()
        message = heir.message()
        assert (message.topic, message.payload) == ("wills/second", b"second")


def test_a_device_that_says_goodbye_has_no_will(gateway, device):
    with Subscriber(gateway, "wills/#") as heir:
        one = device("polite", will=("wills/polite", "gone", 1, False))
        one.send_disconnect()
        publish(gateway, "wills/end", "end")
        assert heir.message().topic == "wills/end"


def test_a_device_that_pings_is_not_lost(start_gateway, device):
    gateway = start_gateway(QUICK)
    quiet, lively = device("quiet", to=gateway, keep_alive=1), device("lively", to=gateway, keep_alive=1)
    quiet.vanish()
    while not any("quiet is lost" in line for line in gateway.log):
        lively.send_ping_req()
        try:
            gateway.wait_for_line("quiet is lost", timeout=0.4)
        except AssertionError:
            pass
    lively.send_publish("still/here", b"x", 1)
    assert not any("lively is lost" in line for line in gateway.log)


def test_what_waits_for_a_device_is_limited(start_gateway, device):
    gateway = start_gateway(ROOMY.replace("300", "10"))
    device("stayer", to=gateway, clean=False).subscribe("queue", 1)
    one = device("stayer", to=gateway, clean=False)
    one.expect("queue")
    one.send_disconnect(60)
    for number in range(30):
        publish(gateway, "queue", str(number), qos=1)
    assert [int(message.payload) for message in one.wake()] == list(range(10))


def test_a_session_that_stays(gateway, device):
    one = device("stayer", clean=False)
    one.subscribe("queue/#", 1)
    topic_id = one.send_register("queue/known")
    one.leave()
    for number in range(20):
        publish(gateway, "queue/a", str(number), qos=1)
    again = device("stayer", clean=False)
    again.expect("queue/#")
    assert [int(message.payload) for message in again.messages(20)] == list(range(20))
    assert again.send_register("queue/known") == topic_id
    again.leave()
    clean = device("stayer", clean=True)
    publish(gateway, "queue/a", "not subscribed", qos=1)
    clean.subscribe("end", 1)
    publish(gateway, "end", "end", qos=1)
    assert clean.message().payload == b"end"


def test_register(gateway, device):
    one, two = device("dev-1"), device("dev-2")
    ids = [one.send_register(f"plant/{number}") for number in range(300)]
    assert len(set(ids)) == 300 and not {0, 0xFFFF, 1, 2, 10} & set(ids)
    assert [one.send_register(f"plant/{number}") for number in range(300)] == ids
    two_id = two.send_register("plant/of two")
    with Subscriber(gateway, "plant/#") as subscriber:
        one.send_publish_with_id(ids[7], MqttSnConstants.TOPIC_TYPE_NORMAL, b"x", 1)
        assert subscriber.message().topic == "plant/7"
        # Ids are each device's own (§7.3).
        two.send_publish_with_id(two_id, MqttSnConstants.TOPIC_TYPE_NORMAL, b"x", 1)
        assert subscriber.message().topic == "plant/of two"


@pytest.mark.parametrize("topic", ["plant/+", "#", "a/#"])
def test_a_wildcard_is_no_topic(device, topic):
    with pytest.raises(MqttSnClientException, match="not supported"):
        device().send_register(topic)


@pytest.mark.parametrize("qos", [1, 2])
@pytest.mark.parametrize("kind", [MqttSnConstants.TOPIC_TYPE_NORMAL, MqttSnConstants.TOPIC_TYPE_PREDEFINED])
def test_an_unknown_topic_id_is_refused(gateway, device, kind, qos):
    # The library waits for PUBREC at QoS 2 and would wait for ever, so this is asked in bytes [D-09].
    with Datagrams(gateway.udp) as datagrams:
        assert datagrams.ask(CONNECT) == CONNACK
        flags = qos << 5 | kind
        answer = datagrams.ask(bytes([8, 0x0C, flags, 0x77, 0x77, 0, 9]) + b"x")
        assert answer == octets("07 0d 7777 0009 02")
    with pytest.raises(MqttSnClientException, match="invalid topic"):
        device().send_publish_with_id(0x7777, kind, b"x", 1)


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_long_messages_both_ways(gateway, device, qos):
    payload = bytes(range(256)) * 4
    one = device()
    one.subscribe("long/down", qos)
    with Subscriber(gateway, "long/up") as subscriber:
        one.send_publish("long/up", payload, qos)
        assert subscriber.message().payload == payload
    publish(gateway, "long/down", payload, qos=qos)
    assert one.message().payload == payload


def test_a_message_too_long_for_a_datagram_is_dropped(gateway, device):
    one = device()
    one.subscribe("long", 1)
    publish(gateway, "long", b"x" * 3_000, qos=1)
    publish(gateway, "long", b"fits", qos=1)
    assert one.message().payload == b"fits"
    gateway.wait_for_line("cannot take a message of 3")


def test_fifty_devices_and_their_controller(gateway, device):
    devices = [device(f"node-{number}") for number in range(50)]
    for each in devices:
        each.subscribe(2, 1)
    with Subscriber(gateway, "sensors/+/temperature") as controller:
        for number, each in enumerate(devices):
            each.send_publish_predefined(1, str(number).encode(), 1)
        readings = {message.topic: message.payload for message in controller.messages(50)}
    assert readings == {f"sensors/node-{n}/temperature": str(n).encode() for n in range(50)}
    for number in range(50):
        publish(gateway, f"sensors/node-{number}/command", f"command {number}", qos=1)
    for number, each in enumerate(devices):
        assert each.message().payload == f"command {number}".encode()


def test_from_device_to_device(gateway, device):
    one, two = device("dev-1"), device("dev-2")
    two.subscribe("between", 2)
    for qos in (0, 1, 2):
        one.send_publish("between", str(qos).encode(), qos)
        message = two.message()
        assert (message.payload, message.qos) == (str(qos).encode(), qos)


def test_a_sleeping_device_gets_its_messages_when_it_wakes(gateway, device):
    one = device("sleeper", clean=False)
    one.subscribe("command/+", 1)
    one.send_disconnect(60)
    gateway.wait_for_line("device sleeper sleeps for 60 s")
    for number in range(5):
        publish(gateway, "command/a", str(number), qos=1)
    assert [message.payload for message in one.wake()] == [b"0", b"1", b"2", b"3", b"4"]
    assert one.wake() == []
    publish(gateway, "command/b", "5", qos=1)
    assert [message.payload for message in one.wake()] == [b"5"]


def test_the_same_client_id_over_mqtt_takes_the_session_over(gateway, device):
    one = device("both", clean=False)
    one.subscribe("queue", 1)
    with Subscriber(gateway, "other", client_id="both", options=["-c"]) as other:
        publish(gateway, "queue", "of the device", qos=1)
        assert other.message().payload == b"of the device"
    gateway.wait_for_line("device both disconnected by the broker")


def test_over_ipv6(start_gateway, device):
    gateway = start_gateway("listener 0 ::1\n\nlistener 0 ::1\nprotocol mqttsn\n")
    one = device("six", to=gateway, host="::1")
    with Subscriber(gateway, "six/up", host="::1") as subscriber:
        one.send_publish("six/up", b"hello", 2)
        assert subscriber.message().payload == b"hello"
    one.subscribe("six/down", 1)
    publish(gateway, "six/down", "hello", qos=1, host="::1")
    assert one.message().payload == b"hello"


def test_replies_leave_from_the_address_that_was_asked(start_gateway):
    gateway = start_gateway(
        "listener 0 0.0.0.0\nprotocol mqttsn\nallow_anonymous true\n\n"
        "listener 0 127.0.0.1\nallow_anonymous true\n")
    for number, host in enumerate(["127.0.0.1", "127.0.0.2", "127.1.2.3"]):
        # The socket hears nobody but the address it asked.
        with Datagrams(gateway.udp, host) as datagrams:
            assert datagrams.ask(octets(f"0a 04 04 01 003c 'dev{number}'")) == CONNACK
            assert datagrams.ask(octets("02 16")) == octets("02 17")
            # Also what nobody asked for: a message.
            assert datagrams.ask(octets("0b 12 20 0001 'messag'"))[:2] == octets("08 13")
            publish(gateway, "messag", "x")
            assert datagrams.receive()[:2] == octets("08 0c")


def test_two_listeners_of_two_addresses_and_topics(start_gateway):
    gateway = start_gateway(
        "listener 0 127.0.0.1\nlistener 0 127.0.0.1\nprotocol mqttsn\nlistener 0 127.0.0.2\nprotocol mqttsn\n")
    (first, one), (second, two) = gateway.addresses("MQTT-SN over UDP")
    assert (first, second) == ("127.0.0.1", "127.0.0.2")
    with Datagrams(one, first) as a, Datagrams(two, second) as b:
        assert a.ask(octets("0a 04 04 01 003c 'dev1'")) == CONNACK
        assert b.ask(octets("0a 04 04 01 003c 'dev2'")) == CONNACK


def test_a_device_that_looks_for_a_gateway(gateway, device):
    with Datagrams(gateway.udp) as datagrams:
        assert datagrams.ask(octets("03 01 00")) == octets("03 02 07")  # [D-41]
    device("searching", connect=False).send_search_gateway(1)


def test_a_repeated_connect_is_answered_again(gateway):
    with Datagrams(gateway.udp) as datagrams:
        for _ in range(3):
            assert datagrams.ask(CONNECT) == CONNACK
        assert datagrams.ask(octets("0b 12 20 0001 'messag'"))[:2] == octets("08 13")
        assert datagrams.ask(CONNECT) == CONNACK
        publish(gateway, "messag", "x")
        # The device may have been restarted: its id is said again before the message [D-01] [D-03].
        register = datagrams.receive()
        assert register[:2] == octets("0c 0a") and register[6:] == b"messag"
        assert datagrams.ask(octets("07 0b") + register[2:6] + b"\0")[:2] == octets("08 0c")


def test_a_message_without_an_answer_comes_again(start_gateway):
    gateway = start_gateway(QUICK)
    with Datagrams(gateway.udp) as datagrams:
        datagrams.ask(CONNECT)
        datagrams.ask(octets("0b 12 20 0001 'messag'"))
        publish(gateway, "messag", "x", qos=1)
        first = datagrams.receive()
        again = datagrams.receive()
        assert again[0:2] == first[0:2] and again[2] == first[2] | 0x80 and again[3:] == first[3:]
        datagrams.send(octets("07 0d") + first[3:7] + b"\0")
        assert datagrams.ask(octets("02 16")) == octets("02 17")


def test_a_stranger_is_told_to_connect(gateway):
    for packet in (
            "08 0c 20 0001 0001 'x'", "0b 12 20 0001 'messag'", "0a 0a 0000 0001 'topi'", "07 0d 0001 0001 00",
            "04 10 0001", "02 17"):
        with Datagrams(gateway.udp) as datagrams:
            assert datagrams.ask(octets(packet)) == octets("02 18")


@pytest.mark.parametrize("datagram", [
    "02", "00 04", "01 04", "01 00 03", "01 00 00 04", "ff 04 04 01 003c 'A'", "06 04 04 01 003c 'AB'",
    "05 04 04 01 00", "06 0c 00 00 01 00", "03 05 00", "02 1e", "02 ff", "02 fe", "03 fe 00", "03 03 00",
    "08 0b 0001 0001 00", "02 06", "02 1b", "03 1d 00",
])
def test_datagrams_that_are_dropped_without_an_answer(gateway, datagram):
    with Datagrams(gateway.udp) as stranger, Witness(gateway) as witness:
        stranger.send(octets(datagram))
        # The answer to the next packet is the first thing that comes.
        assert stranger.ask(CONNECT) == CONNACK
        assert witness.is_served()


@pytest.mark.parametrize("connect, answer", [
    ("06 04 04 01 003c", "03 05 03"),
    ("0a 04 04 02 003c 'dev1'", "03 05 03"),
    ("01 000c 04 04 01 003c 'dev1'", "03 05 00"),
])
def test_connections_with_a_fault_or_an_odd_form(gateway, connect, answer):
    with Datagrams(gateway.udp) as datagrams:
        assert datagrams.ask(octets(connect)) == octets(answer)  # [D-40] [D-39] [D-37]


def test_devices_hear_that_the_gateway_ends(gateway):
    with Datagrams(gateway.udp) as datagrams:
        assert datagrams.ask(CONNECT) == CONNACK
        gateway.stop()
        assert datagrams.receive() == octets("02 18")


def script(name, gateway, *arguments):
    command = [Path(sys.executable).with_name(name), "-h", "127.0.0.1", "-p", gateway.udp, *arguments]
    return [str(part) for part in command]


@pytest.mark.parametrize("qos", [0, 1])
def test_the_commands_of_the_package(gateway, qos):
    with Subscriber(gateway, "by/command", "plant/setpoint") as subscriber:
        for target in (["-t", "by/command"], ["-T", "10"]):
            done = subprocess.run(
                script("mqtt_sn_pub", gateway, *target, "-m", "hello", "-q", str(qos), "-i", "script"),
                timeout=PATIENCE, capture_output=True, text=True)
            assert done.returncode == 0, done
            message = subscriber.message()
            assert (message.topic, message.payload, message.qos) == (
                "by/command" if "-t" in target else "plant/setpoint", b"hello", qos)
    listening = subprocess.Popen(
        script("mqtt_sn_sub", gateway, "-t", "to/command", "-q", str(qos), "-i", "listener", "-1"),
        stdout=subprocess.PIPE, text=True)
    # Retained, so that it does not matter whether the subscription or the message is first.
    publish(gateway, "to/command", "hello", qos=qos, retain=True)
    assert listening.communicate(timeout=PATIENCE)[0].strip() == "hello"
    assert re.search("device listener disconnected", "\n".join(gateway.log))
