"""Attack cases of MQTT-SN that need a flood, a crowd or forged addresses; the others are flows (Fixtures/flows).

Whatever comes, memory and processor time are bounded, and who did nothing wrong is served.
"""

import contextlib
import re
import signal
import socket
import struct
import time

import pytest

import sn_words
from gateway import CONFIGURATION
from mosquitto import Subscriber, publish
from mqttsn_device import Datagrams
from pcap import octets
from wire import Witness

CONNACK = bytes.fromhex("030500")
# A message of each type that a client sends.
MESSAGES = [
    "SEARCHGW radius=1", "GWINFO gwID=1 gwAdd='abcd'", "CONNECT will clientID='cut'", "WILLTOPIC qos=1 topic='a/b'",
    "WILLMSG message='gone'", "REGISTER msgID=1 topicName='a/b'", "REGACK topicID=1 msgID=1",
    "PUBLISH qos=1 topicID=1 msgID=1 data='data'", "PUBLISH qos=-1 type=predefined topicID=10 data='data'",
    "PUBACK topicID=1 msgID=1", "PUBREC msgID=1", "PUBREL msgID=1", "PUBCOMP msgID=1",
    "SUBSCRIBE qos=1 msgID=1 topicName='a/b'", "SUBSCRIBE msgID=1 type=predefined topicID=1",
    "UNSUBSCRIBE msgID=1 topicName='a/b'", "PINGREQ clientID='cut'", "PINGRESP", "DISCONNECT duration=60s",
    "WILLTOPICUPD topic='a/b'", "WILLMSGUPD message='gone'",
]


def words(text):
    return sn_words.encode(*sn_words.parse(text))


def connected(gateway, client_id, **options):
    """A device that has connected."""
    device = Datagrams(gateway.udp, **options)
    assert device.ask(words(f"CONNECT cleanSession duration=0s clientID='{client_id}'")) == CONNACK
    return device


def is_served(device):
    """Whether a device is answered, whatever else it heard before."""
    device.send(words("PINGREQ"))
    while device.receive() != b"\2\x17":
        pass
    return True


def heard(datagrams, seconds=0.2):
    """All that comes within a time."""
    got, end = [], time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        datagrams.socket.settimeout(left)
        with contextlib.suppress(TimeoutError):
            got.append(datagrams.receive())
    return got


@pytest.mark.parametrize("text", MESSAGES)
def test_every_message_cut_short_everywhere(gateway, text):
    """[attack 102] A datagram that ends too soon gets no answer, of a stranger and of a device."""
    message = words(text)
    with connected(gateway, "whole") as device, Datagrams(gateway.udp) as stranger:
        for sender in (stranger, device):
            for end in range(len(message)):
                sender.send(message[:end])
        assert is_served(device)
        assert heard(stranger, 0.05) == []


@pytest.mark.parametrize("text", MESSAGES)
def test_fields_cut_short_behind_a_length_that_fits(start_gateway, text):
    """[attack 102, 104] Then it is a shorter message or none; a stranger never hears more than it sent."""
    gateway = start_gateway(CONFIGURATION + "max_stranger_replies 100000\n")
    message = words(text)
    with connected(gateway, "whole") as device:
        for end in range(2, len(message)):
            with Datagrams(gateway.udp) as stranger:
                stranger.send(bytes([end]) + message[1:end])
                assert is_served(device)
                for answer in heard(stranger, 0.01):
                    # CONNACK is the answer of a will or a broker to what was accepted, or refused.
                    assert len(answer) <= max(end, len(CONNACK) if message[1] == 4 else 0)


def test_reserved_types(gateway):
    """[attack 103] No answer to any of them, of a stranger and of a device."""
    with connected(gateway, "served") as device, Datagrams(gateway.udp) as stranger:
        for kind in (0x03, 0x11, 0x19, *range(0x1E, 0xFE), 0xFF):
            for message in (bytes([2, kind]), bytes([6, kind, 0, 1, 0, 1])):
                stranger.send(message)
                device.send(message)
        assert device.ask(words("PINGREQ")) == b"\2\x17"
        assert heard(stranger, 0.05) == []


