"""`$SYS`: the topics that mosquitto has, so that dashboards made for it work."""

import re
import socket
import subprocess
import time

import pytest

from gateway import PATIENCE
from mosquitto import Subscriber, publish
from wire import CONNECT_311, Wire, octets

# Topics of the installed mosquitto that we leave out, and why.
LEFT_OUT = {}

SPANS = ["1min", "5min", "15min"]


class Mosquitto:
    """The installed broker, on a free port."""

    def __init__(self, folder):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.tcp = probe.getsockname()[1]
        path = folder / "mosquitto.conf"
        path.write_text(f"listener {self.tcp} 127.0.0.1\nallow_anonymous true\nsys_interval 1\n")
        self.process = subprocess.Popen(
            ["mosquitto", "-c", str(path)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return socket.create_connection(("127.0.0.1", self.tcp), 1).close()
            except OSError:
                assert time.monotonic() < deadline, "mosquitto does not start"
                time.sleep(0.02)

    def stop(self):
        self.process.terminate()
        self.process.wait(PATIENCE)


@pytest.fixture
def theirs(tmp_path):
    broker = Mosquitto(tmp_path)
    yield broker
    broker.stop()


def figures(broker, wanted):
    """What `$SYS` says, until all that is wanted was there."""
    seen = {}
    with Subscriber(broker, "$SYS/#") as subscriber:
        while not wanted <= seen.keys():
            message = subscriber.message()
            seen[message.topic] = message.payload.decode()
    return seen


def shape(value):
    """A value without its digits: how it is written."""
    return re.sub(r"[0-9]+", "0", value)


def test_the_topics_of_mosquitto(gateway, theirs):
    last = "$SYS/broker/uptime"
    expected = {}
    with Subscriber(theirs, "$SYS/#") as subscriber:
        # Two rounds of the interval, each of which ends with nothing more for a while.
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            message = subscriber.message()
            expected[message.topic] = message.payload.decode()
    assert last in expected and len(expected) > 40
    found = figures(gateway, expected.keys() - LEFT_OUT.keys())
    for topic, value in expected.items():
        if topic in LEFT_OUT or topic == "$SYS/broker/version":
            continue
        assert shape(found[topic]) == shape(value), topic
    assert found["$SYS/broker/version"].startswith("dormouse ")


def test_loads_follow_what_happens(gateway):
    with Wire(gateway.tcp, connect=CONNECT_311) as wire:
        for _ in range(500):
            wire.send("30 0a 0003 'a/b' '12345'")
        wire.send("c0 00")
        wire.packet()
        with Subscriber(gateway, "$SYS/broker/load/#", "$SYS/broker/publish/#", "$SYS/broker/messages/#") as subscriber:
            seen = {}
            wanted = {f"$SYS/broker/load/publish/received/{span}" for span in SPANS}
            while not wanted <= seen.keys() or float(seen["$SYS/broker/load/publish/received/15min"]) == 0:
                message = subscriber.message()
                seen[message.topic] = message.payload.decode()
    rates = [float(seen[f"$SYS/broker/load/publish/received/{span}"]) for span in SPANS]
    # 500 in a second are 30,000 a minute; a second's share of a minute counts, of 15 minutes a fifteenth of that.
    assert 500 * 0.9 > rates[0] > 500 * 0.5 or rates[0] >= 450
    assert rates[0] > 4 * rates[1] > 2 * rates[2] > 0
    assert int(seen["$SYS/broker/publish/messages/received"]) == 500
    assert int(seen["$SYS/broker/publish/bytes/received"]) == 2_500


def test_clients_come_go_and_expire(gateway):
    connect = octets("10 13 0004 'MQTT' 05 02 003c 05 11 00000001 0001 's'")
    with Subscriber(gateway, "$SYS/broker/clients/+") as subscriber:
        seen = {}

        def wait_for(topic, value):
            while seen.get(topic) != value:
                message = subscriber.message()
                seen[message.topic.removeprefix("$SYS/broker/clients/")] = message.payload.decode()

        with Wire(gateway.tcp, connect=connect) as wire:
            wait_for("connected", "2")
            wait_for("active", "2")
            wire.send("e0 00")
        wait_for("expired", "1")
        assert int(seen["maximum"]) == 2
        wait_for("total", "1")


def test_nothing_without_an_interval(start_gateway):
    gateway = start_gateway("listener 0 127.0.0.1\nsys_interval 0\n")
    with Subscriber(gateway, "$SYS/#", "end") as subscriber:
        publish(gateway, "end", "end")
        assert subscriber.message().topic == "end"
