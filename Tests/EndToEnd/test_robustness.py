"""Noise, silence, slowness and sudden death: the gateway lives, stays small and serves the others."""

import random
import resource
import socket
import time

import pytest

from mosquitto import Subscriber, publish
from wire import CONNECT_311, CONNECT_5, Wire, Witness, frame, octets

SEED = 20_261_122


def test_random_datagrams(gateway):
    """20,000 datagrams: noise, and device packets of every type with wrong insides."""
    random_ = random.Random(SEED)
    with Witness(gateway) as witness, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as device:
        device.connect(("127.0.0.1", gateway.udp))
        before = None
        for number in range(20_000):
            body = random_.randbytes(random_.choice([0, 1, 2, 5, 10, 30, 254, 1_400]))
            match number % 3:
                case 0:
                    datagram = body
                case 1:
                    datagram = bytes([len(body) + 2 & 0xFF, random_.randrange(0x20)]) + body
                case _:
                    datagram = b"\1" + (len(body) + 4).to_bytes(2, "big") + bytes([random_.randrange(256)]) + body
            device.send(datagram)
            if number % 500 == 499:
                # The pace of the witness keeps the socket's buffer from running over.
                assert witness.is_served()
            if number == 1_999:
                before = gateway.resident_kilobytes()
        assert gateway.is_alive
        assert gateway.resident_kilobytes() - before < 8_000


def test_random_streams(gateway):
    """500 connections: noise, noise after CONNECT, and good packets with bytes changed."""
    random_ = random.Random(SEED)
    good = CONNECT_5 + octets("82 0b 0001 00 0005 'a/b/c' 02") + octets("34 0e 0005 'a/b/c' 0007 00 'text'") \
        + octets("62 02 0007 c0 00")
    before = None
    with Witness(gateway) as witness:
        for number in range(500):
            with Wire(gateway.tcp) as wire:
                match number % 3:
                    case 0:
                        data = random_.randbytes(random_.randrange(1, 2_000))
                    case 1:
                        data = CONNECT_311 + random_.randbytes(random_.randrange(1, 2_000))
                    case _:
                        changed = bytearray(good)
                        for _ in range(random_.randrange(1, 4)):
                            changed[random_.randrange(len(changed))] = random_.randrange(256)
                        data = bytes(changed)
                wire.send(data)
                # The end of the input makes the gateway read all of it and then close.
                wire.socket.shutdown(socket.SHUT_WR)
                wire.rest()
            if number % 25 == 24:
                assert witness.is_served()
            if number == 99:
                before = gateway.resident_kilobytes()
        assert gateway.resident_kilobytes() - before < 8_000


@pytest.mark.parametrize("qos", [0, 1])
def test_a_reader_that_does_not_read(gateway, qos):
    """[attack 86]"""
    connect = frame(0x10, "0004 'MQTT' 04 02 0000 0004 'slow'")
    with Wire(gateway.tcp, connect=connect) as slow:
        slow.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        slow.send(frame(0x82, f"0001 0005 'flood' 0{qos}"))
        slow.packet()
        with Subscriber(gateway, "flood", "calm") as quick, Wire(gateway.tcp, connect=CONNECT_311) as sender:
            before = gateway.resident_kilobytes()
            # 25 MiB for a client that reads nothing; the one beside it gets all.
            message = frame(0x32 if qos else 0x30, octets("0005 'flood'") + (b"\0\1" if qos else b"") + b"x" * 65_536)
            for _ in range(400):
                sender.send(message)
                if qos:
                    assert sender.packet() == octets("40 02 0001")
                assert len(quick.message().payload) == 65_536
            assert gateway.resident_kilobytes() - before < 16_000
            publish(gateway, "calm", "served", qos=1)
            assert quick.message().payload == b"served"


def test_a_reader_that_pauses_and_goes_on(gateway):
    with Wire(gateway.tcp, connect=CONNECT_311) as slow, Wire(gateway.tcp, connect=CONNECT_311) as sender:
        slow.send("82 0a 0001 0005 'flood' 01")
        assert slow.packet() == octets("90 03 0001 01")
        sender.send(frame(0x30, octets("0005 'flood'") + b"x" * 65_536) * 200 + octets("c0 00"))
        assert sender.packet() == octets("d0 00")
        # What waits at QoS 1 is not lost behind what was dropped at QoS 0.
        for number in range(100):
            sender.send(frame(0x32, octets("0005 'flood' 0001") + b"%d" % number))
            assert sender.packet() == octets("40 02 0001")
        received = []
        while len(received) < 100:
            packet = slow.packet()
            if packet[0] == 0x32:
                slow.send(b"\x40\x02" + packet[9:11])
                received.append(int(packet[11:]))
        assert received == list(range(100))
        sender.send(frame(0x30, octets("0005 'flood'") + b"again"))
        assert slow.packet().endswith(b"again")


