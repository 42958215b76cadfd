"""Directives of gateway.conf that others' clients can see at work; the rest is in the tests of the parser."""

import subprocess
import time

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway import BINARY
from mosquitto import Subscriber, offline_session, publish
from mqttsn_device import Datagrams, Device
from wire import CONNECT_311, CONNECT_5, Wire, bare, frame, octets

MQTT = "listener 0 127.0.0.1\n"
DEVICES = "listener 0 127.0.0.1\nprotocol mqttsn\n"


@pytest.fixture
def configured(start_gateway):
    """A gateway with MQTT, MQTT-SN and these lines for all, for the MQTT and for the MQTT-SN listener."""

    def configured(general="", mqtt="", devices=""):
        return start_gateway(f"{general}\n{MQTT}{mqtt}\n{DEVICES}{devices}\n")

    return configured


def connack(gateway, packet):
    """The answer to a CONNECT."""
    with Wire(gateway.tcp) as wire:
        return wire.send(packet).packet()


def test_max_packet_size(configured):
    gateway = configured("max_packet_size 1000")
    with Wire(gateway.tcp, connect=CONNECT_5) as wire:
        wire.send(frame(0x30, octets("0001 'a' 00") + b"x" * 993))
        wire.send("c0 00")
        assert wire.packet() == octets("d0 00")
        wire.send(frame(0x30, octets("0001 'a' 00") + b"x" * 994))
        assert bare(wire.rest()) == octets("e0 01 95")


def test_message_size_limit(configured):
    gateway = configured("message_size_limit 100")
    with Wire(gateway.tcp, connect=CONNECT_5) as wire:
        wire.send(frame(0x32, octets("0001 'a' 0001 00") + b"x" * 100))
        assert wire.packet()[:2] == octets("40 03")
        wire.send(frame(0x32, octets("0001 'a' 0001 00") + b"x" * 101))
        assert bare(wire.rest()) == octets("e0 01 95")


def test_preauth_packet_size(configured):
    gateway = configured("preauth_packet_size 64")
    assert connack(gateway, frame(0x10, octets("0004 'MQTT' 04 02 003c 0032") + b"x" * 50)) == octets("20 02 0000")
    with Wire(gateway.tcp) as wire:
        wire.send(frame(0x10, octets("0004 'MQTT' 04 02 003c 0033") + b"x" * 51))
        assert wire.rest() == b""


def test_max_topic_bytes_and_levels(configured, paho):
    gateway = configured("max_topic_bytes 20\nmax_topic_levels 3")
    client = paho("long", to=gateway)
    assert client.publish("x" * 20, "x", 1) == 0x10
    assert client.publish("x" * 21, "x", 1) == 0x90
    assert client.publish("a/b/c", "x", 1) == 0x10
    assert client.publish("a/b/c/d", "x", 1) == 0x90
    assert client.subscribe([("a/b/c", 1), ("a/b/c/d", 1), ("x" * 21, 1)]) == [1, 0x8F, 0x8F]


def test_max_client_id_bytes(configured):
    gateway = configured("max_client_id_bytes 30\nmax_device_id_bytes 25")
    for length, code in ((30, 0), (31, 2)):
        packet = frame(0x10, octets(f"0004 'MQTT' 04 02 003c 00{length:02x}") + b"x" * length)
        assert connack(gateway, packet) == bytes([0x20, 2, 0, code])
    for length, code in ((25, 0), (26, 3)):
        with Datagrams(gateway.udp) as datagrams:
            assert datagrams.ask(bytes([length + 6]) + octets("04 04 01 003c") + b"x" * length) == bytes([3, 5, code])


def test_max_subscriptions(configured, paho):
    gateway = configured("max_subscriptions_per_client 3\nmax_subscriptions 5")
    first, second = paho("first", to=gateway), paho("second", to=gateway)
    assert first.subscribe([(f"a/{n}", 1) for n in range(5)]) == [1, 1, 1, 0x97, 0x97]
    assert first.subscribe("a/0", 2) == [2]
    assert second.subscribe([(f"b/{n}", 1) for n in range(3)]) == [1, 1, 0x97]
    first.unsubscribe("a/0")
    assert second.subscribe("b/2", 1) == [1]


def test_max_clients(configured):
    gateway = configured("max_clients 2")
    with Wire(gateway.tcp, connect=CONNECT_311), Wire(gateway.tcp, connect=CONNECT_311):
        with Wire(gateway.tcp) as third:
            assert third.rest() == b""


