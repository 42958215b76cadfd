"""Plays Fixtures/flows over real sockets: a gateway of its own for each flow, and time that really passes."""

import json
import re
import select
import socket
import struct
import time
from pathlib import Path

import sn_words
from gateway import PATIENCE, ROOT
from wire import Wire, frame

CONFIGURATION = """\
listener {tcp} 127.0.0.1
listener {udp} 127.0.0.1
protocol mqttsn
gateway_id 7
sys_interval 0
predefined_topic 1 sensors/%c/temperature
predefined_topic 2 plant/setpoint
"""
# A flow that needs more time than this is played in memory only (Tests/Flows).
SECONDS_MAX = 4.0
# Python does not name it.
IP_RECVTTL = 12
HOPS = re.compile(r" within (\d+) hops$")
ADDRESS = re.compile(r'\{([a-z0-9][^{}"]*)\}')
# What the gateway is in captures, whatever port it has.
GATEWAY = ("127.0.0.1", 1883)


class Flow:
    def __init__(self, file, content):
        self.file = file
        self.title = content["title"]
        self.cites = content["cites"]
        self.configuration = content.get("configuration", [])
        self.lines = list(self._lines(content["steps"]))
        self.seconds = sum(duration(line.split()[1]) for line in self.lines if line.startswith("advance "))
        beyond = content.get("beyond")
        # Why it cannot be played over sockets; None if it can.
        self.memory_only = content.get("memoryOnly") or (
            f"gateway.conf has no directive for {', '.join(beyond)}" if beyond else
            f"it takes {self.seconds:.0f} s" if self.seconds > SECONDS_MAX else None)

    def _lines(self, steps):
        for step in steps:
            if isinstance(step, str):
                yield step
                continue
            body = list(self._lines(step["steps"]))
            for number in range(1, step["repeat"] + 1):
                yield from (line.replace("{n}", str(number)) for line in body)

    def __str__(self):
        return self.title


def all_flows():
    return [Flow(path.stem, content)
            for path in sorted((ROOT / "Fixtures/flows").glob("*.json")) for content in json.loads(path.read_text())]


def duration(text):
    return float(text[:-2]) / 1000 if text.endswith("ms") else float(text.removesuffix("s"))


class Node:
    """A device, or a forwarder with all nodes behind it: a UDP socket, bound to the host that the party's name says."""

    def __init__(self, party, player):
        self.player = player
        name, _, listener = party.partition(":")
        host = name.partition("@")[2] or "1"
        self.address = player.gateway.addresses("MQTT-SN over UDP")[int(listener or 1) - 1]
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((f"127.0.0.{host}", 0))
        # What came for other nodes than the one that was asked about: (node, message).
        self.waiting = []

    def send(self, data, is_message=True):
        if is_message:
            self.player.datagrams.append((self.socket.getsockname(), GATEWAY, data))
        self.socket.sendto(data, self.address)

    def receive(self, timeout, node=b""):
        """The next message for the device itself, or for this node behind it; None if nothing comes."""
        for place, (receiver, message) in enumerate(self.waiting):
            if receiver == node:
                del self.waiting[place]
                return message
        end = time.monotonic() + timeout
        while (data := self._read(max(0, end - time.monotonic()))) is not None:
            receiver, message = unwrapped(data)
            if receiver == node:
                return message
            self.waiting.append((receiver, message))
        return None

    def _read(self, timeout):
        """The next datagram, or None."""
        self.socket.settimeout(timeout)
        try:
            data = self.socket.recv(65536)
        except (TimeoutError, BlockingIOError):
            return None
        self.player.datagrams.append((GATEWAY, self.socket.getsockname(), data))
        return data

    def surplus(self):
        """A message that nobody has expected, or None."""
        return self.waiting[0][1] if self.waiting else self._read(0)

    def close(self):
        self.socket.close()


