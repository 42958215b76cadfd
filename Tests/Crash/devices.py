"""MQTT-SN devices that do not know of the gateway's death: they send again what is not answered, and never connect anew."""

import random
import selectors
import socket

from clients import STREAMS_IN_USE
from codec import SN, number
from ledger import read_payload

# What a device waits for an answer. The standard's T_retry is 10 to 15 s, which no round lasts.
RETRY_SECONDS = 0.25
SLEEP_SECONDS = 3_600
KEEP_ALIVE_SECONDS = 60


class Device:
    """One exchange at a time: what is not answered is sent again, without end."""

    def __init__(self, world, name, seed, node=None):
        """`node`: the Wireless Node Id of a device behind a forwarder. MQTT-SN 1.2 §5.5"""
        self.world = world
        self.ledger = world.ledger
        self.name = name
        self.random = random.Random(f"{seed}/{name}")
        self.node = node
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setblocking(False)
        self.socket.bind((world.host, 0))
        world.selector.register(self.socket, selectors.EVENT_READ, self)
        world.clients.append(self)
        # What is to be sent again until an answer comes: (kind, body), whether it has a flag DUP, and what the answer is.
        self._request = None
        self._expected = None
        self._sent_at = 0.0
        self._asked_to_sleep_at = -10.0
        self._message_id = self.random.randrange(1, 60_000)
        self.is_connected = False

    def close(self):
        self.world.selector.unregister(self.socket)
        self.socket.close()

    def note(self, direction, words):
        self.world.note(self.name, direction, words)

    def say(self, kind, body=b""):
        self.note(">", f"{SN.NAMES.get(kind, kind)} {body[:48]!r}")
        message = SN.message(kind, body)
        if kind == SN.DISCONNECT:
            self._asked_to_sleep_at = self.world.now()
        try:
            self.socket.sendto(SN.wrap(self.node, message) if self.node else message, (self.world.host, self.world.udp))
        except OSError:
            pass

    def next_message_id(self):
        self._message_id = self._message_id % 65_535 + 1
        return self._message_id

    def ask(self, kind, body, *expected):
        """Sends it until one of these (kinds) is taken as the answer."""
        self._request, self._expected, self._sent_at = (kind, body), expected, self.world.now()
        self.say(kind, body)

    def answered(self):
        self._request = self._expected = None

    @property
    def is_waiting(self):
        return self._request is not None

    def tick(self, now):
        if self._request and now - self._sent_at > RETRY_SECONDS:
            self._sent_at = now
            kind, body = self._request
            if kind in (SN.PUBLISH, SN.SUBSCRIBE):
                body = bytes([body[0] | SN.DUP]) + body[1:]
            self.say(kind, body)
        elif not self._request and self.world.is_up:
            self.act(now)

    def readable(self):
        while True:
            try:
                datagram = self.socket.recv(65_536)
            except BlockingIOError:
                return
            except OSError:
                continue
            if self.node:
                node, datagram = SN.unwrap(datagram)
                assert node == self.node
            kind, body = SN.read(datagram)
            self.note("<", f"{SN.NAMES.get(kind, kind)} {body[:48]!r}")
            self.world.heard += 1
            if kind == SN.DISCONNECT and SN.DISCONNECT not in (self._expected or ()):
                # One that was sent again is answered again; a gateway that has forgotten us says so again. One that
                # stops tells those who are awake.
                if self.world.is_stopping or self.world.now() - self._asked_to_sleep_at > 2:
                    self._ended()
            else:
                self.heard(kind, body)

    def _ended(self):
        """DISCONNECT that we did not ask for: we connect again."""
        if not self.is_connected:
            return
        if not self.world.is_down():
            self.ledger.complain("forgotten", f"{self.name} heard DISCONNECT")
        self.is_connected = False
        self.answered()
        self.begin_anew()

    def connect(self):
        self.ask(SN.CONNECT, bytes([0, 1]) + number(KEEP_ALIVE_SECONDS) + self.name.encode(), SN.CONNACK)

    def connected(self, body):
        if body != b"\0":
            self.ledger.complain("refused", f"{self.name} heard CONNACK {body.hex()}")
        self.is_connected = True
        self.answered()
        self.world.acknowledged("SN CONNACK")

    # MARK: what kinds of devices do

    def act(self, now):
        """Nothing is asked: what is next?"""

    def heard(self, kind, body):
        """A message has come."""

    def begin_anew(self):
        """The gateway has ended our connection; the session goes on, with what we know of it."""