def test_max_devices(configured):
    gateway = configured("max_devices 2")
    for number, code in enumerate((0, 0, 1)):
        with Datagrams(gateway.udp) as datagrams:
            assert datagrams.ask(octets(f"0a 04 04 01 003c 'dev{number}'")) == bytes([3, 5, code])


def test_max_queued_bytes(configured):
    gateway = configured("max_queued_bytes 10000")
    offline_session(gateway, "away", "queue")
    for number in range(20):
        publish(gateway, "queue", f"{number:01000}", qos=1)
    with Subscriber(gateway, "queue", client_id="away", options=["-c"]) as back:
        publish(gateway, "queue", "end", qos=1)
        payloads = []
        while not payloads or payloads[-1] != b"end":
            payloads.append(back.message().payload)
    assert 5 < len(payloads) <= 11


def test_queue_qos0_messages(configured):
    gateway = configured("queue_qos0_messages true")
    offline_session(gateway, "away", "queue")
    publish(gateway, "queue", "kept", qos=0)
    with Subscriber(gateway, "queue", client_id="away", options=["-c"]) as back:
        assert back.message().payload == b"kept"


def test_max_inflight_messages(configured, paho):
    gateway = configured("max_inflight_messages 2")
    assert paho("limited", to=gateway).connack[2].ReceiveMaximum == 2
    with Wire(gateway.tcp, connect=CONNECT_311) as wire:
        wire.send("82 06 0001 0001 'a' 01")
        wire.packet()
        publish(gateway, "a", text="1\n2\n3\n", qos=1)
        assert [wire.packet()[-1:] for _ in range(2)] == [b"1", b"2"]
        wire.send("c0 00")
        assert wire.packet() == octets("d0 00")


def test_max_retained_messages(configured, paho):
    # The figures under $SYS are retained messages too, and would take the places.
    gateway = configured("max_retained_messages 2\nmax_retained_bytes 1000\nsys_interval 0")
    client = paho("keeper", to=gateway)
    assert [client.publish(f"kept/{n}", "x", 1, True) for n in range(3)] == [0x10, 0x10, 0x97]
    assert client.publish("kept/0", "changed", 1, True) == 0x10
    assert client.publish("kept/0", b"", 1, True) == 0x10
    assert client.publish("kept/2", "x" * 1_001, 1, True) == 0x97
    assert client.publish("kept/2", "x", 1, True) == 0x10


def test_retain_available(configured):
    gateway = configured("retain_available false")
    with Wire(gateway.tcp, connect=CONNECT_311) as wire:
        wire.send("31 04 0001 'ax'")
        assert wire.rest() == b""


def test_max_keepalive_refuses_clients_that_cannot_be_told(configured):
    gateway = configured("max_keepalive 60")
    for seconds, code in ((60, 0), (61, 2), (0, 2)):
        packet = frame(0x10, f"0004 'MQTT' 04 02 {seconds:04x} 0001 'k'")
        assert connack(gateway, packet) == bytes([0x20, 2, 0, code])


def test_allow_zero_length_clientid(configured):
    gateway = configured("allow_zero_length_clientid false")
    assert connack(gateway, CONNECT_311) == octets("20 02 00 02")
    assert connack(gateway, CONNECT_5)[3] == 0x85


def test_auto_id_prefix(configured, paho):
    gateway = configured("auto_id_prefix made-here-")
    assert paho("", to=gateway).connack[2].AssignedClientIdentifier.startswith("made-here-")


def test_max_topic_alias(configured, paho):
    gateway = configured(mqtt="max_topic_alias 0")
    client = paho("aliased", to=gateway)
    assert getattr(client.connack[2], "TopicAliasMaximum", 0) == 0
    aliased = Properties(PacketTypes.PUBLISH)
    aliased.TopicAlias = 1
    client.client.publish("a", "x", 0, properties=aliased)
    assert client.wait_for_disconnect() == 0x94


def test_sys_interval_0(configured):
    gateway = configured("sys_interval 0")
    with Subscriber(gateway, "$SYS/#", "end") as subscriber:
        publish(gateway, "end", "end")
        assert subscriber.message().topic == "end"