def test_topic_ids_have_a_limit(gateway):
    """[attack 112] 5,000 names: 1,024 ids, no reserved one, and the rest is congestion."""
    before = gateway.resident_kilobytes()
    with connected(gateway, "greedy") as greedy, connected(gateway, "modest") as modest:
        answers = [sn_words.decode(greedy.ask(words(f"REGISTER msgID={n + 1} topicName='many/{n}'")))[1]
                   for n in range(5_000)]
        given = [answer["topicID"] for answer in answers if answer["returnCode"] == "accepted"]
        assert len(given) == len(set(given)) == 1_024 and not {"0x0000", "0xffff"} & set(given)
        assert {answer["returnCode"] for answer in answers[1_024:]} == {"congestion"}
        assert sn_words.decode(modest.ask(words("REGISTER msgID=1 topicName='a'")))[1]["returnCode"] == "accepted"
    assert gateway.resident_kilobytes() - before < 4_000


def test_a_flood_of_searches_and_of_strangers(gateway):
    """[attack 104, 117] 20,000 datagrams: ten answers of each kind a second, none longer than what it answers."""
    with connected(gateway, "served") as device, Datagrams(gateway.udp) as stranger, Witness(gateway) as witness:
        begin = time.monotonic()
        for number in range(10_000):
            stranger.send(words("SEARCHGW radius=1"))
            stranger.send(words("PINGREQ"))
            if number % 200 == 0:
                assert is_served(device) and witness.is_served()
        answers = heard(stranger)
        seconds = time.monotonic() - begin
        for kind in (b"\3\2\7", b"\2\x18"):
            assert 0 < answers.count(kind) <= 10 * (seconds + 1) + 1
        assert all(len(answer) <= 3 for answer in answers)


def test_a_flood_at_qos_minus_1(start_gateway):
    """[attack 115] What is above the limit is dropped, and nobody else waits."""
    gateway = start_gateway(CONFIGURATION + "max_anonymous_publishes 100\n")
    with connected(gateway, "served") as device, Datagrams(gateway.udp) as stranger:
        device.ask(words("SUBSCRIBE msgID=1 type=predefined topicID=10"))
        begin = time.monotonic()
        for number in range(5_000):
            stranger.send(words("PUBLISH qos=-1 type=predefined topicID=10 data='x'"))
            if number % 200 == 0:
                device.send(words("PINGREQ"))
        device.send(words("PINGREQ"))
        got = heard(device)
        seconds = time.monotonic() - begin
        delivered = sum(data[1] == 0x0C for data in got)
        assert 100 <= delivered <= 100 * (seconds + 2)
        assert sum(data == b"\2\x17" for data in got) == 26


def test_sleepers_and_a_fat_topic(gateway):
    """[attack 119] 300 devices asleep, 200 messages of 1,000 bytes: 16 KiB for each at most, and all come to an end."""
    with contextlib.ExitStack() as stack:
        sleepers = [stack.enter_context(connected(gateway, f"sleeper-{n}")) for n in range(300)]
        for sleeper in sleepers:
            assert sleeper.ask(words("SUBSCRIBE msgID=1 topicName='fat'"))[1] == 0x13
            assert sleeper.ask(words("DISCONNECT duration=600s")) == b"\2\x18"
        before = gateway.resident_kilobytes()
        publish(gateway, "fat", text=("x" * 1_000 + "\n") * 200, qos=1)
        assert gateway.resident_kilobytes() - before < 300 * 20
        for sleeper in sleepers:
            sleeper.send(words("PINGREQ"))
            count = 0
            while (data := sleeper.receive()) != b"\2\x17":
                count += data[3] == 0x0C
            assert 10 <= count <= 16