class PublishingDevice(Device):
    """Registers its topics, to which rounds add new ones, and publishes one message after the other."""

    def __init__(self, world, name, seed, streams, node=None):
        super().__init__(world, name, seed, node)
        self.streams = streams
        self.quota = 0
        self.topic_ids = {}
        # The message under way: stream, number, MsgId, and whether PUBREC has come.
        self._message = None

    def act(self, now):
        if not self.is_connected:
            return self.connect()
        in_use = self.streams[-STREAMS_IN_USE:]
        if self._message and (self._message[3] or self._message[0].topic in self.topic_ids):
            self._send()
        elif unknown := next((stream.topic for stream in in_use if stream.topic not in self.topic_ids), None):
            self._register(unknown)
        elif self._message:
            self._register(self._message[0].topic)
        elif self.quota > 0 and not self.world.is_paused:
            self.quota -= 1
            stream = self.random.choice(in_use)
            self._message = [stream, stream.send(self.ledger.round), self.next_message_id(), False]
            self._send()

    def _register(self, topic):
        message_id = self.next_message_id()
        self._registering = (message_id, topic)
        self.ask(SN.REGISTER, number(0) + number(message_id) + topic.encode(), SN.REGACK)

    def _send(self):
        stream, count, message_id, is_received = self._message
        if is_received:
            self.ask(SN.PUBREL, number(message_id), SN.PUBCOMP)
            return
        head = bytes([stream.qos << 5]) + number(self.topic_ids[stream.topic]) + number(message_id)
        answer = SN.PUBACK if stream.qos == 1 else SN.PUBREC
        self.ask(SN.PUBLISH, head + stream.payload(count, 40), answer)

    def heard(self, kind, body):
        if kind == SN.CONNACK and kind in (self._expected or ()):
            self.connected(body)
        elif kind == SN.REGACK and kind in (self._expected or ()):
            if (message := int.from_bytes(body[2:4], "big")) == self._registering[0]:
                self._registered(int.from_bytes(body[:2], "big"), body[4], message)
        elif kind == SN.PUBACK:
            self._acknowledged(int.from_bytes(body[2:4], "big"), body[4])
        elif kind in (SN.PUBREC, SN.PUBCOMP) and kind in (self._expected or ()):
            if self._message and int.from_bytes(body[:2], "big") == self._message[2]:
                self.answered()
                if kind == SN.PUBREC:
                    self._message[3] = True
                    self.act(self.world.now())
                else:
                    self._complete()
                self.world.acknowledged(SN.NAMES[kind])

    def _registered(self, topic_id, code, message_id):
        topic = self._registering[1]
        if code:
            self.ledger.complain("refused", f"{self.name} heard REGACK {code} for {topic}")
        elif topic_id in self.topic_ids.values():
            self.ledger.complain("topic id", f"{self.name} got {topic_id} for {topic}, which has another topic already")
        self.topic_ids[topic] = topic_id
        self.answered()
        self.world.acknowledged("REGACK")

    def _acknowledged(self, message_id, code):
        if not self._message or message_id != self._message[2]:
            return
        stream, count = self._message[:2]
        if code == SN.INVALID_TOPIC_ID:
            self.ledger.complain("topic id", f"{self.name} heard that the id of {stream.topic} is invalid")
            del self.topic_ids[stream.topic]
            self.answered()
        elif code:
            self.ledger.complain("refused", f"{self.name} heard PUBACK {code} for {stream.topic} {count}")
            self.answered()
            self._message = None
        elif stream.qos == 1 and self.is_waiting:
            self.answered()
            self._complete()
            self.world.acknowledged("PUBACK")

    def _complete(self):
        stream, count = self._message[:2]
        stream.accept(count, self.ledger.round)
        self._message = None

    @property
    def is_busy(self):
        return self._message is not None


