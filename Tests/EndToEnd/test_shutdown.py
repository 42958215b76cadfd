"""The gateway ends on SIGTERM and on Ctrl-C, and says so to everybody."""

import signal

import paho.mqtt.client as mqtt
import pytest

from mosquitto import Subscriber, offline_session, publish

SIGNALS = pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])


@SIGNALS
def test_clients_hear_that_the_gateway_ends(gateway, paho, by):
    five = [paho(f"five-{number}") for number in range(20)]
    old = paho("old", version=mqtt.MQTTv311)
    gateway.stop(by)
    assert {client.wait_for_disconnect() for client in five} == {0x8B}
    assert old.wait_for_disconnect() != 0
    assert gateway.log[-1].endswith("notice: stopped")


@SIGNALS
def test_it_ends_with_clients_that_do_not_listen_and_sessions_that_wait(gateway, by):
    offline_session(gateway, "away", "a/#")
    for number in range(100):
        publish(gateway, "a/b", "x" * 1_000, qos=1, retain=True)
    with Subscriber(gateway, "b/#", version="mqttv5") as subscriber:
        subscriber.process.send_signal(signal.SIGSTOP)
        publish(gateway, "b/x", b"x" * 200_000)
        gateway.stop(by)
        subscriber.process.send_signal(signal.SIGCONT)


def test_a_hangup_does_not_end_it(gateway):
    gateway.reload()
    publish(gateway, "a", "x", qos=1)
