"""MQTT 3.1.1 and 5.0 packet by packet: what a test of a single statement says and hears."""

import itertools
from types import SimpleNamespace

import pytest

from wire import Wire, frame

V311, V5 = 4, 5
both_versions = pytest.mark.parametrize("version", [V311, V5], ids=["3.1.1", "5.0"])

CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK, PINGREQ, \
    PINGRESP, DISCONNECT, AUTH = range(1, 16)

# Options of a subscription, beside the QoS.
NO_LOCAL, RETAIN_AS_PUBLISHED, SEND_IF_NEW, DO_NOT_SEND = 4, 8, 16, 32

# Numbers of 1, 2 and 4 bytes and of variable length, binary data, strings, pairs of strings.
PROPERTIES = {
    "payload_format_indicator": (0x01, 1), "message_expiry_interval": (0x02, 4), "content_type": (0x03, "string"),
    "response_topic": (0x08, "string"), "correlation_data": (0x09, "data"), "subscription_identifier": (0x0B, "many"),
    "session_expiry_interval": (0x11, 4), "assigned_client_identifier": (0x12, "string"),
    "server_keep_alive": (0x13, 2), "authentication_method": (0x15, "string"), "authentication_data": (0x16, "data"),
    "request_problem_information": (0x17, 1), "will_delay_interval": (0x18, 4),
    "request_response_information": (0x19, 1), "response_information": (0x1A, "string"),
    "server_reference": (0x1C, "string"), "reason_string": (0x1F, "string"), "receive_maximum": (0x21, 2),
    "topic_alias_maximum": (0x22, 2), "topic_alias": (0x23, 2), "maximum_qos": (0x24, 1), "retain_available": (0x25, 1),
    "user_property": (0x26, "pairs"), "maximum_packet_size": (0x27, 4), "wildcard_subscription_available": (0x28, 1),
    "subscription_identifiers_available": (0x29, 1), "shared_subscription_available": (0x2A, 1),
}
NAMES = {identifier: (name, kind) for name, (identifier, kind) in PROPERTIES.items()}


def number(value, size=2):
    return value.to_bytes(size, "big")


def variable(value):
    """A variable byte integer."""
    digits = b""
    while True:
        value, digit = value >> 7, value & 0x7F
        digits += bytes([digit | 0x80 if value else digit])
        if not value:
            return digits


def data(value):
    """Text or bytes behind their length."""
    value = value.encode() if isinstance(value, str) else value
    return number(len(value)) + value


def properties(version, values):
    """A property list with its length; nothing before MQTT 5."""
    if version != V5:
        assert not values, "MQTT 3.1.1 has no properties"
        return b""
    body = b""
    for name, value in values.items():
        identifier, kind = PROPERTIES[name]
        for each in value if isinstance(value, list) else [value]:
            body += bytes([identifier])
            if kind == "pairs":
                body += data(each[0]) + data(each[1])
            elif kind == "many":
                body += variable(each)
            else:
                body += number(each, kind) if isinstance(kind, int) else data(each)
    return variable(len(body)) + body


def connect(version, client_id="", *, clean=True, keep_alive=60, will=None, user=None, password=None, flags=0,
            **values):
    """A CONNECT. `will` is (topic, payload, QoS, RETAIN, properties); `flags` are set in addition."""
    flags |= 2 if clean else 0
    payload = data(client_id)
    if will:
        topic, message, qos, retain, will_values = will
        flags |= 4 | qos << 3 | retain << 5
        payload += properties(version, will_values) + data(topic) + data(message)
    if user is not None:
        flags |= 0x80
        payload += data(user)
    if password is not None:
        flags |= 0x40
        payload += data(password)
    return frame(0x10, data("MQTT") + bytes([version, flags]) + number(keep_alive) + properties(version, values)
                 + payload)


def will(topic, payload="gone", qos=0, retain=False, **values):
    return topic, payload, qos, retain, values


def publish(version, topic, payload="", qos=0, identifier=0, *, retain=False, dup=False, **values):
    middle = number(identifier) if qos else b""
    payload = payload.encode() if isinstance(payload, str) else payload
    return frame(0x30 | dup << 3 | qos << 1 | retain, data(topic) + middle + properties(version, values) + payload)


def subscribe(version, identifier, *filters, **values):
    """A SUBSCRIBE to pairs of filter and options."""
    pairs = b"".join(data(name) + bytes([options]) for name, options in filters)
    return frame(0x82, number(identifier) + properties(version, values) + pairs)


def unsubscribe(version, identifier, *filters, **values):
    return frame(0xA2, number(identifier) + properties(version, values) + b"".join(map(data, filters)))


def acknowledge(kind, identifier, code=None):
    """A PUBACK, PUBREC, PUBREL or PUBCOMP."""
    code = b"" if code is None else bytes([code])
    return frame(kind << 4 | (2 if kind == PUBREL else 0), number(identifier) + code)


def disconnect(version, code=None, **values):
    body = b"" if code is None else bytes([code])
    return frame(0xE0, body + (properties(version, values) if values else b""))