class ListeningDevice(Device):
    """Subscribes, then sleeps and wakes, or stays active; across restarts it never connects again."""

    def __init__(self, world, name, seed, filters, receiver, is_sleeper=True, node=None):
        super().__init__(world, name, seed, node)
        self.filters = filters
        self.receiver = receiver
        self.is_sleeper = is_sleeper
        self.is_asleep = False
        # What the ids of this session mean.
        self.topics = {}
        self.received = {}
        self.wakes = 0
        self.registered_again = 0
        self._subscribed = 0
        self._next = 0.0

    def act(self, now):
        if not self.is_connected:
            self.connect()
        elif self._subscribed < len(self.filters):
            self._message_id_asked = self.next_message_id()
            body = bytes([self.receiver.qos << 5]) + number(self._message_id_asked)
            self.ask(SN.SUBSCRIBE, body + self.filters[self._subscribed].encode(), SN.SUBACK)
        elif self.is_sleeper and not self.is_asleep:
            self.ask(SN.DISCONNECT, number(SLEEP_SECONDS), SN.DISCONNECT)
        elif now >= self._next:
            self._next = now + (self.random.uniform(0.05, 0.5) if self.is_sleeper else KEEP_ALIVE_SECONDS / 3)
            self.wakes += 1
            self.ask(SN.PINGREQ, self.name.encode() if self.is_sleeper else b"", SN.PINGRESP)

    def heard(self, kind, body):
        is_expected = kind in (self._expected or ())
        if kind == SN.PUBLISH:
            self._take(body[0] >> 5 & 3, *(int.from_bytes(body[at:at + 2], "big") for at in (1, 3)), body[5:])
        elif kind == SN.PUBREL:
            self.received.pop(body, None)
            self.say(SN.PUBCOMP, body)
        elif kind == SN.REGISTER:
            self._register(int.from_bytes(body[:2], "big"), body[2:4], body[4:].decode())
        elif kind == SN.CONNACK and is_expected:
            self.connected(body)
        elif kind == SN.SUBACK and is_expected and int.from_bytes(body[3:5], "big") == self._message_id_asked:
            self._subscribed_to(body)
        elif kind == SN.DISCONNECT and is_expected:
            self.is_asleep = True
            self.answered()
            self.world.acknowledged("SN DISCONNECT")
        elif kind == SN.PINGRESP and is_expected:
            self.answered()

    def _subscribed_to(self, body):
        topic_filter = self.filters[self._subscribed]
        if body[5]:
            self.ledger.complain("refused", f"{self.name} heard SUBACK {body[5]} for {topic_filter}")
        if topic_id := int.from_bytes(body[1:3], "big"):
            self._learn(topic_id, topic_filter)
        self._subscribed += 1
        if self._subscribed == len(self.filters) and not self.receiver.has_begun:
            self.receiver.begin()
        self.answered()
        self.world.acknowledged("SN SUBACK")

    def _learn(self, topic_id, topic):
        known = self.topics.get(topic_id)
        if known not in (None, topic):
            self.ledger.complain("topic id", f"{self.name} is told that {topic_id} is {topic}, but it is {known}")
        if known is None and topic in self.topics.values():
            self.ledger.complain("topic id", f"{self.name} is told that {topic} is {topic_id}, but it has an id")
        self.topics[topic_id] = topic

    def _register(self, topic_id, message_id, topic):
        if self.topics.get(topic_id) == topic:
            self.registered_again += 1
        self._learn(topic_id, topic)
        self.say(SN.REGACK, number(topic_id) + message_id + bytes([SN.ACCEPTED]))

    def _take(self, qos, topic_id, message_id, payload):
        said = read_payload(payload)
        topic, message_id = self.topics.get(topic_id), number(message_id)
        if topic is None or said is None or said[0] != topic:
            self.ledger.complain("topic id", f"{self.name} got {said} under {topic_id}, which is {topic}")
            self.say(SN.PUBACK, number(topic_id) + message_id + bytes([SN.INVALID_TOPIC_ID]))
            return
        if qos == 1:
            self.receiver.take(*said)
            self.say(SN.PUBACK, number(topic_id) + message_id + bytes([SN.ACCEPTED]))
            return
        if message_id not in self.received:
            self.received[message_id] = said
            self.receiver.take(*said)
        elif self.received[message_id] != said:
            self.ledger.complain(
                "flow", f"{self.name} got {said} under a MsgId that {self.received[message_id]} still holds")
        self.say(SN.PUBREC, message_id)

    def begin_anew(self):
        self.is_asleep = False
        self._subscribed = 0