def test_a_storm_of_pings_of_a_sleeper(gateway):
    """[attack 120] Each is answered by two bytes and nothing else."""
    with connected(gateway, "restless") as device, Witness(gateway) as witness:
        assert device.ask(words("DISCONNECT duration=65535s")) == b"\2\x18"
        for _ in range(2_000):
            assert device.ask(words("PINGREQ clientID='restless'")) == b"\2\x17"
        assert witness.is_served()


def test_devices_that_vanish_do_not_disturb_the_socket(gateway):
    """[attack 130] Their ports answer with ICMP "unreachable"; others are served at once."""
    with connected(gateway, "stays") as stays:
        for number in range(50):
            with connected(gateway, f"goes-{number}") as goes:
                assert goes.ask(words("SUBSCRIBE msgID=1 topicName='news'"))[1] == 0x13
        assert stays.ask(words("SUBSCRIBE msgID=1 topicName='news'"))[1] == 0x13
        for number in range(20):
            publish(gateway, "news", str(number))
            assert stays.receive()[1] == 0x0C
        before = gateway.processor_seconds()
        time.sleep(0.5)
        assert gateway.processor_seconds() - before < 0.1


def test_datagrams_that_find_the_buffer_full_are_counted(start_gateway):
    """[attack 130] [D-91] A gateway that cannot read for a moment loses datagrams, says how many, and serves on."""
    gateway = start_gateway("listener 0 127.0.0.1\nlistener 0 127.0.0.1\nprotocol mqttsn\nsys_interval 1\n")
    with Datagrams(gateway.udp) as device:
        gateway.process.send_signal(signal.SIGSTOP)
        for _ in range(5_000):
            device.send(bytes(8_000))
        gateway.process.send_signal(signal.SIGCONT)
        # What has room says how many had none.
        device.socket.settimeout(0.2)
        answer = None
        while answer is None:
            with contextlib.suppress(TimeoutError):
                answer = device.ask(words("SEARCHGW"))
    line = gateway.wait_for_line(r"warning: \d+ datagrams of devices were lost")
    said = int(re.search(r"(\d+) datagrams", line)[1])
    with Subscriber(gateway, "$SYS/broker/sn/messages/lost in full buffers") as figures:
        while (lost := int(figures.message().payload)) < said:
            pass
    assert 0 < said <= lost < 5_100
    assert sum("datagrams of devices were lost" in line for line in gateway.log) == 1


def forged(source, target, data):
    """A datagram in its packet of IPv4, from whatever address."""
    udp = struct.pack(">HHHH", source[1], target[1], 8 + len(data), 0) + data
    return struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, octets(source[0]),
                       octets(target[0])) + udp


@pytest.mark.parametrize("source", ["itself", "another gateway", "port 0"])
def test_forged_sources(start_gateway, source):
    """[attack 130] Datagrams that seem to come from a gateway, or from port 0, start no endless talk [D-70]."""
    try:
        raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    except PermissionError:
        pytest.skip("forging addresses needs the right to open raw sockets")
    gateway, other = start_gateway(), start_gateway()
    target = ("127.0.0.1", gateway.udp)
    address = {"itself": target, "another gateway": ("127.0.0.1", other.udp), "port 0": ("127.0.0.1", 0)}[source]
    with raw, connected(gateway, "served") as device:
        for text in ("PINGREQ", "DISCONNECT", "SEARCHGW", "PINGREQ clientID='nobody'", "CONNECT clientID='self'"):
            raw.sendto(forged(address, target, words(text)), target)
        assert is_served(device)
        time.sleep(2.2)
        before = gateway.processor_seconds()
        time.sleep(0.5)
        assert gateway.processor_seconds() - before < 0.05
        # Strangers are answered as if nothing had been: whatever talk began is over.
        with Datagrams(gateway.udp) as stranger:
            answers = [stranger.ask(words("SEARCHGW")) for _ in range(9)]
        assert set(answers) == {words("GWINFO gwID=7")}
        assert is_served(device)
