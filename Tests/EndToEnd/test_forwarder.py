"""Nodes behind a forwarder: the package mqtt-sn-12 on one side, mosquitto's clients on the other, frames in between."""

import itertools

import pytest
from mqttsn12.MqttSnConstants import MqttSnConstants

from forwarder import Forwarder
from gateway import CONFIGURATION, run
from mosquitto import Subscriber, publish
from mqttsn_device import Datagrams, Device
from test_dissector import FAULTS, Capture
from wire import octets

BEHIND_LOOPBACK = CONFIGURATION.replace("gateway_id 7\n", "gateway_id 7\nforwarder 127.0.0.1\n")
NODES = [b"\x01", b"\x02", b"\x00\x15\x8d\x00\x01\xa2\xb3\xc4", b"n" * 32]


@pytest.fixture
def behind(start_gateway):
    """A gateway that takes forwarders of this machine."""
    return start_gateway(BEHIND_LOOPBACK)


@pytest.fixture
def device(behind):
    """Makes devices behind a forwarder; they go with their test."""
    devices = []

    def make(client_id, forwarder, node, **options):
        devices.append(Device(behind, client_id, port=forwarder.port(node), **options))
        return devices[-1]

    yield make
    for each in devices:
        each.close()


def test_nodes_publish_and_subscribe(behind, device):
    """Several nodes at once, each with ids and messages of its own, at every QoS [D-48] [SN-5.5]."""
    with Forwarder(behind, control=3) as forwarder, Subscriber(behind, "up/#", "sensors/+/temperature") as subscriber:
        nodes = [device(f"node-{number}", forwarder, node) for number, node in enumerate(NODES)]
        direct = Device(behind, "direct")
        for number, node in enumerate(nodes):
            node.subscribe(f"down/{number}/+", 2)
            node.subscribe(2, 1)
        for qos in (0, 1, 2):
            for number, node in enumerate(nodes):
                node.send_publish(f"up/{number}", f"{qos}".encode(), qos)
                node.send_publish_predefined(1, b"21.5", qos)
                got = {(message.topic, message.payload) for message in subscriber.messages(2)}
                assert got == {(f"up/{number}", f"{qos}".encode()), (f"sensors/node-{number}/temperature", b"21.5")}
            for number in range(len(nodes)):
                publish(behind, f"down/{number}/a", f"for {number}", qos=qos)
                publish(behind, f"sensors/node-{number}/command", "x" * 600, qos=1)
            for number, node in enumerate(nodes):
                first, second = node.messages(2)
                assert (first.topic_name, first.qos) == (f"down/{number}/a", qos)
                assert first.payload == f"for {number}".encode()
                assert second.payload == b"x" * 600
        nodes[0].send_publish_predefined(10, b"x", -1)
        direct.leave()
    behind.wait_for_line("device node-0 connected from node 01 behind 127.0.0.1:")
    behind.wait_for_line("device node-2 connected from node 00158d0001a2b3c4 behind 127.0.0.1:")
    behind.wait_for_line("device direct connected from 127.0.0.1:")
    assert {frame[3:frame[0]] for frame in forwarder.down} == set(NODES)


def test_sleeping_nodes_behind_one_forwarder(behind, device):
    """What waits for each comes when it wakes, and nobody else is woken by it [SN-6.14]."""
    with Forwarder(behind) as forwarder:
        nodes = [device(f"sleeper-{number}", forwarder, node, clean=False) for number, node in enumerate(NODES)]
        for number, node in enumerate(nodes):
            node.subscribe(f"for/{number}", 2)
            node.subscribe("all/+", 1)
            node.send_disconnect(300)
        before = len(forwarder.down)
        for qos, number in itertools.product((0, 1, 2), range(len(nodes))):
            publish(behind, f"for/{number}", f"{qos}", qos=qos)
        publish(behind, "all/a", "everybody", qos=1)
        for number, node in reversed(list(enumerate(nodes))):
            assert [message.payload for message in node.wake()] == [b"0", b"1", b"2", b"everybody"]
            assert node.wake() == []
        woken = [frame[3:frame[0]] for frame in forwarder.down[before:]]
        # Nothing came before a node asked for it: the datagrams of each follow one another.
        assert [node for node, _ in itertools.groupby(woken)] == NODES[::-1]


def test_a_forwarder_that_is_restarted(behind, device):
    """Its nodes are found again at its new port, asleep or not, and one of another id is not taken for them [D-62]."""
    with Forwarder(behind) as forwarder:
        sleeper = device("sleeper", forwarder, b"s", clean=False)
        sleeper.subscribe("news", 1)
        sleeper.send_disconnect(300)
        awake = device("awake", forwarder, b"w", clean=False)
        awake.subscribe("news", 1)
        forwarder.restart()
        publish(behind, "news", "x", qos=1)
        thief = device("thief", forwarder, b"t")
        with Datagrams(forwarder.port(b"t")) as other:
            assert other.ask(octets("09 16 'sleeper'")) == octets("02 18")
        assert [message.payload for message in sleeper.wake()] == [b"x"]
        behind.wait_for_line("device sleeper moved to node 73 behind 127.0.0.1:")
        awake.send_connect()
        assert awake.message().payload == b"x"
        assert thief.arrived == []