@pytest.mark.parametrize("qos", [0, 1, 2])
def test_a_storm_of_retained_messages(gateway, qos):
    """[attack 63]"""
    with Wire(gateway.tcp, connect=CONNECT_311) as sender:
        for number in range(5_000):
            sender.send(frame(0x31, octets("0009") + b"kept/%04d" % number + b"x" * 1_000))
        sender.send("c0 00")
        assert sender.packet() == octets("d0 00")
    with Witness(gateway) as witness, Subscriber(gateway, "kept/#", qos=qos) as subscriber:
        assert witness.is_served()
        assert {message.topic for message in subscriber.messages(5_000)} == {f"kept/{n:04}" for n in range(5_000)}


def test_a_client_that_asks_and_does_not_read_is_ended(gateway):
    """[attack 86]"""
    with Wire(gateway.tcp, connect=CONNECT_311) as wire:
        wire.socket.settimeout(30)
        before = gateway.resident_kilobytes()
        pings = octets("c0 00") * 32_768
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            for _ in range(500):
                wire.send(pings)
        gateway.wait_for_line("does not read")
        assert gateway.resident_kilobytes() - before < 8_000
    with Witness(gateway) as witness:
        assert witness.is_served()


def test_connections_that_say_nothing_are_closed(start_gateway):
    """[attack 44]"""
    gateway = start_gateway("connect_timeout 1\nlistener 0 127.0.0.1\n")
    begin = time.monotonic()
    wires = [Wire(gateway.tcp) for _ in range(100)]
    with Witness(gateway) as witness:
        for wire in wires:
            assert wire.rest() == b""
            wire.close()
        assert 0.8 < time.monotonic() - begin < 4
        assert witness.is_served()


def test_a_client_that_was_accepted_is_not_half_open(start_gateway):
    gateway = start_gateway("connect_timeout 1\nlistener 0 127.0.0.1\n")
    with Witness(gateway) as witness, Wire(gateway.tcp) as silent:
        assert silent.rest() == b""
        assert witness.is_served()


def test_clients_that_are_killed(gateway):
    with Subscriber(gateway, "wills/#") as heir:
        for number in range(20):
            will = ["--will-topic", f"wills/{number}", "--will-payload", "x"]
            with Subscriber(gateway, "a/#", options=will, version="mqttv5") as client:
                client.kill()
            assert heir.message().topic == f"wills/{number}"
        publish(gateway, "wills/end", "x", qos=2)
        assert heir.message().topic == "wills/end"


def test_connections_come_and_go_without_a_trace(gateway):
    def crowd(count):
        for number in range(count):
            connect = frame(0x10, octets("0004 'MQTT' 04 02 003c 0006") + b"%06d" % number)
            with Wire(gateway.tcp, connect=connect) as wire:
                wire.send("82 08 0001 0003 'a/b' 00 30 06 0003 'a/b' 'x' e0 00")
                wire.rest()

    crowd(500)
    before = gateway.resident_kilobytes()
    crowd(3_000)
    assert gateway.resident_kilobytes() - before < 2_000


def test_topics_come_and_go_without_a_trace(gateway):
    """[attack 55]"""
    def names(first, last):
        return b"".join(frame(0x30, octets("0010 'some/topic'") + b"%06dx" % number) for number in range(first, last))

    with Wire(gateway.tcp, connect=CONNECT_311) as wire:
        wire.send(names(0, 20_000) + octets("c0 00"))
        wire.packet()
        before = gateway.resident_kilobytes()
        wire.send(names(20_000, 200_000) + octets("c0 00"))
        wire.packet()
        assert gateway.resident_kilobytes() - before < 4_000


def test_an_idle_gateway_uses_no_processor(gateway):
    with Witness(gateway) as witness, Wire(gateway.tcp, connect=CONNECT_5):
        assert witness.is_served()
        before = gateway.processor_seconds()
        # Idleness has to last to be seen.
        time.sleep(1.5)
        assert gateway.processor_seconds() - before <= 0.03


def test_descriptor_limit(start_gateway):
    """A soft limit below the clients that may come is raised to the hard one."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    gateway = start_gateway(under=["prlimit", f"--nofile=400:{hard}"])
    with Witness(gateway) as witness:
        sockets = [Wire(gateway.tcp, connect=CONNECT_311) for _ in range(500)]
        assert witness.is_served()
        for wire in sockets:
            wire.close()
