"""The rest of the package mqtt-sn-12: its two programs, and what its client can do beside test_mqttsn.py."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
from mqttsn12.client.MqttSnClientException import MqttSnClientException
from mqttsn12.MqttSnConstants import MqttSnConstants

from gateway import CONFIGURATION, PATIENCE
from mosquitto import Subscriber, publish
from mqttsn_device import Device

# Its own constants have no name for it.
INVALID_TOPIC_ID = 2
PROGRAMS = Path(sys.executable).parent


def program(name, gateway, *arguments, **options):
    return subprocess.Popen(
        [PROGRAMS / name, "-h", "127.0.0.1", "-p", str(gateway.udp), *map(str, arguments)], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, env={"PYTHONUNBUFFERED": "1"}, **options)


def finished(process):
    out, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, out
    return out


@pytest.mark.parametrize("qos", [0, 1, 2])
@pytest.mark.parametrize("where, topic", [(("-t", "a/long/name"), "a/long/name"), (("-t", "ab"), "ab"),
                                          (("-T", "10"), "plant/setpoint")])
def test_its_publisher(gateway, where, topic, qos):
    with Subscriber(gateway, "#") as subscriber:
        finished(program("mqtt_sn_pub", gateway, *where, "-m", "hello", "-q", qos, "-i", "pub", "--repeat", 3))
        got = [(message.topic, message.payload, message.qos) for message in subscriber.messages(3)]
        assert got == [(topic, b"hello", qos)] * 3
    gateway.wait_for_line("device pub disconnected")


def test_its_publisher_without_a_connection(gateway):
    with Subscriber(gateway, "#") as subscriber:
        finished(program("mqtt_sn_pub", gateway, "-T", 10, "-m", "hello", "-q", -1))
        assert (message := subscriber.message()).topic == "plant/setpoint" and message.payload == b"hello"


def test_its_publisher_retains_and_sleeps(gateway):
    finished(program("mqtt_sn_pub", gateway, "-t", "a/b", "-m", "kept", "-q", 1, "-r", "-i", "sleeper", "-e", 60, "-c"))
    gateway.wait_for_line("device sleeper sleeps for 60 s")
    with Subscriber(gateway, "a/b") as subscriber:
        message = subscriber.message()
        assert (message.payload, message.retain) == (b"kept", True)


@pytest.mark.parametrize("qos", [0, 1])
@pytest.mark.parametrize("where, topic", [(("-t", "a/b"), "a/b"), (("-t", "a/+"), "a/b"), (("-T", "10"), "plant/setpoint")])
def test_its_subscriber(gateway, where, topic, qos):
    process = program("mqtt_sn_sub", gateway, *where, "-q", qos, "-1", "-i", "sub")
    try:
        gateway.wait_for_line("device sub connected")
        # It is subscribed a moment later; what is retained waits for that.
        publish(gateway, topic, "hello", qos=qos, retain=True)
        assert "hello" in finished(process)
    finally:
        process.kill()


def test_the_will_of_its_publisher(start_gateway):
    gateway = start_gateway(CONFIGURATION + "retry_interval 1\nretry_count 1\n")
    with Subscriber(gateway, "wills/#") as heir:
        process = program("mqtt_sn_pub", gateway, "-t", "a/b", "-m", "x", "-i", "mortal", "-k", 1, "--repeat", 100,
                          "--repeat-delay", 60, "--will-topic", "wills/mortal", "--will-payload", "gone",
                          "--will-qos", 1)
        gateway.wait_for_line("device mortal connected")
        process.kill()
        process.wait()
        message = heir.message()
        assert (message.topic, message.payload, message.qos) == ("wills/mortal", b"gone", 1)


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_topic_of_two_bytes(gateway, device, qos):
    with Subscriber(gateway, "xy") as subscriber:
        device().send_publish_with_bytes(b"xy", b"bytes", qos)
        assert (message := subscriber.message()).payload == b"bytes" and message.qos == qos


def test_it_refuses_a_topic_id_and_is_told_again(gateway, device):
    """[D-07] REGISTER, then the same message once more."""
    one = device()
    one.subscribe("news", 1)
    answers = []

    def refuse_once(message, return_code):
        answers.append(return_code)
        code = INVALID_TOPIC_ID if len(answers) == 1 else return_code
        Device.send_puback(one, message, code)

    one.send_puback = refuse_once
    publish(gateway, "news", "x", qos=1)
    one.poll()
    del one.received_types[:]
    while len(answers) < 2:
        one.poll()
    assert one.received_types == [MqttSnConstants.TYPE_REGISTER, MqttSnConstants.TYPE_PUBLISH]
    assert [message.payload for message in one.arrived] == [b"x", b"x"]


def test_it_keeps_itself_alive(start_gateway, device):
    """Its keep-alive is 2 s, and so it is lost after 3 s of silence; it pings each 0.5 s for 4 s."""
    gateway = start_gateway(CONFIGURATION)
    one = device("lively", to=gateway, keep_alive=2)
    # Its own clock asks again and again when it has waited for as long as its keep-alive.
    one.set_keep_alive(60)
    for _ in range(8):
        one.send_ping_req()
        time.sleep(0.5)
    one.subscribe("news", 1)
    publish(gateway, "news", "still here", qos=1)
    assert one.message().payload == b"still here"
    assert not any("lively is lost" in line for line in gateway.log)


def test_it_hears_why_it_is_refused(start_gateway, device):
    closed = start_gateway(CONFIGURATION.replace("gateway_id 7\n", "gateway_id 7\nlistener_allow_anonymous false\n"))
    with pytest.raises(MqttSnClientException, match="not supported"):
        device("dev", to=closed)
    open_to_all = start_gateway()
    with pytest.raises(MqttSnClientException, match="invalid topic"):
        device("dev", to=open_to_all).send_subscribe_predefined(99, 1, None)
