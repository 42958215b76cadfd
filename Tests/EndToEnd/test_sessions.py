"""What outlives a connection, and what ends it: wills, sessions with their queues, takeover, keep-alive."""

import socket
import time

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from mosquitto import VERSIONS, Subscriber, offline_session, publish
from wire import CONNECT_311, Wire, bare, octets

WILL = ["--will-topic", "wills/a", "--will-payload", "gone", "--will-qos", "1"]


def expiring(seconds):
    properties = Properties(PacketTypes.CONNECT)
    properties.SessionExpiryInterval = seconds
    return properties


@pytest.mark.parametrize("version", VERSIONS)
def test_the_will_of_a_killed_client(gateway, version):
    with Subscriber(gateway, "wills/#") as heir:
        with Subscriber(gateway, "unused", version=version, options=WILL) as client:
            client.kill()
            message = heir.message()
            assert (message.topic, message.payload, message.qos, message.retain) == ("wills/a", b"gone", 1, False)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_that_says_goodbye_has_no_will(gateway, version):
    with Subscriber(gateway, "wills/#") as heir:
        with Subscriber(gateway, "unused", version=version, options=[*WILL, "-E"]) as client:
            assert client.wait_for_end() == 0
        publish(gateway, "wills/end", "end")
        assert heir.message().topic == "wills/end"


def test_a_retained_will_waits_for_later_subscribers(gateway):
    with Subscriber(gateway, "wills/#") as heir:
        with Subscriber(gateway, "unused", options=[*WILL, "--will-retain"]) as client:
            client.kill()
            assert not heir.message().retain
    with Subscriber(gateway, "wills/+") as later:
        message = later.message()
        assert (message.payload, message.retain) == (b"gone", True)


def test_a_will_with_delay_does_not_come_when_the_client_is_back_in_time(gateway, paho):
    delay = Properties(PacketTypes.WILLMESSAGE)
    delay.WillDelayInterval = 600
    will = {"topic": "wills/late", "payload": "gone", "properties": delay}
    with Subscriber(gateway, "wills/#") as heir:
        paho("sometimes", clean=False, properties=expiring(1_000), will=will).drop()
        back = paho("sometimes", clean=False, properties=expiring(1_000), will=will)
        assert back.connack[0].session_present
        back.disconnect()
        publish(gateway, "wills/end", "end")
        assert heir.message().topic == "wills/end"


def test_disconnect_with_will_message(gateway, paho):
    with Subscriber(gateway, "wills/#") as heir:
        client = paho("testator", will={"topic": "wills/b", "payload": "as asked", "qos": 2})
        client.disconnect(reasoncode=ReasonCode(PacketTypes.DISCONNECT, "Disconnect with will message"))
        message = heir.message()
        assert (message.topic, message.payload, message.qos) == ("wills/b", b"as asked", 2)


@pytest.mark.parametrize("version", VERSIONS)
def test_an_offline_session_keeps_messages_in_order(gateway, version):
    offline_session(gateway, "sleeper", "queue/#", version=version)
    for number in range(40):
        publish(gateway, "queue/a", str(number), qos=1 + number % 2)
    publish(gateway, "queue/a", "not kept: QoS 0", qos=0)
    with Subscriber(gateway, "queue/#", version=version, client_id="sleeper", options=["-c"]) as back:
        messages = back.messages(40)
        # QoS 2 is handed over at PUBREL, so the order holds within each quality of service.
        for qos in (1, 2):
            assert [int(m.payload) for m in messages if m.qos == qos] == list(range(qos - 1, 40, 2))
        publish(gateway, "queue/a", "live")
        assert back.message().payload == b"live"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_clean_session_forgets(gateway, version):
    offline_session(gateway, "forgetful", "queue/#", version=version)
    publish(gateway, "queue/a", "lost", qos=1)
    with Subscriber(gateway, "other", version=version, client_id="forgetful") as clean:
        publish(gateway, "queue/a", "not subscribed", qos=1)
        publish(gateway, "other", "end", qos=1)
        assert clean.message().payload == b"end"


def test_a_queue_holds_what_the_configuration_says(start_gateway):
    gateway = start_gateway("max_queued_messages 10\nlistener 0 127.0.0.1\n")
    offline_session(gateway, "sleeper", "queue")
    publish(gateway, "queue", text="".join(f"{n}\n" for n in range(30)), qos=1)
    with Subscriber(gateway, "queue", client_id="sleeper", options=["-c"]) as back:
        publish(gateway, "queue", "end", qos=1)
        payloads = []
        while not payloads or payloads[-1] != b"end":
            payloads.append(back.message().payload)
        assert len(payloads) == 11
        kept = [int(payload) for payload in payloads[:-1]]
        assert kept == sorted(kept)