def test_limits_of_messages_hold_for_devices(configured):
    gateway = configured("max_packet_size 30\nmessage_size_limit 4")
    with Datagrams(gateway.udp) as datagrams:
        datagrams.ask(octets("0a 04 04 01 003c 'dev1'"))
        assert datagrams.ask(octets("0b 0c 22 'ab' 0001 '1234'")) == octets("07 0d 'ab' 0001 00")
        assert datagrams.ask(octets("0c 0c 22 'ab' 0002 '12345'")) == octets("07 0d 'ab' 0002 03")
        # A datagram that is too long is not looked at.
        datagrams.send(octets("1f 0c 22 'ab' 0003") + b"x" * 24)
        assert datagrams.ask(octets("02 16")) == octets("02 17")


def test_max_anonymous_publishes(configured):
    gateway = configured("max_anonymous_publishes 3", devices="allow_anonymous_publish true")
    with Subscriber(gateway, "ab") as subscriber, Datagrams(gateway.udp) as stranger:
        for number in range(10):
            stranger.send(octets("08 0c 62 'ab' 0000") + b"%d" % number)
        publish(gateway, "ab", "end", qos=0)
        payloads = []
        while not payloads or payloads[-1] != b"end":
            payloads.append(subscriber.message().payload)
    assert payloads == [b"0", b"1", b"2", b"end"]


def test_sleep_queue_messages(configured):
    gateway = configured(devices="sleep_queue_messages 2")
    with Datagrams(gateway.udp) as datagrams:
        datagrams.ask(octets("0a 04 04 01 003c 'dev1'"))
        datagrams.ask(octets("07 12 02 0001 'ab'"))
        assert datagrams.ask(octets("04 18 0e10")) == octets("02 18")
        for number in range(5):
            publish(gateway, "ab", str(number), qos=0)
        answers = [datagrams.ask(octets("06 16 'dev1'")), datagrams.receive(), datagrams.receive()]
        assert [answer[-1:] for answer in answers] == [b"0", b"1", b"\x17"]


def sleeper(datagrams, *topics):
    """A device that sleeps, with these topics of two characters subscribed to at QoS 1."""
    datagrams.ask(octets("0a 04 04 01 003c 'dev1'"))
    for topic in topics:
        datagrams.ask(octets(f"07 12 22 0001 '{topic}'"))
    assert datagrams.ask(octets("04 18 0e10")) == octets("02 18")


def wake(datagrams):
    """The payloads of one wake; each PUBLISH at QoS 1 is acknowledged."""
    payloads = []
    packet = datagrams.ask(octets("06 16 'dev1'"))
    while packet != octets("02 17"):
        assert packet[1] == 0x0c
        payloads.append(packet[7:].decode())
        if packet[2] & 0x60:
            datagrams.send(octets("07 0d") + packet[3:7] + b"\0")
        packet = datagrams.receive()
    return payloads


@pytest.mark.parametrize("policy, kept", [("drop_newest", ["0", "1"]), ("drop_oldest", ["2", "3"])])
@pytest.mark.parametrize("general", ["drop_newest", "drop_oldest", "refuse"])
def test_sleep_queue_policy(configured, policy, kept, general):
    """[D-75]"""
    gateway = configured(f"queue_full_policy {general}",
                         devices=f"sleep_queue_messages 2\nsleep_queue_policy {policy}")
    with Datagrams(gateway.udp) as datagrams:
        sleeper(datagrams, "ab")
        for number in range(4):
            publish(gateway, "ab", str(number), qos=1)
        assert wake(datagrams) == kept
        assert wake(datagrams) == []


def test_sleep_queue_keep_last(configured):
    """[D-76]"""
    gateway = configured(devices="sleep_queue_messages 2\nsleep_queue_keep_last true")
    with Datagrams(gateway.udp) as datagrams:
        sleeper(datagrams, "ab", "cd")
        for topic, payload, qos in [("ab", "1", 1), ("cd", "2", 0), ("ab", "3", 0), ("cd", "4", 1), ("ab", "5", 1)]:
            publish(gateway, topic, payload, qos=qos)
        assert wake(datagrams) == ["5", "4"]


def test_sleep_queue_expiry(configured):
    """[D-77]"""
    gateway = configured(devices="sleep_queue_expiry 2")
    with Datagrams(gateway.udp) as datagrams:
        sleeper(datagrams, "ab")
        publish(gateway, "ab", "old", qos=1)
        time.sleep(2.1)
        publish(gateway, "ab", "new", qos=1)
        assert wake(datagrams) == ["new"]


