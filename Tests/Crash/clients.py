"""MQTT clients that survive the server: they keep their session state, and resume as MQTT §4.4 says."""

import random
import selectors
import socket
from collections import deque

import codec
from codec import CONNACK, DISCONNECT, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, SUBACK, UNSUBACK, V5
from ledger import read_payload

# Of the topics that a publisher has opened, how many it still publishes to.
STREAMS_IN_USE = 6


class Client:
    """A client with a durable session, over a socket that does not block. States: away, connecting, here."""

    is_clean = False

    def __init__(self, world, name, version, receive_maximum=None):
        self.world = world
        self.ledger = world.ledger
        self.name = name
        self.version = version
        self.receive_maximum = receive_maximum
        self.state = "away"
        # A CONNACK has come once, so that the server owes us a session.
        self.has_session = False
        self.was_present = False
        self.socket = None
        self._in, self._out = bytearray(), b""
        world.clients.append(self)

    # MARK: the connection

    def connect(self):
        if self.state != "away":
            return
        try:
            self.socket = socket.create_connection((self.world.host, self.world.tcp), 5)
        except OSError:
            return
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self._in, self._out = bytearray(), b""
        self.world.selector.register(self.socket, selectors.EVENT_READ, self)
        self.state = "connecting"
        self.send(codec.connect(self.version, self.name, self.is_clean, self.receive_maximum), "CONNECT")

    def drop(self):
        """Closes the connection without a word."""
        if self.socket:
            self.world.selector.unregister(self.socket)
            self.socket.close()
            self.socket = None
            self.state = "away"
            self.note(">", "(closed)")
            self.lost()

    def leave(self):
        if self.socket:
            self.send(codec.GOODBYE, "DISCONNECT")
            self.drop()

    close = drop

    def send(self, data, words=None):
        if words:
            self.note(">", words)
        self._out += data
        self._flush()

    def _flush(self):
        try:
            while self._out and self.socket:
                self._out = self._out[self.socket.send(self._out):]
        except BlockingIOError:
            pass
        except OSError:
            self._out = b""

    def readable(self):
        try:
            data = self.socket.recv(262_144)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        self._in += data
        for first_byte, body in codec.split(self._in):
            self._hear(first_byte >> 4, first_byte, body)
            if not self.socket:
                return
        if not data:
            if not self.world.is_down():
                self.ledger.complain("refused", f"{self.name} was disconnected by a gateway that runs")
            self.drop()

    def _hear(self, kind, first_byte, body):
        if kind == CONNACK:
            self._connected(body[0] & 1 == 1, body[1], codec.receive_maximum(self.version, body))
        elif kind == DISCONNECT:
            self.note("<", f"DISCONNECT {body.hex()}")
            if not self.world.is_down():
                self.ledger.complain("refused", f"{self.name} heard DISCONNECT {body.hex()}")
        else:
            self.heard(kind, first_byte, body)

    def _connected(self, is_present, code, receive_maximum):
        self.note("<", f"CONNACK {code} session present {is_present:d}")
        self.world.heard += 1
        if code:
            self.ledger.complain("refused", f"{self.name} heard CONNACK {code:#x}")
            return
        if self.has_session and not is_present:
            self.ledger.complain("session", f"{self.name} has lost its session")
        if self.has_session:
            self.ledger.resumptions += 1
        is_lost, self.has_session, self.was_present = self.has_session and not is_present, True, is_present
        self.state = "here"
        self.resume(is_lost, receive_maximum)

    def note(self, direction, words):
        self.world.note(self.name, direction, words)

    # MARK: what kinds of clients do

    def resume(self, is_lost, receive_maximum):
        """CONNACK has come; `is_lost`: without the session that there was."""

    def lost(self):
        """The connection is gone."""

    def heard(self, kind, first_byte, body):
        """A packet has come."""

    def tick(self, now):
        if self._out:
            self._flush()