class Member(Node):
    """A device in a multicast group: it speaks to the group, and hears what the gateway says there."""

    def __init__(self, party, player):
        name, _, number = party.partition("#")
        assert ":" not in name, "groups of the first listener only"
        super().__init__(name, player)
        self.gateway, self.address = self.address, (player.groups[int(number) - 1], player.group_port)
        self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, on_loopback(self.address[0]))
        self.ear = player.ears[party]
        # How far what was heard last goes.
        self.hops = None

    def _read(self, timeout):
        end = time.monotonic() + timeout
        while ready := select.select([self.socket, self.ear], [], [], max(0, end - time.monotonic()))[0]:
            data, control, _, sender = ready[0].recvmsg(65536, 100)
            # The group carries what other members say as well.
            if ready[0] is self.ear and sender != self.gateway:
                continue
            self.hops = struct.unpack("=i", control[0][2])[0] if control else None
            self.player.datagrams.append((GATEWAY, self.socket.getsockname(), data))
            return data
        return None


def on_loopback(group):
    """The request of IP_ADD_MEMBERSHIP and IP_MULTICAST_IF."""
    return struct.pack("=4s4si", socket.inet_aton(group), bytes(4), socket.if_nametoindex("lo"))


def hear(group, port):
    """A socket that hears a group on the loopback interface; port 0 for one that nobody has."""
    ear = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    ear.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    ear.setsockopt(socket.IPPROTO_IP, IP_RECVTTL, 1)
    ear.bind((group, port))
    ear.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, on_loopback(group))
    return ear


def unwrapped(data):
    """(node, message) of an encapsulated message with Ctrl 0, (b"", message) of any other."""
    if data[1:3] == b"\xfe\0" and 3 < data[0] < len(data):
        return data[3:data[0]], data[data[0]:]
    return b"", data


class App:
    """A client of MQTT 3.1.1 that acknowledges what it gets."""

    def __init__(self, gateway, flags, payload):
        self.wire = Wire(gateway.tcp, connect=None)
        self.heard = []
        self.identifier = 0
        self.answers = []
        self.wire.send(frame(0x10, b"\0\4MQTT\4" + bytes([flags]) + b"\0\0" + payload))
        self._until(0x20)

    def _until(self, kind):
        """Handles what comes until there is an answer of this kind; False when the connection ends first."""
        while kind not in self.answers:
            try:
                self._handle(self.wire.packet())
            except (AssertionError, ConnectionError):
                self.heard.append("closed")
                return False
        self.answers.remove(kind)
        return True

    def _handle(self, packet):
        kind, body = packet[0] & 0xF0, packet[1 if packet[1] < 0x80 else 2:][1:]
        if kind == 0x30:
            qos = packet[0] >> 1 & 3
            length = int.from_bytes(body[:2], "big")
            topic, rest = body[2:2 + length], body[2 + length:]
            identifier, payload = (rest[:2], rest[2:]) if qos else (b"", rest)
            words = [sn_words.quoted(topic), sn_words.quoted(payload)]
            words += [f"qos={qos}"] * (qos > 0) + ["retain"] * (packet[0] & 1)
            self.heard.append(" ".join(words))
            if qos:
                self.wire.send(bytes([0x40 if qos == 1 else 0x50, 2]) + identifier)
        elif kind == 0x60:
            self.wire.send(b"\x70\2" + body[:2])
        elif kind == 0x50:
            self.wire.send(b"\x62\2" + body[:2])
        elif kind == 0x90 and body[2] >= 0x80:
            self.heard.append("refused")
            self.answers.append(kind)
        else:
            self.answers.append(kind)

    def settle(self):
        """Everything that was sent to the client before this call is heard."""
        if "closed" not in self.heard:
            try:
                self.wire.send(b"\xc0\0")
            except OSError:
                pass
            self._until(0xD0)

    def receive(self, timeout):
        """The next message, or `closed`; None if nothing comes."""
        self.wire.socket.settimeout(timeout)
        try:
            while not self.heard:
                self._handle(self.wire.packet())
        except TimeoutError:
            return None
        except (AssertionError, ConnectionError):
            return "closed"
        finally:
            self.wire.socket.settimeout(PATIENCE)
        return self.heard.pop(0)

    def close(self):
        self.wire.close()

    def subscribe(self, topic_filter, qos):
        self.identifier += 1
        body = self.identifier.to_bytes(2, "big") + len(topic_filter).to_bytes(2, "big") + topic_filter + bytes([qos])
        self.wire.send(frame(0x82, body))
        self._until(0x90)

    def publish(self, topic, payload, qos, retain):
        self.identifier += 1
        identifier = self.identifier.to_bytes(2, "big") if qos else b""
        self.wire.send(frame(0x30 | qos << 1 | retain, len(topic).to_bytes(2, "big") + topic + identifier + payload))
        if qos:
            self._until(0x40 if qos == 1 else 0x70)