def test_messages_per_wake(configured):
    """[D-17]"""
    gateway = configured(devices="messages_per_wake 2")
    with Datagrams(gateway.udp) as datagrams:
        sleeper(datagrams, "ab")
        for number in range(5):
            publish(gateway, "ab", str(number), qos=number % 2)
        assert [wake(datagrams) for _ in range(4)] == [["0", "1"], ["2", "3"], ["4"], []]


def test_keepalive_tolerance(configured):
    """[D-20]"""
    gateway = configured(devices="keepalive_tolerance_short 0\n")
    with Datagrams(gateway.udp) as datagrams, Subscriber(gateway, "wi") as subscriber:
        datagrams.ask(octets("0a 04 0c 01 003c 'dev1'"))
        datagrams.ask(octets("05 07 00 'wi'"))
        datagrams.ask(octets("05 09 'bye'"))
        begin = time.monotonic()
        assert datagrams.ask(octets("04 18 0001")) == octets("02 18")
        assert subscriber.message().payload == b"bye"
        assert 0.9 < time.monotonic() - begin < 1.45


def test_a_repeated_publish_at_qos_2_is_delivered_once(configured):
    """MQTT-SN 1.2 §6.13: what a device repeats is answered again."""
    gateway = configured()
    with Datagrams(gateway.udp) as datagrams, Subscriber(gateway, "ab") as subscriber:
        datagrams.ask(octets("0a 04 04 01 003c 'dev1'"))
        for flags in ("42", "c2", "c2"):
            assert datagrams.ask(octets(f"08 0c {flags} 'ab' 0007 'x'")) == octets("04 0f 0007")
        for _ in range(3):
            assert datagrams.ask(octets("04 10 0007")) == octets("04 0e 0007")
        publish(gateway, "ab", "end", qos=1)
        assert [subscriber.message().payload for _ in range(2)] == [b"x", b"end"]


def test_log_type_subscribe(start_gateway):
    gateway = start_gateway(f"log_type all\n{MQTT}")
    with Wire(gateway.tcp, connect=CONNECT_311) as wire:
        wire.send("82 06 0001 0001 'a' 01").packet()
        wire.send("a2 05 0002 0001 'a'").packet()
    gateway.wait_for_line(r"subscribes to a \(QoS 1\)")
    gateway.wait_for_line("unsubscribes from a$")


def test_listeners_have_limits_of_their_own(start_gateway, paho):
    gateway = start_gateway(f"{MQTT}max_connections 1\n\n{MQTT}max_qos 0\n")
    (_, first), (_, second) = gateway.addresses("MQTT over TCP")
    with Wire(first, connect=CONNECT_311), Wire(second, connect=CONNECT_311), Wire(second, connect=CONNECT_311):
        with Wire(first) as turned_away:
            assert turned_away.rest() == b""
    with Wire(second, connect=CONNECT_5) as wire:
        wire.send("32 07 0001 'a' 0001 00 'x'")
        assert bare(wire.rest()) == octets("e0 01 9b")


def test_an_mqtt_311_client_of_a_listener_with_a_highest_qos(start_gateway, paho):
    gateway = start_gateway(f"{MQTT}max_qos 1\n")
    assert paho("old", to=gateway, version=mqtt.MQTTv311).subscribe("a", 2) == [1]


def test_topic_ids_per_device(configured):
    gateway = configured("topic_ids_per_device 3")
    with Datagrams(gateway.udp) as datagrams:
        datagrams.ask(octets("0a 04 04 01 003c 'dev1'"))
        codes = [datagrams.ask(octets(f"0a 0a 0000 000{n} 'top{n}'"))[-1] for n in range(1, 5)]
        assert codes == [0, 0, 0, 1]
        assert datagrams.ask(octets("0a 0a 0000 0005 'top1'"))[-1] == 0


def test_max_stranger_replies(configured):
    gateway = configured("max_stranger_replies 1")
    with Datagrams(gateway.udp) as stranger:
        for _ in range(50):
            stranger.send(octets("02 17"))
        assert stranger.ask(octets("0a 04 04 01 003c 'dev1'")) == octets("02 18")
        # After one goodbye, the next thing is the answer to CONNECT.
        assert stranger.receive() == octets("03 05 00")


def test_gateway_id(configured):
    gateway = configured(devices="gateway_id 42")
    with Datagrams(gateway.udp) as datagrams:
        assert datagrams.ask(octets("03 01 00")) == bytes([3, 2, 42])