class Publisher(Client):
    """Publishes its streams with some messages in flight, and sends again what is not acknowledged when it is back."""

    def __init__(self, world, name, version, streams, seed, window=10, reuses_identifiers=False):
        super().__init__(world, name, version)
        self.random = random.Random(f"{seed}/{name}")
        # What it publishes to, of which the last few are in use.
        self.streams = streams
        self.window = self.allowed = window
        self.reuses_identifiers = reuses_identifiers
        # In the order of their first PUBLISH: identifier to stream, number, packet, whether PUBREC has come.
        self.in_flight = {}
        # How many messages it may still begin.
        self.quota = 0
        self._last = 0

    def _identifier(self):
        if self.reuses_identifiers:
            return next(identifier for identifier in range(1, 65_536) if identifier not in self.in_flight)
        while True:
            self._last = self._last % 65_535 + 1
            if self._last not in self.in_flight:
                return self._last

    def tick(self, now):
        super().tick(now)
        while self.state == "here" and self.quota > 0 and not self.world.is_paused \
                and len(self.in_flight) < self.allowed:
            self.quota -= 1
            self._publish(self.random.choice(self.streams[-STREAMS_IN_USE:]), self._identifier())

    def _publish(self, stream, identifier):
        number = stream.send(self.ledger.round, stream.retain and self.random.random() < 0.2)
        payload = stream.payload(number, self.random.choice([16, 40, 100, 600]))
        packet = codec.publish(self.version, stream.topic, payload, stream.qos, identifier, stream.retain)
        self.in_flight[identifier] = [stream, number, packet, False]
        self.send(packet, f"PUBLISH {identifier} q{stream.qos} {stream.topic} {number}")

    def resume(self, is_lost, receive_maximum):
        self.allowed = min(self.window, receive_maximum)
        for identifier, (stream, number, packet, is_received) in list(self.in_flight.items()):
            if is_lost and is_received:
                # The server had taken it over; a client that starts anew has nothing left to send.
                self._accept(identifier)
            elif is_received:
                self.send(codec.acknowledge(PUBREL, identifier), f"PUBREL {identifier}")
            else:
                # [MQTT-4.4.0-1]
                self.send(packet if is_lost else codec.again(packet), f"PUBLISH {identifier} again {number}")

    def _accept(self, identifier):
        stream, number, _, _ = self.in_flight.pop(identifier)
        stream.accept(number, self.ledger.round)

    def heard(self, kind, first_byte, body):
        identifier = int.from_bytes(body[:2], "big")
        code = body[2] if len(body) > 2 else 0
        name = codec.NAMES.get(kind, kind)
        self.note("<", f"{name} {identifier} {code:#x}")
        entry = self.in_flight.get(identifier)
        expected = entry and ((PUBACK,) if entry[0].qos == 1 else (PUBREC, PUBCOMP) if entry[3] else (PUBREC,))
        if not expected or kind not in expected:
            self.ledger.complain("flow", f"{self.name} heard {name} {identifier}, for which it does not wait")
            return
        # The server may have released the identifier before it died: then PUBCOMP says that it knows it no more.
        if code >= 0x80 and not (kind == PUBCOMP and code == 0x92):
            self.ledger.complain("refused", f"{self.name} heard {name} {code:#x} for {entry[0].topic} {entry[1]}")
            del self.in_flight[identifier]
            return
        if kind == PUBREC:
            entry[3] = True
            self.send(codec.acknowledge(PUBREL, identifier), f"PUBREL {identifier}")
        else:
            self._accept(identifier)
        self.world.acknowledged(name)


class Subscriber(Client):
    """Subscribes once and acknowledges in order, perhaps late.

    `habit`: `always` here, `sometimes` (the plan says when), or `flapping` while the gateway runs.
    """

    def __init__(self, world, name, version, topic_filter, receiver, seed, habit="always", receive_maximum=None,
                 delay=0.0):
        super().__init__(world, name, version, receive_maximum)
        self.random = random.Random(f"{seed}/{name}")
        self.topic_filter = topic_filter
        self.receiver = receiver
        self.habit = habit
        self.delay = delay
        self.is_subscribed = False
        # Identifiers at QoS 2 that were received and not released, and what came under them.
        self.received = {}
        # Identifiers of this connection that were not acknowledged to the end.
        self.open = set()
        self._answers = deque()
        self._flips_at = None

    def resume(self, is_lost, receive_maximum):
        if is_lost:
            self.received.clear()
            self.is_subscribed = False
        if not self.is_subscribed:
            self.send(codec.subscribe(self.version, 1, self.topic_filter, self.receiver.qos),
                      f"SUBSCRIBE {self.topic_filter}")

    def lost(self):
        self.open.clear()
        self._answers.clear()

    def heard(self, kind, first_byte, body):
        self.world.heard += 1
        if kind == PUBLISH:
            self._take(first_byte >> 1 & 3, *codec.read_publish(self.version, first_byte, body))
        elif kind == PUBREL:
            identifier = int.from_bytes(body[:2], "big")
            self.note("<", f"PUBREL {identifier}")
            self.received.pop(identifier, None)
            self._answer(PUBCOMP, identifier)
        elif kind == SUBACK:
            self.note("<", f"SUBACK {body.hex()}")
            if body[-1] != self.receiver.qos:
                self.ledger.complain("refused", f"{self.name} heard SUBACK {body[-1]:#x}")
            self.is_subscribed = True
            self.subscribed()

    def subscribed(self):
        if not self.receiver.has_begun:
            self.receiver.begin()

    def _take(self, qos, topic, identifier, payload):
        said = read_payload(payload)
        self.note("<", f"PUBLISH {identifier} q{qos} {topic} {said and said[1]}")
        if said is None or said[0] != topic:
            self.ledger.complain("flow", f"{self.name} got a payload on {topic} that nobody sent: {payload[:80]!r}")
            said = None
        if qos == 0:
            self.ledger.complain("flow", f"{self.name} got {topic} {said and said[1]} at QoS 0")
            return
        self.open.add(identifier)
        if self.receive_maximum and len(self.open) > self.receive_maximum:
            self.ledger.complain("flow", f"{self.name} got more than its Receive Maximum")
        if qos == 1:
            self._deliver(said)
            self._answer(PUBACK, identifier)
            return
        if identifier not in self.received:
            self.received[identifier] = said
            self._deliver(said)
        elif self.received[identifier] != said:
            self.ledger.complain(
                "flow", f"{self.name} got {said} under {identifier}, which {self.received[identifier]} still holds")
        self._answer(PUBREC, identifier)

    def _deliver(self, said):
        if said:
            self.receiver.take(*said)

    def _answer(self, kind, identifier):
        due = self.world.now() + (self.random.random() * self.delay if self.delay else 0)
        if self._answers:
            # [MQTT-4.6.0-2]
            due = max(due, self._answers[-1][0])
        self._answers.append((due, kind, identifier))

    def tick(self, now):
        super().tick(now)
        while self._answers and self._answers[0][0] <= now:
            _, kind, identifier = self._answers.popleft()
            if kind != PUBREC:
                self.open.discard(identifier)
            self.send(codec.acknowledge(kind, identifier), f"{codec.NAMES[kind]} {identifier}")
        if self.habit == "flapping" and self.world.is_up:
            self._flap(now)

    def _flap(self, now):
        if self._flips_at is None or now >= self._flips_at:
            if self._flips_at and self.state == "here":
                self.random.choice([self.drop, self.leave])()
            elif self.state == "away":
                self.connect()
            self._flips_at = now + self.random.uniform(0.05, 0.4)