class Player:
    def __init__(self, flow, start_gateway):
        self.flow = flow
        self.start_gateway = start_gateway
        # (from, to, bytes) of each datagram that is meant to be a message; the gateway is GATEWAY in each flow.
        self.datagrams = []
        self.names = {}
        self.parties = {}
        self.until = 0.0
        # Whether the gateway has just been started.
        self.is_fresh = True
        self.groups = [line.split()[1] for line in flow.configuration if line.startswith("multicast_group ")]
        self.group_port = 0
        # Members of groups hear from the start on: (party, socket).
        self.ears = {}
        for party in sorted({line.split()[0] for line in flow.lines if "#" in line.split()[0]}):
            self.ears[party] = hear(self.groups[int(party.partition("#")[2]) - 1], self.group_port)
            self.group_port = self.ears[party].getsockname()[1]
        self.start(0, self.group_port)

    def start(self, tcp, udp):
        configuration = CONFIGURATION.format(tcp=tcp, udp=udp) + "".join(f"{l}\n" for l in self.flow.configuration)
        self.gateway = self.start_gateway(configuration)
        # A device of our own on each listener: what it asks is answered behind everything that came before.
        self.pacers = []
        for number in range(len(self.gateway.addresses("MQTT-SN over UDP"))):
            pacer = Node(f"pacer:{number + 1}", self)
            pacer.send(sn_words.encode(*sn_words.parse(f"CONNECT cleanSession duration=0s clientID='pacer{number}'")))
            assert pacer.receive(PATIENCE) == bytes.fromhex("030500")
            self.pacers.append(pacer)

    def play(self):
        played = []
        try:
            for line in self.flow.lines:
                played.append(line)
                self._play(line)
            self._pass_time()
            self._expect_nothing_more()
        except AssertionError as error:
            raise AssertionError(f"{self.flow.title}: {error}\n    " + "\n    ".join(played[-12:])) from None
        finally:
            for party in [*self.parties.values(), *self.pacers, *self.ears.values()]:
                party.close()

    def _play(self, line):
        line = ADDRESS.sub(lambda found: self._address(found[1]), line)
        words = sn_words.split(line)
        is_fresh, self.is_fresh = self.is_fresh, words[0] == "restart"
        if words[0] == "advance":
            self._pass_time()
            # What a gateway says by itself may come before the first step is looked at, and belongs to it.
            if not is_fresh:
                self._expect_nothing_more()
            self.until = time.monotonic() + duration(words[1])
        elif words[0] == "restart":
            self._restart()
        elif words[0] == "check":
            left, right = self.names[words[1]], self.names[words[3]]
            assert (words[2] == "==") == (left == right), f"{words[1]} is {left}, {words[3]} is {right}"
        elif words[1] == ">":
            self._pass_time()
            self._expect_nothing_more()
            self._send(line.split(" > ", 1)[1], words[0])
        elif line.endswith(" < nothing"):
            self._pass_time()
            self._expect_nothing_more()
        else:
            self._expect(line.split(" < ", 1)[1], words[0])

    def _pass_time(self):
        """What is expected may come while time passes; before anything else happens, all of it has passed."""
        time.sleep(max(0.0, self.until - time.monotonic()))

    def _restart(self):
        self._expect_nothing_more()
        ports = self.gateway.tcp, self.gateway.udp
        self.gateway.kill()
        self.start(*ports)

    def party(self, name):
        """A device's socket; for a node behind a forwarder, the forwarder's."""
        name = name.rpartition("/")[2]
        if name not in self.parties:
            self.parties[name] = Member(name, self) if "#" in name else Node(name, self)
        return self.parties[name]

    def _address(self, party):
        """Where the gateway says that a party is."""
        host, port = self.party(party).socket.getsockname()
        node = party.rpartition("/")[0].encode()
        return (f"node {node.hex()} behind " if node else "") + f"{host}:{port}"

    def _send(self, text, party):
        node = party.rpartition("/")[0].encode()
        if text[0].isupper():
            name, values = sn_words.parse(text)
            data = sn_words.encode(name, {field: self.names.get(value, value) for field, value in values.items()})
        elif text.startswith("hex"):
            data = sn_words.notation(text[4:])
        else:
            return self._act(sn_words.split(text), party)
        datagram = bytes([len(node) + 3, 0xFE, 0]) + node + data if node else data
        self.party(party).send(datagram, is_message=not text.startswith("hex"))

    def _act(self, words, party):
        given = dict(word.partition("=")[::2] for word in words)
        qos, retain = int(given.get("qos", 0)), "retain" in words
        if words[0] == "connect" or party not in self.parties:
            flags = 0 if "keep" in words else 2
            identifier = sn_words.unquoted(given["clientID"]) if "clientID" in given else party.encode()
            payload = [identifier]
            if "will" in given:
                flags |= 4 | qos << 3 | retain << 5
                payload += [sn_words.unquoted(given["will"]), sn_words.unquoted(given.get("message", "''"))]
            fields = b"".join(len(field).to_bytes(2, "big") + field for field in payload)
            self.parties[party] = App(self.gateway, flags, fields)
        app = self.parties[party]
        if words[0] == "subscribe":
            app.subscribe(sn_words.unquoted(words[1]), qos)
        elif words[0] == "publish":
            app.publish(sn_words.unquoted(words[1]), sn_words.unquoted(words[2]), qos, retain)
        elif words[0] in ("disconnect", "vanish"):
            if words[0] == "disconnect":
                app.wire.send(b"\xe0\0")
            del self.parties[party]
            app.wire.close()

    def _expect(self, text, party):
        who = self.party(party)
        node = party.rpartition("/")[0].encode()
        heard = who.receive(PATIENCE, node) if node else who.receive(PATIENCE)
        assert heard is not None, f"{party} hears nothing"
        if isinstance(heard, str):
            assert heard == " ".join(sn_words.split(text)), f"{party} hears {heard}"
            return
        if hops := HOPS.search(text):
            assert who.hops == int(hops[1]), f"{party} hears {sn_words.text(heard)} within {who.hops} hops"
            text = text[:hops.start()]
        if text.startswith("hex"):
            assert heard == sn_words.notation(text[4:]), f"{party} hears {sn_words.text(heard)}"
            return
        expected = sn_words.parse(text)
        decoded = sn_words.decode(heard)
        surprise = f"{party} hears {sn_words.text(heard)}"
        assert decoded and decoded[0] == expected[0] and list(decoded[1]) == list(expected[1]), surprise
        for field, wanted in expected[1].items():
            got = decoded[1][field]
            if wanted.startswith("$"):
                wanted = self.names.setdefault(wanted, got)
            assert got == wanted, surprise

    def _expect_nothing_more(self):
        """Everything that was sent so far is handled, and nobody has heard anything that was not expected."""
        for pacer in self.pacers:
            pacer.send(b"\2\x16")
            assert pacer.receive(PATIENCE) == b"\2\x17"
        for name, party in self.parties.items():
            if isinstance(party, App):
                party.settle()
                assert not party.heard or party.heard == ["closed"], f"before this step {name} hears {party.heard[0]}"
        for name, party in self.parties.items():
            if isinstance(party, Node):
                heard = party.surplus()
                assert heard is None, f"before this step {name} hears {sn_words.text(heard)}"
