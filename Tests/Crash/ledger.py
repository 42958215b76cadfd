"""What was sent, acknowledged and delivered, and what of it breaks a promise.

Every message carries its topic and its number; a topic has one publisher and one QoS, so that numbers rise along it.
"""

from collections import Counter
from dataclasses import dataclass, field

# What may be found, in words for the table.
KINDS = {
    "lost": "acknowledged and lost",
    "doubled": "delivered twice at QoS 2",
    "reordered": "out of order",
    "stale": "retained value older than the last acknowledged",
    "session": "session lost, or there again",
    "subscription": "subscription lost, or there again",
    "forgotten": "device forgotten by the gateway",
    "topic id": "topic id that means something else, or nothing",
    "refused": "refused, or ended, without need",
    "flow": "packets that a server must not send",
    "process": "gateway that does not start, or breaks by itself",
}


@dataclass(frozen=True)
class Complaint:
    kind: str
    words: str

    def __str__(self):
        return f"{self.kind}: {self.words}"


@dataclass(eq=False)
class Stream:
    """The messages of one publisher to one topic at one QoS, numbered from 1."""

    publisher: str
    topic: str
    qos: int
    retain: bool = False
    # By number, from 1: the round in which the message was first sent, and the one in which it was acknowledged.
    sent_in: list = field(default_factory=lambda: [None])
    accepted_in: list = field(default_factory=lambda: [None])
    # Of a retained topic, the numbers of messages without payload, which delete the value.
    deletions: list = field(default_factory=list)
    # The highest number that was acknowledged.
    accepted: int = 0

    @property
    def sent(self):
        return len(self.sent_in) - 1

    @property
    def accepted_count(self):
        return len(self.accepted_in) - self.accepted_in.count(None)

    def send(self, round_number, is_deletion=False):
        self.sent_in.append(round_number)
        self.accepted_in.append(None)
        if is_deletion:
            self.deletions.append(self.sent)
        return self.sent

    def accept(self, number, round_number):
        if self.accepted_in[number] is None:
            self.accepted_in[number] = round_number
        self.accepted = max(self.accepted, number)

    def payload(self, number, size):
        if number in self.deletions[-1:]:
            return b""
        return f"{self.topic} {number} ".encode().ljust(size, b".")


def read_payload(payload):
    """(topic, number) of a payload; None if it is none of ours."""
    topic, _, rest = payload.partition(b" ")
    digits = rest.partition(b" ")[0]
    return (topic.decode(), int(digits)) if digits.isdigit() else None


class Receiver:
    """What one subscriber, or a group that shares a subscription, gets."""

    def __init__(self, ledger, name, prefixes, qos, is_group=False):
        self.ledger = ledger
        self.name = name
        self.prefixes = tuple(prefixes)
        self.qos = qos
        self.is_group = is_group
        self.has_begun = False
        self.streams = {}
        # By topic: how often each number came, the highest that came, and from where on all are due.
        self.counts = {}
        self.highest = Counter()
        self.first = {}
        for stream in ledger.streams.values():
            self.add(stream)

    def add(self, stream):
        """A topic that there is from now on."""
        if stream.topic.startswith(self.prefixes):
            self.streams[stream.topic] = stream
            self.counts[stream.topic] = Counter()
            if self.has_begun:
                self.first[stream.topic] = 1

    def begin(self):
        """The subscription was acknowledged: what is sent from now on is due."""
        self.has_begun = True
        self.first = {topic: stream.sent + 1 for topic, stream in self.streams.items()}

    def take(self, topic, number):
        """A message was delivered to the application."""
        stream = self.streams.get(topic)
        if stream is None or not 0 < number <= stream.sent:
            self.ledger.complain("flow", f"{self.name} got {topic} {number}, which was not sent, or not to it")
            return
        self.ledger.deliveries += 1
        counts = self.counts[topic]
        counts[number] += 1
        is_first = counts[number] == 1
        is_exact = min(stream.qos, self.qos) == 2
        if not is_first and is_exact:
            self.ledger.complain("doubled", f"{self.name} got {self.ledger.words(stream, number)} at QoS 2 again")
        elif not is_first:
            self.ledger.repeated += 1
        if is_first and not self.is_group and number < self.highest[topic]:
            self.ledger.complain(
                "reordered",
                f"{self.name} got {self.ledger.words(stream, number)} after number {self.highest[topic]}")
        self.highest[topic] = max(self.highest[topic], number)

    def missing(self, only_accepted=True):
        """(stream, number) of what is due and did not come."""
        for topic, first in self.first.items():
            stream, counts = self.streams[topic], self.counts[topic]
            for number in range(first, stream.sent + 1):
                if number not in counts and (stream.accepted_in[number] is not None or not only_accepted):
                    yield stream, number

    @property
    def delivered(self):
        return sum(sum(counts.values()) for counts in self.counts.values())

    @property
    def has_all(self):
        return next(self.missing(), None) is None


class Ledger:
    def __init__(self):
        self.round = 0
        self.streams = {}
        self.receivers = []
        self.complaints = []
        self.deliveries = 0
        self.repeated = 0
        self.retained_looks = 0
        self.resumptions = 0
        # Called with each complaint, as it is made.
        self.on_complaint = lambda complaint: None

    def complain(self, kind, words):
        assert kind in KINDS
        self.complaints.append(Complaint(kind, f"round {self.round}: {words}"))
        self.on_complaint(self.complaints[-1])

    def stream(self, publisher, topic, qos, retain=False):
        assert topic not in self.streams
        self.streams[topic] = Stream(publisher, topic, qos, retain)
        for receiver in self.receivers:
            receiver.add(self.streams[topic])
        return self.streams[topic]

    def receiver(self, name, prefixes, qos, is_group=False):
        """Of all streams whose topics begin with one of these."""
        self.receivers.append(Receiver(self, name, prefixes, qos, is_group))
        return self.receivers[-1]

    def words(self, stream, number):
        accepted = stream.accepted_in[number]
        end = "not acknowledged" if accepted is None else f"acknowledged in round {accepted}"
        return (f"{stream.topic} {number} (QoS {stream.qos} by {stream.publisher}, sent in round "
                f"{stream.sent_in[number]}, {end})")

    def look_at_retained(self):
        """What is known before somebody asks for the retained values: for `retained`."""
        return {topic: stream.accepted for topic, stream in self.streams.items() if stream.retain}

    def retained(self, accepted, found):
        """What somebody got who asked after `accepted` was known: number by topic."""
        self.retained_looks += 1
        for topic, least in accepted.items():
            stream, number = self.streams[topic], found.get(topic)
            if number is None and least > 0 and not any(deleted >= least for deleted in stream.deletions):
                self.complain("stale", f"{topic} has no retained value, but number {least} was acknowledged")
            elif number is not None and number < least:
                self.complain("stale", f"{topic} has the retained value {number}, but {least} was acknowledged")

    def settle(self):
        """Complains about what is missing at the end, each message once for each receiver."""
        for receiver in self.receivers:
            for stream, number in receiver.missing():
                self.complain("lost", f"{receiver.name} never got {self.words(stream, number)}")

    @property
    def is_complete(self):
        return all(receiver.has_all for receiver in self.receivers)

    @property
    def sent(self):
        return sum(stream.sent for stream in self.streams.values())

    @property
    def accepted(self):
        return sum(stream.accepted_count for stream in self.streams.values())