def test_retry_interval_and_count(configured):
    gateway = configured(devices="retry_interval 1\nretry_count 1")
    with Datagrams(gateway.udp) as datagrams:
        datagrams.ask(octets("0a 04 00 01 003c 'dev1'"))
        datagrams.ask(octets("0b 12 20 0001 'messag'"))
        publish(gateway, "messag", "x", qos=1)
        first, again = datagrams.receive(), datagrams.receive()
        assert again[2] == first[2] | 0x80
        gateway.wait_for_line("device dev1 is lost")


def test_allow_inline_names(configured):
    gateway = configured(devices="allow_inline_names true\nallow_anonymous_publish true")
    with Subscriber(gateway, "named") as subscriber, Datagrams(gateway.udp) as datagrams:
        datagrams.send(octets("0d 0c 60 0005 0000 'namedx'"))
        assert subscriber.message().payload == b"x"


def test_strict(configured):
    gateway = configured(devices="strict true")
    with Datagrams(gateway.udp) as datagrams:
        datagrams.ask(octets("0a 04 04 01 003c 'dev1'"))
        assert datagrams.ask(octets("08 0c 22 'ab' 0000 'x'")) == octets("07 0d 'ab' 0000 03")  # [D-10]


def test_predefined_topics_belong_to_their_listener(start_gateway):
    gateway = start_gateway(f"{MQTT}\n{DEVICES}predefined_topic 1 first\n\n{DEVICES}predefined_topic 1 second\n")
    (_, first), (_, second) = gateway.addresses("MQTT-SN over UDP")
    with Subscriber(gateway, "#") as subscriber:
        for number, (port, topic) in enumerate(((first, "first"), (second, "second"))):
            device = Device(gateway, f"dev-{number}", port=port)
            device.send_publish_predefined(1, b"x", 1)
            assert subscriber.message().topic == topic
            device.close()


def test_per_listener_settings(start_gateway):
    gateway = start_gateway(
        f"per_listener_settings true\n{MQTT}allow_zero_length_clientid false\n\n{MQTT}auto_id_prefix second-\n")
    (_, first), (_, second) = gateway.addresses("MQTT over TCP")
    with Wire(first) as wire:
        assert wire.send(CONNECT_311).rest() == octets("20 02 00 02")
    with Wire(second, connect=CONNECT_311):
        gateway.wait_for_line("second-.* connected")


def test_include_dir(tmp_path, start_gateway):
    folder = tmp_path / "conf.d"
    folder.mkdir()
    (folder / "a.conf").write_text("max_qos 1\n")
    (folder / "ignored.txt").write_text("bogus\n")
    gateway = start_gateway(f"{MQTT}include_dir {folder}\n")
    with Wire(gateway.tcp, connect=CONNECT_5) as wire:
        wire.send("34 07 0001 'a' 0001 00 'x'")
        assert bare(wire.rest()) == octets("e0 01 9b")


def test_log_dest_stdout(tmp_path):
    path = tmp_path / "gateway.conf"
    path.write_text(f"{MQTT}log_dest stdout\nlog_timestamp false\n")
    process = subprocess.Popen([BINARY, "run", "-c", path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout.readline().startswith("notice: dormouse ")
    finally:
        process.terminate()
        assert process.communicate()[1] == ""
    assert process.returncode == 0


def test_allow_anonymous_false(start_gateway):
    gateway = start_gateway(
        f"per_listener_settings true\n{MQTT}allow_anonymous false\n\n{DEVICES}allow_anonymous false\n\n{MQTT}")
    refused, served = (port for _, port in gateway.addresses("MQTT over TCP"))
    for version, code in (("mqttv311", "bad user name"), ("mqttv5", "bad user name")):
        outcome = subprocess.run(
            ["mosquitto_pub", "-V", version, "-p", str(refused), "-t", "a", "-m", "x", "-u", "somebody", "-P", "x"],
            capture_output=True, text=True, timeout=20)
        assert outcome.returncode != 0 and code in outcome.stderr.lower()
    subprocess.run(["mosquitto_pub", "-p", str(served), "-t", "a", "-m", "x"], check=True, timeout=20)
    with Datagrams(gateway.udp) as device:
        assert device.ask(octets("0a 04 04 01 003c 6e6f6465")) == octets("03 05 03")