class Cursor:
    """Reads fields one behind the other."""

    def __init__(self, content):
        self.content = content

    def take(self, size):
        assert size <= len(self.content), f"cut short: {self.content.hex(' ')}"
        taken, self.content = self.content[:size], self.content[size:]
        return taken

    def number(self, size=2):
        return int.from_bytes(self.take(size), "big")

    def variable(self):
        value = shift = 0
        while True:
            byte = self.number(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def data(self):
        return self.take(self.number())

    def properties(self, version):
        if version != V5 or not self.content:
            return {}
        rest = Cursor(self.take(self.variable()))
        values = {}
        while rest.content:
            name, kind = NAMES[rest.number(1)]
            if kind == "pairs":
                values.setdefault(name, []).append((rest.data().decode(), rest.data().decode()))
            elif kind == "many":
                values.setdefault(name, []).append(rest.variable())
            else:
                assert name not in values, f"{name} stands twice"
                value = rest.number(kind) if isinstance(kind, int) else rest.data()
                values[name] = value.decode() if kind == "string" else value
        return values


def parse(packet, version):
    """A packet of the server, taken apart."""
    cursor = Cursor(packet[1:])
    assert cursor.variable() == len(cursor.content)
    kind, flags = packet[0] >> 4, packet[0] & 0x0F
    found = SimpleNamespace(kind=kind, flags=flags, raw=packet, code=0, codes=[])
    if kind == CONNACK:
        found.present, found.code = cursor.number(1), cursor.number(1)
        found.properties = cursor.properties(version)
    elif kind == PUBLISH:
        found.qos, found.retain, found.dup = flags >> 1 & 3, bool(flags & 1), bool(flags & 8)
        found.topic = cursor.data().decode()
        found.identifier = cursor.number() if found.qos else None
        found.properties = cursor.properties(version)
        found.payload, cursor.content = cursor.content, b""
    elif kind in (PUBACK, PUBREC, PUBREL, PUBCOMP):
        assert flags == (2 if kind == PUBREL else 0)
        found.identifier = cursor.number()
        found.code = cursor.number(1) if cursor.content else 0
        found.properties = cursor.properties(version)
    elif kind in (SUBACK, UNSUBACK):
        found.identifier = cursor.number()
        found.properties = cursor.properties(version)
        found.codes, cursor.content = list(cursor.content), b""
    elif kind in (DISCONNECT, AUTH):
        found.code = cursor.number(1) if cursor.content else 0
        found.properties = cursor.properties(version)
    else:
        assert kind == PINGRESP
    assert not cursor.content, f"too long: {packet.hex(' ')}"
    return found


class Client(Wire):
    """A connected client that says and hears one packet at a time, and acknowledges nothing unasked."""

    def __init__(self, gateway, version=V5, client_id="", **options):
        super().__init__(gateway.tcp)
        self.version = version
        self._identifiers = itertools.count(1)
        self._aside = []
        self.send(connect(version, client_id, **options))
        self.connack = self.next(CONNACK)
        assert self.connack.code == 0, f"CONNACK {self.connack.code:#x}"

    def next(self, kind=None):
        """The next packet; it must be of this kind."""
        found = self._aside.pop(0) if self._aside else parse(self.packet(), self.version)
        assert kind in (None, found.kind), f"{found} in place of {kind}"
        return found

    def subscribe(self, *filters, qos=2, **values):
        """Subscribes to names, or to pairs of name and options; the codes of SUBACK."""
        pairs = [(each, qos) if isinstance(each, (str, bytes)) else each for each in filters]
        identifier = next(self._identifiers)
        self.send(subscribe(self.version, identifier, *pairs, **values))
        answer = self.next(SUBACK)
        assert answer.identifier == identifier
        return answer.codes

    def unsubscribe(self, *filters):
        identifier = next(self._identifiers)
        self.send(unsubscribe(self.version, identifier, *filters))
        answer = self.next(UNSUBACK)
        assert answer.identifier == identifier
        return answer.codes

    def publish(self, topic, payload="", qos=0, **options):
        """Publishes and goes through the whole handshake."""
        identifier = next(self._identifiers)
        self.send(publish(self.version, topic, payload, qos, identifier, **options))
        if qos == 0:
            self.ping()
            return None
        answer = self.next(PUBACK if qos == 1 else PUBREC)
        assert answer.identifier == identifier
        if qos == 2 and answer.code < 0x80:
            self.send(acknowledge(PUBREL, identifier))
            assert self.next(PUBCOMP).identifier == identifier
        return answer.code

    def message(self, acknowledged=True):
        """The next message, by default acknowledged to the end; others may come before PUBREL does."""
        found = self.next(PUBLISH)
        if acknowledged and found.qos == 1:
            self.send(acknowledge(PUBACK, found.identifier))
        elif acknowledged and found.qos == 2:
            self.send(acknowledge(PUBREC, found.identifier))
            others = []
            while (answer := self.next()).kind == PUBLISH:
                others.append(answer)
            assert (answer.kind, answer.identifier) == (PUBREL, found.identifier)
            self.send(acknowledge(PUBCOMP, found.identifier))
            self._aside = others + self._aside
        return found

    def ping(self):
        """Waits until the server has read all that was sent; what comes before the answer was not expected."""
        self.send(b"\xc0\x00")
        self.next(PINGRESP)

    # That nothing came is known when the answer to a ping is what comes next.
    hears_nothing = ping

    def end(self):
        """How the server ends the connection: the code of its DISCONNECT, or None where it only closes."""
        rest = self.rest()
        return parse(rest, self.version).code if rest else None

    def says_goodbye(self, code=None, **values):
        """DISCONNECT, and the server's close."""
        self.send(disconnect(self.version, code, **values))
        assert self.rest() == b""


def keeping(version, seconds=1_000):
    """What CONNECT needs for a session that outlives its connection."""
    return {"clean": False} | ({"session_expiry_interval": seconds} if version == V5 else {})