def test_a_hundred_nodes_with_the_wills_of_those_that_fall_silent(start_gateway):
    gateway = start_gateway(BEHIND_LOOPBACK)
    with Datagrams(gateway.udp) as forwarder, Subscriber(gateway, "wills/#") as subscriber:
        def ask(number, text):
            answer = forwarder.ask(octets("05 fe 01") + number.to_bytes(2, "big") + octets(text))
            assert answer[:5] == octets("05 fe 00") + number.to_bytes(2, "big")
            return answer[5:]

        for number in range(100):
            assert ask(number, f"09 04 0c 01 0002 '{number:03}'") == octets("02 06")
            assert ask(number, f"0c 07 00 'wills/{number:03}'") == octets("02 08")
            assert ask(number, "06 09 'gone'") == octets("03 05 00")
        for number in range(0, 100, 2):
            assert ask(number, "02 18") == octets("02 18")
        silent = {f"wills/{number:03}" for number in range(1, 100, 2)}
        assert {subscriber.message().topic for _ in silent} == silent


def test_who_is_no_forwarder_hears_nothing(start_gateway):
    """[D-48] [attack 118]"""
    gateway = start_gateway(BEHIND_LOOPBACK.replace("der 127.0.0.1", "der 127.0.0.2\nforwarder 127.0.0.1:1"))
    with Datagrams(gateway.udp) as stranger:
        for _ in range(20):
            stranger.send(octets("04 fe 00 01 0a 04 04 01 003c 'dev1'"))
            stranger.send(octets("04 fe 00 01 03 01 00"))
        # The first answer is to what needs no forwarder.
        assert stranger.ask(octets("03 01 00")) == octets("03 02 07")
    gateway.wait_for_line("warning: device at 127.0.0.1:.* is no forwarder of this listener")
    assert sum("is no forwarder" in line for line in gateway.log) <= 2
    with Subscriber(gateway, "$SYS/broker/sn/messages/forwarded/refused") as figures:
        while figures.message().payload != b"40":
            pass


@pytest.mark.parametrize("faulty", [
    "02 fe", "03 fe 00", "04 fe 00 01", "ff fe 00 01 02 16", "04 fe 00 01 02 16 00", "04 fe 00 01 03 16",
    "04 fe 00 01 04 fe 00 01 02 16", "01 0006 fe 00 01 02 16", "04 fe 00 01 04 00 01 0384", "04 fe 00 01 03 05 00",
    "24 fe 00" + 33 * " 61" + " 02 16", "ff fe 00" + 252 * " 61" + " 02 16"])
def test_encapsulation_that_lies(behind, faulty):
    """[D-60] [D-63] [attack 118]"""
    with Datagrams(behind.udp) as forwarder:
        for depth in (0, 98):
            forwarder.send(octets("04 fe 00 61") * depth + octets(faulty))
        assert forwarder.ask(octets("04 fe 00 01 02 16")) == octets("04 fe 00 01 02 18")


def test_decode_shows_what_is_inside():
    done = run("decode", "05fe000a0b 0a 04 04 01 003c 64657631")
    assert done.returncode == 0, done.stderr
    outer, inner = done.stdout.splitlines()
    assert "wirelessNodeID='\\x0a\\x0b'" in outer
    assert inner.strip().startswith("CONNECT ") and "clientID='dev1'" in inner
    assert run("decode", "05fe000a0b 0a 04").returncode == 1


def test_the_dissector_reads_our_frames(behind, tmp_path):
    """tshark sees encapsulation both ways, with the message inside, and nothing malformed [SN-5.5]."""
    capture = Capture(behind, tmp_path / "traffic.pcapng")
    with Forwarder(behind) as forwarder:
        node = Device(behind, "node", port=forwarder.port(b"\x0a\x0b"), will=("w", "x", 1, False))
        node.subscribe("a/+", 2)
        for qos in (0, 1, 2):
            publish(behind, "a/b", "x" * 300, qos=qos)
            node.message()
            node.send_publish("up", b"x", qos)
        node.send_disconnect(60)
        node.wake()
        node.send_disconnect()
        node.close()
    capture.finish()
    assert capture.dissect("-Y", FAULTS) == []
    types = capture.types("mqttsn.msg.type")
    constants = vars(MqttSnConstants)
    inside = ("CONNECT", "CONNACK", "WILLTOPICREQ", "REGISTER", "PUBLISH", "PUBREL", "SUBACK", "PINGRESP", "DISCONNECT")
    expected = {constants[f"TYPE_{name}"] for name in ("FRWDENCAP", *inside)}
    assert expected <= types
    nodes = capture.dissect("-T", "fields", "-e", "mqttsn.wireless.node.id")
    assert any(line.strip() for line in nodes), nodes