def test_the_session_of_an_mqtt_5_client_ends_with_its_expiry_interval(gateway, paho):
    client = paho("brief", clean=False, properties=expiring(1))
    client.subscribe("a", 1)
    client.disconnect()
    assert paho("brief", clean=False, properties=expiring(1)).connack[0].session_present
    paho("brief", clean=False, properties=expiring(1)).disconnect()
    # Time has to pass here: a probe each quarter of a second would renew the session, so there is one sleep.
    time.sleep(2.2)
    assert not paho("brief", clean=False, properties=expiring(1)).connack[0].session_present


@pytest.mark.parametrize("version", [mqtt.MQTTv31, mqtt.MQTTv311, mqtt.MQTTv5])
def test_a_second_client_with_the_same_id_takes_the_session_over(gateway, paho, version):
    options = {"properties": expiring(100)} if version == mqtt.MQTTv5 else {}
    first = paho("twin", version=version, clean=False, **options)
    first.subscribe("both", 1)
    second = paho("twin", version=version, clean=False, **options)
    reason = first.wait_for_disconnect()
    assert reason == 0x8E if version == mqtt.MQTTv5 else reason != 0
    if version != mqtt.MQTTv31:
        assert second.connack[0].session_present
    publish(gateway, "both", "to the second", qos=1)
    assert second.message().payload == b"to the second"


def test_what_was_not_acknowledged_comes_again(gateway):
    connect = octets("10 0f 0004 'MQTT' 04 00 003c 0003 'dup'")
    with Wire(gateway.tcp, connect=connect) as wire:
        wire.send("82 08 0001 0003 'qos' 02")
        assert wire.packet() == octets("90 03 0001 02")
        publish(gateway, "qos", "one", qos=1)
        first = wire.packet()
        publish(gateway, "qos", "two", qos=2)
        second = wire.packet()
        assert (first[0], second[0]) == (0x32, 0x34)
        wire.send(b"\x50\x02" + second[7:9])
        assert wire.packet() == b"\x62\x02" + second[7:9]
    with Wire(gateway.tcp) as wire:
        wire.send(connect)
        assert wire.packet() == octets("20 02 01 00")
        again = wire.packet()
        assert again[0] == 0x3A and again[1:] == first[1:]
        assert wire.packet() == b"\x62\x02" + second[7:9]


def test_a_silent_client_is_gone_after_one_and_a_half_keep_alives(gateway):
    with Subscriber(gateway, "wills/#") as heir:
        # Keep-alive 1 s, with a will.
        with Wire(gateway.tcp) as wire:
            wire.send("10 1e 0004 'MQTT' 04 06 0001 0006 'silent' 0007 'wills/s' 0001 'x'")
            assert wire.packet() == octets("20 02 00 00")
            begin = time.monotonic()
            assert wire.rest() == b""
            assert 1.3 < time.monotonic() - begin < 2.5
            assert heir.message().topic == "wills/s"


def test_a_client_that_pings_stays(gateway):
    with Wire(gateway.tcp, connect=octets("10 0d 0004 'MQTT' 04 02 0001 0001 'p'")) as wire:
        end = time.monotonic() + 3.2
        while time.monotonic() < end:
            wire.send("c0 00")
            assert wire.packet() == octets("d0 00")
            # Nothing arrives unasked: the wait is the pace of the pings.
            wire.socket.settimeout(0.7)
            with pytest.raises(socket.timeout):
                wire.socket.recv(1)
            wire.socket.settimeout(10)


def test_an_mqtt_5_client_hears_why_its_silence_ended(gateway):
    with Wire(gateway.tcp, connect=octets("10 0e 0004 'MQTT' 05 02 0001 00 0001 's'")) as wire:
        assert bare(wire.packet()) == octets("e0 01 8d")
        assert wire.rest() == b""


def test_no_keep_alive_is_no_limit(gateway):
    with Wire(gateway.tcp, connect=octets("10 0d 0004 'MQTT' 04 02 0000 0001 'z'")) as wire:
        with Wire(gateway.tcp, connect=octets("10 0d 0004 'MQTT' 04 02 0001 0001 'y'")) as other:
            assert other.rest() == b""
        wire.send("c0 00")
        assert wire.packet() == octets("d0 00")


def test_the_gateway_names_clients_that_come_without_a_name(gateway):
    with Wire(gateway.tcp, connect=CONNECT_311), Wire(gateway.tcp, connect=CONNECT_311):
        name = gateway.wait_for_line(r"auto-\S+ connected").split()[2]
        gateway.wait_for_line(rf"(?<!{name}) connected from")