class Guest(Client):
    """A session from its beginning to its end, a step in each round: what was answered holds after the kill."""

    # Subscribes; is still subscribed, and unsubscribes; has no subscription; starts clean; has no session any more.
    SUBSCRIBES, UNSUBSCRIBES, IS_UNSUBSCRIBED, STARTS_CLEAN, IS_NEW, IS_DONE = range(6)

    def __init__(self, world, name):
        super().__init__(world, name, V5)
        self.step = self.SUBSCRIBES
        self._is_unsure = False
        self._has_asked = False

    @property
    def is_clean(self):
        return self.step == self.STARTS_CLEAN

    def connect(self):
        if self.step in (self.STARTS_CLEAN, self.IS_NEW):
            self.has_session = False
        self._note_attempt(self.step == self.IS_NEW)
        super().connect()

    def _note_attempt(self, is_attempt):
        """What was asked before without an answer may have been done, and the answer differs then."""
        if is_attempt:
            self._is_unsure, self._has_asked = self._has_asked, True

    def resume(self, is_lost, receive_maximum):
        self._note_attempt(self.step != self.IS_NEW)
        self.world.acknowledged("CONNACK")
        if self.step == self.SUBSCRIBES:
            self.send(codec.subscribe(self.version, 1, "guests/#", 1), "SUBSCRIBE guests/#")
        elif self.step in (self.UNSUBSCRIBES, self.IS_UNSUBSCRIBED):
            self.send(codec.unsubscribe(self.version, 2, "guests/#"), "UNSUBSCRIBE guests/#")
        elif self.step == self.STARTS_CLEAN:
            self._next()
        elif self.step == self.IS_NEW:
            if self.was_present and not self._is_unsure:
                self.ledger.complain("session", f"{self.name} has the session that it had ended")
            self._next()

    def heard(self, kind, first_byte, body):
        self.note("<", f"{kind} {body.hex()}")
        code = body[-1]
        if kind == UNSUBACK:
            # 0x11: there was no subscription.
            expected = {0x11} if self.step == self.IS_UNSUBSCRIBED else {0, 0x11} if self._is_unsure else {0}
            if code not in expected:
                self.ledger.complain("subscription", f"{self.name} heard UNSUBACK {code:#x}")
        elif kind != SUBACK or code != 1:
            self.ledger.complain("flow", f"{self.name} heard {kind} {body.hex()}")
        self._next()
        self.world.acknowledged("SUBACK")

    def _next(self):
        self.step += 1
        self._has_asked = False


class Watcher(Client):
    """Asks for the retained values, and ends."""

    is_clean = True

    def __init__(self, world, name):
        super().__init__(world, name, codec.V311)
        self._known, self._found = {}, {}
        self.is_done = False

    def resume(self, is_lost, receive_maximum):
        self._known = self.ledger.look_at_retained()
        self.send(codec.subscribe(self.version, 1, "r/#", 0) + codec.PING, "SUBSCRIBE r/#")

    def heard(self, kind, first_byte, body):
        if kind == PUBLISH:
            topic, _, payload = codec.read_publish(self.version, first_byte, body)
            said = read_payload(payload)
            self.note("<", f"PUBLISH {topic} {said and said[1]} retain {first_byte & 1}")
            # What is published meanwhile is newer.
            if said:
                self._found[topic] = said[1]
            else:
                self._known.pop(topic, None)
        elif kind == codec.PINGRESP and not self.is_done:
            self.is_done = True
            self.ledger.retained(self._known, self._found)
            self.leave()
