"""Wireshark's dissectors over what we sent: no packet is malformed, and each type was seen."""

import queue
import re
import signal
import subprocess
import threading

import paho.mqtt.client as mqtt
import pytest
from mqttsn12.MqttSnConstants import MqttSnConstants
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway import PATIENCE
from mosquitto import VERSIONS, Subscriber, offline_session, publish
from mqttsn_device import Datagrams, Device
from wire import Wire, frame, octets

FAULTS = "_ws.malformed or _ws.expert.severity == error"
CONNECT_TO_DISCONNECT = set(range(1, 15))


class Capture:
    """tshark on the loopback interface, for the ports of one gateway."""

    def __init__(self, gateway, path):
        self.gateway = gateway
        self.path = path
        self.errors = []
        self._lengths = queue.Queue()
        self.process = subprocess.Popen(
            ["tshark", "-i", "lo", "-f", f"tcp port {gateway.tcp} or udp port {gateway.udp}", "-w", str(path),
             "-P", "-l", "-T", "fields", "-e", "frame.len"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self._threads = [
            threading.Thread(target=lambda: self.errors.extend(self.process.stderr), daemon=True),
            threading.Thread(target=self._read, daemon=True)]
        for thread in self._threads:
            thread.start()
        self._pass_a_marker(500)

    def _read(self):
        for line in self.process.stdout:
            self._lengths.put(int(line) if line.strip().isdigit() else 0)
        self._lengths.put(None)

    def _pass_a_marker(self, size):
        """Sends a datagram until the capture shows it; it is a good PUBLISH of a length that nothing else has."""
        datagram = b"\1" + (size + 9).to_bytes(2, "big") + octets("0c 61 000a 0000") + b"m" * size
        shown = len(datagram) + 14 + 20 + 8
        for _ in range(20 * PATIENCE):
            with Datagrams(self.gateway.udp) as datagrams:
                datagrams.send(datagram)
            try:
                while (length := self._lengths.get(timeout=0.05)) != shown:
                    if length is None:
                        pytest.fail(
                            "tshark cannot capture on lo; this test needs root or the right to capture:\n"
                            + "".join(self.errors))
                return
            except queue.Empty:
                pass
        pytest.fail("tshark shows no packet of the gateway:\n" + "".join(self.errors))

    def finish(self):
        """Ends the capture when everything before this call is in the file."""
        self._pass_a_marker(600)
        self.process.send_signal(signal.SIGINT)
        self.process.wait(PATIENCE)
        for thread in self._threads:
            thread.join(PATIENCE)

    def dissect(self, *options):
        """The lines that tshark prints for the packets captured."""
        done = subprocess.run(
            ["tshark", "-r", str(self.path), "-d", f"tcp.port=={self.gateway.tcp},mqtt",
             "-d", f"udp.port=={self.gateway.udp},mqttsn", *options],
            capture_output=True, text=True, timeout=4 * PATIENCE)
        assert done.returncode == 0, done.stderr
        return done.stdout.splitlines()

    def types(self, field):
        """All values of a field, of which a segment can have several."""
        values = set()
        for line in self.dissect("-T", "fields", "-e", field):
            values |= {int(value, 0) for value in re.split("[,\t ]+", line) if value}
        return values


def talk_mqtt(gateway):
    for version in VERSIONS:
        with Subscriber(gateway, "plant/+", "stream", version=version) as subscriber:
            for qos in (0, 1, 2):
                publish(gateway, "plant/a", f"{qos}", qos=qos, version=version, retain=qos == 1)
                publish(gateway, "plant/b", bytes(20_000), qos=qos, version=version)
            publish(gateway, "stream", text="x\n" * 100, qos=2, version=version)
            subscriber.messages(106)
        will = ["--will-topic", "w", "--will-payload", "x"]
        with Subscriber(gateway, "plant/a", version=version, options=will) as gone:
            gone.message()
            gone.kill()
        offline_session(gateway, f"away-{version}", "queue", version=version)
        publish(gateway, "queue", text="x\n" * 30, qos=2, version=version)
        with Subscriber(gateway, "queue", version=version, client_id=f"away-{version}", options=["-c"]) as back:
            back.messages(30)
    publish(gateway, "plant/a", retain=True)


def talk_mqtt_5(gateway, paho):
    sent = Properties(PacketTypes.PUBLISH)
    sent.PayloadFormatIndicator, sent.ContentType, sent.ResponseTopic = 1, "text/plain", "r"
    sent.CorrelationData, sent.UserProperty, sent.MessageExpiryInterval = b"\0\1", [("a", "b"), ("a", "c")], 100
    identified = Properties(PacketTypes.SUBSCRIBE)
    identified.SubscriptionIdentifier = 300
    for version in (mqtt.MQTTv311, mqtt.MQTTv5):
        with_properties = version == mqtt.MQTTv5
        client = paho(f"paho-{version}", version=version)
        client.subscribe("five/#", 2, properties=identified if with_properties else None)
        for qos in (0, 1, 2):
            client.publish("five/a", "x", qos, properties=sent if with_properties else None)
            client.message()
        client.publish("nobody", "x", 2)
        client.unsubscribe(["five/#", "never"])
        # A refusal in each answer that has a reason code.
        if with_properties:
            client.publish("$SYS/x", "x", 1)
            client.subscribe("$share/g/t")
        client.disconnect()
    paho("")
    paho("twin")
    paho("twin")
    with Wire(gateway.tcp) as wire:
        wire.send(frame(0x10, "0004 'MQTT' 05 02 0001 07 15 0004 'none' 0000"))
        wire.rest()
    with Wire(gateway.tcp, connect=frame(0x10, "0004 'MQTT' 05 02 0001 00 0005 'quiet'")) as wire:
        wire.send("c0 00 62 02 0999")
        wire.rest()


def talk_mqttsn(gateway):
    one = Device(gateway, "device-1", will=("wills/1", "gone", 1, True))
    two = Device(gateway, "device-2", clean=False)
    one.send_will_topic_update("wills/2")
    one.send_will_message_update("left")
    for topic in ("down/+", "ab", 2):
        two.subscribe(topic, 2)
    for qos in (0, 1, 2):
        one.send_publish("up/a", b"x", qos, True)
        one.send_publish("ab", b"x", qos)
        one.send_publish_predefined(1, b"x" * 600, qos)
        two.message()
        publish(gateway, "down/a", "x", qos=qos)
        publish(gateway, "sensors/device-2/command", "x" * 600, qos=qos)
        two.messages(2)
    Device(gateway, "nobody", connect=False).send_publish_predefined(10, b"x", -1)
    two.send_ping_req()
    for topic in ("down/+", "ab"):
        two.send_unsubscribe(topic)
    two.send_unsubscribe_predefined(2)
    two.send_disconnect(60)
    two.wake()
    one.send_disconnect()
    with Datagrams(gateway.udp) as stranger:
        stranger.ask(octets("02 16"))
        stranger.ask(octets("03 01 00"))
    with Datagrams(gateway.udp) as faulty:
        faulty.ask(octets("0c 04 04 01 003c 'faulty'"))
        faulty.ask(octets("08 0c 20 7777 0009 'x'"))
        faulty.ask(octets("08 0a 0000 0001 'a#'"))
        faulty.ask(octets("08 12 20 0001 'a#b'"))


def test_no_packet_of_ours_is_malformed(gateway, paho, tmp_path):
    capture = Capture(gateway, tmp_path / "traffic.pcapng")
    talk_mqtt(gateway)
    talk_mqtt_5(gateway, paho)
    talk_mqttsn(gateway)
    last = paho("last")
    Device(gateway, "last-device")
    capture.finish()
    gateway.stop()
    assert last.wait_for_disconnect() == 0x8B

    assert capture.dissect("-Y", FAULTS) == []
    assert capture.types("mqtt.msgtype") == CONNECT_TO_DISCONNECT
    constants = vars(MqttSnConstants)
    not_spoken = {"TYPE_ADVERTISE", "TYPE_FRWDENCAP"}
    spoken = {value for name, value in constants.items() if name.startswith("TYPE_") and name not in not_spoken}
    assert capture.types("mqttsn.msg.type") == spoken
    # Nothing was left out as another protocol's.
    assert capture.dissect("-Y", "udp and not mqttsn and not icmp") == []
    assert capture.types("mqtt.ver") == {3, 4, 5}


def test_the_dissector_would_notice(gateway, tmp_path):
    """The check above finds something where there is something: a broken packet of each protocol."""
    capture = Capture(gateway, tmp_path / "traffic.pcapng")
    with Wire(gateway.tcp, connect=frame(0x10, "0004 'MQTT' 05 02 003c 00 0003 'bad'")) as wire:
        wire.send("32 04 0040 'ab'")
        wire.rest()
    with Datagrams(gateway.udp) as datagrams:
        datagrams.send(octets("30 0c 20 0001"))
    capture.finish()
    faults = capture.dissect("-Y", FAULTS, "-T", "fields", "-e", "frame.protocols")
    assert any("mqtt" in line and "udp" not in line for line in faults), faults
    assert any("mqttsn" in line for line in faults), faults
